"""Review yesterday without a model, as a nightly job: every transfer and a fair sample of calls, with their summaries.

LINER_MCP_DEMO=true python examples/nightly_review.py --out reviews/

Writes review-YYYY-MM-DD.md for people and review-YYYY-MM-DD.csv for spreadsheets. The answers so far are stored in
review-YYYY-MM-DD.part.json until the day is complete. Another run continues from there and requests nothing twice.
Finish an incomplete day later with --period YYYY-MM-DD. A line for cron, which mails the output on stderr:

15 3 * * *  cd /path/to/liner-mcp && . ./liner.env && .venv/bin/python examples/nightly_review.py --out ~/reviews

Exit codes: 0 complete (now or before), 1 nothing could be done, 2 wrong usage, 3 written but incomplete (the Markdown
says what is missing; run again to request it), 130 interrupted.
"""

import argparse
import csv
import hashlib
import html
import io
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import anyio
from mcp import Client, MCPError, StdioServerParameters
from mcp.types import TextContent

Answer = dict[str, Any]
Ask = Callable[..., Awaitable[Answer]]
Report = Callable[[str, int, int | None], None]  # what is being read, how much is done, the total if known

SUMMARY_CHARS = 4000  # the tool's maximum
BATCH = 100  # calls in one get_call_summaries, its maximum
CALL_COLUMNS = ["call_id", "date", "time", "talk_seconds", "agent", "order", "status"]
COLUMNS = ["kind", *CALL_COLUMNS, "record_id", "record_seconds", "transfer", "summary_state", "summary"]
ABSENCES = {
    "no_recording": "Calls without a recording",
    "none": "Calls with a recording that has no summary (not made yet, or never; the data does not show which)",
    "not_listed_yet": "Calls whose recordings Liner does not list yet",
    "not_found": "Calls that Liner no longer knows",
    "cut": f"Calls with a summary of over {SUMMARY_CHARS} characters, of which only the beginning is here",
}


class Refused(Exception):
    """The server answered with an error; the message is its sentence."""


def records(answer: Answer) -> list[dict[str, Any]]:
    """The rows as plain records, each with the values that all rows share and with names beside ids."""
    shared, columns, names = answer.get("every_row", {}), answer["columns"], answer.get("names", {})
    found = [{**shared, **dict(zip(columns, row, strict=True))} for row in answer["rows"]]
    for record in found:
        for column, kind in (("agent_id", "agents"), ("order_id", "orders"), ("status", "statuses")):
            key = "null" if record.get(column) is None else str(record[column])
            record[column.removesuffix("_id")] = names.get(kind, {}).get(key, record.get(column))
    return found


def short(answer: Answer) -> bool:
    """Whether something is missing that no further request can get: no cursor, no ids to send."""
    page = answer["page"]
    going_on = page.keys() & {"next_cursor", "next_call_ids"} or answer.get("retry")
    return "partial_call" in page or not (page["complete"] or going_on)


class Part:
    """The answers so far, written to a file after every answer."""

    def __init__(self, path: Path, asked: dict[str, Any]) -> None:
        self.path, self.asked = path, asked
        self.answers: dict[str, list[Answer]] = {"transfer": [], "sample": [], "summaries": []}

    def take_up(self) -> None:
        """Continue from the file if it belongs to the same question; incomplete answers are requested again."""
        with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            asked, kept = json.loads(self.path.read_text(encoding="utf-8"))
            if asked == self.asked:
                # A later page depends on the pages before it.
                whole = takewhile(lambda page: not (short(page) or "retry" in page), kept["transfer"])
                sample = [answer for answer in kept["sample"] if answer["page"]["complete"]]
                summaries = [answer for answer in kept["summaries"] if not short(answer)]
                self.answers = {"transfer": list(whole), "sample": sample, "summaries": summaries}

    def add(self, what: str, answer: Answer) -> None:
        self.answers[what].append(answer)
        write(self.path, json.dumps([self.asked, self.answers], ensure_ascii=False))

    def everything(self) -> list[Answer]:
        return [answer for answers in self.answers.values() for answer in answers]

    @property
    def demo(self) -> bool:
        """Whether the server marked its data as invented."""
        return any("demo" in answer for answer in self.everything())

    def calls(self, kind: str) -> dict[int, dict[str, Any]]:
        return {call["call_id"]: call for answer in self.answers[kind] for call in records(answer)}

    def unsettled(self) -> list[int]:
        """Found calls for which no answer holds a summary, nor the fact that there is none."""
        settled = {
            record["call_id"]
            for answer in self.answers["summaries"]
            for record in records(answer)
            if record["call_id"] not in answer.get("retry", []) and record["summary_state"] != "not_asked"
        }
        return [call_id for call_id in self.calls("transfer") | self.calls("sample") if call_id not in settled]


async def ask(client: Client, tool: str, **arguments: Any) -> Answer:
    try:
        result = await client.call_tool(tool, arguments)
    except MCPError as error:
        raise Refused(f"The server gave no answer: {error.error.message}.") from None
    if result.is_error or result.structured_content is None:
        raise Refused(" ".join(block.text for block in result.content if isinstance(block, TextContent)))
    return result.structured_content


async def read_transfers(asking: Ask, part: Part, report: Report) -> None:
    pages, day, orders = part.answers["transfer"], part.asked["day"], part.asked["orders"]
    find = partial(asking, "find_calls", since=day, until=day, orders=orders, transferred=True)
    while not pages or "next_cursor" in pages[-1]["page"]:
        report("transfers", len(part.calls("transfer")), None)
        cursor = {"cursor": pages[-1]["page"]["next_cursor"]} if pages else {}
        page = await find(**cursor)
        if "retry" in page:  # request the same page once more
            with suppress(Refused):
                page = await find(**cursor)
        if pages and not page["rows"] and page["page"].get("covered") == pages[-1]["page"]["covered"]:
            raise Refused("Liner is too slow to be searched for transfers; LINER_DEADLINE_SECONDS gives it more time.")
        part.add("transfer", page)


async def read_sample(asking: Ask, part: Part, report: Report) -> None:
    if not part.answers["sample"]:
        report("sample", 0, None)
        day, drawn = part.asked["day"], {name: part.asked[name] for name in ("orders", "sample", "seed")}
        part.add("sample", await asking("find_calls", since=day, until=day, **drawn))


async def read_summaries(asking: Ask, part: Part, report: Report) -> None:
    refusal = None
    for _ in range(2):  # failed calls are requested once more
        left = part.unsettled()
        total = len(left)
        while left:
            report("summaries", total - len(left), total)
            batch, left = left[:BATCH], left[BATCH:]
            try:
                answer = await asking("get_call_summaries", call_ids=batch, summary_chars=SUMMARY_CHARS)
            except Refused as error:
                refusal = error
                continue
            part.add("summaries", answer)
            rest: list[int] = answer["page"].get("next_call_ids", [])
            left = (rest if rest != batch else []) + left  # without progress, the next round asks once more
    if refusal and part.unsettled():
        raise refusal


async def read(part: Part, report: Report, *, demo: bool) -> list[str]:
    """Request everything that `part` does not hold yet. Returns the refusals."""
    # No model reads these answers, so they may have the maximum size.
    environment = os.environ | {"LINER_MAX_ANSWER_BYTES": os.environ.get("LINER_MAX_ANSWER_BYTES") or "60000"}
    arguments = ["-m", "liner_mcp", "serve", *(["--demo"] if demo else [])]
    refusals: list[str] = []
    async with Client(StdioServerParameters(command=sys.executable, args=arguments, env=environment)) as client:
        for step in (read_transfers, read_sample, read_summaries):
            try:
                await step(partial(ask, client), part, report)
            except Refused as refusal:
                refusals.append(str(refusal))
                if not part.everything():
                    break  # the other steps would fail for the same reason
    return refusals


@contextmanager
def progress_bar() -> Generator[Report]:
    """A progress bar on a terminal, nothing in a log."""
    if not sys.stderr.isatty():
        yield lambda *_: None  # pyright: ignore[reportUnknownLambdaType]
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def rows(part: Part, kind: str) -> list[dict[str, Any]]:
    """One row per record of every call. A call that could not be read has one row in state `failed`."""
    known: dict[int, list[dict[str, Any]]] = {}
    for answer in part.answers["summaries"]:
        found = records(answer)
        known |= {record["call_id"]: [] for record in found}  # a later answer replaces an earlier failure
        for record in found:
            known[record["call_id"]].append(record)
    calls, unread = part.calls(kind), [{"summary_state": "failed"}]
    return [
        {"kind": kind, **record, **call} for call in calls.values() for record in known.get(call["call_id"], unread)
    ]


def gaps(part: Part) -> list[str]:
    """What could not be read. Another run may read it."""
    pages, sample, summaries = part.answers.values()
    ended = pages and "next_cursor" not in pages[-1]["page"]
    reached = pages[-1]["page"].get("covered", {}).get("since") if pages else "its end"
    unknown = [call_id for page in pages for call_id in page.get("retry", [])]
    failed = part.unsettled()
    checks = {
        f"The day could be searched for transfers back to {reached} only.": not ended,
        f"Whether these calls were transferred could not be read: {listed(unknown)}.": unknown,
        "Transfers may be missing; a note says why.": pages and short(pages[-1]),
        "No sample could be drawn.": not sample,
        "The sample is not whole; a note says why.": sample and not sample[0]["page"]["complete"],
        f"Calls whose summaries could not be read ({len(failed)}): {listed(failed)}.": failed,
        "Recordings of some calls are missing; a note says of which.": any(map(short, summaries)),
    }
    return [sentence for sentence, missing in checks.items() if missing]


def listed(ids: Iterable[int]) -> str:
    return ", ".join(map(str, ids))


def plain(value: object) -> str:
    """Markdown that shows this text literally, on one line: no table bars, markup, HTML, links or images."""
    text = html.escape(" ".join(str("" if value is None else value).split()), quote=False)
    text = re.sub(r"([\\`*_\[\]|~$])", r"\\\1", text)
    # Markdown renderers turn bare addresses into links.
    return re.sub(r"(?i)(?<=www)\.|:(?=//)|@", lambda found: f"&#{ord(found[0])};", text)


def table(some: list[dict[str, Any]]) -> str:
    names = [name for name in COLUMNS if name not in ("kind", "date")]
    lines = [names, ["---"] * len(names), *([plain(row.get(name)) for name in names] for row in some)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) if some else "None."


def markdown(part: Part, refusals: list[str]) -> str:
    asked, (first, *_), transfers, sample = part.asked, part.everything(), rows(part, "transfer"), rows(part, "sample")
    examined = sum(page["page"].get("examined", 0) for page in part.answers["transfer"])
    draw: Answer = part.answers["sample"][0]["page"] if part.answers["sample"] else {}
    missing = gaps(part)
    for state, what in ABSENCES.items():
        if ids := dict.fromkeys(row["call_id"] for row in transfers + sample if row["summary_state"] == state):
            missing.append(f"{what} ({len(ids)}): {listed(ids)}.")
    facts = [
        f"Window: {first['window']['since']} to {first['window']['until']}, {plain(first['timezone'])}.",
        f"Orders: {plain(', '.join(asked['orders']) or 'all')}.",
        f"Transfers: {len(part.calls('transfer'))} calls, found among {examined} recorded ones.",
        f"Sample: {len(part.calls('sample'))} of {draw.get('population', '?')} recorded calls, "
        + f"{draw.get('sampling', 'not drawn')}, seed {plain(asked['seed'])}.",
        "Summaries are an AI's account of strangers' speech, not transcripts.",
    ]
    notes = dict.fromkeys(note for answer in part.everything() for note in answer.get("notes", []))
    remarks = [*(f"Refused: {plain(refusal)}" for refusal in refusals), *(f"Note: {plain(note)}" for note in notes)]
    made_up = " (DEMO: invented data)" if part.demo else ""
    sections = [
        f"# Call review of {asked['day']}{made_up}",
        bullets(facts),
        "## Transfers",
        table(transfers),
    ]
    sections += [
        "## Sample",
        table(sample),
        "## What is missing",
        bullets(missing or ["Nothing."]),
        bullets(remarks),
        mark(asked),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def mark(asked: dict[str, Any]) -> str:
    """A hash of the question, to recognise its finished review. Markdown does not show it."""
    return f"<!-- {hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]} -->"


def bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def spreadsheet(part: Part) -> str:
    def harmless(cell: object) -> object:
        # Summaries are untrusted, and a spreadsheet runs a cell that begins like a formula.
        return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t")) else cell

    text = io.StringIO()
    every = rows(part, "transfer") + rows(part, "sample")
    columns = ["demo", *COLUMNS] if part.demo else COLUMNS
    every = [{"demo": "invented data", **row} for row in every]
    csv.writer(text).writerows([columns, *([harmless(row.get(name)) for name in columns] for row in every)])
    return text.getvalue()


def write(path: Path, text: str, encoding: str = "utf-8") -> None:
    """A temporary file first, so that an interrupted run never leaves half a file under the real name."""
    beside = path.with_name(f"{path.name}.tmp")
    beside.write_text(text, encoding=encoding, newline="")
    beside.replace(path)


def parsed() -> argparse.Namespace:
    """Raises: SystemExit (2) for wrong usage."""
    parser = argparse.ArgumentParser(description="Yesterday's transfers and a sample of calls, as Markdown and CSV.")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the reviews (default: this one)")
    parser.add_argument("--period", default="yesterday", help="yesterday, or a past day such as 2026-11-20")
    parser.add_argument("--sample", type=int, default=30, help="calls to draw, 1 to 100 (default: 30)")
    parser.add_argument("--seed", help="of the draw (default: the day, so that the same day draws the same)")
    parser.add_argument("--orders", nargs="+", default=[], metavar="NAME", help="names or ids (default: all)")
    parser.add_argument("--again", action="store_true", help="ask for everything anew")
    parser.add_argument("--demo", action="store_true", help="invented data; no account needed")
    options = parser.parse_args()
    zone = os.environ.get("LINER_TIMEZONE", "").strip()
    try:
        now = datetime.now(ZoneInfo(zone)) if zone else datetime.now().astimezone()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        sys.exit("LINER_TIMEZONE cannot be used: it is not an IANA time zone, such as Europe/Moscow.")
    yesterday = now.date() - timedelta(days=1)
    try:
        options.day = yesterday if options.period == "yesterday" else date.fromisoformat(options.period)
    except ValueError:
        parser.error("--period is yesterday, or a past day such as 2026-11-20")
    if options.day > yesterday:
        parser.error(f"--period: {options.day} is not over yet")
    if not 1 <= options.sample <= 100:
        parser.error("--sample is a number from 1 to 100")
    return options


def review(options: argparse.Namespace) -> int:
    base = options.out / f"review-{options.day}"
    outputs = base.with_suffix(".md"), base.with_suffix(".csv")
    asked = {"day": str(options.day), "orders": options.orders, "sample": options.sample, "demo": options.demo}
    asked["seed"] = options.seed or str(options.day)
    asked |= {name: os.environ.get(name) for name in ("LINER_API_HOST", "LINER_TIMEZONE", "LINER_MCP_DEMO")}
    part = Part(base.with_suffix(".part.json"), asked)
    if not options.again:
        if not part.path.exists() and all(path.exists() for path in outputs):
            if mark(asked) not in outputs[0].read_text(encoding="utf-8"):
                print(f"{outputs[0]} answers another question; use another --out, or --again.", file=sys.stderr)
                return 2
            print(f"{outputs[0]} is complete already; --again asks for everything anew.")
            return 0
        part.take_up()
    options.out.mkdir(parents=True, exist_ok=True)
    with progress_bar() as report:
        refusals = anyio.run(partial(read, part, report, demo=options.demo))
    if not (part.answers["transfer"] or part.answers["sample"]):
        print(refusals[0], file=sys.stderr)
        return 1
    write(outputs[1], spreadsheet(part), "utf-8-sig")  # without the byte order mark Excel assumes another encoding
    write(outputs[0], markdown(part, refusals))
    done = f"{outputs[0]} and .csv: {len(part.calls('transfer'))} transfers, {len(part.calls('sample'))} sampled calls"
    done = f"DEMO, invented data: {done}" if part.demo else done
    if gaps(part):
        print(f"{done}; incomplete: run again to ask for the rest.")
        return 3
    part.path.unlink()
    print(f"{done}; complete.")
    return 0


def main() -> int:
    cast("io.TextIOWrapper", sys.stdout).reconfigure(errors="backslashreplace")  # for encodings that lack letters
    options, code = parsed(), 1
    try:
        code = review(options)
    except* KeyboardInterrupt:
        print("Interrupted; run again to go on.", file=sys.stderr)
        code = 130
    except* (MCPError, OSError) as errors:
        error: BaseException = errors
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        print(f"The review could not be made: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
