"""The check-up: does this set-up work, step by step, in words for whoever installed it.

It walks the way a question goes: settings, Liner, an order, a call, its records, our own tools. It reads only, asks a
handful of things of Liner, and never shows the token, a name or a summary.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import anyio

from liner_mcp.calls.time_window import Zone
from liner_mcp.errors import (
    DeadlinePassed,
    LinerMcpError,
    NotFound,
    RoadError,
    SettingsError,
    SetupError,
    UnreadableAnswer,
    WrongAddress,
)
from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.endpoints import CallFilter
from liner_mcp.liner.models import Call
from liner_mcp.server.runtime import Office
from liner_mcp.settings import Settings
from liner_mcp.text.mask import cut, shown

T = TypeVar("T")

STEP_SECONDS = 20.0  # a person is waiting at a terminal
RECENT = timedelta(days=30)  # a call centre that made no call in a month has nothing to check
NAME_CHARACTERS = 40  # of a service: enough to tell it
ORDERS_ASKED = 50  # as many ids as fit a request line without a thought


@dataclass(frozen=True, slots=True)
class Finding:
    """One step: what was looked at, whether it works, and in words what was found or what to do."""

    step: str
    works: bool
    text: str


async def check_up(settings: Settings | SettingsError) -> AsyncGenerator[Finding]:
    """Yield findings as they are made; stops where nothing further could work."""
    try:
        if isinstance(settings, SettingsError):
            raise settings
        office = Office(settings)
        desk = office.desk()
    except SettingsError as error:
        yield Finding("Settings", works=False, text=str(error))
        yield await _tools(settings)
        return
    yield Finding("Settings", works=True, text=_settings_text(settings, desk.liner.origin, desk.zone))
    try:
        async for finding in _liner(desk.liner):
            yield finding
    finally:
        await office.aclose()
    yield await _tools(settings)


def _settings_text(settings: Settings, origin: str, zone: Zone) -> str:
    whose = "from LINER_TIMEZONE" if zone.configured else "this machine's; set LINER_TIMEZONE to be sure"
    if settings.demo:
        return f"{settings.demo_notice} Times are in {zone.name} ({whose})"
    text = f"{origin}, token from {settings.token_source}, times in {zone.name} ({whose})"
    return f"{text}. {settings.demo_notice}" if settings.demo_notice else text


async def _liner(liner: LinerClient) -> AsyncGenerator[Finding]:
    finding, failure = await _step("Liner", lambda: _health(liner))
    lacks_health_check = isinstance(failure, WrongAddress)
    if not lacks_health_check:
        yield finding
        if isinstance(failure, (SetupError, RoadError)):
            return  # the token is refused, or nothing answers: everything else would say the same
    orders, order_ids = await _step("Orders", lambda: _orders(liner))
    if lacks_health_check and not isinstance(order_ids, tuple):
        yield finding
        return
    if lacks_health_check:  # no question needs it
        yield Finding("Liner", works=True, text="answers; this address has no health check")
    yield orders
    if not isinstance(order_ids, tuple) or not order_ids:
        return
    finding, call = await _step("Calls", lambda: _a_call(liner, order_ids))
    yield finding
    if isinstance(call, Call):
        yield (await _step("Records", lambda: _records(liner, call)))[0]


async def _step(step: str, look: Callable[[], Awaitable[tuple[str, T]]]) -> tuple[Finding, T | LinerMcpError]:
    """Look, within a person's patience; the finding, and what was found or why not."""
    try:
        with anyio.fail_after(STEP_SECONDS):
            text, found = await look()
    except TimeoutError:
        error = DeadlinePassed(f"No answer within {STEP_SECONDS:.0f} s. Check LINER_API_HOST and the network.")
        return Finding(step, works=False, text=str(error)), error
    except LinerMcpError as error:
        return Finding(step, works=False, text=shown(str(error))), error
    return Finding(step, works=True, text=text), found


async def _health(liner: LinerClient) -> tuple[str, None]:
    services = await liner.health()
    down = sorted(_named(name) for name, service in services.items() if not service.success)
    if down:
        return f"answers; {len(down)} of its {len(services)} services report trouble: {', '.join(down[:5])}", None
    return f"answers, all {len(services)} services are up", None


def _named(service: str) -> str:
    """A service's name, which Liner makes up: on one line, and short."""
    return cut(shown(" ".join(service.split())), NAME_CHARACTERS)


async def _orders(liner: LinerClient) -> tuple[str, tuple[int, ...]]:
    listing = await liner.orders()
    ids = tuple(order.id for order in listing.items)
    if not ids:
        return "Liner lists no order, so there is no call to find. Check which orders this token may see.", ()
    partly = "" if listing.complete else " (the list could not be read whole)"
    return f"{len(ids)} orders{partly}", ids


async def _a_call(liner: LinerClient, order_ids: tuple[int, ...]) -> tuple[str, Call | None]:
    now = datetime.now(UTC)
    page = await liner.calls_page(CallFilter(now - RECENT, now, order_ids=order_ids[:ORDERS_ASKED]))
    if not page.items:
        return f"no call within {RECENT.days} days in the first {min(len(order_ids), ORDERS_ASKED)} orders", None
    recorded = [call for call in page.items if call.has_records]
    call = await _detail(liner, (recorded or page.items)[0].id)
    count = page.total if page.total is not None else len(page.items)
    return f"{count} calls within {RECENT.days} days; call {call.id} can be read", call


async def _detail(liner: LinerClient, call_id: int) -> Call:
    try:
        return await liner.call(call_id)
    except NotFound:
        raise UnreadableAnswer(
            f"Liner lists call {call_id} and then says that there is no such call. Check that LINER_API_HOST is the "
            "API's host, and which proxy or gateway answers there."
        ) from None


async def _records(liner: LinerClient, call: Call) -> tuple[str, None]:
    records = (await liner.call_records(call.id)).items
    if not records:
        return f"the list of records of call {call.id} can be read, and is empty", None
    told = sum(bool((record.record_summary or "").strip()) for record in records)
    bare = (
        ""
        if records[0].was_sent("record_summary")
        else "; this Liner lists records without summaries, details tell them"
    )
    return f"call {call.id}: {len(records)} listed, {told} of them with a summary{bare}", None


async def _tools(settings: Settings | SettingsError) -> Finding:
    from mcp import Client

    from liner_mcp.server.app import create_server

    async with Client(create_server(settings)) as client:
        tools = (await client.list_tools()).tools
    return Finding(
        "Tools", works=True, text=f"{len(tools)} for the assistant: {', '.join(tool.name for tool in tools)}"
    )
