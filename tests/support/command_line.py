"""The command line as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys


def run_within(
    seconds: float, /, *arguments: str, stdin: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `settings` are variables of its environment."""
    return subprocess.run(
        [sys.executable, "-m", "liner_mcp", *arguments],
        # A wide terminal, so that each entry is one line.
        env={**os.environ, "PYTHONUTF8": "1", "COLUMNS": "9999", **settings},
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=seconds,
        check=False,
    )
