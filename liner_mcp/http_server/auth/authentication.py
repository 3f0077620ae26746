"""Authentication middleware: every HTTP request needs a token, except for a few public paths.

It removes the token from the request. The application inside sees the caller's name only, so that it cannot log the
token or send it anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from liner_mcp.http_server import MCP_PATH
from liner_mcp.http_server.auth.bearer import (
    WELL_KNOWN,
    Authenticator,
    ProtectedResource,
    Rejection,
    bearer_token,
    challenge,
    metadata_url,
)
from liner_mcp.http_server.error_response import error_response
from liner_mcp.server.caller import SCOPE_KEY, Caller
from liner_mcp.server.log_redaction import redacted_caller
from liner_mcp.server.request_info import REQUEST_INFO_KEY, RequestInfo

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from liner_mcp.settings import Settings

_CREDENTIALS = (b"authorization", b"proxy-authorization", b"cookie")


def authenticator_from(settings: Settings) -> Authenticator | None:
    """The authenticator of these settings; None if they ask for no authentication.

    Raises: SettingsError if the file of tokens cannot be used.
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
    """Passes a request on to `app` with its `Caller` in `scope[SCOPE_KEY]`, or answers 401, 403 or 503 itself.

    /health, /ready and CORS preflights, which carry no token, are answered before this middleware. `root_path` of the
    scope holds the prefix of a proxy.
    """

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator
        self._resource = authenticator.resource

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path == WELL_KNOWN or path.startswith(f"{WELL_KNOWN}/"):
            await self._metadata(path, scope)(scope, receive, send)
            return
        who = await self._identify(scope)
        info = scope.get(REQUEST_INFO_KEY)
        if isinstance(who, Rejection):
            if isinstance(info, RequestInfo):
                info.auth_error = who.reason
            await self._rejection(who, scope)(scope, receive, send)
            return
        if isinstance(info, RequestInfo):
            info.caller = redacted_caller(who.name)
        headers = [(name, value) for name, value in scope["headers"] if name.lower() not in _CREDENTIALS]
        await self._app({**scope, "headers": headers, SCOPE_KEY: who}, receive, send)

    async def _identify(self, scope: Scope) -> Caller | Rejection:
        given = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
        # A repeated header is one list (RFC 9110 section 5.3), and no token is a list. Otherwise a proxy and this
        # server could each read another one of them.
        token = bearer_token(b", ".join(given).decode("latin-1") if given else None)
        return token if isinstance(token, Rejection) else await self._authenticator.identify(token)

    def _rejection(self, refused: Rejection, scope: Scope) -> ASGIApp:
        headers: dict[str, str] = {}
        if refused.status in (401, 403):
            metadata = metadata_url(self._url(self._resource, scope)) if self._resource else None
            headers["www_authenticate"] = challenge(refused, self._resource, metadata=metadata)
        if refused.retry_after is not None:
            headers["retry_after"] = str(refused.retry_after)
        return error_response(refused.status, refused.sentence, **headers)

    def _metadata(self, path: str, scope: Scope) -> ASGIApp:
        """RFC 9728: at the well-known path itself, and with the path of the resource after it."""
        if self._resource is None:
            return error_response(404, "Tokens for this server come from its operator, not from an issuer.")
        url = self._url(self._resource, scope)
        ours = metadata_url(url).partition(WELL_KNOWN)[2]
        if path.removeprefix(WELL_KNOWN).rstrip("/") not in ("", ours, MCP_PATH):
            return error_response(404, "There is no such resource here.")
        if scope["method"] not in ("GET", "HEAD"):
            return error_response(405, "The metadata can only be read.", allow="GET, HEAD")
        return JSONResponse(self._resource.metadata(url))

    def _url(self, resource: ProtectedResource, scope: Scope) -> str:
        """The URL of the endpoint: the audience, or the URL that the client used if the audience is only a name."""
        if resource.url is not None:
            return resource.url
        host = next((value for name, value in scope["headers"] if name.lower() == b"host"), b"localhost")
        name = "".join(c for c in host.decode("latin-1") if c.isascii() and (c.isalnum() or c in "-._:[]"))
        return f"{scope.get('scheme', 'http')}://{name}{scope.get('root_path', '')}{MCP_PATH}"
