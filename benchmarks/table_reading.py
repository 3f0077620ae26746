"""How a careful model works with our tables: it reads all pages, joins rows with columns, and reads cut summaries in
full."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from benchmarks.reading import Reader

Row = dict[str, Any]

READY = ("ready", "cut")


class Incomplete(Exception):
    """An answer said that something is left, but not how to continue."""


@dataclass(slots=True)
class Tables:
    """Our tools, one question after another."""

    reader: Reader

    async def answer(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return json.loads(await self.reader.ask(tool, **arguments))

    async def rows(self, tool: str, **arguments: Any) -> list[Row]:
        """The rows of every page. An answer names the calls that could not be decided, and a careful model names them
        too, beside the rows.

        Raises: Incomplete, because a careful model does not use a part as the whole.
        """
        found: list[Row] = []
        asked = arguments
        kept = {name: arguments[name] for name in ("limit", "summary_chars") if name in arguments}
        while True:
            answer = await self.answer(tool, **asked)
            shared: Row = answer.get("every_row", {})
            found += [{**shared, **dict(zip(answer["columns"], row, strict=True))} for row in answer["rows"]]
            page = answer["page"]
            if "next_cursor" in page:
                asked = {"cursor": page["next_cursor"], **kept}
            elif "next_call_ids" in page:
                asked = {**arguments, "call_ids": page["next_call_ids"]}
            elif not (page["complete"] or "undecided" in page):
                raise Incomplete
            else:
                return found

    async def summaries(self, call_ids: list[int], **arguments: Any) -> list[Row]:
        """A row per recording of these calls; cut summaries are read in full."""
        found: list[Row] = []
        for first in range(0, len(call_ids), 100):
            found += await self.rows("get_call_summaries", call_ids=call_ids[first : first + 100], **arguments)
        for row in found:
            if row["summary_state"] == "cut":
                row["summary"] = await self.text(row["record_id"])
        return found

    async def text(self, record_id: int) -> str:
        """The whole summary of a record, part by part."""
        text, start = "", 0
        while True:
            asked = {"record_id": record_id, **({"start": start} if start else {})}
            summary = (await self.answer("get_call_record", **asked))["summary"]
            text += summary.get("text", "")
            if "next_start" not in summary:
                return text
            start = summary["next_start"]
