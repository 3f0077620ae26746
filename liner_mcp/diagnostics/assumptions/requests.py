"""The requests of the probe. Each may use the answers before it. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from liner_mcp.diagnostics.raw_client import RawPage, RawResponse
from liner_mcp.liner import endpoints
from liner_mcp.liner.decoding import integer_of
from liner_mcp.liner.endpoints import PAGE_LIMIT, CallFilter, Query
from liner_mcp.liner.models import UtcDatetime

RECENT = timedelta(days=30)
SETTLED = timedelta(minutes=10)  # newer calls would change the lists between two requests
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
YEAR_DAYS = 366
ORDERS_NAMED = 50  # so many ids surely fit a request line
CALLS_TRIED = 2  # the records of one call may not be listed yet
FEW_RECORDS = 10  # enough to see whether they are listed, and with which fields; their summaries are long
UNKNOWN_ID = 2_147_483_647  # a valid id in every database, but not in use

_MOMENT: TypeAdapter[datetime | None] = TypeAdapter(UtcDatetime)


class Undecided(Exception):
    """There is no verdict, or a request cannot be sent. The message is the reason, as the end of a sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One request. `queries` builds it or raises Undecided. The next query is sent if one lists nothing."""

    queries: Callable[[Answers], list[Query]]
    follow_redirects: bool = True


class Answers:
    """The answers so far, and why requests have none. `until` is the end of all windows."""

    def __init__(self, now: datetime) -> None:
        self.until = (now.astimezone(UTC) - SETTLED).replace(microsecond=0)
        self.received: dict[Request, RawResponse] = {}  # with Liner's envelope, so surely sent by Liner
        self.unenveloped: dict[Request, RawResponse] = {}  # redirects, web pages and the like, perhaps of a gateway
        self.missing: dict[Request, str] = {}  # the reasons
        self.last_query: dict[Request, Query] = {}
        self.file: tuple[str, str] | None = None  # where the link of a recording leads, and the problem with it or ""

    def record(self, request: Request, answer: RawResponse) -> None:
        """Store an answer. It replaces an earlier one."""
        self.received.pop(request, None)
        self.unenveloped.pop(request, None)
        (self.received if answer.enveloped else self.unenveloped)[request] = answer

    def any_answer(self, request: Request) -> RawResponse | None:
        """The answer, perhaps of a gateway. A verdict on it needs another answer with the envelope."""
        return self.received.get(request) or self.unenveloped.get(request)

    def undecided(self, request: Request) -> Undecided:
        """The reason why this request gives no verdict."""
        answer = self.any_answer(request)
        if answer is None:
            return Undecided(self.missing.get(request, "it was not requested"))
        return Undecided(f"the answer was {answer}" + (" without a list" if answer.succeeded else ""))

    def answer(self, request: Request) -> RawResponse:
        """The answer with Liner's envelope. Raises: Undecided when there is none."""
        if request not in self.received:
            raise self.undecided(request)
        return self.received[request]

    def find_page(self, request: Request) -> RawPage | None:
        """The list in the answer, if there is one."""
        answer = self.received.get(request)
        return answer and answer.page

    def page(self, request: Request) -> RawPage:
        """The list in the answer. Raises: Undecided when there is none."""
        page = self.find_page(request)
        if page is None:
            raise self.undecided(request)
        return page

    def accepted(self, query: Query) -> Query:
        """The query with or without the slash at the end of its path, whichever this Liner answers."""
        first, bare = self.any_answer(ORDERS), self.any_answer(ORDERS_WITHOUT_SLASH)
        slash = first is None or first.status != 404 or bare is None or not bare.succeeded
        if first is not None and first.redirects:
            slash = urlsplit(first.redirects[-1]).path != endpoints.ORDERS.rstrip("/")
        return query if slash else Query(query.path.rstrip("/"), query.params)


def last_row(answers: Answers) -> tuple[Request, int]:
    """A list of two or more rows, and the offset of its last row. Raises: Undecided."""
    for request in (ORDERS, CALLS):  # with one row the offset would be zero, a value that `next` may have anyway
        page = answers.find_page(request)
        count = 0 if page is None or page.bare else len(page.rows) if page.total is None else page.total
        if count >= 2:
            return request, count - 1
    raise Undecided("no list of two or more was seen")


def boundary_call(answers: Answers) -> tuple[int, datetime, int | None]:
    """The id, the time and the order of a call at a whole second. Raises: Undecided."""
    page = answers.find_page(CALLS)
    if page is None or not page.rows:
        raise Undecided("no call was seen")
    for row in page.rows:
        call_id, moment = integer_of(row.get("id")), moment_of(row)
        if call_id is None or moment is None or moment.microsecond:
            continue
        if answers.until - RECENT < moment <= answers.until:
            return call_id, moment, integer_of(row.get("orderId"))
    raise Undecided("no call was made at a whole second")


def record_pages(answers: Answers) -> list[RawPage]:
    """The lists of records that are not empty; that of one call first."""
    return [page for page in map(answers.find_page, (RECORDS, RECORDS_OF_ALL)) if page is not None and page.rows]


def file_link(answers: Answers) -> str:
    """The link of a recording. Raises: Undecided."""
    for row in (row for page in record_pages(answers) for row in page.rows):
        if isinstance(link := row.get("fileUrl"), str) and link.strip():
            return link
    raise Undecided("no recording with a link was seen")


def moment_of(row: dict[str, object]) -> datetime | None:
    """When a row was created; None if that cannot be read."""
    try:
        return _MOMENT.validate_python(row.get("createdAt"))
    except ValidationError:
        return None


def _order_ids(answers: Answers) -> tuple[int, ...]:
    # The latest active orders are the most likely to have calls.
    for page in map(answers.find_page, (ACTIVE_ORDERS, ORDERS, ORDERS_WITHOUT_SLASH)):
        if page is not None and page.ids:
            return tuple(sorted(page.ids, reverse=True)[:ORDERS_NAMED])
    raise Undecided("no order could be read")


def _orders_without_slash(answers: Answers) -> list[Query]:
    first = answers.any_answer(ORDERS)
    if first is not None and first.redirects:
        raise Undecided("it was not requested")
    missing = first is not None and first.status == 404
    return [Query(endpoints.ORDERS.rstrip("/")).page(0, PAGE_LIMIT if missing else 1)]


def _calls(answers: Answers, window: timedelta, limit: int) -> list[Query]:
    filters = CallFilter(answers.until - window, answers.until, order_ids=_order_ids(answers))
    return [filters.query().page(0, limit)]


def _calls_over_limit(answers: Answers) -> list[Query]:
    answers.page(CALLS)
    return _again(answers, CALLS, limit=PAGE_LIMIT + 1)  # tests the limit, and the order of the same rows


def _at_boundary(answers: Answers, before: timedelta, length: timedelta) -> list[Query]:
    _, moment, order_id = boundary_call(answers)
    order_ids = _order_ids(answers) if order_id is None else (order_id,)
    return [CallFilter(moment - before, moment - before + length, order_ids).query().page(0, PAGE_LIMIT)]


def _records(answers: Answers) -> list[Query]:
    page = answers.find_page(CALLS)
    recorded: list[tuple[float, int]] = []
    for row in page.rows if page is not None else ():
        call_id, moment = integer_of(row.get("id")), moment_of(row)
        if call_id is not None and row.get("hasRecords") in (True, 1, "1", "true"):
            recorded.append((0.0 if moment is None else moment.timestamp(), call_id))
    if not recorded:
        raise Undecided("no recorded call was seen")
    # The records of the oldest calls are the most likely to be ready.
    oldest = [str(call_id) for _, call_id in sorted(recorded)[:CALLS_TRIED]]
    return [Query(endpoints.CALL_RECORDS, (("callId", call_id),)).page(0, PAGE_LIMIT) for call_id in oldest]


def first_record_id(answers: Answers) -> int | None:
    """The record whose detail is requested; None where none was listed."""
    return next((record_id for page in record_pages(answers) for record_id in page.ids), None)


def _record_detail(answers: Answers) -> list[Query]:
    record_id = first_record_id(answers)
    if record_id is None:
        raise Undecided("no record was seen")
    return [Query(endpoints.call_record_detail(record_id))]


def _answering_machines(answers: Answers) -> list[Query]:
    of_all = answers.find_page(RECORDS_OF_ALL)
    return _again(answers, RECORDS_OF_ALL if of_all and of_all.rows else RECORDS, 0, 1, ("isAmd", "1"))


def _again(
    answers: Answers, request: Request, offset: int = 0, limit: int = PAGE_LIMIT, *more: tuple[str, str]
) -> list[Query]:
    """The last query of a request for another page. Its last two parameters are offset and limit."""
    if request not in answers.last_query:
        raise answers.undecided(request)
    query = answers.last_query[request]
    return [Query(query.path, (*query.params[:-2], *more)).page(offset, limit)]


ORDERS = Request(lambda _: [Query(endpoints.ORDERS).page(0, PAGE_LIMIT)])
ORDERS_WITHOUT_SLASH = Request(_orders_without_slash, follow_redirects=False)
ACTIVE_ORDERS = Request(lambda _: [Query("/v1/order/list/")])  # /devs/api/order/list: active orders only, all at once
STATUSES_SINGULAR = Request(lambda _: [Query(endpoints.CALL_STATUSES[0])])
STATUSES_PLURAL = Request(lambda _: [Query(endpoints.CALL_STATUSES[1])])
CALLS = Request(lambda answers: _calls(answers, RECENT, PAGE_LIMIT))
CALLS_OVER_LIMIT = Request(_calls_over_limit)
LAST_PAGE = Request(lambda answers: _again(answers, *last_row(answers)))
# An hour long, so that the calls that come instead show by how many hours Liner reads the times of windows wrongly.
WINDOW_START = Request(lambda answers: _at_boundary(answers, timedelta(0), HOUR))
WINDOW_END = Request(lambda answers: _at_boundary(answers, SECOND, SECOND))
UNKNOWN_CALL = Request(lambda _: [Query(endpoints.call_detail(UNKNOWN_ID))])
CALLS_WITHOUT_IDS = Request(lambda answers: [CallFilter(answers.until - RECENT, answers.until).query().page(0, 1)])
RECORDS = Request(_records)
RECORDS_OF_ALL = Request(lambda _: [Query(endpoints.CALL_RECORDS).page(0, FEW_RECORDS)])
RECORD_DETAIL = Request(_record_detail)
ANSWERING_MACHINES = Request(_answering_machines)
FILE = Request(lambda _: [])  # downloaded with another client
LONG_WINDOW = Request(lambda answers: _calls(answers, timedelta(days=YEAR_DAYS), 1))

REQUESTS = (
    *(ORDERS, ORDERS_WITHOUT_SLASH, ACTIVE_ORDERS, STATUSES_SINGULAR, STATUSES_PLURAL, CALLS, CALLS_OVER_LIMIT),
    *(LAST_PAGE, WINDOW_START, WINDOW_END, UNKNOWN_CALL, CALLS_WITHOUT_IDS, RECORDS, RECORDS_OF_ALL, RECORD_DETAIL),
    *(ANSWERING_MACHINES, FILE, LONG_WINDOW),
)
"""In the order in which they are sent. The last one is the most expensive for Liner."""
