"""The file of recorded sentences: each is used, and the comparison notices what it should."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.support import sentences
from tests.support.sentences import assert_says, error_says, recorded


@pytest.fixture(autouse=True)
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """A file of its own for each test here, and no rewriting."""
    file = tmp_path / "sentences.json"
    told = {"unknown_call": "Liner has no call {id}. Check call_id.", "whole": "Send the cursor {any} alone."}
    file.write_text(json.dumps(told), encoding="utf-8")
    monkeypatch.setattr(sentences, "FILE", file)
    monkeypatch.setattr(sentences, "updating", False)
    monkeypatch.setattr(sentences, "updates", {})
    sentences.read_file.cache_clear()
    yield file
    sentences.read_file.cache_clear()  # for the tests after these, which read the real one


@pytest.fixture
def rewriting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "updating", True)


def test_every_recorded_sentence_is_used_by_a_test() -> None:
    found = json.loads((sentences.TESTS / "snapshots" / "sentences.json").read_text(encoding="utf-8"))
    assert sorted(found) == list(found)
    assert set(found) - sentences.keys_in_use() == set()


def test_a_sentence_is_compared_with_its_values() -> None:
    assert recorded("unknown_call", id=7) == "Liner has no call 7. Check call_id."
    assert_says(["A note.", "Liner has no call 7. Check call_id. Else"], "unknown_call", id=7)
    assert_says("Liner has no call whatever. Check call_id.", "unknown_call", at_start=True, at_end=True)
    with pytest.raises(ValueError, check=error_says("whole")):
        raise ValueError("Send the cursor of the page alone.")


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("Liner has no call 8. Check call_id.", {"id": 7}),
        ("So: Liner has no call 7. Check call_id.", {"at_start": True}),
        ("Liner has no call 7. Check call_id. So", {"at_end": True}),
        ("Liner has no call", {}),
    ],
)
def test_another_sentence_is_a_failure_that_names_the_command(text: str, options: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match=r"unknown_call: .*--update-sentences"):
        assert_says(text, "unknown_call", **options)


def test_a_key_that_is_not_recorded_is_a_failure() -> None:
    with pytest.raises(AssertionError, match="no_such_key is not in"):
        recorded("no_such_key")
    with pytest.raises(AssertionError, match="no_such_key is not in"):
        assert_says("text", "no_such_key")


@pytest.mark.usefixtures("rewriting")
def test_rewriting_records_the_new_wording_with_its_places() -> None:
    assert recorded("unknown_call", id=7) == "There is no call 7."
    assert_says("A note. Send a cursor by itself. Another note.", "whole")
    assert_says("A sentence of 12 words.", "new_key", words=12)
    assert sentences.updates == {
        "unknown_call": "There is no call {id}.",
        "whole": "Send a cursor by itself.",
        "new_key": "A sentence of {words} words.",
    }


@pytest.mark.usefixtures("rewriting")
def test_one_key_for_two_wordings_is_a_failure_while_rewriting() -> None:
    assert_says("One wording.", "new_key")
    with pytest.raises(AssertionError, match="new_key is said in two ways"):
        assert_says("Quite another wording.", "new_key")


def test_what_is_written_is_sorted_and_holds_used_keys_only(own_file: Path) -> None:
    sentences.write_updates({"whole": "New.", "a_key_that_" + "no_test_names": "Old."})
    assert json.loads(own_file.read_text(encoding="utf-8")) == {
        "unknown_call": "Liner has no call {id}. Check call_id.",
        "whole": "New.",
    }
