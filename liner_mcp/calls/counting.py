"""Counting calls by groups. Pure: calls are tallied slice by slice, the tallies are merged and become rows.

Memory grows with the number of groups and of different durations in them, not with the number of calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from liner_mcp.answer.table import Cell
from liner_mcp.calls.columns import GROUPINGS
from liner_mcp.calls.rows import MAX_NAMED_CALLS, counted_calls, sent_fields
from liner_mcp.liner.models import Call
from liner_mcp.timezone import Zone

KEY_COLUMNS: Mapping[str, str] = {
    name: f"{name}_id" if name in ("agent", "order", "lead") else name for name in GROUPINGS
}
METRICS = (
    "calls", "answered", "recorded", "talk_total_seconds", "talk_median_seconds", "wait_median_seconds",
    "agent_hangups", "qualified",
)  # fmt: skip
ADDITIVE = ("calls", "answered", "recorded", "talk_total_seconds", "agent_hangups", "qualified")
FIELDS_OF_METRIC: Mapping[str, frozenset[str]] = {
    "answered": frozenset({"talk_time_duration_seconds"}),
    "recorded": frozenset({"has_records"}),
    "talk_total_seconds": frozenset({"talk_time_duration_seconds"}),
    "talk_median_seconds": frozenset({"talk_time_duration_seconds"}),
    "wait_median_seconds": frozenset({"talk_time_duration_seconds", "wait_time_duration_seconds"}),
    "agent_hangups": frozenset({"finish_initiator", "user_id"}),
    "qualified": frozenset({"status_code"}),
}
"""The fields without which a metric is unknown, and not 0."""
FIELD_OF_KEY: Mapping[str, str] = {
    "agent": "user_id",
    "order": "order_id",
    "status": "status_code",
    "lead": "lead_id",
    "hung_up_by": "finish_initiator",
}
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
K = TypeVar("K")
GroupKey = tuple[Cell, ...]
Counts = Mapping[str, int | None]
"""How many recordings of one call each column counts; None where it is unknown."""
NO_COUNTS: Mapping[int, Counts] = {}


@dataclass(slots=True)
class Tally:
    """The counts of one group. Durations are stored as how often each number of seconds occurred.

    `unknown`: fields that Liner did not send of some call, although a metric needs them; `unknown_calls` counts these
    calls, and `unknown_ids` are the largest of their ids. `unknown_keys`: the same of fields that the calls are grouped
    by. `recordings`: the columns that count recordings; `uncounted`: those of them that are unknown for some call.
    """

    calls: int = 0
    answered: int = 0
    recorded: int = 0
    talk_total: int = 0
    agent_hangups: int = 0
    qualified: int = 0
    talk: dict[int, int] = field(default_factory=dict[int, int])
    wait: dict[int, int] = field(default_factory=dict[int, int])
    unknown: frozenset[str] = frozenset()
    unknown_calls: int = 0
    unknown_ids: tuple[int, ...] = ()
    unknown_keys: frozenset[str] = frozenset()
    recordings: dict[str, int] = field(default_factory=dict[str, int])
    uncounted: frozenset[str] = frozenset()

    def count(self, call: Call, recordings: Counts, *, qualified: bool) -> None:
        """Add one call. Answered is a call with talk; medians are of answered calls."""
        self.calls += 1
        self.qualified += qualified
        for column, number in recordings.items():
            if number is None:
                self.uncounted |= {column}
            else:
                self.recordings[column] = self.recordings.get(column, 0) + number
        unknown = self._count_hangup(call)
        if call.has_records is None:
            unknown.add("has_records")
        elif call.has_records:
            self.recorded += 1
        if call.status_code is None:
            unknown.add("status_code")
        seconds = call.talk_time_duration_seconds
        if seconds is None:
            unknown.add("talk_time_duration_seconds")
        elif seconds > 0:
            self.answered += 1
            self.talk_total += seconds
            self.talk[seconds] = self.talk.get(seconds, 0) + 1
            if call.wait_time_duration_seconds is None:
                unknown.add("wait_time_duration_seconds")
            else:
                waited = call.wait_time_duration_seconds
                self.wait[waited] = self.wait.get(waited, 0) + 1
        if unknown:
            self._add_unknown(unknown, 1, [call.id])

    def _add_unknown(self, fields: Iterable[str], calls: int, ids: Iterable[int]) -> None:
        self.unknown |= frozenset(fields)
        self.unknown_calls += calls
        self.unknown_ids = tuple(sorted({*self.unknown_ids, *ids}, reverse=True)[:MAX_NAMED_CALLS])

    def _count_hangup(self, call: Call) -> set[str]:
        """Count the call if its agent hung up; the fields that are needed to know it and were not sent."""
        # Without an agent, a bot or the dialler ended the call, also where Liner says "operator".
        agentless = call.user_id is None and call.is_known("user_id")
        if agentless or call.finish_initiator not in (None, "operator"):
            return set()
        unknown = {name for name in FIELDS_OF_METRIC["agent_hangups"] if not call.is_known(name)}
        self.agent_hangups += call.finish_initiator == "operator" and not unknown
        return unknown

    def add(self, other: Tally) -> None:
        """Add the tally of other calls of the same group."""
        self.add_sums(other)
        _add_counts(self.talk, other.talk)
        _add_counts(self.wait, other.wait)

    def add_sums(self, other: Tally) -> None:
        """The same without the durations that medians need."""
        self.calls += other.calls
        self.answered += other.answered
        self.recorded += other.recorded
        self.talk_total += other.talk_total
        self.agent_hangups += other.agent_hangups
        self.qualified += other.qualified
        if other.unknown:
            self._add_unknown(other.unknown, other.unknown_calls, other.unknown_ids)
        self.unknown_keys |= other.unknown_keys
        _add_counts(self.recordings, other.recordings)
        self.uncounted |= other.uncounted

    def cells(self, recordings: Iterable[str] = (), *, has_agent: bool, qualified_known: bool) -> dict[str, Cell]:
        """The metrics and the columns that count recordings; null where they cannot be counted: without an agent,
        without the dictionary of statuses, without a field of some call, or without the recordings of some call.
        """
        cells: dict[str, Cell] = {
            "calls": self.calls,
            "answered": self.answered,
            "recorded": self.recorded,
            "talk_total_seconds": self.talk_total,
            "talk_median_seconds": median(self.talk),
            "wait_median_seconds": median(self.wait),
            "agent_hangups": self.agent_hangups if has_agent else None,
            "qualified": self.qualified if qualified_known else None,
        }
        cells |= {name: None for name, fields in FIELDS_OF_METRIC.items() if fields & self.unknown}
        return cells | {name: None if name in self.uncounted else self.recordings.get(name, 0) for name in recordings}


Tallies = dict[GroupKey, Tally]


def _add_counts(counts: dict[K, int], others: Mapping[K, int]) -> None:
    for key, number in others.items():
        counts[key] = counts.get(key, 0) + number


def median(counts: Mapping[int, int]) -> int | float | None:
    """The median of numbers given by how often each occurs: a whole number, or one that ends in .5; None for none."""
    total = sum(counts.values())
    if not total:
        return None
    low, high = (total - 1) // 2, total // 2
    passed = 0
    middle: list[int] = []
    for number in sorted(counts):
        before, passed = passed, passed + counts[number]
        middle += [number for place in (low, high) if before <= place < passed]
        if len(middle) == 2:
            break
    whole, half = divmod(sum(middle), 2)
    return whole + 0.5 if half else whole


def tally(
    calls: Iterable[Call],
    group_by: Sequence[str],
    zone: Zone,
    qualified_codes: frozenset[str],
    recordings: Mapping[int, Counts] = NO_COUNTS,
    columns: Sequence[str] = (),
) -> Tallies:
    """Count calls by group. `qualified_codes` are the call statuses that make a lead qualified.

    `recordings`: counts of recordings by the ids of calls, for these `columns`; a call without an entry has none.
    """
    nothing = dict.fromkeys(columns, 0)
    key_fields = [FIELD_OF_KEY[grouping] for grouping in group_by if grouping in FIELD_OF_KEY]
    found: Tallies = {}
    for call in calls:
        key = tuple(_key_part(call, grouping, zone) for grouping in group_by)
        group = found.get(key)
        if group is None:
            group = found[key] = Tally()
        group.count(call, recordings.get(call.id, nothing), qualified=call.status_code in qualified_codes)
        if None in key:
            group.unknown_keys |= {name for name in key_fields if not call.is_known(name)}
    return found


def _key_part(call: Call, grouping: str, zone: Zone) -> Cell:
    if grouping in FIELD_OF_KEY:
        cell: Cell = getattr(call, FIELD_OF_KEY[grouping])
        return cell
    if call.created_at is None:
        return None
    local = call.created_at.astimezone(zone.info)
    if grouping == "hour":
        return f"{local.hour:02d}"
    return WEEKDAYS[local.weekday()] if grouping == "weekday" else local.date().isoformat()


def merge_tallies(parts: Iterable[Tallies]) -> Tallies:
    found: Tallies = {}
    for part in parts:
        for key, group in part.items():
            merged = found.get(key)
            if merged is None:
                merged = found[key] = Tally()
            merged.add(group)
    return found


def totals(groups: Iterable[Tally], recordings: Sequence[str] = (), *, qualified_known: bool) -> dict[str, Cell]:
    """The additive metrics over several groups: medians do not add up."""
    whole = Tally()
    for group in groups:
        whole.add_sums(group)
    cells = whole.cells(recordings, has_agent=True, qualified_known=qualified_known)
    return {name: cells[name] for name in (*ADDITIVE, *recordings)}


def unknown_notes(groups: Tallies) -> list[str]:
    """What could not be counted or grouped because Liner did not send it."""
    whole = Tally()
    for group in groups.values():
        whole.add_sums(group)
    metrics = whole.unknown
    keys = {name for group in groups.values() for name in group.unknown_keys}
    notes: list[str] = []
    if metrics:
        which = counted_calls(whole.unknown_calls, whole.unknown_ids)
        notes.append(f"Liner sends no {sent_fields(sorted(metrics))} for {which}; counts that need it are null.")
    if keys:
        notes.append(
            f"Liner sends no {sent_fields(sorted(keys))} for some of these calls; they are in rows whose key is null, "
            "and may belong to other rows."
        )
    return notes
