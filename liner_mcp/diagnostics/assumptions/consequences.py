"""What no longer works, or costs more, for each assumption that does not hold. docs/first-hour.md shows this table."""

from __future__ import annotations

NOTHING = "nothing"

CONSEQUENCES: dict[str, str] = {
    "trailing_slash": "nothing if Liner redirects, but each request costs two; without a redirect every answer",
    "clock": "exact results of windows that end now: they are off by the difference of the clocks",
    "rate_headers": "an early slowdown: requests go on until Liner refuses one with HTTP 429",
    "values": "cells with an unreadable value, and counts and filters that need them; rows without an id",
    "dictionary_paths": "names of statuses, filters on them and `qualified`, if neither path exists",
    "archived_orders": "calls of archived orders in questions that name no order",
    "call_fields": "the columns of the missing fields, and filters on them",
    "times": "correct days and hours: all times are read as UTC",
    "call_order": NOTHING,
    "same_order_twice": "some complete answers: long lists are read twice and may stay incomplete",
    "next_page": "long lists after their first page, if Liner sends no total either",
    "last_page": "nothing, but each list costs one more request",
    "total": "`page.total`, and reading several pages at once",
    "limit": "nothing, but long lists cost more requests",
    "window_start": "calls in the first second of a window; if whole hours are off, exact windows near now",
    "window_end": NOTHING,
    "long_window": "questions about periods that are longer than Liner accepts",
    "calls_need_ids": "nothing, but questions about all orders send ids that are not necessary",
    "unknown_id": "the state `not_found`: unknown ids are reported as failed, or as a wrong address",
    "refusals": "the reason of Liner in errors",
    "record_fields": "nothing, but each recording costs one more request",
    "record_detail": "all summaries, if the list of records lacks them too",
    "records_need_call": NOTHING,
    "is_amd": NOTHING,
    "file_link": "recordings (audio)",
}
