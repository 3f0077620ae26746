"""The time of tool calls: many against the ideal, and one against a bare SDK tool with one request to Liner."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from typing import Any

import httpx
from mcp import Client

from benchmarks.bare_server import bare_server
from benchmarks.contestants import KEY, ORIGIN
from benchmarks.figures import RUNS, Figure, timed
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.support.account import ACCOUNT

LATENCY = 0.1  # seconds per request of the fake Liner
CALLS = 100
CONCURRENCY = 4
WARM = 20
SAMPLES = 100  # per run: enough for a 95th percentile


async def figures() -> list[Figure]:
    dataset = Dataset.generate(now=NOW)
    return [await _fan_out(dataset), *await _to_bare(dataset)]


async def _fan_out(dataset: Dataset) -> Figure:
    ids = [call.id for call in dataset.calls.values() if dataset.records_of(call.id)][:CALLS]
    ideal = math.ceil(CALLS / CONCURRENCY) * LATENCY
    times: list[float] = []
    for _ in range(RUNS):
        settings = Settings(**ACCOUNT, requests_per_second=0, concurrency=CONCURRENCY, max_answer_bytes=60_000)
        server = create_server(settings, transport=httpx.ASGITransport(app=FakeLiner(dataset, latency=LATENCY)))
        async with Client(server) as client:
            await client.list_tools()
            started = time.perf_counter()
            result: Any = await client.call_tool("get_call_summaries", {"call_ids": ids, "summary_chars": 0})
            times.append(time.perf_counter() - started)
            assert result.structured_content["page"]["complete"]
    note = f"{statistics.median(times):.2f} s, ideal {ideal:.2f} s, cold caches"
    what = f"get_call_summaries of {CALLS} calls to the ideal"
    return timed(what, [seconds / ideal for seconds in times], 1.15, "", note)


async def _to_bare(dataset: Dataset) -> list[Figure]:
    """Our tool and a bare tool that returns Liner's answer, both with recorded answers of Liner."""
    # Another call each time, because a repeated one would be answered from the cache.
    ids = [call.id for call in dataset.calls.values() if dataset.records_of(call.id)][: RUNS * (WARM + SAMPLES)]
    canned = _Canned(DemoLiner(dataset))
    settings = Settings(**ACCOUNT, requests_per_second=0)
    runs: list[tuple[list[float], list[float]]] = []
    async with (
        httpx.AsyncClient(transport=canned, base_url=ORIGIN, headers=KEY) as http,
        Client(bare_server(http)) as passing,
        Client(create_server(settings, transport=canned)) as forgotten,
        Client(create_server(settings, transport=canned)) as ours,
    ):
        for call_id in ids:  # so that every answer is recorded
            for client in (passing, forgotten):
                await client.call_tool("list_call_records", {"call_id": call_id})
        for first in range(0, len(ids), WARM + SAMPLES):
            # Alternating, so that other load on the machine affects all alike.
            asked = [{"call_id": call_id} for call_id in ids[first : first + WARM + SAMPLES]]
            passed = await _timed(passing, "list_call_records", asked)
            canned.asked = 0
            runs.append((passed, await _timed(ours, "list_call_records", asked)))
            assert canned.asked >= 2 * len(asked), "answered from memory"
    note = f"{SAMPLES} calls a run, two requests each (the bare SDK one), Liner's answers canned"
    found: list[Figure] = []
    for name, cut, bar in (("p50", 0.50, 6), ("p95", 0.95, 7)):
        ratios = [_at(ours, cut) / _at(passed, cut) for passed, ours in runs]
        ours, bare = (statistics.median(_at(run[which], cut) * 1_000 for run in runs) for which in (1, 0))
        found.append(
            timed(f"a tool call to a bare one, {name}", ratios, bar, "", f"{ours:.1f} ms to {bare:.1f} ms; {note}")
        )
    return found


class _Canned(httpx.AsyncBaseTransport):
    """Replays the first answer to each request, so that the time of the fake Liner is not measured."""

    def __init__(self, app: DemoLiner) -> None:
        self._inner = httpx.ASGITransport(app=app)
        self._known: dict[str, bytes] = {}
        self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        target = request.url.raw_path.decode()
        if target not in self._known:
            response = await self._inner.handle_async_request(request)
            self._known[target] = await response.aread()
        return httpx.Response(200, content=self._known[target])


async def _timed(client: Client, tool: str, asked: Sequence[dict[str, Any]]) -> list[float]:
    times: list[float] = []
    for number, arguments in enumerate(asked):
        started = time.perf_counter()
        await client.call_tool(tool, arguments)
        if number >= WARM:
            times.append(time.perf_counter() - started)
    return sorted(times)


def _at(times: Sequence[float], cut: float) -> float:
    return times[min(len(times) - 1, int(len(times) * cut))]
