"""Masks the numbers of payment cards in free text, as `**** 1234`. Pure; the text is already clean.

A card number has 13 to 19 digits, in groups or not. It has the prefix and the length of a known kind of card, and its
check digit is right (Luhn, ISO/IEC 7812-1).
"""

import re
from collections.abc import Sequence
from itertools import accumulate

from liner_mcp.text.masking_steps import MaskedText, Steps
from liner_mcp.text.phones.context_words import follows_list_word, precedes_unit
from liner_mcp.text.phones.digit_groups import DigitRun, DigitSpan, DigitWindow, find_in_spans, parse_run

# Four scripts, because a search for every digit of Unicode takes four times as long.
_DIGIT = "[0-9\uff10-\uff19\u0660-\u0669\u06f0-\u06f9]"
# Five characters between two digits allow ` ... `. A separator is never a digit, so there is one way to match.
_RUN = re.compile(rf"{_DIGIT}(?:[ \n./_\-\u2010-\u2015\u2212\uff0d,;:…]{{0,5}}{_DIGIT}){{12,}}")
# A speech recogniser writes these for a pause, but they also separate the numbers of a list.
_PAUSE = re.compile(r"[,;:…]|\. |\.\.")
_CARD_WORD = re.compile(
    r"\b(?:карт|card|сбер|тиньк|т-банк|visa|виза|мир\b|mastercard|мастеркард|номер счета)", re.IGNORECASE
)
_CARD_WORD_REACH = 48  # characters before a number in which such a word is looked for
# Two dates in a row look like a card in pairs of digits.
_DATE = re.compile(r"(?<!\d)\d\d([-.])\d\d\1(?:19|20)\d\d(?!\d)|(?<!\d)(?:19|20)\d\d([-.])[01]\d\2[0-3]\d(?!\d)")

# Prefixes by length. 16: Visa, Mastercard, Mir, Maestro, JCB, Diners, UnionPay and Discover, and the national cards of
# Uzbekistan (8600, 9860), Turkey (9792), Belarus (9112), Armenia (9051) and Kyrgyzstan (9417). The most common length
# comes first: a card of 16 digits and its security code of three can look like a card of 19.
_PREFIXES = {
    16: re.compile(
        r"4|5[0-8]|6|220[0-4]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|35|30[0-59]|3[689]|81|8600|9860|9792|9112|9051|9417"
    ),
    15: re.compile(r"3[47]"),  # American Express
    19: re.compile(r"4|220[0-4]|5[06-8]|6|35|81"),
    18: re.compile(r"220[0-4]|5[06-8]|6"),
    17: re.compile(r"220[0-4]|5[06-8]|6"),
    14: re.compile(r"30[0-5]|3[689]"),  # Diners
    13: re.compile(r"4"),  # the oldest Visa
}
# The offsets between the groups of a written card. In dictation groups are split further or joined.
_GROUPS_OF_FOUR = frozenset({4, 8, 12, 16})
_GROUPINGS = {15: (frozenset({4, 10}), _GROUPS_OF_FOUR), 14: (frozenset({4, 10}), _GROUPS_OF_FOUR)}
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # the digit sum of twice the digit


def card_steps(text: str, spans: Sequence[DigitSpan]) -> Steps:
    """Mask the cards in these spans of digits. Masking a masked text changes nothing."""
    masked = MaskedText(text)
    for match in find_in_spans(_RUN, text, spans):
        for run in parse_run(text, *match.span()):
            group = 0
            while group < len(run.groups):
                card = _card_at(run, group)
                if card is not None:
                    masked.replace(*card.span, f"**** {card.digits[-4:]}")
                group = group + 1 if card is None else card.last + 1
        yield match.end() - match.start()
    return masked.result()


def _card_at(run: DigitRun, first: int) -> DigitWindow | None:
    """The card that begins with this group, if there is one."""
    for length, prefix in _PREFIXES.items():
        window = run.window(first, length)
        if window is None or prefix.match(window.digits) is None:
            continue
        dates = _DATE.search(run.text, *window.span)
        if _is_grouped_like_a_card(window) and _passes_luhn(window.digits) and dates is None and not _is_list(window):
            return window
    return None


def _is_grouped_like_a_card(window: DigitWindow) -> bool:
    """Whether the groups are those of a card, joined or split further. Amounts and phones are grouped differently."""
    length = len(window.digits)
    boundaries = set(accumulate(window.group_sizes[:-1]))
    for usual in _GROUPINGS.get(length, (_GROUPS_OF_FOUR,)):
        expected = {boundary for boundary in usual if boundary < length}
        if boundaries <= expected or expected <= boundaries:
            return True
    return False


def _is_list(window: DigitWindow) -> bool:
    """Whether commas or the like separate several numbers, and not the groups of one card."""
    gaps = window.separators
    if not any(map(_PAUSE.search, gaps)):
        return False
    run, (start, end) = window.run, window.span
    if max(window.group_sizes) < 4:  # pairs and single digits
        return _CARD_WORD.search(run.text[max(start - _CARD_WORD_REACH, 0) : start]) is None
    beside = [run.group_size(group) for group in (window.first - 1, window.last + 1) if 0 <= group < len(run.groups)]
    amounts = all(run.text.endswith("00", group[0], group[1]) for group in run.groups[window.first : window.last + 1])
    is_listed = 4 in beside or follows_list_word(run.text, start) or precedes_unit(run.text, end)
    return is_listed or amounts or len(window.digits) < 15


def _passes_luhn(number: str) -> bool:
    values = [int(digit) for digit in reversed(number)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0
