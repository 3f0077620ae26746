"""Which telemetry the standard variables ask for."""

from __future__ import annotations

import pytest

from liner_mcp.telemetry.config import TelemetryConfig, read_config

THERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
NAMED = "liner-mcp"


@pytest.mark.parametrize(
    ("environment", "traces", "metrics"),
    [
        ({}, (), ()),
        ({"OTEL_SERVICE_NAME": "x", "OTEL_TRACES_SAMPLER": "always_on"}, (), ()),
        (THERE, ("otlp",), ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "  "}, (), ()),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, ("otlp",), ()),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4318/v1/metrics"}, (), ("otlp",)),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ("otlp",), ()),
        ({"OTEL_METRICS_EXPORTER": "console"}, (), ("console",)),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, ("otlp", "console"), ()),
        ({**THERE, "OTEL_METRICS_EXPORTER": "none"}, ("otlp",), ()),
        ({**THERE, "OTEL_TRACES_EXPORTER": ""}, ("otlp",), ("otlp",)),
        ({**THERE, "OTEL_SDK_DISABLED": "true"}, (), ()),
        ({**THERE, "OTEL_SDK_DISABLED": "TRUE"}, (), ()),
        ({**THERE, "OTEL_SDK_DISABLED": "1"}, ("otlp",), ("otlp",)),  # the specification: only "true" is true
        ({**THERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, ("otlp",), ("otlp",)),
    ],
)
def test_what_is_asked_for_is_chosen_without_a_word(
    environment: dict[str, str], traces: tuple[str, ...], metrics: tuple[str, ...]
) -> None:
    assert read_config(environment) == TelemetryConfig(
        traces, metrics, None if "OTEL_SERVICE_NAME" in environment or _disabled(environment) else NAMED
    )


def _disabled(environment: dict[str, str]) -> bool:
    return environment.get("OTEL_SDK_DISABLED", "").lower() == "true"


@pytest.mark.parametrize(
    ("environment", "traces", "metrics", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, (), (), "OTEL_TRACES_EXPORTER"),
        ({**THERE, "OTEL_METRICS_EXPORTER": "prometheus,otlp"}, ("otlp",), ("otlp",), "OTEL_METRICS_EXPORTER"),
        ({**THERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, (), (), "OTEL_EXPORTER_OTLP_PROTOCOL"),
        ({**THERE, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, (), ("otlp",), "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
    ],
)
def test_what_cannot_be_had_is_one_sentence_and_the_rest_goes_on(
    environment: dict[str, str], traces: tuple[str, ...], metrics: tuple[str, ...], said: str
) -> None:
    choice = read_config(environment)
    assert (choice.traces, choice.metrics) == (traces, metrics)
    (warning,) = choice.warnings
    assert warning.startswith(f"{said}: ")
    assert warning.endswith(".")


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        (THERE, "liner-mcp"),
        ({**THERE, "OTEL_SERVICE_NAME": "calls"}, None),
        ({**THERE, "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=prod,service.name=calls"}, None),
        ({**THERE, "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=prod"}, "liner-mcp"),
    ],
)
def test_the_operators_name_of_the_service_goes_before_ours(environment: dict[str, str], name: str | None) -> None:
    assert read_config(environment).service_name == name
