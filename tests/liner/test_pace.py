"""One pace for several replicas over a real Redis, and what happens while it is away."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from pydantic import SecretStr
from starlette.types import Message, Receive, Scope, Send

from liner_mcp.errors import RateLimited, SettingsError
from liner_mcp.http_server.limits import LIMITS
from liner_mcp.http_server.middleware.rate_limit import RateLimit
from liner_mcp.liner.deadline import call_deadline
from liner_mcp.liner.endpoints import Query
from liner_mcp.liner.pace import SharedPace
from liner_mcp.liner.transport import Transport
from liner_mcp.settings import read_settings
from liner_mcp.shared_store import SharedStore, StoreAway

REDIS = shutil.which("redis-server")
pytestmark = [pytest.mark.anyio, pytest.mark.skipif(REDIS is None, reason="redis-server is not installed")]


@contextmanager
def redis_at(port: int, folder: Path) -> Generator[None]:
    assert REDIS is not None
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    process = subprocess.Popen([REDIS, *arguments], stdout=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int) -> None:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            continue
        return
    raise AssertionError("redis-server did not start")


@pytest.fixture
def port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def url(port: int, tmp_path: Path) -> Iterator[str]:
    with redis_at(port, tmp_path):
        yield f"redis://127.0.0.1:{port}/0"


class Replica:
    """A transport of one replica. Liner's answers are counted; the next ones may ask for a pause."""

    def __init__(self, url: str, per_second: float = 1_000, replicas: int = 2) -> None:
        self.requests = 0
        self.refusals = 0
        self.transport = Transport(
            "http://127.0.0.1",
            SecretStr("demo"),
            requests_per_second=per_second,
            transport=httpx.MockTransport(self._answer),
            jitter=lambda _: 0.0,
            pace_url=url,
            replicas=replicas,
        )

    def _answer(self, _: httpx.Request) -> httpx.Response:
        self.requests += 1
        if self.refusals:
            self.refusals -= 1
            return httpx.Response(429, headers={"Retry-After": "30"})
        return httpx.Response(200, json={"success": True, "message": "", "data": []})

    async def get(self) -> object:
        with call_deadline(5):
            return await self.transport.get(Query("/v2/order/list/"))


async def test_what_one_replica_sends_another_cannot_send_too(url: str) -> None:
    # Once in ten seconds, with a burst of one.
    paces = [SharedPace(url, 0.1, account="account", replicas=2) for _ in range(2)]
    other = SharedPace(url, 0.1, account="another account", replicas=2)
    await paces[0].acquire()
    with anyio.move_on_after(0.5) as waiting:
        await paces[1].acquire()
    assert waiting.cancelled_caught
    assert await other.acquire() == 0
    for pace in (*paces, other):
        await pace.aclose()


async def test_a_pause_that_one_replica_is_asked_for_is_one_for_the_others(url: str) -> None:
    asked, other = Replica(url), Replica(url)
    asked.refusals = 1
    with pytest.raises(RateLimited):
        await asked.get()
    with pytest.raises(RateLimited) as caught:
        await other.get()
    assert 20 < (caught.value.retry_after or 0) <= 30
    assert other.requests == 0
    for replica in (asked, other):
        await replica.transport.aclose()


async def test_a_replica_goes_on_while_the_store_is_away_and_returns_to_it(port: int, tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{port}/0"
    replica = Replica(url)
    assert await replica.get() == []
    with redis_at(port, tmp_path):
        store = SharedStore(url)
        assert await store.run(lambda redis: redis.ping())
    with pytest.raises(StoreAway):
        await store.run(lambda redis: redis.ping())
    assert replica.requests == 1
    await store.aclose()
    await replica.transport.aclose()


async def test_callers_are_counted_over_all_replicas(url: str) -> None:
    statuses: list[int] = []

    async def answer(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def receive() -> Message:
        return {"type": "http.request"}

    threads = threading.active_count()
    stores = [SharedStore(url), SharedStore(url)]
    for store in stores:
        app = RateLimit(answer, 1, LIMITS, store, replicas=2)
        await app({"type": "http", "client": ("192.0.2.1", 1)}, receive, collect)
        await store.aclose()
    assert statuses == [200, 429]
    assert threading.active_count() == threads  # a limiter of the library has a thread, which a request must not start


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="LINER_PACE_URL"):
        read_settings(pace_url="postgresql://db")
