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

QUESTIONS: dict[str, dict[str, Any]] = {
    "find_calls": {"since": "this_month"},
    "call_stats": {"since": "this_month"},
    "list_call_records": {"call_id": 7000001},
    "get_call_summaries": {"call_ids": list(range(7000001, 7000101))},
    "get_call_record": {"record_id": 9000001},
    "list_directory": {"kind": "agents"},
}


@pytest.mark.parametrize("tool", QUESTIONS)
async def test_a_cancelled_tool_call_leaves_no_request_behind(
    connect: OpenSession, dataset: Dataset, tool: str
) -> None:
    app = BlockingLiner(dataset)
    async with connect(app) as session:
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: session.call(tool, **QUESTIONS[tool]))
                await app.arrived.wait()
                await anyio.wait_all_tasks_blocked()
                group.cancel_scope.cancel()
            await app.none_left.wait()
            asked = len(app.held)
            await anyio.wait_all_tasks_blocked()
    assert (app.waiting, len(app.held)) == (0, asked)
