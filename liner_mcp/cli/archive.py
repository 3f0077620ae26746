"""`liner-mcp archive status | verify | rebuild`: what the archive holds, whether it is sound, and making it anew."""

from __future__ import annotations

import argparse
from contextlib import closing
from datetime import datetime

from liner_mcp.archive.database import open_connection
from liner_mcp.archive.lock import writer_lock
from liner_mcp.archive.rebuild import rebuild
from liner_mcp.archive.spans import Span, moment
from liner_mcp.archive.status import Status, status
from liner_mcp.archive.verify import verify
from liner_mcp.cli.chosen_settings import chosen_settings, warn_of_misspelt_variables
from liner_mcp.cli.terminal import Progress, print_json, print_wrapped
from liner_mcp.server.archive_sync import archive_location, may_hold_phones
from liner_mcp.settings import Settings
from liner_mcp.timezone import Zone

SHOWN_SPANS = 5


def archive(options: argparse.Namespace) -> int:
    settings = chosen_settings(options, archive=True)
    archive_location(settings)
    warn_of_misspelt_variables()
    match options.action:
        case "status":
            return _status(settings, as_json=options.json)
        case "verify":
            return _verify(settings)
        case _:
            return _rebuild(settings)


def _status(settings: Settings, *, as_json: bool) -> int:
    zone = Zone.resolve(settings.timezone)
    with closing(open_connection(archive_location(settings), source=settings.archive_source)) as connection:
        found = status(connection)
    if as_json:
        print_json(found.to_dict(zone))
        return 0
    for line in _lines(found, zone):
        print_wrapped(line, indent=4)
    return 0


def _lines(found: Status, zone: Zone) -> list[str]:
    counts = found.counts
    phones = "stored unmasked" if found.phones else "masked"
    before = found.forgotten_before
    earlier = "" if before is None else f", and every call before {zone.isoformat(before)}"
    lines = [
        f"{found.file}: {found.bytes / 1_000_000:,.1f} MB, copied from {found.source}, phones {phones}.",
        f"{counts['calls']:,} calls, {counts['records']:,} records, {counts['summaries']:,} of them with a summary.",
        f"Forgotten: {counts['forgotten_calls']:,} calls, {counts['forgotten_leads']:,} leads{earlier}.",
    ]
    if found.oldest_sync is not None:
        lines.append(f"The oldest read was at {zone.isoformat(found.oldest_sync)}. Days are those of {zone.name}.")
    for order in found.orders:
        spans = [_days(span, zone) for span in order.spans]
        more = f", and {len(spans) - SHOWN_SPANS} more spans" if len(spans) > SHOWN_SPANS else ""
        title = f" {order.title}" if order.title else ""
        covered = ", ".join(spans[-SHOWN_SPANS:])
        lines.append(f"Order {order.order_id}{title}: {order.calls:,} calls, {covered}{more}")
    return lines


def _days(span: Span, zone: Zone) -> str:
    """The first and the last day of a span; with times where a span does not end at midnight."""
    since, until = moment(span.since).astimezone(zone.info), moment(span.until).astimezone(zone.info)
    if not (_is_midnight(since) and _is_midnight(until)):
        return f"{zone.isoformat(since)} to {zone.isoformat(until)}"
    last = moment(span.until - 1).astimezone(zone.info)
    return f"{since.date()} to {last.date()}"


def _is_midnight(local: datetime) -> bool:
    return not (local.hour or local.minute or local.second)


def _verify(settings: Settings) -> int:
    progress = Progress()
    with closing(open_connection(archive_location(settings), source=settings.archive_source)) as connection:
        faults = verify(connection, lambda step: progress.show(f"Verifying {step} …"))
    progress.clear()
    for fault in faults:
        print_wrapped(f"FIX  {fault}", indent=5)
    if not faults:
        print("The archive is sound.")
    return 1 if faults else 0


def _rebuild(settings: Settings) -> int:
    location = archive_location(settings)
    with writer_lock(location):
        done = rebuild(location, source=settings.archive_source, phones=may_hold_phones(settings))
    match done:
        case "rebuilt":
            print("The archive was rebuilt from the texts that it holds.")
        case "still_read":
            print_wrapped(
                "The archive was rebuilt from the texts that it holds. Another process still reads the old texts; they "
                "leave the files with the next sync, or run this again when that process has ended.",
                indent=2,
            )
        case "emptied":
            print_wrapped(
                "The archive could not be read and was made anew, without calls. What was forgotten stays forgotten. "
                "Run liner-mcp sync to fill it, and restart the servers that use it.",
                indent=2,
            )
    return 0
