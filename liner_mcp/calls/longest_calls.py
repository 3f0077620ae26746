"""The calls of a window with the longest talks. The whole window is read before the first row."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from liner_mcp.answer.table import Answer, Evidence, Members, page, render_within_budget
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.filters import Filters
from liner_mcp.calls.page_cursor import SUMMARY_CHARS
from liner_mcp.calls.parallel_reader import ParallelRead, Progress, progress_after, read_all
from liner_mcp.calls.query import ResolvedQuery, resolve
from liner_mcp.calls.record_filters import (
    Undecided,
    decide,
    filter_members,
    matching_calls,
    part_shared,
    retry_ids,
    undecided_note,
)
from liner_mcp.calls.recording_rows import (
    FoundCall,
    PageRoom,
    RowFormat,
    failed_ids,
    found_rows,
    read_shown,
    recording_notes,
)
from liner_mcp.calls.recordings import CallRecordings, Examined, RecordsRead
from liner_mcp.calls.rows import call_members, missing_calls_note, read_names, unknown_cells_note, unlisted_notes
from liner_mcp.calls.window_reader import FILTER_IGNORED_NOTE, CallKey, call_key
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded
from liner_mcp.liner.models import Call
from liner_mcp.names.directory import DirectoryNames
from liner_mcp.records.record_rows import OPTIONAL_COLUMNS

MAX_EXAMINED = 2_000  # calls that filters on recordings may examine: more than a deadline allows


async def longest_calls(
    context: AppContext,
    query: CallQuery,
    *,
    include: tuple[str, ...],
    limit: int,
    budget: int,
    summary_chars: int = SUMMARY_CHARS,
    progress: Progress | None = None,
) -> Answer:
    """The `limit` longest talks of the calls that the query matches, longest first, within `budget` bytes.

    Filters on recordings examine calls in this order until enough pass.

    Raises: InvalidArgument for what cannot be understood; the error of the first read when nothing was read at all;
    DeadlineExceeded when time was up before the first call was examined.
    """
    resolved = await resolve(context, query)
    filters = resolved.filters
    longest = _Longest(max(limit, MAX_EXAMINED) if filters.on_recordings else limit)

    async def fold(calls: Sequence[Call]) -> None:
        found = await matching_calls(context, filters.on_calls(), calls, RecordsRead())
        longest.add(found.calls)
        longest.undecided.update({one.key[1]: one for one in found.undecided})

    read = await read_all(context.liner, filters.on_calls(), resolved.window, fold, progress)
    if read.stopped is not None and read.reached == resolved.window.until:
        raise read.stopped
    seen = RecordsRead(progress_after(longest.added, progress))
    layout = RowFormat(include, summary_chars, mentions=filters.mentions is not None)
    await _examine(context, filters, longest, seen, limit)
    room = PageRoom(layout, budget)
    shown = await read_shown(context, longest.calls[:limit], longest.recordings, seen, layout, room)
    longest.late = longest.late or (len(shown) < len(longest.calls[:limit]) and not room.full)
    names = await read_names(context, filters, longest.calls[:limit])
    context.recent_calls.add(reversed([one.call.id for one in shown]))
    context.recent_records.add(one.record.id for found in shown for one in found.shown)
    return _render(context, resolved, layout, longest, shown, read, names, [limit, budget], seen)


def _talk_key(call: Call) -> tuple[int, CallKey]:
    """Calls in the order of talk, then of time; a call of unknown talk comes last."""
    talk = call.talk_time_duration_seconds
    return (-1 if talk is None else talk, call_key(call))


@dataclass(slots=True)
class _Longest:
    """The calls with the longest talks, at most `held`; `added` counts what they were chosen from.

    `passed`: how many calls pass all filters, None where not all of them were examined.
    """

    held: int
    calls: list[Call] = field(default_factory=list[Call])
    added: int = 0
    passed: int | None = None
    talks_known: bool = True
    late: bool = False
    undecided: dict[int, Undecided] = field(default_factory=dict[int, Undecided])
    examined: Examined = field(default_factory=Examined)
    recordings: dict[int, CallRecordings] = field(default_factory=dict[int, CallRecordings])

    def add(self, calls: Sequence[Call]) -> None:
        """Add calls to choose from."""
        self.added += len(calls)
        self.talks_known = self.talks_known and all(call.is_known("talk_time_duration_seconds") for call in calls)
        self.calls = heapq.nlargest(self.held, [*self.calls, *calls], key=_talk_key)


async def _examine(context: AppContext, filters: Filters, longest: _Longest, seen: RecordsRead, limit: int) -> None:
    """Leave only those of the longest calls that pass the filters on recordings, until there are enough."""
    if not filters.on_recordings:
        longest.passed = longest.added
        return
    candidates = longest.calls
    decisions = await decide(context, filters, candidates, seen, limit)
    passing: list[Call] = []
    for decision in decisions:
        if decision.late:
            longest.late = True
            break
        if decision.recordings is not None:
            longest.examined.add(decision.recordings)
        if decision.passes is None:
            longest.undecided[decision.call.id] = decision.undecided
        elif decision.passes:
            passing.append(decision.call)
            if decision.recordings is not None:
                longest.recordings[decision.call.id] = decision.recordings
    longest.calls, shared = part_shared(passing, seen)
    longest.undecided |= {one.key[1]: one for one in shared}
    everything = len(decisions) == len(candidates) == longest.added and not longest.late
    longest.passed = len(longest.calls) if everything else None
    longest.late = longest.late or (len(decisions) < len(candidates) and len(longest.calls) < limit)
    if longest.late and not (longest.calls or longest.examined.calls):
        raise DeadlineExceeded("Time was up before the recordings of the longest call were read. Ask again.")


def _render(
    context: AppContext,
    resolved: ResolvedQuery,
    layout: RowFormat,
    longest: _Longest,
    shown: Sequence[FoundCall],
    read: ParallelRead[None],
    names: DirectoryNames,
    limits: Sequence[int],
    seen: RecordsRead,
) -> Answer:
    limit, budget = limits
    filters, zone, undecided = resolved.filters, context.zone, list(longest.undecided.values())
    retry = retry_ids(undecided, budget)
    blocks = [found_rows(context, one, layout) for one in shown]
    rows = [row for block in blocks for row in block]
    wanted = min(limit, len(longest.calls))
    # Calls that were not held could still be among the longest that pass.
    cut_off = longest.late or (longest.passed is None and len(longest.calls) < limit)
    covered = {**resolved.window.to_dict(zone), "since": zone.isoformat(read.reached)}

    def evidence(count: int) -> Evidence:
        return Evidence(
            left=read.stopped is not None or cut_off or len(shown) < wanted or count < len(rows),
            missing=not read.complete or bool(resolved.gaps),
            undecided=len(undecided),
            unknown=not longest.talks_known or (layout.needs_recordings and any(one.unknown for one in shown)),
        )

    def notes(count: int) -> list[str]:
        notes: list[str] = []
        if read.stopped is not None:
            notes.append(f"{context.stop_reason(read.stopped)} These are the longest talks of page.covered only.")
        elif longest.late:
            notes.append("Time was up before enough recordings were read; ask for a shorter window or fewer filters.")
        elif cut_off:
            notes.append(f"Only the {longest.held} longest talks were examined; ask for a shorter window.")
        elif count < len(rows) or len(shown) < wanted:
            notes.append("The other calls did not fit; a smaller summary_chars or limit, or a shorter window may help.")
        notes.append(undecided_note(filters, undecided, len(retry)))
        if not longest.talks_known:
            notes.append("Liner sends no talkTimeDurationSeconds for some calls, so longer ones may be missing.")
        notes += recording_notes(shown, layout)
        notes.append(read.window_note or ("" if read.complete else missing_calls_note(context, read.unreadable)))
        notes += [*resolved.gaps, *seen.notes()]
        if read.filter_ignored and FILTER_IGNORED_NOTE not in notes:
            notes.append(FILTER_IGNORED_NOTE)
        if not rows:
            notes += unlisted_notes(names, filters)
        if not rows and evidence(0).shows_all:
            relaxed = ", or fewer filters" if filters.can_be_relaxed else ""
            notes.append(f"No call of this window passes; try an earlier since{relaxed}.")
        notes.append(unknown_cells_note([one.call for one in shown], layout.columns))
        return [*notes, *resolved.notes, *names.notes()]

    def render(count: int) -> Members:
        agents_known = all(one.call.is_known("user_id") for one in shown)
        return {
            **call_members(
                context,
                names,
                filters,
                resolved.window,
                layout.columns,
                rows[:count],
                agents_known=agents_known,
                optional_columns=OPTIONAL_COLUMNS,
            ),
            "sorted_by": "talk_seconds",
            "page": page(
                count,
                evidence(count),
                total=None if read.stopped is not None else longest.passed,
                covered=None if read.stopped is None else covered,
                **filter_members(filters, longest.examined),
                changed=read.changed or None,
            ),
            "retry": [*retry, *failed_ids(shown, retry)],
            "notes": notes(count),
        }

    return render_within_budget(render, list(accumulate(map(len, blocks))), budget)
