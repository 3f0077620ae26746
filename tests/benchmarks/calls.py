"""How fast a tool call is: many calls against the ideal, and our overhead over a bare SDK tool."""

from __future__ import annotations

import math
import statistics
import time
from typing import Any

import httpx
from mcp import Client
from mcp.server import MCPServer

from liner_mcp.demo import DemoLiner, World
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from tests.benchmarks.figures import Figure
from tests.conftest import NOW

LATENCY = 0.1  # seconds per request of the make-believe Liner
CALLS = 100
CONCURRENCY = 4
RUNS = 5
WARM = 20
SAMPLES = 300


async def figures() -> list[Figure]:
    world = World.generate(now=NOW)
    return [await _fan_out(world), *await _overhead(world)]


async def _fan_out(world: World) -> Figure:
    ids = [call.id for call in world.calls.values() if world.records_of(call.id)][:CALLS]
    ideal = math.ceil(CALLS / CONCURRENCY) * LATENCY
    times: list[float] = []
    for _ in range(RUNS):
        settings = Settings(mcp_demo=True, requests_per_second=0, concurrency=CONCURRENCY, max_answer_bytes=60_000)
        server = create_server(settings, transport=httpx.ASGITransport(app=DemoLiner(world, latency=LATENCY)))
        async with Client(server) as client:
            await client.list_tools()
            started = time.perf_counter()
            result: Any = await client.call_tool("get_call_summaries", {"call_ids": ids, "summary_chars": 0})
            times.append(time.perf_counter() - started)
            assert result.structured_content["page"]["complete"]
    note = f"{statistics.median(times):.2f} s, ideal {ideal:.2f} s, cold caches, median of {RUNS}"
    return Figure("get_call_summaries of 100 calls to the ideal", statistics.median(times) / ideal, 1.15, note=note)


async def _overhead(world: World) -> list[Figure]:
    """Our tool with Liner's answers at hand, less a bare tool that returns a constant."""
    bare = MCPServer("bare", version="0.1.0", log_level="WARNING")

    @bare.tool(structured_output=False)
    async def check() -> str:  # pyright: ignore[reportUnusedFunction] - the decorator uses it
        """Say ok."""
        return "ok"

    call_id = next(call.id for call in world.calls.values() if world.records_of(call.id))
    settings = Settings(mcp_demo=True, requests_per_second=0)
    canned = _Canned(DemoLiner(world))
    async with Client(bare) as plain, Client(create_server(settings, transport=canned)) as ours:
        base = await _timed(plain, "check", {})
        full = await _timed(ours, "list_call_records", {"call_id": call_id})
    cuts = {"p50": 0.50, "p95": 0.95}
    note = f"{SAMPLES} calls, two Liner requests each, answers canned"
    return [
        Figure(f"overhead of a tool call, {name}", (_at(full, cut) - _at(base, cut)) * 1_000, bar, "ms", note)
        for (name, cut), bar in zip(cuts.items(), (3, 8), strict=True)
    ]


class _Canned(httpx.AsyncBaseTransport):
    """Answers each request as it was answered the first time: the cost of the make-believe Liner is not ours."""

    def __init__(self, app: DemoLiner) -> None:
        self._inner = httpx.ASGITransport(app=app)
        self._known: dict[str, bytes] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        target = request.url.raw_path.decode()
        if target not in self._known:
            response = await self._inner.handle_async_request(request)
            self._known[target] = await response.aread()
        return httpx.Response(200, content=self._known[target])


async def _timed(client: Client, tool: str, arguments: dict[str, Any]) -> list[float]:
    times: list[float] = []
    for number in range(WARM + SAMPLES):
        started = time.perf_counter()
        await client.call_tool(tool, arguments)
        if number >= WARM:
            times.append(time.perf_counter() - started)
    return sorted(times)


def _at(times: list[float], cut: float) -> float:
    return times[min(len(times) - 1, int(len(times) * cut))]
