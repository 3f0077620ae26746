"""The report of a review: one HTML file that loads nothing, for a quality lead in the morning.

Without verdicts it is the same page without scores. The page is report.html; every value in it is cleaned and escaped.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from liner_mcp.evidence.quotes import QuotedText, has_words
from liner_mcp.review import report_numbers as numbers
from liner_mcp.review.rubric import Rubric
from liner_mcp.review.scorecard import Quote, Scorecard, VerdictWord
from liner_mcp.text.clean import clean

_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)")

Tile = tuple[str, str, str]
"""A name, a value, and what the value refers to."""


def render_report(
    cards: Sequence[Scorecard],
    *,
    title: str,
    generated_at: str,
    rubric: Rubric | None = None,
    notes: Sequence[str] = (),
) -> str:
    """The page for the cards of one review, one per call. `rubric` is None for a review without a model.

    `notes` are sentences about the whole review, such as what could not be read.
    """
    page = files("liner_mcp.review")
    style = page.joinpath("report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    with_model = rubric is not None or any(card.verdicts for card in cards)
    judged = numbers.hearing_order(numbers.judged(cards))
    heard = [card for card in cards if any(one.summary for one in card.recordings)]
    heard.sort(key=lambda card: f"{card.date} {card.time}")
    shown = {card.call_id for card in (judged if with_model else heard)}
    others = [card for card in cards if card.call_id not in shown]
    sections = _sections(judged, others, rubric) if with_model else _plain_sections(heard, others)
    return (
        _environment()
        .from_string(page.joinpath("report.html").read_text(encoding="utf-8"))
        .render(
            title=title,
            style=Markup(style),  # noqa: S704 - a file of this package
            # It allows this one style, and no script, image or font.
            policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
            meta=_meta(cards, rubric, generated_at),
            invented=any(card.demo for card in cards) and "demo" not in title.casefold(),
            notes=notes,
            with_model=with_model,
            sections=sections if cards else [],
            cards=cards,
            judged=judged,
            heard=heard,
            others=others,
            first=numbers.heard_first(judged),
            criteria=numbers.criteria_of(judged, rubric),
            rubric=rubric,
        )
    )


def _environment() -> Environment:
    made = Environment(
        autoescape=True, finalize=_shown, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    functions: dict[str, Any] = {
        "numbers": numbers,
        "language_of": language_of,
        "totals_of": totals_of,
        "plain_totals_of": plain_totals_of,
    }
    filters: dict[str, Any] = {
        "number": "{:,}".format,
        "in_words": in_words,
        "score": score_text,
        "duration": duration,
        "calls": count_of_calls,
        "facts": joined,
        "title": title_of,
        "counts": counts_of,
        "why": why,
        "marked": marked,
        "dates": with_dates,
        "breakable": breakable,
    }
    made.globals.update(functions)
    made.filters.update(filters)
    return made


def _shown(value: Any) -> Any:
    """A value as the page holds it, before it is escaped: a text is cleaned, and None is nothing."""
    if value is None:
        return ""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _sections(judged: Sequence[Scorecard], others: Sequence[Scorecard], rubric: Rubric | None) -> list[tuple[str, str]]:
    """The anchors and the headings of the sections of a review with a model."""
    found = [("totals", "Totals")]
    if judged:
        found += [
            ("agents", "By agent"),
            ("criteria", "By criterion"),
            ("hear", "Calls to hear first"),
            ("cards", "All judged calls"),
        ]
    if others:
        found.append(("apart", "Calls that were not judged"))
    if rubric is not None:
        found.append(("rubric", "The rubric"))
    return found


def _plain_sections(heard: Sequence[Scorecard], others: Sequence[Scorecard]) -> list[tuple[str, str]]:
    found = [("totals", "Totals")]
    if heard:
        found += [("agents", "By agent"), ("cards", "Calls to hear, by agent")]
    if others:
        found.append(("apart", "Calls without a summary"))
    return found


def _meta(cards: Sequence[Scorecard], rubric: Rubric | None, generated_at: str) -> str:
    dates = sorted({card.date for card in cards if card.date})
    zones = ", ".join(sorted({card.timezone for card in cards}))
    days = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}" if dates else ""
    models = ", ".join(sorted({card.model for card in cards if card.model}))
    return joined(
        [
            f"Calls of {days}, {zones}" if days else "",
            f"rubric {rubric.name} ({rubric.hash})" if rubric else "",
            f"model {models}" if models else "",
            f"made {generated_at}",
        ]
    )


# Tiles ----------------------------------------------------------------------------------------------------------------


def totals_of(cards: Sequence[Scorecard], judged: Sequence[Scorecard]) -> list[Tile]:
    """The tiles of a review with a model. What the model used counts also for calls that it could not judge."""
    mean, scored = numbers.mean_score(judged)
    sent, received = sum(card.input_tokens for card in cards), sum(card.output_tokens for card in cards)
    cost, unpriced = numbers.cost(cards)
    tokens = f"{(sent + received) / 1000:,.0f}k" if sent + received >= 10_000 else f"{sent + received:,}"
    price = "unknown" if cost is None and sent + received else f"${cost or 0:.2f}"
    left_out = f"without {count_of_calls(unpriced)} of unknown price" if unpriced and cost is not None else ""
    return [
        ("Calls", f"{len(cards):,}", ""),
        ("Judged", f"{len(judged):,}", share(len(judged), len(cards))),
        ("Mean score", score_text(mean), f"of 100, from {count_of_calls(scored)}" if scored else ""),
        ("With a fatal no", f"{sum(bool(card.fatal) for card in judged):,}", f"of {count_of_calls(len(judged))}"),
        ("Tokens", tokens, f"{sent:,} in, {received:,} out"),
        ("Cost", price, left_out),
    ]


def plain_totals_of(cards: Sequence[Scorecard], heard: Sequence[Scorecard]) -> list[Tile]:
    """The tiles of a review without a model."""
    talk = [card.talk_seconds for card in cards if card.talk_seconds is not None]
    transfers = sum(any(one.transfer for one in card.recordings) for card in cards)
    return [
        ("Calls", f"{len(cards):,}", ""),
        ("With a summary", f"{len(heard):,}", share(len(heard), len(cards))),
        ("With a transfer", f"{transfers:,}", ""),
        ("Talk", duration(sum(talk)) if talk else "unknown", f"of {count_of_calls(len(talk))}"),
    ]


# Texts ----------------------------------------------------------------------------------------------------------------


def joined(facts: Iterable[str | None]) -> str:
    return " · ".join(filter(None, facts))


def in_words(name: str) -> str:
    """The name of a verdict or a state, such as `not_mentioned`, for a reader."""
    return name.replace("_", " ")


def score_text(score: float | None) -> str:
    """A score or a mean without a decimal place, which so few criteria do not justify."""
    return "no score" if score is None else f"{score:.0f}"


def duration(seconds: int | None) -> str:
    if seconds is None:
        return "unknown"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count_of_calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"


def share(part: int, whole: int) -> str:
    """A share of all calls, for a tile; nothing where there are none."""
    return f"{100 * part / whole:.0f} % of all" if whole else ""


def language_of(text: str) -> str | None:
    """The language of a foreign text, as far as its letters show it; for hyphenation and screen readers."""
    return "ru" if _CYRILLIC.search(text) else None


def with_dates(text: str) -> Markup:
    """The text with dates that no line break divides."""
    parts = (escape(clean(part)) for part in _DATE.split(text))
    return Markup("").join(
        Markup('<span class="date">{}</span>').format(part) if at % 2 else part for at, part in enumerate(parts)
    )


def breakable(criterion: numbers.Criterion) -> Markup:
    """A criterion's id that may break before each underscore."""
    return Markup("<span>{}</span>").format(Markup("<wbr>_").join(map(clean, criterion.id.split("_"))))


def title_of(card: Scorecard) -> str:
    """A call as a person looks for it. The date stands among the facts, because most reports are of one day."""
    return f"{card.time or 'Time unknown'} · {card.agent or 'no agent'}"


def counts_of(card: Scorecard, words: Iterable[VerdictWord] = numbers.VERDICTS) -> str:
    return joined(f"{count} {in_words(word)}" for word in words if (count := card.count(word)))


def why(card: Scorecard) -> str:
    """Why a call is to be heard, beside its fatal verdicts."""
    noes = [one.criterion for one in card.verdicts if one.verdict == "no" and one.criterion not in card.fatal]
    repeated = numbers.repeated_quote(card)
    return joined(
        (
            f"No: {', '.join(noes)}" if noes else None,
            counts_of(card, ("not_mentioned", "cannot_tell")),
            f"one quote for {repeated} verdicts" if repeated else None,
        )
    )


def marked(one: Quote) -> tuple[str, str, str]:
    """The sentence in three parts: before the quote, the quote, and the rest. A quote that is longer than its sentence
    can show stands alone.
    """
    found = QuotedText(one.sentence).find(one.quote) if has_words(one.quote) else None
    if found is None or found.start is None or found.end is None or found.state == "close":
        return "", one.quote, ""
    return one.sentence[: found.start], one.sentence[found.start : found.end], one.sentence[found.end :]
