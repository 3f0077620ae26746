"""Hiding numbers of payment cards, in text that people and recognisers wrote freely.

Pure, on text that is already clean. A card is 13 to 19 digits, in groups or not, that begin like some issuer's cards,
have the length that such cards have, and end in the right check digit (Luhn; ISO/IEC 7812-1). The last four stay:
`**** 1234`.
"""

import re
import unicodedata
from collections.abc import Sequence
from itertools import accumulate

from liner_mcp.text.masking_steps import Steps, completed
from liner_mcp.text.phones.digit_groups import DigitSpan, find_digit_spans, find_in_spans

# Spelled out, as a search for any digit of Unicode takes four times as long.
_DIGIT = "[0-9\uff10-\uff19\u0660-\u0669\u06f0-\u06f9]"
# At most three characters between groups are ` - `. Digits and what stands between them do not overlap, so this pattern
# has one way to read a text.
_RUN = re.compile(rf"{_DIGIT}(?:[ \n./_\-\u2010-\u2015\u2212\uff0d]{{0,3}}{_DIGIT}){{12,}}")
_GROUP = re.compile(r"\d+")
# Two dates in a row look like the pairs of a card.
_DATE = re.compile(r"(?<!\d)\d\d([-.])\d\d\1(?:19|20)\d\d(?!\d)|(?<!\d)(?:19|20)\d\d([-.])[01]\d\2[0-3]\d(?!\d)")

# How cards begin, by their length. 16: Visa, Mastercard, Mir, Maestro, JCB, Diners, UnionPay and Discover, and the
# national cards of Uzbekistan (8600, 9860), Turkey (9792) and Belarus (9112).
_PREFIXES = {
    16: r"4|5[0-8]|6|220[0-4]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|35|30[0-59]|3[689]|81|8600|9860|9792|9112",
    15: r"3[47]",  # American Express
    19: r"4|220[0-4]|5[06-8]|6|35|81",
    18: r"220[0-4]|5[06-8]|6",
    17: r"220[0-4]|5[06-8]|6",
    14: r"30[0-5]|3[689]",  # Diners
    13: r"4",  # the oldest Visa
}
# The likeliest length first: a card of 16 and its three-digit code behind it may pass for a card of 19.
_LENGTHS = tuple((length, re.compile(beginning)) for length, beginning in _PREFIXES.items())
# Where cards are parted when they are written. Whoever dictates parts them further, or less.
_GROUPS_OF_FOUR = frozenset({4, 8, 12, 16})
_GROUPINGS = {15: (frozenset({4, 10}), _GROUPS_OF_FOUR), 14: (frozenset({4, 10}), _GROUPS_OF_FOUR)}
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # the digit sum of twice the digit


def mask_cards(text: str) -> str:
    """The text with each card as `**** 1234`. Masking a masked text changes nothing."""
    return completed(card_steps(text, find_digit_spans(text)))


def card_steps(text: str, stretches: Sequence[DigitSpan]) -> Steps:
    """The same in steps, for a text whose stretches of digits are known."""
    pieces: list[str] = []
    done = 0
    for run in find_in_spans(_RUN, text, stretches):
        for start, end, last_four in _find_cards(text, *run.span()):
            pieces += text[done:start], f"**** {last_four}"
            done = end
        yield run.end() - run.start()
    return "".join((*pieces, text[done:])) if pieces else text


def _find_cards(text: str, start: int, end: int) -> list[tuple[int, int, str]]:
    """Where the cards of one run stand, with the last four digits of each."""
    groups = [match.span() for match in _GROUP.finditer(text, start, end)]
    digits = "".join(str(unicodedata.decimal(digit)) for a, b in groups for digit in text[a:b])
    ends = list(accumulate(b - a for a, b in groups))
    ending_at = {offset: group for group, offset in enumerate(ends)}
    cards: list[tuple[int, int, str]] = []
    first = 0
    while first < len(groups):
        offset = ends[first - 1] if first else 0
        for length, beginning in _LENGTHS:
            last = ending_at.get(offset + length)
            if last is None or beginning.match(digits, offset) is None:
                continue
            number = digits[offset : offset + length]
            span = groups[first][0], groups[last][1]
            boundaries = frozenset(one - offset for one in ends[first:last])
            if (
                _is_grouped_like_a_card(boundaries, length)
                and _passes_luhn(number)
                and _DATE.search(text, *span) is None
            ):
                cards.append((*span, number[-4:]))
                first = last
                break
        first += 1
    return cards


def _is_grouped_like_a_card(boundaries: frozenset[int], length: int) -> bool:
    """Whether the groups are those of a card, taken together or taken apart: sums and phones are parted otherwise."""
    for usual in _GROUPINGS.get(length, (_GROUPS_OF_FOUR,)):
        expected = {one for one in usual if one < length}
        if boundaries <= expected or expected <= boundaries:
            return True
    return False


def _passes_luhn(number: str) -> bool:
    values = [int(digit) for digit in reversed(number)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0
