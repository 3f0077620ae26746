"""Retry and backoff: the only place that sends a failed request again, to Liner and to the host of a recording.

`Retry-After` takes precedence over the backoff, and the caller's deadline limits both.
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TypeVar

import stamina

from liner_mcp.errors import AudioUnavailable, LinerError, LinerUnavailable, RateLimited, Unreachable
from liner_mcp.liner.deadline import time_left

T = TypeVar("T")

FULL_JITTER = partial(random.uniform, 0.0)  # spreads retries over the whole wait

MAX_RETRY_AFTER_SECONDS = 86_400.0  # a day; a longer wait is a ban, whose exact length is of no use
INITIAL_BACKOFF_SECONDS = 0.5  # the longest wait before the first retry; it doubles with every attempt
MAX_BACKOFF_SECONDS = 8.0  # with a longer wait there is no time left before the deadline to report the failure


def parse_retry_after(retry_after: str | None, now: datetime) -> float | None:
    """The wait that a `Retry-After` header asks for, in seconds from `now`. The header holds a number or an HTTP date.

    None when it is absent or unreadable; 0 for a date in the past; never more than `MAX_RETRY_AFTER_SECONDS`.
    RFC 9110, section 10.2.3.
    """
    if retry_after is None:
        return None
    text = retry_after.strip()
    try:
        seconds = float(text)
    except ValueError:
        moment = parse_http_date(text)
        if moment is None:
            return None
        seconds = max(0.0, (moment - now).total_seconds())
    return min(seconds, MAX_RETRY_AFTER_SECONDS) if math.isfinite(seconds) and seconds >= 0 else None


def parse_http_date(date: str | None) -> datetime | None:
    """An HTTP date; None when it is absent or unreadable. RFC 9110, section 5.6.7."""
    try:
        moment = parsedate_to_datetime(date or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def requested_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait. A date is read by the clock that wrote it, which may differ from ours."""
    return parse_retry_after(headers.get("retry-after"), parse_http_date(headers.get("date")) or datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try a failed request again, and after how long.

    `jitter` returns a random number from 0 to its argument ("full jitter": callers that failed together retry at
    different times).
    """

    jitter: Callable[[float], float]
    attempts: int = 4  # three retries bridge a restart behind a load balancer; more would use up the deadline
    initial_backoff: float = INITIAL_BACKOFF_SECONDS
    max_backoff: float = MAX_BACKOFF_SECONDS

    def delay(self, error: BaseException, attempt: int, time_left: float) -> float | None:
        """Seconds to wait after attempt number `attempt` (from 1) failed, or None when there is no next attempt.

        There is none either when the wait would not end within `time_left`.
        """
        if attempt >= self.attempts or not is_transient(error):
            return None
        asked = error.retry_after if isinstance(error, LinerError) else None
        ceiling = min(self.max_backoff, self.initial_backoff * 2 ** (attempt - 1))
        # All callers got the same wait from Liner, so a little jitter is added to it.
        wait = self.jitter(ceiling) if asked is None else asked + self.jitter(min(asked * 0.1, 1.0))
        return wait if wait < time_left else None

    async def run(self, attempt: Callable[[int], Awaitable[T]]) -> T:
        """The result of `attempt`, called with 1, 2, … until it succeeds, or until `delay` gives no next attempt.

        Raises: what the last attempt raised.
        """
        number = 0

        def retry_delay(error: Exception) -> float | bool:
            wait = self.delay(error, number, time_left())
            return False if wait is None else wait

        async for retry in stamina.retry_context(on=retry_delay, attempts=self.attempts, timeout=None):
            number = retry.num
            with retry:
                return await attempt(number)
        raise AssertionError("stamina gives a result or raises")


def is_transient(error: BaseException) -> bool:
    """Whether the next attempt may succeed: after a network error, a timeout, a 429 or a 5xx."""
    if isinstance(error, (Unreachable, AudioUnavailable)):
        return error.transient
    return isinstance(error, (RateLimited, LinerUnavailable))
