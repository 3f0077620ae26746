"""Schemas as a model reads them: plain and short.

Every host sends every definition to its model with every request, so each word in them is paid for again and again.
Before that, many hosts convert a schema to what the API of their model takes. The part of JSON Schema that all of them
keep is small: each parameter has one type and, if need be, a description, an enum or bounds. So there are no lists of
types, no null branches, no references, no `additionalProperties` and no defaults (a description tells the default).
`tests/converters` runs the real code of such hosts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, cast

from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations
from pydantic import TypeAdapter

# All tools only read, what they read is outside this server, and asking twice changes nothing.
READ_ONLY = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True)


def tool(function: Callable[..., Awaitable[Any]], title: str, answer: type) -> Tool:
    """A tool with a compact schema, whose structured result is an `answer` (a TypedDict).

    The SDK would ignore unknown arguments; a mistyped optional argument would then get a confident answer to another
    question. So the boundary in `app.py` refuses them by name. The schema does not say so: some clients cannot convert
    `additionalProperties`. The result is written as it is sent, so it is checked by tests and not again at run time.
    """
    made = Tool.from_function(
        function, title=title, description=_unwrapped(function.__doc__ or ""), structured_output=False
    )
    made.fn_metadata.output_schema = _answer_schema(answer)
    schema = {"type": "object", **compact(made.parameters)}
    return made.model_copy(update={"parameters": schema, "annotations": READ_ONLY})


@cache  # most tools give the same answer
def _answer_schema(answer: type) -> dict[str, Any]:
    schema = TypeAdapter(answer).json_schema()
    return _outlined(compact(schema, schema.pop("$defs", {})))


def _outlined(schema: Any) -> Any:
    """The schema without the kind of each cell and of each entry of a map.

    Clients check an answer against its schema. Python's takes 13 ms for the cells of 200 rows, ten times as long as for
    all else, and what it could find there, our tests would have found.
    """
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in cast("dict[str, Any]", schema).items():
        if key == "properties":
            kept[key] = {name: _outlined(part) for name, part in value.items()}
        elif key == "items":
            kept[key] = {name: part for name, part in value.items() if name != "items"}
        elif key != "additionalProperties":
            kept[key] = value
    return kept


def compact(schema: Any, definitions: Mapping[str, Any] | None = None) -> Any:
    """The schema without generated titles, defaults and null branches, and with its definitions where they are used."""
    if isinstance(schema, list):
        return [compact(part, definitions) for part in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in cast("dict[str, Any]", schema).items():
        if key == "properties":
            kept[key] = {name: compact(part, definitions) for name, part in value.items()}
        elif key == "$ref":
            kept |= compact((definitions or {})[value.rpartition("/")[2]], definitions)
        elif key == "anyOf" and (only := _but_null(value)) is not None:
            kept |= compact(only, definitions)
        elif not (key == "title" and isinstance(value, str)) and key != "default":
            kept[key] = compact(value, definitions)
    return kept


def _but_null(branches: Any) -> dict[str, Any] | None:
    """The one branch of `something or null`: leaving an argument out says the same, and costs nothing."""
    left = [branch for branch in branches if branch != {"type": "null"}]
    return left[0] if len(left) == 1 and len(left) < len(branches) else None


def _unwrapped(docstring: str) -> str:
    """A docstring as prose: the source's line breaks and indentation mean nothing to a model."""
    paragraphs = docstring.strip().split("\n\n")
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
