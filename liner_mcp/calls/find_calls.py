"""Finding calls: from a question with names and day words to a page of calls, newest first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import cast

from liner_mcp.answer.table import Answer, Evidence, Members, Page, Row, page, render_within_budget
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.collected_calls import CollectedCalls, PageEnd
from liner_mcp.calls.empty_page import empty_page_hint
from liner_mcp.calls.filters import Filters
from liner_mcp.calls.page_cursor import PageStart, encode_page_cursor, resolve_page_start
from liner_mcp.calls.parallel_reader import ParallelRead, Progress, progress_after
from liner_mcp.calls.record_filters import Undecided, decide, filter_members, retry_ids, undecided_note
from liner_mcp.calls.recording_rows import (
    PageRoom,
    found_rows,
    recording_notes,
)
from liner_mcp.calls.recordings import RecordsRead
from liner_mcp.calls.rows import (
    read_names,
    reading_notes,
    unknown_cells_note,
    unlisted_notes,
)
from liner_mcp.calls.time_window import ceil_to_second
from liner_mcp.calls.window_reader import (
    WindowReader,
    call_key,
    read_around,
)
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded, LinerMcpError
from liner_mcp.liner.models import Call
from liner_mcp.names.directory import DirectoryNames

FIND_CALLS = "find_calls"
SLICE_MARGIN = 1.2  # a slice just short of a page costs another request; one a little too long mostly does not


async def find_calls(
    context: AppContext,
    query: CallQuery,
    *,
    include: tuple[str, ...],
    limit: int,
    cursor: str | None,
    budget: int,
    summary_chars: int | None = None,
    progress: Progress | None = None,
) -> Answer:
    """A page of the calls that pass, newest first, within `budget` bytes and the caller's deadline.

    Raises: InvalidArgument for arguments that cannot be used; the error of the first read when nothing was read at all.
    """
    start = await resolve_page_start(context, FIND_CALLS, query, include, cursor, summary_chars)
    source = WindowReader(
        context.liner,
        start.filters,
        start.remaining,
        seconds_per_call=start.seconds_per_call,
        widen=start.widen,
        last_id=start.last_id,
    )
    collected = CollectedCalls(
        resolved=start,
        layout=start.layout,
        records_read=RecordsRead(progress_after(0, progress)),
        reached=start.after or (start.window.until, 0),
        room=PageRoom(start.layout, budget),
        known_pass_rate=start.pass_rate,
    )
    collected.read = ParallelRead((), start.window.until, None, complete=True, changed=False, liner_total=None)
    await _collect(context, start, source, collected, limit)
    collected.drop_shared()
    around: Sequence[Call] = ()
    if source.exhausted and start.after is None and not (collected.scanned or collected.read.window_note):
        around = await _look_around(context, start, collected, limit)
    blocks = await _read_rows(context, start, collected, budget)
    names = await read_names(context, start.filters, collected.calls)
    hint = ""
    nothing = not (start.returned or start.after_record or collected.calls)
    if nothing and _evidence(start, source, collected, collected.page_end(0)).shows_all:
        hint = await empty_page_hint(context, start.filters, start.window, len(collected.scanned), around)
    context.recent_calls.add(reversed([call.id for call in collected.calls]))
    return _render(context, start, source, collected, blocks, names, hint, budget)


async def _read_rows(context: AppContext, start: PageStart, collected: CollectedCalls, budget: int) -> list[list[Row]]:
    """The rows of each call. The calls that they leave no room or no time for go to the next page."""
    calls, layout = collected.calls, start.layout
    in_time = await collected.show(context, calls, budget)
    shown = collected.shown
    if not in_time:
        collected.read.stopped = DeadlineExceeded("time was up before all recordings were read.")
    if len(shown) < len(calls):
        collected.calls, collected.more, collected.reached = calls[: len(shown)], True, call_key(shown[-1].call)
    blocks = [found_rows(context, one, layout) for one in shown]
    if shown and start.after_record and shown[0].call.id == start.last_id:
        given = [one.record.id for one in shown[0].shown]
        if start.after_record in given:
            blocks[0] = blocks[0][given.index(start.after_record) + 1 :]
    collected.ends = list(accumulate(map(len, blocks)))
    return blocks


def _render(
    context: AppContext,
    start: PageStart,
    source: WindowReader,
    collected: CollectedCalls,
    blocks: Sequence[Sequence[Row]],
    names: DirectoryNames,
    hint: str,
    budget: int,
) -> Answer:
    layout = start.layout
    rows = [row for block in blocks for row in block]

    def render(count: int) -> Members:
        end = collected.page_end(count)
        if end.begun is not None:
            end = replace(end, after_record=cast("int", rows[count - 1][layout.columns.index("record_id")]))
        undecided = collected.undecided_down_to(end.reached)
        retry = retry_ids(undecided, budget)
        unclear = undecided_note(start.filters, undecided, len(retry))
        shown = collected.shown[: end.calls + (end.begun is not None)]
        calls = [one.call for one in shown]
        agents_known = all(call.is_known("user_id") for call in calls)
        return {
            **collected.members(context, names, rows[:count], shown, retry, agents_known=agents_known),
            "page": _page(context, start, source, collected, end, count),
            "notes": [
                *_notes(context, start, collected, names, [unclear, *recording_notes(shown, layout)]),
                hint,
                unknown_cells_note(calls, layout.columns),
                *start.notes,
                *names.notes(),
            ],
        }

    return render_within_budget(render, range(1, len(rows) + 1), budget)


# Reading --------------------------------------------------------------------------------------------------------------


async def _collect(
    context: AppContext, start: PageStart, source: WindowReader, collected: CollectedCalls, limit: int
) -> None:
    """Read slices until the page has `limit` calls, the window ends, or something stops the reading."""
    client_side = bool(start.filters.client_side)
    first = True
    if source.exhausted:
        collected.reached = (start.window.since, 0)  # Liner lists no orders, so there is nothing to request
    while not (source.exhausted or collected.more or collected.read.stopped) and len(collected.calls) < limit:
        missing = limit - len(collected.calls)
        try:
            part = await source.read_next(
                math.ceil(SLICE_MARGIN * missing / (collected.pass_rate if client_side else 1))
            )
        except LinerMcpError as error:
            if first:
                raise  # nothing was read: the error is the answer, and the cursor that was sent is still valid
            collected.read.stopped = error
            return
        first = False
        collected.read.changed |= part.changed
        # Where a later page is the first to see it, calls of the pages before may be missing too.
        collected.read.complete &= part.complete and (start.after is None or start.widen or not part.window_note)
        collected.read.window_note = collected.read.window_note or part.window_note
        collected.read.unreadable += part.unreadable
        if not await _add_calls(context, start, collected, part.calls, limit):
            return
        if not collected.more:
            collected.reached = (part.window.since, 0)


async def _look_around(context: AppContext, start: PageStart, collected: CollectedCalls, limit: int) -> Sequence[Call]:
    """After a window that came empty, look whether Liner reads its times as they are meant; if not, add its calls.
    Otherwise, the calls of the day before and after it, if these are all.
    """
    try:
        around, inside = await read_around(context.liner, start.filters, start.window)
    except LinerMcpError:
        return ()
    if inside is None:
        return around.calls if around.complete else ()
    collected.read.window_note, collected.read.complete = inside.window_note, inside.complete
    collected.read.unreadable = inside.unreadable
    await _add_calls(context, start, collected, inside.calls, limit)
    return ()


async def _add_calls(
    context: AppContext, start: PageStart, collected: CollectedCalls, calls: Sequence[Call], limit: int
) -> bool:
    """Add those of the calls that pass the filters. False when time was up on the way."""
    fresh = [call for call in calls if start.after is None or call_key(call) < start.after]
    collected.scanned += [call_key(call) for call in fresh]
    collected.read.filter_ignored |= start.filters.violated_by(*fresh)
    passing = start.filters.matching(fresh)
    # Calls without a time first: they have no place in the order, so a full page could end before all of them, and the
    # next page, which begins where this one ends, might not have them.
    timeless = [call for call in passing if call.created_at is None]
    without_value = start.filters.undecided(timeless)
    collected.undecided |= {call.id: Undecided(call_key(call), without_value[call.id]) for call in timeless}
    timed = [call for call in passing if call.created_at is not None]
    return await _add_passing(context, start.filters, collected, timed, limit)


async def _add_passing(
    context: AppContext, filters: Filters, collected: CollectedCalls, calls: Sequence[Call], limit: int
) -> bool:
    """Add those of the calls that pass the filters on recordings. False when time was up on the way."""
    # One beyond the page, so that `more` is known and not guessed.
    enough = limit - len(collected.calls) + 1
    decisions = await decide(context, filters, calls, collected.records_read, enough, collected.room.add)
    for decision in decisions:
        # A late one goes to the next page, unless it is the first of this page: then it would be late every time.
        if decision.late and collected.began:
            break
        if decision.passes and len(collected.calls) == limit:
            collected.more = True
            return True
        collected.add(decision)
        collected.reached = call_key(decision.call)
    else:
        collected.more = collected.room.full
        if collected.more or len(decisions) == len(calls):
            return True
    collected.read.stopped = DeadlineExceeded("time was up before all records were read.")
    return False


# The page -------------------------------------------------------------------------------------------------------------


def _evidence(start: PageStart, source: WindowReader, collected: CollectedCalls, end: PageEnd) -> Evidence:
    shown = collected.shown[: end.calls + (end.begun is not None)]
    return Evidence(
        left=collected.more or not source.exhausted or end.reached > (start.window.since, 0),
        missing=start.lossy or not collected.read.complete or bool(start.gaps),
        undecided=len(collected.undecided_down_to(end.reached)),
        unknown=start.layout.needs_recordings and any(one.unknown for one in shown),
    )


def _page(
    context: AppContext, start: PageStart, source: WindowReader, collected: CollectedCalls, end: PageEnd, rows: int
) -> Page:
    """What is true of a page with so many rows."""
    filters, window, reached = start.filters, start.window, end.reached
    evidence = _evidence(start, source, collected, end)
    returned = start.returned + end.calls
    cursor = covered = liner_total = None
    if evidence.left:
        following = replace(
            start,
            after=reached,
            after_record=end.after_record,
            returned=returned,
            seconds_per_call=source.seconds_per_call,
            pass_rate=collected.pass_rate if filters.client_side else None,
            lossy=not evidence.counts_all,
            widen=collected.read.window_note is not None,
        )
        cursor = encode_page_cursor(FIND_CALLS, following)
        # In whole seconds, because the second in which the page ends may hold more calls.
        since = min(ceil_to_second(following.remaining.until), window.until)
        covered = replace(window, since=since).to_dict(context.zone)
    unfiltered = not (filters.client_side or collected.read.filter_ignored or collected.read.window_note)
    if start.after is None and unfiltered and not evidence.complete:
        liner_total = source.liner_total
    return page(
        rows,
        evidence,
        next_cursor=cursor,
        covered=covered,
        total=None if evidence.left else returned,
        liner_total=liner_total,
        scanned=sum(key >= reached for key in collected.scanned) if filters.client_side else None,
        **filter_members(filters, collected.examined),
        changed=collected.read.changed or None,
    )


def _notes(
    context: AppContext,
    start: PageStart,
    collected: CollectedCalls,
    names: DirectoryNames,
    unread: Sequence[str],
) -> list[str]:
    notes: list[str] = []
    if collected.read.stopped is not None:
        why = context.stop_reason(collected.read.stopped)
        notes.append(f"Reading stopped early: {why} next_cursor goes on from there.")
    lossy = "Calls are missing from an earlier page, whose notes say why; so there is no total."
    gaps = [*start.gaps, *([lossy] if start.lossy else [])]
    notes += [*unread, *reading_notes(context, collected.read, gaps), *collected.records_read.notes()]
    if start.after is None:
        orders, agents = {call.order_id for call in collected.calls}, {call.user_id for call in collected.calls}
        notes += unlisted_notes(names, start.filters, orders=orders, agents=agents)
    return notes
