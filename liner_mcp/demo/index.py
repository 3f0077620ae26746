"""An index of calls, and lists in a fixed order without meaning.

Liner does not document an order, so the demo sorts by a hash of the id.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from liner_mcp.demo.entities import Call

_SORT_AT_MOST = 1500  # sorting so many takes about a millisecond; for more, filtering the sorted whole is faster


class Identified(Protocol):
    @property
    def id(self) -> int: ...


T = TypeVar("T", bound=Identified)


def id_hash(thing: Identified) -> int:
    """The sort key of a thing in every list: a bijective 32-bit hash, so that different ids never collide."""
    mixed = thing.id & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return mixed ^ (mixed >> 16)


def shuffled(things: Iterable[T]) -> list[T]:
    return sorted(things, key=id_hash)


class Listing(Generic[T]):
    """The total of a search and its pages. Later pages are searched when they are requested."""

    def __init__(self, things: Iterable[T], total: int) -> None:
        self.total = total
        self._found: list[T] = []
        self._rest: Iterator[T] = iter(things)

    def page(self, offset: int, limit: int) -> list[T]:
        missing = min(offset + limit, self.total) - len(self._found)
        if missing > 0:
            self._found += islice(self._rest, missing)
        return self._found[offset : offset + limit]


class TimeIndex:
    """The calls of each order, sorted by time, and all calls, sorted by hash."""

    def __init__(self, things: Iterable[Call]) -> None:
        self._by_time = attrgetter("created_at", "id")
        self._shuffled = shuffled(things)
        self._of_order: dict[int, list[Call]] = {}
        for thing in sorted(self._shuffled, key=self._by_time):
            self._of_order.setdefault(thing.order_id, []).append(thing)

    def of_order(self, order_id: int) -> list[Call]:
        return list(self._of_order.get(order_id, ()))

    def add(self, thing: Call) -> None:
        insort(self._shuffled, thing, key=id_hash)
        insort(self._of_order.setdefault(thing.order_id, []), thing, key=self._by_time)

    def replace(self, old: Call, new: Call) -> None:
        """Replace a call. Its id, order and time stay the same."""
        self._shuffled[bisect_left(self._shuffled, id_hash(old), key=id_hash)] = new
        in_order = self._of_order[old.order_id]
        in_order[bisect_left(in_order, self._by_time(old), key=self._by_time)] = new

    def select(
        self,
        order_ids: frozenset[int] | None,
        since: datetime | None,
        until: datetime | None,
        test: Callable[[Call], bool] | None = None,
    ) -> Listing[Call]:
        """The calls of these orders (None: all) in a closed window that pass the test."""
        spans = [self._span(self._of_order[order], since, until) for order in self._orders(order_ids)]
        total = sum(len(span) for span in spans)
        if total <= _SORT_AT_MOST:
            matches = shuffled(thing for span in spans for thing in span if test is None or test(thing))
            return Listing(matches, len(matches))
        if test is not None:
            total = sum(1 for span in spans for thing in span if test(thing))
        walk = (thing for thing in self._shuffled if within(thing, order_ids, since, until))
        return Listing(walk if test is None else filter(test, walk), total)

    def _orders(self, order_ids: frozenset[int] | None) -> Iterable[int]:
        return self._of_order if order_ids is None else order_ids & self._of_order.keys()

    @staticmethod
    def _span(things: list[Call], since: datetime | None, until: datetime | None) -> list[Call]:
        moment = attrgetter("created_at")
        first = 0 if since is None else bisect_left(things, since, key=moment)
        last = len(things) if until is None else bisect_right(things, until, key=moment)
        return things[first:last]


def within(thing: Call, order_ids: frozenset[int] | None, since: datetime | None, until: datetime | None) -> bool:
    return (
        (order_ids is None or thing.order_id in order_ids)
        and (since is None or since <= thing.created_at)
        and (until is None or thing.created_at <= until)
    )
