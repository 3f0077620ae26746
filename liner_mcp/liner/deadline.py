"""The deadline of one call, the time that is left to a caller, and scopes that end before its deadline."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

import anyio

_call_seconds: ContextVar[float | None] = ContextVar("call_seconds", default=None)


@contextmanager
def call_deadline(seconds: float | None) -> Generator[None]:
    """A deadline for all work of one call. Raises: TimeoutError when it is over."""
    token = _call_seconds.set(seconds)
    try:
        with anyio.fail_after(seconds):
            yield
    finally:
        _call_seconds.reset(token)


def time_left() -> float:
    """Seconds until the innermost deadline around the caller; infinite without one."""
    return anyio.current_effective_deadline() - anyio.current_time()


def is_second_half(seconds: float) -> bool:
    """Whether less than half of the time of the call will be left after so many seconds; never without a deadline."""
    return time_left() - seconds < (_call_seconds.get() or 0.0) / 2


def scope_before_deadline(seconds: float, share: float) -> anyio.CancelScope:
    """A scope that ends before the caller's deadline, so that the caller can still answer with what has arrived.

    It ends `seconds` earlier, or by `share` of the whole time if that is less; without a deadline it does not end. The
    whole time is that of `call_deadline`, so that a scope which begins late reserves as much as an early one; without
    it, the time left.
    """
    left = time_left()
    whole = max(_call_seconds.get() or left, left)
    reserve = min(seconds, whole * share) if math.isfinite(left) else 0.0
    return anyio.CancelScope(deadline=anyio.current_effective_deadline() - reserve)
