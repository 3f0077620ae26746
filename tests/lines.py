"""The JSON lines that the program writes, caught as they are written."""

from __future__ import annotations

import io
import json
import logging
import queue
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from liner_mcp.log_lines import AUDIT, REQUESTS, JsonLine

PATIENCE = 20.0


class Lines(logging.StreamHandler[io.StringIO]):
    """Each line that comes out of the formatter, in order; also from a server that runs in another thread."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.setFormatter(JsonLine())
        self.texts: list[str] = []
        self._coming: queue.SimpleQueue[str] = queue.SimpleQueue()

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        self.texts.append(text)
        self._coming.put(text)

    def next(self, event: str) -> dict[str, Any]:
        """The next line of this kind that nobody has taken yet; a request's line comes just after its answer."""
        while True:
            line = json.loads(self._coming.get(timeout=PATIENCE))
            if line["event"] == event:
                return line


@contextmanager
def caught(level: int = logging.INFO) -> Generator[Lines]:
    """Lines of requests and of the audit while the block runs."""
    lines = Lines()
    loggers = [logging.getLogger(name) for name in (REQUESTS, AUDIT)]
    for logger in loggers:
        logger.setLevel(level)
        logger.addHandler(lines)
    try:
        yield lines
    finally:
        for logger in loggers:
            logger.setLevel(logging.NOTSET)
            logger.removeHandler(lines)


def words_of(value: Any) -> set[str]:
    """Every text that stands anywhere in a line as a value."""
    if isinstance(value, dict):
        return {word for part in value.values() for word in words_of(part)}
    if isinstance(value, list):
        return {word for part in value for word in words_of(part)}
    return {value} if isinstance(value, str) else set()


def numbers_of(value: Any) -> set[int]:
    """Every whole number that stands anywhere in a line."""
    if isinstance(value, dict):
        return {number for part in value.values() for number in numbers_of(part)}
    if isinstance(value, list):
        return {number for part in value for number in numbers_of(part)}
    return {value} if isinstance(value, int) and not isinstance(value, bool) else set()
