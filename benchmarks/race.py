"""The thirty questions to every contestant: tokens, requests to Liner, time, and correctness."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.contestants import Contestant
from benchmarks.questions import QUESTIONS, Question
from benchmarks.reading import Reader, Refused, TooMuch
from benchmarks.table_reading import Incomplete
from liner_mcp.demo import Dataset, DemoLiner
from tests.fakes import FakeLiner
from tests.support.token_count import count_tokens

LATENCY = 0.05
"""Seconds per answer of the demo Liner, as of a near and healthy service."""
SHOWN = ("name", "title", "description", "inputSchema")
"""The parts of a tool that hosts show to a model. They do not show output schemas and annotations."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question to one contestant. `failed` says why the answer is not right; it is empty if it is."""

    calls: int
    read: int
    written: int
    requests: int
    seconds: float
    failed: str


@dataclass(frozen=True, slots=True)
class Definitions:
    """The tokens that a model reads of a server before any question. `listed` is the whole tools/list."""

    tools: int
    instructions: int
    listed: int


async def definitions(contestant: Contestant, dataset: Dataset) -> Definitions:
    async with contestant.opened(DemoLiner(dataset), None) as client:
        listed = (await client.list_tools()).tools
        shown = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed]
        seen = [{name: tool[name] for name in SHOWN if name in tool} for tool in shown]
        return Definitions(_price(seen), count_tokens(client.instructions or ""), _price(shown))


def _price(tools: list[dict[str, Any]]) -> int:
    return sum(count_tokens(json.dumps(tool, ensure_ascii=False, separators=(",", ":"))) for tool in tools)


async def run(
    contestant: Contestant, dataset: Dataset, questions: Sequence[Question] = QUESTIONS, *, timing: bool = False
) -> dict[str, Outcome]:
    """Ask each question in a new session, so that no answer is cached.

    With `timing`, Liner takes LATENCY for an answer and each server has its usual limits; without it there is no wait.
    """
    found: dict[str, Outcome] = {}
    for question in questions:
        liner = FakeLiner(dataset, latency=LATENCY if timing else 0)
        async with contestant.opened(liner, None if timing else 0) as client:
            await client.list_tools()
            reader = Reader(client)
            failed = await _failure(contestant, question, reader, dataset)
            found[question.name] = Outcome(
                reader.calls, reader.read, reader.written, len(liner.requests), reader.seconds, failed
            )
    return found


async def _failure(contestant: Contestant, question: Question, reader: Reader, dataset: Dataset) -> str:
    answer: Any
    try:
        answer = await contestant.ask(question, reader)
    except TooMuch:
        return "too much to read"
    except Incomplete:
        return "incomplete"
    except Refused as refused:
        answer = refused
    return "" if question.right(dataset, answer) else "wrong"
