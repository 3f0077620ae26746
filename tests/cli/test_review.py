"""`liner-mcp review` as cron runs it: a subprocess, a fake Liner and a scripted model on loopback ports."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from liner_mcp.demo import Dataset
from liner_mcp.review.scorecard import Scorecard, read_cards
from liner_mcp.text.clean import clean
from liner_mcp.text.mask import mask
from tests.cli.test_cli import run as run_command
from tests.fakes import FakeLiner
from tests.fakes.faults import Fault, Refused
from tests.review.schemas import DOCS
from tests.review.support import FakeEndpoint, Json, night, obedient
from tests.support.asgi_server import serve_app

SCHEMA: Any = json.loads((DOCS / "scorecard.schema.json").read_text(encoding="utf-8"))
NUMBER = re.compile(r"Номер обращения (\d+)")


@dataclass(frozen=True)
class Job:
    """The command against one Liner and one endpoint, with its folder."""

    out: Path
    model: tuple[str, ...]
    settings: dict[str, str]

    def start(self, *arguments: str, stderr: int = subprocess.PIPE, **settings: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "liner_mcp", "review", "--out", str(self.out), *arguments],
            env={**os.environ, "PYTHONUTF8": "1", "COLUMNS": "9999", **self.settings, **settings},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            encoding="utf-8",
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        return finished(self.start(*arguments))

    def judge(self, *arguments: str) -> tuple[int, str, str]:
        return self.run(*self.model, *arguments)

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir()) if self.out.exists() else []

    @property
    def path(self) -> Path:
        """The file of cards."""
        (path,) = self.out.glob("*.jsonl")
        return path

    def cards(self) -> list[Scorecard]:
        return list({card.call_id: card for card in read_cards(self.path)}.values())  # the last card of each call


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    with process:
        out, errors = process.communicate(timeout=120)
    return process.returncode, out, errors


@contextmanager
def job(out: Path, liner: Any, endpoint: Any = None) -> Generator[Job]:
    with serve_app(liner) as origin, serve_app(endpoint or FakeEndpoint()) as model:
        settings = {
            "LINER_API_HOST": origin,
            "LINER_API_TOKEN": "demo",
            "LINER_TIMEZONE": "Europe/Moscow",
            "LINER_REQUESTS_PER_SECOND": "0",
            "OPENAI_API_KEY": "made-up-key",
        }
        yield Job(out, ("--model", "openai:scripted", "--base-url", f"{model}/v1"), settings)


def calls(number: int) -> Dataset:
    return night(datetime.now(UTC), number)


def assert_true(cards: list[Scorecard], dataset: Dataset) -> None:
    """Each card is valid, is about one call, and quotes words that the summaries have at their place."""
    assert Counter(card.call_id for card in cards) == Counter(list(dataset.calls))
    for card in cards:
        jsonschema.validate(json.loads(card.line()), SCHEMA)
        records = {record.id: record for record in dataset.records_of(card.call_id)}
        assert set(card.record_ids) == set(records)
        summarised = any(record.summary for record in records.values())
        assert card.state == ("judged" if summarised else "no_summary")
        for verdict in card.verdicts:
            assert bool(verdict.quotes) == (verdict.verdict in ("yes", "no"))
            for quote in verdict.quotes:
                shown = mask(clean(records[quote.record_id].summary or ""))
                assert shown[quote.start : quote.end] == quote.quote
                assert quote.quote in quote.sentence


def numbers(asked: list[Json]) -> list[str]:
    """Which calls a model read."""
    return [found[1] for one in asked if (found := NUMBER.search(json.dumps(one, ensure_ascii=False)))]


# A night --------------------------------------------------------------------------------------------------------------


def test_a_night_of_300_calls_is_killed_resumed_and_judged_once(tmp_path: Path) -> None:
    dataset, endpoint = calls(300), FakeEndpoint(stall_after=120)
    with job(tmp_path / "reviews", FakeLiner(dataset), endpoint) as review:
        with review.start(*review.model) as process:
            assert endpoint.stalled.wait(120)
            deadline = time.monotonic() + 60
            while len(read_cards(review.path)) < 148 and time.monotonic() < deadline:
                time.sleep(0.05)  # until the last answers are written
            process.kill()
            finished(process)
        kept = read_cards(review.path)
        assert Counter(card.state for card in kept) == {"judged": 120, "no_summary": 28}
        review.path.write_bytes(review.path.read_bytes() + kept[-1].line().encode()[:300])  # torn by the kill
        assert review.files == [".lock", review.path.name]

        endpoint.stall_after = None
        code, out, errors = review.judge("--price", "1,10")
        assert (code, errors) == (0, "")
        assert "120 are judged already" in out
        read = numbers(endpoint.asked)
        assert len(read) == len(set(read))  # no call is paid for twice
        cards = review.cards()
        judged = [card for card in cards if card.state == "judged"]
        assert "300 calls: 272 judged, 0 not judged, 28 without summary" in out
        assert_true(cards, dataset)
        assert sum(card.input_tokens + card.output_tokens for card in judged) == 272 * 800
        assert sum(card.cost_usd or 0 for card in judged) == pytest.approx(152 * 0.0017)
        assert "Used: 152 calls, 121,600 tokens, $0.2584." in out
        assert endpoint.keys == {"Bearer made-up-key"}
        assert all("123-45-67" not in json.dumps(one, ensure_ascii=False) for one in endpoint.asked)

        asked, written = len(endpoint.asked), review.path.read_bytes()
        code, out, _ = review.judge()
        assert (code, len(endpoint.asked)) == (0, asked)
        assert "There is nothing to send. 272 are judged already." in out
        assert review.path.read_bytes() == written
        for name in review.files:
            assert (review.out / name).stat().st_mode & 0o077 == 0


def test_what_a_summary_orders_changes_nothing(tmp_path: Path) -> None:
    with job(tmp_path / "out", FakeLiner(calls(3)), FakeEndpoint(obedient)) as review:
        assert review.judge()[0] == 0
        assert {verdict.verdict for card in review.cards() for verdict in card.verdicts} == {"cannot_tell"}
        assert {card.score for card in review.cards()} == {None}


# Without sending ------------------------------------------------------------------------------------------------------


def test_nothing_is_sent_without_a_model_or_in_a_dry_run(tmp_path: Path) -> None:
    liner, endpoint = FakeLiner(calls(9)), FakeEndpoint()
    with job(tmp_path / "out", liner, endpoint) as review:
        code, out, errors = review.run()
        assert (code, out, errors.count("\n")) == (2, "", 1)
        assert errors.startswith("A review sends the summaries of calls to a model. Name it, such as --model ")
        assert liner.requests == []

        code, out, errors = review.judge("--dry-run", "--price", "1,10", "--transfers")
        assert (code, errors, review.files) == (0, "", [])
        assert out.startswith("Would send the summaries of 3 calls to openai:scripted@127.0.0.1:")
        assert "tokens, $0.0" in out

        code, out, errors = review.run("--no-model")
        assert (code, errors) == (0, "")
        assert "9 calls: 0 without summary, 0 without recording; complete." in out
        assert [name.rpartition("-")[2] for name in review.files if name != ".lock"] == ["calls.csv", "calls.html"]
        assert (endpoint.asked, endpoint.keys) == ([], set())


def test_a_night_without_calls_has_a_report_that_says_so(tmp_path: Path) -> None:
    with job(tmp_path / "out", FakeLiner(calls(0))) as review:
        for arguments in (review.model, ("--no-model",)):
            code, out, errors = review.run(*arguments)
            assert (code, errors) == (0, "")
            assert "0 calls: 0 " in out
            assert "No call of this period passes the filters." in out
        assert sum(name.endswith(".html") for name in review.files) == 2


def test_the_demo_says_so_on_every_card(tmp_path: Path) -> None:
    with serve_app(FakeEndpoint()) as model:
        demo = Job(
            tmp_path / "out", ("--model", "openai:x", "--base-url", f"{model}/v1"), {"LINER_API_HOST": "liner.example"}
        )
        code, out, _ = demo.judge("--demo", "--sample", "2", "--period", "last_week")
    assert code in (0, 3)
    assert out.startswith("DEMO: all data is invented")
    assert {card.demo for card in demo.cards()} == {True}
    assert len(demo.cards()) == 2


def test_built_in_rubrics_can_be_printed_as_a_start_of_an_own_one(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        run_command("review", "--show-rubric", "transfers_ru").stdout.replace("transfers_ru", "own"), "utf-8"
    )
    with job(tmp_path / "out", FakeLiner(calls(2))) as review:
        assert review.judge("--rubric", str(own))[0] == 0
        assert {card.rubric for card in review.cards()} == {"own"}
        assert review.path.name.endswith("-own.jsonl")


# Limits, failures and wrong usage -------------------------------------------------------------------------------------


def test_a_limit_leaves_the_rest_for_the_next_run(tmp_path: Path) -> None:
    dataset, endpoint = calls(12), FakeEndpoint()
    with job(tmp_path / "out", FakeLiner(dataset), endpoint) as review:
        code, out, errors = review.judge("--max-calls", "3")
        assert (code, errors, len(endpoint.asked)) == (3, "", 3)
        assert "The run ended at --max-calls 3." in out
        assert Counter(card.state for card in review.cards()) == {"judged": 3, "not_judged": 9}
        code, out, errors = review.judge("--max-cost", "1")
        assert (code, errors.count("\n"), len(endpoint.asked)) == (2, 1, 3)
        assert errors.startswith("--max-cost: the price of openai:scripted@")
        code, out, _ = review.judge("--max-cost", "1", "--price", "1,10")
        assert (code, len(endpoint.asked)) == (0, 12)
        assert {card.state for card in review.cards()} == {"judged"}


def test_calls_that_could_not_be_read_are_said_and_judged_later(tmp_path: Path) -> None:
    dataset = calls(6)
    lost = max(call_id for call_id in dataset.calls if dataset.records_of(call_id)[0].summary)
    liner = FakeLiner(dataset, faults=[Fault(Refused("Нет."), rf"callId={lost}\b")])
    with job(tmp_path / "out", liner) as review:
        code, out, errors = review.judge()
        assert (code, errors) == (3, "")
        assert "6 calls: 5 judged, 1 not judged" in out
        assert "A later run tries what is missing once more" in out
        assert review.run("--no-model")[0] == 3
        liner.faults = []
        assert review.judge()[0] == 0
        assert review.run("--no-model")[0] == 0
        assert {card.state for card in review.cards()} == {"judged"}


def test_an_endpoint_that_refuses_is_one_sentence_without_a_word_of_the_calls(tmp_path: Path) -> None:
    endpoint = FakeEndpoint(status=401)
    with job(tmp_path / "out", FakeLiner(calls(4)), endpoint) as review:
        code, out, errors = review.judge()
        assert (code, errors.count("\n")) == (1, 1)
        assert errors.startswith("The model's endpoint refuses the API key (HTTP 401).")
        endpoint.status = 400
        code, out, errors = review.judge()
        reason = "The model's endpoint failed or refused the request (HTTP 400)."
        assert (code, errors) == (3, f"Not judged: 4 calls. {reason}\n")
        assert {card.reason for card in review.cards()} == {reason}
        assert "Клиент" not in out


def test_a_second_run_at_once_is_refused_and_ctrl_c_keeps_the_cards(tmp_path: Path) -> None:
    endpoint = FakeEndpoint(stall_after=5)
    with job(tmp_path / "out", FakeLiner(calls(14)), endpoint) as review:
        with review.start(*review.model) as process:
            assert endpoint.stalled.wait(60)
            code, out, errors = review.judge()
            assert (code, out, errors.count("\n")) == (1, "", 1)
            assert errors.startswith("--out: another review is writing to ")
            process.send_signal(signal.SIGINT)
            code, out, errors = finished(process)
        assert code == 130
        assert errors == "Interrupted. The finished scorecards are saved; run again to go on.\n"
        assert len(endpoint.asked) == 5
        endpoint.stall_after = None
        assert review.judge()[0] == 0
        read = numbers(endpoint.asked)
        assert len(read) == len(set(read))


def test_a_folder_that_cannot_be_written_ends_it_before_anything_is_read_or_sent(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    liner, endpoint = FakeLiner(calls(2)), FakeEndpoint()
    with job(tmp_path / "file" / "out", liner, endpoint) as review:
        for arguments in (review.model, ("--no-model",)):
            code, out, errors = review.run(*arguments)
            assert (code, out, errors.count("\n")) == (1, "", 1)
            assert errors.startswith("--out: ")
            assert "cannot be written: " in errors
    assert (liner.requests, endpoint.asked) == ([], [])


def test_when_nothing_can_be_done_one_sentence_says_why(tmp_path: Path) -> None:
    with job(tmp_path / "out", FakeLiner(calls(1))) as review:
        troubles = {
            "Not set up yet: set LINER_API_HOST": Job(review.out, review.model, {"OPENAI_API_KEY": "x"}).start(
                *review.model
            ),
            "orders: ": review.start(*review.model, "--orders", "Nowhere Park"),
            "LINER_TIMEZONE": review.start(*review.model, LINER_TIMEZONE="Mars/Olympus"),
        }
        for beginning, process in troubles.items():
            code, out, errors = finished(process)
            assert (code, out, errors.count("\n")) == (1, "", 1), errors
            assert errors.startswith(beginning)


def test_wrong_usage_ends_with_2_and_names_the_option(tmp_path: Path) -> None:
    rubric = tmp_path / "own.yaml"
    rubric.write_text("name: own\ncriteria:\n- id: a\n  question: Was it?\n  wieght: 2\n", "utf-8")
    model = ("--model", "openai:x", "--base-url", "http://127.0.0.1:9/v1")
    wrong: list[tuple[str, tuple[str, ...]]] = [
        ("--period", ("--no-model", "--period", "2999-01-01")),
        ("--sample", ("--no-model", "--sample", "101")),
        ("--seed", ("--no-model", "--seed", "a")),
        ("--max-calls", (*model, "--max-calls", "0")),
        ("--max-cost", (*model, "--max-cost", "free")),
        ("--no-model", (*model, "--no-model")),
        ("--model", ("--model", "opanai:x")),
        ("--rubric", (*model, "--rubric", "transfer")),
        ('"wieght"; did you mean weight?', (*model, "--rubric", str(rubric))),
    ]
    settings = {"LINER_API_HOST": "http://127.0.0.1:9", "LINER_API_TOKEN": "demo"}
    started = [(said, Job(tmp_path / "out", (), settings).start(*arguments)) for said, arguments in wrong]
    for said, process in started:
        code, out, errors = finished(process)
        assert (code, out) == (2, ""), errors
        assert said in errors.splitlines()[-1]
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_terminal_sees_the_progress(tmp_path: Path) -> None:
    with job(tmp_path / "out", FakeLiner(calls(3))) as review:
        terminal, its_end = os.openpty()
        process = review.start(*review.model, stderr=its_end, TERM="xterm")
        os.close(its_end)
        shown = b""
        with suppress(OSError):  # how Linux says that the other end is closed
            while read := os.read(terminal, 10_000):
                shown += read
        os.close(terminal)
        assert finished(process)[0] == 0
    assert b"calls judged: 3 of 3" in shown
    assert "Клиент".encode() not in shown


@pytest.mark.parametrize("package", ["pydantic_ai", "filelock", "jinja2"])
def test_without_the_extra_one_sentence_says_how_to_get_it(package: str, tmp_path: Path) -> None:
    arguments = [
        "review",
        "--demo",
        "--out",
        str(tmp_path),
        "--model",
        "openai:x",
        "--base-url",
        "http://127.0.0.1:9/v1",
    ]
    program = f"import sys; sys.modules[{package!r}] = None; from liner_mcp.cli.main import main; main({arguments})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "uv tool install 'liner-mcp[review]'" in done.stderr
