"""Counts of calls per agent, order, status or time, over any number of calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from liner_mcp.answer.table import Answer, Cell, Evidence, Members, page, render_within_budget
from liner_mcp.calls import counting
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.filters import Filters
from liner_mcp.calls.parallel_reader import ParallelRead, Progress, read_all
from liner_mcp.calls.query import ResolvedQuery, resolve
from liner_mcp.calls.record_filters import RecordsRead, Undecided, matching_calls, retry_ids, undecided_note
from liner_mcp.calls.rows import call_members, missing_calls_note, read_names, unlisted_notes
from liner_mcp.calls.window_reader import FILTER_IGNORED_NOTE
from liner_mcp.context import AppContext
from liner_mcp.errors import InvalidArgument, LinerMcpError
from liner_mcp.liner.models import Call
from liner_mcp.names.directory import DirectoryNames, describe_doubts

QUALIFIED = "qualified"  # a category of lead statuses; /devs/api/v2/lead-status/list/
MAX_GROUPINGS = 2

_Folded = tuple[counting.Tallies, list[Call], list[Undecided]]
"""Of a slice: its counts, passing calls that are counted at the end, and the undecided calls."""


async def call_stats(
    context: AppContext, query: CallQuery, *, group_by: Sequence[str], budget: int, progress: Progress | None = None
) -> Answer:
    """Counts of the calls that a query matches, by one or two groupings, within `budget` bytes and the deadline.

    Raises: InvalidArgument for what cannot be understood; the error of the first read when nothing was read at all.
    """
    groupings = tuple(dict.fromkeys(group_by))
    if len(groupings) != len(group_by) or not 1 <= len(groupings) <= MAX_GROUPINGS:
        raise InvalidArgument("group_by: give one or two different groupings, for example [agent] or [order, status].")
    resolved = await resolve(context, query)
    qualified = await _qualified_codes(context)

    records_read = RecordsRead()

    def tally(calls: Iterable[Call]) -> counting.Tallies:
        return counting.tally(calls, groupings, context.zone, qualified or frozenset())

    async def fold(calls: Sequence[Call]) -> _Folded:
        matching, undecided = await matching_calls(context, resolved.filters, calls, records_read)
        # A later slice may show that a call's record is listed for two calls. Each of these calls cost a request, so
        # they are few.
        examined = {call.id: call for call in matching if call.id in records_read.calls}
        return tally(call for call in matching if call.id not in examined), list(examined.values()), undecided

    read = await read_all(context.liner, resolved.filters, resolved.window, fold, progress)
    if read.stopped is not None and read.reached == resolved.window.until:
        raise read.stopped  # an answer with zeros would read as if there were no calls
    names = await read_names(context, resolved.filters)
    counted, shared = records_read.part_shared(call for _, calls, _ in read.folded for call in calls)
    # By key, because a call without a time may be listed for several slices.
    undecided = {one.key: one for one in (*(one for _, _, some in read.folded for one in some), *shared)}
    groups = counting.merge_tallies([*(tallies for tallies, _, _ in read.folded), tally(counted)])
    return _render(
        context,
        resolved,
        groupings,
        read,
        groups,
        list(undecided.values()),
        names,
        budget,
        qualified_known=qualified is not None,
    )


async def _qualified_codes(context: AppContext) -> frozenset[str] | None:
    """The call statuses after which a lead counts as qualified; None when the dictionaries do not say it.

    A call's status names the lead status it sets, and that has a category.
    """
    try:
        lead_statuses = await context.directory.read("lead_statuses")
        call_statuses = await context.directory.read("call_statuses")
    except LinerMcpError:
        return None
    unread = any(
        entry.unknown & {"code", "category", "lead_status_code"}
        for dictionary in (lead_statuses, call_statuses)
        for entry in dictionary.entries
    )
    if unread or describe_doubts(lead_statuses, call_statuses):
        return None
    qualified_statuses = {
        entry.code for entry in lead_statuses.entries if entry.details[-1] == QUALIFIED and entry.code
    }
    # Without any status that qualifies a lead, the dictionaries do not say which do, so there is no count.
    return (
        frozenset(
            entry.code for entry in call_statuses.entries if entry.code and entry.details[-1] in qualified_statuses
        )
        or None
    )


def _render(
    context: AppContext,
    resolved: ResolvedQuery,
    group_by: Sequence[str],
    read: ParallelRead[_Folded],
    groups: counting.Tallies,
    undecided: Sequence[Undecided],
    names: DirectoryNames,
    budget: int,
    *,
    qualified_known: bool,
) -> Answer:
    zone, filters = context.zone, resolved.filters
    retry = retry_ids(undecided, budget)
    columns = (*(counting.KEY_COLUMNS[name] for name in group_by), *counting.METRICS)
    rows = counting.to_rows(groups, group_by, qualified_known=qualified_known)
    totals = counting.totals(groups.values(), qualified_known=qualified_known)
    unknown = counting.unknown_notes(groups)

    def evidence(count: int) -> Evidence:
        return Evidence(
            left=read.stopped is not None or count < len(rows),
            missing=not read.complete or bool(resolved.gaps),
            undecided=len(undecided),
            unknown=bool(unknown),
        )

    read_whole = evidence(len(rows)).shows_all
    if not groups and not read_whole:
        totals = dict.fromkeys(totals)  # a zero would say that there are no calls
    covered = {**resolved.window.to_dict(zone), "since": zone.isoformat(read.reached)}
    counted_by_liner = not (read_whole or filters.client_side or read.filter_ignored)
    notes = _notes(context, resolved, read, [undecided_note(filters, undecided, len(retry)), *unknown])
    notes += _unlisted(names, filters, groups, group_by)
    if not groups and read_whole:
        narrowed = "No call of this window passes the filters; try an earlier since, or fewer filters."
        whose = " of these leads" if filters.leads else ""
        unnarrowed = f"Liner has no call{whose} in this window; try another."
        notes.append(narrowed if filters.can_be_relaxed else unnarrowed)
    if not qualified_known:
        notes.append("Which statuses qualify a lead could not be read from Liner, so qualified is unknown.")

    agents_known = not any("user_id" in group.unknown_keys for group in groups.values())

    def render(count: int) -> Members:
        left = [groups[row[: len(group_by)]] for row in rows[count:]]
        others = {"groups": len(left), **counting.totals(left, qualified_known=qualified_known)}
        unfit = f"{len(left)} smaller groups did not fit; totals.other_groups sums them."
        return {
            **call_members(context, names, filters, resolved.window, columns, rows[:count], agents_known=agents_known),
            "page": page(
                count,
                evidence(count),
                covered=None if read.stopped is None else covered,
                local_filters=filters.client_side or None,
                liner_total=read.liner_total if counted_by_liner else None,
                changed=read.changed or None,
            ),
            "totals": {**totals, **({"other_groups": others} if left else {})},
            "sorted_by": "calls",
            "retry": retry,
            "notes": [*notes, *([unfit] if left else []), *resolved.notes, *names.notes()],
        }

    return render_within_budget(render, range(1, len(rows) + 1), budget)


def _notes(
    context: AppContext, resolved: ResolvedQuery, read: ParallelRead[Any], undecided: Sequence[str]
) -> list[str]:
    notes: list[str] = []
    if read.stopped is not None:
        # With since, because a default or relative since begins elsewhere when until changes.
        since, until = context.zone.isoformat(resolved.window.since), context.zone.isoformat(read.reached)
        notes.append(
            f"{context.stop_reason(read.stopped)} Only page.covered was counted; since={since}, "
            f"until={until} gives the rest. Counts of both parts add up, medians do not."
        )
    notes += undecided
    if read.window_note:
        notes.append(read.window_note)
    elif not read.complete:
        notes.append(missing_calls_note(read.unreadable))
    notes += resolved.gaps
    if read.filter_ignored and FILTER_IGNORED_NOTE not in notes:
        notes.append(FILTER_IGNORED_NOTE)
    return notes


def _unlisted(names: DirectoryNames, filters: Filters, groups: counting.Tallies, group_by: Sequence[str]) -> list[str]:
    """Advice on ids that no dictionary has, where it is known that no call has them either."""

    def with_calls(name: str, requested: Sequence[int]) -> set[Cell]:
        if name in group_by:
            return {key[group_by.index(name)] for key in groups}
        return set(requested) if groups else set()  # groups of another kind do not say whose calls they hold

    orders, agents = with_calls("order", filters.orders), with_calls("agent", filters.agent_ids)
    return unlisted_notes(names, filters, orders=orders, agents=agents)
