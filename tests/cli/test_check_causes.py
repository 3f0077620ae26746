"""`check` and `check --probe` as a subprocess, with real sockets: the cause that they name, and how they show it."""

from __future__ import annotations

import json
import os
import re
import socketserver
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from liner_mcp.demo import Dataset
from tests.cli.test_cli import LIST_TOOLS, run
from tests.diagnostics.test_probe import SCHEMA
from tests.fakes import FakeLiner
from tests.support.asgi_server import serve_app
from tests.support.certificates import self_signed
from tests.support.context import AlteredLiner
from tests.support.sentences import assert_says

TOKEN = "s3cr3t-t0ken"
LOOPBACK = "127.0.0.1"
ROUTE = ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def direct_route(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ROUTE:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def recent() -> Dataset:
    """A call centre whose calls end now, because the command line has the real clock."""
    return Dataset.generate()


def to_fix(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of `check` that is marked FIX."""
    assert done.returncode == 1, done.stdout
    assert TOKEN not in done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("FIX")]
    return line


# What is on the way -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "validity", "trusted", "said"),
    [
        (LOOPBACK, {}, False, "certificate_is_self_signed"),
        (LOOPBACK, {"last_day": -1}, True, "certificate_has_expired"),
        (LOOPBACK, {"first_day": 1}, True, "certificate_is_not_valid_yet"),
        ("127.0.0.2", {}, True, "certificate_of_another_host"),
    ],
)
def test_check_and_its_probe_name_what_is_wrong_with_a_certificate(
    address: str, validity: dict[str, int], trusted: bool, said: str, tmp_path: Path, recent: Dataset
) -> None:
    certificate, key = self_signed(tmp_path, address, **validity)
    liner = FakeLiner(recent, token=TOKEN)
    with serve_app(liner, ssl_certfile=certificate, ssl_keyfile=key) as origin:
        settings = {"LINER_API_HOST": origin.replace("http://", "https://"), "LINER_API_TOKEN": TOKEN}
        if trusted:
            settings["SSL_CERT_FILE"] = certificate
        check, probe = run("check", **settings), run("check", "--probe", **settings)
    assert_says(to_fix(check), said, at_end=True)
    assert probe.returncode == 1
    assert_says(probe.stdout.splitlines()[-1], said)
    assert liner.requests == []


def test_a_trusted_certificate_works_and_one_of_other_authorities_names_their_file(
    tmp_path: Path, recent: Dataset
) -> None:
    (tmp_path / "other").mkdir()
    certificate, key = self_signed(tmp_path, LOOPBACK)
    other, _ = self_signed(tmp_path / "other", LOOPBACK)
    with serve_app(FakeLiner(recent, token=TOKEN), ssl_certfile=certificate, ssl_keyfile=key) as origin:
        settings = {"LINER_API_HOST": origin.replace("http://", "https://"), "LINER_API_TOKEN": TOKEN}
        good = run("check", **settings, SSL_CERT_FILE=certificate)
        bad = run("check", **settings, SSL_CERT_FILE=other)
    assert good.returncode == 0, good.stdout
    assert_says(to_fix(bad), "only_the_authorities_in_ssl_cert_file", at_end=True)


@contextmanager
def refusing_proxy(answer: bytes) -> Generator[tuple[str, list[bytes]]]:
    """A proxy that answers each request with the same, and the beginnings of the requests."""
    heads: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while not head.endswith(b"\r\n\r\n") and (line := self.rfile.readline()):
                head += line
            heads.append(head)
            self.wfile.write(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://name:pass-w0rd@127.0.0.1:{server.server_address[1]}", heads
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"407 Proxy Authentication Required", "https_proxy_needs_a_user_name"),
        (b"403 Forbidden", "https_proxy_refuses_to_connect"),
    ],
)
@pytest.mark.parametrize("arguments", [("check",), ("check", "--probe")])
def test_a_proxy_that_refuses_is_named_and_never_gets_the_token(
    answer: bytes, said: str, arguments: tuple[str, ...]
) -> None:
    with refusing_proxy(answer) as (proxy, heads):
        done = run(*arguments, LINER_API_HOST="liner.invalid", LINER_API_TOKEN=TOKEN, HTTPS_PROXY=proxy)
    assert done.returncode == 1
    assert_says(done.stdout, said)
    assert "pass-w0rd" not in done.stdout + done.stderr
    assert heads
    assert all(head.startswith(b"CONNECT liner.invalid:443 ") and TOKEN.encode() not in head for head in heads)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, b"<html>Just a moment...", "something_in_front_of_liner_a"),
        (451, b"<html>Blocked", "something_in_front_of_liner_a"),
        (403, b'{"success":false,"message":"IP 203.0.113.77 is not allowed"}', "liner_refuses_access_with_a_message"),
        (403, b'{"success":false,"message":""}', "liner_does_not_accept_the_token"),
        (404, b"<html>", "liner_api_host_does_not_lead"),
        (200, b"<html>Log in", "liner_api_host_answers_with_a_web_page"),
    ],
)
def test_the_probe_names_what_answers_in_place_of_liner(status: int, body: bytes, said: str) -> None:
    async def elsewhere(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    with serve_app(elsewhere, lifespan="off") as origin:
        probe = run("check", "--probe", LINER_API_HOST=origin, LINER_API_TOKEN=TOKEN)
    assert probe.returncode == 1
    last = probe.stdout.splitlines()[-1]
    assert_says(last, said)
    assert_says(last, "run_liner_mcp_check")
    assert "203.0.113.77" not in probe.stdout


# What Liner answers -----------------------------------------------------------------------------------------------


class DatedApp:
    """An application that sends the time of another clock."""

    def __init__(self, app: Any, ahead: timedelta) -> None:
        self.app, self.ahead = app, ahead

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def with_date(message: Any) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(datetime.now(UTC) + self.ahead, usegmt=True).encode()
                message = {**message, "headers": [*message["headers"], (b"date", date)]}
            await send(message)

        await self.app(scope, receive, with_date)


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (timedelta(hours=3), "this_machines_clock_is_180_minutes_behind"),
        (-timedelta(minutes=10), "this_machines_clock_is_10_minutes_ahead"),
    ],
)
def test_a_clock_that_is_wrong_is_to_be_set(ahead: timedelta, said: str, recent: Dataset) -> None:
    with serve_app(DatedApp(FakeLiner(recent), ahead), date_header=False) as origin:
        done = run("check", LINER_API_HOST=origin, LINER_API_TOKEN="demo")
    assert_says(to_fix(done), said)


@pytest.mark.parametrize(("hours", "said"), [(3, "reads_the_times_of_a_window_3_hours_late"), (0, "")])
def test_a_liner_that_reads_windows_in_another_zone_is_a_note(hours: int, said: str, recent: Dataset) -> None:
    with serve_app(FakeLiner(recent, window_shift=timedelta(hours=hours))) as origin:
        done = run("check", LINER_API_HOST=origin, LINER_API_TOKEN="demo")
    assert done.returncode == 0, done.stdout
    notes = [line for line in done.stdout.splitlines() if line.startswith("NOTE")]
    assert len(notes) == bool(said)
    if said:
        assert "Window" in notes[0]
        assert_says(notes[0], said)


def test_calls_that_liner_does_not_count_are_not_counted_by_their_first_page(recent: Dataset) -> None:
    with serve_app(FakeLiner(recent, totals=False)) as origin:
        done = run("check", LINER_API_HOST=origin, LINER_API_TOKEN="demo")
    assert "at least 100 calls within 30 days" in " ".join(done.stdout.split())


NO_LIST: dict[str, Callable[[Any], Any]] = {"v[12]/order": lambda _: {"list": [], "total": 0, "next": None}}
NO_IDS: dict[str, Callable[[Any], Any]] = {"v[12]/order": lambda data: {**data, "list": [None] * len(data["list"])}}


@pytest.mark.parametrize(
    ("altered", "said"),
    [
        ({"change_by_pattern": NO_LIST}, "liner_lists_no_order"),
        ({"change_by_pattern": NO_IDS}, "no_row_of_the_list_of_orders"),
        ({"status_by_pattern": {"v2/call/": 422}}, "FIX  Calls"),
        ({"status_by_pattern": {"v2/call/": 500}}, "FIX  Calls"),
    ],
)
def test_where_calls_cannot_be_listed_check_and_its_probe_do_not_end_with_0(
    altered: dict[str, Any], said: str, recent: Dataset
) -> None:
    with serve_app(AlteredLiner(FakeLiner(recent), **altered), lifespan="off") as origin:
        check = run("check", LINER_API_HOST=origin, LINER_API_TOKEN="demo")
        probe = run("check", "--probe", LINER_API_HOST=origin, LINER_API_TOKEN="demo")
    assert check.returncode == 1
    if said.startswith("FIX"):
        assert to_fix(check).startswith(said)
    else:
        assert_says(to_fix(check), said)
    assert probe.returncode in (1, 3)
    if probe.returncode == 1:
        assert_says(probe.stdout.splitlines()[-1], "calls_could_not_be_listed")


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ({"db": {"success": True}}, "answers; its service is up"),
        ({"db": {"success": True}, "sip": {"success": True}}, "answers; all 2 services are up"),
        ({"db": {"success": False}}, "answers; 1 of its 1 service reported trouble: db"),
    ],
)
def test_the_services_read_well_in_singular_and_plural(services: dict[str, Any], said: str, recent: Dataset) -> None:
    altered = AlteredLiner(FakeLiner(recent), change_by_pattern={"health": lambda _: services})
    with serve_app(altered, lifespan="off") as origin:
        done = run("check", LINER_API_HOST=origin, LINER_API_TOKEN="demo")
    assert re.search(rf"Liner\s+{said}$", done.stdout, re.MULTILINE)


# The settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"LINER_API_TOKEN": "${input:liner-token}"}, "a_placeholder_that_was_not_replaced"),
        ({"LINER_API_TOKEN": f'"{TOKEN}"'}, "it_stands_in_quotation_marks"),
        ({"LINER_API_TOKEN": f"Bearer {TOKEN}"}, "a_word_stands_before_the_token"),
        ({"LINER_API_TOKEN": TOKEN, "LINER_TIMEZONE": "right/UTC"}, "is_not_an_iana_time_zone_such"),
        ({"LINER_API_TOKEN_FILE": "/no/such/token"}, "file_cannot_be_read_at"),
        ({"LINER_API_TOKEN": TOKEN, "LINER_API_HOST": "https://api.example.com"}, "still_the_address_of_an_example"),
        ({"LINER_TOKEN": TOKEN}, "is_not_a_setting_and_is_ignored"),
    ],
)
def test_what_is_wrong_with_a_setting_is_named_before_anything_is_sent(
    settings: dict[str, str], said: str, recent: Dataset
) -> None:
    liner = FakeLiner(recent, token=TOKEN)
    with serve_app(liner) as origin:
        done = run("check", **{"LINER_API_HOST": origin, **settings})
    assert_says(to_fix(done), said)
    assert liner.requests == []


TYPO = {"LINER_TIMEZON": "Europe/Moscow"}


def test_a_misspelt_variable_is_a_warning_of_every_command_and_a_reason_for_none_to_stop(tmp_path: Path) -> None:
    done = run("check", "--demo", **TYPO)
    assert done.returncode == 0
    assert_says(done.stdout, "is_not_a_setting_and_is_ignored", name="LINER_TIMEZON", meant="LINER_TIMEZONE")
    for command in (
        ("check", "--probe", "--demo"),
        ("install", "cursor", "--demo", "--dry-run", "--file", str(tmp_path / "mcp.json")),
        ("serve", "--demo"),
    ):
        done = run(*command, stdin=LIST_TOOLS, **TYPO)
        assert done.returncode == 0
        assert_says(done.stderr, "is_not_a_setting_and_is_ignored", name="LINER_TIMEZON", meant="LINER_TIMEZONE")
        assert "LINER_TIMEZON " not in done.stdout
    (line,) = run("serve", "--demo", stdin=LIST_TOOLS, LINER_MCP_LOG="json", **TYPO).stderr.splitlines()[:1]
    assert_says(json.loads(line)["text"], "is_not_a_setting_and_is_ignored")


# How it is shown --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        (("check",), {}),
        (("check", "--demo"), {}),
        (("check", "--probe", "--demo"), {}),
        (
            ("check",),
            {"LINER_API_HOST": "liner.invalid", "LINER_API_TOKEN": TOKEN, "HTTPS_PROXY": "http://127.0.0.1:1"},
        ),
    ],
)
def test_what_is_printed_fits_80_columns(arguments: tuple[str, ...], settings: dict[str, str]) -> None:
    done = run(*arguments, COLUMNS="", **settings)
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
    assert len(done.stdout.splitlines()) > 4


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize(
    ("arguments", "shown"), [(("check",), b"Checking: Calls"), (("check", "--probe"), b"Request 3 of at most 20")]
)
def test_progress_is_shown_on_a_terminal_and_removed(arguments: tuple[str, ...], shown: bytes) -> None:
    import pty

    ours, its = pty.openpty()
    command = [sys.executable, "-m", "liner_mcp", *arguments, "--demo"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=its, timeout=60, check=False)
    os.close(its)
    on_terminal = os.read(ours, 100_000)
    os.close(ours)
    assert done.returncode == 0
    assert shown in on_terminal
    assert on_terminal.endswith(b"\r")
    assert shown not in done.stdout


# The report as JSON -----------------------------------------------------------------------------------------------


def test_the_report_is_written_redacted_and_as_documented(tmp_path: Path, recent: Dataset) -> None:
    out = tmp_path / "report.json"
    with serve_app(FakeLiner(recent, token=TOKEN, record_list="short")) as origin:
        done = run("check", "--probe", "--out", str(out), LINER_API_HOST=origin, LINER_API_TOKEN=TOKEN)
    assert done.returncode == 3
    assert_says(done.stdout, "it_holds_no_names_ids_phones")
    text = out.read_text(encoding="utf-8")
    report = json.loads(text)
    jsonschema.validate(report, SCHEMA)
    assert (report["exit_code"], report["demo"], report["requests"]) == (3, False, 18)
    differing = {one["key"]: one["switches_off"] for one in report["assumptions"] if one["outcome"] == "differs"}
    assert "record_fields" in differing
    calls = next(one for one in report["answers"] if one["request"] == "calls")
    assert calls["fields"]["clientPhone"] == ["text"]
    assert TOKEN not in text
    assert origin.removeprefix("http://") not in text
    assert not re.search(r"[А-Яа-яЁё]|://|\+7", text)
    if os.name == "posix":
        assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_keys_that_could_be_ids_or_names_are_counted_and_not_shown(tmp_path: Path, recent: Dataset) -> None:
    def keyed(data: Any) -> Any:
        odd = {"79001234567": 1, "Анна Петрова": 2, "Anna Petrova": 3, "anna@example.com": 4, "a" * 41: 5}
        return {**data, "list": [{**row, **odd} for row in data["list"]]}

    out = tmp_path / "report.json"
    altered = AlteredLiner(FakeLiner(recent), change_by_pattern={"v2/order": keyed})
    with serve_app(altered, lifespan="off") as origin:
        run("check", "--probe", "--out", str(out), LINER_API_HOST=origin, LINER_API_TOKEN="demo")
    report = json.loads(out.read_text(encoding="utf-8"))
    orders = next(one for one in report["answers"] if one["request"] == "orders")
    assert orders["other_keys"] == 5
    assert not re.search("7900|Анна|Anna|example", out.read_text(encoding="utf-8"))


def test_a_report_that_cannot_be_written_costs_no_request(tmp_path: Path, recent: Dataset) -> None:
    liner = FakeLiner(recent)
    with serve_app(liner) as origin:
        settings = {"LINER_API_HOST": origin, "LINER_API_TOKEN": "demo"}
        missing = run("check", "--probe", "--out", str(tmp_path / "no" / "report.json"), **settings)
        folder = run("check", "--probe", "--out", str(tmp_path), **settings)
        alone = run("check", "--out", str(tmp_path / "report.json"), **settings)
    assert (missing.returncode, folder.returncode, alone.returncode) == (1, 1, 2)
    assert_says(missing.stderr, "cannot_be_written_no_such_folder")
    assert str(tmp_path) in folder.stderr
    assert_says(alone.stderr, "out_is_for_probe")
    assert liner.requests == []
