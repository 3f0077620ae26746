"""The calls that find_calls has collected for one page, and where a page of a number of rows ends."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from liner_mcp.calls.filters import WINDOW
from liner_mcp.calls.listed_calls import ListedCalls
from liner_mcp.calls.record_filters import Undecided
from liner_mcp.calls.recording_rows import PageRoom
from liner_mcp.calls.window_reader import SLICE_CALLS, CallKey, call_key
from liner_mcp.liner.models import Call

INITIAL_PASS_RATE = 0.3  # of calls that pass client-side filters: a guess, until the first calls were read
MIN_PASS_RATE = 0.01  # below this a slice would be sized by chance


@dataclass(frozen=True, slots=True)
class PageEnd:
    """Where a page ends: the number of calls that it gives whole, and the key down to which everything was looked at.
    `begun`: the call of which it gives some recordings, the last one being `after_record`.
    """

    calls: int
    reached: CallKey
    begun: Call | None = None
    after_record: int = 0


@dataclass(slots=True, kw_only=True)
class CollectedCalls(ListedCalls):
    """The calls of one page so far. `reached`: every call from this key upwards was looked at."""

    reached: CallKey
    room: PageRoom
    known_pass_rate: float | None = None  # from earlier pages
    more: bool = False  # calls beyond the limit are known already
    scanned: list[CallKey] = field(default_factory=list[CallKey])
    ends: list[int] = field(default_factory=list[int])  # the numbers of rows with which the calls end

    @property
    def began(self) -> bool:
        """Whether the records of a call of this page were read, or could not be."""
        undecided = self.undecided.values()
        return bool(self.examined.calls) or any(WINDOW not in one.without_value for one in undecided)

    @property
    def pass_rate(self) -> float:
        """The share of calls that pass the client-side filters, as far as it is known."""
        scanned = len(self.scanned)
        if scanned < SLICE_CALLS:
            return self.known_pass_rate or INITIAL_PASS_RATE
        return max(len(self.calls) / scanned, MIN_PASS_RATE)

    def page_end(self, rows: int) -> PageEnd:
        calls = bisect_right(self.ends, rows)
        if calls == len(self.calls):
            return PageEnd(calls, self.reached)
        begun = self.calls[calls]
        if rows > (self.ends[calls - 1] if calls else 0):
            moment, call_id = call_key(begun)
            return PageEnd(calls, (moment, call_id + 1), begun)
        return PageEnd(calls, call_key(self.calls[calls - 1]))

    def undecided_down_to(self, reached: CallKey) -> list[Undecided]:
        """The undecided calls of such a page; the next page examines the others again. A call without a time is one of
        every page that found it.
        """
        return [one for one in self.undecided.values() if one.key >= reached or WINDOW in one.without_value]
