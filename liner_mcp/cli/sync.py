"""`liner-mcp sync`: fills the archive from Liner."""

from __future__ import annotations

import argparse
import re
import signal
import sys
from collections import Counter
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import anyio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from liner_mcp.archive.sync import Estimate, Options, Report
from liner_mcp.cli.chosen_settings import chosen_settings, warn_of_misspelt_variables
from liner_mcp.cli.serve import interval_seconds
from liner_mcp.cli.terminal import print_json, print_wrapped
from liner_mcp.errors import UsageError
from liner_mcp.json_logging import configure_logging
from liner_mcp.liner.models import FIRST_YEAR, LAST_YEAR
from liner_mcp.liner.request_metrics import RequestCounts
from liner_mcp.server.archive_sync import archive_location, sync_archive, sync_every
from liner_mcp.settings import Settings
from liner_mcp.timezone import Zone

INTERRUPTED = 130
PARTIAL = 3
SHOWN_REASONS = 3
LINES_APART = 50  # days between two lines of progress without a terminal
_AGO = re.compile(r"-?(\d{1,5})d")


def sync(options: argparse.Namespace) -> int:
    settings = chosen_settings(options, archive=True)
    archive_location(settings)
    if options.every is not None:
        return _sync_every(options, settings)
    warn_of_misspelt_variables()
    if options.pace is not None and not 0 <= options.pace <= 1_000:
        raise UsageError("--pace is a number of requests per second from 0 (no limit) to 1000.")
    what = Options(since_of(options.since, settings), options.again, settings.retention)
    pace = settings.requests_per_second / 2 if options.pace is None else options.pace
    output = _Output(pace, as_json=options.json)
    counts = RequestCounts()

    async def run() -> Report:
        return await sync_archive(
            settings, what, counts=counts, pace=pace, on_estimate=output.estimate, on_day=output.day
        )

    # Ctrl-C ends the sync between two days. What was stored is reported.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupted = False
    try:
        report = anyio.run(run)
    except KeyboardInterrupt:
        report, interrupted = output.last, True
    finally:
        output.close()
    output.summary(report, counts.requests, interrupted=interrupted)
    return INTERRUPTED if interrupted else exit_code(report)


def _sync_every(options: argparse.Namespace, settings: Settings) -> int:
    """For a service that only syncs. It logs as a server does."""
    if options.again or options.json or options.since is not None or options.pace is not None:
        raise UsageError("--every reads what is missing; --since, --again, --pace and --json are for a single sync.")
    seconds = interval_seconds("--every", options.every)
    if settings.mcp_log != "off":
        configure_logging(settings.mcp_log or "json", " ".join(settings.startup_notices))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # the first process of a container has no default handler
    with suppress(KeyboardInterrupt):
        anyio.run(sync_every, settings, seconds)
    return 0


def exit_code(report: Report) -> int:
    """0 whole, 3 partial, 1 when nothing was stored."""
    if report.whole:
        return 0
    return PARTIAL if report.days else 1


def since_of(text: str | None, settings: Settings) -> datetime | None:
    """`-90d` or `2026-09-01` as a moment. Raises: UsageError."""
    if text is None:
        return None
    if ago := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(days=int(ago[1]))
    return Zone.resolve(settings.timezone).midnight(day_of_text("--since", text))


def day_of_text(name: str, text: str) -> date:
    """Raises: UsageError, also for a year of no call, whose midnight may be no moment that Python can hold."""
    with suppress(ValueError):
        day = date.fromisoformat(text)
        if FIRST_YEAR <= day.year <= LAST_YEAR:
            return day
    raise UsageError(f"{name} is a date, such as 2026-09-01, or a number of days, such as -90d.")


class _Output:
    """The estimate, the progress and the summary: a bar on a terminal, otherwise lines, or one JSON object at the end.

    Progress is written to stderr.
    """

    def __init__(self, pace: float, *, as_json: bool) -> None:
        self.last = Report()
        self._pace = pace
        self._json = as_json
        self._total = 0
        self._estimate: Estimate | None = None
        self._bar: Progress | None = None

    def estimate(self, estimate: Estimate) -> None:
        self._estimate, self._total = estimate, estimate.days
        if self._json:
            return
        took = f" and {_duration(estimate.requests / self._pace)}" if self._pace else ""
        print_wrapped(
            f"To read: {estimate.days:,} days of orders with at most {estimate.calls:,} calls, in about "
            f"{estimate.requests:,} requests{took}.",
            indent=2,
        )
        if sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._bar.add_task("Days", total=estimate.days)

    def day(self, report: Report) -> None:
        self.last = report
        done = self._total - report.pending_days
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done)
        elif not self._json and done % LINES_APART == 0:
            print(f"{done:,} of {self._total:,} days, {report.calls:,} calls", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()

    def summary(self, report: Report, requests: int, *, interrupted: bool) -> None:
        if self._json:
            print_json(self._document(report, requests, interrupted=interrupted))
            return
        removed = f" {report.removed_calls:,} older calls were removed." if report.removed_calls else ""
        print_wrapped(
            f"Stored: {report.days:,} days of orders with {report.calls:,} calls and {report.records:,} new records "
            f"({report.summaries:,} with a summary), in {requests:,} requests.{removed}",
            indent=2,
        )
        reasons = Counter(failure.reason for failure in report.failures)
        first = {failure.reason: failure.what for failure in reversed(report.failures)}
        for reason, count in reasons.most_common(SHOWN_REASONS):
            more = f" and {count - 1:,} more" if count > 1 else ""
            print_wrapped(f"Not stored: {first[reason]}{more}. {reason}", indent=2)
        if len(reasons) > SHOWN_REASONS:
            print_wrapped("--json lists everything that was not stored.", indent=2)
        if interrupted:
            print_wrapped("Interrupted. Run liner-mcp sync again to go on.", indent=2)
        elif report.stopped is not None:
            print_wrapped(f"Stopped: {report.stopped}", indent=2)

    def _document(self, report: Report, requests: int, *, interrupted: bool) -> dict[str, Any]:
        estimate = self._estimate
        return {
            "days": report.days,
            "calls": report.calls,
            "records": report.records,
            "summaries": report.summaries,
            "removed_calls": report.removed_calls,
            "pending_days": report.pending_days,
            "requests": requests,
            "estimated_requests": None if estimate is None else estimate.requests,
            "failures": [
                {
                    "what": one.what,
                    "order_id": one.order_id,
                    "day": None if one.day is None else one.day.isoformat(),
                    "reason": one.reason,
                }
                for one in report.failures
            ],
            "stopped": report.stopped,
            "interrupted": interrupted,
        }


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
