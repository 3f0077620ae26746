"""Whether quotes are in the summaries of records, word for word: one row per quote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, NamedTuple

from anyio import to_thread

from liner_mcp.answer.table import Answer, Evidence, Members, Row, page, render_within_budget, table
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded, ForgottenId, LinerMcpError, NotFound
from liner_mcp.event_loop import in_time
from liner_mcp.evidence.quotes import Match, QuotedText, has_words
from liner_mcp.evidence.quotes import State as MatchState
from liner_mcp.input_limits import MAX_QUOTE
from liner_mcp.liner.endpoints import OTHER_ACCOUNT
from liner_mcp.liner.models import CallRecord
from liner_mcp.liner.parallel import run_all
from liner_mcp.records.record_rows import forgotten_note, listed, long_summary_notes, longer_than_shown, summary_of
from liner_mcp.text.clean import clean

QUOTE_COLUMNS = ("record_id", "state", "start", "end", "sentence", "negated_before", "closest", "differs")

UnmatchedState = Literal["no_summary", "not_found", "forgotten", "failed", "not_asked", "refused"]
QuoteState = Literal[MatchState, UnmatchedState]


class _Quote(NamedTuple):
    """A text, and the record whose summary it is said to be in."""

    record_id: int
    text: str

    @property
    def usable(self) -> bool:
        """Whether it has words, and no more characters than a quote may have."""
        return len(self.text) <= MAX_QUOTE and has_words(self.text)


class _Summary(NamedTuple):
    """What was read of a record. `text` is None without a summary; `known` is False where Liner did not send one."""

    record: CallRecord
    text: QuotedText | None
    known: bool


class _Checked(NamedTuple):
    quote: _Quote
    state: QuoteState
    match: Match = Match("absent")


async def check_quotes(context: AppContext, *, quotes: Sequence[tuple[int, str]], budget: int) -> Answer:
    """One row per quote, a pair of a record's id and a text, in their order, until the answer is full or time is up.

    A quote is compared with the whole summary as it is shown: cleaned and masked. `start` and `end` count its
    characters, as get_call_record does. Each record is read once.

    Raises: SetupError; the first error when no record could be read; DeadlineExceeded when none was read in time.
    """
    asked = [_Quote(record_id, clean(text).strip() if len(text) <= MAX_QUOTE else text) for record_id, text in quotes]
    read = await _read(context, asked)
    matches = await in_time(asked, lambda quote: _check(context, quote, read.get(quote.record_id)))
    checked = [*matches, *(_Checked(quote, "not_asked") for quote in asked[len(matches) :])]
    unread = next((position for position, one in enumerate(checked) if one.state == "not_asked"), len(checked))
    rows = [_row(one) for one in checked]
    long = [one.record for one in read.values() if isinstance(one, _Summary) and longer_than_shown(one.record)]

    def render(count: int) -> Members:
        shown, done = checked[:count], min(count, unread)
        unchecked = any(one.state in ("failed", "refused") for one in shown)
        evidence = Evidence(left=done < len(asked), missing=False, undecided=0, unknown=unchecked or bool(long))
        return {
            "asked": {"quotes": len(asked), "records": len({quote.record_id for quote in asked})},
            "page": page(count, evidence, next_quote=done + 1 if done < len(asked) else None),
            "notes": [*_notes(context, shown, read), *long_summary_notes(long)],
            "retry": list(dict.fromkeys(one.quote.record_id for one in shown if one.state == "failed")),
            **table(QUOTE_COLUMNS, rows[:count]),
        }

    return render_within_budget(render, range(1, len(rows) + 1), budget)


# Reading --------------------------------------------------------------------------------------------------------------

_Outcomes = Mapping[int, _Summary | LinerMcpError | None]


async def _read(context: AppContext, quotes: Sequence[_Quote]) -> _Outcomes:
    """The summary of each record of a usable quote, by its id; an error where it could not be read, None where time
    was up.
    """
    ids = list(dict.fromkeys(quote.record_id for quote in quotes if quote.usable))
    readers = [partial(_read_summary, context, one) for one in ids]
    outcomes = await run_all(readers, concurrency=context.liner.concurrency, allow_refusals=True)
    errors = [one for one in outcomes if isinstance(one, LinerMcpError) and not isinstance(one, NotFound)]
    late = [one for one in outcomes if one is None]
    if ids and len(errors) + len(late) == len(ids):
        raise next(
            (error for error in errors if not isinstance(error, DeadlineExceeded)),
            DeadlineExceeded("Liner answered for none of these records in time. Ask again, or for fewer at once."),
        )
    context.recent_records.add(one.record.id for one in outcomes if isinstance(one, _Summary))
    return dict(zip(ids, outcomes, strict=True))


async def _read_summary(context: AppContext, record_id: int) -> _Summary:
    record = await context.liner.call_record(record_id)
    text = await context.masked(summary_of(record))
    return _Summary(record, QuotedText(text) if text else None, known=record.was_sent("record_summary"))


async def _check(context: AppContext, quote: _Quote, outcome: _Summary | LinerMcpError | None) -> _Checked:
    if not quote.usable:
        return _Checked(quote, "refused")
    if outcome is None or isinstance(outcome, DeadlineExceeded):
        return _Checked(quote, "not_asked")
    if isinstance(outcome, ForgottenId):
        return _Checked(quote, "forgotten")
    if isinstance(outcome, NotFound):
        return _Checked(quote, "not_found")
    if isinstance(outcome, LinerMcpError) or not outcome.known:
        return _Checked(quote, "failed")
    if outcome.text is None:
        return _Checked(quote, "no_summary")
    # In a thread, because the search in a long summary takes tenths of a second.
    match = await to_thread.run_sync(outcome.text.find, quote.text)
    if match.differs:  # it repeats words of the caller, who may have sent a phone
        match = replace(match, differs=context.mask(match.differs))
    return _Checked(quote, match.state, match)


# The answer -----------------------------------------------------------------------------------------------------------


def _row(checked: _Checked) -> Row:
    quote, state, match = checked
    negated = None if match.negated_before is None else int(match.negated_before)
    return (
        quote.record_id, state, match.start, match.end, match.sentence, negated, match.closest, match.differs,
    )  # fmt: skip


def _notes(context: AppContext, shown: Sequence[_Checked], read: _Outcomes) -> list[str]:
    notes: list[str] = []
    errors = [one for one in read.values() if isinstance(one, LinerMcpError) and not isinstance(one, NotFound)]
    if failed := list(dict.fromkeys(one.quote.record_id for one in shown if one.state == "failed")):
        why = f": {context.mask(str(errors[0]))}" if errors else "."
        notes.append(f"Record {listed(failed)} could not be read{why} The ids are in retry.")
    if any(one.state == "not_asked" for one in shown):
        notes.append("Time was up before all quotes were checked; send them again from number page.next_quote on.")
    if refused := [position for position, one in enumerate(shown, 1) if one.state == "refused"]:
        unusable = f"Quotes without words or of more than {MAX_QUOTE} characters were not checked"
        notes.append(f"{unusable}: number {listed(refused)}.")
    if unknown := list(dict.fromkeys(one.quote.record_id for one in shown if one.state == "not_found")):
        none = f" As none was found, {OTHER_ACCOUNT}." if len(unknown) == len(read) else ""
        notes.append(f"Liner has no call record {listed(unknown)}; a call's id is another number.{none}")
    if forgotten := list(dict.fromkeys(one.quote.record_id for one in shown if one.state == "forgotten")):
        notes.append(forgotten_note("Record", forgotten))
    return notes
