"""Which claims of `check_quotes` are false."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.claims.answers import Answers, Falsehood
from tests.claims.meaning import says
from tests.claims.truth import Truth

_EDGE = " \"'.,;:"
_UNCHECKED = {"failed", "not_asked", "refused"}
Quote = Mapping[str, Any]


def of_quotes(quotes: Sequence[Quote], answers: Answers, truth: Truth) -> Iterator[Falsehood]:
    """The rows follow the quotes that each page was asked for."""
    left = quotes
    for page in answers.pages:
        for quote, row in zip(left, page.rows, strict=False):
            if row["record_id"] != quote["record_id"]:
                yield Falsehood("doubled row", f"record {row['record_id']} is not that of the quote {quote}")
            else:
                yield from _of_row(quote["quote"], row, truth)
        following = page.page.get("next_quote")
        unchecked = [row for row in page.rows if row["state"] in _UNCHECKED]
        if page.complete and (len(page.rows) < len(left) or unchecked or following):
            yield Falsehood("complete", f"complete, and {len(left) - len(page.rows) + len(unchecked)} are not checked")
        if not page.complete and not page.says_missing and following is None:
            yield Falsehood("silent", "not complete, and no note says why")
        left = left[following - 1 :] if following else ()


def _of_row(quote: str, row: Mapping[str, Any], truth: Truth) -> Iterator[Falsehood]:
    state, record = row["state"], truth.after.records.get(row["record_id"])
    true = _true_state(quote, row["record_id"], truth)
    if (
        state == true
        or state in ("failed", "not_asked")
        or (state == "same_words" and "…" in quote and true == "exact")
    ):
        if truth.healthy and state in ("failed", "not_asked"):
            yield Falsehood("lost quote", f"{quote!r}: {true}, not {state}")
    elif {state, true} != {"close", "absent"}:
        yield Falsehood(f"{state} claimed", f"record {row['record_id']}, {quote!r}: {true}, not {state}")
    text = " ".join((record.summary or "").split()) if record else ""
    for shown in (row.get("sentence"), row.get("closest")):
        if shown is not None and shown.strip("…") not in text:
            yield Falsehood("sentence", f"record {row['record_id']} does not say {shown!r}")
    if row.get("negated_before"):
        yield Falsehood("negation", f"nothing in record {row['record_id']} is negated")
    place = slice(row.get("start"), row.get("end"))
    if state == "exact" and "…" not in quote and text[place].strip(_EDGE) != quote.strip(_EDGE):
        yield Falsehood("place", f"{quote!r} is not at {place.start} of record {row['record_id']}")


def _true_state(quote: str, record_id: int, truth: Truth) -> str:
    if not re.search(r"\w", quote):
        return "refused"
    record = truth.after.records.get(record_id)
    if record is None:
        return "not_found"
    if not says(record.summary):
        return "no_summary"
    text = " ".join((record.summary or "").split())
    if _holds(quote, text):
        return "exact"
    return "same_words" if _holds(_folded(quote), _folded(text)) else "absent"


def _holds(quote: str, text: str) -> bool:
    """Whether a text has the parts of a quote, as whole words and in their order."""
    parts = [re.escape(part.strip(_EDGE)) for part in quote.split("…")]
    return bool(re.search(r".*?".join(rf"(?<!\w){part}(?!\w)" for part in parts if part), text))


def _folded(text: str) -> str:
    return text.casefold().replace("ё", "е")
