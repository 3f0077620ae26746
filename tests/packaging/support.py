"""Programs that install or start the server, in an environment without anything of this machine's user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult

ROOT = Path(__file__).parent.parent.parent
# uv is in the extra `dev`; its folder comes first, because another uv may be older.
UV = shutil.which("uv", path=sysconfig.get_path("scripts")) or shutil.which("uv")
NETWORK_ERRORS = ("error sending request", "Failed to fetch", "dns error", "name resolution")


def environment(home: Path, **variables: str) -> dict[str, str]:
    """What a new user has: an empty home, the system's programs and uv, and this machine's way to the network."""
    assert UV is not None
    kept = {name: value for name, value in os.environ.items() if name.lower().endswith(("_proxy", "_file", "_dir"))}
    return {
        **{name: value for name, value in kept.items() if not name.startswith(("LINER_", "UV_", "PIP_", "XDG_"))},
        "HOME": str(home),
        "PATH": f"{home / '.local' / 'bin'}:{Path(UV).parent}:/usr/local/bin:/usr/bin:/bin",
        # The interpreter of the tests, because another one would be downloaded.
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
        **variables,
    }


def run(*command: str | Path, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end in a new user's environment."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=home,
        env=environment(home, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def require(done: subprocess.CompletedProcess[str]) -> str:
    """The output of a program that succeeded. Without a package registry the test is skipped."""
    if done.returncode and any(error in done.stderr for error in NETWORK_ERRORS):
        pytest.skip("no package registry can be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def lists_and_answer(command: str, arguments: list[str], variables: dict[str, str]) -> dict[str, Any]:
    """Start a server as a host does and use it: its tools, its prompts, and one answer or the error in its place."""
    server = StdioServerParameters(command=command, args=arguments, env=variables)
    async with Client(server, read_timeout_seconds=120) as client:
        result = await client.call_tool("find_calls", {"since": "yesterday", "limit": 1})
        assert isinstance(result, CallToolResult)
        return {
            "tools": [tool.name for tool in (await client.list_tools()).tools],
            "prompts": [prompt.name for prompt in (await client.list_prompts()).prompts],
            "answer": result.structured_content or str(result.content),
        }


def surface_names(kind: str) -> list[str]:
    snapshot = ROOT / "tests" / "snapshots" / "surface.json"
    return [one["name"] for one in json.loads(snapshot.read_text(encoding="utf-8"))[kind]]
