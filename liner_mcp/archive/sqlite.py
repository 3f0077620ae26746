"""An archive in an SQLite file. SQLite comes with `apsw`, whose wheel brings a version that can forget."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn

from liner_mcp.archive import connection as base
from liner_mcp.archive import schema
from liner_mcp.archive.connection import BusyArchive, DamagedArchive, NoArchive, Row, Values, WrongArchive
from liner_mcp.archive.search import Expression, fts5_expression
from liner_mcp.archive.spans import Span
from liner_mcp.errors import SetupError

BUSY_MILLISECONDS = 5_000  # a writer's transaction is one day of one order, far below a second
WRITER_BUSY_MILLISECONDS = 60_000  # a sync waits while the file is rewritten after something was forgotten
STEPS_PER_CHECK = 5_000  # SQLite's instructions between two looks at the deadline: about a millisecond
FILES = ("", "-wal", "-shm")

MISSING_EXTRA = "An archive needs the extra `archive`: uv tool install 'liner-mcp[archive]' (or pip install)."


def import_apsw() -> Any:
    """The database library. Raises: SetupError when the extra is not installed."""
    try:
        import apsw
    except ImportError:
        raise SetupError(MISSING_EXTRA) from None
    return apsw


class SqliteConnection(base.Connection):
    """A connection to a file, or to a database in memory."""

    kind = "file"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = str(path)
        self._apsw = import_apsw()
        try:
            self._sqlite = self._apsw.Connection(str(path), flags=self._apsw.SQLITE_OPEN_READWRITE)
            self._sqlite.set_busy_timeout(BUSY_MILLISECONDS)
            self._sqlite.config(self._apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        except self._apsw.Error as error:
            self._fail(error)

    def for_writing(self) -> None:
        """Readers go on while this connection writes, and what is deleted leaves no bytes in the file."""
        self._sqlite.set_busy_timeout(WRITER_BUSY_MILLISECONDS)
        self.rows("PRAGMA journal_mode = WAL")
        self.rows("PRAGMA secure_delete = ON")
        self.rows("PRAGMA synchronous = NORMAL")  # with WAL, a power cut loses whole transactions only

    def for_reading(self) -> None:
        self.rows("PRAGMA query_only = ON")

    def iterate(self, statement: str, values: Values = ()) -> Iterable[Row]:
        names: list[str] | None = None
        try:
            for row in (cursor := self._sqlite.execute(statement, values)):
                if names is None:
                    names = [name for name, *_ in cursor.get_description()]
                yield dict(zip(names, row, strict=True))
        except self._apsw.Error as error:
            self._fail(error)

    def tuples(self, statement: str, values: Values = ()) -> Iterable[tuple[Any, ...]]:
        try:
            yield from self._sqlite.execute(statement, values)
        except self._apsw.Error as error:
            self._fail(error)

    def run_many(self, statement: str, values: Iterable[Values]) -> None:
        try:
            self._sqlite.executemany(statement, values)
        except self._apsw.Error as error:
            self._fail(error)

    def _fail(self, error: Exception) -> NoReturn:
        """Raise SQLite's error as a sentence."""
        apsw, place = self._apsw, self.place
        if isinstance(error, apsw.NotADBError):
            raise DamagedArchive(f"LINER_ARCHIVE: {place} is not a database. Name another file.") from None
        if isinstance(error, (apsw.CorruptError, apsw.SQLError)):
            raise DamagedArchive(
                f"LINER_ARCHIVE: {place} is damaged. Run liner-mcp archive verify, then archive rebuild."
            ) from None
        if isinstance(error, apsw.FullError):
            raise WrongArchive(
                f"LINER_ARCHIVE: the disk of {place} is full. Nothing of the unfinished day was stored."
            ) from None
        if isinstance(error, (apsw.BusyError, apsw.LockedError)):
            raise BusyArchive(
                f"LINER_ARCHIVE: another process writes to {place}. Try again when it has finished."
            ) from None
        raise WrongArchive(f"LINER_ARCHIVE: {place} cannot be used: {error}.") from None

    def pragma(self, name: str) -> Any:
        """The value of a setting of the database."""
        try:
            return self._sqlite.pragma(name)
        except self._apsw.Error as error:
            self._fail(error)

    def _begin_writing(self) -> None:
        self.rows("BEGIN IMMEDIATE")  # it waits for another writer here, and not in the middle

    def _begin_reading(self) -> None:
        self.rows("BEGIN")

    def _in_transaction(self) -> bool:
        return self._sqlite.in_transaction

    @contextmanager
    def _stopping(self, stopped: Callable[[], bool]) -> Generator[None]:
        self._sqlite.set_progress_handler(stopped, STEPS_PER_CHECK)
        try:
            yield
        finally:
            self._sqlite.set_progress_handler(None)

    def interrupt(self) -> None:
        """Nothing: `stopped` is looked at while a query runs."""

    def close(self) -> None:
        self._sqlite.close()

    def matches(self, expression: Expression) -> tuple[str, list[object]]:
        return "word MATCH ?", [fts5_expression(expression)]

    def newest_parts(self, span: Span) -> Iterable[Span]:
        """All of it: its index of words gives rows as they are needed."""
        return (span,)

    def has_words(self, key: int, stems: str) -> bool:
        """A contentless index gives no text back, so it is searched."""
        words = tuple(((frozenset({word}),),) for word in dict.fromkeys(stems.split()))
        if not words:
            return True
        condition, values = self.matches(words)
        return self.one(f"SELECT 1 FROM word WHERE {condition} AND rowid = ?", [*values, key]) is not None

    def clear_words(self) -> None:
        self.rows("INSERT INTO word (word) VALUES ('delete-all')")

    def version(self) -> int:
        if self.pragma("application_id") != schema.APPLICATION_ID:
            raise WrongArchive(f"LINER_ARCHIVE: {self.place} is a database of another program. Name another file.")
        return self.pragma("user_version")

    def define(self, statements: str) -> None:
        self.rows(statements)

    def set_version(self, version: int) -> None:
        self.rows(f"PRAGMA user_version = {version:d}")

    def count_faults(self) -> int:
        rows = self.rows("PRAGMA integrity_check")
        return 0 if [row["integrity_check"] for row in rows] == ["ok"] else len(rows)

    def size(self) -> int:
        files = (self.path.with_name(self.path.name + suffix) for suffix in FILES)
        return sum(file.stat().st_size for file in files if file.exists())

    def erase(self) -> bool:
        """SQLite overwrites deleted rows, but copies of a row may remain in the unused part of a page that was split,
        and the index of words keeps its words until it is rewritten.
        """
        self._optimize_words()
        with self._temporary_files_beside():
            self.rows("VACUUM")
        return self.checkpoint()

    def tidy(self, *, removed: bool) -> None:
        if removed:
            self._optimize_words()  # otherwise it keeps the words of what was removed
        self.checkpoint()

    def _optimize_words(self) -> None:
        self.rows("INSERT INTO word (word) VALUES ('optimize')")

    def checkpoint(self) -> bool:
        """Move all changes into the file and empty the file of changes. Returns whether no reader prevented it."""
        self._sqlite.set_busy_timeout(base.READER_MILLISECONDS)
        try:
            row = self.one("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._sqlite.set_busy_timeout(WRITER_BUSY_MILLISECONDS)
        return row is not None and row["busy"] == 0

    @contextmanager
    def _temporary_files_beside(self) -> Generator[None]:
        """SQLite writes its second copy into the folder of the archive, and not into that of all programs."""
        before = os.environ.get("SQLITE_TMPDIR")
        os.environ["SQLITE_TMPDIR"] = str(self.path.parent)
        try:
            yield
        finally:
            if before is None:
                del os.environ["SQLITE_TMPDIR"]
            else:
                os.environ["SQLITE_TMPDIR"] = before


def connect(path: Path) -> SqliteConnection:
    """A connection to an existing file. Raises: WrongArchive, NoArchive."""
    import_apsw()
    _check_file(path)
    return SqliteConnection(path)


def create(path: Path, meta: dict[str, str]) -> None:
    """Create the file of an archive. It is made under another name first: a process that ends meanwhile leaves no half
    of an archive at `path`.

    Raises: WrongArchive when the folder is missing or cannot be written, or when there is a file already.
    """
    import_apsw()
    new: Path | None = None
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with 0600
        os.close(descriptor)
        new = Path(name)
        with closing(SqliteConnection(new)) as connection:
            write_tables(connection, meta)
        new.rename(path)
    except OSError as error:
        raise WrongArchive(f"LINER_ARCHIVE: {path} cannot be created: {error.strerror}.") from None
    finally:
        if new is not None:
            new.unlink(missing_ok=True)


def write_tables(connection: SqliteConnection, meta: dict[str, str]) -> None:
    """Make the tables in an empty database."""
    connection.rows("PRAGMA auto_vacuum = FULL")  # before the first table
    with connection.writing():
        connection.define(schema.TABLES + schema.SQLITE_WORDS)
        connection.rows(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.set_version(schema.SCHEMA_VERSION)
        connection.run_many("INSERT INTO meta VALUES (?, ?)", meta.items())


def _check_file(path: Path) -> None:
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
