"""Compact schemas of tools.

A host sends every definition to its model with every request, so each word costs tokens. Many hosts convert a schema
for the API of their model. All of them keep only a small part of JSON Schema: one type per parameter, a description, an
enum, and bounds. So the schemas have no lists of types, no null branches, no references, no `additionalProperties` and
no defaults (the description states the default). `tests/converters` runs the conversion code of such hosts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from functools import cache, wraps
from types import MethodType
from typing import Any, TypeVar, cast, get_type_hints

from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import TypeAdapter

from liner_mcp.answer.table import Answer, AnswerSchema

_Method = TypeVar("_Method", bound=Callable[..., Any])
_DECLARED = "declared_tool"  # the attribute of a declared method

# All tools only read. The data is outside this server, and a repeated call changes nothing.
READ_ONLY = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True)

_PORTABLE_KEYS = frozenset({"type", "description", "enum", "minimum", "maximum", "minItems", "maxItems", "required"})
_HIGHEST_SHOWN = {"maximum": 4_000, "maxItems": 100}  # higher bounds only protect the server; models do not reach them


def tool(title: str, answer: type = AnswerSchema) -> Callable[[_Method], _Method]:
    """Declare a method as a tool whose structured result is an `answer` (a TypedDict); see `tools_of`."""

    def declare(method: _Method) -> _Method:
        flat = _flatten(method)
        flat.__dict__[_DECLARED] = (title, answer)
        return cast("_Method", flat)

    return declare


def declared_names(owner: type) -> tuple[str, ...]:
    """The names of the tools that a class declares, in the order in which hosts show them."""
    return tuple(name for name, member in vars(owner).items() if _DECLARED in getattr(member, "__dict__", {}))


def tools_of(owner: object) -> list[Tool]:
    """The tools that the class of `owner` declares, bound to it, with compact schemas.

    The SDK ignores unknown arguments, so a mistyped optional argument would get an answer to another question. The
    error boundary in `app.py` refuses them. The schema does not say so, because some clients cannot convert
    `additionalProperties`. Tests check the result against its schema; the server does not.
    """
    cls = type(owner)
    return [_publish(vars(cls)[name]).model_copy(update={"fn": getattr(owner, name)}) for name in declared_names(cls)]


@cache  # a tool takes milliseconds to make, and a process may make several servers, as the tests do
def _publish(declared: Callable[..., Any]) -> Tool:
    title, answer = declared.__dict__[_DECLARED]
    method = MethodType(declared, declared)  # for its parameters; each server puts its own method in its place
    made = Tool.from_function(method, title=title, description=_unwrap(method.__doc__ or ""), structured_output=False)
    made.fn_metadata.output_schema = _answer_schema(answer)
    schema = {"type": "object", **compact(made.parameters, made.parameters.get("$defs", {}))}
    return made.model_copy(update={"parameters": schema, "annotations": READ_ONLY})


def _flatten(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method as the SDK calls it: its answer becomes a result of the protocol, and a dataclass parameter becomes a
    parameter per field, because models fill flat arguments more reliably than nested ones.
    """
    parameters: dict[str, inspect.Parameter] = {}
    packed: dict[str, Callable[..., Any]] = {}
    for name, parameter in inspect.signature(method, eval_str=True).parameters.items():
        if not is_dataclass(parameter.annotation):
            parameters[name] = parameter
            continue
        packed[name] = make = cast("Callable[..., Any]", parameter.annotation)
        types = get_type_hints(make, include_extras=True)
        for field, declared in inspect.signature(make).parameters.items():
            parameters[field] = declared.replace(annotation=types[field], kind=inspect.Parameter.KEYWORD_ONLY)

    @wraps(method)
    async def flat(*positional: Any, **arguments: Any) -> CallToolResult:
        for name, make in packed.items():
            given = inspect.signature(make).parameters.keys() & arguments.keys()
            arguments[name] = make(**{field: arguments.pop(field) for field in given})
        answer: Answer = await method(*positional, **arguments)
        # Some hosts show their model only the text, some only the structure: both have the same content.
        return CallToolResult(content=[TextContent(type="text", text=answer.text)], structured_content=answer.structure)

    flat.__dict__["__signature__"] = inspect.Signature(list(parameters.values()))
    flat.__annotations__ = {name: each.annotation for name, each in parameters.items()}
    return flat


@cache  # most tools have the same answer type
def _answer_schema(answer: type) -> dict[str, Any]:
    schema = TypeAdapter(answer).json_schema()
    return compact(schema, schema.pop("$defs", {}))


def compact(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with the keywords in the module's docstring only. Definitions are put where they are used.

    The cells of a row have several types, which would need a union, so the inner array has no type of items.
    """
    compacted: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "$ref":
            compacted |= compact(definitions[value.rpartition("/")[2]], definitions)
        elif key == "anyOf":  # a type or null; leaving an argument out means null
            (only,) = [branch for branch in value if branch != {"type": "null"}]
            compacted |= compact(only, definitions)
        elif key == "properties":
            compacted[key] = {name: compact(part, definitions) for name, part in value.items()}
        elif key == "items":
            compacted[key] = {"type": "array"} if value.get("type") == "array" else compact(value, definitions)
        elif key in _PORTABLE_KEYS and not (key in _HIGHEST_SHOWN and value > _HIGHEST_SHOWN[key]):
            compacted[key] = value
    return compacted


def _unwrap(docstring: str) -> str:
    """A docstring without the line breaks and the indentation of the source; paragraphs stay."""
    paragraphs = docstring.strip().split("\n\n")
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
