"""The HTTP library as Liner is asked through it: how its client is made, one request, and its exceptions as ours."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import TYPE_CHECKING

from pydantic import SecretStr

from liner_mcp import __version__
from liner_mcp.errors import SettingsError, Unreachable
from liner_mcp.liner.bodies import ACCEPTED
from liner_mcp.liner.connections import EnvironmentProxy, not_connected, proxy_for, refused_by_proxy

# httpx is imported when the first request is made, see wire.py.
if TYPE_CHECKING:
    import httpx

REQUEST_SECONDS = 15.0  # one request, body included; Liner's own samples use 15
CONNECT_SECONDS = 5.0  # a host that does not answer the handshake in this time is down


def create_client(
    origin: str, token: SecretStr, *, concurrency: int, transport: httpx.AsyncBaseTransport | None
) -> tuple[httpx.AsyncClient, EnvironmentProxy | None]:
    """A client that sends the token to `origin`, and the proxy of the environment that it goes through, if any.

    `transport` replaces the network, and then the environment counts for nothing.

    Raises: SettingsError that names the variable of the proxy or of the certificates.
    """
    import httpx

    network = transport is None
    proxy = proxy_for(origin) if network else None
    try:
        # Read once, for the direct way and for the proxy. Plain http is loopback and needs none.
        certificates = httpx.create_ssl_context() if network and origin.startswith("https://") else True
    except OSError:
        raise SettingsError(
            "The certificates in SSL_CERT_FILE cannot be read. Check that it names a PEM file, or unset it."
        ) from None
    try:
        client = _client_without_cookies()(
            headers={
                "X-Api-Key": token.get_secret_value(),
                "Accept": "application/json",
                "Accept-Encoding": ACCEPTED,
                "Content-Type": "application/json",  # asked for on every request by /devs/api/request-schema
                "User-Agent": f"liner-mcp/{__version__}",
            },
            timeout=httpx.Timeout(REQUEST_SECONDS, connect=CONNECT_SECONDS, pool=None),
            limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
            follow_redirects=False,
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


@cache  # one class, made when httpx is there
def _client_without_cookies() -> type[httpx.AsyncClient]:
    """A client that keeps no cookies: Liner knows us by the token, and looking for them takes a tenth of a request."""
    import httpx

    class Cookieless(httpx.Cookies):
        def extract_cookies(self, response: httpx.Response) -> None: ...

    class Client(httpx.AsyncClient):
        @property
        def cookies(self) -> httpx.Cookies:  # pyright: ignore[reportIncompatibleMethodOverride] - nobody sets them
            return none

    none = Cookieless()
    return Client


@asynccontextmanager
async def asked(http: httpx.AsyncClient, url: str) -> AsyncGenerator[httpx.Response]:
    """One answer, of which the head is there and the body still to be read.

    `http.stream` would take addresses, headers and cookies apart and put them together again, which takes half as long
    as all the rest of a request. So no cookie is sent: Liner knows us by the token.
    """
    import httpx

    request = httpx.Request("GET", url, headers=http.headers, extensions={"timeout": http.timeout.as_dict()})
    response = await http.send(request, stream=True)
    try:
        yield response
    finally:
        await response.aclose()


@contextmanager
def translated(proxy: EnvironmentProxy | None) -> Generator[None]:
    """Turn the HTTP library's exceptions into ours; the only place that knows them."""
    import httpx

    try:
        yield
    except httpx.TimeoutException:
        raise Unreachable("Liner did not answer in time. Ask again, or for less at once.") from None
    except httpx.ConnectError as error:
        raise not_connected(error, proxy) from None
    except httpx.ProxyError as error:
        raise refused_by_proxy(str(error), proxy) from None
    except (httpx.InvalidURL, UnicodeError):
        raise SettingsError("LINER_API_HOST cannot be used: it is no host name. Check its spelling.") from None
    except (httpx.HTTPError, httpx.StreamError, OSError):  # ssl.SSLError is one, and comes through as it is
        raise Unreachable("The connection to Liner broke before the answer was complete. Ask again.") from None
