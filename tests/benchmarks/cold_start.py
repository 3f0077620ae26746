"""From starting the process to the first answered `tools/list`, beside a bare SDK server in the same run."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from typing import Any

from tests.benchmarks.figures import Figure

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
META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
LIST_TOOLS = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}).encode() + b"\n"


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(LIST_TOOLS)
        process.stdin.flush()
        line = process.stdout.readline()
        seconds = time.perf_counter() - started
        assert b'"tools"' in line
        process.stdin.close()
    return seconds


def figures() -> list[Figure]:
    bare, ours = [sys.executable, "-c", BARE], [sys.executable, "-m", "liner_mcp", "serve", "--demo"]
    for command in (bare, ours):
        _seconds(command)  # the first of each reads the files into memory
    pairs = [(_seconds(bare), _seconds(ours)) for _ in range(RUNS)]
    ratio = statistics.median(b / a for a, b in pairs)
    medians = [statistics.median(times) for times in zip(*pairs, strict=True)]
    note = f"{medians[1]:.3f} s to {medians[0]:.3f} s, median of {RUNS} pairs"
    return [Figure("start to first tools/list to a bare server", ratio, 1.15, note=note)]
