"""What is sent to the endpoint and is not a question: each gets a status and one sentence."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import httpx
import pytest

from liner_mcp.demo import Dataset, DemoLiner
from tests.http_server.support import ACCEPT, LEGACY, MODERN, PATIENCE, call, question, result, serve, told
from tests.support.sentences import assert_says


@pytest.fixture(scope="module")
def web(dataset: Dataset) -> Generator[httpx.Client]:
    """A client of one running server, which is asked by every test here."""
    with serve(DemoLiner(dataset)) as origin, httpx.Client(base_url=origin, timeout=PATIENCE) as client:
        yield client


ERAS = pytest.mark.parametrize("era", [MODERN, LEGACY])


@ERAS
def test_a_question_is_answered(web: httpx.Client, era: str) -> None:
    answer = result(web.post("/mcp", **call("list_call_records", era, call_id=7003900)))
    assert "9002362" in json.dumps(answer["structuredContent"])


@ERAS
@pytest.mark.parametrize("verb", ["GET", "DELETE", "PUT", "HEAD", "PATCH", "TRACE"])
def test_another_verb_than_post_is_refused_at_once_with_the_right_one(web: httpx.Client, era: str, verb: str) -> None:
    response = web.request(verb, "/mcp", headers={**ACCEPT, "mcp-protocol-version": era})
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert verb == "HEAD" or "POST" in told(response, 405)


@pytest.mark.parametrize("path", ["/", "/mcp//", "/mcp/x", "/mcp/mcp", "/sse", "/.env", "/%6dcp%2fx", "/health/x"])
def test_an_unknown_path_is_told_where_mcp_is(web: httpx.Client, path: str) -> None:
    assert "/mcp" in told(web.post(path, **question("tools/list")), 404)


@ERAS
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"garbage", -32700),
        (b"\xff\xfe\x00", -32700),
        (b'{"jsonrpc":"2.0"', -32700),
        (b"[" * 100_000, -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
    ],
)
def test_a_body_that_is_not_one_request_is_refused(web: httpx.Client, era: str, body: bytes, code: int) -> None:
    response = web.post("/mcp", content=body, headers={**ACCEPT, "mcp-protocol-version": era})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == code
    assert len(response.content) < 400  # what was sent is not sent back


@pytest.mark.parametrize(
    "body",
    [b"{" * 50_000, b'{"a":' * 50_000, b"7", b"null", b'"text"', b"{}", b'{"jsonrpc":"2.0","id":null,"method":"ping"}'],
)
def test_json_that_is_not_a_request_is_refused(web: httpx.Client, body: bytes) -> None:
    response = web.post("/mcp", content=body, headers={**ACCEPT, "mcp-protocol-version": MODERN})
    assert response.status_code == 400
    assert response.json()["error"]["code"] in (-32700, -32600)


@ERAS
@pytest.mark.parametrize(
    "body",
    [
        '"+7 916 123-45-67"',
        "79161234567",
        '{"phone":"+7 916 123-45-67"}',
        '{"jsonrpc":"2.0","id":1,"method":["+7 916 123-45-67"]}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":"+7 916 123-45-67"}',
        '{"jsonrpc":"2.0","id":1,"method":{"method":"' + "+7 916 123-45-67" * 10_000 + '"}}',
        '{"jsonrpc":"2.0","id":1,"result":"+7 916 123-45-67"}',
    ],
)
def test_json_that_is_not_a_request_is_not_sent_back(web: httpx.Client, era: str, body: str) -> None:
    response = web.post("/mcp", content=body, headers={**ACCEPT, "mcp-protocol-version": era})
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == -32600
    assert_says(error["message"], "send_one_json_rpc_request", at_start=True)
    assert len(response.content) < 200


@ERAS
def test_a_notification_is_accepted(web: httpx.Client, era: str) -> None:
    body = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
    assert web.post("/mcp", content=body, headers={**ACCEPT, "mcp-protocol-version": era}).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"mcp-name": "call_stats"},
        {"mcp-method": "prompts/get"},
        {"mcp-name": ""},
    ],
)
def test_headers_that_contradict_the_body_are_refused(web: httpx.Client, headers: dict[str, str]) -> None:
    asked = call("list_call_records", call_id=7003900)
    response = web.post("/mcp", json=asked["json"], headers={**asked["headers"], **headers})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32020


@pytest.mark.parametrize("version", ["1999-01-01", "2027-01-01", "latest"])
def test_an_unknown_protocol_version_is_told_the_known_ones(web: httpx.Client, version: str) -> None:
    asked = question("tools/list")
    asked["headers"]["mcp-protocol-version"] = version
    asked["json"]["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = version
    response = web.post("/mcp", **asked)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == -32022
    assert MODERN in error["data"]["supported"]


@ERAS
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"])
def test_another_content_type_is_refused(web: httpx.Client, era: str, kind: str) -> None:
    asked = question("tools/list", era)
    asked["headers"]["content-type"] = kind
    assert "application/json" in told(web.post("/mcp", **asked), 415)


@ERAS
@pytest.mark.parametrize("path", ["/mcp/", "/%6dcp%2f"])
def test_a_slash_at_the_end_of_the_path_changes_nothing(web: httpx.Client, era: str, path: str) -> None:
    assert len(result(web.post(path, **question("tools/list", era)))["tools"]) == 7
    assert "POST" in told(web.get(path, headers={**ACCEPT, "mcp-protocol-version": era}), 405)


@ERAS
@pytest.mark.parametrize("accept", ["text/html", "text/event-stream", "image/*", ""])
def test_a_client_that_takes_only_something_else_is_told_what_to_take(web: httpx.Client, era: str, accept: str) -> None:
    asked = question("tools/list", era)
    asked["headers"]["accept"] = accept
    assert "application/json, text/event-stream" in told(web.post("/mcp", **asked), 406)


@ERAS
@pytest.mark.parametrize("accept", ["*/*", "application/json;q=0.9, text/*", "APPLICATION/JSON, text/event-stream"])
def test_a_client_that_takes_anything_is_answered(web: httpx.Client, era: str, accept: str) -> None:
    asked = question("tools/list", era)
    asked["headers"]["accept"] = accept
    assert len(result(web.post("/mcp", **asked))["tools"]) == 7


@ERAS
@pytest.mark.parametrize("accept", [None, "application/json", "application/*", "application/json; charset=utf-8"])
def test_a_client_that_takes_no_stream_gets_json(web: httpx.Client, era: str, accept: str | None) -> None:
    # A request for progress makes the server answer other clients with a stream.
    asked = call("call_stats", era, since="-3d")
    asked["json"]["params"].setdefault("_meta", {})["progressToken"] = 1
    del asked["headers"]["accept"]
    request = web.build_request("POST", "/mcp", **asked)
    del request.headers["accept"]
    if accept is not None:
        request.headers["accept"] = accept
    response = web.send(request)
    assert response.headers["content-type"] == "application/json"
    assert not result(response)["isError"]
    assert response.json()["id"] == 1


def test_an_older_client_that_skips_the_handshake_or_mixes_the_eras_is_served(web: httpx.Client) -> None:
    asked = call("list_call_records", LEGACY, call_id=7003900)
    del asked["headers"]["mcp-protocol-version"]
    assert not result(web.post("/mcp", **asked))["isError"]
    mixed = call("list_call_records", MODERN, call_id=7003900)
    mixed["headers"]["mcp-protocol-version"] = LEGACY
    assert not result(web.post("/mcp", **mixed))["isError"]


@ERAS
def test_no_ids_are_offered_over_http(web: httpx.Client, era: str) -> None:
    """What this process listed for one caller is not shown to the next."""
    result(web.post("/mcp", **call("list_call_records", era, call_id=7003900)))
    ref = {"type": "ref/prompt", "name": "review_call"}
    asked = question("completion/complete", era, ref=ref, argument={"name": "call_id", "value": "7"})
    response = web.post("/mcp", **asked)
    text = response.text.partition("data: ")[2] or response.text
    assert json.loads(text.splitlines()[0])["error"]["code"] == -32601


@pytest.mark.parametrize(
    ("path", "status"), [("/mcp", 405), ("/nowhere", 404), ("/health", 200), ("/ready", 200)], ids=str
)
def test_every_answer_is_sealed(web: httpx.Client, path: str, status: int) -> None:
    headers = web.get(path).headers
    assert web.get(path).status_code == status
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


@ERAS
def test_an_answer_has_security_headers_too_and_is_not_cached(web: httpx.Client, era: str) -> None:
    headers: Any = web.post("/mcp", **call("list_call_records", era, call_id=7003900)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] in ("no-store", "no-cache, no-transform")
