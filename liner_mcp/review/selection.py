"""Which calls are reviewed, and what was said on them: asked of this server itself, in memory, with its own tools.

Phones are masked whatever the settings show, because summaries leave this machine when a model judges them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from mcp import Client, MCPError
from mcp.types import TextContent

from liner_mcp.calls.time_window import TimeWindow, parse_window
from liner_mcp.errors import InvalidArgument, SetupError, UsageError
from liner_mcp.review.rubric import Rubric
from liner_mcp.review.scorecard import Recording, Scorecard, State
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from liner_mcp.timezone import Zone

Answer = dict[str, Any]
Ask = Callable[..., Awaitable[Answer]]
Progress = Callable[[str, int, int | None], None]  # what is done, how much of it, the total if known

SUMMARY_CHARS = 4000  # the maximum of the tools; longer summaries are read whole, record by record
BATCH = 100  # calls in one get_call_summaries, its maximum
ANSWER_BYTES = 60_000  # the maximum of LINER_MAX_ANSWER_BYTES: no model reads these answers
UNREAD = {
    "failed": "A summary could not be read from Liner.",
    "not_asked": "A summary could not be read in time.",
    "not_listed_yet": "Liner does not list its recordings yet.",
    "not_found": "Liner no longer knows this call.",
    "forgotten": "This call was forgotten on request.",
}


@dataclass(frozen=True, slots=True)
class SelectedCall:
    """A call to review. `state` and `reason` are set where there is nothing that could be judged."""

    facts: dict[str, Any]
    recordings: tuple[Recording, ...] = ()
    state: State | None = None
    reason: str | None = None

    @property
    def call_id(self) -> int:
        return self.facts["call_id"]

    @property
    def summaries(self) -> dict[int, str]:
        """The summaries by the ids of their records."""
        return {one.record_id: one.summary for one in self.recordings if one.summary}

    @property
    def summary_hash(self) -> str | None:
        """Identifies the texts that were judged; None without any."""
        text = json.dumps(list(self.summaries.items()), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16] if self.summaries else None

    def card(
        self, state: State, reason: str | None, rubric: Rubric | None = None, model: str | None = None
    ) -> Scorecard:
        """The card of the call without verdicts. Without a model it holds the summaries."""
        recordings = [
            one.model_copy(update={"summary": one.summary if model is None else None}) for one in self.recordings
        ]
        return Scorecard(
            **self.facts,
            record_ids=[one.record_id for one in self.recordings],
            recordings=recordings,
            state=state,
            reason=reason,
            rubric=rubric.name if rubric else None,
            rubric_hash=rubric.hash if rubric else None,
            model=model,
            summary_hash=self.summary_hash,
            verdicts=[],
            score=None,
            fatal=[],
            input_tokens=0,
            output_tokens=0,
            cost_usd=None,
            judged_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )


@dataclass(slots=True)
class Selection:
    """The calls, newest first. `gaps`: what could not be read, as sentences; `notes`: what the tools remarked."""

    calls: list[SelectedCall] = field(default_factory=list[SelectedCall])
    gaps: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])


class _Refused(Exception):
    """The server answered with an error; the message is its sentence."""


# The period -----------------------------------------------------------------------------------------------------------


def parse_period(text: str, zone: Zone, now: datetime) -> TimeWindow:
    """The window of `--period`: what the tools take as `since`, or `A..B`. Raises: UsageError."""
    since, dots, until = (part.strip() for part in text.partition(".."))
    if not since or (dots and not until):
        raise UsageError("--period: write both ends, such as 2026-11-16..2026-11-22.")
    try:
        day = len(since) == len("2026-11-20") and since[:1].isdigit()  # a day alone would end now
        return parse_window(since, until if dots else since if day else None, zone=zone, now=now).window
    except InvalidArgument as error:
        raise UsageError(f"--period: {str(error).partition(': ')[2]}") from None


def label_of(window: TimeWindow, zone: Zone) -> str:
    """The days of a window, for names of files: `2026-11-20`, or `2026-11-16_2026-11-22`."""
    days = [moment.astimezone(zone.info).date() for moment in (window.since, window.until - timedelta(seconds=1))]
    return "_".join(str(day) for day in dict.fromkeys(days))


# Asking ---------------------------------------------------------------------------------------------------------------


async def select_calls(
    settings: Settings, window: TimeWindow, filters: dict[str, Any], progress: Progress, **server: Any
) -> Selection:
    """The calls of a window that pass the filters, which are arguments of find_calls, each with its summaries.

    `server` goes to `create_server`. Raises: SetupError when nothing could be read.
    """
    shown = {"show_phones": False, "max_answer_bytes": settings.max_answer_bytes or ANSWER_BYTES}
    server_settings = settings.model_copy(update=shown)
    selection = Selection()
    refused: _Refused | None = None
    async with Client(create_server(server_settings, **server)) as client:
        ends = {"since": window.since.isoformat(), "until": window.until.isoformat()}
        try:
            await _select(partial(_ask, client), {**ends, **filters}, selection, progress)
        except _Refused as error:
            refused = error  # raised outside, because the client would put it into a group
    if refused is not None:
        raise SetupError(str(refused))
    return selection


async def _select(ask: Ask, arguments: Answer, selection: Selection, progress: Progress) -> None:
    found = await _find(ask, arguments, selection, progress)
    recorded = {call_id: None for call_id, facts in found.items() if facts["recorded"] is not False}
    rows = await _read_summaries(ask, list(recorded), selection, progress)
    for call_id, facts in found.items():
        call = _selected(facts, rows.get(call_id, []), recorded=call_id in recorded)
        selection.calls.append(await _with_whole_summaries(ask, call))


async def _ask(client: Client, tool: str, **arguments: Any) -> Answer:
    try:
        result = await client.call_tool(tool, arguments)
    except MCPError as error:
        raise _Refused(f"The server gave no answer: {error.error.message}.") from None
    if result.is_error or result.structured_content is None:
        raise _Refused(" ".join(block.text for block in result.content if isinstance(block, TextContent)))
    return result.structured_content


def _rows(answer: Answer) -> list[dict[str, Any]]:
    """The rows as records, each with the values that all rows share."""
    shared, columns = answer.get("every_row", {}), answer["columns"]
    return [{**shared, **dict(zip(columns, row, strict=True))} for row in answer["rows"]]


async def _find(ask: Ask, arguments: Answer, selection: Selection, progress: Progress) -> dict[int, dict[str, Any]]:
    """The facts of the calls by their ids, newest first. Raises: _Refused when not even a first page was read."""
    arguments = arguments if "sample" in arguments else {**arguments, "limit": 200}
    found: dict[int, dict[str, Any]] = {}
    page: Answer | None = None
    while page is None or "next_cursor" in page["page"]:
        progress("calls", len(found), None)
        cursor = {"cursor": page["page"]["next_cursor"]} if page else {}
        try:
            answer = await ask("find_calls", **arguments, **cursor)
        except _Refused as refusal:
            if page is None:
                raise
            selection.gaps.append(f"Not all calls of the period could be read: {refusal}")
            break
        if "retry" in answer:  # calls that could not be decided are requested once more
            with suppress(_Refused):
                answer = await ask("find_calls", **arguments, **cursor)
        stuck = page and not answer["rows"] and answer["page"].get("covered") == page["page"].get("covered")
        page = answer
        found |= {row["call_id"]: _facts(row, answer) for row in _rows(answer)}
        selection.notes += [note for note in answer.get("notes", []) if note not in selection.notes]
        if undecided := answer["page"].get("undecided") or len(answer.get("retry", [])):
            number = f"{undecided} call{'' if undecided == 1 else 's'}"
            selection.gaps.append(f"Recordings could not be read or are not listed, so {number} could not be decided.")
        if stuck:
            selection.gaps.append("Liner is too slow for this question; LINER_DEADLINE_SECONDS gives it more time.")
            break
    if not page["page"]["complete"] and "next_cursor" not in page["page"] and not selection.gaps:
        selection.gaps.append("Calls may be missing; a note says why.")
    return found


def _facts(row: dict[str, Any], answer: Answer) -> dict[str, Any]:
    """The facts of a call that stand on its card, with names beside ids."""
    names = answer.get("names", {})

    def named(kind: str, key: str) -> Any:
        value = row.get(key)
        return names.get(kind, {}).get("null" if value is None else str(value), value)

    recorded = row.get("recorded")
    return {
        "demo": "demo" in answer,
        "timezone": answer["timezone"],
        **{key: row.get(key) for key in ("call_id", "date", "time", "order_id", "agent_id", "talk_seconds")},
        "order": named("orders", "order_id"),
        "agent": named("agents", "agent_id"),
        "status": named("statuses", "status"),
        "recorded": None if recorded is None else bool(recorded),
    }


async def _read_summaries(
    ask: Ask, call_ids: Sequence[int], selection: Selection, progress: Progress
) -> dict[int, list[dict[str, Any]]]:
    """The records of each call, without those calls that could not be read."""
    rows: dict[int, list[dict[str, Any]]] = {}
    for _ in range(2):  # failed calls are requested once more
        left = [call_id for call_id in call_ids if call_id not in rows]
        while left:
            progress("summaries", len(rows), len(call_ids))
            batch, left = left[:BATCH], left[BATCH:]
            try:
                answer = await ask("get_call_summaries", call_ids=batch, summary_chars=SUMMARY_CHARS)
            except _Refused as refusal:
                selection.notes += [str(refusal)] if str(refusal) not in selection.notes else []
                continue
            rest: list[int] = answer["page"].get("next_call_ids", [])
            left = (rest if rest != batch else []) + left  # without progress, the next round asks once more
            unsettled = {*answer.get("retry", []), *rest, answer["page"].get("partial_call", {}).get("call_id")}
            for row in _rows(answer):
                if row["call_id"] not in unsettled:
                    rows.setdefault(row["call_id"], []).append(row)
    return rows


def _selected(facts: dict[str, Any], rows: list[dict[str, Any]], *, recorded: bool) -> SelectedCall:
    call = SelectedCall({key: value for key, value in facts.items() if key != "recorded"})
    states = {row["summary_state"] for row in rows}
    if not recorded or states == {"no_recording"}:
        return replace(call, state="no_recording", reason="The call has no recording.")
    recordings = tuple(_recording(row) for row in rows if row["record_id"] is not None)
    call = replace(call, recordings=recordings)
    if not rows:
        return replace(call, state="not_judged", reason=UNREAD["failed"])
    if unread := next((reason for state, reason in UNREAD.items() if state in states), None):
        return replace(call, state="not_judged", reason=unread)
    if not call.summaries:
        return replace(call, state="no_summary", reason="Its recordings have no summary: not made yet, or never.")
    return call


def _recording(row: dict[str, Any]) -> Recording:
    transfer = row["transfer"]
    return Recording(
        record_id=row["record_id"],
        seconds=row["record_seconds"],
        transfer=None if transfer is None else bool(transfer),
        summary_state=row["summary_state"],
        summary=row["summary"],
    )


async def _with_whole_summaries(ask: Ask, call: SelectedCall) -> SelectedCall:
    """The call with the rest of each summary of which only the beginning was read."""
    recordings: list[Recording] = []
    for one in call.recordings:
        whole: str | None = one.summary
        if one.summary_state == "cut":
            try:
                whole = await _whole_summary(ask, one.record_id)
            except _Refused:
                return replace(call, state="not_judged", reason=UNREAD["failed"])
        recordings.append(one.model_copy(update={"summary": whole, "summary_state": "ready"}) if whole else one)
    return replace(call, recordings=tuple(recordings))


async def _whole_summary(ask: Ask, record_id: int) -> str:
    text, start = "", 0
    while start is not None:
        summary = (await ask("get_call_record", record_id=record_id, start=start))["summary"]
        if summary.get("start") != start:  # it was changed or removed meanwhile
            raise _Refused
        text += summary["text"]
        start = summary.get("next_start")
    return text
