"""What was said on many calls: one row per record, and one for each call that has none."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

from liner_mcp.answer.table import Answer, Evidence, Members, Page, Row, page, render_within_budget, table
from liner_mcp.context import AppContext
from liner_mcp.errors import (
    AccessRefused,
    DeadlineExceeded,
    ForgottenId,
    InvalidResponse,
    LinerMcpError,
    LinerRejected,
    NotFound,
)
from liner_mcp.liner.endpoints import OTHER_ACCOUNT
from liner_mcp.liner.models import Call, CallRecord
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.parallel import gather2, run_all
from liner_mcp.liner.record_owners import RecordOwners, mixed_calls_error, of_other_leads
from liner_mcp.names.directory import DirectoryNames
from liner_mcp.records.record_rows import (
    OPTIONAL_COLUMNS,
    RECORD_COLUMNS,
    ShownRecord,
    SummaryState,
    agent_ids,
    forgotten_note,
    ids_in_state,
    listed,
    long_summary_notes,
    other_lead_notes,
    record_key,
    record_row,
    shown_record,
    unknown_cell_notes,
    with_details,
)

SUMMARY_COLUMNS = ("call_id", *RECORD_COLUMNS)
MIN_ROW_BYTES = 20  # `[7000123,null,null],`: no row is shorter, so a page never counts as full too early


@dataclass(frozen=True, slots=True)
class CallRecords:
    """The records of one call that could be read. `call` is None where its records were enough.

    `complete`: the call has no other records. `state` says why there are none.
    """

    records: tuple[ShownRecord, ...]
    state: SummaryState | None = None
    call: Call | None = None
    complete: bool = True

    @property
    def failed(self) -> bool:
        return bool(ids_in_state(self.records, "failed"))

    @property
    def not_asked(self) -> bool:
        return bool(ids_in_state(self.records, "not_asked"))


CallResults = Sequence[tuple[int, "CallRecords | LinerMcpError"]]


async def get_call_summaries(
    context: AppContext, *, call_ids: Sequence[int], summary_chars: int, budget: int
) -> Answer:
    """One row per record of each call, in the order of `call_ids`, until the page is full or time is up.

    `call_ids` may repeat; repeated ids are read and answered once. A call without records still has its row.

    Raises: SetupError; the first error when every call failed; DeadlineExceeded when nothing came in time.
    """
    ids = list(dict.fromkeys(call_ids))
    done, names, out_of_time = await _read(context, ids, _PageBudget(budget, summary_chars))
    for one, outcome in done:
        if isinstance(outcome, CallRecords) and outcome.state not in ("not_found", "forgotten"):
            context.recent_calls.add([one])
            context.recent_records.add(one.record.id for one in outcome.records)
    repeated = len(call_ids) - len(ids)
    blocks = [_call_rows(context, call_id, outcome, summary_chars) for call_id, outcome in done]
    rows = [row for block in blocks for row in block]
    sources = [source for _, outcome in done for source in _row_sources(outcome)]
    ends = list(accumulate(map(len, blocks)))  # a call's records stay together, unless they fill more than a page

    def render(count: int) -> Members:
        begun = done[: bisect_left(ends, count) + 1]
        is_partial = count < ends[len(begun) - 1]
        return {
            "asked": {"calls": len(ids), **({"repeated": repeated} if repeated else {})},
            "page": _page(ids, begun, count, partial=is_partial),
            "notes": [
                *_notes(context, begun, partial=is_partial, out_of_time=out_of_time and len(begun) == len(done)),
                *names.notes(),
            ],
            "retry": _failed_ids(begun),
            "timezone": context.zone.name,
            "names": {"agents": names.legend("agents", agent_ids(sources[:count]))},
            **table(SUMMARY_COLUMNS, rows[:count], OPTIONAL_COLUMNS),
        }

    return render_within_budget(render, ends, budget)


async def _read(
    context: AppContext, ids: Sequence[int], page_budget: _PageBudget
) -> tuple[CallResults, DirectoryNames, bool]:
    """The calls that were read or failed, the names, and whether time was up before all were read."""
    readers = [partial(_read_call, context, call_id) for call_id in ids]
    outcomes, names = await gather2(
        lambda: run_all(readers, concurrency=context.liner.concurrency, stop_when=page_budget.add, allow_refusals=True),
        lambda: context.directory.names("agents"),
    )
    if isinstance(outcomes, LinerMcpError):
        raise outcomes
    assert isinstance(names, DirectoryNames)  # noqa: S101 - names() raises nothing
    # A call whose reading met the deadline was not tried and failed: it is left for the next question.
    done = _without_shared_records(
        [
            (one, outcome)
            for one, outcome in zip(ids, outcomes, strict=True)
            if outcome is not None and not isinstance(outcome, DeadlineExceeded)
        ]
    )
    if all(isinstance(one, CallRecords) and _is_unread(one) for _, one in done):
        raise DeadlineExceeded("Liner answered for none of these calls in time. Ask again, or for fewer calls at once.")
    if all(isinstance(outcome, LinerMcpError) for _, outcome in done):
        raise next(outcome for _, outcome in done if isinstance(outcome, LinerMcpError))
    return done, names, len(done) < len(ids) and not page_budget.full


def _is_unread(call: CallRecords) -> bool:
    return bool(call.records) and all(one.unread == "not_asked" for one in call.records)


def _without_shared_records(done: CallResults) -> CallResults:
    """The results, with an error for each call of which a record is listed for another call too."""
    owners = RecordOwners()
    for call_id, outcome in done:
        if isinstance(outcome, CallRecords):
            owners.add(call_id, (one.record for one in outcome.records))
    return [(one, mixed_calls_error() if one in owners.shared else outcome) for one, outcome in done]


async def _read_call(context: AppContext, call_id: int) -> CallRecords:
    try:
        listing = await context.liner.call_records(call_id)
    except ForgottenId:
        return CallRecords((), "forgotten")
    except NotFound:
        listing = None  # an unknown call, or a path form this Liner does not know: the call itself decides
    if listing is not None and listing.items:
        records = await with_details(context, sorted(listing.items, key=record_key), None)
        # Masked here and not for the whole page, so that a deadline leaves the calls that are done.
        shown = [await shown_record(context, record) for record in records]
        return CallRecords(tuple(shown), complete=listing.complete)
    if listing is not None and listing.unreadable:
        raise InvalidResponse("Liner's answer could not be read: no row of a list of records has a usable id.")
    try:
        call = await context.liner.call(call_id)
    except ForgottenId:
        return CallRecords((), "forgotten")
    except NotFound:
        return CallRecords((), "not_found")
    return _without_records(call, listing)


def _without_records(call: Call, listing: Listing[CallRecord] | None) -> CallRecords:
    """A call of which no record was listed; `listing` is None where Liner knows no such list.

    Raises: LinerRejected when it is unknown whether the call has records.
    """
    if call.has_records or (listing is not None and not listing.complete):
        return CallRecords((), "not_listed_yet", call, complete=False)
    if call.has_records is None:
        raise LinerRejected(f"Liner lists no recordings of call {call.id} and does not say whether there are any.")
    return CallRecords((), "no_recording", call)


@dataclass(slots=True)
class _PageBudget:
    """How far the calls read so far fill a page; what is read beyond a full page would be thrown away."""

    budget: int
    summary_chars: int
    used: int = 0

    @property
    def full(self) -> bool:
        return self.used > self.budget

    def add(self, outcome: CallRecords | LinerMcpError) -> bool:
        records = () if isinstance(outcome, LinerMcpError) else outcome.records
        texts = (one.summary[: self.summary_chars] for one in records)
        self.used += sum(len(text.encode()) for text in texts) + MIN_ROW_BYTES * max(1, len(records))
        return self.full


def _call_rows(
    context: AppContext, call_id: int, outcome: CallRecords | LinerMcpError, summary_chars: int
) -> list[Row]:
    nothing: Row = (None,) * 4
    if isinstance(outcome, LinerMcpError):
        return [(call_id, *nothing, None, None, "failed", None, None)]
    if not outcome.records:
        agent_id = outcome.call.user_id if outcome.call else None
        return [(call_id, *nothing, agent_id, None, outcome.state, None, None)]
    return [(call_id, *record_row(context, one, summary_chars)) for one in outcome.records]


def _row_sources(outcome: CallRecords | LinerMcpError) -> Sequence[Call | CallRecord | None]:
    """What each row of a call is about: a record, or the call, if it could be read."""
    if isinstance(outcome, LinerMcpError):
        return [None]
    return _records(outcome) or [outcome.call]


def _failed_ids(done: CallResults) -> list[int]:
    return [one for one, outcome in done if isinstance(outcome, LinerMcpError) or outcome.failed]


def _page(ids: Sequence[int], given: CallResults, count: int, *, partial: bool) -> Page:
    """What is true of a page with `count` rows of the calls `given`; `partial`: the only call has more rows."""
    finished = {one for one, outcome in given if isinstance(outcome, LinerMcpError) or not outcome.not_asked}
    left = [one for one in ids if one not in finished]
    whole = all(isinstance(outcome, LinerMcpError) or outcome.complete for _, outcome in given)
    call_id, outcome = given[0]
    records = 0 if isinstance(outcome, LinerMcpError) else len(outcome.records)
    return page(
        count,
        Evidence(left=bool(left or partial), missing=not whole, undecided=0, unknown=bool(_failed_ids(given))),
        next_call_ids=left or None,
        partial_call={"call_id": call_id, "shown": count, "records": records} if partial else None,
    )


def _notes(context: AppContext, given: CallResults, *, partial: bool, out_of_time: bool) -> list[str]:
    """The first notes are the most important ones, as an answer has room for three."""
    notes: list[str] = []
    errors = [outcome for _, outcome in given if isinstance(outcome, LinerMcpError)]
    read = [(one, outcome) for one, outcome in given if isinstance(outcome, CallRecords)]
    if errors:
        why = context.mask(str(errors[0]))  # Liner's own words may be quoted in it
        if isinstance(errors[0], AccessRefused):
            why = "Liner refuses access to them, but not to the others."
        notes.append(f"{len(errors)} of {len(given)} calls could not be read: {why} The ids are in retry.")
    elif _failed_ids(given):
        notes.append("Some summaries could not be read from Liner just now; the ids of their calls are in retry.")
    if partial:
        one = given[0][0]
        notes.append(
            f"Call {one} has more records than fit on a page; list_call_records(call_id={one}) gives them all."
        )
    if out_of_time or any(outcome.not_asked for _, outcome in read):
        notes.append("Time was up before all calls were read; ask for page.next_call_ids to go on.")
    if moved := [one for one, outcome in read if outcome.records and not outcome.complete]:
        notes.append(f"Liner counts more records than could be read for call {listed(moved)}.")
    if unlisted := [one for one, outcome in read if outcome.state == "not_listed_yet"]:
        notes.append(f"Liner says that call {listed(unlisted)} has recordings, but lists none yet; ask again later.")
    if missing := [one for one, outcome in read if outcome.state == "not_found"]:
        none = f" As none was found, {OTHER_ACCOUNT}." if len(missing) == len(given) else ""
        notes.append(f"Liner knows no call {listed(missing)}; ids of records and leads are other numbers.{none}")
    if forgotten := [one for one, outcome in read if outcome.state == "forgotten"]:
        notes.append(forgotten_note("Call", forgotten))
    notes += other_lead_notes([record for _, outcome in read for record in of_other_leads(_records(outcome), None)])
    shown = [record for _, outcome in read for record in outcome.records]
    return [*notes, *unknown_cell_notes(shown), *long_summary_notes(one.record for one in shown)]


def _records(call: CallRecords) -> list[CallRecord]:
    return [one.record for one in call.records]
