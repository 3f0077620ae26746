"""What every answering function gets: Liner's data, files and names, the zone, and what may be shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from liner_mcp.archive.counts import ArchivedCounts
from liner_mcp.errors import DeadlineExceeded, LinerMcpError
from liner_mcp.event_loop import Turns
from liner_mcp.liner.reads import LinerReads
from liner_mcp.names.directory import Directory
from liner_mcp.recent_ids import RecentIds
from liner_mcp.recordings.download import AudioClient
from liner_mcp.recordings.recording_cache import RecordingCache
from liner_mcp.text.mask import mask, shown_steps
from liner_mcp.timezone import Zone


def utc_now() -> datetime:
    """The default clock of day words."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class AppContext:
    """One per process, or per access rule, shared by all tools. `audio` is None when recordings are not given out;
    `audio_unavailable_reason` then says why.

    `now` is the clock for day words such as "yesterday". `archive` counts the calls that `liner` has from an archive.
    """

    liner: LinerReads
    directory: Directory
    zone: Zone
    show_phones: bool = False
    audio: AudioClient | None = None
    show_audio_links: bool = False
    audio_unavailable_reason: str = "Audio is switched off on this server (LINER_AUDIO=off)."
    now: Callable[[], datetime] = utc_now
    archive: ArchivedCounts | None = None
    recent_calls: RecentIds = field(default_factory=RecentIds)
    recent_records: RecentIds = field(default_factory=RecentIds)
    turns: Turns = field(default_factory=Turns)
    played: RecordingCache = field(default_factory=RecordingCache)

    def stop_reason(self, error: LinerMcpError) -> str:
        """Why a read stopped early, as one sentence. The sentences around it name the next step."""
        return "Time was up." if isinstance(error, DeadlineExceeded) else self.mask(str(error))

    def mask(self, text: str) -> str:
        """A short text from Liner as it may be shown. Decoding has cleaned it; truncation comes after masking."""
        return mask(text, show_phones=self.show_phones)

    async def masked(self, text: str) -> str:
        """The same for a text of any length, in steps that block neither other requests nor the caller's deadline."""
        return await self.turns.run(shown_steps(text, show_phones=self.show_phones))
