"""The answer: one table for a model's context, the same in both channels of a tool result.

Columns once, rows as arrays, constants and names once, and a page filled row by row while the final UTF-8 text stays
within a budget. Pure: rows come in, a JSON object comes out. What a row says is decided elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NotRequired

# pydantic reads the published schema from these classes and needs this one before Python 3.12.
from typing_extensions import TypedDict

Cell = int | str | None
Row = tuple[Cell, ...]
Block = Sequence[Row]
"""Rows that stay together on one page: the records of one call, or a single row."""

NEVER_FACTORED = frozenset({"call_id", "record_id", "summary"})
"""What a row is about and what it says stays in the row, even when all rows agree."""

# One for all: json.dumps makes a new one at every call that is not of the default kind.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)

MAX_NOTES = 3  # advice is read when there is little of it


class Page(TypedDict):
    """What was returned and what is left. Absent members have nothing to say."""

    returned: int
    complete: bool
    next_cursor: NotRequired[str]
    next_call_ids: NotRequired[list[int]]
    total: NotRequired[int]
    liner_total: NotRequired[int]
    covered: NotRequired[dict[str, str]]
    scanned: NotRequired[int]
    local_filters: NotRequired[list[str]]
    examined: NotRequired[int]
    undecided: NotRequired[int]
    changed: NotRequired[bool]
    population: NotRequired[int]
    seed: NotRequired[str]
    sampling: NotRequired[str]
    partial_call: NotRequired[dict[str, int]]


class AnswerSchema(TypedDict):
    """A list answer. `rows` follow `columns`; a column missing there stands once in `every_row`."""

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
    every_row: NotRequired[dict[str, int | str | None]]
    columns: list[str]
    rows: list[list[int | str | None]]


class Summary(TypedDict):
    """A window of Liner's summary. `length` counts the characters of the whole; `next_start` is where to go on."""

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


@dataclass(frozen=True, slots=True)
class PageExtent:
    """How much of a draft a page holds: its first `blocks`; `rows_of_first` when even the first had to be split."""

    blocks: int
    rows_of_first: int | None = None


@dataclass(frozen=True, slots=True)
class AnswerDraft:
    """Everything an answer may hold, before it is known how much fits.

    `page` and `notes` are asked again for every size tried: a page that ends early has a cursor, and may need advice.
    `notes` stand in order of importance. `names` gives the legend for the rows and the call that are shown. Columns in
    `optional_columns` are left out of a page in which they are null throughout. `splittable` allows the first block to
    be split when it does not fit alone.
    """

    asked: Mapping[str, Any]
    columns: Sequence[str]
    blocks: Sequence[Block]
    page: Callable[[PageExtent], Mapping[str, Any]]
    names: Callable[[Sequence[Row]], Mapping[str, Mapping[str, str]]]
    timezone: str
    notes: Callable[[PageExtent], Sequence[str]] = lambda _: ()
    window: Mapping[str, str] | None = None
    call: Mapping[str, Cell] | None = None
    retry: Callable[[PageExtent], Sequence[int]] = lambda _: ()
    totals: Callable[[PageExtent], Mapping[str, Any]] = lambda _: {}
    sorted_by: str = ""
    optional_columns: frozenset[str] = frozenset()
    splittable: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer: the structure and the very same as minified JSON. No repr shows it: reprs get into logs."""

    structure: dict[str, Any] = field(repr=False)
    text: str = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes of the text in UTF-8."""
        return len(self.text.encode())


def to_compact_json(structure: Mapping[str, Any]) -> str:
    """JSON without spaces and without ASCII escapes: escaped Cyrillic costs seven times the tokens."""
    return _ENCODER.encode(structure)


def render_within_budget(draft: AnswerDraft, budget: int) -> Answer:
    """The largest page of `draft`, block by block, whose text fits `budget` bytes.

    A page always holds at least one row when there is one; if that row alone is larger than the budget, a note says so.
    """
    everything = PageExtent(len(draft.blocks))
    answer = _render(draft, everything)
    if answer.size <= budget or not draft.blocks:
        return answer
    blocks, answer = largest_fitting(lambda n: _render(draft, PageExtent(n)), len(draft.blocks), budget)
    if blocks:
        return answer
    if draft.splittable and len(draft.blocks[0]) > 1:
        rows, answer = largest_fitting(lambda n: _render(draft, PageExtent(1, n)), len(draft.blocks[0]), budget)
        if rows:
            return answer
        return _render(draft, PageExtent(1, 1), _too_large_note(budget))
    return _render(draft, PageExtent(1), _too_large_note(budget))


def largest_fitting(render: Callable[[int], Answer], limit: int, budget: int) -> tuple[int, Answer]:
    """The largest n below `limit` whose rendering fits, by halving; 0, with the rendering of one, when none does."""
    fits, best, beyond = 0, None, limit
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        tried = render(middle)
        if tried.size <= budget:
            fits, best = middle, tried
        else:
            beyond = middle
    if best is None:
        first = render(1)
        return (1, first) if first.size <= budget else (0, first)
    return fits, best


def _too_large_note(budget: int) -> str:
    return f"This one row is larger than the answer budget of {budget} bytes; a smaller summary_chars may make it fit."


def _render(draft: AnswerDraft, extent: PageExtent, first_note: str | None = None) -> Answer:
    rows: list[Row] = [row for block in draft.blocks[: extent.blocks] for row in block]
    if extent.rows_of_first is not None:
        rows = list(draft.blocks[0][: extent.rows_of_first])
    columns, every_row, cells = _factor_constants(draft.columns, rows, draft.optional_columns)
    page = draft.page(extent)
    notes = [note for note in (first_note, *draft.notes(extent)) if note][:MAX_NOTES]
    members: dict[str, Any] = {
        "asked": dict(draft.asked),
        "window": dict(draft.window or {}),
        "call": dict(draft.call or {}),
        "page": {"returned": len(rows), **page},
        "notes": notes,
        "retry": list(draft.retry(extent)),
        "totals": dict(draft.totals(extent)),
        "sorted_by": draft.sorted_by,
        "timezone": draft.timezone if rows or draft.call or draft.window else "",
        "names": {kind: dict(legend) for kind, legend in draft.names(rows).items() if legend},
        "every_row": every_row,
        "columns": columns,
    }
    structure = {name: value for name, value in members.items() if value or name in ("asked", "columns")}
    structure["rows"] = cells
    return Answer(structure, to_compact_json(structure))


def _factor_constants(
    names: Sequence[str], rows: Sequence[Row], optional_columns: frozenset[str]
) -> tuple[list[str], dict[str, Cell], list[list[Cell]]]:
    """Split constants from rows: the columns that stay, what every row shares, and the remaining cells."""
    varying_columns: list[int] = []
    every_row: dict[str, Cell] = {}
    for index, name in enumerate(names):
        values = {row[index] for row in rows}
        if name in optional_columns and values <= {None}:
            continue
        if len(rows) > 1 and len(values) == 1 and name not in NEVER_FACTORED:
            every_row[name] = rows[0][index]
        else:
            varying_columns.append(index)
    return [names[i] for i in varying_columns], every_row, [[row[i] for i in varying_columns] for row in rows]
