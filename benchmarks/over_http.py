"""Tool calls over HTTP beside a bare SDK server with one trivial tool, in the same run; and memory per 100 clients.

python -m benchmarks.over_http [--quick] [--json FILE]

The comparison uses `list_directory`, because it is answered from the cache after the first call: so the serving is
measured, and not the demo Liner in the same process. `list_call_records` sends one request to Liner each time: its call
is cached, its records are not, because one has no summary yet. Callers run on the same machine. The servers take turns
in rounds, and the best round counts, because other load can only slow a round. The limit is for one process: with
several workers, the number of connections per worker is random, and they share the cores with the callers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import anyio

from benchmarks.bare_process import TOOL
from benchmarks.figures import Figure
from benchmarks.load import LEGACY, MODERN, Load, call, connect, press, succeeded
from benchmarks.processes import Running, bare, ours
from liner_mcp.cli.tokens import create_token
from liner_mcp.http_server.limits import LIMITS

BAR = 0.65
"""The lowest share of the bare server's throughput, for a call without a request to Liner, of the most clients."""

CLIENTS = (1, 8, 50)
WORKERS = (1, 2)
CONNECTED = 100
BARE = "bare SDK: check"
DIRECTORY = "ours: list_directory"
KNOWN = "ours, callers known: list_directory"
RECORDS = "ours: list_call_records"
ERA = {"modern": MODERN, "legacy": LEGACY}
HEAD = f"workers clients  {'what':<37} calls/s   p50 ms   p95 ms   p99 ms   CPU ms  to bare  by CPU"


@dataclass(frozen=True, slots=True)
class Row:
    """Times in milliseconds. `cpu` is the CPU time of the server's processes per call, which other load hardly changes.
    `cpu_to_bare` is the CPU time of the bare server divided by it, so that larger is better for both ratios."""

    workers: int
    clients: int
    what: str
    per_second: float
    p50: float
    p95: float
    p99: float
    cpu: float
    to_bare: float
    cpu_to_bare: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes: of the server without connections, and what 100 connections add."""

    workers: int
    what: str
    started: float
    connected: float
    after_a_call: float
    after_a_thousand: float


@dataclass(frozen=True, slots=True)
class Subject:
    server: Running
    request: bytes
    most: int = 50  # its limit of concurrent callers


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--quick", action="store_true", help="see that it works; the figures mean little")
    options.add_argument("--era", choices=ERA, default="modern", help="the revision that callers speak")
    options.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options.add_argument("--workers", type=int, action="append", metavar="N", help="instead of 1 and 2")
    asked = options.parse_args()
    seconds, rounds = (0.5, 1) if asked.quick else (2.0, 3)
    machine = f"Python {platform.python_version()}, mcp {version('mcp')}, {platform.machine()}, {os.cpu_count()} cores"
    loop = "uvloop" if find_spec("uvloop") else "asyncio"
    print(f"{machine}, {loop}, {asked.era} callers, best of {rounds} rounds of {seconds:g} s\n")
    rows: list[Row] = []
    memories: list[Memory] = []
    for workers in asked.workers or WORKERS:
        print(HEAD)
        with ExitStack() as stack:
            subjects = _subjects(stack, workers, ERA[asked.era])
            for subject in subjects.values():  # many connections, so that each worker answers at least once
                anyio.run(partial(press, subject.server.url, subject.request, callers=subject.most, seconds=1))
            for clients in CLIENTS:
                for row in anyio.run(_compared, subjects, workers, clients, seconds, rounds):
                    rows.append(row)
                    print(_shown(row), flush=True)
        print()
        for what in (BARE, DIRECTORY):
            with ExitStack() as stack:  # new processes, because memory of earlier calls must not count
                subject = _subjects(stack, workers, ERA[asked.era], only=what)[what]
                memory = anyio.run(_memory, subject, workers, what)
            memories.append(memory)
            print(_memory_line(memory), flush=True)
        print()
    figures = _figures(rows)
    if asked.json:
        results = {
            "loop": loop,
            "era": asked.era,
            "seconds": seconds,
            "rounds": rounds,
            "calls": [asdict(row) for row in rows],
            "memory_megabytes": [asdict(memory) for memory in memories],
            "figures": [asdict(figure) for figure in figures],
        }
        asked.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for figure in figures:
        print(f"{figure.what}  {figure.shown}")
    sys.exit(not all(figure.holds for figure in figures))


def _figures(rows: list[Row]) -> list[Figure]:
    """The share of the bare server's throughput, for one process and the most clients."""
    found = [row for row in rows if (row.workers, row.clients, row.what) == (1, max(CLIENTS), DIRECTORY)]
    what = f"share of the bare server's calls per second over HTTP: list_directory, one process, {max(CLIENTS)} clients"
    return [Figure(what, row.to_bare, BAR, note=f"{row.per_second:,.0f} a second", at_least=True) for row in found]


def _subjects(stack: ExitStack, workers: int, era: str, only: str | None = None) -> dict[str, Subject]:
    found: dict[str, Subject] = {}
    if only in (None, BARE):
        server = stack.enter_context(bare(workers=workers))
        found[BARE] = Subject(server, call(server.url, TOOL, {}, era=era))
    if only in (None, DIRECTORY):
        server = stack.enter_context(ours("--demo", workers=workers))
        found[DIRECTORY] = Subject(server, call(server.url, "list_directory", {"kind": "orders"}, era=era))
        if only is None:
            found[RECORDS] = Subject(server, call(server.url, "list_call_records", {"call_id": 7000102}, era=era))
    if only in (None, KNOWN):
        token, line = create_token("anna")
        file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "tokens"
        file.touch(0o600)
        file.write_text(line + "\n", encoding="utf-8")
        rate = {"LINER_MCP_TOKENS_FILE": str(file), "LINER_MCP_REQUESTS_PER_MINUTE": "1000000"}
        server = stack.enter_context(ours("--demo", workers=workers, settings=rate))
        found[KNOWN] = Subject(server, call(server.url, "list_directory", {"kind": "orders"}, era=era, token=token))
        found[KNOWN] = replace(
            found[KNOWN], most=LIMITS.max_concurrent_requests_per_caller
        )  # all callers have one address here
    return found


async def _compared(subjects: dict[str, Subject], workers: int, clients: int, seconds: float, rounds: int) -> list[Row]:
    best: dict[str, Load] = {}
    worked: dict[str, float] = {}
    for _ in range(rounds):
        for what, subject in subjects.items():
            if clients > subject.most:
                continue
            before = subject.server.cpu_seconds
            load = await press(subject.server.url, subject.request, callers=clients, seconds=seconds)
            cpu = (subject.server.cpu_seconds - before) / len(load.seconds) * 1_000
            worked[what] = min(worked.get(what, cpu), cpu)
            best[what] = max(best.get(what, load), load, key=lambda one: one.per_second)
    return [
        Row(
            workers,
            clients,
            what,
            round(load.per_second, 1),
            *(round(load.percentile(share) * 1_000, 2) for share in (0.5, 0.95, 0.99)),
            cpu=round(worked[what], 3),
            to_bare=round(load.per_second / best[BARE].per_second, 3),
            cpu_to_bare=round(worked[BARE] / worked[what], 3),
        )
        for what, load in best.items()
    ]


async def _memory(subject: Subject, workers: int, what: str) -> Memory:
    async def ask_each(times: int) -> None:
        for _ in range(times):
            for connection in connections:
                assert succeeded(*await connection.ask(subject.request))

    server = subject.server
    # What a process loads at its first call does not count. A few callers are enough, because their memory is reused;
    # with several workers it takes many to reach each.
    await press(server.url, subject.request, callers=8 if workers == 1 else 50, seconds=1)
    before = server.memory
    connections = [await connect(server.url) for _ in range(CONNECTED)]
    await anyio.sleep(1)  # until each is accepted, which cannot be observed
    connected = server.memory
    await ask_each(1)
    called = server.memory
    await ask_each(10)
    later = server.memory
    for connection in connections:
        connection.close()
    return Memory(
        workers, what, *(round(one, 2) for one in (before, connected - before, called - before, later - before))
    )


def _shown(row: Row) -> str:
    share = "" if row.what == BARE else f"{row.to_bare:>9.2f}{row.cpu_to_bare:>8.2f}"
    times = "".join(
        f"{value:>9.{places}f}" for value, places in ((row.p50, 1), (row.p95, 1), (row.p99, 1), (row.cpu, 2))
    )
    return f"{row.workers:>7} {row.clients:>7}  {row.what:<37}{row.per_second:>8,.0f}{times}{share}"


def _memory_line(memory: Memory) -> str:
    return (
        f"memory of {memory.what}, workers: {memory.workers}: {memory.started:.1f} MB started, "
        f"{memory.connected:+.2f} MB with {CONNECTED} connected, "
        f"{memory.after_a_call:+.2f} MB when each has called once, "
        f"{memory.after_a_thousand:+.2f} MB after ten more of each"
    )


if __name__ == "__main__":
    main()
