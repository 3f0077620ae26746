"""Each call and each read leaves one line that says who asked for which ids and how it ended, and holds no content."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import MCPError
from pydantic import JsonValue

import liner_mcp.errors
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.errors import LinerMcpError
from liner_mcp.server.app import create_server
from liner_mcp.server.audit_log import logged_arguments
from liner_mcp.server.log_redaction import RESOURCES, TOOLS
from liner_mcp.settings import Settings
from tests.conftest import NOW, OpenSession
from tests.fakes import FakeLiner
from tests.fakes.blocking_liner import BlockingLiner
from tests.support.account import ACCOUNT
from tests.support.log_capture import LogCapture, capture_logs, integers_in, strings_in

pytestmark = pytest.mark.anyio

KEYS = [
    "time",
    "event",
    "request_id",
    "caller",
    "kind",
    "name",
    "arguments",
    "outcome",
    "error",
    "rows",
    "complete",
    "bytes",
    "seconds",
    "liner_requests",
    "liner_deduplicated",
    "liner_cache_hits",
]
OUTCOMES = {"ok", "partial", "refused", "failed", "cancelled", "timeout"}
ERRORS = {
    name
    for name, value in vars(liner_mcp.errors).items()
    if isinstance(value, type) and issubclass(value, LinerMcpError)
}

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@pytest.fixture
def lines() -> Generator[LogCapture]:
    with capture_logs() as lines:
        yield lines


class StatusLiner:
    """A Liner that gives everybody one status; None: it never answers, and says when it was asked."""

    def __init__(self, status: int | None) -> None:
        self.status = status
        self.body = b"The summary of Petrov" if status == 200 else b'{"success":false,"message":"Petrov","data":null}'
        self.asked = anyio.Event()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        del scope, receive
        self.asked.set()
        if self.status is None:
            await anyio.sleep_forever()
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": self.body})


async def test_a_whole_answer_is_ok_with_its_rows_and_its_bytes(connect: OpenSession, lines: LogCapture) -> None:
    async with connect() as session:
        result = await session.call("get_call_summaries", call_ids=[7003898, 7003901])
    line = lines.next("audit")
    assert list(line) == KEYS
    assert line["arguments"] == {"call_ids": [7003898, 7003901], "call_ids_count": 2}
    assert (line["kind"], line["name"]) == ("tool", "get_call_summaries")
    assert (line["outcome"], line["error"], line["complete"]) == ("ok", None, True)
    assert result.structured_content
    assert line["rows"] == len(result.structured_content["rows"]) == 2
    assert line["bytes"] == len(result.content[0].text.encode())  # pyright: ignore[reportAttributeAccessIssue,reportUnknownMemberType,reportUnknownArgumentType] - the one block is text
    assert (line["caller"], line["request_id"]) == (None, None)  # in memory there is neither


async def test_an_answer_that_leaves_something_out_is_partial(connect: OpenSession, lines: LogCapture) -> None:
    async with connect() as session:
        await session.answer("find_calls", since="this_month", limit=3)
        line = lines.next("audit")
        assert (line["outcome"], line["complete"], line["rows"]) == ("partial", False, 3)
        await session.answer("get_call_record", record_id=9002361)
        line = lines.next("audit")
        assert (line["outcome"], line["rows"], line["arguments"]) == ("ok", 1, {"record_id": 9002361})


async def test_a_record_whose_summary_goes_on_is_partial(
    connect: OpenSession, lines: LogCapture, dataset: Dataset
) -> None:
    longest = max(dataset.records.values(), key=lambda record: len(record.summary or ""))
    async with connect(max_answer_bytes=2_000) as session:
        answer = await session.answer("get_call_record", record_id=longest.id)
    assert "next_start" in answer["summary"]
    line = lines.next("audit")
    assert (line["outcome"], line["complete"], line["rows"]) == ("partial", False, 1)


@pytest.mark.parametrize(
    ("tool", "arguments", "error"),
    [
        ("find_calls", {"since": "someday"}, "InvalidArgument"),
        ("find_calls", {"limit": 9_999}, "InvalidArgument"),
        ("find_calls", {"callid": 1}, "InvalidArgument"),
        ("find_calls", {"orders": ["Нет такого"]}, "InvalidArgument"),
        ("list_call_records", {"call_id": 999}, "InvalidArgument"),
        ("get_call_record", {}, "InvalidArgument"),
    ],
)
async def test_what_the_caller_can_fix_is_refused(
    connect: OpenSession, lines: LogCapture, tool: str, arguments: dict[str, Any], error: str
) -> None:
    async with connect() as session:
        await session.refusal(tool, **arguments)
    line = lines.next("audit")
    assert (line["name"], line["outcome"], line["error"]) == (tool, "refused", error)
    assert (line["rows"], line["complete"], line["bytes"]) == (None, None, None)


async def test_a_tool_that_we_do_not_have_is_refused_without_its_name(connect: OpenSession, lines: LogCapture) -> None:
    async with connect() as session:
        with pytest.raises(MCPError):
            await session.call("call_79261234567", call_id=7)
    line = lines.next("audit")
    assert (line["name"], line["outcome"], line["error"]) == ("other", "refused", "InvalidArgument")


async def test_what_the_operator_can_fix_is_refused(lines: LogCapture, connect: OpenSession) -> None:
    async with connect(StatusLiner(401)) as session:
        await session.refusal("list_directory", kind="orders")
        line = lines.next("audit")
    assert (line["outcome"], line["error"]) == ("refused", "AccessRefused")


@pytest.mark.virtual_time
@pytest.mark.parametrize(("status", "error"), [(409, "LinerRejected"), (200, "InvalidResponse")])
async def test_what_liner_does_wrong_has_failed(
    connect: OpenSession, lines: LogCapture, status: int, error: str
) -> None:
    async with connect(StatusLiner(status), deadline_seconds=1) as session:
        await session.refusal("list_directory", kind="orders")
    line = lines.next("audit")
    assert (line["outcome"], line["error"]) == ("failed", error)
    assert line["liner_requests"] >= 1


async def test_a_bug_has_failed_under_the_name_of_its_class(
    connect: OpenSession, lines: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("the summary of Petrov")

    monkeypatch.setattr("liner_mcp.server.answering.list_directory", broken)
    async with connect() as session:
        await session.refusal("list_directory", kind="orders")
    line = lines.next("audit")
    assert (line["outcome"], line["error"]) == ("failed", "KeyError")


@pytest.mark.virtual_time
async def test_a_call_without_an_answer_in_time_is_too_late(connect: OpenSession, lines: LogCapture) -> None:
    async with connect(StatusLiner(None), deadline_seconds=0.2) as session:
        await session.refusal("list_call_records", call_id=7003900)
    line = lines.next("audit")
    assert (line["outcome"], line["error"]) == ("timeout", "DeadlineExceeded")
    assert line["arguments"] == {"call_id": 7003900}


async def test_a_call_that_the_client_took_back_is_cancelled(connect: OpenSession, lines: LogCapture) -> None:
    liner = StatusLiner(None)
    async with connect(liner) as session:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: session.call("list_call_records", call_id=7003900))
            await liner.asked.wait()
            group.cancel_scope.cancel()
        line = await anyio.to_thread.run_sync(lines.next, "audit")
    assert (line["outcome"], line["error"]) == ("cancelled", None)
    assert line["liner_requests"] >= 1


# resources ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "name", "asked", "rows"),
    [
        ("liner://guide", "guide", {}, None),
        ("liner://calls/7003900", "call", {"id": 7003900}, 2),
        ("liner://call-records/9002361", "call_record", {"id": 9002361}, 1),
        ("liner://call-records/9002361/summary", "summary", {"id": 9002361}, None),
        ("liner://call-records/9002361/audio", "audio", {"id": 9002361}, None),
    ],
)
async def test_a_read_is_told_by_the_kind_of_resource_and_its_id(
    connect: OpenSession, lines: LogCapture, uri: str, name: str, asked: dict[str, int], rows: int | None
) -> None:
    async with connect() as session:
        (content,) = (await session.client.read_resource(uri)).contents
    line = lines.next("audit")
    assert list(line) == KEYS
    assert (line["kind"], line["name"], line["arguments"]) == ("resource", name, asked)
    assert (line["outcome"], line["rows"], line["complete"]) == ("ok", rows, True)
    text = getattr(content, "text", None)
    assert line["bytes"] == len(text.encode()) if isinstance(text, str) else line["bytes"] > 1_000


@pytest.mark.parametrize(
    ("uri", "name", "error"),
    [
        ("liner://calls/999", "call", "InvalidArgument"),
        ("liner://calls/Petrov", "call", "InvalidArgument"),
        ("liner://leads/Petrov", "other", "NotFound"),
        ("https://example.com/79261234567", "other", "NotFound"),
    ],
)
async def test_a_read_of_what_is_not_there_is_refused(
    connect: OpenSession, lines: LogCapture, uri: str, name: str, error: str
) -> None:
    async with connect() as session:
        with pytest.raises(MCPError):
            await session.client.read_resource(uri)
    line = lines.next("audit")
    assert (line["name"], line["outcome"], line["error"]) == (name, "refused", error)
    assert "Petrov" not in json.dumps(line)


@pytest.mark.virtual_time
async def test_a_read_fails_and_is_too_late_as_a_call_does(connect: OpenSession, lines: LogCapture) -> None:
    for status, outcome, error in ((200, "failed", "InvalidResponse"), (None, "timeout", "DeadlineExceeded")):
        async with connect(StatusLiner(status), deadline_seconds=0.5) as session:
            with pytest.raises(MCPError):
                await session.client.read_resource("liner://calls/7003900")
        line = lines.next("audit")
        assert (line["outcome"], line["error"], line["arguments"]) == (outcome, error, {"id": 7003900})


# what it cost --------------------------------------------------------------------------------------------------------


async def test_of_two_who_ask_the_same_at_once_one_pays_and_the_other_shares(
    connect: OpenSession, lines: LogCapture, dataset: Dataset
) -> None:
    liner = BlockingLiner(dataset)
    async with connect(liner) as session:
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(lambda: session.answer("list_directory", kind="call_statuses"))
            await liner.arrived.wait()
            await anyio.wait_all_tasks_blocked()
            liner.release()
        both = [lines.next("audit"), lines.next("audit")]
    assert sum(line["liner_requests"] for line in both) == len(liner.requests)


async def test_the_same_record_of_two_caller_is_one_request_and_one_share(
    connect: OpenSession, lines: LogCapture, dataset: Dataset
) -> None:
    liner = BlockingLiner(dataset)
    async with connect(liner) as session:
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(lambda: session.client.read_resource("liner://call-records/9002361/summary"))
            await liner.arrived.wait()
            await anyio.wait_all_tasks_blocked()
            liner.release()
        both = [lines.next("audit"), lines.next("audit")]
        assert sorted((line["liner_requests"], line["liner_deduplicated"]) for line in both) == [(0, 1), (1, 0)]
        await session.answer("get_call_record", record_id=9002361)
        line = lines.next("audit")
        assert (line["liner_requests"], line["liner_deduplicated"], line["liner_cache_hits"]) == (1, 0, 1)  # a name


async def test_the_requests_of_calls_that_run_at_once_add_up(
    connect: OpenSession, lines: LogCapture, liner: FakeLiner
) -> None:
    before = len(liner.requests)
    async with connect() as session:
        async with anyio.create_task_group() as group:
            for day in range(1, 6):
                group.start_soon(lambda day=day: session.answer("find_calls", since=f"2026-11-{10 + day}"))
        paid = [lines.next("audit")["liner_requests"] for _ in range(5)]
    assert sum(paid) == len(liner.requests) - before
    assert min(paid) >= 1


# nothing of anybody ---------------------------------------------------------------------------------------------------


async def test_no_word_and_no_number_of_anybody_gets_into_a_line(connect: OpenSession, lines: LogCapture) -> None:
    dataset = Dataset.generate(now=NOW, calls=400)
    liner = DemoLiner(dataset)
    lead, *_ = dataset.leads.values()
    records, calls = list(dataset.records), list(dataset.calls)
    said = "Перезвоните Ивану 8 (926) 123-45-67"
    phone = 79261234567
    questions: list[tuple[str, dict[str, Any]]] = [
        ("find_calls", {"since": "this_month", "agents": ["Anna Petrova", 101, "9261234567", phone], "limit": 5}),
        ("find_calls", {"leads": [lead.id, phone, "79261234567"], "since": "-30d"}),
        ("find_calls", {"leads": "[79261234567]"}),
        ("find_calls", {"orders": said, "statuses": '["busy", 3]'}),
        ("find_calls", {"cursor": said}),
        ("find_calls", {"since": said}),
        ("find_calls", {"since": "this_month", "sample": 5, "seed": "Petrova"}),
        ("find_calls", {said: said}),
        ("call_stats", {"since": "this_month", "agents": "Anna Petrova"}),
        ("list_directory", {"kind": "agents", "query": "Petrova"}),
        ("list_directory", {"kind": said}),
        ("list_call_records", {"call_id": said}),
        ("list_call_records", {"call_id": phone}),
        ("list_call_records", {"call_id": {"phone": phone}}),
        ("get_call_summaries", {"call_ids": calls[:60]}),
        ("get_call_summaries", {"call_ids": f"{phone}, {said}"}),
        ("get_call_record", {"record_id": records[0]}),
        ("get_call_record", {"record_id": 9_999_999}),
    ]
    pages: list[str] = []
    async with connect(liner, show_phones=True) as session:
        for tool, arguments in questions:
            answer = await session.call(tool, **arguments)
            pages += (
                [answer.structured_content["page"].get("next_cursor", "")]
                if (answer.structured_content and "page" in answer.structured_content)
                else []
            )
        for cursor in filter(None, pages):
            await session.call("find_calls", cursor=cursor)
        for record_id in records[:5]:
            await session.client.read_resource(f"liner://call-records/{record_id}/summary")
        with pytest.raises(MCPError):
            await session.client.read_resource(f"liner://calls/{phone}")
    assert any(pages)
    told = [json.loads(text) for text in lines.texts]
    assert len(told) == len(questions) + len(list(filter(None, pages))) + 6
    allowed = {"audit", "tool", "resource", "other"} | TOOLS | RESOURCES | OUTCOMES | ERRORS
    for line in told:
        assert strings_in(line) - {line["time"]} <= allowed
        assert not any(number >= 10**9 for number in integers_in(line))
    assert told[0]["arguments"] == {"agents": [101], "agents_count": 4}
    assert told[1]["arguments"] == {"leads": [lead.id], "leads_count": 3}
    assert told[3]["arguments"] == {"orders": [], "orders_count": 1, "statuses": [3], "statuses_count": 2}
    (many,) = (line for line in told if line["arguments"].get("call_ids_count") == 60)
    assert many["arguments"]["call_ids"] == calls[:20]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = ["call_id", "record_id", "call_ids", "leads", "orders", "agents", "statuses", "query", "cursor", "since"]


@given(st.dictionaries(st.sampled_from(ARGUMENTS), JSON))
def test_of_any_arguments_only_short_ids_and_counts_are_left(arguments: dict[str, JsonValue]) -> None:
    asked = logged_arguments(arguments)
    assert strings_in(asked) == set()
    assert set(asked) <= {*ARGUMENTS[:7], *(f"{name}_count" for name in ARGUMENTS[2:7])}
    for name in ("call_id", "record_id"):
        assert asked.get(name) is None or 1 <= asked[name] < 10**9
    for name in ARGUMENTS[2:7]:
        assert len(asked.get(name, [])) <= min(20, asked.get(f"{name}_count", 0))


# where it is written -------------------------------------------------------------------------------------------------


def test_over_stdio_no_line_is_written_unless_it_is_asked_for() -> None:
    call = {"name": "list_directory", "arguments": {"kind": "orders"}}
    meta: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    asked: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**call, "_meta": meta}}
    for log, events in (("", []), ("off", []), ("json", ["message", "audit"])):
        process = subprocess.Popen(
            [sys.executable, "-m", "liner_mcp", "serve", "--demo"],
            env={"LINER_MCP_LOG": log, **_environment()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            out, errors = process.communicate(timeout=60)
        assert answer["result"]["structuredContent"]["rows"]
        assert out == ""
        assert [json.loads(line)["event"] for line in errors.splitlines()] == events


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("LINER_")}


async def test_without_a_reader_nothing_is_made() -> None:
    with capture_logs(logging.WARNING) as lines:
        server = create_server(Settings(**ACCOUNT), transport=httpx.ASGITransport(app=DemoLiner()))
        await server.call_tool("list_directory", {"kind": "orders"})
    assert lines.texts == []
