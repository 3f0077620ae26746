"""One log line for each HTTP request, with an id that the client knows too.

A line does not hold the client's address, because it is personal data and the caller's name is enough. It holds no
query, no body, and no name that a client chose, except names of ours and of the protocol.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from liner_mcp.http_server import MCP_PATH, MCP_PATHS
from liner_mcp.http_server.auth.bearer import WELL_KNOWN
from liner_mcp.http_server.middleware.health import HEALTH, READY
from liner_mcp.json_logging import REQUEST_LOGGER
from liner_mcp.server.log_redaction import OTHER, protocol_version, request_id
from liner_mcp.server.request_info import REQUEST_INFO_KEY, RequestInfo

HEADER = "X-Request-Id"
_RAW_HEADER = HEADER.lower().encode()  # as ASGI writes it

_HTTP_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_logger = logging.getLogger(REQUEST_LOGGER)


class RequestLog:
    """Logs every answer as it leaves, refusals and crashes too, and adds the id to it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        info = RequestInfo(_request_id(headers), protocol=protocol_version(headers.get("mcp-protocol-version")))
        status: int | None = None
        bytes_in = bytes_out = 0

        async def received() -> Message:
            nonlocal bytes_in
            message = await receive()
            bytes_in += len(message.get("body", b""))
            return message

        async def sent(message: Message) -> None:
            nonlocal status, bytes_out
            if message["type"] == "http.response.start":
                status = message["status"]
                named = (_RAW_HEADER, info.request_id.encode())
                message = {**message, "headers": [*message.get("headers", ()), named]}
            bytes_out += len(message.get("body", b""))
            await send(message)

        begun = time.perf_counter()
        try:
            await self._app({**scope, REQUEST_INFO_KEY: info}, received, sent)
        finally:
            if _logger.isEnabledFor(logging.INFO):
                path = _logged_path(scope["path"])
                line: dict[str, Any] = {
                    "event": "request",
                    "request_id": info.request_id,
                    "caller": info.caller,
                    "auth_error": info.auth_error,
                    "http_method": scope["method"] if scope["method"] in _HTTP_METHODS else OTHER,
                    "path": path,
                    "status": status,  # null: the client disconnected before the answer
                    "seconds": round(time.perf_counter() - begun, 3),
                    "bytes_in": bytes_in,
                    "bytes_out": bytes_out,
                    "protocol": info.protocol,
                    "method": info.method,
                    "name": info.name,
                    "client": info.client,
                    "pid": os.getpid(),
                }
                _logger.log(logging.DEBUG if path in (HEALTH, READY) else logging.INFO, "request", extra={"line": line})


def _logged_path(path: str) -> str:
    if path == WELL_KNOWN or path.startswith(f"{WELL_KNOWN}/"):
        return WELL_KNOWN
    return MCP_PATH if path in MCP_PATHS else path if path in (HEALTH, READY) else OTHER


def _request_id(headers: Headers) -> str:
    """The id in the request if it may be logged, else a new one."""
    given = headers.getlist(HEADER)
    return (request_id(given[0]) if len(given) == 1 else None) or secrets.token_hex(8)
