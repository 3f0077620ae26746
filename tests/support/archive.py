"""Fills an archive from a dataset of the fake Liner directly, without a sync and without a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any, TypeVar

from liner_mcp.archive.connection import Location
from liner_mcp.archive.database import create, open_connection
from liner_mcp.archive.spans import Span
from liner_mcp.archive.writer import Writer
from liner_mcp.demo import Dataset, serialization
from liner_mcp.demo.index import shuffled
from liner_mcp.liner.decoding import decode_one
from liner_mcp.liner.models import AgentGroup, Call, CallRecord, CallStatus, LeadStatus, Order, User
from tests.conftest import NOW

SOURCE = "http://127.0.0.1"
"""The origin of the account in `tests/support/account.py`."""

L = TypeVar("L", bound=Location)

DAY = 86_400
LAST_MIDNIGHT = int(NOW.timestamp()) // DAY * DAY
FIRST_MIDNIGHT = LAST_MIDNIGHT - 41 * DAY  # the generated calls are of forty days
EVERYTHING = Span(FIRST_MIDNIGHT, LAST_MIDNIGHT + DAY)
"""All generated calls, the day that is not over included."""


def fill(
    path: L,
    dataset: Dataset,
    spans: Mapping[int, Sequence[Span]] | None = None,
    *,
    source: str = SOURCE,
    synced_at: datetime = NOW,
    phones: bool = False,
    dictionaries: bool = True,
) -> L:
    """Create an archive at `path` that covers `spans` of each order: by default, everything. Returns the path."""
    every = {order.id: [EVERYTHING] for order in dataset.orders}
    with closing(create(path, source=source, phones=phones)) as connection:
        writer = Writer(connection, phones=phones)
        for order_id, covered in (every if spans is None else spans).items():
            for span in covered:
                write_span(writer, dataset, order_id, span, synced_at=synced_at)
        if dictionaries:
            write_dictionaries(writer, dataset, synced_at=synced_at)
    return path


def add_span(path: Location, dataset: Dataset, order_id: int, span: Span, *, source: str = SOURCE) -> None:
    """Write one more span into an existing archive."""
    with closing(open_connection(path, source=source, writable=True)) as connection:
        write_span(Writer(connection, phones=False), dataset, order_id, span, synced_at=NOW)


def write_span(writer: Writer, dataset: Dataset, order_id: int, span: Span, *, synced_at: datetime) -> None:
    """Write what the dataset has of an order in a span."""
    found = [one for one in dataset.calls_of_order(order_id) if span.since <= one.created_at.timestamp() < span.until]
    calls = [decode_one(serialization.call(one), Call) for one in shuffled(found)]
    records = {one.id: records_of(dataset, one.id) for one in found}
    writer.replace_span(order_id, span, calls, records, synced_at=synced_at, settled=True)


def records_of(dataset: Dataset, call_id: int) -> list[CallRecord]:
    """The records of a call as the client gives them, in Liner's order."""
    rows = (serialization.record(one, SOURCE) for one in shuffled(dataset.records_of(call_id)))
    return [decode_one(row, CallRecord) for row in rows]


def write_dictionaries(writer: Writer, dataset: Dataset, *, synced_at: datetime) -> None:
    """Write all five dictionaries. A kind is the name of the method of `LinerReads` that reads it."""
    every: dict[str, tuple[Any, Any, Any]] = {
        "orders": (dataset.orders, serialization.order, Order),
        "users": (dataset.users, serialization.user, User),
        "agent_groups": (dataset.agent_groups, serialization.agent_group, AgentGroup),
        "call_statuses": (dataset.call_statuses, serialization.call_status, CallStatus),
        "lead_statuses": (dataset.lead_statuses, serialization.lead_status, LeadStatus),
    }
    for kind, (entries, to_json, model) in every.items():
        decoded = [decode_one(to_json(one), model) for one in shuffled(entries)]
        writer.write_dictionary(kind, decoded, synced_at=synced_at, complete=True)
