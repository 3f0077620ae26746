"""The statistics of a generated call centre, counted a second time from what its dataset holds."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from liner_mcp.demo import Call, Dataset

MOSCOW = ZoneInfo("Europe/Moscow")
METRICS = [
    "calls",
    "answered",
    "recorded",
    "talk_total_seconds",
    "talk_median_seconds",
    "wait_median_seconds",
    "agent_hangups",
    "qualified",
]
ADDITIVE = ["calls", "answered", "recorded", "talk_total_seconds", "agent_hangups", "qualified"]

Key = tuple[Any, ...]
Progress = Callable[[int, int | None], Awaitable[None]]


def grouped_by(*groupings: str, zone: ZoneInfo = MOSCOW) -> Callable[[Call], Key]:
    """How a call of the dataset is told to belong to a group."""

    def local(call: Call) -> datetime:
        return call.created_at.astimezone(zone)

    parts: dict[str, Callable[[Call], Any]] = {
        "agent": lambda call: call.user_id,
        "order": lambda call: call.order_id,
        "status": lambda call: call.status_code,
        "lead": lambda call: call.lead_id,
        "hung_up_by": lambda call: call.finish_initiator,
        "day": lambda call: local(call).strftime("%Y-%m-%d"),
        "hour": lambda call: local(call).strftime("%H"),
        "weekday": lambda call: local(call).strftime("%a"),
    }
    return lambda call: tuple(parts[grouping](call) for grouping in groupings)


def expected_groups(dataset: Dataset, calls: Iterable[Call], key: Callable[[Call], Key]) -> dict[Key, dict[str, Any]]:
    """The metrics of each group. Slow and plain on purpose."""
    groups: dict[Key, list[Call]] = {}
    for call in calls:
        groups.setdefault(key(call), []).append(call)
    return {group: expected_metrics(dataset, members) for group, members in groups.items()}


def expected_metrics(dataset: Dataset, calls: Sequence[Call]) -> dict[str, Any]:
    qualifying = {status.code for status in dataset.lead_statuses if status.category == "qualified"}
    codes = {status.code for status in dataset.call_statuses if status.lead_status_code in qualifying}
    answered = [call for call in calls if call.talk_time_duration_seconds > 0]
    return {
        "calls": len(calls),
        "answered": len(answered),
        "recorded": len([call for call in calls if call.has_records]),
        "talk_total_seconds": sum(call.talk_time_duration_seconds for call in calls),
        "talk_median_seconds": median([call.talk_time_duration_seconds for call in answered]),
        "wait_median_seconds": median([call.wait_time_duration_seconds for call in answered]),
        "agent_hangups": len([call for call in calls if call.finish_initiator == "operator" and call.user_id]),
        "qualified": len([call for call in calls if call.status_code in codes]),
    }


def median(numbers: Sequence[int]) -> float | None:
    return statistics.median(numbers) if numbers else None


def calls_between(dataset: Dataset, since: datetime, until: datetime) -> list[Call]:
    return [call for call in dataset.calls.values() if since <= call.created_at < until]


def groups_of(rows: Iterable[dict[str, Any]], *keys: str) -> dict[Key, dict[str, Any]]:
    """The metrics of an answer by the keys of its groups."""
    return {tuple(row[key] for key in keys): {name: row[name] for name in METRICS} for row in rows}


def without_agentless_hangups(groups: dict[Key, dict[str, Any]], place: int = 0) -> dict[Key, dict[str, Any]]:
    """What an answer grouped by agents tells: where there is no agent, none can hang up."""
    return {key: group if key[place] is not None else {**group, "agent_hangups": None} for key, group in groups.items()}


def sum_metrics(parts: Iterable[dict[str, Any]]) -> dict[str, int]:
    parts = list(parts)
    return {name: sum(part[name] or 0 for part in parts) for name in ADDITIVE}
