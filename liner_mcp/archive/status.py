"""What an archive holds, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from liner_mcp.archive.connection import Connection
from liner_mcp.archive.database import meta
from liner_mcp.archive.rows import from_microseconds
from liner_mcp.archive.spans import Span, moment, union
from liner_mcp.liner.models import Order
from liner_mcp.timezone import Zone


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """The coverage of an order, in spans, and its calls. `title` is None if no dictionary has the order."""

    order_id: int
    title: str | None
    spans: list[Span]
    oldest_sync: datetime
    calls: int


@dataclass(frozen=True, slots=True)
class Status:
    """`counts`: calls, records, summaries, and what was forgotten, beside every call before `forgotten_before`.
    `oldest_sync`: of all days.
    """

    file: str
    bytes: int
    source: str
    phones: bool
    orders: list[OrderStatus]
    counts: Mapping[str, int]
    oldest_sync: datetime | None
    forgotten_before: datetime | None

    def to_dict(self, zone: Zone) -> dict[str, Any]:
        """For machines; times are in the zone of the answers."""
        return {
            "file": self.file,
            "bytes": self.bytes,
            "source": self.source,
            "phones": self.phones,
            **self.counts,
            "forgotten_before": None if self.forgotten_before is None else zone.isoformat(self.forgotten_before),
            "oldest_sync": None if self.oldest_sync is None else zone.isoformat(self.oldest_sync),
            "orders": [
                {
                    "order_id": one.order_id,
                    "title": one.title,
                    "calls": one.calls,
                    "oldest_sync": zone.isoformat(one.oldest_sync),
                    "spans": [
                        {"since": zone.isoformat(moment(span.since)), "until": zone.isoformat(moment(span.until))}
                        for span in one.spans
                    ],
                }
                for one in self.orders
            ],
            "timezone": zone.name,
        }


COUNTS = {
    "calls": "SELECT count(*) AS n FROM call",
    "records": "SELECT count(*) AS n FROM record",
    "summaries": "SELECT count(*) AS n FROM record WHERE record_summary <> ''",
    "forgotten_calls": "SELECT count(*) AS n FROM forgotten_call",
    "forgotten_leads": "SELECT count(*) AS n FROM forgotten_lead",
}


def status(connection: Connection) -> Status:
    """The state of an open archive, at one moment."""
    with connection.reading():
        about = meta(connection)
        rows = connection.rows("SELECT order_id, since, until, synced_at FROM covered ORDER BY order_id, since")
        calls = {
            row["list_order_id"]: row["n"]
            for row in connection.rows("SELECT list_order_id, count(*) AS n FROM call GROUP BY list_order_id")
        }
        titles = {
            row["id"]: Order.model_validate_json(row["body"]).title
            for row in connection.rows("SELECT id, body FROM entry WHERE kind = 'orders'")
        }
        counts = {name: connection.rows(query)[0]["n"] for name, query in COUNTS.items()}
        before = connection.one("SELECT before FROM forgotten_before")
    orders: list[OrderStatus] = []
    for order_id in sorted({row["order_id"] for row in rows}):
        own = [row for row in rows if row["order_id"] == order_id]
        spans = union(Span(row["since"], row["until"]) for row in own)
        oldest = from_microseconds(min(row["synced_at"] for row in own))
        orders.append(OrderStatus(order_id, titles.get(order_id), spans, oldest, calls.get(order_id, 0)))
    return Status(
        file=connection.place,
        bytes=connection.size(),
        source=about["source"],
        phones=about["phones"] == "1",
        orders=orders,
        counts=counts,
        forgotten_before=None if before is None else from_microseconds(before["before"]),
        oldest_sync=min((one.oldest_sync for one in orders), default=None),
    )
