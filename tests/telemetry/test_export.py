"""Real processes that send to a real collector over OTLP/HTTP, or find none, or find it broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.requests import Request

from liner_mcp import __version__
from tests.http_server.support import LEGACY, MODERN, PATIENCE, call, question, result
from tests.http_server.test_stopping import ended, started
from tests.support.asgi_server import serve_app
from tests.support.sentences import assert_says

HOSTILE = "Petrov +79261234567"
TRACE = "0af7651916cd43dd8448eb211c80319c"
REQUEST: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "get_call_record",
        "arguments": {"record_id": 9002361},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}


class Collector:
    """What an OTLP/HTTP collector received. `stuck`: it takes everything and never answers."""

    def __init__(self, *, stuck: bool = False) -> None:
        self.bodies: dict[str, list[bytes]] = {"/v1/traces": [], "/v1/metrics": []}
        self.ended = threading.Event()
        self._stuck = stuck

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = await Request(scope, receive).body()
        self.bodies[scope["path"]].append(body)
        if self._stuck:
            import anyio

            await anyio.to_thread.run_sync(self.ended.wait, 2 * PATIENCE)
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/x-protobuf")]}
        )
        await send({"type": "http.response.body", "body": b""})

    def spans(self) -> list[Span]:
        return [
            span
            for body in self.bodies["/v1/traces"]
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def resources(self) -> list[dict[str, str]]:
        return [
            {one.key: one.value.string_value for one in resource.resource.attributes}
            for body in self.bodies["/v1/traces"]
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        ]

    def metrics(self) -> set[str]:
        return {
            metric.name
            for body in self.bodies["/v1/metrics"]
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@contextmanager
def collecting(*, stuck: bool = False) -> Generator[tuple[Collector, str]]:
    collector = Collector(stuck=stuck)
    with serve_app(collector, lifespan="off") as origin:
        try:
            yield collector, origin
        finally:
            collector.ended.set()


def attributes(span: Span) -> dict[str, Any]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}


@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "two workers"])
def test_a_served_call_and_its_requests_to_liner_are_one_trace_that_tells_nothing_of_anybody(
    options: tuple[str, ...],
) -> None:
    with collecting() as (collector, origin):
        with started("--demo", *options, OTEL_EXPORTER_OTLP_ENDPOINT=origin) as (process, url):
            traced = call("get_call_record", record_id=9002361)
            traced["json"]["params"]["_meta"] |= {
                "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
                "tracestate": "who=Petrov",
                "baggage": "who=Petrov",
            }
            assert result(httpx.post(url, **traced, timeout=PATIENCE))["structuredContent"]["record"]
            for hostile in (
                question("tools/call", LEGACY, name=HOSTILE, arguments={}),
                question("prompts/get", LEGACY, name=HOSTILE),
                question("resources/read", LEGACY, uri=f"liner://{HOSTILE}", name=HOSTILE),
                question(HOSTILE, LEGACY, name=HOSTILE),
                call("find_calls", LEGACY, agents=[HOSTILE], since=HOSTILE),
            ):
                hostile["json"]["id"] = HOSTILE
                httpx.post(url, **hostile, timeout=PATIENCE)
            process.terminate()
            code, out, _ = ended(process)
        assert (code, out) == (0, "")
        spans = collector.spans()
        ours = [span for span in spans if span.trace_id.hex() == TRACE]
        (server,) = [span for span in ours if span.kind == Span.SPAN_KIND_SERVER]
        clients = [span for span in ours if span.kind == Span.SPAN_KIND_CLIENT]
        assert server.name == "tools/call get_call_record"
        assert attributes(server)["gen_ai.tool.name"] == "get_call_record"
        assert "GET /v2/call-record/detail/{id}/" in {span.name for span in clients}
        assert {span.parent_span_id for span in clients} == {server.span_id}
        assert {attributes(span)["http.response.status_code"] for span in clients} == {200}
        assert {span.name for span in spans if span.kind == Span.SPAN_KIND_SERVER} == {
            "tools/call get_call_record",
            "tools/call other",
            "tools/call find_calls",
            "prompts/get other",
            "resources/read",
            "other",
        }
        assert all(one["service.name"] == "liner-mcp" for one in collector.resources())
        assert all(one["service.version"] == __version__ for one in collector.resources())
        assert {"liner_mcp.calls", "liner_mcp.liner.requests", "http.client.request.duration"} <= collector.metrics()
        everything = b"".join(body for bodies in collector.bodies.values() for body in bodies)
        for secret in ("Petrov", "79261234567", "9002361", "api-key", "X-Api-Key", "7003900"):
            assert secret.encode() not in everything


def stdio(program: list[str], **environment: str) -> tuple[dict[str, Any], str, str]:
    """The answer to one question, and what else was on stdout and stderr when the process had ended by itself."""
    process = subprocess.Popen(
        [sys.executable, *program],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(REQUEST) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            out, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert process.returncode == 0
    assert answer["result"]["structuredContent"]["record"]
    return answer, out, errors


SERVE = ["-m", "liner_mcp", "serve", "--demo"]


def test_over_stdio_it_sends_as_well_and_stdout_stays_the_protocols() -> None:
    with collecting() as (collector, origin):
        _, out, errors = stdio(SERVE, OTEL_EXPORTER_OTLP_ENDPOINT=origin, OTEL_SERVICE_NAME="calls")
        assert (out, errors) == ("", "")
        assert "tools/call get_call_record" in {span.name for span in collector.spans()}
        assert {one["service.name"] for one in collector.resources()} == {"calls"}
        assert "liner_mcp.answer.rows" in collector.metrics()


def test_the_console_of_a_stdio_server_is_stderr() -> None:
    _, out, errors = stdio(SERVE, OTEL_TRACES_EXPORTER="console", OTEL_METRICS_EXPORTER="console")
    assert out == ""
    exported = [json.loads(line) for line in errors.splitlines()]  # one object per line, as everything else on stderr
    assert "tools/call get_call_record" in [one.get("name") for one in exported]
    assert "liner_mcp.liner.requests" in errors


def test_a_collector_that_never_answers_holds_no_one_up() -> None:
    with collecting(stuck=True) as (collector, origin):
        stdio(SERVE, OTEL_EXPORTER_OTLP_ENDPOINT=origin, OTEL_EXPORTER_OTLP_TIMEOUT="120")
        assert collector.bodies["/v1/traces"]


def test_a_collector_that_is_away_holds_no_one_up() -> None:
    stdio(SERVE, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")


def test_without_the_extra_serving_goes_on_with_one_sentence() -> None:
    program = (
        "import sys; sys.modules['opentelemetry.sdk'] = None;"
        "from liner_mcp.cli.main import main; main(['serve', '--demo'])"
    )
    _, out, errors = stdio(["-c", program], OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert out == ""
    (sentence,) = errors.splitlines()
    assert_says(sentence, "install_liner_mcp_otel")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "otel_traces_exporter"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_METRIC_EXPORT_INTERVAL": "-1"},
            "opentelemetry_could_not_be_set_up",
        ),
    ],
)
def test_what_cannot_be_set_up_is_one_sentence_and_serving_goes_on(environment: dict[str, str], said: str) -> None:
    _, out, errors = stdio(SERVE, **environment)
    assert out == ""
    (sentence,) = errors.splitlines()
    assert_says(sentence, said, at_start=True)


def test_switched_off_nothing_is_sent() -> None:
    with collecting() as (collector, origin):
        _, out, errors = stdio(SERVE, OTEL_EXPORTER_OTLP_ENDPOINT=origin, OTEL_SDK_DISABLED="true")
        assert (out, errors) == ("", "")
        assert not any(collector.bodies.values())


def test_a_server_that_is_not_watched_imports_nothing_for_it() -> None:
    program = (
        "import sys, liner_mcp.cli.main; from liner_mcp.server.app import create_server;"
        "from liner_mcp.settings import Settings; create_server(Settings(mcp_demo=True));"
        "print([m for m in sys.modules if m.startswith(('opentelemetry.sdk', 'opentelemetry.exporter',"
        " 'opentelemetry.metrics', 'liner_mcp.telemetry'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
