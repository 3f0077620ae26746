"""Reading a window backwards: contiguous slices, each whole, newest first, whatever Liner's order and counts are."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import anyio
import pytest

from liner_mcp.calls.filters import Filters
from liner_mcp.calls.time_window import TimeWindow
from liner_mcp.calls.window_reader import MAX_SLICE_CALLS, SliceRead, WindowReader, call_key
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.errors import DeadlineExceeded, LinerUnavailable
from liner_mcp.liner.models import Call
from tests.calls.support import CALL_LIST, context_at, empty_dataset, expected_ids
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.fakes.blocking_liner import BlockingLiner
from tests.support.context import AlteredLiner, with_total

pytestmark = pytest.mark.anyio

ORDERS = Filters(orders=(201, 202, 203, 204, 205, 206))
CALLS = "/v2/call/"
WEEK = TimeWindow(NOW - timedelta(days=7), NOW)


async def slices(app: Any, window: TimeWindow, filters: Filters = ORDERS, want: int = 100) -> list[SliceRead]:
    """All slices of a window."""
    found: list[SliceRead] = []
    async with context_at(app) as context:
        source = WindowReader(context.liner, filters, window)
        while not source.exhausted:
            found.append(await source.read_next(want))
            assert source.remaining == TimeWindow(window.since, found[-1].window.since)
    return found


def ids(found: list[SliceRead]) -> list[int]:
    return [call.id for part in found for call in part.calls]


def busy_second(count: int = 1_000) -> Dataset:
    """A day in whose middle so many calls came within one second, and a few around it."""
    dataset = empty_dataset()
    for _ in range(count):
        dataset.add_call(created_at=NOW - timedelta(hours=12))
    for minutes in range(0, 24 * 60, 20):
        dataset.add_call(created_at=NOW - timedelta(minutes=minutes, seconds=30))
    return dataset


async def test_slices_follow_each_other_without_gap_from_the_end_to_the_beginning(dataset: Dataset) -> None:
    window = TimeWindow(NOW - timedelta(days=30), NOW)
    found = await slices(DemoLiner(dataset), window)
    assert len(found) > 10
    assert found[0].window.until == window.until
    assert found[-1].window.since == window.since
    assert all(later.window.until == earlier.window.since for earlier, later in pairwise(found))
    assert all(part.window.contains(call.created_at) for part in found for call in part.calls if call.created_at)
    assert all(part.complete and not part.changed for part in found)
    assert ids(found) == expected_ids(dataset, window.since)
    assert all(len(part.calls) <= MAX_SLICE_CALLS for part in found)


async def test_a_small_window_is_one_slice_and_no_more_requests_than_its_pages(dataset: Dataset) -> None:
    demo = FakeLiner(dataset)
    window = TimeWindow(NOW - timedelta(days=1), NOW)
    found = await slices(demo, window)
    expected = expected_ids(dataset, window.since)
    assert 100 < len(expected) < 300
    assert ids(found) == expected
    assert len(found) == 1
    assert demo.count(CALL_LIST) == -(-len(expected) // 100)


async def test_slices_hold_about_as_many_calls_as_are_wanted(dataset: Dataset) -> None:
    few = await slices(DemoLiner(dataset), TimeWindow(NOW - timedelta(days=30), NOW), want=1)
    many = await slices(DemoLiner(dataset), TimeWindow(NOW - timedelta(days=30), NOW), want=10_000)
    assert 60 < sum(len(part.calls) for part in few) / len(few) < 200
    assert len(many) < len(few) / 2


async def test_a_year_with_a_few_calls_costs_a_few_requests() -> None:
    dataset = empty_dataset()
    for days in (0.1, 40, 41, 200, 364):
        dataset.add_call(created_at=NOW - timedelta(days=days))
    demo = FakeLiner(dataset)
    window = TimeWindow(NOW - timedelta(days=365), NOW)
    assert ids(await slices(demo, window)) == expected_ids(dataset, window.since)
    assert demo.count(CALL_LIST) == 2  # the second checks once that windows are read in UTC


async def test_a_long_silence_between_busy_days_does_not_cost_a_request_per_slice() -> None:
    dataset = empty_dataset()
    for days in (1, 350):
        for seconds in range(400):
            dataset.add_call(created_at=NOW - timedelta(days=days, seconds=seconds * 20))
    demo = FakeLiner(dataset)
    window = TimeWindow(NOW - timedelta(days=365), NOW)
    assert ids(await slices(demo, window)) == expected_ids(dataset, window.since)
    assert demo.count(CALL_LIST) < 60


async def test_a_thousand_calls_in_one_second_are_one_slice(dataset: Dataset) -> None:
    dataset = busy_second()
    found = await slices(DemoLiner(dataset), TimeWindow(NOW - timedelta(days=1), NOW))
    assert ids(found) == expected_ids(dataset, NOW - timedelta(days=1))
    assert max(len(part.calls) for part in found) >= 1_000
    assert all(part.complete for part in found)


async def test_windows_are_half_open_to_the_fraction_of_a_second() -> None:
    dataset = empty_dataset()
    start, end = NOW - timedelta(minutes=10), NOW - timedelta(minutes=5)
    for edge in (start, end):
        for microseconds in (-1_000_000, -1, 0, 1, 500_000, 999_999, 1_000_000):
            dataset.add_call(created_at=edge + timedelta(microseconds=microseconds))
    for half in (timedelta(), timedelta(microseconds=500_000), timedelta(microseconds=1)):
        window = TimeWindow(start + half, end + half)
        assert ids(await slices(DemoLiner(dataset), window)) == expected_ids(dataset, window.since, window.until)


async def test_chunks_of_orders_are_merged_in_time_and_counted_together(dataset: Dataset) -> None:
    many = Filters(orders=(*range(1_001, 1_150), 201, 202, 203, *range(1_201, 1_350), 204, 205, 206))
    window = TimeWindow(NOW - timedelta(days=9), NOW)
    demo = DemoLiner(dataset)
    assert len(many.call_filters(window)) > 1
    async with context_at(demo) as context:
        source = WindowReader(context.liner, many, window)
        read: list[int] = []
        while not source.exhausted:
            read += [call.id for call in (await source.read_next()).calls]
    assert read == expected_ids(dataset, window.since)
    assert source.liner_total == len(read)


async def test_a_call_that_several_chunks_bring_comes_once() -> None:
    dataset = Dataset.generate(now=NOW, days=2, calls=90)
    demo = FakeLiner(dataset)

    async def careless(scope: Any, receive: Any, send: Any) -> None:
        """Whatever orders are asked for, all calls are given."""
        query = re.sub(rb"orderIds%5B%5D=[0-9]+", b"orderIds%5B%5D=201", scope["query_string"])
        every = b"".join(f"&orderIds%5B%5D={order.id}".encode() for order in dataset.orders)
        await demo({**scope, "query_string": query + every}, receive, send)

    many = Filters(orders=tuple(range(1_001, 1_301)))
    window = TimeWindow(NOW - timedelta(days=2), NOW)
    found = await slices(careless, window, many)
    assert demo.count(CALL_LIST) == len(many.call_filters(window)) > 1
    assert ids(found) == expected_ids(dataset, window.since)


async def test_no_request_means_exhausted_from_the_start() -> None:
    async with context_at(DemoLiner(empty_dataset())) as context:
        assert WindowReader(context.liner, Filters(all_orders=True), WEEK).exhausted
        assert WindowReader(context.liner, ORDERS, TimeWindow(NOW, NOW)).exhausted


async def test_the_throttle_that_a_page_learned_spares_the_next_one_the_first_count(dataset: Dataset) -> None:
    demo = FakeLiner(dataset)
    async with context_at(demo) as context:
        first = WindowReader(context.liner, ORDERS, TimeWindow(NOW - timedelta(days=30), NOW))
        await first.read_next()
        asked = demo.count(CALL_LIST)
        second = WindowReader(context.liner, ORDERS, first.remaining, seconds_per_call=first.seconds_per_call)
        part = await second.read_next()
    assert demo.count(CALL_LIST) - asked == -(-len(part.calls) // 100)
    assert second.liner_total is None


# A Liner that moves, lies or fails ----------------------------------------------------------------------------------


class GrowingLiner:
    """A fake Liner where a call is made at every request for calls, as long as `grows` lasts."""

    def __init__(self, demo: DemoLiner, at: Callable[[], datetime], grows: int = 1_000_000) -> None:
        self.demo, self.at, self.grows = demo, at, grows

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == CALLS and self.grows:
            self.grows -= 1
            self.demo.dataset.add_call(created_at=self.at())
        await self.demo(scope, receive, send)


@pytest.mark.parametrize("seconds", [0, 1, 60])
async def test_calls_made_meanwhile_repeat_nothing_and_hide_nothing(seconds: int) -> None:
    dataset = Dataset.generate(now=NOW, days=7, calls=900)
    expected = expected_ids(dataset, WEEK.since)
    # In the very second in which the window ends: Liner lists these, for both its ends are inside.
    growing = GrowingLiner(DemoLiner(dataset), lambda: NOW + timedelta(seconds=seconds))
    assert ids(await slices(growing, WEEK)) == expected


async def test_calls_that_turn_up_inside_the_window_while_it_is_read_are_told() -> None:
    dataset = Dataset.generate(now=NOW, days=2, calls=280)
    growing = GrowingLiner(DemoLiner(dataset), lambda: NOW - timedelta(hours=1), grows=3)
    found = await slices(growing, TimeWindow(NOW - timedelta(days=2), NOW))
    assert any(part.changed for part in found)
    assert sorted(ids(found)) == sorted(expected_ids(dataset, NOW - timedelta(days=2)))


async def test_more_counted_than_listed_on_one_page_is_taken_and_said_not_to_be_whole() -> None:
    dataset = Dataset.generate(now=NOW, days=1, calls=60)
    demo = FakeLiner(dataset)
    (part,) = await slices(
        AlteredLiner(demo, change_by_pattern={CALLS: with_total(64)}), TimeWindow(NOW - timedelta(days=1), NOW)
    )
    assert ids([part]) == expected_ids(dataset, NOW - timedelta(days=1))
    assert not part.complete
    assert demo.count(CALL_LIST) == 2, "read once more, for the list might have moved"


async def test_more_counted_than_listed_on_several_pages_is_split_until_it_comes_whole() -> None:
    dataset = Dataset.generate(now=NOW, days=1, calls=250)
    # One row of every list that needs a third page is never given, as where rows change places between pages.
    hidden = max(dataset.calls)

    def losing(data: Any) -> Any:
        rows = [row for row in data["list"] if data["total"] <= 200 or row["id"] != hidden]
        return {**data, "list": rows}

    demo = DemoLiner(dataset)
    found = await slices(
        AlteredLiner(demo, change_by_pattern={CALLS: losing}), TimeWindow(NOW - timedelta(days=1), NOW)
    )
    assert len(found) > 1
    assert ids(found) == expected_ids(dataset, NOW - timedelta(days=1))
    assert all(part.complete for part in found)


async def test_a_liner_that_always_counts_too_many_is_read_to_the_end_within_reason() -> None:
    dataset = Dataset.generate(now=NOW, days=7, calls=600)
    demo = FakeLiner(dataset)

    def exaggerating(data: Any) -> Any:
        return {**data, "total": data["total"] + 3}

    found = await slices(AlteredLiner(demo, change_by_pattern={CALLS: exaggerating}), WEEK)
    assert ids(found) == expected_ids(dataset, WEEK.since)
    assert not any(part.complete for part in found)
    assert demo.count(CALL_LIST) < 150


async def test_a_call_without_a_time_is_not_passed_over_in_silence() -> None:
    dataset = Dataset.generate(now=NOW, days=1, calls=5)
    lost = next(iter(dataset.calls))

    def timeless(data: Any) -> Any:
        rows = [{**row, "createdAt": None} if row["id"] == lost else row for row in data["list"]]
        return {**data, "list": rows}

    found = await slices(
        AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: timeless}), TimeWindow(NOW - timedelta(days=1), NOW)
    )
    assert [call.id for call in found[-1].calls if call.created_at is None] == [lost]
    assert all(part.complete for part in found), "the filters leave it undecided"


async def test_a_slice_that_fails_is_not_read_and_can_be_asked_for_again(dataset: Dataset) -> None:
    faulty = AlteredLiner(DemoLiner(dataset))
    window = TimeWindow(NOW - timedelta(days=30), NOW)
    async with context_at(faulty) as context:
        source = WindowReader(context.liner, ORDERS, window)
        read = list((await source.read_next()).calls)
        rest = source.remaining
        faulty.status_by_pattern = {CALLS: 500}
        with pytest.raises(LinerUnavailable):
            await source.read_next()
        assert source.remaining == rest
        faulty.status_by_pattern = {}
        while not source.exhausted:
            read += (await source.read_next()).calls
    assert [call.id for call in read] == expected_ids(dataset, window.since)


@pytest.mark.virtual_time
@pytest.mark.parametrize("held", [r"offset=[1-9]00\b", r"offset=900\b"])
async def test_a_slice_that_the_deadline_breaks_off_is_not_taken_for_read(held: str) -> None:
    dataset = busy_second()
    blocking = BlockingLiner(dataset, lambda target: re.search(held, target) is not None)
    window = TimeWindow(NOW - timedelta(days=1), NOW)
    read: list[Call] = []
    async with context_at(blocking) as context:
        source = WindowReader(context.liner, ORDERS, window)

        async def read_on() -> None:
            while not source.exhausted:
                read.extend((await source.read_next()).calls)

        with pytest.raises(DeadlineExceeded), anyio.fail_after(1.0):
            await read_on()
        assert not source.exhausted
        assert all(source.remaining.until <= (call.created_at or NOW) for call in read)
        blocking.release()
        await read_on()
    assert [call.id for call in read] == expected_ids(dataset, window.since)


def test_calls_without_a_time_stand_before_all_others() -> None:
    timeless, timed = Call(id=9), Call(id=1, created_at=datetime(2000, 1, 1, tzinfo=UTC))
    assert call_key(timeless) < call_key(timed)
