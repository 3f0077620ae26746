"""The records of one call, beside the call's own facts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from liner_mcp.answer.cursor import decode_cursor, encode_cursor
from liner_mcp.answer.table import Answer, Cell, Evidence, Members, page, render_within_budget, table
from liner_mcp.context import AppContext
from liner_mcp.errors import DeadlineExceeded, ForgottenId, InvalidArgument, LinerMcpError, NotFound
from liner_mcp.event_loop import in_time
from liner_mcp.input_limits import MAX_ID
from liner_mcp.liner.endpoints import OTHER_ACCOUNT
from liner_mcp.liner.models import Call, CallRecord
from liner_mcp.liner.pagination import Listing
from liner_mcp.liner.parallel import gather2, run_all
from liner_mcp.liner.record_owners import of_other_leads
from liner_mcp.names.directory import DirectoryNames
from liner_mcp.records.record_rows import (
    OPTIONAL_COLUMNS,
    RECORD_COLUMNS,
    ShownRecord,
    agent_ids,
    forgotten_note,
    ids_in_state,
    long_summary_notes,
    other_lead_notes,
    record_key,
    record_row,
    shown_record,
    unknown_cell_notes,
    with_details,
)

LISTING_DELAY = timedelta(days=1)  # a recording that is not listed by then is missing, not late
LIST_CALL_RECORDS = "list_call_records"
RecordKey = tuple[datetime, int]
# The call's own facts by name, and the field of each.
CALL_FACTS = {
    "status": "status_code",
    "order_id": "order_id",
    "lead_id": "lead_id",
    "agent_id": "user_id",
    "date": "created_at",
    "talk_seconds": "talk_time_duration_seconds",
    "wait_seconds": "wait_time_duration_seconds",
    "direction": "direction",
    "hung_up_by": "finish_initiator",
}
FIRST_KEY: RecordKey = (datetime.min.replace(tzinfo=UTC), 0)  # before every record


async def list_call_records(
    context: AppContext, *, call_id: int | None, limit: int, cursor: str | None, summary_chars: int, budget: int
) -> Answer:
    """The call's own facts and a page of its records, oldest first, as a table within `budget` bytes.

    Raises: InvalidArgument for an unknown call or an unusable cursor; what the Liner client raises.
    """
    call_id, after = _parse_cursor(call_id, cursor)
    call, listing, names = await _read(context, call_id)
    left = [record for record in sorted(listing.items, key=record_key) if after is None or record_key(record) > after]
    records = await with_details(context, left[:limit], call)
    context.recent_calls.add([call_id])
    context.recent_records.add(one.record.id for one in records)
    shown = await in_time(records, partial(shown_record, context))
    if records and all(one.unread == "not_asked" for one in shown):
        raise DeadlineExceeded(f"Time was up before the first summary of call {call_id} could be shown. Ask again.")
    facts = {} if call is None else _call_facts(context, call)
    rows = [record_row(context, one, summary_chars) for one in shown]
    others = of_other_leads([one.record for one in shown], call and call.lead_id)
    doubtful = any(not record.is_transfer for record in others)
    whole = listing.complete and not (doubtful or _is_unlisted(call, listing))

    def render(count: int) -> Members:
        on_page = shown[:count]
        failed = ids_in_state(on_page, "failed")
        unasked = [index for index, one in enumerate(on_page) if one.unread == "not_asked"]
        done = unasked[0] if unasked else count  # what was not asked is asked first on the next page
        last = record_key(on_page[done - 1].record) if done else after or FIRST_KEY
        notes = _notes(context, call_id, call, listing, on_page)
        if unasked or (len(shown) < len(records) and count == len(shown)):
            notes.append("Time was up before all records were read; next_cursor goes on.")
        return {
            "asked": {"call_id": call_id},
            "call": facts,
            "page": page(
                count,
                Evidence(left=done < len(left), missing=not whole, undecided=0, unknown=bool(failed)),
                next_cursor=_encode_cursor(call_id, last) if done < len(left) else None,
                total=len(listing.items),
                liner_total=None if listing.complete else listing.total,
                changed=listing.changed or None,
            ),
            "notes": [
                *notes,
                *other_lead_notes([one.record for one in on_page if one.record in others]),
                *unknown_cell_notes(on_page),
                *long_summary_notes(one.record for one in on_page),
                *names.notes(),
            ],
            "retry": failed,
            "timezone": context.zone.name if rows or facts else "",
            "names": _legend(names, call, on_page),
            **table(RECORD_COLUMNS, rows[:count], OPTIONAL_COLUMNS),
        }

    return render_within_budget(render, range(1, len(rows) + 1), budget)


def _is_unlisted(call: Call | None, listing: Listing[CallRecord]) -> bool:
    return not listing.items and call is not None and call.has_records is not False


async def _read(context: AppContext, call_id: int) -> tuple[Call | None, Listing[CallRecord], DirectoryNames]:
    found, names = await gather2(
        lambda: gather2(lambda: _call_within_deadline(context, call_id), lambda: context.liner.call_records(call_id)),
        lambda: context.directory.names("agents", "orders", "statuses"),
    )
    assert isinstance(found, tuple)  # noqa: S101 - gather2() gives errors inside the pair
    assert isinstance(names, DirectoryNames)  # noqa: S101 - names() raises nothing
    return *_combine_reads(call_id, *found), names


async def _call_within_deadline(context: AppContext, call_id: int) -> Call:
    """The call, or DeadlineExceeded a moment before the deadline: its records can be listed without it."""
    (outcome,) = await run_all([lambda: context.liner.call(call_id)], concurrency=1)
    if isinstance(outcome, Call):
        return outcome
    raise outcome or DeadlineExceeded("Liner did not send this call in time. Ask again.")


def _combine_reads(
    call_id: int, call: Call | LinerMcpError, listing: Listing[CallRecord] | LinerMcpError
) -> tuple[Call | None, Listing[CallRecord]]:
    """The results of both reads. Records prove that a call exists even without its facts; an empty list proves nothing.

    Raises: InvalidArgument for an unknown call; the error of the read without which nothing can be said.
    """
    if isinstance(call, ForgottenId) or isinstance(listing, ForgottenId):
        raise InvalidArgument(forgotten_note("Call", [call_id]))
    if isinstance(listing, NotFound):
        # The call's own read decides whether the call exists, and whether it has records.
        none = isinstance(call, Call) and call.has_records is False
        listing = Listing((), complete=none, total=0 if none else None, changed=False)
    if isinstance(call, NotFound) and (isinstance(listing, LinerMcpError) or not listing.items):
        raise InvalidArgument(
            f"Liner has no call {call_id}. Check call_id: ids of records and leads are other numbers; "
            f"if no call is found at all, {OTHER_ACCOUNT}."
        )
    if isinstance(listing, LinerMcpError):
        raise listing
    if isinstance(call, Call):
        return call, listing
    if not listing.items:
        raise call
    return None, listing


def _notes(
    context: AppContext, call_id: int, call: Call | None, listing: Listing[CallRecord], shown: Sequence[ShownRecord]
) -> list[str]:
    notes: list[str] = []
    if ids_in_state(shown, "failed"):
        notes.append(
            "Summaries marked failed could not be read just now; send their record ids, in retry, to get_call_record."
        )
    if call is None:
        notes.append("The call's own facts could not be read from Liner just now; its records are right.")
    elif unknown := [name for name, field in CALL_FACTS.items() if not call.is_known(field)]:
        notes.append(f"Liner sent no value for the call's {', '.join(unknown)}; null there means unknown.")
    if call is not None and call.has_records is False and listing.items:
        notes.append(
            f"Liner lists recordings of call {call_id} and also says that it has none; find_calls and call_stats "
            "treat it as a call without recordings."
        )
    if listing.unreadable:
        rows = "1 row" if listing.unreadable == 1 else f"{listing.unreadable} rows"
        notes.append(f"{rows} of the list of records could not be read for lack of a usable id; some are missing here.")
    elif not listing.complete and (listing.items or listing.total):
        counted, read = listing.total or "more", len(listing.items)
        # Lists have no order, so what is missing may be older than what this page or an earlier one shows.
        notes.append(
            f"Liner counts {counted} records of this call; {read} could be read. The others may belong on any "
            "page: ask again without cursor."
        )
    elif not listing.items:
        notes.append(_empty_reason(context, call_id, call, listing))
    return notes


def _empty_reason(context: AppContext, call_id: int, call: Call | None, listing: Listing[CallRecord]) -> str:
    if call is not None and call.has_records:
        note = f"Liner says call {call_id} has recordings but lists none yet."
        age = context.now() - (call.created_at or context.now())
        if age > LISTING_DELAY:
            return f"{note} The call is {age.days} days old, so this will hardly change."
        return f"{note} Ask again in a few minutes."
    if not listing.complete:
        return f"Liner has no list of the records of call {call_id}, so whether it has a recording is unknown."
    if call is not None and call.has_records is None:
        return f"Liner lists no recordings of call {call_id} and does not say whether there are any; ask again later."
    return f"Call {call_id} has no recording, so there is nothing Liner could summarise."


def _legend(names: DirectoryNames, call: Call | None, shown: Sequence[ShownRecord]) -> dict[str, dict[str, str]]:
    calls = [] if call is None else [call]
    return {
        "agents": names.legend("agents", agent_ids([*calls, *(one.record for one in shown)])),
        "orders": names.legend("orders", [one.order_id for one in calls]),
        "statuses": names.legend("statuses", [one.status_code for one in calls]),
    }


def _parse_cursor(call_id: int | None, cursor: str | None) -> tuple[int, RecordKey | None]:
    """The call, and the record after which the page begins, from call_id, cursor or both."""
    if cursor is None:
        if call_id is None:
            raise InvalidArgument("call_id is missing: send it, for example call_id=7000123.")
        return call_id, None
    state = decode_cursor(LIST_CALL_RECORDS, cursor)
    try:
        asked, moment, record_id = int(state["call_id"]), float(state["at"]), int(state["id"])
        after = (datetime.fromtimestamp(moment, UTC), record_id)
        if not 1 <= asked <= MAX_ID:
            raise ValueError(asked)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        raise InvalidArgument("cursor cannot be read. Ask again without it to start at the first page.") from None
    if call_id is not None and call_id != asked:
        raise InvalidArgument(
            f"cursor belongs to call {asked}, but call_id says {call_id}. Send the cursor alone to go on with {asked}, "
            f"or call_id={call_id} without it."
        )
    return asked, after


def _encode_cursor(call_id: int, last: RecordKey) -> str:
    moment, record_id = last
    return encode_cursor(LIST_CALL_RECORDS, {"call_id": call_id, "at": moment.timestamp(), "id": record_id})


def _call_facts(context: AppContext, call: Call) -> dict[str, Cell]:
    facts: dict[str, Cell] = {}
    for name, field in CALL_FACTS.items():
        if name == "date":
            facts["date"], facts["time"] = context.zone.date_and_time(call.created_at)
        else:
            facts[name] = getattr(call, field)
    return facts
