"""What the fake Liner adds to the demo Liner: a record of its requests, and other readings of the documentation."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from liner_mcp.demo import DemoLiner
from tests.demo.support import client_of, data_of, default_dataset, get
from tests.fakes import FakeLiner, Fault, LastPage
from tests.fakes.faults import Grows

pytestmark = pytest.mark.anyio

CALLS = "/v2/call/?orderIds[]=201"
AT_A_CALL = default_dataset().calls_of_order(201)[5].created_at.strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_every_target_is_remembered_as_it_was_written() -> None:
    fake = FakeLiner(default_dataset())
    await get(fake, "/v2/call/?orderIds%5B%5D=201&limit=1")
    await get(fake, "/v2/nowhere")
    await get(fake, "/audio/1.mp3")
    assert fake.requests == ["/v2/call/?orderIds%5B%5D=201&limit=1", "/v2/nowhere", "/audio/1.mp3"]


async def test_it_counts_how_many_are_served_at_once() -> None:
    fake = FakeLiner(default_dataset())
    async with client_of(fake) as client:
        await client.get("/v2/order/")
        assert fake.peak_in_flight == 1
        await asyncio.gather(*(client.get("/v2/order/") for _ in range(5)))
        assert fake.peak_in_flight == 5


@pytest.mark.parametrize(
    "target", ["/v2/order/?limit=2", "/v2/call-status/", "/v2/call/detail/7000001", f"{CALLS}&limit=3&offset=4"]
)
async def test_without_options_it_answers_byte_for_byte_as_the_demo(target: str) -> None:
    one, other = await get(FakeLiner(default_dataset()), target), await get(DemoLiner(default_dataset()), target)
    assert (one.content, one.headers) == (other.content, other.headers)


async def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(TypeError, match="last_pages"):
        FakeLiner(last_pages="zero")


@pytest.mark.parametrize(
    ("last_page", "expected"),
    [
        ("null", {"next": None}),
        ("absent", {}),
        ("zero", {"next": 0}),
        ("repeated", {"next": 4}),
        ("past_end", {"next": 6}),
    ],
)
async def test_the_last_page_looks_as_chosen(last_page: LastPage, expected: dict[str, int | None]) -> None:
    fake = FakeLiner(default_dataset(), last_page=last_page)
    first = await data_of(fake, "/v2/order/?offset=0&limit=2")
    last = await data_of(fake, "/v2/order/?offset=4&limit=2")
    assert (first["next"], first["total"]) == (2, 6)
    assert {key: value for key, value in last.items() if key == "next"} == expected
    assert (len(last["list"]), last["total"]) == (2, 6)


async def test_a_list_that_changes_ends_as_the_variant_says() -> None:
    fake = FakeLiner(default_dataset(), last_page="repeated", faults=[Fault(Grows(1))])
    page = await data_of(fake, "/v2/order/?offset=2&limit=3")
    assert (page["next"], page["total"]) == (2, 5)


@pytest.mark.parametrize("version", ["full", "short"])
async def test_the_record_list_comes_in_both_published_versions_and_the_detail_is_always_full(version: Any) -> None:
    fake = FakeLiner(default_dataset(), record_list=version)
    record = next(iter(default_dataset().records.values()))
    listed = await data_of(fake, f"/v2/call-record/?callId={record.call_id}")
    short = ["id", "isTransfer", "durationSeconds", "fileUrl", "createdAt"]
    full = ["id", "userId", "leadId", "isTransfer", "durationSeconds", "fileUrl", "recordSummary", "createdAt"]
    assert list(listed["list"][0]) == (short if version == "short" else full)
    assert list(await data_of(fake, f"/v2/call-record/detail/{record.id}/")) == full


@pytest.mark.parametrize(
    ("paths", "singular", "plural"), [("singular", 200, 404), ("plural", 404, 200), ("both", 200, 200)]
)
@pytest.mark.parametrize("name", ["call-status", "lead-status"])
async def test_dictionaries_answer_at_the_chosen_spelling(name: str, paths: Any, singular: int, plural: int) -> None:
    fake = FakeLiner(default_dataset(), dictionary_paths=paths)
    assert (await get(fake, f"/v2/{name}/")).status_code == singular
    assert (await get(fake, f"/v2/{name}es/")).status_code == plural


@pytest.mark.parametrize(
    ("variant", "target", "status"),
    [
        ({"slashes": "redirect"}, "/v2/order/?limit=2", 301),
        ({"slashes": "redirect"}, "/v2/order?limit=2", 200),
        ({"slashes": "without"}, "/v2/order/", 404),
        ({"slashes": "without"}, "/v2/order", 200),
        ({"over_limit": "refused"}, "/v2/order/?limit=101", 422),
        ({"over_limit": "refused"}, "/v2/order/?limit=100", 200),
        ({"call_ids": "required"}, "/v2/call-record/", 422),
        ({"call_ids": "required"}, "/v2/call-record/?callId=7000001", 200),
        ({"call_filter": "optional"}, "/v2/call/", 200),
        ({"call_filter": "required"}, "/v2/call/", 422),
        ({"longest_window": timedelta(days=1)}, f"{CALLS}&createdAt[0]=2026-11-01T00:00:00Z", 200),
        (
            {"longest_window": timedelta(days=1)},
            f"{CALLS}&createdAt[0]=2026-11-01T00:00:00Z&createdAt[1]=2026-11-03T00:00:00Z",
            422,
        ),
        ({"unknown_id": "not_found"}, "/v2/call/detail/999/", 404),
        ({"unknown_id": "refused"}, "/v2/call/detail/999/", 200),
        ({"unknown_id": "null"}, "/v2/call/detail/999/", 200),
    ],
)
async def test_a_variant_refuses_what_another_answers(variant: dict[str, Any], target: str, status: int) -> None:
    fake = FakeLiner(default_dataset(), **variant)
    assert (await get(fake, target)).status_code == status
    async with client_of(fake, "wrong") as client:
        assert (await client.get(target)).status_code == 401


async def test_a_redirect_leads_to_the_path_without_the_slash() -> None:
    response = await get(FakeLiner(default_dataset(), slashes="redirect"), "/v2/order/?limit=2")
    assert response.headers["location"] == "/v2/order?limit=2"


@pytest.mark.parametrize("limit", [100, 101, 250])
async def test_a_large_page_is_given_whole_where_the_limit_is_honoured(limit: int) -> None:
    fake = FakeLiner(default_dataset(), over_limit="honoured")
    page = await data_of(fake, f"{CALLS}&limit={limit}&offset=10")
    assert (len({row["id"] for row in page["list"]}), page["next"]) == (limit, 10 + limit)
    everything = await data_of(fake, f"{CALLS}&limit=100000")
    assert (len(everything["list"]), everything["next"]) == (everything["total"], None)


@pytest.mark.parametrize(
    ("ends", "found_at_start", "found_at_end"),
    [("inside", True, True), ("start_outside", False, True), ("end_outside", True, False)],
)
async def test_a_call_at_an_end_of_the_window_is_inside_or_outside(
    ends: Any, found_at_start: bool, found_at_end: bool
) -> None:
    fake = FakeLiner(default_dataset(), window_ends=ends)
    for bound, found in ((0, found_at_start), (1, found_at_end)):
        page = await data_of(fake, f"{CALLS}&createdAt[{bound}]={AT_A_CALL}&limit=1")
        inside = await data_of(FakeLiner(default_dataset()), f"{CALLS}&createdAt[{bound}]={AT_A_CALL}&limit=1")
        assert (page["total"] == inside["total"]) is found


async def test_what_rows_and_lists_hold_depends_on_the_variant() -> None:
    dataset = default_dataset()
    text = await data_of(FakeLiner(dataset, numbers="text"), "/v2/call/detail/7000001/")
    assert (text["id"], text["hasRecords"]) == ("7000001", dataset.calls[7000001].has_records)
    assert "total" not in await data_of(FakeLiner(dataset, totals=False), "/v2/order/")
    assert len(await data_of(FakeLiner(dataset, archived="listed"), "/v1/order/list/")) == len(dataset.orders) - 1
    ignoring = FakeLiner(dataset, amd="ignored")
    assert (await data_of(ignoring, "/v2/call-record/?isAmd=1"))["total"] == len(dataset.records)
    assert (await data_of(FakeLiner(dataset, unknown_id="null"), "/v2/call/detail/999/")) is None
