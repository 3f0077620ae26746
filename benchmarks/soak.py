"""Many mixed questions at once to a Liner with faults in a tenth of its answers: `python -m benchmarks.soak`.

Each answer is compared with the dataset. The exit code is 1 if one is wrong or hangs, or if memory grows.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from ctypes import CDLL
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import anyio
from mcp import Client

from benchmarks.figures import Figure
from liner_mcp.liner.request_metrics import Attempt
from liner_mcp.server.audit_log import AuditEntry
from tests.fakes import FAULTS, FakeLiner, Fault, Share
from tests.fakes.faults import Bomb, FaultKind, Grows, Huge, Latency, Shrinks, Slow, occurs
from tests.fault_matrix.client import client_for, in_process, send, server_for
from tests.fault_matrix.oracle import WrongAnswer, check_outcome
from tests.fault_matrix.scenario import Request, Scenario, make_scenario

CALLS = 2_000
AT_ONCE = 8
SHARE = 0.1  # of Liner's answers
SEED = 1
DEADLINE_SECONDS = 5.0
REFRESH = 250  # questions to one server; the next one has an empty cache, as after five minutes
# Faults until the deadline and bodies of a hundred megabytes are rare in practice too.
_RARE = (Latency, Slow, Huge, Bomb)
# These pause all callers for a minute, which would leave few questions in the rest of a batch.
_PAUSES = ("429, wait an hour",)
# The check of a list that changes needs the number of changes, which is unknown with eight questions at once.
_LEFT_OUT = (Grows, Shrinks)


@dataclass(slots=True)
class Saved:
    """Retries, and requests that were saved by single-flight or the cache."""

    retries: int = 0
    deduplicated: int = 0
    cache_hits: int = 0

    def on_attempt(self, attempt: Attempt) -> AbstractContextManager[object]:
        """Count an attempt that is not the first."""
        self.retries += attempt.number > 1
        return nullcontext()

    def on_request_end(self, attempt: Attempt) -> None:
        """Requests are counted by the fake Liner."""

    def on_end(self, entry: AuditEntry) -> None:
        """Add what one call saved."""
        self.deduplicated += entry.counts.deduplicated
        self.cache_hits += entry.counts.cache_hits


def mixed_faults(seed: int = SEED) -> list[Fault]:
    """All kinds of faults, together in about `SHARE` of the requests; each kind is drawn independently."""
    kinds: list[FaultKind] = [
        what for name, what in FAULTS.items() if name not in _PAUSES and not isinstance(what, _LEFT_OUT)
    ]
    weights = [0.1 if isinstance(what, _RARE) else 1.0 for what in kinds]
    share = SHARE / sum(weights)
    return [
        Fault(what, "", Share(share * weight, seed + n))
        for n, (what, weight) in enumerate(zip(kinds, weights, strict=True))
    ]


async def run(calls: int) -> dict[str, Any]:
    """Ask this number of questions and count the results."""
    scenario = await make_scenario()
    liner = FakeLiner(scenario.dataset, faults=mixed_faults())
    draw = Random(SEED)
    questions = [draw.choice(scenario.requests) for _ in range(calls)]
    verdicts: Counter[str] = Counter()
    wrong: list[str] = []
    await _warm(scenario)
    resident = [_resident_mb()]
    saved = Saved()
    started = time.perf_counter()
    for first in range(0, calls, REFRESH):
        batch = iter(questions[first : first + REFRESH])
        server = server_for(liner, transport=in_process(liner), observer=saved, deadline_seconds=DEADLINE_SECONDS)
        async with Client(server, raise_exceptions=True) as client, anyio.create_task_group() as group:
            for _ in range(AT_ONCE):
                group.start_soon(_asker, client, batch, verdicts, wrong)
        resident.append(_resident_mb())
    seconds = time.perf_counter() - started
    faulty = _faulty(liner)
    for reason in wrong[:20]:
        print("WRONG:", reason)
    return {
        "calls": calls,
        "at_once": AT_ONCE,
        "seed": SEED,
        "right": verdicts["right"],
        "partial": verdicts["partial"],
        "sentence": verdicts["sentence"],
        "wrong": verdicts["wrong"],
        "hangs": verdicts["hangs"],
        "liner_requests": len(liner.requests),
        "faulty_requests": faulty,
        "retries": saved.retries,
        "saved_by_single_flight": saved.deduplicated,
        "saved_by_cache": saved.cache_hits,
        "seconds": round(seconds, 1),
        "memory_warm_mb": round(resident[0], 1),
        "memory_end_mb": round(resident[-1], 1),
        "memory_grown_mb": round(resident[-1] - resident[0], 1),
    }


async def _asker(client: Client, batch: Iterator[Request], verdicts: Counter[str], wrong: list[str]) -> None:
    for question in batch:
        try:
            verdict = check_outcome(await send(client, question.request), question.check_for(0))
        except WrongAnswer as error:
            verdict = "wrong"
            wrong.append(f"{question.name}: {error}"[:300])
        except TimeoutError:
            verdict = "hangs"
        verdicts[verdict] += 1


async def _warm(scenario: Scenario) -> None:
    """Ask several questions at once under every fault, so that memory has reached its peak before the measurement."""
    for what in FAULTS.values():
        liner = FakeLiner(scenario.dataset, faults=[Fault(what)])
        server = client_for(liner, transport=in_process(liner), deadline_seconds=1)
        async with server as client, anyio.create_task_group() as group:
            for question in scenario.requests[:AT_ONCE]:
                group.start_soon(send, client, question.request)


def _faulty(liner: FakeLiner) -> int:
    """The number of requests with a fault. Each kind draws by the number of the request only."""
    faults = list(liner.faults)
    return sum(any(occurs(fault.frequency, n) for fault in faults) for n in range(1, len(liner.requests) + 1))


def _resident_mb() -> float:
    """Resident memory of this process (Linux) after free memory is returned; glibc may hold one large body."""
    gc.collect()
    with suppress(AttributeError, OSError):
        CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def figures(found: dict[str, Any]) -> list[Figure]:
    """What has a limit."""
    return [
        Figure("wrong answers while a tenth of Liner's is faulty", found["wrong"], 0, note=f"of {found['calls']:,}"),
        Figure("questions that hang meanwhile", found["hangs"], 0),
        Figure("growth of memory meanwhile", found["memory_grown_mb"], 10, "MB"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=CALLS, help=f"questions, instead of {CALLS:,}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    asked = parser.parse_args()
    found = anyio.run(run, asked.calls)
    limited = figures(found)
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:<{width}}  {value:,}")
    if asked.json:
        document = {**found, "figures": [asdict(figure) for figure in limited]}
        asked.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    sys.exit(not all(figure.holds for figure in limited))


if __name__ == "__main__":
    main()
