"""Scorecards of the demo's calls, judged by plain patterns instead of a model: for tests and pictures of the report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC
from zoneinfo import ZoneInfo

from liner_mcp.demo import Call, Dataset, Record
from liner_mcp.evidence.quotes import QuotedText
from liner_mcp.review.rubric import Criterion, Rubric
from liner_mcp.review.scorecard import (
    Quote,
    Recording,
    Scorecard,
    State,
    Verdict,
    VerdictWord,
    fatal_of,
    score_of,
    verdict_of,
)
from liner_mcp.text.mask import mask

ZONE = "Europe/Moscow"
UNPROVEN = "The quote of the model is not in the summary."

_REST = r" (?:[^.,;:«]|(?<=\d)[.,](?=\d))+(?<=\w)"  # of a clause; a number may hold a comma or a point
# A yes and a no of each criterion of the rubric `transfers`, in the words of the demo's summaries.
_PATTERNS: dict[str, dict[VerdictWord, str]] = {
    "need_named": {
        "yes": rf"(?:рассматривает|подбирает|выбирает|ищет|considering|looking for|needs){_REST}",
        "no": r"заявку оставлял другой человек|somebody else left the request",
    },
    "budget_confirmed": {
        "yes": rf"(?:Бюджет —|бюджет до|Располагает суммой|budget is|ceiling of){_REST}|Has{_REST} in cash",
        "no": rf"(?:Говорит, что больше|Will not spend more than){_REST}",
    },
    "timing_confirmed": {
        "yes": rf"(?:закрыть до|встречу|close the deal before|a meeting on|viewing on){_REST}",
        "no": r"Покупать в этом году не планирует|Does not plan to buy this year",
    },
    "client_agreed": {
        "yes": r"соглашается на перевод|agrees to the transfer|заявка квалифицирована|the request is qualified",
        "no": r"неожиданно кладёт трубку|hangs up abruptly|просит больше не звонить|asks not to be called",
    },
    "handover_announced": {
        "yes": r"предупреждает о переводе|announces the transfer",
        "no": r"Оператор соединяет отдел продаж|The agent connects",
    },
    "sales_desk_answered": {
        "yes": r"передан менеджеру отдела продаж|handed over to a sales manager|до ответа менеджера",
        "no": r"линия отдела продаж была занята|the sales line was busy",
    },
}


def demo_cards(dataset: Dataset, rubric: Rubric | None, *, days: int = 1) -> list[Scorecard]:
    """The cards of the answered calls of the last whole days; without a rubric, those of a review without a model."""
    zone = ZoneInfo(ZONE)
    last = dataset.now.astimezone(zone).date()
    calls = sorted(dataset.calls.values(), key=lambda call: call.created_at)
    return [
        _card(dataset, call, rubric)
        for call in calls
        if call.talk_time_duration_seconds and 1 <= (last - call.created_at.astimezone(zone).date()).days <= days
    ]


def _card(dataset: Dataset, call: Call, rubric: Rubric | None) -> Scorecard:
    records = dataset.records_of(call.id)
    texts = {record.id: mask(record.summary) for record in records if record.summary}
    state: State = (
        "no_recording" if not records else "no_summary" if not texts else "judged" if rubric else "not_judged"
    )
    judged = state == "judged"
    criteria = rubric.criteria if rubric and judged else ()
    verdicts = [_verdict(criterion, number, texts) for number, criterion in enumerate(criteria)]
    reasons: dict[State, str | None] = {
        "judged": None,
        "no_recording": "The call has no recording.",
        "no_summary": "Its recordings have no summary: not made yet, or never.",
        "not_judged": "No model was asked.",
    }
    moment = call.created_at.astimezone(ZoneInfo(ZONE))
    size = sum(map(len, texts.values()))
    return Scorecard(
        demo=True,
        call_id=call.id,
        record_ids=[record.id for record in records],
        date=moment.strftime("%Y-%m-%d"),
        time=moment.strftime("%H:%M"),
        timezone=ZONE,
        order_id=call.order_id,
        order=next(order.title for order in dataset.orders if order.id == call.order_id),
        agent_id=call.user_id,
        agent=next((user.full_name for user in dataset.users if user.id == call.user_id), None),
        talk_seconds=call.talk_time_duration_seconds,
        status=next((one.title for one in dataset.call_statuses if one.code == call.status_code), call.status_code),
        recordings=[_recording(record, with_text=rubric is None) for record in records],
        state=state,
        reason=reasons[state],
        rubric=rubric.name if rubric else None,
        rubric_hash=rubric.hash if rubric else None,
        model="scripted" if rubric else None,
        summary_hash=f"{call.id:x}" if texts else None,
        verdicts=verdicts,
        score=score_of(verdicts),
        fatal=fatal_of(verdicts),
        input_tokens=900 + size // 3 if judged else 0,
        output_tokens=60 * len(verdicts),
        cost_usd=round((900 + size // 3) * 4e-7 + 60 * len(verdicts) * 1.6e-6, 6) if judged else None,
        judged_at=dataset.now.astimezone(UTC).isoformat(),
    )


def _recording(record: Record, *, with_text: bool) -> Recording:
    return Recording(
        record_id=record.id,
        seconds=record.duration_seconds,
        transfer=record.is_transfer,
        summary_state="ready" if record.summary else "none",
        summary=mask(record.summary) if with_text and record.summary else None,
    )


def _verdict(criterion: Criterion, number: int, texts: dict[int, str]) -> Verdict:
    for word, pattern in _PATTERNS.get(criterion.id, {}).items():
        for record_id, text in texts.items():
            if found := re.search(pattern, text):
                return verdict_of(criterion, word, [quote_of(record_id, text, found[0])])
    # A share of what is not mentioned stands for quotes that could not be proved.
    if sum(texts) % 7 == number:
        return verdict_of(criterion, "cannot_tell", note=UNPROVEN)
    return verdict_of(criterion, "not_mentioned")


def quote_of(record_id: int, text: str, words: str) -> Quote:
    """A quote of a summary, which must hold it word for word."""
    found = QuotedText(text).find(words)
    assert found.state == "exact"
    assert found.start is not None
    assert found.end is not None
    return Quote(
        record_id=record_id,
        quote=text[found.start : found.end],
        start=found.start,
        end=found.end,
        state="exact",
        negated=bool(found.negated_before),
        sentence=found.sentence or "",
    )


def heard(cards: Sequence[Scorecard]) -> list[int]:
    """The ids of calls, in their order."""
    return [card.call_id for card in cards]
