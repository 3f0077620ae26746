"""What every conversion shares. It runs in the environment of a converter, so it uses the standard library only."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

Convert = Callable[[dict[str, Any]], Any]
"""Makes of one tool, as `tools/list` gives it, the definition that an API takes: name, description, parameters."""


class _Complaints(logging.Handler):
    """Keeps what a converter logs: several of them drop a part of a schema, log it, and go on."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def main(ways: Mapping[str, Convert]) -> None:
    """Convert the tools of standard input in every way, and write the definitions or the errors to standard output."""
    tools = json.load(sys.stdin)
    # A library's own prints must not mix with the result.
    with contextlib.redirect_stdout(sys.stderr):
        made = {way: {tool["name"]: _converted(convert, tool) for tool in tools} for way, convert in ways.items()}
    json.dump(made, sys.stdout)


def _converted(convert: Convert, tool: dict[str, Any]) -> dict[str, Any]:
    complaints = _Complaints()
    logging.getLogger().addHandler(complaints)
    try:
        definition = convert(json.loads(json.dumps(tool)))  # a copy: some converters change what they are given
    except Exception as error:  # noqa: BLE001 - any error of a converter is what this looks for
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        logging.getLogger().removeHandler(complaints)
    return {"definition": definition, "complaints": list(dict.fromkeys(complaints.said))}
