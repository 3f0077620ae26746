"""Quotes checked through an MCP client, in both protocol eras, against summaries that the test has written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.text.clean import MOST_CHARACTERS
from tests.conftest import NOW, OpenSession, assert_fits_schema, text_of
from tests.fakes import FakeLiner
from tests.fakes.blocking_liner import BlockingLiner
from tests.support.context import AlteredLiner, rows_of
from tests.support.log_capture import capture_logs
from tests.support.sentences import assert_says, recorded

pytestmark = pytest.mark.anyio

SUMMARY = (
    "На звонок отвечает Иван Макаров. Бюджет — 12 млн рублей, первый взнос готов внести сразу. "
    "Не планирует брать ипотеку, всё ещё сравнивает. Просит звонить на номер +7 916 123-45-67."
)
OTHER = "Client agrees to a viewing on Friday and does not want a mortgage."
UNKNOWN = 9_999_999


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return Dataset.generate(now=NOW, days=1, calls=5)


def record_with(dataset: Dataset, summary: str | None) -> int:
    return dataset.add_record(dataset.add_call().id, summary=summary).id


@pytest.fixture(scope="module")
def record_id(dataset: Dataset) -> int:
    return record_with(dataset, SUMMARY)


@pytest.fixture(scope="module")
def other_id(dataset: Dataset) -> int:
    return record_with(dataset, OTHER)


def quote(record_id: int, text: str) -> dict[str, Any]:
    return {"record_id": record_id, "quote": text}


QUOTES = {
    "первый взнос готов внести сразу": ("exact", 0),
    "Бюджет - 12 млн рублей": ("same_words", 0),
    "На звонок отвечает … готов внести сразу": ("same_words", 0),
    "Планирует брать ипотеку": ("same_words", 1),  # its negation is dropped
    "Бюджет — 15 млн рублей, первый взнос готов внести сразу": ("close", 0),  # another number
    "внести готов сразу взнос первый": ("absent", None),  # the words in another order
    "does not want a mortgage": ("absent", None),  # of another record
    "на номер +7 *** ***-**-67": ("exact", 0),
    "на номер +7 916 123-45-67": ("absent", None),  # what the mask hides
}


async def test_each_quote_has_its_state_in_the_order_of_the_quotes(connect: OpenSession, record_id: int) -> None:
    async with connect() as session:
        answer = await session.answer("check_quotes", quotes=[quote(record_id, text) for text in QUOTES])
        shown = await session.answer("get_call_record", record_id=record_id)
    rows, text = rows_of(answer), shown["summary"]["text"]
    assert [(row["state"], row["negated_before"]) for row in rows] == list(QUOTES.values())
    assert answer["page"] == {"returned": len(QUOTES), "complete": True}
    assert answer["asked"] == {"quotes": len(QUOTES), "records": 1}
    assert "notes" not in answer
    for row, asked in zip(rows, QUOTES, strict=True):
        if row["state"] == "absent":
            assert {row[name] for name in ("start", "end", "sentence", "closest", "differs")} == {None}
        else:
            assert row["sentence"] in text
            assert text[row["start"] : row["end"]] in row["sentence"] or "…" in asked
        if row["state"] == "exact":
            assert text[row["start"] : row["end"]] == asked
    close = next(row for row in rows if row["state"] == "close")
    assert (close["closest"], close["differs"]) == (
        "Бюджет — 12 млн рублей, первый взнос готов внести сразу",
        "15→12",
    )


async def test_columns_stand_in_one_order_and_both_channels_agree(
    connect: OpenSession, record_id: int, other_id: int
) -> None:
    async with connect() as session:
        (tool,) = [one for one in (await session.client.list_tools()).tools if one.name == "check_quotes"]
        result = await session.call("check_quotes", quotes=[quote(record_id, "ипотеку")])
        several = await session.answer("check_quotes", quotes=[quote(one, "нет") for one in (record_id, other_id)])
    assert json.loads(text_of(result)) == result.structured_content
    assert_fits_schema(result.structured_content, tool.output_schema)
    assert_fits_schema(several, tool.output_schema)
    assert result.structured_content is not None
    assert result.structured_content["columns"] == [
        "record_id", "state", "start", "end", "sentence", "negated_before", "closest", "differs",
    ]  # fmt: skip
    assert several["columns"] == ["record_id"], "what all rows have in common is said once"


async def test_what_cannot_be_checked_has_a_row_that_says_why(
    connect: OpenSession, dataset: Dataset, record_id: int
) -> None:
    empty = record_with(dataset, None)
    blank = record_with(dataset, "  \n ")
    quotes = [
        quote(record_id, ""),
        quote(UNKNOWN, "ипотеку"),
        quote(empty, "ипотеку"),
        quote(record_id, "ипотеку"),
        quote(blank, "ипотеку"),
        quote(record_id, "ы" * 501),
        quote(record_id, " «…» "),
        quote(record_id, "ы" * 10_000),
        quote(record_id, "ы" * 500),
    ]
    async with connect() as session:
        answer = await session.answer("check_quotes", quotes=quotes)
    assert [row["state"] for row in rows_of(answer)] == [
        "refused", "not_found", "no_summary", "exact", "no_summary", "refused", "refused", "refused", "absent",
    ]  # fmt: skip
    assert answer["page"] == {"returned": 9, "complete": False}
    assert answer["notes"] == [
        recorded("quote_number_was_not_checked"),
        recorded("liner_has_no_call_record_of_quotes"),
    ]


async def test_a_record_is_requested_once_however_many_quotes_it_has(
    connect: OpenSession, dataset: Dataset, record_id: int, other_id: int
) -> None:
    liner = FakeLiner(dataset)
    async with connect(liner) as session:
        ids = [record_id, other_id, record_id, UNKNOWN, record_id, UNKNOWN]
        await session.answer("check_quotes", quotes=[quote(one, "ипотеку") for one in ids])
        await session.answer("check_quotes", quotes=[quote(dataset.add_record(7_000_001).id, "")] * 50)
    assert sorted(liner.requests) == [
        f"/v2/call-record/detail/{one}/" for one in sorted({record_id, other_id, UNKNOWN})
    ]


async def test_fifty_quotes_are_answered_in_pages_of_the_budget(
    connect: OpenSession, record_id: int, other_id: int
) -> None:
    quotes = [
        quote(one, text)
        for text in ("ипотеку", "взнос", "agrees", "mortgage", "нет такого")
        for one in (record_id, other_id)
    ] * 5
    async with connect(max_answer_bytes=2_500) as session:
        whole = await session.call("check_quotes", quotes=quotes[:2])
        rows: list[dict[str, Any]] = []
        left = quotes
        while left:
            result = await session.call("check_quotes", quotes=left)
            assert len(text_of(result).encode()) <= 2_500
            answer: Any = result.structured_content
            rows += rows_of(answer)
            position = answer["page"].get("next_quote")
            assert answer["page"]["complete"] is (position is None)
            left = [] if position is None else left[position - 1 :]
    assert not whole.is_error
    assert len(rows) == 50
    assert [row["record_id"] for row in rows] == [one["record_id"] for one in quotes]
    states = ["exact", "absent", "exact", "absent", "absent", "exact", "absent", "exact", "absent", "absent"]
    assert [row["state"] for row in rows] == states * 5


@pytest.mark.parametrize(
    "quotes",
    [quote(9, "a"), json.dumps([quote(9, "a")]), [{"record_id": "9", "quote": "a", "more": 1}], [quote(9, "a")]],
)
async def test_quotes_are_understood_in_every_harmless_form(connect: OpenSession, quotes: Any) -> None:
    async with connect() as session:
        answer = await session.answer("check_quotes", quotes=quotes)
    assert [(row["record_id"], row["state"]) for row in rows_of(answer)] == [(9, "not_found")]


async def test_a_null_quote_is_refused_in_its_row(connect: OpenSession, record_id: int) -> None:
    async with connect() as session:
        answer = await session.answer(
            "check_quotes", quotes=[{"record_id": record_id, "quote": None}, quote(record_id, "взнос")]
        )
    assert [row["state"] for row in rows_of(answer)] == ["refused", "exact"]


ENTRY = "quotes: each entry must hold record_id (a whole number) and quote (text); entry {} does not."


@pytest.mark.parametrize(
    ("quotes", "sentence"),
    [
        ([], "quotes: it is empty; send at least 1."),
        (None, "quotes: it is missing."),
        ([quote(1, "a")] * 51, "quotes: it holds 51 entries; send at most 50 at once."),
        ([quote(1, "a"), {"quote": "a"}], ENTRY.format(2)),
        ([quote(1, "a"), quote(1, "b"), {"record_id": True, "quote": "a"}], ENTRY.format(3)),
        ([{"record_id": 0, "quote": "a"}], ENTRY.format(1)),
        ([{"record_id": 1, "quote": ["a"]}], ENTRY.format(1)),
        (["a"], ENTRY.format(1)),
        (7, ENTRY.format(1)),
    ],
)
async def test_a_list_that_is_none_is_refused_in_one_sentence(connect: OpenSession, quotes: Any, sentence: str) -> None:
    async with connect() as session:
        assert await session.refusal("check_quotes", quotes=quotes) == sentence


async def test_one_record_that_fails_leaves_the_others(connect: OpenSession, dataset: Dataset, record_id: int) -> None:
    failing = record_with(dataset, SUMMARY)
    quotes = [quote(failing, "взнос"), quote(record_id, "взнос"), quote(failing, "ипотеку")]
    path = rf"/call-record/detail/{failing}\b"
    async with connect(AlteredLiner(DemoLiner(dataset), status_by_pattern={path: 422})) as session:
        answer = await session.answer("check_quotes", quotes=quotes)
        alone = await session.refusal("check_quotes", quotes=quotes[:1])

    def without_summary(data: Any) -> Any:
        return {name: part for name, part in data.items() if name != "recordSummary"}

    async with connect(AlteredLiner(DemoLiner(dataset), change_by_pattern={path: without_summary})) as session:
        unsent = await session.answer("check_quotes", quotes=quotes)
    for one in (answer, unsent):
        assert [row["state"] for row in rows_of(one)] == ["failed", "exact", "failed"]
        assert (one["page"]["complete"], one["retry"]) == (False, [failing])
        assert_says(one["notes"], "record_of_a_quote_could_not_be_read")
    assert alone


@pytest.mark.virtual_time
async def test_what_was_not_read_in_time_is_asked_again_from_the_first_such_quote(
    connect: OpenSession, dataset: Dataset, record_id: int, other_id: int
) -> None:
    blocking = BlockingLiner(dataset, lambda target: target.startswith(f"/v2/call-record/detail/{other_id}"))
    quotes = [quote(record_id, "взнос"), quote(other_id, "mortgage"), quote(record_id, "ипотеку")]
    async with connect(blocking, deadline_seconds=5) as session:
        first = await session.answer("check_quotes", quotes=quotes)
        late = await session.refusal("check_quotes", quotes=quotes[1:2])
        blocking.release()
        rest = await session.answer("check_quotes", quotes=quotes[first["page"]["next_quote"] - 1 :])
    assert [row["state"] for row in rows_of(first)] == ["exact", "not_asked", "exact"]
    assert (first["page"]["complete"], first["page"]["next_quote"]) == (False, 2)
    assert "retry" not in first
    assert_says(first["notes"], "time_was_up_before_all_quotes")
    assert_says(late, "liner_answered_for_none_of_these_records")
    assert [row["state"] for row in rows_of(rest)] == ["exact", "exact"]


async def test_of_a_summary_that_is_not_shown_whole_nothing_is_said_to_be_absent_from_all_of_it(
    connect: OpenSession, dataset: Dataset
) -> None:
    text = "Разговор о погоде. " * (MOST_CHARACTERS // 19 + 2) + "Бюджет — 12 млн рублей."
    long = record_with(dataset, text)
    async with connect() as session:
        answer = await session.answer("check_quotes", quotes=[quote(long, "Бюджет — 12 млн рублей")])
    assert [row["state"] for row in rows_of(answer)] == ["absent"]
    assert answer["page"]["complete"] is False
    assert_says(answer["notes"], "the_rest_is_not_shown")


@pytest.mark.parametrize("text", ["\ud800взнос", "взнос\u200b", "\u202eвзнос", "8(" * 240, "💥" * 250, "<img src=x>"])
async def test_a_hostile_quote_is_answered(connect: OpenSession, record_id: int, text: str) -> None:
    async with connect() as session:
        answer = await session.answer("check_quotes", quotes=[quote(record_id, text)])
    state = "exact" if "взнос" in text else "absent" if text.isascii() else "refused"
    assert rows_of(answer)[0]["state"] == state


async def test_a_phone_in_a_near_quote_is_not_shown_back(connect: OpenSession, record_id: int) -> None:
    near = "всё ещё сравнивает. Просит звонить на номер +7 916 123-45-60. Не планирует"
    async with connect() as session:
        result = await session.call("check_quotes", quotes=[quote(record_id, near), quote(record_id, SUMMARY)])
    assert "916" not in text_of(result)


async def test_the_audit_holds_the_ids_of_records_and_no_word_of_a_quote(connect: OpenSession, record_id: int) -> None:
    with capture_logs() as lines:
        async with connect() as session:
            await session.answer("check_quotes", quotes=[quote(record_id, "первый взнос")] * 2)
        line = lines.next("audit")
    assert line["arguments"] == {"record_ids": [record_id], "quotes_count": 2}
    assert "взнос" not in json.dumps(line, ensure_ascii=False)
