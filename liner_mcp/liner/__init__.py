"""Storey 1: speaks Liner's HTTP API and knows nothing of MCP."""
