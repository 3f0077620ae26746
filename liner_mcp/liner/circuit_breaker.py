"""The circuit breaker: stops requests while Liner is down. Rules without I/O, on times that the caller passes in."""

from __future__ import annotations

from math import ceil

from liner_mcp.errors import CircuitOpen, LinerMcpError, LinerUnavailable, Unreachable

TARGETS_TO_OPEN = 5  # different targets: one caller that retries a few failing ids does not reach it
FAILING_SECONDS = 3.0  # a shorter outage is bridged by retries
OPEN_SECONDS = 10.0  # few restarts take longer than one deadline; six trials a minute are no load for Liner


class CircuitBreaker:
    """Whether requests are sent at all, for a server that many people use.

    One caller may ask for many ids that Liner cannot answer, so failures alone do not open the breaker. When
    `TARGETS_TO_OPEN` different targets have failed in a row, over at least `FAILING_SECONDS`, Liner's health check
    decides: if it fails too, the breaker opens. While it is open, one request per `OPEN_SECONDS` is tried, and the
    health check if that request fails. The first answer to either closes the breaker.

    A failure is a 5xx, a timeout or a broken connection. Every other answer, a 429 or a refusal included, shows that
    Liner is up. Redirects belong to the target that was requested.
    """

    def __init__(self) -> None:
        self._failed_targets: set[str] = set()
        self._failures = 0
        self._failing_since = 0.0
        self._open = False
        self._next_attempt_at = self._next_health_check_at = float("-inf")

    def check(self, now: float) -> None:
        """Raises: CircuitOpen while no request may be sent."""
        if self._open and now < self._next_attempt_at:
            raise CircuitOpen(
                f"Liner answered neither the last {self._failures} requests nor its health check. "
                f"Ask again in {ceil(self._next_attempt_at - now)} s."
            )

    def acquire(self, now: float) -> None:
        """Check right before a request is sent. While the breaker is open, this request is the one that is tried.

        Raises: CircuitOpen.
        """
        self.check(now)
        if self._open:
            self._next_attempt_at = now + OPEN_SECONDS

    def record(self, now: float, target: str, failure: LinerMcpError | None) -> None:
        """Record the outcome of a request; None is an answer with data."""
        if not _is_outage(failure):
            self._close()
            return
        if not self._failures:
            self._failing_since = now
        self._failures += 1
        if len(self._failed_targets) < TARGETS_TO_OPEN:
            self._failed_targets.add(target)

    def acquire_health_check(self, now: float) -> bool:
        """Whether the health check is to be requested now, at most once per `OPEN_SECONDS`."""
        failing = len(self._failed_targets) == TARGETS_TO_OPEN and now - self._failing_since >= FAILING_SECONDS
        if not failing or now < self._next_health_check_at:
            return False
        self._next_health_check_at = now + OPEN_SECONDS
        return True

    def record_health_check(self, now: float, failure: LinerMcpError | None) -> None:
        """Record the outcome of the health check, which opens the breaker or closes it."""
        if _is_outage(failure):
            self._open = True
            self._next_attempt_at = now + OPEN_SECONDS
        else:
            self._close()

    def _close(self) -> None:
        self._failed_targets.clear()
        self._failures = 0
        self._open = False


def _is_outage(failure: LinerMcpError | None) -> bool:
    return isinstance(failure, (LinerUnavailable, Unreachable))
