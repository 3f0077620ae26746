"""Whether calls were transferred: only their records say it, at one request per recorded call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from liner_mcp.calls.filters import Filters
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded, InvalidResponse, LinerMcpError
from liner_mcp.liner.decoding import MIXED_CALLS_REASON
from liner_mcp.liner.models import Call, CallRecord
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.parallel import run_all


def is_transferred(listing: Listing[CallRecord]) -> bool:
    """Whether one of a call's records is the record of a transfer."""
    return any(record.is_transfer for record in listing.items)


def reject_shared_records(outcomes: Iterable[Listing[CallRecord] | LinerMcpError | None]) -> None:
    """One record belongs to one call: listed for two, Liner ignored which call it was asked about.

    Raises: InvalidResponse.
    """
    seen: set[int] = set()
    for outcome in outcomes:
        ids = {record.id for record in outcome.items} if isinstance(outcome, Listing) else set[int]()
        if ids & seen:
            raise InvalidResponse(f"Liner's answer could not be read: {MIXED_CALLS_REASON}.")
        seen |= ids


async def matching_calls(context: AppContext, filters: Filters, calls: Sequence[Call]) -> list[Call]:
    """Those of the calls that pass all filters, `transferred` included.

    Raises: what the Liner client raises when the records of one of them cannot be read; DeadlineExceeded.
    """
    matching = [call for call in calls if filters.matches(call)]
    if filters.transferred is None:
        return matching
    recorded = [call for call in matching if call.has_records is not False]  # unknown: only the records can tell
    transferred: set[int] = set()
    readers = [partial(context.liner.call_records, call.id) for call in recorded]
    outcomes = await run_all(readers, concurrency=context.liner.concurrency)
    reject_shared_records(outcomes)
    for call, outcome in zip(recorded, outcomes, strict=True):
        if isinstance(outcome, LinerMcpError):
            raise outcome
        if outcome is None:
            raise DeadlineExceeded("Time was up before all records were read; ask for a shorter window.")
        if is_transferred(outcome):
            transferred.add(call.id)
    return [call for call in matching if (call.id in transferred) is filters.transferred]
