"""Counts of the recordings of calls, for the columns of call_stats that need them: one request per recorded call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from liner_mcp.calls.columns import RECORDING_COUNTS
from liner_mcp.calls.record_filters import Undecided
from liner_mcp.calls.window_reader import call_key
from liner_mcp.context import AppContext
from liner_mcp.errors import AccessRefused, DeadlineExceeded, LinerMcpError
from liner_mcp.liner.models import Call, CallRecord
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.record_owners import RecordOwners, of_other_leads

Counts = Mapping[str, int | None]
"""How many recordings of one call each column counts; None where it is unknown."""


def _lacks_summary(record: CallRecord) -> bool | None:
    return not (record.record_summary or "").strip() if record.was_sent("record_summary") else None


COUNTED: Mapping[str, Callable[[CallRecord], bool | None]] = {
    "records": lambda _: True,
    "transfers": lambda record: record.is_transfer,
    "without_summary": _lacks_summary,
}
"""By column, whether it counts a recording; None where Liner did not send what decides it."""
OF_SUMMARIES = frozenset({"without_summary"})  # columns that need a field which one version of Liner's lists leaves out


@dataclass(slots=True)
class RecordingCounts:
    """The counts of the calls of one question. `columns`: what is counted; without any, nothing is read."""

    columns: tuple[str, ...]
    _calls: dict[int, Call] = field(default_factory=dict[int, Call])
    _counts: dict[int, Counts] = field(default_factory=dict[int, Counts])
    _owners: RecordOwners = field(default_factory=RecordOwners)

    @classmethod
    def of(cls, include: Iterable[str]) -> RecordingCounts:
        """Those that `include` requests."""
        return cls(tuple(name for name in include if name in RECORDING_COUNTS))

    async def read(self, context: AppContext, calls: Sequence[Call]) -> set[int]:
        """Count the recordings of the calls that may have some, and return their ids.

        Raises: the errors that end `run_all`; AccessRefused when Liner refuses all lists of records; DeadlineExceeded
        when time was up before all were read.
        """
        if not self.columns:
            return set()
        recorded = [call for call in calls if call.has_records is not False]
        jobs = [partial(self._read_call, context, call) for call in recorded]
        try:
            outcomes = await run_all(jobs, concurrency=context.liner.concurrency, allow_refusals=True)
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

    async def _read_call(self, context: AppContext, call: Call) -> Counts:
        listing = await context.liner.call_records(call.id)
        self._owners.add(call.id, listing.items)
        unlisted = not listing.complete or (call.has_records and not listing.items)
        # Only the record of a transfer may have another lead than its call.
        foreign = not all(record.is_transfer for record in of_other_leads(listing.items, call.lead_id))
        if unlisted or foreign:
            return self._unknown()
        records = listing.items
        if OF_SUMMARIES & set(self.columns) and not all(record.was_sent("record_summary") for record in records):
            records = tuple([await context.liner.call_record(record.id) for record in records])
        return {name: _count(records, COUNTED[name]) for name in self.columns}

    def _unknown(self) -> Counts:
        return dict.fromkeys(self.columns)

    def of_calls(self) -> Mapping[int, Counts]:
        """The counts by the ids of calls. A record that is listed for two calls makes the counts of both unknown."""
        return {**self._counts, **{one: self._unknown() for one in self._owners.shared if one in self._counts}}

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


def _count(records: Iterable[CallRecord], counts: Callable[[CallRecord], bool | None]) -> int | None:
    verdicts = [counts(record) for record in records]
    return None if None in verdicts else verdicts.count(True)
