"""Which days of which orders a sync has to read, and what the archive no longer stores."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from liner_mcp.archive.connection import Connection, WrongArchive
from liner_mcp.archive.rows import to_microseconds
from liner_mcp.archive.spans import Span, subtract
from liner_mcp.archive.writer import Writer
from liner_mcp.timezone import Zone

# A call that begins at the end of a day ends on the next one, and Liner knows its duration and its recordings then.
CLOSED_AFTER = timedelta(hours=1)
FINAL_AFTER = timedelta(days=7)  # statuses change and summaries come late, for some days
CLOCK_TOLERANCE = timedelta(hours=1)  # between this machine's clock and Liner's


class Day(NamedTuple):
    """A day of the configured zone."""

    date: date
    span: Span


def day_of(day: date, zone: Zone) -> Day:
    """A day from its first second to the first one of the next day."""
    ends = (zone.midnight(day), zone.midnight(day + timedelta(days=1)))
    since, until = (int(one.timestamp()) for one in ends)
    return Day(day, Span(since, until))


def closed_days(zone: Zone, since: datetime, now: datetime) -> list[Day]:
    """The days that are over, from that of `since` on, newest first."""
    first, last = since.astimezone(zone.info).date(), now.astimezone(zone.info).date()
    days = [day_of(first + timedelta(days=number), zone) for number in range((last - first).days + 1)]
    return [day for day in reversed(days) if day.span.until <= (now - CLOSED_AFTER).timestamp()]


def pending_days(
    connection: Connection,
    order_id: int,
    days: Sequence[Day],
    *,
    now: datetime,
    again: bool = False,
    listed: bool = True,
    reread_after: timedelta = timedelta(0),
) -> list[Day]:
    """The days of an order that have to be read: those that are not covered, and those that may have changed.

    `again`: the covered ones too. An order that Liner no longer lists (`listed`) may come without its calls, so what is
    stored of it stays. `reread_after`: a day that is not final is read again after this time.
    """
    rows = connection.rows("SELECT since, until, synced_at, settled FROM covered WHERE order_id = ?", (order_id,))
    latest = to_microseconds(now - reread_after) or 0
    pending: list[Day] = []
    for day in days:
        over = [row for row in rows if row["since"] < day.span.until and row["until"] > day.span.since]
        uncovered = subtract(day.span, [Span(row["since"], row["until"]) for row in over])
        changing = any(not row["settled"] and row["synced_at"] <= latest for row in over)
        if uncovered or (listed and (again or changing)):
            pending.append(day)
    return pending


def first_stored(connection: Connection, zone: Zone, now: datetime, retention: timedelta) -> datetime:
    """The midnight before which nothing is stored: by retention, or because everything before it was forgotten."""
    oldest = zone.midnight((now - retention).astimezone(zone.info).date())
    row = connection.one("SELECT before FROM forgotten_before")
    forgotten = now if row is None else datetime.fromtimestamp(row["before"] // 1_000_000, zone.info)
    return oldest if row is None else max(oldest, zone.midnight(forgotten.date()))


def remove_older(connection: Connection, writer: Writer, moment: datetime) -> int:
    """Remove what is older than a moment, and that it is covered. Returns the calls removed."""
    second = int(moment.timestamp())
    with connection.writing():
        rows = connection.rows("SELECT id FROM call WHERE created_at < ?", (second * 1_000_000,))
        writer.delete_calls(row["id"] for row in rows)
        connection.rows("DELETE FROM covered WHERE until <= ?", (second,))
        connection.rows("UPDATE covered SET since = ? WHERE since < ?", (second, second))
    return len(rows)


def distrust_other_clocks(connection: Connection, writer: Writer, now: datetime) -> None:
    """Undo what a clock that was wrong has noted: days that are not over, and days that were read in the future.

    Raises: WrongArchive when the clock of this machine is wrong now.
    """
    newest = connection.one("SELECT max(created_at) AS newest FROM call")
    assert newest is not None  # noqa: S101 - an aggregate has a row
    if (newest["newest"] or 0) > (to_microseconds(now + CLOCK_TOLERANCE) or 0):
        raise WrongArchive(
            "The clock of this machine is behind: the archive holds calls of a later time. Set the clock, then run "
            "liner-mcp sync again."
        )
    second = int(now.timestamp())
    with connection.writing():
        for row in connection.rows("SELECT order_id, since, until FROM covered WHERE until > ?", (second,)):
            calls = connection.rows(
                "SELECT id FROM call WHERE list_order_id = ? AND created_at >= ? AND created_at < ?",
                (row["order_id"], row["since"] * 1_000_000, row["until"] * 1_000_000),
            )
            writer.delete_calls(call["id"] for call in calls)
        connection.rows("DELETE FROM covered WHERE until > ?", (second,))
        connection.rows("UPDATE covered SET settled = 0 WHERE synced_at > ?", (to_microseconds(now),))
        # Otherwise such a day would count as read in the future, and wait for that time.
        connection.rows("UPDATE covered SET synced_at = until * 1000000 WHERE synced_at > ?", (to_microseconds(now),))
