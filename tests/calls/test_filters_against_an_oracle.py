"""Random filters over random calls and records: all tools agree with an oracle that shares no code with the filters."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liner_mcp.calls import collected_calls, parallel_reader, window_reader
from liner_mcp.calls.arguments import FILTERS, CallQuery
from liner_mcp.calls.call_stats import call_stats
from liner_mcp.calls.longest_calls import longest_calls
from liner_mcp.calls.sample_calls import sample_calls
from liner_mcp.context import AppContext
from liner_mcp.demo import Call, Dataset, DemoLiner
from liner_mcp.demo.entities import Record
from liner_mcp.demo.generation import History
from liner_mcp.liner.restricted_client import Access, RestrictedClient
from liner_mcp.names.directory import Directory
from tests.calls.support import context_at, find_all_pages, ids_of, newest_first, page_of
from tests.conftest import NOW
from tests.support.context import MAX_BUDGET, AlteredLiner, rows_of
from tests.support.expected_stats import MOSCOW

ORDERS, AGENTS, LEADS = (201, 202, 203), (101, 102, 103), (1, 2, 3)
HOURS = {"9-18": range(9, 18), "18-24": range(18, 24), "21-4": (21, 22, 23, 0, 1, 2, 3)}
STATUS_IDS = {"no_answer": 53, "qualified": 51, "transferred_to_sales": 57}
SINCE = (NOW - timedelta(days=1)).isoformat()
UNKNOWN = cast("Any", None)  # what Liner sends as null; the demo's own types have none
NO_SUMMARY = None

# What summaries say, and what queries mean, by hand.
SUMMARIES: dict[str | None, set[str]] = {
    NO_SUMMARY: set(),
    "Клиент берёт ипотеку, деньги есть.": {"ипотека", "деньги"},
    "Ребёнок пойдёт в школу. Нужна ипотека и рассрочка.": {"ребёнок", "ипотека", "рассрочка", "ипотека и рассрочка"},
    "The client asks about a viewing; дети взрослые.": {"viewing", "ребёнок"},
    "Не дозвонились.": set(),
}
QUERIES: dict[str, tuple[Callable[[set[str]], bool], set[str]]] = {
    "ипотекой": (lambda said: "ипотека" in said, set()),
    "детей": (lambda said: "ребёнок" in said, set()),
    "ИПОТЕКИ рассрочку": (lambda said: {"ипотека", "рассрочка"} <= said, set()),
    "viewings | рассрочками": (lambda said: bool(said & {"viewing", "рассрочка"}), set()),
    '"ипотекой и рассрочкой"': (lambda said: "ипотека и рассрочка" in said, set()),
    '"рассрочка и ипотека"': (lambda _: False, set()),
    "ипотека -рассрочка": (lambda said: "ипотека" in said, {"рассрочка"}),
    "-ипотека": (lambda _: True, {"ипотека"}),
    "рассрочка деньги": (lambda _: False, set()),
}

Verdict = bool | None


@dataclass(frozen=True)
class Case:
    """Calls with their records, what goes wrong with the lists of records, who asks, and the filters."""

    dataset: Dataset
    refused: frozenset[int]  # calls whose list of records Liner refuses
    short: frozenset[int]  # calls of which Liner counts one record more than it lists
    access: Access
    filters: dict[str, Any]
    limit: int
    budget: int
    include: tuple[str, ...] = ()

    def liner(self) -> AlteredLiner[DemoLiner]:
        return AlteredLiner(
            DemoLiner(self.dataset),
            status_by_pattern={rf"callId={one}\b": 422 for one in self.refused},
            change_by_pattern={
                rf"callId={one}\b": lambda data: {**data, "total": data["total"] + 1} for one in self.short
            },
        )

    def verdict(self, call: Call) -> Verdict:
        """Whether the filters mean this call; None where Liner does not say enough."""
        wanted = self.filters
        talk = call.talk_time_duration_seconds
        hour = call.created_at.astimezone(MOSCOW).hour
        plain = {
            "hours": lambda: hour in HOURS[wanted["hours"]],
            "orders": lambda: call.order_id in wanted["orders"],
            "leads": lambda: call.lead_id in wanted["leads"],
            "agents": lambda: (call.user_id or "no agent") in wanted["agents"],
            "statuses": lambda: STATUS_IDS.get(call.status_code) in wanted["statuses"],
            "direction": lambda: call.direction == wanted["direction"],
            "min_talk_seconds": lambda: talk >= wanted["min_talk_seconds"],
            "max_talk_seconds": lambda: talk <= wanted["max_talk_seconds"],
            "recorded": lambda: (call.has_records is True) == wanted["recorded"],
            "hung_up_by": lambda: call.finish_initiator == wanted["hung_up_by"],
        }
        unknown = "recorded" in wanted and call.has_records is UNKNOWN
        if not all(check() for name, check in plain.items() if name in wanted and not (unknown and name == "recorded")):
            return False
        if unknown:
            return None
        verdicts = {self.by_recordings(call, name, value) for name, value in wanted.items()}
        return False if False in verdicts else None if None in verdicts else True

    def by_recordings(self, call: Call, name: str, value: Any) -> Verdict:
        records = self.dataset.records_of(call.id)
        unread = call.has_records is not False and (call.id in self.refused or not records)
        if name not in ("transferred", "has_summary", "mentions"):
            return True
        if unread:
            return None
        whole = call.has_records is False or call.id not in self.short
        if call.has_records is False:
            records = []
        if name == "transferred":
            found = some([UNKNOWN if one.is_transfer is UNKNOWN else one.is_transfer for one in records], whole=whole)
            return None if found is None else found == value
        if name == "has_summary":
            lacking = some([one.summary is NO_SUMMARY for one in records], whole=whole)
            if value and not records and lacking is False:
                return False
            return None if lacking is None else lacking != value
        wanted, unwanted = QUERIES[value]
        said = [SUMMARIES[one.summary] for one in records if one.summary is not NO_SUMMARY]
        verdicts = {some([wanted(one) for one in said], whole=whole)}
        spoilt = some([bool(one & unwanted) for one in said], whole=whole)
        verdicts.add(None if spoilt is None else not spoilt)
        return False if False in verdicts else None if None in verdicts else True

    def is_unreadable(self, call: Call) -> bool:
        """Whether it is unknown whether a call has recordings."""
        unsaid = call.has_records is UNKNOWN and not self.dataset.records_of(call.id)
        return call.has_records is not False and (call.id in self.refused or unsaid)

    def is_unknown(self, call: Call) -> bool:
        """Whether rows with recordings cannot show all of them."""
        return call.has_records is not False and (
            call.id in self.refused or call.id in self.short or not self.dataset.records_of(call.id)
        )

    def ids(self, verdict: Verdict) -> list[int]:
        """The calls of one verdict that the caller may see, newest first."""
        return newest_first(
            call
            for call in self.dataset.calls.values()
            if (self.access.orders is None or call.order_id in self.access.orders)
            and (self.access.agents is None or call.user_id in self.access.agents)
            and self.verdict(call) is verdict
        )

    def record_ids(self, call_id: int) -> list[int | None]:
        """The records that rows of a call show."""
        call = self.dataset.calls[call_id]
        records = self.dataset.records_of(call_id)
        if call.has_records is False or call_id in self.refused or not records:
            return [None]
        return [record.id for record in sorted(records, key=lambda one: (one.created_at, one.id))]

    @property
    def local_filters(self) -> set[str]:
        """What Liner has no parameter for; of orders and leads it takes one. It cannot be asked for no agent."""
        listed_by = "leads" if "leads" in self.filters else "orders"
        agents = set[str]() if "no agent" in self.filters.get("agents", ()) else {"agents"}
        return set(self.filters) - {listed_by, "statuses"} - agents


def some(found: list[bool], *, whole: bool) -> Verdict:
    """Whether one of them is true; None where an unknown one may be."""
    return True if True in found else False if whole and UNKNOWN not in found else None


def draw_case(seed: int) -> Case:
    rng = random.Random(seed)  # noqa: S311 - repeatable fake
    calls: dict[int, Call] = {}
    records: dict[int, Record] = {}
    for call_id in range(7_000_001, 7_000_001 + rng.choice([0, 12, 30])):
        talk = rng.choice([0, 5, 60])
        at = NOW - timedelta(seconds=rng.randrange(1, 80_000))
        number = rng.choice([0, 0, 1, 2])
        calls[call_id] = call = Call(
            id=call_id,
            order_id=rng.choice(ORDERS),
            lead_id=rng.choice(LEADS),
            user_id=rng.choice([None, *AGENTS]),
            status_code=rng.choice([*STATUS_IDS, "unknown_code"]),
            created_at=at,
            client_phone="+79160000000",
            sip_endpoint_id=401,
            direction=rng.choice(["incoming", "outgoing"]),
            finish_initiator=rng.choice([None, "client", "operator", "system"]),
            total_duration_seconds=talk,
            wait_time_duration_seconds=0,
            talk_time_duration_seconds=talk,
            is_predictive=False,
            has_records=rng.choice([True, True, UNKNOWN]) if number else rng.choice([False, False, True, UNKNOWN]),
        )
        for record_id in range(10 * call_id, 10 * call_id + number):
            transfer = rng.choice([True, False, False, UNKNOWN])
            summary = rng.choice(list(SUMMARIES))
            records[record_id] = Record(record_id, call_id, call.user_id, call.lead_id, transfer, 10, summary, at)
    possible: dict[str, Any] = {
        "hours": rng.choice(list(HOURS)),
        "orders": tuple(rng.sample(ORDERS, 2)),
        "leads": tuple(rng.sample(LEADS, 2)),
        "agents": tuple(rng.sample([*AGENTS, "no agent"], rng.choice([1, 2]))),
        "statuses": tuple(rng.sample(list(STATUS_IDS.values()), 2)),
        "direction": rng.choice(["incoming", "outgoing"]),
        "min_talk_seconds": rng.choice([0, 5]),
        "max_talk_seconds": rng.choice([5, 60]),
        "recorded": rng.random() < 0.7,
        "hung_up_by": rng.choice(["client", "operator"]),
    }
    filters = {name: possible[name] for name in rng.sample(sorted(possible), rng.choice([0, 1, 1, 2, 3]))}
    if rng.random() < 0.4:
        filters["transferred"] = rng.random() < 0.5
    if rng.random() < 0.3:
        filters["has_summary"] = rng.random() < 0.5
    if rng.random() < 0.5:
        filters["mentions"] = rng.choice(list(QUERIES))
    restricted = rng.random() < 0.5 and "leads" not in filters
    return Case(
        Dataset(NOW, History(calls=calls, records=records)),
        frozenset(one for one in calls if rng.random() < 0.15),
        frozenset(one for one in calls if rng.random() < 0.15),
        Access(
            rng.choice([None, frozenset(ORDERS[:2])]) if restricted else None,
            rng.choice([None, frozenset(AGENTS[:2])]) if restricted else None,
        ),
        filters,
        rng.choice([1, 3, 50]),
        rng.choice([1_200, MAX_BUDGET]),
        rng.choice([(), (), ("records",), ("summary",), ("lead_id", "records", "summary")]),
    )


@asynccontextmanager
async def context_of(case: Case) -> AsyncGenerator[AppContext]:
    async with context_at(case.liner()) as context:
        if case.access.unrestricted:
            yield context
        else:
            restricted = RestrictedClient(context.liner, case.access)
            yield replace(context, liner=restricted, directory=Directory(restricted))


async def compare(case: Case) -> None:
    expected, undecided = case.ids(True), case.ids(None)
    asked: dict[str, Any] = {"since": SINCE, **case.filters}
    async with context_of(case) as context:
        pages = await find_all_pages(context, limit=case.limit, budget=case.budget, include=case.include, **asked)
        longest = await longest_calls(context, CallQuery(**asked), include=case.include, limit=200, budget=MAX_BUDGET)
        stats = await call_stats(context, CallQuery(**asked), group_by=["order"], budget=MAX_BUDGET)
        sample = await sample_calls(
            context, CallQuery(**asked), include=(), sample=100, seed="1", cursor=None, budget=MAX_BUDGET
        )

    calls = case.dataset.calls
    failed = [one for one in expected if case.include and case.is_unreadable(calls[one])]
    assert list(dict.fromkeys(ids_of(pages))) == expected
    assert sorted({one for page in pages for one in page.structure.get("retry", [])}) == sorted([*undecided, *failed])
    assert sum(page_of(page).get("undecided", 0) for page in pages) == len(undecided)
    unknown = {one for one in expected if case.include and case.is_unknown(calls[one])}
    assert page_of(pages[-1])["complete"] is not bool(undecided or unknown & set(ids_of(pages[-1])))
    assert page_of(pages[-1]).get("total") == (None if undecided else len(expected))
    rows = [row for page in pages for row in rows_of(page)]
    if "summary" in case.include:
        assert [(row["call_id"], row["record_id"]) for row in rows] == [
            (one, record) for one in expected for record in case.record_ids(one)
        ]
    if "records" in case.include:
        counts = {row["call_id"]: row["records"] for row in rows}
        assert counts == {
            one: None if one in unknown else sum(record is not None for record in case.record_ids(one))
            for one in expected
        }

    by_talk = sorted(expected, key=lambda one: (calls[one].talk_time_duration_seconds, calls[one].created_at, one))
    assert list(dict.fromkeys(ids_of(longest))) == by_talk[::-1]
    assert page_of(longest)["complete"] is not bool(undecided or unknown)
    assert page_of(longest).get("total") == (None if undecided else len(expected))
    assert sorted(longest.structure.get("retry", [])) == sorted([*undecided, *failed])

    assert stats.structure["totals"]["calls"] == (None if undecided and not expected else len(expected))
    assert stats.structure.get("retry", []) == undecided

    recorded = case if "recorded" in case.filters else replace(case, filters={**case.filters, "recorded": True})
    assert set(ids_of(sample)) == set(recorded.ids(True))
    assert sample.structure.get("retry", []) == recorded.ids(None)
    assert page_of(sample).get("population") == (None if recorded.ids(None) else len(recorded.ids(True)))

    for answer, left_out in ((pages[0], None), (stats, undecided), (sample, recorded.ids(None))):
        local = recorded.local_filters if answer is sample else case.local_filters
        assert set(page_of(answer).get("local_filters", [])) == local
        if left_out is not None:
            assert page_of(answer).get("undecided", 0) == len(left_out)
            # A count of recorded calls is unknown where Liner does not say which of them are.
            uncounted = answer is stats and any(case.dataset.calls[one].has_records is UNKNOWN for one in expected)
            assert page_of(answer)["complete"] is (not left_out and not uncounted)


@settings(max_examples=60)
@given(case=st.integers(0, 2**32).map(draw_case))
def test_rows_totals_and_undecided_calls_are_those_of_the_oracle(case: Case) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # Slices of a few calls, so that a small dataset is read in many.
        for module in (window_reader, parallel_reader, collected_calls):
            patch.setattr(module, "SLICE_CALLS", 6)
        patch.setattr(parallel_reader, "RECORD_SLICE_CALLS", 6)
        anyio.run(compare, case)


def test_the_oracle_knows_every_filter() -> None:
    drawn = {name for seed in range(300) for name in draw_case(seed).filters}
    assert drawn == set(FILTERS)
