"""The tree of errors: one root, no dead branch, and a drawing that shows what is there."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache
from pathlib import Path

import pytest

import liner_mcp
from liner_mcp import errors
from liner_mcp.errors import LinerMcpError, LinerUnavailable, RateLimited, Unreachable

PACKAGE = Path(liner_mcp.__file__).parent
CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
BRANCHES = [kind for kind in CLASSES if set(kind.__subclasses__()) & set(CLASSES) and kind is not LinerMcpError]
LEAVES = [kind for kind in CLASSES if kind not in (*BRANCHES, LinerMcpError)]


@cache  # each leaf looks through every module
def made_in(path: Path) -> set[str]:
    """The names that a module calls, as in `raise NotFound(...)`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def drawn() -> list[tuple[int, str]]:
    """Column and name of each class in the drawing, from top to bottom."""
    lines = (inspect.getdoc(errors) or "").splitlines()
    root = next(index for index, line in enumerate(lines) if line.strip() == LinerMcpError.__name__)
    rows = [re.match(r"([│├└─ ]*)(\w+)", line) for line in lines[root:]]
    return [(len(row[1]), row[2]) for row in rows if row]


def test_every_error_has_the_one_root() -> None:
    assert len(CLASSES) > 10
    assert all(issubclass(kind, LinerMcpError) for kind in CLASSES)
    assert LinerMcpError.__bases__ == (Exception,)


def test_the_drawing_shows_every_class_under_its_parent() -> None:
    path: list[tuple[int, str]] = []
    shown: dict[str, str] = {}
    for depth, name in drawn():
        while path and path[-1][0] >= depth:
            path.pop()
        shown[name] = path[-1][1] if path else "Exception"
        path.append((depth, name))
    assert shown == {kind.__name__: kind.__bases__[0].__name__ for kind in CLASSES}


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_every_leaf_is_raised_somewhere(kind: type[LinerMcpError]) -> None:
    raising = [
        path.name for path in PACKAGE.rglob("*.py") if path.name != "errors.py" and kind.__name__ in made_in(path)
    ]
    assert raising, f"nobody raises {kind.__name__}"


@pytest.mark.parametrize("kind", BRANCHES, ids=lambda kind: kind.__name__)
def test_every_branch_gathers_several_or_is_raised_itself(kind: type[LinerMcpError]) -> None:
    raised = any(kind.__name__ in made_in(path) for path in PACKAGE.rglob("*.py"))
    assert raised or len(set(kind.__subclasses__()) & set(CLASSES)) > 1


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_shows_its_sentence_and_says_in_its_docstring_whose_it_is(kind: type[LinerMcpError]) -> None:
    assert str(kind("What was wrong, and what to do.")) == "What was wrong, and what to do."
    assert (kind.__doc__ or "").rstrip().endswith(".")


def test_what_an_error_carries_is_unknown_until_said() -> None:
    assert RateLimited("wait").retry_after is None
    assert LinerUnavailable("failed").retry_after is None
    assert RateLimited("wait", retry_after=3.0).retry_after == 3.0
    assert LinerUnavailable("failed", retry_after=3.0).retry_after == 3.0
    assert Unreachable("broke").transient is True
    assert Unreachable("no trust", transient=False).transient is False
