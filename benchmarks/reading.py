"""The reader of one question: it makes each tool call, takes its time and counts its tokens, up to a limit."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from mcp import Client
from mcp.types import CallToolResult, TextContent

from tests.support.token_count import count_tokens

WINDOW = 200_000
"""The most tokens of answers: the context of usual models. A question that needs more has failed."""


class TooMuch(Exception):
    """The answers do not fit the context of a model."""


class Refused(Exception):
    """A tool answered with an error, which the model reads."""


@dataclass(slots=True)
class Reader:
    """Reads the text content of answers, as hosts show it."""

    client: Client
    calls: int = 0
    read: int = 0
    written: int = 0
    """Tokens of the arguments, which a model writes."""
    seconds: float = 0.0
    """Time in tool calls only."""

    async def ask(self, tool: str, /, **arguments: Any) -> str:
        """The text of the answer.

        Raises: Refused for an error; TooMuch once the answers exceed WINDOW.
        """
        started = time.perf_counter()
        result = await self.client.call_tool(tool, arguments)
        self.seconds += time.perf_counter() - started
        assert isinstance(result, CallToolResult)
        text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
        self.calls += 1
        self.read += count_tokens(text)
        self.written += count_tokens(json.dumps(arguments, ensure_ascii=False, separators=(",", ":")))
        if self.read > WINDOW:
            raise TooMuch
        if result.is_error:
            raise Refused(text)
        return text
