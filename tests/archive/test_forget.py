"""Forgotten calls: no byte of their texts is left in any file, and no sync brings them back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from liner_mcp.archive.connection import Connection, Location
from liner_mcp.archive.database import create, open_connection
from liner_mcp.archive.forget import erase, forget_before, forget_call, forget_lead
from liner_mcp.archive.verify import verify
from liner_mcp.archive.writer import Writer
from liner_mcp.demo import Dataset
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.support.sync import SOURCE, ZONE, call_ids, content_of, files_with, opened, run_sync

pytestmark = pytest.mark.anyio

MIDNIGHT = datetime(2026, 11, 20, tzinfo=ZONE.info).astimezone(UTC)
DAY = timedelta(days=1)
SAID = "Клиент Зюзюкинский просит брынзопродукт"
# Its own words, as they stand in the text and as stems in the index of words.
TRACES = ("Зюзюкинский", "брынзопродукт", "зюзюкинск")


@pytest.fixture
def dataset() -> Dataset:
    return Dataset.generate(now=NOW, days=12, calls=240)


def add_call(dataset: Dataset, **fields: object) -> int:
    """A call whose summary holds words that no other text has."""
    call = dataset.add_call(created_at=MIDNIGHT - 3 * DAY, **fields)
    dataset.add_record(call.id, summary=SAID)
    return call.id


def writer_of(connection: Connection) -> Writer:
    return Writer(connection, phones=False)


def size_of(path: Path) -> int:
    return path.stat().st_size


def assert_gone(path: Location) -> None:
    assert [name for trace in TRACES for name in files_with(path, trace)] == []
    with opened(path) as connection:
        assert verify(connection) == []


async def test_a_forgotten_lead_leaves_no_byte_and_does_not_come_back(path: Location, dataset: Dataset) -> None:
    lead = next(iter(dataset.leads.values()))
    calls = [add_call(dataset, lead=lead) for _ in range(3)]
    liner = FakeLiner(dataset)
    await run_sync(liner, path)
    assert files_with(path, TRACES[0])
    with opened(path) as connection:
        deleted, _ = forget_lead(connection, writer_of(connection), lead.id, NOW)
        assert deleted >= 3
        assert erase(connection)
    assert_gone(path)
    await run_sync(liner, path, again=True)
    assert not call_ids(path) & set(calls)
    assert_gone(path)
    new = dataset.add_call(created_at=NOW + timedelta(hours=1), lead=lead)
    await run_sync(liner, path, now=NOW + 2 * DAY)
    assert new.id in call_ids(path)  # what the lead says later is new


async def test_a_forgotten_call_does_not_come_back_and_the_others_of_its_lead_stay(
    path: Location, dataset: Dataset
) -> None:
    lead = next(iter(dataset.leads.values()))
    call = add_call(dataset, lead=lead)
    other = dataset.add_call(created_at=MIDNIGHT - 2 * DAY, lead=lead)
    liner = FakeLiner(dataset)
    await run_sync(liner, path)
    with opened(path) as connection:
        assert forget_call(connection, writer_of(connection), call) == (1, 1)
        assert erase(connection)
    assert_gone(path)
    await run_sync(liner, path, again=True)
    assert call not in call_ids(path)
    assert other.id in call_ids(path)
    tombstone = next(one for one in content_of(path)["forgotten_call"] if one["id"] == call)
    assert tombstone["created_at"] is not None
    assert content_of(path)["forgotten_record"]


async def test_everything_before_a_day_is_forgotten(path: Location, dataset: Dataset) -> None:
    add_call(dataset)
    liner = FakeLiner(dataset)
    await run_sync(liner, path)
    with opened(path) as connection:
        forget_before(connection, writer_of(connection), MIDNIGHT - 2 * DAY)
        assert erase(connection)
    assert_gone(path)
    left = {one.id for one in dataset.calls.values() if MIDNIGHT - 2 * DAY <= one.created_at < MIDNIGHT}
    assert call_ids(path) == left
    await run_sync(liner, path, again=True)
    assert call_ids(path) == left


async def test_a_recording_of_a_forgotten_lead_in_anothers_call_is_forgotten_too(
    path: Location, dataset: Dataset
) -> None:
    lead, other = list(dataset.leads.values())[:2]
    call = dataset.add_call(created_at=MIDNIGHT - 3 * DAY, lead=other)
    dataset.add_record(call.id, summary="Обычный разговор.")
    dataset.add_record(call.id, summary=SAID, lead_id=lead.id, is_transfer=True)
    liner = FakeLiner(dataset)
    await run_sync(liner, path)
    assert call.id in call_ids(path)
    with opened(path) as connection:
        forget_lead(connection, writer_of(connection), lead.id, NOW)
        assert erase(connection)
    assert_gone(path)
    await run_sync(liner, path, again=True)
    assert call.id not in call_ids(path)


async def test_what_is_forgotten_before_the_first_sync_is_never_stored(path: Location, dataset: Dataset) -> None:
    lead = next(iter(dataset.leads.values()))
    calls = {add_call(dataset, lead=lead), add_call(dataset)}
    with closing(create(path, source=SOURCE, phones=False)) as connection:
        assert forget_lead(connection, writer_of(connection), lead.id, NOW) == (0, 0)
        assert forget_call(connection, writer_of(connection), max(calls)) == (0, 0)
        assert erase(connection)
    await run_sync(FakeLiner(dataset), path)
    assert not call_ids(path) & calls
    assert_gone(path)


async def test_while_another_process_reads_the_texts_stay_and_that_is_reported(
    path: Location, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liner_mcp.archive.connection.READER_MILLISECONDS", 50)
    call = add_call(dataset)
    await run_sync(FakeLiner(dataset), path)
    with closing(open_connection(path, source=SOURCE)) as reader, opened(path) as connection:
        with reader.reading():
            before = reader.rows("SELECT count(*) AS n FROM call")
            forget_call(connection, writer_of(connection), call)
            assert not erase(connection)
            assert reader.rows("SELECT count(*) AS n FROM call") == before  # it sees one moment
            assert files_with(path, TRACES[0])
        connection.tidy(removed=False)
        assert files_with(path, TRACES[0]) == []
    assert_gone(path)


async def test_many_rows_that_were_split_and_deleted_leave_no_byte(path: Location, dataset: Dataset) -> None:
    """Pages that were split keep copies of rows in their unused part, so the whole file is rewritten."""
    forgotten = [add_call(dataset) for _ in range(150)]
    for number in range(300):
        call = dataset.add_call(created_at=MIDNIGHT - 3 * DAY + timedelta(seconds=number))
        dataset.add_record(call.id, summary=f"Клиент номер {number} ждёт подборку квартир и просит перезвонить. " * 5)
    await run_sync(FakeLiner(dataset), path)
    with opened(path) as connection:
        for call_id in forgotten:
            forget_call(connection, writer_of(connection), call_id)
        assert erase(connection)
        for trace in TRACES:  # also while the writer is still there
            assert files_with(path, trace) == []
    assert_gone(path)


async def test_the_file_shrinks_and_stays_readable_for_other_programs(file: Path, dataset: Dataset) -> None:
    for _ in range(200):
        add_call(dataset)
    await run_sync(FakeLiner(dataset), file)
    size = size_of(file)
    with opened(file) as connection:
        forget_before(connection, writer_of(connection), MIDNIGHT)
        assert erase(connection)
    assert size_of(file) < size / 2
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("SELECT count(*) FROM call").fetchone() == (0,)
