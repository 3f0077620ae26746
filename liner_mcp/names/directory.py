"""Names of agents and orders, and titles of status codes, from Liner's dictionaries.

Each dictionary is read once per `DIRECTORY_TTL_SECONDS`, however many calls run at once. When a dictionary cannot be
read, an answer lacks its names and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, TypeVar, cast

import anyio
from cachetools import TTLCache

from liner_mcp.answer.table import Cell
from liner_mcp.errors import DeadlineExceeded, LinerMcpError
from liner_mcp.event_loop import Turns
from liner_mcp.liner.models import Identified
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.reads import LinerReads
from liner_mcp.liner.single_flight import SingleFlight
from liner_mcp.names.matching import normalize_name
from liner_mcp.text.mask import shown_steps, truncate

# A new agent has a name within five minutes, and an hour costs at most twelve reads per dictionary.
DIRECTORY_TTL_SECONDS = 300.0
READ_TIMEOUT_SECONDS = 10.0  # an answer does not wait longer than this for names
MAX_NAME_CHARACTERS = 80  # a longer name is a mistake, or an attack on the context of a model

I = TypeVar("I", bound=Identified)  # noqa: E741 - a type variable

Kind = Literal["agents", "orders", "agent_groups", "call_statuses", "lead_statuses"]
# The legend of an answer says `statuses`: calls have no other kind of status.
_KIND_OF_LEGEND: dict[str, Kind] = {"agents": "agents", "orders": "orders", "statuses": "call_statuses"}


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """One line of a dictionary. `name` is shown; equal names have their id appended. `aliases` are its other names.

    `code` is set where calls and leads refer to the entry by a code instead of the id. `members` are the agents of an
    agent group. `details` are the cells that distinguish entries in a listing.
    """

    id: int
    name: str
    aliases: tuple[str, ...] = ()
    code: str | None = None
    members: tuple[int, ...] = ()
    details: tuple[Cell, ...] = ()


def name_key(entry: DirectoryEntry) -> tuple[str, int]:
    """The sort key of entries: by name, then by id."""
    return (normalize_name(entry.name), entry.id)


@dataclass(frozen=True, slots=True)
class DirectoryNames:
    """For each kind, names by id (statuses by code); an entry without a name has an empty one.

    `missing` are kinds that could not be read. `partial` are kinds of which Liner counts more than it lists.
    """

    by_kind: Mapping[str, Mapping[Cell, str]]
    missing: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()

    def legend(self, kind: str, ids: Iterable[Cell]) -> dict[str, str]:
        """The names of `ids`, keyed by the id as text. An id without a name is left out."""
        known = self.by_kind.get(kind, {})
        wanted = dict.fromkeys(ids)
        found = {str(one): known[one] for one in wanted if one is not None and known.get(one)}
        if kind == "agents" and None in wanted:
            found["null"] = "no agent"
        return found

    def unlisted(self, kind: str, ids: Iterable[int]) -> list[int]:
        """The ids that a completely read dictionary does not have; none when it was not read completely."""
        if kind not in self.by_kind or kind in self.partial:
            return []
        return [one for one in ids if one not in self.by_kind[kind]]

    def notes(self) -> list[str]:
        """Notes about names that are missing."""
        notes: list[str] = []
        for kinds, which in ((self.missing, ""), (self.partial, "some ")):
            if kinds:
                unread = " and ".join(kinds)
                notes.append(f"Names of {which}{unread} could not be read from Liner; their ids are right.")
        return notes


class Directory:
    """Liner's dictionaries, cached. All tools share one per process, or per access rule."""

    def __init__(self, liner: LinerReads) -> None:
        self._liner = liner
        self._turns = Turns()
        self._readers: dict[str, Callable[[], Awaitable[list[DirectoryEntry]]]] = {
            "agents": self._agents,
            "orders": self._orders,
            "agent_groups": self._agent_groups,
            "call_statuses": self._call_statuses,
            "lead_statuses": self._lead_statuses,
        }
        self._cache = TTLCache[str, tuple[DirectoryEntry, ...], float](len(self._readers), DIRECTORY_TTL_SECONDS)
        self._partial: set[Kind] = set()
        self._reads = SingleFlight()

    async def entries(self, kind: Kind) -> tuple[DirectoryEntry, ...]:
        """All entries of a dictionary, by name. Raises what the Liner client raises.

        Callers at the same time share one read. It continues as long as one of them waits.
        """
        cached = self._cache.get(kind)
        if cached is None:
            cached = cast("tuple[DirectoryEntry, ...]", await self._reads.run(kind, partial(self._read, kind)))
        return cached

    def is_complete(self, kind: Kind) -> bool:
        """Whether the entries of a dictionary, as they were last read, are all that Liner counts."""
        return kind not in self._partial

    async def names(self, *kinds: str) -> DirectoryNames:
        """The names of `kinds` ("agents", "orders", "statuses"); raises nothing, see `DirectoryNames.missing`."""
        wanted: list[Kind] = [_KIND_OF_LEGEND[kind] for kind in kinds]
        outcomes = [self._cache.get(kind) for kind in wanted]
        if None in outcomes:
            reads = [partial(self._entries_or_none, kind) for kind in wanted]
            outcomes = list(await run_all(reads, concurrency=self._liner.concurrency))
        known: dict[str, Mapping[Cell, str]] = {}
        missing: list[str] = []
        for kind, outcome in zip(kinds, outcomes, strict=True):
            if isinstance(outcome, tuple):
                by_code = kind == "statuses"
                known[kind] = {entry.code if by_code else entry.id: entry.name for entry in outcome}
            else:
                missing.append(kind)
        incomplete = tuple(kind for kind in known if not self.is_complete(_KIND_OF_LEGEND[kind]))
        return DirectoryNames(known, tuple(missing), incomplete)

    async def _entries_or_none(self, kind: Kind) -> tuple[DirectoryEntry, ...] | None:
        # Also for a refused token: a token that may read calls but not users still gets its answer, without names.
        try:
            return await self.entries(kind)
        except LinerMcpError:
            return None

    async def _read(self, kind: str) -> tuple[DirectoryEntry, ...]:
        # The shared read may outlive the call that began it, so it has a deadline of its own.
        try:
            with anyio.fail_after(READ_TIMEOUT_SECONDS):
                entries = tuple(sorted(await self._readers[kind](), key=name_key))
        except TimeoutError:
            raise DeadlineExceeded(
                f"A dictionary could not be read from Liner within {READ_TIMEOUT_SECONDS:.0f} s."
            ) from None
        self._cache[kind] = entries
        return entries

    def _record_completeness(self, kind: Kind, listing: Listing[I]) -> tuple[I, ...]:
        (self._partial.discard if listing.complete else self._partial.add)(kind)
        return listing.items

    async def _agents(self) -> list[DirectoryEntry]:
        users = self._record_completeness("agents", await self._liner.users())
        return _disambiguate(
            [
                DirectoryEntry(
                    user.id,
                    await self._shown(
                        " ".join(part.strip() for part in (user.name, user.last_name) if part and part.strip())
                    ),
                    # Russian documents write the last name first.
                    aliases=(await self._shown(f"{user.last_name or ''} {user.name or ''}"),),
                    details=(user.access_group, None if user.is_active is None else int(user.is_active)),
                )
                for user in users
            ]
        )

    async def _orders(self) -> list[DirectoryEntry]:
        orders = self._record_completeness("orders", await self._liner.orders())
        return _disambiguate(
            [
                DirectoryEntry(
                    order.id,
                    await self._shown(order.title or order.service_title or order.code),
                    aliases=(await self._shown(order.service_title), await self._shown(order.code)),
                    details=(await self._shown(order.code) or None,),
                )
                for order in orders
            ]
        )

    async def _agent_groups(self) -> list[DirectoryEntry]:
        groups = self._record_completeness("agent_groups", await self._liner.agent_groups())
        return _disambiguate(
            [
                DirectoryEntry(
                    group.id,
                    await self._shown(group.names.ru or group.names.gb),
                    aliases=(await self._shown(group.names.gb),),
                    members=group.agent_ids,
                    details=(await self._shown(group.names.gb) or None, len(group.agent_ids)),
                )
                for group in groups
            ]
        )

    async def _call_statuses(self) -> list[DirectoryEntry]:
        statuses = await self._liner.call_statuses()
        return [
            DirectoryEntry(
                status.id,
                await self._shown(status.title),
                (status.code or "",),
                status.code,
                details=(status.code, status.lead_status_code),
            )
            for status in statuses
        ]

    async def _lead_statuses(self) -> list[DirectoryEntry]:
        statuses = await self._liner.lead_statuses()
        return [
            DirectoryEntry(
                status.id,
                await self._shown(status.title),
                (status.code or "",),
                status.code,
                details=(status.code, status.category),
            )
            for status in statuses
        ]

    async def _shown(self, name: str | None) -> str:
        """A name on one line, masked and truncated, like all text from Liner."""
        return truncate(await self._turns.text(shown_steps(" ".join((name or "").split()))), MAX_NAME_CHARACTERS)


def _disambiguate(entries: Sequence[DirectoryEntry]) -> list[DirectoryEntry]:
    """The entries; equal names have their id appended."""
    counts = Counter(entry.name for entry in entries)
    return [
        entry if counts[entry.name] == 1 or not entry.name else replace(entry, name=f"{entry.name} #{entry.id}")
        for entry in entries
    ]
