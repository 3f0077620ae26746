"""The time zone in which questions are read and answers are written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzlocal


@dataclass(frozen=True, slots=True)
class Zone:
    """An IANA zone. `configured` is False when it is only the machine's, which an answer may have to say."""

    name: str
    configured: bool
    info: ZoneInfo

    @classmethod
    def resolve(cls, configured: str | None) -> Zone:
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

    def isoformat(self, moment: datetime) -> str:
        """`2026-11-20T10:02+03:00` in this zone; seconds are written only where there are any."""
        local = moment.astimezone(self.info)
        return local.isoformat(timespec="seconds" if local.second else "minutes")

    def midnight(self, day: date) -> datetime:
        """When a day begins here, in UTC: the clock may jump in between, so days are not always 24 hours."""
        return datetime.combine(day, time(), self.info).astimezone(UTC)
