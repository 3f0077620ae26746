"""How much one question may hold, whether it came as arguments or in a cursor, and how much of it is shown back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

MAX_ID = 2**53 - 1  # the largest whole number every JSON reader keeps exact
MAX_NAMES = (
    1_000  # ids or names in one filter: far more than orders or agents anywhere, and still one request line each
)
MAX_TEXTS = 100  # names among them: each is compared with every name of a dictionary
MAX_TEXT = 200  # characters of a name or a query; names themselves are shown with at most 80
MAX_MEMBERS = 10_000  # agents that names of groups stand for

MOST_ECHOED = 10  # ids that an answer repeats: more of them would take the place of its rows
FIRST_ECHOED = 5  # of a longer list, beside its count

T = TypeVar("T")


def first_echoed(asked: Sequence[T]) -> Sequence[T]:
    """The part of a list that an answer repeats."""
    return asked if len(asked) <= MOST_ECHOED else asked[:FIRST_ECHOED]
