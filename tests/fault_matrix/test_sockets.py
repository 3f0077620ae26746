"""What only a real network does: refuse, break off, offer no certificate, know no name."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager

import pytest
import stamina

from liner_mcp.demo import DemoLiner
from tests.fakes import FAULTS, FakeLiner, Fault
from tests.fault_matrix.client import ToolRequest, client_for, send
from tests.fault_matrix.oracle import check_sentence
from tests.fault_matrix.scenario import scenario_dataset
from tests.support.asgi_server import serve_app
from tests.support.certificates import self_signed
from tests.support.sentences import assert_says

pytestmark = pytest.mark.anyio

# One of each: a list, a detail beside a list, many lists, a dictionary, a resource.
REQUESTS = [
    ToolRequest("find_calls", {"since": "-1d", "orders": [201]}),
    ToolRequest("list_call_records", {"call_id": 7_000_001}),
    ToolRequest("get_call_summaries", {"call_ids": [7_000_001, 7_000_002]}),
    ToolRequest("list_directory", {"kind": "agents"}),
    ToolRequest(uri="liner://call-records/9000001/audio"),
]
every_request = pytest.mark.parametrize("tool_request", REQUESTS, ids=lambda one: one.tool or "a resource")


@pytest.fixture(autouse=True)
def without_retry_delay() -> Generator[None]:
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


async def sentence_from(origin: str, tool_request: ToolRequest) -> str:
    async with client_for(DemoLiner(), origin=origin, deadline_seconds=20) as client:
        outcome = await send(client, tool_request)
    assert outcome.sentence is not None
    check_sentence(outcome.sentence)
    return outcome.sentence


def closed_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@every_request
async def test_a_refused_connection_is_one_sentence(tool_request: ToolRequest) -> None:
    assert_says(await sentence_from(f"http://127.0.0.1:{closed_port()}", tool_request), "cannot_be_reached")


@every_request
@pytest.mark.usefixtures("network_without_dns")
async def test_an_unknown_name_is_one_sentence(tool_request: ToolRequest) -> None:
    assert "cannot be found (DNS)" in await sentence_from("https://liner.invalid", tool_request)


@every_request
async def test_a_proxy_that_is_not_there_is_one_sentence_about_the_proxy(
    monkeypatch: pytest.MonkeyPatch, tool_request: ToolRequest
) -> None:
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", f"http://name:password@127.0.0.1:{closed_port()}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "fe80::/10,[::1")
    sentence = await sentence_from("https://liner.invalid", tool_request)
    assert "The proxy in HTTPS_PROXY cannot be reached" in sentence
    assert "password" not in sentence


@every_request
async def test_a_connection_that_breaks_in_the_middle_is_one_sentence(tool_request: ToolRequest) -> None:
    liner = FakeLiner(scenario_dataset(), token="", faults=[Fault(FAULTS["a reset connection"])])
    with serve_app(liner) as origin:
        async with client_for(liner, origin=origin, deadline_seconds=20) as client:
            outcome = await send(client, tool_request)
    assert outcome.sentence is not None
    check_sentence(outcome.sentence)
    assert "broke before " in outcome.sentence


@every_request
async def test_tls_where_none_is_spoken_is_one_sentence(tool_request: ToolRequest) -> None:
    with serve_app(DemoLiner()) as origin:
        sentence = await sentence_from(origin.replace("http://", "https://"), tool_request)
        assert_says(sentence, "the_host_in_liner_api_host_speaks")


@every_request
async def test_a_certificate_that_no_one_vouches_for_is_one_sentence(
    tool_request: ToolRequest, untrusted: ssl.SSLContext
) -> None:
    async with tls_port(untrusted) as origin:
        assert_says(await sentence_from(origin, tool_request), "no_trusted_tls_certificate")


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A certificate for this machine that no authority has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(tmp_path_factory.mktemp("tls"), "127.0.0.1"))
    return context


@asynccontextmanager
async def tls_port(context: ssl.SSLContext) -> AsyncGenerator[str]:
    """A port that shows its certificate and says nothing more."""

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
