"""The cursor of a page: opaque, stateless, self-contained. Pure.

A cursor holds all that the next page needs, so any server can continue it. It grants nothing: the same question can be
sent without it. Its checksum shows whether it was mangled; it is not a signature.

A model reads a cursor and writes it back, so it has to cost few tokens. A short state is written as it is, in single
quotes, because packed it would cost twice as many. A long state, or one with letters that need escaping, is packed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from typing import Any, cast

from liner_mcp.answer.table import to_compact_json
from liner_mcp.errors import InvalidArgument

CHECKSUM_BYTES = 4  # one mangled cursor in 4,000 million passes, and then fails on its content
MAX_CURSOR_CHARACTERS = 4_000  # far longer than any of ours: a longer text is not decoded
MAX_STATE_BYTES = 30_000  # the limit for a crafted cursor; a thousand ids take a third
MAX_DIGITS = 17  # of a number in a cursor: 2^53 has 16, and there may be a minus
MAX_PLAIN_CHARACTERS = 600  # a longer state is shorter when packed

_SWAP_QUOTES = str.maketrans("\"'", "'\"")  # inside a JSON text single quotes need no backslash
_CHECKSUM_HEX_CHARACTERS = 2 * CHECKSUM_BYTES


def encode_cursor(tool: str, state: dict[str, Any]) -> str:
    """`state` (JSON types) as text without characters that need escaping inside a JSON text."""
    text = to_compact_json({"tool": tool, **state})
    if len(text) <= MAX_PLAIN_CHARACTERS and text.isascii() and text.isprintable() and not {"'", "\\"} & set(text):
        plain = text.translate(_SWAP_QUOTES)
        return _checksum(plain.encode()).hex() + plain
    packed = zlib.compress(text.encode(), level=9)
    return _encode_base64(_checksum(packed) + packed)


def decode_cursor(tool: str, cursor: str) -> dict[str, Any]:
    """The state that the same tool gave to `encode_cursor`.

    Raises: InvalidArgument, with one sentence for a mangled cursor and another for a cursor of another tool.
    """
    state = _decode_state(cursor.strip())
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


def _decode_state(cursor: str) -> dict[str, Any] | None:
    if len(cursor) > MAX_CURSOR_CHARACTERS or not cursor.isascii():
        return None
    try:
        state = json.loads(_decode_plain(cursor) if "{" in cursor else _decode_packed(cursor), parse_int=_whole_number)
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", state) if isinstance(state, dict) else None


def _whole_number(digits: str) -> int | float:
    # A number with thousands of digits would be repeated whole. As a float it fits no id.
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


def _decode_plain(cursor: str) -> str:
    checksum, plain = cursor[:_CHECKSUM_HEX_CHARACTERS], cursor[_CHECKSUM_HEX_CHARACTERS:]
    if checksum != _checksum(plain.encode()).hex():
        raise ValueError("wrong checksum")
    return plain.translate(_SWAP_QUOTES)


def _decode_packed(cursor: str) -> bytes:
    raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    checksum, packed = raw[:CHECKSUM_BYTES], raw[CHECKSUM_BYTES:]
    # Base64 ignores the last bits of its last character, so only our own spelling of the bytes is accepted.
    if checksum != _checksum(packed) or cursor != _encode_base64(raw):
        raise ValueError("wrong checksum")
    return zlib.decompressobj().decompress(packed, MAX_STATE_BYTES)


def _encode_base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _checksum(packed: bytes) -> bytes:
    return hashlib.blake2s(packed, digest_size=CHECKSUM_BYTES).digest()
