"""What one attempt at Liner came to, for whoever watches: an operator's tracing, or the count of what a call cost.

The wire fills an `Attempt` in and knows no tracing library. Context variables carry it, because a request in flight
runs in a task of its own and serves several askers: it belongs to the one who began it, and the others share it.
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
class Spent:
    """What answering one question cost so far. `shared` attempts were answered by another asker's request."""

    requests: int = 0
    shared: int = 0
    kept: int = 0


@dataclass(slots=True)
class Attempt:
    """One attempt to read one thing from Liner.

    `number` counts from 1. `made`: it went out by itself and did not share a request under way. Then `waited_seconds`
    is the time until it had a place and the pace allowed it, `seconds` the time that Liner took, redirects included,
    and `status` the last one received. `path` holds ids; `template` does not.
    """

    origin: str
    path: str
    number: int
    spent: Spent = field(default_factory=Spent)
    asked: bool = False
    made: bool = False
    waited_seconds: float = 0.0
    seconds: float = 0.0
    requests: int = 0
    received_bytes: int = 0
    status: int | None = None

    @property
    def template(self) -> str:
        """The path with every id replaced by its kind, as in `/v2/call/detail/{id}/`."""
        return _ID.sub("{id}", self.path)

    @property
    def shared(self) -> bool:
        """Whether another asker's request was to answer it."""
        return self.asked and not self.made

    def sends(self) -> None:
        """A request goes out: the first, or one that follows a redirect."""
        self.requests += 1
        self.spent.requests += 1

    def receives(self, count: int) -> None:
        """So many bytes of a body came in, unpacked."""
        self.received_bytes += count


class Observer(Protocol):
    """Who watches the requests to Liner."""

    def attempting(self, attempt: Attempt) -> AbstractContextManager[object]:
        """Opened around every attempt of every asker; the attempt is filled in when it closes."""
        ...

    def sent(self, attempt: Attempt) -> None:
        """A request to Liner is over, whoever still waits for it. Called once per attempt that sent something."""
        ...


_spent: ContextVar[Spent | None] = ContextVar("liner_mcp_spent", default=None)
_attempt: ContextVar[Attempt] = ContextVar("liner_mcp_attempt")


@contextmanager
def spending() -> Generator[Spent]:
    """While the block runs, and in tasks begun in it, what is asked of Liner is counted in the `Spent` it gives."""
    spent = Spent()
    token = _spent.set(spent)
    try:
        yield spent
    finally:
        _spent.reset(token)


def answered_from_kept() -> None:
    """Count a read that needed no request."""
    spent = _spent.get()
    if spent is not None:
        spent.kept += 1


def attempted() -> Attempt:
    """The attempt in whose name the running code speaks with Liner."""
    return _attempt.get()


@contextmanager
def watched(observer: Observer | None, attempt: Attempt) -> Generator[None]:
    """Make `attempt` what `attempted()` gives in the block, and show it to the observer."""
    attempt.spent = _spent.get() or attempt.spent
    token = _attempt.set(attempt)
    try:
        if observer is None:
            yield
        else:
            with observer.attempting(attempt):
                yield
    finally:
        _attempt.reset(token)
        attempt.spent.shared += attempt.shared
