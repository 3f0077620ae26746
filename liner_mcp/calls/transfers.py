"""Whether calls were transferred: only their records tell, at one request per recorded call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from liner_mcp.calls.filters import Filters
from liner_mcp.context import Desk
from liner_mcp.errors import DeadlinePassed, LinerMcpError, UnreadableAnswer
from liner_mcp.liner.endpoints import OTHER_CALLS
from liner_mcp.liner.models import Call, CallRecord
from liner_mcp.liner.pagination import Listing


def is_transferred(listing: Listing[CallRecord]) -> bool:
    """Whether one of a call's records is the record of a transfer."""
    return any(record.is_transfer for record in listing.items)


def refuse_shared(outcomes: Iterable[Listing[CallRecord] | LinerMcpError | None]) -> None:
    """One record belongs to one call: listed for two, Liner did not heed which call it was asked about.

    Raises: UnreadableAnswer.
    """
    seen: set[int] = set()
    for outcome in outcomes:
        ids = {record.id for record in outcome.items} if isinstance(outcome, Listing) else set[int]()
        if ids & seen:
            raise UnreadableAnswer(f"Liner's answer could not be read: {OTHER_CALLS}.")
        seen |= ids


async def passing(desk: Desk, filters: Filters, calls: Sequence[Call]) -> list[Call]:
    """Those of the calls that pass all filters, `transferred` included.

    Raises: what the Liner client raises when the records of one of them cannot be read; DeadlinePassed.
    """
    meant = [call for call in calls if filters.passes(call)]
    if filters.transferred is None:
        return meant
    recorded = [call for call in meant if call.has_records is not False]  # unknown: only the records can tell
    transferred: set[int] = set()
    outcomes = await desk.liner.each([partial(desk.liner.call_records, call.id) for call in recorded])
    refuse_shared(outcomes)
    for call, outcome in zip(recorded, outcomes, strict=True):
        if isinstance(outcome, LinerMcpError):
            raise outcome
        if outcome is None:
            raise DeadlinePassed("Time was up before all records were read; ask for a shorter window.")
        if is_transferred(outcome):
            transferred.add(call.id)
    return [call for call in meant if (call.id in transferred) is filters.transferred]
