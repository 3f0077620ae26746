"""Parallel read of all calls of a window, several slices at once, without holding the calls in memory.

Each slice is folded into something small as soon as it is read. The result is the contiguous run of slices down from
the end of the window, so that a read that is cut short still covers an exact span.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Generic, NamedTuple, TypeVar

import anyio

from liner_mcp.calls.filters import Filters
from liner_mcp.calls.time_window import TimeWindow
from liner_mcp.calls.window_reader import (
    MAX_SLICE,
    MIN_SLICE,
    SLICE_CALLS,
    UNCOUNTED_SLICE,
    UNSLICED_PAGES,
    SliceRead,
    read_around,
    read_slice,
    read_wider,
)
from liner_mcp.errors import DeadlineExceeded, LinerMcpError
from liner_mcp.liner.deadline import time_left
from liner_mcp.liner.models import Call
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.reads import LinerReads

T = TypeVar("T")

# Forty pages: the half page that a slice wastes at its end is then an eightieth, two slices in memory are a few MB, and
# at twenty requests per second a slice takes two seconds: a read that is cut short loses no more than that.
PARALLEL_SLICE_CALLS = 4_000
MAX_CALLS_IN_MEMORY = 10_000  # calls of one slice that are held in memory; a denser one is halved
# Where every recorded call costs a request, a slice as large as that would outlast the time of a tool call.
RECORD_SLICE_CALLS = SLICE_CALLS
# Of the time left, what one slice may take at the pace of the first read: a slow Liner gets small slices, so that some
# are whole when time is up. With filters on recordings a slice is one request per call.
SLICE_TIME, RECORD_SLICE_TIME = 1 / 16, 1 / 4
MIN_SLICE_CALLS = 75  # mostly one page of Liner, as calls are not spread evenly
MIN_RECORD_SLICE_CALLS = 4  # one request in each slot
MIN_PARALLEL_SLICES = 2  # slices under way

Progress = Callable[[int, int | None], Awaitable[None]]
"""Receives the number of calls that were read, and Liner's count of all, if there is one."""


def progress_after(done: int, progress: Progress | None) -> Callable[[int], Awaitable[None]] | None:
    """Reports further work after `done` as the same progress: the protocol requires it to grow."""
    return None if progress is None else lambda more: progress(done + more, None)


@dataclass(slots=True)
class ParallelRead(Generic[T]):
    """The folded slices, newest first, down to `reached`. `stopped` is the reason for ending before the window does.

    `complete` is False where Liner counts more calls than it lists; `liner_total` is Liner's own count of the window;
    `filter_ignored` when Liner sent calls that it was asked to leave out; `window_note`: what to say where it sent
    calls of other times, so that some may be missing; `unreadable`: the rows of its lists that have no usable id.
    """

    folded: tuple[T, ...]
    reached: datetime
    stopped: LinerMcpError | None
    complete: bool
    changed: bool
    liner_total: int | None
    filter_ignored: bool = False
    window_note: str | None = None
    unreadable: int = 0


class _Slice(NamedTuple, Generic[T]):
    """A slice that was read, and then folded: `read` has no calls any more."""

    folded: T
    read: SliceRead
    filter_ignored: bool


async def read_all(
    liner: LinerReads,
    filters: Filters,
    window: TimeWindow,
    fold: Callable[[Sequence[Call]], Awaitable[T]],
    progress: Progress | None = None,
    *,
    reads_records: bool = False,
) -> ParallelRead[T]:
    """Fold every slice of the window. `fold` gets the calls of one slice, each call once, newest first, unfiltered.

    `reads_records`: `fold` requests the records of calls, also without a filter on recordings.

    Raises: the error of the first read, when nothing was read at all.
    """
    if not filters.call_filters(window):
        return ParallelRead((), window.since, None, complete=True, changed=False, liner_total=None)
    reads_records = reads_records or bool(filters.on_recordings)
    slice_calls = RECORD_SLICE_CALLS if reads_records else PARALLEL_SLICE_CALLS
    # A window of one slice is read on from its first page; of a longer one, more than a few pages are only counted.
    first_limit = (
        slice_calls if window.until - window.since <= MAX_SLICE else min(UNSLICED_PAGES * SLICE_CALLS, slice_calls)
    )
    begun = anyio.current_time()
    first = await read_slice(liner, filters, window, first_limit)
    seconds_per_page = (anyio.current_time() - begun) / max(len(first.calls) / SLICE_CALLS, 1)
    if first.outside_window:
        first = await read_wider(liner, filters, window, first)
    elif first.complete and not first.calls:
        first = (await read_around(liner, filters, window))[1] or first
    if first.complete or first.outside_window or ((first.unreadable or first.unread) and not first.over_limit):
        whole = _Slice(await fold(first.calls), replace(first, calls=()), filters.violated_by(*first.calls))
        total = None if first.liner_total is None else first.liner_total - first.after_end
        return _join([[whole]], window.since, None, total)
    paced_calls = _paced_slice_calls(slice_calls, liner, seconds_per_page, reads_records=reads_records)
    windows = _split_window(window, first, paced_calls)
    # With records to read, a slice is a hundred requests, however short its list.
    at_once = (
        MIN_PARALLEL_SLICES
        if reads_records
        else _parallel_slices(liner, windows, first.liner_total, slow=paced_calls < slice_calls)
    )
    reader = _SliceReader(liner, filters, fold, progress, first.liner_total, anyio.Semaphore(at_once))
    outcomes = await run_all([partial(reader.read, one) for one in windows], concurrency=liner.concurrency)
    slices: list[list[_Slice[T]]] = []
    stopped: LinerMcpError | None = None
    for outcome in outcomes:
        if not isinstance(outcome, list):
            stopped = outcome or DeadlineExceeded("Time was up before the whole window was read; ask for less.")
            break
        slices.append(outcome)
    if not slices:
        return _join(slices, window.until, stopped, None)
    noted = any(part.read.window_note for one in slices for part in one)
    total = None if first.liner_total is None or noted else first.liner_total - slices[0][0].read.after_end
    return _join(slices, windows[len(slices) - 1].since, stopped, total)


def _join(
    slices: Sequence[Sequence[_Slice[T]]], reached: datetime, stopped: LinerMcpError | None, liner_total: int | None
) -> ParallelRead[T]:
    """One read of all slices, each in the parts that it was halved into."""
    parts = [part for one in slices for part in one]
    noted = [any(part.read.window_note for part in one) for one in slices]
    return ParallelRead(
        tuple(part.folded for part in parts),
        reached,
        stopped,
        # Where only some slices show it, calls of the others may be missing too.
        complete=all(part.read.complete for part in parts) and (all(noted) or not any(noted)),
        changed=any(part.read.changed for part in parts),
        liner_total=liner_total,
        filter_ignored=any(part.filter_ignored for part in parts),
        window_note=next((part.read.window_note for part in parts if part.read.window_note), None),
        unreadable=sum(part.read.unreadable for part in parts),
    )


def _paced_slice_calls(most: int, liner: LinerReads, seconds_per_page: float, *, reads_records: bool) -> int:
    """How many calls a slice may have, so that several are whole when time is up."""
    if not seconds_per_page:
        return most
    requests = liner.concurrency * time_left() / seconds_per_page
    if not math.isfinite(requests):
        return most
    if reads_records:
        return min(most, max(math.ceil(requests * RECORD_SLICE_TIME), MIN_RECORD_SLICE_CALLS))
    return min(most, max(math.ceil(requests * SLICE_TIME * SLICE_CALLS), MIN_SLICE_CALLS))


def _split_window(window: TimeWindow, first: SliceRead, slice_calls: int) -> list[TimeWindow]:
    """The window in equal slices, newest first, sized by Liner's count, never longer than its documentation shows."""
    length = window.until - window.since
    uncounted = first.liner_total is None or first.liner_total < len(first.calls)
    longest = UNCOUNTED_SLICE if uncounted else MAX_SLICE
    wanted = max(math.ceil(first.counted / slice_calls), math.ceil(length / longest), 1)
    seconds = max(math.ceil(length.total_seconds() / wanted), 1)
    found: list[TimeWindow] = []
    until = window.until
    while until > window.since:
        since = max(window.since, until - timedelta(seconds=seconds))
        found.append(TimeWindow(since, until))
        until = since
    return found


def _parallel_slices(liner: LinerReads, windows: Sequence[TimeWindow], liner_total: int | None, *, slow: bool) -> int:
    """How many slices to read at once: as few as keep Liner's slots busy.

    With more, all would be half read when time is up, and none whole. At least two, because the first page of a slice
    is requested alone. Twice the slots, because a slot must not idle while a page is decoded, which does not matter
    where Liner is `slow`.
    """
    pages = max((liner_total or 0) / SLICE_CALLS / len(windows), 1)
    return max(MIN_PARALLEL_SLICES, math.ceil((1 if slow else 2) * liner.concurrency / pages))


@dataclass(slots=True)
class _SliceReader(Generic[T]):
    """Reads single slices and reports the progress of all.

    One fold at a time: it may request the records of every call, and several at once would share the slots and be late.
    """

    liner: LinerReads
    filters: Filters
    fold: Callable[[Sequence[Call]], Awaitable[T]]
    progress: Progress | None
    liner_total: int | None
    slots: anyio.Semaphore
    calls_read: int = 0
    fold_lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def read(self, window: TimeWindow) -> list[_Slice[T]]:
        """One slice; slices begin in the order in which they were requested."""
        async with self.slots:
            return await self._read_halving(window)

    async def _read_halving(self, window: TimeWindow) -> list[_Slice[T]]:
        """One slice, halved as often as it is too large to be held in memory."""
        shortest = window.until - window.since <= MIN_SLICE
        at_most = None if shortest else MAX_CALLS_IN_MEMORY
        found = await read_slice(self.liner, self.filters, window, at_most)
        if found.outside_window:
            found = await read_wider(self.liner, self.filters, window, found)
        elif found.over_limit:
            middle = window.since + (window.until - window.since) / 2
            newer = await self._read_halving(TimeWindow(middle, window.until))
            return [*newer, *await self._read_halving(TimeWindow(window.since, middle))]
        async with self.fold_lock:
            folded = await self.fold(found.calls)
        self.calls_read += len(found.calls)
        if self.progress is not None and found.calls:  # the protocol requires progress to grow with each report
            # A total below the progress would be wrong.
            total = self.liner_total if self.liner_total is not None and self.liner_total >= self.calls_read else None
            await self.progress(self.calls_read, total)
        return [_Slice(folded, replace(found, calls=()), self.filters.violated_by(*found.calls))]
