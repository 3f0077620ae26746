"""Sync: copies the closed days of every order into the archive, newest day first.

A day of an order is stored in one transaction, and only when all of it came. So a sync may end anywhere, and the next
one reads what is missing and what may have changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import anyio.to_thread

from liner_mcp.archive.connection import Connection, WrongArchive
from liner_mcp.archive.database import meta
from liner_mcp.archive.day_reader import (
    MISREAD,
    SECOND,
    DayRead,
    WindowsMisread,
    calls_in,
    read_calls,
    read_records,
    window_of,
)
from liner_mcp.archive.pending import (
    FINAL_AFTER,
    Day,
    closed_days,
    distrust_other_clocks,
    first_stored,
    pending_days,
    remove_older,
)
from liner_mcp.archive.rows import call_of, from_microseconds, record_of
from liner_mcp.archive.spans import Span
from liner_mcp.archive.writer import Writer
from liner_mcp.errors import AccessRefused, LinerMcpError, SetupError
from liner_mcp.liner.decoding import is_fatal
from liner_mcp.liner.endpoints import PAGE_LIMIT
from liner_mcp.liner.models import Call, Order
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.reads import LinerReads
from liner_mcp.liner.retry import is_transient
from liner_mcp.liner.window_check import lists_again
from liner_mcp.timezone import Zone

DICTIONARIES = ("orders", "users", "agent_groups", "call_statuses", "lead_statuses")  # the methods of LinerReads
DEFAULT_SPAN = timedelta(days=90)  # a quarter; what was stored earlier stays until the retention is over
# Recordings are listed soon after their call, and a recording that has its summary does not get another one.
RECORDS_FINAL_AFTER = timedelta(days=1)
# The longest window that Liner's documentation shows is of 31 days; clocks may change, and a second is added.
LONGEST_WINDOW = timedelta(days=30, hours=2)
MAX_FAILURES_IN_A_ROW = 3  # days; each request was tried four times by then, so Liner is down


@dataclass(frozen=True, slots=True)
class Options:
    """What a sync reads: from `since` on, no longer ago than `retention`.

    `again`: days that are final too. `reread_after`: days that are not final are read again after this time.
    """

    since: datetime | None = None
    again: bool = False
    retention: timedelta = timedelta(days=180)
    reread_after: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a sync has to read, at most: days of orders, calls, and requests."""

    days: int
    calls: int
    requests: int


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be read: a day of an order, or a dictionary. `reason` is a sentence."""

    what: str
    reason: str
    order_id: int | None = None
    day: date | None = None


@dataclass(slots=True)
class Report:
    """What a sync has done so far. `stopped`: why it ended before it was through."""

    days: int = 0
    calls: int = 0
    records: int = 0
    summaries: int = 0
    removed_calls: int = 0
    pending_days: int = 0
    failures: list[Failure] = field(default_factory=list[Failure])
    stopped: str | None = None

    @property
    def whole(self) -> bool:
        """Whether everything is stored that should be."""
        return self.stopped is None and not self.failures


@dataclass(slots=True)
class _Chunk:
    """Days of an order within a month, newest first, and the first page of their list; None if it did not come."""

    order_id: int
    days: list[Day]
    page: Listing[Call] | None = None

    @property
    def span(self) -> Span:
        return Span(self.days[-1].span.since, self.days[0].span.until)

    @property
    def calls(self) -> Sequence[Call]:
        """The calls of the page."""
        return () if self.page is None else self.page.items

    @property
    def whole_list(self) -> Listing[Call] | None:
        """The list, if its first page holds all of it."""
        return self.page if self.page is not None and self.page.complete and self.page.finished else None


@dataclass(frozen=True, slots=True)
class _Unit:
    """A day of an order that has to be read. The page of its chunk was requested at `begun`."""

    day: Day
    chunk: _Chunk
    begun: datetime

    @property
    def order_id(self) -> int:
        return self.chunk.order_id


class Sync:
    """One run over an open archive, which no other process writes.

    `on_estimate` is called before the first day, `on_day` after each one; `report` is true at any time.
    """

    def __init__(
        self,
        liner: LinerReads,
        connection: Connection,
        *,
        zone: Zone,
        now: Callable[[], datetime],
        options: Options,
        on_estimate: Callable[[Estimate], None] = lambda _: None,
        on_day: Callable[[Report], None] = lambda _: None,
    ) -> None:
        self._liner = liner
        self._connection = connection
        self._writer = Writer(connection, phones=meta(connection)["phones"] == "1")
        self._zone = zone
        self._now = now
        self._options = options
        self._on_estimate = on_estimate
        self._on_day = on_day
        self._failed_in_a_row = 0
        self.report = Report()

    async def run(self) -> Report:
        """Read and store what is missing. Raises: WrongArchive when the archive cannot be written."""
        try:
            await self._run()
        except WrongArchive:
            raise
        except LinerMcpError as error:
            self.report.stopped = str(error)
        await self._in_thread(lambda: self._connection.tidy(removed=bool(self.report.removed_calls)))
        return self.report

    async def _run(self) -> None:
        now = self._now()
        first = first_stored(self._connection, self._zone, now, self._options.retention)
        await self._in_thread(lambda: distrust_other_clocks(self._connection, self._writer, now))
        self.report.removed_calls = await self._in_thread(lambda: remove_older(self._connection, self._writer, first))
        listed = await self._sync_dictionaries()
        days = closed_days(self._zone, max(self._options.since or now - DEFAULT_SPAN, first), now)
        covered = [row["order_id"] for row in self._connection.rows("SELECT DISTINCT order_id FROM covered")]
        pending: dict[int, list[Day]] = {}
        for order_id in sorted({*listed, *covered}):
            pending[order_id] = pending_days(
                self._connection,
                order_id,
                days,
                now=now,
                again=self._options.again,
                listed=order_id in listed,
                reread_after=self._options.reread_after,
            )
        units = await self._plan({order_id: days for order_id, days in pending.items() if days})
        self.report.pending_days = len(units)
        for unit in units:
            await self._sync_day(unit)
            self.report.pending_days -= 1
            self._on_day(self.report)

    async def _sync_dictionaries(self) -> set[int]:
        """Store all dictionaries. Returns the ids of the orders that Liner lists."""
        orders: set[int] = set()
        for kind in DICTIONARIES:
            begun = self._now()
            try:
                listing: Listing[Any] = await getattr(self._liner, kind)()
            except LinerMcpError as error:
                if isinstance(error, AccessRefused) or (kind == "orders" and isinstance(error, SetupError)):
                    raise
                self.report.failures.append(Failure(kind.replace("_", " "), str(error)))
                continue
            if not listing.complete:
                sentence = "Liner's list did not come whole. What came is stored."
                self.report.failures.append(Failure(kind.replace("_", " "), sentence))
            write = partial(self._writer.write_dictionary, kind, listing.items, synced_at=begun)
            await self._in_thread(partial(write, complete=listing.complete))
            if kind == "orders":
                orders = {one.id for one in listing.items if isinstance(one, Order)}
        return orders

    # The plan -----------------------------------------------------------------------------------------------------

    async def _plan(self, pending: dict[int, list[Day]]) -> list[_Unit]:
        """The days to read, newest first. The first page of each month of an order shows how much there is."""
        chunks = [_Chunk(one, days) for one, every in pending.items() for days in _by_month(every)]
        begun = self._now()
        readers = [partial(self._liner.calls, window_of(one.order_id, one.span), at_most=1) for one in chunks]
        outcomes = await run_all(readers, concurrency=self._liner.concurrency)
        for chunk, outcome in zip(chunks, outcomes, strict=True):
            chunk.page = outcome if isinstance(outcome, Listing) else None
        if not await self._check_windows(chunks):
            # Without a call, nothing shows that Liner reads windows as they are meant.
            failed = [(one, error) for one, error in zip(chunks, outcomes, strict=True) if one.page is None]
            self.report.failures += [
                Failure(f"order {one.order_id}", str(error), one.order_id) for one, error in failed
            ]
            return []
        self._on_estimate(_estimate(chunks))
        units = [_Unit(day, chunk, begun) for chunk in chunks for day in chunk.days]
        return sorted(units, key=lambda unit: (-unit.day.span.since, unit.order_id))

    async def _check_windows(self, chunks: Sequence[_Chunk]) -> bool:
        """Whether a call came. Raises: WindowsMisread when Liner does not list one of each month for its own time.

        A zone may differ from UTC in summer only.
        """
        checked: set[Span] = set()
        for chunk in chunks:
            timed = [(call.created_at, call.id) for call in chunk.calls if call.created_at is not None]
            if not timed or chunk.span in checked:
                continue
            created_at, call_id = timed[0]
            window = window_of(chunk.order_id, chunk.span)
            inside = window.since <= created_at < window.until + SECOND
            if not inside or not await lists_again(self._liner, window, created_at, call_id):
                raise WindowsMisread(MISREAD)
            checked.add(chunk.span)
        return bool(checked)

    # One day ------------------------------------------------------------------------------------------------------

    async def _sync_day(self, unit: _Unit) -> None:
        try:
            read, begun = await self._read_day(unit)
        except LinerMcpError as error:
            self._record_failure(unit, error)
            return
        self._failed_in_a_row = 0
        settled = begun >= datetime.fromtimestamp(unit.day.span.until, begun.tzinfo) + FINAL_AFTER
        stored = await self._in_thread(
            lambda: self._writer.replace_span(
                unit.order_id,
                unit.day.span,
                read.calls,
                read.records,
                synced_at=begun,
                settled=settled,
                unchanged=read.unchanged,
            )
        )
        self.report.days += 1
        self.report.calls += stored
        self.report.records += sum(map(len, read.records.values()))
        self.report.summaries += sum(bool(one.record_summary) for records in read.records.values() for one in records)

    async def _read_day(self, unit: _Unit) -> tuple[DayRead, datetime]:
        """What Liner holds of a day, and when its list was requested. Raises: LinerMcpError."""
        page = unit.chunk.whole_list
        if page is not None:
            begun = unit.begun
            calls = calls_in(page, unit.order_id, unit.chunk.span, unit.day.span)
        else:
            begun = self._now()
            calls = await read_calls(self._liner, unit.order_id, unit.day.span)
        unchanged = frozenset[int]() if self._options.again else await self._in_thread(lambda: self._unchanged(calls))
        return DayRead(calls, await read_records(self._liner, calls, unchanged), unchanged), begun

    def _unchanged(self, calls: Sequence[Call]) -> frozenset[int]:
        """The calls whose records are stored and final, so that they are not requested again."""
        return frozenset(call.id for call in calls if self._has_final_records(call))

    def _has_final_records(self, call: Call) -> bool:
        row = self._connection.one(
            "SELECT call.*, synced_at FROM call JOIN covered ON covered.order_id = list_order_id"
            " AND since * 1000000 <= created_at AND until * 1000000 > created_at WHERE id = ?",
            (call.id,),
        )
        if row is None:
            return False
        before = call_of(row)
        same = ("created_at", "order_id", "lead_id", "has_records", "talk_time_duration_seconds")
        if any(getattr(call, name) != getattr(before, name) for name in same) or not call.has_records:
            return False
        assert call.created_at is not None  # noqa: S101 - calls_in refuses a call without a time
        if from_microseconds(row["synced_at"]) < call.created_at + RECORDS_FINAL_AFTER:
            return False
        rows = self._connection.rows("SELECT * FROM record WHERE call_id = ?", (call.id,))
        return bool(rows) and all(record_of(one).record_summary for one in rows)

    def _record_failure(self, unit: _Unit, error: LinerMcpError) -> None:
        """Note a day that was not read. Raises: the error, when no other day could be read either."""
        if isinstance(error, WindowsMisread) or is_fatal(error):
            raise error
        what = f"order {unit.order_id} on {unit.day.date}"
        self.report.failures.append(Failure(what, str(error), unit.order_id, unit.day.date))
        self._failed_in_a_row = self._failed_in_a_row + 1 if is_transient(error) else 0
        if self._failed_in_a_row == MAX_FAILURES_IN_A_ROW:
            raise error

    async def _in_thread(self, job: Callable[[], Any]) -> Any:
        """Write without stopping the event loop: a large day takes seconds."""
        return await anyio.to_thread.run_sync(job)


def _by_month(days: Sequence[Day]) -> list[list[Day]]:
    """Days, newest first, in groups that one list may cover."""
    groups: list[list[Day]] = []
    for day in days:
        if groups and groups[-1][0].span.until - day.span.since <= LONGEST_WINDOW.total_seconds():
            groups[-1].append(day)
        else:
            groups.append([day])
    return groups


def _estimate(chunks: Sequence[_Chunk]) -> Estimate:
    """From the first pages: the requests for lists, and one for the records of each recorded call."""
    calls = requests = recorded = seen = 0
    for chunk in chunks:
        if chunk.page is None:
            requests += len(chunk.days)
            continue
        total = max(chunk.page.total or 0, len(chunk.page.items))
        if chunk.whole_list is None:
            requests += max(len(chunk.days), math.ceil(total / PAGE_LIMIT))
        calls += total
        seen += len(chunk.page.items)
        recorded += sum(call.has_records is not False for call in chunk.page.items)
    requests += math.ceil(calls * recorded / seen) if seen else 0
    return Estimate(sum(len(chunk.days) for chunk in chunks), calls, requests)
