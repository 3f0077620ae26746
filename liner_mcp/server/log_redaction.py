"""The names that may appear in a log line or a trace as they are: those of this server and of the protocol.

A client may send anything as a name or a method, even a phone number, so other names are never logged.
"""

from __future__ import annotations

import re

from mcp_types.methods import SPEC_CLIENT_METHODS, SPEC_CLIENT_NOTIFICATION_METHODS

from liner_mcp.server.schemas import declared_names
from liner_mcp.server.tools import Tools
from liner_mcp.text.clean import clean

METHODS = SPEC_CLIENT_METHODS | SPEC_CLIENT_NOTIFICATION_METHODS
TOOLS = frozenset(declared_names(Tools))
PROMPTS = frozenset({"review_call", "review_agent", "daily_digest", "audit_transfers", "calibrate_reviewers"})
OTHER = "other"

MAX_CLIENT_CHARACTERS = 40

_RESOURCES = {
    "guide": re.compile(r"liner://guide"),
    "call": re.compile(r"liner://calls/([^/]*)"),
    "call_record": re.compile(r"liner://call-records/([^/]*)"),
    "summary": re.compile(r"liner://call-records/([^/]*)/summary"),
    "audio": re.compile(r"liner://call-records/([^/]*)/audio"),
}
RESOURCES = frozenset(_RESOURCES)

_UNUSUAL = re.compile(r"[^A-Za-z0-9 ._/-]+")
_LONG_NUMBER = re.compile(r"\d{5,}")  # no version is so long, and a phone number is
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")


def known_method(name: object) -> str:
    """A method of the protocol as it is, every other one as `other`."""
    return name if isinstance(name, str) and name in METHODS else OTHER


def known_tool_or_prompt(method: str, name: object) -> str | None:
    """The name of our tool or prompt that a request is about; `other` for one that we do not have."""
    ours = {"tools/call": TOOLS, "prompts/get": PROMPTS}.get(method)
    if ours is None:
        return None
    return name if isinstance(name, str) and name in ours else OTHER


def known_resource(uri: str) -> tuple[str, str | None]:
    """Which of our resources an address means, and what stands there for its id; `other` for none."""
    for name, pattern in _RESOURCES.items():
        found = pattern.fullmatch(uri)
        if found is not None:
            return name, found[1] if found.lastindex else None
    return OTHER, None


def client_name(text: str | None) -> str | None:
    """What a client calls itself, short, without anything that a program's name does not hold."""
    if text is None:
        return None
    plain = _LONG_NUMBER.sub("", _UNUSUAL.sub(" ", clean(text[:1_000])))
    return " ".join(plain.split())[:MAX_CLIENT_CHARACTERS] or None


def protocol_version(text: str | None) -> str | None:
    """A version of the protocol, which is a date."""
    return text if text is not None and _DATED.fullmatch(text) else None
