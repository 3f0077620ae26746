"""The demo Liner in its own process, so that its work is not measured as ours.

python -m benchmarks.liner_process DAYS CALLS LATENCY
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import uvicorn

from liner_mcp.demo import Dataset
from tests.conftest import NOW
from tests.fakes import FakeLiner


@contextmanager
def liner_process(*, days: int, calls: int, latency: float) -> Generator[str]:
    """Run it and give its address."""
    command = [sys.executable, "-m", "benchmarks.liner_process", str(days), str(calls), str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


class _Announcing(uvicorn.Server):
    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        print(self.servers[0].sockets[0].getsockname()[1], flush=True)


def main(days: int, calls: int, latency: float) -> None:
    liner = FakeLiner(Dataset.generate(now=NOW, days=days, calls=calls), latency=latency)
    _Announcing(uvicorn.Config(liner, host="127.0.0.1", port=0, log_level="error", ws="none")).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
