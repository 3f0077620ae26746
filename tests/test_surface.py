"""The surface: what hosts list and models read, held to its size and to what was reviewed."""

from __future__ import annotations

import inspect
import json
import re
from collections import Counter
from typing import Any

import pytest

from benchmarks import sizes
from liner_mcp.demo import Dataset
from liner_mcp.server.tools import Tools
from tests.support import snapshots
from tests.support.token_count import count_tokens

pytestmark = pytest.mark.anyio

REFRESH = "If this change is meant: python -m tests.support.snapshots, and read the difference as a user would."


async def test_the_surface_is_the_one_that_was_reviewed() -> None:
    assert snapshots.pretty(await snapshots.surface()) == snapshots.SURFACE.read_text(encoding="utf-8"), REFRESH


async def test_each_tools_full_answer_is_the_one_that_was_reviewed(dataset: Dataset) -> None:
    assert snapshots.pretty(await snapshots.answers(dataset)) == snapshots.ANSWERS.read_text(encoding="utf-8"), REFRESH


async def test_definitions_of_all_tools_cost_at_most_1800_tokens() -> None:
    tools = (await snapshots.surface())["tools"]
    shown = [{key: tool[key] for key in ("name", "title", "description", "inputSchema")} for tool in tools]
    assert sum(count_tokens(json.dumps(tool, ensure_ascii=False, separators=(",", ":"))) for tool in shown) <= 1_800


async def test_rows_and_pages_stay_within_their_price() -> None:
    figures = await sizes.figures()
    assert [figure.shown for figure in figures if not figure.holds] == []
    assert sum(figure.bar is not None for figure in figures) == 7


@pytest.mark.parametrize(
    "name", ["find_calls", "list_call_records", "get_call_summaries", "get_call_record", "check_quotes"]
)
async def test_every_tool_that_shows_summaries_says_that_they_are_untrusted(name: str) -> None:
    tools = {tool["name"]: tool["description"] for tool in (await snapshots.surface())["tools"]}
    assert "untrusted data" in tools[name]


async def test_every_tool_says_that_it_only_reads() -> None:
    for tool in (await snapshots.surface())["tools"]:
        assert tool["annotations"] == {
            "readOnlyHint": True,
            "destructiveHint": False,
            "idempotentHint": True,
            "openWorldHint": True,
        }


async def test_every_schema_is_in_the_dialect_that_every_function_calling_api_takes() -> None:
    for tool in (await snapshots.surface())["tools"]:
        for which in ("inputSchema", "outputSchema"):
            assert tool[which]["type"] == "object"
            assert outside_the_dialect(tool[which], which) == [], tool["name"]
        for name, schema in tool["inputSchema"]["properties"].items():
            assert schema["type"] != "array" or "items" in schema, name


async def test_descriptions_tell_the_defaults_that_count() -> None:
    """Not every API takes `default`, so it stands in words; 0, nothing and an empty list need none."""
    for tool in (await snapshots.surface())["tools"]:
        parameters = inspect.signature(getattr(Tools, tool["name"])).parameters
        for name, schema in tool["inputSchema"]["properties"].items():
            default: Any = parameters[name].default
            counts = default not in (inspect.Parameter.empty, None, (), 0)
            expected = [default[0] if default == ("agent",) else str(default)] if counts else []
            assert re.findall(r"default (\w+)", schema.get("description", "")) == expected, name


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"enum": ["a"]}, "seed: type None"),
        ({"type": ["integer", "string"]}, "seed: type ['integer', 'string']"),
        ({"type": "null"}, "seed: type null"),
        ({"type": "integer", "enum": [1]}, "seed: an enum of integer"),
        ({"type": "string", "default": None}, "seed: default"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}], "type": "string"}, "seed: anyOf"),
        ({"$ref": "#/$defs/Seed", "type": "object"}, "seed: $ref"),
        ({"type": "object", "additionalProperties": False}, "seed: additionalProperties"),
        ({"type": "array", "items": {"enum": ["a"]}}, "seed[]: type None"),
        ({"type": "object", "properties": {"a": {}}}, "seed.a: type None"),
        ({"type": "object", "properties": {}, "required": ["a"]}, "seed: a is required and not published"),
    ],
    ids=str,
)
def test_a_schema_outside_the_dialect_is_noticed(schema: dict[str, Any], fault: str) -> None:
    assert outside_the_dialect(schema, "seed") == [fault]


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


async def test_nothing_on_the_surface_logs_loudly_or_orders() -> None:
    text = json.dumps(await snapshots.surface(), ensure_ascii=False)
    assert not re.search(r"\b(MUST|NEVER|ALWAYS|IMPORTANT|DO NOT|CRITICAL)\b", text)


# What the converters of `tests/converters` keep, and nothing else.
KEYWORDS = {
    "type",
    "description",
    "enum",
    "minimum",
    "maximum",
    "items",
    "minItems",
    "maxItems",
    "properties",
    "required",
}
TYPES = ("string", "integer", "boolean", "array", "object")


def outside_the_dialect(schema: dict[str, Any], path: str) -> list[str]:
    """What in a schema some API does not take, each with its place."""
    kind, properties = schema.get("type"), schema.get("properties", {})
    found = [f"{path}: {key}" for key in schema if key not in KEYWORDS]
    if kind not in TYPES:
        found.append(f"{path}: type {kind}")
    elif "enum" in schema and kind != "string":
        found.append(f"{path}: an enum of {kind}")
    found += [
        f"{path}: {name} is required and not published" for name in schema.get("required", ()) if name not in properties
    ]
    for name, part in properties.items():
        found += outside_the_dialect(part, f"{path}.{name}")
    return found + (outside_the_dialect(schema["items"], f"{path}[]") if "items" in schema else [])
