"""Authentication middleware: every HTTP request but a few public ones must carry a token, before anything reads it.

A wrapper of plain ASGI. It takes the token out of the request: whatever lies behind learns a name and never sees the
token, so nothing there can log it or send it on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from liner_mcp.http_server.auth.bearer import (
    WELL_KNOWN,
    Authenticator,
    ProtectedResource,
    Rejection,
    challenge,
    metadata_address,
)
from liner_mcp.http_server.error_response import error_response
from liner_mcp.server.caller import SCOPE_KEY, Caller
from liner_mcp.server.request_info import REQUEST_INFO_KEY, RequestInfo

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from liner_mcp.settings import Settings

_CREDENTIALS = (b"authorization", b"proxy-authorization", b"cookie")


def authenticator_from(settings: Settings) -> Authenticator | None:
    """Who knows the callers, by these settings; None when nothing is set and everyone may come in.

    Raises: SettingsError when the file of tokens cannot be used.
    """
    if settings.mcp_tokens_file is not None:
        from liner_mcp.http_server.auth.token_file import TokenFile

        return TokenFile(settings.mcp_tokens_file)
    if settings.mcp_oauth_issuer is not None and settings.mcp_oauth_audience is not None:
        from liner_mcp.http_server.auth.jwks import JwksClient
        from liner_mcp.http_server.auth.jwt import JwtAuthenticator

        resource = ProtectedResource(
            settings.mcp_oauth_audience, settings.mcp_oauth_issuer, tuple(settings.mcp_oauth_scope.split())
        )
        return JwtAuthenticator(resource, JwksClient(settings.mcp_oauth_issuer))
    return None


class Authentication:
    """Lets a request through to `app` with its `Caller` in `scope[SCOPE_KEY]`, or answers 401, 403 or 503 itself.

    `mcp_path` is where MCP is served, for the metadata of an audience that is no address. /health and /ready are
    answered before this wrapper, and CORS preflights, which carry no token; the prefix of a proxy is in `root_path`.
    """

    def __init__(self, app: ASGIApp, authenticator: Authenticator, *, mcp_path: str = "/mcp") -> None:
        self._app = app
        self._authenticator = authenticator
        self._mcp_path = mcp_path
        self._resource = authenticator.resource

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._authenticate(scope, receive, send)
        elif scope["type"] == "lifespan":  # and not a web socket: we serve none
            await self._app(scope, receive, send)

    async def _authenticate(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path == WELL_KNOWN or path.startswith(f"{WELL_KNOWN}/"):
            await self._metadata(path, scope)(scope, receive, send)
            return
        who = await self._identify(scope)
        if isinstance(who, Rejection):
            await self._rejection(who, scope)(scope, receive, send)
            return
        info = scope.get(REQUEST_INFO_KEY)
        if isinstance(info, RequestInfo):
            info.caller = who.name
        headers = [(name, value) for name, value in scope["headers"] if name.lower() not in _CREDENTIALS]
        await self._app({**scope, "headers": headers, SCOPE_KEY: who}, receive, send)

    async def _identify(self, scope: Scope) -> Caller | Rejection:
        given = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
        # Repeated, it reads as one list (RFC 9110 section 5.3), which no token is: two machines on the way could each
        # believe another one.
        return await self._authenticator.identify(b", ".join(given).decode("latin-1") if given else None)

    def _rejection(self, refused: Rejection, scope: Scope) -> ASGIApp:
        headers: dict[str, str] = {}
        if refused.status in (401, 403):
            metadata = metadata_address(self._location(self._resource, scope)) if self._resource else None
            headers["www_authenticate"] = challenge(refused, metadata=metadata)
        if refused.retry_after is not None:
            headers["retry_after"] = str(refused.retry_after)
        return error_response(refused.status, refused.sentence, **headers)

    def _metadata(self, path: str, scope: Scope) -> ASGIApp:
        """RFC 9728: under the well-known path itself, and with the path of the resource behind it."""
        if self._resource is None:
            return error_response(404, "Tokens for this server come from its operator, not from an issuer.")
        location = self._location(self._resource, scope)
        ours = metadata_address(location).partition(WELL_KNOWN)[2]
        if path.removeprefix(WELL_KNOWN).rstrip("/") not in ("", ours, self._mcp_path):
            return error_response(404, "There is no such resource here.")
        if scope["method"] not in ("GET", "HEAD"):
            return error_response(405, "The metadata can only be read.", allow="GET, HEAD")
        return JSONResponse(self._resource.metadata(location))

    def _location(self, resource: ProtectedResource, scope: Scope) -> str:
        """Our address: the audience, or, when that is only a name, the address that the client used."""
        if resource.location is not None:
            return resource.location
        host = next((value for name, value in scope["headers"] if name.lower() == b"host"), b"localhost")
        name = "".join(c for c in host.decode("latin-1") if c.isascii() and (c.isalnum() or c in "-._:[]"))
        return f"{scope.get('scheme', 'http')}://{name}{scope.get('root_path', '')}{self._mcp_path}"
