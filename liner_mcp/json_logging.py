"""Logs on stderr as JSON, one object per line, so that a log collector reads each line as one event.

This is the standard library's logging with a short formatter. Libraries for JSON logs add every field of a record; here
the code that logs a line decides what it holds. JSON escapes control characters, so no text can add a line to the log.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Literal

REQUEST_LOGGER, AUDIT_LOGGER, LIFECYCLE_LOGGER = "liner_mcp.requests", "liner_mcp.audit", "liner_mcp.lifecycle"

LogMode = Literal["off", "json", "debug"]


class JsonFormatter(logging.Formatter):
    """A record's `line` with the time before it; any other record becomes an event `message`.

    Of an exception only the class is logged: its text and its traceback may hold a question or an answer.
    """

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = getattr(record, "line", None)
        if line is None:
            line = {"event": "message", "level": record.levelname, "logger": record.name, "text": record.getMessage()}
            if record.exc_info and record.exc_info[0]:
                line["error"] = record.exc_info[0].__name__
        return json.dumps({"time": moment.replace("+00:00", "Z"), **line})


def configure_logging(log: LogMode, first: str = "") -> None:
    """Write all logs of this process as JSON lines: requests, audit and warnings, and with `debug` also probes.

    `off` changes nothing, so warnings are plain text. `first` is a warning at the beginning of the log.
    """
    if log == "off":
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in (REQUEST_LOGGER, AUDIT_LOGGER, LIFECYCLE_LOGGER):
        logging.getLogger(name).setLevel(logging.DEBUG if log == "debug" else logging.INFO)
    if first:
        logging.getLogger("liner_mcp").warning("%s", first)


def log_lifecycle(event: str, **fields: str | float | None) -> None:
    """Log that the server starts or stops, with the process that says it."""
    line = {"event": event, **fields, "pid": os.getpid()}
    logging.getLogger(LIFECYCLE_LOGGER).info(event, extra={"line": line})
