"""Sessions with a server over a fake Liner, with an archive or without one, and answers to compare."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from mcp import Client, MCPError
from mcp.types import BlobResourceContents, TextResourceContents

from liner_mcp.demo import Dataset
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from tests.archive.questions import Question
from tests.conftest import NOW, Session, text_of
from tests.fakes import FakeLiner
from tests.support.account import ACCOUNT

# A large budget, because a full page of an archived answer ends earlier by the members that only it has.
SERVER: dict[str, Any] = {**ACCOUNT, "timezone": "Europe/Moscow", "requests_per_second": 0, "max_answer_bytes": 60_000}


@asynccontextmanager
async def opened(
    liner: Dataset | FakeLiner, mode: Any = "auto", **more: Any
) -> AsyncGenerator[tuple[Session, FakeLiner]]:
    """A session over a fake Liner; `more` are settings."""
    app = liner if isinstance(liner, FakeLiner) else FakeLiner(liner)
    server = create_server(Settings(**{**SERVER, **more}), transport=httpx.ASGITransport(app=app), now=lambda: NOW)
    async with Client(server, mode=mode, raise_exceptions=True) as client:
        yield Session(client), app


async def ask(session: Session, question: Question) -> Any:
    """The answer without what only an archived one has; for an error, its sentence."""
    tool, arguments = question
    if tool == "read":
        text = await read(session, arguments["uri"])
        return comparable(json.loads(text)) if text.startswith("{") else text
    result = await session.call(tool, **arguments)
    return text_of(result) if result.is_error else comparable(result.structured_content or {})


async def read(session: Session, uri: str) -> str:
    """The text of a resource, the base64 of its bytes, or the sentence of its error."""
    try:
        (content,) = (await session.client.read_resource(uri)).contents
    except MCPError as error:
        return error.error.message
    assert isinstance(content, TextResourceContents | BlobResourceContents)
    return content.text if isinstance(content, TextResourceContents) else content.blob


# Only an archived answer has the first two. An archive reads fewer calls to find those that pass, and a cursor holds
# how many passed.
MAY_DIFFER = ("archived_until", "synced_at", "examined", "scanned", "searched", "liner_total", "next_cursor")


NOTHING_PASSED = re.compile("(?:[0-9]+ calls of this window were read|Liner has no such call in this window).*")


def comparable(structure: Mapping[str, Any]) -> dict[str, Any]:
    """The answer without what an archive may change."""
    found = dict(structure)
    for name in ("page", "record"):
        if name in found:
            found[name] = {key: value for key, value in found[name].items() if key not in MAY_DIFFER}
    if "notes" in found:
        found["notes"] = [NOTHING_PASSED.sub("nothing passed", note) for note in found["notes"]]
    return found


async def assert_equal(live: Session, archived: Session, question: Question, *, pages: int = 3) -> None:
    """The answers are equal, and so are those to their cursors, whichever server made them."""
    for page in range(pages):
        expected, found = await ask(live, question), await ask(archived, question)
        assert found == expected, question
        if question[0] != "find_calls" or isinstance(found, str) or found["page"]["complete"]:
            return
        # The cursor of one is sent to both.
        made_by = live if page % 2 else archived
        cursor = (await made_by.answer(question[0], **question[1]))["page"].get("next_cursor")
        if cursor is None:
            return
        question = (question[0], {"cursor": cursor})
