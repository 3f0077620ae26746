"""Limits of one request, in arguments and in cursors, and of what an answer repeats of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

MAX_ID = 2**53 - 1  # the largest whole number that every JSON parser keeps exact
MAX_NAMES = 1_000  # ids or names in one filter: more than any account has, and the ids fit one request line
MAX_TEXTS = 100  # names among them, because each is compared with every name of a dictionary
MAX_TEXT = 200  # characters of a name or a query; shown names have at most 80
MAX_WORDS = 400  # characters of words to look for: some forty words
MAX_SUMMARY = 4_000  # characters of a summary in a table
MAX_QUOTES = 50  # in one request
MAX_QUOTE = 500  # characters of a quote: a longer one is not read by a person either
MAX_MEMBERS = 10_000  # agents in the named groups

MOST_ECHOED = 10  # ids that an answer repeats; more would take the space of its rows
FIRST_ECHOED = 5  # ids that are repeated of a longer list, with its count

T = TypeVar("T")


def first_echoed(requested: Sequence[T]) -> Sequence[T]:
    """The part of a requested list that an answer repeats."""
    return requested if len(requested) <= MOST_ECHOED else requested[:FIRST_ECHOED]
