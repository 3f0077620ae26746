"""The office: settings turned into a desk when the first question comes, and the size of answer each host can take."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from liner_mcp.errors import SettingsError
from liner_mcp.settings import Settings

# See tools.py: what answers is imported when it is first asked.
if TYPE_CHECKING:
    import httpx

    from liner_mcp.review.desk import Desk

ANSWER_BYTES = 24_000  # fits the text limits of every host that does not cut at 10 KB, with room for two answers
SMALL_ANSWER_BYTES = 9_500  # for hosts that cut a tool's text near 10 KB
# Parts of the client names that those hosts announce, in lower case.
SMALL_HOSTS = ("codex", "copilot-cli", "copilot cli", "copilot-developer")


class Office:
    """Settings and what is built from them. A server that is not set up still lists its tools; asking says what to set.

    `transport` replaces the network and `now` the clock of day words, for tests and the demo. `shared`: several people
    ask at this office.
    """

    def __init__(
        self,
        settings: Settings | SettingsError,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], datetime] | None = None,
        shared: bool = False,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._now = now
        self._shared = shared
        self._desk: Desk | None = None

    @property
    def settings(self) -> Settings:
        """Raises: SettingsError when the environment could not be read."""
        if isinstance(self._settings, SettingsError):
            raise self._settings
        return self._settings

    def desk(self) -> Desk:
        """The desk, built at the first question. Raises: SettingsError when something must be set first."""
        if self._desk is None:
            from liner_mcp.connect import open_clients
            from liner_mcp.review.desk import Desk, utc_now
            from liner_mcp.review.directory import Directory
            from liner_mcp.review.windows import Zone

            settings = self.settings
            liner, audio = open_clients(settings, transport=self._transport, shared=self._shared)
            self._desk = Desk(
                liner,
                Directory(liner),
                Zone.of(settings.timezone),
                settings.show_phones,
                audio=None if settings.audio == "off" else audio,
                show_audio_links=settings.audio == "url",
                now=self._now or utc_now,
            )
        return self._desk

    def deadline_seconds(self) -> float | None:
        """What one tool call may take; None while the settings cannot be read."""
        return None if isinstance(self._settings, SettingsError) else self._settings.deadline_seconds

    @property
    def gives_audio(self) -> bool:
        """Whether recordings are given out as files; unreadable settings promise nothing less than the default."""
        return isinstance(self._settings, SettingsError) or self._settings.audio != "off"

    def budget(self, client_name: str | None) -> int:
        """Bytes that an answer may have for the host that announces itself as `client_name`."""
        if self.settings.max_answer_bytes is not None:
            return self.settings.max_answer_bytes
        name = (client_name or "").lower()
        return SMALL_ANSWER_BYTES if any(part in name for part in SMALL_HOSTS) else ANSWER_BYTES

    async def aclose(self) -> None:
        """Close the connections; a later question opens new ones."""
        if self._desk is not None:
            await self._desk.liner.aclose()
            if self._desk.audio is not None:
                await self._desk.audio.aclose()
