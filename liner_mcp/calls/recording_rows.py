"""Rows of calls with their recordings: what `include` and `mentions` add to a list of calls."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from liner_mcp.answer.table import Cell, Row
from liner_mcp.calls.recordings import (
    NO_RECORDINGS,
    CallRecordings,
    RecordsRead,
    add_summaries,
    read_recordings,
)
from liner_mcp.calls.rows import CALL_COLUMNS, call_row
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded, LinerMcpError, LinerRejected
from liner_mcp.liner.models import Call
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.record_owners import of_other_leads
from liner_mcp.records.record_rows import (
    RECORD_COLUMNS,
    UNKNOWN_CELLS,
    ShownRecord,
    listed,
    long_summary_notes,
    other_lead_notes,
    record_row,
    shown_record,
    summary_of,
    unknown_cell_notes,
)

SUMMARY_COLUMNS = ("record_id", "record_seconds", "transfer", "summary_state", "summary_length", "summary")
MIN_ROW_BYTES = 60  # of a call beside its summary; no row is shorter, so a page never counts as full too early
_STATE = SUMMARY_COLUMNS.index("summary_state")
_SHOWN_CELLS = {name: UNKNOWN_CELLS[name] for name in ("transfer", "record_seconds")}


@dataclass(frozen=True, slots=True)
class RowFormat:
    """What a row shows beside the usual columns. `mentions`: the question looks for words."""

    include: tuple[str, ...]
    summary_chars: int
    mentions: bool

    @property
    def summaries(self) -> bool:
        """Whether every recording has its own row."""
        return "summary" in self.include

    @property
    def needs_recordings(self) -> bool:
        """Whether rows need the recordings of a call, so that they are read even if no filter needs them."""
        return self.summaries or "records" in self.include

    @property
    def of_call(self) -> tuple[str, ...]:
        return tuple(name for name in self.include if name != "summary")

    @property
    def columns(self) -> tuple[str, ...]:
        more = SUMMARY_COLUMNS if self.summaries else ("record_id",) if self.mentions else ()
        return (*CALL_COLUMNS, *self.of_call, *more, *(("passage",) if self.mentions else ()))


@dataclass(frozen=True, slots=True)
class FoundCall:
    """A call to show. `recordings` is None where they could not be read, or were not needed; `shown` has their
    summaries, where rows show them.
    """

    call: Call
    recordings: CallRecordings | None = None
    shown: tuple[ShownRecord, ...] = ()
    failed: bool = False

    @property
    def to_retry(self) -> bool:
        """Whether something of it could not be read."""
        return self.failed or any(one.unread for one in self.shown)

    @property
    def unknown(self) -> bool:
        """Whether it may have other recordings or summaries than shown."""
        return self.to_retry or (self.recordings is not None and not self.recordings.complete)


class PageRoom:
    """How far summaries fill a page; what is read beyond a full page would be thrown away. `full` when it is."""

    def __init__(self, layout: RowFormat, most_bytes: float) -> None:
        self._layout = layout
        self._room = most_bytes
        self.full = False

    def add(self, found: CallRecordings | None) -> bool:
        """Add the rows of one call. Whether the page is full with them."""
        if self._layout.summaries:
            texts = [summary_of(record)[: self._layout.summary_chars] for record in found.records] if found else []
            self._room -= sum(len(text.encode()) for text in texts) + MIN_ROW_BYTES * max(1, len(texts))
            self.full = self._room < 0
        return self.full


async def read_shown(
    context: AppContext,
    calls: Sequence[Call],
    known: Mapping[int, CallRecordings],
    seen: RecordsRead,
    layout: RowFormat,
    room: PageRoom,
) -> list[FoundCall]:
    """The calls with what their rows need, in their order. The list ends early when `room` is full, or before the first
    call whose recordings were not read when time was up; one call is always in it.

    Raises: the errors that end `run_all`.
    """
    if not layout.needs_recordings:
        return [FoundCall(call, known.get(call.id)) for call in calls]

    async def read(call: Call) -> FoundCall:
        recordings = known.get(call.id) or (NO_RECORDINGS if call.has_records is False else None)
        if recordings is None:
            recordings = await read_recordings(context, call, seen, summaries=layout.summaries)
        if call.has_records is None and not recordings.reads:
            raise LinerRejected(f"Liner lists no recordings of call {call.id} and does not say whether there are any.")
        if not layout.summaries:
            return FoundCall(call, recordings)
        recordings = await add_summaries(context, call, seen, recordings)
        return FoundCall(call, recordings, tuple([await shown_record(context, one) for one in recordings.reads]))

    def is_full(outcome: FoundCall | LinerMcpError) -> bool:
        return room.add(outcome.recordings if isinstance(outcome, FoundCall) else None)

    jobs = [partial(read, call) for call in calls]
    outcomes = await run_all(jobs, concurrency=context.liner.concurrency, stop_when=is_full, allow_refusals=True)
    found: list[FoundCall] = []
    for call, outcome in zip(calls, outcomes, strict=True):
        # A late one goes to the next page, unless it is the first: then it would be late every time.
        if found and (outcome is None or isinstance(outcome, DeadlineExceeded)):
            break
        # Whose record it is that was listed for two calls is not known.
        if isinstance(outcome, FoundCall) and call.id not in seen.owners.shared:
            found.append(outcome)
        else:
            found.append(FoundCall(call, failed=True))
    return found


# Rows -----------------------------------------------------------------------------------------------------------------


def found_rows(context: AppContext, found: FoundCall, layout: RowFormat) -> list[Row]:
    """The rows of one call in the order of `RowFormat.columns`: one per recording where summaries are shown."""
    records = _count(found)
    call = call_row(context, found.call, layout.of_call, records)
    if layout.summaries and found.shown:
        return [(*call, *_summary_cells(context, one, layout), *_passage(found, one, layout)) for one in found.shown]
    nothing: tuple[Cell, ...] = (None,) * len(SUMMARY_COLUMNS)
    if layout.summaries:
        state = "failed" if found.recordings is None else "no_recording" if records == 0 else "not_listed_yet"
        nothing = (*nothing[:_STATE], state, *nothing[_STATE + 1 :])
        return [(*call, *nothing, *((None,) if layout.mentions else ()))]
    if not layout.mentions:
        return [call]
    first = found.recordings.mentioning[:1] if found.recordings else []
    mention = found.recordings.mentions.get(first[0].id) if found.recordings and first else None
    return [(*call, first[0].id if first else None, mention.passage if mention else None)]


def _count(found: FoundCall) -> int | None:
    if found.call.has_records is False:
        return 0
    return None if found.recordings is None or not found.recordings.complete else len(found.recordings.reads)


def _summary_cells(context: AppContext, shown: ShownRecord, layout: RowFormat) -> Row:
    cells = dict(zip(RECORD_COLUMNS, record_row(context, shown, layout.summary_chars), strict=True))
    return tuple(cells[name] for name in SUMMARY_COLUMNS)


def _passage(found: FoundCall, shown: ShownRecord, layout: RowFormat) -> Row:
    if not layout.mentions:
        return ()
    mention = found.recordings.mentions.get(shown.record.id) if found.recordings else None
    return (mention.passage if mention else None,)


# Notes ----------------------------------------------------------------------------------------------------------------


def recording_notes(shown: Sequence[FoundCall], layout: RowFormat) -> list[str]:
    if not layout.needs_recordings:
        return []
    notes: list[str] = []
    if failed := [one.call.id for one in shown if one.to_retry]:
        notes.append(f"The recordings of {len(failed)} of these calls could not be read; their ids are in retry.")
    listing = [(one.call, one.recordings) for one in shown if one.recordings is not None]
    if short := [call.id for call, found in listing if found.reads and not found.complete]:
        notes.append(f"Liner counts more records than could be read for call {listed(short)}.")
    if unlisted := [call.id for call, found in listing if not found.reads and not found.complete]:
        notes.append(f"Liner says that call {listed(unlisted)} has recordings, but lists none yet; ask again later.")
    if layout.summaries:
        notes += other_lead_notes(
            [record for call, found in listing for record in of_other_leads(found.records, call.lead_id)]
        )
        records = [record for one in shown for record in one.shown]
        notes += [*unknown_cell_notes(records, _SHOWN_CELLS), *long_summary_notes(one.record for one in records)]
    return notes


def failed_ids(shown: Sequence[FoundCall], undecided: Collection[int]) -> list[int]:
    """The ids of calls whose recordings could not be read, beside those that are undecided."""
    return [one.call.id for one in shown if one.to_retry and one.call.id not in undecided]
