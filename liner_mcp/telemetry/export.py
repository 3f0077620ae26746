"""The SDK's side: providers, exporters, what may leave, and an end within bounds. Imported only when it is wanted.

Spans of the MCP SDK carry what a client chose to send (a tool's name, an error's text), so every span is written anew
before it leaves, with the attributes and names that are known to hold nothing of anybody.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    MetricExporter,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.trace import SpanContext, Status

from liner_mcp import __version__
from liner_mcp.liner.request_metrics import Attempt
from liner_mcp.server.audit_log import AuditEntry
from liner_mcp.server.log_redaction import OTHER, PROMPTS, TOOLS, known_method
from liner_mcp.telemetry.config import TelemetryConfig
from liner_mcp.telemetry.instruments import Instruments

FLUSH_SECONDS = 3.0  # when stopping; a service manager waits longer, and a dead collector holds nobody up

_OUR_ATTRIBUTES = frozenset(
    {
        "http.request.method",
        "http.request.resend_count",
        "http.response.status_code",
        "server.address",
        "server.port",
        "url.template",
        "error.type",
        "liner_mcp.deduplicated",
        "liner_mcp.queued_seconds",
    }
)
# What the SDK's spans may keep, and how a value must look.
_SDK_ATTRIBUTES = {
    "mcp.protocol.version": re.compile(r"\d{4}-\d{2}-\d{2}"),
    "jsonrpc.request.id": re.compile(r"\d{1,9}"),
    "gen_ai.operation.name": re.compile(r"execute_tool"),
    "error.type": re.compile(r"-?\d{1,6}|[A-Za-z_][A-Za-z0-9_.]{0,60}"),
    "rpc.response.status_code": re.compile(r"-?\d{1,6}"),
}
_OUR_SCOPE = "liner_mcp"


class Telemetry:
    """Watches a server (it is a `ServerObserver`) and sends what it saw."""

    def __init__(
        self,
        tracers: trace.TracerProvider,
        meters: metrics.MeterProvider,
        owned: Sequence[TracerProvider | MeterProvider],
    ) -> None:
        self._owned = owned
        self._instruments = Instruments(
            tracers.get_tracer(_OUR_SCOPE, __version__), meters.get_meter(_OUR_SCOPE, __version__)
        )

    def on_attempt(self, attempt: Attempt) -> AbstractContextManager[None]:
        return self._instruments.on_attempt(attempt)

    def on_request_end(self, attempt: Attempt) -> None:
        self._instruments.on_request_end(attempt)

    def on_end(self, entry: AuditEntry) -> None:
        self._instruments.on_end(entry)

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Send what is left, for so long at most: the SDK's own bounds are longer and not all of them hold."""
        threads = [threading.Thread(target=provider.shutdown, daemon=True) for provider in self._owned]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds / len(threads))


def start_export(choice: TelemetryConfig) -> Telemetry:
    """Make the providers of this process, unless whoever started it has made them already."""
    for signal in ("trace", "metric"):
        # Each attempt at a collector that is away would be a line; that a batch was lost is one, and enough.
        logging.getLogger(f"opentelemetry.exporter.otlp.proto.http.{signal}_exporter").setLevel(logging.ERROR)
    named = {"service.version": __version__}
    if choice.service_name is not None:
        named["service.name"] = choice.service_name
    resource = Resource.create(named)
    spans = [_span_exporter(name) for name in choice.traces]
    readers = [PeriodicExportingMetricReader(_metric_exporter(name)) for name in choice.metrics]
    return start_with(resource, [BatchSpanProcessor(RedactingExporter(exporter)) for exporter in spans], readers)


def start_with(
    resource: Resource, processors: Sequence[BatchSpanProcessor], readers: Sequence[MetricReader]
) -> Telemetry:
    owned: list[TracerProvider | MeterProvider] = []
    if processors and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        # Ended by close(): their own end at exit would wait as long as they like.
        tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        for processor in processors:
            tracers.add_span_processor(processor)
        trace.set_tracer_provider(tracers)
        owned.append(tracers)
    meters = MeterProvider(readers, resource=resource, shutdown_on_exit=False)
    owned.append(meters)
    return Telemetry(trace.get_tracer_provider(), meters, owned)


def _span_exporter(name: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter(out=sys.stderr)  # stdout belongs to the protocol
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _metric_exporter(name: str) -> MetricExporter:
    if name == "console":
        return ConsoleMetricExporter(out=sys.stderr)
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter()


class RedactingExporter(SpanExporter):
    """Passes spans on to another exporter without what a client or an error's text may have put into them."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([redact(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def redact(span: ReadableSpan) -> ReadableSpan:
    """The same span with no more than is known to be harmless: no error's text, no name that is not ours."""
    given = span.attributes or {}
    scope = span.instrumentation_scope
    if scope is not None and scope.name == _OUR_SCOPE:
        name = span.name
        attributes: dict[str, Any] = {key: value for key, value in given.items() if key in _OUR_ATTRIBUTES}
    else:
        name, attributes = _redact_sdk_span(given)
    events = [
        Event(
            event.name,
            {key: value for key, value in (event.attributes or {}).items() if key == "exception.type"},
            event.timestamp,
        )
        for event in span.events
        if event.name == "exception"
    ]
    return ReadableSpan(
        name,
        _without_state(span.context),
        _without_state(span.parent),
        span.resource,
        attributes,
        events,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=scope,
    )


def _without_state(context: SpanContext | None) -> SpanContext | None:
    """The place in a trace; its `tracestate` came from the client and may say anything."""
    return context and SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags)


def _redact_sdk_span(given: Any) -> tuple[str, dict[str, Any]]:
    method = known_method(given.get("mcp.method.name"))
    attributes: dict[str, Any] = {"mcp.method.name": method}
    for key, pattern in _SDK_ATTRIBUTES.items():
        if key in given and pattern.fullmatch(str(given[key])):
            attributes[key] = given[key]
    target = ""
    for key, ours in (("gen_ai.tool.name", TOOLS), ("gen_ai.prompt.name", PROMPTS)):
        if key in given:
            target = given[key] if given[key] in ours else OTHER
            attributes[key] = target
    return f"{method} {target}".strip(), attributes
