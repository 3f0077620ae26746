"""JSON with comments and trailing commas, as VS Code writes it, turned into plain JSON. No I/O."""

from __future__ import annotations

import re

_STRING = r'"(?:[^"\\]|\\.)*"'
_COMMENT = re.compile(rf"{_STRING}|(?P<comment>//[^\r\n]*|/\*.*?\*/)", re.DOTALL)
# A value ends with a quotation mark, a bracket, a letter or a digit. A comma after anything else is an error.
_TRAILING_COMMA = re.compile(rf"(?P<kept>(?:{_STRING}|[\]}}\w])\s*)(?:,(?=\s*[\]}}]))?", re.DOTALL)


def has_comments(text: str) -> bool:
    return any(found["comment"] for found in _COMMENT.finditer(text))


def without_comments(text: str) -> str:
    """The text with spaces in place of its comments, so that errors name the right line."""
    return _COMMENT.sub(lambda found: re.sub(r"[^\r\n]", " ", found[0]) if found["comment"] else found[0], text)


def without_trailing_commas(text: str) -> str:
    """The text, which has no comments, without a comma after the last value of an array or an object."""
    return _TRAILING_COMMA.sub(r"\g<kept>", text)
