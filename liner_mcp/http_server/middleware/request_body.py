"""Reads the whole body of a request before it is passed on, within limits of size and time.

The SDK limits the size too, but its message names no limit, and it waits for a slow body without end.
"""

from __future__ import annotations

import asyncio

from mcp_types import jsonrpc_message_adapter
from pydantic import ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from liner_mcp.http_server.error_response import error_response
from liner_mcp.http_server.limits import Limits
from liner_mcp.server.protocol_errors import NO_BATCHES, ONE_REQUEST, is_request_without_id


class BufferedBody:
    """Answers 413 to a large body, 408 to one that does not arrive, and 400 to one that is not a JSON-RPC message."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                body = await self._read(Request(scope, receive))
        except ClientDisconnect:
            return
        except TimeoutError:
            sentence = f"The request did not arrive completely within {self._limits.body_seconds:g} s. Send it again."
            await error_response(408, sentence, connection="close")(scope, receive, send)
            return
        if body is None:
            sentence = f"The request is larger than {self._limits.body_bytes // 1024} KB. Send a smaller one."
            await error_response(413, sentence)(scope, receive, send)
            return
        if refused := _refusal(body):
            await error_response(400, refused)(scope, receive, send)
            return
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            # After the body: the message that the client has disconnected, which cancels the call.
            return messages.pop() if messages else await receive()

        await self._app(scope, again, send)

    async def _read(self, request: Request) -> bytes | None:
        """The body; None if it is too large. Raises: ClientDisconnect."""
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._limits.body_bytes:
            return None
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > self._limits.body_bytes:
                return None
        return bytes(body)


def _refusal(body: bytes) -> str | None:
    """Why a body is not one JSON-RPC message; None if it is. The SDK's own errors would repeat the body.

    For text that is not JSON, the SDK's error gives only the position.
    """
    if body.lstrip()[:1] == b"[":
        return NO_BATCHES
    try:
        decoded = from_json(body)
    except ValueError:
        return None
    try:
        message = jsonrpc_message_adapter.validate_python(decoded, by_name=False)
    except ValidationError:
        return ONE_REQUEST
    return ONE_REQUEST if is_request_without_id(message) else None
