"""The newcomer's first minute: three questions to a fake Liner, as an assistant would ask them.

Everything is real but the data: the server, the MCP client between, the requests to Liner. What comes out is the
question, the tool call, the answer a model gets, and what the same facts weigh as Liner sends them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import httpx
from mcp import Client
from mcp.types import CallToolResult, TextContent

from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings

MANY_CALLS = 40  # the size of a question that is tiresome by hand and ordinary here


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asks, and the tool call an assistant makes of it."""

    text: str
    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TourStep:
    """One step of the demo tour: a question, answered. Sizes in bytes and tokens; `requests` went to Liner."""

    question: Question
    answer: str
    requests: int
    answer_bytes: int
    answer_tokens: int
    raw_bytes: int
    raw_tokens: int


class _MeasuringTransport(httpx.AsyncBaseTransport):
    """Weighs what Liner sends on its way through."""

    def __init__(self, app: DemoLiner) -> None:
        self._inner = httpx.ASGITransport(app=app)
        self.bodies: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        body = await response.aread()
        self.bodies.append(body.decode("utf-8", "replace"))
        return httpx.Response(response.status_code, headers=response.headers, content=body)


async def run_tour() -> list[TourStep]:
    """Ask the questions one after another; the first pays for the dictionaries, as in a real session."""
    count, _ = tokenizer()
    liner = DemoLiner()
    scales = _MeasuringTransport(liner)
    settings = Settings.of_demo_option(requests_per_second=0)
    steps: list[TourStep] = []
    async with Client(create_server(settings, transport=scales)) as client:
        for question in questions(liner.dataset):
            scales.bodies.clear()
            result = await client.call_tool(question.tool, question.arguments)
            assert isinstance(result, CallToolResult)  # noqa: S101 - our tools never ask back
            text = "".join(block.text for block in result.content if isinstance(block, TextContent))
            raw = scales.bodies
            steps.append(
                TourStep(
                    question,
                    text,
                    requests=len(raw),
                    answer_bytes=len(text.encode()),
                    answer_tokens=count(text),
                    raw_bytes=sum(len(body.encode()) for body in raw),
                    raw_tokens=sum(count(body) for body in raw),
                )
            )
    return steps


def questions(dataset: Dataset) -> list[Question]:
    """Three questions about calls that this dataset has."""
    adversarial = set(dataset.adversarial_records.values())
    calls = sorted(dataset.calls.values(), key=lambda call: call.created_at, reverse=True)
    recorded = [
        call for call in calls if call.has_records and not {r.id for r in dataset.records_of(call.id)} & adversarial
    ]
    transferred = next(
        call for call in recorded if any(r.is_transfer and r.summary for r in dataset.records_of(call.id))
    )
    many = [call.id for call in recorded[:MANY_CALLS]]
    recent = [call.id for call in calls[:MANY_CALLS]]
    return [
        Question(
            f"What was said on call {transferred.id}?",
            "list_call_records",
            {"call_id": transferred.id, "summary_chars": 600},
        ),
        Question(
            f"And on these {len(many)} calls: {many[0]}, {many[1]}, …?",
            "get_call_summaries",
            {"call_ids": many, "summary_chars": 200},
        ),
        Question(
            f"Which of the last {len(recent)} calls have no recording or no summary yet?",
            "get_call_summaries",
            {"call_ids": recent, "summary_chars": 0},
        ),
    ]


def tokenizer() -> tuple[Callable[[str], int], bool]:
    """How to count tokens, and whether the count is exact (the o200k tokenizer of `rs-bpe` is installed)."""
    try:
        o200k: Any = import_module("rs_bpe.bpe").openai.o200k_base()  # optional, and without type stubs
    except ImportError:
        return estimated_tokens, False
    return lambda text: len(o200k.encode(text)), True


def estimated_tokens(text: str) -> int:
    """Tokens by character counts: within about a tenth on JSON with English and Russian text (o200k)."""
    plain = sum(character.isascii() for character in text)
    return round(plain / 3.4 + (len(text) - plain) / 3.5)
