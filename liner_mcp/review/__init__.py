"""Storey 2: answers a reviewer's question; knows Liner's client, not MCP."""
