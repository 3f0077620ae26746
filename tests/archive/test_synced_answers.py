"""Answers from an archive that a sync has filled and `forget` has changed."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from liner_mcp.archive.connection import Location
from liner_mcp.archive.database import open_connection
from liner_mcp.archive.forget import forget_before, forget_call, forget_lead
from liner_mcp.archive.writer import Writer
from liner_mcp.demo import Dataset
from tests.archive.questions import Question
from tests.archive.sessions import assert_equal, opened
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.support.archive import SOURCE
from tests.support.context import rows_of
from tests.support.sync import run_sync

pytestmark = pytest.mark.anyio

QUESTIONS: list[Question] = [
    ("find_calls", {"since": "2026-11-17", "include": ["summary", "lead_id"], "limit": 30}),
    ("find_calls", {"since": "2026-11-16", "until": "2026-11-19", "transferred": True}),
    ("find_calls", {"since": "2026-11-16", "mentions": "клиент", "statuses": ["transferred"]}),
    ("call_stats", {"since": "2026-11-16", "group_by": ["agent"], "include": ["records", "transfers"]}),
]


def own_dataset() -> Dataset:
    return Dataset.generate(now=NOW, days=5, calls=100)


@pytest.mark.parametrize(
    "variant",
    [
        {},
        {"record_list": "short"},
        {"numbers": "text", "dictionary_paths": "plural"},
        {"totals": False},
        {"last_page": "repeated"},
        {"window_ends": "end_outside"},
        {"unknown_id": "null"},
    ],
    ids=str,
)
async def test_of_any_reading_of_the_documentation_archived_and_live_answers_are_equal(
    path: Location, variant: dict[str, Any]
) -> None:
    dataset = own_dataset()
    archive = path
    report = await run_sync(FakeLiner(dataset, **variant), archive)
    assert report.whole
    recorded = next(call for call in dataset.calls.values() if len(dataset.records_of(call.id)) > 1)
    of_call: list[Question] = [
        ("list_call_records", {"call_id": recorded.id}),
        ("get_call_summaries", {"call_ids": [recorded.id]}),
        ("get_call_record", {"record_id": dataset.records_of(recorded.id)[0].id}),
    ]
    live, archived = FakeLiner(dataset, **variant), FakeLiner(dataset, **variant)
    async with opened(live) as (one, _), opened(archived, archive=archive) as (other, _):
        for question in [*QUESTIONS, *of_call]:
            await assert_equal(one, other, question, pages=2)


@pytest.mark.parametrize("shift", [3, -3])
async def test_with_a_liner_in_another_zone_what_is_not_archived_is_read_as_without_an_archive(
    path: Location, shift: int
) -> None:
    dataset, archive = own_dataset(), path
    await run_sync(FakeLiner(dataset), archive)
    shifted: dict[str, Any] = {"window_shift": timedelta(hours=shift)}
    live, archived = FakeLiner(dataset, **shifted), FakeLiner(dataset, **shifted)
    async with opened(live) as (one, _), opened(archived, archive=archive) as (other, _):
        expected, found = [await s.answer("find_calls", since="2026-11-19T12:00", limit=200) for s in (one, other)]
    assert {row["call_id"] for row in rows_of(expected)} <= {row["call_id"] for row in rows_of(found)}
    assert not found["page"]["complete"] or expected["page"]["complete"]


async def test_what_forget_has_forgotten_is_in_no_answer_before_and_after_the_next_sync(path: Location) -> None:
    dataset, archive = own_dataset(), path
    liner = FakeLiner(dataset)
    await run_sync(liner, archive)
    calls = [call for call in dataset.calls.values() if dataset.records_of(call.id)]
    early, of_lead, single = calls[0], calls[-1], calls[len(calls) // 2]
    first_day_ends = early.created_at + timedelta(hours=1)
    with closing(open_connection(archive, source=SOURCE, writable=True)) as connection:
        writer = Writer(connection, phones=False)
        forget_call(connection, writer, single.id)
        forget_lead(connection, writer, of_lead.lead_id, NOW)
        forget_before(connection, writer, first_day_ends)
    gone = {
        call.id
        for call in dataset.calls.values()
        if call.id == single.id or call.lead_id == of_lead.lead_id or call.created_at < first_day_ends
    }
    asked = [early.id, of_lead.id, single.id]
    for _ in range(2):
        async with opened(dataset, archive=archive) as (session, _):
            stats = await session.answer("call_stats", since="2026-11-14", group_by=["day"])
            found = await session.answer("find_calls", since="2026-11-14", limit=200, include=["records"])
            summaries = await session.answer("get_call_summaries", call_ids=asked)
        assert stats["totals"]["calls"] == len(dataset.calls) - len(gone)
        assert not gone & {row["call_id"] for row in rows_of(found)}
        assert stats["page"]["forgotten"] == found["page"]["forgotten"] == len(gone)
        assert {row["summary_state"] for row in rows_of(summaries)} == {"forgotten"}
        await run_sync(liner, archive, now=NOW + timedelta(seconds=1), again=True)


async def test_a_recording_is_not_played_on_when_its_call_is_forgotten(path: Location) -> None:
    dataset, archive = own_dataset(), path
    await run_sync(FakeLiner(dataset), archive)
    call = next(call for call in dataset.calls.values() if dataset.records_of(call.id))
    record_id = dataset.records_of(call.id)[0].id
    async with opened(dataset, archive=archive) as (session, liner):
        await session.answer("read_audio", record_id=record_id)
        with closing(open_connection(archive, source=SOURCE, writable=True)) as connection:
            forget_call(connection, Writer(connection, phones=False), call.id)
        refusal = await session.refusal("read_audio", record_id=record_id)
        assert liner.count("/audio/") == 1
    assert "was forgotten on this server" in refusal
