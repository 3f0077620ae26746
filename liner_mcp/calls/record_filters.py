"""Which calls pass all filters: those on calls first, then those on recordings, at one records request per call that
may have recordings.

The answer has three values. A call cannot be decided when Liner did not send a field that a filter needs, when its
records could not be read, when their list is incomplete and shows no positive evidence, when Liner lists none and does
not say that there are none, or when a record seems to belong to another call: it is then in no row and no count, and
its id is in `retry`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple, TypedDict

from liner_mcp.calls.arguments import FILTERS
from liner_mcp.calls.filters import WINDOW, Filters
from liner_mcp.calls.recordings import NO_RECORDINGS, CallRecordings, Examined, RecordsRead, read_recordings
from liner_mcp.calls.rows import sent_fields
from liner_mcp.calls.window_reader import CallKey, call_key
from liner_mcp.context import AppContext
from liner_mcp.errors import AccessRefused, DeadlineExceeded, LinerMcpError
from liner_mcp.liner.models import Call
from liner_mcp.liner.parallel import run_all
from liner_mcp.liner.record_owners import of_other_leads

RETRY_SHARE = 4  # ids in `retry` take at most a quarter of an answer, so that rows keep most of it


IsFull = Callable[[CallRecordings | None], bool]
"""Gets the recordings of each call that passes, in order, and says whether these calls are enough."""


class Undecided(NamedTuple):
    """A call that cannot be decided, and the filters for which Liner sent no value; none of them where the filters on
    recordings are undecided.
    """

    key: CallKey
    without_value: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether one call passes all filters; None where it cannot be decided. `recordings`: what was read to decide it.
    `late`: they were not read in time.
    """

    call: Call
    passes: bool | None
    without_value: tuple[str, ...] = ()
    recordings: CallRecordings | None = None
    late: bool = False

    @property
    def undecided(self) -> Undecided:
        return Undecided(call_key(self.call), self.without_value)


def part_shared(passing: Iterable[Call], seen: RecordsRead) -> tuple[list[Call], list[Undecided]]:
    """The calls that pass, without those that passed by a record that was listed for a later call too: these are
    undecided.
    """
    kept: list[Call] = []
    undecided: list[Undecided] = []
    for call in passing:
        if call.id in seen.owners.shared:
            undecided.append(Undecided(call_key(call)))
        else:
            kept.append(call)
    return kept, undecided


async def decide(
    context: AppContext,
    filters: Filters,
    calls: Sequence[Call],
    seen: RecordsRead,
    enough: int | None = None,
    is_full: IsFull | None = None,
) -> list[Decision]:
    """A decision about each of the calls, which no filter on calls excludes, in their order.

    The list ends early when `enough` calls pass, when the recordings of those that pass are `is_full`, or before the
    first call whose records were not read when time was up. `seen` is the same object for the whole question.

    Raises: the errors that end `run_all`, such as SetupError; AccessRefused when Liner refuses all lists of records.
    """
    without_value = filters.undecided(calls)
    if not filters.on_recordings:
        return [
            Decision(call, None if call.id in without_value else True, without_value.get(call.id, ())) for call in calls
        ]
    # Null leaves it open whether there are recordings; a listed one decides it.
    recorded = [call for call in calls if call.has_records is not False and call.id not in without_value]
    outcomes = await _examine(context, filters, recorded, seen, enough, is_full)
    outcome_by_call = {call.id: outcome for call, outcome in zip(recorded, outcomes, strict=True)}
    without_recordings = filters.decide(NO_RECORDINGS)
    decisions: list[Decision] = []
    for call in calls:
        if call.id in without_value:
            decisions.append(Decision(call, None, without_value[call.id]))
            continue
        outcome = outcome_by_call.get(call.id, Decision(call, without_recordings))
        if outcome is None:
            break
        if isinstance(outcome, LinerMcpError):
            outcome = Decision(call, None, late=isinstance(outcome, DeadlineExceeded))
        elif call.id in seen.owners.shared:
            outcome = replace(outcome, passes=None)
        decisions.append(outcome)
    return decisions


async def _examine(
    context: AppContext,
    filters: Filters,
    calls: Sequence[Call],
    seen: RecordsRead,
    enough: int | None,
    is_full: IsFull | None,
) -> Sequence[Decision | LinerMcpError | None]:
    """The outcome of reading the records of each call, until `enough` calls pass or time is up."""
    passing: list[int] = []
    await seen.compile(filters.mentions)

    async def examine(call: Call) -> Decision:
        found = await read_recordings(context, call, seen, summaries=filters.on_summaries)
        return Decision(call, _passes(filters, call, found), recordings=found)

    def is_enough(outcome: Decision | LinerMcpError) -> bool:
        if isinstance(outcome, Decision) and outcome.passes:
            passing.append(outcome.call.id)
            if is_full is not None and is_full(outcome.recordings):
                return True
        return len(set(passing) - seen.owners.shared) == enough

    jobs = [partial(examine, call) for call in calls]
    try:
        return await run_all(
            jobs,
            concurrency=context.liner.concurrency,
            stop_when=is_enough,
            allow_refusals=True,
            give_up_last=enough is None,
        )
    except AccessRefused as refusal:
        if not seen.calls:
            raise
        return [refusal] * len(calls)  # Liner accepts the token, so it refuses these calls


def _passes(filters: Filters, call: Call, found: CallRecordings) -> bool | None:
    if not found.reads:
        return None  # Liner does not say that there are no recordings, and may list them later
    if not all(record.is_transfer for record in of_other_leads(found.records, call.lead_id)):
        return None  # only the record of a transfer may have another lead than its call
    return filters.decide(found)


@dataclass(frozen=True, slots=True)
class MatchingCalls:
    """The calls that pass all filters, those that cannot be decided, and what filters on recordings examined.

    `recordings`: of the calls that pass, by their ids, where a filter needed them.
    """

    calls: list[Call]
    undecided: list[Undecided]
    examined: Examined = field(default_factory=Examined)
    recordings: dict[int, CallRecordings] = field(default_factory=dict[int, CallRecordings])


async def matching_calls(
    context: AppContext, filters: Filters, calls: Iterable[Call], seen: RecordsRead
) -> MatchingCalls:
    """Decide about each of the calls.

    Raises: what `decide` raises; DeadlineExceeded when time was up before all records were read.
    """
    matching = filters.matching(calls)
    decisions = await decide(context, filters, matching, seen)
    if len(decisions) < len(matching) or any(decision.late for decision in decisions):
        raise DeadlineExceeded("Time was up before all records were read; ask for a shorter window.")
    found = MatchingCalls(
        [decision.call for decision in decisions if decision.passes],
        [decision.undecided for decision in decisions if decision.passes is None],
    )
    for decision in decisions:
        if decision.recordings is not None:
            found.examined.add(decision.recordings)
            if decision.passes:
                found.recordings[decision.call.id] = decision.recordings
    return found


# In the answer --------------------------------------------------------------------------------------------------------


def retry_ids(undecided: Iterable[Undecided], budget: int) -> list[int]:
    """The ids of calls that could not be decided, newest first, as many as fit."""
    ids: list[int] = []
    room = budget // RETRY_SHARE
    for _, call_id in sorted((one.key for one in undecided), reverse=True):
        room -= len(f"{call_id},")
        if room < 0:
            break
        ids.append(call_id)
    return ids


def undecided_note(filters: Filters, undecided: Sequence[Undecided], listed: int) -> str:
    """What `page.undecided` and `retry` mean; empty when every call was decided."""
    if not undecided:
        return ""
    without_value = dict.fromkeys(name for one in undecided for name in one.without_value)
    names, reasons = [*without_value], list[str]()
    if without_value:
        fields = dict.fromkeys("created_at" if name == WINDOW else FILTERS[name].field for name in without_value)
        reasons.append(f"Liner sends no {sent_fields(fields)} for them")
    if not all(one.without_value for one in undecided):
        names += [name for name in filters.on_recordings if name not in names]
        reasons.append("their recordings could not be read, are not listed whole or may belong to other calls")
    which = "their ids" if listed == len(undecided) else f"{listed} of their ids"
    return (
        f"{' and '.join(names)} could not be decided for {len(undecided)} of the calls: {', or '.join(reasons)}. "
        f"Such calls are in no row and no count; retry lists {which}."
    )


class FilterMembers(TypedDict):
    """The members of a page about the filters that Liner does not have."""

    local_filters: Sequence[str] | None
    examined: int | None
    searched: dict[str, int] | None


def filter_members(filters: Filters, examined: Examined) -> FilterMembers:
    return {
        "local_filters": filters.client_side or None,
        "examined": examined.calls if filters.on_recordings else None,
        "searched": examined.searched() if filters.on_summaries else None,
    }
