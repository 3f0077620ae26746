"""Liner's rules without I/O: what an answer means, how long to wait, where a redirect may lead."""

from __future__ import annotations

import json
import math
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from socket import gaierror

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.errors import (
    AccessRefused,
    InvalidArgument,
    InvalidResponse,
    LinerMcpError,
    LinerRejected,
    LinerUnavailable,
    NotFound,
    RateLimited,
    SettingsError,
    Unreachable,
    WrongAddress,
)
from liner_mcp.liner import endpoints
from liner_mcp.liner.connections import EnvironmentProxy, connection_error
from liner_mcp.liner.decoding import MAX_QUOTED_CHARACTERS, decode, decode_list, decode_one, is_fatal, quote_message
from liner_mcp.liner.endpoints import CallFilter, Query, call_detail, call_record_detail, lead_detail
from liner_mcp.liner.models import Order
from liner_mcp.liner.redirects import leads_away, same_origin_target
from liner_mcp.liner.retry import MAX_RETRY_AFTER_SECONDS, RetryPolicy, parse_retry_after
from tests.support.sentences import assert_says, error_says, recorded

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
LONG_MESSAGE = "Ошибка \n\t\u202eв поле\x00 phone: " + "очень длинное объяснение, " * 400


def envelope(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def refusal(
    status: int, body: bytes = b"", retry_after: float | None = None, *, target: str = "/v2/order/"
) -> LinerMcpError:
    """The error that an answer to `target` is."""
    with pytest.raises(LinerMcpError) as caught:
        decode(status, body, retry_after, target=target)
    return caught.value


def is_one_short_sentence(text: str) -> bool:
    return text.isprintable() and text.endswith(".") and len(text) < 300


# The envelope ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [None, [], {}, 0, "", False, {"id": 1}, [{"id": 1}]])
@pytest.mark.parametrize("success", [True, 1, "1", "true", 1.0])
@pytest.mark.parametrize("status", [200, 201])
def test_a_success_gives_its_data_even_when_it_is_empty(status: int, success: object, data: object) -> None:
    assert decode(status, envelope(success=success, message="", data=data), None) == data


@pytest.mark.parametrize("data", [None, [], {}, {"phone": ["bad"]}])
@pytest.mark.parametrize("success", [False, 0, "0", "false", "", None, [], {}, 2, "yes"])
@pytest.mark.parametrize("status", [200, 400, 405, 409, 422])
def test_without_success_no_status_makes_an_answer_good(status: int, success: object, data: object) -> None:
    error = refusal(status, envelope(success=success, message="Bad phone", data=data))
    assert type(error) is LinerRejected
    assert str(error) == recorded("liner_refused_the_request_http_bad", status=status)


@pytest.mark.parametrize("status", [400, 404, 422, 401, 429, 500, 302])
def test_success_in_the_body_does_not_make_a_failing_status_good(status: int) -> None:
    refusal(status, envelope(success=True, message="", data={"id": 1}))


@pytest.mark.parametrize("message", ["", " \n\u200b", None, 5, [], {}])
def test_a_refusal_without_a_message_says_so(message: object) -> None:
    error = refusal(422, envelope(success=False, message=message))
    assert str(error) == recorded("liner_refused_the_request_http_422_without")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\t ", "empty"),
        (b"<html><body>Welcome</body></html>", "web_page"),
        (b"\n\n  <!DOCTYPE html>", "web_page"),
        (b"OK", "not_valid_json"),
        (b'{"success": true, "data": {"id": 1', "not_valid_json"),
        (b'{"success": true, "data": 1}{', "not_valid_json"),
        (b'{"success": true, "data": NaN}', "not_valid_json"),
        (b'{"success": true, "data": -Infinity}', "not_valid_json"),
        (b'{"success": true, "data": 1e999}', "not_valid_json"),
        (b'{"success": true, "data": "\xff\xfe\xfa"}', "not_valid_json"),
        (b'{"success": true, "data": ' + b"9" * 5_000 + b"}", "not_valid_json"),
        (b'{"success": true, "data": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "not_valid_json"),
        (b'{"success": true, "data": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001, "not_valid_json"),
        (b"\x80\x81", "not_valid_json"),
        (b"[]", "not_the_documented_envelope"),
        (b'[{"success": true}]', "not_the_documented_envelope"),
        (b"5", "not_the_documented_envelope"),
        (b"null", "not_the_documented_envelope"),
        (b'"success"', "not_the_documented_envelope"),
        (b"{}", "not_the_documented_envelope"),
        (b'{"data": {"id": 1}, "message": ""}', "not_the_documented_envelope"),
        (b'{"success": true, "message": ""}', "no_data"),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else value,
)
def test_what_is_not_the_envelope_is_unreadable_and_says_why(body: bytes, reason: str) -> None:
    error = refusal(200, body)
    assert type(error) is InvalidResponse
    assert_says(str(error), reason)
    assert is_one_short_sentence(str(error))


def test_no_content_is_unreadable() -> None:
    error = refusal(204)
    assert type(error) is InvalidResponse
    assert "HTTP 204" in str(error)


def test_a_byte_order_mark_before_the_envelope_is_no_obstacle() -> None:
    assert decode(200, b"\xef\xbb\xbf" + envelope(success=True, data=[]), None) == []


# Statuses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, LinerRejected),
        (401, AccessRefused),
        (403, AccessRefused),
        (404, WrongAddress),
        (405, LinerRejected),
        (407, LinerRejected),
        (410, WrongAddress),
        (422, LinerRejected),
        (451, LinerRejected),
        (429, RateLimited),
        (500, LinerUnavailable),
        (502, LinerUnavailable),
        (503, LinerUnavailable),
        (599, LinerUnavailable),
    ],
)
def test_each_status_has_its_error_and_one_sentence_without_liners_own_words(
    status: int, kind: type[LinerMcpError]
) -> None:
    error = refusal(status, envelope(success=False, message=LONG_MESSAGE, data=None))
    assert type(error) is kind
    assert f"HTTP {status}" in str(error)
    assert is_one_short_sentence(str(error))


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("body", [b"", b"<html>nginx</html>", b"\xff", b"[" * 10_000])
def test_a_telling_status_needs_no_readable_body(status: int, body: bytes) -> None:
    assert type(refusal(status, body)) is type(refusal(status, envelope(success=False, message="no")))


@pytest.mark.parametrize("status", [400, 422, 302, 304])
def test_other_failures_with_a_web_page_are_unreadable(status: int) -> None:
    error = refusal(status, b"<html>Bad Request</html>")
    assert type(error) is InvalidResponse
    assert "LINER_API_HOST" in str(error)


LIST_TARGETS = ["/v2/order/?offset=0&limit=100", "/v2/call/?leadIds%5B%5D=5", "/v1/health/check/", "/v2/call-status/"]
ID_TARGETS = [
    *(detail(7) for detail in (call_detail, lead_detail, call_record_detail)),
    "/v2/call-record/?callId=7&offset=0&limit=100",
]
OTHER_BODIES = [b"", b" ", b"<html><title>404</title></html>", b"not found", b"[]", b'{"detail":"Not Found"}', b"\xff"]


@pytest.mark.parametrize("target", ID_TARGETS)
@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize("success", [True, False])
def test_liners_own_json_about_an_id_is_an_unknown_id(target: str, status: int, success: bool) -> None:
    error = refusal(status, envelope(success=success, message="Call not found.", data=None), target=target)
    assert type(error) is NotFound


@pytest.mark.parametrize("target", ID_TARGETS)
@pytest.mark.parametrize(
    "message", ["Route not found.", 'No route found for "GET /v2/call"', "Cannot GET /v2/call", "Unknown endpoint"]
)
def test_a_404_of_liners_router_is_a_wrong_address_also_where_an_id_was_asked(target: str, message: str) -> None:
    error = refusal(404, envelope(success=False, message=message), target=target)
    assert type(error) is WrongAddress
    assert message[:8] in str(error)


@pytest.mark.parametrize("target", LIST_TARGETS)
@pytest.mark.parametrize("status", [404, 410])
def test_liners_own_json_about_no_id_is_a_wrong_address_and_is_quoted(target: str, status: int) -> None:
    error = refusal(status, envelope(success=False, message="Route not found."), target=target)
    assert type(error) is WrongAddress
    assert_says(str(error), "http_route_not_found", target_partition=target.partition("?")[0], status=status)
    assert "LINER_API_HOST" in str(error)
    assert "under this id" not in str(error)


@pytest.mark.parametrize("target", [*ID_TARGETS, *LIST_TARGETS])
@pytest.mark.parametrize("body", OTHER_BODIES)
def test_any_other_404_is_a_wrong_address_whatever_was_asked(target: str, body: bytes) -> None:
    error = refusal(404, body, target=target)
    assert type(error) is WrongAddress
    assert "LINER_API_HOST" in str(error)
    assert "HTTP 404" in str(error)
    assert is_one_short_sentence(str(error))


@pytest.mark.parametrize("body", [b"", b"<html>", b"OK", b"[]", b'{"status":"ok"}'])
@pytest.mark.parametrize("status", [200, 204, 400, 405])
def test_an_answer_of_something_else_names_the_host(status: int, body: bytes) -> None:
    error = refusal(status, body, target=call_detail(7))
    assert type(error) is InvalidResponse
    assert "LINER_API_HOST" in str(error)


def test_json_that_breaks_off_is_not_blamed_on_the_host() -> None:
    assert "LINER_API_HOST" not in str(refusal(200, b'{"success": true, "data": {"id": 1'))


@pytest.mark.parametrize("status", [401, 403, 451])
def test_a_refusal_by_a_web_page_is_of_something_in_front_of_liner_and_not_of_the_token(status: int) -> None:
    error = refusal(status, b"<!DOCTYPE html><title>Just a moment...</title>")
    assert type(error) is AccessRefused
    assert_says(str(error), "in_front_of_liner")
    assert "LINER_API_HOST" in str(error)
    assert "token" not in str(error).lower()


@pytest.mark.parametrize("status", [401, 403, 451])
@pytest.mark.parametrize("body", [b"", b"Forbidden", b'{"message":"Forbidden"}', b"[]"])
def test_a_refusal_that_is_neither_liners_nor_a_web_page_claims_no_certain_cause(status: int, body: bytes) -> None:
    error = refusal(status, body)
    assert type(error) is AccessRefused
    assert "probably" in str(error)
    assert str(error).index("LINER_API_HOST") < str(error).index("LINER_API_TOKEN")


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}"])
def test_a_proxy_that_wants_a_password_is_named(body: bytes) -> None:
    error = refusal(407, body)
    assert type(error) is AccessRefused
    assert "HTTPS_PROXY" in str(error)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("message", ["", None, " ", 7])
def test_a_refusal_without_words_is_of_the_token(status: int, message: object) -> None:
    error = refusal(status, envelope(success=False, message=message))
    assert type(error) is AccessRefused
    assert_says(str(error), "liner_does_not_accept_the_token_http", status=status, at_start=True)
    assert "LINER_API_HOST" in str(error)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("IP 203.0.113.77 is not in the allow list", '"IP *** is not in the allow list"'),
        ("Доступ с вашего адреса запрещён", '"Доступ с вашего адреса запрещён"'),
        ("Forbidden", '"Forbidden"'),
        ("Неверный токен", '"Неверный токен"'),
        ("IP 10.1.2.3 is not allowed for this API key", '"IP 10.1.2.3 is not allowed for this API key"'),
        ("Доступ по этому ключу запрещён с IP 10.1.2.3", '"Доступ по этому ключу запрещён с IP 10.1.2.3"'),
        ("Token has no right call-record.read", '"Token has no right call-record.read"'),
        ("API key expired on 2026-01-31" + " x" * 90, '"API key expired on 2026-01-31' + " x" * 44 + '…"'),
    ],
)
def test_a_refusal_with_words_is_quoted_whatever_they_name(status: int, message: str, shown: str) -> None:
    error = refusal(status, envelope(success=False, message=message))
    assert type(error) is AccessRefused
    assert f"(HTTP {status}): {shown}." in str(error)
    assert "LINER_API_TOKEN" in str(error)
    assert "does not accept" not in str(error)
    assert is_one_short_sentence(str(error))


@pytest.mark.parametrize("status", [200, 403, 404])
@pytest.mark.parametrize(
    "page",
    [
        "\ufeff<html>".encode(),
        "\ufeff\r\n <!-- proxy --><html>".encode(),
        "\ufeff<html>".encode("utf-16-le"),
        "\ufeff<html>".encode("utf-16-be"),
        b" \n\t<!-- x --><html>",
    ],
)
def test_a_web_page_is_one_behind_a_byte_order_mark_and_white_space_too(status: int, page: bytes) -> None:
    assert_says(str(refusal(status, page)), "a_web_page")


@pytest.mark.parametrize("nothing", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xef\xbb\xbf \r\n"])
def test_a_byte_order_mark_alone_is_an_empty_body(nothing: bytes) -> None:
    assert_says(str(refusal(200, nothing)), "an_empty_body")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_that_repeats_the_token_is_not_quoted(status: int) -> None:
    body = envelope(success=False, message="Nobody has abcdefgh12345")
    with pytest.raises(LinerMcpError) as raised:
        decode(status, body, None, target="/v2/order/", token="abcdefgh12345")
    assert "abcdefgh" not in str(raised.value)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failure_with_a_web_page_may_be_of_a_gateway(status: int) -> None:
    assert_says(str(refusal(status, b"<html>")), "liner_or_a_gateway_in_front", at_start=True)
    assert str(refusal(status, b"{}")).startswith(("Liner failed", "Liner asks"))


@pytest.mark.parametrize(("wait", "said"), [(None, "HTTP 429). Ask"), (0.0, "0 s"), (1.2, "2 s"), (3600.0, "3600 s")])
def test_a_rate_limit_carries_the_wait_and_says_it(wait: float | None, said: str) -> None:
    error = refusal(429, retry_after=wait)
    assert isinstance(error, RateLimited)
    assert error.retry_after == wait
    assert said in str(error)


def test_a_failing_liner_carries_the_wait_it_asked_for() -> None:
    error = refusal(503, retry_after=7.0)
    assert isinstance(error, LinerUnavailable)
    assert error.retry_after == 7.0


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Bad phone", '"Bad phone"'),
        ("  Bad\r\n\tphone  ", '"Bad phone"'),
        ('The "phone" is bad', "\"The 'phone' is bad\""),
        ("Неверный\u200b телефон\x1b[31m\ud83d", '"Неверный телефон[31m"'),
        ("a" * MAX_QUOTED_CHARACTERS, f'"{"a" * MAX_QUOTED_CHARACTERS}"'),
        ("a" * (MAX_QUOTED_CHARACTERS + 1), f'"{"a" * (MAX_QUOTED_CHARACTERS - 1)}…"'),
        ("Call 7003900 is locked until 20.11.2026", '"Call 7003900 is locked until 20.11.2026"'),
        ("Нельзя: +7 (916) 123-45-67, ivan@mail.ru", '"Нельзя: ***, ***@mail.ru"'),
        ("Карта 4111 1111 1111 1111 занята", '"Карта *** занята"'),
        ("b" * 110 + " 8 916 123-45-67", f'"{"b" * 110}…"'),
        ("b" * 110 + " ivan@example.com", f'"{"b" * 110}…"'),
        ("4" * 200, '"…"'),
        ("", ""),
        ("\u202e\n", ""),
        (None, ""),
        (404, ""),
        (["a"], ""),
    ],
)
def test_liners_messages_are_quoted_short_clean_and_on_one_line(message: object, shown: str) -> None:
    assert quote_message(message) == shown


TOKEN = "eyJhbGciOiJIUzI1NiJ9." + "0123456789abcdef" * 20


@pytest.mark.parametrize(
    "message",
    [
        f"Invalid key {TOKEN}",
        f"Invalid key {TOKEN[:12]}…",
        f"Invalid key …{TOKEN[-8:]}.",
        f"{'x ' * 40}{TOKEN}",
    ],
)
def test_no_part_of_the_token_is_quoted(message: str) -> None:
    body = json.dumps({"success": False, "message": message}).replace("/", "\\/").encode()
    with pytest.raises(LinerRejected) as raised:
        decode(400, body, None, token=TOKEN)
    assert not [part for part in (TOKEN[i : i + 8] for i in range(len(TOKEN) - 7)) if part in str(raised.value)]


def test_a_short_token_is_not_quoted_and_other_words_are() -> None:
    def said(message: str) -> str:
        with pytest.raises(LinerRejected) as raised:
            decode(400, json.dumps({"success": False, "message": message}).encode(), None, token="d'mo")
        return str(raised.value)

    assert said('Bad key d"mo') == recorded("liner_refused_the_request_http_400")
    assert said("Bad key") == recorded("liner_refused_the_request_http_400_bad")


@given(st.text(st.characters(exclude_categories=[])))
def test_any_message_is_quoted_within_its_length_and_can_be_printed(message: str) -> None:
    shown = quote_message(message)
    assert len(shown) <= MAX_QUOTED_CHARACTERS + 2
    assert shown.encode("utf-8") is not None
    assert shown.count('"') in (0, 2)
    assert "\n" not in shown


# Entities and pages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [None, [], "", 5, "text", [{"id": 1}]])
def test_an_entity_that_is_not_an_object_is_unreadable(data: object) -> None:
    with pytest.raises(InvalidResponse, match="of a Order"):
        decode_one(data, Order)


@pytest.mark.parametrize("data", [None, {}, "", 5, {"list": None}, {"list": {}}, {"next": 1, "total": 0}, {"data": []}])
def test_what_is_not_a_list_is_unreadable(data: object) -> None:
    with pytest.raises(InvalidResponse, check=error_says("a_list_was_expected")):
        decode_list(data, Order)


def test_an_unreadable_row_leaves_the_rest_of_the_list() -> None:
    page = decode_list({"list": [{"id": 1}, {"title": "no id"}], "total": 2}, Order)
    assert ([item.id for item in page.items], page.unreadable) == ([1], 1)


def test_a_bare_array_is_a_list_that_liner_did_not_count() -> None:
    page = decode_list([{"id": 2}, {"id": 1}], Order)
    assert [item.id for item in page.items] == [2, 1]
    assert (page.next, page.total) == (None, None)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (50, 50),
        (0, 0),
        ("50", 50),
        (50.0, 50),
        (None, None),
        ("", None),
        ("many", None),
        ("٥", None),
        ("-1", None),
        (-1, None),
        (1.5, None),
        (True, None),
        (False, None),
        ([], None),
        ({}, None),
        ("9" * 16, None),
        (10**300, None),
        (1e300, None),
    ],
)
def test_next_and_total_are_read_in_any_spelling_and_nonsense_is_none(sent: object, read: int | None) -> None:
    page = decode_list({"list": [], "next": sent, "total": sent}, Order)
    assert (page.next, page.total) == (read, read)


def test_an_absent_next_and_total_are_none() -> None:
    page = decode_list({"list": [{"id": 1}]}, Order)
    assert (page.next, page.total) == (None, None)


# Requests --------------------------------------------------------------------------------------------------------


def test_a_target_is_the_path_and_the_encoded_query() -> None:
    assert Query("/v2/order/").target == "/v2/order/"
    assert Query("/v2/x/", (("a[]", "1"), ("a[]", "2"))).page(100, 50).target == (
        "/v2/x/?a%5B%5D=1&a%5B%5D=2&offset=100&limit=50"
    )


def test_a_call_filter_asks_in_utc_with_whole_seconds_and_only_for_what_it_names() -> None:
    moscow = timezone(timedelta(hours=3))
    window = CallFilter(datetime(2026, 11, 1, tzinfo=moscow), datetime(2026, 11, 2, 2, 59, 59, 999_999, tzinfo=moscow))
    assert window.query().target == (
        "/v2/call/?createdAt%5B0%5D=2026-10-31T21%3A00%3A00Z&createdAt%5B1%5D=2026-11-01T23%3A59%3A59Z"
    )
    narrowed = CallFilter(NOW, NOW, order_ids=(1, 2), lead_ids=(3,), user_ids=(4,), status_ids=(5,))
    assert narrowed.query().params[2:] == (
        ("orderIds[]", "1"),
        ("orderIds[]", "2"),
        ("leadIds[]", "3"),
        ("userIds[]", "4"),
        ("statusIds[]", "5"),
    )


def test_details_are_asked_by_number() -> None:
    assert endpoints.call_detail(7) == "/v2/call/detail/7/"
    assert endpoints.call_record_detail(7) == "/v2/call-record/detail/7/"


# Waiting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("5", 5.0),
        (" 5 ", 5.0),
        ("1.5", 1.5),
        ("-5", None),
        ("", None),
        ("soon", None),
        ("5 seconds", None),
        ("5, 6", None),
        ("nan", None),
        ("inf", None),
        ("-inf", None),
        ("9" * 400, None),
        ("999999999", MAX_RETRY_AFTER_SECONDS),
        ("1e300", MAX_RETRY_AFTER_SECONDS),
        (format_datetime(NOW + timedelta(seconds=30), usegmt=True), 30.0),
        (format_datetime(NOW - timedelta(days=3), usegmt=True), 0.0),
        ("Fri, 20 Nov 2026 18:00:30 +0300", 30.0),
        ("Fri, 20 Nov 2026 15:00:30 -0000", 30.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", MAX_RETRY_AFTER_SECONDS),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("Fri, 31 Feb 2026 00:00:00 GMT", None),
        ("Fri, 20 Nov 99999999999 00:00:00 GMT", None),
        ("2026-11-20T15:00:30Z", None),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_retry_after_is_a_number_or_a_date_or_nothing(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds


@given(st.text(st.characters(max_codepoint=255)))
def test_no_retry_after_gives_anything_but_a_bearable_wait(header: str) -> None:
    seconds = parse_retry_after(header, NOW)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_SECONDS


def none_at_all(_ceiling: float) -> float:
    return 0.0


def as_much_as_allowed(ceiling: float) -> float:
    return ceiling


PASSING = [Unreachable("broke"), LinerUnavailable("failed"), RateLimited("slow down")]
LASTING = [
    Unreachable("certificate", transient=False),
    InvalidResponse("html"),
    LinerRejected("no"),
    NotFound("no"),
    AccessRefused("no"),
    WrongAddress("no"),
    SettingsError("no"),
    InvalidArgument("no"),
    ValueError("not ours"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(("attempt", "ceiling"), [(1, 0.5), (2, 1.0), (3, 2.0)])
def test_waits_double_and_jitter_draws_from_nothing_to_the_ceiling(
    error: Exception, attempt: int, ceiling: float
) -> None:
    assert RetryPolicy(none_at_all).delay(error, attempt, math.inf) == 0.0
    assert RetryPolicy(as_much_as_allowed).delay(error, attempt, math.inf) == ceiling


def test_waits_stop_growing_at_the_last_ceiling() -> None:
    policy = RetryPolicy(as_much_as_allowed, attempts=100)
    assert [policy.delay(PASSING[0], attempt, math.inf) for attempt in (4, 5, 6, 50)] == [4.0, 8.0, 8.0, 8.0]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("attempt", [4, 5])
def test_the_fourth_attempt_is_the_last(error: Exception, attempt: int) -> None:
    assert RetryPolicy(none_at_all).delay(error, attempt, math.inf) is None


@pytest.mark.parametrize("error", LASTING, ids=lambda error: type(error).__name__)
def test_what_will_not_pass_is_not_tried_again(error: Exception) -> None:
    assert RetryPolicy(none_at_all).delay(error, 1, math.inf) is None


@pytest.mark.parametrize(
    ("asked", "jitter", "wait"),
    [
        (0.0, none_at_all, 0.0),
        (0.0, as_much_as_allowed, 0.0),
        (5.0, none_at_all, 5.0),
        (5.0, as_much_as_allowed, 5.5),
        (60.0, as_much_as_allowed, 61.0),
    ],
)
@pytest.mark.parametrize("kind", [RateLimited, LinerUnavailable])
def test_a_wait_that_liner_asks_for_is_never_shortened(
    kind: type[RateLimited | LinerUnavailable], asked: float, jitter: Callable[[float], float], wait: float
) -> None:
    for attempt in (1, 3):
        assert RetryPolicy(jitter).delay(kind("wait", retry_after=asked), attempt, math.inf) == wait


@pytest.mark.parametrize(
    ("error", "time_left", "wait"),
    [
        (RateLimited("wait", retry_after=5.0), 5.6, 5.5),
        (RateLimited("wait", retry_after=5.0), 5.5, None),
        (RateLimited("wait", retry_after=3600.0), 30.0, None),
        (Unreachable("broke"), 0.6, 0.5),
        (Unreachable("broke"), 0.5, None),
        (Unreachable("broke"), 0.0, None),
        (Unreachable("broke"), -1.0, None),
    ],
)
def test_a_wait_that_outlasts_the_time_left_is_not_begun(
    error: LinerMcpError, time_left: float, wait: float | None
) -> None:
    assert RetryPolicy(as_much_as_allowed).delay(error, 1, time_left) == wait


def test_only_what_the_operator_must_fix_makes_a_whole_run_hopeless() -> None:
    hopeless = {type(error) for error in [*PASSING, *LASTING] if isinstance(error, LinerMcpError) and is_fatal(error)}
    assert hopeless == {AccessRefused, SettingsError}


# Redirects and connections ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/v2/order", "/v2/order"),
        ("/v2/order?offset=0&limit=100", "/v2/order?offset=0&limit=100"),
        ("https://liner.example/v2/order", "/v2/order"),
        ("https://LINER.example/v2/order", "/v2/order"),
        ("https://liner.example:443/v2/order", "/v2/order"),
        ("//liner.example/v2/order", "/v2/order"),
        ("https://liner.example", "/"),
        ("https://liner.example//evil.example/x", "/evil.example/x"),
        ("///evil.example/x", "/evil.example/x"),
        ("?limit=5", "/v2/order/?limit=5"),
        ("../user/list/", "/v2/user/list/"),
        ("", "/v2/order/?limit=1"),
        ("/v2/order/#part", "/v2/order/"),
        ("https://evil.example/v2/order/", None),
        ("https://liner.example.evil.example/", None),
        ("https://evil.example#liner.example", None),
        ("https://liner.example@evil.example/", None),
        ("https://key@liner.example/", None),
        ("https://:key@liner.example/", None),
        ("//evil.example/v2/order/", None),
        ("http://liner.example/v2/order", "/v2/order"),
        ("http://liner.example:80/v2/order", "/v2/order"),
        ("http://liner.example:443/v2/order", "/v2/order"),
        ("https://liner.example./v2/order", "/v2/order"),
        ("http://liner.example:8080/v2/order", None),
        ("http://liner.example:0/v2/order", None),
        ("http://evil.example/v2/order", None),
        ("http://key@liner.example/v2/order", None),
        ("https://liner.example:8443/v2/order/", None),
        ("https://liner.example:99999/", None),
        ("https://liner.example:port/", None),
        ("https://[::1", None),
        ("ftp://liner.example/", None),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
    ],
)
def test_a_redirect_is_followed_on_the_same_server_only(location: str, target: str | None) -> None:
    assert same_origin_target("https://liner.example", "/v2/order/?limit=1", location) == target


def test_the_port_of_the_origin_counts() -> None:
    assert same_origin_target("http://127.0.0.1:8080", "/a/", "http://127.0.0.1:8080/a") == "/a"
    assert same_origin_target("http://127.0.0.1:8080", "/a/", "http://127.0.0.1/a") is None
    assert same_origin_target("https://liner.example:443", "/a/", "https://liner.example/a") == "/a"
    assert same_origin_target("https://liner.example:80", "/a/", "http://liner.example/a") == "/a"
    assert same_origin_target("https://liner.example:8443", "/a/", "http://liner.example/a") is None
    assert same_origin_target("https://liner.example:8443", "/a/", "http://liner.example:8443/a") == "/a"


def test_plain_http_is_not_led_to_https_where_nothing_may_listen() -> None:
    assert same_origin_target("http://127.0.0.1", "/a/", "https://127.0.0.1/a") is None
    assert same_origin_target("http://127.0.0.1:8080", "/a/", "https://127.0.0.1:8080/a") is None


@pytest.mark.parametrize("location", ["https://xn--e1aybc.xn--p1ai/a", "https://тест.рф/a", "http://ТЕСТ.рф/a"])
@pytest.mark.parametrize("origin", ["https://тест.рф", "https://xn--e1aybc.xn--p1ai"])
def test_a_host_is_the_same_in_either_spelling(origin: str, location: str) -> None:
    assert same_origin_target(origin, "/a/", location) == "/a"


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("https://login.example.com/x?token=1", recorded("to_another_host_login_example_com")),
        ("//login.example.com/", recorded("to_another_host_login_example_com")),
        ("http://10.200.130.140/", recorded("to_another_host_10_200_130")),
        ("https://[2001:db8::1]/", recorded("to_another_host_2001_db8_1")),
        ("https://xn--e1aybc.xn--p1ai/", "to another host (xn--e1aybc.xn--p1ai), where"),
        ("https://тест.рф/", "to another host (xn--e1aybc.xn--p1ai), where"),
        ("https://89161234567.example.com/", recorded("to_another_host_where")),
        ("https://abcdefgh12345.example.com/", recorded("to_another_host_where")),
        ("https://ABCDEFGH12345.example.com/", recorded("to_another_host_where")),
        (f"https://{'a.' * 31}example.com/", recorded("to_another_host_where")),
        ("https://a_b<c>.example.com/", recorded("to_another_host_where")),
        ("https://intranet/", recorded("to_another_host_where")),
        ("https://liner.example:8443/", recorded("to_another_port_of_its_host")),
        ("http://liner.example:8080/", recorded("to_another_port_of_its_host_8080")),
        ("https://key@liner.example/", recorded("to_an_address_with_a_user")),
        ("ftp://liner.example/", recorded("to_something_that_is_no_web")),
        ("https://[::1", recorded("to_something_that_is_no_web")),
        ("https://liner.example:port/", recorded("to_something_that_is_no_web")),
        ("javascript:alert(1)", recorded("to_something_that_is_no_web")),
    ],
)
def test_a_redirect_that_is_not_followed_says_where_it_leads(location: str, said: str) -> None:
    assert same_origin_target("https://liner.example", "/v2/order/", location) is None
    error = leads_away("https://liner.example", "/v2/order/", location, "AbcdEfgh12345")
    assert_says(str(error), "liner_api_host_redirects_the_token", said=said, at_start=True)
    assert is_one_short_sentence(str(error))


def test_a_redirect_from_plain_http_to_https_says_how_to_write_the_host() -> None:
    error = leads_away("http://127.0.0.1", "/v2/order/", "https://127.0.0.1/v2/order/", "t")
    assert_says(str(error), "write_it_with_https")


@given(st.text())
def test_no_location_leads_off_the_host(location: str) -> None:
    target = same_origin_target("https://liner.example", "/v2/order/", location)
    assert target is None or (target.startswith("/") and not target.startswith("//"))


@pytest.mark.parametrize(
    ("cause", "said", "passing"),
    [
        (gaierror(-2, "Name or service not known"), "DNS", True),
        (ssl.SSLCertVerificationError("self-signed"), "TLS certificate", False),
        (ConnectionRefusedError(111, "Connection refused"), "refused", True),
        (None, "refused", True),
    ],
)
@pytest.mark.parametrize("by", ["cause", "context"])
def test_a_failed_connection_says_which_part_failed(
    by: str, cause: BaseException | None, said: str, passing: bool
) -> None:
    error, between = OSError("token-in-a-url"), OSError("wrapped")
    if by == "cause":
        error.__cause__, between.__cause__ = between, cause
    else:
        error.__context__, between.__context__ = between, cause
    for told in (
        connection_error(error),
        connection_error(error, EnvironmentProxy("all_proxy", "http://name:password@p")),
    ):
        assert told.transient is passing
        assert "token-in-a-url" not in str(told)
        assert "password" not in str(told)
    assert "all_proxy" in str(told)
    told = connection_error(error)
    assert said in str(told)
    assert told.transient is passing
    assert "token-in-a-url" not in str(told)
