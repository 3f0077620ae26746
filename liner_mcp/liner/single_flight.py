"""Single-flight: deduplication of requests in flight. Callers that ask the same at the same time share one request.

No request outlives the connections. A caller that leaves does not disturb the others; when the last one leaves, the
request is cancelled. Nothing is cached: once a request is answered, the next caller starts a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from liner_mcp.errors import ConnectionClosed

CLOSE_SECONDS = 1.0  # a dropped request lets go of its connection far sooner; one that does not is left behind


@dataclass(slots=True, eq=False)
class _InFlightRequest:
    """One request in flight, in a task of its own, and how many callers wait for it."""

    target: str
    waiters: int = 0
    task: asyncio.Task[object] = field(init=False)


class SingleFlight:
    """`run` waits for the answer to a target. `request` is called for a target that is not in flight, in the context of
    the first caller.
    """

    def __init__(self, request: Callable[[str], Coroutine[Any, Any, object]]) -> None:
        self._request = request
        self._in_flight: dict[str, _InFlightRequest] = {}
        # Also those that were left and are not at their end yet: a loop holds its tasks weakly.
        self._tasks: set[asyncio.Task[object]] = set()
        self._caller_scopes: set[anyio.CancelScope] = set()
        self._idle: anyio.Event | None = None

    @contextmanager
    def caller_scope(self) -> Generator[None]:
        """Callers ask inside this scope, from the first attempt to the last. Raises: ConnectionClosed, on `close`."""
        with anyio.CancelScope() as scope:
            self._caller_scopes.add(scope)
            try:
                yield
            finally:
                self._caller_scopes.discard(scope)
                self._signal_when_idle()
        if scope.cancelled_caught:
            raise ConnectionClosed("The connection to Liner was closed before the answer was there. Ask again.")

    async def close(self) -> None:
        """Cancel all callers, wherever they wait, and wait until nothing is in flight."""
        for scope in self._caller_scopes:
            scope.cancel()
        # Shielded: connections that are closed under a request would fail it in their own words.
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            self._idle = anyio.Event()
            self._signal_when_idle()
            await self._idle.wait()

    def _signal_when_idle(self) -> None:
        if self._idle is not None and not self._caller_scopes and not self._tasks:
            self._idle.set()

    async def run(self, target: str) -> object:
        """What `request` gives for this target, or raises."""
        request = self._in_flight.get(target) or self._start(target)
        request.waiters += 1
        try:
            await asyncio.wait((request.task,))
        finally:
            request.waiters -= 1
            if not request.waiters:
                self._forget(request)
                request.task.cancel()  # which one that is done does not mind
        return request.task.result()

    def _start(self, target: str) -> _InFlightRequest:
        request = self._in_flight[target] = _InFlightRequest(target)
        request.task = asyncio.create_task(self._run(request))
        self._tasks.add(request.task)
        request.task.add_done_callback(self._on_done)
        return request

    async def _run(self, request: _InFlightRequest) -> object:
        try:
            return await self._request(request.target)
        finally:
            # Later callers start a new request, or a second reading would read nothing new.
            self._forget(request)

    def _forget(self, request: _InFlightRequest) -> None:
        # A request that was left takes a while to end, and another may be under way in its place.
        if self._in_flight.get(request.target) is request:
            del self._in_flight[request.target]

    def _on_done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        self._signal_when_idle()
        if not task.cancelled():
            task.exception()  # one that was left may fail while it ends; else the loop would log that nobody heard
