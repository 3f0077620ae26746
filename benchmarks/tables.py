"""Writes the tables of the documents from the results."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import highlights
from benchmarks.figures import holds, number
from benchmarks.results import Document, Results
from benchmarks.sums import definition_tokens, questions_with_times, right, seconds_of, tokens_read
from tests.fault_matrix.cases import HEALTHY, INTERMITTENT, PERMANENT, UNDOCUMENTED_VARIANTS

ROOT = Path(__file__).parents[1]
DOCUMENTS = (ROOT / "docs" / "benchmarks.md", ROOT / "README.md")
_BLOCK = re.compile(r"(<!-- benchmarks: (\w+) -->\n).*?(<!-- /benchmarks -->)", re.DOTALL)


def refresh(results: Results) -> None:
    """Write every marked table of every document."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        document.write_text(with_tables(text, results), encoding="utf-8")


def with_tables(text: str, results: Results) -> str:
    """The text with a new table between its markers."""
    return _BLOCK.sub(lambda found: f"{found[1]}\n{table(found[2], results)}\n{found[3]}", text)


def table(name: str, results: Results) -> str:
    """One table. A part without results is named."""
    missing = [part for part in NEEDS.get(name, (name,)) if part not in results]
    if missing:
        return f"Not measured yet: `python -m benchmarks --only {','.join(missing)}`.\n"
    return TABLES[name](results)


def everything(results: Results) -> str:
    return "\n".join(f"{name}\n\n{table(name, results)}" for name in TABLES)


def totals(results: Results) -> str:
    """The sums of the thirty questions, a column per contestant."""
    asked, times = results["questions"], results.get("times")
    names = [contestant["name"] for contestant in asked["contestants"]]
    present = {contestant["name"]: contestant for contestant in asked["contestants"] if contestant["outcomes"]}

    def row(what: str, cell: Callable[[Document], str]) -> list[str]:
        return [what, *(cell(present[name]) if name in present else "not installed" for name in names)]

    def total(key: str) -> Callable[[Document], str]:
        return lambda contestant: number(sum(one[key] for one in contestant["outcomes"].values()))

    rows = [
        row(f"right answers, of {len(asked['questions'])}", lambda one: str(right(one))),
        row("tool calls", total("calls")),
        row("tokens read, definitions and instructions counted once", lambda one: number(tokens_read(one))),
        row("of these, definitions and instructions", lambda one: number(definition_tokens(one))),
        row("tokens written, as arguments", total("written")),
        row("requests to Liner", total("requests")),
    ]
    if times:
        timed = questions_with_times(results)
        what = "seconds in tool calls"
        if len(timed) < len(asked["questions"]):  # only questions that have times of all contestants
            what += f", of the {len(timed)} questions that were timed"
        rows.append(row(what, lambda one: _seconds(total) if (total := seconds_of(results, one["name"])) else "–"))
    return _table(["", *names], rows) + _made(asked) + (_made(times, "Seconds") if times else "")


def questions(results: Results) -> str:
    """Each question, a column per contestant: tool calls, tokens read, requests to Liner, seconds."""
    contestants: list[Document] = results["questions"]["contestants"]
    rows = [
        [str(place), text, *(_outcome(contestant, question, results.get("times")) for contestant in contestants)]
        for place, (question, text) in enumerate(results["questions"]["questions"].items(), 1)
    ]
    return _table(["", "Question", *(contestant["name"] for contestant in contestants)], rows)


def _figures(part: str) -> Callable[[Results], str]:
    def render(results: Results) -> str:
        return _figure_table(results[part]["figures"]) + _made(results[part])

    return render


def _figure_table(figures: Sequence[Mapping[str, Any]]) -> str:
    """Every figure with its limit and the figure of the bare SDK."""
    rows: list[list[str]] = []
    for figure in figures:
        bare = "" if figure["bare"] is None else number(figure["bare"])
        spread = " to ".join(map(number, figure["spread"])) if figure["spread"] else ""
        what = f"{figure['what']} ({figure['note']})" if figure["note"] else figure["what"]
        rows.append([what, _value(figure), _limit(figure), bare, spread])
    heads = ["", "measured", "limit", "bare SDK", "spread"]
    used = [place for place, _ in enumerate(heads) if place == 0 or any(row[place] for row in rows)]
    return _table([heads[place] for place in used], [[row[place] for place in used] for row in rows])


def _value(figure: Mapping[str, Any] | None) -> str:
    """The value with its unit, and whether it is beyond its limit."""
    if figure is None:
        return ""
    missed = "" if holds(figure["value"], figure["bar"], at_least=figure["at_least"]) else ", **missed**"
    return f"{number(figure['value'])} {figure['unit']}".rstrip() + missed


def _limit(figure: Mapping[str, Any]) -> str:
    if figure["bar"] is None:
        return ""
    return f"{'≥' if figure['at_least'] else '≤'} {figure['bar']:,g}"


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
    return _table(["Tool, rows", *heads], rows) + _made(results["prices"])


def archive(results: Results) -> str:
    """The figures of the archive, a column per engine."""
    engines: Mapping[str, Document] = results["archive"]["engines"]
    by_name: dict[str, dict[str, Mapping[str, Any]]] = {
        name: {figure["what"]: figure for figure in of.get("figures", ())} for name, of in engines.items()
    }
    any_engine = {what: figure for figures in by_name.values() for what, figure in figures.items()}
    rows = [
        [what, *(_value(of.get(what)) for of in by_name.values()), _limit(figure)]
        for what, figure in any_engine.items()
    ]
    heads = [f"{name}, {of['records']:,} summaries" if "records" in of else name for name, of in engines.items()]
    notes = [f"{name}: {of['skipped']}\n" for name, of in engines.items() if "skipped" in of]
    made = [_made(of, name) for name, of in engines.items() if "skipped" not in of]
    return _table(["", *heads, "limit"], rows) + "".join(f"\n{note}" for note in notes) + "".join(made)


def http(results: Results) -> str:
    """The calls per second over HTTP, and the memory of connections."""
    found = results["http"]
    rows = [
        [
            str(row["workers"]),
            str(row["clients"]),
            row["what"],
            number(row["per_second"]),
            *(f"{row[time]:.1f}" for time in ("p50", "p95", "p99")),
            f"{row['cpu']:.2f}",
            f"{row['to_bare']:.2f}",
        ]
        for row in found["calls"]
    ]
    heads = ["processes", "clients", "what", "calls per second", "p50 ms", "p95 ms", "p99 ms", "CPU ms", "to bare SDK"]
    memory = [
        [
            str(one["workers"]),
            one["what"],
            *(f"{one[what]:.1f}" for what in ("started", "connected", "after_a_thousand")),
        ]
        for one in found["memory_megabytes"]
    ]
    memory_heads = ["processes", "what", "MB when started", "MB more with 100 clients", "MB more after 1,000 calls"]
    limits = _figure_table(found["figures"])
    return f"{_table(heads, rows)}\n{_table(memory_heads, memory)}\n{limits}" + _made(found)


def masking(results: Results) -> str:
    """How many texts of each kind are masked or changed, and the totals."""
    rows: list[list[str]] = []
    for one in results["masking"]["kinds"]:
        masked, changed = f"{one['texts'] - one['wrong']:,}", ""
        if one["kind"].startswith("ordinary"):
            masked, changed = "", f"{one['wrong']:,}"
        rows.append([one["kind"], f"{one['texts']:,}", masked, changed])
    return (
        _table(["kind of text", "texts", "masked", "changed"], rows)
        + f"\n{_figure_table(results['masking']['figures'])}"
        + _made(results["masking"])
    )


def faults(results: Results) -> str:
    """The verdicts of the fault matrix, by group of cases."""
    cases: Mapping[str, Mapping[str, int]] = results["faults"]["cases"]
    named = {
        "a healthy Liner": [HEALTHY.name],
        "each answer of Liner is faulty": [case.name for case in PERMANENT],
        "each third answer is faulty": [case.name for case in INTERMITTENT],
        "other readings of Liner's documentation": [case.name for case in UNDOCUMENTED_VARIANTS],
    }
    others = set(cases) - {name for names in named.values() for name in names}
    groups = {**named, "fields, windows and pages that differ from the documentation": others, "all": cases}
    kinds = ("right", "partial", "sentence", "wrong", "hangs")
    rows: list[list[str]] = []
    for group, names in groups.items():
        counts = [sum(cases[name].get(kind, 0) for name in names) for kind in kinds]
        rows.append([group, str(len(names)), *(f"{count:,}" for count in (sum(counts), *counts))])
    heads = ["Liner", "cases", "answers", "right", "partial and says so", "one sentence", "wrong", "hanging"]
    return _table(heads, rows) + _made(results["faults"])


SOAK = {
    "calls": "questions",
    "at_once": "at once",
    "right": "right answers",
    "partial": "partial and says so",
    "sentence": "one sentence",
    "wrong": "wrong",
    "hangs": "hanging",
    "lost": "lost: the second try failed too",
    "asked_again": "sent a second time by the caller",
    "in_front": "in front of the replicas",
    "liner_requests": "requests to Liner",
    "faulty_requests": "of them faulty",
    "retries": "requests that were retries",
    "saved_by_single_flight": "requests saved by single-flight: the same was in flight",
    "saved_by_cache": "requests saved by the cache of details",
    "seconds": "seconds",
    "p50_ms": "half of the answers within, ms",
    "p99_ms": "99 % of the answers within, ms",
    "longest_ms": "the slowest answer, ms",
    "memory_warm_mb": "memory when warm, MB",
    "memory_end_mb": "memory at the end, MB",
    "memory_grown_mb": "growth, MB",
}


def _soak(part: str) -> Callable[[Results], str]:
    def render(results: Results) -> str:
        found = results[part]
        rows = [
            [label, f"{found[key]:,}" if isinstance(found[key], int | float) else found[key]]
            for key, label in SOAK.items()
            if key in found
        ]
        return _table(["Soak", ""], rows) + _made(found)

    return render


def readme(results: Results) -> str:
    return _table(["", ""], [[what, value] for what, value, _ in highlights.chosen(results)])


TABLES: dict[str, Callable[[Results], str]] = {
    "totals": totals,
    "questions": questions,
    "figures": _figures("figures"),
    "micro": _figures("micro"),
    "prices": prices,
    "http": http,
    "archive": archive,
    "masking": masking,
    "faults": faults,
    "soak": _soak("soak"),
    "replicas": _soak("replicas"),
    "readme": readme,
}
NEEDS: Mapping[str, Sequence[str]] = {"totals": ("questions",), "readme": highlights.PARTS}
"""The parts that a table shows, where the name is not that of the part."""


def _outcome(contestant: Document, question: str, times: Document | None) -> str:
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


def _made(document: Document, what: str = "Measured") -> str:
    """The date, the machine and the versions of a measurement, as a line below a table."""
    made = document["made"]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    count = document.get("runs")
    runs = "" if count is None else ", one run" if count == 1 else f", medians of {count} runs"
    return f"\n{what}: {made['date']}, Python {made['python']}, {made['machine']}, {versions}{runs}.\n"


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
