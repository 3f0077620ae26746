"""Paging, filters, refusals and shapes, endpoint by endpoint."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from liner_mcp.demo import DemoLiner
from tests.demo.support import NOW, data_of, default_dataset, get, read_whole_list, small_dataset

pytestmark = pytest.mark.anyio

ALL_ORDERS = "&".join(f"orderIds[]={order.id}" for order in default_dataset().orders)


def _z(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _ids(items: list[Any]) -> list[int]:
    return [item["id"] for item in items]


async def test_pages_follow_each_other_without_gap_or_repetition() -> None:
    demo = DemoLiner(default_dataset())
    everything = await read_whole_list(demo, f"/v2/call/?{ALL_ORDERS}")
    assert sorted(_ids(everything)) == sorted(default_dataset().calls)
    beyond = await data_of(demo, f"/v2/call/?{ALL_ORDERS}&offset=9000")
    assert (beyond["list"], beyond["total"]) == ([], 4000)


async def test_a_limit_defaults_to_fifty_and_is_clamped_to_a_hundred() -> None:
    demo = DemoLiner(default_dataset())
    assert len((await data_of(demo, f"/v2/call/?{ALL_ORDERS}"))["list"]) == 50
    clamped = await data_of(demo, f"/v2/call/?{ALL_ORDERS}&limit=500")
    assert (len(clamped["list"]), clamped["next"]) == (100, 100)


@pytest.mark.parametrize("days", [2, 40])
async def test_calls_come_in_no_order_of_time_whether_few_or_many(days: int) -> None:
    since = _z(NOW - timedelta(days=days))
    page = (await data_of(DemoLiner(default_dataset()), f"/v2/call/?{ALL_ORDERS}&createdAt[0]={since}"))["list"]
    moments = [call["createdAt"] for call in page]
    assert moments != sorted(moments)
    assert moments != sorted(moments, reverse=True)


async def test_a_call_has_the_documented_fields() -> None:
    call = default_dataset().calls[7000001]
    data = await data_of(DemoLiner(default_dataset()), "/v2/call/detail/7000001/")
    assert list(data) == [
        "id", "sipEndpointId", "finishInitiator", "direction", "leadId", "userId", "orderId", "statusCode",
        "totalDurationSeconds", "waitTimeDurationSeconds", "talkTimeDurationSeconds", "isPredictive", "clientPhone",
        "hasRecords", "createdAt",
    ]  # fmt: skip
    assert (data["id"], data["userId"], data["createdAt"]) == (call.id, call.user_id, _z(call.created_at))


@pytest.mark.parametrize(
    "spelling",
    ["orderIds[]=201&orderIds[]=204", "orderIds%5B%5D=201&orderIds%5b%5d=204", "orderIds[0]=201&orderIds%5B1%5D=204"],
)
async def test_lists_in_a_query_may_be_written_in_every_way_php_reads(spelling: str) -> None:
    demo, dataset = DemoLiner(default_dataset()), default_dataset()
    calls = await read_whole_list(demo, f"/v2/call/?{spelling}")
    expected = [call.id for order in (201, 204) for call in dataset.calls_of_order(order)]
    assert sorted(_ids(calls)) == sorted(expected)


async def test_both_ends_of_a_window_are_included() -> None:
    demo = DemoLiner(small_dataset())
    calls = demo.dataset.calls_of_order(201)
    first, last = calls[3], calls[9]
    window = f"createdAt[0]={_z(first.created_at)}&createdAt[1]={_z(last.created_at)}"
    found = await read_whole_list(demo, f"/v2/call/?orderIds[]=201&{window}")
    assert sorted(_ids(found)) == [call.id for call in calls[3:10]]
    second = timedelta(seconds=1)
    inner = f"createdAt[0]={_z(first.created_at + second)}&createdAt[1]={_z(last.created_at - second)}"
    assert sorted(_ids(await read_whole_list(demo, f"/v2/call/?orderIds[]=201&{inner}"))) == [c.id for c in calls[4:9]]


async def test_a_window_may_be_given_with_an_escaped_offset_or_one_end_only() -> None:
    demo = DemoLiner(default_dataset())
    utc = await data_of(demo, "/v2/call/?orderIds[]=201&createdAt[0]=2026-11-19T09:00:00Z")
    moscow = await data_of(demo, "/v2/call/?orderIds[]=201&createdAt%5B0%5D=2026-11-19T12:00:00%2B03:00")
    assert utc == moscow
    assert utc["total"] > 0


async def test_calls_are_narrowed_by_agent_status_and_lead_together() -> None:
    demo, dataset = DemoLiner(default_dataset()), default_dataset()
    call_back = next(status.id for status in dataset.call_statuses if status.code == "call_back")
    found = await read_whole_list(demo, f"/v2/call/?{ALL_ORDERS}&userIds[]=101&userIds[]=106&statusIds[]={call_back}")
    assert sorted(_ids(found)) == [
        call.id for call in dataset.calls.values() if call.user_id in {101, 106} and call.status_code == "call_back"
    ]
    lead_id = found[0]["leadId"]
    of_lead = await read_whole_list(demo, f"/v2/call/?leadIds[]={lead_id}")
    assert sorted(_ids(of_lead)) == [call.id for call in dataset.calls.values() if call.lead_id == lead_id]
    other = next(order.id for order in dataset.orders if order.id != found[0]["orderId"])
    assert (await data_of(demo, f"/v2/call/?leadIds[]={lead_id}&orderIds[]={other}"))["total"] == 0


@pytest.mark.parametrize(
    "target",
    [
        "/v2/call/",
        "/v2/call/?createdAt[0]=2026-11-01T00:00:00Z",
        "/v2/call/?orderIds=201",
        "/v2/call/?orderIds[]=0",
        "/v2/call/?orderIds[]=-1",
        "/v2/call/?orderIds[]=first",
        "/v2/call/?orderIds[]=",
        "/v2/call/?orderIds[]=201&limit=many",
        "/v2/call/?orderIds[]=201&limit=0",
        "/v2/call/?orderIds[]=201&limit[]=1",
        "/v2/call/?orderIds[]=201&offset=-1",
        "/v2/call/?orderIds[]=201&offset=1.5",
        "/v2/call/?orderIds[]=201&createdAt=2026-11-01T00:00:00Z",
        "/v2/call/?orderIds[]=201&createdAt[0]=yesterday",
        "/v2/call/?orderIds[]=201&createdAt[0]=2026-11-01",
        "/v2/call/?orderIds[]=201&createdAt[1]=2026-13-01T00:00:00Z",
        "/v2/call/?orderIds[]=201&createdAt[1]=2026-11-01T00:00:00",
        "/v2/call/?orderIds[]=201&createdAt[0]=2026-11-01T00:00:00+03:00",
        "/v2/call/detail/0/",
        "/v2/call/detail/abc/",
        "/v2/call-record/?callId=0",
        "/v2/call-record/?isAmd=true",
        "/v2/user/list/?accessGroup=boss",
        "/v2/user/list/?isActive=yes",
        "/v2/agent-group/?agentId=none",
    ],
)
async def test_bad_parameters_are_refused_with_a_text(target: str) -> None:
    response = await get(DemoLiner(default_dataset()), target)
    assert response.status_code == 422
    assert response.json()["success"] is False
    assert response.json()["data"] is None
    assert response.json()["message"]


async def test_records_are_listed_for_one_call_or_for_all_or_with_a_machine_only() -> None:
    demo, dataset = DemoLiner(default_dataset()), default_dataset()
    transferred = next(record.call_id for record in dataset.records.values() if record.is_transfer)
    of_call = await data_of(demo, f"/v2/call-record/?callId={transferred}")
    assert sorted(_ids(of_call["list"])) == [record.id for record in dataset.records_of(transferred)]
    assert (await data_of(demo, "/v2/call-record/"))["total"] == len(dataset.records)
    machines = await read_whole_list(demo, "/v2/call-record/?isAmd=1")
    assert sorted(_ids(machines)) == [record.id for record in dataset.records.values() if record.is_amd]
    assert machines
    assert (await data_of(demo, "/v2/call-record/?isAmd=0"))["total"] == len(dataset.records)
    assert (await data_of(demo, "/v2/call-record/?callId=1"))["list"] == []


async def test_a_lead_is_read_by_its_id() -> None:
    lead = next(iter(default_dataset().leads.values()))
    data = await data_of(DemoLiner(default_dataset()), f"/v2/lead/detail/{lead.id}/")
    assert (data["id"], data["phone"], data["orderId"]) == (lead.id, lead.phone, lead.order_id)


async def test_the_last_page_names_no_next() -> None:
    demo = DemoLiner(default_dataset())
    first = await data_of(demo, "/v2/order/?offset=0&limit=2")
    last = await data_of(demo, "/v2/order/?offset=4&limit=2")
    assert (first["next"], first["total"]) == (2, 6)
    assert (len(last["list"]), last["next"], last["total"]) == (2, None, 6)


async def test_orders_are_paged_in_the_second_version_and_bare_in_the_first() -> None:
    demo = DemoLiner(default_dataset())
    new, old = await data_of(demo, "/v2/order/"), await data_of(demo, "/v1/order/list/")
    assert sorted(_ids(new["list"])) == sorted(_ids(old)) == [201, 202, 203, 204, 205, 206]
    assert list(old[0]) == ["id", "title", "code", "callsAllowed"]
    assert {"Sunrise Park", "ЖК Северный Берег"} <= {order["title"] for order in new["list"]}


async def test_users_are_filtered_by_access_group_and_activity() -> None:
    demo = DemoLiner(default_dataset())
    assert (await data_of(demo, "/v2/user/list/"))["total"] == 18
    assert (await data_of(demo, "/v2/user/list/?accessGroup=call-center"))["total"] == 13
    assert (await data_of(demo, "/v2/user/list/?accessGroup=call-center-senior"))["total"] == 1
    gone = (await data_of(demo, "/v2/user/list/?isActive=0"))["list"]
    assert len(gone) == 1
    assert await data_of(demo, f"/v2/user/detail/{gone[0]['id']}/") == gone[0]


async def test_agent_groups_are_listed_whole_or_for_one_agent() -> None:
    demo = DemoLiner(default_dataset())
    assert (await data_of(demo, "/v2/agent-group/"))["total"] == 3
    of_agent = (await data_of(demo, "/v2/agent-group/?agentId=106"))["list"]
    assert _ids(of_agent) == [32]
    assert of_agent[0]["names"].keys() == {"ru", "gb"}


async def test_dictionaries_and_health_have_their_documented_shapes() -> None:
    demo = DemoLiner(default_dataset())
    statuses = await data_of(demo, "/v2/call-status/")
    assert len(statuses) == 9
    assert statuses[0].keys() >= {"id", "code", "title", "leadStatusCode", "isSystem"}
    assert (await data_of(demo, "/v2/lead-status/"))[0].keys() >= {"id", "code", "title", "category", "color"}
    health = await data_of(demo, "/v1/health/check/")
    assert all(service["success"] for service in health.values())


async def test_a_list_grows_when_a_call_is_added_between_two_pages() -> None:
    demo = DemoLiner(small_dataset())
    before = await data_of(demo, f"/v2/call/?{ALL_ORDERS}&limit=100")
    call = demo.dataset.add_call(order=demo.dataset.orders[2], agent=demo.dataset.agents[2])
    after = await read_whole_list(demo, f"/v2/call/?{ALL_ORDERS}")
    assert len(after) == before["total"] + 1
    assert [item["userId"] for item in after if item["id"] == call.id] == [demo.dataset.agents[2].id]


async def test_an_added_record_is_listed_and_its_call_says_so() -> None:
    demo = DemoLiner(small_dataset())
    call = demo.dataset.add_call(order=201)
    target = f"/v2/call/?leadIds[]={call.lead_id}"
    assert [each["hasRecords"] for each in (await data_of(demo, target))["list"] if each["id"] == call.id] == [False]
    record = demo.dataset.add_record(call.id, summary="Готов к сделке")
    assert [each["hasRecords"] for each in (await data_of(demo, target))["list"] if each["id"] == call.id] == [True]
    listed = (await data_of(demo, f"/v2/call-record/?callId={call.id}"))["list"]
    assert [(each["id"], each["recordSummary"]) for each in listed] == [(record.id, "Готов к сделке")]
