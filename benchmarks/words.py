"""How well `mentions` finds words: recall and precision over forms written down by hand, and its time per summary."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.figures import RUNS, Figure, timed
from benchmarks.sizes import texts_of
from liner_mcp.demo import Dataset
from liner_mcp.search.matching import CompiledQuery, compile_query, match_steps
from liner_mcp.search.words import stem
from liner_mcp.text.masking_steps import completed
from tests.conftest import NOW
from tests.search.absence import without_pymorphy3
from tests.search.lexemes import LEXEMES

RECALL, PRECISION = 0.97, 0.90  # at least, with the dictionary
SUMMARIES = 1_000
QUERY = 'ипотека | ипотечный "первый взнос" -перезвонить'


def exact_figures() -> list[Figure]:
    """Percent of what is missed and of what is wrong, because a figure is better the lower it is."""
    with without_pymorphy3():
        alone = quality()
    whole = quality()
    forms = f"{len(LEXEMES)} words, {sum(map(len, LEXEMES.values()))} forms"
    missed, wrong = "mentions: forms that are missed", "mentions: found forms of another word"
    return [
        Figure(missed, 100 * (1 - whole.recall), 100 * (1 - RECALL), "%", forms, exact=True),
        Figure(wrong, 100 * (1 - whole.precision), 100 * (1 - PRECISION), "%", exact=True),
        Figure(f"{missed}, without pymorphy3", 100 * (1 - alone.recall), unit="%", exact=True),
        Figure(f"{wrong}, without pymorphy3", 100 * (1 - alone.precision), unit="%", exact=True),
    ]


def figures() -> list[Figure]:
    """The time of one summary."""
    return [timed("mentions: one Russian summary of 20 to 90 words", microseconds_per_summary(), unit="µs")]


@dataclass(frozen=True, slots=True)
class Quality:
    """Shares of pairs of a query word and a word of a text."""

    recall: float
    precision: float


def quality() -> Quality:
    """Each form of each lexeme as a query, and every form of all lexemes as a text."""
    texts = [(lexeme, form) for lexeme, forms in LEXEMES.items() for form in forms]
    wanted = found = right = 0
    for forms in LEXEMES.values():
        for query in forms:
            stems = compile_query(query).stems
            hits = [(of, form) for of, form in texts if stem(form) in stems]
            own = {form for _, form in hits} & forms  # a form of two lexemes, such as `дорога`, is right for both
            wanted, right = wanted + len(forms), right + len(own)
            found += len({form for _, form in hits})
    return Quality(right / wanted, right / found)


def microseconds_per_summary() -> Sequence[float]:
    """The time of matching one ordinary Russian summary whose words were seen before."""
    texts = texts_of(Dataset.generate(now=NOW), russian=True)[:SUMMARIES]
    query = compile_query(QUERY)
    _match(query, texts)
    return [_match(query, texts) for _ in range(RUNS)]


def _match(query: CompiledQuery, texts: Sequence[str]) -> float:
    start = time.perf_counter()
    for text in texts:
        completed(match_steps(query, text))
    return (time.perf_counter() - start) / len(texts) * 1e6
