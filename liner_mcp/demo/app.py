"""The demo Liner as an ASGI application: authentication, envelope, sending. `endpoints` has the answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from liner_mcp.demo import audio, endpoints, serialization
from liner_mcp.demo.dataset import Dataset
from liner_mcp.demo.query import Query, Refusal

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_AUDIO_PATH = re.compile(r"/audio/([0-9]{1,18})\.mp3")


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


class DemoLiner:
    """Liner's API over synthetic data."""

    def __init__(self, dataset: Dataset | None = None, *, token: str = "demo") -> None:  # noqa: S107 - it guards no secret
        self.token = token
        self._dataset = dataset

    @property
    def dataset(self) -> Dataset:
        """Generated when first needed, so that the start is fast."""
        if self._dataset is None:
            self._dataset = Dataset.generate()
        return self._dataset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self.serve(scope, send)
        else:
            raise ValueError(f"the demo Liner does not support {scope['type']}")

    async def serve(self, scope: Scope, send: Send) -> None:
        response = self.respond(scope)
        # The demo often runs in the event loop of its client. Other tasks run here, as they would during real I/O.
        await asyncio.sleep(0)
        length = (b"content-length", str(len(response.body)).encode())
        headers = [(b"content-type", response.content_type.encode()), length, *response.headers]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    def respond(self, scope: Scope) -> Response:
        headers = {name.lower(): value for name, value in scope["headers"]}
        recording = _AUDIO_PATH.fullmatch(scope["path"])
        try:
            if recording:
                return self._audio(scope["method"], int(recording[1]))
            # Compared as bytes: a configured token may hold letters that a header cannot.
            if headers.get(b"x-api-key") != self.token.encode():
                raise Refusal(401, "Unauthorized: the X-Api-Key header is missing or wrong.")
            _must_read(scope["method"])
            return Response(200, _envelope(self._data(scope, headers)))
        except Refusal as refusal:
            allowed = ((b"allow", b"GET"),) if refusal.status == 405 else ()
            return Response(refusal.status, _envelope(None, refusal.message), headers=allowed)

    def _data(self, scope: Scope, headers: dict[bytes, bytes]) -> object:
        endpoint = endpoints.find(scope["path"])
        if endpoint is None:
            raise Refusal(404, "Route not found.")
        host = headers.get(b"host", b"localhost").decode("latin-1")
        origin = f"{scope.get('scheme', 'http')}://{host}"
        return endpoint(endpoints.Request(self.dataset, Query(scope.get("query_string", b"")), origin))

    def _audio(self, method: str, record_id: int) -> Response:
        """The real files are on another host, which does not get the token, so it is not checked here."""
        _must_read(method)
        record = self.dataset.records.get(record_id)
        if record is None or not record.has_file:
            raise Refusal(404, "File not found.")
        return Response(200, audio.silence(record.duration_seconds), "audio/mpeg")


def _must_read(method: str) -> None:
    if method != "GET":
        raise Refusal(405, "Method not allowed: this is a read-only copy.")


def _envelope(data: object, refusal: str = "") -> bytes:
    return serialization.encode_json({"success": not refusal, "message": refusal, "data": data})


async def _live(receive: Receive, send: Send) -> None:
    """Answer the lifespan messages of an ASGI server."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
