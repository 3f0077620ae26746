"""One connection to an archive, typed. The rest of the package sees this class and no database library.

Statements are written once, in the SQL that SQLite and PostgreSQL share, with `?` or `:name` for values. What differs
is a method of the connection.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from pydantic import SecretStr

from liner_mcp.archive.search import Expression
from liner_mcp.archive.spans import Span
from liner_mcp.errors import SetupError

Row = dict[str, Any]
Values = Sequence[object] | Mapping[str, object]

Location = Path | SecretStr
"""Where an archive is: an SQLite file, or a PostgreSQL database. Its URL may hold a password."""

READER_MILLISECONDS = 10_000  # how long erasing waits for readers; a server reads for far less


class WrongArchive(SetupError):
    """The archive cannot be used. The sentence names it and the next step."""


class NoArchive(WrongArchive):
    """There is no archive at that place yet."""


class OlderArchive(WrongArchive):
    """The tables are of an older version. A sync changes them."""


class DamagedArchive(WrongArchive):
    """What is there cannot be read as a database."""


class BusyArchive(WrongArchive):
    """Another process uses the archive in a way that does not allow this now."""


class ArchiveAway(WrongArchive):
    """The database server cannot be reached now."""


class Connection(ABC):
    """All methods raise WrongArchive."""

    place: str
    """The archive in sentences. It holds no password."""
    kind: ClassVar[str]
    """What a person names to use another archive."""

    # Statements -------------------------------------------------------------------------------------------------------

    def rows(self, statement: str, values: Values = ()) -> list[Row]:
        """The rows of one statement, or of the last of several."""
        return list(self.iterate(statement, values))

    def one(self, statement: str, values: Values = ()) -> Row | None:
        """The first row, if there is one."""
        return next(iter(self.rows(statement, values)), None)

    @abstractmethod
    def iterate(self, statement: str, values: Values = ()) -> Iterable[Row]:
        """The rows one by one, within a transaction."""

    @abstractmethod
    def tuples(self, statement: str, values: Values = ()) -> Iterable[tuple[Any, ...]]:
        """The rows one by one without names, where there are many."""

    @abstractmethod
    def run_many(self, statement: str, values: Iterable[Values]) -> None:
        """Run one statement with each of the values."""

    # Transactions -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def for_reading(self) -> None:
        """This connection changes nothing."""

    @abstractmethod
    def for_writing(self) -> None:
        """This connection may change the archive."""

    @contextmanager
    def writing(self) -> Generator[None]:
        """One transaction: all of it, or nothing when an error is raised. Another writer waits for its end."""
        yield from self._transaction(self._begin_writing, "COMMIT")

    @contextmanager
    def reading(self, stopped: Callable[[], bool] = lambda: False) -> Generator[None]:
        """The archive as it is at one moment. A running query ends when `stopped` says so."""
        with self._stopping(stopped):
            yield from self._transaction(self._begin_reading, "ROLLBACK")

    def _transaction(self, begin: Callable[[], None], ending: str) -> Generator[None]:
        try:
            begin()
            yield
            self.rows(ending)
        finally:
            if self._in_transaction():
                self.rows("ROLLBACK")

    @abstractmethod
    def _begin_writing(self) -> None: ...

    @abstractmethod
    def _begin_reading(self) -> None: ...

    @abstractmethod
    def _in_transaction(self) -> bool: ...

    @abstractmethod
    def _stopping(self, stopped: Callable[[], bool]) -> AbstractContextManager[None]: ...

    @abstractmethod
    def interrupt(self) -> None:
        """End the running query. It is called in another thread, after `stopped` of the read has become true."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    # The index of words -----------------------------------------------------------------------------------------------

    @abstractmethod
    def matches(self, expression: Expression) -> tuple[str, list[object]]:
        """A condition on the rows of `word` whose stems fit an expression, and its values."""

    @abstractmethod
    def newest_parts(self, span: Span) -> Iterable[Span]:
        """The parts of a span, newest first, in which the newest texts with some words are looked for."""

    @abstractmethod
    def has_words(self, key: int, stems: str) -> bool:
        """Whether the index holds these stems for a record."""

    @abstractmethod
    def clear_words(self) -> None:
        """Empty the index, within a transaction."""

    # The database -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def version(self) -> int:
        """The version of the tables. Raises: WrongArchive for a database of another program, NoArchive."""

    @abstractmethod
    def define(self, statements: str) -> None:
        """Run statements that define tables, with the types of SQLite."""

    @abstractmethod
    def set_version(self, version: int) -> None:
        """Note another version, within a transaction."""

    @abstractmethod
    def count_faults(self) -> int:
        """How many faults the structure of the database has, as far as it can be examined."""

    @abstractmethod
    def size(self) -> int:
        """The bytes that the archive takes on the disk."""

    @abstractmethod
    def erase(self) -> bool:
        """Rewrite the tables and the index of words, so that no byte of a deleted text is left in them.

        Returns whether it is done: while another process reads, it sees the old texts, and they stay.
        """

    @abstractmethod
    def tidy(self, *, removed: bool) -> None:
        """What is good after many changes. `removed`: the texts of calls were deleted."""
