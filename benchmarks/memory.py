"""Whether the memory of a server grows: a thousand tool calls of all kinds, in a separate process.

python -m benchmarks.memory
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio

from benchmarks.contestants import OURS, PASSING
from benchmarks.figures import Figure, timed
from liner_mcp.demo import Dataset
from tests.conftest import NOW
from tests.fakes import FakeLiner

RUNS = 3  # each in a new process; the figure is a difference of resident memory, not a time
CALLS = 1_000
WARM = 200  # imports and first cache entries do not count as growth


def figures() -> list[Figure]:
    command = [sys.executable, "-m", "benchmarks.memory"]
    runs: list[list[float]] = []
    for _ in range(RUNS):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        runs.append([float(part) for part in done.stdout.split()])
    ours = timed(f"memory after {CALLS:,} more tool calls", [run[0] for run in runs], 10, "MB")
    bare = sorted(run[1] for run in runs)[RUNS // 2]
    return [Figure(ours.what, ours.value, ours.bar, "MB", "", bare=bare, spread=ours.spread)]


def resident() -> float:
    """Resident memory of this process in megabytes (Linux)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 1e6


async def _ours(dataset: Dataset, calls: int) -> None:
    liner = FakeLiner(dataset)
    ids = list(dataset.calls)
    async with OURS.opened(liner, 0) as client:
        before = 0.0
        for number in range(WARM + calls):
            if number == WARM:
                before = resident()
            liner.requests.clear()
            await client.call_tool(*_question(number, ids))
        print(resident() - before)


def _question(number: int, ids: list[int]) -> tuple[str, dict[str, Any]]:
    """A different question each time, from a small one to one about a whole day."""
    call_id = ids[number * 37 % len(ids)]
    return (
        ("list_call_records", {"call_id": call_id}),
        ("get_call_summaries", {"call_ids": [call_id], "summary_chars": 160}),
        ("find_calls", {"since": "yesterday", "limit": 20, "min_talk_seconds": number % 60}),
        ("list_directory", {"kind": "orders"}),
    )[number % 4]


async def _passing(dataset: Dataset, calls: int) -> None:
    liner = FakeLiner(dataset)
    ids = list(dataset.calls)
    async with PASSING.opened(liner, 0) as client:
        before = 0.0
        for number in range(WARM + calls):
            if number == WARM:
                before = resident()
            liner.requests.clear()
            await client.call_tool("list_call_records", {"call_id": ids[number * 37 % len(ids)]})
        print(resident() - before)


async def _main() -> None:
    dataset = Dataset.generate(now=NOW)
    await _ours(dataset, CALLS)
    await _passing(dataset, CALLS)


if __name__ == "__main__":
    anyio.run(_main)
