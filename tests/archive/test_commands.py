"""sync, archive and forget as a person or a job runs them, and files that cannot be the archive."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from liner_mcp.archive.database import WrongArchive, create, open_connection
from liner_mcp.archive.forget import forget_lead
from liner_mcp.archive.lock import server_lock, writer_lock
from liner_mcp.archive.rebuild import rebuild
from liner_mcp.archive.sqlite import SqliteConnection
from liner_mcp.archive.verify import verify
from liner_mcp.archive.writer import Writer
from liner_mcp.demo import Dataset
from liner_mcp.server.archive_sync import sync_every
from liner_mcp.settings import Settings
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.fakes.blocking_liner import BlockingLiner
from tests.http_server.test_stopping import started
from tests.support.asgi_server import serve_app
from tests.support.command_line import run_within
from tests.support.context import AlteredLiner
from tests.support.sync import SOURCE, bytes_in, call_ids, content_of, opened, run_sync

DEMO = {"LINER_MCP_DEMO": "true", "LINER_TIMEZONE": "Europe/Moscow"}
PACE = {"LINER_REQUESTS_PER_SECOND": "0"}
HELLO: dict[str, Any] = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}
INITIALIZE = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}) + "\n"


command = partial(run_within, 120)  # a sync takes a while on a busy machine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "archive" / "calls.db"


@pytest.fixture
def recent() -> Dataset:
    """Calls of the last days, by the clock of this machine."""
    return Dataset.generate(days=6, calls=120)


def account(origin: str, path: Path) -> dict[str, str]:
    return {"LINER_API_HOST": origin, "LINER_API_TOKEN": "demo", "LINER_ARCHIVE": str(path), **PACE}


# sync -----------------------------------------------------------------------------------------------------------------


def test_the_demo_is_synced_shown_verified_and_rebuilt(path: Path) -> None:
    settings = {**DEMO, **PACE, "LINER_ARCHIVE": str(path)}
    first = command("sync", "--since", "-5d", **settings)
    assert first.returncode == 0, first.stderr
    assert "To read: " in first.stdout
    assert "Stored: " in first.stdout
    second = command("sync", "--since=-5d", "--json", **settings)
    done = json.loads(second.stdout)
    assert (second.returncode, done["failures"], done["stopped"], done["interrupted"]) == (0, [], None, False)
    assert done["requests"] > 0
    status = json.loads(command("archive", "status", "--json", **settings).stdout)
    assert (status["source"], status["phones"], status["file"]) == ("demo", False, str(path))
    assert status["calls"] > 0
    assert len(status["orders"]) == 6
    assert all(len(order["spans"]) == 1 for order in status["orders"])
    shown = command("archive", "status", **settings).stdout
    assert f"{status['calls']:,} calls" in shown
    assert command("archive", "verify", **settings).stdout == "The archive is sound.\n"
    assert command("archive", "rebuild", **settings).returncode == 0
    assert command("archive", "verify", **settings).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [("sync",), ("archive", "status"), ("archive", "verify"), ("archive", "rebuild"), ("forget", "--call", "1")],
)
def test_without_an_archive_each_command_says_what_to_set(arguments: tuple[str, ...]) -> None:
    done = command(*arguments, **DEMO)
    assert done.returncode == 1
    assert done.stderr.startswith("LINER_ARCHIVE is not set.")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sync", "--since", "lately"), "--since"),
        (("sync", "--since", "0001-01-01"), "--since"),
        (("sync", "--pace", "-1"), "--pace"),
        (("forget", "--before", "soon", "--yes"), "--before"),
        (("forget", "--before", "0001-01-01", "--yes"), "--before"),
        (("forget", "--before", "2100-01-01", "--yes"), "--before"),
        (("forget", "--call", "7"), "--yes"),
        (("forget", "--call", "x"), "an id"),
        (("serve", "--sync-every", "often"), "--sync-every"),
        (("sync", "--every", "often"), "--every"),
        (("sync", "--every", "15m", "--again"), "--again"),
        (("serve", "--archive"), "--demo"),
    ],
)
def test_a_wrong_argument_is_refused_with_2_and_nothing_is_made(
    path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = command(*arguments, LINER_ARCHIVE=str(path), **DEMO)
    assert done.returncode == 2
    assert said in done.stderr
    assert not path.exists()


def test_a_refused_token_is_one_sentence_and_1(path: Path, recent: Dataset) -> None:
    with serve_app(FakeLiner(recent, token="another"), lifespan="off") as origin:
        done = command("sync", **account(origin, path))
    assert done.returncode == 1
    assert done.stdout.count("LINER_API_TOKEN") == 1


def test_a_day_that_did_not_come_is_named_and_the_code_is_3(path: Path, recent: Dataset) -> None:
    call = next(one for one in recent.calls.values() if one.has_records)
    liner = AlteredLiner(FakeLiner(recent), status_by_pattern={f"callId={call.id}&": 403})
    with serve_app(liner, lifespan="off") as origin:
        done = command("sync", "--since", "-8d", **account(origin, path))
        as_json = json.loads(command("sync", "--since", "-8d", "--json", **account(origin, path)).stdout)
    assert done.returncode == 3
    assert f"Not stored: order {call.order_id} on " in done.stdout
    assert [failure["order_id"] for failure in as_json["failures"]] == [call.order_id]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_ctrl_c_keeps_what_was_stored_and_ends_with_130(path: Path, recent: Dataset) -> None:
    liner = BlockingLiner(recent, lambda target: "callId=" in target and liner.count("callId=") > 20)
    with serve_app(liner, lifespan="off") as origin:
        process = subprocess.Popen(
            [sys.executable, "-m", "liner_mcp", "sync", "--since", "-8d", "--json"],
            env={**os.environ, **account(origin, path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with process:
            assert liner.reached.wait(60)
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=60)
        liner.release()
    assert (process.returncode, errors) == (130, b"")
    done = json.loads(output)
    assert done["interrupted"]
    assert done["pending_days"] > 0
    with opened(path, origin) as connection:
        assert verify(connection) == []


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are POSIX")
def test_a_terminal_shows_a_bar_of_the_days(path: Path) -> None:
    import pty

    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "liner_mcp", "sync", "--since", "-2d"],
        env={**os.environ, **DEMO, **PACE, "LINER_ARCHIVE": str(path), "TERM": "xterm", "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=its,
    )
    os.close(its)
    shown = b""
    with process, contextlib.suppress(OSError):  # the end of a pseudo-terminal is an error on Linux
        while piece := os.read(ours, 1_000):
            shown += piece
    os.close(ours)
    assert process.returncode == 0
    assert b"Days" in shown


def test_without_the_extra_each_command_says_what_to_install(path: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    for library in ("apsw", "filelock"):
        (hidden / f"{library}.py").write_text("raise ImportError")
    for arguments in (("sync",), ("archive", "status"), ("archive", "rebuild"), ("forget", "--call", "1", "--yes")):
        done = command(*arguments, LINER_ARCHIVE=str(path), PYTHONPATH=str(hidden), **DEMO)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("An archive needs the extra `archive`")
        assert done.stderr.count("\n") == 1


def test_a_second_sync_at_the_same_time_is_refused(path: Path) -> None:
    create(path, source="demo", phones=False).close()
    with writer_lock(path):
        done = command("sync", LINER_ARCHIVE=str(path), **DEMO)
    assert done.returncode == 1
    assert done.stderr.startswith("Another process writes to the archive")


# Files that cannot be the archive -------------------------------------------------------------------------------------


def test_a_folder_that_is_not_there_is_made_for_the_owner_only(path: Path) -> None:
    create(path, source=SOURCE, phones=False).close()
    if os.name == "posix":
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert path.stat().st_mode & 0o777 == 0o600


def test_two_folders_that_are_not_there_are_refused_with_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WrongArchive, match="cannot be created: No such file or directory"):
        create(tmp_path / "a" / "b" / "calls.db", source=SOURCE, phones=False)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write into any folder")
def test_a_folder_that_cannot_be_written_is_refused_with_one_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(WrongArchive, match="cannot be created: Permission denied"):
        create(tmp_path / "calls.db", source=SOURCE, phones=False)


def test_a_newer_archive_and_another_programs_database_are_refused(path: Path) -> None:
    with closing(create(path, source=SOURCE, phones=False)) as connection:
        connection.rows("PRAGMA user_version = 99")
    with pytest.raises(WrongArchive, match="newer liner-mcp"):
        open_connection(path, source=SOURCE)
    with closing(SqliteConnection(path)) as connection:
        connection.rows("PRAGMA application_id = 7")
    with pytest.raises(WrongArchive, match="another program"):
        open_connection(path, source=SOURCE, writable=True)
    with pytest.raises(WrongArchive, match="another program"):
        rebuild(path, source=SOURCE, phones=False)


@pytest.mark.anyio
async def test_a_full_disk_ends_the_sync_with_one_sentence_and_half_a_day_is_not_stored(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = Dataset.generate(now=NOW, days=12, calls=600)
    writing = SqliteConnection.for_writing

    def limited(connection: SqliteConnection) -> None:
        writing(connection)
        connection.rows("PRAGMA max_page_count = 60")

    with monkeypatch.context() as disk:
        disk.setattr(SqliteConnection, "for_writing", limited)
        with pytest.raises(WrongArchive, match=r"the disk of .* is full"):
            await run_sync(FakeLiner(dataset), path)
    with opened(path) as connection:
        assert verify(connection) == []
        assert connection.rows("SELECT count(*) AS n FROM call")[0]["n"] > 0
    assert (await run_sync(FakeLiner(dataset), path)).whole


def test_an_older_stemmer_needs_a_rebuild_which_keeps_the_texts(path: Path) -> None:
    dataset = Dataset.generate(now=NOW, days=3, calls=60)
    anyio.run(run_sync, FakeLiner(dataset), path)
    before = content_of(path)
    with opened(path) as connection:
        connection.rows("UPDATE meta SET value = '0' WHERE name = 'stemmer'")
        connection.rows("INSERT INTO word (word) VALUES ('delete-all')")
    with pytest.raises(WrongArchive, match="archive rebuild"):
        open_connection(path, source=SOURCE)
    assert rebuild(path, source=SOURCE, phones=False) == "rebuilt"
    assert content_of(path) == before
    with opened(path) as connection:
        assert verify(connection) == []


def test_a_damaged_file_is_made_anew_and_what_was_forgotten_stays_forgotten(path: Path) -> None:
    dataset = Dataset.generate(now=NOW, days=3, calls=60)
    liner = FakeLiner(dataset)
    anyio.run(run_sync, liner, path)
    lead = next(one.lead_id for one in dataset.calls.values())
    with opened(path) as connection:
        forget_lead(connection, Writer(connection, phones=False), lead, NOW)
        page = connection.rows("SELECT rootpage FROM sqlite_schema WHERE name = 'call_by_time'")[0]["rootpage"]
        size = connection.rows("PRAGMA page_size")[0]["page_size"]
    content = bytearray(path.read_bytes())
    content[(page - 1) * size : page * size] = b"\x07" * size
    path.write_bytes(content)
    assert rebuild(path, source=SOURCE, phones=False) == "emptied"
    assert call_ids(path) == set()
    anyio.run(run_sync, liner, path)
    assert call_ids(path)
    assert lead not in {dataset.calls[one].lead_id for one in call_ids(path)}


def test_a_rebuild_masks_phones_that_may_not_be_shown_any_more(path: Path) -> None:
    dataset = Dataset.generate(now=NOW, days=3, calls=10)
    call = dataset.add_call(created_at=NOW - timedelta(days=1), client_phone="+79261234567")
    dataset.add_record(call.id, summary="Просит перезвонить на +7 926 123-45-67.")

    async def synced() -> None:
        await run_sync(FakeLiner(dataset), path, phones=True)

    anyio.run(synced)
    assert bytes_in(path.parent, "123-45-67")
    assert rebuild(path, source=SOURCE, phones=False) == "rebuilt"
    assert bytes_in(path.parent, "123-45-67") == []
    assert bytes_in(path.parent, "9261234567") == []
    with opened(path) as connection:
        assert verify(connection) == []


# forget ---------------------------------------------------------------------------------------------------------------


def test_forgetting_works_before_the_first_sync(path: Path) -> None:
    done = command("forget", "--lead", "5", "--yes", LINER_ARCHIVE=str(path), **DEMO)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Deleted calls: 0," in done.stdout
    with opened(path, "demo") as connection:
        assert [row["id"] for row in connection.rows("SELECT id FROM forgotten_lead")] == [5]


def test_forgetting_a_call_that_is_not_archived_forgets_its_recordings_too(path: Path, recent: Dataset) -> None:
    call = next(one for one in recent.calls.values() if recent.records_of(one.id))
    with serve_app(FakeLiner(recent), lifespan="off") as origin:
        done = command("forget", "--call", str(call.id), "--yes", **account(origin, path))
    assert (done.returncode, done.stderr) == (0, "")
    with opened(path, origin) as connection:
        noted = {row["id"] for row in connection.rows("SELECT id FROM forgotten_record")}
    assert noted == {record.id for record in recent.records_of(call.id)}


def test_forgetting_says_when_the_recordings_of_a_call_are_not_known(path: Path, recent: Dataset) -> None:
    with serve_app(FakeLiner(recent, token="another"), lifespan="off") as origin:
        done = command("forget", "--call", "7000001", "--yes", **account(origin, path))
    assert (done.returncode, done.stderr) == (3, "")
    assert "Forgotten: call 7000001." in done.stdout
    assert "not yet its recordings by their own ids" in done.stdout
    assert "LINER_API_TOKEN" in done.stdout
    with opened(path, origin) as connection:
        assert [row["id"] for row in connection.rows("SELECT id FROM forgotten_call")] == [7_000_001]


def test_the_status_shows_before_which_day_everything_was_forgotten(path: Path) -> None:
    settings = {"LINER_ARCHIVE": str(path), **DEMO}
    assert command("forget", "--before", "2026-06-01", "--yes", **settings).returncode == 0
    shown = command("archive", "status", **settings).stdout
    assert "Forgotten: 0 calls, 0 leads, and every call before 2026-06-01T00:00+03:00." in shown
    found = json.loads(command("archive", "status", "--json", **settings).stdout)
    assert found["forgotten_before"] == "2026-06-01T00:00+03:00"


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("", 1), ("y", 0)])
def test_forgetting_asks_on_a_terminal(path: Path, answer: str, code: int) -> None:
    import pty

    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "liner_mcp", "forget", "--call", "5"],
        env={**os.environ, **DEMO, "LINER_ARCHIVE": str(path)},
        stdin=its,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        os.write(ours, f"{answer}\n".encode())
        output, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(its)
    assert process.returncode == code
    assert output.startswith(b"This forgets call 5")
    assert path.exists() == (code == 0)


# A server that syncs --------------------------------------------------------------------------------------------------


class _Stop(Exception):
    """Ends a loop that a server runs until it stops."""


def settings_for(path: Path) -> Settings:
    return Settings(api_host=SOURCE, api_token="demo", archive=path, requests_per_second=0, timezone="Europe/Moscow")  # pyright: ignore[reportArgumentType]


async def stop(_: float) -> None:
    raise _Stop


@pytest.mark.anyio
async def test_a_server_syncs_at_its_start_and_then_again(path: Path, recent: Dataset) -> None:
    liner = FakeLiner(recent)
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise _Stop

    with pytest.raises(_Stop):
        await sync_every(settings_for(path), 900, httpx.ASGITransport(app=liner), sleep=pause)
    assert pauses == [900, 900]
    assert call_ids(path)
    assert liner.count("/v2/user/list") == 2
    # A day is read again after some hours only.
    lists = [target for target in liner.requests if target.startswith("/v2/call/")]
    assert len(lists) == len(set(lists))


@pytest.mark.anyio
async def test_of_two_servers_one_syncs(path: Path, recent: Dataset) -> None:
    liner = FakeLiner(recent)
    create(path, source=SOURCE, phones=False).close()
    with server_lock(path), pytest.raises(_Stop):
        await sync_every(settings_for(path), 900, httpx.ASGITransport(app=liner), sleep=stop)
    assert liner.requests == []


@pytest.mark.anyio
async def test_a_sync_that_fails_is_logged_without_content_and_the_server_goes_on(
    path: Path, recent: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(_: Any) -> Any:
        raise RuntimeError("Клиент сказал секрет")

    liner = AlteredLiner(FakeLiner(recent), change_by_pattern={"callId=": crash})
    with pytest.raises(_Stop):
        await sync_every(settings_for(path), 900, httpx.ASGITransport(app=liner), sleep=stop)
    assert "The archive was not synced: " in caplog.text
    assert "секрет" not in caplog.text


def test_the_demo_makes_an_archive_of_its_own_and_removes_it(tmp_path: Path, path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    done = command("serve", "--demo", "--archive", stdin=INITIALIZE, TMPDIR=str(folder), LINER_ARCHIVE=str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout.splitlines()[0])["result"]
    assert list(folder.iterdir()) == []
    assert not path.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without a signal")
def test_the_demos_archive_is_removed_when_a_signal_ends_the_server(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "liner_mcp", "serve", "--demo", "--archive"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(INITIALIZE.encode())
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without a signal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_service_that_only_syncs_logs_each_sync_and_ends_with_0_at_a_signal(
    path: Path, recent: Dataset, number: signal.Signals
) -> None:
    with serve_app(FakeLiner(recent), lifespan="off") as origin:
        process = subprocess.Popen(
            [sys.executable, "-m", "liner_mcp", "sync", "--every", "15m"],
            env={**os.environ, **account(origin, path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stderr
            line = next(json.loads(line) for line in process.stderr if '"archive_synced"' in line)
            process.send_signal(number)
            out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (0, "", "")
    assert line["days"] > 0
    assert call_ids(path, origin)


@pytest.mark.skipif(os.name == "nt", reason="workers need a Unix system")
def test_of_several_workers_one_syncs(path: Path, recent: Dataset) -> None:
    liner = FakeLiner(recent)
    with (
        serve_app(liner, lifespan="off") as origin,
        started(
            *("--workers", "2", "--sync-every", "15m"),
            LINER_MCP_LOG="json",
            LINER_API_HOST=origin,
            LINER_API_TOKEN="demo",
            LINER_ARCHIVE=str(path),
        ) as (process, _),
    ):
        line = next(json.loads(line) for line in process.stderr if '"archive_synced"' in line)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert line["days"] > 0
    assert liner.count("/v2/user/list") == 1
    with opened(path, origin) as connection:
        assert verify(connection) == []
