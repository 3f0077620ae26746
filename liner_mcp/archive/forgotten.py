"""What was forgotten: which calls and records no answer may show, wherever they come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from liner_mcp.archive.connection import Connection, Row
from liner_mcp.archive.rows import from_microseconds
from liner_mcp.liner.models import Call, CallRecord
from liner_mcp.liner.restricted_client import MAX_CLOCK_SKEW, Access

IDS_PER_QUERY = 500
_SOME = (
    "SELECT 1 FROM forgotten_call UNION ALL SELECT 1 FROM forgotten_record"
    " UNION ALL SELECT 1 FROM forgotten_lead UNION ALL SELECT 1 FROM forgotten_before LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The forgotten calls and records among some ids, and the rules for calls that have no id there yet.

    `calls`: by id, whether the caller could see the call. `leads`: of some leads, the moment before which their calls
    are forgotten; `some_leads`: there are such leads. `before`: every call before it is forgotten.
    """

    calls: dict[int, bool] = field(default_factory=dict[int, bool])
    records: frozenset[int] = frozenset()
    leads: dict[int, datetime] = field(default_factory=dict[int, datetime])
    some_leads: bool = False
    before: datetime | None = None

    def has_call(self, call: Call) -> bool:
        """Whether a call is forgotten."""
        return call.id in self.calls or self._is_before(call.lead_id, call.created_at)

    def may_have_record(self, record: CallRecord) -> bool:
        """Whether a record may be of a forgotten call. A call begins before its record is made: at most by the length
        of the record and a small clock difference.
        """
        length = timedelta(seconds=record.duration_seconds or 0) + MAX_CLOCK_SKEW
        begun = None if record.created_at is None else record.created_at - length
        unknown_lead = self.some_leads and not record.was_sent("lead_id")
        return unknown_lead or record.id in self.records or self._is_before(record.lead_id, begun)

    def has_lead_of(self, call: Call, records: Iterable[CallRecord]) -> bool:
        """Whether a forgotten lead was recorded in a call of that time, whichever lead the call names."""
        return any(self._is_before(record.lead_id, call.created_at) for record in records)

    def _is_before(self, lead_id: int | None, created: datetime | None) -> bool:
        rules = [self.before, None if lead_id is None else self.leads.get(lead_id)]
        # What has no time may be of any time.
        return any(created is None or created < rule for rule in rules if rule is not None)


NOTHING = Forgotten()


def forgotten(
    connection: Connection,
    access: Access,
    *,
    calls: Iterable[int] = (),
    records: Iterable[int] = (),
    leads: Iterable[int | None] = (),
) -> Forgotten:
    """What is forgotten of these ids."""
    if connection.one(_SOME) is None:
        return NOTHING
    found = {
        row["id"]: _visible(access, row["order_id"], row["user_id"])
        for row in _with_ids(connection, "forgotten_call", calls)
    }
    known = [row["id"] for row in _with_ids(connection, "forgotten_record", records)]
    moments = {
        row["id"]: from_microseconds(row["before"])
        for row in _with_ids(connection, "forgotten_lead", set(leads) - {None})
    }
    some_leads = connection.one("SELECT 1 FROM forgotten_lead LIMIT 1") is not None
    row = connection.one("SELECT before FROM forgotten_before")
    before = None if row is None else from_microseconds(row["before"])
    return Forgotten(found, frozenset(known), moments, some_leads, before)


def _with_ids(connection: Connection, table: str, ids: Iterable[int | None]) -> Iterator[Row]:
    """The rows of a table with these ids, some hundreds at a time."""
    rest = iter(ids)
    while some := list(islice(rest, IDS_PER_QUERY)):
        yield from connection.rows(f"SELECT * FROM {table} WHERE id IN ({', '.join('?' * len(some))})", some)


def forgotten_in(
    connection: Connection,
    access: Access,
    order_ids: Sequence[int],
    user_ids: Sequence[int | None],
    span: tuple[int, int],
) -> set[int]:
    """The ids of the forgotten calls of a span of seconds that a caller may see: of some orders, and of some agents
    or all.
    """
    rows = connection.rows(
        "SELECT * FROM forgotten_call WHERE created_at >= ? AND created_at < ?",
        (span[0] * 1_000_000, span[1] * 1_000_000),
    )
    orders, users = set(order_ids), set(user_ids)
    return {
        row["id"]
        for row in rows
        if row["order_id"] in orders
        and (not users or row["user_id"] in users)
        and _visible(access, row["order_id"], row["user_id"])
    }


def _visible(access: Access, order_id: int | None, user_id: int | None) -> bool:
    return access.allows_order(order_id) and access.allows_agent(user_id)
