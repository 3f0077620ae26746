"""The reads with a cache of settled details in front of them.

The cache stands outside the access rules: `CachedClient(RestrictedClient(...))`. So it holds only what this caller may
see, and what another caller has read does not change which requests a read causes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar, cast

import anyio.lowlevel

from liner_mcp.liner.cache import DetailCache
from liner_mcp.liner.models import Call, CallRecord, Lead
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.reads import LinerReads
from liner_mcp.liner.window_check import WindowCheck

D = TypeVar("D", Call, CallRecord, Lead, Listing[CallRecord])


class CachedClient:
    """The reads of `liner`; details come from `cache` where it has them. Lists and dictionaries are not cached here.
    Lists of calls pass `WindowCheck`.
    """

    def __init__(self, liner: LinerReads, cache: DetailCache | None = None) -> None:
        self._liner = liner
        self._cache = cache or DetailCache()
        self.concurrency = liner.concurrency
        self.calls = WindowCheck(liner).calls
        self.orders, self.users, self.agent_groups = liner.orders, liner.users, liner.agent_groups
        self.call_statuses, self.lead_statuses = liner.call_statuses, liner.lead_statuses

    async def call(self, call_id: int) -> Call:
        return await self._read(("call", call_id), partial(self._liner.call, call_id))

    async def call_record(self, record_id: int, *, fresh: bool = False) -> CallRecord:
        read = partial(self._liner.call_record, record_id, fresh=fresh)
        return await self._read(("record", record_id), read, fresh=fresh)

    async def call_records(self, call_id: int) -> Listing[CallRecord]:
        return await self._read(("records", call_id), partial(self._liner.call_records, call_id))

    async def lead(self, lead_id: int) -> Lead:
        return await self._read(("lead", lead_id), partial(self._liner.lead, lead_id))

    async def _read(self, key: tuple[str, int], read: Callable[[], Awaitable[D]], *, fresh: bool = False) -> D:
        cached = None if fresh else self._cache.get(key)
        if cached is not None:
            await anyio.lowlevel.checkpoint()  # a hundred cached details in a row must not keep other tasks waiting
            return cast("D", cached)  # a key stands for one type
        detail = await read()
        self._cache.put(key, detail)
        return detail
