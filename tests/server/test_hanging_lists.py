"""One list that hangs, and a slow Liner without counts: what was read is answered within the deadline."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import anyio
import pytest

from liner_mcp.demo import Dataset
from tests.conftest import NOW, OpenSession
from tests.fakes import FakeLiner, Fault
from tests.fakes.blocking_liner import BlockingLiner
from tests.fakes.faults import Total
from tests.support.context import rows_of

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

SECONDS = 10.0  # of a deadline
KINDS = ("orders", "agents", "call_statuses", "lead_statuses")


def account() -> Dataset:
    """Three days of calls whose recordings are all listed."""
    dataset = Dataset.generate(now=NOW, days=3, calls=150)
    for call in list(dataset.calls.values()):
        if call.has_records and not dataset.records_of(call.id):
            dataset.add_record(call.id)
    return dataset


def recorded(dataset: Dataset) -> list[int]:
    """The ids of recorded calls, newest first."""
    calls = sorted(dataset.calls.values(), key=lambda call: (call.created_at, call.id), reverse=True)
    return [call.id for call in calls if call.has_records]


def hanging(dataset: Dataset, *call_ids: int) -> BlockingLiner:
    return BlockingLiner(dataset, lambda target: any(f"callId={one}&" in target for one in call_ids))


@pytest.mark.parametrize("hang", [1, 3], ids=["one list", "three lists"])
@pytest.mark.parametrize(
    "arguments", [{"transferred": False}, {"include": ["records"]}, {"mentions": "квартира", "include": ["matches"]}]
)
async def test_a_list_that_hangs_leaves_its_call_undecided_and_the_others_are_counted(
    connect: OpenSession, arguments: dict[str, Any], hang: int
) -> None:
    dataset = account()
    lost = recorded(dataset)[5 : 5 + hang]
    question: dict[str, Any] = {"since": "-3d", "group_by": [], **arguments}
    async with connect(FakeLiner(dataset)) as session:
        healthy = await session.answer("call_stats", **question)
    async with connect(hanging(dataset, *lost), deadline_seconds=SECONDS) as session:
        begun = anyio.current_time()
        answer = await session.answer("call_stats", **question)
        assert anyio.current_time() - begun < SECONDS
    assert "covered" not in answer["page"], "every slice of the window was counted"
    assert answer["page"]["complete"] is False
    assert sorted(answer["retry"]) == sorted(lost)
    plain = [one for one in lost if not any(record.is_transfer for record in dataset.records_of(one))]
    missing = healthy["totals"]["calls"] - answer["totals"]["calls"]
    if "transferred" in arguments:
        assert (answer["page"]["undecided"], missing) == (hang, len(plain))
    elif "mentions" in arguments:
        assert answer["page"]["undecided"] == hang
        assert 0 <= missing <= hang
    else:
        assert (missing, answer["totals"]["records"]) == (0, None)


async def test_a_list_that_hangs_leaves_its_call_out_of_the_sample_which_is_full(connect: OpenSession) -> None:
    dataset = account()
    question: dict[str, Any] = {"since": "-3d", "transferred": False, "sample": 10, "seed": "1"}
    async with connect(FakeLiner(dataset)) as session:
        first = rows_of(await session.answer("find_calls", **question))[0]["call_id"]
    async with connect(hanging(dataset, first), deadline_seconds=SECONDS) as session:
        begun = anyio.current_time()
        answer = await session.answer("find_calls", **question)
        assert anyio.current_time() - begun < SECONDS
    rows = [row["call_id"] for row in rows_of(answer)]
    assert len(rows) == 10
    assert first not in rows
    assert answer["retry"] == [first]
    assert (answer["page"]["complete"], answer["page"]["undecided"]) == (False, 1)
    assert "population" not in answer["page"]


async def test_a_sample_that_is_not_full_in_time_has_the_calls_that_were_drawn(connect: OpenSession) -> None:
    dataset = account()
    read = 0

    def late(target: str) -> bool:
        nonlocal read
        read += "callId=" in target
        return read > 40

    async with connect(BlockingLiner(dataset, late), deadline_seconds=SECONDS) as session:
        begun = anyio.current_time()
        answer = await session.answer("find_calls", since="-3d", transferred=False, sample=100, seed="1")
        assert anyio.current_time() - begun < SECONDS
    assert 0 < len(rows_of(answer)) < 100
    assert answer["page"]["complete"] is False
    assert answer["notes"][0] == "Time was up before the sample was full; ask for a shorter window or fewer filters."


@pytest.mark.parametrize("since", ["-40d", "-25d"])
@pytest.mark.parametrize("tool", ["call_stats", "find_calls"])
async def test_a_slow_liner_without_counts_is_read_in_part(connect: OpenSession, tool: str, since: str) -> None:
    dataset = Dataset.generate(now=NOW, days=40, calls=2_000)
    liner = FakeLiner(dataset, faults=[Fault(Total(None), "^/v2/call/")])
    async with connect(liner, deadline_seconds=SECONDS) as session:
        for kind in KINDS:
            await session.answer("list_directory", kind=kind)
        liner.latency = 2.0
        begun = anyio.current_time()
        answer = await session.answer(tool, since=since)
        assert anyio.current_time() - begun < SECONDS
    start = NOW - timedelta(days=int(since[1:-1]))
    calls = [call for call in dataset.calls.values() if call.created_at >= start]
    given = answer["totals"]["calls"] if tool == "call_stats" else len(rows_of(answer))
    assert 0 < given < len(calls)
    assert answer["page"]["complete"] is False
    assert {"covered", "next_window" if tool == "call_stats" else "next_cursor"} <= answer["page"].keys()
