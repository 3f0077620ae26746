"""Ids that this process listed recently, for completing what a person types. Only ids, only in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

MAX_IDS = 500  # a reviewer handles thirty calls a day, and a completion shows at most a hundred


class RecentIds:
    """The most recently listed ids of one kind. Nothing expires: the newest ids push out the oldest."""

    def __init__(self) -> None:
        self._ids: deque[int] = deque(maxlen=MAX_IDS)

    def add(self, ids: Iterable[int]) -> None:
        """Add ids in the order in which they were listed."""
        self._ids.extendleft(ids)

    def starting_with(self, text: str) -> list[str]:
        """The ids that start with this text, each once, newest first."""
        return [one for one in dict.fromkeys(map(str, self._ids)) if one.startswith(text)]
