"""What is new in Liner: it is found in time, and nothing is said to be missing from a list that may be old."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import anyio
import pytest

from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.page_cursor import CHANGED_NAMES_NOTE
from liner_mcp.calls.query import resolve
from liner_mcp.context import AppContext
from liner_mcp.demo import Dataset
from liner_mcp.errors import InvalidArgument
from liner_mcp.liner.restricted_client import Access, RestrictedClient
from liner_mcp.names.directory import Directory
from tests.calls.support import context_at, empty_dataset, find, ids_of, notes_of, page_of
from tests.calls.test_incomplete_directories import Ask, each_way_to_ask, stats
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.support.context import ORDERS, STATUSES, USERS, AlteredLiner, Timer, rows_of
from tests.support.sentences import assert_says, error_says, recorded

pytestmark = pytest.mark.anyio

GROUPS = "/v2/agent-group"
NEW = 299  # the id of whatever is new


@pytest.fixture
def liner() -> FakeLiner:
    dataset = empty_dataset()
    add_recorded_call(dataset)
    return FakeLiner(dataset)


@pytest.fixture
def timer() -> Timer:
    return Timer()


def add_recorded_call(dataset: Dataset, **fields: Any) -> int:
    call = dataset.add_call(**{"created_at": NOW - timedelta(minutes=5), **fields})
    dataset.add_record(call.id)
    return call.id


def add_order(dataset: Dataset, title: str = "Новый квартал") -> None:
    dataset.orders = (*dataset.orders, replace(dataset.orders[0], id=NEW, title=title, service_title="", code="new"))


def add_agent(dataset: Dataset) -> None:
    dataset.users = (*dataset.users, replace(dataset.users[-1], id=NEW, name="Новый", last_name="Агентов"))


def add_group(dataset: Dataset) -> None:
    group = replace(dataset.agent_groups[0], id=NEW, name_ru="Новая группа", name_gb="New group", agent_ids=(101, 104))
    dataset.agent_groups = (*dataset.agent_groups, group)


def add_status(dataset: Dataset) -> None:
    status = replace(dataset.call_statuses[0], id=NEW, code="brand_new", title="Новый статус")
    dataset.call_statuses = (*dataset.call_statuses, status)


def calls_counted(answer: Any) -> int:
    return sum(row.get("calls", 1) for row in rows_of(answer))


# Every order ----------------------------------------------------------------------------------------------------------


@each_way_to_ask
async def test_the_calls_of_a_new_order_are_found_after_a_minute(liner: FakeLiner, timer: Timer, ask: Ask) -> None:
    async with context_at(liner, timer=timer) as context:
        assert calls_counted(await ask(context, since="-1h")) == 1
        add_order(liner.dataset)
        add_recorded_call(liner.dataset, order=NEW)
        timer.seconds = 59
        assert calls_counted(await ask(context, since="-1h")) == 1
        assert liner.count(ORDERS) == 1
        timer.seconds = 61
        answer = await ask(context, since="-1h")
    assert calls_counted(answer) == 2
    assert (page_of(answer)["complete"], notes_of(answer)) == (True, "")
    assert liner.count(ORDERS) == 2


async def test_many_questions_about_every_order_share_one_new_read(liner: FakeLiner, timer: Timer) -> None:
    async with context_at(liner, timer=timer) as context:
        await find(context, since="-1h")
        timer.seconds = 61
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(resolve, context, CallQuery(since="-1h"))
    assert liner.count(ORDERS) == 2


@asynccontextmanager
async def restricted(context: AppContext, timer: Timer, access: Access) -> AsyncGenerator[AppContext]:
    """The context of a caller with access rules, on the connections of `context`."""
    reads = RestrictedClient(context.liner, access)
    yield replace(context, liner=reads, directory=Directory(reads, timer=timer))


async def test_restricted_callers_see_a_new_order_after_a_minute_and_share_the_request(
    liner: FakeLiner, timer: Timer
) -> None:
    found: list[set[int]] = []
    async with (
        context_at(liner, timer=timer) as context,
        restricted(context, timer, Access(orders=frozenset({201, NEW}))) as some_orders,
        restricted(context, timer, Access(agents=frozenset({101}))) as one_agent,
    ):

        async def ask(caller: AppContext) -> None:
            found.append(set((await resolve(caller, CallQuery(since="-1h"))).filters.orders))

        async def ask_all() -> None:
            async with anyio.create_task_group() as group:
                for caller in (some_orders, one_agent, context):
                    group.start_soon(ask, caller)

        await ask_all()
        assert liner.count(ORDERS) == 1
        add_order(liner.dataset)
        timer.seconds = 61
        await ask_all()
    assert liner.count(ORDERS) == 2
    listed = {order.id for order in liner.dataset.orders}
    assert sorted(found[3:], key=len) == [{201, NEW}, listed, listed]


@each_way_to_ask
async def test_an_order_list_that_cannot_be_read_again_is_used_and_the_answer_is_not_complete(
    liner: FakeLiner, timer: Timer, ask: Ask
) -> None:
    faulty = AlteredLiner(liner)
    async with context_at(faulty, timer=timer) as context:
        await ask(context, since="-1h")
        timer.seconds = 61
        faulty.status_by_pattern = {ORDERS: 422}
        answer = await ask(context, since="-1h")
        asked = liner.count(ORDERS)
        await ask(context, since="-1h")
        assert liner.count(ORDERS) == asked, "a failed read is not repeated at once"
        faulty.status_by_pattern = {}
        timer.seconds = 72
        again = await ask(context, since="-1h")
    assert calls_counted(answer) == 1
    assert page_of(answer)["complete"] is False
    assert "total" not in page_of(answer)
    assert_says(notes_of(answer), "the_list_of_orders_could_not")
    assert (page_of(again)["complete"], notes_of(again)) == (True, "")


@each_way_to_ask
async def test_an_order_list_that_failed_for_five_minutes_is_an_error(liner: FakeLiner, timer: Timer, ask: Ask) -> None:
    faulty = AlteredLiner(liner)
    async with context_at(faulty, timer=timer) as context:
        await ask(context, since="-1h")
        timer.seconds = 301
        faulty.status_by_pattern = {ORDERS: 422}
        with pytest.raises(Exception, match="Liner"):
            await ask(context, since="-1h")


# Names and ids --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "name", "add", "expected"),
    [
        ("orders", "Новый квартал", add_order, (NEW,)),
        ("agents", "Агентов", add_agent, (NEW,)),
        ("agents", "New group", add_group, (101, 104)),
        ("statuses", "Новый статус", add_status, ("brand_new",)),
        ("statuses", "brand_new", add_status, ("brand_new",)),
        ("statuses", NEW, add_status, ("brand_new",)),
    ],
)
async def test_an_unknown_name_is_looked_up_in_a_fresh_dictionary(
    liner: FakeLiner, timer: Timer, argument: str, name: Any, add: Callable[[Dataset], None], expected: Any
) -> None:
    asked: dict[str, Any] = {argument: (name,)}
    async with context_at(liner, timer=timer) as context:
        for kind in ("orders", "agents", "agent_groups", "call_statuses"):
            await context.directory.read(kind)
        add(liner.dataset)
        timer.seconds = 11
        found = await resolve(context, CallQuery(since="-1h", **asked))
    assert getattr(found.filters, argument) == expected
    assert (found.notes, found.gaps) == ((), ())
    if argument == "statuses":
        assert found.filters.status_ids == (NEW,)


@each_way_to_ask
async def test_a_new_order_is_found_by_its_name(liner: FakeLiner, timer: Timer, ask: Ask) -> None:
    async with context_at(liner, timer=timer) as context:
        await ask(context, since="-1h")
        add_order(liner.dataset)
        add_recorded_call(liner.dataset, order=NEW)
        timer.seconds = 11
        answer = await ask(context, since="-1h", orders=("новый квартал",))
    assert calls_counted(answer) == 1
    assert page_of(answer)["complete"] is True
    assert answer.structure["names"]["orders"] == {str(NEW): "Новый квартал"}


async def test_many_unknown_names_cause_one_new_read_of_each_dictionary(liner: FakeLiner, timer: Timer) -> None:
    async with context_at(liner, timer=timer) as context:
        for kind in ("orders", "agents", "agent_groups", "call_statuses"):
            await context.directory.read(kind)
        timer.seconds = 11

        async def ask(number: int) -> None:
            for argument in ("orders", "agents", "statuses"):
                asked: dict[str, Any] = {argument: (f"Луна {number}",)}
                with pytest.raises(InvalidArgument, check=error_says("nothing_is_called")):
                    await resolve(context, CallQuery(since="-1h", **asked))

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(ask, number)
        timer.seconds = 20
        await ask(20)
        assert [liner.count(path) for path in (ORDERS, USERS, GROUPS, STATUSES)] == [2, 2, 2, 2]
        timer.seconds = 22
        await ask(21)
    assert [liner.count(path) for path in (ORDERS, USERS, GROUPS, STATUSES)] == [3, 3, 3, 3]


async def test_a_name_that_a_fresh_dictionary_would_have_is_not_called_unknown(liner: FakeLiner, timer: Timer) -> None:
    faulty = AlteredLiner(liner)
    async with context_at(faulty, timer=timer) as context:
        await context.directory.read("orders")
        timer.seconds = 11
        faulty.status_by_pattern = {ORDERS: 422}
        with pytest.raises(InvalidArgument) as raised:
            await resolve(context, CallQuery(since="-1h", orders=("Новый квартал",)))
    assert_says(str(raised.value), "orders_is_none_of_the_names_outdated", at_start=True)
    assert "nothing is called" not in str(raised.value)


@each_way_to_ask
async def test_a_new_order_without_calls_is_not_said_to_be_unlisted(liner: FakeLiner, timer: Timer, ask: Ask) -> None:
    unlisted = f"list_directory has no order {NEW}"
    async with context_at(liner, timer=timer) as context:
        await ask(context, since="-1h", orders=(201,))
        assert unlisted in notes_of(await ask(context, since="-1h", orders=(NEW,)))
        assert liner.count(ORDERS) == 1, "the list is new enough to say so"
        add_order(liner.dataset)
        timer.seconds = 11
        answer = await ask(context, since="-1h", orders=(NEW,))
    assert unlisted not in notes_of(answer)
    assert answer.structure["names"]["orders"] == {str(NEW): "Новый квартал"}


@each_way_to_ask
async def test_an_id_is_not_said_to_be_unlisted_when_the_list_cannot_be_read_again(
    liner: FakeLiner, timer: Timer, ask: Ask
) -> None:
    faulty = AlteredLiner(liner)
    async with context_at(faulty, timer=timer) as context:
        await ask(context, since="-1h", orders=(201,))
        timer.seconds = 11
        faulty.status_by_pattern = {ORDERS: 422}
        answer = await ask(context, since="-1h", orders=(NEW, 201))
    assert "list_directory has no order" not in notes_of(answer)
    assert_says(notes_of(answer), "names_of_some_orders_could_not")
    assert answer.structure["names"]["orders"] == {"201": "Sunrise Park"}


# Pages ----------------------------------------------------------------------------------------------------------------


async def test_later_pages_say_that_the_list_of_orders_changed(liner: FakeLiner, timer: Timer) -> None:
    made = [add_recorded_call(liner.dataset, created_at=NOW - timedelta(minutes=10 + n)) for n in range(4)]
    async with context_at(liner, timer=timer) as context:
        first = await find(context, since="-1h", limit=2)
        add_order(liner.dataset)
        hidden = add_recorded_call(liner.dataset, order=NEW, created_at=NOW - timedelta(minutes=1))
        timer.seconds = 301
        second = await find(context, limit=2, cursor=page_of(first)["next_cursor"])
        third = await find(context, limit=2, cursor=page_of(second)["next_cursor"])
    assert CHANGED_NAMES_NOTE in notes_of(second)
    assert page_of(third)["complete"] is False
    assert "total" not in page_of(third)
    assert_says(notes_of(third), "calls_are_missing_from_an_earlier")
    assert ids_of([first, second, third])[1:] == made
    assert hidden not in ids_of([first, second, third])


async def test_pages_are_complete_when_the_same_orders_are_listed_in_another_order(
    liner: FakeLiner, timer: Timer
) -> None:
    add_recorded_call(liner.dataset)
    async with context_at(liner, timer=timer) as context:
        first = await find(context, since="-1h", limit=1)
        liner.dataset.orders = tuple(replace(one, title=f"{-one.id} {one.title}") for one in liner.dataset.orders[::-1])
        timer.seconds = 301
        second = await find(context, limit=1, cursor=page_of(first)["next_cursor"])
    assert (page_of(second)["complete"], page_of(second)["total"], notes_of(second)) == (True, 2, "")


async def test_a_page_of_a_server_whose_list_is_older_reads_it_again(liner: FakeLiner, timer: Timer) -> None:
    async with context_at(liner, timer=timer) as old_server:
        await find(old_server, since="-1h")
        add_order(liner.dataset)
        made = [add_recorded_call(liner.dataset, order=NEW), add_recorded_call(liner.dataset)]
        async with context_at(liner) as new_server:
            first = await find(new_server, since="-1h", limit=1)
        timer.seconds = 59
        second = await find(old_server, limit=5, cursor=page_of(first)["next_cursor"])
    assert (page_of(second)["complete"], notes_of(second)) == (True, "")
    assert set(made) < set(ids_of([first, second]))
    assert page_of(second)["total"] == 3


async def test_a_question_that_is_too_long_for_its_cursor_says_that_a_group_changed(
    liner: FakeLiner, timer: Timer
) -> None:
    for _ in range(2):
        add_recorded_call(liner.dataset, agent=101)
    ids = tuple(1_000_000 + number * number * 7_919 % 8_999_993 for number in range(1, 301))
    question: dict[str, Any] = {"since": "-1h", "orders": (201, *ids), "agents": ("Первая линия",)}
    async with context_at(liner, timer=timer) as context:
        first = await find(context, limit=1, **question)
        cursor = page_of(first)["next_cursor"]
        same = await find(context, limit=5, cursor=cursor, **question)
        liner.dataset.agent_groups = tuple(replace(one, agent_ids=(101,)) for one in liner.dataset.agent_groups)
        timer.seconds = 301
        changed = await find(context, limit=5, cursor=cursor, **question)
    assert page_of(same)["complete"] is True
    assert page_of(changed)["complete"] is False
    assert CHANGED_NAMES_NOTE in notes_of(changed)


# Leads ----------------------------------------------------------------------------------------------------------------


@each_way_to_ask
async def test_the_incoming_call_that_created_a_lead_is_found(ask: Ask) -> None:
    dataset = empty_dataset()
    lead = dataset.calls[add_recorded_call(dataset)].lead_id
    created = NOW - timedelta(days=9)
    dataset.leads[lead] = replace(dataset.leads[lead], created_at=created)
    before = [created - timedelta(seconds=2), created - timedelta(hours=23)]
    for moment in (*before, created - timedelta(hours=25)):
        add_recorded_call(dataset, lead=lead, created_at=moment)
    async with context_at(FakeLiner(dataset)) as context:
        answer = await ask(context, leads=(lead,))
    assert calls_counted(answer) == 3
    assert answer.structure["window"]["since"] == context.zone.isoformat(created - timedelta(days=1))


# Dictionaries that came in part, or not at all ------------------------------------------------------------------------


@each_way_to_ask
async def test_a_group_name_is_not_called_unknown_while_groups_cannot_be_read(liner: FakeLiner, ask: Ask) -> None:
    async with context_at(AlteredLiner(liner, status_by_pattern={GROUPS: 403})) as context:
        with pytest.raises(InvalidArgument) as raised:
            await ask(context, since="-1h", agents=("Первая линия",))
        answer = await ask(context, since="-1h", agents=("Anna Petrova",))
        by_id = await ask(context, since="-1h", agents=(101,))
    assert_says(str(raised.value), "agents_is_none_of_the_names_groups", at_start=True)
    assert_says(notes_of(answer), "agent_groups_could_not_be_read_a_name")
    assert page_of(answer)["complete"] is False
    assert (page_of(by_id)["complete"], notes_of(by_id).count("groups")) == (True, 0)


def first_of_many(data: Any) -> Any:
    """The first entry, of forty that Liner counts."""
    entries = cast("list[Any]", data if isinstance(data, list) else data["list"])
    return {"list": entries[:1], "next": None, "total": 40}


@pytest.mark.parametrize(
    ("argument", "path", "kinds", "remedy"),
    [
        ("orders", ORDERS, "orders", "ids"),
        ("agents", USERS, "agents", "ids"),
        ("agents", GROUPS, "agent groups", "ids"),
        ("statuses", STATUSES, "call statuses", "its code"),
    ],
)
@each_way_to_ask
async def test_a_name_is_not_called_unknown_when_a_dictionary_came_in_part(
    liner: FakeLiner, ask: Ask, argument: str, path: str, kinds: str, remedy: str
) -> None:
    async with context_at(AlteredLiner(liner, change_by_pattern={path: first_of_many})) as context:
        with pytest.raises(InvalidArgument) as raised:
            await ask(context, since="-1h", **{argument: ("Луна",)})
    assert str(raised.value) == recorded(
        "is_none_of_the_names_that_were_read", argument=argument, kinds=kinds, remedy=remedy
    )


@each_way_to_ask
async def test_a_status_that_a_partial_dictionary_lacks_is_not_called_unknown(liner: FakeLiner, ask: Ask) -> None:
    def qualified_alone(data: Any) -> Any:
        return {"list": [status for status in data if status["id"] == 51], "next": None, "total": 40}

    async with context_at(AlteredLiner(liner, change_by_pattern={STATUSES: qualified_alone})) as context:
        with pytest.raises(InvalidArgument) as raised:
            await ask(context, since="-1h", statuses=(57,))
        by_code = await ask(context, since="-1h", statuses=("sales_queue_overflow",))
        by_name = await ask(context, since="-1h", statuses=("Квалифицирован",))
    assert_says(str(raised.value), "statuses_call_status_is_not_among")
    assert_says(notes_of(by_code), "the_part_of_liners_dictionary")
    assert_says(notes_of(by_name), "liner_counts_more_call_statuses")
    assert page_of(by_name)["complete"] is False


async def test_a_name_that_fits_several_of_a_partial_dictionary_fits_at_least_those(liner: FakeLiner) -> None:
    two = AlteredLiner(liner, change_by_pattern={ORDERS: lambda data: {**data, "total": 999}})
    async with context_at(two) as context:
        with pytest.raises(InvalidArgument) as raised:
            await resolve(context, CallQuery(since="-1h", orders=("север",)))
    assert str(raised.value).startswith('orders: "север" fits at least 2: ')


async def test_which_calls_are_qualified_is_unknown_when_statuses_came_in_part(liner: FakeLiner) -> None:
    async with context_at(AlteredLiner(liner, change_by_pattern={"/v2/lead-status": first_of_many})) as context:
        answer = await stats(context, since="-1h")
    assert answer.structure["totals"]["qualified"] is None
    assert_says(notes_of(answer), "which_statuses_qualify_a_lead_could")


@each_way_to_ask
async def test_an_order_list_whose_count_does_not_fit_is_not_every_order(liner: FakeLiner, ask: Ask) -> None:
    def repeated(data: Any) -> Any:
        return {"list": data["list"] * 2, "next": None, "total": len(data["list"]) - 1}

    async with context_at(AlteredLiner(liner, change_by_pattern={ORDERS: repeated})) as context:
        answer = await ask(context, since="-1h")
    assert page_of(answer)["complete"] is False
    assert_says(notes_of(answer), "the_list_of_orders_could_not_be_read_whole")
