"""What answers say of records that Liner shares among calls, does not list, or sends without some fields."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from mcp import MCPError
from mcp.types import TextResourceContents

from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.liner.endpoints import OTHER_ACCOUNT
from tests.calls.support import empty_dataset, undecided_note
from tests.conftest import NOW, OpenSession, Session
from tests.fakes import FakeLiner
from tests.support.context import AlteredLiner, rows_of, with_total
from tests.support.sentences import assert_says

pytestmark = pytest.mark.anyio

Change = Callable[[Any], Any]
LIST, CALL, DETAIL = r"/v2/call-record/\?", "/v2/call/detail", "/v2/call-record/detail"
WINDOW = {"since": "-1h", "transferred": True}
COUNTS: list[tuple[str, dict[str, Any]]] = [
    ("find_calls", WINDOW),
    ("call_stats", WINDOW),
    ("find_calls", {**WINDOW, "sample": 20, "seed": "1"}),
]
each_count = pytest.mark.parametrize(("tool", "asked"), COUNTS, ids=["find_calls", "call_stats", "sample"])


@pytest.fixture
def own() -> Dataset:
    return empty_dataset()


def add_calls(dataset: Dataset, count: int, **record: Any) -> list[int]:
    """Calls of one record each, newest first."""
    ids = [dataset.add_call(created_at=NOW - timedelta(minutes=n)).id for n in range(1, count + 1)]
    for one in ids:
        dataset.add_record(one, **{"summary": f"Клиент звонка {one} ждёт.", **record})
    return ids


def record_of(dataset: Dataset, call_id: int) -> int:
    return dataset.records_of(call_id)[0].id


def of(*call_ids: int) -> str:
    return rf"callId=({'|'.join(map(str, call_ids))})\b"


def altered(dataset: Dataset, changes: dict[str, Change], **more: Any) -> AlteredLiner[DemoLiner]:
    return AlteredLiner(DemoLiner(dataset), change_by_pattern=changes, **more)


def each_item(**fields: Any) -> Change:
    """Every entity of an answer with other fields; a field that is `...` is left out."""

    def change(data: Any) -> Any:
        for item in data.get("list", [data]):
            for name, value in fields.items():
                item.pop(name, None)
                if value is not ...:
                    item[name] = value
        return data

    return change


def listing_of(dataset: Dataset, record_id: int) -> Change:
    """Always the list that holds this record alone."""
    call_id = dataset.records[record_id].call_id
    return lambda data: {**data, "total": 1, "list": [listed(dataset, call_id, record_id)]}


def listed(dataset: Dataset, call_id: int, record_id: int) -> dict[str, Any]:
    record = dataset.records[record_id]
    return {
        "id": record_id, "userId": record.user_id, "leadId": dataset.calls[call_id].lead_id, "isTransfer": True,
        "durationSeconds": 60, "fileUrl": None, "recordSummary": record.summary,
        "createdAt": f"{record.created_at:%Y-%m-%dT%H:%M:%SZ}",
    }  # fmt: skip


def notes(answer: dict[str, Any]) -> str:
    return " ".join(answer.get("notes", []))


def states(answer: dict[str, Any]) -> dict[int, str]:
    return {row["call_id"]: row["summary_state"] for row in rows_of(answer)}


def counted(answer: dict[str, Any]) -> int:
    return sum(row.get("calls", 1) for row in rows_of(answer))


async def resource(session: Session, uri: str) -> str:
    (content,) = (await session.client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    return content.text


async def as_tool_and_resource(session: Session, call_id: int) -> dict[str, Any]:
    """A call's records as the tool gives them; the resource must say the same."""
    answer = await session.answer("list_call_records", call_id=call_id, limit=100, summary_chars=600)
    assert json.loads(await resource(session, f"liner://calls/{call_id}")) == answer
    return answer


# A record of several calls --------------------------------------------------------------------------------------------


async def test_a_record_listed_for_two_calls_is_shown_for_neither_and_the_others_are_answered(
    connect: OpenSession, own: Dataset
) -> None:
    first, second, third = add_calls(own, 3)
    liner = altered(own, {of(first, third): listing_of(own, record_of(own, first))})
    async with connect(liner) as session:
        answer = await session.answer("get_call_summaries", call_ids=[first, second, third])
    assert states(answer) == {first: "failed", second: "ready", third: "failed"}
    assert answer["retry"] == [first, third]
    assert answer["page"] == {"returned": 3, "complete": False}
    assert_says(notes(answer), "recordings_of_other_calls")


async def test_one_record_for_all_calls_is_an_error(connect: OpenSession, own: Dataset) -> None:
    ids = add_calls(own, 3)
    async with connect(altered(own, {of(*ids): listing_of(own, record_of(own, ids[0]))})) as session:
        assert_says(await session.refusal("get_call_summaries", call_ids=ids), "recordings_of_other_calls")


@each_count
async def test_a_record_listed_for_two_calls_leaves_both_undecided_and_decides_the_others(
    connect: OpenSession, own: Dataset, tool: str, asked: dict[str, Any]
) -> None:
    ids = add_calls(own, 12, is_transfer=True)
    first, last = ids[0], ids[-1]  # a sample examines them in different rounds
    liner = altered(own, {of(first, last): listing_of(own, record_of(own, first))})
    async with connect(liner, max_concurrency=1) as session:
        answer = await session.answer(tool, **asked)
    assert counted(answer) == 10
    assert answer["retry"] == [first, last]
    assert (answer["page"]["undecided"], answer["page"]["complete"]) == (2, False)
    assert undecided_note(2) in notes(answer)


# Another lead ---------------------------------------------------------------------------------------------------------


async def test_a_transfer_of_another_lead_is_shown_and_told(connect: OpenSession, own: Dataset) -> None:
    (call_id,) = add_calls(own, 1)
    transfer = own.add_record(call_id, is_transfer=True, lead_id=own.calls[call_id].lead_id + 1, summary="Соединён.").id
    async with connect(DemoLiner(own)) as session:
        answers = [
            await as_tool_and_resource(session, call_id),
            await session.answer("get_call_summaries", call_ids=[call_id]),
        ]
    for answer in answers:
        assert [row["transfer"] for row in rows_of(answer)] == [0, 1]
        assert answer["page"]["complete"] is True
        assert_says(notes(answer), "record_names_another_lead", record=transfer)


@each_count
async def test_a_transfer_of_another_lead_counts_as_one(
    connect: OpenSession, own: Dataset, tool: str, asked: dict[str, Any]
) -> None:
    call_id, _ = add_calls(own, 2)
    own.add_record(call_id, is_transfer=True, lead_id=own.calls[call_id].lead_id + 1)
    async with connect(DemoLiner(own)) as session:
        answer = await session.answer(tool, **asked)
    assert counted(answer) == 1
    assert answer["page"]["complete"] is True
    assert "retry" not in answer


@pytest.mark.parametrize("transfer", [False, None])
async def test_a_talk_of_another_lead_may_be_of_another_call(connect: OpenSession, own: Dataset, transfer: Any) -> None:
    strange, plain = add_calls(own, 2)
    record = record_of(own, strange)
    other = {"leadId": own.calls[strange].lead_id + 1, "isTransfer": transfer}
    async with connect(altered(own, {of(strange): each_item(**other)})) as session:
        answer = await as_tool_and_resource(session, strange)
        counts = [await session.answer(tool, **{**asked, "transferred": False}) for tool, asked in COUNTS]
    assert answer["page"] == {"returned": 1, "complete": False}
    assert_says(notes(answer), "record_names_another_lead", record=record)
    for one in counts:
        assert (counted(one), one["retry"], one["page"]["complete"]) == (1, [strange], False)
        assert plain not in one["retry"]


# One refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [0, 12, 19])
async def test_one_refused_call_of_twenty_costs_its_own_row_only(
    connect: OpenSession, own: Dataset, position: int
) -> None:
    ids = add_calls(own, 20)
    refused = ids[position]
    async with connect(altered(own, {}, status_by_pattern={of(refused): 403})) as session:
        answer = await session.answer("get_call_summaries", call_ids=ids)
    assert states(answer) == {one: "failed" if one == refused else "ready" for one in ids}
    assert answer["retry"] == [refused]
    assert_says(notes(answer), "one_of_20_calls_refused")
    assert "LINER_API_TOKEN" not in notes(answer), "the token is accepted for the others"


@each_count
async def test_one_refused_call_is_undecided_and_the_others_are_decided(
    connect: OpenSession, own: Dataset, tool: str, asked: dict[str, Any]
) -> None:
    ids = add_calls(own, 12, is_transfer=True)
    async with connect(altered(own, {}, status_by_pattern={of(ids[0]): 403})) as session:
        answer = await session.answer(tool, **asked)
    assert (counted(answer), answer["retry"]) == (11, [ids[0]])
    assert answer["page"]["complete"] is False


@pytest.mark.parametrize(
    ("tool", "asked"), [*COUNTS, ("get_call_summaries", {}), ("list_call_records", {})], ids=lambda one: str(one)[:20]
)
async def test_when_all_are_refused_the_cause_is_named(
    connect: OpenSession, own: Dataset, tool: str, asked: dict[str, Any]
) -> None:
    ids = add_calls(own, 3)
    asked = asked or ({"call_ids": ids} if tool == "get_call_summaries" else {"call_id": ids[0]})
    async with connect(altered(own, {}, status_by_pattern={"callId=": 403})) as session:
        assert "LINER_API_TOKEN" in await session.refusal(tool, **asked)


# Not listed -----------------------------------------------------------------------------------------------------------


async def test_recordings_that_are_not_listed_yet_are_not_a_complete_answer(connect: OpenSession, own: Dataset) -> None:
    call_id, silent = (own.add_call(created_at=NOW - timedelta(minutes=1), has_records=has).id for has in (True, False))
    async with connect(DemoLiner(own)) as session:
        batch = await session.answer("get_call_summaries", call_ids=[call_id, silent])
        alone = await as_tool_and_resource(session, call_id)
        counts = [await session.answer(tool, **asked) for tool, asked in COUNTS]
    assert states(batch) == {call_id: "not_listed_yet", silent: "no_recording"}
    assert batch["page"] == {"returned": 2, "complete": False}
    assert "retry" not in batch
    assert_says(notes(batch), "call_has_recordings_but_lists_none", call=call_id)
    assert alone["page"] == {"returned": 0, "complete": False}
    for one in counts:
        assert (counted(one), one["retry"], one["page"]["complete"]) == (0, [call_id], False)


async def test_a_list_shorter_than_its_total_is_not_complete_and_its_call_is_named(
    connect: OpenSession, own: Dataset
) -> None:
    short, whole = add_calls(own, 2)
    async with connect(altered(own, {of(short): with_total(2)})) as session:
        batch = await session.answer("get_call_summaries", call_ids=[short, whole])
        alone = await as_tool_and_resource(session, short)
        counts = [await session.answer(tool, **asked) for tool, asked in COUNTS]
    assert batch["page"] == {"returned": 2, "complete": False}
    assert_says(notes(batch), "more_records_than_could_be_read", second=short)
    assert alone["page"] == {"returned": 1, "complete": False, "liner_total": 2}
    for one in counts:
        assert (counted(one), one["retry"], one["page"]["complete"]) == (0, [short], False)


@pytest.mark.parametrize("has_records", [None, ...])
async def test_without_list_and_flag_it_is_unknown_whether_a_call_has_recordings(
    connect: OpenSession, own: Dataset, has_records: Any
) -> None:
    unknown, plain = add_calls(own, 2)
    changes = {rf"{CALL}/{unknown}": each_item(hasRecords=has_records)}
    async with connect(altered(own, changes, status_by_pattern={of(unknown): 404})) as session:
        batch = await session.answer("get_call_summaries", call_ids=[unknown, plain])
        alone = await as_tool_and_resource(session, unknown)
    assert states(batch) == {unknown: "failed", plain: "ready"}
    assert batch["retry"] == [unknown]
    assert alone["page"] == {"returned": 0, "complete": False}
    assert_says(notes(alone), "no_list_of_the_records_of_call", call=unknown)
    assert "has no recording" not in notes(alone)


# Fields that Liner did not send ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, ...], ids=["null", "missing"])
async def test_a_record_that_is_not_said_to_be_a_transfer_or_none_is_unknown(
    connect: OpenSession, own: Dataset, value: Any
) -> None:
    (call_id,) = add_calls(own, 1)
    record = record_of(own, call_id)
    unsent = each_item(isTransfer=value, durationSeconds=value)
    async with connect(altered(own, {LIST: unsent, DETAIL: unsent})) as session:
        answers = [
            await as_tool_and_resource(session, call_id),
            await session.answer("get_call_summaries", call_ids=[call_id]),
        ]
        full = await session.answer("get_call_record", record_id=record)
        attached = await resource(session, f"liner://call-records/{record}")
        counts = [await session.answer(tool, **asked) for tool, asked in COUNTS]
    for answer in answers:
        assert [(row["transfer"], row["record_seconds"]) for row in rows_of(answer)] == [(None, None)]
    assert (full["record"]["transfer"], full["record"]["record_seconds"]) == (None, None)
    assert json.loads(attached) == full
    for answer in (*answers, full):
        assert_says(notes(answer), "no_value_for_transfer_and_seconds", record=record)
    for one in counts:
        assert (counted(one), one["retry"], one["page"]["complete"]) == (0, [call_id], False)


async def test_a_missing_agent_is_unknown_and_a_null_agent_is_no_agent(connect: OpenSession, own: Dataset) -> None:
    (call_id,) = add_calls(own, 1)
    record = record_of(own, call_id)
    for value in (None, ...):
        unsent = each_item(userId=value)
        async with connect(altered(own, {LIST: unsent, DETAIL: unsent, CALL: unsent})) as session:
            answers = [
                await as_tool_and_resource(session, call_id),
                await session.answer("get_call_summaries", call_ids=[call_id]),
                await session.answer("get_call_record", record_id=record),
            ]
        for answer in answers:
            agents = answer.get("names", {}).get("agents", {})
            assert agents == ({"null": "no agent"} if value is None else {})
            assert (f"agent_id (record {record})" in notes(answer)) is (value is ...)


async def test_a_missing_agent_of_a_call_without_recordings_is_not_no_agent(connect: OpenSession, own: Dataset) -> None:
    call_id = own.add_call(created_at=NOW - timedelta(minutes=1)).id
    async with connect(altered(own, {CALL: each_item(userId=...)})) as session:
        answers = [
            await session.answer("list_call_records", call_id=call_id),
            await session.answer("get_call_summaries", call_ids=[call_id]),
        ]
    assert all("agents" not in answer.get("names", {}) for answer in answers)


async def test_a_summary_that_was_not_sent_is_not_said_to_be_missing(connect: OpenSession, own: Dataset) -> None:
    (call_id,) = add_calls(own, 1)
    record = record_of(own, call_id)
    unsent = each_item(recordSummary=..., fileUrl=...)
    async with connect(altered(own, {LIST: unsent, DETAIL: unsent})) as session:
        full = await session.answer("get_call_record", record_id=record)
        text = await resource(session, f"liner://call-records/{record}/summary")
        alone = await as_tool_and_resource(session, call_id)
        batch = await session.answer("get_call_summaries", call_ids=[call_id])
    assert full["summary"] == {"state": "failed"}
    assert full["record"]["audio"] is None
    assert_says(notes(full), "without_the_field_of_its_summary", record=record)
    assert f"audio (record {record})" in notes(full)
    assert_says(text, "without_the_field_of_its_summary", at_start=True, at_end=True, record=record)
    assert [(row["summary_state"], row["summary"]) for row in rows_of(alone)] == [("failed", None)]
    assert (alone["retry"], alone["page"]["complete"]) == ([record], False)
    assert (states(batch), batch["retry"]) == ({call_id: "failed"}, [call_id])


async def test_fields_of_the_list_stay_where_the_detail_does_not_send_them(connect: OpenSession, own: Dataset) -> None:
    (call_id,) = add_calls(own, 1, is_transfer=True)
    changes = {LIST: each_item(recordSummary=...), DETAIL: each_item(isTransfer=..., userId=...)}
    async with connect(altered(own, changes)) as session:
        (row,) = rows_of(await session.answer("get_call_summaries", call_ids=[call_id]))
    assert (row["transfer"], row["agent_id"], row["summary_state"]) == (1, own.calls[call_id].user_id, "ready")


# Nothing is found -----------------------------------------------------------------------------------------------------


async def test_where_nothing_is_found_a_resource_says_that_it_may_be_the_account(connect: OpenSession) -> None:
    async with connect() as session:
        answer = await session.answer("get_call_summaries", call_ids=[1, 2])
        assert OTHER_ACCOUNT in notes(answer)
        for uri in ("liner://calls/12", "liner://call-records/12", "liner://call-records/12/summary"):
            with pytest.raises(MCPError) as raised:
                await session.client.read_resource(uri)
            assert OTHER_ACCOUNT in raised.value.error.message


# A healthy Liner ------------------------------------------------------------------------------------------------------


async def test_a_healthy_liner_is_asked_once_for_each_call_with_records(connect: OpenSession, own: Dataset) -> None:
    ids = add_calls(own, 6, is_transfer=True)
    liner = FakeLiner(own)
    async with connect(liner) as session:
        await session.answer("get_call_summaries", call_ids=ids)
    assert (liner.count("callId="), liner.count("/detail/")) == (6, 0)
