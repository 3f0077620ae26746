"""Values of settings that cannot be meant, and misspelt names of variables. Pure.

People copy values with quotation marks, with the word before them, or with a placeholder that nothing replaced. Such a
value is refused before it is sent. The messages are ends of sentences and do not show the value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches

_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "«": "»", "‘": "’", "”": "”", "’": "’"}
# ${input:token}, {{token}}, <token>, $(command), and in full $TOKEN and %TOKEN%.
_TEMPLATE = re.compile(r"\$\{[^}]*\}|\{\{.*\}\}|<[^<>]*>|\$\(.*\)|\A(?:\$[A-Za-z_]\w*|%\w+%)\Z", re.DOTALL)
# `Bearer x`, `X-Api-Key: x`, `LINER_API_TOKEN=x`. Base64 may end in "=", so a sign with nothing behind it is no name.
_BEFORE_TOKEN = re.compile(
    r"(bearer|token|basic)\s|(x-api-key|authorization|api-key|token)\s*:|"
    r"((export|set)\s+)?\w*(liner_|token|key)\w*\s*=\s*[^=\s]",
    re.IGNORECASE,
)
# Only words of an instruction, such as YOUR_TOKEN, paste-token-here and yourApiKey.
_TOKEN_WORDS = re.compile(
    r"(?:your|my|the|a|liner|api|integration|access|secret|token|key|here|insert|enter|paste|put|replace|change|me|"
    r"placeholder|example|todo|tbd|value|goes|real|actual|with|this|[\W_])+",
    re.IGNORECASE,
)
_HOST_WORDS = re.compile(
    r"(?<![a-z0-9])your([-_. ](own[-_. ])?(liner|api)|[-_. ]?(host|domain|server|company|address))(?![a-z0-9])|"
    r"placeholder|change[-_]?me|[-_]here(?![a-z0-9])",
    re.IGNORECASE,
)
_MASKED = re.compile(r"[*•.…x_-]{3,}", re.IGNORECASE)
_MAX_PLACEHOLDER = 60  # a longer text is no placeholder of a document
NOT_REPLACED = "it is a placeholder that was not replaced; put the real value there"

_NAME = re.compile(r"[A-Z0-9_-]{4,40}")  # a name that may be shown
_OTHER_NAMES = {
    **dict.fromkeys(("LINER_URL", "LINER_API_URL", "LINER_BASE_URL", "LINER_API_BASE_URL"), "LINER_API_HOST"),
    **dict.fromkeys(("LINER_KEY", "LINER_API_KEY", "LINER_INTEGRATION_TOKEN"), "LINER_API_TOKEN"),
    "LINER_TIMEOUT": "LINER_DEADLINE_SECONDS",
    **dict.fromkeys(("LINER_TZ", "LINER_TIME_ZONE"), "LINER_TIMEZONE"),
}
_CALLERS_OWN = frozenset({"LINER_CALLER_TOKEN"})  # docs/hosts.md: the token of a caller over HTTP
_ALIKE, _NEARLY_EQUAL = 0.8, 0.92  # of difflib; other programs may also have variables that begin with LINER_


def checked_text(value: str) -> str:
    """A value of any setting without the spaces around it. Raises: ValueError."""
    text = value.strip()
    if len(text) > 1 and text[-1] == _QUOTES.get(text[0]):
        raise ValueError("it stands in quotation marks; write it without them")
    if _TEMPLATE.search(text):
        raise ValueError(NOT_REPLACED)
    return text


def checked_token(value: str) -> str:
    """A token that a header can carry. Raises: ValueError."""
    token = checked_text(value)
    if _BEFORE_TOKEN.match(token):
        raise ValueError("a word stands before the token, such as Bearer or the name of a variable; write it alone")
    if "://" in token:
        raise ValueError("it is an address and not a token; LINER_API_HOST takes the address")
    if len(token) <= _MAX_PLACEHOLDER and (_TOKEN_WORDS.fullmatch(token) or _MASKED.fullmatch(token)):
        raise ValueError(NOT_REPLACED)
    # The HTTP library would refuse other characters in a header, with the token in its error.
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(
            "the token holds characters that no Liner token has (a space, a line break, a letter with an accent)"
        )
    return token


def checked_host(value: str) -> str:
    """A host that is not the placeholder of a document. Raises: ValueError."""
    if len(value) <= _MAX_PLACEHOLDER and _HOST_WORDS.search(value):
        raise ValueError(NOT_REPLACED)
    return value


def misspelt(environment: Mapping[str, str], known: Collection[str]) -> list[str]:
    """A sentence for each variable that is probably meant as one of `known`, which is not set."""
    given = {name.upper() for name, value in environment.items() if value.strip()}
    sentences: list[str] = []
    for name in sorted(given - set(known) - _CALLERS_OWN):
        if not name.startswith("LIN") or not _NAME.fullmatch(name):
            continue
        longer = [one for one in known if one.startswith(f"{name}_")]
        alike = _ALIKE if name.startswith("LINER_") else _NEARLY_EQUAL
        close = longer if len(longer) == 1 else get_close_matches(name.replace("-", "_"), known, 1, alike)
        meant = _OTHER_NAMES.get(name) or (close[0] if close else "")
        if meant and meant not in given:
            sentences.append(f"{name} is not a setting and is ignored; did you mean {meant}?")
    return sentences
