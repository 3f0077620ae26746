"""Limits on requests per minute and on requests at the same time, for one caller and for all of them."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from contextlib import suppress

from aiolimiter import AsyncLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from liner_mcp.http_server.connection import address_group
from liner_mcp.http_server.error_response import error_response
from liner_mcp.http_server.limits import Limits
from liner_mcp.server.caller import SCOPE_KEY, Caller
from liner_mcp.shared_store import SharedStore, StoreAway, unnamed


class RateLimit:
    """Answers 429 to a caller with too many requests. A caller is a name, or an address without authentication.

    With a `store`, all replicas count together; while it is away, each of the `replicas` allows its share.
    """

    def __init__(
        self, app: ASGIApp, per_minute: int, limits: Limits, store: SharedStore | None = None, replicas: int = 1
    ) -> None:
        self._app = app
        self._per_minute = per_minute
        self._own_share = per_minute if store is None else max(1, per_minute // replicas)
        self._most = limits.callers
        self._store = store
        self._buckets: OrderedDict[str, AsyncLimiter] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not await self._allows(_rate_key(scope)):
            # The bucket leaks evenly: one request fits after this time.
            wait = math.ceil(60 / self._per_minute)
            sentence = f"More than {self._per_minute} requests in a minute. Ask again after {wait} s."
            await error_response(429, sentence, retry_after=str(wait))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _allows(self, who: str) -> bool:
        if self._store is not None:
            with suppress(StoreAway):
                return await self._store.allows(f"caller:{unnamed(who)}", per_minute=self._per_minute)
        bucket = self._bucket(who)
        if not bucket.has_capacity():
            return False
        await bucket.acquire()
        return True

    def _bucket(self, who: str) -> AsyncLimiter:
        bucket = self._buckets.get(who) or AsyncLimiter(self._own_share, 60)
        self._buckets[who] = bucket
        self._buckets.move_to_end(who)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return bucket


def _rate_key(scope: Scope) -> str:
    caller: Caller | None = scope.get(SCOPE_KEY)
    if caller is not None:
        return f"name {caller.name}"
    host: str = (scope.get("client") or ("", 0))[0]
    return address_group(host)


class CallerConcurrencyLimit:
    """Answers 429 if too many requests of one caller run in this process, those whose body still arrives included."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._most = limits.max_concurrent_requests_per_caller
        self._of: Counter[Caller] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        who: Caller | None = scope.get(SCOPE_KEY)
        if who is None:  # callers without a name would all count as one
            await self._app(scope, receive, send)
            return
        if self._of[who] >= self._most:
            sentence = f"{self._most} of your requests are running. Send this one again when one has ended."
            await error_response(429, sentence, retry_after="2")(scope, receive, send)
            return
        self._of[who] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._of[who] -= 1
            if not self._of[who]:
                del self._of[who]  # otherwise the counter grows with every name


class ConcurrencyLimit:
    """Answers 503 if too many requests run in this process."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._most = limits.max_concurrent_requests
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._running >= self._most:
            sentence = "The server is busy. Send the request again after a few seconds."
            await error_response(503, sentence, retry_after="2")(scope, receive, send)
            return
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1
