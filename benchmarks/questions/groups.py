"""Questions about groups of calls: shares, repeated calls, and hours of the day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, time, timedelta

from benchmarks.questions.asking import LAST_WEEK, THIS_MONTH, TODAY, Question, calls_of
from benchmarks.raw_reading import MOSCOW, RawLiner, days
from benchmarks.table_reading import Tables
from liner_mcp.demo import Dataset

EVENING = 19  # o'clock in Moscow
ROUNDING = 0.0006  # a share has three decimals, and half of the last one may be rounded either way

Shares = dict[int, float]
PerAgent = dict[int | None, int]


async def _hang_ups_ours(liner: Tables) -> Shares:
    rows = await liner.rows("call_stats", since="last_week", group_by=["agent", "hung_up_by"], include=["share"])
    found: Shares = {}
    for row in rows:
        if row["agent_id"] is not None:
            share = row["share"] if row["hung_up_by"] == "operator" else 0.0
            found[row["agent_id"]] = max(found.get(row["agent_id"], 0.0), share)
    return found


async def _hang_ups_raw(liner: RawLiner) -> Shares:
    """It reads the calls of all agents, because there is no filter by who hung up."""
    agents = {agent for order in await liner.orders() for agent in order["agentUserIds"]}
    calls = await liner.calls(days(*LAST_WEEK), user_ids=sorted(agents))
    return _hang_ups((call["userId"], call["finishInitiator"]) for call in calls)


def _hang_ups(calls: Iterable[tuple[int | None, str | None]]) -> Shares:
    members = [(agent, side) for agent, side in calls if agent is not None]
    every = Counter(agent for agent, _ in members)
    ended = Counter(agent for agent, side in members if side == "operator")
    return {agent: ended[agent] / count for agent, count in every.items()}


def _hang_ups_right(dataset: Dataset, found: Shares) -> bool:
    right = _hang_ups((call.user_id, call.finish_initiator) for call in calls_of(dataset, *LAST_WEEK))
    return found.keys() == right.keys() and all(abs(found[one] - right[one]) <= ROUNDING for one in right)


async def _repeated_ours(liner: Tables) -> dict[int, int]:
    rows = await liner.rows("call_stats", since="today", group_by=["lead"], min_calls=2)
    return {row["lead_id"]: row["calls"] for row in rows}


async def _repeated_raw(liner: RawLiner) -> dict[int, int]:
    return _repeated(call["leadId"] for call in await liner.calls(days(TODAY, TODAY)))


def _repeated(leads: Iterable[int]) -> dict[int, int]:
    return {lead: calls for lead, calls in Counter(leads).items() if calls > 1}


async def _evening_ours(liner: Tables) -> PerAgent:
    rows = await liner.rows("call_stats", since="this_month", hours=f"{EVENING}-24")
    return {row["agent_id"]: row["calls"] for row in rows}


async def _evening_raw(liner: RawLiner) -> PerAgent:
    """It reads the evening of each day."""
    found: Counter[int | None] = Counter()
    day = THIS_MONTH[0]
    while day <= THIS_MONTH[1]:
        begin = datetime.combine(day, time(EVENING), MOSCOW)
        calls = await liner.calls((begin, days(day, day)[1]))
        found.update(call["userId"] for call in calls)
        day += timedelta(days=1)
    return dict(found)


def _evening(dataset: Dataset) -> PerAgent:
    calls = calls_of(dataset, *THIS_MONTH)
    return dict(Counter(call.user_id for call in calls if call.created_at.astimezone(MOSCOW).hour >= EVENING))


GROUPS = (
    Question(
        "share of hang-ups",
        "What share of their calls did the agents hang up last week?",
        _hang_ups_ours,
        _hang_ups_raw,
        _hang_ups_right,
    ),
    Question(
        "repeated leads",
        "Which leads were called more than once today, and how often?",
        _repeated_ours,
        _repeated_raw,
        lambda dataset, found: found == _repeated(call.lead_id for call in calls_of(dataset, TODAY, TODAY)),
    ),
    Question(
        "evening calls",
        f"How many calls did each agent have after {EVENING}:00 this month?",
        _evening_ours,
        _evening_raw,
        lambda dataset, found: found == _evening(dataset),
    ),
)
