"""The names that may be in a log line or a trace: ours and the protocol's.

A client can send any text as a name or a method, for example a phone number. So a name that is not listed here is never
logged.
"""

from __future__ import annotations

import hashlib
import re

from mcp_types.methods import SPEC_CLIENT_METHODS, SPEC_CLIENT_NOTIFICATION_METHODS

from liner_mcp.server.schemas import declared_names
from liner_mcp.server.skills import SKILLS, uri_of
from liner_mcp.server.tools import Tools
from liner_mcp.server.view import VIEW_TOOLS, VIEW_URI
from liner_mcp.text.clean import clean

METHODS = SPEC_CLIENT_METHODS | SPEC_CLIENT_NOTIFICATION_METHODS | {"skills/list", "skills/get"}
TOOLS = frozenset(declared_names(Tools)) | VIEW_TOOLS
PROMPTS = frozenset({"review_call", "review_agent", "daily_digest", "audit_transfers", "calibrate_reviewers"})
OTHER = "other"

MAX_CLIENT_CHARACTERS = 40

_RESOURCES = {
    "guide": re.compile(r"liner://guide"),
    "call": re.compile(r"liner://calls/([^/]*)"),
    "call_record": re.compile(r"liner://call-records/([^/]*)"),
    "summary": re.compile(r"liner://call-records/([^/]*)/summary"),
    "audio": re.compile(r"liner://call-records/([^/]*)/audio"),
    "view": re.compile(re.escape(VIEW_URI)),
    **{name: re.compile(re.escape(uri_of(name))) for name in SKILLS},
}
RESOURCES = frozenset(_RESOURCES)

_UNUSUAL = re.compile(r"[^A-Za-z0-9 ._/-]+")
_LONG_NUMBER = re.compile(r"\d{5,}")  # no version number is that long, but a phone number is
_DATED = re.compile(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]")
_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_RANDOM_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)  # a UUID, a trace id
_MAY_BE_PHONE = re.compile(r"(?:\d[\s()._-]*){7}")


def known_method(name: object) -> str:
    """The name of a method of the protocol; `other` for any other."""
    return name if isinstance(name, str) and name in METHODS else OTHER


def known_tool_or_prompt(method: str, name: object) -> str | None:
    """The name of the tool or prompt in a request; `other` for one that does not exist."""
    ours = {"tools/call": TOOLS, "prompts/get": PROMPTS}.get(method)
    if ours is None:
        return None
    return name if isinstance(name, str) and name in ours else OTHER


def known_resource(uri: str) -> tuple[str, str | None]:
    """The kind of resource that a URI names, and the text in the place of the id; `other` for none of ours."""
    for name, pattern in _RESOURCES.items():
        found = pattern.fullmatch(uri)
        if found is not None:
            return name, found[1] if found.lastindex else None
    return OTHER, None


def client_name(text: str | None) -> str | None:
    """A client's name: shortened, and without characters that are unusual in the name of a program."""
    if text is None:
        return None
    plain = _LONG_NUMBER.sub("", _UNUSUAL.sub(" ", clean(text[:1_000])))
    return " ".join(plain.split())[:MAX_CLIENT_CHARACTERS] or None


def request_id(text: str) -> str | None:
    """A request's id that a client chose; None for one that is long, not plain, or may be a phone number."""
    if not _PLAIN_ID.fullmatch(text):
        return None
    return text if _RANDOM_ID.fullmatch(text) or not _MAY_BE_PHONE.search(text) else None


def redacted_caller(name: str) -> str:
    """A caller's name; of one that may be a phone or an e-mail address, the beginning of its SHA-256.

    Five digits tell the callers of a team apart. Thousands of phones have the same, so none can be computed back.
    """
    if _RANDOM_ID.fullmatch(name) or not ("@" in name or _MAY_BE_PHONE.search(name)):
        return name
    return f"sha256:{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:5]}"


def protocol_version(text: str | None) -> str | None:
    """A version of the protocol, which is a date; None for any other text."""
    return text if text is not None and _DATED.fullmatch(text) else None
