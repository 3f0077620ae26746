"""What is true of the data: cells, counts and names, computed plainly and apart from the package."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from liner_mcp.demo import Call, Dataset, Record
from tests.claims.bends import Bend
from tests.claims.meaning import ZONE, Meaning, matches, says

Key = tuple[Any, ...]
ADDITIVE = ("calls", "answered", "recorded", "talk_total_seconds", "agent_hangups", "qualified")
MEDIANS = ("talk_median_seconds", "wait_median_seconds")
RECORDINGS = ("records", "transfers", "without_summary", "matches")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# Liner's field -> the counts that are unknown without it.
NEEDED_BY: Mapping[str, tuple[str, ...]] = {
    "talkTimeDurationSeconds": ("answered", "talk_total_seconds", *MEDIANS),
    "waitTimeDurationSeconds": ("wait_median_seconds",),
    "hasRecords": ("recorded",),
    "finishInitiator": ("agent_hangups",),
    "userId": ("agent_hangups",),
    "statusCode": ("qualified",),
    "qualified": ("qualified",),
}
# Liner's field -> the grouping that is unknown without it.
GROUPED_BY: Mapping[str, str] = {
    "userId": "agent_id",
    "orderId": "order_id",
    "statusCode": "status",
    "finishInitiator": "hung_up_by",
    "leadId": "lead_id",
}
KEY_COLUMNS = {"agent": "agent_id", "order": "order_id", "lead": "lead_id"}


@dataclass(frozen=True, slots=True)
class Truth:
    """The data before and after a change that may come while a question is answered; mostly they are the same."""

    bend: Bend
    before: Dataset
    after: Dataset

    @property
    def healthy(self) -> bool:
        return self.bend.name == "healthy"

    def must(self, meaning: Meaning) -> dict[int, Call]:
        """The calls that an answer has to hold."""
        return meaning.calls(self.before)

    def may(self, meaning: Meaning) -> dict[int, Call]:
        """The calls that an answer can hold."""
        return self.must(meaning) if self.after is self.before else meaning.calls(self.after)

    @property
    def unknown_counts(self) -> set[str]:
        """The counts that are unknown under this bend."""
        return {count for field in self.bend.missing for count in NEEDED_BY.get(field, ())}

    @property
    def unknown_columns(self) -> set[str]:
        return {GROUPED_BY[field] for field in self.bend.missing if field in GROUPED_BY}


def call_cells(call: Call) -> dict[str, Any]:
    local = call.created_at.astimezone(ZONE)
    return {
        "date": local.strftime("%Y-%m-%d"),
        "time": local.strftime("%H:%M"),
        "talk_seconds": call.talk_time_duration_seconds,
        "agent_id": call.user_id,
        "order_id": call.order_id,
        "status": call.status_code,
        "recorded": int(call.has_records),
        "lead_id": call.lead_id,
        "direction": call.direction,
        "hung_up_by": call.finish_initiator,
        "wait_seconds": call.wait_time_duration_seconds,
    }


def record_cells(record: Record) -> dict[str, Any]:
    local = record.created_at.astimezone(ZONE)
    return {
        "record_date": local.strftime("%Y-%m-%d"),
        "record_time": local.strftime("%H:%M"),
        "record_seconds": record.duration_seconds,
        "agent_id": record.user_id,
        "transfer": int(record.is_transfer),
    }


# Counts ---------------------------------------------------------------------------------------------------------------


def key_column(grouping: str) -> str:
    return KEY_COLUMNS.get(grouping, grouping)


def key_of(call: Call, groupings: Iterable[str]) -> Key:
    local = call.created_at.astimezone(ZONE)
    parts: dict[str, Callable[[], Any]] = {
        "agent": lambda: call.user_id,
        "order": lambda: call.order_id,
        "status": lambda: call.status_code,
        "lead": lambda: call.lead_id,
        "hung_up_by": lambda: call.finish_initiator,
        "day": lambda: local.strftime("%Y-%m-%d"),
        "hour": lambda: local.strftime("%H"),
        "weekday": lambda: WEEKDAYS[local.weekday()],
    }
    return tuple(parts[grouping]() for grouping in groupings)


def groups(
    calls: Iterable[Call], groupings: Collection[str], dataset: Dataset, mentions: str | None = None
) -> dict[Key, dict[str, Any]]:
    """The counts of each group; without groupings those of everything, which may be nothing."""
    found: dict[Key, list[Call]] = {} if groupings else {(): []}
    for call in calls:
        found.setdefault(key_of(call, groupings), []).append(call)
    return {key: counts(members, dataset, mentions) for key, members in found.items()}


def counts(calls: Collection[Call], dataset: Dataset, mentions: str | None = None) -> dict[str, Any]:
    qualifying = {status.code for status in dataset.lead_statuses if status.category == "qualified"}
    codes = {status.code for status in dataset.call_statuses if status.lead_status_code in qualifying}
    answered = [call for call in calls if call.talk_time_duration_seconds > 0]
    records = [record for call in calls if call.has_records for record in dataset.records_of(call.id)]
    return {
        "calls": len(calls),
        "answered": len(answered),
        "recorded": sum(call.has_records for call in calls),
        "talk_total_seconds": sum(call.talk_time_duration_seconds for call in calls),
        "talk_median_seconds": _median(call.talk_time_duration_seconds for call in answered),
        "wait_median_seconds": _median(call.wait_time_duration_seconds for call in answered),
        "agent_hangups": sum(call.finish_initiator == "operator" and call.user_id is not None for call in calls),
        "qualified": sum(call.status_code in codes for call in calls),
        "records": len(records),
        "transfers": sum(record.is_transfer for record in records),
        "without_summary": sum(not says(record.summary) for record in records),
        "matches": sum(mentions is not None and matches(mentions, record.summary) for record in records),
    }


def _median(numbers: Iterable[int]) -> float | None:
    known = list(numbers)
    return statistics.median(known) if known else None


# Names ----------------------------------------------------------------------------------------------------------------


def names(dataset: Dataset, kind: str) -> dict[str, str]:
    """The names of one legend by id, as JSON writes it."""
    if kind == "agents":
        return {str(user.id): user.full_name for user in dataset.users}
    if kind == "orders":
        return {str(order.id): order.title for order in dataset.orders}
    return {status.code: status.title for status in dataset.call_statuses}


def entries(dataset: Dataset, kind: str) -> dict[int, dict[str, Any]]:
    """The rows of a directory by id; `also` are other texts that a query finds it by."""
    if kind == "orders":
        return {
            one.id: {"name": one.title, "code": one.code, "also": (one.service_title, one.code)}
            for one in dataset.orders
        }
    if kind == "agents":
        return {one.id: _agent_entry(one, dataset) for one in dataset.users}
    if kind == "agent_groups":
        return {
            one.id: {
                "name": one.name_ru, "english_name": one.name_gb, "agents": len(one.agent_ids), "also": (one.name_gb,)
            }
            for one in dataset.agent_groups
        }  # fmt: skip
    if kind == "call_statuses":
        return {
            one.id: {"name": one.title, "code": one.code, "lead_status": one.lead_status_code, "also": (one.code,)}
            for one in dataset.call_statuses
        }
    return {
        one.id: {"name": one.title, "code": one.code, "category": one.category, "also": (one.code,)}
        for one in dataset.lead_statuses
    }


def _agent_entry(agent: Any, dataset: Dataset) -> dict[str, Any]:
    member_of = {group.name_ru for group in dataset.agent_groups if agent.id in group.agent_ids}
    return {
        "name": agent.full_name,
        "role": agent.access_group,
        "active": int(agent.is_active),
        "groups": member_of,
        "also": (
            f"{agent.last_name} {agent.name}",
            *(name for one in dataset.agent_groups if agent.id in one.agent_ids for name in (one.name_ru, one.name_gb)),
        ),
    }
