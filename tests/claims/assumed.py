"""The bends that no answer of Liner shows, so that the product has to assume that Liner is otherwise.

Under each, the records of a call are those that Liner lists for it: an answer is judged by them. Everything else is
judged by the true data. `assumption` is a key of docs/assumptions.md, which says what a wrong assumption causes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from liner_mcp.demo import Dataset, Record
from liner_mcp.demo.index import shuffled


@dataclass(frozen=True, slots=True)
class Assumed:
    """`listed` gives the records that Liner lists for a call."""

    assumption: str
    why: str
    listed: Callable[[Dataset, int], Sequence[Record]]

    def as_listed(self, dataset: Dataset, *, recorded: bool) -> Dataset:
        """The data with the records of each call as Liner lists them; `recorded`: none where a call says it has none,
        because the question is answered without their list.
        """
        return cast("Dataset", _AsListed(dataset, self.listed, recorded=recorded))


class _AsListed:
    def __init__(self, dataset: Dataset, listed: Callable[[Dataset, int], Sequence[Record]], *, recorded: bool) -> None:
        self._dataset, self._listed, self._recorded = dataset, listed, recorded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)

    def records_of(self, call_id: int) -> Sequence[Record]:
        call = self._dataset.calls.get(call_id)
        if self._recorded and call is not None and not call.has_records:
            return ()
        return self._listed(self._dataset, call_id)


def _without_last(dataset: Dataset, call_id: int) -> Sequence[Record]:
    return shuffled(dataset.records_of(call_id))[:-1]


def _of_lead(dataset: Dataset, call_id: int) -> Sequence[Record]:
    call = dataset.calls.get(call_id)
    others = dataset.calls.values() if call is not None else ()
    ids = [other.id for other in others if call is not None and other.lead_id == call.lead_id]
    return [record for one in ids for record in dataset.records_of(one)]


_HIDDEN = Assumed(
    "total", "Without a count, nothing shows that the last record of a list is hidden on every page.", _without_last
)
ASSUMED: Mapping[frozenset[str], Assumed] = {
    frozenset({"no total", "record lists shorter than their total"}): _HIDDEN,
    frozenset({"bare arrays", "record lists shorter than their total"}): _HIDDEN,
    frozenset({"callId read as its lead"}): Assumed(
        "records_of_call",
        "A record does not name its call. Records of another call of the lead show only where both calls are read.",
        _of_lead,
    ),
}
"""By the names of the bends that have to be there together."""


def assumed_under(bend: str) -> Assumed | None:
    """What is assumed under a bend, which may be a combination."""
    names = set(bend.split(" + "))
    return next((assumed for needed, assumed in ASSUMED.items() if needed <= names), None)
