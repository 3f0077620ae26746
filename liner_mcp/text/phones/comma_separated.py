"""Masks phones with unusual separators: commas, underscores, the word for a dash. Pure; the text is already clean.

A speech recogniser that hears pauses writes `8, 916, 123, 45, 67`; a file name holds `8_916_123_45_67`; Markdown holds
`**8** **916** …`. Only the group sizes distinguish such a phone from a list of numbers, so only usual ones count.
"""

import re
from collections.abc import Sequence
from itertools import accumulate

from liner_mcp.text.masking_steps import MaskedText, Steps
from liner_mcp.text.phones.context_words import follows_list_word, precedes_unit
from liner_mcp.text.phones.digit_groups import (
    MAX_DIGITS,
    MAX_SEPARATORS,
    MIN_DIGITS,
    PLUS,
    SEPARATOR,
    DigitRun,
    DigitSpan,
    DigitWindow,
    Phone,
    is_phone_punctuation,
    parse_run,
)
from liner_mcp.text.phones.numbering_plans import RUSSIA, VALID, country_of, plan_fit

# A separator is never a digit, and each repetition is bounded, so there is one way to match.
_SEPARATED = rf"{SEPARATOR}{{1,{MAX_SEPARATORS}}}"
_NEXT = rf"(?:{_SEPARATED})?\d"
_COMMA_SEPARATED = re.compile(
    rf"[78](?<!\d\d)(?:{_SEPARATED})?[3489](?:{_NEXT}){{9}}(?!\d)"
    rf"|(?<=[{PLUS}])\d{{1,3}}{_SEPARATED}\d(?:{_NEXT}){{5,12}}(?!\d)"
    r"|9(?<!\d\d)\d\d_\d{3}_\d\d_?\d\d(?!\d)"
)
_BRACKETS = "()[]{}*"
_LIST_SIGN = re.compile("[,;]")
_MASK_BEFORE = re.compile(r"\*\*-\d\d\D{1,6}\Z")
_ITEMS_BEFORE = re.compile(r"(?:(?<!\*\*-)(?<!\d)\d{1,4}[,;] ?){1,8}\Z")
_REACH = 48  # characters before a number: room for eight items of a list

# How people group the seven digits after an area code.
SUBSCRIBER_GROUPINGS = {(3, 2, 2), (3, 4), (2, 2, 3), (2, 3, 2), (7,), (4, 3), (1, 2, 2, 2), (3, 2, 1, 1), (3, 1, 1, 2)}
_SUBSCRIBER_BOUNDARIES = {3, 5, 7}  # of `123 45 67`; in dictation its groups are split further


def comma_separated_steps(text: str, spans: Sequence[DigitSpan]) -> Steps:
    """Mask the phones whose groups have commas, underscores and the like between them."""
    masked = MaskedText(text)
    for begin, end in spans:
        position = begin
        while match := _COMMA_SEPARATED.search(text, position, end):
            start = match.start()
            position = start + 1  # the number of a flat before a phone can look like its beginning
            # A masked phone is not an item of a list.
            before = text[max(masked.end, start - _REACH) : start]
            for run in parse_run(text, *match.span()):
                window = _foreign(run) or _russian(run, before)
                if window is not None:
                    country = RUSSIA if run.plus is None else country_of(window.digits)
                    position = window.span[1]
                    masked.replace(start if run.plus is None else run.plus, position, Phone(window, country).mask)
        yield end - begin
    return masked.result()


def _is_in_a_list(before: str) -> bool:
    """Whether a list of numbers stands before: two numbers, or one after a word such as "flats"."""
    items = _ITEMS_BEFORE.search(before)
    if items is None:
        return False
    # A single flat is more likely part of an address than of a list.
    single_flat = before.endswith(("кв. ", "кв "), 0, items.start())
    return len(_LIST_SIGN.findall(items[0])) > 1 or (follows_list_word(before, items.start()) and not single_flat)


def _foreign(run: DigitRun) -> DigitWindow | None:
    """`+971, 50, 123, 45, 67`: the calling code is a group of its own, and the number fits the plan."""
    if run.plus is None or run.digits[: run.group_size(0)] != country_of(run.digits):
        return None
    for length in range(MAX_DIGITS, MIN_DIGITS, -1):
        window = run.window(0, length)
        if window is None or is_phone_punctuation(gaps := window.separators) or len(set(gaps)) > 1:
            continue
        if plan_fit(window.digits) == VALID:
            return window
    return None


def _russian(run: DigitRun, before: str) -> DigitWindow | None:
    """`8, 916, 123, 45, 67`, `8 (916) 123, 45, 67`, `7_916_123_4567`, `8, 9, 1, 6, …`, `916_123_45_67`."""
    if len(run.digits) == 10:
        return run.window(0, 10)
    window = run.window(0, 11)
    if window is None:
        return None
    shape, gaps = window.group_sizes, window.separators
    if len(shape) == 11:
        return window if window.digits[1] == "9" and _is_single_spelled_number(window, gaps, before) else None
    if is_phone_punctuation(gaps[1:]) and (shape[0] == 1 or is_phone_punctuation(gaps)):
        return None  # a usual phone after the comma of a sentence
    seven = shape[2:] if shape[:2] == (1, 3) else shape[1:] if shape[0] == 4 else ()
    usual = seven in SUBSCRIBER_GROUPINGS if window.digits[1] == "9" else seven in {(3, 2, 2), (3, 4)}
    if not usual and not (window.digits[1] == "9" and _SUBSCRIBER_BOUNDARIES.issubset(accumulate(seven))):
        return None
    if (
        run.plus is None
        and _LIST_SIGN.search("".join(gaps))
        and (_is_in_a_list(before) or not _is_single_number(window, gaps))
    ):
        return None
    return window


def _is_single_spelled_number(window: DigitWindow, gaps: list[str], before: str) -> bool:
    """Whether exactly eleven single digits have equal separators. A list of scores can have any length."""
    gap, (start, end) = gaps[-1], window.span
    if len({separator.strip(_BRACKETS) for separator in gaps}) > 1 or (not gap.strip() and is_phone_punctuation(gaps)):
        return False
    text, behind = window.run.text, end + len(gap)
    goes_on = text.startswith(gap, end) and text[behind : behind + 1].isdigit()
    listed = before.endswith(gap) and before[: -len(gap)][-1:].isdigit() and not _MASK_BEFORE.search(before)
    return window.run.plus is not None or not (goes_on or listed or follows_list_word(text, start))


def _is_single_number(window: DigitWindow, gaps: list[str]) -> bool:
    """Whether the commas separate groups of one number, and not several numbers."""
    run, (start, end) = window.run, window.span
    amount_first = (
        run.group_size(0) <= 3 and run.group_size(1) == run.group_size(2) == 3 and gaps[0] == gaps[1] in {" ", ".", ","}
    )
    if amount_first and gaps[2:3] != gaps[:1] and window.digits[run.offsets[3] - 2 : run.offsets[3]] == "00":
        return False  # `8 950 000, 12, 15`
    return not (follows_list_word(run.text, start) or precedes_unit(run.text, end))
