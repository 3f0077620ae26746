"""`docs/reliability.md` cannot drift: its faults and its limits are the code's."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks.results import stored
from liner_mcp.liner.cache import CACHE_MAX_BYTES, CACHE_TTL_SECONDS, SETTLED_AFTER
from liner_mcp.liner.circuit_breaker import FAILING_SECONDS, OPEN_SECONDS, TARGETS_TO_OPEN
from liner_mcp.liner.retry import RetryPolicy
from liner_mcp.liner.throttle import MAX_PAUSE_SECONDS
from liner_mcp.liner.transport import MAX_BODY_BYTES, MAX_REDIRECTS, REQUEST_TIMEOUT_SECONDS
from liner_mcp.names.directory import DIRECTORY_TTL_SECONDS, LOOKUP_TTL_SECONDS, WHOLE_TTL_SECONDS
from liner_mcp.settings import Settings
from tests.fakes import FAULTS
from tests.fault_matrix.cases import CASES, DEVIATING, OPTIONS, PERMANENT, UNDOCUMENTED_VARIANTS
from tests.fault_matrix.scenario import make_scenario

DOCUMENT = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text(encoding="utf-8")
FIGURES: dict[str, Any] = stored()["soak"]
WORDS = {
    "right": "a right answer",
    "a sentence": "one sentence",
    "right or told": "right, partial and says so, or one sentence",
}


def table(head: str) -> list[list[str]]:
    lines = DOCUMENT.split(f"| {head} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_has_a_row_for_every_fault_and_every_open_question() -> None:
    assert [row[0] for row in table("Liner")] == [*FAULTS, *OPTIONS, *DEVIATING]


def test_the_table_promises_what_the_matrix_demands() -> None:
    demanded = {case.name: WORDS[case.outcome] for case in (*PERMANENT, *UNDOCUMENTED_VARIANTS)}
    for kind, cases in DEVIATING.items():
        right = all(case.outcome == "right" for case in cases)
        demanded[kind] = WORDS["right" if right else "right or told"]
    for name, promised, _ in table("Liner"):
        assert promised == demanded[name], name


@pytest.mark.anyio
async def test_the_size_of_the_matrix_is_told() -> None:
    questions = len((await make_scenario()).requests)
    assert f"asks {questions} questions" in DOCUMENT
    assert f"each of {len(CASES)} cases" in DOCUMENT
    assert f"Each of the {len(CASES) * questions:,} answers" in DOCUMENT


def test_the_limits_are_those_of_the_code() -> None:
    deadline = Settings.model_fields["deadline_seconds"].default
    assert f"`LINER_DEADLINE_SECONDS`, {deadline} seconds" in DOCUMENT
    assert f"one request may take {REQUEST_TIMEOUT_SECONDS:.0f} s" in DOCUMENT
    assert f"stops at {MAX_BODY_BYTES // 1_000_000} MB" in DOCUMENT
    assert (RetryPolicy(lambda _: 0.0).attempts, MAX_REDIRECTS) == (4, 3)  # "three more tries", "three redirects"


def test_the_rules_of_load_are_those_of_the_code() -> None:
    told = {row[0]: row[1] for row in table("Load")}
    assert MAX_PAUSE_SECONDS == 60  # "a minute at most"
    opens = f"{TARGETS_TO_OPEN} different targets have failed in a row, over at least {FAILING_SECONDS:.0f} s"
    assert opens in told["Liner is down, over HTTP"]
    assert f"every {OPEN_SECONDS:.0f} s one request is tried" in told["Liner is down, over HTTP"]
    kept = told["the same call or record again"]
    assert timedelta(hours=1) == SETTLED_AFTER  # "over an hour old"
    assert CACHE_TTL_SECONDS == DIRECTORY_TTL_SECONDS == 300  # "names as long"
    assert f"orders for {WHOLE_TTL_SECONDS:.0f} s, and {LOOKUP_TTL_SECONDS:.0f} s where" in kept
    assert f"{CACHE_TTL_SECONDS / 60:.0f} minutes, in {CACHE_MAX_BYTES // 1_000_000} MB at most" in kept


def test_the_committed_soak_met_its_bars() -> None:
    assert FIGURES["calls"] >= 2_000
    assert FIGURES["at_once"] == 8
    assert (FIGURES["wrong"], FIGURES["hangs"]) == (0, 0)
    assert FIGURES["right"] + FIGURES["partial"] + FIGURES["sentence"] == FIGURES["calls"]
    assert FIGURES["memory_grown_mb"] <= 10
    assert 0.08 <= FIGURES["faulty_requests"] / FIGURES["liner_requests"] <= 0.12
