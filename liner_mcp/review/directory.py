"""Names: who an agent id is, what an order is called, what a status code means.

Each dictionary is fetched once per few minutes, however many calls run at once. A dictionary that cannot be read costs
the names, never the answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
from async_lru import alru_cache

from liner_mcp.errors import DeadlinePassed, LinerMcpError
from liner_mcp.liner.client import LinerClient
from liner_mcp.review.privacy import cut, mask_phones
from liner_mcp.review.table import Cell

FRESH_SECONDS = 300.0  # a new agent has a name within five minutes; a busy hour costs twelve reads per dictionary
READ_SECONDS = 10.0  # an answer does not wait longer than this for names
NAME_CHARACTERS = 80  # longer names are somebody's mistake, or somebody's attack on the context

KINDS = ("agents", "orders", "statuses")


@dataclass(frozen=True, slots=True)
class Names:
    """What is called how: for each kind, names by id (statuses by code). `missing` are kinds that could not be read."""

    known: Mapping[str, Mapping[Cell, str]]
    missing: tuple[str, ...] = ()

    def legend(self, kind: str, ids: Iterable[Cell]) -> dict[str, str]:
        """The names of those of `ids` that have one, keyed as JSON keys; an unknown id stays a bare id."""
        known = self.known.get(kind, {})
        wanted = dict.fromkeys(ids)
        found = {str(one): known[one] for one in wanted if one is not None and one in known}
        if kind == "agents" and None in wanted:
            found["null"] = "no agent"
        return found

    def notes(self) -> list[str]:
        """What a reader should know about names that are not there."""
        if not self.missing:
            return []
        return [f"Names of {' and '.join(self.missing)} could not be read from Liner; their ids are right."]


class Directory:
    """Liner's dictionaries, cached. One per process; shared by all tools."""

    def __init__(self, liner: LinerClient) -> None:
        self._liner = liner
        self._readers: dict[str, Callable[[], Awaitable[Mapping[Cell, str]]]] = {
            "agents": alru_cache(maxsize=1, ttl=FRESH_SECONDS)(_in_time(self._agents)),
            "orders": alru_cache(maxsize=1, ttl=FRESH_SECONDS)(_in_time(self._orders)),
            "statuses": alru_cache(maxsize=1, ttl=FRESH_SECONDS)(_in_time(self._statuses)),
        }

    async def names(self, *kinds: str) -> Names:
        """The names of `kinds` ("agents", "orders", "statuses"); raises nothing, see `Names.missing`."""
        outcomes = await self._liner.each([_settled(self._readers[kind]) for kind in kinds])
        known: dict[str, Mapping[Cell, str]] = {}
        missing: list[str] = []
        for kind, outcome in zip(kinds, outcomes, strict=True):
            if isinstance(outcome, Mapping):
                known[kind] = outcome
            else:
                missing.append(kind)
        return Names(known, tuple(missing))

    async def _agents(self) -> Mapping[Cell, str]:
        users = (await self._liner.users()).items
        return _told_apart({user.id: _full_name(user.name, user.last_name) for user in users})

    async def _orders(self) -> Mapping[Cell, str]:
        orders = (await self._liner.orders()).items
        return _told_apart({order.id: order.title or order.service_title or order.code or "" for order in orders})

    async def _statuses(self) -> Mapping[Cell, str]:
        statuses = await self._liner.call_statuses()
        return {status.code: _shown(status.title) for status in statuses if status.code and _shown(status.title)}


def _in_time(
    read: Callable[[], Awaitable[Mapping[Cell, str]]],
) -> Callable[[], Coroutine[Any, Any, Mapping[Cell, str]]]:
    async def bounded() -> Mapping[Cell, str]:
        # The shared read outlives the call that began it, so it needs a deadline of its own.
        try:
            with anyio.fail_after(READ_SECONDS):
                return await read()
        except TimeoutError:
            raise DeadlinePassed(f"A dictionary could not be read from Liner within {READ_SECONDS:.0f} s.") from None

    return bounded


def _settled(
    read: Callable[[], Awaitable[Mapping[Cell, str]]],
) -> Callable[[], Awaitable[Mapping[Cell, str] | None]]:
    async def settled() -> Mapping[Cell, str] | None:
        # Even a refused token: one that may read calls but not users still answers what was said on them.
        try:
            return await read()
        except LinerMcpError:
            return None

    return settled


def _full_name(*parts: str | None) -> str:
    return " ".join(part.strip() for part in parts if part and part.strip())


def _shown(name: str | None) -> str:
    """A name on one line, masked and short: it is text from Liner like any other."""
    return cut(mask_phones(" ".join((name or "").split())), NAME_CHARACTERS)


def _told_apart(raw: Mapping[int, str]) -> dict[Cell, str]:
    """Names by id; two of one name carry their id."""
    names = {one: name for one, raw_name in raw.items() if (name := _shown(raw_name))}
    bearers = Counter(names.values())
    return {one: name if bearers[name] == 1 else f"{name} #{one}" for one, name in names.items()}
