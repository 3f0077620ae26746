"""The make-believe Liner as a plain ASGI application: counting, the key, the envelope, sending.

What the addresses answer is in `endpoints`, and what may go wrong in `faults`. Every response of whatever kind leaves
through `_send`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any

from liner_mcp.demo import audio, endpoints, wire
from liner_mcp.demo.endpoints import DictionaryPaths, Elsewhere, Habits, LastPage, RecordList
from liner_mcp.demo.faults import Fault
from liner_mcp.demo.query import Query, Refusal
from liner_mcp.demo.responses import Response
from liner_mcp.demo.spoiling import Faults, Struck
from liner_mcp.demo.world import World

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_AUDIO_PATH = re.compile(r"/audio/([0-9]{1,18})\.mp3")


class DemoLiner:
    """Liner without Liner. Every option may be changed between two requests."""

    def __init__(
        self,
        world: World | None = None,
        *,
        token: str = "demo",  # noqa: S107 - a make-believe key to make-believe data
        last_page: LastPage = "null",
        record_list: RecordList = "full",
        dictionary_paths: DictionaryPaths = "singular",
        habits: Habits = endpoints.USUAL,
        latency: float = 0.0,
        faults: Sequence[Fault] = (),
    ) -> None:
        self.token = token
        self.last_page: LastPage = last_page
        self.record_list: RecordList = record_list
        self.dictionary_paths: DictionaryPaths = dictionary_paths
        self.habits = habits
        self.latency = latency
        self.requests: list[str] = []
        """Every target asked, as it was written, in order of arrival."""
        self.peak_in_flight = 0
        self._in_flight = 0
        self._world = world
        self._faults = Faults(faults)

    @property
    def world(self) -> World:
        """Made when first needed, so that starting costs nothing."""
        if self._world is None:
            self._world = World.generate()
        return self._world

    @property
    def faults(self) -> Sequence[Fault]:
        """What goes wrong. Set anew, each fault counts its requests from the beginning."""
        return self._faults.faults

    @faults.setter
    def faults(self, faults: Sequence[Fault]) -> None:
        self._faults = Faults(faults)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, send)
        else:
            raise ValueError(f"the make-believe Liner does not speak {scope['type']}")

    async def _serve(self, scope: Scope, send: Send) -> None:
        target = _target(scope)
        self.requests.append(target)
        struck = self._faults.strike(target)
        self._in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self._in_flight)
        try:
            clock = asyncio.get_running_loop().time
            answered = clock() + self.latency + struck.latency
            response = struck.response(self._respond(scope, struck), target, datetime.now(UTC))
            # The latency is what an answer takes in all, the work on it included. Even none lets others arrive: without
            # a pause requests made at once would be served one by one.
            await asyncio.sleep(max(0.0, answered - clock()))
            await self._send(send, response)
        finally:
            self._in_flight -= 1

    async def _send(self, send: Send, response: Response) -> None:
        await send({"type": "http.response.start", "status": response.status, "headers": response.head})
        if response.pieces is None:
            await send({"type": "http.response.body", "body": response.body})
            return
        for piece in response.pieces:
            await asyncio.sleep(response.pause)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if response.cut:
            # The server that serves us has promised more than it got: all it can do is to close the connection.
            raise ConnectionResetError("the make-believe Liner breaks off here, as it was told to")
        await send({"type": "http.response.body", "body": b""})

    def _respond(self, scope: Scope, struck: Struck) -> Response:
        path: str = scope["path"]
        headers = {name.lower(): value for name, value in scope["headers"]}
        recording = _AUDIO_PATH.fullmatch(path)
        try:
            if recording:
                return self._audio(scope["method"], int(recording[1]))
            # Compared as bytes: a key may hold letters that no header can.
            if headers.get(b"x-api-key") != self.token.encode():
                raise Refusal(401, "Unauthorized: the X-Api-Key header is missing or wrong.")
            _must_read(scope["method"])
            return Response(200, _envelope(self._data(scope, headers, struck)))
        except Elsewhere as moved:
            query = scope.get("query_string", b"")
            there = moved.path.encode() + (b"?" + query if query else b"")
            return Response(301, b"", "text/plain", headers=((b"location", there),))
        except Refusal as refusal:
            allowed = ((b"allow", b"GET"),) if refusal.status == 405 else ()
            return Response(refusal.status, _envelope(None, refusal.message), headers=allowed)

    def _data(self, scope: Scope, headers: dict[bytes, bytes], struck: Struck) -> object:
        endpoint = endpoints.find(scope["path"], self.dictionary_paths, self.habits)
        if endpoint is None:
            raise Refusal(404, "Route not found.")
        host = headers.get(b"host", b"localhost").decode("latin-1")
        lists = struck.lists
        request = endpoints.Request(
            world=self.world,
            query=Query(scope.get("query_string", b""), lists.ignored),
            origin=f"{scope.get('scheme', 'http')}://{host}",
            last_page=self.last_page,
            record_list=self.record_list,
            spoilt=lists,
            habits=self.habits,
        )
        return endpoint(request)

    def _audio(self, method: str, record_id: int) -> Response:
        """No key here: the files stand on another host, which knows nothing of Liner's keys."""
        _must_read(method)
        record = self.world.records.get(record_id)
        if record is None or not record.has_file:
            raise Refusal(404, "File not found.")
        return Response(200, audio.silence(record.duration_seconds), "audio/mpeg")


def _must_read(method: str) -> None:
    if method != "GET":
        raise Refusal(405, "Method not allowed: this is a read-only copy.")


def _envelope(data: object, refusal: str = "") -> bytes:
    return wire.encode({"success": not refusal, "message": refusal, "data": data})


def _target(scope: Scope) -> str:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    target = path.partition(b"?")[0] + (b"?" + query if query else b"")
    return target.decode("latin-1")


async def _live(receive: Receive, send: Send) -> None:
    """Servers announce their start and end, and wait to hear that we are ready for both."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
