"""Our server and the bare one as processes, and the memory of a process and its workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 20  # seconds; an answer takes less


@dataclass(frozen=True, slots=True)
class Running:
    """A running server: its URL and its process."""

    url: str
    pid: int

    @property
    def memory(self) -> float:
        """Megabytes of the process and its children; shared memory counts once. Linux only."""
        return sum(_proportional(pid) for pid in _family(self.pid))

    @property
    def cpu_seconds(self) -> float:
        """The CPU time of the process and its children."""
        fields = (_stat(pid) for pid in _family(self.pid))
        return sum(int(user) + int(system) for user, system in fields) / os.sysconf("SC_CLK_TCK")


@contextmanager
def ours(*options: str, workers: int = 1, settings: Mapping[str, str] | None = None) -> Generator[Running]:
    """`liner-mcp serve --http`, without rate limits unless the settings have them."""
    command = ["liner_mcp", "serve", "--http", "127.0.0.1:0", "--workers", str(workers), *options]
    free = {"LINER_MCP_REQUESTS_PER_MINUTE": "0", "LINER_REQUESTS_PER_SECOND": "0"}
    with _started(command, {**free, **(settings or {})}, subprocess.PIPE, None) as process:
        assert process.stderr
        # Warnings about the settings may come before the address.
        words = (word for line in process.stderr for word in line.split())
        yield Running(next(word for word in words if word.startswith("http://")), process.pid)


@contextmanager
def bare(*, workers: int = 1) -> Generator[Running]:
    with _started(["benchmarks.bare_process", str(workers)], {}, None, subprocess.PIPE) as process:
        assert process.stdout
        yield Running(process.stdout.readline().strip(), process.pid)


@contextmanager
def _started(
    command: list[str], settings: dict[str, str], stderr: int | None, stdout: int | None
) -> Generator[subprocess.Popen[str]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINER_")}
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        # Its output is not read, and a full pipe would block it.
        env={**environment, "LINER_MCP_LOG": "off", **settings},
        stderr=stderr,
        stdout=stdout,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def _family(pid: int) -> list[int]:
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text(encoding="ascii").split()
    ]
    return [pid, *(one for child in children for one in _family(child))]


def _stat(pid: int) -> list[str]:
    """The clock ticks in user and kernel mode, see proc(5)."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]


def _proportional(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    assert found
    return int(found[1]) / 1024
