"""The nightly review, run as cron runs it: a subprocess, and a fake Liner on a loopback port."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest
from markdown_it import MarkdownIt

from liner_mcp.demo import Call, Dataset, DemoLiner
from liner_mcp.text.mask import mask as shown_to_readers
from tests.fakes import FakeLiner
from tests.support.asgi_server import serve_app

PROGRAM = Path(__file__).parent.parent / "examples" / "nightly_review.py"
MOSCOW = ZoneInfo("Europe/Moscow")
COLUMNS = (
    "kind", "call_id", "date", "time", "talk_seconds", "agent", "order", "status",
    "record_id", "record_seconds", "transfer", "summary_state", "summary",
)  # fmt: skip
NOT_SETTLED = "Клиент обсуждает планировку, рассрочку и срок сдачи дома, просит подборку и второй звонок. "

# A day that is known in every call ---------------------------------------------------------------------------------


def yesterday() -> date:
    return datetime.now(MOSCOW).date() - timedelta(days=1)


def at(hours: float) -> datetime:
    return datetime.combine(yesterday(), time(), MOSCOW).astimezone(UTC) + timedelta(hours=hours)


def empty_dataset() -> Dataset:
    return Dataset.generate(now=datetime.now(UTC), days=1, calls=0)


def call_centre() -> Dataset:
    """Forty recorded calls of yesterday, ten of them transferred, and what a review must not hold."""
    dataset = empty_dataset()
    for number in range(40):
        order = dataset.orders[number % 3]
        agent_id = None if number % 13 == 5 else order.agent_user_ids[number % len(order.agent_user_ids)]
        status = "sales_queue_overflow" if number == 7 else "call_back"
        call = dataset.add_call(order=order, agent=agent_id, status_code=status, created_at=at(10 + number / 20))
        dataset.add_record(call.id, summary=None if number % 5 == 1 else f"{number}. {NOT_SETTLED * 3}")
        if number % 4 == 0:
            dataset.add_record(call.id, is_transfer=True, summary=f"{number}: соединён с отделом продаж.")
    dataset.add_call(created_at=at(11), talk_time_duration_seconds=0, agent=None)
    for hours in (-1 / 3600, 24):  # a second before the day, and the first moment after it
        dataset.add_record(dataset.add_call(created_at=at(hours)).id, is_transfer=True, summary="Не вчера.")
    return dataset


def of_the_day(dataset: Dataset) -> list[Call]:
    """Newest first."""
    found = [call for call in dataset.calls.values() if at(0) <= call.created_at < at(24)]
    return sorted(found, key=lambda call: (call.created_at, call.id), reverse=True)


def transferred(dataset: Dataset) -> list[Call]:
    return [call for call in of_the_day(dataset) if any(record.is_transfer for record in dataset.records_of(call.id))]


def expected(dataset: Dataset, kind: str, call: Call) -> list[dict[str, str]]:
    """The rows of a call, from the dataset alone."""
    names = Counter(user.full_name for user in dataset.users)
    agents = {u.id: u.full_name if names[u.full_name] == 1 else f"{u.full_name} #{u.id}" for u in dataset.users}
    statuses = {status.code: status.title for status in dataset.call_statuses}
    local = call.created_at.astimezone(MOSCOW)
    facts = {
        "kind": kind,
        "call_id": str(call.id),
        "date": f"{local:%Y-%m-%d}",
        "time": f"{local:%H:%M}",
        "talk_seconds": str(call.talk_time_duration_seconds),
        "agent": "no agent" if call.user_id is None else agents.get(call.user_id, str(call.user_id)),
        "order": {order.id: order.title for order in dataset.orders}[call.order_id],
        "status": statuses.get(call.status_code, call.status_code),
    }
    return [
        {
            **facts,
            "record_id": str(record.id),
            "record_seconds": str(record.duration_seconds),
            "transfer": str(int(record.is_transfer)),
            "summary_state": "ready" if record.summary else "none",
            "summary": (record.summary or "").strip(),
        }
        for record in sorted(dataset.records_of(call.id), key=lambda record: (record.created_at, record.id))
    ]


# A Liner with moods, and the program ------------------------------------------------------------------------------


def never(*_: int) -> bool:
    return False


class UnreliableLiner:
    """A fake Liner that counts how often each call's records are asked, and can refuse or stall them."""

    def __init__(self, dataset: Dataset) -> None:
        self.liner = FakeLiner(dataset)
        self.asked: Counter[int] = Counter()
        self.refuses: Callable[[int, int], bool] = never
        """Whether the records of this call, asked so many times, are refused."""
        self.stalls: Callable[[], bool] = never
        self.stalled = threading.Event()

    def recover(self) -> None:
        """Answer everything from now on, and forget what was asked."""
        self.refuses = self.stalls = never
        self.asked.clear()
        self.liner.requests.clear()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        asked = parse_qs(scope.get("query_string", b"").decode()).get("callId", [])
        for call_id in map(int, asked):
            self.asked[call_id] += 1
            if self.refuses(call_id, self.asked[call_id]):
                body = json.dumps({"success": False, "message": "No.", "data": None}).encode()
                headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
                await send({"type": "http.response.start", "status": 422, "headers": headers})
                await send({"type": "http.response.body", "body": body})
                return
            if self.stalls():
                self.stalled.set()
                while (await receive())["type"] != "http.disconnect":
                    pass
                return
        await self.liner(scope, receive, send)


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    with process:
        out, errors = process.communicate(timeout=60)
    return process.returncode, out, errors


@dataclass(frozen=True)
class Job:
    """The program against one Liner, with its folder."""

    out: Path
    settings: dict[str, str]

    def start(self, *arguments: str, stderr: int | None = None, **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(PROGRAM), "--out", str(self.out), *arguments],
            env={**os.environ, "PYTHONUTF8": "1", "LINER_REQUESTS_PER_SECOND": "0", **self.settings, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if stderr is None else stderr,
            text=True,
            encoding="utf-8",
        )

    def run(self, *arguments: str, stderr: int | None = None, **settings: str) -> tuple[int, str, str]:
        return finished(self.start(*arguments, stderr=stderr, **settings))

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.out.iterdir()} if self.out.exists() else set()

    def path(self, ending: str) -> Path:
        return self.out / f"review-{yesterday()}.{ending}"

    def markdown(self) -> str:
        return self.path("md").read_text(encoding="utf-8")

    def rows(self, kind: str) -> list[dict[str, str]]:
        with self.path("csv").open(encoding="utf-8-sig", newline="") as file:
            return [row for row in csv.DictReader(file) if row["kind"] == kind]


@contextmanager
def job(app: Any, out: Path, **settings: str) -> Generator[Job]:
    with serve_app(app) as origin:
        liner = {"LINER_API_HOST": origin, "LINER_API_TOKEN": "demo", "LINER_TIMEZONE": "Europe/Moscow"}
        yield Job(out, {**liner, **settings})


def assert_whole(done: Job, dataset: Dataset, sampled: int) -> None:
    """The outputs hold the day's transfers and a sample of its recorded calls, exactly as the dataset knows them."""
    transfers = [row for call in transferred(dataset) for row in expected(dataset, "transfer", call)]
    assert done.rows("transfer") == transfers
    drawn = list(dict.fromkeys(int(row["call_id"]) for row in done.rows("sample")))
    assert len(drawn) == sampled
    recorded = [call for call in of_the_day(dataset) if call.has_records and call.id in drawn]
    assert done.rows("sample") == [row for call in recorded for row in expected(dataset, "sample", call)]
    assert done.files == {done.path("md").name, done.path("csv").name}


# Invented data ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "settings"), [(("--demo",), {"LINER_API_HOST": "liner.example"}), ((), {"LINER_MCP_DEMO": "true"})]
)
def test_a_review_of_the_demo_says_so_in_every_file_and_line(
    arguments: tuple[str, ...], settings: dict[str, str], tmp_path: Path
) -> None:
    review = Job(tmp_path, {"LINER_TIMEZONE": "Europe/Moscow", **settings})
    code, out, _ = review.run("--sample", "2", *arguments)
    assert code in (0, 3)
    assert out.startswith(f"DEMO, invented data: {review.path('md')} and .csv: ")
    assert review.markdown().startswith(f"# Call review of {yesterday()} (DEMO: invented data)\n")
    sampled = review.rows("sample")
    assert sampled
    assert {row["demo"] for row in sampled} == {"invented data"}


def test_a_review_with_an_account_ignores_the_variable_of_the_demo(tmp_path: Path) -> None:
    with job(DemoLiner(call_centre()), tmp_path, LINER_MCP_DEMO="true") as review:
        code, out, _ = review.run("--sample", "2")
        assert code == 0
        assert out.startswith(f"{review.path('md')} and .csv: 10 transfers")
        assert "demo" not in review.rows("sample")[0]


# A day --------------------------------------------------------------------------------------------------------------


def test_a_day_is_reviewed_whole_once_and_anew_only_when_asked(tmp_path: Path) -> None:
    dataset = call_centre()
    liner = FakeLiner(dataset)
    with job(liner, tmp_path / "new" / "reviews") as review:
        code, out, errors = review.run()
        assert (code, errors) == (0, "")
        assert out == f"{review.path('md')} and .csv: 10 transfers, 30 sampled calls; complete.\n"
        assert_whole(review, dataset, 30)
        assert review.path("csv").read_text(encoding="utf-8-sig").splitlines()[0] == ",".join(COLUMNS)
        # The mark by which Excel knows UTF-8.
        assert review.path("csv").read_bytes().startswith(b"\xef\xbb\xbf")
        assert not review.path("md").read_bytes().startswith(b"\xef\xbb\xbf")
        text = review.markdown()
        assert text.startswith(f"# Call review of {yesterday()}\n\n- Window: {yesterday()}T00:00+03:00 to ")
        assert "- Transfers: 10 calls, found among 40 recorded ones." in text
        assert f"- Sample: 30 of 40 recorded calls, even per agent, not proportional, seed {yesterday()}." in text
        without = {row["call_id"] for row in (*review.rows("transfer"), *review.rows("sample")) if not row["summary"]}
        assert f"does not show which) ({len(without)}): " in text
        first = review.rows("sample")

        asked = len(liner.requests)
        assert review.run() == (0, f"{review.path('md')} is complete already; --again asks for everything anew.\n", "")
        assert len(liner.requests) == asked
        code, out, err = review.run("--sample", "3")
        assert (code, out) == (2, "")
        assert err == f"{review.path('md')} answers another question; use another --out, or --again.\n"

        dataset.add_record(transferred(dataset)[0].id, summary="Перезвонил сам.")
        assert review.run("--again")[0] == 0
        assert_whole(review, dataset, 30)
        assert {row["call_id"] for row in review.rows("sample")} == {row["call_id"] for row in first}


def test_a_day_without_calls_is_complete_and_says_what_was_looked_for(tmp_path: Path) -> None:
    with job(DemoLiner(empty_dataset()), tmp_path) as review:
        (review.path("part.json")).write_text("not what was kept", encoding="utf-8")
        code, out, _ = review.run("--orders", "Sunrise Park")
        assert (code, "0 transfers, 0 sampled calls; complete." in out) == (0, True)
        text = review.markdown()
        assert "- Orders: Sunrise Park." in text
        assert text.count("\nNone.\n") == 2
        assert "## What is missing\n\n- Nothing.\n\n- Note: Liner has no such call in this window" in text
        assert review.path("csv").read_text(encoding="utf-8-sig").splitlines() == [",".join(COLUMNS)]


def test_other_calls_words_become_neither_a_formula_nor_markup(tmp_path: Path) -> None:
    hostile = [
        '=HYPERLINK("https://evil.example","x")',
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "a | b\n\n# heading\n| c | d |\n- item",
        "<img src=x onerror=alert(1)><script>alert(1)</script> <https://evil.example>",
        "![pixel](https://evil.example/p.png) [link](https://evil.example) [ref][1]\n\n[1]: https://evil.example",
        "`code` **bold** _under_ ~~gone~~ \\| $x$ &lt;b&gt; &amp; \\",
        "see https://evil.example or WWW.evil.example or spy@evil.example",
    ]
    dataset = empty_dataset()
    dataset.orders = (replace(dataset.orders[0], title="=1+1 | <b>[x](y)"), *dataset.orders[1:])
    call = dataset.add_call(created_at=at(12), agent=9999)
    for number, text in enumerate(hostile):
        dataset.add_record(call.id, is_transfer=True, summary=text, created_at=at(12 + number / 60))
    with job(DemoLiner(dataset), tmp_path) as review:
        assert review.run("--sample", "1")[0] == 0
        rows, text = review.rows("transfer"), review.markdown()
    told = [shown_to_readers(one) for one in hostile]
    assert [row["summary"] for row in rows] == ["'" + one if one[0] in "=+-@" else one for one in told]
    assert {(row["order"], row["agent"], row["date"]) for row in rows} == {
        ("'=1+1 | <b>[x](y)", "9999", str(yesterday()))
    }

    shown = [
        token for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text) if token.children
    ]
    assert {child.type for token in shown for child in token.children or []} == {"text"}
    cells = ["".join(child.content for child in token.children or []) for token in shown]
    assert all(cells.count(" ".join(one.split())) == 2 for one in told)
    assert "://" not in text
    assert "www." not in text.lower()
    assert "@" not in text


# Going on -------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_an_interrupted_run_goes_on_where_it_stopped_and_asks_nothing_twice(tmp_path: Path) -> None:
    dataset = call_centre()
    for number in range(30):
        call = dataset.add_call(created_at=at(15 + number / 20))
        dataset.add_record(call.id, is_transfer=True, summary=NOT_SETTLED)
    liner = UnreliableLiner(dataset)
    with job(liner, tmp_path, LINER_MAX_ANSWER_BYTES="2000") as review:  # small answers make many pages
        part = review.path("part.json")

        def some_summaries_are_there() -> bool:
            return part.exists() and bool(json.loads(part.read_text(encoding="utf-8"))[1]["summaries"])

        liner.stalls = some_summaries_are_there
        with review.start("--sample", "5") as process:
            assert liner.stalled.wait(30)
            process.send_signal(signal.SIGINT)
            code, out, errors = finished(process)
        assert (code, out, errors) == (130, "", "Interrupted; run again to go on.\n")
        assert review.files == {part.name}
        _, kept = json.loads(part.read_text(encoding="utf-8"))
        settled = {row[0] for answer in kept["summaries"] for row in answer["rows"]}
        assert len(kept["transfer"]) > 1
        assert 0 < len(settled) < 40

        liner.recover()
        assert review.run("--sample", "5")[0] == 0
        assert_whole(review, dataset, 5)
        assert not settled & set(liner.asked)
        assert not [target for target in liner.liner.requests if target.startswith("/v2/call?")]


def test_a_failure_is_asked_once_more_and_if_it_stays_it_is_told_and_only_it_is_asked_for_later(tmp_path: Path) -> None:
    dataset = call_centre()
    liner = UnreliableLiner(dataset)
    passing, lost = (call.id for call in transferred(dataset)[3:5])
    for call_id in (passing, lost):  # a summary is missing, so that their lists are asked again and not kept
        record = dataset.records_of(call_id)[0]
        dataset.records[record.id] = replace(record, summary=None)
    # One fails once in the search, which then asks for all once more, and once for its summary; the other stays away.
    liner.refuses = lambda call_id, times: (call_id == passing and times in (1, 3)) or (call_id == lost and times > 2)
    with job(liner, tmp_path) as review:
        code, out, errors = review.run("--sample", "5")
        assert (code, errors) == (3, "")
        assert out.endswith("10 transfers, 5 sampled calls; incomplete: run again to ask for the rest.\n")
        assert (liner.asked[passing], liner.asked[lost]) == (4, 4)
        assert f"- Calls whose summaries could not be read (1): {lost}.\n" in review.markdown()
        assert "- Note: 2 of " in review.markdown()
        assert [row["summary_state"] for row in review.rows("transfer") if row["call_id"] == str(lost)] == ["failed"]
        assert len(review.rows("transfer")) == 19  # all others have their two records

        liner.recover()
        assert review.run("--sample", "5")[0] == 0
        assert liner.asked == {lost: 1}
        assert_whole(review, dataset, 5)


def test_a_call_that_may_be_a_transfer_is_told_and_searched_for_again(tmp_path: Path) -> None:
    dataset = call_centre()
    liner = UnreliableLiner(dataset)
    lost = transferred(dataset)[3].id
    liner.refuses = lambda call_id, times: call_id == lost  # noqa: ARG005
    with job(liner, tmp_path) as review:
        assert review.run("--sample", "5")[0] == 3
        assert f"- Whether these calls were transferred could not be read: {lost}.\n" in review.markdown()
        assert "- Note: Whether the calls in retry were transferred could not be read just now" in review.markdown()
        assert str(lost) not in {row["call_id"] for row in review.rows("transfer")}

        liner.recover()
        assert review.run("--sample", "6")[0] == 0  # another question: what was kept does not answer it
        assert_whole(review, dataset, 6)


# Trouble --------------------------------------------------------------------------------------------------------------


def test_when_nothing_can_be_done_one_sentence_says_why_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = Job(tmp_path / "file" / "reviews", {})
    with job(DemoLiner(empty_dataset()), tmp_path / "out") as review:
        troubles = {
            "Not set up yet: set LINER_API_HOST": Job(review.out, {}).start(),
            "orders: ": review.start("--orders", "Nowhere Park"),
            "LINER_TIMEZONE cannot be used: ": review.start(LINER_TIMEZONE="Mars/Olympus"),
            "The review could not be made: ": nowhere.start(),
        }
        for beginning, process in troubles.items():
            code, out, errors = finished(process)
            assert (code, out, errors.count("\n")) == (1, "", 1), errors
            assert errors.startswith(beginning)
        assert not review.files


def test_wrong_usage_ends_with_2(tmp_path: Path) -> None:
    wrong = [("--period", "2999-01-01"), ("--sample", "101")]
    for arguments, process in [(one, Job(tmp_path, {}).start(*one)) for one in wrong]:
        code, out, errors = finished(process)
        assert (code, out) == (2, "")
        assert arguments[0] in errors.splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_terminal_sees_a_progress_bar(tmp_path: Path) -> None:
    terminal, its_end = os.openpty()
    process = Job(tmp_path, {}).start("--demo", "--sample", "1", stderr=its_end, TERM="xterm", COLUMNS="100")
    os.close(its_end)
    shown = b""
    with suppress(OSError):  # how Linux says that the other end is closed
        while read := os.read(terminal, 10_000):
            shown += read
    os.close(terminal)
    code, out, _ = finished(process)
    assert (code, out.count("\n")) == (0, 1)
    assert b"transfers" in shown
    assert b"\x1b[" in shown
