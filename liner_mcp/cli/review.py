"""`liner-mcp review`: a period's calls judged by a rubric, as scorecards, a report and a CSV.

Nothing is sent to a model before the folder can be written and this program has said what it sends, and to whom.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from liner_mcp.cli.chosen_settings import chosen_settings, warn_of_misspelt_variables
from liner_mcp.cli.terminal import Progress, print_wrapped
from liner_mcp.errors import SetupError, UsageError
from liner_mcp.review.cards_csv import render_csv
from liner_mcp.review.results import Results
from liner_mcp.review.rubric import as_yaml, read_rubric
from liner_mcp.review.scorecard import Scorecard
from liner_mcp.review.selection import Selection, label_of, parse_period, select_calls
from liner_mcp.settings import DEMO_NOTICE, Settings
from liner_mcp.timezone import Zone

if TYPE_CHECKING:
    from liner_mcp.review.run import Plan, Review, Used

COMPLETE, INCOMPLETE, INTERRUPTED = 0, 3, 130  # as exit codes; 1 is for what must be fixed, 2 for wrong usage
EXTRA = "liner-mcp review needs more packages: uv tool install 'liner-mcp[review]' (or pip install)."


def review(options: argparse.Namespace) -> int:
    if options.show_rubric:
        print(_with_extra(partial(as_yaml, options.show_rubric)), end="")
        return COMPLETE
    _check(options)
    settings = chosen_settings(options)
    settings.host_and_token()  # raises what must be set before anything is done
    warn_of_misspelt_variables()
    reviewer = None if options.no_model else _with_extra(partial(_reviewer, options))
    # Ctrl-C ends the run but not the process at once: cards are written one by one, and the next run goes on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _with_extra(lambda: _Run(options, settings, reviewer).start())
    except KeyboardInterrupt:
        print("Interrupted. The finished scorecards are saved; run again to go on.", file=sys.stderr)
        return INTERRUPTED


def _check(options: argparse.Namespace) -> None:
    if options.no_model and (options.model or options.dry_run):
        raise UsageError("--no-model sends nothing to a model; leave --model and --dry-run out.")
    if not options.no_model and not options.model:
        raise UsageError(
            "A review sends the summaries of calls to a model. Name it, such as --model openai:gpt-5-mini, with "
            "--dry-run to see first what would be sent; or list the calls without a model: --no-model."
        )
    if options.seed and not options.sample:
        raise UsageError("--seed is for --sample N.")


def _with_extra(make: Any) -> Any:
    try:
        return make()
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("pydantic_ai", "yaml", "genai_prices", "filelock", "jinja2"):
            raise SetupError(EXTRA) from None
        raise


def _reviewer(options: argparse.Namespace) -> Review:
    from liner_mcp.review.models import open_model
    from liner_mcp.review.run import Limits, Review

    rubric = read_rubric(options.rubric or ("transfers" if options.transfers else "first_calls"))
    model = open_model(options.model, options.base_url, options.price)
    limits = Limits(options.max_calls, options.max_tokens, options.max_cost, options.max_minutes)
    return Review(rubric, model, limits, options.concurrency)


class _Run:
    def __init__(self, options: argparse.Namespace, settings: Settings, reviewer: Review | None) -> None:
        from liner_mcp.review.report import render_report  # of the extra, and missed before anything is sent

        self._render_report = render_report
        self._options, self._settings, self._reviewer = options, settings, reviewer
        self._zone = Zone.resolve(settings.timezone)
        self._window = parse_period(options.period, self._zone, datetime.now(self._zone.info))
        self._label = label_of(self._window, self._zone)
        kind = "calls" if reviewer is None else reviewer.rubric.name
        self._results = Results(options.out.expanduser(), f"{self._label}-{kind}")
        self._line = Progress()

    def start(self) -> int:
        if self._options.dry_run:
            return self._judge_or_list(self._select())
        with self._results.locked():
            return self._judge_or_list(self._select())

    def _select(self) -> Selection:
        filters = _filters(self._options, self._label)
        selection = anyio.run(partial(select_calls, self._settings, self._window, filters, self._progress))
        self._line.clear()
        return selection

    def _progress(self, what: str, done: int, total: int | None) -> None:
        self._line.show(f"{what}: {done}{'' if total is None else f' of {total}'} …")

    def _judge_or_list(self, selection: Selection) -> int:
        if self._settings.demo:
            print_wrapped(DEMO_NOTICE, 0)
        if self._reviewer is None:
            without = "No model was asked."
            listed = [call.card(call.state or "not_judged", call.reason or without) for call in selection.calls]
            unread = any(call.state == "not_judged" for call in selection.calls)
            return self._finish(listed, selection, incomplete=unread)
        return self._judge(self._reviewer, selection)

    def _judge(self, reviewer: Review, selection: Selection) -> int:
        plan = reviewer.plan(selection.calls, self._results.cards())
        if reviewer.limits.cost is not None and plan.to_judge and plan.estimate.cost is None:
            raise UsageError(
                f"--max-cost: the price of {reviewer.model.name} is unknown; send --price or --max-tokens."
            )
        print_wrapped(_announcement(reviewer, plan, dry_run=self._options.dry_run), 0)
        if self._options.dry_run:
            return COMPLETE
        used, stopped = self._judge_all(reviewer, plan)
        if used is not None:
            print_wrapped(f"Used: {used.calls} calls, {used.tokens:,} tokens, {_dollars(used.cost)}.", 0)
            _say_failures([plan.cards[call.call_id] for call in plan.to_judge], stopped)
        cards = [plan.cards[call.call_id] for call in selection.calls]
        selection.gaps += [stopped] if stopped else []
        return self._finish(cards, selection, incomplete=any(card.state == "not_judged" for card in cards))

    def _judge_all(self, reviewer: Review, plan: Plan) -> tuple[Used | None, str | None]:
        from liner_mcp.review.judge import Judge

        with self._results.appending() as append:

            def save(card: Scorecard) -> None:
                append(card)
                plan.cards[card.call_id] = card

            for card in plan.new:
                append(card)
            if not plan.to_judge:
                return None, None
            judge = Judge(reviewer.model.model, reviewer.rubric)
            used, stopped = anyio.run(partial(reviewer.judge, judge, plan.to_judge, save, self._progress))
        self._line.clear()
        return used, stopped

    def _finish(self, cards: Sequence[Scorecard], selection: Selection, *, incomplete: bool) -> int:
        """Write the report and the CSV, and say where they are."""
        title = f"Call review of {self._label.replace('_', ' to ')}"
        title = f"DEMO, invented data: {title}" if self._settings.demo else title
        generated = datetime.now(self._zone.info).isoformat(" ", "minutes")
        notes = [*selection.gaps, *selection.notes]
        rubric = None if self._reviewer is None else self._reviewer.rubric
        report = self._render_report(cards, title=title, generated_at=generated, rubric=rubric, notes=notes)
        self._results.write("html", report.encode())
        self._results.write("csv", render_csv(cards).encode("utf-8-sig"))  # the mark by which Excel knows UTF-8
        counts = _counts(cards, with_model=rubric is not None)
        incomplete = incomplete or bool(selection.gaps)
        print(f"{self._results.path('html')} and .csv:")  # not wrapped: a path is copied
        print_wrapped(f"{counts}; {'in' if incomplete else ''}complete.", 0)
        if not cards and not incomplete:
            print_wrapped("No call of this period passes the filters. For other days use --period.", 0)
        for gap in selection.gaps:
            print_wrapped(gap, 0)
        if incomplete:
            judged = "; no call is judged twice" if rubric is not None else ""
            print_wrapped(f"A later run tries what is missing once more{judged}.", 0)
        return INCOMPLETE if incomplete else COMPLETE


def _counts(cards: Sequence[Scorecard], *, with_model: bool) -> str:
    states = Counter(card.state for card in cards)
    left = f"{states['judged']} judged, {states['not_judged']} not judged, " if with_model else ""
    without = f"{states['no_summary']} without summary, {states['no_recording']} without recording"
    return f"{len(cards)} calls: {left}{without}"


def _say_failures(sent: Sequence[Scorecard], stopped: str | None) -> None:
    """Why calls were not judged. If none was, it must be fixed, so it is said on stderr."""
    failed = Counter(card.reason for card in sent if card.reason not in (None, stopped))
    none = all(card.state != "judged" for card in sent)
    for reason, number in failed.most_common():
        sentence = f"Not judged: {number} call{'' if number == 1 else 's'}. {reason}"
        if none:
            print(sentence, file=sys.stderr)
        else:
            print_wrapped(sentence, 0)


def _filters(options: argparse.Namespace, label: str) -> dict[str, Any]:
    """The arguments of find_calls."""
    wanted = {
        "orders": options.orders,
        "agents": options.agents,
        "statuses": options.statuses,
        "transferred": options.transfers or None,
        "recorded": options.recorded or None,
        "min_talk_seconds": options.min_talk,
        "max_talk_seconds": options.max_talk,
        "hours": options.hours,
        "mentions": options.mentions,
        "direction": options.direction,
        "sample": options.sample,
        "seed": (options.seed or label) if options.sample else None,
    }
    return {name: value for name, value in wanted.items() if value not in (None, [])}


def _announcement(reviewer: Review, plan: Plan, *, dry_run: bool) -> str:
    """What is sent, to whom, and about how much of it."""
    judged = sum(card.state == "judged" for card in plan.cards.values())
    known = f" {judged} are judged already." if judged else ""
    if not plan.to_judge:
        return f"There is nothing to send.{known}"
    estimate = plan.estimate
    return (
        f"{'Would send' if dry_run else 'Sends'} the summaries of {estimate.calls} calls to {reviewer.model.name} at "
        f"{reviewer.model.address}: about {estimate.tokens:,} tokens, {_dollars(estimate.cost)}. Phones, cards and "
        f"e-mail addresses are masked; names that were said are not.{known}"
    )


def _dollars(cost: Decimal | None) -> str:
    return "price unknown" if cost is None else f"${cost:.2f}" if cost >= 1 else f"${cost:.4f}"
