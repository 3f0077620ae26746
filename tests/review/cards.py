"""Scorecards of invented calls, as a test wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from liner_mcp.review.scorecard import Quote, Scorecard, Verdict, VerdictWord, fatal_of, score_of

SUMMARY = "The budget is 12 million. The client agrees to the transfer."
QUOTE = "agrees to the transfer"

Judged = VerdictWord | Verdict


def quote(text: str = QUOTE, sentence: str = SUMMARY, **changes: Any) -> Quote:
    start = max(sentence.find(text), 0)
    facts: dict[str, Any] = {"record_id": 9, "state": "exact", "negated": False, **changes}
    return Quote(quote=text, start=start, end=start + len(text), sentence=sentence, **facts)


def verdict(criterion: str, word: VerdictWord = "yes", **changes: Any) -> Verdict:
    """A verdict; a yes and a no have a quote."""
    quotes = [quote()] if word in ("yes", "no") else []
    facts: dict[str, Any] = {"question": f"Is {criterion} so?", "weight": 1, "fatal": False, "note": None}
    facts["quotes"] = quotes
    return Verdict(criterion=criterion, verdict=word, **(facts | changes))


def card(call_id: int = 1, judged: Mapping[str, Judged] | None = None, **changes: Any) -> Scorecard:
    """A card of a call. `judged` has words or whole verdicts by criterion; without it the call is not judged."""
    verdicts = [
        one if isinstance(one, Verdict) else verdict(criterion, one) for criterion, one in (judged or {}).items()
    ]
    facts: dict[str, Any] = {
        "demo": False,
        "call_id": call_id,
        "record_ids": [9],
        "date": "2026-11-19",
        "time": "10:02",
        "timezone": "Europe/Moscow",
        "order_id": 201,
        "order": "Sunrise Park",
        "agent_id": 101,
        "agent": "Anna Petrova",
        "talk_seconds": 61,
        "status": "Qualified",
        "recordings": [],
        "state": "judged" if verdicts else "not_judged",
        "reason": None if verdicts else "The model did not answer.",
        "rubric": "transfers",
        "rubric_hash": "abc",
        "model": "test",
        "summary_hash": "def",
        "verdicts": verdicts,
        "score": score_of(verdicts),
        "fatal": fatal_of(verdicts),
        "input_tokens": 1_000 if verdicts else 0,
        "output_tokens": 100 if verdicts else 0,
        "cost_usd": 0.01 if verdicts else None,
        "judged_at": "2026-11-20T00:15:00Z",
    }
    return Scorecard(**(facts | changes))
