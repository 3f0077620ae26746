"""Rebuilds an archive from the texts that it holds, or as a new file that keeps what was forgotten."""

from __future__ import annotations

import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal

from liner_mcp.archive import schema
from liner_mcp.archive.connection import Connection, import_apsw
from liner_mcp.archive.database import WrongArchive, check_file, create, describe_failure
from liner_mcp.archive.forget import erase
from liner_mcp.archive.writer import Writer
from liner_mcp.text.mask import mask

Rebuilt = Literal["rebuilt", "still_read", "emptied"]
"""`still_read`: rebuilt, but another process reads the old texts. `emptied`: a sync has to read the calls again."""


def rebuild(path: Path, *, source: str, phones: bool) -> Rebuilt:
    """Rebuild the archive at `path`.

    No other process writes meanwhile. Readers see the old archive until the end.
    Raises: WrongArchive; then the archive is as it was.
    """
    apsw = import_apsw()
    check_file(path)
    try:
        with closing(Connection(path)) as connection:
            if connection.pragma("application_id") != schema.APPLICATION_ID:
                raise WrongArchive(f"LINER_ARCHIVE: {path} is a database of another program. Name another file.")
            if connection.pragma("user_version") == schema.SCHEMA_VERSION:
                erased = _rebuild_texts(connection, source, phones=phones)
                return "rebuilt" if erased else "still_read"
    except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, _Damaged):
        pass  # a new file, below
    except apsw.Error as error:
        raise WrongArchive(describe_failure(error, path)) from None
    _replace(path, source, phones=phones)
    return "emptied"


class _Damaged(Exception):
    """The file has a fault in its structure."""


def _rebuild_texts(connection: Connection, source: str, *, phones: bool) -> bool:
    """Make the index of words again, and mask what may no longer be stored unmasked, in one transaction.

    Returns whether no byte of the old texts is left.
    """
    if [row["integrity_check"] for row in connection.rows("PRAGMA integrity_check(1)")] != ["ok"]:
        raise _Damaged
    found = connection.one("SELECT value FROM meta WHERE name = 'source'")
    if found is None or found["value"] != source:
        other = "another account" if found is None else found["value"]
        raise WrongArchive(
            f"LINER_ARCHIVE: {connection.path} is a copy of {other}, not of {source}. Name another file."
        )
    connection.for_writing()
    writer = Writer(connection, phones=phones)
    with connection.writing():
        held = connection.one("SELECT value FROM meta WHERE name = 'phones'")
        if not phones and held is not None and held["value"] == "1":
            _mask_texts(connection)
            connection.rows("UPDATE meta SET value = '0' WHERE name = 'phones'")
        writer.rebuild_words()
        connection.rows("UPDATE meta SET value = ? WHERE name = 'stemmer'", (str(schema.STEMMER_VERSION),))
    return erase(connection)


def _mask_texts(connection: Connection) -> None:
    for table, column in (("call", "client_phone"), ("record", "record_summary")):
        rows = connection.rows(f"SELECT rowid AS row, {column} AS text FROM {table} WHERE {column} IS NOT NULL")
        changed = [(mask(row["text"]), row["row"]) for row in rows if mask(row["text"]) != row["text"]]
        connection.run_many(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", changed)
    rows = connection.rows("SELECT kind, id, body FROM entry")
    connection.run_many(
        "UPDATE entry SET body = ? WHERE kind = ? AND id = ?",
        [(Writer.masked_body(row["body"]), row["kind"], row["id"]) for row in rows],
    )


def _replace(path: Path, source: str, *, phones: bool) -> None:
    """Replace the file by an empty archive that keeps what was forgotten."""
    apsw = import_apsw()
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:  # made with 0700
        new = Path(folder) / path.name
        with closing(create(new, source=source, phones=phones)) as connection:
            try:
                with closing(Connection(path)) as old, connection.writing():
                    for table in schema.PRESERVED:
                        _copy(old, connection, table)
            except apsw.Error:
                raise WrongArchive(
                    f"LINER_ARCHIVE: {path} is so damaged that what was forgotten cannot be read from it. Delete the "
                    "file, run liner-mcp forget again for what must stay forgotten, then liner-mcp sync."
                ) from None
            connection.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        for suffix in ("-wal", "-shm"):  # they belong to the old file and would damage the new one
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).unlink()
        new.replace(path)


def _copy(old: Connection, new: Connection, table: str) -> None:
    rows = old.rows(f"SELECT * FROM {table}")
    if rows:
        names = ", ".join(rows[0])
        marks = ", ".join(f":{name}" for name in rows[0])
        new.run_many(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
