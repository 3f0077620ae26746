"""Pagination: the walk over the pages of one list, without I/O. Which offsets to request, when to stop, and whether the
list was read whole.

Liner's last page is undocumented (`next` may be null, absent, zero, repeated or past the end), `total` may be absent or
wrong, a page may hold fewer rows than requested, and a list may grow or shrink while it is read. So the walk goes on
where the rows of a page end, not where `next` points, until the end is seen; it removes duplicates by id and compares
every `total`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

from liner_mcp.liner.decoding import ListPage
from liner_mcp.liner.endpoints import PAGE_LIMIT
from liner_mcp.liner.models import Identified

I = TypeVar("I", bound=Identified)  # noqa: E741 - a type variable

MAX_PAGES = 1_000  # 100,000 rows: far more than a closed slice holds, and soon enough for a list that never ends


@dataclass(frozen=True, slots=True)
class Listing(Generic[I]):
    """The result of a walk.

    `unreadable`: the rows that were left out because they have no usable id; with such rows it is never `complete`.

    `complete`: every row that Liner counted was read, or the end was seen where there is no count or the count is too
    small. It is False when the count changed meanwhile, because a row that leaves the list moves another past the walk
    unread. `total`: Liner's last count, None if it sent none. `changed`: the count changed, or rows repeated, while the
    list was read. `finished` is False when the walk ended before the last page: the missing rows are then unread, not
    withheld by Liner. `misplaced`: Liner did not list one of the rows again for the second in which it was created.

    `unread`: a part of the window could not be read from Liner, the rest is archived; asking again would not help now.

    Of dictionaries, `outdated`: an archived one, because Liner could not be read; `former`: archived entries that are
    not in the list any more.
    """

    items: tuple[I, ...]
    complete: bool
    total: int | None
    changed: bool
    finished: bool = field(default=True, compare=False)
    unreadable: int = 0
    misplaced: bool = False
    unread: bool = False
    outdated: bool = False
    former: tuple[I, ...] = ()

    @property
    def with_former(self) -> tuple[I, ...]:
        return (*self.items, *self.former)


class Paginator(Generic[I]):
    """Request the pages at `next_offsets`, pass each to `add_page` until there are no offsets, then take the `listing`.

    The length of the first page is the stride, and the later pages can then be requested at once. When one of them is
    shorter than the total implies (the server lowers the limit, or filters after slicing), the walk continues one page
    at a time, from the first row that is missing. The end of the list is an empty page, a page without a new row, or a
    page that agrees with the count. Without a usable count a short page proves nothing: Liner may send fewer rows per
    page than the limit.
    """

    def __init__(self, limit: int = PAGE_LIMIT, max_pages: int = MAX_PAGES) -> None:
        self.limit = limit
        self._max_pages = max_pages
        self._pages: dict[int, ListPage[I]] = {}
        self.total: int | None = None  # Liner's last count
        self.total_changed = False
        self._stride: int | None = None
        self._sequential_offset: int | None = 0  # the next offset, when pages are requested in turn
        self._exhausted = False
        self._seen_ids: set[int] = set()
        self._repeated_offsets: set[int] = set()  # of pages that held nothing new

    def next_offsets(self) -> list[int]:
        """The offsets that may be requested now, in any order and at once; empty when the walk is over."""
        room = self._max_pages - len(self._pages)
        if room <= 0 or self._exhausted:
            return []
        if self._sequential_offset is not None:
            return [self._sequential_offset]
        if self._stride is None or self.total is None:
            return []
        # Never built as a whole list, because a total may be any number.
        missing = (offset for offset in range(self._stride, self.total, self._stride) if offset not in self._pages)
        # After the last page that Liner counts, the list may still continue.
        return list(islice(missing, room)) or self._offset_past_total()

    def _offset_past_total(self) -> list[int]:
        following = self._next_offset()
        return [] if following is None else [following]

    def still_needs(self, offset: int) -> bool:
        """Whether a page from an earlier `next_offsets` is still needed."""
        return self._sequential_offset in (None, offset) and not self._exhausted

    def add_page(self, offset: int, page: ListPage[I]) -> None:
        """Add one page, which may change `next_offsets`."""
        first = not self._pages
        self._pages[offset] = page
        ids = {item.id for item in page.items}
        # A page without a readable row shows no progress, so the walk ends there too, unless Liner counts more rows.
        if ids <= self._seen_ids and (ids or not page.unreadable or (page.total or 0) <= offset):
            self._repeated_offsets.add(offset)
        self._seen_ids |= ids
        if page.total is not None:
            self.total_changed = self.total_changed or (self.total is not None and page.total != self.total)
            self.total = page.total
        if first:
            self._sequential_offset = self._next_offset()
            if self._sequential_offset is not None and self.total is not None:
                self._sequential_offset, self._stride = None, page.rows
        elif self._sequential_offset is not None:
            self._sequential_offset = self._next_offset()
        elif self._is_short(offset, page):
            # Not from this page: pages arrive in any order, and an earlier one may not have been requested yet.
            self._sequential_offset = self._next_offset()

    def _is_short(self, offset: int, page: ListPage[I]) -> bool:
        assert self._stride is not None  # noqa: S101 - pages after the first are requested by stride or in turn
        return self.total is not None and page.rows < min(self._stride, self.total - offset)

    def _next_offset(self) -> int | None:
        """The offset of the first row that no page covers; None at the end of the list."""
        end = last = 0
        for offset, page in sorted(self._pages.items()):
            if offset > end:
                break
            last, end = offset, max(end, offset + page.rows)
        self._exhausted = not self._continues(last, end)
        return None if self._exhausted else end

    def _continues(self, offset: int, end: int) -> bool:
        """Whether the list may have rows from `end` on, where the page at `offset` ends."""
        page = self._pages[offset]
        if offset in self._repeated_offsets:
            return False
        if self.total is None or self.total < end:
            return True
        # A count of exactly one full page may be that of the page.
        return self.total > end or page.next == end or end == self.limit

    @property
    def rows(self) -> int:
        """The number of rows read so far, each id once."""
        return len(self._seen_ids)

    @property
    def pages(self) -> int:
        return len(self._pages)

    @property
    def several_pages(self) -> bool:
        """Whether the rows came with several pages, so that one could move from one to another unread."""
        return len(self._pages) - len(self._repeated_offsets) > 1

    @property
    def page_limit_reached(self) -> bool:
        return len(self._pages) >= self._max_pages and not self._exhausted

    def listing(self) -> Listing[I]:
        """The rows read so far, in the order of their offsets, each id once."""
        found: dict[int, I] = {}
        rows = unreadable = 0
        for offset, page in sorted(self._pages.items()):
            if not self._ignores_offset(offset):
                rows += len(page.items)
                unreadable += page.unreadable
            for item in page.items:
                found.setdefault(item.id, item)
        ended = not self.page_limit_reached and not self.next_offsets()
        # A repeated row stands in the place of another: unless the count fits exactly, one is missing.
        repeated = rows > len(found)
        accounted = len(found) + unreadable
        if self.total is None or accounted > self.total:
            # Without a count, or with one that is too small, only the end of the list shows that nothing is missing.
            complete = ended and not repeated and not self.total_changed
        else:
            complete = accounted == self.total and not self.total_changed
        return Listing(
            tuple(found.values()),
            complete and not unreadable,
            self.total,
            self.total_changed or repeated,
            ended,
            unreadable,
        )

    def _ignores_offset(self, offset: int) -> bool:
        """Whether the page shows that Liner does not paginate this list: it repeats the first one, which has no count
        and fewer rows than requested.
        """
        first, page = self._pages[0], self._pages[offset]
        unpaginated = offset > 0 and first.total is None and first.rows < self.limit
        return unpaginated and [item.id for item in page.items] == [item.id for item in first.items]


def merge_two_reads(first: Paginator[I], second: Paginator[I]) -> Listing[I]:
    """The result of two walks over one list, when the first did not find every row that Liner counted."""
    before, again = first.listing(), second.listing()
    if again.complete:
        return Listing(again.items, complete=True, total=again.total, changed=True)
    merged = {item.id: item for item in (*before.items, *again.items)}
    # When the order of rows changes between pages, two walks together may hold every row although neither does alone.
    # But when Liner's count changed, or they hold more rows than it, some of the merged rows are gone from the list and
    # their number proves nothing.
    unreadable = max(before.unreadable, again.unreadable)
    steady = again.total == before.total and not (first.total_changed or second.total_changed or unreadable)
    complete = steady and len(merged) == again.total
    total = before.total if again.total is None else again.total
    return Listing(tuple(merged.values()), complete, total, True, again.finished, unreadable)
