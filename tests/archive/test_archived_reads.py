"""What tools answer with an archive: what it costs, what is stated, and what happens when Liner or the file fails."""

# ruff: noqa: ASYNC240 - the tests change the file while the server runs; nothing else waits for the disk

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from liner_mcp.archive.connection import Location
from liner_mcp.archive.database import open_connection
from liner_mcp.archive.spans import Span
from liner_mcp.archive.writer import Writer
from liner_mcp.demo import Dataset
from liner_mcp.demo.entities import Call
from liner_mcp.liner.models import NO_LINK, User
from tests.archive.conftest import NewArchive
from tests.archive.sessions import ask, comparable, opened, read
from tests.conftest import NOW, text_of
from tests.fakes import FakeLiner, Fault
from tests.fakes.faults import Latency, Status
from tests.support.archive import EVERYTHING, LAST_MIDNIGHT, SOURCE, fill
from tests.support.context import rows_of
from tests.support.sentences import assert_says

pytestmark = pytest.mark.anyio

CLOSED = Span(EVERYTHING.since, LAST_MIDNIGHT)
MIDNIGHT = "2026-11-20T03:00+03:00"
SYNCED = "2026-11-20T18:00+03:00"
DOWN = Fault(Status(503))


@pytest.fixture
def own() -> Dataset:
    return Dataset.generate(now=NOW, days=5, calls=150)


@pytest.fixture
def archive(path: Location, own: Dataset) -> Location:
    """All closed days of all orders, synced a moment ago."""
    return fill(path, own, {order.id: [CLOSED] for order in own.orders})


@pytest.fixture
def archive_file(file: Path, own: Dataset) -> Path:
    """The same in a file."""
    return fill(file, own, {order.id: [CLOSED] for order in own.orders})


def write(archive: Location, statement: str, *values: Any) -> None:
    with closing(open_connection(archive, source=SOURCE, writable=True)) as connection:
        connection.rows(statement, values)


def first(dataset: Dataset, fits: Callable[[Call], bool]) -> Call:
    return next(call for call in dataset.calls.values() if fits(call))


def recorded(dataset: Dataset, *, archived: bool = True) -> Call:
    """A call with a summary, of a closed day or of today."""
    return first(
        dataset,
        lambda call: (
            (call.created_at.timestamp() < LAST_MIDNIGHT) is archived
            and any(record.summary for record in dataset.records_of(call.id))
        ),
    )


# Requests -------------------------------------------------------------------------------------------------------------


async def test_a_covered_window_costs_no_request(own: Dataset, archive: Location) -> None:
    call = recorded(own)
    record = own.records_of(call.id)[0]
    covered = {"since": "2026-11-17", "until": "2026-11-18"}
    questions: list[tuple[str, dict[str, Any]]] = [
        ("find_calls", {**covered, "limit": 10}),
        ("find_calls", {**covered, "transferred": True}),
        ("find_calls", {**covered, "include": ["summary"], "mentions": "клиент"}),
        ("find_calls", {**covered, "statuses": ["transferred"]}),
        ("call_stats", {**covered, "group_by": ["agent"], "include": ["records"]}),
        ("list_call_records", {"call_id": call.id}),
        ("get_call_summaries", {"call_ids": [call.id]}),
        ("get_call_record", {"record_id": record.id}),
        ("check_quotes", {"quotes": [{"record_id": record.id, "quote": "клиент"}]}),
        ("list_directory", {"kind": "agents"}),
    ]
    async with opened(own, archive=archive) as (session, liner):
        for tool, arguments in questions:
            await session.answer(tool, **arguments)
        assert liner.requests == []


async def test_of_orders_of_different_coverage_only_the_uncovered_are_requested(own: Dataset, path: Location) -> None:
    archive = fill(path, own, {201: [EVERYTHING], 202: [CLOSED]})
    async with opened(own, archive=archive) as (session, liner):
        await session.answer("call_stats", since="2026-11-18", orders=[201, 202, 203], group_by=["order"])
    asked = {target.partition("&orderIds%5B%5D=")[2].partition("&offset")[0] for target in liner.requests}
    assert {one for one in asked if one} == {"202", "203"}


async def test_dictionaries_that_are_older_than_a_minute_are_read_from_liner(own: Dataset, path: Location) -> None:
    archive = fill(path, own, synced_at=NOW - timedelta(seconds=61))
    async with opened(own, archive=archive) as (session, liner):
        await session.answer("find_calls", since="2026-11-17", until="2026-11-18")
    assert not liner.count("/v2/call/?")
    assert liner.count("/v2/order/") == liner.count("/v2/user/") == 1


# What is stated -------------------------------------------------------------------------------------------------------


async def test_an_answer_states_what_is_archived(own: Dataset, archive: Location) -> None:
    call = recorded(own)
    async with opened(own, archive=archive) as (session, _):
        mixed = await session.answer("call_stats", since="2026-11-18")
        covered = await session.answer("find_calls", since="2026-11-17", until="2026-11-17")
        live = await session.answer("find_calls", since="-2h")
        summaries = await session.answer("get_call_summaries", call_ids=[call.id])
        record = await session.answer("get_call_record", record_id=own.records_of(call.id)[0].id)
    assert (mixed["page"]["archived_until"], mixed["page"]["synced_at"]) == (MIDNIGHT, SYNCED)
    assert covered["page"]["archived_until"] == "2026-11-18T00:00+03:00"
    assert not {"archived_until", "synced_at"} & live["page"].keys()
    assert summaries["page"]["synced_at"] == record["record"]["synced_at"] == SYNCED
    assert "archived_until" not in summaries["page"]


async def test_the_oldest_sync_is_stated(own: Dataset, path: Location) -> None:
    archive = fill(path, own, {201: [CLOSED]}, synced_at=NOW - timedelta(days=3))
    with closing(open_connection(archive, source=SOURCE, writable=True)) as connection:
        Writer(connection, phones=False).replace_span(202, CLOSED, [], {}, synced_at=NOW, settled=True)
    async with opened(own, archive=archive) as (session, _):
        answers = [
            await session.answer("call_stats", since="2026-11-17", until="2026-11-18", orders=orders)
            for orders in ([201, 202], [202])
        ]
    assert [one["page"]["synced_at"] for one in answers] == ["2026-11-17T18:00+03:00", SYNCED]


async def test_an_agent_who_left_has_a_name(own: Dataset, archive: Location) -> None:
    call = own.add_call(agent=777, created_at=NOW - timedelta(days=1))
    with closing(open_connection(archive, source=SOURCE, writable=True)) as connection:
        writer = Writer(connection, phones=False)
        left = User.model_validate({"id": 777, "name": "Вера", "lastName": "Ушедшая"})
        writer.write_dictionary("users", [left], synced_at=NOW - timedelta(days=1), complete=False)
    async with opened(own, archive=archive) as (session, _):
        answer = await session.answer("find_calls", since="2026-11-19", until="2026-11-19", agents=[777])
        agents = await session.answer("list_directory", kind="agents")
    assert call.order_id == 201
    assert answer["names"]["agents"]["777"] == "Вера Ушедшая"
    assert 777 not in {row["id"] for row in rows_of(agents)}


# When Liner fails -----------------------------------------------------------------------------------------------------


@pytest.mark.virtual_time
async def test_while_liner_is_down_covered_windows_have_the_same_answers(own: Dataset, archive: Location) -> None:
    call = recorded(own)
    questions: list[tuple[str, dict[str, Any]]] = [
        ("find_calls", {"since": "2026-11-17", "until": "2026-11-18", "transferred": True}),
        ("call_stats", {"since": "2026-11-17", "until": "2026-11-18", "group_by": ["agent"]}),
        ("list_call_records", {"call_id": call.id}),
    ]
    async with opened(own) as (live, _), opened(FakeLiner(own, faults=[DOWN]), archive=archive) as (archived, _):
        for question in questions:
            assert await ask(archived, question) == await ask(live, question)


@pytest.mark.virtual_time
@pytest.mark.parametrize("fault", [DOWN, Fault(Status(401)), Fault(Latency(float("inf")))])
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("find_calls", {}),
        ("find_calls", {"limit": 200}),
        ("find_calls", {"sort": "longest_talk"}),
        ("find_calls", {"sample": 5, "seed": "1"}),
        ("call_stats", {"group_by": ["day"]}),
    ],
)
async def test_while_liner_fails_the_archived_part_is_given_and_the_rest_is_named(
    own: Dataset, archive: Location, fault: Fault, tool: str, arguments: dict[str, Any]
) -> None:
    async with opened(FakeLiner(own, faults=[fault]), archive=archive) as (session, _):
        answer = await session.answer(tool, since="2026-11-18", **arguments)
    page = answer["page"]
    assert answer["rows"]
    assert not page["complete"]
    assert page.get("archived_until", MIDNIGHT) == MIDNIGHT
    assert not {"total", "liner_total", "population"} & page.keys()
    assert any(note.startswith(f"{MIDNIGHT} to {SYNCED} could not be read from Liner") for note in answer["notes"])


@pytest.mark.virtual_time
async def test_while_liner_is_down_old_dictionaries_are_used_and_doubted(own: Dataset, path: Location) -> None:
    archive = fill(path, own, synced_at=NOW - timedelta(hours=1))
    async with opened(FakeLiner(own, faults=[DOWN]), archive=archive) as (session, _):
        by_id = await session.answer("find_calls", since="2026-11-17", until="2026-11-18", orders=[201])
        every = await session.answer("find_calls", since="2026-11-17", until="2026-11-18")
        agents = await session.answer("list_directory", kind="agents")
    assert by_id["page"]["complete"]
    assert by_id["names"]["agents"]
    assert not every["page"]["complete"]
    assert_says(every["notes"][0], "list_of_orders_could_not_be_read_again")
    assert not agents["page"]["complete"]


# What was forgotten ---------------------------------------------------------------------------------------------------


def forget(archive: Location, dataset: Dataset, call: Call) -> None:
    """As the command does: rows are deleted, ids are noted."""
    with closing(open_connection(archive, source=SOURCE, writable=True)) as connection:
        Writer(connection, phones=False).delete_calls([call.id])
        created = int(call.created_at.timestamp() * 1_000_000)
        values = (call.id, created, call.order_id, call.user_id)
        connection.rows("INSERT INTO forgotten_call VALUES (?, ?, ?, ?)", values)
        records = [(one.id, call.id) for one in dataset.records_of(call.id)]
        connection.run_many("INSERT INTO forgotten_record VALUES (?, ?)", records)


@pytest.mark.parametrize("archived", [True, False])
async def test_a_forgotten_call_is_in_no_answer(own: Dataset, archive: Location, archived: bool) -> None:
    call = recorded(own, archived=archived)
    record = next(record for record in own.records_of(call.id) if record.summary)
    day = {"since": "2026-11-14"}
    async with opened(own) as (session, _):
        before = await session.answer("call_stats", **day)
    forget(archive, own, call)
    async with opened(own, archive=archive, audio="url") as (session, liner):
        stats = await session.answer("call_stats", **day)
        found = await session.answer("find_calls", **day, limit=200)
        summaries = await session.answer("get_call_summaries", call_ids=[call.id])
        quotes = await session.answer("check_quotes", quotes=[{"record_id": record.id, "quote": "клиент"}])
        liner.requests.clear()
        refusals = [
            await session.refusal("list_call_records", call_id=call.id),
            await session.refusal("get_call_record", record_id=record.id),
            await read(session, f"liner://calls/{call.id}"),
            await read(session, f"liner://call-records/{record.id}/summary"),
            await read(session, f"liner://call-records/{record.id}/audio"),
        ]
        assert liner.requests == []
    assert stats["totals"]["calls"] == before["totals"]["calls"] - 1
    assert stats["page"]["forgotten"] == found["page"]["forgotten"] == 1
    assert stats["page"]["complete"]
    assert call.id not in {row["call_id"] for row in rows_of(found)}
    assert found["page"]["total"] == stats["totals"]["calls"]
    assert [row["summary_state"] for row in rows_of(summaries)] == ["forgotten"]
    assert [row["state"] for row in rows_of(quotes)] == ["forgotten"]
    assert all("was forgotten on this server" in refusal for refusal in refusals), refusals
    assert (record.summary or "")[:20] not in json.dumps([summaries, quotes], ensure_ascii=False)


async def test_a_recording_that_is_being_played_ends_when_its_call_is_forgotten(
    own: Dataset, archive: Location
) -> None:
    call = recorded(own, archived=True)
    record_id = own.records_of(call.id)[0].id
    async with opened(own, archive=archive) as (session, _):
        first = await session.call("read_audio", record_id=record_id)
        forget(archive, own, call)
        second = await session.call("read_audio", record_id=record_id)
    assert not first.is_error
    assert "was forgotten on this server" in text_of(second)


async def test_the_earlier_calls_of_a_forgotten_lead_are_in_no_answer_and_its_later_ones_are(
    own: Dataset, archive: Location
) -> None:
    moment = NOW - timedelta(hours=5)
    call = recorded(own, archived=False)
    old = own.add_call(lead=call.lead_id, created_at=moment - timedelta(hours=2), has_records=True)
    new = own.add_call(lead=call.lead_id, created_at=moment + timedelta(hours=2), has_records=True)
    ids = [own.add_record(one.id, summary="Клиент просит перезвонить").id for one in (old, new)]
    write(archive, "INSERT INTO forgotten_lead VALUES (?, ?)", call.lead_id, int(moment.timestamp() * 1_000_000))
    async with opened(own, archive=archive) as (session, _):
        of_lead = await session.answer("find_calls", leads=[call.lead_id])
        today = await session.answer("find_calls", since="today", limit=200)
        summaries = await session.answer("get_call_summaries", call_ids=[old.id, new.id])
        quotes = [{"record_id": one, "quote": "Клиент просит"} for one in ids]
        quoted = await session.answer("check_quotes", quotes=quotes)
    for answer in (of_lead, today):
        shown = {row["call_id"] for row in rows_of(answer)}
        assert new.id in shown
        assert old.id not in shown
        assert answer["page"]["forgotten"] >= 1
    assert [row["summary_state"] for row in rows_of(summaries)] == ["forgotten", "ready"]
    assert [row["state"] for row in rows_of(quoted)] == ["forgotten", "exact"]


async def test_a_recording_of_a_forgotten_lead_in_anothers_call_that_is_not_archived_is_in_no_answer(
    own: Dataset, archive: Location
) -> None:
    lead, other = list(own.leads.values())[:2]
    call = own.add_call(lead=other, created_at=NOW - timedelta(hours=2), has_records=True)
    own.add_record(call.id, summary="Обычный разговор")
    own.add_record(call.id, summary="Клиент Зюзюкинский", lead_id=lead.id, is_transfer=True)
    write(archive, "INSERT INTO forgotten_lead VALUES (?, ?)", lead.id, int(NOW.timestamp() * 1_000_000))
    window = {"since": "-3h", "until": "-1h"}
    async with opened(own, archive=archive) as (session, _):
        records = await session.call("list_call_records", call_id=call.id)
        answers = [
            await session.answer("get_call_summaries", call_ids=[call.id]),
            await session.answer("find_calls", include=["summary"], limit=100, **window),
            await session.answer("find_calls", mentions="зюзюкинский", **window),
        ]
    assert "was forgotten on this server" in text_of(records)
    assert [row["summary_state"] for row in rows_of(answers[0])] == ["forgotten"]
    assert all("Зюзюкинский" not in str(answer["rows"]) for answer in answers)
    assert not any(answer["page"]["complete"] for answer in answers[1:])  # of a call that cannot be read


async def test_calls_before_a_forgotten_moment_are_in_no_answer(own: Dataset, path: Location) -> None:
    archive = fill(path, own, {})
    write(archive, "INSERT INTO forgotten_before VALUES (1, ?)", LAST_MIDNIGHT * 1_000_000)
    old = recorded(own)
    async with opened(own, archive=archive) as (session, _):
        stats = await session.answer("call_stats", since="2026-11-16", group_by=["day"])
        summaries = await session.answer("get_call_summaries", call_ids=[old.id])
    calls = [call for call in own.calls.values() if call.created_at.timestamp() >= LAST_MIDNIGHT]
    assert stats["totals"]["calls"] == len(calls)
    assert [row["summary_state"] for row in rows_of(summaries)] == ["forgotten"]


# The file -------------------------------------------------------------------------------------------------------------


async def test_before_the_first_sync_answers_are_live_and_say_nothing(own: Dataset, path: Location) -> None:
    question = ("find_calls", {"since": "2026-11-18"})
    async with opened(own) as (live, _), opened(own, archive=path) as (session, _):
        assert await session.answer(question[0], **question[1]) == await live.answer(question[0], **question[1])
        fill(path, own)
        synced = await session.answer(question[0], **question[1])
    assert synced["page"]["synced_at"] == SYNCED


async def test_with_a_file_that_cannot_be_used_each_call_says_so_until_it_is_mended(
    own: Dataset, archive_file: Path
) -> None:
    archive_file.chmod(0o644)
    async with opened(own, archive=archive_file) as (session, liner):
        for _ in range(2):
            assert_says(await session.refusal("find_calls", since="2026-11-18"), "other_users_of_this_machine_can")
        assert_says(await session.refusal("list_directory", kind="orders"), "other_users_of_this_machine_can")
        assert "can read" in await read(session, "liner://calls/7000001")
        assert liner.requests == []
        archive_file.chmod(0o600)
        assert (await session.answer("find_calls", since="2026-11-18"))["page"]["synced_at"]


async def test_a_file_that_is_built_anew_is_read(own: Dataset, archive_file: Path, tmp_path: Path) -> None:
    covered = {"since": "2026-11-17", "until": "2026-11-18"}
    async with opened(own, archive=archive_file) as (session, _):
        before = await session.answer("call_stats", **covered)
        call = first(own, lambda one: one.created_at.isoformat()[:10] == "2026-11-17")
        anew = fill(tmp_path / "anew.db", own, {order.id: [CLOSED] for order in own.orders})
        forget(anew, own, call)
        anew.rename(archive_file)
        after = await session.answer("call_stats", **covered)
    assert after["totals"]["calls"] == before["totals"]["calls"] - 1


async def test_an_archive_of_another_account_is_refused(own: Dataset, path: Location) -> None:
    archive = fill(path, own, source="https://liner.example.com")
    async with opened(own, archive=archive) as (session, liner):
        assert_says(await session.refusal("find_calls"), "is_a_copy_of")
        assert liner.requests == []


# Phones and audio -----------------------------------------------------------------------------------------------------


async def test_phones_are_shown_only_where_the_archive_holds_them_and_the_settings_allow_it(
    own: Dataset, new_archive: NewArchive
) -> None:
    call = recorded(own)
    question: dict[str, Any] = {"since": "2026-11-16", "until": "2026-11-19", "include": ["phone"], "limit": 200}
    shown: dict[tuple[bool, bool], bool] = {}
    for phones in (True, False):
        archive = fill(new_archive(), own, phones=phones)
        for show in (True, False):
            async with opened(own, archive=archive, show_phones=show) as (session, _):
                answer = await session.answer("find_calls", **question)
            shown[phones, show] = call.client_phone in json.dumps(answer)
    assert shown == {(True, True): True, (True, False): False, (False, True): False, (False, False): False}


async def test_audio_of_an_archived_record_is_requested_from_liner(own: Dataset, archive: Location) -> None:
    record = next(record for record in own.records_of(recorded(own).id) if record.has_file)
    uri = f"liner://call-records/{record.id}/audio"
    async with opened(own) as (live, _), opened(own, archive=archive) as (session, _):
        assert await read(session, uri) == await read(live, uri)


@pytest.mark.virtual_time
async def test_the_link_of_an_archived_record_is_that_of_liner_or_none(own: Dataset, archive: Location) -> None:
    record = next(record for record in own.records_of(recorded(own).id) if record.has_file)
    async with opened(own, archive=archive, audio="url") as (session, liner):
        answer = await session.answer("get_call_record", record_id=record.id)
        assert answer["record"]["audio_url"].endswith(f"/audio/{record.id}.mp3")
        liner.faults = [DOWN]
        without = await session.answer("get_call_record", record_id=record.id)
    assert NO_LINK not in json.dumps(without)
    assert "audio_url" not in without["record"]
    assert_says(without["notes"][0], "the_link_to_the_recording_could")
    assert comparable(without)["summary"] == answer["summary"]
