"""The servers that are compared: ours and two alternatives, all in this process with the same Liner."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import httpx
from mcp import Client

from benchmarks.bare_server import bare_server
from benchmarks.liner_openapi import LINER
from benchmarks.questions import Question
from benchmarks.raw_reading import BARE, WIRE, RawLiner, Spelling
from benchmarks.reading import Reader
from benchmarks.table_reading import Tables
from liner_mcp.demo import DemoLiner
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from tests.conftest import NOW
from tests.support.account import ACCOUNT

Limit = float | None
"""Requests per second to Liner; 0 for no limit, None for the server's default."""
ORIGIN, KEY = "http://127.0.0.1", {"X-Api-Key": "demo"}


@dataclass(frozen=True, slots=True)
class Contestant:
    """`opened` gives a session with its server; `ask` answers a question with the script for its kind of tools."""

    name: str
    what: str
    opened: Callable[[DemoLiner, Limit], AbstractAsyncContextManager[Client]]
    ask: Callable[[Question, Reader], Awaitable[Any]]
    needs: str = ""
    """A package of the `bench` extra that it needs."""

    @property
    def takes_part(self) -> bool:
        return not self.needs or find_spec(self.needs) is not None


@asynccontextmanager
async def _ours(liner: DemoLiner, limit: Limit) -> AsyncGenerator[Client]:
    settings = Settings(**ACCOUNT, timezone="Europe/Moscow")
    if limit is not None:
        settings = settings.model_copy(update={"requests_per_second": limit})
    async with Client(create_server(settings, transport=httpx.ASGITransport(app=liner), now=lambda: NOW)) as client:
        yield client


@asynccontextmanager
async def _bare(liner: DemoLiner, _: Limit) -> AsyncGenerator[Client]:
    transport = httpx.ASGITransport(app=liner)
    async with (
        httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=KEY) as http,
        Client(bare_server(http)) as client,
    ):
        yield client


@asynccontextmanager
async def _fastmcp(liner: DemoLiner, _: Limit) -> AsyncGenerator[Client]:
    # Imported by name, because it may be absent. It has its own kind of HTTP client.
    httpx2, fastmcp = import_module("httpx2"), import_module("fastmcp")
    logging.getLogger("fastmcp").setLevel(logging.CRITICAL)  # it logs every refused call
    transport = httpx2.ASGITransport(app=liner)
    async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN, headers=KEY) as http:
        server = fastmcp.FastMCP.from_openapi(LINER, http, name="liner")
        # The SDK's server inside, so that all three have the same client.
        async with Client(server._mcp_server) as client:
            yield client


async def _by_tables(question: Question, reader: Reader) -> Any:
    return await question.ours(Tables(reader))


def _by_endpoints(spelling: Spelling) -> Callable[[Question, Reader], Awaitable[Any]]:
    async def ask(question: Question, reader: Reader) -> Any:
        return await question.raw(RawLiner(reader, spelling))

    return ask


OURS = Contestant("liner-mcp", "this server", _ours, _by_tables)
PASSING = Contestant(
    "bare SDK", "a tool per endpoint on the MCP SDK, Liner's data as it is", _bare, _by_endpoints(BARE)
)
GENERATED = Contestant(
    "FastMCP", "FastMCP.from_openapi over a description of Liner's API", _fastmcp, _by_endpoints(WIRE), "fastmcp"
)
CONTESTANTS = (OURS, PASSING, GENERATED)
