"""Several reads at once: their order, their errors, and when they end early."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import anyio
import pytest

from liner_mcp.demo import DemoLiner
from liner_mcp.errors import AccessRefused, LinerMcpError, LinerUnavailable, NotFound, SettingsError
from liner_mcp.liner.deadline import call_deadline
from liner_mcp.liner.parallel import gather2, run_all
from tests.liner.test_client import client_of, error_of

pytestmark = pytest.mark.anyio


async def test_outcomes_stand_in_the_order_of_the_jobs_with_errors_in_their_place() -> None:
    gates = [anyio.Event() for _ in range(5)]

    async def job(index: int) -> int:
        if index + 1 < len(gates):
            await gates[index + 1].wait()  # each one ends only after the one behind it
        gates[index].set()
        if index == 2:
            raise NotFound("no such call")
        return index * 10

    outcomes = await run_all([partial(job, index) for index in range(5)], concurrency=4)
    assert [outcomes[index] for index in (0, 1, 3, 4)] == [0, 10, 30, 40]
    assert isinstance(outcomes[2], NotFound)


async def test_no_jobs_have_no_outcomes() -> None:
    jobs: list[Callable[[], Awaitable[int]]] = []
    outcomes = await run_all(jobs, concurrency=4)
    assert list(outcomes) == []


async def test_stop_when_gets_results_in_order_and_stops_the_rest() -> None:
    shown: list[object] = []
    third_done = anyio.Event()

    async def job(index: int) -> int:
        if index == 0:
            await third_done.wait()
        elif index == 2:
            third_done.set()
        elif index > 2:
            await anyio.sleep_forever()
        return index

    def enough(result: object) -> bool:
        shown.append(result)
        return len(shown) == 3

    outcomes = await run_all([partial(job, index) for index in range(20)], concurrency=4, stop_when=enough)
    assert shown == [0, 1, 2]
    assert list(outcomes) == [0, 1, 2, *[None] * 17]


async def _some_hang(jobs: int, hanging: int) -> tuple[list[object], float]:
    """The outcomes of jobs of a second, of which the first ones hang, within a minute; and the seconds they took."""

    async def job(index: int) -> int:
        await (anyio.sleep_forever() if index < hanging else anyio.sleep(1))
        return index

    with call_deadline(60):
        begun = anyio.current_time()
        outcomes = await run_all([partial(job, index) for index in range(jobs)], concurrency=4, give_up_last=True)
        return list(outcomes), anyio.current_time() - begun


@pytest.mark.virtual_time
@pytest.mark.parametrize(("jobs", "hanging"), [(2, 1), (9, 1), (40, 4)])
async def test_the_last_jobs_have_half_of_the_time_that_is_left(jobs: int, hanging: int) -> None:
    outcomes, seconds = await _some_hang(jobs, hanging)
    assert 30 <= seconds < 36
    assert all(isinstance(outcome, LinerUnavailable) for outcome in outcomes[:hanging])
    assert outcomes[hanging:] == list(range(hanging, jobs))


@pytest.mark.virtual_time
@pytest.mark.parametrize(("jobs", "hanging"), [(1, 1), (9, 2), (40, 5)])
async def test_more_jobs_than_the_last_ones_have_all_the_time(jobs: int, hanging: int) -> None:
    outcomes, seconds = await _some_hang(jobs, hanging)
    assert seconds > 59
    assert outcomes == [*[None] * hanging, *range(hanging, jobs)]


async def test_after_the_stop_no_job_begins_even_when_jobs_never_wait() -> None:
    """As when every answer comes from a cache: tasks that have not begun must not run their jobs."""
    begun: list[int] = []
    shown: list[object] = []

    async def job(index: int) -> int:
        begun.append(index)
        return index

    def enough(result: object) -> bool:
        shown.append(result)
        return True

    await run_all([partial(job, index) for index in range(20)], concurrency=4, stop_when=enough)
    assert shown == [0]
    assert begun == [0]


async def test_stop_when_is_not_called_again_by_a_job_that_ends_at_the_same_moment() -> None:
    shown: list[object] = []
    blocking = anyio.Event()

    async def job(index: int) -> int:
        if index == 2:
            blocking.set()
        await blocking.wait()
        return index

    def enough(result: object) -> bool:
        shown.append(result)
        return True

    await run_all([partial(job, index) for index in range(3)], concurrency=4, stop_when=enough)
    assert shown == [0]


async def test_stop_when_gets_errors_too() -> None:
    async def job() -> int:
        raise NotFound("no such call")

    shown: list[object] = []
    await run_all([job, job], concurrency=4, stop_when=lambda result: bool(shown.append(result)))
    assert [type(result) for result in shown] == [NotFound, NotFound]


@pytest.mark.virtual_time
async def test_shortly_before_the_deadline_the_finished_results_are_returned() -> None:
    async def job(index: int) -> int:
        if index:
            await anyio.sleep_forever()
        return index

    with anyio.fail_after(0.1):
        outcomes = await run_all([partial(job, index) for index in range(3)], concurrency=4)
    assert list(outcomes) == [0, None, None]


@pytest.mark.parametrize(
    "error", [AccessRefused("token"), SettingsError("not set up")], ids=lambda one: type(one).__name__
)
async def test_an_error_that_only_the_operator_can_fix_ends_the_whole_run(error: LinerMcpError) -> None:
    begun: list[int] = []

    async def job(index: int) -> int:
        begun.append(index)
        if index == 1:
            raise error
        await anyio.sleep_forever()
        return index

    assert await error_of(run_all([partial(job, index) for index in range(100)], concurrency=2)) is error
    assert len(begun) <= 4


async def test_two_reads_at_once_give_a_result_and_an_error_each_in_its_place(liner: DemoLiner) -> None:
    async with client_of(liner) as client:
        missing, orders = await gather2(lambda: client.call(1), client.orders)
        swapped = await gather2(client.orders, lambda: client.call(1))
    assert isinstance(missing, NotFound)
    assert not isinstance(orders, LinerMcpError)
    assert orders.complete
    assert [isinstance(one, NotFound) for one in swapped] == [False, True]


async def test_one_refusal_is_an_outcome_where_refusals_are_allowed() -> None:
    async def job(index: int) -> int:
        if index == 0:
            raise AccessRefused("not this one")
        return index

    outcomes = await run_all([partial(job, index) for index in range(20)], concurrency=4, allow_refusals=True)
    assert isinstance(outcomes[0], AccessRefused)
    assert outcomes[1:] == list(range(1, 20))


async def test_refusals_of_all_jobs_are_raised_after_as_many_as_run_at_once() -> None:
    begun: list[int] = []

    async def job(index: int) -> int:
        begun.append(index)
        await anyio.lowlevel.checkpoint()
        raise AccessRefused("none")

    with pytest.raises(AccessRefused):
        await run_all([partial(job, index) for index in range(100)], concurrency=4, allow_refusals=True)
    assert begun == list(range(8))
