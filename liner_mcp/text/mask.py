"""What a reader may see of a free text: the front of all masking, and cutting a text to a length.

Pure functions on text that is already clean; the order is clean, mask, cut, since a cut through a phone would leave a
stump that no rule recognises. This module may not know where a text comes from.
"""

import re
import unicodedata

from liner_mcp.text.cards import card_steps
from liner_mcp.text.clean import MOST_CHARACTERS, NOT_READ, clean, is_cut
from liner_mcp.text.emails import email_steps
from liner_mcp.text.masking_steps import DigitReader, Steps, completed, search_work
from liner_mcp.text.phones.digit_groups import MAX_SEPARATORS
from liner_mcp.text.phones.mask_phones import phone_steps

MAX_INPUT_CHARACTERS = 1_000  # characters of a client's text that are masked: far more than are shown back
# Characters dropped from the end of a masked text that was cut: what crossed the cut may be a phone or a name of which
# no rule saw the rest. Eighteen digits with six spelled spaces between each two are the longest that a rule reads.
_CUT_REACH = 18 * (1 + MAX_SEPARATORS * len("&nbsp;"))

_IMAGE_MARKUP = re.compile(r"(?<=!)(?=\[)|(?<=<)(?=img)", re.IGNORECASE)


def mask(text: str, *, show_phones: bool = False) -> str:
    """The text without whose e-mail addresses, cards and (unless `show_phones`) phones it tells.

    An image in Markdown or HTML is parted by a space (`! [`): it stays readable, but whoever renders the text fetches
    nothing for it. Doing it twice changes nothing, unless masks made the text longer than `MOST_CHARACTERS`.
    """
    return completed(shown_steps(text, show_phones=show_phones))


def shown_steps(text: str, *, show_phones: bool = False) -> Steps:
    """The same in steps. Of a text of more than MOST_CHARACTERS the beginning is shown, with `…` behind it."""
    beginning = text.removesuffix(NOT_READ)[:MOST_CHARACTERS]
    masked = yield from _masked_steps(beginning, show_phones=show_phones)
    # A mask may be longer than what it hides, so the masked beginning may be too long again.
    return truncate(_before_a_cut(masked), MOST_CHARACTERS) if is_cut(text) else masked


def _masked_steps(text: str, *, show_phones: bool) -> Steps:
    if "![" in text or "<" in text:
        text = _IMAGE_MARKUP.sub(" ", text)
        yield search_work(text)
    reader = DigitReader()
    while True:
        # Addresses first: their names may hold what looks like a phone. Cards next: parts of them may, too.
        masked = yield from email_steps(text)
        masked, stretches = yield from reader.stretches(masked)
        if stretches:
            without_cards = yield from card_steps(masked, stretches)
            if without_cards is not masked:
                masked, stretches = yield from reader.stretches(without_cards)
            if not show_phones:
                masked = yield from phone_steps(masked, stretches, reader)
        if masked == text:
            return text
        text = masked  # a mask may free its neighbours to be read anew; each round hides something, so rounds end


def quote_input(text: str, limit: int, *, show_phones: bool = False) -> str:
    """A text of unknown length of which only the beginning matters, such as what a client sent, to be shown back.

    It is cut before it is masked, so its length costs nothing; what the cut may have parted is not shown.
    """
    masked = mask(clean(text[:MAX_INPUT_CHARACTERS]), show_phones=show_phones)
    return truncate(_before_a_cut(masked) if len(text) > MAX_INPUT_CHARACTERS else masked, limit)


def _before_a_cut(masked: str) -> str:
    """What may be shown of a text that was cut before it was masked."""
    return masked[:-_CUT_REACH].rstrip() + "…"


def truncate(text: str, limit: int) -> str:
    """At most `limit` characters; a shortened text ends in `…` and never parts a letter from its accent."""
    if len(text) <= limit:
        return text
    if limit <= 0:
        return ""
    end = limit - 1  # the ellipsis takes one
    while end > 0 and unicodedata.category(text[end]).startswith("M"):
        end -= 1
    return text[:end].rstrip() + "…"
