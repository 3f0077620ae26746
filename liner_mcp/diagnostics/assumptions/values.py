"""Whether the values in Liner's lists can be read."""

from __future__ import annotations

from liner_mcp.diagnostics.assumptions import requests as sent
from liner_mcp.diagnostics.assumptions.requests import Answers, Request, Undecided
from liner_mcp.errors import InvalidResponse
from liner_mcp.liner.decoding import decode_list, unreadable_fields
from liner_mcp.liner.models import Call, CallRecord, CallStatus, Identified, Order

_LISTS: dict[Request, type[Identified]] = {
    sent.ORDERS: Order,
    sent.CALLS: Call,
    sent.RECORDS: CallRecord,
    sent.STATUSES_SINGULAR: CallStatus,
    sent.STATUSES_PLURAL: CallStatus,
}


def judge_values(answers: Answers) -> str | tuple[str, str]:
    """Which lists and which of their values cannot be read. Raises: Undecided when no list with rows was seen."""
    as_text, odd, rows = set[str](), set[str](), 0
    for request, model in _LISTS.items():
        answer = answers.received.get(request)
        if answer is None or not answer.succeeded:
            continue
        try:
            page = decode_list(answer.data, model)
        except InvalidResponse as error:
            return str(error).removeprefix("Liner's answer could not be read: "), "such lists cannot be read"
        rows += page.rows
        sent_rows = () if answer.page is None else answer.page.rows
        odd |= {f"{name} of a {model.__name__}" for row in sent_rows for name in unreadable_fields(row, model)}
        odd |= {"rows without an id"} if page.unreadable else set()
        numeric = {name for name in fields_of(model) if name == "id" or name.endswith(("Id", "Seconds"))}
        as_text |= {name for row in sent_rows for name in numeric if isinstance(row.get(name), str)}
    if not rows:
        raise Undecided("no list with rows was seen")
    if odd:
        return (
            f"cannot be read: {', '.join(sorted(odd))}",
            "such values are unknown, and rows without an id are missing",
        )
    return f"as text: {', '.join(sorted(as_text))}" if as_text else "numbers are numbers"


def fields_of(model: type[Identified]) -> set[str]:
    """The fields of a model with their names in JSON."""
    return {field.alias or name for name, field in model.model_fields.items()}
