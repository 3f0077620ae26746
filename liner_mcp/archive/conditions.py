"""Conditions on archived calls, as SQL with its values. Pure.

A condition is exact for calls that are not odd. An odd call, of which something is unknown, is for the caller to decide
about.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from liner_mcp.archive.connection import Connection
from liner_mcp.archive.search import Expression, unwanted_expression, wanted_expression
from liner_mcp.archive.spans import Span
from liner_mcp.archive.writer import first_key
from liner_mcp.liner.restricted_client import Access
from liner_mcp.search.matching import CompiledQuery

MICROSECONDS = 1_000_000
NO_RULES = Access()


@dataclass(slots=True)
class Conditions:
    """Conditions that all hold, and their values in order."""

    parts: list[str] = field(default_factory=list[str])
    values: list[object] = field(default_factory=list[object])

    def add(self, part: str, *values: object) -> None:
        """Add a condition with its values."""
        self.parts.append(part)
        self.values += values

    def add_members(self, column: str, members: Iterable[object]) -> None:
        """The column has one of the members; None is a member too."""
        wanted = list(members)
        known = [one for one in wanted if one is not None]
        part = f"{column} IN ({', '.join('?' * len(known))})" if known else "1 = 0"
        self.add(f"({part} OR {column} IS NULL)" if len(known) < len(wanted) else part, *known)

    @property
    def where(self) -> str:
        """The conditions as an expression."""
        return " AND ".join(self.parts)


def within(span: Span, order_ids: Sequence[int], access: Access = NO_RULES) -> Conditions:
    """Calls of these orders' lists in a span, that a caller may see."""
    found = Conditions()
    found.add_members("call.list_order_id", order_ids)
    found.add("call.created_at >= ? AND call.created_at < ?", span.since * MICROSECONDS, span.until * MICROSECONDS)
    if access.orders is not None:
        found.add_members("call.order_id", sorted(access.orders))
    if access.agents is not None:
        found.add_members("call.user_id", sorted(access.agents))
    return found


def add_record_filters(found: Conditions, *, transferred: bool | None, has_summary: bool | None) -> None:
    """Filters on recordings, as `calls/arguments.py` declares them."""
    if transferred is not None:
        found.add(_records("is_transfer = 1", exist=transferred))
    if has_summary is not None:
        found.add(_records("has_summary = 0", exist=not has_summary))
    if has_summary:
        found.add(_records("1 = 1", exist=True))


def _records(condition: str, *, exist: bool) -> str:
    negation = "" if exist else "NOT "
    return f"{negation}EXISTS (SELECT 1 FROM record WHERE record.call_id = call.id AND {condition})"


def add_mentions(
    found: Conditions, connection: Connection, query: CompiledQuery, span: Span, *, wanted: bool = True
) -> None:
    """Calls with nothing unwanted in any summary, and if `wanted`, all that is wanted in one of them."""
    expression = wanted_expression(query)
    if wanted and expression is None:
        found.add(_records("has_summary = 1", exist=True))
    elif wanted and expression is not None:
        records, values = mentioning_records(connection, expression, span)
        found.add(f"call.id IN (SELECT record.call_id {records})", *values)
    excluded = unwanted_expression(query)
    if excluded is not None:
        records, values = mentioning_records(connection, excluded, span)
        found.add(f"call.id NOT IN (SELECT record.call_id {records})", *values)


def mentioning_records(
    connection: Connection, expression: Expression, span: Span, *joins: str
) -> tuple[str, list[object]]:
    """The FROM and WHERE of a query for the records of a span that an expression finds, and its values. `joins`: more
    tables.

    The cross join begins with the index of words: it finds few records, whatever SQLite expects.
    """
    matches, values = connection.matches(expression)
    tables = " CROSS JOIN ".join(("word", "record ON record.key = word.rowid", *joins))
    keys = (first_key(span.since), first_key(span.until))
    return f"FROM {tables} WHERE {matches} AND word.rowid >= ? AND word.rowid < ?", [*values, *keys]
