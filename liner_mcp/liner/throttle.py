"""The throttle: how much may be sent after Liner asked to slow down. Rules without I/O, on times that the caller passes
in.

All callers share one throttle: a 429 pauses all of them, and then lets requests through one at a time at first.
"""

from __future__ import annotations

from math import ceil

from liner_mcp.errors import LinerMcpError, RateLimited
from liner_mcp.liner.retry import INITIAL_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS

MAX_PAUSE_SECONDS = 60.0  # a longer ban is tested once a minute, because its length may be the mistake of a clock
MAX_CONSECUTIVE_LIMITS = 10  # 429s that are counted; the guessed pause reaches its maximum long before


class Throttle:
    """When the next request may be sent, and how many may be in flight.

    `max_concurrent` is from 1 to `concurrency`: 1 after a 429, one more with each answer to a request that was sent
    after it. The answers to requests that were in flight when Liner asked for the pause say nothing about the time
    after it.
    """

    def __init__(self, concurrency: int) -> None:
        self.max_concurrent = concurrency
        self._concurrency = concurrency
        self._paused_until = self._requested_until = self._limited_at = float("-inf")
        self._consecutive_limits = 0

    def seconds_until_send(self, now: float) -> float:
        """Seconds from `now` until the next request may be sent; 0 when it may be sent at once."""
        return max(0.0, self._paused_until - now)

    def check(self, now: float, time_left: float) -> None:
        """Refuse a caller whose time ends before the pause does.

        Raises: RateLimited with the seconds that Liner asked for, which may be more than `MAX_PAUSE_SECONDS`.
        """
        pause = self.seconds_until_send(now)
        if pause and pause >= time_left:
            left = max(pause, self._requested_until - now)
            raise RateLimited(
                f"Liner asked to slow down, and the pause is not over. Ask again in {ceil(left)} s.", retry_after=left
            )

    def pause(self, now: float, seconds: float) -> None:
        """Pause because Liner asked another replica to slow down."""
        until = now + min(seconds, MAX_PAUSE_SECONDS)
        if until > self._paused_until:
            self._paused_until = self._requested_until = until
            self.max_concurrent = 1

    def record(self, now: float, failure: LinerMcpError | None, *, sent_at: float) -> None:
        """Record the outcome of a request that was sent at `sent_at`; None is an answer with data."""
        if isinstance(failure, RateLimited):
            self._record_rate_limit(now, failure.retry_after, sent_at)
        elif failure is None and sent_at >= self._limited_at:
            self._consecutive_limits = 0
            self.max_concurrent = min(self.max_concurrent + 1, self._concurrency)

    def _record_rate_limit(self, now: float, retry_after: float | None, sent_at: float) -> None:
        if sent_at >= self._limited_at:  # otherwise it belongs to the same burst
            self._consecutive_limits = min(self._consecutive_limits + 1, MAX_CONSECUTIVE_LIMITS)
        guessed = min(MAX_BACKOFF_SECONDS, INITIAL_BACKOFF_SECONDS * 2 ** (self._consecutive_limits - 1))
        wait = guessed if retry_after is None else retry_after
        self._paused_until = max(self._paused_until, now + min(wait, MAX_PAUSE_SECONDS))
        self._requested_until = max(self._requested_until, now + wait)
        self._limited_at = now
        self.max_concurrent = 1
