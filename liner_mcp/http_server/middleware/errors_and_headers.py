"""The outermost wrappers: what every answer carries, what no crash may show, and where behind a proxy we stand."""

from __future__ import annotations

import asyncio
import logging
import traceback
from pathlib import Path
from typing import cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from liner_mcp.http_server.connection import STATE_KEY, Connection
from liner_mcp.http_server.error_response import SECURITY_HEADERS, error_response
from liner_mcp.http_server.middleware.health import HEALTH, READY

_SECURITY_HEADERS = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]

_AMBIGUOUS = error_response(
    400, "Send Content-Length or Transfer-Encoding, not both: they could name two ends of the body.", connection="close"
)

logger = logging.getLogger(__name__)


class ErrorBoundary:
    """Puts the safe headers on every answer, turns a crash into a sentence, and says which answer is the last one.

    It tells the connection when a request begins and when its answer is sent. (There is no connection in a test without
    a socket.)
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = ended = False
        connection: Connection | None = scope.get("state", {}).get(STATE_KEY)
        last = connection is not None and not connection.begin_request()
        # A probe comes rarely, and shall not hold a connection idle meanwhile.
        last = last or scope["path"] in (HEALTH, READY)

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
                said = {name for name, _ in headers}
                headers += [pair for pair in _SECURITY_HEADERS if pair[0] not in said]
                if last or self.draining:
                    headers = [*(pair for pair in headers if pair[0] != b"connection"), (b"connection", b"close")]
                message = {**message, "headers": headers}
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                end()

        app = _AMBIGUOUS if _has_two_lengths(scope) else self._app
        try:
            await app(scope, receive, send_with_headers)
        except asyncio.CancelledError:
            # A server whose time for stopping is over does this, to a question that never came whole for one.
            if not begun:
                await error_response(503, "The server is stopping. Ask again.", retry_after="2")(
                    scope, receive, send_with_headers
                )
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: whatever it is, it is reported without its text
            _log_crash(error)
            if not begun:  # else the web server sees an answer without an end, and closes the connection
                sentence = "liner-mcp failed inside. This is a bug in liner-mcp; please report it."
                await error_response(500, sentence)(scope, receive, send_with_headers)
        finally:
            end()


def _has_two_lengths(scope: Scope) -> bool:
    """Whether a proxy could see another end of the body than we do (RFC 9112 section 6.3: request smuggling)."""
    names = [name for name, _ in scope["headers"] if name in (b"content-length", b"transfer-encoding")]
    return len(set(names)) > 1


def _log_crash(error: BaseException) -> None:
    """Where a bug struck, without the exception's text: that may hold a question or an answer."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    logger.error("A web request crashed: %s at %s", type(error).__name__, place)


class PathPrefix:
    """Takes off the path under which a proxy shows us, and leaves it as `root_path` to whoever makes addresses.

    A path without it is served as well: some proxies take it off themselves, and probes ask us directly.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            prefix, path = self._prefix, scope["path"]
            scope = {**scope, "root_path": prefix}
            if path.startswith(f"{prefix}/"):
                raw: bytes = scope.get("raw_path") or path.encode()
                scope |= {"path": path[len(prefix) :], "raw_path": raw.removeprefix(prefix.encode())}
        await self._app(scope, receive, send)
