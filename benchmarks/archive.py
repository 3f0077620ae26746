"""An archive of a million summaries: `python -m benchmarks.archive [--records N] [--folder PATH]`.

The calls are synthetic: a year of six orders and sixty agents, a summary of about 62 Russian words for each. `--folder`
keeps the archive for another run, whose figures are those of questions alone. Where the folder has one in SQLite,
PostgreSQL's newest days are written as a sync does, and the rest is copied.
"""

from __future__ import annotations

import argparse
import json
import resource
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from random import Random
from threading import Event

import anyio
import anyio.to_thread
from pydantic import SecretStr

from benchmarks.archive_copy import copy_older
from benchmarks.figures import Figure, timed
from benchmarks.results import Document, provenance
from benchmarks.sizes import texts_of
from liner_mcp.archive.connection import Connection, Location
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
from tests.archive.sessions import opened
from tests.conftest import NOW
from tests.fakes.fake_liner import FakeLiner
from tests.support.context import context_for

SOURCE = "http://127.0.0.1"
RECORDS = 1_000_000
DAYS = 365
DAY = 86_400
ORDERS = tuple(range(201, 207))
AGENTS = tuple(range(101, 161))
WORDS = 62  # of a summary, as in a real one
WRITTEN = 20_000  # summaries by which writing is measured where the rest is copied
RUNS = 5
BUDGET = 24_000
UNTIL = int(NOW.timestamp()) // DAY * DAY
SINCE = UNTIL - DAYS * DAY
YEAR, MONTH = Span(SINCE, UNTIL), Span(UNTIL - 30 * DAY, UNTIL)
# In the summaries of 69 % and of 28 % of the calls.
VERY_COMMON, COMMON = "квартира", "ипотека"
PHRASE, FOUR = '"первый взнос"', "ипотека | рассрочка | взнос | скидка"


def main() -> None:
    """Build the archive if it is not there, and print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.archive", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0])
    parser.add_argument("--records", type=int, default=RECORDS, help=f"summaries to build, instead of {RECORDS:,}")
    parser.add_argument("--folder", type=Path, help="keep the built archive there, and use one that is there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        Path(temporary).chmod(0o711)  # PostgreSQL does not run as root, and its user must reach its folder
        document = measured(options.engine, options.records, options.folder or Path(temporary))
    figures = [Figure(**figure) for figure in document.get("figures", ())]
    print(document.get("skipped", f"{options.engine}, {document.get('records', 0):,} summaries"))
    for figure in figures:
        print(f"{figure.what:70} {figure.shown}")
    if options.json:
        options.json.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    sys.exit(not all(figure.holds for figure in figures))


def measured(engine: str, records: int, folder: Path) -> Document:
    """The figures of one engine; those of an archive that was built before are in the folder too."""
    place = folder / engine.lower()
    place.mkdir(parents=True, exist_ok=True)
    built = place / "built.json"
    try:
        with SERVERS[engine](place) as location:
            if not built.exists():
                copied = folder / "sqlite" / "calls" / "calls.db" if engine == "PostgreSQL" else None
                figures = build(location, records, copied if copied and copied.exists() else None)
                made = {"records": records, "figures": [asdict(figure) for figure in figures]}
                built.write_text(json.dumps(made), encoding="utf-8")
            document = json.loads(built.read_text(encoding="utf-8"))
            asked = anyio.run(ask, location, document["records"])
            versions = _versions(location)
    except Missing as missing:
        return {"made": provenance(), "skipped": str(missing)}
    # The questions come first, because they are what a user waits for.
    figures = [asdict(figure) for figure in asked] + document["figures"]
    return {"made": versions, "records": document["records"], "figures": figures}


class Missing(Exception):
    """The engine is not on this machine. The sentence names what is missing."""


@contextmanager
def _sqlite(folder: Path) -> Generator[Location]:
    if find_spec("apsw") is None:
        raise Missing("not measured, because the extra `archive` is not installed.")
    yield folder / "calls" / "calls.db"


@contextmanager
def _postgres(folder: Path) -> Generator[Location]:
    """A server with its data in this folder and with PostgreSQL's own settings."""
    if find_spec("psycopg") is None:
        raise Missing("not measured, because the extra `postgres` is not installed.")
    from tests.support.postgres import Server, binaries  # it needs psycopg

    if binaries() is None:
        raise Missing("not measured, because PostgreSQL is not installed (in Debian and Ubuntu: postgresql).")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = Server(folder.resolve(), free.getsockname()[1])
    new = not server.data.exists()
    if new:
        server.create()
    server.start("")
    try:
        if new:
            server.run("CREATE DATABASE archive")
        yield server.url("archive")
    finally:
        server.stop("fast")


SERVERS: dict[str, Callable[[Path], AbstractContextManager[Location]]] = {"SQLite": _sqlite, "PostgreSQL": _postgres}
ENGINES = tuple(SERVERS)


def _versions(location: Location) -> Document:
    if isinstance(location, Path):
        return provenance("apsw")
    with closing(open_connection(location, source=SOURCE)) as connection:
        (row,) = connection.rows("SHOW server_version")
    return provenance("psycopg", PostgreSQL=row["server_version"].split()[0])


def build(location: Location, records: int, copied: Path | None) -> list[Figure]:
    """Write the archive, a day of an order at a time; with `copied`, its older days come from that one."""
    seconds = text_bytes = 0.0
    written = 0
    with closing(create(location, source=SOURCE, phones=False)) as connection:
        writer = Writer(connection, phones=False)
        for order_id, span, found, listed in _days(records):
            if copied and isinstance(location, SecretStr) and written >= WRITTEN and order_id == ORDERS[0]:
                text_bytes += copy_older(copied, location, span.until, name=SOURCE)
                break
            begun = time.perf_counter()
            writer.replace_span(order_id, span, found, listed, synced_at=NOW, settled=True)
            seconds += time.perf_counter() - begun
            written += len(found)
            text_bytes += sum(len((one.record_summary or "").encode()) for many in listed.values() for one in many)
        connection.tidy(removed=True)
        size = connection.size()
    return [
        Figure("summaries written per second, masked and stemmed", written / seconds),
        Figure("size of the summaries", text_bytes / 1e6, unit="MB"),
        Figure("size of the archive", size / 1e6, unit="MB"),
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


async def ask(location: Location, records: int) -> list[Figure]:
    """Ask the archive, each question several times; the median counts."""
    with closing(open_connection(location, source=SOURCE)) as connection, connection.reading():
        newest = {
            "newest 20 that mention a common word": (VERY_COMMON, 20),
            "newest 20 that mention a phrase": (PHRASE, None),
            "newest 20 that mention one of four words": (FOUR, None),
        }
        figures = [
            _timed(what, lambda words=words: _newest(connection, words), bar) for what, (words, bar) in newest.items()
        ]
        for words, bar in ((COMMON, 200), (VERY_COMMON, None)):
            month = CountRequest(
                span=MONTH, order_ids=ORDERS, group_by=["agent"], mentions=compile_query(words), columns=["matches"]
            )
            what = f"calls of a month that mention {words}, by agent"
            figures.append(_timed(what, lambda month=month: count(connection, month), bar))
    figures.append(timed("`call_stats` by agent over everything", await _call_stats(location), 2, "s"))
    figures.append(Figure("newest 50 of the year with `find_calls`: requests", await _requests_for_newest(location), 0))
    figures += await _twenty_askers(location, records)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
    return [*figures, Figure("peak memory of the process that asks", peak, unit="MB")]


async def _requests_for_newest(location: Location) -> int:
    """Requests to Liner of a whole server, after the directory."""
    liner = FakeLiner(Dataset.generate(now=NOW, days=1, calls=1))
    window = {"since": _iso(SINCE), "until": _iso(UNTIL)}
    async with opened(liner, archive=location) as (session, _):
        await session.call("list_directory", kind="orders")
        await session.call("list_directory", kind="agents")
        answer = await session.answer("find_calls", **window, limit=50)
    assert len(answer["rows"]) == 50
    return liner.count("/v2/call/")


def _iso(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}"


async def _twenty_askers(location: Location, records: int) -> list[Figure]:
    """The time of one search while twenty ask at once and a sync writes days."""
    database = Database(location, SOURCE)
    seconds: list[float] = []
    done = Event()

    def write_days() -> None:
        # The newest day of each order again and again, as the next sync reads it.
        with closing(open_connection(location, source=SOURCE, writable=True)) as connection:
            writer = Writer(connection, phones=False)
            days = list(islice(_days(records), len(ORDERS)))
            while not done.is_set():
                for order_id, span, found, listed in days:
                    writer.replace_span(order_id, span, found, listed, synced_at=NOW, settled=False)

    async def ask_again() -> None:
        for words in (COMMON, PHRASE, FOUR, VERY_COMMON) * 5:
            begun = time.perf_counter()
            await database.read(lambda connection, words=words: _newest(connection, words))
            seconds.append(time.perf_counter() - begun)

    async with anyio.create_task_group() as group:
        group.start_soon(partial(anyio.to_thread.run_sync, write_days))
        async with anyio.create_task_group() as askers:
            for _ in range(20):
                askers.start_soon(ask_again)
        done.set()
    database.close()
    p50, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    return [
        Figure("newest 20, twenty at once during a sync, median", 1_000 * p50, unit="ms"),
        Figure("newest 20, twenty at once during a sync, 95 %", 1_000 * p95, unit="ms"),
    ]


def _newest(connection: Connection, words: str) -> None:
    which = CallFilter(NOW - timedelta(days=DAYS), NOW, order_ids=ORDERS, mentions=words)
    selection = Selection(which, {key: [YEAR] for key in ORDERS}, Access(), wanted=wanted_words(which, numbers=False))
    assert len(calls(connection, selection, 20)) == 20


def _timed(what: str, work: Callable[[], object], bar: float | None) -> Figure:
    work()
    milliseconds: list[float] = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        work()
        milliseconds.append(1_000 * (time.perf_counter() - begun))
    return timed(what, milliseconds, bar, "ms")


async def _call_stats(location: Location) -> list[float]:
    """Seconds of the tool, from the arguments to the answer."""
    seconds: list[float] = []
    async with context_for(FakeLiner(Dataset.generate(now=NOW, days=1, calls=1))) as live:
        context = replace(live, archive=ArchivedCounts(Database(location, SOURCE), Access()))
        query = CallQuery(since=_iso(SINCE), until=_iso(UNTIL), orders=ORDERS)
        for _ in range(RUNS):
            begun = time.perf_counter()
            answer = await call_stats(context, query, group_by=["agent"], budget=BUDGET)
            seconds.append(time.perf_counter() - begun)
            assert answer.structure["totals"]["calls"]
    return seconds


if __name__ == "__main__":
    main()
