"""Reads the verdicts of one reviewer, a model or a person, from scorecards or from a table.

A line is a scorecard, or one verdict with `call_id`, `criterion` and `verdict` (JSON Lines, or CSV with a header).
A line that cannot be used is left out and named, because a killed run and a spreadsheet both leave such lines.
"""

from __future__ import annotations

import csv
import io
import json
from codecs import BOM_UTF8, BOM_UTF16_LE
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple, cast, get_args

from liner_mcp.errors import SetupError
from liner_mcp.review.scorecard import VerdictWord
from liner_mcp.text.clean import clean

VERDICTS = get_args(VerdictWord)
COLUMNS = ("call_id", "criterion", "verdict")  # the smallest table
MOST_NAMED = 5  # lines or calls in one sentence


class Judgement(NamedTuple):
    """The verdict of a reviewer on one criterion of one call. A person's verdict may have no quotes and no hash."""

    verdict: str
    quotes: tuple[str, ...] = ()
    summary_hash: str | None = None


@dataclass
class Reviewer:
    """What one file holds. `judgements` has the pair of call id and criterion as its key."""

    file: str
    judgements: dict[tuple[int, str], Judgement] = field(default_factory=dict[tuple[int, str], Judgement])
    rubric_hashes: set[str] = field(default_factory=set[str])
    left_out: list[str] = field(default_factory=list[str])

    @property
    def calls(self) -> set[int]:
        return {call_id for call_id, _ in self.judgements}


def read_reviewer(file: str, content: bytes) -> Reviewer:
    """The verdicts in the content of a file. Raises: SetupError when no line has a verdict."""
    content = content.removeprefix(BOM_UTF8)
    is_json = content.lstrip()[:1] == b"{"
    # The last line of a killed run may end within a character.
    text = content.decode("utf-8", "replace") if is_json else _decoded(file, content)
    reviewer, unusable, repeated = Reviewer(file), list[int](), dict[int, None]()
    rows = _json_rows(text) if is_json else _table_rows(file, text)
    for number, row in rows:
        try:
            judged = _judgements(row)
        except (AttributeError, KeyError, TypeError, ValueError):
            unusable.append(number)
            continue
        repeated |= dict.fromkeys(
            call_id for call_id, criterion in judged if (call_id, criterion) in reviewer.judgements
        )
        reviewer.judgements |= judged
        if judged and (rubric_hash := row.get("rubric_hash")):
            reviewer.rubric_hashes.add(str(rubric_hash))
    reviewer.left_out = _left_out(file, unusable, list(repeated))
    if not reviewer.judgements:
        raise SetupError(
            f"{file} has no verdicts. Send scorecards of liner-mcp review, or a table with the columns "
            f"{', '.join(COLUMNS)}, where a verdict is {_listed(VERDICTS)}."
        )
    return reviewer


def _decoded(file: str, content: bytes) -> str:
    # Excel saves "Unicode text" as UTF-16, and a Russian one saves CSV in Windows-1251.
    for encoding in ("utf-16",) if content.startswith(BOM_UTF16_LE) else ("utf-8", "cp1251"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SetupError(f"{file} is not text in UTF-8. Save it as CSV UTF-8.")


def _json_rows(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, None


def _table_rows(file: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    head = text.partition("\n")[0]
    separator = max(";,\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    if missing := [name for name in COLUMNS if name not in reader.fieldnames]:
        raise SetupError(f"{file} lacks the column {missing[0]}; its first line must name {', '.join(COLUMNS)}.")
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise SetupError(f"{file} is not a table after line {reader.line_num}: {error}.") from None


def _judgements(row: Any) -> dict[tuple[int, str], Judgement]:
    """The verdicts of one line; none where a call was not judged. Raises what another shape of the line causes."""
    if "verdicts" in row:
        return {
            (_call_id(row), _criterion(one)): Judgement(
                _verdict(one), tuple(clean(quote["quote"]) for quote in one.get("quotes", ())), row.get("summary_hash")
            )
            for one in row["verdicts"]
        }
    if not (row["verdict"] or "").strip():  # a person has not judged it
        return {}
    quote = clean(row.get("quote") or "")
    return {(_call_id(row), _criterion(row)): Judgement(_verdict(row), (quote,) if quote else (), None)}


def _call_id(row: dict[str, Any]) -> int:
    return int(str(row["call_id"]))  # a JSON number such as 1.7 or 1e999 is not an id


def _criterion(row: dict[str, Any]) -> str:
    criterion = clean(row["criterion"]).strip()
    if not criterion:
        raise ValueError(criterion)
    return criterion


def _verdict(row: dict[str, Any]) -> str:
    verdict = "_".join(cast("str", row["verdict"]).casefold().split())
    if verdict not in VERDICTS:
        raise ValueError(verdict)
    return verdict


def _left_out(file: str, unusable: list[int], repeated: list[int]) -> list[str]:
    sentences: list[str] = []
    if unusable:
        subject, verb = ("Line", "was") if len(unusable) == 1 else ("Lines", "were")
        sentences.append(
            f"{subject} {_some(unusable)} of {file} {verb} left out: a line needs a call_id, a criterion and a verdict "
            f"({_listed(VERDICTS)}), and a killed run may leave half a line."
        )
    if repeated:
        noun = "call" if len(repeated) == 1 else "calls"
        sentences.append(f"{file} judges {noun} {_some(repeated)} more than once; the last verdicts were used.")
    return sentences


def _some(numbers: list[int]) -> str:
    shown = ", ".join(map(str, islice(numbers, MOST_NAMED)))
    return shown if len(numbers) <= MOST_NAMED else f"{shown} and {len(numbers) - MOST_NAMED} more"


def _listed(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
