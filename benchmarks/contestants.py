"""The servers that are compared: ours, with and without an archive, and two alternatives. All run in this process."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
from mcp import Client

from benchmarks.bare_server import bare_server
from benchmarks.liner_openapi import LINER
from benchmarks.questions import Question
from benchmarks.raw_reading import BARE, WIRE, RawLiner, Spelling
from benchmarks.reading import Reader
from benchmarks.table_reading import Tables
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.support.account import ACCOUNT
from tests.support.sync import run_sync

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
    """A package that may be missing."""

    @property
    def takes_part(self) -> bool:
        return not self.needs or find_spec(self.needs) is not None


@asynccontextmanager
async def _ours(liner: DemoLiner, limit: Limit, archive: Path | None = None) -> AsyncGenerator[Client]:
    settings = Settings(**ACCOUNT, timezone="Europe/Moscow", archive=archive)
    if limit is not None:
        settings = settings.model_copy(update={"requests_per_second": limit})
    async with Client(create_server(settings, transport=httpx.ASGITransport(app=liner), now=lambda: NOW)) as client:
        yield client


@asynccontextmanager
async def _archived(liner: DemoLiner, limit: Limit) -> AsyncGenerator[Client]:
    async with _ours(liner, limit, await _archive_of(liner.dataset)) as client:
        yield client


_ARCHIVES: dict[int, tuple[Dataset, Path, tempfile.TemporaryDirectory[str]]] = {}


async def _archive_of(dataset: Dataset) -> Path:
    """The archive that one sync makes at NOW: the days that are over, without today. It is made once per dataset."""
    if id(dataset) not in _ARCHIVES:
        folder = tempfile.TemporaryDirectory()
        path = Path(folder.name) / "archive" / "calls.db"
        await run_sync(FakeLiner(dataset), path, since=NOW - timedelta(days=90))
        _ARCHIVES[id(dataset)] = dataset, path, folder
    return _ARCHIVES[id(dataset)][1]


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
ARCHIVED = Contestant("liner-mcp, archived", "this server with a synced archive", _archived, _by_tables, "apsw")
PASSING = Contestant(
    "bare SDK", "a tool per endpoint on the MCP SDK, Liner's data as it is", _bare, _by_endpoints(BARE)
)
GENERATED = Contestant(
    "FastMCP", "FastMCP.from_openapi over a description of Liner's API", _fastmcp, _by_endpoints(WIRE), "fastmcp"
)
CONTESTANTS = (OURS, ARCHIVED, PASSING, GENERATED)
OWN = (OURS.name, ARCHIVED.name)
