"""An event loop with a virtual clock: deadlines expire at once and at one point, however busy the machine is."""

from __future__ import annotations

import asyncio
import selectors


class _IdleClock(selectors.SelectSelector):
    """A selector that does not wait for the next timer: it moves the clock there.

    The clock stands still while anything can run, so work takes no time. Sockets and threads do: a test that waits for
    one of them needs the real clock.
    """

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout if timeout is None else 0)
        if timeout is not None and not ready:
            self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The loop of tests marked `virtual_time`."""

    def __init__(self) -> None:
        self.clock = _IdleClock()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


def advance(seconds: float) -> None:
    """Let so much time pass inside work that does not wait."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop), "mark the test virtual_time"
    loop.clock.now += seconds
