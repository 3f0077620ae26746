"""Writing a day of an order into the archive, in one transaction: after a crash it is there whole, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from liner_mcp.archive.connection import Connection
from liner_mcp.archive.rows import call_values, is_odd, record_values, to_microseconds
from liner_mcp.archive.spans import Span
from liner_mcp.liner.models import Call, CallRecord, Identified
from liner_mcp.search.words import WORD, stem
from liner_mcp.text.mask import mask

KEY_BITS = 20  # numbers of one second: the record's id, or the next free number
_KEY_NUMBERS = 1 << KEY_BITS


def first_key(second: int) -> int:
    """The smallest key of a record whose call was created in this second."""
    return second << KEY_BITS


class Writer:
    """Writes to an open archive. `phones`: texts are stored as Liner sent them, otherwise masked."""

    def __init__(self, connection: Connection, *, phones: bool) -> None:
        self._connection = connection
        self._phones = phones

    def replace_span(
        self,
        order_id: int,
        span: Span,
        calls: Sequence[Call],
        records: Mapping[int, Sequence[CallRecord]],
        *,
        synced_at: datetime,
        settled: bool,
    ) -> int:
        """Store what an order's list holds for a span, instead of what was stored for it. Returns the calls stored.

        Every call has its time within the span, and its records are all that Liner lists. Forgotten calls are left out.
        """
        with self._connection.writing():
            old = self._connection.rows(
                "SELECT id FROM call WHERE list_order_id = ? AND created_at >= ? AND created_at < ?",
                (order_id, span.since * 1_000_000, span.until * 1_000_000),
            )
            self.delete_calls(row["id"] for row in old)
            kept = [call for call in calls if not self.is_forgotten(call)]
            # A call may have moved here from another order or another time.
            self.delete_calls(call.id for call in kept)
            for call in kept:
                self._insert(order_id, call, records.get(call.id, ()))
            self._cover(order_id, span, synced_at, settled=settled)
        return len(kept)

    def is_forgotten(self, call: Call) -> bool:
        """Whether a call is not to be stored again."""
        row = self._connection.one(
            "SELECT 1 FROM forgotten_call WHERE id = ?1"
            " UNION ALL SELECT 1 FROM forgotten_lead WHERE id = ?2 AND ?3 < before"
            " UNION ALL SELECT 1 FROM forgotten_before WHERE ?3 < before",
            (call.id, call.lead_id, to_microseconds(call.created_at)),
        )
        return row is not None

    def delete_calls(self, call_ids: Iterable[int]) -> None:
        """Delete calls, their records and the words of these."""
        for call_id in call_ids:
            rows = self._connection.rows("SELECT key FROM record WHERE call_id = ?", (call_id,))
            self._connection.run_many("DELETE FROM word WHERE rowid = ?", [(row["key"],) for row in rows])
            self._connection.rows("DELETE FROM record WHERE call_id = ?", (call_id,))
            self._connection.rows("DELETE FROM call WHERE id = ?", (call_id,))

    def write_dictionary(
        self, kind: str, entries: Iterable[Identified], *, synced_at: datetime, complete: bool
    ) -> None:
        """Store a dictionary. Entries that have left the list stay, marked: old calls carry their ids."""
        with self._connection.writing():
            if complete:
                self._connection.rows("UPDATE entry SET listed = 0 WHERE kind = ?", (kind,))
            self._connection.run_many(
                "INSERT INTO entry VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET body = excluded.body, listed = 1",
                [(kind, one.id, self._shown(one.model_dump_json(exclude_unset=True))) for one in entries],
            )
            self._connection.rows(
                "INSERT INTO dictionary VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET synced_at = excluded.synced_at, complete = excluded.complete",
                (kind, to_microseconds(synced_at), int(complete)),
            )

    def _shown(self, body: str) -> str:
        """The JSON of an entry with masked texts."""
        if self._phones:
            return body
        return json.dumps(_masked(json.loads(body)), ensure_ascii=False)

    def _insert(self, order_id: int, call: Call, records: Sequence[CallRecord]) -> None:
        values = {**call_values(call), "list_order_id": order_id}
        if not self._phones and call.client_phone is not None:
            values["client_phone"] = mask(call.client_phone)
        shared = self._records_of_other_calls(call, records)
        values["odd"] = int(is_odd(call, records) or bool(shared))
        _insert(self._connection, "call", values)
        self._connection.run_many("UPDATE call SET odd = 1 WHERE id = ?", [(other,) for other in shared])
        for position, record in enumerate(records):
            self._insert_record(call, position, record)

    def _records_of_other_calls(self, call: Call, records: Sequence[CallRecord]) -> set[int]:
        """The calls that have one of these records too."""
        found: set[int] = set()
        for record in records:
            rows = self._connection.rows("SELECT call_id FROM record WHERE id = ?", (record.id,))
            found |= {row["call_id"] for row in rows}
        return found - {call.id}

    def _insert_record(self, call: Call, position: int, record: CallRecord) -> None:
        values = record_values(record)
        summary = record.record_summary
        masked = None if summary is None else mask(summary)
        if not self._phones:
            values["record_summary"] = masked
        key = self._free_key(call, record.id)
        _insert(self._connection, "record", {**values, "key": key, "call_id": call.id, "position": position})
        if masked:
            # Masked even where phones are stored: otherwise a search would tell any caller who has which number.
            stems = " ".join(stem(word[0]) for word in WORD.finditer(masked))
            self._connection.rows("INSERT INTO word (rowid, stems) VALUES (?, ?)", (key, stems))

    def _free_key(self, call: Call, record_id: int) -> int:
        second = (to_microseconds(call.created_at) or 0) // 1_000_000
        key = first_key(second) + record_id % _KEY_NUMBERS
        while self._connection.one("SELECT 1 FROM record WHERE key = ?", (key,)):
            key = first_key(second) + (key + 1) % _KEY_NUMBERS
        return key

    def _cover(self, order_id: int, span: Span, synced_at: datetime, *, settled: bool) -> None:
        """Note that a span was read, instead of what was noted about its parts."""
        overlapping = self._connection.rows(
            "SELECT since, until, synced_at, settled FROM covered WHERE order_id = ? AND since < ? AND until > ?",
            (order_id, span.until, span.since),
        )
        rows = [(order_id, span.since, span.until, to_microseconds(synced_at), int(settled))]
        for row in overlapping:
            rest = (row["synced_at"], row["settled"])
            if row["since"] < span.since:
                rows.append((order_id, row["since"], span.since, *rest))
            if row["until"] > span.until:
                rows.append((order_id, span.until, row["until"], *rest))
        self._connection.rows(
            "DELETE FROM covered WHERE order_id = ? AND since < ? AND until > ?", (order_id, span.until, span.since)
        )
        self._connection.run_many("INSERT INTO covered VALUES (?, ?, ?, ?, ?)", rows)


def _insert(connection: Connection, table: str, values: Mapping[str, Any]) -> None:
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    connection.rows(f"INSERT INTO {table} ({names}) VALUES ({marks})", dict(values))


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {name: _masked(member) for name, member in cast("dict[str, Any]", value).items()}
    return [_masked(member) for member in cast("list[Any]", value)] if isinstance(value, list) else value
