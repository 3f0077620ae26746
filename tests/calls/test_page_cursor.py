"""Where a page begins: cursors hold a question, agree with it, and are checked like any argument."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from liner_mcp.answer.cursor import decode_cursor, encode_cursor
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.page_cursor import MAX_CHARACTERS, PageStart, encode_page_cursor, resolve_page_start
from liner_mcp.demo import DemoLiner
from liner_mcp.errors import InvalidArgument
from tests.calls.support import context_at
from tests.conftest import NOW
from tests.support.sentences import assert_says, recorded

pytestmark = pytest.mark.anyio

TOOL = "find_calls"
NOTHING = CallQuery()
MOMENT = datetime(2026, 11, 18, 9, 30, 0, 250_000, tzinfo=UTC)
QUESTION = CallQuery(
    since="last_week", until="2026-11-19", orders=("Sunrise Park", 202), agents=("Anna Petrova",), recorded=True
)
# Far apart, so that they cannot be packed small.
MANY_IDS = tuple(1_000_000 + number * number * 7_919 % 8_999_993 for number in range(1, 301))
MANY_ORDERS = CallQuery(since="-7d", orders=MANY_IDS, min_talk_seconds=30)
UNREADABLE = "cursor cannot be read. Ask again without it to start at the first page."


async def page_start_of(
    liner: DemoLiner,
    question: CallQuery = NOTHING,
    cursor: str | None = None,
    include: tuple[str, ...] = (),
    now: datetime = NOW,
) -> PageStart:
    async with context_at(liner, now=now) as context:
        return await resolve_page_start(context, TOOL, question, include, cursor)


async def refusal(liner: DemoLiner, question: CallQuery, cursor: str) -> str:
    with pytest.raises(InvalidArgument) as raised:
        await page_start_of(liner, question, cursor)
    return str(raised.value)


async def cursor_after(liner: DemoLiner, question: CallQuery, include: tuple[str, ...] = ()) -> str:
    start = await page_start_of(liner, question, include=include)
    return encode_page_cursor(TOOL, replace(start, after=(MOMENT, 7000123), returned=50, seconds_per_call=12.34))


async def test_a_cursor_alone_gives_back_the_question_the_frozen_window_and_the_place(liner: DemoLiner) -> None:
    start = await page_start_of(liner, QUESTION, include=("phone",))
    cursor = encode_page_cursor(TOOL, replace(start, after=(MOMENT, 7000123), returned=50, seconds_per_call=12.34))
    later = await page_start_of(liner, cursor=cursor, now=NOW + timedelta(days=30))
    assert (later.query, later.filters, later.window, later.layout.include) == (
        QUESTION,
        start.filters,
        start.window,
        ("phone",),
    )
    assert (later.after, later.returned, later.seconds_per_call, later.lossy) == ((MOMENT, 7000123), 50, 12.3, False)
    assert later.remaining.since == start.window.since
    assert later.remaining.contains(MOMENT), "the moment of the last row may hold more rows"
    assert not later.remaining.contains(MOMENT + timedelta(microseconds=1))


async def test_a_place_between_two_moments_does_not_read_the_later_one_again(liner: DemoLiner) -> None:
    start = await page_start_of(liner, QUESTION)
    later = await page_start_of(liner, cursor=encode_page_cursor(TOOL, replace(start, after=(MOMENT, 0))))
    assert not later.remaining.contains(MOMENT)
    assert later.seconds_per_call is None


async def test_every_order_is_looked_up_again_instead_of_being_carried_along(liner: DemoLiner) -> None:
    cursor = await cursor_after(liner, CallQuery(since="last_month", until="today"))
    assert decode_cursor(TOOL, cursor)["f"] == {"all_orders": True}
    later = await page_start_of(liner, cursor=cursor)
    assert later.filters.all_orders
    assert set(later.filters.orders) == {order.id for order in liner.dataset.orders}


async def test_the_same_filters_may_be_sent_beside_a_cursor(liner: DemoLiner) -> None:
    cursor = await cursor_after(liner, QUESTION)
    assert (await page_start_of(liner, QUESTION, cursor)).query == QUESTION
    assert (await page_start_of(liner, CallQuery(recorded=True), cursor)).query == QUESTION


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        ({"since": "today"}, recorded("since_was_last_week_there")),
        ({"agents": (101,)}, recorded("agents_was_anna_petrova_there")),
        ({"recorded": False}, recorded("recorded_was_true_there")),
        ({"min_talk_seconds": 0}, recorded("min_talk_seconds_was_not_given")),
        ({"hung_up_by": "client"}, recorded("hung_up_by_was_not_given")),
        ({"leads": (1, 2)}, recorded("leads_was_not_given_there")),
    ],
)
async def test_a_filter_that_disagrees_with_the_cursor_is_refused_and_named(
    liner: DemoLiner, beside: dict[str, Any], told: str
) -> None:
    cursor = await cursor_after(liner, QUESTION)
    assert await refusal(liner, CallQuery(**beside), cursor) == (
        recorded("cursor_belongs_to_another_question_send", told=told)
    )


async def test_other_columns_may_be_asked_for_on_a_later_page(liner: DemoLiner) -> None:
    cursor = await cursor_after(liner, QUESTION, include=("phone",))
    assert (await page_start_of(liner, cursor=cursor)).layout.include == ("phone",)
    assert (await page_start_of(liner, cursor=cursor, include=("lead_id",))).layout.include == ("lead_id",)


# Too long for a cursor ------------------------------------------------------------------------------------------------


async def test_a_long_question_leaves_its_digest_and_the_same_arguments_go_on(liner: DemoLiner) -> None:
    cursor = await cursor_after(liner, MANY_ORDERS)
    assert len(cursor) <= MAX_CHARACTERS
    assert "q" not in decode_cursor(TOOL, cursor)
    later = await page_start_of(liner, MANY_ORDERS, cursor, now=NOW + timedelta(days=3))
    assert later.filters.orders == MANY_ORDERS.orders
    assert (later.after, later.returned) == ((MOMENT, 7000123), 50)
    assert later.window.until == NOW, "the window stays frozen"


@pytest.mark.parametrize(
    "question",
    [
        CallQuery(),
        CallQuery(since="-7d", orders=MANY_IDS[:-1], min_talk_seconds=30),
        CallQuery(since="-8d", orders=MANY_IDS, min_talk_seconds=30),
        CallQuery(since="-7d", orders=MANY_IDS),
    ],
)
async def test_other_arguments_do_not_go_on_with_a_digest(liner: DemoLiner, question: CallQuery) -> None:
    assert await refusal(liner, question, await cursor_after(liner, MANY_ORDERS)) == (
        recorded("cursor_the_question_was_too_long")
    )


# Crafted and mangled --------------------------------------------------------------------------------------------------

SINCE, UNTIL, AT = 1_763_000_000, 1_764_000_000, 1_763_500_000
GOOD: dict[str, Any] = {"w": [SINCE, UNTIL], "k": [AT, 7], "g": 1, "i": [], "p": 1.5, "q": {}, "f": {"leads": [5]}}


async def test_the_crafted_cursor_that_the_next_test_alters_is_good(liner: DemoLiner) -> None:
    assert (await page_start_of(liner, cursor=encode_cursor(TOOL, GOOD))).filters.leads == (5,)


@pytest.mark.parametrize(
    "faulty",
    [
        {"w": None},
        {"w": [SINCE]},
        {"w": ["a", "b"]},
        {"w": ["inf", "nan"]},
        {"w": [SINCE, 10**30]},
        {"w": [SINCE, 253_402_300_799]},
        {"w": [-62_135_596_800, UNTIL]},
        {"w": [UNTIL, SINCE]},
        {"k": 5},
        {"k": [AT]},
        {"k": [AT, "x"]},
        {"k": [AT, None]},
        {"k": [SINCE - 1, 7]},
        {"k": [UNTIL + 1, 7]},
        {"g": None},
        {"g": -1},
        {"g": []},
        {"i": None},
        {"i": 7},
        {"i": "phone"},
        {"i": ["fileUrl"]},
        {"i": [["phone"]]},
        {"p": "fast"},
        {"p": "nan"},
        {"p": "inf"},
        {"p": []},
        {"q": 5},
        {"q": {"orders": {}}},
        {"q": {"since": [1]}},
        {"f": []},
        {"f": {"orders": ["x"]}},
        {"f": {"recorded": "perhaps"}},
        {"f": {"leads": {"a": 1}}},
        {"d": "both"},
    ],
    ids=str,
)
async def test_a_crafted_cursor_with_wrong_content_is_refused_in_one_sentence(
    liner: DemoLiner, faulty: dict[str, Any]
) -> None:
    assert await refusal(liner, CallQuery(), encode_cursor(TOOL, {**GOOD, **faulty})) == UNREADABLE


@pytest.mark.parametrize("missing", ["w", "k", "g", "i", "f"])
async def test_a_crafted_cursor_with_a_part_missing_is_refused_in_one_sentence(liner: DemoLiner, missing: str) -> None:
    state = {name: value for name, value in GOOD.items() if name != missing}
    assert await refusal(liner, CallQuery(), encode_cursor(TOOL, state)) == UNREADABLE


async def test_a_cursor_of_another_tool_or_a_mangled_one_is_refused(liner: DemoLiner) -> None:
    sentence = await refusal(liner, CallQuery(), encode_cursor("list_call_records", GOOD))
    assert sentence == recorded("cursor_belongs_to_another_tool_not")
    assert_says(await refusal(liner, CallQuery(), encode_cursor(TOOL, GOOD)[:-1]), "cannot_be_read")
