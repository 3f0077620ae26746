"""The probe: a few requests to a live Liner that answer questions which its documentation leaves open.

It only reads, sends each request once without retries, and stops after `MAX_REQUESTS`, which includes redirects and the
first bytes of one recording. It sends the configured token only, because a wrong one could lock an account. Requests
and judgements are in `assumptions/`. The report holds no personal data, so it may be published.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio
import httpx

from liner_mcp import __version__
from liner_mcp.diagnostics.assumptions.requests import CALLS, FILE, REQUESTS, Answers, Request, Undecided, file_link
from liner_mcp.diagnostics.assumptions.table import ASSUMPTIONS
from liner_mcp.diagnostics.probe_report import report_document
from liner_mcp.diagnostics.raw_client import NO_MESSAGE, RawClient, RawResponse, RequestBudget
from liner_mcp.errors import AudioRefused, AudioUnavailable, LinerMcpError, RequestError, SettingsError, Unreachable
from liner_mcp.liner.endpoints import Query
from liner_mcp.liner.refusals import CHECK_HOST, NO_JSON, WEB_PAGE, access_refused, nothing_at
from liner_mcp.recordings.download import looks_like_mpeg
from liner_mcp.server.clients import open_connections
from liner_mcp.settings import Settings
from liner_mcp.urls import DEFAULT_PORTS, ascii_host, parse_url

MAX_REQUESTS = 20  # a small load; each assumption needs at most one
PROBE_SECONDS = 120.0  # a person is waiting at a terminal
FILE_SECONDS = 15.0
FILE_BYTES = 1_024  # enough to recognise MPEG audio

_INSTEAD = {
    "json": "JSON that is not the documented envelope",
    "a web page": WEB_PAGE,
    "empty": "an empty body",
    "not JSON": NO_JSON,
}

ALL_AS_ASSUMED, UNDECIDED, SOMETHING_DIFFERS = 0, 1, 3  # 2 means wrong usage


@dataclass(frozen=True, slots=True)
class Report:
    """The lines to print, the exit code of the process, and the same and more as JSON."""

    lines: list[str]
    exit_code: int
    document: dict[str, Any]


class Probe:
    """One probe of one Liner. `report` may be called at any time. `on_request` gets the number of each request.

    Raises: SettingsError when host or token is missing.
    """

    def __init__(
        self,
        settings: Settings | SettingsError,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_request: Callable[[int], None] = lambda _: None,
    ) -> None:
        if isinstance(settings, SettingsError):
            raise settings
        self._origin, _ = settings.host_and_token()
        self._demo_notice, self._is_demo = settings.demo_notice, settings.demo
        self._transport, self._audio = open_connections(settings, transport=transport)
        self._audio_allowed = settings.audio != "off"
        self._now = now
        self._on_request = on_request
        self.budget = RequestBudget(MAX_REQUESTS)
        self._client = RawClient(self._transport, self._origin, self.budget)
        self._answers = Answers(now())
        self._unreached = self._refusals = 0
        self._stopped = self._cause = ""

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
        made = f"{self.budget.used} request{'' if self.budget.used == 1 else 's'} made"
        lines.append(f"{counts}. {made}" + (f"; ended early: {early}." if early else "."))
        exit_code, last = self._conclusion(outcomes)
        document = report_document(
            self._answers,
            judged,
            date=f"{self._now().astimezone(UTC):%Y-%m-%d}",
            demo=self._is_demo,
            exit_code=exit_code,
            requests=self.budget.used,
            ended_early=early,
        )
        return Report([*lines, last] if last else lines, exit_code, document)

    def _conclusion(self, outcomes: list[str]) -> tuple[int, str]:
        """The exit code, and the last line of the report."""
        if not any(answer.succeeded for answer in self._answers.received.values()):
            cause = f" {self._cause}" if self._cause else ""
            return UNDECIDED, f"Nothing could be read from Liner.{cause} To fix it, run liner-mcp check."
        if "differs" in outcomes:
            return (
                SOMETHING_DIFFERS,
                "Please report differences as a bug, with these lines. docs/assumptions.md explains each.",
            )
        if self._answers.find_page(CALLS) is None:
            reason = self._answers.undecided(CALLS)
            return UNDECIDED, f"Calls could not be listed: {reason}. To fix it, run liner-mcp check."
        return ALL_AS_ASSUMED, ""

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
        self._on_request(self.budget.used + 1)
        try:
            answer = await self._client.get(self._answers.accepted(query), follow=request.follow_redirects)
        except LinerMcpError as error:
            self._answers.missing.setdefault(request, _reason(error))
            self._cause = self._cause or _without_paths(str(error))
            self._unreached += isinstance(error, Unreachable)
            final = isinstance(error, (RequestError, SettingsError)) or self._unreached > 1
            if final or not (self._answers.received or self._answers.unenveloped):
                self._stop(_reason(error))
            return
        self._unreached = 0
        self._answers.record(request, answer)
        self._cause = self._cause or _cause(answer, query.path)
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
            problem = "" if looks_like_mpeg(first) else "opens, not MPEG audio"
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


def _cause(answer: RawResponse, path: str) -> str:
    """Why an answer is of no use; empty for a success. Liner's message is left out, because it may name a person."""
    if answer.succeeded:
        return ""
    instead = None if answer.enveloped else _INSTEAD[answer.body]
    if answer.status in (401, 403, 407, 451):
        if instead is None and answer.message_length != NO_MESSAGE:
            return f"Liner refuses access (HTTP {answer.status}), with a message that liner-mcp check shows."
        return str(access_refused(answer.status, instead, ""))
    if answer.unfollowed is not None:
        return f"LINER_API_HOST answers with {answer}. Set it to the API's own address."
    if answer.status in (404, 410):
        return str(nothing_at(path, answer.status, instead, ""))
    if answer.status < 400 and instead is not None:
        return f"LINER_API_HOST answers with {instead} (HTTP {answer.status}): {CHECK_HOST}."
    return f"The answer was {answer}."


def _without_paths(text: str) -> str:
    """An error without the path of a file, which may hold the name of a person."""
    return re.sub(r" \([^()]*[/\\][^()]*\)", "", text)


def _reason(error: LinerMcpError) -> str:
    """The message of an error as the end of a sentence."""
    text = _without_paths(str(error)).rstrip(".")
    return text[:1].lower() + text[1:] if not text.startswith(("Liner", "LINER")) else text
