"""The file of an archive: who may open it, and reads that a deadline can end.

SQLite comes with `apsw`, whose wheel brings a version that can forget. One process writes (see `lock.py`), any number
of processes read at the same time.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event
from typing import TypeVar

import anyio
import anyio.to_thread

from liner_mcp.archive import schema
from liner_mcp.archive.connection import Connection, import_apsw
from liner_mcp.errors import SetupError

T = TypeVar("T")

FileId = tuple[int, int]
"""The device of a file and its number there: another file at the same path has another one."""

READERS = 4  # connections: a question runs one query at a time, and two cores are common


class WrongArchive(SetupError):
    """The file cannot be used as the archive. The sentence names it and the next step."""


class NoArchive(WrongArchive):
    """There is no file at the path yet."""


def open_connection(path: Path, *, source: str, writable: bool = False) -> Connection:
    """A connection to an existing archive. `source` is the origin of Liner's API, or the demo.

    Raises: WrongArchive for a file that is missing, that others can read, that is no archive, of another version or of
    another source.
    """
    apsw = import_apsw()
    check_file(path)
    connection: Connection | None = None
    try:
        connection = Connection(path)
        if not writable:
            connection.for_reading()
        _check_content(connection, path, source)
        if writable:
            connection.for_writing()
    except (apsw.Error, WrongArchive) as error:
        if connection is not None:
            connection.close()
        if isinstance(error, WrongArchive):
            raise
        raise WrongArchive(describe_failure(error, path)) from None
    return connection


def create(path: Path, *, source: str, phones: bool) -> Connection:
    """A new archive, with a connection that writes. `phones`: it may hold phones, which are masked otherwise.

    It is made under another name first: a process that ends meanwhile leaves no half of an archive at `path`.
    Raises: WrongArchive when the folder is missing or cannot be written, or when there is a file already.
    """
    apsw = import_apsw()
    new: Path | None = None
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with 0600
        os.close(descriptor)
        new = Path(name)
        _write_tables(new, {"source": source, "phones": str(int(phones)), "stemmer": str(schema.STEMMER_VERSION)})
        new.rename(path)
        return open_connection(path, source=source, writable=True)
    except OSError as error:
        raise WrongArchive(f"LINER_ARCHIVE: {path} cannot be created: {error.strerror}.") from None
    except apsw.Error as error:
        raise WrongArchive(describe_failure(error, path)) from None
    finally:
        if new is not None:
            new.unlink(missing_ok=True)


def _write_tables(path: Path, meta: dict[str, str]) -> None:
    with closing(Connection(path)) as connection:
        connection.rows("PRAGMA auto_vacuum = FULL")  # before the first table
        with connection.writing():
            connection.rows(schema.SCHEMA)
            connection.rows(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            connection.rows(f"PRAGMA user_version = {schema.SCHEMA_VERSION}")
            connection.run_many("INSERT INTO meta VALUES (?, ?)", meta.items())


def open_or_create(path: Path, *, source: str, phones: bool) -> Connection:
    """A connection that writes to the archive at `path`, which is created if it is missing. Raises: WrongArchive."""
    if not path.exists():
        return create(path, source=source, phones=phones)
    return open_connection(path, source=source, writable=True)


def meta(connection: Connection) -> dict[str, str]:
    """What the file says about itself."""
    return {row["name"]: row["value"] for row in connection.rows("SELECT name, value FROM meta")}


def check_file(path: Path) -> None:
    """Raises: WrongArchive for a file that is missing or that others can read."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise NoArchive(f"LINER_ARCHIVE: there is no archive at {path} yet. Run liner-mcp sync.") from None
    except OSError as error:
        raise WrongArchive(f"LINER_ARCHIVE: {path} cannot be read: {error.strerror}.") from None
    if not stat.S_ISREG(mode):
        raise WrongArchive(f"LINER_ARCHIVE: {path} is not a file.")
    if os.name == "posix" and mode & 0o077:
        raise WrongArchive(
            f"LINER_ARCHIVE: other users of this machine can read {path}, which holds what clients said. "
            f"Run chmod 600 {path}."
        )


def _check_content(connection: Connection, path: Path, source: str) -> None:
    application = connection.pragma("application_id")
    if application != schema.APPLICATION_ID:
        raise WrongArchive(f"LINER_ARCHIVE: {path} is a database of another program. Name another file.")
    version = connection.pragma("user_version")
    stemmer = meta(connection).get("stemmer")
    if version > schema.SCHEMA_VERSION or int(stemmer or 0) > schema.STEMMER_VERSION:
        raise WrongArchive(f"LINER_ARCHIVE: {path} was written by a newer liner-mcp. Update this one.")
    if version < schema.SCHEMA_VERSION or stemmer != str(schema.STEMMER_VERSION):
        raise WrongArchive(f"LINER_ARCHIVE: {path} was written by an older liner-mcp. Run liner-mcp archive rebuild.")
    found = meta(connection).get("source")
    if found != source:
        raise WrongArchive(f"LINER_ARCHIVE: {path} is a copy of {found}, not of {source}. Name another file.")


def describe_failure(error: Exception, path: Path) -> str:
    """SQLite's error as a sentence."""
    apsw = import_apsw()
    if isinstance(error, apsw.NotADBError):
        return f"LINER_ARCHIVE: {path} is not a database. Name another file."
    if isinstance(error, apsw.FullError):
        return f"LINER_ARCHIVE: the disk of {path} is full. Nothing of the unfinished day was stored."
    if isinstance(error, apsw.CorruptError):
        return f"LINER_ARCHIVE: {path} is damaged. Run liner-mcp archive verify, then archive rebuild."
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return f"LINER_ARCHIVE: another process writes to {path}. Try again when it has finished."
    return f"LINER_ARCHIVE: {path} cannot be used: {error}."


class Database:
    """The archive for readers: a few connections, opened when they are first needed."""

    def __init__(self, path: Path, source: str) -> None:
        self.path = path
        self.source = source
        self._idle: SimpleQueue[tuple[FileId, Connection]] = SimpleQueue()
        self._limiter = anyio.Semaphore(READERS)
        self._usable: FileId | None = None

    def check(self) -> None:
        """Open the file once, unless that was done since it was made. Without a file, there is nothing to check.

        Raises: WrongArchive.
        """
        file_id = self._file_id()
        if file_id is not None and file_id != self._usable:
            self._idle.put((file_id, open_connection(self.path, source=self.source)))
            self._usable = file_id

    async def read(self, job: Callable[[Connection], T]) -> T:
        """The result of `job`, which runs in a thread and sees the archive as it is at one moment.

        When the caller is cancelled or its deadline passes, the running query ends.
        Raises: WrongArchive, NoArchive.
        """
        stopped = Event()
        async with self._limiter:
            try:
                return await anyio.to_thread.run_sync(self._run, job, stopped, abandon_on_cancel=True)
            finally:
                stopped.set()

    def _run(self, job: Callable[[Connection], T], stopped: Event) -> T:
        apsw = import_apsw()
        file_id, connection = self._take()
        try:
            with connection.reading(stopped.is_set):
                return job(connection)
        except apsw.Error as error:
            self._usable = None
            raise WrongArchive(describe_failure(error, self.path)) from None
        finally:
            self._idle.put((file_id, connection))

    def _take(self) -> tuple[FileId, Connection]:
        """A connection to the file that is at the path now: an archive that was built anew is another file."""
        file_id = self._file_id()
        while not self._idle.empty():
            try:
                opened, connection = self._idle.get_nowait()
            except Empty:
                break
            if opened == file_id:
                return opened, connection
            connection.close()
        return file_id or (0, 0), open_connection(self.path, source=self.source)

    def _file_id(self) -> FileId | None:
        try:
            found = self.path.stat()
        except OSError:
            return None  # opening it says why
        return found.st_dev, found.st_ino

    def close(self) -> None:
        """Close the connections that no query uses."""
        while not self._idle.empty():
            self._idle.get_nowait()[1].close()
