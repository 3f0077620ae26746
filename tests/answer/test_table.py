"""The answer's table: pure, so mostly properties over any rows, texts and budgets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liner_mcp.answer.table import (
    MAX_NOTES,
    MEMBER_ORDER,
    NEVER_FACTORED,
    Answer,
    AnswerSchema,
    Cell,
    Evidence,
    FullRecord,
    Members,
    Page,
    PageMembers,
    Row,
    page,
    render_within_budget,
    table,
)
from tests.support.context import rows_of


def evidence(*, left: bool) -> Evidence:
    return Evidence(left=left, missing=False, undecided=0, unknown=False)


ORDER = ("asked", "call", "page", "notes", "retry", "timezone", "names", "every_row", "columns", "rows")
COLUMNS = ("call_id", "record_id", "record_date", "agent_id", "summary_state", "summary_length", "summary")
IF_ANY = frozenset({"summary_length"})
UNLIMITED = 10**9
TOO_LARGE = "larger than the answer budget"

Block = Sequence[Row]
"""Rows that stay together on one page, such as the records of one call."""

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
    """Blocks to be read page by page, with a cursor that is the number of rows on the page."""

    blocks: Sequence[Block]
    notes: Sequence[str] = ()
    more: Members = field(default_factory=dict[str, object])

    @property
    def ends(self) -> list[int]:
        """The numbers of rows with which a block ends."""
        return list(accumulate(map(len, self.blocks)))

    def answer(self, budget: int) -> Answer:
        return render_within_budget(self.render, self.ends, budget)

    def size(self, count: int) -> int:
        """Bytes of an answer with exactly so many rows."""
        return render_within_budget(self.render, [count], UNLIMITED).size

    def render(self, count: int) -> Members:
        rows = flat(self.blocks)[:count]
        more = count < len(flat(self.blocks))
        return {
            "asked": {"calls": len(self.blocks)},
            "page": page(count, evidence(left=more), next_cursor=f"{count:06d}" if more else None),
            "names": {"agents": {str(row[3]): "Анна" for row in rows if isinstance(row[3], int)}},
            "timezone": "Europe/Moscow" if rows else "",
            "notes": self.notes,
            **table(COLUMNS, rows, IF_ANY),
            **self.more,
        }

    def after(self, count: int) -> PagedBlocks:
        """The blocks without the first `count` rows."""
        left: list[Block] = []
        for block in self.blocks:
            if count < len(block):
                left.append(block[count:])
            count = max(0, count - len(block))
        return PagedBlocks(left, self.notes, self.more)


def rejoin_rows(written: Answer) -> list[Row]:
    """The rows as they went in; a column that was left out is null throughout."""
    rows = rows_of(written)
    for row in rows:
        assert not row.keys() - set(COLUMNS)
        assert set(COLUMNS) - row.keys() <= IF_ANY
    return [tuple(row.get(name) for name in COLUMNS) for row in rows]


def flat(blocks: Sequence[Block]) -> list[Row]:
    return [row for block in blocks for row in block]


@given(SINGLE_ROWS | MANY_ROWS, BUDGETS, NOTES)
@settings(deadline=None)
def test_a_page_fits_the_budget_or_is_one_row(blocks: list[Block], budget: int, notes: list[str]) -> None:
    written = PagedBlocks(blocks, notes).answer(budget)
    if written.size > budget and blocks:
        assert len(written.structure["rows"]) == 1
    else:
        assert TOO_LARGE not in written.text


@pytest.mark.parametrize(
    ("row", "helps"),
    [
        ((1, 2, "2026-11-20", 456, "ready", None, "я" * 2_000), True),
        ((1, 2, "я" * 2_000, 456, "ready", None, "Да."), False),
        ((1, 2, "я" * 2_000, 456, "ready", None, "я" * 2_000), False),
        ((1, 2, "я" * 2_000, 456, "none", None, None), False),
    ],
)
def test_a_smaller_summary_chars_is_advised_only_where_the_row_would_then_fit(row: Row, helps: bool) -> None:
    written = PagedBlocks([[row], [row]]).answer(2_000)
    assert rejoin_rows(written) == [row]
    assert (TOO_LARGE in written.text) is helps


def test_a_table_without_summaries_never_advises_a_smaller_summary_chars() -> None:
    def render(count: int) -> Members:
        return {
            "asked": {},
            "page": page(count, evidence(left=True)),
            **table(("id", "name"), [(1, "я" * 2_000)] * count),
        }

    written = render_within_budget(render, [1, 2], 2_000)
    assert written.structure["rows"] == [[1, "я" * 2_000]]
    assert "notes" not in written.structure


@given(SINGLE_ROWS | MANY_ROWS, BUDGETS, NOTES)
@settings(deadline=None)
def test_the_text_is_the_structure_in_minified_utf_8(blocks: list[Block], budget: int, notes: list[str]) -> None:
    written = PagedBlocks(blocks, notes).answer(budget)
    assert written.text == json.dumps(written.structure, ensure_ascii=False, separators=(",", ":"))
    assert json.loads(written.text) == written.structure
    assert written.size == len(written.text.encode("utf-8"))


def test_letters_outside_ascii_are_never_escaped() -> None:
    row: Row = (1, 2, None, None, "ready", None, 'Клиент: "да" 👍')
    written = PagedBlocks([[row]], notes=["Заметка"]).answer(2_000)
    assert "\\u" not in written.text
    assert 'Клиент: \\"да\\" 👍' in written.text


@given(SINGLE_ROWS | MANY_ROWS)
@settings(deadline=None)
def test_rejoining_gives_back_the_rows_that_went_in(blocks: list[Block]) -> None:
    assert rejoin_rows(PagedBlocks(blocks).answer(UNLIMITED)) == flat(blocks)


@given(SINGLE_ROWS | MANY_ROWS, BUDGETS)
@settings(deadline=None)
def test_a_column_moves_to_every_row_exactly_when_two_or_more_rows_agree(blocks: list[Block], budget: int) -> None:
    written = PagedBlocks(blocks).answer(budget)
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
    structure = PagedBlocks([[row], [row]]).answer(2_000).structure
    assert structure["columns"] == ["call_id", "record_id", "summary"]
    assert structure["rows"] == [[1, 2, "То же самое."]] * 2
    assert structure["every_row"] == {"record_date": "2026-11-20", "agent_id": 456, "summary_state": "ready"}


def test_a_single_row_is_not_taken_apart() -> None:
    structure = PagedBlocks([[(1, 2, "2026-11-20", 456, "cut", 900, "Нач…")]]).answer(2_000).structure
    assert "every_row" not in structure
    assert structure["columns"] == list(COLUMNS)
    assert structure["rows"] == [[1, 2, "2026-11-20", 456, "cut", 900, "Нач…"]]


@given(SINGLE_ROWS | MANY_ROWS, BUDGETS, NOTES)
@settings(deadline=None)
def test_members_stand_in_the_promised_order_and_none_is_empty(
    blocks: list[Block], budget: int, notes: list[str]
) -> None:
    structure = PagedBlocks(blocks, notes).answer(budget).structure
    assert list(structure) == [name for name in ORDER if name in structure]
    assert {"asked", "page", "columns", "rows"} <= structure.keys()
    assert all(structure[name] for name in structure.keys() - {"asked", "columns", "rows"})
    assert all(structure.get("names", {}).values())
    assert structure["page"]["returned"] == len(structure["rows"])


def test_all_members_of_a_full_answer_stand_in_the_promised_order() -> None:
    row: Row = (1, 2, None, 456, "failed", None, None)
    more: Members = {"call": {"status": None}, "retry": [1]}
    assert tuple(PagedBlocks([[row], [row]], ["Один."], more).answer(2_000).structure) == ORDER


@given(NOTES)
def test_at_most_three_notes_are_given_in_order_of_importance(notes: list[str]) -> None:
    structure = PagedBlocks([[(1, 2, None, None, None, None, None)]], notes).answer(60_000).structure
    assert structure.get("notes", []) == [note for note in notes if note][:MAX_NOTES]


def test_the_note_about_a_row_too_large_displaces_the_least_important() -> None:
    row: Row = (1, 2, None, None, None, None, "я" * 2_000)
    notes = PagedBlocks([[row]], ["first", "second", "third"]).answer(2_000).structure["notes"]
    assert TOO_LARGE in notes[0]
    assert notes[1:] == ["first", "second"]


def test_of_a_block_whose_first_row_is_too_large_that_row_is_shown_alone() -> None:
    block: Block = [(1, record_id, None, None, "ready", None, "я" * 2_000) for record_id in range(3)]
    structure = PagedBlocks([block, block]).answer(2_000).structure
    assert [row[1] for row in structure["rows"]] == [0]
    assert structure["page"]["next_cursor"] == "000001"
    assert TOO_LARGE in structure["notes"][0]


def test_an_answer_without_rows_has_only_what_it_needs() -> None:
    written = PagedBlocks([], more={"names": {"agents": {}}, "call": {}, "retry": []}).answer(2_000)
    columns = '["call_id","record_id","record_date","agent_id","summary_state","summary"]'
    assert (
        written.text
        == '{"asked":{"calls":0},"page":{"returned":0,"complete":true},"columns":' + columns + ',"rows":[]}'
    )


def test_a_page_leaves_out_what_has_nothing_to_say_and_not_what_is_zero() -> None:
    assert page(0, evidence(left=True), total=None, scanned=0, changed=None) == {
        "returned": 0,
        "complete": False,
        "scanned": 0,
    }


@given(st.booleans(), st.booleans(), st.integers(0, 3), st.booleans())
def test_what_a_page_claims_follows_from_what_is_lacking(
    left: bool, missing: bool, undecided: int, unknown: bool
) -> None:
    lacking = Evidence(left=left, missing=missing, undecided=undecided, unknown=unknown)
    found = page(1, lacking, total=5, population=5, liner_total=9)
    assert found["complete"] is not (left or missing or undecided or unknown)
    counted = not (missing or undecided)
    assert ("total" in found, "population" in found, "liner_total" in found) == (counted, counted, True)
    assert found.get("undecided", 0) == undecided
    assert lacking.shows_all is (counted and not left)


def test_no_kind_of_evidence_can_be_forgotten() -> None:
    for name in ("left", "missing", "undecided", "unknown"):
        given = {one: 0 for one in ("left", "missing", "undecided", "unknown") if one != name}
        with pytest.raises(TypeError, match=name):
            Evidence(**given)  # pyright: ignore[reportArgumentType, reportCallIssue] - that is what is tested


@given(SINGLE_ROWS | MANY_ROWS, BUDGETS)
@settings(deadline=None)
def test_pages_together_are_the_whole_none_lost_or_repeated(blocks: list[Block], budget: int) -> None:
    left, rows = PagedBlocks(blocks), list[Row]()
    while True:
        written = left.answer(budget)
        assert written.structure["rows"] or not blocks
        rows += rejoin_rows(written)
        if "next_cursor" not in written.structure["page"]:
            assert written.structure["page"]["complete"] is True
            break
        left = left.after(int(written.structure["page"]["next_cursor"]))
    assert rows == flat(blocks)


@given(MANY_ROWS.filter(bool), BUDGETS)
@settings(deadline=None)
def test_a_block_is_split_only_when_it_does_not_fit_alone(blocks: list[Block], budget: int) -> None:
    book = PagedBlocks(blocks)
    written = book.answer(budget)
    count = written.structure["page"]["returned"]
    assert rejoin_rows(written) == flat(blocks)[:count]
    if count not in book.ends:
        assert 1 <= count < len(blocks[0])
        assert book.size(len(blocks[0])) > budget


@given(SINGLE_ROWS.filter(bool), BUDGETS)
@settings(deadline=None)
def test_one_row_more_would_not_have_fitted(blocks: list[Block], budget: int) -> None:
    book = PagedBlocks(blocks)
    count = book.answer(budget).structure["page"]["returned"]
    if count < len(blocks):
        assert book.size(count + 1) > budget


@given(SINGLE_ROWS | MANY_ROWS, BUDGETS)
@settings(deadline=None)
def test_names_are_those_of_the_rows_shown(blocks: list[Block], budget: int) -> None:
    written = PagedBlocks(blocks).answer(budget)
    agents = {str(row[3]) for row in rejoin_rows(written) if isinstance(row[3], int)}
    assert written.structure.get("names", {}).get("agents", {}).keys() == agents


@pytest.mark.parametrize("budget", [2_000, 9_500, 24_000, 60_000])
def test_a_page_of_many_rows_uses_its_budget(budget: int) -> None:
    text = "Клиент согласен на встречу в пятницу, бюджет десять миллионов. " * 3
    blocks: list[Block] = [[(7_000_000 + n, 9_000_000 + n, None, 456, "ready", None, text)] for n in range(400)]
    size = PagedBlocks(blocks).answer(budget).size
    assert budget - 500 < size <= budget, "a row is under 400 bytes"


def test_every_member_of_an_answer_has_its_place_in_the_order_and_of_a_page_its_argument() -> None:
    assert {*AnswerSchema.__annotations__, *FullRecord.__annotations__} == set(MEMBER_ORDER)
    own = {"returned", "complete", "undecided", "archived_until", "synced_at", "forgotten"}
    assert PageMembers.__annotations__.keys() | own == Page.__annotations__.keys()
