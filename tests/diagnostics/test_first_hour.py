"""The page for the first hour with a real account says what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from liner_mcp.diagnostics.assumptions.consequences import CONSEQUENCES
from liner_mcp.diagnostics.assumptions.table import ASSUMPTIONS
from liner_mcp.diagnostics.probe import ALL_AS_ASSUMED, MAX_REQUESTS, PROBE_SECONDS, SOMETHING_DIFFERS, UNDECIDED

PAGE = (Path(__file__).parent.parent.parent / "docs" / "first-hour.md").read_text(encoding="utf-8")


def test_the_table_is_that_of_the_code_in_the_order_of_the_assumptions() -> None:
    assert re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE) == list(CONSEQUENCES.items())
    assert list(CONSEQUENCES) == [one.key for one in ASSUMPTIONS]


def test_each_consequence_is_a_part_of_a_sentence() -> None:
    assert [text for text in CONSEQUENCES.values() if not text or text[0].isupper() or text.endswith(".")] == []


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    assert f"at most {MAX_REQUESTS} requests" in PAGE
    assert PROBE_SECONDS == 2 * 60
    assert "up to two minutes" in PAGE
    text = " ".join(PAGE.split())
    assert f"{ALL_AS_ASSUMED} if every decided assumption holds, {SOMETHING_DIFFERS} if something differs" in text
    assert f"and {UNDECIDED} if nothing could be read or calls could not be listed" in text
