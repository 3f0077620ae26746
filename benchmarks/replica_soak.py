"""Mixed questions to two replicas with one archive, while a sync writes; one is killed half-way.

python -m benchmarks.replica_soak [--calls N]

The archive lacks the last two days, which are read from the fake Liner, a process of its own. nginx with the settings
of docs/nginx.conf is in front of the replicas; where it is missing, callers send each question to the next replica in
turn. A caller whose connection breaks asks once more. Each answer is compared with that of a server in this process,
without an archive and without a failure.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import anyio

from benchmarks.contestants import OURS
from benchmarks.figures import Figure
from benchmarks.liner_process import liner_process
from benchmarks.load import Caller, call, connect
from benchmarks.processes import Running, ours
from benchmarks.replicas import ASK_AGAIN
from liner_mcp.archive.spans import Span
from liner_mcp.demo import Dataset, DemoLiner
from tests.archive.sessions import comparable
from tests.conftest import NOW
from tests.support.archive import EVERYTHING, LAST_MIDNIGHT, fill
from tests.support.nginx import NGINX, run_nginx

CALLS = 4_000
AT_ONCE = 8
DAYS, DATASET_CALLS = 40, 4_000
LATENCY = 0.02  # seconds per answer of the fake Liner
SEED = 1
ARCHIVED_UNTIL = LAST_MIDNIGHT - 2 * 86_400
GROWTH = 10  # megabytes

Arguments = dict[str, Any]
Question = tuple[str, Arguments]


@dataclass(slots=True)
class Soak:
    """What happened. `seconds` are those of the answers, including the second try."""

    right: int = 0
    asked_again: int = 0
    lost: int = 0
    wrong: list[str] = field(default_factory=list[str])
    seconds: list[float] = field(default_factory=list[float])
    memory: list[float] = field(default_factory=list[float])
    """Megabytes of the replica that stays, after a quarter of the questions and at the end."""


def questions(dataset: Dataset) -> list[Question]:
    """Questions of every tool about fixed days, because the replicas have the real clock."""
    ended = [one for one in dataset.calls.values() if NOW - one.created_at > timedelta(days=1)]
    recorded = [one.id for one in ended if dataset.records_of(one.id)][::-1]
    records = [one for call_id in recorded for one in dataset.records_of(call_id) if one.summary]
    days = [(NOW - timedelta(days=back)).date() for back in range(1, 13)]
    found: list[Question] = [("list_directory", {"kind": kind}) for kind in ("agents", "orders", "call_statuses")]
    for day in days:
        window = {"since": f"{day}", "until": f"{day}"}
        found += [
            ("find_calls", {**window, "limit": 100}),
            ("find_calls", {**window, "mentions": "ипотека | mortgage"}),
            ("find_calls", {**window, "transferred": True, "include": ["summary"]}),
            ("call_stats", {**window, "group_by": ["agent"], "include": ["records"]}),
            ("call_stats", {"since": f"{day - timedelta(days=6)}", "until": f"{day}", "group_by": ["status"]}),
        ]
    found += [("get_call_summaries", {"call_ids": recorded[first : first + 30]}) for first in range(0, 600, 30)]
    found += [("list_call_records", {"call_id": call_id}) for call_id in recorded[:600:20]]
    found += [("get_call_record", {"record_id": record.id}) for record in records[:600:20]]
    found += [
        ("check_quotes", {"quotes": [{"record_id": r.id, "quote": (r.summary or "")[:40]}]}) for r in records[:60:6]
    ]
    return found


async def expected(dataset: Dataset, asked: Sequence[Question]) -> list[Any]:
    """The answer to each question from a server without an archive."""
    async with OURS.opened(DemoLiner(dataset), 0) as client:
        results = [await client.call_tool(tool, arguments) for tool, arguments in asked]
    assert not [asked for asked, result in zip(asked, results, strict=True) if result.is_error]
    return [comparable(result.structured_content or {}) for result in results]


async def run(*, calls: int = CALLS) -> dict[str, Any]:
    """Start everything, ask, and count the results."""
    dataset = Dataset.generate(now=NOW, days=DAYS, calls=DATASET_CALLS)
    asked = questions(dataset)
    answers = await expected(dataset, asked)
    soak = Soak()
    with ExitStack() as stack:
        origin = stack.enter_context(liner_process(days=DAYS, calls=DATASET_CALLS, latency=LATENCY))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        spans = {order.id: [Span(EVERYTHING.since, ARCHIVED_UNTIL)] for order in dataset.orders}
        archive = fill(folder / "archive" / "calls.db", dataset, spans, source=origin)
        settings = {
            "LINER_API_HOST": origin,
            "LINER_API_TOKEN": "demo",
            "LINER_ARCHIVE": str(archive),
            "LINER_ARCHIVE_RETENTION": "36500d",
            "LINER_TIMEZONE": "Europe/Moscow",
        }
        replicas = [stack.enter_context(ours(settings=settings)) for _ in range(2)]
        urls = [replica.url for replica in replicas]
        if NGINX is not None:
            origins = [url.removesuffix("/mcp") for url in urls]
            urls = [stack.enter_context(run_nginx(folder, origins, requests=("100000r/s", "10000"))) + "/mcp"]
        stack.enter_context(_syncing(settings))
        started = time.perf_counter()
        await _ask_all(soak, urls, replicas, asked, answers, calls)
        seconds = time.perf_counter() - started
    return {
        "calls": calls,
        "questions": len(asked),
        "at_once": AT_ONCE,
        "in_front": "callers in turn" if NGINX is None else "nginx",
        "right": soak.right,
        "wrong": len(soak.wrong),
        "lost": soak.lost,
        "asked_again": soak.asked_again,
        "seconds": round(seconds, 1),
        "p50_ms": round(1_000 * _percentile(soak.seconds, 0.5), 1),
        "p99_ms": round(1_000 * _percentile(soak.seconds, 0.99), 1),
        "longest_ms": round(1_000 * max(soak.seconds), 1),
        "memory_warm_mb": round(soak.memory[0], 1),
        "memory_end_mb": round(soak.memory[-1], 1),
        "memory_grown_mb": round(soak.memory[-1] - soak.memory[0], 1),
        "reasons": soak.wrong[:20],
    }


@contextmanager
def _syncing(settings: dict[str, str]) -> Generator[None]:
    """A sync of the last days, beside the replicas."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINER_")} | settings
    since = f"{(NOW - timedelta(days=14)).date()}"
    command = [sys.executable, "-m", "liner_mcp", "sync", "--again", "--since", since, "--pace", "20"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


async def _ask_all(
    soak: Soak,
    urls: Sequence[str],
    replicas: Sequence[Running],
    asked: Sequence[Question],
    answers: Sequence[Any],
    calls: int,
) -> None:
    draw = Random(SEED)
    left = [draw.randrange(len(asked)) for _ in range(calls)]
    at = cycle(urls)

    async def work() -> None:
        connections: dict[str, Caller] = {}
        while left:
            place = left.pop()
            if len(left) == calls // 2:
                os.kill(replicas[0].pid, signal.SIGKILL)
            if len(left) == calls - calls // 4:
                soak.memory.append(replicas[1].memory)
            started = time.perf_counter()
            answer = await _answer(soak, connections, [next(at), next(at)], *asked[place])
            if answer is None:
                soak.lost += 1
                continue
            soak.seconds.append(time.perf_counter() - started)
            if answer == answers[place]:
                soak.right += 1
            else:
                soak.wrong.append(f"{asked[place]}: {answer}"[:300])
        for connection in connections.values():
            connection.close()

    async with anyio.create_task_group() as group:
        for _ in range(AT_ONCE):
            group.start_soon(work)
    soak.memory.append(replicas[1].memory)


async def _answer(
    soak: Soak, connections: dict[str, Caller], urls: Sequence[str], tool: str, arguments: Arguments
) -> Any:
    """What can be compared of the answer, or None if the second try failed too."""
    for tries, url in enumerate(urls):
        soak.asked_again += tries
        try:
            connections[url] = connections.get(url) or await connect(url)
            status, body = await connections[url].ask(call(url, tool, arguments))
        except ConnectionError:
            connections.pop(url, None)
            continue
        if status not in ASK_AGAIN:
            return _comparable(status, body)
    return None


def _comparable(status: int, body: bytes) -> Any:
    if status != 200:
        return status, body[:200]
    result = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1]).get("result", {})
    return comparable(result.get("structuredContent") or {}) if not result.get("isError") else result


def _percentile(seconds: Sequence[float], share: float) -> float:
    return sorted(seconds)[max(0, math.ceil(len(seconds) * share) - 1)]


def figures(found: dict[str, Any]) -> list[Figure]:
    """What has a limit."""
    of = f"of {found['calls']:,}"
    return [
        Figure("answers lost when one of two replicas is killed", found["lost"], 0, note=of),
        Figure("wrong answers of two replicas with an archive", found["wrong"], 0, note=of),
        Figure("growth of the memory of the replica that stays", found["memory_grown_mb"], GROWTH, "MB"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=CALLS, help=f"questions, instead of {CALLS:,}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    asked = parser.parse_args()
    found = anyio.run(lambda: run(calls=asked.calls))
    limited = figures(found)
    for name, value in found.items():
        print(f"{name:<16}  {value}")
    if asked.json:
        document = {**found, "figures": [asdict(figure) for figure in limited]}
        asked.json.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    sys.exit(not all(figure.holds for figure in limited))


if __name__ == "__main__":
    main()
