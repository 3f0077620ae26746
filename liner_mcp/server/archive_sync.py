"""Syncs the archive of the settings: opens both ends, holds the lock, and runs `archive/sync.py` at a lower pace."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import timedelta

import anyio
import httpx

from liner_mcp.archive.connection import Connection, Location, WrongArchive
from liner_mcp.archive.database import meta, open_or_create
from liner_mcp.archive.lock import ArchiveLocked, server_lock, writer_lock
from liner_mcp.archive.sync import Estimate, Options, Report, Sync
from liner_mcp.context import utc_now
from liner_mcp.errors import LinerMcpError, SettingsError
from liner_mcp.json_logging import log_lifecycle
from liner_mcp.liner.request_metrics import RequestCounts, count_requests
from liner_mcp.server.access_rules import rules_file
from liner_mcp.server.clients import open_clients
from liner_mcp.settings import Settings
from liner_mcp.timezone import Zone

logger = logging.getLogger(__name__)

REREAD_AFTER = timedelta(hours=6)  # a server that syncs every few minutes reads a day four times a day at most


def archive_location(settings: Settings) -> Location:
    """Raises: SettingsError when there is no archive."""
    if settings.archive is None:
        raise SettingsError(
            "LINER_ARCHIVE is not set. Set it to the file of the archive, such as ~/liner/calls.db, or to the URL of a "
            "PostgreSQL database."
        )
    return settings.archive


def may_hold_phones(settings: Settings) -> bool:
    """Whether any caller may see phones. Otherwise the archive stores masked ones. Raises: SettingsError."""
    if settings.show_phones or settings.mcp_access_file is None:
        return settings.show_phones
    rules = rules_file(settings.mcp_access_file).content()
    return any(rule is not None and rule.phones for rule in (*rules.callers.values(), rules.default))


@contextmanager
def archive_for_writing(settings: Settings, *, migrate: bool = False) -> Generator[Connection]:
    """A connection that writes to the archive, which is created if it is missing. `migrate`: see `open_or_create`.

    Raises: SetupError.
    """
    with closing(
        open_or_create(
            archive_location(settings),
            source=settings.archive_source,
            phones=may_hold_phones(settings),
            migrate=migrate,
        )
    ) as connection:
        yield connection


def _check_phones(connection: Connection, settings: Settings) -> None:
    if meta(connection)["phones"] == "1" and not may_hold_phones(settings):
        raise WrongArchive(
            f"LINER_ARCHIVE: {connection.place} holds phone numbers, which no caller may see any more. "
            "Run liner-mcp archive rebuild, which masks them."
        )


async def sync_archive(
    settings: Settings,
    options: Options,
    *,
    counts: RequestCounts | None = None,
    pace: float | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    on_estimate: Callable[[Estimate], None] = lambda _: None,
    on_day: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Sync the archive once. `pace`: requests per second; by default half of the server's, which may run too.

    Raises: SetupError when it cannot begin; WrongArchive when the archive cannot be written.
    """
    rate = settings.requests_per_second / 2 if pace is None else pace
    liner, _ = open_clients(settings.model_copy(update={"requests_per_second": rate}), transport=transport)
    zone = Zone.resolve(settings.timezone)
    location = archive_location(settings)
    with archive_for_writing(settings, migrate=True) as connection, writer_lock(location):
        _check_phones(connection, settings)
        async with liner:
            with count_requests() as counted:
                sync = Sync(
                    liner,
                    connection,
                    zone=zone,
                    now=utc_now,
                    options=options,
                    on_estimate=on_estimate,
                    on_day=on_day,
                )
                try:
                    return await sync.run()
                finally:
                    if counts is not None:
                        counts.requests += counted.requests


async def sync_every(
    settings: Settings,
    seconds: float,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> None:
    """Sync now and then every so many seconds, until cancelled. What goes wrong is logged, without content.

    Of several servers and workers, one syncs; when it ends, another one goes on.
    """
    location = archive_location(settings)
    while True:
        try:
            with archive_for_writing(settings, migrate=True):  # it makes the folder, which holds the locks
                pass
            with server_lock(location) as is_held:
                while is_held():
                    await _sync_and_log(settings, transport)
                    await sleep(seconds)
        except ArchiveLocked:
            pass
        except LinerMcpError as error:
            logger.warning("The archive was not synced: %s", error)
        await sleep(seconds)


async def _sync_and_log(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> None:
    options = Options(retention=settings.retention, reread_after=REREAD_AFTER)
    try:
        report = await sync_archive(settings, options, transport=transport)
    except LinerMcpError as error:
        logger.warning("The archive was not synced: %s", error)
    except Exception as error:  # noqa: BLE001 - the server goes on, and the error may hold content
        logger.warning("The archive was not synced: %s.", type(error).__name__)
    else:
        failed = len(report.failures)
        log_lifecycle("archive_synced", days=report.days, calls=report.calls, failed=failed, left=report.pending_days)
        if report.stopped is not None:
            logger.warning("The sync of the archive ended early: %s", report.stopped)


@asynccontextmanager
async def syncing(
    settings: Settings | SettingsError, seconds: float | None, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncGenerator[None]:
    """Sync every so many seconds while the block runs; without `seconds`, or without settings, never."""
    async with anyio.create_task_group() as group:
        if seconds is not None and isinstance(settings, Settings):
            group.start_soon(sync_every, settings, seconds, transport)
        try:
            yield
        finally:
            group.cancel_scope.cancel()
