"""Logs on stderr as JSON, one object in a line, so that a log collector reads each as one event.

The standard library's logging with a formatter of ten lines. The libraries for it collect fields from wherever a record
has some, and here what may stand in a line is decided where the line is made. JSON escapes every control character and
every letter that is not ASCII, so nobody can write a line break into the log.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

REQUEST_LOGGER, AUDIT_LOGGER = "liner_mcp.requests", "liner_mcp.audit"

LogMode = Literal["off", "json", "debug"]


class JsonFormatter(logging.Formatter):
    """A record's `line` with the time before it; a warning of the program becomes an event `message`.

    An exception is logged by its class: its text and its trace may hold a question or an answer.
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
    """Write every log of this process as JSON lines: requests, audit and warnings; with `debug` also probes.

    Called before anything else configures logging; `off` leaves all as it is, which is warnings as plain text.
    `first` is a warning with which the log begins.
    """
    if log == "off":
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in (REQUEST_LOGGER, AUDIT_LOGGER):
        logging.getLogger(name).setLevel(logging.DEBUG if log == "debug" else logging.INFO)
    if first:
        logging.getLogger("liner_mcp").warning("%s", first)
