"""The check of converters: it notices what is lost, and tells a converter that fails from one that is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.converters import __main__ as converters
from tests.converters.comparing import differences

PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "direction": {"type": "string", "enum": ["incoming", "outgoing"]},
        "call_ids": {"type": "array", "items": {"type": "integer", "minimum": 1}, "maxItems": 100},
        "limit": {"type": "integer", "maximum": 200, "description": "default 50"},
    },
    "required": ["call_ids"],
}
TOOL: dict[str, Any] = {"name": "find_calls", "description": "Finds calls.", "inputSchema": PARAMETERS}
INTACT: dict[str, Any] = {"name": "find_calls", "description": "Finds calls.", "parameters": PARAMETERS}
NOTHING: frozenset[str] = frozenset()


def changed(name: str, **members: Any) -> dict[str, Any]:
    """The definition with members of one parameter replaced."""
    properties = PARAMETERS["properties"]
    return {
        **INTACT,
        "parameters": {**PARAMETERS, "properties": {**properties, name: {**properties[name], **members}}},
    }


def test_a_definition_that_says_the_same_in_another_dialect_loses_nothing() -> None:
    assert differences(TOOL, INTACT, NOTHING) == []
    assert differences(TOOL, changed("limit", type="INTEGER", maximum=200.0), NOTHING) == []
    assert differences(TOOL, changed("call_ids", maxItems="100"), NOTHING) == []
    strict = {**PARAMETERS, "required": ["direction", "call_ids", "limit"], "additionalProperties": False}
    assert differences(TOOL, {**INTACT, "parameters": strict}, NOTHING) == []


@pytest.mark.parametrize(
    ("definition", "fault"),
    [
        ({**INTACT, "name": "find"}, "name changed"),
        ({**INTACT, "description": None}, "description changed"),
        ({**INTACT, "parameters": {**PARAMETERS, "required": []}}, "parameters: call_ids is not required"),
        (changed("direction", type="object"), "parameters.direction: type string became object"),
        (
            changed("direction", enum=["incoming"]),
            "parameters.direction: enum ['incoming', 'outgoing'] became ['incoming']",
        ),
        (changed("limit", maximum=None), "parameters.limit: maximum 200 became None"),
        (changed("limit", description=""), "parameters.limit: the description is lost"),
        (changed("call_ids", items={"type": "integer"}), "parameters.call_ids[]: minimum 1 became None"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_loss_is_told_with_its_place(definition: dict[str, Any], fault: str) -> None:
    assert differences(TOOL, definition, NOTHING) == [fault]


def test_a_parameter_that_is_left_out_or_renamed_is_a_loss() -> None:
    properties = dict(PARAMETERS["properties"])
    properties["max"] = properties.pop("limit")
    renamed = {**INTACT, "parameters": {**PARAMETERS, "properties": properties}}
    assert differences(TOOL, renamed, NOTHING) == ["parameters.max is invented", "parameters.limit is lost"]
    assert len(differences(TOOL, {**INTACT, "parameters": None}, NOTHING)) == 5


def test_a_keyword_that_a_converter_never_keeps_is_no_loss() -> None:
    assert differences(TOOL, changed("limit", maximum=None), frozenset({"maximum"})) == []


@pytest.mark.parametrize("converter", converters.CONVERTERS, ids=lambda converter: converter.name)
def test_a_converter_that_cannot_be_imported_fails_for_each_tool_and_way(
    converter: converters.Converter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(converters, "ENVIRONMENTS", tmp_path)
    converter.python.parent.mkdir(parents=True)
    converter.python.symlink_to(sys.executable)  # it has none of the packages
    faults = converters.check(converter, [TOOL])
    assert len(faults) == len(converter.ways)
    for way, fault in zip(converter.ways, faults, strict=True):
        assert fault.startswith(f"{way}, find_calls: ModuleNotFoundError: No module named ")


def test_a_converter_that_cannot_be_installed_is_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(converters, "ENVIRONMENTS", tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    reason = converters.install(converters.CONVERTERS[0])
    assert reason == f"ERROR: No matching distribution found for {converters.CONVERTERS[0].requirement}"
