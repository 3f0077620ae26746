"""The sections of a report without verdicts: how many calls, of whom, and what was said on each."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from liner_mcp.review import report_numbers as numbers
from liner_mcp.review.html_elements import element
from liner_mcp.review.report_cards import calls_apart, plain_call, reasons
from liner_mcp.review.report_parts import calls, duration, measure, section, share, table, tiles
from liner_mcp.review.scorecard import Scorecard


def sections_without_verdicts(cards: Sequence[Scorecard]) -> list[Element | None]:
    heard = [card for card in cards if any(one.summary for one in card.recordings)]
    others = [card for card in cards if card not in heard]
    groups = numbers.by_agent(heard)
    return [
        _totals(cards, heard, others),
        _agents(groups),
        _calls(groups),
        calls_apart(others, "Calls without a summary"),
    ]


def _totals(cards: Sequence[Scorecard], heard: Sequence[Scorecard], others: Sequence[Scorecard]) -> Element:
    talk = [card.talk_seconds for card in cards if card.talk_seconds is not None]
    transfers = sum(any(one.transfer for one in card.recordings) for card in cards)
    values = tiles(
        ("Calls", f"{len(cards):,}", ""),
        ("With a summary", f"{len(heard):,}", share(len(heard), len(cards))),
        ("With a transfer", f"{transfers:,}", ""),
        ("Talk", duration(sum(talk)) if talk else "unknown", f"of {calls(len(talk))}"),
    )
    return section("totals", "Totals", values, reasons(others, "Calls without a summary, and why"))


def _agents(groups: dict[str, list[Scorecard]]) -> Element | None:
    if not groups:
        return None
    most = max(map(len, groups.values()))
    rows = [
        element(
            "tr",
            element("th", element("a", name, href=f"#{_anchor(place)}"), scope="row"),
            element("td", measure(100 * len(found) / most, f"{len(found)}")),
        )
        for place, (name, found) in enumerate(groups.items(), 1)
    ]
    return section("agents", "By agent", table("Calls with a summary", ["Agent", "Calls"], rows, class_="halves"))


def _calls(groups: dict[str, list[Scorecard]]) -> Element | None:
    if not groups:
        return None
    parts: list[Element] = []
    for place, (name, found) in enumerate(groups.items(), 1):
        parts.append(element("h3", name, id=_anchor(place), class_="agent"))
        parts += [plain_call(card) for card in sorted(found, key=lambda card: f"{card.date} {card.time}")]
    return section("cards", "Calls to hear, by agent", *parts)


def _anchor(place: int) -> str:
    return f"agent-{place}"
