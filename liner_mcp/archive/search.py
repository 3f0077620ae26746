"""Queries of `mentions` as expressions that a database searches for. Pure.

The index of words holds stems, so an expression holds stems too. Every word of a query stands for the stems of all its
forms.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from liner_mcp.search.matching import CompiledQuery

MOST_PHRASES = 64  # a phrase of three words with four stems each; more make an expression that costs more than it saves

StemPhrase = tuple[frozenset[str], ...]
"""Words that stand one after the other, each with its possible stems."""
Expression = tuple[tuple[StemPhrase, ...], ...]
"""Groups that a text has all of; of each group, it has one of the phrases."""


def wanted_expression(query: CompiledQuery) -> Expression | None:
    """An expression that finds the texts with all that is wanted; None when any text will do."""
    return query.wanted or None


def unwanted_expression(query: CompiledQuery) -> Expression | None:
    """An expression that finds the texts with something unwanted; None when nothing is unwanted."""
    return (query.unwanted,) if query.unwanted else None


def is_exact(query: CompiledQuery) -> bool:
    """Whether the expressions find exactly what the query means. Otherwise `wanted_expression` finds more."""
    phrases = [*(phrase for group in query.wanted for phrase in group), *query.unwanted]
    return not any(map(is_long, phrases))


def has_numbers(query: CompiledQuery) -> bool:
    """Whether a number is looked for. The index has numbers only as far as masks show them."""
    return any(one.isdigit() for one in query.stems)


def is_long(phrase: StemPhrase) -> bool:
    """Whether a phrase is looked for by its words in any order, which finds more than the phrase."""
    number = 1
    for stems in phrase:
        number *= len(stems)
    return len(phrase) > 1 and number > MOST_PHRASES


def spellings(phrase: StemPhrase) -> list[tuple[str, ...]]:
    """Every sequence of stems that a phrase stands for."""
    return list(product(*map(sorted, phrase)))


def unspaced(stem: str) -> str:
    """A stem as it stands in the index, between spaces. A few characters are compatible with a space and a letter."""
    return stem.replace(" ", "\N{NO-BREAK SPACE}")


def fts5_expression(expression: Expression) -> str:
    """The same for SQLite's full-text search."""
    return " AND ".join(f"({_either(group)})" for group in expression)


def _either(phrases: Iterable[StemPhrase]) -> str:
    return " OR ".join(map(_phrase, phrases))


def _phrase(phrase: StemPhrase) -> str:
    if is_long(phrase):
        return f"({' AND '.join(f'({_phrase((stems,))})' for stems in phrase)})"
    return " OR ".join(f'"{" ".join(words)}"' for words in spellings(phrase))
