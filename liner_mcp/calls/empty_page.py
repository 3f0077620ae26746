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
from liner_mcp.provenance import unrecorded

LOOK_BACK = timedelta(days=31)  # how far an empty answer looks for earlier calls, in one request


async def empty_page_hint(
    context: AppContext, filters: Filters, window: TimeWindow, scanned: int, earlier: Sequence[Call]
) -> str:
    """What to try when nothing in the whole window passes: filters to relax, or the nearest earlier calls.

    `scanned` calls of the window were read. `earlier` are those of the day before; without one that passes, a month
    before it is looked at in one request.
    """
    days = LOOK_BACK.days
    client_side = ", ".join(filters.client_side)
    if scanned:
        relaxable = client_side or ", ".join(filters.echo())
        return f"{scanned} calls of this window were read and none passed {relaxable}; relax one of these."
    requests = filters.call_filters(TimeWindow(window.since - LOOK_BACK, window.since))
    nothing = "Liner has no such call in this window"
    if nearest := _newest_passing(filters, earlier):
        return f"{nothing}; {_nearest(context, filters, nearest)}"
    try:
        with unrecorded():
            listing = await context.liner.calls(requests[0], at_most=SLICE_CALLS) if len(requests) == 1 else None
    except LinerMcpError:
        listing = None
    before = [] if listing is None else [call for call in listing.items if is_before(window, call)]
    # A list with calls of other times was not for the days before.
    if listing is None or len(before) < len(listing.items):
        return f"{nothing}; try an earlier since{', or fewer filters' if filters.can_be_relaxed else ''}."
    if not before and listing.complete:
        advice = "fewer filters may find some" if filters.can_be_relaxed else "try another window"
        return f"{nothing}, nor in the {days} days before it; {advice}."
    nearest = _newest_passing(filters, before)
    if listing.complete and nearest is not None:
        return f"{nothing}; {_nearest(context, filters, nearest)}"
    counted = max(listing.total or 0, len(before))
    found = f"{counted} in the {days} days before it"
    if not client_side:
        return f"{nothing}, but {found}."
    checked = "none of them passed" if listing.complete else "not checked for"
    return f"{nothing}; Liner has {found}, {checked} {client_side}."


def is_before(window: TimeWindow, call: Call) -> bool:
    """Whether a call is of the month before a window."""
    # The request includes its last second, and calls in it may have come since.
    return call.created_at is not None and window.since - LOOK_BACK <= call.created_at < window.since


def _newest_passing(filters: Filters, calls: Sequence[Call]) -> Call | None:
    undecided = filters.undecided(calls)
    passing = [call for call in filters.matching(calls) if call.id not in undecided]
    return max(passing, key=call_key, default=None)


def _nearest(context: AppContext, filters: Filters, call: Call) -> str:
    one = "candidate" if filters.on_recordings else "one"
    assert call.created_at is not None  # noqa: S101 - it was compared with the window
    return f"the nearest earlier {one} is call {call.id} of {context.zone.isoformat(call.created_at)}."
