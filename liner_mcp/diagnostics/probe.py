"""The probe: a few requests to a live Liner that answer questions which its documentation leaves open.

It only reads, sends each request once without retries, and stops after `MAX_REQUESTS`, which includes redirects and the
first bytes of one recording. It sends the configured token only, because a wrong one could lock an account. Requests
and judgements are in `assumptions/`. The report holds no personal data, so it may be published.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio
import httpx

from liner_mcp import __version__
from liner_mcp.diagnostics.assumptions.requests import FILE, REQUESTS, Answers, Request, Undecided, file_link
from liner_mcp.diagnostics.assumptions.table import ASSUMPTIONS
from liner_mcp.diagnostics.raw_client import RawClient, RequestBudget
from liner_mcp.errors import AudioRefused, AudioUnavailable, LinerMcpError, RequestError, SettingsError, Unreachable
from liner_mcp.liner.endpoints import Query
from liner_mcp.recordings.mpeg import may_be_mpeg_audio
from liner_mcp.server.clients import open_connections
from liner_mcp.settings import Settings
from liner_mcp.urls import DEFAULT_PORTS, ascii_host, parse_url

MAX_REQUESTS = 20  # a small load; each assumption needs at most one
PROBE_SECONDS = 120.0  # a person is waiting at a terminal
FILE_SECONDS = 15.0
FILE_BYTES = 1_024  # enough to recognise MPEG audio

ALL_AS_ASSUMED, UNDECIDED, SOMETHING_DIFFERS = 0, 1, 3  # 2 means wrong usage


@dataclass(frozen=True, slots=True)
class Report:
    """The lines to print, and the exit code of the process."""

    lines: list[str]
    exit_code: int


class Probe:
    """One probe of one Liner. `report` may be called at any time.

    Raises: SettingsError when host or token is missing.
    """

    def __init__(
        self,
        settings: Settings | SettingsError,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if isinstance(settings, SettingsError):
            raise settings
        self._origin, _ = settings.host_and_token()
        self._demo_notice = settings.demo_notice
        self._transport, self._audio = open_connections(settings, transport=transport)
        self._audio_allowed = settings.audio != "off"
        self._now = now
        self.budget = RequestBudget(MAX_REQUESTS)
        self._client = RawClient(self._transport, self._origin, self.budget)
        self._answers = Answers(now())
        self._unreached = self._refusals = 0
        self._stopped = ""

    async def run(self) -> None:
        """Send all requests. Errors are not raised; the report says which requests failed."""
        try:
            with anyio.move_on_after(PROBE_SECONDS) as scope:
                for request in REQUESTS:
                    try:
                        await (self._open_file() if request is FILE else self._ask(request))
                    except Undecided as reason:
                        self._answers.missing.setdefault(request, str(reason))
            if scope.cancelled_caught:
                self._stop(f"the probe's {PROBE_SECONDS:.0f} s are over")
        finally:
            await self._transport.aclose()
            await self._audio.aclose()

    def report(self, *, interrupted: bool = False) -> Report:
        """A line with versions, a line per assumption, and a line with counts."""
        judged = [(assumption, assumption.verdict(self._answers)) for assumption in ASSUMPTIONS]
        first = f"liner-mcp {__version__}, Python {platform.python_version()}, {self._now().astimezone(UTC):%Y-%m-%d}"
        lines = [f"{first}. {self._demo_notice}" if self._demo_notice else first]
        for assumption, verdict in judged:
            text = verdict.outcome + (f": {verdict.text}" if verdict.text else "")
            lines.append(f"{assumption.key:<17} | {verdict.found} | assumed: {assumption.assumed} | {text}")
        outcomes = [verdict.outcome for _, verdict in judged]
        labels = {"as assumed": "as assumed", "differs": "different", "inconclusive": "inconclusive"}
        counts = ", ".join(f"{outcomes.count(outcome)} {label}" for outcome, label in labels.items())
        early = "interrupted" if interrupted else self._stopped
        lines.append(f"{counts}. {self.budget.used} requests made" + (f"; ended early: {early}." if early else "."))
        if not any(answer.succeeded for answer in self._answers.received.values()):
            lines.append("Nothing could be read from Liner: run liner-mcp check, which says what to fix.")
            return Report(lines, UNDECIDED)
        if "differs" not in outcomes:
            return Report(lines, ALL_AS_ASSUMED)
        lines.append("Please report differences as a bug, with these lines. docs/assumptions.md explains each.")
        return Report(lines, SOMETHING_DIFFERS)

    async def _ask(self, request: Request) -> None:
        for query in request.queries(self._answers):
            self._answers.last_query[request] = query
            if self._stopped:
                raise Undecided(self._stopped)
            await self._send(request, query)
            page = self._answers.find_page(request)
            if page is not None and page.rows:
                return

    async def _send(self, request: Request, query: Query) -> None:
        try:
            answer = await self._client.get(self._answers.accepted(query), follow=request.follow_redirects)
        except LinerMcpError as error:
            self._answers.missing.setdefault(request, _reason(error))
            self._unreached += isinstance(error, Unreachable)
            final = isinstance(error, (RequestError, SettingsError)) or self._unreached > 1
            if final or not (self._answers.received or self._answers.unenveloped):
                self._stop(_reason(error))
            return
        self._unreached = 0
        self._answers.record(request, answer)
        self._refusals = self._refusals + 1 if answer.status in (401, 403) else 0
        # A refused token is not sent again. After HTTP 403, other requests may still be allowed.
        if answer.status in (401, 429) or self._refusals > 2:
            self._stop(f"the answer was {answer}")

    async def _open_file(self) -> None:
        """Open the link of one recording with the same SSRF guard as the server."""
        if not self._audio_allowed or self._stopped:
            raise Undecided("LINER_AUDIO is off" if not self._audio_allowed else self._stopped)
        link, problem = file_link(self._answers), ""
        try:
            with anyio.fail_after(FILE_SECONDS):
                first = await self._audio.first_bytes(link, FILE_BYTES, self.budget.take)
            problem = "" if may_be_mpeg_audio(first) else "opens, not MPEG audio"
        except (AudioRefused, AudioUnavailable) as error:
            problem = f"does not open: {str(error).rstrip('.')}"
        except TimeoutError:
            raise Undecided(f"the file did not begin within {FILE_SECONDS:.0f} s") from None
        except LinerMcpError as error:
            raise Undecided(_reason(error)) from None
        self._answers.file = (_place_of(link, self._origin), problem)

    def _stop(self, why: str) -> None:
        self._stopped = self._stopped or why


def _place_of(link: str, origin: str) -> str:
    """The scheme of a link, and whether its host is that of the API."""
    there, ours = parse_url(link.strip()), parse_url(origin)
    if there is None or ours is None:
        return "no address"
    scheme = there.scheme if there.scheme in DEFAULT_PORTS else "another scheme"
    return f"{scheme} on {'the API host' if ascii_host(there) == ascii_host(ours) else 'another host'}"


def _reason(error: LinerMcpError) -> str:
    """The message of an error as the end of a sentence."""
    text = str(error).rstrip(".")
    return text[:1].lower() + text[1:] if not text.startswith(("Liner", "LINER")) else text
