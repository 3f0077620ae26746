"""One TCP connection: uvicorn's, with an end to patience.

uvicorn waits for ever for the head of a request, for a client that does not read, and lets connections be as many as
come. Each of that pins a file and memory, so it is bounded here, where the socket is at hand.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from liner_mcp.web.answers import raw_refusal
from liner_mcp.web.limits import LIMITS, Limits


class Connection(H11Protocol):
    """An HTTP/1.1 connection that is closed when the other side keeps it waiting too long."""

    limits: ClassVar[Limits] = LIMITS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        self._begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as uvicorn's own
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._close_with(503, "The server holds as many connections as it can. Try again soon.", retry_after="5")
            return
        self._head_timer = self.loop.call_later(self.limits.head_seconds, self._no_head)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._begun = True
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:  # pyright: ignore[reportUnnecessaryComparison] - None before the first request
            self._stop(self._head_timer)
            self._head_timer = None
        elif self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            # The rest of a question that was refused before it was whole: from here on the connection is idle.
            self._stop(self._head_timer)
            self._head_timer = None
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        elif self._head_timer is None and not self.transport.is_closing():
            # Not prolonged by more bytes: a head that drips must end as well.
            self._head_timer = self.loop.call_later(self.limits.head_seconds, self._no_head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop(self._head_timer)
        self._stop(self._read_timer)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the signature is uvicorn's
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._close_with(400, "That is not an HTTP request that can be understood.")
        else:
            self.transport.close()  # a second answer to a refused question would read as one to the next

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop(self._read_timer)
        self._read_timer = None

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # the answer was never read: closing would wait for that
        else:
            super().timeout_keep_alive_handler()

    def _no_head(self) -> None:
        if self.transport.is_closing():
            return
        if self._begun and self.cycle is None:  # pyright: ignore[reportUnnecessaryComparison] - None before the first request
            self._close_with(408, "The request did not come whole in time. Send it again.")
        else:
            self.transport.close()

    def _watch_reader(self) -> None:
        """Look again after a while; whoever has then not taken enough gets no more."""
        left = self.transport.get_write_buffer_size()
        self._read_timer = self.loop.call_later(self.limits.stalled_seconds, self._check_reader, left)

    def _check_reader(self, before: int) -> None:
        if before - self.transport.get_write_buffer_size() < self.limits.stalled_bytes:
            self.transport.abort()
        else:
            self._watch_reader()

    def _close_with(self, status: int, sentence: str, **headers: str) -> None:
        self.transport.write(raw_refusal(status, sentence, **headers))
        self.transport.close()

    @staticmethod
    def _stop(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
