"""The tests of liner-mcp; they mirror the package."""
