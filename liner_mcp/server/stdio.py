"""Answers every line that comes in on stdio, whatever it holds.

The SDK drops a line that is not a JSON-RPC message, and a client that sent it as a request would wait without end. Here
it gets a JSON-RPC error, with the id where that can be read. The session goes on.

The SDK reads lines of any length. Here a longer one is cut off before it is parsed, so that it fills neither the memory
nor the event loop.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, BinaryIO, TextIO, cast

import anyio
from anyio.abc import ObjectReceiveStream
from mcp.shared.message import SessionMessage
from mcp.types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, RequestId
from mcp_types import jsonrpc_message_adapter
from pydantic import ValidationError
from pydantic_core import from_json

from liner_mcp.server.protocol_errors import NO_BATCHES, ONE_REQUEST, is_request_without_id

Incoming = SessionMessage | Exception
"""A message, or why a line is none."""

MAX_LINE_BYTES = 1_000_000  # four times as much as a request over HTTP; it takes about 50 MB when it is parsed
_READ_ON_BYTES = 65_536
_NOT_JSON = "The line is not JSON of at most 1 MB. Send one JSON-RPC request in each line, in UTF-8."
_BYTE_ORDER_MARK = "\ufeff"


class Lines:
    """Lines of a binary stream as text. A line that is too long is cut off: that is not JSON, but `_read_id` finds the
    request's id in it.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readline(self) -> str:
        line = rest = self._stream.readline(MAX_LINE_BYTES)
        while rest and not rest.endswith(b"\n"):
            rest = self._stream.readline(_READ_ON_BYTES)
        return line.decode(errors="replace")


@asynccontextmanager
async def own_stdin() -> AsyncGenerator[anyio.AsyncFile[str]]:
    """The lines of stdin. In the meantime descriptor 0 is the null device, as with the SDK's own reader."""
    private, null = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    try:
        # Not closed: the thread that waits for a line cannot be interrupted.
        stream = os.fdopen(private, "rb", closefd=False)
        yield anyio.wrap_file(cast("TextIO", Lines(stream)))
    finally:
        os.dup2(private, 0)


class Messages(ObjectReceiveStream[Incoming]):
    """The messages of the SDK's stream `incoming`. Every other line is answered in `outgoing`.

    It reads only when the server does: a task in between would see the end of stdin before the server has the message
    before it, and the server would end without an answer.
    """

    def __init__(self, incoming: Any, outgoing: Any) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    async def receive(self) -> Incoming:
        while True:
            message = _without_mark(await self._incoming.receive())
            error = _refusal(message)
            if error is None:
                return message
            await self._outgoing.send(SessionMessage(error))

    async def aclose(self) -> None:
        await self._incoming.aclose()


def _without_mark(item: Incoming) -> Incoming:
    """The message of a line that only a byte order mark makes unreadable: some shells write one at the start."""
    line = _line(item)
    if line is None or not line.startswith(_BYTE_ORDER_MARK):
        return item
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line.lstrip(_BYTE_ORDER_MARK), by_name=False))
    except ValidationError as error:
        return error


def _refusal(item: Incoming) -> JSONRPCError | None:
    """The answer to what is not a message; None for a message."""
    if isinstance(item, SessionMessage):
        return _error(INVALID_REQUEST, ONE_REQUEST) if is_request_without_id(item.message) else None
    if not isinstance(item, ValidationError) or _line(item) is not None:
        return _error(PARSE_ERROR, _NOT_JSON, _read_id(item))
    batch = any(isinstance(row["input"], list) and len(row["loc"]) == 1 for row in item.errors(include_url=False))
    return _error(INVALID_REQUEST, NO_BATCHES if batch else ONE_REQUEST, _read_id(item))


def _error(code: int, message: str, request_id: RequestId | None = None) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=code, message=message))


def _line(item: Incoming) -> str | None:
    """The line, if it is not JSON."""
    if not isinstance(item, ValidationError):
        return None
    first = item.errors(include_url=False)[0]
    return first["input"] if first["type"] == "json_invalid" else None


def _read_object(line: str) -> object:
    """What is left of a line that is cut off, or a line with half a surrogate pair, which JavaScript sends."""
    try:
        return from_json(line, allow_partial=True)
    except ValueError:
        return json.loads(line)


def _read_id(error: Exception) -> RequestId | None:
    """The id of a request that is cut off, holds half a surrogate pair, or lacks something."""
    if not isinstance(error, ValidationError):
        return None
    line = _line(error)
    try:
        wholes = [row["input"] for row in error.errors(include_url=False) if row["type"] == "missing"]
        request: object = wholes[0] if line is None else _read_object(line.rstrip())
    except (ValueError, IndexError, RecursionError):
        return None
    found = cast("dict[str, Any]", request).get("id") if isinstance(request, dict) else None
    # An id with half a surrogate pair cannot be sent back.
    usable = isinstance(found, int) or (isinstance(found, str) and found.isascii())
    return cast("RequestId", found) if usable and not isinstance(found, bool) else None
