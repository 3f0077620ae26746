"""Whatever is logged is one line of JSON, and an exception's text is not in it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.json_logging import AUDIT_LOGGER, REQUEST_LOGGER, JsonFormatter


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("somewhere", logging.WARNING, __file__, 1, message, (), None)
    vars(made).update(extra)
    return made


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_every_text_stays_on_one_line_of_printable_ascii(text: str, fields: dict[str, str]) -> None:
    for line in (JsonFormatter().format(record(text)), JsonFormatter().format(record("", line=fields))):
        assert line.isascii()
        assert line.isprintable()
    assert json.loads(JsonFormatter().format(record(text)))["text"] == text


def test_a_line_begins_with_the_moment_in_utc() -> None:
    line = JsonFormatter().format(record("", line={"event": "request"}, created=1_795_176_000.25))
    assert line == '{"time": "2026-11-20T12:00:00.250Z", "event": "request"}'


def test_an_exception_is_told_by_its_class_alone() -> None:
    try:
        raise ValueError("Иван said 9261234567")
    except ValueError:
        failed = record("A thing failed", exc_info=sys.exc_info())
    line = JsonFormatter().format(failed)
    assert json.loads(line)["error"] == "ValueError"
    assert "9261234567" not in line
    assert "Traceback" not in line


@pytest.mark.parametrize(
    ("log", "events"), [("off", []), ("json", ["info", "message"]), ("debug", ["info", "debug", "message"])]
)
def test_each_setting_writes_what_it_says(log: str, events: list[str]) -> None:
    """In a process of its own, for it changes the logging of the whole process."""
    program = (
        "import logging, sys; from liner_mcp.json_logging import configure_logging; configure_logging(sys.argv[1]);"
        f"logger = logging.getLogger({REQUEST_LOGGER!r});"
        "logger.info('a', extra={'line': {'event': 'info'}}); logger.debug('b', extra={'line': {'event': 'debug'}});"
        "logging.getLogger('x').info('not shown'); logging.getLogger('x').warning('shown')"
    )
    done = subprocess.run([sys.executable, "-c", program, log], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    if log == "off":
        assert lines == ["shown"]
        return
    assert [json.loads(line)["event"] for line in lines] == events


def test_nothing_is_written_unless_it_is_asked_for() -> None:
    assert not any(logging.getLogger(name).isEnabledFor(logging.INFO) for name in (REQUEST_LOGGER, AUDIT_LOGGER))
