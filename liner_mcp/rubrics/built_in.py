"""Reads the built-in rubrics. `review/rubric.py` says what a rubric is."""

from __future__ import annotations

from typing import Any

NAMES = ("transfers", "transfers_ru", "first_calls", "first_calls_ru")


def read(name: str) -> dict[str, Any]:
    """The content of a built-in rubric. Its name is one of NAMES."""
    # The names alone are needed at every start of the server, so these wait.
    import tomllib
    from importlib.resources import files

    return tomllib.loads(files("liner_mcp.rubrics").joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def as_text(name: str) -> str:
    """The questions of a built-in rubric as numbered lines, for a prompt."""
    criteria: list[dict[str, Any]] = read(name)["criteria"]
    fatal = " (a no fails the call)"
    return "\n".join(f"{n}. {one['question']}{fatal if one.get('fatal') else ''}" for n, one in enumerate(criteria, 1))
