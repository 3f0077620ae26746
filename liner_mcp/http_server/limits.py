"""The limits of the web server on sizes, times and numbers, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one process. Tests use smaller ones; a deployment has no reason to change them."""

    body_bytes: int = 256 * 1024
    """The largest request is a prompt with a pasted rubric of a few dozen pages. All connections together hold at most
    128 MB of unread bodies."""

    body_seconds: float = 15
    """A body of that size needs 140 kbit/s."""

    max_concurrent_requests_per_caller: int = 20
    """A fifth of all, so that one caller leaves room for others."""

    max_concurrent_requests: int = 100
    """Liner takes a few requests at a time (LINER_CONCURRENCY), so further calls would only wait for their deadline."""

    connections: int = 500
    """Half of the 1024 files that a process may usually open. The rest is for connections to Liner and for files."""

    connections_per_address: int = 250
    """Half of them, so that one address leaves room for others and for probes. A proxy in front is one address, and
    more requests than `max_concurrent_requests` are refused anyway."""

    head_seconds: float = 10
    """From connecting to the first byte, and from the first byte of a request to the end of its head."""

    parse_seconds: float = 0.05
    """Processor time for reading one request: hundreds of times what the largest body needs. A body in chunks of one
    byte needs 10 µs for each."""

    lingering_seconds: float = 5
    """For the rest of a request that was answered before it had arrived: its client reads the answer when it has sent
    everything."""

    idle_seconds: int = 65
    """Longer than the 60 s for which proxies reuse a connection: the proxy must be the first to close it."""

    callers: int = 4_096
    """Callers whose rate is stored, about 1 MB. The least recent one is dropped first."""

    ready_seconds: float = 5
    """How long a result of /ready is cached: Liner gets one probe in that time, however many clients send one."""

    probe_seconds: float = 4
    """For the request to Liner behind /ready: probes usually time out after 5 s or more."""

    closing_seconds: float = 5
    """For writing the last answers while stopping, after the deadline of the calls."""

    def stop_seconds(self, deadline_seconds: float) -> float:
        """How long stopping may take if calls may take `deadline_seconds`."""
        return deadline_seconds + self.closing_seconds

    def request_seconds(self, deadline_seconds: float) -> float:
        """How long a request may take from its head until its answer is sent."""
        return self.body_seconds + self.stop_seconds(deadline_seconds)


LIMITS = Limits()
