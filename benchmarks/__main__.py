"""Measure this server against the alternatives and against its own limits.

    python -m benchmarks            measure everything and print it; several minutes
    python -m benchmarks --exact    only figures that are the same on every machine; seconds
    ... --write                     save the figures and update the tables in docs/benchmarks.md
    ... --check                     exit with 1 if a figure is above its limit or worse than the saved one

It needs the extra `dev`; with the extra `bench`, FastMCP is measured too. Times are shown beside those of a bare SDK
server in the same run, so that a slow machine does not look like a slow server. The soak test under faults is another
command: `python -m benchmarks.soak`.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

import anyio

from benchmarks import gates, results, tables


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--exact", action="store_true", help="leave out what is timed")
    parser.add_argument("--write", action="store_true", help="keep the figures and refresh the documents' tables")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a gate is passed")
    options = parser.parse_args()
    old = results.committed()
    new = anyio.run(partial(results.measured, old, timing=not options.exact))
    print(tables.everything(new))
    passed = gates.passed(new, old)
    for sentence in passed:
        print(f"PASSED A GATE: {sentence}")
    if options.write:
        results.write(new)
        tables.refresh(new)
    sys.exit(bool(options.check and passed))


if __name__ == "__main__":
    main()
