"""What a client sends is repeated without characters that a reader does not see, in answers and in errors."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import pytest
from mcp import MCPError
from mcp.types import PromptReference, ResourceTemplateReference

from tests.conftest import OpenSession, text_of
from tests.server.test_bounded import ARGUMENTS, NEEDED

pytestmark = pytest.mark.anyio

# Line and paragraph separators, next line, bidirectional override, zero width, byte order mark, escape, null, tag.
UNSEEN = "\u2028\u2029\x85\u202e\u200b\ufeff\x1b\x00\U000e0041\u2066"
TEXT = f"Анна{UNSEEN}Петрова"
SHAPES: dict[str, Any] = {"text": TEXT, "list": [TEXT, f"a{UNSEEN}b"], "object": {TEXT: TEXT}}


def unseen_in(text: str) -> set[str]:
    """The control and format characters, and the separators that are no plain space."""
    categories = {"Cc", "Cf", "Zl", "Zp", "Co", "Cs"}
    return {character for character in text if unicodedata.category(character) in categories and character != "\n"}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("tool", "argument"), [(tool, one) for tool, names in ARGUMENTS.items() for one in names])
async def test_no_echo_of_an_argument_holds_an_unseen_character(
    connect: OpenSession, tool: str, argument: str, shape: str
) -> None:
    async with connect() as session:
        result = await session.call(tool, **{**NEEDED[tool], argument: SHAPES[shape]})
    assert not unseen_in(text_of(result))
    assert not unseen_in(json.dumps(result.structured_content, ensure_ascii=False))
    assert not re.search(r"\\u(?:00|20|fe|db)", json.dumps(result.structured_content, ensure_ascii=False))


@pytest.mark.parametrize(
    ("tool", "arguments", "member"),
    [
        ("list_directory", {"kind": "agents", "query": TEXT}, "query"),
        ("find_calls", {"since": "-2d", "sample": 3, "seed": TEXT}, "seed"),
        ("find_calls", {"since": "-2d", "mentions": TEXT}, "mentions"),
        ("call_stats", {"since": "-2d", "mentions": TEXT}, "mentions"),
    ],
)
async def test_an_argument_is_repeated_and_clean(
    connect: OpenSession, tool: str, arguments: dict[str, Any], member: str
) -> None:
    async with connect() as session:
        answer = await session.answer(tool, **arguments)
    shown = {**answer["asked"], **answer["page"]}[member]
    assert "Анна" in shown
    assert not unseen_in(shown)


async def test_no_error_of_the_protocol_holds_an_unseen_character(connect: OpenSession) -> None:
    async with connect() as session:
        client = session.client
        attempts: list[Any] = [
            lambda: client.call_tool(TEXT, {}),
            lambda: client.call_tool("find_calls", {TEXT: 1}),
            lambda: client.get_prompt(TEXT, {}),
            lambda: client.get_prompt("review_agent", {TEXT: "1"}),
            lambda: client.get_prompt("review_agent", {"agent": TEXT, "period": TEXT}),
            lambda: client.read_resource(f"liner://calls/{TEXT}"),
            lambda: client.complete(PromptReference(name=TEXT), {"name": TEXT, "value": TEXT}),
            lambda: client.complete(
                ResourceTemplateReference(uri="liner://calls/{call_id}"), {"name": "call_id", "value": TEXT}
            ),
        ]
        for attempt in attempts:
            try:
                told = (await attempt()).model_dump(mode="json")
            except MCPError as error:
                told = error.error.message
            assert not unseen_in(str(told).replace("\\n", ""))
