"""A program for tests: calls tools of whichever copy of the package is first on the path, and prints what came.

Its one argument is a JSON object: `modes` of the client, and `calls`, each [tool, arguments]. Every
page of an answer is read, by its cursor alone.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

import anyio
import httpx
from mcp import Client
from mcp.types import CallToolResult, TextContent

from liner_mcp.demo import Dataset
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.support import filters_table
from tests.support.account import ACCOUNT

DAYS, CALLS = 3, 120


def dataset() -> Dataset:
    """What the tools are asked about."""
    return Dataset.generate(now=NOW, days=DAYS, calls=CALLS)


@dataclass
class Seen:
    """`schemas`: the arguments that each tool publishes. `table`: the rows for docs/filters.md. `answers`: the pages of
    each call, an error as its sentence. `record_requests`: how many lists of records each call requested.
    """

    schemas: dict[str, Any] = field(default_factory=dict[str, Any])
    table: list[str] = field(default_factory=list[str])
    answers: list[list[Any]] = field(default_factory=list[list[Any]])
    record_requests: list[int] = field(default_factory=list[int])


async def ask(mode: Any, calls: list[tuple[str, dict[str, Any]]]) -> Seen:
    liner, seen = FakeLiner(dataset()), Seen()
    settings = Settings(**ACCOUNT, timezone="Europe/Moscow", requests_per_second=0)
    server = create_server(settings, transport=httpx.ASGITransport(app=liner), now=lambda: NOW)
    async with Client(server, mode=mode, raise_exceptions=True) as client:
        for tool in (await client.list_tools()).tools:
            seen.schemas[tool.name] = tool.input_schema["properties"]
        seen.table = filters_table.rows(seen.schemas["find_calls"])
        for name, arguments in calls:
            liner.requests.clear()
            pages: list[Any] = [_shown(await client.call_tool(name, arguments))]
            while cursor := _next_cursor(pages[-1]):
                pages.append(_shown(await client.call_tool(name, {"cursor": cursor})))
            seen.answers.append(pages)
            seen.record_requests.append(sum("callId=" in target for target in liner.requests))
    return seen


def _shown(result: object) -> Any:
    assert isinstance(result, CallToolResult)
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text if result.is_error else result.structured_content


def _next_cursor(shown: Any) -> str | None:
    return None if isinstance(shown, str) else shown["page"].get("next_cursor")


if __name__ == "__main__":
    question = json.loads(sys.argv[1])
    json.dump([asdict(anyio.run(ask, mode, question["calls"])) for mode in question["modes"]], sys.stdout)
