"""Counts of a window that an archive covers, in parts or as a whole: the database counts what it holds, and the rest is
read from Liner, newest first. Neither a call nor a second is counted twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from anyio import to_thread

from liner_mcp.archive.counts import CountedGroup, CountedSpan, CountRequest, GroupKey
from liner_mcp.archive.search import has_numbers, is_exact
from liner_mcp.archive.spans import Span, moment, subtract
from liner_mcp.calls.counting import WEEKDAYS, Tallies, Tally
from liner_mcp.calls.filters import Filters
from liner_mcp.calls.parallel_reader import ParallelRead, Progress, read_all
from liner_mcp.calls.record_filters import MatchingCalls
from liner_mcp.calls.recordings import Examined
from liner_mcp.calls.time_window import TimeWindow
from liner_mcp.context import AppContext
from liner_mcp.errors import LinerMcpError, SetupError
from liner_mcp.liner.models import Call
from liner_mcp.search.matching import CompiledQuery, compile_query
from liner_mcp.timezone import Zone

DAY_SECONDS = 86_400
_EPOCH_DAY = date(1970, 1, 1).toordinal()

Folded = tuple[Tallies, MatchingCalls]
"""Of a slice: its counts, and its calls that are counted at the end."""


async def read_counts(
    context: AppContext,
    filters: Filters,
    window: TimeWindow,
    fold: Callable[[Sequence[Call]], Awaitable[Folded]],
    *,
    group_by: Sequence[str],
    columns: Sequence[str],
    qualified_codes: frozenset[str],
    progress: Progress | None = None,
) -> ParallelRead[Folded]:
    """`read_all` with the counts of the archive in the place of the spans that it covers. Raises: as `read_all`."""
    counted = await _count_archived(context, filters, window, group_by, columns, qualified_codes)
    whole = Span(int(window.since.timestamp()), int(window.until.timestamp()))
    live = [TimeWindow(moment(one.since), moment(one.until)) for one in subtract(whole, [one.span for one in counted])]
    if not counted:
        live = [window]
    parts: list[ParallelRead[Folded]] = []
    segments: list[tuple[datetime, TimeWindow | CountedSpan]] = [
        *((one.until, one) for one in live),
        *((moment(one.span.until), one) for one in counted),
    ]
    for _, segment in sorted(segments, key=lambda one: one[0], reverse=True):
        if isinstance(segment, CountedSpan):
            parts.append(await _archived(segment, fold, group_by))
            continue
        try:
            read = await read_all(context.liner, filters, segment, fold, progress, reads_records=bool(columns))
        except SetupError:
            raise
        except LinerMcpError as error:
            if not parts:
                raise
            read = ParallelRead[Folded]((), segment.until, error, complete=True, changed=False, liner_total=None)
        parts.append(read)
        if read.stopped is not None:
            break
    return _join(parts, archived=bool(counted))


async def _count_archived(
    context: AppContext,
    filters: Filters,
    window: TimeWindow,
    group_by: Sequence[str],
    columns: Sequence[str],
    qualified_codes: frozenset[str],
) -> list[CountedSpan]:
    """What the database can count: nothing for questions about leads, and where its index does not decide exactly."""
    zone, hours = context.zone, filters.hours
    if context.archive is None or filters.leads or not filters.orders or (hours and hours.zone != zone.name):
        return []
    if window.since.microsecond or window.until.microsecond:
        return []
    mentions: CompiledQuery | None = None
    if filters.mentions is not None:
        mentions = await to_thread.run_sync(compile_query, filters.mentions, abandon_on_cancel=True)
        # Phones are shown to this caller, but the index has them masked.
        if not is_exact(mentions) or (context.show_phones and has_numbers(mentions)):
            return []
    request = CountRequest(
        span=Span(int(window.since.timestamp()), int(window.until.timestamp())),
        order_ids=filters.orders,
        group_by=group_by,
        user_ids=filters.agents,
        status_codes=filters.statuses,
        direction=filters.direction,
        hung_up_by=filters.hung_up_by,
        min_talk_seconds=filters.min_talk_seconds,
        max_talk_seconds=filters.max_talk_seconds,
        recorded=filters.recorded,
        transferred=filters.transferred,
        has_summary=filters.has_summary,
        mentions=mentions,
        hours=None if hours is None else (hours.first, hours.last),
        qualified_codes=sorted(qualified_codes),
        columns=columns,
    )
    by_clock = any(name in ("day", "hour", "weekday") for name in group_by) or hours is not None
    return await context.archive.count(request, lambda span: spans_by_clock(span, zone) if by_clock else [(span, 0)])


def spans_by_clock(span: Span, zone: Zone) -> list[tuple[Span, int]]:
    """The parts of a span in which clocks do not change, each with the seconds from UTC to the local clock."""
    parts: list[tuple[Span, int]] = []
    since = span.since
    while since < span.until:
        offset = _utc_offset(since, zone)
        until = since
        while until < span.until and _utc_offset(min(until + DAY_SECONDS, span.until - 1), zone) == offset:
            until = min(until + DAY_SECONDS, span.until)
        if until < span.until:  # clocks change within the next day
            low, high = until, min(until + DAY_SECONDS, span.until - 1)
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _utc_offset(middle, zone) == offset else (low, middle)
            until = high
        parts.append((Span(since, until), offset))
        since = until
    return parts


def _utc_offset(second: int, zone: Zone) -> int:
    offset = datetime.fromtimestamp(second, UTC).astimezone(zone.info).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


async def _archived(
    counted: CountedSpan, fold: Callable[[Sequence[Call]], Awaitable[Folded]], group_by: Sequence[str]
) -> ParallelRead[Folded]:
    tallies = {_key(key, group_by): _tally(group) for key, group in counted.groups.items()}
    searched = counted.searched
    examined = Examined(searched.calls, searched.with_summary, searched.without_summary)
    parts: list[Folded] = [(tallies, MatchingCalls([], [], examined))]
    if counted.odd:
        parts.append(await fold(counted.odd))
    reached = moment(counted.span.since)
    return ParallelRead(tuple(parts), reached, None, complete=True, changed=False, liner_total=None)


def _key(key: GroupKey, group_by: Sequence[str]) -> GroupKey:
    return tuple(_key_part(part, grouping) for part, grouping in zip(key, group_by, strict=True))


def _key_part(part: int | str | None, grouping: str) -> int | str | None:
    if not isinstance(part, int):
        return part
    if grouping == "day":
        return date.fromordinal(_EPOCH_DAY + part).isoformat()
    if grouping == "hour":
        return f"{part:02d}"
    return WEEKDAYS[part] if grouping == "weekday" else part


def _tally(group: CountedGroup) -> Tally:
    return Tally(
        calls=group.calls,
        answered=sum(group.talk.values()),
        recorded=group.recorded,
        talk_total=sum(seconds * number for seconds, number in group.talk.items()),
        agent_hangups=group.agent_hangups,
        qualified=group.qualified,
        talk=group.talk,
        wait=group.wait,
        recordings=group.recordings,
    )


def _join(parts: Sequence[ParallelRead[Folded]], *, archived: bool) -> ParallelRead[Folded]:
    """One read of all segments, which are in order, newest first; a stopped one is the last."""
    last = parts[-1]
    if len(parts) == 1 and not archived:
        return last
    return replace(
        last,
        folded=tuple(folded for part in parts for folded in part.folded),
        complete=all(part.complete for part in parts),
        changed=any(part.changed for part in parts),
        liner_total=None,
        filter_ignored=any(part.filter_ignored for part in parts),
        window_note=next((part.window_note for part in parts if part.window_note), None),
        unreadable=sum(part.unreadable for part in parts),
    )
