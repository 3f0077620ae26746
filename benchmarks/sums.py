"""Sums over the thirty questions, for the tables, the plots and the README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum

from benchmarks.results import Document, Results


def contestant(results: Results, name: str) -> Document:
    """The results of a contestant by its name. Raises: StopIteration."""
    listed: list[Document] = results["questions"]["contestants"]
    return next(one for one in listed if one["name"] == name)


def right(one: Document) -> int:
    """How many of the questions it answers right."""
    return sum(not outcome["failed"] for outcome in one["outcomes"].values())


def requests(one: Document) -> int:
    """Its requests to Liner."""
    return sum(outcome["requests"] for outcome in one["outcomes"].values())


def tokens_read(one: Document) -> int:
    """Of all answers, and once of the definitions and instructions."""
    return definition_tokens(one) + sum(outcome["read"] for outcome in one["outcomes"].values())


def definition_tokens(one: Document) -> int:
    """Of the definitions of the tools and the instructions."""
    return one["definitions"]["tools"] + one["definitions"]["instructions"]


def questions_with_times(results: Results) -> set[str]:
    """The questions that were timed with every contestant that has times."""
    seconds: Mapping[str, Mapping[str, Sequence[float]]] = results["times"]["seconds"]
    return set(results["questions"]["questions"]).intersection(*seconds.values())


def seconds_of(results: Results, name: str) -> float:
    """The sum of the times of one contestant over the questions that were timed with all; 0 if it has none."""
    of: Mapping[str, Sequence[float]] = results["times"]["seconds"].get(name, {})
    return fsum(of[question][0] for question in questions_with_times(results) if question in of)
