"""Each HTTP request leaves one line that says who, what and how it went, and nothing of what was asked."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from liner_mcp import __version__
from liner_mcp.demo import Dataset, DemoLiner
from tests.fakes.blocking_liner import BlockingLiner
from tests.http_server.support import (
    ACCEPT,
    LEGACY,
    MODERN,
    PATIENCE,
    call,
    connected,
    question,
    raw,
    result,
    serve,
    until,
)
from tests.http_server.test_stopping import COMMAND, announced_url, ended, started
from tests.support.log_capture import LogCapture, capture_logs, strings_in
from tests.support.sentences import recorded

KEYS = [
    "time",
    "event",
    "request_id",
    "caller",
    "auth_error",
    "http_method",
    "path",
    "status",
    "seconds",
    "bytes_in",
    "bytes_out",
    "protocol",
    "method",
    "name",
    "client",
    "pid",
]


@pytest.fixture
def lines() -> Generator[LogCapture]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def web(liner: DemoLiner, lines: LogCapture) -> Generator[httpx.Client]:
    del lines  # first the ear, then the server
    with serve(liner) as origin, httpx.Client(base_url=origin, timeout=PATIENCE) as client:
        yield client


@pytest.mark.parametrize("era", [MODERN, LEGACY])
def test_a_request_is_one_line_with_what_an_operator_needs(web: httpx.Client, lines: LogCapture, era: str) -> None:
    asked = call("list_call_records", era, call_id=7003900)
    answer = web.post("/mcp", **asked)
    assert result(answer)["structuredContent"]["page"]["returned"] == 2
    line = lines.next("request")
    assert list(line) == KEYS
    assert line["request_id"] == answer.headers["x-request-id"]
    assert (line["http_method"], line["path"], line["status"]) == ("POST", "/mcp", 200)
    assert (line["method"], line["name"], line["protocol"]) == ("tools/call", "list_call_records", era)
    assert line["bytes_in"] == len(json.dumps(asked["json"], separators=(",", ":"), ensure_ascii=False).encode())
    assert line["bytes_out"] == len(answer.content)
    assert line["caller"] is None
    assert "7003900" not in json.dumps(line)
    assert "127.0.0.1" not in json.dumps(line)
    assert len([text for text in lines.texts if '"request"' in text]) == 1


TRACE_ID, UUID = "0af7651916cd43dd8448eb211c80319c", "550e8400-e29b-41d4-a716-446655440000"
PLAIN_IDS = ["a", TRACE_ID, UUID, "Up.stream_7-x", "run-123456", "x" * 64]
PHONES = [
    "79261234567",
    "8-926-123-45-67",
    "tel.8926.123.45.67",
    "x_123-45-67",
    "926_1234567.a",
    "0af7651916123456789b",
]


@pytest.mark.parametrize("given", PLAIN_IDS)
def test_a_plain_request_id_is_taken_over(web: httpx.Client, lines: LogCapture, given: str) -> None:
    answer = web.post("/mcp", **_with_ids(given))
    assert answer.headers["x-request-id"] == given
    assert lines.next("request")["request_id"] == given


@pytest.mark.parametrize("given", [("x" * 65,), ("",), ("a b",), ("+79261234567",), ('"},{"',), ("a", "b"), ("a, b",)])
def test_any_other_request_id_is_replaced(web: httpx.Client, lines: LogCapture, given: tuple[str, ...]) -> None:
    answer = web.post("/mcp", **_with_ids(*given))
    made = answer.headers["x-request-id"]
    assert made not in given
    assert len(made) == 16
    assert lines.next("request")["request_id"] == made


@pytest.mark.parametrize("phone", PHONES)
def test_a_request_id_that_may_be_a_phone_is_replaced_and_not_logged(
    web: httpx.Client, lines: LogCapture, phone: str
) -> None:
    answer = web.post("/mcp", **_with_ids(phone))
    assert answer.headers["x-request-id"] == lines.next("request")["request_id"]
    assert not [text for text in lines.texts if phone in text]


def _with_ids(*given: str) -> dict[str, Any]:
    asked = question("tools/list")
    asked["headers"] = [*asked["headers"].items(), *(("x-request-id", one) for one in given)]
    return asked


def test_nothing_that_a_client_made_up_is_in_the_line(web: httpx.Client, lines: LogCapture) -> None:
    made_up = "Petrov79261234567"
    info = {"io.modelcontextprotocol/clientInfo": {"name": "Petrov\n79261234567", "version": made_up}}
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", f"/{made_up}?phone={made_up}", {}),
        (made_up.upper(), "/mcp", {}),
        ("POST", f"/mcp?token={made_up}", question("tools/list")),
        ("POST", "/mcp", question("tools/call", name=made_up, arguments={made_up: made_up})),
        ("POST", "/mcp", question("prompts/get", LEGACY, name=made_up)),
        ("POST", "/mcp", question(made_up, LEGACY, name=made_up)),
        ("POST", "/mcp", question("resources/read", LEGACY, uri=f"liner://{made_up}")),
        ("POST", "/mcp", question("tools/list", _meta=info)),
        ("POST", "/mcp", {"headers": {**ACCEPT, "mcp-protocol-version": made_up, "user-agent": made_up}, "json": {}}),
    ]
    for verb, path, more in requests:
        web.request(verb, path, **more)
        line = lines.next("request")
        assert strings_in(line) - {line["time"], line["request_id"]} <= {
            "request",
            "GET",
            "POST",
            "other",
            "/mcp",
            MODERN,
            LEGACY,
            "tools/list",
            "tools/call",
            "prompts/get",
            "resources/read",
            "Petrov",  # what a client calls itself is told, without what a name of a program does not have
        }
    assert not any("79261234567" in text for text in lines.texts)


def test_a_client_that_introduces_itself_is_named(web: httpx.Client, lines: LogCapture) -> None:
    info = {"name": "claude-code", "version": "2.1"}
    web.post("/mcp", **question("tools/list", _meta={"io.modelcontextprotocol/clientInfo": info}))
    assert lines.next("request")["client"] == "claude-code"
    web.post("/mcp", **question("initialize", LEGACY, protocolVersion=LEGACY, capabilities={}, clientInfo=info))
    line = lines.next("request")
    assert (line["method"], line["client"]) == ("initialize", "claude-code")


def test_refusals_and_lost_ways_have_their_lines(web: httpx.Client, lines: LogCapture) -> None:
    assert web.get("/mcp").status_code == 405
    assert lines.next("request")["status"] == 405
    assert web.post("/elsewhere", **question("tools/list")).status_code == 404
    line = lines.next("request")
    assert (line["status"], line["path"], line["method"]) == (404, "other", None)
    assert web.post("/mcp", headers=ACCEPT, content=b"x" * 300_000).status_code == 413
    assert lines.next("request")["status"] == 413
    strange = question("tools/list")
    strange["headers"]["host"] = "elsewhere.example"
    answer = web.post("/mcp", **strange)
    assert answer.status_code == 421
    line = lines.next("request")
    assert line["status"] == 421
    assert line["request_id"] == answer.headers["x-request-id"]
    assert web.get("/.well-known/oauth-protected-resource/mcp").status_code == 404
    assert lines.next("request")["path"] == "/.well-known/oauth-protected-resource"


def test_probes_are_lines_for_debugging_only(liner: DemoLiner) -> None:
    for level, seen in ((logging.INFO, 0), (logging.DEBUG, 2)):
        with capture_logs(level) as lines, serve(liner) as origin, httpx.Client(base_url=origin) as web:
            assert web.get("/health").headers["x-request-id"]
            assert web.get("/ready").status_code == 200
            web.post("/mcp", **question("tools/list"))
            while lines.next("request")["path"] != "/mcp":
                pass
            assert len(lines.texts) == seen + 1


def test_the_caller_is_named_when_the_entry_point_knew_them_and_not_otherwise(
    liner: DemoLiner, lines: LogCapture, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"anna:{hashlib.sha256(b'anna-token').hexdigest()}\n")
    tokens.chmod(0o600)
    with serve(liner, mcp_tokens_file=tokens) as origin, httpx.Client(base_url=origin, timeout=PATIENCE) as web:
        known = {"authorization": "Bearer anna-token"}
        asked = call("list_call_records", call_id=7003900)
        asked["headers"] |= known
        result(web.post("/mcp", **asked))
        audit, request = lines.next("audit"), lines.next("request")
        assert audit["caller"] == request["caller"] == "anna"
        assert audit["request_id"] == request["request_id"]
        assert web.get("/mcp", headers=known).status_code == 405
        assert lines.next("request")["caller"] == "anna"
        assert web.post("/mcp", **question("tools/list")).status_code == 401
        line = lines.next("request")
        assert (line["status"], line["caller"]) == (401, None)
    assert not any("anna-token" in text for text in lines.texts)


def test_a_crash_has_its_line_and_its_id(liner: DemoLiner, lines: LogCapture, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Any) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            del scope, receive, send
            raise ValueError("a summary")

        return app

    with serve(liner, authenticator=broken) as origin:
        answer = httpx.post(f"{origin}/mcp", **question("tools/list"))
    assert answer.status_code == 500
    line = lines.next("request")
    assert (line["status"], line["request_id"]) == (500, answer.headers["x-request-id"])
    assert "a summary" not in caplog.text


def test_a_client_that_leaves_before_there_is_an_answer_has_no_status(liner: DemoLiner, lines: LogCapture) -> None:
    with serve(liner) as origin:
        with connected(origin) as sock:
            whole = raw(question("tools/list"), **{"content-length": "100000"})
            sock.sendall(whole)
        line = lines.next("request")
    assert line["status"] is None
    assert line["bytes_out"] == 0


def test_a_client_that_leaves_during_its_question_has_cancelled_it(dataset: Dataset, lines: LogCapture) -> None:
    liner = BlockingLiner(dataset)
    with serve(liner) as origin:
        with connected(origin) as sock:
            sock.sendall(raw(call("list_call_records", call_id=7003900)))
            assert liner.reached.wait(PATIENCE)
        audit, request = lines.next("audit"), lines.next("request")
    assert (audit["outcome"], audit["arguments"]) == ("cancelled", {"call_id": 7003900})
    assert audit["request_id"] == request["request_id"]
    assert (request["name"], request["bytes_out"]) == ("list_call_records", 0)


def test_a_prefix_is_not_part_of_the_path(liner: DemoLiner, lines: LogCapture) -> None:
    with serve(liner, mcp_path_prefix="/liner") as origin:
        httpx.post(f"{origin}/liner/mcp", **question("tools/list"))
        assert lines.next("request")["path"] == "/mcp"
        httpx.post(f"{origin}/mcp", **question("tools/list"))
        assert lines.next("request")["path"] == "/mcp"


def test_a_keep_alive_connection_has_a_line_per_request(liner: DemoLiner, lines: LogCapture) -> None:
    with serve(liner) as origin, connected(origin) as sock:
        for number in range(3):
            sock.sendall(f"GET /x HTTP/1.1\r\nhost: 127.0.0.1\r\nx-request-id: n{number}\r\n\r\n".encode())
            until(sock, b"}}")
            assert lines.next("request")["request_id"] == f"n{number}"


HALF = (
    "LINER_MCP_DEMO and LINER_API_TOKEN are both set, so it is unclear which data is wanted. For your Liner, set "
    "LINER_API_HOST (the address of your Liner API, such as https://api.example.com) too; for the demo, unset "
    "LINER_API_TOKEN or start the server with --demo."
)


@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "two workers"])
def test_served_over_http_every_line_on_stderr_is_json_unless_it_is_switched_off(options: tuple[str, ...]) -> None:
    with started("--demo", *options, LINER_MCP_LOG="") as (process, url):
        assert httpx.post(url, **call("list_directory", kind="orders"), timeout=PATIENCE).status_code == 200
        httpx.get(url.replace("/mcp", "/health"))
        process.terminate()
        code, out, errors = ended(process)
    assert (code, out) == (0, "")
    told = [json.loads(line) for line in errors.splitlines()]
    assert [line["event"] for line in told] == ["audit", "request", "stopping", "stopped"]
    assert told[0]["request_id"] == told[1]["request_id"]
    assert told[2]["pid"] == told[3]["pid"] == process.pid


@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "two workers"])
@pytest.mark.parametrize(
    ("demo", "account", "notice"),
    [
        (("--demo",), {}, recorded("demo_all_data_is_invented_no_liner")),
        (
            (),
            {"LINER_MCP_DEMO": "true", "LINER_API_HOST": "liner.example", "LINER_API_TOKEN": "demo"},
            recorded("liner_mcp_demo_is_set_but_ignored"),
        ),
        (
            (),
            {"LINER_MCP_DEMO": "true", "LINER_API_TOKEN": "demo"},
            HALF,
        ),
    ],
    ids=["the demo", "ignored", "half an account"],
)
def test_the_log_over_http_begins_with_what_is_said_about_the_demo_once(
    options: tuple[str, ...], demo: tuple[str, ...], account: dict[str, str], notice: str
) -> None:
    process = subprocess.Popen(
        [*COMMAND, "127.0.0.1:0", *demo, *options], env={**os.environ, **account}, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stderr
            before: list[str] = []
            announced_url(process, before)
            process.terminate()
            after = [json.loads(line)["event"] for line in process.stderr]
        finally:
            process.kill()
    told = [json.loads(line)["text"] for line in before]
    assert told[0] == notice
    assert told.count(notice) == 1
    assert after == ["stopping", "stopped"]


NO_AUTHENTICATION, NO_ZONE = "There is no authentication", "LINER_TIMEZONE is not set"
NOT_SET_UP = "Not set up yet: set LINER_API_HOST"
MISSPELT = "LINER_TIMEZON "


@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "two workers"])
@pytest.mark.parametrize("log", ["", "off"], ids=["JSON", "plain"])
@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        ({}, [NOT_SET_UP, NO_AUTHENTICATION, NO_ZONE]),
        ({"LINER_API_HOST": "liner.example", "LINER_API_TOKEN": "t", "LINER_TIMEZONE": "UTC"}, [NO_AUTHENTICATION]),
        (
            {"LINER_MCP_TOKENS_FILE": "empty", "LINER_TIMEZONE": "UTC"},
            [NOT_SET_UP, "LINER_MCP_TOKENS_FILE holds no token"],
        ),
        ({"LINER_TIMEZON": "UTC"}, [MISSPELT, NOT_SET_UP, NO_AUTHENTICATION, NO_ZONE]),
    ],
    ids=["nothing is set", "no authentication", "no token", "a misspelt name"],
)
def test_what_is_not_set_is_one_line_each_before_the_address_and_not_one_per_worker(
    options: tuple[str, ...], log: str, settings: dict[str, str], problems: list[str], tmp_path: Path
) -> None:
    tokens = tmp_path / "empty"
    tokens.touch(0o600)
    settings = {name: str(tokens) if value == "empty" else value for name, value in settings.items()}
    before: list[str] = []
    with started(*options, before=before, LINER_MCP_LOG=log, **settings) as (process, _):
        process.terminate()
        ended(process)
    told = [json.loads(line)["text"] if log == "" else line for line in before]
    assert [line.startswith(problem) for line, problem in zip(told, problems, strict=True)] == [True] * len(problems)


def test_the_first_line_is_json_with_the_address_and_the_version() -> None:
    command = [*COMMAND, "127.0.0.1:0", "--demo", "--workers", "2"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "LINER_MCP_LOG": ""}
    ) as process:
        assert process.stderr
        notice, start = (json.loads(process.stderr.readline()) for _ in range(2))
        process.kill()
    assert list(notice) == ["time", "event", "level", "logger", "text"]
    assert list(start) == ["time", "event", "url", "version", "workers", "pid"]
    assert (start["event"], start["version"], start["workers"], start["pid"]) == ("start", __version__, 2, process.pid)


@pytest.mark.parametrize("options", [(), ("--workers", "3")], ids=["one process", "three workers"])
def test_a_file_that_cannot_be_used_is_reported_once(options: tuple[str, ...], tmp_path: Path) -> None:
    settings = {"LINER_MCP_TOKENS_FILE": str(tmp_path / "none"), "LINER_MCP_LOG": ""}
    done = subprocess.run(
        [*COMMAND, "127.0.0.1:0", *options],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("LINER_MCP_TOKENS_FILE cannot be") == 1


def test_the_log_can_be_switched_off() -> None:
    with started("--demo", LINER_MCP_LOG="off") as (process, url):
        assert httpx.post(url, **call("list_directory", kind="orders"), timeout=PATIENCE).status_code == 200
        process.terminate()
        assert ended(process) == (0, "", "")
