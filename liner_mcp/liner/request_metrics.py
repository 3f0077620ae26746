"""Request metrics: the cost of each attempt, for an operator's tracing, and of each tool call.

The transport fills in an `Attempt` and knows no tracing library. A request in flight may serve several callers: it
belongs to the attempt of the caller that started it, and for the others it is deduplicated.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

_ID = re.compile(r"(?<=/)[0-9]+(?=/)")


@dataclass(slots=True)
class RequestCounts:
    """The cost of one tool call so far. `deduplicated` attempts were answered by another caller's request."""

    requests: int = 0
    deduplicated: int = 0
    cache_hits: int = 0


_current_counts: ContextVar[RequestCounts | None] = ContextVar("liner_mcp_request_counts", default=None)


@dataclass(slots=True)
class Attempt:
    """One attempt to read one thing from Liner.

    `number` counts from 1. `path` holds ids; `template` does not. `deduplicated`: the request of another caller is to
    answer it. Otherwise `queued_seconds` is the time until it had a slot and the throttle let it go (None: it never
    had), `seconds` the time that Liner took, redirects included, and `status` the last one received.
    """

    origin: str
    path: str
    number: int
    counts: RequestCounts = field(default_factory=lambda: _current_counts.get() or RequestCounts())
    deduplicated: bool = False
    queued_seconds: float | None = None
    seconds: float = 0.0
    requests: int = 0
    received_bytes: int = 0
    status: int | None = None

    @property
    def template(self) -> str:
        """The path with `{id}` in the place of each id, as in `/v2/call/detail/{id}/`."""
        return _ID.sub("{id}", self.path)

    def record_request(self) -> None:
        """Count a request that is about to be sent: the first, or one that follows a redirect."""
        self.requests += 1
        self.counts.requests += 1


class RequestObserver(Protocol):
    """Observes the requests to Liner."""

    def on_attempt(self, attempt: Attempt) -> AbstractContextManager[object]:
        """Opened around every attempt of every caller; the attempt is filled in when it closes."""
        ...

    def on_request_end(self, attempt: Attempt) -> None:
        """A request to Liner has ended, even if all callers have left. Called once per attempt that sent something."""
        ...


@contextmanager
def count_requests() -> Generator[RequestCounts]:
    """Count what is requested from Liner while the block runs, also in tasks that it starts."""
    counts = RequestCounts()
    token = _current_counts.set(counts)
    try:
        yield counts
    finally:
        _current_counts.reset(token)


def record_cache_hit() -> None:
    counts = _current_counts.get()
    if counts is not None:
        counts.cache_hits += 1


@contextmanager
def observe_attempt(observer: RequestObserver | None, attempt: Attempt) -> Generator[None]:
    try:
        with nullcontext() if observer is None else observer.on_attempt(attempt):
            yield
    finally:
        attempt.counts.deduplicated += attempt.deduplicated
