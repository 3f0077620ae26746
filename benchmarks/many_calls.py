"""The cost of questions about very many calls: requests, seconds, memory, tokens."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
from mcp import Client

from benchmarks.figures import RUNS, Figure, timed
from benchmarks.liner_process import liner_process
from benchmarks.sizes import text_of
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings, read_settings
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.support.account import ACCOUNT
from tests.support.token_count import count_tokens

YEAR_CALLS, WEEK_CALLS = 50_000, 10_000
PAGE = 100
LATENCY = 0.05
CONCURRENCY = 4


async def figures() -> list[Figure]:
    """The timed figures. This process must not hold a dataset: a server does not have half a million objects."""
    return await _statistics()


async def exact_figures() -> list[Figure]:
    return [*await _year(), await _walk()]


async def _year() -> list[Figure]:
    liner = FakeLiner(Dataset.generate(now=NOW, days=365, calls=YEAR_CALLS))
    async with _client(liner) as client:
        await client.call_tool("list_directory", {"kind": "orders"})
        liner.requests.clear()
        await client.call_tool("find_calls", {"since": "-365d", "limit": 50})
        newest = liner.count("/v2/call/")
        liner.requests.clear()
        answer: Any = await client.call_tool("find_calls", {"since": "yesterday", "limit": 200})
        day = liner.count("/v2/call/")
        least = math.ceil(answer.structured_content["page"]["total"] / PAGE)
        statistics_of_a_year = await text_of(client, "call_stats", since="-365d")
    return [
        Figure("call_stats by agent", count_tokens(statistics_of_a_year), 610, "tokens", exact=True),
        Figure(f"newest 50 of a year of {YEAR_CALLS:,}: requests", newest, 6, exact=True),
        Figure("yesterday, all orders: requests", day, None, note=f"the least possible is {least}", exact=True),
    ]


async def _walk() -> Figure:
    """All pages of a busy week with a filter on our side that passes about a seventh of the calls."""
    liner = FakeLiner(Dataset.generate(now=NOW, days=7, calls=WEEK_CALLS))
    async with _client(liner) as client:
        asked: dict[str, Any] = {"since": "-7d", "min_talk_seconds": 180}
        rows = 0
        while True:
            answer: Any = await client.call_tool("find_calls", asked)
            page = answer.structured_content["page"]
            rows += page["returned"]
            if "next_cursor" not in page:
                break
            asked = {"cursor": page["next_cursor"]}
    requests = liner.count("/v2/call/")
    full = WEEK_CALLS // PAGE
    note = f"{requests} for {full} full pages, {rows / WEEK_CALLS:.0%} kept"
    return Figure("walking a filtered week: requests per full page", requests / full, None, note=note, exact=True)


async def _statistics() -> list[Figure]:
    ideal = math.ceil(YEAR_CALLS / PAGE / CONCURRENCY) * LATENCY
    with liner_process(days=365, calls=YEAR_CALLS, latency=LATENCY) as origin:
        runs = [await _counted(origin, rate=0) for _ in range(RUNS)]
        limited = await _counted(origin, rate=20)
    seconds = [run.seconds for run in runs]
    note = f"{statistics.median(seconds):.2f} s, ideal {ideal:.2f} s"
    return [
        timed(f"call_stats over {YEAR_CALLS:,} calls to the ideal", [s / ideal for s in seconds], 1.35, "", note),
        # The maximum and not the median, because later runs reuse the memory of the first.
        Figure("call_stats: memory above idle", max(run.grown for run in runs), 30, "MB"),
        Figure("call_stats with the default limits", limited.seconds, 45, "s", "one run: the limit sets the time"),
    ]


@dataclass(frozen=True, slots=True)
class _Counted:
    seconds: float
    grown: float
    """The peak in MB above idle."""


async def _counted(origin: str, *, rate: float) -> _Counted:
    """The statistics of all calls of a year by agent, in a new session."""
    settings = read_settings(
        api_host=origin, api_token="demo", timezone="UTC", requests_per_second=rate, concurrency=CONCURRENCY
    )
    async with Client(create_server(settings, now=lambda: NOW)) as client:
        await client.call_tool("call_stats", {"since": "-1d"})
        with _memory() as grown:
            started = time.perf_counter()
            text = await text_of(client, "call_stats", since="-365d")
            seconds = time.perf_counter() - started
    assert '"complete":true' in text
    return _Counted(seconds, max(grown))


def _client(liner: DemoLiner, **settings: Any) -> Client:
    fields: dict[str, Any] = {**ACCOUNT, "timezone": "Europe/Moscow", "requests_per_second": 0, **settings}
    return Client(create_server(Settings(**fields), transport=httpx.ASGITransport(app=liner), now=lambda: NOW))


@contextmanager
def _memory() -> Generator[list[float]]:
    """The largest growth of this process during the block, in MB, sampled."""
    page_bytes, idle = 4096, _resident()
    grown = [0.0]
    done = Event()

    def watch() -> None:
        while not done.wait(0.02):
            grown.append((_resident() - idle) * page_bytes / 1e6)

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield grown
    finally:
        done.set()
        thread.join()


def _resident() -> int:
    """Resident memory of this process in pages (Linux)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
