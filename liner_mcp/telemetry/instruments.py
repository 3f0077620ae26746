"""Spans and metrics, named after OpenTelemetry's semantic conventions: HTTP client spans, counters, one histogram.

They hold no id, no query and no text: a path is recorded as its template, an error as its class.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from urllib.parse import urlsplit

from opentelemetry.metrics import Meter
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from liner_mcp.errors import CircuitOpen
from liner_mcp.liner.request_metrics import Attempt
from liner_mcp.server.audit_log import AuditEntry
from liner_mcp.urls import DEFAULT_PORTS

# Boundaries that the conventions advise for HTTP durations, in seconds.
_DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_ERROR_STATUS = 400

Attributes = dict[str, str | int | float | bool]


class Instruments:
    """Observes a server: one span per attempt to reach Liner, and the metrics."""

    def __init__(self, tracer: Tracer, meter: Meter) -> None:
        self._tracer = tracer
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            "s",
            "Time that Liner took to answer a request",
            explicit_bucket_boundaries_advisory=_DURATIONS,
        )
        self._requests = meter.create_counter("liner_mcp.liner.requests", "{request}", "Requests sent to Liner")
        self._retries = meter.create_counter("liner_mcp.liner.retry", "{attempt}", "Attempts after the first")
        self._deduplicated = meter.create_counter(
            "liner_mcp.liner.deduplicated", "{attempt}", "Attempts that another caller's request answered"
        )
        self._cache_hits = meter.create_counter("liner_mcp.liner.cache_hits", "{read}", "Reads answered from the cache")
        self._circuit_open = meter.create_counter(
            "liner_mcp.liner.circuit_open", "{attempt}", "Attempts refused because Liner had failed too often"
        )
        self._received = meter.create_counter("liner_mcp.liner.received", "By", "Bodies from Liner, compressed")
        self._calls = meter.create_counter("liner_mcp.calls", "{call}", "Tool calls and resource reads by outcome")
        self._rows = meter.create_counter("liner_mcp.answer.rows", "{row}", "Rows given in answers")
        self._answer_size = meter.create_counter("liner_mcp.answer.size", "By", "Text or audio given in answers")

    @contextmanager
    def on_attempt(self, attempt: Attempt) -> Generator[None]:
        """A client span around one attempt of one caller. A deduplicated attempt is marked so and has no status."""
        known = {**_server_attributes(attempt.origin), "url.template": attempt.template}
        with self._tracer.start_as_current_span(
            f"GET {attempt.template}",
            kind=SpanKind.CLIENT,
            attributes=known,
            record_exception=False,  # its text may quote Liner
            set_status_on_exception=False,
        ) as span:
            if attempt.number > 1:
                self._retries.add(1)
                span.set_attribute("http.request.resend_count", attempt.number - 1)
            try:
                yield
            except BaseException as error:
                if isinstance(error, CircuitOpen):
                    self._circuit_open.add(1)
                span.set_attribute("error.type", _error_type(attempt) or type(error).__name__)
                span.set_status(StatusCode.ERROR)
                raise
            finally:
                span.set_attribute("liner_mcp.deduplicated", attempt.deduplicated)
                if attempt.deduplicated:
                    self._deduplicated.add(1)
                if attempt.queued_seconds is not None:
                    span.set_attribute("liner_mcp.queued_seconds", round(attempt.queued_seconds, 4))
                if attempt.status is not None:
                    span.set_attribute("http.response.status_code", attempt.status)

    def on_request_end(self, attempt: Attempt) -> None:
        known: Attributes = {**_server_attributes(attempt.origin), "url.template": attempt.template}
        if attempt.status is not None:
            known["http.response.status_code"] = attempt.status
        error = _error_type(attempt)
        if error is not None:
            known["error.type"] = error
        self._duration.record(attempt.seconds, known)
        self._requests.add(attempt.requests)
        self._received.add(attempt.received_bytes)

    def on_end(self, entry: AuditEntry) -> None:
        known = {"kind": entry.kind, "name": entry.name}
        self._calls.add(1, {**known, "outcome": entry.outcome or "failed"})
        self._cache_hits.add(entry.counts.cache_hits)
        if entry.rows is not None:
            self._rows.add(entry.rows, known)
        if entry.answer_bytes is not None:
            self._answer_size.add(entry.answer_bytes, known)


def _error_type(attempt: Attempt) -> str | None:
    """The status of an error response as text, as the conventions require."""
    return str(attempt.status) if attempt.status is not None and attempt.status >= _ERROR_STATUS else None


@lru_cache(maxsize=4)  # a process has one Liner
def _server_attributes(origin: str) -> Attributes:
    parts = urlsplit(origin)
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    return {"http.request.method": "GET", "server.address": parts.hostname or "", "server.port": port}
