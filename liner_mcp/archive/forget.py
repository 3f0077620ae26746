"""Forgetting: calls leave the archive for good, with every byte of their texts, and no sync brings them back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from liner_mcp.archive.connection import Connection, Row, WrongArchive
from liner_mcp.archive.rows import from_microseconds, to_microseconds
from liner_mcp.archive.writer import Writer


def forget_lead(connection: Connection, writer: Writer, lead_id: int, now: datetime) -> tuple[int, int]:
    """Forget the calls of a lead up to now, and those with a recording of the lead. Later calls are new ones.

    Returns the calls and the records that were deleted.
    """
    with connection.writing():
        connection.rows(
            "INSERT INTO forgotten_lead AS old VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET before = excluded.before"
            " WHERE old.before < excluded.before",
            (lead_id, to_microseconds(now)),
        )
        rows = connection.rows(
            "SELECT * FROM call WHERE (lead_id = ? OR id IN (SELECT call_id FROM record WHERE lead_id = ?))"
            " AND created_at < ?",
            (lead_id, lead_id, to_microseconds(now)),
        )
        return _forget(connection, writer, rows)


def forget_call(connection: Connection, writer: Writer, call_id: int) -> tuple[int, int]:
    """Forget one call, also one that is not archived yet. Returns as `forget_lead`."""
    with connection.writing():
        writer.note_forgotten(call_id, None, None, None)
        return _forget(connection, writer, connection.rows("SELECT * FROM call WHERE id = ?", (call_id,)))


def forget_before(connection: Connection, writer: Writer, moment: datetime) -> tuple[int, int]:
    """Forget every call that was created before a moment. Returns as `forget_lead`."""
    before = to_microseconds(moment)
    with connection.writing():
        connection.rows(
            "INSERT INTO forgotten_before AS old VALUES (1, ?) ON CONFLICT (only_row) DO UPDATE SET"
            " before = excluded.before WHERE old.before < excluded.before",
            (before,),
        )
        rows = connection.rows("SELECT * FROM call WHERE created_at < ?", (before,))
        return _forget(connection, writer, rows)


def _forget(connection: Connection, writer: Writer, rows: Iterable[Row]) -> tuple[int, int]:
    calls = records = 0
    for row in rows:
        ids = [one["id"] for one in connection.rows("SELECT id FROM record WHERE call_id = ?", (row["id"],))]
        writer.note_forgotten(row["id"], from_microseconds(row["created_at"]), row["list_order_id"], row["user_id"])
        writer.note_forgotten_records(row["id"], ids)
        writer.delete_calls([row["id"]])
        calls += 1
        records += len(ids)
    return calls, records


def erase(connection: Connection) -> bool:
    """Rewrite what holds texts, so that no byte of a deleted one is left.

    Returns whether it is done: while another process reads, it sees the old texts, and they stay.
    Raises: WrongArchive, for example when the disk has no room for a second copy.
    """
    try:
        return connection.erase()
    except WrongArchive as error:
        raise WrongArchive(
            f"{error} The calls are forgotten, but parts of their texts may still be in the {connection.kind}. Run "
            "this again."
        ) from None
