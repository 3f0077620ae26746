"""Finding calls: from a question with names and day words to a page of calls, newest first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from liner_mcp.answer.table import Answer, Members, Page, page, render_within_budget
from liner_mcp.calls.page_cursor import PageStart, encode_page_cursor, resolve_page_start
from liner_mcp.calls.query import CallQuery
from liner_mcp.calls.rows import MISSING_CALLS_NOTE, call_columns, call_members, call_row, unlisted_notes
from liner_mcp.calls.time_window import TimeWindow, ceil_to_second
from liner_mcp.calls.transfers import is_transferred, reject_shared_records
from liner_mcp.calls.window_reader import FILTER_IGNORED_NOTE, SLICE_CALLS, CallKey, WindowReader, call_key
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded, LinerMcpError
from liner_mcp.liner.models import Call
from liner_mcp.liner.pagination import Listing
from liner_mcp.names.directory import DirectoryNames

FIND_CALLS = "find_calls"
INITIAL_PASS_RATE = 0.3  # of calls that a filter of ours lets pass, before anything was seen: a guess, soon replaced
SLICE_MARGIN = (
    1.2  # a slice that falls just short of a page costs another request; one a little too long mostly does not
)
MIN_PASS_RATE = 0.01  # below this a slice would be sized by chance
LOOK_BACK = timedelta(days=31)  # how far an empty answer looks for earlier calls, in one request


@dataclass(slots=True)
class _CollectedCalls:
    """The calls of one page so far. `reached`: all calls from this key upwards are decided."""

    reached: CallKey
    known_pass_rate: float | None = None  # what earlier pages saw
    calls: list[Call] = field(default_factory=list[Call])
    more: bool = False  # calls beyond the limit are known already
    scanned: list[CallKey] = field(default_factory=list[CallKey])
    examined: int = 0
    unread: list[int] = field(default_factory=list[int])  # calls whose records could not be read
    filter_ignored: bool = False
    changed: bool = False
    complete: bool = True
    stopped: LinerMcpError | None = None

    @property
    def pass_rate(self) -> float:
        """The share of calls that pass our filters, as far as it is known."""
        scanned = len(self.scanned)
        if scanned < SLICE_CALLS:
            return self.known_pass_rate or INITIAL_PASS_RATE
        return max(len(self.calls) / scanned, MIN_PASS_RATE)


async def find_calls(
    context: AppContext,
    query: CallQuery,
    *,
    include: tuple[str, ...],
    limit: int,
    cursor: str | None,
    budget: int,
) -> Answer:
    """A page of the calls that a question means, newest first, within `budget` bytes and the caller's deadline.

    Raises: InvalidArgument for what cannot be understood; the error of the first read when nothing was read at all.
    """
    start = await resolve_page_start(context, FIND_CALLS, query, include, cursor)
    source = WindowReader(context.liner, start.filters, start.remaining, seconds_per_call=start.seconds_per_call)
    collected = _CollectedCalls(reached=start.after or (start.window.until, 0), known_pass_rate=start.pass_rate)
    await _collect(context, start, source, collected, limit)
    names = await context.directory.names("agents", "orders", "statuses")
    found = collected.calls or start.returned or collected.stopped or collected.unread
    hint = await _empty_page_hint(context, start, collected) if source.exhausted and not found else None
    context.recent_calls.add(reversed([call.id for call in collected.calls]))
    columns = call_columns(start.include)
    rows = [call_row(context, call, start.include) for call in collected.calls]
    notes = [*_notes(context, start, collected, names), *([hint] if hint else []), *start.notes, *names.notes()]

    def render(count: int) -> Members:
        return {
            **call_members(context, names, start.filters, start.window, columns, rows[:count]),
            "page": _page(context, start, source, collected, count),
            "notes": notes,
            "retry": collected.unread,
        }

    return render_within_budget(render, range(1, len(rows) + 1), budget)


# Gathering ----------------------------------------------------------------------------------------------------------


async def _collect(
    context: AppContext, start: PageStart, source: WindowReader, collected: _CollectedCalls, limit: int
) -> None:
    """Read slices until the page has `limit` calls, the window ends, or something stops the reading."""
    client_side = bool(start.filters.client_side)
    first = True
    if source.exhausted:
        collected.reached = (start.window.since, 0)  # Liner lists no orders: there is nothing to ask for
    while not source.exhausted and len(collected.calls) < limit and collected.stopped is None:
        missing = limit - len(collected.calls)
        try:
            part = await source.read_next(
                math.ceil(SLICE_MARGIN * missing / (collected.pass_rate if client_side else 1))
            )
        except LinerMcpError as error:
            if first:
                raise  # nothing was read: the reason is the answer, and the cursor it came with still holds
            collected.stopped = error
            return
        first = False
        collected.changed |= part.changed
        collected.complete &= part.complete
        fresh = [call for call in part.calls if start.after is None or call_key(call) < start.after]
        collected.scanned += [call_key(call) for call in fresh]
        collected.filter_ignored |= part.outside_window or start.filters.violated_by(*fresh)
        matching = [call for call in fresh if start.filters.matches(call)]
        if start.filters.transferred is None:
            _add_calls(collected, matching, limit)
        elif not await _add_by_records(context, start.filters.transferred, collected, matching, limit):
            return
        if not collected.more:
            collected.reached = (part.window.since, 0)


def _add_calls(collected: _CollectedCalls, calls: Sequence[Call], limit: int) -> None:
    room = limit - len(collected.calls)
    collected.calls += calls[:room]
    collected.more = len(calls) > room
    if collected.more:
        collected.reached = call_key(collected.calls[-1])


async def _add_by_records(
    context: AppContext, transferred: bool, collected: _CollectedCalls, calls: Sequence[Call], limit: int
) -> bool:
    """Take those calls whose records say so; one request per recorded call. False when time was up on the way."""
    recorded = [call for call in calls if call.has_records is not False]
    room = limit - len(collected.calls)
    found = 0

    def page_is_full(outcome: Listing[Any] | LinerMcpError) -> bool:
        nonlocal found
        found += not isinstance(outcome, LinerMcpError) and is_transferred(outcome) is transferred
        return found > room  # one beyond the page, so that "more" is known and not guessed

    outcomes = await context.liner.run_all(
        [partial(context.liner.call_records, call.id) for call in recorded], page_is_full
    )
    reject_shared_records(outcomes)
    outcome_by_call = {call.id: outcome for call, outcome in zip(recorded, outcomes, strict=True)}
    for call in calls:
        outcome = False if call.has_records is False else outcome_by_call[call.id]
        # One that is late goes on with the next page; late again where that page begins, it would go on for ever.
        late = isinstance(outcome, DeadlineExceeded) and (collected.examined or collected.unread)
        if outcome is None or late:
            collected.stopped = DeadlineExceeded("time was up before all records were read.")
            return False
        if isinstance(outcome, LinerMcpError):
            collected.unread.append(call.id)
            collected.reached = call_key(call)
            continue
        if (outcome if isinstance(outcome, bool) else is_transferred(outcome)) is transferred:
            if len(collected.calls) == limit:
                collected.more = True
                return True
            collected.calls.append(call)
        collected.examined += call.id in outcome_by_call
        collected.reached = call_key(call)
    return True


# The page -------------------------------------------------------------------------------------------------------------


def _page(context: AppContext, start: PageStart, source: WindowReader, collected: _CollectedCalls, count: int) -> Page:
    """What is true of a page with the first `count` of the collected calls."""
    filters, window = start.filters, start.window
    truncated = count < len(collected.calls)
    reached = call_key(collected.calls[count - 1]) if truncated else collected.reached
    left = truncated or collected.more or not source.exhausted or collected.reached > (window.since, 0)
    lossy = start.lossy or not collected.complete or bool(collected.unread or start.gaps)
    complete = not left and not lossy
    returned = start.returned + count
    cursor = covered = liner_total = None
    if left:
        cursor = encode_page_cursor(
            FIND_CALLS,
            start,
            reached,
            returned=returned,
            seconds_per_call=source.seconds_per_call,
            pass_rate=collected.pass_rate if filters.client_side else None,
            lossy=lossy,
        )
        # In whole seconds, because the second in which the page ends may hold more calls.
        since = min(ceil_to_second(replace(start, after=reached).remaining.until), window.until)
        covered = replace(window, since=since).to_dict(context.zone)
    if start.after is None and not (complete or filters.client_side or collected.filter_ignored):
        liner_total = source.liner_total
    return page(
        returned=count,
        complete=complete,
        next_cursor=cursor,
        covered=covered,
        total=returned if complete else None,
        liner_total=liner_total,
        scanned=sum(key >= reached for key in collected.scanned) if filters.client_side else None,
        local_filters=filters.client_side or None,
        examined=None if filters.transferred is None else collected.examined,
        changed=collected.changed or None,
    )


def _notes(context: AppContext, start: PageStart, collected: _CollectedCalls, names: DirectoryNames) -> list[str]:
    notes: list[str] = []
    if collected.stopped is not None:
        notes.append(f"Reading stopped early: {context.stop_reason(collected.stopped)} next_cursor goes on from there.")
    if collected.unread:
        notes.append("Whether the calls in retry were transferred could not be read just now; they are left out.")
    if not collected.complete:
        notes.append(MISSING_CALLS_NOTE)
    notes += start.gaps
    if start.lossy:
        notes.append("Calls are missing from an earlier page, whose notes say why; so there is no total.")
    if collected.filter_ignored:
        notes.append(FILTER_IGNORED_NOTE)
    if start.after is None:
        orders, agents = {call.order_id for call in collected.calls}, {call.user_id for call in collected.calls}
        notes += unlisted_notes(names, start.filters, orders=orders, agents=agents)
    return notes


# Nothing found --------------------------------------------------------------------------------------------------------


async def _empty_page_hint(context: AppContext, start: PageStart, collected: _CollectedCalls) -> str:
    """What to try when a whole window holds nothing: which filters to relax, or where the nearest earlier calls are."""
    filters, days = start.filters, LOOK_BACK.days
    client_side = ", ".join(filters.client_side)
    if collected.scanned:
        relaxable = client_side or ", ".join(filters.echo())
        return (
            f"{len(collected.scanned)} calls of this window were read and none passed {relaxable}; relax one of these."
        )
    requests = filters.call_filters(TimeWindow(start.window.since - LOOK_BACK, start.window.since))
    if not requests:
        return "Liner lists no orders, so there was nowhere to look; orders or leads can be named by id."
    nothing = "Liner has no such call in this window"
    try:
        listing = await context.liner.calls(requests[0], at_most=SLICE_CALLS) if len(requests) == 1 else None
    except LinerMcpError:
        listing = None
    if listing is None:
        return f"{nothing}; try an earlier since{', or fewer filters' if filters.echo() else ''}."
    if not listing.items:
        advice = "fewer filters may find some" if filters.echo() else "try another window"
        return f"{nothing}, nor in the {days} days before it; {advice}."
    newest = max((call for call in listing.items if filters.matches(call)), key=call_key, default=None)
    if listing.complete and newest is not None and newest.created_at is not None:
        one = "one" if filters.transferred is None else "candidate"
        return (
            f"{nothing}; the nearest earlier {one} is call {newest.id} of {context.zone.isoformat(newest.created_at)}."
        )
    before = f"{listing.total or len(listing.items)} in the {days} days before it"
    if not client_side:
        return f"{nothing}, but {before}."
    checked = "none of them passed" if listing.complete else "not checked for"
    return f"{nothing}; Liner has {before}, {checked} {client_side}."
