"""The MCP server: the top layer. Tools hold no logic; one boundary translates errors."""
