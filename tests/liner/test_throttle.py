"""The pace that all callers share, and the breaker: the rules alone, then through a client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio
import pytest

from liner_mcp.errors import (
    CircuitOpen,
    LinerMcpError,
    LinerUnavailable,
    NotFound,
    RateLimited,
    Unreachable,
)
from liner_mcp.liner import circuit_breaker
from liner_mcp.liner.circuit_breaker import FAILING_SECONDS, FAILURES_TO_OPEN, OPEN_SECONDS
from liner_mcp.liner.request_metrics import count_requests
from liner_mcp.liner.retry import MAX_BACKOFF_SECONDS
from liner_mcp.liner.throttle import MAX_PAUSE_SECONDS, LoadControl
from tests.liner.test_client import an_hour, client_of
from tests.support.sentences import error_says

pytestmark = pytest.mark.anyio

UNAVAILABLE = LinerUnavailable("Liner failed.")
FOREVER = float("inf")

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def rate_limited(wait: float | None) -> RateLimited:
    return RateLimited("Liner asks to slow down.", retry_after=wait)


# The rules ----------------------------------------------------------------------------------------------------------


def test_a_429_pauses_everyone_for_as_long_as_liner_asks() -> None:
    rules = LoadControl(4, use_circuit_breaker=False)
    rules.record(100.0, rate_limited(7), sent_at=100.0)
    assert [rules.throttle.seconds_until_send(now) for now in (100.0, 106.0, 107.0, 200.0)] == [7.0, 1.0, 0.0, 0.0]


def test_a_429_without_a_time_pauses_longer_each_time_in_a_row() -> None:
    rules = LoadControl(4, use_circuit_breaker=False)
    pauses: list[float] = []
    for _ in range(7):
        rules.record(0.0, rate_limited(None), sent_at=0.0)
        pauses.append(rules.throttle.seconds_until_send(0.0))
    assert pauses == [0.5, 1, 2, 4, 8, 8, 8]
    rules.record(100.0, None, sent_at=100.0)
    rules.record(100.0, rate_limited(None), sent_at=100.0)
    assert rules.throttle.seconds_until_send(100.0) == 0.5


def test_a_shorter_wait_does_not_shorten_a_longer_pause() -> None:
    rules = LoadControl(4, use_circuit_breaker=False)
    rules.record(0.0, rate_limited(30), sent_at=0.0)
    rules.record(1.0, rate_limited(2), sent_at=1.0)
    assert rules.throttle.seconds_until_send(1.0) == 29.0


def test_a_ban_of_a_day_is_asked_about_again_after_a_minute() -> None:
    rules = LoadControl(4, use_circuit_breaker=False)
    rules.record(0.0, rate_limited(86_400), sent_at=0.0)
    assert rules.throttle.seconds_until_send(0.0) == MAX_PAUSE_SECONDS
    with pytest.raises(RateLimited, check=error_says("ask_again_in_86390_s")):  # what Liner asked for is told
        rules.check(10.0, time_left=45.0)


def test_after_a_429_one_goes_first_and_each_answer_lets_one_more_through() -> None:
    rules = LoadControl(4, use_circuit_breaker=False)
    assert rules.throttle.max_concurrent == 4
    rules.record(0.0, rate_limited(1), sent_at=0.0)
    seen = [rules.throttle.max_concurrent]
    for _ in range(5):
        rules.record(2.0, None, sent_at=2.0)
        seen.append(rules.throttle.max_concurrent)
    assert seen == [1, 2, 3, 4, 4, 4]


def test_who_has_less_time_than_the_pause_is_told_at_once() -> None:
    rules = LoadControl(4, use_circuit_breaker=False)
    rules.record(0.0, rate_limited(20), sent_at=0.0)
    rules.check(0.0, time_left=20.5)
    with pytest.raises(RateLimited, check=error_says("pause_is_not_over_ask_again")) as caught:
        rules.check(0.0, time_left=20.0)
    assert caught.value.retry_after == 20.0


def test_the_circuit_breaker_opens_after_failures_in_a_row_and_lets_one_try_at_a_time() -> None:
    rules = LoadControl(4, use_circuit_breaker=True)
    for n in range(FAILURES_TO_OPEN):
        rules.check(0.0, FOREVER)
        rules.record(n - FAILURES_TO_OPEN + 1.0, UNAVAILABLE, sent_at=-5.0)
    with pytest.raises(CircuitOpen, check=error_says("did_not_answer_the_last_5")):
        rules.check(0.0, FOREVER)
    rules.check(OPEN_SECONDS, FOREVER)
    rules.acquire(OPEN_SECONDS)  # the one that tries
    with pytest.raises(CircuitOpen):
        rules.check(OPEN_SECONDS + 1, FOREVER)
    rules.record(OPEN_SECONDS + 2, None, sent_at=OPEN_SECONDS + 2)
    rules.check(OPEN_SECONDS + 2, FOREVER)


def test_a_failed_try_keeps_the_circuit_breaker_open() -> None:
    rules = LoadControl(4, use_circuit_breaker=True)
    for n in range(FAILURES_TO_OPEN):
        rules.record(n - FAILURES_TO_OPEN + 1.0, Unreachable("No route."), sent_at=-5.0)
    rules.acquire(OPEN_SECONDS)
    rules.record(OPEN_SECONDS, UNAVAILABLE, sent_at=OPEN_SECONDS)
    with pytest.raises(CircuitOpen, match="last 6 requests"):
        rules.check(OPEN_SECONDS + 1, FOREVER)


@pytest.mark.parametrize("said", [None, NotFound("No such call."), rate_limited(None)], ids=["data", "404", "429"])
def test_any_answer_closes_the_circuit_breaker(said: LinerMcpError | None) -> None:
    rules = LoadControl(4, use_circuit_breaker=True)
    for n in range(FAILURES_TO_OPEN - 1):
        rules.record(float(n), UNAVAILABLE, sent_at=0.0)
    rules.record(5.0, said, sent_at=0.0)
    rules.record(6.0, UNAVAILABLE, sent_at=0.0)
    rules.check(6.0, FOREVER)


def test_a_hiccup_that_retries_ride_out_does_not_open_the_circuit_breaker() -> None:
    rules = LoadControl(4, use_circuit_breaker=True)
    for n in range(50):
        rules.record(n * FAILING_SECONDS / 50, UNAVAILABLE, sent_at=0.0)
    rules.check(FAILING_SECONDS, FOREVER)
    rules.record(FAILING_SECONDS, UNAVAILABLE, sent_at=0.0)
    with pytest.raises(CircuitOpen):
        rules.check(FAILING_SECONDS, FOREVER)


def test_who_only_looks_does_not_take_the_try_of_who_sends() -> None:
    rules = LoadControl(4, use_circuit_breaker=True)
    for n in range(FAILURES_TO_OPEN):
        rules.record(n - FAILURES_TO_OPEN + 1.0, UNAVAILABLE, sent_at=-5.0)
    for _ in range(3):
        rules.check(OPEN_SECONDS, FOREVER)
    rules.acquire(OPEN_SECONDS)
    with pytest.raises(CircuitOpen):
        rules.acquire(OPEN_SECONDS)


def test_a_burst_of_429s_is_one_and_what_was_under_way_before_it_lifts_nothing() -> None:
    rules = LoadControl(4, use_circuit_breaker=False)
    for n in range(20):
        rules.record(1.0 + n / 100, rate_limited(None), sent_at=0.5)
    assert rules.throttle.seconds_until_send(1.19) == pytest.approx(0.5)
    for _ in range(3):
        rules.record(1.3, None, sent_at=0.5)
    assert rules.throttle.max_concurrent == 1


def test_a_thousand_429s_in_a_row_are_as_many_as_ten() -> None:
    rules = LoadControl(4, use_circuit_breaker=False)
    for n in range(2_000):
        rules.record(float(n), rate_limited(0), sent_at=float(n))
    rules.record(2_000.0, rate_limited(None), sent_at=2_000.0)
    assert rules.throttle.seconds_until_send(2_000.0) == MAX_BACKOFF_SECONDS


def test_without_a_circuit_breaker_failures_stop_no_one() -> None:
    rules = LoadControl(4, use_circuit_breaker=False)
    for _ in range(50):
        rules.record(0.0, UNAVAILABLE, sent_at=0.0)
    rules.check(0.0, FOREVER)


# Through a client ---------------------------------------------------------------------------------------------------


class ScriptedLiner:
    """A Liner that answers its requests with these statuses in turn, and with 200 from then on."""

    def __init__(self, *statuses: int, retry_after: str | None = None) -> None:
        self.statuses = list(statuses)
        self.retry_after = retry_after
        self.in_flight = 0
        self.arrivals: list[int] = []
        """How many requests were under way when each arrived, itself included."""

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        del scope, receive
        self.in_flight += 1
        self.arrivals.append(self.in_flight)
        status = self.statuses.pop(0) if self.statuses else 200
        headers = [(b"retry-after", self.retry_after.encode())] if status == 429 and self.retry_after else []
        try:
            for _ in range(10):
                await anyio.lowlevel.checkpoint()  # long enough for others to arrive
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b'{"success":true,"data":{"id":7}}'})
        finally:
            self.in_flight -= 1


async def test_after_one_callers_429_another_caller_does_not_ask_before_the_pause_is_over() -> None:
    app = ScriptedLiner(429, retry_after="30")
    async with client_of(app) as client:
        for call_id in (1, 2):
            with pytest.raises(RateLimited, match="Ask again"), anyio.fail_after(5):
                await client.call(call_id)
    assert len(app.arrivals) == 1


async def test_after_a_429_the_next_requests_go_out_one_then_two_at_a_time() -> None:
    app = ScriptedLiner(429, retry_after="0")
    async with client_of(app) as client:
        with anyio.fail_after(20):
            await client.call(1)
            await client.run_all([lambda one=one: client.call(one) for one in range(2, 12)])
    assert app.arrivals[1] == 1
    assert app.arrivals[2:4] == [1, 2]
    assert max(app.arrivals) == 4


async def test_what_a_pause_kept_from_being_sent_was_not_deduplicated() -> None:
    app = ScriptedLiner(429, retry_after="40")

    async def ask(call_id: int) -> None:
        with pytest.raises(RateLimited):
            await client.call(call_id)

    async with client_of(app, concurrency=1) as client:
        with count_requests() as spent, anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                for call_id in (1, 2, 2):
                    group.start_soon(ask, call_id)
        assert (spent.requests, spent.deduplicated) == (1, 0)


async def test_connections_opened_anew_after_a_429_begin_with_one_request() -> None:
    app = ScriptedLiner(429, retry_after="0")
    async with client_of(app, jitter=an_hour) as client:
        with anyio.fail_after(20):
            await client.run_all([lambda: client.call(1)])
            await client.aclose()
            await client.run_all([lambda one=one: client.call(one) for one in range(2, 12)])
    assert app.arrivals[:4] == [1, 1, 1, 2]


async def test_a_shared_server_answers_at_once_while_liner_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit_breaker, "FAILING_SECONDS", 0.0)  # as if it went on for so long
    app = ScriptedLiner(*[503] * 50)
    async with client_of(app, use_circuit_breaker=True) as client:
        with pytest.raises(LinerUnavailable):
            await client.call(1)
        for call_id in range(2, 30):
            with pytest.raises(CircuitOpen, check=error_says("left_alone_for_a_moment")):
                await client.call(call_id)
    assert len(app.arrivals) == FAILURES_TO_OPEN


async def test_the_first_answer_closes_the_circuit_breaker_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit_breaker, "FAILING_SECONDS", 0.0)
    app = ScriptedLiner(*[503] * FAILURES_TO_OPEN)
    async with client_of(app, use_circuit_breaker=True) as client:
        with pytest.raises(LinerUnavailable):
            await client.call(1)
        with monkeypatch.context() as patched:
            patched.setattr(circuit_breaker, "OPEN_SECONDS", 0.0)  # it opens now, and its time is over at once
            assert (await client.call(2)).id == 7
        app.statuses.append(503)
        assert (await client.call(3)).id == 7  # one more failure is one, not the sixth


async def test_one_persons_server_has_no_circuit_breaker() -> None:
    app = ScriptedLiner(*[503] * 12)
    async with client_of(app) as client:
        for call_id in (1, 2, 3):
            with pytest.raises(LinerUnavailable):
                await client.call(call_id)
    assert len(app.arrivals) == 12


async def test_what_waits_in_line_is_not_sent_to_a_liner_that_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit_breaker, "FAILING_SECONDS", 0.0)
    app = ScriptedLiner(*[503] * 500)
    async with client_of(app, use_circuit_breaker=True) as client:
        outcomes = await client.run_all([lambda one=one: client.call(one) for one in range(1, 100)])
    assert all(isinstance(outcome, (CircuitOpen, LinerUnavailable)) for outcome in outcomes)
    assert len(app.arrivals) < FAILURES_TO_OPEN + 4  # and those that were under way when it opened
