"""Questions for all tools and resources, to be asked with an archive and without one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from liner_mcp.demo import Dataset

Question = tuple[str, dict[str, Any]]
"""A tool and its arguments; for the tool "read", the address of a resource."""

TODAY = {"since": "today"}
WEEK = {"since": "2026-11-12", "until": "2026-11-19"}
ALL = {"since": "2026-11-10"}


def call_questions() -> Iterator[Question]:
    for more in (TODAY, WEEK, ALL, {"since": "-24h"}, {"since": "yesterday"}, {"since": "2026-11-15T10:17:05"}):
        yield "find_calls", more
        yield "call_stats", more
        yield "find_calls", {**more, "limit": 3}
    filters: list[dict[str, Any]] = [
        {"agents": [101]},
        {"agents": ["no agent"]},
        {"agents": [101, "no agent"]},
        {"orders": [201]},
        {"orders": ["Sunrise Park", 205]},
        {"orders": [299]},
        {"statuses": ["transferred"]},
        {"statuses": ["no_answer"], "orders": [201, 202]},
        {"statuses": [1, 2, 3]},
        {"statuses": ["new_unknown_code"]},
        {"direction": "incoming"},
        {"min_talk_seconds": 60, "max_talk_seconds": 200},
        {"recorded": True},
        {"recorded": False},
        {"hung_up_by": "agent"},
        {"hours": "9-18"},
        {"hours": "22-6"},
        {"transferred": True},
        {"transferred": False, "agents": [102]},
        {"has_summary": True},
        {"has_summary": False},
        {"mentions": "ипотека | mortgage"},
        {"mentions": "встреча -ипотека", "recorded": True},
    ]
    for index, one in enumerate(filters):
        yield "find_calls", {**(ALL if index % 2 else WEEK), **one}
        yield "call_stats", {**(WEEK if index % 2 else ALL), **one, "group_by": ["order"]}
    every = ["lead_id", "direction", "hung_up_by", "wait_seconds", "phone", "records"]
    yield "find_calls", {**WEEK, "include": every, "limit": 100}
    yield "find_calls", {**ALL, "include": ["summary"], "recorded": True, "limit": 20}
    yield "find_calls", {**WEEK, "include": ["summary"], "mentions": "клиент", "summary_chars": 50}
    yield "find_calls", {**ALL, "sort": "longest_talk", "limit": 10}
    # With a limit that is not reached every call is examined, so that the counts do not depend on the order of answers.
    yield "find_calls", {**ALL, "sort": "longest_talk", "transferred": True, "limit": 100}
    yield "find_calls", {**ALL, "sample": 12, "seed": "a"}
    yield "find_calls", {**WEEK, "sample": 5, "seed": "b", "mentions": "клиент"}
    yield "find_calls", {"since": "2026-11-16T00:00:01", "until": "2026-11-16T00:00:02"}  # an empty window
    for group_by in (["agent"], ["day", "agent"], ["hour"], ["weekday"], ["lead"], ["status"], ["hung_up_by"], []):
        yield "call_stats", {**ALL, "group_by": group_by, "include": ["records", "transfers", "without_summary"]}
    yield "call_stats", {**ALL, "group_by": ["day"], "mentions": "клиент", "include": ["matches", "share"]}


def entity_questions(dataset: Dataset) -> Iterator[Question]:
    calls = [call for call in dataset.calls.values() if call.id % 23 == 0]
    recorded = [call for call in dataset.calls.values() if len(dataset.records_of(call.id)) > 1][:3]
    records = [record for call in [*calls, *recorded] for record in dataset.records_of(call.id)]
    for call in [*calls[:6], *recorded]:
        yield "list_call_records", {"call_id": call.id}
        yield "read", {"uri": f"liner://calls/{call.id}"}
    yield "list_call_records", {"call_id": 7_999_999}
    yield "get_call_summaries", {"call_ids": [call.id for call in calls]}
    yield "get_call_summaries", {"call_ids": [call.id for call in recorded] + [7_999_999], "summary_chars": 0}
    for record in records[:6]:
        yield "get_call_record", {"record_id": record.id}
        yield "read", {"uri": f"liner://call-records/{record.id}"}
        yield "read", {"uri": f"liner://call-records/{record.id}/summary"}
    yield "get_call_record", {"record_id": 9_999_999}
    quoted = [record for record in dataset.records.values() if record.summary][:10]
    quotes = [{"record_id": one.id, "quote": (one.summary or "")[5:60]} for one in quoted]
    yield "check_quotes", {"quotes": [*quotes, {"record_id": 9_999_999, "quote": "клиент"}]}
    yield "find_calls", {"leads": [calls[0].lead_id]}
    yield "find_calls", {"leads": [one.lead_id for one in recorded], "since": "2026-11-10"}
    yield "call_stats", {"leads": [one.lead_id for one in recorded], "include": ["records"]}
    for kind in ("orders", "agents", "agent_groups", "call_statuses", "lead_statuses"):
        yield "list_directory", {"kind": kind}
    yield "list_directory", {"kind": "agents", "query": "анна"}
