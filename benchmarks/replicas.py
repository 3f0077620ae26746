"""A thousand calls through nginx to two replicas, one of which stops half-way: python -m benchmarks.replicas

nginx has the settings of docs/nginx.conf. A caller retries once after a broken connection or an answer of 502 to 504.
If that fails too, the call is lost, and one lost call makes the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import anyio

from benchmarks.load import LEGACY, MODERN, Caller, call, connect, succeeded
from benchmarks.processes import Running, ours
from tests.support.nginx import MISSING, NGINX, run_nginx

CALLS = 1_000
CALLERS = 8
ASK_AGAIN = (502, 503, 504)
ENDS = {"killed": signal.SIGKILL, "stopped": signal.SIGTERM}

HEAD = "era         replica        answered  asked again  lost  p50 ms  p99 ms  max ms"


@dataclass(slots=True)
class Run:
    """The result of one run; `seconds` are those of answered calls, including the retry."""

    era: str
    replica: str
    asked_again: int = 0
    lost: int = 0
    seconds: list[float] = field(default_factory=list[float])


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--calls", type=int, default=CALLS, help=f"instead of {CALLS}")
    options.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    asked = options.parse_args()
    if NGINX is None:
        print(MISSING, file=sys.stderr)
        sys.exit(2)
    print(f"{asked.calls} calls of list_call_records, {CALLERS} callers; at half of them one of two replicas is …\n")
    print(HEAD)
    runs: list[Run] = []
    for era in (MODERN, LEGACY):
        for how in ENDS:
            run = Run(era, how)
            with ExitStack() as stack:
                replicas = [stack.enter_context(ours("--demo")) for _ in range(2)]
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                origins = [replica.url.removesuffix("/mcp") for replica in replicas]
                url = stack.enter_context(run_nginx(folder, origins, requests=("100000r/s", "10000"))) + "/mcp"
                anyio.run(_open_response, run, url, replicas[0], asked.calls)
            runs.append(run)
            print(_shown(run), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(run) for run in runs]) + "\n", encoding="utf-8")
    sys.exit(any(run.lost for run in runs))


async def _open_response(run: Run, url: str, replica: Running, calls: int) -> None:
    request = call(url, "list_call_records", {"call_id": 7000102}, era=run.era)
    left = list(range(calls))

    async def work() -> None:
        connection: Caller | None = None
        while left:
            if left.pop() == calls // 2:
                os.kill(replica.pid, ENDS[run.replica])
            started = time.perf_counter()
            for again in (False, True):
                run.asked_again += again
                try:
                    connection = connection or await connect(url)
                    status, body = await connection.ask(request)
                except ConnectionError:
                    connection = None
                    continue
                if status not in ASK_AGAIN:
                    if succeeded(status, body):
                        run.seconds.append(time.perf_counter() - started)
                        break
                    raise RuntimeError(f"{status}: {body[:300]!r}")
            else:
                run.lost += 1
        if connection is not None:
            connection.close()

    async with anyio.create_task_group() as group:
        for _ in range(CALLERS):
            group.start_soon(work)


def _shown(run: Run) -> str:
    times = "".join(f"{_percentile(run.seconds, share) * 1_000:>8.1f}" for share in (0.5, 0.99, 1))
    return f"{run.era:<12}{run.replica:<14}{len(run.seconds):>9}{run.asked_again:>13}{run.lost:>6}{times}"


def _percentile(seconds: Sequence[float], share: float) -> float:
    return sorted(seconds)[max(0, math.ceil(len(seconds) * share) - 1)]


if __name__ == "__main__":
    main()
