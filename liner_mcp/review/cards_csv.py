"""The scorecards of a review as CSV."""

from __future__ import annotations

from collections.abc import Sequence

from liner_mcp.review.scorecard import Scorecard


def render_csv(cards: Sequence[Scorecard]) -> str:
    """A line per call."""
    return "".join(["call_id,state\r\n", *(f"{card.call_id},{card.state}\r\n" for card in cards)])
