"""The throttle that all callers share: the rules alone, then through a client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio
import pytest

from liner_mcp.errors import RateLimited
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.request_metrics import count_requests
from liner_mcp.liner.retry import MAX_BACKOFF_SECONDS
from liner_mcp.liner.throttle import MAX_PAUSE_SECONDS, Throttle
from tests.fakes.exchange import detail_of
from tests.liner.test_client import an_hour, client_of
from tests.support.sentences import error_says

pytestmark = pytest.mark.anyio

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def rate_limited(wait: float | None) -> RateLimited:
    return RateLimited("Liner asks to slow down.", retry_after=wait)


# The rules of the throttle ------------------------------------------------------------------------------------------


def test_a_429_pauses_all_callers_for_as_long_as_liner_asks() -> None:
    throttle = Throttle(4)
    throttle.record(100.0, rate_limited(7), sent_at=100.0)
    assert [throttle.seconds_until_send(now) for now in (100.0, 106.0, 107.0, 200.0)] == [7.0, 1.0, 0.0, 0.0]


def test_a_429_without_a_time_pauses_longer_each_time_in_a_row() -> None:
    throttle = Throttle(4)
    pauses: list[float] = []
    for _ in range(7):
        throttle.record(0.0, rate_limited(None), sent_at=0.0)
        pauses.append(throttle.seconds_until_send(0.0))
    assert pauses == [0.5, 1, 2, 4, 8, 8, 8]
    throttle.record(100.0, None, sent_at=100.0)
    throttle.record(100.0, rate_limited(None), sent_at=100.0)
    assert throttle.seconds_until_send(100.0) == 0.5


def test_a_shorter_wait_does_not_shorten_a_longer_pause() -> None:
    throttle = Throttle(4)
    throttle.record(0.0, rate_limited(30), sent_at=0.0)
    throttle.record(1.0, rate_limited(2), sent_at=1.0)
    assert throttle.seconds_until_send(1.0) == 29.0


def test_a_ban_of_a_day_is_tested_again_after_a_minute() -> None:
    throttle = Throttle(4)
    throttle.record(0.0, rate_limited(86_400), sent_at=0.0)
    assert throttle.seconds_until_send(0.0) == MAX_PAUSE_SECONDS
    with pytest.raises(RateLimited, check=error_says("ask_again_in_86390_s")):  # the wait that Liner asked for
        throttle.check(10.0, time_left=45.0)


def test_after_a_429_one_request_is_sent_and_each_answer_lets_one_more_through() -> None:
    throttle = Throttle(4)
    assert throttle.max_concurrent == 4
    throttle.record(0.0, rate_limited(1), sent_at=0.0)
    seen = [throttle.max_concurrent]
    for _ in range(5):
        throttle.record(2.0, None, sent_at=2.0)
        seen.append(throttle.max_concurrent)
    assert seen == [1, 2, 3, 4, 4, 4]


def test_a_caller_with_less_time_than_the_pause_is_refused_at_once() -> None:
    throttle = Throttle(4)
    throttle.record(0.0, rate_limited(20), sent_at=0.0)
    throttle.check(0.0, time_left=20.5)
    with pytest.raises(RateLimited, check=error_says("pause_is_not_over_ask_again")) as caught:
        throttle.check(0.0, time_left=20.0)
    assert caught.value.retry_after == 20.0


def test_a_burst_of_429s_is_one_and_answers_to_requests_sent_before_it_lift_nothing() -> None:
    throttle = Throttle(4)
    for n in range(20):
        throttle.record(1.0 + n / 100, rate_limited(None), sent_at=0.5)
    assert throttle.seconds_until_send(1.19) == pytest.approx(0.5)
    for _ in range(3):
        throttle.record(1.3, None, sent_at=0.5)
    assert throttle.max_concurrent == 1


def test_a_thousand_429s_in_a_row_are_as_many_as_ten() -> None:
    throttle = Throttle(4)
    for n in range(2_000):
        throttle.record(float(n), rate_limited(0), sent_at=float(n))
    throttle.record(2_000.0, rate_limited(None), sent_at=2_000.0)
    assert throttle.seconds_until_send(2_000.0) == MAX_BACKOFF_SECONDS


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
        del receive
        self.in_flight += 1
        self.arrivals.append(self.in_flight)
        status = self.statuses.pop(0) if self.statuses else 200
        headers = [(b"retry-after", self.retry_after.encode())] if status == 429 and self.retry_after else []
        try:
            for _ in range(10):
                await anyio.lowlevel.checkpoint()  # long enough for others to arrive
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": detail_of(scope["path"])})
        finally:
            self.in_flight -= 1


async def test_after_the_429_of_one_caller_another_caller_sends_nothing_before_the_pause_is_over() -> None:
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
            await run_all([lambda one=one: client.call(one) for one in range(2, 12)], concurrency=4)
    assert app.arrivals[1] == 1
    assert app.arrivals[2:4] == [1, 2]
    assert max(app.arrivals) == 4


async def test_attempts_that_a_pause_stopped_before_they_were_sent_are_not_deduplicated() -> None:
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


async def test_new_connections_after_a_429_begin_with_one_request() -> None:
    app = ScriptedLiner(429, retry_after="0")
    async with client_of(app, jitter=an_hour) as client:
        with anyio.fail_after(20):
            await run_all([lambda: client.call(1)], concurrency=4)
            await client.aclose()
            await run_all([lambda one=one: client.call(one) for one in range(2, 12)], concurrency=4)
    assert app.arrivals[:4] == [1, 1, 1, 2]


@pytest.mark.virtual_time
async def test_the_default_rate_lets_forty_requests_out_at_once_and_then_twenty_a_second() -> None:
    app = ScriptedLiner()
    async with client_of(app, requests_per_second=20.0) as client:
        with anyio.fail_after(60):
            await run_all([lambda one=one: client.call(one) for one in range(1, 941)], concurrency=4)
        assert round(anyio.current_time()) == (940 - 40) / 20
    assert len(app.arrivals) == 940
