"""The page of a review in a real Chromium: it loads nothing, fits a phone, prints, and its bars have true widths."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from liner_mcp.demo import Dataset
from liner_mcp.review import report_numbers as numbers
from liner_mcp.review.report import render_report
from liner_mcp.review.rubric import read_rubric
from liner_mcp.review.scorecard import Scorecard
from tests.review.cards import card, quote, verdict
from tests.review.demo_cards import demo_cards
from tests.support.chromium import CHROMIUM, MISSING, Browser, Page, run_chromium

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)

RUBRIC = read_rubric("transfers")
HOSTILE = "<script>document.title='run'</script><img src=http://127.0.0.1:9/x onerror=\"document.title='run'\">"
LONG = "без-пробелов" * 30
PHONE = 360  # pixels: the narrowest common phone

# Of each bar: the class of its parts and their widths in percent of the bar.
BARS = """[...document.querySelectorAll('%s svg.bar')].map(bar => {
  const whole = bar.getBoundingClientRect().width;
  return [...bar.querySelectorAll('rect:not(.track)')].map(
    part => [part.getAttribute('class'), 100 * part.getBoundingClientRect().width / whole]);
})"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Generator[Browser]:
    with run_chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def cards(dataset: Dataset) -> list[Scorecard]:
    return demo_cards(dataset, RUBRIC)


def opened(browser: Browser, folder: Path, cards: list[Scorecard], rubric: Any = RUBRIC, **window: Any) -> Page:
    file = folder / "report.html"
    text = render_report(cards, title="Review", generated_at="2026-11-20 03:15 UTC", rubric=rubric, notes=[HOSTILE])
    file.write_text(text, encoding="utf-8")
    return browser.open(file.as_uri(), **window)


def hostile_cards() -> list[Scorecard]:
    judged = {"a": verdict("a", "no", quotes=[quote(HOSTILE, sentence=HOSTILE)], question=HOSTILE, fatal=True)}
    return [card(1, judged, agent=HOSTILE, order=LONG), card(2, judged, agent=LONG), card(3, agent=LONG, reason=LONG)]


@pytest.mark.parametrize("dark", [False, True])
def test_no_request_leaves_the_page_and_the_console_is_silent(
    browser: Browser, tmp_path: Path, cards: list[Scorecard], dark: bool
) -> None:
    page = opened(browser, tmp_path, [*cards, *hostile_cards()], dark=dark)
    assert page.requests() == [(tmp_path / "report.html").as_uri()]
    assert page.complaints() == []
    assert page.evaluate("document.styleSheets[0].cssRules.length") > 50
    dark_paper = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 28)"
    assert dark_paper is dark


def test_a_hostile_summary_stays_text(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, hostile_cards())
    assert page.evaluate("document.title") == "Review"
    assert page.evaluate("document.querySelectorAll('script, img').length") == 0
    assert page.evaluate("document.querySelector('mark').textContent") == HOSTILE


def test_the_policy_stops_what_would_run_if_text_became_markup(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, hostile_cards())
    page.evaluate(f"document.body.insertAdjacentHTML('beforeend', {HOSTILE!r})")
    assert page.blocked() == ["csp"]
    assert page.evaluate("document.title") == "Review"
    assert any("Content Security Policy" in one for one in page.complaints())


def test_the_bars_are_as_wide_as_their_numbers_say(browser: Browser, tmp_path: Path, cards: list[Scorecard]) -> None:
    page = opened(browser, tmp_path, cards)
    judged = numbers.judged(cards)
    tallies = [numbers.tally(numbers.verdicts_of(judged, one.id)) for one in RUBRIC.criteria]
    expected = [[[word, one.percent(word)] for word in numbers.VERDICTS] for one in tallies]
    shown = page.evaluate(BARS % "#criteria")
    assert [[word for word, _ in bar] for bar in shown] == [[word for word, _ in bar] for bar in expected]
    assert [width for bar in shown for _, width in bar] == pytest.approx([w for b in expected for _, w in b], abs=0.2)
    written = page.evaluate("[...document.querySelectorAll('#agents .measure b')].map(one => Number(one.textContent))")
    means = [width for ((_, width),) in page.evaluate(BARS % "#agents .measure")]
    assert len(means) == len(numbers.by_agent(judged))
    assert means == pytest.approx(written, abs=0.7)  # the number is rounded


@pytest.mark.parametrize("with_model", [True, False])
def test_a_phone_shows_the_page_without_scrolling_sideways(
    browser: Browser, tmp_path: Path, dataset: Dataset, with_model: bool
) -> None:
    rubric = RUBRIC if with_model else None
    page = opened(browser, tmp_path, [*demo_cards(dataset, rubric), *hostile_cards()], rubric, width=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    beyond = f"[...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right > {PHONE} + 1"
    beyond += " && !one.closest('.scroll')).map(one => one.outerHTML.slice(0, 80))"
    assert page.evaluate(beyond) == []
    smallest = "Math.min(...[...document.querySelectorAll('p, td, th, li, dd, small')].map(one => parseFloat("
    assert page.evaluate(f"{smallest}getComputedStyle(one).fontSize)))") >= 12


def test_it_prints_to_pages(browser: Browser, tmp_path: Path, cards: list[Scorecard]) -> None:
    page = opened(browser, tmp_path, cards, dark=True)
    pdf = page.pdf()
    assert pdf.startswith(b"%PDF")
    assert 5 < len(re.findall(rb"/Type\s*/Page\b", pdf)) < 60
    page.send("Emulation.setEmulatedMedia", media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"


def test_the_keyboard_opens_a_call_and_follows_a_link(browser: Browser, tmp_path: Path, cards: list[Scorecard]) -> None:
    page = opened(browser, tmp_path, cards)
    page.evaluate("document.querySelector('details:not([open]) summary').focus()")
    page.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open") is True
    page.evaluate("document.activeElement.blur()")
    page.press("Tab")
    page.evaluate("document.querySelector('nav a').focus()")
    page.press("Enter")
    assert page.evaluate("location.hash") == "#totals"


def test_every_control_is_reached_by_tab_in_the_order_of_the_page(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, [card(number, {"a": "no"}) for number in (1, 2)])
    reached: list[str] = []
    for _ in range(14):
        page.press("Tab")
        reached.append(
            page.evaluate(
                "document.activeElement.getAttribute('href') || document.activeElement.className"
                " || document.activeElement.tagName"
            )
        )
    wanted = ["#totals", "#agents", "#criteria", "#hear", "#cards", "#rubric", "scroll", "#call-1", "#call-2"]
    assert reached[: len(wanted) + 2] == [*wanted, "SUMMARY", "SUMMARY"]
