"""The time zone of the times in requests and answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzlocal


@dataclass(frozen=True, slots=True)
class Zone:
    """An IANA zone. `configured` is False for the zone of the machine; answers then mention it."""

    name: str
    configured: bool
    info: ZoneInfo

    @classmethod
    def resolve(cls, configured: str | None) -> Zone:
        """The configured zone, or that of the machine, or UTC."""
        if configured is not None:
            return cls(configured, True, ZoneInfo(configured))
        try:
            name = tzlocal.get_localzone_name() or "UTC"  # None without any zone, although its type says str
            return cls(name, False, ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError, OSError, LookupError):
            return cls("UTC", False, ZoneInfo("UTC"))

    def date_and_time(self, moment: datetime | None) -> tuple[str | None, str | None]:
        """`2026-11-20` and `10:02` in this zone; None and None without a moment.

        In an hour that is repeated because clocks go back, the time has its offset: `01:30+02:00`.
        """
        if moment is None:
            return None, None
        try:
            local = moment.astimezone(self.info)
        except OverflowError:  # a placeholder date at the end of the calendar, in the year 1 or 9999
            local = moment
        text = local.isoformat(timespec="minutes")  # strftime writes years before 1000 without their zeros
        repeated = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
        return text[:10], text[11:] if repeated else text[11:16]

    def isoformat(self, moment: datetime) -> str:
        """`2026-11-20T10:02+03:00` in this zone, with seconds only if they are not zero."""
        local = moment.astimezone(self.info)
        return local.isoformat(timespec="seconds" if local.second else "minutes")

    def midnight(self, day: date) -> datetime:
        """When a day begins in this zone, in UTC. Days do not always have 24 hours, because clocks may change."""
        return datetime.combine(day, time(), self.info).astimezone(UTC)
