"""How long one request holds the event loop, whatever its size or text: other callers wait for so long.

A task that sleeps for a millisecond again and again measures by how much it is late. The time includes that of the
client, which encodes the request and decodes the answer in the same process.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp import Client

from benchmarks.contestants import OURS
from benchmarks.figures import Figure
from liner_mcp.demo import Dataset
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.server.test_bounded import ARGUMENTS, NEEDED, STRINGS
from tests.text.test_long_texts import HOSTILE

BAR = 100  # milliseconds: a person does not notice such a wait
TICK = 0.001
SUMMARY = 60_000  # characters
AGAIN = 20.0  # milliseconds; a longer time is measured again, because other load can only lengthen it
TIMES = 4


async def figures() -> list[Figure]:
    """The longest time of all requests, each by its best run."""
    dataset = Dataset.generate(now=NOW, days=2, calls=50)
    call = dataset.add_call()
    texts = [(text * (SUMMARY // len(text) + 1))[:SUMMARY] for text in HOSTILE]
    records = [dataset.add_record(call.id, summary=text) for text in texts]
    requests: list[tuple[str, dict[str, Any]]] = [
        (tool, NEEDED[tool] | {argument: text})
        for tool, arguments in ARGUMENTS.items()
        for argument in arguments
        for text in STRINGS.values()
    ]
    requests += [("get_call_record", {"record_id": record.id}) for record in records]
    requests += [
        ("check_quotes", {"quotes": [{"record_id": r.id, "quote": r.summary[:500]}]}) for r in records if r.summary
    ]
    requests.append(("get_call_summaries", {"call_ids": [call.id]}))
    longest, which = 0.0, ""
    async with OURS.opened(FakeLiner(dataset), 0) as client:
        for tool, arguments in requests:
            held = await _held(client, tool, arguments)
            if held > longest:
                longest, which = held, tool
    note = f"{len(requests)} requests with long and hostile texts; the longest is of {which}"
    return [Figure("the event loop is held by one request", longest, BAR, "ms", note)]


async def _held(client: Client, tool: str, arguments: dict[str, Any]) -> float:
    """Milliseconds."""
    best = float("inf")
    for _ in range(TIMES):
        async with _watched() as late:
            await client.call_tool(tool, arguments)
        best = min(best, max(late))
        if best < AGAIN:
            break
    return best


@asynccontextmanager
async def _watched() -> AsyncGenerator[list[float]]:
    """The lateness of each tick during the block, in milliseconds."""
    late = [0.0]

    async def tick() -> None:
        while True:
            due = time.perf_counter() + TICK
            await anyio.sleep(TICK)
            late.append((time.perf_counter() - due) * 1_000)

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        await anyio.sleep(TICK)
        yield late
        await anyio.sleep(TICK)  # so that the last turn is measured too
        group.cancel_scope.cancel()
