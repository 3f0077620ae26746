"""The view through an MCP client, in both protocol eras: its links, its page, and the pieces of a recording."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp.client import advertise
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID
from mcp.types import TextResourceContents

from liner_mcp.demo import Dataset
from liner_mcp.demo.audio import silence
from liner_mcp.recordings.recording_cache import CACHE_MAX_BYTES, CACHE_TTL_SECONDS, RecordingCache
from liner_mcp.server.app import create_server
from liner_mcp.server.caller import Caller, set_caller
from liner_mcp.settings import Settings
from tests.conftest import NOW, Session
from tests.fakes import FakeLiner
from tests.support.account import ACCOUNT
from tests.support.log_capture import capture_logs
from tests.support.sentences import assert_says

pytestmark = pytest.mark.anyio

URI = "ui://liner-mcp/calls.html"
SHOWN = {"find_calls", "call_stats", "list_call_records", "get_call_summaries"}
APPS = advertise(EXTENSION_ID, {"mimeTypes": [APP_MIME_TYPE]})
OTHER_TYPE = advertise(EXTENSION_ID, {"mimeTypes": ["text/html"]})
PIECE = 300_000


@pytest.fixture
def dataset() -> Dataset:
    return Dataset.generate(now=NOW, days=2, calls=30)


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def connect(liner: FakeLiner, mode: Any) -> Any:
    """Open a session with a server of these settings. `apps` is what the client declares."""

    @asynccontextmanager
    async def opened(*, apps: Any = APPS, **settings: Any) -> AsyncGenerator[Session]:
        fields: dict[str, Any] = {**ACCOUNT, "timezone": "Europe/Moscow", "requests_per_second": 0, **settings}
        server = create_server(Settings(**fields), transport=httpx.ASGITransport(app=liner), now=lambda: NOW)
        async with Client(server, mode=mode, extensions=[apps] if apps else None, raise_exceptions=True) as client:
            yield Session(client)

    return opened


async def listed(session: Session) -> dict[str, dict[str, Any] | None]:
    """The metadata of each listed tool."""
    return {tool.name: tool.meta for tool in (await session.client.list_tools()).tools}


def record_of(dataset: Dataset, seconds: int) -> int:
    return dataset.add_record(dataset.add_call().id, duration_seconds=seconds).id


async def pieces(session: Session, record_id: int) -> list[dict[str, Any]]:
    """Every piece of a recording, following next_start."""
    found = [await session.answer("read_audio", record_id=record_id)]
    while "next_start" in found[-1]:
        found.append(await session.answer("read_audio", record_id=record_id, start=found[-1]["next_start"]))
    return found


# Which hosts get it ---------------------------------------------------------------------------------------------------


async def test_four_tools_lead_to_the_view_in_both_spellings(connect: Any) -> None:
    async with connect(apps=None) as session:
        tools = await listed(session)
    assert {name for name, meta in tools.items() if meta} == SHOWN
    for name in SHOWN:
        assert tools[name] == {"ui": {"resourceUri": URI}, "ui/resourceUri": URI}


@pytest.mark.parametrize(("apps", "is_listed"), [(APPS, True), (None, False), (OTHER_TYPE, False)])
async def test_the_tool_for_recordings_is_listed_to_a_client_that_declares_apps_and_to_no_other(
    connect: Any, apps: Any, is_listed: bool
) -> None:
    async with connect(apps=apps) as session:
        tools = await listed(session)
        assert ("read_audio" in tools) is is_listed
        assert tools.get("read_audio") == ({"ui": {"visibility": ["app"]}} if is_listed else None)


async def test_a_list_of_tools_is_not_shared_between_clients(connect: Any, mode: Any) -> None:
    for app, scope in (("on", "private"), ("off", "public")):
        async with connect(app=app) as session:
            told = (await session.client.list_tools()).cache_scope
        assert told == (
            "private" if mode == "legacy" else scope
        )  # the older protocol has no hints; the client's default


async def test_switched_off_nothing_of_it_is_left(connect: Any) -> None:
    async with connect(app="off") as session:
        tools = await listed(session)
        assert len(tools) == 7
        assert not any(tools.values())
        assert URI not in [one.uri for one in (await session.client.list_resources()).resources]
        assert EXTENSION_ID not in (session.client.server_capabilities.extensions or {})


async def test_without_audio_there_is_a_view_without_a_player(connect: Any) -> None:
    async with connect(audio="off") as session:
        tools = await listed(session)
        assert "read_audio" not in tools
        assert tools["find_calls"]
        assert 'data-audio="off"' in (await page(session)).text
    async with connect() as session:
        assert 'data-audio="off"' not in (await page(session)).text


async def test_an_unknown_tool_names_the_tools_of_a_model(connect: Any) -> None:
    async with connect() as session:
        with pytest.raises(Exception, match="Unknown tool") as raised:
            await session.call("play")
    assert "find_calls" in str(raised.value)
    assert "read_audio" not in str(raised.value)


# Its page -------------------------------------------------------------------------------------------------------------


async def page(session: Session) -> TextResourceContents:
    (content,) = (await session.client.read_resource(URI)).contents
    assert isinstance(content, TextResourceContents)
    return content


async def test_the_page_is_small_and_declares_that_it_needs_no_address(connect: Any) -> None:
    async with connect() as session:
        content = await page(session)
    assert content.mime_type == "text/html;profile=mcp-app"
    assert content.meta == {"ui": {"csp": {"connectDomains": [], "resourceDomains": []}, "prefersBorder": True}}
    assert len(content.text.encode()) <= 25_000


async def test_the_page_has_no_address_and_no_way_from_text_to_markup(connect: Any) -> None:
    async with connect(mcp_demo=True, api_host=None, api_token=None) as session:
        html = (await page(session)).text
    assert html.startswith("<!doctype html>\n")  # no label of the demo before it
    assert "default-src 'none'" in html
    forbidden = ("http:", "https:", "//cdn", "import(", "fetch(", "innerHTML", "outerHTML", "insertAdjacent", "eval(")
    forbidden += ("Function(", "document.write", "localStorage", "XMLHttpRequest", "WebSocket", "<img", "<link", "<a ")
    assert [word for word in forbidden if word in html] == []


# Recordings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [3, 300, 301, 700, 7_990])
async def test_the_pieces_of_a_recording_join_to_the_file_and_cost_one_download(
    connect: Any, liner: FakeLiner, dataset: Dataset, seconds: int
) -> None:
    record_id = record_of(dataset, seconds)
    async with connect() as session:
        found = await pieces(session, record_id)
        await pieces(session, record_id)  # it is played again
    file = silence(seconds)
    assert base64.b64decode("".join(piece["base64"] for piece in found)) == file
    assert len(found) == -(-len(file) // PIECE)
    assert {piece["size"] for piece in found} == {len(file)}
    assert [piece["start"] for piece in found] == list(range(0, len(file), PIECE))
    assert max(len(json.dumps(piece)) for piece in found) < 500_000  # hosts refuse results over 1 MB
    assert liner.count("/audio/") == 1


async def test_a_recording_over_eight_megabytes_is_refused(connect: Any, dataset: Dataset) -> None:
    async with connect() as session:
        refusal = await session.refusal("read_audio", record_id=record_of(dataset, 8_001))
    assert_says(refusal, "at_most_8_000_000_are_passed_on")


@pytest.mark.parametrize("start", [3_025, 10**9])
async def test_a_start_past_the_end_is_refused(connect: Any, dataset: Dataset, start: int) -> None:
    record_id = record_of(dataset, 3)
    async with connect() as session:
        assert await session.refusal("read_audio", record_id=record_id, start=3_024)  # the size of the file
        refusal = await session.refusal("read_audio", record_id=record_id, start=start)
    assert_says(refusal, "start_the_recording_of_record_has", record_id=record_id, start=start)


@pytest.mark.parametrize(
    "arguments", [{"record_id": 12}, {"record_id": 0}, {"record_id": "x"}, {}, {"record_id": 9_000_001, "start": -1}]
)
async def test_an_unusable_argument_is_one_sentence(connect: Any, arguments: dict[str, Any]) -> None:
    async with connect() as session:
        refusal = await session.refusal("read_audio", **arguments)
    assert refusal.endswith(".")
    assert "record_id" in refusal or "start" in refusal


async def test_switched_off_audio_is_no_tool_and_a_rule_without_audio_is_a_sentence(
    connect: Any, dataset: Dataset, tmp_path: Path
) -> None:
    rules = tmp_path / "access.toml"
    rules.write_text("[callers.boris]\norders = 'all'\nagents = 'all'\naudio = false\n")
    record_id = record_of(dataset, 3)
    with set_caller(Caller("boris")):
        async with connect(mcp_access_file=rules) as session:
            assert_says(await session.refusal("read_audio", record_id=record_id), "your_access_to_this_server_does")
    async with connect(audio="off") as session:
        with pytest.raises(Exception, match="Unknown tool"):
            await session.call("read_audio", record_id=record_id)


async def test_a_cached_recording_is_not_given_to_a_caller_who_may_not_see_its_call(
    liner: FakeLiner, dataset: Dataset, tmp_path: Path, mode: Any
) -> None:
    call = dataset.add_call()
    record_id = dataset.add_record(call.id, duration_seconds=700).id
    other = next(order.id for order in dataset.orders if order.id != call.order_id)
    rules = tmp_path / "access.toml"
    rules.write_text(
        f"[callers.anna]\norders = [{call.order_id}]\nagents = 'all'\n"
        f"[callers.boris]\norders = [{other}]\nagents = 'all'\n"
    )
    settings = Settings(**ACCOUNT, requests_per_second=0, mcp_access_file=rules)
    server = create_server(settings, transport=httpx.ASGITransport(app=liner), now=lambda: NOW, shared=True)

    async def ask(caller: str, tool: str = "read_audio", **arguments: Any) -> Any:
        with set_caller(Caller(caller)):
            async with Client(server, mode=mode, extensions=[APPS]) as client:
                return await client.call_tool(tool, arguments)

    await ask("anna", "list_call_records", call_id=call.id)
    assert not (await ask("anna", record_id=record_id)).is_error
    for start in (0, PIECE, 10**9):
        hidden = await ask("boris", record_id=record_id, start=start)
        unknown = await ask("boris", record_id=9_999_999, start=start)
        assert hidden.is_error
        assert hidden.content[0].text.replace(str(record_id), "") == unknown.content[0].text.replace("9999999", "")
    assert not (await ask("anna", record_id=record_id, start=PIECE)).is_error
    assert liner.count("/audio/") == 1


async def test_without_settings_it_says_what_to_set(mode: Any) -> None:
    async with Client(create_server(Settings()), mode=mode, extensions=[APPS]) as client:
        assert_says(await Session(client).refusal("read_audio", record_id=1), "set_liner_api_host")


async def test_each_piece_is_logged_with_the_record_and_its_size_and_without_its_bytes(
    connect: Any, dataset: Dataset
) -> None:
    record_id = record_of(dataset, 400)
    with capture_logs() as lines:
        async with connect() as session:
            first, last = await pieces(session, record_id)
        told = [lines.next("audit"), lines.next("audit")]
    assert [line["name"] for line in told] == ["read_audio", "read_audio"]
    assert [line["outcome"] for line in told] == ["partial", "ok"]
    assert told[1]["arguments"] == {"record_id": record_id}
    for line, piece in zip(told, (first, last), strict=True):
        assert len(piece["base64"]) < line["bytes"] < len(piece["base64"]) + 200
        assert len(json.dumps(line)) < 1_000


# The cache ------------------------------------------------------------------------------------------------------------


def test_the_cache_holds_32_megabytes_and_drops_what_was_played_longest_ago() -> None:
    cache, file = RecordingCache(), bytes(8_000_000)
    for key in range(4):
        cache.put(key, file)
    assert cache.get(0) == file  # it is played again, so 1 is the oldest
    cache.put(4, file)
    assert [key for key in range(5) if cache.get(key)] == [0, 2, 3, 4]
    assert CACHE_MAX_BYTES == 32_000_000


def test_a_recording_is_cached_for_two_minutes_after_its_last_piece() -> None:
    now = 0.0
    cache = RecordingCache(timer=lambda: now)
    cache.put(1, b"file")
    for _ in range(5):
        now += CACHE_TTL_SECONDS - 1
        assert cache.get(1) == b"file"
    now += CACHE_TTL_SECONDS + 1
    assert cache.get(1) is None
