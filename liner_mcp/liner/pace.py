"""How fast requests are sent to Liner: by this process alone, or by all replicas together over a shared store."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import anyio
from aiolimiter import AsyncLimiter

from liner_mcp.shared_store import PREFIX, SharedStore, StoreAway, unnamed

BURST_SECONDS = 2.0  # requests saved up while idle: 40 at the default rate of 20 per second


class Pace:
    """Lets requests through at a rate: here those of this process alone."""

    def __init__(self, per_second: float) -> None:
        seconds = max(BURST_SECONDS, 1 / per_second)
        # At least one: rate x (1 / rate) may come out a little below 1, and then no request would ever fit.
        self._limiter = AsyncLimiter(max(1.0, per_second * seconds), seconds)

    async def acquire(self) -> float:
        """Wait for the turn of one request. Returns the seconds of a pause that Liner asked another replica for."""
        await self._limiter.acquire()
        return 0.0

    async def share_pause(self, seconds: float) -> None:
        """Tell other replicas that Liner asked for a pause."""

    async def aclose(self) -> None:
        """Close connections."""


class SharedPace(Pace):
    """One pace for all replicas that use this store and this account; `replicas` is their number.

    While the store cannot be reached, each sends its share of the rate. Raises: SettingsError as `SharedStore`.
    """

    def __init__(self, url: str, per_second: float, *, account: str, replicas: int) -> None:
        super().__init__(per_second / replicas)
        self._store = SharedStore(url)
        key = f"pace:{unnamed(account)}"
        self._pause_key = f"{PREFIX}:{key}:pause"
        self._shared = self._store.limiter(key, per_minute=60 * per_second, burst=round(per_second * BURST_SECONDS))
        self._turn = anyio.Lock()  # one request of this replica waits in the store: first come, first served

    async def acquire(self) -> float:
        async with self._turn:
            with suppress(StoreAway):
                return await self._store.run(self._acquire_shared)
        return await super().acquire()

    async def _acquire_shared(self, redis: Any) -> float:
        await self._shared.try_acquire_async()
        return max(await redis.pttl(self._pause_key), 0) / 1_000

    async def share_pause(self, seconds: float) -> None:
        milliseconds = round(seconds * 1_000)

        async def share(redis: Any) -> None:
            if await redis.pttl(self._pause_key) < milliseconds:  # a longer pause that is shared already stays
                await redis.set(self._pause_key, 1, px=milliseconds)

        if milliseconds > 0:
            with suppress(StoreAway):
                await self._store.run(share)

    async def aclose(self) -> None:
        await self._store.aclose()
