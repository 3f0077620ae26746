"""Lists and windows: their pages, their order, their ends. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache

from pydantic import TypeAdapter, ValidationError

from liner_mcp.assumptions.evidence import (
    ABSENT,
    Evidence,
    Judged,
    RawPage,
    Step,
    differs,
    fields_of,
    holds,
    ids,
    message_of,
    number,
    outcome,
    page_of,
    refused,
    succeeded,
    untold,
)
from liner_mcp.liner.models import Call, Moment
from liner_mcp.liner.protocol import PAGE_LIMIT

ORDER_ROWS = 3  # two rows are always in some order
YEAR_DAYS = 366

_OFFSET = re.compile(r"(Z|[+-]\d\d:?\d\d)$")


def times(evidence: Evidence) -> Judged:
    page = evidence.page("calls")
    sent = [] if page is None else [text for row in page.rows if isinstance(text := row.get("createdAt"), str)]
    if not sent:
        return untold(evidence.why("calls") if page is None else "no call with a time was seen")
    if all(text.endswith(("Z", "+00:00")) for text in sent):
        return holds("UTC")
    if all(_OFFSET.search(text) for text in sent):
        return holds("with an offset")
    return differs("without a zone", "they are read as UTC")


def call_order(evidence: Evidence) -> Judged:
    page = evidence.page("calls")
    moments = [] if page is None else [moment for row in page.rows if (moment := moment_of(row)) is not None]
    if len(moments) < ORDER_ROWS:
        return untold(evidence.why("calls") if page is None else "too few calls were seen")
    if moments == sorted(moments):
        return holds("oldest first, so far as seen")
    return holds("newest first, so far as seen" if moments == sorted(moments, reverse=True) else "by no time")


def same_order_twice(evidence: Evidence) -> Judged:
    first, again = evidence.page("calls"), evidence.page("calls_over")
    if first is None or again is None:
        return untold(evidence.why("calls" if first is None else "calls_over"))
    rows = min(len(first.rows), len(again.rows))
    if rows < ORDER_ROWS:
        return untold("too few calls were seen")
    if ids(first)[:rows] == ids(again)[:rows]:
        return holds("the same rows in the same order")
    if first.total != again.total:
        return untold("the list changed meanwhile")
    return differs("another order at each request", "long lists are read twice, and may be told as incomplete")


def next_page(evidence: Evidence) -> Judged:
    first, single = evidence.page("calls"), evidence.page("orders_bare")
    page = (
        first if first is not None and _goes_on(first) else single if single is not None and _goes_on(single) else None
    )
    if page is None:
        return untold("no list longer than one page was seen")
    following = number(page.next)
    if following == len(page.rows):
        return holds("offset plus rows")
    if following is None or following <= 0:
        return differs(_next_as(page.next, 0), "only the first page of a long list is read; answers say so")
    return differs("another offset than that of the next row", "rows between pages are missed; answers say so")


def _goes_on(page: RawPage) -> bool:
    return not page.bare and bool(page.rows) and page.total is not None and page.total > len(page.rows)


def last_offset(page: RawPage | None) -> int | None:
    """The offset of the last row of a list that begins with this page; None for a list of fewer than two."""
    if page is None or page.bare:
        return None
    count = len(page.rows) if page.total is None else page.total
    return count - 1 if count >= 2 else None


def last_page(evidence: Evidence) -> Judged:
    page, offset = evidence.page("last_page"), _last_offset_asked(evidence)
    if page is None or offset is None:
        return untold(evidence.why("last_page"))
    found = f"next is {_next_as(page.next, offset)}"
    following = number(page.next)
    if page.total is None and following is not None and following > offset:
        return differs(f"{found}, and there is no total", "every list costs one more request, for an empty page")
    return holds(found)


def _next_as(value: object, offset: int) -> str:
    if value is ABSENT:
        return "absent"
    if value is None:
        return "null"
    following = number(value)
    if following is None:
        return "no number"
    return (
        "zero"
        if following == 0
        else "past the end"
        if following > offset
        else "repeated"
        if following == offset
        else "back"
    )


def _last_offset_asked(evidence: Evidence) -> int | None:
    orders = last_offset(evidence.page("orders"))
    return last_offset(evidence.page("calls")) if orders is None else orders


def total(evidence: Evidence) -> Judged:
    page = evidence.page("last_page")
    if page is None:
        return untold(evidence.why("last_page"))
    if page.total is None:
        return differs("none sent", "pages are asked one after another, and answers lack a total")
    if len(page.rows) == 1:
        return holds("the count of all rows")
    more = "more" if not page.rows else "fewer"
    return differs(
        f"{more} than are listed", "answers say that they are incomplete" if not page.rows else "rows are missed"
    )


def limit(evidence: Evidence) -> Judged:
    first, over = evidence.page("calls"), evidence.answers.get("calls_over")
    if first is None or over is None:
        return untold(evidence.why("calls" if first is None else "calls_over"))
    if first.total is not None and len(first.rows) < min(PAGE_LIMIT, first.total):
        return differs(f"{len(first.rows)} rows where {PAGE_LIMIT} were asked for", "long lists cost more requests")
    if refused(over):
        return holds(f"{PAGE_LIMIT + 1} refused ({outcome(over)})")
    page = page_of(over)
    if page is None:
        return untold(evidence.why("calls_over"))
    if len(page.rows) > PAGE_LIMIT:
        return differs(f"{PAGE_LIMIT + 1} honoured", "long lists cost more requests than they need to")
    if (first.total or 0) <= PAGE_LIMIT:
        return untold(f"{PAGE_LIMIT + 1} is not refused, but there were no more than {PAGE_LIMIT} calls to give")
    return holds(f"{PAGE_LIMIT + 1} clamped to {len(page.rows)}")


def archived_orders(evidence: Evidence) -> Judged:
    every, active = evidence.page("orders"), evidence.page("active_orders")
    if every is None or active is None:
        return untold(evidence.why("orders" if every is None else "active_orders"))
    if every.total is None:
        return untold("the list has no total")
    known = len(active.rows) if active.total is None else active.total
    if every.total > known:
        return holds("more orders are listed than the list of active ones has")
    if every.total < known:
        return differs(
            "fewer orders are listed than are active", "calls of the others are found by naming the order's id"
        )
    return untold("as many orders are listed as are active: none is archived, or archived ones are left out")


def window_start(evidence: Evidence) -> Judged:
    inside = _at_boundary(evidence, "start")
    if isinstance(inside, Judged):
        return inside
    if inside:
        return holds("inside")
    return differs("outside", "calls of the second in which a window begins are missed")


def window_end(evidence: Evidence) -> Judged:
    inside = _at_boundary(evidence, "end")
    return inside if isinstance(inside, Judged) else holds("inside" if inside else "outside")


def _at_boundary(evidence: Evidence, step: Step) -> bool | Judged:
    """Whether the call that was made in that very second is listed."""
    if evidence.boundary_call is None:
        return untold(evidence.no_boundary)
    page = evidence.page(step)
    if page is None:
        return untold(evidence.why(step))
    if evidence.boundary_call in ids(page):
        return True
    return untold("too many calls in one second") if (page.total or 0) > len(page.rows) else False


def long_window(evidence: Evidence) -> Judged:
    answer = evidence.answers.get("long_window")
    if evidence.page("long_window") is not None:
        return holds(f"{YEAR_DAYS} days are accepted")
    if answer is not None and refused(answer) and succeeded(evidence.answers.get("calls")):
        return differs(
            f"{YEAR_DAYS} days are refused ({outcome(answer)}, {message_of(answer)})",
            "questions about so long a time fail; ask for shorter ones",
        )
    return untold(evidence.why("long_window"))


@cache
def _moments() -> TypeAdapter[datetime | None]:
    return TypeAdapter(Moment)


def moment_of(row: dict[str, object]) -> datetime | None:
    """When a row was created, if that can be read."""
    try:
        return _moments().validate_python(row.get("createdAt"))
    except ValidationError:
        return None


def call_fields(evidence: Evidence) -> Judged:
    page = evidence.page("calls")
    if page is None or not page.rows:
        return untold(evidence.why("calls") if page is None else "no call was seen")
    missing = fields_of(Call) - {name for row in page.rows for name in row}
    if not missing:
        return holds(f"all {len(fields_of(Call))} that are read")
    return differs(f"missing: {', '.join(sorted(missing))}", "they stay empty, and filters on them let nothing pass")
