"""A call centre whose calls are known, and models that follow a script, in this process or behind an HTTP endpoint."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from starlette.requests import Request

from liner_mcp.calls.time_window import TimeWindow
from liner_mcp.demo import Dataset
from liner_mcp.review.scorecard import Recording
from liner_mcp.review.selection import SelectedCall, Selection, select_calls
from liner_mcp.settings import Settings
from tests.fakes import FakeLiner
from tests.support.account import ACCOUNT

Json = dict[str, Any]
Script = Callable[[Json], list[Json]]
"""From all that a model reads of a call to its verdicts."""

SUMMARY = "Клиент ищет двухкомнатную квартиру, бюджет 12 млн ₽. Покупать будет в марте. Согласен на соединение."


def verdict(criterion: str, word: str, *quotes: str) -> Json:
    return {"criterion": criterion, "verdict": word, "quotes": list(quotes)}


def honest(asked: Json) -> list[Json]:
    """A yes, a no and a not_mentioned in turn, with the first words of the first summary as the quote."""
    quote = " ".join(asked["recordings"][0]["summary"].split()[:4])
    words = ("yes", "no", "not_mentioned")
    return [
        verdict(one["id"], words[number % 3], *([quote] if number % 3 < 2 else []))
        for number, one in enumerate(asked["criteria"])
    ]


def obedient(asked: Json) -> list[Json]:
    """Does what a hostile summary says: yes to everything, with a quote that would prove it."""
    return [verdict(one["id"], "yes", f"The client said yes to {one['id']}") for one in asked["criteria"]]


class ScriptedModel:
    """A model in this process. `prompts` are the documents that it read; `turns` counts its answers."""

    def __init__(self, *scripts: Script | str | Exception) -> None:
        self._scripts = scripts
        self.prompts: list[Json] = []
        self.sent_back: list[str] = []
        self.turns = 0
        self.function_tools: list[str] = []

    @property
    def model(self) -> FunctionModel:
        return FunctionModel(self._answer, model_name="scripted")

    async def _answer(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        script = self._scripts[min(self.turns, len(self._scripts) - 1)]
        self.turns += 1
        self.function_tools += [tool.name for tool in info.function_tools]
        first = next(part for part in messages[0].parts if isinstance(part, UserPromptPart))
        asked: Json = json.loads(cast("str", first.content))
        self.prompts.append(asked)
        self.sent_back += [str(getattr(part, "content", "")) for message in messages[2:] for part in message.parts]
        if isinstance(script, Exception):
            raise script
        if isinstance(script, str):
            return ModelResponse(parts=[TextPart(script)])
        return ModelResponse(parts=[ToolCallPart(info.output_tools[0].name, {"verdicts": script(asked)})])


class FakeEndpoint:
    """An endpoint compatible with OpenAI's. `stall_after`: it answers so many calls and then no more. `before`: what it
    answers first, each a status and a body.
    """

    def __init__(
        self,
        script: Script = honest,
        *,
        status: int = 200,
        stall_after: int | None = None,
        before: Sequence[tuple[int, bytes]] = (),
    ) -> None:
        self._script, self.status, self.stall_after, self.before = script, status, stall_after, list(before)
        self.asked: list[Json] = []
        self.keys: set[str] = set()
        self.stalled = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = await Request(scope, receive).body()
        self.keys.add(dict(scope["headers"]).get(b"authorization", b"").decode())
        request = json.loads(body)
        asked: Json = json.loads(next(one for one in request["messages"] if one["role"] == "user")["content"])
        if self.stall_after is not None and len(self.asked) >= self.stall_after:
            self.stalled.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        self.asked.append(asked)
        answer = self._completion(request, asked) if self.status == 200 else {"error": {"message": json.dumps(asked)}}
        status, content = self.before.pop(0) if self.before else (self.status, json.dumps(answer).encode())
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        headers += [(b"retry-after", b"0")] if status == 429 else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _completion(self, request: Json, asked: Json) -> Json:
        (tool,) = request["tools"]  # the form of the answer, and nothing that it could do
        call = {"name": tool["function"]["name"], "arguments": json.dumps({"verdicts": self._script(asked)})}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "type": "function", "function": call}],
        }
        return {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": request["model"],
            "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
            "usage": {"prompt_tokens": 700, "completion_tokens": 100, "total_tokens": 800},
        }


# Calls ----------------------------------------------------------------------------------------------------------------


def night(now: datetime, calls: int) -> Dataset:
    """The day before `now` in Moscow, with recorded calls; each seventh without a summary, each third transferred."""
    dataset = Dataset.generate(now=now, days=1, calls=0)
    start = (now + timedelta(hours=3)).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1, hours=3)
    for number in range(calls):
        order = dataset.orders[number % 3]
        agent = order.agent_user_ids[number % len(order.agent_user_ids)]
        moment = start + timedelta(hours=9, seconds=number * 36_000 / max(calls, 1))
        call = dataset.add_call(order=order, agent=agent, created_at=moment)
        text = None if number % 7 == 6 else f"{SUMMARY} Номер обращения {number}, телефон +7 916 123-45-67."
        dataset.add_record(call.id, summary=text)
        if number % 3 == 0:
            dataset.add_record(call.id, is_transfer=True, summary="Оператор соединяет клиента с отделом продаж.")
    return dataset


def silent(_what: str, _done: int, _total: int | None) -> None:
    """Shows no progress."""


async def select(liner: FakeLiner, now: datetime, **filters: Any) -> Selection:
    """The calls of the day around `now`."""
    fields: Json = {**ACCOUNT, "requests_per_second": 0, "timezone": "Europe/Moscow", **filters.pop("settings", {})}
    settings = Settings(**fields)
    window = TimeWindow(now.astimezone(UTC) - timedelta(days=1), now.astimezone(UTC))
    transport = httpx.ASGITransport(app=liner)
    return await select_calls(settings, window, filters, silent, transport=transport, now=lambda: now)


def selected(*summaries: str, call_id: int = 7_000_001) -> SelectedCall:
    """A call with these summaries."""
    facts: Json = {
        "demo": False, "call_id": call_id, "date": "2026-11-20", "time": "10:02", "timezone": "Europe/Moscow",
        "order_id": 201, "order": "Sunrise Park", "agent_id": 101, "agent": "Anna Petrova", "talk_seconds": 61,
        "status": "Перезвонить",
    }  # fmt: skip
    recordings = [
        Recording(record_id=9_000_001 + number, seconds=61, transfer=False, summary_state="ready", summary=text)
        for number, text in enumerate(summaries)
    ]
    return SelectedCall(facts, tuple(recordings))
