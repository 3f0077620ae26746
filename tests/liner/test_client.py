"""The client against a Liner that behaves (the fake one) and against others that do not (mocks, sockets)."""

from __future__ import annotations

import asyncio
import gzip
import inspect
import json
import logging
import socket
import ssl
import threading
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel
import httpx
import pytest
import respx
from anyio.streams.tls import TLSListener, TLSStream
from pydantic import SecretStr

from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.errors import (
    AccessRefused,
    DeadlineExceeded,
    InvalidResponse,
    LinerMcpError,
    LinerRejected,
    LinerUnavailable,
    NotFound,
    RateLimited,
    SettingsError,
    Unreachable,
    WrongAddress,
)
from liner_mcp.liner import decoding
from liner_mcp.liner import transport as transport_module
from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.decompression import BodyDecoder
from liner_mcp.liner.endpoints import CallFilter
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.transport import Transport
from tests.conftest import NOW
from tests.fakes import DictionaryPaths, FakeLiner, LastPage
from tests.support.certificates import self_signed
from tests.support.sentences import assert_says, recorded

pytestmark = pytest.mark.anyio

ORIGIN = "https://liner.example"
TOKEN = "s3cret-t0ken-41d9"
CALL = f"{ORIGIN}/v2/call/detail/7/"
LAST_PAGES: tuple[LastPage, ...] = ("null", "absent", "zero", "repeated", "past_end")


def no_jitter(_ceiling: float) -> float:
    return 0.0


def an_hour(_ceiling: float) -> float:
    return 3600.0


def client_at(origin: str = ORIGIN, **options: Any) -> LinerClient:
    """A client that never waits on its own account."""
    fields: dict[str, Any] = {"requests_per_second": 0, "jitter": no_jitter, **options}
    return LinerClient(Transport(origin, SecretStr(fields.pop("token", TOKEN)), **fields))


def client_of(app: Any, **options: Any) -> LinerClient:
    """A client of an ASGI application, by default with the token of the fake Liner."""
    return client_at("http://127.0.0.1", transport=httpx.ASGITransport(app=app), **{"token": "demo", **options})


def envelope(data: object) -> dict[str, object]:
    return {"success": True, "message": "", "data": data}


def ok(data: object) -> httpx.Response:
    return httpx.Response(200, json=envelope(data))


def page(ids: range, total: int | None, following: int | None) -> httpx.Response:
    return ok({"list": [{"id": one} for one in ids], "next": following, "total": total})


async def error_of(awaitable: Awaitable[object]) -> LinerMcpError:
    with pytest.raises(LinerMcpError) as caught:
        await awaitable
    return caught.value


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    """The whole internet: what is not routed cannot be asked, what is routed must be."""
    with respx.mock() as router:
        yield router


@pytest.fixture
def own_dataset() -> Dataset:
    """A small dataset that a test may change."""
    return Dataset.generate(now=NOW, days=10, calls=300)


# A socket, for what only a real connection shows -----------------------------------------------------------------


@dataclass
class ReceivedHeads:
    """What reached the socket: the head of each request."""

    origin: str = ""
    heads: list[str] = field(default_factory=list[str])


@asynccontextmanager
async def raw_socket_server(*answers: bytes, first_heard: anyio.Event | None = None) -> AsyncGenerator[ReceivedHeads]:
    """Answer one request per connection, each with the next of `answers`; the last one stands for all that follow.

    An empty answer means silence: the connection stays open until the client gives it up.
    """
    heard = ReceivedHeads()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heard.heads.append(head.decode("latin-1"))
        if first_heard is not None:
            first_heard.set()
        answer = answers[min(len(heard.heads), len(answers)) - 1]
        if answer:
            writer.write(answer)
        else:
            await reader.read()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    heard.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield heard


def raw(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", "Connection: close"]
    return "\r\n".join([*head, *headers, "", ""]).encode() + body


ONE_CALL = json.dumps(envelope({"id": 7})).encode()


# The token and the request ---------------------------------------------------------------------------------------


async def test_a_request_is_a_get_with_the_token_in_one_header_and_nowhere_else() -> None:
    async with raw_socket_server(raw(ONE_CALL)) as heard, client_at(heard.origin) as client:
        assert (await client.call(7)).id == 7
    request_line, *headers = heard.heads[0].split("\r\n")
    assert request_line == "GET /v2/call/detail/7/ HTTP/1.1"
    assert [line.lower() for line in headers if TOKEN in line] == [f"x-api-key: {TOKEN}"]
    sent = dict(line.lower().split(": ", 1) for line in headers if line)
    assert sent["accept"] == sent["content-type"] == "application/json"
    assert sent["user-agent"].startswith("liner-mcp/")


async def test_no_log_at_any_level_shows_the_token(caplog: pytest.LogCaptureFixture) -> None:
    for name in (None, "httpx", "httpcore", "stamina"):  # a server made before has made them quiet
        caplog.set_level(logging.DEBUG, logger=name)
    answers = (raw(b"", status="503 Busy"), raw(b"", status="301 Moved", length=0), raw(ONE_CALL))
    moved = answers[1].replace(b"\r\n\r\n", b"\r\nLocation: /v2/call/detail/7\r\n\r\n")
    async with raw_socket_server(answers[0], moved, answers[2]) as heard, client_at(heard.origin) as client:
        await client.call(7)
    assert len(heard.heads) == 3
    assert {"httpx", "httpcore.http11", "stamina"} <= {record.name for record in caplog.records}
    assert TOKEN not in caplog.text
    assert not [record for record in caplog.records if TOKEN in repr(vars(record))]


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401, json={"success": False, "message": "Bad key"}),
        httpx.Response(403),
        httpx.Response(404),
        httpx.Response(422, json={"success": False, "message": "Bad id"}),
        httpx.Response(429),
        httpx.Response(500),
        httpx.Response(200, text="<html>"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
    ],
    ids=lambda answer: getattr(answer, "status_code", None) or type(answer).__name__,
)
async def test_no_error_shows_the_token_or_the_address(router: respx.MockRouter, answer: Any) -> None:
    router.get(CALL).mock(side_effect=[answer] * 4)
    async with client_at() as client:
        error = await error_of(client.call(7))
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert TOKEN not in shown
    assert "liner.example" not in str(error)
    assert str(error).endswith(".")


async def test_a_refusal_that_quotes_the_token_is_told_without_its_words(router: respx.MockRouter) -> None:
    body = {"success": False, "message": f"token {TOKEN} has no right to this", "data": None}
    router.get("/v2/call/detail/1/").respond(422, json=body)
    async with client_at() as client:
        with pytest.raises(LinerRejected) as caught:
            await client.call(1)
    assert str(caught.value) == recorded("liner_refused_the_request_http_422")


async def test_a_client_shows_its_address_and_not_its_token() -> None:
    assert repr(client_at()) == "LinerClient('https://liner.example')"


async def test_every_read_is_a_get_with_the_token(liner: DemoLiner) -> None:
    seen: list[tuple[str, bytes | None]] = []

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["method"], dict(scope["headers"]).get(b"x-api-key")))
        await liner(scope, receive, send)

    call, record = next(iter(liner.dataset.calls)), next(iter(liner.dataset.records))
    window = CallFilter(NOW - timedelta(days=1), NOW, order_ids=(liner.dataset.orders[0].id,))
    async with client_of(watched) as client:
        reads: dict[str, Callable[[], Awaitable[object]]] = {
            "health": client.health,
            "call": partial(client.call, call),
            "calls": partial(client.calls, window),
            "calls_page": partial(client.calls_page, window),
            "call_record": partial(client.call_record, record),
            "call_records": partial(client.call_records, call),
            "orders": client.orders,
            "users": client.users,
            "call_statuses": client.call_statuses,
            "lead_statuses": client.lead_statuses,
            "agent_groups": client.agent_groups,
            "lead": partial(client.lead, next(iter(liner.dataset.leads))),
        }
        for read in reads.values():
            await read()
    public = {name for name, _ in inspect.getmembers(LinerClient, inspect.isfunction) if name[0] != "_"}
    assert public - {"open", "aclose"} == set(reads)
    assert set(seen) == {("GET", b"demo")}


# What the fake Liner tells -------------------------------------------------------------------------------


async def test_services_are_told_by_name(liner: DemoLiner) -> None:
    async with client_of(liner) as client:
        services = await client.health()
    assert services["linerMonolithPhpGateway"].success is True


async def test_a_cookie_is_not_kept_and_not_sent(router: respx.MockRouter) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=envelope({"id": 1}), headers={"Set-Cookie": "seen=1; Path=/"})

    router.get(path="/v2/call/detail/1/").mock(side_effect=answer)
    async with client_at("https://liner.example") as client:
        for _ in range(2):
            await client.call(1)
    assert ["cookie" in request.headers for request in seen] == [False, False]


@pytest.mark.parametrize("data", [None, [], "up", 5])
async def test_a_health_check_that_is_not_an_object_is_unreadable(router: respx.MockRouter, data: object) -> None:
    router.get(f"{ORIGIN}/v1/health/check/").mock(ok(data))
    async with client_at() as client:
        assert isinstance(await error_of(client.health()), InvalidResponse)


async def test_names_of_services_are_cleaned_like_any_text(router: respx.MockRouter) -> None:
    body = b'{"success":true,"data":{"linerMicro\\ud83d\\u0000Stt":{"success":1}}}'
    router.get(f"{ORIGIN}/v1/health/check/").mock(httpx.Response(200, content=body))
    async with client_at() as client:
        assert list(await client.health()) == ["linerMicroStt"]


async def test_a_call_and_a_record_are_read_as_the_dataset_has_them(liner: DemoLiner) -> None:
    record = next(record for record in liner.dataset.records.values() if record.user_id is not None)
    call = liner.dataset.calls[record.call_id]
    async with client_of(liner) as client:
        read_call, read_record = await client.call(call.id), await client.call_record(record.id)
    assert (read_call.id, read_call.order_id, read_call.created_at) == (call.id, call.order_id, call.created_at)
    assert (read_record.id, read_record.user_id) == (record.id, record.user_id)
    assert read_record.duration_seconds == record.duration_seconds


async def test_an_unknown_id_is_not_found(liner: DemoLiner) -> None:
    async with client_of(liner) as client:
        assert isinstance(await error_of(client.call(1)), NotFound)
        assert isinstance(await error_of(client.call_record(1)), NotFound)


async def test_a_wrong_token_is_refused_once(liner: FakeLiner) -> None:
    async with client_of(liner, token="wrong") as client:
        assert isinstance(await error_of(client.orders()), AccessRefused)
    assert len(liner.requests) == 1


@pytest.mark.parametrize("last_page", LAST_PAGES)
async def test_every_list_is_whole_however_its_last_page_looks(own_dataset: Dataset, last_page: LastPage) -> None:
    call = next(iter(own_dataset.calls.values()))
    while len(own_dataset.records_of(call.id)) < 250:
        own_dataset.add_record(call.id)
    window = CallFilter(NOW - timedelta(days=365), NOW, order_ids=tuple(order.id for order in own_dataset.orders))
    async with client_of(FakeLiner(own_dataset, last_page=last_page)) as client:
        orders, users, groups = await client.orders(), await client.users(), await client.agent_groups()
        records, calls = await client.call_records(call.id), await client.calls(window)
    assert {order.id for order in orders.items} == {order.id for order in own_dataset.orders}
    assert {user.id for user in users.items} == {user.id for user in own_dataset.users}
    assert {group.id: group.agent_ids for group in groups.items} == {
        group.id: group.agent_ids for group in own_dataset.agent_groups
    }
    assert sorted(record.id for record in records.items) == sorted(one.id for one in own_dataset.records_of(call.id))
    assert sorted(call.id for call in calls.items) == sorted(own_dataset.calls)
    assert all(listing.complete and not listing.changed for listing in (orders, users, groups, records, calls))


async def test_one_page_of_calls_brings_liners_count(liner: DemoLiner) -> None:
    window = CallFilter(NOW - timedelta(days=365), NOW, order_ids=tuple(order.id for order in liner.dataset.orders))
    async with client_of(liner) as client:
        one = await client.calls_page(window, offset=100, limit=10)
    assert (len(one.items), one.next, one.total) == (10, 110, len(liner.dataset.calls))


@pytest.mark.parametrize(("version", "sent"), [("full", True), ("short", False)])
async def test_both_versions_of_the_record_list_are_read_and_told_apart(
    liner: FakeLiner, version: Any, sent: bool
) -> None:
    liner.variant.record_list = version
    call_id = next(iter(liner.dataset.records.values())).call_id
    async with client_of(liner) as client:
        listing = await client.call_records(call_id)
    assert [record.id for record in listing.items]
    assert {record.was_sent("record_summary") for record in listing.items} == {sent}
    assert {record.was_sent("user_id") for record in listing.items} == {sent}


async def test_a_call_without_records_has_an_empty_complete_list(own_dataset: Dataset) -> None:
    call = own_dataset.add_call()
    async with client_of(DemoLiner(own_dataset)) as client:
        listing = await client.call_records(call.id)
    assert (listing.items, listing.complete, listing.total) == ((), True, 0)


@pytest.mark.parametrize(
    ("paths", "first", "later"),
    [
        ("singular", ["/v2/call-status/"], ["/v2/call-status/"]),
        ("both", ["/v2/call-status/"], ["/v2/call-status/"]),
        ("plural", ["/v2/call-status/", "/v2/call-statuses/"], ["/v2/call-statuses/"]),
    ],
)
async def test_statuses_are_found_at_either_address_which_is_then_remembered(
    liner: FakeLiner, paths: DictionaryPaths, first: list[str], later: list[str]
) -> None:
    liner.variant.dictionary_paths = paths
    async with client_of(liner) as client:
        statuses = (await client.call_statuses()).items
        assert liner.requests == first
        assert (await client.call_statuses()).items == statuses
    assert {status.id for status in statuses} == {status.id for status in liner.dataset.call_statuses}
    assert liner.requests == first + later


async def test_each_dictionary_remembers_its_own_address(liner: FakeLiner) -> None:
    liner.variant.dictionary_paths = "plural"
    async with client_of(liner) as client:
        await client.call_statuses()
        statuses = (await client.lead_statuses()).items
    assert {status.id: status.category for status in statuses} == {
        status.id: status.category for status in liner.dataset.lead_statuses
    }
    assert liner.requests[2:] == ["/v2/lead-status/", "/v2/lead-statuses/"]


async def test_a_remembered_address_that_fails_is_told(liner: FakeLiner) -> None:
    liner.variant.dictionary_paths = "plural"
    async with client_of(liner) as client:
        await client.call_statuses()
        liner.variant.dictionary_paths = "singular"
        assert isinstance(await error_of(client.call_statuses()), WrongAddress)


@pytest.mark.parametrize(
    "missing",
    [
        httpx.Response(404, json={"success": False, "message": "Route not found.", "data": None}),
        httpx.Response(404, html="<h1>404 Not Found</h1>"),
        httpx.Response(404),
        httpx.Response(405, json={"success": False, "message": "No."}),
    ],
    ids=["enveloped", "a web page", "empty", "refused"],
)
async def test_a_dictionary_is_found_at_its_second_address_however_the_first_one_is_missing(
    router: respx.MockRouter, missing: httpx.Response
) -> None:
    router.get(f"{ORIGIN}/v2/call-status/").mock(missing)
    router.get(f"{ORIGIN}/v2/call-statuses/").mock(ok([{"id": 1, "title": "A", "code": "a"}]))
    async with client_at() as client:
        assert [status.id for status in (await client.call_statuses()).items] == [1]


async def test_a_lead_is_read_as_the_dataset_has_it(liner: DemoLiner) -> None:
    lead = next(iter(liner.dataset.leads.values()))
    async with client_of(liner) as client:
        read = await client.lead(lead.id)
    assert (read.id, read.order_id, read.created_at) == (lead.id, lead.order_id, lead.created_at)


@pytest.mark.parametrize(("at_most", "asked"), [(99, 1), (4000, 40)])
async def test_a_list_longer_than_wanted_is_left_after_its_first_page(
    liner: FakeLiner, at_most: int, asked: int
) -> None:
    window = CallFilter(NOW - timedelta(days=365), NOW, order_ids=tuple(order.id for order in liner.dataset.orders))
    async with client_of(liner) as client:
        listing = await client.calls(window, at_most=at_most)
    assert len(liner.requests) == asked
    assert listing.complete is (asked == 40)
    assert listing.total == len(liner.dataset.calls) == 4000


async def test_a_singular_address_refused_without_success_leads_to_the_plural_one(router: respx.MockRouter) -> None:
    unknown = httpx.Response(200, json={"success": False, "message": "Unknown route", "data": None})
    router.get(f"{ORIGIN}/v2/call-status/").mock(unknown)
    router.get(f"{ORIGIN}/v2/call-statuses/").mock(ok([{"id": 1, "code": "new"}]))
    async with client_at() as client:
        assert [status.code for status in (await client.call_statuses()).items] == ["new"]


async def test_a_failing_liner_is_not_asked_at_the_other_address(router: respx.MockRouter) -> None:
    router.get(f"{ORIGIN}/v2/call-status/").mock(httpx.Response(500))
    async with client_at() as client:
        assert isinstance(await error_of(client.call_statuses()), LinerUnavailable)


async def test_statuses_in_pages_are_read_to_the_last(router: respx.MockRouter) -> None:
    router.get(f"{ORIGIN}/v2/call-status/", params={"offset": "0"}).mock(page(range(1, 51), 70, 50))
    router.get(f"{ORIGIN}/v2/call-status/", params={"offset": "50"}).mock(page(range(51, 71), 70, None))
    router.get(f"{ORIGIN}/v2/call-status/").mock(page(range(1, 51), 70, 50))
    async with client_at() as client:
        assert [status.id for status in (await client.call_statuses()).items] == list(range(1, 71))


# Lists that move -------------------------------------------------------------------------------------------------


async def test_a_list_with_rows_missing_is_asked_for_the_rest_and_then_given_as_incomplete(
    router: respx.MockRouter,
) -> None:
    route = router.get(f"{ORIGIN}/v2/order/").mock(page(range(1, 6), 9, None))
    async with client_at() as client:
        listing = await client.orders()
    assert route.call_count == 2
    assert ([order.id for order in listing.items], listing.complete, listing.total) == ([1, 2, 3, 4, 5], False, 9)


async def test_a_list_that_settles_is_complete_at_the_second_reading(router: respx.MockRouter) -> None:
    moved = [page(range(1, 101), 150, 100), page(range(71, 121), 150, None)]  # rows moved between its two pages
    settled = [page(range(1, 101), 150, 100), page(range(101, 151), 150, None)]
    router.get(f"{ORIGIN}/v2/order/").mock(side_effect=[*moved, *settled])
    async with client_at() as client:
        listing = await client.orders()
    assert ([order.id for order in listing.items], listing.complete) == (list(range(1, 151)), True)
    assert listing.changed


@pytest.mark.parametrize("size", [99, 100, 150])
@pytest.mark.parametrize(
    "read",
    [
        methodcaller("orders"),
        methodcaller("users"),
        methodcaller("agent_groups"),
        methodcaller("call_records", 1),
        methodcaller("call_statuses"),
        methodcaller("lead_statuses"),
    ],
    ids=["orders", "users", "agent_groups", "call_records", "call_statuses", "lead_statuses"],
)
async def test_a_bare_array_as_long_as_a_page_is_not_taken_for_the_whole_list(
    router: respx.MockRouter, read: Callable[[LinerClient], Awaitable[Any]], size: int
) -> None:
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        offset = int(request.url.params.get("offset", "0"))
        shown = range(1, size + 1)[offset : offset + 100]
        rows: list[dict[str, Any]] = [{"id": one, "agentIds": []} for one in shown]
        return httpx.Response(200, json={"success": True, "message": "", "data": rows})

    router.get(url__startswith=ORIGIN).mock(side_effect=answer)
    async with client_at() as client:
        found = await read(client)
    assert [row.id for row in getattr(found, "items", found)] == list(range(1, size + 1))
    assert getattr(found, "complete", True)
    # A short array may be one of several short pages, but not of a dictionary that is documented as a bare list.
    alone = size == 99 and paths[0] in ("/v2/call-status/", "/v2/lead-status/")
    assert (len(paths) == 1) is alone


async def test_a_failing_page_fails_the_list(router: respx.MockRouter) -> None:
    router.get(f"{ORIGIN}/v2/order/", params={"offset": "100"}).mock(httpx.Response(500))
    router.get(f"{ORIGIN}/v2/order/", params={"offset": "0"}).mock(page(range(1, 101), 150, 100))
    async with client_at() as client:
        assert isinstance(await error_of(client.orders()), LinerUnavailable)


async def test_a_list_that_never_ends_is_cut(router: respx.MockRouter) -> None:
    def endless(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        return page(range(offset + 1, offset + 101), None, offset + 100)

    route = router.get(f"{ORIGIN}/v2/order/").mock(side_effect=endless)
    async with client_at() as client:
        listing = await client.orders()
    assert route.call_count == 1000
    assert (len(listing.items), listing.complete) == (100_000, False)


@pytest.mark.virtual_time
async def test_a_list_cut_by_the_deadline_is_given_as_far_as_it_came() -> None:
    async def half_silent(scope: Any, _receive: Any, send: Any) -> None:
        if b"offset=0&" in scope["query_string"]:
            await httpx_answer(send, page(range(1, 101), 250, 100))
        else:
            await anyio.sleep_forever()

    async with client_of(half_silent) as client:
        with anyio.fail_after(1):  # long enough for a first request on a busy machine
            listing = await client.orders()
    assert (len(listing.items), listing.complete, listing.total) == (100, False, 250)


@pytest.mark.virtual_time
async def test_a_list_of_which_nothing_came_before_the_deadline_is_an_error_and_not_empty() -> None:
    async with client_of(silent) as client:
        with anyio.fail_after(1):  # long enough for a first request on a busy machine
            assert isinstance(await error_of(client.orders()), DeadlineExceeded)


async def httpx_answer(send: Any, response: httpx.Response) -> None:
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.headers.raw})
    await send({"type": "http.response.body", "body": response.content})


async def silent(_scope: Any, _receive: Any, _send: Any) -> None:
    await anyio.sleep_forever()


# Trying again ----------------------------------------------------------------------------------------------------


FAILURES: list[Any] = [
    httpx.Response(500),
    httpx.Response(502, text="<html>Bad gateway</html>"),
    httpx.Response(503, headers={"Retry-After": "0"}),
    httpx.Response(429),
    httpx.Response(429, headers={"Retry-After": "0"}),
    httpx.Response(429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("slow"),
    httpx.ReadTimeout("slow"),
    httpx.ReadError("reset"),
    httpx.WriteError("reset"),
    httpx.ProxyError("proxy"),
    httpx.RemoteProtocolError("disconnected"),
    ssl.SSLError(1, "[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] decryption failed"),
]


def name_of(answer: Any) -> str:
    if not isinstance(answer, httpx.Response):
        return type(answer).__name__
    return f"{answer.status_code}{answer.headers.get('retry-after', '')}"


@pytest.mark.parametrize("failure", FAILURES, ids=name_of)
@pytest.mark.parametrize("times", [1, 3])
async def test_a_passing_failure_is_tried_again_until_it_is_over(
    router: respx.MockRouter, failure: Any, times: int
) -> None:
    route = router.get(CALL).mock(side_effect=[*[failure] * times, ok({"id": 7})])
    async with client_at() as client:
        assert (await client.call(7)).id == 7
    assert route.call_count == times + 1


@pytest.mark.parametrize("failure", FAILURES, ids=name_of)
async def test_the_fourth_failure_is_the_answer(router: respx.MockRouter, failure: Any) -> None:
    route = router.get(CALL).mock(side_effect=[*[httpx.Response(500)] * 3, failure, ok({"id": 7})])
    kinds = {429: RateLimited, 500: LinerUnavailable, 502: LinerUnavailable, 503: LinerUnavailable}
    async with client_at() as client:
        error = await error_of(client.call(7))
    assert type(error) is kinds.get(getattr(failure, "status_code", 0), Unreachable)
    assert route.call_count == 4


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(401), AccessRefused),
        (httpx.Response(403), AccessRefused),
        (httpx.Response(404), WrongAddress),
        (httpx.Response(404, html="<h1>Not Found</h1>"), WrongAddress),
        (httpx.Response(404, json={"success": False, "message": "Call not found.", "data": None}), NotFound),
        (httpx.Response(422, json={"success": False, "message": "no"}), LinerRejected),
        (httpx.Response(200, json={"success": False, "message": "no"}), LinerRejected),
        (httpx.Response(200, text="<html>"), InvalidResponse),
        (httpx.Response(204), InvalidResponse),
        (httpx.Response(200, json=envelope({"title": "no id"})), InvalidResponse),
        (httpx.Response(302), InvalidResponse),
    ],
)
async def test_what_will_not_pass_is_asked_once(
    router: respx.MockRouter, answer: httpx.Response, kind: type[LinerMcpError]
) -> None:
    route = router.get(CALL).mock(side_effect=[answer, ok({"id": 7})])
    async with client_at() as client:
        assert type(await error_of(client.call(7))) is kind
    assert route.call_count == 1


async def test_a_date_to_wait_for_is_read_by_the_clock_of_the_server_that_wrote_it(router: respx.MockRouter) -> None:
    headers = {"Date": "Fri, 20 Nov 2099 15:00:00 GMT", "Retry-After": "Fri, 20 Nov 2099 15:00:00 GMT"}
    route = router.get(CALL).mock(side_effect=[httpx.Response(429, headers=headers), ok({"id": 7})])
    async with client_at() as client:
        with anyio.fail_after(30):
            assert (await client.call(7)).id == 7
    assert route.call_count == 2


@pytest.mark.parametrize("nothing", [None, [], {}], ids=repr)
async def test_success_without_a_detail_is_an_unknown_id(router: respx.MockRouter, nothing: object) -> None:
    router.get(CALL).mock(ok(nothing))
    async with client_at() as client:
        assert type(await error_of(client.call(7))) is NotFound


async def test_a_detail_of_another_id_is_unreadable(router: respx.MockRouter) -> None:
    router.get(url__regex="/detail/").mock(ok({"id": 8}))
    async with client_at() as client:
        for read in (client.call, client.call_record, client.lead):
            assert type(await error_of(read(7))) is InvalidResponse
            assert (await read(8)).id == 8


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("header", ["3600", "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_a_wait_beyond_the_deadline_is_reported_and_not_begun(
    router: respx.MockRouter, status: int, header: str
) -> None:
    route = router.get(CALL).mock(httpx.Response(status, headers={"Retry-After": header}))
    async with client_at() as client:
        with anyio.fail_after(30):
            error = await error_of(client.call(7))
    assert isinstance(error, RateLimited if status == 429 else LinerUnavailable)
    assert isinstance(error, (RateLimited, LinerUnavailable))
    assert error.retry_after is not None
    assert error.retry_after >= 3600
    assert route.call_count == 1


async def test_no_retry_is_begun_that_would_wait_past_the_deadline(router: respx.MockRouter) -> None:
    route = router.get(CALL).mock(httpx.Response(500))
    async with client_at(jitter=an_hour) as client:
        with anyio.fail_after(30):
            assert isinstance(await error_of(client.call(7)), LinerUnavailable)
    assert route.call_count == 1


async def test_an_answer_that_drips_too_slowly_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """No single read times out here: the whole request does."""
    monkeypatch.setattr(transport_module, "REQUEST_TIMEOUT_SECONDS", 0.01)
    async with client_of(silent) as client:
        error = await error_of(client.call(7))
    assert isinstance(error, Unreachable)
    assert_says(str(error), "did_not_answer_within")


@pytest.mark.virtual_time
async def test_the_callers_deadline_is_the_callers() -> None:
    async with client_of(silent) as client:
        with pytest.raises(TimeoutError), anyio.fail_after(0.02):
            await client.call(7)


# The road --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "said", "asked"),
    [
        (socket.gaierror(-2, "Name or service not known"), "cannot_be_found_dns", 4),
        (ConnectionRefusedError(111, "Connection refused"), "refused_or_has_no_route", 4),
        (ssl.SSLCertVerificationError("self-signed certificate"), "no_trusted_tls_certificate", 1),
        (ssl.SSLEOFError(8, "EOF"), "closes_the_connection_before_tls_is", 4),
        (ConnectionResetError(104, "reset"), "closes_the_connection_before_tls_is", 4),
        (ssl.SSLError(1, "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] alert"), "does_not_agree_on_tls", 1),
        (None, "refused_or_has_no_route", 4),
    ],
    ids=["dns", "refused", "certificate", "end", "reset", "tls", "unknown"],
)
async def test_a_failed_connection_says_what_failed_and_which_setting_to_check(
    cause: Exception | None, said: str, asked: int
) -> None:
    tried: list[httpx.Request] = []

    def fail(request: httpx.Request) -> httpx.Response:
        tried.append(request)
        raise httpx.ConnectError("[Errno -2] details of no interest") from cause

    async with client_at(transport=httpx.MockTransport(fail)) as client:
        error = await error_of(client.call(7))
    assert isinstance(error, Unreachable)
    assert_says(str(error), said)
    assert "LINER_API_HOST" in str(error)
    assert "Errno" not in str(error)
    assert len(tried) == asked


async def test_an_answer_that_cannot_be_decrypted_is_a_broken_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*self_signed(tmp_path, "localhost"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))

    async def answer(stream: TLSStream) -> None:
        async with stream:
            await stream.receive()
            await stream.transport_stream.send(b"\x17\x03\x03\x00\x20" + bytes(32))  # a record, of no key
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                await stream.transport_stream.receive()

    told: list[LinerMcpError] = []
    socket = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = socket.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - anyio's attributes, not Django's SQL
    async with TLSListener(socket, context, standard_compatible=False) as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        async with client_at(f"https://localhost:{port}") as client:
            told.append(await error_of(client.call(7)))
        tasks.cancel_scope.cancel()
    assert [type(error) for error in told] == [Unreachable]
    assert_says(str(told[0]), "the_connection_to_liner_broke_before", at_start=True)


async def test_a_closed_port_cannot_be_reached() -> None:
    async with raw_socket_server(b"") as heard:
        pass
    async with client_at(heard.origin) as client:
        error = await error_of(client.call(7))
    assert isinstance(error, Unreachable)
    assert "LINER_API_HOST" in str(error)


async def test_a_body_that_breaks_off_is_tried_again() -> None:
    async with (
        raw_socket_server(raw(ONE_CALL[:9], length=500), raw(ONE_CALL)) as heard,
        client_at(heard.origin) as client,
    ):
        assert (await client.call(7)).id == 7
    assert len(heard.heads) == 2


async def test_a_body_that_always_breaks_off_is_unreachable() -> None:
    async with raw_socket_server(raw(ONE_CALL[:9], length=500)) as heard, client_at(heard.origin) as client:
        assert isinstance(await error_of(client.call(7)), Unreachable)
    assert len(heard.heads) == 4


@pytest.mark.parametrize("status", [200, 500])
async def test_a_body_beyond_the_cap_is_not_read_to_its_end(
    router: respx.MockRouter, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(transport_module, "MAX_BODY_BYTES", 1_000_000)
    given = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal given
        while True:
            given += 1
            yield b" " * 100_000

    route = router.get(CALL).mock(httpx.Response(status, content=endless()))
    async with client_at() as client:
        error = await error_of(client.call(7))
    assert isinstance(error, InvalidResponse)
    assert_says(str(error), "larger_than_1_mb")
    assert given == 11
    assert route.call_count == 1


@pytest.mark.parametrize(("longest", "in_a_thread"), [(500_000, False), (100, True)])
async def test_a_long_body_is_decoded_in_a_thread(
    router: respx.MockRouter, monkeypatch: pytest.MonkeyPatch, longest: int, in_a_thread: bool
) -> None:
    threads: list[int] = []
    decode = decoding.decode

    def recorded_decode(*arguments: Any, **named: Any) -> object:
        threads.append(threading.get_ident())
        return decode(*arguments, **named)

    monkeypatch.setattr(decoding, "MOST_DECODED_AT_ONCE", longest)
    monkeypatch.setattr(decoding, "decode", recorded_decode)
    body = json.dumps({"success": True, "data": {"id": 7, "statusCode": "x" * 200}}).encode()
    router.get(CALL).mock(httpx.Response(200, content=body))
    async with client_at() as client:
        assert (await client.call(7)).id == 7
    assert [one != threading.get_ident() for one in threads] == [in_a_thread]


async def test_a_small_body_that_unpacks_beyond_the_cap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "MAX_BODY_BYTES", 1_000_000)
    packed = raw(gzip.compress(b" " * 2_000_000), "Content-Encoding: gzip")
    async with raw_socket_server(packed) as heard, client_at(heard.origin) as client:
        assert_says(str(await error_of(client.call(7))), "larger_than_1_mb")


async def test_other_tasks_run_while_a_body_is_unpacked() -> None:
    turns = most = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    class RecordedDecoder(BodyDecoder):
        """Records how much is decompressed in one turn."""

        def feed(self, piece: bytes) -> None:
            nonlocal most, unpacked_at, unpacked
            if unpacked_at != turns:
                unpacked_at, unpacked = turns, len(self._body)
            super().feed(piece)
            most = max(most, len(self._body) - unpacked)

    unpacked_at = unpacked = 0
    packed = raw(gzip.compress(ONE_CALL[:-1] + b" " * 15_000_000 + ONE_CALL[-1:]), "Content-Encoding: gzip")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport_module, "BodyDecoder", RecordedDecoder)
        async with (
            raw_socket_server(packed) as heard,
            client_at(heard.origin) as client,
            anyio.create_task_group() as group,
        ):
            group.start_soon(count_turns)
            assert (await client.call(7)).id == 7
            group.cancel_scope.cancel()
    assert most < 5_000_000


@pytest.mark.parametrize("number", ["9" * 4_000, "-" + "9" * 4_000, "1e300", "9" * 16])
async def test_a_number_beyond_all_ids_counts_as_not_sent(router: respx.MockRouter, number: str) -> None:
    body = f'{{"success": true, "data": {{"id": 7, "duration": {number}, "orderId": {number}}}}}'
    router.get(CALL).mock(httpx.Response(200, content=body.encode()))
    async with client_at() as client:
        call = await client.call(7)
    assert call.id == 7
    assert call.order_id is None


@pytest.mark.parametrize("number", ["9" * 4_000, "-" + "9" * 4_000])
async def test_a_count_beyond_all_counts_counts_as_not_sent(router: respx.MockRouter, number: str) -> None:
    page = f'{{"list": [{{"id": 7}}, {{"id": {number}}}], "total": {number}, "next": {number}}}'
    body = f'{{"success": true, "data": {page}}}'
    router.get(path="/v2/order/").mock(httpx.Response(200, content=body.encode()))
    async with client_at() as client:
        listing = await client.orders()
    assert [order.id for order in listing.items] == [7]
    assert not listing.complete


@pytest.mark.parametrize(
    ("body", "readable"), [(gzip.compress(ONE_CALL), True), (ONE_CALL, False)], ids=["packed", "not packed"]
)
async def test_packed_answers_are_unpacked_and_broken_packing_is_told(body: bytes, readable: bool) -> None:
    async with raw_socket_server(raw(body, "Content-Encoding: gzip")) as heard, client_at(heard.origin) as client:
        if readable:
            assert (await client.call(7)).id == 7
        else:
            error = await error_of(client.call(7))
            assert isinstance(error, InvalidResponse)
            assert "compression" in str(error)
    assert len(heard.heads) == 1


async def test_an_address_that_only_the_http_library_refuses_is_the_operators_to_fix() -> None:
    async with client_at("https://☃.example") as client:
        error = await error_of(client.call(7))
    assert isinstance(error, SettingsError)
    assert "LINER_API_HOST" in str(error)


# Redirects -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["/v2/call/detail/7", f"{ORIGIN}/v2/call/detail/7", f"{ORIGIN}:443/v2/call/detail/7"]
)
async def test_a_redirect_on_the_same_host_is_followed_with_the_token(
    router: respx.MockRouter, status: int, location: str
) -> None:
    router.get(CALL).mock(httpx.Response(status, headers={"Location": location}))
    there = router.get(f"{ORIGIN}/v2/call/detail/7").mock(ok({"id": 7}))
    async with client_at() as client:
        assert (await client.call(7)).id == 7
    assert there.calls.last.request.method == "GET"
    assert there.calls.last.request.headers["X-Api-Key"] == TOKEN


async def test_a_redirected_list_keeps_the_question(router: respx.MockRouter) -> None:
    def without_slash(request: httpx.Request) -> httpx.Response:
        return httpx.Response(301, headers={"Location": f"/v2/order?{request.url.query.decode()}"})

    router.get(f"{ORIGIN}/v2/order/").mock(side_effect=without_slash)
    router.get(f"{ORIGIN}/v2/order", params={"offset": "0", "limit": "100"}).mock(page(range(1, 3), 2, None))
    async with client_at() as client:
        assert (await client.orders()).complete


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/v2/call/detail/7/",
        "//evil.example/v2/call/detail/7/",
        "https://liner.example.evil.example/",
        "https://liner.example@evil.example/",
        "http://liner.example:8080/v2/call/detail/7/",
        "https://liner.example:8443/v2/call/detail/7/",
        "https://someone@liner.example/v2/call/detail/7/",
    ],
)
async def test_a_redirect_elsewhere_is_refused_and_the_token_is_not_sent_there(location: str) -> None:
    with respx.mock(assert_all_called=False) as web:
        web.get(CALL).mock(httpx.Response(301, headers={"Location": location}))
        elsewhere = web.route().mock(ok({"id": 7}))
        async with client_at() as client:
            error = await error_of(client.call(7))
    assert isinstance(error, WrongAddress)
    assert_says(str(error), "where_the_token_is_not_sent")
    assert "detail" not in str(error)
    assert not elsewhere.called


@pytest.mark.parametrize(
    "location",
    [
        "https://login.example.com:443:443/",
        "https://login.example.com:port/",
        "http://[::1",
        "javascript:alert(1)",
        "/log\x01in",
        "/" + "a" * 70_000,
    ],
    ids=lambda location: location[:20],
)
async def test_a_redirect_that_cannot_be_parsed_is_told_as_one_and_asked_once(
    router: respx.MockRouter, location: str
) -> None:
    route = router.get(CALL).mock(httpx.Response(302, headers={"Location": location}))
    async with client_at() as client:
        error = await error_of(client.call(7))
    assert isinstance(error, WrongAddress)
    assert_says(str(error), "liner_api_host_redirects_to_something")
    assert route.call_count == 1


@pytest.mark.parametrize("port", ["", ":80", ":443"])
async def test_a_redirect_to_plain_http_on_the_same_host_is_asked_over_https(
    router: respx.MockRouter, port: str
) -> None:
    location = f"{ORIGIN.replace('https', 'http')}{port}/v2/call/detail/7"
    router.get(CALL).mock(httpx.Response(301, headers={"Location": location}))
    there = router.get(f"{ORIGIN}/v2/call/detail/7").mock(ok({"id": 7}))  # a request over plain http has no route here
    async with client_at() as client:
        assert (await client.call(7)).id == 7
    assert there.call_count == 1


async def test_a_redirect_from_https_to_itself_over_plain_http_ends(router: respx.MockRouter) -> None:
    route = router.get(CALL).mock(httpx.Response(301, headers={"Location": CALL.replace("https", "http")}))
    async with client_at() as client:
        assert "circle" in str(await error_of(client.call(7)))
    assert route.call_count == 4


async def test_a_redirect_to_a_login_page_of_the_host_names_the_setting(router: respx.MockRouter) -> None:
    router.get(CALL).mock(httpx.Response(302, headers={"Location": "/login"}))
    router.get(f"{ORIGIN}/login").mock(httpx.Response(200, html="<form>"))
    async with client_at() as client:
        error = await error_of(client.call(7))
    assert isinstance(error, InvalidResponse)
    assert_says(str(error), "a_web_page")
    assert "LINER_API_HOST" in str(error)


async def test_redirects_in_a_circle_end(router: respx.MockRouter) -> None:
    there = router.get(CALL).mock(httpx.Response(301, headers={"Location": "/v2/call/detail/7"}))
    back = router.get(f"{ORIGIN}/v2/call/detail/7").mock(
        httpx.Response(301, headers={"Location": "/v2/call/detail/7/"})
    )
    async with client_at() as client:
        error = await error_of(client.call(7))
    assert isinstance(error, WrongAddress)
    assert "circle" in str(error)
    assert (there.call_count, back.call_count) == (2, 2)


# At once ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_no_more_requests_are_under_way_than_allowed_and_no_fewer(liner: FakeLiner, concurrency: int) -> None:
    call_ids = list(liner.dataset.calls)[:40]
    async with client_of(liner, concurrency=concurrency) as client:
        outcomes = await run_all([partial(client.call, one) for one in call_ids], concurrency=concurrency)
    assert [getattr(outcome, "id", None) for outcome in outcomes] == call_ids
    assert liner.peak_in_flight == concurrency


async def test_pages_of_one_list_are_asked_at_once(liner: FakeLiner) -> None:
    window = CallFilter(NOW - timedelta(days=365), NOW, order_ids=tuple(order.id for order in liner.dataset.orders))
    async with client_of(liner, concurrency=4) as client:
        assert (await client.calls(window)).complete
    assert liner.peak_in_flight == 4
    assert len(liner.requests) == len(set(liner.requests)) == -(-len(liner.dataset.calls) // 100)


async def test_a_closed_client_opens_again(liner: DemoLiner) -> None:
    client = client_of(liner)
    await client.orders()
    await client.aclose()
    await client.aclose()
    assert (await client.orders()).complete
    await client.aclose()


@pytest.mark.parametrize("rate", [0, 0.013, 0.3, 1, 1000])
async def test_the_first_request_of_any_rate_is_made_at_once(liner: DemoLiner, rate: float) -> None:
    """0.013 x (1 / 0.013) is a hair less than one."""
    async with client_of(liner, requests_per_second=rate) as client:
        with anyio.fail_after(5):
            await client.health()


async def test_a_cancelled_request_gives_back_its_slot_and_its_connection() -> None:
    under_way = anyio.Event()
    async with (
        raw_socket_server(b"", raw(ONE_CALL), first_heard=under_way) as heard,
        client_at(heard.origin, concurrency=1) as client,
    ):
        for _ in range(2):
            async with anyio.create_task_group() as group:
                group.start_soon(client.call, 7)
                await under_way.wait()
                group.cancel_scope.cancel()
        assert (await client.call(7)).id == 7
    assert len(heard.heads) >= 2


async def test_opening_makes_no_request_and_loads_what_the_first_one_needs(liner: FakeLiner) -> None:
    async with client_of(liner) as client:
        client.open()
        assert liner.requests == []
        assert (await client.call_statuses()).items[0].id
