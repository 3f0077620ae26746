"""The tools through the highest door: an MCP client, in both protocol eras."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Connect, text_of

pytestmark = pytest.mark.anyio


async def test_both_channels_say_the_same_in_one_compact_text(connect: Connect) -> None:
    async with connect() as session:
        result = await session.ask("get_call_summaries", call_ids=[7000101, 7000102, 7000103])
    text = text_of(result)
    assert json.loads(text) == result.structured_content
    assert text == json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":"))
