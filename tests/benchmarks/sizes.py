"""What our definitions and rows cost a model, in o200k tokens."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
from mcp import Client
from mcp.types import CallToolResult, TextContent

from liner_mcp.demo import Call, DemoLiner, World
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from tests import snapshots
from tests.benchmarks.figures import Figure
from tests.conftest import NOW
from tests.tokens import tokens

ROWS = 100


def compact(thing: Any) -> str:
    return json.dumps(thing, ensure_ascii=False, separators=(",", ":"))


def russian(world: World) -> list[str]:
    """Ordinary Russian summaries of this world, 40 to 90 words long."""
    texts = [record.summary for record in world.records.values() if record.id not in world.hostile.values()]
    return [text for text in texts if text and sum("а" <= c <= "я" for c in text) > 200]


def recorded_call(world: World, *, days: float, told: float) -> Call:
    """A call with 100 records spread over `days`; `told` of them have a Russian summary."""
    texts = russian(world)
    call = world.add_call(created_at=NOW - timedelta(days=days + 1))
    for number in range(ROWS):
        world.add_record(
            call.id,
            summary=texts[number] if number % 10 < told * 10 else None,
            created_at=call.created_at + timedelta(days=days) * number / ROWS,
            duration_seconds=30 + 3 * number,
            user_id=101 + number % 12,
        )
    return call


async def text_of(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    assert not result.is_error
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


async def figures() -> list[Figure]:
    surface = await snapshots.surface()
    shown = [{key: tool[key] for key in ("name", "title", "description", "inputSchema")} for tool in surface["tools"]]
    found = [Figure("definitions of all tools", sum(tokens(compact(tool)) for tool in shown), 1_500, "tokens")]
    world = World.generate(now=NOW)
    many_days, one_day = recorded_call(world, days=30, told=1), recorded_call(world, days=0.3, told=0.7)
    liner = httpx.ASGITransport(app=DemoLiner(world))
    settings = Settings(mcp_demo=True, timezone="UTC", requests_per_second=0, max_answer_bytes=60_000)
    async with (
        Client(create_server(settings, transport=liner)) as client,
        httpx.AsyncClient(transport=liner, base_url="http://127.0.0.1", headers={"X-Api-Key": "demo"}) as raw,
    ):
        for name, call, bar in (("many days", many_days, 30), ("one day", one_day, 22)):
            page = await text_of(client, "list_call_records", call_id=call.id, limit=ROWS, summary_chars=0)
            found.append(Figure(f"a listed record without summary, {name}", tokens(page) / ROWS, bar, "tokens"))
        beside = tokens((await raw.get(f"/v2/call-record/?callId={many_days.id}&limit={ROWS}")).text)
        for chars, bar in ((160, 0.45), (0, 0.20)):
            page = await text_of(client, "list_call_records", call_id=many_days.id, limit=ROWS, summary_chars=chars)
            note = f"{tokens(page):,} to {beside:,} tokens"
            found.append(
                Figure(f"100 records, summary_chars={chars}, to Liner's page", tokens(page) / beside, bar, note=note)
            )
    return found
