"""The cache of details that no longer change, for a few minutes: a reviewer's questions return to the same calls.

Only settled details are cached: a call or a lead that is older than an hour, and records that all have their summaries.
A missing summary may be made at any moment, so a null is always requested again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from datetime import UTC, datetime, timedelta

from cachetools import TTLCache

from liner_mcp.liner.models import Call, CallRecord, Lead
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.request_metrics import record_cache_hit

Detail = Call | CallRecord | Lead | Listing[CallRecord]

CACHE_TTL_SECONDS = 300.0  # as long as names are cached; a correction made in Liner is seen within five minutes
# About a thousand records with long summaries: more than a day's review, and little memory for a laptop.
CACHE_MAX_BYTES = 4_000_000
SETTLED_AFTER = timedelta(hours=1)  # a call, its transfer and their summaries are finished long before
# What Python needs for one entity without its texts, measured roughly and rounded up; a Cyrillic letter takes two.
_ENTITY_BYTES, _CHARACTER_BYTES = 1_500, 2


class DetailCache:
    """Settled details, within `CACHE_MAX_BYTES` and `CACHE_TTL_SECONDS`.

    `timer` counts seconds and `now` is the time of day; tests replace both.
    """

    def __init__(
        self,
        *,
        timer: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self._details = TTLCache[Hashable, Detail, float](
            CACHE_MAX_BYTES, CACHE_TTL_SECONDS, timer=timer, getsizeof=_estimate_bytes
        )

    def get(self, key: Hashable) -> Detail | None:
        detail = self._details.get(key)
        if detail is not None:
            record_cache_hit()
        return detail

    def put(self, key: Hashable, detail: Detail) -> None:
        """Cache a detail if it is settled and not larger than the whole cache."""
        if self._is_cacheable(detail) and _estimate_bytes(detail) <= CACHE_MAX_BYTES:
            self._details[key] = detail

    def _is_cacheable(self, detail: Detail) -> bool:
        if isinstance(detail, Listing):
            # An empty list may be a list whose record is late.
            return detail.complete and bool(detail.items) and all(self._is_cacheable(record) for record in detail.items)
        if detail.created_at is None or self._now() - detail.created_at < SETTLED_AFTER:
            return False
        return not isinstance(detail, CallRecord) or bool((detail.record_summary or "").strip())


def _estimate_bytes(detail: Detail) -> int:
    if isinstance(detail, Listing):
        return sum(map(_estimate_bytes, detail.items)) + _ENTITY_BYTES
    text = (detail.record_summary or "") + (detail.file_url or "") if isinstance(detail, CallRecord) else ""
    return _ENTITY_BYTES + _CHARACTER_BYTES * len(text)
