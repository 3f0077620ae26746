"""The o200k tokens of our definitions and rows, beside those of the bare SDK."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
from mcp import Client
from mcp.types import CallToolResult, TextContent

from benchmarks import race
from benchmarks.contestants import OURS, PASSING
from benchmarks.figures import Figure
from liner_mcp.demo import Call, Dataset, DemoLiner
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from tests.conftest import NOW
from tests.support.account import ACCOUNT
from tests.support.token_count import count_tokens

ROWS = 100


def compact(thing: Any) -> str:
    return json.dumps(thing, ensure_ascii=False, separators=(",", ":"))


def texts_of(dataset: Dataset, *, russian: bool) -> list[str]:
    """Ordinary summaries of this dataset in one language, 20 to 90 words long."""
    texts = [
        record.summary for record in dataset.records.values() if record.id not in dataset.adversarial_records.values()
    ]
    summaries = [text for text in texts if text and text.strip()]
    return [text for text in summaries if (sum("а" <= letter <= "я" for letter in text) > 200) is russian]


def recorded_call(dataset: Dataset, *, days: float, share: float) -> Call:
    """A call with 100 records over `days`; this `share` of them has a Russian summary."""
    texts = texts_of(dataset, russian=True)
    call = dataset.add_call(created_at=NOW - timedelta(days=days + 1))
    for number in range(ROWS):
        dataset.add_record(
            call.id,
            summary=texts[number] if number % 10 < share * 10 else None,
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


def roomy(liner: DemoLiner) -> Client:
    """A session with answers that are large enough for a hundred rows with summaries."""
    settings = Settings(**ACCOUNT, timezone="Europe/Moscow", requests_per_second=0, max_answer_bytes=60_000)
    return Client(create_server(settings, transport=httpx.ASGITransport(app=liner), now=lambda: NOW))


async def definitions() -> list[Figure]:
    dataset = Dataset.generate(now=NOW, calls=10, days=2)
    ours, bare = [await race.definitions(contestant, dataset) for contestant in (OURS, PASSING)]
    everything = "all that tools/list says, with output schemas and annotations, which hosts rarely show a model"
    return [
        Figure("definitions of all tools", ours.tools, 1_800, "tokens", bare=bare.tools, exact=True),
        Figure(everything, ours.listed, None, "tokens", bare=bare.listed, exact=True),
        Figure("instructions", ours.instructions, None, "tokens", bare=bare.instructions, exact=True),
    ]


async def found_calls() -> list[Figure]:
    """Found calls: the tokens of the rows, and of the whole answer with names, window and cursor."""
    found: list[Figure] = []
    liner = DemoLiner(Dataset.generate(now=NOW))
    async with roomy(liner) as client, PASSING.opened(liner, 0) as bare:
        window = {"created_from": "2026-11-18T21:00:00Z", "created_to": "2026-11-19T20:59:59Z"}
        orders = [order.id for order in liner.dataset.orders]
        raw = count_tokens(await text_of(bare, "list_calls", **window, order_ids=orders, limit=ROWS)) / ROWS
        for name, since, bar in (("one day", "yesterday", 22), ("many days", "-10d", 30)):
            answer = json.loads(await text_of(client, "find_calls", since=since, limit=ROWS))
            whole = count_tokens(compact(answer)) / ROWS
            value = count_tokens(compact(answer["rows"])) / ROWS
            note = f"the whole answer, its names and cursor included: {whole:.1f}"
            found.append(Figure(f"a found call, {name}", value, bar, "tokens", note, bare=raw, exact=True))
    return found


async def listed_records() -> list[Figure]:
    """The records of one call, with summaries and without."""
    dataset = Dataset.generate(now=NOW)
    many_days, one_day = recorded_call(dataset, days=30, share=1), recorded_call(dataset, days=0.3, share=0.7)
    liner = DemoLiner(dataset)
    found: list[Figure] = []
    async with roomy(liner) as client, PASSING.opened(liner, 0) as bare:
        for name, call, bar in (("many days", many_days, 30), ("one day", one_day, 22)):
            page = await text_of(client, "list_call_records", call_id=call.id, limit=ROWS, summary_chars=0)
            raw = count_tokens(await text_of(bare, "list_call_records", call_id=call.id, limit=ROWS))
            what = f"a listed record without summary, {name}"
            found.append(Figure(what, count_tokens(page) / ROWS, bar, "tokens", bare=raw / ROWS, exact=True))
        beside = count_tokens(await text_of(bare, "list_call_records", call_id=many_days.id, limit=ROWS))
        for chars, bar in ((160, 0.45), (0, 0.20)):
            page = await text_of(client, "list_call_records", call_id=many_days.id, limit=ROWS, summary_chars=chars)
            what = f"a page of {ROWS} records, summary_chars={chars}, to Liner's page"
            note = f"{count_tokens(page):,} to {beside:,} tokens"
            found.append(Figure(what, count_tokens(page) / beside, bar, "", note, exact=True))
    return found


async def figures() -> list[Figure]:
    return [*await definitions(), *await found_calls(), *await listed_records()]
