"""Counting and sampling through an MCP client, in both protocol eras: the questions of a call centre, each answered by
one or two tool calls, and compared with what the fake Liner's data holds.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast

import httpx
import pytest
from mcp import Client
from mcp.types import CallToolResult

from liner_mcp.calls import parallel_reader
from liner_mcp.demo import Call, Dataset, DemoLiner
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from tests.conftest import NOW, OpenSession, Session, assert_fits_schema, text_of
from tests.fakes.blocking_liner import BlockingLiner
from tests.support.account import ACCOUNT
from tests.support.context import AlteredLiner, rows_of
from tests.support.expected_stats import (
    METRICS,
    MOSCOW,
    expected_groups,
    grouped_by,
    groups_of,
    sum_metrics,
    without_agentless_hangups,
)
from tests.support.sentences import assert_says, recorded

pytestmark = pytest.mark.anyio

TODAY = datetime(2026, 11, 20, tzinfo=MOSCOW)
YESTERDAY = TODAY - timedelta(days=1)
MONTH = datetime(2026, 11, 1, tzinfo=MOSCOW)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Forty days like the shared ones, but fewer calls in them: here they are read again and again."""
    return Dataset.generate(now=NOW, days=40, calls=1_600)


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty days in slices of five, whatever size is the fastest just now."""
    monkeypatch.setattr(parallel_reader, "PARALLEL_SLICE_CALLS", 200)


def expected_calls(dataset: Dataset, since: datetime, until: datetime = NOW) -> list[Call]:
    return [call for call in dataset.calls.values() if since <= call.created_at < until]


def largest(groups: dict[Any, Any], value: Callable[[Any], Any]) -> Any:
    """The key of the one group that leads: a question with two right answers would prove nothing."""
    top = max(map(value, groups.values()))
    (key,) = [key for key, group in groups.items() if value(group) == top]
    return key


# Questions that one call answers --------------------------------------------------------------------------------------


async def test_who_talked_most_this_month(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        answer = await session.answer("call_stats", since="this_month")
    groups = groups_of(rows_of(answer), "agent_id")
    truth = expected_groups(dataset, expected_calls(dataset, MONTH), grouped_by("agent"))
    assert groups == without_agentless_hangups(truth)
    (agent,) = largest(groups, lambda group: group["talk_total_seconds"])
    talk = Counter({user.id: 0 for user in dataset.agents})
    for call in expected_calls(dataset, MONTH):
        talk[call.user_id or 0] += call.talk_time_duration_seconds
    assert agent == max(talk, key=lambda user: talk[user])
    named = {user.id: user.full_name for user in dataset.users}
    assert answer["names"]["agents"][str(agent)].startswith(named[agent])


async def test_which_weekday_has_the_longest_waits(connect: OpenSession) -> None:
    dataset = Dataset.generate(now=NOW, days=14, calls=700)
    saturday = datetime(2026, 11, 14, 12, tzinfo=MOSCOW)
    for minutes in range(60):
        dataset.add_call(created_at=saturday + timedelta(minutes=minutes), wait_time_duration_seconds=25 + minutes % 3)
    async with connect(DemoLiner(dataset)) as session:
        answer = await session.answer("call_stats", since="-14d", group_by=["weekday"])
    groups = groups_of(rows_of(answer), "weekday")
    truth = expected_groups(dataset, expected_calls(dataset, NOW - timedelta(days=14)), grouped_by("weekday"))
    assert groups == truth
    assert largest(groups, lambda group: group["wait_median_seconds"]) == ("Sat",)


async def test_calls_per_status_per_order(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        answer = await session.answer("call_stats", since="this_month", group_by=["order", "status"])
    groups = groups_of(rows_of(answer), "order_id", "status")
    assert groups == expected_groups(dataset, expected_calls(dataset, MONTH), grouped_by("order", "status"))
    assert answer["names"]["orders"]["203"] == "ЖК Северная Гавань"
    assert answer["names"]["statuses"]["call_back"] == "Перезвонить"
    assert "sales_queue_overflow" not in answer["names"]["statuses"], "the dictionary does not know it"
    assert ("sales_queue_overflow" in {status for _, status in groups}) is any(
        call.status_code == "sales_queue_overflow" for call in expected_calls(dataset, MONTH)
    )


async def test_the_busiest_hour(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        answer = await session.answer("call_stats", since="-10d", group_by=["hour"])
    groups = groups_of(rows_of(answer), "hour")
    hours = Counter(
        call.created_at.astimezone(MOSCOW).hour for call in expected_calls(dataset, NOW - timedelta(days=10))
    )
    assert {int(hour): group["calls"] for (hour,), group in groups.items()} == hours
    busiest = max(hours, key=lambda hour: hours[hour])
    assert largest(groups, lambda group: group["calls"]) == (f"{busiest:02d}",)
    assert [hour for (hour,) in groups] == sorted(hour for (hour,) in groups)
    assert all(len(hour) == 2 for (hour,) in groups)


async def test_agents_whose_clients_hang_up_most(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        answer = await session.answer("call_stats", since="-10d", hung_up_by="client")
        shares = await session.answer("call_stats", since="-10d", group_by=["agent", "hung_up_by"])
    ended = [call for call in expected_calls(dataset, NOW - timedelta(days=10)) if call.finish_initiator == "client"]
    hangups = Counter(call.user_id for call in ended)
    assert {row["agent_id"]: row["calls"] for row in rows_of(answer)} == hangups
    assert [row["calls"] for row in rows_of(answer)] == sorted(hangups.values(), reverse=True)
    assert hangups == {row["agent_id"]: row["calls"] for row in rows_of(shares) if row["hung_up_by"] == "client"}
    assert {row["hung_up_by"] for row in rows_of(shares)} == {"client", "operator", "system", None}


async def test_ten_random_recorded_calls_twice_the_same_and_with_another_seed_others(
    connect: OpenSession, dataset: Dataset
) -> None:
    async with connect() as session:
        first = await session.answer("find_calls", since="this_month", sample=10)
        again = await session.answer("find_calls", since="this_month", sample=10, seed=first["page"]["seed"])
        other = await session.answer("find_calls", since="this_month", sample=10, seed="another")
    ids = [row["call_id"] for row in rows_of(first)]
    assert len(set(ids)) == 10
    assert all(dataset.calls[one].has_records and dataset.calls[one].created_at >= MONTH for one in ids)
    assert [row["call_id"] for row in rows_of(again)] == ids
    assert {row["call_id"] for row in rows_of(other)} != set(ids)
    recorded = [call for call in expected_calls(dataset, MONTH) if call.has_records]
    assert first["page"]["population"] == other["page"]["population"] == len(recorded)
    assert max(Counter(dataset.calls[one].user_id for one in ids).values()) == 1, "there are more agents than calls"


# Questions that two calls answer --------------------------------------------------------------------------------------


async def test_yesterdays_transfers_with_their_summaries(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        found = await session.answer("find_calls", since="yesterday", transferred=True)
        ids = [row["call_id"] for row in rows_of(found)]
        told = await session.answer("get_call_summaries", call_ids=ids, summary_chars=4000)
    calls = [
        call
        for call in expected_calls(dataset, YESTERDAY, TODAY)
        if any(record.is_transfer for record in dataset.records_of(call.id))
    ]
    assert sorted(ids) == sorted(call.id for call in calls)
    assert ids
    truth = {record.id: record for call in calls for record in dataset.records_of(call.id)}
    rows = rows_of(told)
    assert {row["record_id"] for row in rows} == set(truth)
    assert {row["record_id"] for row in rows if row["transfer"]} == {one for one in truth if truth[one].is_transfer}
    ready = [row for row in rows if row["summary_state"] == "ready"]
    assert ready
    for row in ready:
        assert all(fact in row["summary"] for fact in truth[row["record_id"]].facts if not fact.startswith("+"))


async def test_which_of_one_orders_recordings_of_yesterday_have_no_summary(
    connect: OpenSession, dataset: Dataset
) -> None:
    async with connect() as session:
        found = await session.answer(
            "find_calls", since="yesterday", orders=["Северный Берег"], recorded=True, limit=100
        )
        ids = [row["call_id"] for row in rows_of(found)]
        told = await session.answer("get_call_summaries", call_ids=ids, summary_chars=0)
    assert (found["page"]["complete"], told["page"]["complete"]) == (True, True)
    calls = [call for call in expected_calls(dataset, YESTERDAY, TODAY) if call.order_id == 202 and call.has_records]
    missing = {
        record.id for call in calls for record in dataset.records_of(call.id) if not (record.summary or "").strip()
    }
    assert missing
    assert {row["record_id"] for row in rows_of(told) if row["summary_state"] == "none"} == missing


# The answer -----------------------------------------------------------------------------------------------------------


async def test_both_channels_say_the_same_and_fit_the_published_schema(connect: OpenSession) -> None:
    async with connect() as session:
        tools = {tool.name: tool for tool in (await session.client.list_tools()).tools}
        for name, arguments in (
            ("call_stats", {"since": "-3d", "group_by": ["order", "day"]}),
            ("call_stats", {"since": "today", "orders": [999]}),
            ("find_calls", {"since": "-3d", "sample": 5}),
        ):
            result = await session.call(name, **arguments)
            assert json.loads(text_of(result)) == result.structured_content
            assert text_of(result) == json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":"))
            assert_fits_schema(result.structured_content, tools[name].output_schema)


async def test_metrics_stand_in_one_order(connect: OpenSession) -> None:
    async with connect() as session:
        answer = await session.answer("call_stats", since="last_week", group_by=["weekday", "order"])
    assert answer["columns"] == ["weekday", "order_id", *METRICS]


async def test_agents_by_days_fit_one_answer(connect: OpenSession, dataset: Dataset) -> None:
    """More than 420 groups: fourteen agents over a month, and nobody."""
    async with connect() as session:
        answer = await session.answer("call_stats", since="-40d", group_by=["agent", "day"])
    assert answer["page"] == {"returned": len(answer["rows"]), "complete": True}
    assert len(answer["rows"]) > 420
    truth = expected_groups(dataset, dataset.calls.values(), grouped_by("agent", "day"))
    assert groups_of(rows_of(answer), "agent_id", "day") == without_agentless_hangups(truth)


async def test_what_a_small_host_cannot_take_is_summed(connect: OpenSession) -> None:
    async with connect(max_answer_bytes=2_000) as session:
        result = await session.call("call_stats", since="-40d", group_by=["agent", "day"])
    assert len(text_of(result).encode()) <= 2_000
    answer = cast("dict[str, Any]", result.structured_content)
    totals = answer["totals"]
    others = totals.pop("other_groups")
    assert sum_metrics([*rows_of(answer), others]) == totals
    assert others["groups"] + len(answer["rows"]) > 420
    assert answer["notes"] == [recorded("smaller_groups_did_not_fit_totals", others_groups=others["groups"])]


async def test_a_window_without_calls_says_what_to_try(connect: OpenSession) -> None:
    async with connect() as session:
        stats = await session.answer("call_stats", since="2026-11-20T03:00+03:00", until="2026-11-20T04:00+03:00")
        sample = await session.answer(
            "find_calls", since="2026-11-20T03:00+03:00", until="2026-11-20T04:00+03:00", sample=5, seed=1
        )
    assert (stats["rows"], stats["totals"]["calls"], stats["page"]["complete"]) == ([], 0, True)
    assert stats["notes"] == [recorded("liner_has_no_call_in_this")]
    assert (sample["rows"], sample["page"]["population"], sample["page"]["complete"]) == ([], 0, True)
    assert sample["notes"] == [recorded("no_call_of_this_window_can")]


async def test_counts_and_samples_name_ids_of_another_kind(connect: OpenSession) -> None:
    async with connect() as session:
        nobody = await session.answer("call_stats", since="yesterday", agents=[201])
        partly = await session.answer("call_stats", since="yesterday", agents=[101, 201])
        by_day = await session.answer("call_stats", since="yesterday", agents=[101, 201], group_by=["day"])
        sample = await session.answer("find_calls", since="yesterday", orders=[101], sample=5, seed=1)
    unlisted = "list_directory has no agent 201; check that these are ids of that kind."
    assert nobody["notes"] == [
        unlisted,
        recorded("no_call_of_this_window_passes"),
    ]
    assert (partly["notes"], partly["page"]["returned"]) == ([unlisted], 1)
    assert "notes" not in by_day, "the calls counted may be of either"
    assert sample["notes"][0] == recorded("list_directory_has_no_order_101")


@pytest.mark.parametrize("group_by", ["agent,day", ["agent", "day"], '["agent", "day"]', [" agent ", "day"]])
async def test_groupings_are_understood_in_every_harmless_form(connect: OpenSession, group_by: Any) -> None:
    async with connect() as session:
        answer = await session.answer("call_stats", since="-2d", group_by=group_by)
    assert answer["columns"][:2] == ["agent_id", "day"]


@pytest.mark.parametrize("seed", [1, 1.0, "1", " 1 "])
async def test_a_seed_is_the_same_as_number_and_as_text(connect: OpenSession, seed: Any) -> None:
    async with connect() as session:
        answer = await session.answer("find_calls", since="yesterday", sample="3", seed=seed)
        plain = await session.answer("find_calls", since="yesterday", sample=3, seed="1")
    assert answer == plain
    assert answer["page"]["seed"] == "1", "the schema promises text"


@pytest.mark.parametrize("seed", [0, -7, 2.5, 2**63, 1e30, "2026-11-20", "Петрова"])
async def test_a_seed_in_an_answer_draws_the_same_again(connect: OpenSession, seed: Any) -> None:
    async with connect() as session:
        first = await session.answer("find_calls", since="yesterday", sample=3, seed=seed)
        again = await session.answer("find_calls", since="yesterday", sample=3, seed=first["page"]["seed"])
    assert again == first


async def test_a_grouping_that_is_sent_twice_counts_once(connect: OpenSession) -> None:
    async with connect() as session:
        once = await session.answer("call_stats", since="today", group_by=["day"])
        assert await session.answer("call_stats", since="today", group_by=" Day, day") == once


@pytest.mark.parametrize("seed", ["", "  ", None])
async def test_an_empty_seed_is_none(connect: OpenSession, seed: Any) -> None:
    async with connect() as session:
        answer = await session.answer("find_calls", since="yesterday", sample=3, seed=seed)
    assert answer["page"]["seed"]


# What is refused ------------------------------------------------------------------------------------------------------

GROUPINGS = "group_by: it must be one of agent, order, status, lead, day, hour, weekday, hung_up_by; "
NOT_A_SAMPLE = "sample: it must be a whole number from 1 to 100; "


BAD_INPUT: list[tuple[str, dict[str, Any], str]] = [
    ("call_stats", {"group_by": ["agent", "order", "day"]}, "group_by: it holds 3 entries; send at most 2 at once."),
    ("call_stats", {"group_by": ["agents"]}, f'{GROUPINGS}"agents" is not.'),
    ("call_stats", {"group_by": [{"by": "agent"}]}, f"{GROUPINGS}{{'by': 'agent'}} is not."),
    (
        "call_stats",
        {"since": "today", "sample": 5},
        (
            'call_stats has no argument "sample". It takes since, until, hours, orders, leads, agents, statuses, '
            "direction, min_talk_seconds, max_talk_seconds, recorded, transferred, has_summary, mentions, hung_up_by, "
            "group_by, include, "
            "sort, limit, min_calls."
        ),
    ),
    ("call_stats", {"limit": -1}, "limit: it must be a whole number of 0 or more; -1 is not."),
    (
        "call_stats",
        {"include": ["wait"]},
        'include: it must be one of records, transfers, without_summary, matches, share; "wait" is not.',
    ),
    (
        "call_stats",
        {"sort": "talk"},
        (
            "sort: talk is not a column here; it can be one of agent_id, calls, answered, recorded, "
            "talk_total_seconds, talk_median_seconds, wait_median_seconds, agent_hangups, qualified, records, "
            "transfers, without_summary, matches, share."
        ),
    ),
    *(
        (
            "call_stats",
            arguments,
            "matches counts the recordings that mention words: send these words as mentions too.",
        )
        for arguments in ({"include": ["matches"]}, {"sort": "matches", "mentions": ""})
    ),
    *(
        (
            tool,
            {"hours": hours},
            f'hours: "{hours}" is not a span of whole hours; write 9-18 (from 9:00 up to 18:00), 18-24 or 22-6.',
        )
        for tool in ("find_calls", "call_stats")
        for hours in ("25", "9-25", "9-9", "9:30-18", "24-6", "-9-18", "с 9 до 18")
    ),
    ("find_calls", {"sample": 101}, f"{NOT_A_SAMPLE}101 is not."),
    ("find_calls", {"sample": -1}, f"{NOT_A_SAMPLE}-1 is not."),
    ("find_calls", {"sample": True}, f"{NOT_A_SAMPLE}true is not."),
    ("find_calls", {"sample": "all"}, f'{NOT_A_SAMPLE}"all" is not.'),
    ("find_calls", {"sample": 5, "seed": True}, "seed: it must be text; true is not."),
    ("find_calls", {"sample": 5, "seed": [1]}, "seed: it must be text; [1] is not."),
    (
        "find_calls",
        {"sample": 5, "seed": 10**40},
        "seed: a number of more than 19 digits is too long; send at most 40 characters.",
    ),
    ("find_calls", {"sample": 5, "seed": "s" * 41}, f'seed: "{"s" * 38}… is too long; send at most 40 characters.'),
    (
        "find_calls",
        {"sample": 5, "cursor": "abc"},
        "sample has no pages: send it without cursor, or the cursor without sample.",
    ),
]


async def test_bad_input_gets_one_sentence(connect: OpenSession) -> None:
    async with connect() as session:
        for tool, arguments, sentence in BAD_INPUT:
            assert await session.refusal(tool, **arguments) == sentence


async def test_two_people_of_one_name_are_told_apart_before_anything_is_counted(connect: OpenSession) -> None:
    async with connect() as session:
        told = await session.refusal("call_stats", agents=["Анна Смирнова"])
        both = await session.answer("call_stats", since="yesterday", agents=["Анна Смирнова #102", 103])
    assert told == (
        'agents: "Анна Смирнова" fits 2: Анна Смирнова #102, Анна Смирнова #103. '
        "Send an id, all of the ids, or more of the name."
    )
    assert both["asked"] == {"agents": [102, 103]}


# Progress -------------------------------------------------------------------------------------------------------------


async def asked_with_progress(
    session: Session, tool: str, **arguments: Any
) -> tuple[CallToolResult, list[tuple[float, float | None, str | None]]]:
    steps: list[tuple[float, float | None, str | None]] = []

    async def told(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, total, message))

    result = await session.client.call_tool(tool, arguments, progress_callback=told)
    assert isinstance(result, CallToolResult)
    return result, steps


@pytest.mark.parametrize(
    ("tool", "arguments", "what"),
    [("call_stats", {}, "calls counted"), ("find_calls", {"sample": 5, "seed": 1}, "calls read")],
)
async def test_progress_grows_where_it_is_asked_for(
    connect: OpenSession,
    dataset: Dataset,
    tool: str,
    arguments: dict[str, Any],
    what: str,
) -> None:
    async with connect() as session:
        result, steps = await asked_with_progress(session, tool, since="-40d", **arguments)
        plain = await session.call(tool, since="-40d", **arguments)
    assert result.structured_content == plain.structured_content
    done = [step for step, _, _ in steps]
    assert len(done) > 2
    assert done == sorted(set(done))
    assert steps[-1] == (len(dataset.calls), len(dataset.calls), f"{len(dataset.calls)} {what}")


async def test_progress_is_told_only_to_a_host_that_asks(dataset: Dataset) -> None:
    """In the older era, where the SDK's client shows every message that nobody asked for."""
    messages: list[Any] = []

    async def heard(message: Any) -> None:
        messages.append(message)

    settings = Settings(**ACCOUNT, requests_per_second=0)
    server = create_server(settings, transport=httpx.ASGITransport(app=DemoLiner(dataset)), now=lambda: NOW)
    async with Client(server, mode="legacy", message_handler=heard) as client:
        await Session(client).answer("call_stats", since="-40d")
        assert messages == []
        await asked_with_progress(Session(client), "call_stats", since="-40d")
        assert len(messages) > 2


# Cut short ------------------------------------------------------------------------------------------------------------


def is_old(target: str) -> bool:
    """Whether a list of calls is asked that ends fifteen days ago or before."""
    limit = (NOW - timedelta(days=15)).strftime("%Y-%m-%dT%H%%3A%M%%3A%SZ")
    until = re.search(r"createdAt%5B1%5D=([^&]+)", target)
    return target.startswith("/v2/call/?") and until is not None and until[1] <= limit


async def counts_of_both_parts(session: Session, first: dict[str, Any]) -> dict[str, int]:
    """What was counted, and what is counted in the window that it gives next."""
    rest = await session.answer("call_stats", **first["page"]["next_window"])
    assert rest["page"]["complete"] is True
    return sum_metrics([first["totals"], rest["totals"]])


@pytest.mark.virtual_time
async def test_a_deadline_in_the_middle_gives_a_part_and_the_way_to_the_rest(
    connect: OpenSession, dataset: Dataset
) -> None:
    blocking = BlockingLiner(dataset, is_old)
    async with connect(blocking, deadline_seconds=0.7) as session:
        await session.answer("call_stats", since="today")
        first = await session.answer("call_stats", since="-40d")
        blocking.release()
        both = await counts_of_both_parts(session, first)
    covered = first["page"]["covered"]
    assert covered["until"] == "2026-11-20T18:00+03:00"
    assert first["page"]["complete"] is False
    part = expected_calls(dataset, datetime.fromisoformat(covered["since"]))
    assert groups_of(rows_of(first), "agent_id") == without_agentless_hangups(
        expected_groups(dataset, part, grouped_by("agent"))
    )
    assert both == sum_metrics(expected_groups(dataset, dataset.calls.values(), grouped_by("agent")).values())


async def test_a_slice_that_fails_gives_a_part_and_the_way_to_the_rest(connect: OpenSession, dataset: Dataset) -> None:
    demo, failing = DemoLiner(dataset), True
    faulty = AlteredLiner(demo, status_by_pattern={"^/v2/call/": 422})

    async def sometimes(scope: Any, receive: Any, send: Any) -> None:
        target = f"{scope['path']}?{scope['query_string'].decode()}"
        await (faulty if failing and is_old(target) else demo)(scope, receive, send)

    async with connect(sometimes) as session:
        first = await session.answer("call_stats", since="-40d")
        sample = await session.refusal("find_calls", since="-40d", sample=5)
        failing = False
        both = await counts_of_both_parts(session, first)
    assert first["page"]["covered"] == {"since": "2026-11-05T18:00+03:00", "until": "2026-11-20T18:00+03:00"}
    assert first["page"]["liner_total"] == len(dataset.calls)
    assert_says(first["notes"][0], "counts_of_both_parts_add_up", at_end=True)
    assert both == sum_metrics(expected_groups(dataset, dataset.calls.values(), grouped_by("agent")).values())
    assert_says(sample, "no_sample_was_drawn_because_the", at_start=True)
    assert_says(sample, "the_part_since_2026_11_05t18", at_end=True)


@pytest.mark.parametrize("dictionary", ["/v2/call-status", "/v2/lead-status"])
async def test_qualified_is_null_with_a_note_when_the_dictionaries_fail(
    connect: OpenSession, dataset: Dataset, dictionary: str
) -> None:
    async with connect(AlteredLiner(DemoLiner(dataset), status_by_pattern={f"^{dictionary}": 422})) as session:
        answer = await session.answer("call_stats", since="yesterday")
    assert {row["qualified"] for row in rows_of(answer)} == {None}
    assert answer["totals"]["qualified"] is None
    assert answer["totals"]["calls"] == len(expected_calls(dataset, YESTERDAY, TODAY))
    assert answer["notes"][0] == (recorded("which_statuses_qualify_a_lead_could"))


async def test_a_seed_without_a_sample_is_refused(connect: OpenSession) -> None:
    async with connect() as session:
        sentence = await session.refusal("find_calls", since="yesterday", seed=5)
    assert sentence == recorded("seed_belongs_to_sample_send_sample")
