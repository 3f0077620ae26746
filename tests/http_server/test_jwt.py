"""Access tokens: which one lets its owner in, under which name, and the many that must not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liner_mcp.http_server.auth.bearer import ProtectedResource, Rejection
from liner_mcp.http_server.auth.jwks import JwksClient
from liner_mcp.http_server.auth.jwt import ALGORITHMS, JwtAuthenticator, caller_name
from liner_mcp.server.caller import Caller
from tests.fakes.oauth_issuer import (
    AUDIENCE,
    ISSUER,
    LocalIssuer,
    claims,
    ec_key,
    public_jwk,
    public_pem,
    rsa_key,
    signed,
)
from tests.support.sentences import assert_says, recorded

pytestmark = pytest.mark.anyio

ED25519, ED448 = ed25519.Ed25519PrivateKey.generate(), ed448.Ed448PrivateKey.generate()
INVALID = (401, "invalid_token", "The access token is not valid here.")


class TokenCheck:
    """Access tokens that are judged with the keys of a local issuer."""

    def __init__(
        self, *keys: dict[str, Any], audience: str = AUDIENCE, scopes: tuple[str, ...] = ("calls:read",)
    ) -> None:
        self.local = LocalIssuer()
        if keys:
            self.local.jwks = {"keys": list(keys)}
        issuer = JwksClient(ISSUER, transport=httpx.ASGITransport(app=self.local))
        self.tokens = JwtAuthenticator(ProtectedResource(audience, ISSUER, scopes), issuer)

    async def who(self, token: str) -> str:
        """The name of the one who is let in."""
        found = await self.tokens.identify(token)
        assert isinstance(found, Caller), found
        return found.name

    async def refused(self, token: str) -> tuple[int, str | None, str]:
        found = await self.tokens.identify(token)
        assert isinstance(found, Rejection), found
        return found.status, found.error, found.sentence


@pytest.fixture
def checked() -> TokenCheck:
    return TokenCheck()


def handmade(header: dict[str, Any], payload: dict[str, Any] | bytes, signature: bytes = b"") -> str:
    """A token put together by hand, for what the library would not sign."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    parts = [json.dumps(header).encode(), body, signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


# Let in ----------------------------------------------------------------------------------------------------------


async def test_a_good_token_lets_its_subject_in(checked: TokenCheck) -> None:
    assert await checked.who(signed(claims())) == "anna"


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
async def test_every_algorithm_that_is_promised_works(algorithm: str) -> None:
    kind, curve = ALGORITHMS[algorithm]
    curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
    key = rsa_key() if kind == "RSA" else ec.generate_private_key(curves[curve]) if curve else ED25519
    token = signed(claims(), key, algorithm)
    assert await TokenCheck(public_jwk(key, kid="k1")).who(token) == "anna"
    assert await TokenCheck(public_jwk(key, kid="k1", alg=algorithm, use="sig")).who(token) == "anna"
    other = "ES256" if kind != "EC" else "RS256"
    assert await TokenCheck(public_jwk(key, kid="k1", alg=other)).refused(token) == INVALID


async def test_the_other_edwards_curve_works_too() -> None:
    assert await TokenCheck(public_jwk(ED448, kid="k1")).who(signed(claims(), ED448, "EdDSA")) == "anna"


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", None])
async def test_the_types_of_access_tokens_are_accepted(checked: TokenCheck, kind: str | None) -> None:
    assert await checked.who(signed(claims(), header={"typ": kind})) == "anna"


@pytest.mark.parametrize(
    "scopes",
    [
        {"scope": "calls:read"},
        {"scope": "a calls:read b"},
        {"scope": ["a", "calls:read"]},
        {"scope": None, "scp": "calls:read"},
        {"scope": None, "scp": ["calls:read", 7]},
        {"scope": "a", "scp": ["calls:read"]},
    ],
)
async def test_the_scope_is_found_in_each_of_its_forms(checked: TokenCheck, scopes: dict[str, Any]) -> None:
    assert await checked.who(signed(claims(**scopes))) == "anna"


@pytest.mark.parametrize("audience", [AUDIENCE, f"{AUDIENCE}/", [AUDIENCE, "https://other.example"]])
async def test_our_audience_may_be_one_of_several_and_end_in_a_slash(checked: TokenCheck, audience: Any) -> None:
    assert await checked.who(signed(claims(aud=audience))) == "anna"


async def test_an_audience_that_is_a_name_is_compared_letter_by_letter() -> None:
    checked = TokenCheck(audience="api://calls")
    assert await checked.who(signed(claims(aud="api://calls"))) == "anna"
    assert await checked.refused(signed(claims(aud="api://calls/"))) == INVALID


async def test_clocks_may_differ_by_less_than_a_minute(checked: TokenCheck) -> None:
    now = int(time.time())
    assert await checked.who(signed(claims(exp=now - 30))) == "anna"
    assert await checked.who(signed(claims(nbf=now + 30, iat=now + 30))) == "anna"


async def test_a_token_without_a_key_id_is_checked_with_the_only_key_that_fits() -> None:
    token = signed(claims(), kid=None)
    first, second = public_jwk(ec_key()), public_jwk(ec_key(1), kid="k2")
    others = [public_jwk(rsa_key()), public_jwk(ED25519), public_jwk(ec.generate_private_key(ec.SECP384R1()))]
    assert await TokenCheck(*others, first).who(token) == "anna"
    assert await TokenCheck(*others, first, second).refused(token) == INVALID


async def test_a_new_key_of_the_issuer_counts_as_soon_as_it_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = TokenCheck()
    assert await checked.who(signed(claims())) == "anna"
    checked.local.jwks = {"keys": [public_jwk(ec_key(1), kid="k2")]}
    monkeypatch.setattr("liner_mcp.http_server.auth.jwks.RETRY_SECONDS", 0.0)
    assert await checked.who(signed(claims(), ec_key(1), kid="k2")) == "anna"
    assert await checked.refused(signed(claims())) == INVALID


# Names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "name"),
    [
        ({"sub": "anna", "client_id": "c", "azp": "a"}, "anna"),
        ({"client_id": "c", "azp": "a"}, "client:c"),
        ({"sub": "", "azp": "a"}, None),
        ({"azp": "a"}, "client:a"),
        ({"sub": "Анна Петрова"}, "Анна Петрова"),
        ({"sub": "auth0|5f7c8ec7c33c6c004bbafe82"}, "auth0|5f7c8ec7c33c6c004bbafe82"),
        ({"sub": "s" * 64}, "s" * 64),
        ({}, None),
        ({"sub": ""}, None),
        ({"client_id": 7}, None),
    ],
)
def test_a_caller_is_named_by_subject_then_by_client(found: dict[str, Any], name: str | None) -> None:
    assert caller_name(found) == name


@pytest.mark.parametrize(
    "sub", ["s" * 65, "an\u200bna", "anna\n", " anna", "anna\x00", "\ud800", "sha256:abc", "\u202eanna"]
)
def test_what_is_long_or_cannot_be_shown_is_a_hash_so_that_no_two_become_one(sub: str) -> None:
    name = caller_name({"sub": sub})
    assert name == "sha256:" + hashlib.sha256(sub.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@given(st.text(st.characters(exclude_categories=[])), st.text(st.characters(exclude_categories=[])))
def test_names_are_short_printable_and_never_shared(one: str, other: str) -> None:
    names = [caller_name({"sub": one}), caller_name({"sub": other})]
    assert all(name is None or (len(name) <= 64 and name.isprintable()) for name in names)
    assert (names[0] == names[1]) == (one == other)


# Kept out --------------------------------------------------------------------------------------------------------


NOW = int(time.time())
DAY = 86_400


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "https://other.example/mcp"},
        {"aud": ["https://other.example/mcp"]},
        {"aud": "https://calls.example"},
        {"aud": "https://calls.example/mcp/deeper"},
        {"aud": "HTTPS://CALLS.EXAMPLE/MCP"},
        {"aud": []},
        {"aud": None},
        {"aud": 7},
        {"aud": {AUDIENCE: 1}},
        {"iss": "https://evil.example"},
        {"iss": f"{ISSUER}/"},
        {"iss": None},
        {"exp": None},
        {"exp": "soon"},
        {"exp": [1]},
        {"nbf": NOW + DAY},
        {"nbf": "soon"},
        {"iat": NOW + DAY},
        {"sub": 7},
        {"sub": None, "client_id": None},
    ],
    ids=" and ".join,
)
async def test_a_claim_that_is_wrong_or_missing_is_an_invalid_token_and_no_more_is_said(
    checked: TokenCheck, wrong: dict[str, Any]
) -> None:
    payload = claims(**wrong)
    if not isinstance(payload.get("iss", ""), str):
        payload.pop("iss")
    assert await checked.refused(signed(payload)) == INVALID


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
async def test_a_time_that_is_no_number_is_an_invalid_token(checked: TokenCheck, number: str) -> None:
    body = json.dumps(claims(exp="PLACE")).replace('"PLACE"', number).encode()
    token = jwt.api_jws.encode(body, ec_key(), "ES256", headers={"kid": "k1"})
    assert await checked.refused(token) == INVALID


@pytest.mark.parametrize("claim", [b"[]", b'"anna"', b"null", b"{", b"\xff", b"[" * 5_000])
async def test_a_payload_that_is_no_object_is_an_invalid_token(checked: TokenCheck, claim: bytes) -> None:
    token = jwt.api_jws.encode(claim, ec_key(), "ES256", headers={"kid": "k1"})
    assert await checked.refused(token) == INVALID


async def test_an_expired_token_may_be_told_from_an_invalid_one(checked: TokenCheck) -> None:
    refusal = await checked.refused(signed(claims(exp=NOW - DAY)))
    assert refusal == (401, "invalid_token", recorded("the_access_token_has_expired"))
    stranger = signed(claims(exp=NOW - DAY), ec_key(1))
    assert await checked.refused(stranger) == INVALID


@pytest.mark.parametrize(
    "scope", [None, "", "openid", "calls:readx", "calls:write", ["Calls:Read"], {"calls:read": 1}, 7]
)
async def test_a_missing_scope_is_403_and_named(checked: TokenCheck, scope: Any) -> None:
    assert await checked.refused(signed(claims(scope=scope))) == (
        403,
        "insufficient_scope",
        recorded("the_access_token_lacks_the_scope"),
    )


async def test_all_scopes_are_needed_and_those_that_lack_are_named() -> None:
    checked = TokenCheck(scopes=("calls:read", "a", "b"))
    status, _, sentence = await checked.refused(signed(claims(scope="calls:read")))
    assert (status, sentence) == (403, recorded("the_access_token_lacks_the_scopes"))
    assert await checked.who(signed(claims(scope="b a calls:read"))) == "anna"


@pytest.mark.parametrize("name", ["none", "None", "NONE", "", None, 7, ["ES256"], "HS256", "HS512", "ES256K", "es256"])
async def test_an_algorithm_that_proves_nothing_is_not_taken(checked: TokenCheck, name: Any) -> None:
    for signature in (b"", b"x" * 64):
        token = handmade({"alg": name, "typ": "JWT", "kid": "k1"}, claims(), signature)
        assert await checked.refused(token) == INVALID
    assert checked.local.requested_paths == []


@pytest.mark.parametrize("secret", ["pem", "jwk"])
async def test_a_public_key_used_as_a_shared_secret_opens_nothing(secret: str) -> None:
    jwk = public_jwk(rsa_key(), kid="k1")
    key = public_pem(rsa_key()) if secret == "pem" else json.dumps(jwk).encode()
    unsigned = handmade({"alg": "HS256", "typ": "JWT", "kid": "k1"}, claims()).removesuffix(".")
    signature = base64.urlsafe_b64encode(hmac.digest(key, unsigned.encode(), "sha256")).rstrip(b"=").decode()
    assert await TokenCheck(jwk).refused(f"{unsigned}.{signature}") == INVALID
    oct_key = {"kty": "oct", "kid": "k1", "k": base64.urlsafe_b64encode(key).decode()}
    assert await TokenCheck(oct_key).refused(f"{unsigned}.{signature}") == INVALID


async def test_a_key_that_the_token_brings_along_is_not_used(checked: TokenCheck) -> None:
    for more in (
        {"jwk": public_jwk(ec_key(1))},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/x"},
        {"crit": ["exp"], "exp": 1},
    ):
        assert await checked.refused(signed(claims(), ec_key(1), header=more)) == INVALID
        assert await checked.refused(signed(claims(), ec_key(1), kid="evil", header=more)) == INVALID
    assert set(checked.local.requested_paths) == {
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/keys",
    }


async def test_an_extension_that_must_be_understood_is_not_passed_over(checked: TokenCheck) -> None:
    assert await checked.refused(signed(claims(), header={"crit": ["our-rule"], "our-rule": True})) == INVALID


@pytest.mark.parametrize("kind", ["dpop+jwt", "logout+jwt", "secevent+jwt", "JWE", 7])
async def test_a_token_made_for_another_purpose_is_not_an_access_token(checked: TokenCheck, kind: Any) -> None:
    assert await checked.refused(signed(claims(), header={"typ": kind})) == INVALID


async def test_a_wrong_key_a_wrong_curve_and_an_unknown_key_id_are_invalid() -> None:
    checked = TokenCheck(public_jwk(ec_key(), kid="k1"), public_jwk(rsa_key(), kid="k2"))
    assert await checked.refused(signed(claims(), ec_key(1))) == INVALID
    assert await checked.refused(signed(claims(), kid="k2")) == INVALID
    assert await checked.refused(signed(claims(), kid="k3")) == INVALID
    assert await checked.refused(signed(claims(), ec.generate_private_key(ec.SECP384R1()), "ES384")) == INVALID
    assert await checked.refused(signed(claims(), ec.generate_private_key(ec.SECP256K1()), "ES256K")) == INVALID
    assert await checked.who(signed(claims())) == "anna"


async def test_a_changed_token_is_invalid(checked: TokenCheck) -> None:
    header, payload, signature = signed(claims()).split(".")
    other = signed(claims(sub="boris")).split(".")[1]
    for token in (
        f"{header}.{other}.{signature}",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{header}.{payload}.{signature[:-4]}",
        f"{header}.{payload}.{signature}.x",
        f".{payload}.{signature}",
        "...",
        "a.b.c",
        "a",
    ):
        assert await checked.refused(token) == INVALID


async def test_a_short_rsa_key_is_not_believed() -> None:
    key = rsa_key(bits=1024)
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        token = signed(claims(), key, "RS256")
    assert await TokenCheck(public_jwk(key, kid="k1")).refused(token) == INVALID


@pytest.mark.parametrize(
    "broken",
    [
        {"n": "", "e": "AQAB"},
        {"n": "!!", "e": "AQAB"},
        {"n": "AQAB"},
        {"n": "AA", "e": "AA"},
        {"n": "A" * 100_000, "e": "AQAB"},
    ],
    ids=lambda key: str(key)[:20],
)
async def test_a_broken_key_of_the_issuer_is_an_invalid_token_and_no_crash(broken: dict[str, str]) -> None:
    checked = TokenCheck({"kty": "RSA", "kid": "k1", **broken})
    assert await checked.refused(signed(claims(), rsa_key(), "RS256")) == INVALID


async def test_an_issuer_that_cannot_be_asked_is_503_and_says_when_to_come_again() -> None:
    checked = TokenCheck()
    checked.local.failing = True
    refusal = await checked.tokens.identify(signed(claims()))
    assert isinstance(refusal, Rejection)
    assert (refusal.status, refusal.error, refusal.retry_after) == (503, None, 10)
    assert_says(refusal.sentence, "cannot_be_reached")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
)


@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "x"]), JSON),
    st.dictionaries(st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub", "scope", "scp", "jti"]), JSON),
    st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.too_slow])
async def test_no_header_and_no_claims_crash_the_check(
    header: dict[str, Any], payload: dict[str, Any], whole: bool
) -> None:
    checked = TokenCheck()
    named = {"alg": "ES256", "kid": "k1", **({} if whole else header)}
    signing = handmade(named, {**claims(), **payload}).removesuffix(".")
    signature = jwt.get_algorithm_by_name("ES256").sign(signing.encode(), ec_key())
    token = f"{signing}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    found = await checked.tokens.identify(token)
    assert isinstance(found, Caller) or found.status in (401, 403)
