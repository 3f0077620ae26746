"""The resources through an MCP client, in both protocol eras."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from typing import Any, get_args

import httpx
import pytest
from mcp import Client, MCPError
from mcp.types import INVALID_PARAMS, BlobResourceContents, ResourceTemplateReference, TextResourceContents

from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.records.record_rows import SummaryState
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from tests.support.account import ACCOUNT
from tests.support.sentences import assert_says, recorded

pytestmark = pytest.mark.anyio

CALL, RECORD = 7003900, 9002362
TEMPLATES = [
    "liner://calls/{call_id}",
    "liner://call-records/{record_id}",
    "liner://call-records/{record_id}/summary",
    "liner://call-records/{record_id}/audio",
]


@pytest.fixture(params=["auto", "legacy"])
async def client(request: pytest.FixtureRequest, dataset: Dataset) -> AsyncGenerator[Client]:
    settings = Settings(**ACCOUNT, timezone="Europe/Moscow", requests_per_second=0)
    server = create_server(settings, transport=httpx.ASGITransport(app=DemoLiner(dataset)))
    async with Client(server, mode=request.param) as connected:
        yield connected


async def text(client: Client, uri: str) -> str:
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    return content.text


async def refused(client: Client, uri: str) -> MCPError:
    with pytest.raises(MCPError) as raised:
        await client.read_resource(uri)
    return raised.value


async def test_the_templates_and_the_guide_are_listed(client: Client) -> None:
    listed_uris = [one.uri for one in (await client.list_resources()).resources]
    assert [uri for uri in listed_uris if uri.startswith("liner://")] == ["liner://guide"]
    listed = (await client.list_resource_templates()).resource_templates
    assert [template.uri_template for template in listed] == TEMPLATES
    assert all(template.title and template.description and template.mime_type for template in listed)


async def test_a_call_says_what_its_tool_says(client: Client) -> None:
    told = await client.call_tool("list_call_records", {"call_id": CALL, "limit": 100, "summary_chars": 600})
    assert json.loads(await text(client, f"liner://calls/{CALL}")) == told.structured_content  # pyright: ignore[reportAttributeAccessIssue] - our tools never ask back


async def test_a_record_says_what_its_tool_says(client: Client) -> None:
    told = await client.call_tool("get_call_record", {"record_id": RECORD})
    assert json.loads(await text(client, f"liner://call-records/{RECORD}")) == told.structured_content  # pyright: ignore[reportAttributeAccessIssue] - our tools never ask back


async def test_a_summary_is_plain_text_below_a_line_that_says_what_it_is(client: Client, dataset: Dataset) -> None:
    line, _, rest = (await text(client, f"liner://call-records/{RECORD}/summary")).partition("\n")
    assert line == (recorded("summary_of_call_record_by_liners_ai", record=RECORD))
    assert rest == dataset.records[RECORD].summary


async def test_audio_is_the_file_itself(client: Client, dataset: Dataset) -> None:
    (content,) = (await client.read_resource(f"liner://call-records/{RECORD}/audio")).contents
    assert isinstance(content, BlobResourceContents)
    assert content.mime_type == "audio/mpeg"
    audio = base64.b64decode(content.blob)
    assert audio[:2] == b"\xff\xe3"
    assert len(audio) > 100 * dataset.records[RECORD].duration_seconds


async def test_the_guide_explains_every_summary_state(client: Client) -> None:
    guide = await text(client, "liner://guide")
    for state in get_args(SummaryState):
        assert f"`{state}`" in guide


@pytest.mark.parametrize(
    "uri",
    [
        "liner://calls/12",
        "liner://calls/0",
        "liner://calls/-1",
        "liner://calls/abc",
        "liner://calls/..%2F7003900",
        "liner://calls/../guide",
        "liner://calls/9007199254740992",
        "liner://calls/99999999999999999999999",
        "liner://calls/true",
        "liner://call-records/12",
        "liner://call-records/12/summary",
        "liner://call-records/12/audio",
        "liner://call-records/7003900",
        "liner://call-records/../../etc/passwd",
        "liner://nothing",
        "file:///etc/passwd",
    ],
)
async def test_what_does_not_exist_is_an_invalid_parameter_that_names_the_uri(client: Client, uri: str) -> None:
    error = (await refused(client, uri)).error
    assert error.code == INVALID_PARAMS
    assert error.data == {"uri": uri}


@pytest.mark.parametrize("uri", [f"liner://calls/{CALL}", f"liner://call-records/{RECORD}/audio", TEMPLATES[1]])
async def test_without_settings_a_resource_says_what_to_set(uri: str) -> None:
    async with Client(create_server(Settings())) as client:
        error = (await refused(client, uri.replace("{record_id}", "1"))).error
    assert_says(error.message, "set_liner_api_host")


async def test_audio_that_is_switched_off_is_not_on_the_menu() -> None:
    async with Client(create_server(Settings(mcp_demo=True, audio="off"))) as client:
        listed = (await client.list_resource_templates()).resource_templates
        assert [template.uri_template for template in listed] == TEMPLATES[:3]
        error = (await refused(client, f"liner://call-records/{RECORD}/audio")).error
    assert error.code == INVALID_PARAMS


async def completed(client: Client, template: str, argument: str, begun: str) -> list[str]:
    reference = ResourceTemplateReference(type="ref/resource", uri=template)
    return (await client.complete(reference, {"name": argument, "value": begun})).completion.values


async def test_ids_listed_recently_complete_what_is_begun(client: Client) -> None:
    assert await completed(client, TEMPLATES[0], "call_id", "") == []
    await client.call_tool("get_call_summaries", {"call_ids": [7003898, CALL]})
    await client.call_tool("list_call_records", {"call_id": 7003901})
    assert await completed(client, TEMPLATES[0], "call_id", "70039") == ["7003901", "7003900"]
    assert set(await completed(client, TEMPLATES[1], "record_id", "90023")) == {
        "9002359",
        "9002361",
        "9002362",
        "9002363",
    }
    assert await completed(client, TEMPLATES[1], "record_id", "8") == []


async def test_a_server_that_several_share_offers_no_ids(dataset: Dataset) -> None:
    settings = Settings(**ACCOUNT, requests_per_second=0)
    server = create_server(settings, transport=httpx.ASGITransport(app=DemoLiner(dataset)), shared=True)
    async with Client(server) as client:
        assert client.server_capabilities.completions is None


async def test_what_a_resource_holds_may_be_kept_privately_and_briefly(client: Client) -> None:
    result: Any = await client.read_resource(f"liner://calls/{CALL}")
    if client.protocol_version == "2026-07-28":
        assert result.cache_scope == "private"
        assert 0 < result.ttl_ms <= 60_000
