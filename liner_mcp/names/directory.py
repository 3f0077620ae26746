"""Names: who an agent id is, what an order is called, what a status code means.

Each dictionary is fetched once per few minutes, however many calls run at once. A dictionary that cannot be read costs
the names, never the answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import anyio
from async_lru import _LRUCacheWrapper, alru_cache  # pyright: ignore[reportPrivateUsage] - the type has no other name

from liner_mcp.answer.table import Cell
from liner_mcp.errors import DeadlineExceeded, LinerMcpError
from liner_mcp.event_loop import Turns
from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.models import Identified
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.parallel import run_all
from liner_mcp.names.matching import normalize_name
from liner_mcp.text.mask import shown_steps, truncate

DIRECTORY_TTL_SECONDS = (
    300.0  # a new agent has a name within five minutes; a busy hour costs twelve reads per dictionary
)
READ_TIMEOUT_SECONDS = 10.0  # an answer does not wait longer than this for names
MAX_NAME_CHARACTERS = 80  # longer names are somebody's mistake, or somebody's attack on the context

I = TypeVar("I", bound=Identified)  # noqa: E741 - a type variable

Kind = Literal["agents", "orders", "agent_groups", "call_statuses", "lead_statuses"]
# In the legend of an answer, what calls carry is simply a status.
_KIND_OF_LEGEND: dict[str, Kind] = {"agents": "agents", "orders": "orders", "statuses": "call_statuses"}


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """One line of a dictionary. `name` is shown (two of one name carry their id), `aliases` are other names it goes by.

    `code` is what calls and leads carry instead of the id, where there is one. `members` are an agent group's agents.
    `details` tells entries apart in a listing.
    """

    id: int
    name: str
    aliases: tuple[str, ...] = ()
    code: str | None = None
    members: tuple[int, ...] = ()
    details: tuple[Cell, ...] = ()


def name_key(entry: DirectoryEntry) -> tuple[str, int]:
    """Where an entry stands among others."""
    return (normalize_name(entry.name), entry.id)


@dataclass(frozen=True, slots=True)
class DirectoryNames:
    """What is called how: for each kind, names by id (statuses by code); what has no name is there with an empty one.

    `missing` are kinds that could not be read, `partial` those of which Liner counts more than it lists.
    """

    by_kind: Mapping[str, Mapping[Cell, str]]
    missing: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()

    def legend(self, kind: str, ids: Iterable[Cell]) -> dict[str, str]:
        """The names of those of `ids` that have one, keyed as JSON keys; an unknown id stays a bare id."""
        known = self.by_kind.get(kind, {})
        wanted = dict.fromkeys(ids)
        found = {str(one): known[one] for one in wanted if one is not None and known.get(one)}
        if kind == "agents" and None in wanted:
            found["null"] = "no agent"
        return found

    def unlisted(self, kind: str, ids: Iterable[int]) -> list[int]:
        """Those of `ids` that a dictionary read whole does not have; none of them where it was not."""
        if kind not in self.by_kind or kind in self.partial:
            return []
        return [one for one in ids if one not in self.by_kind[kind]]

    def notes(self) -> list[str]:
        """What a reader should know about names that are not there."""
        notes: list[str] = []
        for kinds, which in ((self.missing, ""), (self.partial, "some ")):
            if kinds:
                unread = " and ".join(kinds)
                notes.append(f"Names of {which}{unread} could not be read from Liner; their ids are right.")
        return notes


class Directory:
    """Liner's dictionaries, cached. One per process; shared by all tools."""

    def __init__(self, liner: LinerClient) -> None:
        self._liner = liner
        self._turns = Turns()
        self._partial: set[Kind] = set()
        self._entries: dict[Kind, tuple[DirectoryEntry, ...]] = {}
        readers: dict[Kind, Callable[[], Awaitable[list[DirectoryEntry]]]] = {
            "agents": self._agents,
            "orders": self._orders,
            "agent_groups": self._agent_groups,
            "call_statuses": self._call_statuses,
            "lead_statuses": self._lead_statuses,
        }
        self._readers: dict[Kind, _LRUCacheWrapper[tuple[DirectoryEntry, ...]]] = {
            kind: alru_cache(maxsize=1, ttl=DIRECTORY_TTL_SECONDS)(self._with_deadline(kind, read))
            for kind, read in readers.items()
        }

    async def entries(self, kind: Kind) -> tuple[DirectoryEntry, ...]:
        """All entries of a dictionary, by name. Raises what the Liner client raises."""
        return await self._readers[kind]()

    def is_complete(self, kind: Kind) -> bool:
        """Whether the entries of a dictionary, as they were last read, are all that Liner counts."""
        return kind not in self._partial

    async def names(self, *kinds: str) -> DirectoryNames:
        """The names of `kinds` ("agents", "orders", "statuses"); raises nothing, see `DirectoryNames.missing`."""
        wanted: list[Kind] = [_KIND_OF_LEGEND[kind] for kind in kinds]
        if all(map(self._is_fresh, wanted)):  # mostly, and then there is nothing to wait for
            outcomes = [self._entries[one] for one in wanted]
        else:
            readers = [_none_on_error(self._readers[one]) for one in wanted]
            outcomes = list(await run_all(readers, concurrency=self._liner.concurrency))
        known: dict[str, Mapping[Cell, str]] = {}
        missing: list[str] = []
        for kind, outcome in zip(kinds, outcomes, strict=True):
            if isinstance(outcome, tuple):
                by_code = kind == "statuses"
                known[kind] = {entry.code if by_code else entry.id: entry.name for entry in outcome}
            else:
                missing.append(kind)
        partial = tuple(kind for kind in known if not self.is_complete(_KIND_OF_LEGEND[kind]))
        return DirectoryNames(known, tuple(missing), partial)

    def _is_fresh(self, kind: Kind) -> bool:
        return kind in self._entries and self._readers[kind].cache_contains()

    def _with_deadline(
        self, kind: Kind, read: Callable[[], Awaitable[list[DirectoryEntry]]]
    ) -> Callable[[], Coroutine[Any, Any, tuple[DirectoryEntry, ...]]]:
        async def read_within_deadline() -> tuple[DirectoryEntry, ...]:
            self._entries.pop(kind, None)  # what is being read anew has run out
            # The shared read outlives the call that began it, so it needs a deadline of its own.
            try:
                with anyio.fail_after(READ_TIMEOUT_SECONDS):
                    entries = tuple(sorted(await read(), key=name_key))
            except TimeoutError:
                raise DeadlineExceeded(
                    f"A dictionary could not be read from Liner within {READ_TIMEOUT_SECONDS:.0f} s."
                ) from None
            self._entries[kind] = entries
            return entries

        return read_within_deadline

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
                    # Russian paperwork writes the last name first.
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
        """A name on one line, masked and short: it is text from Liner like any other."""
        return truncate(await self._turns.text(shown_steps(" ".join((name or "").split()))), MAX_NAME_CHARACTERS)


def _none_on_error(
    read: Callable[[], Awaitable[tuple[DirectoryEntry, ...]]],
) -> Callable[[], Awaitable[tuple[DirectoryEntry, ...] | None]]:
    async def settled() -> tuple[DirectoryEntry, ...] | None:
        # Even a refused token: one that may read calls but not users still answers what was said on them.
        try:
            return await read()
        except LinerMcpError:
            return None

    return settled


def _disambiguate(entries: Sequence[DirectoryEntry]) -> list[DirectoryEntry]:
    """The entries; two of one name carry their id."""
    bearers = Counter(entry.name for entry in entries)
    return [
        entry if bearers[entry.name] == 1 or not entry.name else replace(entry, name=f"{entry.name} #{entry.id}")
        for entry in entries
    ]
