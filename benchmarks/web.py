"""The time of a request over HTTP, with one process and with two: `python -m benchmarks.web`.

For a single caller, several workers must not be slower than one. An inherited socket without TCP_NODELAY costs 40 ms
per request on the standard event loop.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx

from benchmarks.figures import Figure

REQUESTS = 300
WARM = 50
CALLERS = 8
HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28"}
META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
CALL: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "list_call_records", "arguments": {"call_id": 7000102}, "_meta": META},
}


@contextmanager
def _served(workers: int) -> Generator[str]:
    command = [sys.executable, "-m", "liner_mcp", "serve", "--demo", "--http", "127.0.0.1:0", "--workers", str(workers)]
    free = {"LINER_MCP_REQUESTS_PER_MINUTE": "0", "LINER_REQUESTS_PER_SECOND": "0"}
    with subprocess.Popen(
        command, env={**os.environ, **free, "LINER_MCP_LOG": "off"}, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        try:
            words = (word for line in process.stderr for word in line.split())
            yield next(word for word in words if word.startswith("http://"))
        finally:
            process.terminate()


def _ask(client: httpx.Client, url: str) -> float:
    started = time.perf_counter()
    answer = client.post(
        url, json=CALL, headers={**HEADERS, "mcp-method": "tools/call", "mcp-name": "list_call_records"}
    )
    assert answer.status_code == 200, answer.text
    return time.perf_counter() - started


def _alone(url: str) -> float:
    """Milliseconds per request, one after the other on one connection."""
    with httpx.Client(timeout=30) as client:
        times = [_ask(client, url) for _ in range(WARM + REQUESTS)][WARM:]
    return statistics.median(times) * 1_000


def _together(url: str) -> float:
    """Requests per second of several callers, each with its own connection."""

    def work(_: int) -> None:
        with httpx.Client(timeout=30) as client:
            for _ in range(REQUESTS // CALLERS):
                _ask(client, url)

    started = time.perf_counter()
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(work, range(CALLERS)))
    return REQUESTS // CALLERS * CALLERS / (time.perf_counter() - started)


def figures() -> list[Figure]:
    alone: dict[int, float] = {}
    together: dict[int, float] = {}
    for workers in (1, 2):
        with _served(workers) as url:
            alone[workers], together[workers] = _alone(url), _together(url)
    note = f"{alone[1]:.1f} ms and {alone[2]:.1f} ms, list_call_records with the demo, median of {REQUESTS}"
    shares = " and ".join(f"{together[workers]:.0f}/s" for workers in (1, 2))
    return [
        Figure("a request to two workers to one to a single process", alone[2] / alone[1], 1.5, note=note),
        Figure(
            "throughput of two workers to one process", together[2] / together[1], note=f"{shares}, {CALLERS} callers"
        ),
    ]


if __name__ == "__main__":
    for figure in figures():
        print(f"{figure.what}  {figure.shown}")
