"""An archive of a million summaries: `python -m benchmarks.archive [--records N] [--file PATH] [--write]`.

The calls are synthetic: a year of six orders and sixty agents, a summary of about 62 Russian words for each. `--file`
keeps the archive for another run. `--write` saves the figures in `archive.json`, the source of a table in
`docs/benchmarks.md`; figures that a run does not measure stay.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import anyio

from benchmarks.sizes import texts_of
from liner_mcp.archive.connection import Connection
from liner_mcp.archive.counts import ArchivedCounts, CountRequest, count
from liner_mcp.archive.database import Database, create, open_connection
from liner_mcp.archive.plan import wanted_words
from liner_mcp.archive.queries import Selection, calls
from liner_mcp.archive.spans import Span
from liner_mcp.archive.writer import Writer
from liner_mcp.calls.arguments import CallQuery
from liner_mcp.calls.call_stats import call_stats
from liner_mcp.demo import Dataset
from liner_mcp.liner.endpoints import CallFilter
from liner_mcp.liner.models import Call, CallRecord
from liner_mcp.liner.restricted_client import Access
from liner_mcp.search.matching import compile_query
from tests.conftest import NOW
from tests.fakes.fake_liner import FakeLiner
from tests.support.context import context_for

RESULTS_FILE = Path(__file__).parent / "archive.json"
SOURCE = "http://127.0.0.1"
RECORDS = 1_000_000
DAYS = 365
DAY = 86_400
ORDERS = tuple(range(201, 207))
AGENTS = tuple(range(101, 161))
WORDS = 62  # of a summary, as in a real one
RUNS = 5
BUDGET = 24_000
UNTIL = int(NOW.timestamp()) // DAY * DAY
SINCE = UNTIL - DAYS * DAY
YEAR, MONTH = Span(SINCE, UNTIL), Span(UNTIL - 30 * DAY, UNTIL)
# In the summaries of 69 % and of 28 % of the calls.
VERY_COMMON, COMMON = "квартира", "ипотека"
PHRASE, FOUR = '"первый взнос"', "ипотека | рассрочка | взнос | скидка"


@dataclass(frozen=True, slots=True)
class Line:
    """One figure with its unit, and the bar where there is one."""

    what: str
    value: float
    unit: str
    bar: float | None = None


def main() -> None:
    """Build the archive if it is not there, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archive", description=__doc__)
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder) / "archive" / "calls.db"
        lines = [] if path.exists() else build(path, options.records)
        lines += anyio.run(ask, path)
    for line in lines:
        bar = "" if line.bar is None else f"   (bar: {line.bar:g})"
        print(f"{line.what:70} {line.value:>12,.1f} {line.unit}{bar}")
    if options.write:
        write(lines)


def write(lines: Sequence[Line]) -> None:
    """Save the figures; those of earlier runs with other names stay."""
    figures = {line["what"]: line for line in saved()["lines"]} | {line.what: asdict(line) for line in lines}
    machine = f"Python {platform.python_version()}, apsw {version('apsw')}"
    document = {"machine": machine, "lines": list(figures.values())}
    RESULTS_FILE.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def saved() -> dict[str, Any]:
    """The figures of earlier runs."""
    empty: dict[str, Any] = {"machine": "", "lines": []}
    return json.loads(RESULTS_FILE.read_text(encoding="utf-8")) if RESULTS_FILE.exists() else empty


def build(path: Path, records: int) -> list[Line]:
    """Write the archive, a day of an order at a time."""
    seconds = text_bytes = 0.0
    with closing(create(path, source=SOURCE, phones=False)) as connection:
        writer = Writer(connection, phones=False)
        for order_id, span, found, listed in _days(records):
            begun = time.perf_counter()
            writer.replace_span(order_id, span, found, listed, synced_at=NOW, settled=True)
            seconds += time.perf_counter() - begun
            text_bytes += sum(len((one.record_summary or "").encode()) for many in listed.values() for one in many)
        connection.rows("INSERT INTO word (word) VALUES ('optimize')")
        connection.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    return [
        Line(f"written per second, masked and stemmed ({records:,} summaries)", records / seconds, "summaries"),
        Line(f"text of {records:,} summaries", text_bytes / 1e6, "MB"),
        Line(f"file of {records:,} summaries", size / 1e6, "MB"),
    ]


def _days(records: int) -> Iterator[tuple[int, Span, list[Call], dict[int, list[CallRecord]]]]:
    random = Random(1)
    texts = texts_of(Dataset.generate(now=NOW, days=40, calls=4_000), russian=True)
    vocabulary = [word for text in texts for word in text.split()]
    per_list = records // (DAYS * len(ORDERS)) + 1
    call_id = 0
    for day in reversed(range(DAYS)):
        for order_id in ORDERS:
            span = Span(SINCE + day * DAY, SINCE + (day + 1) * DAY)
            found: list[Call] = []
            listed: dict[int, list[CallRecord]] = {}
            for _ in range(min(per_list, records - call_id)):
                call_id += 1
                moment = datetime.fromtimestamp(span.since + random.randrange(DAY), UTC)
                text = random.choice(texts).split()
                text += random.sample(vocabulary, max(WORDS - len(text), 0))
                found.append(_call(random, call_id, order_id, moment))
                listed[call_id] = [_record(random, call_id, moment, " ".join(text))]
            yield order_id, span, found, listed


def _call(random: Random, call_id: int, order_id: int, moment: datetime) -> Call:
    return Call(
        id=call_id,
        user_id=random.choice(AGENTS),
        order_id=order_id,
        lead_id=call_id // 2 + 1,
        status_code=random.choice(["conversation_completed", "call_back", "disqualified", "qualified"]),
        direction="outgoing",
        finish_initiator=random.choice(["client", "operator"]),
        talk_time_duration_seconds=random.randrange(5, 900),
        wait_time_duration_seconds=random.randrange(1, 40),
        client_phone="+79030001200",
        has_records=True,
        created_at=moment,
    )


def _record(random: Random, call_id: int, moment: datetime, summary: str) -> CallRecord:
    return CallRecord(
        id=call_id,
        user_id=None,
        lead_id=call_id // 2 + 1,
        is_transfer=random.random() < 0.1,
        duration_seconds=random.randrange(5, 900),
        file_url="https://files.example.com/1.mp3",
        record_summary=summary,
        created_at=moment + timedelta(seconds=10),
    )


async def ask(path: Path) -> list[Line]:
    """Ask the archive, each question several times; the median counts."""
    with closing(open_connection(path, source=SOURCE)) as connection:
        newest = {
            "newest 20 that mention a common word": (VERY_COMMON, 20.0),
            "newest 20 that mention a phrase": (PHRASE, None),
            "newest 20 that mention one of four words": (FOUR, None),
        }
        lines = [
            Line(what, _timed(lambda words=words: _newest(connection, words)), "ms", bar)
            for what, (words, bar) in newest.items()
        ]
        for words, bar in ((COMMON, 200), (VERY_COMMON, None)):
            month = CountRequest(
                span=MONTH, order_ids=ORDERS, group_by=["agent"], mentions=compile_query(words), columns=["matches"]
            )
            milliseconds = _timed(lambda month=month: count(connection, month))
            lines.append(Line(f"calls of a month that mention {words}, by agent", milliseconds, "ms", bar))
    lines.append(Line("`call_stats` by agent over everything", await _call_stats(path), "s", 2))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
    return [*lines, Line("peak memory of the process that asks", peak, "MB")]


def _newest(connection: Connection, words: str) -> None:
    which = CallFilter(NOW - timedelta(days=DAYS), NOW, order_ids=ORDERS, mentions=words)
    selection = Selection(which, {key: [YEAR] for key in ORDERS}, Access(), wanted=wanted_words(which, numbers=False))
    assert len(calls(connection, selection, 20)) == 20


def _timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    work()
    seconds: list[float] = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return 1_000 * statistics.median(seconds)


async def _call_stats(path: Path) -> float:
    """Seconds of the tool, from the arguments to the answer."""
    seconds: list[float] = []
    async with context_for(FakeLiner(Dataset.generate(now=NOW, days=1, calls=1))) as live:
        context = replace(live, archive=ArchivedCounts(Database(path, SOURCE), Access()))
        query = CallQuery(
            since=f"{datetime.fromtimestamp(SINCE, UTC):%Y-%m-%dT%H:%M:%SZ}",
            until=f"{datetime.fromtimestamp(UNTIL, UTC):%Y-%m-%dT%H:%M:%SZ}",
            orders=ORDERS,
        )
        for _ in range(RUNS):
            begun = time.perf_counter()
            answer = await call_stats(context, query, group_by=["agent"], budget=BUDGET)
            seconds.append(time.perf_counter() - begun)
            assert answer.structure["totals"]["calls"]
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
