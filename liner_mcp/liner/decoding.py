"""Decodes Liner's answers: status, headers and body come in; data or an error goes out. No I/O.

Source: docs.linerapp.io, /devs/api/request-schema for the envelope.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cache
from types import GenericAlias
from typing import Any, Generic, NoReturn, TypeVar, cast

from pydantic import BaseModel, TypeAdapter, ValidationError

from liner_mcp.errors import (
    ConnectionClosed,
    InvalidResponse,
    LinerMcpError,
    LinerRejected,
    LinerUnavailable,
    NotFound,
    RateLimited,
    SetupError,
    WrongAddress,
)
from liner_mcp.liner.endpoints import PATHS_NAMING_AN_ID
from liner_mcp.liner.models import CallRecord
from liner_mcp.liner.refusals import CHECK_HOST, NO_JSON, WEB_PAGE, access_refused, nothing_at
from liner_mcp.text.clean import MOST_CHARACTERS, clean_beginning

M = TypeVar("M", bound=BaseModel)

MIXED_CALLS_REASON = "it lists recordings of other calls too, as if no call had been asked for"

MAX_QUOTED_CHARACTERS = (
    120  # of a message by Liner that is shown to people: enough for a sentence, too short for a page
)

NOT_FOUND_MESSAGE = "Liner knows nothing under this id."

TOKEN_FRAGMENT_CHARACTERS = 8  # of a token: fewer may occur in a sentence by chance, and are of no use

# Nine digits or more, which no id of Liner has and a phone or a card does; what stands before an @. Read on short text.
_CONTACT = re.compile(r"\+?\d(?:[^\w+]{0,3}\d){8,}|[^\s@]+(?=@)")

_INVISIBLE = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n\v\f"

_NO_LETTERS = re.compile(r"[\W\d_]+\Z")


@dataclass(frozen=True, slots=True)
class ListPage(Generic[M]):
    """One page of a list. `next` and `total` are None where Liner sent nothing usable."""

    items: tuple[M, ...]
    next: int | None
    total: int | None


def decode(status: int, body: bytes, retry_after: float | None, *, target: str = "", token: str = "") -> object:
    """The `data` of an answer, or the error that it is.

    `retry_after` is the wait in seconds that the answer's headers ask for, see `parse_retry_after`. `target` is what
    was asked: only where it names an id can a missing page be about that id. A message in which a part of `token` shows
    is not quoted: a refusal may repeat what it refuses.

    Raises: AccessRefused, NotFound, WrongAddress, RateLimited, LinerUnavailable, LinerRejected, InvalidResponse.
    """
    if (failed := status_error(status, retry_after, page=status >= 400 and _is_page(body))) is not None:
        raise failed
    envelope = _envelope(body)
    instead = envelope if isinstance(envelope, str) else None
    if status in (401, 403) or (status in (407, 451) and instead):
        raise access_refused(status, instead, _said(envelope, token) or "")
    if status in (404, 410):
        if instead is None and target.startswith(PATHS_NAMING_AN_ID):
            raise NotFound(NOT_FOUND_MESSAGE)
        raise nothing_at(target.partition("?")[0], status, instead, _said(envelope, token) or "")
    if isinstance(envelope, str):
        # A JSON object that breaks off is rather Liner's own, damaged on the way, than another program's answer.
        hint = "" if envelope == NO_JSON and first_visible_byte(body) == b"{" else f"; {CHECK_HOST}"
        _invalid_response(f"it is {envelope} (HTTP {status}){hint}")
    if status < 300 and envelope.get("success") in (True, 1, "1", "true"):
        if "data" not in envelope:
            _invalid_response("it holds no data")
        return envelope["data"]
    said = _said(envelope, token)
    if said is None:
        raise LinerRejected(f"Liner refused the request (HTTP {status}).")
    raise LinerRejected(f"Liner refused the request (HTTP {status})" + (f": {said}." if said else " without a reason."))


def status_error(
    status: int, retry_after: float | None, *, page: bool = False
) -> RateLimited | LinerUnavailable | None:
    """What an answer with this status says about Liner itself; None where it is about what was asked.

    `page`: the answer is a web page. Liner sends none, so a gateway in front of it may have answered.
    """
    who = "Liner, or a gateway in front of it," if page else "Liner"
    if status == 429:
        wait = "" if retry_after is None else f" It asks to wait {math.ceil(retry_after)} s before the next request."
        return RateLimited(f"{who} asks to slow down (HTTP 429).{wait} Ask again after that.", retry_after=retry_after)
    if status >= 500:
        then = "; if it stays so, look at the firewall or proxy on the way" if page else ""
        return LinerUnavailable(
            f"{who} failed to answer (HTTP {status}). Ask again in a minute{then}.", retry_after=retry_after
        )
    return None


def _envelope(body: bytes) -> dict[str, Any] | str:
    """The documented JSON object, or in words what came instead."""
    if not first_visible_byte(body):
        return "an empty body"
    try:
        envelope = json.loads(body, parse_constant=_reject_constant, parse_float=_parse_finite_float)
    except (ValueError, RecursionError):
        return WEB_PAGE if _is_page(body) else NO_JSON
    if not isinstance(envelope, dict) or "success" not in envelope:
        return "JSON that is not the documented envelope"
    return cast("dict[str, Any]", envelope)


def _reject_constant(name: str) -> NoReturn:
    # NaN and Infinity are not JSON, and a number that is not one would poison every sum after it.
    raise ValueError(name)


def _parse_finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _invalid_response(reason: str) -> NoReturn:
    # Without its cause, because a traceback would print it, and a ValidationError quotes what it could not read.
    raise InvalidResponse(f"Liner's answer could not be read: {reason}.") from None


def quote_message(message: object) -> str:
    """A message by Liner, cleaned, on one line, shortened and in quotation marks; empty when there is none.

    Long numbers and the names of e-mail addresses go: errors get into logs and tracebacks, which are not masked.
    """
    if not isinstance(message, str):
        return ""
    line = " ".join(clean_beginning(message).split())
    if not line:
        return ""
    shown = line if len(line) <= MAX_QUOTED_CHARACTERS else _truncate_message(line)
    shown = _CONTACT.sub(lambda contact: "***"[: len(contact[0])], shown)
    return f'"{shown.replace(chr(34), chr(39))}"'


def _truncate_message(line: str) -> str:
    """The beginning of a long message, ended before a word or a number that the cut would part.

    Phones and addresses are masked after this, and a part of one would not be recognised.
    """
    start = line[: MAX_QUOTED_CHARACTERS - 1]
    words, _, parted = start.rpartition(" ")
    if words or not parted.isalpha():
        start = _NO_LETTERS.sub("", words)
    return f"{start}…"


def contains_token(text: str, token: str) -> bool:
    """Whether a text holds the token, or a part of it long enough to matter."""
    escaped = token.replace('"', "'")  # as `quoted` writes it
    length = min(len(escaped), TOKEN_FRAGMENT_CHARACTERS)
    return bool(length) and any(escaped[i : i + length] in text for i in range(len(escaped) - length + 1))


def decode_one(data: object, model: type[M]) -> M:
    """One entity from `data`.

    Raises: InvalidResponse when a promised field is missing or a field has an unusable value.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        _invalid_field(error, model)


@cache
def _rows_adapter(model: type[M]) -> TypeAdapter[tuple[M, ...]]:
    rows: Any = GenericAlias(tuple, (model, ...))  # tuple[model, ...], of a model known only here
    return TypeAdapter(rows)


def _decode_rows(rows: list[object], model: type[M]) -> Generator[None, None, tuple[M, ...]]:
    """The rows of a page in one validation, as long readings have many pages; of long texts in several."""
    items: list[M] = []
    for batch in _batches(rows):
        if items:
            yield
        items += _validate_rows(batch, model)
    return tuple(items)


def _validate_rows(rows: list[object], model: type[M]) -> tuple[M, ...]:
    try:
        return _rows_adapter(model).validate_python(rows)
    except ValidationError as error:
        _invalid_field(error, model)


def _batches(rows: list[object]) -> Generator[list[object]]:
    """The rows in parts, each with the text of at most one long row beyond `MOST_CHARACTERS`."""
    start = characters = 0
    for index, row in enumerate(rows):
        characters += _text_length(row)
        if characters > MOST_CHARACTERS:
            yield rows[start : index + 1]
            start, characters = index + 1, 0
    if start < len(rows):
        yield rows[start:]


def _text_length(row: object) -> int:
    """The characters of a row's texts; models have texts in the row and in objects of it, and no deeper."""
    if not isinstance(row, dict):
        return 0
    length = 0
    for value in cast("dict[str, object]", row).values():
        if isinstance(value, str):
            length += len(value)
        elif isinstance(value, dict):
            inner = cast("dict[str, object]", value).values()
            length += sum(len(text) for text in inner if isinstance(text, str))
    return length


def _invalid_field(error: ValidationError, model: type[BaseModel]) -> NoReturn:
    """Name the first field that cannot be used, never its value; the place in a list says nothing to a reader."""
    row = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in row["loc"] if not isinstance(part, int)) or "data"
    _invalid_response(f"field {where[:60]} of a {model.__name__} has an unexpected value or is missing")


def decode_list(data: object, model: type[M]) -> ListPage[M]:
    """A page of a list: `{list, next, total}`, or the bare array that dictionaries send.

    Raises: InvalidResponse.
    """
    steps = decode_list_steps(data, model)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        page: ListPage[M] = end.value
        return page


def decode_list_steps(data: object, model: type[M]) -> Generator[None, None, ListPage[M]]:
    """The same in steps of bounded work; a page without long texts takes one."""
    if isinstance(data, list):
        rows = cast("list[object]", data)
        items = yield from _decode_rows(rows, model)
        return ListPage(items, next=None, total=len(rows))
    if isinstance(data, dict):
        page = cast("dict[str, object]", data)
        rows = page.get("list")
        if isinstance(rows, list):
            items = yield from _decode_rows(cast("list[object]", rows), model)
            return ListPage(items, next=_whole_number(page.get("next")), total=_whole_number(page.get("total")))
    _invalid_response("a list was expected")


def reject_mixed_calls(records: Sequence[CallRecord]) -> None:
    """Records do not say which call they belong to, but a call has one lead: of two, they are not of one call.

    Raises: InvalidResponse.
    """
    if len({record.lead_id for record in records} - {None}) > 1:
        _invalid_response(MIXED_CALLS_REASON)


def _whole_number(value: object) -> int | None:
    """A whole number >= 0, else None: what the last page sends here is undocumented."""
    number = integer_of(value)
    return number if number is not None and number >= 0 else None


def is_fatal(error: LinerMcpError) -> bool:
    """Whether asking for other ids would fail the same way, so that a whole run should end at once.

    After a close they would open the connections anew. A wrong address does not end it: a gateway may answer HTTP 404
    for a moment, and what was read before stays right.
    """
    return isinstance(error, (SetupError, ConnectionClosed)) and not isinstance(error, WrongAddress)


def _said(envelope: dict[str, Any] | str, token: str) -> str | None:
    """Liner's message, quoted; empty when there is none, None when it may not be shown because the token is in it."""
    said = "" if isinstance(envelope, str) else quote_message(envelope.get("message"))
    return None if said and contains_token(said, token) else said


def first_visible_byte(body: bytes) -> bytes:
    """The first byte of what an answer says, after white space and the byte order marks of UTF-8 and UTF-16."""
    return body.lstrip(_INVISIBLE)[:1]


def _is_page(body: bytes) -> bool:
    return first_visible_byte(body) == b"<"


def integer_of(value: object) -> int | None:
    """A whole number in any of its spellings (Liner may send text or 100.0), else None."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return int(value) if value == int(value) and abs(value) < 10**15 else None
