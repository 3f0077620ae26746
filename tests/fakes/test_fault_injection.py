"""Each fault does what its name says, where and as often as it was told, and nothing else."""

from __future__ import annotations

import json
import math
import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, get_args

import anyio
import httpx
import pytest

from liner_mcp.demo import DemoLiner
from tests.demo.support import data_of, default_dataset, get, read_whole_list
from tests.fakes import FAULTS, Every, FakeLiner, Fault, First, Share
from tests.fakes.faults import (
    Bomb,
    FaultKind,
    Grows,
    Huge,
    Ignores,
    Latency,
    Redirect,
    Refused,
    Repeats,
    Shrinks,
    Slow,
    Status,
    Total,
    occurs,
)
from tests.support.asgi_server import serve_app
from tests.support.streaming_transport import StreamingTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fakes.faults import Frequency

pytestmark = pytest.mark.anyio

ORDERS = "/v2/order/"
CALLS = "/v2/call/?orderIds[]=201&orderIds[]=202&createdAt[0]=2026-11-10T00:00:00Z&createdAt[1]=2026-11-20T00:00:00Z"


ALWAYS = Every()


def faulty(what: FaultKind, where: str = "", often: Frequency = ALWAYS) -> FakeLiner:
    return FakeLiner(default_dataset(), faults=[Fault(what, where, often)])


def named(name: str) -> FakeLiner:
    return faulty(FAULTS[name])


async def streamed(demo: DemoLiner, target: str = ORDERS) -> Sequence[bytes]:
    """The pieces of a body, as they were sent and not unpacked."""
    client = httpx.AsyncClient(
        transport=StreamingTransport(demo), base_url="http://127.0.0.1", headers={"X-Api-Key": "demo"}
    )
    async with client, client.stream("GET", target) as response:
        return [piece async for piece in response.aiter_raw()]


def test_every_kind_has_a_name() -> None:
    assert {type(what) for what in FAULTS.values()} == set(get_args(FaultKind))


@pytest.mark.parametrize(
    ("often", "active"),
    [
        (Every(), [1, 2, 3, 4, 5, 6]),
        (Every(3), [3, 6]),
        (First(2), [1, 2]),
        (Share(1.0), [1, 2, 3, 4, 5, 6]),
        (Share(0.0), []),
    ],
)
def test_how_often_a_fault_strikes(often: Frequency, active: list[int]) -> None:
    assert [number for number in range(1, 7) if occurs(often, number)] == active


def test_a_share_is_about_that_share_and_the_same_for_one_seed() -> None:
    def active(seed: int) -> list[int]:
        return [number for number in range(1, 10_001) if occurs(Share(0.1, seed), number)]

    assert 900 < len(active(1)) < 1_100
    assert active(1) == active(1)
    assert active(1) != active(2)


async def test_a_fault_strikes_only_where_its_pattern_is_found_and_counts_only_there() -> None:
    demo = faulty(Status(500), where=r"^/v2/order/\?limit=2$", often=First(1))
    assert (await get(demo, ORDERS)).status_code == 200
    assert (await get(demo, "/v2/order/?limit=2")).status_code == 500
    assert (await get(demo, "/v2/order/?limit=2")).status_code == 200


async def test_faults_may_be_changed_between_two_requests_and_then_count_anew() -> None:
    demo = faulty(Status(500), often=First(1))
    assert (await get(demo, ORDERS)).status_code == 500
    assert (await get(demo, ORDERS)).status_code == 200
    demo.faults = [Fault(Status(503), frequency=First(1))]
    assert (await get(demo, ORDERS)).status_code == 503
    demo.faults = []
    assert (await get(demo, ORDERS)).status_code == 200


async def test_several_faults_strike_one_answer_in_order() -> None:
    demo = FakeLiner(
        default_dataset(), faults=[Fault(Total(2.0)), Fault(Slow(0.0)), Fault(Refused("нет"), pattern="/v2/user")]
    )
    assert json.loads(b"".join(await streamed(demo)))["data"]["total"] == 12
    assert (await get(demo, "/v2/user/list/")).json()["message"] == "нет"


@pytest.mark.virtual_time
async def test_a_late_answer_waits_and_an_infinitely_late_one_never_comes() -> None:
    assert FAULTS["a late answer"] == Latency(0.02)
    demo = named("no answer at all")
    with anyio.move_on_after(0.05) as scope:
        await get(demo, ORDERS)
    assert scope.cancelled_caught
    assert demo.requests == [ORDERS]


@pytest.mark.parametrize(
    ("name", "status", "retry_after"),
    [
        ("429, wait some seconds", 429, "1"),
        ("429, no word on waiting", 429, None),
        ("429, nonsense on waiting", 429, "soon, perhaps"),
        ("500", 500, None),
        ("502", 502, None),
        ("503", 503, None),
        ("503, wait an hour", 503, "3600"),
    ],
)
async def test_a_failure_has_its_status_and_says_how_long_to_wait(
    name: str, status: int, retry_after: str | None
) -> None:
    response = await get(named(name), ORDERS)
    assert (response.status_code, response.headers.get("retry-after")) == (status, retry_after)
    assert response.json()["success"] is False


@pytest.mark.parametrize(("name", "hours"), [("429, wait an hour", 1), ("429, wait until an hour ago", -1)])
async def test_a_date_to_wait_for_is_an_http_date(name: str, hours: int) -> None:
    told = (await get(named(name), ORDERS)).headers["retry-after"]
    assert told.endswith(" GMT")
    off = parsedate_to_datetime(told) - (datetime.now(UTC) + timedelta(hours=hours))
    assert abs(off) < timedelta(seconds=10)


@pytest.mark.parametrize(("name", "status"), [("502 with a web page", 502), ("200 with a login page", 200)])
async def test_a_web_page_comes_instead_of_json(name: str, status: int) -> None:
    response = await get(named(name), ORDERS)
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    assert "<html" in response.text


async def test_a_refusal_may_come_with_status_200_and_in_russian() -> None:
    response = await get(named("200 with a refusal"), ORDERS)
    assert (response.status_code, response.json()["success"]) == (200, False)
    assert response.json()["message"].startswith("Превышен")


async def test_204_has_no_body() -> None:
    response = await get(named("204"), ORDERS)
    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize("name", ["truncated JSON", "the wrong charset"])
async def test_a_altered_json_is_not_json(name: str) -> None:
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|codec"):
        json.loads((await get(named(name), ORDERS)).content)


@pytest.mark.parametrize(("name", "value"), [("JSON that is a list", []), ("JSON that is a number", 42)])
async def test_json_may_be_no_envelope(name: str, value: Any) -> None:
    assert json.loads((await get(named(name), ORDERS)).content) == value


async def test_a_number_may_be_none_and_json_too_deep() -> None:
    first = json.loads((await get(named("JSON with NaN"), ORDERS)).content)["data"]["list"][0]
    assert math.isnan(first["id"])
    with pytest.raises(RecursionError):
        json.loads((await get(named("JSON nested too deep"), ORDERS)).content)


@pytest.mark.parametrize("what", [Slow(0.0), Slow(0.0, ends=False)])
async def test_a_slow_body_drips_and_may_never_end(what: Slow) -> None:
    whole = (await get(FakeLiner(default_dataset()), ORDERS)).content
    pieces: list[bytes] = []
    client = httpx.AsyncClient(
        transport=StreamingTransport(faulty(what)), base_url="http://127.0.0.1", headers={"X-Api-Key": "demo"}
    )
    async with client, client.stream("GET", ORDERS) as response:
        async for piece in response.aiter_raw():
            pieces.append(piece)
            if len(pieces) == 50:
                break
    assert len(pieces) == (8 if what.ends else 50)
    assert b"".join(pieces).rstrip() == whole


async def test_a_huge_body_is_huge_and_costs_the_demo_nothing() -> None:
    demo = faulty(Huge(20))
    received = 0
    tracemalloc.start()
    try:
        client = httpx.AsyncClient(
            transport=StreamingTransport(demo), base_url="http://127.0.0.1", headers={"X-Api-Key": "demo"}
        )
        async with client, client.stream("GET", ORDERS) as response:
            async for piece in response.aiter_raw():
                received += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert received > 20_000_000
    assert peak < 5_000_000


@pytest.mark.parametrize("layers", [1, 2])
async def test_a_bomb_is_small_and_unpacks_to_much(layers: int) -> None:
    response_body = b"".join(await streamed(faulty(Bomb(3, layers))))
    assert len(response_body) < 10_000
    for _ in range(layers):
        response_body = zlib.decompress(response_body, wbits=31)
    assert len(response_body) == 3_000_000


async def test_redirects_lead_elsewhere_or_round_in_a_circle() -> None:
    elsewhere = await get(faulty(Redirect("https://elsewhere.invalid/")), ORDERS)
    assert (elsewhere.status_code, elsewhere.headers["location"]) == (302, "https://elsewhere.invalid/")
    loop = await get(faulty(Redirect()), f"{ORDERS}?limit=2")
    assert (loop.status_code, loop.headers["location"]) == (302, f"{ORDERS}?limit=2")


async def test_a_reset_breaks_off_in_the_middle_of_the_body() -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await streamed(named("a reset connection"))


async def test_a_reset_cuts_a_real_connection() -> None:
    with serve_app(named("a reset connection")) as origin:
        async with httpx.AsyncClient(base_url=origin, headers={"X-Api-Key": "demo"}) as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(ORDERS)


async def pages_of(what: FaultKind) -> list[Any]:
    demo = faulty(what)
    return [await data_of(demo, f"{CALLS}&offset={offset}&limit=100") for offset in (0, 100, 200)]


async def true_calls() -> list[int]:
    return [item["id"] for item in await read_whole_list(DemoLiner(default_dataset()), CALLS)]


def ids(page: Any) -> list[int]:
    return [item["id"] for item in page["list"]]


async def test_a_list_may_grow_while_it_is_read() -> None:
    truth = await true_calls()
    first, second, third = await pages_of(Grows(1))
    assert (first["total"], second["total"]) == (len(truth) - 1, len(truth))
    assert ids(first) == truth[1:101]
    assert [ids(second), ids(third)] == [truth[100:200], truth[200:300]]


async def test_a_list_may_shrink_while_it_is_read() -> None:
    truth = await true_calls()
    first, second, _ = await pages_of(Shrinks(1))
    assert (first["total"], second["total"]) == (len(truth), len(truth) - 1)
    assert ids(second) == truth[101:201]


async def test_rows_may_repeat_on_the_next_page() -> None:
    truth = await true_calls()
    first, second, _ = await pages_of(Repeats())
    assert ids(first) == truth[:100]
    assert ids(second) == [truth[99], *truth[101:200]]


@pytest.mark.parametrize(("times", "told"), [(2.0, 12), (0.5, 3), (None, None)])
async def test_a_total_may_lie_or_be_missing(times: float | None, told: int | None) -> None:
    page = await data_of(faulty(Total(times)), f"{ORDERS}?limit=2")
    assert page.get("total") == told
    assert page["next"] == 2


async def test_filters_may_be_ignored_though_they_are_still_demanded() -> None:
    truth = len(default_dataset().calls)
    demo = faulty(Ignores(("orderIds", "createdAt")))
    assert (await data_of(demo, CALLS))["total"] == truth
    assert (await get(demo, "/v2/call/")).status_code == 422
    assert (await data_of(faulty(Ignores(("callId",))), "/v2/call-record/?callId=7000001"))["total"] == len(
        default_dataset().records
    )


async def test_limit_and_offset_may_be_ignored() -> None:
    assert len((await data_of(faulty(Ignores(("limit",))), f"{CALLS}&limit=100"))["list"]) == 50
    demo = faulty(Ignores(("offset",)))
    assert await data_of(demo, f"{CALLS}&offset=100") == await data_of(demo, CALLS)
