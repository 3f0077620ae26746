"""What the code takes for granted where Liner's documentation is silent.

One entry per assumption that a probe can test; docs/assumptions.md explains each of them, and those that none can test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from liner_mcp.assumptions import lists, recordings, way
from liner_mcp.assumptions.evidence import Evidence, Judged
from liner_mcp.liner.protocol import PAGE_LIMIT


@dataclass(frozen=True, slots=True)
class Assumption:
    """One thing taken for granted: its key, what the code assumes, and who judges the evidence."""

    key: str
    assumed: str
    judge: Callable[[Evidence], Judged]


ASSUMPTIONS: tuple[Assumption, ...] = (
    Assumption("trailing_slash", "a path with a slash at its end answers", way.trailing_slash),
    Assumption("clock", "Liner's clock agrees with ours within a minute", way.clock),
    Assumption("rate_headers", "no limit is told but by HTTP 429 and Retry-After", way.rate_headers),
    Assumption("values", "numbers may come as text, and all values can be read", way.values),
    Assumption("dictionary_paths", "the singular exists", way.dictionary_paths),
    Assumption("archived_orders", "archived orders are listed", lists.archived_orders),
    Assumption("call_fields", "listed calls have every field that is read", lists.call_fields),
    Assumption("times", "they carry their zone", lists.times),
    Assumption("call_order", "none is needed", lists.call_order),
    Assumption("same_order_twice", "a list that does not change keeps its order", lists.same_order_twice),
    Assumption("next_page", "next is the offset of the next row", lists.next_page),
    Assumption("last_page", "any next will do where there is a total", lists.last_page),
    Assumption("total", "the count of all rows", lists.total),
    Assumption("limit", f"{PAGE_LIMIT} rows is the most", lists.limit),
    Assumption("window_start", "inside", lists.window_start),
    Assumption("window_end", "inside or outside", lists.window_end),
    Assumption("long_window", "a window may be of any length", lists.long_window),
    Assumption("calls_need_ids", "calls are not listed without order or lead ids", way.calls_need_ids),
    Assumption("unknown_id", "HTTP 404", way.unknown_id),
    Assumption("refusals", "JSON with a message", way.refusals),
    Assumption("record_fields", "listed records have all eight, the summary among them", recordings.record_fields),
    Assumption("record_detail", "a record's detail has all eight", recordings.record_detail),
    Assumption("records_need_call", "either: a call is always named", recordings.records_need_call),
    Assumption("is_amd", "honoured or not: it is never sent", recordings.is_amd),
    Assumption("file_link", "opens without a token, over https, MPEG audio", recordings.file_link),
)
