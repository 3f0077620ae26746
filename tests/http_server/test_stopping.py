"""The process as an operator runs it: how it starts, how it stops, and that several of them are one server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from liner_mcp.demo import Dataset
from tests.fakes.blocking_liner import BlockingLiner
from tests.http_server.support import LEGACY, MODERN, PATIENCE, call, in_time, question, result
from tests.support.asgi_server import serve_app
from tests.support.sentences import assert_says, recorded

COMMAND = [sys.executable, "-m", "liner_mcp", "serve", "--http"]


@contextmanager
def started(
    *options: str, address: str = "127.0.0.1:0", before: list[str] | None = None, **settings: str
) -> Generator[tuple[Any, str]]:
    """The process and the URL it told. It writes no lines of requests, unless the settings say so.

    `before` collects the lines before the URL.
    """
    process = subprocess.Popen(
        [*COMMAND, address, *options],
        env={**os.environ, "LINER_MCP_LOG": "off", **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process, announced_url(process, before)
        finally:
            process.kill()


def announced_url(process: Any, before: list[str] | None = None) -> str:
    """The URL in the line that says that the process serves. `before` collects the lines before it."""
    for line in process.stderr:
        if line.startswith(recorded("liner_mcp_serves_mcp_at_http")):  # without a log
            return line.split()[4]
        if line.startswith("{") and (logged := json.loads(line))["event"] == "start":
            return logged["url"]
        if before is not None:
            before.append(line)
    raise AssertionError("it does not serve")


@contextmanager
def blocked(dataset: Dataset, *options: str) -> Generator[tuple[BlockingLiner, Any, str]]:
    """A process that asks a Liner which holds its answers back."""
    liner = BlockingLiner(dataset)
    with serve_app(liner) as origin, started(*options, LINER_API_HOST=origin, LINER_API_TOKEN="demo") as (process, url):
        try:
            yield liner, process, url
        finally:
            liner.release()


def wait_until_refused(url: str) -> None:
    for _ in in_time():
        try:
            httpx.get(url.replace("/mcp", "/health"), timeout=PATIENCE)
        except httpx.TransportError:
            return


def ended(process: Any) -> tuple[int, str, str]:
    """Exit code, and what was left on stdout and stderr."""
    out, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, out, errors


TWO = ("--workers", "2")
WORKERS = pytest.mark.parametrize("options", [(), TWO], ids=["one process", "two workers"])


@pytest.mark.parametrize(
    ("options", "era", "told"),
    [
        ((), MODERN, signal.SIGTERM),
        ((), LEGACY, signal.SIGTERM),
        ((), LEGACY, signal.SIGINT),
        (TWO, LEGACY, signal.SIGTERM),
        (TWO, MODERN, signal.SIGINT),
    ],
)
def test_a_call_under_way_is_answered_after_the_signal_and_the_process_ends_with_0(
    dataset: Dataset, options: tuple[str, ...], era: str, told: signal.Signals
) -> None:
    asked = call("list_call_records", era, call_id=7003900)
    with blocked(dataset, *options) as (liner, process, url), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.post, url, **asked, timeout=PATIENCE)
        assert liner.reached.wait(PATIENCE)
        process.send_signal(told)
        wait_until_refused(url)
        assert not answer.done()
        liner.release()
        assert "9002362" in str(result(answer.result()))
        assert ended(process) == (0, "", "")


@WORKERS
def test_an_idle_process_ends_at_once_though_connections_are_open(options: tuple[str, ...]) -> None:
    with started("--demo", *options) as (process, url), httpx.Client(timeout=PATIENCE) as client:
        assert len(result(client.post(url, **question("tools/list")))["tools"]) == 7
        process.terminate()
        assert ended(process) == (0, "", "")


@WORKERS
def test_the_second_signal_ends_it_with_the_call_unanswered(dataset: Dataset, options: tuple[str, ...]) -> None:
    asked = call("list_call_records", call_id=7003900)
    with blocked(dataset, *options) as (liner, process, url), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.post, url, **asked, timeout=PATIENCE)
        assert liner.reached.wait(PATIENCE)
        process.terminate()
        wait_until_refused(url)
        process.terminate()
        assert ended(process)[0] == -signal.SIGTERM
        with pytest.raises(httpx.TransportError):
            answer.result()


def test_a_call_that_never_ends_is_ended_by_its_deadline(dataset: Dataset) -> None:
    liner = BlockingLiner(dataset)
    settings: dict[str, Any] = {"LINER_API_TOKEN": "demo", "LINER_DEADLINE_SECONDS": "2"}
    with serve_app(liner) as origin, started(LINER_API_HOST=origin, **settings) as (process, url):
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(httpx.post, url, **call("list_call_records", call_id=7003900), timeout=PATIENCE)
            assert liner.reached.wait(PATIENCE)
            process.terminate()
            assert result(answer.result())["isError"]
            assert ended(process)[0] == 0
        liner.release()


def workers_of(process: Any) -> set[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
    named = {int(child): Path(f"/proc/{child}/cmdline") for child in children}
    return {child for child, line in named.items() if line.exists() and b"spawn_main" in line.read_bytes()}


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_a_worker_that_dies_is_replaced_and_the_others_go_on() -> None:
    with started("--demo", "--workers", "2") as (process, url):
        before = workers_of(process)
        assert len(before) == 2
        dead = before.pop()
        os.kill(dead, signal.SIGKILL)
        for _ in in_time():
            httpx.post(url, **question("tools/list"), timeout=PATIENCE)
            if len(workers_of(process) - {dead}) == 2:
                break
        assert before < workers_of(process)
        process.terminate()
        code, _, errors = ended(process)
    assert code == 0
    assert "is replaced" in errors


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_a_worker_leaves_ctrl_c_to_its_parent() -> None:
    with started("--demo", "--workers", "2") as (process, url):
        for worker in workers_of(process):
            os.kill(worker, signal.SIGINT)
        assert len(result(httpx.post(url, **question("tools/list"), timeout=PATIENCE))["tools"]) == 7
        process.send_signal(signal.SIGINT)
        assert ended(process) == (0, "", "")


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_workers_end_when_their_parent_is_killed() -> None:
    with started("--demo", "--workers", "2") as (process, url):
        process.kill()
        process.wait(PATIENCE)
        wait_until_refused(url)


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        ([":8080"], "such_as_127_0_0_1", 2),
        (["0.0.0.0:0", "--demo"], "set_liner_mcp_tokens_file", 1),
        (["[::]:0", "--demo"], "liner_mcp_allowed_hosts", 1),
        (["127.0.0.1:0", "--demo", "--workers", "0"], "workers", 2),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line_and_ends_with_1_or_for_wrong_usage_with_2(
    arguments: list[str], told: str, code: int
) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert_says(done.stderr, told)
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_workers_without_http_are_refused() -> None:
    command = [sys.executable, "-m", "liner_mcp", "serve", "--workers", "2"]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "--http" in done.stderr


def test_an_unusable_setting_keeps_it_from_serving() -> None:
    done = subprocess.run(
        [*COMMAND, "127.0.0.1:0"],
        env={**os.environ, "LINER_API_HOST": "http://liner.example.com"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert_says(done.stderr, "liner_api_host_cannot_be_used_2")


def test_it_listens_on_ipv6_too() -> None:
    with started("--demo", address="[::1]:0") as (_, url):
        assert url.startswith("http://[::1]:")
        assert len(result(httpx.post(url, **question("tools/list"), timeout=PATIENCE))["tools"]) == 7
