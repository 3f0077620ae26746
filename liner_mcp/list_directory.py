"""Browsing Liner's dictionaries: orders, agents, agent groups, statuses."""

from __future__ import annotations

from collections.abc import Sequence

from liner_mcp.answer.cursor import decode_cursor, encode_cursor
from liner_mcp.answer.table import Answer, Evidence, Members, Row, page, render_within_budget, table
from liner_mcp.context import AppContext
from liner_mcp.errors import InvalidArgument, LinerMcpError
from liner_mcp.input_limits import MAX_TEXT
from liner_mcp.names.directory import MAX_NAME_CHARACTERS, DirectoryEntry, Kind, name_key
from liner_mcp.names.matching import contains, normalize_name
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
MAX_PAGE_ENTRIES = 200  # hundreds of agents are browsed by query, not by page


async def list_directory(
    context: AppContext, *, kind: Kind | None, query: str | None, cursor: str | None, budget: int
) -> Answer:
    """The entries of a dictionary whose name contains `query` or whose id it is, by name, within `budget` bytes.

    Raises: InvalidArgument for an unusable cursor; what the Liner client raises when the dictionary cannot be read.
    """
    kind, query, after = _parse_cursor(kind, query, cursor)
    entries = await context.directory.entries(kind)
    groups = await _groups(context) if kind == "agents" else ()
    wanted = normalize_name(query or "")
    found = [
        entry
        for entry in entries
        if not wanted or wanted == str(entry.id) or any(contains(wanted, text) for text in _searchable_names(entry))
    ]
    left = [entry for entry in found if after is None or name_key(entry) > after]
    whole = context.directory.is_complete(kind)
    rows = [_row(entry, kind, groups) for entry in left[:MAX_PAGE_ENTRIES]]

    notes: list[str] = []
    if not whole:
        notes.append(f"Liner counts more {kind} than it lists; some may be missing here.")
    if query and not found:
        notes.append(f"None of the {len(entries)} entries has this in its name.")
    if groups is None:
        notes.append("Agent groups could not be read from Liner, so groups is empty.")

    def render(count: int) -> Members:
        more = count < len(left)
        return {
            "asked": {"kind": kind, **({"query": quote_input(query, MAX_NAME_CHARACTERS)} if query else {})},
            "page": page(
                count,
                Evidence(left=more, missing=not whole, undecided=0, unknown=False),
                total=len(found),
                next_cursor=_encode_cursor(kind, query, left[count - 1]) if more else None,
            ),
            "notes": notes,
            **table(("id", "name", *DETAIL_COLUMNS[kind]), rows[:count]),
        }

    return render_within_budget(render, range(1, len(rows) + 1), budget)


async def _groups(context: AppContext) -> tuple[DirectoryEntry, ...] | None:
    """The agents' groups; None when they cannot be read, which empties one column and does not fail the answer."""
    try:
        return await context.directory.entries("agent_groups")
    except LinerMcpError:
        return None


def _parse_cursor(
    kind: Kind | None, query: str | None, cursor: str | None
) -> tuple[Kind, str | None, tuple[str, int] | None]:
    if cursor is None:
        if kind is None:
            raise InvalidArgument(f"kind is missing: it is one of {', '.join(DETAIL_COLUMNS)}.")
        return kind, query, None
    state = decode_cursor(LIST_DIRECTORY, cursor)
    try:
        name, last = state["after"]
        after = (str(name), int(last))
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


def _encode_cursor(kind: Kind, query: str | None, last: DirectoryEntry) -> str:
    return encode_cursor(LIST_DIRECTORY, {"kind": kind, "query": query, "after": name_key(last)})


def _searchable_names(entry: DirectoryEntry) -> list[str]:
    return [normalize_name(text) for text in (entry.name, *entry.aliases) if text]


def _row(entry: DirectoryEntry, kind: Kind, groups: Sequence[DirectoryEntry] | None) -> Row:
    if kind != "agents":
        return (entry.id, entry.name, *entry.details)
    belongs = ", ".join(group.name for group in groups or () if entry.id in group.members)
    return (entry.id, entry.name, *entry.details, belongs or None)
