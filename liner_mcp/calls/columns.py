"""The words for columns and groupings that a question may choose from.

Apart from what fills them, because the published schemas need the words long before anybody asks.
"""

from __future__ import annotations

from typing import Literal, get_args

Includable = Literal["lead_id", "direction", "hung_up_by", "wait_seconds", "phone"]
INCLUDABLE: tuple[Includable, ...] = get_args(Includable)
"""What a found call can show beside its usual columns."""

Grouping = Literal["agent", "order", "status", "day", "hour", "weekday", "hung_up_by"]
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)
"""By what calls can be counted."""
