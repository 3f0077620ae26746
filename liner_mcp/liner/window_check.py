"""Whether Liner reads the times of a window in UTC, as they are sent. It is checked once, on calls that came.

A Liner that reads them in another zone lists the calls of some hours earlier or later. Where no call of other times
comes, as with a window that ends now, nothing in the list shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import anyio

from liner_mcp.errors import LinerMcpError
from liner_mcp.liner.endpoints import CallFilter
from liner_mcp.liner.models import Call
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.reads import LinerReads

# Zones differ from UTC by an hour or more, so a window read in one lacks the calls of its first or its last hour.
LEAST_SHIFT = timedelta(hours=1)
SECOND = timedelta(seconds=1)


class WindowCheck:
    """Lists of calls that say whether Liner misplaces them, see `Listing.misplaced`.

    A list with calls of the first and of the last hour of its window shows that it does not. Otherwise the first call
    is requested again by its own second, until one comes. Like the cache, this is per caller: what another caller has
    read does not change which requests a read causes.
    """

    def __init__(self, liner: LinerReads) -> None:
        self._liner = liner
        self._passed = False
        self._turn = anyio.Lock()  # of several lists at once, one is checked

    async def calls(self, which: CallFilter, *, at_most: int | None = None) -> Listing[Call]:
        listing = await self._liner.calls(which, at_most=at_most)
        if self._passed or not listing.finished:
            return listing
        async with self._turn:
            return replace(listing, misplaced=not (self._passed or await self._is_right(which, listing.items)))

    async def _is_right(self, which: CallFilter, calls: Sequence[Call]) -> bool:
        """Whether nothing shows that Liner misplaces calls."""
        timed = [(call.created_at, call.id) for call in calls if call.created_at is not None]
        if not timed or any(not which.since <= moment <= which.until for moment, _ in timed):
            return True  # calls of other times show it without a request
        (first, call_id), (last, _) = min(timed), max(timed)
        if first - which.since >= LEAST_SHIFT or which.until - last >= LEAST_SHIFT:
            try:
                if not await lists_again(self._liner, which, first, call_id):
                    return False
            except LinerMcpError:
                return True  # the list itself came; the next one is checked
        self._passed = True
        return True


async def lists_again(liner: LinerReads, which: CallFilter, moment: datetime, call_id: int) -> bool:
    """Whether Liner lists a call again for the second in which it was created. Raises LinerMcpError."""
    again = await liner.calls(replace(which, since=moment - SECOND, until=moment + SECOND))
    return any(call.id == call_id for call in again.items)
