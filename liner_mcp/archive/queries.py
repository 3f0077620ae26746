"""Reads of an open archive: what it covers, calls, records and dictionaries. Each function runs in one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from liner_mcp.archive.connection import Connection
from liner_mcp.archive.rows import CALL_FIELDS, call_of, record_of
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
            "SELECT since, until, synced_at FROM covered WHERE order_id = ? AND since < ? AND until > ?",
            (order_id, span.until, span.since),
        )
        found += [Covered(order_id, Span(row["since"], row["until"]), row["synced_at"]) for row in rows]
    return found


@dataclass(frozen=True, slots=True)
class Selection:
    """Which archived calls are meant: those of `which` that a caller may see, in the covered spans of its orders.

    `status_codes`: those of its `status_ids`. A value that Liner did not send excludes no call.
    """

    which: CallFilter
    spans: Mapping[int, Sequence[Span]]
    access: Access
    status_codes: frozenset[str] | None = None

    def conditions(self) -> Iterator[tuple[str, list[object]]]:
        """The conditions of a query of the table `call`, and their values, for each group of orders of like spans."""
        orders_of: dict[tuple[Span, ...], list[int]] = {}
        for order_id, spans in self.spans.items():
            orders_of.setdefault(tuple(spans), []).append(order_id)
        shared = self._shared_conditions()
        for spans, order_ids in orders_of.items():
            for span in spans:
                parts = ["created_at >= ? AND created_at < ?", _in("list_order_id", order_ids)]
                values: list[object] = [span.since * 1_000_000, span.until * 1_000_000, *order_ids]
                yield (
                    " AND ".join([*parts, *(part for part, _ in shared)]),
                    [*values, *(value for _, more in shared for value in more)],
                )

    def _shared_conditions(self) -> list[tuple[str, list[object]]]:
        users = self.which.user_ids
        found: list[tuple[str, list[object]]] = []
        for column, ids in (
            ("user_id", users or None),
            ("order_id", self.access.orders),
            ("user_id", self.access.agents),
        ):
            if ids is not None:
                unsent = f"NOT sent & {1 << CALL_FIELDS.index(column)}"
                found.append((f"({_in(column, list(ids))} OR {unsent})", list(ids)))
        if self.status_codes is not None:
            codes = sorted(self.status_codes)
            found.append((f"({_in('status_code', codes)} OR status_code IS NULL)", list(codes)))
        return found


def count_calls(connection: Connection, selection: Selection) -> int:
    """How many calls are meant, those included of which it is not known whether the caller may see them."""
    found = 0
    for conditions, values in selection.conditions():
        row = connection.one(f"SELECT count(*) AS found FROM call WHERE {conditions}", values)  # noqa: S608 - our names
        found += row["found"] if row else 0
    return found


def calls(connection: Connection, selection: Selection) -> list[Call]:
    """The same calls, in no order."""
    return [
        call_of(row)
        for conditions, values in selection.conditions()
        for row in connection.rows(f"SELECT * FROM call WHERE {conditions}", values)  # noqa: S608 - our own names
    ]


def _in(column: str, values: Sequence[object]) -> str:
    return f"{column} IN ({', '.join('?' * len(values))})"


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
