"""An application context over a fake Liner, a Liner with some faulty answers, and the reading of an answer."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

import anyio
import httpx
from pydantic import SecretStr

from liner_mcp.answer.table import Answer
from liner_mcp.context import AppContext
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.liner.cached_client import CachedClient
from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.transport import Transport
from liner_mcp.names.directory import Directory
from liner_mcp.timezone import Zone
from tests.conftest import NOW

MAX_BUDGET = 60_000  # the largest budget that can be set
L = TypeVar("L", bound=DemoLiner)

USERS, ORDERS, STATUSES = "/v2/user/list", "/v2/order", "/v2/call-status"


def small_dataset() -> Dataset:
    """A dataset of its own, to be added to."""
    return Dataset.generate(now=NOW, days=2, calls=50)


def with_total(total: int) -> Callable[[Any], Any]:
    """Liner's list as it is, but for the number of things it says it has."""
    return lambda data: {**data, "total": total}


def add_plain_calls(dataset: Dataset, count: int, **changes: Any) -> list[int]:
    """New calls of one record each, with a summary that names its call."""
    ids = [dataset.add_call(**changes).id for _ in range(count)]
    for one in ids:
        dataset.add_record(one, summary=f"Клиент звонка {one} ждёт подборку квартир и просит перезвонить вечером.")
    return ids


class Timer:
    """The seconds by which the age of a dictionary is measured; they pass when a test adds to them."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@asynccontextmanager
async def context_for(
    app: Any,
    *,
    zone: str = "Europe/Moscow",
    show_phones: bool = False,
    concurrency: int = 4,
    timer: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[AppContext]:
    transport = httpx.ASGITransport(app=app)
    connections = Transport(
        "http://127.0.0.1",
        SecretStr("demo"),
        concurrency=concurrency,
        requests_per_second=0,
        transport=transport,
        jitter=lambda _: 0.0,
    )
    async with LinerClient(connections) as client:
        reads = CachedClient(client)
        yield AppContext(reads, Directory(reads, timer=timer), Zone.resolve(zone), show_phones)


REFUSAL = b'{"success":false,"message":"","data":null}'


class AlteredLiner(Generic[L]):
    """A fake Liner that fails, waits or lies where a pattern fits the target.

    `status_by_pattern`: the HTTP status to answer with; 401, 403 and 404 come in Liner's own JSON, all others without
    it. `blocked`: what is never answered. `change_by_pattern`: another envelope's `data`, made of the true one; a text
    in its place becomes the message of a refusal under HTTP 200.
    """

    def __init__(
        self,
        demo: L,
        *,
        status_by_pattern: Mapping[str, int] | None = None,
        blocked: str | None = None,
        change_by_pattern: Mapping[str, Callable[[Any], Any]] | None = None,
    ) -> None:
        self.demo, self.status_by_pattern, self.blocked, self.change_by_pattern = (
            demo,
            status_by_pattern or {},
            blocked,
            change_by_pattern or {},
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        target = f"{scope['path']}?{scope['query_string'].decode()}"
        if self.blocked is not None and re.search(self.blocked, target):
            await anyio.Event().wait()
        sent: list[Any] = []

        async def collect(message: Any) -> None:
            sent.append(message)

        await self.demo(scope, receive, collect)
        start, body = sent
        for pattern, status in self.status_by_pattern.items():
            if re.search(pattern, target):
                start["status"], body["body"] = status, REFUSAL if status in (401, 403, 404) else b"{}"
        for pattern, change in self.change_by_pattern.items():
            if start["status"] == 200 and re.search(pattern, target):
                data = change(json.loads(body["body"])["data"])
                refusal = data if isinstance(data, str) else ""
                envelope = {"success": not refusal, "message": refusal, "data": None if refusal else data}
                body["body"] = json.dumps(envelope).encode()
        start["headers"] = [(b"content-type", b"application/json")]
        await send(start)
        await send(body)


def rows_of(answer: Answer | Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of an answer as dictionaries; the text of an `Answer` must say the same as its structure."""
    if isinstance(answer, Answer):
        assert json.loads(answer.text) == answer.structure
        answer = answer.structure
    every_row, columns = answer.get("every_row", {}), answer["columns"]
    return [{**every_row, **dict(zip(columns, row, strict=True))} for row in answer["rows"]]
