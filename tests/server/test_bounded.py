"""Requests that a client makes large: the work for them, the answers and the errors stay small.

Work is counted in the calls of functions that one request takes, as no clock is the same twice.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from mcp import MCPError
from mcp.types import CallToolResult

from liner_mcp.answer import table
from liner_mcp.answer.cursor import encode_cursor
from liner_mcp.calls import counting
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.errors import InvalidResponse
from liner_mcp.input_limits import FIRST_ECHOED, MAX_NAMES, MAX_TEXT, MOST_ECHOED
from liner_mcp.liner import decoding
from liner_mcp.liner.models import AgentGroup, Call, CallRecord, LinerModel
from liner_mcp.text.clean import MOST_CHARACTERS, NOT_READ
from tests.conftest import OpenSession, Session, text_of
from tests.support.context import rows_of, small_dataset
from tests.support.sentences import assert_says, recorded
from tests.support.virtual_time import advance
from tests.text.test_long_texts import calls_counted

pytestmark = pytest.mark.anyio

BUDGET, SMALLEST_BUDGET = 9_500, 2_000
LONGEST_ERROR = 1_100  # characters: eight candidates with names of eighty, and two sentences
MOST_CALLS = 500_000  # of functions for one request: some for each character of it, but none for each pair of them
LARGE = 100_000  # characters; a request over HTTP has no more than 262,144 bytes, over stdio a million

STRINGS = {
    "digits": "8(" * (LARGE // 2),
    "phones": "8 916 123-45-67, " * (LARGE // 17),
    "letters": "я" * LARGE,
    "words": "жк " * (LARGE // 3),
    "signs": "ivan@mail.ru " * (LARGE // 13),
    "commas": "," * LARGE,
    "ids": "7000123," * (LARGE // 8),
    "number": "9" * LARGE,
    "nested": "[" * LARGE,
    "json": json.dumps(["Анна"] * (LARGE // 10)),
    "spaces": " " * LARGE,
    "invisible": "\u200b" * LARGE,
    "code": "a_1" * (LARGE // 3),
    "time": "00:00." * (LARGE // 6),
}


def nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


OTHERS: dict[str, Any] = {
    "many ids": list(range(7_000_000, 7_030_000)),
    "many names": [f"Анна {number}" for number in range(20_000)],
    "a thousand names": [f"Анна {number}" for number in range(MAX_NAMES)],
    "a hundred codes": [f"no_such_code_{number}" for number in range(100)],
    "a hundred long names": ["анна " * 39 + str(number) for number in range(100)],
    "long names": ["8(" * 5_000] * 20,
    "many lists": [[1, 2]] * 20_000,
    "many nulls": [None] * 50_000,
    "deep": nested(60),
    "an object": {f"key {number}": "x" * 100 for number in range(2_000)},
    "a number": 10**5_000,
    "a list of a number": [10**5_000],
    "a negative number": -(10**30),
    "a float": 1e308,
}
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "find_calls": (
        "since", "until", "orders", "leads", "agents", "statuses", "direction", "min_talk_seconds", "recorded",
        "include", "sample", "seed", "limit", "cursor",
    ),
    "call_stats": (
        "since", "hours", "agents", "group_by", "hung_up_by", "transferred", "include", "sort", "limit", "min_calls",
    ),
    "list_call_records": ("call_id", "limit", "cursor", "summary_chars"),
    "get_call_summaries": ("call_ids", "summary_chars"),
    "get_call_record": ("record_id", "start"),
    "check_quotes": ("quotes",),
    "list_directory": ("kind", "query", "cursor"),
}  # fmt: skip
NEEDED: Mapping[str, dict[str, Any]] = {
    "find_calls": {"since": "today"},
    "call_stats": {"since": "today"},
    "list_call_records": {"call_id": 7003900},
    "get_call_summaries": {"call_ids": [7003900]},
    "get_call_record": {"record_id": 9002361},
    "check_quotes": {"quotes": [{"record_id": 9002361, "quote": "a"}]},
    "list_directory": {"kind": "agents"},
}


def assert_small(result: CallToolResult, budget: int = BUDGET) -> None:
    text = text_of(result)
    if result.is_error:
        assert 20 < len(text) <= LONGEST_ERROR
        assert "Traceback" not in text
        assert "bug in liner-mcp" not in text
        assert "Exceeds the limit" not in text
    else:
        assert len(text.encode()) <= budget


@pytest.mark.parametrize(("tool", "argument"), [(tool, one) for tool, names in ARGUMENTS.items() for one in names])
async def test_whatever_stands_in_an_argument_the_answer_is_small_and_so_is_the_work(
    connect: OpenSession, tool: str, argument: str
) -> None:
    async with connect(max_answer_bytes=BUDGET) as session:
        assert_small(await session.call(tool, **NEEDED[tool]))  # what is read once is read now
        for name, value in {**STRINGS, **OTHERS}.items():
            with calls_counted() as counted:
                result = await session.call(tool, **{**NEEDED[tool], argument: value})
            assert_small(result)
            assert counted.count < MOST_CALLS, name


@pytest.mark.parametrize("tool", ARGUMENTS)
async def test_of_many_unknown_arguments_a_few_are_named_and_the_rest_counted(connect: OpenSession, tool: str) -> None:
    async with connect() as session:
        with calls_counted() as counted:
            sentence = await session.refusal(tool, **{f"argument_{number}": 1 for number in range(22_000)})
        assert_says(sentence, "21997_more_are_unknown")
        assert len(sentence) <= LONGEST_ERROR
        assert counted.count < MOST_CALLS
        long = await session.refusal(tool, **{name * 3: 1 for name in STRINGS.values()})
        assert len(long) <= LONGEST_ERROR


async def test_when_every_argument_is_wrong_a_few_are_told_and_the_rest_counted(connect: OpenSession) -> None:
    async with connect() as session:
        wrong = {name: {"a": 1} for name in ARGUMENTS["find_calls"]}
        sentence = await session.refusal("find_calls", **wrong)
    assert_says(sentence, "more_arguments_cannot_be_used_either")
    assert len(sentence) <= LONGEST_ERROR


async def test_long_lists_leave_room_for_the_rows(connect: OpenSession, dataset: Dataset) -> None:
    orders = [order.id for order in dataset.orders]
    agents = [agent.id for agent in dataset.agents]
    async with connect(max_answer_bytes=BUDGET) as session:
        bare = await session.call("find_calls", since="this_month", limit=200)
        asked = {"orders": [*orders, *range(900_000, 900_050)], "agents": [*agents, *range(800_000, 800_050)]}
        full = await session.call("find_calls", since="this_month", limit=200, **asked)
    for result in (bare, full):
        assert_small(result)
    assert bare.structured_content
    assert full.structured_content
    returned = full.structured_content["page"]["returned"]
    assert returned > bare.structured_content["page"]["returned"] * 0.6
    assert full.structured_content["asked"] == {
        name: {"count": len(ids), "first": ids[:FIRST_ECHOED]} for name, ids in asked.items()
    }
    occurring = {
        str(agent) for agent in [*agents[:FIRST_ECHOED], *(row["agent_id"] for row in rows_of(full.structured_content))]
    }
    assert set(full.structured_content["names"]["agents"]) <= {*occurring, "null"}


async def test_short_lists_are_repeated_whole(connect: OpenSession) -> None:
    ids = list(range(900_000, 900_000 + MOST_ECHOED))
    async with connect() as session:
        answer = await session.answer("call_stats", since="today", orders=ids)
    assert answer["asked"] == {"orders": ids}


CRAFTED: dict[str, dict[str, Any]] = {
    "a long time": {"q": {"since": "8(" * 14_000}},
    "a long name": {"q": {"agents": ["8(" * 14_000]}},
    "many names": {"q": {"agents": ["а"] * 5_000}},
    "a long code": {"f": {"codes": ["a_1" * 9_000]}},
    "many codes": {"f": {"codes": ["a_1"] * 4_000}},
    "many orders": {"f": {"orders": list(range(1, 4_000))}},
    "a long number": {"f": {"min_talk_seconds": 10**4_000}},
    "many columns": {"i": ["phone"] * 3_000},
    "a long count": {"g": 10**4_000},
}


@pytest.mark.parametrize("crafted", CRAFTED.values(), ids=CRAFTED)
async def test_a_crafted_cursor_of_a_few_letters_makes_neither_work_nor_text(
    connect: OpenSession, crafted: dict[str, Any]
) -> None:
    state: dict[str, Any] = {"w": [1763000000, 1763600000], "k": [1763600000, 0], "g": 0, "i": [], "q": {}, "f": {}}
    cursor = encode_cursor("find_calls", {**state, **crafted})
    async with connect(max_answer_bytes=BUDGET) as session:
        await session.call("find_calls", since="today")
        for beside in ({}, {"since": "today"}, {"agents": ["Анна"]}):
            with calls_counted() as counted:
                result = await session.call("find_calls", cursor=cursor, **beside)
            assert_small(result)
            assert counted.count < MOST_CALLS


@pytest.mark.parametrize("text", STRINGS.values(), ids=STRINGS)
async def test_unknown_addresses_prompts_and_names_are_told_by_their_beginning(connect: OpenSession, text: str) -> None:
    async with connect() as session:
        client = session.client
        for ask in (
            lambda: client.read_resource(f"liner://{text}"),
            lambda: client.read_resource(f"liner://calls/{text}"),
            lambda: client.read_resource(f"liner://calls/{text[: MAX_TEXT - 20]}"),
            lambda: client.get_prompt(text),
            lambda: client.get_prompt("review_call", {text: "1"}),
            lambda: client.call_tool(text, {}),
        ):
            with calls_counted() as counted, pytest.raises(MCPError) as raised:
                await ask()
            assert counted.count < MOST_CALLS
            assert len(json.dumps(raised.value.error.model_dump(), ensure_ascii=False)) <= LONGEST_ERROR


@pytest.mark.parametrize("argument", ["call_id", "rubric", "language"])
async def test_whatever_stands_in_an_argument_of_a_prompt_it_is_small(connect: OpenSession, argument: str) -> None:
    async with connect() as session:
        for text in STRINGS.values():
            told = ""
            with calls_counted() as counted:
                try:
                    prompt = await session.client.get_prompt("review_call", {"call_id": "1", argument: f"x{text}x"})
                    told = prompt.model_dump_json()
                except MCPError as error:
                    told = str(error)
            assert 0 < len(told) < BUDGET
            assert counted.count < MOST_CALLS


@pytest.mark.parametrize("tool", NEEDED)
async def test_the_smallest_budget_is_kept_by_every_tool(connect: OpenSession, tool: str) -> None:
    async with connect(max_answer_bytes=SMALLEST_BUDGET) as session:
        assert_small(await session.call(tool, **NEEDED[tool]), SMALLEST_BUDGET)


# Answers of Liner -----------------------------------------------------------------------------------------------------


def steps_of(data: object, model: type[LinerModel]) -> int:
    steps = decoding.decode_list_steps(data, model)
    return 1 + sum(1 for _ in steps)


@pytest.mark.parametrize("row", [{}, None, {"id": 1}, {"id": "x", "createdAt": {}}], ids=str)
def test_a_page_of_many_rows_is_decoded_in_steps_whether_they_can_be_read_or_not(row: object) -> None:
    data = {"list": [row] * decoding.MOST_PAGE_ROWS}
    assert steps_of(data, Call) == decoding.MOST_PAGE_ROWS // decoding.MOST_ROWS


def test_a_page_of_more_rows_than_a_list_of_liner_has_is_refused() -> None:
    with pytest.raises(InvalidResponse) as raised:
        decoding.decode_list([{"id": 1}] * (decoding.MOST_PAGE_ROWS + 1), Call)
    assert_says(str(raised.value), "a_page_of_a_list_has_more_than")


@pytest.mark.parametrize("value", ["1", "[]", '""', "{}", "null"])
def test_a_body_of_more_values_than_a_list_of_liner_has_is_refused_unparsed(value: str) -> None:
    body = f'{{"success":true,"data":[{",".join([value] * (decoding.MOST_COMMAS + 1))}]}}'.encode()
    with calls_counted() as counted, pytest.raises(InvalidResponse) as raised:
        decoding.decode(200, body, None)
    assert_says(str(raised.value), "it_has_more_values_than_any_list")
    assert counted.count < 100


def test_of_an_endless_list_of_agents_the_first_fault_ends_the_reading() -> None:
    row = {"id": 1, "agentIds": [None] * decoding.MOST_COMMAS}
    with calls_counted() as counted:
        assert decoding.unreadable_fields(row, AgentGroup) == {"agentIds"}
    assert counted.count < 100


@pytest.mark.parametrize("letter", ["a", "я", "\u200b"])
def test_a_text_of_any_length_is_cut_where_it_is_decoded(letter: str) -> None:
    record = decoding.decode_one({"id": 1, "recordSummary": letter * 1_000_000}, CallRecord)
    assert len(record.record_summary or "") <= MOST_CHARACTERS + len(NOT_READ)


async def test_thousands_of_calls_and_groups_are_counted_and_rendered_in_threads(
    connect: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: dict[str, set[int]] = {"tally": set(), "rendering": set()}

    def recorded_in(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            threads[name].add(threading.get_ident())
            return work(*arguments, **named)

        return run

    monkeypatch.setattr("liner_mcp.calls.counting.tally", recorded_in("tally", counting.tally))
    rendering = recorded_in("rendering", table.render_within_budget)
    monkeypatch.setattr("liner_mcp.calls.call_stats.render_within_budget", rendering)
    async with connect(max_answer_bytes=BUDGET) as session:
        await session.answer("call_stats", since="this_month", group_by=["lead"])
    assert threads["tally"] - {threading.get_ident()}
    assert threads["rendering"]
    assert threading.get_ident() not in threads["rendering"]


# Texts of Liner -------------------------------------------------------------------------------------------------------

DEAR = ("8(" * 240 + "x ") * 40
"""A summary that takes ten turns to mask, which is a tenth of a second."""


@pytest.fixture
def masking_takes_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time stands still while work is done, so each turn of masking adds the time that it is made for."""

    async def turn() -> None:
        advance(0.01)
        await checkpoint()

    monkeypatch.setattr("liner_mcp.event_loop.checkpoint", turn)


@pytest.fixture(scope="module")
def talkative() -> tuple[Dataset, int, list[int]]:
    """A dataset with a call of 100 such recordings, and 100 calls of one each."""
    dataset = small_dataset()
    when = dataset.now - timedelta(hours=1)
    one = dataset.add_call(created_at=when).id
    calls = [dataset.add_call(created_at=when).id for _ in range(100)]
    for call_id in [one] * 100 + calls:
        dataset.add_record(call_id, summary=DEAR)
    return dataset, one, calls


class Reading:
    """A Liner that tells when it has given so many lists of recordings."""

    def __init__(self, dataset: Dataset) -> None:
        self.demo = DemoLiner(dataset)
        self.left = 0
        self.read = anyio.Event()

    def begins(self, lists: int) -> None:
        self.left, self.read = lists, anyio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.demo(scope, receive, send)
        self.left -= "call-record" in scope["path"]
        if self.left == 0:
            self.read.set()


async def in_parallel(
    session: Session, liner: Reading, lists: int, tool: str, **arguments: Any
) -> tuple[CallToolResult, list[str]]:
    """The result of a call, and in which order it and one that is asked when all is read were answered."""
    liner.begins(lists)
    order: list[str] = []
    results: list[CallToolResult] = []

    async def long() -> None:
        results.append(await session.call(tool, **arguments))
        order.append("long")

    async def short() -> None:
        await liner.read.wait()
        await session.answer("list_directory", kind="agents")
        order.append("short")

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(long)
            group.start_soon(short)
    return results[0], order


@pytest.mark.virtual_time
@pytest.mark.usefixtures("masking_takes_time")
async def test_a_deadline_in_the_middle_of_masking_gives_the_rows_there_are(
    connect: OpenSession, talkative: tuple[Dataset, int, list[int]]
) -> None:
    dataset, one, calls = talkative
    liner = Reading(dataset)
    async with connect(liner, deadline_seconds=2) as session:
        await session.answer("list_directory", kind="agents")
        asked: dict[str, Any] = {"call_ids": calls, "summary_chars": 10}
        summaries, order = await in_parallel(session, liner, 8, "get_call_summaries", **asked)
        assert order == ["short", "long"]
        asked = {"call_id": one, "limit": 100, "summary_chars": 10}
        records, order = await in_parallel(session, liner, 1, "list_call_records", **asked)
        assert order == ["short", "long"]
    told = summaries.structured_content
    assert told, text_of(summaries)
    assert told["page"]["complete"] is False
    given = [row["call_id"] for row in rows_of(told)]
    assert given + told["page"]["next_call_ids"] == calls
    assert_says(told["notes"], "time_was_up")
    told = records.structured_content
    assert told, text_of(records)
    assert 0 < told["page"]["returned"] < 100
    assert told["page"]["total"] == 100
    assert told["page"]["next_cursor"]
    assert_says(told["notes"], "time_was_up")


@pytest.mark.virtual_time
@pytest.mark.usefixtures("masking_takes_time")
async def test_a_deadline_before_the_first_summary_is_masked_is_one_sentence(connect: OpenSession) -> None:
    dataset = small_dataset()
    call_id = dataset.add_call().id
    records = [dataset.add_record(call_id, summary=DEAR * 3).id for _ in range(3)]
    async with connect(DemoLiner(dataset), deadline_seconds=0.1) as session:
        for tool, arguments in (
            ("get_call_record", {"record_id": records[0]}),
            ("list_call_records", {"call_id": call_id}),
            ("get_call_summaries", {"call_ids": [call_id]}),
        ):
            sentence = await session.refusal(tool, **arguments)
            assert "time" in sentence.lower() or recorded("not_ready_within") in sentence
            assert len(sentence) <= LONGEST_ERROR


LONG_SUMMARIES = {
    "hidden digits": "8(" * 125_000,
    "hidden ones": "1 " * 125_000,
    "invisible characters": "8\u200b9\u200b1\u200b6" * 30_000,
    "foreign digits": "٨" * 120_000,
}


@pytest.mark.parametrize("summary", LONG_SUMMARIES.values(), ids=LONG_SUMMARIES)
async def test_each_long_summary_of_a_call_gives_other_tasks_a_turn_and_is_told_as_cut(
    connect: OpenSession, summary: str
) -> None:
    dataset, records = small_dataset(), 20
    long_id, short_id = dataset.add_call().id, dataset.add_call().id
    for _ in range(records):
        dataset.add_record(long_id, summary=summary)
        dataset.add_record(short_id, summary="Клиент ждёт.")
    turns = dict[int, int]()
    told: dict[str, Any] = {}
    async with connect(DemoLiner(dataset)) as session:
        await session.answer("list_directory", kind="agents")
        for call_id in (short_id, long_id):
            turns[call_id] = 0

            async def other(call_id: int) -> None:
                while True:
                    await anyio.lowlevel.checkpoint()
                    turns[call_id] += 1

            async with anyio.create_task_group() as group:
                group.start_soon(other, call_id)
                told = await session.answer("list_call_records", call_id=call_id, summary_chars=20)
                group.cancel_scope.cancel()
    # One for the decoding of each summary, if it is cleaned, and two for its masking.
    assert turns[long_id] - turns[short_id] >= 2 * records
    assert {row["summary_state"] for row in rows_of(told)} == {"cut"}
    assert_says(str(told["notes"]), "longer_than_100_000_characters")
