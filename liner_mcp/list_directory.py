"""Browsing Liner's dictionaries: orders, agents, agent groups, statuses."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence, Set
from dataclasses import dataclass

from liner_mcp.answer.cursor import decode_cursor, encode_cursor
from liner_mcp.answer.table import Answer, Evidence, Members, Row, page, render_within_budget, table, to_compact_json
from liner_mcp.context import AppContext
from liner_mcp.errors import InvalidArgument
from liner_mcp.input_limits import MAX_TEXT
from liner_mcp.names.directory import (
    ENTRIES_PER_STEP,
    LOOKUP_TTL_SECONDS,
    MAX_NAME_CHARACTERS,
    NO_AGENT,
    WHOLE_TTL_SECONDS,
    Dictionary,
    DirectoryEntry,
    Kind,
    describe_doubts,
    is_no_agent,
    name_key,
)
from liner_mcp.names.matching import capitalize, contains, describe_empty_name, join_names, names_in, normalize_name
from liner_mcp.text.mask import quote_input

LIST_DIRECTORY = "list_directory"
# The columns beside id and name, in the order of `DirectoryEntry.details`.
DETAIL_COLUMNS: dict[Kind, tuple[str, ...]] = {
    "orders": ("code",),
    "agents": ("role", "active", "groups"),
    "agent_groups": ("english_name", "agents"),
    "call_statuses": ("code", "lead_status"),
    "lead_statuses": ("code", "category"),
}
_NAMES_PER_WORK = 20  # that an entry is compared with in ten microseconds
MAX_PAGE_ENTRIES = 200  # hundreds of agents are browsed by query, not by page


async def list_directory(
    context: AppContext, *, kind: Kind | None, query: str | None, cursor: str | None, budget: int
) -> Answer:
    """The entries of a dictionary whose name contains `query` or whose id it is, by name, within `budget` bytes. Where
    agents are filtered by the name of their group, the same query lists them.

    Raises: InvalidArgument for an unusable query or cursor; what the Liner client raises when the dictionary cannot be
    read.
    """
    kind, query, after = _parse_cursor(kind, query, cursor)
    if query and not normalize_name(query):
        raise InvalidArgument(describe_empty_name("query", query))
    # A later page goes on in the list of the first, where it is still cached.
    dictionary = await context.directory.read(kind, WHOLE_TTL_SECONDS if after is None else None)
    groups = await _groups(context) if kind == "agents" else None
    found = await context.turns.run(_matching_steps(dictionary, query or "", groups))
    if query and not found:
        dictionary = await context.directory.read(kind, LOOKUP_TTL_SECONDS)
        groups = await _groups(context, LOOKUP_TTL_SECONDS) if kind == "agents" else None
        found = await context.turns.run(_matching_steps(dictionary, query or "", groups))
    # The groups of agents, or the number of agents in groups, whichever the rows show.
    without_members = any(group.members is None for group in (groups or dictionary).entries)
    version = _version(found)
    changed = after is not None and after.version != version
    left = [entry for entry in found if after is None or name_key(entry) > after.key]
    # An entry whose name could not be read is listed, and may be what the query means.
    doubt = describe_doubts(dictionary, by_name=bool(query))
    groups_unsure = groups is not None and (without_members or groups.doubt_of_names is not None)
    # The name of a group that was not read may be what the query means.
    whole = not (doubt or changed or (query and groups_unsure))
    rows = _rows(left[:MAX_PAGE_ENTRIES], groups)
    notes = _notes(dictionary, groups, doubt, nothing_found=bool(query) and not found, changed=changed)
    if kind == "agents" and is_no_agent(query):
        notes.insert(0, f'agents=["{NO_AGENT}"] asks for the calls without an agent.')
    if without_members:
        where = "groups may lack some" if groups else "agents is null there"
        notes.append(f"Liner does not send the agents of some agent groups, so {where}.")
    if after is not None:
        version = after.version  # a change is said on all later pages

    def render(count: int) -> Members:
        more = count < len(left)
        return {
            "asked": {"kind": kind, **({"query": quote_input(query, MAX_NAME_CHARACTERS)} if query else {})},
            "page": page(
                count,
                Evidence(left=more, missing=not whole, undecided=0, unknown=groups_unsure),
                total=len(found),
                changed=changed or None,
                next_cursor=_encode_cursor(kind, query, _Place(name_key(left[count - 1]), version)) if more else None,
            ),
            "notes": notes,
            **table(("id", "name", *DETAIL_COLUMNS[kind]), rows[:count]),
        }

    return render_within_budget(render, range(1, len(rows) + 1), budget)


async def _groups(context: AppContext, max_age: float | None = None) -> Dictionary:
    return await context.directory.read_if_possible("agent_groups", max_age)


def _matching_steps(
    dictionary: Dictionary, query: str, groups: Dictionary | None
) -> Generator[int, None, Sequence[DirectoryEntry]]:
    """The entries that the query fits as a whole, or else without its commas, or else one of the names in it."""
    if not query:
        return dictionary.entries
    parts = names_in(query)
    for wanted in ([query], [" ".join(parts)], parts):
        names = list(dict.fromkeys(map(normalize_name, wanted)))
        fitting: list[DirectoryEntry] = []
        if groups is not None:
            fitting = yield from _fitting_steps(groups, names, frozenset())
        ids = {agent for group in fitting for agent in group.members or ()}
        ids.update(int(number) for name in names if (number := name.removeprefix("#")).isascii() and number.isdigit())
        found: list[DirectoryEntry] = yield from _fitting_steps(dictionary, names, ids)
        if found:
            return found
    return []


def _fitting_steps(
    dictionary: Dictionary, wanted: Sequence[str], ids: Set[int]
) -> Generator[int, None, list[DirectoryEntry]]:
    """The entries that have one of these names or ids."""
    found: list[DirectoryEntry] = []
    for start in range(0, len(dictionary.entries), ENTRIES_PER_STEP):
        step = dictionary.entries[start : start + ENTRIES_PER_STEP]
        found += [entry for entry in step if entry.id in ids or _fits(wanted, entry)]
        yield len(step) * (1 + len(wanted) // _NAMES_PER_WORK)
    return found


def _fits(wanted: Sequence[str], entry: DirectoryEntry) -> bool:
    """Whether the entry has one of these in its name, with or without the id after it."""
    names = join_names(normalize_name(text) for text in (entry.name, *entry.aliases) if text)
    for part in wanted:
        if contains(part, names):
            return True
        name, mark, number = part.rpartition("#")
        if mark and number == str(entry.id) and contains(name.strip(), names):
            return True
    return False


def _notes(
    dictionary: Dictionary, groups: Dictionary | None, doubt: str, *, nothing_found: bool, changed: bool
) -> list[str]:
    notes: list[str] = []
    if doubt:
        notes.append(f"{capitalize(doubt)}; some may be missing here.")
    elif unnamed := describe_doubts(dictionary, by_name=True):
        notes.append(f"{capitalize(unnamed)}; their ids are right.")
    if changed:
        notes.append("The list changed after the first page; some entries may be missing from these pages.")
    if nothing_found:
        which = "entries that were read" if doubt else "entries"
        notes.append(f"None of the {len(dictionary.entries)} {which} has this in its name.")
    if groups is not None and groups.doubt_of_names:
        lack = "groups is empty" if groups.doubt == "unread" else "groups may lack some"
        notes.append(f"{capitalize(describe_doubts(groups, by_name=True))}, so {lack}.")
    return notes


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page ended, in which version of the listed entries."""

    key: tuple[str, int]
    version: str


def _version(entries: Sequence[DirectoryEntry]) -> str:
    keys = to_compact_json({"": [name_key(entry) for entry in entries]})
    return hashlib.blake2s(keys.encode(), digest_size=4).hexdigest()


def _parse_cursor(kind: Kind | None, query: str | None, cursor: str | None) -> tuple[Kind, str | None, _Place | None]:
    if cursor is None:
        if kind is None:
            raise InvalidArgument(f"kind is missing: it is one of {', '.join(DETAIL_COLUMNS)}.")
        return kind, query, None
    state = decode_cursor(LIST_DIRECTORY, cursor)
    try:
        name, last = state["after"]
        after = _Place((str(name), int(last)), str(state["version"]))
        cursor_kind, cursor_query = state["kind"], state["query"]
        if (
            not isinstance(cursor_query, str | None)
            or len(cursor_query or "") > MAX_TEXT
            or cursor_kind not in DETAIL_COLUMNS
        ):
            raise TypeError(cursor_query)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InvalidArgument("cursor cannot be read. Ask again without it to start at the first page.") from None
    if kind not in (None, cursor_kind) or (query is not None and query != cursor_query):
        raise InvalidArgument(f"cursor belongs to another listing, of {cursor_kind}. Ask without it to begin anew.")
    return cursor_kind, cursor_query, after


def _encode_cursor(kind: Kind, query: str | None, place: _Place) -> str:
    state = {"kind": kind, "query": query, "after": place.key, "version": place.version}
    return encode_cursor(LIST_DIRECTORY, state)


def _rows(entries: Sequence[DirectoryEntry], groups: Dictionary | None) -> list[Row]:
    names = [entry.name or (None if entry.unknown else "") for entry in entries]
    if groups is None:
        return [(entry.id, name, *entry.details) for entry, name in zip(entries, names, strict=True)]
    belongs: dict[int, list[str]] = {entry.id: [] for entry in entries}
    for group in groups.entries:
        for agent in belongs.keys() & (group.members or ()) if group.name else ():
            belongs[agent].append(group.name)
    return [
        (entry.id, name, *entry.details, ", ".join(belongs[entry.id]) or None)
        for entry, name in zip(entries, names, strict=True)
    ]
