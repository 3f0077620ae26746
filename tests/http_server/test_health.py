"""/health and /ready."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import anyio
import httpx
import pytest

from liner_mcp.demo import DemoLiner
from liner_mcp.http_server.app import create_web_app
from liner_mcp.http_server.limits import LIMITS
from liner_mcp.settings import read_settings
from tests.fakes import FakeLiner
from tests.http_server.support import PATIENCE, in_time, names_of, serve
from tests.support.account import ACCOUNT
from tests.support.asgi_server import serve_app

HEALTH_CHECK = "/v1/health/check/"


def test_health_asks_liner_nothing(liner: FakeLiner) -> None:
    with serve(liner) as origin:
        assert httpx.get(f"{origin}/health").json() == {"alive": True}
        assert httpx.head(f"{origin}/health").status_code == 200
    assert liner.requests == []


def test_many_probes_are_one_look_at_liner(liner: FakeLiner) -> None:
    liner.latency = 0.2
    limits = replace(LIMITS, ready_seconds=600)
    with serve(liner, limits=limits) as origin, ThreadPoolExecutor(8) as pool:
        answers = [answer.json() for answer in pool.map(httpx.get, [f"{origin}/ready"] * 16)]
    assert answers == [{"ready": True}] * 16
    assert names_of(liner) == [HEALTH_CHECK]


def test_a_bad_answer_is_cached_for_a_while_too_and_then_looked_at_again(liner: FakeLiner) -> None:
    liner.token = "another"
    with serve(liner, limits=replace(LIMITS, ready_seconds=600)) as origin:
        for _ in range(3):
            assert httpx.get(f"{origin}/ready").status_code == 503
    assert names_of(liner) == [HEALTH_CHECK]
    with serve(liner, limits=replace(LIMITS, ready_seconds=0.2)) as origin:
        assert httpx.get(f"{origin}/ready").status_code == 503
        liner.token = "demo"
        for _ in in_time():
            if httpx.get(f"{origin}/ready").status_code == 200:
                break


@pytest.mark.parametrize(
    ("settings", "because"),
    [
        ({}, "settings"),
        ({"api_host": "https://liner-secret.invalid", "api_token": "s3cr3t"}, "liner"),
        ({"api_host": "http://127.0.0.1:9", "api_token": "s3cr3t"}, "liner"),
    ],
)
def test_what_stands_in_the_way_is_told_in_one_word(settings: dict[str, Any], because: str) -> None:
    with serve_app(create_web_app(read_settings(**settings), limits=replace(LIMITS, probe_seconds=1))) as origin:
        answer = httpx.get(f"{origin}/ready", timeout=PATIENCE)
        assert answer.status_code == 503
        assert answer.json() == {"ready": False, "because": because}
        assert httpx.get(f"{origin}/health").status_code == 200


def test_a_refused_token_and_a_liner_that_hangs_are_told_apart(liner: FakeLiner) -> None:
    liner.token = "another"
    with serve(liner) as origin:
        assert httpx.get(f"{origin}/ready").json() == {"ready": False, "because": "settings"}
    liner.token, liner.latency = "demo", 600
    with serve(liner, limits=replace(LIMITS, probe_seconds=0.2)) as origin:
        assert httpx.get(f"{origin}/ready").json() == {"ready": False, "because": "liner"}


def test_while_stopping_each_answer_closes_its_connection(liner: DemoLiner) -> None:
    app = create_web_app(read_settings(**ACCOUNT), transport=httpx.ASGITransport(app=liner))
    with serve_app(app) as origin:
        assert "connection" not in httpx.get(f"{origin}/nowhere").headers
        app.drain()
        assert httpx.get(f"{origin}/nowhere").headers["connection"] == "close"
        assert httpx.get(f"{origin}/health").status_code == 200


def test_a_web_socket_is_not_served(liner: DemoLiner) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    app = create_web_app(read_settings(**ACCOUNT), transport=httpx.ASGITransport(app=liner))
    anyio.run(app, {"type": "websocket", "path": "/health"}, receive, send)
    assert sent == []


def test_ready_says_that_the_data_is_invented(liner: FakeLiner) -> None:
    app = create_web_app(read_settings(mcp_demo=True), transport=httpx.ASGITransport(app=liner))
    with serve_app(app) as origin:
        assert httpx.get(f"{origin}/ready").json() == {"ready": True, "demo": True}
        assert httpx.get(f"{origin}/health").json() == {"alive": True}


def test_probes_are_only_read(liner: FakeLiner) -> None:
    with serve(liner) as origin:
        answer = httpx.post(f"{origin}/ready")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD"
    assert liner.requests == []
