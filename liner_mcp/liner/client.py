"""Liner's API as typed reads: requests by id, and whole lists.

`transport.py` makes, limits and retries one request. An `anyio` deadline around a call bounds everything below it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import anyio
import anyio.lowlevel

from liner_mcp.errors import (
    DeadlineExceeded,
    InvalidResponse,
    LinerRejected,
    NotFound,
    WrongAddress,
)
from liner_mcp.liner import decoding, endpoints
from liner_mcp.liner.deadline import is_second_half, scope_before_deadline, time_left
from liner_mcp.liner.decoding import ListPage
from liner_mcp.liner.endpoints import CallFilter, Query
from liner_mcp.liner.models import (
    AgentGroup,
    Call,
    CallRecord,
    CallStatus,
    Identified,
    Lead,
    LeadStatus,
    Order,
    ServiceHealth,
    User,
)
from liner_mcp.liner.pagination import Listing, Paginator, merge_two_reads
from liner_mcp.liner.parallel import RESERVE_SECONDS, RESERVE_SHARE
from liner_mcp.liner.reads import Read
from liner_mcp.liner.record_owners import reject_mixed_calls
from liner_mcp.liner.transport import Transport
from liner_mcp.text.clean import clean

I = TypeVar("I", bound=Identified)  # noqa: E741 - a type variable

ROUND_PAGE = 50  # rows of a page in Liner's samples; the documented maximum is a multiple of it
MAX_RECORDS = 1_000  # of one call: a Liner that counts more is counting those of all calls


def _takes_too_long(paginator: Paginator[Any], offsets: int, concurrency: int, pace: float) -> bool:
    """Whether the rest of a list would take longer than the time left, at `pace` seconds per page.

    Pages that are not counted are read one by one, and a long list probably goes on. From the second page on, they may
    take half of the time of the call, so that the other half is left for shorter lists.
    """
    if not paginator.pages:
        return False
    if offsets > 1:
        return pace * math.ceil(offsets / concurrency) > time_left()
    uncounted = paginator.total is None and paginator.pages > 1
    return pace * max(paginator.pages / 2, 1) > time_left() or (uncounted and is_second_half(pace))


class LinerClient:
    """`LinerReads` over HTTP, the health check, and the connections. Safe to share between tool calls.

    All methods raise errors of `liner_mcp.errors` and nothing else on purpose. Nothing is cached here, see
    `cached_client.py`.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.origin, self.concurrency = transport.origin, transport.concurrency
        self._long_texts = anyio.Lock()  # pages of long texts are decoded one at a time
        self._dictionary_paths: dict[tuple[str, str], str] = {}

    def __repr__(self) -> str:
        return f"LinerClient({self.origin!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def open(self) -> None:
        """Set up the connections without making a request. Raises: SettingsError."""
        self._transport.open()

    async def aclose(self) -> None:
        """Close the connections. A later request opens new ones."""
        await self._transport.aclose()

    # The reads --------------------------------------------------------------------------------------------------

    async def health(self) -> dict[str, ServiceHealth]:
        """Liner's services by name. The set of names is open. /devs/api/status/health-check"""
        data = await self._transport.get(Query(endpoints.HEALTH))
        if not isinstance(data, dict):
            raise InvalidResponse("Liner's answer could not be read: the health check is not an object.")
        services = cast("dict[str, object]", data)
        return {clean(name): decoding.decode_one(value, ServiceHealth) for name, value in services.items()}

    async def call(self, call_id: int) -> Call:
        return await self._read_detail(Query(endpoints.call_detail(call_id)), Call, call_id)

    def calls(self, which: CallFilter, *, at_most: int | None = None) -> Read[Listing[Call]]:
        return self._read_list(which.query(), Call, at_most, paced=at_most is not None)

    async def calls_page(
        self, which: CallFilter, *, offset: int = 0, limit: int = endpoints.PAGE_LIMIT
    ) -> ListPage[Call]:
        """One page of the same, with Liner's count of the whole window."""
        return await self._decode_list(await self._transport.get(which.query().page(offset, limit)), Call)

    async def call_record(self, record_id: int, *, fresh: bool = False) -> CallRecord:  # noqa: ARG002 - always is
        return await self._read_detail(Query(endpoints.call_record_detail(record_id)), CallRecord, record_id)

    async def call_records(self, call_id: int) -> Listing[CallRecord]:
        query = Query(endpoints.CALL_RECORDS, (("callId", str(call_id)),))
        listing = await self._read_list(query, CallRecord, at_most=MAX_RECORDS, check=reject_mixed_calls)
        reject_mixed_calls(listing.items)
        return listing

    def orders(self, *, at_most: int | None = None) -> Read[Listing[Order]]:
        return self._read_list(Query(endpoints.ORDERS), Order, at_most)

    def users(self) -> Read[Listing[User]]:
        return self._read_list(Query(endpoints.USERS), User)

    def agent_groups(self) -> Read[Listing[AgentGroup]]:
        return self._read_list(Query(endpoints.AGENT_GROUPS), AgentGroup)

    async def lead(self, lead_id: int) -> Lead:
        return await self._read_detail(Query(endpoints.lead_detail(lead_id)), Lead, lead_id)

    async def call_statuses(self) -> Listing[CallStatus]:
        return await self._read_dictionary(endpoints.CALL_STATUSES, CallStatus)

    async def lead_statuses(self) -> Listing[LeadStatus]:
        return await self._read_dictionary(endpoints.LEAD_STATUSES, LeadStatus)

    async def _read_detail(self, query: Query, model: type[I], entity_id: int) -> I:
        data = await self._transport.get(query)
        if not data:  # a success without data: Liner does not document its answer to an unknown id
            raise NotFound(decoding.NOT_FOUND_MESSAGE)
        entity = decoding.decode_one(data, model)
        if entity.id != entity_id:
            raise InvalidResponse("Liner's answer could not be read: it is about another id than the requested one.")
        return entity

    async def _read_dictionary(self, paths: tuple[str, str], model: type[I]) -> Listing[I]:
        """A whole dictionary, from the one of its two documented paths that exists. The path is remembered."""
        known = self._dictionary_paths.get(paths)
        for path in [known] if known else paths[:-1]:
            try:
                return await self._read_dictionary_at(path, paths, model)
            except (WrongAddress, LinerRejected):
                if known:
                    raise
        return await self._read_dictionary_at(paths[-1], paths, model)

    async def _read_dictionary_at(self, path: str, paths: tuple[str, str], model: type[I]) -> Listing[I]:
        page = await self._decode_list(await self._transport.get(Query(path)), model)
        self._dictionary_paths[paths] = path
        # Documented as a bare list. But this Liner may send pages, and then a round number of rows may be one.
        cut = page.rows >= ROUND_PAGE and page.rows % ROUND_PAGE == 0
        if page.next or cut or (page.total or 0) > page.rows:
            return await self._read_list(Query(path), model)
        return Listing(page.items, not page.unreadable, page.total, changed=False, unreadable=page.unreadable)

    # One list, one request --------------------------------------------------------------------------------------

    async def _decode_list(self, data: object, model: type[I]) -> ListPage[I]:
        """A page; other tasks run between the steps of decoding long texts."""
        steps = decoding.decode_list_steps(data, model)
        try:
            next(steps)
            async with self._long_texts:
                while True:
                    await anyio.lowlevel.checkpoint()
                    next(steps)
        except StopIteration as end:
            page: ListPage[I] = end.value
            return page

    async def _read_list(
        self,
        query: Query,
        model: type[I],
        at_most: int | None = None,
        *,
        paced: bool = False,
        check: Callable[[Sequence[I]], None] | None = None,
    ) -> Listing[I]:
        """All pages of a list. When rows are missing at the end, they may have moved between pages while the list was
        read, so it is read once more; not where rows are missing because they cannot be read.

        `check` gets the rows of each page; an error that it raises ends the read.
        """
        paginator = await self._read_pages(query, model, at_most, paced=paced, check=check)
        listing = paginator.listing()
        if not paginator.pages:
            raise DeadlineExceeded(
                "The time of this call was up before Liner answered. Ask again, or for less at once."
            )
        if listing.complete or listing.unreadable or not (listing.finished and paginator.several_pages):
            return listing
        again = await self._read_pages(query, model, at_most, paced=paced, check=check)
        return merge_two_reads(paginator, again)

    async def _read_pages(
        self,
        query: Query,
        model: type[I],
        at_most: int | None,
        *,
        paced: bool,
        check: Callable[[Sequence[I]], None] | None,
    ) -> Paginator[I]:
        """One walk over the pages; it ends shortly before the caller's deadline, with the pages read so far.

        `paced`: it ends too where the rest would take too long, as the caller can read shorter lists.
        """
        paginator: Paginator[I] = Paginator()
        begun = anyio.current_time()

        async def read(offsets: Iterator[int]) -> None:
            for offset in offsets:
                if paginator.still_needs(offset):
                    data = await self._transport.get(query.page(offset, paginator.limit))
                    # The slot is free again: another caller may send before this page is decoded.
                    await anyio.lowlevel.checkpoint()
                    page = await self._decode_list(data, model)
                    if check is not None:
                        check(page.items)
                    paginator.add_page(offset, page)

        with scope_before_deadline(RESERVE_SECONDS, RESERVE_SHARE):
            while offsets := paginator.next_offsets():
                if at_most is not None and max(paginator.total or 0, paginator.rows) > at_most:
                    break
                pace = (anyio.current_time() - begun) / max(paginator.pages, 1)
                if paced and _takes_too_long(paginator, len(offsets), self.concurrency, pace):
                    break
                pending = iter(offsets)
                try:
                    async with anyio.create_task_group() as group:
                        # Twice the slots: a slot must not idle while a page is decoded.
                        for _ in range(min(len(offsets), 2 * self.concurrency)):
                            group.start_soon(read, pending)
                except ExceptionGroup as errors:  # the first error has cancelled the other pages
                    raise errors.exceptions[0] from None
        return paginator
