"""`liner-mcp check`: tests the set-up step by step: settings, Liner, an order, a call, its records, our tools.

It only reads, sends a few requests to Liner, and does not show the token, a name of a person or a summary.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import anyio
from mcp import Client

from liner_mcp.diagnostics.assumptions.table import CLOCKS_AGREE_SECONDS
from liner_mcp.diagnostics.raw_client import RawClient, RequestBudget
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
from liner_mcp.liner.decoding import ListPage
from liner_mcp.liner.endpoints import HEALTH, CallFilter, Query
from liner_mcp.liner.models import Call
from liner_mcp.liner.transport import MAX_REDIRECTS
from liner_mcp.server.app import create_server
from liner_mcp.server.clients import open_connections
from liner_mcp.server.runtime import Runtime
from liner_mcp.settings import Settings, misspelt_variables
from liner_mcp.text.mask import mask, truncate
from liner_mcp.timezone import Zone

T = TypeVar("T")

STEP_SECONDS = 20.0  # a person is waiting at a terminal
RECENT = timedelta(days=30)  # a call centre in use has calls in a month
MAX_NAME_CHARACTERS = 40  # of a service: enough to recognise it
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
TRIES = 5  # calls of different times of the day: no calls may have been made some hours after one of them
REPORT = "Please send us the report of liner-mcp check --probe --out report.json."
MAX_ORDERS = 50  # so many ids surely fit a request line

# Reserved for documents (RFC 2606), so no Liner has such an address.
_EXAMPLE_HOST = re.compile(r"(//|\.)example\.(com|org|net)(:|\Z)")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one step. `text` says what was found or what to do. A note needs no correction."""

    step: str
    ok: bool
    text: str
    is_note: bool = False


async def run_checks(
    settings: Settings | SettingsError, on_step: Callable[[str], None] = lambda _: None
) -> AsyncGenerator[CheckResult]:
    """Yield a result after each step. `on_step` gets the name of a step of Liner before it begins.

    The checks of Liner end when later steps cannot work.
    """
    misspelt = [CheckResult("Settings", ok=True, text=text, is_note=True) for text in misspelt_variables()]
    try:
        if isinstance(settings, SettingsError):
            raise settings
        if _EXAMPLE_HOST.search(settings.api_host or ""):
            raise SettingsError(
                "LINER_API_HOST is still the address of an example. Set it to the address of your Liner API."
            )
        runtime = Runtime(_as_operator(settings))
        zone, liner = runtime.context().zone, runtime.liner
    except SettingsError as error:
        yield CheckResult("Settings", ok=False, text=str(error))
        for note in misspelt:
            if note.text not in str(error):
                yield note
        yield await _tools(settings)
        return
    yield CheckResult("Settings", ok=True, text=_settings_text(settings, liner.origin, zone))
    for note in misspelt:
        yield note
    for text in settings.exposed_files():
        yield CheckResult("Settings", ok=True, text=text, is_note=True)
    try:
        async for result in _liner(settings, liner, on_step):
            yield result
    finally:
        await runtime.aclose()
    yield await _tools(settings)


def _as_operator(settings: Settings) -> Settings:
    """The settings without access rules, if callers over HTTP have names: the operator who runs the check has none."""
    if settings.mcp_tokens_file is None and settings.mcp_oauth_issuer is None:
        return settings
    return settings.model_copy(update={"mcp_access_file": None})


def _settings_text(settings: Settings, origin: str, zone: Zone) -> str:
    whose = "from LINER_TIMEZONE" if zone.configured else "this machine's; set LINER_TIMEZONE to be sure"
    if settings.demo:
        return f"{settings.demo_notice} Times are in {zone.name} ({whose})"
    text = f"{origin}, token from {settings.token_source}, times in {zone.name} ({whose})"
    return f"{text}. {settings.demo_notice}" if settings.demo_notice else text


async def _liner(settings: Settings, liner: LinerClient, on_step: Callable[[str], None]) -> AsyncGenerator[CheckResult]:
    on_step("Liner")
    health, failure = await _step("Liner", lambda: _health(liner))
    lacks_health_check = isinstance(failure, WrongAddress)
    if not lacks_health_check:
        yield health
        if isinstance(failure, (SetupError, NetworkError)):
            return  # later steps would fail in the same way
    on_step("Orders")
    orders, order_ids = await _step("Orders", lambda: _orders(liner))
    if lacks_health_check and not isinstance(order_ids, tuple):
        yield health
        return
    if lacks_health_check:  # the tools do not need it
        yield CheckResult("Liner", ok=True, text="answers; this address has no health check")
    on_step("Clock")
    if (clock := await _clock(settings)) is not None:
        yield clock
    yield orders if order_ids else replace(orders, ok=False)  # without orders no call can be listed
    if not isinstance(order_ids, tuple) or not order_ids:
        return
    on_step("Calls")
    calls, call = await _step("Calls", lambda: _a_call(liner, order_ids))
    yield calls
    if isinstance(call, Call):
        on_step("Window")
        window, differs = await _step("Window", lambda: _window(liner, call, order_ids))
        if differs:
            yield replace(window, is_note=window.ok)
        on_step("Records")
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
        names = ", ".join(down[:5])
        return f"answers; {len(down)} of its {counted(len(services), 'service')} reported trouble: {names}", None
    return f"answers; {'its service is' if len(services) == 1 else f'all {len(services)} services are'} up", None


async def _clock(settings: Settings) -> CheckResult | None:
    """A result if this machine's clock and Liner's disagree; None also if Liner's is not known."""
    transport, audio = open_connections(settings)
    client, seconds = RawClient(transport, transport.origin, RequestBudget(1 + MAX_REDIRECTS)), None
    try:
        with anyio.move_on_after(STEP_SECONDS), suppress(LinerMcpError):  # the other steps name the cause
            seconds = (await client.get(Query(HEALTH))).clock_ahead
    finally:
        await transport.aclose()
        await audio.aclose()
    if seconds is None or abs(seconds) <= CLOCKS_AGREE_SECONDS:
        return None
    minutes = counted(round(abs(seconds) / 60), "minute")
    where = "behind Liner's" if seconds > 0 else "ahead of Liner's"
    text = f"This machine's clock is {minutes} {where}. Set it: windows that end now are off by as much."
    return CheckResult("Clock", ok=False, text=text)


def _display_name(service: str) -> str:
    """The name of a service, which is foreign text: on one line, masked and short."""
    return truncate(mask(" ".join(service.split())), MAX_NAME_CHARACTERS)


async def _orders(liner: LinerClient) -> tuple[str, tuple[int, ...]]:
    listing = await liner.orders()
    ids = tuple(order.id for order in listing.items)
    if listing.unreadable and not ids:
        return "No row of Liner's list of orders has a usable id. liner-mcp check --probe examines the list.", ()
    if not ids:
        return "Liner lists no order, so there is no call to find. Check which orders this token may see.", ()
    partly = "" if listing.complete else " (the list could not be read whole)"
    return f"{counted(len(ids), 'order')}{partly}", ids


async def _a_call(liner: LinerClient, order_ids: tuple[int, ...]) -> tuple[str, Call | None]:
    page = await _recent(liner, order_ids)
    if not page.items:
        orders = counted(min(len(order_ids), MAX_ORDERS), "order")
        return f"no call within {RECENT.days} days in the first {orders}", None
    recorded = [call for call in page.items if call.has_records]
    call = await _detail(liner, (recorded or page.items)[0].id)
    count = len(page.items) if page.total is None else page.total
    least = "at least " if page.total is None else ""
    return f"{least}{counted(count, 'call')} within {RECENT.days} days; call {call.id} can be read", call


async def _recent(liner: LinerClient, order_ids: tuple[int, ...]) -> ListPage[Call]:
    now = datetime.now(UTC)
    return await liner.calls_page(CallFilter(now - RECENT, now, order_ids=order_ids[:MAX_ORDERS]))


async def _window(liner: LinerClient, call: Call, order_ids: tuple[int, ...]) -> tuple[str, bool]:
    """Whether Liner lists a known call in the hour that begins with it. If not, it may read times in another zone."""
    listed = await _hours_off(liner, call, order_ids)
    if listed is None or 0 in listed:
        return "", False
    what = f"Liner does not list call {call.id} in the hour that begins with it"
    others = sorted(
        (await _recent(liner, order_ids)).items, key=lambda one: one.created_at or datetime.max.replace(tzinfo=UTC)
    )
    for other in others[:: -(-len(others) // TRIES) or 1]:
        hours = await _hours_off(liner, other, order_ids)
        if hours and len(hours) == 1 and (off := hours.pop()):
            what = f"Liner reads the times of a window {counted(abs(off), 'hour')} too {'late' if off > 0 else 'early'}"
            break
    return f"{what}, so answers about calls take wider requests and may be incomplete. {REPORT}", True


async def _hours_off(liner: LinerClient, call: Call, order_ids: tuple[int, ...]) -> set[int] | None:
    """By how many hours the calls that come for the hour of a call are off; None if that is not known."""
    if call.created_at is None:
        return None
    begin = call.created_at.replace(microsecond=0) - SECOND  # the first second may be outside
    page = await liner.calls_page(CallFilter(begin, begin + HOUR, order_ids=order_ids[:MAX_ORDERS]))
    if any(one.id == call.id for one in page.items):
        return {0}
    if (page.total or 0) > len(page.items):
        return None
    return {(one.created_at - begin) // HOUR for one in page.items if one.created_at is not None}


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
    text = f"call {call.id}: {counted(len(records), 'record')} listed, {summarized} with a summary"
    if not records[0].was_sent("record_summary"):
        text += "; this Liner lists records without summaries, so each needs one more request"
    return text, None


def counted(number: int, what: str) -> str:
    """A number with its noun, such as `1 order` and `2 orders`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


async def _tools(settings: Settings | SettingsError) -> CheckResult:
    async with Client(create_server(settings)) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
    return CheckResult("Tools", ok=True, text=f"{len(names)} for the assistant: {', '.join(names)}")
