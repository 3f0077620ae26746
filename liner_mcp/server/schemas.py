"""Schemas as a model reads them: plain and short.

Every host sends every definition to its model with every request, so each word in them is paid for each time. Many
hosts first convert a schema to what the API of their model takes. The part of JSON Schema that all of them keep is
small: each parameter has one type and, where needed, a description, an enum or bounds. So there are no lists of types,
no null branches, no references, no `additionalProperties` and no defaults (a description states the default).
`tests/converters` runs the real code of such hosts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from functools import cache, wraps
from typing import Any, TypeVar, cast, get_type_hints

from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations
from pydantic import TypeAdapter

from liner_mcp.answer.table import AnswerSchema

_Method = TypeVar("_Method", bound=Callable[..., Any])
_DECLARED = "declared_tool"  # the attribute of a declared method

# All tools only read, the data is outside this server, and a second call changes nothing.
READ_ONLY = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True)

_PORTABLE_KEYS = frozenset({"type", "description", "enum", "minimum", "maximum", "minItems", "maxItems", "required"})
_REACHED = {"maximum": 4_000, "maxItems": 100}  # higher bounds only protect the server; no model reaches them


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

    The SDK would ignore unknown arguments; a mistyped optional argument would then get a confident answer to another
    question. So the boundary in `app.py` refuses them by name. The schema does not say so: some clients cannot convert
    `additionalProperties`. The result is written as it is sent, so it is checked by tests and not again at run time.
    """
    return [_publish(getattr(owner, name)) for name in declared_names(type(owner))]


def _publish(method: Callable[..., Any]) -> Tool:
    title, answer = method.__dict__[_DECLARED]
    made = Tool.from_function(method, title=title, description=_unwrap(method.__doc__ or ""), structured_output=False)
    made.fn_metadata.output_schema = _answer_schema(answer)
    schema = {"type": "object", **compact(made.parameters, {})}
    return made.model_copy(update={"parameters": schema, "annotations": READ_ONLY})


def _flatten(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method with the fields of a dataclass as parameters in the place of the dataclass: models fill flat arguments
    more reliably than nested ones.
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
    async def flat(*positional: Any, **arguments: Any) -> Any:
        for name, make in packed.items():
            given = inspect.signature(make).parameters.keys() & arguments.keys()
            arguments[name] = make(**{field: arguments.pop(field) for field in given})
        return await method(*positional, **arguments)

    flat.__dict__["__signature__"] = inspect.Signature(list(parameters.values()))
    flat.__annotations__ = {name: each.annotation for name, each in parameters.items()}
    return flat


@cache  # most tools give the same answer
def _answer_schema(answer: type) -> dict[str, Any]:
    schema = TypeAdapter(answer).json_schema()
    return compact(schema, schema.pop("$defs", {}))


def compact(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The schema in the dialect of the module's docstring, with its definitions where they are used.

    The cells of a row have several types, which only a union could say, so an array of arrays does not tell them.
    """
    compacted: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "$ref":
            compacted |= compact(definitions[value.rpartition("/")[2]], definitions)
        elif key == "anyOf":  # something or null: leaving an argument out says the same, and costs nothing
            (only,) = [branch for branch in value if branch != {"type": "null"}]
            compacted |= compact(only, definitions)
        elif key == "properties":
            compacted[key] = {name: compact(part, definitions) for name, part in value.items()}
        elif key == "items":
            compacted[key] = {"type": "array"} if value.get("type") == "array" else compact(value, definitions)
        elif key in _PORTABLE_KEYS and not (key in _REACHED and value > _REACHED[key]):
            compacted[key] = value
    return compacted


def _unwrap(docstring: str) -> str:
    """A docstring as prose: the source's line breaks and indentation mean nothing to a model."""
    paragraphs = docstring.strip().split("\n\n")
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
