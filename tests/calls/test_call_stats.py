"""Comparing: what is counted is what the dataset holds, whatever is asked, cut short or left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import pytest

from liner_mcp.answer.table import Answer
from liner_mcp.calls import parallel_reader
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.call_stats import call_stats
from liner_mcp.calls.columns import GROUPINGS
from liner_mcp.context import AppContext
from liner_mcp.demo import Call, Dataset, DemoLiner
from liner_mcp.errors import DeadlineExceeded, InvalidArgument, LinerUnavailable
from tests.calls.support import (
    context_at,
    empty_dataset,
    is_undecided,
    newest_first,
    notes_of,
    page_of,
    undecided_note,
)
from tests.conftest import NOW
from tests.fakes.blocking_liner import BlockingLiner
from tests.support.context import MAX_BUDGET, ORDERS, STATUSES, AlteredLiner, rows_of
from tests.support.expected_stats import (
    METRICS,
    Progress,
    calls_between,
    expected_groups,
    expected_metrics,
    grouped_by,
    groups_of,
    sum_metrics,
    without_agentless_hangups,
)
from tests.support.sentences import assert_says, error_says, recorded

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
START, LONG_AGO = NOW - 10 * DAY, NOW - 40 * DAY
CALLS = r"^/v2/call/\?"
COLUMNS = {"agent": "agent_id", "order": "order_id", "lead": "lead_id"}


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shared dataset in slices of five days, whatever size is the fastest just now."""
    monkeypatch.setattr(parallel_reader, "PARALLEL_SLICE_CALLS", 500)


async def asked(
    context: AppContext,
    *group_by: str,
    since: str | None = "-10d",
    budget: int = MAX_BUDGET,
    progress: Progress | None = None,
    **question: Any,
) -> Answer:
    question = {"since": since, **question}
    return await call_stats(
        context, CallQuery(**question), group_by=group_by or ("agent",), budget=budget, progress=progress
    )


def told(answer: Answer, *group_by: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    return groups_of(rows_of(answer), *(COLUMNS.get(name, name) for name in group_by or ("agent",)))


def totals_of(answer: Answer) -> dict[str, Any]:
    return answer.structure["totals"]


def expected(
    dataset: Dataset,
    *group_by: str,
    since: datetime = START,
    until: datetime = NOW,
    test: Callable[[Call], bool] = lambda _: True,
    zone: str = "Europe/Moscow",
) -> dict[tuple[Any, ...], dict[str, Any]]:
    group_by = group_by or ("agent",)
    calls = filter(test, calls_between(dataset, since, until))
    groups = expected_groups(dataset, calls, grouped_by(*group_by, zone=ZoneInfo(zone)))
    return without_agentless_hangups(groups, group_by.index("agent")) if "agent" in group_by else groups


def transferred(dataset: Dataset) -> Callable[[Call], bool]:
    return lambda call: any(record.is_transfer for record in dataset.records_of(call.id))


def ends_by(target: str, moment: datetime) -> bool:
    """Whether a list of calls is asked whose window ends by this moment."""
    until = re.search(r"createdAt%5B1%5D=([^&]+)", target)
    limit = moment.strftime("%Y-%m-%dT%H%%3A%M%%3A%SZ")
    return target.startswith("/v2/call/?") and until is not None and until[1] <= limit


def older(target: str) -> bool:
    """Whether a list of calls is asked that ends fifteen days ago or before."""
    return ends_by(target, NOW - 15 * DAY)


class FailingLiner:
    """A fake Liner that answers HTTP 500 where it `fails`, while it is `failing`."""

    def __init__(self, demo: DemoLiner, fails: Callable[[str], bool]) -> None:
        self.demo, self.fails, self.failing = demo, fails, True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        failing = self.failing and self.fails(f"{scope['path']}?{scope['query_string'].decode()}")
        await (AlteredLiner(self.demo, status_by_pattern={CALLS: 500}) if failing else self.demo)(scope, receive, send)


# What is counted ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "group_by",
    [*[(grouping,) for grouping in GROUPINGS], ("agent", "day"), ("order", "status"), ("weekday", "hour")],
    ids="-".join,
)
async def test_groups_are_those_of_the_dataset(dataset: Dataset, group_by: tuple[str, ...]) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answer = await asked(context, *group_by)
    assert told(answer, *group_by) == expected(dataset, *group_by)
    assert page_of(answer) == {"returned": len(answer.structure["rows"]), "complete": True}
    everything = expected_metrics(dataset, calls_between(dataset, START, NOW))
    assert totals_of(answer) == {name: everything[name] for name in METRICS if "median" not in name}


async def test_columns_are_the_groupings_in_the_order_asked_then_the_metrics(dataset: Dataset) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        for first, second in (("agent", "hour"), ("hour", "agent"), ("status", "order")):
            answer = await asked(context, first, second)
            keys = [COLUMNS.get(name, name) for name in (first, second)]
            assert answer.structure["columns"] == [*keys, *METRICS]


async def test_rows_stand_by_calls_and_the_answer_says_so(dataset: Dataset) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answer = await asked(context, "agent")
    calls = [row["calls"] for row in rows_of(answer)]
    assert calls == sorted(calls, reverse=True)
    assert answer.structure["sorted_by"] == "calls"


FILTERED: list[tuple[dict[str, Any], Callable[[Call], bool]]] = [
    ({"orders": (201, "Riverside Loft")}, lambda call: call.order_id in (201, 206)),
    ({"agents": (101,), "statuses": ("qualified",)}, lambda c: (c.user_id, c.status_code) == (101, "qualified")),
    ({"hung_up_by": "client"}, lambda call: call.finish_initiator == "client"),
    ({"recorded": False, "direction": "incoming"}, lambda c: not c.has_records and c.direction == "incoming"),
    ({"min_talk_seconds": 60, "max_talk_seconds": 90}, lambda call: 60 <= call.talk_time_duration_seconds <= 90),
    ({"statuses": ("sales_queue_overflow",)}, lambda call: call.status_code == "sales_queue_overflow"),
]


@pytest.mark.parametrize(("question", "test"), FILTERED)
async def test_filters_are_those_of_find_calls(
    dataset: Dataset, question: dict[str, Any], test: Callable[[Call], bool]
) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answer = await asked(context, **question)
    assert told(answer) == expected(dataset, test=test)
    assert totals_of(answer)["calls"] == len([call for call in calls_between(dataset, START, NOW) if test(call)]) > 0


@pytest.mark.parametrize("wanted", [True, False])
async def test_transfers_are_told_by_their_records(dataset: Dataset, wanted: bool) -> None:
    is_transferred, undecided = transferred(dataset), is_undecided(dataset)
    async with context_at(DemoLiner(dataset)) as context:
        answer = await asked(context, "order", since="-5d", transferred=wanted)
    since = NOW - 5 * DAY
    assert told(answer, "order") == expected(
        dataset, "order", since=since, test=lambda call: is_transferred(call) is wanted and not undecided(call)
    )
    left_out = newest_first(filter(undecided, calls_between(dataset, since, NOW)))
    assert left_out
    assert (page_of(answer)["undecided"], answer.structure["retry"]) == (len(left_out), left_out)
    assert page_of(answer)["complete"] is False
    assert notes_of(answer) == undecided_note(len(left_out))
    assert page_of(answer)["local_filters"] == ["transferred"]


async def test_transfers_among_calls_of_which_liner_does_not_say_whether_they_have_records(dataset: Dataset) -> None:
    def forgetful(data: Any) -> Any:
        return {**data, "list": [{**item, "hasRecords": None} for item in data["list"]]}

    async with context_at(AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: forgetful})) as context:
        answer = await asked(context, since="-2d", transferred=True)
    calls = [call for call in calls_between(dataset, NOW - 2 * DAY, NOW) if transferred(dataset)(call)]
    assert totals_of(answer)["calls"] == len(calls) > 0


async def test_unknown_statuses_and_missing_orders_have_groups() -> None:
    dataset = empty_dataset()
    dataset.add_call(created_at=NOW - HOUR, status_code="unheard_of")
    dataset.add_call(created_at=NOW - HOUR)

    def orderless(data: Any) -> Any:
        return {**data, "list": [{**item, "orderId": None} for item in data["list"]]}

    async with context_at(AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: orderless})) as context:
        answer = await asked(context, "order", "status", since="today")
    assert {(row["order_id"], row["status"], row["calls"]) for row in rows_of(answer)} == {
        (None, "unheard_of", 1),
        (None, "conversation_completed", 1),
    }
    assert answer.structure["names"]["statuses"] == {"conversation_completed": "Разговор завершён"}


async def test_where_there_is_no_agent_hang_ups_are_null_and_the_name_says_no_agent(dataset: Dataset) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answer = await asked(context)
    (row,) = [row for row in rows_of(answer) if row["agent_id"] is None]
    assert row["agent_hangups"] is None
    assert row["qualified"] > 0
    assert answer.structure["names"]["agents"]["null"] == "no agent"
    assert totals_of(answer)["agent_hangups"] == sum(row["agent_hangups"] or 0 for row in rows_of(answer)) > 0


async def test_all_calls_unanswered() -> None:
    dataset = empty_dataset()
    for minutes in range(5):
        dataset.add_call(
            created_at=NOW - HOUR - timedelta(minutes=minutes),
            agent=None,
            talk_time_duration_seconds=0,
            wait_time_duration_seconds=30,
            finish_initiator=None,
            status_code="no_answer",
        )
    async with context_at(DemoLiner(dataset)) as context:
        answer = await asked(context, since="today")
    assert [list(row.values()) for row in rows_of(answer)] == [[None, 5, 0, 0, 0, None, None, None, 0]]
    assert totals_of(answer)["answered"] == 0
    assert "notes" not in answer.structure


async def test_an_agent_of_whom_there_is_no_call_is_named_in_an_empty_answer(dataset: Dataset) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answer = await asked(context, "order", since="yesterday", agents=("Наталья Зайцева",))
    assert answer.structure["asked"] == {"agents": [113]}
    assert answer.structure["names"] == {"agents": {"113": "Наталья Зайцева"}}
    assert (rows_of(answer), totals_of(answer)["calls"]) == ([], 0)
    assert notes_of(answer) == recorded("no_call_of_this_window_passes")


async def test_names_of_what_was_asked_stand_beside_names_of_groups(dataset: Dataset) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answer = await asked(context, "status", since="yesterday", orders=("sunrise",))
    assert answer.structure["asked"] == {"orders": [201]}
    assert answer.structure["names"]["orders"] == {"201": "Sunrise Park"}
    assert "agents" not in answer.structure["names"]


async def test_the_default_window_is_told_as_a_guess(dataset: Dataset) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answer = await asked(context, since=None)
    assert told(answer) == expected(dataset, since=NOW - 7 * DAY)
    assert notes_of(answer) == recorded("no_since_was_given_so_these")


@pytest.mark.parametrize("group_by", [("agent", "agent"), ("agent", "order", "day")])
async def test_at_most_two_different_groupings_are_wanted(dataset: Dataset, group_by: Sequence[str]) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        with pytest.raises(InvalidArgument, check=error_says("group_by_give_one_or_two", at_start=True)):
            await call_stats(context, CallQuery(), group_by=group_by, budget=MAX_BUDGET)


# Clocks that jump -----------------------------------------------------------------------------------------------------


async def test_the_day_on_which_the_clock_goes_back_has_twenty_five_hours() -> None:
    dataset = empty_dataset(now=datetime(2026, 10, 27, tzinfo=UTC))
    for hour in range(-2, 28):  # from 23:00 of Saturday to 03:00 of Monday, by London's clock
        dataset.add_call(created_at=datetime(2026, 10, 25, tzinfo=UTC) + timedelta(hours=hour, minutes=30))
    async with context_at(DemoLiner(dataset), now=dataset.now, zone="Europe/London") as context:
        by_hour = await asked(context, "hour", since="2026-10-25", until="2026-10-25")
        by_day = await asked(context, "day", since="2026-10-01")
    assert totals_of(by_hour)["calls"] == 25
    assert [(row["hour"], row["calls"]) for row in rows_of(by_hour)][:3] == [("00", 1), ("01", 2), ("02", 1)]
    assert {row["day"]: row["calls"] for row in rows_of(by_day)} == {
        "2026-10-24": 1,
        "2026-10-25": 25,
        "2026-10-26": 4,
    }
    assert by_hour.structure["window"] == {"since": "2026-10-25T00:00+01:00", "until": "2026-10-26T00:00+00:00"}


async def test_the_day_on_which_the_clock_goes_forward_has_twenty_three_hours() -> None:
    dataset = empty_dataset(now=datetime(2026, 3, 31, tzinfo=UTC))
    for hour in range(30):
        dataset.add_call(created_at=datetime(2026, 3, 29, tzinfo=UTC) + timedelta(hours=hour, minutes=30))
    async with context_at(DemoLiner(dataset), now=dataset.now, zone="Europe/London") as context:
        answer = await asked(context, "hour", since="2026-03-29", until="2026-03-29")
    assert {row["hour"] for row in rows_of(answer)} == {f"{hour:02d}" for hour in range(24) if hour != 1}
    assert totals_of(answer)["calls"] == 23


# What does not fit ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [2_000, 9_500, 24_000])
async def test_groups_that_do_not_fit_are_summed(dataset: Dataset, budget: int) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        full = await asked(context, "agent", "day", since="-40d", budget=10**6)
        cut = await asked(context, "agent", "day", since="-40d", budget=budget)
    assert cut.size <= budget
    every, shown = rows_of(full), rows_of(cut)
    assert len(every) > 420
    assert shown == every[: len(shown)]
    totals = totals_of(cut)
    others = totals.pop("other_groups", {"groups": 0})
    assert totals == totals_of(full) == sum_metrics(every)
    assert others.pop("groups") == len(every) - len(shown)
    if others:
        assert sum_metrics([*shown, others]) == totals
        assert page_of(cut)["complete"] is False
        assert notes_of(cut) == recorded("smaller_groups_did_not_fit_totals_other", len=len(every) - len(shown))
    assert bool(others) is (budget < full.size)
    assert "next_cursor" not in page_of(cut), "there is nothing to go on to"


# Dictionaries that fail -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dictionary", [STATUSES, "/v2/lead-status"])
async def test_qualified_is_unknown_when_a_dictionary_fails(dataset: Dataset, dictionary: str) -> None:
    async with context_at(AlteredLiner(DemoLiner(dataset), status_by_pattern={f"^{dictionary}": 500})) as context:
        answer = await asked(context)
    assert {row["qualified"] for row in rows_of(answer)} == {None}
    assert totals_of(answer)["qualified"] is None
    assert {key: group["calls"] for key, group in told(answer).items()} == {
        key: group["calls"] for key, group in expected(dataset).items()
    }
    note = "Which statuses qualify a lead could not be read from Liner, so qualified is unknown."
    assert answer.structure["notes"][0] == note


async def test_qualified_is_unknown_when_no_status_leads_to_a_verdict(dataset: Dataset) -> None:
    def unjudged(data: Any) -> Any:
        return [{**item, "category": None} for item in data]

    async with context_at(
        AlteredLiner(DemoLiner(dataset), change_by_pattern={"^/v2/lead-status": unjudged})
    ) as context:
        answer = await asked(context, since="yesterday")
    assert totals_of(answer)["qualified"] is None
    assert_says(notes_of(answer), "qualified_is_unknown")


async def test_without_the_orders_there_is_no_answer(dataset: Dataset) -> None:
    async with context_at(AlteredLiner(DemoLiner(dataset), status_by_pattern={f"^{ORDERS}": 500})) as context:
        with pytest.raises(LinerUnavailable):
            await asked(context)
        assert totals_of(await asked(context, orders=(201,)))["calls"] > 0


# Cut short ------------------------------------------------------------------------------------------------------------


def assert_parts_add_up(dataset: Dataset, first: Answer, rest: Answer) -> None:
    since, until = (datetime.fromisoformat(page_of(first)["covered"][end]) for end in ("since", "until"))
    assert until == NOW
    assert NOW - 15 * DAY <= since < NOW
    assert told(first) == expected(dataset, since=since)
    assert told(rest) == expected(dataset, since=LONG_AGO, until=since)
    assert sum_metrics([totals_of(first), totals_of(rest)]) == sum_metrics(expected(dataset, since=LONG_AGO).values())


async def rest_of(context: AppContext, first: Answer) -> Answer:
    """What its page says to ask next."""
    return await asked(context, **page_of(first)["next_window"])


@pytest.mark.virtual_time
async def test_a_deadline_gives_what_was_counted_and_how_to_count_the_rest(dataset: Dataset) -> None:
    blocking = BlockingLiner(dataset, older)
    async with context_at(blocking) as context:
        await context.directory.names("agents", "orders", "statuses")
        with anyio.fail_after(1.4):
            first = await asked(context, since="-40d")
        blocking.release()
        rest = await rest_of(context, first)
    assert_parts_add_up(dataset, first, rest)
    assert (page_of(first)["complete"], page_of(first)["liner_total"]) == (False, len(dataset.calls))
    assert_says(notes_of(first), "counted_is_page_covered_only_since", at_end=True)


async def test_a_slice_that_fails_gives_what_was_counted_and_how_to_count_the_rest(dataset: Dataset) -> None:
    past = FailingLiner(DemoLiner(dataset), older)
    async with context_at(past) as context:
        first = await asked(context, since="-40d")
        past.failing = False
        rest = await rest_of(context, first)
    assert_parts_add_up(dataset, first, rest)
    assert_says(notes_of(first), "liner_failed_to_answer_http_500", at_start=True)
    assert page_of(first)["covered"]["since"] == "2026-11-05T18:00+03:00"


async def test_the_rest_of_a_guessed_window_begins_where_the_guess_did() -> None:
    """`until` alone would guess another week, and the parts would add up to something else."""
    dataset = Dataset.generate(now=NOW, days=10, calls=2_000)
    weekend = FailingLiner(DemoLiner(dataset), lambda target: ends_by(target, NOW - 3 * DAY))
    async with context_at(weekend) as context:
        first = await asked(context, since=None)
        weekend.failing = False
        rest = await rest_of(context, first)
    assert page_of(first)["complete"] is False
    assert sum_metrics([totals_of(first), totals_of(rest)]) == sum_metrics(
        expected(dataset, since=NOW - 7 * DAY).values()
    )


async def test_a_part_without_calls_does_not_say_that_the_window_has_none(dataset: Dataset) -> None:
    async with context_at(FailingLiner(DemoLiner(dataset), older)) as context:
        answer = await asked(context, since="-40d", min_talk_seconds=100_000)
    assert rows_of(answer) == []
    assert "No call of this window" not in notes_of(answer)
    assert "liner_total" not in page_of(answer), "Liner did not count by this filter"


async def test_when_nothing_was_counted_the_reason_is_the_answer(dataset: Dataset) -> None:
    """An answer over an empty span would send whoever reads it round in circles."""
    lists = 0

    def all_but_the_count(target: str) -> bool:
        nonlocal lists
        lists += target.startswith("/v2/call/?")
        return target.startswith("/v2/call/?") and lists > 1

    async with context_at(FailingLiner(DemoLiner(dataset), all_but_the_count)) as context:
        with pytest.raises(LinerUnavailable):
            await asked(context, since="-40d")


@pytest.mark.virtual_time
async def test_time_is_spent_on_whole_slices_where_every_recorded_call_costs_a_request(dataset: Dataset) -> None:
    """Requests for 300 calls must give an answer about most of 300 calls, and not eight halves of one."""
    records = 0

    def spent(target: str) -> bool:
        nonlocal records
        records += "callId=" in target
        return records > 300

    blocking = BlockingLiner(dataset, spent)
    async with context_at(blocking) as context:
        await context.directory.names("agents", "orders", "statuses")
        with anyio.fail_after(1.5):
            answer = await asked(context, since="-40d", transferred=True)
    since = datetime.fromisoformat(page_of(answer)["covered"]["since"])
    examined = [call for call in calls_between(dataset, since, NOW) if call.has_records]
    assert min(records, 300) / 2 < len(examined) <= 300
    assert told(answer) == expected(dataset, since=since, test=transferred(dataset))


@pytest.mark.virtual_time
async def test_a_deadline_before_all_records_of_a_small_window_are_read_is_told(dataset: Dataset) -> None:
    async with context_at(BlockingLiner(dataset, lambda target: "callId=" in target)) as context:
        await context.directory.names("agents", "orders", "statuses")
        with pytest.raises(DeadlineExceeded), anyio.fail_after(1.0):
            await asked(context, since="today", transferred=True)


async def test_a_count_that_liner_never_lists_is_told(dataset: Dataset) -> None:
    def more(data: Any) -> Any:
        return {**data, "total": data["total"] + 3}

    async with context_at(AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: more})) as context:
        answer = await asked(context, since="yesterday")
    assert page_of(answer)["complete"] is False
    assert page_of(answer)["liner_total"] == totals_of(answer)["calls"] + 3
    assert notes_of(answer) == recorded("liner_counts_more_calls_in_this")


# Progress -------------------------------------------------------------------------------------------------------------


async def test_progress_counts_calls_read_and_reaches_their_number(dataset: Dataset) -> None:
    steps: list[tuple[int, int | None]] = []

    async def told_of(done: int, total: int | None) -> None:
        steps.append((done, total))

    async with context_at(DemoLiner(dataset)) as context:
        await asked(context, since="-40d", progress=told_of)
    assert len(steps) == 8
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    assert steps[-1] == (len(dataset.calls), len(dataset.calls))
