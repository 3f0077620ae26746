"""A question comes in whole, soon, and is not large; only then does anybody begin to answer it.

One that is refused before may still be on its way. Its rest is taken in and thrown away before the connection closes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from liner_mcp.web.answers import refusal
from liner_mcp.web.limits import Limits


class TooLarge(Exception):
    """The body is larger than any question."""


class Left(Exception):
    """The client went away before its body was whole."""


class WholeBodies:
    """Reads the body before the request goes on; answers 413 to a large one and 408 to one that does not come."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                body = await self._read(scope, receive)
        except TooLarge:
            sentence = f"The request is larger than {self._limits.body_bytes // 1024} KB. No question needs as much."
            await refusal(413, sentence)(scope, receive, send)
        except TimeoutError:
            sentence = f"The request did not come whole within {self._limits.body_seconds:g} s. Send it again."
            await refusal(408, sentence, connection="close")(scope, receive, send)
        except Left:
            return
        else:
            if body.lstrip()[:1] == b"[":  # the SDK's own refusal repeats the whole of it, four times
                await refusal(400, "Send one JSON-RPC request at a time: batches are not served.")(scope, receive, send)
                return
            await self._app(scope, _told_again(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdigit() and int(declared) > self._limits.body_bytes:
            raise TooLarge
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise Left
            body += message.get("body", b"")
            if len(body) > self._limits.body_bytes:
                raise TooLarge
            if not message.get("more_body", False):
                return bytes(body)


class RestOfBodies:
    """The outermost wrapper: an answer that ends its connection is followed by the rest of the question.

    A socket that closes with bytes unread resets the connection, and the client, still sending, would not see the
    answer (RFC 9112 section 9.6). The answer is sent whole at once; only the end of the connection waits, and not long.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        last = whole = ended = False

        async def received() -> Message:
            nonlocal whole
            message = await receive()
            whole = not message.get("more_body", False)  # neither has what ends the connection
            return message

        async def sent(message: Message) -> None:
            nonlocal last, ended
            if message["type"] == "http.response.start":
                last = not whole and _is_last(scope, message["headers"])
            elif last and not whole and not message.get("more_body", False):
                ended, message = True, {**message, "more_body": True}
            await send(message)

        await self._app(scope, received, sent)
        if ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.rest_seconds):
                    while not whole:
                        await received()
            await send({"type": "http.response.body"})


def _is_last(scope: Scope, answered: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the connection ends with this answer: by our word or by the client's (RFC 9112 section 9.3)."""
    if scope["http_version"] < "1.1":
        return True
    said = (value for headers in (answered, scope["headers"]) for name, value in headers if name == b"connection")
    return any(word.strip().lower() == b"close" for value in said for word in value.split(b","))


def _told_again(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()  # the client's going away, which ends what runs for it
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
