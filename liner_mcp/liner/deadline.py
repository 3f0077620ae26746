"""The time that is left to a caller, and scopes that end before its deadline."""

from __future__ import annotations

import math

import anyio


def time_left() -> float:
    """Seconds until the innermost deadline around the caller; infinite without one."""
    return anyio.current_effective_deadline() - anyio.current_time()


def scope_before_deadline(seconds: float, share: float) -> anyio.CancelScope:
    """A scope that ends before the caller's deadline, so that the caller can still answer with what has arrived.

    It ends `seconds` earlier, or by `share` of the time left if that is less; without a deadline it does not end.
    """
    left = time_left()
    reserve = min(seconds, left * share) if math.isfinite(left) else 0.0
    return anyio.CancelScope(deadline=anyio.current_effective_deadline() - reserve)
