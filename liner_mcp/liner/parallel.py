"""Several reads at once, each with its own result or error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import anyio

from liner_mcp.errors import AccessRefused, LinerMcpError, LinerUnavailable
from liner_mcp.liner.deadline import scope_before_deadline
from liner_mcp.liner.decoding import is_fatal

A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")

# The time before a deadline that is reserved for an answer from the results so far.
RESERVE_SECONDS, RESERVE_SHARE = 0.5, 0.1
LAST_SHARE = 10  # at most one of so many jobs, or a single one, is the last
_GIVEN_UP = LinerUnavailable("Liner did not answer, although it answered all similar requests.")


async def gather2(
    first: Callable[[], Awaitable[A]], second: Callable[[], Awaitable[B]]
) -> tuple[A | LinerMcpError, B | LinerMcpError]:
    """Run two different reads at once; each gives its result or its error."""
    results: list[Any] = [None, None]

    async def run(index: int, job: Callable[[], Awaitable[object]]) -> None:
        results[index] = await _result_or_error(job)

    async with anyio.create_task_group() as group:
        group.start_soon(run, 0, first)
        group.start_soon(run, 1, second)
    return results[0], results[1]


async def run_all(
    jobs: Sequence[Callable[[], Awaitable[T]]],
    *,
    concurrency: int,
    stop_when: Callable[[T | LinerMcpError], bool] | None = None,
    allow_refusals: bool = False,
    give_up_last: bool = False,
) -> list[T | LinerMcpError | None]:
    """Run jobs of one kind at once, beginning in order, and return the result or the error of each, in the same order.

    `stop_when` gets each result in the order of the jobs, as soon as it and all results before it are there. When it
    returns True, no further job begins and the running jobs are cancelled. The same happens shortly before the
    caller's deadline. A job that did not finish has the outcome None. `concurrency` is the client's number of slots.
    With `allow_refusals`, AccessRefused is the outcome of its job, unless no job had another outcome: Liner may refuse
    one id only. With `give_up_last`, the last jobs may take half of the time that is left when all others have ended;
    then their outcome is LinerUnavailable, and the other half is left for other reads.

    Raises: SetupError or ConnectionClosed as soon as one job raises it, because every job would.
    """
    outcomes: list[T | LinerMcpError | None] = [None] * len(jobs)
    fatal: list[LinerMcpError] = []
    pending = iter(range(len(jobs)))
    examined = 0
    last = _LastJobs(len(jobs) if give_up_last else 0)
    with scope_before_deadline(RESERVE_SECONDS, RESERVE_SHARE) as scope:

        async def work() -> None:
            nonlocal examined
            for index in pending:
                if scope.cancel_called:
                    return  # a cancelled task that has not begun still runs up to its first wait
                last.begun += 1
                result = await _result_or_error(jobs[index])
                outcomes[index] = result
                last.end_one(scope)
                if allow_refusals and isinstance(result, AccessRefused):
                    if _refusal_of_all(outcomes):
                        return  # the token may be refused, so this worker begins no other job
                elif isinstance(result, LinerMcpError) and is_fatal(result):
                    fatal.append(result)
                    scope.cancel()
                    return
                while stop_when and examined < len(jobs) and (next_one := outcomes[examined]) is not None:
                    if scope.cancel_called:
                        return
                    examined += 1
                    if stop_when(next_one):
                        scope.cancel()
                        return

        async with anyio.create_task_group() as group:
            # Twice the slots: a job may need several requests, and a slot must not idle while a job computes.
            for _ in range(min(len(jobs), 2 * concurrency)):
                group.start_soon(work)
    error = fatal[0] if fatal else _refusal_of_all(outcomes)
    if error is not None:
        raise error
    return [_GIVEN_UP if outcome is None else outcome for outcome in outcomes] if last.bounded else outcomes


class _LastJobs:
    """Bounds the time of the last of so many jobs, once all others have ended. `bounded`: it did."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._ended = self.begun = 0
        self.bounded = False

    def end_one(self, scope: anyio.CancelScope) -> None:
        """Count a job that has ended. If only the last ones run, they have half of the time of their scope."""
        self._ended += 1
        if self.begun == self._jobs and self._jobs - self._ended <= max(1, self._jobs // LAST_SHARE):
            self._jobs, self.bounded = 0, True
            scope.deadline = (scope.deadline + anyio.current_time()) / 2


def _refusal_of_all(outcomes: Sequence[object]) -> AccessRefused | None:
    """The first refusal, if there is no other outcome yet."""
    present = [outcome for outcome in outcomes if outcome is not None]
    refusals = [outcome for outcome in present if isinstance(outcome, AccessRefused)]
    return refusals[0] if refusals and len(refusals) == len(present) else None


async def _result_or_error(job: Callable[[], Awaitable[T]]) -> T | LinerMcpError:
    try:
        return await job()
    except LinerMcpError as error:
        return error
