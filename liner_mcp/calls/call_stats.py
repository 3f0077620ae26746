"""Comparing: from a question to counts per agent, order, status or time, over any number of calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from liner_mcp.answer.table import Cell, Draft, Row, Shown, Written, write
from liner_mcp.calls import counting
from liner_mcp.calls.parallel_reader import Progress, WholeRead, read_all
from liner_mcp.calls.query import CallQuestion, Understood, understand
from liner_mcp.calls.rows import call_legend, unlisted_notes
from liner_mcp.calls.transfers import passing
from liner_mcp.calls.window_reader import LEAKED
from liner_mcp.context import Desk
from liner_mcp.errors import InvalidArgument, LinerMcpError
from liner_mcp.liner.models import Call
from liner_mcp.names.directory import Names

QUALIFIED = "qualified"  # the category of lead statuses that means so; /devs/api/v2/lead-status/list/
MAX_GROUPINGS = 2


async def call_stats(
    desk: Desk, question: CallQuestion, *, group_by: Sequence[str], budget: int, progress: Progress | None = None
) -> Written:
    """Counts of the calls that a question means, by one or two groupings, within `budget` bytes and the deadline.

    Raises: InvalidArgument for what cannot be understood; the error of the first read when nothing was read at all.
    """
    groupings = tuple(dict.fromkeys(group_by))
    if len(groupings) != len(group_by) or not 1 <= len(groupings) <= MAX_GROUPINGS:
        raise InvalidArgument("group_by: give one or two different groupings, for example [agent] or [order, status].")
    understood = await understand(desk, question)
    qualified = await _qualified_codes(desk)

    async def fold(calls: Sequence[Call]) -> counting.Tallies:
        meant = await passing(desk, understood.filters, calls)
        return counting.tally(meant, groupings, desk.zone, qualified or frozenset())

    read = await read_all(desk.liner, understood.filters, understood.window, fold, progress)
    if read.stopped is not None and read.reached == understood.window.until:
        raise read.stopped  # an answer that counts nothing would be taken for one about no calls
    names = await desk.directory.names("agents", "orders", "statuses")
    groups = counting.added(read.folded)
    return _Comparison(desk, understood, groupings, read, groups, names, qualified is not None).written(budget)


async def _qualified_codes(desk: Desk) -> frozenset[str] | None:
    """The call statuses after which a lead counts as qualified; None when the dictionaries cannot tell.

    A call's status names the lead status it sets, and that has a category.
    """
    try:
        lead_statuses = await desk.directory.entries("lead_statuses")
        call_statuses = await desk.directory.entries("call_statuses")
    except LinerMcpError:
        return None
    verdicts = {entry.code for entry in lead_statuses if entry.told[-1] == QUALIFIED and entry.code}
    # No status at all that qualifies a lead: then the dictionaries do not say it, and nobody was counted as such.
    return frozenset(entry.code for entry in call_statuses if entry.code and entry.told[-1] in verdicts) or None


@dataclass(frozen=True, slots=True)
class _Comparison:
    """What was counted, to be written down as far as it fits."""

    desk: Desk
    understood: Understood
    group_by: tuple[str, ...]
    read: WholeRead[counting.Tallies]
    groups: counting.Tallies
    names: Names
    knows_verdicts: bool

    def written(self, budget: int) -> Written:
        columns = (*(counting.KEY_COLUMNS[name] for name in self.group_by), *counting.METRICS)
        rows = counting.rows(self.groups, self.group_by, knows_verdicts=self.knows_verdicts)
        draft = Draft(
            asked=self.understood.filters.asked(),  # the groupings are the first columns
            window=self.understood.window.shown(self.desk.zone),
            columns=columns,
            blocks=[[row] for row in rows],
            page=self._page,
            names=lambda shown: call_legend(self.names, self.understood.filters, columns, shown),
            timezone=self.desk.zone.name,
            notes=self._notes,
            totals=lambda shown: self._totals(rows, shown),
            sorted_by="calls",
        )
        return write(draft, budget)

    @property
    def _complete(self) -> bool:
        return self.read.stopped is None and self.read.whole and not self.understood.gaps

    def _page(self, shown: Shown) -> dict[str, Any]:
        zone, window = self.desk.zone, self.understood.window
        members: dict[str, Any] = {"complete": self._complete and shown.blocks == len(self.groups)}
        if self.read.stopped is not None:
            members["covered"] = {**window.shown(zone), "since": zone.stamp(self.read.reached)}
        local = self.understood.filters.local
        if local:
            members["local_filters"] = local
        elif self.read.counted is not None and not (self._complete or self.read.leaked):
            members["liner_total"] = self.read.counted
        if self.read.changed:
            members["changed"] = True
        return members

    def _totals(self, rows: Sequence[Row], shown: Shown) -> dict[str, Any]:
        found: dict[str, Any] = counting.totals(self.groups.values(), knows_verdicts=self.knows_verdicts)
        left = [self.groups[row[: len(self.group_by)]] for row in rows[shown.blocks :]]
        if left:
            rest = counting.totals(left, knows_verdicts=self.knows_verdicts)
            found["other_groups"] = {"groups": len(left), **rest}
        return found

    def _notes(self, shown: Shown) -> list[str]:
        notes: list[str] = []
        if self.read.stopped is not None:
            # With since, for a default or relative one would begin elsewhere when until is another.
            since, until = self.desk.zone.stamp(self.understood.window.since), self.desk.zone.stamp(self.read.reached)
            notes.append(
                f"{self.desk.reason(self.read.stopped)} Counted is page.covered only; since={since}, until={until} "
                "gives the rest. Counts of both parts add up, medians do not."
            )
        if not self.read.whole:
            notes.append("Liner counts more calls in this window than it lists; some may be missing here.")
        notes += self.understood.gaps
        if self.read.leaked:
            notes.append(LEAKED)
        notes += self._unlisted()
        if not self.groups and self._complete:
            narrowed = "No call of this window passes the filters; try an earlier since, or fewer filters."
            plain = "Liner has no call in this window; try another."
            notes.append(narrowed if self.understood.filters.asked() else plain)
        if not self.knows_verdicts:
            notes.append("Which statuses qualify a lead could not be read from Liner, so qualified is unknown.")
        if shown.blocks < len(self.groups):
            left = len(self.groups) - shown.blocks
            notes.append(f"{left} smaller groups did not fit; totals.other_groups sums them.")
        return [*notes, *self.understood.notes, *self.names.notes()]

    def _unlisted(self) -> list[str]:
        """Advice on ids that no dictionary has, where it can be told that no call has them either."""
        filters = self.understood.filters

        def with_calls(name: str, asked: Sequence[int]) -> set[Cell]:
            if name in self.group_by:
                return {key[self.group_by.index(name)] for key in self.groups}
            return set(asked) if self.groups else set()  # groups of another kind do not tell whose calls they hold

        orders, agents = with_calls("order", filters.orders), with_calls("agent", filters.agents)
        return unlisted_notes(self.names, filters, orders=orders, agents=agents)
