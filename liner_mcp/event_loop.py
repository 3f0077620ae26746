"""Long work between turns of the event loop: other requests are answered meanwhile, and a deadline can end it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio
from anyio.lowlevel import checkpoint

from liner_mcp.liner.deadline import scope_before_deadline
from liner_mcp.text.masking_steps import Steps

MOST_AT_ONCE = 1_000  # characters of digits that are read between two turns: about ten milliseconds
# Kept back from a deadline to write down what was masked in time.
RESERVE_SECONDS, RESERVE_SHARE = 0.25, 0.5

T = TypeVar("T")
S = TypeVar("S")


class Turns:
    """Counts the work of all who mask at once, for one loop runs them all."""

    def __init__(self) -> None:
        self._done = 0
        # One long text at a time: the first that was asked for is the first that is done, and has its row in time.
        self._long = anyio.Lock()

    async def text(self, steps: Steps) -> str:
        """The text that the steps return; ordinary texts are read without a turn between."""
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
            text: str = end.value
            return text


async def in_time(items: Sequence[T], work: Callable[[T], Awaitable[S]]) -> list[S]:
    """What `work` gives for each item, in order, as far as it was done a moment before the caller's deadline."""
    done: list[S] = []
    with scope_before_deadline(RESERVE_SECONDS, RESERVE_SHARE):
        for item in items:
            done.append(await work(item))  # noqa: PERF401 - what is done by the deadline must stay
    return done
