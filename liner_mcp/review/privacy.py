"""What a reader may see of a free text: the front of all masking, and cutting a text to a length.

Pure functions on text that is already clean; the order is clean, mask, cut, since a cut through a phone would leave a
stump that no rule recognises. This module may not know where a text comes from.
"""

import re
import unicodedata

from liner_mcp.liner.text import clean
from liner_mcp.review.cards import mask_cards
from liner_mcp.review.emails import mask_emails
from liner_mcp.review.phones import mask_phones

_LIVE_IMAGE = re.compile(r"(?<=!)(?=\[)|(?<=<)(?=img)", re.IGNORECASE)


def shown(text: str, *, show_phones: bool = False) -> str:
    """The text without whose e-mail addresses, cards and (unless `show_phones`) phones it tells.

    An image in Markdown or HTML is parted by a space (`! [`): it stays readable, but whoever renders the text fetches
    nothing for it. Doing it twice changes nothing.
    """
    if "![" in text or "<" in text:
        text = _LIVE_IMAGE.sub(" ", text)
    while True:
        # Addresses first: their names may hold what looks like a phone. Cards next: parts of them may, too.
        masked = mask_cards(mask_emails(text))
        if not show_phones:
            masked = mask_phones(masked)
        if masked == text:
            return text
        text = masked  # a mask may free its neighbours to be read anew; each round hides something, so rounds end


def echoed(text: str, limit: int) -> str:
    """What a client sent, to be shown back: a phone in it is masked before it is cut, for no rule knows a stump."""
    return cut(shown(clean(text)), limit)


def cut(text: str, limit: int) -> str:
    """At most `limit` characters; a shortened text ends in `…` and never parts a letter from its accent."""
    if len(text) <= limit:
        return text
    if limit <= 0:
        return ""
    end = limit - 1  # the ellipsis takes one
    while end > 0 and unicodedata.category(text[end]).startswith("M"):
        end -= 1
    return text[:end].rstrip() + "…"
