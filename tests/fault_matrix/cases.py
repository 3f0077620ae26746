"""The faults that the matrix runs through, and what an answer may be under each.

A case is one way for Liner to be, for all questions. The table of `docs/reliability.md` has a row for each name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from liner_mcp.demo import Dataset
from tests.fakes import FAULTS, Every, FakeLiner, Fault
from tests.fakes.faults import Grows, Latency, ListFault, Shrinks, Slow
from tests.fault_matrix.deviations import DEVIATIONS, DeviatingLiner, Deviation

Outcome = Literal["right", "a sentence", "right or told"]
"""What all answers under a fault are. `right or told`: each is right, or partial and says so, or a sentence."""

SOMETIMES = Every(3)
SHORT_DEADLINE_SECONDS = 0.15  # the deadline where each question lasts until it
DEADLINE_SECONDS = 20.0
# Not the orders: whoever lacks three of six orders lacks half of everything, and rightly so.
_CHANGING = r"^/v2/(call|user)"
_HARMLESS = {
    "a late answer",
    "a slow body",
    "a total too small",
    "no total",
    "an ignored limit",
}
_LONGER_THAN_DEADLINE = {"429, wait some seconds", "429, wait until a date", "503, wait some seconds"}
_INTERMITTENT = {
    "no answer at all",
    "429, wait an hour",
    "500",
    "200 with a login page",
    "404 with a web page",
    "200 with a refusal",
    "JSON with NaN",
    "a gzip bomb in a gzip bomb",
    "a redirect to another host",
    "a reset connection",
}
OPTIONS: dict[str, dict[str, str]] = {
    **{f"last page: next is {kind}": {"last_page": kind} for kind in ("absent", "zero", "repeated", "past_end")},
    "records without summaries in lists": {"record_list": "short"},
    "dictionaries under plural paths": {"dictionary_paths": "plural"},
    "dictionaries under both paths": {"dictionary_paths": "both"},
}
"""Not faults, but what Liner's documentation leaves open."""


@dataclass(frozen=True, slots=True)
class Case:
    """`slack`: how many rows a list itself gains or loses while it is read. `deviation` takes the place of faults."""

    name: str
    outcome: Outcome
    faults: tuple[Fault, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    deadline: float = DEADLINE_SECONDS
    slack: int = 0
    deviation: Deviation | None = None

    def liner(self, dataset: Dataset) -> FakeLiner:
        if self.deviation is not None:
            return DeviatingLiner(dataset, self.deviation)
        options: dict[str, Any] = dict(self.options)
        return FakeLiner(dataset, faults=self.faults, **options)


def _case(name: str, *, intermittent: bool = False) -> Case:
    what = FAULTS[name]
    changes = isinstance(what, Grows | Shrinks)
    endless = what in (Latency(float("inf")), Slow(0.002, ends=False))
    outcome: Outcome = "right" if name in _HARMLESS else "a sentence"
    if intermittent or (isinstance(what, ListFault) and name not in _HARMLESS):
        outcome = "right or told"
    return Case(
        f"{name}, sometimes" if intermittent else name,
        outcome,
        (Fault(what, _CHANGING if changes else "", SOMETIMES if intermittent else Every()),),
        deadline=SHORT_DEADLINE_SECONDS if endless or name in _LONGER_THAN_DEADLINE else DEADLINE_SECONDS,
        slack=what.rows if isinstance(what, Grows | Shrinks) else 0,
    )


HEALTHY = Case("nothing wrong", "right")
PERMANENT = [_case(name) for name in FAULTS]
INTERMITTENT = [
    _case(name, intermittent=True)
    for name, what in FAULTS.items()
    if isinstance(what, ListFault) or name in _INTERMITTENT
]
UNDOCUMENTED_VARIANTS = [
    *(Case(name, "right", options=options) for name, options in OPTIONS.items()),
    Case(
        "an ignored callId, records without summaries",
        "right or told",
        (Fault(FAULTS["an ignored callId"]),),
        OPTIONS["records without summaries in lists"],
    ),
]
DEVIATING = {
    kind: [Case(one.name, "right" if one.right else "right or told", deviation=one) for one in deviations]
    for kind, deviations in DEVIATIONS.items()
}
CASES = [
    HEALTHY,
    *PERMANENT,
    *INTERMITTENT,
    *UNDOCUMENTED_VARIANTS,
    *(one for some in DEVIATING.values() for one in some),
]
