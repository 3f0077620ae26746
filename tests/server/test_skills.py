"""The skills through an MCP client: by the extension in the modern era, as resources in both."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator
from typing import Any, Literal

import httpx
import pytest
import yaml
from mcp import Client, MCPError
from mcp.types import (
    INVALID_PARAMS,
    GetPromptResult,
    PaginatedRequestParams,
    Request,
    Result,
    TextContent,
    TextResourceContents,
)

from liner_mcp.demo import DemoLiner
from liner_mcp.server.app import create_server
from liner_mcp.server.prompts import EVIDENCE
from liner_mcp.server.skills import GetSkill
from liner_mcp.settings import Settings
from tests.conftest import Session
from tests.support.account import ACCOUNT

pytestmark = pytest.mark.anyio

EXTENSION = "io.modelcontextprotocol/skills"
NAMES = ["review-transfers", "weekly-digest", "dispute-file"]


class ListSkillsRequest(Request[PaginatedRequestParams, Literal["skills/list"]]):
    method: Literal["skills/list"] = "skills/list"
    params: PaginatedRequestParams = PaginatedRequestParams()


class GetSkillRequest(Request[GetSkill, Literal["skills/get"]]):
    method: Literal["skills/get"] = "skills/get"
    params: GetSkill


class Answer(Result):
    skills: list[dict[str, Any]] | None = None
    skill: dict[str, Any] | None = None


@pytest.fixture(params=["real", "demo"])
def settings(request: pytest.FixtureRequest) -> Settings:
    return Settings(**ACCOUNT) if request.param == "real" else Settings.of_demo_option()


@pytest.fixture(params=["auto", "legacy"])
async def client(request: pytest.FixtureRequest, settings: Settings) -> AsyncGenerator[Client]:
    async with Client(create_server(settings), mode=request.param) as connected:
        yield connected


@pytest.fixture
async def modern(settings: Settings) -> AsyncGenerator[Client]:
    async with Client(create_server(settings)) as connected:
        yield connected


async def text_of(client: Client, uri: str) -> str:
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    assert content.mime_type == "text/markdown"
    return content.text


def parts(text: str) -> tuple[dict[str, str], str]:
    """The frontmatter and the body of a skill."""
    empty, frontmatter, body = text.split("---\n", 2)
    assert empty == ""
    return yaml.safe_load(frontmatter), body


async def test_the_extension_lists_each_skill_with_the_digest_of_what_is_read(modern: Client) -> None:
    assert (modern.server_capabilities.extensions or {})[EXTENSION] == {}
    listed = (await modern.session.send_request(ListSkillsRequest(), Answer)).skills
    assert listed is not None
    assert [skill["frontmatter"]["name"] for skill in listed] == NAMES
    for skill in listed:
        text = await text_of(modern, skill["uri"])
        assert parts(text)[0] == skill["frontmatter"]
        size, digest = len(text.encode()), hashlib.sha256(text.encode()).hexdigest()
        assert skill["resources"] == [{"uri": skill["uri"], "digest": f"sha256:{digest}", "size": size}]
        one = await modern.session.send_request(GetSkillRequest(params=GetSkill(uri=skill["uri"])), Answer)
        assert one.skill == skill


@pytest.mark.parametrize("uri", ["skill://nothing/SKILL.md", "liner://guide", "", "skill://" + "8" * 500])
async def test_an_unknown_skill_is_an_invalid_parameter_that_names_the_skills(modern: Client, uri: str) -> None:
    with pytest.raises(MCPError) as raised:
        await modern.session.send_request(GetSkillRequest(params=GetSkill(uri=uri)), Answer)
    assert raised.value.error.code == INVALID_PARAMS
    assert all(name in raised.value.error.message for name in NAMES)
    assert "888" not in raised.value.error.message


async def test_the_skills_are_resources_in_both_eras_and_the_extension_is_announced_in_the_modern_one(
    client: Client, request: pytest.FixtureRequest
) -> None:
    listed = {one.uri: one for one in (await client.list_resources()).resources}
    for name in NAMES:
        uri = f"skill://{name}/SKILL.md"
        frontmatter, _ = parts(await text_of(client, uri))
        assert (listed[uri].name, listed[uri].description) == (frontmatter["name"], frontmatter["description"])
    if "legacy" in request.node.callspec.id:
        assert not client.server_capabilities.extensions


@pytest.mark.parametrize(
    ("name", "prompt", "arguments"),
    [("review-transfers", "audit_transfers", {}), ("weekly-digest", "daily_digest", {"period": "last_week"})],
)
async def test_a_skill_holds_the_text_of_its_prompt(
    modern: Client, name: str, prompt: str, arguments: dict[str, str]
) -> None:
    written = await modern.get_prompt(prompt, {**arguments, "language": "the language of the request"})
    assert isinstance(written, GetPromptResult)
    (message,) = written.messages
    assert isinstance(message.content, TextContent)
    _, body = parts(await text_of(modern, f"skill://{name}/SKILL.md"))
    assert message.content.text.removeprefix("DEMO: invented data. Say so at the top of what you write.\n") in body


async def test_the_demo_says_in_each_skill_that_its_data_is_invented(modern: Client, settings: Settings) -> None:
    for name in NAMES:
        _, body = parts(await text_of(modern, f"skill://{name}/SKILL.md"))
        assert body.startswith("\nDEMO: invented data.") is settings.demo


async def test_the_steps_of_a_dispute_name_tools_and_arguments_that_answer(liner: DemoLiner) -> None:
    settings = Settings(**ACCOUNT, timezone="Europe/Moscow", requests_per_second=0)
    async with Client(create_server(settings, transport=httpx.ASGITransport(app=liner))) as client:
        _, body = parts(await text_of(client, "skill://dispute-file/SKILL.md"))
        assert EVIDENCE in body
        schemas = {tool.name: tool.input_schema["properties"] for tool in (await client.list_tools()).tools}
        named = [word for word in re.findall(r"\w+", body) if word in schemas]
        assert named == ["list_call_records", "get_call_record", "find_calls", "get_call_summaries", "check_quotes"]
        known = {argument for tool in named for argument in schemas[tool]}
        assert set(re.findall(r"(\w+)=", body)) <= known
        session = Session(client)
        listed = await session.answer("list_call_records", call_id=7003900, summary_chars=1000)
        found = await session.answer("find_calls", leads=[listed["call"]["lead_id"]], since="-90d")
        assert 7003900 in [row[found["columns"].index("call_id")] for row in found["rows"]]
