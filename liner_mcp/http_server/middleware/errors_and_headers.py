"""The outermost middleware: the headers on every answer, the answer to a crash, and the path prefix of a proxy."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from liner_mcp.http_server.connection import STATE_KEY, Connection
from liner_mcp.http_server.error_response import SECURITY_HEADERS, error_response
from liner_mcp.http_server.middleware.health import HEALTH, READY
from liner_mcp.server.protocol_errors import log_crash
from liner_mcp.server.request_info import REQUEST_INFO_KEY, RequestInfo

_SECURITY_HEADERS = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]

_AMBIGUOUS = error_response(
    400, "Send Content-Length or Transfer-Encoding, not both: they could name two ends of the body.", connection="close"
)


class ErrorBoundary:
    """Adds headers to every answer and answers a crash with one sentence.

    It reports the start of each request and the end of its answer to the connection. Tests without a socket have none.
    `names_callers`: requests are authenticated. A connection ends with an answer to a client without a name, so that
    strangers do not occupy connections.
    """

    def __init__(self, app: ASGIApp, *, names_callers: bool = False) -> None:
        self._app = app
        self._names_callers = names_callers
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = ended = False
        connection: Connection | None = scope.get("state", {}).get(STATE_KEY)
        last = connection is not None and not connection.begin_request()
        # Probes are rare, so their connections would be idle in between.
        last = last or scope["path"] in (HEALTH, READY)
        info: RequestInfo | None = scope.get(REQUEST_INFO_KEY)

        def end() -> None:
            nonlocal ended
            if connection is not None and not ended:
                connection.end_request()
            ended = True

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = list(message.get("headers", ()))
                present = {name for name, _ in headers}
                headers += [pair for pair in _SECURITY_HEADERS if pair[0] not in present]
                # uvicorn's own protocol would reset the connection of a client that is still sending.
                stranger = self._names_callers and connection is not None and (info is None or info.caller is None)
                if last or stranger or self.draining:
                    headers = [*(pair for pair in headers if pair[0] != b"connection"), (b"connection", b"close")]
                message = {**message, "headers": headers}
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                end()

        async def answer(status: int, sentence: str, **headers: str) -> None:
            if not begun:
                await error_response(status, sentence, **headers)(scope, receive, send_with_headers)

        app = _AMBIGUOUS if _has_two_lengths(scope) else self._app
        try:
            await app(scope, receive, send_with_headers)
        except asyncio.CancelledError:
            # uvicorn cancels what still runs when its time for stopping is over, for example a body that never came.
            await answer(503, "The server is stopping. Ask again.", retry_after="2")
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: any error is reported without its text
            # If the answer has begun, uvicorn sees that it has no end and closes the connection.
            await answer(500, log_crash("A web request", error))
        finally:
            end()


def _has_two_lengths(scope: Scope) -> bool:
    """Whether a proxy could see another end of the body than this server (RFC 9112 section 6.3: request smuggling)."""
    names = [name for name, _ in scope["headers"] if name in (b"content-length", b"transfer-encoding")]
    return len(set(names)) > 1


class PathPrefix:
    """Removes the prefix that a proxy adds to the path, and puts it into `root_path` for generated URLs.

    A path without the prefix is served too: some proxies remove it themselves, and probes come without a proxy.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        prefix, path = self._prefix, scope["path"]
        scope = {**scope, "root_path": prefix}
        if path.startswith(f"{prefix}/"):
            raw: bytes = scope.get("raw_path") or path.encode()
            scope |= {"path": path[len(prefix) :], "raw_path": raw.removeprefix(prefix.encode())}
        await self._app(scope, receive, send)
