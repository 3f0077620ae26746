"""Stretches of digits in a text, and the groups that they fall into.

Pure, on text that is already clean. A *run* is a stretch of digit groups with nothing but phone punctuation between
them; a *window* is some neighbouring groups of it. What a window means is decided in `mask_phones`.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

OPEN, CLOSE = "(（", ")）"
PLUS = "+＋"

# What may stand between the groups of one phone: space, line break, dots, brackets, slashes, every dash in use (the
# hyphen that does not break and the full-width one too), and the frame of a keycap emoji, which wraps single digits.
_SEPARATORS = r" \n.．·()（）/\-\u2010-\u2015\u2212\uff0d\u20e3"
DASHES = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d")

MIN_DIGITS = 7  # the digits of `123-45-67`

# Four characters between groups are ` - (`. Digits and what stands between them do not overlap, so this pattern never
# has two ways to read a text and cannot blow up. Its group tells runs of ten digits or more; the others are mostly sums
# and dates, dropped at once unless `_SHORT` (`123-45-67`, `04 312 3456`) or a plus speaks for them.
_NEXT = rf"(?:[{_SEPARATORS}]{{0,4}}\d)"
_RUN = re.compile(rf"\d{_NEXT}{{{MIN_DIGITS - 1}}}(?:({_NEXT}{{3,}})|{_NEXT}{{0,2}})")
_SHORT = re.compile(r"\d{3}[^\d\s/.]\d\d[^\d\s/.]\d\d|0\d\D{1,4}\d{3}\D")
_PHONE_PUNCTUATION = re.compile(rf"[{_SEPARATORS}]{{0,4}}")
_GROUP = re.compile(r"\d+")
_BRACKETED = re.compile(rf"[{OPEN}][^{OPEN}{CLOSE}]*[{CLOSE}]")

# Digits of a run that are surely no phone: a date with a four-digit year, or the last digits of a mask, a card's too.
NOT_A_PHONE = re.compile(
    r"(?<!\d)(?<!\d[-./])(?:\d{1,2}([-./])\d{1,2}\1(?:19|20)\d\d|(?:19|20)\d\d([-./])(?:0\d|1[0-2])\2[0-3]\d)(?![-./]?\d)"
    r"|(?<=\*\*-)\d\d(?!\d)|(?<=\*{4} )\d{4}(?!\d)"
)

INTERNATIONAL_PREFIXES = ("00", "810")  # by most of the world, and by Russia


# Neither letters nor digits, nor the signs that make a sum, a share, a reference or an address of a number; and the
# words that people say for a dash.
SEPARATOR = r"(?:[^\w#№%$€£₽+＋=&@]|_|&nbsp;|дефис|тире|пробел|dash|hyphen)"
MAX_SEPARATORS = 6  # a dash in bold type with its spaces
_DIGIT_SPAN = re.compile(rf"\d(?:{SEPARATOR}{{0,{MAX_SEPARATORS}}}\d){{{MIN_DIGITS - 1},}}")

DigitSpan = tuple[int, int]


class DigitRun(NamedTuple):
    """Digit groups of a text that only phone punctuation parts."""

    text: str
    groups: list[tuple[int, int]]
    digits: str
    offsets: list[int]  # of each group in `digits`, and of its end
    ending_at: dict[int, int]  # offset in `digits` → the group that ends there
    plus: int | None  # where the plus stands that the first group belongs to

    def window(self, first: int, length: int) -> "DigitWindow | None":
        """The groups from `first` on that hold exactly so many digits, if a group ends there."""
        offset = self.offsets[first]
        last = self.ending_at.get(offset + length)
        return None if last is None else DigitWindow(self, first, last, self.digits[offset : offset + length])

    def has_international_prefix(self, first: int) -> bool:
        """Whether a prefix such as `00` begins here; two single digits are a count rather than a prefix."""
        offset = self.offsets[first]
        spelled = offset + 1 in self.ending_at and offset + 2 in self.ending_at
        return not spelled and self.digits.startswith(INTERNATIONAL_PREFIXES, offset)

    def separator(self, group: int) -> str:
        """What stands between this group and the next; empty behind the last."""
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
        """What parts its groups."""
        return [self.run.separator(group) for group in range(self.first, self.last)]

    @property
    def has_brackets(self) -> bool:
        """Whether a part of it, such as the area code, is in brackets, the first of which may stand in front."""
        start, end = self.span
        return _BRACKETED.search(self.run.text, max(start - 1, 0), end) is not None

    def is_amounts(self) -> bool:
        """Whether all of it is sums grouped by thousands, such as `8 900 000 - 9 500 000`, even if cut short."""
        run, group = self.run, self.first
        while group <= self.last:
            following = group + 1
            separator = run.separator(group) if run.group_size(group) <= 3 else ""
            # One group past the window is enough to tell; going on would make long runs quadratic.
            while separator in {" ", "."} and following <= self.last + 1 and run.separator(following - 1) == separator:
                if run.group_size(following) != 3:
                    break
                following += 1
            if following == group + 1:
                return False
            group = following
        return True


def find_digit_spans(text: str) -> list[DigitSpan]:
    """Where there are digits enough for a phone, however they are parted: all rules look there, and nowhere else."""
    return [match.span() for match in _DIGIT_SPAN.finditer(text)]


def find_in_spans(pattern: re.Pattern[str], text: str, stretches: Iterable[DigitSpan]) -> Iterator[re.Match[str]]:
    """What a pattern finds there."""
    for start, end in stretches:
        yield from pattern.finditer(text, start, end)


def find_runs(text: str, stretches: Iterable[DigitSpan]) -> Iterator[DigitRun]:
    """The runs whose digits phone punctuation parts, as far as they may be phones."""
    for match in find_in_spans(_RUN, text, stretches):
        start, end = match.span()
        if match[1] is None and not _SHORT.search(match[0]) and plus_before(text, start) is None:
            continue
        for known in NOT_A_PHONE.finditer(text, start, end):
            yield from parse_run(text, start, known.start())
            start = known.end()
        yield from parse_run(text, start, end)


def parse_run(text: str, start: int, end: int) -> Iterator[DigitRun]:
    """One run, or none where too few digits are left."""
    digits = ascii_digits(text[start:end])
    if len(digits) < MIN_DIGITS:
        return
    groups = [match.span() for match in _GROUP.finditer(text, start, end)]
    ends = list(accumulate(group_end - group_start for group_start, group_end in groups))
    ending_at = {offset: group for group, offset in enumerate(ends)}
    yield DigitRun(text, groups, digits, [0, *ends], ending_at, plus_before(text, groups[0][0]))


def plus_before(text: str, position: int) -> int | None:
    """Where the plus of a number stands: right before it, or with a space or its bracket between."""
    before = text[max(position - 3, 0) : position]
    bare = before.rstrip(" " + OPEN)
    return position - len(before) + len(bare) - 1 if bare[-1:] in tuple(PLUS) else None


def ascii_digits(text: str) -> str:
    """The decimal digits of a text, whatever the script, as ASCII."""
    if text.isascii():
        return "".join(_GROUP.findall(text))
    return "".join(str(unicodedata.decimal(digit)) for group in _GROUP.findall(text) for digit in group)


def is_phone_punctuation(gaps: list[str]) -> bool:
    """Whether nothing but phone punctuation parts the groups."""
    return all(_PHONE_PUNCTUATION.fullmatch(gap) for gap in gaps)


def phone_mask(country: str, digits: str) -> str:
    """What stands for a phone; `country` is empty when it is unknown."""
    prefix = f"+{country} " if country else ""
    return f"{prefix}*** ***-**-{digits[-2:]}"
