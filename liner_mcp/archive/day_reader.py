"""Reading a day of an order from Liner: its calls, their records, and whether all of it came."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from liner_mcp.archive.spans import Span, moment
from liner_mcp.errors import AccessRefused, InvalidResponse, LinerMcpError, NotFound, WrongAddress
from liner_mcp.liner.endpoints import CallFilter
from liner_mcp.liner.models import Call, CallRecord
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.reads import LinerReads
from liner_mcp.liner.record_owners import reject_mixed_calls

SECOND = timedelta(seconds=1)
MISREAD = (
    "Liner did not list exactly the calls of the requested time, so the archive cannot know what a day holds. "
    "Run liner-mcp check --probe, which examines this."
)


class NotWhole(InvalidResponse):
    """A part of a day did not come, so the day is not covered."""


class WindowsMisread(WrongAddress):
    """Liner does not read the times of windows in UTC. No day can be read."""


@dataclass(frozen=True, slots=True)
class DayRead:
    """The calls of a day, and the records of those that are not `unchanged`."""

    calls: Sequence[Call]
    records: dict[int, Sequence[CallRecord]] = field(default_factory=dict[int, Sequence[CallRecord]])
    unchanged: frozenset[int] = frozenset()


def window_of(order_id: int, span: Span) -> CallFilter:
    """The request for the calls of a span. It asks for a second more on each side, whichever ends Liner includes."""
    return CallFilter(moment(span.since) - SECOND, moment(span.until), order_ids=(order_id,))


def calls_in(listing: Listing[Call], order_id: int, requested: Span, span: Span) -> list[Call]:
    """The calls of `span` in a list that was requested for a wider one.

    Raises: NotWhole, WindowsMisread.
    """
    if not listing.complete or listing.unreadable:
        raise NotWhole("Liner's list of its calls did not come whole.")
    if any(call.order_id not in (None, order_id) for call in listing.items):
        raise NotWhole("Liner's list of its calls holds calls of other orders.")
    found: list[Call] = []
    for call in listing.items:
        if call.created_at is None:
            raise NotWhole("A call in Liner's list has no usable time.")
        second = call.created_at.timestamp()
        if not requested.since - 1 <= second < requested.until + 1:
            raise WindowsMisread(MISREAD)
        if span.since <= second < span.until:
            found.append(call)
    return found


async def read_calls(liner: LinerReads, order_id: int, span: Span) -> list[Call]:
    """All calls of a span. Raises: LinerMcpError, NotWhole, WindowsMisread."""
    return calls_in(await liner.calls(window_of(order_id, span)), order_id, span, span)


async def read_records(
    liner: LinerReads, calls: Sequence[Call], unchanged: Collection[int]
) -> dict[int, Sequence[CallRecord]]:
    """The records of the calls that may have some, with their summaries. Raises: LinerMcpError, NotWhole."""
    wanted = [call for call in calls if call.has_records is not False and call.id not in unchanged]
    readers: list[Callable[[], Awaitable[list[CallRecord]]]] = [partial(_records_of, liner, call) for call in wanted]
    try:
        outcomes = await run_all(
            readers,
            concurrency=liner.concurrency,
            stop_when=lambda outcome: isinstance(outcome, LinerMcpError),  # the day is not whole without it
            allow_refusals=True,
        )
    except AccessRefused as error:  # perhaps of these calls only: the next list shows whether it is the token
        raise NotWhole(str(error)) from None
    found: dict[int, Sequence[CallRecord]] = {}
    for call, outcome in zip(wanted, outcomes, strict=True):
        if isinstance(outcome, list):
            found[call.id] = outcome
    if failed := [outcome for outcome in outcomes if isinstance(outcome, LinerMcpError)]:
        raise NotWhole(str(failed[0])) if isinstance(failed[0], AccessRefused) else failed[0]
    if len(found) < len(wanted):
        raise NotWhole("Not all of its recordings could be read.")
    return found


async def _records_of(liner: LinerReads, call: Call) -> list[CallRecord]:
    try:
        listing = await liner.call_records(call.id)
    except NotFound:
        raise NotWhole(f"Liner lists call {call.id} and then says that there is no such call.") from None
    if not listing.complete or listing.unreadable:
        raise NotWhole(f"The list of the recordings of call {call.id} did not come whole.")
    records = [await _with_summary(liner, record) for record in listing.items]
    reject_mixed_calls(records)
    return records


async def _with_summary(liner: LinerReads, record: CallRecord) -> CallRecord:
    """A listed record with the fields of its detail, where the list leaves the summary out."""
    if record.was_sent("record_summary"):
        return record
    detail = await liner.call_record(record.id)
    if not detail.was_sent("record_summary"):
        raise NotWhole(f"Liner does not say whether record {record.id} has a summary.")
    return record.model_copy(update={name: getattr(detail, name) for name in detail.model_fields_set})
