"""What an archive file holds after a day was written, and which files are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from liner_mcp.archive.connection import Connection, Location
from liner_mcp.archive.database import Database, WrongArchive, create, open_connection
from liner_mcp.archive.queries import Selection, calls, coverage, records_of_call
from liner_mcp.archive.spans import Span
from liner_mcp.archive.writer import Writer
from liner_mcp.liner.endpoints import CallFilter
from liner_mcp.liner.models import Call, CallRecord
from liner_mcp.liner.restricted_client import Access

pytestmark = pytest.mark.anyio

SOURCE = "https://liner.example.com"
MOMENT = datetime(2026, 11, 20, 10, tzinfo=UTC)
DAY = Span(int(MOMENT.timestamp()) - 36_000, int(MOMENT.timestamp()) + 50_400)
CALL = Call.model_validate({"id": 1, "orderId": 7, "userId": None, "createdAt": "2026-11-20T10:00:00.123Z"})
RECORD = CallRecord.model_validate(
    {"id": 9, "recordSummary": "Просит ипотеку, +7 926 123-45-67", "fileUrl": "https://files.example.com/9.mp3"}
)


def write(connection: Connection, *, phones: bool = False) -> None:
    writer = Writer(connection, phones=phones)
    writer.replace_span(7, DAY, [CALL], {1: [RECORD]}, synced_at=MOMENT, settled=True)


async def test_a_call_comes_back_as_liner_sent_it(path: Location) -> None:
    connection = create(path, source=SOURCE, phones=False)
    write(connection)
    write(connection)  # a day is replaced, not doubled
    which = CallFilter(MOMENT, MOMENT, order_ids=(7,))
    database = Database(path, SOURCE)
    selection = Selection(which, {7: [DAY]}, Access())
    found = await database.read(lambda reader: calls(reader, selection))
    assert found == [CALL]
    assert found[0].model_fields_set == CALL.model_fields_set
    (record,) = await database.read(lambda reader: records_of_call(reader, 1))
    assert record.record_summary == "Просит ипотеку, +7 *** ***-**-67"
    covered = await database.read(lambda reader: coverage(reader, [7, 8], DAY))
    assert [(one.order_id, one.span) for one in covered] == [(7, DAY)]
    database.close()
    connection.close()


def test_the_files_hold_no_phone_and_no_link(file: Path) -> None:
    connection = create(file, source=SOURCE, phones=False)
    write(connection)
    connection.close()
    content = b"".join(one.read_bytes() for one in file.parent.iterdir())
    assert "ипотеку".encode() in content
    assert b"123-45" not in content
    assert b"files.example.com" not in content


def test_a_part_of_a_span_that_is_read_again_is_covered_once(path: Location) -> None:
    connection = create(path, source=SOURCE, phones=False)
    write(connection)
    middle = Span(DAY.since + 3_600, DAY.until - 3_600)
    writer = Writer(connection, phones=False)
    writer.replace_span(7, middle, [], {}, synced_at=MOMENT + timedelta(hours=1), settled=False)
    found = coverage(connection, [7], DAY)
    assert [one.span for one in found] == [Span(DAY.since, middle.since), middle, Span(middle.until, DAY.until)]
    assert connection.rows("SELECT id FROM call") == []
    connection.close()


def test_an_archive_of_another_account_is_refused(path: Location) -> None:
    create(path, source=SOURCE, phones=False).close()
    with pytest.raises(WrongArchive, match="is a copy of"):
        open_connection(path, source="demo")


def test_a_file_that_others_can_read_is_refused(file: Path) -> None:
    create(file, source=SOURCE, phones=False).close()
    file.chmod(0o644)
    with pytest.raises(WrongArchive, match="chmod 600"):
        open_connection(file, source=SOURCE)


def test_a_file_that_is_no_database_is_refused(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"calls, but not in a database" * 100)
    file.chmod(0o600)
    with pytest.raises(WrongArchive, match="is not a database"):
        open_connection(file, source=SOURCE)
