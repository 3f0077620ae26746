"""The data of the demo Liner: generated once, searchable, and tests can add to it.

`endpoints` reads it for HTTP requests, and tests read it for the expected answers.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from liner_mcp.demo import fixtures
from liner_mcp.demo.entities import Agent, AgentGroup, Call, CallStatus, Lead, Order, Record
from liner_mcp.demo.generation import FIRST_CALL_ID, FIRST_LEAD_ID, FIRST_RECORD_ID, History, generate_history
from liner_mcp.demo.index import Listing, TimeIndex, id_hash, shuffled, within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_CACHED_LISTINGS = 32  # enough for several lists that are read at once; each holds references only


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to find. None means all; both ends of the window are included."""

    order_ids: frozenset[int] | None = None
    lead_ids: frozenset[int] | None = None
    user_ids: frozenset[int] | None = None
    status_ids: frozenset[int] | None = None
    since: datetime | None = None
    until: datetime | None = None


class Dataset:
    """All data. Read the mappings; add with `add_call` and `add_record`, which update the indexes."""

    orders: tuple[Order, ...] = fixtures.ORDERS
    agent_groups: tuple[AgentGroup, ...] = fixtures.AGENT_GROUPS
    call_statuses: tuple[CallStatus, ...] = fixtures.CALL_STATUSES
    lead_statuses = fixtures.LEAD_STATUSES

    def __init__(self, now: datetime, history: History) -> None:
        self.now = now
        self.users = fixtures.users(now)
        self.agents = tuple(user for user in self.users if user.is_agent)
        self.leads = history.leads
        self.calls = history.calls
        self.records = history.records
        self.adversarial_records = history.adversarial_records
        self._call_index = TimeIndex(history.calls.values())
        self._lead_of_order: dict[int, Lead] = {}  # for calls that are added without a lead
        self._calls_of_lead: dict[int, list[int]] = {}
        for call in history.calls.values():
            self._calls_of_lead.setdefault(call.lead_id, []).append(call.id)
        self._records_of_call: dict[int, list[int]] = {}
        for record in history.records.values():
            self._records_of_call.setdefault(record.call_id, []).append(record.id)
        self._listings: OrderedDict[object, Listing[Any]] = OrderedDict()

    @classmethod
    def generate(cls, *, seed: int = 1, now: datetime | None = None, days: int = 40, calls: int = 4000) -> Self:
        """A dataset that depends on these arguments only; `now` must be timezone-aware.

        Without `now` it ends with the last full hour, so that it is the same within an hour.
        """
        moment = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) if now is None else now
        if moment.tzinfo is None:
            raise ValueError("now must be timezone-aware")
        if days < 1 or calls < 0:
            raise ValueError("a dataset needs at least one day and no negative number of calls")
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

    def add_call(self, **fields: Any) -> Call:
        """Add a call: answered, made now, without records, to a lead of the first order, unless `fields` say otherwise.

        `fields` are those of `Call`, but `order`, `agent` and `lead` take the object or its id.
        """
        order_id = _id_of(fields.pop("order", None))
        lead = self._lead_for(_id_of(fields.pop("lead", None)), order_id)
        order = {order.id: order for order in self.orders}[lead.order_id if order_id is None else order_id]
        user_id = _id_of(fields.pop("agent", order.agent_user_ids[0]))
        fields = {
            "status_code": "conversation_completed",
            "created_at": self.now,
            "client_phone": lead.phone,
            "sip_endpoint_id": fixtures.DEFAULT_SIP_ENDPOINT_ID,
            "direction": "outgoing",
            "finish_initiator": "client",
            "wait_time_duration_seconds": 5,
            "talk_time_duration_seconds": 60,
            "is_predictive": False,
            "has_records": False,
        } | fields
        seconds = fields["wait_time_duration_seconds"] + fields["talk_time_duration_seconds"]
        fields = {"total_duration_seconds": seconds} | fields
        fields["created_at"] = fields["created_at"].astimezone(UTC)
        call = Call(
            id=_next_id(self.calls, FIRST_CALL_ID), order_id=order.id, lead_id=lead.id, user_id=user_id, **fields
        )
        self.calls[call.id] = call
        self._call_index.add(call)
        self._calls_of_lead.setdefault(call.lead_id, []).append(call.id)
        self._listings.clear()
        return call

    def add_record(self, call_id: int, **fields: Any) -> Record:
        """Add a record of a call, which then has records. `fields` are those of `Record`."""
        call = self.calls[call_id]
        fields = {
            "user_id": call.user_id,
            "lead_id": call.lead_id,
            "is_transfer": False,
            "duration_seconds": call.talk_time_duration_seconds,
            "summary": None,
            "created_at": call.created_at + timedelta(seconds=call.total_duration_seconds),
        } | fields
        fields["created_at"] = fields["created_at"].astimezone(UTC)
        record = Record(id=_next_id(self.records, FIRST_RECORD_ID), call_id=call_id, **fields)
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
        """The listing for `key`. The pages of a list are requested one by one, so the search runs once."""
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
    # Ids are added in ascending order.
    return next(reversed(things), first - 1) + 1
