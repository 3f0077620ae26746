"""Whether a quote is in a text, and where. Pure: both texts are cleaned, and the text is what a reader is shown.

A near match is shown and never counted as evidence: "15 млн" is 98 % the same as "12 млн". A found quote can still have
the opposite meaning when a negation before it was left out, so a match reports the sentence and the negation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein, Opcode

from liner_mcp.text.negations import NEGATION_REACH, NEGATIONS

MAX_SENTENCE = 300  # characters around a match
MAX_DIFFERENCES = 200  # characters of `differs`
MIN_SIMILARITY = 85.0  # of 100; below it, a near match is a coincidence
# The similarity search holds the interpreter's lock, so it reads a long text in windows of some milliseconds each.
WINDOW = 2_000
MOST_MARKS = 8  # combining marks of one letter; sorting more of them takes quadratic time

State = Literal["exact", "same_words", "close", "absent"]

_FOLDED = str.maketrans(
    {
        **dict.fromkeys("«»„“”‟″", '"'),
        **dict.fromkeys("‘’‚‛′`ʼ", "'"),
        **dict.fromkeys("‐‑‒–—−", "-"),
        "ё": "е",
        "…": "...",
    }
)
_MARKS = r"\u0300-\u036f"  # combining marks: a letter and its marks are one
_CHARACTER = re.compile(rf".[{_MARKS}]{{0,{MOST_MARKS}}}", re.DOTALL)
_OMISSION = re.compile(r"[\[(]\s*(?:…|\.{3,})\s*[\])]|…|\.{3,}")
_EDGE = " \"'.,;:"  # of a quote or of a part of it
_WORD = re.compile(r"\w")
_WORDS = re.compile(r"\w[\w'-]*")
_TOKENS = re.compile(r"\w+(?:[.,:/'-]\w+)*|[^\w\s]")
# Places inside a word or a number, where a quote may neither begin nor end: "can|'t", "не|-клиент", "1|,5", "12| 500",
# and, after a mask, "-|67": the rest of a hidden number is another number.
_INSIDE = re.compile(
    rf"(?<=\w)(?=\w)|(?=[{_MARKS}])|(?<=[{_MARKS}])(?=\w)"
    r"|(?<=\w)(?=[-‐‑'’ʼ]\w)|(?<=\w[-‐‑'’ʼ])(?=\w)"
    r"|(?<=\d)(?=[.,:/–−]\d)|(?<=\d[.,:/–−])(?=\d)"
    r"|(?<=\d)(?= \d{3}(?!\d))|(?<=\d )(?=\d{3}(?!\d))"
    r"|(?<=[\s(*][-−])(?=\d)|(?<=\A[-−])(?=\d)"
    r"|(?<=\*-)(?=\d)|(?<=\*{4} )(?=\d)|(?<=@)(?=\w)|(?<=[\w*])(?=@)"
)
_SENTENCE_END = re.compile(r"[.!?…]+[\"»”)]*\s+(?![a-zа-яё])|\n")
_CLAUSE_END = re.compile(r"[,;:.!?…()\n]|\s[-–—]\s")


@dataclass(frozen=True, slots=True)
class Match:
    """`start` and `end` are offsets in the text; they and all other members are None where the state is absent.

    `closest` (the text's own wording) and `differs` (the words that differ, as `quote→text`) belong to the state close.
    """

    state: State
    start: int | None = None
    end: int | None = None
    sentence: str | None = None
    negated_before: bool | None = None
    closest: str | None = None
    differs: str | None = None


def has_words(quote: str) -> bool:
    """Whether there is anything in a quote that can be looked for."""
    return _WORD.search(quote) is not None


class QuotedText:
    """A text in which quotes are looked for."""

    def __init__(self, text: str) -> None:
        self._text = text

    def find(self, quote: str) -> Match:
        """The best match of a quote that has words: the first exact one, else the same words, else a close one."""
        wanted = quote.strip()
        exact = next(self._exact(wanted), None)
        if exact is not None:
            return self._match("exact", [exact])
        parts = [plain for part in _OMISSION.split(wanted) if has_words(plain := fold(part).plain.strip(_EDGE))]
        places = self._in_order(parts)
        return self._match("same_words", places) if places else self._closest(" ".join(parts))

    @cached_property
    def _folded(self) -> Folded:
        return fold(self._text)

    def _exact(self, quote: str) -> Iterator[tuple[int, int]]:
        start = self._text.find(quote)
        while start >= 0:
            end = start + len(quote)
            if is_border(self._text, start) and is_border(self._text, end):
                yield start, end
            start = self._text.find(quote, start + 1)

    def _in_order(self, parts: list[str]) -> list[tuple[int, int]]:
        """Where the parts of a quote are, one after another; empty unless all are there."""
        places: list[tuple[int, int]] = []
        after = 0
        for part in parts:
            found = self._folded.find(part, after, self._text)
            if found is None:
                return []
            place, after = found
            places.append(place)
        return places

    def _closest(self, quote: str) -> Match:
        place = _most_similar(quote, self._folded.plain)
        if place is None:
            return Match("absent")
        start, end = self._folded.starts[place[0]], self._folded.ends[place[1] - 1]
        # Without a border near, the text is an endless word.
        borders = (at for at in range(start, max(start - MAX_SENTENCE, -1), -1) if is_border(self._text, at))
        start = next(borders, start)
        borders = (at for at in range(end, min(end + MAX_SENTENCE, len(self._text) + 1)) if is_border(self._text, at))
        end = next(borders, end)
        start, end = self._without_neighbours(quote, start, end)
        closest = self._text[start:end]
        return self._match("close", [(start, end)], closest, differences(quote, fold(closest).plain))

    def _without_neighbours(self, quote: str, start: int, end: int) -> tuple[int, int]:
        """The span without the words at its edges that the quote lacks: the search takes as many characters as the
        quote has, even where the quote has a word more than the text.
        """
        folded = fold(self._text[start:end])
        words = [found.span() for found in _TOKENS.finditer(folded.plain)]
        changes = _changes(quote, folded.plain)
        first, last = 0, len(words)
        if changes and changes[0].tag == "insert" and changes[0].dest_start == 0:
            first = changes[0].dest_end
        if changes and changes[-1].tag == "insert" and changes[-1].dest_end == len(words):
            last = changes[-1].dest_start
        if first >= last:
            return start, end
        begin, finish = start + folded.starts[words[first][0]], start + folded.ends[words[last - 1][1] - 1]
        return (
            begin if is_border(self._text, begin) else start,
            finish if is_border(self._text, finish) else end,
        )

    def _match(
        self, state: State, places: list[tuple[int, int]], closest: str | None = None, differs: str | None = None
    ) -> Match:
        text, start, end = self._text, places[0][0], places[-1][1]
        negated = any(is_negated(text, begin) for begin, _ in places) or any(
            is_negated(text, begin, before) for (_, before), (begin, _) in pairwise(places)
        )
        return Match(
            state,
            start,
            end,
            sentence_around(text, start, end),
            negated,
            closest and _cut(closest, MAX_SENTENCE),
            differs and _cut(differs, MAX_DIFFERENCES),
        )


# Folding --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Folded:
    """A text without case, repeated spaces, ё and typography, and of each of its characters the offsets in the text."""

    plain: str
    starts: list[int]
    ends: list[int]

    def find(self, part: str, after: int, text: str) -> tuple[tuple[int, int], int] | None:
        """The first place in `text` of a folded part, from an offset of `plain` on; and the offset behind it."""
        first = self.plain.find(part, after)
        while first >= 0:
            last = first + len(part)
            # A character of the text may be several here, such as "...".
            whole = (first == 0 or self.starts[first - 1] != self.starts[first]) and (
                last == len(self.plain) or self.starts[last] != self.starts[last - 1]
            )
            start, end = self.starts[first], self.ends[last - 1]
            if whole and is_border(text, start) and is_border(text, end):
                return (start, end), last
            first = self.plain.find(part, first + 1)
        return None


def fold(text: str) -> Folded:
    """Fold a text. Digits stay as they are: a superscript is another number."""
    plain: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    space: int | None = None
    for found in _CHARACTER.finditer(text):
        character = found[0]
        if character.isspace():
            space = found.start() if plain and space is None else space
            continue
        if space is not None:
            plain.append(" ")
            starts.append(space)
            ends.append(found.start())
            space = None
        folded = unicodedata.normalize("NFC", character).casefold().translate(_FOLDED)
        plain.append(folded)
        starts += [found.start()] * len(folded)
        ends += [found.end()] * len(folded)
    return Folded("".join(plain), starts, ends)


def is_border(text: str, at: int) -> bool:
    """Whether no word and no number goes on at this offset."""
    return _INSIDE.match(text, at) is None


# Near matches ---------------------------------------------------------------------------------------------------------


def _most_similar(quote: str, plain: str) -> tuple[int, int] | None:
    """Where the folded text is most like the folded quote, if it is like it at all."""
    if len(quote) >= len(plain):  # the search would look for the text in the quote
        return (0, len(plain)) if plain and fuzz.ratio(quote, plain) >= MIN_SIMILARITY else None
    best, least = None, MIN_SIMILARITY
    for begin in range(0, len(plain), WINDOW):
        window = plain[begin : begin + WINDOW + len(quote)]
        if len(window) < len(quote) and begin:
            break  # it is the end of the window before
        found = fuzz.partial_ratio_alignment(quote, window, score_cutoff=least)
        if found is not None and found.dest_end > found.dest_start and (best is None or found.score > least):
            best, least = (begin + found.dest_start, begin + found.dest_end), found.score
    return best


def differences(quote: str, found: str) -> str:
    """The words in which two folded texts differ, as `15→12; ∅→не`."""
    source, target = _TOKENS.findall(quote), _TOKENS.findall(found)
    return "; ".join(
        f"{_joined(source[one.src_start : one.src_end])}→{_joined(target[one.dest_start : one.dest_end])}"
        for one in _changes(quote, found)
    )


def _changes(quote: str, found: str) -> list[Opcode]:
    """How the words of one folded text become those of the other."""
    return [one for one in Levenshtein.opcodes(_TOKENS.findall(quote), _TOKENS.findall(found)) if one.tag != "equal"]


def _joined(words: list[str]) -> str:
    return " ".join(words) or "∅"


# Around a match -------------------------------------------------------------------------------------------------------


def sentence_around(text: str, start: int, end: int) -> str:
    """The sentences that a match is in, at most `MAX_SENTENCE` characters; a `…` stands for what was cut off.

    No word and no number is cut: the rest of `12 500 000` is another number.
    """
    room = MAX_SENTENCE - 2 - (end - start)
    if room <= 0:
        return _cut(text[start:end], MAX_SENTENCE)
    low, high = max(0, start - MAX_SENTENCE), min(len(text), end + MAX_SENTENCE)
    begin = max((found.end() for found in _SENTENCE_END.finditer(text, low, start)), default=low)
    following = _SENTENCE_END.search(text, end - 1, high)
    finish = following.end() if following else high
    if finish - begin <= MAX_SENTENCE:
        return text[begin:finish].strip()
    before = min(start - begin, max(room // 2, room - (finish - end)))
    after = min(finish - end, room - before)
    first, last = start - before, end + after
    while first < start and not is_border(text, first):
        first += 1
    while last > end and not is_border(text, last):
        last -= 1
    return f"{'…' * (begin < first)}{text[first:last].strip()}{'…' * (last < finish)}"


def is_negated(text: str, start: int, after: int | None = None) -> bool:
    """Whether one of the last words before this offset, in the same clause, is a negation.

    With `after`, the end of the part of a quote before an omission, every omitted word of the clause counts.
    """
    clause = _CLAUSE_END.split(text[max(0, start - MAX_SENTENCE) if after is None else after : start])[-1]
    words = [word.casefold() for word in _WORDS.findall(clause.replace("’", "'"))]
    words = words[-NEGATION_REACH:] if after is None else words
    return any(word in NEGATIONS or word.endswith("n't") for word in words)


def _cut(text: str, characters: int) -> str:
    if len(text) <= characters:
        return text
    last = characters - 1
    end = next((at for at in range(last, 0, -1) if is_border(text, at)), last)  # without a border: one endless word
    return f"{text[:end].rstrip()}…"
