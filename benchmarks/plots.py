"""Bar charts of the thirty questions as SVG, written from the results.

They have no background, and colours that can be read on white and on GitHub's dark page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from benchmarks.contestants import OWN
from benchmarks.figures import number
from benchmarks.results import Results
from benchmarks.sums import questions_with_times, requests, seconds_of, tokens_read

FOLDER = Path(__file__).parents[1] / "docs" / "images"
OURS, OTHERS, TEXT = "#2f81c7", "#8b7d6b", "#6f7a86"
"""Contrast of at least 4 to both white and #0d1117."""
WIDTH, LABEL, VALUE, BAR, GAP, HEAD = 720, 150, 90, 22, 10, 34


class Chart(NamedTuple):
    """One bar per name."""

    title: str
    values: Sequence[tuple[str, float]]
    unit: str


def tokens_and_requests(results: Results) -> list[Chart]:
    """The sums of every contestant that took part."""
    present = [one for one in results["questions"]["contestants"] if one["outcomes"]]
    count = len(results["questions"]["questions"])
    return [
        Chart(
            f"{count} questions: tokens that a model reads", [(one["name"], tokens_read(one)) for one in present], ""
        ),
        Chart(f"{count} questions: requests to Liner", [(one["name"], requests(one)) for one in present], ""),
    ]


def seconds(results: Results) -> list[Chart]:
    """The times of every contestant that was timed."""
    names: Mapping[str, object] = results["times"]["seconds"]
    values = [(name, seconds_of(results, name)) for name in names]
    count = len(questions_with_times(results))
    return [Chart(f"{count} questions: seconds in tool calls", values, " s")]


PLOTS: Mapping[str, Callable[[Results], list[Chart]]] = {
    "benchmark-tokens.svg": tokens_and_requests,
    "benchmark-seconds.svg": seconds,
}


def refresh(results: Results) -> None:
    """Write every plot."""
    for name, charts in PLOTS.items():
        (FOLDER / name).write_text(svg(charts(results)), encoding="utf-8")


def svg(charts: Sequence[Chart]) -> str:
    """The charts below each other, each with bars from zero."""
    parts: list[str] = []
    top = 0
    for chart in charts:
        parts.append(f'<text x="0" y="{top + 20}" font-weight="600">{escape(chart.title)}</text>')
        top += HEAD
        most = max(value for _, value in chart.values) or 1
        for name, value in chart.values:
            parts.append(_bar(name, value, chart.unit, value / most, top))
            top += BAR + GAP
        top += GAP
    described = "; ".join(f"{chart.title}: {_listed(chart)}" for chart in charts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="14" fill="{TEXT}">\n'
        f"<title>{escape(described)}</title>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _listed(chart: Chart) -> str:
    return ", ".join(f"{name} {number(value)}{chart.unit}" for name, value in chart.values)


def _bar(name: str, value: float, unit: str, share: float, top: int) -> str:
    width = max(1, math.ceil((WIDTH - LABEL - VALUE) * share))
    middle = top + BAR / 2 + 5
    colour = OURS if name in OWN else OTHERS
    return (
        f'<text x="{LABEL - 10}" y="{middle:g}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{LABEL}" y="{top}" width="{width}" height="{BAR}" rx="2" fill="{colour}"/>'
        f'<text x="{LABEL + width + 8}" y="{middle:g}">{number(value)}{unit}</text>'
    )
