"""The tool of the view over HTTP: a client declares MCP Apps, and the server remembers nothing."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp.client import advertise
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID

from tests.fakes import FakeLiner
from tests.http_server.support import LEGACY, question, result, serve

UI = {EXTENSION_ID: {"mimeTypes": [APP_MIME_TYPE]}}


@pytest.fixture
def origin(liner: FakeLiner) -> Generator[str]:
    with serve(liner) as where:
        yield where


def initialize(origin: str, extensions: Any) -> httpx.Response:
    client = {"name": "host", "version": "1"}
    asked = question(
        "initialize", LEGACY, protocolVersion=LEGACY, clientInfo=client, capabilities={"extensions": extensions}
    )
    return httpx.post(f"{origin}/mcp", **asked)


def names(origin: str, headers: dict[str, str]) -> list[str]:
    asked = question("tools/list", LEGACY)
    asked["headers"] |= headers
    return [tool["name"] for tool in result(httpx.post(f"{origin}/mcp", **asked))["tools"]]


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("declares", [True, False])
async def test_a_client_gets_the_tool_of_the_view_if_it_declares_apps_in_its_era(
    origin: str, mode: Any, declares: bool
) -> None:
    extensions = [advertise(EXTENSION_ID, UI[EXTENSION_ID])] if declares else None
    async with Client(f"{origin}/mcp", mode=mode, extensions=extensions) as client:
        listed = [tool.name for tool in (await client.list_tools()).tools]
    assert ("read_audio" in listed) is declares


def test_the_session_id_is_understood_by_any_process(origin: str, liner: FakeLiner) -> None:
    answer = initialize(origin, UI)
    session = {"mcp-session-id": answer.headers["mcp-session-id"]}
    assert session != {"mcp-session-id": initialize(origin, UI).headers["mcp-session-id"]}
    with serve(liner) as other:
        assert "read_audio" in names(other, session)
    assert "read_audio" not in names(origin, {})
    assert "read_audio" not in names(origin, {"mcp-session-id": "another"})


@pytest.mark.parametrize("extensions", [{}, {EXTENSION_ID: {}}, {EXTENSION_ID: {"mimeTypes": ["text/html"]}}])
def test_a_client_that_does_not_declare_apps_gets_no_session_id(origin: str, extensions: Any) -> None:
    answer = initialize(origin, extensions)
    assert result(answer)["serverInfo"]["name"] == "liner-mcp"
    assert "mcp-session-id" not in answer.headers
