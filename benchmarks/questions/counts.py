"""Questions about numbers and durations."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta

from benchmarks.questions.asking import LAST_WEEK, THIS_MONTH, Question, calls_of, made
from benchmarks.raw_reading import MOSCOW, RawLiner, days, local
from benchmarks.table_reading import Tables
from liner_mcp.demo import Dataset

Compared = dict[int, tuple[int, int, float, int]]
"""Per agent: calls, answered calls, median seconds of talk, hang-ups by the agent."""


async def _compare_ours(liner: Tables) -> Compared:
    rows = await liner.rows("call_stats", since="this_month", agents=["First line"])
    return {
        row["agent_id"]: (row["calls"], row["answered"], row["talk_median_seconds"], row["agent_hangups"])
        for row in rows
    }


async def _compare_raw(liner: RawLiner) -> Compared:
    """A total for each agent, and the rows of calls that reached a person."""
    agents, month = await liner.group("First line"), days(*THIS_MONTH)
    calls = await liner.reached(month, user_ids=agents)
    rows = _compared((call["userId"], call["talkTimeDurationSeconds"], call["finishInitiator"]) for call in calls)
    return {agent: (await liner.count(month, user_ids=[agent]), *rows[agent][1:]) for agent in agents if agent in rows}


def _compared(calls: Iterable[tuple[int | None, int, str | None]]) -> Compared:
    found: Compared = {}
    members = list(calls)
    for agent in {agent for agent, _, _ in members if agent is not None}:
        own = [(talk, finisher) for of, talk, finisher in members if of == agent]
        talks = [talk for talk, _ in own if talk]
        hangups = sum(finisher == "operator" for _, finisher in own)
        found[agent] = (len(own), len(talks), statistics.median(talks), hangups)
    return found


def _compare_right(dataset: Dataset, answer: Compared) -> bool:
    """A median between two whole seconds may be rounded either way."""
    (group,) = [group for group in dataset.agent_groups if group.name_gb == "First line"]
    calls = [call for call in calls_of(dataset, *THIS_MONTH) if call.user_id in group.agent_ids]
    truth = _compared((call.user_id, call.talk_time_duration_seconds, call.finish_initiator) for call in calls)
    return set(answer) == set(truth) and all(
        (given[0], given[1], given[3]) == (true[0], true[1], true[3]) and abs(given[2] - true[2]) <= 0.5
        for given, true in ((answer[agent], truth[agent]) for agent in truth)
    )


async def _days_ours(liner: Tables) -> dict[str, int]:
    return {row["day"]: row["calls"] for row in await liner.rows("call_stats", since="this_month", group_by=["day"])}


async def _days_raw(liner: RawLiner) -> dict[str, int]:
    """A total for each day: a page with one row is the cheapest way to count."""
    found: dict[str, int] = {}
    day: date = THIS_MONTH[0]
    while day <= THIS_MONTH[1]:
        count = await liner.count(days(day, day))
        if count:
            found[day.isoformat()] = count
        day += timedelta(days=1)
    return found


async def _statuses_ours(liner: Tables) -> dict[str, int]:
    rows = await liner.rows("call_stats", since="last_week", orders=["Marina Heights Dubai"], group_by=["status"])
    return {row["status"]: row["calls"] for row in rows}


async def _statuses_raw(liner: RawLiner) -> dict[str, int]:
    """A total for each status. If they do not add up, some call has a status that is not in the dictionary."""
    order = await liner.order_id("Marina Heights Dubai")
    week = days(*LAST_WEEK)
    found: dict[str, int] = {}
    for status in await liner.call_statuses():
        count = await liner.count(week, order_ids=[order], status_ids=[status["id"]])
        if count:
            found[status["code"]] = count
    if sum(found.values()) != await liner.count(week, order_ids=[order]):
        calls = await liner.calls(week, order_ids=[order])
        return dict(Counter(call["statusCode"] for call in calls))
    return found


async def _hours_ours(liner: Tables) -> dict[int, int]:
    rows = await liner.rows("call_stats", since="last_week", group_by=["hour"])
    return {int(row["hour"]): row["calls"] for row in rows}


async def _hours_raw(liner: RawLiner) -> dict[int, int]:
    """It reads all rows: a total for each hour of each day would need a third of the tokens, but 168 calls."""
    return dict(Counter(local(call).hour for call in await liner.calls(days(*LAST_WEEK))))


async def _shares_ours(liner: Tables) -> dict[int, tuple[int, int]]:
    rows = await liner.rows("call_stats", since="last_week", group_by=["order"])
    return {row["order_id"]: (row["calls"], row["recorded"]) for row in rows}


async def _shares_raw(liner: RawLiner) -> dict[int, tuple[int, int]]:
    """There is no filter for recorded calls, so it reads all.

    Statuses do not help: one of the week's recorded calls has an unknown status.
    """
    calls = await liner.calls(days(*LAST_WEEK))
    return _shares((call["orderId"], call["hasRecords"]) for call in calls)


def _shares(calls: Iterable[tuple[int, bool]]) -> dict[int, tuple[int, int]]:
    members = list(calls)
    counts, recorded = Counter(order for order, _ in members), Counter(order for order, has in members if has)
    return {order: (count, recorded[order]) for order, count in counts.items()}


COUNTS = (
    Question(
        "an agent and her team",
        "How does Anna Petrova compare with the rest of First line this month?",
        _compare_ours,
        _compare_raw,
        _compare_right,
    ),
    Question(
        "calls per day",
        "How many calls per day this month?",
        _days_ours,
        _days_raw,
        lambda dataset, found: found == Counter(made(call).isoformat() for call in calls_of(dataset, *THIS_MONTH)),
    ),
    Question(
        "statuses",
        "How did last week's calls on Marina Heights Dubai end, by status?",
        _statuses_ours,
        _statuses_raw,
        lambda dataset, found: (
            found == Counter(call.status_code for call in calls_of(dataset, *LAST_WEEK) if call.order_id == 204)
        ),
    ),
    Question(
        "hour profile",
        "In which hours of the day were last week's calls made?",
        _hours_ours,
        _hours_raw,
        lambda dataset, found: (
            found == Counter(call.created_at.astimezone(MOSCOW).hour for call in calls_of(dataset, *LAST_WEEK))
        ),
    ),
    Question(
        "unrecorded share",
        "What share of last week's calls was not recorded, per order?",
        _shares_ours,
        _shares_raw,
        lambda dataset, found: (
            found == _shares((call.order_id, call.has_records) for call in calls_of(dataset, *LAST_WEEK))
        ),
    ),
)
