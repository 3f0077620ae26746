"""Decodes Liner's answers into data or an error. No I/O.

Source: docs.linerapp.io, /devs/api/request-schema for the envelope.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Generator
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
from liner_mcp.liner.models import array_of
from liner_mcp.liner.refusals import (
    CHECK_HOST,
    NO_JSON,
    TOO_LONG,
    WEB_PAGE,
    access_refused,
    login_needed,
    nothing_at,
    request_too_long,
)
from liner_mcp.text.clean import MOST_CHARACTERS, clean_beginning
from liner_mcp.text.masking_steps import completed

M = TypeVar("M", bound=BaseModel)

MAX_QUOTED_CHARACTERS = 120  # of a message by Liner: enough for a sentence, too short for a web page

MOST_DECODED_AT_ONCE = 500_000  # bytes of a body: some tens of milliseconds. A longer one is decoded in a thread
# Commas of a body, in texts too. The parser holds the interpreter's lock for some tens of milliseconds for so many
# values. The largest page of calls has 2,000, and a list of 5,000 users 60,000.
MOST_COMMAS = 100_000
MOST_ROWS = 500  # of one step: a row that cannot be read takes 40 µs
MOST_PAGE_ROWS = 5_000  # a Liner that ignores `limit` may send a whole list; more rows would hold other requests

NOT_FOUND_MESSAGE = "Liner knows nothing under this id."

TOKEN_FRAGMENT_CHARACTERS = 8  # of a token: shorter parts can occur in a sentence by chance and reveal little

# Nine digits or more, as in a phone or a card but in no id of Liner; the name before an @. Used on short text only.
_CONTACT = re.compile(r"\+?\d(?:[^\w+]{0,3}\d){8,}|[^\s@]+(?=@)")

_INVISIBLE = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n\v\f"

# The words that web frameworks have for a path without a handler.
_PATH_UNKNOWN = re.compile(r"\b(?:route|endpoint)\b|\bcannot get /", re.IGNORECASE)

_NO_LETTERS = re.compile(r"[\W\d_]+\Z")


@dataclass(frozen=True, slots=True)
class ListPage(Generic[M]):
    """One page of a list. `next` and `total` are None if Liner sent no usable value. `unreadable`: the rows that were
    left out, because they are not objects or have no usable id.
    """

    items: tuple[M, ...]
    next: int | None
    total: int | None
    unreadable: int = 0

    @property
    def rows(self) -> int:
        """The rows that Liner sent: the next page begins after them."""
        return len(self.items) + self.unreadable


def decode(status: int, body: bytes, retry_after: float | None, *, target: str = "", token: str = "") -> object:
    """The `data` of an answer.

    `retry_after` is the wait in seconds from the headers, see `parse_retry_after`. `target` is the request: HTTP 404
    means NotFound only if it names an id. A message that holds a part of `token` is not quoted.

    Raises: AccessRefused, NotFound, WrongAddress, RateLimited, LinerUnavailable, LinerRejected, InvalidResponse.
    """
    if status == 511:
        raise login_needed()
    if (failed := status_error(status, retry_after, page=status >= 400 and _is_page(body))) is not None:
        raise failed
    envelope = _envelope(body)
    instead = envelope if isinstance(envelope, str) else None
    if status in (401, 403) or (status in (407, 451) and instead):
        raise access_refused(status, instead, _said(envelope, token) or "")
    if status in (404, 410):
        if instead is None and target.startswith(PATHS_NAMING_AN_ID) and not _is_about_path(envelope):
            raise NotFound(NOT_FOUND_MESSAGE)
        raise nothing_at(target.partition("?")[0], status, instead, _said(envelope, token) or "")
    if instead is not None and status in TOO_LONG:
        raise request_too_long(status)
    if isinstance(envelope, str):
        # A JSON object that breaks off is probably Liner's answer, damaged on the way.
        hint = "" if envelope == NO_JSON and first_visible_byte(body) == b"{" else f"; {CHECK_HOST}"
        hint += ", and which firewall or proxy answers there" if status >= 400 and envelope == WEB_PAGE else ""
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
    """The error for a status that is about Liner itself; None for a status that is about the request.

    `page`: the body is a web page, which Liner does not send. A gateway may have answered.
    """
    who = "Liner, or a gateway in front of it," if page else "Liner"
    if status == 429:
        wait = "" if retry_after is None else f" It asks to wait {math.ceil(retry_after)} s before the next request."
        return RateLimited(f"{who} asks to slow down (HTTP 429).{wait} Ask again after that.", retry_after=retry_after)
    if status >= 500:
        then = "; if this repeats, look at the firewall or proxy on the way" if page else ""
        return LinerUnavailable(
            f"{who} failed to answer (HTTP {status}). Ask again in a minute{then}.", retry_after=retry_after
        )
    return None


def _envelope(body: bytes) -> dict[str, Any] | str:
    """The documented JSON object, or a phrase for the body that came instead."""
    if not first_visible_byte(body):
        return "an empty body"
    if body.count(b",") > MOST_COMMAS:
        return f"JSON of more than {MOST_COMMAS} values"
    # The parser of a long body holds the interpreter's lock, except while it calls Python.
    hook = _object if len(body) > MOST_DECODED_AT_ONCE else None
    try:
        envelope = json.loads(body, parse_constant=_finite_float, parse_float=_finite_float, object_hook=hook)
    except (ValueError, RecursionError):
        return WEB_PAGE if _is_page(body) else NO_JSON
    if not isinstance(envelope, dict) or "success" not in envelope:
        return "JSON that is not the documented envelope"
    return cast("dict[str, Any]", envelope)


def _object(members: dict[str, Any]) -> dict[str, Any]:
    return members


def _finite_float(text: str) -> float:
    # NaN and Infinity are not JSON, and would spoil every sum.
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _invalid_response(reason: str) -> NoReturn:
    # Without the cause: a traceback would print it, and a ValidationError quotes the input.
    raise InvalidResponse(f"Liner's answer could not be read: {reason}.") from None


def quote_message(message: object) -> str:
    """A message by Liner, cleaned, on one line, shortened and in quotation marks; empty if there is none.

    Long numbers and the names in e-mail addresses are masked, because errors get into logs and tracebacks.
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
    """The beginning of a long message, without a word or number that the cut would split.

    Phones and addresses are masked after this, and a part of one would not be recognised.
    """
    start = line[: MAX_QUOTED_CHARACTERS - 1]
    words, _, last = start.rpartition(" ")
    if words or not last.isalpha():
        start = _NO_LETTERS.sub("", words)
    return f"{start}…"


def contains_token(text: str, token: str) -> bool:
    """Whether a text holds the token or a long part of it."""
    escaped = token.replace('"', "'")  # as in `quote_message`
    length = min(len(escaped), TOKEN_FRAGMENT_CHARACTERS)
    return bool(length) and any(escaped[i : i + length] in text for i in range(len(escaped) - length + 1))


def decode_one(data: object, model: type[M]) -> M:
    """One object. A field whose value cannot be used is left out, as if it had not been sent.

    Raises: InvalidResponse when the data is no object, or has no usable id.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = _without_fields(data, model, _fields_of(error))
        return _invalid_field(error, model) if found is None else found


@cache
def _rows_adapter(model: type[M]) -> TypeAdapter[tuple[M, ...]]:
    rows: Any = GenericAlias(tuple, (model, ...))  # tuple[model, ...]
    return TypeAdapter(rows)


def _decode_rows(rows: list[object], model: type[M]) -> Generator[None, None, tuple[M, ...]]:
    """The rows of a page: validated at once, which is fast, or in several steps if texts are long or rows many."""
    items: list[M] = []
    for number, batch in enumerate(_batches(rows)):
        if number:
            yield
        items += _validate_rows(batch, model)
    return tuple(items)


def _validate_rows(rows: list[object], model: type[M]) -> tuple[M, ...]:
    try:
        return _rows_adapter(model).validate_python(rows)
    except ValidationError:
        found = [_without_fields(row, model, unreadable_fields(row, model)) for row in rows]
        return tuple(row for row in found if row is not None)


def unreadable_fields(row: object, model: type[BaseModel]) -> frozenset[str]:
    """The fields of a row whose values cannot be used, in Liner's spelling; `data` if the row is no object."""
    try:
        model.model_validate(row)
    except ValidationError as error:
        return _fields_of(error)
    return frozenset()


def _without_fields(row: object, model: type[M], unreadable: frozenset[str]) -> M | None:
    """The row without these fields; None where nothing can be read without them."""
    if not isinstance(row, dict):
        return None
    fields = cast("dict[str, object]", row)
    try:
        return model.model_validate({name: value for name, value in fields.items() if name not in unreadable})
    except ValidationError:  # the id is one of them
        return None


def _fields_of(error: ValidationError) -> frozenset[str]:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    return frozenset(str(detail["loc"][0]) if detail["loc"] else "data" for detail in details)


def _batches(rows: list[object]) -> Generator[list[object]]:
    """The rows in batches. A batch ends with `MOST_ROWS`, or with the row that brings it above `MOST_CHARACTERS`."""
    start = characters = 0
    for index, row in enumerate(rows):
        characters += _text_length(row)
        if characters > MOST_CHARACTERS or index - start + 1 == MOST_ROWS:
            yield rows[start : index + 1]
            start, characters = index + 1, 0
    if start < len(rows):
        yield rows[start:]


def _text_length(row: object) -> int:
    """The characters of a row's texts. Models have texts in the row and one level below."""
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
    """Name the first field that cannot be used. Its value and its position in a list are left out."""
    row = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in row["loc"] if not isinstance(part, int)) or "data"
    _invalid_response(f"field {where[:60]} of a {model.__name__} has an unexpected value or is missing")


def decode_list(data: object, model: type[M]) -> ListPage[M]:
    """A page of a list: `{list, next, total}`, or the bare array that dictionaries send.

    Rows without a usable id are left out and counted. Raises: InvalidResponse when there is no list.
    """
    return completed(decode_list_steps(data, model))


def decode_list_steps(data: object, model: type[M]) -> Generator[None, None, ListPage[M]]:
    """`decode_list` in steps of bounded work. A page without long texts takes one step."""
    bare = array_of(data)
    fields = cast("dict[str, object]", data) if isinstance(data, dict) else {}
    page: dict[str, object] = fields if bare is None else {"list": data}
    total = _whole_number(page.get("total"))
    # An empty list as an object, which PHP writes, or as null.
    empty = total == 0 and "list" in page and page["list"] in ({}, None)
    rows = [] if empty else array_of(page.get("list"))
    if rows is None:
        _invalid_response("a list was expected")
    if len(rows) > MOST_PAGE_ROWS:
        _invalid_response(f"a page of a list has more than {MOST_PAGE_ROWS} rows")
    items = yield from _decode_rows(rows, model)
    following = None if bare is not None else _whole_number(page.get("next"))
    return ListPage(items, following, total, unreadable=len(rows) - len(items))


def _whole_number(value: object) -> int | None:
    """A whole number >= 0, else None: the value on the last page is undocumented."""
    number = integer_of(value)
    return number if number is not None and number >= 0 else None


def is_fatal(error: LinerMcpError) -> bool:
    """Whether requests for other ids would fail the same way, so that all of them should end.

    After ConnectionClosed they would open new connections. WrongAddress is not fatal: a gateway may answer HTTP 404
    for a short time, and the answers before it stay valid.
    """
    return isinstance(error, (SetupError, ConnectionClosed)) and not isinstance(error, WrongAddress)


def _is_about_path(envelope: dict[str, Any] | str) -> bool:
    """Whether a refusal is a router's, which knows no such path: it says nothing about the id in the path."""
    message = "" if isinstance(envelope, str) else envelope.get("message")
    return isinstance(message, str) and _PATH_UNKNOWN.search(message[:MAX_QUOTED_CHARACTERS]) is not None


def _said(envelope: dict[str, Any] | str, token: str) -> str | None:
    """Liner's message, quoted; empty if there is none; None if it holds the token."""
    said = "" if isinstance(envelope, str) else quote_message(envelope.get("message"))
    return None if said and contains_token(said, token) else said


def first_visible_byte(body: bytes) -> bytes:
    """The first byte of a body after white space and byte order marks of UTF-8 and UTF-16."""
    return body.lstrip(_INVISIBLE)[:1]


def _is_page(body: bytes) -> bool:
    return first_visible_byte(body) == b"<"


def integer_of(value: object) -> int | None:
    """A whole number, also as text or as 100.0, which Liner may send; else None."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # The bounds come first: NaN is within none, and a longer number may have thousands of digits.
    return int(value) if -(10**15) < value < 10**15 and value == int(value) else None
