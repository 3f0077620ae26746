"""An ASGI application as a transport that hands each piece on as it is sent, as a socket would.

`httpx.ASGITransport` waits for the whole body: one that never ends, or is cut, would not look like itself there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import httpx

_END = object()


class StreamingTransport(httpx.AsyncBaseTransport):
    """Calls `app` for every request; a crash of it is a broken connection."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = _Exchange(self._app, request)
        try:
            start = await exchange.next()
        except BaseException:
            await exchange.aclose()
            raise
        return httpx.Response(start["status"], headers=start["headers"], stream=exchange)


class _Exchange(httpx.AsyncByteStream):
    """One request; the application runs no further ahead than the reader reads."""

    def __init__(self, app: Any, request: httpx.Request) -> None:
        self._messages: asyncio.Queue[Any] = asyncio.Queue(maxsize=1)
        self._app = app
        self._running = asyncio.create_task(self._run(_scope(request)))

    async def _run(self, scope: dict[str, Any]) -> None:
        try:
            await self._app(scope, _empty_receive, self._messages.put)
        except ConnectionResetError:
            await self._messages.put(_END)

    async def next(self) -> dict[str, Any]:
        message = await self._messages.get()
        if message is _END:
            raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")
        return cast("dict[str, Any]", message)

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        while True:
            message = await self.next()
            if message["body"]:
                yield message["body"]
            if not message.get("more_body", False):
                return

    async def aclose(self) -> None:
        self._running.cancel()
        await asyncio.wait([self._running])


async def _empty_receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def _scope(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }
