"""What Liner does not send is unknown: neither null with a meaning, nor 0, nor no. In both protocol eras."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from liner_mcp.demo import Call, Dataset, DemoLiner
from tests.calls.support import empty_dataset
from tests.conftest import NOW, OpenSession, Session
from tests.fakes import FakeLiner
from tests.support.context import ORDERS, AlteredLiner, rows_of, with_total
from tests.support.sentences import assert_says

pytestmark = pytest.mark.anyio

CALLS = r"^/v2/call/\?"
FIELDS: tuple[str, ...] = (
    "userId", "orderId", "leadId", "statusCode", "direction", "finishInitiator", "talkTimeDurationSeconds",
    "waitTimeDurationSeconds", "hasRecords",
)  # fmt: skip
# A filter that some calls of `account` pass and others do not, by the field that it needs.
FILTERS: dict[str, dict[str, Any]] = {
    "userId": {"agents": [102]},
    "orderId": {"orders": [201]},
    "statusCode": {"statuses": ["qualified"]},
    "direction": {"direction": "outgoing"},
    "finishInitiator": {"hung_up_by": "client"},
    "talkTimeDurationSeconds": {"min_talk_seconds": 1},
    "hasRecords": {"recorded": True},
    "createdAt": {},
}
NULL_COUNTS = {
    "talkTimeDurationSeconds": {"answered", "talk_total_seconds"},
    "hasRecords": {"recorded"},
    "statusCode": {"qualified"},
    "finishInitiator": {"agent_hangups"},
    "userId": {"agent_hangups"},
}
WINDOW = {"since": "-1h"}
DENIALS = re.compile(r"has no such call|has no call|none passed|No call of this window", re.IGNORECASE)
LACKS = re.compile(r"counts more|lists no orders|could not be decided|sends no|could not be read", re.IGNORECASE)


def account() -> Dataset:
    dataset = empty_dataset()
    for minutes in range(1, 7):
        talk = 60 if minutes % 2 else 0
        call = dataset.add_call(
            created_at=NOW - timedelta(minutes=minutes),
            agent=101 + minutes % 2,
            talk_time_duration_seconds=talk,
            status_code="qualified" if talk else "no_answer",
            finish_initiator="operator",
        )
        if talk:
            dataset.add_record(call.id, summary="Клиент согласен на встречу.", is_transfer=True)
    return dataset


def without(*fields: str, of: Callable[[int], bool] = lambda _: True) -> Callable[[Any], Any]:
    """Liner's list of calls without some fields of some calls."""
    return lambda data: {
        **data,
        "list": [
            {name: value for name, value in row.items() if name not in fields or not of(row["id"])}
            for row in data["list"]
        ],
    }


def liner_without(dataset: Dataset, *fields: str, of: Callable[[int], bool] = lambda _: True) -> Any:
    return AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: without(*fields, of=of)})


def newest(dataset: Dataset) -> list[Call]:
    return sorted(dataset.calls.values(), key=lambda call: call.created_at, reverse=True)


async def ask_all(connect: OpenSession, app: Any, **arguments: Any) -> dict[str, Any]:
    """The answers of find_calls, of call_stats and of a sample."""
    async with connect(app) as session:
        return await ask_each(session, **arguments)


async def ask_each(session: Session, **arguments: Any) -> dict[str, Any]:
    return {
        "find_calls": await session.answer("find_calls", **arguments),
        "call_stats": await session.answer("call_stats", group_by=["status"], **arguments),
        "sample": await session.answer("find_calls", sample=5, seed="1", **{"recorded": True, **arguments}),
    }


def assert_no_contradiction(answer: dict[str, Any]) -> None:
    notes = answer.get("notes", [])
    denies, lacks = [note for note in notes if DENIALS.search(note)], [note for note in notes if LACKS.search(note)]
    assert not (denies and lacks), notes
    assert not (denies and not answer["page"]["complete"]), notes


# Filters --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", FILTERS)
async def test_a_filter_on_a_field_that_was_not_sent_decides_nothing(connect: OpenSession, field: str) -> None:
    dataset = account()
    answers = await ask_all(connect, liner_without(dataset, field), **WINDOW, **FILTERS[field])
    for name, answer in answers.items():
        drawn_from_recorded = name == "sample" and field != "hasRecords"
        expected = [
            call.id
            for call in newest(dataset)
            if (call.has_records or not drawn_from_recorded)
            # Liner itself leaves these out.
            and (field != "userId" or call.user_id == 102)
            and (field != "statusCode" or call.status_code == "qualified")
        ]
        assert answer["rows"] == []
        assert answer["page"]["complete"] is False
        assert (answer["page"]["undecided"], sorted(answer["retry"])) == (len(expected), sorted(expected))
        assert f"Liner sends no {field}" in answer["notes"][0]
        assert all(word in answer["notes"][0] for word in FILTERS[field] or ["window"])
        assert {"total", "population", "liner_total", "sampling"} & answer["page"].keys() <= {"liner_total"}
        assert_no_contradiction(answer)
    assert set(answers["call_stats"]["totals"].values()) == {None}


async def test_calls_that_have_the_field_are_decided_and_the_others_are_not(connect: OpenSession) -> None:
    dataset = account()
    bare = newest(dataset)[0].id
    app = liner_without(dataset, "hasRecords", of=lambda one: one == bare)
    answers = await ask_all(connect, app, **WINDOW, recorded=True)
    recorded = [call.id for call in newest(dataset) if call.has_records and call.id != bare]
    assert [row["call_id"] for row in rows_of(answers["find_calls"])] == recorded
    assert [row["call_id"] for row in rows_of(answers["sample"])] == recorded
    assert answers["call_stats"]["totals"]["calls"] == len(recorded)
    for answer in answers.values():
        assert (answer["page"]["complete"], answer["retry"]) == (False, [bare])


async def test_a_call_that_another_filter_excludes_is_not_undecided(connect: OpenSession) -> None:
    dataset = account()
    async with connect(liner_without(dataset, "hasRecords")) as session:
        answer = await session.answer("find_calls", **WINDOW, recorded=True, agents=[101])
    assert answer["page"]["undecided"] == sum(call.user_id == 101 for call in dataset.calls.values())


async def test_null_agents_are_known_and_null_talk_times_are_not(connect: OpenSession) -> None:
    def nulled(data: Any) -> Any:
        return {**data, "list": [{**row, "userId": None, "talkTimeDurationSeconds": None} for row in data["list"]]}

    dataset = account()
    app = AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: nulled})
    async with connect(app) as session:
        by_agent = await session.answer("find_calls", **WINDOW, agents=[101])
        by_talk = await session.answer("find_calls", **WINDOW, max_talk_seconds=10)
        rows = await session.answer("find_calls", **WINDOW)
    assert (by_agent["rows"], by_agent["page"]["complete"]) == ([], True)
    assert (by_talk["rows"], by_talk["page"]["undecided"]) == ([], len(dataset.calls))
    assert rows["names"]["agents"] == {"null": "no agent"}


# Rows and counts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", FIELDS)
async def test_cells_that_were_not_sent_are_null_and_said(connect: OpenSession, field: str) -> None:
    dataset = account()
    include = ["lead_id", "direction", "hung_up_by", "wait_seconds"]
    async with connect(liner_without(dataset, field)) as session:
        answer = await session.answer("find_calls", **WINDOW, include=include)
    columns = dict(zip(FIELDS, ("agent_id", "order_id", "lead_id", "status", "direction", "hung_up_by",
                                "talk_seconds", "wait_seconds", "recorded"), strict=True))  # fmt: skip
    assert {row[columns[field]] for row in rows_of(answer)} == {None}
    assert answer["page"] == {"returned": 6, "complete": True, "total": 6}
    first = ", ".join(str(call.id) for call in newest(dataset)[:3])
    which = f"Liner sends no {field} that can be read for 6 of these calls ({first}, …)"
    assert answer["notes"] == [f"{which}; null there is unknown, not 0 or none."]
    assert "null" not in answer.get("names", {}).get("agents", {})


@pytest.mark.parametrize("field", NULL_COUNTS)
async def test_counts_that_need_a_field_that_was_not_sent_are_null(connect: OpenSession, field: str) -> None:
    async with connect(liner_without(account(), field)) as session:
        answer = await session.answer("call_stats", **WINDOW, group_by=["day"])
        healthy = await session.answer("call_stats", **WINDOW, group_by=["order"])
    assert {name for name, count in answer["totals"].items() if count is None} == NULL_COUNTS[field]
    for name in NULL_COUNTS[field]:
        assert {row[name] for row in rows_of(answer)} == {None}
    assert answer["totals"]["calls"] == healthy["totals"]["calls"] == 6
    assert answer["page"]["complete"] is False
    assert f"Liner sends no {field}" in answer["notes"][0]


async def test_calls_without_an_agent_field_are_not_said_to_have_no_agent(connect: OpenSession) -> None:
    async with connect(liner_without(account(), "userId")) as session:
        stats = await session.answer("call_stats", **WINDOW, group_by=["agent"])
        sample = await session.answer("find_calls", **WINDOW, sample=3, seed="1")
    assert [row["agent_id"] for row in rows_of(stats)] == [None]
    for answer in (stats, sample):
        assert answer["page"]["complete"] is False
        assert "agents" not in answer.get("names", {})
        assert "userId" in " ".join(answer["notes"])
    assert "sampling" not in sample["page"], "the draw cannot be even over agents that are not known"


async def test_a_list_of_ids_alone_gives_an_answer_that_claims_nothing(connect: OpenSession) -> None:
    dataset = account()
    bare = liner_without(dataset, *FIELDS, "createdAt")
    for answer in (await ask_all(connect, bare, **WINDOW)).values():
        assert answer["rows"] == []
        assert (answer["page"]["complete"], sorted(answer["retry"])) == (False, sorted(dataset.calls))
        assert_no_contradiction(answer)


async def test_a_list_of_ids_and_times_gives_rows_of_nulls(connect: OpenSession) -> None:
    dataset = account()
    async with connect(liner_without(dataset, *FIELDS)) as session:
        found = await session.answer("find_calls", **WINDOW)
        stats = await session.answer("call_stats", **WINDOW, group_by=["order"])
    assert [row["call_id"] for row in rows_of(found)] == [call.id for call in newest(dataset)]
    assert {name for name, count in stats["totals"].items() if count is not None} == {"calls"}
    assert (found["page"]["total"], stats["page"]["complete"]) == (6, False)


# No orders ------------------------------------------------------------------------------------------------------------


async def test_without_listed_orders_nothing_is_said_to_be_none(connect: OpenSession) -> None:
    nothing = AlteredLiner(
        DemoLiner(account()), change_by_pattern={ORDERS: lambda _: {"list": [], "next": None, "total": 0}}
    )
    for answer in (await ask_all(connect, nothing, **WINDOW)).values():
        assert (answer["rows"], answer["page"]["complete"]) == ([], False)
        assert not {"total", "population", "liner_total", "sampling"} & answer["page"].keys()
        assert set(answer.get("totals", {}).values()) <= {None}
        assert_says(answer["notes"][0], "liner_lists_no_orders_so_there", at_start=True)
        assert_no_contradiction(answer)


# Notes ----------------------------------------------------------------------------------------------------------------

LACKING: dict[str, Callable[[Dataset], Any]] = {
    "nothing": DemoLiner,
    "calls": lambda dataset: AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: with_total(9)}),
    "orders": lambda dataset: AlteredLiner(DemoLiner(dataset), change_by_pattern={ORDERS: with_total(900)}),
    "hasRecords": lambda dataset: liner_without(dataset, "hasRecords"),
    "createdAt": lambda dataset: liner_without(dataset, "createdAt"),
    "records": lambda dataset: AlteredLiner(DemoLiner(dataset), status_by_pattern={"callId=": 422}),
}
QUESTIONS: list[dict[str, Any]] = [
    {},
    {"min_talk_seconds": 5_000},
    {"recorded": True, "min_talk_seconds": 5_000},
    {"transferred": False},
    {"agents": [113]},
    {"since": "-3h", "until": "-2h"},
]


@pytest.mark.parametrize("lacking", LACKING)
async def test_no_note_denies_what_another_leaves_open(connect: OpenSession, lacking: str) -> None:
    async with connect(LACKING[lacking](account())) as session:
        for question in QUESTIONS:
            for answer in (await ask_each(session, **{**WINDOW, **question})).values():
                assert_no_contradiction(answer)


async def test_a_list_of_records_that_is_shorter_than_its_count_is_not_said_to_be_empty(connect: OpenSession) -> None:
    dataset = account()
    silent = newest(dataset)[1].id
    app = AlteredLiner(DemoLiner(dataset), change_by_pattern={"callId=": with_total(2)})
    async with connect(app) as session:
        answer = await session.answer("list_call_records", call_id=silent)
    assert (answer["rows"], answer["page"]["complete"]) == ([], False)
    assert "has no recording" not in " ".join(answer["notes"])


async def test_an_empty_list_of_records_without_has_records_is_not_said_to_be_none(connect: OpenSession) -> None:
    dataset = account()
    recorded, silent = (call.id for call in newest(dataset)[:2])
    app = AlteredLiner(
        DemoLiner(dataset),
        change_by_pattern={
            CALLS: without("hasRecords"),
            "/v2/call/detail": lambda data: {name: data[name] for name in data if name != "hasRecords"},
        },
    )
    async with connect(app) as session:
        records = await session.answer("list_call_records", call_id=silent)
        summaries = await session.answer("get_call_summaries", call_ids=[recorded, silent])
        found = await session.answer("find_calls", transferred=False, **WINDOW)
    assert (records["rows"], records["page"]) == ([], {"returned": 0, "complete": False})
    assert "does not say whether there are any" in records["notes"][0]
    assert [row["summary_state"] for row in rows_of(summaries)] == ["ready", "failed"]
    assert (summaries["retry"], summaries["page"]["complete"]) == ([silent], False)
    assert (found["rows"], found["page"]["undecided"]) == ([], 3)


@pytest.mark.parametrize("sent", [{}, {"agentIds": None}])
async def test_agent_groups_without_agents_are_not_said_to_be_empty(connect: OpenSession, sent: dict[str, Any]) -> None:
    def changed(data: Any) -> Any:
        groups = [{**{name: row[name] for name in row if name != "agentIds"}, **sent} for row in data["list"]]
        return {**data, "list": groups}

    async with connect(AlteredLiner(DemoLiner(account()), change_by_pattern={"/v2/agent-group": changed})) as session:
        refused = await session.refusal("find_calls", agents=["Первая линия"])
        agents = await session.answer("list_directory", kind="agents", query="Anna Petrova")
        groups = await session.answer("list_directory", kind="agent_groups")
    assert "does not send its agents" in refused
    assert (rows_of(agents)[0]["groups"], agents["page"]["complete"]) == (None, False)
    assert {row["agents"] for row in rows_of(groups)} == {None}
    assert "agents is null there" in groups["notes"][0]


async def test_no_agent_is_not_said_where_some_agents_are_unknown(connect: OpenSession) -> None:
    dataset = account()
    recorded, silent = (call.id for call in newest(dataset)[:2])
    without_agent = dataset.add_call(created_at=NOW - timedelta(minutes=30), agent=None)
    app = AlteredLiner(DemoLiner(dataset), change_by_pattern={"callId=": without("userId")})
    async with connect(app) as session:
        mixed = await session.answer("get_call_summaries", call_ids=[recorded, without_agent.id])
        known = await session.answer("get_call_summaries", call_ids=[silent, without_agent.id])
    assert "null" not in mixed.get("names", {}).get("agents", {})
    assert known["names"]["agents"]["null"] == "no agent"


# A healthy Liner ------------------------------------------------------------------------------------------------------


async def test_a_healthy_liner_is_requested_no_more_than_before(connect: OpenSession) -> None:
    liner = FakeLiner(account())
    await ask_all(connect, liner, **WINDOW, recorded=True)
    assert liner.count("/v2/call/?") == 3
    assert liner.count("callId=") == liner.count("/v2/call/detail") == 0
