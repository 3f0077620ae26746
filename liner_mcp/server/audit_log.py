"""The audit log: one line per tool call and per resource read, with the caller, the arguments and the outcome.

A line holds no content. Ids are logged, because they show which recordings a caller has read. Names, words and phone
numbers are not logged: arguments that are text are only counted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, Protocol, cast

import anyio
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.types import CallToolResult, TextContent
from pydantic import ValidationError

from liner_mcp.argument_types import parse_id, split
from liner_mcp.errors import DeadlineExceeded, InvalidArgument, NotFound, RequestError, SetupError
from liner_mcp.input_limits import MAX_NAMES, MAX_QUOTES
from liner_mcp.json_logging import AUDIT_LOGGER
from liner_mcp.liner.request_metrics import RequestCounts, RequestObserver, count_requests
from liner_mcp.server.arguments import without_empty
from liner_mcp.server.caller import caller
from liner_mcp.server.log_redaction import OTHER, TOOLS, known_resource, redacted_caller
from liner_mcp.server.request_info import REQUEST_INFO_KEY, RequestInfo

Kind = Literal["tool", "resource"]
Outcome = Literal["ok", "partial", "refused", "failed", "timeout", "cancelled"]

MAX_IDS = 20  # of one argument, which also has a count: enough to recognise the call
_MAX_ID = 10**9  # a number of ten digits or more may be a phone; Liner's ids have seven

_SINGLE = ("call_id", "record_id")
_SEVERAL = ("call_ids", "leads", "orders", "agents", "statuses")

_logger = logging.getLogger(AUDIT_LOGGER)


@dataclass(slots=True)
class AuditEntry:
    """One call or read. `rows`, `complete` and `answer_bytes` are None if there is no answer."""

    kind: Kind
    name: str
    caller: str | None
    request_id: str | None
    arguments: dict[str, Any]
    counts: RequestCounts
    outcome: Outcome | None = None
    error: str | None = None
    rows: int | None = None
    complete: bool | None = None
    answer_bytes: int | None = None
    seconds: float = 0.0

    def record_error(self, error: BaseException) -> None:
        """Record why there is no answer. Only the first record counts, because it is closest to the cause."""
        if self.outcome is not None:
            return
        if isinstance(error, anyio.get_cancelled_exc_class()):
            self.outcome = "cancelled"
            return
        if isinstance(error, (TimeoutError, DeadlineExceeded)):
            self.outcome, self.error = "timeout", DeadlineExceeded.__name__
        elif isinstance(error, ValidationError):
            self.outcome, self.error = "refused", InvalidArgument.__name__
        elif isinstance(error, ResourceNotFoundError):
            self.outcome, self.error = "refused", NotFound.__name__
        elif isinstance(error, (RequestError, SetupError)):
            self.outcome, self.error = "refused", type(error).__name__
        else:
            self.record_failure(error)

    def record_failure(self, error: BaseException) -> None:
        """Record a failure of Liner, of the network or of this server."""
        self.outcome, self.error = "failed", type(error).__name__

    def record_answer(self, structure: Mapping[str, Any] | None, answer_bytes: int) -> None:
        """Record an answer. `structure` is that of a table or of one record, if the answer has one."""
        self.answer_bytes = answer_bytes
        self.complete = True
        if structure is not None and "record" in structure:
            self.rows = 1
            self.complete = "next_start" not in structure.get("summary", {})
        elif structure is not None:
            self.rows = len(structure.get("rows", ()))
            self.complete = structure.get("page", {}).get("complete", "next_start" not in structure)
        self.outcome = "ok" if self.complete else "partial"

    def to_log_line(self) -> dict[str, Any]:
        return {
            "event": "audit",
            "request_id": self.request_id,
            "caller": self.caller,
            "kind": self.kind,
            "name": self.name,
            "arguments": self.arguments,
            "outcome": self.outcome,
            "error": self.error,
            "rows": self.rows,
            "complete": self.complete,
            "bytes": self.answer_bytes,
            "seconds": round(self.seconds, 3),
            "liner_requests": self.counts.requests,
            "liner_deduplicated": self.counts.deduplicated,
            "liner_cache_hits": self.counts.cache_hits,
        }


class ServerObserver(RequestObserver, Protocol):
    """Observes a server: its requests to Liner, and each call and read at its end."""

    def on_end(self, entry: AuditEntry) -> None:
        """Called at the end of a call or a read, with an answer or without one."""
        ...


@dataclass(slots=True)
class AuditLog:
    """Writes the lines. `observer` gets every entry, even if no lines are written."""

    observer: ServerObserver | None = None

    def call(
        self, name: str, arguments: Mapping[str, Any], context: Context[Any, Any] | None
    ) -> AbstractContextManager[AuditEntry]:
        """A context manager around one tool call."""
        return self._record("tool", name if name in TOOLS else OTHER, logged_arguments(arguments), context)

    def read(self, uri: str, context: Context[Any, Any] | None) -> AbstractContextManager[AuditEntry]:
        """A context manager around one read of a resource."""
        name, identified = known_resource(uri)
        logged = {} if identified is None else {"id": _loggable_id(identified)}
        return self._record("resource", name, logged, context)

    @contextmanager
    def _record(
        self, kind: Kind, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None
    ) -> Generator[AuditEntry]:
        who = caller()
        with count_requests() as counts:
            entry = AuditEntry(kind, name, who and redacted_caller(who.name), _request_id(context), arguments, counts)
            begun = time.perf_counter()
            try:
                yield entry
            except BaseException as error:
                entry.record_error(error)
                raise
            finally:
                entry.seconds = time.perf_counter() - begun
                if _logger.isEnabledFor(logging.INFO):
                    _logger.info("audit", extra={"line": entry.to_log_line()})
                if self.observer is not None:
                    self.observer.on_end(entry)


def record_tool_result(entry: AuditEntry, result: object) -> None:
    """Record the answer of a tool, unless an error was recorded before."""
    if isinstance(result, CallToolResult) and entry.outcome is None:
        size = sum(len(block.text.encode()) for block in result.content if isinstance(block, TextContent))
        structure: dict[str, Any] = result.structured_content or {}
        size += len(structure.get("base64", ""))  # a piece of a recording is not in the text
        entry.record_answer(result.structured_content, size)


def record_resource_contents(entry: AuditEntry, contents: object) -> None:
    """Record the contents of a resource. JSON is parsed again, because the SDK passes only the text on."""
    if not isinstance(contents, Iterable):
        return
    size = 0
    structure: dict[str, Any] | None = None
    for content in cast("Iterable[ReadResourceContents]", contents):
        body = content.content
        size += len(body.encode() if isinstance(body, str) else body)
        if content.mime_type == "application/json" and isinstance(body, str):
            structure = json.loads(body)
    entry.record_answer(structure, size)


def logged_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The ids among the arguments of a tool, and the number of values of each argument that takes several.

    `{"agents": [101], "agents_count": 2}`: two agents were given, one of them by its id.
    """
    logged: dict[str, Any] = {}
    sent = without_empty(arguments)
    for name in _SINGLE:
        if name in sent:
            logged[name] = _loggable_id(sent[name])
    for name in _SEVERAL:
        if name in sent and (given := split(_parse_json_list(sent[name]), names=name != "call_ids")):
            loggable = (_loggable_id(one) for one in given[:MAX_NAMES])  # a tool accepts no more
            logged[name] = list(islice((one for one in loggable if one is not None), MAX_IDS))
            logged[f"{name}_count"] = len(given)
    if quotes := _entries(sent.get("quotes")):
        ids = (_loggable_id(one["record_id"]) for one in quotes[:MAX_QUOTES] if "record_id" in one)
        logged["record_ids"] = [one for one in dict.fromkeys(ids) if one is not None][:MAX_IDS]
        logged["quotes_count"] = len(quotes)
    return logged


def _entries(value: object) -> list[dict[str, Any]]:
    """The objects of a list of objects, or of one of them."""
    parsed = _parse_json_list(value)
    entries = cast("list[object]", parsed) if isinstance(parsed, list) else [parsed]
    return [cast("dict[str, Any]", one) for one in entries if isinstance(one, dict)]


def _parse_json_list(value: object) -> object:
    """A list that was sent as JSON text; the tools accept it too."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def _loggable_id(value: object) -> int | None:
    number = parse_id(value)
    return number if number is not None and number < _MAX_ID else None


def _request_id(context: Context[Any, Any] | None) -> str | None:
    request = None if context is None else context.request_context.request
    info = None if request is None else request.scope.get(REQUEST_INFO_KEY)
    return info.request_id if isinstance(info, RequestInfo) else None
