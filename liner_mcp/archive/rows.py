"""Calls and records as rows of an archive, and back. Pure.

A row is equal to what Liner sent, with two exceptions: the link to a recording's file is never stored, only whether
there was one; and texts are masked, unless the archive may hold phones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from liner_mcp.liner.models import NO_LINK, Call, CallRecord, LinerModel
from liner_mcp.liner.record_owners import of_other_leads
from liner_mcp.text.clean import is_cut

# The order is that of the bits of `sent` and of the columns: it changes with the version of the schema only.
CALL_FIELDS = (
    "user_id",
    "order_id",
    "lead_id",
    "status_code",
    "direction",
    "finish_initiator",
    "talk_time_duration_seconds",
    "wait_time_duration_seconds",
    "client_phone",
    "has_records",
    "created_at",
)
RECORD_FIELDS = (
    "user_id",
    "lead_id",
    "is_transfer",
    "duration_seconds",
    "file_url",
    "record_summary",
    "created_at",
)
M = TypeVar("M", Call, CallRecord)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FLAGS = frozenset({"has_records", "is_transfer"})


def to_microseconds(moment: datetime | None) -> int | None:
    """A moment as the archive stores it."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """And back."""
    return _EPOCH + timedelta(microseconds=value)


def sent_mask(entity: LinerModel, fields: Sequence[str]) -> int:
    """The fields that Liner sent, as bits."""
    return sum(1 << bit for bit, name in enumerate(fields) if entity.was_sent(name))


def call_values(call: Call) -> dict[str, Any]:
    """The columns of a call, without `odd`. Its phone is not masked yet."""
    values = {name: getattr(call, name) for name in CALL_FIELDS}
    return {
        **values,
        "id": call.id,
        "created_at": to_microseconds(call.created_at),
        "has_records": _flag(call.has_records),
        "sent": sent_mask(call, CALL_FIELDS),
    }


def record_values(record: CallRecord) -> dict[str, Any]:
    """The columns of a record, without `key`, `call_id` and `position`. Its summary is not masked yet."""
    values = {name: getattr(record, name) for name in RECORD_FIELDS if name != "file_url"}
    return {
        **values,
        "id": record.id,
        "created_at": to_microseconds(record.created_at),
        "is_transfer": _flag(record.is_transfer),
        "has_file": int(bool(record.file_url)),
        "has_summary": int(bool((record.record_summary or "").strip())) if record.was_sent("record_summary") else None,
        "sent": sent_mask(record, RECORD_FIELDS),
    }


def _flag(value: bool | None) -> int | None:
    return None if value is None else int(value)


def call_of(row: Mapping[str, Any]) -> Call:
    """The call of a row with all columns."""
    values = {name: row[name] for name in CALL_FIELDS}
    return _build(Call, row["id"], values, row["sent"], CALL_FIELDS)


def record_of(row: Mapping[str, Any]) -> CallRecord:
    """The record of a row with all columns. `file_url` is `NO_LINK` where there was a link."""
    values = {name: row[name] for name in RECORD_FIELDS if name != "file_url"}
    values["file_url"] = NO_LINK if row["has_file"] else None
    return _build(CallRecord, row["id"], values, row["sent"], RECORD_FIELDS)


def _build(model: type[M], entity_id: int, values: dict[str, Any], sent: int, fields: Sequence[str]) -> M:
    created = values["created_at"]
    values["created_at"] = None if created is None else from_microseconds(created)
    for name in _FLAGS & values.keys():
        values[name] = None if values[name] is None else bool(values[name])
    names = {name for bit, name in enumerate(fields) if sent >> bit & 1}
    return model.model_construct({"id", *names}, id=entity_id, **values)


def is_odd(call: Call, records: Sequence[CallRecord]) -> bool:
    """Whether something about a call is unknown that a question may need, so that it is counted row by row."""
    if not all(call.is_known(name) for name in CALL_FIELDS):
        return True
    if bool(call.has_records) != bool(records):
        return True
    if not all(record.is_transfer for record in of_other_leads(records, call.lead_id)):
        return True
    needed = ("is_transfer", "duration_seconds", "created_at")
    return any(
        not record.was_sent("record_summary")
        or is_cut((record.record_summary or "").strip())  # the part that is not shown is not searched
        or any(getattr(record, name) is None for name in needed)
        for record in records
    )
