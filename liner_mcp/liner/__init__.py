"""Liner's HTTP API: the lowest layer, which knows nothing of MCP."""
