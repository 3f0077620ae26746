"""Types of arguments that several tools share: forgiving where a deviation is harmless, with each bound stated once.

A single id for a list, `"1,2,3"` and a list as a JSON string are understood. A boolean is not a number, nor is an id
above 2^53-1, which JSON readers round. `server/arguments.py` writes the sentence of a refusal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, cast

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
from pydantic_core import PydanticCustomError, PydanticKnownError

from liner_mcp.input_limits import MAX_ID, MAX_NAMES, MAX_TEXT, MAX_TEXTS, MAX_WORDS

MAX_SECONDS = 10_000_000  # a third of a year of talk


def split(value: object, *, names: bool = False) -> list[object]:
    """A list from a list, from one thing, or from a text with commas or semicolons, in brackets or without.

    A name may hold a comma: where `names` are taken, only a text of ids is split here, others in `names/matching.py`.
    The parts of a list stay whole.
    """
    if not isinstance(value, str):
        return list(cast("Iterable[object]", value)) if isinstance(value, (list, tuple)) else [value]
    parts = [part for part in value.strip(" []").replace(";", ",").split(",") if part.strip()]
    if not parts or (names and not all(part.strip().isdigit() for part in parts)):
        return [value]  # a text without parts is refused, because an empty list would not filter
    return list[object](parts)


def parse_id(value: object) -> int | None:
    """A positive id in any harmless spelling, else None."""
    try:
        return _ID.validate_python(value)
    except ValidationError:
        return None


def _ids_and_names(value: object) -> list[object]:
    return split(value, names=True)


def _plain(value: object) -> object:
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):  # pydantic takes true for 1, 1_0 for 10
        raise PydanticKnownError("int_type")
    return value


def _lowered(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _number_as_word(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_ID else value


def _id_or_name(value: object) -> int | str:
    """An id or a name; all-digit text is an id."""
    if value is None or (isinstance(value, str) and value.strip().lower() == "null"):
        raise PydanticCustomError("null_in_list", "null is neither an id nor a name")
    if isinstance(value, str) and (text := value.strip()) and not text.isdigit():
        if len(text) > MAX_TEXT:
            raise PydanticKnownError("string_too_long", {"max_length": MAX_TEXT})
        return text
    number = parse_id(value)
    if number is None:
        raise PydanticCustomError("id_or_name", "neither an id nor a name")
    return number


def _few_names(found: tuple[int | str, ...]) -> tuple[int | str, ...]:
    names = sum(isinstance(one, str) for one in found)
    if names > MAX_TEXTS:
        raise PydanticCustomError("too_many_names", "too many names", {"names": names, "max_names": MAX_TEXTS})
    return found


WHOLE = BeforeValidator(_plain)
WORD = BeforeValidator(_lowered)

Id = Annotated[int, Field(ge=1, le=MAX_ID), WHOLE]
_ID: TypeAdapter[int] = TypeAdapter(Id)
Ids = Annotated[tuple[Id, ...], Field(max_length=MAX_NAMES), FailFast(), BeforeValidator(split)]
_IdOrName = Annotated[int | str, BeforeValidator(_id_or_name), WithJsonSchema({"type": "string"})]
IdsOrNames = Annotated[
    tuple[_IdOrName, ...],
    Field(max_length=MAX_NAMES),
    FailFast(),
    BeforeValidator(_ids_and_names),
    AfterValidator(_few_names),
]
TimeExpression = Annotated[str, StringConstraints(strip_whitespace=True)] | None
Flag = Annotated[bool, WORD] | None
Seconds = Annotated[int, Field(ge=0, le=MAX_SECONDS), WHOLE] | None
Words = (
    Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_WORDS), BeforeValidator(_number_as_word)]
    | None
)
