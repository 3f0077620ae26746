"""Where a page of calls begins: from the arguments, or from the cursor of the page before.

A cursor is enough by itself: it holds the resolved filters, the frozen window and the place of the last call given.
What is sent beside it must agree. A question too long for a cursor leaves its digest there and has to be sent again.
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
from liner_mcp.answer.table import minified
from liner_mcp.calls.columns import INCLUDABLE
from liner_mcp.calls.filters import Filters
from liner_mcp.calls.query import CallQuestion, gaps_of, understand, with_every_order
from liner_mcp.calls.time_window import LAST_YEAR, Window
from liner_mcp.calls.window_reader import Key
from liner_mcp.context import Desk
from liner_mcp.errors import InvalidArgument
from liner_mcp.input_limits import MAX_MEMBERS, MAX_NAMES, MAX_TEXT, MAX_TEXTS
from liner_mcp.text.mask import echoed

MOST_CHARACTERS = 1_500  # of a cursor: more would cost a model more to repeat than the question itself
EPSILON = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Place:
    """What is asked and from where on. `given` rows came on earlier pages; `pace` is what they taught about density
    and `keep` about how many calls pass our filters.

    `lossy`: an earlier page had to leave out calls that it could not read, so the pages together are not everything.
    `gaps` say what else is missing from all of them.
    """

    question: CallQuestion
    include: tuple[str, ...]
    filters: Filters
    window: Window
    notes: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    after: Key | None = None
    given: int = 0
    pace: float | None = None
    keep: float | None = None
    lossy: bool = False

    @property
    def remaining(self) -> Window:
        """The part of the window that is not given yet; the very moment of the last row may hold more rows."""
        if self.after is None:
            return self.window
        moment, call_id = self.after
        return replace(self.window, until=moment + EPSILON if call_id else moment)


async def read_place(
    desk: Desk, tool: str, question: CallQuestion, include: tuple[str, ...], cursor: str | None
) -> Place:
    """Where to begin.

    Raises: InvalidArgument for a question that cannot be understood, or a cursor that is mangled, of another tool, or
    of another question.
    """
    if cursor is None:
        understood = await understand(desk, question)
        return Place(question, include, understood.filters, understood.window, understood.notes, understood.gaps)
    state = decode_cursor(tool, cursor)
    try:
        place, digest = _unpacked(state)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        raise InvalidArgument("cursor cannot be read. Ask again without it to start at the first page.") from None
    if digest is not None:
        return await _by_digest(desk, place, digest, question, include)
    for name, value in asdict(question).items():
        told = getattr(place.question, name)
        if value not in (None, ()) and value != told:
            raise InvalidArgument(
                f"cursor belongs to another question: {name} was {_said(told)} there. Send the cursor alone to go on, "
                "or the arguments without it to begin anew."
            )
    filters = await with_every_order(desk, place.filters)
    gaps = gaps_of(desk, place.question, every=filters.every_order)
    return replace(place, filters=filters, gaps=gaps, include=include or place.include)


async def _by_digest(desk: Desk, place: Place, digest: str, question: CallQuestion, include: tuple[str, ...]) -> Place:
    if _digest(question) != digest:
        raise InvalidArgument(
            "cursor: the question was too long to be kept in it. Send the same arguments again, beside the cursor."
        )
    understood = await understand(desk, question)
    return replace(
        place,
        question=question,
        filters=understood.filters,
        gaps=understood.gaps,
        include=include or place.include,
    )


def cursor_of(
    tool: str,
    place: Place,
    after: Key,
    *,
    given: int,
    pace: float | None,
    keep: float | None = None,
    lossy: bool = False,
) -> str:
    """The cursor with which `place` goes on after this key."""
    moment, call_id = after
    state: dict[str, Any] = {
        "w": [_seconds(place.window.since), _seconds(place.window.until)],
        "k": [_seconds(moment), call_id],
        "g": given,
        "i": list(place.include),
    }
    if pace is not None:
        state["p"] = round(pace, 1)
    if keep is not None:
        state["s"] = round(keep, 3)
    if lossy:
        state["l"] = 1
    asked = {name: value for name, value in asdict(place.question).items() if value not in (None, ())}
    whole = encode_cursor(tool, {**state, "q": asked, "f": place.filters.packed()})
    return whole if len(whole) <= MOST_CHARACTERS else encode_cursor(tool, {**state, "d": _digest(place.question)})


def _unpacked(state: dict[str, Any]) -> tuple[Place, str | None]:
    since, until = (_moment(seconds) for seconds in state["w"])
    moment, call_id = state["k"]
    pace, keep = state.get("p"), state.get("s")
    place = Place(
        _questions().validate_python(state.get("q", {})),
        tuple(state["i"]),
        _filters().validate_python(state.get("f", {})),
        Window(since, until),
        after=(_moment(moment), int(call_id)),
        given=int(state["g"]),
        pace=None if pace is None else max(float(pace), 0.01),
        keep=None if keep is None else min(max(float(keep), 0.001), 1.0),
        lossy=bool(state.get("l")),
    )
    digest = state.get("d")
    if (digest is None) == ("f" not in state):
        raise ValueError("a cursor holds filters or their digest")
    if (
        not since <= _moment(moment) <= until
        or place.given < 0
        or not math.isfinite((place.pace or 0) + (place.keep or 0))
    ):
        raise ValueError("a cursor stands inside its window")
    if not set(place.include) <= set(INCLUDABLE) or len(set(place.include)) < len(place.include):
        raise ValueError("a cursor includes columns that there are, each once")
    if not _is_short(place):
        raise ValueError("a cursor holds what arguments can hold")
    return place, digest


def _is_short(place: Place) -> bool:
    """Whether the place holds no more than a question may: only then is the work for it bounded."""
    question, filters = place.question, place.filters
    names = (*question.orders, *question.agents, *question.statuses)
    texts = [text for text in (question.since, question.until, *names, *filters.codes) if isinstance(text, str)]
    lists = (question.orders, question.leads, question.agents, question.statuses, filters.orders, filters.leads)
    return (
        max(map(len, (*lists, filters.codes, filters.status_ids))) <= MAX_NAMES
        and len(filters.agents) <= MAX_MEMBERS
        and len(texts) <= 4 * MAX_TEXTS
        and all(len(text) <= MAX_TEXT for text in texts)
    )


# Anybody can write a cursor, so what comes out of one is checked like any argument. Built at the first one.
@cache
def _questions() -> TypeAdapter[CallQuestion]:
    return TypeAdapter(CallQuestion)


@cache
def _filters() -> TypeAdapter[Filters]:
    return TypeAdapter(Filters)


def _seconds(moment: datetime) -> int | float:
    """Seconds since 1970; Liner's own times are whole, and microseconds fit a JSON number beside them."""
    micros = round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / EPSILON)
    return micros // 1_000_000 if micros % 1_000_000 == 0 else micros / 1_000_000


def _moment(seconds: float) -> datetime:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + round(float(seconds) * 1_000_000) * EPSILON
    if not 1 < moment.year < LAST_YEAR:
        raise ValueError("too near the edge of the calendar to be reckoned with in every zone")
    return moment


def _digest(question: CallQuestion) -> str:
    return hashlib.blake2s(minified(asdict(question)).encode(), digest_size=12).hexdigest()


def _said(value: object) -> str:
    text = "not given" if value in (None, ()) else minified({"": value})[4:-1]
    return echoed(text, 60)  # a crafted cursor may say anything
