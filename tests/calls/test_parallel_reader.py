"""Reading a whole window, slice by slice: everything once, nothing kept, and an exact span when it is cut short."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

import anyio
import pytest
from anyio.lowlevel import checkpoint

from liner_mcp.calls import parallel_reader
from liner_mcp.calls.filters import Filters
from liner_mcp.calls.parallel_reader import ParallelRead, read_all
from liner_mcp.calls.time_window import TimeWindow
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.errors import AccessRefused, DeadlineExceeded, LinerUnavailable
from liner_mcp.liner.models import Call
from tests.calls.support import context_at, empty_dataset, expected_ids
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.fakes.blocking_liner import BlockingLiner
from tests.support.context import AlteredLiner, with_total

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
MONTH = TimeWindow(NOW - 40 * DAY, NOW)
ORDERS = (201, 202, 203, 204, 205, 206)
CALLS = r"^/v2/call/\?"
HELD = NOW - 15 * DAY  # an edge of two slices


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shared dataset in slices of five days, whatever size is the fastest just now."""
    monkeypatch.setattr(parallel_reader, "PARALLEL_SLICE_CALLS", 500)


@dataclass
class RecordingFold:
    """Folds a slice into the ids of its calls, and remembers how it was asked to."""

    slices: list[int] = field(default_factory=list[int])
    at_once: int = 0
    most_at_once: int = 0

    async def __call__(self, calls: Sequence[Call]) -> list[int]:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        self.slices.append(len(calls))
        for _ in range(300):  # long enough for another slice to be read meanwhile
            await checkpoint()
        self.at_once -= 1
        return [call.id for call in calls]


@dataclass
class RecordedProgress:
    """What was told of the progress."""

    steps: list[tuple[int, int | None]] = field(default_factory=list[tuple[int, int | None]])

    async def __call__(self, done: int, total: int | None) -> None:
        self.steps.append((done, total))


async def read(
    app: Any,
    window: TimeWindow = MONTH,
    *,
    fold: Callable[[Sequence[Call]], Awaitable[list[int]]] | None = None,
    progress: RecordedProgress | None = None,
    seconds: float = 30,
    **filters: Any,
) -> ParallelRead[list[int]]:
    narrowed: dict[str, Any] = {"orders": ORDERS, **filters}
    async with context_at(app) as context:
        with anyio.fail_after(seconds):
            return await read_all(context.liner, Filters(**narrowed), window, fold or RecordingFold(), progress)


def ids_of(found: ParallelRead[list[int]]) -> list[int]:
    return [one for part in found.folded for one in part]


def windows_asked(demo: FakeLiner) -> list[tuple[datetime, datetime]]:
    """The windows of the lists that were asked for, each once, in the order asked."""
    return list(dict.fromkeys(map(window_of, filter(re.compile(CALLS).match, demo.requests))))


def window_of(target: str) -> tuple[datetime, datetime]:
    since, until = (re.search(rf"createdAt\[{end}\]=([^&]+)", unquote(target)) for end in (0, 1))
    assert since is not None
    assert until is not None
    return datetime.fromisoformat(since[1]), datetime.fromisoformat(until[1])


def older_than(moment: datetime) -> Callable[[str], bool]:
    """Whether a list of calls is asked whose window ends before this moment."""
    return lambda target: re.match(CALLS, target) is not None and window_of(target)[1] <= moment


# Read to the end ------------------------------------------------------------------------------------------------------


async def test_a_small_window_is_one_fold_newest_first(dataset: Dataset) -> None:
    window = TimeWindow(NOW - DAY, NOW)
    fold, progress = RecordingFold(), RecordedProgress()
    found = await read(DemoLiner(dataset), window, fold=fold, progress=progress)
    expected = expected_ids(dataset, window.since)
    assert found.folded == (expected,)
    assert (found.reached, found.stopped, found.complete, found.liner_total) == (
        window.since,
        None,
        True,
        len(expected),
    )
    assert progress.steps == [], "one read has no progress to tell"


async def test_a_large_window_is_read_in_slices_and_each_call_comes_once(dataset: Dataset) -> None:
    demo, fold = FakeLiner(dataset), RecordingFold()
    found = await read(demo, fold=fold)
    assert ids_of(found) == expected_ids(dataset, MONTH.since), "newest slice first, each slice newest first"
    assert (found.reached, found.stopped, found.complete, found.changed) == (MONTH.since, None, True, False)
    assert found.liner_total == len(dataset.calls)
    assert len(fold.slices) == len(windows_asked(demo)) - 1, "the first read only counts"
    assert len(fold.slices) == 8


async def test_slices_meet_without_a_gap_or_an_overlap(dataset: Dataset) -> None:
    demo = FakeLiner(dataset)
    await read(demo)
    whole_window, *slices = windows_asked(demo)
    assert whole_window == (MONTH.since, MONTH.until)
    assert [since for since, _ in slices] == [*(until for _, until in slices[1:]), MONTH.since]
    assert slices[0][1] == MONTH.until


async def test_a_call_on_the_edge_of_two_slices_counts_once() -> None:
    dataset = empty_dataset()
    window = TimeWindow(NOW - 2 * DAY, NOW)
    for hour in range(1, 48):
        for _ in range(30):  # 1410 calls: three slices of 16 hours, and calls on both edges
            dataset.add_call(created_at=NOW - timedelta(hours=hour))
    demo = FakeLiner(dataset)
    found = await read(demo, window)
    edges = [until for since, until in windows_asked(demo) if until - since > timedelta(minutes=1)][2:]
    assert {call.created_at for call in dataset.calls.values()} > set(edges)
    assert len(edges) == 2
    assert ids_of(found) == expected_ids(dataset, window.since)


async def test_both_ends_are_those_of_the_window() -> None:
    dataset = empty_dataset()
    for seconds in (0, 1, 3600, 3601):
        dataset.add_call(created_at=NOW - timedelta(seconds=seconds))
    window = TimeWindow(NOW - timedelta(hours=1), NOW)
    assert (
        ids_of(await read(DemoLiner(dataset), window)) == expected_ids(dataset, window.since, NOW) == [7000002, 7000003]
    )


async def test_no_slice_is_longer_than_liner_documents() -> None:
    dataset = empty_dataset()
    for day in range(400):
        dataset.add_call(created_at=NOW - day * DAY - timedelta(hours=1))
    demo = FakeLiner(dataset)
    window = TimeWindow(NOW - 400 * DAY, NOW)
    found = await read(demo, window)
    assert ids_of(found) == expected_ids(dataset, window.since)
    assert all(until - since <= 31 * DAY for since, until in windows_asked(demo)[1:])


async def test_a_slice_too_dense_to_hold_is_halved(monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> None:
    monkeypatch.setattr(parallel_reader, "MAX_CALLS_IN_MEMORY", 120)
    fold = RecordingFold()
    found = await read(DemoLiner(dataset), fold=fold)
    assert ids_of(found) == expected_ids(dataset, MONTH.since)
    assert max(fold.slices) <= 120


async def test_a_second_that_holds_more_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel_reader, "MAX_CALLS_IN_MEMORY", 100)
    dataset = empty_dataset()
    for _ in range(350):
        dataset.add_call(created_at=NOW - timedelta(minutes=5))
    window = TimeWindow(NOW - timedelta(hours=1), NOW)
    assert ids_of(await read(DemoLiner(dataset), window)) == expected_ids(dataset, window.since)


async def test_without_orders_there_is_nothing_to_ask(dataset: Dataset) -> None:
    demo, fold = FakeLiner(dataset), RecordingFold()
    found = await read(demo, fold=fold, orders=())
    assert (found.folded, found.reached, found.stopped, found.liner_total) == ((), MONTH.since, None, None)
    assert (demo.requests, fold.slices) == ([], [])


@pytest.mark.parametrize("last_page", ["null", "absent", "zero", "repeated", "past_end"])
async def test_however_liners_last_page_looks_everything_is_read(dataset: Dataset, last_page: Any) -> None:
    found = await read(FakeLiner(dataset, last_page=last_page))
    assert (len(ids_of(found)), found.complete) == (len(dataset.calls), True)


async def test_a_count_that_liner_never_lists_is_told(dataset: Dataset) -> None:
    for window in (TimeWindow(NOW - DAY, NOW), MONTH):
        found = await read(AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: with_total(5_000)}), window)
        assert ids_of(found) == expected_ids(dataset, window.since)
        assert (found.complete, found.stopped, found.reached) == (False, None, window.since)


async def test_a_list_that_grows_while_it_is_read_is_told() -> None:
    dataset = Dataset.generate(now=NOW, days=2, calls=400)
    demo = DemoLiner(dataset)
    before = set(dataset.calls)
    pages = 0

    async def growing(scope: Any, receive: Any, send: Any) -> None:
        nonlocal pages
        pages += 1
        if pages == 4:
            dataset.add_call(created_at=NOW - timedelta(hours=1))
        await demo(scope, receive, send)

    found = await read(growing, TimeWindow(NOW - 2 * DAY, NOW))
    assert found.changed
    assert before <= set(ids_of(found))


# Progress -------------------------------------------------------------------------------------------------------------


async def test_progress_grows_to_what_liner_counted(dataset: Dataset) -> None:
    progress = RecordedProgress()
    await read(DemoLiner(dataset), progress=progress)
    done = [step for step, _ in progress.steps]
    assert len(done) > 2
    assert done == sorted(set(done)), "the protocol wants it to grow every time"
    assert done[-1] == len(dataset.calls)
    assert {total for _, total in progress.steps} == {len(dataset.calls)}


async def test_slices_without_calls_are_no_progress() -> None:
    dataset = empty_dataset()
    for _ in range(400):
        dataset.add_call(created_at=NOW - timedelta(hours=2))
    progress = RecordedProgress()
    await read(DemoLiner(dataset), TimeWindow(NOW - 300 * DAY, NOW), progress=progress)
    assert progress.steps == [(400, 400)]


async def test_a_total_that_was_overtaken_is_no_longer_told(dataset: Dataset) -> None:
    progress = RecordedProgress()
    since, until = (moment.strftime("%Y-%m-%dT%H%%3A%M%%3A%SZ") for moment in (MONTH.since, MONTH.until))
    await read(
        AlteredLiner(DemoLiner(dataset), change_by_pattern={f"{since}.*{until}": with_total(1_200)}), progress=progress
    )
    assert progress.steps == [(done, 1_200 if done <= 1_200 else None) for done, _ in progress.steps]
    assert progress.steps[-1] == (len(dataset.calls), None)


# Cut short ------------------------------------------------------------------------------------------------------------


@pytest.mark.virtual_time
async def test_a_deadline_leaves_an_exact_span_down_from_the_end(dataset: Dataset) -> None:
    found = await read(BlockingLiner(dataset, older_than(HELD)), seconds=0.7)
    assert isinstance(found.stopped, DeadlineExceeded)
    assert found.reached in (NOW - 5 * DAY, NOW - 10 * DAY, HELD), "a slow machine may read less"
    assert ids_of(found) == expected_ids(dataset, found.reached)
    assert found.liner_total == len(dataset.calls)


async def test_a_slice_that_fails_leaves_an_exact_span_down_from_the_end(dataset: Dataset) -> None:
    demo = DemoLiner(dataset)
    faulty = AlteredLiner(demo, status_by_pattern={CALLS: 500})
    fails = older_than(HELD)

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        target = f"{scope['path']}?{scope['query_string'].decode()}"
        await (faulty if fails(target) else demo)(scope, receive, send)

    found = await read(failing)
    assert isinstance(found.stopped, LinerUnavailable)
    assert found.reached == HELD
    assert ids_of(found) == expected_ids(dataset, HELD)


async def test_what_lies_beyond_a_failed_slice_does_not_count(dataset: Dataset) -> None:
    demo = DemoLiner(dataset)
    faulty = AlteredLiner(demo, status_by_pattern={CALLS: 500})

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        window = window_of(f"{scope['path']}?{scope['query_string'].decode()}")
        await (faulty if window == (HELD - 5 * DAY, HELD) else demo)(scope, receive, send)

    found = await read(failing)
    assert isinstance(found.stopped, LinerUnavailable)
    assert found.reached == HELD
    assert ids_of(found) == expected_ids(dataset, HELD)


async def test_a_newest_slice_that_fails_leaves_nothing(dataset: Dataset) -> None:
    demo = DemoLiner(dataset)
    faulty = AlteredLiner(demo, status_by_pattern={CALLS: 500})

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        since, until = window_of(f"{scope['path']}?{scope['query_string'].decode()}")
        await (faulty if until == NOW and since != MONTH.since else demo)(scope, receive, send)

    found = await read(failing)
    assert (found.folded, found.reached) == ((), MONTH.until)
    assert isinstance(found.stopped, LinerUnavailable)


@pytest.mark.virtual_time
async def test_the_error_of_the_first_read_is_raised(dataset: Dataset) -> None:
    with pytest.raises(LinerUnavailable):
        await read(AlteredLiner(DemoLiner(dataset), status_by_pattern={CALLS: 500}))
    with pytest.raises(DeadlineExceeded):
        await read(AlteredLiner(DemoLiner(dataset), blocked=CALLS), seconds=0.3)


async def test_a_token_that_is_refused_in_the_middle_is_the_answer(dataset: Dataset) -> None:
    """Every further request would be refused too, and whoever installed the server has to hear it."""
    demo = DemoLiner(dataset)
    faulty = AlteredLiner(demo, status_by_pattern={CALLS: 401})
    fails = older_than(HELD)

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        target = f"{scope['path']}?{scope['query_string'].decode()}"
        await (faulty if fails(target) else demo)(scope, receive, send)

    with pytest.raises(AccessRefused):
        await read(failing)


# Folds that ask Liner -------------------------------------------------------------------------------------------------


async def test_slices_are_read_at_once_but_folded_one_at_a_time(dataset: Dataset) -> None:
    demo, fold = FakeLiner(dataset), RecordingFold()
    await read(demo, fold=fold)
    assert demo.peak_in_flight == 4
    assert fold.most_at_once == 1


async def test_slices_are_small_where_each_recorded_call_costs_a_request(dataset: Dataset) -> None:
    fold = RecordingFold()
    found = await read(DemoLiner(dataset), fold=fold, transferred=True)
    assert ids_of(found) == expected_ids(dataset, MONTH.since)
    assert len(fold.slices) >= len(dataset.calls) / parallel_reader.RECORD_SLICE_CALLS
    assert sorted(fold.slices)[len(fold.slices) // 2] < 2 * parallel_reader.RECORD_SLICE_CALLS
