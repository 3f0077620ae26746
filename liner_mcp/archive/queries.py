"""Reads of an open archive: what it covers, calls, records and dictionaries. Each function runs in one transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from liner_mcp.archive.conditions import MICROSECONDS, Conditions, add_record_filters, mentioning_records, within
from liner_mcp.archive.connection import Connection, Row
from liner_mcp.archive.rows import CALL_FIELDS, call_of, record_of
from liner_mcp.archive.search import Expression
from liner_mcp.archive.spans import Span
from liner_mcp.liner.endpoints import CallFilter
from liner_mcp.liner.models import Call, CallRecord, Identified
from liner_mcp.liner.restricted_client import Access


@dataclass(frozen=True, slots=True)
class Covered:
    """A span of an order that the archive holds, and when it was read, in microseconds."""

    order_id: int
    span: Span
    synced_at: int


def coverage(connection: Connection, order_ids: Sequence[int], span: Span) -> list[Covered]:
    """What is covered of a span, by order."""
    found: list[Covered] = []
    for order_id in order_ids:
        rows = connection.rows(
            "SELECT since, until, synced_at FROM covered WHERE order_id = ? AND since < ? AND until > ? ORDER BY since",
            (order_id, span.until, span.since),
        )
        found += [Covered(order_id, Span(row["since"], row["until"]), row["synced_at"]) for row in rows]
    return found


@dataclass(frozen=True, slots=True)
class Selection:
    """Which archived calls are meant: those of `which` that a caller may see, in the covered spans of its orders.

    `status_codes`: those of its `status_ids`. A value that Liner did not send excludes no call. The hints of `which`
    are applied: `wanted` is the expression of its words.
    """

    which: CallFilter
    spans: Mapping[int, Sequence[Span]]
    access: Access
    status_codes: frozenset[str] | None = None
    wanted: Expression | None = None

    def groups(self) -> Iterator[tuple[Span, Conditions]]:
        """Each span with the conditions on its calls, but for the words, for each group of orders of like spans."""
        orders_of: dict[tuple[Span, ...], list[int]] = {}
        for order_id, spans in self.spans.items():
            orders_of.setdefault(tuple(spans), []).append(order_id)
        for spans, order_ids in orders_of.items():
            for span in spans:
                yield span, self._conditions(span, order_ids)

    def _conditions(self, span: Span, order_ids: Sequence[int]) -> Conditions:
        found = within(span, order_ids)
        _add_members_or_unsent(found, "user_id", self.which.user_ids or None)
        _add_members_or_unsent(found, "order_id", self.access.orders)
        _add_members_or_unsent(found, "user_id", self.access.agents)
        if self.status_codes is not None:
            found.add_members("call.status_code", [*sorted(self.status_codes), None])
        hints = Conditions()
        add_record_filters(hints, transferred=self.which.transferred, has_summary=self.which.has_summary)
        if hints.parts:
            found.add(f"(call.odd = 1 OR {hints.where})", *hints.values)
        return found


def _add_members_or_unsent(found: Conditions, column: str, ids: Collection[int] | None) -> None:
    if ids is not None:
        members = Conditions()
        members.add_members(f"call.{column}", ids)
        unsent = f"(call.sent & {1 << CALL_FIELDS.index(column)}) = 0"
        found.add(f"({members.where} OR {unsent})", *members.values)


def count_calls(connection: Connection, selection: Selection) -> int:
    """How many calls are meant, those included of which it is not known whether the caller may see them."""
    found = 0
    for span, conditions in selection.groups():
        if selection.wanted is not None:
            records, values = mentioning_records(connection, selection.wanted, span)
            conditions.add(f"(call.odd = 1 OR call.id IN (SELECT record.call_id {records}))", *values)
        row = connection.one(f"SELECT count(*) AS found FROM call WHERE {conditions.where}", conditions.values)
        found += row["found"] if row else 0
    return found


def calls(connection: Connection, selection: Selection, limit: int | None = None) -> list[Call]:
    """The same calls, newest first; with `limit`, at most so many."""
    found: list[Row] = []
    for span, conditions in selection.groups():
        if selection.wanted is not None:
            found += _mentioning(connection, selection.wanted, span, conditions, limit)
        else:
            found += connection.rows(*_newest(conditions, limit))
    found.sort(key=lambda row: (row["created_at"], row["id"]), reverse=True)
    return [call_of(row) for row in found[:limit]]


def odd_calls(connection: Connection, order_ids: Sequence[int], span: Span, access: Access) -> list[Call]:
    """The calls of which something is unknown, newest first."""
    conditions = within(span, order_ids, access)
    conditions.add("odd = 1")
    return [call_of(row) for row in connection.rows(*_newest(conditions, None))]


def _newest(conditions: Conditions, limit: int | None) -> tuple[str, list[object]]:
    cut = "" if limit is None else f" LIMIT {limit:d}"
    where = conditions.where
    return f"SELECT * FROM call WHERE {where} ORDER BY created_at DESC, id DESC{cut}", conditions.values


def _mentioning(
    connection: Connection, wanted: Expression, span: Span, conditions: Conditions, limit: int | None
) -> list[Row]:
    """The same for calls with the wanted words in a summary, and all odd calls.

    The index of words is read from its newest end, so that a few calls cost no more where there are many.
    """
    found = {row["id"]: row for row in _odd_rows(connection, conditions)}
    mentioned = set[int]()
    for part in (span,) if limit is None else connection.newest_parts(span):
        records, values = mentioning_records(connection, wanted, part, "call ON call.id = call_id")
        words = connection.iterate(
            f"SELECT call.* {records} AND {conditions.where} ORDER BY word.rowid DESC", [*values, *conditions.values]
        )
        oldest = part.until
        for row in words:
            # Within a second, the order of keys is not that of calls, so the last second is read to its end.
            if limit is not None and len(mentioned) >= limit and _second(row) < oldest:
                break
            oldest = _second(row)
            mentioned.add(row["id"])
            found[row["id"]] = row
        if limit is not None and len(mentioned) >= limit:
            break
    newest = sorted(found.values(), key=lambda row: (row["created_at"], row["id"]), reverse=True)
    return newest[:limit]


def _odd_rows(connection: Connection, conditions: Conditions) -> Iterable[Row]:
    return connection.rows(f"SELECT * FROM call WHERE odd = 1 AND {conditions.where}", conditions.values)


def _second(row: Row) -> int:
    return row["created_at"] // MICROSECONDS


def status_codes(connection: Connection, status_ids: Sequence[int]) -> frozenset[str] | None:
    """The codes of call statuses; None where the archive does not know all of them."""
    codes: set[str] = set()
    for one in status_ids:
        row = connection.one("SELECT body FROM entry WHERE kind = 'call_statuses' AND id = ?", (one,))
        code = None if row is None else json.loads(row["body"]).get("code")
        if code is None:
            return None
        codes.add(code)
    return frozenset(codes)


def records_of_call(connection: Connection, call_id: int) -> list[CallRecord]:
    """The records of a call in Liner's order."""
    rows = connection.rows("SELECT * FROM record WHERE call_id = ? ORDER BY position", (call_id,))
    return [record_of(row) for row in rows]


_COVERED_CALL = (
    "SELECT call.*, covered.synced_at FROM call JOIN covered ON covered.order_id = list_order_id"
    " AND since * 1000000 <= created_at AND until * 1000000 > created_at"
)


@dataclass(frozen=True, slots=True)
class ArchivedCall:
    """A call of a covered span, and when it was read, in microseconds."""

    call: Call
    synced_at: int


def covered_call(connection: Connection, call_id: int, access: Access) -> ArchivedCall | None:
    """A call that the caller may see."""
    row = connection.one(f"{_COVERED_CALL} WHERE id = ?", (call_id,))
    found = None if row is None else ArchivedCall(call_of(row), row["synced_at"])
    return found if found is not None and access.allows_call(found.call) else None


def covered_record(connection: Connection, record_id: int, access: Access) -> tuple[CallRecord, int] | None:
    """A record of a call that the caller may see, and when it was read."""
    for row in connection.rows("SELECT * FROM record WHERE id = ? ORDER BY key", (record_id,)):
        call = covered_call(connection, row["call_id"], access)
        if call is not None:
            return record_of(row), call.synced_at
    return None


@dataclass(frozen=True, slots=True)
class ArchivedDictionary:
    """A dictionary as it was read at `synced_at`, in microseconds. `former`: entries that had left it by then."""

    listed: tuple[Identified, ...]
    former: tuple[Identified, ...]
    synced_at: int
    complete: bool


def dictionary(connection: Connection, kind: str, model: type[Identified]) -> ArchivedDictionary | None:
    """A dictionary; None where none was read."""
    read = connection.one("SELECT synced_at, complete FROM dictionary WHERE kind = ?", (kind,))
    if read is None:
        return None
    rows = connection.rows("SELECT body, listed FROM entry WHERE kind = ? ORDER BY id", (kind,))
    entries = [(model.model_validate_json(row["body"]), row["listed"]) for row in rows]
    return ArchivedDictionary(
        tuple(entry for entry, listed in entries if listed),
        tuple(entry for entry, listed in entries if not listed),
        read["synced_at"],
        bool(read["complete"]),
    )
