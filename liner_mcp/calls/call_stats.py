"""Comparing: from a question to counts per agent, order, status or time, over any number of calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from liner_mcp.answer.table import Answer, AnswerDraft, Cell, PageExtent, Row, render_within_budget
from liner_mcp.calls import counting
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.parallel_reader import ParallelRead, Progress, read_all
from liner_mcp.calls.query import ResolvedQuery, resolve
from liner_mcp.calls.record_filters import matching_calls, retry_ids, undecided_note
from liner_mcp.calls.rows import call_legend, unlisted_notes
from liner_mcp.calls.window_reader import FILTER_IGNORED_NOTE, CallKey
from liner_mcp.context import AppContext
from liner_mcp.errors import InvalidArgument, LinerMcpError
from liner_mcp.liner.models import Call
from liner_mcp.names.directory import DirectoryNames

QUALIFIED = "qualified"  # the category of lead statuses that means so; /devs/api/v2/lead-status/list/
MAX_GROUPINGS = 2


async def call_stats(
    context: AppContext, query: CallQuery, *, group_by: Sequence[str], budget: int, progress: Progress | None = None
) -> Answer:
    """Counts of the calls that a question means, by one or two groupings, within `budget` bytes and the deadline.

    Raises: InvalidArgument for what cannot be understood; the error of the first read when nothing was read at all.
    """
    groupings = tuple(dict.fromkeys(group_by))
    if len(groupings) != len(group_by) or not 1 <= len(groupings) <= MAX_GROUPINGS:
        raise InvalidArgument("group_by: give one or two different groupings, for example [agent] or [order, status].")
    resolved = await resolve(context, query)
    qualified = await _qualified_codes(context)

    async def fold(calls: Sequence[Call]) -> tuple[counting.Tallies, list[CallKey]]:
        matching, undecided = await matching_calls(context, resolved.filters, calls)
        return counting.tally(matching, groupings, context.zone, qualified or frozenset()), undecided

    read = await read_all(context.liner, resolved.filters, resolved.window, fold, progress)
    if read.stopped is not None and read.reached == resolved.window.until:
        raise read.stopped  # an answer that counts nothing would be taken for one about no calls
    names = await context.directory.names("agents", "orders", "statuses")
    groups = counting.merge_tallies(tallies for tallies, _ in read.folded)
    undecided = [key for _, keys in read.folded for key in keys]
    retry = retry_ids(undecided, budget)
    return _StatsRenderer(
        context, resolved, groupings, read, groups, names, qualified is not None, undecided, retry
    ).render(budget)


async def _qualified_codes(context: AppContext) -> frozenset[str] | None:
    """The call statuses after which a lead counts as qualified; None when the dictionaries cannot tell.

    A call's status names the lead status it sets, and that has a category.
    """
    try:
        lead_statuses = await context.directory.entries("lead_statuses")
        call_statuses = await context.directory.entries("call_statuses")
    except LinerMcpError:
        return None
    qualified_statuses = {entry.code for entry in lead_statuses if entry.details[-1] == QUALIFIED and entry.code}
    # No status at all that qualifies a lead: then the dictionaries do not say it, and nobody was counted as such.
    return (
        frozenset(entry.code for entry in call_statuses if entry.code and entry.details[-1] in qualified_statuses)
        or None
    )


@dataclass(frozen=True, slots=True)
class _StatsRenderer:
    """What was counted, to be written down as far as it fits."""

    context: AppContext
    resolved: ResolvedQuery
    group_by: tuple[str, ...]
    read: ParallelRead[Any]
    groups: counting.Tallies
    names: DirectoryNames
    qualified_known: bool
    undecided: Sequence[CallKey]
    retry: Sequence[int]

    def render(self, budget: int) -> Answer:
        columns = (*(counting.KEY_COLUMNS[name] for name in self.group_by), *counting.METRICS)
        rows = counting.to_rows(self.groups, self.group_by, qualified_known=self.qualified_known)
        draft = AnswerDraft(
            asked=self.resolved.filters.echo(),  # the groupings are the first columns
            window=self.resolved.window.to_dict(self.context.zone),
            columns=columns,
            blocks=[[row] for row in rows],
            page=self._page_members,
            names=lambda shown: call_legend(self.names, self.resolved.filters, columns, shown),
            timezone=self.context.zone.name,
            notes=self._notes,
            retry=lambda _: self.retry,
            totals=lambda shown: self._totals(rows, shown),
            sorted_by="calls",
        )
        return render_within_budget(draft, budget)

    @property
    def _complete(self) -> bool:
        return self.read.stopped is None and self.read.complete and not (self.resolved.gaps or self.undecided)

    def _page_members(self, extent: PageExtent) -> dict[str, Any]:
        zone, window = self.context.zone, self.resolved.window
        members: dict[str, Any] = {"complete": self._complete and extent.blocks == len(self.groups)}
        if self.read.stopped is not None:
            members["covered"] = {**window.to_dict(zone), "since": zone.isoformat(self.read.reached)}
        client_side = self.resolved.filters.client_side
        if client_side:
            members["local_filters"] = client_side
        elif self.read.liner_total is not None and not (self._complete or self.read.filter_ignored):
            members["liner_total"] = self.read.liner_total
        if self.undecided:
            members["undecided"] = len(self.undecided)
        if self.read.changed:
            members["changed"] = True
        return members

    def _totals(self, rows: Sequence[Row], extent: PageExtent) -> dict[str, Any]:
        found: dict[str, Any] = counting.totals(self.groups.values(), qualified_known=self.qualified_known)
        left = [self.groups[row[: len(self.group_by)]] for row in rows[extent.blocks :]]
        if left:
            rest = counting.totals(left, qualified_known=self.qualified_known)
            found["other_groups"] = {"groups": len(left), **rest}
        return found

    def _notes(self, extent: PageExtent) -> list[str]:
        notes: list[str] = []
        if self.read.stopped is not None:
            # With since, for a default or relative one would begin elsewhere when until is another.
            since, until = (
                self.context.zone.isoformat(self.resolved.window.since),
                self.context.zone.isoformat(self.read.reached),
            )
            notes.append(
                f"{self.context.stop_reason(self.read.stopped)} Counted is page.covered only; "
                f"since={since}, until={until} "
                "gives the rest. Counts of both parts add up, medians do not."
            )
        if self.undecided:
            notes.append(undecided_note(self.resolved.filters, len(self.undecided), len(self.retry)))
        if not self.read.complete:
            notes.append("Liner counts more calls in this window than it lists; some may be missing here.")
        notes += self.resolved.gaps
        if self.read.filter_ignored:
            notes.append(FILTER_IGNORED_NOTE)
        notes += self._unlisted()
        if not self.groups and self._complete:
            narrowed = "No call of this window passes the filters; try an earlier since, or fewer filters."
            plain = "Liner has no call in this window; try another."
            notes.append(narrowed if self.resolved.filters.echo() else plain)
        if not self.qualified_known:
            notes.append("Which statuses qualify a lead could not be read from Liner, so qualified is unknown.")
        if extent.blocks < len(self.groups):
            left = len(self.groups) - extent.blocks
            notes.append(f"{left} smaller groups did not fit; totals.other_groups sums them.")
        return [*notes, *self.resolved.notes, *self.names.notes()]

    def _unlisted(self) -> list[str]:
        """Advice on ids that no dictionary has, where it is known that no call has them either."""
        filters = self.resolved.filters

        def with_calls(name: str, asked: Sequence[int]) -> set[Cell]:
            if name in self.group_by:
                return {key[self.group_by.index(name)] for key in self.groups}
            return set(asked) if self.groups else set()  # groups of another kind do not tell whose calls they hold

        orders, agents = with_calls("order", filters.orders), with_calls("agent", filters.agents)
        return unlisted_notes(self.names, filters, orders=orders, agents=agents)
