"""Our web application on a loopback port, requests of both eras, and raw sockets for what no client would send."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from liner_mcp.http_server.app import Middleware, create_web_app
from liner_mcp.http_server.connection import Connections
from liner_mcp.http_server.limits import LIMITS, Limits
from liner_mcp.server.caller import SCOPE_KEY, Caller
from liner_mcp.server.request_info import REQUEST_INFO_KEY
from liner_mcp.settings import read_settings
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.support.account import ACCOUNT
from tests.support.asgi_server import serve_app

MODERN, LEGACY = "2026-07-28", "2025-11-25"
META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
PATIENCE = 60.0  # seconds; only a server that hangs takes so long, on any machine


@contextmanager
def serve(
    liner: Any, *, authenticator: Middleware | None = None, limits: Limits = LIMITS, **settings: Any
) -> Generator[str]:
    """The origin of our server, which asks `liner`."""
    chosen = read_settings(**{**ACCOUNT, "requests_per_second": 0, "timezone": "UTC", **settings})
    app = create_web_app(
        chosen,
        transport=httpx.ASGITransport(app=liner),
        now=lambda: NOW,
        authenticator=authenticator,
        limits=limits,
    )
    options: dict[str, Any] = {
        "http": Connections(limits, limits.request_seconds(chosen.deadline_seconds)).protocol,
        "timeout_keep_alive": limits.idle_seconds,
        "server_header": False,
        "proxy_headers": False,
        "interface": "asgi3",
    }
    with serve_app(app, **options) as origin:
        yield origin


def question(method: str, era: str = MODERN, **params: Any) -> dict[str, Any]:
    """The arguments of an HTTP client's `post` for one MCP request."""
    headers = {**ACCEPT, "mcp-protocol-version": era}
    if era == MODERN:
        headers["mcp-method"] = method
        headers |= {"mcp-name": params["name"]} if "name" in params else {}
        params["_meta"] = {**META, **params.get("_meta", {})}
    return {"headers": headers, "json": {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}}


def call(tool: str, era: str = MODERN, **arguments: Any) -> dict[str, Any]:
    return question("tools/call", era, name=tool, arguments=arguments)


def result(response: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC result of an answer, whether it came as JSON or as a stream."""
    assert response.status_code == 200, response.text
    if response.headers["content-type"].startswith("text/event-stream"):
        datas = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
        return json.loads(datas[-1])["result"]
    return response.json()["result"]


def told(response: httpx.Response, status: int) -> str:
    """The sentence of a refusal that has this status."""
    assert response.status_code == status, response.text
    sentence: str = response.json()["error"]["message"]
    assert sentence.endswith(".")
    return sentence


def raw(question: dict[str, Any], **headers: str) -> bytes:
    """A question as bytes in HTTP."""
    body = json.dumps(question["json"]).encode()
    lines = {"host": "127.0.0.1", "content-length": str(len(body)), **question["headers"], **headers}
    head = "\r\n".join(["POST /mcp HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items()), "", ""])
    return head.encode() + body


@contextmanager
def connected(origin: str, *, receive_buffer: int | None = None, source: str | None = None) -> Generator[socket.socket]:
    """A socket to the server; `source` is the address it comes from, such as 127.0.0.2."""
    place = urlsplit(origin)
    assert place.hostname
    assert place.port
    with socket.socket() as sock:
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source is not None:
            sock.bind((source, 0))
        sock.settimeout(PATIENCE)
        sock.connect((place.hostname, place.port))
        yield sock


def read_all(sock: socket.socket) -> bytes:
    """Everything until the other side closes."""
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while more := sock.recv(65_536):
            got += more
    return got


def until(sock: socket.socket, end: bytes) -> bytes:
    """What comes, up to these bytes."""
    got = b""
    while not got.endswith(end):
        more = sock.recv(65_536)
        assert more, got
        got += more
    return got


def in_time() -> Generator[None]:
    """For a loop that looks again and again: a test must end though nothing happens."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        yield
    pytest.fail("it did not happen in time")


def names_of(liner: FakeLiner) -> list[str]:
    """What Liner was asked, without queries."""
    return [target.partition("?")[0] for target in liner.requests]


class NameAuthenticator:
    """A stand-in for authentication: the bearer token is the caller's name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            token = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
            if not token:
                head = {"type": "http.response.start", "status": 401, "headers": [(b"www-authenticate", b"Bearer")]}
                await send(head)
                await send({"type": "http.response.body", "body": b""})
                return
            scope[SCOPE_KEY] = Caller(token)
            scope[REQUEST_INFO_KEY].caller = token
        await self._app(scope, receive, send)
