"""Hiding phones whose groups are parted by what usually parts other things: commas, underscores, the word for a dash.

Pure, on text that is already clean. A recogniser that hears pauses writes `8, 916, 123, 45, 67`, the name of a file
holds `8_916_123_45_67`, Markdown `**8** **916** …`. Only its shape tells such a phone from a list of numbers, so only
the shapes count in which people say a phone.
"""

import re
from collections.abc import Sequence

from liner_mcp.text.masking_steps import Steps
from liner_mcp.text.phones.context_words import follows_list_word, precedes_unit
from liner_mcp.text.phones.digit_groups import (
    MAX_SEPARATORS,
    MIN_DIGITS,
    PLUS,
    SEPARATOR,
    DigitRun,
    DigitSpan,
    DigitWindow,
    is_phone_punctuation,
    parse_run,
    phone_mask,
)
from liner_mcp.text.phones.numbering_plans import RUSSIA, VALID, country_of, plan_fit

# Digits and what parts them do not overlap, and each repetition is bounded, so a text is read once.
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
_REACH = 48  # characters before a number in which eight items of a list fit

# How the seven digits behind an area code are said.
SUBSCRIBER_GROUPINGS = {(3, 2, 2), (3, 4), (2, 2, 3), (2, 3, 2), (7,), (4, 3), (1, 2, 2, 2), (3, 2, 1, 1), (3, 1, 1, 2)}
MAX_DIGITS = 15  # digits of a phone by ITU-T E.164


def comma_separated_steps(text: str, stretches: Sequence[DigitSpan]) -> Steps:
    """The text without phones whose groups commas, underscores and the like part."""
    pieces: list[str] = []
    done = 0
    for begin, end in stretches:
        position = begin
        while match := _COMMA_SEPARATED.search(text, position, end):
            start = match.start()
            position = start + 1  # a flat's number before a phone may look like its beginning
            # A phone before this one makes no list of the two.
            before = text[max(done, start - _REACH) : start]
            for run in parse_run(text, *match.span()):
                window = _foreign(run) or _russian(run, before)
                if window is not None:
                    country = RUSSIA if run.plus is None else country_of(window.digits)
                    pieces += text[done : start if run.plus is None else run.plus], phone_mask(country, window.digits)
                    position = done = window.span[1]
        yield end - begin
    return "".join((*pieces, text[done:])) if pieces else text


def _is_in_a_list(before: str) -> bool:
    """Whether a list of numbers is under way: two of them, or one behind a word such as "flats"."""
    items = _ITEMS_BEFORE.search(before)
    if items is None:
        return False
    # One flat is more likely part of an address than of a list.
    one = before.endswith(("кв. ", "кв "), 0, items.start())
    return len(_LIST_SIGN.findall(items[0])) > 1 or (follows_list_word(before, items.start()) and not one)


def _foreign(run: DigitRun) -> DigitWindow | None:
    """`+971, 50, 123, 45, 67`: the code stands alone, and its number fits the plan."""
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
        return None  # no more than the comma of a sentence before a phone
    seven = shape[2:] if shape[:2] == (1, 3) else shape[1:] if shape[0] == 4 else ()
    if seven not in SUBSCRIBER_GROUPINGS or (window.digits[1] != "9" and seven not in {(3, 2, 2), (3, 4)}):
        return None
    if (
        run.plus is None
        and _LIST_SIGN.search("".join(gaps))
        and (_is_in_a_list(before) or not _is_single_number(window, gaps))
    ):
        return None
    return window


def _is_single_spelled_number(window: DigitWindow, gaps: list[str], before: str) -> bool:
    """Whether single digits are eleven, parted by the same sign, and no more: scores come in any number."""
    gap, (start, end) = gaps[-1], window.span
    if len({one.strip(_BRACKETS) for one in gaps}) > 1 or (not gap.strip() and is_phone_punctuation(gaps)):
        return False
    text, behind = window.run.text, end + len(gap)
    goes_on = text.startswith(gap, end) and text[behind : behind + 1].isdigit()
    listed = before.endswith(gap) and before[: -len(gap)][-1:].isdigit() and not _MASK_BEFORE.search(before)
    return window.run.plus is not None or not (goes_on or listed or follows_list_word(text, start))


def _is_single_number(window: DigitWindow, gaps: list[str]) -> bool:
    """Whether commas part the groups of one number, rather than numbers from another."""
    run, (start, end) = window.run, window.span
    sum_first = (
        run.group_size(0) <= 3 and run.group_size(1) == run.group_size(2) == 3 and gaps[0] == gaps[1] in {" ", ".", ","}
    )
    if sum_first and gaps[2:3] != gaps[:1] and window.digits[run.offsets[3] - 2 : run.offsets[3]] == "00":
        return False  # `8 950 000, 12, 15`
    return not (follows_list_word(run.text, start) or precedes_unit(run.text, end))
