"""Lines on stdin that are no messages, and a signal to stop, to a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from liner_mcp.server.stdio import MAX_LINE_BYTES, Lines
from tests.support.sentences import assert_says, recorded

COMMAND = [sys.executable, "-m", "liner_mcp", "serve", "--demo"]
MODERN: dict[str, Any] = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
}
LEGACY: dict[str, Any] = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}
OPENINGS = {"modern": ("tools/list", MODERN), "legacy": ("initialize", LEGACY)}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# Lines, the code of the error, and the id that it repeats.
REFUSED: list[tuple[bytes, int, int | str | None]] = [
    (b"garbage", -32700, None),
    (b"", -32700, None),
    (b" \t", -32700, None),
    (b"\x00\x00", -32700, None),
    (b"\xff\xfe{", -32700, None),
    (BYTE_ORDER_MARK, -32700, None),
    (BYTE_ORDER_MARK + b"[1]", -32600, None),
    (b"x" * 5_000_000, -32700, None),
    (b"[" * 300_000, -32700, None),
    (b'{"jsonrpc":"2.0","id":7,"method":"tools/li', -32700, 7),
    (b'{"jsonrpc":"2.0","id":"cut","method":"ping"} {', -32700, "cut"),
    (rb'{"jsonrpc":"2.0","id":8,"method":"ping","params":{"name":"\ud83d"}}', -32700, 8),
    (rb'{"jsonrpc":"2.0","id":"\ud83d","method":"ping"}', -32700, None),
    (b"7", -32600, None),
    (b"null", -32600, None),
    (b'"text"', -32600, None),
    (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, None),
    (b"{}", -32600, None),
    (b'{"id":4,"method":"ping"}', -32600, 4),
    (b'{"jsonrpc":"1.0","id":"s","method":"ping"}', -32600, "s"),
    (b'{"jsonrpc":"2.0","id":5}', -32600, 5),
    (b'{"jsonrpc":"2.0","id":6,"method":"ping","params":[1]}', -32600, 6),
    (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, None),
    (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600, None),
    (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600, None),
]


@contextmanager
def served() -> Generator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        try:
            yield process
        finally:
            process.kill()


def answer(process: subprocess.Popen[bytes], line: bytes, end: bytes = b"\n") -> dict[str, Any]:
    assert process.stdin
    assert process.stdout
    process.stdin.write(line + end)
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def request(method: str, params: dict[str, Any], request_id: int | str = 1) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}).encode()


@contextmanager
def opened(era: str) -> Generator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """A session of an era, and what each of its requests has beside the parameters."""
    method, params = OPENINGS[era]
    with served() as process:
        answer(process, request(method, params))
        yield process, MODERN if era == "modern" else {}


@pytest.mark.parametrize("era", OPENINGS)
def test_every_line_gets_an_answer_or_an_error_and_the_session_goes_on(era: str) -> None:
    method, params = OPENINGS[era]
    with served() as process:
        assert answer(process, b"garbage")["error"]["code"] == -32700
        assert "result" in answer(process, BYTE_ORDER_MARK + request(method, params))
        for line, code, request_id in REFUSED:
            refused = answer(process, line)
            assert (refused["error"]["code"], refused["id"]) == (code, request_id), line[:80]
            assert len(json.dumps(refused)) < 250, "what was sent is not sent back"
        assert answer(process, request("tools/list", MODERN if era == "modern" else {}, "CR"), b"\r\n")["id"] == "CR"
        assert "result" in answer(process, request("tools/list", MODERN if era == "modern" else {}))
        assert process.stdin
        assert process.stderr
        process.stdin.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""


def test_the_errors_say_what_to_send() -> None:
    with served() as process:
        assert_says(answer(process, b"garbage")["error"]["message"], "the_line_is_not_json")
        assert_says(answer(process, b"{}")["error"]["message"], "send_one_json_rpc_request", at_start=True)


def test_a_frame_in_pieces_is_one_and_two_in_one_write_are_two() -> None:
    with served() as process:
        assert process.stdin
        assert process.stdout
        line = request("tools/list", MODERN)
        for place in range(0, len(line), 7):
            process.stdin.write(line[place : place + 7])
            process.stdin.flush()
        assert "result" in answer(process, b"")
        assert answer(process, request("tools/list", MODERN, 2) + b"\n" + request("tools/list", MODERN, 3))["id"] == 2
        assert json.loads(process.stdout.readline())["id"] == 3


@pytest.mark.parametrize("era", OPENINGS)
def test_a_large_frame_is_refused_in_one_sentence(era: str) -> None:
    tools: dict[str, dict[str, Any]] = {
        "find_calls": {"since": "8(" * 400_000},
        "list_directory": {"query": "я" * 150_000},
        "get_call_summaries": {"call_ids": list(range(1, 100_001))},
        "check_quotes": {f"unknown {number}": 1 for number in range(40_000)},
    }
    with opened(era) as (process, envelope):
        for name, arguments in tools.items():
            refused = answer(process, request("tools/call", {**envelope, "name": name, "arguments": arguments}))
            assert refused["result"]["isError"], name
            assert len(json.dumps(refused)) < 1_500, "what was sent is not sent back"


@pytest.mark.parametrize("era", OPENINGS)
def test_a_frame_of_megabytes_is_refused_unparsed_with_its_id(era: str) -> None:
    tools: dict[str, dict[str, Any]] = {
        "find_calls": {"since": "8(" * 10_000_000},
        "list_directory": {"query": "я" * 10_000_000},
        "get_call_summaries": {"call_ids": list(range(1, 1_000_001))},
        "check_quotes": {f"unknown {number}": 1 for number in range(1_000_000)},
    }
    with opened(era) as (process, envelope):
        for name, arguments in tools.items():
            refused = answer(process, request("tools/call", {**envelope, "name": name, "arguments": arguments}, name))
            assert_says(refused["error"]["message"], "the_line_is_not_json")
            assert refused["id"] == name
        assert "result" in answer(process, request("tools/list", envelope))


def test_a_line_is_read_to_its_end_and_given_by_its_beginning() -> None:
    long = b"x" * MAX_LINE_BYTES
    lines = Lines(BytesIO(long + b"y" * 200_000 + b"\nshort\n" + long + b"\nlast"))
    assert [lines.readline() for _ in range(4)] == [long.decode(), "short\n", long.decode(), "last"]
    assert lines.readline() == ""


@pytest.mark.parametrize("era", OPENINGS)
def test_a_progress_token_of_null_is_none(era: str) -> None:
    with opened(era) as (process, envelope):
        meta: dict[str, Any] = {**envelope.get("_meta", {}), "progressToken": None}
        called: dict[str, Any] = {"name": "list_directory", "arguments": {"kind": "orders"}, "_meta": meta}
        assert not answer(process, request("tools/call", called))["result"]["isError"]


@pytest.mark.skipif(sys.platform == "win32", reason="a device of Linux, and errors of POSIX")
@pytest.mark.parametrize("full", [True, False])
def test_output_that_cannot_be_written_ends_the_process_without_a_traceback(*, full: bool) -> None:
    """Without a further line on stdin, which the SDK would wait for."""
    reader, writer = os.pipe()
    os.close(reader)
    with Path("/dev/full").open("wb") as device:
        output = device if full else writer
        with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.PIPE) as process:
            assert process.stdin
            assert process.stderr
            process.stdin.write(request("tools/list", MODERN) + b"\n")
            process.stdin.flush()
            assert process.wait(60) == 1
            said = process.stderr.read().decode().strip()
            assert said == (recorded("stdout_cannot_be_written") if full else "")  # a client that is gone reads nothing
    os.close(writer)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a signal")
def test_sigterm_ends_the_process_by_a_handler_because_the_first_process_of_a_container_ignores_it_otherwise() -> None:
    with served() as process:
        answer(process, request("tools/list", MODERN))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
        assert process.stderr
        assert process.stderr.read() == b""
