"""The body of one answer, unpacked as it arrives and never beyond a bound. Pure.

A few kilobytes of gzip can hold gigabytes, and gzip inside gzip far more: whoever unpacks a piece whole before it looks
at the size has lost already.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable

from liner_mcp.errors import InvalidResponse

ACCEPT_ENCODING = "gzip"  # what we ask for; JSON shrinks to a tenth by it
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # either header is understood


async def read_up_to(count: int, pieces: AsyncIterable[bytes]) -> bytes:
    """The beginning of a body, read piece by piece until it has at least `count` bytes; the whole of a shorter one."""
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) >= count:
            break
    return bytes(body)


class BodyDecoder:
    """`feed` each piece as it came over the wire, then take the `finish`. `content_encoding` is the answer's
    Content-Encoding."""

    def __init__(self, content_encoding: str, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._body = bytearray()
        self._started = False
        content_encoding = content_encoding.strip().lower()
        if content_encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise _invalid_encoding()
        self._decompressor = None if content_encoding in ("", "identity") else zlib.decompressobj(_GZIP_OR_ZLIB)

    def feed(self, piece: bytes) -> None:
        """Raises: InvalidResponse for a body that is too large, or packed in a way that cannot be undone."""
        self._started = True
        if self._decompressor is None:
            self._body += piece
        elif not self._decompressor.eof:  # what follows the end is no part of the body, and zlib would hold all of it
            try:
                # One byte more than there is room for tells a full body from one that is too large.
                self._body += self._decompressor.decompress(piece, self._max_bytes + 1 - len(self._body))
            except zlib.error:
                raise _invalid_encoding() from None
        if len(self._body) > self._max_bytes:
            raise InvalidResponse(
                f"Liner's answer could not be read: it is larger than {self._max_bytes // 1_000_000} MB."
            )

    def finish(self) -> bytes:
        """Raises: InvalidResponse when the packed body ended too early."""
        if self._decompressor is not None and self._started and not self._decompressor.eof:
            raise _invalid_encoding()
        return bytes(self._body)


def _invalid_encoding() -> InvalidResponse:
    return InvalidResponse("Liner's answer could not be read: its compression is broken.")
