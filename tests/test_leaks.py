"""Nothing leaks: no token, phone, e-mail, card or link of a recording, in whatever this process writes or shows."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import traceback
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client, MCPError
from mcp.types import PromptReference, ResourceTemplateReference, TextResourceContents
from pydantic import SecretStr

from liner_mcp.context import AppContext
from liner_mcp.errors import LinerMcpError
from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.parallel import gather2
from liner_mcp.liner.retry import RetryPolicy
from liner_mcp.liner.transport import Transport
from liner_mcp.names.directory import Directory
from liner_mcp.recordings.ssrf_guard import parse_file_link
from liner_mcp.records.get_call_record import get_call_record
from liner_mcp.server.app import create_server
from liner_mcp.server.clients import open_clients
from liner_mcp.server.runtime import Runtime
from liner_mcp.settings import Settings, read_settings
from tests.conftest import NOW, text_of
from tests.fakes.leaking_liner import CONTACTS, FAULTS, FILE, FILE_URL, TOKEN, LeakingLiner, find_leaks
from tests.support.asgi_server import serve_app
from tests.support.sentences import assert_says

pytestmark = pytest.mark.anyio

LOGGERS = ("", "httpx", "httpcore", "stamina", "mcp", "asyncio", "liner_mcp", "anyio")
HOST = "http://127.0.0.1"


# Clocks and numbers of the machine, whose digits may look like anything.
_COUNTED = frozenset({"created", "msecs", "relativeCreated", "thread", "process"})


class RecordingHandler(logging.Handler):
    """Everything that any logger says, at every level, with what it was given and what it traces."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        given = {name: value for name, value in vars(record).items() if name not in _COUNTED}
        self.said.append(f"{record.name}: {record.getMessage()} {given!r} {trace}")


@pytest.fixture
def recorded_logs() -> Generator[RecordingHandler]:
    handler = RecordingHandler()
    before = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@asynccontextmanager
async def session(liner: LeakingLiner, mode: Any, *, loud: bool = False) -> AsyncGenerator[Client]:
    settings = Settings(api_host=HOST, api_token=SecretStr(TOKEN), timezone="Europe/Moscow", requests_per_second=0)
    server = create_server(settings, transport=httpx.ASGITransport(app=liner), now=lambda: NOW)
    if loud:
        # As an operator who looks for a fault of ours would have it. What the HTTP library then says of Liner's own
        # headers is Liner's, so that one stays as we set it.
        for name in ("stamina", "mcp", "asyncio", "liner_mcp"):
            logging.getLogger(name).setLevel(logging.DEBUG)
    async with Client(server, mode=mode) as client:
        yield client


async def everything(client: Client, liner: LeakingLiner, *, more: bool = False) -> list[str]:
    """What every tool, resource, prompt and completion answers, refusals and failures included."""
    told: list[str] = []
    for tool, arguments in liner.tool_calls + (liner.more_tool_calls if more else []):
        told.append((await client.call_tool(tool, arguments)).model_dump_json())
    told += [await _read(client, address) for address in liner.resource_uris]
    for prompt in (await client.list_prompts()).prompts:
        arguments = {one.name: "7000001" for one in prompt.arguments or () if one.required}
        told.append((await client.get_prompt(prompt.name, arguments)).model_dump_json())
    prompts, calls = PromptReference(name="review_agent"), ResourceTemplateReference(uri="liner://calls/{call_id}")
    records = ResourceTemplateReference(uri="liner://call-records/{record_id}")
    named = ((prompts, "agent"), (prompts, "order"), (prompts, "period"), (calls, "call_id"), (records, "record_id"))
    for reference, argument in named:
        try:
            told.append((await client.complete(reference, {"name": argument, "value": ""})).model_dump_json())
        except MCPError as error:
            told.append(repr(error))
    return told


async def _read(client: Client, address: str) -> str:
    try:
        (content,) = (await client.read_resource(address)).contents
    except MCPError as error:
        return f"{error!r} {error.error!r}"
    assert isinstance(content, TextResourceContents)
    return content.text


def shows_content(told: list[str]) -> bool:
    """Whether the answers hold what a reader is meant to see: otherwise nothing could leak either."""
    return sum("Тамара +7 *** ***-**-21" in one for one in told) > 4 and any("Клиент дал +7 ***" in one for one in told)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_no_answer_and_no_log_line_holds_a_secret(
    mode: Any, recorded_logs: RecordingHandler, capfd: pytest.CaptureFixture[str]
) -> None:
    liner = LeakingLiner()
    async with session(liner, mode) as client:
        told = await everything(client, liner, more=True)
        assert "4815162342" in await _read(client, "liner://calls/4815162342")
    assert shows_content(told)
    assert not find_leaks("\n".join(told))
    assert not find_leaks("\n".join(recorded_logs.said))
    assert "4815162342" not in "\n".join(recorded_logs.said)  # nor an argument
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("loud", [False, True])
async def test_no_fault_of_liner_brings_a_secret_out(
    fault: str,
    loud: bool,
    recorded_logs: RecordingHandler,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("liner_mcp.liner.transport.RetryPolicy", without_delay)
    monkeypatch.setattr(
        "liner_mcp.liner.throttle.INITIAL_BACKOFF_SECONDS", 0.0
    )  # the pause after a 429 that names none
    for faulty in ("^/v2/", "^/v2/call-record", "^/v2/(user|order|call-status|agent-group)"):
        liner = LeakingLiner()
        liner.fault, liner.faulty_pattern = fault, faulty
        async with session(liner, "auto", loud=loud) as client:
            told = await everything(client, liner)
        assert sum("isError" in one or "is_error" in one or "MCPError" in one for one in told) > 2
        assert not find_leaks("\n".join(told))
        assert not find_leaks("\n".join(recorded_logs.said))
    assert capfd.readouterr() == ("", "")


def without_delay(_: object) -> RetryPolicy:
    return RetryPolicy(lambda _: 0.0, attempts=2)


CRASHES = {
    "the reading": "liner_mcp.liner.client.LinerClient.call_record",
    "the names": "liner_mcp.liner.client.LinerClient.users",
    "the mask": "liner_mcp.context.shown_steps",
    "the answer": "liner_mcp.answer.table.to_compact_json",
}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("place", CRASHES)
async def test_a_crash_inside_tells_its_place_and_not_its_text(
    place: str,
    mode: Any,
    recorded_logs: RecordingHandler,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def crash(*_: object, **__: object) -> Any:
        try:
            raise KeyError(f"{CONTACTS} {TOKEN}")
        except KeyError as cause:
            raise ValueError(f"cannot use {CONTACTS} of {FILE_URL} with {TOKEN}") from cause

    monkeypatch.setattr(CRASHES[place], crash)
    liner = LeakingLiner()
    async with session(liner, mode) as client:
        told = await everything(client, liner)
    assert any("This is a bug in liner-mcp" in one for one in told)
    assert any("crashed: ValueError at test_leaks.py:" in one for one in recorded_logs.said)
    assert not find_leaks("\n".join(told))
    assert not find_leaks("\n".join(recorded_logs.said))
    assert capfd.readouterr() == ("", "")


async def test_no_repr_shows_a_secret() -> None:
    liner = LeakingLiner()
    transport = httpx.ASGITransport(app=liner)
    settings = read_settings(api_host=HOST, api_token=TOKEN, requests_per_second=0)
    runtime = Runtime(settings, transport=transport)
    context, (client, audio) = runtime.context(), open_clients(settings, transport=transport)
    server = create_server(settings, transport=transport)
    things: list[object] = [
        settings,
        settings.host_and_token(),
        runtime,
        context,
        context.directory,
        client,
        audio,
        server,
    ]
    things += [vars(client), context.zone, parse_file_link(FILE_URL, loopback=False)]
    async with client:
        things += [
            await client.call(liner.call_id),
            await client.call_record(liner.record_id),
            *(await client.health()).values(),
        ]
        things += [await client.call_records(liner.call_id), await client.orders(), await client.users()]
        things += [await client.agent_groups(), await client.call_statuses(), await client.lead_statuses()]
        things += [await client.lead(next(iter(liner.dataset.leads)))]
        things += [await gather2(lambda: client.call_record(liner.record_id), client.orders)]
        things += [await context.directory.read(kind) for kind in ("agents", "orders", "agent_groups")]
        things += [await context.directory.names("agents", "orders", "statuses")]
        things += [await get_call_record(context, record_id=liner.record_id, start=0, budget=9_500)]
        for fault in FAULTS:
            liner.fault = fault
            things += await _outcomes(liner)
    await runtime.aclose()
    # Each fault fails both requests, but a list with a wrong field is read.
    assert sum(isinstance(thing, LinerMcpError) for thing in things) == 2 * len(FAULTS) - 1
    for thing in things:
        assert not find_leaks(f"{thing!r} {thing!s} {thing}"), type(thing)


async def _outcomes(liner: LeakingLiner) -> list[object]:
    outcomes: list[object] = []
    quick = LinerClient(
        Transport(HOST, SecretStr(TOKEN), transport=httpx.ASGITransport(app=liner), jitter=lambda _: 0.0)
    )
    for ask in (lambda: quick.call_record(liner.record_id), quick.orders):
        try:
            with anyio.fail_after(30):  # no wait beyond a deadline is begun
                outcomes += [await ask()]
        except LinerMcpError as error:
            outcomes += [error, *traceback.format_exception(error)]
    await quick.aclose()
    return outcomes


async def test_a_context_that_shows_phones_shows_nothing_else() -> None:
    liner = LeakingLiner()
    transport = httpx.ASGITransport(app=liner)
    client = LinerClient(Transport(HOST, SecretStr(TOKEN), transport=transport))
    async with client:
        context = AppContext(
            client, Directory(client), Runtime(Settings(mcp_demo=True)).context().zone, show_phones=True
        )
        written = await get_call_record(context, record_id=liner.record_id, start=0, budget=9_500)
    assert CONTACTS.split(",")[0] in written.text
    assert not [leak for leak in find_leaks(written.text) if not any(part in leak for part in ("7654321", "765-43"))]


# As a process --------------------------------------------------------------------------------------------------------

LOUD = """\
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
from liner_mcp.cli.main import main
main(sys.argv[1:])
"""


def command(*arguments: str, loud: bool) -> list[str]:
    return [sys.executable, *(["-c", LOUD] if loud else ["-m", "liner_mcp"]), *arguments]


def environment(origin: str, *, loud: bool = False) -> dict[str, str]:
    told = {"LINER_API_HOST": origin, "LINER_API_TOKEN": TOKEN, "LINER_TIMEZONE": "UTC", "PYTHONUTF8": "1"}
    return {**os.environ, **told, **({"PYTHONASYNCIODEBUG": "1", "PYTHONDEVMODE": "1"} if loud else {})}


META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def request(number: int, method: str, **params: Any) -> bytes:
    line = {"jsonrpc": "2.0", "id": number, "method": method, "params": {**params, "_meta": META}}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def requests(liner: LeakingLiner) -> list[bytes]:
    asked = [("tools/call", {"name": tool, "arguments": arguments}) for tool, arguments in liner.tool_calls]
    asked += [("resources/read", {"uri": address}) for address in liner.resource_uris]
    asked += [("prompts/get", {"name": "review_call", "arguments": {"call_id": "7000001"}})]
    return [request(number, method, **params) for number, (method, params) in enumerate(asked)]


@pytest.mark.parametrize("loud", [False, True])
def test_the_process_writes_no_secret_to_either_stream(loud: bool, tmp_path: Path) -> None:
    liner = LeakingLiner()
    asking = requests(liner)
    told: list[bytes] = []
    words = tmp_path / "stderr"  # a file takes whatever is logged; a pipe that nobody reads yet would stop the server
    with (
        words.open("wb") as stderr,
        serve_app(liner) as origin,
        subprocess.Popen(
            command(loud=loud),
            env=environment(origin, loud=loud),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        ) as process,
    ):
        assert process.stdin
        assert process.stdout
        liner.file_url = f"{origin}{FILE}"
        for fault in (None, "quoted"):
            liner.fault = fault
            for line in asking:
                process.stdin.write(line)
                process.stdin.flush()
                told.append(process.stdout.readline())
        process.stdin.close()
        told.append(process.stdout.read())
    answers, errors = b"".join(told).decode(), words.read_text(encoding="utf-8")
    assert "Клиент дал +7 ***" in answers
    assert_says(answers, "liner_refused_the_request_http_200")
    assert_says(answers, "not_mpeg_audio")
    assert not find_leaks(answers)
    assert not find_leaks(errors)
    assert loud or errors == ""


# A process costs a second: loud, the three that differ.
CHECKS = [*((fault, False) for fault in (None, *FAULTS)), (None, True), ("quoted", True), ("redirected", True)]


@pytest.mark.parametrize(("fault", "loud"), CHECKS)
def test_check_prints_no_secret(fault: str | None, loud: bool) -> None:
    liner = LeakingLiner()
    liner.fault, liner.faulty_pattern = fault, "^/v2/call-record" if fault in ("quoted", "garbage") else "^/v"
    with serve_app(liner) as origin:
        liner.file_url = f"{origin}{FILE}"
        done = subprocess.run(
            command("check", loud=loud),
            env=environment(origin, loud=loud),
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
    assert done.stdout.count("\nok ") + done.stdout.count("\nFIX ") >= 2
    assert ("FIX" in done.stdout) == (fault is not None)
    assert not find_leaks(done.stdout)
    assert not find_leaks(done.stderr)
    assert loud or done.stderr == ""


def test_a_client_that_is_gone_ends_the_server_without_content_on_stderr() -> None:
    liner = LeakingLiner()
    with (
        serve_app(liner) as origin,
        subprocess.Popen(
            command(loud=False),
            env=environment(origin),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        assert process.stdin
        assert process.stdout
        assert process.stderr
        liner.file_url = f"{origin}{FILE}"
        process.stdin.write(requests(liner)[0])
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(b"".join(requests(liner)))
        process.stdin.close()
        errors = process.stderr.read().decode()
    assert (process.returncode, errors) == (1, "")


async def test_what_leaks_would_be_seen() -> None:
    for secret in (TOKEN, CONTACTS, FILE_URL, *CONTACTS.split(",")):
        assert find_leaks(f"before {secret} behind")
    assert not find_leaks("Тамара +7 *** ***-**-21, ***@mail.ru, **** 1111")
    result = await _first_answer()
    assert not find_leaks(result)


async def _first_answer() -> str:
    liner = LeakingLiner()
    async with session(liner, "auto") as client:
        return text_of(await client.call_tool(*liner.tool_calls[0]))  # pyright: ignore[reportArgumentType] - never asks back


# What a client sends -------------------------------------------------------------------------------------------------

SENT = [
    *("8 916 765-43-21", "8, 916, 765, 43, 21", "8_916_765_43_21", "8\u200b916\u200b7654321", "тел. 7654321"),
    *(f"{'x' * padding} 8 916 765-43-21" for padding in range(20, 45, 3)),
]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("sent", SENT)
async def test_no_refusal_shows_back_the_phone_that_was_sent(
    mode: Any, sent: str, recorded_logs: RecordingHandler
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = [
        *(
            ("find_calls", {name: sent})
            for name in ("since", "until", "cursor", "seed", "sample", "include", "transferred")
        ),
        *(("find_calls", {name: [sent]}) for name in ("orders", "agents", "leads", "include")),
        *(("find_calls", {name: sent}) for name in ("min_talk_seconds", "limit", sent)),
        ("call_stats", {"group_by": [sent]}),
        *(("call_stats", {name: sent}) for name in ("hours", "sort", "limit")),
        ("check_quotes", {"quotes": [sent]}),
        ("check_quotes", {"quotes": [{"record_id": 1, "quote": sent}]}),
        ("list_directory", {"kind": sent}),
        ("list_call_records", {"call_id": sent}),
        ("get_call_summaries", {"call_ids": [sent]}),
        ("get_call_record", {"record_id": sent}),
        (sent, {}),
    ]
    told: list[str] = []
    async with session(LeakingLiner(), mode) as client:
        for tool, arguments in asked:
            try:
                result = await client.call_tool(tool, arguments)
            except MCPError as error:
                told.append(repr(error))
            else:
                # "8, 916" is also a list of ids, which an answer shows.
                told += [result.model_dump_json()] if getattr(result, "is_error", True) else []
        for name, arguments in ((sent, {}), ("review_call", {sent: "1"})):
            try:
                told.append((await client.get_prompt(name, arguments)).model_dump_json())
            except MCPError as error:
                told.append(repr(error))
    stumps = [one for one in told if re.search(r"916\D{0,3}765|765\D{0,2}43\D{0,2}21", one)]
    assert not stumps
    assert not [one for one in recorded_logs.said if "916" in one and "765" in one]
