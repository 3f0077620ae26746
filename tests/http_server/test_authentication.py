"""The door around a tiny application: who is let in, what is passed on, what is answered."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.http_server.auth.authentication import Authentication, authenticator_from
from liner_mcp.http_server.auth.bearer import Authenticator, ProtectedResource, Rejection, invalid
from liner_mcp.server.caller import SCOPE_KEY, Caller
from liner_mcp.settings import Settings
from tests.support.sentences import assert_says, recorded

pytestmark = pytest.mark.anyio

METADATA = "/.well-known/oauth-protected-resource"


class FixedToken:
    """Knows one token, `good`, which is Anna's."""

    resource: ProtectedResource | None = None
    names: frozenset[str] | None = None

    async def identify(self, token: str) -> Caller | Rejection:
        return Caller("anna") if token == "good" else invalid("unknown_token")


class FixedTokenWithIssuer(FixedToken):
    """The same with an issuer behind it."""

    def __init__(self, audience: str) -> None:
        self.resource = ProtectedResource(audience, "https://auth.example", ("calls:read",))


class FixedAnswer:
    """Always the same answer."""

    resource = ProtectedResource("https://calls.example/mcp", "https://auth.example", ("calls:read",))
    names = None

    def __init__(self, answer: Caller | Rejection) -> None:
        self.answer = answer

    async def identify(self, token: str) -> Caller | Rejection:  # noqa: ARG002 - whatever it is
        return self.answer


class RecordingApp:
    """The application behind the door; keeps the scope of each request that reached it."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002 - ASGI's signature
        self.scopes.append(scope)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"in"})


@asynccontextmanager
async def protected_app(
    authenticator: Authenticator | None = None, root_path: str = ""
) -> AsyncGenerator[tuple[httpx.AsyncClient, RecordingApp]]:
    behind = RecordingApp()
    app = Authentication(behind, authenticator or FixedToken())
    transport = httpx.ASGITransport(app=app, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url="http://calls.example") as http:
        yield http, behind


async def test_who_is_known_is_let_in_and_the_name_goes_along() -> None:
    async with protected_app() as (http, behind):
        answer = await http.post("/mcp", headers={"Authorization": "Bearer good"})
    assert (answer.status_code, answer.text) == (200, "in")
    assert behind.scopes[0][SCOPE_KEY] == Caller("anna")


async def test_no_credential_is_passed_on() -> None:
    secrets = {"Authorization": "Bearer good", "Cookie": "session=good", "Proxy-Authorization": "Basic good"}
    async with protected_app() as (http, behind):
        await http.post("/mcp", headers={**secrets, "X-Other": "kept"})
    (scope,) = behind.scopes
    assert "good" not in repr(scope["headers"])
    assert (b"x-other", b"kept") in scope["headers"]


async def test_without_a_token_the_answer_is_401_without_an_error_word() -> None:
    async with protected_app() as (http, behind):
        answer = await http.post("/mcp", content=b"x" * 3_000_000)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="liner-mcp"'
    assert_says(answer.json()["error"]["message"], "send_an_access_token_in_one", at_start=True)
    assert behind.scopes == []


async def test_a_wrong_token_is_an_invalid_token_and_is_not_repeated() -> None:
    async with protected_app() as (http, behind):
        answer = await http.post("/mcp", headers={"Authorization": "Bearer wrong-t0ken"})
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert answer.json()["error"] == {"code": -32600, "message": recorded("the_access_token_is_not_valid")}
    assert "t0ken" not in answer.text + str(answer.headers)
    assert behind.scopes == []


async def test_a_token_in_the_address_is_not_read() -> None:
    async with protected_app() as (http, behind):
        answer = await http.post("/mcp?access_token=good&token=good")
    assert answer.status_code == 401
    assert "error=" not in answer.headers["www-authenticate"]
    assert behind.scopes == []


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer good"), (b"authorization", b"Bearer good")],
        [(b"authorization", b"Bearer good"), (b"Authorization", b"Bearer bad")],
        [(b"authorization", b"Bearer good"), (b"authorization", b"")],
        [(b"authorization", b"Bearer good, Bearer good")],
        [(b"authorization", b"Bearer " + b"g" * 100_000)],
        [(b"authorization", b"Bearer \xff\xfe\x00")],
        [(b"authorization", b"Bearer good x")],
    ],
    ids=["twice", "twice in two cases", "once and empty", "a list", "giant", "bytes", "two words"],
)
async def test_a_malformed_header_is_401(headers: list[tuple[bytes, bytes]]) -> None:
    answer = await asked("/mcp", headers)
    assert answer[0] == 401
    assert b'error="invalid_token"' in answer[1][b"www-authenticate"]


@given(st.lists(st.tuples(st.sampled_from([b"authorization", b"AUTHORIZATION", b"x"]), st.binary(max_size=40))))
async def test_no_header_crashes_the_entry_point_or_opens_it(headers: list[tuple[bytes, bytes]]) -> None:
    assert (await asked("/mcp", headers))[0] == 401


async def asked(path: str, headers: list[tuple[bytes, bytes]], method: str = "POST") -> tuple[int, dict[bytes, bytes]]:
    """One request as a web server hands it over, header bytes as they are; status and headers of the answer."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}
    await Authentication(RecordingApp(), FixedToken())(scope, receive, send)
    assert b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], dict(sent[0]["headers"])


@pytest.mark.parametrize(
    "path", ["/", "/mcp", "/mcp/", "//health", "/health/", "/Health", "/health/../mcp", "/healthy", "/readyz", "/x"]
)
async def test_everything_is_closed(path: str) -> None:
    assert (await asked(path, [], "GET"))[0] == 401


async def test_a_missing_scope_is_403_and_an_issuer_that_is_away_503() -> None:
    refusal = Rejection(403, "insufficient_scope", "The access token lacks the scope calls:read.")
    async with protected_app(FixedAnswer(refusal)) as (http, _):
        answer = await http.post("/mcp", headers={"Authorization": "Bearer any"})
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert 'scope="calls:read"' in answer.headers["www-authenticate"]
    async with protected_app(FixedAnswer(Rejection(503, None, "Try later.", retry_after=7))) as (http, _):
        answer = await http.post("/mcp", headers={"Authorization": "Bearer any"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert "www-authenticate" not in answer.headers


# The metadata of RFC 9728 ----------------------------------------------------------------------------------------


async def test_with_an_issuer_every_401_says_where_the_metadata_is_and_there_it_is() -> None:
    async with protected_app(FixedTokenWithIssuer("https://calls.example/mcp")) as (http, _):
        refused = await http.post("/mcp")
        address = refused.headers["www-authenticate"].partition('resource_metadata="')[2].rstrip('"')
        assert address == f"https://calls.example{METADATA}/mcp"
        told = await http.get(httpx.URL(address).path)
    assert told.headers["content-type"] == "application/json"
    assert told.json() == {
        "resource": "https://calls.example/mcp",
        "authorization_servers": ["https://auth.example"],
        "scopes_supported": ["calls:read"],
        "bearer_methods_supported": ["header"],
        "resource_name": "liner-mcp",
    }


@pytest.mark.parametrize(
    ("path", "status"),
    [(METADATA, 200), (f"{METADATA}/team/mcp", 200), (f"{METADATA}/mcp", 200), (f"{METADATA}/other", 404)],
)
async def test_the_prefix_under_which_a_proxy_serves_us_is_part_of_the_resource(path: str, status: int) -> None:
    async with protected_app(FixedTokenWithIssuer("https://calls.example/team/mcp"), root_path="/team") as (http, _):
        answer = await http.get(path)
        assert answer.status_code == status
        if status == 200:
            assert answer.json()["resource"] == "https://calls.example/team/mcp"


async def test_an_audience_that_is_no_address_leaves_the_address_to_the_request() -> None:
    async with protected_app(FixedTokenWithIssuer("api://calls"), root_path="/team") as (http, _):
        refused = await http.post("/mcp", headers={"Host": 'calls.example", evil="1'})
        assert refused.headers["www-authenticate"].endswith(f'="http://calls.exampleevil1{METADATA}/team/mcp"')
        assert (await http.get(METADATA)).json()["resource"] == "http://calls.example/team/mcp"


async def test_the_metadata_is_only_read() -> None:
    async with protected_app(FixedTokenWithIssuer("https://calls.example/mcp")) as (http, _):
        answer = await http.post(METADATA)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_without_an_issuer_there_is_no_metadata_and_no_401_for_asking() -> None:
    async with protected_app() as (http, behind):
        assert (await http.get(METADATA)).status_code == 404
    assert behind.scopes == []


# From settings ---------------------------------------------------------------------------------------------------


def test_without_settings_no_one_is_asked() -> None:
    assert authenticator_from(Settings()) is None


def test_an_issuer_in_the_settings_makes_its_tokens_the_way_in() -> None:
    found: Any = authenticator_from(
        Settings(mcp_oauth_issuer="https://auth.example", mcp_oauth_audience="api://calls", mcp_oauth_scope=" a  b ")
    )
    assert found.resource == ProtectedResource("api://calls", "https://auth.example", ("a", "b"))


async def test_a_file_in_the_settings_makes_its_tokens_the_way_in(tmp_path: Any) -> None:
    from liner_mcp.cli.tokens import create_token

    token, line = create_token("anna")
    (tmp_path / "tokens").write_text(line)
    (tmp_path / "tokens").chmod(0o600)
    found = authenticator_from(Settings(mcp_tokens_file=tmp_path / "tokens"))
    assert found is not None
    assert await found.identify(token) == Caller("anna")
