"""The cache of details that no longer change, for a few minutes: a reviewer's questions come back to the same calls.

Only what is settled is cached: a call or a lead that is older than an hour, and records that all have their summaries.
A summary that is not there may be made at any moment, so a null is always asked again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from datetime import UTC, datetime, timedelta

from cachetools import TLRUCache

from liner_mcp.liner.models import Call, CallRecord, Lead
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.request_metrics import record_cache_hit

Detail = Call | CallRecord | Lead | Listing[CallRecord]

CACHE_TTL_SECONDS = 300.0  # as long as names are cached; a correction made in Liner is seen within five minutes
CACHE_MAX_BYTES = (
    4_000_000  # about a thousand records with long summaries: more than a day's review, little for a laptop
)
SETTLED_AFTER = timedelta(hours=1)  # a call, its transfer and their summaries are done long before
# What Python needs for one entity without its texts, measured roughly and rounded up; a Cyrillic letter takes two.
_ENTITY_BYTES, _CHARACTER_BYTES = 1_500, 2


class DetailCache:
    """Details by the target that asked for them, within `CACHE_MAX_BYTES` and `CACHE_TTL_SECONDS`.

    `timer` counts seconds and `now` is the time of day, both replaced in tests.
    """

    def __init__(
        self,
        *,
        timer: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self._details: TLRUCache[str, Detail] = TLRUCache(
            CACHE_MAX_BYTES,
            ttu=lambda _target, _detail, moment: moment + CACHE_TTL_SECONDS,
            timer=timer,
            getsizeof=_estimate_bytes,
        )
        self._is_visible: Callable[[Detail], bool] | None = None

    def get(self, target: str) -> Detail | None:
        """What was asked for by `target`, if it is still cached."""
        detail = self._details.get(target)
        if detail is None or (self._is_visible is not None and not self._is_visible(detail)):
            return None
        record_cache_hit()
        return detail

    def filtered(self, is_visible: Callable[[Detail], bool]) -> DetailCache:
        """The same details for a caller to whom `is_visible` shows only some. What is hidden counts as not cached, so
        that asking for it costs and shows the same as asking for something that does not exist.
        """
        seen = copy(self)  # the details themselves are shared by all callers
        seen._is_visible = is_visible  # noqa: SLF001 - our own copy
        return seen

    def put(self, target: str, detail: Detail) -> None:
        """Cache a detail, if it is settled and not larger than the whole cache."""
        if self._is_cacheable(detail) and _estimate_bytes(detail) <= CACHE_MAX_BYTES:
            self._details[target] = detail

    def _is_cacheable(self, detail: Detail) -> bool:
        if isinstance(detail, Listing):
            # No record at all may be a record that is late.
            return detail.complete and bool(detail.items) and all(self._is_cacheable(record) for record in detail.items)
        if detail.created_at is None or self._now() - detail.created_at < SETTLED_AFTER:
            return False
        return not isinstance(detail, CallRecord) or bool((detail.record_summary or "").strip())


def _estimate_bytes(detail: Detail) -> int:
    if isinstance(detail, Listing):
        return sum(map(_estimate_bytes, detail.items)) + _ENTITY_BYTES
    text = (detail.record_summary or "") + (detail.file_url or "") if isinstance(detail, CallRecord) else ""
    return _ENTITY_BYTES + _CHARACTER_BYTES * len(text)
