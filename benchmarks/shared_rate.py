"""Two replicas under load share one rate over Redis: python -m benchmarks.shared_rate

The fake Liner counts the requests of both. In no span of time may it get more than the rate and its burst, and in a
minute it must get 95 % of what the rate allows. Otherwise the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.processes import ours
from liner_mcp.demo import Dataset
from liner_mcp.demo.app import Scope, Send
from tests.fakes import FakeLiner
from tests.http_server.support import call
from tests.liner.test_pace import REDIS, redis_at
from tests.support.asgi_server import serve_app
from tests.support.compose_processes import free_port

PER_SECOND = 20
BURST = 2 * PER_SECOND
SECONDS = 60.0
CALLERS = 8  # more than the rate serves, in each replica
AT_LEAST = 0.95
IN_FLIGHT = 8  # requests of both replicas that may arrive later than they were allowed, and so closer together


class _CountingLiner(FakeLiner):
    """It notes when each request arrives."""

    def __init__(self) -> None:
        super().__init__(Dataset.generate(days=5, calls=4_000), latency=0.02)
        self.arrivals: list[float] = []

    async def serve(self, scope: Scope, send: Send) -> None:
        self.arrivals.append(time.monotonic())
        await super().serve(scope, send)


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--seconds", type=float, default=SECONDS, help=f"instead of {SECONDS:g}")
    options.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    asked = options.parse_args()
    if REDIS is None:
        print("redis-server is not on this machine (Debian and Ubuntu: apt-get install redis-server)", file=sys.stderr)
        sys.exit(2)
    arrivals = _arrivals(asked.seconds)
    got = len([moment for moment in arrivals if moment - arrivals[0] <= asked.seconds])
    allowed = BURST + PER_SECOND * asked.seconds
    above = _most_above(arrivals)
    print(f"{got} requests in {asked.seconds:g} s, {got / allowed:.1%} of the {allowed:g} of rate and burst")
    print(f"at most {above:.1f} more than allowed in any span, {IN_FLIGHT} of them may be on their way")
    if asked.json:
        figures = {"requests": got, "allowed": allowed, "seconds": asked.seconds, "most_above": above}
        asked.json.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    sys.exit(got < AT_LEAST * allowed or above > IN_FLIGHT)


def _arrivals(seconds: float) -> Sequence[float]:
    liner, port = _CountingLiner(), free_port()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        stack.enter_context(redis_at(port, folder))
        settings: dict[str, Any] = {
            "LINER_API_HOST": stack.enter_context(serve_app(liner, lifespan="off")),
            "LINER_API_TOKEN": "demo",
            "LINER_REQUESTS_PER_SECOND": str(PER_SECOND),
            "LINER_PACE_URL": f"redis://127.0.0.1:{port}/0",
            "LINER_REPLICAS": "2",
        }
        urls = [stack.enter_context(ours(**settings)).url for _ in range(2)]
        ends = time.monotonic() + seconds + 5
        ids = list(liner.dataset.calls)
        with ThreadPoolExecutor(2 * CALLERS) as pool:
            for done in [pool.submit(_press, url, ids, ends) for url in urls * CALLERS]:
                done.result()
    return liner.arrivals


def _press(url: str, ids: list[int], ends: float) -> None:
    """Ask for the recordings of one call after the other until the time is over. No two questions share a request."""
    with httpx.Client(timeout=60) as client:
        while time.monotonic() < ends:
            client.post(url, **call("list_call_records", call_id=ids.pop())).raise_for_status()


def _most_above(arrivals: Sequence[float]) -> float:
    """The most requests above rate and burst that arrived in any span."""
    most = start = float("-inf")
    for position, moment in enumerate(arrivals):
        # From request i to request j there are j - i + 1, and BURST + PER_SECOND * (t_j - t_i) are allowed.
        start = max(start, PER_SECOND * moment - position)
        most = max(most, position + 1 - PER_SECOND * moment + start - BURST)
    return most


if __name__ == "__main__":
    main()
