"""The part of a text that shows a hit. Pure; the text is as it is shown, cleaned and masked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from liner_mcp.search.matching import Hit
from liner_mcp.text.negations import NEGATION_REACH, NEGATIONS

PASSAGE_CHARACTERS = 160  # as many as a preview of a summary has: a sentence, and some of its neighbours
_CONTEXT_BEFORE = 3  # a third of the context stands before the hit: what follows says more
# A mask of `text.mask`: `+7 *** ***-**-67`, `**** 1234`, `***@mail.ru`. It is shown whole.
_MASK = r"(?:\+\d{1,3} )?\*(?:[* \-]{0,20}\*)?(?:[ \-]?\d{1,4}|@\S{0,80})?"
# Without its beginning, `12 500 000` is another number.
_WHOLE = re.compile(rf"{_MASK}|(?<!\d)\d{{1,3}}(?:\s\d{{3}}){{1,5}}(?!\d)")
# Without the negation, the words behind it say the opposite.
_NEGATED = re.compile(
    rf"\b(?:{'|'.join(sorted(NEGATIONS))}|\w+n['’]t)(?=((?:\s+\w+){{1,{NEGATION_REACH}}}))", re.IGNORECASE
)
_NEGATED_REACH = 60  # characters before a passage in which such a negation is looked for


def passage(text: str, hits: Sequence[Hit], size: int = PASSAGE_CHARACTERS) -> str:
    """About `size` characters of the text around the hits, which are in order, with as many groups as fit.

    It begins and ends between words, is a literal part of the text, and has `…` where the text goes on.
    """
    first, last = _densest(hits, size)
    start, end = _context(text, first, last, size)
    for whole in _WHOLE.finditer(text):
        if whole.start() < start < whole.end():
            start = whole.end() if whole.end() <= first else whole.start()
        if whole.start() < end < whole.end():
            end = whole.start() if whole.start() >= last else whole.end()
    for negated in _NEGATED.finditer(text, max(start - _NEGATED_REACH, 0), last):
        if negated.start() < start < negated.end(1):
            start = negated.start()
    shown = text[start:end].strip()
    return f"{'…' if text[:start].strip() else ''}{shown}{'…' if text[end:].strip() else ''}"


def _densest(hits: Sequence[Hit], size: int) -> tuple[int, int]:
    """The span of at most `size` characters that holds hits of the most groups, the first of several."""
    best: tuple[int, int, int] = (0, 0, 0)
    for index, (_, start, own_end) in enumerate(hits):
        groups: set[int] = set()
        end = own_end
        for other in range(index, len(hits)):
            group, _, other_end = hits[other]
            if other_end - start > size:
                break
            if group not in groups:
                groups.add(group)
                end = max(end, other_end)
        if len(groups) > best[0]:
            best = (len(groups), start, end)
    _, first, last = best if best[0] else (1, hits[0][1], hits[0][2])
    return first, last


def _context(text: str, first: int, last: int, size: int) -> tuple[int, int]:
    """Where a passage around a span begins and ends, between two words."""
    room = max(size - (last - first), 0)
    start = max(first - room // _CONTEXT_BEFORE, 0)
    end = min(start + max(size, last - first), len(text))
    start = max(min(start, end - size), 0)
    if start and not text[start - 1].isspace():
        start = next((index for index in range(start, first) if text[index].isspace()), first)
    if end < len(text) and not text[end].isspace():
        end = next((index for index in range(end, last, -1) if text[index].isspace()), last)
    return start, end
