"""A fake Liner that holds its answers back, so that several can ask while one request is under way."""

from __future__ import annotations

from typing import Any

import anyio

from liner_mcp.demo import Dataset
from tests.fakes import FakeLiner


class BlockingLiner(FakeLiner):
    """A Liner that answers when it is let go; `request_arrived` tells that it was asked."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset)
        self.request_arrived = anyio.Event()
        self.released = anyio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.request_arrived.set()
        await self.released.wait()
        await super().__call__(scope, receive, send)
