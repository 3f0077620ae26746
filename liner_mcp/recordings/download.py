"""Downloads the file of a recording: without token, cookies and referrer, and behind an SSRF guard.

The link comes from an answer and is not trusted. Only https is allowed. Every address of the host is checked, and the
connection goes to a checked address; each redirect is checked again. Size and time are limited, and only MPEG audio is
accepted. Liner documents the field (/devs/api/v2/call-record/detail/), but not the host, expiry or access of the links.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from urllib.parse import urljoin

import anyio
import httpx

from liner_mcp import __version__
from liner_mcp.errors import AudioRefused, AudioUnavailable
from liner_mcp.liner.decoding import integer_of
from liner_mcp.liner.decompression import read_up_to
from liner_mcp.liner.http_client import read_certificates
from liner_mcp.recordings.ssrf_guard import FileLink, may_connect, parse_file_link
from liner_mcp.urls import bracketed

MAX_REDIRECTS = 3
CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 15.0  # between two pieces of a body; the caller's deadline limits the whole download
UNAVAILABLE_STATUSES = frozenset({401, 403, 404, 410})  # the link has expired, or needs credentials
NOT_HTTPS = "The recording's link is not a plain https address, so it is not fetched."

Resolve = Callable[[str, int], Awaitable[list[str]]]


async def _resolve(host: str, port: int) -> list[str]:
    """Every address of a host, by the operating system, which also knows decimal, octal and hex spellings."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class AudioClient:
    """Downloads linked files of up to `max_bytes`.

    `loopback` allows plain http to this machine, for a fake Liner. `transport` and `resolve` replace the network in
    tests and the demo; the guard checks links before them.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        loopback: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
        resolve: Resolve = _resolve,
    ) -> None:
        self._max_bytes = max_bytes
        self._loopback = loopback
        self._transport = transport
        self._external_transport = transport is not None
        self._resolve = resolve

    async def aclose(self) -> None:
        """Close the connections, except those of a `transport` from the caller."""
        if self._transport is not None and not self._external_transport:
            await self._transport.aclose()
            self._transport = None

    async def fetch(self, url: str) -> bytes:
        """The file at a link, checked to be MPEG audio.

        Raises: AudioUnavailable (gone, forbidden, empty, a broken connection), AudioRefused (an address, a size or a
        content that is not allowed), SettingsError (unreadable certificates). They do not show the link.
        """
        return _require_mpeg(await self._get_following_redirects(url))

    async def first_bytes(self, url: str, count: int, before_request: Callable[[], None]) -> bytes:
        """The first `count` bytes at a link, of any content, to see whether it opens.

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
            address = await self._resolve_checked(link)
            before_request()
            try:
                redirect, body = await self._get(link, address, count)
                if redirect is None:
                    return body
                url = urljoin(url, redirect)
            except httpx.TimeoutException:
                raise AudioUnavailable("The recording's host did not answer in time. Ask again later.") from None
            except (httpx.HTTPError, OSError):  # the transport does not wrap ssl.SSLError, which is an OSError
                raise AudioUnavailable("The connection to the recording's host failed. Ask again later.") from None
            except (httpx.InvalidURL, ValueError):  # too long, a control character, a lone surrogate or bracket
                raise AudioRefused(NOT_HTTPS) from None
        raise AudioRefused(f"The recording's link redirects more than {MAX_REDIRECTS} times, so it is not followed.")

    async def _resolve_checked(self, link: FileLink) -> str:
        """One address of the host. All are checked, because a host with one private address is suspicious."""
        try:
            addresses = await self._resolve(link.host, link.port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise AudioUnavailable("The recording's host cannot be found (DNS).")
        if not all(may_connect(address, link, loopback=self._loopback) for address in addresses):
            raise AudioRefused("The recording's link leads into a private network, so it is not fetched.")
        return addresses[0]

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
        response = await self._open_transport().handle_async_request(request)
        try:
            if response.has_redirect_location:
                return response.headers["location"], b""
            if response.status_code in UNAVAILABLE_STATUSES:
                raise AudioUnavailable(
                    f"The recording's file is not available (HTTP {response.status_code}): its link may have expired."
                )
            if response.status_code != 200:
                raise AudioUnavailable(f"The recording's host failed to answer (HTTP {response.status_code}).")
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
        return AudioRefused(
            f"The recording's file {size}; LINER_MAX_AUDIO_BYTES allows {self._max_bytes:,} (8,000,000 at most)."
        )

    def _open_transport(self) -> httpx.AsyncBaseTransport:
        if self._transport is None:
            # No proxy, because it would resolve the name again without the guard. No connection is reused: another name
            # may have the same address, and the certificate was checked for the first name only.
            self._transport = httpx.AsyncHTTPTransport(
                verify=read_certificates(), limits=httpx.Limits(max_keepalive_connections=0)
            )
        return self._transport


def looks_like_mpeg(first: bytes) -> bool:
    """Whether a file with these first bytes may be MPEG audio: a frame, or the ID3 tag before frames."""
    return first.startswith(b"ID3") or _is_mpeg_frame(first[:4])


def _require_mpeg(body: bytes) -> bytes:
    """The body, if its content is MPEG audio; file name and Content-Type do not count."""
    if not body:
        raise AudioUnavailable("The recording's file is empty; it may not be ready yet. Ask again later.")
    start = 0
    if body.startswith(b"ID3") and len(body) >= 10:
        # An ID3v2 tag stands before the audio. Its size has seven bits in each of four bytes.
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(body[6:10], (21, 14, 7, 0), strict=True))
    if not _is_mpeg_frame(body[start : start + 4]):
        raise AudioRefused("The recording's file is not MPEG audio, so it is not passed on.")
    return body


def _is_mpeg_frame(header: bytes) -> bool:
    """Whether these four bytes are the header of an MPEG-1, 2 or 2.5 audio frame (ISO/IEC 11172-3, section 2.4.1.3).

    Layer I is excluded: it is not used for recordings, and the byte order mark of UTF-16 text looks like it.
    """
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return False
    version, layer = (header[1] >> 3) & 0b11, (header[1] >> 1) & 0b11
    bitrate, sampling = header[2] >> 4, (header[2] >> 2) & 0b11
    return version != 0b01 and layer in (0b01, 0b10) and bitrate not in (0b0000, 0b1111) and sampling != 0b11
