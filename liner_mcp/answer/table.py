"""The answer: one table for a model's context, the same in both channels of a tool result.

Columns and names are written once, rows are arrays, and a page holds as many rows as fit: the final UTF-8 text stays
within a budget. Pure: a tool gives a function from a number of rows to the members of an answer.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NotRequired, Unpack, cast

# pydantic reads the published schema from these classes and needs this one before Python 3.12.
from typing_extensions import TypedDict

from liner_mcp.provenance import provenance

Cell = int | float | str | None
Row = tuple[Cell, ...]
Members = dict[str, Any]
"""Members of an answer by name, in any order; empty ones are left out."""

MEMBER_ORDER = (
    "asked", "window", "call", "record", "page", "notes", "retry", "totals", "sorted_by", "timezone", "names",
    "every_row", "columns", "rows", "summary",
)  # fmt: skip
ALWAYS_SENT = frozenset({"asked", "columns", "rows"})  # of a table, even when they are empty

NEVER_FACTORED = frozenset({"call_id", "record_id", "summary", "passage"})
"""The ids and the text of a row stay in the row, even when all rows agree."""

# One encoder for all answers: json.dumps with options makes a new one at each call.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)

MAX_NOTES = 3  # a reader skips a longer list


class Page(TypedDict):
    """What was returned and what is left. A member that does not apply is absent."""

    returned: int
    complete: bool
    next_cursor: NotRequired[str]
    next_call_ids: NotRequired[list[int]]
    next_window: NotRequired[dict[str, str]]
    next_quote: NotRequired[int]
    total: NotRequired[int]
    liner_total: NotRequired[int]
    covered: NotRequired[dict[str, str]]
    scanned: NotRequired[int]
    local_filters: NotRequired[list[str]]
    examined: NotRequired[int]
    searched: NotRequired[dict[str, int]]
    undecided: NotRequired[int]
    changed: NotRequired[bool]
    population: NotRequired[int]
    seed: NotRequired[str]
    sampling: NotRequired[str]
    partial_call: NotRequired[dict[str, int]]
    archived_until: NotRequired[str]
    synced_at: NotRequired[str]
    forgotten: NotRequired[int]


class AnswerSchema(TypedDict):
    """A list answer. `rows` follow `columns`; a constant column is in `every_row` instead."""

    asked: dict[str, Any]
    window: NotRequired[dict[str, str]]
    call: NotRequired[dict[str, int | str | None]]
    page: Page
    notes: NotRequired[list[str]]
    retry: NotRequired[list[int]]
    totals: NotRequired[dict[str, Any]]
    sorted_by: NotRequired[str]
    timezone: NotRequired[str]
    names: NotRequired[dict[str, dict[str, str]]]
    every_row: NotRequired[dict[str, int | float | str | None]]
    columns: list[str]
    rows: list[list[int | float | str | None]]


class Summary(TypedDict):
    """A window of Liner's summary. `length` counts the characters of the whole; `next_start` begins the next."""

    state: str
    start: NotRequired[int]
    length: NotRequired[int]
    next_start: NotRequired[int]
    text: NotRequired[str]


class FullRecord(TypedDict):
    """One call record. `record` holds its facts and URIs, `summary` a window of what Liner's AI wrote."""

    asked: dict[str, int]
    record: dict[str, int | str | None]
    notes: NotRequired[list[str]]
    timezone: str
    names: NotRequired[dict[str, dict[str, str]]]
    summary: Summary


class PageMembers(TypedDict, total=False):
    """The optional members of a page, as `page()` takes them; None is the same as absent."""

    next_cursor: str | None
    next_call_ids: Sequence[int] | None
    next_window: dict[str, str] | None
    next_quote: int | None
    total: int | None
    liner_total: int | None
    covered: dict[str, str] | None
    scanned: int | None
    local_filters: Sequence[str] | None
    examined: int | None
    searched: dict[str, int] | None
    changed: Literal[True] | None
    population: int | None
    seed: str | None
    sampling: str | None
    partial_call: dict[str, int] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer: the structure, and the same as minified JSON. Its repr is empty, because reprs reach logs."""

    structure: dict[str, Any] = field(repr=False)
    text: str = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.text.encode())


def to_compact_json(structure: Mapping[str, Any]) -> str:
    """JSON without spaces and without ASCII escapes: escaped Cyrillic costs seven times the tokens."""
    return _ENCODER.encode(structure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What an answer lacks, from which follows what it may claim. Every tool states all four.

    `left`: the arguments mean more than this page shows: another page, other ids, a part of the window. `missing`: a
    list has fewer entries than Liner counts, or could not be read. `undecided`: how many entries could be neither shown
    nor excluded. `unknown`: a sum or a summary could not be given, because Liner did not send what it needs.
    """

    left: bool
    missing: bool
    undecided: int
    unknown: bool

    @property
    def complete(self) -> bool:
        """Whether nothing is left, and nothing that would change the answer is unknown."""
        return self.shows_all and not self.unknown

    @property
    def shows_all(self) -> bool:
        """Whether what is not shown does not exist: only then may an answer say "none" or 0."""
        return self.counts_all and not self.left

    @property
    def counts_all(self) -> bool:
        """Whether entries can be counted, also those of other pages."""
        return not (self.missing or self.undecided)


COUNTS = ("total", "population")  # members that say how many there are
LINER_COUNT = "liner_total"  # not known where a part of a window could not be read


def page(returned: int, evidence: Evidence, **members: Unpack[PageMembers]) -> Page:
    """The member `page`, for every answer; members that are None are left out, and counts that are not proven. It
    states too which part came from an archive.
    """
    source = provenance()
    unproven = (() if evidence.counts_all else COUNTS) + ((LINER_COUNT,) if source.unread else ())
    present = {name: value for name, value in members.items() if value is not None and name not in unproven}
    found = {"returned": returned, "complete": evidence.complete, **present}
    if evidence.undecided:
        found["undecided"] = evidence.undecided
    return cast("Page", {**found, **source.page_members()})


def table(columns: Sequence[str], rows: Sequence[Row], optional_columns: frozenset[str] = frozenset()) -> Members:
    """The members `every_row`, `columns` and `rows`. `optional_columns` are left out where they are null throughout."""
    varying_columns: list[int] = []
    every_row: dict[str, Cell] = {}
    for index, name in enumerate(columns):
        values = {row[index] for row in rows}
        if name in optional_columns and values <= {None}:
            continue
        if len(rows) > 1 and len(values) == 1 and name not in NEVER_FACTORED:
            every_row[name] = rows[0][index]
        else:
            varying_columns.append(index)
    return {
        "every_row": every_row,
        "columns": [columns[index] for index in varying_columns],
        "rows": [[row[index] for index in varying_columns] for row in rows],
    }


def render_within_budget(render: Callable[[int], Members], sizes: Sequence[int], budget: int) -> Answer:
    """The largest answer whose text fits `budget` bytes. `render(n)` gives the members of an answer with n rows.

    `sizes` are the numbers of rows with which a page may end, in ascending order; only when not even the first of them
    fits may it end before. A page always holds at least one row when there is one.
    """

    @cache
    def answer(size: int) -> Answer:
        return _assemble(render(size))

    if not sizes:
        return answer(0)
    for allowed in (sizes, range(1, sizes[0] + 1)):
        fitting = largest_fitting(lambda size: answer(size).size, allowed, budget)
        if fitting is not None:
            return answer(fitting)
    if not _is_summary_too_long(answer(1), budget):
        return answer(1)
    members = render(1)
    note = f"This one row is larger than the answer budget of {budget} bytes; a smaller summary_chars may make it fit."
    return _assemble({**members, "notes": [note, *members.get("notes", ())]})


def largest_fitting(measure: Callable[[int], int], sizes: Sequence[int], budget: int) -> int | None:
    """The largest of the ascending `sizes` that measures at most `budget`, by halving; None when none does."""
    # The last page needs no cursor, so it may fit where a page with fewer rows does not.
    if measure(sizes[-1]) <= budget:
        return sizes[-1]
    count = bisect_right(sizes, budget, hi=len(sizes) - 1, key=measure)
    return sizes[count - 1] if count else None


def _is_summary_too_long(answer: Answer, budget: int) -> bool:
    """Whether an answer of one row would fit without the row's summary."""
    columns, rows = answer.structure.get("columns", []), answer.structure.get("rows", [])
    summary = rows[0][columns.index("summary")] if "summary" in columns else None
    return summary is not None and answer.size - len(_ENCODER.encode(summary).encode()) <= budget


def _assemble(members: Members) -> Answer:
    members = {**members, "notes": [note for note in members.get("notes", ()) if note][:MAX_NOTES]}
    members["names"] = {kind: legend for kind, legend in members.get("names", {}).items() if legend}
    structure = {
        name: members[name] for name in sorted(members, key=MEMBER_ORDER.index) if members[name] or name in ALWAYS_SENT
    }
    return Answer(structure, to_compact_json(structure))
