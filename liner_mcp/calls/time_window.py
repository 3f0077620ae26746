"""Time: the zone in which questions and answers speak, and the window that a question means. Pure but for the zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzlocal

from liner_mcp.errors import InvalidArgument
from liner_mcp.text.mask import echoed


@dataclass(frozen=True, slots=True)
class Zone:
    """An IANA zone. `configured` is False when it is only the machine's, which an answer may have to say."""

    name: str
    configured: bool
    info: ZoneInfo

    @classmethod
    def of(cls, configured: str | None) -> Zone:
        """The zone of LINER_TIMEZONE, else the machine's, else UTC."""
        if configured is not None:
            return cls(configured, True, ZoneInfo(configured))
        try:
            name = tzlocal.get_localzone_name() or "UTC"  # whatever its signature says, no zone at all gives None
            return cls(name, False, ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError, OSError, LookupError):
            return cls("UTC", False, ZoneInfo("UTC"))

    def date_and_time(self, moment: datetime | None) -> tuple[str | None, str | None]:
        """`2026-11-20` and `10:02` in this zone; nothing for no moment."""
        if moment is None:
            return None, None
        try:
            local = moment.astimezone(self.info)
        except OverflowError:  # a placeholder such as the year 1 or 9999, at the very edge of the calendar
            local = moment
        text = local.isoformat()  # strftime writes years before 1000 without their zeros
        return text[:10], text[11:16]

    def stamp(self, moment: datetime) -> str:
        """`2026-11-20T10:02+03:00` in this zone; seconds are told only where there are any."""
        local = moment.astimezone(self.info)
        return local.isoformat(timespec="seconds" if local.second else "minutes")

    def midnight(self, day: date) -> datetime:
        """When a day begins here, in UTC: the clock may jump in between, so days are not always 24 hours."""
        return datetime.combine(day, time(), self.info).astimezone(UTC)


# Windows ------------------------------------------------------------------------------------------------------------

ECHOED = 40  # characters of a time that is shown back
LONGEST = 64  # characters of a time; ISO 8601 with microseconds and an offset has half
DEFAULT_SPAN = timedelta(days=7)  # a week answers most questions and costs one small read; it is told as a guess
FORMS = (
    "today, yesterday, this_week, last_week, this_month, last_month, a month (2026-11), a date (2026-11-20), "
    "-24h, -7d, or ISO 8601 with an offset (2026-11-20T10:00:00+03:00)"
)
FIRST_YEAR, LAST_YEAR = 2000, 2100  # nothing was called before, and nobody asks beyond
_AGO = re.compile(r"-(\d{1,5})([mhdw])")
_AGO_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LOST_PLUS = re.compile(r"(.*\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?) (\d{2}:?\d{2})")


@dataclass(frozen=True, slots=True)
class Window:
    """A closed span of time, half-open: `since` is inside, `until` is not. Both in UTC."""

    since: datetime
    until: datetime

    def holds(self, moment: datetime) -> bool:
        return self.since <= moment < self.until

    def shown(self, zone: Zone) -> dict[str, str]:
        """Both ends in the zone of the answer, to the second, with their offset."""
        return {"since": zone.stamp(self.since), "until": zone.stamp(self.until)}


def whole_second(moment: datetime) -> datetime:
    """The moment, or the next whole second after it."""
    return moment.replace(microsecond=0) + timedelta(seconds=bool(moment.microsecond))


@dataclass(frozen=True, slots=True)
class AskedWindow:
    """A window and how it was understood: `by_zone` when day words or zone-less times were read in the zone."""

    window: Window
    by_zone: bool
    defaulted: bool = False


@dataclass(frozen=True, slots=True)
class _Meant:
    """What one text means: a span (`start` < `end`) or a moment (`start` == `end`)."""

    start: datetime
    end: datetime
    by_zone: bool
    alone_is_whole: bool = False  # a named period given alone as `since` means all of it


def window_of(
    since: str | None, until: str | None, *, zone: Zone, now: datetime, default_since: datetime | None = None
) -> AskedWindow:
    """The window that two texts mean, frozen at `now`; `default_since` replaces the usual default.

    Raises: InvalidArgument when a text means nothing, the window ends before it begins, or begins in the future.
    """
    now = now.replace(microsecond=0)
    last = None if until is None else _meant("until", until, zone, now)
    end = now if last is None else last.end
    defaulted = since is None and default_since is None
    if since is not None:
        first = _meant("since", since, zone, now)
        if last is None and first.alone_is_whole:
            end = first.end
    elif default_since is not None:
        first = _Meant(default_since, default_since, by_zone=False)
    else:
        start = min(end, now) - DEFAULT_SPAN
        first = _Meant(start, start, by_zone=False)
    window = Window(first.start, min(end, now))
    if first.start >= now:
        raise InvalidArgument(f"since: the window begins in the future; it is {zone.stamp(now)} now.")
    if window.since >= window.until:
        raise InvalidArgument(
            f"until: the window ends ({zone.stamp(window.until)}) before it begins ({zone.stamp(window.since)})."
        )
    by_zone = first.by_zone or (last is not None and last.by_zone)
    return AskedWindow(window, by_zone, defaulted)


def _meant(argument: str, text: str, zone: Zone, now: datetime) -> _Meant:
    word = text.strip()
    if len(word) > LONGEST:
        raise _not_a_time(argument, word)
    ago = _AGO.fullmatch(word)
    if word == "now":
        return _Meant(now, now, by_zone=False)
    if ago:
        moment = now - timedelta(**{_AGO_UNITS[ago[2]]: int(ago[1])})
        if moment.year < FIRST_YEAR:
            raise InvalidArgument(f"{argument}: {word} reaches back before the year {FIRST_YEAR}.")
        return _Meant(moment, moment, by_zone=False)
    days = _named_days(word.lower().replace(" ", "_").replace("-", "_"), now.astimezone(zone.info).date())
    days = days or _numbered_days(word)
    if days is not None:
        start, end = (zone.midnight(day) for day in days)
        return _Meant(start, end, by_zone=True, alone_is_whole=len(word) != len("2026-11-20") or not word[:4].isdigit())
    return _moment(argument, word, zone)


def _named_days(word: str, today: date) -> tuple[date, date] | None:
    """First day and the day after the last of a period with a name."""
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


def _numbered_days(word: str) -> tuple[date, date] | None:
    """The same of a month (`2026-11`) or a day (`2026-11-20`)."""
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


def _moment(argument: str, word: str, zone: Zone) -> _Meant:
    lost = _LOST_PLUS.fullmatch(word)
    if lost:
        raise InvalidArgument(f"{argument}: the + of the offset got lost; write {lost[1][:30]}+{lost[2]}.")
    try:
        # Other spellings of a date (20261120, 2026-W47) would silently mean its first moment.
        moment = None if _is_date(word) else datetime.fromisoformat(word)
    except ValueError:
        moment = None
    if moment is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise _not_a_time(argument, word)
    by_zone = moment.tzinfo is None
    exact = (moment.replace(tzinfo=zone.info) if by_zone else moment).astimezone(UTC)
    return _Meant(exact, exact, by_zone=by_zone)


def _not_a_time(argument: str, word: str) -> InvalidArgument:
    return InvalidArgument(f'{argument}: "{echoed(word, ECHOED)}" is not a time. It can be {FORMS}.')


def _is_date(word: str) -> bool:
    try:
        date.fromisoformat(word)
    except ValueError:
        return False
    return True
