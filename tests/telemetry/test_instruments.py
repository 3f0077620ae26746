"""Spans and counts of what the server does, caught in memory, and nothing of anybody in them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.liner.circuit_breaker import TARGETS_TO_OPEN
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from liner_mcp.telemetry.export import RedactingExporter, Telemetry
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.fakes.blocking_liner import BlockingLiner
from tests.support.account import ACCOUNT

pytestmark = pytest.mark.anyio


@dataclass
class CollectedTelemetry:
    """What telemetry gathered."""

    telemetry: Telemetry
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader
    tracers: TracerProvider

    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def counts(self) -> dict[str, list[tuple[dict[str, Any], Any]]]:
        """Attributes and value of each point, by the metric's name."""
        found: dict[str, list[tuple[dict[str, Any], Any]]] = {}
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        value = getattr(point, "value", None) if hasattr(point, "value") else getattr(point, "count", 0)
                        found.setdefault(metric.name, []).append((dict(point.attributes or {}), value))
        return found

    def total(self, name: str) -> int:
        return sum(value for _, value in self.counts().get(name, []))


@pytest.fixture
def collected() -> Generator[CollectedTelemetry]:
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(RedactingExporter(exporter)))
    meters = MeterProvider([reader], shutdown_on_exit=False)
    yield CollectedTelemetry(Telemetry(tracers, meters, []), exporter, reader, tracers)
    tracers.shutdown()
    meters.shutdown()


@asynccontextmanager
async def connected(
    collected: CollectedTelemetry, liner: Any, *, shared: bool = False, **settings: Any
) -> AsyncGenerator[Client]:
    fields: dict[str, Any] = {**ACCOUNT, "timezone": "Europe/Moscow", "requests_per_second": 0, **settings}
    server = create_server(
        Settings(**fields),
        transport=httpx.ASGITransport(app=liner),
        now=lambda: NOW,
        shared=shared,
        observer=collected.telemetry,
    )
    async with Client(server) as client:
        yield client


async def test_each_request_to_liner_is_a_client_span_by_the_conventions(
    collected: CollectedTelemetry, liner: FakeLiner
) -> None:
    before = len(liner.requests)
    async with connected(collected, liner) as client:
        await client.call_tool("list_call_records", {"call_id": 7003900})
    asked = len(liner.requests) - before
    spans = collected.spans()
    assert len(spans) == asked == collected.total("liner_mcp.liner.requests") > 2
    assert {span.kind for span in spans} == {SpanKind.CLIENT}
    assert "GET /v2/call/detail/{id}/" in {span.name for span in spans}
    for span in spans:
        attributes = dict(span.attributes or {})
        waited = attributes.pop("liner_mcp.queued_seconds")
        assert isinstance(waited, float)
        assert 0 <= waited < 20
        template = attributes.pop("url.template")
        assert span.name == f"GET {template}"
        assert attributes == {
            "http.request.method": "GET",
            "server.address": "127.0.0.1",
            "server.port": 80,
            "http.response.status_code": 200,
            "liner_mcp.deduplicated": False,
        }
        assert span.status.status_code is StatusCode.UNSET
    durations = collected.counts()["http.client.request.duration"]
    assert sum(count for _, count in durations) == asked
    assert all(attributes["http.response.status_code"] == 200 for attributes, _ in durations)


async def test_rows_bytes_and_outcomes_are_counted(collected: CollectedTelemetry, liner: DemoLiner) -> None:
    async with connected(collected, liner) as client:
        answer = await client.call_tool("list_directory", {"kind": "orders"})
        await client.call_tool("list_directory", {"kind": "nothing"})
        await client.read_resource("liner://call-records/9002361/summary")
        await client.call_tool("get_call_record", {"record_id": 9002361})
        received = collected.total("liner_mcp.liner.received")
        counts = collected.counts()
    assert answer.structured_content
    orders = {"kind": "tool", "name": "list_directory"}
    assert ({**orders, "outcome": "ok"}, 1) in counts["liner_mcp.calls"]
    assert ({**orders, "outcome": "refused"}, 1) in counts["liner_mcp.calls"]
    assert ({"kind": "resource", "name": "summary", "outcome": "ok"}, 1) in counts["liner_mcp.calls"]
    assert (orders, len(answer.structured_content["rows"])) in counts["liner_mcp.answer.rows"]
    text = answer.content[0].text  # pyright: ignore[reportAttributeAccessIssue,reportUnknownMemberType,reportUnknownVariableType] - the one block is text
    assert (orders, len(text.encode())) in counts["liner_mcp.answer.size"]  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType] - as above
    assert collected.total("liner_mcp.liner.cache_hits") == 1
    assert received > 1_000


class FailingLiner:
    """A Liner that answers with these statuses in turn, the last one for ever."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = list(statuses)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        del scope, receive
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        headers = [(b"retry-after", b"0")] if status == 503 else []
        body = (
            b'{"success":true,"data":{"items":[],"total":0},"message":""}' if status == 200 else b"Petrov +79261234567"
        )
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def test_a_retry_is_a_span_of_its_own_that_says_so(collected: CollectedTelemetry) -> None:
    async with connected(collected, FailingLiner(503, 200)) as client:
        await client.call_tool("list_directory", {"kind": "orders"})
    first, second, *_ = collected.spans()
    assert (first.attributes or {})["http.response.status_code"] == 503
    assert (first.attributes or {})["error.type"] == "503"
    assert first.status.status_code is StatusCode.ERROR
    assert (first.status.description, list(first.events)) == (None, [])
    assert "http.request.resend_count" not in (first.attributes or {})
    assert (second.attributes or {})["http.request.resend_count"] == 1
    assert (second.attributes or {})["http.response.status_code"] == 200
    assert collected.total("liner_mcp.liner.retry") == 1
    failures = [a for a, _ in collected.counts()["http.client.request.duration"] if a.get("error.type") == "503"]
    assert len(failures) == 1


@pytest.mark.virtual_time
async def test_an_open_circuit_breaker_is_counted(
    collected: CollectedTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liner_mcp.liner.circuit_breaker.FAILING_SECONDS", 0.0)  # as if it had gone on for so long
    liner = connected(collected, FailingLiner(500), shared=True, deadline_seconds=1)
    async with liner as client, anyio.create_task_group() as group:
        for number in range(TARGETS_TO_OPEN + 1):
            group.start_soon(client.call_tool, "list_call_records", {"call_id": 7003900 + number})
    assert collected.total("liner_mcp.liner.circuit_open") > 0
    refused = [span for span in collected.spans() if (span.attributes or {}).get("error.type") == "CircuitOpen"]
    assert len(refused) == collected.total("liner_mcp.liner.circuit_open")
    assert not any("http.response.status_code" in (span.attributes or {}) for span in refused)


async def test_a_shared_request_is_one_request_and_a_span_for_each_caller(
    collected: CollectedTelemetry, dataset: Dataset
) -> None:
    liner = BlockingLiner(dataset)
    async with connected(collected, liner) as client, anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(client.call_tool, "get_call_record", {"record_id": 9002361})
        await liner.arrived.wait()
        await anyio.wait_all_tasks_blocked()
        liner.release()
    spans = [span for span in collected.spans() if span.name == "GET /v2/call-record/detail/{id}/"]
    assert [(span.attributes or {})["liner_mcp.deduplicated"] for span in spans].count(True) == len(spans) - 1 == 2
    (own,) = [span for span in spans if not (span.attributes or {})["liner_mcp.deduplicated"]]
    assert (own.attributes or {})["http.response.status_code"] == 200
    assert collected.total("liner_mcp.liner.deduplicated") >= 2
    assert collected.total("liner_mcp.liner.requests") == len(liner.requests)


async def test_the_request_of_a_caller_who_left_is_counted_all_the_same(
    collected: CollectedTelemetry, dataset: Dataset
) -> None:
    liner = BlockingLiner(dataset)
    async with connected(collected, liner) as client, anyio.create_task_group() as staying:
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(client.call_tool, "get_call_record", {"record_id": 9002361})
            await liner.arrived.wait()
            staying.start_soon(client.call_tool, "get_call_record", {"record_id": 9002361})
            await anyio.wait_all_tasks_blocked()
            leaving.cancel_scope.cancel()
        liner.release()
    assert collected.total("liner_mcp.liner.requests") == len(liner.requests)
    assert {a["outcome"]: n for a, n in collected.counts()["liner_mcp.calls"]} == {"cancelled": 1, "ok": 1}


HOSTILE = "Petrov +79261234567"


def test_a_span_of_the_mcp_sdk_leaves_without_what_a_client_put_into_it(collected: CollectedTelemetry) -> None:
    """As `mcp.server._otel` makes them, with a client that names everything after a person."""
    tracer = collected.tracers.get_tracer("mcp-python-sdk")
    attributes = {
        "mcp.method.name": "tools/call",
        "mcp.protocol.version": HOSTILE,
        "jsonrpc.request.id": HOSTILE,
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": HOSTILE,
        "anything.else": HOSTILE,
    }
    with tracer.start_as_current_span(
        f"tools/call {HOSTILE}", kind=SpanKind.SERVER, attributes=attributes, set_status_on_exception=False
    ) as span:
        span.record_exception(ValueError(HOSTILE))
        span.set_attribute("error.type", "ValueError")
        span.set_status(StatusCode.ERROR, HOSTILE)
        with tracer.start_as_current_span(HOSTILE, attributes={"mcp.method.name": HOSTILE}):
            pass
    inner, outer = collected.spans()
    assert "Petrov" not in outer.to_json() + inner.to_json()
    assert "79261234567" not in outer.to_json() + inner.to_json()
    assert (inner.name, outer.name) == ("other", "tools/call other")
    assert dict(outer.attributes or {}) == {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "other",
        "error.type": "ValueError",
    }
    assert [(event.name, dict(event.attributes or {})) for event in outer.events] == [
        ("exception", {"exception.type": "ValueError"})
    ]
    assert (outer.status.status_code, outer.status.description) == (StatusCode.ERROR, None)
    assert outer.kind is SpanKind.SERVER
    assert inner.parent == outer.context
    assert (outer.end_time or 0) >= (inner.end_time or 0) >= (inner.start_time or 0) >= (outer.start_time or 0) > 0


def test_an_ordinary_span_of_the_mcp_sdk_keeps_what_it_says(collected: CollectedTelemetry) -> None:
    tracer = collected.tracers.get_tracer("mcp-python-sdk")
    attributes = {
        "mcp.method.name": "tools/call",
        "mcp.protocol.version": "2026-07-28",
        "jsonrpc.request.id": "12",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "find_calls",
        "error.type": "tool_error",
    }
    with tracer.start_as_current_span("tools/call find_calls", kind=SpanKind.SERVER, attributes=attributes):
        pass
    (span,) = collected.spans()
    assert span.name == "tools/call find_calls"
    assert dict(span.attributes or {}) == attributes


async def test_no_id_no_name_and_no_phone_is_in_any_span_or_point(
    collected: CollectedTelemetry, liner: DemoLiner
) -> None:
    async with connected(collected, liner, show_phones=True) as client:
        for tool, arguments in (
            ("find_calls", {"since": "this_month", "agents": ["Anna Petrova"], "limit": 3}),
            ("find_calls", {"orders": [HOSTILE]}),
            ("get_call_summaries", {"call_ids": [7003898, 7003901]}),
            ("get_call_record", {"record_id": 9002361}),
            ("get_call_record", {"record_id": 999}),
        ):
            await client.call_tool(tool, arguments)
        with pytest.raises(Exception, match="id"):
            await client.read_resource(f"liner://calls/{HOSTILE}")
    values = {str(value) for span in collected.spans() for value in (span.attributes or {}).values()}
    values |= {str(value) for points in collected.counts().values() for known, _ in points for value in known.values()}
    assert len(values) > 10
    assert not [
        (secret, value)
        for secret in ("Petrov", "7926", "700389", "9002361", "999", "?", "=")
        for value in values
        if secret in value
    ]
    assert {span.name for span in collected.spans()} <= {
        f"GET /v2/{path}/"
        for path in (
            "order",
            "call",
            "user/list",
            "agent-group",
            "call-status",
            "lead-status",
            "call-record",
            "call/detail/{id}",
            "call-record/detail/{id}",
            "lead/detail/{id}",
        )
    }
