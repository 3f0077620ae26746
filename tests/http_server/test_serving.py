"""The server over HTTP as clients meet it: both eras, progress, cancelling, and one process after another."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client
from mcp.types import CallToolResult

from liner_mcp.demo import DemoLiner
from liner_mcp.server.caller import caller
from tests.conftest import text_of
from tests.fakes import FakeLiner
from tests.fakes.blocking_liner import BlockingLiner
from tests.http_server.support import (
    LEGACY,
    MODERN,
    PATIENCE,
    NameAuthenticator,
    call,
    connected,
    question,
    raw,
    result,
    serve,
)

pytestmark = pytest.mark.anyio

ERAS = pytest.mark.parametrize("era", [MODERN, LEGACY])


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_lists_asks_reads_and_writes_prompts(liner: DemoLiner, mode: Any) -> None:
    with serve(liner) as origin:
        async with Client(f"{origin}/mcp", mode=mode) as client:
            assert client.protocol_version == (MODERN if mode == "auto" else LEGACY)
            assert len((await client.list_tools()).tools) == 7
            answer = await client.call_tool("list_call_records", {"call_id": 7003900})
            assert isinstance(answer, CallToolResult)
            assert json.loads(text_of(answer)) == answer.structured_content
            assert (await client.read_resource("liner://calls/7003900")).contents
            assert (await client.get_prompt("review_call", {"call_id": "7003900"})).messages
            assert client.server_capabilities is None or client.server_capabilities.completions is None


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_progress_arrives_before_the_answer(liner: DemoLiner, mode: Any) -> None:
    steps: list[float] = []

    async def told(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
        steps.append(progress)

    with serve(liner) as origin:
        async with Client(f"{origin}/mcp", mode=mode) as client:
            answer = await client.call_tool("call_stats", {"since": "-40d"}, progress_callback=told)
    assert isinstance(answer, CallToolResult)
    assert not answer.is_error
    assert len(steps) > 1
    assert steps == sorted(steps)


@ERAS
def test_a_cursor_of_one_process_goes_on_in_another(liner: DemoLiner, era: str) -> None:
    whole = {"since": "2026-11-19", "until": "2026-11-19", "limit": 10}
    with serve(liner) as one, serve(liner) as other:
        first = result(httpx.post(f"{one}/mcp", **call("find_calls", era, **whole)))["structuredContent"]
        cursor = first["page"]["next_cursor"]
        asked = call("find_calls", era, cursor=cursor)
        here, there = (
            result(httpx.post(f"{origin}/mcp", **asked))["structuredContent"]["rows"] for origin in (one, other)
        )
    assert there == here
    assert there[0] not in first["rows"]


@contextmanager
def under_way(liner: BlockingLiner, era: str) -> Generator[Any]:
    """A connection on which a question runs that Liner does not answer."""
    ids = [7003898, 7003900, 7003901, 7003903]
    with serve(liner) as origin, connected(origin) as sock:
        sock.sendall(raw(call("get_call_summaries", era, call_ids=ids)))
        assert liner.reached.wait(PATIENCE)
        yield sock


@ERAS
def test_closing_the_stream_stops_our_requests_to_liner(liner: FakeLiner, era: str) -> None:
    slow = BlockingLiner(liner.dataset)
    with under_way(slow, era) as sock:
        sock.close()
        assert slow.left.wait(PATIENCE)
    assert slow.waiting == 0


@ERAS
async def test_a_client_that_gives_up_stops_them_too(liner: FakeLiner, era: str) -> None:
    slow = BlockingLiner(liner.dataset)
    with serve(slow) as origin:
        async with httpx.AsyncClient(timeout=PATIENCE) as client, anyio.create_task_group() as group:
            asked = call("list_call_records", era, call_id=7003900)
            group.start_soon(lambda: client.post(f"{origin}/mcp", **asked))
            assert await anyio.to_thread.run_sync(slow.reached.wait, PATIENCE)
            group.cancel_scope.cancel()
        assert slow.left.wait(PATIENCE)


@ERAS
def test_the_caller_reaches_the_question(liner: DemoLiner, era: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asking: list[str | None] = []
    find = DemoLiner.__call__

    async def noted(self: DemoLiner, scope: Any, receive: Any, send: Any) -> None:
        who = caller()
        asking.append(None if who is None else who.name)
        await find(self, scope, receive, send)

    monkeypatch.setattr(DemoLiner, "__call__", noted)
    asked = call("list_call_records", era, call_id=7003900)
    asked["headers"]["authorization"] = "Bearer anna"
    with serve(liner, authenticator=NameAuthenticator) as origin:
        assert not result(httpx.post(f"{origin}/mcp", **asked))["isError"]
    assert set(asking) == {"anna"}


def test_a_notification_is_taken(liner: DemoLiner) -> None:
    asked = question("notifications/initialized", LEGACY)
    del asked["json"]["id"]
    with serve(liner) as origin:
        assert httpx.post(f"{origin}/mcp", **asked).status_code == 202
