"""Cleans the text that Liner sends: characters that a reader does not see, but that confuse a model or a terminal.

A text is cleaned once, when an answer is decoded. What a text means is the business of `text.mask`.
"""

import re
from functools import cache

MOST_CHARACTERS = 100_000  # of one text that are shown: twice the longest summary seen, and fast to search
MOST_RECEIVED = 4 * MOST_CHARACTERS  # of one text that are cleaned; many of them can be invisible
NOT_READ = "… (the rest was not read)"  # the end of a text that was cut before it was cleaned
_MOST_REPLACEMENTS = 8  # with more distinct characters, `translate` is faster than repeated `replace`

# The ranges are written out, because scanning all of Unicode at import would take a second.

_LINE_BREAKS = r"\r\x0b\x0c\x85\u2028\u2029"

# Tab, every space of category Zs except the plain one, and the Braille blank, which Unicode does not call a space.
_SPACES = r"\t\xa0\u1680\u2000-\u200a\u202f\u205f\u3000\u2800"

_INVISIBLE = "".join(
    (
        r"\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f",  # controls, except the line breaks and the tab above
        r"\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2",  # soft hyphen; Arabic and Syriac format signs
        r"\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0",  # grapheme joiner, Hangul fillers, invisible Khmer vowels
        r"\u180b-\u180f",  # Mongolian variation selectors and vowel separator
        r"\u200b-\u200f\u202a-\u202e\u2060-\u206f",  # zero widths, bidirectional marks, invisible operators
        r"\ud800-\uf8ff",  # surrogates, which UTF-8 cannot encode, and private use
        r"\ufdd0-\ufdef\ufe00-\ufe0f\ufeff",  # noncharacters, variation selectors, byte order mark
        r"\ufff0-\ufffb\ufffe\uffff",  # interlinear annotation and its unassigned neighbours, noncharacters
        r"\U000110bd\U000110cd\U00013430-\U0001343f",  # Kaithi and hieroglyph format signs
        r"\U00016fe4\U0001bca0-\U0001bca3",  # Khitan filler, shorthand format signs
        r"\U0001d159\U0001d173-\U0001d17a",  # musical null note and format signs
        "".join(rf"\U{plane:04x}fffe\U{plane:04x}ffff" for plane in range(1, 0xE)),  # the planes' noncharacters
        r"\U000dfffe-\U000e0fff",  # tags, more variation selectors, and code points reserved for such
        r"\U000efffe-\U0010ffff",  # the private planes with their noncharacters
    )
)

# A fast test: does the text hold anything beyond ASCII, Latin, Cyrillic, ordinary punctuation, currency, arrows,
# dingbats and emoji? A text without a match is clean. A match need not be unwanted.
_UNUSUAL = re.compile(
    r"[^\n -~\xa1-\xac\xae-\u024f\u0400-\u052f"
    r"\u2010-\u2027\u2030-\u205e\u20a0-\u20c0\u2100-\u27ff\U0001f000-\U0001fbff]"
)


@cache  # compiled when first needed: that takes 5 ms, and most texts need none of them
def _unwanted_patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    return re.compile(f"[{_LINE_BREAKS}]"), re.compile(f"[{_SPACES}]"), re.compile(f"[{_INVISIBLE}]")


def clean(text: str) -> str:
    """The text as a person sees it: visible characters, plain spaces and `\\n`. It can be encoded as UTF-8.

    Emoji, accents and all scripts stay. An emoji that joins several becomes several, because the joiner is invisible.
    Cleaning a clean text changes nothing.
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
    """Clean a text of any length. A long text is cut to what can be shown, and ends in `NOT_READ`."""
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
    """Whether a cleaned text is longer than what is shown."""
    return len(text) > MOST_CHARACTERS or text.endswith(NOT_READ)
