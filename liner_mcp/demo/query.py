"""Parses a query string as PHP does, and validates it as Liner probably does.

`name[]=1`, `name[0]=1` and their percent-encoded forms are one list; a raw `+` is a space.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Container

DEFAULT_LIMIT = 50
MAX_LIMIT = 100

_NAME = re.compile(r"([^\[\]]+)\[([^\[\]]*)\]")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Refusal(Exception):
    """Liner refuses the request with this status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def identifier(text: str, name: str) -> int:
    number = _integer(text, name)
    if number <= 0:
        raise Refusal(422, f"The {name} must be greater than 0.")
    return number


class Query:
    """The parameters of one request. Every method gives a valid value or raises `Refusal`."""

    def __init__(self, query_string: bytes) -> None:
        self._values: dict[str, str] = {}
        self._lists: dict[str, dict[str, str]] = {}
        for pair in query_string.decode("latin-1").split("&"):
            if pair:
                name, _, value = pair.partition("=")
                self._put(unquote_plus(name), unquote_plus(value))

    def page(self) -> tuple[int, int]:
        """Offset and limit. A limit above the documented maximum counts as the maximum."""
        offset = self._number("offset", 0)
        limit = self._number("limit", DEFAULT_LIMIT)
        if offset < 0:
            raise Refusal(422, "The offset must be at least 0.")
        if limit < 1:
            raise Refusal(422, "The limit must be at least 1.")
        return offset, min(limit, MAX_LIMIT)

    def id(self, name: str) -> int | None:
        text = self._scalar(name)
        return None if text is None else identifier(text, name)

    def ids(self, name: str) -> frozenset[int] | None:
        if name in self._values:
            raise Refusal(422, f"The {name} must be an array.")
        if name not in self._lists:
            return None
        return frozenset(identifier(text, name) for text in self._lists[name].values())

    def flag(self, name: str) -> bool | None:
        text = self._scalar(name)
        if text is None:
            return None
        if text not in {"0", "1"}:
            raise Refusal(422, f"The {name} must be 1 or 0.")
        return text == "1"

    def choice(self, name: str, allowed: Container[str]) -> str | None:
        text = self._scalar(name)
        if text is not None and text not in allowed:
            raise Refusal(422, f"The selected {name} is invalid.")
        return text

    def window(self) -> tuple[datetime | None, datetime | None]:
        """`createdAt[0]` and `createdAt[1]`."""
        if "createdAt" in self._values:
            raise Refusal(422, "The createdAt must be an array.")
        ends = self._lists.get("createdAt", {})
        return self._moment(ends.get("0"), "createdAt[0]"), self._moment(ends.get("1"), "createdAt[1]")

    def _put(self, name: str, value: str) -> None:
        in_brackets = _NAME.fullmatch(name)
        if in_brackets is None:
            self._values[name] = value
            return
        members = self._lists.setdefault(in_brackets[1], {})
        members[in_brackets[2] or str(len(members))] = value

    def _scalar(self, name: str) -> str | None:
        if name in self._lists:
            raise Refusal(422, f"The {name} must not be an array.")
        return self._values.get(name)

    def _number(self, name: str, default: int) -> int:
        text = self._scalar(name)
        return default if text is None else _integer(text, name)

    @staticmethod
    def _moment(text: str | None, name: str) -> datetime | None:
        if text is None:
            return None
        if not _MOMENT.fullmatch(text):
            raise Refusal(422, f"The {name} is not a valid ISO 8601 date.")
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            raise Refusal(422, f"The {name} is not a valid ISO 8601 date.") from None


def _integer(text: str, name: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise Refusal(422, f"The {name} must be an integer.")
    return int(text)
