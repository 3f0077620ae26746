"""Whether Liner reads the times of a window as they are meant. Pure.

A Liner that reads them in another zone lists the calls of a window some hours earlier or later. Its calls outside the
requested window show it, and a request for a day more on each side then holds the calls of the window too.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from liner_mcp.calls.time_window import TimeWindow

MARGIN = timedelta(days=1)  # on each side: no zone is further from UTC
MAX_SHIFT_HOURS = 24


def widened(window: TimeWindow) -> TimeWindow:
    """The window with a day more on each side."""
    return TimeWindow(window.since - MARGIN, window.until + MARGIN)


def shift_hours(
    window: TimeWindow, listed: Sequence[datetime], listed_for_widened: Sequence[datetime], *, whole: bool
) -> int | None:
    """By how many hours the windows that Liner lists are later than requested; None where the times fit no number of
    hours, or several.

    `listed` are the times of the calls that came for the window, `whole` if these are all; `listed_for_widened` those
    for the widened window.
    """
    narrow, wide = sorted(listed), sorted(listed_for_widened)
    found: list[int] = []
    for hours in range(-MAX_SHIFT_HOURS, MAX_SHIFT_HOURS + 1):
        shift = timedelta(hours=hours)
        since, until, margin = window.since + shift, window.until + shift, MARGIN
        inside = wide[bisect_left(wide, since) : bisect_right(wide, until)]
        fits = inside == narrow if whole else not narrow or (since <= narrow[0] and narrow[-1] <= until)
        if fits and (not wide or (since - margin <= wide[0] and wide[-1] <= until + margin)):
            found.append(hours)
    return found[0] if len(found) == 1 and found[0] else None


def shift_note(hours: int | None, *, complete: bool) -> str:
    """The note of an answer for whose window Liner listed calls of other times, or none."""
    cause = (
        "Liner did not list exactly the calls of this window"
        if hours is None
        else f"Liner seems to read window times {abs(hours)} h too {'late' if hours > 0 else 'early'}"
    )
    missing = "" if complete else ", but some may be missing here"
    return f"{cause}; a wider request was made for them{missing}. `liner-mcp check --probe` examines this."
