"""Rebuilds an archive from the texts that it holds, or as a new file that keeps what was forgotten."""

from __future__ import annotations

import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal

from liner_mcp.archive import schema
from liner_mcp.archive.connection import Connection, DamagedArchive, Location, WrongArchive
from liner_mcp.archive.database import check_source, check_version, connect, create, meta
from liner_mcp.archive.forget import erase
from liner_mcp.archive.last_known import copy_forgotten
from liner_mcp.archive.writer import Writer
from liner_mcp.text.mask import mask

Rebuilt = Literal["rebuilt", "still_read", "emptied"]
"""`still_read`: rebuilt, but another process reads the old texts. `emptied`: a sync has to read the calls again."""


def rebuild(location: Location, *, source: str, phones: bool) -> Rebuilt:
    """Rebuild the archive at a place.

    No other process writes meanwhile. Readers see the old archive until the end.
    Raises: WrongArchive; then the archive is as it was.
    """
    try:
        with closing(connect(location)) as connection:
            if connection.version() == schema.SCHEMA_VERSION and not connection.count_faults():
                return "rebuilt" if _rebuild_texts(connection, source, phones=phones) else "still_read"
            if not isinstance(location, Path):
                check_version(connection)
    except DamagedArchive:
        if not isinstance(location, Path):
            raise
    assert isinstance(location, Path)  # noqa: S101 - a database of another version was refused
    _replace(location, source, phones=phones)
    return "emptied"


def _rebuild_texts(connection: Connection, source: str, *, phones: bool) -> bool:
    """Make the index of words again, and mask what may no longer be stored unmasked, in one transaction.

    Returns whether no byte of the old texts is left.
    """
    about = meta(connection)
    check_source(connection, about, source)
    connection.for_writing()
    writer = Writer(connection, phones=phones)
    with connection.writing():
        if not phones and about.get("phones") == "1":
            _mask_texts(connection)
            connection.rows("UPDATE meta SET value = '0' WHERE name = 'phones'")
        writer.rebuild_words()
        connection.rows("UPDATE meta SET value = ? WHERE name = 'stemmer'", (str(schema.STEMMER_VERSION),))
    return erase(connection)


def _mask_texts(connection: Connection) -> None:
    for table, key, column in (("call", "id", "client_phone"), ("record", "key", "record_summary")):
        rows = connection.rows(f"SELECT {key} AS row, {column} AS text FROM {table} WHERE {column} IS NOT NULL")
        changed = [(mask(row["text"]), row["row"]) for row in rows if mask(row["text"]) != row["text"]]
        connection.run_many(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", changed)
    rows = connection.rows("SELECT kind, id, body FROM entry")
    connection.run_many(
        "UPDATE entry SET body = ? WHERE kind = ? AND id = ?",
        [(Writer.masked_body(row["body"]), row["kind"], row["id"]) for row in rows],
    )


def _replace(path: Path, source: str, *, phones: bool) -> None:
    """Replace the file by an empty archive that keeps what was forgotten."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:  # made with 0700
        new = Path(folder) / path.name
        with closing(create(new, source=source, phones=phones)) as connection:
            try:
                with closing(connect(path)) as old, connection.writing():
                    copy_forgotten(old, connection)
            except WrongArchive:
                raise WrongArchive(
                    f"LINER_ARCHIVE: {path} is so damaged that what was forgotten cannot be read from it. Delete the "
                    "file, run liner-mcp forget again for what must stay forgotten, then liner-mcp sync."
                ) from None
            connection.tidy(removed=False)
        for suffix in ("-wal", "-shm"):  # they belong to the old file and would damage the new one
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).unlink()
        new.replace(path)
