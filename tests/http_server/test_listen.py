"""Where the server may listen."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from liner_mcp.errors import SettingsError, SetupError
from liner_mcp.http_server.listen import endpoint_url, open_listener, parse_address
from liner_mcp.http_server.workers import supervise
from liner_mcp.settings import Settings, read_settings


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:8080", ("::1", 8080)),
        (" calls.example.com:65535 ", ("calls.example.com", 65535)),
    ],
)
def test_host_and_port_are_read(text: str, place: tuple[str, int]) -> None:
    assert parse_address(text) == place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8080",
        ":8080",
        "localhost",
        "::1:8080",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:http",
        "http://x:80",
        "[]:1",
    ],
)
def test_anything_else_is_told_how_to_write_it(text: str) -> None:
    with pytest.raises(SetupError, match=r"such as 127\.0\.0\.1:8080"):
        parse_address(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_loopback_needs_no_guard(host: str) -> None:
    with open_listener(f"{host}:0", Settings()) as listener:
        assert endpoint_url(listener, Settings(mcp_path_prefix="/liner")).endswith("/liner/mcp")
        assert listener.proto == socket.IPPROTO_TCP  # else answers are held back 40 ms


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])  # noqa: S104 - what is refused
@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({}, ["LINER_MCP_TOKENS_FILE", "LINER_MCP_ALLOWED_HOSTS"]),
        ({"mcp_allowed_hosts": "calls.example.com"}, ["LINER_MCP_TOKENS_FILE"]),
        ({"mcp_tokens_file": "tokens"}, ["LINER_MCP_ALLOWED_HOSTS"]),
    ],
)
def test_what_others_can_reach_must_be_guarded(host: str, settings: dict[str, Any], missing: list[str]) -> None:
    with pytest.raises(SettingsError) as refused:
        open_listener(f"{host}:0", Settings(**settings))
    assert [
        name for name in ("LINER_MCP_TOKENS_FILE", "LINER_MCP_ALLOWED_HOSTS") if name in str(refused.value)
    ] == missing


@pytest.mark.parametrize(
    "guard",
    [
        {"mcp_tokens_file": "tokens"},
        {"mcp_oauth_issuer": "https://auth.example.com", "mcp_oauth_audience": "https://calls.example.com/mcp"},
    ],
)
def test_with_authentication_and_names_it_listens_everywhere(guard: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"mcp_allowed_hosts": "calls.example.com", **guard}
    settings = Settings(**fields)
    with open_listener("0.0.0.0:0", settings) as listener:
        assert endpoint_url(listener, settings).startswith("http://calls.example.com:")


def test_a_port_in_use_and_a_host_that_is_not_here_are_told() -> None:
    with open_listener("127.0.0.1:0", Settings()) as taken, pytest.raises(SetupError, match="in use"):
        open_listener(f"127.0.0.1:{taken.getsockname()[1]}", Settings())
    with pytest.raises(SetupError, match="cannot be found"):
        open_listener("calls.invalid:8080", Settings())


def test_workers_that_cannot_start_end_it_all_with_one_sentence_each(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    handlers = {sig: signal.getsignal(sig) for sig in (signal.SIGTERM, signal.SIGINT)}
    settings = Settings(mcp_demo=True, mcp_tokens_file=Path("no such file"), mcp_log="off")
    try:
        with open_listener("127.0.0.1:0", settings) as listener:
            assert supervise(settings, listener, count=1, on_ready=lambda: pytest.fail("it serves")) == 1
    finally:
        for sig, handler in handlers.items():
            signal.signal(sig, handler)
    (told,) = capfd.readouterr().err.splitlines()
    assert told.startswith("LINER_MCP_TOKENS_FILE cannot be used: it cannot be read")
    assert [record.getMessage() for record in caplog.records] == [
        "A worker ended before it was ready, so all workers stop."
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MCP_ALLOWED_HOSTS", "https://calls.example.com"),
        ("MCP_ALLOWED_HOSTS", "*"),
        ("MCP_ALLOWED_HOSTS", "calls.example.com:http"),
        ("MCP_ALLOWED_ORIGINS", "app.example.com"),
        ("MCP_ALLOWED_ORIGINS", "*"),
        ("MCP_ALLOWED_ORIGINS", "https://app.example.com/page"),
        ("MCP_TRUSTED_PROXIES", "proxy.example.com"),
        ("MCP_TRUSTED_PROXIES", "*"),
        ("MCP_PATH_PREFIX", "/li ner"),
        ("MCP_PATH_PREFIX", "/../x?"),
        ("MCP_REQUESTS_PER_MINUTE", "-1"),
    ],
)
def test_an_unusable_setting_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"LINER_{name}", value)
    with pytest.raises(SettingsError, match=f"^LINER_{name} cannot be used: "):
        read_settings()


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINER_MCP_ALLOWED_HOSTS", " Calls.Example.com , [2001:DB8::1]:8080,, 10.0.0.5")
    monkeypatch.setenv("LINER_MCP_ALLOWED_ORIGINS", "https://App.example.com:443/,http://localhost:6274")
    monkeypatch.setenv("LINER_MCP_TRUSTED_PROXIES", "10.0.0.5, 192.168.0.0/16")
    monkeypatch.setenv("LINER_MCP_PATH_PREFIX", "liner/team/")
    settings = read_settings()
    assert settings.mcp_allowed_hosts == ("calls.example.com", "[2001:db8::1]:8080", "10.0.0.5")
    assert settings.mcp_allowed_origins == ("https://app.example.com", "http://localhost:6274")
    assert settings.mcp_trusted_proxies == ("10.0.0.5/32", "192.168.0.0/16")
    assert settings.mcp_path_prefix == "/liner/team"
