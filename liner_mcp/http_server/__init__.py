"""Serving MCP over Streamable HTTP: the listener, the processes, the middleware and authentication."""

MCP_PATH = "/mcp"
"""The path of the MCP endpoint, without the prefix of a proxy."""

MCP_PATHS = (MCP_PATH, f"{MCP_PATH}/")
"""The path as it is also written."""
