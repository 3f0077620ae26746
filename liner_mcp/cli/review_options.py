"""The options of `liner-mcp review`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from liner_mcp.rubrics import built_in


def _from(least: int, most: int) -> Callable[[str], int]:
    """Reads a whole number in these bounds."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
            raise argparse.ArgumentTypeError(f"it must be a whole number from {least} to {most}")
        return int(text)

    return read


_SECONDS, _POSITIVE = _from(0, 1_000_000), _from(1, 10**12)


def add_review(commands: Any) -> argparse.ArgumentParser:
    """Add the command and its options. `commands` is what `add_subparsers` returned."""
    review: argparse.ArgumentParser = commands.add_parser(
        "review", help="review calls by a rubric with a model, or list them without one"
    )
    review.add_argument(
        "--model", metavar="VENDOR:NAME", help="the model that judges; its API key is in the vendor's variable"
    )
    review.add_argument(
        "--base-url", metavar="URL", help="an endpoint compatible with OpenAI's, for --model openai:NAME"
    )
    review.add_argument("--no-model", action="store_true", help="send nothing: list the calls and their summaries")
    review.add_argument("--dry-run", action="store_true", help="say what would be sent, to whom, and what it may cost")
    review.add_argument(
        "--rubric",
        metavar="NAME|FILE",
        help=f"{', '.join(built_in.NAMES)}, or a YAML file (default: transfers with --transfers, else first_calls)",
    )
    review.add_argument("--show-rubric", choices=built_in.NAMES, metavar="NAME", help="print a built-in rubric as YAML")
    review.add_argument("--out", type=Path, default=Path("reviews"), metavar="DIR", help="folder (default: reviews)")

    calls = review.add_argument_group("which calls")
    calls.add_argument(
        "--period",
        default="yesterday",
        help="yesterday (default), today, last_week, last_month, 2026-11, 2026-11-20, or 2026-11-16..2026-11-22",
    )
    for name, what in (("orders", "orders"), ("agents", "agents or agent groups"), ("statuses", "call statuses")):
        calls.add_argument(f"--{name}", nargs="+", default=[], metavar="NAME", help=f"{what}: names or ids")
    calls.add_argument("--transfers", action="store_true", help="calls that were handed over to the sales desk")
    calls.add_argument("--recorded", action="store_true", help="calls with a recording")
    calls.add_argument("--min-talk", type=_SECONDS, metavar="SECONDS", help="calls with at least this much talk")
    calls.add_argument("--max-talk", type=_SECONDS, metavar="SECONDS", help="calls with at most this much talk")
    calls.add_argument("--hours", metavar="9-18", help="calls in these hours of the day")
    calls.add_argument("--mentions", metavar="WORDS", help="calls with these words in a summary, in any form")
    calls.add_argument("--direction", choices=("incoming", "outgoing"), help="calls in this direction")
    calls.add_argument(
        "--sample", type=_from(1, 100), metavar="N", help="draw N calls (1 to 100), even over the agents"
    )
    calls.add_argument("--seed", help="of the draw (default: the period, so that the same period draws the same)")

    limits = review.add_argument_group("limits of one run; calls under way are finished")
    limits.add_argument("--max-calls", type=_POSITIVE, metavar="N", help="calls to send")
    limits.add_argument("--max-tokens", type=_POSITIVE, metavar="N", help="tokens of input and output together")
    limits.add_argument("--max-cost", type=_dollars, metavar="USD", help="US dollars; the model's price must be known")
    limits.add_argument("--max-minutes", type=_minutes, metavar="N", help="minutes of judging")
    limits.add_argument(
        "--price", metavar="IN,OUT", help="US dollars per million tokens, where the price is unknown, such as 0.25,2"
    )
    limits.add_argument("--concurrency", type=_from(1, 64), default=4, metavar="N", help="calls at once (default: 4)")
    return review


def _dollars(text: str) -> Decimal:
    try:
        dollars = Decimal(text)
    except InvalidOperation:
        dollars = Decimal(0)
    if not (dollars.is_finite() and dollars > 0):
        raise argparse.ArgumentTypeError("it must be a number above 0, such as 2.50")
    return dollars


def _minutes(text: str) -> float:
    return float(_dollars(text))
