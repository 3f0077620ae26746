"""Which claims about records, summaries and names are false."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from liner_mcp.demo import Record
from tests.claims.answers import Answers, Falsehood, Page
from tests.claims.questions import Question
from tests.claims.truth import Truth, call_cells, entries, record_cells

_NO_RECORDING = re.compile(r"has no recording|nothing Liner could summari[sz]e|has no records")
_NO_SUCH_CALL = re.compile(r"(?:has|knows) no call (\d+)")
_NONE_NAMED = re.compile(r"None of the \d+ entries")
_MARKED = {"failed", "not_listed_yet", "not_asked", "forgotten", "unknown"}
"""States that say openly that a call's records or a summary are not known."""


def of_question(question: Question, answers: Answers, truth: Truth) -> Iterator[Falsehood]:
    if question.tool == "list_call_records":
        yield from _records_of_call(question.arguments["call_id"], answers, truth)
    elif question.tool == "get_call_summaries":
        yield from _summaries(question.arguments["call_ids"], answers, truth)
    elif question.tool == "get_call_record":
        yield from _record(question.arguments["record_id"], question.arguments.get("start", 0), answers, truth)
    else:
        yield from _directory(question.arguments, answers, truth)


# Records --------------------------------------------------------------------------------------------------------------


def _records_of_call(call_id: int, answers: Answers, truth: Truth) -> Iterator[Falsehood]:
    true = {record.id for record in truth.before.records_of(call_id)}
    call = truth.before.calls.get(call_id)
    seen: set[tuple[int, int]] = set()
    said = False
    for page in answers.pages:
        if call is not None and "call" in page.structure:
            yield from _cells(page.structure["call"], call_cells(call), page, truth, f"call {call_id}")
        for row in page.rows:
            yield from of_row(row, call_id, page, seen, truth)
        if true and _NO_RECORDING.search(page.notes):
            yield Falsehood("no recording claimed", f"call {call_id} has {len(true)} records: {page.notes}")
        said = said or page.says_missing
        yield from _in_order(page, truth)
        lacking = true - {record_id for _, record_id in seen}
        if page.complete and lacking:
            yield Falsehood("complete", f"complete, and {len(lacking)} of {len(true)} records are missing")
        if not page.complete and not said and "next_cursor" not in page.page:
            yield Falsehood("silent", "not complete, and no note says why")
        for name in ("total", "liner_total"):
            counted = page.page.get(name)
            if counted not in (None, len(true)) and not (name == "liner_total" and truth.bend.miscounts):
                yield Falsehood(name, f"call {call_id} has {len(true)} records, not {counted}")


def _in_order(page: Page, truth: Truth) -> Iterator[Falsehood]:
    """Records come oldest first, where Liner sends their times."""
    times = [(one.created_at, one.id) for row in page.rows if (one := truth.before.records.get(row["record_id"]))]
    if times != sorted(times) and "record.createdAt" not in truth.bend.missing:
        yield Falsehood("order", f"the records are not oldest first: {[one for _, one in times][:9]}")


def of_row(
    row: Mapping[str, Any], call_id: int, page: Page, seen: set[tuple[int, int]], truth: Truth
) -> Iterator[Falsehood]:
    """The claims of a record's row. `seen`: the records that were shown, each with its call."""
    record = next((one for one in truth.before.records_of(call_id) if one.id == row["record_id"]), None)
    if record is None:
        yield Falsehood("record of another call", f"record {row['record_id']} is not of call {call_id}")
        return
    if (call_id, record.id) in seen:
        yield Falsehood("doubled row", f"record {record.id} comes twice")
    seen.add((call_id, record.id))
    yield from _cells(row, record_cells(record), page, truth, f"record {record.id}")
    yield from _summary_cells(row, record, page)


def _summary_cells(row: Mapping[str, Any], record: Record, page: Page) -> Iterator[Falsehood]:
    state, text = row["summary_state"], row.get("summary")
    true = None if record.summary is None else " ".join(record.summary.split())
    if state in _MARKED:
        if page.complete and state == "failed":
            yield Falsehood("complete", f"complete, and the summary of record {record.id} failed")
    elif true is None:
        if state != "none" or text is not None:
            yield Falsehood("summary", f"record {record.id} has no summary; the row says {state}")
    elif state not in ("ready", "cut"):
        yield Falsehood("no summary claimed", f"record {record.id} has a summary; the row says {state}")
    elif text is not None and not true.startswith(text.rstrip("…").rstrip()):
        yield Falsehood("summary", f"the summary of record {record.id} is another one")
    elif row.get("summary_length") not in (None, len(true)):
        yield Falsehood("summary length", f"record {record.id}: {len(true)}, not {row['summary_length']}")


def _cells(row: Mapping[str, Any], true: Mapping[str, Any], page: Page, truth: Truth, what: str) -> Iterator[Falsehood]:
    unread = row.get("summary_state") in _MARKED
    for column, value in true.items():
        if column not in row or row[column] == value:
            continue
        if row[column] is not None:
            yield Falsehood(f"wrong {column}", f"{what}: {column} is {value}, not {row[column]}")
        elif unread:
            continue
        elif column == "agent_id" and "null" in page.structure.get("names", {}).get("agents", {}):
            yield Falsehood("no agent", f"{what} is said to have no agent; it has {value}")
        elif column in ("agent_id", "hung_up_by") and not page.says_missing:
            yield Falsehood(f"null {column}", f"{what}: {column} is {value}; null is not said to be unknown")
        elif truth.healthy:
            yield Falsehood(f"lost {column}", f"{what}: {column} is {value}, not null")


# Summaries of many calls ----------------------------------------------------------------------------------------------


def _summaries(asked: list[int], answers: Answers, truth: Truth) -> Iterator[Falsehood]:
    seen: set[tuple[int, int]] = set()
    given: dict[int, list[Mapping[str, Any]]] = {}
    left = asked  # what this page was asked for, which is what it is complete for
    said = False
    for page in answers.pages:
        for row in page.rows:
            given.setdefault(row["call_id"], []).append(row)
            if row["call_id"] not in asked:
                yield Falsehood("call not meant", f"call {row['call_id']} was not asked for")
            elif row["record_id"] is None:
                yield from without_record(row, page, truth)
            else:
                yield from of_row(row, row["call_id"], page, seen, truth)
        for one in _NO_SUCH_CALL.findall(page.notes):
            if int(one) in truth.before.calls:
                yield Falsehood("not found claimed", f"there is a call {one}: {page.notes}")
        said = said or page.says_missing
        partial = page.page.get("partial_call")
        if partial is not None:
            yield from _partial_call(partial, page, truth)
        if page.complete:
            yield from all_given(left, given, truth)
        elif not said and partial is None:
            yield Falsehood("silent", "not complete, and no note says why")
        left = page.page.get("next_call_ids", left)
    wanted = [one for one in dict.fromkeys(asked) if one in given]
    if list(given) != wanted:
        yield Falsehood("order", f"the calls are not in the order of call_ids: {list(given)[:9]}")


def _partial_call(partial: Mapping[str, Any], page: Page, truth: Truth) -> Iterator[Falsehood]:
    """One call that does not fit a page alone: how many of its records are shown is said, and of how many."""
    records = len(truth.before.records_of(partial["call_id"]))
    unjudged = truth.bend.miscounts or page.notes_say_missing
    if (partial["shown"], partial["records"]) != (len(page.rows), records) and not unjudged:
        yield Falsehood("partial_call", f"{len(page.rows)} of {records} records are shown, not {partial}")


def all_given(asked: list[int], given: Mapping[int, list[Mapping[str, Any]]], truth: Truth) -> Iterator[Falsehood]:
    for call_id in dict.fromkeys(asked):
        rows = given.get(call_id, [])
        shown = {row["record_id"] for row in rows}
        true = {record.id for record in truth.before.records_of(call_id)}
        if not rows:
            yield Falsehood("complete", f"complete, and call {call_id} is missing")
        elif true - shown and rows[0]["summary_state"] not in _MARKED:
            yield Falsehood("complete", f"complete, and {len(true - shown)} records of call {call_id} are missing")


def without_record(row: Mapping[str, Any], page: Page, truth: Truth) -> Iterator[Falsehood]:
    call_id, state = row["call_id"], row["summary_state"]
    call, records = truth.before.calls.get(call_id), truth.before.records_of(call_id)
    if state == "not_found" and call is not None:
        yield Falsehood("not found claimed", f"there is a call {call_id}")
    if state == "no_recording" and records:
        yield Falsehood("no recording claimed", f"call {call_id} has {len(records)} records")
    if state == "not_listed_yet" and not records and not truth.bend.miscounts:  # else Liner itself counts some
        yield Falsehood("records claimed", f"call {call_id} has no records")
    if state == "failed" and page.complete:
        yield Falsehood("complete", f"complete, and call {call_id} failed")
    if call is not None and row.get("agent_id") not in (None, call.user_id):
        yield Falsehood("wrong agent_id", f"call {call_id}: agent {call.user_id}, not {row['agent_id']}")


# One record -----------------------------------------------------------------------------------------------------------


def _record(record_id: int, start: int, answers: Answers, truth: Truth) -> Iterator[Falsehood]:
    record = truth.before.records.get(record_id)
    text = ""
    for page in answers.pages:
        facts, summary = page.structure["record"], page.structure["summary"]
        if record is None:
            yield Falsehood("invented record", f"there is no record {record_id}")
            return
        text += summary.get("text", "")
        true = {**record_cells(record), "lead_id": record.lead_id}
        yield from _cells(facts, true, page, truth, f"record {record_id}")
        if record.has_file and facts.get("audio") == "not_listed":
            yield Falsehood("no recording claimed", f"record {record_id} has a file")
        if summary["state"] == "none" and record.summary is not None:
            yield Falsehood("no summary claimed", f"record {record_id} has a summary; the answer says none")
            return
    whole = " ".join((record.summary if record else "" or "").split()) if record and record.summary else ""
    if answers.pages and answers.sentence is None and text and text != whole[start:]:
        yield Falsehood("summary", f"the summary of record {record_id} is another one")


# Names ----------------------------------------------------------------------------------------------------------------


def _directory(arguments: Mapping[str, Any], answers: Answers, truth: Truth) -> Iterator[Falsehood]:
    true = {} if arguments["kind"] == truth.bend.unlisted else entries(truth.after, arguments["kind"])
    query = _folded(str(arguments.get("query", "")))
    fitting = {
        one
        for one, entry in true.items()
        if not query or query == str(one) or any(query in _folded(text) for text in (entry["name"], *entry["also"]))
    }
    seen: set[int] = set()
    said = False
    for page in answers.pages:
        for row in page.rows:
            yield from _entry(row, fitting, seen, true, page)
            seen.add(row["id"])
        said = said or page.says_missing
        if page.complete and fitting - seen:
            yield Falsehood("complete", f"complete, and {len(fitting - seen)} of {len(fitting)} entries are missing")
        if page.page.get("total") not in (None, len(fitting)):
            yield Falsehood("total", f"total is {len(fitting)}, not {page.page['total']}")
        if fitting and _NONE_NAMED.search(page.notes) and not said:
            yield Falsehood("none claimed", f"{len(fitting)} entries fit: {page.notes}")
        if not page.complete and not said and "next_cursor" not in page.page:
            yield Falsehood("silent", "not complete, and no note says why")


def _entry(
    row: Mapping[str, Any], fitting: set[int], seen: set[int], true: Mapping[int, Mapping[str, Any]], page: Page
) -> Iterator[Falsehood]:
    one = row["id"]
    if one not in fitting:
        yield Falsehood("invented entry", f"entry {one} is not one of the wanted")
        return
    if one in seen:
        yield Falsehood("doubled row", f"entry {one} comes twice")
    entry = true[one]
    for column, value in entry.items():
        if column in ("also", "groups") or column not in row:
            continue
        found = (row[column] or "").removesuffix(f" #{one}") or None if column == "name" else row[column]
        if found is not None and found != value:
            yield Falsehood(f"wrong {column}", f"entry {one}: {column} is {value}, not {found}")
    if "groups" in row:
        shown = set((row["groups"] or "").split(", ")) - {""}
        if shown != entry["groups"] and not page.says_missing:
            yield Falsehood("wrong groups", f"agent {one} is in {entry['groups']}, not {shown}")


def _folded(text: str) -> str:
    return text.casefold().replace("ё", "е")
