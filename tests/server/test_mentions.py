"""Questions about what was said, each in one tool call, against answers computed from the fake Liner's data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest

from liner_mcp.calls import parallel_reader
from liner_mcp.demo import Call, Dataset
from tests.conftest import NOW, OpenSession
from tests.fakes import FakeLiner
from tests.search.absence import without_pymorphy3
from tests.support.context import AlteredLiner, rows_of
from tests.support.sentences import assert_says

pytestmark = pytest.mark.anyio

MOSCOW = ZoneInfo("Europe/Moscow")
TODAY = NOW.astimezone(MOSCOW).replace(hour=0, minute=0, second=0)
YESTERDAY = TODAY - timedelta(days=1)


def calls_of(dataset: Dataset, since: datetime, until: datetime = NOW) -> list[Call]:
    """The calls of a window that can be decided, newest first."""
    return sorted(
        (
            call
            for call in dataset.calls.values()
            if since <= call.created_at < until and not (call.has_records and not dataset.records_of(call.id))
        ),
        key=lambda call: (call.created_at, call.id),
        reverse=True,
    )


def recorded_of(dataset: Dataset, since: datetime, until: datetime = NOW) -> list[Call]:
    """The calls of a window whose recordings have to be read."""
    return [call for call in dataset.calls.values() if since <= call.created_at < until and call.has_records]


def saying(dataset: Dataset, calls: Iterable[Call], test: Callable[[str], bool]) -> list[int]:
    """Calls of which some summary passes the test."""
    return [call.id for call in calls if any(test(one) for one in texts_of(dataset, call))]


def texts_of(dataset: Dataset, call: Call) -> list[str]:
    return [record.summary for record in dataset.records_of(call.id) if record.summary and record.summary.strip()]


def says(pattern: str) -> Callable[[str], bool]:
    """Whether a text holds one of the forms, which a pattern spells out."""
    compiled = re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)
    return lambda text: compiled.search(text) is not None


MORTGAGE = says("ипотек[аеуиой]+")
INSTALMENTS = says("рассрочк[аеуиой]+")
SITE_VISIT = says("просмотр[ауеом]*|view(?:s|ings?|ed)?")


QUERIES: dict[str, Callable[[str], bool]] = {
    "ипотека": MORTGAGE,
    "ИПОТЕК": MORTGAGE,
    "рассрочкой": INSTALMENTS,
    "ипотека | рассрочка": lambda text: MORTGAGE(text) or INSTALMENTS(text),
    "ипотека рассрочка": lambda text: MORTGAGE(text) and INSTALMENTS(text),
    '"рассрочка без переплат"': says("рассрочку без переплаты"),
    '"без рассрочки"': lambda _: False,
    "просмотр | viewing": SITE_VISIT,
    "приехала": says("приехать|приед[её]т|приехал[аи]?"),
}


@pytest.mark.parametrize("mentions", QUERIES)
async def test_calls_of_a_day_that_mention_words_in_another_form(
    connect: OpenSession, dataset: Dataset, mentions: str
) -> None:
    test = QUERIES[mentions]
    async with connect() as session:
        answer = await session.answer("find_calls", since="yesterday", mentions=mentions, limit=200)
    calls = calls_of(dataset, YESTERDAY, TODAY)
    rows = rows_of(answer)
    assert [row["call_id"] for row in rows] == saying(dataset, calls, test)
    for row in rows:
        records = sorted(dataset.records_of(row["call_id"]), key=lambda record: (record.created_at, record.id))
        assert row["record_id"] == next(one.id for one in records if one.summary and test(one.summary))
        assert test(row["passage"])
    recorded = recorded_of(dataset, YESTERDAY, TODAY)
    records = [record for call in recorded for record in dataset.records_of(call.id)]
    assert answer["page"]["examined"] == len(recorded)
    assert answer["page"]["searched"] == {
        "read": sum(bool(one.summary and one.summary.strip()) for one in records),
        "without_summary": sum(not (one.summary and one.summary.strip()) for one in records),
        "unread": 0,
    }


async def test_a_days_mentions_cost_one_request_per_recorded_call(connect: OpenSession, dataset: Dataset) -> None:
    liner = FakeLiner(dataset)
    async with connect(liner) as session:
        await session.answer(
            "find_calls", since="yesterday", mentions="ипотека", has_summary=True, transferred=True, include=["summary"]
        )
    assert liner.count("/v2/call-record") == len(recorded_of(dataset, YESTERDAY, TODAY)) > 30


async def test_transfers_in_which_a_word_does_not_occur(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        answer = await session.answer("find_calls", since="-7d", transferred=True, mentions="-ипотека", limit=200)
    calls = [
        call
        for call in calls_of(dataset, NOW - timedelta(days=7))
        if any(record.is_transfer for record in dataset.records_of(call.id))
    ]
    without = [call.id for call in calls if texts_of(dataset, call) and not any(map(MORTGAGE, texts_of(dataset, call)))]
    rows = rows_of(answer)
    assert [row["call_id"] for row in rows] == without
    assert 0 < len(without) < len(calls)
    assert all(row["passage"] is None for row in rows)


@pytest.mark.parametrize("has_summary", [True, False])
async def test_calls_with_a_recording_that_lacks_a_summary(
    connect: OpenSession, dataset: Dataset, has_summary: bool
) -> None:
    async with connect() as session:
        answer = await session.answer("find_calls", since="yesterday", has_summary=has_summary, limit=200)
        stats = await session.answer("call_stats", since="yesterday", has_summary=has_summary)
    expected = [
        call.id
        for call in calls_of(dataset, YESTERDAY, TODAY)
        if (records := dataset.records_of(call.id))
        and all(record.summary and record.summary.strip() for record in records) is has_summary
    ]
    assert [row["call_id"] for row in rows_of(answer)] == expected
    assert expected
    assert stats["totals"]["calls"] == len(expected)
    assert stats["page"]["searched"] == answer["page"]["searched"]


async def test_the_five_longest_talks_of_a_day(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        answer = await session.answer("find_calls", since="yesterday", sort="longest_talk", limit=5)
    calls = [call for call in dataset.calls.values() if YESTERDAY <= call.created_at < TODAY]
    longest = sorted(calls, key=lambda call: (call.talk_time_duration_seconds, call.created_at, call.id), reverse=True)
    assert [row["call_id"] for row in rows_of(answer)] == [call.id for call in longest[:5]]
    assert answer["page"] == {"returned": 5, "complete": True, "total": len(calls)}
    assert answer["sorted_by"] == "talk_seconds"


async def test_when_a_part_of_the_window_fails_the_longest_talks_are_those_of_the_covered_part(
    connect: OpenSession, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel_reader, "PARALLEL_SLICE_CALLS", 500)  # slices of five days
    edge = NOW - timedelta(days=15)
    demo = FakeLiner(dataset)
    failing_until = edge.strftime("%Y-%m-%dT%H:%M:%SZ")

    async def one_slice_fails(scope: Any, receive: Any, send: Any) -> None:
        target = unquote(f"{scope['path']}?{scope['query_string'].decode()}")
        fails = target.startswith("/v2/call/?") and f"createdAt[1]={failing_until}" in target
        await (AlteredLiner(demo, status_by_pattern={"": 422}) if fails else demo)(scope, receive, send)

    async with connect(one_slice_fails) as session:
        answer = await session.answer("find_calls", since="-40d", sort="longest_talk", limit=5)
    assert answer["page"]["complete"] is False
    assert datetime.fromisoformat(answer["page"]["covered"]["since"]) == edge
    covered = [call for call in dataset.calls.values() if call.created_at >= edge]
    longest = sorted(covered, key=lambda one: (one.talk_time_duration_seconds, one.created_at, one.id), reverse=True)
    assert [row["call_id"] for row in rows_of(answer)] == [call.id for call in longest[:5]]


async def test_the_longest_talks_that_mention_a_word_are_examined_until_there_are_enough(
    connect: OpenSession, dataset: Dataset
) -> None:
    liner = FakeLiner(dataset)
    async with connect(liner) as session:
        answer = await session.answer(
            "find_calls", since="-7d", sort="longest_talk", mentions="ипотека", include=["summary"], limit=3
        )
    calls = calls_of(dataset, NOW - timedelta(days=7))
    longest = sorted(calls, key=lambda call: (call.talk_time_duration_seconds, call.created_at, call.id), reverse=True)
    expected = saying(dataset, longest, MORTGAGE)[:3]
    rows = rows_of(answer)
    assert list(dict.fromkeys(row["call_id"] for row in rows)) == expected
    assert all(MORTGAGE(row["summary"]) == (row["passage"] is not None) for row in rows if row["summary"])
    assert "total" not in answer["page"]
    assert liner.count("/v2/call-record") < sum(call.has_records for call in calls) / 4


async def test_yesterdays_transfers_and_what_was_said(connect: OpenSession, dataset: Dataset) -> None:
    async with connect(max_answer_bytes=60_000) as session:
        answer = await session.answer(
            "find_calls", since="yesterday", transferred=True, include=["summary", "records"], summary_chars=4_000
        )
    transfers = [
        call
        for call in calls_of(dataset, YESTERDAY, TODAY)
        if any(record.is_transfer for record in dataset.records_of(call.id))
    ]
    expected = [
        (call.id, record.id, len(dataset.records_of(call.id)), int(record.is_transfer), record.duration_seconds)
        for call in transfers
        for record in sorted(dataset.records_of(call.id), key=lambda one: (one.created_at, one.id))
    ]
    rows = rows_of(answer)
    columns = ("call_id", "record_id", "records", "transfer", "record_seconds")
    assert [tuple(row[name] for name in columns) for row in rows] == expected
    assert len(expected) > len(transfers) > 0
    for row in rows:
        summary = dataset.records[row["record_id"]].summary
        assert row["summary_state"] == ("ready" if summary and summary.strip() else "none")
    assert answer["page"]["total"] == len(transfers)
    assert answer["page"]["returned"] == len(rows)


async def test_a_page_may_end_between_two_recordings_and_the_cursor_alone_goes_on(
    connect: OpenSession, dataset: Dataset
) -> None:
    seen: list[tuple[int, int | None]] = []
    split = 0
    async with connect(max_answer_bytes=3_000) as session:
        answer = await session.answer(
            "find_calls", since="yesterday", transferred=True, include=["summary"], summary_chars=300
        )
        while True:
            rows = rows_of(answer)
            split += bool(seen) and rows[0]["call_id"] == seen[-1][0]
            seen += [(row["call_id"], row["record_id"]) for row in rows]
            assert all(len(row["summary"] or "") <= 300 for row in rows)
            if "next_cursor" not in answer["page"]:
                break
            assert not answer["page"]["complete"]
            answer = await session.answer("find_calls", cursor=answer["page"]["next_cursor"])
    transfers = [
        call
        for call in calls_of(dataset, YESTERDAY, TODAY)
        if any(record.is_transfer for record in dataset.records_of(call.id))
    ]
    assert seen == [
        (call.id, record.id)
        for call in transfers
        for record in sorted(dataset.records_of(call.id), key=lambda one: (one.created_at, one.id))
    ]
    assert split, "no page ended between two recordings"
    assert answer["page"]["total"] == len(transfers)


async def test_a_call_without_recordings_has_one_row_and_its_number_is_0(
    connect: OpenSession, dataset: Dataset
) -> None:
    async with connect() as session:
        answer = await session.answer(
            "find_calls", since="-2d", recorded=False, include=["records", "summary"], limit=2
        )
    for row in rows_of(answer):
        assert (row["records"], row["record_id"], row["summary_state"], row["summary"]) == (
            0,
            None,
            "no_recording",
            None,
        )
        assert not dataset.calls[row["call_id"]].has_records


async def test_how_many_calls_mention_a_word_in_a_month_by_day(connect: OpenSession, dataset: Dataset) -> None:
    async with connect(max_answer_bytes=60_000) as session:
        answer = await session.answer("call_stats", since="this_month", mentions="ипотека", group_by=["day"])
    first = TODAY.replace(day=1)
    calls = set(saying(dataset, calls_of(dataset, first), MORTGAGE))
    per_day: dict[str, int] = {}
    for one in calls:
        day = dataset.calls[one].created_at.astimezone(MOSCOW).date().isoformat()
        per_day[day] = per_day.get(day, 0) + 1
    assert {row["day"]: row["calls"] for row in rows_of(answer)} == per_day
    assert answer["totals"]["calls"] == len(calls)
    assert answer["page"]["examined"] == len(recorded_of(dataset, first))


async def test_how_many_recordings_mention_a_word_by_agent(connect: OpenSession, dataset: Dataset) -> None:
    liner = FakeLiner(dataset)
    async with connect(liner) as session:
        answer = await session.answer(
            "call_stats",
            since="-3d",
            mentions="ипотека | рассрочка",
            include=["records", "without_summary", "matches"],
            sort="matches",
        )
    since = NOW - timedelta(days=3)
    matching = {
        call.id: [bool(one.summary and (MORTGAGE(one.summary) or INSTALMENTS(one.summary))) for one in records]
        for call in calls_of(dataset, since)
        if (records := dataset.records_of(call.id))
    }
    counts = Counter[int | None]()
    for call_id, found in matching.items():
        counts[dataset.calls[call_id].user_id] += sum(found)
    rows = rows_of(answer)
    assert {row["agent_id"]: row["matches"] for row in rows} == +counts
    assert [row["matches"] for row in rows] == sorted((+counts).values(), reverse=True)
    assert answer["totals"]["matches"] == counts.total()
    assert answer["totals"]["records"] == sum(len(found) for found in matching.values() if any(found))
    assert answer["totals"]["records"] > counts.total() > answer["page"]["returned"]
    assert liner.count("/v2/call-record") == len(recorded_of(dataset, since)), "no list is read twice"


@pytest.mark.parametrize(("mentions", "matches"), [("ипотека", 2), ("-рассрочка", 3), ("ипотека -торг", 2)])
async def test_a_recording_matches_by_its_own_summary(connect: OpenSession, mentions: str, matches: int) -> None:
    own = Dataset.generate(now=NOW, days=2, calls=0)
    call = own.add_call(created_at=NOW - timedelta(hours=2), has_records=True)
    for summary in ("Взяла ипотеку.", "Ипотечный платёж по ипотеке.", "Перезвонит.", None):
        own.add_record(call.id, summary=summary, created_at=call.created_at)
    async with connect(FakeLiner(own)) as session:
        answer = await session.answer("call_stats", since="today", mentions=mentions, include=["records", "matches"])
    (row,) = rows_of(answer)
    assert (row["records"], row["matches"], answer["page"]["complete"]) == (4, matches, True)


async def test_a_recording_that_was_not_read_whole_leaves_the_number_of_matches_unknown(connect: OpenSession) -> None:
    own = Dataset.generate(now=NOW, days=2, calls=0)
    call = own.add_call(created_at=NOW - timedelta(hours=2), has_records=True)
    own.add_record(call.id, summary="Взяла ипотеку.", created_at=call.created_at)
    record = own.add_record(call.id, summary="", created_at=call.created_at)
    own.records[record.id] = replace(record, summary="слово " * 20_000 + "ипотека")
    async with connect(FakeLiner(own)) as session:
        answer = await session.answer("call_stats", since="today", mentions="ипотека", include=["records", "matches"])
    (row,) = rows_of(answer)
    assert (row["calls"], row["records"], row["matches"]) == (1, 2, None)
    assert (answer["page"]["complete"], answer["retry"]) == (False, [call.id])


async def test_a_sample_of_calls_that_mention_a_word_with_what_was_said(connect: OpenSession, dataset: Dataset) -> None:
    async with connect() as session:
        answer = await session.answer(
            "find_calls", since="-7d", mentions="ипотека", sample=4, seed="7", include=["summary"], summary_chars=100
        )
        again = await session.answer("find_calls", since="-7d", mentions="ипотека", sample=4, seed="7")
    ids = list(dict.fromkeys(row["call_id"] for row in rows_of(answer)))
    assert ids == [row["call_id"] for row in rows_of(again)]
    assert len(ids) == 4
    assert set(ids) <= set(saying(dataset, calls_of(dataset, NOW - timedelta(days=7)), MORTGAGE))
    assert answer["page"]["searched"]["read"] > 0


async def test_a_hidden_phone_is_not_found_by_its_digits(connect: OpenSession) -> None:
    own = Dataset.generate(now=NOW, days=2, calls=20)
    call = own.add_call(created_at=NOW - timedelta(hours=2), has_records=True)
    own.add_record(call.id, summary="Просит звонить на +7 916 123-45-67 после шести.", created_at=call.created_at)
    async with connect(FakeLiner(own)) as session:
        for digits in ("916", "123", "45", '"916 123"', "9161234567"):
            answer = await session.answer("find_calls", since="today", mentions=f"шести {digits}")
            assert answer["rows"] == []
        found = await session.answer("find_calls", since="today", mentions="шести")
    (row,) = rows_of(found)
    assert row["passage"] == "Просит звонить на +7 *** ***-**-67 после шести."


async def test_a_list_without_summaries_is_searched_by_the_details(connect: OpenSession, dataset: Dataset) -> None:
    liner = FakeLiner(dataset, record_list="short")
    async with connect(liner) as session:
        bare = await session.answer("find_calls", since="yesterday", mentions="ипотека", limit=200)
    async with connect() as session:
        full = await session.answer("find_calls", since="yesterday", mentions="ипотека", limit=200)
    assert bare == full


async def test_bad_words_get_one_sentence(connect: OpenSession) -> None:
    refused = {
        "word " * 1_000: "mentions_is_too_long",
        '"первый взнос': "mentions_a_quotation_mark_is_not_closed",
        "😀": "mentions_holds_no_word",
        '""': "mentions_minus_is_misplaced",
    }
    async with connect() as session:
        for tool in ("find_calls", "call_stats"):
            for mentions, key in refused.items():
                assert_says(
                    await session.refusal(tool, since="today", mentions=mentions), key, at_start=True, at_end=True
                )
        assert "mentions" not in (await session.answer("find_calls", since="today", mentions=" "))["asked"]
        letter = await session.answer("find_calls", since="today", mentions="в", limit=1)
        number = await session.answer("find_calls", since="-3d", mentions=12, limit=1)
        for arguments in ({"cursor": "x"}, {"sample": 3}):
            sentence = await session.refusal("find_calls", sort="longest_talk", **arguments)
            assert_says(sentence, "longest_talk_has_no_pages", at_start=True, at_end=True)
    assert says("в")(rows_of(letter)[0]["passage"])
    assert number["asked"]["mentions"] == "12"


async def test_without_the_dictionary_of_forms_a_note_says_that_fewer_are_found(
    connect: OpenSession, dataset: Dataset
) -> None:
    with without_pymorphy3():
        async with connect() as session:
            found = await session.answer("find_calls", since="yesterday", mentions="ипотека", limit=200)
            stats = await session.answer("call_stats", since="yesterday", mentions="ипотека")
            drawn = await session.answer("find_calls", since="yesterday", mentions="ипотека", sample=2)
            longest = await session.answer("find_calls", since="yesterday", mentions="ипотека", sort="longest_talk")
            english = await session.answer("find_calls", since="yesterday", mentions="viewing", limit=200)
    for answer in (found, stats, drawn, longest):
        assert_says(answer["notes"], "fewer_word_forms")
    assert [row["call_id"] for row in rows_of(found)] == saying(dataset, calls_of(dataset, YESTERDAY, TODAY), MORTGAGE)
    assert not any("pymorphy3" in note for note in english.get("notes", []))


async def test_progress_grows_while_recordings_are_read(connect: OpenSession) -> None:
    steps: list[float] = []

    async def told(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
        steps.append(progress)

    arguments: dict[str, Any] = {"since": "yesterday", "mentions": "ипотека", "limit": 200}
    async with connect() as session:
        for more in ({}, {"sort": "longest_talk"}, {"sample": 5}):
            steps.clear()
            await session.client.call_tool("find_calls", {**arguments, **more}, progress_callback=told)
            assert len(steps) > 10
            assert steps == sorted(set(steps))


async def test_a_null_summary_is_known_and_mentions_nothing(connect: OpenSession) -> None:
    own = Dataset.generate(now=NOW, days=2, calls=0)
    call = own.add_call(created_at=NOW - timedelta(hours=2), has_records=True)
    own.add_record(call.id, summary=None, created_at=call.created_at)
    async with connect(FakeLiner(own)) as session:
        answers = {
            mentions: await session.answer("find_calls", since="today", mentions=mentions)
            for mentions in ("ипотека", "-ипотека")
        }
    for answer in answers.values():
        assert answer["rows"] == []
        assert answer["page"]["complete"]
        assert answer["page"]["searched"] == {"read": 0, "without_summary": 1, "unread": 0}


async def test_words_beyond_what_is_shown_of_a_summary_are_unknown(connect: OpenSession) -> None:
    own = Dataset.generate(now=NOW, days=2, calls=0)
    call = own.add_call(created_at=NOW - timedelta(hours=2), has_records=True)
    record = own.add_record(call.id, summary="", created_at=call.created_at)
    own.records[record.id] = replace(record, summary="Рассрочка. " + "слово " * 20_000 + "ипотека")
    async with connect(FakeLiner(own)) as session:
        found = await session.answer("find_calls", since="today", mentions="рассрочка")
        unknown = [
            await session.answer("find_calls", since="today", mentions=mentions) for mentions in ("ипотека", "-ипотека")
        ]
    assert [row["call_id"] for row in rows_of(found)] == [call.id]
    for answer in unknown:
        assert answer["rows"] == []
        assert answer["page"]["undecided"] == 1
        assert not answer["page"]["complete"]
        assert answer["retry"] == [call.id]
