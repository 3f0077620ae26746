"""Hiding phone numbers in text that people and recognisers wrote freely.

Pure functions on text that is already clean. This module may not know where a text comes from, nor whether a reader may
see phones; `text.mask` is the only entry point of masking.

How a phone is found: a *run* is a stretch of digit groups with nothing but phone punctuation between them. Every group
of a run may begin a phone, and the rules below look at the digits from there on. A number that says it is a phone (a
plus, a Russian mobile, `123-45-67` at its end) is masked whatever stands around it; one that only might be is spared
behind a word such as "contract" and before a currency. In doubt a number is masked.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from liner_mcp.text.masking_steps import DigitReader, Steps, completed
from liner_mcp.text.phones.after_phone_word import after_phone_word_steps
from liner_mcp.text.phones.comma_separated import SUBSCRIBER_GROUPINGS, comma_separated_steps
from liner_mcp.text.phones.context_words import is_reference_or_amount
from liner_mcp.text.phones.digit_groups import (
    CLOSE,
    DASHES,
    INTERNATIONAL_PREFIXES,
    MIN_DIGITS,
    OPEN,
    PLUS,
    DigitRun,
    DigitSpan,
    DigitWindow,
    ascii_digits,
    find_runs,
    phone_mask,
)
from liner_mcp.text.phones.numbering_plans import (
    RUSSIA,
    VALID,
    country_of,
    country_of_trunk_zero,
    default_country,
    international_number,
    plan_fit,
)

_MASK = re.compile(r"(?:\+\d{1,3} )?\*{3} \*{3}-\*\*-\d\d|\*{3}\d{0,2}")

_CAPITAL_CODES = ("495", "498", "499", "812")  # Moscow and St Petersburg: known by heart, so written without a country
_CITY_GROUPINGS = {(3, 7), (4, 2, 2, 2), (5, 1, 2, 2)}
_MOBILE_GROUPINGS = {
    (11,),
    (1, 10),
    (1,) * 11,
    *((1, 3, *seven) for seven in SUBSCRIBER_GROUPINGS),
    *((4, *seven) for seven in SUBSCRIBER_GROUPINGS),
}
_NEIGHBOUR_COUNTRIES = (
    "971",
    "375",
    "380",
    "374",
    "992",
    "994",
    "995",
    "996",
    "998",
)  # countries often written without a plus


def mask_phones(text: str) -> str:
    """The text with each phone as `+7 *** ***-**-67`: its country and its last two digits.

    Cards, contracts, sums, dates and ids stay. Masking a masked text changes nothing.
    """
    return completed(_mask_phones_steps(text))


def _mask_phones_steps(text: str) -> Steps:
    reader = DigitReader()
    text, stretches = yield from reader.stretches(text)
    return (yield from phone_steps(text, stretches, reader))


def phone_steps(text: str, stretches: Sequence[DigitSpan], reader: DigitReader) -> Steps:
    """The same in steps, for a text whose stretches of digits are known."""
    while stretches:
        begun = text
        found: tuple[str, list[DigitSpan]]
        for rule in (comma_separated_steps, _certain_steps, after_phone_word_steps):
            masked: str = yield from rule(text, stretches)
            if masked is not text:
                found = yield from reader.stretches(masked)
                text, stretches = found
        if text is begun:
            break
        # A mask may free its neighbours to be read anew; each round hides digits, so rounds end.
        found = yield from reader.stretches(text)
        text, stretches = found
    return text


def mask_phone(value: str | None) -> str | None:
    """A field that holds one phone; what cannot be read as a phone keeps two digits only, as `***67`."""
    if not value or _MASK.fullmatch(value):
        return value
    digits = ascii_digits(value)
    number = international_number(digits, has_plus=value.lstrip().startswith(tuple(PLUS)))
    return f"***{digits[-2:]}" if number is None else phone_mask(country_of(number), number)


class _Phone(NamedTuple):
    window: DigitWindow
    country: str  # its calling code; empty when it is unknown
    certain: bool  # whether it is masked whatever stands around it


def _certain_steps(text: str, stretches: Sequence[DigitSpan]) -> Steps:
    """The text without what is a phone by its digits and its shape."""
    pieces: list[str] = []
    done = 0
    for run in find_runs(text, stretches):
        group = 0
        while len(run.digits) - run.offsets[group] >= MIN_DIGITS:
            phone = _phone_at(run, group)
            if phone is None:
                group += 1
                continue
            start, end = _masked_span(phone, done)
            pieces += text[done:start], phone_mask(phone.country, phone.window.digits)
            done, group = end, phone.window.last + 1
        yield len(run.digits)
    return "".join((*pieces, text[done:])) if pieces else text


def _masked_span(phone: _Phone, done: int) -> tuple[int, int]:
    """What the mask replaces: the digits, their plus, and a bracket whose partner goes."""
    window, text = phone.window, phone.window.run.text
    start, end = window.span
    if window.first == 0 and window.run.plus is not None:
        start = window.run.plus
    replaced = text[start:end]
    unopened = sum(map(replaced.count, CLOSE)) - sum(map(replaced.count, OPEN))
    if unopened > 0 and start > done and text[start - 1] in OPEN:
        start -= 1
    elif unopened < 0 and text[end : end + 1] in tuple(CLOSE):
        end += 1
    return start, end


def _phone_at(run: DigitRun, first: int) -> _Phone | None:
    """The phone that begins with this group, if one does."""
    if first == 0 and run.plus is not None and (phone := _after_plus(run)) is not None:
        return phone
    for length, rules in _INTERNATIONAL_RULES if run.has_international_prefix(first) else _RULES:
        window = run.window(first, length)
        if window is None:
            continue
        for rule in rules:
            phone = rule(window)
            if phone is None or window.is_amounts() or _cuts_mobile_number(window):
                continue
            if phone.certain or not is_reference_or_amount(window):
                return phone
    return None


def _after_plus(run: DigitRun) -> _Phone | None:
    """`+971 50 123 4567`: the likeliest length by the country's plan; without a plan, all that a phone can hold."""
    best: DigitWindow | None = None
    best_fit = -1
    for length in range(15, 6, -1):  # fifteen digits are the longest phone by ITU-T E.164
        window = run.window(0, length)
        if window is None or window.digits[0] == "0":
            continue
        fit = plan_fit(window.digits)
        unlikely = length < 10 and (fit != VALID or window.is_amounts())  # `+1 500 000` is a gain, not a phone
        if fit > best_fit and not unlikely and (fit == VALID or not _cuts_russian_number(window)):
            best, best_fit = window, fit
        if best_fit == VALID:
            break
    return None if best is None else _Phone(best, country_of(best.digits), certain=True)


def _cuts_russian_number(window: DigitWindow) -> bool:
    """Whether a Russian phone begins within and ends beyond: masking the window would leave its last digits bare."""
    for group in range(window.first + 1, window.last + 1):
        other = window.run.window(group, 11)
        if other is not None and other.last > window.last and _russian(other) is not None and not other.is_amounts():
            return True
    return False


def _cuts_mobile_number(window: DigitWindow) -> bool:
    """Whether digits before a Russian mobile look like a phone with its beginning: `79 8-932-481-82-70`."""
    if _is_mobile(window):
        return False
    for group in range(window.first + 1, window.last + 1):
        if window.run.digits[window.run.offsets[group]] in "78":
            other = window.run.window(group, 11)
            if other is not None and other.last > window.last and _is_mobile(other) and not other.is_amounts():
                return True
    return False


def _is_mobile(window: DigitWindow) -> bool:
    """Whether it is a Russian mobile in the groups that people use."""
    digits, shape = window.digits, window.group_sizes
    return len(digits) == 11 and digits[0] in "78" and digits[1] == "9" and shape in _MOBILE_GROUPINGS


def _russian(window: DigitWindow) -> _Phone | None:
    """`8 (916) 123-45-67`, `79161234567`, `8 800 555 35 35`."""
    digits = window.digits
    if digits[0] not in "78":
        return None
    certain = digits[1] == "9" or window.group_sizes == (1, 3, 3, 2, 2) or window.has_brackets
    return _Phone(window, RUSSIA, certain) if certain or plan_fit(RUSSIA + digits[1:]) == VALID else None


def _with_international_prefix(window: DigitWindow) -> _Phone | None:
    """`00971 50 123 4567`, and `8 10 971 50 123 4567` as Russia dials it."""
    for prefix in INTERNATIONAL_PREFIXES:
        number = window.digits.removeprefix(prefix)
        if number != window.digits and plan_fit(number) == VALID:
            return _Phone(window, country_of(number), certain=False)
    return None


def _with_trunk_zero(window: DigitWindow) -> _Phone | None:
    """`050 123 4567` (a mobile of the Emirates), `04 312 3456` (Dubai), `0532 123 45 67`, `07911 123456`."""
    digits = window.digits
    if digits[0] != "0" or digits[1] == "0" or "/" in window.text:
        return None
    shape = window.group_sizes
    if len(digits) == 9:
        plausible = shape == (2, 3, 4)  # in one group it may be a bank's code
    elif len(shape) == 1:
        plausible = digits[1] in "57"  # the mobiles, else any id padded with a zero
    else:
        # Pairs from a zero are a date with its time, and single digits a count, unless they spell a mobile.
        plausible = shape[0] >= 3 or (max(shape) == 1 and digits[1] in "57")
    country = country_of_trunk_zero(digits) if plausible else ""
    return _Phone(window, country, certain=False) if country else None


def _without_country(window: DigitWindow) -> _Phone | None:
    """`9161234567`, `(495) 123-45-67`, `4852-12-34-56`: the country is understood."""
    digits, lead = window.digits, window.run.group_size(window.first)
    if digits[0] == "1" or (lead < 3 and digits[0] != "9") or "/" in window.text:
        return None
    shape = window.group_sizes
    if (window.has_brackets and lead >= 3) or shape == (3, 3, 2, 2):
        return _Phone(window, default_country(digits), certain=True)
    mobile = digits[0] == "9" and (lead >= 3 or max(shape) <= 2)
    capital = len(shape) == 1 and digits.startswith(_CAPITAL_CODES)
    city = digits[0] != "0" and (shape == (3, 3, 4) or (digits[0] in "348" and shape in _CITY_GROUPINGS))
    return _Phone(window, default_country(digits), certain=False) if mobile or capital or city else None


def _with_neighbour_code(window: DigitWindow) -> _Phone | None:
    """`971 50 123 4567`, `998901234567`: a country's code whose plus got lost."""
    code = window.digits[:3]
    # A person's INN has twelve digits and begins with a region; no region is 97 or 99, and no code stands alone in it.
    plausible = code in _NEIGHBOUR_COUNTRIES and (code[0] == "9" or window.run.group_size(window.first) == 3)
    return _Phone(window, code, certain=False) if plausible and plan_fit(window.digits) == VALID else None


def _local_number(window: DigitWindow) -> _Phone | None:
    """`123-45-67`, if no further dash ties it to a longer number."""
    run, first, last = window.run, window.first, window.last
    if (
        run.group_size(first) != 3
        or window.group_sizes != (3, 2, 2)
        or run.separator(first) not in DASHES
        or run.separator(first + 1) not in DASHES
    ):
        return None
    tied = (first > 0 and run.separator(first - 1).strip() in DASHES) or run.separator(last).strip() in DASHES
    return None if tied else _Phone(window, "", certain=False)


# By the number of digits; the longest reading is tried first, as it leaves the fewest digits bare.
_RULES: tuple[tuple[int, tuple[Callable[[DigitWindow], _Phone | None], ...]], ...] = (
    (12, (_with_neighbour_code,)),
    (11, (_russian, _with_trunk_zero, _with_neighbour_code)),
    (10, (_with_trunk_zero, _without_country)),
    (9, (_with_trunk_zero,)),
    (7, (_local_number,)),
)
# A country's number of ten to fifteen digits behind its prefix of two or three.
_INTERNATIONAL_RULES = (*((length, (_with_international_prefix,)) for length in range(18, 11, -1)), *_RULES)
