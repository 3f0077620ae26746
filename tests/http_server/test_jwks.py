"""The issuer's keys: where they are looked for, when they are fetched again, and what happens while they cannot be."""

from __future__ import annotations

import gzip
import json
import logging
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.errors import Unreachable
from liner_mcp.http_server.auth import jwks as module
from liner_mcp.http_server.auth.jwks import JwksClient, discovery_urls, jwks_uri_of, parse_jwks
from tests.fakes.oauth_issuer import ISSUER, LocalIssuer, ec_key, public_jwk, rsa_key

pytestmark = pytest.mark.anyio


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class IssuerTransport(httpx.AsyncBaseTransport):
    """The network to a `LocalIssuer`; `broken` breaks it, `answers` replaces what stands at a path.

    `waiting` holds every request back until it is set, and `started` says that one has come.
    """

    def __init__(self, local: LocalIssuer) -> None:
        self.within = httpx.ASGITransport(app=local)
        self.broken: Exception | None = None
        self.answers: dict[str, httpx.Response] = {}
        self.waiting: anyio.Event | None = None
        self.started = anyio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.started.set()
        if self.waiting is not None:
            await self.waiting.wait()
        if self.broken is not None:
            raise self.broken
        return self.answers.get(request.url.path) or await self.within.handle_async_request(request)


class RemoteIssuer:
    """An issuer of the given address with everything around it."""

    def __init__(self, address: str = ISSUER, **options: Any) -> None:
        self.local = LocalIssuer(address, **options)
        self.road = IssuerTransport(self.local)
        self.clock = Clock()
        self.issuer = JwksClient(address, transport=self.road, clock=self.clock)

    async def kids(self, kid: str | None = "k1") -> list[str]:
        return [key["kid"] for key in await self.issuer.keys(kid)]

    def rotate(self, kid: str) -> None:
        self.local.jwks = {"keys": [public_jwk(ec_key(1), kid=kid)]}

    @property
    def fetches(self) -> int:
        return self.local.requested_paths.count("/keys")


# Finding them ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("issuer", "addresses"),
    [
        (
            "https://auth.example",
            [
                "https://auth.example/.well-known/oauth-authorization-server",
                "https://auth.example/.well-known/openid-configuration",
            ],
        ),
        (
            "https://auth.example/realms/sales/",
            [
                "https://auth.example/.well-known/oauth-authorization-server/realms/sales",
                "https://auth.example/realms/sales/.well-known/openid-configuration",
                "https://auth.example/.well-known/openid-configuration/realms/sales",
            ],
        ),
    ],
)
def test_metadata_is_looked_for_where_the_standards_put_it(issuer: str, addresses: list[str]) -> None:
    assert discovery_urls(issuer) == addresses


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("https://auth.example", "/.well-known/oauth-authorization-server"),
        ("https://auth.example/", "/.well-known/openid-configuration"),
        ("https://auth.example/realms/sales", "/.well-known/oauth-authorization-server/realms/sales"),
        ("https://auth.example/realms/sales", "/realms/sales/.well-known/openid-configuration"),
        ("https://auth.example/realms/sales", "/.well-known/openid-configuration/realms/sales"),
    ],
)
async def test_keys_are_found_from_each_of_these_places(address: str, place: str) -> None:
    away = RemoteIssuer(address, metadata_paths=(place,))
    assert await away.kids() == ["k1"]


@pytest.mark.parametrize("named", ["https://auth.example/", "https://AUTH.example", "https://evil.example", None, 7])
async def test_metadata_of_another_issuer_is_not_used(named: Any, caplog: pytest.LogCaptureFixture) -> None:
    away = RemoteIssuer()
    away.local.metadata = {"issuer": named}
    with pytest.raises(Unreachable):
        await away.kids()
    assert away.fetches == 0
    assert "names another issuer" in caplog.text


@pytest.mark.parametrize(
    "place",
    ["http://auth.example/keys", "http://127.0.0.1/keys", "ftp://a.example/", "/keys", "", "https://", "https://[", 7],
)
def test_keys_are_fetched_over_https_only(place: Any) -> None:
    with pytest.raises(Unreachable, match="jwks_uri"):
        jwks_uri_of(ISSUER, {"issuer": ISSUER, "jwks_uri": place})


def test_keys_may_be_elsewhere_and_on_loopback_over_plain_http() -> None:
    elsewhere = "https://keys.example/v3/certs"
    assert jwks_uri_of(ISSUER, {"issuer": ISSUER, "jwks_uri": elsewhere}) == elsewhere
    local = "http://127.0.0.1:8000"
    assert jwks_uri_of(local, {"issuer": local, "jwks_uri": f"{local}/keys"}) == f"{local}/keys"
    with pytest.raises(Unreachable):
        jwks_uri_of(local, {"issuer": local, "jwks_uri": "http://10.0.0.5/keys"})


def test_only_public_parts_of_signing_keys_are_kept() -> None:
    keys = [
        public_jwk(ec_key(), kid="good", use="sig", d="private", oth=[1]),
        public_jwk(rsa_key(), kid="for encryption", use="enc"),
        {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
        {"kty": "new", "kid": "unknown"},
        {"kid": "no type"},
        "not a key",
        None,
    ]
    (kept,) = parse_jwks({"keys": keys})
    assert set(kept) == {"kty", "kid", "use", "crv", "x", "y"}


@given(st.recursive(st.none() | st.text() | st.integers(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)))
def test_any_key_set_is_read_or_refused(found: Any) -> None:
    for document in ({"keys": found}, {"keys": [found, {"kty": "EC", "x": found}]}):
        try:
            assert all(isinstance(value, str) for key in parse_jwks(document) for value in key.values())
        except Unreachable:
            assert not isinstance(found, list)


# When they are fetched -------------------------------------------------------------------------------------------


async def test_nothing_is_fetched_before_it_is_needed_and_then_once() -> None:
    away = RemoteIssuer()
    assert away.local.requested_paths == []
    for _ in range(5):
        assert await away.kids() == ["k1"]
    assert away.fetches == 1


async def test_many_at_once_fetch_once() -> None:
    away = RemoteIssuer()
    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(away.kids)
    assert away.fetches == 1


async def test_keys_are_fetched_again_after_five_minutes_and_a_withdrawn_one_is_gone() -> None:
    away = RemoteIssuer()
    assert await away.kids() == ["k1"]
    away.rotate("k2")
    away.clock.now += 299
    assert await away.kids() == ["k1"]
    away.clock.now += 2
    assert await away.kids() == []
    assert away.fetches == 2


async def test_an_unknown_key_is_looked_up_at_once_when_the_last_look_was_long_enough_ago() -> None:
    away = RemoteIssuer()
    assert await away.kids() == ["k1"]
    away.rotate("k2")
    away.clock.now += 11
    assert await away.kids("k2") == ["k2"]


async def test_a_flood_of_unknown_keys_does_not_flood_the_issuer() -> None:
    away = RemoteIssuer()
    for number in range(200):
        assert await away.kids(f"made up {number}") == []
    assert away.fetches == 1
    away.clock.now += 11
    async with anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(away.kids, f"made up {number}")
    assert away.fetches == 2


async def test_keys_that_moved_are_found_with_the_next_look() -> None:
    away = RemoteIssuer()
    assert await away.kids() == ["k1"]
    away.rotate("k2")
    moved = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/moved"}
    away.road.answers["/.well-known/oauth-authorization-server"] = answering(json.dumps(moved).encode())
    keys = {"keys": [public_jwk(ec_key(1), kid="k3")]}
    away.road.answers["/moved"] = answering(json.dumps(keys).encode())
    away.clock.now += 11
    assert await away.kids("k3") == ["k3"]


# While the issuer is away ----------------------------------------------------------------------------------------


async def test_without_any_keys_no_one_can_be_judged_and_the_issuer_is_left_in_pause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = RemoteIssuer()
    away.local.failing = True
    for _ in range(5):
        with pytest.raises(Unreachable):
            await away.kids()
    assert len(away.local.requested_paths) == 2
    assert away.issuer.retry_after == 10
    away.clock.now += 9.5
    assert away.issuer.retry_after == 1
    with pytest.raises(Unreachable):
        await away.kids()
    assert len(away.local.requested_paths) == 2
    away.clock.now += 1
    away.local.failing = False
    assert await away.kids() == ["k1"]
    assert [record.getMessage() for record in caplog.records] == [
        "LINER_MCP_OAUTH_ISSUER: It answers HTTP 500 where its metadata or keys should be. No token can be checked.",
        "LINER_MCP_OAUTH_ISSUER: its keys can be fetched again.",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


async def test_known_keys_serve_for_a_day_while_the_issuer_is_away_and_no_longer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = RemoteIssuer()
    assert await away.kids() == ["k1"]
    away.road.broken = httpx.ConnectError("down")
    for _ in range(23):
        away.clock.now += 3_600
        assert await away.kids() == ["k1"]
    assert caplog.text.count("The keys known so far are used.") == 1
    away.clock.now += 3_601
    with pytest.raises(Unreachable):
        await away.kids()
    away.road.broken = None
    away.clock.now += 11
    assert await away.kids() == ["k1"]


async def test_an_unknown_key_cannot_be_judged_while_the_issuer_is_away() -> None:
    away = RemoteIssuer()
    assert await away.kids() == ["k1"]
    away.road.broken = httpx.ConnectError("down")
    away.clock.now += 11
    with pytest.raises(Unreachable):
        await away.kids("k2")
    assert await away.kids("k1") == ["k1"]


def answering(content: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    """An answer as it comes from a socket: still to be read."""
    return httpx.Response(200, stream=httpx.ByteStream(content), headers=headers)


KEYS = json.dumps({"keys": []}).encode()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(302, headers={"location": "https://evil.example/keys"}), "answers HTTP 302"),
        (httpx.Response(500), "answers HTTP 500"),
        (answering(b"<html>"), "not a JSON object"),
        (answering(b"[" * 100_000), "not a JSON object"),
        (answering(b"[]"), "not a JSON object"),
        (answering(b"{}"), "not a key set"),
        (answering(b" " * 500_001), "more than 500,000 bytes"),
        (answering(gzip.compress(KEYS), {"content-encoding": "gzip"}), "not a JSON object"),
        (httpx.ReadTimeout("slow"), "did not answer in time"),
        (httpx.RemoteProtocolError("broke"), "No connection to it"),
        (OSError("reset"), "No connection to it"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_keys_that_cannot_be_had_leave_the_old_ones_in_force_and_the_operator_reads_why(
    answer: httpx.Response | Exception, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    away = RemoteIssuer()
    assert await away.kids() == ["k1"]
    if isinstance(answer, httpx.Response):
        away.road.answers["/keys"] = answer
    else:
        away.road.broken = answer
    away.clock.now += 301
    assert await away.kids() == ["k1"]
    (record,) = caplog.records
    assert reason in record.getMessage()
    assert "evil" not in record.getMessage()


async def test_an_issuer_that_never_answers_is_left_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FETCH_SECONDS", 0.01)
    away = RemoteIssuer()
    away.road.waiting = anyio.Event()
    with pytest.raises(Unreachable):
        await away.kids()


async def test_who_hangs_up_does_not_use_up_the_attempt() -> None:
    away = RemoteIssuer()
    away.road.waiting = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(away.issuer.keys, "k1")
        await away.road.started.wait()
        group.cancel_scope.cancel()
    away.road.waiting = None
    assert await away.kids() == ["k1"]


async def test_who_has_a_key_does_not_wait_while_another_fetches() -> None:
    away = RemoteIssuer()
    assert await away.kids() == ["k1"]
    away.road.waiting, away.road.started = anyio.Event(), anyio.Event()
    away.clock.now += 301
    async with anyio.create_task_group() as group:
        group.start_soon(away.kids)
        await away.road.started.wait()
        with anyio.fail_after(5):
            assert await away.kids() == ["k1"]
        away.road.waiting.set()
    assert away.fetches == 2
