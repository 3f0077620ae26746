"""No answer claims what is false, whatever Liner leaves out, miscounts or ignores.

The questions are few and fixed; `python -m tests.claims` asks many more. What no answer of Liner can show is an
assumption, see `assumed`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.claims.answers import Answers, Page
from tests.claims.asking import session
from tests.claims.assumed import ASSUMED
from tests.claims.bends import BENDS, HEALTHY
from tests.claims.changes import claims_dataset
from tests.claims.oracle import falsehoods
from tests.claims.questions import Question, Questions
from tests.claims.truth import Truth

pytestmark = pytest.mark.anyio

DATASET = claims_dataset()
BUSY = max(DATASET.calls, key=lambda call_id: len(DATASET.records_of(call_id)))
RECORDED = [
    call.id for call in DATASET.calls.values() if call.has_records and call.user_id is not None and call.id != BUSY
]
UNRECORDED = [call.id for call in DATASET.calls.values() if not call.has_records]
CALLS_OF = Counter(call.lead_id for call in DATASET.calls.values())
ONE_CALL = max(lead for lead, calls in CALLS_OF.items() if calls == 1)
LEADS = sorted({call.lead_id for call in DATASET.calls.values() if call.direction == "incoming"})[-2:]
SUMMARIZED = next(record.id for record in DATASET.records.values() if record.summary is not None)
NOT_SUMMARIZED = next(record.id for record in DATASET.records.values() if record.summary is None)
THREE_DAYS, A_DAY = {"since": "-3d"}, {"since": "-24h"}

ALWAYS = (
    Question("find_calls", {**THREE_DAYS, "limit": 100, "include": ["hung_up_by"]}),
    Question("call_stats", {**THREE_DAYS, "group_by": ["agent"]}),
    Question("get_call_summaries", {"call_ids": [RECORDED[-1], UNRECORDED[-1], RECORDED[-8]]}),
)
"""What is asked under every bend."""
TELLING: Mapping[str, Question] = {
    "transferred": Question("find_calls", {**A_DAY, "transferred": True}),
    "recorded": Question("find_calls", {**A_DAY, "recorded": False}),
    "direction": Question("find_calls", {**THREE_DAYS, "direction": "incoming"}),
    "talk": Question("call_stats", {**A_DAY, "min_talk_seconds": 30, "group_by": ["order"]}),
    "sample": Question("find_calls", {**THREE_DAYS, "sample": 5, "seed": "1"}),
    "drawn": Question("find_calls", {"since": "last_week", "transferred": True, "sample": 1, "seed": "1"}),
    "agents": Question("find_calls", {**A_DAY, "agents": ["Первая линия"]}),
    "one agent": Question("find_calls", {**A_DAY, "agents": ["ольга"]}),
    "orders": Question("find_calls", {**A_DAY, "orders": ["Riverside"]}),
    "statuses": Question("call_stats", {**THREE_DAYS, "statuses": ["qualified", 53], "group_by": ["status"]}),
    "leads": Question("find_calls", {"leads": LEADS}),
    "one call": Question("find_calls", {"leads": [ONE_CALL], "since": "-1w"}),
    "many records": Question("find_calls", {"since": "-1w", "transferred": True}),
    "records": Question("list_call_records", {"call_id": BUSY, "limit": 100}),
    "one record": Question("get_call_record", {"record_id": SUMMARIZED}),
    "mentions": Question("find_calls", {**A_DAY, "mentions": "этажами", "include": ["summary"], "limit": 200}),
    "without summary": Question("call_stats", {**A_DAY, "has_summary": False, "group_by": ["agent"]}),
    "longest": Question("find_calls", {**A_DAY, "sort": "longest_talk", "limit": 5, "include": ["records"]}),
    "directory": Question("list_directory", {"kind": "agents"}),
    "categories": Question("list_directory", {"kind": "lead_statuses"}),
    "hours": Question("find_calls", {**THREE_DAYS, "hours": "9-13", "include": ["phone"], "limit": 100}),
    "nearest": Question("find_calls", {"since": "-90m", "leads": [5000207, 5000196, 5000113, 5000104]}),
    "counted": Question(
        "call_stats", {**A_DAY, "include": ["records", "transfers", "share"], "sort": "records", "limit": 3}
    ),
    "lacking": Question("call_stats", {**A_DAY, "include": ["without_summary"], "group_by": []}),
    "called again": Question("call_stats", {**THREE_DAYS, "group_by": ["lead"], "min_calls": 2}),
    "quotes": Question(
        "check_quotes",
        {
            "quotes": [
                {"record_id": SUMMARIZED, "quote": "Клиент просит показать"},
                {"record_id": SUMMARIZED, "quote": "КЛИЕНТ просит … показать"},
                {"record_id": SUMMARIZED, "quote": "Клиент не просит показать"},
                {"record_id": NOT_SUMMARIZED, "quote": "просит"},
                {"record_id": 9_999_999, "quote": "просит"},
                {"record_id": SUMMARIZED, "quote": "?!"},
            ]
        },
    ),
}
ASKED: Mapping[str, tuple[str, ...]] = {
    "talkTime": ("talk", "longest"),
    "hasRecords": ("recorded", "sample", "counted"),
    "leadId": ("leads", "called again"),
    "createdAt": ("hours", "nearest"),
    "userId": ("agents",),
    "agents": ("agents",),
    "orderId": ("orders",),
    "order": ("orders",),
    "statusCode": ("statuses",),
    "statuses": ("statuses",),
    "direction": ("direction",),
    "lead": ("leads",),
    "leads": ("leads",),
    "isTransfer": ("transferred", "counted"),
    "record lists": ("many records", "records"),
    "records": ("transferred", "records"),
    "recordSummary": ("one record", "records", "mentions", "without summary", "quotes", "lacking"),
    "five fields": ("mentions", "without summary"),
    "forbidden": ("mentions", "longest", "counted"),
    "callId": ("transferred", "counted"),
    "user": ("one agent", "directory"),
    "group": ("agents", "directory"),
    "call lists": ("one call",),
    "bare": ("sample", "records"),
    "window": ("sample", "transferred"),
    "web page": ("one record", "records", "directory", "quotes"),
    "category": ("categories",),
    "details": ("quotes",),
    "next beyond": ("transferred", "drawn"),
}
"""A part of a bend's name, and the questions that tell of it."""

MOST_SHOWN = 3  # falsehoods of one answer


def asked_under(name: str) -> list[Question]:
    telling = dict.fromkeys(one for part, names in ASKED.items() if part in name for one in names)
    return [*ALWAYS, *(TELLING[one] for one in telling)]


@pytest.mark.parametrize("name", [name for name in BENDS if name != HEALTHY.name])
async def test_no_answer_claims_what_is_false(name: str) -> None:
    found: list[str] = []
    async with session(BENDS[name]) as asking:
        for question in asked_under(name):
            verdict = await asking.ask(question)
            found += [f"{question} {one.kind}: {one.why}" for one in verdict.falsehoods[:MOST_SHOWN]]
    if found:
        raise AssertionError("\n".join(found))


async def test_a_healthy_liner_is_answered_rightly() -> None:
    async with session(HEALTHY) as asking:
        for question in [*ALWAYS, *TELLING.values(), *Questions(DATASET, seed=11).draw_many(40)]:
            verdict = await asking.ask(question)
            assert verdict.name in ("right", "refused"), (question, verdict.falsehoods, verdict.answers.brief())


@pytest.mark.parametrize("names", list(ASSUMED), ids=lambda names: " + ".join(sorted(names)))
def test_what_no_answer_of_liner_shows_is_a_named_assumption(names: frozenset[str]) -> None:
    assert names <= set(BENDS)
    document = (Path(__file__).parents[2] / "docs" / "assumptions.md").read_text(encoding="utf-8")
    assert f"| `{ASSUMED[names].assumption}` |" in document


# The oracle -----------------------------------------------------------------------------------------------------------

TRUTH = Truth(HEALTHY, DATASET, DATASET)


async def _right(question: Question) -> Page:
    async with session(HEALTHY) as asking:
        (page,) = (await asking.ask(question)).answers.pages
    return page


def _kinds(question: Question, page: Page) -> set[str]:
    return {one.kind for one in falsehoods(question, Answers([page]), TRUTH)}


def _with_page(page: Page, **members: Any) -> Page:
    return replace(page, structure={**page.structure, "page": {**page.page, **members}})


async def test_the_oracle_notices_what_is_wrong_with_found_calls() -> None:
    question = TELLING["recorded"]
    page = await _right(question)
    assert _kinds(question, page) == set()
    assert _kinds(question, replace(page, rows=page.rows[1:])) == {"complete"}
    assert _kinds(question, replace(page, rows=[*page.rows, page.rows[0]])) == {"doubled row"}
    assert _kinds(question, _with_page(page, total=1)) == {"total"}
    assert _kinds(question, replace(page, rows=[{**page.rows[0], "talk_seconds": 999}, *page.rows[1:]])) == {
        "wrong talk_seconds"
    }
    other = {**page.rows[0], "call_id": RECORDED[-1]}
    assert "call not meant" in _kinds(question, replace(page, rows=[*page.rows, other]))
    covered = {"since": "2026-11-19T18:00:00+03:00", "until": "2026-11-20T18:00:00+03:00"}
    partial = replace(_with_page(page, complete=False, covered=covered), rows=page.rows[:-1])
    assert _kinds(question, partial) == {"covered"}
    assert _kinds(question, _with_page(page, complete=False)) == {"silent"}


async def test_the_oracle_notices_what_is_wrong_with_words_and_recordings() -> None:
    question = TELLING["mentions"]
    page = await _right(question)
    assert _kinds(question, page) == set()
    assert "complete" in _kinds(question, replace(page, rows=page.rows[1:]))
    index = next(index for index, row in enumerate(page.rows) if row["passage"])
    for changes, kind in (
        ({"passage": "Просит перезвонить."}, "passage"),
        ({"record_id": 1}, "record of another call"),
    ):
        rows = [{**row, **(changes if place == index else {})} for place, row in enumerate(page.rows)]
        assert kind in _kinds(question, replace(page, rows=rows))
    question = TELLING["longest"]
    page = await _right(question)
    assert _kinds(question, page) == set()
    assert _kinds(question, replace(page, rows=page.rows[::-1])) == {"complete", "order"}
    assert "wrong records" in _kinds(question, replace(page, rows=[{**page.rows[0], "records": 9}, *page.rows[1:]]))


async def test_the_oracle_notices_wrong_counts_and_lost_groups() -> None:
    question = TELLING["talk"]
    page = await _right(question)
    assert _kinds(question, page) == set()
    for name in ("calls", "answered", "recorded", "talk_median_seconds", "qualified"):
        changed = [{**page.rows[0], name: page.rows[0][name] + 1}, *page.rows[1:]]
        assert _kinds(question, replace(page, rows=changed)) == {f"wrong {name}"}
    assert _kinds(question, replace(page, rows=page.rows[1:])) == {"complete", "other groups"}


async def test_the_oracle_notices_a_wrong_order_and_a_wrong_choice_of_groups() -> None:
    question = TELLING["counted"]
    page = await _right(question)
    assert _kinds(question, page) == set()
    assert "order" in _kinds(question, replace(page, rows=page.rows[::-1]))
    assert _kinds(question, replace(page, rows=page.rows[:-1])) == {"complete", "other groups"}
    first = page.rows[0]
    assert _kinds(question, replace(page, rows=[{**first, "share": 0.9}, *page.rows[1:]])) == {"wrong share"}
    assert "wrong records" in _kinds(question, replace(page, rows=[{**first, "records": 999}, *page.rows[1:]]))
    question = TELLING["called again"]
    page = await _right(question)
    assert _kinds(question, page) == set()
    assert "complete" in _kinds(question, replace(page, rows=page.rows[1:]))


async def test_the_oracle_notices_what_is_wrong_with_earlier_calls() -> None:
    question = TELLING["nearest"]
    page = await _right(question)
    (note,) = page.structure["notes"]

    def saying(text: str) -> Page:
        return replace(page, structure={**page.structure, "notes": [text]})

    assert _kinds(question, page) == set()
    assert _kinds(question, saying(note.replace("7000360", "7000354"))) == {"nearest call"}
    assert _kinds(question, saying(note.replace("the nearest", "an").replace("7000360", "7000354"))) == set()
    assert _kinds(question, saying("an earlier one is call 7000001")) == {"nearest call"}
    assert _kinds(question, saying("nothing, but 90 in the 31 days before it.")) == {"earlier calls"}


async def test_the_oracle_notices_what_is_wrong_with_quotes() -> None:
    question = TELLING["quotes"]
    page = await _right(question)
    assert [row["state"] for row in page.rows] == [
        "exact", "same_words", "close", "no_summary", "not_found", "refused",
    ]  # fmt: skip
    assert _kinds(question, page) == set()
    assert _kinds(question, _with_page(page, complete=True)) == {"complete"}

    def with_first(**changes: Any) -> Page:
        return replace(page, rows=[{**page.rows[0], **changes}, *page.rows[1:]])

    for state in ("absent", "no_summary", "not_found", "refused"):
        assert _kinds(question, with_first(state=state)) == {f"{state} claimed"}
    assert _kinds(question, with_first(sentence="Клиент не просит.")) == {"sentence"}
    assert _kinds(question, with_first(start=3)) == {"place"}
    assert _kinds(question, with_first(negated_before=1)) == {"negation"}
    assert _kinds(question, replace(page, rows=[{**row, "state": "exact"} for row in page.rows])) >= {"exact claimed"}


async def test_the_oracle_notices_what_is_wrong_with_records() -> None:
    question = ALWAYS[-1]
    page = await _right(question)
    assert _kinds(question, page) == set()
    nothing = dict.fromkeys(page.rows[0])
    for state, kind in (("not_found", "not found claimed"), ("no_recording", "no recording claimed")):
        row = {**nothing, "call_id": RECORDED[-1], "summary_state": state}
        without = [one for one in page.rows if one["call_id"] != RECORDED[-1]]
        assert kind in _kinds(question, replace(page, rows=[row, *without]))
    moved = [{**row, "call_id": RECORDED[-8]} for row in page.rows if row["call_id"] == RECORDED[-1]]
    assert "record of another call" in _kinds(question, replace(page, rows=[*page.rows, *moved]))
