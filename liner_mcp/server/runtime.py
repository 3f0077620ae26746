"""Builds the application context from the settings at the first call, and gives the answer budget of each host."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from liner_mcp.errors import SettingsError
from liner_mcp.server.caller import caller
from liner_mcp.server.demo_labels import MARK_BYTES
from liner_mcp.server.lazy import answering
from liner_mcp.settings import Settings

if TYPE_CHECKING:
    import httpx

    from liner_mcp.archive.database import Database
    from liner_mcp.context import AppContext
    from liner_mcp.liner.client import LinerClient
    from liner_mcp.liner.reads import LinerReads
    from liner_mcp.liner.request_metrics import RequestObserver
    from liner_mcp.liner.restricted_client import Access
    from liner_mcp.reloading_file import ReloadingFile
    from liner_mcp.server.access_rules import AccessRule, AccessRules
    from liner_mcp.timezone import Zone

logger = logging.getLogger(__name__)

MAX_LOGGED_CALLERS = 1_000  # whose missing section is logged once; an issuer may have more users than the file names
ANSWER_BYTES = 24_000  # fits the text limits of every host that does not cut at 10 KB, with room for two answers
SMALL_ANSWER_BYTES = 9_500  # for hosts that cut a tool's text near 10 KB
# Parts of the client names that those hosts announce, in lower case.
SMALL_HOSTS = ("codex", "copilot-cli", "copilot cli", "copilot-developer")


class Runtime:
    """The settings, and the clients and contexts that are built from them. A server that is not set up still lists its
    tools; a call then says what to set.

    `transport` replaces the network and `now` the clock of day words, for tests and the demo. `shared`: several people
    use this server. `observer` watches the requests to Liner.
    """

    def __init__(
        self,
        settings: Settings | SettingsError,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], datetime] | None = None,
        shared: bool = False,
        observer: RequestObserver | None = None,
    ) -> None:
        self._settings = settings
        # What a server lists and says before a call; the defaults while the settings cannot be read.
        self.listed = Settings.model_construct() if isinstance(settings, SettingsError) else settings
        self._transport = transport
        self._now = now
        self._shared = shared
        self._observer = observer
        self._liner: LinerClient | None = None
        self._context: AppContext | None = None
        self._archive: Database | None = None
        self._access_file: ReloadingFile[AccessRules] | None = None
        self._rules: AccessRules | None = None
        self._restricted_contexts: dict[AccessRule, AppContext] = {}
        self._without_section: set[str] = set()

    @property
    def settings(self) -> Settings:
        """Raises: SettingsError when the environment could not be read."""
        if isinstance(self._settings, SettingsError):
            raise self._settings
        return self._settings

    def context(self) -> AppContext:
        """The context of the current caller. What the caller may not see does not exist in it.

        Raises: SettingsError when something must be set first, WrongArchive when the archive cannot be used.
        """
        whole = self._full_context()
        if self._archive is not None:
            self._archive.check()  # a file that cannot be read may hold what was forgotten, so nothing is answered
        if self.settings.mcp_access_file is None:
            return whole
        who = caller()
        rules = self._current_rules(self.settings.mcp_access_file)
        if rules is not self._rules:  # the file changed, and its old rules no longer need a context
            self._rules = rules
            self._restricted_contexts = {}
            self._without_section = set()
        if who is not None and who.name not in rules.callers:
            self._log_missing_section(rules, who.name)
        rule = rules.for_caller(None if who is None else who.name)
        if rule not in self._restricted_contexts:
            self._restricted_contexts[rule] = self._restricted_context(self.liner, whole, rule)
        return self._restricted_contexts[rule]

    def _log_missing_section(self, rules: AccessRules, name: str) -> None:
        """Log once that the access file does not name a caller: the name may be misspelt there."""
        if name not in self._without_section and len(self._without_section) < MAX_LOGGED_CALLERS:
            self._without_section.add(name)
            logger.warning("%s", answering().missing_section(rules, name))

    @property
    def liner(self) -> LinerClient:
        """The client of all of Liner: for the process itself and its operator, never for a caller.

        Raises: SettingsError.
        """
        self._full_context()
        assert self._liner is not None  # noqa: S101 - created with the context
        return self._liner

    def warm_up(self) -> None:
        """Load what the first call needs, so that it need not wait. A call says what is not set up."""
        answering()
        with suppress(SettingsError):
            self.liner.open()

    async def check_liner(self) -> None:
        """Check that Liner answers. Raises: what the Liner client raises, SettingsError."""
        await self.liner.health()

    def check_access_file(self, names: Collection[str] | None, *, authenticated: bool) -> list[str]:
        """Read the access file now, if there is one. `names` are those of all callers, if they are known.

        Returns a sentence for each section that no caller has. Raises: SettingsError when the file cannot be used, and
        without authentication.
        """
        if self.settings.mcp_access_file is None:
            return []
        if not authenticated:
            raise SettingsError(
                "LINER_MCP_ACCESS_FILE says what each caller may see, but callers have no names: set "
                "LINER_MCP_TOKENS_FILE or LINER_MCP_OAUTH_ISSUER too."
            )
        rules = self._current_rules(self.settings.mcp_access_file)
        return [] if names is None else answering().unused_sections(rules, names)

    def _current_rules(self, path: Path) -> AccessRules:
        if self._access_file is None:
            self._access_file = answering().rules_file(path)
        return self._access_file.content()

    def _full_context(self) -> AppContext:
        if self._context is None:
            self._context = self._create_context(self.settings)
        return self._context

    def _create_context(self, settings: Settings) -> AppContext:
        answers = answering()
        self._liner, audio = answers.open_clients(
            settings, transport=self._transport, shared=self._shared, observer=self._observer
        )
        if settings.archive is not None:
            self._archive = answers.Database(settings.archive, settings.archive_source)
        liner = self._with_archive(answers.CachedClient(self._liner))
        return answers.AppContext(
            liner,
            answers.Directory(liner),
            answers.Zone.resolve(settings.timezone),
            settings.show_phones,
            audio=None if settings.audio == "off" else audio,
            show_audio_links=settings.audio == "url",
            now=self._now or answers.utc_now,
            archive=None if self._archive is None else answers.ArchivedCounts(self._archive, answers.Access()),
        )

    def _restricted_context(self, liner: LinerClient, full: AppContext, rule: AccessRule) -> AppContext:
        """A context whose client, cache, archive and names are limited to what the rule allows."""
        answers = answering()
        if rule.access.unrestricted:
            reads, directory = full.liner, full.directory
        else:
            cached = answers.CachedClient(answers.RestrictedClient(liner, rule.access))
            reads = self._with_archive(cached, rule.access)
            directory = answers.Directory(reads)
        return answers.AppContext(
            reads,
            directory,
            full.zone,
            full.show_phones if rule.phones is None else rule.phones,
            audio=full.audio if rule.audio else None,
            show_audio_links=full.show_audio_links and rule.audio,
            audio_unavailable_reason=full.audio_unavailable_reason
            if full.audio is None
            else "Your access to this server does not include audio.",
            now=full.now,
            played=full.played,  # one limit for all callers; its keys contain the access rule's reads
            archive=None if self._archive is None else answers.ArchivedCounts(self._archive, rule.access),
        )

    def _with_archive(self, liner: LinerReads, access: Access | None = None) -> LinerReads:
        """The reads with the archive in front, if there is one."""
        if self._archive is None:
            return liner
        answers = answering()
        return answers.ArchivedReads(liner, self._archive, access, now=self._now or answers.utc_now)

    def zone_and_now(self) -> tuple[Zone, datetime]:
        """The zone of day words, and the time; the zone of the machine while the settings cannot be read."""
        answers = answering()
        return answers.Zone.resolve(self.listed.timezone), (self._now or answers.utc_now)()

    def deadline_seconds(self) -> float | None:
        """The time limit of one tool call; None while the settings cannot be read."""
        return None if isinstance(self._settings, SettingsError) else self._settings.deadline_seconds

    def budget(self, client_name: str | None) -> int:
        """The maximum size of an answer in bytes, for the host whose client is called `client_name`."""
        room = -MARK_BYTES if self.listed.demo else 0
        if self.settings.max_answer_bytes is not None:
            return self.settings.max_answer_bytes + room
        name = (client_name or "").lower()
        return (SMALL_ANSWER_BYTES if any(part in name for part in SMALL_HOSTS) else ANSWER_BYTES) + room

    async def aclose(self) -> None:
        """Close the connections. A later call opens new ones."""
        if self._liner is not None:
            await self._liner.aclose()
        if self._context is not None and self._context.audio is not None:
            await self._context.audio.aclose()
        if self._archive is not None:
            self._archive.close()
