"""Where a page of calls begins: from the arguments, or from the cursor of the page before.

A cursor is enough by itself: it holds the resolved filters, the frozen window and the key of the last call returned.
Arguments sent beside it must agree with it. Of a question that is too long the cursor holds a digest, and the arguments
have to be sent again.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from liner_mcp.answer.cursor import decode_cursor, encode_cursor
from liner_mcp.answer.table import to_compact_json
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.columns import INCLUDABLE
from liner_mcp.calls.filters import Filters
from liner_mcp.calls.query import ResolvedQuery, resolve, with_all_orders
from liner_mcp.calls.recording_rows import RowFormat
from liner_mcp.calls.time_window import LAST_YEAR, TimeWindow
from liner_mcp.calls.window_reader import CallKey
from liner_mcp.context import AppContext
from liner_mcp.errors import InvalidArgument
from liner_mcp.input_limits import MAX_SUMMARY
from liner_mcp.names.directory import LOOKUP_TTL_SECONDS
from liner_mcp.text.mask import quote_input

MAX_CHARACTERS = 1_500  # of a cursor: a model would repeat a longer one at a higher cost than the question
SUMMARY_CHARS = 600  # of each summary, unless the question says otherwise
MICROSECOND = timedelta(microseconds=1)
CHANGED_NAMES_NOTE = (
    "Liner's list of orders, or what a name stands for, changed after an earlier page; calls may be missing from these "
    "pages. The same question without cursor begins anew."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageStart(ResolvedQuery):
    """The question and where its page begins. `returned` counts the calls of earlier pages; `seconds_per_call` and
    `pass_rate` (the share of calls that pass the client-side filters) were learned from them.

    `lossy`: an earlier page left out calls that it could not read or decide, so the pages together are not everything.
    `gaps` say what else is missing from all pages. `widen`: Liner was seen not to read windows as they are meant.
    `after_record`: the last record given of the call that the page before began; `after` then includes this call.
    """

    query: CallQuery
    layout: RowFormat
    after: CallKey | None = None
    after_record: int = 0
    returned: int = 0
    seconds_per_call: float | None = None
    pass_rate: float | None = None
    lossy: bool = False
    widen: bool = False

    @property
    def remaining(self) -> TimeWindow:
        """The part of the window that is still to be returned; the moment of the last call may hold more calls."""
        if self.after is None:
            return self.window
        moment, call_id = self.after
        return replace(self.window, until=moment + MICROSECOND if call_id else moment)

    @property
    def last_id(self) -> int:
        """The call with which the page before ended, 0 on the first page."""
        return 0 if self.after is None else self.after[1] - bool(self.after_record)


async def resolve_page_start(
    context: AppContext,
    tool: str,
    query: CallQuery,
    include: tuple[str, ...],
    cursor: str | None,
    summary_chars: int | None = None,
) -> PageStart:
    """Where the page begins. `include` and `summary_chars` are those of the cursor unless they are sent beside it.

    Raises: InvalidArgument for arguments that cannot be used, or a cursor that is damaged, of another tool, or of
    another question.
    """
    if cursor is None:
        resolved = await resolve(context, query)
        layout = _layout(query, include, SUMMARY_CHARS if summary_chars is None else summary_chars)
        return PageStart(resolved.filters, resolved.window, resolved.notes, resolved.gaps, query=query, layout=layout)
    state = decode_cursor(tool, cursor)
    try:
        start, digest = _parse_state(state)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        raise InvalidArgument("cursor cannot be read. Ask again without it to start at the first page.") from None
    chars = start.layout.summary_chars if summary_chars is None else summary_chars
    if digest is not None:
        start = replace(start, layout=_layout(query, include or start.layout.include, chars))
        return await _resume_by_digest(context, start, digest, query, state.get("o"))
    start = replace(start, layout=_layout(start.query, include or start.layout.include, chars))
    for name, value in asdict(query).items():
        earlier = getattr(start.query, name)
        if value not in (None, ()) and value != earlier:
            raise InvalidArgument(
                f"cursor belongs to another question: {name} was {_describe(earlier)} there. Send the cursor alone "
                "to go on, or the arguments without it to begin anew."
            )
    # A cached list of any age will do: an order that is newer than the first page has no calls in its frozen window.
    filters, gaps = await with_all_orders(context, start.filters)
    if filters.all_orders and _digest(filters) != state.get("o"):
        filters, gaps = await with_all_orders(context, start.filters, LOOKUP_TTL_SECONDS)
        if _digest(filters) != state.get("o"):
            gaps = (*gaps, CHANGED_NAMES_NOTE)
    return replace(start, filters=filters, gaps=gaps)


def _layout(query: CallQuery, include: tuple[str, ...], summary_chars: int) -> RowFormat:
    return RowFormat(include, summary_chars, mentions=query.mentions is not None)


async def _resume_by_digest(
    context: AppContext,
    start: PageStart,
    digest: str,
    query: CallQuery,
    filters_digest: object,
) -> PageStart:
    if _digest(query) != digest:
        raise InvalidArgument(
            "cursor: the question was too long to be kept in it. Send the same arguments again, beside the cursor."
        )
    resolved = await resolve(context, query)
    return replace(
        start,
        query=query,
        filters=resolved.filters,
        gaps=resolved.gaps if _digest(resolved.filters) == filters_digest else (*resolved.gaps, CHANGED_NAMES_NOTE),
    )


def encode_page_cursor(tool: str, start: PageStart) -> str:
    """The cursor of a later page, which begins at `start`."""
    assert start.after is not None  # noqa: S101 - a later page begins after a call
    moment, call_id = start.after
    state: dict[str, Any] = {
        "w": [_to_epoch(start.window.since), _to_epoch(start.window.until)],
        "k": [_to_epoch(moment), call_id],
        "g": start.returned,
        "i": list(start.layout.include),
    }
    if start.layout.summaries:
        state["c"] = start.layout.summary_chars
    if start.after_record:
        state["r"] = start.after_record
    if start.seconds_per_call is not None:
        state["p"] = round(start.seconds_per_call, 1)
    if start.pass_rate is not None:
        state["s"] = round(start.pass_rate, 3)
    if start.lossy:
        state["l"] = 1
    if start.widen:
        state["x"] = 1
    digest = {"o": _digest(start.filters)}  # what every page of a question has in common
    narrowing = {name: value for name, value in asdict(start.query).items() if value not in (None, ())}
    resolved = {"q": narrowing, "f": start.filters.to_state(), **(digest if start.filters.all_orders else {})}
    whole = encode_cursor(tool, {**state, **resolved})
    return (
        whole if len(whole) <= MAX_CHARACTERS else encode_cursor(tool, {**state, "d": _digest(start.query), **digest})
    )


def _parse_state(state: dict[str, Any]) -> tuple[PageStart, str | None]:
    since, until = (_from_epoch(seconds) for seconds in state["w"])
    moment, call_id = state["k"]
    seconds_per_call, pass_rate = state.get("p"), state.get("s")
    summary_chars = min(max(int(state.get("c", SUMMARY_CHARS)), 0), MAX_SUMMARY)
    start = PageStart(
        _filters_adapter().validate_python(state.get("f", {})),
        TimeWindow(since, until),
        query=_query_adapter().validate_python(state.get("q", {})),
        layout=RowFormat(tuple(state["i"]), summary_chars, mentions=False),
        after=(_from_epoch(moment), int(call_id)),
        after_record=int(state.get("r", 0)),
        returned=int(state["g"]),
        seconds_per_call=None if seconds_per_call is None else max(float(seconds_per_call), 0.01),
        pass_rate=None if pass_rate is None else min(max(float(pass_rate), 0.001), 1.0),
        lossy=bool(state.get("l")),
        widen=bool(state.get("x")),
    )
    digest = state.get("d")
    if (digest is None) == ("f" not in state):
        raise ValueError("a cursor holds filters or their digest")
    if (
        not since <= _from_epoch(moment) <= until
        or start.returned < 0
        or not math.isfinite((start.seconds_per_call or 0) + (start.pass_rate or 0))
    ):
        raise ValueError("a cursor stands inside its window")
    include = start.layout.include
    if not set(include) <= set(INCLUDABLE) or len(set(include)) < len(include):
        raise ValueError("a cursor includes columns that there are, each once")
    return start, digest


# A client can write a cursor, so its content is checked like arguments: both classes are made of the arguments' types.
# The adapters are built for the first cursor.
@cache
def _query_adapter() -> TypeAdapter[CallQuery]:
    return TypeAdapter(CallQuery)


@cache
def _filters_adapter() -> TypeAdapter[Filters]:
    return TypeAdapter(Filters)


def _to_epoch(moment: datetime) -> int | float:
    """Seconds since 1970; Liner's own times are whole, and microseconds fit a JSON number beside them."""
    micros = round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / MICROSECOND)
    return micros // 1_000_000 if micros % 1_000_000 == 0 else micros / 1_000_000


def _from_epoch(seconds: float) -> datetime:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + round(float(seconds) * 1_000_000) * MICROSECOND
    if not 1 < moment.year < LAST_YEAR:
        raise ValueError("too near the edge of the calendar to be computed in every zone")
    return moment


def _digest(question: CallQuery | Filters) -> str:
    size = 12
    if isinstance(question, Filters):
        size = 4  # it only detects a change, and a short one keeps the cursor short
        question = replace(question, orders=tuple(sorted(question.orders)))  # listed by name, and a name may change
    return hashlib.blake2s(to_compact_json(asdict(question)).encode(), digest_size=size).hexdigest()


def _describe(value: object) -> str:
    text = "not given" if value in (None, ()) else to_compact_json({"": value})[4:-1]
    return quote_input(text, 60)  # a crafted cursor may hold any text
