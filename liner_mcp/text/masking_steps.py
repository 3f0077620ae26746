"""Masking in steps of bounded work, so that a long text holds neither the event loop nor a deadline.

Pure. A rule of masking is a generator: it yields how much it has read since its last step, and returns the text. Digits
cost a hundred times as much as letters, so work is counted in characters of stretches of digits. Every search over a
text is work, whatever it finds.
"""

import re
from collections.abc import Generator

from liner_mcp.text.phones.digit_groups import DigitSpan, find_digit_spans

Steps = Generator[int, None, str]
"""Yields the work since the step before, in characters of digits; returns the masked text."""

LONGEST_STRETCH = 500  # 25 phones or 55 ids in a row without a word between them; no account of a talk holds more
MOST_DIGITS = 40_000  # characters of digits that are read in one text: 2,000 phones, each read once per rule
LETTERS_PER_DIGIT = 64  # the slowest search passes so many letters in the time that one digit takes
_DIGIT = re.compile(r"\d")


def search_work(text: str) -> int:
    """The work of one search over a text, in characters of digits."""
    return 1 + len(text) // LETTERS_PER_DIGIT


def completed(steps: Steps) -> str:
    """The text that the steps return, all of them taken at once."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        text: str = end.value
        return text


class DigitReader:
    """Finds the stretches of digits of one text, again after each change, and limits how much of them is read.

    The digits that are not read are hidden one by one: it is not known whether they are a phone.
    """

    def __init__(self) -> None:
        self._left = MOST_DIGITS

    def stretches(self, text: str) -> Generator[int, None, tuple[str, list[DigitSpan]]]:
        """The text and its stretches of digits, in steps; too long a stretch, and what exceeds the limit, holds `*`."""
        found = find_digit_spans(text)
        yield search_work(text)
        if not found:
            return text, found
        self._left -= search_work(text)
        read: list[DigitSpan] = []
        hidden: list[DigitSpan] = []
        for start, end in found:
            length = end - start
            if length > LONGEST_STRETCH or length > self._left:
                hidden.append((start, end))
            else:
                self._left -= length
                read.append((start, end))
        if hidden:
            text = _without_digits(text, hidden)
            yield search_work(text)
        return text, read


def _without_digits(text: str, stretches: list[DigitSpan]) -> str:
    """The text with `*` for each digit of the stretches; every other character stays where it was."""
    pieces: list[str] = []
    done = 0
    for start, end in stretches:
        pieces += text[done:start], _DIGIT.sub("*", text[start:end])
        done = end
    return "".join((*pieces, text[done:]))
