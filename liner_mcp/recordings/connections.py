"""Connections to the hosts of recordings, directly or through a proxy of the environment.

The caller resolves and checks a host, and requests one of its addresses. A proxy gets that address too, never the name:
it would resolve the name again without the SSRF guard.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterable
from typing import cast
from urllib.parse import unquote, urlsplit

import httpcore
import httpx

from liner_mcp.liner.connections import EnvironmentProxy, proxy_for
from liner_mcp.liner.http_client import read_certificates
from liner_mcp.recordings.ssrf_guard import FileLink
from liner_mcp.urls import bracketed, is_loopback


class Connections:
    """The HTTP transports for hosts of recordings. `transport` replaces the network, and then there is no proxy.

    No connection is reused: another name may have the same address, and the certificate was checked for the first name
    only.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport | None) -> None:
        self._external = transport
        self._certificates: ssl.SSLContext | None = None
        self._transports: dict[str | None, httpx.AsyncHTTPTransport] = {}

    def transport(self, link: FileLink, address: str) -> httpx.AsyncBaseTransport:
        """The transport for an address of a host. Raises: SettingsError (unusable proxy, unreadable certificates)."""
        if self._external is not None:
            return self._external
        proxy = self._proxy(link, address)
        url = None if proxy is None else proxy.url
        if url not in self._transports:
            self._certificates = self._certificates or read_certificates()
            self._transports[url] = _create_transport(proxy, self._certificates)
        return self._transports[url]

    def via(self, link: FileLink, address: str) -> str:
        """A phrase for an error that names the proxy; empty without a proxy. Raises: SettingsError."""
        proxy = self._proxy(link, address)
        return "" if proxy is None else f" through the proxy in {proxy.variable}"

    async def aclose(self) -> None:
        transports, self._transports = self._transports, {}
        for transport in transports.values():
            await transport.aclose()

    def _proxy(self, link: FileLink, address: str) -> EnvironmentProxy | None:
        if self._external is not None or is_loopback(address):  # a loopback address of the proxy is another machine
            return None
        return proxy_for(f"https://{bracketed(link.host)}:{link.port}")


def _create_transport(proxy: EnvironmentProxy | None, certificates: ssl.SSLContext) -> httpx.AsyncHTTPTransport:
    limits = httpx.Limits(max_keepalive_connections=0)
    if proxy is None:
        return httpx.AsyncHTTPTransport(verify=certificates, limits=limits)
    if urlsplit(proxy.url).scheme in ("http", "https"):
        return _TunnelTransport(proxy.url, certificates)
    try:
        return httpx.AsyncHTTPTransport(verify=certificates, limits=limits, proxy=httpx.Proxy(proxy.url))
    except (ImportError, ValueError):  # SOCKS without its package, an unknown scheme
        raise proxy.unusable() from None


class _TunnelTransport(httpx.AsyncHTTPTransport):
    """Reaches hosts through CONNECT.

    httpx's own tunnel ignores `sni_hostname`: it would check the certificate against the address.
    """

    def __init__(self, proxy: str, certificates: ssl.SSLContext) -> None:
        super().__init__(verify=certificates)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=certificates, max_keepalive_connections=0, network_backend=_Tunnel(proxy, certificates)
        )


class _Tunnel(httpcore.AsyncNetworkBackend):
    """Opens a connection to an address by asking the proxy for it. TLS with the host is the caller's part."""

    def __init__(self, proxy: str, certificates: ssl.SSLContext) -> None:
        parts = urlsplit(proxy)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self._origin = httpcore.Origin(parts.scheme.encode(), (parts.hostname or "").encode("idna"), port)
        self._certificates = certificates if parts.scheme == "https" else None
        self._headers: list[tuple[bytes, bytes]] = []
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._headers.append((b"Proxy-Authorization", b"Basic " + base64.b64encode(login)))

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        target = f"{bracketed(host)}:{port}".encode()
        proxy = self._origin
        connection = httpcore.AsyncHTTPConnection(proxy, self._certificates)
        response = await connection.handle_async_request(
            httpcore.Request(
                "CONNECT",
                httpcore.URL(scheme=proxy.scheme, host=proxy.host, port=proxy.port, target=target),
                headers=[(b"Host", target), *self._headers],
                extensions={"timeout": dict.fromkeys(("connect", "read", "write"), timeout)},
            )
        )
        if not 200 <= response.status < 300:
            await connection.aclose()
            raise httpcore.ProxyError(f"HTTP {response.status}")
        return cast("dict[str, httpcore.AsyncNetworkStream]", response.extensions)["network_stream"]  # pyright: ignore[reportUnknownMemberType]
