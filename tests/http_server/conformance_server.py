"""Our server with what the conformance suite wants to find: tools, resources and prompts of fixed names.

They go through our own error boundary, our own endpoint and everything around it, so that what the suite says of them
is said of those. The names and what they must hold are the suite's.
"""

from __future__ import annotations

import base64
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import AudioContent, EmbeddedResource, ImageContent, TextContent, TextResourceContents

import liner_mcp.http_server.app
from liner_mcp.demo import DemoLiner
from liner_mcp.errors import InvalidArgument
from liner_mcp.server.app import LinerServer, create_server
from tests.http_server.support import serve

# The smallest picture and the smallest sound.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WAV = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\0\0\0"
TEXT = TextContent(type="text", text="Some text.")
IMAGE = ImageContent(type="image", data=base64.b64encode(PNG).decode(), mime_type="image/png")
AUDIO = AudioContent(type="audio", data=base64.b64encode(WAV).decode(), mime_type="audio/wav")


@contextmanager
def serve_fixture(liner: DemoLiner, patch: pytest.MonkeyPatch) -> Generator[str]:
    """The origin of the fixture."""

    def made(*arguments: Any, **named: Any) -> LinerServer:
        server = create_server(*arguments, **named)
        add_tools(server)
        add_resources(server)
        add_prompts(server)
        return server

    patch.setattr(liner_mcp.http_server.app, "create_server", made)
    with serve(liner, mcp_requests_per_minute=0) as origin:
        yield origin


def embedded(uri: str, mime_type: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(
        type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text="Some embedded text.")
    )


def add_tools(server: LinerServer) -> None:
    async def test_simple_text() -> TextContent:
        return TEXT

    async def test_image_content() -> ImageContent:
        return IMAGE

    async def test_audio_content() -> AudioContent:
        return AUDIO

    async def test_embedded_resource() -> EmbeddedResource:
        return embedded("test://embedded-resource")

    async def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
        return [TEXT, IMAGE, embedded("test://mixed-content-resource", "application/json")]

    async def test_error_handling() -> str:
        raise InvalidArgument("This is an error that is meant.")

    async def test_tool_with_progress(ctx: Context[Any, Any]) -> str:
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100, f"{done} of 100")
        return "Done."

    for tool in (
        test_simple_text,
        test_image_content,
        test_audio_content,
        test_embedded_resource,
        test_multiple_content_types,
        test_error_handling,
        test_tool_with_progress,
    ):
        server.tool(structured_output=False)(tool)


def add_resources(server: LinerServer) -> None:
    async def static_text() -> str:
        return "Some static text."

    async def static_binary() -> bytes:
        return PNG

    async def template(id: str) -> str:  # noqa: A002 - the suite's name
        return f'{{"id": "{id}", "data": "of {id}"}}'

    server.resource("test://static-text", mime_type="text/plain")(static_text)
    server.resource("test://static-binary", mime_type="image/png")(static_binary)
    server.resource("test://template/{id}/data", mime_type="application/json")(template)


def add_prompts(server: LinerServer) -> None:
    async def test_simple_prompt() -> str:
        return "This is a simple prompt for testing."

    async def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    async def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 - the suite's name
        return [UserMessage(embedded(resourceUri)), UserMessage("Please process the embedded resource above.")]

    async def test_prompt_with_image() -> list[UserMessage]:
        return [UserMessage(IMAGE), UserMessage("Please analyze the image above.")]

    for prompt in (
        test_simple_prompt,
        test_prompt_with_arguments,
        test_prompt_with_embedded_resource,
        test_prompt_with_image,
    ):
        server.prompt(description="Of the suite.")(prompt)
