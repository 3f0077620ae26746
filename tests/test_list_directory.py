"""Browsing the dictionaries: every entry once, by name, with what tells it apart."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest

from liner_mcp.answer.cursor import encode_cursor
from liner_mcp.answer.table import Answer
from liner_mcp.context import AppContext
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.errors import InvalidArgument, LinerUnavailable
from liner_mcp.list_directory import list_directory
from liner_mcp.names.directory import Kind
from tests.calls.support import context_at, notes_of, page_of
from tests.fakes import FakeLiner
from tests.support.context import (
    MAX_BUDGET,
    ORDERS,
    STATUSES,
    USERS,
    AlteredLiner,
    Timer,
    rows_of,
    small_dataset,
    with_total,
)
from tests.support.sentences import assert_says, recorded

pytestmark = pytest.mark.anyio

GROUPS = "/v2/agent-group"


async def listed(
    context: AppContext, kind: Kind, query: str | None = None, cursor: str | None = None, budget: int = MAX_BUDGET
) -> Answer:
    return await list_directory(context, kind=kind, query=query, cursor=cursor, budget=budget)


async def listing(app: Any, kind: Kind, query: str | None = None, cursor: str | None = None) -> Answer:
    async with context_at(app) as context:
        return await listed(context, kind, query, cursor)


async def refusal(app: Any, kind: Kind, query: str | None, cursor: str) -> str:
    with pytest.raises(InvalidArgument) as raised:
        await listing(app, kind, query, cursor)
    return str(raised.value)


def crowded(data: Any) -> Any:
    """A thousand users instead of those there are."""
    users = [
        {**data["list"][0], "id": 1_000 + number, "name": "Мария", "lastName": f"Номер {number:04}"}
        for number in range(1_000)
    ]
    return {"list": users, "next": None, "total": len(users)}


# What is listed -----------------------------------------------------------------------------------------------------


async def test_orders_are_listed_by_name_with_their_code(liner: DemoLiner, dataset: Dataset) -> None:
    answer = await listing(liner, "orders")
    assert answer.structure["columns"] == ["id", "name", "code"]
    expected = sorted(
        ([order.id, order.title, order.code] for order in dataset.orders), key=lambda row: str(row[1]).casefold()
    )
    assert answer.structure["rows"] == expected
    assert page_of(answer) == {"returned": 6, "complete": True, "total": 6}
    assert answer.structure["asked"] == {"kind": "orders"}


async def test_agents_are_listed_with_role_activity_and_groups(liner: DemoLiner, dataset: Dataset) -> None:
    rows = {row["id"]: row for row in rows_of(await listing(liner, "agents"))}
    assert set(rows) == {user.id for user in dataset.users}
    assert rows[101] == {
        "id": 101,
        "name": "Anna Petrova",
        "role": "call-center",
        "active": 1,
        "groups": "Первая линия",
    }
    assert (rows[113]["active"], rows[113]["groups"]) == (0, "Вечерняя смена")
    assert (rows[102]["name"], rows[103]["name"]) == ("Анна Смирнова #102", "Анна Смирнова #103")
    assert (rows[3]["role"], rows[3]["groups"]) == ("client", None)


async def test_agent_groups_are_listed_with_their_english_name_and_size(liner: DemoLiner) -> None:
    assert rows_of(await listing(liner, "agent_groups")) == [
        {"id": 33, "name": "Вечерняя смена", "english_name": "Evening shift", "agents": 4},
        {"id": 31, "name": "Первая линия", "english_name": "First line", "agents": 5},
        {"id": 32, "name": "Премиум и Дубай", "english_name": "Premium and Dubai", "agents": 5},
    ]


async def test_statuses_are_listed_with_what_they_lead_to(liner: DemoLiner, dataset: Dataset) -> None:
    calls = rows_of(await listing(liner, "call_statuses"))
    assert {(row["id"], row["name"], row["code"], row["lead_status"]) for row in calls} == {
        (status.id, status.title, status.code, status.lead_status_code) for status in dataset.call_statuses
    }
    leads = rows_of(await listing(liner, "lead_statuses"))
    assert {(row["id"], row["name"], row["code"], row["category"]) for row in leads} == {
        (status.id, status.title, status.code, status.category) for status in dataset.lead_statuses
    }


@pytest.mark.parametrize(
    ("kind", "query", "ids"),
    [
        ("orders", "СЕВЕР", {202, 203}),
        ("orders", "берег", {202}),
        ("orders", "marina-heights", {204}),
        ("orders", "повторные", {203}),
        ("orders", "park", {201}),
        ("agents", "анна", {102, 103}),
        ("agents", "petrova", {101}),
        ("agents", "petrova anna", {101}),
        ("agents", "#103", {103}),
        ("agent_groups", "shift", {33}),
        ("call_statuses", "завершен", {56}),
        ("call_statuses", "hung_up", {54}),
        ("lead_statuses", "целевой", {73, 74}),
    ],
)
async def test_a_query_matches_anywhere_in_a_name_and_case_makes_no_difference(
    liner: DemoLiner, kind: str, query: str, ids: set[int]
) -> None:
    answer = await listing(liner, cast("Kind", kind), query)
    assert {row["id"] for row in rows_of(answer)} == ids
    assert page_of(answer)["total"] == len(ids)
    assert answer.structure["asked"] == {"kind": kind, "query": query}


async def test_a_query_that_finds_nothing_says_among_how_many_it_looked(liner: DemoLiner) -> None:
    answer = await listing(liner, "orders", "Луна")
    assert answer.structure["rows"] == []
    assert page_of(answer) == {"returned": 0, "complete": True, "total": 0}
    assert notes_of(answer) == recorded("none_of_the_6_entries_has")


# Pages --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("budget", "query"), [(2_000, None), (MAX_BUDGET, None), (2_000, "номер 03")])
async def test_pages_together_are_everything_once_in_order(liner: DemoLiner, budget: int, query: str | None) -> None:
    expected = [f"Мария Номер {number:04}" for number in range(1_000) if query is None or "03" in f"{number:04}"]
    names: list[str] = []
    async with context_at(AlteredLiner(liner, change_by_pattern={USERS: crowded})) as context:
        answer = await listed(context, "agents", query, budget=budget)
        while True:
            assert answer.size <= budget
            assert len(names) < len(expected), "the cursor goes on"
            names += [row["name"] for row in rows_of(answer)]
            assert page_of(answer)["total"] == len(expected)
            cursor = page_of(answer).get("next_cursor")
            assert page_of(answer)["complete"] is (cursor is None)
            if cursor is None:
                break
            assert page_of(answer)["returned"] <= 200
            answer = await listed(context, "agents", cursor=cursor, budget=budget)
            assert answer.structure["asked"].get("query") == query
    assert names == expected


async def test_a_cursor_of_another_listing_is_refused(liner: DemoLiner) -> None:
    answer = await listing(AlteredLiner(liner, change_by_pattern={USERS: crowded}), "agents", "номер")
    cursor = page_of(answer)["next_cursor"]
    sentence = "cursor belongs to another listing, of agents. Ask without it to begin anew."
    assert await refusal(liner, "orders", None, cursor) == sentence
    assert await refusal(liner, "agents", "анна", cursor) == sentence


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"kind": "orders", "query": None},
        {"kind": "orders", "query": None, "after": "x"},
        {"kind": "orders", "query": None, "after": ["x", "y"]},
        {"kind": "orders", "query": None, "after": ["x", None]},
        {"kind": "orders", "query": None, "after": [1, 2, 3]},
        {"kind": "orders", "query": None, "after": ["x", 1]},
        {"kind": "orders", "query": 5, "after": ["x", 1]},
        {"kind": "orders", "query": ["x"], "after": ["x", 1]},
    ],
    ids=str,
)
async def test_a_crafted_cursor_is_refused_in_one_sentence(liner: DemoLiner, state: dict[str, Any]) -> None:
    sentence = await refusal(liner, "orders", None, encode_cursor("list_directory", state))
    assert sentence == recorded("cursor_cannot_be_read_ask_again")


# What cannot be read --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 403])
async def test_groups_that_cannot_be_read_cost_a_column_and_not_the_agents(liner: DemoLiner, status: int) -> None:
    answer = await listing(AlteredLiner(liner, status_by_pattern={GROUPS: status}), "agents", "anna")
    assert [(row["id"], row["groups"]) for row in rows_of(answer)] == [(101, None)]
    assert notes_of(answer) == recorded("agent_groups_could_not_be_read")


async def test_groups_that_came_in_part_may_be_missing_from_their_column(liner: DemoLiner) -> None:
    def without_the_first(data: Any) -> Any:
        return {**data, "list": data["list"][1:]}

    answer = await listing(AlteredLiner(liner, change_by_pattern={GROUPS: without_the_first}), "agents", "anna")
    assert [row["id"] for row in rows_of(answer)] == [101]
    assert notes_of(answer) == recorded("liner_counts_more_agent_groups_than")


async def test_agents_that_a_query_finds_are_not_counted_while_groups_are_unread(liner: DemoLiner) -> None:
    unread = AlteredLiner(liner, status_by_pattern={GROUPS: 403})
    assert "total" not in (await listing(unread, "agents", query="Ан")).structure["page"]
    assert "total" in (await listing(unread, "agents")).structure["page"]
    assert "total" in (await listing(liner, "agents", query="Ан")).structure["page"]


@pytest.mark.parametrize(("kind", "path"), [("orders", ORDERS), ("agents", USERS), ("agent_groups", GROUPS)])
async def test_nothing_found_in_a_part_is_not_nothing_in_all(liner: DemoLiner, kind: Kind, path: str) -> None:
    app = AlteredLiner(liner, change_by_pattern={path: with_total(999)})
    async with context_at(app) as context:
        answer = await listed(context, kind, "Луна")
        entries = len((await context.directory.read(kind)).entries)
    assert page_of(answer) == {"returned": 0, "complete": False}
    assert notes_of(answer) == recorded(
        "none_of_the_entries_that_were_read", kinds=kind.replace("_", " "), count=entries
    )


@pytest.mark.parametrize(("kind", "path"), [("call_statuses", STATUSES), ("lead_statuses", "/v2/lead-status")])
async def test_statuses_that_came_in_part_are_not_all(liner: DemoLiner, kind: Kind, path: str) -> None:
    def first_page(data: Any) -> Any:
        rows: list[Any] = data
        return {"list": rows[:2], "next": None, "total": 99}

    answer = await listing(AlteredLiner(liner, change_by_pattern={path: first_page}), kind)
    assert page_of(answer) == {"returned": 2, "complete": False}
    assert notes_of(answer) == recorded("liner_counts_more_than_it_lists", kind=kind.replace("_", " "))


# What is new ----------------------------------------------------------------------------------------------------------


def add_order(dataset: Dataset, title: str) -> None:
    new = replace(dataset.orders[0], id=dataset.orders[-1].id + 1, title=title, service_title="", code="new")
    dataset.orders = (*dataset.orders, new)


async def test_a_new_entry_is_listed_after_a_minute_and_found_by_its_name_after_some_seconds() -> None:
    liner, timer = FakeLiner(small_dataset()), Timer()
    async with context_at(liner, timer=timer) as context:
        await listed(context, "orders")
        add_order(liner.dataset, "Новый квартал")
        timer.seconds = 9
        assert notes_of(await listed(context, "orders", "новый")) == recorded("none_of_the_6_entries_has")
        timer.seconds = 59
        assert page_of(await listed(context, "orders"))["total"] == 6
        assert liner.count(ORDERS) == 1
        found = await listed(context, "orders", "новый")
        assert [row["id"] for row in rows_of(found)] == [207]
        add_order(liner.dataset, "Ещё один")
        timer.seconds = 120
        assert page_of(await listed(context, "orders"))["total"] == 8
    assert liner.count(ORDERS) == 3


async def test_a_list_that_cannot_be_read_again_is_not_all() -> None:
    faulty, timer = AlteredLiner(FakeLiner(small_dataset())), Timer()
    async with context_at(faulty, timer=timer) as context:
        await listed(context, "orders")
        timer.seconds = 61
        faulty.status_by_pattern = {ORDERS: 422}
        answer = await listed(context, "orders")
    assert page_of(answer) == {"returned": 6, "complete": False}
    assert notes_of(answer) == recorded("the_list_of_orders_could_not_be_read_again")


async def test_later_pages_say_that_the_list_changed() -> None:
    liner, timer = FakeLiner(small_dataset()), Timer()
    async with context_at(liner, timer=timer) as context:
        pages = [await listed(context, "orders", budget=400)]
        add_order(liner.dataset, "АА")
        timer.seconds = 301
        while cursor := page_of(pages[-1]).get("next_cursor"):
            pages.append(await listed(context, "orders", cursor=cursor, budget=400))
    first, *later = pages
    assert len(later) > 1
    assert page_of(first)["total"] == 6
    for page in later:
        assert page_of(page)["complete"] is False
        assert page_of(page)["changed"] is True
        assert "total" not in page_of(page)
        assert notes_of(page) == recorded("the_list_changed_after_the_first")


async def test_a_dictionary_that_cannot_be_read_is_an_error_when_it_is_what_was_asked_for(liner: DemoLiner) -> None:
    with pytest.raises(LinerUnavailable):
        await listing(AlteredLiner(liner, status_by_pattern={GROUPS: 500}), "agent_groups")


async def test_an_id_finds_its_entry_and_none_that_only_holds_its_digits(liner: DemoLiner) -> None:
    assert [row[0] for row in (await listing(liner, "agents", "104")).structure["rows"]] == [104]
    assert (await listing(liner, "agents", "11")).structure["rows"] == []


# The same matching as in filters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "query", "ids"),
    [
        ("agents", "first LINE", {101, 102, 104, 105, 107}),
        ("agents", "вечерняя", {103, 108, 111, 113}),
        ("agents", "Anna Petrova (#101)", {101}),
        ("agents", "#101", {101}),
        ("agents", "Petrova, Anna", {101}),
        ("agents", "[Anna Petrova]", {101}),
        ("agents", "Anna Petrova, Timur Aliev; 104", {101, 104, 112}),
        ("orders", "«Sunrise’ Park»", {201}),
        ("orders", "marina–heights", {204}),
        ("call_statuses", "hung up", {54}),
    ],
)
async def test_a_query_finds_what_a_filter_finds(liner: DemoLiner, kind: Kind, query: str, ids: set[int]) -> None:
    assert {row["id"] for row in rows_of(await listing(liner, kind, query))} == ids


async def test_a_query_for_no_agent_is_shown_the_filter(liner: DemoLiner) -> None:
    answer = await listing(liner, "agents", "No Agent")
    assert rows_of(answer) == []
    assert_says(answer.structure["notes"][0], "agents_no_agent_asks_for")


@pytest.mark.parametrize("kind", ["orders", "agents", "agent_groups", "call_statuses", "lead_statuses"])
@pytest.mark.parametrize("query", ["(", '"', " — ", "’"])
async def test_a_query_of_signs_is_refused_because_it_would_fit_every_name(
    liner: DemoLiner, kind: Kind, query: str
) -> None:
    with pytest.raises(InvalidArgument) as raised:
        await listing(liner, kind, query)
    assert_says(str(raised.value), "query_has_no_letter_or_digit")


async def test_names_that_differ_in_what_is_not_compared_carry_their_ids(liner: DemoLiner) -> None:
    names = ["Петрова Алёна", "ПЕТРОВА АЛЕНА", unicodedata.normalize("NFD", "Петрова Алёна"), "О’Коннор", "О'Коннор"]

    def renamed(data: Any) -> Any:
        users = [
            {**data["list"][0], "id": 500 + number, "name": name, "lastName": None} for number, name in enumerate(names)
        ]
        return {"list": users, "next": None, "total": len(users)}

    rows = rows_of(await listing(AlteredLiner(liner, change_by_pattern={USERS: renamed}), "agents"))
    assert {row["id"]: row["name"] for row in rows} == {
        500 + number: f"{name} #{500 + number}" for number, name in enumerate(names)
    }


async def test_a_new_group_is_found_by_its_name_among_agents() -> None:
    data = small_dataset()
    liner, timer = FakeLiner(data), Timer()
    async with context_at(liner, timer=timer) as context:
        await listed(context, "agents", "вечерняя")
        group = replace(data.agent_groups[0], id=39, name_ru="Ночная смена", agent_ids=(101,))
        liner.dataset.agent_groups = (*data.agent_groups, group)
        timer.seconds = 11
        assert [row["id"] for row in rows_of(await listed(context, "agents", "ночная"))] == [101]


# Bounded work ---------------------------------------------------------------------------------------------------------


async def test_other_tasks_run_while_many_names_are_compared_with_a_thousand_agents(liner: DemoLiner) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    app = AlteredLiner(liner, change_by_pattern={USERS: crowded})
    query = ",".join(f"{letter}{digit}" for letter in "абвгдежз" for digit in "12345678")
    async with context_at(app) as context:
        await listed(context, "agents", "x")  # the dictionaries are read now
        async with anyio.create_task_group() as group:
            group.start_soon(other)
            await listed(context, "agents", query)
            group.cancel_scope.cancel()
    assert turns >= 3  # 1,000 agents and 64 names are four times the work between two checkpoints
