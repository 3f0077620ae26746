"""Reads of an open archive: what it covers, calls, records and dictionaries. Each function runs in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from liner_mcp.archive.conditions import MICROSECONDS, Conditions, add_record_filters, within
from liner_mcp.archive.connection import Connection, Row
from liner_mcp.archive.rows import call_of, record_of
from liner_mcp.archive.search import wanted_expression
from liner_mcp.archive.spans import Span
from liner_mcp.archive.writer import first_key
from liner_mcp.liner.endpoints import CallFilter
from liner_mcp.liner.models import Call, CallRecord
from liner_mcp.liner.restricted_client import Access
from liner_mcp.search.matching import compile_query


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
            "SELECT since, until, synced_at FROM covered WHERE order_id = ? AND since < ? AND until > ?",
            (order_id, span.until, span.since),
        )
        found += [Covered(order_id, Span(row["since"], row["until"]), row["synced_at"]) for row in rows]
    return found


def calls(
    connection: Connection, which: CallFilter, span: Span, access: Access, limit: int | None = None
) -> list[Call]:
    """The calls of some orders in a span, newest first, that a caller may see; with `limit`, at most so many.

    The hints of `which` are applied, the ids of statuses are not: an archived call has its status's code.
    """
    conditions = within(span, which.order_ids, access)
    if which.user_ids:
        conditions.add_members("call.user_id", which.user_ids)
    hints = Conditions()
    add_record_filters(hints, transferred=which.transferred, has_summary=which.has_summary)
    if hints.parts:
        conditions.add(f"(call.odd = 1 OR {hints.where})", *hints.values)
    wanted = None if which.mentions is None else wanted_expression(compile_query(which.mentions))
    if wanted is not None:
        return _mentioning(connection, wanted, span, conditions, limit)
    return [call_of(row) for row in connection.rows(*_newest(conditions, limit))]


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
    connection: Connection, wanted: str, span: Span, conditions: Conditions, limit: int | None
) -> list[Call]:
    """The same for calls with the wanted words in a summary, and all odd calls.

    The index of words is read from its newest end, so that a few calls cost no more where there are many.
    """
    found = {row["id"]: row for row in _odd_rows(connection, conditions)}
    words = connection.iterate(
        "SELECT call.* FROM word CROSS JOIN record ON record.key = word.rowid CROSS JOIN call ON call.id = call_id"
        f" WHERE word MATCH ? AND word.rowid >= ? AND word.rowid < ? AND {conditions.where} ORDER BY word.rowid DESC",
        [wanted, first_key(span.since), first_key(span.until), *conditions.values],
    )
    mentioned = set[int]()
    oldest = span.until
    for row in words:
        # Within a second, the order of keys is not that of calls, so the last second is read to its end.
        if limit is not None and len(mentioned) >= limit and _second(row) < oldest:
            break
        oldest = _second(row)
        mentioned.add(row["id"])
        found[row["id"]] = row
    newest = sorted(found.values(), key=lambda row: (row["created_at"], row["id"]), reverse=True)
    return [call_of(row) for row in newest[:limit]]


def _odd_rows(connection: Connection, conditions: Conditions) -> Iterable[Row]:
    return connection.rows(f"SELECT * FROM call WHERE odd = 1 AND {conditions.where}", conditions.values)


def _second(row: Row) -> int:
    return row["created_at"] // MICROSECONDS


def records_of_call(connection: Connection, call_id: int) -> list[CallRecord]:
    """The records of a call in Liner's order."""
    rows = connection.rows("SELECT * FROM record WHERE call_id = ? ORDER BY position", (call_id,))
    return [record_of(row) for row in rows]
