"""The report of a review: one HTML file."""

from __future__ import annotations

from collections.abc import Sequence

from liner_mcp.review.scorecard import Scorecard


def render_report(cards: Sequence[Scorecard], *, title: str, generated_at: str, notes: Sequence[str] = ()) -> str:
    """The page."""
    return f"<!doctype html>\n<title>{title}</title>\n<p>{len(cards)} calls, {generated_at}, {len(notes)} notes</p>\n"
