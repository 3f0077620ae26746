"""An archived answer and a live one are equal: in rows, totals, names, cursors, notes and `complete`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liner_mcp.archive.connection import Location
from liner_mcp.archive.spans import Span, moment
from liner_mcp.demo import Dataset
from tests.archive.questions import call_questions, entity_questions
from tests.archive.sessions import assert_equal, opened
from tests.conftest import NOW
from tests.support.archive import DAY, EVERYTHING, LAST_MIDNIGHT, fill

NOON = 43_200
YESTERDAY, DAYS_AGO_3 = LAST_MIDNIGHT - DAY, LAST_MIDNIGHT - 3 * DAY
COVERAGE: dict[str, Callable[[int], list[Span]]] = {
    "everything": lambda _: [EVERYTHING],
    "everything but the last day": lambda _: [Span(EVERYTHING.since, LAST_MIDNIGHT)],
    "two of three orders": lambda order_id: [] if order_id % 3 == 0 else [EVERYTHING],
    "holes": lambda order_id: [
        Span(EVERYTHING.since, DAYS_AGO_3 - order_id % 3 * DAY),
        Span(DAYS_AGO_3 + NOON, YESTERDAY),
        Span(YESTERDAY + NOON, YESTERDAY + NOON + 1),
    ],
    "nothing": lambda _: [],
}


@cache
def ten_days() -> Dataset:
    return Dataset.generate(now=NOW, days=10, calls=260)


def archive_of(path: Location, coverage: str) -> Location:
    spans = {order.id: COVERAGE[coverage](order.id) for order in ten_days().orders}
    return fill(path, ten_days(), spans)


@pytest.mark.anyio
@pytest.mark.parametrize(("coverage", "mode"), [*((one, "auto") for one in COVERAGE), ("holes", "legacy")])
async def test_archived_and_live_answers_are_equal(path: Location, coverage: str, mode: str) -> None:
    questions = [*call_questions(), *entity_questions(ten_days())]
    assert len(questions) > 60
    archive = archive_of(path, coverage)
    async with opened(ten_days(), mode) as (live, _), opened(ten_days(), mode, archive=archive) as (archived, _):
        for question in questions:
            await assert_equal(live, archived, question)


SECONDS = st.integers(LAST_MIDNIGHT - 10 * DAY, LAST_MIDNIGHT + NOON)
RANDOM_SPANS = st.lists(st.tuples(SECONDS, SECONDS).map(lambda ends: Span(*sorted(ends))), max_size=3)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "orders": st.lists(st.sampled_from([201, 202, 203, 205, 299]), min_size=1, max_size=3, unique=True),
        "agents": st.lists(st.sampled_from([101, 102, 105, "no agent"]), min_size=1, max_size=2, unique=True),
        "statuses": st.lists(st.sampled_from(["transferred", "no_answer", "new_unknown_code"]), min_size=1, max_size=2),
        "recorded": st.booleans(),
        "transferred": st.booleans(),
        "has_summary": st.booleans(),
        "mentions": st.sampled_from(["клиент", "ипотека | mortgage", "встреча -просмотр"]),
        "min_talk_seconds": st.integers(1, 200),
        "hours": st.sampled_from(["9-18", "22-6"]),
    },
)
TOOLS = st.sampled_from(
    [
        ("find_calls", {"limit": 7}),
        ("find_calls", {"include": ["summary", "lead_id"], "limit": 5}),
        ("find_calls", {"sort": "longest_talk", "limit": 100}),
        ("find_calls", {"sample": 4, "seed": "1"}),
        ("call_stats", {"group_by": ["agent"], "include": ["records"]}),
        ("call_stats", {"group_by": ["day", "order"]}),
    ]
)


def iso(second: int) -> str:
    return moment(second).isoformat()


@settings(max_examples=25)
@given(st.dictionaries(st.sampled_from([201, 202, 203, 204, 205, 206]), RANDOM_SPANS), SECONDS, SECONDS, FILTERS, TOOLS)
def test_random_questions_over_random_coverage_have_equal_answers(
    spans: dict[int, list[Span]], since: int, until: int, filters: dict[str, Any], tool: tuple[str, dict[str, Any]]
) -> None:
    window = {"since": iso(min(since, until)), "until": iso(max(since, until) + 1)}

    async def compare() -> None:
        with TemporaryDirectory() as folder:
            covered = {one: [span for span in some if not span.empty] for one, some in spans.items()}
            archive = fill(Path(folder) / "calls" / "calls.db", ten_days(), covered)
            async with opened(ten_days()) as (live, _), opened(ten_days(), archive=archive) as (archived, _):
                await assert_equal(live, archived, (tool[0], {**window, **filters, **tool[1]}), pages=2)

    anyio.run(compare)
