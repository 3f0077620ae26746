"""What Liner does not list, or lists although nobody asked: an answer says so, or is none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from liner_mcp.answer.table import Answer
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.call_stats import call_stats
from liner_mcp.calls.sample_calls import sample_calls
from liner_mcp.context import AppContext
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.errors import AccessRefused, InvalidResponse
from liner_mcp.list_directory import list_directory
from liner_mcp.records.get_call_summaries import get_call_summaries
from liner_mcp.records.list_call_records import list_call_records
from tests.calls.support import (
    context_at,
    empty_dataset,
    find,
    find_all_pages,
    notes_of,
    page_of,
    undecided_note,
)
from tests.conftest import NOW
from tests.fakes import FakeLiner, Fault
from tests.fakes.faults import Ignores
from tests.support.context import MAX_BUDGET, ORDERS, USERS, AlteredLiner, rows_of, small_dataset, with_total
from tests.support.sentences import error_says, recorded

pytestmark = pytest.mark.anyio

UNLISTED_ORDERS = "Liner counts more orders than it lists; calls of other orders may be missing here."
LEAKED = "Liner sent calls that the filters exclude; they were left out here."


async def stats(context: AppContext, budget: int = MAX_BUDGET, **asked: Any) -> Answer:
    return await call_stats(context, CallQuery(**asked), group_by=["agent"], budget=budget)


async def sample(context: AppContext, budget: int = MAX_BUDGET, **asked: Any) -> Answer:
    question = CallQuery(**asked)
    return await sample_calls(context, question, include=(), sample=5, seed="1", cursor=None, budget=budget)


Ask = Callable[..., Awaitable[Answer]]
each_way_to_ask = pytest.mark.parametrize("ask", [find, stats, sample], ids=["find_calls", "call_stats", "sample"])


# Dictionaries that do not come whole ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "path"), [("agents", USERS), ("orders", ORDERS), ("agent_groups", "/v2/agent-group")])
async def test_a_dictionary_that_does_not_come_whole_is_not_complete(liner: DemoLiner, kind: Any, path: str) -> None:
    async with context_at(AlteredLiner(liner, change_by_pattern={path: with_total(999)})) as context:
        answer = await list_directory(context, kind=kind, query=None, cursor=None, budget=MAX_BUDGET)
    assert page_of(answer)["complete"] is False
    assert "total" not in page_of(answer)
    assert notes_of(answer) == recorded("liner_counts_more_than_it_lists", kind=kind.replace("_", " "))


async def test_a_dictionary_that_comes_whole_is_complete(liner: DemoLiner) -> None:
    async with context_at(liner) as context:
        answer = await list_directory(context, kind="agents", query=None, cursor=None, budget=MAX_BUDGET)
    assert page_of(answer)["complete"] is True
    assert notes_of(answer) == ""


async def test_names_that_may_be_missing_are_told(liner: DemoLiner) -> None:
    async with context_at(AlteredLiner(liner, change_by_pattern={USERS: with_total(999)})) as context:
        answer = await find(context, since="yesterday", orders=(201,), limit=5)
    assert notes_of(answer) == recorded("names_of_some_agents_could_not")


@each_way_to_ask
async def test_every_order_of_those_that_liner_lists_is_not_every_order(liner: DemoLiner, ask: Ask) -> None:
    async with context_at(AlteredLiner(liner, change_by_pattern={ORDERS: with_total(999)})) as context:
        answer = await ask(context, since="yesterday")
        named = await ask(context, since="yesterday", orders=(201,))
    assert page_of(answer)["complete"] is False
    assert UNLISTED_ORDERS in notes_of(answer)
    assert UNLISTED_ORDERS not in notes_of(named)


async def test_orders_that_are_missing_are_missing_from_the_last_page_too(liner: DemoLiner) -> None:
    async with context_at(AlteredLiner(liner, change_by_pattern={ORDERS: with_total(999)})) as context:
        answers = await find_all_pages(context, since="yesterday", limit=50)
    assert len(answers) > 1
    for answer in answers:
        assert page_of(answer)["complete"] is False
        assert "total" not in page_of(answer)
        assert UNLISTED_ORDERS in notes_of(answer)


@each_way_to_ask
async def test_a_name_looked_up_in_half_a_dictionary_may_fit_others_too(liner: DemoLiner, ask: Ask) -> None:
    name = liner.dataset.agents[0].full_name
    async with context_at(AlteredLiner(liner, change_by_pattern={USERS: with_total(999)})) as context:
        by_name = await ask(context, since="yesterday", agents=(name,))
        by_id = await ask(context, since="yesterday", agents=(101,))
    told = "Liner counts more agents than it lists; a name may fit others too, whose calls are missing here."
    assert told in notes_of(by_name)
    assert page_of(by_name)["complete"] is False
    assert told not in notes_of(by_id)
    assert page_of(by_id)["complete"] is True


# Filters that Liner ignores -------------------------------------------------------------------------------------------


@each_way_to_ask
@pytest.mark.parametrize("ignored", ["createdAt", "orderIds"])
async def test_calls_that_liner_was_asked_to_leave_out_are_left_out_and_told(
    dataset: Dataset, ask: Ask, ignored: str
) -> None:
    async with context_at(FakeLiner(dataset)) as context:
        expected = await ask(context, since="yesterday", orders=(201,))
    async with context_at(FakeLiner(dataset, faults=[Fault(Ignores((ignored,)))])) as context:
        answer = await ask(context, since="yesterday", orders=(201,))
    assert rows_of(answer) == rows_of(expected)
    assert page_of(answer)["complete"] is page_of(expected)["complete"] is True
    assert (LEAKED in notes_of(answer), LEAKED in notes_of(expected)) == (True, False)


# Records of other calls -----------------------------------------------------------------------------------------------


def ignoring_call_parameters(dataset: Dataset, record_list: Any) -> FakeLiner:
    return FakeLiner(dataset, record_list=record_list, faults=[Fault(Ignores(("callId",)))])


@pytest.mark.parametrize("record_list", ["full", "short"])
async def test_records_of_other_calls_are_never_told_as_those_of_the_call_that_was_asked(record_list: Any) -> None:
    dataset = small_dataset()
    first, second = [call.id for call in dataset.calls.values() if dataset.records_of(call.id)][:2]
    async with context_at(ignoring_call_parameters(dataset, record_list)) as context:
        with pytest.raises(InvalidResponse, check=error_says("recordings_of_other_calls")):
            await list_call_records(context, call_id=first, limit=25, cursor=None, summary_chars=160, budget=MAX_BUDGET)
        with pytest.raises(InvalidResponse, check=error_says("recordings_of_other_calls")):
            await get_call_summaries(context, call_ids=[first, second], summary_chars=160, budget=MAX_BUDGET)


async def test_a_list_with_records_of_other_calls_is_not_read_beyond_the_page_that_shows_it() -> None:
    dataset = small_dataset()
    call_id = next(call.id for call in dataset.calls.values() if dataset.records_of(call.id))
    for _ in range(300):
        dataset.add_record(call_id)
    liner = ignoring_call_parameters(dataset, "full")
    async with context_at(liner) as context:
        with pytest.raises(InvalidResponse, check=error_says("recordings_of_other_calls")):
            await list_call_records(
                context, call_id=call_id, limit=25, cursor=None, summary_chars=160, budget=MAX_BUDGET
            )
    assert liner.count("/v2/call-record/?") == 1


@each_way_to_ask
@pytest.mark.parametrize("record_list", ["full", "short"])
async def test_transfers_are_not_told_from_the_records_of_other_calls(ask: Ask, record_list: Any) -> None:
    async with context_at(ignoring_call_parameters(small_dataset(), record_list)) as context:
        answer = await ask(context, since="-2d", transferred=True)
    assert rows_of(answer) == []
    assert page_of(answer)["complete"] is False
    assert len(answer.structure["retry"]) == page_of(answer)["undecided"] > 1
    assert undecided_note(page_of(answer)["undecided"]) in notes_of(answer)


@each_way_to_ask
@pytest.mark.parametrize("status", [422, 500])
async def test_calls_whose_records_cannot_be_read_are_undecided_and_the_others_are_answered(
    ask: Ask, status: int
) -> None:
    dataset = empty_dataset()
    lost, transferred, plain = (dataset.add_call(created_at=NOW - timedelta(minutes=m)).id for m in (1, 2, 3))
    for one in (lost, transferred, plain):
        dataset.add_record(one, is_transfer=one == transferred)
    faulty = AlteredLiner(DemoLiner(dataset), status_by_pattern={rf"callId={lost}\b": status})
    async with context_at(faulty) as context:
        answer = await ask(context, since="-1h", transferred=True)
    assert sum(row.get("calls", 1) for row in rows_of(answer)) == 1
    assert (page_of(answer)["undecided"], page_of(answer)["complete"]) == (1, False)
    assert answer.structure["retry"] == [lost]
    assert undecided_note(1) in notes_of(answer)


@each_way_to_ask
async def test_an_account_that_may_not_read_records_is_an_error(ask: Ask) -> None:
    faulty = AlteredLiner(DemoLiner(small_dataset()), status_by_pattern={"callId=": 403})
    async with context_at(faulty) as context:
        with pytest.raises(AccessRefused):
            await ask(context, since="-2d", transferred=True)


@each_way_to_ask
async def test_so_many_undecided_calls_that_their_ids_do_not_fit_are_counted_and_the_newest_listed(ask: Ask) -> None:
    dataset = empty_dataset()
    made = [dataset.add_call(created_at=NOW - timedelta(seconds=10 * n), has_records=True).id for n in range(1, 181)]
    async with context_at(DemoLiner(dataset)) as context:
        answer = await ask(context, budget=2_000, since="-1h", transferred=True)
    listed = answer.structure["retry"]
    assert answer.size <= 2_000
    assert page_of(answer)["undecided"] == len(made) > len(listed) > 20
    assert listed == made[: len(listed)]
    assert f"retry lists {len(listed)} of their ids" in notes_of(answer)


async def test_a_list_of_all_records_is_not_read_to_its_end(dataset: Dataset) -> None:
    demo = ignoring_call_parameters(dataset, "short")
    call_id = next(iter(dataset.records.values())).call_id
    async with context_at(demo) as context:
        listing = await context.liner.call_records(call_id)
    assert len(dataset.records) > 1_000
    assert len(demo.requests) == 1
    assert not listing.complete
