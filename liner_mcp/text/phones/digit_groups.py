"""Digits in a text: spans, runs, windows. Pure; the text is already clean.

A *span* is a part of a text that holds digits and any separators. A *run* is a sequence of digit groups. A *window* is
some neighbouring groups of a run: the rules of masking decide whether it is a phone.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

OPEN, CLOSE = "(（", ")）"
PLUS = "+＋"

# Phone punctuation: space, line break, dots, brackets, slashes, all dashes (the non-breaking and the full-width one
# too), and the frame of a keycap emoji, which encloses one digit.
_SEPARATORS = r" \n.．·()（）/\-\u2010-\u2015\u2212\uff0d\u20e3"
DASHES = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d")

MIN_DIGITS = 7  # `123-45-67`
MAX_DIGITS = 15  # of an international number, by ITU-T E.164

# Four characters between groups allow ` - (`. A separator is never a digit, so there is one way to match. Group 1
# matches in runs of ten digits or more. Shorter runs are mostly amounts and dates; they count only if they have a plus
# or match `_SHORT` (`123-45-67`, `04 312 3456`).
_NEXT = rf"(?:[{_SEPARATORS}]{{0,4}}\d)"
_RUN = re.compile(rf"\d{_NEXT}{{{MIN_DIGITS - 1}}}(?:({_NEXT}{{3,}})|{_NEXT}{{0,2}})")
_SHORT = re.compile(r"\d{3}[^\d\s/.]\d\d[^\d\s/.]\d\d|0\d\D{1,4}\d{3}\D")
_PHONE_PUNCTUATION = re.compile(rf"[{_SEPARATORS}]{{0,4}}")
_GROUP = re.compile(r"\d+")
_BRACKETED = re.compile(rf"[{OPEN}][^{OPEN}{CLOSE}]*[{CLOSE}]")

# Digits that are no part of a phone: a date with a four-digit year, and the last digits of a masked phone or card.
NOT_A_PHONE = re.compile(
    r"(?<!\d)(?<!\d[-./])(?:\d{1,2}([-./])\d{1,2}\1(?:19|20)\d\d|(?:19|20)\d\d([-./])(?:0\d|1[0-2])\2[0-3]\d)(?![-./]?\d)"
    r"|(?<=\*\*-)\d\d(?!\d)|(?<=\*{4} )\d{4}(?!\d)"
)

INTERNATIONAL_PREFIXES = ("00", "810")  # in most of the world, and in Russia

# A character that is neither a letter nor a digit, nor a sign of an amount, a share, a reference or an address; or a
# word for a dash.
SEPARATOR = r"(?:[^\w#№%$€£₽+＋=&@]|_|&nbsp;|дефис|тире|пробел|dash|hyphen)"
MAX_SEPARATORS = 6  # a dash in bold type with its spaces
_DIGIT_SPAN = re.compile(rf"\d(?:{SEPARATOR}{{0,{MAX_SEPARATORS}}}\d){{{MIN_DIGITS - 1},}}")

DigitSpan = tuple[int, int]


class DigitRun(NamedTuple):
    """Neighbouring digit groups of a text."""

    text: str
    groups: list[tuple[int, int]]
    digits: str
    offsets: list[int]  # where each group begins in `digits`, and the length of `digits`
    ending_at: dict[int, int]  # offset in `digits` → the group that ends there
    plus: int | None  # the position of a plus before the first group

    def window(self, first: int, length: int) -> "DigitWindow | None":
        """The groups from `first` on with exactly `length` digits; None if no group ends there."""
        offset = self.offsets[first]
        last = self.ending_at.get(offset + length)
        return None if last is None else DigitWindow(self, first, last, self.digits[offset : offset + length])

    def has_international_prefix(self, first: int) -> bool:
        """Whether a prefix such as `00` begins with this group. Two groups of one digit are not a prefix."""
        offset = self.offsets[first]
        spelled = offset + 1 in self.ending_at and offset + 2 in self.ending_at
        return not spelled and self.digits.startswith(INTERNATIONAL_PREFIXES, offset)

    def separator(self, group: int) -> str:
        """The text between this group and the next; empty after the last group."""
        return self.text[self.groups[group][1] : self.groups[group + 1][0]] if group + 1 < len(self.groups) else ""

    def group_size(self, group: int) -> int:
        return self.groups[group][1] - self.groups[group][0]


class DigitWindow(NamedTuple):
    """Neighbouring groups that may be one phone."""

    run: DigitRun
    first: int
    last: int
    digits: str

    @property
    def group_sizes(self) -> tuple[int, ...]:
        return tuple(end - start for start, end in self.run.groups[self.first : self.last + 1])

    @property
    def span(self) -> tuple[int, int]:
        return self.run.groups[self.first][0], self.run.groups[self.last][1]

    @property
    def text(self) -> str:
        return self.run.text[slice(*self.span)]

    @property
    def separators(self) -> list[str]:
        return [self.run.separator(group) for group in range(self.first, self.last)]

    @property
    def has_brackets(self) -> bool:
        """Whether a part such as the area code is in brackets. The opening one may stand before the first group."""
        start, end = self.span
        return _BRACKETED.search(self.run.text, max(start - 1, 0), end) is not None

    def is_amounts(self) -> bool:
        """Whether all groups belong to amounts grouped by thousands, such as `8 900 000 - 9 500 000`."""
        run, group = self.run, self.first
        while group <= self.last:
            following = group + 1
            separator = run.separator(group) if run.group_size(group) <= 3 else ""
            # One group after the window is enough. Reading further would take quadratic time on long runs.
            while separator in {" ", "."} and following <= self.last + 1 and run.separator(following - 1) == separator:
                if run.group_size(following) != 3:
                    break
                following += 1
            if following == group + 1:
                return False
            group = following
        return True


class Phone(NamedTuple):
    """A phone that a rule found. `certain`: the words around it do not matter."""

    window: DigitWindow
    country: str  # its calling code; empty if unknown
    certain: bool = False

    @property
    def mask(self) -> str:
        return phone_mask(self.country, self.window.digits)


def find_digit_spans(text: str) -> list[DigitSpan]:
    """The spans with enough digits for a phone, whatever separates them. All rules search these spans only."""
    return [match.span() for match in _DIGIT_SPAN.finditer(text)]


def find_in_spans(pattern: re.Pattern[str], text: str, spans: Iterable[DigitSpan]) -> Iterator[re.Match[str]]:
    for start, end in spans:
        yield from pattern.finditer(text, start, end)


def find_runs(text: str, spans: Iterable[DigitSpan]) -> Iterator[DigitRun]:
    """The runs with only phone punctuation between their groups that may hold a phone."""
    for match in find_in_spans(_RUN, text, spans):
        start, end = match.span()
        if match[1] is None and not _SHORT.search(match[0]) and plus_before(text, start) is None:
            continue
        for known in NOT_A_PHONE.finditer(text, start, end):
            yield from parse_run(text, start, known.start())
            start = known.end()
        yield from parse_run(text, start, end)


def parse_run(text: str, start: int, end: int) -> Iterator[DigitRun]:
    """One run, or none if there are too few digits."""
    digits = ascii_digits(text[start:end])
    if len(digits) < MIN_DIGITS:
        return
    groups = [match.span() for match in _GROUP.finditer(text, start, end)]
    ends = list(accumulate(group_end - group_start for group_start, group_end in groups))
    ending_at = {offset: group for group, offset in enumerate(ends)}
    yield DigitRun(text, groups, digits, [0, *ends], ending_at, plus_before(text, groups[0][0]))


def plus_before(text: str, position: int) -> int | None:
    """The position of the plus before a number; a space or a bracket may stand between."""
    before = text[max(position - 3, 0) : position]
    bare = before.rstrip(" " + OPEN)
    return position - len(before) + len(bare) - 1 if bare[-1:] in tuple(PLUS) else None


def ascii_digits(text: str) -> str:
    """The decimal digits of a text in any script, as ASCII."""
    if text.isascii():
        return "".join(_GROUP.findall(text))
    return "".join(str(unicodedata.decimal(digit)) for group in _GROUP.findall(text) for digit in group)


def is_phone_punctuation(gaps: list[str]) -> bool:
    return all(_PHONE_PUNCTUATION.fullmatch(gap) for gap in gaps)


def phone_mask(country: str, digits: str) -> str:
    """`+7 *** ***-**-67`, or without the code if `country` is empty."""
    prefix = f"+{country} " if country else ""
    return f"{prefix}*** ***-**-{digits[-2:]}"
