"""`liner-mcp forget`: removes calls from the archive and keeps them away from every answer."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import anyio

from liner_mcp.archive.connection import Connection
from liner_mcp.archive.forget import erase, forget_before, forget_call, forget_lead
from liner_mcp.archive.writer import Writer
from liner_mcp.cli.chosen_settings import chosen_settings, warn_of_misspelt_variables
from liner_mcp.cli.sync import PARTIAL, day_of_text
from liner_mcp.cli.terminal import confirmed, print_wrapped
from liner_mcp.errors import LinerMcpError, NotFound, UsageError
from liner_mcp.server.archive_sync import archive_for_writing, archive_location
from liner_mcp.server.clients import open_clients
from liner_mcp.settings import Settings
from liner_mcp.timezone import Zone

Forget = Callable[[Connection, Writer], tuple[int, int]]


def forget(options: argparse.Namespace) -> int:
    settings = chosen_settings(options, archive=True)
    archive_location(settings)
    warn_of_misspelt_variables()
    what, run = _chosen(options, settings)
    if not options.yes and not _confirmed(what):
        print("Nothing was forgotten.")
        return 1
    with archive_for_writing(settings) as connection:
        # The lock of a sync is not needed: a call that is read now is compared with what was forgotten when it is
        # stored. The phones of a writer that stores no text do not matter.
        writer = Writer(connection, phones=False)
        calls, records = run(connection, writer)
        unread = None
        if options.call is not None and not calls:
            unread = _note_records_of_liner(settings, connection, writer, options.call)
        erased = erase(connection)
    print_wrapped(f"Forgotten: {what}. Deleted calls: {calls:,}, with {records:,} records.", indent=2)
    if unread is not None:
        print_wrapped(
            f"The call is not archived, and Liner did not list its recordings. {unread} Servers refuse the call, but "
            "not yet its recordings by their own ids. Run this again.",
            indent=2,
        )
    if not erased:
        print_wrapped(
            "Another process is reading the archive, so the texts are still in its files. They leave the files with "
            "the next sync, or run this again when that process has ended.",
            indent=2,
        )
        return PARTIAL
    return 0 if unread is None else PARTIAL


def _note_records_of_liner(
    settings: Settings, connection: Connection, writer: Writer, call_id: int
) -> LinerMcpError | None:
    """Note the records of a call that is not archived: a record does not name its call, and has an id of its own.

    Returns why they could not be read.
    """

    async def read() -> list[int]:
        liner, _ = open_clients(settings)
        async with liner:
            return [record.id for record in (await liner.call_records(call_id)).items]

    try:
        found = anyio.run(read)
    except NotFound:
        return None
    except LinerMcpError as error:
        return error
    with connection.writing():
        writer.note_forgotten_records(call_id, found)
    return None


def _chosen(options: argparse.Namespace, settings: Settings) -> tuple[str, Forget]:
    """What is to be forgotten, in words and as a function. Raises: UsageError."""
    if options.lead is not None:
        lead: int = options.lead
        now = datetime.now(UTC)
        return f"all calls of lead {lead} until now", lambda connection, writer: forget_lead(
            connection, writer, lead, now
        )
    if options.call is not None:
        call: int = options.call
        return f"call {call}", lambda connection, writer: forget_call(connection, writer, call)
    zone = Zone.resolve(settings.timezone)
    day = day_of_text("--before", options.before)
    moment = zone.midnight(day)
    if moment > datetime.now(UTC):
        raise UsageError("--before is a date in the future; calls that do not exist yet cannot be forgotten.")
    return f"all calls before {day} ({zone.name})", lambda connection, writer: forget_before(connection, writer, moment)


def _confirmed(what: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("forget cannot be undone. Without a terminal to ask on, add --yes.")
    print_wrapped(f"This forgets {what}, here and in every answer of this server. It cannot be undone.", indent=2)
    return confirmed("Forget?")
