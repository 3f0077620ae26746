"""A sample of the calls that a question means, to hear instead of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from liner_mcp.answer.table import Draft, Shown, Written, write
from liner_mcp.calls.parallel_reader import Progress, read_all
from liner_mcp.calls.query import CallQuestion, Understood, understand
from liner_mcp.calls.rows import call_columns, call_legend, call_row, unlisted_notes
from liner_mcp.calls.sampling import Draw, new_seed
from liner_mcp.calls.transfers import passing
from liner_mcp.calls.window_reader import LEAKED, key_of
from liner_mcp.context import Desk
from liner_mcp.errors import DeadlinePassed, InvalidArgument
from liner_mcp.liner.models import Call
from liner_mcp.names.directory import Names

EVENNESS = "even per agent, not proportional"


async def sample_calls(
    desk: Desk,
    question: CallQuestion,
    *,
    include: tuple[str, ...],
    sample: int,
    seed: str | None,
    cursor: str | None,
    budget: int,
    progress: Progress | None = None,
) -> Written:
    """`sample` calls drawn from those that the question means: recorded ones, unless `recorded` says otherwise.

    Raises: InvalidArgument for what cannot be understood; DeadlinePassed when the window could not be read whole, for
    what is drawn from a part is no sample of the whole.
    """
    if cursor is not None:
        raise InvalidArgument("sample has no pages: send it without cursor, or the cursor without sample.")
    question = question if question.recorded is not None else replace(question, recorded=True)
    understood = await understand(desk, question)
    told = new_seed() if seed is None else seed
    draw = Draw(told, sample)

    async def fold(calls: Sequence[Call]) -> None:
        draw.add(await passing(desk, understood.filters, calls))

    read = await read_all(desk.liner, understood.filters, understood.window, fold, progress)
    if read.stopped is not None:
        zone, window = desk.zone, understood.window
        part = f"since={zone.stamp(read.reached)}, until={zone.stamp(window.until)}"
        readable = f"The part {part} could be" if read.reached < window.until else "No part of it could be"
        raise DeadlinePassed(
            f"No sample was drawn, because the window could not be read whole: {desk.reason(read.stopped)} "
            f"{readable}; ask for a shorter window."
        )
    calls = sorted(draw.drawn(), key=key_of, reverse=True)
    names = await desk.directory.names("agents", "orders", "statuses")
    desk.recent_calls.add(reversed([call.id for call in calls]))
    return _Sample(
        desk, understood, include, calls, sample, draw.population, told, names, read.whole, read.leaked
    ).written(budget)


@dataclass(frozen=True, slots=True)
class _Sample:
    """What was drawn, to be written down as far as it fits."""

    desk: Desk
    understood: Understood
    include: tuple[str, ...]
    calls: Sequence[Call]
    sample: int
    population: int
    seed: str
    names: Names
    whole: bool
    leaked: bool

    def written(self, budget: int) -> Written:
        columns = call_columns(self.include)
        filters = self.understood.filters
        draft = Draft(
            asked={**filters.asked(), "sample": self.sample},
            window=self.understood.window.shown(self.desk.zone),
            columns=columns,
            blocks=[[call_row(self.desk, call, self.include)] for call in self.calls],
            page=self._page,
            names=lambda rows: call_legend(self.names, filters, columns, rows),
            timezone=self.desk.zone.name,
            notes=self._notes,
        )
        return write(draft, budget)

    def _page(self, shown: Shown) -> dict[str, Any]:
        whole = self.whole and not self.understood.gaps
        members: dict[str, Any] = {"complete": shown.blocks == len(self.calls) and whole}
        members |= {"population": self.population, "seed": self.seed, "sampling": EVENNESS}
        if self.understood.filters.local:
            members["local_filters"] = self.understood.filters.local
        return members

    def _notes(self, shown: Shown) -> list[str]:
        notes: list[str] = []
        if shown.blocks < len(self.calls):
            left = len(self.calls) - shown.blocks
            notes.append(f"{left} drawn calls, the oldest, did not fit; a smaller sample or fewer columns stays even.")
        if not self.whole:
            notes.append("Liner counts more calls in this window than it lists; some could not be drawn.")
        notes += self.understood.gaps
        if self.leaked:
            notes.append(LEAKED)
        if not self.calls:
            notes += unlisted_notes(self.names, self.understood.filters)
            notes.append("No call of this window can be drawn; try an earlier since, or fewer filters.")
        return [*notes, *self.understood.notes, *self.names.notes()]
