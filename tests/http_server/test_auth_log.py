"""A refused token leaves its reason in the log, and neither the token nor its claims; the client learns no reason."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, get_args

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from liner_mcp.demo import DemoLiner
from liner_mcp.http_server.auth.bearer import Reason
from tests.fakes.oauth_issuer import AUDIENCE, LocalIssuer, claims, ec_key, public_jwk, rsa_key, signed
from tests.http_server.support import PATIENCE, call, question, serve
from tests.support.asgi_server import serve_app
from tests.support.log_capture import LogCapture, capture_logs
from tests.support.sentences import assert_says

SUBJECT = "Petrov-79261234567"
LATER, EARLIER = int(time.time()) + 7_200, int(time.time()) - 7_200
STRANGER = ec.generate_private_key(ec.SECP256R1())
SMALL_KEY = rsa_key(bits=1024)

Maker = Callable[[str], str]  # the token for the issuer at an origin


def token(key: Any = None, algorithm: str = "ES256", kid: str | None = "k1", typ: str = "JWT", **more: Any) -> Maker:
    """Makes a token; what is not named is right."""
    return lambda issuer: signed(
        claims(**{"iss": issuer, "sub": SUBJECT, **more}), key, algorithm, kid=kid, header={"typ": typ}
    )


# The reason, the token that gets it, the status, and whether the answer is the same as to a random token.
REFUSED: list[tuple[Reason, Maker, int, bool]] = [
    ("not_a_jwt", lambda _: "opaque-Petrov", 401, True),
    ("wrong_type", token(typ="logout+jwt"), 401, True),
    ("wrong_algorithm", token("s" * 32, "HS256"), 401, True),
    ("unknown_key", token(kid="k9"), 401, True),
    ("wrong_key_type", token(rsa_key(), "RS256"), 401, True),
    ("ambiguous_key", token(kid=None), 401, True),
    ("weak_key", token(SMALL_KEY, "RS256", kid="small"), 401, True),
    ("wrong_signature", token(STRANGER), 401, True),
    ("expired", token(exp=EARLIER), 401, False),
    ("not_yet_valid", token(nbf=LATER), 401, True),
    ("wrong_issuer", token(iss="https://other.example"), 401, True),
    ("wrong_audience", token(aud="account"), 401, True),
    ("missing_exp", token(exp=None), 401, True),
    ("missing_iss", token(iss=None), 401, True),
    ("missing_aud", token(aud=None), 401, True),
    ("malformed_claims", token(exp="soon"), 401, True),
    ("no_subject", token(sub=None, client_id=None), 401, True),
    ("missing_scope", token(scope="openid"), 403, False),
]
ELSEWHERE: set[Reason] = {"no_token", "malformed_header", "unknown_token", "issuer_unreachable"}


@pytest.fixture
def lines() -> Generator[LogCapture]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def issuer() -> Generator[LocalIssuer]:
    made = LocalIssuer()
    made.jwks["keys"] += [public_jwk(ec_key(1), kid="k2")]
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        signed(claims(), SMALL_KEY, "RS256")
    made.jwks["keys"] += [public_jwk(SMALL_KEY, kid="small")]
    with serve_app(made) as origin:
        made.issuer = origin
        yield made


@pytest.fixture
def web(liner: DemoLiner, issuer: LocalIssuer, lines: LogCapture) -> Generator[httpx.Client]:
    del lines  # the capture begins before the server
    with (
        serve(liner, mcp_oauth_issuer=issuer.issuer, mcp_oauth_audience=AUDIENCE) as origin,
        httpx.Client(base_url=origin, timeout=PATIENCE) as client,
    ):
        yield client


def post(web: httpx.Client, authorization: str | None) -> httpx.Response:
    asked = question("tools/list")
    if authorization is not None:
        asked["headers"]["authorization"] = authorization
    return web.post("/mcp", **asked)


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_each_refused_token_is_explained_to_the_operator_alone(
    web: httpx.Client, lines: LogCapture, issuer: LocalIssuer
) -> None:
    random = post(web, "Bearer guessed")
    lines.next("request")
    for reason, make, status, silent in REFUSED:
        sent = make(issuer.issuer)
        answer = post(web, f"Bearer {sent}")
        line = lines.next("request")
        assert (reason, answer.status_code) == (line["auth_error"], status)
        assert (line["status"], line["caller"]) == (status, None)
        if silent:
            assert (answer.text, answer.headers["www-authenticate"]) == (
                random.text,
                random.headers["www-authenticate"],
            )
        for text in (answer.text, str(answer.headers), "\n".join(lines.texts)):
            assert not any(part in text for part in (SUBJECT, "Petrov", *filter(None, sent.split("."))))
            assert "https://other.example" not in text
        if silent:
            assert reason not in answer.text


def test_a_good_token_has_no_reason(web: httpx.Client, lines: LogCapture, issuer: LocalIssuer) -> None:
    assert post(web, f"Bearer {signed(claims(iss=issuer.issuer))}").status_code == 200
    line = lines.next("request")
    assert (line["auth_error"], line["caller"]) == (None, "anna")


@pytest.mark.parametrize("subject", ["79161234567", "anna@mail.ru", "8 (916) 123-45-67"])
def test_a_caller_who_is_known_by_a_phone_or_an_address_is_a_hash_in_every_line(
    liner: DemoLiner,
    lines: LogCapture,
    issuer: LocalIssuer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    subject: str,
) -> None:
    rules = tmp_path / "access.toml"
    rules.write_text(
        '[callers."79161234568"]\norders = "all"\nagents = "all"\n[default]\norders = []\nagents = "all"\n'
    )
    rules.chmod(0o600)
    options: dict[str, Any] = {"mcp_oauth_issuer": issuer.issuer, "mcp_oauth_audience": AUDIENCE}
    with serve(liner, **options, mcp_access_file=rules) as origin, httpx.Client(base_url=origin) as web:
        asked = call("list_directory", kind="orders")
        asked["headers"]["authorization"] = f"Bearer {signed(claims(iss=issuer.issuer, sub=subject))}"
        assert web.post("/mcp", **asked, timeout=PATIENCE).status_code == 200
        hashed = f"sha256:{hashlib.sha256(subject.encode()).hexdigest()[:5]}"
        assert lines.next("audit")["caller"] == lines.next("request")["caller"] == hashed
    assert_says(caplog.text, "has_no_section_for_the_caller", name=hashed)
    assert not any(one in text for one in (subject, "79161234568") for text in (*lines.texts, caplog.text))


def test_a_request_without_a_usable_token_and_an_issuer_that_is_down_are_explained_too(
    web: httpx.Client, lines: LogCapture, issuer: LocalIssuer
) -> None:
    issuer.failing = True
    cases = [
        (None, 401, "no_token"),
        ("Basic secret", 401, "no_token"),
        ("Bearer a b", 401, "malformed_header"),
        (f"Bearer {signed(claims(iss=issuer.issuer))}", 503, "issuer_unreachable"),
    ]
    for authorization, status, reason in cases:
        assert post(web, authorization).status_code == status
        assert lines.next("request")["auth_error"] == reason


def test_every_reason_has_its_case() -> None:
    assert {case[0] for case in REFUSED} | ELSEWHERE == set(get_args(Reason))
