"""`liner-mcp demo` as a person sees it, in terminals of several widths and encodings, and as a program reads it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from rich.cells import cell_len

from liner_mcp.cli.demo import estimated_tokens
from tests.support.token_count import count_tokens

ENCODINGS = ("utf-8", "ascii", "cp1251", "cp1252", "cp866", "koi8-r")
SAVING = re.compile(r"About ([\d,]+) tokens; Liner's (?:\d+ )?answers? with these facts: ([\d,]+) \((\d+) % saved\)\.")


@cache
def demo(*options: str, encoding: str = "utf-8", columns: int = 80) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "liner_mcp", "demo", *options],
        env={**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding, "COLUMNS": str(columns)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == b""
    assert done.returncode == 0
    return done.stdout.decode(encoding)


@pytest.fixture(scope="module")
def printed() -> str:
    return demo()


def test_four_questions_with_their_calls_their_tables_and_what_they_save(printed: str) -> None:
    text = re.sub(r"\s+", " ", printed)
    tools = ("find_calls(", "get_call_summaries(", "call_stats(")
    assert re.findall(r"^(\d)\. .*\?$", printed, re.MULTILINE) == ["1", "2", "3", "4"]
    assert [text.count(tool) for tool in tools] == [1, 1, 2]
    assert 'agents=["sofia marin"]' in text  # a search by names
    savings = [tuple(int(n.replace(",", "")) for n in found) for found in SAVING.findall(text)]
    assert len(savings) == 3
    for ours, theirs, percent in savings:
        assert 0 < ours < theirs
        assert percent == round(100 * (1 - ours / theirs))


def test_forty_days_are_searched_in_an_archive_without_a_request(printed: str) -> None:
    assert re.search(r"tokens and no request: an archive holds what \d{3} requests read", re.sub(r"\s+", " ", printed))
    answer = json.loads(demo("--json").splitlines()[3])["answer"]
    assert answer["page"]["searched"]["read"] > 100
    assert "archived_until" in answer["page"]
    assert answer["totals"]["calls"] == sum(row[answer["columns"].index("calls")] for row in answer["rows"])


def test_without_the_extra_for_archives_three_questions_are_asked(tmp_path: Path) -> None:
    (tmp_path / "apsw.py").write_text("raise ImportError")
    done = subprocess.run(
        [sys.executable, "-m", "liner_mcp", "demo", "--json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.splitlines()) == 3


def test_it_is_english_first_fits_a_screen_or_two_and_has_no_colours_in_a_pipe(printed: str) -> None:
    lines = printed.splitlines()
    assert lines[0] == "DEMO: all data is invented; no Liner account is used."
    assert 24 <= len(lines) <= 75
    assert printed[: printed.index("2. ")].isascii() or not re.search("[а-я]", printed[: printed.index("2. ")])
    assert "\x1b" not in printed
    assert re.search(r"[^\x00-\x7f]", printed.splitlines()[8])  # a ruled table where the encoding has the line


def test_it_ends_with_the_command_that_adds_it_to_an_assistant(printed: str) -> None:
    assert printed.splitlines()[-1].endswith("install claude-desktop --demo")


@pytest.mark.parametrize("columns", [30, 60, 80, 120])
def test_no_row_of_a_table_is_broken_whatever_the_width(columns: int) -> None:
    lines = demo(columns=columns).splitlines()[:-1]  # the last one is to be copied
    assert max(cell_len(line) for line in lines) <= columns
    calls = {word for line in lines for word in re.findall(r"\b7\d{6}\b", line)}
    assert len(calls) == 3
    for line in lines:
        if re.match(r"\s+7\d{6}\s", line):
            assert re.search(r"\d:\d\d|[^\s\d]", line), line


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_shows_whole_tables(encoding: str) -> None:
    lines = demo(encoding=encoding).splitlines()
    assert "Sofia Marin" in "\n".join(lines)
    assert max(cell_len(line) for line in lines[:-1]) <= 80
    assert not any("\\u" in line or "\\x" in line for line in lines)
    if encoding != "utf-8":
        tables = [line for line in lines if line.startswith("|")]
        assert tables
        assert {line[-1] for line in tables} == {"|"}
    names_shown = "Алексей Лебедев" in "\n".join(lines)
    assert names_shown == (encoding not in ("ascii", "cp1252"))


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_with_json_each_line_is_an_answer_as_the_model_reads_it(encoding: str) -> None:
    answers = [json.loads(line) for line in demo("--json", encoding=encoding).splitlines()]
    assert [list(one) for one in answers] == [["question", "tool", "arguments", "answer"]] * 4
    assert [one["tool"] for one in answers] == ["find_calls", "get_call_summaries", "call_stats", "call_stats"]
    first, second, third, _ = (one["answer"] for one in answers)
    assert first["demo"] == "invented data"
    assert answers[1]["arguments"]["call_ids"] == [row[0] for row in first["rows"]]
    assert {row[0] for row in second["rows"]} == {row[0] for row in first["rows"]}
    assert "Алексей Лебедев" in third["names"]["agents"].values()


def test_the_sizes_are_close_to_the_tokens_of_the_real_tokenizer() -> None:
    for line in demo("--json").splitlines():
        answer = json.dumps(json.loads(line)["answer"], ensure_ascii=False, separators=(",", ":"))
        assert estimated_tokens(answer) == pytest.approx(count_tokens(answer), rel=0.1)
