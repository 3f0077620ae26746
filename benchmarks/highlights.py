"""The ten most telling figures, for the README. Each is in a table of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.contestants import ARCHIVED, OURS, PASSING
from benchmarks.figures import number
from benchmarks.results import Document, Results
from benchmarks.sums import contestant, requests, right, tokens_read

PARTS = ("questions", "figures", "micro", "archive", "masking", "faults", "replicas")
Highlight = tuple[str, str, str]
"""What, the value, and the section of docs/benchmarks.md."""


def chosen(results: Results) -> list[Highlight]:
    """The figures in the order of the README."""
    return [
        *_questions(results),
        *_sizes(results["figures"]),
        _overhead(results["micro"]),
        _archive(results["archive"]),
        _masks(results["masking"]),
        _faults(results["faults"]),
        _replicas(results["replicas"]),
    ]


def _questions(results: Results) -> Iterator[Highlight]:
    section = "Thirty questions"
    ours, archived, bare = (contestant(results, one.name) for one in (OURS, ARCHIVED, PASSING))
    yield ("Thirty questions of reviewers: right answers", number(right(ours)), section)
    tokens = f"{number(tokens_read(ours))}; {number(tokens_read(bare))}"
    yield ("Tokens to read for them; from a tool per endpoint", tokens, section)
    asked = f"{number(requests(ours))}; {number(requests(archived))}"
    yield ("Requests to Liner for them; with an archive", asked, section)


def _sizes(document: Document) -> Iterator[Highlight]:
    section = "Figures with a limit"
    tools = _figure(document, "definitions of all tools")
    yield ("Tokens of all tool definitions", number(tools["value"]), section)
    row = _figure(document, "a found call, one day")
    yield ("Tokens of a found call; in Liner's JSON", f"{number(row['value'])}; {number(row['bare'])}", section)


def _overhead(document: Document) -> Highlight:
    start = _figure(document, "start to first tools/list to a bare server")
    return ("Start, compared with a bare SDK server", f"× {number(start['value'])}", "Figures with a limit")


def _archive(document: Document) -> Highlight:
    engine = document["engines"]["SQLite"]
    found = _figure(engine, "newest 20 that mention a common word")
    what = f"Search for a word in {engine['records']:,} archived summaries"
    return (what, f"{number(found['value'])} ms", "The archive")


def _masks(document: Document) -> Highlight:
    masked, changed = document["figures"]
    value = f"{number(masked['value'])} %; {number(changed['value'])} %"
    return ("Masked phones, cards and e-mails; changed other numbers", value, "Masks")


def _faults(document: Document) -> Highlight:
    wrong = _figure(document, "wrong answers under a fault")
    return ("Wrong answers when Liner is at fault", f"{number(wrong['value'])} {wrong['note']}", "Faults")


def _replicas(document: Document) -> Highlight:
    lost = f"{number(document['lost'])} of {document['calls']:,}"
    return ("Lost answers when a replica is killed", lost, "Two replicas")


def _figure(document: Document, what: str) -> dict[str, Any]:
    return next(figure for figure in document["figures"] if figure["what"] == what)
