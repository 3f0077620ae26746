"""One connection to an archive, typed. The rest of the package sees this class and not the database library."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from liner_mcp.errors import SetupError

Row = dict[str, Any]
Values = Sequence[object] | Mapping[str, object]

BUSY_MILLISECONDS = 5_000  # a writer's transaction is one day of one order, far below a second
WRITER_BUSY_MILLISECONDS = 60_000  # a sync waits while the file is rewritten after something was forgotten
STEPS_PER_CHECK = 5_000  # SQLite's instructions between two looks at the deadline: about a millisecond


MISSING_EXTRA = "An archive needs the extra `archive`: install it with pip install 'liner-mcp[archive]'."


def import_apsw() -> Any:
    """The database library. Raises: SetupError when the extra is not installed."""
    try:
        import apsw
    except ImportError:
        raise SetupError(MISSING_EXTRA) from None
    return apsw


class Connection:
    """Raises apsw.Error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._apsw = import_apsw()
        self._sqlite = self._apsw.Connection(str(path), flags=self._apsw.SQLITE_OPEN_READWRITE)
        self._sqlite.set_busy_timeout(BUSY_MILLISECONDS)
        self._sqlite.config(self._apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)

    def for_writing(self) -> None:
        """Readers go on while this connection writes, and what is deleted leaves no bytes in the file."""
        self._sqlite.set_busy_timeout(WRITER_BUSY_MILLISECONDS)
        self.rows("PRAGMA journal_mode = WAL")
        self.rows("PRAGMA secure_delete = ON")
        self.rows("PRAGMA synchronous = NORMAL")  # with WAL, a power cut loses whole transactions only

    def for_reading(self) -> None:
        """This connection changes nothing."""
        self.rows("PRAGMA query_only = ON")

    def rows(self, statement: str, values: Values = ()) -> list[Row]:
        """The rows of one statement, or of the last of several."""
        return list(self.iterate(statement, values))

    def one(self, statement: str, values: Values = ()) -> Row | None:
        """The first row, if there is one."""
        return next(iter(self.iterate(statement, values)), None)

    def iterate(self, statement: str, values: Values = ()) -> Iterable[Row]:
        """The rows one by one."""
        names: list[str] | None = None
        for row in (cursor := self._sqlite.execute(statement, values)):
            if names is None:
                names = [name for name, *_ in cursor.get_description()]
            yield dict(zip(names, row, strict=True))

    def tuples(self, statement: str, values: Values = ()) -> Iterable[tuple[Any, ...]]:
        """The rows one by one without names, where there are many."""
        return self._sqlite.execute(statement, values)

    @contextmanager
    def waiting(self, milliseconds: int) -> Generator[None]:
        """Wait no longer than this for other processes, in the block."""
        self._sqlite.set_busy_timeout(milliseconds)
        try:
            yield
        finally:
            self._sqlite.set_busy_timeout(WRITER_BUSY_MILLISECONDS)

    def run_many(self, statement: str, values: Iterable[Values]) -> None:
        """Run one statement with each of the values."""
        self._sqlite.executemany(statement, values)

    def pragma(self, name: str) -> Any:
        """The value of a setting of the database."""
        return self._sqlite.pragma(name)

    @contextmanager
    def writing(self) -> Generator[None]:
        """One transaction: all of it, or nothing when an error is raised."""
        self._sqlite.execute("BEGIN IMMEDIATE")  # it waits for another writer here, and not in the middle
        try:
            yield
            self._sqlite.execute("COMMIT")
        finally:
            if self._sqlite.in_transaction:
                self._sqlite.execute("ROLLBACK")

    @contextmanager
    def reading(self, stopped: Callable[[], bool] = lambda: False) -> Generator[None]:
        """The archive as it is at one moment. A running query ends when `stopped` says so."""
        self._sqlite.set_progress_handler(stopped, STEPS_PER_CHECK)
        self._sqlite.execute("BEGIN")
        try:
            yield
        finally:
            if self._sqlite.in_transaction:
                self._sqlite.execute("ROLLBACK")
            self._sqlite.set_progress_handler(None)

    def close(self) -> None:
        """Close the connection."""
        self._sqlite.close()
