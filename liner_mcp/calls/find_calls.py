"""Finding calls: from a question with names and day words to a page of calls, newest first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from liner_mcp.answer.table import Draft, Shown, Written, write
from liner_mcp.calls.page_cursor import Place, cursor_of, read_place
from liner_mcp.calls.query import CallQuestion
from liner_mcp.calls.rows import call_columns, call_legend, call_row, unlisted_notes
from liner_mcp.calls.time_window import Window, whole_second
from liner_mcp.calls.transfers import is_transferred, refuse_shared
from liner_mcp.calls.window_reader import LEAKED, SLICE_CALLS, Key, NewestFirst, key_of
from liner_mcp.context import Desk
from liner_mcp.errors import DeadlinePassed, LinerMcpError
from liner_mcp.liner.models import Call
from liner_mcp.liner.pagination import Listing
from liner_mcp.names.directory import Names

FIND_CALLS = "find_calls"
FIRST_KEEP = 0.3  # of calls that a filter of ours lets pass, before anything was seen: a guess, soon replaced
SPARE = 1.2  # a slice that falls just short of a page costs another request; one a little too long mostly does not
LEAST_KEEP = 0.01  # below this a slice would be sized by chance
LOOK_BACK = timedelta(days=31)  # how far an empty answer looks for earlier calls, in one request


@dataclass(slots=True)
class _Gathered:
    """The calls of one page so far. `reached`: all calls from this key upwards are decided."""

    reached: Key
    known_keep: float | None = None  # what earlier pages saw
    calls: list[Call] = field(default_factory=list[Call])
    more: bool = False  # calls beyond the limit are known already
    scanned: list[Key] = field(default_factory=list[Key])
    examined: int = 0
    unread: list[int] = field(default_factory=list[int])  # calls whose records could not be read
    leaked: bool = False
    changed: bool = False
    whole: bool = True
    stopped: LinerMcpError | None = None

    @property
    def keep(self) -> float:
        """The share of calls that pass our filters, as far as it is known."""
        scanned = len(self.scanned)
        if scanned < SLICE_CALLS:
            return self.known_keep or FIRST_KEEP
        return max(len(self.calls) / scanned, LEAST_KEEP)


async def find_calls(
    desk: Desk,
    question: CallQuestion,
    *,
    include: tuple[str, ...],
    limit: int,
    cursor: str | None,
    budget: int,
) -> Written:
    """A page of the calls that a question means, newest first, within `budget` bytes and the caller's deadline.

    Raises: InvalidArgument for what cannot be understood; the error of the first read when nothing was read at all.
    """
    place = await read_place(desk, FIND_CALLS, question, include, cursor)
    source = NewestFirst(desk.liner, place.filters, place.remaining, pace=place.pace)
    gathered = _Gathered(reached=place.after or (place.window.until, 0), known_keep=place.keep)
    await _gather(desk, place, source, gathered, limit)
    names = await desk.directory.names("agents", "orders", "statuses")
    found = gathered.calls or place.given or gathered.stopped or gathered.unread
    hint = await _hint(desk, place, gathered) if source.exhausted and not found else None
    desk.recent_calls.add(reversed([call.id for call in gathered.calls]))
    return _Page(desk, place, source, gathered, names, hint).written(budget)


# Gathering ----------------------------------------------------------------------------------------------------------


async def _gather(desk: Desk, place: Place, source: NewestFirst, gathered: _Gathered, limit: int) -> None:
    """Read slices until the page has `limit` calls, the window ends, or something stops the reading."""
    local = bool(place.filters.local)
    first = True
    if source.exhausted:
        gathered.reached = (place.window.since, 0)  # Liner lists no orders: there is nothing to ask for
    while not source.exhausted and len(gathered.calls) < limit and gathered.stopped is None:
        missing = limit - len(gathered.calls)
        try:
            part = await source.next(math.ceil(SPARE * missing / (gathered.keep if local else 1)))
        except LinerMcpError as error:
            if first:
                raise  # nothing was read: the reason is the answer, and the cursor it came with still holds
            gathered.stopped = error
            return
        first = False
        gathered.changed |= part.changed
        gathered.whole &= part.whole
        fresh = [call for call in part.calls if place.after is None or key_of(call) < place.after]
        gathered.scanned += [key_of(call) for call in fresh]
        gathered.leaked |= part.strayed or place.filters.leaks(*fresh)
        meant = [call for call in fresh if place.filters.passes(call)]
        if place.filters.transferred is None:
            _take(gathered, meant, limit)
        elif not await _take_examined(desk, place.filters.transferred, gathered, meant, limit):
            return
        if not gathered.more:
            gathered.reached = (part.window.since, 0)


def _take(gathered: _Gathered, calls: Sequence[Call], limit: int) -> None:
    room = limit - len(gathered.calls)
    gathered.calls += calls[:room]
    gathered.more = len(calls) > room
    if gathered.more:
        gathered.reached = key_of(gathered.calls[-1])


async def _take_examined(desk: Desk, transferred: bool, gathered: _Gathered, calls: Sequence[Call], limit: int) -> bool:
    """Take those calls whose records say so; one request per recorded call. False when time was up on the way."""
    recorded = [call for call in calls if call.has_records is not False]
    room = limit - len(gathered.calls)
    found = 0

    def enough(outcome: Listing[Any] | LinerMcpError) -> bool:
        nonlocal found
        found += not isinstance(outcome, LinerMcpError) and is_transferred(outcome) is transferred
        return found > room  # one beyond the page, so that "more" is known and not guessed

    outcomes = await desk.liner.each([partial(desk.liner.call_records, call.id) for call in recorded], enough)
    refuse_shared(outcomes)
    told = {call.id: outcome for call, outcome in zip(recorded, outcomes, strict=True)}
    for call in calls:
        outcome = False if call.has_records is False else told[call.id]
        # One that is late goes on with the next page; late again where that page begins, it would go on for ever.
        late = isinstance(outcome, DeadlinePassed) and (gathered.examined or gathered.unread)
        if outcome is None or late:
            gathered.stopped = DeadlinePassed("time was up before all records were read.")
            return False
        if isinstance(outcome, LinerMcpError):
            gathered.unread.append(call.id)
            gathered.reached = key_of(call)
            continue
        if (outcome if isinstance(outcome, bool) else is_transferred(outcome)) is transferred:
            if len(gathered.calls) == limit:
                gathered.more = True
                return True
            gathered.calls.append(call)
        gathered.examined += call.id in told
        gathered.reached = key_of(call)
    return True


# The page -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Page:
    """What was gathered, to be written down as far as it fits."""

    desk: Desk
    place: Place
    source: NewestFirst
    gathered: _Gathered
    names: Names
    hint: str | None

    def written(self, budget: int) -> Written:
        columns = call_columns(self.place.include)
        draft = Draft(
            asked=self.place.filters.asked(),
            window=self.place.window.shown(self.desk.zone),
            columns=columns,
            blocks=[[call_row(self.desk, call, self.place.include)] for call in self.gathered.calls],
            page=self._page,
            names=lambda rows: call_legend(self.names, self.place.filters, columns, rows),
            timezone=self.desk.zone.name,
            notes=lambda _: self._notes(),
            retry=lambda _: self.gathered.unread,
        )
        return write(draft, budget)

    def _page(self, shown: Shown) -> dict[str, Any]:
        gathered, place = self.gathered, self.place
        cut = shown.blocks < len(gathered.calls)
        left = cut or gathered.more or not self.source.exhausted or gathered.reached > (place.window.since, 0)
        lossy = place.lossy or not gathered.whole or bool(gathered.unread or place.gaps)
        complete = not left and not lossy
        members: dict[str, Any] = {"complete": complete}
        given = place.given + shown.blocks
        reached = key_of(gathered.calls[shown.blocks - 1]) if cut else gathered.reached
        if left:
            keep = gathered.keep if self._local else None
            members["next_cursor"] = cursor_of(
                FIND_CALLS, place, reached, given=given, pace=self.source.pace, keep=keep, lossy=lossy
            )
            # In whole seconds, for that in which the page ends may hold more calls.
            since = min(whole_second(replace(place, after=reached).remaining.until), place.window.until)
            members["covered"] = replace(place.window, since=since).shown(self.desk.zone)
        if complete:
            members["total"] = given
        elif self.source.counted is not None and place.after is None and not (self._local or gathered.leaked):
            members["liner_total"] = self.source.counted
        if self._local:
            members["scanned"] = sum(key >= reached for key in gathered.scanned)
            members["local_filters"] = self._local
        if place.filters.transferred is not None:
            members["examined"] = gathered.examined
        if gathered.changed:
            members["changed"] = True
        return members

    @property
    def _local(self) -> list[str]:
        return self.place.filters.local

    def _notes(self) -> list[str]:
        gathered = self.gathered
        notes: list[str] = []
        if gathered.stopped is not None:
            notes.append(f"Reading stopped early: {self.desk.reason(gathered.stopped)} next_cursor goes on from there.")
        if gathered.unread:
            notes.append("Whether the calls in retry were transferred could not be read just now; they are left out.")
        if not gathered.whole:
            notes.append("Liner counts more calls in this window than it lists; some may be missing here.")
        notes += self.place.gaps
        if self.place.lossy:
            notes.append("Calls are missing from an earlier page, whose notes say why; so there is no total.")
        if gathered.leaked:
            notes.append(LEAKED)
        if self.place.after is None:
            orders, agents = {call.order_id for call in gathered.calls}, {call.user_id for call in gathered.calls}
            notes += unlisted_notes(self.names, self.place.filters, orders=orders, agents=agents)
        if self.hint:
            notes.append(self.hint)
        return [*notes, *self.place.notes, *self.names.notes()]


# Nothing found --------------------------------------------------------------------------------------------------------


async def _hint(desk: Desk, place: Place, gathered: _Gathered) -> str:
    """What to try when a whole window holds nothing: which filters to relax, or where the nearest earlier calls are."""
    filters, days = place.filters, LOOK_BACK.days
    local = ", ".join(filters.local)
    if gathered.scanned:
        relaxable = local or ", ".join(filters.asked())
        return (
            f"{len(gathered.scanned)} calls of this window were read and none passed {relaxable}; relax one of these."
        )
    requests = filters.requests(Window(place.window.since - LOOK_BACK, place.window.since))
    if not requests:
        return "Liner lists no orders, so there was nowhere to look; orders or leads can be named by id."
    nothing = "Liner has no such call in this window"
    try:
        listing = await desk.liner.calls(requests[0], at_most=SLICE_CALLS) if len(requests) == 1 else None
    except LinerMcpError:
        listing = None
    if listing is None:
        return f"{nothing}; try an earlier since{', or fewer filters' if filters.asked() else ''}."
    if not listing.items:
        advice = "fewer filters may find some" if filters.asked() else "try another window"
        return f"{nothing}, nor in the {days} days before it; {advice}."
    newest = max((call for call in listing.items if filters.passes(call)), key=key_of, default=None)
    if listing.complete and newest is not None and newest.created_at is not None:
        one = "one" if filters.transferred is None else "candidate"
        return f"{nothing}; the nearest earlier {one} is call {newest.id} of {desk.zone.stamp(newest.created_at)}."
    before = f"{listing.total or len(listing.items)} in the {days} days before it"
    if not local:
        return f"{nothing}, but {before}."
    checked = "none of them passed" if listing.complete else "not checked for"
    return f"{nothing}; Liner has {before}, {checked} {local}."
