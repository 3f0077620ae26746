"""Bearer tokens in HTTP headers, without I/O: the form of a request's header and of the challenge in a refusal.

Sources: RFC 6750 (the header, the challenge, its errors), RFC 9728 section 5.1 (`resource_metadata`), and the MCP
specification, Authorization (a 401 names the scope too). A token is read from one Authorization header only, because
every proxy on the way logs the URL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from liner_mcp.server.caller import Caller

MAX_AUTHORIZATION = 16_384  # bytes: a JWT with a few hundred groups has about ten thousand
WELL_KNOWN = "/.well-known/oauth-protected-resource"

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # b64token, RFC 6750 section 2.1


Reason = Literal[
    "no_token",
    "malformed_header",
    "unknown_token",
    "not_a_jwt",
    "wrong_type",
    "wrong_algorithm",
    "issuer_unreachable",
    "unknown_key",
    "wrong_key_type",
    "ambiguous_key",
    "weak_key",
    "wrong_signature",
    "expired",
    "not_yet_valid",
    "wrong_issuer",
    "wrong_audience",
    "missing_exp",
    "missing_iss",
    "missing_aud",
    "malformed_claims",
    "no_subject",
    "missing_scope",
]
"""Why a request was refused, for the log only. It holds nothing of the token. docs/observability.md explains each."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a request is refused. `sentence` is ASCII without quotes, because the challenge repeats it in a header.

    `error` is RFC 6750's code: None if no credentials were sent, or if there is no code. `retry_after` is in seconds.
    `reason` is for the operator: a client that guesses tokens must not learn how far a guess came.
    """

    status: int
    error: str | None
    sentence: str
    retry_after: int | None = None
    reason: Reason | None = field(default=None, compare=False)


_ADVICE = "Send an access token in one Authorization header: Bearer, a space, the token."
NO_TOKEN = Rejection(401, None, _ADVICE, reason="no_token")
MALFORMED = Rejection(401, "invalid_token", _ADVICE, reason="malformed_header")


def invalid(reason: Reason) -> Rejection:
    """The refusal of a token that is not valid; the reason is for the log."""
    return Rejection(401, "invalid_token", "The access token is not valid here.", reason=reason)


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """What a client needs in order to get a token for this server. `audience` is the endpoint's URL or another name."""

    audience: str
    issuer: str
    scopes: tuple[str, ...]

    @property
    def url(self) -> str | None:
        """The public URL of the endpoint; None if the audience is not a URL."""
        return self.audience if urlsplit(self.audience).scheme in ("https", "http") else None

    def metadata(self, url: str) -> dict[str, Any]:
        """The document of RFC 9728 section 2."""
        return {
            "resource": url,
            "authorization_servers": [self.issuer],
            "scopes_supported": list(self.scopes),
            "bearer_methods_supported": ["header"],
            "resource_name": "liner-mcp",
        }


class Authenticator(Protocol):
    """Identifies callers by their tokens. `resource` is None if no issuer is involved, `names` is None if one is."""

    @property
    def resource(self) -> ProtectedResource | None: ...

    @property
    def names(self) -> frozenset[str] | None: ...

    async def identify(self, token: str) -> Caller | Rejection:
        """The caller of this token. Raises nothing, whatever the token is."""
        ...


def metadata_url(url: str) -> str:
    """The URL of a resource's metadata: the well-known path comes before its own (RFC 9728 section 3.1)."""
    parts = urlsplit(url)
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


def challenge(refusal: Rejection, resource: ProtectedResource | None = None, *, metadata: str | None = None) -> str:
    """The value of WWW-Authenticate. `metadata` is the URL of the metadata of `resource`."""
    parameters = {
        "realm": "liner-mcp",
        "error": refusal.error,
        "error_description": refusal.sentence if refusal.error else None,
        "scope": " ".join(resource.scopes) or None if resource else None,
        "resource_metadata": metadata,
    }
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parameters.items() if value is not None)
