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

    rest_seconds: float = 2
    """What may still come of a refused question, before its connection closes: nobody waits for what comes later."""

    requests_at_once_of_one: int = 20
    """Of them; a fifth, so that one caller's questions leave room for others'."""

    requests_at_once: int = 100
    """Liner takes a few requests at a time (LINER_CONCURRENCY), so that more questions than this would only wait until
    their deadline."""

    connections: int = 500
    """Half of the 1024 files that a process may usually open; the other half is for Liner and for ourselves."""

    head_seconds: float = 10
    """From connecting, or from the first byte of a later request, to the end of its head."""

    idle_seconds: int = 65
    """Longer than the 60 s for which proxies keep a connection to reuse it: whoever closes first must be the proxy."""

    stalled_seconds: float = 20
    """How often a client that reads slowly is looked at; it must have taken `stalled_bytes` since."""

    stalled_bytes: int = 16 * 1024
    """6.5 kbit/s: less is not a slow line but nobody reading."""

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


LIMITS = Limits()
