"""Under which names the server is asked, and from which web pages: the guard against DNS rebinding.

A page that a browser loaded from elsewhere can make its own name point at this machine; it cannot change the Host and
Origin that the browser then sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from liner_mcp.http_server.error_response import error_response
from liner_mcp.settings import Settings
from liner_mcp.urls import is_loopback

# What browser clients send and read beside what every page may.
_ASKED_HEADERS = (
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
_ANSWERED_HEADERS = ("Mcp-Protocol-Version", "Mcp-Session-Id", "Retry-After", "WWW-Authenticate", "X-Request-Id")


class AllowedHosts:
    """Answers 421 to a Host and 403 to an Origin that is not allowed."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if not allows_host(headers.get("host", ""), self._settings.mcp_allowed_hosts):
                sentence = (
                    "This server is not asked under that name. Its operator lists names in LINER_MCP_ALLOWED_HOSTS."
                )
                await error_response(421, sentence)(scope, receive, send)
                return
            origin = headers.get("origin")
            if origin is not None and not allows_origin(origin, self._settings.mcp_allowed_origins):
                sentence = "Pages of that origin may not ask. The operator lists origins in LINER_MCP_ALLOWED_ORIGINS."
                await error_response(403, sentence)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def cors(app: ASGIApp) -> CORSMiddleware:
    """Tells browsers what pages may send and read: those of allowed origins, for no others come past `AllowedHosts`.

    Credentials are a header, never a cookie.
    """
    return CORSMiddleware(
        app,
        allow_origin_regex=".*",  # so that the origin itself is named, and not all of them
        allow_methods=("GET", "POST"),
        allow_headers=_ASKED_HEADERS,
        expose_headers=_ANSWERED_HEADERS,
        max_age=600,
    )


def allows_host(header: str, allowed: Sequence[str] | None) -> bool:
    """Whether a Host header is one of `allowed`; an entry without a port allows any. None allows loopback's names."""
    whole = header.strip().lower()
    name = whole[: whole.index("]") + 1] if whole.startswith("[") and "]" in whole else whole.partition(":")[0]
    if allowed is None:
        return is_loopback(name.strip("[]"))
    return bool(name) and (whole in allowed or name.removesuffix(".") in allowed)


def allows_origin(origin: str, allowed: Sequence[str] | None) -> bool:
    """Whether an Origin header is one of `allowed`. None allows pages served by this machine."""
    origin = origin.strip().lower()
    if allowed is not None:
        return origin in allowed
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and is_loopback(parts.hostname or "")
