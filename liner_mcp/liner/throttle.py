"""The throttle and the load control: how much may be sent after Liner refused. Rules without I/O, on times that the
caller reads from its clock.

All callers share one state: a 429 pauses all of them, and lets requests through one at a time at first; while Liner is
down, callers do not each try it in turn. Nothing here waits or sends.
"""

from __future__ import annotations

from math import ceil

from liner_mcp.errors import LinerMcpError, LinerUnavailable, RateLimited, Unreachable
from liner_mcp.liner.circuit_breaker import CircuitBreaker
from liner_mcp.liner.retry import INITIAL_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS

MAX_PAUSE_SECONDS = 60.0  # seconds; a longer ban is asked about once a minute, for its length may be a clock's mistake
MAX_CONSECUTIVE_LIMITS = 10  # 429s that are counted; the guess has reached its ceiling long before


class Throttle:
    """The throttle that all callers share. After a 429 nothing is sent before the pause is over, and then one request
    at a time at first.

    `max_concurrent` is how many requests may be under way, from 1 to `concurrency`: one after a 429, one more per
    answer to a request that was sent after it. Requests that were under way when Liner asked for the pause say nothing
    about the time after it.
    """

    def __init__(self, concurrency: int) -> None:
        self.max_concurrent = concurrency
        self._concurrency = concurrency
        self._paused_until = self._requested_until = self._limited_at = float("-inf")
        self._consecutive_limits = 0

    def seconds_until_send(self, now: float) -> float:
        """Seconds from `now` until the next request may be sent; 0 when it may be sent at once."""
        return max(0.0, self._paused_until - now)

    def seconds_requested(self, now: float) -> float:
        """Seconds from `now` that Liner asked for, be they more than anybody is made to wait."""
        return max(0.0, self._requested_until - now)

    def record_rate_limit(self, now: float, retry_after: float | None, sent_at: float) -> None:
        """Liner asked to slow down, for so many seconds if it said so, when it got a request that was sent then."""
        if sent_at >= self._limited_at:  # else it is of the same burst
            self._consecutive_limits = min(self._consecutive_limits + 1, MAX_CONSECUTIVE_LIMITS)
        guessed = min(MAX_BACKOFF_SECONDS, INITIAL_BACKOFF_SECONDS * 2 ** (self._consecutive_limits - 1))
        wait = guessed if retry_after is None else retry_after
        self._paused_until = max(self._paused_until, now + min(wait, MAX_PAUSE_SECONDS))
        self._requested_until = max(self._requested_until, now + wait)
        self._limited_at = now
        self.max_concurrent = 1

    def record_success(self, sent_at: float) -> None:
        """Liner answered a request that was sent then, without complaint."""
        if sent_at >= self._limited_at:
            self._consecutive_limits = 0
            self.max_concurrent = min(self.max_concurrent + 1, self._concurrency)


class LoadControl:
    """Throttle and circuit breaker together; both learn from the outcome of each request.

    With `use_circuit_breaker` False there is no circuit breaker.
    """

    def __init__(self, concurrency: int, *, use_circuit_breaker: bool) -> None:
        self.throttle = Throttle(concurrency)
        self._circuit_breaker = CircuitBreaker() if use_circuit_breaker else None

    def check(self, now: float, time_left: float) -> None:
        """Refuse at once what would be refused later: the pause outlasts the caller's time, or the circuit is open.

        Raises: RateLimited, CircuitOpen.
        """
        if self._circuit_breaker is not None:
            self._circuit_breaker.check(now)
        pause = self.throttle.seconds_until_send(now)
        if pause and pause >= time_left:
            left = max(pause, self.throttle.seconds_requested(now))
            raise RateLimited(
                f"Liner asked to slow down, and the pause is not over. Ask again in {ceil(left)} s.", retry_after=left
            )

    def acquire(self, now: float) -> None:
        """Right before a request is sent. Raises: CircuitOpen."""
        if self._circuit_breaker is not None:
            self._circuit_breaker.acquire(now)

    def record(self, now: float, outcome: LinerMcpError | None, *, sent_at: float) -> None:
        """Record the outcome of a request that was sent at `sent_at`; None is an answer with data."""
        if isinstance(outcome, RateLimited):
            self.throttle.record_rate_limit(now, outcome.retry_after, sent_at)
        elif outcome is None:
            self.throttle.record_success(sent_at)
        if self._circuit_breaker is None:
            return
        if isinstance(outcome, (LinerUnavailable, Unreachable)):
            self._circuit_breaker.record_failure(now)
        else:
            self._circuit_breaker.record_success()
