"""The parts of compose.yaml, run as processes: what clients are answered while all run, and while one is away."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from redis import Redis

from liner_mcp.demo import Dataset
from tests.fakes import FakeLiner
from tests.http_server.support import LEGACY, MODERN, PATIENCE, call, result
from tests.support.asgi_server import serve_app
from tests.support.compose import ENV_EXAMPLE, replicas
from tests.support.compose_processes import AVAILABLE, MISSING, Parts, started
from tests.support.context import rows_of

pytestmark = pytest.mark.skipif(not AVAILABLE, reason=MISSING)

ZONE = ZoneInfo(ENV_EXAMPLE["LINER_TIMEZONE"])
MIDNIGHT = datetime.now(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
ARCHIVED = {"since": str((MIDNIGHT - timedelta(days=3)).date()), "until": str((MIDNIGHT - timedelta(days=2)).date())}
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("find_calls", {**ARCHIVED, "include": ["lead_id"], "limit": 50}),
    ("find_calls", {"since": str((MIDNIGHT - timedelta(days=1)).date()), "include": ["lead_id"], "limit": 50}),
    ("call_stats", {**ARCHIVED, "group_by": ["order"]}),
]
PER_SECOND = 100  # more than the default, so that the first sync is short
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def liner() -> FakeLiner:
    return FakeLiner(Dataset.generate(days=5, calls=150), latency=0.01)


@pytest.fixture(scope="module")
def forgotten(liner: FakeLiner) -> int:
    """A lead with archived calls, which is forgotten before anything is asked."""
    since, until = (datetime.fromisoformat(ARCHIVED[name]).replace(tzinfo=ZONE) for name in ("since", "until"))
    return next(one.lead_id for one in liner.dataset.calls.values() if since < one.created_at < until)


@pytest.fixture(scope="module")
def parts(liner: FakeLiner, forgotten: int, tmp_path_factory: pytest.TempPathFactory) -> Generator[Parts]:
    with serve_app(liner, lifespan="off") as origin:
        settings = {
            "LINER_API_HOST": origin,
            "LINER_REQUESTS_PER_SECOND": str(PER_SECOND),
            "LINER_ARCHIVE_RETENTION": "5d",
            "LINER_MCP_REQUESTS_PER_MINUTE": "0",
        }
        with started(tmp_path_factory.mktemp("parts"), settings) as running:
            running.wait(lambda: "archive_synced" in running.log("sync"), "the first sync does not end")
            done = running.run("forget", "--lead", str(forgotten), "--yes")
            assert done.returncode == 0, done.stderr
            yield running


def ask(parts: Parts, era: str, question: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """The answer that nginx passes on. Raises: httpx.HTTPError, AssertionError when there is none."""
    request = call(question[0], era, **question[1])
    request["headers"] |= {"authorization": f"Bearer {parts.token}", "host": ENV_EXAMPLE["LINER_MCP_ALLOWED_HOSTS"]}
    answered = result(httpx.post(f"{parts.origin}/mcp", **request, timeout=PATIENCE))
    assert not answered["isError"], answered["content"]
    return answered["structuredContent"]


@contextmanager
def clients(parts: Parts, expected: list[Rows]) -> Generator[tuple[list[int], list[str]]]:
    """Four clients that ask all the time, in both eras, and once more when there was no answer.

    Gives the numbers of the answered questions and what went wrong, both of which grow.
    """
    answered: list[int] = []
    wrong: list[str] = []
    ended = threading.Event()

    def work(era: str, number: int) -> None:
        while not ended.is_set():
            number = (number + 1) % len(QUESTIONS)
            failure = ""
            for _ in range(2):
                try:
                    answer = ask(parts, era, QUESTIONS[number])
                except (httpx.HTTPError, AssertionError) as error:
                    failure = f"no answer: {error!r}"
                    continue
                failure = (
                    "" if answer["page"]["complete"] and rows_of(answer) == expected[number] else f"wrong: {answer}"
                )
                break
            if failure:
                wrong.append(failure)
            answered.append(number)

    threads = [threading.Thread(target=work, args=(era, start)) for era in (MODERN, LEGACY) for start in (0, 1)]
    for thread in threads:
        thread.start()
    try:
        yield answered, wrong
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@pytest.fixture(scope="module")
def expected(parts: Parts) -> list[Rows]:
    """The rows of each question while all parts run."""
    return [rows_of(ask(parts, MODERN, question)) for question in QUESTIONS]


def requests_in_log(parts: Parts, replica: str) -> int:
    return parts.log(replica).count('"event": "request"')


def is_archived(parts: Parts) -> bool:
    return "synced_at" in ask(parts, MODERN, QUESTIONS[0])["page"]


def paces(parts: Parts) -> int:
    """How many rates of requests to Liner the store has."""
    store: Any = Redis.from_url(f"{parts.redis_url}0")  # pyright: ignore[reportUnknownMemberType] - untyped options
    with store:
        return len(list(store.scan_iter("liner-mcp:pace:*")))


@pytest.mark.parametrize("name", ["postgres", "redis", "nginx", *replicas()])
def test_the_health_check_of_each_part_passes(parts: Parts, name: str) -> None:
    assert parts.is_healthy(name)


@pytest.mark.parametrize("era", [MODERN, LEGACY])
def test_what_is_archived_is_answered_without_the_lists_of_liner_and_the_rest_from_liner(
    parts: Parts, liner: FakeLiner, expected: list[Rows], era: str
) -> None:
    before = liner.count("/v2/call/")
    archived = ask(parts, era, QUESTIONS[0])
    assert rows_of(archived) == expected[0]
    assert expected[0]
    assert archived["page"]["synced_at"]
    assert liner.count("/v2/call/") == before
    assert rows_of(ask(parts, era, QUESTIONS[1])) == expected[1]
    assert liner.count("/v2/call/") > before


def test_both_replicas_answer_and_share_one_pace_with_the_sync(parts: Parts, expected: list[Rows]) -> None:
    assert expected
    for _ in range(4):
        ask(parts, MODERN, QUESTIONS[1])
    assert all(requests_in_log(parts, name) for name in replicas())
    assert paces(parts) == 1


def test_a_caller_without_a_token_is_refused(parts: Parts) -> None:
    asked = call("find_calls")
    asked["headers"]["host"] = ENV_EXAMPLE["LINER_MCP_ALLOWED_HOSTS"]
    assert httpx.post(f"{parts.origin}/mcp", **asked).status_code == 401


def test_the_sync_ends_with_0_and_only_one_process_writes(parts: Parts) -> None:
    assert '"failed": 0' in parts.log("sync")
    status = json.loads(parts.run("archive", "status", "--json").stdout)
    assert status["calls"] > 0
    assert parts.run("archive", "verify").returncode == 0


@pytest.mark.parametrize("name", ["replica-1", "redis", "postgres"])
def test_no_answer_is_lost_or_wrong_while_a_part_is_killed_and_comes_back(
    parts: Parts, expected: list[Rows], forgotten: int, name: str
) -> None:
    assert forgotten not in {row.get("lead_id") for rows in expected for row in rows}
    is_used: dict[str, Callable[[], bool]] = {
        "replica-1": lambda: requests_in_log(parts, "replica-1") > requests_before,
        "redis": lambda: paces(parts) == 1,
        "postgres": lambda: is_archived(parts),
    }
    with clients(parts, expected) as (answered, wrong):

        def more() -> None:
            goal = len(answered) + 40
            parts.wait(lambda: len(answered) >= goal, "the clients are not answered")

        more()
        parts.kill(name)
        more()
        ready = httpx.get(f"{parts.replica_origin('replica-2')}/ready", timeout=PATIENCE)
        parts.start(name)
        requests_before = requests_in_log(parts, "replica-1")
        parts.wait(is_used[name], f"{name} is not used again")
        more()
    assert wrong == []
    assert ready.json() == {"ready": True}
