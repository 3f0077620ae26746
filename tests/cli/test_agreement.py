"""`liner-mcp agreement` as a person runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from liner_mcp.review.scorecard import Scorecard
from tests.cli.test_cli import run
from tests.review.cards import card
from tests.support.sentences import assert_says


def written(folder: Path, name: str, *cards: Scorecard) -> str:
    path = folder / name
    path.write_text("".join(one.line() for one in cards), encoding="utf-8")
    return str(path)


@pytest.fixture
def model(tmp_path: Path) -> str:
    return written(tmp_path, "model.jsonl", *(card(number, {"agreed": "yes", "budget": "yes"}) for number in range(3)))


@pytest.fixture
def person(tmp_path: Path) -> str:
    path = tmp_path / "person.csv"
    path.write_text("call_id;criterion;verdict\n0;agreed;yes\n1;agreed;no\n2;agreed;yes\n", encoding="utf-8")
    return str(path)


def test_it_shows_the_agreement_and_what_to_discuss(model: str, person: str) -> None:
    done = run("agreement", model, person)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert next(line for line in lines if line[:1] == ["agreed"])[1:5] == ["3", "2", "(67", "%)"]
    assert next(line for line in lines if line[:1] == ["budget"])[1:] == ["0", "-", "not", "defined", "-"]
    assert 'model.jsonl: yes "agrees to the transfer"' in done.stdout
    assert "person.csv: no\n" in done.stdout
    assert "nan" not in done.stdout


def test_json_has_everything(model: str, person: str) -> None:
    document = json.loads(run("agreement", model, person, "--json").stdout)
    assert document["reviewers"] == [{"file": "model.jsonl", "calls": 3}, {"file": "person.csv", "calls": 3}]
    assert document["calls"] == 3
    agreed, budget = document["criteria"]
    assert (agreed["calls"], agreed["same"], agreed["alpha"]) == (3, 2, 0)
    assert (budget["calls"], budget["alpha"], budget["interval"]) == (0, None, None)
    (only,) = document["discuss"]
    assert only["verdicts"] == {
        "model.jsonl": {"verdict": "yes", "quotes": ["agrees to the transfer"]},
        "person.csv": {"verdict": "no", "quotes": []},
    }
    assert document["notes"] == []


def test_an_undefined_alpha_is_said(tmp_path: Path, model: str) -> None:
    done = run("agreement", model, written(tmp_path, "b.jsonl", card(1, {"agreed": "yes"})))
    assert done.returncode == 0
    assert_says(done.stdout.splitlines(), "alpha_not_defined")
    assert "No verdicts differ." in done.stdout


def test_half_a_line_is_named_and_the_exit_code_says_incomplete(model: str, person: str) -> None:
    with Path(model).open("a", encoding="utf-8") as file:
        file.write('{"call_id": 70')
    done = run("agreement", model, person)
    assert done.returncode == 3
    assert "NOTE Line 4 of model.jsonl was left out" in done.stdout
    assert run("agreement", model, person, "--json").returncode == 3


def test_what_cannot_be_compared_is_refused_in_one_sentence(tmp_path: Path, model: str) -> None:
    other = written(tmp_path, "other.jsonl", card(1, {"agreed": "yes"}, rubric_hash="xyz"))
    elsewhere = written(tmp_path, "elsewhere.jsonl", card(99, {"agreed": "yes"}))
    cases = [
        ((model,), 2, "agreement_one_file"),
        ((model, model), 2, "agreement_same_file"),
        ((model, other), 1, "agreement_other_rubric"),
        ((model, elsewhere), 1, "agreement_nothing_common"),
        ((model, str(tmp_path)), 1, "agreement_unreadable_file"),
        ((model, str(tmp_path / "missing")), 1, "agreement_missing_file"),
    ]
    for files, code, sentence in cases:
        done = run("agreement", *files)
        assert (done.returncode, done.stdout) == (code, ""), files
        assert_says(done.stderr, sentence, file=files[-1])
        assert len(done.stderr.splitlines()) == 1


def test_without_its_packages_it_names_the_extra(model: str, person: str) -> None:
    without = "import sys; sys.modules['krippendorff'] = None; from liner_mcp.cli.main import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", without, "agreement", model, person],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "liner-mcp[review]" in done.stderr
    assert "Traceback" not in done.stderr
