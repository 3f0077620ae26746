"""Counts of archived calls by groups, made by the database. Calls of which something is unknown are left to the caller.

Durations come as how often each number of seconds occurred, because medians of parts do not add up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from liner_mcp.archive.conditions import (
    NO_RULES,
    Conditions,
    add_mentions,
    add_record_filters,
    mentioning_records,
    within,
)
from liner_mcp.archive.connection import Connection
from liner_mcp.archive.database import Database, NoArchive
from liner_mcp.archive.forgotten import forgotten_in
from liner_mcp.archive.queries import coverage, odd_calls
from liner_mcp.archive.rows import from_microseconds
from liner_mcp.archive.search import wanted_expression
from liner_mcp.archive.spans import Span, common, intersect, moment
from liner_mcp.liner.models import Call
from liner_mcp.liner.restricted_client import Access
from liner_mcp.provenance import provenance
from liner_mcp.search.matching import CompiledQuery

GroupKey = tuple[Any, ...]

MATCHES = "matches"
_TALK, _WAIT = "call.talk_time_duration_seconds", "call.wait_time_duration_seconds"
_HANGUP = "call.finish_initiator IS NOT DISTINCT FROM 'operator' AND call.user_id IS NOT NULL"
_DAY_SECONDS, _HOUR_SECONDS = 86_400, 3_600
_EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday, and Monday is 0
_GROUPINGS = {
    "agent": "call.user_id",
    "order": "call.order_id",
    "status": "call.status_code",
    "lead": "call.lead_id",
    "hung_up_by": "call.finish_initiator",
}
_RECORD_COUNTS = {
    "records": "count(*)",
    "transfers": "sum(record.is_transfer)",
    "without_summary": "sum(1 - record.has_summary)",
    # Without wanted words, every summary has them all, and none of a call that is counted has an unwanted one.
    MATCHES: "sum(record.has_summary)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRequest:
    """Which calls to count, by which groups. None and an empty tuple do not narrow; None in `user_ids` is no agent.

    `utc_offset`: seconds from UTC to the clock by which days and hours are meant; it is the same for the whole span.
    `hours`: the first hour and the one that is no longer meant. `columns`: which recordings are counted.
    """

    span: Span
    order_ids: Sequence[int]
    group_by: Sequence[str]
    access: Access = NO_RULES
    utc_offset: int = 0
    user_ids: Sequence[int | None] = ()
    status_codes: Sequence[str] = ()
    direction: str | None = None
    hung_up_by: str | None = None
    min_talk_seconds: int | None = None
    max_talk_seconds: int | None = None
    recorded: bool | None = None
    transferred: bool | None = None
    has_summary: bool | None = None
    mentions: CompiledQuery | None = None
    hours: tuple[int, int] | None = None
    qualified_codes: Sequence[str] = ()
    columns: Sequence[str] = ()


@dataclass(slots=True)
class CountedGroup:
    """The counts of one group. `talk` and `wait` are of answered calls: how often each number of seconds occurred."""

    calls: int = 0
    recorded: int = 0
    agent_hangups: int = 0
    qualified: int = 0
    talk: dict[int, int] = field(default_factory=dict[int, int])
    wait: dict[int, int] = field(default_factory=dict[int, int])
    recordings: dict[str, int] = field(default_factory=dict[str, int])


def count(connection: Connection, request: CountRequest) -> dict[GroupKey, CountedGroup]:
    """The groups by their keys: a day is its number since 1970, a weekday 0 for Monday."""
    groups: dict[GroupKey, CountedGroup] = {}
    _count_calls(connection, request, groups)
    _count_recordings(connection, request, groups)
    return groups


def _conditions(connection: Connection, request: CountRequest, *, mentions: bool = True) -> Conditions:
    found = within(request.span, request.order_ids, request.access)
    found.add("call.odd = 0")
    if request.user_ids:
        found.add_members("call.user_id", request.user_ids)
    if request.status_codes:
        found.add_members("call.status_code", request.status_codes)
    plain = (
        ("call.direction = ?", request.direction),
        ("call.finish_initiator = ?", request.hung_up_by),
        (f"{_TALK} >= ?", request.min_talk_seconds),
        (f"{_TALK} <= ?", request.max_talk_seconds),
        ("call.has_records = ?", None if request.recorded is None else int(request.recorded)),
    )
    for part, value in plain:
        if value is not None:
            found.add(part, value)
    if request.hours is not None:
        first, last = request.hours
        hour = _time(request, "hour")
        found.add(f"({hour} >= ? {'AND' if first < last else 'OR'} {hour} < ?)", first, last)
    add_record_filters(found, transferred=request.transferred, has_summary=request.has_summary)
    if request.mentions is not None:
        add_mentions(found, connection, request.mentions, request.span, wanted=mentions)
    return found


def _time(request: CountRequest, grouping: str) -> str:
    seconds = f"(call.created_at / 1000000 + {request.utc_offset:d})"
    if grouping == "hour":
        return f"({seconds} / {_HOUR_SECONDS} % 24)"
    days = f"({seconds} / {_DAY_SECONDS})"
    return days if grouping == "day" else f"(({days} + {_EPOCH_WEEKDAY}) % 7)"


def _keys(request: CountRequest) -> tuple[str, str]:
    """The keys as columns of a query, and as what it groups by; each ends in a comma, unless it is empty."""
    expressions = [_GROUPINGS.get(grouping) or _time(request, grouping) for grouping in request.group_by]
    names = [f"key_{position}" for position in range(len(expressions))]
    columns = "".join(f"{one} AS {name}, " for one, name in zip(expressions, names, strict=True))
    return columns, "".join(f"{name}, " for name in names)


def _count_calls(connection: Connection, request: CountRequest, groups: dict[GroupKey, CountedGroup]) -> None:
    """Count calls by talk and by wait, over one look at the calls where an index of words finds them."""
    columns, grouped = _keys(request)
    wanted = None if request.mentions is None else wanted_expression(request.mentions)
    conditions = _conditions(connection, request, mentions=wanted is None)
    qualifies = Conditions()
    qualifies.add_members("call.status_code", request.qualified_codes)
    found, source, matches = "", "call", "0"
    values: list[object] = []
    if wanted is not None:
        # How many recordings of each call mention the words. None of a call that is counted has an unwanted one.
        records, values = mentioning_records(connection, wanted, request.span)
        mentioned = f"SELECT record.call_id AS id, count(*) AS matches {records} GROUP BY record.call_id"
        found, source, matches = f"found AS MATERIALIZED ({mentioned}),", "found CROSS JOIN call USING (id)", "matches"
    query = (
        f"WITH {found} chosen AS {'MATERIALIZED' if found else 'NOT MATERIALIZED'} ("
        f"SELECT {columns} {_TALK} AS talk, {_WAIT} AS wait, call.has_records AS recorded, {matches} AS matches,"
        f" CAST({_HANGUP} AS INTEGER) AS hangup,"
        f" CAST({qualifies.where} AS INTEGER) AS qualified FROM {source} WHERE {conditions.where})"
        f" SELECT {grouped} 1, talk, count(*), sum(recorded), sum(hangup), sum(qualified), sum(matches)"
        f" FROM chosen GROUP BY {grouped} talk"
        f" UNION ALL SELECT {grouped} 0, wait, count(*), 0, 0, 0, 0 FROM chosen WHERE talk > 0 GROUP BY {grouped} wait"
    )
    values += [*qualifies.values, *conditions.values]
    for *key, is_talk, seconds, calls, recorded, hangups, qualified, matching in connection.tuples(query, values):
        group = groups.setdefault(tuple(key), CountedGroup())
        if not is_talk:
            group.wait[seconds] = calls
            continue
        group.calls += calls
        group.recorded += recorded
        group.agent_hangups += hangups
        group.qualified += qualified
        if wanted is not None and MATCHES in request.columns:
            group.recordings[MATCHES] = group.recordings.get(MATCHES, 0) + matching
        if seconds:
            group.talk[seconds] = calls


def _count_recordings(connection: Connection, request: CountRequest, groups: dict[GroupKey, CountedGroup]) -> None:
    has_words = request.mentions is not None and wanted_expression(request.mentions) is not None
    names = [name for name in request.columns if not (has_words and name == MATCHES)]
    if not names:
        return
    columns, grouped = _keys(request)
    conditions = _conditions(connection, request)
    query = (
        f"SELECT {columns} {', '.join(_RECORD_COUNTS[name] for name in names)}"
        f" FROM call JOIN record ON record.call_id = call.id WHERE {conditions.where}"
        f" GROUP BY {grouped} 1 = 1"
    )
    for row in connection.tuples(query, conditions.values):
        key, counts = row[: len(request.group_by)], row[len(request.group_by) :]
        groups[key].recordings |= dict(zip(names, counts, strict=True))


@dataclass(frozen=True, slots=True)
class Searched:
    """What filters on recordings looked at: calls with recordings, and their records with and without a summary."""

    calls: int = 0
    with_summary: int = 0
    without_summary: int = 0


@dataclass(frozen=True, slots=True)
class CountedSpan:
    """The counts of a span that every requested order covers; `odd`: its calls that are not in them."""

    span: Span
    groups: dict[GroupKey, CountedGroup]
    odd: list[Call]
    searched: Searched


@dataclass(slots=True)
class _Found:
    """The counts, when what they are made of was synced, in microseconds, and the forgotten calls of the spans."""

    spans: list[CountedSpan] = field(default_factory=list[CountedSpan])
    synced_at: list[int] = field(default_factory=list[int])
    forgotten: set[int] = field(default_factory=set[int])


class ArchivedCounts:
    """Counts for a caller with `access`."""

    def __init__(self, database: Database, access: Access) -> None:
        self._database = database
        self._access = access

    async def count(
        self, request: CountRequest, by_clock: Callable[[Span], Sequence[tuple[Span, int]]]
    ) -> list[CountedSpan]:
        """The counts of all parts of the request's span that are covered, oldest first; none of them where only rows
        decide what the caller may see.

        `by_clock` gives the parts of a span in which the clock does not change, with their `utc_offset`.
        Raises: WrongArchive.
        """
        order_ids = [one for one in request.order_ids if self._access.allows_order(one)]
        visible = replace(request, order_ids=order_ids)
        try:
            found = await self._database.read(lambda connection: self._count(connection, visible, by_clock))
        except NoArchive:
            return []
        if found.spans:
            source = provenance()
            source.uses_archive = True
            source.archived += [(moment(one.span.since), moment(one.span.until)) for one in found.spans]
            source.add_sync(from_microseconds(min(found.synced_at)))
            source.forgotten |= found.forgotten
        return found.spans

    async def first_moment(self) -> datetime | None:
        """When the archive of what the caller may see begins; None while it is empty. Raises: WrongArchive."""
        try:
            return await self._database.read(self._first_moment)
        except NoArchive:
            return None

    def _first_moment(self, connection: Connection) -> datetime | None:
        rows = connection.rows("SELECT order_id, min(since) AS first FROM covered GROUP BY order_id")
        seconds = [row["first"] for row in rows if self._access.allows_order(row["order_id"])]
        return moment(min(seconds)) if seconds else None

    def _count(
        self,
        connection: Connection,
        request: CountRequest,
        by_clock: Callable[[Span], Sequence[tuple[Span, int]]],
    ) -> _Found:
        covered: dict[int, list[Span]] = {order_id: [] for order_id in request.order_ids}
        found = _Found()
        read = coverage(connection, request.order_ids, request.span)
        for one in read:
            covered[one.order_id].append(one.span)
        for span in common(request.span, list(covered.values())):
            if any(map(self._access.cannot_decide, odd_calls(connection, request.order_ids, span, NO_RULES))):
                return _Found()
            found.synced_at += [one.synced_at for one in read if intersect(span, [one.span])]
            found.forgotten |= forgotten_in(connection, self._access, request.order_ids, request.user_ids, span)
            for part, offset in by_clock(span):
                of_part = replace(request, span=part, access=self._access, utc_offset=offset)
                odd = odd_calls(connection, request.order_ids, part, self._access)
                groups = count(connection, of_part)
                found.spans.append(CountedSpan(part, groups, odd, _searched(connection, of_part)))
        return found


def _searched(connection: Connection, request: CountRequest) -> Searched:
    if request.transferred is None and request.has_summary is None and request.mentions is None:
        return Searched()
    conditions = _conditions(connection, replace(request, transferred=None, has_summary=None, mentions=None))
    row = connection.one(
        "SELECT count(DISTINCT call.id) AS calls, sum(record.has_summary) AS with_summary, count(*) AS records"
        f" FROM call JOIN record ON record.call_id = call.id WHERE {conditions.where}",
        conditions.values,
    )
    assert row is not None  # noqa: S101 - a count has one row
    with_summary = row["with_summary"] or 0
    return Searched(row["calls"], with_summary, row["records"] - with_summary)
