"""The labels of the demo: every answer of a tool, a resource or a prompt says that its data is invented.

app.py adds them where results leave the server, so a new tool or resource has them too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.types import CallToolResult, GetPromptResult, TextContent

from liner_mcp.answer.table import to_compact_json

MEMBER: dict[str, Any] = {"demo": "invented data"}
LINE = "DEMO: invented data."
MARK_BYTES = len(to_compact_json(MEMBER))  # what a label adds to an answer, at most
JSON = "application/json"


def marked_result(result: CallToolResult) -> CallToolResult:
    """A tool's answer with the member `demo` first, or its error with the line before it."""
    if result.structured_content is None:
        marked = [
            block.model_copy(update={"text": f"{LINE} {block.text}"}) if isinstance(block, TextContent) else block
            for block in result.content
        ]
        return result.model_copy(update={"content": marked})
    structure = MEMBER | result.structured_content
    text = TextContent(type="text", text=to_compact_json(structure))
    return result.model_copy(update={"content": [text], "structured_content": structure})


def marked_contents(contents: Iterable[ReadResourceContents]) -> list[ReadResourceContents]:
    """The contents of a resource with the same labels. Bytes are not changed: a recording has no place for a label."""
    return [
        content
        if isinstance(content.content, bytes)
        else replace(content, content=_marked_text(content.content, content.mime_type))
        for content in contents
    ]


def _marked_text(text: str, mime_type: str | None) -> str:
    return to_compact_json(MEMBER | json.loads(text)) if mime_type == JSON else f"{LINE}\n{text}"


def marked_prompt(result: GetPromptResult) -> GetPromptResult:
    """A prompt that begins with the line and asks the model to repeat it."""
    first, *others = result.messages
    if isinstance(first.content, TextContent):
        text = f"{LINE} Say so at the top of what you write.\n{first.content.text}"
        first = first.model_copy(update={"content": TextContent(type="text", text=text)})
    return result.model_copy(update={"messages": [first, *others]})
