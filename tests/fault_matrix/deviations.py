"""How Liner may deviate from its documentation without failing, for the fault matrix: fields, windows, pages, delays.

`DEVIATIONS` has the kinds, which are rows of `docs/reliability.md`; each kind has one case per field or form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from liner_mcp.demo import Dataset
from liner_mcp.demo.app import Response, Scope
from tests.claims.bends import (
    BENDS,
    CALL_DETAIL,
    ORDERS,
    RECORD_DETAIL,
    Middleware,
    combined,
)
from tests.fakes import FakeLiner
from tests.fakes.exchange import Request, Respond, json_data, page_of, success

CALL_FIELDS = (
    "talkTimeDurationSeconds", "waitTimeDurationSeconds", "hasRecords", "createdAt", "userId", "finishInitiator",
    "leadId", "orderId", "statusCode", "direction",
)  # fmt: skip
RECORD_FIELDS = ("isTransfer", "recordSummary", "leadId", "userId", "createdAt", "durationSeconds")


@dataclass(frozen=True, slots=True)
class Deviation:
    """`right`: answers are right and not only truthful. `stale`: the newest order is listed after a first question."""

    name: str
    respond: Middleware
    right: bool = False
    stale: bool = False


class DeviatingLiner(FakeLiner):
    """A fake Liner with a deviation. `advance` lists the newest order, where the deviation hides it."""

    def __init__(self, dataset: Dataset, deviation: Deviation) -> None:
        super().__init__(dataset)
        self._deviation = deviation
        self._advanced = False

    def advance(self) -> None:
        self._advanced = True

    def respond(self, scope: Scope) -> Response:
        request = Request.of(scope)

        def inner(asked: Request) -> Response:
            return super(DeviatingLiner, self).respond(asked.to_scope())

        return inner(request) if self._advanced else self._deviation.respond(request, inner, self.dataset)


def _detail_without(path: str, name: str) -> Middleware:
    def respond(request: Request, inner: Respond, _: Dataset) -> Response:
        response = inner(request)
        data: Any = json_data(response) if request.path.startswith(path) else None
        return response if data is None else success({key: data[key] for key in data if key != name})

    return respond


def _without_newest_order(request: Request, inner: Respond, dataset: Dataset) -> Response:
    response = inner(request)
    page = page_of(response) if request.path == ORDERS else None
    if page is None:
        return response
    newest = max(order.id for order in dataset.orders)
    return success({**page, "list": [row for row in page["list"] if row["id"] != newest], "total": page["total"] - 1})


def _bends(*names: str, right: bool = False) -> tuple[Deviation, ...]:
    return tuple(Deviation(name, BENDS[name].respond, right) for name in names)


def _details(what: str, path: str, *fields: str) -> tuple[Deviation, ...]:
    return tuple(Deviation(f"{what} without {name}", _detail_without(path, name)) for name in fields)


DEVIATIONS: Mapping[str, tuple[Deviation, ...]] = {
    "listed calls without a field": _bends(*(f"calls without {name}" for name in CALL_FIELDS)),
    "listed records without a field": _bends(*(f"records without {name}" for name in RECORD_FIELDS)),
    "a call's detail without a field": _details("a call's detail", CALL_DETAIL, *CALL_FIELDS),
    "a record's detail without a field": _details("a record's detail", RECORD_DETAIL, *RECORD_FIELDS, "fileUrl"),
    "a field in no answer": _bends("recordSummary nowhere", "hasRecords nowhere", "userId nowhere in calls"),
    "windows read in another zone": _bends("window read three hours later", "window read five hours earlier"),
    "bare arrays and short pages": (
        *_bends("bare arrays", "pages of 20", "pages of 50", right=True),
        Deviation("bare arrays in pages of 20", BENDS["pages of 20 + bare arrays"].respond, right=True),
        Deviation("pages of 20 without a total", combined(BENDS["pages of 20"], BENDS["no total"]).respond, right=True),
    ),
    "late recordings": _bends(
        "empty record lists", "record lists shorter than their total", "hasRecords nowhere + empty record lists"
    ),
    "a stale list of orders": (Deviation("a stale list of orders", _without_newest_order, right=True, stale=True),),
    "web pages for details": _bends("web page for details"),
    "agent groups without agents": _bends("agent groups without agentIds"),
}
