"""Storey 3: what MCP sees. Tools hold no logic; one boundary translates errors."""
