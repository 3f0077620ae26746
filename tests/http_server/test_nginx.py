"""Replicas behind nginx, set up as docs/nginx.conf says: nothing is buffered, and a replica that dies is not missed."""

from __future__ import annotations

import signal
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp.types import CallToolResult

from liner_mcp.cli.tokens import create_token
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.http_server.limits import LIMITS
from tests.fakes import FakeLiner
from tests.fakes.blocking_liner import BlockingLiner
from tests.http_server.support import LEGACY, MODERN, PATIENCE, call, connected, in_time, raw, result, serve, told
from tests.http_server.test_stopping import started
from tests.support.asgi_server import serve_app
from tests.support.certificates import self_signed
from tests.support.nginx import MISSING, NGINX, run_nginx

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(NGINX is None, reason=MISSING)]

ERAS = pytest.mark.parametrize("era", [MODERN, LEGACY])
RECORD: dict[str, Any] = {"call_id": 7003900}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_is_served_by_both_replicas_without_noticing(
    liner: FakeLiner, tmp_path: Path, mode: Any
) -> None:
    other = FakeLiner(liner.dataset)
    with serve(liner) as one, serve(other) as two, run_nginx(tmp_path, [one, two]) as origin:
        async with Client(f"{origin}/mcp", mode=mode) as client:
            for _ in range(4):
                answer = await client.call_tool("list_call_records", RECORD)
                assert isinstance(answer, CallToolResult)
                assert not answer.is_error
    assert liner.requests
    assert other.requests


@ERAS
def test_the_name_that_was_asked_for_reaches_the_replica(liner: DemoLiner, tmp_path: Path, era: str) -> None:
    asked = call("list_call_records", era, **RECORD)
    with serve(liner, mcp_allowed_hosts="calls.example.com") as one, run_nginx(tmp_path, [one, one]) as origin:
        asked["headers"]["host"] = "calls.example.com"
        assert not result(httpx.post(f"{origin}/mcp", **asked))["isError"]
        asked["headers"]["host"] = "elsewhere.example.com"
        assert "LINER_MCP_ALLOWED_HOSTS" in told(httpx.post(f"{origin}/mcp", **asked), 421)


def is_beyond_the_first_page_of_october(target: str) -> bool:
    return "createdAt%5B1%5D=2026-10" in target and "offset=0" not in target


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_progress_passes_while_the_answer_is_still_made(dataset: Dataset, tmp_path: Path, mode: Any) -> None:
    held = BlockingLiner(dataset, is_beyond_the_first_page_of_october)
    seen: list[float] = []

    async def progressed(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
        seen.append(progress)
        held.release()

    with serve(held, concurrency=64) as one, run_nginx(tmp_path, [one, one]) as origin:
        async with Client(f"{origin}/mcp", mode=mode, read_timeout_seconds=PATIENCE) as client:
            answer = await client.call_tool(
                "call_stats", {"since": "2026-10-12", "until": "2026-11-19"}, progress_callback=progressed
            )
    assert isinstance(answer, CallToolResult)
    assert not answer.is_error
    assert len(seen) > 1


def test_callers_are_told_apart_by_the_address_that_nginx_saw(liner: DemoLiner, tmp_path: Path) -> None:
    def ask(origin: str, address: str, **headers: str) -> int:
        asked = call("list_call_records", **RECORD)
        asked["headers"] |= headers
        with httpx.Client(transport=httpx.HTTPTransport(local_address=address)) as client:
            return client.post(f"{origin}/mcp", **asked).status_code

    limited: dict[str, Any] = {"mcp_requests_per_minute": 1, "mcp_trusted_proxies": "127.0.0.1"}
    with serve(liner, **limited) as one, run_nginx(tmp_path, [one, one]) as origin:
        assert [ask(origin, "127.0.0.2") for _ in range(2)] == [200, 429]
        assert ask(origin, "127.0.0.3") == 200
        assert ask(origin, "127.0.0.2", **{"x-forwarded-for": "127.0.0.9"}) == 429


def test_an_address_that_asks_too_often_is_refused_before_it_reaches_a_replica(
    liner: DemoLiner, tmp_path: Path
) -> None:
    with serve(liner) as one, run_nginx(tmp_path, [one, one], requests=("1r/m", "2")) as origin:
        asked = [httpx.post(f"{origin}/mcp", **call("list_call_records", **RECORD)).status_code for _ in range(4)]
    assert asked == [200, 200, 200, 429]


def test_an_address_with_too_many_requests_at_once_is_refused_before_it_reaches_a_replica(
    dataset: Dataset, tmp_path: Path
) -> None:
    held = BlockingLiner(dataset)
    with serve(held) as one, run_nginx(tmp_path, [one, one], at_once=2) as origin, ExitStack() as socks:
        for _ in range(2):
            socks.enter_context(connected(origin)).sendall(raw(call("list_call_records", **RECORD)))
        assert held.reached.wait(PATIENCE)
        for _ in in_time():  # both have reached nginx
            refused = httpx.get(f"{origin}/health").status_code
            if refused == 429:
                break
        other = httpx.HTTPTransport(local_address="127.0.0.3")
        with httpx.Client(transport=other) as client:
            assert client.get(f"{origin}/health").status_code == 200


def test_refusals_of_large_requests_reach_the_client_and_long_tokens_the_replica(
    liner: DemoLiner, tmp_path: Path
) -> None:
    """A replica closes its connection after such an answer, while nginx may still be sending."""
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{create_token('anna')[1]}\n")
    (tmp_path / "nginx").mkdir()
    body = b" " * 250_000
    with (
        serve(liner, mcp_tokens_file=tokens) as one,
        run_nginx(tmp_path / "nginx", [one, one]) as origin,
        httpx.Client(base_url=origin, timeout=PATIENCE) as client,
    ):
        headers = {"authorization": f"Bearer {'a' * 16_000}"}
        statuses = {client.post("/mcp", content=body, headers=headers).status_code for _ in range(30)}
    assert statuses == {401}


@pytest.mark.parametrize("said", [b"", b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9\r\n\r\n1"])
def test_clients_that_say_nothing_or_stop_half_way_do_not_reach_a_replica(
    liner: DemoLiner, tmp_path: Path, said: bytes
) -> None:
    with (
        serve(liner, limits=replace(LIMITS, connections=3)) as one,
        run_nginx(tmp_path, [one, one]) as origin,
        ExitStack() as held,
    ):
        for _ in range(50):
            held.enter_context(connected(origin)).sendall(said)
        assert httpx.get(f"{origin}/health").status_code == 200
        assert not result(httpx.post(f"{origin}/mcp", **call("list_call_records", **RECORD)))["isError"]


@ERAS
def test_below_a_path_the_server_is_found_and_says_so(liner: DemoLiner, tmp_path: Path, era: str) -> None:
    with (
        serve(liner, mcp_path_prefix="/liner") as one,
        run_nginx(tmp_path, [one, one], under_path=True) as origin,
    ):
        assert not result(httpx.post(f"{origin}/liner/mcp", **call("list_call_records", era, **RECORD)))["isError"]
        assert "/liner/mcp" in told(httpx.get(f"{origin}/liner/"), 404)
        assert httpx.post(f"{origin}/mcp", **call("list_call_records", era, **RECORD)).status_code == 404


@ERAS
def test_with_the_documented_lines_nginx_speaks_tls(liner: DemoLiner, tmp_path: Path, era: str) -> None:
    certificate = self_signed(tmp_path, "127.0.0.1")
    trusting = ssl.create_default_context(cafile=certificate[0])
    with serve(liner) as one, run_nginx(tmp_path, [one, one], certificate=certificate) as origin:
        answer = httpx.post(f"{origin}/mcp", **call("list_call_records", era, **RECORD), verify=trusting)
    assert origin.startswith("https:")
    assert not result(answer)["isError"]


@ERAS
def test_a_replica_that_was_killed_is_not_missed(tmp_path: Path, era: str) -> None:
    asked = call("list_call_records", era, **RECORD)
    with ExitStack() as stack:
        processes, urls = zip(*(stack.enter_context(started("--demo")) for _ in range(2)), strict=True)
        origin = stack.enter_context(run_nginx(tmp_path, [url.removesuffix("/mcp") for url in urls]))
        with httpx.Client(timeout=PATIENCE) as client:
            before = [client.post(f"{origin}/mcp", **asked).status_code for _ in range(4)]
            processes[0].send_signal(signal.SIGKILL)
            processes[0].wait(PATIENCE)
            after = [client.post(f"{origin}/mcp", **asked).status_code for _ in range(8)]
    assert set(before) == set(after) == {200}


def test_the_call_that_a_killed_replica_was_at_is_answered_by_the_other(dataset: Dataset, tmp_path: Path) -> None:
    held, asked = BlockingLiner(dataset), call("list_call_records", MODERN, **RECORD)
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        where = stack.enter_context(serve_app(held))
        stack.callback(held.release)
        settings: dict[str, Any] = {"LINER_API_HOST": where, "LINER_API_TOKEN": "demo"}
        processes, urls = zip(*(stack.enter_context(started(**settings)) for _ in range(2)), strict=True)
        origin = stack.enter_context(run_nginx(tmp_path, [url.removesuffix("/mcp") for url in urls]))
        answer = pool.submit(httpx.post, f"{origin}/mcp", **asked, timeout=PATIENCE)
        assert held.reached.wait(PATIENCE)
        processes[0].send_signal(signal.SIGKILL)  # nginx asks in the order of its configuration
        held.release()
        assert "9002362" in str(result(answer.result()))
