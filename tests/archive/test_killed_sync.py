"""A sync that is killed at any moment leaves a sound archive, and the next one makes it equal to a fresh one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

from liner_mcp.archive.verify import verify
from liner_mcp.demo import Dataset
from liner_mcp.demo.app import Scope, Send
from tests.fakes import FakeLiner
from tests.support.asgi_server import serve_app
from tests.support.sync import content_of, opened

KILLS = 32
SYNC = [sys.executable, "-m", "liner_mcp", "sync", "--since", "-14d", "--json"]


class _KillingLiner(FakeLiner):
    """Kills a process at the nth request from now."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset)
        self.process: subprocess.Popen[bytes] | None = None
        self.left = 0

    async def serve(self, scope: Scope, send: Send) -> None:
        self.left -= 1
        if self.left == 0 and self.process is not None:
            self.process.send_signal(signal.SIGKILL)
        await super().serve(scope, send)


def start(archive: Path, origin: str, *options: str) -> subprocess.Popen[bytes]:
    settings = {"LINER_API_HOST": origin, "LINER_API_TOKEN": "demo", "LINER_REQUESTS_PER_SECOND": "0"}
    return subprocess.Popen(
        [*SYNC, *options],
        env={**os.environ, **settings, "LINER_ARCHIVE": str(archive), "LINER_TIMEZONE": "Europe/Moscow"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_sync_that_is_killed_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    liner = _KillingLiner(Dataset.generate(days=12, calls=240))
    random = Random(7)  # noqa: S311 - chance, not a secret
    path = tmp_path / "calls.db"
    killed = 0
    with serve_app(liner, lifespan="off") as origin:
        for number in range(KILLS):
            # Every third one reads final days again, so that there is always something to replace.
            liner.left = random.randint(1, 40)
            with start(path, origin, *(["--again"] if number % 3 == 0 else [])) as process:
                liner.process = process
                killed += process.wait(60) == -signal.SIGKILL
            if path.exists():
                with opened(path, origin) as connection:
                    assert verify(connection) == []
        liner.process = None
        for archive in (path, tmp_path / "fresh.db"):
            with start(archive, origin) as process:
                assert process.wait(60) == 0
        assert killed >= 30
        assert content_of(path, origin) == content_of(tmp_path / "fresh.db", origin)
