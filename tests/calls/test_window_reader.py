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
from liner_mcp.calls.time_window import Window
from liner_mcp.calls.window_reader import MOST_SLICE_CALLS, NewestFirst, Slice, key_of
from liner_mcp.demo import DemoLiner, World
from liner_mcp.errors import DeadlinePassed, LinerUnavailable
from liner_mcp.liner.models import Call
from tests.calls.support import Gate, blank_world, desk_at, lists_asked, truth
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.support.context import Spoilt, counting

pytestmark = pytest.mark.anyio

ORDERS = Filters(orders=(201, 202, 203, 204, 205, 206))
CALLS = "/v2/call/"
WEEK = Window(NOW - timedelta(days=7), NOW)


async def slices(app: Any, window: Window, filters: Filters = ORDERS, want: int = 100) -> list[Slice]:
    """All slices of a window."""
    found: list[Slice] = []
    async with desk_at(app) as desk:
        source = NewestFirst(desk.liner, filters, window)
        while not source.exhausted:
            found.append(await source.next(want))
            assert source.rest == Window(window.since, found[-1].window.since)
    return found


def ids(found: list[Slice]) -> list[int]:
    return [call.id for part in found for call in part.calls]


def busy_second(count: int = 1_000) -> World:
    """A day in whose middle so many calls came within one second, and a few around it."""
    world = blank_world()
    for _ in range(count):
        world.add_call(created_at=NOW - timedelta(hours=12))
    for minutes in range(0, 24 * 60, 20):
        world.add_call(created_at=NOW - timedelta(minutes=minutes, seconds=30))
    return world


async def test_slices_follow_each_other_without_gap_from_the_end_to_the_beginning(world: World) -> None:
    window = Window(NOW - timedelta(days=30), NOW)
    found = await slices(DemoLiner(world), window)
    assert len(found) > 10
    assert found[0].window.until == window.until
    assert found[-1].window.since == window.since
    assert all(later.window.until == earlier.window.since for earlier, later in pairwise(found))
    assert all(part.window.holds(call.created_at) for part in found for call in part.calls if call.created_at)
    assert all(part.whole and not part.changed for part in found)
    assert ids(found) == truth(world, window.since)
    assert all(len(part.calls) <= MOST_SLICE_CALLS for part in found)


async def test_a_small_window_is_one_slice_and_no_more_requests_than_its_pages(world: World) -> None:
    demo = FakeLiner(world)
    window = Window(NOW - timedelta(days=1), NOW)
    found = await slices(demo, window)
    expected = truth(world, window.since)
    assert 100 < len(expected) < 300
    assert ids(found) == expected
    assert len(found) == 1
    assert lists_asked(demo) == -(-len(expected) // 100)


async def test_slices_hold_about_as_many_calls_as_are_wanted(world: World) -> None:
    few = await slices(DemoLiner(world), Window(NOW - timedelta(days=30), NOW), want=1)
    many = await slices(DemoLiner(world), Window(NOW - timedelta(days=30), NOW), want=10_000)
    assert 60 < sum(len(part.calls) for part in few) / len(few) < 200
    assert len(many) < len(few) / 2


async def test_a_year_with_a_few_calls_costs_a_few_requests() -> None:
    world = blank_world()
    for days in (0.1, 40, 41, 200, 364):
        world.add_call(created_at=NOW - timedelta(days=days))
    demo = FakeLiner(world)
    window = Window(NOW - timedelta(days=365), NOW)
    assert ids(await slices(demo, window)) == truth(world, window.since)
    assert lists_asked(demo) == 1


async def test_a_long_silence_between_busy_days_does_not_cost_a_request_per_slice() -> None:
    world = blank_world()
    for days in (1, 350):
        for seconds in range(400):
            world.add_call(created_at=NOW - timedelta(days=days, seconds=seconds * 20))
    demo = FakeLiner(world)
    window = Window(NOW - timedelta(days=365), NOW)
    assert ids(await slices(demo, window)) == truth(world, window.since)
    assert lists_asked(demo) < 60


async def test_a_thousand_calls_in_one_second_are_one_slice(world: World) -> None:
    world = busy_second()
    found = await slices(DemoLiner(world), Window(NOW - timedelta(days=1), NOW))
    assert ids(found) == truth(world, NOW - timedelta(days=1))
    assert max(len(part.calls) for part in found) >= 1_000
    assert all(part.whole for part in found)


async def test_windows_are_half_open_to_the_fraction_of_a_second() -> None:
    world = blank_world()
    start, end = NOW - timedelta(minutes=10), NOW - timedelta(minutes=5)
    for edge in (start, end):
        for microseconds in (-1_000_000, -1, 0, 1, 500_000, 999_999, 1_000_000):
            world.add_call(created_at=edge + timedelta(microseconds=microseconds))
    for half in (timedelta(), timedelta(microseconds=500_000), timedelta(microseconds=1)):
        window = Window(start + half, end + half)
        assert ids(await slices(DemoLiner(world), window)) == truth(world, window.since, window.until)


async def test_chunks_of_orders_are_merged_in_time_and_counted_together(world: World) -> None:
    many = Filters(orders=(*range(1_001, 1_150), 201, 202, 203, *range(1_201, 1_350), 204, 205, 206))
    window = Window(NOW - timedelta(days=9), NOW)
    demo = DemoLiner(world)
    assert len(many.requests(window)) > 1
    async with desk_at(demo) as desk:
        source = NewestFirst(desk.liner, many, window)
        read: list[int] = []
        while not source.exhausted:
            read += [call.id for call in (await source.next()).calls]
    assert read == truth(world, window.since)
    assert source.counted == len(read)


async def test_a_call_that_several_chunks_bring_comes_once() -> None:
    world = World.generate(now=NOW, days=2, calls=90)
    demo = FakeLiner(world)

    async def careless(scope: Any, receive: Any, send: Any) -> None:
        """Whatever orders are asked for, all calls are given."""
        query = re.sub(rb"orderIds%5B%5D=[0-9]+", b"orderIds%5B%5D=201", scope["query_string"])
        every = b"".join(f"&orderIds%5B%5D={order.id}".encode() for order in world.orders)
        await demo({**scope, "query_string": query + every}, receive, send)

    many = Filters(orders=tuple(range(1_001, 1_301)))
    window = Window(NOW - timedelta(days=2), NOW)
    found = await slices(careless, window, many)
    assert lists_asked(demo) == len(many.requests(window)) > 1
    assert ids(found) == truth(world, window.since)


async def test_no_request_means_exhausted_from_the_start() -> None:
    async with desk_at(DemoLiner(blank_world())) as desk:
        assert NewestFirst(desk.liner, Filters(every_order=True), WEEK).exhausted
        assert NewestFirst(desk.liner, ORDERS, Window(NOW, NOW)).exhausted


async def test_the_pace_that_a_page_learned_spares_the_next_one_the_first_count(world: World) -> None:
    demo = FakeLiner(world)
    async with desk_at(demo) as desk:
        first = NewestFirst(desk.liner, ORDERS, Window(NOW - timedelta(days=30), NOW))
        await first.next()
        asked = lists_asked(demo)
        second = NewestFirst(desk.liner, ORDERS, first.rest, pace=first.pace)
        part = await second.next()
    assert lists_asked(demo) - asked == -(-len(part.calls) // 100)
    assert second.counted is None


# A Liner that moves, lies or fails ----------------------------------------------------------------------------------


class Growing:
    """A make-believe Liner where a call is made at every request for calls, as long as `grows` lasts."""

    def __init__(self, demo: DemoLiner, at: Callable[[], datetime], grows: int = 1_000_000) -> None:
        self.demo, self.at, self.grows = demo, at, grows

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == CALLS and self.grows:
            self.grows -= 1
            self.demo.world.add_call(created_at=self.at())
        await self.demo(scope, receive, send)


@pytest.mark.parametrize("seconds", [0, 1, 60])
async def test_calls_made_meanwhile_repeat_nothing_and_hide_nothing(seconds: int) -> None:
    world = World.generate(now=NOW, days=7, calls=900)
    expected = truth(world, WEEK.since)
    # In the very second in which the window ends: Liner lists these, for both its ends are inside.
    growing = Growing(DemoLiner(world), lambda: NOW + timedelta(seconds=seconds))
    assert ids(await slices(growing, WEEK)) == expected


async def test_calls_that_turn_up_inside_the_window_while_it_is_read_are_told() -> None:
    world = World.generate(now=NOW, days=2, calls=280)
    growing = Growing(DemoLiner(world), lambda: NOW - timedelta(hours=1), grows=3)
    found = await slices(growing, Window(NOW - timedelta(days=2), NOW))
    assert any(part.changed for part in found)
    assert sorted(ids(found)) == sorted(truth(world, NOW - timedelta(days=2)))


async def test_more_counted_than_listed_on_one_page_is_taken_and_said_not_to_be_whole() -> None:
    world = World.generate(now=NOW, days=1, calls=60)
    demo = FakeLiner(world)
    (part,) = await slices(Spoilt(demo, changed={CALLS: counting(64)}), Window(NOW - timedelta(days=1), NOW))
    assert ids([part]) == truth(world, NOW - timedelta(days=1))
    assert not part.whole
    assert lists_asked(demo) == 2, "read once more, for the list might have moved"


async def test_more_counted_than_listed_on_several_pages_is_split_until_it_comes_whole() -> None:
    world = World.generate(now=NOW, days=1, calls=250)
    # One row of every list that needs a third page is never given, as where rows change places between pages.
    hidden = max(world.calls)

    def losing(data: Any) -> Any:
        rows = [row for row in data["list"] if data["total"] <= 200 or row["id"] != hidden]
        return {**data, "list": rows}

    demo = DemoLiner(world)
    found = await slices(Spoilt(demo, changed={CALLS: losing}), Window(NOW - timedelta(days=1), NOW))
    assert len(found) > 1
    assert ids(found) == truth(world, NOW - timedelta(days=1))
    assert all(part.whole for part in found)


async def test_a_liner_that_always_counts_too_many_is_read_to_the_end_within_reason() -> None:
    world = World.generate(now=NOW, days=7, calls=600)
    demo = FakeLiner(world)

    def exaggerating(data: Any) -> Any:
        return {**data, "total": data["total"] + 3}

    found = await slices(Spoilt(demo, changed={CALLS: exaggerating}), WEEK)
    assert ids(found) == truth(world, WEEK.since)
    assert not any(part.whole for part in found)
    assert lists_asked(demo) < 150


async def test_a_call_without_a_time_is_not_passed_over_in_silence() -> None:
    world = World.generate(now=NOW, days=1, calls=5)
    lost = next(iter(world.calls))

    def timeless(data: Any) -> Any:
        rows = [{**row, "createdAt": None} if row["id"] == lost else row for row in data["list"]]
        return {**data, "list": rows}

    found = await slices(Spoilt(DemoLiner(world), changed={CALLS: timeless}), Window(NOW - timedelta(days=1), NOW))
    assert lost not in ids(found)
    assert not all(part.whole for part in found)


async def test_a_slice_that_fails_is_not_read_and_can_be_asked_for_again(world: World) -> None:
    spoilt = Spoilt(DemoLiner(world))
    window = Window(NOW - timedelta(days=30), NOW)
    async with desk_at(spoilt) as desk:
        source = NewestFirst(desk.liner, ORDERS, window)
        read = list((await source.next()).calls)
        rest = source.rest
        spoilt.refused = {CALLS: 500}
        with pytest.raises(LinerUnavailable):
            await source.next()
        assert source.rest == rest
        spoilt.refused = {}
        while not source.exhausted:
            read += (await source.next()).calls
    assert [call.id for call in read] == truth(world, window.since)


@pytest.mark.parametrize("held", [r"offset=[1-9]00\b", r"offset=900\b"])
async def test_a_slice_that_the_deadline_breaks_off_is_not_taken_for_read(held: str) -> None:
    world = busy_second()
    gate = Gate(DemoLiner(world), lambda target: re.search(held, target) is not None)
    window = Window(NOW - timedelta(days=1), NOW)
    read: list[Call] = []
    async with desk_at(gate) as desk:
        source = NewestFirst(desk.liner, ORDERS, window)

        async def read_on() -> None:
            while not source.exhausted:
                read.extend((await source.next()).calls)

        with pytest.raises(DeadlinePassed), anyio.fail_after(1.0):
            await read_on()
        assert not source.exhausted
        assert all(source.rest.until <= (call.created_at or NOW) for call in read)
        gate.closed = False
        await read_on()
    assert [call.id for call in read] == truth(world, window.since)


def test_calls_without_a_time_stand_before_all_others() -> None:
    timeless, timed = Call(id=9), Call(id=1, created_at=datetime(2000, 1, 1, tzinfo=UTC))
    assert key_of(timeless) < key_of(timed)
