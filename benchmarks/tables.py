"""Writes the tables of the documents from the results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import number

ROOT = Path(__file__).parents[1]
ARCHIVE_FILE = Path(__file__).parent / "archive.json"
DOCUMENTS = (ROOT / "docs" / "benchmarks.md",)
_BLOCK = re.compile(r"(<!-- benchmarks: (\w+) -->\n).*?(<!-- /benchmarks -->)", re.DOTALL)

Results = dict[str, Any]


def refresh(results: Results) -> None:
    """Write every marked table of every document."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        document.write_text(with_tables(text, results), encoding="utf-8")


def with_tables(text: str, results: Results) -> str:
    """The text with a new table between its markers."""
    return _BLOCK.sub(lambda found: f"{found[1]}\n{TABLES[found[2]](results)}\n{found[3]}", text)


def everything(results: Results) -> str:
    return "\n".join(table(results) for table in TABLES.values())


def totals(results: Results) -> str:
    """The sums of the thirty questions, a column per contestant."""
    names = [contestant["name"] for contestant in results["contestants"]]
    present = {contestant["name"]: contestant for contestant in results["contestants"] if contestant["outcomes"]}

    def row(what: str, cell: Callable[[Results], str]) -> list[str]:
        return [what, *(cell(present[name]) if name in present else "not installed" for name in names)]

    def total(key: str) -> Callable[[Results], str]:
        return lambda contestant: number(sum(one[key] for one in contestant["outcomes"].values()))

    def shown(contestant: Results) -> int:
        return contestant["definitions"]["tools"] + contestant["definitions"]["instructions"]

    def read(contestant: Results) -> str:
        return number(shown(contestant) + sum(one["read"] for one in contestant["outcomes"].values()))

    rows = [
        row(f"right answers, of {len(results['questions'])}", lambda one: str(_right(one))),
        row("tool calls", total("calls")),
        row("tokens read, definitions and instructions counted once", read),
        row("of these, definitions and instructions", lambda one: number(shown(one))),
        row("tokens written, as arguments", total("written")),
        row("requests to Liner", total("requests")),
    ]
    if results["times"]:
        seconds: dict[str, dict[str, list[float]]] = results["times"]["seconds"]
        common = set(results["questions"]).intersection(*(seconds.get(name, {}) for name in present))
        what = "seconds in tool calls"
        if len(common) < len(results["questions"]):  # only questions that have times of all contestants
            what += f", of the {len(common)} questions that were timed"
        rows.append(row(what, lambda one: _seconds(sum(seconds[one["name"]][name][0] for name in common))))
    return _table(["", *names], rows)


def questions(results: Results) -> str:
    """Each question, a column per contestant: tool calls, tokens read, requests to Liner, seconds."""
    names = [contestant["name"] for contestant in results["contestants"]]
    rows: list[list[str]] = []
    for place, (question, text) in enumerate(results["questions"].items(), 1):
        cells = [_outcome(contestant, question, results["times"]) for contestant in results["contestants"]]
        rows.append([str(place), text, *cells])
    return _table(["", "Question", *names], rows)


def figures(results: Results) -> str:
    """Every other figure with its limit and the figure of the bare SDK."""
    rows: list[list[str]] = []
    for figure in [*results["figures"], *(results["timed_figures"] or ())]:
        unit = f" {figure['unit']}" if figure["unit"] else ""
        bar = "" if figure["bar"] is None else f"{figure['bar']:,g}"
        bare = "" if figure["bare"] is None else number(figure["bare"])
        spread = " to ".join(map(number, figure["spread"])) if figure["spread"] else ""
        what = f"{figure['what']} ({figure['note']})" if figure["note"] else figure["what"]
        rows.append([what, number(figure["value"]) + unit, bar, bare, spread])
    return _table(["", "measured", "at most", "bare SDK", "spread"], rows)


def prices(results: Results) -> str:
    """The tokens of each tool, a column per number of rows and language; in brackets those of the bare SDK."""
    listed = results["prices"]["list"]
    languages = list(dict.fromkeys(price["language"] for price in listed))
    sizes: Sequence[int] = results["prices"]["rows"]
    rows: list[list[str]] = []
    for tool in dict.fromkeys(price["tool"] for price in listed):
        cells: list[str] = [_code(tool)]
        for language in languages:
            (price,) = [price for price in listed if (price["tool"], price["language"]) == (tool, language)]
            cells += [
                f"{price['tokens'][place]:,} ({price['bare'][place]:,})" if place < len(price["tokens"]) else "–"
                for place in range(len(sizes))
            ]
        rows.append(cells)
    heads = [f"{language}, {size}" for language in languages for size in sizes]
    return _table(["Tool, rows", *heads], rows)


def made(results: Results) -> str:
    """The date, the versions and the machine of the measurement."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    text = f"Tokens, calls and requests: {results['date']}, with {versions}."
    times = results["times"]
    if times:
        where = f"Python {times['python']}, {times['machine']}"
        text += f" Seconds: {times['date']}, {where}, medians of {times['runs']} runs."
    absent = [contestant["name"] for contestant in results["contestants"] if contestant["outcomes"] is None]
    if absent:
        text += f" Left out, because the extra `bench` was not installed: {', '.join(absent)}."
    return text + "\n"


def archive(_: Results) -> str:
    """The figures of `python -m benchmarks.archive`, which are saved apart."""
    found = json.loads(ARCHIVE_FILE.read_text(encoding="utf-8"))
    rows = [
        [
            line["what"],
            f"{number(line['value'])} {line['unit']}",
            "" if line["bar"] is None else f"{number(line['bar'])} {line['unit']}",
        ]
        for line in found["lines"]
    ]
    return _table(["what", "figure", "limit"], rows) + f"\n{found['machine']}.\n"


TABLES: dict[str, Callable[[Results], str]] = {
    "totals": totals,
    "questions": questions,
    "figures": figures,
    "prices": prices,
    "made": made,
    "archive": archive,
}


def _right(contestant: Results) -> int:
    return sum(not outcome["failed"] for outcome in contestant["outcomes"].values())


def _outcome(contestant: Results, question: str, times: Results | None) -> str:
    if contestant["outcomes"] is None:
        return "not installed"
    outcome = contestant["outcomes"][question]
    parts = [
        _count(outcome["calls"], "call"),
        f"{outcome['read']:,} tokens",
        _count(outcome["requests"], "request"),
    ]
    timed = times["seconds"].get(contestant["name"], {}).get(question) if times else None
    if timed:  # otherwise the question or the contestant is newer than the times
        parts.append(f"{_seconds(timed[0])} s")
    failed = f"**{outcome['failed']}** after " if outcome["failed"] else ""
    return failed + ", ".join(parts)


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds >= 1 else f"{seconds:.2f}"


def _code(tool: str) -> str:
    name, comma, rest = tool.partition(", ")
    return f"`{name}`{comma}{rest}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
