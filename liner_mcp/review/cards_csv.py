"""The scorecards as a table for a spreadsheet: one row per call and criterion.

A quality lead filters the rows of one criterion or verdict and reads the quotes, or makes a pivot table of agents and
criteria; neither works with a column per criterion. The mean of `score` over all rows is still the mean of the calls,
because each judged call has the same number of rows. A call without verdicts has one row.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

from liner_mcp.review.scorecard import Scorecard, Verdict
from liner_mcp.text.clean import clean

CALL_COLUMNS = (
    "call_id",
    "date",
    "time",
    "timezone",
    "agent_id",
    "agent",
    "order_id",
    "order",
    "status",
    "talk_seconds",
    "state",
    "reason",
    "score",
)
VERDICT_COLUMNS = ("criterion", "question", "weight", "fatal", "verdict", "quote", "sentence", "record_id", "note")
END_COLUMNS = ("summary", "rubric", "rubric_hash", "model", "demo")
COLUMNS = (*CALL_COLUMNS, *VERDICT_COLUMNS, *END_COLUMNS)
BETWEEN_TEXTS = " … "

# Where a spreadsheet could see the beginning of a formula: at the start of a cell, and behind each separator in it, for
# a Russian Excel opens the file with `;` and cuts cells there. The sign may stand behind spaces, quotes and brackets.
_FORMULA = re.compile(r"(^|[,;\t|])(?=[^\w,;\t|]*[=+\-@＝＋－＠﹦﹢﹣﹫])")


def render_csv(cards: Iterable[Scorecard]) -> str:
    """The table, with commas. Write it as `utf-8-sig`: without the byte order mark Excel assumes another encoding."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(row[name]) for name in COLUMNS] for card in cards for row in _rows(card))
    return text.getvalue()


def _rows(card: Scorecard) -> Iterator[dict[str, Any]]:
    facts = {name: getattr(card, name) for name in (*CALL_COLUMNS, *END_COLUMNS) if name != "summary"}
    # Only a review without a model stores summaries.
    facts["summary"] = BETWEEN_TEXTS.join(one.summary for one in card.recordings if one.summary)
    for verdict in card.verdicts:
        yield facts | _verdict(verdict)
    if not card.verdicts:
        yield facts | dict.fromkeys(VERDICT_COLUMNS)


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        **{name: getattr(verdict, name) for name in ("criterion", "question", "weight", "fatal", "verdict", "note")},
        "quote": BETWEEN_TEXTS.join(one.quote for one in verdict.quotes),
        "sentence": BETWEEN_TEXTS.join(dict.fromkeys(one.sentence for one in verdict.quotes)),
        "record_id": ", ".join(dict.fromkeys(str(one.record_id) for one in verdict.quotes)),
    }


def _cell(value: object) -> object:
    """A whole number as it is, and a text on one line in which no formula can begin."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return round(value)  # a Russian Excel reads 12.5 as the twelfth of May
    return _FORMULA.sub(r"\1'", " ".join(clean(value).split())) if isinstance(value, str) else value
