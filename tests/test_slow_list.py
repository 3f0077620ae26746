"""The list of slow tests, which `make quick` leaves out, names what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import SLOW

TESTS = Path(__file__).parent


@pytest.mark.parametrize("entry", sorted(SLOW))
def test_each_entry_is_a_folder_a_module_or_a_test(entry: str) -> None:
    module, _, test = entry.partition("::")
    assert (TESTS / module).exists()
    assert not test or f"def {test}(" in (TESTS / module).read_text(encoding="utf-8")


def test_the_list_is_sorted_and_names_nothing_twice() -> None:
    lines = (TESTS / "slow.txt").read_text(encoding="utf-8").splitlines()
    assert lines == sorted(SLOW)
