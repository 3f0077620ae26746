"""Single-flight: deduplication of requests in flight. Callers that need the same answer at the same time share one
request.

A caller that leaves does not disturb the others; when the last one leaves, the request is cancelled. No request
outlives the connections. Nothing is cached: once a request is answered, the next caller starts a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio

from liner_mcp.errors import ConnectionClosed

CLOSE_SECONDS = 1.0  # a cancelled request releases its connection far sooner; `close` does not wait longer


@dataclass(slots=True, eq=False)
class _InFlightRequest:
    """One request in flight, in a task of its own, and the number of callers that wait for it."""

    task: asyncio.Task[object]
    waiters: int = 0


class SingleFlight:
    """The requests in flight, by target."""

    def __init__(self) -> None:
        self._in_flight: dict[str, _InFlightRequest] = {}
        # Includes cancelled requests that have not ended yet, because an event loop holds its tasks weakly.
        self._tasks: set[asyncio.Task[object]] = set()
        self._caller_scopes: set[anyio.CancelScope] = set()
        self._idle: anyio.Event | None = None

    def __contains__(self, target: str) -> bool:
        return target in self._in_flight

    @contextmanager
    def caller_scope(self) -> Generator[None]:
        """The scope of one caller, from its first attempt to its last. Raises: ConnectionClosed on `close`."""
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
        # Shielded, because a request whose connection is closed first would fail with another error.
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            self._idle = anyio.Event()
            self._signal_when_idle()
            await self._idle.wait()

    def _signal_when_idle(self) -> None:
        if self._idle is not None and not self._caller_scopes and not self._tasks:
            self._idle.set()

    async def run(self, target: str, send: Callable[[], Coroutine[Any, Any, object]]) -> object:
        """The result or the error of the request in flight for `target`; `send` starts it when there is none."""
        request = self._in_flight.get(target) or self._start(target, send)
        request.waiters += 1
        try:
            await asyncio.wait((request.task,))
        finally:
            request.waiters -= 1
            if not request.waiters:
                self._forget(target, request)
                request.task.cancel()  # no effect on a task that is done
        return request.task.result()

    def _start(self, target: str, send: Callable[[], Coroutine[Any, Any, object]]) -> _InFlightRequest:
        request = self._in_flight[target] = _InFlightRequest(asyncio.create_task(send()))
        self._tasks.add(request.task)

        def on_done(task: asyncio.Task[object]) -> None:
            # Before any caller has the answer: a caller that has read it and asks again gets a new request.
            self._forget(target, request)
            self._tasks.discard(task)
            self._signal_when_idle()
            if not task.cancelled():
                task.exception()  # read, so that the loop logs no error of a request that all callers have left

        request.task.add_done_callback(on_done)
        return request

    def _forget(self, target: str, request: _InFlightRequest) -> None:
        # A cancelled request takes a while to end, and a new one for its target may be in flight by then.
        if self._in_flight.get(target) is request:
            del self._in_flight[target]
