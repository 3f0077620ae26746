"""Downloads the file of a recording: without token, cookies and referrer, and behind an SSRF guard.

The link comes from an answer and is not trusted. Only https is allowed. Every address of the host is checked, and the
connection goes to a checked address, through a proxy too; each redirect is checked again. Size and time are limited,
and only MPEG audio is accepted. Liner documents the field (/devs/api/v2/call-record/detail/), but not the host, expiry
or access of the links.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable
from copy import copy
from urllib.parse import urljoin

import anyio
import httpx

from liner_mcp import __version__
from liner_mcp.errors import AudioRefused, AudioUnavailable
from liner_mcp.liner.decoding import integer_of
from liner_mcp.liner.decompression import read_up_to
from liner_mcp.liner.retry import FULL_JITTER, RetryPolicy, requested_wait
from liner_mcp.recordings.connections import Connections
from liner_mcp.recordings.mpeg import is_mpeg_audio, other_format
from liner_mcp.recordings.ssrf_guard import FileLink, may_connect, parse_file_link
from liner_mcp.urls import bracketed

MAX_REDIRECTS = 3
CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 15.0  # between two pieces of a body; the caller's deadline limits the whole download
UNAVAILABLE_STATUSES = frozenset({401, 403, 404, 410})  # the link has expired, or needs credentials
LARGEST_AUDIO_BYTES = 8_000_000  # an hour of speech at 18 kbit/s, and the highest LINER_MAX_AUDIO_BYTES
NOT_HTTPS = "The recording's link is not a plain https address, so it is not fetched."

Resolve = Callable[[str, int], Awaitable[list[str]]]


async def _resolve(host: str, port: int) -> list[str]:
    """Every address of a host, by the operating system, which also knows decimal, octal and hex spellings."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class AudioClient:
    """Downloads linked files of up to `max_bytes`.

    `loopback` allows plain http to this machine, for a fake Liner. `transport` and `resolve` replace the network in
    tests and the demo; the guard checks links before them. `jitter` is that of `RetryPolicy`.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        loopback: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
        resolve: Resolve = _resolve,
        jitter: Callable[[float], float] = FULL_JITTER,
    ) -> None:
        self._max_bytes = max_bytes
        self._loopback = loopback
        self._connections = Connections(transport)
        self._resolve = resolve
        self._retry_policy = RetryPolicy(jitter)

    def with_highest_limit(self) -> AudioClient:
        """The same client, which shares its connections, for files of up to `LARGEST_AUDIO_BYTES`."""
        client = copy(self)
        client._max_bytes = LARGEST_AUDIO_BYTES  # noqa: SLF001 - an instance of this class
        return client

    async def aclose(self) -> None:
        """Close the connections, except those of a `transport` from the caller."""
        await self._connections.aclose()

    async def fetch(self, url: str) -> bytes:
        """The file at a link, checked to be MPEG audio. What may pass (HTTP 429, 5xx, a broken connection) is retried.

        Raises: AudioUnavailable (gone, forbidden, empty, a broken connection), AudioRefused (an address, a size or a
        content that is not allowed), SettingsError (unreadable certificates, an unusable proxy). They do not show the
        link.
        """
        return _require_mpeg(await self._retry_policy.run(lambda _: self._get_following_redirects(url)))

    async def first_bytes(self, url: str, count: int, before_request: Callable[[], None]) -> bytes:
        """The first `count` bytes at a link, of any content, to see whether it opens. Nothing is retried.

        `before_request` is called before every request, redirects included, and may raise to stop it. Raises: as
        `fetch`, and what `before_request` raises.
        """
        return await self._get_following_redirects(url, count, before_request)

    async def _get_following_redirects(
        self, url: str, count: int | None = None, before_request: Callable[[], None] = lambda: None
    ) -> bytes:
        for _ in range(1 + MAX_REDIRECTS):
            link = parse_file_link(url, loopback=self._loopback)
            if link is None:
                raise AudioRefused(NOT_HTTPS)
            redirect, body = await self._get_from_any(link, await self._resolve_checked(link), count, before_request)
            if redirect is None:
                return body
            try:
                url = urljoin(url, redirect)
            except ValueError:  # a lone bracket
                raise AudioRefused(NOT_HTTPS) from None
        raise AudioRefused(f"The recording's link redirects more than {MAX_REDIRECTS} times, so it is not followed.")

    async def _resolve_checked(self, link: FileLink) -> list[str]:
        """The addresses of the host. All are checked, because a host with one private address is suspicious."""
        try:
            addresses = await self._resolve(link.host, link.port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise AudioUnavailable("The recording's host cannot be found (DNS).")
        if not all(may_connect(address, link, loopback=self._loopback) for address in addresses):
            raise AudioRefused("The recording's link leads into a private network, so it is not fetched.")
        return addresses

    async def _get_from_any(
        self, link: FileLink, addresses: list[str], count: int | None, before_request: Callable[[], None]
    ) -> tuple[str | None, bytes]:
        """As `_get`, from the first of these addresses that a connection can be made to."""
        for number, address in enumerate(addresses, 1):
            before_request()
            try:
                return await self._get(link, address, count)
            except (httpx.HTTPError, OSError) as error:  # the transport does not wrap ssl.SSLError, which is an OSError
                unconnected = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError))
                if unconnected and number < len(addresses):
                    continue
                via = self._connections.via(link, address)
                if isinstance(error, httpx.TimeoutException):
                    raise AudioUnavailable(
                        f"The recording's host did not answer in time{via}. Ask again later."
                    ) from None
                raise AudioUnavailable(
                    f"The connection to the recording's host failed{via}. Ask again later.",
                    transient=not _is_certificate_error(error),
                ) from None
            except (httpx.InvalidURL, ValueError):  # too long, a control character, a lone surrogate
                raise AudioRefused(NOT_HTTPS) from None
        raise AssertionError("a host without addresses is refused before")

    async def _get(self, link: FileLink, address: str, count: int | None) -> tuple[str | None, bytes]:
        """The target of a redirect, or the body; only its first `count` bytes if `count` is given."""
        # The URL has the checked address, because a second lookup of the name could give another one. The certificate
        # is still checked against the name.
        request = httpx.Request(
            "GET",
            f"{link.scheme}://{bracketed(address)}:{link.port}{link.target}",
            headers={
                "Host": link.authority,
                "Accept": "audio/mpeg, */*;q=0.1",
                "Accept-Encoding": "identity",  # audio is compressed already, and gzip could be a decompression bomb
                "User-Agent": f"liner-mcp/{__version__}",
            },
            extensions={
                "sni_hostname": link.host,
                "timeout": {
                    "connect": CONNECT_TIMEOUT_SECONDS,
                    "read": READ_TIMEOUT_SECONDS,
                    "write": READ_TIMEOUT_SECONDS,
                    "pool": None,
                },
            },
        )
        response = await self._connections.transport(link, address).handle_async_request(request)
        try:
            if response.has_redirect_location:
                return response.headers["location"], b""
            if response.status_code in UNAVAILABLE_STATUSES:
                raise AudioUnavailable(
                    f"The recording's file is not available (HTTP {response.status_code}): its link may have expired."
                )
            if response.status_code != 200:
                raise AudioUnavailable(
                    f"The recording's host failed to answer (HTTP {response.status_code}).",
                    transient=response.status_code == 429 or response.status_code >= 500,
                    retry_after=requested_wait(response.headers),
                )
            if count is not None:
                return None, (await read_up_to(count, response.aiter_raw()))[:count]
            return None, await self._read_body(response)
        finally:
            await response.aclose()

    async def _read_body(self, response: httpx.Response) -> bytes:
        length = integer_of(response.headers.get("content-length"))
        if length is not None and length > self._max_bytes:
            raise self._too_large(f"has {length:,} bytes")
        body = await read_up_to(self._max_bytes + 1, response.aiter_raw())
        if len(body) > self._max_bytes:
            raise self._too_large(f"has more than {self._max_bytes:,} bytes")
        return body

    def _too_large(self, size: str) -> AudioRefused:
        if self._max_bytes >= LARGEST_AUDIO_BYTES:
            return AudioRefused(f"The recording's file {size}; at most {LARGEST_AUDIO_BYTES:,} are passed on.")
        return AudioRefused(
            f"The recording's file {size}; LINER_MAX_AUDIO_BYTES allows {self._max_bytes:,} (8,000,000 at most)."
        )


def _require_mpeg(body: bytes) -> bytes:
    """The body, if its content is MPEG audio."""
    if not body:
        raise AudioUnavailable("The recording's file is empty; it may not be ready yet. Ask again later.")
    if not is_mpeg_audio(body):
        found = other_format(body)
        raise AudioRefused(
            f"The recording's file is not MPEG audio{found and f' but {found}'}, so it is not passed on."
        )
    return body


def _is_certificate_error(error: BaseException) -> bool:
    """Whether the certificate of the host is the cause, which another attempt does not change."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    return cause is not None
