"""A question, and the check of its answers against the dataset."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from benchmarks.raw_reading import MOSCOW, RawLiner
from benchmarks.table_reading import Tables
from liner_mcp.demo import Call, Dataset

# The generated calls end on Friday, 20 November 2026, 18:00 in Moscow (tests.conftest.NOW).
TODAY, YESTERDAY = date(2026, 11, 20), date(2026, 11, 19)
LAST_WEEK = (date(2026, 11, 9), date(2026, 11, 15))
THIS_MONTH = (date(2026, 11, 1), TODAY)

Summaries = dict[int, dict[int, str | None]]
"""Per call and record: its summary, or None."""


@dataclass(frozen=True, slots=True)
class Question:
    """`ours` and `raw` answer it with one kind of tools; `right` checks the answer."""

    name: str
    text: str
    ours: Callable[[Tables], Awaitable[Any]]
    raw: Callable[[RawLiner], Awaitable[Any]]
    right: Callable[[Dataset, Any], bool]


def made(call: Call) -> date:
    """The day of a call in the zone of the call centre."""
    return call.created_at.astimezone(MOSCOW).date()


def calls_of(dataset: Dataset, first: date, last: date) -> list[Call]:
    """The calls of whole days."""
    return [call for call in dataset.calls.values() if first <= made(call) <= last]


def newest_first(calls: Iterable[Call]) -> list[int]:
    return [call.id for call in sorted(calls, key=lambda call: (call.created_at, call.id), reverse=True)]


def says(dataset: Dataset, record_id: int, text: str | None) -> bool:
    """Whether a text has the facts of the record's summary: name, amount and date (phones may be masked)."""
    record = dataset.records[record_id]
    if not (record.summary or "").strip():
        return not (text or "").strip()
    return bool(text) and all(fact in text for fact in record.facts[:3])


def summaries_right(dataset: Dataset, found: Summaries, wanted: dict[int, list[int]]) -> bool:
    """Whether the answer holds exactly these records of these calls, each with its facts."""
    if {call: sorted(records) for call, records in found.items()} != wanted:
        return False
    return all(says(dataset, record, text) for records in found.values() for record, text in records.items())


def records_of(dataset: Dataset, call_ids: Iterable[int]) -> dict[int, list[int]]:
    return {call_id: sorted(record.id for record in dataset.records_of(call_id)) for call_id in call_ids}
