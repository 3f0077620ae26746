"""The transport: the only module that sends requests to Liner, waits, and retries. `http_client.py` knows the HTTP
library.

All callers share one throttle, see `throttle.py`. Two equal requests at the same time are sent once, see
`single_flight.py`. The transport can only GET. The token travels in one header to one host. Time is the caller's: an
`anyio` deadline (`move_on_after`, `fail_after`) around a call bounds every wait and retry below it.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import TypeVar

import anyio
import httpx
import stamina
from aiolimiter import AsyncLimiter
from pydantic import SecretStr

from liner_mcp.errors import LinerMcpError, WrongAddress
from liner_mcp.liner import decoding
from liner_mcp.liner.connections import EnvironmentProxy, timed_out
from liner_mcp.liner.deadline import time_left
from liner_mcp.liner.decompression import BodyDecoder
from liner_mcp.liner.endpoints import Query
from liner_mcp.liner.http_client import REQUEST_TIMEOUT_SECONDS, create_client, redirect_location, translated
from liner_mcp.liner.redirects import leads_away, same_origin_target
from liner_mcp.liner.request_metrics import Attempt, RequestObserver, current_attempt, observe_attempt
from liner_mcp.liner.retry import RetryPolicy, parse_http_date, parse_retry_after
from liner_mcp.liner.single_flight import SingleFlight
from liner_mcp.liner.throttle import LoadControl

T = TypeVar("T")

BURST_SECONDS = 2.0  # requests saved up while idle: 40 at the default rate of 20 per second
MAX_BODY_BYTES = 32_000_000  # a page of 100 records with the longest summaries seen is a third of this
FULL_JITTER = partial(random.uniform, 0.0)  # spreads retries over the whole wait
MAX_REDIRECTS = 3  # with and without a trailing slash, and one to spare


@dataclass(frozen=True, slots=True)
class _ConnectionPool:
    """What exists only while connections are open; all of it belongs to one event loop."""

    http: httpx.AsyncClient
    slots: anyio.CapacityLimiter
    rate_limiter: AsyncLimiter | None
    single_flight: SingleFlight


class _Paused(Exception):
    """Nothing was sent, because Liner asked for a pause in the meantime."""


@dataclass(slots=True)
class _RequestOutcome:
    """What became of a request that was sent, where it does not raise it."""

    failure: LinerMcpError | None = None


class Transport:
    """GET requests with the limits, retries and redirects that all of them share.

    `use_circuit_breaker`: while Liner is down, fail at once instead of retrying for each caller (for a server that many
    people share). `transport` replaces the network, for tests and the demo.
    """

    def __init__(
        self,
        origin: str,
        token: SecretStr,
        *,
        concurrency: int = 4,
        requests_per_second: float = 20.0,
        transport: httpx.AsyncBaseTransport | None = None,
        jitter: Callable[[float], float] = FULL_JITTER,
        use_circuit_breaker: bool = False,
        observer: RequestObserver | None = None,
    ) -> None:
        self._origin = origin
        self._token = token
        self._concurrency = concurrency
        self._requests_per_second = requests_per_second
        self._transport = transport
        self._retry_policy = RetryPolicy(jitter)
        self._load_control = LoadControl(concurrency, use_circuit_breaker=use_circuit_breaker)
        self._observer = observer
        self._proxy: EnvironmentProxy | None = None
        self._pool: _ConnectionPool | None = None

    def __repr__(self) -> str:
        return f"Transport({self._origin!r})"

    @property
    def origin(self) -> str:
        """Scheme, host and port of Liner's API."""
        return self._origin

    @property
    def concurrency(self) -> int:
        """How many requests can run at once."""
        return self._concurrency

    def open(self) -> None:
        """Get everything ready for the first request, without making one. Inside the event loop that will make it.

        Raises: SettingsError when connections cannot be set up.
        """
        self._open_pool()

    async def aclose(self) -> None:
        """Close the connections. Callers that wait for an answer get ConnectionClosed at once.

        A later request opens new connections.
        """
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.single_flight.close()
            await pool.http.aclose()

    async def get(self, query: Query) -> object:
        """The `data` of one answer, after as many attempts as the policy and the deadline allow.

        Raises: besides what an answer may mean, ConnectionClosed, see `aclose`; SettingsError.
        """
        attempt_number = 0

        def retry_delay(error: Exception) -> float | bool:
            wait = self._retry_policy.delay(error, attempt_number, time_left())
            return False if wait is None else wait

        pool = self._open_pool()
        with pool.single_flight.caller_scope():
            async for attempt in stamina.retry_context(
                on=retry_delay, attempts=self._retry_policy.attempts, timeout=None
            ):
                with attempt:
                    attempt_number = attempt.num
                    with observe_attempt(self._observer, Attempt(self._origin, query.path, attempt_number)):
                        return await self._get_deduplicated(pool, query.target)
        raise AssertionError("stamina gives a result or raises")

    async def _get_deduplicated(self, pool: _ConnectionPool, target: str) -> object:
        """One attempt, deduplicated: callers that ask the same in the meantime wait for the same request.

        Attempts are deduplicated and retries are not, because each caller's deadline says how long to try.
        """

        async def run() -> object:
            current_attempt().submitted = True
            try:
                return await pool.single_flight.run(target)
            except _Paused:
                current_attempt().submitted = False  # nothing was sent
                raise

        return await self._when_not_paused(run)

    async def get_once(self, target: str) -> tuple[httpx.Response, bytes]:
        """One answer and its body, be it a redirect or a failure: nothing is followed, retried or decoded.

        It waits for a slot like every request, and the throttle records its outcome for all callers. Raises:
        RateLimited, when a pause that Liner asked for does not end in time; CircuitOpen, Unreachable, InvalidResponse,
        SettingsError, ConnectionClosed.
        """
        pool = self._open_pool()

        async def send() -> tuple[httpx.Response, bytes]:
            async with self._slot(pool) as outcome:
                with observe_attempt(self._observer, Attempt(self._origin, target.partition("?")[0], 1)):
                    response, body = await self._send(pool.http, target)
                outcome.failure = decoding.status_error(response.status_code, _requested_wait(response.headers))
                return response, body

        with pool.single_flight.caller_scope():
            response, body = await self._when_not_paused(send)
        return response, body

    async def _fetch(self, pool: _ConnectionPool, target: str) -> object:
        attempt = current_attempt()  # of the caller that began this request: a task gets the context it is created in
        attempt.sent = True
        begun = monotonic()
        try:
            async with self._slot(pool):
                attempt.queued_seconds = monotonic() - begun
                return await self._follow_redirects(pool.http, target)
        except _Paused:
            attempt.sent = False
            raise
        finally:
            attempt.seconds = monotonic() - begun - attempt.queued_seconds
            if self._observer is not None and attempt.requests:
                self._observer.on_request_end(attempt)

    async def _when_not_paused(self, send: Callable[[], Awaitable[T]]) -> T:
        """Send when Liner has asked for no pause. Each caller's deadline says how long to wait for that.

        Raises: RateLimited, CircuitOpen, when sending is of no use.
        """
        while True:
            self._load_control.check(monotonic(), time_left())
            pause = self._load_control.throttle.seconds_until_send(monotonic())
            if pause:
                await anyio.sleep(pause)
                continue
            with suppress(_Paused):
                return await send()

    @asynccontextmanager
    async def _slot(self, pool: _ConnectionPool) -> AsyncGenerator[_RequestOutcome]:
        """The one place where a request gets its slot and passes the throttle; the load control records its outcome.

        Raises: _Paused, CircuitOpen.
        """
        async with pool.slots:
            if pool.rate_limiter is not None:
                await pool.rate_limiter.acquire()
            # Last of all: other answers came in while this one waited for its slot.
            if self._load_control.throttle.seconds_until_send(monotonic()):
                raise _Paused
            sent = monotonic()
            self._load_control.acquire(sent)
            outcome = _RequestOutcome()
            try:
                yield outcome
            except LinerMcpError as error:
                self._record_outcome(pool, error, sent)
                raise
            self._record_outcome(pool, outcome.failure, sent)

    def _record_outcome(self, pool: _ConnectionPool, failure: LinerMcpError | None, sent: float) -> None:
        self._load_control.record(monotonic(), failure, sent_at=sent)
        if pool.slots.total_tokens != self._load_control.throttle.max_concurrent:
            pool.slots.total_tokens = self._load_control.throttle.max_concurrent

    async def _follow_redirects(self, http: httpx.AsyncClient, target: str) -> object:
        """What is behind a target, redirects followed."""
        first, token = target, self._token.get_secret_value()
        try:
            with anyio.fail_after(REQUEST_TIMEOUT_SECONDS):
                for _ in range(1 + MAX_REDIRECTS):
                    response, body = await self._send(http, target)
                    wait = _requested_wait(response.headers)
                    location = redirect_location(response)
                    if location is None:
                        return decoding.decode(response.status_code, body, wait, target=first, token=token)
                    there = same_origin_target(self._origin, target, location)
                    if there is None:
                        raise leads_away(self._origin, target, location, token)
                    target = there
        except TimeoutError:
            raise timed_out(f"within {REQUEST_TIMEOUT_SECONDS:.0f} s", self._proxy) from None
        raise WrongAddress("LINER_API_HOST redirects in a circle. Check it, and which proxy or gateway answers there.")

    async def _send(self, http: httpx.AsyncClient, target: str) -> tuple[httpx.Response, bytes]:
        attempt = current_attempt()
        attempt.record_request()
        with translated(self._proxy) as exchange:
            async with http.stream("GET", f"{self._origin}{target}") as response:
                exchange.answered = True
                attempt.status = response.status_code
                if response.is_stream_consumed:  # a transport has looked into it, and so unpacked it
                    body = BodyDecoder("", MAX_BODY_BYTES)
                    body.feed(response.content)
                else:
                    body = BodyDecoder(response.headers.get("content-encoding", ""), MAX_BODY_BYTES)
                    async for piece in response.aiter_raw():
                        attempt.record_received(len(piece))
                        body.feed(piece)
                return response, body.finish()

    def _open_pool(self) -> _ConnectionPool:
        if self._pool is None:
            http, self._proxy = create_client(
                self._origin, self._token, concurrency=self._concurrency, transport=self._transport
            )
            rate = self._requests_per_second
            seconds = max(BURST_SECONDS, 1 / rate) if rate else 0.0
            # At least one: rate x (1 / rate) may come out a hair below, and then no request would ever fit.
            limiter = AsyncLimiter(max(1.0, rate * seconds), seconds) if rate else None
            in_flight = SingleFlight(lambda target: self._fetch(pool, target))
            slots = anyio.CapacityLimiter(self._load_control.throttle.max_concurrent)
            self._pool = pool = _ConnectionPool(http, slots, limiter, in_flight)
        return self._pool


def _requested_wait(headers: httpx.Headers) -> float | None:
    """Seconds that an answer asks to wait. A date is read by the clock that wrote it, which may be off from ours."""
    asked = headers.get("retry-after")
    return parse_retry_after(asked, parse_http_date(headers.get("date")) or datetime.now(UTC))
