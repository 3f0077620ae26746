"""A fake Liner that does not answer until it is released, so that a test can act while requests are under way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import anyio

from liner_mcp.demo import Dataset
from liner_mcp.demo.app import Scope, Send
from tests.fakes.fake_liner import FakeLiner


class BlockingLiner(FakeLiner):
    """Holds the requests back whose target `blocks`, by default all; `held` are their targets.

    Tests in the same event loop wait for `arrived` (the first request is held back) and `none_left` (the last one has
    ended, answered or cancelled). Where the fake is served in another thread, they wait for `reached` and `left`.
    """

    def __init__(self, dataset: Dataset, blocks: Callable[[str], bool] = lambda _: True) -> None:
        super().__init__(dataset)
        self.blocks = blocks
        self.held: list[str] = []
        self.waiting = 0
        self.arrived, self.none_left = anyio.Event(), anyio.Event()
        self.reached, self.left = threading.Event(), threading.Event()
        self._released = anyio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def release(self) -> None:
        """Answer what is held back, and hold nothing back from now on; from any thread."""
        if self._loop is None:
            self._released.set()
        else:
            self._loop.call_soon_threadsafe(self._released.set)

    async def serve(self, scope: Scope, send: Send) -> None:
        target = f"{scope['path']}?{scope['query_string'].decode()}"
        if self.blocks(target) and not self._released.is_set():
            self._loop = asyncio.get_running_loop()
            await self._hold(target)
        await super().serve(scope, send)

    async def _hold(self, target: str) -> None:
        self.held.append(target)
        self.waiting += 1
        self.arrived.set()
        self.reached.set()
        try:
            await self._released.wait()
        finally:
            self.waiting -= 1
            if not self.waiting:
                self.none_left.set()
                self.left.set()
