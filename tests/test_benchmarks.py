"""What the documents claim of this server is what it does now: the tables, the thirty questions, and the gates."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, cast

import pytest

from benchmarks import gates, prices, race, results, tables
from benchmarks.contestants import CONTESTANTS, OURS, PASSING, Contestant
from benchmarks.questions import QUESTIONS, Question
from benchmarks.questions.asking import THIS_MONTH
from benchmarks.raw_reading import RawLiner, days
from benchmarks.reading import WINDOW, Reader, Refused
from benchmarks.table_reading import Tables
from liner_mcp.demo import Dataset, DemoLiner

pytestmark = pytest.mark.anyio

REFRESH = "If this is meant: python -m benchmarks --exact --write, and read the difference as a user would."
STORED = results.committed()
TAKING_PART = [contestant for contestant in CONTESTANTS if contestant.takes_part]


@pytest.mark.parametrize("document", tables.DOCUMENTS, ids=lambda path: path.name)
def test_the_documents_tables_are_those_of_the_kept_results(document: Any) -> None:
    text = document.read_text(encoding="utf-8")
    assert tables.with_tables(text, STORED) == text, REFRESH


def test_every_table_stands_in_some_document() -> None:
    told = "".join(document.read_text(encoding="utf-8") for document in tables.DOCUMENTS)
    assert set(re.findall(r"<!-- benchmarks: (\w+) -->", told)) == set(tables.TABLES)


@pytest.mark.parametrize("contestant", TAKING_PART, ids=lambda contestant: contestant.name)
async def test_the_thirty_questions_cost_what_is_told_and_are_right_or_wrong_as_told(
    contestant: Contestant, dataset: Dataset
) -> None:
    now = {"contestants": [await results.contestant_results(contestant, dataset)]}
    assert gates.passed(now, STORED) == [], REFRESH
    assert len(now["contestants"][0]["outcomes"]) == 30


async def test_the_price_list_is_what_answers_cost() -> None:
    now: dict[str, Any] = {"contestants": []}
    now["prices"] = {"rows": prices.ROWS, "list": [asdict(price) for price in await prices.prices()]}
    assert gates.passed(now, STORED) == [], REFRESH


async def test_figures_that_are_the_same_everywhere_are_the_kept_ones() -> None:
    figures = await results.exact_figures()
    assert gates.passed({"contestants": [], "figures": [asdict(figure) for figure in figures]}, STORED) == [], REFRESH


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
async def test_a_question_takes_no_other_answer_for_right(question: Question, dataset: Dataset) -> None:
    async with PASSING.opened(DemoLiner(dataset), 0) as client:
        reader = Reader(client)
        answer: Any = Refused("no such call")
        if question.name != "unknown call":
            answer = await PASSING.ask(question, reader)
            assert question.right(dataset, answer)
    for other in _faulty(answer):
        assert not question.right(dataset, other)


def _faulty(answer: Any) -> list[Any]:
    """The answer with one thing less, one thing more, or one thing else."""
    if isinstance(answer, set):
        members = sorted(cast("set[int]", answer))
        return [set(members[1:]), {*members, 1}]
    if isinstance(answer, list):
        listed = cast("list[Any]", answer)
        return [listed[:-1], listed[:-1] + listed[:1]]
    if isinstance(answer, tuple):
        return [("somebody", *cast("tuple[Any, ...]", answer)[1:])]
    if isinstance(answer, dict):
        return _faulty_dictionaries(cast("dict[Any, Any]", answer))
    return ["a summary", []]


def _faulty_dictionaries(answer: dict[Any, Any]) -> list[dict[Any, Any]]:
    key, value = next((key, value) for key, value in answer.items() if value)
    less = {other: kept for other, kept in answer.items() if other != key}
    others: dict[type, Callable[[Any], Any]] = {
        int: lambda count: count + 1,
        float: lambda share: share + 0.01,
        str: lambda text: text[:10],
        tuple: lambda parts: (-1, *parts[1:]),
        dict: _without_words,
    }
    wrong = {**answer, key: others[type(value)](value)}
    return [wrong] if "text" in answer else [less, wrong]  # facts about one record: what is missing is not looked for


def _without_words(told: dict[int, str | None]) -> dict[int, str | None]:
    return {record: (text or "")[:10] + "…" for record, text in told.items()}


def _ours(kept: dict[str, Any]) -> dict[str, Any]:
    found: list[dict[str, Any]] = [one for one in kept["contestants"] if one["name"] == OURS.name]
    return found[0]


@pytest.mark.parametrize(
    ("path", "times", "more", "told"),
    [
        (("outcomes", "one call", "calls"), 1, 1, "2 tool calls, 1 before"),
        (("outcomes", "one call", "requests"), 1, 1, "requests to Liner"),
        (("outcomes", "transfers", "requests"), 1, 5, "requests to Liner"),
        (("outcomes", "thirty calls", "read"), 1.03, 0, "read"),
        (("outcomes", "transfers", "written"), 1.1, 0, "written"),
        (("definitions", "tools"), 1.03, 0, "definitions: tools"),
        (("definitions", "instructions"), 1.03, 0, "definitions: instructions"),
    ],
)
def test_each_gate_closes(path: tuple[str, ...], times: float, more: int, told: str) -> None:
    new = copy.deepcopy(STORED)
    part = _ours(new)
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = int(part[path[-1]] * times) + more
    assert [sentence for sentence in gates.passed(new, STORED) if told in sentence]


def test_a_wrong_answer_is_told() -> None:
    new = copy.deepcopy(STORED)
    _ours(new)["outcomes"]["one call"]["failed"] = "wrong"
    assert "liner-mcp fails the question 'one call': wrong." in gates.passed(new, STORED)


def test_nothing_is_told_of_results_that_are_the_kept_ones() -> None:
    assert gates.passed(copy.deepcopy(STORED), STORED) == []


@pytest.mark.parametrize("kind", ["figures", "timed_figures"])
def test_a_figure_above_its_bar_is_told(kind: str) -> None:
    new = copy.deepcopy(STORED)
    new[kind][0]["value"] = new[kind][0]["bar"] + 1
    assert [
        told for told in gates.passed(new, STORED) if f"{new[kind][0]['what']}: " in told and "above its bar" in told
    ]


def test_a_dearer_row_is_told() -> None:
    new = copy.deepcopy(STORED)
    new["prices"]["list"][0]["tokens"][2] += 300
    (told,) = gates.passed(new, STORED)
    assert "100 rows" in told


@pytest.mark.parametrize("part", ["read", "written", "calls", "requests"])
def test_a_baseline_that_became_cheaper_is_told_too(part: str) -> None:
    new = copy.deepcopy(STORED)
    _bare(new)["outcomes"]["thirty calls"][part] //= 2
    (told,) = gates.passed(new, STORED)
    assert PASSING.name in told


def test_a_baseline_whose_definitions_or_prices_move_is_told() -> None:
    new = copy.deepcopy(STORED)
    _bare(new)["definitions"]["tools"] //= 2
    new["prices"]["list"][0]["bare"][1] *= 2
    new["figures"][0]["bare"] *= 2
    assert len([told for told in gates.passed(new, STORED) if PASSING.name in told]) == 3


def _walk(results: dict[str, Any]) -> dict[str, Any]:
    (figure,) = [figure for figure in results["figures"] if figure["what"].startswith("walking")]
    return figure


def test_a_figure_that_is_the_same_everywhere_may_not_creep_even_without_a_bar() -> None:
    new = copy.deepcopy(STORED)
    assert _walk(new)["bar"] is None
    _walk(new)["value"] *= 1.1
    (told,) = gates.passed(new, STORED)
    assert "requests per full page" in told


@pytest.mark.parametrize("kind", ["question", "price", "figure"])
def test_what_is_cached_and_no_longer_measured_is_told_and_so_is_what_is_new(kind: str) -> None:
    less = copy.deepcopy(STORED)
    if kind == "question":
        del _ours(less)["outcomes"]["one call"]
    elif kind == "price":
        less["prices"]["list"][0]["tokens"].pop()
    else:
        less["figures"].remove(_walk(less))
    (gone,) = gates.passed(less, STORED)
    assert kind in gone
    assert "not among the new results" in gone
    (new,) = gates.passed(STORED, less)
    assert "not among the kept results" in new


def _bare(results: dict[str, Any]) -> dict[str, Any]:
    (found,) = [one for one in results["contestants"] if one["name"] == PASSING.name]
    return found


def test_slower_questions_are_told_only_in_relation_to_the_bare_server() -> None:
    old = copy.deepcopy(STORED)
    old["times"] = {"seconds": {OURS.name: {"one call": [0.2, 0.1, 0.3]}, PASSING.name: {"one call": [0.1, 0.1, 0.1]}}}
    slow = copy.deepcopy(old)
    slow["times"]["seconds"] = {name: {"one call": [1.0, 1.0, 1.0]} for name in (OURS.name, PASSING.name)}
    assert gates.passed(slow, old) == []
    slow["times"]["seconds"][OURS.name]["one call"] = [4.0, 4.0, 4.0]
    (told,) = gates.passed(slow, old)
    assert "time for all questions" in told


def test_what_is_newer_than_the_times_is_shown_without_them() -> None:
    newer = copy.deepcopy(STORED)
    newer["times"] = {**(newer["times"] or {}), "seconds": {OURS.name: {"one call": [0.25, 0.2, 0.3]}}}
    newer["times"] |= {"date": "2026-11-20", "python": "3.11", "machine": "a machine", "runs": 1}
    first, second, *_ = tables.questions(newer).splitlines()[2:]
    assert ", 0.25 s |" in first
    assert " s |" not in second


def test_the_seconds_of_all_are_added_up_over_the_same_questions() -> None:
    newer = copy.deepcopy(STORED)
    seconds = {one["name"]: {"one call": [0.25, 0.2, 0.3]} for one in newer["contestants"]}
    seconds[OURS.name]["thirty calls"] = [9.0, 9.0, 9.0]
    newer["times"] = {**newer["times"], "seconds": seconds}
    assert "seconds in tool calls, of the 1 questions that were timed | 0.25 | 0.25 | 0.25 |" in tables.totals(newer)


def test_times_of_a_question_that_is_asked_in_another_way_now_are_not_kept() -> None:
    old, new = copy.deepcopy(STORED), copy.deepcopy(STORED)
    old["times"] = {**old["times"], "seconds": {OURS.name: {"one call": [1.0] * 3, "thirty calls": [2.0] * 3}}}
    _ours(new)["outcomes"]["one call"]["requests"] += 1
    times = results.still_true(old, new)
    assert times is not None
    assert times["seconds"] == {OURS.name: {"thirty calls": [2.0] * 3}}


async def test_who_must_read_more_than_a_context_holds_has_failed(dataset: Dataset) -> None:
    async def everything(liner: RawLiner) -> Any:
        return await liner.calls(days(*THIS_MONTH))

    (hung_up,) = [question for question in QUESTIONS if question.name == "hung up early"]
    (outcome,) = (await race.run(PASSING, dataset, [replace(hung_up, raw=everything)])).values()
    assert outcome.failed == "too much to read"
    assert WINDOW < outcome.read < WINDOW + 15_000


async def test_an_answer_that_is_only_a_part_has_failed(dataset: Dataset) -> None:
    async def a_part(liner: Tables) -> Any:
        return {row["call_id"] for row in (await liner.rows("find_calls", since="yesterday", limit=200))[:-1]}

    (unrecorded,) = [question for question in QUESTIONS if question.name == "not recorded"]
    (outcome,) = (await race.run(OURS, dataset, [replace(unrecorded, ours=a_part)])).values()
    assert outcome.failed == "wrong"


@pytest.mark.parametrize("contestant", TAKING_PART, ids=lambda contestant: contestant.name)
async def test_a_host_that_reads_structured_content_reads_the_same(contestant: Contestant, dataset: Dataset) -> None:
    async with contestant.opened(DemoLiner(dataset), 0) as client:
        for tool, arguments in (
            ("list_call_records", {"call_id": 7003900}),
            ("list_call_records", {"callId": 7003900}),
        ):
            answer: Any = await client.call_tool(tool, arguments)
            if answer.is_error:  # the other spelling
                continue
            (block,) = answer.content
            assert answer.structured_content in (None, json.loads(block.text))
            return
    raise AssertionError


def test_a_contestant_that_is_not_installed_is_left_out_and_said_to_be() -> None:
    without = copy.deepcopy(STORED)
    without["contestants"][-1] |= {"definitions": None, "outcomes": None}
    assert "not installed" in tables.totals(without)
    assert "not installed" in tables.questions(without)
    assert "Left out" in tables.made(without)
    assert gates.passed(without, STORED) == []
