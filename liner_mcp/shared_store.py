"""The store that replicas share, Redis or Valkey (LINER_PACE_URL): rates, and how long to pause.

It holds no content. While it cannot be reached, a replica goes on with its own share of each rate.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio

from liner_mcp.errors import SettingsError

T = TypeVar("T")

# A store on the same network answers within a millisecond. Every request waits for it, so it is given up soon.
TIMEOUT_SECONDS = 0.25
RETRY_SECONDS = 5.0  # a store that is away is looked for so often
PREFIX = "liner-mcp"
_MINUTE_MILLISECONDS = 60_000

_LOG = logging.getLogger(__name__)


def unnamed(text: str) -> str:
    """A part of a key that tells callers or accounts apart without naming them."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class StoreAway(Exception):
    """The store cannot be reached, or could not be a moment ago."""


class SharedStore:
    """Connections to the store at `url`.

    Raises: SettingsError when the extra is not installed or the address cannot be used.
    """

    def __init__(self, url: str) -> None:
        try:
            from redis.asyncio import from_url
            from redis.exceptions import RedisError
        except ImportError:
            raise SettingsError(
                "LINER_PACE_URL needs the extra `pace`: uv tool install 'liner-mcp[pace]' (or pip install)."
            ) from None
        try:
            self._redis: Any = from_url(
                url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS, retry=None
            )
        except ValueError:
            raise SettingsError(
                "LINER_PACE_URL cannot be used: it is not an address such as redis://host:6379/0."
            ) from None
        self._failures = (RedisError, OSError, TimeoutError)
        self._away_until = float("-inf")

    def limiter(self, key: str, *, per_minute: float, burst: int) -> Any:
        """A limiter of pyrate-limiter with its state in the store, for `run`. Keep it: each one has a thread."""
        from pyrate_limiter import Limiter

        return Limiter(self._bucket(key, per_minute, burst))

    async def allows(self, key: str, *, per_minute: int) -> bool:
        """Whether one more request fits the rate of a key now; it then counts. Raises: StoreAway."""
        from pyrate_limiter import RateItem

        bucket = self._bucket(key, per_minute, per_minute)
        return bool(await self.run(lambda _: bucket.put(RateItem(PREFIX, bucket.now()))))

    def _bucket(self, key: str, per_minute: float, burst: int) -> Any:
        from pyrate_limiter import GCRA, Rate, RedisStateStore, StateBucket

        rate = Rate(max(1, round(per_minute)), _MINUTE_MILLISECONDS, burst=max(1, burst))
        return StateBucket([rate], GCRA(), RedisStateStore(self._redis, f"{PREFIX}:{key}"))

    async def run(self, job: Callable[[Any], Awaitable[T]]) -> T:
        """The result of a job that gets the connection. Raises: StoreAway."""
        if anyio.current_time() < self._away_until:
            raise StoreAway
        try:
            return await job(self._redis)
        except self._failures:
            _LOG.warning("The store of LINER_PACE_URL cannot be reached; this replica goes on with its share.")
            self._away_until = anyio.current_time() + RETRY_SECONDS
            raise StoreAway from None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
