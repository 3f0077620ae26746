"""The HTTP library as Liner is asked through it: how its client is made, and its exceptions as ours."""

from __future__ import annotations

import ssl
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
from pydantic import SecretStr

from liner_mcp import __version__
from liner_mcp.errors import SettingsError
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

_REDIRECT_LOCATION = "liner_mcp.redirect_location"


def create_client(
    origin: str, token: SecretStr, *, concurrency: int, transport: httpx.AsyncBaseTransport | None
) -> tuple[httpx.AsyncClient, EnvironmentProxy | None]:
    """A client that sends the token to `origin`, and the proxy of the environment that it goes through, if any.

    `transport` replaces the network, and then the environment counts for nothing.

    Raises: SettingsError that names the variable of the proxy or of the certificates.
    """
    network = transport is None
    proxy = proxy_for(origin) if network else None
    # Read once, for the direct way and for the proxy. Plain http is loopback and needs none.
    certificates = read_certificates() if network and origin.startswith("https://") else True
    try:
        client = httpx.AsyncClient(
            headers={
                "X-Api-Key": token.get_secret_value(),
                "Accept": "application/json",
                "Accept-Encoding": ACCEPT_ENCODING,
                "Content-Type": "application/json",  # asked for on every request by /devs/api/request-schema
                "User-Agent": f"liner-mcp/{__version__}",
            },
            # Liner knows a client by its token, so no cookie is stored.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx.Timeout(REQUEST_TIMEOUT_SECONDS, connect=CONNECT_SECONDS, pool=None),
            limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
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
    """Take the Location header of a redirect out of the HTTP library's sight.

    The library parses it even where it follows no redirects, and raises for what it cannot parse.
    """
    if response.has_redirect_location:
        response.extensions[_REDIRECT_LOCATION] = response.headers.pop("location")


def redirect_location(response: httpx.Response) -> str | None:
    """Where an answer redirects to, as it was sent; None when it is no redirect."""
    return response.extensions.get(_REDIRECT_LOCATION)


def read_certificates() -> ssl.SSLContext:
    """The certificates that are trusted. Raises: SettingsError that names the variable."""
    try:
        return httpx.create_ssl_context()
    except OSError:
        raise SettingsError(
            "The certificates in SSL_CERT_FILE cannot be read. Check that it names a PEM file, or unset it."
        ) from None


@dataclass(slots=True)
class Exchange:
    """One request and its answer. `answered` is set when the head of an answer was read."""

    answered: bool = False


@contextmanager
def translated(proxy: EnvironmentProxy | None) -> Generator[Exchange]:
    """Turn the HTTP library's exceptions into ours; the only place that knows them."""
    exchange = Exchange()
    try:
        yield exchange
    except httpx.TimeoutException:
        raise timed_out("in time", proxy) from None
    except httpx.ConnectError as error:
        raise connection_error(error, proxy) from None
    except httpx.ProxyError as error:
        raise refused_by_proxy(str(error), proxy) from None
    except (httpx.InvalidURL, UnicodeError):
        raise SettingsError("LINER_API_HOST cannot be used: it is no host name. Check its spelling.") from None
    except (httpx.HTTPError, httpx.StreamError, OSError):  # ssl.SSLError is one, and comes through as it is
        raise broken_connection(proxy, answered=exchange.answered) from None
