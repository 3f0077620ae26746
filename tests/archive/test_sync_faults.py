"""Whatever Liner does wrong, what the archive says it covers is what Liner holds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from liner_mcp.archive.connection import Location
from liner_mcp.archive.spans import Span
from liner_mcp.archive.verify import verify
from liner_mcp.demo import Dataset
from tests.conftest import NOW
from tests.fakes import FAULTS, FakeLiner, Fault, Share
from tests.fakes.faults import Bomb, Huge
from tests.support.sync import covered_spans, opened, run_sync

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

SHRINKS = "a list that shrinks"
QUICK = [name for name, kind in FAULTS.items() if not isinstance(kind, (Bomb, Huge))]  # the others are of the transport
CALLS, RECORDS = r"^/v2/call/?\?", "callId="
# A list of recordings that is shorter and says so is what Liner holds at that moment.
CASES = [(name, where) for where in (CALLS, RECORDS) for name in QUICK if (name, where) != (SHRINKS, RECORDS)]


@pytest.fixture(scope="module")
def busy() -> Dataset:
    """A day of one order has a list of several pages. Most of its calls have no recording, which saves requests."""
    dataset = Dataset.generate(now=NOW, days=3, calls=60)
    for minute in range(250):
        dataset.add_call(created_at=NOW - timedelta(hours=20, minutes=minute))
    return dataset


def is_covered(spans: list[Span], second: float) -> bool:
    return any(span.since <= second < span.until for span in spans)


def assert_true(path: Location, dataset: Dataset) -> None:
    """Of the covered days, exactly Liner's calls and recordings are stored."""
    spans = covered_spans(path)
    expected = {
        call.id
        for call in dataset.calls.values()
        if is_covered(spans.get(call.order_id, []), call.created_at.timestamp())
    }
    with opened(path) as connection:
        assert {row["id"] for row in connection.rows("SELECT id FROM call")} == expected
        stored = {(row["call_id"], row["id"]) for row in connection.rows("SELECT call_id, id FROM record")}
        silent = {row["id"] for row in connection.rows("SELECT id FROM record WHERE record_summary IS NULL")}
        assert verify(connection) == []
    records = [record for one in expected for record in dataset.records_of(one)]
    assert stored == {(record.call_id, record.id) for record in records}
    assert silent == {record.id for record in records if record.summary is None}


@pytest.mark.parametrize(("name", "where"), CASES)
async def test_what_is_covered_is_true_under_every_fault(name: str, where: str, path: Location, busy: Dataset) -> None:
    liner = FakeLiner(busy, faults=[Fault(FAULTS[name], where, Share(0.2))])
    await run_sync(liner, path, since=NOW - timedelta(days=2))
    assert_true(path, busy)
    liner.faults = []
    assert (await run_sync(liner, path, since=NOW - timedelta(days=2))).whole
    assert_true(path, busy)
