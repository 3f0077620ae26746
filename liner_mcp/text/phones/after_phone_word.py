"""Masks numbers that follow a word for a phone: `тел. 1234567`, `phone 33612345678`. Pure; the text is already clean.

Phones that need no such word are masked before. Behind such a word, seven digits are a phone, and so is a number that
fits a country's numbering plan without its plus. Amounts, dates and measures stay.
"""

import re
from collections.abc import Sequence

from liner_mcp.text.masking_steps import MaskedText, Steps
from liner_mcp.text.phones.comma_separated import SUBSCRIBER_GROUPINGS
from liner_mcp.text.phones.context_words import (
    continues_masked_list,
    continues_phone_list,
    follows_phone_word,
    precedes_unit,
)
from liner_mcp.text.phones.digit_groups import (
    MAX_DIGITS,
    MIN_DIGITS,
    NOT_A_PHONE,
    DigitRun,
    DigitSpan,
    DigitWindow,
    Phone,
    find_in_spans,
    is_phone_punctuation,
    parse_run,
)
from liner_mcp.text.phones.numbering_plans import RUSSIA, VALID, country_of, default_country, plan_fit

# An asterisk is no separator, or a mask would become part of the number after it.
_RUN = re.compile(r"\d(?:(?:[^\w#№%$€£₽+＋=&@*]|_){0,4}\d){6,}")
_LOCAL_GROUPINGS = {*SUBSCRIBER_GROUPINGS, (1,) * 7}  # how people group a phone of seven digits


def after_phone_word_steps(text: str, spans: Sequence[DigitSpan]) -> Steps:
    """Mask the numbers after a word for a phone, and the numbers that continue a list of such phones."""
    masked = MaskedText(text)
    for match in find_in_spans(_RUN, text, spans):
        begin, end = match.span()
        yield end - begin
        in_mask = text.endswith("**-", 0, begin)
        in_list = masked.end > 0 and continues_phone_list(text, masked.end, begin)
        if not (in_mask or in_list or follows_phone_word(text, begin)):
            continue
        for run in parse_run(text, begin, end):
            first = int(in_mask)  # the first group is the last two digits of a mask
            while len(run.digits) - run.offsets[first] >= MIN_DIGITS:
                start = run.groups[first][0]
                in_list = masked.end > 0 and continues_phone_list(text, masked.end, start)
                known = in_list or (start == begin and not in_mask) or follows_phone_word(text, start)
                if not known or NOT_A_PHONE.match(text, start):
                    break
                phone = _phone_after_word(run, first)
                in_list = in_list or continues_masked_list(text, start)
                if phone is None or (in_list and phone.window.digits.endswith("000")):
                    break  # an amount after a phone
                masked.replace(start, phone.window.span[1], phone.mask)
                first = phone.window.last + 1
    return masked.result()


def _phone_after_word(run: DigitRun, first: int) -> Phone | None:
    """The phone that begins with this group after a word: with a known country, else local, else the whole run."""
    rest = len(run.digits) - run.offsets[first]
    windows = [window for length in range(MAX_DIGITS, MIN_DIGITS - 1, -1) if (window := run.window(first, length))]
    windows = [window for window in windows if _is_evenly_separated(window) and not window.is_amounts()]
    windows = [window for window in windows if not precedes_unit(run.text, window.span[1])]
    known = [Phone(window, country) for window in windows if (country := _country(window.digits))]
    for phone in known:
        if len(phone.window.digits) == rest or (phone.country == RUSSIA and len(phone.window.digits) == 11):
            return phone
    if windows and len(windows[-1].digits) == MIN_DIGITS and windows[-1].group_sizes in _LOCAL_GROUPINGS:
        return Phone(windows[-1], "")
    if known:
        return known[0]
    whole = windows[0] if windows and len(windows[0].digits) == rest > MIN_DIGITS + 1 else None
    return None if whole is None or "000" in whole.digits else Phone(whole, "")


def _is_evenly_separated(window: DigitWindow) -> bool:
    """Whether all separators are equal, or all are phone punctuation."""
    gaps = window.separators
    return is_phone_punctuation(gaps) or len(set(gaps)) == 1


def _country(digits: str) -> str:
    if len(digits) == 11 and digits[0] in "78":
        return RUSSIA
    if len(digits) == 10:
        return default_country(digits)
    return country_of(digits) if len(digits) > MIN_DIGITS and digits[0] != "0" and plan_fit(digits) == VALID else ""
