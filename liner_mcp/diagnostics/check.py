"""`liner-mcp check`: tests the set-up step by step: settings, Liner, an order, a call, its records, our tools.

It only reads, sends a few requests to Liner, and does not show the token, a name of a person or a summary.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import anyio
from mcp import Client

from liner_mcp.errors import (
    DeadlineExceeded,
    InvalidResponse,
    LinerMcpError,
    NetworkError,
    NotFound,
    SettingsError,
    SetupError,
    WrongAddress,
)
from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.endpoints import CallFilter
from liner_mcp.liner.models import Call
from liner_mcp.server.app import create_server
from liner_mcp.server.runtime import Runtime
from liner_mcp.settings import Settings
from liner_mcp.text.mask import mask, truncate
from liner_mcp.timezone import Zone

T = TypeVar("T")

STEP_SECONDS = 20.0  # a person is waiting at a terminal
RECENT = timedelta(days=30)  # a call centre in use has calls in a month
MAX_NAME_CHARACTERS = 40  # of a service: enough to recognise it
MAX_ORDERS = 50  # so many ids surely fit a request line


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one step. `text` says what was found or what to do."""

    step: str
    ok: bool
    text: str


async def run_checks(settings: Settings | SettingsError) -> AsyncGenerator[CheckResult]:
    """Yield a result after each step. The checks of Liner end when later steps cannot work."""
    try:
        if isinstance(settings, SettingsError):
            raise settings
        runtime = Runtime(settings)
        zone, liner = runtime.context().zone, runtime.liner
    except SettingsError as error:
        yield CheckResult("Settings", ok=False, text=str(error))
        yield await _tools(settings)
        return
    yield CheckResult("Settings", ok=True, text=_settings_text(settings, liner.origin, zone))
    try:
        async for result in _liner(liner):
            yield result
    finally:
        await runtime.aclose()
    yield await _tools(settings)


def _settings_text(settings: Settings, origin: str, zone: Zone) -> str:
    whose = "from LINER_TIMEZONE" if zone.configured else "this machine's; set LINER_TIMEZONE to be sure"
    if settings.demo:
        return f"{settings.demo_notice} Times are in {zone.name} ({whose})"
    text = f"{origin}, token from {settings.token_source}, times in {zone.name} ({whose})"
    return f"{text}. {settings.demo_notice}" if settings.demo_notice else text


async def _liner(liner: LinerClient) -> AsyncGenerator[CheckResult]:
    health, failure = await _step("Liner", lambda: _health(liner))
    lacks_health_check = isinstance(failure, WrongAddress)
    if not lacks_health_check:
        yield health
        if isinstance(failure, (SetupError, NetworkError)):
            return  # later steps would fail in the same way
    orders, order_ids = await _step("Orders", lambda: _orders(liner))
    if lacks_health_check and not isinstance(order_ids, tuple):
        yield health
        return
    if lacks_health_check:  # the tools do not need it
        yield CheckResult("Liner", ok=True, text="answers; this address has no health check")
    yield orders
    if not isinstance(order_ids, tuple) or not order_ids:
        return
    calls, call = await _step("Calls", lambda: _a_call(liner, order_ids))
    yield calls
    if isinstance(call, Call):
        yield (await _step("Records", lambda: _records(liner, call)))[0]


async def _step(step: str, check: Callable[[], Awaitable[tuple[str, T]]]) -> tuple[CheckResult, T | LinerMcpError]:
    """Run one check with a timeout. Gives its result, and what it found or the error."""
    try:
        with anyio.fail_after(STEP_SECONDS):
            text, found = await check()
    except TimeoutError:
        error = DeadlineExceeded(f"No answer within {STEP_SECONDS:.0f} s. Check LINER_API_HOST and the network.")
        return CheckResult(step, ok=False, text=str(error)), error
    except LinerMcpError as error:
        return CheckResult(step, ok=False, text=mask(str(error))), error
    return CheckResult(step, ok=True, text=text), found


async def _health(liner: LinerClient) -> tuple[str, None]:
    services = await liner.health()
    down = sorted(_display_name(name) for name, service in services.items() if not service.success)
    if down:
        return f"answers; {len(down)} of its {len(services)} services report trouble: {', '.join(down[:5])}", None
    return f"answers, {len(services)} of {len(services)} services are up", None


def _display_name(service: str) -> str:
    """The name of a service, which is foreign text: on one line, masked and short."""
    return truncate(mask(" ".join(service.split())), MAX_NAME_CHARACTERS)


async def _orders(liner: LinerClient) -> tuple[str, tuple[int, ...]]:
    listing = await liner.orders()
    ids = tuple(order.id for order in listing.items)
    if not ids:
        return "Liner lists no order, so there is no call to find. Check which orders this token may see.", ()
    partly = "" if listing.complete else " (the list could not be read whole)"
    return f"{len(ids)} orders{partly}", ids


async def _a_call(liner: LinerClient, order_ids: tuple[int, ...]) -> tuple[str, Call | None]:
    now = datetime.now(UTC)
    page = await liner.calls_page(CallFilter(now - RECENT, now, order_ids=order_ids[:MAX_ORDERS]))
    if not page.items:
        return f"no call within {RECENT.days} days in the first {min(len(order_ids), MAX_ORDERS)} orders", None
    recorded = [call for call in page.items if call.has_records]
    call = await _detail(liner, (recorded or page.items)[0].id)
    count = page.total if page.total is not None else len(page.items)
    return f"{count} calls within {RECENT.days} days; call {call.id} can be read", call


async def _detail(liner: LinerClient, call_id: int) -> Call:
    try:
        return await liner.call(call_id)
    except NotFound:
        raise InvalidResponse(
            f"Liner lists call {call_id} and then says that there is no such call. Check that LINER_API_HOST is the "
            "API's host, and which proxy or gateway answers there."
        ) from None


async def _records(liner: LinerClient, call: Call) -> tuple[str, None]:
    records = (await liner.call_records(call.id)).items
    if not records:
        return f"the list of records of call {call.id} is empty", None
    summarized = sum(bool((record.record_summary or "").strip()) for record in records)
    text = f"call {call.id}: {len(records)} listed, {summarized} of them with a summary"
    if not records[0].was_sent("record_summary"):
        text += "; this Liner lists records without summaries, so each needs one more request"
    return text, None


async def _tools(settings: Settings | SettingsError) -> CheckResult:
    async with Client(create_server(settings)) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
    return CheckResult("Tools", ok=True, text=f"{len(names)} for the assistant: {', '.join(names)}")
