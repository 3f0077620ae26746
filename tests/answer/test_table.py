"""The answer's table: pure, so mostly properties over any rows, texts and budgets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liner_mcp.answer.table import (
    MAX_NOTES,
    NEVER_FACTORED,
    Answer,
    AnswerDraft,
    Block,
    Cell,
    PageExtent,
    Row,
    render_within_budget,
)

ORDER = ("asked", "call", "page", "notes", "retry", "timezone", "names", "every_row", "columns", "rows")
COLUMNS = ("call_id", "record_id", "record_date", "agent_id", "summary_state", "summary_length", "summary")
IF_ANY = frozenset({"summary_length"})
UNLIMITED = 10**9
TOO_LARGE = "larger than the answer budget"

PIECES: st.SearchStrategy[str] = st.sampled_from(
    ["Клиент ждёт звонка. ", "Да\n", '"цена"', "C:\\home\\", "👍🏽👨‍👩‍👧", "ok ", "½ €", "\u2028", "\x00"]
)
LONG_TEXTS = st.tuples(PIECES, st.integers(1, 400)).map(lambda drawn: drawn[0] * drawn[1])
TEXTS: st.SearchStrategy[str] = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | LONG_TEXTS
# Few different values, so that columns often agree in every row.
CELLS: st.SearchStrategy[Cell] = st.none() | st.sampled_from([0, 1, 456, "ready", "2026-11-20"]) | TEXTS
IDS: st.SearchStrategy[Cell] = st.none() | st.integers(1, 2**53 - 1)
ROWS: st.SearchStrategy[Row] = st.tuples(IDS, IDS, CELLS, CELLS, CELLS, st.none() | st.integers(0, 9999), CELLS)
SINGLE_ROWS: st.SearchStrategy[list[Block]] = st.lists(ROWS.map(lambda row: [row]), max_size=25)
MANY_ROWS: st.SearchStrategy[list[Block]] = st.lists(st.lists(ROWS, min_size=1, max_size=6), max_size=10)
BUDGETS = st.integers(2_000, 60_000)
NOTES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), max_size=5)


@dataclass(frozen=True)
class PagedBlocks:
    """Blocks to be read page by page, with a cursor that is the number of the next block."""

    blocks: Sequence[Block]
    notes: Sequence[str] = ()
    splits: bool = False

    def draft(self, start: int = 0) -> AnswerDraft:
        left = self.blocks[start:]

        def page(extent: PageExtent) -> Mapping[str, Any]:
            more = extent.blocks < len(left) or extent.rows_of_first is not None
            members: dict[str, Any] = {"complete": not more, "blocks": extent.blocks}
            if extent.rows_of_first is not None:
                members["rows_of_first"] = extent.rows_of_first
            return {**members, **({"next_cursor": f"{start + extent.blocks:06d}"} if more else {})}

        return AnswerDraft(
            asked={"calls": len(self.blocks)},
            columns=COLUMNS,
            blocks=left,
            page=page,
            names=lambda rows: {"agents": {str(row[3]): "Анна" for row in rows if isinstance(row[3], int)}},
            timezone="Europe/Moscow",
            notes=lambda _: self.notes,
            optional_columns=IF_ANY,
            splittable=self.splits,
        )


def rejoin_rows(written: Answer) -> list[Row]:
    """The rows as a script rejoins them; a column that was left out is null throughout."""
    structure = written.structure
    rows: list[Row] = []
    for cells in structure["rows"]:
        row = {**structure.get("every_row", {}), **dict(zip(structure["columns"], cells, strict=True))}
        assert not row.keys() - set(COLUMNS)
        assert set(COLUMNS) - row.keys() <= IF_ANY
        rows.append(tuple(row.get(name) for name in COLUMNS))
    return rows


def to_retry(_: PageExtent) -> list[int]:
    return [1]


def flat(blocks: Sequence[Block]) -> list[Row]:
    return [row for block in blocks for row in block]


@given(SINGLE_ROWS | MANY_ROWS, BUDGETS, NOTES)
@settings(deadline=None)
def test_a_page_fits_the_budget_or_is_one_row_that_says_so(blocks: list[Block], budget: int, notes: list[str]) -> None:
    written = render_within_budget(PagedBlocks(blocks, notes, splits=True).draft(), budget)
    says_so = [note for note in written.structure.get("notes", []) if TOO_LARGE in note]
    if written.size <= budget or not blocks:
        assert not says_so
    else:
        assert len(written.structure["rows"]) == 1
        assert len(says_so) == 1
        assert says_so[0] == written.structure["notes"][0], "what matters most comes first"


@given(SINGLE_ROWS | MANY_ROWS, BUDGETS, NOTES)
@settings(deadline=None)
def test_the_text_is_the_structure_in_minified_utf_8(blocks: list[Block], budget: int, notes: list[str]) -> None:
    written = render_within_budget(PagedBlocks(blocks, notes, splits=True).draft(), budget)
    assert written.text == json.dumps(written.structure, ensure_ascii=False, separators=(",", ":"))
    assert json.loads(written.text) == written.structure
    assert written.size == len(written.text.encode("utf-8"))


def test_letters_outside_ascii_are_never_escaped() -> None:
    row: Row = (1, 2, None, None, "ready", None, 'Клиент: "да" 👍')
    written = render_within_budget(PagedBlocks([[row]], notes=["Заметка"]).draft(), 2_000)
    assert "\\u" not in written.text
    assert 'Клиент: \\"да\\" 👍' in written.text


@given(SINGLE_ROWS | MANY_ROWS)
@settings(deadline=None)
def test_rejoining_gives_back_the_rows_that_went_in(blocks: list[Block]) -> None:
    assert rejoin_rows(render_within_budget(PagedBlocks(blocks).draft(), UNLIMITED)) == flat(blocks)


@given(SINGLE_ROWS | MANY_ROWS, BUDGETS)
@settings(deadline=None)
def test_a_column_moves_to_every_row_exactly_when_two_or_more_rows_agree(blocks: list[Block], budget: int) -> None:
    written = render_within_budget(PagedBlocks(blocks, splits=True).draft(), budget)
    structure, rows = written.structure, rejoin_rows(written)
    every_row: dict[str, Cell] = structure.get("every_row", {})
    for index, name in enumerate(COLUMNS):
        values = {row[index] for row in rows}
        if name in IF_ANY and values <= {None}:
            assert name not in structure["columns"]
            assert name not in every_row
        else:
            moved = len(rows) > 1 and len(values) == 1 and name not in NEVER_FACTORED
            assert (name in every_row) is moved
            assert (name in structure["columns"]) is not moved
    assert structure["columns"] == [name for name in COLUMNS if name in structure["columns"]]


def test_what_a_row_is_about_stays_in_the_row_even_when_all_agree() -> None:
    row: Row = (1, 2, "2026-11-20", 456, "ready", None, "То же самое.")
    structure = render_within_budget(PagedBlocks([[row], [row]]).draft(), 2_000).structure
    assert structure["columns"] == ["call_id", "record_id", "summary"]
    assert structure["rows"] == [[1, 2, "То же самое."]] * 2
    assert structure["every_row"] == {"record_date": "2026-11-20", "agent_id": 456, "summary_state": "ready"}


def test_a_single_row_is_not_taken_apart() -> None:
    structure = render_within_budget(
        PagedBlocks([[(1, 2, "2026-11-20", 456, "cut", 900, "Нач…")]]).draft(), 2_000
    ).structure
    assert "every_row" not in structure
    assert structure["columns"] == list(COLUMNS)
    assert structure["rows"] == [[1, 2, "2026-11-20", 456, "cut", 900, "Нач…"]]


@given(SINGLE_ROWS | MANY_ROWS, BUDGETS, NOTES)
@settings(deadline=None)
def test_members_stand_in_the_promised_order_and_none_is_empty(
    blocks: list[Block], budget: int, notes: list[str]
) -> None:
    structure = render_within_budget(PagedBlocks(blocks, notes).draft(), budget).structure
    assert list(structure) == [name for name in ORDER if name in structure]
    assert {"asked", "page", "columns", "rows"} <= structure.keys()
    assert all(structure[name] for name in structure.keys() - {"asked", "columns", "rows"})
    assert all(structure.get("names", {}).values())
    assert structure["page"]["returned"] == len(structure["rows"])


def test_all_members_of_a_full_answer_stand_in_the_promised_order() -> None:
    row: Row = (1, 2, None, 456, "failed", None, None)
    draft = replace(PagedBlocks([[row], [row]], notes=["Один."]).draft(), call={"status": None}, retry=to_retry)
    assert tuple(render_within_budget(draft, 2_000).structure) == ORDER


@given(NOTES)
def test_at_most_three_notes_are_given_in_order_of_importance(notes: list[str]) -> None:
    structure = render_within_budget(
        PagedBlocks([[(1, 2, None, None, None, None, None)]], notes).draft(), 60_000
    ).structure
    assert structure.get("notes", []) == [note for note in notes if note][:MAX_NOTES]


def test_the_note_about_a_row_too_large_displaces_the_least_important() -> None:
    row: Row = (1, 2, None, None, None, None, "я" * 2_000)
    notes = render_within_budget(PagedBlocks([[row]], ["first", "second", "third"]).draft(), 2_000).structure["notes"]
    assert TOO_LARGE in notes[0]
    assert notes[1:] == ["first", "second"]


def test_of_a_block_whose_first_row_is_too_large_that_row_is_shown_alone() -> None:
    block: Block = [(1, record_id, None, None, "ready", None, "я" * 2_000) for record_id in range(3)]
    structure = render_within_budget(PagedBlocks([block, block], splits=True).draft(), 2_000).structure
    assert [row[1] for row in structure["rows"]] == [0]
    assert structure["page"]["rows_of_first"] == 1
    assert TOO_LARGE in structure["notes"][0]


def test_an_answer_without_rows_has_only_what_it_needs() -> None:
    draft = AnswerDraft(
        asked={},
        columns=("call_id", "summary_length"),
        blocks=[],
        page=lambda _: {"complete": True},
        names=lambda _: {"agents": {}},
        timezone="Europe/Moscow",
        optional_columns=IF_ANY,
    )
    assert (
        render_within_budget(draft, 2_000).text
        == '{"asked":{},"page":{"returned":0,"complete":true},"columns":["call_id"],"rows":[]}'
    )


def test_an_answer_without_rows_but_with_a_call_names_the_zone_of_the_calls_time() -> None:
    draft = replace(PagedBlocks([]).draft(), call={"date": "2026-11-20", "talk_seconds": 0})
    structure = render_within_budget(draft, 2_000).structure
    assert structure["timezone"] == "Europe/Moscow"
    assert structure["call"] == {"date": "2026-11-20", "talk_seconds": 0}


@given(SINGLE_ROWS, BUDGETS)
@settings(deadline=None)
def test_pages_of_single_rows_together_are_the_whole_none_lost_or_repeated(blocks: list[Block], budget: int) -> None:
    book = PagedBlocks(blocks)
    rows: list[Row] = []
    start = 0
    while True:
        written = render_within_budget(book.draft(start), budget)
        assert written.structure["rows"] or not blocks
        rows += rejoin_rows(written)
        if "next_cursor" not in written.structure["page"]:
            assert written.structure["page"]["complete"] is True
            break
        start = int(written.structure["page"]["next_cursor"])
    assert rows == flat(blocks)


@given(MANY_ROWS, BUDGETS)
@settings(deadline=None)
def test_pages_of_blocks_together_are_the_whole_none_lost_or_repeated(blocks: list[Block], budget: int) -> None:
    rows: list[Row] = []
    left: list[Block] = list(blocks)
    while left:
        page = render_within_budget(PagedBlocks(left, splits=True).draft(), budget)
        rows += rejoin_rows(page)
        shown = page.structure["page"]
        rest: Block = left[0][shown["rows_of_first"] :] if "rows_of_first" in shown else []
        left = [rest, *left[1:]] if rest else left[shown["blocks"] :]
    assert rows == flat(blocks)


@given(MANY_ROWS.filter(bool), BUDGETS, st.booleans())
@settings(deadline=None)
def test_a_block_is_split_only_when_that_is_allowed_and_it_does_not_fit_alone(
    blocks: list[Block], budget: int, splits: bool
) -> None:
    written = render_within_budget(PagedBlocks(blocks, splits=splits).draft(), budget)
    shown = written.structure["page"]
    if "rows_of_first" in shown:
        assert splits
        alone = replace(PagedBlocks(blocks).draft(), blocks=blocks[:1])
        assert render_within_budget(alone, UNLIMITED).size > budget
        assert shown["blocks"] == 1
        assert rejoin_rows(written) == list(blocks[0][: shown["rows_of_first"]])
        assert 1 <= shown["rows_of_first"] < len(blocks[0])
    else:
        assert rejoin_rows(written) == flat(blocks[: shown["blocks"]])


@given(SINGLE_ROWS.filter(bool), BUDGETS)
@settings(deadline=None)
def test_one_row_more_would_not_have_fitted(blocks: list[Block], budget: int) -> None:
    draft = PagedBlocks(blocks).draft()
    count = render_within_budget(draft, budget).structure["page"]["blocks"]
    if count < len(blocks):
        larger = replace(draft, blocks=blocks[: count + 1])
        assert render_within_budget(larger, UNLIMITED).size > budget


@given(SINGLE_ROWS | MANY_ROWS, BUDGETS)
@settings(deadline=None)
def test_names_are_those_of_the_rows_shown(blocks: list[Block], budget: int) -> None:
    written = render_within_budget(PagedBlocks(blocks, splits=True).draft(), budget)
    agents = {str(row[3]) for row in rejoin_rows(written) if isinstance(row[3], int)}
    assert written.structure.get("names", {}).get("agents", {}).keys() == agents


@pytest.mark.parametrize("budget", [2_000, 9_500, 24_000, 60_000])
def test_a_page_of_many_rows_uses_its_budget(budget: int) -> None:
    text = "Клиент согласен на встречу в пятницу, бюджет десять миллионов. " * 3
    blocks: list[Block] = [[(7_000_000 + n, 9_000_000 + n, None, 456, "ready", None, text)] for n in range(400)]
    size = render_within_budget(PagedBlocks(blocks).draft(), budget).size
    assert budget - 500 < size <= budget, "a row is under 400 bytes"
