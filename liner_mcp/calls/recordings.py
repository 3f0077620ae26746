"""Reading the recordings of calls, once per question: for filters on them, and for rows that show them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

import anyio.to_thread

from liner_mcp.calls.arguments import Mention, lacks_summary
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded
from liner_mcp.liner.models import Call, CallRecord
from liner_mcp.liner.record_owners import RecordOwners
from liner_mcp.records.record_rows import ReadRecord, longer_than_shown, record_key, summary_of, with_details
from liner_mcp.search.matching import CompiledQuery, compile_query, match_steps
from liner_mcp.search.passages import passage

FEWER_FORMS_NOTE = (
    "This server finds fewer Russian word forms, because pymorphy3 is not installed: write irregular forms too, as in "
    "ребёнок | дети."
)


@dataclass(slots=True)
class RecordsRead:
    """What the lists of records of one question have shown so far. `calls`: the calls of which a list was read.

    `report` gets their number after each list. `words` are those that `mentions` looks for.
    """

    report: Callable[[int], Awaitable[None]] | None = None
    owners: RecordOwners = field(default_factory=RecordOwners)
    calls: set[int] = field(default_factory=set[int])
    words: CompiledQuery | None = None

    async def compile(self, mentions: str | None) -> None:
        """Look up the forms of the words to look for, if there are any.

        Raises: InvalidArgument for words that are not of the query language.
        """
        if mentions is not None and self.words is None:
            # The first search loads the dictionary of word forms, which takes half a second.
            self.words = await anyio.to_thread.run_sync(compile_query, mentions, abandon_on_cancel=True)

    def notes(self) -> list[str]:
        return [FEWER_FORMS_NOTE] if self.words is not None and self.words.fewer_forms else []


@dataclass(frozen=True, slots=True)
class CallRecordings:
    """The recordings of one call, oldest first. `complete`: there are no others, and Liner does not say that some are
    still to be listed. `with_summaries`: their summaries were read, or tried. `mentions`: what each summary says of the
    words of the question, by the id of its record.
    """

    reads: tuple[ReadRecord, ...] = ()
    complete: bool = True
    with_summaries: bool = True
    mentions: Mapping[int, Mention] = field(default_factory=dict[int, Mention])

    @property
    def records(self) -> tuple[CallRecord, ...]:
        return tuple(read.record for read in self.reads)

    def some(self, test: Callable[[CallRecord], bool | None]) -> bool | None:
        """Whether some recording passes the test; None where one that is unlisted or undecided may pass it."""
        found = {test(record) for record in self.records}
        if True in found:
            return True
        return False if self.complete and None not in found else None

    @property
    def mentioning(self) -> list[CallRecord]:
        """The records whose summary has the words that are wanted, and none that is unwanted."""
        found = ((record, self.mentions.get(record.id)) for record in self.records)
        return [record for record, mention in found if mention and mention.matches]


NO_RECORDINGS = CallRecordings()


async def read_recordings(context: AppContext, call: Call, seen: RecordsRead, *, summaries: bool) -> CallRecordings:
    """The recordings of a call, in one request; with `summaries` one more for each record that is listed without it.

    Raises: what the Liner client raises; DeadlineExceeded when time was up before all summaries were read.
    """
    listing = await context.liner.call_records(call.id)
    seen.calls.add(call.id)
    seen.owners.add(call.id, listing.items)
    if seen.report is not None:
        await seen.report(len(seen.calls))
    complete = listing.complete and bool(listing.items)  # Liner does not say that there are none, and may list them
    reads = tuple(ReadRecord(record, None) for record in sorted(listing.items, key=record_key))
    found = CallRecordings(reads, complete, with_summaries=False)
    return await add_summaries(context, call, seen, found) if summaries else found


async def add_summaries(context: AppContext, call: Call, seen: RecordsRead, found: CallRecordings) -> CallRecordings:
    """The same recordings with their summaries, and what these say of the words to look for. Raises: as above."""
    if found.with_summaries:
        return found
    reads = await with_details(context, found.records, call)
    if any(read.unread == "not_asked" for read in reads):
        raise DeadlineExceeded("Time was up before all summaries were read.")
    mentions: dict[int, Mention] = {}
    if seen.words is not None:
        mentions = {read.record.id: await _mention(context, read.record, seen.words) for read in reads}
    return CallRecordings(tuple(reads), found.complete, mentions=mentions)


async def _mention(context: AppContext, record: CallRecord, words: CompiledQuery) -> Mention:
    if lacks_summary(record) is None:
        return Mention(None, None)
    # The text is masked first, so that a search cannot find a phone.
    text = await context.masked(summary_of(record))
    if not text:
        return Mention(wanted=False, unwanted=False)
    match = await context.turns.run(match_steps(words, text))
    no = None if longer_than_shown(record) else False  # what is not shown was not searched
    shown = passage(text, match.hits) if match.wanted and match.hits else None
    return Mention(match.wanted or no, match.unwanted or (no if words.unwanted else False), shown)


@dataclass(slots=True)
class Examined:
    """How many calls were examined for filters on recordings, and the summaries of their records."""

    calls: int = 0
    read: int = 0
    without_summary: int = 0
    unread: int = 0

    def add(self, found: CallRecordings) -> None:
        self.calls += 1
        states = [lacks_summary(record) for record in found.records]
        self.read += states.count(False)
        self.without_summary += states.count(True)
        self.unread += states.count(None)

    @staticmethod
    def sum(parts: Iterable[Examined]) -> Examined:
        every = [(one.calls, one.read, one.without_summary, one.unread) for one in parts]
        return Examined(*map(sum, zip(*every, strict=True)))

    def searched(self) -> dict[str, int]:
        return {"read": self.read, "without_summary": self.without_summary, "unread": self.unread}
