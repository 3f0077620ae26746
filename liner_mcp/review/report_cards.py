"""The calls of a report: one call with its facts, and each verdict with its quote marked in its sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from liner_mcp.evidence.quotes import QuotedText, has_words
from liner_mcp.review import report_numbers as numbers
from liner_mcp.review.html_elements import Child, element
from liner_mcp.review.report_parts import (
    STATES,
    WORDS,
    calls,
    duration,
    marker,
    number,
    score_text,
    section,
    table,
    tags,
)
from liner_mcp.review.scorecard import Quote, Recording, Scorecard, Verdict

_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)


def judged_call(card: Scorecard, *, is_open: bool) -> Element:
    """A judged call that unfolds. `#call-ID` leads to it."""
    none = " none" if card.score is None else ""
    score = element("span", score_text(card.score), class_=f"score{none}")
    counts = " · ".join(f"{count} {WORDS[word].lower()}" for word in WORDS if (count := card.count(word)))
    fatal = element("span", "Fatal no · ", class_="fatal-note") if card.fatal else None
    facts = element("p", *_joined(card.date, card.order, card.status, _talk(card), _number(card)), class_="facts")
    repeated = numbers.repeated_quote(card)
    warning = f"One quote stands for {repeated} verdicts: check that it is speech." if repeated else None
    heading = element("div", element("h3", title(card)), facts, element("p", fatal, counts, class_="facts"))
    if warning:
        heading.append(element("p", warning, class_="note"))
    verdicts = element("ol", *(_verdict(one) for one in card.verdicts), class_="verdicts")
    return _details(card, element("summary", score, heading), verdicts, is_open=is_open)


def plain_call(card: Scorecard) -> Element:
    """A call without verdicts, with what was said on its recordings. It stands among the calls of its agent."""
    heading = element("h4", card.time or "Time unknown", " · ", card.order)
    facts = element("p", *_joined(card.date, card.status, _number(card)), class_="facts")
    talk = element("span", duration(card.talk_seconds), class_="score none")
    summary = element("summary", talk, element("div", heading, facts))
    return _details(card, summary, _recordings(card.recordings), is_open=True)


def title(card: Scorecard) -> str:
    """A call as a person looks for it. The date stands among the facts, because most reports are of one day."""
    return f"{card.time or 'Time unknown'} · {card.agent or 'no agent'}"


def calls_apart(cards: Sequence[Scorecard], heading: str) -> Element | None:
    """The calls that have nothing to show, each with the reason."""
    if not cards:
        return None
    rows = [
        element(
            "tr",
            element("th", str(card.call_id), scope="row"),
            element("td", *_joined(card.date, card.time)),
            element("td", card.agent or "no agent"),
            element("td", card.order),
            element("td", duration(card.talk_seconds), class_="number", data_label="Talk"),
            element("td", card.reason or STATES[card.state]),
        )
        for card in cards
    ]
    head = ["Call", "Time", "Agent", "Order", "Talk", "Why"]
    return section("apart", heading, table(calls(len(cards)), head, rows, class_="stack", numeric="Talk"))


def reasons(cards: Sequence[Scorecard], caption: str) -> Element | None:
    """How many calls have nothing to show, by state and reason."""
    rows = [
        element("tr", element("th", STATES[state], scope="row"), element("td", reason), number(len(found)))
        for (state, reason), found in numbers.by_reason(cards).items()
    ]
    return table(caption, ["State", "Reason", "Calls"], rows, class_="reasons", numeric="Calls") if rows else None


def language_of(text: str) -> str | None:
    """The language of a foreign text, as far as its letters show it; for hyphenation and screen readers."""
    return "ru" if _CYRILLIC.search(text) else None


def _details(card: Scorecard, *children: Element, is_open: bool) -> Element:
    return element("details", *children, id=f"call-{card.call_id}", open="" if is_open else None)


def _talk(card: Scorecard) -> str:
    return f"talk {duration(card.talk_seconds)}"


def _number(card: Scorecard) -> str:
    return f"call {card.call_id}"


def _joined(*facts: str | None) -> list[str]:
    return [" · ".join(filter(None, facts))]


def _verdict(one: Verdict) -> Element:
    word = element("div", element("span", marker(one.verdict), WORDS[one.verdict], class_="verdict"))
    question = element("p", element("span", one.question, lang=language_of(one.question)), *tags(one.weight, one.fatal))
    note = element("p", one.note, class_="note") if one.note else None
    return element("li", word, element("div", question, *map(_quote, one.quotes), note))


def _quote(one: Quote) -> Element:
    negated = " · a negation stands right before the quote" if one.negated else ""
    return element(
        "blockquote",
        element("p", *_marked(one), lang=language_of(one.sentence), dir="auto"),
        element("footer", f"record {one.record_id}{negated}"),
    )


def _marked(one: Quote) -> list[Child]:
    """The sentence with the quote marked. A quote that is longer than its sentence can show stands alone."""
    found = QuotedText(one.sentence).find(one.quote) if has_words(one.quote) else None
    if found is None or found.start is None or found.end is None or found.state == "close":
        return [element("mark", one.quote)]
    before, after = one.sentence[: found.start], one.sentence[found.end :]
    return [before, element("mark", one.sentence[found.start : found.end]), after]


def _recordings(recordings: Sequence[Recording]) -> Element:
    parts: list[Element] = []
    for one in recordings:
        transfer = " · transfer" if one.transfer else ""
        parts.append(element("p", f"record {one.record_id} · {duration(one.seconds)}{transfer}", class_="facts"))
        text = one.summary or f"Summary: {one.summary_state.replace('_', ' ')}"
        parts.append(element("p", text, lang=language_of(text), dir="auto"))
    return element("div", *parts, class_="recordings")
