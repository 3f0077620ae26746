"""A sample of the calls that a question means, to hear instead of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from liner_mcp.answer.table import Answer, AnswerDraft, PageExtent, render_within_budget
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.parallel_reader import Progress, read_all
from liner_mcp.calls.query import ResolvedQuery, resolve
from liner_mcp.calls.record_filters import matching_calls, retry_ids, undecided_note
from liner_mcp.calls.rows import call_columns, call_legend, call_row, unlisted_notes
from liner_mcp.calls.sampling import StratifiedSample, new_seed
from liner_mcp.calls.window_reader import FILTER_IGNORED_NOTE, CallKey, call_key
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
    """`sample` calls taken from those that the question means: recorded ones, unless `recorded` says otherwise.

    Raises: InvalidArgument for what cannot be understood; DeadlineExceeded when the window could not be read whole, for
    a sample of a part is no sample of the whole.
    """
    if cursor is not None:
        raise InvalidArgument("sample has no pages: send it without cursor, or the cursor without sample.")
    query = query if query.recorded is not None else replace(query, recorded=True)
    resolved = await resolve(context, query)
    used_seed = new_seed() if seed is None else seed
    if any("\ud800" <= character <= "\udfff" for character in used_seed):
        raise InvalidArgument("seed holds half of a character, which has no UTF-8 form. Send a word or a number.")
    stratified = StratifiedSample(used_seed, sample)
    undecided: list[CallKey] = []

    async def fold(calls: Sequence[Call]) -> None:
        matching, unclear = await matching_calls(context, resolved.filters, calls)
        stratified.add(matching)
        undecided.extend(unclear)

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
    return _SampleRenderer(
        context,
        resolved,
        include,
        calls,
        sample,
        stratified.population,
        used_seed,
        names,
        read.complete,
        read.filter_ignored,
        undecided,
        retry_ids(undecided, budget),
    ).render(budget)


@dataclass(frozen=True, slots=True)
class _SampleRenderer:
    """The sample, to be written down as far as it fits."""

    context: AppContext
    resolved: ResolvedQuery
    include: tuple[str, ...]
    calls: Sequence[Call]
    sample: int
    population: int
    seed: str
    names: DirectoryNames
    list_complete: bool
    filter_ignored: bool
    undecided: Sequence[CallKey]
    retry: Sequence[int]

    def render(self, budget: int) -> Answer:
        columns = call_columns(self.include)
        filters = self.resolved.filters
        draft = AnswerDraft(
            asked={**filters.echo(), "sample": self.sample},
            window=self.resolved.window.to_dict(self.context.zone),
            columns=columns,
            blocks=[[call_row(self.context, call, self.include)] for call in self.calls],
            page=self._page_members,
            names=lambda rows: call_legend(self.names, filters, columns, rows),
            timezone=self.context.zone.name,
            notes=self._notes,
            retry=lambda _: self.retry,
        )
        return render_within_budget(draft, budget)

    def _page_members(self, extent: PageExtent) -> dict[str, Any]:
        whole = self.list_complete and not (self.resolved.gaps or self.undecided)
        members: dict[str, Any] = {"complete": extent.blocks == len(self.calls) and whole}
        # Each undecided call may belong to the population or not.
        members |= {"undecided": len(self.undecided)} if self.undecided else {"population": self.population}
        members |= {"seed": self._shown_seed, "sampling": SAMPLING_METHOD}
        if self.resolved.filters.client_side:
            members["local_filters"] = self.resolved.filters.client_side
        return members

    @property
    def _shown_seed(self) -> str:
        return quote_input(self.seed, len(self.seed), show_phones=self.context.show_phones)

    def _notes(self, extent: PageExtent) -> list[str]:
        notes: list[str] = []
        if self._shown_seed != self.seed:
            notes.append("The seed is shown with parts hidden; the seed as you sent it draws the same calls again.")
        if extent.blocks < len(self.calls):
            left = len(self.calls) - extent.blocks
            notes.append(f"{left} drawn calls, the oldest, did not fit; a smaller sample or fewer columns stays even.")
        if self.undecided:
            notes.append(undecided_note(self.resolved.filters, len(self.undecided), len(self.retry)))
        if not self.list_complete:
            notes.append("Liner counts more calls in this window than it lists; some could not be drawn.")
        notes += self.resolved.gaps
        if self.filter_ignored:
            notes.append(FILTER_IGNORED_NOTE)
        if not self.calls:
            notes += unlisted_notes(self.names, self.resolved.filters)
            if not self.undecided:
                notes.append("No call of this window can be drawn; try an earlier since, or fewer filters.")
        return [*notes, *self.resolved.notes, *self.names.notes()]
