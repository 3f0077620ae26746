"""The view in Chromium behind the official host side of MCP Apps, in both protocol eras, over a fake Liner.

`npm install --no-package-lock --prefix tests/view` brings the host and its driver; the browser is Debian's chromium.
Without them these tests are skipped.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pytest

from liner_mcp.demo import Dataset
from tests.conftest import NOW
from tests.fakes import FakeLiner
from tests.support.asgi_server import serve_app
from tests.view import browser
from tests.view.browser import View

pytestmark = pytest.mark.skipif(browser.missing(), reason=f"no browser or no host: {browser.INSTALL}")

DAY: dict[str, Any] = {"since": "2026-11-20", "until": "2026-11-20"}
TOOLS_ONLY: dict[str, Any] = {"serverTools": {}, "message": {}}
WITH_RESOURCES: dict[str, Any] = {**TOOLS_ONLY, "serverResources": {}}
FIRST = "tbody .row .open button"
# Fits the page's own words, so only the marks of markup differ.
HOSTILE = (
    '<img src="https://evil.example/x.png" onerror="window.broken=1"></td><script>window.broken=1</script>\u202eabc'
)


@dataclass(frozen=True, slots=True)
class Added:
    """What the dataset has beside the generated calls."""

    hostile: int
    long: int
    largest: int
    too_large: int


@pytest.fixture(scope="module")
def data() -> tuple[Dataset, Added]:
    dataset = Dataset.generate(now=NOW, days=2, calls=260)

    def call_with(summary: str, seconds: int) -> int:
        call = dataset.add_call(created_at=NOW.replace(month=10))
        dataset.add_record(call.id, summary=summary, duration_seconds=seconds)
        return call.id

    added = Added(
        hostile=call_with(HOSTILE, 3),
        long=call_with("Клиент просит перезвонить. " * 900, 3),
        largest=call_with("Долгий разговор.", 7_990),
        too_large=call_with("Слишком долгий разговор.", 8_001),
    )
    return dataset, added


@pytest.fixture(scope="module")
def dataset(data: tuple[Dataset, Added]) -> Dataset:
    return data[0]


@pytest.fixture(scope="module")
def added(data: tuple[Dataset, Added]) -> Added:
    return data[1]


@pytest.fixture(scope="module", params=["auto", "legacy"])
def view(request: pytest.FixtureRequest, dataset: Dataset) -> Generator[View]:
    command = json.dumps([sys.executable, "-m", "liner_mcp", "serve"])
    with serve_app(FakeLiner(dataset)) as origin:
        settings = {
            "LINER_API_HOST": origin,
            "LINER_API_TOKEN": "demo",
            "LINER_TIMEZONE": "Europe/Moscow",
            "LINER_REQUESTS_PER_SECOND": "0",
        }
        with browser.opened(command, request.param, **settings) as opened:
            yield opened


@pytest.fixture(autouse=True)
def nothing_left_the_frame(view: View) -> Generator[None]:
    """After every test: the view requested nothing from the network, and nothing in it failed."""
    yield
    assert view.noticed() == {"requests": [], "errors": []}


def structure_of(opened: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(opened["answer"]["structuredContent"])


def result_of(structure: dict[str, Any]) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": json.dumps(structure)}], "structuredContent": structure}


def rows_of(structure: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {**structure.get("every_row", {}), **dict(zip(structure["columns"], row, strict=True))}
        for row in structure["rows"]
    ]


def calls_to(view: View, tool: str) -> list[dict[str, Any]]:
    """The arguments of each call of a tool that came from the view."""
    calls: list[Any] = view.host("seen.calls")
    return [params["arguments"] for kind, params in calls if kind == "callTool" and params["name"] == tool]


# The host -------------------------------------------------------------------------------------------------------------


def test_the_host_gets_the_page_by_the_link_of_the_tool_in_this_era(view: View, request: Any) -> None:
    listed = view.listed()
    assert (listed["protocol"] == "2026-07-28") is ("auto" in request.node.callspec.id)
    assert "read_audio" in [tool["name"] for tool in listed["tools"]]
    opened = view.open("find_calls", {**DAY, "limit": 3})
    assert opened["mimeType"] == "text/html;profile=mcp-app"
    assert opened["ui"]["csp"] == {"connectDomains": [], "resourceDomains": []}
    assert opened["flat"] == "ui://liner-mcp/calls.html"


def test_a_change_of_theme_changes_the_colours_and_the_hosts_own_colours_count(view: View) -> None:
    view.open("find_calls", {**DAY, "limit": 3}, context={"theme": "light"})
    background = "getComputedStyle(document.body).backgroundColor"
    light = view.evaluate(background)
    view.host("bridge.setHostContext({ theme: 'dark' })")
    view.until(f"{background} !== {json.dumps(light)}")
    view.host(
        "bridge.setHostContext({ theme: 'dark', styles: { variables: { '--color-background-primary': '#123456' } } })"
    )
    view.until(f"{background} === 'rgb(18, 52, 86)'")


def test_the_height_is_reported_and_grows_with_what_unfolds(view: View) -> None:
    height = "Math.ceil(document.body.getBoundingClientRect().height)"
    view.open("find_calls", {**DAY, "limit": 5})
    before = view.evaluate(height)
    view.host_until(f"seen.sizes.at(-1)?.height === {before}")
    view.click(FIRST)
    view.until("document.querySelector('.more:not([hidden])')?.innerText.includes('Reading') === false")
    after = view.evaluate(height)
    assert after > before
    view.host_until(f"seen.sizes.at(-1).height === {after}")


def test_a_teardown_is_answered(view: View) -> None:
    view.open("list_call_records", {"call_id": 7_000_010})
    assert view.host("bridge.teardownResource({}).then(() => 'answered')") == "answered"


def test_a_host_may_pass_the_structure_alone_or_the_text_alone(view: View) -> None:
    structure = structure_of(view.open("find_calls", {**DAY, "limit": 4}))
    results: list[dict[str, Any]] = [
        {"content": [], "structuredContent": structure},
        {"content": [{"type": "text", "text": json.dumps(structure)}]},
    ]
    for result in results:
        view.open("find_calls", DAY, result=result)
        assert len(view.column("Call")) == 4


# The table ------------------------------------------------------------------------------------------------------------


def test_every_row_is_drawn_with_names_beside_their_ids(view: View) -> None:
    answer = structure_of(view.open("find_calls", {**DAY, "limit": 20}))
    rows = rows_of(answer)
    assert view.column("Call") == [str(row["call_id"]) for row in rows]
    assert view.column("Time") == [row["time"] for row in rows]
    orders = answer["names"]["orders"]
    assert view.column("Order") == [f"{orders[str(row['order_id'])]} #{row['order_id']}" for row in rows]
    assert view.column("Recorded") == ["yes" if row["recorded"] else "no" for row in rows]
    assert "More is left" in view.text(".warn")
    assert f"Liner lists {answer['page']['liner_total']} calls" in view.text("header")


def test_a_column_is_sorted_both_ways_by_keyboard_and_the_focus_stays(view: View) -> None:
    rows = rows_of(structure_of(view.open("find_calls", {**DAY, "limit": 20})))
    talk = [row["talk_seconds"] for row in rows]
    view.evaluate("document.querySelector('[data-column=talk_seconds] button').focus()")
    for reverse, direction in ((True, "descending"), (False, "ascending")):
        view.press("Enter")
        wanted = [f"{seconds // 60}:{seconds % 60:02}" for seconds in sorted(talk, reverse=reverse)]
        assert view.column("Talk") == wanted
        assert view.evaluate("document.activeElement.closest('th').getAttribute('aria-sort')") == direction
        assert view.text("#live") == f"Sorted by Talk, {direction}"
    assert view.text("#below").endswith("Sorted within these rows only.")
    view.click("[data-column=agent_id] button")
    agents = view.column("Agent")
    named = [agent for agent in agents if agent != "no agent"]
    assert agents[: len(named)] == named  # what has no value stands last
    assert view.evaluate("document.querySelectorAll('[aria-sort]').length") == 1


def test_assistive_technology_gets_a_table_with_headers_and_named_buttons(view: View) -> None:
    rows = rows_of(structure_of(view.open("find_calls", {**DAY, "limit": 6})))
    view.click("[data-column=talk_seconds] button")
    tree = view.accessible()
    assert 'heading "Calls" [level=1]' in tree
    assert 'region "Calls"' in tree
    assert 'columnheader "Talk"' in tree
    assert 'button "Talk"' in tree
    for row in rows:
        assert f'rowheader "{row["call_id"]}"' in tree
        assert f'button "Details of call {row["call_id"]}"' in tree
    assert view.evaluate("document.getElementById('live').getAttribute('role')") == "status"


def test_a_very_long_table_begins_with_25_rows_and_shows_all_on_demand(view: View) -> None:
    structure = structure_of(view.open("find_calls", {**DAY, "limit": 50}))
    structure["rows"] *= 10
    view.open("find_calls", DAY, result=result_of(structure))
    total = len(structure["rows"])
    assert len(view.column("Call")) == 25
    view.click(f"text=Show all {total} rows")
    view.until(f"document.querySelectorAll('tbody > .row').length === {total}")
    assert len(view.column("Call")) == total
    assert view.evaluate("[...document.querySelectorAll('.open button')].indexOf(document.activeElement)") == 25


def test_the_next_page_is_added_below_where_the_host_passes_calls_on(view: View) -> None:
    first = rows_of(structure_of(view.open("find_calls", {**DAY, "limit": 10})))
    view.click("text=Next page")
    view.until("document.querySelectorAll('tbody > .row').length === 20")
    (sent,) = calls_to(view, "find_calls")
    assert sent == {"cursor": sent["cursor"], "limit": 10}
    assert view.column("Call")[:10] == [str(row["call_id"]) for row in first]
    assert len(set(view.column("Call"))) == 20
    view.open("find_calls", {**DAY, "limit": 10}, capabilities={"message": {}})
    assert "Next page" not in view.text("#below")
    assert "More is left" in view.text(".warn")


def test_the_summaries_that_did_not_fit_are_read_by_their_calls(view: View, dataset: Dataset) -> None:
    recorded = [call.id for call in dataset.calls.values() if dataset.records_of(call.id)][:60]
    answer = structure_of(view.open("get_call_summaries", {"call_ids": recorded, "summary_chars": 700}))
    left = answer["page"]["next_call_ids"]
    assert f"{len(left)} calls not shown yet." in view.text(".warn")
    view.click("text=Next page")
    view.until(f"document.querySelectorAll('tbody > .row').length > {len(answer['rows'])}")
    assert calls_to(view, "get_call_summaries") == [{"call_ids": left, "summary_chars": 700}]


def test_an_empty_answer_an_error_and_a_cancelled_question_are_said(view: View) -> None:
    answer = structure_of(view.open("find_calls", {**DAY, "hours": "3-4"}))
    assert "Nothing was found." in view.text()
    assert answer["notes"][0] in view.text()
    opened = view.open("find_calls", {"since": "someday"})
    assert view.text("[role=alert]") == opened["answer"]["content"][0]["text"]
    view.host("bridge.sendToolCancelled({ reason: 'user' })")
    view.until("document.querySelector('[role=alert]').innerText === 'The question was cancelled.'")


@pytest.mark.parametrize(
    ("structure", "said"),
    [
        (None, "null"),
        ({"rows": [None]}, "The view cannot show this answer."),
        ({"rows": [[1]]}, "The view cannot show this answer."),
        ({"rows": "7", "columns": ["call_id"]}, "The view cannot show this answer."),
        ({"rows": [[1]], "columns": ["call_id"]}, "The view cannot show this answer."),
    ],
)
def test_an_answer_of_another_shape_is_a_sentence(view: View, structure: Any, said: str) -> None:
    view.open("find_calls", DAY, result={"content": [{"type": "text", "text": json.dumps(structure)}]})
    assert view.text("[role=alert]") == said


def test_what_is_missing_is_said_with_the_notes_and_the_demo_is_marked(view: View) -> None:
    answer = structure_of(view.open("find_calls", {**DAY, "limit": 3}))
    answer |= {"demo": "invented data", "notes": ["The first reason.", "The second."], "retry": [7_000_001, 7_000_002]}
    answer["page"] = {"returned": 3, "complete": False, "undecided": 4}
    view.open("find_calls", DAY, result=result_of(answer))
    text = view.text()
    assert "DEMO: invented data" in text
    for said in (*answer["notes"], "4 calls could be neither shown nor excluded.", "7000001, 7000002"):
        assert said in text
    answer["page"] = {"returned": 3, "complete": False}
    del answer["retry"]
    view.open("find_calls", DAY, result=result_of(answer))
    assert view.text(".warn:not(.tag)") == "This is not complete."


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("find_calls", {**DAY, "limit": 30, "include": ["summary", "phone", "hung_up_by"]}),
        ("find_calls", {**DAY, "mentions": "ипотека | mortgage"}),
        ("call_stats", {**DAY, "group_by": ["agent", "order"], "include": ["share"]}),
        ("list_call_records", {"call_id": 7_000_010}),
    ],
)
def test_nothing_is_wider_than_a_frame_of_360_pixels(view: View, tool: str, arguments: dict[str, Any]) -> None:
    view.open(tool, arguments, width=360)
    view.click(FIRST)
    view.until("!document.querySelector('.more:not([hidden])').innerText.includes('Reading')")
    assert view.evaluate("document.documentElement.scrollWidth") == 360
    assert (
        view.evaluate("document.querySelector('.scroll').scrollWidth - document.querySelector('.scroll').clientWidth")
        < 40
    )


# Statistics -----------------------------------------------------------------------------------------------------------


def test_bars_show_the_sorted_figure_and_totals_stand_below(view: View) -> None:
    answer = structure_of(view.open("call_stats", {**DAY, "limit": 5, "include": ["share"]}))
    rows, totals = rows_of(answer), answer["totals"]
    width = "[...document.querySelectorAll('td.bar')].map((cell) => Number(cell.style.getPropertyValue('--w')))"
    most = max(row["calls"] for row in rows)
    assert view.evaluate(width) == pytest.approx([row["calls"] / most for row in rows])
    view.click("[data-column=talk_median_seconds] button")
    medians = sorted((row["talk_median_seconds"] or 0 for row in rows), reverse=True)
    assert view.evaluate(width) == pytest.approx([median / medians[0] for median in medians])
    foot = view.text("tfoot").split()
    assert str(totals["calls"]) in foot
    assert str(totals["other_groups"]["calls"]) in foot
    assert f"{totals['other_groups']['groups']} groups not shown" in view.text("tfoot")
    assert view.column("Share")[0].endswith(" %")


# Summaries ------------------------------------------------------------------------------------------------------------


def test_a_row_unfolds_to_its_summaries_with_the_mention_marked(view: View) -> None:
    answer = structure_of(view.open("find_calls", {**DAY, "mentions": "ипотека | mortgage", "limit": 5}))
    row = rows_of(answer)[0]
    view.evaluate(f"document.querySelector({json.dumps(FIRST)}).focus()")
    view.press("Enter")
    view.until("document.querySelector('mark')")
    assert view.text("mark") == row["passage"].strip("…")
    assert view.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
    assert f"Recording {row['record_id']}" in view.evaluate(
        "document.querySelector('mark').closest('article').innerText"
    )
    assert calls_to(view, "list_call_records") == [{"call_id": row["call_id"], "summary_chars": 4000}]
    view.press("Space")
    assert view.evaluate("document.activeElement.getAttribute('aria-expanded')") == "false"
    assert view.evaluate("document.querySelector('.more').hidden") is True


def test_a_cut_summary_unfolds_whole(view: View, added: Added, dataset: Dataset) -> None:
    view.open("get_call_summaries", {"call_ids": [added.long]})
    view.click(FIRST)
    whole = dataset.records_of(added.long)[0].summary
    assert whole is not None
    view.until(f"document.querySelector('.summary').textContent.trim().length === {len(whole.strip())}")
    assert view.evaluate("document.querySelector('.summary').textContent").strip() == whole.strip()


def test_a_recording_without_a_mention_is_not_said_to_have_no_summary(view: View) -> None:
    answer = structure_of(view.open("find_calls", {**DAY, "include": ["summary"], "limit": 20}))
    answer["columns"].append("passage")
    answer["rows"] = [[*row, None] for row in answer["rows"]]
    summaries = [row["summary"] for row in rows_of(answer)]
    view.open("find_calls", DAY, result=result_of(answer))
    assert [bool(summary) for summary in summaries] == [len(shown) > 30 for shown in view.column("Mention")]


def test_a_hostile_text_stays_text_wherever_it_stands(view: View, added: Added) -> None:
    view.open("get_call_summaries", {"call_ids": [added.hostile]})
    view.click(FIRST)
    answer = structure_of(view.open("find_calls", {**DAY, "include": ["summary"], "limit": 10}))
    hostile = json.loads(json.dumps(answer))
    hostile["names"] = {kind: dict.fromkeys(names, HOSTILE) for kind, names in answer["names"].items()}
    hostile["notes"] = [HOSTILE]
    hostile["asked"] = {HOSTILE: HOSTILE}
    hostile["timezone"] = HOSTILE
    hostile["columns"] = [*answer["columns"], "passage"]
    summary = answer["columns"].index("summary")
    hostile["rows"] = [[*row[:summary], HOSTILE, *row[summary + 1 :], HOSTILE] for row in answer["rows"]]
    view.open("find_calls", DAY, result=result_of(hostile))
    view.evaluate("document.querySelectorAll('.open button').forEach((button) => button.click())")
    view.until("document.querySelectorAll('.more:not([hidden]) .actions').length >= 10")
    assert view.text().count("<img") >= 20
    assert (
        view.evaluate("[...document.querySelectorAll('img, a, iframe, object, embed, form, main script')].length") == 0
    )
    assert view.evaluate("window.broken ?? null") is None
    view.open("find_calls", DAY, result={"isError": True, "content": [{"type": "text", "text": HOSTILE}]})
    assert view.evaluate("document.querySelector('[role=alert]').textContent") == HOSTILE


def test_a_row_is_sent_to_the_chat_by_its_id_alone(view: View) -> None:
    rows = rows_of(structure_of(view.open("find_calls", {**DAY, "limit": 3})))
    view.click(FIRST)
    view.click("text=Ask in the chat")
    view.until("document.querySelector('#live').innerText === 'Sent to the chat'")
    (sent,) = view.host("seen.messages")
    assert sent["content"] == [{"type": "text", "text": f"Tell me more about call {rows[0]['call_id']}."}]
    view.open("call_stats", {**DAY, "limit": 3}, refuses=True)
    view.click(FIRST)
    view.click("text=Ask in the chat")
    view.until("document.querySelector('[role=alert]')")
    assert view.text("[role=alert]") == "The host refused the message."
    (sent,) = view.host("seen.messages")
    assert sent["content"][0]["text"].startswith("Tell me more about the calls of agent_id ")


# Recordings -----------------------------------------------------------------------------------------------------------

PLAYING = "(document.querySelector('audio')?.currentTime ?? 0) > 0.2"


def played(view: View) -> float:
    """The length in seconds of the recording that is playing."""
    view.click(FIRST)
    view.click(".play")
    view.until(PLAYING)
    assert view.evaluate("document.activeElement === document.querySelector('audio')") is True
    return view.evaluate("document.querySelector('audio').duration")


def test_a_recording_is_heard_by_reading_its_resource(view: View, added: Added, dataset: Dataset) -> None:
    view.open("get_call_summaries", {"call_ids": [added.hostile]})
    assert played(view) == pytest.approx(3, abs=0.2)
    record_id = dataset.records_of(added.hostile)[0].id
    assert view.host("seen.calls") == [["readResource", {"uri": f"liner://call-records/{record_id}/audio"}]]


def test_a_recording_is_heard_in_pieces_where_the_host_passes_no_resources(view: View, added: Added) -> None:
    view.open("get_call_summaries", {"call_ids": [added.hostile]}, capabilities=TOOLS_ONLY)
    assert played(view) == pytest.approx(3, abs=0.2)
    assert len(calls_to(view, "read_audio")) == 1


@pytest.mark.parametrize("capabilities", [TOOLS_ONLY, WITH_RESOURCES], ids=["pieces", "both"])
def test_a_recording_of_eight_megabytes_is_heard(view: View, added: Added, capabilities: dict[str, Any]) -> None:
    """It is larger than what a resource may have, so the pieces are read then too."""
    view.open("get_call_summaries", {"call_ids": [added.largest]}, capabilities=capabilities)
    assert played(view) == pytest.approx(7_990, rel=0.01)
    assert [sent["start"] for sent in calls_to(view, "read_audio")] == list(range(0, 7_990_000, 300_000))
    view.evaluate("document.querySelector('audio').currentTime = 7000")
    view.until("document.querySelector('audio').currentTime > 7000.2")
    assert view.host("bridge.teardownResource({}).then(() => 'answered')") == "answered"
    assert view.evaluate("document.querySelector('audio').paused") is True


def test_a_recording_that_cannot_be_played_says_why_and_can_be_tried_again(view: View, added: Added) -> None:
    view.open("get_call_summaries", {"call_ids": [added.too_large]}, capabilities=TOOLS_ONLY)
    view.click(FIRST)
    for _ in range(2):
        view.click(".play")
        view.until("document.querySelector('[role=alert]')")
        assert "8,000,000" in view.text("[role=alert]")
        assert view.evaluate("document.querySelector('.play').disabled") is False


def test_a_host_that_passes_nothing_on_gets_no_button_that_cannot_work(view: View, added: Added) -> None:
    view.open("get_call_summaries", {"call_ids": [added.hostile]}, capabilities={})
    view.click(FIRST)
    assert view.evaluate("document.querySelector('.play')") is None
