"""How a fault changes what the make-believe Liner sends: its answers, and the pages of its lists. Pure rules.

A fault of an answer changes the `Response`; a fault of a list changes the pages that `endpoints` makes. Nothing here
waits or sends.
"""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import cache
from itertools import chain, repeat
from typing import TYPE_CHECKING

from liner_mcp.demo.faults import (
    Body,
    Bomb,
    Charset,
    Fault,
    Grows,
    Huge,
    Ignores,
    Latency,
    NotANumber,
    Redirect,
    Refused,
    Repeats,
    Reset,
    Shrinks,
    Slow,
    Status,
    Total,
    Truncated,
    WebPage,
    What,
    strikes,
)
from liner_mcp.demo.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MEGABYTE = bytes(1_000_000)
PIECES = 8
"""Into how many a dripping body is cut."""


@dataclass(slots=True)
class Struck:
    """The faults of one request, each with its number among the requests that it could strike."""

    faults: Sequence[tuple[What, int]] = ()

    @property
    def latency(self) -> float:
        return sum(what.seconds for what, _ in self.faults if isinstance(what, Latency))

    @property
    def lists(self) -> SpoiltLists:
        lists = TRUE_LISTS
        for what, number in self.faults:
            lists = _spoilt_lists(lists, what, number)
        return lists

    def response(self, response: Response, target: str, now: datetime) -> Response:
        """The answer after all faults had their turn."""
        for what, _ in self.faults:
            response = _spoilt(response, what, target, now)
        return response


@dataclass(slots=True)
class Faults:
    """The faults that are on, and how many requests each could have struck so far."""

    faults: Sequence[Fault] = ()
    _seen: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self._seen = [0] * len(self.faults)

    def strike(self, target: str) -> Struck:
        """Count one more request, and say what strikes it."""
        struck: list[tuple[What, int]] = []
        for index, fault in enumerate(self.faults):
            if fault.could_strike(target):
                self._seen[index] += 1
                if strikes(fault.often, self._seen[index]):
                    struck.append((fault.what, self._seen[index]))
        return Struck(struck)


@dataclass(frozen=True, slots=True)
class SpoiltLists:
    """How the pages of lists differ from the truth."""

    hidden: int = 0
    repeats: bool = False
    total: float | None = 1.0
    ignored: frozenset[str] = frozenset()


TRUE_LISTS = SpoiltLists()


def _spoilt_lists(lists: SpoiltLists, what: What, number: int) -> SpoiltLists:
    if isinstance(what, Grows):
        return replace(lists, hidden=lists.hidden + max(0, what.rows + 1 - number))
    if isinstance(what, Shrinks):
        return replace(lists, hidden=lists.hidden + min(what.rows, number - 1))
    if isinstance(what, Repeats):
        return replace(lists, repeats=True)
    if isinstance(what, Total):
        return replace(lists, total=what.times)
    if isinstance(what, Ignores):
        return replace(lists, ignored=lists.ignored | set(what.names))
    return lists


def _spoilt(response: Response, what: What, target: str, now: datetime) -> Response:  # noqa: C901 - one branch per kind
    is_json = response.content_type == "application/json"
    match what:
        case Status(status, retry_after):
            return _failed(status, retry_after, now)
        case WebPage(status, html):
            return Response(status, html.encode(), "text/html; charset=utf-8")
        case Refused(message):
            return Response(200, _refusal(message))
        case Body(body, status):
            return Response(status, body)
        case Truncated() if is_json:
            return replace(response, body=response.body[: len(response.body) // 2])
        case NotANumber() if is_json:
            return replace(response, body=re.sub(rb":[0-9]+", b":NaN", response.body, count=1))
        case Charset(name) if is_json:
            text = response.body.decode().replace('"message":""', '"message":"Успешно"', 1)
            return replace(response, body=text.encode(name, "replace"), content_type="application/json; charset=utf-8")
        case Slow(seconds, ends):
            return replace(response, pieces=_dripping(response.body, ends=ends), pause=seconds)
        case Huge(megabytes):
            return Response(200, b"", pieces=_huge(megabytes))
        case Bomb(megabytes, layers):
            coding = b", ".join([b"gzip"] * layers)
            return Response(200, _bomb(megabytes, layers), headers=((b"content-encoding", coding),))
        case Redirect(location):
            return Response(302, b"", headers=((b"location", (location or target).encode()),))
        case Reset():
            half = response.body[: len(response.body) // 2]
            return replace(response, pieces=(half,), length=len(response.body), cut=True)
        case _:
            return response


def _failed(status: int, retry_after: str | timedelta | None, now: datetime) -> Response:
    told = format_datetime(now + retry_after, usegmt=True) if isinstance(retry_after, timedelta) else retry_after
    headers = () if told is None else ((b"retry-after", told.encode()),)
    return Response(status, _refusal("Too Many Attempts." if status == 429 else "Server Error"), headers=headers)


def _refusal(message: str) -> bytes:
    return f'{{"success":false,"message":"{message}","data":null}}'.encode()


def _dripping(body: bytes, *, ends: bool) -> Iterable[bytes]:
    step = max(1, math.ceil(len(body) / PIECES))
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    return pieces if ends else chain(pieces, repeat(b" "))


def _huge(megabytes: int) -> Iterator[bytes]:
    yield b'{"success":true,"message":"'
    yield from repeat(MEGABYTE.replace(b"\0", b"x"), megabytes)
    yield b'","data":null}'


@cache
def _bomb(megabytes: int, layers: int) -> bytes:
    if layers > 1:
        return zlib.compress(_bomb(megabytes, layers - 1), wbits=31)
    packer = zlib.compressobj(wbits=31)
    return b"".join([*(packer.compress(MEGABYTE) for _ in range(megabytes)), packer.flush()])
