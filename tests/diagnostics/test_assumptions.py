"""The table of assumptions and the probe cannot drift apart, nor can the table and the code."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from liner_mcp.diagnostics.assumptions.table import ASSUMPTIONS

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "assumptions.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
    if line.startswith("|")
][2:]
KEYS = [row[0].strip("`") for row in ROWS]
PROBED = [one.key for one in ASSUMPTIONS]


@pytest.mark.parametrize("row", ROWS, ids=KEYS)
def test_each_row_says_all_there_is_to_say(row: list[str]) -> None:
    assert len(row) == 6
    assert re.fullmatch(r"`[a-z_]+`", row[0])
    assert all(cell.endswith(".") and len(cell) > 4 for cell in (row[1], row[2], row[4], row[5]))


def test_each_key_stands_once_and_the_probes_come_first_in_its_order() -> None:
    assert len(set(KEYS)) == len(KEYS)
    assert KEYS[: len(PROBED)] == PROBED


@pytest.mark.parametrize("row", ROWS, ids=KEYS)
def test_each_row_has_a_probe_or_says_why_not(row: list[str]) -> None:
    probed = row[0].strip("`") in PROBED
    assert row[5].startswith("Probe: " if probed else "Not probed")
    assert probed or ": " in row[5]


@pytest.mark.parametrize("row", ROWS, ids=KEYS)
def test_the_code_that_a_row_names_exists(row: list[str]) -> None:
    named = re.findall(r"`([^`]+)`", row[3])
    assert named
    for one in named:
        module, _, path = one.partition(":")
        found: object = import_module(f"liner_mcp.{module}")
        for name in path.split("."):
            assert hasattr(found, name), one
            found = getattr(found, name)
        assert getattr(found, "__module__", f"liner_mcp.{module}") == f"liner_mcp.{module}", f"{one} is only passing by"


def test_no_outcome_of_the_probe_goes_without_an_assumption_in_words() -> None:
    assert all(one.assumed and "|" not in one.assumed and one.assumed[-1] != "." for one in ASSUMPTIONS)
