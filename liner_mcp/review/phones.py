"""Hiding phone numbers in text that people and recognisers wrote freely.

Pure functions on text that is already clean. This module may not know where a text comes from, nor whether a reader may
see phones; `privacy` is the front of all masking.

How a phone is found: a *run* is a stretch of digit groups with nothing but phone punctuation between them. Every group
of a run may begin a phone, and the rules below look at the digits from there on. A number that says it is a phone (a
plus, a Russian mobile, `123-45-67` at its end) is masked whatever stands around it; one that only might be is spared
behind a word such as "contract" and before a currency. In doubt a number is masked.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import NamedTuple

from liner_mcp.review.numbering import (
    RUSSIA,
    VALID,
    country_behind_zero,
    country_of,
    country_understood,
    rank,
    whole_number,
)

_OPEN, _CLOSE = "(（", ")）"
_PLUS = "+＋"

# What may stand between the groups of one phone: space, line break, dots, brackets, slashes, every dash in use (the
# hyphen that does not break and the full-width one too), and the frame of a keycap emoji, which wraps single digits.
_BETWEEN = r" \n.．·()（）/\-\u2010-\u2015\u2212\uff0d\u20e3"
_DASHES = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d")

_SHORTEST = 7  # the digits of `123-45-67`

# Four characters between groups are ` - (`. Digits and what stands between them do not overlap, so this pattern never
# has two ways to read a text and cannot blow up. Its group tells runs of ten digits or more; the others are mostly sums
# and dates, dropped at once unless `_SHORT` (`123-45-67`, `04 312 3456`) or a plus speaks for them.
_NEXT = rf"(?:[{_BETWEEN}]{{0,4}}\d)"
_RUN = re.compile(rf"\d{_NEXT}{{{_SHORTEST - 1}}}(?:({_NEXT}{{3,}})|{_NEXT}{{0,2}})")
_SHORT = re.compile(r"\d{3}[^\d\s/.]\d\d[^\d\s/.]\d\d|0\d\D{1,4}\d{3}\D")
_GROUP = re.compile(r"\d+")
_BRACKETED = re.compile(rf"[{_OPEN}][^{_OPEN}{_CLOSE}]*[{_CLOSE}]")

# Digits of a run that are surely no phone: a date with a four-digit year, or the last digits of a mask, a card's too.
_NO_PHONE = re.compile(
    r"(?<!\d)(?<!\d[-./])(?:\d{1,2}([-./])\d{1,2}\1(?:19|20)\d\d|(?:19|20)\d\d([-./])(?:0\d|1[0-2])\2[0-3]\d)(?![-./]?\d)"
    r"|(?<=\*\*-)\d\d(?!\d)|(?<=\*{4} )\d{4}(?!\d)"
)
_MASK = re.compile(r"(?:\+\d{1,3} )?\*{3} \*{3}-\*\*-\d\d|\*{3}\d{0,2}")

# Behind these words a number is a reference, and before these units it is a sum. Word endings are spelled out,
# or "заказал (ordered) 495 ..." would hide a phone from us.
_REFERENCE = re.compile(
    r"(?:[№#$€£₽]|\b(?:(?:договор|контракт|заказ|счёт|счет)(?:а|у|ом|е)?|заявк[аиеу]|инн|кпп|огрн|огрнип|бик|снилс"
    r"|паспорт|id|inn|contract|order|invoice|ticket|case|agreement))"
    r"(?:\s?(?:№|#|no\.?|number|номер))?[\s:.,\-–—\"«(]{0,3}$",
    re.IGNORECASE,
)
_REFERENCE_REACH = 32  # characters before a number in which the longest phrase above fits
_UNIT = re.compile(
    r"\s?(?:[₽$€£%]|руб|р\.|тыс|млн|млрд|долл|евро|дирх|тенге|м²|кв\.?\s?м|(?:aed|usd|eur|rub|kzt)\b)", re.IGNORECASE
)

_CAPITAL_CODES = ("495", "498", "499", "812")  # Moscow and St Petersburg: known by heart, so written without a country
_CITY_SHAPES = {(3, 7), (4, 2, 2, 2), (5, 1, 2, 2)}
_NEIGHBOURS = ("971", "375", "380", "374", "992", "994", "995", "996", "998")  # countries often written without a plus

_DIALLED_ABROAD = ("00", "810")  # by most of the world, and by Russia


def mask_phones(text: str) -> str:
    """The text with each phone as `+7 *** ***-**-67`: its country and its last two digits.

    Cards, contracts, sums, dates and ids stay. Masking a masked text changes nothing.
    """
    while True:
        masked = _mask_once(text)
        if masked == text:
            return text
        text = masked  # a mask may free its neighbours to be read anew; each round hides digits, so rounds end


def mask_phone(value: str | None) -> str | None:
    """A field that holds one phone; what cannot be read as a phone keeps two digits only, as `***67`."""
    if not value or _MASK.fullmatch(value):
        return value
    digits = _plain(value)
    number = whole_number(digits, has_plus=value.lstrip().startswith(tuple(_PLUS)))
    return f"***{digits[-2:]}" if number is None else _mask(country_of(number), number)


class _Run(NamedTuple):
    """Digit groups of a text that only phone punctuation parts."""

    text: str
    groups: list[tuple[int, int]]
    digits: str
    offsets: list[int]  # of each group in `digits`, and of its end
    ending_at: dict[int, int]  # offset in `digits` → the group that ends there
    plus: int | None  # where the plus stands that the first group belongs to

    def window(self, first: int, length: int) -> "_Window | None":
        """The groups from `first` on that hold exactly so many digits, if a group ends there."""
        offset = self.offsets[first]
        last = self.ending_at.get(offset + length)
        return None if last is None else _Window(self, first, last, self.digits[offset : offset + length])

    def dials_abroad(self, first: int) -> bool:
        """Whether a prefix such as `00` begins here; two single digits are a count rather than a prefix."""
        offset = self.offsets[first]
        spelled = offset + 1 in self.ending_at and offset + 2 in self.ending_at
        return not spelled and self.digits.startswith(_DIALLED_ABROAD, offset)

    def gap(self, group: int) -> str:
        """What stands between this group and the next; empty behind the last."""
        return self.text[self.groups[group][1] : self.groups[group + 1][0]] if group + 1 < len(self.groups) else ""

    def size(self, group: int) -> int:
        return self.groups[group][1] - self.groups[group][0]


class _Window(NamedTuple):
    """Neighbouring groups that may be one phone."""

    run: _Run
    first: int
    last: int
    digits: str

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(end - start for start, end in self.run.groups[self.first : self.last + 1])

    @property
    def span(self) -> tuple[int, int]:
        return self.run.groups[self.first][0], self.run.groups[self.last][1]

    @property
    def inside(self) -> str:
        return self.run.text[slice(*self.span)]

    @property
    def has_brackets(self) -> bool:
        """Whether a part of it, such as the area code, is in brackets, the first of which may stand in front."""
        start, end = self.span
        return _BRACKETED.search(self.run.text, max(start - 1, 0), end) is not None

    def is_sums(self) -> bool:
        """Whether all of it is sums grouped by thousands, such as `8 900 000 - 9 500 000`, even if cut short."""
        run, group = self.run, self.first
        while group <= self.last:
            following = group + 1
            separator = run.gap(group) if run.size(group) <= 3 else ""
            # One group past the window is enough to tell; going on would make long runs quadratic.
            while separator in {" ", "."} and following <= self.last + 1 and run.gap(following - 1) == separator:
                if run.size(following) != 3:
                    break
                following += 1
            if following == group + 1:
                return False
            group = following
        return True


class _Phone(NamedTuple):
    window: _Window
    country: str  # its calling code; empty when it cannot be told
    certain: bool  # whether it is masked whatever stands around it


def _mask_once(text: str) -> str:
    pieces: list[str] = []
    done = 0
    for run in _runs(text):
        group = 0
        while len(run.digits) - run.offsets[group] >= _SHORTEST:
            phone = _phone_at(run, group)
            if phone is None:
                group += 1
                continue
            start, end = _span(phone, done)
            pieces += text[done:start], _mask(phone.country, phone.window.digits)
            done, group = end, phone.window.last + 1
    return "".join((*pieces, text[done:])) if pieces else text


def _runs(text: str) -> Iterator[_Run]:
    for match in _RUN.finditer(text):
        start, end = match.span()
        if match[1] is None and not _SHORT.search(match[0]) and _plus_before(text, start) is None:
            continue
        for known in _NO_PHONE.finditer(text, start, end):
            yield from _run(text, start, known.start())
            start = known.end()
        yield from _run(text, start, end)


def _run(text: str, start: int, end: int) -> Iterator[_Run]:
    """One run, or none where too few digits are left."""
    digits = _plain(text[start:end])
    if len(digits) < _SHORTEST:
        return
    groups = [match.span() for match in _GROUP.finditer(text, start, end)]
    ends = list(accumulate(group_end - group_start for group_start, group_end in groups))
    ending_at = {offset: group for group, offset in enumerate(ends)}
    yield _Run(text, groups, digits, [0, *ends], ending_at, _plus_before(text, groups[0][0]))


def _plus_before(text: str, position: int) -> int | None:
    """Where the plus of a number stands: right before it, or with a space or its bracket between."""
    before = text[max(position - 3, 0) : position]
    bare = before.rstrip(" " + _OPEN)
    return position - len(before) + len(bare) - 1 if bare[-1:] in tuple(_PLUS) else None


def _span(phone: _Phone, done: int) -> tuple[int, int]:
    """What the mask replaces: the digits, their plus, and a bracket whose partner goes."""
    window, text = phone.window, phone.window.run.text
    start, end = window.span
    if window.first == 0 and window.run.plus is not None:
        start = window.run.plus
    replaced = text[start:end]
    unopened = sum(map(replaced.count, _CLOSE)) - sum(map(replaced.count, _OPEN))
    if unopened > 0 and start > done and text[start - 1] in _OPEN:
        start -= 1
    elif unopened < 0 and text[end : end + 1] in tuple(_CLOSE):
        end += 1
    return start, end


def _phone_at(run: _Run, first: int) -> _Phone | None:
    """The phone that begins with this group, if one does."""
    if first == 0 and run.plus is not None and (phone := _after_plus(run)) is not None:
        return phone
    for length, rules in _RULES_ABROAD if run.dials_abroad(first) else _RULES:
        window = run.window(first, length)
        if window is None:
            continue
        for rule in rules:
            phone = rule(window)
            if phone is not None and not window.is_sums() and (phone.certain or not _is_reference_or_sum(window)):
                return phone
    return None


def _is_reference_or_sum(window: _Window) -> bool:
    text = window.run.text
    start, end = window.span
    before = text[max(start - _REFERENCE_REACH, 0) : start]
    return _REFERENCE.search(before) is not None or _UNIT.match(text, end) is not None


def _after_plus(run: _Run) -> _Phone | None:
    """`+971 50 123 4567`: the likeliest length by the country's plan; without a plan, all that a phone can hold."""
    best: _Window | None = None
    best_fit = -1
    for length in range(15, 6, -1):  # fifteen digits are the longest phone by ITU-T E.164
        window = run.window(0, length)
        if window is None or window.digits[0] == "0":
            continue
        fit = rank(window.digits)
        unlikely = length < 10 and (fit != VALID or window.is_sums())  # `+1 500 000` is a gain, not a phone
        if fit > best_fit and not unlikely and (fit == VALID or not _hides_another(window)):
            best, best_fit = window, fit
        if best_fit == VALID:
            break
    return None if best is None else _Phone(best, country_of(best.digits), certain=True)


def _hides_another(window: _Window) -> bool:
    """Whether a Russian phone begins within and ends beyond: masking the window would leave its last digits bare."""
    for group in range(window.first + 1, window.last + 1):
        other = window.run.window(group, 11)
        if other is not None and other.last > window.last and _russian(other) is not None and not other.is_sums():
            return True
    return False


def _russian(window: _Window) -> _Phone | None:
    """`8 (916) 123-45-67`, `79161234567`, `8 800 555 35 35`."""
    digits = window.digits
    if digits[0] not in "78":
        return None
    certain = digits[1] == "9" or window.shape == (1, 3, 3, 2, 2) or window.has_brackets
    return _Phone(window, RUSSIA, certain) if certain or rank(RUSSIA + digits[1:]) == VALID else None


def _abroad_without_plus(window: _Window) -> _Phone | None:
    """`00971 50 123 4567`, and `8 10 971 50 123 4567` as Russia dials it."""
    for prefix in _DIALLED_ABROAD:
        number = window.digits.removeprefix(prefix)
        if number != window.digits and rank(number) == VALID:
            return _Phone(window, country_of(number), certain=False)
    return None


def _with_trunk_zero(window: _Window) -> _Phone | None:
    """`050 123 4567` (a mobile of the Emirates), `04 312 3456` (Dubai), `0532 123 45 67`, `07911 123456`."""
    digits = window.digits
    if digits[0] != "0" or digits[1] == "0" or "/" in window.inside:
        return None
    shape = window.shape
    if len(digits) == 9:
        plausible = shape == (2, 3, 4)  # in one group it may be a bank's code
    elif len(shape) == 1:
        plausible = digits[1] in "57"  # the mobiles, else any id padded with a zero
    else:
        # Pairs from a zero are a date with its time, and single digits a count, unless they spell a mobile.
        plausible = shape[0] >= 3 or (max(shape) == 1 and digits[1] in "57")
    country = country_behind_zero(digits) if plausible else ""
    return _Phone(window, country, certain=False) if country else None


def _without_country(window: _Window) -> _Phone | None:
    """`9161234567`, `(495) 123-45-67`, `4852-12-34-56`: the country is understood."""
    digits, lead = window.digits, window.run.size(window.first)
    if digits[0] == "1" or (lead < 3 and digits[0] != "9") or "/" in window.inside:
        return None
    shape = window.shape
    if (window.has_brackets and lead >= 3) or shape == (3, 3, 2, 2):
        return _Phone(window, country_understood(digits), certain=True)
    mobile = digits[0] == "9" and (lead >= 3 or max(shape) <= 2)
    capital = len(shape) == 1 and digits.startswith(_CAPITAL_CODES)
    city = digits[0] != "0" and (shape == (3, 3, 4) or (digits[0] in "348" and shape in _CITY_SHAPES))
    return _Phone(window, country_understood(digits), certain=False) if mobile or capital or city else None


def _neighbour(window: _Window) -> _Phone | None:
    """`971 50 123 4567`, `998901234567`: a country's code whose plus got lost."""
    code = window.digits[:3]
    # A person's INN has twelve digits and begins with a region; no region is 97 or 99, and no code stands alone in it.
    plausible = code in _NEIGHBOURS and (code[0] == "9" or window.run.size(window.first) == 3)
    return _Phone(window, code, certain=False) if plausible and rank(window.digits) == VALID else None


def _local(window: _Window) -> _Phone | None:
    """`123-45-67`, if no further dash ties it to a longer number."""
    run, first, last = window.run, window.first, window.last
    if (
        run.size(first) != 3
        or window.shape != (3, 2, 2)
        or run.gap(first) not in _DASHES
        or run.gap(first + 1) not in _DASHES
    ):
        return None
    tied = (first > 0 and run.gap(first - 1).strip() in _DASHES) or run.gap(last).strip() in _DASHES
    return None if tied else _Phone(window, "", certain=False)


# By the number of digits; the longest reading is tried first, as it leaves the fewest digits bare.
_RULES: tuple[tuple[int, tuple[Callable[[_Window], _Phone | None], ...]], ...] = (
    (12, (_neighbour,)),
    (11, (_russian, _with_trunk_zero, _neighbour)),
    (10, (_with_trunk_zero, _without_country)),
    (9, (_with_trunk_zero,)),
    (7, (_local,)),
)
# A country's number of ten to fifteen digits behind its prefix of two or three.
_RULES_ABROAD = (*((length, (_abroad_without_plus,)) for length in range(18, 11, -1)), *_RULES)


def _mask(country: str, digits: str) -> str:
    prefix = f"+{country} " if country else ""
    return f"{prefix}*** ***-**-{digits[-2:]}"


def _plain(text: str) -> str:
    """The decimal digits of a text, whatever the script, as ASCII."""
    if text.isascii():
        return "".join(_GROUP.findall(text))
    return "".join(str(unicodedata.decimal(digit)) for group in _GROUP.findall(text) for digit in group)
