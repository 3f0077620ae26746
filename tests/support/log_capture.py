"""The JSON lines that the program writes, caught as they are written."""

from __future__ import annotations

import io
import json
import logging
import queue
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, cast

from liner_mcp.json_logging import AUDIT_LOGGER, REQUEST_LOGGER, JsonFormatter

TIMEOUT_SECONDS = 60.0


class LogCapture(logging.StreamHandler[io.StringIO]):
    """Each line that comes out of the formatter, in order; also from a server that runs in another thread."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.setFormatter(JsonFormatter())
        self.texts: list[str] = []
        self._unread: queue.SimpleQueue[str] = queue.SimpleQueue()

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        self.texts.append(text)
        self._unread.put(text)

    def next(self, event: str) -> dict[str, Any]:
        """The next line of this kind that nobody has taken yet; a request's line comes just after its answer."""
        while True:
            line = json.loads(self._unread.get(timeout=TIMEOUT_SECONDS))
            if line["event"] == event:
                return line


@contextmanager
def capture_logs(level: int = logging.INFO) -> Generator[LogCapture]:
    """Lines of requests and of the audit while the block runs."""
    lines = LogCapture()
    loggers = [logging.getLogger(name) for name in (REQUEST_LOGGER, AUDIT_LOGGER)]
    for logger in loggers:
        logger.setLevel(level)
        logger.addHandler(lines)
    try:
        yield lines
    finally:
        for logger in loggers:
            logger.setLevel(logging.NOTSET)
            logger.removeHandler(lines)


def strings_in(value: object) -> set[str]:
    """Every text that stands anywhere in a line as a value."""
    return {leaf for leaf in _leaves(value) if isinstance(leaf, str)}


def integers_in(value: object) -> set[int]:
    """Every whole number that stands anywhere in a line."""
    return {leaf for leaf in _leaves(value) if isinstance(leaf, int) and not isinstance(leaf, bool)}


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for part in cast("dict[str, object]", value).values():
            yield from _leaves(part)
    elif isinstance(value, list):
        for part in cast("list[object]", value):
            yield from _leaves(part)
    else:
        yield value
