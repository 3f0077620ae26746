"""Checks the Host and Origin headers: the protection against DNS rebinding.

A web page from elsewhere can make its own host name resolve to this machine. It cannot change the Host and Origin that
the browser then sends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from liner_mcp.http_server.error_response import error_response
from liner_mcp.settings import Settings
from liner_mcp.urls import is_loopback, parse_url

# What browser clients send and read beyond the headers that CORS always allows.
_REQUEST_HEADERS = (
    "Authorization",
    "Last-Event-ID",
    "Mcp-Method",
    "Mcp-Name",
    "Mcp-Protocol-Version",
    "Mcp-Session-Id",
    "Traceparent",
    "Tracestate",
    "X-Request-Id",
)
_HOST = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::[0-9]*)?")  # a name or an address, and a port
_RESPONSE_HEADERS = ("Mcp-Protocol-Version", "Mcp-Session-Id", "Retry-After", "WWW-Authenticate", "X-Request-Id")


class AllowedHosts:
    """Answers 421 to a Host and 403 to an Origin that is not allowed."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        app = self._app
        if not allows_host(headers.get("host", ""), self._settings.mcp_allowed_hosts):
            sentence = "This host name is not allowed. The operator lists the allowed names in LINER_MCP_ALLOWED_HOSTS."
            app = error_response(421, sentence)
        elif not all(allows_origin(one, self._settings.mcp_allowed_origins) for one in headers.getlist("origin")):
            sentence = "Pages of this origin are not allowed. The operator lists origins in LINER_MCP_ALLOWED_ORIGINS."
            app = error_response(403, sentence)
        await app(scope, receive, send)


def cors(app: ASGIApp) -> CORSMiddleware:
    """Adds the CORS headers. `AllowedHosts` refuses other origins before. Credentials are a header, never a cookie."""
    return CORSMiddleware(
        app,
        allow_origin_regex=".*",  # so that the answer names the origin instead of *
        allow_methods=("GET", "POST"),
        allow_headers=_REQUEST_HEADERS,
        expose_headers=_RESPONSE_HEADERS,
        max_age=600,
    )


def allows_host(header: str, allowed: Sequence[str] | None) -> bool:
    """Whether a Host header is in `allowed`; an entry without a port allows any port. None allows loopback names."""
    whole = header.strip().lower()
    found = _HOST.fullmatch(whole)
    if found is None:
        return False
    name = found[1]
    if allowed is None:
        return is_loopback(name.strip("[]"))
    return bool(name) and (whole in allowed or name.removesuffix(".") in allowed)


def allows_origin(origin: str, allowed: Sequence[str] | None) -> bool:
    """Whether an Origin header is in `allowed`. None allows pages served by this machine."""
    origin = origin.strip().lower()
    if allowed is not None:
        return origin in allowed
    url = parse_url(origin)
    return url is not None and url.scheme in ("http", "https") and is_loopback(url.hostname or "")
