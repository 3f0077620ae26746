"""The period of a question: from texts such as `last_week`, read in the zone of the answers, to a window in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from liner_mcp.errors import InvalidArgument
from liner_mcp.names.matching import DASHES
from liner_mcp.text.mask import quote_input
from liner_mcp.timezone import Zone

# Windows ------------------------------------------------------------------------------------------------------------

MAX_QUOTED = 40  # characters of a time that an error quotes
LONGEST = 64  # characters of a time; ISO 8601 with microseconds and an offset has half
DEFAULT_SPAN = timedelta(
    days=7
)  # a week answers most questions and costs one small read; the answer says it is a guess
TIME_FORMATS = (
    "today, yesterday, this_week, last_week, this_month, last_month, a month (2026-11), a date (2026-11-20), "
    "-24h, -7d, or ISO 8601 with an offset (2026-11-20T10:00:00+03:00)"
)
FIRST_YEAR, LAST_YEAR = 2000, 2100  # no call is older, and no question reaches further
_RELATIVE = re.compile(r"-(\d{1,5})([mhHdDwW])")  # M may mean months
_RELATIVE_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PLAIN_DASHES = str.maketrans(dict.fromkeys(DASHES, "-"))  # models write dates with hyphens that do not break
_MISSING_PLUS = re.compile(r"(.*\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?) (\d{2}:?\d{2})")


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """A closed span of time, half-open: `since` is inside, `until` is not. Both in UTC."""

    since: datetime
    until: datetime

    def contains(self, moment: datetime) -> bool:
        return self.since <= moment < self.until

    def to_dict(self, zone: Zone) -> dict[str, str]:
        """Both ends in the zone of the answer, to the second, with their offset."""
        return {"since": zone.isoformat(self.since), "until": zone.isoformat(self.until)}


def ceil_to_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0) + timedelta(seconds=bool(moment.microsecond))


@dataclass(frozen=True, slots=True)
class ParsedWindow:
    """A window and how it was understood: `uses_zone` when day words or zone-less times were read in the zone."""

    window: TimeWindow
    uses_zone: bool
    defaulted: bool = False


@dataclass(frozen=True, slots=True)
class _ParsedTime:
    """What one text means: a span (`start` < `end`) or a moment (`start` == `end`)."""

    start: datetime
    end: datetime
    uses_zone: bool
    is_period: bool = False  # a named period given alone as `since` means all of it


def parse_window(
    since: str | None, until: str | None, *, zone: Zone, now: datetime, default_since: datetime | None = None
) -> ParsedWindow:
    """The window that two texts mean, frozen at `now`; `default_since` replaces the usual default.

    Raises: InvalidArgument when a text means nothing, or the window is empty, ends before it begins, or begins in the
    future.
    """
    now = now.replace(microsecond=0)
    last = None if until is None else _parse_time("until", until, zone, now)
    end = now if last is None else last.end
    defaulted = since is None and default_since is None
    if since is not None:
        first = _parse_time("since", since, zone, now)
        if last is None and first.is_period:
            end = first.end
    elif default_since is not None:
        first = _ParsedTime(default_since, default_since, uses_zone=False)
    else:
        start = min(end, now) - DEFAULT_SPAN
        first = _ParsedTime(start, start, uses_zone=False)
    window = TimeWindow(first.start, min(end, now))
    if first.start >= now:
        raise InvalidArgument(f"since: the window begins in the future; it is {zone.isoformat(now)} now.")
    if window.since == window.until:
        raise InvalidArgument(
            f"until: the window is empty, because it begins and ends at {zone.isoformat(window.until)}. "
            "Send a later until, or an earlier since."
        )
    if window.since > window.until:
        raise InvalidArgument(
            f"until: the window ends ({zone.isoformat(window.until)}) "
            f"before it begins ({zone.isoformat(window.since)})."
        )
    uses_zone = first.uses_zone or (last is not None and last.uses_zone)
    return ParsedWindow(window, uses_zone, defaulted)


def _parse_time(argument: str, text: str, zone: Zone, now: datetime) -> _ParsedTime:
    word = text.strip().translate(_PLAIN_DASHES)
    if len(word) > LONGEST:
        raise _not_a_time(argument, word)
    ago = _RELATIVE.fullmatch(word)
    if word.lower() == "now":
        return _ParsedTime(now, now, uses_zone=False)
    if ago:
        moment = now - timedelta(**{_RELATIVE_UNITS[ago[2].lower()]: int(ago[1])})
        if moment.year < FIRST_YEAR:
            raise InvalidArgument(f"{argument}: {word} reaches back before the year {FIRST_YEAR}.")
        return _ParsedTime(moment, moment, uses_zone=False)
    days = _parse_named_period("_".join(word.lower().split()).replace("-", "_"), now.astimezone(zone.info).date())
    days = days or _parse_month_or_day(word)
    if days is not None:
        start, end = (zone.midnight(day) for day in days)
        return _ParsedTime(
            start, end, uses_zone=True, is_period=len(word) != len("2026-11-20") or not word[:4].isdigit()
        )
    return _parse_datetime(argument, word, zone)


def _parse_named_period(word: str, today: date) -> tuple[date, date] | None:
    """The first day of a named period, and the day after its last."""
    day = timedelta(days=1)
    monday, first = today - today.weekday() * day, today.replace(day=1)
    periods = {
        "today": (today, today + day),
        "yesterday": (today - day, today),
        "this_week": (monday, monday + 7 * day),
        "last_week": (monday - 7 * day, monday),
        "this_month": (first, _next_month(first)),
        "last_month": ((first - day).replace(day=1), first),
    }
    return periods.get(word)


def _parse_month_or_day(word: str) -> tuple[date, date] | None:
    """The same for a month (`2026-11`) or a day (`2026-11-20`)."""
    try:
        if re.fullmatch(r"\d{4}-\d{2}", word):
            first = date.fromisoformat(f"{word}-01")
            return (first, _next_month(first)) if FIRST_YEAR <= first.year <= LAST_YEAR else None
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", word):
            day = date.fromisoformat(word)
            return (day, day + timedelta(days=1)) if FIRST_YEAR <= day.year <= LAST_YEAR else None
    except ValueError:
        return None
    return None


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _parse_datetime(argument: str, word: str, zone: Zone) -> _ParsedTime:
    lost = _MISSING_PLUS.fullmatch(word)
    if lost:
        raise InvalidArgument(f"{argument}: the + of the offset got lost; write {lost[1][:30]}+{lost[2]}.")
    try:
        # Other spellings of a date (20261120, 2026-W47) would silently mean its first moment.
        moment = None if _is_date(word) else datetime.fromisoformat(word)
    except ValueError:
        moment = None
    if moment is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise _not_a_time(argument, word)
    uses_zone = moment.tzinfo is None
    exact = (moment.replace(tzinfo=zone.info) if uses_zone else moment).astimezone(UTC)
    return _ParsedTime(exact, exact, uses_zone=uses_zone)


def _not_a_time(argument: str, word: str) -> InvalidArgument:
    return InvalidArgument(f'{argument}: "{quote_input(word, MAX_QUOTED)}" is not a time. It can be {TIME_FORMATS}.')


def _is_date(word: str) -> bool:
    try:
        date.fromisoformat(word)
    except ValueError:
        return False
    return True
