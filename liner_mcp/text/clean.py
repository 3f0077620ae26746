"""Cleaning of the text that Liner sends, done once, when an answer is decoded.

Here live the characters that no reader sees but a model, a terminal or an encoder stumbles over. This module may not
know what a text means: masking of phones and cutting to a length belong to `text.mask`.
"""

import re
from functools import cache

MOST_CHARACTERS = 100_000  # of one text, twice the longest summary seen; no search over it takes more than a moment
MOST_RECEIVED = 4 * MOST_CHARACTERS  # of a text that are cleaned: room for an invisible character beside each visible
NOT_READ = "… (the rest was not read)"  # ends a text that was cut before it was cleaned
_MOST_REPLACEMENTS = 8  # up to here, replacing one character after another is faster than one pass over a table

# The ranges are written down: walking all of Unicode at import time would cost a second of every cold start.

_LINE_BREAKS = r"\r\x0b\x0c\x85\u2028\u2029"

# Tab, every space of category Zs but the plain one, and the Braille blank, which is a letter only in name.
_SPACES = r"\t\xa0\u1680\u2000-\u200a\u202f\u205f\u3000\u2800"

_INVISIBLE = "".join(
    (
        r"\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f",  # controls, but for the breaks and the tab above
        r"\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2",  # soft hyphen; Arabic and Syriac format signs
        r"\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0",  # grapheme joiner, Hangul fillers, unwritten Khmer vowels
        r"\u180b-\u180f",  # Mongolian variation selectors and vowel separator
        r"\u200b-\u200f\u202a-\u202e\u2060-\u206f",  # zero widths, bidirectional marks, invisible operators
        r"\ud800-\uf8ff",  # surrogates (which no encoder takes) and private use, neighbours in Unicode
        r"\ufdd0-\ufdef\ufe00-\ufe0f\ufeff",  # noncharacters, variation selectors, byte order mark
        r"\ufff0-\ufffb\ufffe\uffff",  # interlinear annotation and its unassigned neighbours, noncharacters
        r"\U000110bd\U000110cd\U00013430-\U0001343f",  # Kaithi and hieroglyph format signs
        r"\U00016fe4\U0001bca0-\U0001bca3",  # Khitan filler, shorthand format signs
        r"\U0001d159\U0001d173-\U0001d17a",  # musical null note and format signs
        "".join(rf"\U{plane:04x}fffe\U{plane:04x}ffff" for plane in range(1, 0xE)),  # the planes' noncharacters
        r"\U000dfffe-\U000e0fff",  # tags, more variation selectors, and what is reserved for their kind
        r"\U000efffe-\U0010ffff",  # the private planes, each with its noncharacters
    )
)

# The quick question that settles nearly every text: is there anything beyond plain ASCII, Latin, Cyrillic, ordinary
# punctuation, currency, arrows, dingbats and emoji? What it finds need not be unwanted; what it passes must be clean.
_UNUSUAL = re.compile(
    r"[^\n -~\xa1-\xac\xae-\u024f\u0400-\u052f"
    r"\u2010-\u2027\u2030-\u205e\u20a0-\u20c0\u2100-\u27ff\U0001f000-\U0001fbff]"
)


@cache  # compiling these takes 5 ms, which a start that meets no unusual text need not pay
def _unwanted_patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    return re.compile(f"[{_LINE_BREAKS}]"), re.compile(f"[{_SPACES}]"), re.compile(f"[{_INVISIBLE}]")


def clean(text: str) -> str:
    """The text as a person sees it: visible characters, plain spaces and `\\n`, always encodable as UTF-8.

    Emoji, accents and every script stay. An emoji joined of several falls apart into them, since the joiner is one of
    the invisible characters. Cleaning a clean text changes nothing.
    """
    if _UNUSUAL.search(text) is None:
        return text
    text = text.replace("\r\n", "\n")
    distinct = "".join(set(text))
    replacements = {
        character: replacement
        for pattern, replacement in zip(_unwanted_patterns(), ("\n", " ", ""), strict=True)
        for character in pattern.findall(distinct)
    }
    if len(replacements) > _MOST_REPLACEMENTS:
        return text.translate({ord(character): replacements.get(character, character) for character in distinct})
    for character, replacement in replacements.items():
        text = text.replace(character, replacement)
    return text


def clean_beginning(text: str) -> str:
    """The same for a text of any length: of a long one only as much as can be shown, with `NOT_READ` behind it."""
    if len(text) <= MOST_CHARACTERS:
        return clean(text)
    pieces: list[str] = []
    shown = 0
    for start in range(0, min(len(text), MOST_RECEIVED), MOST_CHARACTERS):
        piece = clean(text[start : start + MOST_CHARACTERS])
        piece = piece if shown else piece.lstrip()
        pieces.append(piece)
        shown += len(piece)
        if shown > MOST_CHARACTERS:
            break
    else:
        if len(text) <= MOST_RECEIVED:
            return "".join(pieces)
    return "".join(pieces)[:MOST_CHARACTERS] + NOT_READ


def is_cut(text: str) -> bool:
    """Whether a cleaned text has more characters than are read and shown."""
    return len(text) > MOST_CHARACTERS or text.endswith(NOT_READ)
