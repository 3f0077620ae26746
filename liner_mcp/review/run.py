"""A review of selected calls: what is judged already, what the rest may cost, the limits, and the cards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import anyio
from pydantic_ai import RunUsage

from liner_mcp.errors import SetupError
from liner_mcp.review.judge import INSTRUCTIONS, Judge, Judgement, prompt_of
from liner_mcp.review.models import ReviewModel
from liner_mcp.review.rubric import Rubric
from liner_mcp.review.scorecard import Scorecard, State, fatal_of, score_of
from liner_mcp.review.selection import Progress, SelectedCall

OVERHEAD = len(INSTRUCTIONS) + 800  # characters that are sent with each call: also the form of the answer
MAX_FAILURES = 20  # calls in a row that the model did not answer; more of them would only cost time


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one run may use; None is no limit. The calls under way when one is reached are finished."""

    calls: int | None = None
    tokens: int | None = None
    cost: Decimal | None = None
    minutes: float | None = None


@dataclass(slots=True)
class Used:
    """What a run used. `cost` stays None where the price is unknown."""

    calls: int = 0
    tokens: int = 0
    cost: Decimal | None = None

    def add(self, usage: RunUsage, cost: Decimal | None) -> None:
        self.calls += 1
        self.tokens += usage.total_tokens
        self.cost = self.cost if cost is None else (self.cost or Decimal()) + cost

    def subtract(self, usage: RunUsage, cost: Decimal | None) -> None:
        self.calls -= 1
        self.tokens -= usage.total_tokens
        self.cost = self.cost if cost is None else (self.cost or Decimal()) - cost


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to do: `cards` that need no model, of which those in `new` are not in the file yet; the calls to
    judge; and an estimate of what these use.
    """

    cards: dict[int, Scorecard] = field(default_factory=dict[int, Scorecard])
    new: list[Scorecard] = field(default_factory=list[Scorecard])
    to_judge: list[SelectedCall] = field(default_factory=list[SelectedCall])
    estimate: Used = field(default_factory=Used)


@dataclass(frozen=True, slots=True)
class Review:
    """A rubric, a model, and how much they may use."""

    rubric: Rubric
    model: ReviewModel
    limits: Limits
    concurrency: int = 4

    def plan(self, calls: Iterable[SelectedCall], earlier: Iterable[Scorecard]) -> Plan:
        """What there is to do. A call is judged again if a summary, the rubric or the model is another one."""
        known = {(card.state, *_key_of(card)): card for card in earlier}
        plan = Plan()
        for call in calls:
            card = self._card(call, call.state or "not_judged", call.reason)
            earlier_card = known.get((call.state or "judged", *_key_of(card)))
            if earlier_card is not None:
                plan.cards[call.call_id] = earlier_card
            elif call.state is not None:
                plan.cards[call.call_id] = card
                plan.new.append(card)
            else:
                plan.to_judge.append(call)
                plan.estimate.add(*self.estimate(call))
        return plan

    def estimate(self, call: SelectedCall) -> tuple[RunUsage, Decimal | None]:
        """About what a call uses and costs."""
        usage = self.model.estimate(len(prompt_of(self.rubric, call)) + OVERHEAD, len(self.rubric.criteria))
        return usage, self.model.cost(usage)

    async def judge(
        self, judge: Judge, calls: Sequence[SelectedCall], save: Callable[[Scorecard], None], progress: Progress
    ) -> tuple[Used, str | None]:
        """Judge the calls and save a card of each at once. Returns what was used, and why the rest was not judged.

        Raises: SetupError when the endpoint refuses every call, or a card cannot be saved.
        """
        budget = _Budget(self.limits, anyio.current_time())
        waiting, done = iter(calls), 0
        refusals: list[SetupError] = []

        async def work() -> None:
            nonlocal done
            for call in waiting:
                usage, cost = self.estimate(call)
                if budget.allows(usage, cost):
                    judgement = await judge.judge(call)
                    budget.settle(usage, cost, judgement, self.model.cost(judgement.usage))
                    save(self._judged_card(call, judgement))
                else:
                    save(self._card(call, "not_judged", budget.reason))
                done += 1
                progress("calls judged", done, len(calls))

        async def work_until_refused() -> None:
            try:
                await work()
            except SetupError as error:
                refusals.append(error)
                tasks.cancel_scope.cancel()

        async with self.model.model, anyio.create_task_group() as tasks:  # which closes the model's connections
            for _ in range(self.concurrency):
                tasks.start_soon(work_until_refused)
        if refusals:
            raise refusals[0]
        return budget.used, budget.reason

    def _card(self, call: SelectedCall, state: State, reason: str | None) -> Scorecard:
        return call.card(state, reason, self.rubric, self.model.name)

    def _judged_card(self, call: SelectedCall, judgement: Judgement) -> Scorecard:
        cost = self.model.cost(judgement.usage)
        return self._card(call, "not_judged" if judgement.reason else "judged", judgement.reason).model_copy(
            update={
                "verdicts": judgement.verdicts,
                "score": score_of(judgement.verdicts),
                "fatal": fatal_of(judgement.verdicts),
                "input_tokens": judgement.usage.input_tokens,
                "output_tokens": judgement.usage.output_tokens,
                "cost_usd": None if cost is None else float(round(cost, 6)),
            }
        )


class _Budget:
    """Whether another call may be judged. Calls under way count with their estimates."""

    def __init__(self, limits: Limits, started: float) -> None:
        self._limits, self._started = limits, started
        self.used = Used()
        self._expected = Used()  # of the calls under way
        self._failures = 0
        self.reason: str | None = None

    def allows(self, usage: RunUsage, cost: Decimal | None) -> bool:
        """Count a call in, unless a limit is reached. Once refused, all later calls are, so that the run ends."""
        if self.reason is None:
            self.reason = self._exceeded(usage, cost)
        if self.reason is None:
            self._expected.add(usage, cost)
        return self.reason is None

    def _exceeded(self, usage: RunUsage, cost: Decimal | None) -> str | None:
        limits, used, expected = self._limits, self.used, self._expected
        spent = sum((one for one in (used.cost, expected.cost, cost) if one is not None), Decimal())
        if limits.calls is not None and used.calls + expected.calls >= limits.calls:
            return f"The run ended at --max-calls {limits.calls}."
        if limits.tokens is not None and used.tokens + expected.tokens + usage.total_tokens > limits.tokens:
            return f"The run ended at --max-tokens {limits.tokens}."
        if limits.cost is not None and spent > limits.cost:
            return f"The run ended at --max-cost {limits.cost}."
        if limits.minutes is not None and anyio.current_time() - self._started >= limits.minutes * 60:
            return f"The run ended at --max-minutes {limits.minutes:g}."
        if self._failures >= MAX_FAILURES:
            return f"The run ended because the model answered none of {MAX_FAILURES} calls in a row."
        return None

    def settle(self, usage: RunUsage, cost: Decimal | None, judgement: Judgement, paid: Decimal | None) -> None:
        """Replace the estimate of a call by what it used."""
        self._expected.subtract(usage, cost)
        self.used.add(judgement.usage, paid)
        self._failures = self._failures + 1 if judgement.reason else 0


def _key_of(card: Scorecard) -> tuple[object, ...]:
    """What a verdict depends on."""
    return (card.call_id, tuple(card.record_ids), card.status, card.summary_hash, card.rubric_hash, card.model)
