"""How much and how long: what a client does wrong by size, number or slowness ends, and others are served meanwhile."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

import h11
import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from liner_mcp.demo import Dataset
from liner_mcp.http_server.app import create_web_app
from liner_mcp.http_server.connection import READ_BYTES
from liner_mcp.http_server.limits import LIMITS
from liner_mcp.settings import read_settings
from tests.fakes import FakeLiner
from tests.fakes.blocking_liner import BlockingLiner
from tests.fakes.faults import Fault, Status
from tests.http_server.support import (
    ACCEPT,
    LEGACY,
    MODERN,
    PATIENCE,
    NameAuthenticator,
    call,
    connected,
    in_time,
    question,
    raw,
    read_all,
    result,
    serve,
    told,
    until,
)
from tests.support.account import ACCOUNT
from tests.support.asgi_server import serve_app
from tests.support.log_capture import capture_logs
from tests.support.sentences import assert_says

# Long enough for a loaded machine to serve a good request, short enough to wait for.
HASTY = replace(LIMITS, body_seconds=0.5, head_seconds=0.5, idle_seconds=1, closing_seconds=0.5)


def post(origin: str, asked: dict[str, Any], **headers: str) -> httpx.Response:
    return httpx.post(f"{origin}/mcp", json=asked["json"], headers={**asked["headers"], **headers}, timeout=PATIENCE)


# Bodies --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", [MODERN, LEGACY])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_5_mb_is_refused_and_the_connection_lives_on(liner: FakeLiner, era: str, chunked: bool) -> None:
    body = b" " * 5_000_000
    headers = {**ACCEPT, "mcp-protocol-version": era}
    with serve(liner) as origin, httpx.Client(base_url=origin, timeout=PATIENCE) as client:
        response = client.post("/mcp", content=iter([body]) if chunked else body, headers=headers)
        assert "256 KB" in told(response, 413)
        assert len(result(client.post("/mcp", **question("tools/list", era)))["tools"]) == 7
    assert liner.requests == []


def test_the_largest_body_is_read_and_one_byte_more_is_not(liner: FakeLiner) -> None:
    asked = question("tools/list")
    body = json.dumps(asked["json"]).encode()
    with serve(liner) as origin, httpx.Client(base_url=origin, timeout=PATIENCE) as client:
        fits = body.ljust(LIMITS.body_bytes)
        assert client.post("/mcp", content=fits, headers=asked["headers"]).status_code == 200
        told(client.post("/mcp", content=fits + b" ", headers=asked["headers"]), 413)


def test_a_body_that_never_comes_ends_with_408(liner: FakeLiner) -> None:
    asked = raw(question("tools/list"))
    with serve(liner, limits=HASTY) as origin, connected(origin) as sock:
        sock.sendall(asked[:-10])
        assert read_all(sock).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_drips_ends_as_well(liner: FakeLiner) -> None:
    head = raw(question("tools/list"), **{"content-length": "100000"}).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    with serve(liner, limits=HASTY) as origin, connected(origin) as sock:
        sock.sendall(head)
        sock.settimeout(0.05)
        got = b""
        for _ in range(200):
            try:
                sock.sendall(b" ")
                got += sock.recv(1_000)
            except TimeoutError:
                continue
            except OSError:
                break
            if got:
                break
        assert got.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_does_not_come_before_the_server_has_stopped_is_told_so(liner: FakeLiner) -> None:
    app = create_web_app(read_settings(**ACCOUNT), transport=httpx.ASGITransport(app=liner))
    asked = raw(question("tools/list"), expect="100-continue").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    with capture_logs() as lines:
        with ExitStack() as held, serve_app(app, timeout_graceful_shutdown=1) as origin:
            sock = held.enter_context(connected(origin))
            sock.sendall(asked)
            until(sock, b"100 Continue\r\n\r\n")
            leaving = held.pop_all()
        with leaving:
            answer = read_all(sock)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"The server is stopping." in answer
        assert b"nosniff" in answer
        assert lines.next("request")["status"] == 503


@pytest.mark.parametrize("host", ["127.0.0.1", "elsewhere.example"])
def test_who_is_refused_while_sending_reads_the_answer_and_may_send_the_rest(liner: FakeLiner, host: str) -> None:
    """No reset: a client that is still sending would lose the answer to it."""
    head = raw(question("tools/list"), **{"content-length": "2000000", "host": host}).partition(b"\r\n\r\n")[0]
    with serve(liner) as origin, connected(origin) as sock:
        sock.sendall(head + b"\r\n\r\n")
        assert until(sock, b"}}").startswith(b"HTTP/1.1 413 " if host == "127.0.0.1" else b"HTTP/1.1 421 ")
        sock.sendall(b" " * 2_000_000)
        sock.sendall(b"GET /nowhere HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        assert until(sock, b"}}").startswith(b"HTTP/1.1 404 ")
    assert liner.requests == []


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", b"413"), ("elsewhere.example", b"421")])
def test_a_refused_question_is_answered_once_though_its_rest_is_broken(
    liner: FakeLiner, host: str, status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    head = raw(question("tools/list"), host=host).partition(b"\r\n\r\n")[0]
    head = head.replace(b"content-length", b"x-length") + b"\r\ntransfer-encoding: chunked\r\n\r\n"
    with serve(liner) as origin, connected(origin) as sock:
        sock.sendall(head + b"%x\r\n" % 300_000 + b" " * 300_000)
        assert until(sock, b"}}").startswith(b"HTTP/1.1 " + status)
        sock.sendall(b"\r\nnot the length of a chunk\r\n")
        assert read_all(sock) == b""
    assert "Traceback" not in caplog.text


# Connections ---------------------------------------------------------------------------------------------------------


def test_a_connection_on_which_nothing_is_said_is_closed(liner: FakeLiner) -> None:
    with serve(liner, limits=HASTY) as origin, connected(origin) as sock:
        assert read_all(sock) == b""


def test_a_head_that_does_not_end_does_not_hold_the_connection(liner: FakeLiner) -> None:
    with serve(liner, limits=HASTY) as origin, connected(origin) as sock:
        sock.sendall(b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ")
        assert read_all(sock) == b""


def test_a_head_that_drips_ends_as_well(liner: FakeLiner) -> None:
    with serve(liner, limits=HASTY) as origin, connected(origin) as sock:
        sock.sendall(b"POST /mcp HTTP/1.1\r\nx-slow: ")
        sock.settimeout(0.05)
        ended = False
        for _ in in_time():
            try:
                sock.sendall(b"a")
                ended = sock.recv(1_000) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
            if ended:
                break
        assert ended


def test_a_second_head_that_drips_does_not_hold_the_connection(liner: FakeLiner) -> None:
    with serve(liner, limits=replace(HASTY, idle_seconds=600)) as origin, connected(origin) as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        until(sock, b'{"alive":true}')
        sock.sendall(b"GET /hea")
        assert read_all(sock) == b""


def test_an_idle_connection_is_kept_for_a_while_and_then_closed(liner: FakeLiner) -> None:
    with serve(liner, limits=replace(HASTY, head_seconds=600)) as origin, connected(origin) as sock:
        for _ in range(2):
            sock.sendall(b"GET /nowhere HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            until(sock, b"}}")
        assert read_all(sock) == b""


def test_what_is_not_http_is_told_so(liner: FakeLiner) -> None:
    with serve(liner) as origin, connected(origin) as sock:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        assert read_all(sock).startswith(b"HTTP/1.1 400 ")


def test_200_idle_connections_do_not_keep_the_server_from_answering(liner: FakeLiner) -> None:
    with serve(liner) as origin, ExitStack() as held:
        for _ in range(200):
            held.enter_context(connected(origin))
        assert not result(post(origin, call("list_call_records", call_id=7003900)))["isError"]


@pytest.mark.parametrize("said", [b"", b"GET /heal", b"OPTIONS /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"])
def test_idle_connections_at_the_limit_make_room_for_a_new_one(liner: FakeLiner, said: bytes) -> None:
    patient = replace(LIMITS, connections=3, head_seconds=600, idle_seconds=600)
    with serve(liner, limits=patient) as origin, ExitStack() as held:
        socks = [held.enter_context(connected(origin)) for _ in range(10)]
        for sock in socks[-3:]:
            sock.sendall(said)
        for sock in socks[:-3]:
            assert read_all(sock) == b""
        assert httpx.get(f"{origin}/health").status_code == 200
        assert not result(post(origin, call("list_call_records", call_id=7003900)))["isError"]


def test_a_connection_whose_request_runs_does_not_make_room(liner: FakeLiner) -> None:
    slow = BlockingLiner(liner.dataset)
    with serve(slow, limits=replace(LIMITS, connections=2)) as origin, connected(origin) as busy:
        busy.sendall(raw(call("list_call_records", call_id=7003900)))
        assert slow.reached.wait(PATIENCE)
        with ExitStack() as held:
            for _ in range(5):
                held.enter_context(connected(origin))
            assert httpx.get(f"{origin}/health").status_code == 200
        assert httpx.get(f"{origin}/health").status_code == 200
        assert not slow.left.is_set()


def test_a_connection_too_many_is_closed_when_requests_run_on_all_others(liner: FakeLiner) -> None:
    slow = BlockingLiner(liner.dataset)
    with serve(slow, limits=replace(LIMITS, connections=1)) as origin:
        with connected(origin) as busy:
            busy.sendall(raw(call("list_call_records", call_id=7003900)))
            assert slow.reached.wait(PATIENCE)
            with connected(origin) as late:
                assert read_all(late) == b""
        assert slow.left.wait(PATIENCE)
        for _ in in_time():
            with suppress(httpx.TransportError):
                if httpx.get(f"{origin}/health").status_code == 200:
                    break


def test_an_address_with_too_many_connections_loses_its_own(liner: FakeLiner) -> None:
    patient = replace(LIMITS, connections_per_address=3, head_seconds=600, idle_seconds=600)
    with serve(liner, limits=patient) as origin, ExitStack() as held:
        other = held.enter_context(connected(origin, source="127.0.0.3"))
        socks = [held.enter_context(connected(origin, source="127.0.0.2")) for _ in range(10)]
        assert [read_all(sock) for sock in socks[:7]] == [b""] * 7
        for sock in (other, *socks[7:]):
            sock.sendall(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            until(sock, b'{"alive":true}')


def test_at_the_limit_the_address_with_most_connections_makes_room(liner: FakeLiner) -> None:
    patient = replace(LIMITS, connections=5, head_seconds=600, idle_seconds=600)
    with serve(liner, limits=patient) as origin, ExitStack() as held:
        oldest = held.enter_context(connected(origin, source="127.0.0.3"))
        socks = [held.enter_context(connected(origin, source="127.0.0.2")) for _ in range(20)]
        assert [read_all(sock) for sock in socks[:16]] == [b""] * 16
        newest = held.enter_context(connected(origin, source="127.0.0.4"))
        assert read_all(socks[16]) == b""
        for sock in (oldest, newest):
            sock.sendall(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            until(sock, b'{"alive":true}')


_PREFLIGHT = (
    "OPTIONS /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\norigin: http://localhost\r\naccess-control-request-method: POST"
)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (_PREFLIGHT, b"200"),
        ("OPTIONS /mcp HTTP/1.1\r\nhost: 127.0.0.1", b"401"),
        ("GET /.well-known/oauth-protected-resource HTTP/1.1\r\nhost: 127.0.0.1", b"401"),
        ("GET /mcp HTTP/1.1\r\nhost: elsewhere.example", b"421"),
        ("POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000\r\nexpect: 100-continue", b"401"),
        ("CONNECT 127.0.0.1:25 HTTP/1.1\r\nhost: 127.0.0.1", b"401"),
    ],
)
def test_an_answer_to_a_client_without_a_name_is_the_last_on_its_connection(
    liner: FakeLiner, head: str, status: bytes
) -> None:
    patient = replace(LIMITS, head_seconds=600, idle_seconds=600)
    with serve(liner, authenticator=NameAuthenticator, limits=patient) as origin, connected(origin) as sock:
        sock.sendall(f"{head}\r\n\r\n".encode())
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.lower().count(b"connection: close") == 1


def test_a_client_with_a_name_keeps_its_connection(liner: FakeLiner) -> None:
    with serve(liner, authenticator=NameAuthenticator) as origin, connected(origin) as sock:
        for _ in range(3):
            sock.sendall(raw(question("tools/list", LEGACY), authorization="Bearer anna", accept="application/json"))
            assert b"connection: close" not in until(sock, b"}}").lower()


def test_the_rest_of_a_request_that_was_answered_is_not_parsed(
    liner: FakeLiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that is still sending reads its answer all the same."""
    parsed: list[int] = []
    receive = h11.Connection.receive_data

    def receive_data(self: h11.Connection, data: bytes) -> None:
        parsed.append(len(data))
        receive(self, data)

    head = raw(question("tools/list")).partition(b"\r\n\r\n")[0].replace(b"content-length", b"x-length")
    with serve(liner, authenticator=NameAuthenticator) as origin:
        monkeypatch.setattr(h11.Connection, "receive_data", receive_data)
        with connected(origin) as sock:
            sock.sendall(head + b"\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 500_000)
            answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert sum(parsed) < 100_000  # of 3,000,000
    assert max(parsed) <= READ_BYTES


def test_a_client_that_goes_on_sending_after_its_answer_is_closed(liner: FakeLiner) -> None:
    head = raw(question("tools/list"), **{"content-length": "100000000"}).partition(b"\r\n\r\n")[0]
    limits = replace(LIMITS, lingering_seconds=0.2, head_seconds=600, idle_seconds=600)
    with serve(liner, authenticator=NameAuthenticator, limits=limits) as origin, connected(origin) as sock:
        sock.sendall(head + b"\r\n\r\n")
        assert read_all(sock).startswith(b"HTTP/1.1 401 ")  # the server's side is closed, ours is not
        for _ in in_time():
            try:
                sock.sendall(b" " * 1_000)
            except OSError:
                break


def test_slow_bodies_of_one_caller_leave_room_for_others(liner: FakeLiner) -> None:
    limits = replace(LIMITS, max_concurrent_requests_per_caller=2)
    asked = question("tools/list")
    unfinished = raw(asked, authorization="Bearer anna")[:-10]
    with serve(liner, authenticator=NameAuthenticator, limits=limits) as origin, ExitStack() as held:
        for _ in range(2):
            held.enter_context(connected(origin)).sendall(unfinished)
        for _ in in_time():
            refused = post(origin, asked, authorization="Bearer anna")
            if refused.status_code == 429:
                break
        with connected(origin) as sock:
            sock.sendall(unfinished)
            assert sock.recv(1_000).startswith(b"HTTP/1.1 429 ")
        assert post(origin, asked, authorization="Bearer boris").status_code == 200


@pytest.mark.parametrize("era", [MODERN, LEGACY])
def test_a_request_sent_before_the_last_answer_is_the_last_on_its_connection(liner: FakeLiner, era: str) -> None:
    """Else a client could let requests wait in memory without end."""
    with serve(liner) as origin, connected(origin) as sock:
        sock.sendall(raw(question("tools/list", era)) * 3)
        answers = read_all(sock)
    assert answers.count(b"HTTP/1.1 200 ") == 2
    assert answers.count(b"connection: close") == 1


def test_a_body_in_very_small_chunks_is_not_read_to_its_end(liner: FakeLiner) -> None:
    """Each chunk costs the parser the same, however small: this one would take it seconds."""
    head = raw(question("tools/list"), host="elsewhere.example").partition(b"\r\n\r\n")[0]
    head = head.replace(b"content-length", b"x-length") + b"\r\ntransfer-encoding: chunked\r\n\r\n"
    limits = replace(LIMITS, parse_seconds=0.01, head_seconds=600)
    with serve(liner, limits=limits) as origin, connected(origin) as sock:
        sock.sendall(head)
        assert until(sock, b"}}").startswith(b"HTTP/1.1 421 ")
        with pytest.raises(OSError, match=r"reset|pipe|abort"):
            sock.sendall(b"1\r\nx\r\n" * 10_000_000)


def test_a_request_with_two_lengths_is_refused_and_its_connection_closed(liner: FakeLiner) -> None:
    """A proxy in front could see another end of it than we do, and let a second request through unseen."""
    head, _, body = raw(question("tools/list"), **{"transfer-encoding": "chunked"}).partition(b"\r\n\r\n")
    with serve(liner) as origin, connected(origin) as sock:
        sock.sendall(head + b"\r\n\r\n" + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"not both" in answer
    assert answer.count(b"HTTP/1.1") == 1


# The reading side ----------------------------------------------------------------------------------------------------

LARGE = 8_000_000  # far beyond what the system takes over for a socket


class LargeResponse:
    """Answers with more than a socket holds, and says when its sending ended."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def __call__(self, _: ASGIApp) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
            if scope["type"] == "http":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                for _ in range(8):
                    await send({"type": "http.response.body", "body": bytes(LARGE // 8), "more_body": True})
                await send({"type": "http.response.body"})
                self.ended.set()

        return app


def test_a_client_that_stops_reading_is_let_go(liner: FakeLiner) -> None:
    large = LargeResponse()
    with (
        serve(liner, authenticator=_only_http(large), limits=HASTY, deadline_seconds=0.5) as origin,
        connected(origin, receive_buffer=4_096) as sock,
    ):
        sock.sendall(raw(question("tools/list")))
        assert large.ended.wait(PATIENCE)  # without anybody having read a byte
        assert len(read_all(sock)) < LARGE


def test_a_client_that_reads_slowly_gets_everything(liner: FakeLiner) -> None:
    with (
        serve(liner, authenticator=_only_http(LargeResponse())) as origin,
        connected(origin, receive_buffer=4_096) as sock,
    ):
        sock.sendall(raw(question("tools/list"), connection="close"))
        got = 0
        while more := sock.recv(4_096):
            got += len(more)
        assert got > LARGE


def _only_http(app: LargeResponse) -> Any:
    """The application in the place of everything inside, which goes on hearing of the server's start and end."""

    def around(inner: ASGIApp) -> ASGIApp:
        async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
            await (app(inner) if scope["type"] == "http" else inner)(scope, receive, send)

        return chosen

    return around


# Rates ---------------------------------------------------------------------------------------------------------------


def test_a_caller_who_asks_too_often_is_told_when_to_ask_again(liner: FakeLiner) -> None:
    with serve(liner, mcp_requests_per_minute=3) as origin:
        statuses = [post(origin, question("tools/list")).status_code for _ in range(3)]
        refused = post(origin, question("tools/list"))
        assert statuses == [200, 200, 200]
        assert_says(told(refused, 429), "3_requests_in_a_minute")
        assert refused.headers["retry-after"] == "20"


def test_each_caller_has_a_rate_of_their_own(liner: FakeLiner) -> None:
    asked = question("tools/list")
    with serve(liner, authenticator=NameAuthenticator, mcp_requests_per_minute=1) as origin:
        assert post(origin, asked, authorization="Bearer anna").status_code == 200
        assert post(origin, asked, authorization="Bearer anna").status_code == 429
        assert post(origin, asked, authorization="Bearer boris").status_code == 200


def test_nothing_is_limited_when_the_rate_is_0_and_probes_never_are(liner: FakeLiner) -> None:
    with serve(liner, mcp_requests_per_minute=0) as origin:
        assert {post(origin, question("tools/list")).status_code for _ in range(20)} == {200}
    with serve(liner, mcp_requests_per_minute=1) as origin:
        assert {httpx.get(f"{origin}/health").status_code for _ in range(20)} == {200}


def test_only_so_many_callers_are_remembered(liner: FakeLiner) -> None:
    asked = question("tools/list")
    limits = replace(LIMITS, callers=2)
    with serve(liner, authenticator=NameAuthenticator, limits=limits, mcp_requests_per_minute=1) as origin:
        for name in ("anna", "boris", "vera", "anna"):  # vera's coming made anna forgotten
            assert post(origin, asked, authorization=f"Bearer {name}").status_code == 200
        assert post(origin, asked, authorization="Bearer anna").status_code == 429


def test_an_unknown_caller_is_refused_before_the_body_is_read_and_probes_need_no_name(liner: FakeLiner) -> None:
    with serve(liner, authenticator=NameAuthenticator) as origin:
        refused = post(origin, question("tools/list"))
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.headers["x-content-type-options"] == "nosniff"
        with connected(origin) as sock:
            sock.sendall(raw(question("tools/list"))[:-10])
            assert sock.recv(1_000).startswith(b"HTTP/1.1 401 ")
        assert httpx.get(f"{origin}/ready").status_code == 200


def test_ids_that_fail_for_one_caller_do_not_keep_another_from_being_answered(dataset: Dataset) -> None:
    """Liner answers 500 for some ids and is up. Only its health check says whether it is down."""
    failing = FakeLiner(dataset, faults=[Fault(Status(500), "78000")])
    mine = [one.id for one in dataset.calls.values() if dataset.records_of(one.id)][:14]

    def ask(origin: str, who: str, call_id: int) -> bool:
        response = post(origin, call("list_call_records", call_id=call_id), authorization=f"Bearer {who}")
        return result(response)["isError"]

    served = serve(failing, authenticator=NameAuthenticator, concurrency=16, deadline_seconds=5)
    with served as origin, ThreadPoolExecutor(18) as pool:
        refused = [pool.submit(ask, origin, "anna", 7_800_000 + number) for number in range(18)]
        for _ in in_time():  # the health check has been requested, so enough different ids have failed
            if failing.count("/health"):
                break
        assert [ask(origin, "boris", call_id) for call_id in mine] == [False] * 14
        assert [one.result() for one in refused] == [True] * 18


def test_a_question_too_many_at_once_is_told_to_come_again(liner: FakeLiner) -> None:
    slow = BlockingLiner(liner.dataset)
    limits = replace(LIMITS, max_concurrent_requests=2)
    with serve(slow, limits=limits, mcp_requests_per_minute=0, concurrency=16) as origin:
        with connected(origin) as one, connected(origin) as other:
            # Two calls and places for all they ask of Liner: what waits or is shared would not be seen coming.
            for sock, call_id in ((one, 7003900), (other, 7003901)):
                sock.sendall(raw(call("list_call_records", call_id=call_id)))
                for _ in in_time():
                    if any(str(call_id) in asked for asked in slow.held):
                        break
            refused = post(origin, question("tools/list"))
            assert refused.headers["retry-after"] == "2"
            told(refused, 503)
            assert httpx.get(f"{origin}/health").status_code == 200
        for _ in in_time():  # until the server has noticed that both went away
            if post(origin, question("tools/list")).status_code == 200:
                break
