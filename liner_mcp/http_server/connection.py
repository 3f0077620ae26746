"""Limits on TCP connections, around uvicorn's HTTP protocol: how many are open, and how long each may wait.

uvicorn waits without end for the head of a request and for a client that does not read. Its `limit_concurrency` counts
open connections and answers 503 to every request above the limit, `/health` too, so silent sockets would keep the
server unhealthy. Here each connection always has a timer, and at the limit the connection that has been idle longest is
closed, so that a new client is always served.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from liner_mcp.http_server.limits import Limits

STATE_KEY = "liner_mcp.connection"
"""The key of a request's connection in `scope["state"]`."""

_SLICE_BYTES = 16 * 1024  # the parser's time is checked after each slice: one-byte chunks take 30 ms for a slice


class Connections:
    """The open connections of one server. `request_seconds` is the limit for a request, from its head to its answer."""

    def __init__(self, limits: Limits, request_seconds: float) -> None:
        self.limits = limits
        self.request_seconds = request_seconds
        self.open: set[Connection] = set()
        self.idle: dict[Connection, None] = {}  # in the order in which they became idle

    @property
    def protocol(self) -> type[asyncio.Protocol]:
        """For `uvicorn.Config(http=…)`, which only calls it."""
        return cast("type[asyncio.Protocol]", partial(Connection, self))

    def close_idle_above_limit(self) -> None:
        if len(self.open) > self.limits.connections:
            oldest = next(iter(self.idle))  # this is the newest connection if requests run on all others
            del self.idle[oldest]
            self.open.remove(oldest)  # now, because others may arrive before asyncio reports the end of this one
            oldest.abort()


class Connection(asyncio.Protocol):
    """Passes everything on to uvicorn's protocol, and uses only asyncio's interface of it."""

    def __init__(self, connections: Connections, *, app_state: dict[str, Any], _loop: Any = None, **more: Any) -> None:
        self._all = connections
        self._limits = connections.limits
        self._http = H11Protocol(app_state={**app_state, STATE_KEY: self}, _loop=_loop, **more)
        self._loop = _loop or asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False  # a request is being answered
        self._received = False  # data arrived after the last answer
        self._parse_seconds = 0.0  # of processor time, since the last request

    # Called by asyncio -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._http.connection_made(self._transport)
        self._all.open.add(self)
        self._all.idle[self] = None
        self._abort_after(self._limits.head_seconds)
        self._all.close_idle_above_limit()

    def data_received(self, data: bytes) -> None:
        if not self._busy and not self._received:
            self._received = True
            self._abort_after(self._limits.head_seconds)  # more bytes do not extend it, so a slow head ends too
        for start in range(0, len(data), _SLICE_BYTES):
            begun = time.thread_time()
            try:
                self._http.data_received(data[start : start + _SLICE_BYTES])
            except h11.LocalProtocolError:  # uvicorn answers 400 although the request has been answered
                self.abort()
            self._parse_seconds += time.thread_time() - begun
            if self._parse_seconds > self._limits.parse_seconds:
                self.abort()
            if self._transport.is_closing():
                return

    def eof_received(self) -> None:
        self._http.eof_received()

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._all.open.discard(self)
        self._all.idle.pop(self, None)
        self._http.connection_lost(exc)

    # Called by the application ---------------------------------------------------------------------------------------

    def begin_request(self) -> bool:
        """Whether another request may follow on this connection.

        None may if this request was sent before the previous answer: the rest of the pipeline would wait in memory,
        because uvicorn reads on during an answer. The client has to send the rest again (RFC 9112 section 9.3.2).
        """
        alone = self._received
        self._busy, self._parse_seconds = True, 0.0
        self._all.idle.pop(self, None)
        self._abort_after(self._all.request_seconds)
        return alone

    def end_request(self) -> None:
        """Called when the answer is in the socket's buffer; the client may not have read it yet."""
        self._busy = self._received = False
        if self in self._all.open:
            self._all.idle[self] = None
            # uvicorn closes it a second earlier, unless the client does not read its answer.
            self._abort_after(self._limits.idle_seconds + 1)

    def abort(self) -> None:
        self._transport.abort()

    def _abort_after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self.abort)
