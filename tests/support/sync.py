"""Syncs an archive from a fake Liner, and compares what two archives hold."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from liner_mcp.archive.connection import Connection, Location
from liner_mcp.archive.database import open_connection, open_or_create
from liner_mcp.archive.spans import Span, union
from liner_mcp.archive.sync import Options, Report, Sync
from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.transport import Transport
from liner_mcp.timezone import Zone
from tests.conftest import NOW
from tests.support.postgres import shared_server

SOURCE = "http://127.0.0.1"
ZONE = Zone.resolve("Europe/Moscow")


async def run_sync(
    app: Any,
    path: Location,
    *,
    now: datetime | Callable[[], datetime] = NOW,
    phones: bool = False,
    zone: Zone = ZONE,
    on_day: Callable[[Report], None] = lambda _: None,
    **options: Any,
) -> Report:
    """One sync of `app` into the archive at `path`, which is created if it is missing. Retries do not wait.

    Without `since`, a fortnight is read: more days without calls would only take time.
    """
    options = {"since": NOW - timedelta(days=14), **options}
    transport = Transport(
        SOURCE,
        SecretStr("demo"),
        requests_per_second=0,
        transport=httpx.ASGITransport(app=app),
        jitter=lambda _: 0.0,
    )
    with closing(open_or_create(path, source=SOURCE, phones=phones)) as connection:
        async with LinerClient(transport) as liner:
            clock: Callable[[], datetime] = now if callable(now) else lambda: now
            sync = Sync(liner, connection, zone=zone, now=clock, options=Options(**options), on_day=on_day)
            return await sync.run()


def opened(path: Location, source: str = SOURCE) -> closing[Connection]:
    """A connection that writes to an existing archive, for a block."""
    return closing(open_connection(path, source=source, writable=True))


def call_ids(path: Location, source: str = SOURCE) -> set[int]:
    """The archived calls."""
    with opened(path, source) as connection:
        return {row["id"] for row in connection.rows("SELECT id FROM call")}


def covered_spans(path: Location) -> dict[int, list[Span]]:
    """What is covered of each order."""
    with opened(path) as connection:
        return _covered(connection)


def _covered(connection: Connection) -> dict[int, list[Span]]:
    spans: dict[int, list[Span]] = {}
    for row in connection.rows("SELECT order_id, since, until FROM covered"):
        spans.setdefault(row["order_id"], []).append(Span(row["since"], row["until"]))
    return {order_id: union(found) for order_id, found in spans.items()}


def content_of(path: Location, source: str = SOURCE) -> dict[str, Any]:
    """Everything that answers are made of, without the times of the reads."""
    tables = {
        "call": "SELECT * FROM call ORDER BY id",
        "record": "SELECT * FROM record ORDER BY key",
        "word": "SELECT rowid FROM word ORDER BY rowid",
        "entry": "SELECT * FROM entry ORDER BY kind, id",
        "forgotten_call": "SELECT * FROM forgotten_call ORDER BY id",
        "forgotten_record": "SELECT * FROM forgotten_record ORDER BY id",
    }
    with opened(path, source) as connection:
        found: dict[str, Any] = {name: connection.rows(query) for name, query in tables.items()}
        return {**found, "covered": _covered(connection)}


def files_with(location: Location, text: str) -> list[str]:
    """The names of the files of an archive that hold a text. A database server's log is not looked at."""
    if isinstance(location, Path):
        return bytes_in(location.parent, text)
    return shared_server().files_with(location, text)


def bytes_in(folder: Path, text: str) -> list[str]:
    """The names of the files in a folder that hold a text."""
    return [file.name for file in folder.iterdir() if text.encode() in file.read_bytes()]
