"""The product's sentences that tests compare, each recorded once in `tests/snapshots/sentences.json` under a key.

A test names the key. `{name}` in a recorded sentence stands for a value that the test gives, or else for any text.
After a change of wording, rewrite the file and read the difference as a user would:

    .venv/bin/python -m pytest -q -n auto --update-sentences
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent.parent / "snapshots" / "sentences.json"
TESTS = Path(__file__).parent.parent
HOW = "If the new wording is meant: python -m pytest --update-sentences."

updating = False
updates: dict[str, str] = {}


@cache
def read_file() -> dict[str, str]:
    found: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def recorded(key: str, **values: object) -> str:
    """The recorded sentence with its values, to be compared with `==`."""
    text = _filled(_template(key), values)
    return _Rewritten(key, text, values) if updating else text


def assert_says(
    text: str | Iterable[str], key: str, *, at_start: bool = False, at_end: bool = False, **values: object
) -> None:
    """The recorded sentence stands in the text, or in one of several; with `at_start` or `at_end`, only there."""
    heard = text if isinstance(text, str) else "\n".join(text)
    template = _template(key)
    pattern = (r"\A" if at_start else "") + _pattern(template, values) + (r"\Z" if at_end else "")
    if template and re.search(pattern, heard, re.DOTALL):
        return
    if not updating:
        raise AssertionError(f"{key}: {_filled(template, values)!r} is not in {heard!r}. {HOW}")
    _update(key, _closest(heard, template, at_start=at_start, at_end=at_end), values)


def error_says(key: str, *, at_start: bool = False, **values: object) -> Callable[[BaseException], bool]:
    """The check of an error for `pytest.raises(..., check=error_says(key))`."""

    def check(error: BaseException) -> bool:
        assert_says(str(error), key, at_start=at_start, at_end=False, **values)
        return True

    return check


def write_updates(found: dict[str, str]) -> None:
    merged = {**read_file(), **found}
    used = keys_in_use()
    kept = {key: merged[key] for key in sorted(merged) if key in used}
    FILE.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def keys_in_use() -> set[str]:
    """The keys that stand as a quoted word in the code of the tests."""
    return {
        word for path in TESTS.rglob("*.py") for word in re.findall(r'"([a-z0-9_]+)"', path.read_text(encoding="utf-8"))
    }


def _template(key: str) -> str:
    if key not in read_file() and not updating:
        raise AssertionError(f"{key} is not in {FILE.name}. {HOW}")
    return updates.get(key) or read_file().get(key, "")


def _filled(template: str, values: dict[str, object]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: str(values.get(found[1], found[0])), template)


def _pattern(template: str, values: dict[str, object]) -> str:
    parts = re.split(r"\{(\w+)\}", template)
    for index, part in enumerate(parts):
        given = index % 2 == 0 or part in values
        parts[index] = re.escape(str(values.get(part, part)) if index % 2 else part) if given else ".*?"
    return "".join(parts)


class _Rewritten(str):
    """While the file is rewritten: a sentence that is equal to whatever the product says, and records it."""

    __slots__ = ("key", "values")

    def __new__(cls, key: str, text: str, values: dict[str, object]) -> _Rewritten:
        made = super().__new__(cls, text)
        made.key, made.values = key, values
        return made

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str) and not str.__eq__(self, other):
            _update(self.key, other, self.values)
        return isinstance(other, str)

    __hash__ = str.__hash__


def _update(key: str, text: str, values: dict[str, object]) -> None:
    for name, value in sorted(values.items(), key=lambda item: -len(str(item[1]))):
        text = re.sub(rf"(?<!\w){re.escape(str(value))}(?!\w)", f"{{{name}}}", text)
    if updates.setdefault(key, text) != text:
        raise AssertionError(f"{key} is said in two ways: {updates[key]!r} and {text!r}. Give it a second key.")


def _closest(heard: str, old: str, *, at_start: bool, at_end: bool) -> str:
    """The sentences of a text that resemble the old one most; all of it without an old one."""
    parts = list(re.finditer(r"(?<=[.:;!?])\s+|\n", heard))
    begins = [0] if at_start else [0, *(part.end() for part in parts)]
    ends = [len(heard)] if at_end else [*(part.start() for part in parts), len(heard)]
    longest = 3 * len(old) + 100  # a new wording is not much longer
    spans = [heard[begin:end] for begin in begins for end in ends if 0 < end - begin <= longest] if old else []
    return max(spans, key=lambda span: SequenceMatcher(None, old, span).ratio(), default=heard)
