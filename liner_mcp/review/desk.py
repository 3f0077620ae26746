"""What every question needs at hand: Liner, its names, the zone, and whether phones may be shown."""

from __future__ import annotations

from dataclasses import dataclass

from liner_mcp.liner.client import LinerClient
from liner_mcp.review.directory import Directory
from liner_mcp.review.privacy import mask_phones
from liner_mcp.review.windows import Zone


@dataclass(frozen=True, slots=True)
class Desk:
    """One per process, shared by all tools."""

    liner: LinerClient
    directory: Directory
    zone: Zone
    show_phones: bool = False

    def shown(self, text: str) -> str:
        """Free text from Liner as a reader may see it. It was cleaned when it was decoded; cutting comes after this."""
        return text if self.show_phones else mask_phones(text)
