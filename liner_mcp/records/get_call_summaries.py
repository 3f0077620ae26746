"""What was said on many calls: one row per record, and one for each call that has none."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from liner_mcp.answer.table import Answer, Evidence, Members, Page, Row, page, render_within_budget, table
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded, LinerMcpError, NotFound
from liner_mcp.liner.endpoints import OTHER_ACCOUNT
from liner_mcp.liner.models import Call
from liner_mcp.liner.parallel import gather2, run_all
from liner_mcp.names.directory import DirectoryNames
from liner_mcp.records.record_rows import (
    OPTIONAL_COLUMNS,
    RECORD_COLUMNS,
    ShownRecord,
    agent_cells,
    long_summary_notes,
    record_key,
    record_row,
    shown_record,
    unread_summaries,
    with_details,
)

SUMMARY_COLUMNS = ("call_id", *RECORD_COLUMNS)
MIN_ROW_BYTES = 20  # `[7000123,null,null],`: no row is shorter, so a page never counts as full too early


@dataclass(frozen=True, slots=True)
class CallRecords:
    """The records of one call that could be read. `call` is None where its records were enough."""

    records: tuple[ShownRecord, ...]
    state: str = ""  # why there are no records
    call: Call | None = None
    complete: bool = True

    @property
    def failed(self) -> bool:
        """Whether a summary of it could not be read."""
        return bool(unread_summaries(self.records))


CallResults = Sequence[tuple[int, "CallRecords | LinerMcpError"]]


async def get_call_summaries(
    context: AppContext, *, call_ids: Sequence[int], summary_chars: int, budget: int
) -> Answer:
    """One row per record of each call, in the order of `call_ids`, until the page is full or time is up.

    `call_ids` may repeat; repeated ids are read and answered once. A call without records still has its row.

    Raises: SetupError; the common error when every call failed; DeadlineExceeded when nothing came in time.
    """
    ids = list(dict.fromkeys(call_ids))
    done, names, out_of_time = await _read(context, ids, _PageBudget(budget, summary_chars))
    for one, outcome in done:
        if isinstance(outcome, CallRecords) and outcome.state != "not_found":
            context.recent_calls.add([one])
            context.recent_records.add(one.record.id for one in outcome.records)
    repeated = len(call_ids) - len(ids)
    blocks = [_call_rows(context, call_id, outcome, summary_chars) for call_id, outcome in done]
    rows = [row for block in blocks for row in block]
    ends = list(accumulate(map(len, blocks)))  # a call's records stay together, unless they fill more than a page

    def render(count: int) -> Members:
        begun = done[: bisect_left(ends, count) + 1]
        partial = count < ends[len(begun) - 1]
        return {
            "asked": {"calls": len(ids), **({"repeated": repeated} if repeated else {})},
            "page": _page(ids, begun, count, partial=partial),
            "notes": [
                *_notes(context, begun, partial=partial, out_of_time=out_of_time and len(begun) == len(done)),
                *names.notes(),
            ],
            "retry": _failed_ids(begun),
            "timezone": context.zone.name,
            "names": {"agents": names.legend("agents", agent_cells(SUMMARY_COLUMNS, rows[:count]))},
            **table(SUMMARY_COLUMNS, rows[:count], OPTIONAL_COLUMNS),
        }

    return render_within_budget(render, ends, budget)


async def _read(
    context: AppContext, ids: Sequence[int], page_budget: _PageBudget
) -> tuple[CallResults, DirectoryNames, bool]:
    """The calls that were read or failed, the names, and whether time was up before all were read."""
    readers = [_record_reader(context, call_id) for call_id in ids]
    outcomes, names = await gather2(
        lambda: run_all(readers, concurrency=context.liner.concurrency, stop_when=page_budget.add),
        lambda: context.directory.names("agents"),
    )
    if isinstance(outcomes, LinerMcpError):
        raise outcomes
    assert isinstance(names, DirectoryNames)  # noqa: S101 - names() raises nothing
    # A call whose reading met the deadline was not tried and failed: it is left for the next question.
    done = [
        (one, outcome)
        for one, outcome in zip(ids, outcomes, strict=True)
        if outcome is not None and not isinstance(outcome, DeadlineExceeded)
    ]
    if not done:
        raise DeadlineExceeded("Liner answered for none of these calls in time. Ask again, or for fewer calls at once.")
    if all(isinstance(outcome, LinerMcpError) for _, outcome in done):
        raise next(outcome for _, outcome in done if isinstance(outcome, LinerMcpError))
    return done, names, len(done) < len(ids) and not page_budget.full


def _record_reader(context: AppContext, call_id: int) -> Callable[[], Awaitable[CallRecords]]:
    async def read() -> CallRecords:
        try:
            listing = await context.liner.call_records(call_id)
        except NotFound:
            listing = None  # an unknown call, or a path form this Liner does not know: the call itself decides
        if listing is not None and listing.items:
            records = await with_details(context, sorted(listing.items, key=record_key), None)
            # Masked here and not for the whole page, so that a deadline leaves the calls that are done.
            shown = [await shown_record(context, record) for record in records]
            return CallRecords(tuple(shown), complete=listing.complete)
        try:
            call = await context.liner.call(call_id)
        except NotFound:
            return CallRecords((), "not_found")
        return CallRecords((), "not_listed_yet" if call.has_records else "no_recording", call)

    return read


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
        """Whether the page is full with this call."""
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


def _failed_ids(done: CallResults) -> list[int]:
    return [one for one, outcome in done if isinstance(outcome, LinerMcpError) or outcome.failed]


def _page(ids: Sequence[int], given: CallResults, count: int, *, partial: bool) -> Page:
    """What is true of a page with `count` rows of the calls `given`; `partial`: the only call has more rows."""
    given_ids = {one for one, _ in given}
    left = [one for one in ids if one not in given_ids]
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
    notes: list[str] = []
    errors = [outcome for _, outcome in given if isinstance(outcome, LinerMcpError)]
    if errors:
        why = context.mask(str(errors[0]))  # Liner's own words may be quoted in it
        notes.append(f"{len(errors)} of {len(given)} calls could not be read: {why} The ids are in retry.")
    elif _failed_ids(given):
        notes.append("Some summaries could not be read from Liner just now; the ids of their calls are in retry.")
    notes += long_summary_notes(
        shown.record for _, outcome in given if isinstance(outcome, CallRecords) for shown in outcome.records
    )
    if partial:
        one = given[0][0]
        notes.append(
            f"Call {one} has more records than fit on a page; list_call_records(call_id={one}) gives them all."
        )
    moved = [one for one, outcome in given if isinstance(outcome, CallRecords) and not outcome.complete]
    if moved:
        notes.append(f"Liner counts more records than could be read for call {', '.join(map(str, moved[:3]))}.")
    if out_of_time:
        notes.append("Time was up before all calls were read; ask for page.next_call_ids to go on.")
    missing = [one for one, outcome in given if isinstance(outcome, CallRecords) and outcome.state == "not_found"]
    if missing:
        listed = ", ".join(map(str, missing[:3])) + (" and others" if len(missing) > 3 else "")
        none = f" As none was found, {OTHER_ACCOUNT}." if len(missing) == len(given) else ""
        notes.append(f"Liner knows no call {listed}; ids of records and leads are other numbers.{none}")
    return notes
