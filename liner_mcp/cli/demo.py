"""`liner-mcp demo`: three questions to the demo Liner, their answers, and the size of the same facts from Liner.

Everything except the data is real: this MCP server, the MCP client that calls it, and the requests to Liner.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
import httpx
from mcp import Client
from mcp.types import CallToolResult, TextContent
from rich.console import Console
from rich.text import Text

from liner_mcp.cli.program import install_command, shell_command
from liner_mcp.demo import DemoLiner
from liner_mcp.server.app import create_server
from liner_mcp.settings import DEMO_NOTICE, Settings

SHOWN_CELLS = 1_200  # of an answer: its beginning

# The question of a person, and the tool call with which an assistant answers it.
QUESTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("What was said on call 7000102?", "list_call_records", {"call_id": 7000102, "summary_chars": 600}),
    ("Which calls of the last week were transferred?", "find_calls", {"since": "-7d", "transferred": True, "limit": 5}),
    ("How many calls did each agent have in the last week?", "call_stats", {"since": "-7d", "group_by": "agent"}),
)


class _RecordingTransport(httpx.AsyncBaseTransport):
    """Stores the bodies that the demo Liner sends."""

    def __init__(self) -> None:
        self._inner = httpx.ASGITransport(app=DemoLiner())
        self.bodies: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        body = await response.aread()
        self.bodies.append(body.decode("utf-8", "replace"))
        return httpx.Response(response.status_code, headers=response.headers, content=body)


def demo() -> int:
    console = Console(highlight=False, soft_wrap=True)
    console.print(DEMO_NOTICE)
    console.print("A demo server with forty days of calls, this MCP server, and an MCP client that calls it.\n")
    anyio.run(_ask, console)
    program = sys.argv[0]
    console.print(f"Add it to Claude Desktop: {install_command(program)} install claude-desktop --demo", markup=False)
    console.print(f"Then ask: {QUESTIONS[0][0]}\nFor your own Liner: {shell_command(program)} check", markup=False)
    return 0


async def _ask(console: Console) -> None:
    """Ask the questions one after another. The first one also loads the dictionaries, as in a real session."""
    transport = _RecordingTransport()
    settings = Settings.of_demo_option(requests_per_second=0)
    async with Client(create_server(settings, transport=transport)) as client:
        for number, (question, tool, arguments) in enumerate(QUESTIONS, 1):
            transport.bodies.clear()
            result = await client.call_tool(tool, arguments)
            assert isinstance(result, CallToolResult)  # noqa: S101 - our tools ask the client nothing
            answer = "".join(block.text for block in result.content if isinstance(block, TextContent))
            raw = "".join(transport.bodies)
            console.print(Text(f"{number}. {question}", style="bold"))
            call = Text(f"   {tool} {json.dumps(arguments)}", style="cyan")
            shown = Text(answer)
            shown.truncate(SHOWN_CELLS, overflow="ellipsis")
            console.print(call, shown, sep="\n")
            console.print(
                f"   answer {len(answer.encode()):,} bytes, about {estimated_tokens(answer):,} tokens; "
                f"Liner's own {len(transport.bodies)} answers {len(raw.encode()):,} bytes, "
                f"about {estimated_tokens(raw):,} tokens.\n",
                style="green",
            )


def estimated_tokens(text: str) -> int:
    """Tokens by character counts: within about a tenth on JSON with English and Russian text (o200k)."""
    plain = sum(character.isascii() for character in text)
    return round(plain / 3.4 + (len(text) - plain) / 3.5)
