"""The web application: the MCP endpoint, and around it, in one list, everything that a request passes on the way in.

Nothing here is remembered between two requests but rates, so that any process can answer any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from mcp.server.streamable_http import check_accept_headers
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from liner_mcp.errors import SettingsError
from liner_mcp.http_server.auth.authentication import Authentication, authenticator_from
from liner_mcp.http_server.error_response import error_response
from liner_mcp.http_server.limits import LIMITS, Limits
from liner_mcp.http_server.middleware.errors_and_headers import ErrorBoundary, PathPrefix
from liner_mcp.http_server.middleware.health import HealthChecks
from liner_mcp.http_server.middleware.hosts import AllowedHosts, cors
from liner_mcp.http_server.middleware.rate_limit import ConcurrencyLimit, RateLimit
from liner_mcp.http_server.middleware.request_body import BufferedBody
from liner_mcp.http_server.middleware.request_log import RequestLog
from liner_mcp.server.app import LinerServer, create_server
from liner_mcp.server.audit_log import ServerObserver
from liner_mcp.server.runtime import Runtime
from liner_mcp.settings import Settings

if TYPE_CHECKING:
    import httpx

PATH = "/mcp"
_ACCEPT = "application/json, text/event-stream"

Middleware = Callable[[ASGIApp], ASGIApp]
"""An ASGI middleware that is ready to be put around an application."""


class WebApp:
    """The whole application. `drain` is called at a signal to stop, before the process closes its listener."""

    def __init__(
        self, app: ASGIApp, runtime: Runtime, error_boundary: ErrorBoundary, health_checks: HealthChecks
    ) -> None:
        self._app = app
        self._runtime = runtime
        self._error_boundary = error_boundary
        self._health_checks = health_checks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def warm_up(self) -> None:
        """Load what the first question needs."""
        self._runtime.warm_up()

    def drain(self) -> None:
        """From now on /ready says no, and every answer is the last on its connection."""
        self._error_boundary.draining = self._health_checks.draining = True


def create_web_app(
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    now: Callable[[], datetime] | None = None,
    authenticator: Middleware | None = None,
    limits: Limits = LIMITS,
    observer: ServerObserver | None = None,
) -> WebApp:
    """The application for these settings. `transport` replaces the network to Liner and `now` the clock.

    `authenticator` wraps what only known callers may reach; the settings say who knows them, unless it is given.
    `observer` sees every request to Liner, and every call and read when it is over.
    Raises: SettingsError when the file of tokens or of access cannot be used, and for a file of access where callers
    have no names.
    """
    authenticator = authenticator or _authentication(settings)
    if settings.mcp_access_file is not None and authenticator is None:
        raise SettingsError(
            "LINER_MCP_ACCESS_FILE says what each caller may see, but callers have no names: set LINER_MCP_TOKENS_FILE "
            "or LINER_MCP_OAUTH_ISSUER too."
        )
    # Ids that this process listed may be another caller's: none are offered.
    server = create_server(settings, transport=transport, now=now, shared=True, observer=observer)
    server.runtime.check_access_file()
    app: ASGIApp = McpEndpoint(server, limits)
    # From the inside out. What is cheap and needs no trust refuses first; a place among the running requests is taken
    # last, by a request that is known, allowed and whole.
    app = ConcurrencyLimit(app, limits)
    app = BufferedBody(app, limits)
    if settings.mcp_requests_per_minute:
        app = RateLimit(app, settings.mcp_requests_per_minute, limits)
    if authenticator is not None:
        app = authenticator(app)
    app = cors(app)
    app = AllowedHosts(app, settings)
    app = health_checks = HealthChecks(app, server.runtime, limits)
    if settings.mcp_path_prefix:
        app = PathPrefix(app, settings.mcp_path_prefix)
    if settings.mcp_trusted_proxies:
        # The types are uvicorn's own for the same thing.
        inner: Any = app
        app = cast("ASGIApp", ProxyHeadersMiddleware(inner, list(settings.mcp_trusted_proxies)))
    app = error_boundary = ErrorBoundary(app)
    app = RequestLog(app, mcp_path=PATH, prefix=settings.mcp_path_prefix)
    return WebApp(app, server.runtime, error_boundary, health_checks)


def _authentication(settings: Settings) -> Middleware | None:
    known = authenticator_from(settings)
    return None if known is None else lambda app: Authentication(app, known, mcp_path=PATH)


class McpEndpoint:
    """POST /mcp in both eras. Everything else gets an error that says what it should have been."""

    def __init__(self, server: LinerServer, limits: Limits) -> None:
        self._served = server.streamable_http_app(
            streamable_http_path=PATH,
            stateless_http=True,  # any process can answer any request, and a client that skips the handshake is served
            max_request_body_size=limits.body_bytes,
            # Host and Origin have been looked at, for every address and not for this one alone.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        self._manager = server.session_manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._served(scope, receive, send)
        elif scope["type"] == "http":
            answer = self._rejection(scope) or self._manager.handle_request
            await answer(scope, receive, send)

    @staticmethod
    def _rejection(scope: Scope) -> ASGIApp | None:
        if scope["path"] != PATH:
            return error_response(404, f"There is nothing here. MCP is at {scope.get('root_path', '')}{PATH}.")
        if scope["method"] != "POST":
            # In the older protocol GET opens a stream that never ends, and DELETE ends a session: there are none.
            return error_response(
                405, "Send MCP requests with POST. This server keeps no sessions or streams.", allow="POST"
            )
        headers = Headers(scope=scope)
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return error_response(415, "Send the request as Content-Type: application/json.")
        if headers.get("accept") != _ACCEPT and not all(check_accept_headers(Request(scope))):
            return error_response(406, f"Send Accept: {_ACCEPT}. An answer may be either.")
        return None
