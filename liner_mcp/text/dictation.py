"""Reads numbers as people dictate them: words between the groups, words for numbers, letters for digits. Pure.

A speech recogniser writes `8 926, да, 123, сорок пять, 67` and `8 9О5 123 45 67`. Such a run of groups is rewritten
with digits and separators only. If the other rules find a phone or a card in that, it is masked in the text; else the
text stays as it is.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import NamedTuple

from liner_mcp.text.masking_steps import MaskedText, Steps, search_work
from liner_mcp.text.phones.digit_groups import MIN_DIGITS, ascii_digits

_VALUES = {
    "ноль": 0, "нуль": 0, "один": 1, "два": 2, "три": 3, "четыре": 4, "пять": 5, "шесть": 6, "семь": 7, "восемь": 8,
    "девять": 9, "десять": 10, "одиннадцать": 11, "двенадцать": 12, "тринадцать": 13, "четырнадцать": 14,
    "пятнадцать": 15, "шестнадцать": 16, "семнадцать": 17, "восемнадцать": 18, "девятнадцать": 19, "двадцать": 20,
    "тридцать": 30, "сорок": 40, "пятьдесят": 50, "шестьдесят": 60, "семьдесят": 70, "восемьдесят": 80,
    "девяносто": 90, "сто": 100, "двести": 200, "триста": 300, "четыреста": 400, "пятьсот": 500, "шестьсот": 600,
    "семьсот": 700, "восемьсот": 800, "девятьсот": 900,
}  # fmt: skip

# What people say between two groups: that they listen, that more follows, and what stands there.
_PAUSE = (
    r"(?:и|да|а|это|там|ага|угу|так|вот|ну|раз|потом|дальше|далее|затем|ещ[её]|значит|хорошо|понял|поняла|записал|записала"
    r"|записываю|слушаю|верно|э+|эм+|э-э+|м-м+|мм+|последние|тире|дефис|пробел|скобк[аи]|код|номер|телефон"
    r"|and|then|yes|ok|okay|um+|uh+|dash|hyphen|space)"
)
_NUMBER_WORD = f"(?:{'|'.join(sorted(_VALUES, key=len, reverse=True))})"
_LETTERS = "оoз"  # a recogniser and a hurried hand write these for 0 and 3
_DIGIT_FOR_LETTER = str.maketrans(_LETTERS, "003")
_DIGITS = rf"[\d{_LETTERS}]*\d[\d{_LETTERS}]*"
_GAP = r"[^\w#№%$€£₽=&@+*]{1,5}"
_TOKEN = rf"(?:{_DIGITS}|{_NUMBER_WORD}(?: {_NUMBER_WORD}){{0,2}})(?![^\W_])"
_MOST_TOKENS = 24
# Each repetition is bounded, and a gap holds neither letters nor digits, so there is one way to match.
_RUN = re.compile(
    rf"\d(?<![^\W_]\d)(?<!\*\*-\d)(?<!\*{{4}} \d)[\d{_LETTERS}]*(?![^\W_])"
    rf"(?:{_GAP}(?:{_PAUSE}{_GAP}){{0,2}}{_TOKEN}){{2,{_MOST_TOKENS}}}"
)
# Without a match there is no such run. This search takes half the time.
_HINT = re.compile(
    rf"\d(?![ ,.]{{0,2}}\d)(?:[{_LETTERS}]|{_GAP}(?:(?:{_PAUSE}|{_NUMBER_WORD})(?![^\W_])|[{_LETTERS}]{{1,3}}\d))"
)
_PARTS = re.compile(rf"(?<![^\W_]){_TOKEN}")
_COUNTRY_WORD = re.compile(rf"(?<![^\W_])(?:плюс )?(?:восемь|семь){_GAP}\Z")
_HAS_LETTER = re.compile(r"[^\W\d_]")
_MASKS = re.compile(r"(?:\+\d{1,3} )?\*{3} \*{3}-\*\*-\d\d|\*{4} \d{4}")
_REACH = 72  # characters before a number in which other rules look for words


class _Reading(NamedTuple):
    """A run of groups, rewritten with digits. Positions in it lead back to the text by whole groups."""

    text: str
    starts: list[int]  # where each group begins in the reading
    spans: list[tuple[int, int]]  # where it stands in the original text


def dictated_steps(text: str, mask_numbers: Callable[[str], Steps]) -> Steps:
    """Mask what `mask_numbers` masks when dictated numbers are written in digits."""
    lower = text.lower()
    lower = lower if len(lower) == len(text) else text  # positions in both must be equal
    yield search_work(text)
    if "семь" not in lower and _HINT.search(lower) is None:
        return text
    masked = MaskedText(text)
    for match in _RUN.finditer(lower):
        start, end = match.span()
        near = lower[max(start - 16, masked.end) : start]
        country = _COUNTRY_WORD.search(near) if "семь" in near else None
        if country is None and _HAS_LETTER.search(match[0]) is None:
            continue  # the other rules read it as it is
        yield end - start
        reading = _reading(lower, start - len(country[0]) if country else start, end)
        before = _without_digits(text[max(masked.end, reading.spans[0][0] - _REACH) : reading.spans[0][0]])
        after = _before_digits(text[end : end + 16])
        if sum(map(str.isdigit, reading.text)) < MIN_DIGITS:
            continue
        shown: str = yield from mask_numbers(f"{before}{reading.text}{after}")
        if shown.startswith(before) and shown.endswith(after):
            _replace(masked, reading, shown[len(before) : len(shown) - len(after)])
    yield search_work(text)
    return masked.result()


def _reading(text: str, start: int, end: int) -> _Reading:
    """The groups of a run in digits. Words between become a comma."""
    written, starts, spans, length = list[str](), list[int](), list[tuple[int, int]](), 0
    for part in _PARTS.finditer(text, start, end):
        gap = text[spans[-1][1] : part.start()] if spans else ""
        if _HAS_LETTER.search(gap):
            gap = ", "
        written += gap, _in_digits(part[0])
        starts.append(length + len(gap))
        length += len(gap) + len(written[-1])
        spans.append(part.span())
    return _Reading("".join(written), starts, spans)


def _in_digits(token: str) -> str:
    """`сорок пять` → `45`; `сорок сто` → `40 100`; `9О5` → `905`."""
    if any(map(str.isdigit, token)):
        return token.translate(_DIGIT_FOR_LETTER)
    numbers: list[int] = []
    room = 0  # the next word joins the number before it if its value is smaller than this
    for word in token.split():
        value = _VALUES[word]
        if 0 < value < room:
            numbers[-1] += value
        else:
            numbers.append(value)
        room = 100 if value >= 100 else 10 if value >= 20 else 0
    return " ".join(map(str, numbers))


def _replace(masked: MaskedText, reading: _Reading, shown: str) -> None:
    """Replace in the text the groups that masks replaced in the reading."""
    masks = list(_MASKS.finditer(shown))
    ends = [*(mask.start() for mask in masks[1:]), len(shown)]
    position = begin = 0  # where the text after the mask before begins, in `shown` and in the reading
    for mask, following in zip(masks, ends, strict=False):
        first = begin + mask.start() - position
        position = mask.end()
        behind = shown[position:following]
        begin = _end_of_number(reading.text, first, mask[0], behind, is_last=mask is masks[-1])
        group, last = bisect_right(reading.starts, first) - 1, bisect_left(reading.starts, begin) - 1
        masked.replace(reading.spans[group][0], reading.spans[last][1], mask[0])


def _end_of_number(text: str, first: int, mask: str, behind: str, *, is_last: bool) -> int:
    """Where the number that a mask replaced ends: it has the same last digits and the same text behind it."""
    end = len(text) - len(behind)
    is_card = mask.startswith("****")
    shown_digits, fewest = (mask[-4:], 13) if is_card else (mask[-2:], MIN_DIGITS)
    position = text.find(behind, first)
    while not is_last and -1 < position < end:
        number = ascii_digits(text[first:position])
        if len(number) >= fewest and number.endswith(shown_digits):
            return position
        position = text.find(behind, position + 1)
    return end


def _without_digits(text: str) -> str:
    """The end of a text after its last digit."""
    return re.split(r"\d", text)[-1]


def _before_digits(text: str) -> str:
    return re.split(r"\d", text, maxsplit=1)[0]
