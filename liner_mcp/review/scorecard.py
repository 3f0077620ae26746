"""The scorecard of one call: a line of JSON in the results of a review. docs/scorecard.schema.json describes it.

Nothing in it was written by the model: a verdict is one of four words, a quote is the summary's own text, and notes and
reasons are sentences of this program. What was masked for readers is masked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from liner_mcp.errors import SetupError
from liner_mcp.files import explained
from liner_mcp.review.rubric import Criterion

VERSION = 1  # of this shape

State = Literal["judged", "no_summary", "no_recording", "not_judged"]
VerdictWord = Literal["yes", "no", "not_mentioned", "cannot_tell"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Quote(_Model):
    """Words of a summary. `start` and `end` count the characters of the summary as it is shown, with masks."""

    record_id: int
    quote: str = Field(description="The summary's own text from start to end")
    start: int
    end: int
    state: Literal["exact", "same_words"] = Field(description="How the model's quote was found in the summary")
    negated: bool = Field(description="A negation stands right before the quote")
    sentence: str = Field(description="The sentence around the quote, at most 300 characters")


class Verdict(_Model):
    """The answer to one criterion. A yes and a no have at least one quote."""

    criterion: str
    question: str
    weight: int
    fatal: bool = Field(description="Whether a no fails the call")
    verdict: VerdictWord
    quotes: list[Quote]
    note: str | None = Field(description="Why a verdict of the model was replaced by cannot_tell")


class Recording(_Model):
    """A call record. `summary` is stored by reviews without a model only; with a model the quotes are stored."""

    record_id: int
    seconds: int | None
    transfer: bool | None = Field(description="Whether it is the recording of the handover; null where unknown")
    summary_state: str = Field(description="ready, none, failed … as in the answers of the tools")
    summary: str | None


class Scorecard(_Model):
    """One call, its facts, and its verdicts. A call in another state than judged has no verdicts."""

    version: Literal[1] = VERSION
    demo: bool = Field(description="The data is invented")
    call_id: int
    record_ids: list[int]
    date: str | None = Field(description="2026-11-20, in `timezone`")
    time: str | None = Field(description="10:02, in `timezone`")
    timezone: str
    order_id: int | None
    order: str | None
    agent_id: int | None
    agent: str | None
    talk_seconds: int | None
    status: str | None = Field(description="The title of the call's status, or its code where no title is known")
    recordings: list[Recording]
    state: State
    reason: str | None = Field(description="Why there are no verdicts; null where judged")
    rubric: str | None = Field(description="The name of the rubric; null without a model, as are the next two")
    rubric_hash: str | None
    model: str | None
    summary_hash: str | None = Field(description="Of all summaries of the call; null where there is none")
    verdicts: list[Verdict] = Field(description="One per criterion, in the order of the rubric")
    score: float | None = Field(description="0 to 100: weight of yes of the weights of yes and no; null without them")
    fatal: list[str] = Field(description="The fatal criteria whose verdict is no")
    input_tokens: int
    output_tokens: int
    cost_usd: float | None = Field(description="Null where the price of the model is unknown, or no model was asked")
    judged_at: str = Field(description="When the card was made: ISO 8601 in UTC")

    def count(self, verdict: VerdictWord) -> int:
        """How many criteria have this verdict."""
        return sum(one.verdict == verdict for one in self.verdicts)

    def line(self) -> str:
        """The card as a line of JSON, with its line break."""
        return self.model_dump_json() + "\n"


def verdict_of(
    criterion: Criterion, verdict: VerdictWord, quotes: Sequence[Quote] = (), note: str | None = None
) -> Verdict:
    """The verdict on a criterion of a rubric."""
    return Verdict(
        criterion=criterion.id,
        question=criterion.question,
        weight=criterion.weight,
        fatal=criterion.fatal,
        verdict=verdict,
        quotes=list(quotes),
        note=note,
    )


def score_of(verdicts: Iterable[Verdict]) -> float | None:
    """The weight of yes in percent of the weights of yes and no. not_mentioned and cannot_tell are in neither."""
    scored = [one for one in verdicts if one.verdict in ("yes", "no") and one.weight]
    if not scored:
        return None
    met = sum(one.weight for one in scored if one.verdict == "yes")
    return round(100 * met / sum(one.weight for one in scored), 1)


def fatal_of(verdicts: Iterable[Verdict]) -> list[str]:
    """The fatal criteria whose verdict is no."""
    return [one.criterion for one in verdicts if one.fatal and one.verdict == "no"]


def read_cards(path: Path) -> list[Scorecard]:
    """All cards of a file, the oldest first. A last line without its end is left out: its run was killed.

    Raises: SetupError for a file that cannot be read, or a line that is not a scorecard.
    """
    with explained(f"{path} cannot be read"):
        lines = path.read_bytes().split(b"\n")[:-1]  # behind the last line break is nothing, or a part of a card
    cards: list[Scorecard] = []
    for number, line in enumerate(lines, 1):
        try:
            cards.append(Scorecard.model_validate_json(line))
        except ValidationError:
            raise SetupError(f"{path}: line {number} is not a scorecard of this version; use another file.") from None
    return cards
