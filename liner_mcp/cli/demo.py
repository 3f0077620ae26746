"""`liner-mcp demo`: questions to the demo Liner, each with its tool call, its answer as a table, and its size.

With the extra `archive`, the last one is about forty days. Everything except the data is real: this MCP server, the MCP
client that calls it, and the requests to Liner.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import httpx
from mcp import Client
from mcp.types import CallToolResult
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from liner_mcp.archive.sqlite import import_apsw
from liner_mcp.cli.program import install_command
from liner_mcp.cli.terminal import print_json
from liner_mcp.demo import DemoLiner
from liner_mcp.errors import SetupError
from liner_mcp.server.app import create_server
from liner_mcp.server.clients import open_clients
from liner_mcp.settings import DEMO_NOTICE, Settings
from liner_mcp.timezone import Zone

MIN_TEXT_WIDTH = 20  # of a column with text, in a narrow terminal
SHOWN_CHARACTERS = 100  # of a text in a table: two lines of 80 columns; the model reads more
FACT_PATHS = ("/v2/call/", "/v2/call-record/")  # not the dictionaries: they are read once for all questions

_PIECE = re.compile(r"[A-Za-z]{1,8}|[^\W\d_]{1,4}|\d{1,3}|[^\w\s]{1,3}|_")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """A question of a person, and the tool call with which an assistant answers it.

    `columns` are those that a person wants to see, the most important first. `text_column` may take several lines.
    """

    text: str
    tool: str
    arguments: Json
    columns: tuple[str, ...]
    text_column: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as the model reads it, and the answers of Liner that hold the same facts.

    `archive_requests`: how many requests filled the archive that the answer comes from.
    """

    question: Question
    text: str
    liner_bodies: list[str]
    archive_requests: int = 0

    @property
    def data(self) -> Json:
        return json.loads(self.text)

    def rows(self) -> list[Json]:
        """The rows as objects, with the values that all rows share."""
        shared = self.data.get("every_row", {})
        return [{**shared, **dict(zip(self.data["columns"], row, strict=True))} for row in self.data["rows"]]


# Older than the demo's hostile and broken summaries, which are among the newest ones.
FIND = Question(
    "Which calls of Sofia Marin on Marina Heights were transferred lately?",
    "find_calls",
    {
        "orders": ["marina heights"],
        "agents": ["sofia marin"],
        "transferred": True,
        "since": "-30d",
        "until": "-5d",
        "limit": 3,
    },
    ("call_id", "talk_seconds", "date", "time", "status"),
)
STATS = Question(
    "How do the agents on Marina Heights compare in the last week?",
    "call_stats",
    {"orders": ["marina heights"], "since": "-7d", "group_by": ["agent"]},
    ("agent_id", "calls", "qualified", "answered", "talk_median_seconds", "agent_hangups"),
)
SEARCH = Question(
    'On how many of their calls of the last forty days was "mortgage" said?',
    "call_stats",
    {
        "orders": ["marina heights"],
        "mentions": "mortgage",
        "since": "-40d",
        "until": "yesterday",
        "group_by": ["agent"],
        "include": ["share"],
    },
    ("agent_id", "calls", "share", "talk_median_seconds"),
)
SEARCHED_DAYS = 41  # the first one is not over at its beginning
DAYS_PER_LIST = 20


def summaries_of(call_ids: Sequence[int]) -> Question:
    return Question(
        "What was said on these calls?",
        "get_call_summaries",
        {"call_ids": list(call_ids), "summary_chars": 600},
        ("call_id", "summary", "record_seconds"),
        "summary",
    )


def demo(options: argparse.Namespace) -> int:
    liner = DemoLiner()
    answers = anyio.run(ask_all, liner)
    console = Console(highlight=False, markup=False, emoji=False)
    if options.json:
        for one in [*answers, *anyio.run(search, liner, answers[0])]:
            asked = one.question
            print_json({"question": asked.text, "tool": asked.tool, "arguments": asked.arguments, "answer": one.data})
        return 0
    console.print(DEMO_NOTICE)
    console.print("An MCP client asks this server about the calls of an invented call centre.\n")
    show(answers, console)
    show(anyio.run(search, liner, answers[0]), console, first=len(answers) + 1)
    show_end(answers[0], console)
    return 0


# Asking ---------------------------------------------------------------------------------------------------------------


class _RecordingTransport(httpx.AsyncBaseTransport):
    """Stores the requests about calls and what the demo Liner answers."""

    def __init__(self, liner: DemoLiner) -> None:
        self._inner = httpx.ASGITransport(app=liner)
        self.exchanges: list[tuple[str, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        body = await response.aread()
        if request.url.path.startswith(FACT_PATHS):
            self.exchanges.append((str(request.url), body.decode("utf-8", "replace")))
        return httpx.Response(response.status_code, headers=response.headers, content=body)


async def ask_all(liner: DemoLiner) -> list[Answer]:
    found = await _ask(liner, FIND)
    calls = [row["call_id"] for row in found.rows()]
    questions = [summaries_of(calls), STATS] if calls else [STATS]
    return [found, *[await _ask(liner, question) for question in questions]]


async def search(liner: DemoLiner, found: Answer) -> list[Answer]:
    """An answer about forty days of the order that was found, of which an archive is made first. None without the
    extra `archive`.
    """
    if not (_archives_are_installed() and found.rows()):
        return []
    with tempfile.TemporaryDirectory(prefix="liner-mcp-demo-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "calls.db"
        requests = await _fill_archive(liner, path, found.rows()[0]["order_id"])
        answer = await _ask(liner, SEARCH, path)
    return [replace(answer, archive_requests=requests)]


def _archives_are_installed() -> bool:
    try:
        import_apsw()
    except SetupError:
        return False
    return True


async def _fill_archive(liner: DemoLiner, path: Path, order_id: int) -> int:
    """Archive the last days of one order that are over, which is faster than a sync. Returns the number of requests."""
    from liner_mcp.archive.database import create  # these need the extra `archive`
    from liner_mcp.archive.day_reader import read_calls, read_records
    from liner_mcp.archive.spans import Span
    from liner_mcp.archive.writer import Writer

    transport = _RecordingTransport(liner)
    settings = Settings.of_demo_option(requests_per_second=0)
    client, _ = open_clients(settings, transport=transport)
    zone = Zone.resolve(settings.timezone)
    now = datetime.now(zone.info)
    ends = [
        int(zone.midnight(now.date() - timedelta(days=days)).timestamp())
        for days in (*range(0, SEARCHED_DAYS, DAYS_PER_LIST), SEARCHED_DAYS)
    ]
    with closing(create(path, source=settings.archive_source, phones=False)) as connection:
        writer = Writer(connection, phones=False)
        async with client:
            for until, since in pairwise(ends):
                calls = await read_calls(client, order_id, Span(since, until))
                records = await read_records(client, calls, ())
                writer.replace_span(order_id, Span(since, until), calls, records, synced_at=now, settled=True)
    return len(transport.exchanges)


async def _ask(liner: DemoLiner, question: Question, archive: Path | None = None) -> Answer:
    """Ask a server of its own, so that nothing is cached and the sizes of all questions can be compared."""
    transport = _RecordingTransport(liner)
    settings = Settings.of_demo_option(requests_per_second=0, archive=archive)
    async with Client(create_server(settings, transport=transport)) as client:
        result = await client.call_tool(question.tool, question.arguments)
    assert isinstance(result, CallToolResult)  # noqa: S101 - our tools ask the client nothing
    answer = Answer(question, json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":")), [])
    calls = [str(row["call_id"]) for row in answer.rows() if "call_id" in row]
    # A statistic holds facts of every call that was read, a list only those of the calls in its rows.
    answer.liner_bodies.extend(
        body for url, body in transport.exchanges if not calls or any(call in f"{url} {body}" for call in calls)
    )
    return answer


# Showing --------------------------------------------------------------------------------------------------------------


def show(answers: list[Answer], console: Console, first: int = 1) -> None:
    for number, answer in enumerate(answers, first):
        console.print(Text(f"{number}. {answer.question.text}", style="bold"))
        console.print(Padding(Text(call_of(answer.question), style="cyan"), (0, 0, 0, 3), expand=False))
        console.print(table_of(answer, console))
        console.print(Padding(Text(saving_of(answer), style="green"), (0, 0, 1, 3), expand=False))


def show_end(answer: Answer, console: Console) -> None:
    columns = answer.text.index('"columns"')
    console.print(Text("What the model reads of answer 1, from its columns on:", style="bold"))
    console.print(Padding(Text(printable(answer.text[columns:-1], console), style="dim"), (0, 0, 1, 3), expand=False))
    console.print("Ask such questions yourself. This adds the demo to Claude Desktop:")
    # One line, however long the path is, so that it can be copied.
    console.print(f"{install_command(sys.argv[0])} install claude-desktop --demo", soft_wrap=True)


def call_of(question: Question) -> str:
    arguments = (f"{name}={json.dumps(value)}" for name, value in question.arguments.items())
    return f"{question.tool}({', '.join(arguments)})"


def saving_of(answer: Answer) -> str:
    raw = "".join(answer.liner_bodies)
    ours, theirs = estimated_tokens(answer.text), estimated_tokens(raw)
    if answer.archive_requests and not raw:
        return f"About {ours:,} tokens and no request: an archive holds what {answer.archive_requests:,} requests read."
    count = len(answer.liner_bodies)
    source = "Liner's answer with these facts" if count == 1 else f"Liner's {count} answers with these facts"
    return f"About {ours:,} tokens; {source}: {theirs:,} ({round(100 * (1 - ours / theirs))} % saved)."


def table_of(answer: Answer, console: Console) -> Table:
    """The answer as a table that fits the terminal: the least important columns are left out of a narrow one."""
    question, names = answer.question, answer.data.get("names", {})
    columns = {
        name: [printable(shown_cell(name, row.get(name), names), console) for row in answer.rows()]
        for name in question.columns
    }
    chosen = list(question.columns)
    while len(chosen) > 2 and _width(columns, chosen, question) > console.width:
        chosen.remove(next(name for name in reversed(chosen) if name != question.text_column))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=True)
    utf = not console.options.ascii_only
    for name in chosen:
        text = name == question.text_column
        numeric = name.endswith(("_seconds", "calls", "answered", "qualified", "hangups"))
        table.add_column(
            title_of(name),
            justify="right" if numeric else "left",
            no_wrap=not text,
            overflow="fold" if text else "ellipsis" if utf else "crop",
            ratio=1 if text else None,
        )
    for row in zip(*(columns[name] for name in chosen), strict=True):
        table.add_row(*map(Text, row))
    return table


def _width(columns: dict[str, list[str]], chosen: list[str], question: Question) -> int:
    """The columns that a table needs, with a margin, a gap and a border for each of its columns."""
    widest = (
        MIN_TEXT_WIDTH if name == question.text_column else max(map(cell_len, [title_of(name), *columns[name]]))
        for name in chosen
    )
    return sum(width + 3 for width in widest) + 1


def title_of(column: str) -> str:
    return column.removesuffix("_id").removesuffix("_seconds").replace("_", " ")


def shown_cell(column: str, value: Any, names: Json) -> str:
    """A cell for a person: a name for an id, and minutes and seconds."""
    if column.endswith("_id") and column != "call_id":
        return names.get(f"{column.removesuffix('_id')}s", {}).get("null" if value is None else str(value), "-")
    if value is None:
        return "-"
    if column.endswith("_seconds"):
        minutes, seconds = divmod(round(value), 60)
        return f"{minutes}:{seconds:02}"
    text = str(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS].rstrip()} ..."


def printable(text: str, console: Console) -> str:
    """The text with a question mark for each character that the terminal lacks, so that a table keeps its columns."""
    encoding = console.encoding
    return text.encode(encoding, "replace").decode(encoding)


def estimated_tokens(text: str) -> int:
    """Tokens by pieces of words, numbers and punctuation: within a tenth on JSON in English and Russian (o200k)."""
    return len(_PIECE.findall(text))
