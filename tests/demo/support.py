"""A small dataset with a fixed moment, and the two lines that every test needs to ask it something."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import httpx

from liner_mcp.demo import Dataset

if TYPE_CHECKING:
    from liner_mcp.demo import DemoLiner

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def small_dataset() -> Dataset:
    """A dataset of its own, to be changed at will."""
    return Dataset.generate(now=NOW, days=10, calls=300)


@cache
def default_dataset() -> Dataset:
    """The dataset that a new user sees, shared: to be read only."""
    return Dataset.generate(now=NOW)


def client_of(demo: DemoLiner, key: str | None = "demo") -> httpx.AsyncClient:
    headers = {} if key is None else {"X-Api-Key": key}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=demo), base_url="http://127.0.0.1", headers=headers)


async def get(demo: DemoLiner, target: str) -> httpx.Response:
    async with client_of(demo) as client:
        return await client.get(target)


async def data_of(demo: DemoLiner, target: str) -> Any:
    response = await get(demo, target)
    assert response.status_code == 200, response.text
    body = response.json()
    assert (body["success"], body["message"]) == (True, "")
    return body["data"]


async def read_whole_list(demo: DemoLiner, target: str) -> list[Any]:
    """Every item, page by page, by counting alone."""
    items: list[Any] = []
    while True:
        joint = "&" if "?" in target else "?"
        page = await data_of(demo, f"{target}{joint}offset={len(items)}&limit=100")
        items += page["list"]
        if len(items) >= page["total"]:
            return items
