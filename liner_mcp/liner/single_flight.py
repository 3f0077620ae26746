"""Requests under way: each is made once, for all who ask the same meanwhile, and none outlives the connections.

Whoever leaves, leaves alone; the last one who leaves ends the request. Nothing is kept: what is answered is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from liner_mcp.errors import ConnectionClosed

ENDING_SECONDS = 1.0  # a dropped request lets go of its connection far sooner; one that does not is left behind


@dataclass(slots=True, eq=False)
class _Request:
    """One request under way, in a task of its own, and how many wait for it."""

    target: str
    askers: int = 0
    task: asyncio.Task[object] = field(init=False)


class Sharing:
    """`ask` for a target; `make` is called for those that nobody asked for yet, with the context of who asks first."""

    def __init__(self, make: Callable[[str], Coroutine[Any, Any, object]]) -> None:
        self._make = make
        self._under_way: dict[str, _Request] = {}
        # Also those that were left and are not at their end yet: a loop holds its tasks weakly.
        self._tasks: set[asyncio.Task[object]] = set()
        self._askers: set[anyio.CancelScope] = set()
        self._none_left: anyio.Event | None = None

    @contextmanager
    def asking(self) -> Generator[None]:
        """Whoever asks does so inside, from the first attempt to the last. Raises: ConnectionClosed, on `end`."""
        with anyio.CancelScope() as scope:
            self._askers.add(scope)
            try:
                yield
            finally:
                self._askers.discard(scope)
                self._left()
        if scope.cancelled_caught:
            raise ConnectionClosed("The connection to Liner was closed before the answer was there. Ask again.")

    async def end(self) -> None:
        """Tell everybody who asks that it is over, wherever they wait, and wait until nothing is under way."""
        for scope in self._askers:
            scope.cancel()
        # Shielded: connections that are closed under a request would fail it in their own words.
        with anyio.move_on_after(ENDING_SECONDS, shield=True):
            self._none_left = anyio.Event()
            self._left()
            await self._none_left.wait()

    def _left(self) -> None:
        if self._none_left is not None and not self._askers and not self._tasks:
            self._none_left.set()

    async def ask(self, target: str) -> object:
        """What `make` gives for this target, or raises."""
        request = self._under_way.get(target) or self._begun(target)
        request.askers += 1
        try:
            await asyncio.wait((request.task,))
        finally:
            request.askers -= 1
            if not request.askers:
                self._forget(request)
                request.task.cancel()  # which one that is done does not mind
        return request.task.result()

    def _begun(self, target: str) -> _Request:
        request = self._under_way[target] = _Request(target)
        request.task = asyncio.create_task(self._run(request))
        self._tasks.add(request.task)
        request.task.add_done_callback(self._over)
        return request

    async def _run(self, request: _Request) -> object:
        try:
            return await self._make(request.target)
        finally:
            # Who asks from now on asks anew, or a second reading would read nothing.
            self._forget(request)

    def _forget(self, request: _Request) -> None:
        # A request that was left takes a while to end, and another may be under way in its place.
        if self._under_way.get(request.target) is request:
            del self._under_way[request.target]

    def _over(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        self._left()
        if not task.cancelled():
            task.exception()  # one that was left may fail while it ends; else the loop would log that nobody heard
