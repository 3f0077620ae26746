"""How a call record becomes a row, in every tool that shows records.

A record's summary is Liner's AI's account, not a transcript. Each row states in `summary_state` what its summary is
worth, see `SummaryState`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Literal, NamedTuple

from liner_mcp.answer.table import Row
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded
from liner_mcp.liner.models import Call, CallRecord
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.record_owners import reject_mixed_calls
from liner_mcp.text.clean import MOST_CHARACTERS, is_cut
from liner_mcp.text.mask import truncate

UnreadState = Literal["failed", "not_asked"]
SummaryState = Literal["ready", "cut", "none", "no_recording", "not_listed_yet", "not_found", "forgotten", UnreadState]
"""`none`: not made yet, or never; the data does not show which. `failed`: tried and failed. `not_asked`: time was up.
`forgotten`: the operator has deleted it from this server.
"""

RECORD_COLUMNS = (
    "record_id", "record_date", "record_time", "record_seconds", "agent_id", "transfer",
    "summary_state", "summary_length", "summary",
)  # fmt: skip
OPTIONAL_COLUMNS = frozenset({"summary_length"})  # only a page with a cut summary needs it


class ReadRecord(NamedTuple):
    """A record, and why it is not known whether it has a summary; None where it is known."""

    record: CallRecord
    unread: UnreadState | None


class ShownRecord(NamedTuple):
    """The same with its summary as a reader may see it; the summary is empty when there is none."""

    record: CallRecord
    unread: UnreadState | None
    summary: str


async def shown_record(context: AppContext, read: ReadRecord) -> ShownRecord:
    """The record and its summary with phones, cards and e-mail addresses hidden."""
    return ShownRecord(*read, await context.masked(summary_of(read.record)))


def summary_of(record: CallRecord) -> str:
    """Liner's summary before it is masked; empty when there is none."""
    return (record.record_summary or "").strip()


def longer_than_shown(record: CallRecord) -> bool:
    """Whether Liner's summary has more characters than are ever shown."""
    return is_cut(summary_of(record))


def long_summary_notes(records: Iterable[CallRecord]) -> list[str]:
    long = [record.id for record in records if longer_than_shown(record)]
    if not long:
        return []
    return [
        f"The summary of record {listed(long)} is longer than {MOST_CHARACTERS:,} characters; the rest is not shown."
    ]


# Cells that are null because Liner sent no value. A null agent has a meaning, so only a missing one is unknown.
UnknownCells = Mapping[str, Callable[[CallRecord], bool]]
UNKNOWN_CELLS: UnknownCells = {
    "transfer": lambda record: record.is_transfer is None,
    "record_seconds": lambda record: record.duration_seconds is None,
    "record_date": lambda record: record.created_at is None,
    "agent_id": lambda record: not record.was_sent("user_id"),
}


def unknown_cell_notes(shown: Iterable[ReadRecord | ShownRecord], cells: UnknownCells = UNKNOWN_CELLS) -> list[str]:
    """What to say about cells that are null because Liner sent no value. Records in an unread state are left out."""
    records = [one.record for one in shown if one.unread is None]
    unknown = {name: [record.id for record in records if is_unknown(record)] for name, is_unknown in cells.items()}
    named = [f"{name} (record {listed(ids)})" for name, ids in unknown.items() if ids]
    return [f"Liner sent no value for {', '.join(named)}; null there means unknown."] if named else []


def other_lead_notes(records: Sequence[CallRecord]) -> list[str]:
    if not records:
        return []
    ids = listed([record.id for record in records])
    return [f"Record {ids} names another lead than its call: a transfer may, others may belong to another call."]


def forgotten_note(kind: str, ids: Sequence[int]) -> str:
    return f"{kind} {listed(ids)} was forgotten on this server (liner-mcp forget), so nothing of it is shown."


def listed(ids: Sequence[int]) -> str:
    """The first three ids, for a note."""
    return ", ".join(map(str, ids[:3])) + (" and others" if len(ids) > 3 else "")


async def with_details(context: AppContext, records: Sequence[CallRecord], call: Call | None) -> list[ReadRecord]:
    """The records, each with its summary: one of the published list versions leaves it out, the detail has it.

    Raises: InvalidResponse when the details show that the records are not of one call; AccessRefused when Liner refuses
    every detail.
    """
    bare = [record for record in records if not record.was_sent("record_summary")]
    readers = [partial(context.liner.call_record, record.id) for record in bare]
    outcomes = await run_all(readers, concurrency=context.liner.concurrency, allow_refusals=True) if readers else ()
    read = {record.id: _merged(record, outcome) for record, outcome in zip(bare, outcomes, strict=True)}
    result = [read.get(record.id, ReadRecord(record, None)) for record in records]
    reject_mixed_calls([one.record for one in result])  # where the list leaves the lead out, only the details have it
    if call is None or not call.was_sent("user_id"):
        return result
    agent = {"user_id": call.user_id}
    return [
        one if one.record.was_sent("user_id") else one._replace(record=one.record.model_copy(update=agent))
        for one in result
    ]


def _merged(listed_record: CallRecord, detail: object) -> ReadRecord:
    """A listed record with the fields of its detail, or with the reason why they are missing."""
    if not isinstance(detail, CallRecord):
        late = detail is None or isinstance(detail, DeadlineExceeded)
        return ReadRecord(listed_record, "not_asked" if late else "failed")
    record = listed_record.model_copy(update={name: getattr(detail, name) for name in detail.model_fields_set})
    # Without the field, nothing is known of a summary; null means that there is none.
    return ReadRecord(record, None if detail.was_sent("record_summary") else "failed")


def ids_in_state(shown: Iterable[ShownRecord], state: UnreadState) -> list[int]:
    return [one.record.id for one in shown if one.unread == state]


def record_key(record: CallRecord) -> tuple[datetime, int]:
    """The order of records: Liner states none, so by creation, then id."""
    return (record.created_at or datetime.min.replace(tzinfo=UTC), record.id)


def agent_ids(entities: Iterable[Call | CallRecord | None]) -> list[int | None]:
    """The agents of calls or records. Null is among them only if it means "no agent" for all: where Liner did not send
    the field, the agent is unknown.
    """
    known = [one for one in entities if one is not None]
    ids = [one.user_id for one in known if one.was_sent("user_id")]
    return ids if len(ids) == len(known) else [one for one in ids if one is not None]


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


def _summary_cells(shown: ShownRecord, summary_chars: int) -> tuple[SummaryState, int | None, str | None]:
    """`summary_state`, the length of the whole text where it was cut and is known, and the text to show."""
    record, unread, text = shown
    long = longer_than_shown(record)
    if unread:
        return unread, None, None
    if not text:
        return "none", None, None
    if summary_chars == 0:
        return "ready", None, None
    if len(text) <= summary_chars and not long:
        return "ready", None, text
    return "cut", None if long else len(text), truncate(text, summary_chars)
