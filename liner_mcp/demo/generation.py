"""Generates leads, calls and records from a seed and a moment.

One random generator is read in a fixed order, so equal arguments give equal data.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import accumulate
from random import Random
from typing import NamedTuple

from liner_mcp.demo import adversarial_summaries, fixtures, synthetic_clients
from liner_mcp.demo.entities import Call, Lead, Order, Record
from liner_mcp.demo.summaries import Talk, compose, pick

FIRST_CALL_ID = 7000001
FIRST_RECORD_ID = 9000001
FIRST_LEAD_ID = 5000001

# Moscow has had this offset since 2014. A fixed offset needs no zone database.
MOSCOW = timezone(timedelta(hours=3))
_WEEKDAYS = (1.0, 1.1, 1.05, 1.0, 0.85, 0.4, 0.12)
_HOURS = {
    9: 0.5, 10: 1.0, 11: 1.2, 12: 1.1, 13: 0.7, 14: 0.95, 15: 1.1, 16: 1.1, 17: 1.0, 18: 0.8, 19: 0.3, 20: 0.12,
}  # fmt: skip
_ORDER_WEIGHTS = (0.26, 0.22, 0.18, 0.15, 0.11, 0.08)
_RECENT_LEADS = 150  # a repeated attempt goes to one of the latest leads of the order


class _Outcome(NamedTuple):
    weight: float
    status_code: str
    shortest: int
    longest: int
    finishers: tuple[str | None, ...]  # who ended the call; a repeated value is more likely


_ANSWERED = (
    _Outcome(0.22, "conversation_completed", 40, 480, ("client", "client", "operator", "operator", "system")),
    _Outcome(0.22, "call_back", 12, 180, ("client", "client", "operator")),
    _Outcome(0.20, "disqualified", 20, 400, ("client", "operator", "operator")),
    _Outcome(0.12, "qualified", 110, 900, ("client", "operator", "operator")),
    _Outcome(0.10, "transferred_to_sales", 90, 600, ("operator", "operator", "client")),
    _Outcome(0.09, "client_hung_up", 5, 40, ("client",)),
    _Outcome(0.05, "wrong_number", 8, 60, ("client", "operator")),
)
_UNANSWERED = (
    _Outcome(0.80, "no_answer", 0, 0, (None, None, "system")),
    _Outcome(0.14, "answering_machine", 0, 0, ("system", None)),
    _Outcome(0.06, "client_hung_up", 0, 0, ("client",)),
)
_MACHINE = _Outcome(0.0, "answering_machine", 3, 25, ("system", "operator"))
_ANSWERED_WEIGHTS = tuple(accumulate(outcome.weight for outcome in _ANSWERED))
_UNANSWERED_WEIGHTS = tuple(accumulate(outcome.weight for outcome in _UNANSWERED))
_UNKNOWN_STATUS_EVERY = 499


@dataclass(slots=True)
class History:
    """The generated data, oldest first in each mapping."""

    leads: dict[int, Lead] = field(default_factory=dict[int, Lead])
    calls: dict[int, Call] = field(default_factory=dict[int, Call])
    records: dict[int, Record] = field(default_factory=dict[int, Record])
    adversarial_records: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(slots=True)
class _LeadDraft:
    id: int
    person: synthetic_clients.Person
    order: Order
    created_at: datetime
    updated_at: datetime
    status_code: str = "new"
    planned: datetime | None = None


def generate_history(*, seed: int, now: datetime, days: int, calls: int) -> History:
    """The history of a call centre that made `calls` calls in the `days` before `now`."""
    generator = _Generator(Random(seed), now)  # noqa: S311 - repeatable data, nothing secret
    for moment in _moments(generator.rng, now, days, calls):
        generator.call(moment)
    generator.settle_leads()
    generator.add_adversarial_summaries()
    return generator.history


def _moments(rng: Random, now: datetime, days: int, calls: int) -> list[datetime]:
    """The times of the calls, by the weights of hours and weekdays, between the first day and `now`."""
    start = now - timedelta(days=days)
    hour = start.astimezone(MOSCOW).replace(minute=0, second=0, microsecond=0)
    hours: list[datetime] = []
    weights: list[float] = []
    while hour <= now:
        weight = _HOURS.get(hour.hour, 0.0) * _WEEKDAYS[hour.weekday()]
        overlap = min(hour + timedelta(hours=1), now) - max(hour, start)
        if weight and overlap > timedelta(0):
            hours.append(max(hour, start).astimezone(UTC))
            weights.append(weight * overlap.total_seconds())
        hour += timedelta(hours=1)
    chosen = rng.choices(hours, weights, k=calls)
    ends = {begin: min(begin.replace(minute=0, second=0) + timedelta(hours=1), now) for begin in hours}
    return sorted(at + timedelta(seconds=int(rng.random() * (ends[at] - at).total_seconds())) for at in chosen)


class _Generator:
    def __init__(self, rng: Random, now: datetime) -> None:
        self.rng = rng
        self.now = now
        self.history = History()
        self._drafts: dict[int, list[_LeadDraft]] = {order.id: [] for order in fixtures.ORDERS}
        self._order_weights = tuple(accumulate(_ORDER_WEIGHTS))
        self._next_lead_id = FIRST_LEAD_ID
        self._next_record_id = FIRST_RECORD_ID
        self._left = {agent.id for agent in fixtures.users(now) if not agent.is_active}
        self._lead_status_of = {status.code: status.lead_status_code for status in fixtures.CALL_STATUSES}

    def call(self, at: datetime) -> None:
        rng = self.rng
        order = rng.choices(fixtures.ORDERS, cum_weights=self._order_weights)[0]
        lead = self._lead(order, at)
        outcome = self._outcome(order)
        wait = 2 + int(rng.random() * 14) if outcome.longest else 14 + int(rng.random() * 32)
        talk = self._talk_seconds(outcome)
        agent_id = self._agent_id(order, outcome, at)
        call_id = FIRST_CALL_ID + len(self.history.calls)
        finisher = pick(rng, outcome.finishers)
        if agent_id is None and finisher == "operator":
            finisher = "system"
        removed = talk > 0 and call_id % _UNKNOWN_STATUS_EVERY == 0
        outgoing = rng.random() < 0.94
        call = Call(
            id=call_id,
            order_id=order.id,
            lead_id=lead.id,
            user_id=agent_id,
            status_code=fixtures.UNKNOWN_STATUS_CODE if removed else outcome.status_code,
            created_at=at,
            client_phone=lead.person.phone,
            sip_endpoint_id=fixtures.SIP_ENDPOINT_IDS[order.id],
            direction="outgoing" if outgoing else "incoming",
            finish_initiator=finisher,
            total_duration_seconds=wait + talk,
            wait_time_duration_seconds=wait,
            talk_time_duration_seconds=talk,
            is_predictive=order.predictive_mode_enabled and outgoing and rng.random() < 0.7,
            has_records=talk > 0 and rng.random() < (0.3 if outcome is _MACHINE else 0.94),
        )
        self.history.calls[call_id] = call
        self._follow(lead, call)
        if call.has_records:
            self._record(call, lead, is_amd=outcome is _MACHINE)

    def _lead(self, order: Order, at: datetime) -> _LeadDraft:
        drafts = self._drafts[order.id]
        if drafts and self.rng.random() < 0.42:
            latest = min(len(drafts), _RECENT_LEADS)
            return drafts[-1 - int(self.rng.random() * latest)]
        age = timedelta(seconds=40 + int(self.rng.random() ** 3 * 172_800))
        draft = _LeadDraft(
            id=self._next_lead_id,
            person=synthetic_clients.random_person(self.rng, is_gulf=order.is_gulf),
            order=order,
            created_at=at - age,
            updated_at=at - age,
        )
        self._next_lead_id += 1
        drafts.append(draft)
        return draft

    def _outcome(self, order: Order) -> _Outcome:
        answered = self.rng.random() < 0.58
        outcomes, weights = (_ANSWERED, _ANSWERED_WEIGHTS) if answered else (_UNANSWERED, _UNANSWERED_WEIGHTS)
        outcome = self.rng.choices(outcomes, cum_weights=weights)[0]
        if outcome.status_code == "answering_machine" and order.amd_detection_enabled:
            return _MACHINE
        return outcome

    def _talk_seconds(self, outcome: _Outcome) -> int:
        # Most talks are short, so the third power prefers short ones.
        return outcome.shortest + int(self.rng.random() ** 3 * (outcome.longest - outcome.shortest + 1))

    def _agent_id(self, order: Order, outcome: _Outcome, at: datetime) -> int | None:
        if order.standalone_ai_mode_enabled:
            return None
        if not outcome.longest and self.rng.random() < 0.6:
            return None  # the dialler ended the attempt before an agent was connected
        if outcome is _MACHINE and self.rng.random() < 0.8:
            return None
        if order.ai_mode_enabled and self.rng.random() < 0.35:
            return None
        present = order.agent_user_ids
        if at > self.now - timedelta(days=14):
            present = tuple(agent_id for agent_id in present if agent_id not in self._left)
        # The exponent makes some agents busier than others.
        return present[int(self.rng.random() ** 1.3 * len(present))]

    def _follow(self, lead: _LeadDraft, call: Call) -> None:
        lead.updated_at = call.created_at
        code = self._lead_status_of.get(call.status_code)
        if code is not None:
            lead.status_code = code
        later = timedelta(hours=2 + int(self.rng.random() * 60))
        lead.planned = call.created_at + later if call.status_code == "call_back" else None

    def _record(self, call: Call, lead: _LeadDraft, *, is_amd: bool) -> None:
        """Add the records of a call, except those that are not listed yet or never will be."""
        rng = self.rng
        ready_at = call.created_at + timedelta(seconds=call.total_duration_seconds + 1 + int(rng.random() * 20))
        if ready_at > self.now or rng.random() < 0.012:
            return
        self._add_record(call, lead, ready_at, call.talk_time_duration_seconds, is_transfer=False, is_amd=is_amd)
        if call.status_code == "transferred_to_sales":
            seconds = 20 + int(rng.random() ** 2 * 400)
            ready_at += timedelta(seconds=seconds)
            if ready_at <= self.now:
                self._add_record(call, lead, ready_at, seconds, is_transfer=True, is_amd=False)
        elif rng.random() < 0.01:
            self._add_record(call, lead, ready_at, 5 + int(rng.random() * 20), is_transfer=False, is_amd=False)

    def _add_record(
        self, call: Call, lead: _LeadDraft, at: datetime, seconds: int, *, is_transfer: bool, is_amd: bool
    ) -> None:
        summary: str | None = None
        facts: tuple[str, ...] = ()
        chance = self.rng.random()
        fresh = at > self.now - timedelta(minutes=15)
        if not (is_amd or fresh or seconds < 15) and chance < 0.755:
            if chance < 0.005:
                summary = "" if chance < 0.0025 else "  \n"
            else:
                summary, facts = self._summary(call, lead, is_transfer=is_transfer)
        record = Record(
            id=self._next_record_id,
            call_id=call.id,
            user_id=call.user_id,
            lead_id=lead.id,
            is_transfer=is_transfer,
            duration_seconds=seconds,
            summary=summary,
            created_at=at,
            has_file=self.rng.random() >= 0.007,
            is_amd=is_amd,
            facts=facts,
        )
        self._next_record_id += 1
        self.history.records[record.id] = record

    def _summary(self, call: Call, lead: _LeadDraft, *, is_transfer: bool) -> tuple[str, tuple[str, ...]]:
        talk = Talk(
            name_ru=lead.person.name_ru,
            name_gb=lead.person.name_gb,
            phone=lead.person.phone,
            project=lead.order.title,
            is_gulf=lead.order.is_gulf,
            outcome=call.status_code,
            appointment=(call.created_at + timedelta(days=1 + int(self.rng.random() * 30))).astimezone(MOSCOW).date(),
            is_transfer=is_transfer,
        )
        russian = self.rng.random() < (0.35 if lead.order.is_gulf else 0.76)
        return compose(self.rng, talk, russian=russian, with_phone=self.rng.random() < 0.03)

    def settle_leads(self) -> None:
        """Create the leads after the calls, because a call changes its lead."""
        ids = {status.code: status.id for status in fixtures.LEAD_STATUSES}
        drafts = sorted((draft for drafts in self._drafts.values() for draft in drafts), key=lambda draft: draft.id)
        for draft in drafts:
            person = draft.person
            self.history.leads[draft.id] = Lead(
                id=draft.id,
                name=person.lead_name,
                phone=person.phone,
                order_id=draft.order.id,
                status_id=ids[draft.status_code],
                created_at=draft.created_at,
                updated_at=draft.updated_at,
                utc_offset=person.utc_offset,
                lead_type="selection" if draft.id % 11 == 0 else "straight",
                create_method="import" if draft.id % 7 == 0 else "api",
                is_secondary=draft.id % 13 == 0,
                planning_call_date_time=draft.planned,
                priority=draft.id % 4,
                source_comment=person.comment,
                telegram_user_name=f"client_{draft.id}" if draft.id % 5 == 0 else "",
                source=person.source,
            )

    def add_adversarial_summaries(self) -> None:
        """Put them into some of the newest records, so that they are among yesterday's calls."""
        records = self.history.records
        newest_first = reversed(records.values())
        plain = [record for record in newest_first if record.has_file and not (record.is_transfer or record.is_amd)]
        step = max(1, min(3, len(plain) // len(adversarial_summaries.SUMMARIES)))
        for (name, text), record in zip(adversarial_summaries.SUMMARIES.items(), plain[::step], strict=False):
            records[record.id] = replace(record, summary=text, facts=())
            self.history.adversarial_records[name] = record.id
