"""A sample of calls, to listen to instead of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from liner_mcp.answer.table import Answer, Members, page, render_within_budget
from liner_mcp.calls.parallel_reader import ParallelRead, Progress, read_all
from liner_mcp.calls.query import CallQuery, ResolvedQuery, resolve
from liner_mcp.calls.rows import call_columns, call_members, call_row, unlisted_notes
from liner_mcp.calls.sampling import StratifiedSample, new_seed
from liner_mcp.calls.transfers import matching_calls
from liner_mcp.calls.window_reader import FILTER_IGNORED_NOTE, call_key
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded, InvalidArgument
from liner_mcp.liner.models import Call
from liner_mcp.names.directory import DirectoryNames
from liner_mcp.text.mask import quote_input

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
    stratified = StratifiedSample(used_seed, sample)

    async def fold(calls: Sequence[Call]) -> None:
        stratified.add(await matching_calls(context, resolved.filters, calls))

    read = await read_all(context.liner, resolved.filters, resolved.window, fold, progress)
    if read.stopped is not None:
        zone, window = context.zone, resolved.window
        part = f"since={zone.isoformat(read.reached)}, until={zone.isoformat(window.until)}"
        readable = f"The part {part} could be" if read.reached < window.until else "No part of it could be"
        raise DeadlineExceeded(
            f"No sample was drawn, because the window could not be read whole: {context.stop_reason(read.stopped)} "
            f"{readable}; ask for a shorter window."
        )
    calls = sorted(stratified.selected(), key=call_key, reverse=True)
    names = await context.directory.names("agents", "orders", "statuses")
    context.recent_calls.add(reversed([call.id for call in calls]))
    return _render(context, resolved, include, stratified, calls, read, names, budget)


def _render(
    context: AppContext,
    resolved: ResolvedQuery,
    include: Sequence[str],
    stratified: StratifiedSample,
    calls: Sequence[Call],
    read: ParallelRead[None],
    names: DirectoryNames,
    budget: int,
) -> Answer:
    filters = resolved.filters
    columns = call_columns(include)
    rows = [call_row(context, call, include) for call in calls]
    seed = quote_input(stratified.seed, len(stratified.seed), show_phones=context.show_phones)

    def notes(count: int) -> list[str]:
        notes: list[str] = []
        if seed != stratified.seed:
            notes.append("The seed is shown with parts hidden; the seed as you sent it draws the same calls again.")
        if count < len(calls):
            left = len(calls) - count
            notes.append(f"{left} drawn calls, the oldest, did not fit; a smaller sample or fewer columns stays even.")
        if not read.complete:
            notes.append("Liner counts more calls in this window than it lists; some could not be drawn.")
        notes += resolved.gaps
        if read.filter_ignored:
            notes.append(FILTER_IGNORED_NOTE)
        if not calls:
            notes += unlisted_notes(names, filters)
            notes.append("No call of this window can be drawn; try an earlier since, or fewer filters.")
        return [*notes, *resolved.notes, *names.notes()]

    def render(count: int) -> Members:
        return {
            **call_members(context, names, filters, resolved.window, columns, rows[:count]),
            "asked": {**filters.echo(), "sample": stratified.size},
            "page": page(
                returned=count,
                complete=count == len(calls) and read.complete and not resolved.gaps,
                population=stratified.population,
                seed=seed,
                sampling=SAMPLING_METHOD,
                local_filters=filters.client_side or None,
            ),
            "notes": notes(count),
        }

    return render_within_budget(render, range(1, len(rows) + 1), budget)
