"""The only module that opens connections to Liner, waits, retries, or runs requests at once.

It can only GET. The token travels in one header to one host. Time is the caller's: whoever opens an `anyio` deadline
(`move_on_after`, `fail_after`) around a call has every wait and retry below it bounded by that deadline.
"""

from __future__ import annotations

import math
import random
import ssl
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from socket import gaierror
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import anyio
from pydantic import SecretStr

from liner_mcp import __version__
from liner_mcp.errors import DeadlinePassed, LinerMcpError, LinerRejected, NotFound, Unreachable, UnreadableAnswer
from liner_mcp.liner import protocol
from liner_mcp.liner.models import Call, CallRecord, CallStatus, Identified, Order, ServiceHealth, User
from liner_mcp.liner.paging import Listing, PageWalk
from liner_mcp.liner.protocol import CallFilter, ListPage, Query, RetryPolicy

# httpx and stamina cost 60 ms together; they are imported when the first request is made, so that a host that only
# lists the tools does not wait for them.
if TYPE_CHECKING:
    import httpx
    from aiolimiter import AsyncLimiter

A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")
I = TypeVar("I", bound=Identified)  # noqa: E741 - a type variable

REQUEST_SECONDS = 15.0  # one request, body included; Liner's own samples use 15
CONNECT_SECONDS = 5.0  # a host that does not answer the handshake in this time is down
BURST_SECONDS = 2.0  # requests saved up while idle: 40 at the default rate of 20 per second
MAX_BODY_BYTES = 32_000_000  # a page of 100 records with the longest summaries seen is a third of this
MAX_REDIRECTS = 3  # with and without a trailing slash, and one to spare
# Kept back from a deadline to put together what has arrived.
CLOSING_SECONDS, CLOSING_SHARE = 0.5, 0.1


def _full_jitter(ceiling: float) -> float:
    return random.uniform(0, ceiling)  # noqa: S311 - spreads retries, guards nothing


def time_left() -> float:
    """Seconds until the innermost deadline around the caller; infinite without one."""
    return anyio.current_effective_deadline() - anyio.current_time()


@dataclass(frozen=True, slots=True)
class _Wire:
    """What exists only while the client is open; all of it belongs to one event loop."""

    http: httpx.AsyncClient
    slots: anyio.Semaphore
    rate: AsyncLimiter | None


class Outcomes(Generic[T]):
    """What became of each job of `LinerClient.each`, in the order of the jobs."""

    def __init__(self, count: int) -> None:
        self._done: list[T | LinerMcpError | None] = [None] * count

    def __getitem__(self, index: int) -> T | LinerMcpError | None:
        """The result, the error, or None when the job was not finished."""
        return self._done[index]

    def __setitem__(self, index: int, result: T | LinerMcpError) -> None:
        self._done[index] = result

    def __iter__(self) -> Iterator[T | LinerMcpError | None]:
        return iter(self._done)

    @property
    def unfinished(self) -> bool:
        """Whether a job was not finished."""
        return None in self._done


class LinerClient:
    """Liner's API as typed reads. Safe to share between tool calls; opens its pool at the first request.

    All methods raise errors of `liner_mcp.errors` and nothing else on purpose. `transport` is for tests and the demo.
    """

    def __init__(
        self,
        origin: str,
        token: SecretStr,
        *,
        concurrency: int = 4,
        requests_per_second: float = 20.0,
        transport: httpx.AsyncBaseTransport | None = None,
        jitter: Callable[[float], float] = _full_jitter,
    ) -> None:
        self.origin = origin
        self.concurrency = concurrency
        self._token = token
        self._requests_per_second = requests_per_second
        self._transport = transport
        self._policy = RetryPolicy(jitter)
        self._wire: _Wire | None = None
        self._call_statuses_path: str | None = None

    def __repr__(self) -> str:
        return f"LinerClient({self.origin!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the pool. A later request opens a new one."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.http.aclose()

    # What Liner can be asked ------------------------------------------------------------------------------------

    async def health(self) -> dict[str, ServiceHealth]:
        """Liner's services by name. The set of names is open. /devs/api/status/health-check"""
        data = await self._get(Query(protocol.HEALTH))
        if not isinstance(data, dict):
            raise UnreadableAnswer("Liner's answer could not be read: the health check is not an object.")
        return {str(name): protocol.read_one(value, ServiceHealth) for name, value in data.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON; read_one checks it

    async def call(self, call_id: int) -> Call:
        """One call. Raises NotFound for an unknown id."""
        return protocol.read_one(await self._get(Query(protocol.call_detail(call_id))), Call)

    async def calls(self, which: CallFilter) -> Listing[Call]:
        """All calls of a closed window, in Liner's order, which is none."""
        return await self._listing(which.query(), Call)

    async def calls_page(
        self, which: CallFilter, *, offset: int = 0, limit: int = protocol.PAGE_LIMIT
    ) -> ListPage[Call]:
        """One page of the same, with Liner's count of the whole window."""
        return protocol.read_list(await self._get(which.query().page(offset, limit)), Call)

    async def call_record(self, record_id: int) -> CallRecord:
        """One call record with all its fields. Raises NotFound for an unknown id."""
        return protocol.read_one(await self._get(Query(protocol.call_record_detail(record_id))), CallRecord)

    async def call_records(self, call_id: int) -> Listing[CallRecord]:
        """All records of one call, in Liner's order; an unknown call may give an empty list instead of an error."""
        return await self._listing(Query(protocol.CALL_RECORDS, (("callId", str(call_id)),)), CallRecord)

    async def orders(self) -> Listing[Order]:
        """Every order that Liner lists; whether archived ones are among them is undocumented."""
        return await self._listing(Query(protocol.ORDERS), Order)

    async def users(self) -> Listing[User]:
        """Everybody with a login, inactive ones included: old calls carry their ids."""
        return await self._listing(Query(protocol.USERS), User)

    async def call_statuses(self) -> tuple[CallStatus, ...]:
        """The dictionary of call statuses, from whichever of its two documented paths exists."""
        paths = [self._call_statuses_path] if self._call_statuses_path else list(protocol.CALL_STATUSES)
        for path in paths[:-1]:
            try:
                return await self._statuses_at(path)
            except (NotFound, LinerRejected):
                continue
        return await self._statuses_at(paths[-1])

    async def _statuses_at(self, path: str) -> tuple[CallStatus, ...]:
        page = protocol.read_list(await self._get(Query(path)), CallStatus)
        self._call_statuses_path = path
        return page.items

    # Several at once --------------------------------------------------------------------------------------------

    async def together(
        self, first: Callable[[], Awaitable[A]], second: Callable[[], Awaitable[B]]
    ) -> tuple[A | LinerMcpError, B | LinerMcpError]:
        """Two different reads at once; each gives its result or its error."""
        results: list[Any] = [None, None]

        async def run(index: int, job: Callable[[], Awaitable[object]]) -> None:
            results[index] = await _settle(job)

        async with anyio.create_task_group() as group:
            group.start_soon(run, 0, first)
            group.start_soon(run, 1, second)
        return results[0], results[1]

    async def each(
        self, jobs: Sequence[Callable[[], Awaitable[T]]], enough: Callable[[T | LinerMcpError], bool] | None = None
    ) -> Outcomes[T]:
        """Run alike jobs at once, as many as keep Liner's slots busy, beginning in order.

        `enough` is shown each result in the order of the jobs, as soon as it and all before it are there; once it says
        True, no further job is begun and the running ones are dropped. The same happens a moment before the caller's
        deadline. Jobs that did not finish have the outcome None.

        Raises: SetupError as soon as one job meets it, for then every job would.
        """
        outcomes: Outcomes[T] = Outcomes(len(jobs))
        hopeless: list[LinerMcpError] = []
        todo = iter(range(len(jobs)))
        shown = 0
        left = time_left()
        closing = min(CLOSING_SECONDS, left * CLOSING_SHARE) if math.isfinite(left) else 0.0
        with anyio.CancelScope(deadline=anyio.current_effective_deadline() - closing) as scope:

            async def work() -> None:
                nonlocal shown
                for index in todo:
                    result = await _settle(jobs[index])
                    outcomes[index] = result
                    if isinstance(result, LinerMcpError) and protocol.is_hopeless(result):
                        hopeless.append(result)
                        scope.cancel()
                        return
                    while enough and shown < len(jobs) and (next_one := outcomes[shown]) is not None:
                        shown += 1
                        if enough(next_one):
                            scope.cancel()
                            return

            async with anyio.create_task_group() as group:
                # Twice the slots: a job may need several requests, and one that computes must not idle a slot.
                for _ in range(min(len(jobs), 2 * self.concurrency)):
                    group.start_soon(work)
        if hopeless:
            raise hopeless[0]
        return outcomes

    # One list, one request --------------------------------------------------------------------------------------

    async def _listing(self, query: Query, model: type[I]) -> Listing[I]:
        """All pages of a list; when rows are missing at the end, the list moved and is read once more."""
        walk = await self._walk(query, model)
        listing = walk.listing()
        if not walk.begun:
            raise DeadlinePassed("The time of this call was up before Liner answered. Ask again, or for less at once.")
        if listing.complete or walk.capped or walk.wanted():
            return listing
        again = (await self._walk(query, model)).listing()
        merged = {item.id: item for item in (*listing.items, *again.items)}
        complete = again.complete or (again.total is not None and len(merged) >= again.total)
        return Listing(tuple(merged.values()), complete, again.total, changed=True)

    async def _walk(self, query: Query, model: type[I]) -> PageWalk[I]:
        walk: PageWalk[I] = PageWalk()

        async def read(offset: int) -> bool:
            if walk.wants(offset):
                page = protocol.read_list(await self._get(query.page(offset, walk.limit)), model)
                walk.take(offset, page)
            return True

        while offsets := walk.wanted():
            outcomes = await self.each([_bound(read, offset) for offset in offsets])
            for failure in outcomes:
                if isinstance(failure, LinerMcpError):
                    raise failure
            if outcomes.unfinished:
                break  # time is up: what was read is told as incomplete
        return walk

    async def _get(self, query: Query) -> object:
        """The `data` of one answer, after as many attempts as the policy and the deadline allow."""
        import stamina

        attempt_number = 0

        def delay(error: Exception) -> float | bool:
            wait = self._policy.delay(error, attempt_number, time_left())
            return False if wait is None else wait

        async for attempt in stamina.retry_context(on=delay, attempts=self._policy.attempts, timeout=None):
            with attempt:
                attempt_number = attempt.num
                return await self._once(query.target)
        raise AssertionError("stamina gives a result or raises")

    async def _once(self, target: str) -> object:
        wire = self._open()
        async with wire.slots:
            if wire.rate is not None:
                await wire.rate.acquire()
            try:
                with anyio.fail_after(REQUEST_SECONDS):
                    for _ in range(1 + MAX_REDIRECTS):
                        status, headers, body = await self._send(wire.http, target)
                        location = headers.get("location")
                        if status not in (301, 302, 303, 307, 308) or location is None:
                            wait = protocol.seconds_to_wait(headers.get("retry-after"), datetime.now(UTC))
                            return protocol.decode(status, body, wait)
                        target = self._redirected(target, location)
            except TimeoutError:
                raise Unreachable(
                    f"Liner did not answer within {REQUEST_SECONDS:.0f} s. Ask again, or for less at once."
                ) from None
        raise UnreadableAnswer("Liner's answer could not be read: it redirects in a circle. Check LINER_API_HOST.")

    def _redirected(self, target: str, location: str) -> str:
        there = protocol.same_host(self.origin, target, location)
        if there is None:
            raise UnreadableAnswer(
                "Liner's answer could not be read: it redirects to another host, where the token is not sent. "
                "Check LINER_API_HOST."
            )
        return there

    async def _send(self, http: httpx.AsyncClient, target: str) -> tuple[int, httpx.Headers, bytes]:
        with _translated():
            async with http.stream("GET", target) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BODY_BYTES:
                        raise UnreadableAnswer(
                            f"Liner's answer could not be read: it is larger than {MAX_BODY_BYTES // 1_000_000} MB."
                        )
                return response.status_code, response.headers, bytes(body)

    def _open(self) -> _Wire:
        if self._wire is None:
            import httpx
            from aiolimiter import AsyncLimiter

            http = httpx.AsyncClient(
                base_url=self.origin,
                headers={
                    "X-Api-Key": self._token.get_secret_value(),
                    "Accept": "application/json",
                    "Content-Type": "application/json",  # asked for on every request by /devs/api/request-schema
                    "User-Agent": f"liner-mcp/{__version__}",
                },
                timeout=httpx.Timeout(REQUEST_SECONDS, connect=CONNECT_SECONDS, pool=None),
                limits=httpx.Limits(max_connections=self.concurrency, max_keepalive_connections=self.concurrency),
                follow_redirects=False,
                trust_env=not self.origin.startswith("http://"),  # plain http is loopback: no proxy stands before it
                transport=self._transport,
            )
            rate = self._requests_per_second
            seconds = max(BURST_SECONDS, 1 / rate) if rate else 0.0
            limiter = AsyncLimiter(rate * seconds, seconds) if rate else None
            self._wire = _Wire(http, anyio.Semaphore(self.concurrency), limiter)
        return self._wire


async def _settle(job: Callable[[], Awaitable[T]]) -> T | LinerMcpError:
    try:
        return await job()
    except LinerMcpError as error:
        return error


def _bound(read: Callable[[int], Awaitable[T]], offset: int) -> Callable[[], Awaitable[T]]:
    return lambda: read(offset)


@contextmanager
def _translated() -> Generator[None]:
    """Turn the HTTP library's exceptions into ours; the only place that knows them."""
    import httpx

    try:
        yield
    except httpx.TimeoutException:
        raise Unreachable("Liner did not answer in time. Ask again, or for less at once.") from None
    except httpx.DecodingError:
        raise UnreadableAnswer("Liner's answer could not be read: its compression is broken.") from None
    except httpx.ConnectError as error:
        raise _not_connected(error) from None
    except (httpx.HTTPError, httpx.StreamError):
        raise Unreachable("The connection to Liner broke before the answer was complete. Ask again.") from None


def _not_connected(error: BaseException) -> Unreachable:
    """Say which part of connecting failed: the name, the certificate, or the port."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, gaierror):
            return Unreachable("The host in LINER_API_HOST cannot be found (DNS). Check its spelling and the network.")
        if isinstance(cause, ssl.SSLError):
            return Unreachable(
                "The host in LINER_API_HOST offers no trusted TLS certificate. Check the host, and SSL_CERT_FILE when "
                "a company proxy stands in between.",
                passing=False,
            )
        cause = cause.__cause__ or cause.__context__
    return Unreachable("Liner cannot be reached: the connection is refused or has no route. Check LINER_API_HOST.")
