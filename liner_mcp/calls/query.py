"""What a question about calls means: names become ids, day words a closed window.

A question that names neither orders nor leads means every order that Liner lists; one that names leads but no time
begins a day before the first of them was created.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from anyio.lowlevel import checkpoint

from liner_mcp.calls.arguments import FILTERS, CallQuery
from liner_mcp.calls.filters import Filters
from liner_mcp.calls.hours import parse_hours
from liner_mcp.calls.time_window import FIRST_YEAR, ParsedWindow, TimeWindow, parse_window
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded, InvalidArgument, LinerMcpError, NotFound
from liner_mcp.liner.endpoints import OTHER_ACCOUNT
from liner_mcp.liner.models import CODE_CHARACTERS, Lead
from liner_mcp.liner.parallel import run_all
from liner_mcp.names.directory import (
    ENTRIES_PER_STEP,
    LOOKUP_TTL_SECONDS,
    WHOLE_TTL_SECONDS,
    Dictionary,
    DirectoryEntry,
    Kind,
    describe_doubts,
    is_no_agent,
)
from liner_mcp.names.matching import (
    Candidate,
    Candidates,
    UnknownName,
    capitalize,
    closest,
    normalize_name,
    resolve_ids_steps,
    resolve_name,
    split_names,
)
from liner_mcp.search.query import parse_query
from liner_mcp.text.mask import quote_input

R = TypeVar("R")

# A lead's first call can be older than the lead: an incoming call creates its lead some seconds later, and another
# system may write the creation in its own time zone.
LEAD_MARGIN = timedelta(days=1)
MAX_NAMED_CODES = 3  # unknown codes that a note names
_CODE = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)+")  # how every documented status code is written


@dataclass(frozen=True, slots=True)
class ResolvedQuery:
    """A query with names and times resolved. `notes` say what was guessed, `gaps` why an answer cannot be complete."""

    filters: Filters
    window: TimeWindow
    notes: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()


async def resolve(context: AppContext, query: CallQuery) -> ResolvedQuery:
    """Resolve names and times.

    Raises: InvalidArgument for a name that fits none or several, an unknown lead, an impossible window, or words that
    cannot be searched for; the errors of the Liner client when a dictionary is needed and cannot be read.
    """
    low, high = query.min_talk_seconds, query.max_talk_seconds
    if low is not None and high is not None and low > high:
        raise InvalidArgument(f"max_talk_seconds: {high} is less than min_talk_seconds, {low}; no call can be both.")
    if query.mentions is not None:
        parse_query(query.mentions)
    parsed = await _resolve_window(context, query)
    values: dict[str, Any] = {name: getattr(query, name) for name in FILTERS}
    values["hours"] = None if query.hours is None else parse_hours(query.hours, context.zone)
    values["agents"], agents = await _resolve_agents(context, query.agents)
    statuses, call_statuses = await _resolve_statuses(context, query.statuses)
    values["statuses"], values["status_ids"] = statuses.codes, statuses.ids
    values["orders"], orders = await _resolve_orders(context, query.orders)
    filters, gaps = await with_all_orders(context, Filters(**values), WHOLE_TTL_SECONDS)
    doubts = describe_doubts(*orders, *agents, *call_statuses, by_name=True)
    if doubts:
        gaps = (*gaps, f"{capitalize(doubts)}; a name may fit others too, whose calls are missing here.")
    uses_zone = parsed.uses_zone or query.hours is not None
    notes = (*_window_notes(context, parsed, uses_zone=uses_zone), *_unknown_notes(statuses.unknown, call_statuses))
    return ResolvedQuery(filters, parsed.window, notes, gaps)


async def with_all_orders(
    context: AppContext, filters: Filters, max_age: float | None = None
) -> tuple[Filters, tuple[str, ...]]:
    """The filters with every order that Liner lists, where neither orders nor leads were named, and why calls of others
    may be missing. `max_age` as in `Directory.read`.
    """
    if filters.leads or (filters.orders and not filters.all_orders):
        return filters, ()
    orders = await context.directory.read("orders", max_age)
    doubt = describe_doubts(orders)
    gaps = (f"{capitalize(doubt)}; calls of other orders may be missing here.",) if doubt else ()
    if not orders.entries:
        gaps = ("Liner lists no orders, so no call was read; send orders or leads by id.",)
    return replace(filters, orders=tuple(entry.id for entry in orders.entries), all_orders=True), gaps


# Times ----------------------------------------------------------------------------------------------------------------


async def _resolve_window(context: AppContext, query: CallQuery) -> ParsedWindow:
    now = context.now()
    first = None
    if query.leads and query.since is None:
        first = await _before_creation(context, query.leads)
        if first is not None and first >= now:
            first = None
    return parse_window(query.since, query.until, zone=context.zone, now=now, default_since=first)


async def _before_creation(context: AppContext, leads: Sequence[int]) -> datetime | None:
    """`LEAD_MARGIN` before the first of these leads was created; None where Liner does not say when."""
    moments: list[datetime] = []
    readers = [partial(context.liner.lead, lead_id) for lead_id in leads]
    outcomes = await run_all(readers, concurrency=context.liner.concurrency)
    for lead_id, outcome in zip(leads, outcomes, strict=True):
        if isinstance(outcome, NotFound):
            raise InvalidArgument(
                f"leads: Liner has no lead {lead_id}. A call's lead_id is in include=[lead_id]; "
                f"if no lead is found at all, {OTHER_ACCOUNT}."
            )
        if isinstance(outcome, LinerMcpError):
            raise outcome
        if not isinstance(outcome, Lead):
            raise DeadlineExceeded("Liner did not say in time when these leads were created. Ask again, or give since.")
        if outcome.created_at is None:
            return None
        moments.append(outcome.created_at)
    first_moment = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    # A placeholder such as the year 1 is no moment.
    return max(min(moments), first_moment + LEAD_MARGIN) - LEAD_MARGIN


def _window_notes(context: AppContext, parsed: ParsedWindow, *, uses_zone: bool) -> list[str]:
    notes: list[str] = []
    if parsed.defaulted:
        notes.append("No since was given, so these are the 7 days up to the end of window.")
    if uses_zone and not context.zone.configured:
        notes.append(
            f"Days and times were read as {context.zone.name}, this machine's zone; LINER_TIMEZONE sets another."
        )
    return notes


# Names ----------------------------------------------------------------------------------------------------------------


async def _look_up(
    context: AppContext,
    kinds: Sequence[Kind],
    resolve_in: Callable[[Sequence[Dictionary], bool], Awaitable[R]],
) -> tuple[R, Sequence[Dictionary]]:
    """What `resolve_in` finds in the dictionaries, and the dictionaries. After an UnknownName it gets fresh ones, and
    True as its second argument.
    """
    dictionaries = await _read(context, kinds)
    try:
        return await resolve_in(dictionaries, False), dictionaries
    except UnknownName:
        dictionaries = await _read(context, kinds, LOOKUP_TTL_SECONDS)
    try:
        return await resolve_in(dictionaries, True), dictionaries
    except UnknownName as unknown:
        raise InvalidArgument(str(unknown)) from None


async def _read(context: AppContext, kinds: Sequence[Kind], max_age: float | None = None) -> list[Dictionary]:
    directory = context.directory
    return [
        # A token that may read users but not groups can still look up users.
        await (directory.read_if_possible if kind == "agent_groups" else directory.read)(kind, max_age)
        for kind in kinds
    ]


async def _resolve_orders(
    context: AppContext, asked: Sequence[int | str]
) -> tuple[tuple[int, ...], Sequence[Dictionary]]:
    """Orders by id or name, and the dictionaries in which names were looked up."""
    if all(isinstance(one, int) for one in asked):
        return tuple(dict.fromkeys(one for one in asked if isinstance(one, int))), ()

    async def resolve_in(dictionaries: Sequence[Dictionary], _: bool) -> tuple[int, ...]:
        candidates = await context.turns.run(_candidates_steps(dictionaries))
        return await context.turns.run(resolve_ids_steps("orders", asked, candidates))

    return await _look_up(context, FILTERS["orders"].names, resolve_in)


async def _resolve_agents(
    context: AppContext, asked: Sequence[int | str]
) -> tuple[tuple[int | None, ...], Sequence[Dictionary]]:
    """The same of agents; the name of an agent group stands for its agents, and None for no agent."""
    if all(isinstance(one, int) or is_no_agent(one) for one in asked):
        return tuple(dict.fromkeys(one if isinstance(one, int) else None for one in asked)), ()

    async def resolve_in(dictionaries: Sequence[Dictionary], _: bool) -> tuple[int | None, ...]:
        candidates = await context.turns.run(_candidates_steps(dictionaries))
        names = split_names(asked, candidates)
        agents = [one for one in names if not is_no_agent(one)]
        found = await context.turns.run(resolve_ids_steps("agents", agents, candidates))
        if not found and agents:
            raise UnknownName("agents: this agent group has no agents, so no call can be theirs.")
        return found if len(agents) == len(names) else (None, *found)

    return await _look_up(context, FILTERS["agents"].names, resolve_in)


@dataclass(frozen=True, slots=True)
class _Statuses:
    """Statuses by code. `ids` are empty where the dictionary does not have all of the codes; it lacks `unknown`."""

    codes: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()
    unknown: tuple[str, ...] = ()


async def _resolve_statuses(context: AppContext, asked: Sequence[int | str]) -> tuple[_Statuses, Sequence[Dictionary]]:
    """Call statuses that are given by id, code or title, and the dictionaries in which names were looked up.

    A call may have a code that is not in the dictionary. Text that looks like a code, and like nothing in the
    dictionary, is taken for such a code. Liner cannot filter by it, so the ids are then empty.
    """
    if not asked:
        return _Statuses(), ()

    async def resolve_in(dictionaries: Sequence[Dictionary], fresh: bool) -> _Statuses:
        entries = dictionaries[0].entries
        candidates = await context.turns.run(_candidates_steps(dictionaries))
        codes: dict[str, None] = {}
        ids: dict[int, None] = {}
        unknown: list[str] = []
        for one in split_names(asked, candidates):
            await checkpoint()  # each is compared with the whole dictionary
            entry = _resolve_status(one, entries, candidates)
            if entry is None and not fresh:
                raise UnknownName("This code may be new.")
            if entry is None:
                unknown.append(str(one))
                codes[str(one)] = None
            elif entry.code is None:
                raise InvalidArgument(
                    f"statuses: Liner gives status {entry.id} no code, so no call can be seen to have it."
                )
            else:
                ids[entry.id] = None
                codes[entry.code] = None
        return _Statuses(tuple(codes), () if unknown else tuple(ids), tuple(unknown))

    statuses, dictionaries = await _look_up(context, FILTERS["statuses"].names, resolve_in)
    return statuses, dictionaries if any(isinstance(one, str) for one in asked) else ()


def _unknown_notes(codes: Sequence[str], dictionaries: Sequence[Dictionary]) -> list[str]:
    if not codes:
        return []
    quoted = ", ".join(quote_input(code, CODE_CHARACTERS) for code in codes[:MAX_NAMED_CODES])
    more = f" and {len(codes) - MAX_NAMED_CODES} more" if len(codes) > MAX_NAMED_CODES else ""
    part = (
        "The part of Liner's dictionary that was read"
        if describe_doubts(*dictionaries, by_name=True)
        else "Liner's dictionary"
    )
    return [f"{part} has no status {quoted}{more}; calls were compared by code."]


def _resolve_status(
    asked: int | str, entries: Sequence[DirectoryEntry], candidates: Candidates
) -> DirectoryEntry | None:
    if isinstance(asked, int):
        by_id = {entry.id: entry for entry in entries}
        if asked not in by_id and candidates.doubt:
            raise UnknownName(
                f"statuses: call status {asked} is not among those that were read, but {candidates.doubt}, so it may "
                "exist. Send its code, or ask again later."
            )
        if asked not in by_id:
            raise UnknownName(f"statuses: Liner has no call status {asked}. list_directory(call_statuses) lists them.")
        return by_id[asked]
    known = [text for entry in entries for text in (normalize_name(entry.code or ""), normalize_name(entry.name))]
    wanted = normalize_name(asked)
    within = any(wanted in text for text in known)
    if _CODE.fullmatch(asked) and not within and not closest(wanted, known, 1, cutoff=0.75):
        return None
    found = resolve_name("statuses", asked, candidates)
    return next(entry for entry in entries if found.ids and entry.id == found.ids[0])


def _candidates_steps(dictionaries: Sequence[Dictionary]) -> Generator[int, None, Candidates]:
    """What a name may mean, in steps of some entries."""
    candidates = Candidates((), doubt=describe_doubts(*dictionaries, by_name=True))
    for one in dictionaries:
        for start in range(0, len(one.entries), ENTRIES_PER_STEP):
            candidates.add(_to_candidate(one.kind, entry) for entry in one.entries[start : start + ENTRIES_PER_STEP])
            yield 2 * ENTRIES_PER_STEP
    return candidates


def _to_candidate(kind: Kind, entry: DirectoryEntry) -> Candidate:
    if kind == "agent_groups":
        return Candidate(entry.members, entry.name, entry.aliases)
    # The shown name may end in the id that tells two entries of one name apart; without it the name fits both, and is
    # refused.
    bare = entry.name.removesuffix(f" #{entry.id}")
    return Candidate((entry.id,), entry.name, (*entry.aliases, bare))
