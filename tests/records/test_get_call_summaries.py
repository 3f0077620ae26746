"""What was said on many calls: compared with what the fake Liner's dataset holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from liner_mcp.answer.table import Answer
from liner_mcp.context import AppContext
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.errors import AccessRefused, DeadlineExceeded, LinerUnavailable
from liner_mcp.liner.endpoints import OTHER_ACCOUNT
from liner_mcp.records.get_call_summaries import get_call_summaries
from liner_mcp.text.clean import clean
from liner_mcp.text.mask import mask
from tests.fakes import FakeLiner, Fault
from tests.fakes.faults import WebPage
from tests.support.context import (
    MAX_BUDGET,
    USERS,
    AlteredLiner,
    add_plain_calls,
    context_for,
    rows_of,
    small_dataset,
    with_total,
)
from tests.support.sentences import assert_says, recorded

pytestmark = pytest.mark.anyio

LIST, DETAIL = r"/v2/call-record/\?", "/v2/call-record/detail"
UNKNOWN = 6_999_999
TOLD = ("record_id", "agent_id", "summary_state", "summary_length", "summary")


@pytest.fixture
def own() -> Dataset:
    return small_dataset()


async def ask(context: AppContext, call_ids: Sequence[int], **changes: Any) -> Answer:
    arguments: dict[str, Any] = {"summary_chars": 600, "budget": MAX_BUDGET, **changes}
    return await get_call_summaries(context, call_ids=call_ids, **arguments)


async def pages(context: AppContext, call_ids: Sequence[int], **changes: Any) -> list[Answer]:
    """All pages, each asking for the ids that the one before left."""
    written = [await ask(context, call_ids, **changes)]
    while left := written[-1].structure["page"].get("next_call_ids"):
        written.append(await ask(context, left, **changes))
    return written


def calls_of(pages: Sequence[Answer]) -> list[int]:
    """The call of each row, in order."""
    return [row["call_id"] for page in pages for row in rows_of(page)]


def of(*call_ids: int) -> str:
    """A pattern of the record lists of these calls."""
    return rf"callId=({'|'.join(map(str, call_ids))})\b"


def notes_of(answer: Answer) -> str:
    return " ".join(answer.structure.get("notes", []))


def expected_rows(dataset: Dataset, call_id: int, chars: int) -> list[tuple[Any, ...]]:
    """The members `TOLD` of each row of a call, from what the dataset knows."""
    call = dataset.calls.get(call_id)
    if call is None:
        return [(None, None, "not_found", None, None)]
    records = sorted(dataset.records_of(call_id), key=lambda record: (record.created_at, record.id))
    if not records:
        state = "not_listed_yet" if call.has_records else "no_recording"
        return [(None, call.user_id, state, None, None)]
    rows: list[tuple[Any, ...]] = []
    for record in records:
        text = mask(clean(record.summary or "")).strip()
        if not text:
            rows.append((record.id, record.user_id, "none", None, None))
        elif len(text) > chars > 0:
            cut = text[: chars - 1].rstrip() + "…"
            rows.append((record.id, record.user_id, "cut", len(text), cut))
        else:
            rows.append((record.id, record.user_id, "ready", None, text if chars else None))
    return rows


# What rows say ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chars", [0, 40, 600, 4_000])
@pytest.mark.parametrize("version", ["full", "short"])
async def test_every_call_is_told_as_the_dataset_holds_it(dataset: Dataset, version: Any, chars: int) -> None:
    newest = [call.id for call in sorted(dataset.calls.values(), key=lambda call: call.created_at)[-99:]]
    unlisted = next(call.id for call in dataset.calls.values() if call.has_records and not dataset.records_of(call.id))
    ids = [*newest[50:], UNKNOWN, *newest[:50], unlisted][-100:]
    async with context_for(FakeLiner(dataset, record_list=version)) as context:
        written = await pages(context, ids, summary_chars=chars, budget=24_000)
    told = [tuple(row.get(name) for name in ("call_id", *TOLD)) for page in written for row in rows_of(page)]
    assert told == [(one, *row) for one in ids for row in expected_rows(dataset, one, chars)]
    assert {"ready", "none", "no_recording", "not_listed_yet", "not_found"} <= {row[3] for row in told}


async def test_every_state_of_a_summary_is_told_apart_in_one_answer(own: Dataset) -> None:
    ready, cut, null, blank, silent, unlisted, failing = (own.add_call(has_records=index == 5).id for index in range(7))
    own.add_record(ready, summary="Клиент согласен.")
    long = own.add_record(cut, summary="Клиент долго рассказывает о себе и о квартире.")
    own.add_record(null, summary=None)
    own.add_record(blank, summary=" \n\u200b\t ")
    own.add_record(failing, summary="Не дойдёт.")
    ids = [ready, cut, null, blank, silent, unlisted, UNKNOWN, failing]
    async with context_for(AlteredLiner(DemoLiner(own), status_by_pattern={of(failing): 500})) as context:
        answer = await ask(context, ids, summary_chars=20)
    assert [(row["summary_state"], row["summary_length"], row["summary"]) for row in rows_of(answer)] == [
        ("ready", None, "Клиент согласен."),
        ("cut", len(long.summary or ""), "Клиент долго расска…"),
        ("none", None, None),
        ("none", None, None),
        ("no_recording", None, None),
        ("not_listed_yet", None, None),
        ("not_found", None, None),
        ("failed", None, None),
    ]
    assert calls_of([answer]) == ids
    assert [row["record_id"] is None for row in rows_of(answer)] == [False] * 4 + [True] * 4
    assert answer.structure["retry"] == [failing]


async def test_the_length_is_told_only_on_a_page_with_a_cut_summary(own: Dataset) -> None:
    ids = add_plain_calls(own, 2)
    async with context_for(DemoLiner(own)) as context:
        assert "summary_length" not in (await ask(context, ids)).text
        cut = await ask(context, ids, summary_chars=10)
    lengths = [len(own.records_of(one)[0].summary or "") for one in ids]
    assert [row["summary_length"] for row in rows_of(cut)] == lengths


async def test_no_characters_of_a_summary_still_say_that_there_is_one(own: Dataset) -> None:
    with_one, without = own.add_call().id, own.add_call().id
    own.add_record(with_one, summary="Есть.")
    own.add_record(without, summary=None)
    async with context_for(DemoLiner(own)) as context:
        answer = await ask(context, [with_one, without], summary_chars=0)
    assert [(row["summary_state"], row["summary"]) for row in rows_of(answer)] == [("ready", None), ("none", None)]
    assert "Есть" not in answer.text


async def test_a_call_without_a_recording_still_says_whose_it_was(own: Dataset) -> None:
    mine, nobodys = own.add_call(agent=106).id, own.add_call(agent=None).id
    async with context_for(DemoLiner(own)) as context:
        answer = await ask(context, [mine, nobodys])
    assert [row["agent_id"] for row in rows_of(answer)] == [106, None]
    assert answer.structure["names"] == {"agents": {"106": "Omar Haddad", "null": "no agent"}}


async def test_no_agent_is_not_said_of_calls_that_no_one_could_read(own: Dataset) -> None:
    known, failing, faulty = add_plain_calls(own, 3, agent=106)
    app = AlteredLiner(FakeLiner(own, record_list="short"), status_by_pattern={of(failing): 500, rf"{DETAIL}/\d+": 500})
    async with context_for(app) as context:
        answer = await ask(context, [failing, UNKNOWN, faulty])
    assert [row["agent_id"] for row in rows_of(answer)] == [None] * 3
    assert "names" not in answer.structure
    async with context_for(AlteredLiner(FakeLiner(own), status_by_pattern={of(failing): 500})) as context:
        answer = await ask(context, [failing, UNKNOWN, known])
    assert answer.structure["names"] == {"agents": {"106": "Omar Haddad"}}


async def test_times_are_those_of_the_context_zone(own: Dataset) -> None:
    call = own.add_call()
    own.add_record(call.id, created_at=datetime(2026, 11, 20, 20, 30, tzinfo=UTC))
    async with context_for(DemoLiner(own), zone="Asia/Dubai") as context:
        answer = await ask(context, [call.id])
    assert [(row["record_date"], row["record_time"]) for row in rows_of(answer)] == [("2026-11-21", "00:30")]
    assert answer.structure["timezone"] == "Asia/Dubai"


async def test_two_agents_of_one_name_can_be_told_apart(own: Dataset) -> None:
    ids = add_plain_calls(own, 1, agent=102) + add_plain_calls(own, 1, agent=103)
    async with context_for(DemoLiner(own)) as context:
        structure = (await ask(context, ids)).structure
    assert structure["names"]["agents"] == {"102": "Анна Смирнова #102", "103": "Анна Смирнова #103"}


async def test_phones_are_masked_unless_the_context_shows_them(own: Dataset) -> None:
    text = "Клиент просит звонить по номеру 8 (916) 123-45-67 после шести."
    call = own.add_call()
    own.add_record(call.id, summary=text)
    async with context_for(DemoLiner(own)) as context:
        masked = rows_of(await ask(context, [call.id]))[0]["summary"]
    assert masked == "Клиент просит звонить по номеру +7 *** ***-**-67 после шести."
    async with context_for(DemoLiner(own), show_phones=True) as context:
        assert rows_of(await ask(context, [call.id]))[0]["summary"] == text


async def test_adversarial_summaries_stay_one_text_in_one_row(own: Dataset) -> None:
    ids = list(dict.fromkeys(own.records[record_id].call_id for record_id in own.adversarial_records.values()))
    async with context_for(DemoLiner(own)) as context:
        written = await pages(context, ids, summary_chars=4_000, budget=24_000)
    assert list(dict.fromkeys(calls_of(written))) == ids
    assert all(page.size <= 24_000 for page in written)
    for page in written:
        assert re.search("[\u202a-\u202e\u2066-\u2069\u200b\U000e0000-\U000e007f]", page.text) is None
        assert "\\u00" not in page.text


# The order asked --------------------------------------------------------------------------------------------------


async def test_rows_keep_the_order_asked_and_a_calls_records_are_oldest_first(own: Dataset) -> None:
    first, second, third = add_plain_calls(own, 3)
    transfer = own.add_record(second, created_at=datetime(2026, 1, 1, tzinfo=UTC), is_transfer=True)
    async with context_for(DemoLiner(own)) as context:
        answer = await ask(context, [third, second, first])
    assert calls_of([answer]) == [third, second, second, first]
    assert rows_of(answer)[1]["record_id"] == transfer.id
    assert answer.structure["page"] == {"returned": 4, "complete": True}


async def test_repeated_ids_are_read_once_and_told(own: Dataset) -> None:
    demo = FakeLiner(own)
    first, second = add_plain_calls(own, 2)
    async with context_for(demo) as context:
        answer = await ask(context, [second, first, second, second])
        once = await ask(context, [first])
    assert calls_of([answer]) == [second, first]
    assert answer.structure["asked"] == {"calls": 2, "repeated": 2}
    assert once.structure["asked"] == {"calls": 1}
    assert demo.count(f"callId={second}") == 1


# Pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [2_000, 9_500, 24_000])
async def test_pages_together_are_all_calls_in_the_order_asked(own: Dataset, budget: int) -> None:
    ids = add_plain_calls(own, 90)[::-1]
    for one in ids[::9]:
        own.add_record(one, summary="Перевод: клиент соединён с отделом продаж.", is_transfer=True)
    async with context_for(DemoLiner(own)) as context:
        written = await pages(context, ids, budget=budget)
    assert calls_of(written) == [one for one in ids for _ in own.records_of(one)]
    assert all(page.size <= budget for page in written)
    assert [page.structure["page"]["complete"] for page in written] == [False] * (len(written) - 1) + [True]
    for page in written:
        assert set(calls_of([page])).isdisjoint(page.structure["page"].get("next_call_ids", [])), "a call is not split"
        assert "notes" not in page.structure


async def test_a_full_page_stops_the_reading(own: Dataset) -> None:
    demo = FakeLiner(own)
    ids = add_plain_calls(own, 100)
    async with context_for(demo) as context:
        answer = await ask(context, ids, budget=5_000)
    shown = len(answer.structure["rows"])
    assert 15 <= shown <= 30
    asked = demo.count("/v2/call-record/")
    assert asked <= 2 * shown + 8, "twice the page for what rows cost beyond their text, and eight under way"
    assert answer.structure["page"]["next_call_ids"] == ids[shown:]


async def test_a_page_thought_full_too_early_is_not_blamed_on_time(own: Dataset) -> None:
    ids: list[int] = []
    for _ in range(40):
        ids.append(own.add_call().id)
        own.add_record(ids[-1], summary="Клиент" + " " * 5_000 + "ждёт.")
    async with context_for(DemoLiner(own)) as context:
        answer = await ask(context, ids, summary_chars=4_000, budget=9_500)
    assert {row["summary"] for row in rows_of(answer)} == {"Клиент…"}
    assert answer.structure["page"]["next_call_ids"] == ids[len(answer.structure["rows"]) :]
    assert "notes" not in answer.structure


async def test_a_call_that_does_not_fit_a_page_is_shown_in_part_and_says_where_the_rest_is(own: Dataset) -> None:
    before, call_id, after = add_plain_calls(own, 3)
    for n in range(250):
        own.add_record(call_id, summary=f"Часть {n}: клиент продолжает рассказ о квартире.")
    async with context_for(DemoLiner(own)) as context:
        written = await pages(context, [before, call_id, after], budget=9_500)
    assert [list(dict.fromkeys(calls_of([page]))) for page in written] == [[before], [call_id], [after]]
    part = written[1].structure
    assert part["page"]["partial_call"] == {"call_id": call_id, "shown": part["page"]["returned"], "records": 251}
    assert 1 < part["page"]["returned"] < 251
    assert part["page"]["complete"] is False
    assert part["page"]["next_call_ids"] == [after]
    assert f"list_call_records(call_id={call_id})" in part["notes"][0]
    oldest = sorted(own.records_of(call_id), key=lambda record: (record.created_at, record.id))
    assert [row["record_id"] for row in rows_of(written[1])] == [one.id for one in oldest][: part["page"]["returned"]]


async def test_a_call_shown_in_part_is_not_complete_though_no_other_call_is_left(own: Dataset) -> None:
    call_id = own.add_call().id
    for n in range(60):
        own.add_record(call_id, summary=f"Часть {n}: клиент продолжает рассказ о квартире.")
    async with context_for(DemoLiner(own)) as context:
        page = (await ask(context, [call_id], budget=2_000)).structure["page"]
    assert page["complete"] is False
    assert page["partial_call"] == {"call_id": call_id, "shown": page["returned"], "records": 60}
    assert "next_call_ids" not in page


async def test_a_single_row_larger_than_the_budget_is_shown_and_says_so(own: Dataset) -> None:
    large, after = own.add_call().id, own.add_call().id
    own.add_record(large, summary="Клиент рассказывает о себе. " * 200)
    async with context_for(DemoLiner(own)) as context:
        answer = await ask(context, [large, after], summary_chars=4_000, budget=2_000)
    assert calls_of([answer]) == [large]
    assert "summary_chars" in answer.structure["notes"][0]
    assert answer.structure["page"]["next_call_ids"] == [after]


# Something fails --------------------------------------------------------------------------------------------------


async def test_one_of_thirty_calls_failing_costs_its_own_row_only(own: Dataset) -> None:
    ids = add_plain_calls(own, 30)
    failing = ids[12]
    async with context_for(AlteredLiner(DemoLiner(own), status_by_pattern={of(failing): 500})) as context:
        answer = await ask(context, ids)
    assert calls_of([answer]) == ids
    states = {row["call_id"]: row["summary_state"] for row in rows_of(answer)}
    assert states.pop(failing) == "failed"
    assert set(states.values()) == {"ready"}
    assert answer.structure["retry"] == [failing]
    assert answer.structure["page"] == {"returned": 30, "complete": False}
    assert_says(answer.structure["notes"][0], "1_of_30_calls_could_not", at_start=True)


async def test_a_call_whose_own_detail_fails_is_failed_and_not_said_to_have_no_recording(own: Dataset) -> None:
    (recorded,), silent = add_plain_calls(own, 1), own.add_call().id
    async with context_for(
        AlteredLiner(DemoLiner(own), status_by_pattern={f"/v2/call/detail/{silent}/": 500})
    ) as context:
        answer = await ask(context, [recorded, silent])
    assert [row["summary_state"] for row in rows_of(answer)] == ["ready", "failed"]
    assert answer.structure["retry"] == [silent]


async def test_a_record_whose_detail_fails_is_marked_and_its_call_is_to_be_asked_again(own: Dataset) -> None:
    first, second = add_plain_calls(own, 2)
    (record,) = own.records_of(second)
    faulty = AlteredLiner(FakeLiner(own, record_list="short"), status_by_pattern={f"{DETAIL}/{record.id}/": 500})
    async with context_for(faulty) as context:
        answer = await ask(context, [first, second])
    assert [row["summary_state"] for row in rows_of(answer)] == ["ready", "failed"]
    assert rows_of(answer)[1]["record_id"] == record.id
    assert answer.structure["retry"] == [second]
    assert answer.structure["page"]["complete"] is False
    assert_says(notes_of(answer), "ids_of_their_calls_are_in")


async def test_failures_of_calls_that_are_not_shown_are_not_told(own: Dataset) -> None:
    ids = add_plain_calls(own, 12)
    async with context_for(AlteredLiner(DemoLiner(own), status_by_pattern={of(ids[-1]): 500})) as context:
        whole = await ask(context, ids)
        short = await ask(context, ids, budget=whole.size - 200)
    assert whole.structure["retry"] == [ids[-1]]
    assert ids[-1] in short.structure["page"]["next_call_ids"]
    assert short.structure.keys().isdisjoint({"retry", "notes"})


async def test_when_all_calls_fail_that_is_the_error(own: Dataset) -> None:
    async with context_for(AlteredLiner(DemoLiner(own), status_by_pattern={LIST: 500})) as context:
        with pytest.raises(LinerUnavailable):
            await ask(context, add_plain_calls(own, 5))


async def test_a_record_list_that_knows_no_path_is_told_by_the_calls(own: Dataset) -> None:
    (recorded,), silent = add_plain_calls(own, 1), own.add_call().id
    async with context_for(AlteredLiner(DemoLiner(own), status_by_pattern={LIST: 404})) as context:
        answer = await ask(context, [recorded, silent, UNKNOWN])
    assert [row["summary_state"] for row in rows_of(answer)] == ["not_listed_yet", "no_recording", "not_found"]


@pytest.mark.parametrize("version", ["full", "short"])
async def test_a_refused_token_ends_the_whole_run_at_once(own: Dataset, version: Any) -> None:
    demo = FakeLiner(own, token="other", record_list=version)
    async with context_for(demo) as context:
        with pytest.raises(AccessRefused):
            await ask(context, add_plain_calls(own, 100))
    assert len(demo.requests) <= 9, "the eight that were under way, and the names"


async def test_liners_own_words_in_a_note_hide_phones_who_reads_them(own: Dataset) -> None:
    first, second = add_plain_calls(own, 2)
    refusing = AlteredLiner(
        DemoLiner(own), change_by_pattern={of(second): lambda _: "Звонок на +7 916 123-45-67 в архиве"}
    )
    for shows in (False, True):
        async with context_for(refusing, show_phones=shows) as context:
            answer = await ask(context, [first, second])
        assert "Звонок на *** в архиве" in notes_of(answer)
        assert "916" not in answer.text


async def test_unknown_calls_are_named_and_are_an_answer(own: Dataset) -> None:
    (known,) = add_plain_calls(own, 1)
    async with context_for(DemoLiner(own)) as context:
        answer = await ask(context, [known, UNKNOWN, 3, 2, 1])
    assert answer.structure["notes"] == [recorded("liner_knows_no_call_3_2", unknown=UNKNOWN)]
    assert answer.structure["page"] == {"returned": 5, "complete": True}


async def test_a_record_asked_for_as_a_call_is_told_to_be_another_number(own: Dataset) -> None:
    (known,) = add_plain_calls(own, 1)
    record = own.records_of(known)[0].id
    async with context_for(DemoLiner(own)) as context:
        answer = await ask(context, [record])
    assert answer.structure["notes"] == [
        recorded("liner_knows_no_call_ids_of", record=record, other_account=OTHER_ACCOUNT)
    ]


async def test_calls_of_which_none_is_found_may_be_another_accounts(own: Dataset) -> None:
    (known,) = add_plain_calls(own, 1)
    async with context_for(DemoLiner(own)) as context:
        none, some = await ask(context, [1, 2]), await ask(context, [1, known])
    assert OTHER_ACCOUNT in notes_of(none)
    assert "LINER_API_HOST" not in notes_of(some)


async def test_a_web_page_in_place_of_one_call_is_a_failure_of_that_call_and_not_an_unknown_id(own: Dataset) -> None:
    first, second = add_plain_calls(own, 2)
    page = Fault(WebPage(404, "<h1>Not Found</h1>"), f"callId={second}")
    async with context_for(FakeLiner(own, faults=[page])) as context:
        answer = await ask(context, [first, second])
    assert [row["summary_state"] for row in rows_of(answer)] == ["ready", "failed"]
    assert answer.structure["retry"] == [second]
    assert answer.structure["page"]["complete"] is False
    assert "LINER_API_HOST" in notes_of(answer)


async def test_a_count_that_is_never_reached_is_told(own: Dataset) -> None:
    first, second = add_plain_calls(own, 2)
    async with context_for(AlteredLiner(DemoLiner(own), change_by_pattern={of(second): with_total(5)})) as context:
        answer = await ask(context, [first, second])
    assert answer.structure["page"]["complete"] is False
    assert_says(notes_of(answer), "more_records_than_could_be_read", second=second)


async def test_agents_that_cannot_be_named_keep_their_ids(own: Dataset) -> None:
    ids = add_plain_calls(own, 3, agent=106)
    async with context_for(AlteredLiner(DemoLiner(own), status_by_pattern={USERS: 500})) as context:
        answer = await ask(context, ids)
    assert [row["agent_id"] for row in rows_of(answer)] == [106] * 3
    assert "names" not in answer.structure
    assert answer.structure["notes"] == [recorded("names_of_agents_could_not_be")]
    assert answer.structure["page"]["complete"] is True


# Time is up -------------------------------------------------------------------------------------------------------


@pytest.mark.virtual_time
async def test_what_arrived_before_the_deadline_is_told_and_the_rest_is_to_be_asked(own: Dataset) -> None:
    ids = add_plain_calls(own, 6)
    waiting = [ids[1], ids[4]]
    async with context_for(AlteredLiner(DemoLiner(own), blocked=of(*waiting))) as context:
        with anyio.fail_after(1.0):
            answer = await ask(context, ids)
    assert calls_of([answer]) == [one for one in ids if one not in waiting]
    assert answer.structure["page"] == {"returned": 4, "complete": False, "next_call_ids": waiting}
    assert_says(notes_of(answer), "time_was_up")
    assert "retry" not in answer.structure, "nothing was tried and failed"


@pytest.mark.virtual_time
async def test_calls_never_begun_are_to_be_asked_too(own: Dataset) -> None:
    ids = add_plain_calls(own, 40)
    async with context_for(AlteredLiner(DemoLiner(own), blocked=of(*ids[1:])), concurrency=2) as context:
        with anyio.fail_after(1.0):
            answer = await ask(context, ids)
    assert calls_of([answer]) == ids[:1]
    assert answer.structure["page"]["next_call_ids"] == ids[1:]


@pytest.mark.virtual_time
async def test_nothing_arrived_before_the_deadline_is_an_error(own: Dataset) -> None:
    ids = add_plain_calls(own, 3)
    async with context_for(AlteredLiner(DemoLiner(own), blocked=LIST)) as context:
        with pytest.raises(DeadlineExceeded), anyio.fail_after(1.0):
            await ask(context, ids)


@pytest.mark.virtual_time
async def test_a_summary_that_did_not_come_in_time_is_not_asked_and_its_call_comes_next(own: Dataset) -> None:
    first, second = add_plain_calls(own, 2)
    (record,) = own.records_of(second)
    faulty = AlteredLiner(FakeLiner(own, record_list="short"), blocked=f"{DETAIL}/{record.id}/")
    async with context_for(faulty) as context:
        with anyio.fail_after(1.0):
            answer = await ask(context, [first, second])
    assert [(row["call_id"], row["record_id"], row["summary_state"]) for row in rows_of(answer)] == [
        (first, own.records_of(first)[0].id, "ready"),
        (second, record.id, "not_asked"),
    ]
    assert answer.structure["page"] == {"returned": 2, "complete": False, "next_call_ids": [second]}
    assert "retry" not in answer.structure, "nothing was tried and failed"
    assert_says(notes_of(answer), "time_was_up")


@pytest.mark.virtual_time
async def test_names_that_do_not_come_in_time_do_not_hold_up_the_answer(own: Dataset) -> None:
    ids = add_plain_calls(own, 3, agent=106)
    async with context_for(AlteredLiner(DemoLiner(own), blocked=USERS)) as context:
        with anyio.fail_after(1.0):
            answer = await ask(context, ids)
    assert calls_of([answer]) == ids
    assert_says(notes_of(answer), "names_of_agents_could_not_be_read")


async def test_a_summary_longer_than_what_is_shown_is_never_told_as_whole(own: Dataset) -> None:
    call_id = own.add_call().id
    record_id = own.add_record(call_id, summary="клиент ждёт " * 10_000).id
    async with context_for(DemoLiner(own)) as context:
        for chars in (20, 200_000):
            answer = await ask(context, [call_id], summary_chars=chars, budget=1_000_000)
            row = rows_of(answer)[0]
            assert row["summary_state"] == "cut"
            assert row.get("summary_length") is None
            assert_says(answer.structure["notes"], "the_summary_of_record_is_longer", record_id=record_id)
