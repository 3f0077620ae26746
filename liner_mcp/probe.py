"""The probe: a few questions to a live Liner that settle what its documentation leaves open.

It reads only, asks each thing once, never retries, and stops after `MOST_REQUESTS`, redirects and a look at one
recording included. It sends the one token it was given and never a made-up one: that could lock an account. What it
brings home is judged in `assumptions/`; the report holds nothing personal, so that it can be pasted into a bug report.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from liner_mcp import __version__
from liner_mcp.assumptions.evidence import Evidence, FileLook, RawPage, Step, ids, number, outcome, succeeded
from liner_mcp.assumptions.lists import YEAR_DAYS, last_offset, moment_of
from liner_mcp.assumptions.recordings import records_of_all
from liner_mcp.assumptions.table import ASSUMPTIONS
from liner_mcp.connect import open_clients
from liner_mcp.errors import AudioRefused, AudioUnavailable, LinerMcpError, RequestError, SettingsError, Unreachable
from liner_mcp.liner import protocol
from liner_mcp.liner.audio import AudioClient, begins_as_mpeg
from liner_mcp.liner.protocol import PAGE_LIMIT, CallFilter, Query
from liner_mcp.liner.raw import Allowance, RawAnswer, RawReader
from liner_mcp.settings import Settings

if TYPE_CHECKING:
    import httpx

MOST_REQUESTS = 20  # nobody minds so few; each assumption costs one at most
PROBE_SECONDS = 120.0  # a person is waiting at a terminal
FILE_SECONDS = 15.0
RECENT = timedelta(days=30)
SETTLED = timedelta(minutes=10)  # calls under way would move the lists between two looks
ORDERS_ASKED = 50  # as many ids as fit a request line without a thought
CALLS_TRIED = 2  # the records of one may not be listed yet
FEW_RECORDS = 10  # whether they are listed at all, and how they look; their summaries are long
FILE_BYTES = 1_024  # enough to see what a file is
UNKNOWN_ID = 2_147_483_647  # a valid id in every database, and in none a call
ACTIVE_ORDERS = "/v1/order/list/"  # /devs/api/order/list: active orders only, all at once
SECOND = timedelta(seconds=1)

ALL_AS_ASSUMED, NOTHING_TOLD, SOMETHING_DIFFERS = 0, 1, 3  # 2 is wrong usage
NEEDING_ORDERS: tuple[Step, ...] = ("calls", "calls_over", "start", "end", "long_window")


@dataclass(frozen=True, slots=True)
class Report:
    """What to print, and how the process ends."""

    lines: list[str]
    exit_code: int


class Probe:
    """One probe of one Liner. `report` may be asked at any time and tells what is known by then.

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
        origin, _ = settings.host_and_token()
        self._origin = origin
        self._demo_notice = settings.demo_notice
        self._audio_allowed = settings.audio != "off"
        self._liner, self._audio = open_clients(settings, transport=transport)
        self._now = now
        self.allowance = Allowance(MOST_REQUESTS)
        self.evidence = Evidence()
        self._stopped = ""

    async def run(self) -> None:
        """Ask everything. Raises: nothing on purpose; what could not be asked is told by the report."""
        asking = _Asking(self._liner.raw(self.allowance), self.evidence, self._now().astimezone(UTC))
        audio = self._audio if self._audio_allowed else None
        try:
            with anyio.move_on_after(PROBE_SECONDS) as scope:
                await asking.everything(audio, self._origin)
            if scope.cancelled_caught:
                asking.stop(f"the probe's {PROBE_SECONDS:.0f} s are over")
        finally:
            self._stopped = asking.stopped
            await self._liner.aclose()
            await self._audio.aclose()

    def report(self, *, interrupted: bool = False) -> Report:
        """One line per assumption between a line that says who asks and a line that counts the requests."""
        judged = [(one, one.judge(self.evidence)) for one in ASSUMPTIONS]
        first = f"liner-mcp {__version__}, Python {platform.python_version()}, {self._now().astimezone(UTC):%Y-%m-%d}"
        lines = [f"{first}. {self._demo_notice}" if self._demo_notice else first]
        for one, verdict in judged:
            text = verdict.outcome + (f": {verdict.text}" if verdict.text else "")
            lines.append(f"{one.key:<17} | {verdict.found or '-'} | assumed: {one.assumed} | {text}")
        outcomes = [verdict.outcome for _, verdict in judged]
        counts = ", ".join(f"{outcomes.count(name)} {name}" for name in ("as assumed", "differs", "could not be told"))
        early = "interrupted" if interrupted else self._stopped
        lines.append(f"{counts}. {self.allowance.used} requests made" + (f"; ended early: {early}." if early else "."))
        if not any(succeeded(answer) for answer in self.evidence.answers.values()):
            lines.append("Nothing could be read from Liner: run liner-mcp check, which says what to mend.")
            return Report(lines, NOTHING_TOLD)
        if "differs" not in outcomes:
            return Report(lines, ALL_AS_ASSUMED)
        lines.append("What differs is worth a bug report: paste these lines. docs/assumptions.md explains each.")
        return Report(lines, SOMETHING_DIFFERS)


class _Asking:
    """The questions, in the order in which one leads to the next; the dearest last."""

    def __init__(self, reader: RawReader, evidence: Evidence, now: datetime) -> None:
        self._reader = reader
        self._evidence = evidence
        self._until = (now - SETTLED).replace(microsecond=0)
        self._since = self._until - RECENT
        self._slash = True
        self._unreached = 0
        self._refusals = 0
        self.stopped = ""

    async def everything(self, audio: AudioClient | None, origin: str) -> None:
        order_ids = await self._orders()
        await self._ask("singular", Query(protocol.CALL_STATUSES[0]))
        await self._ask("plural", Query(protocol.CALL_STATUSES[1]))
        calls = await self._calls(order_ids)
        await self._last_page(order_ids)
        await self._boundaries(calls, order_ids)
        await self._ask("unknown_id", Query(protocol.call_detail(UNKNOWN_ID)))
        await self._ask("no_ids", CallFilter(self._since, self._until).query().page(0, 1))
        await self._records(calls)
        await self._file(audio, origin)
        if order_ids:
            year = CallFilter(self._until - timedelta(days=YEAR_DAYS), self._until, order_ids=order_ids)
            await self._ask("long_window", year.query().page(0, 1))

    async def _orders(self) -> tuple[int, ...]:
        first = await self._ask("orders", Query(protocol.ORDERS).page(0, PAGE_LIMIT))
        missing = first is not None and first.status == 404
        if first is not None and first.hops:
            self._slash = urlsplit(first.hops[-1]).path != protocol.ORDERS.rstrip("/")
        else:
            other = Query(protocol.ORDERS.rstrip("/")).page(0, PAGE_LIMIT if missing else 1)
            bare = await self._ask("orders_bare", other, follow=False)
            self._slash = not (missing and succeeded(bare))
        await self._ask("active_orders", Query(ACTIVE_ORDERS))
        # Active ones first, and the latest of them: where there is work, there are calls.
        steps: tuple[Step, ...] = ("active_orders", "orders", "orders_bare")
        for page in map(self._evidence.page, steps):
            if page is not None and (found := ids(page)):
                return tuple(sorted(found, reverse=True)[:ORDERS_ASKED])
        self._skip("no order could be read", *NEEDING_ORDERS)
        return ()

    async def _calls(self, order_ids: tuple[int, ...]) -> RawPage | None:
        if not order_ids:
            return None
        query = CallFilter(self._since, self._until, order_ids=order_ids).query()
        await self._ask("calls", query.page(0, PAGE_LIMIT))
        calls = self._evidence.page("calls")
        if calls is None:
            self._skip("no calls could be read", "calls_over")
            return None
        # One more is enough to see what becomes of it, and the first rows come a second time.
        await self._ask("calls_over", query.page(0, PAGE_LIMIT + 1))
        return calls

    async def _last_page(self, order_ids: tuple[int, ...]) -> None:
        """Beyond the first row, so that zero and the same offset again are told apart."""
        offset = last_offset(self._evidence.page("orders"))
        query = Query(protocol.ORDERS)
        if offset is None:
            offset = last_offset(self._evidence.page("calls"))
            query = CallFilter(self._since, self._until, order_ids=order_ids).query()
        if offset is None:
            self._skip("no list of two or more was seen", "last_page")
        else:
            await self._ask("last_page", query.page(offset, PAGE_LIMIT))

    async def _boundaries(self, calls: RawPage | None, order_ids: tuple[int, ...]) -> None:
        """Two windows that touch one call: one begins in its second, one ends in it."""
        if calls is None or not calls.rows:
            return
        self._evidence.no_boundary = "no call was made at a whole second"
        for row in calls.rows:
            call_id, moment, order_id = number(row.get("id")), moment_of(row), number(row.get("orderId"))
            if call_id is None or moment is None or moment.microsecond or not self._since < moment <= self._until:
                continue
            self._evidence.boundary_call = call_id
            asked = order_ids if order_id is None else (order_id,)
            await self._ask("start", CallFilter(moment, moment + SECOND, asked).query().page(0, PAGE_LIMIT))
            await self._ask("end", CallFilter(moment - SECOND, moment, asked).query().page(0, PAGE_LIMIT))
            return

    async def _records(self, calls: RawPage | None) -> None:
        call_id = None
        for call_id in _recorded(calls)[:CALLS_TRIED]:
            await self._ask("records", Query(protocol.CALL_RECORDS, (("callId", str(call_id)),)).page(0, PAGE_LIMIT))
            if (listed := self._evidence.page("records")) is not None and listed.rows:
                break
        if call_id is None:
            self._skip("no recorded call was seen", "records")
        await self._ask("records_without_call", Query(protocol.CALL_RECORDS).page(0, FEW_RECORDS))
        record_ids = [one for page in self._record_pages() for one in ids(page)]
        if record_ids:
            await self._ask("record_detail", Query(protocol.call_record_detail(record_ids[0])))
        else:
            self._skip("no record was seen", "record_detail")
        amd = (("isAmd", "1"),)
        if records_of_all(self._evidence) is not None:
            await self._ask("amd", Query(protocol.CALL_RECORDS, amd).page(0, 1))
        elif call_id is not None:
            await self._ask("amd", Query(protocol.CALL_RECORDS, (("callId", str(call_id)), *amd)).page(0, 1))
        else:
            self._skip("no recorded call was seen", "amd")

    def _record_pages(self) -> list[RawPage]:
        steps: tuple[Step, ...] = ("records", "records_without_call")
        return [page for page in map(self._evidence.page, steps) if page is not None]

    async def _file(self, audio: AudioClient | None, origin: str) -> None:
        if audio is None:
            self._evidence.no_file = "LINER_AUDIO is off"
            return
        links = [row.get("fileUrl") for page in self._record_pages() for row in page.rows]
        link = next((one for one in links if isinstance(one, str) and one.strip()), None)
        if link is None or self.stopped:
            self._evidence.no_file = self.stopped or self._evidence.no_file
            return
        scheme, same_host = _class_of(link, origin)
        try:
            with anyio.fail_after(FILE_SECONDS):
                first = await audio.first_bytes(link, FILE_BYTES, self._reader.allowance.take)
            self._evidence.file = FileLook(scheme, same_host, opens=True, mpeg=begins_as_mpeg(first))
        except (AudioRefused, AudioUnavailable) as error:
            self._evidence.file = FileLook(scheme, same_host, opens=False, mpeg=False, trouble=str(error).rstrip("."))
        except TimeoutError:
            self._evidence.no_file = f"the file did not begin within {FILE_SECONDS:.0f} s"
        except LinerMcpError as error:
            self._evidence.no_file = _as_end(error)

    async def _ask(self, step: Step, query: Query, *, follow: bool = True) -> RawAnswer | None:
        """One question, unless there is a reason to ask no more."""
        if self.stopped:
            self._skip(self.stopped, step)
            return None
        path = query.path if self._slash else query.path.rstrip("/")
        try:
            answer = await self._reader.get(Query(path, query.params), follow=follow)
        except LinerMcpError as error:
            self._skip(_as_end(error), step)
            self._unreached += isinstance(error, Unreachable)
            if isinstance(error, (RequestError, SettingsError)) or self._unreached > 1 or not self._evidence.answers:
                self.stop(_as_end(error))
            return None
        self._unreached = 0
        self._evidence.answers[step] = answer
        self._refusals = self._refusals + 1 if answer.status in (401, 403) else 0
        # A token that is refused is not sent again and again; a right that is missing once may be there elsewhere.
        if answer.status in (401, 429) or self._refusals > 2:
            self.stop(f"the answer was {outcome(answer)}")
        return answer

    def _skip(self, why: str, *steps: Step) -> None:
        for step in steps:
            self._evidence.silent.setdefault(step, why)

    def stop(self, why: str) -> None:
        self.stopped = self.stopped or why


def _recorded(calls: RawPage | None) -> list[int]:
    """The calls that have records, oldest first: theirs are the likeliest to be ready."""
    rows = calls.rows if calls is not None else ()
    recorded = [
        (moment.timestamp() if (moment := moment_of(row)) is not None else 0.0, call_id)
        for row in rows
        if row.get("hasRecords") in (True, 1, "1", "true") and (call_id := number(row.get("id"))) is not None
    ]
    return [call_id for _, call_id in sorted(recorded)]


def _class_of(link: str, origin: str) -> tuple[str, bool]:
    """The scheme of a link, and whether it leads to the API's own host."""
    try:
        parts = urlsplit(link.strip())
        scheme = parts.scheme if parts.scheme in ("https", "http") else "another scheme"
        return scheme, parts.hostname == urlsplit(origin).hostname
    except ValueError:
        return "no address", False


def _as_end(error: LinerMcpError) -> str:
    """One of our sentences as the end of another."""
    text = str(error).rstrip(".")
    return text[:1].lower() + text[1:] if not text.startswith(("Liner", "LINER")) else text
