"""The parts of a report: sections, tiles, tables, and bars with their numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from liner_mcp.review.html_elements import Child, element
from liner_mcp.review.report_numbers import Tally
from liner_mcp.review.scorecard import State, VerdictWord

WORDS: dict[VerdictWord, str] = {
    "yes": "Yes",
    "no": "No",
    "not_mentioned": "Not mentioned",
    "cannot_tell": "Cannot tell",
}
STATES: dict[State, str] = {
    "judged": "Judged",
    "no_summary": "No summary",
    "no_recording": "No recording",
    "not_judged": "Not judged",
}


def section(anchor: str, title: str, *children: Child) -> Element:
    """A section with its heading first. `#anchor` leads to it."""
    heading = element("h2", title, id=f"{anchor}-title")
    return element("section", heading, *children, id=anchor, aria_labelledby=f"{anchor}-title")


def lead(text: str) -> Element:
    """What must be known to read a section."""
    return element("p", text, class_="lead")


def tiles(*values: tuple[str, str, str]) -> Element:
    """Names, values, and what the values refer to."""
    made: list[Element] = []
    for name, value, of in values:
        small = element("small", of) if of else None
        made.append(element("div", element("dt", name), element("dd", value, small, class_=_word(value))))
    return element("dl", *made, class_="tiles")


def _word(value: str) -> str | None:
    return "word" if value[:1].isalpha() else None


def table(
    caption: str, head: Sequence[Child], rows: Sequence[Element], *, class_: str | None = None, numeric: str = ""
) -> Element:
    """A table. In a narrow window the class `stack` shows each row as a block. `numeric` are the titles of columns
    whose numbers are aligned, separated by commas.
    """
    right = numeric.split(",")
    titles = [
        element("th", title, scope="col", class_="number" if isinstance(title, str) and title in right else None)
        for title in head
    ]
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *titles)),
        element("tbody", *rows),
        class_=class_,
    )


def number(value: int, title: str | None = None) -> Element:
    """A cell of a number. `title` stands before it where a narrow window shows no head."""
    return element("td", f"{value:,}", class_="number", data_label=title)


def measure(percent: float | None, text: str, *, pale: bool = False) -> Element:
    """A bar with its number; the words alone where there is no number."""
    if percent is None:
        return element("span", text, class_="muted")
    return element("div", bar([(percent, "pale" if pale else "plain")]), element("b", text), class_="measure")


def stacked(tally: Tally, size: str = "") -> Element:
    """A bar of the shares of the verdicts."""
    return bar([(tally.percent(word), word) for word in WORDS], size)


def bar(parts: Sequence[tuple[float, str]], size: str = "") -> Element:
    """Parts of a bar, in percent, one after another. The numbers stand beside it, so screen readers skip the bar."""
    rects = [element("rect", width=100, height=10, class_="track")]
    start = 0.0
    for percent, kind in parts:
        rects.append(element("rect", x=f"{start:.2f}", width=f"{percent:.2f}", height=10, class_=kind))
        start += percent
    classes = f"bar {size}".rstrip()
    return element("svg", *rects, class_=classes, viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")


def marker(verdict: VerdictWord) -> Element:
    """The colour of a verdict. Its word always stands beside it."""
    square = element("rect", width=10, height=10, class_=verdict)
    return element("svg", square, viewBox="0 0 10 10", aria_hidden="true")


def tags(weight: int, fatal: bool) -> list[Child]:
    """How much a criterion counts, where that is not the usual weight of 1."""
    found: list[Child] = []
    if weight != 1:
        found += [" ", element("span", f"weight {weight}", class_="tag")]
    if fatal:
        found += [" ", element("span", "fatal", class_="tag fatal")]
    return found


def score_text(score: float | None) -> str:
    """A score or a mean without a decimal place, which so few criteria do not justify."""
    return "no score" if score is None else f"{score:.0f}"


def duration(seconds: int | None) -> str:
    if seconds is None:
        return "unknown"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"


def share(part: int, whole: int) -> str:
    """A share of all calls, for a tile; nothing where there are none."""
    return f"{100 * part / whole:.0f} % of all" if whole else ""
