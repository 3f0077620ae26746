"""Hiding phones whose groups are parted by what usually parts other things: commas, underscores, the word for a dash.

Pure, on text that is already clean. A recogniser that hears pauses writes `8, 916, 123, 45, 67`, the name of a file
holds `8_916_123_45_67`, Markdown `**8** **916** …`. Only its shape tells such a phone from a list of numbers, so only
the shapes count in which people say a phone.
"""

import re
from collections.abc import Sequence

from liner_mcp.text.masking_steps import Steps
from liner_mcp.text.phones.context_words import is_listed, is_measured
from liner_mcp.text.phones.digit_groups import (
    MOST_PARTINGS,
    PARTING,
    PLUS,
    SHORTEST,
    Run,
    Stretch,
    Window,
    hidden,
    is_usual,
    run_between,
)
from liner_mcp.text.phones.numbering_plans import RUSSIA, VALID, country_of, rank

# Digits and what parts them do not overlap, and each repetition is bounded, so a text is read once.
_PARTED = rf"{PARTING}{{1,{MOST_PARTINGS}}}"
_NEXT = rf"(?:{_PARTED})?\d"
_DICTATED = re.compile(
    rf"[78](?<!\d\d)(?:{_PARTED})?[3489](?:{_NEXT}){{9}}(?!\d)"
    rf"|(?<=[{PLUS}])\d{{1,3}}{_PARTED}\d(?:{_NEXT}){{5,12}}(?!\d)"
    r"|9(?<!\d\d)\d\d_\d{3}_\d\d_?\d\d(?!\d)"
)
_FRAMES = "()[]{}*"
_LIST_SIGN = re.compile("[,;]")
_MASK_BEFORE = re.compile(r"\*\*-\d\d\D{1,6}\Z")
_ITEMS_BEFORE = re.compile(r"(?:(?<!\*\*-)(?<!\d)\d{1,4}[,;] ?){1,8}\Z")
_REACH = 48  # characters before a number in which eight items of a list fit

# How the seven digits behind an area code are said.
SAID = {(3, 2, 2), (3, 4), (2, 2, 3), (2, 3, 2), (7,), (4, 3), (1, 2, 2, 2), (3, 2, 1, 1), (3, 1, 1, 2)}
LONGEST = 15  # digits of a phone by ITU-T E.164


def dictated_steps(text: str, stretches: Sequence[Stretch]) -> Steps:
    """The text without phones whose groups commas, underscores and the like part."""
    pieces: list[str] = []
    done = 0
    for begin, end in stretches:
        position = begin
        while match := _DICTATED.search(text, position, end):
            start = match.start()
            position = start + 1  # a flat's number before a phone may look like its beginning
            # A phone before this one makes no list of the two.
            before = text[max(done, start - _REACH) : start]
            for run in run_between(text, *match.span()):
                window = _foreign(run) or _russian(run, before)
                if window is not None:
                    country = RUSSIA if run.plus is None else country_of(window.digits)
                    pieces += text[done : start if run.plus is None else run.plus], hidden(country, window.digits)
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
    return len(_LIST_SIGN.findall(items[0])) > 1 or (is_listed(before, items.start()) and not one)


def _foreign(run: Run) -> Window | None:
    """`+971, 50, 123, 45, 67`: the code stands alone, and its number fits the plan."""
    if run.plus is None or run.digits[: run.size(0)] != country_of(run.digits):
        return None
    for length in range(LONGEST, SHORTEST, -1):
        window = run.window(0, length)
        if window is None or is_usual(gaps := window.gaps) or len(set(gaps)) > 1:
            continue
        if rank(window.digits) == VALID:
            return window
    return None


def _russian(run: Run, before: str) -> Window | None:
    """`8, 916, 123, 45, 67`, `8 (916) 123, 45, 67`, `7_916_123_4567`, `8, 9, 1, 6, …`, `916_123_45_67`."""
    if len(run.digits) == 10:
        return run.window(0, 10)
    window = run.window(0, 11)
    if window is None:
        return None
    shape, gaps = window.shape, window.gaps
    if len(shape) == 11:
        return window if window.digits[1] == "9" and _stands_alone(window, gaps, before) else None
    if is_usual(gaps[1:]) and (shape[0] == 1 or is_usual(gaps)):
        return None  # no more than the comma of a sentence before a phone
    seven = shape[2:] if shape[:2] == (1, 3) else shape[1:] if shape[0] == 4 else ()
    if seven not in SAID or (window.digits[1] != "9" and seven not in {(3, 2, 2), (3, 4)}):
        return None
    if (
        run.plus is None
        and _LIST_SIGN.search("".join(gaps))
        and (_is_in_a_list(before) or not _is_no_list(window, gaps))
    ):
        return None
    return window


def _stands_alone(window: Window, gaps: list[str], before: str) -> bool:
    """Whether single digits are eleven, parted by the same sign, and no more: scores come in any number."""
    gap, (start, end) = gaps[-1], window.span
    if len({one.strip(_FRAMES) for one in gaps}) > 1 or (not gap.strip() and is_usual(gaps)):
        return False
    text, behind = window.run.text, end + len(gap)
    goes_on = text.startswith(gap, end) and text[behind : behind + 1].isdigit()
    listed = before.endswith(gap) and before[: -len(gap)][-1:].isdigit() and not _MASK_BEFORE.search(before)
    return window.run.plus is not None or not (goes_on or listed or is_listed(text, start))


def _is_no_list(window: Window, gaps: list[str]) -> bool:
    """Whether commas part the groups of one number, rather than numbers from another."""
    run, (start, end) = window.run, window.span
    sum_first = run.size(0) <= 3 and run.size(1) == run.size(2) == 3 and gaps[0] == gaps[1] in {" ", ".", ","}
    if sum_first and gaps[2:3] != gaps[:1] and window.digits[run.offsets[3] - 2 : run.offsets[3]] == "00":
        return False  # `8 950 000, 12, 15`
    return not (is_listed(run.text, start) or is_measured(run.text, end))
