"""Windows that Liner reads otherwise than they are meant: in another zone, or not at all. And lists without an end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client

from liner_mcp.calls.time_window import TimeWindow
from liner_mcp.calls.window_shift import MARGIN, shift_hours, shift_note
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from tests.calls.support import (
    CALL_LIST,
    context_at,
    empty_dataset,
    expected_ids,
    find,
    find_all_pages,
    ids_of,
    notes_of,
    page_of,
)
from tests.calls.test_incomplete_directories import Ask, each_way_to_ask
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.support.account import ACCOUNT
from tests.support.context import AlteredLiner, rows_of, with_total
from tests.support.sentences import assert_says, recorded

pytestmark = pytest.mark.anyio

CALLS = "/v2/call/"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAY_START, DAY_END = datetime(2026, 11, 18, 21, tzinfo=UTC), datetime(2026, 11, 19, 21, tzinfo=UTC)
MORNING: dict[str, Any] = {"since": "2026-11-19T10:00", "until": "2026-11-19T13:00"}
MORNING_START, MORNING_END = datetime(2026, 11, 19, 7, tzinfo=UTC), datetime(2026, 11, 19, 10, tzinfo=UTC)


@each_way_to_ask
@pytest.mark.parametrize("hours", [-14, -3, 3])
async def test_a_window_read_in_another_zone_gives_its_own_calls_and_says_so(
    dataset: Dataset, ask: Ask, hours: int
) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        expected = await ask(context, **MORNING)
    async with context_at(FakeLiner(dataset, window_shift=hours * HOUR)) as context:
        answer = await ask(context, **MORNING)
    assert rows_of(answer) == rows_of(expected)
    assert shift_note(hours, complete=True) in notes_of(answer)
    assert page_of(answer)["complete"] is True, "calls from before and after the window came with the wider request"
    assert "liner_total" not in page_of(answer)


@each_way_to_ask
async def test_a_shifted_window_that_ends_now_is_not_called_complete(dataset: Dataset, ask: Ask) -> None:
    """No call is later than now, so nothing shows that the newest calls came."""
    async with context_at(DemoLiner(dataset)) as context:
        expected = await ask(context, since="-4h")
    async with context_at(FakeLiner(dataset, window_shift=-3 * HOUR)) as context:
        answer = await ask(context, since="-4h")
    assert rows_of(answer) == rows_of(expected)
    assert page_of(answer)["complete"] is False
    assert shift_note(-3, complete=False) in notes_of(answer)


@each_way_to_ask
async def test_a_shift_that_empties_the_window_is_noticed(ask: Ask) -> None:
    dataset = empty_dataset()
    for minutes in range(0, 60, 10):
        dataset.add_call(created_at=MORNING_START + timedelta(minutes=minutes), has_records=True)
    for days in (-0.5, 0.5):
        dataset.add_call(created_at=MORNING_START + days * DAY)
    async with context_at(DemoLiner(dataset)) as context:
        expected = await ask(context, **MORNING)
    async with context_at(FakeLiner(dataset, window_shift=3 * HOUR)) as context:
        answer = await ask(context, **MORNING)
    assert rows_of(answer) == rows_of(expected) != []
    assert_says(notes_of(answer), "a_wider_request_was_made")


@each_way_to_ask
@pytest.mark.parametrize("quiet", ["2026-11-20T02:00", "2026-11-20T02:01"])
async def test_an_empty_window_costs_one_request_more_and_stays_complete(ask: Ask, quiet: str) -> None:
    dataset = empty_dataset()
    dataset.add_call(created_at=DAY_END - HOUR)
    demo = FakeLiner(dataset)
    async with context_at(demo) as context:
        answer = await ask(context, since=quiet, until="2026-11-20T03:00")
        assert (rows_of(answer), page_of(answer)["complete"]) == ([], True)
        asked = demo.count(CALL_LIST)
        assert asked == 3  # the third checks once that windows are read in UTC
        await ask(context, since=quiet, until="2026-11-20T03:00")
    assert demo.count(CALL_LIST) == asked + 2


async def test_every_page_of_a_shifted_window_holds_its_own_calls(dataset: Dataset) -> None:
    async with context_at(FakeLiner(dataset, window_shift=-3 * HOUR)) as context:
        answers = await find_all_pages(context, since="2026-11-18", until="2026-11-18", limit=20)
    assert ids_of(answers) == expected_ids(dataset, DAY_START - DAY, DAY_START)
    assert page_of(answers[-1])["complete"] is True
    assert all("a wider request was made for them" in notes_of(answer) for answer in answers)


@each_way_to_ask
async def test_a_window_that_ends_now_and_is_read_later_is_not_called_complete(dataset: Dataset, ask: Ask) -> None:
    """Its first hours are missing, and no call of another time comes: a call that came is requested again."""
    async with context_at(FakeLiner(dataset, window_shift=3 * HOUR)) as context:
        answer = await ask(context, since="-24h")
    assert page_of(answer)["complete"] is False
    assert "some may be missing here" in notes_of(answer)


async def test_calls_of_the_first_and_of_the_last_hour_show_without_a_request_how_windows_are_read() -> None:
    dataset = empty_dataset()
    for hours in (0.5, 12, 23.5):
        dataset.add_call(created_at=NOW - hours * HOUR)
    demo = FakeLiner(dataset)
    async with context_at(demo) as context:
        answer = await find(context, since="-24h")
    assert (page_of(answer)["complete"], demo.count(CALL_LIST)) == (True, 1)


@each_way_to_ask
@pytest.mark.parametrize("total", [None, 1, 100])
async def test_a_window_without_a_usable_count_is_read_whole(ask: Ask, total: int | None) -> None:
    dataset = Dataset.generate(now=NOW, days=7, calls=1_500)

    def uncounted(data: Any) -> Any:
        return {**data, "total": total}

    async with context_at(DemoLiner(dataset)) as context:
        expected = await ask(context, since="-7d", agents=(101,))
    async with context_at(AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: uncounted})) as context:
        answer = await ask(context, since="-7d", agents=(101,))
    assert rows_of(answer) == rows_of(expected)
    assert page_of(answer)["complete"] is page_of(expected)["complete"]


@each_way_to_ask
@pytest.mark.parametrize("change", ["bare", "clamped", "clamped_by_limit"])
async def test_pages_of_another_form_are_read_to_the_end(ask: Ask, change: str) -> None:
    dataset = Dataset.generate(now=NOW, days=2, calls=500)

    def changed(data: Any) -> Any:
        rows = data["list"]
        if change == "bare":
            return rows
        return {"list": rows[:20], "next": None if change == "clamped" else data["next"], "total": data["total"]}

    async with context_at(DemoLiner(dataset)) as context:
        expected = await ask(context, since="-48h")
    async with context_at(AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: changed})) as context:
        answer = await ask(context, since="-48h")
    assert rows_of(answer) == rows_of(expected)
    assert page_of(answer)["complete"] is page_of(expected)["complete"]


async def test_liners_count_leaves_out_the_second_in_which_the_window_ends() -> None:
    dataset = Dataset.generate(now=NOW, days=7, calls=900)
    for _ in range(5):
        dataset.add_call(created_at=NOW)
    async with context_at(DemoLiner(dataset)) as context:
        answer = await find(context, since="-7d")
    assert page_of(answer)["liner_total"] == len(expected_ids(dataset, NOW - 7 * DAY)) == 900


async def test_a_lead_named_twice_is_counted_once() -> None:
    dataset = Dataset.generate(now=NOW, days=7, calls=900)
    leads = sorted(dataset.leads)[:180]
    async with context_at(DemoLiner(dataset)) as context:
        once = await find(context, since="-7d", leads=tuple(leads), limit=5)
        twice = await find(context, since="-7d", leads=(*leads, *leads), limit=5)
    assert page_of(twice)["liner_total"] == page_of(once)["liner_total"]


async def test_chunks_of_orders_that_overlap_have_no_total() -> None:
    dataset = Dataset.generate(now=NOW, days=7, calls=900)
    demo = DemoLiner(dataset)
    everything = b"".join(f"&orderIds%5B%5D={order.id}".encode() for order in dataset.orders)

    async def careless(scope: Any, receive: Any, send: Any) -> None:
        query = scope["query_string"] + (everything if scope["path"] == CALLS else b"")
        await demo({**scope, "query_string": query}, receive, send)

    async with context_at(careless) as context:
        answer = await find(context, since="-7d", orders=tuple(range(1, 301)))
    assert "liner_total" not in page_of(answer)


async def test_the_nearest_earlier_call_of_a_busy_day_is_found_in_one_request() -> None:
    dataset = Dataset.generate(now=NOW - DAY, days=7, calls=400)
    demo = FakeLiner(dataset)
    async with context_at(demo) as context:
        answer = await find(context, since="-2h")
    nearest = expected_ids(dataset, NOW - 9 * DAY)[0]
    assert f"the nearest earlier one is call {nearest} of" in notes_of(answer)
    assert demo.count(CALL_LIST) == 3  # the third checks once that windows are read in UTC


async def test_a_call_of_another_time_is_never_the_nearest_earlier_one() -> None:
    """The look-back ignores its window: what comes is later, or older than what was looked at."""
    dataset = empty_dataset()
    old = dataset.add_call(created_at=NOW - 200 * DAY)

    def old_calls(_: Any) -> Any:
        row = {"id": old.id, "createdAt": "2026-05-04T10:00:00Z", "orderId": 201}
        return {"list": [row], "next": None, "total": 1}

    pattern = r"createdAt%5B0%5D=2026-10"
    async with context_at(AlteredLiner(DemoLiner(dataset), change_by_pattern={pattern: old_calls})) as context:
        answer = await find(context, since="yesterday")
    assert "nearest" not in notes_of(answer)


async def test_more_counted_than_listed_is_not_taken_for_a_shift() -> None:
    dataset = Dataset.generate(now=NOW, days=1, calls=40)
    async with context_at(AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: with_total(43)})) as context:
        answer = await find(context, since="-24h", limit=200)
    assert (page_of(answer)["complete"], notes_of(answer)) == (False, recorded("liner_counts_more_calls_in_this"))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_sees_the_calls_and_the_hours(dataset: Dataset, mode: Any) -> None:
    settings = Settings(**ACCOUNT, timezone="Europe/Moscow", requests_per_second=0)
    app = httpx.ASGITransport(app=FakeLiner(dataset, window_shift=-3 * HOUR))
    server = create_server(settings, transport=app, now=lambda: NOW)
    async with Client(server, mode=mode, raise_exceptions=True) as client:
        structure = (await client.call_tool("find_calls", {**MORNING, "limit": 200})).structured_content
    assert structure is not None
    ids = [row[structure["columns"].index("call_id")] for row in structure["rows"]]
    assert ids == expected_ids(dataset, MORNING_START, MORNING_END)
    assert structure["notes"][0] == shift_note(-3, complete=True)
    assert structure["page"]["complete"] is True


# The hours, pure ------------------------------------------------------------------------------------------------------


@given(
    hours=st.integers(-24, 24),
    minutes=st.lists(st.integers(-5_000, 5_000), min_size=1, max_size=300, unique=True),
)
def test_a_shift_is_named_only_if_it_is_the_one(hours: int, minutes: list[int]) -> None:
    window = TimeWindow(NOW - 3 * HOUR, NOW)
    moments = [NOW + timedelta(minutes=one) for one in minutes]
    since, until = window.since + hours * HOUR, window.until + hours * HOUR
    listed = [moment for moment in moments if since <= moment <= until]
    wide = [moment for moment in moments if since - MARGIN <= moment <= until + MARGIN]
    assert shift_hours(window, listed, wide, whole=True) in (None, hours or None)
    assert shift_hours(window, listed[:1], wide, whole=False) in (None, hours or None)
