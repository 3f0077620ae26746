"""What a reader may see of a free text: the front of all masking, and cutting a text to a length.

Pure functions on text that is already clean; the order is clean, mask, cut, since a cut through a phone would leave a
stump that no rule recognises. This module may not know where a text comes from.
"""

import unicodedata

from liner_mcp.review.phones import mask_phones

__all__ = ["cut", "mask_phones"]


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
