"""A desk over a make-believe Liner, a Liner some of whose answers are spoilt, and the reading of an answer."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

import anyio
import httpx
from pydantic import SecretStr

from liner_mcp.answer.table import Written
from liner_mcp.calls.time_window import Zone
from liner_mcp.context import Desk
from liner_mcp.demo import DemoLiner, World
from liner_mcp.liner.client import LinerClient
from liner_mcp.names.directory import Directory
from tests.conftest import NOW

ROOMY = 60_000  # the largest budget that can be set
L = TypeVar("L", bound=DemoLiner)

USERS, ORDERS, STATUSES = "/v2/user/list", "/v2/order", "/v2/call-status"


def small_world() -> World:
    """A world of one's own, to be added to."""
    return World.generate(now=NOW, days=2, calls=50)


def counting(total: int) -> Callable[[Any], Any]:
    """Liner's list as it is, but for the number of things it says it has."""
    return lambda data: {**data, "total": total}


def plain_calls(world: World, count: int, **changes: Any) -> list[int]:
    """New calls of one record each, with a summary that names its call."""
    ids = [world.add_call(**changes).id for _ in range(count)]
    for one in ids:
        world.add_record(one, summary=f"Клиент звонка {one} ждёт подборку квартир и просит перезвонить вечером.")
    return ids


@asynccontextmanager
async def desk_over(
    app: Any, *, zone: str = "Europe/Moscow", show_phones: bool = False, concurrency: int = 4
) -> AsyncGenerator[Desk]:
    transport = httpx.ASGITransport(app=app)
    client = LinerClient(
        "http://127.0.0.1",
        SecretStr("demo"),
        concurrency=concurrency,
        requests_per_second=0,
        transport=transport,
        jitter=lambda _: 0.0,
    )
    async with client:
        yield Desk(client, Directory(client), Zone.of(zone), show_phones)


REFUSAL = b'{"success":false,"message":"","data":null}'


class Spoilt(Generic[L]):
    """A make-believe Liner that fails, waits or lies where a pattern fits the target.

    `refused`: the HTTP status to answer with; 401, 403 and 404 come in Liner's own JSON, all others without it. `held`:
    what is never answered. `changed`: another envelope's `data`, made of the true one; a text in its place becomes the
    message of a refusal under HTTP 200.
    """

    def __init__(
        self,
        demo: L,
        *,
        refused: Mapping[str, int] | None = None,
        held: str | None = None,
        changed: Mapping[str, Callable[[Any], Any]] | None = None,
    ) -> None:
        self.demo, self.refused, self.held, self.changed = demo, refused or {}, held, changed or {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        target = f"{scope['path']}?{scope['query_string'].decode()}"
        if self.held is not None and re.search(self.held, target):
            await anyio.Event().wait()
        sent: list[Any] = []

        async def keep(message: Any) -> None:
            sent.append(message)

        await self.demo(scope, receive, keep)
        start, body = sent
        for pattern, status in self.refused.items():
            if re.search(pattern, target):
                start["status"], body["body"] = status, REFUSAL if status in (401, 403, 404) else b"{}"
        for pattern, change in self.changed.items():
            if start["status"] == 200 and re.search(pattern, target):
                data = change(json.loads(body["body"])["data"])
                refusal = data if isinstance(data, str) else ""
                envelope = {"success": not refusal, "message": refusal, "data": None if refusal else data}
                body["body"] = json.dumps(envelope).encode()
        start["headers"] = [(b"content-type", b"application/json")]
        await send(start)
        await send(body)


def rows_of(answer: Written) -> list[dict[str, Any]]:
    """The rows whole again, as the README shows it; the text must say the same as the structure."""
    assert json.loads(answer.text) == answer.structure
    structure = answer.structure
    every_row, columns = structure.get("every_row", {}), structure["columns"]
    return [{**every_row, **dict(zip(columns, row, strict=True))} for row in structure["rows"]]
