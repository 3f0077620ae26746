"""The tools. Each declares its arguments, asks one function of `review`, and hands the written answer over.

The docstrings are what a model reads to choose: product text, not notes for us.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, TextContent

from liner_mcp.review.desk import Desk
from liner_mcp.review.full_record import FullRecord, get_call_record
from liner_mcp.review.records import list_call_records
from liner_mcp.review.summaries import get_call_summaries
from liner_mcp.review.table import Answer, Written
from liner_mcp.server.arguments import CallId, CallIds, Cursor, RecordId, RecordsLimit, Start, SummaryChars
from liner_mcp.server.office import Office
from liner_mcp.server.resources import client_name


class Tools:
    """Every tool as a method; the menu in `app.py` lists them."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def list_call_records(
        self,
        ctx: Context[Any, Any],
        call_id: CallId = None,
        limit: RecordsLimit = 25,
        cursor: Cursor = None,
        summary_chars: SummaryChars = 160,
    ) -> Annotated[CallToolResult, Answer]:
        """What was said on one call: its recordings, each with Liner's AI summary, oldest first, beside the call's
        own facts (status, order, agent, talk and wait time, who hung up).

        For several calls, get_call_summaries. Send call_id, or only the cursor for the next page.
        """
        return await self._answer(
            ctx,
            lambda desk, budget: list_call_records(
                desk, call_id=call_id, limit=limit, cursor=cursor, summary_chars=summary_chars, budget=budget
            ),
        )

    async def get_call_summaries(
        self, ctx: Context[Any, Any], call_ids: CallIds, summary_chars: SummaryChars = 600
    ) -> Annotated[CallToolResult, Answer]:
        """What was said on up to 100 calls: one row per recording with Liner's AI summary, in the order of call_ids.

        summary_state tells a missing summary apart: none (not made yet, or never), no_recording, not_listed_yet,
        not_found, failed (ids in retry), cut (raise summary_chars). Calls that did not fit are in page.next_call_ids.
        """
        return await self._answer(
            ctx,
            lambda desk, budget: get_call_summaries(
                desk, call_ids=call_ids, summary_chars=summary_chars, budget=budget
            ),
        )

    async def get_call_record(
        self, ctx: Context[Any, Any], record_id: RecordId, start: Start = 0
    ) -> Annotated[CallToolResult, FullRecord]:
        """One call record in full: its facts, its whole summary, and whether a recording can be heard (audio_uri).

        A long summary comes in windows; summary.next_start continues it.
        """
        return await self._answer(
            ctx, lambda desk, budget: get_call_record(desk, record_id=record_id, start=start, budget=budget)
        )

    async def _answer(self, ctx: Context[Any, Any], ask: Callable[[Desk, int], Awaitable[Written]]) -> CallToolResult:
        written = await ask(self._office.desk(), self._office.budget(client_name(ctx)))
        # Some hosts show their model only the text, some only the structure: both say the same.
        return CallToolResult(
            content=[TextContent(type="text", text=written.text)], structured_content=written.structure
        )
