"""Names of agents and orders, and titles of status codes, from Liner's dictionaries.

Each dictionary is read once per `DIRECTORY_TTL_SECONDS`, or sooner for an answer that needs a newer one, however many
calls run at once. When a dictionary cannot be read, an answer lacks its names and nothing else.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, TypeVar, cast

import anyio

from liner_mcp.answer.table import Cell
from liner_mcp.errors import DeadlineExceeded, LinerMcpError
from liner_mcp.event_loop import Turns
from liner_mcp.liner.models import CallStatus, Identified, LeadStatus
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.reads import LinerReads
from liner_mcp.liner.single_flight import SingleFlight
from liner_mcp.names.matching import normalize_name
from liner_mcp.text.mask import shown_steps, truncate

# A new agent has a name within five minutes, and an hour costs at most twelve reads per dictionary.
DIRECTORY_TTL_SECONDS = 300.0
# For an answer about every order or every entry: at most a minute of a new order's calls is missing from it.
WHOLE_TTL_SECONDS = 60.0
# For an unknown name or id. A model tries several spellings within seconds, and they share one read. A person who has
# just created an entry in Liner needs about as long to ask for it.
LOOKUP_TTL_SECONDS = 10.0
READ_TIMEOUT_SECONDS = 10.0  # an answer does not wait longer than this for names
MAX_NAME_CHARACTERS = 80  # a longer name is a mistake, or an attack on the context of a model
NO_AGENT = "no agent"  # the agent of a call without one, in answers and in arguments

ENTRIES_PER_STEP = 100  # that are compared with names between two steps, in some milliseconds
_NORMALIZING = 3  # the work for one name, as masking counts work

Status = TypeVar("Status", CallStatus, LeadStatus)
I = TypeVar("I", bound=Identified)  # noqa: E741 - a type variable

Kind = Literal["agents", "orders", "agent_groups", "call_statuses", "lead_statuses"]
Doubt = Literal["partial", "unreadable", "unnamed", "cut", "outdated", "unread"]
_DOUBTS: dict[Doubt, str] = {
    "partial": "Liner counts more {kinds} than it lists",
    "unreadable": "some rows of Liner's list of {kinds} could not be read",
    "unnamed": "the names of some {kinds} could not be read",
    "cut": "the list of {kinds} could not be read whole from Liner",
    "outdated": "the list of {kinds} could not be read again from Liner",
    "unread": "{kinds} could not be read from Liner",
}
# The fields of the name by which a person asks for an entry. The other names of an order are often not used.
_NAME_FIELDS: Mapping[Kind, tuple[str, ...]] = {
    "agents": ("name", "last_name"),
    "orders": ("title",),
    "agent_groups": ("names",),
    "call_statuses": ("title", "code"),
    "lead_statuses": ("title", "code"),
}
# The legend of an answer says `statuses`: calls have no other kind of status.
_KIND_OF_LEGEND: dict[str, Kind] = {"agents": "agents", "orders": "orders", "statuses": "call_statuses"}


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """One line of a dictionary. `name` is shown; names that are compared as equal have their id appended.

    `aliases` are its other names. `code` is set where calls and leads refer to the entry by a code instead of the id.
    `members` are the agents of an agent group, None where Liner does not send them. `details` are the cells that
    distinguish entries in a listing.
    `unknown`: the fields of its name, its code or its details that Liner did not send, or whose values cannot be used.
    """

    id: int
    name: str
    aliases: tuple[str, ...] = ()
    code: str | None = None
    members: tuple[int, ...] | None = ()
    details: tuple[Cell, ...] = ()
    unknown: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Dictionary:
    """The entries of one dictionary, by name. `doubt`: why Liner may have others; None when these are all.

    `former`: archived entries that have left the list. Old calls carry their ids.
    """

    kind: Kind
    entries: tuple[DirectoryEntry, ...]
    doubt: Doubt | None = None
    former: tuple[DirectoryEntry, ...] = ()

    @property
    def doubt_of_names(self) -> Doubt | None:
        """Why an entry may have a name that none of the entries has."""
        unnamed = any(entry.unknown.intersection(_NAME_FIELDS[self.kind]) for entry in self.entries)
        return self.doubt or ("unnamed" if unnamed else None)


def is_no_agent(asked: int | str | None) -> bool:
    """Whether a filter by this name means calls without an agent."""
    return isinstance(asked, str) and normalize_name(asked) == NO_AGENT


def describe_doubts(*dictionaries: Dictionary, by_name: bool = False) -> str:
    """Why an entry may be in none of the dictionaries and still exist, as a clause; empty when there are no doubts.

    `by_name`: why a name may be the name of another entry.
    """
    kinds: dict[Doubt, list[str]] = {}
    for one in dictionaries:
        doubt = one.doubt_of_names if by_name else one.doubt
        if doubt is not None:
            kinds.setdefault(doubt, []).append(one.kind.replace("_", " "))
    return " and ".join(_DOUBTS[doubt].format(kinds=" and ".join(which)) for doubt, which in kinds.items())


def name_key(entry: DirectoryEntry) -> tuple[str, int]:
    """The sort key of entries: by name, then by id."""
    return (normalize_name(entry.name), entry.id)


@dataclass(frozen=True, slots=True)
class DirectoryNames:
    """For each kind, names by id (statuses by code); an entry without a name has an empty one.

    `missing` are kinds that could not be read. `partial` are kinds that Liner may have more of.
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
            found["null"] = NO_AGENT
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
    """Liner's dictionaries, cached. All tools share one per process, or per access rule. `timer` counts seconds."""

    def __init__(self, liner: LinerReads, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._liner = liner
        self._timer = timer
        self._turns = Turns()
        self._readers: dict[Kind, Callable[[], Awaitable[Dictionary]]] = {
            "agents": self._agents,
            "orders": self._orders,
            "agent_groups": self._agent_groups,
            "call_statuses": self._call_statuses,
            "lead_statuses": self._lead_statuses,
        }
        self._cache: dict[Kind, tuple[Dictionary, float]] = {}  # with the time of the read
        self._failed_at: dict[Kind, float] = {}
        self._reads = SingleFlight()

    async def read(self, kind: Kind, max_age: float | None = None) -> Dictionary:
        """A dictionary that was read within the last `max_age` seconds, by default `DIRECTORY_TTL_SECONDS`.

        When it cannot be read again, the cached one is returned with a doubt, and the next attempt is made after
        `LOOKUP_TTL_SECONDS`. Raises what the Liner client raises when none is cached. Callers at the same time share
        one read, which continues as long as one of them waits.
        """
        cached = self._cached(kind)
        if cached is not None and self._cached(kind, max_age) is not None:
            return cached
        if cached is not None and self._timer() - self._failed_at.get(kind, -math.inf) < LOOKUP_TTL_SECONDS:
            return replace(cached, doubt="outdated")
        try:
            return cast("Dictionary", await self._reads.run(kind, partial(self._read, kind)))
        except LinerMcpError:
            self._failed_at[kind] = self._timer()
            if cached is None:
                raise
            return replace(cached, doubt="outdated")

    async def read_if_possible(self, kind: Kind, max_age: float | None = None) -> Dictionary:
        """The same, and an empty dictionary where `read` raises.

        A token that may read calls but not users still gets its answer, without names.
        """
        try:
            return await self.read(kind, max_age)
        except LinerMcpError:
            return Dictionary(kind, (), "unread")

    async def names(self, *kinds: str, requested: Mapping[str, Sequence[int]] | None = None) -> DirectoryNames:
        """The names of `kinds` ("agents", "orders", "statuses"); raises nothing, see `DirectoryNames.missing`.

        A dictionary that lacks one of the `requested` ids of its kind is read again, see `LOOKUP_TTL_SECONDS`.
        """
        found = await self._read_all(kinds)
        for kind, dictionary in (
            await self._read_all(_kinds_lacking(requested or {}, found), LOOKUP_TTL_SECONDS)
        ).items():
            late = dictionary.doubt == "unread"
            found[kind] = replace(found[kind], doubt="outdated") if late else dictionary
        names: dict[str, Mapping[Cell, str]] = {
            kind: {
                entry.code if kind == "statuses" else entry.id: entry.name
                for entry in (*dictionary.former, *dictionary.entries)
            }
            for kind, dictionary in found.items()
            if dictionary.doubt != "unread"
        }
        doubtful = tuple(kind for kind in names if found[kind].doubt_of_names is not None)
        return DirectoryNames(names, tuple(kind for kind in kinds if kind not in names), doubtful)

    async def _read_all(self, kinds: Sequence[str], max_age: float | None = None) -> dict[str, Dictionary]:
        found = {kind: self._cached(_KIND_OF_LEGEND[kind], max_age) for kind in kinds}
        missing = [kind for kind in kinds if found[kind] is None]
        reads = [partial(self.read_if_possible, _KIND_OF_LEGEND[kind], max_age) for kind in missing]
        outcomes = await run_all(reads, concurrency=self._liner.concurrency) if reads else ()
        for kind, outcome in zip(missing, outcomes, strict=True):
            found[kind] = outcome if isinstance(outcome, Dictionary) else None
        return {kind: found[kind] or Dictionary(_KIND_OF_LEGEND[kind], (), "unread") for kind in kinds}

    def _cached(self, kind: Kind, max_age: float | None = None) -> Dictionary | None:
        dictionary, read_at = self._cache.get(kind, (None, 0.0))
        return dictionary if self._timer() - read_at < (DIRECTORY_TTL_SECONDS if max_age is None else max_age) else None

    async def _read(self, kind: Kind) -> Dictionary:
        # The shared read may outlive the call that began it, so it has a deadline of its own.
        try:
            with anyio.fail_after(READ_TIMEOUT_SECONDS):
                dictionary = await self._readers[kind]()
        except TimeoutError:
            raise DeadlineExceeded(
                f"A dictionary could not be read from Liner within {READ_TIMEOUT_SECONDS:.0f} s."
            ) from None
        if dictionary.doubt != "outdated":
            self._cache[kind] = dictionary, self._timer()
            return dictionary
        # An archived one, because Liner failed: Liner is asked again soon, and a cached one is newer.
        self._failed_at[kind] = self._timer()
        cached = self._cached(kind)
        if cached is not None:
            return replace(cached, doubt="outdated")
        self._cache[kind] = dictionary, self._timer() - DIRECTORY_TTL_SECONDS + LOOKUP_TTL_SECONDS
        return dictionary

    async def _agents(self) -> Dictionary:
        listing = await self._liner.users()
        unknown = _unknown(listing.with_former, "name", "last_name")
        entries = [
            DirectoryEntry(
                user.id,
                # Part of a name may be the name of another agent.
                ""
                if unknown[user.id]
                else await self._shown(
                    " ".join(part.strip() for part in (user.name, user.last_name) if part and part.strip())
                ),
                # Russian documents write the last name first.
                aliases=(await self._shown(f"{user.last_name or ''} {user.name or ''}"),),
                details=(user.access_group, None if user.is_active is None else int(user.is_active)),
                unknown=unknown[user.id],
            )
            for user in listing.with_former
        ]
        return _dictionary("agents", _disambiguate(entries), listing)

    async def _orders(self) -> Dictionary:
        listing = await self._liner.orders()
        unknown = _unknown(listing.with_former, "title")
        entries = [
            DirectoryEntry(
                order.id,
                "" if unknown[order.id] else await self._shown(order.title or order.service_title or order.code),
                aliases=(await self._shown(order.service_title), await self._shown(order.code)),
                details=(await self._shown(order.code) or None,),
                unknown=unknown[order.id],
            )
            for order in listing.with_former
        ]
        return _dictionary("orders", _disambiguate(entries), listing)

    async def _agent_groups(self) -> Dictionary:
        listing = await self._liner.agent_groups()
        unknown = _unknown(listing.with_former, "names")
        entries = [
            DirectoryEntry(
                group.id,
                await self._shown(group.names.ru or group.names.gb),
                aliases=(await self._shown(group.names.gb),),
                members=group.agent_ids,
                details=(
                    await self._shown(group.names.gb) or None,
                    None if group.agent_ids is None else len(group.agent_ids),
                ),
                unknown=unknown[group.id],
            )
            for group in listing.with_former
        ]
        return _dictionary("agent_groups", _disambiguate(entries), listing)

    async def _call_statuses(self) -> Dictionary:
        return await self._statuses("call_statuses", await self._liner.call_statuses(), "lead_status_code")

    async def _lead_statuses(self) -> Dictionary:
        return await self._statuses("lead_statuses", await self._liner.lead_statuses(), "category")

    async def _statuses(self, kind: Kind, listing: Listing[Status], distinguishing: str) -> Dictionary:
        unknown = _unknown(listing.with_former, "title", "code", distinguishing)
        entries = [
            DirectoryEntry(
                status.id,
                await self._shown(status.title),
                (status.code or "",),
                status.code,
                details=(status.code, getattr(status, distinguishing)),
                unknown=unknown[status.id],
            )
            for status in listing.with_former
        ]
        return _dictionary(kind, entries, listing)

    async def _shown(self, name: str | None) -> str:
        """A name on one line, masked and truncated, like all text from Liner."""
        return await self._turns.run(_name_steps(name or ""))


def _name_steps(name: str) -> Generator[int, None, str]:
    """Mask a name, and normalize it for the cache: for thousands of names at once that would take too long."""
    masked = yield from shown_steps(" ".join(name.split()))
    shown = truncate(masked, MAX_NAME_CHARACTERS)
    normalize_name(shown)
    yield _NORMALIZING
    return shown


def _kinds_lacking(requested: Mapping[str, Sequence[int]], found: Mapping[str, Dictionary]) -> list[str]:
    """The kinds of which a dictionary that came whole does not have all of the requested ids."""
    return [
        kind
        for kind, ids in requested.items()
        if ids and found[kind].doubt is None and not {entry.id for entry in found[kind].entries}.issuperset(ids)
    ]


def _unknown(entities: Sequence[Identified], *fields: str) -> dict[int, frozenset[str]]:
    """By id, the fields that Liner sent of other entities and not of this one. What it sends of none does not exist."""
    sent = [name for name in fields if any(one.was_sent(name) for one in entities)]
    return {one.id: frozenset(name for name in sent if not one.was_sent(name)) for one in entities}


def _dictionary(kind: Kind, entries: Sequence[DirectoryEntry], listing: Listing[I]) -> Dictionary:
    """`entries` are those of `listing.with_former`."""
    unlisted = listing.finished and (listing.total or 0) > len(listing.items)
    unread: Doubt = "unreadable" if listing.unreadable else "partial" if unlisted else "cut"
    doubt = None if listing.complete else "outdated" if listing.outdated else unread
    listed, former = entries[: len(listing.items)], entries[len(listing.items) :]
    return Dictionary(kind, tuple(sorted(listed, key=name_key)), doubt, tuple(former))


def _disambiguate(entries: Sequence[DirectoryEntry]) -> list[DirectoryEntry]:
    """The entries; names that are compared as equal have their id appended."""
    compared = [normalize_name(entry.name) for entry in entries]
    counts = Counter(compared)
    return [
        entry if counts[name] == 1 or not entry.name else replace(entry, name=f"{entry.name} #{entry.id}")
        for entry, name in zip(entries, compared, strict=True)
    ]
