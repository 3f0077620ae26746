"""Details that no longer change, kept for a few minutes: a reviewer's questions come back to the same calls.

Only what is settled is kept: a call or a lead that is older than an hour, and records that all have their summaries. A
summary that is not there may be made at any moment, so a null is always asked again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from datetime import UTC, datetime, timedelta

from cachetools import TLRUCache

from liner_mcp.liner.models import Call, CallRecord, Lead
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.request_metrics import answered_from_kept

Detail = Call | CallRecord | Lead | Listing[CallRecord]

KEPT_SECONDS = 300.0  # as long as names are kept; a correction made in Liner is seen within five minutes
KEPT_BYTES = 4_000_000  # about a thousand records with long summaries: more than a day's review, little for a laptop
SETTLED = timedelta(hours=1)  # a call, its transfer and their summaries are done long before
# What Python needs for one entity without its texts, measured roughly and rounded up; a Cyrillic letter takes two.
_ENTITY_BYTES, _CHARACTER_BYTES = 1_500, 2


class Kept:
    """Details by the target that asked for them, within `KEPT_BYTES` and `KEPT_SECONDS`.

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
            KEPT_BYTES, ttu=lambda _target, _detail, moment: moment + KEPT_SECONDS, timer=timer, getsizeof=_bytes_of
        )
        self._may_see: Callable[[Detail], bool] | None = None

    def get(self, target: str) -> Detail | None:
        """What was asked for by `target`, if it is still kept."""
        detail = self._details.get(target)
        if detail is None or (self._may_see is not None and not self._may_see(detail)):
            return None
        answered_from_kept()
        return detail

    def seen_by(self, may_see: Callable[[Detail], bool]) -> Kept:
        """The same details for whom `may_see` allows only some: what is hidden is not kept there, so that asking for it
        costs and tells what asking for nothing does.
        """
        seen = copy(self)  # the details themselves are everybody's
        seen._may_see = may_see  # noqa: SLF001 - our own copy
        return seen

    def put(self, target: str, detail: Detail) -> None:
        """Keep a detail, if it is settled and not larger than everything that may be kept."""
        if self._is_settled(detail) and _bytes_of(detail) <= KEPT_BYTES:
            self._details[target] = detail

    def _is_settled(self, detail: Detail) -> bool:
        if isinstance(detail, Listing):
            # No record at all may be a record that is late.
            return detail.complete and bool(detail.items) and all(self._is_settled(record) for record in detail.items)
        if detail.created_at is None or self._now() - detail.created_at < SETTLED:
            return False
        return not isinstance(detail, CallRecord) or bool((detail.record_summary or "").strip())


def _bytes_of(detail: Detail) -> int:
    if isinstance(detail, Listing):
        return sum(map(_bytes_of, detail.items)) + _ENTITY_BYTES
    text = (detail.record_summary or "") + (detail.file_url or "") if isinstance(detail, CallRecord) else ""
    return _ENTITY_BYTES + _CHARACTER_BYTES * len(text)
