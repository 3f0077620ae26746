"""The parts of a run, each with its own results. A part whose requirement is missing is skipped with a sentence."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import (
    archive,
    calls,
    cold_start,
    event_loop,
    many_calls,
    masking,
    memory,
    prices,
    race,
    replica_soak,
    sizes,
    soak,
    words,
)
from benchmarks.contestants import CONTESTANTS, Contestant
from benchmarks.figures import Figure
from benchmarks.questions import QUESTIONS
from benchmarks.reading import WINDOW
from benchmarks.results import Document, provenance
from liner_mcp.demo import Dataset
from tests.conftest import NOW

TIMED = 3  # runs of all questions for the times; each takes one to two minutes


@dataclass(frozen=True, slots=True)
class Options:
    """`quick`: fewer runs, to see that everything works. `folder` holds archives that are used again."""

    quick: bool = False
    records: int = archive.RECORDS
    engines: Sequence[str] = archive.ENGINES
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """`exact` parts have the same results on every machine; tests measure them again."""

    name: str
    what: str
    measure: Callable[[Options], Awaitable[Document]]
    exact: bool = False


async def questions(_: Options) -> Document:
    return {
        "made": provenance(*(contestant.needs for contestant in CONTESTANTS if contestant.needs)),
        "questions": {question.name: question.text for question in QUESTIONS},
        "window": WINDOW,
        "latency_seconds": race.LATENCY,
        "contestants": [await contestant_results(contestant) for contestant in CONTESTANTS],
    }


async def contestant_results(contestant: Contestant, dataset: Dataset | None = None) -> Document:
    """One contestant's definitions and outcomes; `outcomes` is None if it is not installed."""
    result: Document = {"name": contestant.name, "what": contestant.what, "definitions": None, "outcomes": None}
    if contestant.takes_part:
        dataset = Dataset.generate(now=NOW) if dataset is None else dataset
        result["definitions"] = asdict(await race.definitions(contestant, dataset))
        result["outcomes"] = {name: _timeless(one) for name, one in (await race.run(contestant, dataset)).items()}
    return result


def _timeless(outcome: race.Outcome) -> dict[str, Any]:
    fields = asdict(outcome)
    del fields["seconds"]
    return fields


async def times(options: Options) -> Document:
    """Per contestant and question: median, lowest and highest seconds in tool calls."""
    dataset = Dataset.generate(now=NOW)
    present = [contestant for contestant in CONTESTANTS if contestant.takes_part]
    runs: dict[str, list[dict[str, race.Outcome]]] = {contestant.name: [] for contestant in present}
    count = 1 if options.quick else TIMED
    for _ in range(count):
        for contestant in present:
            runs[contestant.name].append(await race.run(contestant, dataset, timing=True))
    return {
        "made": provenance(*(contestant.needs for contestant in present if contestant.needs)),
        "runs": count,
        "seconds": {
            name: {question.name: _spread([run[question.name].seconds for run in of]) for question in QUESTIONS}
            for name, of in runs.items()
        },
    }


def _spread(seconds: Sequence[float]) -> list[float]:
    return [round(one, 3) for one in (statistics.median(seconds), min(seconds), max(seconds))]


async def figures(_: Options) -> Document:
    return {"made": provenance("pymorphy3"), "figures": [asdict(figure) for figure in await exact_figures()]}


async def exact_figures() -> list[Figure]:
    return [*await sizes.figures(), *await many_calls.exact_figures(), *words.exact_figures()]


async def price_list(_: Options) -> Document:
    return {"made": provenance(), "rows": prices.ROWS, "list": [asdict(price) for price in await prices.prices()]}


async def micro(_: Options) -> Document:
    # Memory of this process is measured first, while it holds no large dataset.
    found = [
        *await many_calls.figures(),
        *words.figures(),
        *cold_start.figures(),
        *memory.figures(),
        *await calls.figures(),
        *await event_loop.figures(),
    ]
    return {"made": provenance("fastmcp"), "figures": [asdict(figure) for figure in found]}


async def http(options: Options) -> Document:
    quick = ["--quick"] if options.quick else []
    return {"made": provenance("uvicorn", "uvloop"), **_from_process("benchmarks.over_http", *quick)}


def _from_process(module: str, *arguments: str) -> Document:
    """The results of a program that measures itself and therefore needs a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "results.json"
        command = [sys.executable, "-m", module, "--json", str(file), *arguments]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        if not file.exists():
            raise RuntimeError(f"{module} ended with {done.returncode} and without results.")
        return json.loads(file.read_text(encoding="utf-8"))


async def archives(options: Options) -> Document:
    with tempfile.TemporaryDirectory() as temporary:
        os.chmod(temporary, 0o711)  # noqa: PTH101 - PostgreSQL does not run as root, and its user must reach its folder
        more = ["--records", str(options.records), "--folder", str(options.folder or temporary)]
        engines = {engine: _from_process("benchmarks.archive", "--engine", engine, *more) for engine in options.engines}
    return {"made": provenance("apsw", "psycopg"), "engines": engines}


async def masks(_: Options) -> Document:
    return {"made": provenance("phonenumbers"), **masking.results()}


async def fault_matrix(_: Options) -> Document:
    return {"made": provenance(), **_from_process("benchmarks.faults")}


async def faulty_soak(options: Options) -> Document:
    calls = 200 if options.quick else soak.CALLS
    return {"made": provenance(), **_from_process("benchmarks.soak", "--calls", str(calls))}


async def archived_soak(options: Options) -> Document:
    calls = 400 if options.quick else replica_soak.CALLS
    return {
        "made": provenance("uvicorn", "apsw"),
        **_from_process("benchmarks.replica_soak", "--calls", str(calls)),
    }


PARTS = {
    part.name: part
    for part in (
        # Parts with timed figures come first, while this process is small.
        Part("micro", "start, overhead, memory and fan-out, beside a bare SDK server", micro),
        Part("http", "throughput and memory over HTTP, beside a bare SDK server", http),
        Part("archive", "search and counts over a large archive, on each engine", archives),
        Part("replicas", "two replicas with an archive, one of which is killed", archived_soak),
        Part("soak", "questions to a Liner with faults", faulty_soak),
        Part("times", "the seconds of the thirty questions", times),
        Part("questions", "the thirty questions to every contestant", questions, exact=True),
        Part("figures", "tokens, requests and the quality of word search", figures, exact=True),
        Part("prices", "the tokens of each tool's answers", price_list, exact=True),
        Part("masking", "the corpus of phones, cards and e-mail addresses", masks, exact=True),
        Part("faults", "every tool and resource under every fault", fault_matrix, exact=True),
    )
}
