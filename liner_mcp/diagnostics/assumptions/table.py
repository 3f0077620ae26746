"""The assumptions of the code where Liner's documentation is silent. The table at the end has one row per assumption.

A row's `judge` reads the answers that it needs. It returns what was found, and if the assumption is wrong, also what a
user notices. It raises Undecided if the answers are not enough. docs/assumptions.md explains each row, and the
assumptions that the probe cannot test.

The report consists of these texts and may be published, so they hold no name, id, phone, summary or address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

from liner_mcp.diagnostics.assumptions import requests as sent
from liner_mcp.diagnostics.assumptions.requests import Answers, Request, Undecided
from liner_mcp.diagnostics.assumptions.values import fields_of, judge_values
from liner_mcp.diagnostics.raw_client import ABSENT
from liner_mcp.liner.decoding import integer_of
from liner_mcp.liner.endpoints import PAGE_LIMIT
from liner_mcp.liner.models import Call, CallRecord, Identified

Finding = str | tuple[str, str]

CLOCKS_AGREE_SECONDS = 60.0  # windows are minutes or hours long, and a recording takes longer to be listed
ROWS_IN_ORDER = 3  # two rows are always in one order or the other

_LIMIT_HEADER = re.compile(r"(x-)?rate-?limit(-(limit|remaining|reset|policy|used))?")


class Verdict(NamedTuple):
    """The result for one assumption. `text` says what a user notices, or why there is no verdict."""

    outcome: Literal["as assumed", "differs", "inconclusive"]
    found: str
    text: str


@dataclass(frozen=True, slots=True)
class Assumption:
    """One row of the table."""

    key: str
    assumed: str
    judge: Callable[[Answers], Finding]

    def verdict(self, answers: Answers) -> Verdict:
        """The verdict after these answers."""
        try:
            finding = self.judge(answers)
        except Undecided as reason:
            return Verdict("inconclusive", "-", str(reason))
        return Verdict("as assumed", finding, "") if isinstance(finding, str) else Verdict("differs", *finding)


def _trailing_slash(answers: Answers) -> Finding:
    first, bare = answers.any_answer(sent.ORDERS), answers.any_answer(sent.ORDERS_WITHOUT_SLASH)
    if first is None:
        raise answers.undecided(sent.ORDERS)
    other = "not requested" if bare is None else "answers" if bare.succeeded else str(bare)
    if first.unfollowed == "another host":
        return "with a slash: a redirect to another host", "nothing is read: the token is not sent there"
    if first.unfollowed:
        return "with a slash: redirects without end", "nothing is read"
    if first.succeeded and first.redirects:
        return f"with a slash: a redirect; without: {other}", "every request to Liner costs two"
    if first.succeeded:
        return f"with a slash: answers; without: {other}"
    if other == "answers":
        return f"with a slash: {first}; without: answers", "nothing is read"
    raise answers.undecided(sent.ORDERS)


def _clock(answers: Answers) -> Finding:
    measured = [found for answer in answers.received.values() if (found := answer.clock_ahead) is not None]
    if not measured:
        raise Undecided("no Date header was sent")
    seconds = min(measured, key=abs)  # a slow answer makes the difference look larger
    found = f"Liner's is {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"
    if abs(seconds) <= CLOCKS_AGREE_SECONDS:
        return "agrees within 2 s" if abs(seconds) <= 2 else found
    return found, "windows that end now, and values such as -1h, are off by as much; check this machine's clock"


def _rate_headers(answers: Answers) -> Finding:
    if not answers.received:
        raise Undecided("there was no answer in Liner's envelope")
    headers = {name: value for answer in answers.received.values() for name, value in answer.headers.items()}
    limits = {name: value for name, value in headers.items() if "ratelimit" in name.replace("-", "")}
    if not limits:
        return "Retry-After is sent" if "retry-after" in headers else "none sent"
    # Only headers that are surely limits are shown; another one may name a person.
    shown = [
        f"{name} {value}"[:60]
        for name, value in sorted(limits.items())
        if _LIMIT_HEADER.fullmatch(name) and re.fullmatch("[0-9]{1,6}", value)
    ]
    shown += [f"{len(limits) - len(shown)} others"] if len(shown) < len(limits) else []
    return ", ".join(shown[:4]), "these headers are not read: keep LINER_REQUESTS_PER_SECOND below the limit"


def _dictionary_paths(answers: Answers) -> Finding:
    singular, plural = answers.any_answer(sent.STATUSES_SINGULAR), answers.received.get(sent.STATUSES_PLURAL)
    if singular is None:
        raise answers.undecided(sent.STATUSES_SINGULAR)
    plural_exists = plural is not None and plural.succeeded
    if singular.succeeded:
        return "singular, and plural" if plural_exists else "singular"
    if singular.refused and plural_exists:
        return "plural only", "each dictionary costs one request more, once"
    if singular.enveloped and singular.refused and plural is not None and plural.refused:
        return "neither", "statuses have no names, and filters on them fail"
    raise answers.undecided(sent.STATUSES_PLURAL if singular.refused else sent.STATUSES_SINGULAR)


def _archived_orders(answers: Answers) -> Finding:
    every, active = answers.page(sent.ORDERS), answers.page(sent.ACTIVE_ORDERS)
    if every.total is None:
        raise Undecided("the list has no total")
    known = len(active.rows) if active.total is None else active.total
    if every.total == known:
        raise Undecided("there are as many orders as active orders: none is archived, or archived ones are not listed")
    if every.total > known:
        return "more orders are listed than the list of active ones has"
    return (
        "fewer orders are listed than the list of active ones has",
        "calls of the others are found by the id of the order",
    )


def _call_fields(answers: Answers) -> Finding:
    if not (rows := answers.page(sent.CALLS).rows):
        raise Undecided("no call was seen")
    if missing := _missing_fields(Call, rows):
        return f"missing: {missing}", "they stay empty, and filters on them find nothing"
    return f"all {len(fields_of(Call))} that are read"


def _times(answers: Answers) -> Finding:
    texts = [text for row in answers.page(sent.CALLS).rows if isinstance(text := row.get("createdAt"), str)]
    if not texts:
        raise Undecided("no call with a time was seen")
    if all(text.endswith(("Z", "+00:00")) for text in texts):
        return "UTC"
    if all(re.search(r"(Z|[+-]\d\d:?\d\d)$", text) for text in texts):
        return "with an offset"
    return "without a zone", "they are read as UTC"


def _call_order(answers: Answers) -> Finding:
    rows = answers.page(sent.CALLS).rows
    moments = [moment for row in rows if (moment := sent.moment_of(row)) is not None]
    if len(moments) < ROWS_IN_ORDER:
        raise Undecided("too few calls were seen")
    if moments == sorted(moments):
        return "oldest first, so far as seen"
    return "newest first, so far as seen" if moments == sorted(moments, reverse=True) else "not by time"


def _same_order_twice(answers: Answers) -> Finding:
    first, again = answers.page(sent.CALLS), answers.page(sent.CALLS_OVER_LIMIT)
    rows = min(len(first.rows), len(again.rows))
    if rows < ROWS_IN_ORDER:
        raise Undecided("too few calls were seen")
    if first.ids[:rows] == again.ids[:rows]:
        return "the same rows in the same order"
    if first.total != again.total:
        raise Undecided("the list changed meanwhile")
    return "another order at each request", "long lists are read twice, and may be reported as incomplete"


def _next_page(answers: Answers) -> Finding:
    for page in map(answers.find_page, (sent.CALLS, sent.ORDERS_WITHOUT_SLASH)):
        if page is None or not page.rows or page.total is None or page.total <= len(page.rows):
            continue
        following = integer_of(page.next)
        if following == len(page.rows):
            return "offset plus rows"
        if following is None or following <= 0:
            return _next_is(page.next, 0), "only the first page of a long list is read; answers say so"
        return "another offset than that of the next row", "rows between pages are missed; answers say so"
    raise Undecided("no list of more than one page was seen")


def _last_page(answers: Answers) -> Finding:
    page, offset = answers.page(sent.LAST_PAGE), sent.last_row(answers)[1]
    found = f"next is {_next_is(page.next, offset)}"
    if page.total is None and (integer_of(page.next) or 0) > offset:
        return f"{found}, and there is no total", "every list costs one more request, for an empty page"
    return found


def _next_is(following: object, offset: int) -> str:
    if following is ABSENT or following is None:
        return "null" if following is None else "absent"
    there = integer_of(following)
    if there is None or there == 0:
        return "no number" if there is None else "zero"
    return "repeated" if there == offset else "past the end" if there > offset else "back"


def _total(answers: Answers) -> Finding:
    page = answers.page(sent.LAST_PAGE)
    if page.total is None:
        return "none sent", "pages are read one after another, and answers have no total"
    if not page.rows:
        return "more than are listed", "answers say that they are incomplete"
    return "the count of all rows" if len(page.rows) == 1 else ("fewer than are listed", "rows are missed")


def _limit(answers: Answers) -> Finding:
    first, over, more = answers.page(sent.CALLS), answers.answer(sent.CALLS_OVER_LIMIT), PAGE_LIMIT + 1
    if first.total is not None and len(first.rows) < min(PAGE_LIMIT, first.total):
        return f"{len(first.rows)} rows where {PAGE_LIMIT} were asked for", "long lists cost more requests"
    if over.refused:
        return f"{more} refused ({over})"
    rows = len(answers.page(sent.CALLS_OVER_LIMIT).rows)
    if rows > PAGE_LIMIT:
        return f"{more} honoured", "long lists cost more requests than necessary"
    if (first.total or 0) <= PAGE_LIMIT:
        raise Undecided(f"{more} is not refused, but there are at most {PAGE_LIMIT} calls")
    return f"{more} clamped to {rows}"


def _at_boundary(answers: Answers, request: Request, otherwise: Finding) -> Finding:
    """Whether a window lists the call at its first or last second."""
    page = answers.page(request)
    if sent.boundary_call(answers)[0] in page.ids:
        return "inside"
    if (page.total or 0) > len(page.rows):
        raise Undecided("too many calls in one second")
    return otherwise


def _window_start(answers: Answers) -> Finding:
    moment = sent.boundary_call(answers)[1]
    times = [time for row in answers.page(sent.WINDOW_START).rows if (time := sent.moment_of(row)) is not None]
    hours = {(time - moment) // sent.HOUR for time in times if (time - moment) % sent.HOUR} or {0}
    if 0 not in hours:
        found = f"{abs(min(hours))} h too {'late' if min(hours) > 0 else 'early'}" if len(hours) == 1 else "ignored"
        return found, "calls are looked for in a wider window, and answers may be incomplete"
    outside = ("outside", "calls of the second in which a window begins are missed")
    return _at_boundary(answers, sent.WINDOW_START, outside)


def _long_window(answers: Answers) -> Finding:
    answer, month = answers.answer(sent.LONG_WINDOW), answers.received.get(sent.CALLS)
    if answer.refused and month is not None and month.succeeded:
        found = f"{sent.YEAR_DAYS} days are refused ({answer}, {answer.message_length})"
        return found, "requests for so long a window fail; use shorter ones"
    answers.page(sent.LONG_WINDOW)
    return f"{sent.YEAR_DAYS} days are accepted"


def _listed_without(answers: Answers, request: Request, name: str, listed: Finding) -> Finding:
    """Whether Liner lists anything without a parameter, which `name` describes."""
    if (answer := answers.answer(request)).refused:
        return f"refused without {name} ({answer})"
    return listed if answers.page(request).rows else f"an empty list without {name}"


def _calls_need_ids(answers: Answers) -> Finding:
    listed = ("calls are listed without ids", "order ids are sent anyway")
    return _listed_without(answers, sent.CALLS_WITHOUT_IDS, "ids", listed)


def _records_need_call(answers: Answers) -> Finding:
    return _listed_without(answers, sent.RECORDS_OF_ALL, "a call", "records are listed without a call too")


def _unknown_id(answers: Answers) -> Finding:
    other = answers.unenveloped.get(sent.UNKNOWN_CALL)
    # A 404 without envelope counts only if Liner answers other requests.
    if other is not None and other.status in (404, 410) and any(one.succeeded for one in answers.received.values()):
        found = str(other) if other.body == "json" else f"{other}, without Liner's envelope"
        return found, "unknown ids are reported as a wrong LINER_API_HOST"
    answer = answers.answer(sent.UNKNOWN_CALL)
    if answer.status in (401, 403, 429):
        raise answers.undecided(sent.UNKNOWN_CALL)
    if answer.status in (404, 410):
        return str(answer)
    if answer.data:
        raise Undecided("the id exists, or Liner sends data for unknown ids")
    found = "an empty success" if answer.succeeded else str(answer)
    return found, "unknown ids are reported as failed, not as not_found"


def _refusals(answers: Answers) -> Finding:
    requests = (sent.CALLS_WITHOUT_IDS, sent.UNKNOWN_CALL, sent.CALLS_OVER_LIMIT, sent.RECORDS_OF_ALL)
    # The message about a missing right or a failure may name a person, so such answers do not count.
    seen = [answer for answer in map(answers.received.get, requests) if answer is not None and answer.refused]
    if not seen:
        raise Undecided("nothing was refused")
    found = "; ".join(dict.fromkeys(f"{answer}, {answer.message_length}" for answer in seen))
    # A 404 needs no message.
    if all(isinstance(answer.envelope.get("message"), str) for answer in seen if answer.status != 404):
        return found
    return found, "errors do not show Liner's reason for a refusal"


def _record_list(answers: Answers) -> Finding:
    if not (pages := sent.record_pages(answers)):
        raise Undecided(answers.missing.get(sent.RECORDS, "no record was seen"))
    return _record_fields(pages[0].rows, "each record costs one more request, for its summary")


def _record_detail(answers: Answers) -> Finding:
    answer = answers.answer(sent.RECORD_DETAIL)
    if answer.status in (404, 410):
        return str(answer), "a listed record cannot be read by its id"
    if not isinstance(data := answer.data, dict):
        raise answers.undecided(sent.RECORD_DETAIL)
    record = cast("dict[str, object]", data)
    if integer_of(record.get("id")) != sent.first_record_id(answers):
        return "another id than the requested one", "a record's detail is never used"
    return _record_fields([record], "no summary is ever shown")


def _record_fields(rows: Iterable[dict[str, object]], without_summary: str) -> Finding:
    if missing := _missing_fields(CallRecord, rows):
        return f"missing: {missing}", without_summary if "recordSummary" in missing else "they stay empty"
    return f"all {len(fields_of(CallRecord))}"


def _is_amd(answers: Answers) -> Finding:
    if (answer := answers.answer(sent.ANSWERING_MACHINES)).refused:
        return f"refused ({answer})"
    amd, of_all = answers.page(sent.ANSWERING_MACHINES), answers.find_page(sent.RECORDS_OF_ALL)
    of_one_call = of_all is None or not of_all.rows
    every = answers.find_page(sent.RECORDS) if of_one_call else of_all
    if every is None or not every.total or amd.total is None:
        raise Undecided("no record was seen, or no total")
    if amd.total < every.total:
        return "honoured: fewer records with it than without"
    if of_one_call:
        raise Undecided("it lists all records of one call, which proves nothing")
    return "ignored: as many records with it as without"


def _file_link(answers: Answers) -> Finding:
    if (file := answers.file) is None:
        raise answers.undecided(sent.FILE)
    where, problem = file
    return (f"{where}, {problem}", "recordings cannot be read") if problem else f"{where}, opens, MPEG audio"


def _missing_fields(model: type[Identified], rows: Iterable[dict[str, object]]) -> str:
    return ", ".join(sorted(fields_of(model) - {name for row in rows for name in row}))


ASSUMPTIONS = (
    Assumption("trailing_slash", "a path with a slash at its end is answered", _trailing_slash),
    Assumption("clock", "Liner's clock agrees with ours within a minute", _clock),
    Assumption("rate_headers", "limits are announced by HTTP 429 and Retry-After only", _rate_headers),
    Assumption("values", "numbers may come as text, and all values can be read", judge_values),
    Assumption("dictionary_paths", "the singular exists", _dictionary_paths),
    Assumption("archived_orders", "archived orders are listed", _archived_orders),
    Assumption("call_fields", "listed calls have every field that is read", _call_fields),
    Assumption("times", "times have a zone", _times),
    Assumption("call_order", "no order is needed", _call_order),
    Assumption("same_order_twice", "a list that does not change keeps its order", _same_order_twice),
    Assumption("next_page", "next is the offset of the next row", _next_page),
    Assumption("last_page", "any next is fine if there is a total", _last_page),
    Assumption("total", "the count of all rows", _total),
    Assumption("limit", f"{PAGE_LIMIT} rows is the most", _limit),
    Assumption("window_start", "inside", _window_start),
    Assumption("window_end", "inside or outside", lambda answers: _at_boundary(answers, sent.WINDOW_END, "outside")),
    Assumption("long_window", "a window may be of any length", _long_window),
    Assumption("calls_need_ids", "calls are not listed without order or lead ids", _calls_need_ids),
    Assumption("unknown_id", "HTTP 404", _unknown_id),
    Assumption("refusals", "JSON with a message", _refusals),
    Assumption("record_fields", "listed records have all eight, the summary among them", _record_list),
    Assumption("record_detail", "a record's detail has all eight", _record_detail),
    Assumption("records_need_call", "either way: the requests always name a call", _records_need_call),
    Assumption("is_amd", "honoured or not: the parameter is never sent", _is_amd),
    Assumption("file_link", "opens without a token, over https, MPEG audio", _file_link),
)
