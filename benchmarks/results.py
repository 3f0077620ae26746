"""The committed figures in one JSON file: the source of the tables in the documents, and the base of comparisons.

Figures that are the same on every machine (tokens, tool calls, requests, correctness) are measured in seconds. Times
take minutes and a quiet machine; the old ones stay until they are measured again.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import calls, cold_start, many_calls, memory, prices, race, sizes, words
from benchmarks.contestants import CONTESTANTS, Contestant
from benchmarks.figures import Figure
from benchmarks.questions import QUESTIONS
from benchmarks.reading import WINDOW
from liner_mcp.demo import Dataset
from tests.conftest import NOW

FILE = Path(__file__).with_name("results.json")
TIMED = 3  # runs of all questions for the times; each takes about a minute

Results = dict[str, Any]
Outcomes = dict[str, dict[str, Any]]


def committed() -> Results:
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def write(results: Results) -> None:
    FILE.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


async def measured(old: Results, *, timing: bool) -> Results:
    """New results. Without `timing`, the times of `old` stay, with their date and machine."""
    # Times first, while this process holds no large dataset.
    timed = {"times": await _times(), "timed_figures": await _timed_figures()} if timing else {}
    new = {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {name: version(name) for name in _packages()},
        "questions": {question.name: question.text for question in QUESTIONS},
        "window": WINDOW,
        "latency_seconds": race.LATENCY,
        "contestants": [await contestant_results(contestant) for contestant in CONTESTANTS],
        "figures": [asdict(figure) for figure in await exact_figures()],
        "prices": {"rows": prices.ROWS, "list": [asdict(price) for price in await prices.prices()]},
    }
    return new | (timed or {"times": still_true(old, new), "timed_figures": old.get("timed_figures")})


async def exact_figures() -> list[Figure]:
    """The figures that are the same on every machine."""
    return [*await sizes.figures(), *await many_calls.exact_figures(), *words.exact_figures()]


def still_true(old: Results, new: Results) -> Results | None:
    """The times of `old`, except for questions whose tool calls or requests have changed."""
    times: Results | None = old.get("times")
    if not times:
        return times
    was, now = _costs(old), _costs(new)
    kept = {
        name: {
            question: seconds
            for question, seconds in of.items()
            if was.get((name, question)) == now.get((name, question))
        }
        for name, of in times["seconds"].items()
    }
    return times | {"seconds": kept}


def _costs(results: Results) -> dict[tuple[str, str], tuple[int, int]]:
    """Tool calls and requests per question of each contestant."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for one in results["contestants"]:
        outcomes: Outcomes = one["outcomes"] or {}
        found |= {(one["name"], name): (outcome["calls"], outcome["requests"]) for name, outcome in outcomes.items()}
    return found


async def contestant_results(contestant: Contestant, dataset: Dataset | None = None) -> Results:
    """One contestant's definitions and outcomes; `outcomes` is None if it is not installed."""
    result: Results = {"name": contestant.name, "what": contestant.what, "definitions": None, "outcomes": None}
    if contestant.takes_part:
        dataset = Dataset.generate(now=NOW) if dataset is None else dataset
        result["definitions"] = asdict(await race.definitions(contestant, dataset))
        result["outcomes"] = {name: _timeless(one) for name, one in (await race.run(contestant, dataset)).items()}
    return result


def _timeless(outcome: race.Outcome) -> dict[str, Any]:
    fields = asdict(outcome)
    del fields["seconds"]
    return fields


async def _times() -> Results:
    """Per contestant and question: median, lowest and highest seconds in tool calls."""
    dataset = Dataset.generate(now=NOW)
    present = [contestant for contestant in CONTESTANTS if contestant.takes_part]
    runs: dict[str, list[dict[str, race.Outcome]]] = {contestant.name: [] for contestant in present}
    for _ in range(TIMED):
        for contestant in present:
            runs[contestant.name].append(await race.run(contestant, dataset, timing=True))
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "runs": TIMED,
        "seconds": {
            name: {question.name: _spread([run[question.name].seconds for run in of]) for question in QUESTIONS}
            for name, of in runs.items()
        },
    }


def _spread(seconds: Sequence[float]) -> list[float]:
    return [round(one, 3) for one in (statistics.median(seconds), min(seconds), max(seconds))]


async def _timed_figures() -> list[Results]:
    found = [
        *words.figures(),
        *cold_start.figures(),
        *memory.figures(),
        *await many_calls.figures(),
        *await calls.figures(),
    ]
    return [asdict(figure) for figure in found]


def _packages() -> list[str]:
    needed = [contestant.needs for contestant in CONTESTANTS if contestant.needs and contestant.takes_part]
    return ["liner-mcp", "mcp", "httpx", "pydantic", *needed]
