"""Bearer tokens in HTTP headers, without I/O: what a request's header must look like, and how a refusal is worded.

Sources: RFC 6750 (the header, the challenge, its errors), RFC 9728 section 5.1 (`resource_metadata`), and the MCP
specification, Authorization (a 401 names the scope too). A token is read from one Authorization header and from nowhere
else: an address is logged by every machine on the way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from liner_mcp.server.caller import Caller

MAX_AUTHORIZATION = 16_384  # bytes: a JWT with a few hundred groups has about ten thousand
WELL_KNOWN = "/.well-known/oauth-protected-resource"

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # b64token, RFC 6750 section 2.1

ADVICE = "Send an access token in one Authorization header: Bearer, a space, the token."
NOT_VALID = "The access token is not valid here."


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a request is not let in. `sentence` is ASCII without quotes, for it stands in a header too.

    `error` is RFC 6750's word; None when no credentials were sent, or when it has no word. `scope` is what would be
    needed, separated by spaces; `retry_after` is in seconds.
    """

    status: int
    error: str | None
    sentence: str
    scope: str | None = None
    retry_after: int | None = None


NO_TOKEN = Rejection(401, None, ADVICE)
MALFORMED = Rejection(401, "invalid_token", ADVICE)
INVALID = Rejection(401, "invalid_token", NOT_VALID)


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """What a client must know to get a token for us. `audience` is the address of the MCP endpoint, or another name."""

    audience: str
    issuer: str
    scopes: tuple[str, ...]

    @property
    def location(self) -> str | None:
        """Our address as the outside knows it; None when the audience is no address."""
        return self.audience if urlsplit(self.audience).scheme in ("https", "http") else None

    def metadata(self, location: str) -> dict[str, Any]:
        """The document of RFC 9728 section 2."""
        return {
            "resource": location,
            "authorization_servers": [self.issuer],
            "scopes_supported": list(self.scopes),
            "bearer_methods_supported": ["header"],
            "resource_name": "liner-mcp",
        }


class Authenticator(Protocol):
    """Who knows the callers. `resource` is what clients must know to get a token, when an issuer gives them out."""

    @property
    def resource(self) -> ProtectedResource | None: ...

    async def identify(self, authorization: str | None) -> Caller | Rejection:
        """Whoever sent this Authorization header, or why nobody did. Never raises for what a caller can send."""
        ...


def metadata_address(location: str) -> str:
    """Where the metadata of a resource stands: the well-known path before its own (RFC 9728 section 3.1)."""
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path.rstrip('/')}"


def bearer_token(authorization: str | None) -> str | Rejection:
    """The token of an Authorization header. Another scheme counts as no credentials (RFC 6750 section 3.1)."""
    if authorization is None:
        return NO_TOKEN
    if len(authorization) > MAX_AUTHORIZATION:
        return MALFORMED
    scheme, _, token = authorization.strip(" \t").partition(" ")
    if scheme.lower() != "bearer":
        return NO_TOKEN
    token = token.strip(" ")
    return token if _TOKEN.fullmatch(token) else MALFORMED


def challenge(refusal: Rejection, *, metadata: str | None = None) -> str:
    """The value of WWW-Authenticate; `metadata` is the address of our metadata, when there is an issuer."""
    parameters = {
        "realm": "liner-mcp",
        "error": refusal.error,
        "error_description": refusal.sentence if refusal.error else None,
        "scope": refusal.scope,
        "resource_metadata": metadata,
    }
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parameters.items() if value is not None)
