"""The web application: the MCP endpoint, and in one list all the middleware that a request passes on its way to it.

Nothing is stored between two requests except rates, so any process can answer any request.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from mcp.server.streamable_http import check_accept_headers
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from liner_mcp.http_server import MCP_PATH, MCP_PATHS
from liner_mcp.http_server.auth.authentication import Authentication, authenticator_from
from liner_mcp.http_server.error_response import error_response
from liner_mcp.http_server.limits import LIMITS, Limits
from liner_mcp.http_server.middleware.declared_apps import DeclaredApps
from liner_mcp.http_server.middleware.errors_and_headers import ErrorBoundary, PathPrefix
from liner_mcp.http_server.middleware.health import HealthChecks
from liner_mcp.http_server.middleware.hosts import AllowedHosts, cors
from liner_mcp.http_server.middleware.rate_limit import CallerConcurrencyLimit, ConcurrencyLimit, RateLimit
from liner_mcp.http_server.middleware.request_body import BufferedBody
from liner_mcp.http_server.middleware.request_log import RequestLog
from liner_mcp.server.app import LinerServer, create_server
from liner_mcp.server.audit_log import ServerObserver
from liner_mcp.server.runtime import Runtime
from liner_mcp.settings import Settings
from liner_mcp.shared_store import SharedStore

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

_ACCEPT = "application/json, text/event-stream"

Middleware = Callable[[ASGIApp], ASGIApp]
"""Wraps an ASGI application that is called for HTTP requests only."""

Background = Callable[[], AbstractAsyncContextManager[None]]
"""Work that goes on beside the answers."""


class WebApp:
    """The whole application: `app` answers HTTP requests, `lifespan` handles the start and the end of the process."""

    def __init__(self, app: ASGIApp, lifespan: ASGIApp, runtime: Runtime, error_boundary: ErrorBoundary) -> None:
        self._app = app
        self._lifespan = lifespan
        self.runtime = runtime
        self._error_boundary = error_boundary

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._app(scope, receive, send)
        elif scope["type"] == "lifespan":  # web sockets are not served
            await self._lifespan(scope, receive, send)

    def drain(self) -> None:
        """Make each further answer the last one on its connection. Called before the process closes its listener."""
        self._error_boundary.draining = True


def create_web_app(
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    now: Callable[[], datetime] | None = None,
    authenticator: Middleware | None = None,
    limits: Limits = LIMITS,
    observer: ServerObserver | None = None,
    background: Background = nullcontext,
) -> WebApp:
    """The application for these settings. `transport` replaces the network to Liner and `now` the clock.

    `background` is entered while the application runs.

    `authenticator` replaces the authentication of the settings. `observer` sees every request to Liner, and every call
    and read when it has ended.
    Raises: SettingsError if the file of tokens or of access rules cannot be used, and for access rules without
    authentication.
    """
    names: frozenset[str] | None = None
    if authenticator is None and (known := authenticator_from(settings)) is not None:
        authenticator, names = partial(Authentication, authenticator=known), known.names
    # `shared` also turns completions off: an id that this process listed may be another caller's.
    server = create_server(settings, transport=transport, now=now, shared=True, observer=observer)
    for sentence in server.runtime.check_access_file(names, authenticated=authenticator is not None):
        logger.warning("%s", sentence)
    endpoint = McpEndpoint(server, limits, background)
    # From the inside out. Cheap checks that need no trust come first for a request. It counts as a running request
    # last: when its caller is known, it is allowed, and its body has been read.
    app: ASGIApp = ConcurrencyLimit(DeclaredApps(endpoint), limits)
    app = BufferedBody(app, limits)
    app = CallerConcurrencyLimit(app, limits)
    if settings.mcp_requests_per_minute:
        store = None if settings.pace_url is None else SharedStore(settings.pace_url.get_secret_value())
        app = RateLimit(app, settings.mcp_requests_per_minute, limits, store, settings.replicas)
    if authenticator is not None:
        app = authenticator(app)
    app = cors(app)
    app = AllowedHosts(app, settings)
    app = HealthChecks(app, server.runtime, limits)
    if settings.mcp_trusted_proxies:
        # uvicorn has its own types for ASGI.
        inner: Any = app
        app = cast("ASGIApp", ProxyHeadersMiddleware(inner, list(settings.mcp_trusted_proxies)))
    app = error_boundary = ErrorBoundary(app, names_callers=authenticator is not None)
    app = RequestLog(app)
    if settings.mcp_path_prefix:
        app = PathPrefix(app, settings.mcp_path_prefix)
    return WebApp(app, endpoint.lifespan, server.runtime, error_boundary)


class McpEndpoint:
    """POST /mcp in both eras of the protocol. Any other request gets an error that says what to send instead."""

    def __init__(self, server: LinerServer, limits: Limits, background: Background) -> None:
        self._background = background
        self._streaming = _session_manager(server, limits, json_response=False)
        self._plain = _session_manager(server, limits, json_response=True)
        self.lifespan: ASGIApp = Starlette(lifespan=self._run)

    @asynccontextmanager
    async def _run(self, _: Starlette) -> AsyncGenerator[None]:
        async with self._background(), self._streaming.run(), self._plain.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if rejection := self._rejection(scope):
            await rejection(scope, receive, send)
        elif all(check_accept_headers(Request(scope))):
            await self._streaming.handle_request(scope, receive, send)
        else:
            # Not every client reads streams. Without Accept the SDK would refuse the request.
            headers = [(name, value) for name, value in scope["headers"] if name != b"accept"]
            scope = {**scope, "headers": [*headers, (b"accept", b"application/json")]}
            await self._plain.handle_request(scope, receive, send)

    @staticmethod
    def _rejection(scope: Scope) -> ASGIApp | None:
        if scope["path"] not in MCP_PATHS:
            return error_response(404, f"There is nothing here. MCP is at {scope.get('root_path', '')}{MCP_PATH}.")
        if scope["method"] != "POST":
            # In the older protocol GET opens a stream without an end and DELETE ends a session. Neither exists here.
            return error_response(
                405, "Send MCP requests with POST. This server keeps no sessions or streams.", allow="POST"
            )
        headers = Headers(scope=scope)
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return error_response(415, "Send the request as Content-Type: application/json.")
        if "accept" in headers and not check_accept_headers(Request(scope))[0]:
            return error_response(406, f"Send Accept: {_ACCEPT}. An answer may be either.")
        return None


def _session_manager(server: LinerServer, limits: Limits, *, json_response: bool) -> StreamableHTTPSessionManager:
    """The SDK's handler of requests. With `json_response` it never answers with a stream."""
    server.streamable_http_app(
        json_response=json_response,
        stateless_http=True,  # any process can answer any request, and a client may skip the handshake
        max_request_body_size=limits.body_bytes,
        # AllowedHosts checks Host and Origin, for all paths.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    return server.session_manager
