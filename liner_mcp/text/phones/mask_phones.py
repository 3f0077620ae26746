"""Masks phone numbers in free text. Pure; the text is already clean. `text.mask` is the entry point.

Every group of a run may begin a phone; the rules below look at the digits from there on. A number that is surely a
phone (by a plus, as a Russian mobile, by `123-45-67` at its end) is always masked. A number that only may be one is not
masked after a word such as "contract" or before a currency. In doubt a number is masked.
"""

import re
from collections.abc import Callable, Sequence
from operator import mul

from liner_mcp.text.masking_steps import DigitReader, MaskedText, Steps
from liner_mcp.text.phones.after_phone_word import after_phone_word_steps
from liner_mcp.text.phones.comma_separated import SUBSCRIBER_GROUPINGS, comma_separated_steps
from liner_mcp.text.phones.context_words import is_reference_or_amount
from liner_mcp.text.phones.digit_groups import (
    CLOSE,
    DASHES,
    INTERNATIONAL_PREFIXES,
    MAX_DIGITS,
    MIN_DIGITS,
    OPEN,
    PLUS,
    DigitRun,
    DigitSpan,
    DigitWindow,
    Phone,
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

_CAPITAL_CODES = ("495", "498", "499", "812")  # Moscow and St Petersburg: often written without the country
_CITY_GROUPINGS = {(3, 7), (4, 2, 2, 2), (5, 1, 2, 2)}
_MOBILE_GROUPINGS = {
    (11,),
    (1, 10),
    (1,) * 11,
    *((1, 3, *seven) for seven in SUBSCRIBER_GROUPINGS),
    *((4, *seven) for seven in SUBSCRIBER_GROUPINGS),
}
# Often written without a plus.
_NEIGHBOUR_COUNTRIES = ("971", "373", "374", "375", "380", "992", "993", "994", "995", "996", "998")
_INN_WEIGHTS = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)  # of a person's INN; its first check digit uses all but the first


def phone_steps(text: str, spans: Sequence[DigitSpan], reader: DigitReader) -> Steps:
    """Mask each phone in these spans as `+7 *** ***-**-67`: its country and its last two digits.

    Cards, contracts, amounts, dates and ids stay. Masking a masked text changes nothing.
    """
    while spans:
        before = text
        found: tuple[str, list[DigitSpan]]
        for rule in (comma_separated_steps, _run_steps, after_phone_word_steps):
            masked: str = yield from rule(text, spans)
            if masked is not text:
                found = yield from reader.spans(masked)
                text, spans = found
        if text is before:
            break
    return text  # a mask can reveal another phone beside it; every round masks digits, so this ends


def mask_phone(value: str | None) -> str | None:
    """Mask a field that holds one phone. A value that is no valid phone keeps its last two digits only, as `***67`."""
    if not value or _MASK.fullmatch(value):
        return value
    digits = ascii_digits(value)
    number = international_number(digits, has_plus=value.lstrip().startswith(tuple(PLUS)))
    return f"***{digits[-2:]}" if number is None else phone_mask(country_of(number), number)


def _run_steps(text: str, spans: Sequence[DigitSpan]) -> Steps:
    """Mask what is a phone by its digits and its groups."""
    masked = MaskedText(text)
    for run in find_runs(text, spans):
        group = 0
        while len(run.digits) - run.offsets[group] >= MIN_DIGITS:
            phone = _phone_at(run, group)
            if phone is None:
                group += 1
                continue
            masked.replace(*_masked_span(phone.window, masked.end), phone.mask)
            group = phone.window.last + 1
        yield len(run.digits)
    return masked.result()


def _masked_span(window: DigitWindow, done: int) -> tuple[int, int]:
    """The part that the mask replaces: the digits, their plus, and a bracket whose partner is replaced."""
    text = window.run.text
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


def _phone_at(run: DigitRun, first: int) -> Phone | None:
    """The phone that begins with this group, if there is one."""
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


def _after_plus(run: DigitRun) -> Phone | None:
    """`+971 50 123 4567`: the length that fits the country's plan best; the longest one if several fit equally."""
    best: DigitWindow | None = None
    best_fit = -1
    for length in range(MAX_DIGITS, MIN_DIGITS - 1, -1):
        window = run.window(0, length)
        if window is None or window.digits[0] == "0":
            continue
        fit = plan_fit(window.digits)
        unlikely = length < 10 and (fit != VALID or window.is_amounts())  # `+1 500 000` is an amount
        if fit > best_fit and not unlikely and (fit == VALID or not _cuts_russian_number(window)):
            best, best_fit = window, fit
        if best_fit == VALID:
            break
    return None if best is None else Phone(best, country_of(best.digits), certain=True)


def _cuts_russian_number(window: DigitWindow) -> bool:
    """Whether a Russian phone begins in the window and ends after it: a mask would leave its last digits visible."""
    return _cuts(window, lambda other: _russian(other) is not None)


def _cuts_mobile_number(window: DigitWindow) -> bool:
    """Whether the window is other digits and the beginning of a Russian mobile: `79 8-932-481-82-70`."""
    return not _is_mobile(window) and _cuts(window, _is_mobile)


def _cuts(window: DigitWindow, is_phone: Callable[[DigitWindow], bool]) -> bool:
    """Whether such a phone of eleven digits begins in the window and ends after it."""
    run = window.run
    for group in range(window.first + 1, window.last + 1):
        other = run.window(group, 11) if run.digits[run.offsets[group]] in "78" else None
        if other is not None and other.last > window.last and is_phone(other) and not other.is_amounts():
            return True
    return False


def _is_mobile(window: DigitWindow) -> bool:
    """Whether this is a Russian mobile in usual groups."""
    digits, shape = window.digits, window.group_sizes
    return len(digits) == 11 and digits[0] in "78" and digits[1] == "9" and shape in _MOBILE_GROUPINGS


def _russian(window: DigitWindow) -> Phone | None:
    """`8 (916) 123-45-67`, `79161234567`, `8 800 555 35 35`."""
    digits = window.digits
    if digits[0] not in "78":
        return None
    certain = digits[1] == "9" or window.group_sizes == (1, 3, 3, 2, 2) or window.has_brackets
    return Phone(window, RUSSIA, certain) if certain or plan_fit(RUSSIA + digits[1:]) == VALID else None


def _with_international_prefix(window: DigitWindow) -> Phone | None:
    """`00971 50 123 4567`, and `8 10 971 50 123 4567` as dialled in Russia."""
    for prefix in INTERNATIONAL_PREFIXES:
        number = window.digits.removeprefix(prefix)
        if number != window.digits and plan_fit(number) == VALID:
            return Phone(window, country_of(number))
    return None


def _with_trunk_zero(window: DigitWindow) -> Phone | None:
    """`050 123 4567` (a mobile of the Emirates), `04 312 3456` (Dubai), `0532 123 45 67`, `07911 123456`."""
    digits = window.digits
    if digits[0] != "0" or digits[1] == "0" or "/" in window.text:
        return None
    shape = window.group_sizes
    if len(digits) == 9:
        plausible = shape == (2, 3, 4)  # nine digits in one group may be the code of a bank
    elif len(shape) == 1:
        plausible = digits[1] in "57"  # mobiles; other digits may be an id padded with a zero
    else:
        # Pairs may be a date with a time, and single digits a list of scores, unless they spell a mobile.
        plausible = shape[0] >= 3 or (max(shape) == 1 and digits[1] in "57")
    country = country_of_trunk_zero(digits) if plausible else ""
    return Phone(window, country) if country else None


def _without_country(window: DigitWindow) -> Phone | None:
    """`9161234567`, `(495) 123-45-67`, `4852-12-34-56`: the country is left out."""
    digits, lead = window.digits, window.run.group_size(window.first)
    if digits[0] == "1" or (lead < 3 and digits[0] != "9") or "/" in window.text:
        return None
    shape = window.group_sizes
    if (window.has_brackets and lead >= 3) or shape == (3, 3, 2, 2):
        return Phone(window, default_country(digits), certain=True)
    mobile = digits[0] == "9" and (lead >= 3 or max(shape) <= 2)
    capital = len(shape) == 1 and digits.startswith(_CAPITAL_CODES)
    city = digits[0] != "0" and (shape == (3, 3, 4) or (digits[0] in "348" and shape in _CITY_GROUPINGS))
    return Phone(window, default_country(digits)) if mobile or capital or city else None


def _with_neighbour_code(window: DigitWindow) -> Phone | None:
    """`971 50 123 4567`, `998901234567`: a calling code without its plus."""
    code = window.digits[:3]
    if code not in _NEIGHBOUR_COUNTRIES or plan_fit(window.digits) != VALID:
        return None
    # A person's INN (tax number) has twelve digits and begins with a region, which is never 97 or 99. It is one group.
    inn = code[0] == "3" and len(window.group_sizes) == 1 and _is_inn(window.digits)
    return None if inn else Phone(window, code)


def _is_inn(digits: str) -> bool:
    """Whether both check digits are those of an INN, which a phone has by chance in one of a hundred."""
    values = [int(digit) for digit in digits]
    checks = (sum(map(mul, _INN_WEIGHTS[skipped:], values)) % 11 % 10 for skipped in (1, 0))
    return len(values) == 12 and [*checks] == values[10:]


def _belarusian(window: DigitWindow) -> Phone | None:
    """`80291234567`, as dialled within Belarus."""
    number = "375" + window.digits[2:]
    return Phone(window, "375") if window.digits.startswith("80") and plan_fit(number) == VALID else None


def _local_number(window: DigitWindow) -> Phone | None:
    """`123-45-67`, if no other dash joins it to a longer number."""
    run, first, last = window.run, window.first, window.last
    if window.group_sizes != (3, 2, 2) or not DASHES.issuperset(window.separators):
        return None
    joined = (first > 0 and run.separator(first - 1).strip() in DASHES) or run.separator(last).strip() in DASHES
    return None if joined else Phone(window, "")


# By the number of digits. The longest is tried first, because it leaves the fewest digits visible.
_RULES: tuple[tuple[int, tuple[Callable[[DigitWindow], Phone | None], ...]], ...] = (
    (12, (_with_neighbour_code,)),
    (11, (_belarusian, _russian, _with_trunk_zero, _with_neighbour_code)),
    (10, (_with_trunk_zero, _without_country)),
    (9, (_with_trunk_zero,)),
    (7, (_local_number,)),
)
# An international number of ten to fifteen digits after a prefix of two or three.
_INTERNATIONAL_RULES = (*((length, (_with_international_prefix,)) for length in range(18, 11, -1)), *_RULES)
