"""The circuit breaker: stops requests while Liner is down. Rules without I/O, on times that the caller passes in."""

from __future__ import annotations

from math import ceil

from liner_mcp.errors import CircuitOpen

FAILURES_TO_OPEN = 5  # in a row, over all callers: one request with all its retries does not reach it

FAILING_SECONDS = 3.0  # a hiccup that retries ride out is shorter

OPEN_SECONDS = 10.0  # a restart takes longer than one deadline rarely; asked six times a minute, Liner can breathe


class CircuitBreaker:
    """Whether Liner is worth asking at all, for a server that many people wait for.

    Open after `FAILURES_TO_OPEN` failures in a row that went on for `FAILING_SECONDS`; then one request per
    `OPEN_SECONDS` is let through, and the first that is answered closes it again.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._failing_since = 0.0
        self._open = False
        self._next_attempt_at = float("-inf")

    def check(self, now: float) -> None:
        """Say how long Liner is left alone, if it is. Raises: CircuitOpen."""
        if self._open and now < self._next_attempt_at:
            raise CircuitOpen(
                f"Liner did not answer the last {self._failures} requests, so it is left alone for a moment. "
                f"Ask again in {ceil(self._next_attempt_at - now)} s."
            )

    def acquire(self, now: float) -> None:
        """The same, right before a request is sent: whoever comes now tries, the others wait for what comes of it."""
        self.check(now)
        if self._open:
            self._next_attempt_at = now + OPEN_SECONDS

    def record_failure(self, now: float) -> None:
        """A request got no answer, or a 5xx."""
        if not self._failures:
            self._failing_since = now
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN and now - self._failing_since >= FAILING_SECONDS:
            self._open = True
            self._next_attempt_at = now + OPEN_SECONDS

    def record_success(self) -> None:
        """Liner answered, whatever it said."""
        self._failures = 0
        self._open = False
