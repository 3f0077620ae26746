"""Hiding numbers of which a word says that they are phones: `тел. 1234567`, `phone 33612345678`.

Pure, on text that is already clean, in which what is a phone without a word was hidden before. Behind such a word
seven digits are a phone, and so is what fits a country's plan without its plus; sums, dates and measures stay.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from liner_mcp.text.masking_steps import Steps
from liner_mcp.text.phones.comma_separated import LONGEST, SAID
from liner_mcp.text.phones.context_words import is_announced, is_joined, is_joined_to_mask, is_measured
from liner_mcp.text.phones.digit_groups import (
    NO_PHONE,
    SHORTEST,
    Run,
    Stretch,
    Window,
    found_in,
    hidden,
    is_usual,
    run_between,
)
from liner_mcp.text.phones.numbering_plans import RUSSIA, VALID, country_of, country_understood, rank

# No asterisk parts the groups, or a mask would belong to the number behind it. Digits and what parts them do not
# overlap, so a text is read once.
_RUN = re.compile(r"\d(?:(?:[^\w#№%$€£₽+＋=&@*]|_){0,4}\d){6,}")
_LOCAL = {*SAID, (1,) * 7}  # how a phone of seven digits is said


class _Phone(NamedTuple):
    window: Window
    country: str  # its calling code; empty when it cannot be told


def announced_steps(text: str, stretches: Sequence[Stretch]) -> Steps:
    """The text without the numbers of which a word says that they are phones, and those that are joined to such."""
    pieces: list[str] = []
    done = 0
    for match in found_in(_RUN, text, stretches):
        begin, end = match.span()
        yield end - begin
        of_a_mask = text.endswith("**-", 0, begin)
        if not (of_a_mask or (done and is_joined(text, done, begin)) or is_announced(text, begin)):
            continue
        for run in run_between(text, begin, end):
            first = int(of_a_mask)  # the digits that a mask left belong to it
            while len(run.digits) - run.offsets[first] >= SHORTEST:
                start = run.groups[first][0]
                joined = done > 0 and is_joined(text, done, start)
                if (not joined and not is_announced(text, start)) or NO_PHONE.match(text, start):
                    break
                phone = _announced(run, first)
                one_more = joined or is_joined_to_mask(text, start)
                if phone is None or (one_more and phone.window.digits.endswith("000")):
                    break  # a sum behind a phone
                pieces += text[done:start], hidden(phone.country, phone.window.digits)
                done, first = phone.window.span[1], phone.window.last + 1
    return "".join((*pieces, text[done:])) if pieces else text


def _announced(run: Run, first: int) -> _Phone | None:
    """The phone that a word says begins with this group: a whole one, then a local one, then what is left."""
    rest = len(run.digits) - run.offsets[first]
    windows = [window for length in range(LONGEST, SHORTEST - 1, -1) if (window := run.window(first, length))]
    windows = [window for window in windows if _is_even(window) and not window.is_sums()]
    windows = [window for window in windows if not is_measured(run.text, window.span[1])]
    known = [_Phone(window, country) for window in windows if (country := _country(window.digits))]
    for phone in known:
        if len(phone.window.digits) == rest or (phone.country == RUSSIA and len(phone.window.digits) == 11):
            return phone
    if windows and len(windows[-1].digits) == SHORTEST and windows[-1].shape in _LOCAL:
        return _Phone(windows[-1], "")
    if known:
        return known[0]
    whole = windows[0] if windows and len(windows[0].digits) == rest > SHORTEST + 1 else None
    return None if whole is None or "000" in whole.digits else _Phone(whole, "")


def _is_even(window: Window) -> bool:
    """Whether the same sign parts all groups, or phone punctuation does."""
    gaps = window.gaps
    return is_usual(gaps) or len(set(gaps)) == 1


def _country(digits: str) -> str:
    if len(digits) == 11 and digits[0] in "78":
        return RUSSIA
    if len(digits) == 10:
        return country_understood(digits)
    return country_of(digits) if len(digits) > SHORTEST and digits[0] != "0" and rank(digits) == VALID else ""
