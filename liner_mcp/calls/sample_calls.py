"""A sample of calls, to listen to instead of all of them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from liner_mcp.answer.table import Answer, Evidence, Members, page, render_within_budget
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.listed_calls import ListedCalls
from liner_mcp.calls.page_cursor import SUMMARY_CHARS
from liner_mcp.calls.parallel_reader import Progress, progress_after
from liner_mcp.calls.query import resolve
from liner_mcp.calls.record_filters import filter_members, matching_calls, retry_ids, undecided_note
from liner_mcp.calls.recording_rows import RowFormat, found_rows, recording_notes
from liner_mcp.calls.recordings import Examined
from liner_mcp.calls.rows import read_names, reading_notes, unknown_cells_note, unlisted_notes
from liner_mcp.calls.sampling import StratifiedSample, new_seed
from liner_mcp.calls.window_reader import call_key
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded, InvalidArgument
from liner_mcp.liner.models import Call
from liner_mcp.names.directory import DirectoryNames
from liner_mcp.text.mask import quote_input

MAX_EXAMINED = 2_000  # calls of each agent that filters on recordings may examine: more than a deadline allows
NOT_DRAWN_NOTE = "Liner counts more calls in this window than it lists; some could not be drawn."
SAMPLING_METHOD = "even per agent, not proportional"


async def sample_calls(
    context: AppContext,
    query: CallQuery,
    *,
    include: tuple[str, ...],
    sample: int,
    seed: str | None,
    cursor: str | None,
    budget: int,
    summary_chars: int = SUMMARY_CHARS,
    progress: Progress | None = None,
) -> Answer:
    """`sample` calls of those that the query matches: recorded ones, unless `recorded` says otherwise.

    Raises: InvalidArgument for what cannot be understood; DeadlineExceeded when the window could not be read whole,
    because a sample of a part is not a sample of the whole.
    """
    if cursor is not None:
        raise InvalidArgument("sample has no pages: send it without cursor, or the cursor without sample.")
    query = query if query.recorded is not None else replace(query, recorded=True)
    resolved = await resolve(context, query)
    used_seed = new_seed() if seed is None else seed
    if any("\ud800" <= character <= "\udfff" for character in used_seed):
        raise InvalidArgument("seed holds half of a character, which has no UTF-8 form. Send a word or a number.")
    filters = resolved.filters
    held = max(MAX_EXAMINED, sample) if filters.on_recordings else sample
    drawn = _Sample(
        resolved=resolved,
        layout=RowFormat(include, summary_chars, mentions=filters.mentions is not None),
        stratified=StratifiedSample(used_seed, sample, held),
    )
    await drawn.read_window(context, drawn.hold, "user_id", progress)
    read = drawn.read
    if read.stopped is not None:
        zone, window = context.zone, resolved.window
        part = f"since={zone.isoformat(read.reached)}, until={zone.isoformat(window.until)}"
        readable = f"The part {part} could be" if read.reached < window.until else "No part of it could be"
        raise DeadlineExceeded(
            f"No sample was drawn, because the window could not be read whole: {context.stop_reason(read.stopped)} "
            f"{readable}; ask for a shorter window."
        )
    drawn.records_read.report = progress_after(drawn.stratified.population, progress)
    await _draw(context, drawn)
    in_time = await drawn.show(context, drawn.calls, budget)
    names = await read_names(context, filters, drawn.calls)
    context.recent_calls.add([call.id for call in sorted(drawn.calls, key=call_key)])
    return _render(context, drawn, names, budget, in_time=in_time)


# The draw -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Sample(ListedCalls):
    """The sample, in the order of the draw. `population`: the number of calls that it was taken from, None where some
    of them were not examined or not decided. `late`: time was up before it was full.
    """

    stratified: StratifiedSample
    population: int | None = None
    late: bool = False

    def hold(self, calls: Sequence[Call]) -> list[Call]:
        """Give the calls of a slice to the draw. The window is read whole, or nothing is drawn."""
        self.stratified.add(calls)
        return []


async def _draw(context: AppContext, drawn: _Sample) -> None:
    """Draw the sample. With filters on recordings, calls are examined in the order of the draw until it is full: the
    same sample as if all had been examined, for fewer requests.

    Raises: what `matching_calls` raises; DeadlineExceeded only when no call was drawn in time.
    """
    stratified = drawn.stratified
    if not drawn.resolved.filters.on_recordings:
        drawn.calls, drawn.population = stratified.selected(), stratified.population
        return
    agents = [_AgentCalls(deque(calls)) for calls in stratified.calls_by_agent()]
    everything = sum(len(agent.unexamined) for agent in agents) == stratified.population
    while missing := stratified.size - len(drawn.calls):
        try:
            turn = await _next_round(context, drawn, agents, missing)
        except DeadlineExceeded:
            if not drawn.calls:
                raise
            drawn.late = True
            break
        if not turn:
            break
        drawn.calls += turn
        drawn.drop_shared()
    if everything and not (drawn.late or drawn.undecided or any(agent.unexamined for agent in agents)):
        drawn.population = len(drawn.calls) + sum(len(agent.passing) for agent in agents)


@dataclass(frozen=True, slots=True)
class _AgentCalls:
    """One agent's calls in the order of the draw: not examined yet, and passing but not drawn yet."""

    unexamined: deque[Call]
    passing: deque[Call] = field(default_factory=deque[Call])


async def _next_round(context: AppContext, drawn: _Sample, agents: Sequence[_AgentCalls], size: int) -> list[Call]:
    """The next passing call of each agent, of at most `size` agents."""
    while True:
        first = [agent for agent in agents if agent.passing or agent.unexamined][:size]
        pending = [agent for agent in first if not agent.passing]
        if not pending:
            return [agent.passing.popleft() for agent in first]
        # Several of each, where few agents are left, so that Liner's slots stay busy.
        depth = math.ceil(2 * context.liner.concurrency / len(pending))
        batches = [
            (agent, [agent.unexamined.popleft() for _ in range(min(depth, len(agent.unexamined)))]) for agent in pending
        ]
        calls = [call for _, batch in batches for call in batch]
        found = await matching_calls(context, drawn.resolved.filters, calls, drawn.records_read)
        drawn.undecided |= {one.key[1]: one for one in found.undecided}
        drawn.examined = Examined.sum([drawn.examined, found.examined])
        drawn.recordings |= found.recordings
        ids = {call.id for call in found.calls}
        for agent, batch in batches:
            agent.passing.extend(call for call in batch if call.id in ids)


# The answer -----------------------------------------------------------------------------------------------------------


def _render(context: AppContext, drawn: _Sample, names: DirectoryNames, budget: int, *, in_time: bool) -> Answer:
    resolved, layout, stratified, read, found = drawn.resolved, drawn.layout, drawn.stratified, drawn.read, drawn.shown
    filters, calls, undecided, agents_known = resolved.filters, drawn.calls, list(drawn.undecided.values()), drawn.known
    retry = retry_ids(undecided, budget)
    # Calls that were not examined could still fill the sample.
    cut_off = len(calls) < stratified.size and drawn.population is None and not undecided

    def evidence(count: int) -> Evidence:
        return Evidence(
            left=count < len(calls) or cut_off or drawn.late,
            missing=not read.complete or bool(resolved.gaps),
            undecided=len(undecided),
            unknown=not agents_known or (layout.needs_recordings and any(one.unknown for one in found[:count])),
        )

    # What is not shown or not known of some calls may be of one agent more than of the others.
    even = agents_known and evidence(len(calls)).shows_all
    seed = quote_input(stratified.seed, len(stratified.seed), show_phones=context.show_phones)

    def notes(count: int) -> list[str]:
        notes: list[str] = []
        if seed != stratified.seed:
            notes.append("The seed is shown with parts hidden; the seed as you sent it draws the same calls again.")
        if count < len(calls):
            left = len(calls) - count
            why = "were not read in time" if count == len(found) and not in_time else "did not fit"
            notes.append(f"{left} drawn calls {why}; the others are the draw of sample={count}.")
        if drawn.late:
            notes.append("Time was up before the sample was full; ask for a shorter window or fewer filters.")
        notes += [undecided_note(filters, undecided, len(retry)), *recording_notes(found[:count], layout)]
        if not agents_known:
            notes.append("Liner sends no userId for some calls of this window, so the draw may not be even per agent.")
        if cut_off and not drawn.late:
            notes.append(f"Of each agent the first {MAX_EXAMINED} calls of the draw were examined; ask for less time.")
        gaps = [*resolved.gaps, *drawn.records_read.notes()]
        notes += reading_notes(context, read, gaps, missing=NOT_DRAWN_NOTE)
        if not calls:
            notes += unlisted_notes(names, filters)
        if not calls and evidence(0).shows_all:
            # A sample is of recorded calls anyway.
            relaxed = ", or fewer filters" if replace(filters, recorded=None).can_be_relaxed else ""
            notes.append(f"No call of this window can be drawn; try an earlier since{relaxed}.")
        notes.append(unknown_cells_note(calls[:count], layout.columns))
        return [*notes, *resolved.notes, *names.notes()]

    def render(count: int) -> Members:
        # In the order of the draw, a part is the sample of that size; it is shown newest first.
        shown = sorted(found[:count], key=lambda one: call_key(one.call), reverse=True)
        rows = [row for one in shown for row in found_rows(context, one, layout)]
        return {
            **drawn.members(context, names, rows, shown, retry, agents_known=agents_known),
            "asked": {**filters.echo(), "sample": stratified.size},
            "page": page(
                len(rows),
                evidence(count),
                population=drawn.population,
                seed=seed,
                sampling=SAMPLING_METHOD if even else None,
                **filter_members(filters, drawn.examined),
            ),
            "notes": notes(count),
        }

    return render_within_budget(render, range(1, len(found) + 1), budget)
