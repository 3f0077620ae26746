"""Questions about which calls to hear, check or discuss."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

from benchmarks.questions.asking import (
    LAST_WEEK,
    THIS_MONTH,
    YESTERDAY,
    Question,
    calls_of,
    newest_first,
)
from benchmarks.raw_reading import Item, RawLiner, days
from benchmarks.table_reading import Row, Tables
from liner_mcp.demo import Call, Dataset
from tests.conftest import NOW

LEAD = 5000004  # called eight times
LONGEST, SAMPLE = 10, 20


def _ids(rows: list[Row]) -> set[int]:
    return {row["call_id"] for row in rows}


def _newest(items: list[Item]) -> list[int]:
    return [item["id"] for item in sorted(items, key=lambda item: (item["createdAt"], item["id"]), reverse=True)]


async def _unrecorded_ours(liner: Tables) -> set[int]:
    return _ids(await liner.rows("find_calls", since="yesterday", orders=["Sunrise Park"], recorded=False, limit=200))


async def _unrecorded_raw(liner: RawLiner) -> set[int]:
    order = await liner.order_id("Sunrise Park")
    calls = await liner.calls(days(YESTERDAY, YESTERDAY), order_ids=[order])
    return {call["id"] for call in calls if not call["hasRecords"]}


def _unrecorded(dataset: Dataset) -> set[int]:
    calls = calls_of(dataset, YESTERDAY, YESTERDAY)
    return {call.id for call in calls if call.order_id == 201 and not call.has_records}


async def _fifty_ours(liner: Tables) -> list[int]:
    answer = await liner.answer("find_calls", since="-7d", limit=50)
    return [dict(zip(answer["columns"], row, strict=True))["call_id"] for row in answer["rows"]]


async def _fifty_raw(liner: RawLiner) -> list[int]:
    """The list has no order, so it reads the last hours that together have fifty calls, by their counts."""
    hours = 3
    while await liner.count((NOW - timedelta(hours=hours), NOW)) < 50:
        hours *= 2
    return _newest(await liner.calls((NOW - timedelta(hours=hours), NOW)))[:50]


async def _longest_ours(liner: Tables) -> list[int]:
    rows = await liner.rows("find_calls", since="last_week", sort="longest_talk", limit=LONGEST)
    return [row["call_id"] for row in rows]


async def _longest_raw(liner: RawLiner) -> list[int]:
    calls = await liner.reached(days(*LAST_WEEK))
    return [call["id"] for call in sorted(calls, key=lambda call: -call["talkTimeDurationSeconds"])[:LONGEST]]


def _longest_right(dataset: Dataset, ids: list[int]) -> bool:
    """Any of several equally long talks is right."""
    talks = sorted((call.talk_time_duration_seconds for call in calls_of(dataset, *LAST_WEEK)), reverse=True)
    found = [dataset.calls[call_id] for call_id in dict.fromkeys(ids)]
    in_week = set(ids) <= {call.id for call in calls_of(dataset, *LAST_WEEK)}
    return in_week and [call.talk_time_duration_seconds for call in found] == talks[:LONGEST]


async def _group_ours(liner: Tables) -> set[int]:
    return _ids(await liner.rows("find_calls", since="yesterday", agents=["Evening shift"], limit=200))


async def _group_raw(liner: RawLiner) -> set[int]:
    agents = await liner.group("Evening shift")
    return {call["id"] for call in await liner.calls(days(YESTERDAY, YESTERDAY), user_ids=agents)}


def _group(dataset: Dataset) -> set[int]:
    (group,) = [group for group in dataset.agent_groups if group.name_gb == "Evening shift"]
    return {call.id for call in calls_of(dataset, YESTERDAY, YESTERDAY) if call.user_id in group.agent_ids}


async def _hung_up_ours(liner: Tables) -> set[int]:
    rows = await liner.rows(
        "find_calls", since="this_month", hung_up_by="operator", min_talk_seconds=1, max_talk_seconds=19, limit=200
    )
    return _ids(rows)


async def _hung_up_raw(liner: RawLiner) -> set[int]:
    calls = await liner.reached(days(*THIS_MONTH))
    short = [call for call in calls if 0 < call["talkTimeDurationSeconds"] < 20]
    return {call["id"] for call in short if call["finishInitiator"] == "operator"}


def _hung_up(dataset: Dataset) -> set[int]:
    short = [call for call in calls_of(dataset, *THIS_MONTH) if 0 < call.talk_time_duration_seconds < 20]
    return {call.id for call in short if call.finish_initiator == "operator"}


async def _lead_ours(liner: Tables) -> list[tuple[int, str]]:
    rows = await liner.rows("find_calls", leads=[LEAD])
    return [(row["call_id"], row["status"]) for row in rows]


async def _lead_raw(liner: RawLiner) -> list[tuple[int, str]]:
    calls = await liner.calls((datetime(2000, 1, 1, tzinfo=UTC), NOW), lead_ids=[LEAD])
    statuses = {call["id"]: call["statusCode"] for call in calls}
    return [(call_id, statuses[call_id]) for call_id in _newest(calls)]


def _lead(dataset: Dataset) -> list[tuple[int, str]]:
    calls = [call for call in dataset.calls.values() if call.lead_id == LEAD]
    return [(call_id, dataset.calls[call_id].status_code) for call_id in newest_first(calls)]


async def _sample_ours(liner: Tables) -> list[int]:
    rows = await liner.rows("find_calls", since="last_week", recorded=True, sample=SAMPLE, seed="calibration")
    return [row["call_id"] for row in rows]


async def _sample_raw(liner: RawLiner) -> list[int]:
    """Draw in rounds over the agents: each draw is a position in the list of the agent's calls, by a seed.

    This reads about forty calls with one row each, and not the whole week. A call without a recording is drawn again.
    """
    week, chance = days(*LAST_WEEK), Random("calibration")
    agents = sorted({agent for order in await liner.orders() for agent in order["agentUserIds"]})
    counts = {agent: await liner.count(week, user_ids=[agent]) for agent in agents}
    left = {agent: chance.sample(range(count), count) for agent, count in counts.items()}
    drawn: list[int] = []
    while len(drawn) < SAMPLE:
        for agent, places in left.items():
            while places and len(drawn) < SAMPLE:
                call = await liner.nth(week, places.pop(), user_ids=[agent])
                if call["hasRecords"]:
                    drawn.append(call["id"])
                    break
    return drawn


def _sample_right(dataset: Dataset, ids: list[int]) -> bool:
    """Whether these are twenty different recorded calls of the week, with equal shares of agents if possible.

    Calls without an agent may be missing, or as many as those of one agent.
    """
    recorded: list[Call] = [call for call in calls_of(dataset, *LAST_WEEK) if call.has_records]
    if len(set(ids)) != SAMPLE or not set(ids) <= {call.id for call in recorded}:
        return False
    available = Counter(call.user_id for call in recorded if call.user_id is not None)
    drawn = Counter(dataset.calls[call_id].user_id for call_id in ids)
    most = max(drawn.values())
    return all(drawn[agent] >= min(most - 1, count) for agent, count in available.items())


CALLS = (
    Question(
        "not recorded",
        "Which of yesterday's calls on Sunrise Park had no recording?",
        _unrecorded_ours,
        _unrecorded_raw,
        lambda dataset, found: found == _unrecorded(dataset),
    ),
    Question(
        "newest fifty",
        "Show the 50 newest calls.",
        _fifty_ours,
        _fifty_raw,
        lambda dataset, found: found == newest_first(dataset.calls.values())[:50],
    ),
    Question("longest ten", "The 10 longest talks of last week.", _longest_ours, _longest_raw, _longest_right),
    Question(
        "a group's calls",
        "Which calls did the Evening shift have yesterday?",
        _group_ours,
        _group_raw,
        lambda dataset, found: found == _group(dataset),
    ),
    Question(
        "hung up early",
        "Where did the agent hang up within 20 seconds of talk this month?",
        _hung_up_ours,
        _hung_up_raw,
        lambda dataset, found: found == _hung_up(dataset),
    ),
    Question(
        "a lead's calls",
        f"All calls of lead {LEAD} and how each ended, newest first.",
        _lead_ours,
        _lead_raw,
        lambda dataset, found: found == _lead(dataset),
    ),
    Question(
        "a fair sample",
        "Draw 20 recorded calls of last week for calibration, evenly over the agents.",
        _sample_ours,
        _sample_raw,
        _sample_right,
    ),
)
