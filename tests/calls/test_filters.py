"""Which calls are meant, what Liner is asked, and what is left for us to check."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liner_mcp.calls.filters import Filters
from liner_mcp.calls.time_window import TimeWindow
from liner_mcp.liner.endpoints import MAX_IDS, MAX_TARGET_CHARACTERS
from liner_mcp.liner.models import Call

WINDOW = TimeWindow(datetime(2026, 11, 19, 21, tzinfo=UTC), datetime(2026, 11, 20, 15, tzinfo=UTC))
CALL: dict[str, Any] = {
    "id": 1,
    "user_id": 101,
    "order_id": 201,
    "lead_id": 5,
    "status_code": "qualified",
    "direction": "outgoing",
    "finish_initiator": "client",
    "talk_time_duration_seconds": 60,
    "has_records": True,
    "created_at": datetime(2026, 11, 20, tzinfo=UTC),
}


def call(**changes: Any) -> Call:
    return Call(**{**CALL, **changes})


PASSING: list[dict[str, Any]] = [
    {},
    {"orders": (200, 201)},
    {"orders": (200,), "all_orders": True},
    {"leads": (5,)},
    {"agents": (100, 101)},
    {"statuses": ("qualified",)},
    {"direction": "outgoing"},
    {"hung_up_by": "client"},
    {"min_talk_seconds": 60, "max_talk_seconds": 60},
    {"recorded": True},
    {"transferred": True},
]
FAILING: list[dict[str, Any]] = [
    {"orders": (200,)},
    {"leads": (6,)},
    {"agents": (100,)},
    {"statuses": ("no_answer",)},
    {"direction": "incoming"},
    {"hung_up_by": "operator"},
    {"min_talk_seconds": 61},
    {"max_talk_seconds": 59},
    {"recorded": False},
]


@pytest.mark.parametrize("asked", PASSING, ids=str)
def test_a_call_that_fits_passes(asked: dict[str, Any]) -> None:
    assert Filters(**asked).matching([call()])


@pytest.mark.parametrize("asked", FAILING, ids=str)
def test_a_call_that_does_not_fit_is_left_out(asked: dict[str, Any]) -> None:
    assert not Filters(**asked).matching([call()])


@pytest.mark.parametrize(
    ("asked", "passes"),
    [
        ({"agents": (101,)}, False),
        ({"hung_up_by": "client"}, False),
        ({"min_talk_seconds": 0}, None),
        ({"min_talk_seconds": 1}, None),
        ({"max_talk_seconds": 10}, None),
        ({"direction": "outgoing"}, None),
        ({"orders": (201,)}, None),
        ({"leads": (5,)}, None),
        ({"statuses": ("qualified",)}, None),
        ({"recorded": True}, None),
        ({"recorded": False}, None),
        ({"agents": (101,), "recorded": True}, False),
    ],
)
def test_null_is_known_where_it_has_a_meaning_and_else_leaves_a_filter_undecided(
    asked: dict[str, Any], passes: bool | None
) -> None:
    blank = {name: None for name in CALL if name not in ("id", "created_at")}
    assert verdict(Filters(**asked), call(**blank)) is passes


@pytest.mark.parametrize("asked", [*PASSING[1:2], *PASSING[3:-1], *FAILING], ids=str)
def test_a_field_that_was_not_sent_leaves_its_filter_undecided(asked: dict[str, Any]) -> None:
    assert verdict(Filters(**asked), Call(id=1, created_at=CALL["created_at"])) is None


def test_a_call_without_a_time_is_undecided_by_its_window() -> None:
    filters = Filters(recorded=True)
    assert filters.undecided([call(created_at=None)]) == {1: ("window",)}
    assert filters.undecided([call(created_at=None, has_records=None)]) == {1: ("window", "recorded")}


def verdict(filters: Filters, one: Call) -> bool | None:
    if not filters.matching([one]):
        return False
    return None if filters.undecided([one]) else True


def test_no_talk_is_a_talk_of_at_most_ten_seconds() -> None:
    assert Filters(max_talk_seconds=10).matching([call(talk_time_duration_seconds=0)])


# What Liner is asked --------------------------------------------------------------------------------------------------

ids = st.lists(st.integers(1, 2**53 - 1), unique=True, max_size=320).map(tuple)


@settings(max_examples=60)
@given(
    orders=ids, leads=ids, agents=ids, statuses=st.lists(st.integers(1, 9_999), unique=True, max_size=300).map(tuple)
)
def test_every_request_line_stays_short_and_together_they_ask_for_everything(
    orders: tuple[int, ...], leads: tuple[int, ...], agents: tuple[int, ...], statuses: tuple[int, ...]
) -> None:
    codes = tuple(f"code-{one}" for one in statuses)
    filters = Filters(orders, leads, agents, codes, statuses)
    requests = filters.call_filters(WINDOW)
    assert all(len(which.query().page(90_000, 100).target) <= MAX_TARGET_CHARACTERS for which in requests)
    by = "lead_ids" if leads else "order_ids"
    assert tuple(one for which in requests for one in getattr(which, by)) == (leads or orders)
    sent = {(which.user_ids, which.status_ids) for which in requests}
    assert sent <= {(some, other) for some in (agents, ()) for other in (statuses, ())}
    for users, some_statuses in sent:
        # What is not sent is checked here, and said so.
        assert ("agents" in filters.client_side) is (bool(agents) and not users)
        assert ("statuses" in filters.client_side) is (bool(statuses) and not some_statuses)
    assert ("orders" in filters.client_side) is (bool(orders) and bool(leads))


@pytest.mark.parametrize(
    ("agents", "statuses", "sent", "ours"),
    [
        (tuple(range(101, 110)), tuple(range(51, 60)), ("agents", "statuses"), []),
        (tuple(range(101, 300)), tuple(range(51, 60)), ("statuses",), ["agents"]),
        ((101,), tuple(range(51, 300)), ("agents",), ["statuses"]),
        (tuple(range(101, 300)), tuple(range(51, 300)), (), ["agents", "statuses"]),
        ((), tuple(range(51, 300)), (), ["statuses"]),
    ],
)
def test_ids_that_would_fill_the_line_are_not_sent_but_checked_here(
    agents: tuple[int, ...], statuses: tuple[int, ...], sent: tuple[str, ...], ours: list[str]
) -> None:
    filters = Filters(tuple(range(201, 400)), (), agents, tuple(f"code_{one}" for one in statuses), statuses)
    requests = filters.call_filters(WINDOW)
    assert {which.user_ids for which in requests} == {agents if "agents" in sent else ()}
    assert {which.status_ids for which in requests} == {statuses if "statuses" in sent else ()}
    assert all(len(which.query().page(90_000, 100).target) <= MAX_TARGET_CHARACTERS for which in requests)
    assert filters.client_side == ours


def test_few_ids_are_one_request() -> None:
    (which,) = Filters((201, 202), (), (101,), ("qualified",), (51,)).call_filters(WINDOW)
    assert (which.order_ids, which.lead_ids, which.user_ids, which.status_ids) == ((201, 202), (), (101,), (51,))
    assert (which.since, which.until) == (WINDOW.since, WINDOW.until)


def test_three_hundred_orders_are_a_handful_of_requests() -> None:
    requests = Filters(tuple(range(1_001, 1_301))).call_filters(WINDOW)
    assert len(requests) == 6
    assert {len(which.order_ids) for which in requests} == {MAX_IDS}


def test_fractions_of_a_second_at_the_edges_are_asked_for_with_their_whole_seconds() -> None:
    half = timedelta(microseconds=500_000)
    (which,) = Filters((201,)).call_filters(TimeWindow(WINDOW.since + half, WINDOW.until + half))
    assert (which.since, which.until) == (WINDOW.since, WINDOW.until + timedelta(seconds=1))


def test_no_orders_and_no_leads_are_no_request() -> None:
    assert Filters(all_orders=True).call_filters(WINDOW) == []


# What is ours ---------------------------------------------------------------------------------------------------------


def test_what_liner_cannot_check_is_named() -> None:
    everything = Filters(
        (201,),
        (5,),
        (101,),
        ("odd_code",),
        (),
        direction="incoming",
        min_talk_seconds=0,
        max_talk_seconds=10,
        recorded=False,
        transferred=False,
        hung_up_by="client",
    )
    assert everything.client_side == [
        "orders",
        "statuses",
        "direction",
        "min_talk_seconds",
        "max_talk_seconds",
        "recorded",
        "transferred",
        "hung_up_by",
    ]
    assert Filters((201,), (), (101,), ("qualified",), (51,)).client_side == []
    assert Filters(orders=(201, 202), all_orders=True).client_side == []


@pytest.mark.parametrize(
    ("asked", "leaks"),
    [
        ({"orders": (200,)}, True),
        ({"leads": (6,)}, True),
        ({"orders": (201,), "agents": (100,)}, True),
        ({"orders": (201,), "statuses": ("no_answer",), "status_ids": (53,)}, True),
        ({"orders": (201,), "statuses": ("no_answer",)}, False),
        ({"orders": (200,), "leads": (5,)}, False),
        ({"orders": (200,), "all_orders": True}, False),
        ({"orders": (201,), "recorded": False, "min_talk_seconds": 99}, False),
        ({"orders": (201,), "agents": tuple(range(100_000, 100_100))}, False),
    ],
)
def test_liner_leaks_only_what_it_was_asked_to_leave_out(asked: dict[str, Any], leaks: bool) -> None:
    assert Filters(**asked).violated_by(call()) is leaks


def test_what_was_narrowed_is_echoed_and_every_order_is_not() -> None:
    assert Filters((201, 202), all_orders=True, recorded=False, min_talk_seconds=0).echo() == {
        "min_talk_seconds": 0,
        "recorded": False,
    }
    assert Filters((201,), (5,), (101,), ("qualified",), (51,)).echo() == {
        "orders": [201],
        "leads": [5],
        "agents": [101],
        "statuses": ["qualified"],
    }


def test_every_order_goes_into_a_cursor_by_its_flag_alone() -> None:
    assert Filters(tuple(range(201, 501)), all_orders=True, recorded=True).to_state() == {
        "all_orders": True,
        "recorded": True,
    }
    assert Filters((201,)).to_state() == {"orders": (201,)}
