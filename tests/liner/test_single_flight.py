"""Single-flight: callers of the same target share one request, which ends when the last of them leaves."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio
import pytest

from liner_mcp.demo import DemoLiner
from liner_mcp.errors import LinerUnavailable
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.request_metrics import count_requests
from tests.fakes import FakeLiner
from tests.fakes.exchange import detail_of
from tests.liner.test_client import client_of

pytestmark = pytest.mark.anyio

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class BlockedLiner:
    """A Liner that answers after `go` is set."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.asked = 0
        self.arrived = anyio.Event()
        self.go = anyio.Event()
        self.dropped = anyio.Event()
        self.let_go = anyio.Event()
        """What a cancelled request waits for before it ends."""
        self.let_go.set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        del receive
        self.asked += 1
        self.arrived.set()
        try:
            await self.go.wait()
        except anyio.get_cancelled_exc_class():
            self.dropped.set()
            with anyio.CancelScope(shield=True):
                await self.let_go.wait()
            raise
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": detail_of(scope["path"])})


async def test_many_callers_of_one_target_make_one_request(liner: FakeLiner) -> None:
    call_id = next(iter(liner.dataset.calls))
    async with client_of(liner) as client:
        with count_requests() as spent:
            answers = await run_all([lambda: client.call(call_id)] * 8, concurrency=4)
        assert [getattr(answer, "id", None) for answer in answers] == [call_id] * 8
    assert (spent.requests, spent.deduplicated) == (1, 7)
    assert len(liner.requests) == 1


async def test_a_caller_after_the_answer_makes_a_new_request(liner: FakeLiner) -> None:
    async with client_of(liner) as client:
        with count_requests() as spent:
            await client.call_statuses()
            await client.call_statuses()
    assert spent.deduplicated == 0
    assert len(liner.requests) == 2


async def test_different_targets_are_not_mixed_up(liner: DemoLiner) -> None:
    ids = list(liner.dataset.calls)[:6]
    async with client_of(liner) as client:
        answers = await run_all([lambda one=one: client.call(one) for one in ids * 2], concurrency=4)
    assert [getattr(answer, "id", None) for answer in answers] == ids * 2


async def test_a_failure_reaches_every_caller_and_is_not_cached() -> None:
    app = BlockedLiner(status=500)
    app.go.set()
    async with client_of(app) as client:
        for answer in await run_all([lambda: client.call(1)] * 3, concurrency=4):
            assert isinstance(answer, LinerUnavailable)
        assert app.asked == 4  # one attempt after the other, each for all three
        app.status = 200
        assert (await client.call(1)).id == 1


async def test_a_caller_that_leaves_does_not_end_the_request_of_the_others() -> None:
    app = BlockedLiner()
    answers: list[int] = []
    async with client_of(app) as client:

        async def ask() -> None:
            answers.append((await client.call(1)).id)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                leaving = anyio.CancelScope()

                async def ask_and_leave() -> None:
                    with leaving:
                        await ask()

                group.start_soon(ask_and_leave)
                await app.arrived.wait()
                group.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                leaving.cancel()
                await anyio.wait_all_tasks_blocked()
                assert not app.dropped.is_set()
                app.go.set()
    assert answers == [1]
    assert app.asked == 1


async def test_the_last_caller_that_leaves_ends_the_request() -> None:
    app = BlockedLiner()
    async with client_of(app, concurrency=1) as client:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(client.call, 1)
                await app.arrived.wait()
                group.cancel_scope.cancel()
            await app.dropped.wait()
            app.go.set()
            assert (await client.call(1)).id == 1  # the slot is free, and nothing of the cancelled request is left
    assert app.asked == 2


async def test_callers_that_come_while_a_cancelled_request_ends_share_a_new_one() -> None:
    app = BlockedLiner()
    app.let_go = anyio.Event()
    answers: list[int] = []
    async with client_of(app) as client:

        async def ask() -> None:
            answers.append((await client.call(1)).id)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(ask)
                await app.arrived.wait()
                group.cancel_scope.cancel()
            async with anyio.create_task_group() as group:
                group.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                assert app.asked == 2  # a cancelled request cannot be joined
                app.let_go.set()
                await anyio.wait_all_tasks_blocked()
                group.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                app.go.set()
    assert answers == [1, 1]
    assert app.asked == 2


async def test_a_request_that_fails_while_it_is_cancelled_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(scope: object, receive: object, send: object) -> None:
        del scope, receive, send
        arrived.set()
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            raise OSError from None

    arrived = anyio.Event()
    async with client_of(failing) as client:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(client.call, 1)
                await arrived.wait()
                group.cancel_scope.cancel()
            await anyio.wait_all_tasks_blocked()
    gc.collect()
    assert caplog.records == []
