"""Fill an archive in PostgreSQL from one in SQLite, because a sync would write it for an hour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from liner_mcp.archive.connection import Connection
from liner_mcp.archive.database import open_connection
from liner_mcp.archive.writer import stems_of

MEMORY = "512MB"  # for the index of words, which is made after the rows, as when a backup is restored


def copy_older(source: Path, target: SecretStr, before: int, *, name: str) -> int:
    """Copy what was created before this second. `name` is the source of both archives. Returns the texts' bytes."""
    import psycopg  # the extra `postgres`

    with (
        closing(open_connection(source, source=name)) as old,
        psycopg.connect(target.get_secret_value()) as new,
    ):
        new.execute("DROP INDEX word_by_lexeme")
        _copy(new, "call", old.tuples("SELECT * FROM call WHERE created_at < ?", [before * 1_000_000]))
        _copy(new, "record", old.tuples(f"SELECT record.* {_RECORDS}", [before * 1_000_000]))
        texts = _Texts(old, before)
        _copy(new, "word (rowid, stems)", texts.stems())
        _copy(new, "covered", old.tuples("SELECT * FROM covered WHERE until <= ?", [before]))
        new.execute(f"SET maintenance_work_mem = '{MEMORY}'")
        new.execute("CREATE INDEX word_by_lexeme ON word USING gin (lexemes)")
    return texts.bytes


_RECORDS = "FROM record JOIN call ON call.id = record.call_id WHERE call.created_at < ?"


class _Texts:
    """The stems of the stored summaries, and how long these are together."""

    def __init__(self, old: Connection, before: int) -> None:
        self._old, self._before = old, before
        self.bytes = 0

    def stems(self) -> Iterator[tuple[int, str]]:
        rows = self._old.tuples(f"SELECT record.key, record.record_summary {_RECORDS}", [self._before * 1_000_000])
        for key, text in rows:
            self.bytes += len(text.encode())
            yield key, stems_of(text)


def _copy(new: Any, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with new.cursor().copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
