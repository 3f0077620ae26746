"""Print every figure the project is held to, beside its bar. Needs the `dev` extra; takes about two minutes.

Times are medians of several runs on this machine, and everything timed is compared with a bare SDK server in the same
run, so that a slow machine does not look like a slow server.
"""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version

import anyio

from tests.benchmarks import calls, cold_start, figures, many_calls, sizes, soak


async def _measured() -> list[figures.Figure]:
    return [*await many_calls.figures(), *await sizes.figures(), *await calls.figures(), *await soak.figures()]


def main() -> None:
    print(f"Python {platform.python_version()}, mcp {version('mcp')}, {platform.machine()}\n")
    found = [*anyio.run(_measured), *cold_start.figures()]
    width = max(len(figure.what) for figure in found)
    for figure in found:
        print(f"{figure.what:<{width}}  {figure.shown}")
    sys.exit(any(not figure.holds for figure in found))


if __name__ == "__main__":
    main()
