"""Serving an ASGI application on a loopback port, for what must go through a real socket."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import uvicorn


class _SignallingServer(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@contextmanager
def serve_app(app: Any, **options: Any) -> Generator[str]:
    """The origin (`http://127.0.0.1:port`) at which `app` answers while the block runs; `options` are uvicorn's."""
    server = _SignallingServer(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", ws="none", **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        assert server.listening.wait(60), "the test server did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(60)
