"""What a question about calls means: names become ids, day words a closed window.

A question that names neither orders nor leads means every order that Liner lists; one that names leads but no time
begins when the first of them was created.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from anyio.lowlevel import checkpoint

from liner_mcp.calls.arguments import FILTERS, CallQuery
from liner_mcp.calls.filters import Filters
from liner_mcp.calls.time_window import FIRST_YEAR, ParsedWindow, TimeWindow, parse_window
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded, InvalidArgument, LinerMcpError, NotFound
from liner_mcp.liner.endpoints import OTHER_ACCOUNT
from liner_mcp.liner.models import CODE_CHARACTERS, Lead
from liner_mcp.liner.parallel import run_all
from liner_mcp.names.directory import DirectoryEntry, Kind
from liner_mcp.names.matching import Candidate, Candidates, closest, normalize_name, resolve_ids, resolve_name
from liner_mcp.text.mask import quote_input

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

    Raises: InvalidArgument for a name that fits none or several, an unknown lead, or an impossible window; the errors
    of the Liner client when a dictionary is needed and cannot be read.
    """
    low, high = query.min_talk_seconds, query.max_talk_seconds
    if low is not None and high is not None and low > high:
        raise InvalidArgument(f"max_talk_seconds: {high} is less than min_talk_seconds, {low}; no call can be both.")
    parsed = await _resolve_window(context, query)
    values: dict[str, Any] = {name: getattr(query, name) for name in FILTERS}
    values["agents"] = await _resolve_agents(context, query.agents)
    values["statuses"], values["status_ids"], notes = await _resolve_statuses(context, query.statuses)
    values["orders"] = await _resolve_ids(context, "orders", "orders", query.orders)
    filters = await with_all_orders(context, Filters(**values))
    return ResolvedQuery(
        filters,
        parsed.window,
        (*_window_notes(context, parsed), *notes),
        find_gaps(context, query, filters),
    )


async def with_all_orders(context: AppContext, filters: Filters) -> Filters:
    """The filters with every order that Liner lists, where neither orders nor leads were named."""
    if filters.leads or (filters.orders and not filters.all_orders):
        return filters
    orders = await context.directory.entries("orders")
    return replace(filters, orders=tuple(entry.id for entry in orders), all_orders=True)


def find_gaps(context: AppContext, query: CallQuery, filters: Filters) -> tuple[str, ...]:
    """What may be missing because a dictionary is empty or did not come whole: orders where all of them are meant, and
    others that a name fits.

    Called after the dictionaries were read.
    """
    gaps: list[str] = []
    if filters.all_orders and not filters.orders:
        gaps.append("Liner lists no orders, so there was nowhere to look; orders or leads can be named by id.")
    elif filters.all_orders and not context.directory.is_complete("orders"):
        gaps.append("Liner counts more orders than it lists; calls of the others are missing here.")
    partial = [
        kind.replace("_", " ")
        for name, declared in FILTERS.items()
        for kind in declared.names
        if any(isinstance(one, str) for one in getattr(query, name)) and not context.directory.is_complete(kind)
    ]
    if partial:
        these = " and ".join(partial)
        gaps.append(
            f"Liner counts more {these} than it lists; a name may fit others too, whose calls are missing here."
        )
    return tuple(gaps)


# Times ----------------------------------------------------------------------------------------------------------------


async def _resolve_window(context: AppContext, query: CallQuery) -> ParsedWindow:
    now = context.now()
    first = None
    if query.leads and query.since is None:
        first = await _earliest_creation(context, query.leads)
        if first is not None and first >= now:
            first = None
    return parse_window(query.since, query.until, zone=context.zone, now=now, default_since=first)


async def _earliest_creation(context: AppContext, leads: Sequence[int]) -> datetime | None:
    """When the first of these leads was created: none of their calls is older."""
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
    return max(min(moments), datetime(FIRST_YEAR, 1, 1, tzinfo=UTC))  # a placeholder such as the year 1 is no moment


def _window_notes(context: AppContext, parsed: ParsedWindow) -> list[str]:
    notes: list[str] = []
    if parsed.defaulted:
        notes.append("No since was given, so these are the 7 days up to the end of window.")
    if parsed.uses_zone and not context.zone.configured:
        notes.append(
            f"Days and times were read as {context.zone.name}, this machine's zone; LINER_TIMEZONE sets another."
        )
    return notes


# Names ----------------------------------------------------------------------------------------------------------------


async def _resolve_ids(context: AppContext, argument: str, kind: Kind, asked: Sequence[int | str]) -> tuple[int, ...]:
    """Ids of one kind; the dictionary is read only when a name has to be looked up."""
    if all(isinstance(one, int) for one in asked):
        return tuple(dict.fromkeys(one for one in asked if isinstance(one, int)))
    return resolve_ids(argument, asked, Candidates(map(_to_candidate, await context.directory.entries(kind))))


async def _resolve_agents(context: AppContext, asked: Sequence[int | str]) -> tuple[int, ...]:
    """Agents by id or name; the name of an agent group stands for its agents."""
    if all(isinstance(one, int) for one in asked):
        return tuple(dict.fromkeys(one for one in asked if isinstance(one, int)))
    people = [_to_candidate(entry) for entry in await context.directory.entries("agents")]
    try:
        groups = await context.directory.entries("agent_groups")
    except LinerMcpError:
        groups = ()  # a token that may read users but not groups can still look up users
    teams = [Candidate(one.members, one.name, one.aliases) for one in groups]
    found = resolve_ids("agents", asked, Candidates([*people, *teams]))
    if not found:
        raise InvalidArgument("agents: this agent group has no agents, so no call can be theirs.")
    return found


async def _resolve_statuses(
    context: AppContext, asked: Sequence[int | str]
) -> tuple[tuple[str, ...], tuple[int, ...], list[str]]:
    """Codes and ids of call statuses that are given by id, code or title.

    A call may have a code that is not in the dictionary. Text that looks like a code, and like nothing in the
    dictionary, is taken for such a code. Liner cannot filter by it, so the ids are then empty.
    """
    if not asked:
        return (), (), []
    entries = await context.directory.entries("call_statuses")
    candidates = Candidates(map(_to_candidate, entries))
    codes: dict[str, None] = {}
    ids: dict[int, None] = {}
    unknown: list[str] = []
    for one in asked:
        await checkpoint()  # each is compared with the whole dictionary
        entry = _resolve_status(one, entries, candidates)
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
    return tuple(codes), () if unknown else tuple(ids), _unknown_notes(unknown)


def _unknown_notes(codes: Sequence[str]) -> list[str]:
    if not codes:
        return []
    quoted = ", ".join(quote_input(code, CODE_CHARACTERS) for code in codes[:MAX_NAMED_CODES])
    more = f" and {len(codes) - MAX_NAMED_CODES} more" if len(codes) > MAX_NAMED_CODES else ""
    return [f"Liner's dictionary has no status {quoted}{more}; calls were compared by code."]


def _resolve_status(
    asked: int | str, entries: Sequence[DirectoryEntry], candidates: Candidates
) -> DirectoryEntry | None:
    if isinstance(asked, int):
        by_id = {entry.id: entry for entry in entries}
        if asked not in by_id:
            raise InvalidArgument(
                f"statuses: Liner has no call status {asked}. list_directory(call_statuses) lists them."
            )
        return by_id[asked]
    known = [text for entry in entries for text in (normalize_name(entry.code or ""), normalize_name(entry.name))]
    within = any(asked in text for text in known)
    if _CODE.fullmatch(asked) and not within and not closest(asked, known, 1, cutoff=0.75):
        return None
    found = resolve_name("statuses", asked, candidates)
    return next(entry for entry in entries if entry.id == found.ids[0])


def _to_candidate(entry: DirectoryEntry) -> Candidate:
    # The shown name may end in the id that tells two entries of one name apart; without it the name fits both, and is
    # refused.
    bare = entry.name.removesuffix(f" #{entry.id}")
    return Candidate((entry.id,), entry.name, (*entry.aliases, bare))
