"""Counts that the archive's database makes are those that are made of Liner's rows."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from liner_mcp.archive.connection import Location
from liner_mcp.archive.counts import ArchivedCounts
from liner_mcp.archive.database import Database
from liner_mcp.archive.spans import Span
from liner_mcp.calls.archived_counts import spans_by_clock
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.call_stats import call_stats
from liner_mcp.context import AppContext
from liner_mcp.demo import Dataset
from liner_mcp.liner.restricted_client import Access
from liner_mcp.timezone import Zone
from tests.conftest import NOW
from tests.fakes.fake_liner import FakeLiner
from tests.support.archive import DAY, EVERYTHING, LAST_MIDNIGHT, SOURCE, fill
from tests.support.context import MAX_BUDGET, context_for

pytestmark = pytest.mark.anyio

LAST_WEEK = Span(LAST_MIDNIGHT - 7 * DAY, LAST_MIDNIGHT)
COVERAGE: Mapping[str, Sequence[Span]] = {
    "everything": [EVERYTHING],
    "all but the last day": [Span(EVERYTHING.since, LAST_MIDNIGHT)],
    "with a hole": [Span(EVERYTHING.since, LAST_MIDNIGHT - 5 * DAY), Span(LAST_MIDNIGHT - 2 * DAY, LAST_MIDNIGHT)],
}
WORDS = ["ипотека", "ипотека | рассрочка", '"первый взнос"', "квартира -ипотека", "-ипотека", "2", "viewing | просмотр"]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    found = Dataset.generate(now=NOW, days=20, calls=400)
    # A call that says it is recorded and has no recording yet, and one of a deleted agent without anything.
    found.add_call(has_records=True)
    found.add_call(agent=None, talk_time_duration_seconds=0)
    return found


@asynccontextmanager
async def database(path: Location) -> AsyncGenerator[Database]:
    found = Database(path, SOURCE)
    yield found
    found.close()


def question(draw: random.Random, dataset: Dataset) -> tuple[CallQuery, dict[str, Any]]:
    """A question that an archive may answer, drawn at random."""

    def some(value: Any, chance: float = 0.2) -> Any:
        return value if draw.random() < chance else None

    days = draw.randrange(1, 15)
    since = NOW - timedelta(days=days, seconds=draw.randrange(DAY))
    until = min(since + timedelta(seconds=draw.randrange(60, 12 * DAY)), NOW)
    agents: list[int | str] = [draw.choice(dataset.agents).id, "no agent"]
    query = CallQuery(
        since=f"{since:%Y-%m-%dT%H:%M:%SZ}",
        until=f"{until:%Y-%m-%dT%H:%M:%SZ}",
        hours=some(draw.choice(["9-18", "22-6", "0-1"])),
        orders=some(tuple(one.id for one in draw.sample(dataset.orders, 2)), 0.4) or (),
        agents=some(tuple(draw.sample(agents, draw.choice([1, 2])))) or (),
        statuses=some((draw.choice(dataset.call_statuses).id,)) or (),
        direction=some(draw.choice(["incoming", "outgoing"])),
        min_talk_seconds=some(draw.choice([1, 30, 60])),
        max_talk_seconds=some(draw.choice([90, 600])),
        recorded=some(draw.choice([True, False])),
        transferred=some(draw.choice([True, False])),
        has_summary=some(draw.choice([True, False])),
        mentions=some(draw.choice(WORDS), 0.4),
        hung_up_by=some(draw.choice(["client", "operator", "system"])),
    )
    groupings = ["agent", "order", "status", "lead", "day", "hour", "weekday", "hung_up_by"]
    counted = ["records", "transfers", "without_summary", *(["matches"] if query.mentions else []), "share"]
    shape = {
        "group_by": draw.sample(groupings, draw.choice([0, 1, 1, 2])),
        "include": draw.sample(counted, draw.choice([0, 0, 2])),
    }
    return query, shape


@pytest.mark.parametrize("covered", COVERAGE)
async def test_an_archive_counts_what_liner_would_show(covered: str, dataset: Dataset, path: Location) -> None:
    fill(path, dataset, {order.id: COVERAGE[covered] for order in dataset.orders})
    draw = random.Random(covered)  # noqa: S311 - draws questions
    counted = 0
    async with context_for(FakeLiner(dataset)) as live, database(path) as opened:
        archived = replace(live, archive=ArchivedCounts(opened, Access()))
        for _ in range(60):
            query, shape = question(draw, dataset)
            answers = [await _answer(context, query, shape) for context in (live, archived)]
            assert answers[0] == answers[1], (query, shape)
            counted += answers[0]["totals"]["calls"] > 0
    assert counted > 20  # most questions are about some calls


async def _answer(context: AppContext, query: CallQuery, shape: Mapping[str, Any]) -> dict[str, Any]:
    """What an archive must not change. Liner's own count is Liner's, and a search looks at fewer calls."""
    answer = dict((await call_stats(context, query, **shape, budget=MAX_BUDGET)).structure)
    answer["page"] = {
        name: value for name, value in answer["page"].items() if name not in ("liner_total", "examined", "searched")
    }
    return answer


async def test_counts_of_a_whole_archive_need_no_request_for_calls(dataset: Dataset, path: Location) -> None:
    fill(path, dataset)
    liner = FakeLiner(dataset)
    async with context_for(liner) as live, database(path) as opened:
        archived = replace(live, archive=ArchivedCounts(opened, Access()))
        query = CallQuery(since="2026-11-01", until="2026-11-10", mentions="ипотека", transferred=False)
        await _answer(archived, query, {"group_by": ["agent"], "include": ["matches"]})
    assert not liner.count("/call/list")


async def test_a_caller_gets_the_counts_of_what_it_may_see(dataset: Dataset, path: Location) -> None:
    fill(path, dataset)
    order, agent = dataset.orders[0].id, dataset.agents[0].id
    async with context_for(FakeLiner(dataset)) as live, database(path) as opened:
        rules = Access(orders=frozenset({order}), agents=frozenset({agent}))
        archived = replace(live, archive=ArchivedCounts(opened, rules))
        restricted = await _answer(archived, CallQuery(since="2026-11-05", until="2026-11-19"), {"group_by": ["order"]})
        named = CallQuery(since="2026-11-05", until="2026-11-19", orders=(order,), agents=(agent,))
        whole = await _answer(live, named, {"group_by": ["order"]})
    assert restricted["totals"] == whole["totals"]
    assert restricted["rows"] == whole["rows"]


def test_a_span_is_parted_where_clocks_change() -> None:
    zone = Zone.resolve("Europe/Berlin")
    since, change = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)
    whole = Span(int(since.timestamp()), int(since.timestamp()) + 60 * DAY)
    assert spans_by_clock(whole, zone) == [
        (Span(whole.since, int(change.timestamp())), 7_200),
        (Span(int(change.timestamp()), whole.until), 3_600),
    ]


def test_a_span_without_a_change_of_clocks_is_one_part() -> None:
    whole = Span(int(NOW.timestamp()), int(NOW.timestamp()) + 5)
    assert spans_by_clock(whole, Zone.resolve("Asia/Kolkata")) == [(whole, 19_800)]
