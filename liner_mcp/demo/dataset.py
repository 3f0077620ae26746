"""The fake Liner's data as a whole: generated once, then only added to, and searchable.

It knows nothing of HTTP; `endpoints` asks it, and tests look into it for the truth.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

from liner_mcp.demo import fixtures
from liner_mcp.demo.entities import Agent, Call, Lead, Order, Record
from liner_mcp.demo.generation import FIRST_CALL_ID, FIRST_LEAD_ID, FIRST_RECORD_ID, History, generate_history
from liner_mcp.demo.index import Listing, TimeIndex, id_hash, shuffled, within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_CACHED_LISTINGS = 32
"""Enough for the pages of several lists being read at once; each holds little more than a list of references."""


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Every member narrows; None does not. Both moments are included."""

    order_ids: frozenset[int] | None = None
    lead_ids: frozenset[int] | None = None
    user_ids: frozenset[int] | None = None
    status_ids: frozenset[int] | None = None
    since: datetime | None = None
    until: datetime | None = None


class CallChanges(TypedDict, total=False):
    """What a new call may differ in. `order`, `agent` and `lead` take the thing or its id."""

    order: Order | int
    agent: Agent | int | None
    lead: Lead | int
    status_code: str
    created_at: datetime
    client_phone: str
    sip_endpoint_id: int
    direction: str
    finish_initiator: str | None
    wait_time_duration_seconds: int
    talk_time_duration_seconds: int
    total_duration_seconds: int
    is_predictive: bool
    has_records: bool


class RecordChanges(TypedDict, total=False):
    """What a new record may differ in from its call's."""

    summary: str | None
    duration_seconds: int
    is_transfer: bool
    created_at: datetime
    user_id: int | None
    lead_id: int
    has_file: bool
    is_amd: bool
    facts: tuple[str, ...]


class Dataset:
    """All there is. Read the mappings freely; add through `add_call` and `add_record`, which keep the indexes true."""

    orders = fixtures.ORDERS
    agent_groups = fixtures.AGENT_GROUPS
    call_statuses = fixtures.CALL_STATUSES
    lead_statuses = fixtures.LEAD_STATUSES

    def __init__(self, now: datetime, history: History) -> None:
        self.now = now
        self.users = fixtures.users(now)
        self.agents = tuple(user for user in self.users if user.is_agent)
        self.leads = history.leads
        self.calls = history.calls
        self.records = history.records
        self.adversarial_records = history.adversarial_records
        """Which record holds which kind of unpleasant text."""
        self._call_index = TimeIndex(history.calls.values())
        self._lead_of_order: dict[int, Lead] = {}
        """Whom a call that is added without a lead goes to."""
        self._calls_of_lead: dict[int, list[int]] = {}
        for call in history.calls.values():
            self._calls_of_lead.setdefault(call.lead_id, []).append(call.id)
        self._records_of_call: dict[int, list[int]] = {}
        for record in history.records.values():
            self._records_of_call.setdefault(record.call_id, []).append(record.id)
        self._listings: OrderedDict[object, Listing[Any]] = OrderedDict()

    @classmethod
    def generate(cls, *, seed: int = 1, now: datetime | None = None, days: int = 40, calls: int = 4000) -> Self:
        """A dataset that depends on these arguments only; `now` must know its zone.

        Without `now` it ends with the last full hour, so that two looks within an hour see the same calls.
        """
        moment = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) if now is None else now
        if moment.tzinfo is None:
            raise ValueError("now must be timezone-aware")
        if days < 1 or calls < 0:
            raise ValueError("a world needs at least one day and no negative number of calls")
        moment = moment.astimezone(UTC)
        return cls(moment, generate_history(seed=seed, now=moment, days=days, calls=calls))

    def records_of(self, call_id: int) -> list[Record]:
        return [self.records[record_id] for record_id in self._records_of_call.get(call_id, ())]

    def calls_of_order(self, order_id: int) -> list[Call]:
        """Oldest first."""
        return self._call_index.of_order(order_id)

    def find_calls(self, wanted: CallFilter) -> Listing[Call]:
        return self._cached(wanted, lambda: self._find_calls(wanted))

    def find_records(self, call_id: int | None, *, amd_only: bool) -> Listing[Record]:
        if call_id is None:
            return self._cached(("records", amd_only), lambda: self._find_records(self.records.values(), amd_only))
        return self._find_records(self.records_of(call_id), amd_only)

    def add_call(self, **changes: Unpack[CallChanges]) -> Call:
        """One more call: by default answered, just now, without records, to a lead of the first order."""
        _refuse_unknown(changes, CallChanges)
        order_id = _id_of(changes.get("order"))
        lead = self._lead_for(_id_of(changes.get("lead")), order_id)
        order = {order.id: order for order in self.orders}[lead.order_id if order_id is None else order_id]
        wait = changes.get("wait_time_duration_seconds", 5)
        talk = changes.get("talk_time_duration_seconds", 60)
        call = Call(
            id=_next_id(self.calls, FIRST_CALL_ID),
            order_id=order.id,
            lead_id=lead.id,
            user_id=_id_of(changes.get("agent", order.agent_user_ids[0])),
            status_code=changes.get("status_code", "conversation_completed"),
            created_at=changes.get("created_at", self.now).astimezone(UTC),
            client_phone=changes.get("client_phone", lead.phone),
            sip_endpoint_id=changes.get("sip_endpoint_id", fixtures.DEFAULT_SIP_ENDPOINT_ID),
            direction=changes.get("direction", "outgoing"),
            finish_initiator=changes.get("finish_initiator", "client"),
            total_duration_seconds=changes.get("total_duration_seconds", wait + talk),
            wait_time_duration_seconds=wait,
            talk_time_duration_seconds=talk,
            is_predictive=changes.get("is_predictive", False),
            has_records=changes.get("has_records", False),
        )
        self.calls[call.id] = call
        self._call_index.add(call)
        self._calls_of_lead.setdefault(call.lead_id, []).append(call.id)
        self._listings.clear()
        return call

    def add_record(self, call_id: int, **changes: Unpack[RecordChanges]) -> Record:
        """One more record of that call, which from now on has records."""
        _refuse_unknown(changes, RecordChanges)
        call = self.calls[call_id]
        created_at = changes.get("created_at", call.created_at + timedelta(seconds=call.total_duration_seconds))
        record = Record(
            id=_next_id(self.records, FIRST_RECORD_ID),
            call_id=call_id,
            user_id=changes.get("user_id", call.user_id),
            lead_id=changes.get("lead_id", call.lead_id),
            is_transfer=changes.get("is_transfer", False),
            duration_seconds=changes.get("duration_seconds", call.talk_time_duration_seconds),
            summary=changes.get("summary"),
            created_at=created_at.astimezone(UTC),
            has_file=changes.get("has_file", True),
            is_amd=changes.get("is_amd", False),
            facts=changes.get("facts", ()),
        )
        self.records[record.id] = record
        self._records_of_call.setdefault(call_id, []).append(record.id)
        if not call.has_records:
            self.calls[call_id] = replace(call, has_records=True)
            self._call_index.replace(call, self.calls[call_id])
        self._listings.clear()
        return record

    def _find_calls(self, wanted: CallFilter) -> Listing[Call]:
        users = wanted.user_ids
        codes = None
        if wanted.status_ids is not None:
            codes = {status.code for status in self.call_statuses if status.id in wanted.status_ids}

        def test(call: Call) -> bool:
            return (users is None or call.user_id in users) and (codes is None or call.status_code in codes)

        if wanted.lead_ids is not None:
            ids = (call_id for lead_id in wanted.lead_ids for call_id in self._calls_of_lead.get(lead_id, ()))
            matches = shuffled(
                call
                for call in map(self.calls.__getitem__, ids)
                if within(call, wanted.order_ids, wanted.since, wanted.until) and test(call)
            )
            return Listing(matches, len(matches))
        narrowed = users is not None or codes is not None
        return self._call_index.select(wanted.order_ids, wanted.since, wanted.until, test if narrowed else None)

    def _find_records(self, records: Iterable[Record], amd_only: bool) -> Listing[Record]:
        matches = shuffled(record for record in records if record.is_amd or not amd_only)
        return Listing(matches, len(matches))

    def _cached(self, key: object, find: Callable[[], Listing[Any]]) -> Listing[Any]:
        """Pages of one list are asked one after another: finding its members once is enough while nothing changes."""
        listing = self._listings.get(key)
        if listing is None:
            listing = self._listings[key] = find()
            if len(self._listings) > _CACHED_LISTINGS:
                self._listings.popitem(last=False)
        self._listings.move_to_end(key)
        return listing

    def _lead_for(self, lead_id: int | None, order_id: int | None) -> Lead:
        if lead_id is not None:
            return self.leads[lead_id]
        wanted = self.orders[0].id if order_id is None else order_id
        if wanted not in self._lead_of_order:
            known = [lead for lead in self.leads.values() if lead.order_id == wanted]
            self._lead_of_order[wanted] = min(known, key=id_hash) if known else self._add_lead(wanted)
        return self._lead_of_order[wanted]

    def _add_lead(self, order_id: int) -> Lead:
        lead = Lead(
            id=_next_id(self.leads, FIRST_LEAD_ID),
            name="Иван Иванов",
            phone="+79160000001",
            order_id=order_id,
            status_id=self.lead_statuses[0].id,
            created_at=self.now - timedelta(hours=1),
            updated_at=self.now - timedelta(hours=1),
        )
        self.leads[lead.id] = lead
        return lead


def _id_of(thing: Order | Agent | Lead | int | None) -> int | None:
    return thing if thing is None or isinstance(thing, int) else thing.id


def _next_id(things: dict[int, Any], first: int) -> int:
    # Ids only grow, so the last one in is the largest.
    return next(reversed(things), first - 1) + 1


def _refuse_unknown(changes: Mapping[str, object], known: type) -> None:
    unknown = changes.keys() - known.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown change: {', '.join(sorted(unknown))}; known: {', '.join(known.__annotations__)}")
