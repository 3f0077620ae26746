"""`python -m liner_mcp` is `liner-mcp`."""

from liner_mcp.cli.main import main

if __name__ == "__main__":
    main()
