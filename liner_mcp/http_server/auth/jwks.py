"""The issuer's keys: found, fetched, cached, and fetched again when they rotate.

The issuer is somebody else's server. It is asked only for two documents, never more often than every few seconds
whatever callers send, and its answers are bounded in size and time. While it is down, the keys known so far serve on.

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
from liner_mcp.urls import is_loopback

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)

Jwk = dict[str, str]

KEYS_SECONDS = 300.0  # a key that was withdrawn serves at most this much longer
RETRY_SECONDS = 10.0  # between two attempts, whatever callers send; a rotated key is known after this at the latest
STALE_SECONDS = 86_400.0  # how long keys serve while the issuer is down: a day to repair it
FETCH_SECONDS = 5.0  # for all of one attempt: somebody's request is waiting
MAX_DOCUMENT_BYTES = 500_000  # the large public issuers' documents have less than 20,000

# What of a key is public. Private parts that an issuer published by mistake are not stored.
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
        self._fetched_at = 0.0  # when the keys came
        self._attempted_at: float | None = None  # when the last attempt ended
        self._last_error: str | None = None  # why the last attempt failed
        self._lock = anyio.Lock()

    async def keys(self, kid: str | None) -> list[Jwk]:
        """The public keys (JSON Web Keys) with this id, or all of them for None. None fits: the issuer has no such key.

        Raises: Unreachable when that cannot be decided now, because the issuer cannot be asked.
        """
        found = self._known(kid)
        if not found or self._is_due():
            await self._refresh(waits=not found)
            found = self._known(kid)
        if not found and self._last_error is not None:
            raise Unreachable("The issuer of access tokens cannot be asked for its keys now.")
        return found

    @property
    def retry_after(self) -> int:
        """Whole seconds until the issuer may be asked again."""
        return (
            1 if self._attempted_at is None else max(1, math.ceil(self._attempted_at + RETRY_SECONDS - self._clock()))
        )

    def _known(self, kid: str | None) -> list[Jwk]:
        if self._keys is None or self._clock() - self._fetched_at > STALE_SECONDS:
            return []
        return [key for key in self._keys if kid is None or key.get("kid") == kid]

    def _is_due(self) -> bool:
        return self._clock() - self._fetched_at > KEYS_SECONDS

    async def _refresh(self, *, waits: bool) -> None:
        """Fetch the keys, one request at a time and not too often. Who can do with the old ones does not wait."""
        if self._lock.locked() and not waits:
            return
        async with self._lock:
            # Another may have fetched while this one waited its turn.
            if self._attempted_at is not None and self._clock() - self._attempted_at < RETRY_SECONDS:
                return
            try:
                self._keys = await self._fetch()
                self._fetched_at = self._clock()
                self._log_change(None)
            except Unreachable as error:
                self._log_change(str(error))
            self._attempted_at = self._clock()  # not when cancelled: who hangs up must not use up the attempt

    def _log_change(self, trouble: str | None) -> None:
        """Say to the operator, once, what changed."""
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
                # A client for a few requests in minutes: there is nothing to keep open and nothing to close later.
                async with httpx.AsyncClient(
                    headers={
                        "Accept": "application/json",
                        "Accept-Encoding": "identity",
                        "User-Agent": f"liner-mcp/{__version__}",
                    },
                    timeout=FETCH_SECONDS,
                    follow_redirects=False,  # the documents stand where the standards say
                    trust_env=not self._issuer.startswith("http://"),  # plain http is loopback: no proxy before it
                    transport=self._transport,
                ) as http:
                    return parse_jwks(await _document(http, await self._discover(http)))
        except TimeoutError:
            raise Unreachable("It did not answer in time.") from None

    async def _discover(self, http: httpx.AsyncClient) -> str:
        """Where the keys are, as the issuer's own metadata says."""
        reasons: list[str] = []
        for address in discovery_urls(self._issuer):
            try:
                return jwks_uri_of(self._issuer, await _document(http, address))
            except Unreachable as error:
                reasons.append(str(error))  # the next address may have it
        raise Unreachable(" ".join(dict.fromkeys(reasons)))


# documents ----------------------------------------------------------------------------------------------------------


async def _document(http: httpx.AsyncClient, address: str) -> dict[str, Any]:
    """The JSON object at an address.

    Raises: Unreachable, with the reason.
    """
    import httpx

    body = bytearray()
    try:
        async with http.stream("GET", address) as response:
            if response.status_code != 200:
                raise Unreachable(f"It answers HTTP {response.status_code} where its metadata or keys should be.")
            async for piece in response.aiter_raw():  # as it comes: a compressed document could be a bomb
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
    """Where an issuer's metadata may stand: as RFC 8414 section 3 and OpenID Connect Discovery section 4 say."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    places = [
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}{path}/.well-known/openid-configuration",
        f"{origin}/.well-known/openid-configuration{path}",
    ]
    return list(dict.fromkeys(places))


def jwks_uri_of(issuer: str, metadata: dict[str, Any]) -> str:
    """The `jwks_uri` of a metadata document that is the issuer's own.

    Raises: Unreachable, with the reason.
    """
    if metadata.get("issuer") != issuer:
        raise Unreachable("Its metadata names another issuer; the setting must be written exactly as there.")
    address = metadata.get("jwks_uri")
    if not isinstance(address, str):
        raise Unreachable("Its metadata does not say where its keys are (jwks_uri).")
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        host, parts = "", urlsplit("")
    local = parts.scheme == "http" and is_loopback(host) and issuer.startswith("http://")
    if not host or not (parts.scheme == "https" or local):
        raise Unreachable("Its metadata names a place for its keys (jwks_uri) that is not https.")
    return address


def parse_jwks(document: dict[str, Any]) -> list[Jwk]:
    """The public signing keys of a JSON Web Key Set; what is no such key is passed over (RFC 7517 section 5).

    Raises: Unreachable when it is no key set.
    """
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise Unreachable("Where its keys should be is no key set.")
    keys: list[Jwk] = []
    for one in cast("list[Any]", listed):
        if not isinstance(one, dict):
            continue
        entry = cast("dict[str, Any]", one)
        key = {name: entry[name] for name in _PUBLIC_PARTS if isinstance(entry.get(name), str)}
        if key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig":
            keys.append(key)
    return keys
