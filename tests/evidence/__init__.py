"""Tests of `liner_mcp.evidence`."""
