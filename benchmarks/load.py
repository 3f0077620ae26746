"""HTTP callers that use almost no CPU: they send one request as raw bytes again and again.

A Python HTTP client would use as much CPU as the server, on the same two cores.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

MODERN, LEGACY = "2026-07-28", "2025-11-25"
META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
PATIENCE = 60.0  # seconds; a later answer counts as lost


def call(url: str, tool: str, arguments: dict[str, Any], *, era: str = MODERN, token: str | None = None) -> bytes:
    """One tools/call as bytes of HTTP/1.1."""
    params: dict[str, Any] = {"name": tool, "arguments": arguments}
    headers = {"mcp-protocol-version": era}
    if era == MODERN:
        params["_meta"] = META
        headers |= {"mcp-method": "tools/call", "mcp-name": tool}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    place = urlsplit(url)
    headers |= {
        "host": place.netloc,
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "content-length": str(len(body)),
    }
    lines = [f"POST {place.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Caller(asyncio.Protocol):
    """One connection. It gives the status and the body of each answer. Raises: ConnectionError when it ends."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._got = b""

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError
        self._got = b""
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found or self._waiting is None or self._waiting.done():
            return
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), None)
        if body.endswith(b"0\r\n\r\n") if length is None else len(body) >= length:
            self._waiting.set_result((int(lines[0].split()[1]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionResetError())


async def connect(url: str) -> Caller:
    place = urlsplit(url)
    host, port = place.hostname or "", place.port or 80
    _, caller = await asyncio.get_running_loop().create_connection(Caller, host, port)
    return caller


def succeeded(status: int, body: bytes) -> bool:
    return status == 200 and b'"result"' in body and b'"isError":true' not in body.replace(b" ", b"")


@dataclass(frozen=True, slots=True)
class Load:
    """The result: answers per second, and the seconds of each answer, the fastest first."""

    per_second: float
    seconds: Sequence[float]

    def percentile(self, share: float) -> float:
        """The seconds within which this share of the answers arrived."""
        return self.seconds[max(0, math.ceil(len(self.seconds) * share) - 1)]


async def press(url: str, request: bytes, *, callers: int, seconds: float) -> Load:
    """Run this number of callers for this time. Each sends its next request after an answer. An error ends the run."""
    connections = [await connect(url) for _ in range(callers)]
    took: list[float] = []
    started = time.perf_counter()

    async def work(connection: Caller) -> None:
        while (asked := time.perf_counter()) - started < seconds:
            status, body = await asyncio.wait_for(connection.ask(request), PATIENCE)
            if not succeeded(status, body):
                raise RuntimeError(f"{status}: {body[:300]!r}")
            took.append(time.perf_counter() - asked)

    try:
        await asyncio.gather(*(work(connection) for connection in connections))
    finally:
        for connection in connections:
            connection.close()
    return Load(len(took) / (time.perf_counter() - started), sorted(took))
