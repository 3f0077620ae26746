"""Attacks over real sockets: a foreign Host in every spelling, and one OAuth caller against another."""

from __future__ import annotations

import json
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from liner_mcp.demo import Dataset, DemoLiner
from tests.fakes import FakeLiner
from tests.fakes.blocking_liner import BlockingLiner
from tests.fakes.oauth_issuer import AUDIENCE, LocalIssuer, claims, signed
from tests.http_server.support import (
    LEGACY,
    META,
    MODERN,
    PATIENCE,
    call,
    connected,
    question,
    raw,
    read_all,
    result,
    serve,
)
from tests.support.asgi_server import serve_app

ORDER, OTHER = 201, 205

# Request targets and Host lines that a page could bring about whose name was bound to this machine's address.
FOREIGN = [
    ("/mcp", "evil.example"),
    ("/mcp", "evil.example:80"),
    ("/mcp", "EVIL.EXAMPLE."),
    ("/mcp", "localhost.evil.example"),
    ("/mcp", "127.0.0.1.evil.example"),
    ("/mcp", "127.0.0.1@evil.example"),
    ("/mcp", "evil.example#127.0.0.1"),
    ("/mcp", "[::ffff:203.0.113.7]"),
    ("/mcp", "[2001:db8::1]:8080"),
    ("/mcp", "[::1].evil.example"),
    ("/mcp", "127.0.0.1, evil.example"),
    ("/mcp", "127.0.0.1\r\nHost: evil.example"),
    ("/mcp", "evil.example\r\nHost: 127.0.0.1"),
    ("/mcp", "evil.example\r\nX-Forwarded-Host: 127.0.0.1"),
    ("/mcp", ""),
    ("http://127.0.0.1/mcp", "evil.example"),
    ("http://evil.example/mcp", "127.0.0.1"),
    ("//127.0.0.1/mcp", "evil.example"),
]


@pytest.mark.parametrize("allowed", [None, "calls.example.com"])
def test_no_spelling_of_a_foreign_host_reaches_a_tool(liner: DemoLiner, allowed: str | None) -> None:
    with serve(liner, mcp_allowed_hosts=allowed) as origin:
        for target, host in FOREIGN:
            sent = raw(question("tools/list"), host=host, connection="close").replace(b"/mcp", target.encode(), 1)
            with connected(origin) as sock:
                sock.sendall(sent)
                answer = read_all(sock)
            assert answer.split(b" ", 2)[1] in (b"400", b"404", b"421"), (target, host, answer[:200])
            assert b'"tools"' not in answer


@contextmanager
def served_to_two(liner: Any, folder: Path, **settings: Any) -> Generator[tuple[str, dict[str, dict[str, str]]]]:
    """A server whose callers have tokens of an issuer, and the headers of two callers with an order each."""
    issuer, rules = LocalIssuer(), folder / "access.toml"
    rules.write_text(
        f"[callers.anna]\norders = [{ORDER}]\nagents = 'all'\n[callers.boris]\norders = [{OTHER}]\nagents = 'all'\n",
        encoding="utf-8",
    )
    rules.chmod(0o600)
    with serve_app(issuer) as issuer.issuer:
        headers = {
            who: {"authorization": f"Bearer {signed(claims(iss=issuer.issuer, sub=who))}"} for who in ("anna", "boris")
        }
        options = {"mcp_oauth_issuer": issuer.issuer, "mcp_oauth_audience": AUDIENCE, "mcp_access_file": rules}
        with serve(liner, **options, **settings) as origin:
            yield origin, headers


def post(origin: str, headers: dict[str, str], asked: dict[str, Any]) -> httpx.Response:
    return httpx.post(f"{origin}/mcp", json=asked["json"], headers={**asked["headers"], **headers}, timeout=PATIENCE)


@pytest.mark.parametrize("era", [MODERN, LEGACY])
def test_what_one_oauth_caller_has_read_is_no_nearer_to_another(dataset: Dataset, tmp_path: Path, era: str) -> None:
    liner = FakeLiner(dataset)
    theirs = next(one.id for one in dataset.calls.values() if one.order_id == OTHER and dataset.records_of(one.id))
    record = dataset.records_of(theirs)[0].id
    with served_to_two(liner, tmp_path) as (origin, headers):
        for asked in (call("list_call_records", era, call_id=theirs), call("get_call_record", era, record_id=record)):
            before = json.dumps(result(post(origin, headers["anna"], asked)))
            assert not result(post(origin, headers["boris"], asked))["isError"]
            after = json.dumps(result(post(origin, headers["anna"], asked)))
            assert before == after
            assert json.loads(after)["isError"]


@pytest.mark.parametrize("era", [MODERN, LEGACY])
def test_one_oauth_callers_rate_leaves_that_of_another(liner: DemoLiner, tmp_path: Path, era: str) -> None:
    with served_to_two(liner, tmp_path, mcp_requests_per_minute=2) as (origin, headers):
        statuses = [post(origin, headers["anna"], question("tools/list", era)).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert post(origin, headers["boris"], question("tools/list", era)).status_code == 200


@pytest.mark.parametrize("era", [MODERN, LEGACY])
def test_one_oauth_caller_cannot_cancel_or_hear_the_request_of_another(
    dataset: Dataset, tmp_path: Path, era: str
) -> None:
    """Both use the request id 1 and one progress token."""
    liner = BlockingLiner(dataset, lambda target: "createdAt" in target)
    with served_to_two(liner, tmp_path) as (origin, headers), ThreadPoolExecutor(1) as threads:
        asked = call("find_calls", era, since="2026-11-16", limit=5)
        meta = {**META, "progressToken": 1} if era == MODERN else {"progressToken": 1}
        asked["json"]["params"]["_meta"] = meta
        waiting = threads.submit(post, origin, headers["boris"], asked)
        assert liner.reached.wait(PATIENCE)
        cancel = question("notifications/cancelled", era, requestId=1, reason="x")
        del cancel["json"]["id"]
        assert post(origin, headers["anna"], cancel).status_code in (202, 400)
        overheard = post(origin, headers["anna"], call("list_directory", era, kind="orders"))
        assert {row[0] for row in result(overheard)["structuredContent"]["rows"]} == {ORDER}
        assert not waiting.done()
        liner.release()
        shown = result(waiting.result(PATIENCE))["structuredContent"]
        column = shown["columns"].index("call_id")
        assert {dataset.calls[row[column]].order_id for row in shown["rows"]} == {OTHER}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["/.well-known", "/keys"])
def test_a_redirect_of_the_issuer_is_not_followed(liner: DemoLiner, status: int, path: str) -> None:
    issuer, elsewhere = LocalIssuer(), LocalIssuer()

    async def redirecting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and path in scope["path"]:
            location = (b"location", f"{elsewhere.issuer}{scope['path']}".encode())
            await send({"type": "http.response.start", "status": status, "headers": [location]})
            await send({"type": "http.response.body", "body": b""})
        else:
            await issuer(scope, receive, send)

    with serve_app(elsewhere) as elsewhere.issuer, serve_app(redirecting) as issuer.issuer:
        options: dict[str, Any] = {"mcp_oauth_issuer": issuer.issuer, "mcp_oauth_audience": AUDIENCE}
        with serve(liner, **options) as origin:
            token = {"authorization": f"Bearer {signed(claims(iss=issuer.issuer))}"}
            assert post(origin, token, question("tools/list")).status_code == 503
    assert elsewhere.requested_paths == []
