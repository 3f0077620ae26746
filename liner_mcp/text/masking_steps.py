"""Masking in steps of bounded work, so that a long text blocks neither the event loop nor a deadline. Pure.

A masking rule is a generator. It yields the work since its last step and returns the masked text. Work is counted in
characters of digits, because a digit costs a hundred times as much as a letter. A search that finds nothing counts too.
"""

import re
from collections.abc import Generator
from typing import TypeVar

from liner_mcp.text.phones.digit_groups import DigitSpan, find_digit_spans

T = TypeVar("T")
Steps = Generator[int, None, str]

LONGEST_SPAN = 500  # 25 phones or 55 ids without a word between them; no summary holds more
MOST_DIGITS = 40_000  # characters of digits that are read in one text: 2,000 phones, each read once per rule
LETTERS_PER_DIGIT = 64  # letters that the slowest search reads in the time of one digit
_DIGIT = re.compile(r"\d")


def search_work(text: str) -> int:
    """The work of one search over a text, in characters of digits."""
    return 1 + len(text) // LETTERS_PER_DIGIT


def completed(steps: Generator[object, None, T]) -> T:
    """Run all steps at once and give what they return."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        result: T = end.value
        return result


class MaskedText:
    """Replaces parts of a text from left to right. `end` is where the last replaced part ends."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._pieces: list[str] = []
        self.end = 0

    def replace(self, start: int, end: int, mask: str) -> None:
        """Write `mask` in place of a part after the last one."""
        self._pieces += self._text[self.end : start], mask
        self.end = end

    def result(self) -> str:
        """The text; the same object if nothing was replaced."""
        return "".join((*self._pieces, self._text[self.end :])) if self._pieces else self._text


class DigitReader:
    """Finds the spans of digits in one text, again after each change, and limits how much of them is read.

    Digits beyond the limit become `*` one by one, because they may belong to a phone.
    """

    def __init__(self) -> None:
        self._left = MOST_DIGITS

    def spans(self, text: str) -> Generator[int, None, tuple[str, list[DigitSpan]]]:
        """The text and the spans to read. Spans that are too long, or beyond the limit, hold `*` for each digit."""
        found = find_digit_spans(text)
        yield search_work(text)
        if not found:
            return text, found
        self._left -= search_work(text)
        read: list[DigitSpan] = []
        masked = MaskedText(text)
        for start, end in found:
            length = end - start
            if length > LONGEST_SPAN or length > self._left:
                masked.replace(start, end, _DIGIT.sub("*", text[start:end]))
            else:
                self._left -= length
                read.append((start, end))
        if masked.end:
            yield search_work(text)
        return masked.result(), read
