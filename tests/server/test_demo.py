"""The demo names itself to a model: in what it says of itself, in every answer, and in every refusal."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jsonschema
import pytest
from mcp import Client, MCPError
from mcp.types import CallToolResult, TextContent, TextResourceContents

from liner_mcp.demo import DemoLiner
from liner_mcp.server.app import INSTRUCTIONS, create_server
from liner_mcp.settings import Settings, read_settings
from tests.conftest import NOW, text_of
from tests.support.account import ACCOUNT
from tests.support.sentences import assert_says, error_says, recorded

pytestmark = pytest.mark.anyio

CALL, RECORD = 7003900, 9002361
DAY = {"since": "2026-11-19", "until": "2026-11-19"}
TOOLS: dict[str, dict[str, Any]] = {
    "find_calls": DAY,
    "call_stats": DAY,
    "list_call_records": {"call_id": CALL},
    "get_call_summaries": {"call_ids": [CALL, 7003898]},
    "get_call_record": {"record_id": RECORD},
    "check_quotes": {"quotes": [{"record_id": RECORD, "quote": "a"}]},
    "list_directory": {"kind": "agents"},
}
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("list_call_records", {"call_id": 12}),
    ("find_calls", {"since": "nonsense"}),
    ("find_calls", {"colour": "red"}),
    ("get_call_record", {"record_id": True}),
]
PROMPTS = {
    "review_call": {"call_id": "7003900"},
    "review_agent": {"agent": "Anna"},
    "daily_digest": {},
    "audit_transfers": {},
    "calibrate_reviewers": {},
}
RESOURCES = (
    "liner://guide",
    f"liner://calls/{CALL}",
    f"liner://call-records/{RECORD}",
    f"liner://call-records/{RECORD}/summary",
)


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> Generator[Any]:
    return request.param


@asynccontextmanager
async def connected(liner: DemoLiner, mode: Any, settings: Settings | None = None) -> AsyncGenerator[Client]:
    settings = settings or Settings.of_demo_option(timezone="Europe/Moscow", requests_per_second=0)
    server = create_server(settings, transport=httpx.ASGITransport(app=liner), now=lambda: NOW)
    async with Client(server, mode=mode) as client:
        yield client


async def called(client: Client, tool: str, arguments: dict[str, Any]) -> CallToolResult:
    result = await client.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    return result


async def test_every_tool_answers_that_its_data_is_invented_in_both_channels(liner: DemoLiner, mode: Any) -> None:
    async with connected(liner, mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == set(TOOLS)
        for name, arguments in TOOLS.items():
            result = await called(client, name, arguments)
            assert text_of(result).startswith('{"demo":"invented data","asked":{')
            assert json.loads(text_of(result)) == result.structured_content
            jsonschema.validate(result.structured_content, tools[name].output_schema or False)


async def test_a_real_account_has_no_mark_anywhere(liner: DemoLiner, mode: Any) -> None:
    async with connected(liner, mode, Settings(**ACCOUNT, requests_per_second=0)) as client:
        said = [str(client.instructions), str(client.server_info)]
        said += [text_of(await called(client, name, arguments)) for name, arguments in [*TOOLS.items(), *REFUSED]]
        said += [str((await client.read_resource(uri)).contents) for uri in RESOURCES]
        said += [str((await client.get_prompt(name, arguments)).messages) for name, arguments in PROMPTS.items()]
    assert not [text for text in said if "demo" in text.lower() or "invented" in text]


@pytest.mark.parametrize(("tool", "arguments"), REFUSED)
async def test_a_refusal_says_that_the_data_is_invented(
    liner: DemoLiner, mode: Any, tool: str, arguments: dict[str, Any]
) -> None:
    async with connected(liner, mode) as client:
        result = await called(client, tool, arguments)
    assert result.is_error
    assert_says(text_of(result), "demo_invented_data", at_start=True)


@pytest.mark.parametrize("most", [2_000, 6_000])
async def test_the_mark_is_within_the_budget_and_pushes_no_note_out(liner: DemoLiner, mode: Any, most: int) -> None:
    def settings(**fields: Any) -> Settings:
        return Settings(**fields, timezone="Europe/Moscow", requests_per_second=0, max_answer_bytes=most)

    asked = {"since": "2026-11-01", "until": "2026-11-19", "limit": 200}
    async with connected(liner, mode, settings(mcp_demo=True)) as client:
        marked = await called(client, "find_calls", asked)
        full = await called(client, "get_call_record", {"record_id": RECORD})
    async with connected(liner, mode, settings(**ACCOUNT)) as client:
        plain = await called(client, "find_calls", asked)
    assert 0.9 * most < len(text_of(marked).encode()) <= most
    assert len(text_of(full).encode()) <= most
    assert marked.structured_content is not None
    assert plain.structured_content is not None
    assert marked.structured_content.get("notes") == plain.structured_content.get("notes")


async def test_every_resource_of_text_says_that_its_data_is_invented(liner: DemoLiner, mode: Any) -> None:
    async with connected(liner, mode) as client:
        listed = [resource.uri for resource in (await client.list_resources()).resources]
        listed.remove("ui://liner-mcp/calls.html")  # it shows the label of the answer
        skills = [uri for uri in listed if uri.startswith("skill://")]
        templates = (await client.list_resource_templates()).resource_templates
        assert len(listed) + len(templates) == len(RESOURCES) + len(skills) + 1  # the other is audio
        for uri in skills:  # after the frontmatter
            (content,) = (await client.read_resource(uri)).contents
            assert isinstance(content, TextResourceContents)
            assert content.text.split("---\n", 2)[2].strip().startswith("DEMO: invented data.")
        for uri in RESOURCES:
            (content,) = (await client.read_resource(uri)).contents
            assert isinstance(content, TextResourceContents)
            if content.mime_type == "application/json":
                assert next(iter(json.loads(content.text).items())) == ("demo", "invented data")
            else:
                assert_says(content.text, "demo_invented_data_2", at_start=True)
        with pytest.raises(MCPError, check=error_says("demo_invented_data_liner", at_start=True)):
            await client.read_resource("liner://calls/12")


async def test_a_resource_tells_what_its_tool_tells_with_the_same_mark(liner: DemoLiner, mode: Any) -> None:
    async with connected(liner, mode) as client:
        result = await called(client, "get_call_record", {"record_id": RECORD})
        (content,) = (await client.read_resource(f"liner://call-records/{RECORD}")).contents
    assert isinstance(content, TextResourceContents)
    assert content.text == text_of(result)


async def test_every_prompt_asks_that_the_review_says_so_too(liner: DemoLiner, mode: Any) -> None:
    async with connected(liner, mode) as client:
        assert {prompt.name for prompt in (await client.list_prompts()).prompts} == set(PROMPTS)
        for name, arguments in PROMPTS.items():
            first, *_ = (await client.get_prompt(name, arguments)).messages
            assert isinstance(first.content, TextContent)
            assert_says(first.content.text, "demo_invented_data_say_so_at", at_start=True)


async def test_title_and_instructions_name_the_demo(liner: DemoLiner, mode: Any) -> None:
    async with connected(liner, mode) as client:
        assert client.server_info is not None
        assert client.server_info.title == recorded("demo_liner_call_recordings_invented_data")
        assert client.instructions == recorded("demo_all_data_is_invented_no", instructions=INSTRUCTIONS)


async def test_instructions_name_the_setting_that_is_not_used(
    liner: DemoLiner, mode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"API_HOST": "http://127.0.0.1", "API_TOKEN": "demo", "MCP_DEMO": "true"}.items():
        monkeypatch.setenv(f"LINER_{name}", value)
    for option, beginning, rows_marked in (
        (False, "LINER_MCP_DEMO is set but ignored, because LINER_API_HOST and LINER_API_TOKEN are set.\n", False),
        (True, "DEMO: all data is invented; no Liner account is used. --demo is given, so LINER_API_HOST", True),
    ):
        async with connected(liner, mode, Settings.of_demo_option() if option else read_settings()) as client:
            assert client.instructions is not None
            assert client.instructions.startswith(beginning)
            assert len(client.instructions) < 1_500
            answer = (await called(client, "list_call_records", {"call_id": CALL})).structured_content
        assert answer is not None
        assert ("demo" in answer) is rows_marked


async def test_half_an_account_answers_what_to_set_and_invents_nothing(mode: Any) -> None:
    settings = Settings(api_host="liner.example", mcp_demo=True)
    async with Client(create_server(settings), mode=mode) as client:
        for name, arguments in TOOLS.items():
            result = await called(client, name, arguments)
            assert result.is_error
            assert_says(text_of(result), "liner_mcp_demo_and_liner_api", at_start=True)
            assert client.instructions == f"{text_of(result)}\n{INSTRUCTIONS}"
