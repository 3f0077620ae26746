"""Serving over HTTP for several people: who may come in, and what the port answers besides MCP."""
