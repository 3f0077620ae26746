"""How a call record becomes a row, in every tool that shows records.

A record's summary is Liner's AI's account, not a transcript. Each row states in `summary_state` what its summary is
worth: `ready`, `cut`, `none` (not made yet, or never: it cannot be known), `failed`; a call without a record adds
`no_recording`, `not_listed_yet` and `not_found`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from liner_mcp.answer.table import Cell, Row
from liner_mcp.context import AppContext
from liner_mcp.liner.decoding import reject_mixed_calls
from liner_mcp.liner.models import Call, CallRecord
from liner_mcp.liner.parallel import run_all
from liner_mcp.text.clean import MOST_CHARACTERS, is_cut
from liner_mcp.text.mask import truncate

RECORD_COLUMNS = (
    "record_id", "record_date", "record_time", "record_seconds", "agent_id", "transfer",
    "summary_state", "summary_length", "summary",
)  # fmt: skip
OPTIONAL_COLUMNS = frozenset({"summary_length"})  # only a page with a cut summary needs it


class ShownRecord(NamedTuple):
    """A record with its summary as a reader may see it; the summary is empty when there is none."""

    record: CallRecord
    summary: str


async def shown_record(context: AppContext, record: CallRecord) -> ShownRecord:
    """The record and its summary with phones, cards and e-mail addresses hidden."""
    return ShownRecord(record, await context.masked(summary_of(record)))


def summary_of(record: CallRecord) -> str:
    """Liner's summary before it is masked; empty when there is none."""
    return (record.record_summary or "").strip()


def longer_than_shown(record: CallRecord) -> bool:
    """Whether Liner's summary has more characters than are ever shown."""
    return is_cut(summary_of(record))


def long_summary_notes(records: Iterable[CallRecord]) -> list[str]:
    """What to say about summaries of which only the beginning can be shown."""
    long = [str(record.id) for record in records if longer_than_shown(record)]
    if not long:
        return []
    named = ", ".join(long[:3]) + (" and others" if len(long) > 3 else "")
    return [f"The summary of record {named} is longer than {MOST_CHARACTERS:,} characters; the rest is not shown."]


async def with_details(context: AppContext, records: Sequence[CallRecord], call: Call | None) -> list[CallRecord]:
    """The records, each with its summary state: one of the published list versions leaves it out, the detail has it.

    A record whose detail could not be read stays as it was (`was_sent("record_summary")` is False).

    Raises: InvalidResponse when the details show that the records are not of one call.
    """
    bare = [record for record in records if not record.was_sent("record_summary")]
    details: dict[int, CallRecord] = {}
    if bare:
        readers = [partial(context.liner.call_record, record.id) for record in bare]
        for outcome in await run_all(readers, concurrency=context.liner.concurrency):
            if isinstance(outcome, CallRecord):
                details[outcome.id] = outcome if outcome.was_sent("record_summary") else _without_summary(outcome)
    reject_mixed_calls(list(details.values()))  # where the list leaves the lead out, only the details have it
    agent_id = call.user_id if call else None
    found = (details.get(record.id, record) for record in records)
    return [
        record if record.was_sent("user_id") or agent_id is None else record.model_copy(update={"user_id": agent_id})
        for record in found
    ]


def _without_summary(record: CallRecord) -> CallRecord:
    # The detail does not have the field either, so no summary can be expected.
    return record.model_copy(update={"record_summary": None})


def unread_summaries(records: Sequence[ShownRecord]) -> list[int]:
    """Ids of the records whose summary `with_details` could not get."""
    return [shown.record.id for shown in records if not shown.record.was_sent("record_summary")]


def record_key(record: CallRecord) -> tuple[datetime, int]:
    """The order of records: Liner states none, so by creation, then id."""
    return (record.created_at or datetime.min.replace(tzinfo=UTC), record.id)


def agent_cells(columns: Sequence[str], rows: Sequence[Row]) -> list[Cell]:
    """The agents of rows. Where a call was not found or could not be read, its agent is unknown, not "no agent"."""
    agent, state = columns.index("agent_id"), columns.index("summary_state")
    return [row[agent] for row in rows if row[agent] is not None or row[state] not in ("not_found", "failed")]


def record_row(context: AppContext, shown: ShownRecord, summary_chars: int) -> Row:
    """One record in the order of `RECORD_COLUMNS`."""
    record = shown.record
    date, time = context.zone.date_and_time(record.created_at)
    state, length, summary = _summary_cells(shown, summary_chars)
    return (
        record.id,
        date,
        time,
        record.duration_seconds,
        record.user_id,
        transfer_cell(record),
        state,
        length,
        summary,
    )


def transfer_cell(record: CallRecord) -> int | None:
    """1 for the record of a transfer, 0 for another, None where Liner does not say it."""
    return None if record.is_transfer is None else int(record.is_transfer)


def _summary_cells(shown: ShownRecord, summary_chars: int) -> tuple[str, int | None, str | None]:
    """`summary_state`, the length of the whole text where it was cut and is known, and the text to show."""
    record, text = shown
    long = longer_than_shown(record)
    if not record.was_sent("record_summary"):
        return "failed", None, None
    if not text:
        return "none", None, None
    if summary_chars == 0:
        return "ready", None, None
    if len(text) <= summary_chars and not long:
        return "ready", None, text
    return "cut", None if long else len(text), truncate(text, summary_chars)
