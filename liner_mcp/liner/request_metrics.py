"""Request metrics: what one attempt at Liner came to, for an operator's tracing and for the count of a call's cost.

The transport fills an `Attempt` in and knows no tracing library. Context variables carry it, because a request in
flight runs in a task of its own and serves several callers: it belongs to the caller that began it, and for the others
it is deduplicated.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

_ID = re.compile(r"(?<=/)[0-9]+(?=/)")


@dataclass(slots=True)
class RequestCounts:
    """What answering one question cost so far. `deduplicated` attempts were answered by another caller's request."""

    requests: int = 0
    deduplicated: int = 0
    cache_hits: int = 0


@dataclass(slots=True)
class Attempt:
    """One attempt to read one thing from Liner.

    `number` counts from 1. `sent`: it sent a request of its own instead of waiting for one in flight. Then
    `queued_seconds` is the time until it had a slot and the throttle let it go, `seconds` the time that Liner took,
    redirects included, and `status` the last one received. `path` holds ids; `template` does not.
    """

    origin: str
    path: str
    number: int
    counts: RequestCounts = field(default_factory=RequestCounts)
    submitted: bool = False
    sent: bool = False
    queued_seconds: float = 0.0
    seconds: float = 0.0
    requests: int = 0
    received_bytes: int = 0
    status: int | None = None

    @property
    def template(self) -> str:
        """The path with every id replaced by its kind, as in `/v2/call/detail/{id}/`."""
        return _ID.sub("{id}", self.path)

    @property
    def deduplicated(self) -> bool:
        """Whether another caller's request was to answer it."""
        return self.submitted and not self.sent

    def record_request(self) -> None:
        """A request goes out: the first, or one that follows a redirect."""
        self.requests += 1
        self.counts.requests += 1

    def record_received(self, count: int) -> None:
        """So many bytes of a body came in, unpacked."""
        self.received_bytes += count


class RequestObserver(Protocol):
    """Who watches the requests to Liner."""

    def on_attempt(self, attempt: Attempt) -> AbstractContextManager[object]:
        """Opened around every attempt of every caller; the attempt is filled in when it closes."""
        ...

    def on_request_end(self, attempt: Attempt) -> None:
        """A request to Liner is over, whoever still waits for it. Called once per attempt that sent something."""
        ...


_current_counts: ContextVar[RequestCounts | None] = ContextVar("liner_mcp_request_counts", default=None)
_current_attempt: ContextVar[Attempt] = ContextVar("liner_mcp_attempt")


@contextmanager
def count_requests() -> Generator[RequestCounts]:
    """While the block runs, and in tasks begun in it, what is asked of Liner is counted in the `RequestCounts` it
    gives."""
    counts = RequestCounts()
    token = _current_counts.set(counts)
    try:
        yield counts
    finally:
        _current_counts.reset(token)


def record_cache_hit() -> None:
    """Count a read that needed no request."""
    spent = _current_counts.get()
    if spent is not None:
        spent.cache_hits += 1


def current_attempt() -> Attempt:
    """The attempt in whose name the running code speaks with Liner."""
    return _current_attempt.get()


@contextmanager
def observe_attempt(observer: RequestObserver | None, attempt: Attempt) -> Generator[None]:
    """Make `attempt` what `current_attempt()` gives in the block, and show it to the observer."""
    attempt.counts = _current_counts.get() or attempt.counts
    token = _current_attempt.set(attempt)
    try:
        if observer is None:
            yield
        else:
            with observer.on_attempt(attempt):
                yield
    finally:
        _current_attempt.reset(token)
        attempt.counts.deduplicated += attempt.deduplicated
