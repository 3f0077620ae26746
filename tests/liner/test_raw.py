"""Raw answers: as they came, counted before they are asked for, and never asked for twice."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from pydantic import SecretStr

from liner_mcp.errors import RateLimited, RequestError, Unreachable, UnreadableAnswer
from liner_mcp.liner import raw, wire
from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.protocol import Query
from liner_mcp.liner.raw import Allowance, RawReader
from tests.liner.test_client import client_of
from tests.liner.test_pressure import Scripted

pytestmark = pytest.mark.anyio

ORIGIN = "https://liner.example.com"


@asynccontextmanager
async def reading(
    answer: Callable[[httpx.Request], httpx.Response], most: int = 20
) -> AsyncGenerator[tuple[RawReader, list[str]]]:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        assert request.headers["x-api-key"] == "t0ken"
        return answer(request)

    transport = httpx.MockTransport(handler)
    async with LinerClient(ORIGIN, SecretStr("t0ken"), requests_per_second=0, transport=transport) as client:
        yield client.raw(Allowance(most)), asked


@pytest.mark.parametrize("status", [200, 401, 404, 429, 500, 503])
async def test_any_status_comes_back_as_it_is_and_nothing_is_retried(status: int) -> None:
    async with reading(lambda _: httpx.Response(status, json={"a": 1}, headers={"Retry-After": "1"})) as (
        reader,
        asked,
    ):
        answer = await reader.get(Query("/x/"))
    assert (answer.status, answer.body, answer.json) == (status, "json", {"a": 1})
    assert answer.headers["retry-after"] == "1"
    assert answer.sent_at <= answer.got_at
    assert len(asked) == reader.allowance.used == 1


@pytest.mark.parametrize(
    ("body", "kind"), [(b" <html>", "a web page"), (b" ", "empty"), (b"oops", "not JSON"), (b"[" * 100_000, "not JSON")]
)
async def test_what_is_no_json_is_named(body: bytes, kind: str) -> None:
    async with reading(lambda _: httpx.Response(200, content=body)) as (reader, _):
        answer = await reader.get(Query("/x/"))
    assert (answer.body, answer.json) == (kind, None)


async def test_a_redirect_on_the_host_is_followed_and_counted() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/"):
            return httpx.Response(301, headers={"location": "/x?a=1"})
        return httpx.Response(200, json={})

    async with reading(answer) as (reader, asked):
        found = await reader.get(Query("/x/", (("a", "1"),)))
        assert (found.status, found.hops, found.leads) == (200, ("/x?a=1",), None)
        assert reader.allowance.used == len(asked) == 2
        found = await reader.get(Query("/x/"), follow=False)
        assert (found.status, found.hops, found.leads) == (301, (), "on")


async def test_a_redirect_away_is_never_followed() -> None:
    async with reading(lambda _: httpx.Response(302, headers={"location": "https://elsewhere.example.com/"})) as (
        reader,
        asked,
    ):
        found = await reader.get(Query("/x/"))
    assert (found.leads, len(asked)) == ("away", 1)


async def test_a_circle_of_redirects_ends() -> None:
    async with reading(lambda _: httpx.Response(307, headers={"location": "/x/"})) as (reader, asked):
        found = await reader.get(Query("/x/"))
    assert (found.leads, len(asked)) == ("on", 1 + wire.MAX_REDIRECTS)


async def test_a_pause_that_liner_asked_of_anybody_holds_for_raw_answers_too() -> None:
    async with reading(lambda _: httpx.Response(429, headers={"Retry-After": "40"})) as (reader, asked):
        assert (await reader.get(Query("/x/"))).status == 429
        with pytest.raises(RateLimited, match="the pause is not over"):
            await reader.get(Query("/y/"))
    assert len(asked) == 1


async def test_a_429_that_a_raw_answer_met_pauses_everybody() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(429, headers={"Retry-After": "40"}))
    async with LinerClient(ORIGIN, SecretStr("t0ken"), requests_per_second=0, transport=transport) as client:
        await client.raw(Allowance(20)).get(Query("/x/"))
        with pytest.raises(RateLimited, match="the pause is not over"), anyio.fail_after(20):
            await client.call(7)
        assert client.traffic.requests == 1


async def test_who_waits_for_a_raw_answers_turn_heeds_the_pause_that_the_first_one_met() -> None:
    for retry_after, outcomes in (("0.1", [429, 200]), ("40", [429, RateLimited])):
        app = Scripted(429, retry_after=retry_after)
        async with client_of(app, concurrency=1) as client:
            reader = client.raw(Allowance(20))
            answers = await client.each([lambda reader=reader: reader.get(Query("/x/"))] * 2)
        assert [getattr(answer, "status", type(answer)) for answer in answers] == outcomes
        assert len(app.arrivals) == outcomes.count(429) + outcomes.count(200)


async def test_a_request_beyond_the_allowance_is_never_sent() -> None:
    async with reading(lambda _: httpx.Response(307, headers={"location": "/x/"}), most=2) as (reader, asked):
        with pytest.raises(RequestError, match="The 2 requests that were allowed are used up"):
            await reader.get(Query("/x/"))
        with pytest.raises(RequestError):
            await reader.get(Query("/x/"))
    assert len(asked) == reader.allowance.used == 2


async def test_a_body_beyond_the_cap_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_BODY_BYTES", 10)
    async with reading(lambda _: httpx.Response(200, content=b"x" * 11)) as (reader, _):
        with pytest.raises(UnreadableAnswer):
            await reader.get(Query("/x/"))


async def test_an_answer_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw, "REQUEST_SECONDS", 0.05)

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await anyio.Event().wait()
            return httpx.Response(200, request=request)

    async with LinerClient(ORIGIN, SecretStr("t0ken"), requests_per_second=0, transport=Silent()) as client:
        with pytest.raises(Unreachable):
            await client.raw(Allowance(20)).get(Query("/x/"))
