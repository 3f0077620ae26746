"""The circuit breaker: the rules alone, then through a client of a Liner that is down or fails for some ids only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import partial
from typing import Any

import anyio
import httpx
import pytest
import stamina
from mcp import Client

from liner_mcp.errors import CircuitOpen, LinerMcpError, LinerUnavailable, NotFound, RateLimited, Unreachable
from liner_mcp.liner import circuit_breaker
from liner_mcp.liner.circuit_breaker import FAILING_SECONDS, OPEN_SECONDS, TARGETS_TO_OPEN, CircuitBreaker
from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.endpoints import HEALTH
from liner_mcp.liner.models import Call
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.request_metrics import count_requests
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.fakes.exchange import detail_of
from tests.fakes.faults import Fault, Status
from tests.liner.test_client import client_of
from tests.liner.test_closing import assert_connection_closed, close_during
from tests.support.account import ACCOUNT
from tests.support.sentences import error_says

pytestmark = pytest.mark.anyio

UNAVAILABLE = LinerUnavailable("Liner failed.")
OUTAGES = [UNAVAILABLE, Unreachable("No route."), Unreachable("Liner did not answer in time.")]
ANSWERS = [None, NotFound("No such call."), RateLimited("Liner asks to slow down.")]

SharedClient = Callable[..., LinerClient]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


# The rules ----------------------------------------------------------------------------------------------------------


def suspicious(failure: LinerMcpError = UNAVAILABLE) -> CircuitBreaker:
    """A breaker that at 0.0 has seen as many failing targets as make it request the health check."""
    breaker = CircuitBreaker()
    for n in range(TARGETS_TO_OPEN):
        breaker.record(n - TARGETS_TO_OPEN + 1.0, f"/{n}/", failure)
    return breaker


def opened() -> CircuitBreaker:
    """A breaker that opened at 0.0."""
    breaker = suspicious()
    assert breaker.acquire_health_check(0.0)
    breaker.record_health_check(0.0, UNAVAILABLE)
    return breaker


@pytest.mark.parametrize("failure", OUTAGES, ids=str)
def test_the_breaker_opens_when_different_targets_and_the_health_check_fail(failure: LinerMcpError) -> None:
    breaker = suspicious(failure)
    breaker.check(0.0)
    assert breaker.acquire_health_check(0.0)
    breaker.check(0.0)  # requests are still sent while the health check is in flight
    breaker.record_health_check(0.0, failure)
    with pytest.raises(CircuitOpen) as caught:
        breaker.check(0.0)
    assert str(caught.value) == "Liner answered neither the last 5 requests nor its health check. Ask again in 10 s."


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
def test_the_breaker_does_not_open_when_the_health_check_is_answered(answer: LinerMcpError | None) -> None:
    breaker = suspicious()
    assert breaker.acquire_health_check(0.0)
    breaker.record_health_check(0.0, answer)
    breaker.record(1.0, "/5/", UNAVAILABLE)
    breaker.check(1.0)


@pytest.mark.parametrize("targets", [1, TARGETS_TO_OPEN - 1])
def test_failures_of_a_few_targets_are_no_outage_however_many_they_are(targets: int) -> None:
    breaker = CircuitBreaker()
    for n in range(200):
        breaker.record(float(n), f"/{n % targets}/", UNAVAILABLE)
        assert not breaker.acquire_health_check(float(n))


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
def test_any_answer_to_any_target_begins_the_count_anew(answer: LinerMcpError | None) -> None:
    breaker = suspicious()
    breaker.record(0.0, "/other/", answer)
    for n in range(TARGETS_TO_OPEN - 1):
        breaker.record(FAILING_SECONDS + n, f"/{n}/", UNAVAILABLE)
    assert not breaker.acquire_health_check(2 * FAILING_SECONDS)


def test_a_hiccup_that_retries_bridge_is_no_outage() -> None:
    breaker = CircuitBreaker()
    for n in range(50):
        breaker.record(n * FAILING_SECONDS / 50, f"/{n}/", UNAVAILABLE)
        assert not breaker.acquire_health_check(n * FAILING_SECONDS / 50)
    assert breaker.acquire_health_check(FAILING_SECONDS)


def test_the_health_check_is_requested_once_at_a_time() -> None:
    breaker = suspicious()
    seen = [breaker.acquire_health_check(now) for now in (0.0, 0.1, OPEN_SECONDS - 0.1, OPEN_SECONDS)]
    assert seen == [True, False, False, True]


def test_an_open_breaker_lets_one_request_be_tried_at_a_time() -> None:
    breaker = opened()
    breaker.acquire(OPEN_SECONDS)  # the one that is tried
    with pytest.raises(CircuitOpen, check=error_says("ask_again_in", seconds=9)):
        breaker.check(OPEN_SECONDS + 1)
    breaker.record(OPEN_SECONDS + 2, "/7/", None)
    breaker.check(OPEN_SECONDS + 2)


def test_a_check_does_not_take_the_trial_of_a_request_that_is_sent() -> None:
    breaker = opened()
    for _ in range(3):
        breaker.check(OPEN_SECONDS)
    breaker.acquire(OPEN_SECONDS)
    with pytest.raises(CircuitOpen):
        breaker.acquire(OPEN_SECONDS)


def test_a_failed_trial_and_a_failed_health_check_keep_the_breaker_open() -> None:
    breaker = opened()
    breaker.acquire(OPEN_SECONDS)
    breaker.record(OPEN_SECONDS, "/0/", UNAVAILABLE)
    assert breaker.acquire_health_check(OPEN_SECONDS)
    breaker.record_health_check(OPEN_SECONDS, UNAVAILABLE)
    with pytest.raises(CircuitOpen, check=error_says("neither_the_last_requests", count=6)):
        breaker.check(OPEN_SECONDS + 1)


def test_a_failed_trial_does_not_keep_the_breaker_open_when_the_health_check_is_answered() -> None:
    breaker = opened()
    breaker.acquire(OPEN_SECONDS)
    breaker.record(OPEN_SECONDS, "/0/", UNAVAILABLE)
    assert breaker.acquire_health_check(OPEN_SECONDS)
    breaker.record_health_check(OPEN_SECONDS, None)
    breaker.check(OPEN_SECONDS + 1)


# Through a client ---------------------------------------------------------------------------------------------------


class PartlyFailingLiner:
    """A Liner that fails for some call ids, and answers every other request and the health check unless `down`."""

    def __init__(self, failing: Iterable[int] = (), *, down: bool = False, health_status: int = 200) -> None:
        self.failing = {f"/v2/call/detail/{one}/" for one in failing}
        self.down = down
        self.health_status = health_status
        self.redirecting = False
        self.requests: list[str] = []
        self.health_released = anyio.Event()
        self.health_released.set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        del receive
        path: str = scope["path"]
        self.requests.append(path)
        status, headers = 200, list[tuple[bytes, bytes]]()
        if path == HEALTH:
            await self.health_released.wait()
            status = 503 if self.down else self.health_status
        elif self.redirecting and path.endswith("/"):
            status, headers = 301, [(b"location", path.removesuffix("/").encode())]
        elif self.down or path in self.failing:
            status = 503
        await anyio.lowlevel.checkpoint()
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send(
            {"type": "http.response.body", "body": b'{"success":true,"data":{}}' if path == HEALTH else detail_of(path)}
        )


@pytest.fixture
def shared_client(monkeypatch: pytest.MonkeyPatch) -> SharedClient:
    """Makes the client of a shared server, to which any failures have gone on for long enough."""
    monkeypatch.setattr(circuit_breaker, "FAILING_SECONDS", 0.0)
    return partial(client_of, use_circuit_breaker=True)


def read_calls(client: LinerClient, call_ids: Iterable[int]) -> Awaitable[list[Call | LinerMcpError | None]]:
    return run_all([partial(client.call, one) for one in call_ids], concurrency=4)


async def test_the_failing_ids_of_one_caller_do_not_stop_another_caller(
    shared_client: SharedClient,
) -> None:
    """Whether the ids are few and retried, or many."""
    for count in (2, 40):
        app = PartlyFailingLiner(range(1, count + 1))
        async with shared_client(app) as client:
            for _ in range(3):
                failed = await read_calls(client, range(1, count + 1))
                assert [type(outcome) for outcome in failed] == [LinerUnavailable] * count
            good = await read_calls(client, range(100, 114))
        assert [type(outcome) for outcome in good] == [Call] * 14


async def test_failing_ids_among_ids_that_are_answered_never_need_the_health_check(
    shared_client: SharedClient,
) -> None:
    app = PartlyFailingLiner(range(1, 4))
    async with shared_client(app) as client:
        for n in range(20):
            outcomes = await read_calls(client, (1, 2, 3, 100 + n))
            assert [type(outcome) for outcome in outcomes] == [LinerUnavailable] * 3 + [Call]
    assert HEALTH not in app.requests


@pytest.mark.parametrize("redirecting", [False, True], ids=["directly", "behind redirects"])
async def test_a_shared_server_answers_at_once_while_liner_is_down(
    shared_client: SharedClient, redirecting: bool
) -> None:
    app = PartlyFailingLiner(down=True)
    app.redirecting = redirecting
    async with shared_client(app) as client:
        with count_requests() as counts:
            for call_id in range(1, TARGETS_TO_OPEN):
                with pytest.raises(LinerUnavailable):
                    await client.call(call_id)
            sent = len(app.requests)
            for call_id in range(TARGETS_TO_OPEN, 30):
                with pytest.raises(CircuitOpen, check=error_says("nor_its_health_check", seconds=10)):
                    await client.call(call_id)
    assert app.requests[sent:][-1] == HEALTH
    assert len(app.requests) - sent == (3 if redirecting else 2)
    assert counts.requests == len(app.requests)


async def test_the_first_answer_closes_the_breaker_again(
    shared_client: SharedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = PartlyFailingLiner(down=True)
    async with shared_client(app) as client:
        await read_calls(client, range(1, TARGETS_TO_OPEN))
        with monkeypatch.context() as patched:
            patched.setattr(circuit_breaker, "OPEN_SECONDS", 0.0)  # it opens now, and its time is over at once
            with pytest.raises(LinerUnavailable):
                await client.call(TARGETS_TO_OPEN)
            app.down = False
            assert (await client.call(50)).id == 50
        app.failing = {"/v2/call/detail/51/"}
        assert isinstance((await read_calls(client, [51]))[0], LinerUnavailable)  # and not CircuitOpen
        assert (await client.call(52)).id == 52


async def test_the_health_check_closes_the_breaker_when_only_failing_ids_are_tried(
    shared_client: SharedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = PartlyFailingLiner([1], down=True)
    async with shared_client(app) as client:
        await read_calls(client, range(1, TARGETS_TO_OPEN))
        with monkeypatch.context() as patched:
            patched.setattr(circuit_breaker, "OPEN_SECONDS", 0.0)
            with pytest.raises(LinerUnavailable):
                await client.call(TARGETS_TO_OPEN)
            app.down = False
            with pytest.raises(LinerUnavailable):
                await client.call(1)
        assert (await client.call(50)).id == 50


async def test_the_breaker_closes_when_requests_are_answered_though_the_health_check_fails(
    shared_client: SharedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = PartlyFailingLiner(down=True, health_status=503)
    async with shared_client(app) as client:
        await read_calls(client, range(1, TARGETS_TO_OPEN))
        with monkeypatch.context() as patched:
            patched.setattr(circuit_breaker, "OPEN_SECONDS", 0.0)
            with pytest.raises(LinerUnavailable):
                await client.call(TARGETS_TO_OPEN)
            app.down = False
            assert (await client.call(1)).id == 1
        assert (await client.call(2)).id == 2


@pytest.mark.parametrize("status", [401, 404, 429])
async def test_a_health_check_that_is_refused_is_answered(shared_client: SharedClient, status: int) -> None:
    app = PartlyFailingLiner(range(1, 9), health_status=status)
    async with shared_client(app) as client:
        outcomes = await read_calls(client, range(1, 9))
    assert [type(outcome) for outcome in outcomes] == [LinerUnavailable] * 8
    assert HEALTH in app.requests


async def test_requests_that_wait_in_line_are_not_sent_to_a_liner_that_is_down(
    shared_client: SharedClient,
) -> None:
    app = PartlyFailingLiner(down=True)
    async with shared_client(app) as client:
        outcomes = await read_calls(client, range(1, 100))
    assert all(isinstance(outcome, (CircuitOpen, LinerUnavailable)) for outcome in outcomes)
    assert app.requests.count(HEALTH) == 1
    assert len(app.requests) < TARGETS_TO_OPEN + 10  # and those that were in flight when it opened


async def test_one_persons_server_has_no_circuit_breaker() -> None:
    app = PartlyFailingLiner(down=True)
    async with client_of(app) as client:
        for call_id in range(1, 11):
            with pytest.raises(LinerUnavailable):
                await client.call(call_id)
    assert len(app.requests) == 40


async def test_a_caller_that_waits_for_the_health_check_gets_an_error_when_the_client_is_closed(
    shared_client: SharedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_breaker, "TARGETS_TO_OPEN", 1)
    app = PartlyFailingLiner(down=True)
    app.health_released = anyio.Event()
    client = shared_client(app)
    assert_connection_closed(await close_during(client, partial(client.call, 1)), 1)
    assert app.requests[-1] == HEALTH


@pytest.mark.virtual_time
async def test_a_health_check_that_hangs_opens_the_breaker_before_a_short_deadline(shared_client: SharedClient) -> None:
    app = PartlyFailingLiner(down=True)
    app.health_released = anyio.Event()
    async with shared_client(app) as client:
        await read_calls(client, range(1, TARGETS_TO_OPEN))
        with anyio.fail_after(10), pytest.raises(CircuitOpen):
            await client.call(TARGETS_TO_OPEN)


async def test_a_caller_that_leaves_during_the_health_check_leaves_the_breaker_closed(
    shared_client: SharedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_breaker, "TARGETS_TO_OPEN", 1)
    app = PartlyFailingLiner([1])
    app.health_released = anyio.Event()
    async with shared_client(app, concurrency=1) as client:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(client.call, 1)
                await anyio.wait_all_tasks_blocked()
                assert app.requests[-1] == HEALTH
                group.cancel_scope.cancel()
            assert (await client.call(2)).id == 2


# Through the server -------------------------------------------------------------------------------------------------


async def test_the_failing_calls_of_one_person_do_not_stop_the_tools_of_another(
    liner: FakeLiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_breaker, "FAILING_SECONDS", 0.0)
    calls = list(dict.fromkeys(record.call_id for record in liner.dataset.records.values()))
    failing, good = calls[:20], calls[20]
    liner.faults = [Fault(Status(503), f"callId=({'|'.join(map(str, failing))})&")]
    settings = Settings(**ACCOUNT, timezone="Europe/Moscow", requests_per_second=0)
    server = create_server(settings, transport=httpx.ASGITransport(app=liner), now=lambda: NOW, shared=True)
    async with Client(server) as one, Client(server) as other:
        with stamina.set_testing(True, attempts=4, cap=True):  # no waits between attempts
            refused = await one.call_tool("get_call_summaries", {"call_ids": failing})
        answer = await other.call_tool("list_call_records", {"call_id": good})
    assert refused.is_error
    assert "HTTP 503" in refused.content[0].text  # pyright: ignore[reportAttributeAccessIssue,reportUnknownMemberType] - the one block is text
    assert answer.structured_content
    assert answer.structured_content["page"]["complete"]
