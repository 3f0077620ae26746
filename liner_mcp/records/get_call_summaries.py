"""What was said on many calls: one row per record, and one for each call that has none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from liner_mcp.answer.table import Draft, Row, Shown, Written, write
from liner_mcp.context import Desk
from liner_mcp.errors import DeadlinePassed, LinerMcpError, NotFound
from liner_mcp.liner.endpoints import OTHER_ACCOUNT
from liner_mcp.liner.models import Call
from liner_mcp.names.directory import Names
from liner_mcp.records.list_call_records import (
    IF_ANY,
    RECORD_COLUMNS,
    ShownRecord,
    age,
    agents_of,
    record_row,
    shown_record,
    unread,
    with_details,
)

COLUMNS = ("call_id", *RECORD_COLUMNS)
LEAST_ROW_BYTES = 20  # `[7000123,null,null],` and no row is shorter, so a page is never thought full too early


@dataclass(frozen=True, slots=True)
class CallRecords:
    """The records of one call that was answered. `call` is None where nobody had to ask for it."""

    records: tuple[ShownRecord, ...]
    state: str = ""  # why there are no records
    call: Call | None = None
    complete: bool = True

    @property
    def failed(self) -> bool:
        """Whether a summary of it could not be read."""
        return bool(unread(self.records))


Done = Sequence[tuple[int, "CallRecords | LinerMcpError"]]


async def get_call_summaries(desk: Desk, *, call_ids: Sequence[int], summary_chars: int, budget: int) -> Written:
    """One row per record of each call, in the order asked, until the page is full or time is up.

    `call_ids` may repeat; repeated ids are read and answered once. A call without records still has its row.

    Raises: SetupError; the common error when every call failed; DeadlinePassed when nothing came in time.
    """
    ids = list(dict.fromkeys(call_ids))
    filling = _Filling(budget, summary_chars)
    outcomes, names = await desk.liner.together(
        lambda: desk.liner.each([_reader(desk, call_id) for call_id in ids], filling.add),
        lambda: desk.directory.names("agents"),
    )
    if isinstance(outcomes, LinerMcpError):
        raise outcomes
    assert isinstance(names, Names)  # noqa: S101 - names() raises nothing
    # A call whose reading met the deadline was not tried and failed: it is left for the next question.
    done = [
        (one, outcome)
        for one, outcome in zip(ids, outcomes, strict=True)
        if outcome is not None and not isinstance(outcome, DeadlinePassed)
    ]
    if not done:
        raise DeadlinePassed("Liner answered for none of these calls in time. Ask again, or for fewer calls at once.")
    if all(isinstance(outcome, LinerMcpError) for _, outcome in done):
        raise next(outcome for _, outcome in done if isinstance(outcome, LinerMcpError))
    out_of_time = len(done) < len(ids) and not filling.full
    for one, outcome in done:
        if isinstance(outcome, CallRecords) and outcome.state != "not_found":
            desk.recent_calls.add([one])
            desk.recent_records.add(one.record.id for one in outcome.records)
    draft = Draft(
        asked={"calls": len(ids), **({"repeated": len(call_ids) - len(ids)} if len(ids) < len(call_ids) else {})},
        columns=COLUMNS,
        blocks=[_call_rows(desk, call_id, outcome, summary_chars) for call_id, outcome in done],
        page=lambda shown: _summaries_page(ids, done, shown),
        names=lambda rows: {"agents": names.legend("agents", agents_of(COLUMNS, rows))},
        timezone=desk.zone.name,
        notes=lambda shown: [*_summaries_notes(desk, done, shown, out_of_time), *names.notes()],
        retry=lambda shown: _failed(done[: shown.blocks]),
        if_any=IF_ANY,
        splits=True,
    )
    return write(draft, budget)


def _reader(desk: Desk, call_id: int) -> Callable[[], Awaitable[CallRecords]]:
    async def read() -> CallRecords:
        try:
            listing = await desk.liner.call_records(call_id)
        except NotFound:
            listing = None  # an unknown call, or a path form this Liner does not know: the call itself will tell
        if listing is not None and listing.items:
            records = await with_details(desk, sorted(listing.items, key=age), None)
            # Masked here and not for the page, so that a deadline in the middle leaves the calls that are done.
            shown = [await shown_record(desk, record) for record in records]
            return CallRecords(tuple(shown), complete=listing.complete)
        try:
            call = await desk.liner.call(call_id)
        except NotFound:
            return CallRecords((), "not_found")
        return CallRecords((), "not_listed_yet" if call.has_records else "no_recording", call)

    return read


@dataclass(slots=True)
class _Filling:
    """How far the calls read so far fill a page: beyond that, reading on would be thrown away."""

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
        self.used += sum(len(text.encode()) for text in texts) + LEAST_ROW_BYTES * max(1, len(records))
        return self.full


def _call_rows(desk: Desk, call_id: int, outcome: CallRecords | LinerMcpError, summary_chars: int) -> list[Row]:
    nothing: Row = (None,) * 4
    if isinstance(outcome, LinerMcpError):
        return [(call_id, *nothing, None, None, "failed", None, None)]
    if not outcome.records:
        agent_id = outcome.call.user_id if outcome.call else None
        return [(call_id, *nothing, agent_id, None, outcome.state, None, None)]
    return [(call_id, *record_row(desk, one, summary_chars)) for one in outcome.records]


def _failed(done: Done) -> list[int]:
    return [one for one, outcome in done if isinstance(outcome, LinerMcpError) or outcome.failed]


def _summaries_page(ids: Sequence[int], done: Done, shown: Shown) -> dict[str, Any]:
    given = {one for one, _ in done[: shown.blocks]}
    left = [one for one in ids if one not in given]
    failed = _failed(done[: shown.blocks])
    whole = all(isinstance(outcome, LinerMcpError) or outcome.complete for _, outcome in done[: shown.blocks])
    members: dict[str, Any] = {"complete": not left and not failed and whole and shown.rows_of_first is None}
    if left:
        members["next_call_ids"] = left
    if shown.rows_of_first is not None:
        one, outcome = done[0]
        records = 0 if isinstance(outcome, LinerMcpError) else len(outcome.records)
        members["partial_call"] = {"call_id": one, "shown": shown.rows_of_first, "records": records}
    return members


def _summaries_notes(desk: Desk, done: Done, shown: Shown, out_of_time: bool) -> list[str]:
    notes: list[str] = []
    given = done[: shown.blocks]
    errors = [outcome for _, outcome in given if isinstance(outcome, LinerMcpError)]
    if errors:
        why = desk.shown(str(errors[0]))  # Liner's own words may be quoted in it
        notes.append(f"{len(errors)} of {len(given)} calls could not be read: {why} The ids are in retry.")
    elif _failed(given):
        notes.append("Some summaries could not be read from Liner just now; the ids of their calls are in retry.")
    if shown.rows_of_first is not None:
        one = done[0][0]
        notes.append(
            f"Call {one} has more records than fit on a page; list_call_records(call_id={one}) gives them all."
        )
    moved = [one for one, outcome in given if isinstance(outcome, CallRecords) and not outcome.complete]
    if moved:
        notes.append(f"Liner counts more records than could be read for call {', '.join(map(str, moved[:3]))}.")
    if out_of_time and shown.blocks == len(done):
        notes.append("Time was up before all calls were read; ask for page.next_call_ids to go on.")
    missing = [one for one, outcome in given if isinstance(outcome, CallRecords) and outcome.state == "not_found"]
    if missing:
        told = ", ".join(map(str, missing[:3])) + (" and others" if len(missing) > 3 else "")
        none = f" As none was found, {OTHER_ACCOUNT}." if len(missing) == len(given) else ""
        notes.append(f"Liner knows no call {told}; ids of records and leads are other numbers.{none}")
    return notes
