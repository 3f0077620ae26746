"""The whole way in over a real socket: both eras of MCP and plain HTTP, tokens of both kinds, a Liner behind."""

from __future__ import annotations

import base64
import hmac
import logging
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult
from pydantic import SecretStr

from liner_mcp.cli.tokens import add_token_line, create_token
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.http_server.app import create_web_app
from liner_mcp.server.caller import caller
from liner_mcp.settings import Settings
from tests.conftest import text_of
from tests.fakes.oauth_issuer import LocalIssuer, claims, ec_key, public_jwk, public_pem, rsa_key, signed
from tests.http_server.test_jwt import handmade
from tests.support.asgi_server import serve_app
from tests.support.sentences import assert_says, recorded

pytestmark = pytest.mark.anyio

DAY = 86_400
META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


class RecordingTransport(httpx.AsyncBaseTransport):
    """The way to Liner; keeps who was asking and what was sent whenever a request passed."""

    def __init__(self, dataset: Dataset) -> None:
        self._within = httpx.ASGITransport(app=DemoLiner(dataset, token="secret-of-liner"))
        self.callers: list[str | None] = []
        self.sent: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        who = caller()
        self.callers.append(None if who is None else who.name)
        self.sent.append(f"{request.url} {request.headers.multi_items()} {request.content!r}")
        return await self._within.handle_async_request(request)


@dataclass
class ServerWithLiner:
    """Our server on a socket, and the Liner behind it."""

    address: str
    liner: RecordingTransport
    issuer: LocalIssuer = field(default_factory=LocalIssuer)

    async def ask(self, token: str, mode: Any, call_id: int = 7003900) -> CallToolResult:
        """One tool call by an MCP client."""
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http,
            Client(streamable_http_client(f"{self.address}/mcp", http_client=http), mode=mode) as client,
        ):
            result = await client.call_tool("list_call_records", {"call_id": call_id})
            assert isinstance(result, CallToolResult)
            return result

    async def post(self, token: str | None, *, modern: bool = True) -> httpx.Response:
        """One tool call by hand, in the words of one era."""
        call: dict[str, Any] = {"name": "list_call_records", "arguments": {"call_id": 7003900}}
        headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
        if modern:
            headers |= {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": call["name"]}
            call["_meta"] = META
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        async with httpx.AsyncClient() as http:
            return await http.post(f"{self.address}/mcp", headers=headers, json=body)

    async def status(self, token: str | None) -> int:
        """What both eras get for this token."""
        modern, legacy = await self.post(token), await self.post(token, modern=False)
        assert modern.status_code == legacy.status_code
        return modern.status_code


@contextmanager
def server(dataset: Dataset, **settings: Any) -> Generator[ServerWithLiner]:
    liner = RecordingTransport(dataset)
    all_settings = Settings(
        api_host="https://liner.example", api_token=SecretStr("secret-of-liner"), timezone="Europe/Moscow", **settings
    )
    app = create_web_app(all_settings, transport=liner)
    with serve_app(app) as address:
        yield ServerWithLiner(address, liner)


@pytest.fixture
def tokens_file(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def a_token(file: Path, name: str) -> str:
    token, line = create_token(name)
    add_token_line(file, line, rotate=False)
    return token


def without(file: Path, name: str) -> None:
    file.write_text("".join(line for line in file.read_text().splitlines(True) if not line.startswith(f"{name}:")))


def with_a_broken_line(file: Path) -> None:
    file.write_text(f"anna\n{file.read_text()}")


def gone(file: Path) -> None:
    file.unlink()


@pytest.fixture
def issuer() -> Generator[LocalIssuer]:
    """A local issuer on a socket of its own, with one key."""
    local = LocalIssuer()
    with serve_app(local) as address:
        local.issuer = address
        yield local


@pytest.fixture
def by_issuer(dataset: Dataset, issuer: LocalIssuer) -> Generator[ServerWithLiner]:
    audience = "https://calls.example/mcp"
    with server(dataset, mcp_oauth_issuer=issuer.issuer, mcp_oauth_audience=audience) as opened:
        opened.issuer = issuer
        yield opened


# A file of tokens ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_name_behind_a_token_reaches_the_tool_and_the_token_goes_nowhere(
    dataset: Dataset, tokens_file: Path, mode: Any, caplog: pytest.LogCaptureFixture
) -> None:
    anna, boris = a_token(tokens_file, "anna"), a_token(tokens_file, "boris")
    caplog.set_level(logging.DEBUG)
    with server(dataset, mcp_tokens_file=tokens_file) as opened:
        assert "7003900" in text_of(await opened.ask(anna, mode))
        assert set(opened.liner.callers) == {"anna"}
        opened.liner.callers.clear()
        # Another call: what was asked of the first one is kept.
        assert "7003901" in text_of(await opened.ask(boris, mode, 7003901))
        assert set(opened.liner.callers) == {"boris"}
        assert "secret-of-liner" in opened.liner.sent[0]
    for token in (anna, boris):
        assert token not in "".join(opened.liner.sent)
        assert token not in caplog.text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_without_a_valid_token_gets_nothing(dataset: Dataset, tokens_file: Path, mode: Any) -> None:
    a_token(tokens_file, "anna")
    with server(dataset, mcp_tokens_file=tokens_file) as opened:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the client makes of it, in a group or not
            await opened.ask("lmcp_guessed", mode)
        assert "lmcp_guessed" not in repr(caught.value)
        assert opened.liner.sent == []


async def test_a_token_works_from_the_moment_it_is_added_until_its_line_is_taken_out(
    dataset: Dataset, tokens_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    anna = a_token(tokens_file, "anna")
    with server(dataset, mcp_tokens_file=tokens_file) as opened:
        boris = create_token("boris")[0]
        assert [await opened.status(token) for token in (anna, boris, None)] == [200, 401, 401]
        boris = a_token(tokens_file, "boris")
        assert [await opened.status(token) for token in (anna, boris)] == [200, 200]
        without(tokens_file, "anna")
        assert [await opened.status(token) for token in (anna, boris)] == [401, 200]
        with_a_broken_line(tokens_file)
        assert [await opened.status(token) for token in (anna, boris)] == [401, 200]
        gone(tokens_file)
        assert [await opened.status(token) for token in (anna, boris)] == [401, 200]
    said = [record.getMessage() for record in caplog.records if record.name == "liner_mcp.reloading_file"]
    assert ["line 1" in said[0], recorded("cannot_be_read") in said[1], len(said)] == [True, True, 2]
    for token in (anna, boris):
        assert token not in caplog.text


async def test_what_is_refused_is_refused_in_one_sentence(dataset: Dataset, tokens_file: Path) -> None:
    anna = a_token(tokens_file, "anna")
    with server(dataset, mcp_tokens_file=tokens_file) as opened:
        none, wrong = await opened.post(None), await opened.post("lmcp_guessed")
        assert none.headers["www-authenticate"] == 'Bearer realm="liner-mcp"'
        assert wrong.headers["www-authenticate"].startswith('Bearer realm="liner-mcp", error="invalid_token"')
        assert_says(none.json()["error"]["message"], "a_space_the_token", at_end=True)
        async with httpx.AsyncClient() as http:
            in_address = await http.post(f"{opened.address}/mcp?access_token={anna}&token={anna}", json={})
            twice = await http.post(
                f"{opened.address}/mcp", headers=[("Authorization", f"Bearer {anna}")] * 2, content=b"x" * 2_000_000
            )
            giant = await http.post(f"{opened.address}/mcp", headers={"Authorization": f"Bearer {anna * 400}"})
            unknown = await http.get(f"{opened.address}/.well-known/oauth-protected-resource/mcp")
        assert [in_address.status_code, twice.status_code, giant.status_code, unknown.status_code] == [
            401,
            401,
            401,
            404,
        ]
        assert opened.liner.sent == []


# An issuer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_subject_of_an_access_token_reaches_the_tool_and_the_token_goes_nowhere(
    by_issuer: ServerWithLiner, mode: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = signed(claims(iss=by_issuer.issuer.issuer))
    assert "7003900" in text_of(await by_issuer.ask(token, mode))
    assert set(by_issuer.liner.callers) == {"anna"}
    assert by_issuer.issuer.requested_paths.count("/keys") == 1
    for part in token.split(".")[1:]:
        assert part not in "".join(by_issuer.liner.sent)
        assert part not in caplog.text


async def test_every_wrong_token_is_401_and_reaches_no_one(by_issuer: ServerWithLiner) -> None:
    iss, now = by_issuer.issuer.issuer, int(time.time())
    by_issuer.issuer.jwks["keys"].append(public_jwk(rsa_key(), kid="r1"))
    good = claims(iss=iss)
    wrong = {
        "expired": signed(claims(iss=iss, exp=now - DAY)),
        "not yet valid": signed(claims(iss=iss, nbf=now + DAY)),
        "for another server": signed(claims(iss=iss, aud="https://other.example/mcp")),
        "of another issuer": signed(claims(iss="https://evil.example")),
        "alg none": handmade({"alg": "none", "kid": "k1"}, good),
        "HS256 with the public key": hs256_with_public_key(good),
        "another key": signed(good, ec_key(1)),
        "an unknown key id": signed(good, ec_key(1), kid="k9"),
        "no token at all": "anna",
    }
    got = {name: (await by_issuer.post(token)) for name, token in wrong.items()}
    assert {name: answer.status_code for name, answer in got.items()} == dict.fromkeys(wrong, 401)
    told = {name: answer.json()["error"]["message"] for name, answer in got.items()}
    assert told.pop("expired") == recorded("the_access_token_has_expired")
    assert set(told.values()) == {recorded("the_access_token_is_not_valid")}
    assert by_issuer.liner.sent == []
    assert await by_issuer.status(signed(good)) == 200


def hs256_with_public_key(payload: dict[str, Any]) -> str:
    unsigned = handmade({"alg": "HS256", "kid": "r1"}, payload).removesuffix(".")
    digest = hmac.digest(public_pem(rsa_key()), unsigned.encode(), "sha256")
    return f"{unsigned}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


async def test_a_missing_scope_is_403_and_the_answer_names_it(by_issuer: ServerWithLiner) -> None:
    answer = await by_issuer.post(signed(claims(iss=by_issuer.issuer.issuer, scope="openid")))
    assert answer.status_code == 403
    told = answer.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in told
    assert 'scope="calls:read"' in told
    assert answer.json()["error"]["message"] == recorded("the_access_token_lacks_the_scope")


async def test_rotated_keys_let_new_tokens_in_and_old_ones_no_more(
    by_issuer: ServerWithLiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (signed(claims(iss=by_issuer.issuer.issuer), ec_key(n), kid=f"k{n + 1}") for n in (0, 1))
    assert [await by_issuer.status(token) for token in (old, new)] == [200, 401]
    by_issuer.issuer.jwks = {"keys": [public_jwk(ec_key(1), kid="k2")]}
    assert await by_issuer.status(new) == 401  # looked up a moment ago
    monkeypatch.setattr("liner_mcp.http_server.auth.jwks.RETRY_SECONDS", 0.0)
    assert [await by_issuer.status(token) for token in (new, old)] == [200, 401]


async def test_while_the_issuer_is_away_known_keys_serve_and_without_any_the_answer_is_503(
    dataset: Dataset, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = signed(claims(iss=issuer.issuer))
    issuer.failing = True
    with server(dataset, mcp_oauth_issuer=issuer.issuer, mcp_oauth_audience="https://calls.example/mcp") as opened:
        answer = await opened.post(token)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert_says(answer.json()["error"]["message"], "cannot_be_reached")
        assert await opened.status(None) == 401
        issuer.failing = False
        monkeypatch.setattr("liner_mcp.http_server.auth.jwks.RETRY_SECONDS", 0.0)
        assert await opened.status(token) == 200
        issuer.failing = True
        monkeypatch.setattr("liner_mcp.http_server.auth.jwks.KEYS_SECONDS", -1.0)
        assert await opened.status(token) == 200


async def test_a_client_finds_the_issuer_by_following_the_401(by_issuer: ServerWithLiner) -> None:
    refused = await by_issuer.post(None)
    told = refused.headers["www-authenticate"]
    assert "error=" not in told
    assert 'scope="calls:read"' in told
    place = told.partition('resource_metadata="')[2].partition('"')[0]
    assert place.startswith("https://calls.example/")
    async with httpx.AsyncClient() as http:
        for path in (httpx.URL(place).path, "/.well-known/oauth-protected-resource"):
            metadata = (await http.get(f"{by_issuer.address}{path}")).json()
            assert metadata["authorization_servers"] == [by_issuer.issuer.issuer]
            assert metadata["resource"] == "https://calls.example/mcp"
            assert metadata["scopes_supported"] == ["calls:read"]


@pytest.mark.parametrize("audience", ["https://calls.example/liner/mcp", "api://calls"])
def test_below_a_path_of_a_proxy_the_metadata_is_where_the_401_says(
    dataset: Dataset, issuer: LocalIssuer, audience: str
) -> None:
    fields = {"mcp_oauth_issuer": issuer.issuer, "mcp_oauth_audience": audience, "mcp_path_prefix": "/liner"}
    with server(dataset, **fields) as opened, httpx.Client(base_url=opened.address) as http:
        told = http.post("/liner/mcp").headers["www-authenticate"]
        place = httpx.URL(told.partition('resource_metadata="')[2].partition('"')[0])
        assert place.path == "/.well-known/oauth-protected-resource/liner/mcp"
        resource = audience if audience.startswith("https:") else f"{opened.address}/liner/mcp"
        for path in (
            place.path,
            "/.well-known/oauth-protected-resource",
            "/liner/.well-known/oauth-protected-resource",
        ):
            assert http.get(path).json()["resource"] == resource
        assert http.get("/liner/liner/health").status_code == 401


async def test_a_page_can_read_the_401_and_the_metadata(by_issuer: ServerWithLiner) -> None:
    page = {"origin": "http://localhost:6274"}
    asks = {"access-control-request-method": "GET", "access-control-request-headers": "mcp-protocol-version"}
    place = f"{by_issuer.address}/.well-known/oauth-protected-resource/mcp"
    async with httpx.AsyncClient(headers=page) as http:
        assert (await http.options(place, headers=asks)).status_code == 200
        for answer in (await http.get(place), await http.post(f"{by_issuer.address}/mcp")):
            assert answer.headers["access-control-allow-origin"] == page["origin"]
            assert answer.headers["cache-control"] == "no-store"
            assert "www-authenticate" in answer.headers["access-control-expose-headers"].lower()
