"""Decompresses the body of one answer as it arrives, up to a limit. Pure.

A few kilobytes of gzip can hold gigabytes. So the limit counts while a piece is decompressed, not after it.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable

from liner_mcp.errors import InvalidResponse

ACCEPT_ENCODING = "gzip"  # makes JSON ten times smaller
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # zlib detects the header


async def read_up_to(count: int, pieces: AsyncIterable[bytes]) -> bytes:
    """Read a body until it has at least `count` bytes or ends."""
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) >= count:
            break
    return bytes(body)


class BodyDecoder:
    """Call `feed` with each piece as it was received, then `finish`."""

    def __init__(self, content_encoding: str, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._body = bytearray()
        self._started = False
        content_encoding = content_encoding.strip().lower()
        if content_encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise _invalid_encoding()
        self._decompressor = None if content_encoding in ("", "identity") else zlib.decompressobj(_GZIP_OR_ZLIB)

    def feed(self, piece: bytes) -> None:
        """Raises: InvalidResponse for a body that is too large or whose compression is broken."""
        self._started = True
        if self._decompressor is None:
            self._body += piece
        elif not self._decompressor.eof:  # bytes after the end are no part of the body, and zlib would store them
            try:
                # One byte above the limit, to notice that the body is too large.
                self._body += self._decompressor.decompress(piece, self._max_bytes + 1 - len(self._body))
            except zlib.error:
                raise _invalid_encoding() from None
        if len(self._body) > self._max_bytes:
            raise InvalidResponse(
                f"Liner's answer could not be read: it is larger than {self._max_bytes // 1_000_000} MB."
            )

    def finish(self) -> bytes:
        """The whole body. Raises: InvalidResponse when compressed data ended too early."""
        if self._decompressor is not None and self._started and not self._decompressor.eof:
            raise _invalid_encoding()
        return bytes(self._body)


def _invalid_encoding() -> InvalidResponse:
    return InvalidResponse("Liner's answer could not be read: its compression is broken.")
