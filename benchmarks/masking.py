"""How many phones, cards and e-mail addresses of the masking corpus are masked, and how many numbers are changed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from benchmarks.figures import Figure
from tests.text.masking_rates import IN_WORDS, ORDINARY, Rate, measured_rates

RECALL = 97
"""Percent of the spellings that have to be masked."""
FALSE_POSITIVES = 1
"""Percent of the ordinary numbers that may be changed."""


def results() -> dict[str, Any]:
    """The number of texts and of wrong ones for each kind of text, and the totals."""
    rates = measured_rates()
    # Phones in words are a documented limit, not a spelling that the masks look for.
    spelled = [rate for kind, rate in rates.items() if not kind.startswith(ORDINARY) and kind != IN_WORDS]
    ordinary = [rate for kind, rate in rates.items() if kind.startswith(ORDINARY)]
    (texts, wrong), (numbers, changed) = _sums(spelled), _sums(ordinary)
    figures = [
        Figure(
            "phones, cards and e-mail addresses that are masked",
            100 * (texts - wrong) / texts,
            RECALL,
            "%",
            f"{texts - wrong} of {texts}",
            exact=True,
            at_least=True,
        ),
        Figure(
            "ordinary numbers that are changed",
            100 * changed / numbers,
            FALSE_POSITIVES,
            "%",
            f"{changed} of {numbers}",
            exact=True,
        ),
    ]
    kinds = [{"kind": kind, "texts": rate.texts, "wrong": len(rate.wrong)} for kind, rate in rates.items()]
    return {"kinds": kinds, "figures": [asdict(figure) for figure in figures]}


def _sums(rates: list[Rate]) -> tuple[int, int]:
    return sum(rate.texts for rate in rates), sum(len(rate.wrong) for rate in rates)
