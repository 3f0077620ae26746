"""Each tool over what hosts really use: a stdio subprocess and HTTP on a socket, against a Liner on a socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult

from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.server.app import create_server
from liner_mcp.settings import read_settings
from tests.conftest import text_of
from tests.support.asgi_server import serve_app

pytestmark = pytest.mark.anyio

COMMAND = [sys.executable, "-m", "liner_mcp"]


@pytest.fixture(scope="module")
def origin(dataset: Dataset) -> Generator[str]:
    """A fake Liner on a loopback port."""
    with serve_app(DemoLiner(dataset)) as address:
        yield address


def environment(origin: str, **more: str) -> dict[str, str]:
    # PATH and the like stay: a host passes a small environment, but not an empty one.
    return {**os.environ, "LINER_API_HOST": origin, "LINER_API_TOKEN": "demo", "LINER_TIMEZONE": "UTC", **more}


def stdio(origin: str, **more: str) -> StdioServerParameters:
    return StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=environment(origin, **more))


QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("list_call_records", {"call_id": 7003900}),
    ("get_call_summaries", {"call_ids": [7003900, 7003898, 7003897]}),
    ("get_call_record", {"record_id": 9002362}),
    ("find_calls", {"since": "2026-11-19", "until": "2026-11-19", "statuses": ["transferred_to_sales"]}),
    ("call_stats", {"since": "2026-11-19", "until": "2026-11-19", "group_by": ["status"]}),
    ("list_directory", {"kind": "call_statuses"}),
]
KNOWN = ("9002362", "7003900", "transferred_to_sales")
"""One of these is in every right answer to them."""


async def _both_ways(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """List the tools, then ask one; its structure."""
    async with client:
        assert tool in {listed.name for listed in (await client.list_tools()).tools}
        result = await client.call_tool(tool, arguments)
        assert isinstance(result, CallToolResult)
        assert not result.is_error, text_of(result)
        assert json.loads(text_of(result)) == result.structured_content
        assert result.structured_content is not None
        return result.structured_content


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(("tool", "arguments"), QUESTIONS)
async def test_a_tool_answers_over_stdio(origin: str, mode: Any, tool: str, arguments: dict[str, Any]) -> None:
    answer = await _both_ways(Client(stdio(origin), mode=mode), tool, arguments)
    assert any(word in json.dumps(answer.get("rows", answer)) for word in KNOWN)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(("tool", "arguments"), QUESTIONS)
async def test_a_tool_answers_over_http(origin: str, mode: Any, tool: str, arguments: dict[str, Any]) -> None:
    server = create_server(read_settings(api_host=origin, api_token="demo", timezone="UTC"))
    with serve_app(server.streamable_http_app(stateless_http=True)) as address:
        answer = await _both_ways(Client(f"{address}/mcp", mode=mode), tool, arguments)
    assert any(word in json.dumps(answer.get("rows", answer)) for word in KNOWN)


async def test_adversarial_summaries_pass_a_real_pipe_and_change_nothing_but_their_own_field(
    origin: str, dataset: Dataset
) -> None:
    calls = [dataset.records[record_id].call_id for record_id in dataset.adversarial_records.values()]
    async with Client(stdio(origin, LINER_MAX_ANSWER_BYTES="60000")) as client:
        result = await client.call_tool("get_call_summaries", {"call_ids": calls, "summary_chars": 4000})
        assert isinstance(result, CallToolResult)
        answer = result.structured_content
        assert answer is not None
        assert json.loads(text_of(result)) == answer
    summaries = {row[answer["columns"].index("record_id")]: row[-1] for row in answer["rows"]}
    assert set(dataset.adversarial_records.values()) <= set(summaries)
    assert set(answer) <= {"asked", "page", "notes", "timezone", "names", "every_row", "columns", "rows"}
    assert summaries[dataset.adversarial_records["blank"]] is None
    assert len(summaries[dataset.adversarial_records["very_long"]]) == 4000
    for name in ("lone_surrogate", "controls", "rtl", "tag_characters", "emoji"):
        text = summaries[dataset.adversarial_records[name]]
        assert text == "".join(c for c in text if c == "\n" or c.isprintable() or ord(c) > 0x1F000)
        text.encode("utf-8")
    assert "ignore" in summaries[dataset.adversarial_records["injection"]].lower()


def test_the_pipe_carries_real_letters_and_stderr_stays_empty(origin: str) -> None:
    meta: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    call: dict[str, Any] = {"name": "list_call_records", "arguments": {"call_id": 7003900}, "_meta": meta}
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call})
    process = subprocess.Popen(
        COMMAND, env=environment(origin), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(request.encode() + b"\n")
        process.stdin.flush()
        line = process.stdout.readline()
        process.stdin.close()
        rest, errors = process.stdout.read(), process.stderr.read()
        assert process.wait(60) == 0
    assert "Иван Макаров".encode() in line
    assert b"\\u04" not in line
    assert json.loads(line)["id"] == 1
    assert rest == b""
    assert errors == b""
