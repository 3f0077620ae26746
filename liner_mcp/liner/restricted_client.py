"""Liner as one caller may see it: the same reads, without the calls of other orders and other agents.

Every read of calls, records, leads and names goes through here or through nothing. What a caller may not see and what
does not exist are answered alike, down to the error: so each read that Liner answers in its own way for an unknown id
is led through one that says `NOT_FOUND_MESSAGE`. What belongs to no order that is known is not shown.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from cachetools import TTLCache

from liner_mcp.errors import AccessRefused, InvalidResponse, LinerRejected, NotFound, WrongAddress
from liner_mcp.liner import decoding, endpoints
from liner_mcp.liner.cache import Detail
from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.decoding import ListPage
from liner_mcp.liner.endpoints import CallFilter, Query
from liner_mcp.liner.models import AgentGroup, Call, CallRecord, Identified, Lead, Order, User
from liner_mcp.liner.pagination import Listing

I = TypeVar("I", bound=Identified)  # noqa: E741 - a type variable

MAX_VISIBLE_IDS = 50_000  # ids of calls that lists have shown: a month of a large order, two megabytes
VISIBLE_TTL_SECONDS = 300.0  # as long as details and names are cached
# Between a call's beginning and its record's: an hour of waiting and talking at most, and a clock's little difference.
MAX_CALL_LENGTH, MAX_CLOCK_SKEW = timedelta(hours=6), timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Access:
    """The orders and agents whose calls may be seen; None is all of them, also calls of no agent."""

    orders: frozenset[int] | None = None
    agents: frozenset[int] | None = None

    @property
    def unrestricted(self) -> bool:
        """Whether nothing is hidden."""
        return self.orders is None and self.agents is None

    def allows_order(self, order_id: int | None) -> bool:
        """Whether calls of this order may be seen; an order that is not known is no order."""
        return self.orders is None or order_id in self.orders

    def allows_agent(self, agent_id: int | None) -> bool:
        """Whether calls of this agent may be seen; a call of no agent is nobody's."""
        return self.agents is None or agent_id in self.agents

    def allows_call(self, call: Call) -> bool:
        """Whether this call may be seen; its records then may too."""
        return self.allows_order(call.order_id) and self.allows_agent(call.user_id)


class RestrictedClient(LinerClient):
    """The same Liner, connections and limits included, for whom `access` allows only a part of it."""

    def __init__(self, inner: LinerClient, access: Access) -> None:
        self.origin = inner.origin
        self.concurrency = inner.concurrency
        self.access = access
        # All callers share the connections, the throttle and the cache; only what comes back differs.
        self._transport = inner._transport  # noqa: SLF001
        self._cache = inner._cache.filtered(self._is_visible)  # noqa: SLF001
        self._dictionary_paths = inner._dictionary_paths  # noqa: SLF001
        self._visible_calls = TTLCache[int, bool, float](MAX_VISIBLE_IDS, VISIBLE_TTL_SECONDS)
        self._visible_records = TTLCache[int, bool, float](MAX_VISIBLE_IDS, VISIBLE_TTL_SECONDS)

    def __repr__(self) -> str:
        return f"RestrictedClient({self.origin!r})"

    async def call(self, call_id: int) -> Call:
        """One call. Raises NotFound for an unknown id and for a call that may not be seen."""
        async with self._hidden_as_unknown():
            call = await super().call(call_id)
        if not self.access.allows_call(call):
            self._visible_calls.pop(call_id, None)
            raise NotFound(decoding.NOT_FOUND_MESSAGE)
        return call

    async def calls(self, which: CallFilter, *, at_most: int | None = None) -> Listing[Call]:
        """All calls of a closed window that may be seen; no request where that can be none."""
        allowed = await self._restrict(which)
        if allowed is None:
            return Listing((), complete=True, total=0, changed=False)
        if allowed.lead_ids and self.access.orders is not None:
            at_most = None  # a lead has few calls, and Liner's count of them would count those of other orders too
        listing = await super().calls(allowed, at_most=at_most)
        visible = self._visible(listing.items)
        if len(visible) == len(listing.items):
            return listing
        if not listing.finished and at_most is not None:
            # Liner lists more than it was asked for. Read whole, its count need not be told, which counts hidden calls.
            listing = await super().calls(allowed)
            visible = self._visible(listing.items)
        return replace(listing, items=visible, total=len(visible) if listing.complete else None)

    async def calls_page(
        self, which: CallFilter, *, offset: int = 0, limit: int = endpoints.PAGE_LIMIT
    ) -> ListPage[Call]:
        """One page of the same. Its total is unknown where the page held anything that is hidden."""
        allowed = await self._restrict(which)
        if allowed is None:
            return ListPage((), next=None, total=0)
        page = await super().calls_page(allowed, offset=offset, limit=limit)
        visible = self._visible(page.items)
        return page if len(visible) == len(page.items) else ListPage(visible, page.next, None)

    async def call_record(self, record_id: int, *, fresh: bool = False) -> CallRecord:
        """One record of a call that may be seen. Raises NotFound for all others.

        A record does not name its call, so the calls of its lead around its time are looked through.
        """
        async with self._hidden_as_unknown():
            record = await super().call_record(record_id, fresh=fresh)
            if record_id not in self._visible_records and not await self._belongs_to_visible_call(record):
                raise NotFound(decoding.NOT_FOUND_MESSAGE)
        return record

    async def _belongs_to_visible_call(self, record: CallRecord) -> bool:
        if record.lead_id is None or record.created_at is None:
            return False
        around = CallFilter(
            record.created_at - MAX_CALL_LENGTH, record.created_at + MAX_CLOCK_SKEW, lead_ids=(record.lead_id,)
        )
        for call in (await self.calls(around)).items:
            if call.has_records is not False:
                await self.call_records(call.id)
                if record.id in self._visible_records:
                    return True
        return False

    async def call_records(self, call_id: int) -> Listing[CallRecord]:
        """All records of a call that may be seen. Raises NotFound for an unknown call too, unlike Liner perhaps."""
        if call_id not in self._visible_calls:
            await self.call(call_id)
        listing = await super().call_records(call_id)
        for record in listing.items:
            self._visible_records[record.id] = True
        return listing

    async def lead(self, lead_id: int) -> Lead:
        """One lead of an order that may be seen. Raises NotFound for all others."""
        async with self._hidden_as_unknown():
            lead = await super().lead(lead_id)
        if not self.access.allows_order(lead.order_id):
            raise NotFound(decoding.NOT_FOUND_MESSAGE)
        return lead

    @asynccontextmanager
    async def _hidden_as_unknown(self) -> AsyncGenerator[None]:
        """What Liner answers to an unknown id is undocumented; a hidden id gets the same answer.

        Failures that pass (429, 5xx, the network) stay what they are: they strike both alike. So do a wrong address and
        a refused token, which show in a list that is about no id.
        """
        try:
            yield
        except LinerRejected:
            raise NotFound(decoding.NOT_FOUND_MESSAGE) from None
        except (WrongAddress, AccessRefused, InvalidResponse):
            with suppress(LinerRejected):  # then it is Liner that answers, and this is about the id
                await self._transport.get(Query(endpoints.ORDERS).page(0, 1))
            raise NotFound(decoding.NOT_FOUND_MESSAGE) from None

    def _is_visible(self, detail: Detail) -> bool:
        if isinstance(detail, Call):
            return self.access.allows_call(detail)
        if isinstance(detail, Lead):
            return self.access.allows_order(detail.order_id)
        # A list is asked for only after its call.
        return isinstance(detail, Listing) or detail.id in self._visible_records

    async def orders(self) -> Listing[Order]:
        """The orders that may be seen."""
        return _filter_listing(await super().orders(), lambda order: self.access.allows_order(order.id))

    async def users(self) -> Listing[User]:
        """The agents that may be seen."""
        return _filter_listing(await super().users(), lambda user: self.access.allows_agent(user.id))

    async def agent_groups(self) -> Listing[AgentGroup]:
        """The groups that hold an agent who may be seen, and only those members."""
        listing = await super().agent_groups()
        if self.access.agents is None:
            return listing
        mine = [
            group.model_copy(
                update={"agent_ids": tuple(one for one in group.agent_ids if self.access.allows_agent(one))}
            )
            for group in listing.items
        ]
        return _filter_listing(replace(listing, items=tuple(mine)), lambda group: bool(group.agent_ids))

    async def _restrict(self, which: CallFilter) -> CallFilter | None:
        """The same question about no more than may be seen, or None where nothing is left of it."""
        orders, agents = self.access.orders, self.access.agents
        if orders is not None and which.order_ids:
            which = replace(which, order_ids=tuple(one for one in which.order_ids if one in orders))
            if not which.order_ids:
                return None
        if agents is not None:
            asked = which.user_ids or tuple(sorted(agents))
            which = replace(which, user_ids=tuple(one for one in asked if one in agents))
            if not which.user_ids:
                return None
        if orders is not None and which.lead_ids:
            # Liner may list nothing for an unknown lead, or refuse it: neither may differ from a hidden one.
            leads = [one for one in which.lead_ids if await self._lead_is_visible(one)]
            if not leads:
                return None
            which = replace(which, lead_ids=tuple(leads))
        return which

    async def _lead_is_visible(self, lead_id: int) -> bool:
        try:
            await self.lead(lead_id)
        except NotFound:
            return False
        return True

    def _visible(self, calls: Iterable[Call]) -> tuple[Call, ...]:
        visible = tuple(call for call in calls if self.access.allows_call(call))
        for call in visible:
            self._visible_calls[call.id] = True
        return visible


def _filter_listing(listing: Listing[I], is_visible: Callable[[I], bool]) -> Listing[I]:
    items = tuple(item for item in listing.items if is_visible(item))
    if len(items) == len(listing.items):
        return listing
    return replace(listing, items=items, total=len(items) if listing.complete else None)
