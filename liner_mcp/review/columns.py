"""The words for columns and groupings that a question may choose from.

Apart from what fills them, because the published schemas need the words long before anybody asks.
"""

from __future__ import annotations

INCLUDABLE = ("lead_id", "direction", "hung_up_by", "wait_seconds", "phone")
"""What a found call can be told beside its usual columns."""

GROUPINGS = ("agent", "order", "status", "day", "hour", "weekday", "hung_up_by")
"""By what calls can be counted."""
