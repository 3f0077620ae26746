"""Checks that an archive is sound, and that it holds what it says and nothing that it must not hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from liner_mcp.archive.connection import Connection, Row
from liner_mcp.archive.database import meta
from liner_mcp.archive.rows import call_of, is_odd, record_of
from liner_mcp.archive.writer import stems_of
from liner_mcp.text.mask import mask

SHOWN_IDS = 3  # of a fault


def verify(connection: Connection, on_step: Callable[[str], None] = lambda _: None) -> list[str]:
    """A sentence for each fault that was found. All rows are read; `on_step` names what is being checked."""
    faults: list[str] = []
    with connection.reading():
        for name, check in CHECKS.items():
            on_step(name)
            faults += check(connection)
    return faults


def _structure(connection: Connection) -> Iterator[str]:
    if faults := connection.count_faults():
        yield f"The {connection.kind} is damaged: {faults} faults were found in its structure."
    if orphans := connection.rows("SELECT id FROM record WHERE call_id NOT IN (SELECT id FROM call)"):
        yield f"{len(orphans)} records belong to no call."


def _coverage(connection: Connection) -> Iterator[str]:
    outside = connection.rows(
        "SELECT id FROM call WHERE NOT EXISTS (SELECT 1 FROM covered WHERE order_id = list_order_id"
        " AND since * 1000000 <= created_at AND created_at < until * 1000000)"
    )
    if outside:
        yield f"Calls lie outside the days that are covered: {_ids(outside)}."
    overlapping = connection.rows(
        "SELECT a.order_id AS id FROM covered a JOIN covered b ON a.order_id = b.order_id AND a.since < b.since"
        " AND b.since < a.until"
    )
    if overlapping:
        yield f"Days are covered twice, of order {_ids(overlapping)}."


def _forgotten(connection: Connection) -> Iterator[str]:
    back = connection.rows(
        "SELECT id FROM call WHERE id IN (SELECT id FROM forgotten_call)"
        " OR created_at < (SELECT before FROM forgotten_before)"
        " OR EXISTS (SELECT 1 FROM forgotten_lead f WHERE f.id = lead_id AND created_at < before)"
        " OR EXISTS (SELECT 1 FROM record JOIN forgotten_lead f ON f.id = record.lead_id"
        " WHERE call_id = call.id AND call.created_at < before)"
    )
    if back:
        yield f"Forgotten calls are stored: {_ids(back)}."


def _words(connection: Connection) -> Iterator[str]:
    """The index holds the stems of each masked summary."""
    indexed = {row["rowid"] for row in connection.iterate("SELECT rowid FROM word")}
    wrong: list[Row] = []
    for row in connection.iterate("SELECT key, id, record_summary FROM record WHERE record_summary IS NOT NULL"):
        stems = stems_of(mask(row["record_summary"]))
        if not mask(row["record_summary"]):
            continue
        if row["key"] not in indexed or not connection.has_words(row["key"], stems):
            wrong.append(row)
        indexed.discard(row["key"])
    if wrong:
        yield f"The index of words does not fit the summary of record {_ids(wrong)}. Run liner-mcp archive rebuild."
    if indexed:
        yield f"The index of words holds {len(indexed)} texts of no record. Run liner-mcp archive rebuild."


def _private(connection: Connection) -> Iterator[str]:
    """No text holds what is masked. Links have no column, and summaries may mention an address."""
    if meta(connection)["phones"] == "1":
        return
    calls = connection.iterate("SELECT id, client_phone AS text FROM call WHERE client_phone IS NOT NULL")
    if unmasked := _first_unmasked(calls):
        yield f"Phones are not masked, of call {_ids(unmasked)}. Run liner-mcp archive rebuild."
    summaries = connection.iterate("SELECT id, record_summary AS text FROM record WHERE record_summary IS NOT NULL")
    if unmasked := _first_unmasked(summaries):
        yield f"Phones are not masked, in the summary of record {_ids(unmasked)}. Run liner-mcp archive rebuild."
    entries = [
        row
        for row in connection.rows("SELECT id, body FROM entry")
        if any(mask(text) != text for text in _texts(json.loads(row["body"])))
    ]
    if entries:
        yield f"Phones are not masked, in dictionary entry {_ids(entries)}. Run liner-mcp archive rebuild."


def _first_unmasked(rows: Any) -> list[Row]:
    return list(islice((row for row in rows if mask(row["text"]) != row["text"]), SHOWN_IDS + 1))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        members: Any = value.values() if isinstance(value, dict) else value  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON
        for member in members:
            yield from _texts(member)


def _odd(connection: Connection) -> Iterator[str]:
    """A call that is not marked as odd is counted by the engine, which must know all of it."""
    wrong: list[Row] = []
    for row in connection.iterate("SELECT * FROM call WHERE odd = 0"):
        records = connection.rows("SELECT * FROM record WHERE call_id = ? ORDER BY position", (row["id"],))
        if is_odd(call_of(row), [record_of(one) for one in records]):
            wrong.append(row)
    if wrong:
        yield f"Something about a call is unknown and not marked as such: call {_ids(wrong)}."


def _ids(rows: list[Row]) -> str:
    shown = ", ".join(str(row["id"]) for row in rows[:SHOWN_IDS])
    return shown + (" and others" if len(rows) > SHOWN_IDS else "")


CHECKS: dict[str, Callable[[Connection], Iterator[str]]] = {
    "the structure": _structure,
    "coverage": _coverage,
    "what was forgotten": _forgotten,
    "masking": _private,
    "what is unknown": _odd,
    "the index of words": _words,
}
