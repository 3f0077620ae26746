"""What the make-believe Liner sends back: a whole body, or pieces with pauses between them and perhaps no end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Response:
    """`pieces` go out instead of `body`, one by one, each after `pause` seconds; they may be endless.

    `length` is the Content-Length to claim: that of `body` unless told, none for pieces. After a `cut` the connection
    breaks where more was promised.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    pieces: Iterable[bytes] | None = None
    pause: float = 0.0
    length: int | None = None
    cut: bool = False

    @property
    def head(self) -> list[tuple[bytes, bytes]]:
        """The headers, as ASGI wants them."""
        length = len(self.body) if self.length is None and self.pieces is None else self.length
        told = [] if length is None else [(b"content-length", str(length).encode())]
        return [(b"content-type", self.content_type.encode()), *told, *self.headers]
