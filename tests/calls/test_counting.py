"""Counting by groups: medians, sums, and that it does not matter in which parts calls are counted."""

from __future__ import annotations

import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from liner_mcp.calls import counting
from liner_mcp.calls.columns import GROUPINGS
from liner_mcp.calls.group_rows import Question, arrange
from liner_mcp.liner.models import Call
from liner_mcp.timezone import Zone
from tests.support.context import MAX_BUDGET

MOSCOW, LONDON = Zone.resolve("Europe/Moscow"), Zone.resolve("Europe/London")
QUALIFYING = frozenset({"qualified", "transferred_to_sales"})
MOMENT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # a Friday

CALL: dict[str, Any] = {
    "user_id": 101,
    "order_id": 201,
    "status_code": "call_back",
    "finish_initiator": "client",
    "talk_time_duration_seconds": 60,
    "wait_time_duration_seconds": 5,
    "has_records": True,
    "created_at": MOMENT,
}


def call(number: int = 1, **changes: Any) -> Call:
    return Call(id=number, **{**CALL, **changes})


def tallied(calls: list[Call], *group_by: str, zone: Zone = MOSCOW) -> counting.Tallies:
    return counting.tally(calls, group_by or ("agent",), zone, QUALIFYING)


def told(calls: list[Call], *group_by: str, knows_verdicts: bool = True) -> list[dict[str, Any]]:
    """Rows with the names of their columns."""
    group_by = group_by or ("agent",)
    question = Question(group_by)
    rows = arrange(tallied(calls, *group_by), question, MAX_BUDGET, qualified_known=knows_verdicts).rows
    return [dict(zip(question.columns, row, strict=True)) for row in rows]


@st.composite
def some_calls(draw: st.DrawFn) -> list[Call]:
    changes = st.fixed_dictionaries(
        {
            "user_id": st.sampled_from([None, 101, 102, 103]),
            "order_id": st.sampled_from([None, 201, 202]),
            "status_code": st.sampled_from([None, "qualified", "call_back", "unheard_of"]),
            "finish_initiator": st.sampled_from([None, "client", "operator", "system"]),
            "talk_time_duration_seconds": st.sampled_from([None, 0, 1, 2, 7, 60, 61]),
            "wait_time_duration_seconds": st.sampled_from([None, 0, 1, 5, 8]),
            "has_records": st.sampled_from([None, False, True]),
            "created_at": st.integers(0, 500).map(lambda hours: MOMENT - timedelta(hours=hours)),
        }
    )
    return [call(number, **some) for number, some in enumerate(draw(st.lists(changes, max_size=30)))]


GROUPED = st.lists(st.sampled_from(GROUPINGS), min_size=1, max_size=2, unique=True)


# Medians --------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 50), min_size=1))
def test_the_median_is_exact(numbers: list[int]) -> None:
    found = counting.median(Counter(numbers))
    assert found == statistics.median(numbers)
    assert isinstance(found, int) is float(statistics.median(numbers)).is_integer()


@pytest.mark.parametrize(
    ("numbers", "median"),
    [([7], 7), ([1, 2], 1.5), ([1, 3], 2), ([0, 0, 9], 0), ([5, 5, 5, 5], 5), ([1, 1, 2, 2], 1.5)],
)
def test_the_median_of_a_few(numbers: list[int], median: float) -> None:
    assert counting.median(Counter(numbers)) == median


def test_nothing_has_no_median() -> None:
    assert counting.median(Counter()) is None


# One call -------------------------------------------------------------------------------------------------------------


def test_metrics_stand_in_the_order_that_was_promised() -> None:
    assert list(told([call()])[0]) == [
        "agent_id",
        "calls",
        "answered",
        "recorded",
        "talk_total_seconds",
        "talk_median_seconds",
        "wait_median_seconds",
        "agent_hangups",
        "qualified",
    ]


def test_every_grouping_has_its_column() -> None:
    assert tuple(counting.KEY_COLUMNS) == GROUPINGS
    for grouping in GROUPINGS:
        assert list(told([call()], grouping)[0])[:2] == [counting.KEY_COLUMNS[grouping], "calls"]


def test_an_answered_call_counts_in_full() -> None:
    (row,) = told([call(finish_initiator="operator", status_code="qualified")])
    assert list(row.values()) == [101, 1, 1, 1, 60, 60, 5, 1, 1]


def test_an_unanswered_call_has_no_medians_however_long_it_rang() -> None:
    (row,) = told([call(talk_time_duration_seconds=0, wait_time_duration_seconds=40, has_records=False)])
    assert list(row.values()) == [101, 1, 0, 0, 0, None, None, 0, 0]


def test_an_unanswered_call_does_not_move_the_medians_of_answered_ones() -> None:
    (row,) = told([call(1), call(2, talk_time_duration_seconds=0, wait_time_duration_seconds=40)])
    assert (row["calls"], row["answered"]) == (2, 1)
    assert (row["talk_median_seconds"], row["wait_median_seconds"]) == (60, 5)


UNKNOWN_WITHOUT = {
    "talk_time_duration_seconds": {"answered", "talk_total_seconds", "talk_median_seconds", "wait_median_seconds"},
    "wait_time_duration_seconds": {"wait_median_seconds"},
    "has_records": {"recorded"},
    "status_code": {"qualified"},
    "finish_initiator": {"agent_hangups"},
}


@pytest.mark.parametrize("field", UNKNOWN_WITHOUT)
@pytest.mark.parametrize("others", [0, 3])
def test_what_a_field_that_was_not_sent_would_change_is_unknown_and_not_zero(field: str, others: int) -> None:
    bare = Call(id=9, **{name: value for name, value in CALL.items() if name != field})
    groups = tallied([bare, *[call(n) for n in range(others)]])
    (row,) = told([bare, *[call(n) for n in range(others)]])
    assert {name for name, cell in row.items() if cell is None} == UNKNOWN_WITHOUT[field]
    totals = counting.totals(groups.values(), qualified_known=True)
    assert {name for name, cell in totals.items() if cell is None} == UNKNOWN_WITHOUT[field] & set(counting.ADDITIVE)
    assert to_camel(field) in " ".join(counting.unknown_notes(groups))


def test_a_wait_that_liner_does_not_send_does_not_matter_for_an_unanswered_call() -> None:
    (row,) = told([call(1), call(2, talk_time_duration_seconds=0, wait_time_duration_seconds=None)])
    assert row["wait_median_seconds"] == 5


def test_a_missing_agent_is_not_no_agent() -> None:
    bare = Call(id=9, **{name: value for name, value in CALL.items() if name != "user_id"})
    assert tallied([bare])[None,].unknown_keys == {"user_id"}
    assert tallied([call(user_id=None)])[None,].unknown_keys == set()
    hung_up = bare.model_copy(update={"finish_initiator": "operator"})
    (row,) = told([hung_up], "day")
    assert row["agent_hangups"] is None


def test_where_nothing_but_ids_and_times_is_sent_only_calls_are_counted() -> None:
    bare = [Call(id=n, created_at=MOMENT) for n in range(4)]
    (row,) = told(bare)
    assert {name: cell for name, cell in row.items() if cell is not None} == {"calls": 4}


@pytest.mark.parametrize("who", ["client", "system", None, "somebody_new"])
def test_only_the_operator_hangs_up_as_agent(who: str | None) -> None:
    assert told([call(finish_initiator=who)])[0]["agent_hangups"] == 0


def test_where_there_is_no_agent_none_can_hang_up() -> None:
    """What ended such a call was a bot or the dialler; it must not be counted under an order or a day either."""
    calls = [call(1, finish_initiator="operator"), call(2, finish_initiator="operator", user_id=None)]
    assert {row["agent_id"]: row["agent_hangups"] for row in told(calls)} == {101: 1, None: None}
    assert told(calls, "order")[0]["agent_hangups"] == 1
    assert [row["agent_hangups"] for row in told(calls, "day", "agent")] == [1, None]
    assert counting.totals(tallied(calls).values(), qualified_known=True)["agent_hangups"] == 1


def test_without_the_dictionaries_qualified_is_unknown_and_not_zero() -> None:
    calls = [call(1, status_code="qualified"), call(2)]
    assert told(calls)[0]["qualified"] == 1
    assert told(calls, knows_verdicts=False)[0]["qualified"] is None
    assert counting.totals(tallied(calls).values(), qualified_known=False)["qualified"] is None


# Groups ---------------------------------------------------------------------------------------------------------------


def test_unknown_statuses_and_missing_orders_are_groups_of_their_own() -> None:
    calls = [call(1, status_code="unheard_of"), call(2, status_code=None), call(3, order_id=None), call(4, order_id=0)]
    assert {(row["status"], row["order_id"]): row["calls"] for row in told(calls, "status", "order")} == {
        ("unheard_of", 201): 1,
        (None, 201): 1,
        ("call_back", None): 2,
    }


def test_day_hour_and_weekday_are_those_of_the_zone() -> None:
    late = call(created_at=datetime(2026, 11, 19, 21, 30, tzinfo=UTC))  # half past midnight on Friday in Moscow
    assert [*tallied([late], "day")] == [("2026-11-20",)]
    assert [*tallied([late], "hour", "weekday")] == [("00", "Fri")]
    assert [*tallied([late], "hour", "weekday", zone=LONDON)] == [("21", "Thu")]
    assert [*tallied([late], "day", "hour", zone=Zone.resolve("Asia/Kathmandu"))] == [("2026-11-20", "03")]


def test_an_hour_that_the_clock_repeats_is_one_hour_and_a_skipped_one_none() -> None:
    autumn = [call(n, created_at=datetime(2026, 10, 25, n, 30, tzinfo=UTC)) for n in range(3)]
    assert {key: group.calls for key, group in tallied(autumn, "hour", zone=LONDON).items()} == {("01",): 2, ("02",): 1}
    spring = [call(n, created_at=datetime(2026, 3, 29, n, 30, tzinfo=UTC)) for n in range(3)]
    assert [*tallied(spring, "hour", zone=LONDON)] == [("00",), ("02",), ("03",)]
    assert {*tallied([*autumn, *spring], "day", zone=LONDON)} == {("2026-10-25",), ("2026-03-29",)}


def test_weekdays_are_the_seven_three_letter_ones() -> None:
    week = [call(n, created_at=MOMENT + timedelta(days=n)) for n in range(7)]
    assert [key for (key,) in tallied(week, "weekday")] == ["Fri", "Sat", "Sun", "Mon", "Tue", "Wed", "Thu"]


def test_most_calls_come_first_then_the_key_and_what_has_none_last() -> None:
    users = [103, 103, 103, 1002, 1002, 99, None, 101]
    rows = told([call(n, user_id=user) for n, user in enumerate(users)])
    assert [(row["agent_id"], row["calls"]) for row in rows] == [(103, 3), (1002, 2), (99, 1), (101, 1), (None, 1)]


# Parts and wholes -----------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(some_calls(), GROUPED, st.data())
def test_it_does_not_matter_in_which_parts_calls_are_counted(
    calls: list[Call], group_by: list[str], data: st.DataObject
) -> None:
    ends = sorted(data.draw(st.lists(st.integers(0, len(calls)), max_size=4)))
    parts = [calls[start:end] for start, end in zip([0, *ends], [*ends, len(calls)], strict=True)]
    order = data.draw(st.permutations(parts))
    assert counting.merge_tallies(tallied(part, *group_by) for part in order) == tallied(calls, *group_by)


def test_adding_up_leaves_the_parts_as_they_were() -> None:
    part, other = tallied([call(1)]), tallied([call(2)])
    assert counting.merge_tallies([part, other])[101,].calls == 2
    assert (part[101,].calls, other[101,].calls) == (1, 1)
    assert sum(part[101,].talk.values()) == 1


@settings(deadline=None)
@given(some_calls(), GROUPED)
def test_totals_are_the_sums_of_the_rows(calls: list[Call], group_by: list[str]) -> None:
    totals = counting.totals(tallied(calls, *group_by).values(), qualified_known=True)
    rows = told(calls, *group_by)
    has_agent = [row for row in rows if "agent_id" not in row or row["agent_id"] is not None]
    for name, total in totals.items():
        cells = [row[name] for row in (has_agent if name == "agent_hangups" else rows)]
        assert total == (None if None in cells else sum(cells))
    assert [*totals] == [name for name in counting.METRICS if "median" not in name]


def test_memory_grows_with_durations_and_not_with_calls() -> None:
    groups = tallied([call(n, talk_time_duration_seconds=60 + n % 3) for n in range(3_000)])
    assert len(groups[101,].talk) == 3
    assert len(groups[101,].wait) == 1
