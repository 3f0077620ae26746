"""Liner for a caller with access rules: the same reads, without the calls of other orders and other agents.

Calls, records, leads and names reach such a caller through this module only. A hidden id and an unknown id have the
same answer, down to the error, and cause the same requests:

- A call or a lead is requested by its id. When it is hidden or unknown, the order list is requested too, see
  `_not_found`.
- A record does not contain the id of its call. If no list has shown the record to this caller, its call is searched
  for: one list of the lead's calls around the record's time, then the records of at most `SEARCHED_CALLS` of them.
  The same search runs for an unknown record, with the record's own id as the id of the lead and of the calls. So a
  hidden and an unknown record cost six requests each. A visible record costs one request, or three to five when no
  list has shown it.

Two differences remain: the time that Liner itself takes, and a request that is shared with another caller who requests
the same id at the same moment. The limit has a price: if `SEARCHED_CALLS` other visible calls of the lead are nearer to
the record's time, a visible record is found only after its call's records were listed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from cachetools import TTLCache

from liner_mcp.errors import AccessRefused, InvalidResponse, LinerRejected, NotFound, WrongAddress
from liner_mcp.liner import decoding
from liner_mcp.liner.endpoints import PAGE_LIMIT, CallFilter
from liner_mcp.liner.models import AgentGroup, Call, CallRecord, CallStatus, Identified, Lead, LeadStatus, Order, User
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.reads import LinerReads

I = TypeVar("I", bound=Identified)  # noqa: E741 - a type variable
T = TypeVar("T")

MAX_VISIBLE_IDS = 10_000  # of each kind: a week of a large order, three megabytes; other ids cost one more request
VISIBLE_TTL_SECONDS = 300.0  # as long as details and names are cached
# Between a call's beginning and its record's: an hour of waiting and talking at most, and a small clock difference.
MAX_CALL_LENGTH, MAX_CLOCK_SKEW = timedelta(hours=6), timedelta(minutes=10)
SEARCHED_CALLS = 3  # a lead is called again at once after a dropped call, perhaps before the first record exists


@dataclass(frozen=True, slots=True)
class Access:
    """The orders and agents whose calls may be seen; None means all of them, and also calls without an agent."""

    orders: frozenset[int] | None = None
    agents: frozenset[int] | None = None

    @property
    def unrestricted(self) -> bool:
        return self.orders is None and self.agents is None

    def allows_order(self, order_id: int | None) -> bool:
        """Whether calls of this order may be seen. A list of orders excludes calls without an order."""
        return self.orders is None or order_id in self.orders

    def allows_agent(self, agent_id: int | None) -> bool:
        """Whether calls of this agent may be seen. A list of agents excludes calls without an agent."""
        return self.agents is None or agent_id in self.agents

    def allows_call(self, call: Call) -> bool:
        return self.allows_order(call.order_id) and self.allows_agent(call.user_id)

    def cannot_decide(self, call: Call) -> bool:
        """Whether Liner did not send the order or the agent that decides whether this call may be seen."""
        order, agent = call.was_sent("order_id"), call.was_sent("user_id")
        hidden = (order and not self.allows_order(call.order_id)) or (agent and not self.allows_agent(call.user_id))
        return not (hidden or self.allows_call(call))


class RestrictedClient:
    """The reads of `liner` that `access` allows. `liner` must not cache, or the cached details of other callers would
    change which requests a hidden id causes; a cache stands in front of this client instead.
    """

    def __init__(self, liner: LinerReads, access: Access) -> None:
        self._liner = liner
        self._access = access
        self.concurrency = liner.concurrency
        self._visible_calls = TTLCache[int, bool, float](MAX_VISIBLE_IDS, VISIBLE_TTL_SECONDS)
        self._visible_leads = TTLCache[int, bool, float](MAX_VISIBLE_IDS, VISIBLE_TTL_SECONDS)
        self._visible_records = TTLCache[int, bool, float](MAX_VISIBLE_IDS, VISIBLE_TTL_SECONDS)

    def __repr__(self) -> str:
        return f"RestrictedClient({self._liner!r})"

    async def call(self, call_id: int) -> Call:
        """One call. Raises NotFound for an unknown id and for a hidden call."""
        call = await _none_if_refused(partial(self._liner.call, call_id))
        if call is None or not self._access.allows_call(call):
            self._visible_calls.pop(call_id, None)
            raise await self._not_found()
        self._visible_calls[call_id] = True
        return call

    async def lead(self, lead_id: int) -> Lead:
        """One lead of an order that may be seen. Raises NotFound for all other ids."""
        lead = await _none_if_refused(partial(self._liner.lead, lead_id))
        if lead is None or not self._access.allows_order(lead.order_id):
            self._visible_leads.pop(lead_id, None)
            raise await self._not_found()
        self._visible_leads[lead_id] = True
        return lead

    async def _not_found(self) -> NotFound:
        """The error for a hidden or unknown id. Raises the error instead that every read meets, if there is one.

        Liner's answer to an unknown id is undocumented and may look like a wrong address or a refused token. A read
        without an id shows which it is. For a hidden id the read is made only to cause the same requests.
        """
        with suppress(LinerRejected):  # then Liner answers, and the token is accepted
            await self._liner.orders(at_most=1)
        return NotFound(decoding.NOT_FOUND_MESSAGE)

    async def calls(self, which: CallFilter, *, at_most: int | None = None) -> Listing[Call]:
        """All visible calls of a closed window; no request when there can be none."""
        allowed = await self._restrict(which)
        if allowed is None:
            return Listing((), complete=True, total=0, changed=False)
        if allowed.lead_ids and self._access.orders is not None:
            at_most = None  # a lead has few calls, and Liner's count of them would include those of other orders
        listing = await self._list_calls(allowed, at_most)
        visible = self._visible(listing.items)
        if len(visible) == len(listing.items):
            return listing
        if not listing.finished and at_most is not None:
            # Liner lists more than was requested. Its count includes hidden calls, so the whole list is read instead.
            listing = await self._list_calls(allowed, None)
            visible = self._visible(listing.items)
        unreadable = sum(map(self._access.cannot_decide, listing.items))
        complete = listing.complete and not unreadable
        return replace(
            listing,
            items=visible,
            complete=complete,
            total=len(visible) if complete else None,
            unreadable=listing.unreadable + unreadable,
        )

    async def _list_calls(self, which: CallFilter, at_most: int | None) -> Listing[Call]:
        """The calls of a filter, which the ids of agents may have made too long for one request."""
        listings = [await self._liner.calls(part, at_most=at_most) for part in which.split()]
        if len(listings) == 1:
            return listings[0]
        totals = [listing.total for listing in listings]
        return Listing(
            tuple({call.id: call for listing in listings for call in listing.items}.values()),
            complete=all(listing.complete for listing in listings),
            total=None if None in totals else sum(total or 0 for total in totals),
            changed=any(listing.changed for listing in listings),
            finished=all(listing.finished for listing in listings),
            unreadable=sum(listing.unreadable for listing in listings),
            misplaced=any(listing.misplaced for listing in listings),
        )

    async def _restrict(self, which: CallFilter) -> CallFilter | None:
        """The same filter without what is hidden, or None when nothing is left of it."""
        orders, agents = self._access.orders, self._access.agents
        if orders is not None and which.order_ids:
            which = replace(which, order_ids=tuple(one for one in which.order_ids if one in orders))
            if not which.order_ids:
                return None
        if agents is not None:
            wanted = which.user_ids or tuple(sorted(agents))
            which = replace(which, user_ids=tuple(one for one in wanted if one in agents))
            if not which.user_ids:
                return None
        if orders is not None and which.lead_ids:
            # Liner may list nothing for an unknown lead, or refuse it; a hidden lead must not differ from it.
            leads = [one for one in which.lead_ids if await self._lead_is_visible(one)]
            if not leads:
                return None
            which = replace(which, lead_ids=tuple(leads))
        return which

    async def _lead_is_visible(self, lead_id: int) -> bool:
        if lead_id not in self._visible_leads:
            with suppress(NotFound):
                await self.lead(lead_id)
        return lead_id in self._visible_leads

    def _visible(self, calls: Iterable[Call]) -> tuple[Call, ...]:
        visible = tuple(call for call in calls if self._access.allows_call(call))
        for call in visible:
            self._visible_calls[call.id] = True
        return visible

    async def call_records(self, call_id: int) -> Listing[CallRecord]:
        """All records of a visible call. Raises NotFound for all other ids, also where Liner gives an empty list."""
        if call_id not in self._visible_calls:
            await self.call(call_id)
        listing = await self._liner.call_records(call_id)
        self._record_visible(listing)
        return listing

    def _record_visible(self, listing: Listing[CallRecord]) -> None:
        for record in listing.items:
            self._visible_records[record.id] = True

    async def call_record(self, record_id: int, *, fresh: bool = False) -> CallRecord:
        """One record of a visible call. Raises NotFound for all other ids."""
        record = await _none_if_refused(partial(self._liner.call_record, record_id, fresh=fresh))
        if record_id not in self._visible_records:
            await self._search_visible_calls(record_id, record)
        if record is None or record_id not in self._visible_records:
            raise await self._not_found()
        return record

    async def _search_visible_calls(self, record_id: int, record: CallRecord | None) -> None:
        """Read the records of the calls that the record may belong to; `_visible_records` then contains it or not.

        Unless the record is found, the number of requests is always the same: the record's own id takes the place of
        ids that are missing, and the result of such a request is ignored.
        """
        moment = (record and record.created_at) or datetime.now(UTC)
        lead_id = (record and record.lead_id) or record_id
        around = CallFilter(
            moment - MAX_CALL_LENGTH,
            moment + MAX_CLOCK_SKEW,
            lead_ids=(lead_id,),
            user_ids=tuple(sorted(self._access.agents or ())),
        )
        if len(around.split()) > 1:
            around = replace(around, user_ids=())  # a lead has few calls, which are checked here
        listing = await _none_if_refused(partial(self._liner.calls, around, at_most=PAGE_LIMIT))
        recorded = [call for call in self._visible(listing.items if listing else ()) if call.has_records is not False]
        recorded.sort(key=lambda call: abs((call.created_at or around.since) - moment))
        call_ids = [call.id for call in recorded[:SEARCHED_CALLS]]
        for call_id in [*call_ids, *[record_id] * (SEARCHED_CALLS - len(call_ids))]:
            records = await _none_if_refused(partial(self._liner.call_records, call_id))
            if records is not None and call_id in call_ids:
                self._record_visible(records)
            if record is not None and record_id in self._visible_records:
                return

    async def orders(self, *, at_most: int | None = None) -> Listing[Order]:
        return _filter_listing(
            await self._liner.orders(at_most=at_most), lambda order: self._access.allows_order(order.id)
        )

    async def users(self) -> Listing[User]:
        return _filter_listing(await self._liner.users(), lambda user: self._access.allows_agent(user.id))

    async def agent_groups(self) -> Listing[AgentGroup]:
        """The groups with an agent who may be seen, and only those members."""
        listing = await self._liner.agent_groups()
        if self._access.agents is None:
            return listing
        groups = [
            group.model_copy(
                update={"agent_ids": tuple(one for one in group.agent_ids or () if self._access.allows_agent(one))}
            )
            for group in listing.items
        ]
        return _filter_listing(replace(listing, items=tuple(groups)), lambda group: bool(group.agent_ids))

    async def call_statuses(self) -> Listing[CallStatus]:
        """As in `LinerReads`: statuses are the same for all callers."""
        return await self._liner.call_statuses()

    async def lead_statuses(self) -> Listing[LeadStatus]:
        """As in `LinerReads`: statuses are the same for all callers."""
        return await self._liner.lead_statuses()


async def _none_if_refused(read: Callable[[], Awaitable[T]]) -> T | None:
    """The result of a read, or None when Liner refuses it in any of the ways in which it may refuse an unknown id.

    Other failures (429, 5xx, the network) do not depend on the id and are raised.
    """
    try:
        return await read()
    except (NotFound, LinerRejected, WrongAddress, AccessRefused, InvalidResponse):
        return None


def _filter_listing(listing: Listing[I], is_visible: Callable[[I], bool]) -> Listing[I]:
    items = tuple(item for item in listing.items if is_visible(item))
    if len(items) == len(listing.items):
        return listing
    return replace(listing, items=items, total=len(items) if listing.complete else None)
