"""The report of a probe as JSON, for the people who maintain this server. docs/probe-report.schema.json describes it.

It shows how Liner answers and not what: numbers of rows, names of fields and the types of their values, but no value. A
field's name is shown if it looks like one of an API. Other keys could be ids or names, so they are only counted.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from liner_mcp import __version__
from liner_mcp.diagnostics.assumptions import requests
from liner_mcp.diagnostics.assumptions.consequences import CONSEQUENCES
from liner_mcp.diagnostics.assumptions.requests import Answers, Request
from liner_mcp.diagnostics.assumptions.table import Assumption, Verdict
from liner_mcp.diagnostics.raw_client import ABSENT, RawPage, RawResponse
from liner_mcp.liner.decoding import integer_of

VERSION = 1  # of this shape

_NAMES = {value: name.lower() for name, value in vars(requests).items() if isinstance(value, Request)}
_FIELD = re.compile(r"[a-z]+([A-Z][a-z]+)*")
_MAX_FIELD_CHARACTERS = 40
_TYPES: dict[type, str] = {bool: "boolean", int: "number", float: "number", str: "text", list: "list", dict: "object"}


def report_document(answers: Answers, judged: Sequence[tuple[Assumption, Verdict]], **facts: Any) -> dict[str, Any]:
    """The report. `facts` are members about the probe itself."""
    return {
        "version": VERSION,
        "liner_mcp": __version__,
        "python": platform.python_version(),
        "system": platform.system(),
        **facts,
        "assumptions": [_assumption(assumption, verdict) for assumption, verdict in judged],
        "answers": [
            {"request": name, **_answer(answer)}
            for request, name in _NAMES.items()
            if (answer := answers.any_answer(request)) is not None
        ],
        "unanswered": [
            {"request": name, "reason": answers.missing[request]}
            for request, name in _NAMES.items()
            if request in answers.missing and answers.any_answer(request) is None
        ],
    }


def _assumption(assumption: Assumption, verdict: Verdict) -> dict[str, str]:
    shown = {"key": assumption.key, "outcome": verdict.outcome, "found": verdict.found, "assumed": assumption.assumed}
    if verdict.text:
        shown["remark"] = verdict.text
    return {**shown, "switches_off": CONSEQUENCES[assumption.key]} if verdict.outcome == "differs" else shown


def _answer(answer: RawResponse) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "status": answer.status,
        "body": answer.body,
        "enveloped": answer.enveloped,
        "succeeded": answer.succeeded,
        "redirects": len(answer.redirects),
        "milliseconds": round((answer.received_at - answer.sent_at).total_seconds() * 1000),
    }
    if answer.page is not None:
        shown["list"] = _list(answer.page)
        return {**shown, **_fields(answer.page.rows)}
    data = answer.data
    return {**shown, **_fields([cast("dict[str, object]", data)])} if isinstance(data, dict) else shown


def _list(page: RawPage) -> dict[str, Any]:
    following = page.next
    number = integer_of(following)
    kind = "absent" if following is ABSENT else "null" if following is None else "other" if number is None else number
    return {"rows": len(page.rows), "total": page.total, "next": kind, "bare": page.bare}


def _fields(rows: Sequence[Mapping[str, object]]) -> dict[str, Any]:
    """The fields of some rows, each with the types of its values, and how many other keys there are."""
    types: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.items():
            types.setdefault(name, set()).add("null" if value is None else _TYPES.get(type(value), "other"))
    for name, found in types.items():
        if any(name not in row for row in rows):
            found.add("absent")
    shown = {name for name in types if len(name) <= _MAX_FIELD_CHARACTERS and _FIELD.fullmatch(name)}
    return {"fields": {name: sorted(types[name]) for name in sorted(shown)}, "other_keys": len(types) - len(shown)}
