"""Opens archives, and reads that a deadline can end.

One process writes (see `lock.py`), any number of processes read at the same time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock
from typing import TypeVar

import anyio
import anyio.to_thread

from liner_mcp.archive import postgres, schema, sqlite
from liner_mcp.archive.connection import ArchiveAway, Connection, Location, NoArchive, OlderArchive, WrongArchive
from liner_mcp.archive.last_known import LastKnown
from liner_mcp.archive.lock import writer_lock

logger = logging.getLogger(__name__)

T = TypeVar("T")

FileId = tuple[int, int]
"""The device of a file and its number there: another file at the same path has another one."""

READERS = 4  # connections: a question runs one query at a time, and two cores are common
RETRY_SECONDS = 5.0  # a database server that is away is looked for so often


def connect(location: Location) -> Connection:
    """A connection to whatever database is at a place. Raises: WrongArchive, NoArchive, ArchiveAway."""
    return sqlite.connect(location) if isinstance(location, Path) else postgres.connect(location)


def open_connection(location: Location, *, source: str, writable: bool = False) -> Connection:
    """A connection to an existing archive. `source` is the origin of Liner's API, or the demo.

    Raises: WrongArchive for one that is missing or away, that others can read, that is no archive, of another version
    or of another source.
    """
    connection = connect(location)
    try:
        if not writable:
            connection.for_reading()
        about = check_version(connection)
        if about.get("stemmer") != str(schema.STEMMER_VERSION):
            raise WrongArchive(
                f"LINER_ARCHIVE: {connection.place} was written by an older liner-mcp. Run liner-mcp archive rebuild."
            )
        check_source(connection, about, source)
        if writable:
            connection.for_writing()
    except WrongArchive:
        connection.close()
        raise
    return connection


def create(location: Location, *, source: str, phones: bool) -> Connection:
    """A new archive, with a connection that writes. `phones`: it may hold phones, which are masked otherwise.

    Raises: WrongArchive when it cannot be made.
    """
    about = {"source": source, "phones": str(int(phones)), "stemmer": str(schema.STEMMER_VERSION)}
    if isinstance(location, Path):
        sqlite.create(location, about)
    else:
        postgres.create(location, about)
    return open_connection(location, source=source, writable=True)


def open_or_create(location: Location, *, source: str, phones: bool, migrate: bool = False) -> Connection:
    """A connection that writes to an archive, which is created if it is missing. `migrate`: tables of an older version
    are changed. Raises: WrongArchive.
    """
    try:
        return open_connection(location, source=source, writable=True)
    except NoArchive:
        return create(location, source=source, phones=phones)
    except OlderArchive:
        if not migrate:
            raise
    with writer_lock(location), closing(connect(location)) as connection:
        _migrate(connection)
    return open_connection(location, source=source, writable=True)


def _migrate(connection: Connection) -> None:
    """Bring the tables to the newest version, in one transaction."""
    connection.for_writing()
    with connection.writing():
        for statements in schema.MIGRATIONS[connection.version() - 1 :]:
            connection.define(statements)
        connection.set_version(schema.SCHEMA_VERSION)


def meta(connection: Connection) -> dict[str, str]:
    """What the archive says about itself."""
    return {row["name"]: row["value"] for row in connection.rows("SELECT name, value FROM meta")}


def check_version(connection: Connection) -> dict[str, str]:
    """What the archive says about itself.

    Raises: WrongArchive for another program's database, and for a newer archive; OlderArchive.
    """
    version, about = connection.version(), meta(connection)
    if version > schema.SCHEMA_VERSION or int(about.get("stemmer", 0)) > schema.STEMMER_VERSION:
        raise WrongArchive(f"LINER_ARCHIVE: {connection.place} was written by a newer liner-mcp. Update this one.")
    if version < schema.SCHEMA_VERSION:
        raise OlderArchive(
            f"LINER_ARCHIVE: {connection.place} was written by an older liner-mcp. Run liner-mcp sync, which "
            "changes its tables."
        )
    return about


def check_source(connection: Connection, about: dict[str, str], source: str) -> None:
    """Raises: WrongArchive for a copy of something else."""
    found = about.get("source", "another account")
    if found != source:
        raise WrongArchive(
            f"LINER_ARCHIVE: {connection.place} is a copy of {found}, not of {source}. Name another {connection.kind}."
        )


class _Running:
    """A read in a thread. It can be ended from another thread, and later reads of its connection cannot."""

    def __init__(self) -> None:
        self.stopped = Event()
        self._lock = Lock()
        self._connection: Connection | None = None

    def begin(self, connection: Connection) -> None:
        with self._lock:
            self._connection = connection

    def end(self) -> None:
        with self._lock:
            self._connection = None

    def stop(self) -> None:
        self.stopped.set()
        with self._lock:
            if self._connection is not None:
                self._connection.interrupt()


class Database:
    """The archive for readers: a few connections, opened when they are first needed."""

    def __init__(self, location: Location, source: str) -> None:
        self.location = location
        self.source = source
        self._idle: SimpleQueue[tuple[FileId | None, Connection]] = SimpleQueue()
        self._limiter = anyio.Semaphore(READERS)
        self._usable: FileId | None = None
        self._last_known = LastKnown()
        self._away: ArchiveAway | None = None
        self._away_until = 0.0

    def check(self) -> None:
        """Open the file once, unless that was done since it was made. Without a file, there is nothing to check. A
        database is checked by each read, because connecting takes time.

        Raises: WrongArchive.
        """
        file_id = self._file_id()
        if file_id is not None and file_id != self._usable:
            self._idle.put((file_id, self._open()))
            self._usable = file_id

    async def read(self, job: Callable[[Connection], T]) -> T:
        """The result of `job`, which runs in a thread and sees the archive as it is at one moment. It may run twice.

        When the caller is cancelled or its deadline passes, the running query ends. While a database server is away,
        `job` sees an archive without calls that knows what was forgotten.
        Raises: WrongArchive, NoArchive.
        """
        running = _Running()
        async with self._limiter:
            try:
                return await anyio.to_thread.run_sync(self._run, job, running, abandon_on_cancel=True)
            finally:
                running.stop()

    def _run(self, job: Callable[[Connection], T], running: _Running) -> T:
        if self._away is not None and time.monotonic() < self._away_until:
            return self._last_known.run(job, self._away)
        try:
            result = self._run_connected(job, running)
        except ArchiveAway as error:
            if self._away is None:
                logger.warning("%s Answers come from Liner alone meanwhile.", error)
            self._away, self._away_until = error, time.monotonic() + RETRY_SECONDS
            return self._last_known.run(job, error)
        self._away = None
        return result

    def _run_connected(self, job: Callable[[Connection], T], running: _Running) -> T:
        file_id, connection, reused = self._take()
        running.begin(connection)
        lost = False
        try:
            with connection.reading(running.stopped.is_set):
                if not isinstance(self.location, Path):
                    self._last_known.read_from(connection)
                return job(connection)
        except ArchiveAway:
            lost = True
            if not reused:
                raise
        except WrongArchive:
            self._usable = None
            raise
        finally:
            running.end()
            if lost or running.stopped.is_set():
                connection.close()
            else:
                self._idle.put((file_id, connection))
        self.close()  # after a restart of the server, all its connections are lost
        return self._run_connected(job, running)

    def _take(self) -> tuple[FileId | None, Connection, bool]:
        """A connection to the file that is at the path now, because an archive that was built anew is another file.
        The last value says whether it was open already.
        """
        file_id = self._file_id()
        while not self._idle.empty():
            try:
                opened, connection = self._idle.get_nowait()
            except Empty:
                break
            if opened == file_id:
                return opened, connection, True
            connection.close()
        return file_id, self._open(), False

    def _open(self) -> Connection:
        return open_connection(self.location, source=self.source)

    def _file_id(self) -> FileId | None:
        if not isinstance(self.location, Path):
            return None
        try:
            found = self.location.stat()
        except OSError:
            return None  # opening it says why
        return found.st_dev, found.st_ino

    def close(self) -> None:
        """Close the connections that no query uses."""
        while not self._idle.empty():
            self._idle.get_nowait()[1].close()
