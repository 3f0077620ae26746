"""Is an answer true? Everything it shows is compared with the dataset that the fake Liner holds.

Pure: a dataset and an answer come in, a verdict comes out, or `WrongAnswer` with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from liner_mcp.demo import Call, Dataset, Record
from liner_mcp.demo import audio as demo_audio
from tests.fault_matrix.client import TOKEN, ToolOutcome
from tests.support.context import rows_of
from tests.support.expected_stats import METRICS, expected_groups, expected_metrics, grouped_by

Verdict = Literal["right", "partial", "sentence"]
MOSCOW = ZoneInfo("Europe/Moscow")
UNREAD = ("failed", "unknown")  # states of a summary that could not be read
MAX_SENTENCES, MAX_CHARACTERS = 3, 420
# How an answer says that rows are missing which nobody can name.
_MISSING = re.compile(
    r"may be missing|are missing|could not be (read|drawn|decided)|Liner counts|lists none yet|lists no recordings"
)
# How an answer says that cells, counts or groups are unknown because Liner sent no value.
_UNKNOWN = re.compile(r"null there (is|means) unknown|counts that need it are null|Liner sends no")
# What else may be unknown, beside all the rows.
_UNNAMED = re.compile(r"Names of [^.]* could not be read")
_UNGROUPED = re.compile(r"Agent groups could not be read")
_UNQUALIFIED = re.compile(r"Which statuses qualify a lead could not be read")


class WrongAnswer(AssertionError):
    """An answer that says what is not so, or hides what it does not know."""


@dataclass(frozen=True, slots=True)
class ParsedTable:
    """A table, read: whole rows, and what is said about them."""

    table: Mapping[str, Any]
    rows: list[dict[str, Any]]

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> ParsedTable:
        return cls(table, rows_of(table))

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

    @property
    def says_unknown(self) -> bool:
        return bool(_UNKNOWN.search(self.notes))

    def verdict(self) -> Verdict:
        """Right when nothing is missing; partial when it says so, and only then. A complete table may lack names and
        cells.
        """
        if self.page["complete"]:
            lacking = any(pattern.search(self.notes) for pattern in (_UNNAMED, _UNGROUPED, _UNKNOWN))
            return "partial" if lacking else "right"
        page = self.page
        said = self.notes or self.table.get("retry") or "next_cursor" in page or "next_call_ids" in page
        require(bool(said), "it is not complete and does not say what is missing")
        return "partial"


def require(holds: bool, reason: str) -> None:
    if not holds:
        raise WrongAnswer(reason)


def assert_equal(found: object, expected: object, what: str) -> None:
    require(found == expected, f"{what}: it says {found!r}, the truth is {expected!r}")


def assert_cells(found: Mapping[str, Any], expected: Mapping[str, Any], what: str, *, unknown: bool) -> None:
    """Cells are true, or null where the answer says that some are unknown."""
    for name, value in expected.items():
        if not (unknown and found[name] is None):
            assert_equal(found[name], value, f"{what}: {name}")


def check_outcome(outcome: ToolOutcome, check: Callable[[ToolOutcome], Verdict]) -> Verdict:
    """The verdict on what came back. Raises: Wrong."""
    if outcome.sentence is None:
        return check(outcome)
    return check_sentence(outcome.sentence)


def check_sentence(text: str) -> Verdict:
    """At most three finished sentences for a person; no stack, no markup, no token. Raises: Wrong."""
    require(bool(text.strip()) and len(text) <= MAX_CHARACTERS, f"no sentence to read: {text!r}")
    require(len(re.findall(r"[.!?](?=\s|$)", text)) <= MAX_SENTENCES, f"too many sentences: {text!r}")
    require(text.rstrip().endswith((".", "!", "?")), f"an unfinished sentence: {text!r}")
    require(not re.search(r"<[a-z!/]|Traceback|bug in liner-mcp|Error executing", text), f"machinery: {text!r}")
    require(TOKEN not in text, "the token is in the sentence")
    return "sentence"


def check_order(found: Sequence[int], true: Sequence[int], *, gaps: bool, slack: int) -> None:
    """The found are the true ones, in order; with gaps only where told, or `slack` that came or went meanwhile."""
    assert_equal(sorted(found), sorted(set(found)), "rows repeat")
    assert_equal([one for one in true if one in set(found)], list(found), "rows or their order")
    require(
        gaps or len(true) - len(found) <= slack, f"{len(true) - len(found)} rows are missing and it does not say so"
    )


def quotes_check(states: Sequence[str]) -> Callable[[ToolOutcome], Verdict]:
    """Of check_quotes: a state is the true one, or says that it is not known."""

    def check(outcome: ToolOutcome) -> Verdict:
        table = table_of(outcome)
        assert_equal(len(table.rows), len(states), "rows")
        for row, state in zip(table.rows, states, strict=True):
            require(row["state"] in (state, "failed", "not_asked"), f"it says {row['state']}, the truth is {state}")
        return table.verdict()

    return check


# Calls ----------------------------------------------------------------------------------------------------------------


def newest_first(calls: Iterable[Call]) -> list[Call]:
    return sorted(calls, key=lambda call: (call.created_at, call.id), reverse=True)


def calls_check(
    dataset: Dataset, true: Sequence[Call], *, limit: int, slack: int = 0
) -> Callable[[ToolOutcome], Verdict]:
    """Of find_calls: `expected` are all calls that the question means, newest first."""

    def check(outcome: ToolOutcome) -> Verdict:
        table = table_of(outcome)
        for row in table.rows:
            _check_call(dataset, row, table)
        check_names(dataset, table, "agent_id", "agents", slack)
        check_names(dataset, table, "order_id", "orders", slack)
        check_names(dataset, table, "status", "statuses", slack)
        found, page = [row["call_id"] for row in table.rows], table.page
        wanted = true
        if "covered" in page:
            since = datetime.fromisoformat(page["covered"]["since"])
            # The second in which a page ends may hold calls of this page and of the next.
            wanted = [call for call in true if call.created_at >= since or call.id in set(found)]
        check_order(found, [call.id for call in wanted], gaps=table.says_missing, slack=slack)
        if page["complete"]:
            require(not table.says_missing, "it is complete and says that something is missing")
            assert_equal(page.get("total"), len(found), "total")
        elif len(found) == limit < len(true) and not table.says_missing:
            return "right"  # a full page
        return table.verdict()

    return check


def sample_check(
    dataset: Dataset, true: Sequence[Call], drawn: Sequence[int], *, slack: int = 0
) -> Callable[[ToolOutcome], Verdict]:
    """Of find_calls with sample: `expected` is the population, `drawn` what a healthy Liner gave for the same seed."""

    def check(outcome: ToolOutcome) -> Verdict:
        table = table_of(outcome)
        population = {call.id for call in true}
        for row in table.rows:
            _check_call(dataset, row, table)
            require(row["call_id"] in population, f"call {row['call_id']} is not in the population")
        check_names(dataset, table, "agent_id", "agents", slack)
        if table.page["complete"]:
            counted_calls = table.page["population"]
            require(0 <= len(true) - counted_calls <= slack, f"population: it says {counted_calls} of {len(true)}")
            if counted_calls == len(true):
                assert_equal([row["call_id"] for row in table.rows], list(drawn), "the drawn calls")
        else:
            require(table.says_missing or table.says_unknown, "it is not complete and does not say why")
            counted_calls = table.page.get("population", len(true))
            require(counted_calls == len(true), f"population: it says {counted_calls} of {len(true)}")
        return table.verdict()

    return check


def stats_check(
    dataset: Dataset,
    calls: Sequence[Call],
    groupings: Sequence[str],
    of_recordings: Sequence[str] = (),
    *,
    slack: int = 0,
) -> Callable[[ToolOutcome], Verdict]:
    """Of call_stats: `calls` are all that the question means, and `of_recordings` the columns that count recordings."""
    columns = [{"agent": "agent_id", "order": "order_id"}.get(name, name) for name in groupings]

    def check(outcome: ToolOutcome) -> Verdict:
        table = table_of(outcome)
        check_names(dataset, table, "agent_id", "agents", slack)
        check_names(dataset, table, "order_id", "orders", slack)
        members = calls
        if "covered" in table.page:
            since = datetime.fromisoformat(table.page["covered"]["since"])
            members = [call for call in calls if call.created_at >= since]
        totals = table.table.get("totals", {})
        unknown = {"qualified"} if "qualified is unknown" in table.notes else set[str]()
        # Without the field that they are grouped by, calls are in one group without a key.
        keyless = table.says_unknown and not table.page["complete"]
        found = {tuple(row[name] for name in columns): row for row in table.rows}
        if keyless:
            found = {key: row for key, row in found.items() if None not in key}
        true = expected_groups(dataset, members, grouped_by(*groupings))
        exact = not table.says_missing and not slack and not keyless
        if exact:
            assert_equal(set(found), set(true), "the groups")
        require(set(found) <= set(true), "there are groups without calls")
        for key, row in found.items():
            agentless = "agent_id" in columns and row["agent_id"] is None
            hidden: set[str] = unknown | {"agent_hangups"} if agentless else unknown
            _check_counts(row, true[key], hidden, exact=exact, nullable=table.says_unknown)
        _check_counts(totals, expected_metrics(dataset, members), unknown, exact=exact, nullable=table.says_unknown)
        for name in of_recordings:
            records = [record for call in members for record in dataset.records_of(call.id)]
            true_count = sum(record.is_transfer or name == "records" for record in records)
            said = totals.get(name)
            require(
                said is None or said == true_count or (not exact and said < true_count),
                f"{name}: it says {said}, the truth is {true_count}",
            )
            require(said is not None or not table.page["complete"], f"{name} is null in a complete answer")
        lacking = len(members) - (totals.get("calls") or 0)
        require(table.says_missing or lacking <= slack, f"{lacking} calls were not counted and it does not say so")
        return table.verdict()

    return check


def _check_counts(
    found: Mapping[str, Any], true: Mapping[str, Any], hidden: set[str], *, exact: bool, nullable: bool
) -> None:
    for name in METRICS:
        if nullable and found.get(name) is None:
            continue
        if name not in found or name in hidden:
            require(found.get(name) is None, f"{name} is told although it cannot be known")
        elif exact:
            assert_equal(found[name], true[name], name)
        elif "median" not in name:
            require(
                (found[name] or 0) <= (true[name] or 0), f"{name}: it says {found[name]}, the truth is {true[name]}"
            )


def _check_call(dataset: Dataset, row: Mapping[str, Any], table: ParsedTable) -> None:
    require(row["call_id"] in dataset.calls, f"there is no call {row['call_id']}")
    call = dataset.calls[row["call_id"]]
    assert_equal(set(row) - {"record_id", "passage"}, {"call_id", *_call_cells(call)}, f"the columns of call {call.id}")
    if row.get("record_id") is not None:
        summaries = {record.id: record.summary or "" for record in dataset.records_of(call.id)}
        require(row["record_id"] in summaries, f"record {row['record_id']} is not of call {call.id}")
        shown = row["passage"].removeprefix("…").removesuffix("…")
        require(shown in summaries[row["record_id"]], f"the passage is not of record {row['record_id']}: {shown}")
    assert_cells(row, _call_cells(call), f"call {call.id}", unknown=table.says_unknown)


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


def records_check(dataset: Dataset, call: Call, *, limit: int, slack: int = 0) -> Callable[[ToolOutcome], Verdict]:
    """Of list_call_records and of the resource of a call."""
    true = sorted(dataset.records_of(call.id), key=lambda record: (record.created_at, record.id))

    def check(outcome: ToolOutcome) -> Verdict:
        table = table_of(outcome)
        if "call" in table.table:
            cells = {name: value for name, value in _call_cells(call).items() if name != "recorded"}
            assert_cells(table.table["call"], cells, "the call's facts", unknown=True)
        else:
            require("call's own facts could not be read" in table.notes, "the call's facts are missing")
        for row in table.rows:
            _check_record(dataset, row, table)
        check_names(dataset, table, "agent_id", "agents", slack)
        found, page = [row["record_id"] for row in table.rows], table.page
        wanted = [record.id for record in true]
        full = len(found) == limit < len(wanted) and not table.says_missing
        check_order(found, wanted[: limit + slack] if full else wanted, gaps=full or table.says_missing, slack=slack)
        if page["complete"] or full:
            require(0 <= len(wanted) - page.get("total", -1) <= slack, f"total: {page.get('total')}")
            require(not full or slack > 0 or found == wanted[:limit], "a full page lacks rows")
        return "right" if full else table.verdict()

    return check


def summaries_check(dataset: Dataset, request: Sequence[int], *, slack: int = 0) -> Callable[[ToolOutcome], Verdict]:
    """Of get_call_summaries."""

    def check(outcome: ToolOutcome) -> Verdict:
        table = table_of(outcome)
        retry, left = set(table.table.get("retry", [])), table.page.get("next_call_ids", [])
        given = list(dict.fromkeys(row["call_id"] for row in table.rows))
        for what, some in (("given", given), ("left", left)):
            assert_equal(some, [one for one in request if one in some], f"the order of the calls {what}")
        assert_equal({*given, *left}, set(request), "the calls")
        for call_id in given:
            rows = [row for row in table.rows if row["call_id"] == call_id]
            call, records = dataset.calls.get(call_id), dataset.records_of(call_id)
            state = rows[0]["summary_state"]
            if rows[0]["record_id"] is not None:
                for row in rows:
                    require(dataset.records[row["record_id"]].call_id == call_id, "a record of another call")
                    _check_record(dataset, row, table, retry_of=call_id)
                whole = len(records) - len(rows) <= slack or f"could be read for call {call_id}" in table.notes
                require(whole or "counts more records" in table.notes, f"records of call {call_id} are missing")
            elif state == "failed":
                require(call_id in retry, f"call {call_id} failed and is not in retry")
            elif call is None:
                assert_equal(state, "not_found", f"call {call_id}")
            elif not records:
                assert_equal(state, "no_recording", f"call {call_id}")
            else:
                few = len(records) <= slack or table.says_missing
                require(state == "not_listed_yet" and few, f"call {call_id} is told as {state}")
        check_names(dataset, table, "agent_id", "agents", slack)
        if table.page["complete"]:
            require(not retry and not left, "it is complete although something is left")
        return table.verdict()

    return check


def full_record_check(dataset: Dataset, record: Record, *, slack: int = 0) -> Callable[[ToolOutcome], Verdict]:
    """Of get_call_record and the resource of a record."""

    def check(outcome: ToolOutcome) -> Verdict:
        require(outcome.table is not None, "no record")
        table: Mapping[str, Any] = outcome.table or {}
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
        unknown = bool(_UNKNOWN.search(" ".join(table.get("notes", []))))
        assert_cells(facts, true, "the facts", unknown=unknown)
        if summary["state"] not in UNREAD:
            assert_equal(summary.get("text"), record.summary, "the summary")
        _check_named_ids(
            dataset, [facts["agent_id"]], table.get("names", {}), "agents", " ".join(table.get("notes", [])), slack
        )
        return "partial" if unknown or summary["state"] in UNREAD else "right"

    return check


def summary_check(record: Record) -> Callable[[ToolOutcome], Verdict]:
    """Of the resource of a summary."""

    def check(outcome: ToolOutcome) -> Verdict:
        # Its first line is ours: it says what stands below.
        if "so whether it has one is unknown" in (outcome.text or ""):
            return "partial"
        first, _, below = (outcome.text or "").partition("\n")
        assert_equal(below, record.summary, "the summary")
        assert_equal(first.startswith(f"[Summary of call record {record.id} "), True, "the line above the summary")
        return "right"

    return check


def audio_check(record: Record) -> Callable[[ToolOutcome], Verdict]:
    """Of the resource of a recording."""

    def check(outcome: ToolOutcome) -> Verdict:
        assert_equal(outcome.audio, demo_audio.silence(record.duration_seconds), "the recording")
        return "right"

    return check


def _check_record(dataset: Dataset, row: Mapping[str, Any], table: ParsedTable, retry_of: int | None = None) -> None:
    require(row["record_id"] in dataset.records, f"there is no record {row['record_id']}")
    record = dataset.records[row["record_id"]]
    date, time = _local(record.created_at)
    true: dict[str, Any] = {
        "record_date": date,
        "record_time": time,
        "record_seconds": record.duration_seconds,
        "transfer": int(record.is_transfer),
    }
    assert_cells(row, true, f"record {record.id}", unknown=table.says_unknown)
    state = row["summary_state"]
    if state == "not_asked":
        require(
            "next_cursor" in table.page or retry_of in table.page["next_call_ids"], f"{record.id} is not asked again"
        )
        require(row["agent_id"] in (None, record.user_id), f"record {record.id} has another agent")
        return
    if state == "failed":
        retry = table.table.get("retry", [])
        require((record.id if retry_of is None else retry_of) in retry, f"record {record.id} failed, not in retry")
        require(row["agent_id"] in (None, record.user_id), f"record {record.id} has another agent")
        return
    assert_cells(row, {"agent_id": record.user_id}, f"record {record.id}", unknown=table.says_unknown)
    if record.summary is None:
        assert_equal(state, "none", f"the summary of record {record.id}")
    else:
        require(state in ("ready", "cut"), f"the summary of record {record.id} is told as {state}")
        shown = row["summary"] if state == "ready" else row["summary"].rstrip("…")
        require(record.summary.startswith(shown.rstrip()), f"the summary of record {record.id} is another")


# Names ----------------------------------------------------------------------------------------------------------------


def entries_check(true: Mapping[int, str], *, slack: int = 0) -> Callable[[ToolOutcome], Verdict]:
    """Of list_directory: `expected` are all names by id."""

    def check(outcome: ToolOutcome) -> Verdict:
        table = table_of(outcome)
        for row in table.rows:
            assert_equal(row["name"].removesuffix(f" #{row['id']}"), true.get(row["id"]), f"the name of {row['id']}")
        found = [row["id"] for row in table.rows]
        assert_equal(sorted(found), sorted(set(found)), "rows repeat")
        lacking = len(true) - len(found)
        require(lacking <= slack or table.says_missing, f"{lacking} entries are missing and it does not say so")
        require(
            not (table.page["complete"] and table.says_missing), "it is complete and says that something is missing"
        )
        return table.verdict()

    return check


def check_names(dataset: Dataset, table: ParsedTable, column: str, kind: str, slack: int) -> None:
    """Every id of a column has its true name beside it, or it is said that names could not be read."""
    ids = [row[column] for row in table.rows if row.get(column) is not None]
    _check_named_ids(dataset, ids, table.table.get("names", {}), kind, table.notes, slack)


def _check_named_ids(
    dataset: Dataset, ids: Iterable[object], names: Mapping[str, Mapping[str, str]], kind: str, notes: str, slack: int
) -> None:
    true: dict[str, dict[str, str]] = {
        "agents": {str(user.id): user.full_name for user in dataset.users},
        "orders": {str(order.id): order.title for order in dataset.orders},
        "statuses": {status.code: status.title for status in dataset.call_statuses},
    }
    legend = dict(names.get(kind, {}))
    legend.pop("null", None)
    for one, name in legend.items():
        assert_equal(name.removesuffix(f" #{one}"), true[kind].get(one), f"the name of {kind} {one}")
    bare = {str(one) for one in ids if one is not None and str(one) in true[kind]} - set(legend)
    require(
        not bare or slack > 0 or bool(_UNNAMED.search(notes)) or "ames of" in notes, f"{kind} without names: {bare}"
    )


def table_of(outcome: ToolOutcome) -> ParsedTable:
    if outcome.table is None:
        raise WrongAnswer("no table came")
    return ParsedTable.parse(outcome.table)
