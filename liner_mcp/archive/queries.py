"""Reads of an open archive: what it covers, calls, records and dictionaries. Each function runs in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from liner_mcp.archive.connection import Connection
from liner_mcp.archive.rows import call_of, record_of
from liner_mcp.archive.spans import Span
from liner_mcp.liner.endpoints import CallFilter
from liner_mcp.liner.models import Call, CallRecord
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
            "SELECT since, until, synced_at FROM covered WHERE order_id = ? AND since < ? AND until > ?",
            (order_id, span.until, span.since),
        )
        found += [Covered(order_id, Span(row["since"], row["until"]), row["synced_at"]) for row in rows]
    return found


def calls(connection: Connection, which: CallFilter, span: Span, access: Access) -> list[Call]:
    """The calls of some orders in a span, newest first, that a caller may see."""
    conditions = ["created_at >= ?", "created_at < ?", _in("list_order_id", which.order_ids)]
    values: list[int] = [span.since * 1_000_000, span.until * 1_000_000, *which.order_ids]
    if which.user_ids:
        conditions.append(_in("user_id", which.user_ids))
        values += which.user_ids
    if access.orders is not None:
        conditions.append(_in("order_id", sorted(access.orders)))
        values += sorted(access.orders)
    if access.agents is not None:
        conditions.append(_in("user_id", sorted(access.agents)))
        values += sorted(access.agents)
    query = f"SELECT * FROM call WHERE {' AND '.join(conditions)} ORDER BY created_at DESC, id DESC"  # noqa: S608
    return [call_of(row) for row in connection.rows(query, values)]


def _in(column: str, ids: Sequence[int]) -> str:
    return f"{column} IN ({', '.join('?' * len(ids))})"


def records_of_call(connection: Connection, call_id: int) -> list[CallRecord]:
    """The records of a call in Liner's order."""
    rows = connection.rows("SELECT * FROM record WHERE call_id = ? ORDER BY position", (call_id,))
    return [record_of(row) for row in rows]
