"""One question to our server over a fake Liner that fails, and what came back."""

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
from liner_mcp.server.audit_log import ServerObserver
from liner_mcp.settings import Settings
from tests.conftest import NOW, text_of
from tests.support.streaming_transport import StreamingTransport

TOKEN = "a-token-that-nobody-may-see"
HANG_SECONDS = 60.0
"""Seconds after which a question counts as hanging: far beyond every deadline that is set here."""


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A tool with its arguments, or the address of a resource."""

    tool: str = ""
    arguments: dict[str, Any] | None = None
    uri: str = ""


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What came back: a sentence where the question failed, else one of the others."""

    sentence: str | None = None
    table: dict[str, Any] | None = None
    text: str | None = None
    audio: bytes | None = None


def server_for(
    liner: DemoLiner,
    *,
    origin: str = "http://127.0.0.1",
    transport: httpx.AsyncBaseTransport | None = None,
    observer: ServerObserver | None = None,
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
    return create_server(Settings(**fields), transport=transport, now=lambda: NOW, observer=observer)


@asynccontextmanager
async def client_for(liner: DemoLiner, *, mode: str = "auto", **options: Any) -> AsyncGenerator[Client]:
    """A client of such a server, in one era."""
    async with Client(server_for(liner, **options), mode=mode, raise_exceptions=True) as client:
        yield client


def in_process(liner: DemoLiner) -> StreamingTransport:
    return StreamingTransport(liner)


async def send(client: Client, request: ToolRequest) -> ToolOutcome:
    """Ask, and fail when nothing at all comes back.

    Raises: TimeoutError for a hang.
    """
    with anyio.fail_after(HANG_SECONDS):
        if request.tool:
            return _from_tool_result(await client.call_tool(request.tool, request.arguments or {}))
        try:
            (content,) = (await client.read_resource(request.uri)).contents
        except MCPError as error:
            return ToolOutcome(sentence=error.error.message)
    if isinstance(content, BlobResourceContents):
        return ToolOutcome(audio=base64.b64decode(content.blob))
    assert isinstance(content, TextResourceContents)
    return (
        ToolOutcome(table=json.loads(content.text))
        if content.mime_type == "application/json"
        else ToolOutcome(text=content.text)
    )


def _from_tool_result(result: Any) -> ToolOutcome:
    assert isinstance(result, CallToolResult)
    if result.is_error:
        return ToolOutcome(sentence=text_of(result))
    assert json.loads(text_of(result)) == result.structured_content
    return ToolOutcome(table=result.structured_content)
