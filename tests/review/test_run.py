"""A run over many calls: what is judged again, the limits, and endpoints that fail."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic_ai import RunUsage
from pydantic_ai.exceptions import ModelAuthenticationError, ModelHTTPError

from liner_mcp.errors import SetupError, UsageError
from liner_mcp.review.judge import Judge
from liner_mcp.review.models import Price, ReviewModel, open_model
from liner_mcp.review.results import Results
from liner_mcp.review.rubric import read_rubric
from liner_mcp.review.run import MAX_FAILURES, Limits, Review, Used
from liner_mcp.review.scorecard import Scorecard, read_cards
from tests.review.schemas import DOCS
from tests.review.support import SUMMARY, Script, ScriptedModel, honest, selected, silent

pytestmark = pytest.mark.anyio

RUBRIC = read_rubric("transfers")
SCHEMA: Any = json.loads((DOCS / "scorecard.schema.json").read_text(encoding="utf-8"))
CALLS = [selected(f"{number}. {SUMMARY}", call_id=number) for number in range(1, 31)]
PRICE = Price(Decimal(1), Decimal(10))


UNLIMITED = Limits()


def reviewing(scripted: ScriptedModel, limits: Limits = UNLIMITED, *, concurrency: int = 1) -> Review:
    return Review(RUBRIC, ReviewModel(scripted.model, "scripted", PRICE), limits, concurrency)


async def run(review: Review, scripted: ScriptedModel, calls: Any = CALLS) -> tuple[list[Scorecard], Used, str | None]:
    kept: list[Scorecard] = []
    used, stopped = await review.judge(Judge(scripted.model, RUBRIC), calls, kept.append, silent)
    for card in kept:
        jsonschema.validate(json.loads(card.line()), SCHEMA)
    return kept, used, stopped


async def test_every_call_gets_its_card_with_what_it_used() -> None:
    scripted = ScriptedModel(honest)
    review = reviewing(scripted, concurrency=4)
    cards, used, stopped = await run(review, scripted)
    assert ({card.call_id for card in cards}, stopped) == (set(range(1, 31)), None)
    assert {card.state for card in cards} == {"judged"}
    assert used.calls == scripted.turns == 30
    assert used.tokens == sum(card.input_tokens + card.output_tokens for card in cards)
    assert used.cost == sum(Decimal(card.input_tokens + 10 * card.output_tokens) for card in cards) / 1_000_000
    assert sum(card.cost_usd or 0 for card in cards) == pytest.approx(float(used.cost or 0), abs=1e-5)
    # With a model the quotes are stored, and not the whole summaries.
    assert {one.summary for card in cards for one in card.recordings} == {None}


async def test_a_call_is_judged_again_only_if_a_text_the_rubric_the_model_or_the_status_changed() -> None:
    scripted = ScriptedModel(honest)
    review = reviewing(scripted)
    cards, _, _ = await run(review, scripted)
    assert review.plan(CALLS, cards).to_judge == []
    changed = [
        selected(f"1. {SUMMARY} Ещё.", call_id=1),
        replace(CALLS[1], recordings=(*CALLS[1].recordings, selected(SUMMARY, SUMMARY).recordings[1])),
        replace(CALLS[2], facts={**CALLS[2].facts, "status": "Переведён в отдел продаж"}),
    ]
    assert review.plan([*changed, *CALLS[3:]], cards).to_judge == changed
    other_rubric = replace(review, rubric=read_rubric("transfers_ru"))
    other_model = replace(review, model=replace(review.model, name="other"))
    assert len(other_rubric.plan(CALLS, cards).to_judge) == len(other_model.plan(CALLS, cards).to_judge) == 30
    unjudged = [card.model_copy(update={"state": "not_judged"}) for card in cards]
    assert len(review.plan(CALLS, unjudged).to_judge) == 30


async def test_a_call_that_cannot_be_judged_needs_no_model() -> None:
    silent_call = replace(selected(), state="no_recording", reason="The call has no recording.")
    plan = reviewing(ScriptedModel()).plan([silent_call], [])
    assert (plan.to_judge, plan.cards[7_000_001].state) == ([], "no_recording")


# Limits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "option"),
    [
        (Limits(calls=5), "--max-calls 5"),
        (Limits(tokens=10_000), "--max-tokens 10000"),
        (Limits(cost=Decimal("0.02")), "--max-cost 0.02"),
    ],
)
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_a_limit_ends_the_run_and_the_rest_says_why(limits: Limits, option: str, concurrency: int) -> None:
    scripted = ScriptedModel(honest)
    review = reviewing(scripted, limits, concurrency=concurrency)
    cards, used, stopped = await run(review, scripted)
    assert stopped == f"The run ended at {option}."
    assert len(cards) == 30
    left = [card for card in cards if card.state == "not_judged"]
    assert {card.reason for card in left} == {stopped}
    assert 0 < used.calls == scripted.turns == 30 - len(left) < 30
    assert limits.calls is None or used.calls == limits.calls
    assert limits.tokens is None or used.tokens <= limits.tokens
    assert limits.cost is None or (used.cost or 0) <= limits.cost


async def test_the_limits_of_tokens_hold_for_a_model_that_uses_more_than_expected() -> None:
    wordy: Script = lambda asked: [*honest(asked), *({"criterion": "x" * 400, "verdict": "no"} for _ in range(200))]  # noqa: E731
    scripted = ScriptedModel(wordy)
    _, used, stopped = await run(reviewing(scripted, Limits(tokens=30_000)), scripted)
    assert stopped is not None
    one = used.tokens / used.calls
    assert used.tokens <= 30_000 + one  # the call that was under way is finished


@pytest.mark.virtual_time
async def test_the_limit_of_minutes_ends_the_run() -> None:
    busy = ModelHTTPError(503, "m")
    scripted = ScriptedModel(busy)
    _, used, stopped = await run(reviewing(scripted, Limits(minutes=1)), scripted)
    assert stopped == "The run ended at --max-minutes 1."
    assert used.calls < 10


@pytest.mark.virtual_time
async def test_a_model_that_answers_nothing_ends_the_run_after_some_calls() -> None:
    scripted = ScriptedModel("No.")
    cards, used, stopped = await run(reviewing(scripted), scripted)
    assert (used.calls, len(cards)) == (MAX_FAILURES, 30)
    assert stopped == f"The run ended because the model answered none of {MAX_FAILURES} calls in a row."


async def test_one_bad_answer_does_not_stop_the_others() -> None:
    scripted = ScriptedModel("No.", "No.", honest)
    cards, _, stopped = await run(reviewing(scripted), scripted)
    assert [card.state for card in cards] == ["not_judged", *["judged"] * 29]
    assert stopped is None


async def test_a_refused_key_ends_the_run_in_one_sentence_and_finished_cards_stay() -> None:
    refused = ModelHTTPError.for_category(ModelAuthenticationError, status_code=401, model_name="m")
    scripted = ScriptedModel(honest, honest, refused)
    kept: list[Scorecard] = []
    with pytest.raises(SetupError, match="refuses the API key"):
        await reviewing(scripted).judge(Judge(scripted.model, RUBRIC), CALLS, kept.append, silent)
    assert [card.state for card in kept] == ["judged"] * 2


# Models and prices ----------------------------------------------------------------------------------------------------


async def test_prices_are_known_for_vendors_and_given_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "made-up")
    usage = RunUsage(input_tokens=1_000_000, output_tokens=100_000)
    known = open_model("openai:gpt-4o-mini", None, None)
    assert known.address.startswith("https://api.openai.com/")
    assert known.cost(usage) == Decimal("0.21")
    elsewhere = open_model("openai:gpt-4o-mini", "http://127.0.0.1:8000/v1", None)
    assert (elsewhere.name, elsewhere.cost(usage)) == ("openai:gpt-4o-mini@127.0.0.1:8000", None)
    priced = open_model("openai:gpt-4o-mini", "http://127.0.0.1:8000/v1", "0.5, 2")
    assert priced.cost(usage) == Decimal("0.7")
    assert ReviewModel(ScriptedModel().model, "scripted").cost(usage) is None


@pytest.mark.parametrize(
    ("name", "base_url", "price", "said"),
    [
        ("openai:gpt-4o-mini", None, None, "OPENAI_API_KEY"),
        ("opanai:gpt-4o-mini", None, None, "--model: Unknown model"),
        ("gpt-4o-mini", None, None, "--model: "),
        ("openai:x", "http://models.example.com/v1", None, "--base-url: it must begin with https://"),
        ("openai:x", "https://me:secret@models.example.com/v1", None, "it must not hold a user name or password"),
        ("anthropic:x", "https://models.example.com/v1", None, "--base-url: it is for endpoints compatible with"),
        ("openai:x", "http://127.0.0.1/v1", "cheap", "--price: US dollars per million tokens"),
        ("openai:x", "http://127.0.0.1/v1", "1,-1", "--price: US dollars per million tokens"),
        ("openai:x", "http://127.0.0.1/v1", "nan,1", "--price: US dollars per million tokens"),
    ],
)
async def test_a_model_that_cannot_be_used_is_one_sentence(
    name: str, base_url: str | None, price: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError) as refused:
        open_model(name, base_url, price)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("key", [None, ""])
async def test_a_missing_or_empty_key_is_the_name_of_its_variable(
    key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(UsageError) as refused:
        open_model("openai:gpt-4o-mini", None, None)
    assert str(refused.value) == "--model: OPENAI_API_KEY is not set; it needs the API key of the model."


# Files ----------------------------------------------------------------------------------------------------------------


async def test_cards_survive_a_torn_line_and_the_next_run_appends_after_it(tmp_path: Path) -> None:
    scripted = ScriptedModel(honest)
    cards, _, _ = await run(reviewing(scripted), scripted, CALLS[:3])
    results = Results(tmp_path / "new", "night")
    with results.locked(), results.appending() as append:
        for card in cards[:2]:
            append(card)
    path = results.path("jsonl")
    path.write_bytes(path.read_bytes() + cards[2].line().encode()[:500])
    assert read_cards(path) == cards[:2]
    with results.locked(), results.appending() as append:
        append(cards[2])
    assert results.cards() == cards
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_a_file_that_holds_something_else_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    path.write_text('{"version": 99}\n', encoding="utf-8")
    with pytest.raises(SetupError, match="line 1 is not a scorecard of this version"):
        Results(tmp_path, "night").cards()


async def test_two_runs_do_not_write_to_one_folder(tmp_path: Path) -> None:
    with (
        Results(tmp_path, "night").locked(),
        pytest.raises(SetupError, match="another review is writing to"),
        Results(tmp_path, "night").locked(),
    ):
        raise AssertionError("the second run got in")
    with Results(tmp_path, "night").locked():
        pass
