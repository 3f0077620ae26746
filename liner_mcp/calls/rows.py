"""The rows, names and notes that all answers about calls share."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from liner_mcp.answer.table import Cell, Members, Row, table
from liner_mcp.calls.filters import Filters
from liner_mcp.calls.time_window import TimeWindow
from liner_mcp.context import AppContext
from liner_mcp.input_limits import first_echoed
from liner_mcp.liner.models import Call
from liner_mcp.names.directory import DirectoryNames
from liner_mcp.text.mask import quote_input
from liner_mcp.text.phones.mask_phones import mask_phone

CALL_COLUMNS = ("call_id", "date", "time", "talk_seconds", "agent_id", "order_id", "status", "recorded")
MAX_PHONE_CHARACTERS = 40  # of a phone with its extension and its brackets; a longer text is not a phone
MAX_UNLISTED_IDS = 3  # ids shown of each kind that is not listed: enough to see which argument was meant
MISSING_CALLS_NOTE = "Liner counts more calls in this window than it lists; some may be missing here."


def call_columns(include: Sequence[str]) -> tuple[str, ...]:
    """The columns that every list of calls has, then the requested ones."""
    return (*CALL_COLUMNS, *include)


def call_row(context: AppContext, call: Call, include: Sequence[str]) -> Row:
    """One call in the order of `call_columns`; its phone masked unless the operator shows phones."""
    date, time = context.zone.date_and_time(call.created_at)
    more: dict[str, Cell] = {
        "lead_id": call.lead_id,
        "direction": call.direction,
        "hung_up_by": call.finish_initiator,
        "wait_seconds": call.wait_time_duration_seconds,
        "phone": _phone(context, call.client_phone),
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
) -> Members:
    """The members that every answer about calls has, for the rows that are shown."""
    return {
        "asked": filters.echo(),
        "window": window.to_dict(context.zone),
        "timezone": context.zone.name,
        "names": _legend(names, filters, columns, rows),
        **table(columns, rows),
    }


def _legend(
    names: DirectoryNames, filters: Filters, columns: Sequence[str], rows: Sequence[Row]
) -> dict[str, dict[str, str]]:
    """Names of what occurs in the rows and in `asked`, so that an empty answer names what was requested too."""

    def cells(name: str) -> list[Cell]:
        return [row[columns.index(name)] for row in rows] if name in columns else []

    orders = () if filters.all_orders else first_echoed(filters.orders)
    return {
        "agents": names.legend("agents", [*cells("agent_id"), *first_echoed(filters.agents)]),
        "orders": names.legend("orders", [*cells("order_id"), *orders]),
        "statuses": names.legend("statuses", [*cells("status"), *first_echoed(filters.statuses)]),
    }


async def read_names(context: AppContext, filters: Filters, calls: Iterable[Call] = ()) -> DirectoryNames:
    """The names for an answer about calls. A requested id that neither a dictionary nor one of the `calls` has is
    looked up again, before `unlisted_notes` says that it is in none.
    """
    orders, agents = {call.order_id for call in calls}, {call.user_id for call in calls}
    requested = {
        "orders": [one for one in filters.orders if one not in orders and not filters.all_orders],
        "agents": [one for one in filters.agents if one not in agents],
    }
    return await context.directory.names("agents", "orders", "statuses", requested=requested)


def unlisted_notes(
    names: DirectoryNames, filters: Filters, *, orders: Container[Cell] = (), agents: Container[Cell] = ()
) -> list[str]:
    """Advice about requested ids that are in no dictionary and in no found call (its `orders` and `agents`).

    An agent's id among orders finds nothing, which looks like an order without calls. An archived order may be missing
    from the dictionary too, so this is advice and not a refusal, and there is none where calls were found.
    """
    asked = (("order", () if filters.all_orders else filters.orders, orders), ("agent", filters.agents, agents))
    missing: list[str] = []
    for word, ids, found in asked:
        unlisted = [str(one) for one in names.unlisted(f"{word}s", ids) if one not in found]
        if unlisted:
            more = f" and {len(unlisted) - MAX_UNLISTED_IDS} more" if len(unlisted) > MAX_UNLISTED_IDS else ""
            missing.append(f"no {word} {', '.join(unlisted[:MAX_UNLISTED_IDS])}{more}")
    return [f"list_directory has {' and '.join(missing)}; check that these are ids of that kind."] if missing else []
