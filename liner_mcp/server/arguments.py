"""Arguments: the types the tools declare, forgiving where a deviation is harmless, and a sentence for each refusal.

Each bound stands once, in its type: pydantic checks it, the published schema shows it, and the sentence is written from
that schema. A single id for a list, `"1,2,3"` and a list as a JSON string are understood. A boolean is not a number,
nor is an id above 2^53-1, which JSON readers round.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    FailFast,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails, PydanticCustomError, PydanticKnownError

from liner_mcp.calls.columns import INCLUDABLE, Grouping, Includable
from liner_mcp.input_limits import MAX_ID, MAX_NAMES, MAX_TEXT, MAX_TEXTS
from liner_mcp.server.lazy import answering

MAX_CALL_IDS = 100
MAX_SAMPLE = 100  # more is no sample a person would hear
MAX_SEED = 40  # characters: a word or a date that a team agrees on
MAX_SECONDS = 10_000_000  # a third of a year of talk
MAX_SUMMARY = 4_000  # characters of a summary in a table
MAX_QUOTED_CHARACTERS = 40  # of an argument that is shown back: enough to find it again
MOST_REFUSED = 3  # arguments that a refusal names: who sent more than that wrong begins anew anyway
_LONG_NUMBER = 64  # bits; to write a number of more in decimal takes time, and Python refuses it from 4,300 digits on
_T = TypeVar("_T")


# What is understood --------------------------------------------------------------------------------------------------


def without_empty(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments without those sent as null or as empty text: some models fill in every argument there is."""
    return {
        name: value
        for name, value in arguments.items()
        if value is not None and not (isinstance(value, str) and not value.strip())
    }


def split(value: object, *, names: bool = False) -> list[object]:
    """A list from a list, from one thing, or from a text with commas or semicolons, in brackets or without.

    A name may hold a comma: where `names` are taken, only a text of ids is split. The parts of a list stay whole.
    """
    if not isinstance(value, str):
        return list(cast("Iterable[object]", value)) if isinstance(value, (list, tuple)) else [value]
    parts = [part for part in value.strip(" []").replace(";", ",").split(",") if part.strip()]
    if not parts or (names and not all(part.strip().isdigit() for part in parts)):
        return [value]  # what has no part is refused: as an empty list it would filter nothing
    return list[object](parts)


def parse_id(value: object) -> int | None:
    """A positive id in any harmless spelling, else None."""
    try:
        return _ID.validate_python(value)
    except ValidationError:
        return None


def _ids_and_names(value: object) -> list[object]:
    return split(value, names=True)


def _split_words(value: object) -> list[object]:
    return [part for item in split(value) for part in split(item)]


def _plain(value: object) -> object:
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):  # pydantic takes true for 1, 1_0 for 10
        raise PydanticKnownError("int_type")
    return value


def _lowered(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _number_as_text(value: object) -> object:
    """7, 7.0 and "7" are the same seed."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    if abs(value) >= 10**MAX_SEED:  # Python refuses to write a number of thousands of digits
        raise PydanticKnownError("string_too_long", {"max_length": MAX_SEED})
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _id_or_name(value: object) -> int | str:
    """An id or a name; all-digit text is an id."""
    if isinstance(value, str) and (text := value.strip()) and not text.isdigit():
        if len(text) > MAX_TEXT:
            raise PydanticKnownError("string_too_long", {"max_length": MAX_TEXT})
        return text
    number = parse_id(value)
    if number is None:
        raise _error(f"it takes ids (positive whole numbers) and names; {_quote(value)} is neither.")
    return number


def _few_names(found: tuple[int | str, ...]) -> tuple[int | str, ...]:
    names = sum(isinstance(one, str) for one in found)
    if names > MAX_TEXTS:
        raise _error(f"it holds {names} names; at most {MAX_TEXTS} can be asked at once. Ids can be more.")
    return found


def _distinct(found: tuple[_T, ...]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(found))


def _in_order(found: tuple[Includable, ...]) -> tuple[Includable, ...]:
    return tuple(name for name in INCLUDABLE if name in found)


# The types -----------------------------------------------------------------------------------------------------------

_WHOLE = BeforeValidator(_plain)
_WORD = BeforeValidator(_lowered)
_SUMMARY_CHARS = "Characters of each summary, default {}; 0: only whether there is one"

RecordId = Annotated[int, Field(ge=1, le=MAX_ID), _WHOLE]
CallId = RecordId | None
_ID: TypeAdapter[int] = TypeAdapter(RecordId)
CallIds = Annotated[list[RecordId], Field(min_length=1, max_length=MAX_CALL_IDS), FailFast(), BeforeValidator(split)]
LeadIds = Annotated[tuple[RecordId, ...], Field(max_length=MAX_NAMES), FailFast(), BeforeValidator(split)]
_IdOrName = Annotated[int | str, BeforeValidator(_id_or_name), WithJsonSchema({"type": "string"})]
IdsOrNames = Annotated[
    tuple[_IdOrName, ...],
    Field(max_length=MAX_NAMES),
    FailFast(),
    BeforeValidator(_ids_and_names),
    AfterValidator(_few_names),
]
TimeExpression = Annotated[str, StringConstraints(strip_whitespace=True)] | None
Query = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_TEXT)] | None
Seed = (
    Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_SEED), BeforeValidator(_number_as_text)]
    | None
)
Cursor = Annotated[str, Field(description="page.next_cursor")] | None
Flag = Annotated[bool, _WORD] | None
Direction = Annotated[Literal["incoming", "outgoing"], _WORD] | None
HungUpBy = Annotated[Literal["client", "operator", "system"], _WORD] | None
DirectoryKind = Annotated[Literal["orders", "agents", "agent_groups", "call_statuses", "lead_statuses"], _WORD] | None
Include = Annotated[
    tuple[Annotated[Includable, _WORD], ...],
    Field(description="more columns"),
    FailFast(),
    BeforeValidator(_split_words),
    AfterValidator(_in_order),
]
GroupBy = Annotated[
    tuple[Annotated[Grouping, _WORD], ...],
    Field(min_length=1, max_length=2, description="one or two, default agent"),
    FailFast(),
    BeforeValidator(_split_words),
    AfterValidator(_distinct),
]
Seconds = Annotated[int, Field(ge=0, le=MAX_SECONDS), _WHOLE] | None
Sample = Annotated[int, Field(ge=1, le=MAX_SAMPLE), _WHOLE] | None
Start = Annotated[int, Field(ge=0, le=MAX_ID, description="summary.next_start"), _WHOLE]
CallsLimit = Annotated[int, Field(ge=1, le=200, description="default 50"), _WHOLE]
RecordsLimit = Annotated[int, Field(ge=1, le=100, description="default 25"), _WHOLE]
PreviewChars = Annotated[int, Field(ge=0, le=MAX_SUMMARY, description=_SUMMARY_CHARS.format(160)), _WHOLE]
SummaryChars = Annotated[int, Field(ge=0, le=MAX_SUMMARY, description=_SUMMARY_CHARS.format(600)), _WHOLE]


# What is refused -----------------------------------------------------------------------------------------------------

# A pydantic error -> its sentence. The others say that the value is not of the type that the schema publishes.
_SENTENCES = {
    "missing": "it is missing.",
    "too_short": "it is empty; send at least {min_length}.",
    "too_long": "it holds {actual_length} entries; send at most {max_length} at once.",
    "string_too_long": "{value} is too long; send at most {max_length} characters.",
    "refused": "{sentence}",
}


def describe_errors(error: ValidationError, published: Mapping[str, Any]) -> str:
    """What was wrong with the arguments of a tool, one sentence for each, with what to send instead.

    `published`: the schema of each argument.
    """
    # Of each argument its first error: a list whose only item is refused counts as too short, too.
    first = {str(row["loc"][0]): row for row in reversed(error.errors(include_url=False))}
    sentences = [
        f"{argument}: {_sentence(first[argument], published[argument])}" for argument in published if argument in first
    ]
    if len(sentences) > MOST_REFUSED:
        sentences[MOST_REFUSED:] = [f"{len(sentences) - MOST_REFUSED} more arguments cannot be used either."]
    return " ".join(sentences)


def _sentence(row: ErrorDetails, schema: Mapping[str, Any]) -> str:
    value, context = _quote(row["input"]), row.get("ctx", {})
    if row["type"] in _SENTENCES:
        return _SENTENCES[row["type"]].format(value=value, **context)
    schema = schema.get("items", schema)
    wanted = {"boolean": "true or false", "string": "text"}.get(schema["type"], "a whole number")
    if "enum" in schema:
        wanted = f"one of {', '.join(schema['enum'])}"
    elif "minimum" in schema:
        most = schema.get("maximum", context.get("le"))
        wanted += f" of {schema['minimum']} or more" if most is None else f" from {schema['minimum']} to {most}"
    return f"it must be {wanted}; {value} is not."


def describe_unknown_arguments(tool: str, unknown: Iterable[str], known: Iterable[str]) -> str:
    """That `tool` has no such arguments, what may be meant, and which it takes."""
    names, wrong = list(known), list(unknown)
    sentences: list[str] = []
    for argument in wrong[:MOST_REFUSED]:
        near = difflib.get_close_matches(argument[:MAX_QUOTED_CHARACTERS], names, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        sentences.append(f"{tool} has no argument {_quote(argument)}.{hint}")
    if len(wrong) > MOST_REFUSED:
        sentences.append(f"{len(wrong) - MOST_REFUSED} more are unknown.")
    return " ".join([*sentences, f"It takes {', '.join(names)}."])


def _error(sentence: str) -> PydanticCustomError:
    # The sentence is passed as a value: braces in it (it may quote the argument) are not placeholders.
    return PydanticCustomError("refused", "{sentence}", {"sentence": sentence})


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
    """What a client sent, to be shown back."""
    return answering().quote_input(text, MAX_QUOTED_CHARACTERS)
