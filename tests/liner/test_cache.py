"""Settled details are kept for a few minutes and within a size; what may still change is asked again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from liner_mcp.demo import Dataset
from liner_mcp.liner.cache import CACHE_MAX_BYTES, CACHE_TTL_SECONDS, SETTLED_AFTER, DetailCache
from liner_mcp.liner.cached_client import CachedClient
from liner_mcp.liner.endpoints import CallFilter
from liner_mcp.liner.models import Call, CallRecord, Lead
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.request_metrics import count_requests
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.liner.test_client import client_of

pytestmark = pytest.mark.anyio

LATER = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OLD = LATER - timedelta(days=2)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def make_cache(clock: Clock | None = None) -> DetailCache:
    return DetailCache(timer=clock or Clock(), now=lambda: LATER)


def record(summary: str | None = "Client agrees.", created_at: datetime | None = OLD, **fields: Any) -> CallRecord:
    return CallRecord(id=9, record_summary=summary, created_at=created_at, **fields)


def test_a_settled_detail_is_cached_for_five_minutes_and_no_longer() -> None:
    clock = Clock()
    details = make_cache(clock)
    details.put("/a", record())
    clock.seconds = CACHE_TTL_SECONDS - 0.1
    assert details.get("/a") == record()
    clock.seconds = CACHE_TTL_SECONDS
    assert details.get("/a") is None


@pytest.mark.parametrize("summary", [None, "", "  \n"])
def test_a_null_summary_is_never_cached(summary: str | None) -> None:
    details = make_cache()
    details.put("/a", record(summary))
    assert details.get("/a") is None


@pytest.mark.parametrize(
    "created_at", [None, LATER, LATER - SETTLED_AFTER + timedelta(seconds=1), LATER + timedelta(days=1)]
)
def test_what_is_young_or_has_no_date_is_not_cached(created_at: datetime | None) -> None:
    details = make_cache()
    details.put("/a", record(created_at=created_at))
    details.put("/b", Call(id=7, created_at=created_at))
    assert (details.get("/a"), details.get("/b")) == (None, None)


def test_a_call_that_is_over_is_cached() -> None:
    details = make_cache()
    details.put("/a", Call(id=7, created_at=LATER - SETTLED_AFTER))
    assert details.get("/a") == Call(id=7, created_at=LATER - SETTLED_AFTER)


def test_a_lead_is_cached_for_what_a_search_needs_of_it_does_not_change() -> None:
    details = make_cache()
    details.put("/a", Lead(id=5, created_at=OLD))
    assert details.get("/a") == Lead(id=5, created_at=OLD)


WHOLE = Listing((record(), record()), complete=True, total=2, changed=False)


def test_a_whole_list_of_settled_records_is_cached() -> None:
    details = make_cache()
    details.put("/a", WHOLE)
    assert details.get("/a") is WHOLE


@pytest.mark.parametrize(
    "listing",
    [
        replace(WHOLE, complete=False),
        replace(WHOLE, items=()),
        replace(WHOLE, items=(record(), record(None))),
        replace(WHOLE, items=(record(), record(created_at=LATER))),
    ],
    ids=["incomplete", "empty", "a null summary", "a young record"],
)
def test_a_list_that_may_still_change_is_not_cached(listing: Listing[CallRecord]) -> None:
    details = make_cache()
    details.put("/a", listing)
    assert details.get("/a") is None


def listing_of(size: int) -> Listing[CallRecord]:
    """A listing of at least `size` bytes; the client reads only the start of a long text, so one record is smaller."""
    count = size // 180_000 + 1  # a Cyrillic letter takes two bytes
    return Listing((record("я" * 90_000),) * count, complete=True, total=count, changed=False)


def test_the_oldest_makes_room_when_the_size_is_used_up() -> None:
    details = make_cache()
    third = listing_of(CACHE_MAX_BYTES // 3 + 1)
    for target in ("/a", "/b", "/c"):
        details.put(target, third)
    assert [target for target in ("/a", "/b", "/c") if details.get(target)] == ["/b", "/c"]


def test_what_is_larger_than_everything_is_not_cached_and_drives_nothing_out() -> None:
    details = make_cache()
    details.put("/a", record())
    details.put("/b", listing_of(CACHE_MAX_BYTES + 1))
    assert details.get("/a") == record()
    assert details.get("/b") is None


async def test_a_client_asks_for_a_settled_record_once(liner: FakeLiner) -> None:
    told = next(one.id for one in liner.dataset.records.values() if one.summary)
    mute = next(one.id for one in liner.dataset.records.values() if not one.summary)
    async with client_of(liner) as uncached:
        client = CachedClient(uncached, DetailCache(now=lambda: NOW + timedelta(days=1)))
        for _ in range(3):
            assert (await client.call_record(told)).record_summary
            assert not (await client.call_record(mute)).record_summary
    asked = [target for target in liner.requests if f"/{told}/" in target]
    assert len(asked) == 1
    assert len(liner.requests) - len(asked) == 3


async def test_a_client_asks_for_calls_and_their_lists_of_settled_records_once(dataset: Dataset) -> None:
    liner = FakeLiner(dataset)
    call_id = next(
        one
        for one in dataset.calls
        if dataset.records_of(one) and all(record.summary for record in dataset.records_of(one))
    )
    async with client_of(liner) as uncached:
        client = CachedClient(uncached, DetailCache(now=lambda: NOW + timedelta(days=1)))
        with count_requests() as spent:
            for _ in range(3):
                await client.call(call_id)
                assert (await client.call_records(call_id)).complete
    assert (spent.requests, spent.cache_hits) == (2, 4)
    assert len(liner.requests) == 2


async def test_a_fresh_record_is_requested_though_it_is_cached(liner: FakeLiner) -> None:
    record_id = next(one.id for one in liner.dataset.records.values() if one.summary)
    async with client_of(liner) as uncached:
        client = CachedClient(uncached, DetailCache(now=lambda: NOW + timedelta(days=1)))
        for fresh in (False, True, False):
            assert (await client.call_record(record_id, fresh=fresh)).id == record_id
    assert len(liner.requests) == 2


async def test_lists_and_dictionaries_are_requested_each_time(liner: FakeLiner) -> None:
    async with client_of(liner) as uncached:
        client = CachedClient(uncached)
        window = CallFilter(NOW - timedelta(hours=1), NOW, order_ids=(201,))
        for _ in range(2):
            assert client.concurrency == uncached.concurrency
            assert await client.calls(window) == await uncached.calls(window)
            assert await client.orders(at_most=1) == await uncached.orders(at_most=1)
            assert await client.users() == await uncached.users()
            assert await client.agent_groups() == await uncached.agent_groups()
            assert await client.call_statuses() == await uncached.call_statuses()
            assert await client.lead_statuses() == await uncached.lead_statuses()
    assert len(liner.requests) == 4 * 6
