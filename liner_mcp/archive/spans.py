"""Spans of time in whole seconds since 1970, half-open. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple


class Span(NamedTuple):
    """From `since` up to but not including `until`."""

    since: int
    until: int

    @property
    def empty(self) -> bool:
        """Whether no moment is inside."""
        return self.since >= self.until


def of_window(since: datetime, until: datetime) -> Span:
    """The whole seconds that touch a closed window, as Liner reads it: both ends are inside."""
    return Span(math.floor(since.timestamp()), math.floor(until.timestamp()) + 1)


def moment(second: int) -> datetime:
    """A second as a datetime in UTC."""
    return datetime.fromtimestamp(second, UTC)


def union(spans: Iterable[Span]) -> list[Span]:
    """The same moments in as few spans as possible, in order."""
    joined: list[Span] = []
    for span in sorted(span for span in spans if not span.empty):
        if joined and span.since <= joined[-1].until:
            joined[-1] = Span(joined[-1].since, max(joined[-1].until, span.until))
        else:
            joined.append(span)
    return joined


def subtract(whole: Span, spans: Iterable[Span]) -> list[Span]:
    """The parts of `whole` that none of the spans covers, in order."""
    left: list[Span] = []
    since = whole.since
    for span in union(spans):
        if span.until <= since or span.since >= whole.until:
            continue
        if span.since > since:
            left.append(Span(since, span.since))
        since = max(since, span.until)
    if since < whole.until:
        left.append(Span(since, whole.until))
    return left


def intersect(whole: Span, spans: Iterable[Span]) -> list[Span]:
    """The parts of `whole` that the spans cover, in order."""
    parts = (Span(max(whole.since, span.since), min(whole.until, span.until)) for span in union(spans))
    return [part for part in parts if not part.empty]


def common(whole: Span, covered: Sequence[Sequence[Span]]) -> list[Span]:
    """The parts of `whole` that every one of the lists of spans covers; nothing when there is no list."""
    if not covered:
        return []
    parts = [whole]
    for spans in covered:
        parts = [part for one in parts for part in intersect(one, spans)]
    return parts
