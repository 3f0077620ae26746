"""What came back for a question, in a form that is easy to compare: pages of rows, or a sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# How an answer says that something is missing or unknown.
_SAYS = re.compile(
    r"missing|sends? no|left out|leaves out|could not|cannot|counts (more|fewer)|unknown|undecided|ignor|outside"
    r"|another zone"
    r"|not (be )?(read|known|sure|sent|decided|listed|checked)|do(es)? not|did not|shift|stopped|lists (no|none)|fewer"
    r"|may (be|have)",
    re.IGNORECASE,
)

MAX_BRIEF = 900  # characters of a page in a report


@dataclass(frozen=True, slots=True)
class Falsehood:
    """A claim that is not true. `kind` is what falsehoods are counted by."""

    kind: str
    why: str


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a tool, its rows whole."""

    structure: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, structure: Mapping[str, Any]) -> Page:
        columns, every_row = structure.get("columns", ()), structure.get("every_row", {})
        rows = [{**every_row, **dict(zip(columns, row, strict=True))} for row in structure.get("rows", ())]
        return cls(structure, rows)

    @property
    def page(self) -> Mapping[str, Any]:
        return self.structure.get("page", {})

    @property
    def complete(self) -> bool:
        return bool(self.page.get("complete"))

    @property
    def notes(self) -> str:
        return " ".join(self.structure.get("notes", ()))

    @property
    def notes_say_missing(self) -> bool:
        """Whether a note says that something is missing or unknown."""
        return bool(_SAYS.search(self.notes))

    @property
    def says_missing(self) -> bool:
        """Whether it is said that something is missing or unknown."""
        marked = self.structure.get("retry") or self.page.get("undecided") or self.page.get("next_call_ids")
        return bool(marked) or self.notes_say_missing

    def moment(self, member: str, name: str) -> datetime | None:
        """One end of `covered` or `window`."""
        holder = self.structure if member in self.structure else self.page
        text = holder.get(member, {}).get(name)
        return None if text is None else datetime.fromisoformat(text)


@dataclass(frozen=True, slots=True)
class Answers:
    """The pages of a question that was followed on to its end; `sentence` where an answer was an error."""

    pages: Sequence[Page] = ()
    sentence: str | None = None
    endless: bool = False

    def brief(self) -> str:
        """What was answered, short enough for a report."""
        parts = [_brief(page) for page in self.pages]
        return " | ".join([*parts, *([f"ERROR {self.sentence}"] if self.sentence else [])])


def _brief(page: Page) -> str:
    shown: dict[str, Any] = {"page": {name: value for name, value in page.page.items() if name != "next_cursor"}}
    shown |= {name: page.structure[name] for name in ("totals", "notes", "retry", "record") if name in page.structure}
    text = str({**shown, "rows": page.rows[:2]})
    return text if len(text) <= MAX_BRIEF else f"{text[:MAX_BRIEF]}…"
