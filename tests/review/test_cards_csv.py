"""The table for spreadsheets: its rows, and that no cell can begin with a formula, whichever separator cuts it."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.review.cards_csv import COLUMNS, render_csv
from liner_mcp.review.scorecard import Recording, Scorecard
from tests.review.cards import SUMMARY, card, quote, verdict

SIGNS = "=+-@＝＋－＠"


def rows(*cards: Scorecard) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(render_csv(cards), newline="")))


def dangerous(text: str) -> list[str]:
    """The cells that begin with a sign of a formula, behind what spreadsheets skip, when a separator cuts the text."""
    return [
        cell
        for separator in ",;\t"
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        for cell in line
        if cell.strip(" \"'\t\r\n").startswith(tuple(SIGNS)) and not cell.lstrip(' "').startswith("'")
    ]


def test_there_is_a_row_per_call_and_criterion_and_one_for_a_call_without_verdicts() -> None:
    quotes = [quote(), quote("12 million", record_id=10)]
    table = rows(
        card(1, {"a": verdict("a", "yes", quotes=quotes, weight=3, fatal=True), "b": "not_mentioned"}), card(2)
    )
    assert list(table[0]) == list(COLUMNS)
    assert [(row["call_id"], row["criterion"], row["verdict"]) for row in table] == [
        ("1", "a", "yes"),
        ("1", "b", "not_mentioned"),
        ("2", "", ""),
    ]
    assert (table[0]["quote"], table[0]["sentence"]) == ("agrees to the transfer … 12 million", SUMMARY)
    assert (table[0]["record_id"], table[0]["weight"], table[0]["fatal"], table[1]["fatal"]) == (
        "9, 10",
        "3",
        "yes",
        "no",
    )
    assert (table[2]["state"], table[2]["reason"], table[2]["score"]) == ("not_judged", "The model did not answer.", "")


def test_a_review_without_a_model_has_the_summaries() -> None:
    recordings = [
        Recording(record_id=number, seconds=5, transfer=None, summary_state="ready", summary=text)
        for number, text in ((1, "First\nline."), (2, "Second."))
    ]
    (row,) = rows(card(1, recordings=recordings, rubric=None, model=None))
    assert row["summary"] == "First line. … Second."


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "＝1+1",
        "＠SUM(A1)",
        "\t=1",
        "\r=1",
        ' "=1"',
        "Yes;=cmd|'/c calc'!A0;",
        "Yes, =1",
        'Yes;"=1"',
        "Yes\n=1",
        "Yes;\n=1",
        "Yes;\u200b=1",
        "Yes\t-1",
        "(=1",
    ],
)
def test_no_cell_begins_with_a_formula_whichever_separator_cuts_it(text: str) -> None:
    judged = verdict("a", "yes", quotes=[quote(text, sentence=text)], note=text, question=text)
    table = render_csv([card(1, {"a": judged}, agent=text, order=text, status=text), card(2, reason=text)])
    assert dangerous(table) == []
    assert len(table.splitlines()) == 3


def test_the_comparison_notices_a_formula() -> None:
    assert dangerous("a,=1\r\n")
    assert dangerous('a,"b; =1"\r\n')
    assert dangerous('a,"b;\'=1"\r\n') == []


@given(st.text(st.sampled_from([*SIGNS, *",;\t\r\n|\"' aя1(\u2028\u200b"]), max_size=12))
def test_no_text_makes_a_formula_or_another_line(text: str) -> None:
    table = render_csv([card(1, {"a": verdict("a", "yes", quotes=[quote(text, sentence=text)])}, agent=text)])
    assert dangerous(table) == []
    assert len(table.split("\r\n")) == 3


def test_harmless_texts_and_numbers_stay_as_they_are() -> None:
    (row,) = rows(card(1, {"a": "yes"}, agent="Анна-Мария, 12 = 12; да", score=66.7))
    assert (row["agent"], row["score"], row["talk_seconds"]) == ("Анна-Мария, 12 = 12; да", "67", "61")
