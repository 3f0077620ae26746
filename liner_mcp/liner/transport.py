"""One request to Liner: the only module that asks it, waits, and retries; `http_client.py` knows the HTTP library.

Requests of all callers go out at one pace, see `throttle.py`; the same request asked twice at once is made once. It can
only GET. The token travels in one header to one host. Time is the caller's: whoever opens an `anyio` deadline
(`move_on_after`, `fail_after`) around a call has every wait and retry below it bounded by that deadline.
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

from liner_mcp.errors import LinerMcpError, Unreachable, WrongAddress
from liner_mcp.liner import endpoints
from liner_mcp.liner.connections import EnvironmentProxy
from liner_mcp.liner.decompression import Body
from liner_mcp.liner.endpoints import Query
from liner_mcp.liner.http_client import REQUEST_SECONDS, create_client, translated
from liner_mcp.liner.redirects import leads_away, same_host
from liner_mcp.liner.request_metrics import Attempt, Observer, attempted, watched
from liner_mcp.liner.retry import RetryPolicy, moment_of, seconds_to_wait
from liner_mcp.liner.single_flight import Sharing
from liner_mcp.liner.throttle import Pressure

T = TypeVar("T")

BURST_SECONDS = 2.0  # requests saved up while idle: 40 at the default rate of 20 per second
MAX_BODY_BYTES = 32_000_000  # a page of 100 records with the longest summaries seen is a third of this
FULL_JITTER = partial(random.uniform, 0.0)  # spreads retries over the whole wait
MAX_REDIRECTS = 3  # with and without a trailing slash, and one to spare


def time_left() -> float:
    """Seconds until the innermost deadline around the caller; infinite without one."""
    return anyio.current_effective_deadline() - anyio.current_time()


@dataclass(frozen=True, slots=True)
class _Pool:
    """What exists only while connections are open; all of it belongs to one event loop."""

    http: httpx.AsyncClient
    slots: anyio.CapacityLimiter
    rate: AsyncLimiter | None
    in_flight: Sharing


class _Paused(Exception):
    """Nothing was sent: Liner asked for peace meanwhile."""


@dataclass(slots=True)
class _Turn:
    """What became of a request that was sent, where it does not raise it."""

    failure: LinerMcpError | None = None


class Wire:
    """GET requests with the limits, retries and redirects that all of them share."""

    def __init__(
        self,
        origin: str,
        token: SecretStr,
        *,
        concurrency: int,
        requests_per_second: float,
        transport: httpx.AsyncBaseTransport | None,
        jitter: Callable[[float], float],
        breaks: bool,
        observer: Observer | None = None,
    ) -> None:
        self._origin = origin
        self._token = token
        self._concurrency = concurrency
        self._requests_per_second = requests_per_second
        self._transport = transport
        self._policy = RetryPolicy(jitter)
        self._pressure = Pressure(concurrency, breaks=breaks)
        self._observer = observer
        self._proxy: EnvironmentProxy | None = None
        self._pool: _Pool | None = None

    def __repr__(self) -> str:
        return f"Wire({self._origin!r})"

    def open(self) -> None:
        """Get everything ready for the first request, without making one. Inside the event loop that will make it.

        Raises: SettingsError when connections cannot be set up.
        """
        self._opened()

    async def aclose(self) -> None:
        """Close the connections; whoever waits for an answer is told so at once. A later request opens new ones."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.in_flight.end()
            await pool.http.aclose()

    async def get(self, query: Query) -> object:
        """The `data` of one answer, after as many attempts as the policy and the deadline allow.

        Raises: besides what an answer may mean, ConnectionClosed, see `aclose`; SettingsError.
        """
        attempt_number = 0

        def delay(error: Exception) -> float | bool:
            wait = self._policy.delay(error, attempt_number, time_left())
            return False if wait is None else wait

        pool = self._opened()
        with pool.in_flight.asking():
            async for attempt in stamina.retry_context(on=delay, attempts=self._policy.attempts, timeout=None):
                with attempt:
                    attempt_number = attempt.num
                    with watched(self._observer, Attempt(self._origin, query.path, attempt_number)):
                        return await self._shared(pool, query.target)
        raise AssertionError("stamina gives a result or raises")

    async def _shared(self, pool: _Pool, target: str) -> object:
        """One attempt, shared with whoever asks the same meanwhile.

        Attempts are shared and not retries: how long to try is each asker's deadline.
        """

        async def ask() -> object:
            attempted().asked = True
            try:
                return await pool.in_flight.ask(target)
            except _Paused:
                attempted().asked = False  # nothing was sent
                raise

        return await self._in_peace(ask)

    async def ask_once(self, target: str) -> tuple[httpx.Response, bytes]:
        """One answer and its body, be it a redirect or a failure: nothing is followed, retried or decoded.

        It waits its turn like every request, and what it meets is heeded by all. Raises: RateLimited, when a pause that
        Liner asked for does not end in time; CircuitOpen, Unreachable, UnreadableAnswer, SettingsError,
        ConnectionClosed.
        """
        pool = self._opened()

        async def ask() -> tuple[httpx.Response, bytes]:
            async with self._turn(pool) as turn:
                with watched(self._observer, Attempt(self._origin, target.partition("?")[0], 1)):
                    response, body = await self._send(pool.http, target)
                turn.failure = endpoints.failure(response.status_code, _wait_asked(response.headers))
                return response, body

        with pool.in_flight.asking():
            response, body = await self._in_peace(ask)
        return response, body

    async def _once(self, pool: _Pool, target: str) -> object:
        attempt = attempted()  # of the asker who began this: a task is made with its maker's context
        attempt.made = True
        begun = monotonic()
        try:
            async with self._turn(pool):
                attempt.waited_seconds = monotonic() - begun
                return await self._answer(pool.http, target)
        except _Paused:
            attempt.made = False
            raise
        finally:
            attempt.seconds = monotonic() - begun - attempt.waited_seconds
            if self._observer is not None and attempt.requests:
                self._observer.sent(attempt)

    async def _in_peace(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask when Liner does not want peace. How long to wait for that is each asker's deadline.

        Raises: RateLimited, CircuitOpen, when asking is of no use.
        """
        while True:
            self._pressure.check(monotonic(), time_left())
            pause = self._pressure.pace.pause(monotonic())
            if pause:
                await anyio.sleep(pause)
                continue
            with suppress(_Paused):
                return await ask()

    @asynccontextmanager
    async def _turn(self, pool: _Pool) -> AsyncGenerator[_Turn]:
        """The one place where a request gets its slot and the pace lets it go; what becomes of it is learnt.

        Raises: _Paused, CircuitOpen.
        """
        async with pool.slots:
            if pool.rate is not None:
                await pool.rate.acquire()
            # Last of all: other answers came in while this one waited for its turn.
            if self._pressure.pace.pause(monotonic()):
                raise _Paused
            sent = monotonic()
            self._pressure.claim(sent)
            turn = _Turn()
            try:
                yield turn
            except LinerMcpError as error:
                self._learn(pool, error, sent)
                raise
            self._learn(pool, turn.failure, sent)

    def _learn(self, pool: _Pool, failure: LinerMcpError | None, sent: float) -> None:
        self._pressure.learn(monotonic(), failure, sent=sent)
        if pool.slots.total_tokens != self._pressure.pace.at_once:
            pool.slots.total_tokens = self._pressure.pace.at_once

    async def _answer(self, http: httpx.AsyncClient, target: str) -> object:
        """What is behind a target, redirects followed."""
        first, token = target, self._token.get_secret_value()
        try:
            with anyio.fail_after(REQUEST_SECONDS):
                for _ in range(1 + MAX_REDIRECTS):
                    response, body = await self._send(http, target)
                    wait = _wait_asked(response.headers)
                    if not response.has_redirect_location:
                        return endpoints.decode(response.status_code, body, wait, target=first, token=token)
                    location = response.headers["location"]
                    there = same_host(self._origin, target, location)
                    if there is None:
                        raise leads_away(self._origin, target, location, token)
                    target = there
        except TimeoutError:
            raise Unreachable(
                f"Liner did not answer within {REQUEST_SECONDS:.0f} s. Ask again, or for less at once."
            ) from None
        raise WrongAddress("LINER_API_HOST redirects in a circle. Check it, and which proxy or gateway answers there.")

    async def _send(self, http: httpx.AsyncClient, target: str) -> tuple[httpx.Response, bytes]:
        attempt = attempted()
        attempt.sends()
        with translated(self._proxy):
            async with http.stream("GET", f"{self._origin}{target}") as response:
                attempt.status = response.status_code
                if response.is_stream_consumed:  # a transport has looked into it, and so unpacked it
                    body = Body("", MAX_BODY_BYTES)
                    body.add(response.content)
                else:
                    body = Body(response.headers.get("content-encoding", ""), MAX_BODY_BYTES)
                    async for piece in response.aiter_raw():
                        attempt.receives(len(piece))
                        body.add(piece)
                return response, body.whole()

    def _opened(self) -> _Pool:
        if self._pool is None:
            http, self._proxy = create_client(
                self._origin, self._token, concurrency=self._concurrency, transport=self._transport
            )
            rate = self._requests_per_second
            seconds = max(BURST_SECONDS, 1 / rate) if rate else 0.0
            # At least one: rate x (1 / rate) may come out a hair below, and then no request would ever fit.
            limiter = AsyncLimiter(max(1.0, rate * seconds), seconds) if rate else None
            in_flight = Sharing(lambda target: self._once(pool, target))
            slots = anyio.CapacityLimiter(self._pressure.pace.at_once)
            self._pool = pool = _Pool(http, slots, limiter, in_flight)
        return self._pool


def _wait_asked(headers: httpx.Headers) -> float | None:
    """Seconds that an answer asks to wait. A date is read by the clock that wrote it, which may be off from ours."""
    asked = headers.get("retry-after")
    return seconds_to_wait(asked, moment_of(headers.get("date")) or datetime.now(UTC))
