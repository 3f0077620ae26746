"""What questions about very many calls cost: requests, seconds, memory, tokens."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
from mcp import Client

from liner_mcp.demo import DemoLiner, World
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings, read_settings
from tests.benchmarks.figures import Figure
from tests.benchmarks.liner_process import liner_process
from tests.benchmarks.sizes import compact, text_of
from tests.conftest import NOW
from tests.tokens import tokens

YEAR_CALLS, WEEK_CALLS = 50_000, 10_000
PAGE = 100
LATENCY = 0.05
CONCURRENCY = 4


async def figures() -> list[Figure]:
    # First, while this process holds no world of its own: a heap of half a million objects is not a server's.
    statistics = await _statistics()
    year = World.generate(now=NOW, days=365, calls=YEAR_CALLS)
    return [*await rows(), *await _requests(year), await _walk(), *statistics]


async def rows() -> list[Figure]:
    """Tokens of found calls: the rows themselves, and the whole answer with names, window and cursor."""
    found: list[Figure] = []
    async with _client(DemoLiner(World.generate(now=NOW)), max_answer_bytes=60_000) as client:
        for name, since, bar in (("one day", "yesterday", 22), ("many days", "-10d", 30)):
            answer: Any = await client.call_tool("find_calls", {"since": since, "limit": PAGE})
            found_rows = answer.structured_content["rows"]
            whole = tokens(compact(answer.structured_content)) / len(found_rows)
            note = f"the whole answer, its names and cursor included: {whole:.1f}"
            found.append(
                Figure(
                    f"a row of find_calls, {name}", tokens(compact(found_rows)) / len(found_rows), bar, "tokens", note
                )
            )
    return found


async def _requests(year: World) -> list[Figure]:
    liner = DemoLiner(year)
    async with _client(liner) as client:
        await client.call_tool("list_directory", {"kind": "orders"})
        liner.requests.clear()
        await client.call_tool("find_calls", {"since": "-365d", "limit": 50})
        newest = sum(target.startswith("/v2/call/") for target in liner.requests)
        liner.requests.clear()
        answer: Any = await client.call_tool("find_calls", {"since": "yesterday", "limit": 200})
        day = sum(target.startswith("/v2/call/") for target in liner.requests)
        least = math.ceil(answer.structured_content["page"]["total"] / PAGE)
    return [
        Figure(f"newest 50 of a year of {YEAR_CALLS:,}: requests", newest, 6),
        Figure("yesterday, all orders: requests", day, None, note=f"the least possible is {least}"),
    ]


async def _walk() -> Figure:
    """All pages of a busy week under a filter of ours that keeps about a seventh."""
    liner = DemoLiner(World.generate(now=NOW, days=7, calls=WEEK_CALLS))
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
    requests = sum(target.startswith("/v2/call/") for target in liner.requests)
    full = WEEK_CALLS // PAGE
    note = f"{requests} for {full} full pages, {rows / WEEK_CALLS:.0%} kept"
    return Figure("walking a filtered week: requests per full page", requests / full, None, note=note)


async def _statistics() -> list[Figure]:
    ideal = math.ceil(YEAR_CALLS / PAGE / CONCURRENCY) * LATENCY
    found: list[Figure] = []
    with liner_process(days=365, calls=YEAR_CALLS, latency=LATENCY) as origin:
        for name, rate in (("rate limit off", 0), ("default limits", 20)):
            settings = read_settings(
                api_host=origin, api_token="demo", timezone="UTC", requests_per_second=rate, concurrency=CONCURRENCY
            )
            async with Client(create_server(settings, now=lambda: NOW)) as client:
                await client.call_tool("call_stats", {"since": "-1d"})
                with _memory() as grown:
                    started = time.perf_counter()
                    text = await text_of(client, "call_stats", since="-365d")
                    seconds = time.perf_counter() - started
                answer: Any = await client.call_tool("call_stats", {"since": "-1d"})
            if rate == 0:
                note = f"{seconds:.2f} s, ideal {ideal:.2f} s"
                found += [
                    Figure(f"call_stats over {YEAR_CALLS:,} calls to the ideal", seconds / ideal, 1.25, note=note),
                    Figure("call_stats: memory above idle", max(grown), 30, "MB"),
                    Figure("call_stats by agent", tokens(text), 600, "tokens"),
                ]
            else:
                covered = "complete" if '"complete":true' in text else text[text.index('"covered"') :][:80]
                found.append(Figure(f"call_stats, {name}: seconds", seconds, None, "s", covered))
            assert not answer.is_error
    return found


def _client(liner: DemoLiner, **settings: Any) -> Client:
    fields: dict[str, Any] = {"mcp_demo": True, "timezone": "Europe/Moscow", "requests_per_second": 0, **settings}
    return Client(create_server(Settings(**fields), transport=httpx.ASGITransport(app=liner), now=lambda: NOW))


@contextmanager
def _memory() -> Generator[list[float]]:
    """MB by which this process grows meanwhile, sampled; the largest is the peak."""
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
    """Resident pages of this process (Linux)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
