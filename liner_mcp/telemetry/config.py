"""Which telemetry the environment asks for: the standard OTEL_ variables, read without importing OpenTelemetry.

Source: OpenTelemetry specification, "Environment Variable Specification". One rule is stricter than there: nothing is
exported unless one of these variables is set. The specification would export to a collector on this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

EXPORTERS = ("otlp", "console")
PROTOCOL = "http/protobuf"


@dataclass(frozen=True, slots=True)
class TelemetryConfig:
    """The exporters of each signal, the service's name unless the environment has one, and sentences about mistakes."""

    traces: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    service_name: str | None = None
    warnings: tuple[str, ...] = ()


def read_config(environment: Mapping[str, str]) -> TelemetryConfig:
    """The configuration in these variables. An empty value counts as unset."""
    given = {name: text for name, value in environment.items() if (text := value.strip())}
    if given.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return TelemetryConfig()
    warnings: list[str] = []
    traces = _exporters("TRACES", given, warnings)
    metrics = _exporters("METRICS", given, warnings)
    named = "OTEL_SERVICE_NAME" in given or "service.name=" in given.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return TelemetryConfig(traces, metrics, None if named else "liner-mcp", tuple(dict.fromkeys(warnings)))


def _exporters(signal: str, given: Mapping[str, str], warnings: list[str]) -> tuple[str, ...]:
    variable = f"OTEL_{signal}_EXPORTER"
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    usual = "otlp" if any(name in given for name in endpoints) else "none"
    exporters = {word for part in given.get(variable, usual).split(",") if (word := part.strip().lower())} - {"none"}
    if exporters - set(EXPORTERS):
        warnings.append(f"{variable}: liner-mcp exports to {', '.join(EXPORTERS)} or none; anything else is left out.")
    if "otlp" in exporters:
        own = f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL"
        name = own if own in given else "OTEL_EXPORTER_OTLP_PROTOCOL"
        if given.get(name, PROTOCOL) != PROTOCOL:
            warnings.append(f"{name}: liner-mcp speaks {PROTOCOL} only (port 4318); nothing is exported otherwise.")
            exporters.remove("otlp")
    return tuple(exporter for exporter in EXPORTERS if exporter in exporters)
