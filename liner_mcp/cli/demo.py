"""`liner-mcp demo`: a first minute without an account."""

from __future__ import annotations

import json
import sys

import anyio
from rich.console import Console
from rich.text import Text

from liner_mcp.cli.demo_tour import run_tour, tokenizer
from liner_mcp.cli.host_config import HOSTS, build_entry
from liner_mcp.settings import DEMO_NOTICE

SHOWN_CELLS = 1_200  # of an answer: its beginning


def demo() -> int:
    """Ask three questions of the demo and show what a model would read; 0."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(DEMO_NOTICE)
    console.print("A demo server with forty days of calls, this MCP server, and an MCP client that asks it.\n")
    steps = anyio.run(run_tour)
    exact = tokenizer()[1]
    unit = "tokens" if exact else "tokens (estimated: install rs-bpe for an exact count)"
    for number, stop in enumerate(steps, 1):
        console.print(Text(f"{number}. {stop.question.text}", style="bold"))
        call = Text(f"   {stop.question.tool} {json.dumps(stop.question.arguments, ensure_ascii=False)}", style="cyan")
        answer = Text(stop.answer)
        for text, cells in ((call, 120), (answer, SHOWN_CELLS)):
            text.truncate(cells, overflow="ellipsis")
            console.print(text)
        console.print(
            f"   answer {stop.answer_bytes:,} bytes, {stop.answer_tokens:,} {unit}; "
            f"Liner's own {stop.requests} answers {stop.raw_bytes:,} bytes, {stop.raw_tokens:,} tokens "
            f"(the answer is {stop.answer_tokens / stop.raw_tokens:.0%} of that).\n",
            style="green",
        )
    console.print("Try it in Claude Desktop: add this to claude_desktop_config.json and restart it.")
    host = HOSTS["claude-desktop"]
    name, made = build_entry(sys.argv[0], {}, demo=True, host=host)
    console.print(Text(json.dumps({host.key: {name: made}}, indent=2, ensure_ascii=False)))
    console.print(
        "Then ask: What was said on call 7000102? The data is invented there too. "
        "With your own Liner: see the README, or run liner-mcp check."
    )
    return 0
