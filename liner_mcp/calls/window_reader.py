"""Reading a window of calls backwards, newest first, although Liner states no order.

`createdAt` is the only order there is, so a window is read in closed slices of time from its end to its beginning. The
first request covers the whole window, and its count sizes the slices. A slice is read whole before its calls are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from liner_mcp.calls.filters import Filters
from liner_mcp.calls.time_window import TimeWindow, ceil_to_second
from liner_mcp.calls.window_shift import shift_hours, shift_note, widened
from liner_mcp.errors import DeadlineExceeded, LinerMcpError
from liner_mcp.liner.models import Call
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.reads import LinerReads
from liner_mcp.provenance import unrecorded

SLICE_CALLS = 100  # a full page of Liner: fewer waste requests, many more are read in vain for a short answer
MAX_SLICE_CALLS = 500  # even where a client-side filter drops nearly everything
MAX_SLICE = timedelta(days=31)  # the longest window that Liner's documentation shows
UNCOUNTED_SLICE = timedelta(days=1)  # where Liner's count does not size the slices; several of them fit into a deadline
MIN_SLICE = timedelta(seconds=1)  # Liner's own resolution: such a slice is read whatever it holds
MAX_EMPTY_SLICES = 3  # slices in a row without a call: three, each up to four times the last, cover a night
MAX_HALVINGS = 2  # of a slice whose list is incomplete: Liner may count calls that it never lists
UNSLICED_PAGES = 3  # a window of up to three pages is read on and not sliced: its first page is there already

FILTER_IGNORED_NOTE = "Liner sent calls that the filters exclude; they were left out here."

CallKey = tuple[datetime, int]
"""When a call was created, and its id: the order of calls."""


def call_key(call: Call) -> CallKey:
    """When a call was created, and its id; calls without a time come before all others."""
    return (call.created_at or datetime.min.replace(tzinfo=UTC), call.id)


@dataclass(slots=True)
class WindowReader:
    """Slices of a window, from its end backwards, until `exhausted`. `remaining` was not read yet.

    Each slice is sized to hold about `wanted_calls`, the number that the caller still needs. `seconds_per_call` is what
    was seen so far, so that a later page does not have to count again. `widen`: see `read_wider`.
    `last_id`: the last call of the page before, 0 on the first page. `liner_total`: Liner's count of the window, from
    its first read on.
    """

    liner: LinerReads
    filters: Filters
    remaining: TimeWindow
    _: KW_ONLY
    seconds_per_call: float | None = None
    widen: bool = False
    last_id: int = 0
    liner_total: int | None = None
    exhausted: bool = False
    _until: datetime = field(init=False)
    _first_total: int | None = None
    _empty_slices: int = 0

    def __post_init__(self) -> None:
        self._until = self.remaining.until
        self.exhausted = self.remaining.since >= self._until or not self.filters.call_filters(self.remaining)

    async def read_next(self, wanted_calls: int = SLICE_CALLS) -> SliceRead:
        """The next slice. Raises what the Liner client raises; then nothing was read and `read_next` may be called
        again."""
        wanted_calls = min(max(wanted_calls, SLICE_CALLS // 2), MAX_SLICE_CALLS)
        if self.widen:
            return await self._read_unsliced(nothing_read(self.remaining, complete=False))
        if self.seconds_per_call is None:
            read = await read_slice(self.liner, self.filters, self.remaining, UNSLICED_PAGES * SLICE_CALLS)
            if self.remaining.until == self._until:
                self._first_total = read.liner_total
            if read.outside_window or self._lacks_last(self.remaining, read):
                return await self._read_unsliced(read)
            if read.is_settled:
                return self._finish_slice(read)
            self._update_seconds_per_call(self.remaining, read.counted or MAX_SLICE_CALLS)
            if read.liner_total is None:
                longest = UNCOUNTED_SLICE.total_seconds() / wanted_calls
                self.seconds_per_call = min(self.seconds_per_call or longest, longest)
        halvings = 0
        while True:
            span = min(self._slice_length(wanted_calls), self.remaining.until - self.remaining.since)
            window = TimeWindow(self.remaining.until - span, self.remaining.until)
            shortest = span <= MIN_SLICE
            read = await read_slice(self.liner, self.filters, window, None if shortest else MAX_SLICE_CALLS)
            if read.outside_window or self._lacks_last(window, read):
                return await self._read_unsliced(replace(read, complete=False))
            if read.is_settled or shortest or (not read.over_limit and halvings == MAX_HALVINGS):
                return self._finish_slice(read)
            halvings += not read.over_limit
            overfull = max(2.0, read.counted / wanted_calls) if read.over_limit else 2.0
            self.seconds_per_call = span.total_seconds() / wanted_calls / overfull

    def _lacks_last(self, window: TimeWindow, read: SliceRead) -> bool:
        """Whether the last call of the page before, with which this page's window ends, did not come."""
        expected = self.last_id and read.complete and window.until == self._until
        return bool(expected) and all(call.id != self.last_id for call in read.calls)

    async def _read_unsliced(self, read: SliceRead) -> SliceRead:
        """All the rest at once: a Liner that ignores the window sends everything for every slice of it."""
        wider = await read_wider(self.liner, self.filters, self.remaining, read)
        if self.remaining.until < self._until:
            wider = replace(wider, complete=False)  # calls of the slices before may be missing too
        return self._finish_slice(wider)

    def _slice_length(self, wanted_calls: int) -> timedelta:
        assert self.seconds_per_call is not None  # noqa: S101 - learned from the first count
        seconds = int(min(self.seconds_per_call * wanted_calls, MAX_SLICE.total_seconds()))
        return max(timedelta(seconds=seconds), MIN_SLICE)

    def _finish_slice(self, read: SliceRead) -> SliceRead:
        window = read.window
        if window.until == self._until and self._first_total is not None:
            self.liner_total = None if read.outside_window else self._first_total - read.after_end
        self.remaining = TimeWindow(self.remaining.since, window.since)
        self.exhausted = self.remaining.since >= self.remaining.until
        self._empty_slices = 0 if read.calls else self._empty_slices + 1
        if self._empty_slices == MAX_EMPTY_SLICES:
            self.seconds_per_call, self._empty_slices = None, 0  # so many empty slices: count the rest as a whole again
        elif self.seconds_per_call is not None:
            self._update_seconds_per_call(window, len(read.calls))
        return read

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
        if outcome is None or not (outcome.finished or _is_over(outcome, at_most)):
            raise DeadlineExceeded("Time was up before a list of calls was read whole. Ask again, or for less.")
        listings.append(outcome)
    return _merge(window, listings, at_most)


def _is_over(listing: Listing[Call], at_most: int | None) -> bool:
    """Whether a read ended because Liner counts or lists more than was wanted, or than could be read in time."""
    if at_most is None:
        return False
    return (listing.total or 0) > at_most or (not listing.finished and bool(listing.items))


@dataclass(frozen=True, slots=True)
class SliceRead:
    """The result of one read of a window: its calls, newest first, each once, those without a time last. Not `complete`
    where Liner counts more calls than it lists. `window_note`: what to say where it sent calls of other times, so that
    some may be missing. `over_limit`: it ended early, as Liner has more than was wanted or than could be read in
    time. `strayed`: the times of calls outside the requested window, which are left out. `after_end`: the calls in the
    second in which the window ends, which Liner counts and which are left out. `unreadable`, `misplaced`, `unread` are
    as in `Listing`.
    """

    window: TimeWindow
    calls: tuple[Call, ...]
    complete: bool
    over_limit: bool
    changed: bool
    liner_total: int | None
    after_end: int = 0
    strayed: tuple[datetime, ...] = ()
    window_note: str | None = None
    unreadable: int = 0
    misplaced: bool = False
    unread: bool = False

    @property
    def outside_window(self) -> bool:
        """Whether Liner sent calls of other times, or should have sent some."""
        return bool(self.strayed or self.window_note or self.misplaced)

    @property
    def moments(self) -> list[datetime]:
        return [*self.strayed, *(call.created_at for call in self.calls if call.created_at is not None)]

    @property
    def counted(self) -> int:
        return max(self.liner_total or 0, len(self.calls))

    @property
    def is_settled(self) -> bool:
        """Whether reading parts of the span instead would give no more calls: nothing is missing, or nothing but rows
        that cannot be read, or Liner counted no more than one page holds, where no call can slip between pages.
        """
        fits_one_page = self.liner_total is not None and self.liner_total <= SLICE_CALLS
        return self.complete or (not self.over_limit and (fits_one_page or self.unread or bool(self.unreadable)))


def nothing_read(window: TimeWindow, *, complete: bool) -> SliceRead:
    return SliceRead(window, (), complete=complete, over_limit=False, changed=False, liner_total=None)


async def read_wider(liner: LinerReads, filters: Filters, window: TimeWindow, narrow: SliceRead) -> SliceRead:
    """The calls of a window for which Liner sent `narrow`: with calls of other times, or empty although it has some.
    They come from a request for a day more on each side, unless Liner ignores the window.

    It is `complete` only if calls before and after the window came: then all between them came too.
    """
    whole = narrow.complete and not narrow.over_limit
    if whole and _surround(window, narrow.strayed):
        return replace(narrow, window_note=FILTER_IGNORED_NOTE)
    wide = await read_slice(liner, filters, widened(window), None)
    hours = shift_hours(window, narrow.moments, wide.moments, whole=whole)
    surrounded = _surround(window, wide.moments)
    ignored = surrounded and hours is None and narrow.strayed
    inside = {call.id: call for call in (*narrow.calls, *_calls_in(window, wide.calls))}
    return replace(
        wide,
        window=window,
        calls=tuple(sorted(inside.values(), key=call_key, reverse=True)),
        complete=wide.complete and surrounded,
        changed=narrow.changed or wide.changed,
        liner_total=None,
        window_note=FILTER_IGNORED_NOTE if ignored else shift_note(hours, complete=surrounded),
    )


def _surround(window: TimeWindow, moments: Sequence[datetime]) -> bool:
    """Whether some of the moments are before the window, and some after the second in which it ends."""
    end = ceil_to_second(window.until) + MIN_SLICE
    return any(moment < window.since for moment in moments) and any(moment >= end for moment in moments)


async def read_around(liner: LinerReads, filters: Filters, window: TimeWindow) -> tuple[SliceRead, SliceRead | None]:
    """For a window that came empty: the first page of a request for a day more on each side; and the window's calls,
    where that page shows that Liner does not read windows as they are meant.
    """
    with unrecorded():
        around = await read_slice(liner, filters, widened(window), SLICE_CALLS)
    if not (around.outside_window or _calls_in(window, around.calls)):
        return around, None
    return around, await read_wider(liner, filters, window, nothing_read(window, complete=True))


def _calls_in(window: TimeWindow, calls: Sequence[Call]) -> list[Call]:
    return [call for call in calls if call.created_at is not None and window.contains(call.created_at)]


def _merge(window: TimeWindow, listings: Sequence[Listing[Call]], at_most: int | None) -> SliceRead:
    """The lists of several chunks of ids as one: half-open, each call once, newest first."""
    calls = {call.id: call for listing in listings for call in listing.items}
    moments = [call.created_at for call in calls.values() if call.created_at is not None]
    # Whether a call without a time is inside is decided, or not, with the filters.
    inside = [call for call in calls.values() if call.created_at is None or window.contains(call.created_at)]
    # Requests cover a little more than the window: whole seconds, both ends included.
    requested = TimeWindow(window.since.replace(microsecond=0), ceil_to_second(window.until) + MIN_SLICE)
    totals = [listing.total for listing in listings]
    # A call that several lists hold is counted several times, and calls before `since` in its second are counted too.
    inexact = len(calls) < sum(len(listing.items) for listing in listings) or window.since.microsecond
    return SliceRead(
        window,
        tuple(sorted(inside, key=call_key, reverse=True)),
        complete=all(listing.complete for listing in listings),
        over_limit=any(_is_over(listing, at_most) for listing in listings),
        changed=any(listing.changed for listing in listings),
        liner_total=None if None in totals or inexact else sum(total or 0 for total in totals),
        after_end=sum(window.until <= moment and requested.contains(moment) for moment in moments),
        strayed=tuple(moment for moment in moments if not requested.contains(moment)),
        unreadable=sum(listing.unreadable for listing in listings),
        misplaced=any(listing.misplaced for listing in listings),
        unread=any(listing.unread for listing in listings),
    )
