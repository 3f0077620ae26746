"""A figure: what was measured, and the bar it is held to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`bar` is the most that `value` may be; None where a figure is only told. `note` says what it was made of."""

    what: str
    value: float
    bar: float | None = None
    unit: str = ""
    note: str = ""

    @property
    def holds(self) -> bool:
        return self.bar is None or self.value <= self.bar

    @property
    def shown(self) -> str:
        value = f"{self.value:.3g}" if self.value < 100 else f"{self.value:,.0f}"
        bar = "" if self.bar is None else f"   bar {self.bar:g}{'' if self.holds else '   MISSED'}"
        note = f"   ({self.note})" if self.note else ""
        return f"{value:>8} {self.unit:<6}{bar}{note}"
