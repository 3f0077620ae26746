"""The calls of a window with the longest talks. The whole window is read before the first row."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from liner_mcp.answer.table import Answer, Evidence, Members, page, render_within_budget
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.listed_calls import ListedCalls
from liner_mcp.calls.page_cursor import SUMMARY_CHARS
from liner_mcp.calls.parallel_reader import Progress, progress_after
from liner_mcp.calls.query import resolve
from liner_mcp.calls.record_filters import decide, filter_members, retry_ids, undecided_note
from liner_mcp.calls.recording_rows import RowFormat, found_rows, recording_notes
from liner_mcp.calls.rows import read_names, reading_notes, unknown_cells_note, unlisted_notes
from liner_mcp.calls.window_reader import CallKey, call_key
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded
from liner_mcp.liner.models import Call
from liner_mcp.names.directory import DirectoryNames

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
    longest = _Longest(
        resolved=resolved,
        layout=RowFormat(include, summary_chars, mentions=filters.mentions is not None),
        limit=limit,
        held=max(limit, MAX_EXAMINED) if filters.on_recordings else limit,
    )
    await longest.read_window(context, longest.hold, "talk_time_duration_seconds", progress)
    if longest.read.stopped is not None and longest.read.reached == resolved.window.until:
        raise longest.read.stopped
    longest.calls = longest.longest_of(longest.calls)
    longest.records_read.report = progress_after(longest.added, progress)
    await _examine(context, longest)
    wanted = longest.calls[:limit]
    in_time = await longest.show(context, wanted, budget)
    longest.late = longest.late or not in_time
    names = await read_names(context, filters, wanted)
    context.recent_calls.add(reversed([one.call.id for one in longest.shown]))
    return _render(context, longest, names, budget)


def _talk_key(call: Call) -> tuple[int, CallKey]:
    """Calls in the order of talk, then of time; a call of unknown talk comes last."""
    talk = call.talk_time_duration_seconds
    return (-1 if talk is None else talk, call_key(call))


@dataclass(slots=True, kw_only=True)
class _Longest(ListedCalls):
    """The calls with the longest talks, at most `held` of the `added` ones, until they are examined.

    `passed`: how many calls pass all filters, None where not all of them were examined.
    """

    limit: int
    held: int
    added: int = 0
    passed: int | None = None
    late: bool = False

    def hold(self, calls: Sequence[Call]) -> list[Call]:
        """The longest talks of a slice."""
        self.added += len(calls)
        return self.longest_of(calls)

    def longest_of(self, calls: Sequence[Call]) -> list[Call]:
        return heapq.nlargest(self.held, calls, key=_talk_key)


async def _examine(context: AppContext, longest: _Longest) -> None:
    """Leave only those of the longest calls that pass the filters on recordings, until there are enough."""
    filters = longest.resolved.filters
    if not filters.on_recordings:
        longest.passed = longest.added
        return
    candidates, longest.calls = longest.calls, []
    decisions = await decide(context, filters, candidates, longest.records_read, longest.limit)
    for decision in decisions:
        if decision.late:
            longest.late = True
            break
        longest.add(decision)
    longest.drop_shared()
    everything = len(decisions) == len(candidates) == longest.added and not longest.late
    longest.passed = len(longest.calls) if everything else None
    longest.late = longest.late or (len(decisions) < len(candidates) and len(longest.calls) < longest.limit)
    if longest.late and not (longest.calls or longest.examined.calls):
        raise DeadlineExceeded("Time was up before the recordings of the longest call were read. Ask again.")


def _render(context: AppContext, longest: _Longest, names: DirectoryNames, budget: int) -> Answer:
    resolved, read, layout, shown = longest.resolved, longest.read, longest.layout, longest.shown
    filters, zone, undecided = resolved.filters, context.zone, list(longest.undecided.values())
    retry = retry_ids(undecided, budget)
    blocks = [found_rows(context, one, layout) for one in shown]
    rows = [row for block in blocks for row in block]
    wanted = min(longest.limit, len(longest.calls))
    # Calls that were not held could still be among the longest that pass.
    cut_off = longest.late or (longest.passed is None and len(longest.calls) < longest.limit)
    covered = {**resolved.window.to_dict(zone), "since": zone.isoformat(read.reached)}

    def evidence(count: int) -> Evidence:
        return Evidence(
            left=read.stopped is not None or cut_off or len(shown) < wanted or count < len(rows),
            missing=not read.complete or bool(resolved.gaps),
            undecided=len(undecided),
            unknown=not longest.known or (layout.needs_recordings and any(one.unknown for one in shown)),
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
        if not longest.known:
            notes.append("Liner sends no talkTimeDurationSeconds for some calls, so longer ones may be missing.")
        notes += recording_notes(shown, layout)
        notes += reading_notes(context, read, [*resolved.gaps, *longest.records_read.notes()])
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
            **longest.members(context, names, rows[:count], shown, retry, agents_known=agents_known),
            "sorted_by": "talk_seconds",
            "page": page(
                count,
                evidence(count),
                total=None if read.stopped is not None else longest.passed,
                covered=None if read.stopped is None else covered,
                **filter_members(filters, longest.examined),
                changed=read.changed or None,
            ),
            "notes": notes(count),
        }

    return render_within_budget(render, list(accumulate(map(len, blocks))), budget)
