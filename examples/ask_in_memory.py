"""Call the server in memory, as a test or a notebook does: with an MCP client, but without a process or a port.

LINER_MCP_DEMO=true python examples/ask_in_memory.py 7000102
"""

import argparse
import sys
from io import TextIOWrapper
from typing import cast

import anyio
from mcp import Client
from mcp.types import CallToolResult, TextContent

from liner_mcp.errors import SettingsError
from liner_mcp.server.app import create_server
from liner_mcp.settings import read_settings


async def main(call_id: int) -> None:
    settings = read_settings()
    if settings.demo_notice:
        print(settings.demo_notice, file=sys.stderr)
    async with Client(create_server(settings)) as client:
        for tool in (await client.list_tools()).tools:
            print(f"{tool.name}: {(tool.description or '').splitlines()[0]}")
        result = await client.call_tool("list_call_records", {"call_id": call_id})
    assert isinstance(result, CallToolResult)
    for block in result.content:
        if isinstance(block, TextContent):
            print(block.text)
    if result.is_error:
        sys.exit(1)


if __name__ == "__main__":
    cast("TextIOWrapper", sys.stdout).reconfigure(errors="backslashreplace")  # a terminal may lack some letters
    parser = argparse.ArgumentParser(description="List the tools, and ask for the recordings of one call.")
    parser.add_argument("call_id", type=int)
    options = parser.parse_args()
    try:
        anyio.run(main, options.call_id)
    except SettingsError as error:
        sys.exit(str(error))
