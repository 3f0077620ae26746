"""Hiding numbers of which a word says that they are phones: `тел. 1234567`, `phone 33612345678`.

Pure, on text that is already clean, in which what is a phone without a word was hidden before. Behind such a word
seven digits are a phone, and so is what fits a country's plan without its plus; sums, dates and measures stay.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from liner_mcp.text.masking_steps import Steps
from liner_mcp.text.phones.comma_separated import MAX_DIGITS, SUBSCRIBER_GROUPINGS
from liner_mcp.text.phones.context_words import (
    continues_masked_list,
    continues_phone_list,
    follows_phone_word,
    precedes_unit,
)
from liner_mcp.text.phones.digit_groups import (
    MIN_DIGITS,
    NOT_A_PHONE,
    DigitRun,
    DigitSpan,
    DigitWindow,
    find_in_spans,
    is_phone_punctuation,
    parse_run,
    phone_mask,
)
from liner_mcp.text.phones.numbering_plans import RUSSIA, VALID, country_of, default_country, plan_fit

# No asterisk parts the groups, or a mask would belong to the number behind it. Digits and what parts them do not
# overlap, so a text is read once.
_RUN = re.compile(r"\d(?:(?:[^\w#№%$€£₽+＋=&@*]|_){0,4}\d){6,}")
_LOCAL_GROUPINGS = {*SUBSCRIBER_GROUPINGS, (1,) * 7}  # how a phone of seven digits is said


class _Phone(NamedTuple):
    window: DigitWindow
    country: str  # its calling code; empty when it is unknown


def after_phone_word_steps(text: str, stretches: Sequence[DigitSpan]) -> Steps:
    """The text without the numbers of which a word says that they are phones, and those that are joined to such."""
    pieces: list[str] = []
    done = 0
    for match in find_in_spans(_RUN, text, stretches):
        begin, end = match.span()
        yield end - begin
        of_a_mask = text.endswith("**-", 0, begin)
        if not (of_a_mask or (done and continues_phone_list(text, done, begin)) or follows_phone_word(text, begin)):
            continue
        for run in parse_run(text, begin, end):
            first = int(of_a_mask)  # the digits that a mask left belong to it
            while len(run.digits) - run.offsets[first] >= MIN_DIGITS:
                start = run.groups[first][0]
                joined = done > 0 and continues_phone_list(text, done, start)
                if (not joined and not follows_phone_word(text, start)) or NOT_A_PHONE.match(text, start):
                    break
                phone = _phone_after_word(run, first)
                one_more = joined or continues_masked_list(text, start)
                if phone is None or (one_more and phone.window.digits.endswith("000")):
                    break  # a sum behind a phone
                pieces += text[done:start], phone_mask(phone.country, phone.window.digits)
                done, first = phone.window.span[1], phone.window.last + 1
    return "".join((*pieces, text[done:])) if pieces else text


def _phone_after_word(run: DigitRun, first: int) -> _Phone | None:
    """The phone that a word says begins with this group: a whole one, then a local one, then what is left."""
    rest = len(run.digits) - run.offsets[first]
    windows = [window for length in range(MAX_DIGITS, MIN_DIGITS - 1, -1) if (window := run.window(first, length))]
    windows = [window for window in windows if _is_evenly_separated(window) and not window.is_amounts()]
    windows = [window for window in windows if not precedes_unit(run.text, window.span[1])]
    known = [_Phone(window, country) for window in windows if (country := _country(window.digits))]
    for phone in known:
        if len(phone.window.digits) == rest or (phone.country == RUSSIA and len(phone.window.digits) == 11):
            return phone
    if windows and len(windows[-1].digits) == MIN_DIGITS and windows[-1].group_sizes in _LOCAL_GROUPINGS:
        return _Phone(windows[-1], "")
    if known:
        return known[0]
    whole = windows[0] if windows and len(windows[0].digits) == rest > MIN_DIGITS + 1 else None
    return None if whole is None or "000" in whole.digits else _Phone(whole, "")


def _is_evenly_separated(window: DigitWindow) -> bool:
    """Whether the same sign parts all groups, or phone punctuation does."""
    gaps = window.separators
    return is_phone_punctuation(gaps) or len(set(gaps)) == 1


def _country(digits: str) -> str:
    if len(digits) == 11 and digits[0] in "78":
        return RUSSIA
    if len(digits) == 10:
        return default_country(digits)
    return country_of(digits) if len(digits) > MIN_DIGITS and digits[0] != "0" and plan_fit(digits) == VALID else ""
