"""Counts of calls per agent, order, status or time, over any number of calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from anyio import to_thread

from liner_mcp.answer.table import Answer, Cell, Evidence, Members, page, render_within_budget
from liner_mcp.calls import counting
from liner_mcp.calls.archived_counts import Folded, read_counts
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.columns import STATS_COLUMNS
from liner_mcp.calls.filters import Filters
from liner_mcp.calls.group_rows import GroupRows, Question, arrange
from liner_mcp.calls.parallel_reader import ParallelRead, Progress
from liner_mcp.calls.query import ResolvedQuery, resolve
from liner_mcp.calls.record_filters import (
    Undecided,
    filter_members,
    matching_calls,
    part_shared,
    retry_ids,
    undecided_note,
)
from liner_mcp.calls.recording_counts import RecordingCounts
from liner_mcp.calls.recordings import Examined, RecordsRead
from liner_mcp.calls.rows import call_members, read_names, reading_notes, unlisted_notes
from liner_mcp.context import AppContext
from liner_mcp.errors import InvalidArgument, LinerMcpError
from liner_mcp.liner.models import Call
from liner_mcp.names.directory import DirectoryNames, describe_doubts
from liner_mcp.text.mask import quote_input

QUALIFIED = "qualified"  # a category of lead statuses; /devs/api/v2/lead-status/list/
MAX_GROUPINGS = 2
MAX_QUOTED = 40  # characters of a column that an error quotes


async def call_stats(
    context: AppContext,
    query: CallQuery,
    *,
    group_by: Sequence[str],
    include: Sequence[str] = (),
    sort: str | None = None,
    limit: int | None = None,
    min_calls: int | None = None,
    budget: int,
    progress: Progress | None = None,
) -> Answer:
    """Counts of the calls that a query matches, by at most two groupings, within `budget` bytes and the deadline.

    Without a grouping, one row counts everything. `limit` and `min_calls` choose groups; 0 chooses all.

    Raises: InvalidArgument for what cannot be understood; the error of the first read when nothing was read at all.
    """
    question = _question(group_by, include, sort, limit, min_calls)
    if "matches" in question.columns and query.mentions is None:
        raise InvalidArgument("matches counts the recordings that mention words: send these words as mentions too.")
    resolved = await resolve(context, query)
    qualified = await _qualified_codes(context)

    records_read = RecordsRead()
    recordings = RecordingCounts(question.recordings)

    def tally(calls: Iterable[Call], counts: Mapping[int, counting.Counts] = counting.NO_COUNTS) -> counting.Tallies:
        codes = qualified or frozenset[str]()
        return counting.tally(calls, question.group_by, context.zone, codes, counts, question.recordings)

    async def fold(calls: Sequence[Call]) -> Folded:
        found = await matching_calls(context, resolved.filters, calls, records_read)
        counted = await recordings.read(context, found.calls, found.recordings)
        # A later slice may show that a call's record is listed for two calls. Each of these calls cost a request, so
        # they are few.
        examined = [call for call in found.calls if call.id in records_read.calls or call.id in counted]
        ids = {call.id for call in examined}
        # In a thread, because a slice may have thousands of calls.
        tallies = await to_thread.run_sync(tally, [call for call in found.calls if call.id not in ids])
        return tallies, replace(found, calls=examined, recordings={})

    read = await read_counts(
        context,
        resolved.filters,
        resolved.window,
        fold,
        group_by=question.group_by,
        columns=question.recordings,
        qualified_codes=qualified or frozenset(),
        progress=progress,
    )
    if read.stopped is not None and read.reached == resolved.window.until:
        raise read.stopped  # an answer with zeros would read as if there were no calls
    names = await read_names(context, resolved.filters)
    counted, shared = part_shared((call for _, found in read.folded for call in found.calls), records_read)
    # By key, because a call without a time may be listed for several slices.
    undecided = {one.key: one for one in (*(one for _, found in read.folded for one in found.undecided), *shared)}
    # In a thread: there may be as many groups as leads.
    groups = await to_thread.run_sync(
        counting.merge_tallies, [*(tallies for tallies, _ in read.folded), tally(counted, recordings.of_calls())]
    )
    return await _render(
        context,
        resolved,
        question,
        read,
        groups,
        list(undecided.values()),
        recordings,
        names,
        budget,
        records_read,
        qualified_known=qualified is not None,
    )


def _question(
    group_by: Sequence[str], include: Sequence[str], sort: str | None, limit: int | None, min_calls: int | None
) -> Question:
    """How groups are shown. A column to sort by is shown too. Raises: InvalidArgument."""
    groupings = tuple(dict.fromkeys(group_by))
    if len(groupings) != len(group_by) or len(groupings) > MAX_GROUPINGS:
        raise InvalidArgument("group_by: give at most two different groupings, for example [agent] or [order, status].")
    wanted = {*include, *([sort] if sort is not None else [])}
    question = Question(
        groupings,
        tuple(name for name in STATS_COLUMNS if name in wanted),
        limit=limit or None,
        min_calls=min_calls or None,
    )
    if sort is None or sort in question.columns:
        return replace(question, sort=sort)
    columns = ", ".join(dict.fromkeys((*question.columns, *STATS_COLUMNS)))
    raise InvalidArgument(f"sort: {quote_input(sort, MAX_QUOTED)} is not a column here; it can be one of {columns}.")


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


async def _render(
    context: AppContext,
    resolved: ResolvedQuery,
    question: Question,
    read: ParallelRead[Folded],
    groups: counting.Tallies,
    undecided: Sequence[Undecided],
    recordings: RecordingCounts,
    names: DirectoryNames,
    budget: int,
    records_read: RecordsRead,
    *,
    qualified_known: bool,
) -> Answer:
    zone, filters = context.zone, resolved.filters
    retry = retry_ids([*undecided, *recordings.unknown()], budget)
    named = len({one.key[1] for one in undecided}.intersection(retry))
    unknown = [*counting.unknown_notes(groups), *filter(None, [recordings.note()])]
    window = {"since": zone.isoformat(resolved.window.since), "until": zone.isoformat(read.reached)}
    examined = Examined.sum(found.examined for _, found in read.folded)

    def evidence(*, left: bool) -> Evidence:
        return Evidence(
            left=left or read.stopped is not None,
            missing=not read.complete or bool(resolved.gaps),
            undecided=len(undecided),
            unknown=bool(unknown),
        )

    read_whole = evidence(left=False).shows_all
    if not question.group_by and read_whole:
        groups = groups or {(): counting.Tally()}  # the one row of everything
    totals = counting.totals(groups.values(), question.recordings, qualified_known=qualified_known)
    if not groups and not read_whole:
        totals = dict.fromkeys(totals)  # a zero would say that there are no calls
    arranged = await to_thread.run_sync(partial(arrange, groups, question, budget, qualified_known=qualified_known))
    covered = {**resolved.window.to_dict(zone), "since": zone.isoformat(read.reached)}
    counted_by_liner = not (read_whole or filters.client_side or read.filter_ignored)
    notes = _notes(context, read, resolved.gaps, [undecided_note(filters, undecided, named), *unknown])
    notes += [*records_read.notes(), *_unlisted(names, filters, groups, question.group_by)]
    if not totals["calls"] and read_whole:
        narrowed = "No call of this window passes the filters; try an earlier since, or fewer filters."
        whose = " of these leads" if filters.leads else ""
        unnarrowed = f"Liner has no call{whose} in this window; try another."
        notes.append(narrowed if filters.can_be_relaxed else unnarrowed)
    if not qualified_known:
        notes.append("Which statuses qualify a lead could not be read from Liner, so qualified is unknown.")

    agents_known = not any("user_id" in group.unknown_keys for group in groups.values())

    def render(count: int) -> Members:
        left = len(arranged.rows) - count + arranged.unfit
        rows = arranged.rows[:count]
        unfit = f"{left} groups did not fit; totals.other_groups sums them."
        return {
            **call_members(context, names, filters, resolved.window, question.columns, rows, agents_known=agents_known),
            "page": page(
                count,
                evidence(left=left > 0),
                covered=None if read.stopped is None else covered,
                next_window=None if read.stopped is None else window,
                **filter_members(filters, examined),
                liner_total=read.liner_total if counted_by_liner else None,
                changed=read.changed or None,
            ),
            "totals": {**totals, **_other_groups(arranged, count, question, qualified_known=qualified_known)},
            "sorted_by": question.sorted_by,
            "retry": retry,
            "notes": [*notes, *([unfit] if left else []), *resolved.notes, *names.notes()],
        }

    # In a thread, because it renders thousands of groups several times.
    return await to_thread.run_sync(render_within_budget, render, range(1, len(arranged.rows) + 1), budget)


def _other_groups(arranged: GroupRows, count: int, question: Question, *, qualified_known: bool) -> Members:
    behind = arranged.groups[count:]
    groups = len(behind) + arranged.other_groups
    if not groups:
        return {}
    sums = counting.totals([*behind, arranged.others], question.recordings, qualified_known=qualified_known)
    return {"other_groups": {"groups": groups, **sums}}


def _notes(context: AppContext, read: ParallelRead[Any], gaps: Sequence[str], undecided: Sequence[str]) -> list[str]:
    notes: list[str] = []
    if read.stopped is not None:
        notes.append(
            f"{context.stop_reason(read.stopped)} Only page.covered was counted; ask for page.next_window too. Counts "
            "of both parts add up, medians and shares do not."
        )
    return [*notes, *undecided, *reading_notes(context, read, gaps)]


def _unlisted(names: DirectoryNames, filters: Filters, groups: counting.Tallies, group_by: Sequence[str]) -> list[str]:
    """Advice on ids that no dictionary has, where it is known that no call has them either."""

    def with_calls(name: str, requested: Sequence[int]) -> set[Cell]:
        if name in group_by:
            return {key[group_by.index(name)] for key in groups}
        return set(requested) if groups else set()  # groups of another kind do not say whose calls they hold

    orders, agents = with_calls("order", filters.orders), with_calls("agent", filters.agent_ids)
    return unlisted_notes(names, filters, orders=orders, agents=agents)
