"""What to try when nothing in a window passes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from liner_mcp.calls.filters import Filters
from liner_mcp.calls.time_window import TimeWindow
from liner_mcp.calls.window_reader import SLICE_CALLS, call_key
from liner_mcp.context import AppContext
from liner_mcp.errors import LinerMcpError
from liner_mcp.liner.models import Call
from liner_mcp.liner.pagination import Listing
from liner_mcp.provenance import unrecorded

LOOK_BACK = timedelta(days=31)  # how far an empty answer looks for earlier calls, in one request


async def empty_page_hint(
    context: AppContext, filters: Filters, window: TimeWindow, scanned: int, around: Sequence[Call]
) -> str:
    """What to try when nothing in the whole window passes: filters to relax, or an earlier call.

    `scanned` calls of the window were read. `around` are those of the day before and after it; if none of the day
    before passes, the month before is read in one request.
    """
    client_side = ", ".join(filters.client_side)
    if scanned:
        relaxable = client_side or ", ".join(filters.echo())
        return f"{scanned} calls of this window were read and none passed {relaxable}; relax one of these."
    requests = filters.call_filters(TimeWindow(window.since - LOOK_BACK, window.since))
    nothing = "Liner has no such call in this window"
    if earlier := _earlier_call(context, filters, window, around):
        return f"{nothing}; {earlier}"
    try:
        with unrecorded():
            listing = await context.liner.calls(requests[0], at_most=SLICE_CALLS) if len(requests) == 1 else None
    except LinerMcpError:
        listing = None
    before = [] if listing is None else [call for call in listing.items if _is_before(window, call)]
    # A list with calls of other times, or that the filters exclude, does not answer the request.
    if listing is None or len(before) < len(listing.items) or filters.violated_by(*before):
        return f"{nothing}; try an earlier since{', or fewer filters' if filters.can_be_relaxed else ''}."
    if not before and listing.complete:
        advice = "fewer filters may find some" if filters.can_be_relaxed else "try another window"
        return f"{nothing}, nor in the {LOOK_BACK.days} days before it; {advice}."
    if listing.complete and (earlier := _earlier_call(context, filters, window, before)):
        return f"{nothing}; {earlier}"
    return f"{nothing}{_counted_before(filters, listing, before)}."


def _is_before(window: TimeWindow, call: Call) -> bool:
    # The request includes its last second, and calls in it may have come since.
    return call.created_at is not None and window.since - LOOK_BACK <= call.created_at < window.since


def _earlier_call(context: AppContext, filters: Filters, window: TimeWindow, calls: Sequence[Call]) -> str:
    """The newest of the calls before the window that passes; empty without one. A call that cannot be decided, or has
    no time, may be nearer.
    """
    candidates = [call for call in filters.matching(calls) if call.created_at is None or _is_before(window, call)]
    undecided = filters.undecided(candidates)
    passing = [call for call in candidates if call.id not in undecided]
    if not passing:
        return ""
    found = max(passing, key=call_key)
    assert found.created_at is not None  # noqa: S101 - a call without a time is undecided
    unclear = [call for call in candidates if call.id in undecided]
    nearest = all(call.created_at is not None and call_key(call) < call_key(found) for call in unclear)
    one = "candidate" if filters.on_recordings else "one"
    which = "the nearest earlier" if nearest else "an earlier"
    return f"{which} {one} is call {found.id} of {context.zone.isoformat(found.created_at)}."


def _counted_before(filters: Filters, listing: Listing[Call], before: Sequence[Call]) -> str:
    """How many calls Liner has in the month before, and whether they were checked for the filters that it lacks."""
    counted = len(before) if listing.complete else max(listing.total or 0, len(before))
    # Without a count, only the first pages were read.
    least = "" if listing.complete or listing.total == counted else "at least "
    found = f"{least}{counted} in the {LOOK_BACK.days} days before it"
    if not filters.client_side:
        return f", but {found}"
    checked = "not checked for"
    if listing.complete:
        undecided = filters.undecided(filters.matching(before))
        checked = "of which not all could be checked for" if undecided else "none of them passed"
    return f"; Liner has {found}, {checked} {', '.join(filters.client_side)}"
