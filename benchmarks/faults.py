"""The fault matrix in numbers: every question under every fault, and whether each answer is true.

`python -m benchmarks.faults --json FILE` is a process of its own, because it runs in virtual time: deadlines expire
without waiting.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import anyio
import pytest
import stamina

from benchmarks.figures import Figure
from liner_mcp.liner import throttle
from tests.fault_matrix.cases import CASES, Case
from tests.fault_matrix.scenario import make_scenario
from tests.fault_matrix.test_fault_matrix import verdicts
from tests.support.virtual_time import VirtualTimeLoop, run_threads_inline

Counts = dict[str, int]
"""How many answers are right, partial, a sentence, wrong, or hang."""


def figures(cases: Mapping[str, Counts]) -> list[Figure]:
    """Nothing may be wrong or hang, and no fewer answers may be right than before."""
    answers = sum(sum(counts.values()) for counts in cases.values())
    totals = Counter[str]()
    for counts in cases.values():
        totals.update(counts)
    note = f"of {answers:,}"
    return [
        Figure("wrong answers under a fault", totals["wrong"], 0, note=note, exact=True),
        Figure("answers under a fault that never come", totals["hangs"], 0, note=note, exact=True),
        Figure("right answers under a fault", totals["right"], note=note, exact=True, at_least=True),
    ]


async def measured(cases: Sequence[Case]) -> dict[str, Counts]:
    """Ask every question under each case. It needs virtual time."""
    scenario = await make_scenario()
    return {case.name: counted(await verdicts(case, scenario, "auto")) for case in cases}


def counted(found: Mapping[str, str]) -> Counts:
    """The verdicts of one case, by kind."""
    kinds = ("wrong" if v.startswith("WRONG") else "hangs" if v == "HANGS" else v for v in found.values())
    return dict(Counter(kinds))


def virtual_time_counts(cases: Sequence[Case]) -> dict[str, Counts]:
    """The counts of some cases. Retries happen, but the waits between them do not."""
    with pytest.MonkeyPatch.context() as patch, stamina.set_testing(True, attempts=4, cap=True):
        run_threads_inline(patch)
        patch.setattr(throttle, "INITIAL_BACKOFF_SECONDS", 0.0)
        options = {"loop_factory": VirtualTimeLoop}
        return anyio.run(measured, cases, backend_options=options)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts of each case there")
    asked = parser.parse_args()
    cases = virtual_time_counts(CASES)
    limited = figures(cases)
    for figure in limited:
        print(f"{figure.what}  {figure.shown}")
    if asked.json:
        document = {"cases": cases, "figures": [asdict(figure) for figure in limited]}
        asked.json.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    sys.exit(not all(figure.holds for figure in limited))


if __name__ == "__main__":
    main()
