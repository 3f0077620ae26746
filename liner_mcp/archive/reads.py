"""The reads with an archive in front of them.

`ArchivedReads(CachedClient(RestrictedClient(LinerClient)), database, access)`: it stands outside the access rules, so
it applies them to what the archive holds. A hidden row is treated as one that is not archived: the restricted client
then answers as for an unknown id, with the same requests.

What is forgotten is in no answer, archived or live.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar, cast

import anyio

from liner_mcp.archive import queries
from liner_mcp.archive.connection import Connection
from liner_mcp.archive.database import Database, NoArchive
from liner_mcp.archive.forgotten import NOTHING, Forgotten, forgotten
from liner_mcp.archive.plan import LivePart, Plan, allowed, at_seam, is_over, make_plan
from liner_mcp.archive.rows import CALL_FIELDS, RECORD_FIELDS, from_microseconds
from liner_mcp.archive.spans import Span, moment
from liner_mcp.errors import ConnectionClosed, DeadlineExceeded, ForgottenId, LinerMcpError
from liner_mcp.liner.deadline import time_left
from liner_mcp.liner.endpoints import CallFilter
from liner_mcp.liner.models import AgentGroup, Call, CallRecord, CallStatus, Identified, Lead, LeadStatus, Order, User
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.reads import LinerReads
from liner_mcp.liner.record_owners import reject_mixed_calls
from liner_mcp.liner.restricted_client import Access
from liner_mcp.provenance import provenance

I = TypeVar("I", bound=Identified)  # noqa: E741 - a type variable
T = TypeVar("T")

# A dictionary that was synced so short a time ago is used without asking Liner. As the directory may cache it for as
# long, a new order is missing from an answer about every order for at most two minutes.
FRESH = timedelta(seconds=60)
NOTHING_VISIBLE: Listing[Call] = Listing((), complete=True, total=0, changed=False)


class ArchivedReads:
    """The reads of `live`; what `database` covers and `access` allows comes from there.

    Raises, beside what `live` raises: WrongArchive when the file cannot be used; ForgottenId. `now` is the clock for
    the age of dictionaries.
    """

    def __init__(
        self,
        live: LinerReads,
        database: Database,
        access: Access | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._live = live
        self._database = database
        self._access = access or Access()
        self._now = now

    @property
    def concurrency(self) -> int:
        """As in `LinerReads`."""
        return self._live.concurrency

    async def _query(self, job: Callable[[Connection], T], otherwise: T) -> T:
        """The result of a query; `otherwise` while there is no archive yet."""
        try:
            return await self._database.read(job)
        except NoArchive:
            return otherwise

    # Calls --------------------------------------------------------------------------------------------------------

    async def calls(self, which: CallFilter, *, at_most: int | None = None) -> Listing[Call]:
        """As in `LinerReads`. The lists of leads are read from Liner. Calls of the second of `which.until` may be
        missing: every window is half-open, and Liner is asked for a second more than it holds.

        When Liner fails, what is archived is given as an incomplete list, see `Provenance.unread`.
        """
        archivable = None if which.lead_ids else allowed(which, self._access)
        if archivable is None:
            return await self._without_forgotten(await self._live.calls(which, at_most=at_most))
        plan = await self._query(partial(make_plan, which=archivable, access=self._access, at_most=at_most), None)
        if plan is None or not plan.archived:
            return await self._live_calls(which, plan, at_most)
        found = provenance()
        found.uses_archive = True
        outcomes = await self._read_gaps(plan.gaps, at_most)
        parts = [(part, one) for part, one in zip(plan.gaps, outcomes, strict=True) if isinstance(one, Listing)]
        joined = [at_seam(part, listing) for part, listing in parts]
        if any(strays or listing.misplaced for listing, strays in joined):
            # This Liner does not read times as they are meant, so the gaps do not end where they should.
            return await self._without_forgotten(await self._live.calls(which, at_most=at_most))
        listing = self._join(plan, [listing for listing, _ in joined], at_most, unread=len(parts) < len(outcomes))
        if not (plan.over or is_over(listing, at_most)):
            self._record(plan, [part for part, _ in parts])
        return await self._without_forgotten(listing) if parts else listing

    async def _read_gaps(self, gaps: Sequence[LivePart], at_most: int | None) -> list[Listing[Call] | LinerMcpError]:
        """The list of each gap, or why it could not be read."""

        async def read(part: LivePart) -> Listing[Call] | LinerMcpError:
            found = provenance()
            if found.failure is not None:
                return found.failure
            try:
                listing = await self._read_in_time(part.which, at_most)
            except ConnectionClosed:
                raise
            except LinerMcpError as error:
                found.failure = error
                return error
            found.liner_answers = True
            return listing

        if len(gaps) <= 1:
            return [await read(part) for part in gaps]
        outcomes = await run_all([partial(read, part) for part in gaps], concurrency=self.concurrency)
        return [one or _late() for one in outcomes]

    async def _read_in_time(self, which: CallFilter, at_most: int | None) -> Listing[Call]:
        """A list of Liner. Until one came, half of the time is left for what is archived.

        Raises: DeadlineExceeded when it did not come whole.
        """
        left = math.inf if provenance().liner_answers else time_left() / 2
        with anyio.CancelScope(deadline=anyio.current_time() + left):
            listing = await self._live.calls(which, at_most=at_most)
            if listing.finished or is_over(listing, at_most):
                return listing
        raise _late()

    def _join(self, plan: Plan, live: Sequence[Listing[Call]], at_most: int | None, *, unread: bool) -> Listing[Call]:
        archived = plan.calls
        visible = [call for call in archived if self._access.allows_call(call)]
        undecided = sum(map(self._access.cannot_decide, archived))
        count = None if plan.count is None else plan.count - (len(archived) - len(visible))
        totals = [count, *(listing.total for listing in live)]
        total = None if None in totals or unread else sum(one or 0 for one in totals)
        over = (
            plan.over
            or any(is_over(listing, at_most) for listing in live)
            or (at_most is not None and (total or 0) > at_most)
        )
        by_id = {call.id: call for call in (*visible, *(call for one in live for call in one.items))}
        complete = not (unread or undecided or over) and all(listing.complete for listing in live)
        if over and unread:
            total = plan.count  # at least
        return Listing(
            tuple(by_id.values()),
            complete,
            total,
            changed=any(listing.changed for listing in live),
            finished=not over and all(listing.finished for listing in live),
            unreadable=undecided + sum(listing.unreadable for listing in live),
            unread=unread and not over,
        )

    def _record(self, plan: Plan, read: Sequence[LivePart]) -> None:
        found = provenance()
        spans = {span for covered in plan.spans.values() for span in covered}
        found.archived += [(moment(span.since), moment(span.until)) for span in spans]
        for part in plan.gaps:
            (found.live if part in read else found.unread).append(_times(part.span))
        if plan.synced_at is not None:
            found.add_sync(plan.synced_at)
        found.forgotten |= plan.forgotten

    async def _live_calls(self, which: CallFilter, plan: Plan | None, at_most: int | None) -> Listing[Call]:
        """A list of Liner alone. Where it fails in a question that an archive covers in part, it is empty."""
        found = provenance()
        try:
            if found.uses_archive and found.failure is not None:
                raise found.failure
            if found.uses_archive:
                listing = await self._read_in_time(which, at_most)
            else:
                listing = await self._live.calls(which, at_most=at_most)
        except LinerMcpError as error:
            if not found.uses_archive or plan is None or isinstance(error, ConnectionClosed):
                raise
            found.failure = error
            found.unread += [_times(part.span) for part in plan.gaps]
            return Listing((), complete=False, total=None, changed=False, unread=True)
        if plan is not None and listing.finished:
            found.live += [_times(part.span) for part in plan.gaps]
            found.forgotten |= plan.forgotten
        return await self._without_forgotten(listing)

    async def _without_forgotten(self, listing: Listing[Call]) -> Listing[Call]:
        if not listing.items:
            return listing
        ids, leads = [call.id for call in listing.items], [call.lead_id for call in listing.items]
        known = await self._query(partial(forgotten, access=self._access, calls=ids, leads=leads), NOTHING)
        left_out = [call.id for call in listing.items if known.has_call(call)]
        if not left_out:
            return listing
        provenance().forgotten.update(left_out)
        total = None if listing.total is None else max(listing.total - len(left_out), 0)
        items = tuple(call for call in listing.items if call.id not in left_out)
        return replace(listing, items=items, total=total)

    # One call, one record -----------------------------------------------------------------------------------------

    async def call(self, call_id: int) -> Call:
        """As in `LinerReads`. Raises: ForgottenId."""
        archived, known = await self._query(partial(self._find_call, call_id=call_id), (None, NOTHING))
        self._refuse_forgotten(call_id, known)
        if archived is not None and all(map(archived.call.was_sent, CALL_FIELDS)):
            provenance().add_sync(from_microseconds(archived.synced_at))
            return archived.call
        call = await self._live.call(call_id)
        known = await self._query(
            partial(forgotten, access=self._access, calls=[call_id], leads=[call.lead_id]), NOTHING
        )
        if known.has_call(call):
            raise self._forgotten(call_id)
        return call

    async def call_records(self, call_id: int) -> Listing[CallRecord]:
        """As in `LinerReads`. Raises: ForgottenId."""
        archived, records, known = await self._query(partial(self._find_records, call_id=call_id), (None, (), NOTHING))
        self._refuse_forgotten(call_id, known)
        if archived is not None:
            reject_mixed_calls(records)
            provenance().add_sync(from_microseconds(archived.synced_at))
            return Listing(tuple(records), complete=True, total=len(records), changed=False)
        listing = await self._live.call_records(call_id)
        known = await self._query(partial(self._forgotten_records, call_id=call_id, records=listing.items), NOTHING)
        if call_id in known.calls or known.records:
            raise self._forgotten(call_id)
        if any(map(known.may_have_record, listing.items)):
            call = await self.call(call_id)
            if known.has_lead_of(call, listing.items):
                raise self._forgotten(call_id)
        return listing

    async def call_record(self, record_id: int, *, fresh: bool = False) -> CallRecord:
        """As in `LinerReads`. Raises: ForgottenId."""
        archived, known = await self._query(partial(self._find_record, record_id=record_id), (None, NOTHING))
        if any(known.calls.values()):
            raise self._forgotten(*known.calls)
        if archived is not None and not fresh and all(map(archived[0].was_sent, RECORD_FIELDS)):
            provenance().add_sync(from_microseconds(archived[1]))
            return archived[0]
        record = await self._live.call_record(record_id, fresh=fresh)
        known = await self._query(
            partial(forgotten, access=self._access, records=[record_id], leads=[record.lead_id]), NOTHING
        )
        # The record of an archived call is not forgotten, whenever it was made.
        if record_id in known.records or (archived is None and known.may_have_record(record)):
            raise self._forgotten()
        return record

    def _find_call(self, connection: Connection, call_id: int) -> tuple[queries.ArchivedCall | None, Forgotten]:
        archived = queries.covered_call(connection, call_id, self._access)
        return archived, forgotten(connection, self._access, calls=[call_id])

    def _find_records(
        self, connection: Connection, call_id: int
    ) -> tuple[queries.ArchivedCall | None, Sequence[CallRecord], Forgotten]:
        archived, known = self._find_call(connection, call_id)
        records = queries.records_of_call(connection, call_id) if archived is not None else ()
        return archived, records, known

    def _find_record(self, connection: Connection, record_id: int) -> tuple[tuple[CallRecord, int] | None, Forgotten]:
        row = connection.one("SELECT call_id FROM forgotten_record WHERE id = ?", (record_id,))
        calls = [] if row is None or row["call_id"] is None else [row["call_id"]]
        archived = queries.covered_record(connection, record_id, self._access) if row is None else None
        return archived, forgotten(connection, self._access, calls=calls)

    def _forgotten_records(self, connection: Connection, call_id: int, records: Sequence[CallRecord]) -> Forgotten:
        ids, leads = [one.id for one in records], [one.lead_id for one in records]
        return forgotten(connection, self._access, calls=[call_id], records=ids, leads=leads)

    def _refuse_forgotten(self, call_id: int, known: Forgotten) -> None:
        """Raise ForgottenId for a forgotten call that the caller may see. Any other is requested of Liner first, which
        answers as for an unknown id when the caller may not see it.
        """
        if known.calls.get(call_id):
            raise self._forgotten(call_id)

    def _forgotten(self, *call_ids: int) -> ForgottenId:
        provenance().forgotten.update(call_ids)
        return ForgottenId("It was forgotten on this server (liner-mcp forget), so nothing of it is shown.")

    async def lead(self, lead_id: int) -> Lead:
        """As in `LinerReads`."""
        return await self._live.lead(lead_id)

    # Dictionaries -------------------------------------------------------------------------------------------------

    async def orders(self, *, at_most: int | None = None) -> Listing[Order]:
        """As in `LinerReads`."""
        live = partial(self._live.orders, at_most=at_most)
        return await self._dictionary("orders", Order, live, lambda one: self._access.allows_order(one.id))

    async def users(self) -> Listing[User]:
        """As in `LinerReads`."""
        return await self._dictionary("users", User, self._live.users, lambda one: self._access.allows_agent(one.id))

    async def agent_groups(self) -> Listing[AgentGroup]:
        """As in `LinerReads`."""
        return await self._dictionary("agent_groups", AgentGroup, self._live.agent_groups, self._sees_group)

    async def call_statuses(self) -> Listing[CallStatus]:
        """As in `LinerReads`."""
        return await self._dictionary("call_statuses", CallStatus, self._live.call_statuses)

    async def lead_statuses(self) -> Listing[LeadStatus]:
        """As in `LinerReads`."""
        return await self._dictionary("lead_statuses", LeadStatus, self._live.lead_statuses)

    def _sees_group(self, group: AgentGroup) -> bool:
        return self._access.agents is None or any(map(self._access.allows_agent, group.agent_ids or ()))

    async def _dictionary(
        self,
        kind: str,
        model: type[I],
        read_live: Callable[[], Awaitable[Listing[I]]],
        is_visible: Callable[[I], bool] = lambda _: True,
    ) -> Listing[I]:
        """A dictionary: the archived one while it is fresh, else that of Liner, else the archived one with a doubt.
        The entries that have left it come too: old calls carry their ids.
        """
        archived = await self._query(partial(queries.dictionary, kind=kind, model=model), None)
        if archived is None:
            return await read_live()
        listed = self._visible(cast("tuple[I, ...]", archived.listed), is_visible)
        former = self._visible(cast("tuple[I, ...]", archived.former), is_visible)
        stored = Listing(listed, archived.complete, len(listed) if archived.complete else None, changed=False)
        age = self._now() - from_microseconds(archived.synced_at)
        if archived.complete and timedelta(0) <= age <= FRESH:
            return replace(stored, former=former)
        try:
            live = await read_live()
        except ConnectionClosed:
            raise
        except LinerMcpError:
            return replace(stored, complete=False, total=None, former=former, outdated=True)
        ids = {one.id for one in live.items}
        return replace(live, former=tuple(one for one in (*former, *listed) if one.id not in ids))

    def _visible(self, entries: tuple[I, ...], is_visible: Callable[[I], bool]) -> tuple[I, ...]:
        found = tuple(one for one in entries if is_visible(one))
        if self._access.agents is None:
            return found
        return tuple(cast("I", self._with_visible_members(one)) for one in found)

    def _with_visible_members(self, entry: Any) -> Any:
        if not isinstance(entry, AgentGroup):
            return entry
        members = tuple(one for one in entry.agent_ids or () if self._access.allows_agent(one))
        return entry.model_copy(update={"agent_ids": members})


def _late() -> DeadlineExceeded:
    return DeadlineExceeded("Time was up before a list of calls was read whole.")


def _times(span: Span) -> tuple[datetime, datetime]:
    return moment(span.since), moment(span.until)
