"""Writing a day of an order into the archive, in one transaction: after a crash it is there whole, or not at all."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from liner_mcp.archive.connection import Connection
from liner_mcp.archive.rows import call_values, is_odd, record_of, record_values, to_microseconds
from liner_mcp.archive.search import unspaced
from liner_mcp.archive.spans import Span
from liner_mcp.liner.models import Call, CallRecord, Identified
from liner_mcp.search.words import WORD, stem
from liner_mcp.text.mask import mask

KEY_BITS = 20  # numbers of one second: the record's id, or the next free number
_KEY_NUMBERS = 1 << KEY_BITS


def first_key(second: int) -> int:
    """The smallest key of a record whose call was created in this second."""
    return second << KEY_BITS


def stems_of(masked: str) -> str:
    """The stems of a masked text, as the index of words holds them."""
    return " ".join(unspaced(stem(word[0])) for word in WORD.finditer(masked))


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
        unchanged: Collection[int] = (),
    ) -> int:
        """Store what an order's list holds for a span, instead of what was stored for it. Returns the calls stored.

        Every call has its time within the span, and its records are all that Liner lists; those of `unchanged` calls
        are stored already. Of forgotten calls, the ids are stored.
        """
        with self._connection.writing():
            old = self._connection.rows(
                "SELECT id FROM call WHERE list_order_id = ? AND created_at >= ? AND created_at < ?",
                (order_id, span.since * 1_000_000, span.until * 1_000_000),
            )
            forgotten = {call.id for call in calls if self.is_forgotten(call, records.get(call.id, ()))}
            kept = [call for call in calls if call.id not in forgotten]
            stored = {row["id"] for row in old} & set(unchanged) - forgotten
            self.delete_calls(row["id"] for row in old if row["id"] not in stored)
            # A call may have moved here from another order or another time.
            self.delete_calls(call.id for call in kept if call.id not in stored)
            for call in kept:
                if call.id in stored:
                    self._update(call)
                else:
                    self._insert(order_id, call, records.get(call.id, ()))
            for call in calls:
                if call.id in forgotten:
                    self.note_forgotten(call.id, call.created_at, order_id, call.user_id)
                    self.note_forgotten_records(call.id, [record.id for record in records.get(call.id, ())])
            self._cover(order_id, span, synced_at, settled=settled)
        return len(kept)

    def is_forgotten(self, call: Call, records: Sequence[CallRecord] = ()) -> bool:
        """Whether a call is not to be stored again. A record may be of another lead than its call's."""
        created = to_microseconds(call.created_at)
        leads = {call.lead_id, *(record.lead_id for record in records)} - {None}
        row = self._connection.one(
            "SELECT 1 FROM forgotten_call WHERE id = ? UNION ALL SELECT 1 FROM forgotten_before WHERE ? < before",
            (call.id, created),
        )
        return row is not None or any(
            self._connection.one("SELECT 1 FROM forgotten_lead WHERE id = ? AND ? < before", (lead, created))
            for lead in leads
        )

    def note_forgotten(
        self, call_id: int, created_at: datetime | None, order_id: int | None, user_id: int | None
    ) -> None:
        """Note what an answer needs to count a forgotten call."""
        self._connection.rows(
            "INSERT INTO forgotten_call AS old VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " created_at = coalesce(excluded.created_at, old.created_at),"
            " order_id = coalesce(excluded.order_id, old.order_id),"
            " user_id = coalesce(excluded.user_id, old.user_id)",
            (call_id, to_microseconds(created_at), order_id, user_id),
        )

    def note_forgotten_records(self, call_id: int, record_ids: Iterable[int]) -> None:
        """Note the records of a forgotten call, which are requested by their own ids."""
        self._connection.run_many(
            "INSERT INTO forgotten_record VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET call_id = excluded.call_id",
            [(one, call_id) for one in record_ids],
        )

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
                "INSERT INTO entry VALUES (?, ?, ?, 1)"
                " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body, listed = 1",
                [(kind, one.id, self._shown(one.model_dump_json(exclude_unset=True))) for one in entries],
            )
            self._connection.rows(
                "INSERT INTO dictionary VALUES (?, ?, ?)"
                " ON CONFLICT (kind) DO UPDATE SET synced_at = excluded.synced_at, complete = excluded.complete",
                (kind, to_microseconds(synced_at), int(complete)),
            )

    def _shown(self, body: str) -> str:
        return body if self._phones else self.masked_body(body)

    @staticmethod
    def masked_body(body: str) -> str:
        """The JSON of an entry with masked texts."""
        return json.dumps(_masked(json.loads(body)), ensure_ascii=False)

    def _update(self, call: Call) -> None:
        """Store a call again, whose records are as they were."""
        rows = self._connection.rows("SELECT * FROM record WHERE call_id = ? ORDER BY position", (call.id,))
        shared = self._connection.one(
            "SELECT 1 FROM record WHERE call_id <> ? AND id IN (SELECT id FROM record WHERE call_id = ?)",
            (call.id, call.id),
        )
        values = self._call_values(call)
        values["odd"] = int(is_odd(call, [record_of(row) for row in rows]) or shared is not None)
        assignments = ", ".join(f"{name} = :{name}" for name in values)
        self._connection.rows(f"UPDATE call SET {assignments} WHERE id = :id", values)

    def _call_values(self, call: Call) -> dict[str, Any]:
        values = call_values(call)
        if not self._phones and call.client_phone is not None:
            values["client_phone"] = mask(call.client_phone)
        return values

    def _insert(self, order_id: int, call: Call, records: Sequence[CallRecord]) -> None:
        values = {**self._call_values(call), "list_order_id": order_id}
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
            self._connection.rows("INSERT INTO word (rowid, stems) VALUES (?, ?)", (key, stems_of(masked)))

    def rebuild_words(self) -> None:
        """Make the index of words again from the stored summaries, within a transaction of the caller."""
        self._connection.clear_words()
        rows = self._connection.iterate("SELECT key, record_summary FROM record WHERE record_summary IS NOT NULL")
        masked = ((row["key"], mask(row["record_summary"])) for row in rows)
        self._connection.run_many(
            "INSERT INTO word (rowid, stems) VALUES (?, ?)", ((key, stems_of(text)) for key, text in masked if text)
        )

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
