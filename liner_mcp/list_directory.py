"""Browsing Liner's dictionaries: orders, agents, agent groups, statuses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from liner_mcp.answer.cursor import decode_cursor, encode_cursor
from liner_mcp.answer.table import Draft, Row, Shown, Written, write
from liner_mcp.context import Desk
from liner_mcp.errors import InvalidArgument, LinerMcpError
from liner_mcp.input_limits import MAX_TEXT
from liner_mcp.names.directory import NAME_CHARACTERS, Entry, Kind, by_name
from liner_mcp.names.matching import contains, folded
from liner_mcp.text.mask import echoed

LIST_DIRECTORY = "list_directory"
# Beside id and name, what tells entries apart, in the order of `Entry.told`.
TOLD: dict[Kind, tuple[str, ...]] = {
    "orders": ("code",),
    "agents": ("role", "active", "groups"),
    "agent_groups": ("english_name", "agents"),
    "call_statuses": ("code", "lead_status"),
    "lead_statuses": ("code", "category"),
}
PAGE_ENTRIES = 200  # hundreds of agents are browsed by query, not by page


async def list_directory(
    desk: Desk, *, kind: Kind | None, query: str | None, cursor: str | None, budget: int
) -> Written:
    """The entries of a dictionary whose name has `query` in it or whose id it is, by name, within `budget` bytes.

    Raises: InvalidArgument for an unusable cursor; what the Liner client raises when the dictionary cannot be read.
    """
    kind, query, after = _place(kind, query, cursor)
    entries = await desk.directory.entries(kind)
    groups = await _groups(desk) if kind == "agents" else ()
    wanted = folded(query or "")
    found = [
        entry
        for entry in entries
        if not wanted or wanted == str(entry.id) or any(contains(wanted, text) for text in _texts(entry))
    ]
    left = [entry for entry in found if after is None or by_name(entry) > after]
    whole = desk.directory.whole(kind)
    rows = [_row(entry, kind, groups) for entry in left[:PAGE_ENTRIES]]

    def page(shown: Shown) -> dict[str, Any]:
        more = shown.blocks < len(left)
        members: dict[str, Any] = {"complete": not more and whole}
        if whole:
            members["total"] = len(found)
        if more:
            last = left[shown.blocks - 1]
            members["next_cursor"] = encode_cursor(
                LIST_DIRECTORY, {"kind": kind, "query": query, "after": by_name(last)}
            )
        return members

    draft = Draft(
        asked={"kind": kind, **({"query": echoed(query, NAME_CHARACTERS)} if query else {})},
        columns=("id", "name", *TOLD[kind]),
        blocks=[[row] for row in rows],
        page=page,
        names=lambda _: {},
        timezone="",
        notes=lambda _: [
            *([] if whole else [f"Liner counts more {kind} than it lists; some may be missing here."]),
            *([f"None of the {len(entries)} entries has this in its name."] if query and not found else []),
            *(["Agent groups could not be read from Liner, so groups is empty."] if groups is None else []),
        ],
    )
    return write(draft, budget)


async def _groups(desk: Desk) -> tuple[Entry, ...] | None:
    """The groups that agents belong to; None when they cannot be read, which costs a column and not the answer."""
    try:
        return await desk.directory.entries("agent_groups")
    except LinerMcpError:
        return None


def _place(kind: Kind | None, query: str | None, cursor: str | None) -> tuple[Kind, str | None, tuple[str, int] | None]:
    if cursor is None:
        if kind is None:
            raise InvalidArgument(f"kind is missing: it is one of {', '.join(TOLD)}.")
        return kind, query, None
    state = decode_cursor(LIST_DIRECTORY, cursor)
    try:
        name, last = state["after"]
        after = (str(name), int(last))
        told_kind, told_query = state["kind"], state["query"]
        if not isinstance(told_query, str | None) or len(told_query or "") > MAX_TEXT or told_kind not in TOLD:
            raise TypeError(told_query)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InvalidArgument("cursor cannot be read. Ask again without it to start at the first page.") from None
    if kind not in (None, told_kind) or (query is not None and query != told_query):
        raise InvalidArgument(f"cursor belongs to another listing, of {told_kind}. Ask without it to begin anew.")
    return told_kind, told_query, after


def _texts(entry: Entry) -> list[str]:
    return [folded(text) for text in (entry.name, *entry.also) if text]


def _row(entry: Entry, kind: Kind, groups: Sequence[Entry] | None) -> Row:
    if kind != "agents":
        return (entry.id, entry.name, *entry.told)
    belongs = ", ".join(group.name for group in groups or () if entry.id in group.members)
    return (entry.id, entry.name, *entry.told, belongs or None)
