"""What a question about calls means: names become ids, day words a window, silence a stated guess."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.query import ResolvedQuery, resolve
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.errors import DeadlineExceeded, InvalidArgument, LinerUnavailable
from liner_mcp.timezone import Zone
from tests.calls.support import context_at
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.support.context import STATUSES, AlteredLiner
from tests.support.sentences import recorded

pytestmark = pytest.mark.anyio

ALL_ORDERS = {201, 202, 203, 204, 205, 206}
WEEK = timedelta(days=7)


async def understood(app: Any, **asked: Any) -> ResolvedQuery:
    async with context_at(app) as context:
        return await resolve(context, CallQuery(**asked))


async def refusal(app: Any, **asked: Any) -> str:
    with pytest.raises(InvalidArgument) as raised:
        await understood(app, **asked)
    return str(raised.value)


# Names ----------------------------------------------------------------------------------------------------------------


async def test_names_and_ids_of_orders_agents_and_statuses_become_ids(liner: DemoLiner) -> None:
    found = await understood(
        liner,
        since="today",
        orders=("sunrise park", 999, "severnaya-gavan"),
        agents=("petrova anna", 104, "Зайцева"),
        statuses=("Перезвонить", "no_answer", 57, "КВАЛИФИЦИРОВАН"),
    )
    assert found.filters.orders == (201, 999, 203)
    assert found.filters.agents == (101, 104, 113)
    assert found.filters.statuses == ("call_back", "no_answer", "transferred_to_sales", "qualified")
    assert found.filters.status_ids == (55, 53, 57, 51)
    assert not found.filters.all_orders
    assert found.notes == ()


async def test_the_name_of_an_agent_group_stands_for_its_agents(liner: DemoLiner) -> None:
    found = await understood(liner, since="today", agents=("первая линия", "Anna Petrova", "Evening shift"))
    assert found.filters.agents == (101, 102, 104, 105, 107, 103, 108, 111, 113)


async def test_a_group_without_agents_is_refused(liner: DemoLiner) -> None:
    def emptied(data: Any) -> Any:
        for group in data["list"]:
            group["agentIds"] = []
        return data

    assert await refusal(
        AlteredLiner(liner, change_by_pattern={"/v2/agent-group": emptied}), agents=("Первая линия",)
    ) == recorded("agents_this_agent_group_has_no")


async def test_nothing_named_means_every_order_that_liner_lists(liner: DemoLiner) -> None:
    found = await understood(liner, since="today")
    assert set(found.filters.orders) == ALL_ORDERS
    assert found.filters.all_orders


async def test_ids_need_no_dictionary(liner: FakeLiner) -> None:
    await understood(liner, since="today", orders=(201,), agents=(101,))
    assert liner.requests == []


async def test_dictionaries_are_read_once_for_many_questions_at_once(liner: FakeLiner) -> None:
    question = CallQuery(since="today", orders=("Sunrise",), agents=("Anna P",), statuses=("Недозвон",))
    async with context_at(liner) as context, anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(resolve, context, question)
    assert len(liner.requests) == 4, liner.requests  # orders, users, agent groups, call statuses


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            {"orders": ("север",)},
            (
                'orders: "север" fits 2: ЖК Северная Гавань (#203), ЖК Северный Берег (#202). '
                "Send an id, all of the ids, or more of the name."
            ),
        ),
        (
            {"agents": ("анна смирнова",)},
            (
                'agents: "анна смирнова" fits 2: Анна Смирнова #102, Анна Смирнова #103. '
                "Send an id, all of the ids, or more of the name."
            ),
        ),
        (
            {"statuses": ("клиент",)},
            None,
        ),
        (
            {"orders": ("Луна",)},
            (
                'orders: nothing is called "Луна". There are Marina Heights Dubai (#204), Riverside Loft (#206), '
                "Sunrise Park (#201), ЖК Северная Гавань (#203), ЖК Северный Берег (#202), Лесной квартал (#205)."
            ),
        ),
        ({"agents": ("Борис Годунов",)}, 'agents: nothing is called "Борис Годунов". '),
        ({"statuses": ("Ушёл в отпуск",)}, 'statuses: nothing is called "Ушёл в отпуск". '),
        ({"statuses": (999,)}, recorded("statuses_liner_has_no_call_status")),
        (
            {"min_talk_seconds": 60, "max_talk_seconds": 10},
            recorded("max_talk_seconds_10_is_less"),
        ),
        (
            {"leads": (1,)},
            recorded("liner_has_no_lead"),
        ),
    ],
)
async def test_what_means_nothing_or_too_much_is_refused_with_what_there_is(
    liner: DemoLiner, asked: dict[str, Any], sentence: str | None
) -> None:
    if sentence is None:  # a beginning wins: only one title begins so
        assert (await understood(liner, **asked)).filters.statuses == ("client_hung_up",)
        return
    told = await refusal(liner, **asked)
    if sentence.endswith(". "):
        assert told.startswith(sentence)
    else:
        assert told == sentence


# Statuses that the dictionary does not know -------------------------------------------------------------------------


async def test_a_code_that_the_dictionary_does_not_know_is_compared_by_code_and_said_so(liner: DemoLiner) -> None:
    found = await understood(liner, statuses=("sales_queue_overflow", "qualified"), since="today")
    assert found.filters.statuses == ("sales_queue_overflow", "qualified")
    assert found.filters.status_ids == ()
    assert found.filters.client_side == ["statuses"]
    assert found.notes == (recorded("liners_dictionary_has_no_status_sales"),)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hung_up", "client_hung_up"),
        ("no-answer", "no_answer"),
        ("transferred_to", "transferred_to_sales"),
        ("to_sales", "transferred_to_sales"),
    ],
)
async def test_a_part_of_a_known_code_means_that_code_and_not_an_unknown_one(
    liner: DemoLiner, text: str, code: str
) -> None:
    found = await understood(liner, statuses=(text,), since="today")
    assert (found.filters.statuses, found.notes) == ((code,), ())


async def test_a_slip_in_a_code_is_refused_with_the_near_ones(liner: DemoLiner) -> None:
    assert "Недозвон (#53)" in await refusal(liner, statuses=("no-anser",))


async def test_a_status_without_a_code_is_refused_instead_of_being_ignored(liner: DemoLiner) -> None:
    def uncoded(data: Any) -> Any:
        return [{**status, "code": None} for status in data]

    assert await refusal(AlteredLiner(liner, change_by_pattern={STATUSES: uncoded}), statuses=("Недозвон",)) == (
        recorded("statuses_liner_gives_status_53_no")
    )


# Times ----------------------------------------------------------------------------------------------------------------


async def test_leads_without_a_time_begin_a_day_before_the_first_of_them(liner: DemoLiner, dataset: Dataset) -> None:
    some = [lead for lead in dataset.leads.values() if lead.created_at < NOW - WEEK][:3]
    found = await understood(liner, leads=tuple(lead.id for lead in some))
    first = min(lead.created_at for lead in some)
    assert (found.window.since, found.window.until) == (first - timedelta(days=1), NOW)
    assert found.filters.orders == ()
    assert found.notes == ()


async def test_leads_with_a_time_are_not_looked_up(liner: FakeLiner) -> None:
    found = await understood(liner, leads=(5000001, 5000002), since="yesterday")
    assert liner.requests == []
    assert found.window.until < NOW


@pytest.mark.parametrize("created_at", [None, "", "2099-01-01T00:00:00Z"])
async def test_a_lead_that_does_not_say_when_it_was_created_gets_the_usual_week(
    liner: DemoLiner, created_at: str | None
) -> None:
    app = AlteredLiner(liner, change_by_pattern={"/v2/lead/detail": lambda data: {**data, "createdAt": created_at}})
    found = await understood(app, leads=(5000001,))
    assert found.window.since == NOW - WEEK
    assert found.notes == (recorded("no_since_was_given_so_these"),)


async def test_a_placeholder_for_a_leads_creation_does_not_reach_back_before_all_calls(liner: DemoLiner) -> None:
    app = AlteredLiner(
        liner, change_by_pattern={"/v2/lead/detail": lambda data: {**data, "createdAt": "0001-01-01T00:00:00Z"}}
    )
    assert (await understood(app, leads=(5000001,))).window.since == datetime(2000, 1, 1, tzinfo=UTC)


@pytest.mark.virtual_time
async def test_a_lead_that_cannot_be_read_is_an_error_and_one_that_is_late_another(liner: DemoLiner) -> None:
    with pytest.raises(LinerUnavailable):
        await understood(AlteredLiner(liner, status_by_pattern={"/v2/lead/detail": 500}), leads=(5000001,))
    with pytest.raises(DeadlineExceeded), anyio.fail_after(0.2):
        await understood(AlteredLiner(liner, blocked="/v2/lead/detail"), leads=(5000001,))


async def test_a_guessed_week_and_a_guessed_zone_are_told(liner: DemoLiner) -> None:
    async with context_at(liner) as context:
        guessing = replace(context, zone=replace(Zone.resolve("Asia/Almaty"), configured=False))
        week = await resolve(guessing, CallQuery())
        day = await resolve(guessing, CallQuery(since="yesterday"))
        exact = await resolve(guessing, CallQuery(since="2026-11-20T10:00+03:00"))
    assert week.notes == (recorded("no_since_was_given_so_these"),)
    assert day.notes == (recorded("days_and_times_were_read_as"),)
    assert exact.notes == ()
