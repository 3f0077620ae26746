"""The command line as a person or a host runs it: as a subprocess."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from liner_mcp import __version__
from liner_mcp.cli.tokens import create_token
from liner_mcp.demo import Dataset
from tests.fakes import FakeLiner
from tests.support.asgi_server import serve_app
from tests.support.command_line import run_within
from tests.support.context import AlteredLiner
from tests.support.sentences import assert_says, recorded

META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
LIST_TOOLS = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}) + "\n"
run = partial(run_within, 60)


def test_the_version_is_told() -> None:
    assert run("--version").stdout == f"liner-mcp {__version__}\n"


def test_an_unknown_command_is_refused_with_the_known_ones() -> None:
    done = run("destroy")
    assert done.returncode == 2
    assert "'serve', 'check', 'demo'" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("serve",), ("serve", "--demo"), ("--demo",)])
def test_it_serves_stdio_and_ends_with_its_input(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, stdin=LIST_TOOLS)
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert {tool["name"] for tool in json.loads(line)["result"]["tools"]} >= {"list_call_records", "get_call_summaries"}
    assert done.stderr == ""


@pytest.mark.parametrize("command", [("serve", "--demo"), ("demo",), ("check", "--demo")])
def test_ctrl_c_ends_each_command_at_once(command: tuple[str, ...]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "liner_mcp", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        if command[0] == "serve":
            assert process.stdin
            assert process.stdout
            process.stdin.write(LIST_TOOLS.encode())
            process.stdin.flush()
            process.stdout.readline()  # it is up, and its input stays open
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode != 0


@pytest.mark.skipif(os.name == "nt", reason="Windows reports a closed pipe as another error")
@pytest.mark.parametrize(
    "command",
    [
        ("check", "--demo"),
        ("check", "--probe", "--demo"),
        ("demo",),
        ("install", "cursor", "--demo", "--dry-run"),
        ("token", "anna"),
        ("serve", "--demo"),
    ],
)
def test_a_reader_that_closes_stdout_ends_each_command_quietly(command: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "liner_mcp", *command],
        input=LIST_TOOLS.encode(),
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux stands for a full disk")
@pytest.mark.parametrize("command", [("check", "--demo"), ("demo",), ("token", "anna")])
def test_a_full_disk_ends_each_command_with_one_sentence(command: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "liner_mcp", *command],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert_says(lines[-1], "is_the_disk_full", at_end=True)
    assert "Traceback" not in lines[0]


@pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX closes the descriptor")
@pytest.mark.parametrize("arguments", ["--version >&-", "serve --demo <&-", "--version >&- <&- 2>&-"])
def test_a_command_without_standard_streams_runs(arguments: str) -> None:
    command = f'"{sys.executable}" -m liner_mcp {arguments}'
    done = subprocess.run(["/bin/sh", "-c", command], stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_check_says_what_works_and_ends_with_0() -> None:
    done = run("check", "--demo", LINER_TIMEZONE="Europe/Moscow")
    assert done.returncode == 0, done.stdout
    steps = [line.split()[1] for line in done.stdout.splitlines()[:-1]]
    assert steps == ["Settings", "Liner", "Orders", "Calls", "Records", "Tools"]
    assert "6 orders" in done.stdout
    first, *_, last = done.stdout.splitlines()
    assert_says(first.split(maxsplit=2)[2], "demo_all_data_is_invented_no_liner_account", at_start=True)
    assert_says(last, "the_demo_works_your_liner_was", at_start=True)
    assert done.stderr == ""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no permission bits")
@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o644, True)])
def test_a_token_file_that_others_can_read_is_worth_a_warning(tmp_path: Path, mode: int, warned: bool) -> None:
    file = tmp_path / "token"
    file.write_text("s3cr3t-t0ken")
    file.chmod(mode)
    settings = {"LINER_API_HOST": "liner.invalid", "LINER_API_TOKEN_FILE": str(file)}
    checked, served = run("check", **settings), run("serve", stdin=LIST_TOOLS, **settings)
    sentence = recorded("open_to_other_users")
    assert (f"NOTE Settings  {sentence}" in checked.stdout) is warned
    assert (f"Warning: {sentence}" in served.stderr) is warned
    assert "s3cr3t" not in checked.stdout + checked.stderr + served.stdout + served.stderr


def test_check_names_misspelt_callers_and_unusable_files(tmp_path: Path) -> None:
    tokens, access = tmp_path / "tokens", tmp_path / "access.toml"
    access.write_text("[callers.ana]\norders = 'all'\nagents = 'all'\n")
    settings = {"LINER_MCP_ACCESS_FILE": str(access)}
    assert_says(run("check", "--demo", **settings).stdout, "callers_have_no_names_set_liner")
    tokens.write_text(create_token("anna")[1])
    settings["LINER_MCP_TOKENS_FILE"] = str(tokens)
    done = run("check", "--demo", **settings)
    assert "ok   Callers   " in done.stdout
    assert f"NOTE Callers   {recorded('no_token_belongs_to')}" in done.stdout
    assert done.returncode == 0
    access.write_text("[callers.anna]\norders = 7\n")
    broken = run("check", "--demo", **settings)
    assert "FIX  Callers   LINER_MCP_ACCESS_FILE cannot be used" in broken.stdout
    assert broken.returncode == 1


def test_check_without_settings_names_the_variables_and_ends_with_1() -> None:
    done = run("check")
    assert done.returncode == 1
    assert "LINER_API_HOST" in done.stdout
    assert "LINER_API_TOKEN" in done.stdout
    assert "FIX" in done.stdout


def test_check_with_an_unusable_setting_names_it_and_still_lists_the_tools() -> None:
    done = run("check", LINER_API_HOST="http://liner.example.com", LINER_API_TOKEN="s3cr3t-t0ken")
    assert done.returncode == 1
    assert_says(done.stdout, "liner_api_host_cannot_be_used")
    assert re.search(r"ok\s+Tools", done.stdout)
    assert "s3cr3t-t0ken" not in done.stdout + done.stderr


def test_check_with_a_wrong_token_says_so_and_never_shows_it(dataset: Dataset) -> None:
    with serve_app(FakeLiner(dataset)) as origin:
        done = run("check", LINER_API_HOST=origin, LINER_API_TOKEN="s3cr3t-t0ken")
    assert done.returncode == 1
    assert_says(done.stdout, "refuses_access_http_401")
    assert "s3cr3t-t0ken" not in done.stdout + done.stderr


OF_ADDRESS = b'{"success":false,"message":"IP 203.0.113.77 is not in the allow list","data":null}'


@pytest.mark.parametrize(
    ("status", "body", "location", "said"),
    [
        (404, b"<html>404 Not Found", "", [recorded("liner_api_host_does_not_lead_web_page")]),
        (404, b'{"success":false,"message":"No route"}', "", [recorded("http_404_no_route"), "LINER_API_HOST"]),
        (200, b"<html>Welcome", "", [recorded("a_web_page_instead_of_json"), "LINER_API_HOST"]),
        (200, b"", "", [recorded("an_empty_body_http_200"), "LINER_API_HOST"]),
        (200, b'{"status":"ok"}', "", [recorded("not_the_documented_envelope_http_200"), "LINER_API_HOST"]),
        (403, b"<html>Just a moment...", "", [recorded("in_front_of_liner"), "HTTP 403", "LINER_API_HOST"]),
        (403, OF_ADDRESS, "", ['"IP *** is not in the allow list"']),
        (
            302,
            b"",
            "https://login.example.com/?next=s3cr3t",
            [recorded("liner_api_host_redirects_to_another")],
        ),
        (302, b"", "/", [recorded("liner_api_host_redirects_in_a")]),
    ],
)
def test_check_names_what_answers_in_place_of_liner(status: int, body: bytes, location: str, said: list[str]) -> None:
    async def elsewhere(_: Any, __: Any, send: Any) -> None:
        headers = [(b"location", location.encode())] if location else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    with serve_app(elsewhere, lifespan="off") as origin:
        done = run("check", LINER_API_HOST=origin, LINER_API_TOKEN="s3cr3t-t0ken")
        probe = run("check", "--probe", LINER_API_HOST=origin, LINER_API_TOKEN="s3cr3t-t0ken")
    assert done.returncode == 1
    assert "s3cr3t" not in done.stdout + done.stderr
    to_fix = [line for line in done.stdout.splitlines() if line.startswith("FIX")]
    assert to_fix
    for line in to_fix:
        assert [one for one in said if one not in line] == []
    assert probe.returncode != 0
    assert_says(probe.stdout, "run_liner_mcp_check")


def test_check_of_a_liner_without_a_health_check_goes_on(dataset: Dataset) -> None:
    with serve_app(AlteredLiner(FakeLiner(dataset), status_by_pattern={"/v1/health/": 404}), lifespan="off") as origin:
        done = run("check", LINER_API_HOST=origin, LINER_API_TOKEN="demo")
    assert done.returncode == 0, done.stdout
    assert_says(done.stdout, "this_address_has_no_health_check")


def test_check_of_a_liner_that_lists_calls_and_denies_them_does_not_blame_the_id(dataset: Dataset) -> None:
    with serve_app(
        AlteredLiner(FakeLiner(dataset), status_by_pattern={"/v2/call/detail/": 404}), lifespan="off"
    ) as origin:
        done = run("check", LINER_API_HOST=origin, LINER_API_TOKEN="demo")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("FIX")]
    assert recorded("and_then_says_that_there_is") in line or recorded("no_call_within") in done.stdout
    assert "LINER_API_HOST" in line


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"HTTPS_PROXY": "http://name:s3cr3t@[::1"}, "the_proxy_in_https_proxy_cannot"),
        ({"ALL_PROXY": "gopher://s3cr3t.example"}, "the_proxy_in_all_proxy_cannot"),
        ({"HTTPS_PROXY": "http://name:s3cr3t@127.0.0.1:1"}, "the_proxy_in_https_proxy_cannot_be"),
        ({"SSL_CERT_FILE": "/no/such.pem"}, "ssl_cert_file_no_such_pem"),
    ],
)
def test_check_names_the_variable_of_the_proxy_or_the_certificates(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], said: str
) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    settings = {"NO_PROXY": "fe80::/10,[::1]", **settings}
    done = run("check", LINER_API_HOST="liner.invalid", LINER_API_TOKEN="t0ken-t0ken", **settings)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("FIX")]
    assert_says(line, said)
    assert "s3cr3t" not in done.stdout + done.stderr


def test_check_with_a_host_that_is_not_there_says_so() -> None:
    done = run("check", LINER_API_HOST="liner.invalid", LINER_API_TOKEN="s3cr3t-t0ken", LINER_DEADLINE_SECONDS="5")
    assert done.returncode == 1
    # Some networks take longer to say that a name is unknown than connecting may take.
    assert (
        recorded("liner_api_host_cannot_be_found") in done.stdout or recorded("did_not_answer_in_time") in done.stdout
    )


BOTH = {"LINER_MCP_DEMO": "true", "LINER_API_TOKEN": "demo"}
IGNORED = "LINER_MCP_DEMO is set but ignored, because LINER_API_HOST and LINER_API_TOKEN are set."
UNCLEAR = (
    "LINER_MCP_DEMO and LINER_API_TOKEN are both set, so it is unclear which data is wanted. For your Liner, set "
    "LINER_API_HOST (the address of your Liner API, such as https://api.example.com) too; for the demo, unset "
    "LINER_API_TOKEN or start the server with --demo."
)
NOT_USED = (
    "DEMO: all data is invented; no Liner account is used. "
    "--demo is given, so LINER_API_HOST and LINER_API_TOKEN are not used."
)


def test_check_and_its_probe_ask_the_real_liner_though_the_demos_variable_is_set(liner: FakeLiner) -> None:
    with serve_app(liner) as origin:
        check = run("check", LINER_API_HOST=origin, **BOTH)
        asked = len(liner.requests)
        probe = run("check", "--probe", LINER_API_HOST=origin, **BOTH)
    assert 0 < asked < len(liner.requests)
    assert IGNORED in check.stdout.splitlines()[0]
    assert check.stdout.splitlines()[-1] == "Everything works."
    assert probe.stdout.splitlines()[0].endswith(IGNORED)


def test_check_and_its_probe_with_the_option_ask_the_demo_though_an_account_is_set(liner: FakeLiner) -> None:
    with serve_app(liner) as origin:
        check = run("check", "--demo", LINER_API_HOST=origin, **BOTH)
        probe = run("check", "--probe", "--demo", LINER_API_HOST=origin, **BOTH)
    assert liner.requests == []
    assert NOT_USED in check.stdout.splitlines()[0]
    assert probe.stdout.splitlines()[0].endswith(NOT_USED)


@pytest.mark.parametrize("command", [("check",), ("check", "--probe"), ("install", "cursor", "--dry-run")])
def test_half_an_account_beside_the_demos_variable_is_refused(command: tuple[str, ...]) -> None:
    done = run(*command, LINER_MCP_DEMO="true", LINER_API_HOST="liner.example")
    assert done.returncode == 1
    assert_says(done.stdout + done.stderr, "liner_mcp_demo_and_liner_api")
    assert_says(done.stdout + done.stderr, "unset_liner_api_host_or_start")


@pytest.mark.parametrize(
    ("options", "settings", "notice"),
    [
        (("--demo",), {}, recorded("demo_all_data_is_invented_no_liner")),
        (("--demo",), {"LINER_API_HOST": "liner.example", **BOTH}, NOT_USED),
        ((), {"LINER_API_HOST": "liner.example", **BOTH}, IGNORED),
        ((), BOTH, UNCLEAR),
    ],
)
def test_the_log_over_stdio_begins_with_what_is_said_about_the_demo(
    options: tuple[str, ...], settings: dict[str, str], notice: str
) -> None:
    done = run("serve", *options, stdin=LIST_TOOLS, LINER_MCP_LOG="json", **settings)
    first = json.loads(done.stderr.splitlines()[0])
    assert (first["event"], first["level"], first["text"]) == ("message", "WARNING", notice)


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are POSIX")
def test_serve_on_a_terminal_says_that_it_is_the_demo() -> None:
    import pty

    ours, its = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "liner_mcp", "serve", "--demo"],
        stdin=its,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with done:
        assert done.stderr
        lines = [done.stderr.readline().decode() for _ in range(2)]
        done.kill()
    os.close(ours)
    os.close(its)
    assert_says(lines[0], "liner_mcp_is_waiting_for_an", at_start=True)
    assert lines[1] == recorded("demo_all_data_is_invented_no_liner_account_is")


def test_without_settings_every_call_says_what_to_set() -> None:
    call: dict[str, Any] = {"name": "list_call_records", "arguments": {"call_id": 7000123}, "_meta": META}
    request = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}) + "\n"
    done = run(stdin=request)
    result = json.loads(done.stdout)["result"]
    assert result["isError"] is True
    assert_says(result["content"][0]["text"], "set_liner_api_host")
    assert "--demo" in result["content"][0]["text"]
