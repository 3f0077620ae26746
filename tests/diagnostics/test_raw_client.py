"""Raw answers: as they came, counted before they are sent, and never asked for twice."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from pydantic import SecretStr

from liner_mcp.diagnostics import raw_client
from liner_mcp.diagnostics.raw_client import RawClient, RawResponse, RequestBudget
from liner_mcp.errors import ConnectionClosed, InvalidResponse, LinerMcpError, RateLimited, RequestError, Unreachable
from liner_mcp.liner import transport as transport_module
from liner_mcp.liner.endpoints import Query
from liner_mcp.liner.transport import Transport
from tests.liner.test_single_flight import BlockedLiner
from tests.liner.test_throttle import ScriptedLiner
from tests.support.sentences import error_says, recorded

pytestmark = pytest.mark.anyio

ORIGIN = "https://liner.example.com"


@asynccontextmanager
async def connected(
    transport: httpx.AsyncBaseTransport, *, most: int = 20, concurrency: int = 4
) -> AsyncGenerator[tuple[RawClient, Transport]]:
    """A client on a connection that others may use too."""
    connection = Transport(
        ORIGIN, SecretStr("t0ken"), concurrency=concurrency, requests_per_second=0, transport=transport
    )
    try:
        yield RawClient(connection, ORIGIN, RequestBudget(most)), connection
    finally:
        await connection.aclose()


@asynccontextmanager
async def reading(
    answer: Callable[[httpx.Request], httpx.Response], most: int = 20
) -> AsyncGenerator[tuple[RawClient, list[str]]]:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        assert request.headers["x-api-key"] == "t0ken"
        return answer(request)

    async with connected(httpx.MockTransport(handler), most=most) as (client, _):
        yield client, asked


async def both(client: RawClient) -> list[RawResponse | LinerMcpError]:
    """What becomes of two requests at once."""
    results: list[RawResponse | LinerMcpError] = []

    async def get(path: str) -> None:
        try:
            results.append(await client.get(Query(path)))
        except LinerMcpError as error:
            results.append(error)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(get, "/a/")
            group.start_soon(get, "/b/")
    return results


@pytest.mark.parametrize("status", [200, 401, 404, 429, 500, 503])
async def test_any_status_comes_back_as_it_is_and_nothing_is_retried(status: int) -> None:
    async with reading(lambda _: httpx.Response(status, json={"a": 1}, headers={"Retry-After": "1"})) as (
        reader,
        asked,
    ):
        answer = await reader.get(Query("/x/"))
    assert (answer.status, answer.body, answer.json) == (status, "json", {"a": 1})
    assert answer.headers["retry-after"] == "1"
    assert answer.sent_at <= answer.received_at
    assert len(asked) == reader.budget.used == 1


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
        assert (found.status, found.redirects, found.unfollowed) == (200, ("/x?a=1",), None)
        assert reader.budget.used == len(asked) == 2
        found = await reader.get(Query("/x/"), follow=False)
        assert (found.status, found.redirects, found.unfollowed) == (301, (), "same host")


async def test_a_redirect_away_is_never_followed() -> None:
    async with reading(lambda _: httpx.Response(302, headers={"location": "https://elsewhere.example.com/"})) as (
        reader,
        asked,
    ):
        found = await reader.get(Query("/x/"))
    assert (found.unfollowed, len(asked)) == ("another host", 1)


async def test_a_circle_of_redirects_ends() -> None:
    async with reading(lambda _: httpx.Response(307, headers={"location": "/x/"})) as (reader, asked):
        found = await reader.get(Query("/x/"))
    assert (found.unfollowed, len(asked)) == ("same host", 1 + transport_module.MAX_REDIRECTS)


async def test_a_pause_that_liner_asked_of_anybody_holds_for_raw_answers_too() -> None:
    async with reading(lambda _: httpx.Response(429, headers={"Retry-After": "40"})) as (reader, asked):
        assert (await reader.get(Query("/x/"))).status == 429
        with pytest.raises(RateLimited, check=error_says("the_pause_is_not_over")):
            await reader.get(Query("/y/"))
    assert len(asked) == 1


async def test_a_429_that_a_raw_answer_met_pauses_everyone() -> None:
    asked: list[str] = []

    def refusing(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(429, headers={"Retry-After": "40"})

    async with connected(httpx.MockTransport(refusing)) as (client, connection):
        await client.get(Query("/x/"))
        with pytest.raises(RateLimited, check=error_says("the_pause_is_not_over")), anyio.fail_after(20):
            await connection.get(Query("/y/"))
    assert asked == ["/x/"]


async def test_who_waits_for_a_raw_answers_turn_obeys_the_pause_that_the_first_one_met() -> None:
    for retry_after, outcomes in (("0.1", [429, 200]), ("40", [429, RateLimited])):
        app = ScriptedLiner(429, retry_after=retry_after)
        async with connected(httpx.ASGITransport(app=app), concurrency=1) as (client, _):
            answers = await both(client)
        assert [getattr(answer, "status", type(answer)) for answer in answers] == outcomes
        assert len(app.arrivals) == outcomes.count(429) + outcomes.count(200)


async def test_who_reads_a_raw_answer_while_the_connection_is_closed_is_told() -> None:
    app = BlockedLiner()
    async with connected(httpx.ASGITransport(app=app), concurrency=1) as (client, connection):
        told: list[Any] = []

        async def read_both() -> None:
            told.extend(await both(client))

        async with anyio.create_task_group() as group:
            group.start_soon(read_both)
            await anyio.wait_all_tasks_blocked()
            await connection.aclose()
    assert [type(error) for error in told] == [ConnectionClosed, ConnectionClosed]
    assert {str(error) for error in told} == {recorded("the_connection_to_liner_was_closed")}
    assert app.asked == 1


async def test_a_request_beyond_the_allowance_is_never_sent() -> None:
    async with reading(lambda _: httpx.Response(307, headers={"location": "/x/"}), most=2) as (reader, asked):
        with pytest.raises(RequestError, check=error_says("the_2_requests_that_were_allowed")):
            await reader.get(Query("/x/"))
        with pytest.raises(RequestError):
            await reader.get(Query("/x/"))
    assert len(asked) == reader.budget.used == 2


async def test_a_body_beyond_the_cap_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "MAX_BODY_BYTES", 10)
    async with reading(lambda _: httpx.Response(200, content=b"x" * 11)) as (reader, _):
        with pytest.raises(InvalidResponse):
            await reader.get(Query("/x/"))


async def test_an_answer_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_client, "REQUEST_TIMEOUT_SECONDS", 0.05)

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await anyio.Event().wait()
            return httpx.Response(200, request=request)

    async with connected(Silent()) as (client, _):
        with pytest.raises(Unreachable):
            await client.get(Query("/x/"))
