"""A make-believe Liner that holds its answers back, so that several can ask while one request is under way."""

from __future__ import annotations

from typing import Any

import anyio

from liner_mcp.demo import World
from tests.fakes import FakeLiner


class Gate(FakeLiner):
    """A Liner that answers when it is let go; `reached` tells that it was asked."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reached = anyio.Event()
        self.free = anyio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.set()
        await self.free.wait()
        await super().__call__(scope, receive, send)
