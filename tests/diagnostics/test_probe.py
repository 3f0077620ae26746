"""The probe against every way in which a Liner may behave: its verdicts, its restraint, its silence on persons."""

from __future__ import annotations

import copy
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liner_mcp import __version__
from liner_mcp.demo import Dataset
from liner_mcp.diagnostics.assumptions.table import ASSUMPTIONS
from liner_mcp.diagnostics.probe import MAX_REQUESTS, Probe, Report
from liner_mcp.errors import SettingsError
from liner_mcp.liner.endpoints import PAGE_LIMIT
from liner_mcp.settings import Settings
from tests.cli.test_cli import run
from tests.conftest import NOW
from tests.fakes import FakeLiner, LastPage
from tests.support.asgi_server import serve_app
from tests.support.context import AlteredLiner
from tests.support.sentences import assert_says, recorded

pytestmark = pytest.mark.anyio

HOST, TOKEN = "127.0.0.1:8123", "s3cr3t-t0ken"
Changed = dict[str, Callable[[Any], Any]]
KEYS = [one.key for one in ASSUMPTIONS]
DOCS = Path(__file__).parent.parent.parent / "docs"
SCHEMA: Any = json.loads((DOCS / "probe-report.schema.json").read_text(encoding="utf-8"))


class ProbeResult:
    """A probe that was run, and its report by key."""

    def __init__(self, probe: Probe, report: Report) -> None:
        self.report = report
        self.requests = probe.budget.used
        self.text = "\n".join(report.lines)
        self.document = report.document
        rows = [line.split(" | ") for line in report.lines if line.count(" | ") == 3]
        self.found = {row[0].strip(): row[1] for row in rows}
        self.outcome = {row[0].strip(): row[3] for row in rows}


async def run_probe(app: Any, *, transport: httpx.AsyncBaseTransport | None = None, **fields: Any) -> ProbeResult:
    configured: dict[str, Any] = {"api_host": f"http://{HOST}", "api_token": TOKEN, "requests_per_second": 0, **fields}
    probe = Probe(Settings(**configured), transport=transport or httpx.ASGITransport(app=app), now=lambda: NOW)
    await probe.run()
    return ProbeResult(probe, probe.report())


def demo(dataset: Dataset, **options: Any) -> FakeLiner:
    return FakeLiner(dataset, token=TOKEN, **options)


class HeaderAddingApp:
    """An application whose every answer carries further headers."""

    def __init__(self, app: Any, **headers: str) -> None:
        self.app = app
        self.headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self.headers]}
            await send(message)

        await self.app(scope, receive, with_headers)


def answering(answer: Callable[[httpx.Request], httpx.Response]) -> tuple[httpx.MockTransport, list[str]]:
    """A Liner of one function, and the paths that it was asked for."""
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return answer(request)

    return httpx.MockTransport(handler), asked


def assert_impersonal(found: ProbeResult, dataset: Dataset) -> None:
    """The report as text and as JSON is impersonal, and the JSON is as documented."""
    jsonschema.validate(found.document, SCHEMA)
    shown = copy.deepcopy(found.document)
    for answer in shown["answers"]:
        answer["milliseconds"] = 0
        answer.get("list", {}).update(total=0, next=0)
    for text in (found.text, json.dumps(shown, ensure_ascii=False)):
        assert_text_is_impersonal(text, dataset)


def assert_text_is_impersonal(text: str, dataset: Dataset) -> None:
    """No id, name, phone, title, summary, address or token of this dataset is in the text."""
    ids = {thing.id for thing in (*dataset.orders, *dataset.agents)} - {PAGE_LIMIT + 1}  # which is asked for
    assert not {int(number) for number in re.findall(r"\d+", text)} & ids
    names = {user.name for user in dataset.users} | {user.last_name for user in dataset.users}
    names |= {word for lead in dataset.leads.values() for word in lead.name.split() if len(word) > 2}
    names |= {order.title for order in dataset.orders} | {order.service_title for order in dataset.orders}
    names |= {order.code for order in dataset.orders} | {status.title for status in dataset.call_statuses}
    assert not [name for name in names if name and name in text]
    assert not re.search(r"[А-Яа-яЁё]", text)  # all summaries and most names
    assert not re.search(r"\d{5,}|\*\*\*", text)  # a phone; an id of a call, a record, a lead
    assert not re.search(r"://|127\.0|8123|\.mp3|/v[12]/", text)
    assert TOKEN not in text


# What it finds -------------------------------------------------------------------------------------------------------


async def test_a_liner_as_documented_is_as_assumed(dataset: Dataset) -> None:
    liner = demo(dataset)
    found = await run_probe(liner)
    assert found.report.exit_code == 0
    assert list(found.found) == KEYS
    untold = {key for key, outcome in found.outcome.items() if outcome != "as assumed"}
    assert untold == {"clock", "archived_orders"}  # no Date header, and no order is archived
    assert found.requests == len(liner.requests) == 18
    assert_says(found.report.lines[0], "liner_mcp_python_3", version=__version__, at_start=True)
    assert found.report.lines[0].endswith(", 2026-11-20")
    assert found.report.lines[-1] == recorded("23_as_assumed_0_differs_2")


VARIANTS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"last_page": "null"}, "last_page", "as assumed", "next is null"),
    ({"last_page": "absent"}, "last_page", "as assumed", "next is absent"),
    ({"last_page": "zero"}, "last_page", "as assumed", "next is zero"),
    ({"last_page": "repeated"}, "last_page", "as assumed", "next is repeated"),
    ({"last_page": "past_end"}, "last_page", "as assumed", "next is past the end"),
    ({"last_page": "past_end", "totals": False}, "last_page", "differs: every list costs one more", "no total"),
    ({"totals": False}, "last_page", "as assumed", "next is null"),
    ({"totals": False}, "total", "differs: pages are read one after another", "none sent"),
    ({"record_list": "full"}, "record_fields", "as assumed", "all 8"),
    ({"record_list": "short"}, "record_fields", "differs: each record costs", "missing: leadId, recordSummary"),
    ({"record_list": "short"}, "record_detail", "as assumed", "all 8"),
    ({"dictionary_paths": "singular"}, "dictionary_paths", "as assumed", "singular"),
    ({"dictionary_paths": "both"}, "dictionary_paths", "as assumed", "singular, and plural"),
    ({"dictionary_paths": "plural"}, "dictionary_paths", "differs: each dictionary costs one", "plural only"),
    ({"slashes": "both"}, "trailing_slash", "as assumed", "with a slash: answers; without: answers"),
    ({"slashes": "redirect"}, "trailing_slash", "differs: every request to Liner costs two", "a redirect"),
    ({"slashes": "without"}, "trailing_slash", "differs: nothing is read", "HTTP 404; without: answers"),
    ({"over_limit": "clamped"}, "limit", "as assumed", "101 clamped to 100"),
    ({"over_limit": "refused"}, "limit", "as assumed", "101 refused (HTTP 422)"),
    ({"over_limit": "honoured"}, "limit", "differs: long lists cost more", "101 honoured"),
    ({"window_ends": "inside"}, "window_start", "as assumed", "inside"),
    ({"window_ends": "inside"}, "window_end", "as assumed", "inside"),
    ({"window_ends": "start_outside"}, "window_start", "differs: calls of the second", "outside"),
    ({"window_ends": "start_outside"}, "window_end", "as assumed", "inside"),
    ({"window_ends": "end_outside"}, "window_start", "as assumed", "inside"),
    ({"window_ends": "end_outside"}, "window_end", "as assumed", "outside"),
    ({"window_shift": timedelta(hours=-3)}, "window_start", "differs: calls are looked for", "3 h too early"),
    ({"window_shift": timedelta(hours=2)}, "window_start", "differs: calls are looked for", "2 h too late"),
    ({"amd": "honoured"}, "is_amd", "as assumed", "honoured"),
    ({"amd": "ignored"}, "is_amd", "as assumed", "ignored"),
    ({"call_ids": "required", "amd": "ignored"}, "is_amd", "inconclusive: it lists all records of one call", "-"),
    ({"call_ids": "optional"}, "records_need_call", "as assumed", "records are listed without a call too"),
    ({"call_ids": "required"}, "records_need_call", "as assumed", "refused without a call (HTTP 422)"),
    ({"call_filter": "required"}, "calls_need_ids", "as assumed", "refused without ids (HTTP 422)"),
    ({"call_filter": "optional"}, "calls_need_ids", "differs: order ids are sent anyway", "listed without ids"),
    ({"unknown_id": "not_found"}, "unknown_id", "as assumed", "HTTP 404"),
    ({"unknown_id": "refused"}, "unknown_id", "differs: unknown ids are reported", "HTTP 200 with success false"),
    ({"unknown_id": "null"}, "unknown_id", "differs: unknown ids are reported", "an empty success"),
    ({"numbers": "text"}, "values", "as assumed", "as text: durationSeconds, id, leadId"),
    ({"longest_window": timedelta(days=31)}, "long_window", "differs: requests for so long", "366 days are refused"),
    ({"archived": "listed"}, "archived_orders", "as assumed", "more orders are listed"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "key", "outcome", "words"), VARIANTS)
async def test_each_way_of_liner_is_told_from_the_others(
    dataset: Dataset, options: dict[str, Any], key: str, outcome: str, words: str
) -> None:
    liner = demo(dataset, **options)
    found = await run_probe(liner)
    assert found.outcome[key].startswith(outcome)
    assert words in found.found[key]
    differing = any(text.startswith("differs") for text in found.outcome.values())
    assert found.report.exit_code == (3 if differing else 0)
    assert found.requests == len(liner.requests) <= MAX_REQUESTS
    assert_impersonal(found, dataset)


@pytest.mark.parametrize("last_page", ["null", "absent", "zero", "repeated", "past_end"])
async def test_a_strange_last_page_makes_nothing_else_differ(dataset: Dataset, last_page: LastPage) -> None:
    assert (await run_probe(demo(dataset, last_page=last_page))).report.exit_code == 0


@pytest.mark.parametrize("slashes", ["redirect", "without"])
async def test_the_form_of_paths_is_learnt_so_that_the_rest_can_be_asked(dataset: Dataset, slashes: Any) -> None:
    found = await run_probe(demo(dataset, slashes=slashes))
    told = {key for key, outcome in found.outcome.items() if not outcome.startswith("inconclusive")}
    assert told == set(KEYS) - {"clock", "archived_orders"}
    assert found.requests <= 19


CHANGES: list[tuple[Callable[[Any], Any], str, str]] = [
    (lambda data: {**data, "next": 7}, "next_page", "differs: rows between pages are missed"),
    (lambda data: {**data, "next": None}, "next_page", "differs: only the first page"),
    (lambda data: {**data, "list": data["list"][:50]}, "limit", "differs: long lists cost more requests"),
    (lambda data: {**data, "list": [{**row, "createdAt": row["createdAt"][:-1]} for row in data["list"]]},
     "times", "differs: they are read as UTC"),
    (lambda data: {**data, "list": [{"id": row["id"]} for row in data["list"]]}, "call_fields", "differs"),
    (lambda data: {**data, "list": [{**row, "userId": "many"} for row in data["list"]]}, "values", "differs"),
    (lambda data: {**data, "list": sorted(data["list"], key=lambda row: row["createdAt"])},
     "call_order", "as assumed"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "key", "outcome"), CHANGES)
async def test_calls_that_come_otherwise_are_noticed(
    dataset: Dataset, change: Callable[[Any], Any], key: str, outcome: str
) -> None:
    found = await run_probe(AlteredLiner(demo(dataset), change_by_pattern={r"^/v2/call/\?.*limit=100$": change}))
    assert found.outcome[key].startswith(outcome)
    assert_impersonal(found, dataset)


async def test_a_total_that_counts_too_much_is_noticed(dataset: Dataset) -> None:
    found = await run_probe(
        AlteredLiner(demo(dataset), change_by_pattern={"^/v2/order/": lambda data: {**data, "total": 9}})
    )
    assert found.found["total"] == recorded("more_than_are_listed")
    assert_says(found.outcome["total"], "differs_answers_say_that_they_are", at_start=True)


async def test_a_list_in_another_order_each_time_is_noticed(dataset: Dataset) -> None:
    turned: Changed = {"limit=101": lambda data: {**data, "list": data["list"][::-1]}}
    found = await run_probe(AlteredLiner(demo(dataset), change_by_pattern=turned))
    assert found.outcome["same_order_twice"].startswith("differs")


@pytest.mark.parametrize(("newest_first", "told"), [(False, "oldest first"), (True, "newest first")])
async def test_an_order_by_time_is_told(dataset: Dataset, newest_first: bool, told: str) -> None:
    def in_time(data: Any) -> Any:
        return {**data, "list": sorted(data["list"], key=lambda row: row["createdAt"], reverse=newest_first)}

    found = await run_probe(AlteredLiner(demo(dataset), change_by_pattern={r"^/v2/call/\?.*limit=100$": in_time}))
    assert found.found["call_order"] == recorded("so_far_as_seen", told=told)
    assert found.outcome["call_order"] == "as assumed"


async def test_a_call_whose_records_are_not_listed_yet_is_followed_by_another(dataset: Dataset) -> None:
    first: list[str] = []

    def empty_at_first(data: Any) -> Any:
        first.append("")
        return {"list": [], "next": None, "total": 0} if len(first) == 1 else data

    liner = demo(dataset, call_ids="required")
    found = await run_probe(AlteredLiner(liner, change_by_pattern={"callId=[0-9]+&offset": empty_at_first}))
    assert found.found["record_fields"] == "all 8"
    assert found.outcome["file_link"] == "as assumed"
    assert found.requests == 19


async def test_all_oddities_at_once_are_still_told_within_the_allowance(dataset: Dataset) -> None:
    odd = demo(
        dataset,
        record_list="short",
        dictionary_paths="plural",
        last_page="zero",
        slashes="redirect",
        over_limit="honoured",
        window_ends="start_outside",
        call_filter="optional",
        call_ids="required",
        unknown_id="null",
        numbers="text",
        longest_window=timedelta(days=31),
    )
    found = await run_probe(odd)
    differing = {key for key, outcome in found.outcome.items() if outcome.startswith("differs")}
    assert differing == {
        *("trailing_slash", "limit", "window_start", "calls_need_ids", "unknown_id", "long_window", "record_fields"),
        "dictionary_paths",
    }
    assert found.requests <= MAX_REQUESTS
    assert_says(found.report.lines[-1], "what_differs_is_worth_a_bug", at_start=True)
    assert_impersonal(found, dataset)


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize(
    ("body", "outcome", "found"),
    [
        (b'{"success":false,"message":"Not found"}', "as_assumed", "HTTP {}"),
        (b"", "differs_ids_that_liner_does_not", recorded("http_empty_without_liners_envelope")),
        (
            b"<h1>Not found</h1>",
            "differs_ids_that_liner_does_not",
            recorded("http_a_web_page_without_liners"),
        ),
        (b'{"detail":"Not found"}', "differs_ids_that_liner_does_not", recorded("http_without_liners_envelope")),
    ],
)
async def test_an_unknown_id_is_as_assumed_only_in_liners_envelope(
    dataset: Dataset, status: int, body: bytes, outcome: str, found: str
) -> None:
    liner = demo(dataset)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if not scope["path"].startswith("/v2/call/detail/"):
            await liner(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    judged = await run_probe(app)
    assert_says(judged.outcome["unknown_id"], outcome, at_start=True)
    assert judged.found["unknown_id"] == found.format(status)


async def test_a_listed_record_that_has_no_detail_or_that_of_another_record_is_a_difference(dataset: Dataset) -> None:
    path = "^/v2/call-record/detail"
    unknown = await run_probe(AlteredLiner(demo(dataset), status_by_pattern={path: 404}))
    assert unknown.outcome["record_detail"] == recorded("differs_a_listed_record_cannot_be_read")
    other: Changed = {path: lambda data: {**data, "id": data["id"] + 1}}
    found = await run_probe(AlteredLiner(demo(dataset), change_by_pattern=other))
    assert found.outcome["record_detail"] == recorded("differs_a_records_detail_is_never_used")


async def test_a_detail_without_summary_is_noticed(dataset: Dataset) -> None:
    bare: Changed = {"^/v2/call-record/detail": lambda data: {k: v for k, v in data.items() if k != "recordSummary"}}
    found = await run_probe(AlteredLiner(demo(dataset), change_by_pattern=bare))
    assert found.outcome["record_detail"] == recorded("differs_no_summary_is_ever_told")


@pytest.mark.parametrize(
    ("ahead", "told", "outcome"),
    [(0, "agrees_within_2_s", "as assumed"), (-40, "behind", "as assumed"), (600, "liners_is_600_s_ahead", "differs")],
)
async def test_the_clock_is_read_from_the_date_header(dataset: Dataset, ahead: float, told: str, outcome: str) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=ahead)
    found = await run_probe(HeaderAddingApp(demo(dataset), date=format_datetime(moment, usegmt=True)))
    assert_says(re.sub(r"\b(599|601)\b", "600", found.found["clock"]), told)
    assert found.outcome["clock"].startswith(outcome)


async def test_a_limit_that_is_announced_is_told_with_its_number_only(dataset: Dataset) -> None:
    found = await run_probe(HeaderAddingApp(demo(dataset), x_ratelimit_limit="60", x_ratelimit_scope="Ivan Petrov"))
    assert found.found["rate_headers"] == "x-ratelimit-limit 60, 1 others"
    assert_says(found.outcome["rate_headers"], "differs_they_are_not_read", at_start=True)


# Restraint -----------------------------------------------------------------------------------------------------------


async def test_it_sends_nothing_but_get_with_the_one_token(dataset: Dataset) -> None:
    seen: list[tuple[str, str | None]] = []

    class Watching(httpx.ASGITransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            seen.append((request.method, None if "/audio/" in request.url.path else request.headers["x-api-key"]))
            assert ("x-api-key" in request.headers) is ("/audio/" not in request.url.path)
            return await super().handle_async_request(request)

    await run_probe(None, transport=Watching(app=demo(dataset)))
    assert set(seen) == {("GET", TOKEN), ("GET", None)}
    assert sum(token is None for _, token in seen) == 1  # the file, which is none of the token's business


async def test_no_more_than_twenty_requests_are_made_whatever_redirects(dataset: Dataset) -> None:
    hops: dict[str, int] = {}

    class Winding(httpx.ASGITransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            target = str(request.url)
            hops["all"] = hops.get("all", 0) + 1
            if "hop=" not in target:
                return httpx.Response(307, headers={"location": f"{target}{'&' if '?' in target else '?'}hop=1"})
            return await super().handle_async_request(request)

    found = await run_probe(None, transport=Winding(app=demo(dataset)))
    assert hops["all"] == found.requests == MAX_REQUESTS == 20
    assert_says(found.text, "could_not_be_told_the_20")
    assert found.outcome["trailing_slash"].startswith("differs")


async def test_redirects_of_the_file_count_too(dataset: Dataset) -> None:
    def moving(request: httpx.Request) -> bool:
        return "/audio/" in request.url.path

    class Moving(httpx.ASGITransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if moving(request) and not request.url.query:
                return httpx.Response(302, headers={"location": f"http://{HOST}{request.url.path}?again"})
            return await super().handle_async_request(request)

    found = await run_probe(None, transport=Moving(app=demo(dataset)))
    assert found.requests == 19
    assert found.outcome["file_link"] == "as assumed"


async def test_a_refused_token_is_sent_once_only(dataset: Dataset) -> None:
    liner = FakeLiner(dataset, token="another")
    found = await run_probe(liner)
    assert found.report.exit_code == 1
    assert len(liner.requests) == 1
    assert_says(found.text, "ended_early_the_answer_was_http")
    assert_says(found.report.lines[-1], "run_liner_mcp_check")


async def test_a_token_without_rights_is_soon_left_alone(dataset: Dataset) -> None:
    liner = demo(dataset)
    found = await run_probe(AlteredLiner(liner, status_by_pattern={".": 403}))
    assert len(liner.requests) == 3
    assert found.report.exit_code == 1


async def test_asked_to_slow_down_it_stops(dataset: Dataset) -> None:
    liner = demo(dataset)
    found = await run_probe(AlteredLiner(liner, status_by_pattern={"call-status": 429}))
    assert len(liner.requests) == 4
    assert_says(found.text, "ended_early_the_answer_was_http_429")
    assert found.outcome["trailing_slash"] == "as assumed"
    assert found.outcome["limit"] == recorded("could_not_be_told_the_answer")
    assert found.report.exit_code == 1
    assert_says(found.report.lines[-1], "calls_could_not_be_listed", at_start=True)


async def test_a_liner_that_is_not_there_is_asked_once() -> None:
    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("", request=request)

    transport, asked = answering(gone)
    found = await run_probe(None, transport=transport)
    assert found.report.exit_code == 1
    assert len(asked) == found.requests == 1
    assert all(outcome.startswith(recorded("could_not_be_told")) for outcome in found.outcome.values())


async def test_a_network_that_breaks_twice_is_left(dataset: Dataset) -> None:
    class Breaking(httpx.ASGITransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if "call" in request.url.path:
                raise httpx.ReadTimeout("", request=request)
            return await super().handle_async_request(request)

    found = await run_probe(None, transport=Breaking(app=demo(dataset)))
    assert found.requests == 5
    assert_says(found.outcome["dictionary_paths"], "could_not_be_told_liner_did")


class Stalling(httpx.ASGITransport):
    """A Liner that never answers where `part` is in the target."""

    def __init__(self, app: Any, part: str) -> None:
        super().__init__(app=app)
        self.part = part

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.part in str(request.url):
            await anyio.Event().wait()
        return await super().handle_async_request(request)


async def test_a_probe_whose_time_is_over_says_so_and_claims_nothing(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liner_mcp.diagnostics.probe.PROBE_SECONDS", 0.05)
    found = await run_probe(None, transport=Stalling(demo(dataset), "/v2/order"))
    assert all(outcome.startswith(recorded("could_not_be_told")) for outcome in found.outcome.values())
    assert found.outcome["call_fields"] == found.outcome["file_link"] == recorded("could_not_be_told_it_was")
    assert_says(found.text, "1_requests_made_ended_early_the")
    assert found.report.exit_code == 1


async def test_a_file_that_never_begins_is_left_and_the_rest_is_asked(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liner_mcp.diagnostics.probe.FILE_SECONDS", 0.05)
    found = await run_probe(None, transport=Stalling(demo(dataset), "/audio/"))
    assert found.outcome["file_link"] == recorded("could_not_be_told_the_file")
    assert found.outcome["long_window"] == "as assumed"


# Failing steps -------------------------------------------------------------------------------------------------------


PARTS = ["v2/order", "v1/order", "call-status", "v2/call/", "call-record", "limit=101", "detail"]


@pytest.mark.parametrize("status", [403, 404, 422, 500, 502])
@pytest.mark.parametrize("part", PARTS)
async def test_one_failing_step_costs_only_its_own_lines(dataset: Dataset, part: str, status: int) -> None:
    found = await run_probe(AlteredLiner(demo(dataset), status_by_pattern={part: status}))
    assert list(found.found) == KEYS
    assert found.report.exit_code in ((1, 3) if part == "v2/call/" else (0, 3))
    assert len([outcome for outcome in found.outcome.values() if outcome == "as assumed"]) >= 9
    assert found.requests <= MAX_REQUESTS
    assert_impersonal(found, dataset)


async def test_web_pages_instead_of_json_tell_nothing() -> None:
    transport, asked = answering(lambda _: httpx.Response(200, html="<html>Иван, +7 900 123-45-67</html>"))
    found = await run_probe(None, transport=transport)
    assert found.report.exit_code == 1
    assert len(asked) <= MAX_REQUESTS
    assert_says(found.text, "the_answer_was_http_200_a")
    assert "900" not in found.text


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 405, 410, 422, 429, 500, 503])
@pytest.mark.parametrize("body", [b"<html>Not Found", b"", b"Forbidden", b'{"detail":"Not Found"}', b"[]"])
async def test_answers_without_liners_envelope_decide_no_row(status: int, body: bytes) -> None:
    headers = {
        "Date": "Fri, 20 Nov 2026 15:00:00 GMT",
        "X-RateLimit-Limit": "60",
        **({"Location": "https://a.example:port/"} if status == 302 else {}),
    }
    transport, asked = answering(lambda _: httpx.Response(status, content=body, headers=headers))
    found = await run_probe(None, transport=transport)
    decided = {key for key, outcome in found.outcome.items() if not outcome.startswith(recorded("could_not_be_told"))}
    # A redirect to another host is what the form of a path is about: nothing is read.
    assert decided == ({"trailing_slash"} if status == 302 else set())
    assert found.report.exit_code == 1
    assert len(asked) <= MAX_REQUESTS


async def test_an_empty_account_is_no_failure() -> None:
    empty: dict[str, Any] = {"success": True, "message": "", "data": {"list": [], "next": None, "total": 0}}
    transport, asked = answering(lambda _: httpx.Response(200, json=empty))
    found = await run_probe(None, transport=transport)
    assert found.report.exit_code == 0 or found.outcome["unknown_id"].startswith(recorded("could_not_be_told"))
    assert found.outcome["window_start"] == recorded("could_not_be_told_no_call")
    assert found.outcome["record_fields"] == recorded("could_not_be_told_no_recorded")
    assert len(asked) < 12


async def test_of_liners_words_only_their_length_is_told(dataset: Dataset) -> None:
    message = "Пользователь Иванов Иван (ivan собака mail точка ру, @ivan_petrov) не видит звонок 7000123"
    refusing = AlteredLiner(demo(dataset), change_by_pattern={"limit=101": lambda _: message})
    found = await run_probe(refusing)
    assert_says(found.found["refusals"], "a_message_of_characters_in_cyrillic", value=len(message))
    for secret in ("7000123", "ivan", "Иван", "собака"):
        assert secret not in found.text


@pytest.mark.parametrize("status", [403, 500])
async def test_words_beside_a_missing_right_or_a_failure_are_not_quoted(status: int) -> None:
    body = {"success": False, "message": "Ivan Petrov may not see this", "data": None}
    good: dict[str, Any] = {"success": True, "message": "", "data": {"list": [], "next": None, "total": 0}}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json=body) if "call" in request.url.path else httpx.Response(200, json=good)

    transport, _ = answering(answer)
    found = await run_probe(None, transport=transport)
    assert found.outcome["refusals"] == recorded("could_not_be_told_nothing_was")
    assert "Petrov" not in found.text


async def test_a_refusal_without_liners_envelope_is_not_counted(dataset: Dataset) -> None:
    found = await run_probe(AlteredLiner(demo(dataset), status_by_pattern={"limit=101": 422}))
    assert "422" not in found.found["limit"]
    assert found.outcome["limit"] == recorded("could_not_be_told_the_answer_was")


async def test_a_refusal_without_a_message_is_noticed() -> None:
    transport, _ = answering(lambda _: httpx.Response(422, json={"success": False}))
    found = await run_probe(None, transport=transport)
    assert found.found["refusals"] == recorded("http_422_no_message")
    assert found.outcome["refusals"] == recorded("differs_liners_reason_for_a_refusal")


async def test_a_message_that_holds_the_token_is_not_quoted(dataset: Dataset) -> None:
    found = await run_probe(
        AlteredLiner(demo(dataset), change_by_pattern={"limit=101": lambda _: f"bad key {TOKEN} here"})
    )
    assert "a message" in found.found["refusals"]
    assert "bad key" not in found.text


async def test_recordings_that_are_off_are_not_looked_at(dataset: Dataset) -> None:
    liner = demo(dataset)
    found = await run_probe(liner, audio="off")
    assert found.outcome["file_link"] == recorded("could_not_be_told_liner_audio")
    assert liner.count("/audio/") == 0


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("https://10.0.0.7/secret-name.mp3", "https_on_another_host_does_not"),
        ("ftp://files.example.com/secret-name.mp3", "another_scheme_on_another_host_does"),
        ("https://[broken/secret-name.mp3", "no_address_does_not_open"),
    ],
)
async def test_a_link_that_is_not_let_through_is_told_without_its_address(
    dataset: Dataset, link: str, told: str
) -> None:
    def linked(data: Any) -> Any:
        return {**data, "list": [{**row, "fileUrl": link} for row in data["list"]]}

    found = await run_probe(AlteredLiner(demo(dataset), change_by_pattern={r"^/v2/call-record/\?": linked}))
    assert_says(found.found["file_link"], told, at_start=True)
    assert found.outcome["file_link"] == recorded("differs_recordings_are_not_given_out")
    assert "secret-name" not in found.text
    assert "10.0.0.7" not in found.text
    assert_impersonal(found, dataset)


async def test_a_file_that_is_gone_or_no_audio_is_told(dataset: Dataset) -> None:
    found = await run_probe(AlteredLiner(demo(dataset), status_by_pattern={"^/audio/": 403}))
    assert_says(found.found["file_link"], "does_not_open_the_recordings_file")
    found = await run_probe(AlteredLiner(demo(dataset), status_by_pattern={"^/audio/": 200}))
    assert_says(found.found["file_link"], "opens_not_mpeg_audio", at_end=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["id", "list", "next", "total", "createdAt", "orderId", "hasRecords", "fileUrl", "x"]), inner, max_size=6),
    max_leaves=8,
)  # fmt: skip
ROWS = st.lists(
    st.dictionaries(st.sampled_from(["id", "createdAt", "orderId", "hasRecords", "fileUrl"]), JSON), max_size=4
)
DATA = JSON | st.fixed_dictionaries({"list": ROWS, "next": JSON, "total": JSON | st.integers(-1, 5)})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(st.tuples(st.sampled_from([200, 200, 200, 404, 422, 500]), st.booleans(), DATA), min_size=1))
async def test_no_answer_however_odd_breaks_it(answers: list[tuple[int, bool, Any]]) -> None:
    turn = iter(range(10_000))

    def odd(_: httpx.Request) -> httpx.Response:
        status, success, data = answers[next(turn) % len(answers)]
        # Not by the library, which would refuse numbers that are none.
        return httpx.Response(status, content=json.dumps({"success": success, "message": data, "data": data}))

    transport, asked = answering(odd)
    found = await run_probe(None, transport=transport)
    assert list(found.found) == KEYS
    assert len(asked) <= MAX_REQUESTS


# The command line ----------------------------------------------------------------------------------------------------


def test_check_probe_prints_the_report_and_ends_with_0() -> None:
    done = run("check", "--probe", "--demo")
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert_says(lines[0], "liner_mcp_python", version=__version__, at_start=True)
    assert [line.split(" |")[0].strip() for line in lines[1:-1]] == KEYS
    assert all(line.count(" | ") == 3 for line in lines[1:-1])
    assert re.search(r"\b18 requests made\.$", lines[-1])
    assert done.stderr == ""


def test_check_probe_ends_with_3_where_liner_differs(dataset: Dataset) -> None:
    with serve_app(demo(dataset, record_list="short")) as origin:
        done = run("check", "--probe", LINER_API_HOST=origin, LINER_API_TOKEN=TOKEN)
    assert done.returncode == 3
    assert_says(done.stdout, "differs_each_record_costs_one_more")
    assert origin.removeprefix("http://") not in done.stdout
    assert TOKEN not in done.stdout + done.stderr


def test_check_probe_without_settings_names_them_and_ends_with_1() -> None:
    done = run("check", "--probe")
    assert done.returncode == 1
    assert "LINER_API_HOST" in done.stderr
    assert done.stdout == ""


def test_check_probe_of_a_wrong_token_ends_with_1(dataset: Dataset) -> None:
    liner = demo(dataset)
    with serve_app(liner) as origin:
        done = run("check", "--probe", LINER_API_HOST=origin, LINER_API_TOKEN="wr0ng-t0ken")
    assert done.returncode == 1
    assert len(liner.requests) == 1
    assert "wr0ng-t0ken" not in done.stdout + done.stderr


def test_ctrl_c_prints_what_is_known_by_then(dataset: Dataset) -> None:
    reached = threading.Event()

    async def stalling(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and "limit=101" in scope["query_string"].decode():
            reached.set()
            await receive()  # the request's end
            await receive()  # the connection's
            return
        await demo_app(scope, receive, send)

    demo_app = demo(dataset)
    with serve_app(stalling) as origin:
        process = subprocess.Popen(
            [sys.executable, "-m", "liner_mcp", "check", "--probe"],
            env={**os.environ, "COLUMNS": "9999", "LINER_API_HOST": origin, "LINER_API_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        with process:
            assert reached.wait(60)
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr == ""
    assert "as assumed" in next(line for line in stdout.splitlines() if line.startswith("dictionary_paths"))
    for key in ("limit", "window_start", "file_link"):  # nothing is claimed of what was not looked at
        assert_says(next(line for line in stdout.splitlines() if line.startswith(key)), "it_was_not_asked", at_end=True)
    assert_says(stdout.rstrip(), "ended_early_interrupted", at_end=True)


def test_settings_that_cannot_be_read_are_told_at_once() -> None:
    with pytest.raises(SettingsError, match="LINER_API_HOST"):
        Probe(SettingsError("LINER_API_HOST cannot be used."))
