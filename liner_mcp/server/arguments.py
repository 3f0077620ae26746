"""The arguments of single tools, and a sentence for each refusal.

Each bound is stated once, in its type: pydantic checks it, the published schema shows it, and the sentence is written
from that schema. `argument_types.py` holds the types that tools share.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from pydantic import AfterValidator, BeforeValidator, FailFast, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails, PydanticKnownError

# pydantic needs this one before Python 3.12.
from typing_extensions import TypedDict

from liner_mcp.argument_types import WHOLE, WORD, Id, split
from liner_mcp.calls.columns import INCLUDABLE, Grouping, Includable, Sorting, StatsColumn
from liner_mcp.input_limits import MAX_ID, MAX_QUOTES, MAX_SUMMARY, MAX_TEXT
from liner_mcp.server.lazy import answering

MAX_CALL_IDS = 100
MAX_SAMPLE = 100  # a person does not listen to more
MAX_GROUPS = 100_000  # more than any account has leads in a year
MAX_SEED = 40  # characters: a word or a date that a team agrees on
MAX_QUOTED_CHARACTERS = 40  # of an argument that an error quotes: enough to recognise it
MOST_REFUSED = 3  # arguments that a refusal names: after more than that, a client starts again anyway
_ZERO_IS_NOT_SENT = frozenset({"limit", "sample", "min_calls"})
_EMPTY_IS_A_VALUE = frozenset({"group_by", "call_ids", "quotes"})  # an empty list is a wish, or is refused
_LONG_NUMBER = 64  # bits; a longer number takes time to write in decimal, and from 4,300 digits on Python refuses it
_T = TypeVar("_T")


# Accepted spellings --------------------------------------------------------------------------------------------------


def without_empty(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments without those that say nothing, because some models and proxies fill in every argument: null, empty
    text and "null"; an empty list, and 0, where they cannot be meant.
    """
    return {name: value for name, value in arguments.items() if not _is_empty(name, value)}


async def accept_null_progress_token(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """A middleware for the SDK, which refuses a request whose `_meta.progressToken` is null.

    The token is optional text or a whole number. Some programs write null for every member that is not set.
    """
    match ctx.params:
        case {"_meta": {"progressToken": None, **meta}}:
            ctx = replace(ctx, params={**ctx.params, "_meta": meta})
        case _:
            pass
    return await call_next(ctx)


def _is_empty(name: str, value: object) -> bool:
    text = value.strip().lower() if isinstance(value, str) else value
    if text in (None, "", "null"):
        return True
    if text in ([], "[]"):
        return name not in _EMPTY_IS_A_VALUE
    return name in _ZERO_IS_NOT_SENT and text in (0, "0") and not isinstance(value, bool)


def _split_words(value: object) -> list[object]:
    return [part for item in split(value) for part in split(item)]


def _number_as_text(value: object) -> object:
    """7, 7.0 and "7" are the same seed."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    if abs(value) >= 10**MAX_SEED:  # Python refuses to write a number of thousands of digits
        raise PydanticKnownError("string_too_long", {"max_length": MAX_SEED})
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _as_list(value: object) -> object:
    return cast("object", value) if isinstance(value, (list, tuple)) else [value]


def _null_as_empty(value: object) -> object:
    return "" if value is None else value


def _distinct(found: tuple[_T, ...]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(found))


def _in_order(found: tuple[Includable, ...]) -> tuple[Includable, ...]:
    return tuple(name for name in INCLUDABLE if name in found)


# The types -----------------------------------------------------------------------------------------------------------

_SUMMARY_CHARS = "default {}; 0: only its state"

CallId = Id | None
CallIds = Annotated[list[Id], Field(min_length=1, max_length=MAX_CALL_IDS), FailFast(), BeforeValidator(split)]
Query = (
    Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_TEXT), BeforeValidator(_number_as_text)]
    | None
)
Seed = (
    Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_SEED), BeforeValidator(_number_as_text)]
    | None
)
Cursor = Annotated[str, StringConstraints(strip_whitespace=True), Field(description="page.next_cursor")] | None
DirectoryKind = Annotated[Literal["orders", "agents", "agent_groups", "call_statuses", "lead_statuses"], WORD] | None
Include = Annotated[
    tuple[Annotated[Includable, WORD], ...],
    Field(description="more columns"),
    FailFast(),
    BeforeValidator(_split_words),
    AfterValidator(_in_order),
]
GroupBy = Annotated[
    tuple[Annotated[Grouping, WORD], ...],
    Field(max_length=2, description="default agent"),
    FailFast(),
    BeforeValidator(_split_words),
    AfterValidator(_distinct),
]
Sort = Annotated[Sorting, WORD] | None
StatsInclude = Annotated[
    tuple[Annotated[StatsColumn, WORD], ...], FailFast(), BeforeValidator(_split_words), AfterValidator(_distinct)
]
StatsSort = (
    Annotated[
        str,
        StringConstraints(strip_whitespace=True, to_lower=True, max_length=MAX_TEXT),
        Field(description="a column, largest first; else most calls, times in order"),
    ]
    | None
)
Groups = Annotated[int, Field(ge=0, le=MAX_GROUPS), WHOLE] | None
MinCalls = Annotated[int, Field(ge=0, le=MAX_ID), WHOLE] | None


# One that is too long has a row in the answer that says so, and the others are checked.
class Quote(TypedDict):
    record_id: Id
    quote: Annotated[str, BeforeValidator(_null_as_empty)]


Quotes = Annotated[list[Quote], Field(min_length=1, max_length=MAX_QUOTES), FailFast(), BeforeValidator(_as_list)]
Sample = Annotated[int, Field(ge=1, le=MAX_SAMPLE), WHOLE] | None
Start = Annotated[int, Field(ge=0, le=MAX_ID, description="summary.next_start"), WHOLE]
AudioStart = Annotated[int, Field(ge=0, le=MAX_ID, description="next_start"), WHOLE]
CallsLimit = Annotated[int, Field(ge=1, le=200, description="default 50"), WHOLE]
RecordsLimit = Annotated[int, Field(ge=1, le=100, description="default 25"), WHOLE]
PreviewChars = Annotated[int, Field(ge=0, le=MAX_SUMMARY, description=_SUMMARY_CHARS.format(160)), WHOLE]
SummaryChars = Annotated[int, Field(ge=0, le=MAX_SUMMARY, description=_SUMMARY_CHARS.format(600)), WHOLE]
ShownChars = Annotated[int, Field(ge=0, le=MAX_SUMMARY, description="600 if not sent"), WHOLE] | None


# Refusals ------------------------------------------------------------------------------------------------------------

# The sentence for each pydantic error. All others say that the value is not of the published type.
_SENTENCES = {
    "missing": "it is missing.",
    "too_short": "it is empty; send at least {min_length}.",
    "too_long": "it holds {actual_length} entries; send at most {max_length} at once.",
    "string_too_long": "{value} is too long; send at most {max_length} characters.",
    "id_or_name": "it takes ids (positive whole numbers) and names; {value} is neither.",
    "null_in_list": "it takes ids and names; null is neither. Leave it out.",
    "null_in_list of agents": 'it takes ids and names; null is neither. Send "no agent" for calls without an agent.',
    "too_many_names": "it holds {names} names; send at most {max_names} at once. More ids are allowed.",
}
_WANTED = {"boolean": "true or false", "string": "text"}


def describe_errors(error: ValidationError, published: Mapping[str, Any]) -> str:
    """What is wrong with the arguments of a tool: one sentence for each, with what to send instead.

    `published`: the schema of each argument.
    """
    # Only the first error of each argument: a list whose only item is refused also counts as too short.
    first = {str(row["loc"][0]): row for row in reversed(error.errors(include_url=False))}
    sentences = [
        f"{argument}: {_sentence(argument, first[argument], published[argument])}"
        for argument in published
        if argument in first
    ]
    if len(sentences) > MOST_REFUSED:
        sentences[MOST_REFUSED:] = [f"{len(sentences) - MOST_REFUSED} more arguments cannot be used either."]
    return " ".join(sentences)


def _sentence(argument: str, row: ErrorDetails, schema: Mapping[str, Any]) -> str:
    value, context = _quote(row["input"]), row.get("ctx", {})
    if len(row["loc"]) > 1 and "properties" in schema.get("items", {}):
        members = schema["items"]["properties"].items()
        wanted = " and ".join(f"{name} ({_WANTED.get(each['type'], 'a whole number')})" for name, each in members)
        return f"each entry must hold {wanted}; entry {int(row['loc'][1]) + 1} does not."
    sentence = _SENTENCES.get(f"{row['type']} of {argument}") or _SENTENCES.get(row["type"])
    if sentence is not None:
        return sentence.format(value=value, **context)
    schema = schema.get("items", schema)
    wanted = _WANTED.get(schema["type"], "a whole number")
    if "enum" in schema:
        wanted = f"one of {', '.join(schema['enum'])}"
    elif "minimum" in schema:
        most = schema.get("maximum", context.get("le"))
        wanted += f" of {schema['minimum']} or more" if most is None else f" from {schema['minimum']} to {most}"
    return f"it must be {wanted}; {value} is not."


def describe_unknown_arguments(tool: str, unknown: Iterable[str], known: Iterable[str]) -> str:
    """Says that `tool` has no such arguments, which are similar, and which it takes."""
    names, wrong = list(known), list(unknown)
    sentences: list[str] = []
    for argument in wrong[:MOST_REFUSED]:
        near = difflib.get_close_matches(argument[:MAX_QUOTED_CHARACTERS], names, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        sentences.append(f"{tool} has no argument {_quote(argument)}.{hint}")
    if len(wrong) > MOST_REFUSED:
        sentences.append(f"{len(wrong) - MOST_REFUSED} more are unknown.")
    return " ".join([*sentences, f"It takes {', '.join(names)}."])


def _quote(value: object) -> str:
    """An argument as it was sent, short."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote_short(f'"{value}"')
    return quote_short(_Beginning().repr(value))


class _Beginning(reprlib.Repr):
    """The beginning of a list or an object, however long or deep it is."""

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002 - the signature is the library's
        return str(x) if x.bit_length() <= _LONG_NUMBER else "a number of more than 19 digits"


def quote_short(text: str) -> str:
    """A text from a client, short enough to be quoted in an error."""
    return answering().quote_input(text, MAX_QUOTED_CHARACTERS)
