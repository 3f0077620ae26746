"""Ids that this process listed recently, to complete what a person begins to type. Ids only, in memory only."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

MAX_IDS = 500  # a day's review by hand is thirty calls; completion shows at most a hundred


class RecentIds:
    """The newest ids of one kind, newest first."""

    def __init__(self) -> None:
        self._ids: deque[int] = deque(maxlen=MAX_IDS)

    def add(self, ids: Iterable[int]) -> None:
        """Remember ids in the order in which they were listed."""
        self._ids.extendleft(ids)

    def starting_with(self, text: str) -> list[str]:
        """Each remembered id that begins so, once, newest first."""
        return [one for one in dict.fromkeys(map(str, self._ids)) if one.startswith(text)]
