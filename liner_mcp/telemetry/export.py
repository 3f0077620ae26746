"""Providers and exporters of OpenTelemetry's SDK. Imported only if the environment asks for telemetry.

Spans of the MCP SDK hold what a client chose to send (a tool's name, the text of an error). So every span is rebuilt
before it is exported, with only those of their names and attributes that hold no personal data.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Sequence
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
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
from liner_mcp.server.log_redaction import OTHER, PROMPTS, TOOLS, known_method
from liner_mcp.telemetry.config import TelemetryConfig
from liner_mcp.telemetry.instruments import Instruments

FLUSH_SECONDS = 3.0  # when the server stops: a service manager waits longer, and a dead collector must not delay it

# The attributes that the MCP SDK's spans may have, and the form of each value.
_SDK_ATTRIBUTES = {
    "mcp.protocol.version": re.compile(r"\d{4}-\d{2}-\d{2}"),
    "jsonrpc.request.id": re.compile(r"\d{1,9}"),
    "gen_ai.operation.name": re.compile(r"execute_tool"),
    "error.type": re.compile(r"-?\d{1,6}|[A-Za-z_][A-Za-z0-9_.]{0,60}"),
    "rpc.response.status_code": re.compile(r"-?\d{1,6}"),
}
_OUR_SCOPE = "liner_mcp"

# On stderr, because stdout belongs to the protocol, and in one line each, as everything else there.
_SPAN_EXPORTERS = {
    "console": lambda: ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: span.to_json(None) + "\n"),
    "otlp": OTLPSpanExporter,
}
_METRIC_EXPORTERS = {
    "console": lambda: ConsoleMetricExporter(out=sys.stderr, formatter=lambda data: data.to_json(None) + "\n"),
    "otlp": OTLPMetricExporter,
}


class Telemetry(Instruments):
    """Records what a server does and exports it; it is a `ServerObserver`. `close` shuts the `owned` providers down."""

    def __init__(
        self,
        tracers: trace.TracerProvider,
        meters: metrics.MeterProvider,
        owned: Sequence[TracerProvider | MeterProvider],
    ) -> None:
        super().__init__(tracers.get_tracer(_OUR_SCOPE, __version__), meters.get_meter(_OUR_SCOPE, __version__))
        self._owned = owned

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Export what is left within these seconds. The SDK's own bounds are longer, and some do not hold."""
        threads = [threading.Thread(target=provider.shutdown, daemon=True) for provider in self._owned]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds / len(threads))


def start_export(choice: TelemetryConfig) -> Telemetry:
    """Create the providers of this process. A tracer provider that exists already is used as it is."""
    for signal in ("trace", "metric"):
        # Otherwise each attempt at an unreachable collector is a line. One line for a lost batch is enough.
        logging.getLogger(f"opentelemetry.exporter.otlp.proto.http.{signal}_exporter").setLevel(logging.ERROR)
    named = {"service.version": __version__}
    if choice.service_name is not None:
        named["service.name"] = choice.service_name
    resource = Resource.create(named)
    tracers = trace.get_tracer_provider()
    owned: list[TracerProvider | MeterProvider] = []
    if choice.traces and isinstance(tracers, trace.ProxyTracerProvider):
        # close() shuts it down. The SDK's own hook at exit waits without a bound.
        tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        for name in choice.traces:
            tracers.add_span_processor(BatchSpanProcessor(RedactingExporter(_SPAN_EXPORTERS[name]())))
        trace.set_tracer_provider(tracers)
        owned.append(tracers)
    readers = [PeriodicExportingMetricReader(_METRIC_EXPORTERS[name]()) for name in choice.metrics]
    meters = MeterProvider(readers, resource=resource, shutdown_on_exit=False)
    return Telemetry(tracers, meters, [*owned, meters])


class RedactingExporter(SpanExporter):
    """Removes from each span what came from a client or from the text of an error, and passes it on."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([redact(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def redact(span: ReadableSpan) -> ReadableSpan:
    """The span with only those names and attributes that hold no personal data."""
    given = span.attributes or {}
    scope = span.instrumentation_scope
    if scope is not None and scope.name == _OUR_SCOPE:
        name, attributes = span.name, dict(given)  # instruments.py writes nothing personal
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
    """The same context without `tracestate`, which came from the client and may hold anything."""
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
