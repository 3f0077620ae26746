"""Which claims of an answer are false. Everything an answer says is compared with the data that the fake Liner holds.

It shares no code with the package. The bend decides what may be unknown; nothing may be false.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from tests.claims import quotes_oracle, records_oracle, stats_oracle
from tests.claims.answers import Answers, Falsehood, Page
from tests.claims.meaning import AGENTS, GROUPS, MENTIONS, ORDERS, STATUSES, Meaning, holds, meaning_of
from tests.claims.questions import Question
from tests.claims.truth import Truth, call_cells, names

SECOND = timedelta(seconds=1)
# How notes and errors say that there is nothing.
_NO_CALL = re.compile(r"[Nn]o call of this window (passes|can)|has no (such )?calls? in this window")
_NONE_PASSED = re.compile(r"none (of them )?passed")
_EARLIER = re.compile(r"(?P<which>the nearest|an) earlier \w+ is call (?P<id>\d+)")
_COUNTED_BEFORE = re.compile(
    r"(?:but|Liner has) (?P<least>at least )?(?P<number>\d+) in the (?P<days>\d+) days before it(?P<none>, none)?"
)
_MEANT_BY = {
    "min_talk_seconds": "min_talk", "max_talk_seconds": "max_talk", "statuses": "codes",
    **{name: name for name in (
        "orders", "leads", "agents", "direction", "recorded", "transferred", "has_summary", "mentions", "hung_up_by",
        "hours",
    )},
}  # fmt: skip
"""The member of `Meaning` for each filter."""
_NOR_BEFORE = re.compile(r"nor in the (\d+) days before")
_NO_SUCH_ID = re.compile(r"(?:has|knows) no (call record|record|call status|call|lead) #?(\d+)")
_NO_SUCH_NAME = re.compile(r"nothing is called \W?([^\"»”]+)|this agent group has no agents")
# How an error says that what was asked for is itself what could not be read.
_NOTHING_READ = re.compile(r"none of the names that were read|no row of a list|refuses access|failed to answer")
_NAMES_UNREAD = re.compile(r"could not be read|counts more|cannot be read|did not answer|lists none|may ")


def falsehoods(question: Question, answers: Answers, truth: Truth) -> list[Falsehood]:
    """Every false claim in the answers of a question."""
    found = list(_of_question(question, answers, truth))
    if answers.endless:
        found.append(Falsehood("endless", "the cursors do not end"))
    if answers.sentence is not None:
        found += _of_sentence(answers.sentence, truth)
        if truth.bend.answerable and _has_answer(question, truth) and not _NOTHING_READ.search(answers.sentence):
            found.append(Falsehood("lost", f"an answer could be given: {answers.sentence}"))
    return list(dict.fromkeys(found))


def _has_answer(question: Question, truth: Truth) -> bool:
    """Whether the true data has an answer to the question."""
    arguments, dataset = question.arguments, truth.before
    if question.tool in ("find_calls", "call_stats"):
        return not meaning_of(arguments, dataset).refusable
    if question.tool == "list_call_records":
        return arguments["call_id"] in dataset.calls
    if question.tool == "get_call_summaries":
        return any(call_id in dataset.calls for call_id in arguments["call_ids"])
    if question.tool == "check_quotes":
        return any(one["record_id"] in dataset.records for one in arguments["quotes"])
    if "start" in arguments:  # refused where there is no summary
        return False
    return question.tool == "list_directory" or arguments.get("record_id") in dataset.records


def _of_question(question: Question, answers: Answers, truth: Truth) -> Iterator[Falsehood]:
    if question.tool in ("find_calls", "call_stats"):
        meaning = meaning_of(question.arguments, truth.before)
        for page in answers.pages:
            yield from _window(question, page, meaning)
            yield from _legend(page, truth)
            yield from _absences(page, meaning, truth)
            if meaning.refusable and page.complete:
                yield Falsehood("answered a name", "a name that is unknown or ambiguous, or a time, was answered")
        if question.tool == "call_stats":
            for page in answers.pages:
                yield from stats_oracle.of_stats(question.arguments, page, meaning, truth)
        elif "sample" in question.arguments:
            for page in answers.pages:
                yield from _sample(question.arguments["sample"], page, meaning, truth)
        elif question.arguments.get("sort") == "longest_talk":
            for page in answers.pages:
                yield from _longest(question.arguments.get("limit", 50), page, meaning, truth)
        else:
            yield from _calls(answers, meaning, truth)
    elif question.tool == "check_quotes":
        yield from quotes_oracle.of_quotes(question.arguments["quotes"], answers, truth)
    else:
        for page in answers.pages:
            yield from _legend(page, truth)
        yield from records_oracle.of_question(question, answers, truth)


# Calls ----------------------------------------------------------------------------------------------------------------


def _calls(answers: Answers, meaning: Meaning, truth: Truth) -> Iterator[Falsehood]:
    must, may = truth.must(meaning), truth.may(meaning)
    shown = _Shown()
    said = False
    for page in answers.pages:
        for row in page.rows:
            yield from _call_row(row, page, shown, may, meaning, truth)
        undecided = set(page.structure.get("retry", ()))
        invented = undecided - truth.after.calls.keys()
        if invented or any(one in shown.calls and not shown.failed(one) for one in undecided):
            yield Falsehood("retry", f"retry holds {_some(undecided)}, of which some are no calls or were given")
        said = said or page.says_missing
        yield from _extent(page, set(shown.calls), (must, may), truth, said=said)
        if page.complete and not said and shown.with_summaries:
            yield from records_oracle.all_given(list(must), shown.calls, truth)
    times = [(truth.after.calls[one].created_at, one) for one in shown.calls if one in truth.after.calls]
    if times != sorted(times, reverse=True):
        yield Falsehood("order", f"the calls are not newest first: {[one for _, one in times][:9]}")


@dataclass(slots=True)
class _Shown:
    """The rows that were given so far, by call, and the records among them."""

    calls: dict[int, list[Mapping[str, Any]]] = field(default_factory=dict[int, list[Mapping[str, Any]]])
    records: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])

    @property
    def with_summaries(self) -> bool:
        return any("summary_state" in row for rows in self.calls.values() for row in rows)

    def failed(self, call_id: int) -> bool:
        return any(row.get("summary_state") == "failed" or "records" in row for row in self.calls[call_id])


def _call_row(
    row: Any, page: Page, shown: _Shown, may: dict[int, Any], meaning: Meaning, truth: Truth
) -> Iterator[Falsehood]:
    call_id = row["call_id"]
    call = truth.after.calls.get(call_id)
    if call is None:
        yield Falsehood("invented call", f"there is no call {call_id}")
        return
    before = shown.calls.setdefault(call_id, [])
    state = row.get("summary_state")  # the rest of a call whose records fill a page may fail on the next one
    if before and state != "failed" and (state is None or None in (row["record_id"], before[-1]["record_id"])):
        yield Falsehood("doubled row", f"call {call_id} comes twice")
    before.append(row)
    if call_id not in may:
        yield Falsehood("call not meant", f"call {call_id} does not fit the question: {call}")
    yield from cells(row, call_cells(call), page, truth, f"call {call_id}")
    phone = row.get("phone")
    if phone is not None and (call.client_phone in phone or not call.client_phone.endswith(phone[-2:])):
        yield Falsehood("wrong phone", f"call {call_id}: {phone} is not {call.client_phone} with digits hidden")
    yield from _recordings(row, page, shown, meaning, truth)


def _recordings(row: Any, page: Page, shown: _Shown, meaning: Meaning, truth: Truth) -> Iterator[Falsehood]:
    """What a row says of the recordings of its call."""
    call_id, record_id = row["call_id"], row.get("record_id")
    records = truth.after.records_of(call_id)
    if row.get("records") not in (None, len(records)):
        yield Falsehood("wrong records", f"call {call_id} has {len(records)} records, not {row['records']}")
    if "summary_state" in row:
        of_record = {name: value for name, value in row.items() if name != "agent_id"}  # the agent of the call
        if record_id is None:
            yield from records_oracle.without_record(of_record, page, truth)
        else:
            yield from records_oracle.of_row(of_record, call_id, page, shown.records, truth)
    elif record_id is not None and record_id not in {record.id for record in records}:
        yield Falsehood("record of another call", f"record {record_id} is not of call {call_id}")
    if row.get("passage") is not None and meaning.mentions is not None:
        patterns, _ = MENTIONS[meaning.mentions]
        if not any(holds(pattern, row["passage"]) for pattern in patterns):
            yield Falsehood("passage", f"the passage of record {record_id} shows none of the words: {row['passage']}")


def cells(row: Any, true: dict[str, Any], page: Page, truth: Truth, what: str) -> Iterator[Falsehood]:
    """Cells are true or null; where null has a meaning of its own, it is said that it is unknown."""
    for column, value in true.items():
        found = row.get(column)
        if column not in row or found == value:
            continue
        if found is not None:
            yield Falsehood(f"wrong {column}", f"{what}: {column} is {value}, not {found}")
        elif column == "agent_id" and "null" in page.structure.get("names", {}).get("agents", {}):
            yield Falsehood("no agent", f"{what} is said to have no agent; it has {value}")
        elif column in ("agent_id", "hung_up_by") and not page.says_missing:
            yield Falsehood(f"null {column}", f"{what}: {column} is {value}; null is not said to be unknown")
        elif truth.healthy:
            yield Falsehood(f"lost {column}", f"{what}: {column} is {value}, not null")


def _extent(
    page: Page, seen: set[int], calls: tuple[dict[int, Any], dict[int, Any]], truth: Truth, *, said: bool
) -> Iterator[Falsehood]:
    """`complete`, `total`, `liner_total` and `covered` of one page, after which `seen` calls were given."""
    must, may = calls
    lacking = must.keys() - seen
    total, liner_total = page.page.get("total"), page.page.get("liner_total")
    if page.complete and lacking:
        yield Falsehood("complete", f"complete, and {_some(lacking)} of {len(must)} calls are missing")
    if total is not None and not len(must) <= total <= len(may):
        yield Falsehood("total", f"total is {len(must)}, not {total}")
    unjudged = truth.bend.miscounts or said  # Liner's count of what it lists, where it is said that more is missing
    if liner_total is not None and not unjudged and not len(must) <= liner_total <= len(may):
        yield Falsehood("liner_total", f"Liner has {len(must)} such calls, not {liner_total}")
    if page.complete or said:
        return
    since = page.moment("covered", "since")
    if since is None:
        yield Falsehood("silent", "not complete, and neither covered nor a note says what is missing")
        return
    uncovered = {one for one in lacking if must[one].created_at >= since}
    if uncovered:
        yield Falsehood("covered", f"covered from {since}, and {_some(uncovered)} calls of it are missing")
    older = {one for one in seen & may.keys() if may[one].created_at < since - SECOND}
    if older:
        yield Falsehood("covered", f"covered from {since}, and {_some(older)} given calls are older")


def _some(ids: set[int]) -> str:
    return f"{len(ids)} ({', '.join(map(str, sorted(ids)[:3]))})"


def _sample(size: int, page: Page, meaning: Meaning, truth: Truth) -> Iterator[Falsehood]:
    must, may = truth.must(meaning), truth.may(meaning)
    shown = _Shown()
    for row in page.rows:
        yield from _call_row(row, page, shown, may, meaning, truth)
    seen = set(shown.calls)
    population = page.page.get("population")
    if page.complete:
        if population is not None and not len(must) <= population <= len(may):
            yield Falsehood("population", f"the population is {len(must)}, not {population}")
        if len(seen) < min(size, len(must)):
            yield Falsehood("complete", f"{len(seen)} of {size} were drawn from {len(must)}")
    else:
        if population is not None and population > len(may):
            yield Falsehood("population", f"the population is {len(may)}, not {population}")
        if not page.says_missing:
            yield Falsehood("silent", "not complete, and no note says why")


def _longest(limit: int, page: Page, meaning: Meaning, truth: Truth) -> Iterator[Falsehood]:
    must, may = truth.must(meaning), truth.may(meaning)
    shown = _Shown()
    for row in page.rows:
        yield from _call_row(row, page, shown, may, meaning, truth)
    talks = [row["talk_seconds"] for row in page.rows]
    known = [talk for talk in talks if talk is not None]
    if known != sorted(known, reverse=True) or None in talks[: len(known)]:
        yield Falsehood("order", f"the calls are not in the order of talk: {talks[:9]}")
    total = page.page.get("total")
    if total is not None and not len(must) <= total <= len(may):
        yield Falsehood("total", f"total is {len(must)}, not {total}")
    by_talk = sorted(must.values(), key=lambda call: (call.talk_time_duration_seconds, call.created_at, call.id))
    longest = [call.id for call in by_talk[::-1][:limit]]
    if page.complete and truth.after is truth.before and list(shown.calls) != longest:
        yield Falsehood("complete", f"the longest talks are {longest[:5]}, not {list(shown.calls)[:5]}")
    if not page.complete and "covered" not in page.page and not page.says_missing:
        yield Falsehood("silent", "not complete, and neither covered nor a note says what is missing")


# Notes, names, errors -------------------------------------------------------------------------------------------------


def _window(question: Question, page: Page, meaning: Meaning) -> Iterator[Falsehood]:
    since, until = page.moment("window", "since"), page.moment("window", "until")
    if until is not None and until != meaning.until:
        yield Falsehood("window", f"the window ends {meaning.until}, not {until}")
    of_leads = "leads" in question.arguments and "since" not in question.arguments
    if since is not None and since != meaning.since and not of_leads:
        yield Falsehood("window", f"the window begins {meaning.since}, not {since}")


def _absences(page: Page, meaning: Meaning, truth: Truth) -> Iterator[Falsehood]:
    must = truth.must(meaning)
    none_read = _NONE_PASSED.search(page.notes) and page.complete  # of the calls that were read, which is not all else
    if must and (none_read or _NO_CALL.search(page.notes)):
        yield Falsehood("none claimed", f"{len(must)} calls fit, and a note says that none does: {page.notes}")
    yield from _earlier_calls(page, meaning, truth)
    nor = _NOR_BEFORE.search(page.notes)
    if nor:
        span = timedelta(days=int(nor[1]))
        before = [c for c in truth.must(_earlier(meaning)).values() if c.created_at >= meaning.since - span]
        if before:
            yield Falsehood("none claimed", f"{len(before)} calls fit in the {nor[1]} days before")


def _earlier_calls(page: Page, meaning: Meaning, truth: Truth) -> Iterator[Falsehood]:
    """What is said of calls before the window: which is the nearest, which is one, and how many there are."""
    earlier = _EARLIER.search(page.notes)
    if earlier and meaning.transferred is meaning.has_summary is meaning.mentions is None:
        calls = truth.may(_earlier(meaning))
        newest = max(calls.values(), key=lambda call: (call.created_at, call.id), default=None)
        named = int(earlier["id"])
        if named not in calls or (earlier["which"] == "the nearest" and newest and newest.id != named):
            yield Falsehood("nearest call", f"the nearest earlier call is {newest and newest.id}, not {named}")
    counted = _COUNTED_BEFORE.search(page.notes)
    if counted is None:
        return
    since = meaning.since - timedelta(days=int(counted["days"]))
    month = replace(meaning, since=since, until=meaning.since)
    unfiltered = replace(month, **{_MEANT_BY[name]: None for name in page.page.get("local_filters", ())})
    most, number = len(truth.may(unfiltered)), int(counted["number"])
    wrong = number > most or (not counted["least"] and number < len(truth.must(unfiltered)))
    if wrong and not truth.bend.miscounts:
        yield Falsehood("earlier calls", f"there are {most} earlier calls, not {number}: {page.notes}")
    if counted["none"] and truth.must(month):
        yield Falsehood("none claimed", f"{len(truth.must(month))} earlier calls pass: {page.notes}")


def _earlier(meaning: Meaning) -> Meaning:
    return replace(meaning, since=meaning.since - timedelta(days=400), until=meaning.since)


def _legend(page: Page, truth: Truth) -> Iterator[Falsehood]:
    for kind, legend in page.structure.get("names", {}).items():
        true = names(truth.after, kind)
        for one, name in legend.items():
            if one != "null" and name.removesuffix(f" #{one}") != true.get(one):
                yield Falsehood("name", f"{kind} {one} is {true.get(one)}, not {name}")


def _of_sentence(sentence: str, truth: Truth) -> Iterator[Falsehood]:
    if "bug in liner-mcp" in sentence:
        yield Falsehood("crash", sentence)
    for kind, one in _NO_SUCH_ID.findall(sentence):
        if _exists(kind, int(one), truth):
            yield Falsehood("not found claimed", f"there is {kind} {one}: {sentence}")
    name = _NO_SUCH_NAME.search(sentence)
    known = {*AGENTS, *GROUPS, *ORDERS, *STATUSES} - ({"New Town"} if len(truth.before.orders) == 6 else set())
    if name and not _NAMES_UNREAD.search(sentence) and (name[1] is None or name[1] in known):
        yield Falsehood("not found claimed", f"the name exists: {sentence}")


def _exists(kind: str, one: int, truth: Truth) -> bool:
    dataset = truth.before
    if kind in ("call record", "record"):
        return one in dataset.records
    if kind == "call status":
        return any(status.id == one for status in dataset.call_statuses)
    return one in (dataset.calls if kind == "call" else dataset.leads)
