"""Records: those of one call, and how any record becomes a row.

A record's summary is Liner's AI's account, not a transcript. Each row says in `summary_state` what its summary is
worth: `ready`, `cut`, `none` (not made yet, or never: it cannot be known), `failed`; a call without a record adds
`no_recording`, `not_listed_yet` and `not_found`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from liner_mcp.answer.cursor import decode_cursor, encode_cursor
from liner_mcp.answer.table import Answer, AnswerDraft, Cell, PageExtent, Row, render_within_budget
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded, InvalidArgument, LinerMcpError, NotFound
from liner_mcp.event_loop import in_time
from liner_mcp.input_limits import MAX_ID
from liner_mcp.liner.decoding import reject_mixed_calls
from liner_mcp.liner.endpoints import OTHER_ACCOUNT
from liner_mcp.liner.models import Call, CallRecord
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.parallel import gather2, run_all
from liner_mcp.names.directory import DirectoryNames
from liner_mcp.text.clean import MOST_CHARACTERS, is_cut
from liner_mcp.text.mask import truncate

RECORD_COLUMNS = (
    "record_id", "record_date", "record_time", "record_seconds", "agent_id", "transfer",
    "summary_state", "summary_length", "summary",
)  # fmt: skip
OPTIONAL_COLUMNS = frozenset({"summary_length"})  # only a page with a cut summary needs it
LISTING_DELAY = timedelta(days=1)  # what Liner does not list by then is not late but missing
LIST_CALL_RECORDS = "list_call_records"

# One call ---------------------------------------------------------------------------------------------------------


async def list_call_records(
    context: AppContext, *, call_id: int | None, limit: int, cursor: str | None, summary_chars: int, budget: int
) -> Answer:
    """The call's own facts and a page of its records, oldest first, as a table within `budget` bytes.

    Raises: InvalidArgument for an unknown call or an unusable cursor; what the Liner client raises.
    """
    call_id, after = _parse_cursor(call_id, cursor)
    found, names = await gather2(
        lambda: gather2(lambda: _call_within_deadline(context, call_id), lambda: context.liner.call_records(call_id)),
        lambda: context.directory.names("agents", "orders", "statuses"),
    )
    assert isinstance(found, tuple)  # noqa: S101 - together() gives errors inside the pair
    assert isinstance(names, DirectoryNames)  # noqa: S101 - names() raises nothing
    facts, listing = _combine_reads(call_id, *found)
    left = [record for record in sorted(listing.items, key=record_key) if after is None or record_key(record) > after]
    records = await with_details(context, left[:limit], facts)
    context.recent_calls.add([call_id])
    context.recent_records.add(record.id for record in records)
    shown = await in_time(records, partial(shown_record, context))
    if records and not shown:
        raise DeadlineExceeded(f"Time was up before the first summary of call {call_id} could be shown. Ask again.")
    out_of_time = len(shown) < len(records)
    page = _RecordsRenderer(context, call_id, facts, listing, len(left), shown, names, out_of_time)
    return page.render(summary_chars, budget)


async def _call_within_deadline(context: AppContext, call_id: int) -> Call:
    """The call, or DeadlineExceeded a moment before the deadline: its records can be listed without it."""
    (outcome,) = await run_all([lambda: context.liner.call(call_id)], concurrency=1)
    if isinstance(outcome, Call):
        return outcome
    raise outcome or DeadlineExceeded("Liner did not say in time what it knows of this call. Ask again.")


def _combine_reads(
    call_id: int, call: Call | LinerMcpError, listing: Listing[CallRecord] | LinerMcpError
) -> tuple[Call | None, Listing[CallRecord]]:
    """What two reads tell together: records prove a call whose facts are missing, an empty list proves nothing.

    Raises: InvalidArgument for an unknown call; the error of the read without which nothing can be said.
    """
    if isinstance(listing, NotFound):
        listing = Listing((), complete=True, total=0, changed=False)  # whether there is such a call, the call tells
    if isinstance(call, NotFound) and (isinstance(listing, LinerMcpError) or not listing.items):
        raise InvalidArgument(
            f"Liner has no call {call_id}. Check call_id: ids of records and leads are other numbers; "
            f"if no call is found at all, {OTHER_ACCOUNT}."
        )
    if isinstance(listing, LinerMcpError):
        raise listing
    if isinstance(call, Call):
        return call, listing
    if not listing.items:
        raise call
    return None, listing


class ShownRecord(NamedTuple):
    """A record with its summary as a reader may see it; the summary is empty when there is none."""

    record: CallRecord
    summary: str


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


async def shown_record(context: AppContext, record: CallRecord) -> ShownRecord:
    """The record and its summary with phones, cards and e-mail addresses hidden."""
    return ShownRecord(record, await context.masked(summary_of(record)))


@dataclass(frozen=True, slots=True)
class _RecordsRenderer:
    """What was read of one call; `remaining` counts its records from this page on, `records` are those that may be
    shown."""

    context: AppContext
    call_id: int
    call: Call | None
    listing: Listing[CallRecord]
    remaining: int
    records: Sequence[ShownRecord]
    names: DirectoryNames
    out_of_time: bool

    def render(self, summary_chars: int, budget: int) -> Answer:
        facts = None if self.call is None else _call_facts(self.context, self.call)
        draft = AnswerDraft(
            asked={"call_id": self.call_id},
            call=facts,
            columns=RECORD_COLUMNS,
            blocks=[[record_row(self.context, shown, summary_chars)] for shown in self.records],
            page=self._page_members,
            names=lambda rows: self._legend(rows, facts or {}),
            timezone=self.context.zone.name,
            notes=self._notes,
            retry=self._unread,
            optional_columns=OPTIONAL_COLUMNS,
        )
        return render_within_budget(draft, budget)

    def _page_members(self, extent: PageExtent) -> dict[str, Any]:
        more = extent.blocks < self.remaining
        whole = self.listing.complete and not self._unread(extent)
        members: dict[str, Any] = {"complete": whole and not more}
        if more:
            members["next_cursor"] = _encode_cursor(self.call_id, self.records[extent.blocks - 1].record)
        if self.listing.complete:
            members["total"] = len(self.listing.items)
        elif self.listing.total is not None:
            members["liner_total"] = self.listing.total
        if self.listing.changed:
            members["changed"] = True
        return members

    def _notes(self, extent: PageExtent) -> list[str]:
        notes: list[str] = []
        if self._unread(extent):
            notes.append(
                "Summaries marked failed could not be read just now; retry holds their record ids, for get_call_record."
            )
        notes += long_summary_notes(one.record for one in self.records[: extent.blocks])
        if self.call is None:
            notes.append("The call's own facts could not be read from Liner just now; its records are right.")
        if not self.listing.complete:
            counted, read = self.listing.total or "more", len(self.listing.items)
            # Lists have no order, so what is missing may be older than what this page or an earlier one shows.
            notes.append(
                f"Liner counts {counted} records of this call; {read} could be read. The others may belong on any "
                "page: ask again without cursor."
            )
        if not self.listing.items:
            notes.append(self._empty_reason())
        if self.out_of_time and extent.blocks == len(self.records):
            notes.append("Time was up before all records were read; next_cursor goes on.")
        return [*notes, *self.names.notes()]

    def _unread(self, extent: PageExtent) -> list[int]:
        return unread_summaries(self.records[: extent.blocks])

    def _empty_reason(self) -> str:
        if self.call is not None and self.call.has_records:
            note = f"Liner says call {self.call_id} has recordings but lists none yet."
            made = self.call.created_at
            if made is not None and self.context.now() - made > LISTING_DELAY:
                return f"{note} The call is {(self.context.now() - made).days} days old, so this will hardly change."
            return f"{note} Ask again in a few minutes."
        return f"Call {self.call_id} has no recording, so there is nothing Liner could summarise."

    def _legend(self, rows: Sequence[Row], facts: dict[str, Cell]) -> dict[str, dict[str, str]]:
        own = [facts["agent_id"]] if facts else []
        return {
            "agents": self.names.legend("agents", [*own, *agent_cells(RECORD_COLUMNS, rows)]),
            "orders": self.names.legend("orders", [facts.get("order_id")]),
            "statuses": self.names.legend("statuses", [facts.get("status")]),
        }


def _parse_cursor(call_id: int | None, cursor: str | None) -> tuple[int, tuple[datetime, int] | None]:
    """Which call, and after which record, from what may be either or both."""
    if cursor is None:
        if call_id is None:
            raise InvalidArgument("call_id is missing: say which call, for example call_id=7000123.")
        return call_id, None
    state = decode_cursor(LIST_CALL_RECORDS, cursor)
    try:
        asked, moment, record_id = int(state["call_id"]), float(state["at"]), int(state["id"])
        after = (datetime.fromtimestamp(moment, UTC), record_id)
        if not 1 <= asked <= MAX_ID:
            raise ValueError(asked)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        raise InvalidArgument("cursor cannot be read. Ask again without it to start at the first page.") from None
    if call_id is not None and call_id != asked:
        raise InvalidArgument(
            f"cursor belongs to call {asked}, but call_id says {call_id}. Send the cursor alone to go on with {asked}, "
            f"or call_id={call_id} without it."
        )
    return asked, after


def _encode_cursor(call_id: int, record: CallRecord) -> str:
    moment, record_id = record_key(record)
    return encode_cursor(LIST_CALL_RECORDS, {"call_id": call_id, "at": moment.timestamp(), "id": record_id})


# Records ----------------------------------------------------------------------------------------------------------


async def with_details(context: AppContext, records: Sequence[CallRecord], call: Call | None) -> list[CallRecord]:
    """The records, each with its summary state: one of the published list versions leaves it out, the detail has it.

    A record whose detail could not be read stays as it was (`was_sent("record_summary")` is False).

    Raises: InvalidResponse when the details show that the records are not of one call.
    """
    bare = [record for record in records if not record.was_sent("record_summary")]
    details: dict[int, CallRecord] = {}
    if bare:
        readers = [_detail_reader(context, record.id) for record in bare]
        for outcome in await run_all(readers, concurrency=context.liner.concurrency):
            if isinstance(outcome, CallRecord):
                details[outcome.id] = outcome if outcome.was_sent("record_summary") else _without_summary(outcome)
    reject_mixed_calls(list(details.values()))  # where the list leaves the lead out, only the details tell
    agent_id = call.user_id if call else None
    found = (details.get(record.id, record) for record in records)
    return [
        record if record.was_sent("user_id") or agent_id is None else record.model_copy(update={"user_id": agent_id})
        for record in found
    ]


def unread_summaries(records: Sequence[ShownRecord]) -> list[int]:
    """Ids of the records whose summary `with_details` could not get."""
    return [one.record.id for one in records if not one.record.was_sent("record_summary")]


def agent_cells(columns: Sequence[str], rows: Sequence[Row]) -> list[Cell]:
    """The agents of rows. Of what was not found or could not be read it is unknown, which is not "no agent"."""
    agent, state = columns.index("agent_id"), columns.index("summary_state")
    return [row[agent] for row in rows if row[agent] is not None or row[state] not in ("not_found", "failed")]


def _detail_reader(context: AppContext, record_id: int) -> Callable[[], Awaitable[CallRecord]]:
    return lambda: context.liner.call_record(record_id)


def _without_summary(record: CallRecord) -> CallRecord:
    # Not even the detail tells a summary: for a reader that is the same as none.
    return record.model_copy(update={"record_summary": None})


def record_key(record: CallRecord) -> tuple[datetime, int]:
    """The order of records: Liner states none, so by creation, then id."""
    return (record.created_at or datetime.min.replace(tzinfo=UTC), record.id)


def record_row(context: AppContext, shown: ShownRecord, summary_chars: int) -> Row:
    record = shown.record
    date, time = context.zone.date_and_time(record.created_at)
    state, length, summary = _summary_cells(shown, summary_chars)
    transfer = None if record.is_transfer is None else int(record.is_transfer)
    return (record.id, date, time, record.duration_seconds, record.user_id, transfer, state, length, summary)


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


def _call_facts(context: AppContext, call: Call) -> dict[str, Cell]:
    date, time = context.zone.date_and_time(call.created_at)
    return {
        "status": call.status_code,
        "order_id": call.order_id,
        "lead_id": call.lead_id,
        "agent_id": call.user_id,
        "date": date,
        "time": time,
        "talk_seconds": call.talk_time_duration_seconds,
        "wait_seconds": call.wait_time_duration_seconds,
        "direction": call.direction,
        "hung_up_by": call.finish_initiator,
    }
