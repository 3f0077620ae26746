"""The groups of call_stats as rows: which are shown, and in which order. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from liner_mcp.answer.table import Cell, Row
from liner_mcp.calls.columns import RECORDING_COUNTS
from liner_mcp.calls.counting import KEY_COLUMNS, METRICS, WEEKDAYS, GroupKey, Tallies, Tally

SHARE = "share"
TIMES = frozenset({"day", "hour", "weekday"})  # groupings with an order of their own
MIN_ROW_BYTES = 4  # `[1],`: no row is shorter, so no row that could be shown is left out


@dataclass(frozen=True, slots=True)
class Question:
    """How groups are shown. `include`: columns beside the usual ones. `sort`: a column, or None for the usual order.

    `limit` and `min_calls` choose groups; None chooses all.
    """

    group_by: tuple[str, ...]
    include: tuple[str, ...] = ()
    sort: str | None = None
    limit: int | None = None
    min_calls: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.keys, *METRICS, *self.include)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(KEY_COLUMNS[name] for name in self.group_by)

    @property
    def recordings(self) -> tuple[str, ...]:
        return tuple(name for name in self.include if name in RECORDING_COUNTS)

    @property
    def sorted_by(self) -> str:
        return self.sort or (self.keys[0] if self.group_by and self.group_by[0] in TIMES else "calls")


@dataclass(frozen=True, slots=True)
class GroupRows:
    """The rows that may be shown, in order, each with its tally; and the sum of all other groups, with their number.

    `unfit`: how many of these were chosen but cannot fit.
    """

    rows: list[Row]
    groups: list[Tally]
    others: Tally
    other_groups: int
    unfit: int


def arrange(groups: Tallies, question: Question, budget: int, *, qualified_known: bool) -> GroupRows:
    """The rows of the groups that `question` chooses, at most as many as fit `budget` bytes."""
    of_first = Counter[Cell]()  # calls by the first grouping
    for key, group in groups.items():
        of_first[key[0] if key else None] += group.calls
    keys = [key for key, group in groups.items() if group.calls >= (question.min_calls or 0)]
    chosen = min(question.limit or len(keys), len(keys))
    most = min(chosen, budget // MIN_ROW_BYTES)
    keys.sort(key=lambda key: _usual_order(key, groups[key].calls, of_first, question.group_by))
    if question.sort is None:
        keys = keys[:most]
    two = len(question.group_by) > 1
    everything = of_first.total()
    rows = [
        _row(key, groups[key], of_first[key[0]] if two else everything, question, qualified_known=qualified_known)
        for key in keys
    ]
    if question.sort is not None:
        rows = _largest_first(rows, question.columns.index(question.sort))[:most]
    shown = [row[: len(question.group_by)] for row in rows]
    others = Tally()
    for key in groups.keys() - set(shown):
        others.add_sums(groups[key])
    return GroupRows(rows, [groups[key] for key in shown], others, len(groups) - len(shown), chosen - len(shown))


def _usual_order(key: GroupKey, calls: int, of_first: Counter[Cell], group_by: Sequence[str]) -> list[Any]:
    """Times in their order, all else by calls, then by key; rows of one first group stand together."""
    return [
        (part is None, WEEKDAYS.index(str(part)) if name == "weekday" and part is not None else str(part))
        if name in TIMES
        else (-(calls if position else of_first[part]), part is None, f"{part:>20}" if part is not None else "")
        for position, (name, part) in enumerate(zip(group_by, key, strict=True))
    ]


def _row(key: GroupKey, group: Tally, of_calls: int, question: Question, *, qualified_known: bool) -> Row:
    """The cells of a group; its share is that of `of_calls`."""
    has_agent = "agent" not in question.group_by or key[question.group_by.index("agent")] is not None
    cells = group.cells(question.recordings, has_agent=has_agent, qualified_known=qualified_known)
    if SHARE in question.include:
        cells[SHARE] = round(group.calls / of_calls, 3) if of_calls else None
    return (*key, *(cells[name] for name in (*METRICS, *question.include)))


def _largest_first(rows: Sequence[Row], index: int) -> list[Row]:
    """The rows by one column; rows of equal cells stay in their order, and null comes last."""

    def size(row: Row) -> Any:
        return WEEKDAYS.index(str(row[index])) if row[index] in WEEKDAYS else row[index]

    known = [row for row in rows if row[index] is not None]
    return [*sorted(known, key=size, reverse=True), *(row for row in rows if row[index] is None)]
