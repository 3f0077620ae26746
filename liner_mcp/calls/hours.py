"""Hours of the day in which calls were made. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from liner_mcp.errors import InvalidArgument
from liner_mcp.text.mask import quote_input
from liner_mcp.timezone import Zone

MAX_QUOTED = 40  # characters of an argument that an error quotes
_SPAN = re.compile(r"(\d{1,2})\s*[-–—]\s*(\d{1,2})")


def _zone_name(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError("no such zone") from None


@dataclass(frozen=True, slots=True)
class HourSpan:
    """From the hour `first` up to the hour `last`, by the clock of `zone`; over midnight where `last` is smaller."""

    first: Annotated[int, Field(ge=0, le=23)]
    last: Annotated[int, Field(ge=0, le=24)]
    zone: Annotated[str, AfterValidator(_zone_name)]

    def contains(self, moment: datetime) -> bool:
        hour = moment.astimezone(ZoneInfo(self.zone)).hour
        if self.first < self.last:
            return self.first <= hour < self.last
        return hour >= self.first or hour < self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def parse_hours(text: str, zone: Zone) -> HourSpan:
    """The hours that a text such as `9-18` or `22-6` means. Raises: InvalidArgument."""
    found = _SPAN.fullmatch(text.strip())
    first, last = (int(part) for part in found.groups()) if found else (0, 0)
    if first == last or first > 23 or last > 24:
        raise InvalidArgument(
            f'hours: "{quote_input(text, MAX_QUOTED)}" is not a span of whole hours; write 9-18 (from 9:00 up to '
            "18:00), 18-24 or 22-6."
        )
    return HourSpan(first, last, zone.name)
