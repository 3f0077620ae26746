"""`docs/reliability.md` cannot drift: its faults are the code's, its figures are the committed ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from liner_mcp.demo import FAULTS
from liner_mcp.liner.retries import RetryPolicy
from liner_mcp.liner.wire import MAX_BODY_BYTES, MAX_REDIRECTS, REQUEST_SECONDS
from liner_mcp.settings import Settings
from tests.benchmarks.soak import KEPT
from tests.fire.cases import ALWAYS, CASES, OPEN, OPTIONS
from tests.fire.scene import make_scene

DOCUMENT = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text(encoding="utf-8")
FIGURES: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
WORDS = {
    "right": "a right answer",
    "a sentence": "one sentence",
    "right or told": "right, partial and told, or one sentence",
}
LABELS = {
    "questions": "calls",
    "at once": "at_once",
    "right answers": "right",
    "partial and told": "partial",
    "one sentence": "sentence",
    "hanging": "hangs",
    "requests to Liner": "liner_requests",
    "of them spoilt": "spoilt_requests",
    "memory when warm, MB": "memory_warm_mb",
    "memory at the end, MB": "memory_end_mb",
    "growth, MB": "memory_grown_mb",
    "Python": "python",
}


def table(head: str) -> list[list[str]]:
    lines = DOCUMENT.split(f"| {head} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_has_a_row_for_every_fault_and_every_open_question() -> None:
    assert [row[0] for row in table("Liner")] == [*FAULTS, *OPTIONS]


def test_the_table_promises_what_the_matrix_demands() -> None:
    demanded = {case.name: WORDS[case.outcome] for case in (*ALWAYS, *OPEN)}
    for name, promised, _ in table("Liner"):
        assert promised == demanded[name], name


@pytest.mark.anyio
async def test_the_size_of_the_matrix_is_told() -> None:
    questions = len((await make_scene()).questions)
    assert f"asks {questions} questions" in DOCUMENT
    assert f"each of {len(CASES)} cases" in DOCUMENT
    assert f"Each of the {len(CASES) * questions:,} answers" in DOCUMENT


def test_the_limits_are_those_of_the_code() -> None:
    deadline = Settings.model_fields["deadline_seconds"].default
    assert f"`LINER_DEADLINE_SECONDS`, {deadline} seconds" in DOCUMENT
    assert f"one request may take {REQUEST_SECONDS:.0f} s" in DOCUMENT
    assert f"stops at {MAX_BODY_BYTES // 1_000_000} MB" in DOCUMENT
    assert (RetryPolicy(lambda _: 0.0).attempts, MAX_REDIRECTS) == (4, 3)  # "three more tries", "three redirects"


def test_the_soaks_figures_are_the_committed_ones() -> None:
    shown = {LABELS.get(label, label): value for label, value in table("Soak")}
    kept = {name: f"{value:,}" if isinstance(value, (int, float)) else value for name, value in FIGURES.items()}
    assert shown == kept


def test_the_committed_soak_met_its_bars() -> None:
    assert FIGURES["calls"] >= 2_000
    assert FIGURES["at_once"] == 8
    assert (FIGURES["wrong"], FIGURES["hangs"]) == (0, 0)
    assert FIGURES["right"] + FIGURES["partial"] + FIGURES["sentence"] == FIGURES["calls"]
    assert FIGURES["memory_grown_mb"] <= 10
    assert 0.08 <= FIGURES["spoilt_requests"] / FIGURES["liner_requests"] <= 0.12
