"""Asks questions through the in-memory client, and follows every cursor to its end."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import stamina
from mcp import Client
from mcp.types import CallToolResult

from liner_mcp.names.directory import Directory
from tests.claims.answers import Answers, Falsehood, Page
from tests.claims.assumed import assumed_under
from tests.claims.bends import Bend
from tests.claims.bent_liner import BentLiner
from tests.claims.oracle import falsehoods
from tests.claims.questions import Question
from tests.claims.truth import Truth
from tests.conftest import text_of
from tests.fault_matrix.client import server_for

DEADLINE_SECONDS = 20.0
ANSWER_BYTES = 12_000  # small enough that the longer answers have several pages
MAX_PAGES = 40
OLD_LIST_SECONDS = 90.0
"""After so long, an answer about all orders may not rest on a list of orders that was read before."""
WARM_UP = Question("call_stats", {"since": "-24h"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a question came to. `falsehoods` is empty where nothing false was claimed."""

    question: Question
    answers: Answers
    falsehoods: Sequence[Falsehood]

    @property
    def name(self) -> str:
        if self.falsehoods:
            return "FALSE"
        if not self.answers.pages:
            return "refused"
        return "right" if self.answers.sentence is None and _is_whole(self.answers.pages[-1]) else "partial"


def _is_whole(page: Page) -> bool:
    refused = any(row.get("state") == "refused" for row in page.rows)  # quotes without words, which cannot be checked
    return page.complete or refused or "summary" in page.structure


class Session:
    """One server over one bent Liner."""

    def __init__(self, client: Client, liner: BentLiner, clock: Clock) -> None:
        self._client, self._liner, self._clock = client, liner, clock

    async def ask(self, question: Question) -> Verdict:
        """Ask, follow on, and judge."""
        liner, bend = self._liner, self._liner.bend
        liner.rewind()
        truth = Truth(bend, liner.before, liner.after)
        if bend.moment == "after the first question":
            await self._answers(WARM_UP)
            liner.advance()
            self._clock.advance(OLD_LIST_SECONDS)
            truth = Truth(bend, liner.after, liner.after)
        answers = await self._answers(question)
        assumed = assumed_under(bend.name)
        if assumed is not None:
            recorded = question.tool in ("find_calls", "call_stats")
            before, after = (assumed.as_listed(one, recorded=recorded) for one in (truth.before, truth.after))
            truth = Truth(bend, before, before if truth.after is truth.before else after)
        return Verdict(question, answers, falsehoods(question, answers, truth))

    async def _answers(self, question: Question) -> Answers:
        pages: list[Page] = []
        arguments: dict[str, Any] | None = dict(question.arguments)
        used: set[str] = set()
        while arguments is not None:
            result = await self._client.call_tool(question.tool, arguments)
            assert isinstance(result, CallToolResult)
            if result.is_error:
                return Answers(pages, text_of(result))
            assert result.structured_content is not None
            assert json.loads(text_of(result)) == result.structured_content
            pages.append(Page.of(result.structured_content))
            if self._liner.bend.moment == "after our first page":
                self._liner.advance()
            arguments = _following(question, arguments, pages[-1])
            if len(pages) > MAX_PAGES or repr(arguments) in used:
                return Answers(pages, endless=True)
            used.add(repr(arguments))
        return Answers(pages)


def _following(question: Question, arguments: dict[str, Any], page: Page) -> dict[str, Any] | None:
    """What goes on with the question, if anything does."""
    cursor, left = page.page.get("next_cursor"), page.page.get("next_call_ids")
    if cursor:
        return {"cursor": cursor}
    if left:
        return {**arguments, "call_ids": left}
    if (number := page.page.get("next_quote")) is not None:
        return {"quotes": arguments["quotes"][number - 1 :]}
    start = page.structure.get("summary", {}).get("next_start") if question.tool == "get_call_record" else None
    return None if start is None else {**arguments, "start": start}


class Clock:
    """The clock of the dictionaries, which can be put forward, so that no test waits until a list is old."""

    def __init__(self) -> None:
        self._real = time.monotonic
        self._ahead = 0.0

    def __call__(self) -> float:
        return self._real() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


@contextmanager
def directory_clock() -> Generator[Clock]:
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        # The default of the argument was read with the class, so a patch of `time` would not reach it.
        patch.setattr(Directory.__init__, "__kwdefaults__", {"timer": clock})
        yield clock


@asynccontextmanager
async def session(bend: Bend) -> AsyncGenerator[Session]:
    """A client of a new server over a new Liner with this bend. Retries do not wait."""
    liner = BentLiner(bend)
    server = server_for(
        liner,
        transport=httpx.ASGITransport(app=liner),
        deadline_seconds=DEADLINE_SECONDS,
        max_answer_bytes=ANSWER_BYTES,
    )
    with directory_clock() as clock, stamina.set_testing(True, attempts=4, cap=True):
        async with Client(server, raise_exceptions=True) as client:
            yield Session(client, liner, clock)


async def smallest(question: Question, bend: Bend, kinds: set[str]) -> Verdict:
    """The question with as few arguments as still bring a falsehood of one of these kinds, asked of a new server."""
    best = await ask_alone(question, bend)
    for name in list(question.arguments):
        if name in ("call_id", "call_ids", "record_id", "kind", "quotes"):
            continue
        tried = await ask_alone(best.question.without(name), bend)
        if {one.kind for one in tried.falsehoods} & kinds:
            best = tried
    return best


async def ask_alone(question: Question, bend: Bend) -> Verdict:
    async with session(bend) as fresh:
        return await fresh.ask(question)
