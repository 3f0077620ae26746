"""The records of one call: compared with what the fake Liner's dataset holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from liner_mcp.answer.cursor import encode_cursor
from liner_mcp.answer.table import Answer
from liner_mcp.context import AppContext
from liner_mcp.demo import Dataset, DemoLiner, Record
from liner_mcp.errors import AccessRefused, DeadlineExceeded, InvalidArgument, LinerUnavailable
from liner_mcp.records.list_call_records import list_call_records
from liner_mcp.text.clean import clean
from liner_mcp.text.mask import mask
from tests.fakes import FakeLiner
from tests.support.context import (
    MAX_BUDGET,
    ORDERS,
    STATUSES,
    USERS,
    AlteredLiner,
    add_plain_calls,
    context_for,
    rows_of,
    small_dataset,
    with_total,
)
from tests.support.sentences import assert_says, error_says, recorded

pytestmark = pytest.mark.anyio

RECORDS, CALL = r"/v2/call-record/\?", "/v2/call/detail"
DETAIL = "/v2/call-record/detail"
MOSCOW = timedelta(hours=3)


@pytest.fixture
def own() -> Dataset:
    return small_dataset()


async def ask(context: AppContext, call_id: int | None = None, **changes: Any) -> Answer:
    arguments: dict[str, Any] = {"limit": 25, "cursor": None, "summary_chars": 160, "budget": MAX_BUDGET, **changes}
    return await list_call_records(context, call_id=call_id, **arguments)


async def pages(context: AppContext, call_id: int, **changes: Any) -> list[Answer]:
    """All pages, each continued by its cursor alone."""
    written = [await ask(context, call_id, **changes)]
    while cursor := written[-1].structure["page"].get("next_cursor"):
        written.append(await ask(context, cursor=cursor, **changes))
    return written


def long_call(dataset: Dataset, count: int = 250) -> int:
    """A call of many records: several made in the same second, and none in the order of their ids."""
    call = dataset.add_call(talk_time_duration_seconds=3_000)
    for n in range(count):
        moment = call.created_at + timedelta(minutes=n * 7 % 60, microseconds=n * 7 % 60 * 123_457)
        dataset.add_record(call.id, summary=f"Часть {n}: клиент ждёт.", created_at=moment, duration_seconds=n)
    return call.id


def by_age(records: list[Record]) -> list[int]:
    return [record.id for record in sorted(records, key=lambda record: (record.created_at, record.id))]


def expected_row(record: Record, chars: int) -> dict[str, Any]:
    """A row as the contract words it, in Moscow's time, from what the dataset knows."""
    local = record.created_at + MOSCOW
    text = mask(clean(record.summary or "")).strip()
    cut = len(text) > chars > 0
    return {
        "record_id": record.id,
        "record_date": f"{local:%Y-%m-%d}",
        "record_time": f"{local:%H:%M}",
        "record_seconds": record.duration_seconds,
        "agent_id": record.user_id,
        "transfer": int(record.is_transfer),
        "summary_state": "none" if not text else "cut" if cut else "ready",
        "summary_length": len(text) if cut else None,
        "summary": None if not text or not chars else text[: chars - 1].rstrip() + "…" if cut else text,
    }


@pytest.mark.parametrize("chars", [0, 1, 40, 160, 4_000])
@pytest.mark.parametrize("version", ["full", "short"])
async def test_every_record_of_every_call_is_told_as_the_dataset_holds_it(
    dataset: Dataset, version: Any, chars: int
) -> None:
    newest = sorted(dataset.calls.values(), key=lambda call: call.created_at)[-60:]
    recorded = [call.id for call in newest if dataset.records_of(call.id)]
    assert len(recorded) > 20
    async with context_for(FakeLiner(dataset, record_list=version)) as context:
        for call_id in recorded:
            records = dataset.records_of(call_id)
            answer = await ask(context, call_id, summary_chars=chars)
            expected = [expected_row(dataset.records[record_id], chars) for record_id in by_age(records)]
            assert [{"summary_length": None, **row} for row in rows_of(answer)] == expected
            assert answer.structure["page"] == {"returned": len(records), "complete": True, "total": len(records)}


async def test_the_calls_own_facts_stand_beside_its_records(own: Dataset) -> None:
    moment = datetime(2026, 11, 19, 21, 30, tzinfo=UTC)
    call = own.add_call(
        order=204, agent=106, status_code="transferred_to_sales", direction="incoming", finish_initiator="agent",
        wait_time_duration_seconds=0, talk_time_duration_seconds=125, created_at=moment,
    )  # fmt: skip
    own.add_record(call.id, summary="Client agrees to a viewing.")
    async with context_for(DemoLiner(own)) as context:
        structure = (await ask(context, call.id)).structure
    assert structure["asked"] == {"call_id": call.id}
    assert structure["call"] == {
        "status": "transferred_to_sales",
        "order_id": 204,
        "lead_id": call.lead_id,
        "agent_id": 106,
        "date": "2026-11-20",
        "time": "00:30",
        "talk_seconds": 125,
        "wait_seconds": 0,
        "direction": "incoming",
        "hung_up_by": "agent",
    }
    assert structure["names"] == {
        "agents": {"106": "Omar Haddad"},
        "orders": {"204": "Marina Heights Dubai"},
        "statuses": {"transferred_to_sales": "Переведён в отдел продаж"},
    }
    assert structure["timezone"] == "Europe/Moscow"


async def test_times_are_those_of_the_context_zone(own: Dataset) -> None:
    call = own.add_call(created_at=datetime(2026, 11, 20, 20, 30, tzinfo=UTC))
    own.add_record(call.id, created_at=datetime(2026, 11, 20, 20, 31, tzinfo=UTC))
    async with context_for(DemoLiner(own), zone="Asia/Dubai") as context:
        answer = await ask(context, call.id)
    assert (answer.structure["call"]["date"], answer.structure["call"]["time"]) == ("2026-11-21", "00:30")
    assert [(row["record_date"], row["record_time"]) for row in rows_of(answer)] == [("2026-11-21", "00:31")]
    assert answer.structure["timezone"] == "Asia/Dubai"


async def test_phones_are_masked_before_the_cut_unless_the_context_shows_them(own: Dataset) -> None:
    text = "Клиент просит звонить по номеру +7 916 123-45-67 после шести."
    call = own.add_call()
    own.add_record(call.id, summary=text)
    through_the_phone = text.index("123")
    async with context_for(DemoLiner(own)) as context:
        whole = (await ask(context, call.id)).text
        part = (await ask(context, call.id, summary_chars=through_the_phone)).text
    assert "+7 *** ***-**-67 после шести" in whole
    assert "916" not in whole
    assert "916" not in part
    async with context_for(DemoLiner(own), show_phones=True) as context:
        assert text in (await ask(context, call.id)).text


# Pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "budget"), [(100, MAX_BUDGET), (100, 9_500), (25, 24_000), (7, 2_000), (100, 2_000)])
async def test_pages_of_a_long_call_together_are_all_its_records_oldest_first(
    own: Dataset, limit: int, budget: int
) -> None:
    call_id = long_call(own)
    async with context_for(DemoLiner(own)) as context:
        written = await pages(context, call_id, limit=limit, budget=budget)
    assert [row["record_id"] for page in written for row in rows_of(page)] == by_age(own.records_of(call_id))
    assert all(1 <= len(page.structure["rows"]) <= limit for page in written)
    assert all(page.size <= budget for page in written)
    assert [page.structure["page"]["complete"] for page in written] == [False] * (len(written) - 1) + [True]
    assert all(page.structure["page"]["total"] == 250 for page in written)


async def test_the_size_of_a_page_may_change_between_pages(own: Dataset) -> None:
    call_id = long_call(own, 30)
    async with context_for(DemoLiner(own)) as context:
        first = await ask(context, call_id, limit=4, summary_chars=0)
        rest = await ask(context, call_id, cursor=first.structure["page"]["next_cursor"], limit=100, summary_chars=500)
    assert [row["record_id"] for page in (first, rest) for row in rows_of(page)] == by_age(own.records_of(call_id))
    assert all(row["summary"] for row in rows_of(rest))


async def test_records_without_a_moment_come_first_and_pages_pass_over_none(own: Dataset) -> None:
    call_id = long_call(own, 6)
    undated = {record.id for record in own.records_of(call_id)[::2]}

    def without_moments(data: Any) -> Any:
        for record in data["list"]:
            record["createdAt"] = None if record["id"] in undated else record["createdAt"]
        return data

    async with context_for(AlteredLiner(DemoLiner(own), change_by_pattern={RECORDS: without_moments})) as context:
        rows = [row for page in await pages(context, call_id, limit=1) for row in rows_of(page)]
    dated = [record for record in own.records_of(call_id) if record.id not in undated]
    assert [row["record_id"] for row in rows] == [*sorted(undated), *by_age(dated)]
    assert [(row["record_date"], row["record_time"]) for row in rows[:3]] == [(None, None)] * 3


async def test_a_row_larger_than_the_budget_is_shown_alone_and_says_so(own: Dataset) -> None:
    call = own.add_call()
    for _ in range(2):
        own.add_record(call.id, summary="Клиент рассказывает о себе. " * 200)
    async with context_for(DemoLiner(own)) as context:
        written = await pages(context, call.id, summary_chars=4_000, budget=2_000)
    assert [len(page.structure["rows"]) for page in written] == [1, 1]
    assert all("summary_chars" in page.structure["notes"][0] for page in written)


async def test_a_cursor_of_another_call_is_refused_and_both_calls_are_named(own: Dataset) -> None:
    call_id, other = long_call(own, 3), own.add_call().id
    async with context_for(DemoLiner(own)) as context:
        cursor = (await ask(context, call_id, limit=1)).structure["page"]["next_cursor"]
        names_both = error_says("call_of_the_cursor_and_call_id", call_id=call_id, other=other)
        with pytest.raises(InvalidArgument, check=names_both):
            await ask(context, other, cursor=cursor)


async def test_neither_call_nor_cursor_is_refused_and_nothing_is_asked(own: Dataset) -> None:
    demo = FakeLiner(own)
    async with context_for(demo) as context:
        with pytest.raises(InvalidArgument, check=error_says("call_id_is_missing")):
            await ask(context)
    assert demo.requests == []


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"call_id": 7000001},
        {"call_id": None, "at": 0, "id": 1},
        {"call_id": "x", "at": 0, "id": 1},
        {"call_id": [1], "at": 0, "id": 1},
        {"call_id": 7000001, "at": 1e300, "id": 1},
        {"call_id": 7000001, "at": 10**400, "id": 1},
        {"call_id": 7000001, "at": "yesterday", "id": 1},
        {"call_id": 7000001, "at": 0, "id": {}},
    ],
    ids=str,
)
async def test_a_cursor_that_holds_something_else_is_refused(own: Dataset, state: dict[str, Any]) -> None:
    demo = FakeLiner(own)
    async with context_for(demo) as context:
        with pytest.raises(InvalidArgument, check=error_says("cursor_cannot_be_read")):
            await ask(context, cursor=encode_cursor("list_call_records", state))
        with pytest.raises(InvalidArgument, check=error_says("another_tool")):
            await ask(context, cursor=encode_cursor("find_calls", state))
    assert demo.requests == []


# Nothing to show --------------------------------------------------------------------------------------------------


async def test_an_unknown_call_is_an_error_that_names_it(own: Dataset) -> None:
    async with context_for(DemoLiner(own)) as context:
        with pytest.raises(InvalidArgument, check=error_says("no_call_6999999")):
            await ask(context, 6_999_999)


@pytest.mark.parametrize(("promised", "says"), [(False, "has_no_recording"), (True, "lists_none_yet")])
@pytest.mark.parametrize("listing", [200, 404])
async def test_a_known_call_without_recordings_is_an_empty_answer_that_says_why(
    own: Dataset, promised: bool, says: str, listing: int
) -> None:
    call = own.add_call(has_records=promised)
    refused = {} if listing == 200 else {RECORDS: listing}
    async with context_for(AlteredLiner(DemoLiner(own), status_by_pattern=refused)) as context:
        answer = await ask(context, call.id)
    assert answer.structure["rows"] == []
    assert answer.structure["call"]["talk_seconds"] == call.talk_time_duration_seconds
    assert answer.structure["page"] == (
        {"returned": 0, "complete": False} if promised else {"returned": 0, "complete": True, "total": 0}
    )
    (note,) = answer.structure["notes"]
    assert str(call.id) in note
    assert_says(note, says)


async def test_nothing_is_claimed_of_a_call_of_which_nothing_could_be_read(own: Dataset) -> None:
    call = own.add_call()
    async with context_for(AlteredLiner(DemoLiner(own), status_by_pattern={CALL: 500})) as context:
        with pytest.raises(LinerUnavailable):
            await ask(context, call.id)
    async with context_for(AlteredLiner(DemoLiner(own), status_by_pattern={CALL: 500, RECORDS: 404})) as context:
        with pytest.raises(LinerUnavailable):
            await ask(context, call.id)


# The call's own facts deviate ----------------------------------------------------------------------------------------


async def test_a_fact_of_the_call_that_liner_does_not_send_is_named(own: Dataset) -> None:
    call_id = add_plain_calls(own, 1)[0]
    missing = {"userId", "talkTimeDurationSeconds", "createdAt"}

    def without(data: Any) -> Any:
        return {name: value for name, value in data.items() if name not in missing}

    async with context_for(AlteredLiner(DemoLiner(own), change_by_pattern={CALL: without})) as context:
        answer = await ask(context, call_id)
    facts = answer.structure["call"]
    assert (facts["agent_id"], facts["date"], facts["talk_seconds"]) == (None, None, None)
    assert facts["lead_id"] is not None
    assert_says(answer.structure["notes"], "liner_sent_no_value_for_the_calls", facts="agent_id, date, talk_seconds")


async def test_listed_records_of_a_call_that_is_said_to_have_none_are_shown_and_the_contradiction_is_named(
    own: Dataset,
) -> None:
    call_id = add_plain_calls(own, 1)[0]
    denied = AlteredLiner(DemoLiner(own), change_by_pattern={CALL: lambda data: {**data, "hasRecords": False}})
    async with context_for(denied) as context:
        answer = await ask(context, call_id)
    assert len(rows_of(answer)) == 1
    assert answer.structure["notes"] == [recorded("liner_lists_recordings_and_says_none", call_id=call_id)]


# Something fails --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 422, 500])
async def test_records_are_told_when_the_calls_own_facts_cannot_be_read(own: Dataset, status: int) -> None:
    call_id = long_call(own, 3)
    async with context_for(AlteredLiner(DemoLiner(own), status_by_pattern={CALL: status})) as context:
        answer = await ask(context, call_id)
    assert [row["record_id"] for row in rows_of(answer)] == by_age(own.records_of(call_id))
    assert "call" not in answer.structure
    assert answer.structure["notes"] == [recorded("the_calls_own_facts_could_not")]


async def test_records_that_cannot_be_read_are_the_error(own: Dataset) -> None:
    call_id = long_call(own, 3)
    async with context_for(AlteredLiner(DemoLiner(own), status_by_pattern={RECORDS: 500})) as context:
        with pytest.raises(LinerUnavailable):
            await ask(context, call_id)


async def test_a_refused_token_is_the_error(own: Dataset) -> None:
    async with context_for(DemoLiner(own, token="other")) as context:
        with pytest.raises(AccessRefused):
            await ask(context, long_call(own, 3))


@pytest.mark.virtual_time
async def test_records_that_came_in_time_are_told_though_the_call_did_not(own: Dataset) -> None:
    call_id = long_call(own, 3)
    async with context_for(AlteredLiner(DemoLiner(own), blocked=CALL)) as context:
        with anyio.fail_after(1.0):
            answer = await ask(context, call_id)
    assert len(answer.structure["rows"]) == 3
    assert_says(answer.structure["notes"][0], "facts_could_not_be_read")


@pytest.mark.virtual_time
async def test_nothing_that_came_in_time_is_a_deadline_passed(own: Dataset) -> None:
    call_id = long_call(own, 3)
    async with context_for(AlteredLiner(DemoLiner(own), blocked="/v2/call")) as context:
        with pytest.raises(DeadlineExceeded), anyio.fail_after(1.0):
            await ask(context, call_id)


async def test_names_that_cannot_be_read_leave_the_ids_and_a_note(own: Dataset) -> None:
    call_id = long_call(own, 2)
    async with context_for(AlteredLiner(DemoLiner(own), status_by_pattern={USERS: 500, ORDERS: 403})) as context:
        answer = await ask(context, call_id)
    assert answer.structure["names"].keys() == {"statuses"}
    assert rows_of(answer)[0]["agent_id"] == answer.structure["call"]["agent_id"] == 101
    (note,) = answer.structure["notes"]
    assert_says(note, "agents_and_orders")
    assert "statuses" not in note


async def test_no_status_dictionary_leaves_the_code_which_says_enough(own: Dataset) -> None:
    call_id = long_call(own, 2)
    async with context_for(AlteredLiner(DemoLiner(own), status_by_pattern={STATUSES: 404})) as context:
        structure = (await ask(context, call_id)).structure
    assert structure["call"]["status"] == "conversation_completed"
    assert structure["names"].keys() == {"agents", "orders"}


async def test_a_record_whose_detail_fails_is_marked_and_told_only_on_its_own_page(own: Dataset) -> None:
    call_id = long_call(own, 4)
    *others, last = by_age(own.records_of(call_id))
    faulty = AlteredLiner(FakeLiner(own, record_list="short"), status_by_pattern={f"{DETAIL}/{last}/": 500})
    async with context_for(faulty) as context:
        whole = await ask(context, call_id)
        smallest = await ask(context, call_id, limit=4, budget=whole.size - 1)
        final = await ask(context, cursor=smallest.structure["page"]["next_cursor"])
    assert [row["summary_state"] for row in rows_of(whole)] == ["ready"] * len(others) + ["failed"]
    assert [row["agent_id"] for row in rows_of(whole)] == [101] * 4, "the call tells whose record it is"
    assert (whole.structure["retry"], whole.structure["page"]["complete"]) == ([last], False)
    assert_says(whole.structure["notes"][0], "could_not_be_read")

    assert last not in [row["record_id"] for row in rows_of(smallest)]
    assert "retry" not in smallest.structure
    assert "notes" not in smallest.structure, "nothing on this page failed"
    assert (final.structure["retry"], final.structure["page"]["complete"]) == ([last], False)


async def test_a_detail_without_the_field_of_the_summary_does_not_show_that_there_is_none(own: Dataset) -> None:
    call_id = long_call(own, 1)
    (record,) = own.records_of(call_id)

    def without(data: Any) -> Any:
        del data["recordSummary"]
        return data

    async with context_for(
        AlteredLiner(FakeLiner(own, record_list="short"), change_by_pattern={DETAIL: without})
    ) as context:
        answer = await ask(context, call_id)
    assert [row["summary_state"] for row in rows_of(answer)] == ["failed"]
    assert answer.structure["page"]["complete"] is False
    assert answer.structure["retry"] == [record.id]


async def test_no_agent_is_said_of_a_call_that_had_none(own: Dataset) -> None:
    call = own.add_call(agent=None)
    own.add_record(call.id, user_id=None, summary="Ответил автоответчик.")
    async with context_for(DemoLiner(own)) as context:
        answer = await ask(context, call.id)
    assert rows_of(answer)[0]["agent_id"] is None
    assert answer.structure["names"]["agents"] == {"null": "no agent"}


async def test_no_agent_is_not_said_where_the_agent_could_not_be_read(own: Dataset) -> None:
    call_id = long_call(own, 1)
    async with context_for(
        AlteredLiner(FakeLiner(own, record_list="short"), status_by_pattern={CALL: 500, DETAIL: 500})
    ) as context:
        answer = await ask(context, call_id)
    assert [(row["agent_id"], row["summary_state"]) for row in rows_of(answer)] == [(None, "failed")]
    assert "names" not in answer.structure


async def test_two_agents_of_one_name_can_be_told_apart(own: Dataset) -> None:
    call = own.add_call(agent=102)
    own.add_record(call.id)
    own.add_record(call.id, user_id=103, is_transfer=True)
    async with context_for(DemoLiner(own)) as context:
        answer = await ask(context, call.id)
    assert answer.structure["names"]["agents"] == {"102": "Анна Смирнова #102", "103": "Анна Смирнова #103"}
    assert [(row["agent_id"], row["transfer"]) for row in rows_of(answer)] == [(102, 0), (103, 1)]


async def test_a_count_that_is_never_reached_is_told_and_is_no_total(own: Dataset) -> None:
    call_id = long_call(own, 3)
    async with context_for(AlteredLiner(DemoLiner(own), change_by_pattern={RECORDS: with_total(5)})) as context:
        answer = await ask(context, call_id)
    page = answer.structure["page"]
    assert (page["returned"], page["complete"], page["liner_total"]) == (3, False, 5)
    assert "total" not in page
    assert_says(answer.structure["notes"], "counts_5_records_3_could_be_read")


@pytest.mark.virtual_time
async def test_a_list_that_time_did_not_suffice_for_says_that_a_cursor_may_miss_some(own: Dataset) -> None:
    call_id = long_call(own)
    async with context_for(AlteredLiner(DemoLiner(own), blocked="offset=100")) as context:
        with anyio.fail_after(1.0):
            answer = await ask(context, call_id)
    page = answer.structure["page"]
    assert (page["returned"], page["complete"], page["liner_total"]) == (25, False, 250)
    (note,) = answer.structure["notes"]
    assert_says(note, "counts_250_records_150_could_be_read")


async def test_the_address_of_the_audio_never_leaves(own: Dataset) -> None:
    call_id = long_call(own, 3)
    for version in ("full", "short"):
        async with context_for(FakeLiner(own, record_list=version)) as context:
            assert ".mp3" not in (await ask(context, call_id)).text


@pytest.mark.virtual_time
@pytest.mark.parametrize("late", [1, 2])
async def test_a_summary_that_did_not_come_in_time_is_not_asked_and_the_next_page_begins_with_it(
    own: Dataset, late: int
) -> None:
    call_id = long_call(own, 4)
    ids = by_age(own.records_of(call_id))
    liner = AlteredLiner(FakeLiner(own, record_list="short"), blocked=f"{DETAIL}/{ids[late]}/")
    async with context_for(liner) as context:
        with anyio.fail_after(1.0):
            answer = await ask(context, call_id)
        liner.blocked = None
        rest = await ask(context, cursor=answer.structure["page"]["next_cursor"])
    assert [row["record_id"] for row in rows_of(answer)] == ids
    assert [row["summary_state"] for row in rows_of(answer)] == [
        "not_asked" if one == ids[late] else "ready" for one in ids
    ]
    assert "retry" not in answer.structure, "nothing was tried and failed"
    assert answer.structure["page"]["complete"] is False
    assert_says(answer.structure["notes"], "time_was_up")
    assert [(row["record_id"], row["summary_state"]) for row in rows_of(rest)] == [(one, "ready") for one in ids[late:]]


@pytest.mark.virtual_time
async def test_a_page_that_begins_with_a_late_summary_is_asked_again_as_a_whole(own: Dataset) -> None:
    call_id = long_call(own, 3)
    ids = by_age(own.records_of(call_id))
    liner = AlteredLiner(FakeLiner(own, record_list="short"), blocked=f"{DETAIL}/{ids[0]}/")
    async with context_for(liner) as context:
        with anyio.fail_after(1.0):
            first = await ask(context, call_id)
        liner.blocked = None
        again = await ask(context, cursor=first.structure["page"]["next_cursor"])
    assert [row["summary_state"] for row in rows_of(first)] == ["not_asked", "ready", "ready"]
    assert [row["record_id"] for row in rows_of(again)] == ids
    assert again.structure["page"] == {"returned": 3, "complete": True, "total": 3}


@pytest.mark.virtual_time
async def test_no_summary_in_time_is_a_deadline_passed(own: Dataset) -> None:
    call_id = long_call(own, 3)
    async with context_for(AlteredLiner(FakeLiner(own, record_list="short"), blocked=DETAIL)) as context:
        with pytest.raises(DeadlineExceeded), anyio.fail_after(1.0):
            await ask(context, call_id)
