"""What an empty answer says of earlier calls: only what is known of every call that was looked at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from liner_mcp.demo import Dataset, DemoLiner
from tests.calls.support import context_at, empty_dataset, find, notes_of, page_of
from tests.conftest import NOW
from tests.fakes import FakeLiner, Fault
from tests.fakes.faults import Ignores
from tests.support.context import AlteredLiner
from tests.support.sentences import assert_says

pytestmark = pytest.mark.anyio

CALLS = "/v2/call/"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
UNREADABLE = {
    "createdAt": "20.11.2026 12:00:00",
    "statusCode": ["qualified"],
    "direction": [],
}


def with_cell(call_id: int, name: str) -> Callable[[Any], Any]:
    """The list in which one call has a cell that cannot be read."""

    def change(data: Any) -> Any:
        odd = {name: UNREADABLE[name]}
        return {**data, "list": [{**row, **(odd if row["id"] == call_id else {})} for row in data["list"]]}

    return change


@pytest.mark.parametrize("days", [0, 5], ids=["of the day before", "of the month before"])
@pytest.mark.parametrize("name", list(UNREADABLE))
async def test_an_earlier_call_is_not_called_the_nearest_beside_one_that_may_be_nearer(name: str, days: int) -> None:
    dataset = empty_dataset()
    known = dataset.add_call(created_at=NOW - days * DAY - 5 * HOUR)
    nearer = dataset.add_call(created_at=NOW - days * DAY - 4 * HOUR)
    liner = AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: with_cell(nearer.id, name)})
    async with context_at(liner) as context:
        answer = await find(context, since="-2h", statuses=("conversation_completed",), direction="outgoing")
    if name == "createdAt" and days:
        assert_says(notes_of(answer), "liner_has_no_such_call_in_this_window_try", at_end=True)
    else:
        assert f"; an earlier one is call {known.id} of " in notes_of(answer)


@pytest.mark.parametrize("name", ["statusCode", "direction"])
async def test_an_earlier_call_is_the_nearest_where_what_is_unknown_is_older(name: str) -> None:
    dataset = empty_dataset()
    older = dataset.add_call(created_at=NOW - 5 * HOUR)
    nearest = dataset.add_call(created_at=NOW - 4 * HOUR)
    liner = AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: with_cell(older.id, name)})
    async with context_at(liner) as context:
        answer = await find(context, since="-2h", statuses=("conversation_completed",), direction="outgoing")
    assert f"; the nearest earlier one is call {nearest.id} of " in notes_of(answer)


async def test_earlier_calls_that_cannot_be_checked_are_not_said_to_fail_a_filter() -> None:
    dataset = empty_dataset()
    unclear = dataset.add_call(created_at=NOW - 5 * DAY)
    liner = AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: with_cell(unclear.id, "direction")})
    async with context_at(liner) as context:
        answer = await find(context, since="-2h", direction="outgoing")
    assert notes_of(answer).endswith(
        "; Liner has 1 in the 31 days before it, of which not all could be checked for direction."
    )


async def test_calls_that_the_filters_exclude_are_not_counted_as_earlier_ones() -> None:
    dataset = empty_dataset()
    for days in (4, 5):
        dataset.add_call(created_at=NOW - days * DAY, agent=102)
    async with context_at(FakeLiner(dataset, faults=[Fault(Ignores(("userIds",)))])) as context:
        answer = await find(context, since="-2h", agents=(101,))
    assert page_of(answer)["complete"] is True
    assert_says(notes_of(answer), "liner_has_no_such_call_in_this_window_try", at_end=True)


async def test_earlier_calls_without_a_count_are_counted_as_at_least_those_that_came() -> None:
    dataset = Dataset.generate(now=NOW - 2 * DAY, days=7, calls=400)

    def without_total(data: Any) -> Any:
        return {"list": data["list"], "next": data["next"]}

    async with context_at(AlteredLiner(DemoLiner(dataset), change_by_pattern={CALLS: without_total})) as context:
        answer = await find(context, since="-2h")
    assert notes_of(answer).endswith(", but at least 200 in the 31 days before it.")
