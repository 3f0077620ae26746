"""Measure this server against the alternatives and against its own limits.

    python -m benchmarks                    measure everything and print the tables; about half an hour
    python -m benchmarks --exact            only figures that are the same on every machine; two minutes
    python -m benchmarks --only soak,http   only these parts
    ... --write                             store the results, and refresh the tables and the plots of the documents
    ... --check                             exit with 1 if a figure is beyond its limit or worse than the stored one
    ... --tables                            measure nothing: refresh the documents from the stored results

Each part has its own results, with the date, the machine and the versions of its run; parts that are not measured keep
theirs. It needs the extra `dev`; with the extra `bench`, FastMCP is measured too. nginx and PostgreSQL are used where
they are installed. Times are shown beside those of a bare SDK server in the same run, because machines differ.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import anyio

from benchmarks import archive, gates, plots, results, tables
from benchmarks.parts import PARTS, Options, Part


def main() -> None:
    asked = _arguments()
    old = results.stored()
    new: results.Results = {}
    options = Options(asked.quick, asked.records, asked.engine or archive.ENGINES, asked.folder)
    for part in _chosen(asked):
        started = time.perf_counter()
        print(f"{part.name}: {part.what} …", file=sys.stderr, flush=True)
        new[part.name] = results.merged(old.get(part.name, {}), anyio.run(part.measure, options))
        if asked.write:  # now, because a later part may fail
            results.write({part.name: new[part.name]})
        print(f"{part.name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    if "questions" in new and "times" in old and "times" not in new:
        new["times"] = results.without_outdated_times(old["times"], old.get("questions", {}), new["questions"])
    print(tables.everything(old | new))
    passed = gates.passed(new, old)
    for sentence in passed:
        print(f"PASSED A GATE: {sentence}")
    if asked.write or asked.tables:
        results.write(new)
        tables.refresh(results.stored())
        plots.refresh(results.stored())
    sys.exit(bool(asked.check and passed))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--exact", action="store_true", help="leave out what is timed")
    parser.add_argument("--only", type=_names, default=(), metavar="PARTS", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--write", action="store_true", help="store the results and refresh the documents")
    parser.add_argument("--tables", action="store_true", help="measure nothing, only refresh the documents")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a gate is passed")
    parser.add_argument("--quick", action="store_true", help="fewer runs, to see that all works; no figures to keep")
    parser.add_argument("--records", type=int, default=archive.RECORDS, help="summaries in the archive")
    parser.add_argument("--engine", action="append", choices=archive.ENGINES, help="only this engine of the archive")
    parser.add_argument("--folder", type=Path, help="keep the built archives there, and use those that are there")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(PARTS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: the parts are {', '.join(PARTS)}")
    return names


def _chosen(asked: argparse.Namespace) -> list[Part]:
    if asked.tables:
        return []
    return [
        part
        for part in PARTS.values()
        if (not asked.only or part.name in asked.only) and (part.exact or not asked.exact)
    ]


if __name__ == "__main__":
    main()
