"""The HTTP library: a client for Liner, and the library's exceptions as our own errors."""

from __future__ import annotations

import os
import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
from pydantic import SecretStr

from liner_mcp import __version__
from liner_mcp.errors import LinerMcpError, SettingsError
from liner_mcp.liner.connections import (
    EnvironmentProxy,
    broken_connection,
    connection_error,
    proxy_for,
    refused_by_proxy,
    timed_out,
)
from liner_mcp.liner.decompression import ACCEPT_ENCODING

REQUEST_TIMEOUT_SECONDS = 15.0  # one request, body included; Liner's own samples use 15
CONNECT_SECONDS = 5.0  # a host that does not answer the handshake in this time is down
MAX_PATH_CHARACTERS = 200  # of a path in an error

_REDIRECT_LOCATION = "liner_mcp.redirect_location"


def create_client(
    origin: str, token: SecretStr, *, concurrency: int, transport: httpx.AsyncBaseTransport | None
) -> tuple[httpx.AsyncClient, EnvironmentProxy | None]:
    """A client that sends the token to `origin`, and the proxy of the environment that it uses, if any.

    `transport` replaces the network, and then the environment is ignored.

    Raises: SettingsError that names the variable of the proxy or of the certificates.
    """
    network = transport is None
    proxy = proxy_for(origin) if network else None
    # Read once, for a direct connection and for the proxy. Plain http is loopback and needs none.
    certificates = read_certificates() if network and origin.startswith("https://") else True
    try:
        client = httpx.AsyncClient(
            headers={
                "X-Api-Key": token.get_secret_value(),
                "Accept": "application/json",
                "Accept-Encoding": ACCEPT_ENCODING,
                "Content-Type": "application/json",  # required on every request by /devs/api/request-schema
                "User-Agent": f"liner-mcp/{__version__}",
            },
            # Liner identifies a client by its token, so no cookie is stored.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx.Timeout(REQUEST_TIMEOUT_SECONDS, connect=CONNECT_SECONDS, pool=None),
            # The transport limits the requests. A limit of the pool could block, if it counts a cancelled request.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=concurrency),
            follow_redirects=False,
            event_hooks={"response": [_take_location]},
            trust_env=False,  # proxy and certificates were read above
            proxy=None if proxy is None else proxy.url,
            verify=certificates,
            transport=transport,
        )
    except (ImportError, ValueError, httpx.InvalidURL):  # SOCKS without its package, an unknown scheme, no URL
        if proxy is None:
            raise
        raise proxy.unusable() from None
    return client, proxy


async def _take_location(response: httpx.Response) -> None:
    """Move the Location header of a redirect to where the HTTP library does not read it.

    The library parses it even when it follows no redirects, and raises an error for one that it cannot parse.
    """
    if response.has_redirect_location:
        response.extensions[_REDIRECT_LOCATION] = response.headers.pop("location")


def redirect_location(response: httpx.Response) -> str | None:
    """The target of a redirect as it was sent; None when the answer is no redirect."""
    return response.extensions.get(_REDIRECT_LOCATION)


def read_certificates() -> ssl.SSLContext:
    """The trusted certificates. Raises: SettingsError that names the variable."""
    try:
        return httpx.create_ssl_context()
    except OSError:
        path = os.environ.get("SSL_CERT_FILE", "")
        shown = f" ({path})" if path.isprintable() and len(path) <= MAX_PATH_CHARACTERS else ""
        raise SettingsError(
            f"The certificates in SSL_CERT_FILE{shown} cannot be read. Check that it names a PEM file, or unset it."
        ) from None


HTTP_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError)
"""What the HTTP library raises; an `ssl.SSLError` is an OSError and passes through it unchanged."""


def translated(error: Exception, proxy: EnvironmentProxy | None, *, answered: bool) -> LinerMcpError:
    """One of `HTTP_ERRORS` as our own error. `answered`: the head of an answer was read."""
    if isinstance(error, httpx.TimeoutException):
        return timed_out("in time", proxy)
    if isinstance(error, httpx.ConnectError):
        return connection_error(error, proxy)
    if isinstance(error, httpx.ProxyError):
        return refused_by_proxy(str(error), proxy)
    if isinstance(error, (httpx.InvalidURL, UnicodeError)):
        return SettingsError("LINER_API_HOST cannot be used: it is no host name. Check its spelling.")
    return broken_connection(proxy, answered=answered)
