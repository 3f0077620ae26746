"""The list of slow tests, which `make quick` leaves out, names what is there."""

from __future__ import annotations

from itertools import groupby

from tests.conftest import SLOW, TESTS

LINES = (TESTS / "slow.txt").read_text(encoding="utf-8").splitlines()


def exists(entry: str) -> bool:
    module, _, test = entry.partition("::")
    path = TESTS / module
    return path.exists() and (not test or f"def {test}(" in path.read_text(encoding="utf-8"))


def test_each_entry_is_a_folder_a_module_or_a_test() -> None:
    assert [entry for entry in sorted(SLOW) if not exists(entry)] == []


def test_each_group_is_sorted_and_nothing_is_named_twice() -> None:
    groups = [list(lines) for is_entry, lines in groupby(LINES, key=lambda line: line[:1] not in ("", "#")) if is_entry]
    assert [sorted(group) for group in groups] == groups
    assert sum(map(len, groups)) == len(SLOW)
