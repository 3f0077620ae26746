"""The issuer's keys: discovered, fetched, cached, and fetched again when they rotate.

The issuer is an outside server. Only two documents are requested from it, at most every few seconds whatever callers
send, with bounds on size and time. While it is down, the cached keys are used.

PyJWT's `PyJWKClient` is not used: it has no bound on the size, raises while the issuer is down although it has keys,
retries a failing issuer at every request, and skips keys without an id and Ed448 keys.

Sources: RFC 8414 (authorization server metadata), OpenID Connect Discovery 1.0, RFC 7517 (key sets).
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import anyio

from liner_mcp import __version__
from liner_mcp.errors import Unreachable
from liner_mcp.urls import is_loopback, parse_url

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

Jwk = dict[str, str]

KEYS_SECONDS = 300.0  # a withdrawn key is accepted for at most this time
RETRY_SECONDS = 10.0  # between two attempts, whatever callers send; a rotated key is known after this at the latest
STALE_SECONDS = 86_400.0  # how long cached keys are used while the issuer is down: a day to repair it
FETCH_SECONDS = 5.0  # for a whole attempt, because a request is waiting
MAX_DOCUMENT_BYTES = 500_000  # the large public issuers' documents have less than 20,000

# The public members of a key. Private members that an issuer published by mistake are not stored.
_PUBLIC_PARTS = ("kty", "kid", "use", "alg", "crv", "n", "e", "x", "y")


class JwksClient:
    """The keys of one issuer. `transport` replaces the network and `clock` the monotonic clock, for tests."""

    def __init__(
        self,
        issuer: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._transport = transport
        self._clock = clock
        self._keys: list[Jwk] | None = None
        self._fetched_at = 0.0
        self._attempted_at: float | None = None  # the end of the last attempt
        self._last_error: str | None = None  # of the last attempt
        self._lock = anyio.Lock()

    async def keys(self, kid: str | None) -> list[Jwk]:
        """The public keys (JSON Web Keys) with this id, or all keys for None. An empty list: the issuer has none.

        Raises: Unreachable if that is unknown because the issuer cannot be reached.
        """
        found = self._known(kid)
        if not found or self._clock() - self._fetched_at > KEYS_SECONDS:
            await self._refresh(waits=not found)
            found = self._known(kid)
        if not found and self._last_error is not None:
            raise Unreachable("The issuer of access tokens cannot be reached for its keys now.")
        return found

    @property
    def retry_after(self) -> int:
        """Whole seconds until the next attempt is allowed."""
        return max(1, math.ceil(RETRY_SECONDS - self._since_attempt()))

    def _since_attempt(self) -> float:
        return math.inf if self._attempted_at is None else self._clock() - self._attempted_at

    def _known(self, kid: str | None) -> list[Jwk]:
        if self._keys is None or self._clock() - self._fetched_at > STALE_SECONDS:
            return []
        return [key for key in self._keys if kid is None or key.get("kid") == kid]

    async def _refresh(self, *, waits: bool) -> None:
        """Fetch the keys unless that was tried a moment ago. `waits`: wait for an attempt that is running."""
        if self._lock.locked() and not waits:
            return
        async with self._lock:
            if self._since_attempt() < RETRY_SECONDS:
                return
            try:
                self._keys = await self._fetch()
                self._fetched_at = self._clock()
                self._log_change(None)
            except Unreachable as error:
                self._log_change(str(error))
            self._attempted_at = self._clock()  # not if cancelled: a caller that disconnects does not count

    def _log_change(self, trouble: str | None) -> None:
        """Log a new error, or that it is over, once."""
        if trouble is not None and trouble != self._last_error:
            then = "No token can be checked." if self._keys is None else "The keys known so far are used."
            logger.warning("LINER_MCP_OAUTH_ISSUER: %s %s", trouble, then)
        if trouble is None and self._last_error is not None:
            logger.warning("LINER_MCP_OAUTH_ISSUER: its keys can be fetched again.")
        self._last_error = trouble

    async def _fetch(self) -> list[Jwk]:
        """Raises: Unreachable, with the reason."""
        import httpx

        try:
            with anyio.fail_after(FETCH_SECONDS):
                # A new client each time: there are minutes between attempts, so an open connection is of no use.
                async with httpx.AsyncClient(
                    headers={
                        "Accept": "application/json",
                        "Accept-Encoding": "identity",
                        "User-Agent": f"liner-mcp/{__version__}",
                    },
                    timeout=FETCH_SECONDS,
                    follow_redirects=False,  # the standards say where the documents are
                    trust_env=not self._issuer.startswith("http://"),  # plain http is loopback: no proxy for it
                    transport=self._transport,
                ) as http:
                    return parse_jwks(await _document(http, await self._discover(http)))
        except TimeoutError:
            raise Unreachable("It did not answer in time.") from None

    async def _discover(self, http: httpx.AsyncClient) -> str:
        """The URL of the keys according to the issuer's metadata. Raises: Unreachable, with the reasons."""
        reasons: list[str] = []
        for address in discovery_urls(self._issuer):
            try:
                return jwks_uri_of(self._issuer, await _document(http, address))
            except Unreachable as error:
                reasons.append(str(error))
        raise Unreachable(" ".join(dict.fromkeys(reasons)))


# documents ----------------------------------------------------------------------------------------------------------


async def _document(http: httpx.AsyncClient, address: str) -> dict[str, Any]:
    """The JSON object at a URL. Raises: Unreachable, with the reason."""
    import httpx

    body = bytearray()
    try:
        async with http.stream("GET", address) as response:
            if response.status_code != 200:
                raise Unreachable(f"It answers HTTP {response.status_code} where its metadata or keys should be.")
            async for piece in response.aiter_raw():  # not decompressed: a compressed document could be a bomb
                body += piece
                if len(body) > MAX_DOCUMENT_BYTES:
                    raise Unreachable(f"Its answer has more than {MAX_DOCUMENT_BYTES:,} bytes.")
    except httpx.TimeoutException:
        raise Unreachable("It did not answer in time.") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):  # ssl.SSLError is an OSError
        raise Unreachable("No connection to it, or it broke.") from None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unreachable("Its answer is not a JSON object.")
    return cast("dict[str, Any]", found)


def discovery_urls(issuer: str) -> list[str]:
    """The URLs of an issuer's metadata in RFC 8414 section 3 and OpenID Connect Discovery section 4."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    urls = [
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}{path}/.well-known/openid-configuration",
        f"{origin}/.well-known/openid-configuration{path}",
    ]
    return list(dict.fromkeys(urls))


def jwks_uri_of(issuer: str, metadata: dict[str, Any]) -> str:
    """The `jwks_uri` in the metadata of this issuer. Raises: Unreachable, with the reason."""
    if metadata.get("issuer") != issuer:
        raise Unreachable("Its metadata names another issuer; the setting must be written exactly as there.")
    address = metadata.get("jwks_uri")
    url = parse_url(address) if isinstance(address, str) else None
    schemes = (
        ("https", "http") if issuer.startswith("http://") and url and is_loopback(url.hostname or "") else ("https",)
    )
    if url is None or url.scheme not in schemes:
        raise Unreachable("Its metadata names no https address for its keys (jwks_uri).")
    return url.geturl()


def parse_jwks(document: dict[str, Any]) -> list[Jwk]:
    """The public signing keys of a JSON Web Key Set; other entries are ignored (RFC 7517 section 5).

    Raises: Unreachable if the document is not a key set.
    """
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise Unreachable("The document at the address of its keys is not a key set.")
    entries = [cast("dict[str, Any]", entry) for entry in cast("list[Any]", listed) if isinstance(entry, dict)]
    keys = [{name: e[name] for name in _PUBLIC_PARTS if isinstance(e.get(name), str)} for e in entries]
    return [key for key in keys if key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig"]
