"""Is an answer true? Everything it shows is compared with the world that the make-believe Liner holds.

Pure: a world and an answer come in, a verdict comes out, or `Wrong` with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from liner_mcp.demo import Call, Record, World
from liner_mcp.demo import audio as demo_audio
from tests.fault_matrix.client import TOKEN, Came
from tests.support.expected_stats import METRICS, counted, grouped_by, metrics

Verdict = Literal["right", "partial", "sentence"]
MOSCOW = ZoneInfo("Europe/Moscow")
MOST_SENTENCES, MOST_CHARACTERS = 3, 420
# How an answer says that rows are missing which nobody can name.
_MISSING = re.compile(r"may be missing|are missing|could not be (read|drawn)|Liner counts")
# What else may be unknown, beside all the rows.
_UNNAMED = re.compile(r"Names of [^.]* could not be read")
_UNGROUPED = re.compile(r"Agent groups could not be read")
_UNQUALIFIED = re.compile(r"Which statuses qualify a lead could not be read")


class Wrong(AssertionError):
    """An answer that says what is not so, or hides what it does not know."""


@dataclass(frozen=True, slots=True)
class Told:
    """A table, read: whole rows, and what is said about them."""

    table: Mapping[str, Any]
    rows: list[dict[str, Any]]

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Told:
        every_row, columns = table.get("every_row", {}), table["columns"]
        return cls(table, [{**every_row, **dict(zip(columns, row, strict=True))} for row in table["rows"]])

    @property
    def page(self) -> Mapping[str, Any]:
        return self.table["page"]

    @property
    def notes(self) -> str:
        return " ".join(self.table.get("notes", []))

    @property
    def says_missing(self) -> bool:
        notes = self.notes
        for beside in (_UNNAMED, _UNGROUPED, _UNQUALIFIED):
            notes = beside.sub("", notes)
        return bool(_MISSING.search(notes))

    def verdict(self) -> Verdict:
        """Right when nothing is missing; partial when it says so, and only then. A complete table may lack names."""
        if self.page["complete"]:
            return "partial" if _UNNAMED.search(self.notes) or _UNGROUPED.search(self.notes) else "right"
        page = self.page
        said = self.notes or self.table.get("retry") or "next_cursor" in page or "next_call_ids" in page
        demand(bool(said), "it is not complete and does not say what is missing")
        return "partial"


def demand(holds: bool, reason: str) -> None:
    if not holds:
        raise Wrong(reason)


def same(found: object, true: object, what: str) -> None:
    demand(found == true, f"{what}: it says {found!r}, the truth is {true!r}")


def judged(came: Came, judge: Callable[[Came], Verdict]) -> Verdict:
    """The verdict on what came back. Raises: Wrong."""
    if came.sentence is None:
        return judge(came)
    return a_clear_sentence(came.sentence)


def a_clear_sentence(text: str) -> Verdict:
    """At most three finished sentences for a person; no stack, no markup, no token. Raises: Wrong."""
    demand(bool(text.strip()) and len(text) <= MOST_CHARACTERS, f"no sentence to read: {text!r}")
    demand(len(re.findall(r"[.!?](?=\s|$)", text)) <= MOST_SENTENCES, f"too many sentences: {text!r}")
    demand(text.rstrip().endswith((".", "!", "?")), f"an unfinished sentence: {text!r}")
    demand(not re.search(r"<[a-z!/]|Traceback|bug in liner-mcp|Error executing", text), f"machinery: {text!r}")
    demand(TOKEN not in text, "the token is in the sentence")
    return "sentence"


def ordered(found: Sequence[int], true: Sequence[int], *, gaps: bool, slack: int) -> None:
    """The found are the true ones, in order; with gaps only where told, or `slack` that came or went meanwhile."""
    same(sorted(found), sorted(set(found)), "rows repeat")
    same([one for one in true if one in set(found)], list(found), "rows or their order")
    demand(gaps or len(true) - len(found) <= slack, f"{len(true) - len(found)} rows are missing and it does not say so")


# Calls ----------------------------------------------------------------------------------------------------------------


def newest_first(calls: Iterable[Call]) -> list[Call]:
    return sorted(calls, key=lambda call: (call.created_at, call.id), reverse=True)


def calls_judge(world: World, true: Sequence[Call], *, limit: int, slack: int = 0) -> Callable[[Came], Verdict]:
    """Of find_calls: `true` are all calls that the question means, newest first."""

    def judge(came: Came) -> Verdict:
        told = table_of(came)
        for row in told.rows:
            _same_call(world, row)
        named(world, told, "agent_id", "agents", slack)
        named(world, told, "order_id", "orders", slack)
        named(world, told, "status", "statuses", slack)
        found, page = [row["call_id"] for row in told.rows], told.page
        wanted = true
        if "covered" in page:
            since = datetime.fromisoformat(page["covered"]["since"])
            # The second in which a page ends may hold calls of this page and of the next.
            wanted = [call for call in true if call.created_at >= since or call.id in set(found)]
        ordered(found, [call.id for call in wanted], gaps=told.says_missing, slack=slack)
        if page["complete"]:
            demand(not told.says_missing, "it is complete and says that something is missing")
            same(page.get("total"), len(found), "total")
        elif len(found) == limit < len(true) and not told.says_missing:
            return "right"  # a full page
        return told.verdict()

    return judge


def sample_judge(
    world: World, true: Sequence[Call], drawn: Sequence[int], *, slack: int = 0
) -> Callable[[Came], Verdict]:
    """Of find_calls with sample: `true` is the population, `drawn` what a healthy Liner gave for the same seed."""

    def judge(came: Came) -> Verdict:
        told = table_of(came)
        population = {call.id for call in true}
        for row in told.rows:
            _same_call(world, row)
            demand(row["call_id"] in population, f"call {row['call_id']} is not in the population")
        named(world, told, "agent_id", "agents", slack)
        counted_calls = told.page["population"]
        if told.page["complete"]:
            demand(0 <= len(true) - counted_calls <= slack, f"population: it says {counted_calls} of {len(true)}")
            if counted_calls == len(true):
                same([row["call_id"] for row in told.rows], list(drawn), "the drawn calls")
        else:
            demand(told.says_missing, "it is not complete and does not say why")
            demand(counted_calls <= len(true), "the population is larger than the truth")
        return told.verdict()

    return judge


def stats_judge(
    world: World, calls: Sequence[Call], groupings: Sequence[str], *, slack: int = 0
) -> Callable[[Came], Verdict]:
    """Of call_stats: `calls` are all that the question means."""
    columns = [{"agent": "agent_id", "order": "order_id"}.get(name, name) for name in groupings]

    def judge(came: Came) -> Verdict:
        told = table_of(came)
        named(world, told, "agent_id", "agents", slack)
        named(world, told, "order_id", "orders", slack)
        members = calls
        if "covered" in told.page:
            since = datetime.fromisoformat(told.page["covered"]["since"])
            members = [call for call in calls if call.created_at >= since]
        unknown = {"qualified"} if "qualified is unknown" in told.notes else set[str]()
        found = {tuple(row[name] for name in columns): row for row in told.rows}
        true = counted(world, members, grouped_by(*groupings))
        exact = not told.says_missing and not slack
        if exact:
            same(set(found), set(true), "the groups")
        demand(set(found) <= set(true), "there are groups without calls")
        for key, row in found.items():
            agentless = "agent_id" in columns and row["agent_id"] is None
            hidden: set[str] = unknown | {"agent_hangups"} if agentless else unknown
            _same_counts(row, true[key], hidden, exact=exact)
        _same_counts(told.table.get("totals", {}), metrics(world, members), unknown, exact=exact)
        lacking = len(members) - told.table.get("totals", {}).get("calls", 0)
        demand(told.says_missing or lacking <= slack, f"{lacking} calls were not counted and it does not say so")
        return told.verdict()

    return judge


def _same_counts(found: Mapping[str, Any], true: Mapping[str, Any], hidden: set[str], *, exact: bool) -> None:
    for name in METRICS:
        if name not in found or name in hidden:
            demand(found.get(name) is None, f"{name} is told although it cannot be known")
        elif exact:
            same(found[name], true[name], name)
        elif "median" not in name:
            demand((found[name] or 0) <= (true[name] or 0), f"{name}: it says {found[name]}, the truth is {true[name]}")


def _same_call(world: World, row: Mapping[str, Any]) -> None:
    demand(row["call_id"] in world.calls, f"there is no call {row['call_id']}")
    call = world.calls[row["call_id"]]
    same({name: row[name] for name in row if name != "call_id"}, _call_cells(call), f"call {call.id}")


def _call_cells(call: Call) -> dict[str, Any]:
    date, time = _local(call.created_at)
    return {
        "date": date,
        "time": time,
        "talk_seconds": call.talk_time_duration_seconds,
        "agent_id": call.user_id,
        "order_id": call.order_id,
        "status": call.status_code,
        "recorded": int(call.has_records),
    }


def _local(moment: datetime) -> tuple[str, str]:
    text = moment.astimezone(MOSCOW).isoformat()
    return text[:10], text[11:16]


# Records --------------------------------------------------------------------------------------------------------------


def records_judge(world: World, call: Call, *, limit: int, slack: int = 0) -> Callable[[Came], Verdict]:
    """Of list_call_records and of the resource of a call."""
    true = sorted(world.records_of(call.id), key=lambda record: (record.created_at, record.id))

    def judge(came: Came) -> Verdict:
        told = table_of(came)
        if "call" in told.table:
            cells = {name: value for name, value in _call_cells(call).items() if name != "recorded"}
            same({name: told.table["call"][name] for name in cells}, cells, "the call's facts")
        else:
            demand("call's own facts could not be read" in told.notes, "the call's facts are missing")
        for row in told.rows:
            _same_record(world, row, told)
        named(world, told, "agent_id", "agents", slack)
        found, page = [row["record_id"] for row in told.rows], told.page
        wanted = [record.id for record in true]
        full = len(found) == limit < len(wanted) and not told.says_missing
        ordered(found, wanted[: limit + slack] if full else wanted, gaps=full or told.says_missing, slack=slack)
        if page["complete"] or full:
            demand(0 <= len(wanted) - page.get("total", -1) <= slack, f"total: {page.get('total')}")
            demand(not full or slack > 0 or found == wanted[:limit], "a full page lacks rows")
        return "right" if full else told.verdict()

    return judge


def summaries_judge(world: World, asked: Sequence[int], *, slack: int = 0) -> Callable[[Came], Verdict]:
    """Of get_call_summaries."""

    def judge(came: Came) -> Verdict:
        told = table_of(came)
        retry, left = set(told.table.get("retry", [])), told.page.get("next_call_ids", [])
        given = list(dict.fromkeys(row["call_id"] for row in told.rows))
        for what, some in (("given", given), ("left", left)):
            same(some, [one for one in asked if one in some], f"the order of the calls {what}")
        same({*given, *left}, set(asked), "the calls")
        for call_id in given:
            rows = [row for row in told.rows if row["call_id"] == call_id]
            call, records = world.calls.get(call_id), world.records_of(call_id)
            state = rows[0]["summary_state"]
            if rows[0]["record_id"] is not None:
                for row in rows:
                    demand(world.records[row["record_id"]].call_id == call_id, "a record of another call")
                    _same_record(world, row, told, retry_of=call_id)
                whole = len(records) - len(rows) <= slack or f"could be read for call {call_id}" in told.notes
                demand(whole or "counts more records" in told.notes, f"records of call {call_id} are missing")
            elif state == "failed":
                demand(call_id in retry, f"call {call_id} failed and is not in retry")
            elif call is None:
                same(state, "not_found", f"call {call_id}")
            elif not records:
                same(state, "no_recording", f"call {call_id}")
            else:
                demand(state == "not_listed_yet" and len(records) <= slack, f"call {call_id} is told as {state}")
        named(world, told, "agent_id", "agents", slack)
        if told.page["complete"]:
            demand(not retry and not left, "it is complete although something is left")
        return told.verdict()

    return judge


def full_record_judge(world: World, record: Record, *, slack: int = 0) -> Callable[[Came], Verdict]:
    """Of get_call_record and the resource of a record."""

    def judge(came: Came) -> Verdict:
        demand(came.table is not None, "no record")
        table: Mapping[str, Any] = came.table or {}
        facts, summary = table["record"], table["summary"]
        date, time = _local(record.created_at)
        true = {
            "record_id": record.id,
            "record_date": date,
            "record_time": time,
            "record_seconds": record.duration_seconds,
            "agent_id": record.user_id,
            "lead_id": record.lead_id,
            "transfer": int(record.is_transfer),
            "audio": "listed" if record.has_file else "not_listed",
        }
        same({name: facts[name] for name in true}, true, "the facts")
        same(summary.get("text"), record.summary, "the summary")
        _named_ids(world, [record.user_id], table.get("names", {}), "agents", " ".join(table.get("notes", [])), slack)
        return "right"

    return judge


def summary_judge(record: Record) -> Callable[[Came], Verdict]:
    """Of the resource of a summary."""

    def judge(came: Came) -> Verdict:
        # Its first line is ours: it says what stands below.
        first, _, below = (came.text or "").partition("\n")
        same(below, record.summary, "the summary")
        same(first.startswith(f"[Summary of call record {record.id} "), True, "the line above the summary")
        return "right"

    return judge


def audio_judge(record: Record) -> Callable[[Came], Verdict]:
    """Of the resource of a recording."""

    def judge(came: Came) -> Verdict:
        same(came.audio, demo_audio.silence(record.duration_seconds), "the recording")
        return "right"

    return judge


def _same_record(world: World, row: Mapping[str, Any], told: Told, retry_of: int | None = None) -> None:
    demand(row["record_id"] in world.records, f"there is no record {row['record_id']}")
    record = world.records[row["record_id"]]
    date, time = _local(record.created_at)
    true: dict[str, Any] = {
        "record_date": date,
        "record_time": time,
        "record_seconds": record.duration_seconds,
        "transfer": int(record.is_transfer),
    }
    same({name: row[name] for name in true}, true, f"record {record.id}")
    state = row["summary_state"]
    if state == "failed":
        retry = told.table.get("retry", [])
        demand((record.id if retry_of is None else retry_of) in retry, f"record {record.id} failed, not in retry")
        demand(row["agent_id"] in (None, record.user_id), f"record {record.id} has another agent")
        return
    same(row["agent_id"], record.user_id, f"the agent of record {record.id}")
    if record.summary is None:
        same(state, "none", f"the summary of record {record.id}")
    else:
        demand(state in ("ready", "cut"), f"the summary of record {record.id} is told as {state}")
        shown = row["summary"] if state == "ready" else row["summary"].rstrip("…")
        demand(record.summary.startswith(shown.rstrip()), f"the summary of record {record.id} is another")


# Names ----------------------------------------------------------------------------------------------------------------


def entries_judge(true: Mapping[int, str], *, slack: int = 0) -> Callable[[Came], Verdict]:
    """Of list_directory: `true` are all names by id."""

    def judge(came: Came) -> Verdict:
        told = table_of(came)
        for row in told.rows:
            same(row["name"].removesuffix(f" #{row['id']}"), true.get(row["id"]), f"the name of {row['id']}")
        found = [row["id"] for row in told.rows]
        same(sorted(found), sorted(set(found)), "rows repeat")
        lacking = len(true) - len(found)
        demand(lacking <= slack or told.says_missing, f"{lacking} entries are missing and it does not say so")
        demand(not (told.page["complete"] and told.says_missing), "it is complete and says that something is missing")
        return told.verdict()

    return judge


def named(world: World, told: Told, column: str, kind: str, slack: int) -> None:
    """Every id of a column has its true name beside it, or it is said that names could not be read."""
    ids = [row[column] for row in told.rows if row.get(column) is not None]
    _named_ids(world, ids, told.table.get("names", {}), kind, told.notes, slack)


def _named_ids(
    world: World, ids: Iterable[object], names: Mapping[str, Mapping[str, str]], kind: str, notes: str, slack: int
) -> None:
    true: dict[str, dict[str, str]] = {
        "agents": {str(user.id): user.full_name for user in world.users},
        "orders": {str(order.id): order.title for order in world.orders},
        "statuses": {status.code: status.title for status in world.call_statuses},
    }
    legend = dict(names.get(kind, {}))
    legend.pop("null", None)
    for one, name in legend.items():
        same(name.removesuffix(f" #{one}"), true[kind].get(one), f"the name of {kind} {one}")
    bare = {str(one) for one in ids if one is not None and str(one) in true[kind]} - set(legend)
    demand(not bare or slack > 0 or bool(_UNNAMED.search(notes)) or "ames of" in notes, f"{kind} without names: {bare}")


def table_of(came: Came) -> Told:
    if came.table is None:
        raise Wrong("no table came")
    return Told.of(came.table)
