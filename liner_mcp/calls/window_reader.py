"""Reading a window of calls backwards, newest first, although Liner states no order.

`createdAt` is the only order there is, so a window is read in closed slices of time from its end to its beginning. The
first request covers the whole window, and its count sizes the slices. A slice is read whole before its calls are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from liner_mcp.calls.filters import Filters
from liner_mcp.calls.time_window import TimeWindow, ceil_to_second
from liner_mcp.errors import DeadlineExceeded, LinerMcpError
from liner_mcp.liner.models import Call
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.reads import LinerReads

SLICE_CALLS = 100  # a full page of Liner: fewer waste requests, many more are read in vain for a short answer
MAX_SLICE_CALLS = 500  # even where a client-side filter drops nearly everything
MAX_SLICE = timedelta(days=31)  # the longest window that Liner's documentation shows
MIN_SLICE = timedelta(seconds=1)  # Liner's own resolution: such a slice is read whatever it holds
MAX_EMPTY_SLICES = 3  # slices in a row without a call: three, each up to four times the last, see a night through
MAX_HALVINGS = 2  # of a slice whose list is incomplete: Liner may count calls that it never lists
UNSLICED_PAGES = 3  # a window of up to three pages is read on and not sliced: its first page is there already

FILTER_IGNORED_NOTE = "Liner sent calls that the filters exclude; they were left out here."

CallKey = tuple[datetime, int]
"""When a call was created, and its id: the order of calls."""


def call_key(call: Call) -> CallKey:
    """When a call was created, and its id; calls without a time come before all others."""
    return (call.created_at or datetime.min.replace(tzinfo=UTC), call.id)


@dataclass(frozen=True, slots=True)
class TimeSlice:
    """One closed span that was read: its calls, newest first, each once, those without a time last. Not `complete`
    where Liner counts more calls than it lists; `outside_window` when it sent calls of other times, which are left out.
    """

    window: TimeWindow
    calls: tuple[Call, ...]
    complete: bool
    changed: bool
    outside_window: bool = False


class WindowReader:
    """Slices of a window, from its end backwards, until `exhausted`.

    Each slice is sized to hold about `wanted_calls`, the number that the caller still needs. `seconds_per_call` is what
    was seen so far, so that a later page does not have to count again.
    """

    def __init__(
        self, liner: LinerReads, filters: Filters, window: TimeWindow, *, seconds_per_call: float | None = None
    ) -> None:
        self._liner = liner
        self._filters = filters
        self._remaining = window
        self.seconds_per_call = seconds_per_call
        self.liner_total: int | None = None
        self._empty_slices = 0
        self.exhausted = window.since >= window.until or not filters.call_filters(window)

    @property
    def remaining(self) -> TimeWindow:
        """The part that was not read yet."""
        return self._remaining

    async def read_next(self, wanted_calls: int = SLICE_CALLS) -> TimeSlice:
        """The next slice. Raises what the Liner client raises; then nothing was read and `read_next` may be called
        again."""
        wanted_calls = min(max(wanted_calls, SLICE_CALLS // 2), MAX_SLICE_CALLS)
        if self.seconds_per_call is None:
            read = await read_slice(self._liner, self._filters, self._remaining, UNSLICED_PAGES * SLICE_CALLS)
            self.liner_total = read.liner_total if self.liner_total is None else self.liner_total
            if read.complete or read.fits_one_page:
                return self._finish_slice(self._remaining, read)
            if read.outside_window:
                return await self._read_unsliced()
            self._update_seconds_per_call(self._remaining, read.liner_total or MAX_SLICE_CALLS)
        halvings = 0
        while True:
            span = min(self._slice_length(wanted_calls), self._remaining.until - self._remaining.since)
            window = TimeWindow(self._remaining.until - span, self._remaining.until)
            shortest = span <= MIN_SLICE
            read = await read_slice(self._liner, self._filters, window, None if shortest else MAX_SLICE_CALLS)
            if read.complete or read.fits_one_page or shortest or (not read.over_limit and halvings == MAX_HALVINGS):
                return self._finish_slice(window, read)
            if read.outside_window:
                return await self._read_unsliced()
            halvings += not read.over_limit
            overfull = max(2.0, (read.liner_total or 0) / wanted_calls) if read.over_limit else 2.0
            self.seconds_per_call = span.total_seconds() / wanted_calls / overfull

    async def _read_unsliced(self) -> TimeSlice:
        """All the rest at once: a Liner that ignores the window sends everything for every slice of it."""
        return self._finish_slice(self._remaining, await read_slice(self._liner, self._filters, self._remaining, None))

    def _slice_length(self, wanted_calls: int) -> timedelta:
        assert self.seconds_per_call is not None  # noqa: S101 - learned from the first count
        seconds = int(min(self.seconds_per_call * wanted_calls, MAX_SLICE.total_seconds()))
        return max(timedelta(seconds=seconds), MIN_SLICE)

    def _finish_slice(self, window: TimeWindow, read: SliceRead) -> TimeSlice:
        self._remaining = TimeWindow(self._remaining.since, window.since)
        self.exhausted = self._remaining.since >= self._remaining.until
        self._empty_slices = 0 if read.calls else self._empty_slices + 1
        if self._empty_slices == MAX_EMPTY_SLICES:
            self.seconds_per_call, self._empty_slices = None, 0  # so many empty slices: count the rest as a whole again
        elif self.seconds_per_call is not None:
            self._update_seconds_per_call(window, len(read.calls))
        return TimeSlice(window, read.calls, read.complete, read.changed, read.outside_window)

    def _update_seconds_per_call(self, window: TimeWindow, calls: int) -> None:
        """Change the seconds per call at most fourfold: a quiet night must not make one slice of a busy day."""
        seen = (window.until - window.since).total_seconds() / max(calls, 0.25)
        self.seconds_per_call = (
            seen
            if self.seconds_per_call is None
            else min(max(seen, self.seconds_per_call / 4), self.seconds_per_call * 4)
        )


async def read_slice(liner: LinerReads, filters: Filters, window: TimeWindow, at_most: int | None) -> SliceRead:
    """All calls of a window, from one list per chunk of ids; each list ends with its first page when it counts over
    `at_most`.

    Raises: what the Liner client raises; DeadlineExceeded when time is up.
    """
    listings: list[Listing[Call]] = []
    readers = [partial(liner.calls, which, at_most=at_most) for which in filters.call_filters(window)]
    outcomes = [await readers[0]()] if len(readers) == 1 else await run_all(readers, concurrency=liner.concurrency)
    for outcome in outcomes:
        if isinstance(outcome, LinerMcpError):
            raise outcome
        over_limit = outcome is not None and at_most is not None and (outcome.total or 0) > at_most
        if outcome is None or not (outcome.finished or over_limit):
            raise DeadlineExceeded("The time of this call was up before Liner answered. Ask again, or for less.")
        listings.append(outcome)
    return _merge(window, listings, at_most)


@dataclass(frozen=True, slots=True)
class SliceRead:
    """The result of one read. `over_limit`: it ended after the first page, as Liner counts more than was wanted."""

    calls: tuple[Call, ...]
    complete: bool
    over_limit: bool
    changed: bool
    liner_total: int | None
    outside_window: bool = False

    @property
    def fits_one_page(self) -> bool:
        """Whether Liner counted no more than one page holds: no call can slip between pages then, so a call that is
        missing would be missing from any part of the span too.
        """
        return self.liner_total is not None and self.liner_total <= SLICE_CALLS


def _merge(window: TimeWindow, listings: Sequence[Listing[Call]], at_most: int | None) -> SliceRead:
    """The lists of several chunks of ids as one: half-open, each call once, newest first."""
    calls = {call.id: call for listing in listings for call in listing.items}
    timed = [call for call in calls.values() if call.created_at is not None]
    # Whether a call without a time is inside is decided, or not, with the filters.
    inside = [call for call in calls.values() if call.created_at is None or window.contains(call.created_at)]
    totals = [listing.total for listing in listings]
    # Requests cover a little more than the window: whole seconds, both ends included.
    requested = TimeWindow(window.since.replace(microsecond=0), ceil_to_second(window.until) + MIN_SLICE)
    return SliceRead(
        tuple(sorted(inside, key=call_key, reverse=True)),
        complete=all(listing.complete for listing in listings),
        over_limit=at_most is not None and any((total or 0) > at_most for total in totals),
        changed=any(listing.changed for listing in listings),
        liner_total=None if None in totals else sum(total or 0 for total in totals),
        outside_window=not all(call.created_at is not None and requested.contains(call.created_at) for call in timed),
    )
