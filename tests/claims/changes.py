"""The dataset of the questions, and what may happen to it.

Summaries are plain words, so that a text can be compared letter by letter: nothing in them is masked.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from liner_mcp.demo import Dataset
from tests.conftest import NOW

DAYS, CALLS = 8, 400
BUSY_RECORDS = 130
"""Of one call: two pages of Liner."""
NEW_ORDER_ID = 207
_WORDS = ("балкон", "вид", "гараж", "двор", "этаж", "лифт", "окно", "парк", "рынок", "сад")


def claims_dataset() -> Dataset:
    """Eight days of calls; some at the same second, some exactly at midnight, and one with many records."""
    dataset = Dataset.generate(now=NOW, days=DAYS, calls=CALLS)
    midnight = NOW.replace(hour=21, minute=0) - timedelta(days=3)
    for moment in (midnight, midnight, midnight + timedelta(seconds=1), midnight - timedelta(seconds=1)):
        for order in dataset.orders[:2]:
            dataset.add_call(order=order, created_at=moment, status_code="call_back")
    busy = dataset.add_call(order=dataset.orders[1], created_at=NOW - timedelta(days=2, hours=4))
    for number in range(BUSY_RECORDS):
        dataset.add_record(busy.id, created_at=busy.created_at + timedelta(minutes=number), is_transfer=number == 99)
    for call in list(dataset.calls.values()):
        if call.has_records and not dataset.records_of(call.id):
            dataset.add_record(call.id)
    for number, record in enumerate(list(dataset.records.values())):
        text = None if number % 5 == 2 else plain_summary(record.id)
        dataset.records[record.id] = replace(record, summary=text)
    return dataset


def plain_summary(record_id: int) -> str:
    """A text of its own for each record."""
    named = " ".join(_WORDS[int(digit)] for digit in str(record_id))
    return f"Клиент просит показать {named}. " + "Разговор идёт о покупке квартиры. " * (record_id % 9)


def add_order(dataset: Dataset) -> None:
    """An order that no list had before, with calls of today."""
    order = replace(dataset.orders[0], id=NEW_ORDER_ID, code="new-town", title="New Town", service_title="New Town")
    cast("Any", dataset).orders = (*dataset.orders, order)  # its type is that of the six orders
    for number in range(5):
        moment = NOW - timedelta(hours=1, minutes=number)
        call = dataset.add_call(order=order, created_at=moment)
        dataset.add_record(call.id, summary=plain_summary(call.id))


def add_late_calls(dataset: Dataset) -> None:
    """Calls that Liner lists late, of every order: they are older than the newest ones."""
    for order in dataset.orders:
        for hours in (2, 30, 60):
            dataset.add_call(order=order, created_at=NOW - timedelta(hours=hours, minutes=7))


def add_calls_before_leads(dataset: Dataset) -> None:
    """Incoming calls whose lead was created two seconds later."""
    young = [lead for lead in dataset.leads.values() if lead.created_at > NOW - timedelta(days=7)]
    for lead in young:
        moment = lead.created_at - timedelta(seconds=2)
        dataset.add_call(order=lead.order_id, lead=lead, created_at=moment, direction="incoming")


def move_transfer_records(dataset: Dataset) -> None:
    """The records of handovers belong to a lead of their own."""
    leads = sorted(dataset.leads)
    for record in list(dataset.records.values()):
        if record.is_transfer:
            other = leads[record.id % len(leads)]
            dataset.records[record.id] = replace(record, lead_id=other)
