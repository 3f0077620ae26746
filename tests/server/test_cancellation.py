"""A client that changes its mind stops our requests to Liner at once, however deep they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio
import pytest

from liner_mcp.demo import Dataset
from tests.conftest import OpenSession
from tests.fakes.blocking_liner import BlockingLiner

pytestmark = pytest.mark.anyio

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("find_calls", {"since": "this_month"}),
    ("call_stats", {"since": "this_month"}),
    ("list_call_records", {"call_id": 7000001}),
    ("get_call_summaries", {"call_ids": list(range(7000001, 7000101))}),
    ("get_call_record", {"record_id": 9000001}),
    ("check_quotes", {"quotes": [{"record_id": 9000001 + number, "quote": "ипотека"} for number in range(50)]}),
    ("list_directory", {"kind": "agents"}),
]
OF_RECORDINGS: list[tuple[str, dict[str, Any]]] = [
    ("find_calls", {"since": "this_month", "mentions": "ипотека", "include": ["summary"]}),
    ("find_calls", {"since": "this_month", "mentions": "ипотека", "sort": "longest_talk"}),
    ("find_calls", {"since": "this_month", "has_summary": False, "sample": 20}),
    ("call_stats", {"since": "this_month", "mentions": "ипотека", "include": ["records"]}),
]


@pytest.mark.parametrize(("tool", "arguments"), OF_RECORDINGS)
async def test_a_cancelled_question_about_recordings_leaves_no_request_behind(
    connect: OpenSession, dataset: Dataset, tool: str, arguments: dict[str, Any]
) -> None:
    app = BlockingLiner(dataset, lambda target: "callId=" in target)
    await check_cancellation(connect, app, tool, arguments)


@pytest.mark.parametrize(("tool", "arguments"), QUESTIONS)
async def test_a_cancelled_tool_call_leaves_no_request_behind(
    connect: OpenSession, dataset: Dataset, tool: str, arguments: dict[str, Any]
) -> None:
    await check_cancellation(connect, BlockingLiner(dataset), tool, arguments)


async def check_cancellation(connect: OpenSession, app: BlockingLiner, tool: str, arguments: dict[str, Any]) -> None:
    async with connect(app) as session:
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: session.call(tool, **arguments))
                await app.arrived.wait()
                await anyio.wait_all_tasks_blocked()
                group.cancel_scope.cancel()
            await app.none_left.wait()
            asked = len(app.held)
            await anyio.wait_all_tasks_blocked()
    assert (app.waiting, len(app.held)) == (0, asked)
