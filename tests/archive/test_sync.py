"""What a sync reads, stores and leaves uncovered, with a Liner that behaves and one that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import anyio
import pytest

from liner_mcp.archive.connection import Location
from liner_mcp.archive.database import WrongArchive
from liner_mcp.archive.forget import forget_lead
from liner_mcp.archive.pending import day_of
from liner_mcp.archive.verify import verify
from liner_mcp.archive.writer import Writer
from liner_mcp.demo import Dataset
from liner_mcp.demo.app import Scope, Send
from tests.archive.conftest import NewArchive
from tests.conftest import NOW
from tests.fakes import FakeLiner, Fault, First
from tests.fakes.blocking_liner import BlockingLiner
from tests.fakes.faults import Ignores, Status, Total
from tests.support.context import AlteredLiner
from tests.support.sync import ZONE, call_ids, content_of, covered_spans, opened, run_sync

pytestmark = pytest.mark.anyio

MIDNIGHT = datetime(2026, 11, 20, tzinfo=ZONE.info).astimezone(UTC)
YESTERDAY = day_of(date(2026, 11, 19), ZONE)
DAY = timedelta(days=1)


@pytest.fixture
def dataset() -> Dataset:
    """A dataset of its own, of twelve days."""
    return Dataset.generate(now=NOW, days=12, calls=240)


def closed_calls(dataset: Dataset, now: datetime = MIDNIGHT) -> set[int]:
    return {call.id for call in dataset.calls.values() if call.created_at < now}


def assert_sound(path: Location) -> None:
    with opened(path) as connection:
        assert verify(connection) == []


async def test_a_first_sync_stores_every_call_of_the_days_that_are_over(path: Location, liner: FakeLiner) -> None:
    report = await run_sync(liner, path, since=NOW - timedelta(days=42))
    assert report.whole
    assert call_ids(path) == closed_calls(liner.dataset)
    assert report.pending_days == 0
    spans = covered_spans(path)
    assert set(spans) == {order.id for order in liner.dataset.orders}
    assert {span.until for (span,) in spans.values()} == {int(MIDNIGHT.timestamp())}
    assert_sound(path)


async def test_a_day_is_over_an_hour_after_its_end(path: Location, liner: FakeLiner) -> None:
    await run_sync(liner, path, now=MIDNIGHT + timedelta(minutes=59))
    assert {span.until for (span,) in covered_spans(path).values()} == {YESTERDAY.span.since}


async def test_a_second_sync_asks_only_for_what_can_have_changed(path: Location, liner: FakeLiner) -> None:
    await run_sync(liner, path)
    before = content_of(path)
    liner.requests.clear()
    report = await run_sync(liner, path)
    week = [call for call in liner.dataset.calls.values() if MIDNIGHT - 7 * DAY - timedelta(hours=15) < call.created_at]
    without_summary = {
        call.id
        for call in week
        if not all(record.summary for record in liner.dataset.records_of(call.id)) and call.created_at < MIDNIGHT
    }
    young = {call.id for call in week if MIDNIGHT - timedelta(hours=9) < call.created_at < MIDNIGHT}
    asked = {int(target.partition("callId=")[2].partition("&")[0]) for target in liner.requests if "callId=" in target}
    assert asked <= without_summary | young
    assert report.whole
    assert content_of(path) == before


async def test_a_sync_that_was_interrupted_goes_on_where_it_ended(
    path: Location, dataset: Dataset, new_archive: NewArchive
) -> None:
    class _Interrupted(Exception):
        pass

    def interrupt(report: Any) -> None:
        if report.days == 20:
            raise _Interrupted

    liner, fresh = FakeLiner(dataset), new_archive()
    with pytest.raises(_Interrupted):
        await run_sync(liner, path, on_day=interrupt)
    covered = covered_spans(path)
    assert {span.until for spans in covered.values() for span in spans} == {YESTERDAY.span.until}  # newest day first
    assert_sound(path)
    await run_sync(liner, path)
    await run_sync(liner, fresh)
    assert content_of(path) == content_of(fresh)


@pytest.mark.parametrize("ends", ["inside", "start_outside", "end_outside"])
async def test_calls_at_midnight_belong_to_one_day_however_liner_reads_the_ends(
    path: Location, dataset: Dataset, ends: str
) -> None:
    midnight = datetime.fromtimestamp(YESTERDAY.span.since, UTC)
    moments = [midnight + timedelta(seconds=one) for one in (-1, -0.5, 0, 0.25, 1)]
    added = [dataset.add_call(created_at=moment).id for moment in moments]
    # So many calls that each day is read with a list of its own.
    for minute in range(110):
        dataset.add_call(created_at=midnight - timedelta(minutes=minute + 10))
    await run_sync(FakeLiner(dataset, window_ends=ends), path)
    assert call_ids(path) == closed_calls(dataset) >= set(added)
    assert_sound(path)


async def test_days_have_the_length_that_the_zone_gives_them(path: Location, dataset: Dataset) -> None:
    await run_sync(FakeLiner(dataset), path, since=datetime(2026, 10, 20, tzinfo=UTC))
    (span,) = covered_spans(path)[dataset.orders[0].id]
    assert (span.since, span.until) == (day_of(date(2026, 10, 20), ZONE).span.since, int(MIDNIGHT.timestamp()))


# What changes in Liner ------------------------------------------------------------------------------------------------


async def test_a_day_that_grows_is_read_again_for_a_week(path: Location, dataset: Dataset) -> None:
    liner = FakeLiner(dataset)
    await run_sync(liner, path)
    young = dataset.add_call(created_at=MIDNIGHT - 3 * DAY)
    old = dataset.add_call(created_at=MIDNIGHT - 9 * DAY)
    await run_sync(liner, path, now=NOW + timedelta(hours=1))
    assert young.id in call_ids(path)
    assert old.id not in call_ids(path)
    await run_sync(liner, path, again=True)
    assert old.id in call_ids(path)
    assert_sound(path)


async def test_changed_statuses_and_late_summaries_are_stored(path: Location, dataset: Dataset) -> None:
    call = dataset.add_call(created_at=MIDNIGHT - 3 * DAY)
    record = dataset.add_record(call.id, summary=None)
    liner = FakeLiner(dataset)
    await run_sync(liner, path)
    dataset.calls[call.id] = replace(dataset.calls[call.id], status_code="refusal")
    dataset.records[record.id] = replace(record, summary="Клиент перезвонит сам.")
    dataset.add_call(created_at=NOW)  # the fake makes its lists anew after it
    changed = AlteredLiner(liner, change_by_pattern={r"^/v2/call/?\?": _with_status(call.id, "refusal")})
    await run_sync(changed, path)
    with opened(path) as connection:
        assert connection.rows("SELECT status_code FROM call WHERE id = ?", (call.id,)) == [{"status_code": "refusal"}]
        (row,) = connection.rows("SELECT record_summary FROM record WHERE id = ?", (record.id,))
    assert row["record_summary"] == "Клиент перезвонит сам."
    assert_sound(path)


def _with_status(call_id: int, code: str) -> Callable[[Any], Any]:
    def change(data: Any) -> Any:
        for row in data["list"]:
            if row["id"] == call_id:
                row["statusCode"] = code
        return data

    return change


async def test_a_status_changes_without_reading_the_final_records_again(path: Location, dataset: Dataset) -> None:
    call = dataset.add_call(created_at=MIDNIGHT - 3 * DAY)
    dataset.add_record(call.id, summary="Клиент хочет ипотеку.")
    liner = FakeLiner(dataset)
    await run_sync(liner, path)
    liner.requests.clear()
    await run_sync(AlteredLiner(liner, change_by_pattern={r"^/v2/call/?\?": _with_status(call.id, "refusal")}), path)
    assert liner.count(f"callId={call.id}") == 0
    with opened(path) as connection:
        (row,) = connection.rows("SELECT status_code FROM call WHERE id = ?", (call.id,))
        assert connection.rows("SELECT 1 FROM record WHERE call_id = ?", (call.id,))
    assert row["status_code"] == "refusal"
    assert_sound(path)


async def test_a_new_order_is_read_with_its_old_days(path: Location, dataset: Dataset) -> None:
    new = dataset.orders[0]
    liner = FakeLiner(dataset)
    without = AlteredLiner(
        liner, change_by_pattern={r"^/v2/order/?\?": lambda data: _only(data, lambda row: row["id"] != new.id)}
    )
    await run_sync(without, path)
    assert new.id not in covered_spans(path)
    await run_sync(liner, path)
    assert call_ids(path) == closed_calls(dataset)


def _only(data: Any, keep: Callable[[Any], bool]) -> Any:
    rows = [row for row in data["list"] if keep(row)]
    return {**data, "list": rows, "total": len(rows)}


async def test_an_order_that_liner_no_longer_lists_keeps_its_calls_and_its_name(
    path: Location, dataset: Dataset
) -> None:
    gone = dataset.orders[0]
    liner = FakeLiner(dataset)
    await run_sync(liner, path)
    before = content_of(path)
    without = AlteredLiner(
        liner,
        change_by_pattern={
            r"^/v2/order/?\?": lambda data: _only(data, lambda row: row["id"] != gone.id),
            r"^/v2/call/?\?": lambda data: _only(data, lambda row: row["orderId"] != gone.id),
        },
    )
    for again in (False, True):
        assert (await run_sync(without, path, again=again)).whole
        after = content_of(path)
        assert (after["call"], after["record"]) == (before["call"], before["record"])
    entry = next(one for one in after["entry"] if (one["kind"], one["id"]) == ("orders", gone.id))
    assert entry["listed"] == 0


async def test_a_lead_that_is_forgotten_while_it_is_read_is_not_stored(path: Location, dataset: Dataset) -> None:
    call = dataset.add_call(created_at=MIDNIGHT - 2 * DAY)
    record = dataset.add_record(call.id, summary="Клиент хочет ипотеку.")
    liner = BlockingLiner(dataset, lambda target: f"callId={call.id}&" in target)
    async with anyio.create_task_group() as group:
        group.start_soon(run_sync, liner, path)
        await liner.arrived.wait()
        with opened(path) as connection:
            forget_lead(connection, Writer(connection, phones=False), call.lead_id, NOW)
        liner.release()
    content = content_of(path)
    assert call.id not in {one["id"] for one in content["call"]}
    assert call.id in {one["id"] for one in content["forgotten_call"]}
    assert record.id in {one["id"] for one in content["forgotten_record"]}
    assert_sound(path)


async def test_entries_that_left_a_dictionary_stay(path: Location, dataset: Dataset) -> None:
    liner = FakeLiner(dataset)
    await run_sync(liner, path)
    left = dataset.users[0].id
    await run_sync(
        AlteredLiner(
            liner, change_by_pattern={"^/v2/user/list": lambda data: _only(data, lambda row: row["id"] != left)}
        ),
        path,
    )
    listed = {one["id"]: one["listed"] for one in content_of(path)["entry"] if one["kind"] == "users"}
    assert listed[left] == 0
    assert sum(listed.values()) == len(listed) - 1


# Clocks ---------------------------------------------------------------------------------------------------------------


async def test_a_clock_that_was_ahead_leaves_no_day_that_counts_as_read(path: Location, dataset: Dataset) -> None:
    liner = FakeLiner(dataset)
    await run_sync(liner, path, now=NOW + 30 * DAY)  # nothing has happened yet on the days up to then
    later = dataset.add_call(created_at=MIDNIGHT - 9 * DAY)
    await run_sync(liner, path, now=NOW)
    assert {span.until for (span,) in covered_spans(path).values()} == {int(MIDNIGHT.timestamp())}
    assert later.id in call_ids(path)  # that day had been read at a time that has not come
    assert call_ids(path) == closed_calls(dataset)


async def test_a_clock_that_is_behind_is_refused_and_nothing_is_lost(path: Location, dataset: Dataset) -> None:
    liner = FakeLiner(dataset)
    await run_sync(liner, path)
    before = content_of(path)
    with pytest.raises(WrongArchive, match="clock of this machine is behind"):
        await run_sync(liner, path, now=datetime(2020, 1, 1, tzinfo=UTC))
    assert content_of(path) == before


# Bad days of Liner ----------------------------------------------------------------------------------------------------


async def test_a_day_whose_recordings_do_not_come_is_named_and_left_and_the_others_are_stored(
    path: Location, dataset: Dataset
) -> None:
    call = dataset.add_call(created_at=MIDNIGHT - 2 * DAY)
    dataset.add_record(call.id, summary="Клиент хочет ипотеку.")
    liner = FakeLiner(dataset)
    report = await run_sync(AlteredLiner(liner, status_by_pattern={f"callId={call.id}&": 403}), path)
    (failure,) = report.failures
    assert (failure.order_id, failure.day) == (call.order_id, date(2026, 11, 18))
    assert failure.reason
    assert not report.whole
    lost = {
        one.id
        for one in dataset.calls.values()
        if one.order_id == call.order_id and MIDNIGHT - 2 * DAY <= one.created_at < MIDNIGHT - DAY
    }
    assert call_ids(path) == closed_calls(dataset) - lost
    report = await run_sync(liner, path)
    assert report.whole
    assert call_ids(path) == closed_calls(dataset)


async def test_liner_going_down_in_the_middle_ends_the_sync_and_what_was_read_stays(
    path: Location, dataset: Dataset
) -> None:
    liner = FakeLiner(dataset)

    def down(report: Any) -> None:
        if report.days == 15:
            liner.faults = [Fault(Status(503))]

    report = await run_sync(liner, path, on_day=down)
    assert report.days < 15 + 40  # some had been listed before
    assert "503" in (report.stopped or "")
    assert report.pending_days > 0
    assert len(liner.requests) < 600
    assert_sound(path)
    liner.faults = []
    assert (await run_sync(liner, path)).whole
    assert call_ids(path) == closed_calls(dataset)


async def test_a_refused_token_ends_it_at_once(path: Location, dataset: Dataset) -> None:
    liner = FakeLiner(dataset, token="another")
    report = await run_sync(liner, path)
    assert "LINER_API_TOKEN" in (report.stopped or "")
    assert len(liner.requests) == 1
    assert report.days == 0


async def test_a_token_that_is_refused_in_the_middle_ends_it(path: Location, dataset: Dataset) -> None:
    liner = FakeLiner(dataset)

    def refuse(report: Any) -> None:
        if report.days == 5:
            liner.token = "another"

    for minute in range(400):  # lists of several pages, so that each day has one of its own
        dataset.add_call(created_at=MIDNIGHT - timedelta(minutes=minute + 1))
    report = await run_sync(liner, path, on_day=refuse)
    assert "LINER_API_TOKEN" in (report.stopped or "")
    assert_sound(path)


async def test_a_list_that_does_not_come_whole_leaves_its_days_uncovered(path: Location, dataset: Dataset) -> None:
    liner = FakeLiner(dataset, faults=[Fault(Total(1.5), r"^/v2/call/?\?")])
    report = await run_sync(liner, path)
    assert report.failures
    assert call_ids(path) == set()
    liner.faults = []
    assert (await run_sync(liner, path)).whole
    assert call_ids(path) == closed_calls(dataset)


@pytest.mark.parametrize("change", [{"createdAt": None}, {"id": "no id"}, {"orderId": 1}])
async def test_a_row_that_cannot_be_placed_leaves_its_day_uncovered(
    path: Location, dataset: Dataset, change: dict[str, Any]
) -> None:
    call = dataset.add_call(created_at=MIDNIGHT - 2 * DAY)
    altered = AlteredLiner(FakeLiner(dataset), change_by_pattern={r"^/v2/call/?\?": _with(call.id, change)})
    report = await run_sync(altered, path)
    assert report.failures
    assert {failure.order_id for failure in report.failures} == {call.order_id}
    assert call.id not in call_ids(path)
    assert_sound(path)


def _with(call_id: int, fields: dict[str, Any]) -> Callable[[Any], Any]:
    def change(data: Any) -> Any:
        for row in data["list"]:
            if row["id"] == call_id:
                row.update(fields)
        return data

    return change


@pytest.mark.parametrize("shift", [timedelta(hours=3), timedelta(hours=-5), timedelta(minutes=30)])
async def test_a_liner_that_reads_windows_in_another_zone_is_not_archived(
    path: Location, dataset: Dataset, shift: timedelta
) -> None:
    report = await run_sync(FakeLiner(dataset, window_shift=shift), path)
    assert "check --probe" in (report.stopped or "")
    assert report.days == 0
    assert covered_spans(path) == {}


class _SummerTimeLiner(FakeLiner):
    """Reads windows of October and before an hour later."""

    async def serve(self, scope: Scope, send: Send) -> None:
        self.variant.window_shift = timedelta(hours=1 if b"=2026-10" in scope["query_string"] else 0)
        await super().serve(scope, send)


async def test_a_zone_that_differs_from_utc_in_summer_only_is_noticed(path: Location) -> None:
    liner = _SummerTimeLiner(Dataset.generate(now=NOW, days=40, calls=400))
    report = await run_sync(liner, path, since=NOW - timedelta(days=40))
    assert "check --probe" in (report.stopped or "")
    assert covered_spans(path) == {}


async def test_a_liner_that_ignores_windows_is_not_archived(path: Location, dataset: Dataset) -> None:
    liner = FakeLiner(dataset, faults=[Fault(Ignores(("createdAt",)), r"^/v2/call/?\?")])
    report = await run_sync(liner, path, since=MIDNIGHT - 2 * DAY)
    assert "check --probe" in (report.stopped or "")
    assert covered_spans(path) == {}


async def test_an_account_without_calls_covers_nothing(path: Location) -> None:
    report = await run_sync(FakeLiner(Dataset.generate(now=NOW, days=2, calls=0)), path)
    assert report.whole
    assert covered_spans(path) == {}


async def test_summaries_that_only_the_details_hold_are_read(
    path: Location, dataset: Dataset, new_archive: NewArchive
) -> None:
    await run_sync(FakeLiner(dataset, record_list="short"), path)
    complete = new_archive()
    await run_sync(FakeLiner(dataset), complete)
    with opened(path) as short, opened(complete) as full:
        query = "SELECT id, record_summary FROM record ORDER BY id"
        assert short.rows(query) == full.rows(query)


async def test_windows_are_no_longer_than_documented(path: Location, dataset: Dataset) -> None:
    liner = FakeLiner(dataset, longest_window=timedelta(days=31))
    assert (await run_sync(liner, path, since=None)).whole
    assert call_ids(path) == closed_calls(dataset)


async def test_a_passing_failure_is_retried(path: Location, dataset: Dataset) -> None:
    liner = FakeLiner(dataset, faults=[Fault(Status(503), "callId=", First(2))])
    assert (await run_sync(liner, path)).whole


async def test_a_dictionary_that_does_not_come_is_named_and_the_days_are_stored(
    path: Location, dataset: Dataset
) -> None:
    liner = AlteredLiner(FakeLiner(dataset), status_by_pattern={"^/v2/agent-group": 500})
    report = await run_sync(liner, path)
    assert [failure.what for failure in report.failures] == ["agent groups"]
    assert call_ids(path) == closed_calls(dataset)


# Retention ------------------------------------------------------------------------------------------------------------


async def test_older_calls_are_removed_and_not_read_again(path: Location, dataset: Dataset) -> None:
    liner = FakeLiner(dataset)
    await run_sync(liner, path)
    liner.requests.clear()
    report = await run_sync(liner, path, retention=timedelta(days=5))
    kept = {one for one in closed_calls(dataset) if dataset.calls[one].created_at >= MIDNIGHT - 5 * DAY}
    assert call_ids(path) == kept
    assert report.removed_calls == len(closed_calls(dataset)) - len(kept)
    assert {span.since for (span,) in covered_spans(path).values()} == {int((MIDNIGHT - 5 * DAY).timestamp())}
    with opened(path) as connection:
        assert connection.rows("SELECT * FROM forgotten_call") == []
    assert_sound(path)
    await run_sync(liner, path)
    assert call_ids(path) == closed_calls(dataset)  # it was removed, not forgotten
