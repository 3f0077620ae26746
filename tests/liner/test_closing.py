"""Closing during requests: every caller that waits gets ConnectionClosed, and nothing is sent afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import anyio
import pytest

from liner_mcp.errors import ConnectionClosed, LinerMcpError
from liner_mcp.liner import single_flight
from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.parallel import run_all
from tests.liner.test_client import client_at, client_of, raw_socket_server
from tests.liner.test_single_flight import BlockedLiner
from tests.liner.test_throttle import ScriptedLiner
from tests.support.sentences import recorded

pytestmark = pytest.mark.anyio


def ten_seconds(_ceiling: float) -> float:
    return 10.0


async def close_during(client: LinerClient, *asks: Callable[[], Awaitable[object]]) -> list[LinerMcpError]:
    """The errors of the callers when the client is closed as soon as all of them wait."""
    told: list[LinerMcpError] = []

    async def ask(one: Callable[[], Awaitable[object]]) -> None:
        with pytest.raises(LinerMcpError) as caught:
            await one()
        told.append(caught.value)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for one in asks:
                group.start_soon(ask, one)
            await anyio.wait_all_tasks_blocked()
            await client.aclose()
    return told


def assert_connection_closed(told: list[LinerMcpError], callers: int) -> None:
    assert [type(error) for error in told] == [ConnectionClosed] * callers
    assert {str(error) for error in told} == {recorded("the_connection_to_liner_was_closed")}


async def test_callers_that_wait_for_an_answer_a_slot_or_the_rate_limit_get_an_error() -> None:
    for options in ({"concurrency": 1}, {"concurrency": 8}, {"concurrency": 8, "requests_per_second": 0.1}):
        app = BlockedLiner()
        client = client_of(app, **options)
        told = await close_during(client, *[partial(client.call, one) for one in (1, 1, 2, 3, 4)])
        assert_connection_closed(told, 5)
        sent = 4 if options == {"concurrency": 8} else 1
        app.go.set()
        await anyio.wait_all_tasks_blocked()
        assert app.asked == sent


async def test_callers_that_wait_for_a_pause_or_the_next_attempt_get_an_error() -> None:
    slowing, failing = ScriptedLiner(429, retry_after="10"), ScriptedLiner(503)
    client = client_of(slowing, concurrency=1)  # one waits for its next attempt, the other for the end of the pause
    assert_connection_closed(await close_during(client, partial(client.call, 1), partial(client.call, 2)), 2)
    client = client_of(failing, jitter=ten_seconds)
    assert_connection_closed(await close_during(client, partial(client.call, 1)), 1)
    assert len(slowing.arrivals) == len(failing.arrivals) == 1


async def test_a_run_of_many_jobs_ends_and_opens_no_new_connection() -> None:
    app = BlockedLiner()
    client = client_of(app, concurrency=2)
    told = await close_during(client, lambda: run_all([partial(client.call, one) for one in range(50)], concurrency=2))
    assert_connection_closed(told, 1)
    app.go.set()
    await anyio.wait_all_tasks_blocked()
    assert app.asked == 2


async def test_real_connections_are_closed_while_callers_wait() -> None:
    first_heard = anyio.Event()
    async with raw_socket_server(b"", first_heard=first_heard) as heard:
        client = client_at(heard.origin, concurrency=1)
        told: list[LinerMcpError] = []

        async def ask(one: int) -> None:
            with pytest.raises(LinerMcpError) as caught:
                await client.call(one)
            told.append(caught.value)

        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                for one in (1, 2, 3):
                    group.start_soon(ask, one)
                await first_heard.wait()
                await client.aclose()
    assert_connection_closed(told, 3)
    assert len(heard.heads) == 1


async def test_a_request_that_does_not_end_does_not_prevent_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_flight, "CLOSE_SECONDS", 0.05)
    app = BlockedLiner()
    app.let_go = anyio.Event()
    client = client_of(app)
    assert_connection_closed(await close_during(client, partial(client.call, 1)), 1)
    app.let_go.set()


async def test_a_request_after_the_close_is_answered() -> None:
    async with client_of(BlockedLiner()) as client:
        await close_during(client, partial(client.call, 1))
    app = BlockedLiner()
    async with client_of(app) as client:
        await close_during(client, partial(client.call, 1))
        app.go.set()
        with anyio.fail_after(10):
            assert (await client.call(1)).id == 1


async def test_a_caller_that_is_cancelled_at_the_same_moment_is_cancelled() -> None:
    app = BlockedLiner()
    client = client_of(app)
    outcome: list[str] = []

    async def ask() -> None:
        try:
            await client.call(1)
        except anyio.get_cancelled_exc_class():
            outcome.append("cancelled")
            raise

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await app.arrived.wait()
            group.cancel_scope.cancel()
            await client.aclose()
    assert outcome == ["cancelled"]


async def test_closing_waits_for_the_cancelled_request_even_when_it_is_cancelled_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(single_flight, "CLOSE_SECONDS", 10.0)
    app = BlockedLiner()
    app.let_go = anyio.Event()
    client = client_of(app)
    closed = anyio.Event()

    async def ask() -> None:
        with pytest.raises(ConnectionClosed):
            await client.call(1)

    async def close() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await client.aclose()
        closed.set()

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await app.arrived.wait()
            group.start_soon(close)
            await app.dropped.wait()
            await anyio.wait_all_tasks_blocked()
            assert not closed.is_set()
            app.let_go.set()
            await closed.wait()
