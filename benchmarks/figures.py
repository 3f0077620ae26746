"""A figure: a measured value, its limit, and the value of the bare SDK in the same run."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

RUNS = 7
"""Runs per timed figure: enough for a median that one slow run does not change."""


@dataclass(frozen=True, slots=True)
class Figure:
    """`bar` is the highest allowed `value`, or the lowest with `at_least`; None if there is no limit.

    `note` says what was measured. `exact` figures, such as tokens and requests, are the same on every machine. `spread`
    is the lowest and the highest value of several runs. `bare` is the value of the bare SDK.
    """

    what: str
    value: float
    bar: float | None = None
    unit: str = ""
    note: str = ""
    bare: float | None = None
    spread: tuple[float, float] | None = None
    exact: bool = False
    at_least: bool = False

    @property
    def holds(self) -> bool:
        return holds(self.value, self.bar, at_least=self.at_least)

    @property
    def shown(self) -> str:
        limit = "at least" if self.at_least else "bar"
        bar = "" if self.bar is None else f"   {limit} {self.bar:g}{'' if self.holds else '   MISSED'}"
        bare = "" if self.bare is None else f"   bare SDK {number(self.bare)}"
        spread = "" if self.spread is None else f"   {number(self.spread[0])} to {number(self.spread[1])}"
        note = f"   ({self.note})" if self.note else ""
        return f"{number(self.value):>8} {self.unit:<6}{bar}{bare}{spread}{note}"


def holds(value: float, bar: float | None, *, at_least: bool) -> bool:
    """Whether a value is within its limit."""
    return bar is None or (value >= bar if at_least else value <= bar)


def number(value: float) -> str:
    """Three significant digits, or a whole number."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 and value != int(value) else f"{value:.3g}"


def timed(what: str, runs: Sequence[float], bar: float | None = None, unit: str = "", note: str = "") -> Figure:
    """The median of several runs, with their spread."""
    return Figure(what, statistics.median(runs), bar, unit, note, spread=(min(runs), max(runs)))
