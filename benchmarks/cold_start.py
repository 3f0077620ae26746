"""The time from process start to the first answered `tools/list`, beside a bare SDK server in the same run."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.contestants import GENERATED
from benchmarks.figures import Figure, timed

RUNS = 9
BARE = '''
from mcp.server import MCPServer
mcp = MCPServer("bare", version="0.1.0", log_level="WARNING")
@mcp.tool(structured_output=False)
async def check() -> str:
    """Say ok."""
    return "ok"
mcp.run("stdio")
'''
FASTMCP = """
import httpx2
from fastmcp import FastMCP
from benchmarks.liner_openapi import LINER
FastMCP.from_openapi(LINER, httpx2.AsyncClient(base_url="http://127.0.0.1")).run(show_banner=False)
"""
META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
LIST_TOOLS = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}).encode() + b"\n"


class Start(NamedTuple):
    seconds: float
    megabytes: float
    """Resident memory after the list is answered (Linux)."""


def _start(command: list[str]) -> Start:
    started = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(LIST_TOOLS)
        process.stdin.flush()
        line = process.stdout.readline()
        seconds = time.perf_counter() - started
        assert b'"tools"' in line
        pages = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1])
        process.stdin.close()
    return Start(seconds, pages * 4096 / 1e6)


def figures() -> list[Figure]:
    commands = [[sys.executable, "-m", "liner_mcp", "serve", "--demo"], [sys.executable, "-c", BARE]]
    if GENERATED.takes_part:
        commands.append([sys.executable, "-c", FASTMCP])
    for command in commands:
        _start(command)  # the first start of each reads the files into memory
    rounds = [[_start(command) for command in commands] for _ in range(RUNS)]
    ours, bare = [one[0] for one in rounds], [one[1] for one in rounds]
    medians = [statistics.median(one.seconds for one in starts) for starts in zip(*rounds, strict=True)]
    found = [
        timed(
            "start to first tools/list to a bare server",
            [us.seconds / it.seconds for us, it in zip(ours, bare, strict=True)],
            1.25,
            "",
            f"{medians[0]:.3f} s to {medians[1]:.3f} s",
        ),
        _beside("memory after the first tools/list", [s.megabytes for s in ours], [s.megabytes for s in bare], "MB"),
    ]
    if GENERATED.takes_part:
        theirs = [one[2] for one in rounds]
        found.append(
            timed(
                "the same start of FastMCP to a bare server",
                [them.seconds / it.seconds for them, it in zip(theirs, bare, strict=True)],
                None,
                "",
                f"{medians[2]:.3f} s to {medians[1]:.3f} s",
            )
        )
    return found


def _beside(what: str, ours: list[float], bare: list[float], unit: str) -> Figure:
    median = statistics.median(ours)
    return Figure(what, median, None, unit, bare=statistics.median(bare), spread=(min(ours), max(ours)))
