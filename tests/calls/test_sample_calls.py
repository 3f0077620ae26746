"""A sample of the calls that a question means: even, repeatable, and never of half a window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest

from liner_mcp.answer.table import Written
from liner_mcp.calls import parallel_reader
from liner_mcp.calls.query import CallQuestion
from liner_mcp.calls.sample_calls import sample_calls
from liner_mcp.context import Desk
from liner_mcp.demo import Call, DemoLiner, World
from liner_mcp.errors import DeadlinePassed, InvalidArgument, LinerUnavailable
from tests.calls.support import Gate, blank_world, desk_at, ids_of, newest_first, notes_of, page_of
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.support.context import ROOMY, USERS, Spoilt, counting, rows_of
from tests.support.expected_stats import Progress, within

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
CALLS = r"^/v2/call/\?"


@pytest.fixture(autouse=True)
def eight_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shared world in slices of five days, whatever size is the fastest just now."""
    monkeypatch.setattr(parallel_reader, "WHOLE_SLICE_CALLS", 500)


async def drawn(
    desk: Desk,
    sample: int = 20,
    seed: str | None = "1",
    *,
    since: str | None = "-10d",
    include: tuple[str, ...] = (),
    cursor: str | None = None,
    budget: int = ROOMY,
    progress: Progress | None = None,
    **question: Any,
) -> Written:
    return await sample_calls(
        desk,
        CallQuestion(since=since, **question),
        include=include,
        sample=sample,
        seed=seed,
        cursor=cursor,
        budget=budget,
        progress=progress,
    )


def recorded(world: World, days: int = 10) -> list[Call]:
    return [call for call in within(world, NOW - days * DAY, NOW) if call.has_records]


# What is drawn --------------------------------------------------------------------------------------------------------


async def test_recorded_calls_are_drawn_evenly_and_shown_newest_first(world: World) -> None:
    async with desk_at(DemoLiner(world)) as desk:
        answer = await drawn(desk, 40)
    calls = recorded(world)
    ids = ids_of(answer)
    assert len(set(ids)) == 40
    assert ids == newest_first(world.calls[one] for one in ids)
    assert set(ids) <= {call.id for call in calls}
    counts, has = Counter(world.calls[one].user_id for one in ids), Counter(call.user_id for call in calls)
    most = max(counts.values())
    assert None in counts
    assert all(counts[agent] >= min(most - 1, count) for agent, count in has.items())
    assert page_of(answer) == {
        "returned": 40,
        "complete": True,
        "population": len(calls),
        "seed": "1",
        "sampling": "even per agent, not proportional",
        "local_filters": ["recorded"],
    }
    assert answer.structure["asked"] == {"recorded": True, "sample": 40}


async def test_rows_are_those_of_find_calls(world: World) -> None:
    async with desk_at(DemoLiner(world)) as desk:
        answer = await drawn(desk, 5, include=("phone", "lead_id"))
    for row in rows_of(answer):
        call = world.calls[row["call_id"]]
        assert (row["agent_id"], row["order_id"], row["status"]) == (call.user_id, call.order_id, call.status_code)
        assert (row["talk_seconds"], row["lead_id"], row["recorded"]) == (
            call.talk_time_duration_seconds,
            call.lead_id,
            1,
        )
        assert row["phone"].endswith(call.client_phone[-2:])
        assert "***" in row["phone"]


async def test_the_same_seed_draws_the_same_and_another_another(world: World) -> None:
    async with desk_at(FakeLiner(world)) as desk, desk_at(FakeLiner(world, last_page="past_end")) as other:
        first = await drawn(desk, seed="7")
        assert ids_of(await drawn(other, seed="7")) == ids_of(first)
        assert ids_of(await drawn(desk, seed="8")) != ids_of(first)


async def test_the_size_of_slices_does_not_change_the_draw(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk_at(DemoLiner(world)) as desk:
        first = await drawn(desk)
        monkeypatch.setattr(parallel_reader, "WHOLE_SLICE_CALLS", 100)
        assert ids_of(await drawn(desk)) == ids_of(first)


async def test_a_seed_that_nobody_gave_is_told_and_draws_the_same_again(world: World) -> None:
    async with desk_at(DemoLiner(world)) as desk:
        first, second = await drawn(desk, seed=None), await drawn(desk, seed=None)
        again = await drawn(desk, seed=page_of(first)["seed"])
    assert page_of(first)["seed"] != page_of(second)["seed"]
    assert ids_of(first) != ids_of(second)
    assert ids_of(again) == ids_of(first)


async def test_a_sample_larger_than_the_population_is_everything(world: World) -> None:
    async with desk_at(DemoLiner(world)) as desk:
        answer = await drawn(desk, 100, since="yesterday", orders=(201,))
    day = within(world, NOW - timedelta(hours=42), NOW - timedelta(hours=18))
    calls = [call for call in day if call.order_id == 201 and call.has_records]
    assert 0 < len(calls) < 100
    assert ids_of(answer) == newest_first(calls)
    assert (page_of(answer)["population"], page_of(answer)["complete"]) == (len(calls), True)


async def test_an_agent_without_recorded_calls_is_not_drawn() -> None:
    world = blank_world()
    for minutes in range(10):
        call = world.add_call(created_at=NOW - timedelta(minutes=minutes + 1), agent=101)
        world.add_record(call.id, summary="Клиент согласен на встречу.")
        world.add_call(created_at=NOW - timedelta(minutes=minutes + 1), agent=102)
    async with desk_at(DemoLiner(world)) as desk:
        both = await drawn(desk, 4, since="today")
        nobody = await drawn(desk, 4, since="today", agents=(102,))
    assert {row["agent_id"] for row in rows_of(both)} == {101}
    assert (ids_of(nobody), page_of(nobody)["population"], page_of(nobody)["complete"]) == ([], 0, True)
    assert notes_of(nobody).startswith("No call of this window can be drawn; ")
    assert nobody.structure["names"]["agents"] == {"102": "Анна Смирнова #102"}


FILTERED: list[tuple[dict[str, Any], Callable[[Call], bool]]] = [
    ({"recorded": False}, lambda call: not call.has_records),
    ({"agents": ("Evening shift",)}, lambda call: call.has_records and call.user_id in (103, 108, 111, 113)),
    ({"min_talk_seconds": 120}, lambda call: call.has_records and call.talk_time_duration_seconds >= 120),
    ({"statuses": ("call_back",)}, lambda call: call.has_records and call.status_code == "call_back"),
]


@pytest.mark.parametrize(("question", "test"), FILTERED)
async def test_the_population_is_what_the_question_means(
    world: World, question: dict[str, Any], test: Callable[[Call], bool]
) -> None:
    async with desk_at(DemoLiner(world)) as desk:
        answer = await drawn(desk, 10, **question)
    calls = {call.id for call in within(world, NOW - 10 * DAY, NOW) if test(call)}
    assert page_of(answer)["population"] == len(calls)
    assert len(ids_of(answer)) == 10
    assert set(ids_of(answer)) <= calls


async def test_transfers_can_be_drawn(world: World) -> None:
    async with desk_at(DemoLiner(world)) as desk:
        answer = await drawn(desk, 5, since="-5d", transferred=True)
    calls = {call.id for call in recorded(world, 5) if any(record.is_transfer for record in world.records_of(call.id))}
    assert page_of(answer)["population"] == len(calls)
    assert set(ids_of(answer)) <= calls
    assert page_of(answer)["local_filters"] == ["recorded", "transferred"]


async def test_drawn_calls_are_offered_to_complete_ids(world: World) -> None:
    async with desk_at(DemoLiner(world)) as desk:
        answer = await drawn(desk, 5)
        assert desk.recent_calls.beginning_with("") == [str(one) for one in ids_of(answer)]


async def test_a_sample_has_no_cursor(world: World) -> None:
    async with desk_at(DemoLiner(world)) as desk:
        with pytest.raises(InvalidArgument, match=r"^sample has no pages: send it without cursor"):
            await drawn(desk, cursor="anything")


# What cannot be said in full ------------------------------------------------------------------------------------------


async def test_what_does_not_fit_is_counted(world: World) -> None:
    async with desk_at(DemoLiner(world)) as desk:
        full, cut = await drawn(desk, 100), await drawn(desk, 100, budget=2_000)
    shown = ids_of(cut)
    assert cut.size <= 2_000
    assert shown == ids_of(full)[: len(shown)]
    assert (page_of(cut)["complete"], page_of(cut)["population"]) == (False, page_of(full)["population"])
    assert notes_of(cut) == (
        f"{100 - len(shown)} drawn calls, the oldest, did not fit; a smaller sample or fewer columns stays even."
    )


async def test_without_names_there_are_ids(world: World) -> None:
    async with desk_at(Spoilt(DemoLiner(world), refused={f"^{USERS}": 500})) as desk:
        answer = await drawn(desk, 5)
    assert len(ids_of(answer)) == 5
    assert notes_of(answer) == "Names of agents could not be read from Liner; their ids are right."


async def test_calls_that_liner_counts_but_never_lists_are_told(world: World) -> None:
    async with desk_at(Spoilt(DemoLiner(world), changed={CALLS: counting(900)})) as desk:
        answer = await drawn(desk, 5, since="yesterday")
    assert page_of(answer)["complete"] is False
    assert notes_of(answer) == "Liner counts more calls in this window than it lists; some could not be drawn."


# No sample of a part --------------------------------------------------------------------------------------------------


def ends_before(days: int) -> Callable[[str], bool]:
    limit = (NOW - days * DAY).strftime("%Y-%m-%dT%H%%3A%M%%3A%SZ")
    return lambda target: (
        target.startswith("/v2/call/?") and target.split("createdAt%5B1%5D=")[1][: len(limit)] <= limit
    )


def spoilt_where(demo: DemoLiner, spoils: Callable[[str], bool]) -> Any:
    spoilt = Spoilt(demo, refused={CALLS: 500})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        target = f"{scope['path']}?{scope['query_string'].decode()}"
        await (spoilt if spoils(target) else demo)(scope, receive, send)

    return app


async def test_a_window_that_could_not_be_read_whole_names_the_part_that_could(world: World) -> None:
    async with desk_at(spoilt_where(DemoLiner(world), ends_before(15))) as desk:
        with pytest.raises(DeadlinePassed) as raised:
            await drawn(desk, since="-40d")
    assert str(raised.value) == (
        "No sample was drawn, because the window could not be read whole: Liner failed to answer (HTTP 500). Ask again "
        "in a minute. The part since=2026-11-05T18:00+03:00, until=2026-11-20T18:00+03:00 could be; ask for a shorter "
        "window."
    )
    async with desk_at(spoilt_where(DemoLiner(world), ends_before(15))) as desk:
        part = await drawn(desk, since="2026-11-05T18:00+03:00", until="2026-11-20T18:00+03:00")
    assert page_of(part)["population"] == len(recorded(world, 15))


async def test_a_deadline_in_the_middle_is_no_smaller_sample(world: World) -> None:
    async with desk_at(Gate(DemoLiner(world), ends_before(15))) as desk:
        with (
            pytest.raises(DeadlinePassed, match=r"The part since=2026-11-.*, until=.* could be"),
            anyio.fail_after(1.4),
        ):
            await drawn(desk, since="-40d")


async def test_a_window_of_which_nothing_could_be_read_says_so(world: World) -> None:
    newest = NOW.strftime("createdAt%%5B1%%5D=%Y-%m-%dT%H%%3A%M%%3A%SZ")
    oldest = (NOW - 40 * DAY).strftime("createdAt%%5B0%%5D=%Y-%m-%dT%H%%3A%M%%3A%SZ")
    app = spoilt_where(DemoLiner(world), lambda target: newest in target and oldest not in target)
    async with desk_at(app) as desk:
        with pytest.raises(DeadlinePassed, match="No part of it could be; ask for a shorter window"):
            await drawn(desk, since="-40d")


async def test_a_first_read_that_fails_is_the_answer(world: World) -> None:
    async with desk_at(Spoilt(DemoLiner(world), refused={CALLS: 500})) as desk:
        with pytest.raises(LinerUnavailable):
            await drawn(desk)
