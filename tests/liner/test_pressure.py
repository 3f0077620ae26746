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
from liner_mcp.liner import pressure
from liner_mcp.liner.pressure import FAILURES_TO_OPEN, LONGEST_PAUSE, OPEN_SECONDS, Pressure
from tests.liner.test_client import client_of

pytestmark = pytest.mark.anyio

DOWN = LinerUnavailable("Liner failed.")
FOREVER = float("inf")

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def slowed(wait: float | None) -> RateLimited:
    return RateLimited("Liner asks to slow down.", retry_after=wait)


# The rules ----------------------------------------------------------------------------------------------------------


def test_a_429_pauses_everybody_for_as_long_as_liner_asks() -> None:
    rules = Pressure(4, breaks=False)
    rules.learn(100.0, slowed(7))
    assert [rules.pace.pause(now) for now in (100.0, 106.0, 107.0, 200.0)] == [7.0, 1.0, 0.0, 0.0]


def test_a_429_without_a_time_pauses_longer_each_time_in_a_row() -> None:
    rules = Pressure(4, breaks=False)
    pauses: list[float] = []
    for _ in range(7):
        rules.learn(0.0, slowed(None))
        pauses.append(rules.pace.pause(0.0))
    assert pauses == [0.5, 1, 2, 4, 8, 8, 8]
    rules.learn(100.0, None)
    rules.learn(100.0, slowed(None))
    assert rules.pace.pause(100.0) == 0.5


def test_a_shorter_wait_does_not_shorten_a_longer_pause() -> None:
    rules = Pressure(4, breaks=False)
    rules.learn(0.0, slowed(30))
    rules.learn(1.0, slowed(2))
    assert rules.pace.pause(1.0) == 29.0


def test_a_ban_of_a_day_is_asked_about_again_after_a_minute() -> None:
    rules = Pressure(4, breaks=False)
    rules.learn(0.0, slowed(86_400))
    assert rules.pace.pause(0.0) == LONGEST_PAUSE


def test_after_a_429_one_goes_first_and_each_answer_lets_one_more_through() -> None:
    rules = Pressure(4, breaks=False)
    assert rules.pace.at_once == 4
    rules.learn(0.0, slowed(1))
    seen = [rules.pace.at_once]
    for _ in range(5):
        rules.learn(2.0, None)
        seen.append(rules.pace.at_once)
    assert seen == [1, 2, 3, 4, 4, 4]


def test_who_has_less_time_than_the_pause_is_told_at_once() -> None:
    rules = Pressure(4, breaks=False)
    rules.learn(0.0, slowed(20))
    rules.check(0.0, time_left=20.5)
    with pytest.raises(RateLimited, match=r"pause is not over\. Ask again in 20 s") as caught:
        rules.check(0.0, time_left=20.0)
    assert caught.value.retry_after == 20.0


def test_the_breaker_opens_after_failures_in_a_row_and_lets_one_try_at_a_time() -> None:
    rules = Pressure(4, breaks=True)
    for _ in range(FAILURES_TO_OPEN):
        rules.check(0.0, FOREVER)
        rules.learn(0.0, DOWN)
    with pytest.raises(CircuitOpen, match=r"did not answer the last 5 requests.*Ask again in 10 s"):
        rules.check(0.0, FOREVER)
    rules.check(OPEN_SECONDS, FOREVER)  # the one that tries
    with pytest.raises(CircuitOpen):
        rules.check(OPEN_SECONDS + 1, FOREVER)
    rules.learn(OPEN_SECONDS + 2, None)
    rules.check(OPEN_SECONDS + 2, FOREVER)


def test_a_failed_try_keeps_the_breaker_open() -> None:
    rules = Pressure(4, breaks=True)
    for _ in range(FAILURES_TO_OPEN):
        rules.learn(0.0, Unreachable("No route."))
    rules.check(OPEN_SECONDS, FOREVER)
    rules.learn(OPEN_SECONDS, DOWN)
    with pytest.raises(CircuitOpen, match="last 6 requests"):
        rules.check(OPEN_SECONDS + 1, FOREVER)


@pytest.mark.parametrize("said", [None, NotFound("No such call."), slowed(None)], ids=["data", "404", "429"])
def test_any_answer_closes_the_breaker(said: LinerMcpError | None) -> None:
    rules = Pressure(4, breaks=True)
    for _ in range(FAILURES_TO_OPEN - 1):
        rules.learn(0.0, DOWN)
    rules.learn(0.0, said)
    rules.learn(0.0, DOWN)
    rules.check(0.0, FOREVER)


def test_without_a_breaker_failures_stop_nobody() -> None:
    rules = Pressure(4, breaks=False)
    for _ in range(50):
        rules.learn(0.0, DOWN)
    rules.check(0.0, FOREVER)


# Through a client ---------------------------------------------------------------------------------------------------


class Scripted:
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
    app = Scripted(429, retry_after="30")
    async with client_of(app) as client:
        for call_id in (1, 2):
            with pytest.raises(RateLimited, match="Ask again"), anyio.fail_after(5):
                await client.call(call_id)
    assert len(app.arrivals) == 1


async def test_after_a_429_the_next_requests_go_out_one_then_two_at_a_time() -> None:
    app = Scripted(429, retry_after="0")
    async with client_of(app) as client:
        with anyio.fail_after(20):
            await client.call(1)
            await client.each([lambda one=one: client.call(one) for one in range(2, 12)])
    assert app.arrivals[1] == 1
    assert app.arrivals[2:4] == [1, 2]
    assert max(app.arrivals) == 4


async def test_a_shared_server_answers_at_once_while_liner_is_down() -> None:
    app = Scripted(*[503] * 50)
    async with client_of(app, breaks=True) as client:
        with pytest.raises(LinerUnavailable):
            await client.call(1)
        for call_id in range(2, 30):
            with pytest.raises(CircuitOpen, match="left alone for a moment"):
                await client.call(call_id)
    assert len(app.arrivals) == FAILURES_TO_OPEN


async def test_the_first_answer_closes_the_breaker_again(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Scripted(*[503] * FAILURES_TO_OPEN)
    async with client_of(app, breaks=True) as client:
        with pytest.raises(LinerUnavailable):
            await client.call(1)
        with monkeypatch.context() as patched:
            patched.setattr(pressure, "OPEN_SECONDS", 0.0)  # it opens now, and its time is over at once
            assert (await client.call(2)).id == 7
        app.statuses.append(503)
        assert (await client.call(3)).id == 7  # one more failure is one, not the sixth


async def test_one_persons_server_has_no_breaker() -> None:
    app = Scripted(*[503] * 12)
    async with client_of(app) as client:
        for call_id in (1, 2, 3):
            with pytest.raises(LinerUnavailable):
                await client.call(call_id)
    assert len(app.arrivals) == 12
