"""Questions that one call of call_stats answers, in both protocol eras: recordings, shares, order and choice of groups,
hours of the day. Every answer is compared with what the fake Liner's data holds.
"""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from mcp.types import CallToolResult

from liner_mcp.calls import parallel_reader
from liner_mcp.demo import Call, Dataset, DemoLiner, Record
from tests.conftest import NOW, OpenSession, text_of
from tests.fakes import FakeLiner
from tests.fakes.blocking_liner import BlockingLiner
from tests.support.context import AlteredLiner, rows_of
from tests.support.expected_stats import MOSCOW
from tests.support.sentences import assert_says

pytestmark = pytest.mark.anyio

TODAY = datetime(2026, 11, 20, tzinfo=MOSCOW)
YESTERDAY, WEEK = TODAY - timedelta(days=1), TODAY - timedelta(days=4)
LAST_WEEK = WEEK - timedelta(days=7)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Three weeks of calls whose recordings are all listed."""
    dataset = Dataset.generate(now=NOW, days=21, calls=900)
    for call in list(dataset.calls.values()):
        if call.has_records and not dataset.records_of(call.id):
            dataset.add_record(call.id)
    return dataset


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel_reader, "PARALLEL_SLICE_CALLS", 200)


def calls_of(dataset: Dataset, since: datetime, until: datetime = NOW) -> list[Call]:
    return [call for call in dataset.calls.values() if since <= call.created_at < until]


def records_of(dataset: Dataset, calls: Iterable[Call]) -> list[Record]:
    return [record for call in calls for record in dataset.records_of(call.id)]


def cells(answer: dict[str, Any], key: str, column: str) -> dict[Any, Any]:
    return {row[key]: row[column] for row in rows_of(answer)}


# Recordings -----------------------------------------------------------------------------------------------------------


async def test_transfers_per_agent_of_a_week(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        answer = await session.answer("call_stats", since="last_week", include=["transfers"], sort="transfers")
    calls = calls_of(dataset, LAST_WEEK, WEEK)
    transfers = Counter(
        dataset.calls[record.call_id].user_id for record in records_of(dataset, calls) if record.is_transfer
    )
    assert cells(answer, "agent_id", "transfers") == {one.user_id: transfers[one.user_id] for one in calls}
    found = [row["transfers"] for row in rows_of(answer)]
    assert found == sorted(found, reverse=True)
    assert (answer["sorted_by"], answer["totals"]["transfers"]) == ("transfers", transfers.total())
    assert (answer["page"]["complete"], transfers.total() > 5) == (True, True)


async def test_recordings_without_a_summary_by_order(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        answer = await session.answer(
            "call_stats", since="-3d", group_by=["order"], include="records,without_summary", min_talk_seconds=30
        )
    calls = [one for one in calls_of(dataset, NOW - timedelta(days=3)) if one.talk_time_duration_seconds >= 30]
    every = Counter(dataset.calls[record.call_id].order_id for record in records_of(dataset, calls))
    bare = Counter(
        dataset.calls[record.call_id].order_id
        for record in records_of(dataset, calls)
        if not (record.summary or "").strip()
    )
    orders = {call.order_id for call in calls}
    assert cells(answer, "order_id", "records") == {one: every[one] for one in orders}
    assert cells(answer, "order_id", "without_summary") == {one: bare[one] for one in orders}
    assert answer["columns"][-2:] == ["records", "without_summary"]
    assert bare.total() > 0


async def test_recordings_of_transferred_calls_are_counted_without_the_other_calls(
    connect: OpenSession, dataset: Dataset
) -> None:
    async with connect() as session:
        answer = await session.answer(
            "call_stats", since="yesterday", group_by=[], transferred=True, include=["records", "transfers"]
        )
    handed_over = [
        call
        for call in calls_of(dataset, YESTERDAY, TODAY)
        if any(record.is_transfer for record in dataset.records_of(call.id))
    ]
    (row,) = rows_of(answer)
    records = records_of(dataset, handed_over)
    assert (row["calls"], row["records"]) == (len(handed_over), len(records))
    assert row["transfers"] == sum(record.is_transfer for record in records) > 0


async def test_recordings_are_not_requested_where_no_column_counts_them(connect: OpenSession, liner: FakeLiner) -> None:
    async with connect() as session:
        await session.answer("call_stats", since="yesterday", include=["share"])
    assert liner.count("/v2/call-record") == 0


def bare(data: Any) -> Any:
    return {
        **data,
        "list": [{name: part for name, part in one.items() if name != "recordSummary"} for one in data["list"]],
    }


async def test_a_summary_that_the_list_leaves_out_is_read_from_the_record(
    connect: OpenSession, dataset: Dataset
) -> None:
    app = AlteredLiner(DemoLiner(dataset), change_by_pattern={"callId=": bare})
    async with connect(app) as session:
        answer = await session.answer("call_stats", since="yesterday", group_by=[], include=["without_summary"])
    records = records_of(dataset, calls_of(dataset, YESTERDAY, TODAY))
    assert rows_of(answer)[0]["without_summary"] == sum(not (one.summary or "").strip() for one in records)
    assert answer["page"]["complete"] is True


@pytest.mark.parametrize("fault", ["refused", "short", "unlisted", "foreign", "no flag", "null"])
async def test_recordings_that_cannot_be_counted_are_unknown_and_not_zero(
    connect: OpenSession, dataset: Dataset, fault: str
) -> None:
    recorded = [call for call in calls_of(dataset, YESTERDAY, TODAY) if call.has_records]
    one, other = recorded[0], next(call for call in recorded if call.user_id != recorded[0].user_id)
    listed = rf"callId={one.id}\b"
    changes: dict[str, Callable[[Any], Any]] = {
        "short": lambda data: {**data, "total": data["total"] + 1},
        "unlisted": lambda data: {**data, "list": [], "total": 0},
        "null": lambda data: {**data, "list": [], "total": 0},
        "foreign": lambda data: {**data, "list": [{**part, "leadId": 1, "isTransfer": False} for part in data["list"]]},
        "no flag": lambda data: {**data, "list": [{**part, "isTransfer": None} for part in data["list"]]},
    }

    def without_flag(data: Any) -> Any:
        calls = [{**call, "hasRecords": None} if call["id"] == one.id else call for call in data["list"]]
        return {**data, "list": calls}

    app = AlteredLiner(
        DemoLiner(dataset),
        status_by_pattern={listed: 422} if fault == "refused" else {},
        change_by_pattern=({listed: changes[fault]} if fault in changes else {})
        | ({"/v2/call/\\?": without_flag} if fault == "null" else {}),
    )
    async with connect(app) as session:
        answer = await session.answer("call_stats", since="yesterday", include=["records", "transfers"])
    transfers, records = cells(answer, "agent_id", "transfers"), cells(answer, "agent_id", "records")
    assert transfers[one.user_id] is None
    assert (records[one.user_id] is None) is (fault != "no flag")
    assert transfers[other.user_id] is not None
    assert answer["totals"]["transfers"] is None
    assert sum(cells(answer, "agent_id", "calls").values()) == len(calls_of(dataset, YESTERDAY, TODAY))
    assert (answer["page"]["complete"], answer["retry"]) == (False, [one.id])
    assert_says(answer["notes"], "recordings_could_not_all_be_counted")


async def test_a_record_that_is_listed_for_two_calls_is_counted_for_neither(
    connect: OpenSession, dataset: Dataset
) -> None:
    one, other = [call for call in calls_of(dataset, YESTERDAY, TODAY) if dataset.records_of(call.id)][:2]

    def same(data: Any) -> Any:
        return {**data, "list": [{**part, "id": 7} for part in data["list"][:1]], "total": 1}

    lists = {rf"callId={call.id}\b": same for call in (one, other)}
    app = AlteredLiner(DemoLiner(dataset), change_by_pattern=lists)
    async with connect(app) as session:
        answer = await session.answer("call_stats", since="yesterday", group_by=[], include=["records"])
    (row,) = rows_of(answer)
    assert (row["calls"], row["records"]) == (len(calls_of(dataset, YESTERDAY, TODAY)), None)
    assert sorted(answer["retry"]) == sorted([one.id, other.id])


@pytest.mark.virtual_time
async def test_a_deadline_among_recordings_gives_a_part_and_the_window_of_the_rest(
    connect: OpenSession, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel_reader, "RECORD_SLICE_CALLS", 40)
    read = 0

    def late(target: str) -> bool:
        nonlocal read
        read += "callId=" in target
        return read > 120

    blocking = BlockingLiner(dataset, late)
    async with connect(blocking, deadline_seconds=2) as session:
        await session.answer("call_stats", since="today")
        first = await session.answer("call_stats", since="-21d", include=["transfers"])
        blocking.release()
        rest = await session.answer("call_stats", include=["transfers"], **first["page"]["next_window"])
        while "next_window" in rest["page"]:
            part = await session.answer("call_stats", include=["transfers"], **rest["page"]["next_window"])
            part["totals"] = {name: part["totals"][name] + rest["totals"][name] for name in part["totals"]}
            rest = part
    assert first["page"]["complete"] is False
    assert first["page"]["next_window"]["until"] == first["page"]["covered"]["since"]
    transfers = sum(one.is_transfer for one in records_of(dataset, calls_of(dataset, NOW - timedelta(days=21))))
    assert first["totals"]["transfers"] + rest["totals"]["transfers"] == transfers


# Shares ---------------------------------------------------------------------------------------------------------------


async def test_the_share_of_hang_ups_per_agent(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        answer = await session.answer("call_stats", since="-10d", group_by=["agent", "hung_up_by"], include=["share"])
    calls = calls_of(dataset, NOW - timedelta(days=10))
    ended = Counter((call.user_id, call.finish_initiator) for call in calls)
    of_agent = Counter(call.user_id for call in calls)
    assert {(row["agent_id"], row["hung_up_by"]): row["share"] for row in rows_of(answer)} == {
        (agent, side): round(count / of_agent[agent], 3) for (agent, side), count in ended.items()
    }
    agents = [agent for agent, _ in itertools.groupby(row["agent_id"] for row in rows_of(answer))]
    assert [of_agent[agent] for agent in agents] == sorted(of_agent.values(), reverse=True), "an agent's rows together"


async def test_the_share_of_each_status_among_the_calls_that_pass(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        answer = await session.answer(
            "call_stats", since="last_week", group_by=["status"], include=["share"], direction="incoming"
        )
    calls = [call for call in calls_of(dataset, LAST_WEEK, WEEK) if call.direction == "incoming"]
    statuses = Counter(call.status_code for call in calls)
    assert cells(answer, "status", "share") == {one: round(n / len(calls), 3) for one, n in statuses.items()}
    assert "share" not in answer["totals"]


# Which groups, in which order -----------------------------------------------------------------------------------------


async def test_leads_that_were_called_twice_today(connect: OpenSession) -> None:
    dataset = Dataset.generate(now=NOW, days=2, calls=60)
    twice, thrice = (dataset.add_call(created_at=NOW - timedelta(hours=hours)) for hours in (1, 2))
    for lead, times in ((twice.lead_id, 1), (thrice.lead_id, 2)):
        for minutes in range(times):
            dataset.add_call(created_at=NOW - timedelta(minutes=5 + minutes), lead=lead)
    async with connect(FakeLiner(dataset)) as session:
        answer = await session.answer("call_stats", since="today", group_by=["lead"], min_calls=2)
    leads = Counter(call.lead_id for call in calls_of(dataset, TODAY))
    assert cells(answer, "lead_id", "calls") == {lead: calls for lead, calls in leads.items() if calls >= 2}
    assert {twice.lead_id, thrice.lead_id} <= set(cells(answer, "lead_id", "calls"))
    assert answer["page"] == {"returned": len(answer["rows"]), "complete": True}
    once = [calls for calls in leads.values() if calls == 1]
    assert answer["totals"]["calls"] == leads.total()
    assert answer["totals"]["other_groups"]["groups"] == len(once)
    assert answer["totals"]["other_groups"]["calls"] == len(once)


async def test_the_five_busiest_agents(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        answer = await session.answer("call_stats", since="-10d", limit=5)
    calls = Counter(call.user_id for call in calls_of(dataset, NOW - timedelta(days=10)))
    assert [row["calls"] for row in rows_of(answer)] == [count for _, count in calls.most_common(5)]
    assert all(calls[row["agent_id"]] == row["calls"] for row in rows_of(answer))
    assert (answer["page"]["complete"], answer["page"]["returned"]) == (True, 5)
    others = answer["totals"]["other_groups"]
    assert (others["groups"], others["calls"]) == (
        len(calls) - 5,
        calls.total() - sum(count for _, count in calls.most_common(5)),
    )
    assert "notes" not in answer


async def test_the_agent_with_the_longest_median_talk(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        answer = await session.answer("call_stats", since="-10d", sort="talk_median_seconds", limit=1, min_calls=5)
        every = await session.answer("call_stats", since="-10d", sort="talk_median_seconds")
    talks: dict[int | None, list[int]] = {}
    for call in calls_of(dataset, NOW - timedelta(days=10)):
        talks.setdefault(call.user_id, []).append(call.talk_time_duration_seconds)
    medians = {
        agent: statistics.median(answered)
        for agent, some in talks.items()
        if (answered := [talk for talk in some if talk])
    }
    shown = cells(every, "agent_id", "talk_median_seconds")
    assert shown == {agent: medians.get(agent) for agent in talks}
    assert [one for one in shown.values() if one is not None] == sorted(medians.values(), reverse=True)
    assert [agent for agent in shown if shown[agent] is None] == list(shown)[len(medians) :], "no median comes last"
    (row,) = rows_of(answer)
    assert row["talk_median_seconds"] == max(one for agent, one in medians.items() if len(talks[agent]) >= 5)
    assert any(not float(one).is_integer() for one in medians.values())


async def test_days_hours_and_weekdays_stand_in_their_order(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        days = await session.answer("call_stats", since="-21d", group_by=["day"])
        hours = await session.answer("call_stats", since="-21d", group_by=["hour"])
        weekdays = await session.answer("call_stats", since="-21d", group_by=["weekday"])
        both = await session.answer("call_stats", since="-21d", group_by=["agent", "weekday"])
        latest = await session.answer("call_stats", since="-21d", group_by=["day"], sort="day", limit=2)
        busiest = await session.answer("call_stats", since="-21d", group_by=["weekday"], sort="calls")
    assert (days["sorted_by"], hours["sorted_by"], both["sorted_by"]) == ("day", "hour", "calls")
    for answer, key in ((days, "day"), (hours, "hour")):
        shown = [row[key] for row in rows_of(answer)]
        assert shown == sorted(set(shown))
    assert [row["weekday"] for row in rows_of(weekdays)] == list(WEEKDAYS)
    for agent in {row["agent_id"] for row in rows_of(both)}:
        shown = [row["weekday"] for row in rows_of(both) if row["agent_id"] == agent]
        assert shown == sorted(shown, key=WEEKDAYS.index)
    assert [row["day"] for row in rows_of(latest)] == ["2026-11-20", "2026-11-19"]
    calls = Counter(call.created_at.astimezone(MOSCOW).strftime("%a") for call in dataset.calls.values())
    assert [row["calls"] for row in rows_of(busiest)] == [count for _, count in calls.most_common()]


async def test_without_a_grouping_there_is_one_row_of_everything(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        answer = await session.answer("call_stats", since="yesterday", group_by=[])
        nothing = await session.answer(
            "call_stats", since="yesterday", group_by=[], min_talk_seconds=9_000, include=["share"]
        )
    (row,) = rows_of(answer)
    assert row["calls"] == len(calls_of(dataset, YESTERDAY, TODAY))
    assert {**row, **answer["totals"]} == row
    (zero,) = rows_of(nothing)
    assert (zero["calls"], zero["talk_median_seconds"], nothing["page"]["complete"]) == (0, None, True)
    assert zero["share"] is None, "no calls have no shares"


async def test_zeros_and_empty_texts_are_not_sent(connect: OpenSession) -> None:
    async with connect() as session:
        plain = await session.answer("call_stats", since="yesterday")
        filled = await session.answer(
            "call_stats", since="yesterday", limit=0, min_calls=0, sort="", include=[], hours=""
        )
    assert filled == plain


async def test_a_column_to_sort_by_is_shown(connect: OpenSession) -> None:
    async with connect() as session:
        answer = await session.answer("call_stats", since="today", sort="Records")
    assert "records" in {*answer["columns"], *answer.get("every_row", {})}


async def test_as_many_leads_as_fit_are_shown_and_the_others_summed(connect: OpenSession, dataset: Dataset) -> None:
    async with connect(max_answer_bytes=2_000) as session:
        result: CallToolResult = await session.call("call_stats", since="-21d", group_by=["lead"])
    assert len(text_of(result).encode()) <= 2_000
    answer: Any = result.structured_content
    leads = Counter(call.lead_id for call in dataset.calls.values())
    others = answer["totals"]["other_groups"]
    assert (answer["page"]["complete"], answer["totals"]["calls"]) == (False, len(dataset.calls))
    assert others["groups"] + answer["page"]["returned"] == len(leads)
    assert others["calls"] + sum(row["calls"] for row in rows_of(answer)) == len(dataset.calls)
    assert [row["calls"] for row in rows_of(answer)] == [n for _, n in leads.most_common(answer["page"]["returned"])]


# Hours of the day -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "means"),
    [
        ("9-18", range(9, 18)),
        (" 09 – 18 ", range(9, 18)),
        ("18-24", range(18, 24)),
        ("22-10", [22, 23, *range(10)]),
        ("20-0", range(20, 24)),
        ("0-24", range(24)),
    ],
)
async def test_hours_are_those_of_the_clock_also_over_midnight(
    connect: OpenSession, dataset: Dataset, hours: str, means: Iterable[int]
) -> None:
    async with connect() as session:
        stats = await session.answer("call_stats", since="last_week", hours=hours, group_by=["hour"])
        found = await session.answer("find_calls", since="yesterday", hours=hours, limit=200)
        sample = await session.answer("find_calls", since="last_week", hours=hours, sample=100)
    inside = {call.id: call for call in dataset.calls.values() if call.created_at.astimezone(MOSCOW).hour in set(means)}
    by_hour = Counter(
        f"{call.created_at.astimezone(MOSCOW).hour:02d}"
        for call in calls_of(dataset, LAST_WEEK, WEEK)
        if call.id in inside
    )
    assert cells(stats, "hour", "calls") == by_hour
    yesterday = {call.id for call in calls_of(dataset, YESTERDAY, TODAY)} & set(inside)
    assert {row["call_id"] for row in rows_of(found)} == yesterday
    recorded = {call.id for call in calls_of(dataset, LAST_WEEK, WEEK) if call.has_records} & set(inside)
    assert sample["page"]["population"] == len(recorded)
    assert {row["call_id"] for row in rows_of(sample)} <= recorded
    first, last = hours.replace("–", "-").split("-")
    assert stats["asked"]["hours"] == found["asked"]["hours"] == f"{int(first)}-{int(last)}"
    assert stats["page"]["local_filters"] == ["hours"]


async def test_a_page_goes_on_with_the_same_hours(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        page = await session.answer("find_calls", since="last_week", hours="9-12", limit=20)
        ids = [row["call_id"] for row in rows_of(page)]
        while cursor := page["page"].get("next_cursor"):
            page = await session.answer("find_calls", cursor=cursor, limit=20)
            ids += [row["call_id"] for row in rows_of(page)]
    expected = [
        call for call in calls_of(dataset, LAST_WEEK, WEEK) if 9 <= call.created_at.astimezone(MOSCOW).hour < 12
    ]
    assert sorted(ids) == sorted(call.id for call in expected)
    assert page["asked"]["hours"] == "9-12"
    assert len(ids) > 20


async def test_each_call_has_the_hour_of_its_own_clock(connect: OpenSession) -> None:
    """In the night on which the clock goes back, 1:30 is twice; on the day before, 9:00 is another moment."""
    dataset = Dataset.generate(now=NOW, days=1, calls=0)
    for day, hour, minute in ((24, 0, 30), (25, 0, 30), (25, 1, 30), (25, 2, 30)):
        dataset.add_call(created_at=datetime.fromisoformat(f"2026-10-{day}T{hour:02d}:{minute}:00+00:00"))
    async with connect(FakeLiner(dataset), timezone="Europe/London") as session:
        answer = await session.answer(
            "find_calls", since="2026-10-24", until="2026-10-25", hours="1-2", orders=[dataset.orders[0].id]
        )
    assert [(row["date"], row["time"]) for row in rows_of(answer)] == [
        ("2026-10-25", "01:30+00:00"),
        ("2026-10-25", "01:30+01:00"),
        ("2026-10-24", "01:30"),
    ]
