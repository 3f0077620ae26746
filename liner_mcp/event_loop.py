"""Runs long work in short steps, so that the event loop can serve other requests and a deadline can end it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import TypeVar

import anyio
from anyio.lowlevel import checkpoint

from liner_mcp.liner.deadline import scope_before_deadline

MOST_AT_ONCE = 1_000  # characters of digits between two checkpoints: about ten milliseconds
# Reserved before a deadline to write the answer.
RESERVE_SECONDS, RESERVE_SHARE = 0.25, 0.5

T = TypeVar("T")
S = TypeVar("S")


class Turns:
    """Counts the work of all masking and searching in one event loop, and lets other tasks run when it is long."""

    def __init__(self) -> None:
        self._done = 0
        # One long text at a time, so that the first one is finished before the deadline.
        self._long = anyio.Lock()

    async def run(self, steps: Generator[int, None, T]) -> T:
        """Run the steps and give what they return. Ordinary texts need no checkpoint."""
        try:
            while self._done < MOST_AT_ONCE:
                self._done += next(steps)
            async with self._long:
                while True:
                    self._done = 0
                    await checkpoint()
                    while self._done < MOST_AT_ONCE:
                        self._done += next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


async def in_time(items: Sequence[T], work: Callable[[T], Awaitable[S]]) -> list[S]:
    """The results of `work` for the items in order, as many as are ready shortly before the caller's deadline."""
    done: list[S] = []
    with scope_before_deadline(RESERVE_SECONDS, RESERVE_SHARE):
        for item in items:
            done.append(await work(item))  # noqa: PERF401 - a comprehension would lose all results at the deadline
    return done
