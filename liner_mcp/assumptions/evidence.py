"""What a probe of Liner brought home, and how to read it. Pure: answers come in, facts go out.

Nothing given out here holds a name, an id, a phone, a summary or an address: a report made of it may be shown around.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, cast

from liner_mcp.liner.models import Identified
from liner_mcp.liner.raw import RawAnswer

Step = Literal[
    "orders", "orders_bare", "active_orders", "singular", "plural", "calls", "calls_over", "last_page", "start", "end",
    "long_window", "no_ids", "unknown_id", "records", "record_detail", "records_without_call", "amd",
]  # fmt: skip
"""One question of the probe, by what it is for."""

Outcome = Literal["as assumed", "differs", "could not be told"]

_CYRILLIC = re.compile("[\u0400-\u04ff]")


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found of one assumption; `text` says what happens now where it differs, or why it could not be told.

    An assumption holds when the code is right without a detour: what it tolerates at no price is no difference.
    """

    outcome: Outcome
    found: str = ""
    text: str = ""


def holds(found: str) -> Judged:
    """The code is right as it is."""
    return Judged("as assumed", found)


def differs(found: str, now: str) -> Judged:
    """The code is wrong, or takes a detour: `now` says what a user notices."""
    return Judged("differs", found, now)


def untold(why: str) -> Judged:
    """The evidence does not decide."""
    return Judged("could not be told", text=why)


@dataclass(frozen=True, slots=True)
class FileLook:
    """A look at one recording's link: its scheme, whether it is on the API's host, and what came of opening it."""

    scheme: str
    same_host: bool
    opens: bool
    mpeg: bool
    trouble: str = ""


@dataclass(slots=True)
class Evidence:
    """Answers by step, and for steps without one the reason. `boundary_call` is the call whose moment was asked for."""

    answers: dict[Step, RawAnswer] = field(default_factory=dict[Step, RawAnswer])
    silent: dict[Step, str] = field(default_factory=dict[Step, str])
    boundary_call: int | None = None
    no_boundary: str = "no call was seen"
    file: FileLook | None = None
    no_file: str = "no recording with a link was seen"

    def page(self, step: Step) -> RawPage | None:
        """The list that a step brought, if it did."""
        answer = self.answers.get(step)
        return None if answer is None else page_of(answer)

    def why(self, step: Step) -> str:
        """Why a step tells nothing, as the end of a sentence."""
        answer = self.answers.get(step)
        if answer is None:
            return self.silent.get(step, "it was not asked")
        return f"the answer was {outcome(answer)}" + (" without a list" if succeeded(answer) else "")


def message_of(answer: RawAnswer) -> str:
    """That there is a message by Liner, and how long; what it says may name somebody, however it is masked."""
    message = envelope(answer).get("message")
    if not isinstance(message, str) or not message.strip():
        return "no message"
    script = "Cyrillic" if _CYRILLIC.search(message) else "Latin"
    return f"a message of {len(message.strip())} characters in {script} letters"


@dataclass(frozen=True, slots=True)
class RawPage:
    """A list as it was sent. `next` is `ABSENT` where there is none; `bare` is an array without page."""

    rows: tuple[dict[str, object], ...]
    next: object
    total: int | None
    bare: bool


ABSENT = object()


def envelope(answer: RawAnswer) -> dict[str, object]:
    """The answer's JSON object, or an empty one."""
    sent = answer.json
    return cast("dict[str, object]", sent) if isinstance(sent, dict) else {}


def succeeded(answer: RawAnswer | None) -> bool:
    """Whether Liner carried out what was asked, by both of its signs."""
    if answer is None or not 200 <= answer.status < 300:
        return False
    sent = envelope(answer)
    return sent.get("success") in (True, 1, "1", "true") and "data" in sent


def refused(answer: RawAnswer | None) -> bool:
    """Whether Liner understood and said no: 400 to 422 other than a missing right, or `success` false."""
    if answer is None or succeeded(answer):
        return False
    if 200 <= answer.status < 300:
        return "success" in envelope(answer)
    return 400 <= answer.status < 500 and answer.status not in (401, 403, 429)


def outcome(answer: RawAnswer) -> str:
    """What kind of answer it was."""
    if answer.leads is not None:
        return f"a redirect (HTTP {answer.status})" + (" to another host" if answer.leads == "away" else "")
    if answer.body != "json":
        return f"HTTP {answer.status}, {answer.body}"
    if 200 <= answer.status < 300 and not succeeded(answer):
        return f"HTTP {answer.status} with success false or without data"
    return f"HTTP {answer.status}"


def page_of(answer: RawAnswer) -> RawPage | None:
    """The list in a successful answer: pages and bare arrays."""
    data = envelope(answer).get("data") if succeeded(answer) else None
    if isinstance(data, list):
        rows = _objects(cast("list[object]", data))
        return RawPage(rows, ABSENT, len(rows), bare=True)
    if not isinstance(data, dict):
        return None
    page = cast("dict[str, object]", data)
    rows = page.get("list")
    if not isinstance(rows, list):
        return None
    return RawPage(
        _objects(cast("list[object]", rows)), page.get("next", ABSENT), number(page.get("total")), bare=False
    )


def number(value: object) -> int | None:
    """A whole number, be it written as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if abs(value) < 10**15 else None


def ids(page: RawPage) -> list[int]:
    """The ids of a page's rows, in their order."""
    return [one for row in page.rows if (one := number(row.get("id"))) is not None]


def _objects(rows: list[object]) -> tuple[dict[str, object], ...]:
    return tuple(cast("dict[str, object]", row) for row in rows if isinstance(row, dict))


def fields_of(model: type[Identified]) -> set[str]:
    """The fields of one of our models, as Liner spells them."""
    return {field.alias or name for name, field in model.model_fields.items()}
