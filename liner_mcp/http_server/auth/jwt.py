"""Access tokens of an OAuth 2 issuer: JWTs that are checked here, with the issuer's public keys.

Nothing in a token is trusted before its signature is checked. Only the key's id and the algorithm are read from its
header, and the algorithm is used only if it is listed here and fits the key. PyJWT does the checking; this module
decides what is accepted.

Sources: RFC 9068 (JWT access tokens), RFC 8725 (best practice), RFC 8707 (the audience is us), RFC 6750 (scope).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, cast

from liner_mcp.errors import Unreachable
from liner_mcp.http_server.auth.bearer import ProtectedResource, Reason, Rejection, invalid
from liner_mcp.http_server.auth.jwks import Jwk, JwksClient
from liner_mcp.server.caller import Caller

# Algorithm -> the type and, where it is bound, the curve of its keys (RFC 7518 section 3.1, RFC 8037). Algorithms whose
# signatures can be made with the public key (none, HS*) are missing on purpose.
ALGORITHMS: dict[str, tuple[str, str | None]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", None),
}
TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})  # others are tokens for another purpose (RFC 8725 3.11)
LEEWAY_SECONDS = 60  # by which clocks may differ
MAX_NAME_CHARACTERS = 64
_HASH_PREFIX = (
    "sha256:"  # no name from an issuer may begin with it: it could be chosen to equal the hash of another name
)
_CLIENT_PREFIX = "client:"

EXPIRED = Rejection(401, "invalid_token", "The access token has expired.", reason="expired")

# What PyJWT raises, by name, because it is imported late; its texts may hold claims. Anything else: malformed claims.
_REASONS: dict[str, Reason] = {
    "ImmatureSignatureError": "not_yet_valid",
    "InvalidAlgorithmError": "wrong_algorithm",
    "InvalidAudienceError": "wrong_audience",
    "InvalidIssuerError": "wrong_issuer",
    "InvalidKeyError": "weak_key",
    "InvalidSignatureError": "wrong_signature",
}
_MISSING: dict[str, Reason] = {"exp": "missing_exp", "iss": "missing_iss", "aud": "missing_aud"}


class JwtAuthenticator:
    """Accepts the access tokens that `issuer` made for `resource`, with all its scopes."""

    names = None  # only the issuer knows them

    def __init__(self, resource: ProtectedResource, issuer: JwksClient) -> None:
        self.resource = resource
        self._issuer = issuer

    async def identify(self, token: str) -> Caller | Rejection:
        signed = parse_header(token)
        if isinstance(signed, Rejection):
            return signed
        algorithm, kid = signed
        try:
            known = await self._issuer.keys(kid)
        except Unreachable:
            return Rejection(
                503,
                None,
                "The issuer of access tokens cannot be reached, so no token can be checked now. Try again later.",
                retry_after=self._issuer.retry_after,
                reason="issuer_unreachable",
            )
        keys = [key for key in known if key_fits(key, algorithm)]
        if len(keys) == 1:
            return verify(token, algorithm, keys[0], self.resource)
        if keys:  # a token without a key's id is accepted only if exactly one key fits
            return invalid("ambiguous_key")
        return invalid("wrong_key_type" if known else "unknown_key")


def parse_header(token: str) -> tuple[str, str | None] | Rejection:
    """The algorithm and the key's id that a token names, both unverified."""
    import jwt

    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        return invalid("not_a_jwt")
    algorithm, kind = header.get("alg"), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        return invalid("wrong_algorithm")
    if not isinstance(kind, str) or kind.lower() not in TYPES:
        return invalid("wrong_type")
    return algorithm, header.get("kid")


def key_fits(key: Jwk, algorithm: str) -> bool:
    """Whether a key may verify signatures of this algorithm."""
    kind, curve = ALGORITHMS[algorithm]
    return key["kty"] == kind and curve in (None, key.get("crv")) and key.get("alg", algorithm) == algorithm


def verify(token: str, algorithm: str, key: Jwk, resource: ProtectedResource) -> Caller | Rejection:
    """The caller of a token whose signature, issuer, audience, times and scopes are all valid."""
    import jwt

    try:
        claims = jwt.decode(
            token,
            jwt.PyJWK(key, algorithm),
            algorithms=[algorithm],
            audience=audiences(resource),
            issuer=resource.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
        )
    except jwt.ExpiredSignatureError:
        return EXPIRED
    except jwt.MissingRequiredClaimError as error:
        return invalid(_MISSING.get(error.claim, "malformed_claims"))
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        return invalid(_REASONS.get(type(error).__name__, "malformed_claims"))
    name = caller_name(claims)
    if name is None:
        return invalid("no_subject")
    missing = [scope for scope in resource.scopes if scope not in token_scopes(claims)]
    if missing:
        noun = "scope" if len(missing) == 1 else "scopes"
        sentence = f"The access token lacks the {noun} {' '.join(missing)}."
        return Rejection(403, "insufficient_scope", sentence, reason="missing_scope")
    return Caller(name)


def audiences(resource: ProtectedResource) -> list[str]:
    """The accepted audiences. A URL is accepted with and without a trailing slash, because clients use both."""
    if resource.url is None:
        return [resource.audience]
    bare = resource.audience.rstrip("/")
    return [bare, f"{bare}/"]


def token_scopes(claims: dict[str, Any]) -> set[str]:
    """The scopes in `scope` (RFC 9068) and `scp` (used by some issuers), each of them a string or a list."""
    found: set[str] = set()
    for claim in (claims.get("scope"), claims.get("scp")):
        listed = claim.split(" ") if isinstance(claim, str) else claim
        if isinstance(listed, list):
            found |= {one for one in cast("Iterable[Any]", listed) if isinstance(one, str)}
    return found


def caller_name(claims: dict[str, Any]) -> str | None:
    """The caller's name: `sub`, or else `client:` with the program that requested the token, `client_id` or `azp`.

    The prefix keeps a program from having the name of a person. A claim that is long or not printable is replaced by
    its hash: access rules depend on the name, and cleaning could give two callers the same one.
    """
    claim = next((claim for claim in ("sub", "client_id", "azp") if claims.get(claim) is not None), None)
    given = None if claim is None else claims[claim]
    if not isinstance(given, str) or not given:
        return None
    usual = len(given) <= MAX_NAME_CHARACTERS and given.isprintable() and given == given.strip()
    if claim != "sub":
        given = _CLIENT_PREFIX + given
    elif given.startswith((_HASH_PREFIX, _CLIENT_PREFIX)):
        usual = False
    if usual:
        return given
    return _HASH_PREFIX + hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()[:32]
