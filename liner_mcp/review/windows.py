"""Time: the zone in which questions and answers speak."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


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
            from tzlocal import get_localzone_name  # only where it is needed

            name = get_localzone_name()
            return cls(name, False, ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError, OSError, LookupError):
            return cls("UTC", False, ZoneInfo("UTC"))

    def date_and_time(self, moment: datetime | None) -> tuple[str | None, str | None]:
        """`2026-11-20` and `10:02` in this zone; nothing for no moment."""
        if moment is None:
            return None, None
        local = moment.astimezone(self.info)
        return f"{local:%Y-%m-%d}", f"{local:%H:%M}"
