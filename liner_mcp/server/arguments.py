"""Arguments: the types the tools declare, forgiving where a model's habit is harmless, and a sentence for each refusal.

A single id for a list, `"1,2,3"` and a list as a JSON string are understood. A boolean is not an id, nor is a number
that JSON readers round (above 2^53-1).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_ID = 2**53 - 1  # the largest whole number every JSON reader keeps exact
MAX_CALL_IDS = 100
ECHOED_CHARACTERS = 40  # of an argument that is shown back: enough to find it again


def _refused(sentence: str) -> PydanticCustomError:
    # The sentence is passed as a value: braces in it (it may quote the argument) are not placeholders.
    return PydanticCustomError("refused", "{sentence}", {"sentence": sentence})


def _echo(value: object) -> str:
    """An argument as it was sent, short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= ECHOED_CHARACTERS else text[: ECHOED_CHARACTERS - 1] + "…"


def _whole(value: object) -> int | None:
    """A whole number in any harmless spelling, else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        text = value.strip()
        digits = text.removeprefix("-")
        # Sixteen digits hold MAX_ID; a longer text is refused before it is turned into a number.
        return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 16 else None
    return value if isinstance(value, int) else None


def id_of(value: object) -> int | None:
    """A positive id in any harmless spelling, else None."""
    number = _whole(value)
    return number if number is not None and 1 <= number <= MAX_ID else None


def _id(value: object) -> int:
    number = id_of(value)
    if number is None:
        raise _refused(f"an id is a positive whole number such as 7000123; {_echo(value)} is not one.")
    return number


def _ids(value: object) -> list[int]:
    if isinstance(value, str):
        value = [part for part in value.replace(";", ",").replace("[", "").replace("]", "").split(",") if part.strip()]
    elif not isinstance(value, (list, tuple)):
        value = [value]
    items = list(cast("Iterable[object]", value))
    if not items:
        raise _refused("it is empty; name at least one call, for example [7000123].")
    if len(items) > MAX_CALL_IDS:
        raise _refused(
            f"it holds {len(items)} ids, and one call takes at most {MAX_CALL_IDS}. Send the first {MAX_CALL_IDS}, "
            "then the rest."
        )
    return [_id(item) for item in items]


def _between(low: int, high: int) -> BeforeValidator:
    def check(value: object) -> int:
        number = _whole(value)
        if number is None or not low <= number <= high:
            raise _refused(f"it must be a whole number from {low} to {high}; {_echo(value)} is not.")
        return number

    return BeforeValidator(check)


def _cursor(value: object) -> str | None:
    if value is None or value == "":  # some hosts fill what a model left out with an empty string
        return None
    if not isinstance(value, str):
        raise _refused(f"it is the text of page.next_cursor; {_echo(value)} is not.")
    return value


def _optional_id(value: object) -> int | None:
    return None if value is None else _id(value)


CallId = Annotated[int | None, BeforeValidator(_optional_id), WithJsonSchema({"type": "integer", "minimum": 1})]
RecordId = Annotated[int, BeforeValidator(_id), WithJsonSchema({"type": "integer", "minimum": 1})]
Start = Annotated[
    int,
    _between(0, MAX_ID),
    WithJsonSchema({"type": "integer", "minimum": 0, "default": 0, "description": "summary.next_start"}),
]
CallIds = Annotated[
    list[int],
    BeforeValidator(_ids),
    WithJsonSchema(
        {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": MAX_CALL_IDS}
    ),
]
RecordsLimit = Annotated[
    int, _between(1, 100), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 100, "default": 25})
]
Cursor = Annotated[
    str | None, BeforeValidator(_cursor), WithJsonSchema({"type": "string", "description": "page.next_cursor"})
]
SUMMARY_CHARS_SCHEMA: Mapping[str, Any] = {"type": "integer", "minimum": 0, "maximum": 4000}
SummaryChars = Annotated[
    int,
    _between(0, 4000),
    WithJsonSchema({**SUMMARY_CHARS_SCHEMA, "description": "Characters of each summary; 0: only whether there is one"}),
]


def refusal(tool: str, error: ValidationError, known: Iterable[str]) -> str:
    """What was wrong with the arguments of `tool`, one sentence for each, with the next step.

    `known` are the names that the tool takes.
    """
    names = list(known)
    sentences: list[str] = []
    for row in error.errors(include_url=False, include_input=False):
        argument = str(row["loc"][0]) if row["loc"] else ""
        if row["type"] == "extra_forbidden":
            near = difflib.get_close_matches(argument, names, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            sentences.append(f"{tool} has no argument {_echo(argument)}.{hint} It takes {', '.join(names)}.")
        elif row["type"] == "missing":
            sentences.append(f"{argument} is missing.")
        else:
            sentences.append(f"{argument}: {row['msg']}")
    return " ".join(dict.fromkeys(sentences))
