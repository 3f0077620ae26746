"""How much, how many and how long: every number of the web server, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process bears. Tests make it small; a deployment has no reason to change it."""

    body_bytes: int = 256 * 1024
    """The largest question is a prompt with a pasted rubric of a few dozen pages. All connections together may then
    hold 128 MB of unread bodies at the very worst."""

    body_seconds: float = 15
    """A body of that size needs 140 kbit/s; a slower one is not worth a place."""

    max_concurrent_requests_per_caller: int = 20
    """Of them; a fifth, so that one caller's questions leave room for others'."""

    max_concurrent_requests: int = 100
    """Liner takes a few requests at a time (LINER_CONCURRENCY), so that more questions than this would only wait until
    their deadline."""

    connections: int = 500
    """Half of the 1024 files that a process may usually open; the other half is for Liner and for ourselves."""

    head_seconds: float = 10
    """From connecting to the first byte, and from the first byte of a request to the end of its head."""

    parse_seconds: float = 0.2
    """What reading one request may take of the processor: a thousand times what the largest body takes. A body in
    chunks of one byte takes 10 µs for each."""

    idle_seconds: int = 65
    """Longer than the 60 s for which proxies keep a connection to reuse it: whoever closes first must be the proxy."""

    callers: int = 4_096
    """Callers whose rate is remembered, the least recent forgotten first: about 1 MB."""

    ready_seconds: float = 5
    """For which an answer of /ready holds: Liner sees one probe in that time, however many ask."""

    probe_seconds: float = 4
    """What the look at Liner behind /ready may take: probes usually give up after 5 s or more."""

    closing_seconds: float = 5
    """Beyond the deadline of the calls, when stopping: to write the last answers."""

    def stop_seconds(self, deadline_seconds: float) -> float:
        """What stopping may take in all, when calls may take `deadline_seconds`."""
        return deadline_seconds + self.closing_seconds

    def request_seconds(self, deadline_seconds: float) -> float:
        """What a request may take in all, from its head until its answer is sent."""
        return self.body_seconds + self.stop_seconds(deadline_seconds)


LIMITS = Limits()
