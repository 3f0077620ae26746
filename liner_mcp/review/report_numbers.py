"""The numbers of a report: counts, means, and the order in which calls are heard. Pure.

A mean has the number of its calls beside it, and what is unknown is counted apart and never taken for zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple, TypeVar, get_args

from liner_mcp.review.rubric import Rubric
from liner_mcp.review.scorecard import Scorecard, State, Verdict, VerdictWord

VERDICTS: tuple[VerdictWord, ...] = get_args(VerdictWord)
FEW_CALLS = 10  # below it, one call moves a mean by ten points and more
HEARD_FIRST = 25  # what one reviewer hears in a day

T = TypeVar("T")
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Tally:
    """Verdicts by word."""

    counts: Counter[VerdictWord]

    @property
    def total(self) -> int:
        return self.counts.total()

    @property
    def decided(self) -> int:
        return self.counts["yes"] + self.counts["no"]

    def percent(self, verdict: VerdictWord) -> float:
        """The share of a verdict; 0 where there are none at all."""
        return 100 * self.counts[verdict] / self.total if self.total else 0.0


class Criterion(NamedTuple):
    """A criterion as the cards state it."""

    id: str
    question: str
    weight: int
    fatal: bool


def tally(verdicts: Iterable[Verdict]) -> Tally:
    return Tally(Counter(one.verdict for one in verdicts))


def verdicts_of(cards: Iterable[Scorecard], criterion: str | None = None) -> list[Verdict]:
    """All verdicts, or those on one criterion."""
    return [one for card in cards for one in card.verdicts if criterion in (None, one.criterion)]


def criteria_of(cards: Iterable[Scorecard], rubric: Rubric | None) -> list[Criterion]:
    """The criteria of the rubric, in its order, then those that only the cards have."""
    found = {
        one.id: Criterion(one.id, one.question, one.weight, one.fatal) for one in (rubric.criteria if rubric else ())
    }
    for one in verdicts_of(cards):
        found.setdefault(one.criterion, Criterion(one.criterion, one.question, one.weight, one.fatal))
    return list(found.values())


def judged(cards: Iterable[Scorecard]) -> list[Scorecard]:
    return [card for card in cards if card.state == "judged"]


def by_reason(cards: Iterable[Scorecard]) -> dict[tuple[State, str], list[Scorecard]]:
    """Calls by state and reason, the most frequent first."""
    groups = grouped(cards, lambda card: (card.state, card.reason or ""))
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = {}
    for one in items:
        groups.setdefault(key(one), []).append(one)
    return groups


def mean_score(cards: Iterable[Scorecard]) -> tuple[float | None, int]:
    """The mean of the scores, and of how many calls. A call without a score is in neither."""
    scores = [card.score for card in cards if card.score is not None]
    return (fmean(scores) if scores else None), len(scores)


def cost(cards: Sequence[Scorecard]) -> tuple[float | None, int]:
    """The known cost in US dollars, None if none is known; and how many calls used a model without a known price."""
    asked = [card for card in cards if card.input_tokens or card.output_tokens]
    known = [card.cost_usd for card in asked if card.cost_usd is not None]
    return (sum(known) if known else None), len(asked) - len(known)


def by_agent(cards: Iterable[Scorecard]) -> dict[str, list[Scorecard]]:
    """Calls by the agent's name, in the order of names; the id tells two of one name apart."""
    groups = grouped(cards, lambda card: (card.agent or "", card.agent_id))
    names = Counter(name for name, _ in groups)
    named = {
        (f"{name} ({agent_id})" if name and names[name] > 1 else name) or _without_name(agent_id): found
        for (name, agent_id), found in groups.items()
    }
    return dict(sorted(named.items()))


def agents_by_score(groups: Mapping[str, Sequence[Scorecard]]) -> list[tuple[str, float | None, int]]:
    """Each agent with the mean score and the number of scored calls, the lowest mean first."""
    rows = [(name, *mean_score(cards)) for name, cards in groups.items()]
    return sorted(rows, key=lambda row: (row[1] is None, row[1] or 0.0, row[0]))


def _without_name(agent_id: int | None) -> str:
    return "No agent" if agent_id is None else f"Agent {agent_id}"


def hearing_order(cards: Iterable[Scorecard]) -> list[Scorecard]:
    """Calls with a fatal no, then others with a no, then the rest. In each the lowest score is first; of equal scores,
    the call with most criteria without a yes or a no; then the earlier call.
    """

    def place(card: Scorecard) -> tuple[int, float, int, str, int]:
        rank = 0 if card.fatal else 1 if card.count("no") else 2
        # Without a score there is no yes either: such a call is first among the rest by its undecided criteria.
        score = 100.0 if card.score is None else card.score
        return rank, score, -undecided(card), f"{card.date} {card.time}", card.call_id

    return sorted(cards, key=place)


def undecided(card: Scorecard) -> int:
    """How many criteria have neither a yes nor a no."""
    return card.count("not_mentioned") + card.count("cannot_tell")


def repeated_quote(card: Scorecard) -> int:
    """How many verdicts of a call have the same quote, if that is half of them and at least three; else 0.

    A model that obeys a summary may prove everything with the order itself. A sentence of speech answers one or two.
    """
    quotes = [{(quote.record_id, quote.start, quote.end) for quote in one.quotes} for one in card.verdicts]
    most = max(Counter(quote for found in quotes for quote in found).values(), default=0)
    return most if most >= max(3, len(card.verdicts) / 2) else 0


def heard_first(ordered: Sequence[Scorecard]) -> list[Scorecard]:
    """The calls to hear first: those of the order that have anything but a yes, or a quote that is repeated."""
    return [card for card in ordered if card.count("no") or undecided(card) or repeated_quote(card)][:HEARD_FIRST]
