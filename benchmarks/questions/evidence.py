"""Questions about what was said: words in summaries, missing summaries, and quotes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import date

from benchmarks.questions.asking import (
    LAST_WEEK,
    YESTERDAY,
    Question,
    Summaries,
    calls_of,
    records_of,
    summaries_right,
)
from benchmarks.raw_reading import Item, RawLiner, days
from benchmarks.table_reading import READY, Row, Tables
from liner_mcp.demo import Dataset, Record

PROJECT, PROJECT_ID = "Marina Heights Dubai", 204
LONGEST = 5
RECORD = 9002362
TRUE_QUOTE, FALSE_QUOTE = "первый взнос готов внести сразу", "Бюджет — 27,8 млн ₽"
# For a model that reads the summaries itself: every form that it would recognise.
MORTGAGE = re.compile(r"\b(?:ипоте[кч]\w+|mortgages?)\b", re.IGNORECASE)
INSTALMENTS = re.compile(r"\b(?:рассроч\w+|payment plans?)\b", re.IGNORECASE)

PerAgent = dict[int | None, int]
Talks = list[tuple[int, dict[int, str | None]]]
"""Calls, each with the summaries of its records."""
Proof = tuple[bool, str]
"""Whether a quote is in a summary, and the passage that is closest to it where it is not."""


async def _recorded_raw(liner: RawLiner, first: date, last: date, *orders: int) -> list[tuple[Item, list[Item]]]:
    """The recorded calls of whole days, each with its records: one tool call per recorded call."""
    asked = {"order_ids": orders} if orders else {}
    calls = await liner.calls(days(first, last), **asked)
    return [(call, await liner.records(call["id"])) for call in calls if call["hasRecords"]]


def _recorded(dataset: Dataset, first: date, last: date) -> list[Record]:
    return [record for call in calls_of(dataset, first, last) for record in dataset.records_of(call.id)]


def _has_one(record: Record, phrases: Iterable[str]) -> bool:
    """Whether a summary has one of the sentences of the demo Liner."""
    return any(phrase in (record.summary or "") for phrase in phrases)


async def _texts(liner: Tables, rows: list[Row]) -> Summaries:
    """The summaries in full, by call and record."""
    found: Summaries = {row["call_id"]: {} for row in rows}
    for row in rows:
        if row["record_id"] is not None:
            text = row["summary"] if row["summary_state"] in READY else None
            whole = await liner.text(row["record_id"]) if row["summary_state"] == "cut" else text
            found[row["call_id"]][row["record_id"]] = whole
    return found


def _summaries(records: list[Item]) -> dict[int, str | None]:
    return {record["id"]: record["recordSummary"] for record in records}


# Words ----------------------------------------------------------------------------------------------------------------


async def _mortgage_ours(liner: Tables) -> set[int]:
    rows = await liner.rows("find_calls", since="yesterday", mentions="ипотека | ипотечный | mortgage", limit=200)
    return {row["call_id"] for row in rows}


async def _mortgage_raw(liner: RawLiner) -> set[int]:
    recorded = await _recorded_raw(liner, YESTERDAY, YESTERDAY)
    return {call["id"] for call, records in recorded if any(_says(MORTGAGE, one) for one in records)}


def _says(pattern: re.Pattern[str], record: Item) -> bool:
    return pattern.search(record["recordSummary"] or "") is not None


def _mortgage(dataset: Dataset) -> set[int]:
    phrases = ("остальное планирует взять в ипотеку", "the rest would be a mortgage")
    return {record.call_id for record in _recorded(dataset, YESTERDAY, YESTERDAY) if _has_one(record, phrases)}


async def _instalments_ours(liner: Tables) -> PerAgent:
    rows = await liner.rows(
        "call_stats",
        since="last_week",
        orders=[PROJECT],
        mentions='рассрочка | "payment plan"',
        include=["matches"],
    )
    return {row["agent_id"]: row["matches"] for row in rows}


async def _instalments_raw(liner: RawLiner) -> PerAgent:
    counts: Counter[int | None] = Counter()
    for call, records in await _recorded_raw(liner, *LAST_WEEK, await liner.order_id(PROJECT)):
        counts[call["userId"]] += sum(_says(INSTALMENTS, one) for one in records)
    return dict(+counts)


def _instalments(dataset: Dataset) -> PerAgent:
    phrases = ("спрашивает про рассрочку без переплаты", "asks about an interest-free payment plan")
    calls = {call.id: call for call in calls_of(dataset, *LAST_WEEK) if call.order_id == PROJECT_ID}
    records = [record for call_id in calls for record in dataset.records_of(call_id)]
    return dict(Counter(calls[record.call_id].user_id for record in records if _has_one(record, phrases)))


# Summaries ------------------------------------------------------------------------------------------------------------


async def _missing_ours(liner: Tables) -> set[int]:
    rows = await liner.rows(
        "find_calls", since="yesterday", has_summary=False, include=["summary"], summary_chars=0, limit=200
    )
    return {row["record_id"] for row in rows if row["summary_state"] == "none"}


async def _missing_raw(liner: RawLiner) -> set[int]:
    recorded = await _recorded_raw(liner, YESTERDAY, YESTERDAY)
    return {one["id"] for _, records in recorded for one in records if not (one["recordSummary"] or "").strip()}


def _missing(dataset: Dataset) -> set[int]:
    return {record.id for record in _recorded(dataset, YESTERDAY, YESTERDAY) if not (record.summary or "").strip()}


async def _longest_ours(liner: Tables) -> Talks:
    rows = await liner.rows("find_calls", since="yesterday", sort="longest_talk", limit=LONGEST, include=["summary"])
    return list((await _texts(liner, rows)).items())


async def _longest_raw(liner: RawLiner) -> Talks:
    calls = await liner.reached(days(YESTERDAY, YESTERDAY))
    longest = sorted(calls, key=lambda call: -call["talkTimeDurationSeconds"])[:LONGEST]
    return [(call["id"], _summaries(await liner.records(call["id"]))) for call in longest]


def _longest_right(dataset: Dataset, talks: Talks) -> bool:
    calls = sorted(calls_of(dataset, YESTERDAY, YESTERDAY), key=lambda call: -call.talk_time_duration_seconds)
    ids = [call.id for call in calls[:LONGEST]]
    return [call_id for call_id, _ in talks] == ids and summaries_right(dataset, dict(talks), records_of(dataset, ids))


async def _transfers_ours(liner: Tables) -> Summaries:
    rows = await liner.rows("find_calls", since="yesterday", transferred=True, include=["summary"], limit=200)
    return await _texts(liner, rows)


async def _transfers_raw(liner: RawLiner) -> Summaries:
    """It assumes that no call with another status has a transfer, as for the transfers of a week."""
    statuses = [status["id"] for status in await liner.call_statuses() if status["code"] == "transferred_to_sales"]
    calls = await liner.calls(days(YESTERDAY, YESTERDAY), status_ids=statuses)
    listed = {call["id"]: await liner.records(call["id"]) for call in calls}
    return {one: _summaries(records) for one, records in listed.items() if any(each["isTransfer"] for each in records)}


def _transfers_right(dataset: Dataset, found: Summaries) -> bool:
    ids = {record.call_id for record in _recorded(dataset, YESTERDAY, YESTERDAY) if record.is_transfer}
    return summaries_right(dataset, found, records_of(dataset, ids))


# Quotes ---------------------------------------------------------------------------------------------------------------


async def _prove_ours(liner: Tables, quote: str) -> Proof:
    (row,) = await liner.rows("check_quotes", quotes=[{"record_id": RECORD, "quote": quote}])
    return row["state"] in ("exact", "same_words"), row.get("closest") or ""


async def _prove_raw(liner: RawLiner, quote: str) -> Proof:
    """It reads the summary and compares the quote with it, word by word."""
    text = (await liner.record(RECORD))["recordSummary"]
    words = set(quote.split())
    closest = max(re.split(r"(?<=[.!?]) ", text), key=lambda sentence: len(words & set(sentence.split())))
    return (True, "") if quote in text else (False, closest)


def _refuted(dataset: Dataset, proof: Proof) -> bool:
    """Whether the answer denies the quote and shows the true amount."""
    _, amount, *_ = dataset.records[RECORD].facts
    is_there, closest = proof
    return FALSE_QUOTE not in (dataset.records[RECORD].summary or "") and is_there is False and amount in closest


EVIDENCE = (
    Question(
        "mentions",
        "Which of yesterday's calls mention a mortgage?",
        _mortgage_ours,
        _mortgage_raw,
        lambda dataset, found: found == _mortgage(dataset),
    ),
    Question(
        "number of mentions",
        f"How many recordings of last week's calls on {PROJECT} mention paying by instalments, per agent?",
        _instalments_ours,
        _instalments_raw,
        lambda dataset, found: found == _instalments(dataset),
    ),
    Question(
        "missing summaries",
        "Which of yesterday's recordings have no summary?",
        _missing_ours,
        _missing_raw,
        lambda dataset, found: found == _missing(dataset),
    ),
    Question(
        "longest five",
        "Yesterday's 5 longest talks, and what was said in them.",
        _longest_ours,
        _longest_raw,
        _longest_right,
    ),
    Question(
        "yesterday's transfers",
        "Yesterday's transferred calls, and what was said in the talk and in the handover.",
        _transfers_ours,
        _transfers_raw,
        _transfers_right,
    ),
    Question(
        "a true quote",
        f"Does the summary of record {RECORD} say «{TRUE_QUOTE}»?",
        lambda liner: _prove_ours(liner, TRUE_QUOTE),
        lambda liner: _prove_raw(liner, TRUE_QUOTE),
        lambda dataset, proof: TRUE_QUOTE in (dataset.records[RECORD].summary or "") and proof == (True, ""),
    ),
    Question(
        "a false quote",
        f"Does the summary of record {RECORD} say «{FALSE_QUOTE}», and if not, what does it say?",
        lambda liner: _prove_ours(liner, FALSE_QUOTE),
        lambda liner: _prove_raw(liner, FALSE_QUOTE),
        _refuted,
    ),
)
