"""Ids that this process listed recently, for completions. They stay in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

MAX_IDS = 500  # a reviewer works on thirty calls a day; a completion holds at most a hundred


class RecentIds:
    """The most recently listed ids of one kind. Nothing expires: the newest ids push out the oldest."""

    def __init__(self) -> None:
        self._ids: deque[int] = deque(maxlen=MAX_IDS)

    def add(self, ids: Iterable[int]) -> None:
        """Add ids in the order in which they were listed."""
        self._ids.extendleft(ids)

    def starting_with(self, text: str) -> list[str]:
        """The ids that begin with `text`, each once, newest first."""
        return [item for item in dict.fromkeys(map(str, self._ids)) if item.startswith(text)]
