"""Asking find_calls page after page, and the truth that a make-believe world holds about its calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import anyio

from liner_mcp.answer.table import Written
from liner_mcp.calls.find_calls import find_calls
from liner_mcp.calls.query import CallQuestion
from liner_mcp.context import Desk
from liner_mcp.demo import Call, DemoLiner, World
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.support.context import ROOMY, desk_over, rows_of

MANY = 2_000  # pages; a walk that is longer never ends


def blank_world(now: datetime = NOW) -> World:
    """A call centre that made no call yet."""
    return World.generate(now=now, days=1, calls=0)


@asynccontextmanager
async def desk_at(app: Any, now: datetime = NOW, zone: str = "Europe/Moscow") -> AsyncGenerator[Desk]:
    """A desk whose clock stands still."""
    async with desk_over(app, zone=zone) as desk:
        yield replace(desk, now=lambda: now)


async def found(
    desk: Desk,
    *,
    limit: int = 50,
    cursor: str | None = None,
    include: tuple[str, ...] = (),
    budget: int = ROOMY,
    **asked: Any,
) -> Written:
    return await find_calls(desk, CallQuestion(**asked), include=include, limit=limit, cursor=cursor, budget=budget)


async def pages(
    desk: Desk,
    *,
    limit: int = 50,
    budget: int = ROOMY,
    between: Callable[[], Awaitable[None]] | None = None,
    **asked: Any,
) -> list[Written]:
    """Every page of an answer; all but the first are asked by the cursor alone."""
    answers = [await found(desk, limit=limit, budget=budget, **asked)]
    while cursor := answers[-1].structure["page"].get("next_cursor"):
        assert len(answers) < MANY
        if between is not None:
            await between()
        answers.append(await found(desk, limit=limit, budget=budget, cursor=cursor))
    return answers


def ids_of(answers: Written | Sequence[Written]) -> list[int]:
    answers = [answers] if isinstance(answers, Written) else answers
    return [row["call_id"] for answer in answers for row in rows_of(answer)]


def page_of(answer: Written) -> dict[str, Any]:
    return answer.structure["page"]


def notes_of(answer: Written) -> str:
    return " ".join(answer.structure.get("notes", []))


def newest_first(calls: Iterable[Call]) -> list[int]:
    return [call.id for call in sorted(calls, key=lambda call: (call.created_at, call.id), reverse=True)]


def truth(
    world: World, since: datetime, until: datetime = NOW, test: Callable[[Call], bool] = lambda _: True
) -> list[int]:
    """What a window holds, half-open, newest first."""
    return newest_first(call for call in world.calls.values() if since <= call.created_at < until and test(call))


def lists_asked(demo: FakeLiner) -> int:
    """How often lists of calls were asked for."""
    return sum(target.startswith("/v2/call/?") for target in demo.requests)


class Gate:
    """A make-believe Liner that does not answer what `holds` says, while it is closed."""

    def __init__(self, demo: DemoLiner, holds: Callable[[str], bool]) -> None:
        self.demo, self.holds, self.closed = demo, holds, True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.closed and self.holds(f"{scope['path']}?{scope['query_string'].decode()}"):
            await anyio.Event().wait()
        await self.demo(scope, receive, send)


class Deaf:
    """A make-believe Liner that ignores some parameters of a query."""

    def __init__(self, demo: DemoLiner, *ignored: str) -> None:
        self.demo, self.ignored = demo, ignored

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        kept = [pair for pair in scope["query_string"].split(b"&") if not pair.decode().startswith(self.ignored)]
        await self.demo({**scope, "query_string": b"&".join(kept)}, receive, send)
