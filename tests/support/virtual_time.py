"""An event loop with a virtual clock: deadlines expire at once and at one point, however busy the machine is."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import anyio.to_thread
import pytest

MIN_STEP = 1e-12
"""Seconds by which the clock moves with each turn of the loop: the rate limiter sets a timer anew until its share is
there, and the rest may be too small to be added to the time, so that it would do so for ever.
"""


class _IdleClock(selectors.SelectSelector):
    """A selector that does not wait for the next timer: it moves the clock there.

    The clock hardly moves while anything can run, so work takes no time. A test that waits for a socket needs the real
    clock. What would run in a thread runs in the loop.
    """

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout if timeout is None else 0)
        if timeout is not None and not ready:
            self.now += max(timeout, MIN_STEP)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The loop of tests marked `virtual_time`."""

    def __init__(self) -> None:
        self.clock = _IdleClock()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now

    def run_in_executor(
        self,
        executor: Executor | None,  # noqa: ARG002 - the signature is that of asyncio
        func: Callable[..., Any],
        *args: Any,
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except OSError as error:  # what looking up a host name raises
            future.set_exception(error)
        return future


def run_threads_inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `anyio.to_thread.run_sync` call its function in the loop."""

    async def run_sync(func: Callable[..., Any], *args: Any, **_: Any) -> Any:
        return func(*args)

    monkeypatch.setattr(anyio.to_thread, "run_sync", run_sync)


def advance(seconds: float) -> None:
    """Let so much time pass inside work that does not wait."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop), "mark the test virtual_time"
    loop.clock.now += seconds
