"""Arguments: the types the tools declare, forgiving where a model's habit is harmless, and a sentence for each refusal.

A single id for a list, `"1,2,3"` and a list as a JSON string are understood. A boolean is not an id, nor is a number
that JSON readers round (above 2^53-1).
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from liner_mcp.review.columns import GROUPINGS, INCLUDABLE
from liner_mcp.review.limits import MAX_ID, MAX_NAMES, MAX_TEXT, MAX_TEXTS

MAX_CALL_IDS = 100
MAX_SAMPLE = 100  # more is no sample a person would hear
MAX_SEED = 40  # characters: a word or a date that a team agrees on
MAX_SECONDS = 10_000_000  # a third of a year of talk
DIRECTIONS = ("incoming", "outgoing")
HUNG_UP_BY = ("client", "operator", "system")
KINDS = ("orders", "agents", "agent_groups", "call_statuses", "lead_statuses")
ECHOED_CHARACTERS = 40  # of an argument that is shown back: enough to find it again
MOST_REFUSED = 3  # arguments that a refusal names: who sent more than that wrong begins anew anyway
_LONG_NUMBER = 64  # bits; to write a number of more in decimal takes time, and Python refuses it from 4,300 digits on


def _refused(sentence: str) -> PydanticCustomError:
    # The sentence is passed as a value: braces in it (it may quote the argument) are not placeholders.
    return PydanticCustomError("refused", "{sentence}", {"sentence": sentence})


def _echo(value: object) -> str:
    """An argument as it was sent, short."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return in_short(f'"{value}"')
    return in_short(_Beginning().repr(value))


class _Beginning(reprlib.Repr):
    """The beginning of a list or an object, however long or deep it is."""

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002 - the signature is the library's
        return str(x) if x.bit_length() <= _LONG_NUMBER else "a number of more than 19 digits"


def in_short(text: str) -> str:
    """What a client sent, to be shown back."""
    from liner_mcp.review.privacy import echoed  # see tools.py

    return echoed(text, ECHOED_CHARACTERS)


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
    items = separated(value)
    if not items:
        raise _refused("it is empty; name at least one call, for example [7000123].")
    if len(items) > MAX_CALL_IDS:
        raise _refused(
            f"it holds {len(items)} ids, and one call takes at most {MAX_CALL_IDS}. Send the first {MAX_CALL_IDS}, "
            "then the rest."
        )
    return [_id(item) for item in items]


def separated(value: object) -> list[object]:
    """A list from a list, from one thing, or from a text with commas or semicolons, in brackets or without."""
    if isinstance(value, str):
        parts = value.replace(";", ",").replace("[", "").replace("]", "").split(",")
        return [part for part in parts if part.strip()]
    return list(cast("Iterable[object]", value)) if isinstance(value, (list, tuple)) else [value]


def _between(low: int, high: int, default: int | None) -> BeforeValidator:
    def check(value: object) -> int | None:
        if value is None or value == "":  # some models fill in every argument there is
            return default
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


def listed(value: object) -> list[object]:
    """A list from a list, from one thing, or from ids with commas between; nothing for nothing."""
    if value is None or value == "":
        return []
    if isinstance(value, str) and all(part.strip().isdigit() for part in value.split(",")):
        return list[object](value.split(","))
    return list(cast("Iterable[object]", value)) if isinstance(value, (list, tuple)) else [value]


def _lead_ids(value: object) -> tuple[int, ...]:
    items = listed(value)
    if len(items) > MAX_NAMES:
        raise _refused(f"it holds {len(items)} ids; at most {MAX_NAMES} can be asked at once.")
    return tuple(_id(item) for item in items)


def _names(value: object) -> tuple[int | str, ...]:
    """Ids and names; all-digit text is an id."""
    found: list[int | str] = []
    items = listed(value)
    if len(items) > MAX_NAMES:
        raise _refused(f"it holds {len(items)} entries; at most {MAX_NAMES} can be asked at once.")
    for item in items:
        if isinstance(item, str) and item.strip() and not item.strip().isdigit():
            found.append(item.strip())
        else:
            number = id_of(item)
            if number is None:
                raise _refused(f"it takes ids (positive whole numbers) and names; {_echo(item)} is neither.")
            found.append(number)
    texts = [one for one in found if isinstance(one, str)]
    if len(texts) > MAX_TEXTS:
        raise _refused(f"it holds {len(texts)} names; at most {MAX_TEXTS} can be asked at once. Ids can be more.")
    for text in texts:
        _short(text)
    return tuple(found)


def _short(text: str) -> str:
    """A name or a query. Raises for a text that is longer than any."""
    if len(text) > MAX_TEXT:
        raise _refused(f"{_echo(text)} has {len(text)} characters; at most {MAX_TEXT} can be looked for.")
    return text


def _query(value: object) -> str | None:
    text = _when(value)
    return None if text is None else _short(text)


def _one_of(*known: str) -> BeforeValidator:
    def check(value: object) -> str | None:
        if value is None or value == "":
            return None
        word = value.strip().lower() if isinstance(value, str) else value
        if word not in known:
            raise _refused(f"it is one of {', '.join(known)}; {_echo(value)} is not.")
        return str(word)

    return BeforeValidator(check)


def _when(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _refused(f"it must be text; {_echo(value)} is not.")
    return value.strip() or None


def _flag(value: object) -> bool | None:
    if value is None or value == "":
        return None
    word = value.strip().lower() if isinstance(value, str) else value
    for flag, spellings in ((True, (True, "true", "yes", 1, "1")), (False, (False, "false", "no", 0, "0"))):
        if word in spellings:
            return flag
    raise _refused(f"it must be true or false; {_echo(value)} is neither.")


def _seconds(value: object) -> int | None:
    if value is None or value == "":
        return None
    number = _whole(value)
    if number is None or not 0 <= number <= MAX_SECONDS:
        raise _refused(f"it must be a whole number of seconds, 0 or more; {_echo(value)} is not.")
    return number


def _words(value: object) -> list[object]:
    """The words of a list, however it was sent; what is no text stays as it is, to be refused by its name."""
    parts = [part for one in listed(value) for part in (one.split(",") if isinstance(one, str) else [one])]
    return [part.strip() if isinstance(part, str) else part for part in parts]


def _include(value: object) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name in _words(value):
        if name not in INCLUDABLE:
            raise _refused(f"{_echo(name)} is no column to include; there are {', '.join(INCLUDABLE)}.")
        found[str(name)] = None
    return tuple(name for name in INCLUDABLE if name in found)


def _seed(value: object) -> str | None:
    """A seed as text: 7, 7.0 and "7" draw the same calls."""
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (int, float, str)) and not isinstance(value, bool) and _is_short_seed(value):
        return str(value).strip() or None
    raise _refused(f"it is a number or a short text, up to {MAX_SEED} characters; {_echo(value)} is not.")


def _is_short_seed(value: float | str) -> bool:
    # Python refuses to write a number of thousands of digits.
    return len(value.strip()) <= MAX_SEED if isinstance(value, str) else abs(value) < 10**MAX_SEED


def _group_by(value: object) -> tuple[str, ...]:
    if value is None or value == "":
        return ("agent",)
    found: list[str] = []
    for name in _words(value):
        if name not in GROUPINGS:
            raise _refused(f"calls cannot be grouped by {_echo(name)}; there are {', '.join(GROUPINGS)}.")
        found.append(str(name))
    if len(found) not in (1, 2) or len(set(found)) < len(found):
        raise _refused(f"it takes one or two different groupings of {', '.join(GROUPINGS)}.")
    return tuple(found)


def _optional_id(value: object) -> int | None:
    return None if value is None else _id(value)


def _enum(words: Iterable[str]) -> dict[str, Any]:
    # Several clients turn an enum without a type into an object, or into a parameter that takes anything.
    return {"type": "string", "enum": list(words)}


def _summary_chars(default: int) -> dict[str, Any]:
    told = f"Characters of each summary, default {default}; 0: only whether there is one"
    return {"type": "integer", "minimum": 0, "maximum": 4000, "description": told}


CallId = Annotated[int | None, BeforeValidator(_optional_id), WithJsonSchema({"type": "integer", "minimum": 1})]
RecordId = Annotated[int, BeforeValidator(_id), WithJsonSchema({"type": "integer", "minimum": 1})]
Start = Annotated[
    int,
    _between(0, MAX_ID, 0),
    WithJsonSchema({"type": "integer", "minimum": 0, "description": "summary.next_start"}),
]
CallIds = Annotated[
    list[int],
    BeforeValidator(_ids),
    WithJsonSchema(
        {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": MAX_CALL_IDS}
    ),
]
LeadIds = Annotated[
    tuple[int, ...],
    BeforeValidator(_lead_ids),
    WithJsonSchema({"type": "array", "items": {"type": "integer", "minimum": 1}}),
]
Names = Annotated[
    tuple[int | str, ...],
    BeforeValidator(_names),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]
When = Annotated[str | None, BeforeValidator(_when), WithJsonSchema({"type": "string"})]
Query = Annotated[str | None, BeforeValidator(_query), WithJsonSchema({"type": "string"})]
Flag = Annotated[bool | None, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
Seconds = Annotated[int | None, BeforeValidator(_seconds), WithJsonSchema({"type": "integer", "minimum": 0})]
Include = Annotated[
    tuple[str, ...],
    BeforeValidator(_include),
    WithJsonSchema({"type": "array", "items": _enum(INCLUDABLE), "description": "more columns"}),
]
Sample = Annotated[
    int | None, _between(1, MAX_SAMPLE, None), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 100})
]
Seed = Annotated[str | None, BeforeValidator(_seed), WithJsonSchema({"type": "string"})]
GroupBy = Annotated[
    tuple[str, ...],
    BeforeValidator(_group_by),
    WithJsonSchema(
        {
            "type": "array",
            "items": _enum(GROUPINGS),
            "minItems": 1,
            "maxItems": 2,
            "description": "one or two, default agent",
        }
    ),
]
Direction = Annotated[str | None, _one_of(*DIRECTIONS), WithJsonSchema(_enum(DIRECTIONS))]
HungUpBy = Annotated[str | None, _one_of(*HUNG_UP_BY), WithJsonSchema(_enum(HUNG_UP_BY))]
DirectoryKind = Annotated[
    Literal["orders", "agents", "agent_groups", "call_statuses", "lead_statuses"] | None,
    _one_of(*KINDS),
    WithJsonSchema(_enum(KINDS)),
]
CallsLimit = Annotated[
    int,
    _between(1, 200, 50),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 200, "description": "default 50"}),
]
RecordsLimit = Annotated[
    int,
    _between(1, 100, 25),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 100, "description": "default 25"}),
]
Cursor = Annotated[
    str | None, BeforeValidator(_cursor), WithJsonSchema({"type": "string", "description": "page.next_cursor"})
]
PreviewChars = Annotated[int, _between(0, 4000, 160), WithJsonSchema(_summary_chars(160))]
SummaryChars = Annotated[int, _between(0, 4000, 600), WithJsonSchema(_summary_chars(600))]


def unknown_arguments(tool: str, unknown: Iterable[str], known: Iterable[str]) -> str:
    """That `tool` has no such arguments, what may be meant, and which it takes."""
    names, wrong = list(known), list(unknown)
    sentences: list[str] = []
    for argument in wrong[:MOST_REFUSED]:
        near = difflib.get_close_matches(argument[:ECHOED_CHARACTERS], names, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        sentences.append(f"{tool} has no argument {_echo(argument)}.{hint}")
    if len(wrong) > MOST_REFUSED:
        sentences.append(f"{len(wrong) - MOST_REFUSED} more are unknown.")
    return " ".join([*sentences, f"It takes {', '.join(names)}."])


def refusal(error: ValidationError) -> str:
    """What was wrong with the arguments of a tool, one sentence for each, with the next step."""
    sentences: list[str] = []
    for row in error.errors(include_url=False, include_input=False):
        argument = str(row["loc"][0]) if row["loc"] else ""
        sentences.append(f"{argument} is missing." if row["type"] == "missing" else f"{argument}: {row['msg']}")
    told = list(dict.fromkeys(sentences))
    if len(told) > MOST_REFUSED:
        told[MOST_REFUSED:] = [f"{len(told) - MOST_REFUSED} more arguments cannot be used either."]
    return " ".join(told)
