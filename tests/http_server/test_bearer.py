"""The header and the challenge: the grammar of RFC 6750 holds whatever is sent."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.http_server.auth import jwt
from liner_mcp.http_server.auth.bearer import (
    MALFORMED,
    MAX_AUTHORIZATION,
    NO_TOKEN,
    ProtectedResource,
    Rejection,
    bearer_token,
    challenge,
    invalid,
    metadata_url,
)

PARAMETER = r'[a-z_]+="[\x20\x21\x23-\x5b\x5d-\x7e]*"'
CHALLENGE = re.compile(rf"Bearer {PARAMETER}(, {PARAMETER})*")


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "BEARER  abc", " Bearer abc\t", "Bearer abc "])
def test_the_scheme_is_read_in_any_case(header: str) -> None:
    assert bearer_token(header) == "abc"


@pytest.mark.parametrize("token", ["a.b-c_d~e+f/g==", "lmcp_x"])
def test_every_character_of_a_token_is_kept(token: str) -> None:
    assert bearer_token(f"Bearer {token}") == token


@pytest.mark.parametrize("header", [None, "", "Basic YTpi", "Digest x", "Bearerabc", "abc"])
def test_another_scheme_or_none_counts_as_no_credentials(header: str | None) -> None:
    assert bearer_token(header) is NO_TOKEN


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer a, Bearer b", "Bearer é", 'Bearer "a"', "Bearer a=b"],
)
def test_what_is_no_token_is_malformed(header: str) -> None:
    assert bearer_token(header) is MALFORMED


def test_a_giant_header_is_malformed_and_a_large_one_is_not() -> None:
    assert bearer_token("Bearer " + "a" * MAX_AUTHORIZATION) is MALFORMED
    assert bearer_token("Bearer " + "a" * 12_000) == "a" * 12_000


@given(st.text(st.characters(max_codepoint=255)).map(lambda rest: f"Bearer {rest}"))
def test_a_token_is_never_more_than_its_alphabet(header: str) -> None:
    token = bearer_token(header)
    assert isinstance(token, Rejection) or (token.isascii() and not re.search(r"[\s,\"\\]", token))


def test_without_credentials_the_challenge_names_no_error() -> None:
    assert challenge(NO_TOKEN) == 'Bearer realm="liner-mcp"'


def test_a_challenge_says_what_is_wrong_what_is_needed_and_where_to_get_it() -> None:
    refusal = Rejection(403, "insufficient_scope", "The access token lacks the scope calls:read.")
    resource = ProtectedResource("https://calls.example/mcp", "https://auth.example", ("calls:read",))
    assert challenge(refusal, resource, metadata=metadata_url(resource.audience)) == (
        'Bearer realm="liner-mcp", error="insufficient_scope", '
        'error_description="The access token lacks the scope calls:read.", scope="calls:read", '
        'resource_metadata="https://calls.example/.well-known/oauth-protected-resource/mcp"'
    )


@pytest.mark.parametrize(
    "refusal", [NO_TOKEN, MALFORMED, invalid("unknown_token"), jwt.EXPIRED], ids=lambda r: r.sentence
)
def test_every_challenge_keeps_to_the_grammar_and_every_answer_is_one_sentence(refusal: Rejection) -> None:
    assert CHALLENGE.fullmatch(challenge(refusal))
    assert refusal.sentence.endswith(".")


@pytest.mark.parametrize(
    ("location", "address"),
    [
        ("https://calls.example/mcp", "https://calls.example/.well-known/oauth-protected-resource/mcp"),
        ("https://x.example:8443/a/mcp/", "https://x.example:8443/.well-known/oauth-protected-resource/a/mcp"),
        ("https://calls.example", "https://calls.example/.well-known/oauth-protected-resource"),
        ("https://calls.example/", "https://calls.example/.well-known/oauth-protected-resource"),
    ],
)
def test_the_metadata_stands_before_the_path_of_the_resource(location: str, address: str) -> None:
    assert metadata_url(location) == address
