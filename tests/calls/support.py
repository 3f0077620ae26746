"""Asking find_calls page after page, and the truth that a fake Liner's data holds about its calls."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from liner_mcp.answer.table import Answer
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.find_calls import find_calls
from liner_mcp.context import AppContext
from liner_mcp.demo import Call, Dataset, DemoLiner
from tests.conftest import NOW
from tests.support.context import MAX_BUDGET, context_for, rows_of

CALL_LIST = "/v2/call/?"  # in the target of a request for a list of calls
MAX_PAGES = 2_000  # pages; a walk that is longer never ends


def empty_dataset(now: datetime = NOW) -> Dataset:
    """A call centre that made no call yet."""
    return Dataset.generate(now=now, days=1, calls=0)


@asynccontextmanager
async def context_at(
    app: Any, now: datetime = NOW, zone: str = "Europe/Moscow", timer: Callable[[], float] = time.monotonic
) -> AsyncGenerator[AppContext]:
    """A context whose clock stands still; `timer` measures the age of dictionaries."""
    async with context_for(app, zone=zone, timer=timer) as context:
        yield replace(context, now=lambda: now)


async def find(
    context: AppContext,
    *,
    limit: int = 50,
    cursor: str | None = None,
    include: tuple[str, ...] = (),
    budget: int = MAX_BUDGET,
    **arguments: Any,
) -> Answer:
    return await find_calls(context, CallQuery(**arguments), include=include, limit=limit, cursor=cursor, budget=budget)


async def find_all_pages(
    context: AppContext,
    *,
    limit: int = 50,
    budget: int = MAX_BUDGET,
    between: Callable[[], Awaitable[None]] | None = None,
    **arguments: Any,
) -> list[Answer]:
    """Every page of an answer; all but the first are asked by the cursor alone."""
    answers = [await find(context, limit=limit, budget=budget, **arguments)]
    while cursor := answers[-1].structure["page"].get("next_cursor"):
        assert len(answers) < MAX_PAGES
        if between is not None:
            await between()
        answers.append(await find(context, limit=limit, budget=budget, cursor=cursor))
    return answers


def ids_of(answers: Answer | Sequence[Answer]) -> list[int]:
    answers = [answers] if isinstance(answers, Answer) else answers
    return [row["call_id"] for answer in answers for row in rows_of(answer)]


def page_of(answer: Answer) -> dict[str, Any]:
    return answer.structure["page"]


def notes_of(answer: Answer) -> str:
    return " ".join(answer.structure.get("notes", []))


def newest_first(calls: Iterable[Call]) -> list[int]:
    return [call.id for call in sorted(calls, key=lambda call: (call.created_at, call.id), reverse=True)]


def expected_ids(
    dataset: Dataset, since: datetime, until: datetime = NOW, test: Callable[[Call], bool] = lambda _: True
) -> list[int]:
    """What a window holds, half-open, newest first."""
    return newest_first(call for call in dataset.calls.values() if since <= call.created_at < until and test(call))


def is_undecided(dataset: Dataset) -> Callable[[Call], bool]:
    """Whether Liner says that a call has recordings, and lists none."""
    return lambda call: call.has_records and not dataset.records_of(call.id)


def undecided_note(count: int, filters: str = "transferred") -> str:
    return (
        f"{filters} could not be decided for {count} of the calls: their recordings could not be read, are not "
        "listed whole or may belong to other calls. Such calls are in no row and no count; retry lists their ids."
    )


class ParameterIgnoringLiner:
    """A fake Liner that ignores some parameters of a query."""

    def __init__(self, demo: DemoLiner, *ignored: str) -> None:
        self.demo, self.ignored = demo, ignored

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        kept = [pair for pair in scope["query_string"].split(b"&") if not pair.decode().startswith(self.ignored)]
        await self.demo({**scope, "query_string": b"&".join(kept)}, receive, send)
