"""Reading a window of calls backwards, newest first, although Liner states no order.

`createdAt` is the only order there is, so a window is read in closed slices of time from its end to its beginning. The
first request asks the whole window; its count sizes the slices. A slice is read whole before anything of it is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from liner_mcp.calls.filters import Filters
from liner_mcp.calls.time_window import Window, whole_second
from liner_mcp.errors import DeadlinePassed, LinerMcpError
from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.models import Call
from liner_mcp.liner.pagination import Listing

SLICE_CALLS = 100  # a full page of Liner: fewer wastes requests, many more wastes what a short answer throws away
MOST_SLICE_CALLS = 500  # even where a filter of ours drops nearly everything
LONGEST_SLICE = timedelta(days=31)  # the longest window that Liner's documentation shows
SHORTEST_SLICE = timedelta(seconds=1)  # Liner's own resolution: such a slice is read whatever it holds
MOST_EMPTY = 3  # slices in a row without a call: three, each up to four times the last, see a night through
MOST_HALVINGS = 2  # of a slice whose list does not come whole: Liner may count what it will never list
READ_ON = 3  # a count of up to three pages is read on rather than sliced: the first of them is there already

LEAKED = "Liner sent calls that the filters exclude; they were left out here."

Key = tuple[datetime, int]
"""When a call was created, and its id: the order of calls."""


def key_of(call: Call) -> Key:
    """The place of a call in time; calls without a time stand before all others."""
    return (call.created_at or datetime.min.replace(tzinfo=UTC), call.id)


@dataclass(frozen=True, slots=True)
class Slice:
    """One closed span, read: its calls newest first, each once. Not `whole` where Liner counts more than it lists;
    `strayed` when it sent calls of other times, which are left out.
    """

    window: Window
    calls: tuple[Call, ...]
    whole: bool
    changed: bool
    strayed: bool = False


class NewestFirst:
    """Slices of a window, from its end backwards, until `exhausted`.

    `want` says before each slice how many calls the reader still has use for; slices are sized to hold about so many.
    `pace` is the seconds per call seen so far, so that a later page need not ask again.
    """

    def __init__(self, liner: LinerClient, filters: Filters, window: Window, *, pace: float | None = None) -> None:
        self._liner = liner
        self._filters = filters
        self._rest = window
        self.pace = pace
        self.counted: int | None = None
        self._empty = 0
        self.exhausted = window.since >= window.until or not filters.requests(window)

    @property
    def rest(self) -> Window:
        """What was not read yet."""
        return self._rest

    async def next(self, want: int = SLICE_CALLS) -> Slice:
        """The next slice. Raises what the Liner client raises; then nothing was read and `next` may be called again."""
        want = min(max(want, SLICE_CALLS // 2), MOST_SLICE_CALLS)
        if self.pace is None:
            read = await self._read(self._rest, READ_ON * SLICE_CALLS)
            self.counted = read.counted if self.counted is None else self.counted
            if read.whole or read.small:
                return self._taken(self._rest, read)
            if read.strayed:
                return await self._unsliced()
            self._learn(self._rest, read.counted or MOST_SLICE_CALLS)
        halvings = 0
        while True:
            span = min(self._span(want), self._rest.until - self._rest.since)
            window = Window(self._rest.until - span, self._rest.until)
            shortest = span <= SHORTEST_SLICE
            read = await self._read(window, None if shortest else MOST_SLICE_CALLS)
            if read.whole or read.small or shortest or (not read.crowded and halvings == MOST_HALVINGS):
                return self._taken(window, read)
            if read.strayed:
                return await self._unsliced()
            halvings += not read.crowded
            crowd = max(2.0, (read.counted or 0) / want) if read.crowded else 2.0
            self.pace = span.total_seconds() / want / crowd

    async def _unsliced(self) -> Slice:
        """All the rest at once: a Liner that ignores the window gives everything for every slice of it."""
        return self._taken(self._rest, await self._read(self._rest, None))

    def _span(self, want: int) -> timedelta:
        assert self.pace is not None  # noqa: S101 - learned from the first count
        seconds = int(min(self.pace * want, LONGEST_SLICE.total_seconds()))
        return max(timedelta(seconds=seconds), SHORTEST_SLICE)

    def _taken(self, window: Window, read: SliceRead) -> Slice:
        self._rest = Window(self._rest.since, window.since)
        self.exhausted = self._rest.since >= self._rest.until
        self._empty = 0 if read.calls else self._empty + 1
        if self._empty == MOST_EMPTY:
            self.pace, self._empty = None, 0  # so much silence: ask the rest as a whole again
        elif self.pace is not None:
            self._learn(window, len(read.calls))
        return Slice(window, read.calls, read.whole, read.changed, read.strayed)

    def _learn(self, window: Window, calls: int) -> None:
        """Seconds per call, at most four times what it was: a quiet night must not make one slice of a busy day."""
        seen = (window.until - window.since).total_seconds() / max(calls, 0.25)
        self.pace = seen if self.pace is None else min(max(seen, self.pace / 4), self.pace * 4)

    async def _read(self, window: Window, at_most: int | None) -> SliceRead:
        return merged(window, await read_listings(self._liner, self._filters, window, at_most), at_most)


async def read_listings(
    liner: LinerClient, filters: Filters, window: Window, at_most: int | None
) -> list[Listing[Call]]:
    """Liner's lists for a window, one per chunk of ids; each ends with its first page when it counts over `at_most`.

    Raises: what the Liner client raises; DeadlinePassed when time is up.
    """
    listings: list[Listing[Call]] = []
    for outcome in await liner.each(
        [partial(liner.calls, which, at_most=at_most) for which in filters.requests(window)]
    ):
        if isinstance(outcome, LinerMcpError):
            raise outcome
        crowded = outcome is not None and at_most is not None and (outcome.total or 0) > at_most
        if outcome is None or not (outcome.ended or crowded):
            raise DeadlinePassed("The time of this call was up before Liner answered. Ask again, or for less.")
        listings.append(outcome)
    return listings


@dataclass(frozen=True, slots=True)
class SliceRead:
    """What a read brought. `crowded`: it was given up after the first count, being more than was wanted at once."""

    calls: tuple[Call, ...]
    whole: bool
    crowded: bool
    changed: bool
    counted: int | None
    strayed: bool = False

    @property
    def small(self) -> bool:
        """Whether Liner counted no more than one page holds: nothing slips from page to page there, so what is missing
        would be missing from any part of it too.
        """
        return self.counted is not None and self.counted <= SLICE_CALLS


def merged(window: Window, listings: Sequence[Listing[Call]], at_most: int | None) -> SliceRead:
    """The lists of several chunks of ids as one; half-open, each call once, newest first."""
    calls = {call.id: call for listing in listings for call in listing.items}
    timed = [call for call in calls.values() if call.created_at is not None]
    inside = [call for call in timed if call.created_at is not None and window.holds(call.created_at)]
    totals = [listing.total for listing in listings]
    # A little more is asked than the window holds: whole seconds, both ends included.
    asked = Window(window.since.replace(microsecond=0), whole_second(window.until) + SHORTEST_SLICE)
    return SliceRead(
        tuple(sorted(inside, key=key_of, reverse=True)),
        # A call without a time has no place in any window: it is as good as not listed.
        whole=len(timed) == len(calls) and all(listing.complete for listing in listings),
        crowded=at_most is not None and any((total or 0) > at_most for total in totals),
        changed=any(listing.changed for listing in listings),
        counted=None if None in totals else sum(total or 0 for total in totals),
        strayed=not all(call.created_at is not None and asked.holds(call.created_at) for call in timed),
    )
