"""Retry and backoff: when a failed request is sent again, and after how long. Rules without I/O.

What Liner asks for in `Retry-After` counts most; the caller's deadline limits everything.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from liner_mcp.errors import LinerUnavailable, RateLimited, Unreachable

MAX_RETRY_AFTER_SECONDS = 86_400.0  # a day, in seconds: asked for more, it is a ban, and its exact length helps nobody
INITIAL_BACKOFF_SECONDS = 0.5  # seconds before a first retry, at most; doubles with every attempt
MAX_BACKOFF_SECONDS = 8.0  # seconds; beyond this one call's deadline is better spent on telling the truth


def parse_retry_after(retry_after: str | None, now: datetime) -> float | None:
    """What a `Retry-After` header asks for, in seconds from `now`: it may be a number or an HTTP date.

    None where it is absent or means nothing; a date in the past means 0; never more than `MAX_RETRY_AFTER_SECONDS`.
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
    """An HTTP date; None where it is absent or is none. RFC 9110, section 5.6.7."""
    try:
        moment = parsedate_to_datetime(date or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try a failed request again, and after how long.

    `jitter` gives a random number from 0 to the ceiling it gets ("full jitter": callers that failed together return
    apart).
    """

    jitter: Callable[[float], float]
    attempts: int = 4  # three retries ride out a restart behind a load balancer; more would eat the deadline
    initial_backoff: float = INITIAL_BACKOFF_SECONDS
    max_backoff: float = MAX_BACKOFF_SECONDS

    def delay(self, error: BaseException, attempt: int, time_left: float) -> float | None:
        """Seconds until the next attempt after attempt number `attempt` (from 1) failed, or None: give up.

        A wait that does not end before the time is up is never begun.
        """
        if attempt >= self.attempts or not is_transient(error):
            return None
        asked = error.retry_after if isinstance(error, (RateLimited, LinerUnavailable)) else None
        ceiling = min(self.max_backoff, self.initial_backoff * 2 ** (attempt - 1))
        # On top of the wait Liner asks for, a little jitter: all callers got the same number.
        wait = self.jitter(ceiling) if asked is None else asked + self.jitter(min(asked * 0.1, 1.0))
        return wait if wait < time_left else None


def is_transient(error: BaseException) -> bool:
    """Whether the failure may be gone at the next attempt: network, time-out, 429, 5xx."""
    if isinstance(error, Unreachable):
        return error.transient
    return isinstance(error, (RateLimited, LinerUnavailable))
