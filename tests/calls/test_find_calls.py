"""Finding calls: pages that together are exactly the calls meant, and a `page` that tells the truth about each."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import anyio
import pytest

from liner_mcp.demo import Call, Dataset, DemoLiner
from liner_mcp.errors import AccessRefused, InvalidArgument, LinerUnavailable
from tests.calls.support import (
    CALL_LIST,
    ParameterIgnoringLiner,
    context_at,
    empty_dataset,
    expected_ids,
    find,
    find_all_pages,
    ids_of,
    is_undecided,
    newest_first,
    notes_of,
    page_of,
    undecided_note,
)
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.fakes.blocking_liner import BlockingLiner
from tests.support.context import MAX_BUDGET, ORDERS, STATUSES, USERS, AlteredLiner, rows_of, with_total
from tests.support.sentences import assert_says, error_says, recorded

pytestmark = pytest.mark.anyio

CALLS, RECORDS = "/v2/call/", "/v2/call-record"
DAY = timedelta(days=1)
TODAY = datetime(2026, 11, 19, 21, tzinfo=UTC)  # midnight in Moscow
YESTERDAY = TODAY - DAY


@cache
def busy_week() -> Dataset:
    """Ten thousand calls in seven days. To be read only."""
    return Dataset.generate(now=NOW, days=7, calls=10_000)


@cache
def big_year() -> Dataset:
    """Fifty thousand calls in a year. To be read only."""
    return Dataset.generate(now=NOW, days=365, calls=50_000)


def is_transferred(dataset: Dataset) -> Callable[[Call], bool]:
    return lambda call: any(record.is_transfer for record in dataset.records_of(call.id))


# Rows ---------------------------------------------------------------------------------------------------------------


async def test_a_row_tells_a_call_in_the_columns_of_the_contract(liner: DemoLiner, dataset: Dataset) -> None:
    async with context_at(liner) as context:
        answer = await find(
            context, since="today", include=("lead_id", "direction", "hung_up_by", "wait_seconds", "phone"), limit=200
        )
    rows = rows_of(answer)
    assert [row["call_id"] for row in rows] == expected_ids(dataset, TODAY)
    for row in rows:
        call = dataset.calls[row["call_id"]]
        local = call.created_at + timedelta(hours=3)
        phone = row.pop("phone")
        assert phone.endswith(call.client_phone[-2:])
        assert call.client_phone not in answer.text
        assert row == {
            "call_id": call.id,
            "date": local.strftime("%Y-%m-%d"),
            "time": local.strftime("%H:%M"),
            "talk_seconds": call.talk_time_duration_seconds,
            "agent_id": call.user_id,
            "order_id": call.order_id,
            "status": call.status_code,
            "recorded": int(call.has_records),
            "lead_id": call.lead_id,
            "direction": call.direction,
            "hung_up_by": call.finish_initiator,
            "wait_seconds": call.wait_time_duration_seconds,
        }
    order = ("call_id", "date", "time", "talk_seconds", "agent_id", "order_id", "status", "recorded")
    assert [name for name in answer.structure["columns"] if name in order] == [
        name for name in order if name in answer.structure["columns"]
    ]
    assert answer.structure["every_row"] == {"date": "2026-11-20"}


async def test_names_are_told_for_every_id_that_occurs(liner: DemoLiner, dataset: Dataset) -> None:
    async with context_at(liner) as context:
        answer = await find(context, since="-7d", limit=200)
    rows, names = rows_of(answer), answer.structure["names"]
    known = {user.id: user for user in dataset.users}
    agents = {row["agent_id"] for row in rows}
    assert None in agents
    assert names["agents"].pop("null") == "no agent"
    assert set(names["agents"]) == {str(agent) for agent in agents if agent is not None}
    assert all(known[int(agent)].full_name == re.sub(r" #\d+$", "", name) for agent, name in names["agents"].items())
    assert names["orders"] == {
        str(order.id): order.title for order in dataset.orders if order.id in {row["order_id"] for row in rows}
    }
    titles = {status.code: status.title for status in dataset.call_statuses}
    assert names["statuses"] == {code: titles[code] for code in {row["status"] for row in rows} if code in titles}


async def test_a_status_the_dictionary_does_not_know_and_an_unknown_agent_stay_bare() -> None:
    dataset = empty_dataset()
    dataset.add_call(created_at=NOW - timedelta(hours=1), status_code="sales_queue_overflow", agent=999)
    dataset.add_call(created_at=NOW - timedelta(hours=2), status_code="sales_queue_overflow", agent=None)
    async with context_at(DemoLiner(dataset)) as context:
        answer = await find(context, since="today", statuses=("sales_queue_overflow",))
    assert [(row["agent_id"], row["status"]) for row in rows_of(answer)] == [
        (999, "sales_queue_overflow"),
        (None, "sales_queue_overflow"),
    ]
    assert answer.structure["names"]["agents"] == {"null": "no agent"}
    assert "statuses" not in answer.structure["names"]
    assert page_of(answer)["local_filters"] == ["statuses"]
    assert notes_of(answer) == recorded("liners_dictionary_has_no_status_sales")


async def test_dictionaries_that_cannot_be_read_cost_the_names_and_not_the_answer(dataset: Dataset) -> None:
    faulty = AlteredLiner(DemoLiner(dataset), status_by_pattern={USERS: 500, STATUSES: 403})
    async with context_at(faulty) as context:
        answer = await find(context, since="yesterday", limit=200)
    assert ids_of(answer) == expected_ids(dataset, YESTERDAY, TODAY)
    assert set(answer.structure["names"]) == {"orders", "agents"}
    assert answer.structure["names"]["agents"] == {"null": "no agent"}
    assert notes_of(answer) == recorded("names_of_agents_and_statuses_could")


async def test_each_dictionary_is_read_once_however_many_questions_run_at_once(dataset: Dataset) -> None:
    demo = FakeLiner(dataset)
    async with context_at(demo) as context, anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(lambda: find(context, since="today", orders=("Sunrise",), statuses=("Недозвон",)))
    paths = [target.partition("?")[0] for target in demo.requests]
    assert {path: paths.count(path) for path in paths if path != CALLS} == {
        "/v2/order/": 1,
        "/v2/call-status/": 1,
        "/v2/user/list/": 1,
    }


async def test_the_names_of_hundreds_of_agents_asked_for_do_not_concurrency_limit_out_the_calls(
    dataset: Dataset,
) -> None:
    def hired(data: Any) -> Any:
        more = [{**data["list"][0], "id": 100_000 + number, "lastName": "Я" * 70} for number in range(300)]
        return {"list": [*data["list"], *more], "next": None, "total": len(data["list"]) + len(more)}

    everybody = (*range(101, 115), *range(100_000, 100_300))
    async with context_at(AlteredLiner(DemoLiner(dataset), change_by_pattern={USERS: hired})) as context:
        answer = await find(context, since="-3d", agents=everybody, limit=200, budget=24_000)
    assert answer.size <= 24_000
    assert page_of(answer)["returned"] >= 100


# Pages --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 7, 50, 200])
async def test_pages_together_are_everything_once_newest_first(liner: DemoLiner, dataset: Dataset, limit: int) -> None:
    since = "2026-11-18T12:00" if limit == 1 else "-7d"
    start = datetime(2026, 11, 18, 9, tzinfo=UTC) if limit == 1 else NOW - 7 * DAY
    orders: dict[str, Any] = {"orders": (204,)} if limit == 1 else {}
    async with context_at(liner) as context:
        answers = await find_all_pages(context, since=since, limit=limit, **orders)
    expected = expected_ids(dataset, start, test=lambda call: not orders or call.order_id == 204)
    assert ids_of(answers) == expected
    assert all(page_of(answer)["returned"] == limit for answer in answers[:-1])
    assert [page_of(answer)["complete"] for answer in answers] == [False] * (len(answers) - 1) + [True]
    assert page_of(answers[-1])["total"] == len(expected)
    assert not any("total" in page_of(answer) for answer in answers[:-1])


@pytest.mark.parametrize("asked", [{}, {"recorded": True, "min_talk_seconds": 60}, {"transferred": False}])
async def test_pages_cut_by_the_budget_together_are_everything(dataset: Dataset, asked: dict[str, Any]) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answers = await find_all_pages(context, since="yesterday", limit=200, budget=2_000, **asked)
        whole = await find(context, since="yesterday", limit=200, **asked)
    assert page_of(whole)["complete"]
    assert ids_of(answers) == ids_of(whole)
    assert page_of(answers[-1])["total"] == page_of(whole)["total"] == page_of(whole)["returned"]
    assert all(answer.size <= 2_000 for answer in answers)
    assert len(answers) >= 3


async def test_limit_and_columns_may_change_from_page_to_page(liner: DemoLiner, dataset: Dataset) -> None:
    async with context_at(liner) as context:
        first = await find(context, since="today", limit=5)
        second = await find(context, cursor=page_of(first)["next_cursor"], limit=9, include=("lead_id",))
        third = await find(context, cursor=page_of(second)["next_cursor"], limit=200)
    assert ids_of([first, second, third]) == expected_ids(dataset, TODAY)
    assert [len(ids_of(answer)) for answer in (first, second)] == [5, 9]
    assert ["lead_id" in rows_of(answer)[0] for answer in (first, second, third)] == [False, True, True]


async def test_three_hundred_orders_are_paged_by_sending_them_again_beside_the_cursor(dataset: Dataset) -> None:
    demo = FakeLiner(dataset)
    many = (*(7_919 * number * number % 8_999_993 + 1_000 for number in range(1, 298)), 201, 203, 206)
    asked: dict[str, Any] = {"since": "-3d", "orders": many, "recorded": True}
    async with context_at(demo) as context:
        answer = await find(context, limit=20, **asked)
        got = ids_of(answer)
        with pytest.raises(InvalidArgument, check=error_says("send_the_same_arguments_again")):
            await find(context, limit=20, cursor=page_of(answer)["next_cursor"])
        while cursor := page_of(answer).get("next_cursor"):
            assert len(cursor) <= 1_500
            answer = await find(context, limit=20, cursor=cursor, **asked)
            got += ids_of(answer)
    assert got == expected_ids(dataset, NOW - 3 * DAY, test=lambda call: call.order_id in many and call.has_records)
    assert all(len(target) < 2_000 for target in demo.requests)


async def test_a_thousand_calls_within_one_second_are_paged_by_id() -> None:
    dataset = empty_dataset()
    for number in range(1_000):
        dataset.add_call(created_at=NOW - timedelta(hours=2), talk_time_duration_seconds=number)
    dataset.add_call(created_at=NOW - timedelta(hours=1))
    dataset.add_call(created_at=NOW - timedelta(hours=3))
    demo = FakeLiner(dataset)
    async with context_at(demo) as context:
        answers = await find_all_pages(context, since="today", limit=200)
    assert ids_of(answers) == expected_ids(dataset, TODAY)
    assert page_of(answers[-1])["total"] == 1_002
    # Ten pages hold that second and have to be read whole each time; finding it costs more, once.
    assert demo.count(CALL_LIST) < 13 * len(answers) + 45


async def test_fractions_of_a_second_at_the_edges_of_pages_and_windows_are_kept_apart() -> None:
    dataset = empty_dataset()
    for edge in (NOW - timedelta(hours=2), NOW - timedelta(hours=1), NOW):
        for microseconds in (-1_000_000, -1, 0, 1, 500_000, 999_999):
            for _ in range(2):
                dataset.add_call(created_at=edge + timedelta(microseconds=microseconds))
    async with context_at(DemoLiner(dataset)) as context:
        for limit in (1, 3, 200):
            answers = await find_all_pages(context, since="-2h", until="-1h", limit=limit)
            assert ids_of(answers) == expected_ids(dataset, NOW - timedelta(hours=2), NOW - timedelta(hours=1))
        later = replace(context, now=lambda: NOW + timedelta(microseconds=700_000))
        assert ids_of(await find_all_pages(later, since="-1h", limit=5)) == expected_ids(
            dataset, NOW - timedelta(hours=1), NOW
        )


async def test_calls_in_the_very_second_of_the_end_belong_to_the_next_window() -> None:
    own = Dataset.generate(now=NOW, days=2, calls=30)
    for edge in (YESTERDAY, TODAY):
        own.add_call(created_at=edge)
        own.add_call(created_at=edge - timedelta(seconds=1))
    async with context_at(DemoLiner(own)) as context:
        yesterday, today = await find(context, since="yesterday"), await find(context, since="today")
    assert ids_of(yesterday) == expected_ids(own, YESTERDAY, TODAY)
    assert ids_of(today) == expected_ids(own, TODAY)
    assert page_of(yesterday)["total"] == len(expected_ids(own, YESTERDAY, TODAY))


# Daylight saving time -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "start", "hours"),
    [
        (datetime(2026, 10, 26, 9, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC), 25),
        (datetime(2026, 3, 30, 9, tzinfo=UTC), datetime(2026, 3, 28, 23, tzinfo=UTC), 23),
    ],
)
async def test_yesterday_across_a_change_of_the_clock_holds_every_call_of_that_day(
    now: datetime, start: datetime, hours: int
) -> None:
    dataset = empty_dataset(now)
    for minutes in range(-60, 26 * 60, 30):
        dataset.add_call(created_at=start + timedelta(minutes=minutes))
    async with context_at(DemoLiner(dataset), now=now, zone="Europe/Berlin") as context:
        answer = await find(context, since="yesterday", limit=200)
    assert ids_of(answer) == expected_ids(dataset, start, start + timedelta(hours=hours))
    assert len(ids_of(answer)) == 2 * hours
    times = [row["time"] for row in rows_of(answer)]
    shown = {25: ["02:30+01:00", "02:30+02:00"], 23: []}[hours]  # the hour that comes twice has its offset
    assert [str(time) for time in times if str(time).startswith("02:30")] == shown
    assert (times[-1], times[0]) == ("00:00", "23:30")
    assert answer.structure["timezone"] == "Europe/Berlin"


# What `page` says ---------------------------------------------------------------------------------------------------


async def test_liners_own_count_is_told_on_the_first_page_only_when_no_filter_of_ours_ran(
    liner: DemoLiner, dataset: Dataset
) -> None:
    async with context_at(liner) as context:
        plain = await find_all_pages(context, since="-7d", agents=(101,), limit=30)
        ours = await find(context, since="-7d", recorded=True, limit=5)
    expected = expected_ids(dataset, NOW - 7 * DAY, test=lambda call: call.user_id == 101)
    assert page_of(plain[0])["liner_total"] == len(expected)
    # A later page reads, and counts, only what is left.
    assert not any("liner_total" in page_of(answer) for answer in plain[1:])
    assert page_of(plain[-1])["total"] == len(expected)
    assert "liner_total" not in page_of(ours)


@pytest.mark.parametrize("asked", [{"recorded": True}, {"min_talk_seconds": 150, "hung_up_by": "client"}])
async def test_what_was_scanned_on_all_pages_adds_up_to_all_calls_and_each_page_covers_what_it_says(
    dataset: Dataset, asked: dict[str, Any]
) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answers = await find_all_pages(context, since="-7d", limit=40, **asked)
    everything = [dataset.calls[one] for one in expected_ids(dataset, NOW - 7 * DAY)]
    assert sum(page_of(answer)["scanned"] for answer in answers) == len(everything)
    assert all(page_of(answer)["local_filters"] == [n for n in ORDER_OF_LOCAL if n in asked] for answer in answers)
    given = 0
    for answer in answers[:-1]:
        covered = page_of(answer)["covered"]
        since, until = (datetime.fromisoformat(covered[end]) for end in ("since", "until"))
        assert until == NOW
        given += page_of(answer)["returned"]
        inside = [call.id for call in everything if since <= call.created_at and passes(call, asked)]
        # Everything in the span was given, and nothing that was given lies more than its last second below it.
        assert set(inside) <= set(ids_of(answers)[:given])
        assert given - len(inside) <= sum(
            since - timedelta(seconds=1) <= call.created_at < since for call in everything
        )
    assert "covered" not in page_of(answers[-1])


ORDER_OF_LOCAL = ("direction", "min_talk_seconds", "max_talk_seconds", "recorded", "transferred", "hung_up_by")


def passes(call: Call, asked: dict[str, Any]) -> bool:
    return (
        ("recorded" not in asked or call.has_records is asked["recorded"])
        and call.talk_time_duration_seconds >= asked.get("min_talk_seconds", 0)
        and asked.get("hung_up_by") in (None, call.finish_initiator)
    )


async def test_a_page_that_ends_within_a_second_does_not_claim_that_second() -> None:
    dataset = empty_dataset()
    for _ in range(5):
        dataset.add_call(created_at=NOW - timedelta(hours=1))
    async with context_at(DemoLiner(dataset)) as context:
        answer = await find(context, since="-2h", limit=3)
    assert datetime.fromisoformat(page_of(answer)["covered"]["since"]) == NOW - timedelta(minutes=59, seconds=59)


async def test_so_many_agents_that_liner_cannot_be_asked_by_them_are_checked_here_and_said_so(dataset: Dataset) -> None:
    demo = FakeLiner(dataset)
    many = (*range(101, 108), *range(100_000, 100_100))
    async with context_at(demo) as context:
        answer = await find(context, since="yesterday", agents=many, limit=200)
    expected = expected_ids(dataset, YESTERDAY, TODAY, test=lambda call: call.user_id in many)
    assert ids_of(answer) == expected
    assert page_of(answer) == {
        "returned": len(expected),
        "complete": True,
        "total": len(expected),
        "scanned": len(expected_ids(dataset, YESTERDAY, TODAY)),
        "local_filters": ["agents"],
    }
    assert notes_of(answer) == recorded("list_directory_has_no_agent_100000")
    assert demo.count("userIds") == 0


def of_agent_101(call: Call) -> bool:
    return call.user_id == 101


def unanswered(call: Call) -> bool:
    return call.status_code == "no_answer"


def of_order_206(call: Call) -> bool:
    return call.order_id == 206


@pytest.mark.parametrize(
    ("ignored", "asked", "test"),
    [
        ("userIds", {"agents": (101,)}, of_agent_101),
        ("statusIds", {"statuses": (53,)}, unanswered),
        ("createdAt", {"orders": (206,)}, of_order_206),
    ],
)
async def test_a_liner_that_ignores_a_filter_does_not_make_the_answer_wrong(
    dataset: Dataset, ignored: str, asked: dict[str, Any], test: Callable[[Call], bool]
) -> None:
    async with context_at(ParameterIgnoringLiner(DemoLiner(dataset), ignored)) as context:
        answers = await find_all_pages(context, since="yesterday", limit=30, **asked)
    expected = expected_ids(dataset, YESTERDAY, TODAY, test=test)
    assert ids_of(answers) == expected
    assert page_of(answers[-1])["total"] == len(expected)
    assert notes_of(answers[0]) == recorded("liner_sent_calls_that_the_filters")
    assert "liner_total" not in page_of(answers[0])


async def test_a_liner_that_ignores_a_filter_still_gets_a_whole_sentence_when_nothing_passes(dataset: Dataset) -> None:
    async with context_at(ParameterIgnoringLiner(DemoLiner(dataset), "userIds")) as context:
        answer = await find(context, since="yesterday", agents=(999,))
    scanned = len(expected_ids(dataset, YESTERDAY, TODAY))
    assert notes_of(answer) == recorded("liner_sent_calls_that_the_filters_exclude", scanned=scanned)


async def test_orders_that_liner_does_not_list_are_no_leak_when_every_order_was_meant(dataset: Dataset) -> None:
    def unlisted(data: Any) -> Any:
        return {**data, "list": [{**row, "orderId": 999} for row in data["list"]]}

    async with context_at(AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: unlisted})) as context:
        answer = await find(context, since="yesterday", limit=200)
    assert ids_of(answer) == expected_ids(dataset, YESTERDAY, TODAY)
    assert "notes" not in answer.structure


async def test_what_liner_counts_but_does_not_list_leaves_every_page_incomplete_and_without_a_total() -> None:
    dataset = Dataset.generate(now=NOW, days=1, calls=40)
    faulty = AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: with_total(43)})
    async with context_at(faulty) as context:
        whole = await find(context, since="-24h", limit=200)
        first = await find(context, since="-24h", limit=15)
        faulty.change_by_pattern = {}
        second = await find(context, cursor=page_of(first)["next_cursor"], limit=200)
    sentence = "Liner counts more calls in this window than it lists; some may be missing here."
    assert ids_of(whole) == ids_of([first, second]) == expected_ids(dataset, NOW - DAY)
    assert (page_of(whole)["complete"], page_of(whole)["liner_total"], notes_of(whole)) == (False, 43, sentence)
    assert notes_of(first) == sentence
    assert (page_of(second)["complete"], "total" in page_of(second)) == (False, False)
    assert notes_of(second) == recorded("calls_are_missing_from_an_earlier")


async def test_a_list_that_moves_while_it_is_read_is_told_and_still_right() -> None:
    dataset = Dataset.generate(now=NOW, days=2, calls=250)
    demo, grows = DemoLiner(dataset), 2

    async def growing(scope: Any, receive: Any, send: Any) -> None:
        nonlocal grows
        if scope["path"] == CALLS and grows:
            grows -= 1
            dataset.add_call(created_at=NOW - timedelta(minutes=5))
        await demo(scope, receive, send)

    async with context_at(growing) as context:
        answer = await find(context, since="-48h", limit=200)
        rest = await find(context, cursor=page_of(answer)["next_cursor"], limit=200)
    assert ids_of([answer, rest]) == expected_ids(dataset, NOW - 2 * DAY)
    assert page_of(answer)["changed"] is True
    assert "changed" not in page_of(rest)


async def test_a_liner_without_orders_gives_an_end_and_not_an_endless_cursor(dataset: Dataset) -> None:
    app = AlteredLiner(DemoLiner(dataset), change_by_pattern={ORDERS: lambda _: {"list": [], "next": None, "total": 0}})
    async with context_at(app) as context:
        answer = await find(context, since="yesterday")
    assert page_of(answer) == {"returned": 0, "complete": False}
    assert notes_of(answer) == recorded("liner_lists_no_orders_so_there")


# Transfers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transferred", [True, False])
async def test_transfers_are_told_by_the_records_at_one_request_per_recorded_call(
    dataset: Dataset, transferred: bool
) -> None:
    demo = FakeLiner(dataset)
    async with context_at(demo) as context:
        answer = await find(context, since="yesterday", transferred=transferred, limit=200)
    moved = is_transferred(dataset)
    expected = expected_ids(dataset, YESTERDAY, TODAY, test=lambda call: moved(call) is transferred)
    recorded = expected_ids(dataset, YESTERDAY, TODAY, test=lambda call: call.has_records)
    assert ids_of(answer) == expected
    assert page_of(answer)["examined"] == len(recorded)
    assert demo.count(RECORDS) == len(recorded)
    assert page_of(answer)["local_filters"] == ["transferred"]


async def test_transfers_are_looked_for_only_until_the_page_is_full(dataset: Dataset) -> None:
    demo = FakeLiner(dataset)
    async with context_at(demo) as context:
        first = await find(context, since="-7d", transferred=True, limit=2)
        asked = demo.count(RECORDS)
        answers = [first, await find(context, cursor=page_of(first)["next_cursor"], limit=200)]
    assert ids_of(answers) == expected_ids(dataset, NOW - 7 * DAY, test=is_transferred(dataset))
    # One beyond the page, and what was under way: eight at once.
    assert page_of(first)["examined"] <= asked <= page_of(first)["examined"] + 60
    assert "notes" not in first.structure
    undecided = expected_ids(dataset, NOW - 7 * DAY, test=is_undecided(dataset))
    assert undecided
    assert [one for answer in answers for one in answer.structure.get("retry", [])] == undecided
    assert sum(page_of(answer).get("undecided", 0) for answer in answers) == len(undecided)
    assert (page_of(answers[-1])["complete"], "next_cursor" in page_of(answers[-1])) == (False, False)


async def test_other_filters_spare_the_records_of_calls_that_they_drop(dataset: Dataset) -> None:
    demo = DemoLiner(dataset)
    async with context_at(demo) as context:
        answer = await find(context, since="yesterday", transferred=True, min_talk_seconds=200, limit=200)
    moved = is_transferred(dataset)
    long = [dataset.calls[one] for one in expected_ids(dataset, YESTERDAY, TODAY) if dataset.calls[one].has_records]
    long = [call for call in long if call.talk_time_duration_seconds >= 200]
    assert ids_of(answer) == newest_first(call for call in long if moved(call))
    assert page_of(answer)["examined"] == len(long)


async def test_records_that_cannot_be_read_are_left_out_listed_and_never_counted_into_a_total() -> None:
    dataset = empty_dataset()
    made = [dataset.add_call(created_at=NOW - timedelta(minutes=minutes)).id for minutes in range(1, 9)]
    for one in made:
        dataset.add_record(one, is_transfer=True)
    faulty = AlteredLiner(DemoLiner(dataset), status_by_pattern={rf"callId={made[1]}\b": 422})
    async with context_at(faulty) as context:
        first = await find(context, since="-1h", transferred=True, limit=4)
        last = await find(context, cursor=page_of(first)["next_cursor"], limit=50)
    assert ids_of([first, last]) == [one for one in made if one != made[1]]
    assert first.structure["retry"] == [made[1]]
    assert (page_of(first)["undecided"], "undecided" in page_of(last)) == (1, False)
    assert undecided_note(1) in notes_of(first)
    assert (page_of(last)["complete"], "total" in page_of(last)) == (False, False)
    assert_says(notes_of(last), "calls_are_missing_from_an_earlier_page")


async def test_nothing_is_said_to_have_failed_the_filters_while_its_records_are_unread() -> None:
    dataset = empty_dataset()
    call = dataset.add_call(created_at=NOW - timedelta(minutes=5))
    dataset.add_record(call.id, is_transfer=True)
    async with context_at(AlteredLiner(DemoLiner(dataset), status_by_pattern={RECORDS: 422})) as context:
        answer = await find(context, since="-1h", transferred=True)
    assert (ids_of(answer), answer.structure["retry"], page_of(answer)["complete"]) == ([], [call.id], False)
    assert answer.structure["notes"] == [undecided_note(1)]


async def test_a_call_that_does_not_say_whether_it_is_recorded_is_examined() -> None:
    dataset = empty_dataset()
    call = dataset.add_call(created_at=NOW - timedelta(minutes=5))
    dataset.add_record(call.id, is_transfer=True)

    def silent(data: Any) -> Any:
        return {**data, "list": [{**row, "hasRecords": None} for row in data["list"]]}

    async with context_at(AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: silent})) as context:
        answer = await find(context, since="-1h", transferred=True)
    assert ids_of(answer) == [call.id]
    assert page_of(answer)["examined"] == 1


# Interruptions --------------------------------------------------------------------------------------------------------


def older(target: str) -> bool:
    """Whether a request asks for calls of any slice but the newest."""
    until = re.search(r"createdAt%5B1%5D=([^&]+)", target)
    return until is not None and until[1] < NOW.strftime("%Y-%m-%dT%H%%3A%M%%3A%SZ")


@pytest.mark.virtual_time
async def test_a_deadline_in_the_middle_gives_what_was_read_and_where_to_go_on(dataset: Dataset) -> None:
    blocking = BlockingLiner(dataset, older)
    async with context_at(blocking) as context:
        await context.directory.names("agents", "orders", "statuses")
        with anyio.fail_after(1.2):
            first = await find(context, since="-30d", min_talk_seconds=150, recorded=True, limit=200)
        blocking.release()
        rest = await pages_after(first, lambda cursor: find(context, cursor=cursor, limit=200))
    covered = page_of(first)["covered"]
    since, until = (datetime.fromisoformat(covered[end]) for end in ("since", "until"))
    assert until == NOW
    assert NOW - 10 * DAY <= since < NOW
    test: Callable[[Call], bool] = lambda call: call.has_records and call.talk_time_duration_seconds >= 150  # noqa: E731
    assert ids_of(first) == expected_ids(dataset, since, test=test)
    assert page_of(first)["scanned"] == len(expected_ids(dataset, since))
    assert ids_of([first, *rest]) == expected_ids(dataset, NOW - 30 * DAY, test=test)
    assert_says(notes_of(first), "reading_stopped_early_time_was_up", at_start=True)
    assert_says(notes_of(first), "next_cursor_goes_on_from_there", at_end=True)


async def pages_after(first: Any, ask: Callable[[str], Awaitable[Any]]) -> list[Any]:
    answers: list[Any] = []
    while cursor := page_of(answers[-1] if answers else first).get("next_cursor"):
        answers.append(await ask(cursor))
    return answers


@pytest.mark.virtual_time
async def test_an_empty_page_with_a_cursor_goes_on_when_time_was_up_before_anything_was_found(
    dataset: Dataset,
) -> None:
    longest = max(
        call.talk_time_duration_seconds for call in dataset.calls.values() if call.created_at > NOW - 30 * DAY
    )
    blocking = BlockingLiner(dataset, older)
    async with context_at(blocking) as context:
        await context.directory.names("agents", "orders", "statuses")
        with anyio.fail_after(1.2):
            first = await find(context, since="-30d", min_talk_seconds=longest)
        blocking.release()
        rest = await pages_after(first, lambda cursor: find(context, cursor=cursor))
    assert ids_of(first) == []
    assert page_of(first)["complete"] is False
    assert page_of(first)["scanned"] > 0
    assert "relax" not in notes_of(first), "nothing is known yet"
    assert ids_of(rest) == expected_ids(
        dataset, NOW - 30 * DAY, test=lambda call: call.talk_time_duration_seconds >= longest
    )


@pytest.mark.virtual_time
async def test_a_deadline_among_the_records_gives_the_transfers_seen_so_far(dataset: Dataset) -> None:
    with_records = expected_ids(dataset, YESTERDAY, TODAY, test=lambda call: call.has_records)
    blocking = BlockingLiner(dataset, lambda target: f"callId={with_records[30]}&" in f"{target}&")
    async with context_at(blocking) as context:
        await context.directory.names("agents", "orders", "statuses")
        with anyio.fail_after(1.2):
            first = await find(context, since="yesterday", transferred=True, limit=200)
        blocking.release()
        rest = await pages_after(first, lambda cursor: find(context, cursor=cursor, limit=200))
    assert page_of(first)["examined"] == 30
    assert notes_of(first) == recorded("reading_stopped_early_time_was_up")
    expected = expected_ids(dataset, YESTERDAY, TODAY, test=is_transferred(dataset))
    assert ids_of([first, *rest]) == expected
    assert page_of(rest[-1])["total"] == len(expected)


@pytest.mark.virtual_time
async def test_records_that_never_come_do_not_stop_the_paginator_for_ever(dataset: Dataset) -> None:
    recorded = expected_ids(dataset, YESTERDAY, TODAY, test=lambda call: call.has_records)
    blocking = BlockingLiner(dataset, lambda target: f"callId={recorded[10]}&" in f"{target}&")
    async with context_at(blocking) as context:
        await context.directory.names("agents", "orders", "statuses")
        answers: list[Any] = []
        while not answers or "next_cursor" in page_of(answers[-1]):
            assert len(answers) < 5
            asked: dict[str, Any] = (
                {"cursor": page_of(answers[-1])["next_cursor"]} if answers else {"since": "yesterday"}
            )
            with anyio.fail_after(1.2):
                answers.append(await find(context, transferred=True, limit=200, **asked))
    expected = expected_ids(dataset, YESTERDAY, TODAY, test=is_transferred(dataset))
    assert ids_of(answers) == [one for one in expected if one != recorded[10]]
    assert [one for answer in answers for one in answer.structure.get("retry", [])] == [recorded[10]]
    assert (page_of(answers[-1])["complete"], "total" in page_of(answers[-1])) == (False, False)


async def test_a_failure_in_the_middle_is_told_and_the_cursor_goes_on(dataset: Dataset) -> None:
    failing = True
    demo = DemoLiner(dataset)
    faulty = AlteredLiner(demo, status_by_pattern={CALLS: 422})

    async def sometimes(scope: Any, receive: Any, send: Any) -> None:
        target = f"{scope['path']}?{scope['query_string'].decode()}"
        await (faulty if failing and older(target) else demo)(scope, receive, send)

    async with context_at(sometimes) as context:
        first = await find(context, since="-30d", min_talk_seconds=200, limit=200)
        failing = False
        rest = await pages_after(first, lambda cursor: find(context, cursor=cursor, limit=200))
    assert 0 < page_of(first)["returned"] < 200
    assert_says(notes_of(first), "reading_stopped_early_liners_answer_could", at_start=True)
    assert ids_of([first, *rest]) == expected_ids(
        dataset, NOW - 30 * DAY, test=lambda call: call.talk_time_duration_seconds >= 200
    )


@pytest.mark.parametrize(("status", "error"), [(500, LinerUnavailable), (401, AccessRefused)])
async def test_when_nothing_of_a_page_could_be_read_the_reason_is_the_answer_and_the_cursor_still_holds(
    dataset: Dataset, status: int, error: type[Exception]
) -> None:
    faulty = AlteredLiner(DemoLiner(dataset))
    async with context_at(faulty) as context:
        first = await find(context, since="-7d")
        cursor = page_of(first)["next_cursor"]
        faulty.status_by_pattern = {CALLS: status}
        with pytest.raises(error):
            await find(context, since="-7d")
        with pytest.raises(error):
            await find(context, cursor=cursor)
        faulty.status_by_pattern = {}
        second = await find(context, cursor=cursor)
    assert ids_of([first, second]) == expected_ids(dataset, NOW - 7 * DAY)[:100]


# Nothing found --------------------------------------------------------------------------------------------------------


async def test_an_empty_window_names_the_nearest_earlier_call_in_one_request(dataset: Dataset) -> None:
    demo = FakeLiner(dataset)
    async with context_at(demo) as context:
        await context.directory.names("agents", "orders", "statuses")
        before_asking = len(demo.requests)
        answer = await find(context, since="2026-11-19T23:00", until="2026-11-20T05:00", agents=(101,), statuses=(51,))
        assert len(demo.requests) == before_asking + 3  # the third checks once that windows are read in UTC
    start = datetime(2026, 11, 19, 20, tzinfo=UTC)
    qualified: Callable[[Call], bool] = lambda call: call.user_id == 101 and call.status_code == "qualified"  # noqa: E731
    nearest = dataset.calls[expected_ids(dataset, start - 31 * DAY, start, test=qualified)[0]]
    when = context.zone.isoformat(nearest.created_at)
    assert ids_of(answer) == []
    assert page_of(answer) == {"returned": 0, "complete": True, "total": 0}
    assert answer.structure["asked"] == {"agents": [101], "statuses": ["qualified"]}
    assert answer.structure["names"] == {
        "agents": {"101": "Anna Petrova"},
        "statuses": {"qualified": "Квалифицирован"},
    }
    assert notes_of(answer) == recorded("liner_has_no_such_call_in_this_window", nearest_id=nearest.id, when=when)


async def test_the_nearest_earlier_call_passes_the_filters_that_are_ours() -> None:
    dataset = empty_dataset()
    good = dataset.add_call(created_at=NOW - 3 * DAY, direction="incoming")
    dataset.add_call(created_at=NOW - 2 * DAY, direction="outgoing")
    async with context_at(DemoLiner(dataset)) as context:
        near = await find(context, since="today", direction="incoming")
        none = await find(context, since="today", direction="incoming", recorded=True)
        perhaps = await find(context, since="today", transferred=False)
    assert notes_of(near) == recorded("liner_has_no_such_call_in_this_window_the", good_id=good.id)
    assert notes_of(none) == recorded("liner_has_no_such_call_in_this_window_liner")
    assert_says(notes_of(perhaps), "the_nearest_earlier_candidate_is_call")


async def test_many_earlier_calls_are_counted_and_not_read() -> None:
    dataset = Dataset.generate(now=NOW - 2 * DAY, days=7, calls=400)
    demo = FakeLiner(dataset)
    async with context_at(demo) as context:
        plain = await find(context, since="-2h")
        ours = await find(context, since="-2h", recorded=True)
    assert notes_of(plain) == recorded("liner_has_no_such_call_in_this_window_but")
    assert notes_of(ours) == recorded("liner_has_no_such_call_in_this_window_liner_has")
    assert demo.count(CALL_LIST) == 6, "each asks for the window, the days around it, and the month before it"


UNLISTED = "list_directory has no order 999; check that these are ids of that kind."


async def test_an_order_without_any_call_says_how_far_was_looked(liner: DemoLiner) -> None:
    async with context_at(liner) as context:
        answer = await find(context, since="yesterday", orders=(999,))
    assert page_of(answer) == {"returned": 0, "complete": True, "total": 0}
    assert notes_of(answer) == recorded("liner_has_no_such_call_in_this_window_nor", unlisted=UNLISTED)


async def test_a_hint_that_would_cost_more_than_a_request_is_left_out(dataset: Dataset) -> None:
    demo = FakeLiner(dataset)
    async with context_at(demo) as context:
        await context.directory.names("agents", "orders", "statuses")
        asked = len(demo.requests)
        answer = await find(context, since="yesterday", orders=tuple(range(1_001, 1_301)))
    requests, (first, *_) = demo.requests[asked:], demo.requests[asked:]
    assert 2 <= sum(target.partition("orderIds")[0] == first.partition("orderIds")[0] for target in requests) <= 6
    assert len({target.partition("orderIds")[0] for target in requests}) == 2, "the window and the days around it"
    assert_says(notes_of(answer), "liner_has_no_such_call_in_this_window_try", at_end=True)


async def test_a_hint_that_cannot_be_had_costs_nothing(dataset: Dataset) -> None:
    seen = 0
    faulty = AlteredLiner(DemoLiner(dataset))

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        nonlocal seen
        seen += scope["path"] == CALLS
        faulty.status_by_pattern = {CALLS: 500} if seen > 1 else {}
        await faulty(scope, receive, send)

    async with context_at(failing) as context:
        answer = await find(context, since="yesterday", orders=(999,))
    tried = "Liner has no such call in this window; try an earlier since, or fewer filters."
    assert notes_of(answer) == f"{UNLISTED} {tried}"


async def test_when_calls_were_read_and_none_passed_the_filters_to_relax_are_named(dataset: Dataset) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answer = await find(context, since="yesterday", min_talk_seconds=5_000, direction="incoming", orders=(201,))
    scanned = len(expected_ids(dataset, YESTERDAY, TODAY, test=lambda call: call.order_id == 201))
    assert page_of(answer) == {
        "returned": 0,
        "complete": True,
        "total": 0,
        "scanned": scanned,
        "local_filters": ["direction", "min_talk_seconds"],
    }
    assert notes_of(answer) == recorded("calls_of_this_window_were_read", scanned=scanned)


# What it costs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [{}, {"orders": (206,)}, {"agents": (101,)}, {"statuses": ("qualified",)}, {"recorded": True, "orders": (201,)}],
)
async def test_the_newest_fifty_of_a_year_cost_at_most_six_requests(asked: dict[str, Any]) -> None:
    dataset = big_year()
    demo = FakeLiner(dataset)
    async with context_at(demo) as context:
        await context.directory.names("agents", "orders", "statuses")
        before_asking = len(demo.requests)
        answer = await find(context, since="-365d", limit=50, **asked)
        cost = len(demo.requests) - before_asking
    assert page_of(answer)["returned"] == 50
    assert cost <= 6
    if not asked:
        assert ids_of(answer) == expected_ids(dataset, NOW - 10 * DAY)[:50]


async def test_yesterday_costs_at_most_one_request_more_than_its_full_pages(dataset: Dataset) -> None:
    demo = FakeLiner(dataset)
    async with context_at(demo) as context:
        await context.directory.names("agents", "orders", "statuses")
        before_asking = len(demo.requests)
        answer = await find(context, since="yesterday", limit=200)
        cost = len(demo.requests) - before_asking
    expected = expected_ids(dataset, YESTERDAY, TODAY)
    assert ids_of(answer) == expected
    assert cost <= math.ceil(len(expected) / 100) + 1


async def test_walking_a_busy_week_with_a_filter_of_ours_reads_it_about_twice() -> None:
    dataset = busy_week()
    demo = FakeLiner(dataset)
    async with context_at(demo) as context:
        await context.directory.names("agents", "orders", "statuses")
        before_asking = len(demo.requests)
        answers = await find_all_pages(context, since="-7d", min_talk_seconds=150, limit=50)
        cost = len(demo.requests) - before_asking
    expected = expected_ids(dataset, NOW - 7 * DAY, test=lambda call: call.talk_time_duration_seconds >= 150)
    assert ids_of(answers) == expected
    assert 0.1 < len(expected) / 10_000 < 0.2
    assert cost <= 2 * 100 + len(answers)


async def test_the_largest_budget_is_kept_with_the_largest_page(dataset: Dataset) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answer = await find(context, since="last_month", limit=200, budget=MAX_BUDGET, include=("phone", "lead_id"))
    assert page_of(answer)["returned"] == 200
    assert answer.size <= MAX_BUDGET
