"""The rate limit: how much one caller, and all of them together, may ask of this process."""

from __future__ import annotations

import ipaddress
import math
from collections import Counter, OrderedDict

from aiolimiter import AsyncLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from liner_mcp.http_server.error_response import error_response
from liner_mcp.http_server.limits import Limits
from liner_mcp.server.caller import SCOPE_KEY, Caller


class RateLimit:
    """Answers 429 to a caller who asks too often: known by name, or by address when nobody must say who they are."""

    def __init__(self, app: ASGIApp, per_minute: int, limits: Limits) -> None:
        self._app = app
        self._per_minute = per_minute
        self._most = limits.callers
        self._buckets: OrderedDict[str, AsyncLimiter] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            bucket = self._bucket(_rate_key(scope))
            if not bucket.has_capacity():
                # The bucket leaks evenly: the next place is free after one such interval.
                wait = math.ceil(60 / self._per_minute)
                sentence = f"More than {self._per_minute} requests in a minute. Ask again after {wait} s."
                await error_response(429, sentence, retry_after=str(wait))(scope, receive, send)
                return
            await bucket.acquire()
        await self._app(scope, receive, send)

    def _bucket(self, who: str) -> AsyncLimiter:
        bucket = self._buckets.get(who) or AsyncLimiter(self._per_minute, 60)
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
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "unknown"  # a proxy's word that is no address must not make a bucket of its own
    if address.version == 6:
        if address.ipv4_mapped is not None:  # a proxy that listens for both writes IPv4 so: all of it is one /64
            return str(address.ipv4_mapped)
        # One subscriber has a whole /64 to choose from.
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)


class ConcurrencyLimit:
    """Answers 503 when as many requests run as this process bears, and 429 when too many are one caller's."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._most = limits.max_concurrent_requests
        self._most_of_one = limits.max_concurrent_requests_per_caller
        self._running = 0
        self._of: Counter[Caller | None] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._running >= self._most:
            sentence = "The server answers as many questions as it can. Ask again after a few seconds."
            await error_response(503, sentence, retry_after="2")(scope, receive, send)
            return
        # Without names every program of this machine would count as one.
        who = scope.get(SCOPE_KEY)
        if who is not None and self._of[who] >= self._most_of_one:
            sentence = f"{self._most_of_one} of your questions are being answered. Ask again when one of them is."
            await error_response(429, sentence, retry_after="2")(scope, receive, send)
            return
        self._running += 1
        self._of[who] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1
            self._of[who] -= 1
            if not self._of[who]:
                del self._of[who]  # else it would grow with every name
