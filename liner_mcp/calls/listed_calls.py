"""Calls that an answer lists one by one: a page of them, a sample, or the longest talks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from liner_mcp.answer.table import Members, Row
from liner_mcp.calls.parallel_reader import ParallelRead, Progress, read_all
from liner_mcp.calls.query import ResolvedQuery
from liner_mcp.calls.record_filters import Decision, MatchingCalls, Undecided, matching_calls, part_shared
from liner_mcp.calls.recording_rows import FoundCall, PageRoom, RowFormat, failed_ids, read_shown
from liner_mcp.calls.recordings import CallRecordings, Examined, RecordsRead
from liner_mcp.calls.rows import call_members
from liner_mcp.context import AppContext
from liner_mcp.liner.models import Call
from liner_mcp.names.directory import DirectoryNames
from liner_mcp.records.record_rows import OPTIONAL_COLUMNS


@dataclass(slots=True, kw_only=True)
class ListedCalls:
    """The calls that pass, in the order in which they were found, and what was seen on the way to them.

    `known`: Liner sent the field by which the calls are chosen for all of them. `shown`: the calls with what their rows
    need.
    """

    resolved: ResolvedQuery
    layout: RowFormat
    read: ParallelRead[Any] = field(init=False)
    records_read: RecordsRead = field(default_factory=RecordsRead)
    calls: list[Call] = field(default_factory=list[Call])
    undecided: dict[int, Undecided] = field(default_factory=dict[int, Undecided])  # by the ids of calls
    examined: Examined = field(default_factory=Examined)
    recordings: dict[int, CallRecordings] = field(default_factory=dict[int, CallRecordings])  # by the ids of calls
    known: bool = True
    shown: list[FoundCall] = field(default_factory=list[FoundCall])

    async def read_window(
        self,
        context: AppContext,
        keep: Callable[[Sequence[Call]], list[Call]],
        chosen_by: str,
        progress: Progress | None,
    ) -> None:
        """Read the whole window. `keep` gets the calls of each slice that the filters on calls pass, and returns those
        to hold. Of a window that was read in part, only what is covered counts. Raises: as `read_all`.
        """
        filters = self.resolved.filters.on_calls()

        async def fold(calls: Sequence[Call]) -> tuple[MatchingCalls, bool]:
            found = await matching_calls(context, filters, calls, RecordsRead())
            known = all(call.is_known(chosen_by) for call in found.calls)
            return replace(found, calls=keep(found.calls)), known

        read = self.read = await read_all(context.liner, filters, self.resolved.window, fold, progress)
        for found, known in read.folded:
            self.calls += found.calls
            self.undecided |= {one.key[1]: one for one in found.undecided}
            self.known = self.known and known

    def add(self, decision: Decision) -> None:
        """Add a call to those that pass, or to those that are undecided."""
        if decision.passes:
            self.calls.append(decision.call)
        elif decision.passes is None:
            self.undecided[decision.call.id] = decision.undecided
        if decision.recordings is not None:
            self.examined.add(decision.recordings)
            if decision.passes:
                self.recordings[decision.call.id] = decision.recordings

    def drop_shared(self) -> None:
        """Move the calls of `part_shared` to the undecided ones."""
        self.calls, shared = part_shared(self.calls, self.records_read)
        self.undecided |= {one.key[1]: one for one in shared}

    async def show(self, context: AppContext, calls: Sequence[Call], budget: int) -> bool:
        """Read what the rows of these calls need. False when time was up on the way."""
        room = PageRoom(self.layout, budget)
        self.shown = await read_shown(context, calls, self.recordings, self.records_read, self.layout, room)
        context.recent_records.add(one.record.id for found in self.shown for one in found.shown)
        return len(self.shown) == len(calls) or room.full

    def members(
        self,
        context: AppContext,
        names: DirectoryNames,
        rows: Sequence[Row],
        shown: Sequence[FoundCall],
        retry: Sequence[int],
        *,
        agents_known: bool,
    ) -> Members:
        """The members that every answer with listed calls has. `retry`: the ids of undecided calls."""
        resolved, columns = self.resolved, self.layout.columns
        return {
            **call_members(
                context,
                names,
                resolved.filters,
                resolved.window,
                columns,
                rows,
                agents_known=agents_known,
                optional_columns=OPTIONAL_COLUMNS,
            ),
            "retry": [*retry, *failed_ids(shown, retry)],
        }
