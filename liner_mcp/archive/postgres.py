"""An archive in a PostgreSQL database, which several servers and one sync share.

Texts of PostgreSQL's errors are shown nowhere: they may hold values, and a part of a password that was not encoded.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, contextmanager, nullcontext, suppress
from functools import lru_cache
from itertools import count, islice
from threading import Thread
from typing import Any, NoReturn

from pydantic import SecretStr

from liner_mcp.archive import connection as base
from liner_mcp.archive import schema
from liner_mcp.archive.connection import ArchiveAway, BusyArchive, DamagedArchive, NoArchive, Row, Values, WrongArchive
from liner_mcp.archive.search import Expression, StemPhrase, is_long, spellings, unspaced
from liner_mcp.archive.spans import Span
from liner_mcp.errors import SetupError

# What a person did not set in the URL. A server that is gone without a word is noticed within seconds.
DEFAULTS = {
    "application_name": "liner-mcp",
    "client_encoding": "UTF8",
    "connect_timeout": "3",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
READER_WAIT, WRITER_WAIT = 15_000, 60_000  # milliseconds; tables are locked while they are rewritten
CANCEL_SECONDS = 5
ROWS_PER_FETCH, ROWS_PER_WRITE = 200, 1_000
FIRST_PART_SECONDS = 7_200  # of a busy account, it holds some hundred summaries
TEXT_TABLES = "call, record, word, entry"
_VERSION = "liner_mcp_version"  # the row of `meta` by which an archive is recognised
_CURSORS = count()

_SENTENCES = {
    "28P01": "{place} refuses the password. Set the right one in the URL, PGPASSWORD or a password file.",
    "28000": "{place} refuses the user. Check the user in the URL and pg_hba.conf on the server.",
    "3D000": "{place} does not exist. Create it, as docs/archive.md shows.",
    "3F000": "the schema for the archive is missing in {place}. Create it, or correct search_path.",
    "25006": "{place} is read-only. Name the primary server.",
    "42501": "the user may not do this in {place}. docs/archive.md lists the privileges.",
    "53100": "the disk of {place} is full. Nothing of the unfinished day was stored.",
    "57014": "a query in {place} was ended.",
}
_BUSY = ("55P03", "40P01", "40001", "55006")  # a lock that was not given in time, and conflicts of transactions
_DAMAGED = ("42P01", "42703", "XX001", "XX002")  # a table, a column or a block is not what it was
_TLS = "{place} cannot be reached with the TLS that the URL asks for. Check sslmode and sslrootcert."
_AWAY = "{place} cannot be reached. Check that the server runs and accepts connections of this machine."
# A connection that the server refuses has no code, only a text of libpq or of the server, which may be in any language.
_REFUSALS = (
    ("password", _SENTENCES["28P01"]),
    ("pg_hba.conf", _SENTENCES["28000"]),
    ("role ", _SENTENCES["28000"]),
    ("SSL", _TLS),
    ("certificate", _TLS),
    ('database "', _SENTENCES["3D000"]),
)


def import_psycopg() -> Any:
    """The database library. Raises: SetupError when the extra is not installed."""
    try:
        import psycopg
    except ImportError:
        raise SetupError(
            "PostgreSQL archives need the extra `postgres`: uv tool install 'liner-mcp[postgres]' (or pip install)."
        ) from None
    return psycopg


@lru_cache(512)
def translated(statement: str, *, with_values: bool) -> str:
    """A statement as psycopg takes it. SQLite's CROSS JOIN fixes the order of two tables; here the planner chooses."""
    statement = statement.replace("CROSS JOIN", "JOIN")
    if not with_values:
        return statement
    statement = statement.replace("%", "%%").replace("?", "%s")
    return re.sub(r"(?<!:):([a-z]\w*)", r"%(\1)s", statement)


class PostgresConnection(base.Connection):
    """A connection to a database server."""

    kind = "database"

    def __init__(self, url: SecretStr) -> None:
        self._psycopg = import_psycopg()
        parameters = self._parameters(url)
        self.place = _place(parameters)
        try:
            self._postgres = self._psycopg.connect(**parameters, autocommit=True, prepare_threshold=None)
        except self._psycopg.Error as error:
            self._refuse(error)
        self._postgres.adapters.register_loader("numeric", self._psycopg.types.numeric.IntLoader)  # sums are whole
        # Compiling costs more than it saves, and all rows of a part of the newest ones are read.
        self.rows("SET jit = off; SET cursor_tuple_fraction = 1")

    def _parameters(self, url: SecretStr) -> dict[str, Any]:
        try:
            given = self._psycopg.conninfo.conninfo_to_dict(url.get_secret_value())
        except self._psycopg.Error:
            raise WrongArchive(
                "LINER_ARCHIVE cannot be used: it is not a URL such as postgresql://user@host/database."
            ) from None
        return {**DEFAULTS, **given}

    def _refuse(self, error: Any) -> NoReturn:
        """Raise the error of a connection that was not made."""
        if error.sqlstate is not None:
            self._fail(error)
        text = str(error)
        known = next((sentence for part, sentence in _REFUSALS if part in text), None)
        if known is None or "starting up" in text or "shutting down" in text:
            raise ArchiveAway(f"LINER_ARCHIVE: {_AWAY.format(place=self.place)}") from None
        raise WrongArchive(f"LINER_ARCHIVE: {known.format(place=self.place)}") from None

    def _fail(self, error: Any) -> NoReturn:
        """Raise PostgreSQL's error as a sentence."""
        code, psycopg = error.sqlstate or "", self._psycopg
        if known := _SENTENCES.get(code):
            raise WrongArchive(f"LINER_ARCHIVE: {known.format(place=self.place)}") from None
        if code in _BUSY:
            raise BusyArchive(
                f"LINER_ARCHIVE: another process writes to {self.place}. Try again when it has finished."
            ) from None
        if code in _DAMAGED:
            raise DamagedArchive(
                f"LINER_ARCHIVE: {self.place} lacks a part of the archive. Restore it from a backup, or drop its "
                "schema and run liner-mcp sync."
            ) from None
        lost = not code and isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
        if lost or code.startswith(("08", "57P", "53300")):
            raise ArchiveAway(f"LINER_ARCHIVE: {_AWAY.format(place=self.place)}") from None
        name = type(error).__name__
        raise WrongArchive(f"LINER_ARCHIVE: {self.place} cannot be used: {name} {code}".rstrip() + ".") from None

    # Statements -------------------------------------------------------------------------------------------------------

    def rows(self, statement: str, values: Values = ()) -> list[Row]:
        try:
            with self._postgres.cursor(row_factory=self._psycopg.rows.dict_row) as cursor:
                self._execute(cursor, statement, values)
                while cursor.nextset():
                    pass
                return [] if cursor.description is None else cursor.fetchall()
        except self._psycopg.Error as error:
            self._fail(error)

    def iterate(self, statement: str, values: Values = ()) -> Iterable[Row]:
        try:
            name = f"archive_{next(_CURSORS)}"
            with self._postgres.cursor(name, row_factory=self._psycopg.rows.dict_row) as cursor:
                cursor.itersize = ROWS_PER_FETCH
                self._execute(cursor, statement, values)
                yield from cursor
        except self._psycopg.Error as error:
            self._fail(error)

    def tuples(self, statement: str, values: Values = ()) -> Iterable[tuple[Any, ...]]:
        try:
            with self._postgres.cursor() as cursor:
                self._execute(cursor, statement, values)
                yield from cursor
        except self._psycopg.Error as error:
            self._fail(error)

    def run_many(self, statement: str, values: Iterable[Values]) -> None:
        rest = iter(values)  # it may read from this connection, which cannot be used while a batch is sent
        try:
            with self._postgres.cursor() as cursor:
                while batch := list(islice(rest, ROWS_PER_WRITE)):
                    cursor.executemany(translated(statement, with_values=True), batch)
        except self._psycopg.Error as error:
            self._fail(error)

    @staticmethod
    def _execute(cursor: Any, statement: str, values: Values) -> None:
        cursor.execute(translated(statement, with_values=bool(values)), values or None)

    # Transactions -----------------------------------------------------------------------------------------------------

    def for_reading(self) -> None:
        self.rows(f"SET default_transaction_read_only = on; SET lock_timeout = {READER_WAIT}")

    def for_writing(self) -> None:
        self.rows(f"SET lock_timeout = {WRITER_WAIT}")
        owned = self.one("SELECT bool_and(pg_has_role(tableowner, 'USAGE')) AS owned" + _OUR_TABLES)
        if owned is None or not owned["owned"]:
            raise WrongArchive(
                f"LINER_ARCHIVE: the tables in {self.place} belong to another user, so they cannot be rewritten. Use "
                "the user of the first sync."
            )

    def _begin_writing(self) -> None:
        self.rows(f"BEGIN; SELECT pg_advisory_xact_lock({_lock_of('transaction')})")

    def _begin_reading(self) -> None:
        self.rows("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def _in_transaction(self) -> bool:
        status = self._postgres.info.transaction_status.name
        return status not in ("IDLE", "UNKNOWN")

    def _stopping(self, stopped: Callable[[], bool]) -> Any:  # noqa: ARG002 - see `interrupt`
        return nullcontext()

    def interrupt(self) -> None:
        Thread(target=self._cancel, daemon=True).start()

    def _cancel(self) -> None:
        with suppress(self._psycopg.Error):  # the query ends with the connection
            self._postgres.cancel_safe(timeout=CANCEL_SECONDS)

    def close(self) -> None:
        self._postgres.close()

    def try_lock(self, purpose: str) -> bool:
        """Take the lock of the archive for a purpose, until the connection is closed or lost."""
        row = self.one(f"SELECT pg_try_advisory_lock({_lock_of(purpose)}) AS taken")
        return row is not None and row["taken"]

    # The index of words -----------------------------------------------------------------------------------------------

    def matches(self, expression: Expression) -> tuple[str, list[object]]:
        values: list[object] = []
        groups = " AND ".join(f"({_either(group, values)})" for group in expression)
        return groups, values

    def newest_parts(self, span: Span) -> Iterable[Span]:
        """Parts that grow: the planner reads a short one as it is, and finds rare words in a long one by the index."""
        until, length = span.until, FIRST_PART_SECONDS
        while until > span.since:
            since = max(span.since, until - length)
            yield Span(since, until)
            until, length = since, length * 4

    def has_words(self, key: int, stems: str) -> bool:
        return self.one("SELECT 1 FROM word WHERE rowid = ? AND stems = ?", (key, stems)) is not None

    def clear_words(self) -> None:
        self.rows("DELETE FROM word")

    # The database -----------------------------------------------------------------------------------------------------

    def version(self) -> int:
        tables = {row["tablename"] for row in self.rows("SELECT tablename" + _OUR_TABLES)}
        if not tables:
            raise NoArchive(f"LINER_ARCHIVE: there is no archive in {self.place} yet. Run liner-mcp sync.")
        try:
            row = self.one("SELECT value FROM meta WHERE name = ?", (_VERSION,)) if "meta" in tables else None
        except DamagedArchive:
            row = None
        if row is None:
            raise WrongArchive(
                f"LINER_ARCHIVE: {self.place} holds tables of another program. Name an empty database, or an empty "
                "schema with search_path."
            )
        return int(row["value"])

    def define(self, statements: str) -> None:
        self.rows(statements.replace("INTEGER", "BIGINT").replace(" WITHOUT ROWID", ""))

    def set_version(self, version: int) -> None:
        self.rows("UPDATE meta SET value = ? WHERE name = ?", (str(version), _VERSION))

    def count_faults(self) -> int:
        return 0

    def size(self) -> int:
        name = "quote_ident(schemaname) || '.' || quote_ident(tablename)"
        row = self.one(f"SELECT coalesce(sum(pg_total_relation_size({name})), 0) AS bytes" + _OUR_TABLES)
        return 0 if row is None else row["bytes"]

    def erase(self) -> bool:
        """VACUUM FULL copies the living rows into new files. The log of the server (WAL) is out of reach."""
        self.rows("INSERT INTO meta VALUES ('erase', '1') ON CONFLICT (name) DO NOTHING")  # for the next sync
        if not self._wait_for_readers():
            return False
        try:
            self.rows(f"SET lock_timeout = {base.READER_MILLISECONDS}")
            self.rows(f"VACUUM (FULL, ANALYZE) {TEXT_TABLES}")
            self.rows("VACUUM (FULL) pg_statistic")  # it holds frequent stems; the owner of the database may do this
        except BusyArchive:
            return False
        finally:
            self.rows(f"SET lock_timeout = {WRITER_WAIT}")
        self.rows("DELETE FROM meta WHERE name = 'erase'")
        return True

    def _wait_for_readers(self) -> bool:
        """Whether all transactions have ended that began before now: for them, deleted rows would be copied too."""
        now = self.one("SELECT CAST(CAST(pg_current_xact_id() AS xid) AS text) AS id")
        assert now is not None  # noqa: S101 - a function has a value
        ends = time.monotonic() + base.READER_MILLISECONDS / 1_000
        while self.one(_OLDER_TRANSACTION, (now["id"],)) is not None:
            if time.monotonic() > ends:
                return False
            time.sleep(0.05)
        return True

    def tidy(self, *, removed: bool) -> None:  # noqa: ARG002 - it costs little where nothing changed
        if self.one("SELECT 1 FROM meta WHERE name = 'erase'") is not None:
            self.erase()
        else:
            self.rows(f"VACUUM (ANALYZE) {TEXT_TABLES}")


_OUR_TABLES = " FROM pg_tables WHERE schemaname = current_schema()"
_OLDER_TRANSACTION = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND age(backend_xmin) >= age(CAST(CAST(? AS text) AS xid))"
)


def _lock_of(purpose: str) -> str:
    """The two numbers of an advisory lock: our own, and that of the schema and the purpose."""
    return f"{schema.APPLICATION_ID}, hashtext(current_schema() || ' {purpose}')"


def _place(parameters: dict[str, Any]) -> str:
    name, host, port = (parameters.get(key) for key in ("dbname", "host", "port"))
    at = f" at {host}" if host else ""
    return f"the PostgreSQL database{f' {name}' if name else ''}{at}{f':{port}' if at and port else ''}"


def _either(phrases: Iterable[StemPhrase], values: list[object]) -> str:
    """One of the phrases. Single words need one look into the index together."""
    phrases = list(phrases)
    words = sorted({stem for phrase in phrases if len(phrase) == 1 for stem in phrase[0]})
    parts = [_has_one_of(words, values)] if words else []
    for phrase in phrases:
        if len(phrase) > 1:
            narrowed = [_has_one_of(sorted(stems), values) for stems in phrase]
            if not is_long(phrase):
                narrowed.append("(' ' || word.stems || ' ') LIKE ANY (CAST(? AS text[]))")
                values.append([f"% {' '.join(map(unspaced, one))} %" for one in spellings(phrase)])
            parts.append(f"({' AND '.join(narrowed)})")
    return " OR ".join(parts)


def _has_one_of(stems: Iterable[str], values: list[object]) -> str:
    values.append(" | ".join(f"'{unspaced(stem)}'" for stem in stems))  # a stem holds letters or digits only
    return "word.lexemes @@ CAST(? AS tsquery)"


def connect(url: SecretStr) -> PostgresConnection:
    """A connection to a database. Raises: WrongArchive, ArchiveAway."""
    return PostgresConnection(url)


def create(url: SecretStr, meta: dict[str, str]) -> None:
    """Create the tables of an archive, unless another process has done so meanwhile. Raises: WrongArchive."""
    with closing(PostgresConnection(url)) as connection:
        encoding = connection.rows("SHOW server_encoding")[0]["server_encoding"]
        if encoding != "UTF8":
            raise WrongArchive(
                f"LINER_ARCHIVE: {connection.place} has the encoding {encoding}. Create one with ENCODING 'UTF8'."
            )
        with connection.writing():
            try:
                connection.version()
            except NoArchive:
                connection.define(schema.TABLES + schema.POSTGRES_WORDS)
                connection.run_many("INSERT INTO meta VALUES (?, ?)", meta.items())
                connection.rows("INSERT INTO meta VALUES (?, ?)", (_VERSION, str(schema.SCHEMA_VERSION)))


@contextmanager
def locked(url: SecretStr, purpose: str) -> Generator[Callable[[], bool] | None]:
    """Hold a lock of the archive while the block runs; None when another process holds it.

    The server releases it when the connection ends. The function says whether it is still held.
    """
    with closing(PostgresConnection(url)) as connection:

        def is_held() -> bool:
            with suppress(WrongArchive):
                return connection.one("SELECT 1") is not None
            return False

        yield is_held if connection.try_lock(purpose) else None
