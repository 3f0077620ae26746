"""Evidence that a listed record belongs to another call. A record does not name its call. Pure.

A record belongs to one call, and a call has one lead. Where Liner ignores the id of the call, or lists the records of
the whole lead, the records show it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from liner_mcp.errors import InvalidResponse
from liner_mcp.liner.models import CallRecord


class RecordOwners:
    """The records that were listed in one question, each with the call for which it was listed first.

    `shared`: the calls with a record that was listed for another call too. It is not known whose record that is.
    """

    def __init__(self) -> None:
        self.shared: set[int] = set()
        self._owners: dict[int, int] = {}

    def add(self, call_id: int, records: Iterable[CallRecord]) -> None:
        for record in records:
            owner = self._owners.setdefault(record.id, call_id)
            if owner != call_id:
                self.shared |= {owner, call_id}


def of_other_leads(records: Sequence[CallRecord], lead_id: int | None) -> list[CallRecord]:
    """The records that name another lead than their call's, or where that is unknown, than the record of the talk."""
    talk = next((record.lead_id for record in records if record.lead_id and not record.is_transfer), None)
    return [record for record in records if record.lead_id not in (None, lead_id or talk or record.lead_id)]


def reject_mixed_calls(records: Sequence[CallRecord]) -> None:
    """Raise InvalidResponse for records of several leads. The record of a transfer may honestly have another lead."""
    if len({record.lead_id for record in records if not record.is_transfer} - {None}) > 1:
        raise mixed_calls_error()


def mixed_calls_error() -> InvalidResponse:
    """The error for a list that holds a record of another call."""
    return InvalidResponse(
        "Liner's answer could not be read: it lists recordings of other calls too, as if no call had been asked for."
    )
