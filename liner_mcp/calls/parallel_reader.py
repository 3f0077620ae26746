"""Reading all calls of a window, several slices at once, without keeping them.

Each slice is folded into something small as soon as it is read; what counts in the end is the contiguous run of slices
down from the window's end, so that a reading cut short still covers an exact span.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Generic, TypeVar

import anyio

from liner_mcp.calls.filters import Filters
from liner_mcp.calls.time_window import Window
from liner_mcp.calls.window_reader import (
    LONGEST_SLICE,
    READ_ON,
    SHORTEST_SLICE,
    SLICE_CALLS,
    SliceRead,
    merged,
    read_listings,
)
from liner_mcp.errors import DeadlinePassed, LinerMcpError
from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.models import Call

T = TypeVar("T")

# Forty pages: the half page that a slice wastes at its end is then an eightieth, two slices in memory are a few MB, and
# at twenty requests per second one takes two seconds: a reading cut short loses no more than that.
WHOLE_SLICE_CALLS = 4_000
MOST_AT_ONCE = 10_000  # calls of one slice that are held in memory; a denser one is halved
# Where every recorded call costs a request, a slice as large as that would outlast the time of a tool call.
EXAMINED_SLICE_CALLS = SLICE_CALLS
LEAST_AT_ONCE = 2  # slices under way

Progress = Callable[[int, int | None], Awaitable[None]]
"""Told how many calls were read, and of how many as far as Liner counted."""


@dataclass(frozen=True, slots=True)
class WholeRead(Generic[T]):
    """What was folded, newest slice first, down to `reached`. `stopped` says why it ends before the window does.

    `whole` is False where Liner counts more calls than it lists; `counted` is Liner's own count of the window; `leaked`
    when Liner sent calls that it was asked to leave out.
    """

    folded: tuple[T, ...]
    reached: datetime
    stopped: LinerMcpError | None
    whole: bool
    changed: bool
    counted: int | None
    leaked: bool = False


@dataclass(frozen=True, slots=True)
class _Part(Generic[T]):
    folded: tuple[T, ...]
    whole: bool
    changed: bool
    leaked: bool


async def read_all(
    liner: LinerClient,
    filters: Filters,
    window: Window,
    fold: Callable[[Sequence[Call]], Awaitable[T]],
    progress: Progress | None = None,
) -> WholeRead[T]:
    """Fold every slice of the window. `fold` gets the calls of one slice, each call once, newest first, unfiltered.

    Raises: the error of the first read, when nothing was read at all.
    """
    if not filters.requests(window):
        return WholeRead((), window.since, None, whole=True, changed=False, counted=0)
    slice_calls = WHOLE_SLICE_CALLS if filters.transferred is None else EXAMINED_SLICE_CALLS
    # What is one slice anyway is read on from its first page; of a longer window more than a few pages only count.
    few = slice_calls if window.until - window.since <= LONGEST_SLICE else min(READ_ON * SLICE_CALLS, slice_calls)
    first = merged(window, await read_listings(liner, filters, window, few), few)
    if first.whole:
        folded = (await fold(first.calls),)
        leaked = _leaked(first, filters)
        return WholeRead(folded, window.since, None, True, first.changed, first.counted, leaked)
    # A Liner that ignores the window gives everything for every slice of it.
    windows = [window] if first.strayed else _slices(window, first.counted, slice_calls)
    reader = _Reader(liner, filters, fold, progress, first.counted, _at_once(liner, filters, windows, first.counted))
    outcomes = await liner.each([partial(reader.read, one) for one in windows])
    parts: list[_Part[T]] = []
    stopped: LinerMcpError | None = None
    for outcome in outcomes:
        if isinstance(outcome, _Part):
            parts.append(outcome)
            continue
        stopped = outcome or DeadlinePassed("Time was up before the whole window was read; ask for less.")
        break
    reached = windows[len(parts) - 1].since if parts else window.until
    return WholeRead(
        tuple(folded for part in parts for folded in part.folded),
        reached,
        stopped,
        whole=all(part.whole for part in parts),
        changed=any(part.changed for part in parts),
        counted=first.counted,
        leaked=any(part.leaked for part in parts),
    )


def _leaked(read: SliceRead, filters: Filters) -> bool:
    return read.strayed or filters.leaks(*read.calls)


def _slices(window: Window, counted: int | None, slice_calls: int) -> list[Window]:
    """The window in equal slices, newest first, sized by Liner's count, never longer than its documentation shows."""
    length = window.until - window.since
    wanted = max(math.ceil((counted or 0) / slice_calls), math.ceil(length / LONGEST_SLICE), 1)
    seconds = max(math.ceil(length.total_seconds() / wanted), 1)
    found: list[Window] = []
    until = window.until
    while until > window.since:
        since = max(window.since, until - timedelta(seconds=seconds))
        found.append(Window(since, until))
        until = since
    return found


def _at_once(liner: LinerClient, filters: Filters, windows: Sequence[Window], counted: int | None) -> int:
    """How many slices to have under way: as few as keep Liner's slots busy.

    Were more begun, all would be half read when time is up, and none whole. Two at least, for the first page of a
    slice comes alone.
    """
    if filters.transferred is not None:
        return LEAST_AT_ONCE  # a slice is a hundred requests, however short its list
    pages = max((counted or 0) / SLICE_CALLS / len(windows), 1)
    return max(LEAST_AT_ONCE, math.ceil(2 * liner.concurrency / pages))


class _Reader(Generic[T]):
    """Reads single slices and tells the progress of all."""

    def __init__(
        self,
        liner: LinerClient,
        filters: Filters,
        fold: Callable[[Sequence[Call]], Awaitable[T]],
        progress: Progress | None,
        counted: int | None,
        at_once: int,
    ) -> None:
        self._liner = liner
        self._filters = filters
        self._fold = fold
        self._progress = progress
        self._counted = counted
        self._read = 0
        # A fold may ask Liner about every call: several at once would share its slots, and none be done in time.
        self._folding = anyio.Lock()
        self._under_way = anyio.Semaphore(at_once)

    async def read(self, window: Window) -> _Part[T]:
        """One slice; those asked for first are begun first."""
        async with self._under_way:
            return await self._halved(window)

    async def _halved(self, window: Window) -> _Part[T]:
        """One slice, halved as often as it is too dense to be held."""
        shortest = window.until - window.since <= SHORTEST_SLICE
        at_most = None if shortest else MOST_AT_ONCE
        found = merged(window, await read_listings(self._liner, self._filters, window, at_most), at_most)
        if found.crowded and found.strayed:
            found = merged(window, await read_listings(self._liner, self._filters, window, None), None)
        elif found.crowded:
            middle = window.since + (window.until - window.since) / 2
            newer = await self._halved(Window(middle, window.until))
            older = await self._halved(Window(window.since, middle))
            return _Part(
                (*newer.folded, *older.folded),
                newer.whole and older.whole,
                newer.changed or older.changed,
                newer.leaked or older.leaked,
            )
        async with self._folding:
            folded = await self._fold(found.calls)
        self._read += len(found.calls)
        if self._progress is not None and found.calls:  # the protocol wants progress to grow every time it is told
            # A total that was overtaken would be no total.
            total = self._counted if self._counted is not None and self._counted >= self._read else None
            await self._progress(self._read, total)
        return _Part((folded,), found.whole, found.changed, _leaked(found, self._filters))
