"""How a fault changes what the fake Liner sends: its answers, and the pages of its lists.

A fault of an answer changes the `Response`. A fault of a list changes the request for a page on its way to the demo
Liner, and the page on its way back.
"""

from __future__ import annotations

import asyncio
import math
import re
import zlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import cache
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from liner_mcp.demo.app import Response, Send
from tests.fakes.exchange import Request, Respond, page_of, refusal, success, with_any_order
from tests.fakes.faults import (
    AsObjects,
    Body,
    Bomb,
    Charset,
    Clamped,
    Fault,
    FaultKind,
    Grows,
    Huge,
    Ignores,
    Latency,
    NotANumber,
    NullRows,
    OddCells,
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
    occurs,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

MEGABYTE = bytes(1_000_000)
PIECES = 8
"""Into how many a slow body is cut."""


@dataclass(frozen=True, slots=True)
class StreamedResponse(Response):
    """`pieces` go out instead of `body`, one by one, each after `pause` seconds; they may be endless.

    `length` is the Content-Length to claim, if any. After a `cut` the connection breaks where more was promised.
    """

    pieces: Iterable[bytes] = ()
    pause: float = 0.0
    length: int | None = None
    cut: bool = False


async def send_response(response: Response, send: Send) -> None:
    """Send a response of either kind."""
    streamed = response if isinstance(response, StreamedResponse) else None
    length = len(response.body) if streamed is None else streamed.length
    told = [] if length is None else [(b"content-length", str(length).encode())]
    headers = [(b"content-type", response.content_type.encode()), *told, *response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if streamed is not None:
        for piece in streamed.pieces:
            await asyncio.sleep(streamed.pause)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if streamed.cut:
            # The server has promised more than it got: all it can do is to close the connection.
            raise ConnectionResetError("the fake Liner breaks off here, as it was told to")
    await send({"type": "http.response.body", "body": b"" if streamed else response.body})


@dataclass(slots=True)
class ActiveFaults:
    """The faults of one request, each with its number among the requests that it fits."""

    faults: Sequence[tuple[FaultKind, int]] = ()

    @property
    def latency(self) -> float:
        return sum(what.seconds for what, _ in self.faults if isinstance(what, Latency))

    @property
    def lists(self) -> ListFaults:
        lists = ListFaults()
        for what, number in self.faults:
            lists = lists.and_also(what, number)
        return lists

    def apply(self, response: Response, target: str, now: datetime) -> Response:
        """The answer after all faults of answers, in their order."""
        for what, _ in self.faults:
            response = _faulty(response, what, target, now)
        return response


@dataclass(slots=True)
class FaultInjector:
    """The faults that are on, and how many requests each has fitted so far."""

    faults: Sequence[Fault] = ()
    _seen: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self._seen = [0] * len(self.faults)

    def next(self, target: str) -> ActiveFaults:
        """Count one more request, and say which faults it meets."""
        active: list[tuple[FaultKind, int]] = []
        for index, fault in enumerate(self.faults):
            if fault.fits(target):
                self._seen[index] += 1
                if occurs(fault.frequency, self._seen[index]):
                    active.append((fault.kind, self._seen[index]))
        return ActiveFaults(active)


@dataclass(frozen=True, slots=True)
class ListFaults:
    """How the pages of lists differ from the truth. False where they do not."""

    hidden: int = 0
    repeats: bool = False
    total: float | None = 1.0
    rows: tuple[FaultKind, ...] = ()
    ignored: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self != ListFaults()

    def and_also(self, what: FaultKind, number: int) -> ListFaults:
        if isinstance(what, Grows):
            return replace(self, hidden=self.hidden + max(0, what.rows + 1 - number))
        if isinstance(what, Shrinks):
            return replace(self, hidden=self.hidden + min(what.rows, number - 1))
        if isinstance(what, Repeats):
            return replace(self, repeats=True)
        if isinstance(what, Total):
            return replace(self, total=what.times)
        if isinstance(what, Clamped | NullRows | OddCells | AsObjects):
            return replace(self, rows=(*self.rows, what))
        if isinstance(what, Ignores):
            return replace(self, ignored=self.ignored | set(what.names))
        return self

    def respond(self, request: Request, inner: Respond, order_ids: Collection[int]) -> Response:
        """The answer with these faults. `inner` is the demo Liner, which has these orders."""
        if not self:
            return inner(request)
        asked = self._without_ignored(request, order_ids)
        offset = asked.offset + self.hidden
        most = min((what.rows for what in self.rows if isinstance(what, Clamped)), default=asked.limit)
        response = inner(asked.setting(offset=offset, limit=min(most, asked.limit)))
        page = page_of(response)
        if page is None:
            return response
        if page["next"] is not None and most < asked.limit:
            page["next"] = asked.offset + asked.limit
        if self.repeats and asked.offset and page["list"]:
            before = page_of(inner(asked.setting(offset=offset - 1, limit=1)))
            assert before is not None
            page["list"] = [*before["list"], *page["list"][1:]]
        if page["next"] is not None:
            page["next"] -= self.hidden
        if self.total is None:
            del page["total"]
        else:
            page["total"] = round(max(0, page["total"] - self.hidden) * self.total)
        for what in self.rows:
            page["list"] = _odd_rows(page["list"], what)
        return success(page)

    def _without_ignored(self, request: Request, order_ids: Collection[int]) -> Request:
        asked = request.without(self.ignored)
        named = ("orderIds", "leadIds")
        # That one of them is there is still demanded, so what is ignored is replaced by all there is.
        return with_any_order(asked, order_ids) if request.has(*named) and not asked.has(*named) else asked


ODD_CELLS: dict[str, Any] = {
    "talkTimeDurationSeconds": "4.5",
    "hasRecords": 2,
    "isTransfer": {},
    "durationSeconds": 10**12,
    "isActive": "perhaps",
}


def _odd_rows(rows: list[Any], what: FaultKind) -> Any:
    if isinstance(what, NullRows) and rows:
        return [None, *rows[1:]]
    if isinstance(what, AsObjects) and rows:
        return {str(2 * number): row for number, row in enumerate(rows)}
    if isinstance(what, OddCells):
        return [
            row if row["id"] % 7 else {name: ODD_CELLS.get(name, value) for name, value in row.items()} for row in rows
        ]
    return rows


def _faulty(response: Response, what: FaultKind, target: str, now: datetime) -> Response:  # noqa: C901 - one branch per kind
    is_json = response.content_type == "application/json"
    match what:
        case Status(status, retry_after):
            return _failed(status, retry_after, now)
        case WebPage(status, html):
            return Response(status, html.encode(), "text/html; charset=utf-8")
        case Refused(message):
            return refusal(200, message)
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
            pieces = _slowly(response.body, ends=ends)
            return _streamed(response, pieces=pieces, pause=seconds)
        case Huge(megabytes):
            return StreamedResponse(200, b"", pieces=_huge(megabytes))
        case Bomb(megabytes, layers):
            coding = b", ".join([b"gzip"] * layers)
            return Response(200, _bomb(megabytes, layers), headers=((b"content-encoding", coding),))
        case Redirect(location):
            return Response(302, b"", headers=((b"location", (location or target).encode()),))
        case Reset():
            half = response.body[: len(response.body) // 2]
            return _streamed(response, pieces=(half,), length=len(response.body), cut=True)
        case _:
            return response


def _streamed(response: Response, **streaming: Any) -> StreamedResponse:
    return StreamedResponse(response.status, response.body, response.content_type, response.headers, **streaming)


def _failed(status: int, retry_after: str | timedelta | None, now: datetime) -> Response:
    told = format_datetime(now + retry_after, usegmt=True) if isinstance(retry_after, timedelta) else retry_after
    headers = () if told is None else ((b"retry-after", told.encode()),)
    return replace(refusal(status, "Too Many Attempts." if status == 429 else "Server Error"), headers=headers)


def _slowly(body: bytes, *, ends: bool) -> Iterable[bytes]:
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
