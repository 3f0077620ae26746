"""Cursors: opaque, stateless, self-contained. Pure.

A cursor holds what is needed to go on (any server can continue it) and grants nothing: whoever sends one could have
asked the same question without it. Its checksum tells a mangled cursor from a good one; it is not a signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from typing import Any, cast

from liner_mcp.errors import InvalidArgument
from liner_mcp.review.table import minified

CHECKSUM_BYTES = 4  # one mangled cursor in four thousand million passes, and then fails on its content
MAX_CURSOR_CHARACTERS = 4_000  # far above any we make: a longer text is somebody's mistake, not worth decoding
MAX_STATE_BYTES = 100_000  # what a crafted cursor may unpack to


def encode_cursor(tool: str, state: dict[str, Any]) -> str:
    """`state` (JSON types) as text without characters that need escaping anywhere."""
    packed = zlib.compress(minified({"tool": tool, **state}).encode(), level=9)
    return _spelled(_checksum(packed) + packed)


def decode_cursor(tool: str, cursor: str) -> dict[str, Any]:
    """The state that `encode_cursor` was given by the same tool.

    Raises: InvalidArgument with one sentence for a mangled cursor and another for one of another tool.
    """
    state = _unpack(cursor.strip())
    if state is None:
        raise InvalidArgument(
            "cursor cannot be read: it is not one this server gave, or a part of it is missing. Copy page.next_cursor "
            "whole, or ask again without cursor to start at the first page."
        )
    if state.pop("tool", None) != tool:
        raise InvalidArgument(
            f"cursor belongs to another tool, not to {tool}. Ask without it to start at the first page."
        )
    return state


def _unpack(cursor: str) -> dict[str, Any] | None:
    if len(cursor) > MAX_CURSOR_CHARACTERS or not cursor.isascii():
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        checksum, packed = raw[:CHECKSUM_BYTES], raw[CHECKSUM_BYTES:]
        # Base64 ignores the last bits of its last character: only the spelling we gave is the cursor we gave.
        if checksum != _checksum(packed) or cursor != _spelled(raw):
            return None
        state = json.loads(zlib.decompressobj().decompress(packed, MAX_STATE_BYTES))
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", state) if isinstance(state, dict) else None


def _spelled(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _checksum(packed: bytes) -> bytes:
    return hashlib.blake2s(packed, digest_size=CHECKSUM_BYTES).digest()
