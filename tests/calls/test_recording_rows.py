"""Rows with recordings when Liner is slow, refuses or lists too few: what is read is shown, and the rest is told."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.longest_calls import longest_calls
from liner_mcp.calls.sample_calls import sample_calls
from liner_mcp.demo import Dataset
from tests.calls.support import context_at, expected_ids, find, ids_of, notes_of, page_of
from tests.calls.test_find_calls import pages_after
from tests.conftest import NOW
from tests.fakes.blocking_liner import BlockingLiner
from tests.support.context import MAX_BUDGET, AlteredLiner, rows_of
from tests.support.sentences import assert_says

pytestmark = pytest.mark.anyio

ASKED: dict[str, Any] = {"since": "-1d", "recorded": True}
SHOWN = ("records", "summary")


def recorded_ids(dataset: Dataset) -> list[int]:
    return expected_ids(dataset, NOW.replace(day=NOW.day - 1), test=lambda call: call.has_records)


def blocked_at(dataset: Dataset, call_id: int) -> BlockingLiner:
    return BlockingLiner(dataset, lambda target: f"callId={call_id}&" in f"{target}&")


def records_of(dataset: Dataset, call_ids: list[int]) -> list[tuple[int, int | None]]:
    return [
        (one, record)
        for one in call_ids
        for record in sorted(record.id for record in dataset.records_of(one)) or [None]
    ]


@pytest.mark.virtual_time
async def test_a_deadline_among_the_recordings_ends_the_page_before_the_late_call(dataset: Dataset) -> None:
    recorded = recorded_ids(dataset)
    blocking = blocked_at(dataset, recorded[12])
    async with context_at(blocking) as context:
        await context.directory.names("agents", "orders", "statuses")
        with anyio.fail_after(1.2):
            first = await find(context, **ASKED, include=SHOWN)
        blocking.release()
        rest = await pages_after(first, lambda cursor: find(context, cursor=cursor))
    assert ids_of(first)[-1] == recorded[11]
    assert page_of(first)["complete"] is False
    assert_says(notes_of(first), "reading_stopped_early_time_was_up")
    rows = [row for answer in (first, *rest) for row in rows_of(answer)]
    assert [(row["call_id"], row["record_id"]) for row in rows] == records_of(dataset, recorded)


@pytest.mark.virtual_time
async def test_recordings_that_never_come_cost_one_row_and_not_the_pages_after_it(dataset: Dataset) -> None:
    recorded = recorded_ids(dataset)
    async with context_at(blocked_at(dataset, recorded[12])) as context:
        await context.directory.names("agents", "orders", "statuses")
        answers: list[Any] = []
        while not answers or "next_cursor" in page_of(answers[-1]):
            assert len(answers) < 10
            asked = {"cursor": page_of(answers[-1])["next_cursor"]} if answers else ASKED
            with anyio.fail_after(1.2):
                answers.append(await find(context, include=SHOWN, **asked))
    rows = [row for answer in answers for row in rows_of(answer)]
    assert list(dict.fromkeys(row["call_id"] for row in rows)) == recorded
    (failed,) = [row for row in rows if row["summary_state"] == "failed"]
    assert (failed["call_id"], failed["records"], failed["record_id"]) == (recorded[12], None, None)
    assert [one for answer in answers for one in answer.structure.get("retry", [])] == [recorded[12]]
    assert page_of(answers[-1])["total"] == len(recorded)


@pytest.mark.virtual_time
async def test_late_recordings_shorten_a_sample_and_the_longest_talks(dataset: Dataset) -> None:
    recorded = recorded_ids(dataset)
    by_talk = sorted(recorded, key=lambda one: (dataset.calls[one].talk_time_duration_seconds, one), reverse=True)
    query = CallQuery(**ASKED)
    arguments: dict[str, Any] = {"include": SHOWN, "budget": MAX_BUDGET}
    async with context_at(blocked_at(dataset, by_talk[4])) as context:
        await context.directory.names("agents", "orders", "statuses")
        with anyio.fail_after(1.2):
            longest = await longest_calls(context, query, limit=10, **arguments)
        with anyio.fail_after(1.2):
            drawn = await sample_calls(context, query, sample=100, seed="1", cursor=None, **arguments)
    assert list(dict.fromkeys(ids_of(longest))) == by_talk[:4]
    assert page_of(longest)["complete"] is False
    assert_says(notes_of(longest), "time_was_up_before_enough_recordings_were_read")
    assert by_talk[4] not in ids_of(drawn)
    assert page_of(drawn)["complete"] is False
    assert_says(notes_of(drawn), "drawn_calls_were_not_read_in_time")


async def test_what_cannot_be_read_or_is_listed_short_is_unknown_and_told(dataset: Dataset) -> None:
    recorded = [one for one in recorded_ids(dataset) if dataset.records_of(one)]
    refused, short = recorded[1], recorded[3]
    liner = AlteredLiner(
        BlockingLiner(dataset, lambda _: False),
        status_by_pattern={rf"callId={refused}\b": 422},
        change_by_pattern={rf"callId={short}\b": lambda data: {**data, "total": data["total"] + 1}},
    )
    async with context_at(liner) as context:
        answer = await find(context, **ASKED, include=SHOWN, limit=6)
        healthy = await find(context, **ASKED, include=("records",), limit=1)
    by_call = {row["call_id"]: row for row in rows_of(answer)}
    assert (by_call[refused]["summary_state"], by_call[refused]["records"]) == ("failed", None)
    assert by_call[short]["summary_state"] in ("ready", "cut", "none")
    assert by_call[short]["records"] is None
    assert answer.structure["retry"] == [refused]
    assert page_of(answer)["complete"] is False
    assert_says(notes_of(answer), "the_recordings_of_some_calls_could_not_be_read")
    assert_says(notes_of(answer), "liner_counts_more_records_than_could_be_read", call=short)
    assert page_of(healthy).get("undecided") is None


async def test_the_longest_talks_that_do_not_fit_are_told(dataset: Dataset) -> None:
    async with context_at(BlockingLiner(dataset, lambda _: False)) as context:
        answer = await longest_calls(
            context, CallQuery(since="-7d"), include=("summary",), limit=100, budget=6_000, summary_chars=600
        )
        few = await longest_calls(context, CallQuery(since="-7d"), include=(), limit=2, budget=MAX_BUDGET)
    assert 0 < len(ids_of(answer)) < 100
    assert page_of(answer)["complete"] is False
    assert_says(notes_of(answer), "the_other_calls_did_not_fit")
    assert page_of(few)["complete"] is True
    assert ids_of(few) == list(dict.fromkeys(ids_of(answer)))[:2]
