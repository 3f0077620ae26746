"""Finding calls: from a question with names and day words to a page of calls, newest first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from liner_mcp.answer.table import Answer, Evidence, Members, Page, page, render_within_budget
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.filters import WINDOW, Filters
from liner_mcp.calls.page_cursor import PageStart, encode_page_cursor, resolve_page_start
from liner_mcp.calls.record_filters import RecordsRead, Undecided, decide, retry_ids, undecided_note
from liner_mcp.calls.rows import (
    MISSING_CALLS_NOTE,
    call_columns,
    call_members,
    call_row,
    read_names,
    unknown_cells_note,
    unlisted_notes,
)
from liner_mcp.calls.time_window import TimeWindow, ceil_to_second
from liner_mcp.calls.window_reader import (
    FILTER_IGNORED_NOTE,
    SLICE_CALLS,
    CallKey,
    WindowReader,
    call_key,
    read_around,
)
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded, LinerMcpError
from liner_mcp.liner.models import Call
from liner_mcp.names.directory import DirectoryNames

FIND_CALLS = "find_calls"
INITIAL_PASS_RATE = 0.3  # of calls that pass client-side filters: a guess, until the first calls were read
SLICE_MARGIN = 1.2  # a slice just short of a page costs another request; one a little too long mostly does not
MIN_PASS_RATE = 0.01  # below this a slice would be sized by chance
LOOK_BACK = timedelta(days=31)  # how far an empty answer looks for earlier calls, in one request


@dataclass(slots=True)
class _CollectedCalls:
    """The calls of one page so far. `reached`: every call from this key upwards was looked at."""

    reached: CallKey
    known_pass_rate: float | None = None  # from earlier pages
    calls: list[Call] = field(default_factory=list[Call])
    more: bool = False  # calls beyond the limit are known already
    scanned: list[CallKey] = field(default_factory=list[CallKey])
    examined: int = 0
    undecided: dict[int, Undecided] = field(default_factory=dict[int, Undecided])  # by the ids of calls
    records_read: RecordsRead = field(default_factory=RecordsRead)
    filter_ignored: bool = False
    window_note: str | None = None  # where Liner sent calls of other times, so that some may be missing
    changed: bool = False
    complete: bool = True
    stopped: LinerMcpError | None = None

    @property
    def pass_rate(self) -> float:
        """The share of calls that pass the client-side filters, as far as it is known."""
        scanned = len(self.scanned)
        if scanned < SLICE_CALLS:
            return self.known_pass_rate or INITIAL_PASS_RATE
        return max(len(self.calls) / scanned, MIN_PASS_RATE)

    def reached_with(self, count: int) -> CallKey:
        """The key down to which a page of the first `count` calls is decided."""
        return call_key(self.calls[count - 1]) if count < len(self.calls) else self.reached

    def drop_shared(self) -> None:
        """Move the calls of `RecordsRead.part_shared` to the undecided ones."""
        self.calls, shared = self.records_read.part_shared(self.calls)
        self.undecided |= {one.key[1]: one for one in shared}

    def undecided_down_to(self, reached: CallKey) -> list[Undecided]:
        """The undecided calls of such a page; the next page examines the others again. A call without a time is one of
        every page that found it.
        """
        return [one for one in self.undecided.values() if one.key >= reached or WINDOW in one.without_value]


async def find_calls(
    context: AppContext,
    query: CallQuery,
    *,
    include: tuple[str, ...],
    limit: int,
    cursor: str | None,
    budget: int,
) -> Answer:
    """A page of the calls that pass, newest first, within `budget` bytes and the caller's deadline.

    Raises: InvalidArgument for arguments that cannot be used; the error of the first read when nothing was read at all.
    """
    start = await resolve_page_start(context, FIND_CALLS, query, include, cursor)
    source = WindowReader(
        context.liner,
        start.filters,
        start.remaining,
        seconds_per_call=start.seconds_per_call,
        widen=start.widen,
        last_id=start.after[1] if start.after else 0,
    )
    collected = _CollectedCalls(reached=start.after or (start.window.until, 0), known_pass_rate=start.pass_rate)
    await _collect(context, start, source, collected, limit)
    collected.drop_shared()
    earlier: list[Call] = []
    if source.exhausted and start.after is None and not (collected.scanned or collected.window_note):
        earlier = await _look_around(context, start, collected, limit)
    names = await read_names(context, start.filters, collected.calls)
    hint = ""
    if not start.returned and not collected.calls and _evidence(start, source, collected, 0).shows_all:
        hint = await _empty_page_hint(context, start, collected, earlier)
    context.recent_calls.add(reversed([call.id for call in collected.calls]))
    columns = call_columns(start.include)
    rows = [call_row(context, call, start.include) for call in collected.calls]

    def render(count: int) -> Members:
        undecided = collected.undecided_down_to(collected.reached_with(count))
        retry = retry_ids(undecided, budget)
        unclear = undecided_note(start.filters, undecided, len(retry))
        shown = collected.calls[:count]
        notes = [*_notes(context, start, collected, names, unclear), hint, unknown_cells_note(shown, columns)]
        agents_known = all(call.is_known("user_id") for call in shown)
        return {
            **call_members(
                context, names, start.filters, start.window, columns, rows[:count], agents_known=agents_known
            ),
            "page": _page(context, start, source, collected, count),
            "notes": [*notes, *start.notes, *names.notes()],
            "retry": retry,
        }

    return render_within_budget(render, range(1, len(rows) + 1), budget)


# Reading --------------------------------------------------------------------------------------------------------------


async def _collect(
    context: AppContext, start: PageStart, source: WindowReader, collected: _CollectedCalls, limit: int
) -> None:
    """Read slices until the page has `limit` calls, the window ends, or something stops the reading."""
    client_side = bool(start.filters.client_side)
    first = True
    if source.exhausted:
        collected.reached = (start.window.since, 0)  # Liner lists no orders, so there is nothing to request
    while not source.exhausted and len(collected.calls) < limit and collected.stopped is None:
        missing = limit - len(collected.calls)
        try:
            part = await source.read_next(
                math.ceil(SLICE_MARGIN * missing / (collected.pass_rate if client_side else 1))
            )
        except LinerMcpError as error:
            if first:
                raise  # nothing was read: the error is the answer, and the cursor that was sent is still valid
            collected.stopped = error
            return
        first = False
        collected.changed |= part.changed
        # Where a later page is the first to see it, calls of the pages before may be missing too.
        collected.complete &= part.complete and (start.after is None or start.widen or not part.window_note)
        collected.window_note = collected.window_note or part.window_note
        if not await _add_calls(context, start, collected, part.calls, limit):
            return
        if not collected.more:
            collected.reached = (part.window.since, 0)


async def _look_around(context: AppContext, start: PageStart, collected: _CollectedCalls, limit: int) -> list[Call]:
    """After a window that came empty, look whether Liner reads its times as they are meant; if not, add its calls.
    Otherwise, the calls of the day before it, if these are all.
    """
    try:
        around, inside = await read_around(context.liner, start.filters, start.window)
    except LinerMcpError:
        return []
    if inside is None:
        before = [call for call in around.calls if _is_before(start.window, call)]
        return before if around.complete else []
    collected.window_note, collected.complete = inside.window_note, inside.complete
    await _add_calls(context, start, collected, inside.calls, limit)
    return []


async def _add_calls(
    context: AppContext, start: PageStart, collected: _CollectedCalls, calls: Sequence[Call], limit: int
) -> bool:
    """Add those of the calls that pass the filters. False when time was up on the way."""
    fresh = [call for call in calls if start.after is None or call_key(call) < start.after]
    collected.scanned += [call_key(call) for call in fresh]
    collected.filter_ignored |= start.filters.violated_by(*fresh)
    return await _add_passing(context, start.filters, collected, start.filters.matching(fresh), limit)


async def _add_passing(
    context: AppContext, filters: Filters, collected: _CollectedCalls, calls: Sequence[Call], limit: int
) -> bool:
    """Add those of the calls that pass the filters on recordings. False when time was up on the way."""
    # One beyond the page, so that `more` is known and not guessed.
    decisions = await decide(context, filters, calls, collected.records_read, limit - len(collected.calls) + 1)
    for decision in decisions:
        # A late one goes to the next page, unless it is the first of this page: then it would be late every time.
        if decision.late and (collected.examined or collected.undecided):
            break
        if decision.passes and len(collected.calls) == limit:
            collected.more = True
            return True
        if decision.passes:
            collected.calls.append(decision.call)
        elif decision.passes is None:
            collected.undecided[decision.call.id] = decision.undecided
        collected.examined += decision.examined
        collected.reached = call_key(decision.call)
    else:
        if len(decisions) == len(calls):
            return True
    collected.stopped = DeadlineExceeded("time was up before all records were read.")
    return False


# The page -------------------------------------------------------------------------------------------------------------


def _evidence(start: PageStart, source: WindowReader, collected: _CollectedCalls, count: int) -> Evidence:
    reached = collected.reached_with(count)
    return Evidence(
        left=collected.more or not source.exhausted or reached > (start.window.since, 0),
        missing=start.lossy or not collected.complete or bool(start.gaps),
        undecided=len(collected.undecided_down_to(reached)),
        unknown=False,
    )


def _page(context: AppContext, start: PageStart, source: WindowReader, collected: _CollectedCalls, count: int) -> Page:
    """What is true of a page with the first `count` of the collected calls."""
    filters, window = start.filters, start.window
    reached = collected.reached_with(count)
    evidence = _evidence(start, source, collected, count)
    returned = start.returned + count
    cursor = covered = liner_total = None
    if evidence.left:
        cursor = encode_page_cursor(
            FIND_CALLS,
            start,
            reached,
            returned=returned,
            seconds_per_call=source.seconds_per_call,
            pass_rate=collected.pass_rate if filters.client_side else None,
            lossy=not evidence.counts_all,
            widen=collected.window_note is not None,
        )
        # In whole seconds, because the second in which the page ends may hold more calls.
        since = min(ceil_to_second(replace(start, after=reached).remaining.until), window.until)
        covered = replace(window, since=since).to_dict(context.zone)
    unfiltered = not (filters.client_side or collected.filter_ignored or collected.window_note)
    if start.after is None and unfiltered and not evidence.complete:
        liner_total = source.liner_total
    return page(
        count,
        evidence,
        next_cursor=cursor,
        covered=covered,
        total=None if evidence.left else returned,
        liner_total=liner_total,
        scanned=sum(key >= reached for key in collected.scanned) if filters.client_side else None,
        local_filters=filters.client_side or None,
        examined=collected.examined if filters.on_recordings else None,
        changed=collected.changed or None,
    )


def _notes(
    context: AppContext,
    start: PageStart,
    collected: _CollectedCalls,
    names: DirectoryNames,
    undecided: str,
) -> list[str]:
    notes: list[str] = []
    if collected.stopped is not None:
        notes.append(f"Reading stopped early: {context.stop_reason(collected.stopped)} next_cursor goes on from there.")
    notes.append(undecided)
    if collected.window_note:
        notes.append(collected.window_note)
    elif not collected.complete:
        notes.append(MISSING_CALLS_NOTE)
    notes += start.gaps
    if start.lossy:
        notes.append("Calls are missing from an earlier page, whose notes say why; so there is no total.")
    if collected.filter_ignored and FILTER_IGNORED_NOTE not in notes:
        notes.append(FILTER_IGNORED_NOTE)
    if start.after is None:
        orders, agents = {call.order_id for call in collected.calls}, {call.user_id for call in collected.calls}
        notes += unlisted_notes(names, start.filters, orders=orders, agents=agents)
    return notes


# Nothing found --------------------------------------------------------------------------------------------------------


async def _empty_page_hint(
    context: AppContext, start: PageStart, collected: _CollectedCalls, earlier: Sequence[Call]
) -> str:
    """What to try when nothing in the whole window passes: filters to relax, or the nearest earlier calls.

    `earlier` are those of the day before; without one that passes, a month before it is looked at in one request.
    """
    filters, days = start.filters, LOOK_BACK.days
    client_side = ", ".join(filters.client_side)
    if collected.scanned:
        relaxable = client_side or ", ".join(filters.echo())
        return (
            f"{len(collected.scanned)} calls of this window were read and none passed {relaxable}; relax one of these."
        )
    requests = filters.call_filters(TimeWindow(start.window.since - LOOK_BACK, start.window.since))
    nothing = "Liner has no such call in this window"
    if nearest := _newest_passing(filters, earlier):
        return f"{nothing}; {_nearest(context, filters, nearest)}"
    try:
        listing = await context.liner.calls(requests[0], at_most=SLICE_CALLS) if len(requests) == 1 else None
    except LinerMcpError:
        listing = None
    before = [] if listing is None else [call for call in listing.items if _is_before(start.window, call)]
    # A list with calls of other times was not for the days before.
    if listing is None or len(before) < len(listing.items):
        return f"{nothing}; try an earlier since{', or fewer filters' if filters.can_be_relaxed else ''}."
    if not before and listing.complete:
        advice = "fewer filters may find some" if filters.can_be_relaxed else "try another window"
        return f"{nothing}, nor in the {days} days before it; {advice}."
    nearest = _newest_passing(filters, before)
    if listing.complete and nearest is not None:
        return f"{nothing}; {_nearest(context, filters, nearest)}"
    counted = max(listing.total or 0, len(before))
    found = f"{counted} in the {days} days before it"
    if not client_side:
        return f"{nothing}, but {found}."
    checked = "none of them passed" if listing.complete else "not checked for"
    return f"{nothing}; Liner has {found}, {checked} {client_side}."


def _is_before(window: TimeWindow, call: Call) -> bool:
    # The request includes its last second, and calls in it may have come since.
    return call.created_at is not None and window.since - LOOK_BACK <= call.created_at < window.since


def _newest_passing(filters: Filters, calls: Sequence[Call]) -> Call | None:
    undecided = filters.undecided(calls)
    passing = [call for call in filters.matching(calls) if call.id not in undecided]
    return max(passing, key=call_key, default=None)


def _nearest(context: AppContext, filters: Filters, call: Call) -> str:
    one = "candidate" if filters.on_recordings else "one"
    assert call.created_at is not None  # noqa: S101 - it was compared with the window
    return f"the nearest earlier {one} is call {call.id} of {context.zone.isoformat(call.created_at)}."
