"""The way to Liner: proxies of the environment, exceptions from them, certificates; and the setting that is named."""

from __future__ import annotations

import asyncio
import importlib.util
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from liner_mcp.errors import AccessRefused, LinerMcpError, SettingsError, Unreachable
from liner_mcp.liner import connections
from liner_mcp.liner.connections import EnvironmentProxy, proxy_for
from tests.liner.test_client import CALL, ONE_CALL, ORIGIN, client_at, error_of, ok, raw, raw_socket_server
from tests.support.sentences import assert_says, recorded

pytestmark = pytest.mark.anyio

PROXY = "http://name:pass-word@proxy.example:3128"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


# Which proxy ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "origin", "variable"),
    [
        ({}, ORIGIN, None),
        ({"HTTPS_PROXY": PROXY}, ORIGIN, "HTTPS_PROXY"),
        ({"https_proxy": PROXY}, ORIGIN, "https_proxy"),
        ({"ALL_PROXY": PROXY}, ORIGIN, "ALL_PROXY"),
        ({"HTTPS_PROXY": "http://other:1", "https_proxy": PROXY}, ORIGIN, "https_proxy"),
        ({"ALL_PROXY": "http://other:1", "HTTPS_PROXY": PROXY}, ORIGIN, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "", "ALL_PROXY": PROXY}, ORIGIN, "ALL_PROXY"),
        ({"HTTPS_PROXY": f" {PROXY} "}, ORIGIN, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": PROXY.removeprefix("http://")}, ORIGIN, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "  "}, ORIGIN, None),
        ({"HTTP_PROXY": PROXY}, ORIGIN, None),
        ({"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY, "ALL_PROXY": PROXY}, "http://127.0.0.1:8080", None),
    ],
)
def test_the_proxy_for_https_counts_before_the_one_for_all_and_lower_case_before_upper(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], origin: str, variable: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = proxy_for(origin)
    assert (found and found.variable, found and found.url) == (variable, variable and PROXY)
    assert "pass-word" not in repr(found)


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize(
    ("origin", "entries", "direct"),
    [
        (ORIGIN, "*", True),
        (ORIGIN, "localhost, * ", True),
        (ORIGIN, "liner.example", True),
        (ORIGIN, " LINER.Example ,other", True),
        (ORIGIN, ".example", True),
        (ORIGIN, "*.example", True),
        (ORIGIN, "example", True),
        (ORIGIN, "liner.example:443", True),
        (ORIGIN, "https://liner.example", True),
        (ORIGIN, "all://liner.example/", True),
        (ORIGIN, "http://liner.example", False),
        (ORIGIN, "liner.example:8443", False),
        (ORIGIN, "ner.example", False),
        (ORIGIN, "", False),
        (ORIGIN, " , ,", False),
        (ORIGIN, "fe80::/10", False),
        (ORIGIN, "[::1],fe80::/10,10.0.0.0/8", False),
        (ORIGIN, "[::1", False),
        (ORIGIN, "http://[::1,://,%zz,a b, \x7f,*.*,..", False),
        (ORIGIN, "fe80::/10,[::1,liner.example", True),
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://10.1.2.3", "10.1.2.3/8", True),
        ("https://10.1.2.3", "10.1.2.3", True),
        ("https://10.1.2.3", "11.0.0.0/8", False),
        ("https://10.1.2.3:8443", "10.1.2.3:8443", True),
        ("https://[fe80::1]", "fe80::/10", True),
        ("https://[fe80::1]", "[fe80:0::1]", True),
        ("https://[fe80::1]", "[fe80::1]:443", True),
        ("https://[fe80::1]", "[fe80::2]", False),
    ],
)
def test_no_proxy_names_hosts_domains_addresses_and_networks_and_the_rest_is_left_out(
    monkeypatch: pytest.MonkeyPatch, name: str, origin: str, entries: str, direct: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv(name, entries)
    assert (proxy_for(origin) is None) is direct


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_no_text_in_no_proxy_stops_anything(entries: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HTTPS_PROXY", PROXY)
        patch.setenv("NO_PROXY", entries)
        proxy_for(ORIGIN)


async def test_where_there_is_no_no_proxy_the_systems_exceptions_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"https": PROXY})
    assert proxy_for(ORIGIN) == EnvironmentProxy("the system's settings", PROXY)
    monkeypatch.setattr("urllib.request.proxy_bypass", {"liner.example:443": True}.get)
    assert proxy_for(ORIGIN) is None


# Calls ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entries", ["fe80::/10", "[::1]", "localhost,127.0.0.1,::1,10.0.0.0/8,.local", "[", "*"])
@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:1"])
async def test_calls_work_whatever_no_proxy_holds(
    monkeypatch: pytest.MonkeyPatch, entries: str, proxy: str | None
) -> None:
    monkeypatch.setenv("NO_PROXY", entries)
    if proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    with respx.mock() as web:
        web.get(CALL).mock(ok({"id": 7}))
        async with client_at() as client:
            assert (await client.call(7)).id == 7


async def test_plain_http_to_this_machine_asks_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with raw_socket_server(raw(ONE_CALL)) as heard, client_at(heard.origin) as client:
        assert (await client.call(7)).id == 7


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    "value",
    [
        "http://[::1",
        "http://",
        "http://name:secret@",
        "http://proxy.example:99999",
        "http://proxy.example:port",
        "gopher://proxy.example:1",
        "://",
        pytest.param(
            "socks5://proxy.example:1",
            marks=pytest.mark.skipif(importlib.util.find_spec("socksio") is not None, reason="SOCKS works here"),
        ),
    ],
)
async def test_a_proxy_that_cannot_be_used_is_named_by_its_variable_alone(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    async with client_at() as client:
        error = await error_of(client.call(7))
    assert isinstance(error, SettingsError)
    assert_says(str(error), "the_proxy_in_cannot_be_used", name=name)
    assert "LINER_API_HOST" not in str(error)
    assert "SSL_CERT" not in str(error)
    assert "secret" not in str(error)
    assert "proxy.example" not in str(error)


async def test_certificates_that_cannot_be_read_are_named_by_their_variable_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/certificates.pem")
    async with client_at() as client:
        error = await error_of(client.call(7))
    assert isinstance(error, SettingsError)
    assert "SSL_CERT_FILE" in str(error)
    assert "PROXY" not in str(error)
    assert "/no/such/certificates.pem" in str(error)


@pytest.mark.parametrize(
    ("status", "kind", "said", "asked"),
    [
        ("407 Proxy Authentication Required", SettingsError, recorded("wants_a_user_name_and_a"), 1),
        ("403 Forbidden", AccessRefused, recorded("refuses_to_connect_to_liner_http"), 1),
        ("502 Bad Gateway", Unreachable, recorded("could_not_connect_to_liner_http"), 4),
    ],
)
async def test_what_a_proxy_refuses_is_told_of_the_proxy(
    monkeypatch: pytest.MonkeyPatch, status: str, kind: type[LinerMcpError], said: str, asked: int
) -> None:
    async with raw_socket_server(raw(b"<html>", status=status)) as heard:
        monkeypatch.setenv("HTTPS_PROXY", heard.origin.replace("http://", "http://name:pass-word@"))
        async with client_at() as client:
            error = await error_of(client.call(7))
    assert type(error) is kind
    assert_says(str(error), "the_proxy_in_https_proxy", said=said, at_start=True)
    assert "pass-word" not in str(error)
    assert len(heard.heads) == asked
    assert all(head.startswith("CONNECT liner.example:443 ") for head in heard.heads)
    assert "x-api-key" not in "".join(heard.heads).lower()


async def test_a_proxy_that_is_not_there_is_told_and_not_liners_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    async with client_at() as client:
        error = await error_of(client.call(7))
    assert isinstance(error, Unreachable)
    assert_says(str(error), "the_proxy_in_all_proxy_cannot_be")
    assert "LINER_API_HOST" not in str(error)


@pytest.mark.parametrize("told", ["", "proxy", "Malformed reply", "999 What"])
def test_a_proxy_without_a_status_may_answer_another_time(told: str) -> None:
    error = connections.refused_by_proxy(told, None)
    assert isinstance(error, Unreachable)
    assert error.transient
    assert "What" not in str(error)


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", b"\r\n", b"\x15\x03\x01"]
)
async def test_a_port_that_speaks_no_http_is_told_with_the_setting_to_check(
    monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    async with raw_socket_server(answer) as heard:
        async with client_at(heard.origin) as client:
            direct = await error_of(client.call(7))
        monkeypatch.setenv("HTTPS_PROXY", heard.origin)
        async with client_at() as client:
            proxied = await error_of(client.call(7))
    assert isinstance(direct, Unreachable)
    assert_says(str(direct), "what_answers_at_liner_api_host")
    assert isinstance(proxied, Unreachable)
    assert_says(str(proxied), "through_the_proxy_in_https_proxy")
    assert "LINER_API_HOST" not in str(proxied)


async def test_https_to_a_port_of_plain_http_is_no_matter_of_certificates() -> None:
    async with plain_port() as port, client_at(f"https://127.0.0.1:{port}") as client:
        error = await error_of(client.call(7))
    assert isinstance(error, Unreachable)
    assert_says(str(error), "the_host_in_liner_api_host_speaks", at_start=True)
    assert not error.transient


async def test_an_https_proxy_that_speaks_plain_http_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with plain_port() as port:
        monkeypatch.setenv("HTTPS_PROXY", f"https://127.0.0.1:{port}")
        async with client_at() as client:
            error = await error_of(client.call(7))
    assert isinstance(error, Unreachable)
    assert_says(str(error), "the_proxy_in_https_proxy_or_the", at_start=True)
    assert_says(str(error), "in_liner_api_host_and_in", at_end=True)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "https://proxy.example:1",
            "the_proxy_in_https_proxy_or",
        ),
        (PROXY, "the_host_in_liner_api_host_reached"),
    ],
)
def test_a_certificate_behind_a_proxy_may_be_of_an_https_proxy(url: str, said: str) -> None:
    error = connections.connection_error(
        ssl.SSLCertVerificationError("self-signed"), EnvironmentProxy("HTTPS_PROXY", url)
    )
    assert_says(str(error), said, at_start=True)


def test_a_proxy_is_named_where_the_time_is_over() -> None:
    assert_says(
        str(connections.timed_out("in time", EnvironmentProxy("HTTPS_PROXY", PROXY))), "the_proxy_in_https_proxy_2"
    )
    assert "proxy" not in str(connections.timed_out("in time", None))


@asynccontextmanager
async def plain_port() -> AsyncGenerator[int]:
    """A port that answers the first bytes of anything with plain HTTP."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(raw(b"", status="400 Bad Request"))
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
