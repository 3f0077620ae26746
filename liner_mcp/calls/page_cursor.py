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
from liner_mcp.calls.query import find_gaps, resolve, with_all_orders
from liner_mcp.calls.time_window import LAST_YEAR, TimeWindow
from liner_mcp.calls.window_reader import CallKey
from liner_mcp.context import AppContext
from liner_mcp.errors import InvalidArgument
from liner_mcp.text.mask import quote_input

MAX_CHARACTERS = 1_500  # of a cursor: a model would repeat a longer one at a higher cost than the question
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class PageStart:
    """The question and where its page begins. `returned` counts the calls of earlier pages; `seconds_per_call` and
    `pass_rate` (the share of calls that pass the client-side filters) were learned from them.

    `lossy`: an earlier page left out calls that it could not read or decide, so the pages together are not everything.
    `gaps` say what else is missing from all pages.
    """

    query: CallQuery
    include: tuple[str, ...]
    filters: Filters
    window: TimeWindow
    notes: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    after: CallKey | None = None
    returned: int = 0
    seconds_per_call: float | None = None
    pass_rate: float | None = None
    lossy: bool = False

    @property
    def remaining(self) -> TimeWindow:
        """The part of the window that is still to be returned; the moment of the last call may hold more calls."""
        if self.after is None:
            return self.window
        moment, call_id = self.after
        return replace(self.window, until=moment + MICROSECOND if call_id else moment)


async def resolve_page_start(
    context: AppContext, tool: str, query: CallQuery, include: tuple[str, ...], cursor: str | None
) -> PageStart:
    """Where the page begins.

    Raises: InvalidArgument for arguments that cannot be used, or a cursor that is damaged, of another tool, or of
    another question.
    """
    if cursor is None:
        resolved = await resolve(context, query)
        return PageStart(query, include, resolved.filters, resolved.window, resolved.notes, resolved.gaps)
    state = decode_cursor(tool, cursor)
    try:
        start, digest = _parse_state(state)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        raise InvalidArgument("cursor cannot be read. Ask again without it to start at the first page.") from None
    if digest is not None:
        return await _resume_by_digest(context, start, digest, query, include)
    for name, value in asdict(query).items():
        earlier = getattr(start.query, name)
        if value not in (None, ()) and value != earlier:
            raise InvalidArgument(
                f"cursor belongs to another question: {name} was {_describe(earlier)} there. Send the cursor alone "
                "to go on, or the arguments without it to begin anew."
            )
    filters = await with_all_orders(context, start.filters)
    gaps = find_gaps(context, start.query, filters)
    return replace(start, filters=filters, gaps=gaps, include=include or start.include)


async def _resume_by_digest(
    context: AppContext, start: PageStart, digest: str, query: CallQuery, include: tuple[str, ...]
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
        gaps=resolved.gaps,
        include=include or start.include,
    )


def encode_page_cursor(
    tool: str,
    start: PageStart,
    after: CallKey,
    *,
    returned: int,
    seconds_per_call: float | None,
    pass_rate: float | None = None,
    lossy: bool = False,
) -> str:
    """The cursor with which `start` goes on after this key."""
    moment, call_id = after
    state: dict[str, Any] = {
        "w": [_to_epoch(start.window.since), _to_epoch(start.window.until)],
        "k": [_to_epoch(moment), call_id],
        "g": returned,
        "i": list(start.include),
    }
    if seconds_per_call is not None:
        state["p"] = round(seconds_per_call, 1)
    if pass_rate is not None:
        state["s"] = round(pass_rate, 3)
    if lossy:
        state["l"] = 1
    narrowing = {name: value for name, value in asdict(start.query).items() if value not in (None, ())}
    whole = encode_cursor(tool, {**state, "q": narrowing, "f": start.filters.to_state()})
    return whole if len(whole) <= MAX_CHARACTERS else encode_cursor(tool, {**state, "d": _digest(start.query)})


def _parse_state(state: dict[str, Any]) -> tuple[PageStart, str | None]:
    since, until = (_from_epoch(seconds) for seconds in state["w"])
    moment, call_id = state["k"]
    seconds_per_call, pass_rate = state.get("p"), state.get("s")
    start = PageStart(
        _query_adapter().validate_python(state.get("q", {})),
        tuple(state["i"]),
        _filters_adapter().validate_python(state.get("f", {})),
        TimeWindow(since, until),
        after=(_from_epoch(moment), int(call_id)),
        returned=int(state["g"]),
        seconds_per_call=None if seconds_per_call is None else max(float(seconds_per_call), 0.01),
        pass_rate=None if pass_rate is None else min(max(float(pass_rate), 0.001), 1.0),
        lossy=bool(state.get("l")),
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
    if not set(start.include) <= set(INCLUDABLE) or len(set(start.include)) < len(start.include):
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


def _digest(query: CallQuery) -> str:
    return hashlib.blake2s(to_compact_json(asdict(query)).encode(), digest_size=12).hexdigest()


def _describe(value: object) -> str:
    text = "not given" if value in (None, ()) else to_compact_json({"": value})[4:-1]
    return quote_input(text, 60)  # a crafted cursor may say anything
