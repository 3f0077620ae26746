"""The body of a request is read whole before anything else happens with it: it must be small, and come soon."""

from __future__ import annotations

import asyncio

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


def _told_again(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()  # the client's going away, which ends what runs for it
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
