"""One odd value, one odd row or one refused call leaves the rest of an answer. In both protocol eras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import anyio
import pytest
import stamina

from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.demo.app import Response, Scope
from liner_mcp.liner.endpoints import MAX_IDS, MAX_TARGET_CHARACTERS, CallFilter
from liner_mcp.liner.restricted_client import Access, RestrictedClient
from tests.calls.support import context_at, empty_dataset
from tests.conftest import NOW, OpenSession
from tests.fakes import FakeLiner
from tests.fakes.exchange import Request, refusal
from tests.fault_matrix.client import ToolRequest, client_for, in_process, send
from tests.support.context import AlteredLiner, rows_of

pytestmark = pytest.mark.anyio

CALLS, RECORDS, USERS, ORDERS = r"^/v2/call/\?", r"^/v2/call-record/\?", "^/v2/user/list/", r"^/v2/order/"
WINDOW = {"since": "-1h"}


def account(calls: int = 6) -> Dataset:
    dataset = empty_dataset()
    for minutes in range(1, calls + 1):
        call = dataset.add_call(
            created_at=NOW - timedelta(minutes=minutes), agent=101 + minutes % 2, talk_time_duration_seconds=60
        )
        dataset.add_record(call.id, summary="Клиент согласен на встречу.", is_transfer=minutes % 2 == 0)
    return dataset


def ids(dataset: Dataset) -> list[int]:
    return [call.id for call in sorted(dataset.calls.values(), key=lambda call: call.created_at, reverse=True)]


def altered(dataset: Dataset, pattern: str, change: Callable[[list[Any]], Any], **options: Any) -> Any:
    return AlteredLiner(
        DemoLiner(dataset), change_by_pattern={pattern: lambda data: {**data, "list": change(data["list"])}}, **options
    )


def with_cell(call_id: int, name: str, value: object) -> Callable[[list[Any]], list[Any]]:
    return lambda rows: [{**row, name: value} if row["id"] == call_id else row for row in rows]


def null_first(rows: list[Any]) -> list[Any]:
    return [None, *rows[1:]]


# Cells ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "column"),
    [
        ("waitTimeDurationSeconds", "4.5", "wait_seconds"),
        ("hasRecords", 2, "recorded"),
        ("talkTimeDurationSeconds", 10**12, "talk_seconds"),
        ("leadId", {"id": 7}, "lead_id"),
        ("statusCode", ["qualified"], "status"),
    ],
)
async def test_an_odd_cell_is_null_and_named_and_the_other_rows_stay(
    connect: OpenSession, name: str, value: object, column: str
) -> None:
    dataset = account()
    odd = ids(dataset)[2]
    async with connect(altered(dataset, CALLS, with_cell(odd, name, value))) as session:
        answer = await session.answer("find_calls", **WINDOW, include=["lead_id", "wait_seconds"])
    rows = {row["call_id"]: row[column] for row in rows_of(answer)}
    assert list(rows) == ids(dataset)
    assert [one for one, cell in rows.items() if cell is None] == [odd]
    assert answer["page"] == {"returned": 6, "complete": True, "total": 6}
    assert f"Liner sends no {name} that can be read for 1 of these calls ({odd});" in answer["notes"][0]


async def test_an_odd_time_leaves_its_call_undecided_also_where_the_page_ends_before_it(connect: OpenSession) -> None:
    dataset = account()
    odd = ids(dataset)[4]
    async with connect(altered(dataset, CALLS, with_cell(odd, "createdAt", "20.11.2026 12:00:00"))) as session:
        first = await session.answer("find_calls", **WINDOW, limit=2)
        rest = await session.answer("find_calls", cursor=first["page"]["next_cursor"])
    assert (first["retry"], first["page"]["undecided"]) == ([odd], 1)
    found = [row["call_id"] for answer in (first, rest) for row in rows_of(answer)]
    assert found == [one for one in ids(dataset) if one != odd]
    assert not rest["page"]["complete"]


async def test_counts_that_need_an_odd_cell_are_null_and_the_call_is_named(connect: OpenSession) -> None:
    dataset = account()
    odd = ids(dataset)[0]
    async with connect(altered(dataset, CALLS, with_cell(odd, "talkTimeDurationSeconds", "soon"))) as session:
        answer = await session.answer("call_stats", **WINDOW, group_by=["agent"])
    rows = {row["agent_id"]: row for row in rows_of(answer)}
    agent = dataset.calls[odd].user_id
    assert {one: row["talk_total_seconds"] for one, row in rows.items()} == {
        one: None if one == agent else 180 for one in (101, 102)
    }
    assert answer["totals"]["calls"] == 6
    assert not answer["page"]["complete"]
    assert f"for 1 of these calls ({odd}); counts that need it are null." in answer["notes"][0]


async def test_a_record_with_an_odd_cell_is_shown_with_the_others(connect: OpenSession) -> None:
    dataset = account(1)
    (call_id,) = ids(dataset)
    odd = dataset.add_record(call_id, summary="Вторая запись.").id
    async with connect(altered(dataset, RECORDS, with_cell(odd, "isTransfer", 2))) as session:
        for tool, arguments in (("list_call_records", {"call_id": call_id}),
                                ("get_call_summaries", {"call_ids": [call_id]})):  # fmt: skip
            answer = await session.answer(tool, **arguments)
            assert {row["record_id"]: row["transfer"] is None for row in rows_of(answer)}[odd]
            assert len(rows_of(answer)) == 2
            assert any(f"transfer (record {odd})" in note for note in answer["notes"])
        undecided = await session.answer("find_calls", **WINDOW, transferred=True)
    assert undecided["retry"] == [call_id]


async def test_an_agent_whose_name_cannot_be_read_has_no_name_and_may_be_the_one_that_is_meant(
    connect: OpenSession,
) -> None:
    dataset = account()
    async with connect(altered(dataset, USERS, with_cell(101, "name", ["Anna"]))) as session:
        answer = await session.answer("find_calls", **WINDOW)
        listed = await session.answer("list_directory", kind="agents")
        refused = await session.refusal("find_calls", **WINDOW, agents=["Anna"])
    assert set(answer["names"]["agents"]) == {"102"}
    assert "Names of some agents could not be read from Liner; their ids are right." in answer["notes"]
    assert [row["name"] for row in rows_of(listed) if row["id"] == 101] == [None]
    assert "the names of some agents could not be read, so it may be right" in refused


# Rows -----------------------------------------------------------------------------------------------------------------


def first_without_id(rows: list[Any]) -> list[Any]:
    return [{**rows[0], "id": "x"}, *rows[1:]]


@pytest.mark.parametrize("change", [null_first, first_without_id])
async def test_a_row_without_an_id_is_left_out_and_counted(connect: OpenSession, change: Any) -> None:
    dataset = account()
    async with connect(altered(dataset, CALLS, change)) as session:
        found = await session.answer("find_calls", **WINDOW)
        counted = await session.answer("call_stats", **WINDOW, group_by=["agent"])
        drawn = await session.answer("find_calls", **WINDOW, sample=5)
    for answer in (found, counted, drawn):
        assert not answer["page"]["complete"]
        assert any(note.startswith("1 row of Liner's list of calls could not be read") for note in answer["notes"])
    assert (len(rows_of(found)), counted["totals"]["calls"], len(rows_of(drawn))) == (5, 5, 5)


async def test_the_pages_of_an_answer_go_on_past_rows_that_cannot_be_read(connect: OpenSession) -> None:
    dataset = account(40)
    async with connect(altered(dataset, CALLS, null_first)) as session:
        answer = await session.answer("find_calls", **WINDOW, limit=15)
        found = [row["call_id"] for row in rows_of(answer)]
        while cursor := answer["page"].get("next_cursor"):
            answer = await session.answer("find_calls", cursor=cursor)
            found += [row["call_id"] for row in rows_of(answer)]
    assert found == [one for one in ids(dataset) if one in found]
    assert len(found) >= 37


async def test_a_list_of_records_with_a_null_row_gives_the_others(connect: OpenSession) -> None:
    dataset = account(1)
    (call_id,) = ids(dataset)
    dataset.add_record(call_id, summary="Вторая запись.")
    async with connect(altered(dataset, RECORDS, null_first)) as session:
        listed = await session.answer("list_call_records", call_id=call_id)
        summaries = await session.answer("get_call_summaries", call_ids=[call_id])
    for answer in (listed, summaries):
        assert len(rows_of(answer)) == 1
        assert not answer["page"]["complete"]
    assert listed["notes"] == [
        "1 row of the list of records could not be read for lack of a usable id; some are missing here."
    ]


async def test_a_directory_with_a_null_row_gives_the_others(connect: OpenSession) -> None:
    dataset = account()
    async with connect(altered(dataset, ORDERS, null_first)) as session:
        listed = await session.answer("list_directory", kind="orders")
        found = await session.answer("find_calls", **WINDOW)
    assert len(rows_of(listed)) == len(dataset.orders) - 1
    for answer in (listed, found):
        assert not answer["page"]["complete"]
        assert any("rows of Liner's list of orders could not be read" in note for note in answer["notes"])


@pytest.mark.parametrize("pattern", [CALLS, RECORDS, ORDERS, USERS])
async def test_a_list_that_is_written_as_an_object_is_read_as_a_list(connect: OpenSession, pattern: str) -> None:
    dataset = account()
    asked: Mapping[str, dict[str, Any]] = {
        "find_calls": {**WINDOW, "transferred": True},
        "get_call_summaries": {"call_ids": ids(dataset)},
        "list_directory": {"kind": "agents"},
    }
    php = altered(dataset, pattern, lambda rows: {str(2 * number): row for number, row in enumerate(rows)} or [])
    async with connect(DemoLiner(dataset)) as healthy, connect(php) as session:
        for tool, arguments in asked.items():
            assert await session.answer(tool, **arguments) == await healthy.answer(tool, **arguments)


# One refused call -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 500])
async def test_one_call_whose_records_are_refused_is_named_and_the_others_are_answered(
    connect: OpenSession, status: int
) -> None:
    dataset = account()
    refused = ids(dataset)[2]
    others = [one for one in ids(dataset) if one != refused]
    app = AlteredLiner(DemoLiner(dataset), status_by_pattern={f"callId={refused}&": status})
    with stamina.set_testing(True, attempts=2, cap=True):
        async with connect(app) as session:
            summaries = await session.answer("get_call_summaries", call_ids=ids(dataset))
            found = await session.answer("find_calls", **WINDOW, transferred=True)
            counted = await session.answer("call_stats", **WINDOW, transferred=True, group_by=["agent"])
    states = {row["call_id"]: row["summary_state"] for row in rows_of(summaries)}
    assert states == {one: "failed" if one == refused else "ready" for one in ids(dataset)}
    transferred = [one for one in others if dataset.records_of(one)[0].is_transfer]
    assert [row["call_id"] for row in rows_of(found)] == transferred
    assert counted["totals"]["calls"] == len(transferred)
    for answer in (summaries, found, counted):
        assert answer["retry"] == [refused]
        assert not answer["page"]["complete"]


async def test_a_transfer_record_of_another_lead_does_not_fail_the_window(connect: OpenSession) -> None:
    dataset = account()
    transferred = [one for one in ids(dataset) if dataset.records_of(one)[0].is_transfer]
    app = altered(dataset, RECORDS, lambda rows: [{**row, "leadId": 42} if row["isTransfer"] else row for row in rows])
    async with connect(app) as session:
        counted = await session.answer("call_stats", **WINDOW, transferred=True, group_by=["agent"])
    assert (counted["totals"]["calls"], counted["page"]["complete"]) == (len(transferred), True)


# Many ids in one request ----------------------------------------------------------------------------------------------


class FewIdsLiner(DemoLiner):
    """It refuses a request with more than fifty ids of one parameter."""

    longest = 0

    def respond(self, scope: Scope) -> Response:
        names = [name for name, _ in Request.of(scope).params]
        self.longest = max(self.longest, len(scope["path"]) + 1 + len(scope["query_string"]))
        if any(names.count(name) > MAX_IDS for name in names):
            return refusal(400, "Too many ids.")
        return super().respond(scope)


async def test_a_liner_that_takes_fifty_ids_is_asked_several_times(connect: OpenSession) -> None:
    dataset = account()
    async with connect(FewIdsLiner(dataset)) as session:
        answer = await session.answer("call_stats", **WINDOW, orders=[*range(1_001, 1_120), *range(201, 207)])
    assert (answer["totals"]["calls"], answer["page"]["complete"]) == (6, True)


async def test_a_caller_with_many_agents_sends_short_requests_and_gets_right_totals() -> None:
    dataset = account()
    liner = FewIdsLiner(dataset)
    agents = frozenset({*range(7_000_000, 7_000_120), 101, 102})
    async with context_at(liner) as context:
        restricted = RestrictedClient(context.liner, Access(agents=agents))
        which = CallFilter(NOW - timedelta(hours=1), NOW, order_ids=tuple(order.id for order in dataset.orders))
        listing = await restricted.calls(which)
    assert {call.id for call in listing.items} == set(ids(dataset))
    assert (listing.complete, listing.total) == (True, 6)
    assert liner.longest <= MAX_TARGET_CHARACTERS


# A slow Liner ---------------------------------------------------------------------------------------------------------

SLOW_SECONDS = 2.0


@pytest.mark.virtual_time
@pytest.mark.parametrize("deadline", [10.0, 45.0])
@pytest.mark.parametrize("arguments", [{"group_by": ["agent"]}, {"group_by": ["agent"], "transferred": True}])
async def test_a_slow_liner_is_counted_in_part_and_the_rest_is_named(
    dataset: Dataset, deadline: float, arguments: dict[str, Any]
) -> None:
    liner = FakeLiner(dataset)
    async with client_for(liner, transport=in_process(liner), deadline_seconds=deadline) as client:
        for kind in ("orders", "agents", "call_statuses", "lead_statuses"):
            await client.call_tool("list_directory", {"kind": kind})
        liner.latency = SLOW_SECONDS
        begun = anyio.current_time()
        outcome = await send(client, ToolRequest("call_stats", {"since": "-40d", **arguments}))
        assert anyio.current_time() - begun <= deadline
    assert outcome.table is not None, outcome.sentence
    page = outcome.table["page"]
    assert outcome.table["totals"]["calls"] >= 1
    assert page["complete"] or {"covered", "next_window"} <= page.keys()


@pytest.mark.virtual_time
@pytest.mark.parametrize("tenths", range(1, 24))
async def test_what_was_read_before_the_deadline_is_answered_at_whatever_pace(dataset: Dataset, tenths: int) -> None:
    """The reserve before the deadline is the same for the last slice as for the first."""
    liner = FakeLiner(dataset)
    async with client_for(liner, transport=in_process(liner), deadline_seconds=10.0) as client:
        for kind in ("orders", "agents", "call_statuses"):
            await client.call_tool("list_directory", {"kind": kind})
        liner.latency = tenths / 10
        outcome = await send(client, ToolRequest("find_calls", {"since": "-40d", "min_talk_seconds": 2_000}))
    assert outcome.table is not None, outcome.sentence
    assert outcome.table["page"]["scanned"] >= 50
