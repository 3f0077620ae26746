"""Questions about records, summaries and transfers, and about what is missing."""

from __future__ import annotations

from typing import Any

from benchmarks.questions.asking import (
    LAST_WEEK,
    YESTERDAY,
    Question,
    Summaries,
    calls_of,
    records_of,
    says,
    summaries_right,
)
from benchmarks.raw_reading import Item, RawLiner, days
from benchmarks.reading import Refused
from benchmarks.table_reading import READY, Row, Tables
from liner_mcp.demo import Dataset

ONE = 7003900
# Yesterday's last thirty calls with a recording, except one that has none.
THIRTY = [
    7003846, 7003848, 7003849, 7003850, 7003852, 7003853, 7003855, 7003856, 7003857, 7003858,
    7003862, 7003864, 7003869, 7003870, 7003871, 7003873, 7003874, 7003875, 7003880, 7003881,
    7003882, 7003886, 7003889, 7003893, 7003894, 7003897, 7003898, 7003899, 7003900, 7003901,
]  # fmt: skip
UNKNOWN_CALL = 7999999
RECORD = 9002362


def _from_rows(rows: list[Row], call_ids: list[int]) -> Summaries:
    found: Summaries = {call_id: {} for call_id in call_ids}
    for row in rows:
        if row["record_id"] is not None:
            found[row["call_id"]][row["record_id"]] = row["summary"] if row["summary_state"] in READY else None
    return found


def _from_records(records: list[Item]) -> dict[int, str | None]:
    return {record["id"]: record["recordSummary"] for record in records}


async def _one_ours(liner: Tables) -> Summaries:
    rows = await liner.rows("list_call_records", call_id=ONE, summary_chars=600)
    return _from_rows([{"call_id": ONE, **row} for row in rows], [ONE])


async def _one_raw(liner: RawLiner) -> Summaries:
    return {ONE: _from_records(await liner.records(ONE))}


async def _thirty_ours(liner: Tables) -> Summaries:
    return _from_rows(await liner.summaries(THIRTY), THIRTY)


async def _thirty_raw(liner: RawLiner) -> Summaries:
    return {call_id: _from_records(await liner.records(call_id)) for call_id in THIRTY}


async def _unknown_ours(liner: Tables) -> str:
    return await liner.reader.ask("list_call_records", call_id=UNKNOWN_CALL)


async def _unknown_raw(liner: RawLiner) -> list[Item]:
    """An empty list can also mean a call without recordings, so it requests the call."""
    return await liner.records(UNKNOWN_CALL) or [await liner.call(UNKNOWN_CALL)]


async def _record_ours(liner: Tables) -> dict[str, Any]:
    answer = await liner.answer("get_call_record", record_id=RECORD)
    record = answer["record"]
    return {
        "text": answer["summary"]["text"] if "next_start" not in answer["summary"] else await liner.text(RECORD),
        "seconds": record["record_seconds"],
        "agent": answer["names"]["agents"][str(record["agent_id"])],
        "transfer": bool(record["transfer"]),
        "audio": record["audio"] == "listed",
    }


async def _record_raw(liner: RawLiner) -> dict[str, Any]:
    record = await liner.record(RECORD)
    user = await liner.user(record["userId"])
    return {
        "text": record["recordSummary"],
        "seconds": record["durationSeconds"],
        "agent": f"{user['name']} {user['lastName']}",
        "transfer": record["isTransfer"],
        "audio": bool(record["fileUrl"]),
    }


def _record_right(dataset: Dataset, answer: dict[str, Any]) -> bool:
    record = dataset.records[RECORD]
    agents = {agent.id: agent.full_name for agent in dataset.agents}
    return says(dataset, RECORD, answer["text"]) and answer == {
        "text": answer["text"],
        "seconds": record.duration_seconds,
        "agent": agents[record.user_id or 0],
        "transfer": record.is_transfer,
        "audio": record.has_file,
    }


async def _transfers_ours(liner: Tables) -> Summaries:
    calls = await liner.rows("find_calls", since="last_week", transferred=True, limit=200)
    ids = [call["call_id"] for call in calls]
    rows = [row for row in await liner.summaries(ids) if row["transfer"] == 1]
    return _from_rows(rows, ids)


async def _transfers_raw(liner: RawLiner) -> Summaries:
    """It uses the status for transfers, because reading the records of each call would need hundreds of requests.

    It assumes that no call with another status has a transfer.
    """
    statuses = [status["id"] for status in await liner.call_statuses() if status["code"] == "transferred_to_sales"]
    found: Summaries = {}
    for call in await liner.calls(days(*LAST_WEEK), status_ids=statuses):
        transfers = [record for record in await liner.records(call["id"]) if record["isTransfer"]]
        if transfers:
            found[call["id"]] = _from_records(transfers)
    return found


def _transfers_right(dataset: Dataset, found: Summaries) -> bool:
    wanted: dict[int, list[int]] = {}
    for call in calls_of(dataset, *LAST_WEEK):
        transfers = sorted(record.id for record in dataset.records_of(call.id) if record.is_transfer)
        if transfers:
            wanted[call.id] = transfers
    return summaries_right(dataset, found, wanted)


async def _unsummarised_ours(liner: Tables) -> set[int]:
    calls = await liner.rows("find_calls", since="yesterday", orders=["Marina Heights Dubai"], recorded=True, limit=200)
    ids = [call["call_id"] for call in calls]
    rows = await liner.rows("get_call_summaries", call_ids=ids, summary_chars=0)
    return set(ids) - {row["call_id"] for row in rows if row["summary_state"] in READY}


async def _unsummarised_raw(liner: RawLiner) -> set[int]:
    order = await liner.order_id("Marina Heights Dubai")
    found: set[int] = set()
    for call in await liner.calls(days(YESTERDAY, YESTERDAY), order_ids=[order]):
        if call["hasRecords"]:
            records = await liner.records(call["id"])
            if not any((record["recordSummary"] or "").strip() for record in records):
                found.add(call["id"])
    return found


def _unsummarised(dataset: Dataset) -> set[int]:
    return {
        call.id
        for call in calls_of(dataset, YESTERDAY, YESTERDAY)
        if call.order_id == 204
        and call.has_records
        and not any((record.summary or "").strip() for record in dataset.records_of(call.id))
    }


SPEECH = (
    Question(
        "one call",
        f"What was said on call {ONE}?",
        _one_ours,
        _one_raw,
        lambda dataset, found: summaries_right(dataset, found, records_of(dataset, [ONE])),
    ),
    Question(
        "thirty calls",
        "What was said on these 30 calls?",
        _thirty_ours,
        _thirty_raw,
        lambda dataset, found: summaries_right(dataset, found, records_of(dataset, THIRTY)),
    ),
    Question(
        "one record",
        f"Everything about record {RECORD}: who, how long, what was said, can I hear it?",
        _record_ours,
        _record_raw,
        _record_right,
    ),
    Question(
        "transfers",
        "All of last week's transfers, with the evidence for each.",
        _transfers_ours,
        _transfers_raw,
        _transfers_right,
    ),
    Question(
        "no summary",
        "Which of yesterday's recorded calls on Marina Heights Dubai have no summary?",
        _unsummarised_ours,
        _unsummarised_raw,
        lambda dataset, found: found == _unsummarised(dataset),
    ),
    Question(
        "unknown call",
        f"What was said on call {UNKNOWN_CALL}? (There is no such call.)",
        _unknown_ours,
        _unknown_raw,
        lambda dataset, answer: UNKNOWN_CALL not in dataset.calls and isinstance(answer, Refused),
    ),
)
