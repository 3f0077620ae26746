"""What the documents claim of this server is what it does now: tables, plots, the thirty questions, and the gates."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks import faults, gates, highlights, masking, parts, plots, prices, race, results, tables
from benchmarks.contestants import ARCHIVED, CONTESTANTS, OURS, OWN, PASSING, Contestant
from benchmarks.figures import number
from benchmarks.questions import QUESTIONS, Question
from benchmarks.questions.asking import THIS_MONTH
from benchmarks.raw_reading import RawLiner, days
from benchmarks.reading import WINDOW, Reader, Refused
from benchmarks.sums import contestant
from benchmarks.table_reading import Tables
from liner_mcp.demo import Dataset, DemoLiner
from tests.fault_matrix.cases import CASES

pytestmark = pytest.mark.anyio

REFRESH = "If this is meant: python -m benchmarks --exact --write, and read the difference as a user would."
STORED = results.stored()
FEW_CASES = ("nothing wrong", "500", "rows that repeat", "no total", "calls without userId")  # all take two minutes
SAME = {name: document for name, document in STORED.items() if name == "times" or parts.PARTS[name].exact}
"""The results that are the same on every machine, and the times, which are compared with a bare SDK's only."""
TAKING_PART = [contestant for contestant in CONTESTANTS if contestant.takes_part]


@pytest.mark.parametrize("document", tables.DOCUMENTS, ids=lambda path: path.name)
def test_the_documents_tables_are_those_of_the_kept_results(document: Any) -> None:
    text = document.read_text(encoding="utf-8")
    assert tables.with_tables(text, STORED) == text, REFRESH


def test_every_table_stands_in_some_document() -> None:
    told = "".join(document.read_text(encoding="utf-8") for document in tables.DOCUMENTS)
    assert set(re.findall(r"<!-- benchmarks: (\w+) -->", told)) == set(tables.TABLES)


def test_every_part_has_stored_results_with_their_date_machine_and_versions() -> None:
    assert set(STORED) == set(parts.PARTS)
    for document in STORED.values():
        assert set(document["made"]) == {"date", "machine", "python", "versions"}


@pytest.mark.parametrize("name", plots.PLOTS)
def test_the_plots_are_those_of_the_stored_results_and_have_a_text_for_those_who_do_not_see_them(name: str) -> None:
    charts = plots.PLOTS[name](STORED)
    drawn = (plots.FOLDER / name).read_text(encoding="utf-8")
    assert drawn == plots.svg(charts), REFRESH
    for _, value in (one for chart in charts for one in chart.values):
        assert number(value) in drawn
    page = (tables.ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert re.search(rf"!\[[^\]]{{20,}}\]\(images/{re.escape(name)}\)", page)


def test_a_bar_of_a_plot_is_as_long_as_its_value() -> None:
    drawn = plots.svg([plots.Chart("Tokens", [("one", 50), ("two", 100)], "")])
    short, long = (int(width) for width in re.findall(r'<rect [^>]*width="(\d+)"', drawn))
    assert long == 2 * short


def test_the_readme_has_ten_figures_that_stand_in_a_section_of_the_benchmarks() -> None:
    page = (tables.ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    chosen = highlights.chosen(STORED)
    assert len(chosen) == 10
    for what, value, section in chosen:
        text = page.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
        for figure in re.findall(r"\d[\d,.]*", value):
            assert re.search(rf"(?<![\d.,]){re.escape(figure)}", text), (what, figure)


@pytest.mark.parametrize("contestant", TAKING_PART, ids=lambda contestant: contestant.name)
async def test_the_thirty_questions_cost_what_is_told_and_are_right_or_wrong_as_told(
    contestant: Contestant, dataset: Dataset
) -> None:
    now = {"questions": {"contestants": [await parts.contestant_results(contestant, dataset)]}}
    assert gates.passed(now, STORED) == [], REFRESH
    assert len(now["questions"]["contestants"][0]["outcomes"]) == 30


async def test_the_price_list_is_what_answers_cost() -> None:
    now = {"prices": {"rows": prices.ROWS, "list": [asdict(price) for price in await prices.prices()]}}
    assert gates.passed(now, STORED) == [], REFRESH


async def test_figures_that_are_the_same_everywhere_are_the_kept_ones() -> None:
    now = {"figures": {"figures": [asdict(figure) for figure in await parts.exact_figures()]}}
    assert gates.passed(now, STORED) == [], REFRESH


def test_the_masks_find_what_is_told() -> None:
    now = masking.results()
    assert now["kinds"] == STORED["masking"]["kinds"], REFRESH
    assert gates.passed({"masking": now}, STORED) == []


def test_the_fault_matrix_has_every_case_and_some_of_them_end_as_told() -> None:
    told = STORED["faults"]["cases"]
    assert list(told) == [case.name for case in CASES], REFRESH
    assert {sum(counts.values()) for counts in told.values()} == {sum(told["500"].values())}
    some = [case for case in CASES if case.name in FEW_CASES]
    assert faults.virtual_time_counts(some) == {case.name: told[case.name] for case in some}, REFRESH


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
    return contestant(kept, OURS.name)


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
    new = copy.deepcopy(SAME)
    part = _ours(new)
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = int(part[path[-1]] * times) + more
    assert [sentence for sentence in gates.passed(new, SAME) if told in sentence]


@pytest.mark.parametrize("name", OWN)
def test_a_wrong_answer_is_told(name: str) -> None:
    new = copy.deepcopy(SAME)
    contestant(new, name)["outcomes"]["one call"]["failed"] = "wrong"
    assert f"{name} fails the question 'one call': wrong." in gates.passed(new, SAME)


def test_one_more_request_with_an_archive_is_told() -> None:
    new = copy.deepcopy(SAME)
    contestant(new, ARCHIVED.name)["outcomes"]["transfers"]["requests"] += 1
    (told,) = gates.passed(new, SAME)
    assert "1 requests to Liner, 0 before" in told


def test_nothing_is_told_of_results_that_are_the_stored_ones() -> None:
    assert gates.passed(copy.deepcopy(SAME), SAME) == []


PROMISED: dict[str, dict[str, float]] = {
    "figures": {
        "definitions of all tools": 1_800,
        "a found call, one day": 22,
        "a found call, many days": 30,
        "a listed record without summary, one day": 22,
        "a listed record without summary, many days": 30,
        "a page of 100 records, summary_chars=160, to Liner's page": 0.45,
        "a page of 100 records, summary_chars=0, to Liner's page": 0.20,
        "newest 50 of a year of 50,000: requests": 6,
        "mentions: forms that are missed": 3,
        "mentions: found forms of another word": 10,
    },
    "micro": {
        "start to first tools/list to a bare server": 1.25,
        "a tool call to a bare one, p50": 6,
        "a tool call to a bare one, p95": 7,
        "get_call_summaries of 100 calls to the ideal": 1.15,
        "call_stats over 50,000 calls to the ideal": 1.35,
        "memory after 1,000 more tool calls": 10,
        "the event loop is held by one request": 100,
    },
    "http": {"share of the bare server's calls per second over HTTP: list_directory, one process, 50 clients": 0.65},
    "archive": {
        "newest 50 of the year with `find_calls`: requests": 0,
        "newest 20 that mention a common word": 20,
        "calls of a month that mention ипотека, by agent": 200,
        "`call_stats` by agent over everything": 2,
    },
    "masking": {"phones, cards and e-mail addresses that are masked": 97, "ordinary numbers that are changed": 1},
    "faults": {"wrong answers under a fault": 0, "answers under a fault that never come": 0},
    "soak": {
        "wrong answers while a tenth of Liner's is faulty": 0,
        "questions that hang meanwhile": 0,
        "growth of memory meanwhile": 10,
    },
    "replicas": {
        "answers lost when one of two replicas is killed": 0,
        "wrong answers of two replicas with an archive": 0,
        "growth of the memory of the replica that stays": 10,
    },
}
"""What the project promises in numbers, by part. The other limits are our own."""


@pytest.mark.parametrize("part", PROMISED)
def test_each_promised_number_has_its_gate(part: str) -> None:
    bars = {figure["what"]: figure["bar"] for of, _, figure in results.figures_of(STORED) if of == part}
    assert {what: pytest.approx(bars.get(what)) for what in PROMISED[part]} == PROMISED[part]


LIMITED = sorted(
    {(part, figure["what"]) for part, _, figure in results.figures_of(STORED) if figure["bar"] is not None}
)


@pytest.mark.parametrize(("part", "what"), LIMITED)
def test_the_gate_of_each_figure_closes_beyond_its_limit_and_not_at_it(part: str, what: str) -> None:
    new = {part: copy.deepcopy(STORED[part])}
    found = [figure for _, _, figure in results.figures_of(new) if figure["what"] == what]
    for figure in found:
        figure["value"] = figure["bar"]
    assert not [told for told in gates.passed(new, {}) if what in told]
    for figure in found:
        figure["value"] += -0.001 if figure["at_least"] else 0.001
    assert len([told for told in gates.passed(new, {}) if what in told]) == len(found)


def test_a_dearer_row_is_told() -> None:
    new = copy.deepcopy(SAME)
    new["prices"]["list"][0]["tokens"][2] += 300
    (told,) = gates.passed(new, SAME)
    assert "100 rows" in told


@pytest.mark.parametrize("part", ["read", "written", "calls", "requests"])
def test_a_baseline_that_became_cheaper_is_told_too(part: str) -> None:
    new = copy.deepcopy(SAME)
    _bare(new)["outcomes"]["thirty calls"][part] //= 2
    (told,) = gates.passed(new, SAME)
    assert PASSING.name in told


def test_a_baseline_whose_definitions_or_prices_move_is_told() -> None:
    new = copy.deepcopy(SAME)
    _bare(new)["definitions"]["tools"] //= 2
    new["prices"]["list"][0]["bare"][1] *= 2
    new["figures"]["figures"][0]["bare"] *= 2
    assert len([told for told in gates.passed(new, SAME) if PASSING.name in told]) == 3


def _walk(kept: dict[str, Any]) -> dict[str, Any]:
    (figure,) = [figure for figure in kept["figures"]["figures"] if figure["what"].startswith("walking")]
    return figure


def test_a_figure_that_is_the_same_everywhere_may_not_creep_even_without_a_bar() -> None:
    new = copy.deepcopy(SAME)
    assert _walk(new)["bar"] is None
    _walk(new)["value"] *= 1.1
    (told,) = gates.passed(new, SAME)
    assert "requests per full page" in told


@pytest.mark.parametrize("kind", ["question", "price", "figure"])
def test_what_is_cached_and_no_longer_measured_is_told_and_so_is_what_is_new(kind: str) -> None:
    less = copy.deepcopy(SAME)
    if kind == "question":
        del _ours(less)["outcomes"]["one call"]
    elif kind == "price":
        less["prices"]["list"][0]["tokens"].pop()
    else:
        less["figures"]["figures"].remove(_walk(less))
    (gone,) = gates.passed(less, SAME)
    assert kind in gone
    assert "not among the new results" in gone
    (new,) = gates.passed(SAME, less)
    assert "not among the stored results" in new


def _bare(kept: dict[str, Any]) -> dict[str, Any]:
    return contestant(kept, PASSING.name)


def test_slower_questions_are_told_only_in_relation_to_the_bare_server() -> None:
    old = copy.deepcopy(SAME)
    old["times"] = {"seconds": {OURS.name: {"one call": [0.2, 0.1, 0.3]}, PASSING.name: {"one call": [0.1, 0.1, 0.1]}}}
    slow = copy.deepcopy(old)
    slow["times"]["seconds"] = {name: {"one call": [1.0, 1.0, 1.0]} for name in (OURS.name, PASSING.name)}
    assert gates.passed(slow, old) == []
    slow["times"]["seconds"][OURS.name]["one call"] = [4.0, 4.0, 4.0]
    (told,) = gates.passed(slow, old)
    assert "time for all questions" in told


def _with_seconds(seconds: dict[str, Any]) -> dict[str, Any]:
    newer = copy.deepcopy(SAME)
    newer["times"]["seconds"] = seconds
    return newer


def test_what_is_newer_than_the_times_is_shown_without_them() -> None:
    newer = _with_seconds({OURS.name: {"one call": [0.25, 0.2, 0.3]}})
    first, second, *_ = tables.questions(newer).splitlines()[2:]
    assert ", 0.25 s |" in first
    assert " s |" not in second


def test_the_seconds_of_all_are_added_up_over_the_same_questions() -> None:
    seconds = {one["name"]: {"one call": [0.25, 0.2, 0.3]} for one in STORED["questions"]["contestants"]}
    seconds[OURS.name]["thirty calls"] = [9.0, 9.0, 9.0]
    told = tables.totals(_with_seconds(seconds))
    assert "seconds in tool calls, of the 1 questions that were timed | 0.25 | 0.25 | 0.25 | 0.25 |" in told


def test_times_of_a_question_that_is_asked_in_another_way_now_are_dropped() -> None:
    new = copy.deepcopy(SAME)
    times = {"seconds": {OURS.name: {"one call": [1.0] * 3, "thirty calls": [2.0] * 3}}}
    _ours(new)["outcomes"]["one call"]["requests"] += 1
    found = results.without_outdated_times(times, STORED["questions"], new["questions"])
    assert found["seconds"] == {OURS.name: {"thirty calls": [2.0] * 3}}


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
    without = copy.deepcopy(SAME)
    without["questions"]["contestants"][-1] |= {"definitions": None, "outcomes": None}
    assert "not installed" in tables.totals(without)
    assert "not installed" in tables.questions(without)
    assert gates.passed(without, SAME) == []
    (tokens, _) = plots.tokens_and_requests(without)
    assert [name for name, _ in tokens.values] == [one.name for one in CONTESTANTS[:-1]]


def test_a_missed_limit_is_shown() -> None:
    new = {"micro": copy.deepcopy(STORED["micro"])}
    figure = next(figure for figure in new["micro"]["figures"] if figure["bar"] is not None)
    figure["value"] = figure["bar"]
    assert "missed" not in _row(tables.table("micro", new), figure["what"])
    figure["value"] = figure["bar"] * 1.01
    assert "**missed**" in _row(tables.table("micro", new), figure["what"])


def _row(table: str, what: str) -> str:
    (found,) = [line for line in table.splitlines() if line.startswith(f"| {what}")]
    return found


def test_an_engine_that_is_missing_is_said_to_be_and_keeps_its_earlier_results() -> None:
    missing = {"made": STORED["archive"]["made"], "skipped": "PostgreSQL is not on this machine."}
    without = {**STORED, "archive": {"engines": {**STORED["archive"]["engines"], "Another": missing}}}
    assert "Another: PostgreSQL is not on this machine." in tables.archive(without)
    assert gates.passed({"archive": without["archive"]}, STORED) == gates.passed({"archive": STORED["archive"]}, STORED)
    old = {"engines": {"SQLite": {"records": 5}, "Another": {"records": 7}}}
    new = {"made": {}, "engines": {"SQLite": {"records": 6}, "Another": missing}}
    assert results.merged(old, new)["engines"] == {"SQLite": {"records": 6}, "Another": {"records": 7}}


def test_a_part_without_results_is_named_with_its_command() -> None:
    assert "`python -m benchmarks --only faults`" in tables.table("faults", {})


def test_each_part_is_stored_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    results.write({"soak": {"right": 1}, "http": {"calls": []}})
    results.write({"soak": {"right": 2}})
    assert results.stored() == {"soak": {"right": 2}, "http": {"calls": []}}
