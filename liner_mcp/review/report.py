"""The report of a review: one HTML file that loads nothing, for a quality lead in the morning.

Without verdicts it is the same page without scores. The page runs no script.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from itertools import islice
from xml.etree.ElementTree import Element

from liner_mcp.review import report_numbers as numbers
from liner_mcp.review.html_elements import Child, document, element
from liner_mcp.review.report_cards import calls_apart, judged_call, language_of, reasons
from liner_mcp.review.report_cards import title as title_of
from liner_mcp.review.report_parts import (
    WORDS,
    bar,
    calls,
    lead,
    marker,
    measure,
    number,
    score_text,
    section,
    share,
    stacked,
    table,
    tags,
    tiles,
)
from liner_mcp.review.report_plain import sections_without_verdicts
from liner_mcp.review.rubric import Rubric
from liner_mcp.review.scorecard import Scorecard

_DATE = re.compile(r"(\d{4}-\d\d-\d\d)")
CRITERIA_PER_TABLE = 7  # columns of a table of agents by criteria that fit a printed page


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
    with_model = rubric is not None or any(card.verdicts for card in cards)
    made = _sections_with_verdicts(cards, rubric) if with_model else sections_without_verdicts(cards)
    sections = [one for one in made if one is not None] if cards else [lead("No call matches the selection.")]
    links = [element("li", element("a", one[0].text, href=f"#{one.get('id')}")) for one in sections if one.get("id")]
    body = element(
        "body",
        element(
            "header",
            element("h1", *_with_dates(title)),
            element("p", *_meta(cards, title, rubric, generated_at), class_="meta"),
            element("ul", *(element("li", note) for note in notes), class_="notes") if notes else None,
        ),
        element("nav", element("ul", *links), aria_label="Sections") if links else None,
        element("main", *sections),
        element("footer", _caution(with_model)),
    )
    style = files("liner_mcp.review").joinpath("report.css").read_text(encoding="utf-8")
    return document(title=title, language="en", style=style, body=body)


def _sections_with_verdicts(cards: Sequence[Scorecard], rubric: Rubric | None) -> list[Element | None]:
    judged = numbers.hearing_order(numbers.judged(cards))
    others = [card for card in cards if card.state != "judged"]
    criteria = numbers.criteria_of(judged, rubric)
    totals = _totals(cards, judged, others)
    apart, definitions = calls_apart(others, "Calls that were not judged"), _definitions(rubric)
    if not judged:
        return [totals, apart, definitions]
    first = numbers.heard_first(judged)
    return [
        totals,
        _agents(judged, criteria),
        _criteria(judged, criteria),
        _hear_first(first),
        _calls(judged, first),
        apart,
        definitions,
    ]


def _meta(cards: Sequence[Scorecard], title: str, rubric: Rubric | None, generated_at: str) -> list[Child]:
    dates = sorted({card.date for card in cards if card.date})
    zones = ", ".join(sorted({card.timezone for card in cards}))
    days = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}" if dates else ""
    models = ", ".join(sorted({card.model for card in cards if card.model}))
    facts = [
        f"Calls of {days}, {zones}" if days else "",
        f"rubric {rubric.name} ({rubric.hash})" if rubric else "",
        f"model {models}" if models else "",
        f"made {generated_at}",
    ]
    invented = any(card.demo for card in cards) and "demo" not in title.casefold()
    demo = element("strong", "Demo: all data is invented. ") if invented else None
    return [demo, *_with_dates(" · ".join(filter(None, facts)))]


def _with_dates(text: str) -> list[Child]:
    """The text with dates that no line break divides."""
    return [element("span", part, class_="date") if at % 2 else part for at, part in enumerate(_DATE.split(text))]


def _caution(with_model: bool) -> str:
    said = "Summaries are an AI's account of strangers' speech, not transcripts."
    judged = " The verdicts are a model's judgement of the summaries. Hear a call before you decide about a person."
    return f"{said}{judged if with_model else ''} This file holds what clients said: share it as you share recordings."


# Totals ---------------------------------------------------------------------------------------------------------------


def _totals(cards: Sequence[Scorecard], judged: Sequence[Scorecard], others: Sequence[Scorecard]) -> Element:
    mean, scored = numbers.mean_score(judged)
    values = tiles(
        ("Calls", f"{len(cards):,}", ""),
        ("Judged", f"{len(judged):,}", share(len(judged), len(cards))),
        ("Mean score", score_text(mean), f"of 100, from {calls(scored)}" if scored else ""),
        ("With a fatal no", f"{sum(bool(card.fatal) for card in judged):,}", f"of {calls(len(judged))}"),
        *_usage(cards),
    )
    shares = _shares(numbers.tally(numbers.verdicts_of(judged)))
    return section("totals", "Totals", values, *shares, reasons(others, "Calls that were not judged, and why"))


def _usage(cards: Sequence[Scorecard]) -> list[tuple[str, str, str]]:
    """The tiles of what the model used; also for calls that it could not judge."""
    sent, received = sum(card.input_tokens for card in cards), sum(card.output_tokens for card in cards)
    cost, unpriced = numbers.cost(cards)
    tokens = f"{(sent + received) / 1000:,.0f}k" if sent + received >= 10_000 else f"{sent + received:,}"
    price = "unknown" if cost is None and sent + received else f"${cost or 0:.2f}"
    left_out = f"without {calls(unpriced)} of unknown price" if unpriced and cost is not None else ""
    return [("Tokens", tokens, f"{sent:,} in, {received:,} out"), ("Cost", price, left_out)]


def _shares(tally: numbers.Tally) -> list[Element]:
    if not tally.total:
        return []
    items = [
        element("li", marker(word), f"{WORDS[word]} ", element("b", f"{tally.percent(word):.0f} %"), f" ({count:,})")
        for word in WORDS
        for count in [tally.counts[word]]
    ]
    return [
        element("h3", f"All {tally.total:,} verdicts"),
        stacked(tally, "tall"),
        element("ul", *items, class_="legend"),
    ]


# Bars -----------------------------------------------------------------------------------------------------------------


def _agents(judged: Sequence[Scorecard], criteria: Sequence[numbers.Criterion]) -> Element:
    groups = numbers.by_agent(judged)
    means = {name: numbers.mean_score(found) for name, found in groups.items()}
    names = sorted(groups, key=lambda name: (means[name][0] is None, means[name][0] or 0.0, name))
    rows: list[Element] = []
    for name in names:
        (mean, scored), found = means[name], groups[name]
        of = "" if scored == len(found) else f" of {len(found)}"
        bars = measure(mean, score_text(mean), pale=scored < numbers.FEW_CALLS)
        cells = element("td", f"{scored}{of}", class_="number"), number(sum(bool(card.fatal) for card in found))
        rows.append(element("tr", element("th", name, scope="row"), *cells, element("td", bars)))
    note = f"A pale bar is the mean of fewer than {numbers.FEW_CALLS} scored calls: it says little about a person."
    head = ["Agent", "Scored", "Fatal no", "Mean score"]
    caption = "Mean score (0 to 100) of each agent, the lowest first"
    means_table = table(caption, head, rows, class_="means", numeric="Scored,Fatal no")
    return section("agents", "By agent", lead(note), means_table, *_matrices(groups, names, criteria))


def _matrices(
    groups: dict[str, list[Scorecard]], names: Sequence[str], criteria: Sequence[numbers.Criterion]
) -> list[Element]:
    """Agents by criteria, in tables that are narrow enough to print."""
    caption = "Yes of all yes and no, by agent and criterion (– where there is neither)"
    rest, found = iter(criteria), list[Element]()
    while part := list(islice(rest, CRITERIA_PER_TABLE)):
        rows = [
            element("tr", element("th", name, scope="row"), *(_yes_cell(groups[name], one.id) for one in part))
            for name in names
        ]
        head = ["Agent", *(_breakable(one.id) for one in part)]
        matrix = table(caption, head, rows, class_="matrix")
        found.append(element("div", matrix, class_="scroll", tabindex=0, role="region", aria_label=caption))
    return found


def _yes_cell(cards: Sequence[Scorecard], criterion: str) -> Element:
    tally = numbers.tally(numbers.verdicts_of(cards, criterion))
    if not tally.decided:
        return element("td", "–", class_="muted")
    yes = tally.counts["yes"]
    return element("td", bar([(100 * yes / tally.decided, "yes")], "small"), f"{yes} of {tally.decided}")


def _criteria(judged: Sequence[Scorecard], criteria: Sequence[numbers.Criterion]) -> Element:
    rows: list[Element] = []
    for one in criteria:
        tally = numbers.tally(numbers.verdicts_of(judged, one.id))
        counts = " · ".join(f"{tally.counts[word]:,} {WORDS[word].lower()}" for word in WORDS)
        question = element("span", one.question, lang=language_of(one.question))
        key = element("span", one.id, class_="key")
        name = element("th", question, *tags(one.weight, one.fatal), key, scope="row")
        rows.append(element("tr", name, element("td", stacked(tally), element("p", counts, class_="counts"))))
    caption = f"Verdicts on each criterion, from {calls(len(judged))}"
    return section("criteria", "By criterion", table(caption, ["Criterion", "Verdicts"], rows, class_="halves stack"))


# Calls ----------------------------------------------------------------------------------------------------------------


def _hear_first(first: Sequence[Scorecard]) -> Element:
    heading = "Calls to hear first"
    if not first:
        return section("hear", heading, lead("Every verdict is a yes."))
    rule = (
        "Calls with a no on a fatal criterion come first, then other calls with a no, each from the lowest score on. "
        "Then come calls with the most criteria that are not mentioned or cannot be told. Equal scores are ordered by "
        "that number too."
    )
    rows = [
        element(
            "tr",
            element(
                "td",
                element("a", title_of(card), href=f"#call-{card.call_id}"),
                element("span", " · ".join(filter(None, (card.date, card.order))), class_="key"),
            ),
            element("td", score_text(card.score), class_="number", data_label="Score"),
            element("td", *_why(card)),
        )
        for card in first
    ]
    caption = f"The first {calls(len(first))}; a reviewer hears about {numbers.HEARD_FIRST} a day"
    head = ["Call", "Score", "Why"]
    return section("hear", heading, lead(rule), table(caption, head, rows, class_="halves stack", numeric="Score"))


def _why(card: Scorecard) -> list[Child]:
    fatal = [one for one in card.verdicts if one.criterion in card.fatal]
    noes = [one.criterion for one in card.verdicts if one.verdict == "no" and one not in fatal]
    counts = [
        f"{count} {WORDS[word].lower()}" for word in ("not_mentioned", "cannot_tell") if (count := card.count(word))
    ]
    if repeated := numbers.repeated_quote(card):
        counts.append(f"one quote for {repeated} verdicts")
    facts = [f"No: {', '.join(noes)}", *counts] if noes else counts
    return [
        *(element("p", element("span", "Fatal no: ", class_="fatal-note"), one.question) for one in fatal),
        element("p", " · ".join(facts), class_="muted"),
    ]


def _calls(judged: Sequence[Scorecard], first: Sequence[Scorecard]) -> Element:
    opened = {card.call_id for card in first}
    note = "In the order of hearing. The calls to hear first are open. Printing includes the calls that are open."
    cards = [judged_call(card, is_open=card.call_id in opened) for card in judged]
    return section("cards", "All judged calls", lead(note), *cards)


def _definitions(rubric: Rubric | None) -> Element | None:
    if rubric is None:
        return None
    rows = [
        element(
            "tr",
            element("th", one.question, *tags(one.weight, one.fatal), scope="row"),
            element("td", one.counts_as_yes, data_label=WORDS["yes"]),
            element("td", one.counts_as_no, data_label=WORDS["no"]),
            lang=rubric.language,
        )
        for one in rubric.criteria
    ]
    note = (
        "Not mentioned: the summary does not speak of it. Cannot tell: no quote of the summary proves a yes or a no. "
        "The score is the weight of yes in percent of the weights of yes and no; the other two are in neither."
    )
    definitions = table("What counts as a yes and as a no", ["Criterion", "Yes", "No"], rows, class_="thirds stack")
    return section("rubric", "The rubric", lead(note), definitions)


def _breakable(name: str) -> Element:
    """A criterion's id that may break before each underscore."""
    parts: list[Child] = []
    for word in name.split("_"):
        parts += [element("wbr"), f"_{word}"] if parts else [word]
    return element("span", *parts)
