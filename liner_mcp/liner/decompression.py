"""The body of one answer, decompressed as it arrives and never beyond a limit. Pure.

A few kilobytes of gzip can hold gigabytes, so the size is limited while a piece is decompressed, not afterwards.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable

from liner_mcp.errors import InvalidResponse

ACCEPT_ENCODING = "gzip"  # reduces JSON to a tenth
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # zlib accepts either header


async def read_up_to(count: int, pieces: AsyncIterable[bytes]) -> bytes:
    """The beginning of a body, read piece by piece until it has at least `count` bytes; the whole of a shorter one."""
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) >= count:
            break
    return bytes(body)


class BodyDecoder:
    """Pass each piece to `feed` as it came over the wire, then call `finish`. `content_encoding` is a header value."""

    def __init__(self, content_encoding: str, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._body = bytearray()
        self._started = False
        content_encoding = content_encoding.strip().lower()
        if content_encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise _invalid_encoding()
        self._decompressor = None if content_encoding in ("", "identity") else zlib.decompressobj(_GZIP_OR_ZLIB)

    def feed(self, piece: bytes) -> None:
        """Raises: InvalidResponse for a body that is too large or cannot be decompressed."""
        self._started = True
        if self._decompressor is None:
            self._body += piece
        elif not self._decompressor.eof:  # bytes after the end are not the body, and zlib would store them all
            try:
                # One byte more than the limit shows that a body is too large, and not just as large as the limit.
                self._body += self._decompressor.decompress(piece, self._max_bytes + 1 - len(self._body))
            except zlib.error:
                raise _invalid_encoding() from None
        if len(self._body) > self._max_bytes:
            raise InvalidResponse(
                f"Liner's answer could not be read: it is larger than {self._max_bytes // 1_000_000} MB."
            )

    def finish(self) -> bytes:
        """Raises: InvalidResponse when the compressed body ended too early."""
        if self._decompressor is not None and self._started and not self._decompressor.eof:
            raise _invalid_encoding()
        return bytes(self._body)


def _invalid_encoding() -> InvalidResponse:
    return InvalidResponse("Liner's answer could not be read: its compression is broken.")
