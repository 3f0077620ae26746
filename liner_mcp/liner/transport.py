"""The transport: the only module that sends requests to Liner and waits for its turn.

`get` is retry -> single-flight -> throttle and circuit breaker -> send, each in a module of its own. It sends nothing
but GET, and the token to one host only. Time is the caller's: an `anyio` deadline (`move_on_after`, `fail_after`)
around a call limits every wait and retry in it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

import anyio
import anyio.to_thread
import httpx
from anyio.lowlevel import checkpoint
from pydantic import SecretStr

from liner_mcp.errors import LinerMcpError, LinerUnavailable, RateLimited, WrongAddress
from liner_mcp.liner import decoding
from liner_mcp.liner.circuit_breaker import CircuitBreaker
from liner_mcp.liner.connections import EnvironmentProxy, timed_out
from liner_mcp.liner.deadline import time_left
from liner_mcp.liner.decompression import BodyDecoder
from liner_mcp.liner.endpoints import HEALTH, Query
from liner_mcp.liner.http_client import (
    HTTP_ERRORS,
    REQUEST_TIMEOUT_SECONDS,
    create_client,
    redirect_location,
    translated,
)
from liner_mcp.liner.pace import Pace, SharedPace
from liner_mcp.liner.redirects import leads_away, same_origin_target
from liner_mcp.liner.request_metrics import Attempt, RequestObserver, observe_attempt
from liner_mcp.liner.retry import FULL_JITTER, RetryPolicy, requested_wait
from liner_mcp.liner.single_flight import SingleFlight
from liner_mcp.liner.throttle import Throttle

PIECE_BYTES = 4 * 1024  # decompressed at a time, before other tasks get their turn: gzip makes at most 4 MB of it
# To parse so much takes less than a tenth of a second. A page of 100 records with the longest summaries seen has 10 MB.
MAX_BODY_BYTES = 16_000_000
HEALTH_CHECK_SECONDS = 5.0  # a Liner that is up answers it at once, and the caller whose request failed waits for it
MAX_REDIRECTS = 3  # with and without a trailing slash, and one to spare


@dataclass(frozen=True, slots=True)
class _ConnectionPool:
    """What exists only while connections are open; all of it belongs to one event loop."""

    http: httpx.AsyncClient
    slots: anyio.CapacityLimiter
    pace: Pace | None
    single_flight: SingleFlight


class _Paused(Exception):
    """Nothing was sent, because Liner asked for a pause while the request waited for its slot."""


class Transport:
    """GET requests with the limits, retries and redirects that all of them share.

    `use_circuit_breaker`: while Liner is down, fail at once instead of retrying for each caller (for a server that many
    people share). `transport` replaces the network, for tests and the demo. `pace_url`: the store over which `replicas`
    share the pace.
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
        pace_url: str | None = None,
        replicas: int = 1,
    ) -> None:
        self.origin = origin
        self._token = token
        self.concurrency = concurrency
        self._requests_per_second = requests_per_second
        self._transport = transport
        self._retry_policy = RetryPolicy(jitter)
        self._throttle = Throttle(concurrency)
        self._circuit_breaker = CircuitBreaker() if use_circuit_breaker else None
        self._observer = observer
        self._pace_url = pace_url
        self._replicas = replicas
        self._proxy: EnvironmentProxy | None = None
        self._pool: _ConnectionPool | None = None

    def __repr__(self) -> str:
        return f"Transport({self.origin!r})"

    def open(self) -> None:
        """Prepare the connections for the first request, without a request. Inside the event loop that will send it.

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
            if pool.pace is not None:
                await pool.pace.aclose()

    async def get(self, query: Query) -> object:
        """The `data` of one answer, after as many attempts as the retry policy and the deadline allow.

        Attempts are deduplicated and retries are not, because each caller's deadline limits how long to try.

        Raises: the errors of `decoding.decode`; CircuitOpen, Unreachable, SettingsError, ConnectionClosed.
        """
        pool, target = self._open_pool(), query.target

        async def attempt_get(number: int) -> object:
            attempt = Attempt(self.origin, query.path, number)
            with observe_attempt(self._observer, attempt):
                while True:
                    await self._wait_for_pause()
                    attempt.deduplicated = target in pool.single_flight
                    try:
                        return await pool.single_flight.run(target, partial(self._fetch, pool, target, attempt))
                    except _Paused:
                        attempt.deduplicated = False

        with pool.single_flight.caller_scope():
            return await self._retry_policy.run(attempt_get)

    async def get_once(self, target: str) -> tuple[httpx.Response, bytes]:
        """One answer and its body as it came, redirects and failures included: no retry, no redirect, no decoding.

        It waits for a slot like every request, and the throttle records its outcome for all callers.

        Raises: RateLimited when a pause that Liner asked for does not end in time; CircuitOpen, Unreachable,
        InvalidResponse, SettingsError, ConnectionClosed.
        """
        pool = self._open_pool()
        attempt = Attempt(self.origin, target.partition("?")[0], 1)
        answer: tuple[httpx.Response, bytes] | None = None
        with pool.single_flight.caller_scope():
            while answer is None:
                await self._wait_for_pause()
                with suppress(_Paused, RateLimited, LinerUnavailable):  # recorded where they were raised
                    async with self._slot(pool, target):
                        answer = await self._send(pool.http, target, attempt)
                        head = answer[0]
                        if failure := decoding.status_error(head.status_code, requested_wait(head.headers)):
                            raise failure
        assert answer is not None  # noqa: S101 - the loop ends with an answer
        return answer

    async def _wait_for_pause(self) -> None:
        """Wait until Liner's pause is over. It is the caller who waits, because the deadline is the caller's.

        Raises: RateLimited, CircuitOpen, when waiting is of no use.
        """
        while True:
            now = anyio.current_time()
            if self._circuit_breaker is not None:
                self._circuit_breaker.check(now)
            self._throttle.check(now, time_left())
            pause = self._throttle.seconds_until_send(now)
            if not pause:
                return
            await anyio.sleep(pause)

    async def _fetch(self, pool: _ConnectionPool, target: str, attempt: Attempt) -> object:
        """One attempt, for all callers that wait for this target. `attempt` is that of the first caller."""
        begun = anyio.current_time()
        async with self._slot(pool, target):
            attempt.queued_seconds = anyio.current_time() - begun
            return await self._follow_redirects(pool.http, target, attempt)

    @asynccontextmanager
    async def _slot(self, pool: _ConnectionPool, target: str) -> AsyncGenerator[None]:
        """The one place where a request gets its slot and passes the throttle and the circuit breaker.

        Both record its outcome: the LinerMcpError that leaves the block, or an answer. Raises: _Paused, CircuitOpen.
        """
        async with pool.slots:
            await self._acquire_turn(pool)
            # Checked last, because other answers came in while this request waited for its slot.
            sent_at = anyio.current_time()
            if self._throttle.seconds_until_send(sent_at):
                raise _Paused
            if self._circuit_breaker is not None:
                self._circuit_breaker.acquire(sent_at)
            try:
                yield
            except LinerMcpError as failure:
                self._record(pool, target, failure, sent_at)
                if pool.pace is not None and isinstance(failure, RateLimited):
                    await pool.pace.share_pause(self._throttle.seconds_until_send(anyio.current_time()))
                await self._check_health(pool)
                raise
            self._record(pool, target, None, sent_at)

    async def _acquire_turn(self, pool: _ConnectionPool) -> None:
        """Wait for the turn of a request at the pace; a pause that another replica was asked for is one here too."""
        if pool.pace is not None and (pause := await pool.pace.acquire()):
            self._throttle.pause(anyio.current_time(), pause)

    def _record(self, pool: _ConnectionPool, target: str, failure: LinerMcpError | None, sent_at: float) -> None:
        now = anyio.current_time()
        self._throttle.record(now, failure, sent_at=sent_at)
        pool.slots.total_tokens = self._throttle.max_concurrent
        if self._circuit_breaker is not None:
            self._circuit_breaker.record(now, target, failure)

    async def _check_health(self, pool: _ConnectionPool) -> None:
        """Request Liner's health check, when the circuit breaker needs it to know whether Liner is down."""
        if self._circuit_breaker is None or not self._circuit_breaker.acquire_health_check(anyio.current_time()):
            return
        await self._acquire_turn(pool)
        sent_at = anyio.current_time()
        failure: LinerMcpError | None = timed_out(f"within {HEALTH_CHECK_SECONDS:.0f} s", self._proxy)
        with anyio.move_on_after(HEALTH_CHECK_SECONDS):
            try:
                await self._follow_redirects(pool.http, HEALTH, Attempt(self.origin, HEALTH, 1))
                failure = None
            except LinerMcpError as error:
                failure = error
        now = anyio.current_time()
        self._throttle.record(now, failure, sent_at=sent_at)
        self._circuit_breaker.record_health_check(now, failure)

    async def _follow_redirects(self, http: httpx.AsyncClient, target: str, attempt: Attempt) -> object:
        """The `data` of the answer at a target, redirects followed."""
        first, token, begun = target, self._token.get_secret_value(), anyio.current_time()
        try:
            with anyio.fail_after(REQUEST_TIMEOUT_SECONDS):
                for _ in range(1 + MAX_REDIRECTS):
                    response, body = await self._send(http, target, attempt)
                    wait = requested_wait(response.headers)
                    location = redirect_location(response)
                    if location is None:
                        decode = partial(decoding.decode, response.status_code, body, wait, target=first, token=token)
                        if len(body) <= decoding.MOST_DECODED_AT_ONCE:
                            return decode()
                        return await anyio.to_thread.run_sync(decode, abandon_on_cancel=True)
                    there = same_origin_target(self.origin, target, location)
                    if there is None:
                        raise leads_away(self.origin, target, location, token)
                    target = there
        except TimeoutError:
            raise timed_out(f"within {REQUEST_TIMEOUT_SECONDS:.0f} s", self._proxy) from None
        finally:
            attempt.seconds = anyio.current_time() - begun
            if self._observer is not None:
                self._observer.on_request_end(attempt)
        raise WrongAddress("LINER_API_HOST redirects in a circle. Check it, and which proxy or gateway answers there.")

    async def _send(self, http: httpx.AsyncClient, target: str, attempt: Attempt) -> tuple[httpx.Response, bytes]:
        attempt.record_request()
        answered = False
        try:
            async with http.stream("GET", f"{self.origin}{target}") as response:
                answered = True
                attempt.status = response.status_code
                if response.is_stream_consumed:  # a transport has read it, and so decompressed it
                    body = BodyDecoder("", MAX_BODY_BYTES)
                    body.feed(response.content)
                else:
                    body = BodyDecoder(response.headers.get("content-encoding", ""), MAX_BODY_BYTES)
                    async for piece in response.aiter_raw(PIECE_BYTES):
                        attempt.received_bytes += len(piece)
                        body.feed(piece)
                        await checkpoint()
                return response, body.finish()
        except HTTP_ERRORS as error:
            raise translated(error, self._proxy, answered=answered) from None

    def _open_pool(self) -> _ConnectionPool:
        if self._pool is None:
            http, self._proxy = create_client(
                self.origin, self._token, concurrency=self.concurrency, transport=self._transport
            )
            slots = anyio.CapacityLimiter(self._throttle.max_concurrent)
            self._pool = _ConnectionPool(http, slots, self._create_pace(), SingleFlight())
        return self._pool

    def _create_pace(self) -> Pace | None:
        if not self._requests_per_second:
            return None
        if self._pace_url is None:
            return Pace(self._requests_per_second)
        return SharedPace(
            self._pace_url,
            self._requests_per_second,
            account=f"{self.origin} {self._token.get_secret_value()}",
            replicas=self._replicas,
        )
