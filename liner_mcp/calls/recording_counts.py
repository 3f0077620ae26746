"""Counts of the recordings of calls, for the columns of call_stats that need them: one request per recorded call,
unless a filter on recordings has read them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from liner_mcp.calls.arguments import Mention, lacks_summary
from liner_mcp.calls.counting import Counts
from liner_mcp.calls.record_filters import Undecided
from liner_mcp.calls.recordings import CallRecordings, RecordsRead, add_summaries, read_recordings
from liner_mcp.calls.window_reader import call_key
from liner_mcp.context import AppContext
from liner_mcp.errors import AccessRefused, DeadlineExceeded, LinerMcpError
from liner_mcp.liner.models import Call, CallRecord
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.record_owners import of_other_leads

COUNTED: Mapping[str, Callable[[CallRecord, Mention | None], bool | None]] = {
    "records": lambda _, __: True,
    "transfers": lambda record, _: record.is_transfer,
    "without_summary": lambda record, _: lacks_summary(record),
    "matches": lambda _, mention: mention and mention.matches,
}
"""By column, whether it counts a recording; None where Liner did not send what decides it."""
OF_SUMMARIES = frozenset({"without_summary"})  # columns that need a field which one version of Liner's lists leaves out


@dataclass(slots=True)
class RecordingCounts:
    """The counts of the calls of one question. `columns`: what is counted; without any, nothing is read."""

    columns: tuple[str, ...]
    _calls: dict[int, Call] = field(default_factory=dict[int, Call])
    _counts: dict[int, Counts] = field(default_factory=dict[int, Counts])
    _seen: RecordsRead = field(default_factory=RecordsRead)

    async def read(
        self, context: AppContext, calls: Sequence[Call], already_read: Mapping[int, CallRecordings]
    ) -> set[int]:
        """Count the recordings of the calls that may have some, and return their ids.

        `already_read`: the recordings that a filter has read, by the ids of their calls.

        Raises: the errors that end `run_all`; AccessRefused when Liner refuses all lists of records; DeadlineExceeded
        when time was up before all were read.
        """
        if not self.columns:
            return set()
        recorded = [call for call in calls if call.has_records is not False]
        jobs = [partial(self._read_call, context, call, already_read.get(call.id)) for call in recorded]
        try:
            outcomes = await run_all(
                jobs, concurrency=context.liner.concurrency, allow_refusals=True, give_up_last=True
            )
        except AccessRefused as refusal:
            if not self._counts:
                raise
            outcomes: Sequence[Counts | LinerMcpError | None] = [refusal] * len(jobs)
        for call, outcome in zip(recorded, outcomes, strict=True):
            if outcome is None or isinstance(outcome, DeadlineExceeded):
                raise DeadlineExceeded("Time was up before all recordings were counted; ask for a shorter window.")
            self._calls[call.id] = call
            self._counts[call.id] = self._unknown() if isinstance(outcome, LinerMcpError) else outcome
        return {call.id for call in recorded}

    async def _read_call(self, context: AppContext, call: Call, found: CallRecordings | None) -> Counts:
        if found is None:
            found = await read_recordings(context, call, self._seen, summaries=False)
        else:
            self._seen.owners.add(call.id, found.records)
        # Only the record of a transfer may have another lead than its call.
        foreign = not all(record.is_transfer for record in of_other_leads(found.records, call.lead_id))
        if foreign or not found.complete:
            return self._unknown()
        if OF_SUMMARIES & set(self.columns):
            found = await add_summaries(context, call, self._seen, found)
        return {name: _count(found, COUNTED[name]) for name in self.columns}

    def _unknown(self) -> Counts:
        return dict.fromkeys(self.columns)

    def of_calls(self) -> Mapping[int, Counts]:
        """The counts by the ids of calls. A record that is listed for two calls makes the counts of both unknown."""
        return {**self._counts, **{one: self._unknown() for one in self._seen.owners.shared if one in self._counts}}

    def unknown(self) -> list[Undecided]:
        """The calls of which something could not be counted."""
        return [
            Undecided(call_key(self._calls[one])) for one, counts in self.of_calls().items() if None in counts.values()
        ]

    def note(self) -> str:
        """What could not be counted; empty where all was."""
        unknown = len(self.unknown())
        if not unknown:
            return ""
        return (
            f"The recordings of {unknown} of these calls could not all be counted: {', '.join(self.columns)} may be "
            "null in their rows and in totals, and retry lists the calls."
        )


def _count(found: CallRecordings, counts: Callable[[CallRecord, Mention | None], bool | None]) -> int | None:
    verdicts = [counts(record, found.mentions.get(record.id)) for record in found.records]
    return None if None in verdicts else verdicts.count(True)
