"""What Liner's documentation leaves open: each field of `ApiVariant` is one question, with its possible answers.

A variant stands around the demo Liner. It changes the request on its way in and the answer on its way out. The defaults
are what the demo Liner does, which is the likelier answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from liner_mcp.demo.app import Response
from liner_mcp.demo.query import MAX_LIMIT
from tests.fakes.exchange import Request, Respond, json_data, page_of, refusal, success, with_any_order

if TYPE_CHECKING:
    from collections.abc import Collection

LastPage = Literal["null", "absent", "zero", "repeated", "past_end"]
"""What `next` is on the last page."""
RecordList = Literal["full", "short"]
"""Which published version of the record list: eight fields or five."""
DictionaryPaths = Literal["both", "singular", "plural"]
"""Which spelling of the dictionaries' addresses exists: that of the headings or that of the samples."""

CALLS, CALL_DETAIL, RECORDS = "/v2/call", "/v2/call/detail/", "/v2/call-record"
SINGULAR_OF_PLURAL = {"/v2/call-statuses": "/v2/call-status", "/v2/lead-statuses": "/v2/lead-status"}
SHORT_RECORD = ("id", "isTransfer", "durationSeconds", "fileUrl", "createdAt")

_MICROSECOND = timedelta(microseconds=1)


@dataclass(slots=True)
class ApiVariant:
    """One way for Liner to be. Fields may be changed between two requests."""

    last_page: LastPage = "null"
    record_list: RecordList = "full"
    dictionary_paths: DictionaryPaths = "singular"
    slashes: Literal["both", "redirect", "without"] = "both"
    """A path that ends in a slash is answered, redirects to the one without, or is unknown."""
    over_limit: Literal["clamped", "refused", "honoured"] = "clamped"
    """What becomes of a page larger than a hundred."""
    window_ends: Literal["inside", "start_outside", "end_outside"] = "inside"
    window_shift: timedelta = timedelta(0)
    """How much later than they are the times of a window are read, as in another zone."""
    amd: Literal["honoured", "ignored"] = "honoured"
    call_ids: Literal["optional", "required"] = "optional"
    """Whether records are listed without naming a call."""
    call_filter: Literal["required", "optional"] = "required"
    """Whether calls are listed without naming orders or leads."""
    unknown_id: Literal["not_found", "refused", "null"] = "not_found"
    """HTTP 404, HTTP 200 with `success` false, or an empty success."""
    numbers: Literal["numbers", "text"] = "numbers"
    longest_window: timedelta | None = None
    archived: Literal["none", "listed"] = "none"
    """Whether the second version lists an order that the first, of active ones, does not."""
    totals: bool = True
    """Whether lists say how many rows there are."""

    def respond(self, request: Request, inner: Respond, order_ids: Collection[int]) -> Response:
        """The answer of this variant. `inner` is the demo Liner, which has these orders."""
        if self == ApiVariant():
            return inner(request)
        asked = self._asked(request, order_ids)
        response = self._joined_pages(asked, inner) if self.over_limit == "honoured" else inner(asked)
        if response.status in (401, 405):  # the key and the method are checked before anything else
            return response
        return self._refused(request) or self._answered(request, response)

    def _asked(self, request: Request, order_ids: Collection[int]) -> Request:
        """What the demo Liner is asked so that its answer is that of this variant."""
        if self.dictionary_paths != "singular":
            request = replace(request, path=SINGULAR_OF_PLURAL.get(request.path, request.path))
        if self.amd == "ignored":
            request = request.without({"isAmd"})
        if request.path != CALLS:
            return request
        if self.call_filter == "optional" and not request.has("orderIds", "leadIds"):
            request = with_any_order(request, order_ids)
        return replace(request, params=tuple((name, self._moment(name, value)) for name, value in request.params))

    def _moment(self, name: str, value: str) -> str:
        """A bound of the window, moved so that a call exactly at it is outside, or as in another zone."""
        if name.startswith("createdAt") and self.window_shift:
            return (datetime.fromisoformat(value) + self.window_shift).isoformat()
        if name == "createdAt[0]" and self.window_ends == "start_outside":
            return (datetime.fromisoformat(value) + _MICROSECOND).isoformat()
        if name == "createdAt[1]" and self.window_ends == "end_outside":
            return (datetime.fromisoformat(value) - _MICROSECOND).isoformat()
        return value

    def _refused(self, request: Request) -> Response | None:
        """What only this variant refuses."""
        raw_path: str = request.scope["path"]
        if raw_path.endswith("/") and self.slashes == "redirect":
            query: bytes = request.scope.get("query_string", b"")
            there = request.path.encode() + (b"?" + query if query else b"")
            return Response(301, b"", "text/plain", headers=((b"location", there),))
        if raw_path.endswith("/") and self.slashes == "without":
            return refusal(404, "Route not found.")
        if self.dictionary_paths == "plural" and request.path in SINGULAR_OF_PLURAL.values():
            return refusal(404, "Route not found.")
        if self.over_limit == "refused" and request.limit > MAX_LIMIT:
            return refusal(422, f"The limit must not be greater than {MAX_LIMIT}.")
        if self.call_ids == "required" and request.path == RECORDS and not request.has("callId"):
            return refusal(422, "The callId field is required.")
        if self.longest_window is not None and request.path == CALLS and _window(request) > self.longest_window:
            return refusal(422, f"The window must not be longer than {self.longest_window.days} days.")
        return None

    def _answered(self, request: Request, response: Response) -> Response:
        if request.path.startswith(CALL_DETAIL):
            if response.status == 404 and self.unknown_id != "not_found":
                return success(None) if self.unknown_id == "null" else refusal(200, "Call not found.")
            data = json_data(response)
            return success(self._row(request, data)) if data is not None else response
        if self.archived == "listed" and request.path == "/v1/order/list" and response.status == 200:
            return success(json_data(response)[:-1])
        page = page_of(response)
        if page is None:
            return response
        page["list"] = [self._row(request, row) for row in page["list"]]
        if page["next"] is None:
            self._end(page, request)
        if not self.totals:
            page.pop("total", None)
        return success(page)

    def _end(self, page: dict[str, Any], request: Request) -> None:
        offset, limit = request.offset, request.limit
        following = offset + (limit if self.over_limit == "honoured" else min(limit, MAX_LIMIT))
        if self.last_page == "absent":
            del page["next"]
        else:
            page["next"] = {"null": None, "zero": 0, "repeated": offset, "past_end": following}[self.last_page]

    def _row(self, request: Request, row: dict[str, Any]) -> dict[str, Any]:
        if self.record_list == "short" and request.path == RECORDS:
            row = {name: row[name] for name in SHORT_RECORD}
        if self.numbers == "text":  # as some PHP back ends write whole numbers
            row = {name: str(value) if type(value) is int else value for name, value in row.items()}
        return row

    @staticmethod
    def _joined_pages(request: Request, inner: Respond) -> Response:
        """One page of any size, put together from pages of a hundred."""
        rows: list[Any] = []
        end = request.offset + request.limit
        for offset in range(request.offset, end, MAX_LIMIT):
            response = inner(request.setting(offset=offset, limit=min(MAX_LIMIT, end - offset)))
            page = page_of(response)
            if page is None:
                return response
            rows += page["list"]
            if page["next"] is None:
                break
        return success({**page, "list": rows})  # pyright: ignore[reportPossiblyUnboundVariable]


def _window(request: Request) -> timedelta:
    params = dict(request.params)
    if "createdAt[0]" not in params or "createdAt[1]" not in params:
        return timedelta(0)
    return datetime.fromisoformat(params["createdAt[1]"]) - datetime.fromisoformat(params["createdAt[0]"])
