"""The surface: what hosts list and models read, held to its size and to what was reviewed."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest

from benchmarks import sizes
from liner_mcp.demo import World
from tests import snapshots
from tests.tokens import tokens

pytestmark = pytest.mark.anyio

REFRESH = "If this change is meant: python -m tests.snapshots, and read the difference as a user would."


async def test_the_surface_is_the_one_that_was_reviewed() -> None:
    assert snapshots.pretty(await snapshots.surface()) == snapshots.SURFACE.read_text(encoding="utf-8"), REFRESH


async def test_each_tools_full_answer_is_the_one_that_was_reviewed(world: World) -> None:
    assert snapshots.pretty(await snapshots.answers(world)) == snapshots.ANSWERS.read_text(encoding="utf-8"), REFRESH


async def test_definitions_of_all_tools_cost_at_most_1500_tokens() -> None:
    tools = (await snapshots.surface())["tools"]
    shown = [{key: tool[key] for key in ("name", "title", "description", "inputSchema")} for tool in tools]
    assert sum(tokens(json.dumps(tool, ensure_ascii=False, separators=(",", ":"))) for tool in shown) <= 1_500


async def test_rows_and_pages_stay_within_their_price() -> None:
    figures = await sizes.figures()
    assert [figure.shown for figure in figures if not figure.holds] == []
    assert sum(figure.bar is not None for figure in figures) == 7


async def test_every_tool_says_that_it_only_reads() -> None:
    for tool in (await snapshots.surface())["tools"]:
        assert tool["annotations"] == {
            "readOnlyHint": True,
            "destructiveHint": False,
            "idempotentHint": True,
            "openWorldHint": True,
        }


async def test_every_tool_refuses_unknown_arguments_and_publishes_no_null_branch_or_generated_title() -> None:
    for tool in (await snapshots.surface())["tools"]:
        schema = tool["inputSchema"]
        assert schema["additionalProperties"] is False
        for node in _nodes(schema["properties"]):
            assert "title" not in node
            assert "x-mcp-header" not in node, "then the server must give the SDK its schemas to compare, see app.py"
            assert "anyOf" not in node
            assert node.get("type") != "null"


async def test_tool_names_are_unique_and_short_and_titles_stand() -> None:
    tools = (await snapshots.surface())["tools"]
    assert max(Counter(tool["name"] for tool in tools).values()) == 1
    for tool in tools:
        assert re.fullmatch(r"[a-z_]{3,40}", tool["name"])
        assert tool["title"]
        assert len(tool["description"].encode()) < 2_000
        assert "outputSchema" in tool


async def test_instructions_are_facts_under_1500_characters() -> None:
    instructions: str = (await snapshots.surface())["instructions"]
    assert len(instructions) < 1_500
    assert instructions.count("linerapp.io") == 1


async def test_nothing_on_the_surface_shouts_or_orders() -> None:
    text = json.dumps(await snapshots.surface(), ensure_ascii=False)
    assert not re.search(r"\b(MUST|NEVER|ALWAYS|IMPORTANT|DO NOT|CRITICAL)\b", text)


def _nodes(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [found for part in node for found in _nodes(part)]  # pyright: ignore[reportUnknownVariableType] - JSON
    if not isinstance(node, dict):
        return []
    inner = [found for part in node.values() for found in _nodes(part)]  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - JSON
    return [node, *inner]  # pyright: ignore[reportUnknownVariableType] - JSON
