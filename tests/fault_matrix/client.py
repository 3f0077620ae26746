"""One question to our server over a make-believe Liner that fails, and what came back."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
from mcp import Client, MCPError
from mcp.types import BlobResourceContents, CallToolResult, TextResourceContents

from liner_mcp.demo import DemoLiner
from liner_mcp.server.app import LinerServer, create_server
from liner_mcp.server.audit_log import Watcher
from liner_mcp.settings import Settings
from tests.conftest import NOW, text_of
from tests.support.streaming_transport import StreamingTransport

TOKEN = "a-token-that-nobody-may-see"
HANGS = 60.0
"""Seconds after which a question counts as hanging: far beyond every deadline that is set here."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A tool with its arguments, or the address of a resource."""

    tool: str = ""
    arguments: dict[str, Any] | None = None
    uri: str = ""


@dataclass(frozen=True, slots=True)
class Came:
    """What came back: a sentence where the question failed, else one of the others."""

    sentence: str | None = None
    table: dict[str, Any] | None = None
    text: str | None = None
    audio: bytes | None = None


def serving(
    liner: DemoLiner,
    *,
    origin: str = "http://127.0.0.1",
    transport: httpx.AsyncBaseTransport | None = None,
    watcher: Watcher | None = None,
    **settings: Any,
) -> LinerServer:
    """Our server over this Liner; `origin` without `transport` means the network."""
    liner.token = TOKEN
    fields: dict[str, Any] = {
        "api_host": origin,
        "api_token": TOKEN,
        "timezone": "Europe/Moscow",
        "requests_per_second": 0,
        "max_answer_bytes": 60_000,
        **settings,
    }
    return create_server(Settings(**fields), transport=transport, now=lambda: NOW, watcher=watcher)


@asynccontextmanager
async def asking(liner: DemoLiner, *, mode: str = "auto", **options: Any) -> AsyncGenerator[Client]:
    """A client of such a server, in one era."""
    async with Client(serving(liner, **options), mode=mode, raise_exceptions=True) as client:
        yield client


def in_process(liner: DemoLiner) -> StreamingTransport:
    return StreamingTransport(liner)


async def ask(client: Client, asked: Asked) -> Came:
    """Ask, and fail when nothing at all comes back.

    Raises: TimeoutError for a hang.
    """
    with anyio.fail_after(HANGS):
        if asked.tool:
            return _of_tool(await client.call_tool(asked.tool, asked.arguments or {}))
        try:
            (content,) = (await client.read_resource(asked.uri)).contents
        except MCPError as error:
            return Came(sentence=error.error.message)
    if isinstance(content, BlobResourceContents):
        return Came(audio=base64.b64decode(content.blob))
    assert isinstance(content, TextResourceContents)
    return Came(table=json.loads(content.text)) if content.mime_type == "application/json" else Came(text=content.text)


def _of_tool(result: Any) -> Came:
    assert isinstance(result, CallToolResult)
    if result.is_error:
        return Came(sentence=text_of(result))
    assert json.loads(text_of(result)) == result.structured_content
    return Came(table=result.structured_content)
