"""Forgetting: calls leave the archive for good, with every byte of their texts, and no sync brings them back.

SQLite overwrites deleted rows, but copies of a row may remain in the unused part of a page that was split, and the
index of words keeps its words until it is rewritten. So the index and then the whole file are rewritten.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import datetime

from liner_mcp.archive.connection import Connection, Row, import_apsw
from liner_mcp.archive.database import WrongArchive, describe_failure
from liner_mcp.archive.rows import from_microseconds, to_microseconds
from liner_mcp.archive.writer import Writer

READER_MILLISECONDS = 10_000  # a server reads for far less; a longer read is another program's


def forget_lead(connection: Connection, writer: Writer, lead_id: int, now: datetime) -> tuple[int, int]:
    """Forget the calls of a lead up to now, and those with a recording of the lead. Later calls are new ones.

    Returns the calls and the records that were deleted.
    """
    with connection.writing():
        connection.rows(
            "INSERT INTO forgotten_lead VALUES (?, ?) ON CONFLICT DO UPDATE SET before = max(before, excluded.before)",
            (lead_id, to_microseconds(now)),
        )
        rows = connection.rows(
            "SELECT * FROM call WHERE (lead_id = ?1 OR id IN (SELECT call_id FROM record WHERE lead_id = ?1))"
            " AND created_at < ?2",
            (lead_id, to_microseconds(now)),
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
            "INSERT INTO forgotten_before VALUES (1, ?)"
            " ON CONFLICT DO UPDATE SET before = max(before, excluded.before)",
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
    """Rewrite the index of words and the file, so that no byte of a deleted text is left.

    Returns whether it is done: while another process reads, it sees the old file, and the texts stay in it.
    Raises: WrongArchive, for example when the disk has no room for a second copy.
    """
    apsw = import_apsw()
    try:
        optimize_index(connection)
        with _temporary_files_beside(connection):
            connection.rows("VACUUM")
        return checkpoint(connection)
    except apsw.Error as error:
        raise WrongArchive(
            f"{describe_failure(error, connection.path)} The calls are forgotten, but parts of their texts may still "
            "be in the file. Run this again."
        ) from None


def optimize_index(connection: Connection) -> None:
    """Rewrite the index of words without those of deleted records."""
    connection.rows("INSERT INTO word (word) VALUES ('optimize')")


def checkpoint(connection: Connection) -> bool:
    """Move all changes into the file and empty the file of changes. Returns whether no reader prevented it."""
    with connection.waiting(READER_MILLISECONDS):
        row = connection.one("PRAGMA wal_checkpoint(TRUNCATE)")
    return row is not None and row["busy"] == 0


@contextmanager
def _temporary_files_beside(connection: Connection) -> Generator[None]:
    """SQLite writes its second copy into the folder of the archive, and not into that of all programs."""
    before = os.environ.get("SQLITE_TMPDIR")
    os.environ["SQLITE_TMPDIR"] = str(connection.path.parent)
    try:
        yield
    finally:
        if before is None:
            del os.environ["SQLITE_TMPDIR"]
        else:
            os.environ["SQLITE_TMPDIR"] = before
