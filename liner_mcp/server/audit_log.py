"""Who asked for what and what came of it: one line per tool call and per resource read, without any content.

Ids are written down, because they say which recordings somebody looked at. Names, words and phone numbers are not: what
was asked as text is only counted. Without a reader (see json_logging.py) no line is made.
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

from liner_mcp.errors import DeadlinePassed, InvalidArgument, NotFound, RequestError, SetupError
from liner_mcp.json_logging import AUDIT
from liner_mcp.liner.request_metrics import Observer, Spent, spending
from liner_mcp.server.arguments import id_of, split, without_empty
from liner_mcp.server.caller import caller
from liner_mcp.server.log_redaction import OTHER, TOOLS, resource_of
from liner_mcp.server.request_info import NOTED_KEY, Noted

Kind = Literal["tool", "resource"]
Outcome = Literal["ok", "partial", "refused", "failed", "too late", "cancelled"]

MOST_IDS = 20  # of one argument: enough to find the call again; the count tells the rest
_LONGEST_ID = 10**9  # from ten digits on a number may be somebody's phone; Liner's ids have seven

_SINGLE = ("call_id", "record_id")
_SEVERAL = ("call_ids", "leads", "orders", "agents", "statuses")

_logger = logging.getLogger(AUDIT)


@dataclass(slots=True)
class Entry:
    """One call or read. `rows`, `complete` and `answer_bytes` are None until, and unless, there is an answer."""

    kind: Kind
    name: str
    caller: str | None
    request_id: str | None
    asked: dict[str, Any]
    spent: Spent
    outcome: Outcome | None = None
    error: str | None = None
    rows: int | None = None
    complete: bool | None = None
    answer_bytes: int | None = None
    seconds: float = 0.0
    wanted: bool = True

    def ended(self, error: BaseException) -> None:
        """Take note of why there is no answer; what is told first counts, for it is nearest to the reason."""
        if self.outcome is not None:
            return
        if isinstance(error, anyio.get_cancelled_exc_class()):
            self.outcome = "cancelled"
            return
        if isinstance(error, (TimeoutError, DeadlinePassed)):
            self.outcome, self.error = "too late", DeadlinePassed.__name__
        elif isinstance(error, ValidationError):
            self.outcome, self.error = "refused", InvalidArgument.__name__
        elif isinstance(error, ResourceNotFoundError):
            self.outcome, self.error = "refused", NotFound.__name__
        elif isinstance(error, (RequestError, SetupError)):
            self.outcome, self.error = "refused", type(error).__name__
        else:
            self.crashed(error)

    def crashed(self, error: BaseException) -> None:
        """Take note that there is no answer because something failed: Liner, the way to it, or we."""
        self.outcome, self.error = "failed", type(error).__name__

    def gave(self, structure: Mapping[str, Any] | None, answer_bytes: int) -> None:
        """Take note of an answer; `structure` is that of a table or of one record, if it has one."""
        self.answer_bytes = answer_bytes
        self.complete = True
        if structure is not None and "record" in structure:
            self.rows = 1
            self.complete = "next_start" not in structure.get("summary", {})
        elif structure is not None:
            self.rows = len(structure.get("rows", ()))
            self.complete = structure.get("page", {}).get("complete", True)
        self.outcome = "ok" if self.complete else "partial"

    def line(self) -> dict[str, Any]:
        """What is written."""
        return {
            "event": "audit",
            "request_id": self.request_id,
            "caller": self.caller,
            "kind": self.kind,
            "name": self.name,
            "asked": self.asked,
            "outcome": self.outcome,
            "error": self.error,
            "rows": self.rows,
            "complete": self.complete,
            "bytes": self.answer_bytes,
            "seconds": round(self.seconds, 3),
            "liner_requests": self.spent.requests,
            "liner_shared": self.spent.shared,
            "liner_kept": self.spent.kept,
        }


class Watcher(Observer, Protocol):
    """Who watches a server: the requests to Liner, and each call and read when it is over."""

    def over(self, entry: Entry) -> None:
        """A call or a read is over, with an answer or without one."""
        ...


@dataclass(slots=True)
class Audit:
    """Writes the lines. `watcher` sees every entry, whether lines are written or not."""

    watcher: Watcher | None = None

    def call(
        self, name: str, arguments: Mapping[str, Any], context: Context[Any, Any] | None
    ) -> AbstractContextManager[Entry]:
        """Around one tool call."""
        asked = asked_ids(arguments) if self._wanted else {}
        return self._watch("tool", name if name in TOOLS else OTHER, asked, context)

    def read(self, uri: str, context: Context[Any, Any] | None) -> AbstractContextManager[Entry]:
        """Around one read of a resource."""
        name, identified = resource_of(uri)
        asked = {} if identified is None else {"id": _shown_id(identified)}
        return self._watch("resource", name, asked, context)

    @property
    def _wanted(self) -> bool:
        """Whether anybody looks at entries."""
        return self.watcher is not None or _logger.isEnabledFor(logging.INFO)

    @contextmanager
    def _watch(
        self, kind: Kind, name: str, asked: dict[str, Any], context: Context[Any, Any] | None
    ) -> Generator[Entry]:
        who = caller()
        with spending() as spent:
            caller_name = who.name if who else None
            entry = Entry(kind, name, caller_name, _request_id(context), asked, spent, wanted=self._wanted)
            begun = time.perf_counter()
            try:
                yield entry
            except BaseException as error:
                entry.ended(error)
                raise
            finally:
                entry.seconds = time.perf_counter() - begun
                if _logger.isEnabledFor(logging.INFO):
                    _logger.info("audit", extra={"line": entry.line()})
                if self.watcher is not None:
                    self.watcher.over(entry)


def told_by_tool(entry: Entry, result: object) -> None:
    """Note the answer of a tool; a refusal has been noted where it was written."""
    if isinstance(result, CallToolResult) and entry.wanted and entry.outcome is None:
        size = sum(len(block.text.encode()) for block in result.content if isinstance(block, TextContent))
        entry.gave(result.structured_content, size)


def told_by_resource(entry: Entry, contents: object) -> None:
    """Note the answer of a resource. What says the same as a tool is read again, for only its text is left."""
    if not entry.wanted or not isinstance(contents, Iterable):
        return
    size = 0
    structure: dict[str, Any] | None = None
    for content in cast("Iterable[ReadResourceContents]", contents):
        body = content.content
        size += len(body.encode() if isinstance(body, str) else body)
        if content.mime_type == "application/json" and isinstance(body, str):
            structure = json.loads(body)
    entry.gave(structure, size)


def asked_ids(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The ids among the arguments of a tool, and how many there were of each that takes several.

    `{"agents": [101], "agents_count": 2}`: two were asked, one of them by its id.
    """
    asked: dict[str, Any] = {}
    sent = without_empty(arguments)
    for name in _SINGLE:
        if name in sent:
            asked[name] = _shown_id(sent[name])
    for name in _SEVERAL:
        if name in sent and (given := split(_unpacked(sent[name]), names=name != "call_ids")):
            shown = (_shown_id(one) for one in given)
            asked[name] = list(islice((one for one in shown if one is not None), MOST_IDS))
            asked[f"{name}_count"] = len(given)
    return asked


def _unpacked(value: object) -> object:
    """A list that came as a JSON text, as the tools understand it."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def _shown_id(value: object) -> int | None:
    number = id_of(value)
    return number if number is not None and number < _LONGEST_ID else None


def _request_id(context: Context[Any, Any] | None) -> str | None:
    request = None if context is None else context.request_context.request
    noted = None if request is None else request.scope.get(NOTED_KEY)
    return noted.request_id if isinstance(noted, Noted) else None
