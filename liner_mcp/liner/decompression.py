"""The body of one answer, unpacked as it arrives and never beyond a bound. Pure.

A few kilobytes of gzip can hold gigabytes, and gzip inside gzip far more: whoever unpacks a piece whole before it looks
at the size has lost already.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable

from liner_mcp.errors import UnreadableAnswer

ACCEPTED = "gzip"  # what we ask for; JSON shrinks to a tenth by it
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # either header is understood


async def read_up_to(count: int, pieces: AsyncIterable[bytes]) -> bytes:
    """The beginning of a body, read piece by piece until it has at least `count` bytes; the whole of a shorter one."""
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) >= count:
            break
    return bytes(body)


class Body:
    """`add` each piece as it came over the wire, then take the `whole`. `coding` is the answer's Content-Encoding."""

    def __init__(self, coding: str, most_bytes: int) -> None:
        self._most = most_bytes
        self._body = bytearray()
        self._begun = False
        coding = coding.strip().lower()
        if coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise _broken()
        self._unpacker = None if coding in ("", "identity") else zlib.decompressobj(_GZIP_OR_ZLIB)

    def add(self, piece: bytes) -> None:
        """Raises: UnreadableAnswer for a body that is too large, or packed in a way that cannot be undone."""
        self._begun = True
        if self._unpacker is None:
            self._body += piece
        elif not self._unpacker.eof:  # what follows the end is no part of the body, and zlib would hold all of it
            try:
                # One byte more than there is room for tells a full body from one that is too large.
                self._body += self._unpacker.decompress(piece, self._most + 1 - len(self._body))
            except zlib.error:
                raise _broken() from None
        if len(self._body) > self._most:
            raise UnreadableAnswer(f"Liner's answer could not be read: it is larger than {self._most // 1_000_000} MB.")

    def whole(self) -> bytes:
        """Raises: UnreadableAnswer when the packed body ended too early."""
        if self._unpacker is not None and self._begun and not self._unpacker.eof:
            raise _broken()
        return bytes(self._body)


def _broken() -> UnreadableAnswer:
    return UnreadableAnswer("Liner's answer could not be read: its compression is broken.")
