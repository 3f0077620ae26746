"""`liner-mcp agreement`: how far reviewers agree, per criterion, and the calls to discuss."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from liner_mcp.cli.terminal import print_json, print_wrapped
from liner_mcp.errors import SetupError, UsageError
from liner_mcp.files import explained

if TYPE_CHECKING:
    from liner_mcp.review.agreement import Agreement, CriterionAgreement, Disagreement
    from liner_mcp.review.verdict_file import Judgement, Reviewer

SHOWN = 20  # disagreements on a terminal: what a meeting of half an hour gets through; --json has all
INCOMPLETE = 3  # the exit code, as of a review
EXTRA = "liner-mcp agreement needs more packages: uv tool install 'liner-mcp[review]' (or pip install)."


def agreement(options: argparse.Namespace) -> int:
    """Exit codes: 0 compared, 1 nothing could be compared, 2 wrong usage, 3 compared without a part of a file."""
    files: list[Path] = options.files
    if len(files) < 2:
        raise UsageError("Agreement needs the files of at least two reviewers.")
    if len({file.resolve() for file in files}) < len(files):
        raise UsageError("A file is given twice. Agreement is between the files of different reviewers.")
    try:
        from liner_mcp.review.agreement import agreement
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("krippendorff", "numpy"):
            raise
        raise SetupError(EXTRA) from None
    from liner_mcp.review.verdict_file import read_reviewer

    names = [file.name for file in files]
    named = names if len(set(names)) == len(names) else map(str, files)
    reviewers: list[Reviewer] = []
    for name, file in zip(named, files, strict=True):
        with explained(f"{file} cannot be read"):
            reviewers.append(read_reviewer(name, file.read_bytes()))
    compared = agreement(reviewers)
    left_out = [sentence for reviewer in reviewers for sentence in reviewer.left_out]
    if compared.other_summaries:
        calls = ", ".join(map(str, compared.other_summaries))
        left_out.append(f"Left out, because the files judge different summaries of the same call: {calls}.")
    if options.json:
        print_json(_document(reviewers, compared, left_out))
    else:
        _show(reviewers, compared, left_out)
    return INCOMPLETE if left_out else 0


def _document(reviewers: Sequence[Reviewer], compared: Agreement, left_out: list[str]) -> dict[str, Any]:
    return {
        "reviewers": [{"file": one.file, "calls": len(one.calls)} for one in reviewers],
        "calls": compared.calls,
        "criteria": [asdict(one) for one in compared.criteria],
        "discuss": [
            {
                "call_id": one.call_id,
                "criterion": one.criterion,
                "verdicts": {
                    file: {"verdict": judgement.verdict, "quotes": judgement.quotes}
                    for file, judgement in one.judgements.items()
                },
            }
            for one in compared.discuss
        ],
        "notes": left_out,
    }


def _show(reviewers: Sequence[Reviewer], compared: Agreement, left_out: list[str]) -> None:
    judged = ", ".join(f"{one.file} (calls: {len(one.calls)})" for one in reviewers)
    print_wrapped(f"Reviewers: {judged}. Calls judged by at least two: {compared.calls}.", 0)
    console = Console(highlight=False, markup=False, emoji=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Criterion")
    for title in ("Calls", "Same verdict", "Alpha", "95 % interval"):
        table.add_column(title, justify="right")
    for one in compared.criteria:
        table.add_row(one.criterion, *_cells(one))
    console.print(table)
    print_wrapped(
        "Alpha (Krippendorff, nominal) is 1 for full agreement and 0 for what chance gives. From 0.8 on verdicts are "
        "reliable, below 0.67 they are not. The interval shows how far so few calls let alpha move (bootstrap).",
        0,
    )
    for note in _undefined(compared.criteria):
        print_wrapped(note, 0)
    print()
    _show_discussion(compared.discuss)
    for sentence in left_out:
        print_wrapped(f"NOTE {sentence}", 5)


def _cells(one: CriterionAgreement) -> list[str]:
    share = f"{one.same} ({round(100 * one.same / one.calls)} %)" if one.calls else "-"
    if one.alpha is None or one.interval is None:
        return [str(one.calls), share, "not defined", "-"]
    low, high = one.interval
    return [str(one.calls), share, f"{one.alpha:.2f}", f"{low:.2f} to {high:.2f}"]


def _undefined(criteria: Sequence[CriterionAgreement]) -> list[str]:
    without = [one.criterion for one in criteria if not one.calls]
    same = [one.criterion for one in criteria if one.calls and one.alpha is None]
    sentences: list[str] = []
    if same:
        sentences.append(f"Alpha is not defined where all verdicts are the same: {', '.join(same)}.")
    if without:
        sentences.append(f"Judged in one file only: {', '.join(without)}.")
    return sentences


def _show_discussion(discuss: Sequence[Disagreement]) -> None:
    if not discuss:
        print("No verdicts differ.")
        return
    shown = discuss[:SHOWN]
    print_wrapped(f"To discuss: {len(discuss)} verdicts differ. The calls with most differences come first.", 0)
    last = None
    for one in shown:
        if one.call_id != last:
            print(f"\nCall {one.call_id}")
            last = one.call_id
        print(f"  {one.criterion}")
        for file, judgement in one.judgements.items():
            print_wrapped(f"    {file}: {_with_quotes(judgement)}", 6)
    if len(discuss) > len(shown):
        print(f"\n{len(discuss) - len(shown)} more: --json shows all.")
    print()


def _with_quotes(judgement: Judgement) -> str:
    quotes = " / ".join(f'"{" ".join(quote.split())}"' for quote in judgement.quotes)
    return f"{judgement.verdict} {quotes}".rstrip()
