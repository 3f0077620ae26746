"""Limits on TCP connections, around uvicorn's HTTP protocol: how many are open, and how long each may wait.

uvicorn waits without end for the head of a request and for a client that does not read. Its `limit_concurrency` counts
open connections and answers 503 to every request above the limit, `/health` too, so silent sockets would keep the
server unhealthy. Here each connection always has a timer. At the limit, the address with most connections loses the one
that has been idle longest, so that a new client is always served and one address cannot push out the others.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter
from functools import partial
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from liner_mcp.http_server.limits import Limits

STATE_KEY = "liner_mcp.connection"
"""The key of a request's connection in `scope["state"]`."""

READ_BYTES = 4 * 1024  # parsed at a time, before other connections get their turn: one-byte chunks take 7 ms


class Connections:
    """The open connections of one server. `request_seconds` is the limit for a request, from its head to its answer."""

    def __init__(self, limits: Limits, request_seconds: float) -> None:
        self.limits = limits
        self.request_seconds = request_seconds
        self.open: set[Connection] = set()
        self._of: Counter[str] = Counter()  # how many of an address are open
        self.idle: dict[Connection, None] = {}  # in the order in which they became idle

    @property
    def protocol(self) -> type[asyncio.Protocol]:
        """For `uvicorn.Config(http=…)`, which only calls it."""
        return cast("type[asyncio.Protocol]", partial(Connection, self))

    def add(self, new: Connection) -> None:
        """Add a connection. At a limit, another idle one is closed, or this one if requests run on all others."""
        self.open.add(new)
        self.idle[new] = None
        self._of[new.address] += 1
        if self._of[new.address] > self.limits.connections_per_address:
            next(one for one in self.idle if one.address == new.address).abort()
        elif len(self.open) > self.limits.connections:
            max(self.idle, key=lambda one: self._of[one.address]).abort()  # the first, so the one that is longest idle

    def remove(self, connection: Connection) -> None:
        """Forget a connection that ends. Calling it again changes nothing."""
        if connection in self.open:
            self.open.remove(connection)
            self.idle.pop(connection, None)
            self._of[connection.address] -= 1
            if not self._of[connection.address]:
                del self._of[connection.address]


class _Transport:
    """The transport as uvicorn sees it: closing it lets a client that is still sending read the answer first.

    If the socket were closed, the client would get a reset and lose the answer.
    """

    def __init__(self, connection: Connection, transport: asyncio.Transport) -> None:
        self._connection = connection
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._connection.discards or self._transport.is_closing()

    def close(self) -> None:
        self._connection.close()


class Connection(asyncio.BufferedProtocol):
    """Passes everything on to uvicorn's protocol, and uses only asyncio's interface of it."""

    def __init__(self, connections: Connections, *, app_state: dict[str, Any], _loop: Any = None, **more: Any) -> None:
        self._all = connections
        self._limits = connections.limits
        self._http = H11Protocol(app_state={**app_state, STATE_KEY: self}, _loop=_loop, **more)
        self._loop = _loop or asyncio.get_running_loop()
        self._buffer = bytearray(READ_BYTES)
        self._timer: asyncio.TimerHandle | None = None
        self.address = ""
        self.discards = False  # the answer is sent, and the rest of the request is not parsed
        self._busy = False  # a request is being answered
        self._received = False  # data arrived after the last answer
        self._parse_seconds = 0.0  # of processor time, since the last request

    # Called by asyncio -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.address = address_group((transport.get_extra_info("peername") or ("",))[0])
        self._http.connection_made(cast("asyncio.Transport", _Transport(self, self._transport)))
        self._abort_after(self._limits.head_seconds)
        self._all.add(self)

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - the signature is asyncio's
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self.discards:
            return
        if not self._busy and not self._received:
            self._received = True
            self._abort_after(self._limits.head_seconds)  # more bytes do not extend it, so a slow head ends too
        begun = time.thread_time()
        try:
            self._http.data_received(bytes(self._buffer[:nbytes]))
        except h11.LocalProtocolError:  # uvicorn answers 400 although the request has been answered
            self.abort()
        self._parse_seconds += time.thread_time() - begun
        if self._parse_seconds > self._limits.parse_seconds:
            self.abort()

    def eof_received(self) -> None:
        self._http.eof_received()

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._all.remove(self)
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
            if not self.discards:
                # uvicorn closes it a second earlier, unless the client does not read its answer.
                self._abort_after(self._limits.idle_seconds + 1)

    # Called by uvicorn -----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close after what was written. A request that has not arrived completely is read on, without parsing it."""
        parser, over = self._http.conn, (h11.IDLE, h11.DONE, h11.MUST_CLOSE, h11.CLOSED)
        complete = parser.their_state in over and not parser.trailing_data[0]
        if complete or self.discards or self._transport.is_closing():
            self._transport.close()
            return
        self.discards = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self._abort_after(self._limits.lingering_seconds)

    def abort(self) -> None:
        self._all.remove(self)  # now, because others may arrive before asyncio reports the end of this one
        self._transport.abort()

    def _abort_after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self.abort)


def address_group(host: str) -> str:
    """The network address that counts as one client: an IPv4 address, or the /64 of an IPv6 address.

    `unknown` for any other text: a proxy may send any, and each would count as another client.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"
    if address.version == 6:
        if address.ipv4_mapped is not None:  # a dual-stack proxy writes IPv4 like this, and all of it is one /64
            return str(address.ipv4_mapped)
        # One subscriber owns a whole /64.
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)
