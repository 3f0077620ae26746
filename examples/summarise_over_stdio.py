"""Start the server as a host does, over stdio, and print the summaries of some calls as plain records.

LINER_MCP_DEMO=true python examples/summarise_over_stdio.py 7000101 7000102 7000103
"""

import argparse
import os
import sys
from io import TextIOWrapper
from typing import Any, cast

import anyio
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextContent


def records(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows as dictionaries, each with the values of `every_row`."""
    shared, columns = answer.get("every_row", {}), answer["columns"]
    return [{**shared, **dict(zip(columns, row, strict=True))} for row in answer["rows"]]


async def main(call_ids: list[int]) -> str | None:
    """Print the summaries. Gives the error of the server, or None."""
    server = StdioServerParameters(command=sys.executable, args=["-m", "liner_mcp"], env=dict(os.environ))
    async with Client(server) as client:
        while call_ids:
            result = await client.call_tool("get_call_summaries", {"call_ids": call_ids, "summary_chars": 200})
            assert isinstance(result, CallToolResult)
            if result.is_error or result.structured_content is None:
                # Returned and not raised, because the client would wrap an exception in a group.
                return " ".join(block.text for block in result.content if isinstance(block, TextContent))
            answer = result.structured_content
            if "demo" in answer:
                print(f"DEMO: {answer['demo']}", file=sys.stderr)
            agents = answer.get("names", {}).get("agents", {})
            for record in records(answer):
                agent = agents.get(str(record["agent_id"]), record["agent_id"])
                print(f"{record['call_id']}  {agent}  {record['summary_state']}: {record['summary'] or '–'}")
            # The calls that did not fit on this page.
            call_ids = answer["page"].get("next_call_ids", [])
    return None


if __name__ == "__main__":
    cast("TextIOWrapper", sys.stdout).reconfigure(errors="backslashreplace")  # a terminal may lack some letters
    parser = argparse.ArgumentParser(description="Print the summaries of some calls.")
    parser.add_argument("call_ids", type=int, nargs="+")
    sys.exit(anyio.run(main, parser.parse_args().call_ids))
