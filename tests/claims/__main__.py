"""Asks many random questions under every bend, and prints the false claims with the smallest question that shows each.

.venv/bin/python -m tests.claims --questions 600 --seed 1
.venv/bin/python -m tests.claims --questions 50 --bend "no total" --bend "pages of 20" --pairs
.venv/bin/python -m tests.claims --list
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections import Counter
from collections.abc import Sequence

import anyio

from tests.claims.asking import Verdict, ask_alone, session, smallest
from tests.claims.bends import BENDS, Bend, combined
from tests.claims.changes import claims_dataset
from tests.claims.questions import Question, Questions

WHY, REASONS, ANSWERED = 200, 4, 500  # characters of a reason, reasons, characters of an answer in a report
COLUMNS = ("right", "partial", "refused", "FALSE")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.claims", description=__doc__)
    parser.add_argument("--questions", type=int, default=40, help="under each bend")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bend", action="append", help="one of --list; repeatable; all by default")
    parser.add_argument("--tool", help="questions of this tool only")
    parser.add_argument("--pairs", action="store_true", help="the chosen bends two at a time")
    parser.add_argument("--list", action="store_true", help="print the names of the bends")
    return parser.parse_args()


async def _run(bends: Sequence[Bend], questions: Sequence[Question]) -> int:
    lines = [f"{'bend':<52}{'asked':>7}" + "".join(f"{name:>9}" for name in COLUMNS) + f"{'seconds':>9}"]
    wrong = 0
    for bend in bends:
        started = time.perf_counter()
        verdicts = await _verdicts(bend, questions)
        tally = Counter(one.name for one in verdicts)
        wrong += tally["FALSE"]
        spent = time.perf_counter() - started
        figures = "".join(f"{tally[name]:>9}" for name in COLUMNS)
        lines.append(f"{bend.name:<52}{len(verdicts):>7}{figures}{spent:>9.1f}")
        print(lines[-1], file=sys.stderr, flush=True)
        for report in await _reports(bend, verdicts):
            print(report, flush=True)
    print("\n".join(lines))
    return wrong


async def _verdicts(bend: Bend, questions: Sequence[Question]) -> list[Verdict]:
    """The verdict on each question; where the data changes, each is asked of a new server, which has read nothing."""
    if bend.moment != "start":
        return [await ask_alone(question, bend) for question in questions]
    async with session(bend) as asking:
        return [await asking.ask(question) for question in questions]


async def _reports(bend: Bend, verdicts: Sequence[Verdict]) -> list[str]:
    """For each tool the smallest questions that show all kinds of falsehoods between them."""
    reports: list[str] = []
    for tool in dict.fromkeys(one.question.tool for one in verdicts):
        wrong = [one for one in verdicts if one.question.tool == tool and one.falsehoods]
        kinds = Counter(kind for one in wrong for kind in {falsehood.kind for falsehood in one.falsehoods})
        if wrong:
            told = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
            reports.append(f"[{bend.name}] {tool}: {len(wrong)} of {len(verdicts)} ({told})")
        while kinds:
            kind = kinds.most_common(1)[0][0]
            showing = [one for one in wrong if any(falsehood.kind == kind for falsehood in one.falsehoods)]
            shortest = min(showing, key=lambda one: len(str(one.question)))
            best = await smallest(shortest.question, bend, {kind})
            reports.append(_report(best if best.falsehoods else shortest, alone=bool(best.falsehoods)))
            for shown in {kind, *(falsehood.kind for falsehood in best.falsehoods)}:
                kinds.pop(shown, None)
    return reports


def _report(verdict: Verdict, *, alone: bool) -> str:
    reasons = {one.kind: one.why for one in reversed(verdict.falsehoods)}
    false = "\n".join(f"    {kind}: {why[:WHY]}" for kind, why in list(reasons.items())[:REASONS])
    asked = "" if alone else " (only after other questions)"
    return f"  asked: {verdict.question}{asked}\n{false}\n    answered: {verdict.answers.brief()[:ANSWERED]}"


def main() -> int:
    chosen = _arguments()
    if chosen.list:
        print("\n".join(BENDS))
        return 0
    bends = [BENDS[name] for name in chosen.bend or BENDS]
    if chosen.pairs:
        bends = [combined(one, other) for one, other in itertools.combinations(bends, 2)]
    drawn = Questions(claims_dataset(), chosen.seed)
    questions: list[Question] = []
    while len(questions) < chosen.questions:
        question = drawn.draw()
        if chosen.tool in (None, question.tool):
            questions.append(question)
    return 1 if anyio.run(_run, bends, questions) else 0


if __name__ == "__main__":
    sys.exit(main())
