"""The rows, names and notes that all answers about calls share."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from pydantic.alias_generators import to_camel

from liner_mcp.answer.table import Cell, Members, Row, table
from liner_mcp.calls.filters import Filters
from liner_mcp.calls.parallel_reader import ParallelRead
from liner_mcp.calls.time_window import TimeWindow
from liner_mcp.calls.window_reader import FILTER_IGNORED_NOTE
from liner_mcp.context import AppContext
from liner_mcp.input_limits import first_echoed
from liner_mcp.liner.models import Call
from liner_mcp.names.directory import DirectoryNames
from liner_mcp.provenance import provenance
from liner_mcp.text.mask import quote_input
from liner_mcp.text.phones.mask_phones import mask_phone

CALL_COLUMNS = ("call_id", "date", "time", "talk_seconds", "agent_id", "order_id", "status", "recorded")
FIELD_OF_COLUMN: Mapping[str, str] = {
    "date": "created_at",
    "talk_seconds": "talk_time_duration_seconds",
    "agent_id": "user_id",
    "order_id": "order_id",
    "status": "status_code",
    "recorded": "has_records",
    "lead_id": "lead_id",
    "direction": "direction",
    "hung_up_by": "finish_initiator",
    "wait_seconds": "wait_time_duration_seconds",
    "phone": "client_phone",
}
MAX_PHONE_CHARACTERS = 40  # of a phone with its extension and its brackets; a longer text is not a phone
MAX_UNLISTED_IDS = 3  # ids shown of each kind that is not listed: enough to see which argument was meant
MISSING_CALLS_NOTE = "Liner counts more calls in this window than it lists; some may be missing here."
MAX_NAMED_CALLS = 3  # ids that a note names


def call_row(context: AppContext, call: Call, include: Sequence[str], records: int | None = None) -> Row:
    """One call in the order of `CALL_COLUMNS` and `include`; its phone masked unless the operator shows phones.
    `records`: the number of its recordings, where that is included.
    """
    date, time = context.zone.date_and_time(call.created_at)
    more: dict[str, Cell] = {
        "lead_id": call.lead_id,
        "direction": call.direction,
        "hung_up_by": call.finish_initiator,
        "wait_seconds": call.wait_time_duration_seconds,
        "phone": _phone(context, call.client_phone),
        "records": records,
    }
    recorded = None if call.has_records is None else int(call.has_records)
    talk, status = call.talk_time_duration_seconds, call.status_code
    return (call.id, date, time, talk, call.user_id, call.order_id, status, recorded, *(more[name] for name in include))


def _phone(context: AppContext, value: str | None) -> str | None:
    # The field may hold any text, so it is quoted even where phones are shown.
    return (
        quote_input(value, MAX_PHONE_CHARACTERS, show_phones=True)
        if context.show_phones and value
        else mask_phone(value)
    )


def call_members(
    context: AppContext,
    names: DirectoryNames,
    filters: Filters,
    window: TimeWindow,
    columns: Sequence[str],
    rows: Sequence[Row],
    *,
    agents_known: bool,
    optional_columns: frozenset[str] = frozenset(),
) -> Members:
    """The members that every answer about calls has, for the rows that are shown. Unless `agents_known`, null in place
    of an agent is not said to mean "no agent".
    """
    legend = _legend(names, filters, columns, rows)
    if not agents_known:
        legend["agents"].pop("null", None)
    return {
        "asked": filters.echo(),
        "window": window.to_dict(context.zone),
        "timezone": context.zone.name,
        "names": legend,
        **table(columns, rows, optional_columns),
    }


def _legend(
    names: DirectoryNames, filters: Filters, columns: Sequence[str], rows: Sequence[Row]
) -> dict[str, dict[str, str]]:
    """Names of what occurs in the rows and in `asked`, so that an empty answer names what was requested too."""

    def cells(name: str) -> list[Cell]:
        return [row[columns.index(name)] for row in rows] if name in columns else []

    orders = () if filters.all_orders else first_echoed(filters.orders)
    return {
        "agents": names.legend("agents", [*cells("agent_id"), *first_echoed(filters.agent_ids)]),
        "orders": names.legend("orders", [*cells("order_id"), *orders]),
        "statuses": names.legend("statuses", [*cells("status"), *first_echoed(filters.statuses)]),
    }


async def read_names(context: AppContext, filters: Filters, calls: Sequence[Call] = ()) -> DirectoryNames:
    """The names for an answer about calls. A requested id that neither a dictionary nor one of the `calls` has is
    looked up again, before `unlisted_notes` says that it is in none.
    """
    orders, agents = {call.order_id for call in calls}, {call.user_id for call in calls}
    requested = {
        "orders": [one for one in filters.orders if one not in orders and not filters.all_orders],
        "agents": [one for one in filters.agent_ids if one not in agents],
    }
    return await context.directory.names("agents", "orders", "statuses", requested=requested)


def reading_notes(
    context: AppContext, read: ParallelRead[Any], gaps: Sequence[str], missing: str = MISSING_CALLS_NOTE
) -> list[str]:
    """What is wrong with the lists of calls that were read. `missing`: the note where they are not complete."""
    incomplete = "" if read.complete else _missing_calls_note(context, read.unreadable, missing)
    notes = [read.window_note or incomplete, *gaps]
    if read.filter_ignored and FILTER_IGNORED_NOTE not in notes:
        notes.append(FILTER_IGNORED_NOTE)
    return notes


def _missing_calls_note(context: AppContext, unreadable: int, otherwise: str) -> str:
    source = provenance()
    if source.unread and source.failure is not None:
        why = context.stop_reason(source.failure)
        return f"{source.unread_spans()} could not be read from Liner and is not archived: {why} Its calls are missing."
    if not unreadable:
        return otherwise
    rows = f"{unreadable} rows" if unreadable > 1 else "1 row"
    return (
        f"{rows} of Liner's list of calls could not be read, as an id was missing or unusable; such calls are missing "
        "here."
    )


def unknown_cells_note(calls: Iterable[Call], columns: Sequence[str]) -> str:
    """Which cells of these calls are null because Liner did not send them; empty when it sent all."""
    shown = [field for column, field in FIELD_OF_COLUMN.items() if column in columns]
    unknown: dict[str, None] = {}
    ids: list[int] = []
    for call in calls:
        fields = [field for field in shown if not call.is_known(field)]
        ids += [call.id] if fields else []
        unknown |= dict.fromkeys(fields)
    if not unknown:
        return ""
    fields = sent_fields(unknown)
    return f"Liner sends no {fields} for {counted_calls(len(ids), ids)}; null there is unknown, not 0 or none."


def counted_calls(count: int, ids: Iterable[int]) -> str:
    """How many of the calls of an answer, for a note, and the first of their ids."""
    named = [str(one) for one in islice(ids, MAX_NAMED_CALLS)]
    more = ", …" if count > len(named) else ""
    return f"{count} of these calls ({', '.join(named)}{more})"


def sent_fields(fields: Iterable[str]) -> str:
    """The names that Liner gives to fields that it does not send, or whose values cannot be used."""
    return f"{' or no '.join(map(to_camel, fields))} that can be read"


def unlisted_notes(
    names: DirectoryNames, filters: Filters, *, orders: Container[Cell] = (), agents: Container[Cell] = ()
) -> list[str]:
    """Advice about requested ids that are in no dictionary and in no found call (its `orders` and `agents`).

    An agent's id among orders finds nothing, which looks like an order without calls. An archived order may be missing
    from the dictionary too, so this is advice and not a refusal, and there is none where calls were found.
    """
    asked = (("order", () if filters.all_orders else filters.orders, orders), ("agent", filters.agent_ids, agents))
    missing: list[str] = []
    for word, ids, found in asked:
        unlisted = [str(one) for one in names.unlisted(f"{word}s", ids) if one not in found]
        if unlisted:
            more = f" and {len(unlisted) - MAX_UNLISTED_IDS} more" if len(unlisted) > MAX_UNLISTED_IDS else ""
            missing.append(f"no {word} {', '.join(unlisted[:MAX_UNLISTED_IDS])}{more}")
    return [f"list_directory has {' and '.join(missing)}; check that these are ids of that kind."] if missing else []
