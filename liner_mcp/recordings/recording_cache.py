"""Recordings that are being played, for a short time: a view reads one in pieces, and it is downloaded once."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

from cachetools import TTLCache

CACHE_MAX_BYTES = 32_000_000  # four recordings of the largest size; the least recently played ones are dropped
CACHE_TTL_SECONDS = 120.0  # after the last piece: a listener who plays it again, and a host that is slow


class RecordingCache:
    """Files by key. A key must contain what the reader may see, because a hit is not checked again."""

    def __init__(self, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._files = TTLCache[Hashable, bytes, float](CACHE_MAX_BYTES, CACHE_TTL_SECONDS, timer=timer, getsizeof=len)

    def get(self, key: Hashable) -> bytes | None:
        """The file of this key, if it is cached. A read prolongs its time."""
        body = self._files.get(key)
        if body is not None:
            self._files[key] = body
        return body

    def put(self, key: Hashable, body: bytes) -> None:
        self._files[key] = body
