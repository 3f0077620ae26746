"""What was forgotten, as it was last read: it stays in no answer while the database server is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TypeVar

from liner_mcp.archive import schema
from liner_mcp.archive.connection import ArchiveAway, Connection
from liner_mcp.archive.sqlite import SqliteConnection, write_tables

T = TypeVar("T")

REREAD_SECONDS = 5.0


class LastKnown:
    """An archive in memory that covers no time and knows what was forgotten. So answers come from Liner alone."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._memory: Connection | None = None
        self._read_at = float("-inf")

    def read_from(self, connection: Connection) -> None:
        """Copy what was forgotten, unless that was done some seconds ago. A read is running."""
        if time.monotonic() - self._read_at < REREAD_SECONDS:
            return
        self._read_at = time.monotonic()
        memory = SqliteConnection(Path(":memory:"))
        rows = connection.rows("SELECT name, value FROM meta")
        write_tables(memory, {row["name"]: row["value"] for row in rows})
        with memory.writing():
            copy_forgotten(connection, memory)
        with self._lock:
            self._memory = memory

    def run(self, job: Callable[[Connection], T], error: ArchiveAway) -> T:
        """The result of a read. Raises: the error, while nothing was copied yet: what was forgotten is not known."""
        with self._lock:
            if self._memory is None:
                raise error
            return job(self._memory)


def copy_forgotten(old: Connection, new: Connection) -> None:
    """Copy the tables of what was forgotten, within a transaction."""
    for table in schema.PRESERVED:
        rows = old.rows(f"SELECT * FROM {table}")
        if rows:
            names, marks = ", ".join(rows[0]), ", ".join(f":{name}" for name in rows[0])
            new.run_many(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
