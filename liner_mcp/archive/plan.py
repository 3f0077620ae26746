"""How a list of calls is divided between the archive and Liner."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from liner_mcp.archive import queries
from liner_mcp.archive.connection import Connection
from liner_mcp.archive.database import meta
from liner_mcp.archive.forgotten import forgotten_in
from liner_mcp.archive.rows import from_microseconds
from liner_mcp.archive.search import Expression, has_numbers, wanted_expression
from liner_mcp.archive.spans import Span, intersect, moment, subtract, union
from liner_mcp.liner.endpoints import CallFilter
from liner_mcp.liner.models import Call
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.restricted_client import Access
from liner_mcp.search.matching import compile_query

# Orders of different coverage need a list each. With more of them, one list for all orders with a gap is cheaper.
MAX_LIVE_LISTS = 6


@dataclass(frozen=True, slots=True)
class LivePart:
    """A gap that Liner is asked for. `last` is the second after it: Liner includes it, and the archive has its calls,
    `archived_last` of them. It is None at the end of the window.
    """

    which: CallFilter
    span: Span
    last: Span | None = None
    archived_last: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The archived part of a list, and the gaps. `over`: there are more calls than were wanted; `calls` are then the
    newest of them or none, and `count` is None where they were not counted.
    """

    spans: Mapping[int, Sequence[Span]]
    count: int | None
    calls: Sequence[Call]
    over: bool
    gaps: Sequence[LivePart]
    synced_at: datetime | None
    forgotten: frozenset[int]

    @property
    def archived(self) -> bool:
        """Whether the archive covers a part of it."""
        return any(self.spans.values())


def allowed(which: CallFilter, access: Access) -> CallFilter | None:
    """The same filter without what the caller may not see; None when nothing is left of it."""
    orders, users = which.order_ids, which.user_ids
    if access.orders is not None:
        orders = tuple(one for one in orders if one in access.orders)
    if access.agents is not None:
        users = tuple(one for one in users or sorted(access.agents) if one in access.agents)
        if not users:
            return None
    return replace(which, order_ids=orders, user_ids=users) if orders else None


def wanted_span(which: CallFilter) -> Span:
    """The whole seconds of a window without that of its end, which is requested of Liner only to be left out."""
    return Span(math.floor(which.since.timestamp()), math.ceil(which.until.timestamp()))


def wanted_words(which: CallFilter, *, numbers: bool) -> Expression | None:
    """The words of `mentions` as an expression; None where they exclude no call. `numbers`: the caller may be shown
    phones, which the index has only masked.
    """
    if which.mentions is None:
        return None
    query = compile_query(which.mentions)
    return None if numbers and has_numbers(query) else wanted_expression(query)


def make_plan(connection: Connection, which: CallFilter, access: Access, at_most: int | None) -> Plan:
    """Divide the list of `which`, a filter by orders that `allowed` has passed."""
    whole = wanted_span(which)
    codes = queries.status_codes(connection, which.status_ids) if which.status_ids else None
    # A status that the archive does not know is newer than it.
    known = not which.status_ids or codes is not None
    covered = queries.coverage(connection, which.order_ids, whole) if known else []
    spans = {
        order_id: intersect(whole, [one.span for one in covered if one.order_id == order_id])
        for order_id in which.order_ids
    }
    gaps = _gaps(whole, spans)
    wanted = wanted_words(which, numbers=meta(connection)["phones"] == "1")
    selection = queries.Selection(which, _without(spans, gaps), access, codes, wanted)
    count, found = _read(connection, selection, at_most)
    used = [one.synced_at for one in covered]
    return Plan(
        selection.spans,
        count,
        found,
        at_most is not None and (len(found) if count is None else count) > at_most,
        [_live_part(connection, selection, span, order_ids, whole) for span, order_ids in gaps.items()],
        from_microseconds(min(used)) if used else None,
        frozenset(forgotten_in(connection, access, which.order_ids, which.user_ids, whole)),
    )


def _read(
    connection: Connection, selection: queries.Selection, at_most: int | None
) -> tuple[int | None, Sequence[Call]]:
    """How many calls are meant, and the calls unless they are more than was wanted."""
    if at_most is None:
        found = queries.calls(connection, selection)
        return len(found), found
    if selection.which.hinted:
        # Counting what is rare or what words mention reads all of it, and nothing shows the count.
        found = queries.calls(connection, selection, at_most + 1)
        return None if len(found) > at_most else len(found), found
    count = queries.count_calls(connection, selection)
    return count, () if count > at_most else queries.calls(connection, selection)


def _gaps(whole: Span, spans: Mapping[int, Sequence[Span]]) -> dict[Span, list[int]]:
    """What is not covered, and the orders to ask for there."""
    found: dict[Span, list[int]] = {}
    for order_id, covered in spans.items():
        for gap in subtract(whole, covered):
            found.setdefault(gap, []).append(order_id)
    if len(found) <= MAX_LIVE_LISTS:
        return dict(sorted(found.items(), reverse=True))
    joined = union(found)
    if len(joined) > MAX_LIVE_LISTS:
        joined = [Span(joined[0].since, joined[-1].until)]
    return {
        span: [one for one, covered in spans.items() if intersect(span, subtract(whole, covered))]
        for span in reversed(joined)
    }


def _without(spans: Mapping[int, Sequence[Span]], gaps: Mapping[Span, Sequence[int]]) -> dict[int, list[Span]]:
    """The covered spans without what is read from Liner anyway."""
    return {
        order_id: [
            part
            for span in covered
            for part in subtract(span, [gap for gap, order_ids in gaps.items() if order_id in order_ids])
        ]
        for order_id, covered in spans.items()
    }


def _live_part(
    connection: Connection, selection: queries.Selection, span: Span, order_ids: Sequence[int], whole: Span
) -> LivePart:
    which = replace(selection.which, order_ids=tuple(order_ids))
    if span.since > whole.since:
        which = replace(which, since=moment(span.since))
    if span.until == whole.until:
        return LivePart(which, span)
    last = Span(span.until, span.until + 1)
    in_last = {
        order_id: intersect(last, selection.spans[order_id]) for order_id in order_ids if order_id in selection.spans
    }
    unhinted = replace(which, transferred=None, has_summary=None)
    archived_last = queries.count_calls(connection, replace(selection, which=unhinted, spans=in_last, wanted=None))
    return LivePart(replace(which, until=moment(span.until)), span, last, archived_last)


def is_over(listing: Listing[Call], at_most: int | None) -> bool:
    """Whether a read ended because Liner has more than was wanted, or than could be read in time."""
    if at_most is None:
        return False
    return (listing.total or 0) > at_most or (not listing.finished and bool(listing.items))


def at_seam(part: LivePart, listing: Listing[Call]) -> tuple[Listing[Call], bool]:
    """A list without the calls of the second after the gap, and whether it has calls of other times."""
    if part.last is None:
        end = part.span.until + 1
        return listing, _strays(part, listing.items, end)
    end = part.last.until
    kept = tuple(
        call for call in listing.items if call.created_at is None or call.created_at.timestamp() < part.span.until
    )
    left_out = len(listing.items) - len(kept)
    strays = _strays(part, listing.items, end)
    if listing.total is not None:
        left_out = left_out if listing.finished else part.archived_last
        listing = replace(listing, total=max(listing.total - left_out, 0))
    return replace(listing, items=kept), strays


def _strays(part: LivePart, calls: Sequence[Call], end: int) -> bool:
    moments = (call.created_at.timestamp() for call in calls if call.created_at is not None)
    return any(not part.span.since <= one < end for one in moments)
