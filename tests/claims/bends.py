"""Deviations of a real, badly documented Liner. Each bend changes what Liner answers in one way; bends combine.

A bend stands around the demo Liner like a middleware: it gets a request and the Liner behind it, and answers. Some
change the data instead, or at a given moment. The registry at the end has all of them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from liner_mcp.demo import Dataset
from liner_mcp.demo.app import Response
from tests.claims import changes
from tests.fakes.exchange import Request, Respond, json_data, refusal, success, with_any_order

Middleware = Callable[[Request, Respond, Dataset], Response]
Moment = Literal["start", "after the first question", "after our first page", "after Liner's first page"]

CALLS, RECORDS, ORDERS = "/v2/call", "/v2/call-record", "/v2/order"
CALL_DETAIL, RECORD_DETAIL = "/v2/call/detail/", "/v2/call-record/detail/"
USERS, GROUPS = "/v2/user/list", "/v2/agent-group"
CALL_STATUSES, LEAD_STATUSES = "/v2/call-status", "/v2/lead-status"
WEB_PAGE = b"<html><head><title>404 Not Found</title></head><body>default backend</body></html>"
FEW, MANY_ROWS = 20, 100


def _as_it_is(request: Request, inner: Respond, _: Dataset) -> Response:
    return inner(request)


@dataclass(frozen=True, slots=True)
class Bend:
    """One deviation.

    `missing`: the fields that Liner leaves out or makes unreadable, in Liner's spelling; a record's begin with
    `record.`. `unlisted`: the directory that Liner lists as empty. `change`: what happens to the data, and `moment`
    when. `miscounts`: Liner's `total` is not the truth. `answerable`: an error in the place of an answer is a fault,
    because the rest can be read.
    """

    name: str
    respond: Middleware = _as_it_is
    missing: frozenset[str] = frozenset()
    unlisted: str = ""
    change: Callable[[Dataset], None] | None = None
    moment: Moment = "start"
    miscounts: bool = False
    answerable: bool = False


HEALTHY = Bend("healthy", answerable=True)

# Rows -----------------------------------------------------------------------------------------------------------------


def rows_of(data: Any) -> list[Any] | None:
    """The rows of a list's `data`, which is an envelope or a bare array; None where it is neither."""
    if isinstance(data, dict) and isinstance(data.get("list"), list):  # pyright: ignore[reportUnknownMemberType]
        return data["list"]  # pyright: ignore[reportUnknownVariableType]
    return data if isinstance(data, list) else None  # pyright: ignore[reportUnknownVariableType]


def _with_rows(path: str, change: Callable[[list[Any]], list[Any]]) -> Middleware:
    """The list at this path with other rows."""

    def respond(request: Request, inner: Respond, _: Dataset) -> Response:
        response = inner(request)
        return _changed_rows(response, change) if request.path == path else response

    return respond


def _changed_rows(response: Response, change: Callable[[list[Any]], Any]) -> Response:
    """The answer with other rows, in an envelope or bare as they came; itself where it has none."""
    data: Any = json_data(response)
    rows = rows_of(data)
    if rows is None:
        return response
    return success(change(rows) if isinstance(data, list) else {**data, "list": change(rows)})


def _without(path: str, name: str) -> Middleware:
    return _with_rows(path, lambda rows: [{key: row[key] for key in row if key != name} for row in rows])


def _with_null(path: str, name: str) -> Middleware:
    return _with_rows(path, lambda rows: [{**row, name: None} for row in rows])


def _without_call_field(name: str) -> Bend:
    return Bend(f"calls without {name}", _without(CALLS, name), frozenset({name}))


def _without_record_field(name: str) -> Bend:
    return Bend(f"records without {name}", _without(RECORDS, name), frozenset({f"record.{name}"}))


def _some_rows_odd(path: str, name: str, value: object) -> Middleware:
    """Every tenth row has a value that cannot be read."""
    return _with_rows(path, lambda rows: [row if row["id"] % 10 else {**row, name: value} for row in rows])


def _odd_call(what: str, name: str, value: object) -> Bend:
    return Bend(f"some calls with {what}", _some_rows_odd(CALLS, name, value), frozenset({name}), answerable=True)


def _odd_record(what: str, name: str, value: object) -> Bend:
    missing = frozenset({f"record.{name}"})
    return Bend(f"some records with {what}", _some_rows_odd(RECORDS, name, value), missing, answerable=True)


def _odd_entry(what: str, path: str, name: str, value: object, missing: frozenset[str] = frozenset()) -> Bend:
    change = _with_rows(path, lambda rows: [row if row["id"] % 3 else {**row, name: value} for row in rows])
    return Bend(f"some {what}", change, missing, answerable=True)


def _odd_detail(path: str, name: str, value: object) -> Middleware:
    """The details of every other entity have a value that cannot be read."""

    def respond(request: Request, inner: Respond, _: Dataset) -> Response:
        response = inner(request)
        data: dict[str, Any] | None = json_data(response) if request.path.startswith(path) else None
        return response if not data or data["id"] % 2 else success({**data, name: value})

    return respond


def _as_text(value: Any) -> Any:
    """Numbers and flags as the first version of the API has them."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, dict):
        return {name: _as_text(one) for name, one in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [_as_text(one) for one in value]  # pyright: ignore[reportUnknownVariableType]
    return str(value) if isinstance(value, int | float) else value


def numbers_as_text(request: Request, inner: Respond, _: Dataset) -> Response:
    response = inner(request)
    data: Any = json_data(response)
    return success(_as_text(data)) if response.status == 200 and data is not None else response


def _nowhere(lists: str, details: str, name: str) -> Middleware:
    """Neither the list nor the details have this field."""

    def respond(request: Request, inner: Respond, dataset: Dataset) -> Response:
        response = _without(lists, name)(request, inner, dataset)
        data: dict[str, Any] | None = json_data(response) if request.path.startswith(details) else None
        return response if data is None else success({key: data[key] for key in data if key != name})

    return respond


def records_of_five_fields(request: Request, inner: Respond, _: Dataset) -> Response:
    """The older version of the record list."""
    kept = ("id", "isTransfer", "durationSeconds", "fileUrl", "createdAt")
    response = inner(request)
    if request.path != RECORDS:
        return response
    return _changed_rows(response, lambda rows: [{name: row[name] for name in kept if name in row} for row in rows])


def empty_record_lists(request: Request, inner: Respond, _: Dataset) -> Response:
    """No record is listed, whatever a call's `hasRecords` says."""
    response = inner(request)
    if request.path != RECORDS or response.status != 200:
        return response
    return success({"list": [], "next": None, "total": 0})


def null_rows(rows: list[Any]) -> list[Any]:
    """A null stands where the first row should be."""
    return [None, *rows[1:]]


def repeated_rows(rows: list[Any]) -> list[Any]:
    """The first row of every page comes twice."""
    return [*rows, *rows[:1]]


def short_lists(path: str) -> Middleware:
    """The last row of each page is hidden, though `total` counts it."""
    return _with_rows(path, lambda rows: rows[:-1])


# Pages ----------------------------------------------------------------------------------------------------------------


def _envelope(request: Request, inner: Respond) -> dict[str, Any] | None:
    data = json_data(inner(request))
    return data if isinstance(data, dict) and "list" in data else None  # pyright: ignore[reportUnknownVariableType]


def bare_arrays(request: Request, inner: Respond, _: Dataset) -> Response:
    """Lists come without an envelope; `offset` and `limit` work."""
    page = _envelope(request, inner)
    return inner(request) if page is None else success(page["list"])


def _counting(total: Callable[[int, list[Any]], int | None]) -> Middleware:
    """Another `total`, made of the true one and the rows of the page; None leaves it out."""

    def respond(request: Request, inner: Respond, _: Dataset) -> Response:
        page = _envelope(request, inner)
        if page is None or "total" not in page:
            return inner(request)
        changed = {**page, "total": total(page["total"], page["list"])}
        return success({key: value for key, value in changed.items() if key != "total" or value is not None})

    return respond


def _clamped(rows: int, *, next_is_true: bool) -> Middleware:
    """A page holds no more than so many rows; `next` goes on behind them or behind the asked `limit`."""

    def respond(request: Request, inner: Respond, _: Dataset) -> Response:
        asked = min(request.limit, MANY_ROWS)
        page = _envelope(request.setting(limit=min(asked, rows)), inner)
        if page is None:
            return inner(request)
        following = request.offset + (min(asked, rows) if next_is_true else asked)
        return success({**page, "next": None if page["next"] is None else following})

    return respond


# What is asked --------------------------------------------------------------------------------------------------------


def _window_shifted(hours: int) -> Middleware:
    """Liner reads the times of the window in another zone; what it sends is in UTC."""

    def moved(name: str, value: str) -> str:
        if not name.startswith("createdAt"):
            return value
        return (datetime.fromisoformat(value) + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")

    def respond(request: Request, inner: Respond, _: Dataset) -> Response:
        if request.path != CALLS:
            return inner(request)
        pairs = tuple((name, moved(name, value)) for name, value in request.params)
        return inner(Request(request.scope, request.path, pairs))

    return respond


def _ignored(*names: str) -> Middleware:
    """Parameters of the call list that are not applied."""

    def respond(request: Request, inner: Respond, dataset: Dataset) -> Response:
        if request.path != CALLS:
            return inner(request)
        asked = request.without(names)
        required = ("orderIds", "leadIds")
        if request.has(*required) and not asked.has(*required):
            asked = with_any_order(asked, [order.id for order in dataset.orders])
        return inner(asked)

    return respond


def call_id_ignored(request: Request, inner: Respond, _: Dataset) -> Response:
    """The list of a call's records holds the records of all calls."""
    return inner(request.without({"callId"}) if request.path == RECORDS else request)


def records_of_the_lead(request: Request, inner: Respond, dataset: Dataset) -> Response:
    """The list of a call's records holds those of every call of its lead."""
    call = dataset.calls.get(request.number("callId", 0))
    if request.path != RECORDS or call is None:
        return inner(request)
    rows: list[Any] = []
    for other in dataset.calls.values():
        if other.lead_id == call.lead_id:
            for offset in range(0, len(dataset.records_of(other.id)), MANY_ROWS):
                page = _envelope(request.setting(callId=other.id, offset=offset, limit=MANY_ROWS), inner)
                rows += [] if page is None else page["list"]
    end = request.offset + min(request.limit, MANY_ROWS)
    following = end if end < len(rows) else None
    return success({"list": rows[request.offset : end], "next": following, "total": len(rows)})


# Dictionaries and paths -----------------------------------------------------------------------------------------------


def _refused_at(path: str, status: int, message: str) -> Middleware:
    def respond(request: Request, inner: Respond, _: Dataset) -> Response:
        return refusal(status, message) if request.path == path else inner(request)

    return respond


def some_records_failing(request: Request, inner: Respond, _: Dataset) -> Response:
    """The records of every fifth call cannot be listed."""
    failing = request.path == RECORDS and request.number("callId", 1) % 5 == 0
    return Response(500, b"{}") if failing else inner(request)


def some_records_forbidden(request: Request, inner: Respond, _: Dataset) -> Response:
    """The token may not see the records of every fifth call."""
    hidden = request.path == RECORDS and request.number("callId", 1) % 5 == 0
    return refusal(403, "Forbidden.") if hidden else inner(request)


def no_orders(request: Request, inner: Respond, _: Dataset) -> Response:
    return success({"list": [], "next": None, "total": 0}) if request.path == ORDERS else inner(request)


def web_page_everywhere(_: Request, __: Respond, ___: Dataset) -> Response:
    """Another host answers: every path is a web page with 404."""
    return Response(404, WEB_PAGE, "text/html")


def web_page_for_details(request: Request, inner: Respond, _: Dataset) -> Response:
    is_detail = "/detail/" in request.path
    return Response(404, WEB_PAGE, "text/html") if is_detail else inner(request)


def objects_for_lists(request: Request, inner: Respond, _: Dataset) -> Response:
    """PHP writes an array with a gap in its keys as an object."""
    return _changed_rows(inner(request), lambda rows: {str(number): row for number, row in enumerate(rows)})


# All ------------------------------------------------------------------------------------------------------------------

_CALL_FIELDS = (
    "talkTimeDurationSeconds", "waitTimeDurationSeconds", "hasRecords", "createdAt", "userId", "finishInitiator",
    "leadId", "orderId", "statusCode", "direction",
)  # fmt: skip
_RECORD_FIELDS = ("isTransfer", "recordSummary", "leadId", "userId", "createdAt", "durationSeconds")
_SUMMARY = frozenset({"record.recordSummary"})
_ALL = (
    *map(_without_call_field, _CALL_FIELDS),
    *map(_without_record_field, _RECORD_FIELDS),
    Bend("calls with hasRecords null", _with_null(CALLS, "hasRecords"), frozenset({"hasRecords"})),
    Bend(
        "calls with talkTimeDurationSeconds null",
        _with_null(CALLS, "talkTimeDurationSeconds"),
        frozenset({"talkTimeDurationSeconds"}),
    ),
    Bend("records with isTransfer null", _with_null(RECORDS, "isTransfer"), frozenset({"record.isTransfer"})),
    Bend("recordSummary nowhere", _nowhere(RECORDS, RECORD_DETAIL, "recordSummary"), _SUMMARY),
    Bend("hasRecords nowhere", _nowhere(CALLS, CALL_DETAIL, "hasRecords"), frozenset({"hasRecords"})),
    Bend("userId nowhere in calls", _nowhere(CALLS, CALL_DETAIL, "userId"), frozenset({"userId"})),
    _odd_call("an unreadable createdAt", "createdAt", "20.11.2026 12:00:00"),
    _odd_call("createdAt as an object", "createdAt", {"date": "2026-11-20 12:00:00.000000", "timezone": "UTC"}),
    _odd_call("createdAt of 1970", "createdAt", 5),
    _odd_call("hasRecords 2", "hasRecords", 2),
    _odd_call("a broken waitTime", "waitTimeDurationSeconds", "4.5"),
    _odd_call("an absurd talkTime", "talkTimeDurationSeconds", 10**12),
    _odd_call("a negative talkTime", "talkTimeDurationSeconds", -1),
    _odd_call("userId as an object", "userId", {"id": 101}),
    _odd_call("orderId as text", "orderId", "order"),
    _odd_call("leadId as text", "leadId", "lead"),
    _odd_call("statusCode as a list", "statusCode", ["qualified"]),
    _odd_call("direction as a list", "direction", []),
    _odd_call("finishInitiator true", "finishInitiator", True),
    Bend("some calls without a usable id", _some_rows_odd(CALLS, "id", None), answerable=True),
    _odd_record("isTransfer 2", "isTransfer", 2),
    _odd_record("an unreadable createdAt", "createdAt", "20.11.2026 12:00:00"),
    _odd_record("recordSummary as a list", "recordSummary", ["secret"]),
    _odd_record("an absurd duration", "durationSeconds", 10**12),
    _odd_record("userId as an object", "userId", {"id": 101}),
    _odd_record("leadId as text", "leadId", "lead"),
    Bend("some records without a usable id", _some_rows_odd(RECORDS, "id", "x"), answerable=True),
    Bend("null rows in record lists", _with_rows(RECORDS, null_rows), answerable=True),
    Bend(
        "odd details of calls",
        _odd_detail(CALL_DETAIL, "waitTimeDurationSeconds", "4.5"),
        frozenset({"waitTimeDurationSeconds"}),
        answerable=True,
    ),
    Bend(
        "odd details of records",
        _odd_detail(RECORD_DETAIL, "isTransfer", 2),
        frozenset({"record.isTransfer"}),
        answerable=True,
    ),
    _odd_entry("agents with an odd name", USERS, "name", ["Anna"]),
    _odd_entry("orders with an odd title", ORDERS, "title", {"ru": "secret"}),
    _odd_entry(
        "lead statuses with an odd category", LEAD_STATUSES, "category", ["qualified"], frozenset({"qualified"})
    ),
    _odd_entry(
        "call statuses with an odd leadStatusCode", CALL_STATUSES, "leadStatusCode", {}, frozenset({"qualified"})
    ),
    Bend("null rows in order lists", _with_rows(ORDERS, null_rows), answerable=True),
    Bend("null rows in user lists", _with_rows(USERS, null_rows), answerable=True),
    Bend("null rows in call statuses", _with_rows(CALL_STATUSES, null_rows), answerable=True),
    Bend("null rows in agent groups", _with_rows(GROUPS, null_rows), answerable=True),
    Bend("numbers as text", numbers_as_text, answerable=True),
    Bend("records of some calls failing", some_records_failing, answerable=True),
    Bend("empty record lists", empty_record_lists, miscounts=True),
    Bend("record lists shorter than their total", short_lists(RECORDS)),
    Bend("call lists shorter than their total", short_lists(CALLS)),
    Bend("order list shorter than its total", short_lists(ORDERS)),
    Bend("user list shorter than its total", short_lists(USERS)),
    Bend("agent groups shorter than their total", short_lists(GROUPS)),
    Bend("null rows in call lists", _with_rows(CALLS, null_rows), answerable=True),
    Bend("repeated rows", _with_rows(CALLS, repeated_rows)),
    Bend("records of five fields", records_of_five_fields),
    Bend("repeated records", _with_rows(RECORDS, repeated_rows)),
    Bend("bare arrays", bare_arrays, miscounts=True),
    Bend("no total", _counting(lambda _, __: None), miscounts=True, answerable=True),
    Bend("total too small", _counting(lambda total, _: total * 2 // 5), miscounts=True, answerable=True),
    Bend("total too large", _counting(lambda total, _: total * 3 // 2 + 1), miscounts=True),
    Bend("total of the page", _counting(lambda _, rows: len(rows)), miscounts=True),
    Bend("pages of 20", _clamped(20, next_is_true=True), answerable=True),
    Bend("pages of 50", _clamped(50, next_is_true=True), answerable=True),
    Bend("pages of 20, next beyond them", _clamped(20, next_is_true=False), answerable=True),
    Bend("window read three hours later", _window_shifted(3), miscounts=True),
    Bend("window read five hours earlier", _window_shifted(-5), miscounts=True),
    Bend("window ignored", _ignored("createdAt"), miscounts=True),
    Bend("agents ignored", _ignored("userIds"), miscounts=True),
    Bend("statuses ignored", _ignored("statusIds"), miscounts=True),
    Bend("orders ignored", _ignored("orderIds"), miscounts=True),
    Bend("leads ignored", _ignored("leadIds"), miscounts=True),
    Bend("callId ignored", call_id_ignored, miscounts=True),
    Bend("callId read as its lead", records_of_the_lead, miscounts=True),
    Bend("agent groups forbidden", _refused_at(GROUPS, 403, "Forbidden.")),
    Bend("agent groups unknown", _refused_at(GROUPS, 404, "Route not found.")),
    Bend("users forbidden", _refused_at(USERS, 403, "Forbidden.")),
    Bend("call statuses forbidden", _refused_at(CALL_STATUSES, 403, "Forbidden.")),
    Bend("records of some calls forbidden", some_records_forbidden, answerable=True),
    Bend("no orders listed", no_orders, unlisted="orders"),
    Bend("agent groups without agentIds", _without(GROUPS, "agentIds")),
    Bend("lead statuses without category", _without(LEAD_STATUSES, "category"), frozenset({"qualified"})),
    Bend("call statuses without leadStatusCode", _without(CALL_STATUSES, "leadStatusCode"), frozenset({"qualified"})),
    Bend("web page everywhere", web_page_everywhere),
    Bend("web page for details", web_page_for_details),
    Bend("objects for lists", objects_for_lists, answerable=True),
    Bend("new order after the order list was read", change=changes.add_order, moment="after the first question"),
    Bend("late call between our pages", change=changes.add_late_calls, moment="after our first page"),
    Bend("late call between Liner's pages", change=changes.add_late_calls, moment="after Liner's first page"),
    Bend("incoming calls before their leads", change=changes.add_calls_before_leads),
    Bend("transfer records of another lead", change=changes.move_transfer_records, answerable=True),
)
_SINGLE = {one.name: one for one in (HEALTHY, *_ALL)}
_COMBINED = (
    ("hasRecords nowhere", "empty record lists"),
    ("pages of 20, next beyond them", "no total"),
    ("pages of 20", "bare arrays"),
    ("repeated rows", "total too small"),
    ("callId read as its lead", "records without leadId"),
    ("window ignored", "no total"),
    ("agents ignored", "calls without userId"),
    ("no total", "record lists shorter than their total"),
)


def combined(first: Bend, second: Bend) -> Bend:
    """Both at once: the second stands around the first."""

    def respond(request: Request, inner: Respond, dataset: Dataset) -> Response:
        return second.respond(request, lambda asked: first.respond(asked, inner, dataset), dataset)

    changing = first if first.change is not None else second
    return Bend(
        f"{first.name} + {second.name}",
        respond,
        first.missing | second.missing,
        first.unlisted or second.unlisted,
        changing.change,
        changing.moment,
        first.miscounts or second.miscounts,
        first.answerable and second.answerable,
    )


BENDS: Mapping[str, Bend] = {
    **_SINGLE,
    **{one.name: one for one in (combined(_SINGLE[first], _SINGLE[second]) for first, second in _COMBINED)},
}
"""Every bend by name: one at a time, and some that are worse together."""
