"""Queries of `mentions` as expressions of SQLite's full-text search. Pure.

The index holds stems, so an expression holds stems too. Every word of a query stands for the stems of all its forms.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from liner_mcp.search.matching import CompiledQuery

MOST_PHRASES = 64  # a phrase of three words with four stems each; more make an expression that costs more than it saves

_StemPhrase = tuple[frozenset[str], ...]


def wanted_expression(query: CompiledQuery) -> str | None:
    """An expression that finds the texts with all that is wanted; None when any text will do."""
    return " AND ".join(f"({_either(group)})" for group in query.wanted) or None


def unwanted_expression(query: CompiledQuery) -> str | None:
    """An expression that finds the texts with something unwanted; None when nothing is unwanted."""
    return _either(query.unwanted) if query.unwanted else None


def is_exact(query: CompiledQuery) -> bool:
    """Whether the expressions find exactly what the query means. Otherwise `wanted_expression` finds more."""
    phrases = [*(phrase for group in query.wanted for phrase in group), *query.unwanted]
    return all(_combinations(phrase) <= MOST_PHRASES for phrase in phrases)


def has_numbers(query: CompiledQuery) -> bool:
    """Whether a number is looked for. The index has numbers only as far as masks show them."""
    return any(one.isdigit() for one in query.stems)


def _either(phrases: Iterable[_StemPhrase]) -> str:
    return " OR ".join(map(_phrase, phrases))


def _combinations(phrase: _StemPhrase) -> int:
    number = 1
    for stems in phrase:
        number *= len(stems)
    return number


def _phrase(phrase: _StemPhrase) -> str:
    if len(phrase) > 1 and _combinations(phrase) > MOST_PHRASES:
        return f"({' AND '.join(f'({_phrase((stems,))})' for stems in phrase)})"  # in any order: more than the phrase
    return " OR ".join(f'"{" ".join(words)}"' for words in product(*map(sorted, phrase)))
