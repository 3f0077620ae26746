"""A sample of the calls that a question means: even, repeatable, and never of half a window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest

from liner_mcp.answer.table import Answer
from liner_mcp.calls import parallel_reader
from liner_mcp.calls import sample_calls as sample_calls_module
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.sample_calls import sample_calls
from liner_mcp.calls.sampling import StratifiedSample
from liner_mcp.context import AppContext
from liner_mcp.demo import Call, Dataset, DemoLiner
from liner_mcp.errors import DeadlineExceeded, InvalidArgument, LinerUnavailable
from liner_mcp.liner.models import Call as LinerCall
from tests.calls.support import context_at, empty_dataset, ids_of, newest_first, notes_of, page_of
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.fakes.blocking_liner import BlockingLiner
from tests.support.context import MAX_BUDGET, USERS, AlteredLiner, rows_of, with_total
from tests.support.expected_stats import Progress, calls_between
from tests.support.sentences import assert_says, error_says, recorded

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
CALLS = r"^/v2/call/\?"


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shared dataset in slices of five days, whatever size is the fastest just now."""
    monkeypatch.setattr(parallel_reader, "PARALLEL_SLICE_CALLS", 500)


async def sample(
    context: AppContext,
    sample: int = 20,
    seed: str | None = "1",
    *,
    since: str | None = "-10d",
    include: tuple[str, ...] = (),
    cursor: str | None = None,
    budget: int = MAX_BUDGET,
    progress: Progress | None = None,
    **question: Any,
) -> Answer:
    return await sample_calls(
        context,
        CallQuery(since=since, **question),
        include=include,
        sample=sample,
        seed=seed,
        cursor=cursor,
        budget=budget,
        progress=progress,
    )


def recorded_calls(dataset: Dataset, days: int = 10) -> list[Call]:
    return [call for call in calls_between(dataset, NOW - days * DAY, NOW) if call.has_records]


# What is drawn --------------------------------------------------------------------------------------------------------


async def test_recorded_calls_are_drawn_evenly_and_shown_newest_first(dataset: Dataset) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answer = await sample(context, 40)
    calls = recorded_calls(dataset)
    ids = ids_of(answer)
    assert len(set(ids)) == 40
    assert ids == newest_first(dataset.calls[one] for one in ids)
    assert set(ids) <= {call.id for call in calls}
    counts, has = Counter(dataset.calls[one].user_id for one in ids), Counter(call.user_id for call in calls)
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


async def test_rows_are_those_of_find_calls(dataset: Dataset) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answer = await sample(context, 5, include=("phone", "lead_id"))
    for row in rows_of(answer):
        call = dataset.calls[row["call_id"]]
        assert (row["agent_id"], row["order_id"], row["status"]) == (call.user_id, call.order_id, call.status_code)
        assert (row["talk_seconds"], row["lead_id"], row["recorded"]) == (
            call.talk_time_duration_seconds,
            call.lead_id,
            1,
        )
        assert row["phone"].endswith(call.client_phone[-2:])
        assert "***" in row["phone"]


async def test_the_same_seed_draws_the_same_and_another_another(dataset: Dataset) -> None:
    async with context_at(FakeLiner(dataset)) as context, context_at(FakeLiner(dataset, last_page="past_end")) as other:
        first = await sample(context, seed="7")
        assert ids_of(await sample(other, seed="7")) == ids_of(first)
        assert ids_of(await sample(context, seed="8")) != ids_of(first)


async def test_the_size_of_slices_does_not_change_the_draw(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        first = await sample(context)
        monkeypatch.setattr(parallel_reader, "PARALLEL_SLICE_CALLS", 100)
        assert ids_of(await sample(context)) == ids_of(first)


async def test_a_seed_that_no_one_gave_is_told_and_draws_the_same_again(dataset: Dataset) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        first, second = await sample(context, seed=None), await sample(context, seed=None)
        again = await sample(context, seed=page_of(first)["seed"])
    assert page_of(first)["seed"] != page_of(second)["seed"]
    assert ids_of(first) != ids_of(second)
    assert ids_of(again) == ids_of(first)


async def test_a_sample_larger_than_the_population_is_everything(dataset: Dataset) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answer = await sample(context, 100, since="yesterday", orders=(201,))
    day = calls_between(dataset, NOW - timedelta(hours=42), NOW - timedelta(hours=18))
    calls = [call for call in day if call.order_id == 201 and call.has_records]
    assert 0 < len(calls) < 100
    assert ids_of(answer) == newest_first(calls)
    assert (page_of(answer)["population"], page_of(answer)["complete"]) == (len(calls), True)


async def test_an_agent_without_recorded_calls_is_not_drawn() -> None:
    dataset = empty_dataset()
    for minutes in range(10):
        call = dataset.add_call(created_at=NOW - timedelta(minutes=minutes + 1), agent=101)
        dataset.add_record(call.id, summary="Клиент согласен на встречу.")
        dataset.add_call(created_at=NOW - timedelta(minutes=minutes + 1), agent=102)
    async with context_at(DemoLiner(dataset)) as context:
        both = await sample(context, 4, since="today")
        none = await sample(context, 4, since="today", agents=(102,))
    assert {row["agent_id"] for row in rows_of(both)} == {101}
    assert (ids_of(none), page_of(none)["population"], page_of(none)["complete"]) == ([], 0, True)
    assert_says(notes_of(none), "no_call_of_this_window_can_be", at_start=True)
    assert none.structure["names"]["agents"] == {"102": "Анна Смирнова #102"}


FILTERED: list[tuple[dict[str, Any], Callable[[Call], bool]]] = [
    ({"recorded": False}, lambda call: not call.has_records),
    ({"agents": ("Evening shift",)}, lambda call: call.has_records and call.user_id in (103, 108, 111, 113)),
    ({"min_talk_seconds": 120}, lambda call: call.has_records and call.talk_time_duration_seconds >= 120),
    ({"statuses": ("call_back",)}, lambda call: call.has_records and call.status_code == "call_back"),
]


@pytest.mark.parametrize(("question", "test"), FILTERED)
async def test_the_population_is_what_the_question_means(
    dataset: Dataset, question: dict[str, Any], test: Callable[[Call], bool]
) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answer = await sample(context, 10, **question)
    calls = {call.id for call in calls_between(dataset, NOW - 10 * DAY, NOW) if test(call)}
    assert page_of(answer)["population"] == len(calls)
    assert len(ids_of(answer)) == 10
    assert set(ids_of(answer)) <= calls


async def test_transfers_can_be_drawn(dataset: Dataset) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answer = await sample(context, 5, since="-5d", transferred=True)
    assert page_of(answer)["local_filters"] == ["recorded", "transferred"]
    assert len(ids_of(answer)) == 5


@pytest.mark.parametrize("size", [1, 5, 20])
async def test_a_sample_of_transfers_is_the_one_drawn_from_all_transfers_for_fewer_requests(
    dataset: Dataset, size: int
) -> None:
    demo = FakeLiner(dataset)
    async with context_at(demo) as context:
        answer = await sample(context, size, seed="7", since="-15d", transferred=True)
    examined = sum("callId=" in target for target in demo.requests)
    calls = recorded_calls(dataset, 15)
    stratified = StratifiedSample("7", size)
    stratified.add(
        LinerCall(id=call.id, user_id=call.user_id)
        for call in calls
        if any(record.is_transfer for record in dataset.records_of(call.id))
    )
    assert stratified.population > 20
    assert set(ids_of(answer)) == {call.id for call in stratified.selected()}
    assert "population" not in page_of(answer)
    assert examined < len(calls) / 2


async def test_no_sample_is_drawn_when_time_is_up_among_the_records(dataset: Dataset) -> None:
    blocking = BlockingLiner(dataset, lambda target: "callId=" in target)
    async with context_at(blocking) as context:
        await context.directory.names("agents", "orders", "statuses")
        with pytest.raises(DeadlineExceeded), anyio.fail_after(1.2):
            await sample(context, 5, since="-1d", transferred=True)


async def test_the_population_of_a_sample_is_told_when_every_call_was_examined() -> None:
    dataset = empty_dataset()
    for transfer in (True, True, False):
        call = dataset.add_call(created_at=NOW - timedelta(hours=1))
        dataset.add_record(call.id, is_transfer=transfer)
    async with context_at(DemoLiner(dataset)) as context:
        one = await sample(context, 1, since="-2h", transferred=True)
        all_of_them = await sample(context, 5, since="-2h", transferred=True)
        none = await sample(context, 5, since="-2h", transferred=True, min_talk_seconds=5_000)
    assert [page_of(answer).get("population") for answer in (one, all_of_them, none)] == [2, 2, 0]
    assert [page_of(answer)["complete"] for answer in (one, all_of_them, none)] == [True, True, True]
    assert_says(notes_of(none), "no_call_of_this_window_can_be")


async def test_a_sample_that_examined_only_a_part_does_not_claim_that_no_more_pass(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_calls_module, "MAX_EXAMINED", 1)
    async with context_at(DemoLiner(dataset)) as context:
        answer = await sample(context, 1, seed="2", since="-15d", transferred=True, agents=(101,))
    assert (ids_of(answer), page_of(answer)["complete"], "population" in page_of(answer)) == ([], False, False)
    assert "were examined; ask for less time" in notes_of(answer)


async def test_drawn_calls_are_offered_to_complete_ids(dataset: Dataset) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        answer = await sample(context, 5)
        assert context.recent_calls.starting_with("") == [str(one) for one in ids_of(answer)]


async def test_a_sample_has_no_cursor(dataset: Dataset) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        with pytest.raises(InvalidArgument, check=error_says("sample_has_no_pages_send_it", at_start=True)):
            await sample(context, cursor="anything")


# What cannot be said in full ------------------------------------------------------------------------------------------


async def test_what_does_not_fit_is_counted(dataset: Dataset) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        full, cut = await sample(context, 100), await sample(context, 100, budget=2_000)
        shown = ids_of(cut)
        smaller = await sample(context, len(shown))
    assert cut.size <= 2_000
    assert shown == ids_of(smaller), "it is filled in the order of the draw, so the rest is as even as a smaller sample"
    assert (page_of(cut)["complete"], page_of(cut)["population"]) == (False, page_of(full)["population"])
    assert notes_of(cut) == recorded("drawn_calls_did_not_fit", value=100 - len(shown), count=len(shown))


async def test_without_names_there_are_ids(dataset: Dataset) -> None:
    async with context_at(AlteredLiner(DemoLiner(dataset), status_by_pattern={f"^{USERS}": 500})) as context:
        answer = await sample(context, 5)
    assert len(ids_of(answer)) == 5
    assert notes_of(answer) == recorded("names_of_agents_could_not_be")


async def test_calls_that_liner_counts_but_never_lists_are_told(dataset: Dataset) -> None:
    async with context_at(AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: with_total(900)})) as context:
        answer = await sample(context, 5, since="yesterday")
    assert page_of(answer)["complete"] is False
    assert notes_of(answer) == recorded("liner_counts_more_calls_in_this_window")


# No sample of a part --------------------------------------------------------------------------------------------------


def ends_before(days: int) -> Callable[[str], bool]:
    limit = (NOW - days * DAY).strftime("%Y-%m-%dT%H%%3A%M%%3A%SZ")
    return lambda target: (
        target.startswith("/v2/call/?") and target.split("createdAt%5B1%5D=")[1][: len(limit)] <= limit
    )


def altered_at(demo: DemoLiner, spoils: Callable[[str], bool]) -> Any:
    faulty = AlteredLiner(demo, status_by_pattern={CALLS: 500})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        target = f"{scope['path']}?{scope['query_string'].decode()}"
        await (faulty if spoils(target) else demo)(scope, receive, send)

    return app


async def test_a_window_that_could_not_be_read_whole_names_the_part_that_could(dataset: Dataset) -> None:
    async with context_at(altered_at(DemoLiner(dataset), ends_before(15))) as context:
        with pytest.raises(DeadlineExceeded) as raised:
            await sample(context, since="-40d")
    assert str(raised.value) == recorded("no_sample_was_drawn_because_the_window")
    async with context_at(altered_at(DemoLiner(dataset), ends_before(15))) as context:
        part = await sample(context, since="2026-11-05T18:00+03:00", until="2026-11-20T18:00+03:00")
    assert page_of(part)["population"] == len(recorded_calls(dataset, 15))


@pytest.mark.virtual_time
async def test_a_deadline_in_the_middle_is_no_smaller_sample(dataset: Dataset) -> None:
    async with context_at(BlockingLiner(dataset, ends_before(15))) as context:
        with (
            pytest.raises(DeadlineExceeded, check=error_says("the_part_since_2026_11_until")),
            anyio.fail_after(1.4),
        ):
            await sample(context, since="-40d")


async def test_a_window_of_which_nothing_could_be_read_says_so(dataset: Dataset) -> None:
    newest = NOW.strftime("createdAt%%5B1%%5D=%Y-%m-%dT%H%%3A%M%%3A%SZ")
    oldest = (NOW - 40 * DAY).strftime("createdAt%%5B0%%5D=%Y-%m-%dT%H%%3A%M%%3A%SZ")
    app = altered_at(DemoLiner(dataset), lambda target: newest in target and oldest not in target)
    async with context_at(app) as context:
        with pytest.raises(DeadlineExceeded, check=error_says("no_part_of_it_could_be")):
            await sample(context, since="-40d")


async def test_a_first_read_that_fails_is_the_answer(dataset: Dataset) -> None:
    async with context_at(AlteredLiner(DemoLiner(dataset), status_by_pattern={CALLS: 500})) as context:
        with pytest.raises(LinerUnavailable):
            await sample(context)


@pytest.mark.parametrize(
    ("seed", "shown"), [("+7 916 123-45-67", "+7 *** ***-**-67"), ("ivan@mail.ru", "***@mail.ru"), ("a\u200bb", "ab")]
)
async def test_a_seed_is_shown_as_every_text_of_a_client_and_draws_as_it_was_sent(
    dataset: Dataset, seed: str, shown: str
) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        first, again, other = (
            await sample(context, seed=seed),
            await sample(context, seed=seed),
            await sample(context, seed=shown),
        )
    assert page_of(first)["seed"] == shown
    assert "123-45" not in first.text
    assert "ivan" not in first.text
    assert_says(str(first.structure["notes"]), "the_seed_as_you_sent_it")
    assert ids_of(first) == ids_of(again) != ids_of(other)


@pytest.mark.parametrize("seed", ["\ud800", "a\udfffb"])
async def test_a_seed_without_a_utf8_form_is_refused(dataset: Dataset, seed: str) -> None:
    async with context_at(DemoLiner(dataset)) as context:
        with pytest.raises(InvalidArgument, check=error_says("seed_holds_half_of_a_character")):
            await sample(context, 2, seed=seed)
