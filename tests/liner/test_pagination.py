"""The walk over pages, against a list server of a few lines that has every variant Liner's documentation allows."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.liner.decoding import ListPage, decode_list
from liner_mcp.liner.endpoints import PAGE_LIMIT
from liner_mcp.liner.models import Order
from liner_mcp.liner.pagination import MAX_PAGES, Listing, Paginator, merge_two_reads

LastPage = Literal["null", "absent", "zero", "repeated", "past_end"]
LAST_PAGES: tuple[LastPage, ...] = get_args(LastPage)

Ask = Callable[[int, int], ListPage[Order]]


@dataclass
class FakeList:
    """A list and its ways: `most` caps the page at an offset, `before` runs ahead of each answer and may move it."""

    ids: list[int]
    last_page: LastPage = "null"
    counts: bool = True
    most: Callable[[int], int] = lambda offset: PAGE_LIMIT  # noqa: ARG005 - a default that ignores the offset
    total: Callable[[int], int] = lambda count: count
    before: Callable[[FakeList, int], None] = lambda server, offset: None  # noqa: ARG005
    asked: list[int] = field(default_factory=list[int])

    def page(self, offset: int, limit: int) -> ListPage[Order]:
        self.before(self, offset)
        self.asked.append(offset)
        following = offset + min(limit, self.most(offset))
        data: dict[str, object] = {"list": [{"id": one} for one in self.ids[offset:following]]}
        if following < len(self.ids) or self.last_page == "past_end":
            data["next"] = following
        elif self.last_page != "absent":
            data["next"] = {"null": None, "zero": 0, "repeated": offset}[self.last_page]
        if self.counts:
            data["total"] = self.total(len(self.ids))
        return decode_list(data, Order)


def paginate(
    ask: Ask, shuffle: random.Random | None = None, *, at_once: bool = False, max_pages: int = MAX_PAGES
) -> Paginator[Order]:
    """Drive a walk to its end: as the client does, or with a batch answered before any of it is taken (`at_once`)."""
    paginator: Paginator[Order] = Paginator(max_pages=max_pages)
    taken = 0
    while batch := paginator.next_offsets():
        assert paginator.still_needs(batch[0]), "a walk that wants nothing of what it hands out would never end"
        if shuffle is not None:
            shuffle.shuffle(batch)
        if at_once:
            pages = [(offset, ask(offset, paginator.limit)) for offset in batch]
            if shuffle is not None:
                shuffle.shuffle(pages)
            for offset, page in pages:
                paginator.add_page(offset, page)
        else:
            for offset in batch:
                if paginator.still_needs(offset):
                    paginator.add_page(offset, ask(offset, paginator.limit))
        taken += 1
        assert taken <= max_pages
    return paginator


def ids_of(listing: Listing[Order]) -> list[int]:
    return [item.id for item in listing.items]


def from_one(count: int) -> list[int]:
    return list(range(1, count + 1))


@pytest.mark.parametrize("counts", [True, False], ids=["counted", "uncounted"])
@pytest.mark.parametrize("most", [PAGE_LIMIT, 50], ids=["full_pages", "clamped_to_50"])
@pytest.mark.parametrize("size", [0, 1, 49, 50, 51, 99, 100, 101, 250, 1000])
@pytest.mark.parametrize("last_page", LAST_PAGES)
def test_every_row_comes_once_whatever_the_last_page_looks_like(
    last_page: LastPage, size: int, most: int, counts: bool
) -> None:
    server = FakeList(from_one(size), last_page, counts, most=lambda offset: most)  # noqa: ARG005 - the same everywhere
    listing = paginate(server.page).listing()
    assert ids_of(listing) == server.ids
    assert (listing.complete, listing.changed) == (True, False)
    assert listing.total == (size if counts else None)


@given(
    size=st.integers(0, 700),
    most=st.integers(1, PAGE_LIMIT),
    later=st.integers(1, PAGE_LIMIT),
    last_page=st.sampled_from(LAST_PAGES),
    counts=st.booleans(),
    at_once=st.booleans(),
    shuffle=st.randoms(),
)
def test_a_list_that_stands_still_is_always_read_whole(
    size: int, most: int, later: int, last_page: LastPage, counts: bool, at_once: bool, shuffle: random.Random
) -> None:
    server = FakeList(from_one(size), last_page, counts, most=lambda offset: later if offset else most)
    listing = paginate(server.page, shuffle, at_once=at_once).listing()
    assert ids_of(listing) == server.ids
    assert listing.complete


@given(
    pages=st.lists(
        st.tuples(
            st.lists(st.integers(1, 9), max_size=5),
            st.none() | st.integers(0, 40),
            st.none() | st.integers(0, 60) | st.just(10**14),
        ),
        min_size=1,
    ),
    at_once=st.booleans(),
    shuffle=st.randoms(),
)
def test_any_nonsense_ends_within_the_cap_and_is_not_called_more_than_it_is(
    pages: list[tuple[list[int], int | None, int | None]], at_once: bool, shuffle: random.Random
) -> None:
    answers = iter(pages * MAX_PAGES)

    def ask(_offset: int, _limit: int) -> ListPage[Order]:
        ids, following, total = next(answers)
        return ListPage(tuple(Order(id=one) for one in ids), following, total)

    paginator = paginate(ask, shuffle, at_once=at_once, max_pages=30)
    listing = paginator.listing()
    assert len(ids_of(listing)) == len(set(ids_of(listing)))
    if listing.complete:
        assert not paginator.page_limit_reached or listing.total is not None
        assert listing.total is None or len(listing.items) >= listing.total


def test_the_first_page_is_asked_alone_and_the_others_at_once() -> None:
    paginator: Paginator[Order] = Paginator()
    server = FakeList(from_one(250))
    assert paginator.next_offsets() == [0]
    paginator.add_page(0, server.page(0, paginator.limit))
    assert paginator.next_offsets() == [100, 200]
    paginator.add_page(200, server.page(200, paginator.limit))
    assert paginator.next_offsets() == [100]
    paginator.add_page(100, server.page(100, paginator.limit))
    assert paginator.next_offsets() == []


def test_each_page_is_asked_once() -> None:
    server = FakeList(from_one(1000))
    paginate(server.page)
    assert sorted(server.asked) == list(range(0, 1000, 100))


def test_a_full_last_page_that_names_another_costs_one_more_look() -> None:
    server = FakeList(from_one(1000), "past_end")
    listing = paginate(server.page).listing()
    assert sorted(server.asked) == list(range(0, 1100, 100))
    assert listing.complete


@pytest.mark.parametrize("at_once", [False, True], ids=["one_after_another", "at_once"])
@given(shuffle=st.randoms())
def test_rows_stand_in_the_order_of_the_list_however_pages_arrive(shuffle: random.Random, at_once: bool) -> None:
    server = FakeList(from_one(1000))
    listing = paginate(server.page, shuffle, at_once=at_once).listing()
    assert ids_of(listing) == server.ids


@pytest.mark.parametrize("at_once", [False, True], ids=["one_after_another", "at_once"])
@given(shuffle=st.randoms())
def test_when_later_pages_come_short_the_paginator_goes_on_one_by_one_and_leaves_no_hole(
    shuffle: random.Random, at_once: bool
) -> None:
    server = FakeList(from_one(730), most=lambda offset: 30 if offset else 100)
    listing = paginate(server.page, shuffle, at_once=at_once).listing()
    assert ids_of(listing) == server.ids
    assert listing.complete


def test_a_short_page_far_ahead_does_not_make_the_ones_before_it_unwanted() -> None:
    paginator: Paginator[Order] = Paginator()
    server = FakeList(from_one(400), most=lambda offset: 50 if offset else 100)
    paginator.add_page(0, server.page(0, paginator.limit))
    paginator.add_page(300, server.page(300, paginator.limit))
    assert paginator.next_offsets() == [100]
    assert paginator.still_needs(100)


def test_a_short_page_makes_the_others_of_its_batch_unwanted() -> None:
    paginator: Paginator[Order] = Paginator()
    server = FakeList(from_one(400), most=lambda offset: 50 if offset else 100)
    paginator.add_page(0, server.page(0, paginator.limit))
    paginator.add_page(100, server.page(100, paginator.limit))
    assert [paginator.still_needs(offset) for offset in (150, 200, 300)] == [True, False, False]


def test_a_short_page_that_says_it_is_the_last_is_not_believed_where_the_total_says_more() -> None:
    paginator: Paginator[Order] = Paginator()
    rows = [Order(id=one) for one in from_one(300)]
    paginator.add_page(0, ListPage(tuple(rows[:100]), 100, 400))
    paginator.add_page(100, ListPage(tuple(rows[100:150]), None, 400))  # short, and says that it is the last
    assert paginator.next_offsets() == [150]
    paginator.add_page(200, ListPage(tuple(rows[200:250]), 250, 400))  # was under way meanwhile, short too
    assert paginator.next_offsets() == [150]
    paginator.add_page(150, ListPage((), None, 400))
    assert paginator.next_offsets() == []
    assert not paginator.listing().complete


def test_rows_hidden_after_slicing_are_told_as_missing() -> None:
    def ask(offset: int, limit: int) -> ListPage[Order]:
        visible = tuple(Order(id=one) for one in range(offset + 1, min(offset + limit, 300) + 1) if one % 2)
        return ListPage(visible, offset + limit if offset + limit < 300 else None, 300)

    listing = paginate(ask).listing()
    assert ids_of(listing) == list(range(1, 301, 2))
    assert not listing.complete


def test_a_list_that_grows_at_its_end_is_read_to_the_new_end_but_not_called_complete() -> None:
    def grow(server: FakeList, offset: int) -> None:
        if offset == 200:
            server.ids.extend(range(251, 331))

    server = FakeList(from_one(250), before=grow)
    listing = paginate(server.page).listing()
    assert ids_of(listing) == from_one(330)
    assert (listing.complete, listing.changed, listing.total) == (False, True, 330)


def test_a_list_that_grows_at_its_front_gives_no_row_twice() -> None:
    def grow(server: FakeList, offset: int) -> None:
        if offset == 100:
            server.ids.insert(0, 999)

    server = FakeList(from_one(250), before=grow)
    listing = paginate(server.page).listing()
    assert ids_of(listing) == from_one(250)
    assert (listing.complete, listing.changed, listing.total) == (False, True, 251)


def test_a_list_that_shrinks_is_not_complete_even_when_as_many_rows_came_as_liner_counts() -> None:
    """The row that left was seen, the row that slipped into its page was not: the numbers agree, the rows do not."""

    def shrink(server: FakeList, offset: int) -> None:
        if offset == 100:
            server.ids.remove(1)

    server = FakeList(from_one(250), before=shrink)
    listing = paginate(server.page).listing()
    assert (len(listing.items), listing.total) == (249, 249)
    assert 101 not in ids_of(listing)
    assert (listing.complete, listing.changed) == (False, True)


def test_a_list_emptied_between_pages_ends_the_paginator() -> None:
    def empty(server: FakeList, offset: int) -> None:
        if offset:
            server.ids.clear()

    server = FakeList(from_one(250), before=empty)
    listing = paginate(server.page).listing()
    assert len(listing.items) == 100
    assert listing.changed


def test_rows_repeated_on_another_page_are_given_once_and_told() -> None:
    def reorder(server: FakeList, offset: int) -> None:
        if offset == 100:
            server.ids.reverse()

    server = FakeList(from_one(200), before=reorder)
    listing = paginate(server.page).listing()
    assert ids_of(listing) == from_one(100)
    assert (listing.complete, listing.changed, listing.total) == (False, True, 200)


@pytest.mark.parametrize("last_page", LAST_PAGES)
def test_a_total_that_is_too_high_leaves_the_list_incomplete(last_page: LastPage) -> None:
    server = FakeList(from_one(250), last_page, total=lambda count: count + 30)
    listing = paginate(server.page).listing()
    assert ids_of(listing) == server.ids
    assert (listing.complete, listing.total) == (False, 280)


def test_an_absurd_total_is_not_counted_out() -> None:
    server = FakeList(from_one(250), total=lambda count: 10**14)  # noqa: ARG005 - a lie does not depend on the truth
    paginator: Paginator[Order] = Paginator()
    paginator.add_page(0, server.page(0, paginator.limit))
    assert len(paginator.next_offsets()) == MAX_PAGES - 1
    listing = paginate(server.page).listing()
    assert ids_of(listing) == server.ids
    assert not listing.complete


def test_a_total_that_is_reached_ends_the_paginator_where_the_page_is_not_full() -> None:
    server = FakeList(from_one(250), "past_end")
    paginate(server.page)
    assert server.asked == [0, 100, 200]


@pytest.mark.parametrize("total", [0, 1, 99, 100, 150, 249])
@pytest.mark.parametrize("last_page", ["null", "absent", "zero", "repeated", "past_end"])
def test_a_total_that_is_too_small_hides_no_row(total: int, last_page: LastPage) -> None:
    server = FakeList(from_one(250), last_page, total=lambda _: total)
    listing = paginate(server.page).listing()
    assert ids_of(listing) == server.ids
    assert listing.complete


def test_a_list_that_repeats_its_last_page_for_ever_beyond_its_total_comes_to_an_end() -> None:
    asked: list[int] = []

    def ask(offset: int, limit: int) -> ListPage[Order]:
        asked.append(offset)
        first = min(offset, 100)
        rows = [{"id": one} for one in range(first, first + limit)]
        return decode_list({"list": rows, "next": offset + limit, "total": 200}, Order)

    listing = paginate(ask).listing()
    assert asked == [0, 100, 200]
    assert (len(listing.items), listing.complete) == (200, True)


def test_a_total_on_the_first_page_only_is_enough() -> None:
    server = FakeList(from_one(250))

    def ask(offset: int, limit: int) -> ListPage[Order]:
        server.counts = offset == 0
        return server.page(offset, limit)

    listing = paginate(ask).listing()
    assert ids_of(listing) == server.ids
    assert (listing.complete, listing.total) == (True, 250)


@pytest.mark.parametrize("total", [None, 10**14], ids=["uncounted", "counted"])
def test_a_list_that_never_ends_is_cut_at_the_cap_and_not_called_complete(total: int | None) -> None:
    def ask(offset: int, limit: int) -> ListPage[Order]:
        return ListPage(tuple(Order(id=one + 1) for one in range(offset, offset + limit)), offset + limit, total)

    paginator = paginate(ask, max_pages=7)
    assert paginator.page_limit_reached
    assert ids_of(paginator.listing()) == from_one(700)
    assert not paginator.listing().complete


@pytest.mark.parametrize("following", [True, False], ids=["next", "no_next"])
def test_a_server_that_ignores_the_offset_is_left_at_the_first_repeated_page(following: bool) -> None:
    asked: list[int] = []

    def ask(offset: int, limit: int) -> ListPage[Order]:
        asked.append(offset)
        return ListPage(tuple(Order(id=one) for one in from_one(limit)), offset + limit if following else None, None)

    listing = paginate(ask).listing()
    assert asked == [0, 100]
    assert ids_of(listing) == from_one(100)
    assert (listing.complete, listing.changed) == (False, True)


def test_a_list_exactly_as_long_as_the_cap_is_complete_only_if_it_is_counted() -> None:
    for counts in (True, False):
        server = FakeList(from_one(700), counts=counts)
        listing = paginate(server.page, max_pages=7).listing()
        assert ids_of(listing) == server.ids
        assert listing.complete is counts, "without a count, only one more page would show the end"


@pytest.mark.parametrize("counts", [True, False], ids=["counted", "uncounted"])
@pytest.mark.parametrize("most", [20, PAGE_LIMIT])
@pytest.mark.parametrize("following", [50, 1, 7, 10**9], ids=["back", "page_number", "wrong", "far"])
def test_a_next_that_is_wrong_is_not_followed(following: int, most: int, counts: bool) -> None:
    server = FakeList(from_one(250), counts=counts, most=lambda _: most)

    def ask(offset: int, limit: int) -> ListPage[Order]:
        page = server.page(offset, limit)
        return replace(page, next=following)

    listing = paginate(ask).listing()
    assert ids_of(listing) == server.ids
    assert listing.complete


@pytest.mark.parametrize("last_page", LAST_PAGES)
@pytest.mark.parametrize("most", [1, 20, 99, PAGE_LIMIT])
@pytest.mark.parametrize("ahead", [None, 0, PAGE_LIMIT], ids=["no_next", "zero", "by_the_limit"])
def test_fewer_rows_than_asked_for_are_followed_by_the_rest(ahead: int | None, most: int, last_page: LastPage) -> None:
    """The page is clamped, and `next` is absent or goes by the limit that was asked for."""
    server = FakeList(from_one(250), last_page, most=lambda _: most)

    def ask(offset: int, limit: int) -> ListPage[Order]:
        return replace(server.page(offset, limit), next=ahead and offset + ahead)

    listing = paginate(ask).listing()
    assert ids_of(listing) == server.ids
    assert (listing.complete, listing.changed) == (True, False)


@pytest.mark.parametrize("size", [1, 2, 99])
def test_a_bare_list_shorter_than_the_limit_is_read_until_a_page_is_empty(size: int) -> None:
    server = FakeList(from_one(size))
    listing = paginate(bare(server)).listing()
    assert server.asked == [0, size]
    assert ids_of(listing) == server.ids
    assert (listing.complete, listing.total, listing.changed) == (True, None, False)


@pytest.mark.parametrize("size", [100, 101, 200, 1_500])
def test_a_bare_list_as_long_as_the_limit_is_read_on(size: int) -> None:
    server = FakeList(from_one(size))
    listing = paginate(bare(server)).listing()
    assert server.asked == sorted({*range(0, size + 1, 100), size})
    assert ids_of(listing) == server.ids
    assert listing.complete


def test_a_bare_list_in_pages_shorter_than_the_limit_is_read_whole() -> None:
    server = FakeList(from_one(50))
    listing = paginate(lambda offset, limit: bare(server)(offset, min(limit, 20))).listing()
    assert server.asked == [0, 20, 40, 50]
    assert ids_of(listing) == server.ids
    assert (listing.complete, listing.changed) == (True, False)


def test_a_short_bare_list_that_comes_whole_each_time_is_complete() -> None:
    """The offset is ignored, and fewer rows than the limit came: Liner does not paginate this list."""
    rows: list[dict[str, Any]] = [{"id": one} for one in from_one(18)]
    listing = paginate(lambda _offset, _limit: decode_list(rows, Order)).listing()
    assert (len(listing.items), listing.complete, listing.changed) == (18, True, False)


@pytest.mark.parametrize("size", [100, 150])
def test_a_bare_list_that_comes_whole_each_time_is_read_twice_and_not_called_complete(size: int) -> None:
    """The limit and the offset are ignored: nothing shows that no other row exists."""
    asked: list[int] = []

    def ask(offset: int, _limit: int) -> ListPage[Order]:
        asked.append(offset)
        return decode_list([{"id": one} for one in from_one(size)], Order)

    listing = paginate(ask).listing()
    assert asked == [0, size]
    assert ids_of(listing) == from_one(size)
    assert not listing.complete


def test_a_total_that_counts_the_rows_of_a_full_page_is_not_believed() -> None:
    server = FakeList(from_one(250))

    def ask(offset: int, limit: int) -> ListPage[Order]:
        page = server.page(offset, limit)
        return replace(page, next=None, total=len(page.items))

    listing = paginate(ask).listing()
    assert ids_of(listing) == server.ids
    assert not listing.complete, "its totals disagree"


Next = Literal["right", "none", "zero", "same", "limit", "far"]


@given(
    size=st.integers(0, 450),
    caps=st.lists(st.integers(1, 130), min_size=1, max_size=4),
    following=st.lists(st.sampled_from(get_args(Next)), min_size=1, max_size=4),
    total=st.sampled_from(["none", "right", "more", "less"]) | st.integers(0, 500),
    repeats=st.sets(st.integers(1, 6), max_size=2),
    at_once=st.booleans(),
    shuffle=st.randoms(),
)
def test_whatever_total_next_and_length_say_complete_means_that_everything_was_read(
    size: int,
    caps: list[int],
    following: list[Next],
    total: str | int,
    repeats: set[int],
    at_once: bool,
    shuffle: random.Random,
) -> None:
    """A page may be clamped, `next` and `total` may be wrong, and a page may be that of another offset."""
    asked = 0

    def ask(offset: int, limit: int) -> ListPage[Order]:
        nonlocal asked
        first = max(0, offset - 50) if asked in repeats else offset
        most = caps[asked % len(caps)]
        rows = from_one(size)[first : first + min(most, limit)]
        end = offset + len(rows)
        way = following[asked % len(following)]
        counted = {"none": None, "right": size, "more": size + 13, "less": max(0, size - 13)}.get(str(total), total)
        asked += 1
        ahead = {"right": end if end < size else None, "none": None, "zero": 0, "same": offset}
        return ListPage(
            tuple(Order(id=one) for one in rows),
            ahead.get(way, offset + limit if way == "limit" else 10**9),
            counted if isinstance(counted, int) else None,
        )

    paginator = paginate(ask, shuffle, at_once=at_once)
    listing = paginator.listing()
    assert len(set(ids_of(listing))) == len(ids_of(listing))
    assert asked <= 3 * size + 10  # it ends
    cannot_be_noticed = listing.total == len(listing.items) or (
        # A short page without a count and a `next` is the end, and so is one after a count that was too small.
        (listing.total is None or listing.total < len(listing.items))
        and {"none", "zero", "same", "right"} & set(following)
        and min(caps) < PAGE_LIMIT
    )
    if listing.complete and not cannot_be_noticed:
        assert ids_of(listing) == from_one(size)


def bare(server: FakeList) -> Ask:
    """The same rows as an array without `next` and `total`."""

    def ask(offset: int, limit: int) -> ListPage[Order]:
        return replace(server.page(offset, limit), next=None, total=None)

    return ask


def test_a_pagination_that_read_nothing_is_not_an_empty_list() -> None:
    paginator: Paginator[Order] = Paginator()
    assert not paginator.pages
    assert (paginator.listing().items, paginator.listing().complete) == ((), False)
    paginator.add_page(0, FakeList([]).page(0, paginator.limit))
    assert paginator.pages
    assert (paginator.listing().items, paginator.listing().complete) == ((), True)


def test_a_pagination_left_half_way_is_not_complete() -> None:
    for counts in (True, False):
        paginator: Paginator[Order] = Paginator()
        paginator.add_page(0, FakeList(from_one(250), counts=counts).page(0, paginator.limit))
        assert not paginator.listing().complete


def test_a_second_reading_that_found_everything_replaces_the_first() -> None:
    def shrink(server: FakeList, offset: int) -> None:
        if offset == 100:
            server.ids.remove(1)

    server = FakeList(from_one(250), before=shrink)
    first = paginate(server.page)
    server.before = lambda server, offset: None  # noqa: ARG005 - it stands still from now on
    listing = merge_two_reads(first, paginate(server.page))
    assert ids_of(listing) == list(range(2, 251)), "the row that left is not shown, the one that slipped past is"
    assert (listing.complete, listing.total, listing.changed) == (True, 249, True)


def two_pages(*pages: range, total: int = 200) -> Paginator[Order]:
    paginator: Paginator[Order] = Paginator()
    for index, ids in enumerate(pages):
        paginator.add_page(100 * index, ListPage(tuple(Order(id=one) for one in ids), 100 * index + 100, total))
    return paginator


def test_two_readings_of_an_unordered_list_that_hold_everything_together_are_complete() -> None:
    first = two_pages(range(1, 101), range(1, 101))
    second = two_pages(range(101, 201), range(101, 201))
    assert not first.listing().complete
    assert not second.listing().complete
    listing = merge_two_reads(first, second)
    assert sorted(ids_of(listing)) == from_one(200)
    assert (listing.complete, listing.total) == (True, 200)


@pytest.mark.parametrize(
    "second",
    [two_pages(range(101, 201), range(201, 300)), two_pages(range(101, 201), range(101, 201), total=201)],
    ids=["more_rows_than_counted", "another_count"],
)
def test_two_readings_of_different_lists_prove_nothing_together(second: Paginator[Order]) -> None:
    assert not merge_two_reads(two_pages(range(1, 101), range(1, 101)), second).complete


def test_a_count_that_moved_during_a_reading_makes_the_two_prove_nothing() -> None:
    first = two_pages(range(1, 101), range(1, 101))
    first.add_page(200, ListPage((), None, 201))
    first.add_page(300, ListPage((), None, 200))
    listing = merge_two_reads(first, two_pages(range(101, 201), range(101, 201)))
    assert (len(listing.items), listing.total) == (200, 200)
    assert not listing.complete


def test_a_second_reading_cut_before_its_first_page_keeps_what_the_first_one_knew() -> None:
    first = two_pages(range(1, 101), range(1, 101))
    listing = merge_two_reads(first, Paginator())
    assert ids_of(listing) == from_one(100)
    assert (listing.complete, listing.total, listing.changed) == (False, 200, True)


@pytest.mark.parametrize("total", [None, 50])
def test_rows_that_repeat_leave_room_for_missing_ones_unless_the_count_fits(total: int | None) -> None:
    """The offset is ignored: the second page is the first one again, and what stands behind it never comes."""
    rows = tuple(Order(id=one) for one in range(1, 101))
    paginator: Paginator[Order] = Paginator()
    paginator.add_page(0, ListPage(rows, next=100, total=total))
    while offsets := paginator.next_offsets():
        paginator.add_page(offsets[0], ListPage(rows, next=None, total=total))
    listing = paginator.listing()
    assert (len(listing.items), listing.complete, listing.changed) == (100, False, True)


# Rows that cannot be read ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [True, False], ids=["counted", "uncounted"])
@pytest.mark.parametrize("bad", [{0}, {99}, {100, 101}, {249}, set(range(100, 200))], ids=str)
def test_the_walk_goes_on_past_rows_that_cannot_be_read(counts: bool, bad: set[int]) -> None:
    rows = [None if index in bad else {"id": index + 1} for index in range(250)]

    def ask(offset: int, limit: int) -> ListPage[Order]:
        end = offset + limit
        data = {"list": rows[offset:end], "next": end if end < len(rows) else None}
        return decode_list({**data, "total": len(rows)} if counts else data, Order)

    listing = paginate(ask).listing()
    whole_page = not counts and len(bad) == PAGE_LIMIT  # without a count, such a page shows no progress
    assert len(listing.items) == (100 if whole_page else 250 - len(bad))
    assert (listing.complete, listing.unreadable) == (False, len(bad))


@pytest.mark.parametrize("total", [None, 0, 1])
def test_a_walk_ends_where_no_row_can_be_read_and_liner_counts_no_more(total: int | None) -> None:
    asked: list[int] = []

    def ask(offset: int, limit: int) -> ListPage[Order]:
        asked.append(offset + limit)
        return decode_list({"list": [None], "next": None, "total": total}, Order)

    listing = paginate(ask).listing()
    assert len(asked) <= 2
    assert (listing.items, listing.complete) == ((), False)
