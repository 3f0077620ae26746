"""The entry point of masking, and cutting a text to a length. Pure; the text is already clean.

The order is clean, mask, cut: after a cut through a phone no rule would recognise the rest of it.
"""

import re
import unicodedata
from functools import partial

from liner_mcp.text.cards import card_steps
from liner_mcp.text.clean import MOST_CHARACTERS, NOT_READ, clean, is_cut
from liner_mcp.text.dictation import dictated_steps
from liner_mcp.text.emails import email_steps
from liner_mcp.text.masking_steps import DigitReader, Steps, completed, search_work
from liner_mcp.text.phones.digit_groups import MAX_SEPARATORS
from liner_mcp.text.phones.mask_phones import phone_steps

MAX_INPUT_CHARACTERS = 1_000  # characters of a client's text that are masked: far more than are quoted
# Characters dropped from the end of a text that was cut before it was masked: a phone or a name may have crossed the
# cut. The longest text that a rule reads has eighteen digits with six `&nbsp;` between each two.
_CUT_REACH = 18 * (1 + MAX_SEPARATORS * len("&nbsp;"))

_MOST_ACCENTS = 32  # of one letter; a text of nothing but accents is cut anywhere
_DIGIT = re.compile(r"\d")
# Where an image of Markdown, or a tag, a comment, a declaration or an autolink of HTML begins (CommonMark 0.31, 6.6).
_LIVE_MARKUP = re.compile(r"(?<=!)(?=\[)|(?<=<)(?=[A-Za-z/!?])")


def mask(text: str, *, show_phones: bool = False) -> str:
    """Mask the names in e-mail addresses, the cards and (unless `show_phones`) the phones of a text.

    A space is put into images of Markdown and tags of HTML (`! [`, `< img`), so that a client that renders the text
    fetches and runs nothing. Masking twice changes nothing, unless masks made the text longer than `MOST_CHARACTERS`.
    """
    return completed(shown_steps(text, show_phones=show_phones))


def shown_steps(text: str, *, show_phones: bool = False) -> Steps:
    """`mask` in steps. A text of more than MOST_CHARACTERS is cut and ends in `…`."""
    beginning = text.removesuffix(NOT_READ)[:MOST_CHARACTERS]
    masked = yield from _masked_steps(beginning, show_phones=show_phones)
    # A mask can be longer than what it replaces, so the masked text can be too long again.
    return truncate(_before_a_cut(masked), MOST_CHARACTERS) if is_cut(text) else masked


def _masked_steps(text: str, *, show_phones: bool) -> Steps:
    if "![" in text or "<" in text:
        text = _LIVE_MARKUP.sub(" ", text)
        yield search_work(text)
    numbers = partial(_number_steps, reader=DigitReader(), show_phones=show_phones)
    while True:
        # Phones last, because names in addresses and parts of cards can look like phones.
        masked = yield from email_steps(text)
        yield search_work(masked)
        if _DIGIT.search(masked):
            masked = yield from dictated_steps(masked, numbers)
            masked = yield from numbers(masked)
        if masked == text:
            return text
        text = masked  # a mask can reveal another match beside it; every round masks something, so this ends


def _number_steps(text: str, *, reader: DigitReader, show_phones: bool) -> Steps:
    text, spans = yield from reader.spans(text)
    if spans:
        without_cards = yield from card_steps(text, spans)
        if without_cards is not text:
            text, spans = yield from reader.spans(without_cards)
        if not show_phones:
            text = yield from phone_steps(text, spans, reader)
    return text


def quote_input(text: str, limit: int, *, show_phones: bool = False) -> str:
    """The beginning of a client's text, masked, at most `limit` characters, to be quoted in an answer.

    The text is cut before it is masked, so its length costs nothing. What may have crossed the cut is dropped.
    """
    masked = mask(clean(text[:MAX_INPUT_CHARACTERS]), show_phones=show_phones)
    return truncate(_before_a_cut(masked) if len(text) > MAX_INPUT_CHARACTERS else masked, limit)


def _before_a_cut(masked: str) -> str:
    """The part of a masked text that did not touch the cut before masking."""
    return masked[:-_CUT_REACH].rstrip() + "…"


def truncate(text: str, limit: int) -> str:
    """At most `limit` characters. A shortened text ends in `…`; a letter keeps its combining accents."""
    if len(text) <= limit:
        return text
    if limit <= 0:
        return ""
    end = limit - 1  # the ellipsis takes one
    least = max(end - _MOST_ACCENTS, 0)
    while end > least and unicodedata.category(text[end]).startswith("M"):
        end -= 1
    return text[:end].rstrip() + "…"
