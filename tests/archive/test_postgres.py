"""What is PostgreSQL's own: connections, locks, outages, migrations, privileges, and what a URL may not show."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from pydantic import SecretStr

from liner_mcp.archive import schema
from liner_mcp.archive.connection import OlderArchive, WrongArchive
from liner_mcp.archive.database import Database, create, open_connection, open_or_create
from liner_mcp.archive.forget import forget_call
from liner_mcp.archive.lock import ArchiveLocked, server_lock, writer_lock
from liner_mcp.archive.postgres import PostgresConnection
from liner_mcp.archive.rebuild import rebuild
from liner_mcp.archive.verify import verify
from liner_mcp.archive.writer import Writer
from liner_mcp.demo import Dataset
from liner_mcp.demo.app import Scope, Send
from liner_mcp.settings import read_settings
from tests.archive.conftest import NewArchive
from tests.archive.sessions import opened as session_with
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.support.archive import fill
from tests.support.asgi_server import serve_app
from tests.support.command_line import run_within
from tests.support.context import rows_of
from tests.support.postgres import Server, database_of, shared_server, started
from tests.support.sync import SOURCE, content_of, opened, run_sync

ACTIVE_SLEEP = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
    " AND query LIKE 'SELECT pg_sleep%'"
)

command = partial(run_within, 120)
DEMO = {"LINER_MCP_DEMO": "true", "LINER_TIMEZONE": "Europe/Moscow", "LINER_REQUESTS_PER_SECOND": "0"}


@pytest.fixture
def url() -> Generator[SecretStr]:
    """An empty database."""
    found = shared_server().new_database()
    yield found
    shared_server().drop(found)


@pytest.fixture
def server() -> Generator[Server]:
    """A server of the test's own, which it may stop."""
    with started() as found:
        yield found


def text_of(url: SecretStr) -> str:
    return url.get_secret_value()


# The command line -----------------------------------------------------------------------------------------------------


def test_the_demo_is_synced_shown_verified_rebuilt_and_forgotten(url: SecretStr) -> None:
    settings = {**DEMO, "LINER_ARCHIVE": text_of(url)}
    first = command("sync", "--since", "-3d", "--json", **settings)
    assert (first.returncode, first.stderr) == (0, "")
    status = json.loads(command("archive", "status", "--json", **settings).stdout)
    assert status["file"] == f"the PostgreSQL database {database_of(url)} at 127.0.0.1:{shared_server().port}"
    assert status["calls"] == json.loads(first.stdout)["calls"] > 0
    assert status["bytes"] > 100_000
    assert command("archive", "verify", **settings).stdout == "The archive is sound.\n"
    assert command("archive", "rebuild", **settings).returncode == 0
    done = command("forget", "--before", "2100-01-01", "--yes", **settings)
    assert done.returncode == 2
    with opened(url, "demo") as connection:
        call = connection.rows("SELECT id FROM call")[0]["id"]
    done = command("forget", "--call", str(call), "--yes", **settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Deleted calls: 1," in done.stdout


@pytest.mark.parametrize("arguments", [("sync",), ("archive", "status"), ("forget", "--call", "1", "--yes")])
def test_a_server_that_is_away_is_one_sentence_and_1(arguments: tuple[str, ...]) -> None:
    done = command(*arguments, **DEMO, LINER_ARCHIVE="postgresql://liner:hush@127.0.0.1:1/calls")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the PostgreSQL database calls at 127.0.0.1:1 cannot be reached" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "hush" not in done.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"user": "missing_user"}, "refuses the user"),
        ({"database": "nothing_here"}, "does not exist"),
        ({"options": "?sslmode=require"}, "TLS"),
        ({"options": "?colour=blue"}, "is not a URL"),
        ({"port": "1"}, "cannot be reached"),
    ],
    ids=str,
)
def test_a_connection_that_is_refused_is_one_sentence_without_the_password(
    url: SecretStr, change: dict[str, str], said: str
) -> None:
    parts = {"user": "liner", "port": str(shared_server().port), "database": database_of(url), "options": "", **change}
    wrong = SecretStr("postgresql://{user}:hush@127.0.0.1:{port}/{database}{options}".format(**parts))
    with pytest.raises(WrongArchive, match=said) as caught:
        open_connection(wrong, source=SOURCE)
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_url_is_a_secret_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINER_ARCHIVE", "postgres://liner:hush@db.example:5433/calls?sslmode=verify-full")
    settings = read_settings()
    assert "hush" not in repr(settings)
    assert isinstance(settings.archive, SecretStr)
    assert settings.archive.get_secret_value().endswith("/calls?sslmode=verify-full")


# Databases that cannot be the archive ---------------------------------------------------------------------------------


def test_a_database_with_tables_of_another_program_is_refused_and_left_alone(url: SecretStr) -> None:
    shared_server().run("CREATE TABLE meta (colour text)", database_of(url))
    for _ in range(2):
        with pytest.raises(WrongArchive, match="tables of another program"):
            open_or_create(url, source=SOURCE, phones=False)


def test_a_schema_of_its_own_holds_an_archive_beside_other_tables(url: SecretStr) -> None:
    server = shared_server()
    server.run("CREATE TABLE call (colour text); CREATE SCHEMA archive", database_of(url))
    inside = SecretStr(f"{text_of(url)}?options=-csearch_path%3Darchive")
    with closing(create(inside, source=SOURCE, phones=False)) as connection:
        assert verify(connection) == []
    missing = SecretStr(f"{text_of(url)}?options=-csearch_path%3Dmissing")
    with pytest.raises(WrongArchive, match="schema for the archive is missing"):
        create(missing, source=SOURCE, phones=False)


def test_a_user_without_privileges_gets_one_sentence(url: SecretStr) -> None:
    server = shared_server()
    create(url, source=SOURCE, phones=False).close()
    server.run("DROP ROLE IF EXISTS liner_read; CREATE ROLE liner_read LOGIN")
    reader = server.url(database_of(url), user="liner_read")
    with pytest.raises(WrongArchive, match="the user may not do this"):
        open_connection(reader, source=SOURCE)
    server.run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO liner_read", database_of(url))
    with closing(open_connection(reader, source=SOURCE)) as connection, connection.reading():
        assert connection.rows("SELECT id FROM call") == []
    with pytest.raises(WrongArchive, match="belong to another user"):
        open_connection(reader, source=SOURCE, writable=True)


def test_a_reader_changes_nothing(url: SecretStr) -> None:
    create(url, source=SOURCE, phones=False).close()
    with closing(open_connection(url, source=SOURCE)) as connection, pytest.raises(WrongArchive, match="read-only"):
        connection.rows("DELETE FROM call")


def test_a_newer_archive_is_refused_also_by_a_rebuild(url: SecretStr) -> None:
    with closing(create(url, source=SOURCE, phones=False)) as connection:
        connection.set_version(99)
    with pytest.raises(WrongArchive, match="newer liner-mcp"):
        open_connection(url, source=SOURCE)
    with pytest.raises(WrongArchive, match="newer liner-mcp"):
        rebuild(url, source=SOURCE, phones=False)


@pytest.mark.anyio
async def test_a_sync_changes_older_tables_and_a_reader_asks_for_one(
    new_archive: NewArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, dataset = new_archive(), Dataset.generate(now=NOW, days=3, calls=60)
    await run_sync(FakeLiner(dataset), path)
    before = content_of(path)
    monkeypatch.setattr(schema, "SCHEMA_VERSION", 3)
    steps = ("ALTER TABLE call ADD COLUMN mood INTEGER", "CREATE TABLE note (id INTEGER PRIMARY KEY) WITHOUT ROWID")
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    for writable in (False, True):
        with pytest.raises(OlderArchive, match="Run liner-mcp sync"):
            open_connection(path, source=SOURCE, writable=writable)
    with writer_lock(path), pytest.raises(ArchiveLocked):
        open_or_create(path, source=SOURCE, phones=False, migrate=True)
    open_or_create(path, source=SOURCE, phones=False, migrate=True).close()
    with opened(path) as connection:
        assert connection.rows("SELECT id FROM note") == []
        assert connection.version() == 3
        assert verify(connection) == []
    after = content_of(path)
    assert [{name: one[name] for name in one if name != "mood"} for one in after["call"]] == before["call"]


# Locks and outages ----------------------------------------------------------------------------------------------------


def test_one_process_writes_and_the_lock_ends_with_its_connection(url: SecretStr) -> None:
    create(url, source="demo", phones=False).close()
    with writer_lock(url):
        done = command("sync", **DEMO, LINER_ARCHIVE=text_of(url))
        assert done.returncode == 1
        assert done.stderr.startswith("Another process writes to the archive")
    with writer_lock(url):
        pass
    with server_lock(url) as is_held:
        assert is_held()
        shared_server().disconnect(url)
        assert not is_held()


def test_two_processes_that_create_an_archive_make_one(url: SecretStr) -> None:
    made = [create(url, source=SOURCE, phones=False) for _ in range(2)]
    for connection in made:
        assert verify(connection) == []
        connection.close()


@pytest.mark.anyio
async def test_while_the_server_is_away_answers_are_live_and_what_was_forgotten_stays_so(
    server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liner_mcp.archive.database.RETRY_SECONDS", 0.0)
    url, dataset = server.new_database(), Dataset.generate(now=NOW, days=5, calls=120)
    fill(url, dataset)
    call = next(iter(dataset.calls.values()))
    with opened(url) as connection:
        forget_call(connection, Writer(connection, phones=False), call.id)
    asked: dict[str, Any] = {"since": "2026-11-16", "until": "2026-11-19"}
    everything: dict[str, Any] = {"since": "2026-11-10", "group_by": ["day"]}
    async with session_with(dataset, archive=url) as (session, _):
        before = await session.answer("find_calls", **asked)
        counted = await session.answer("call_stats", **everything)
        server.stop()
        away = await session.answer("find_calls", **asked)
        live = await session.answer("call_stats", **everything)
        summaries = await session.answer("get_call_summaries", call_ids=[call.id])
        server.start()
        back = await session.answer("find_calls", **asked)
    assert before["page"]["archived_until"] == back["page"]["archived_until"]
    assert "archived_until" not in away["page"]
    assert rows_of(before) == rows_of(away) == rows_of(back)
    assert counted["totals"] == live["totals"]
    assert counted["totals"]["calls"] == len(dataset.calls) - 1
    assert [row["summary_state"] for row in rows_of(summaries)] == ["forgotten"]
    assert caplog.text.count("Answers come from Liner alone") == 1


@pytest.mark.anyio
async def test_a_process_that_never_knew_what_was_forgotten_answers_nothing_while_the_server_is_away() -> None:
    gone = SecretStr("postgresql://liner@127.0.0.1:1/calls")
    async with session_with(Dataset.generate(now=NOW, days=2, calls=10), archive=gone) as (session, liner):
        assert "cannot be reached" in await session.refusal("find_calls", since="2026-11-18")
        assert liner.requests == []


@pytest.mark.anyio
async def test_a_read_that_is_cancelled_ends_in_the_server(url: SecretStr) -> None:
    create(url, source=SOURCE, phones=False).close()
    database = Database(url, SOURCE)
    with anyio.move_on_after(0.3) as scope:
        await database.read(lambda connection: connection.rows("SELECT pg_sleep(60)"))
    assert scope.cancelled_caught
    with anyio.fail_after(20), closing(PostgresConnection(url)) as other:
        while other.one(ACTIVE_SLEEP) is not None:
            await anyio.lowlevel.checkpoint()
    assert await database.read(lambda connection: connection.rows("SELECT 1 AS one")) == [{"one": 1}]
    database.close()


# Killed syncs ---------------------------------------------------------------------------------------------------------


class _EndingLiner(FakeLiner):
    """Calls `end` at the nth request from now."""

    left = 0
    end: Callable[[], object] = print

    async def serve(self, scope: Scope, send: Send) -> None:
        self.left -= 1
        if self.left == 0:
            await anyio.to_thread.run_sync(self.end)
        await super().serve(scope, send)


def start(url: SecretStr, origin: str) -> subprocess.Popen[bytes]:
    settings = {"LINER_API_HOST": origin, "LINER_API_TOKEN": "demo", "LINER_REQUESTS_PER_SECOND": "0"}
    return subprocess.Popen(
        [sys.executable, "-m", "liner_mcp", "sync", "--since", "-10d"],
        env={**os.environ, **settings, "LINER_ARCHIVE": text_of(url), "LINER_TIMEZONE": "Europe/Moscow"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_sync_whose_process_or_server_is_killed_goes_on_with_the_next_one(server: Server) -> None:
    liner = _EndingLiner(Dataset.generate(days=8, calls=160))
    url, fresh = server.new_database(), server.new_database()
    with serve_app(liner, lifespan="off") as origin:
        for at in (30, 60):
            with start(url, origin) as process:
                liner.left, liner.end = at, process.kill
                assert process.wait(120) == -signal.SIGKILL
            with opened(url, origin) as connection:
                assert verify(connection) == []
        with start(url, origin) as process:
            liner.left, liner.end = 30, server.stop
            assert process.wait(120) == 1
        server.start()
        for one in (url, fresh):
            with start(one, origin) as process:
                assert process.wait(120) == 0
        assert content_of(url, origin) == content_of(fresh, origin)
