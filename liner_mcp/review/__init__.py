"""`liner-mcp review`: reviews with a model. The server never imports this package, which needs the extra `review`."""
