"""The index of words of each database finds the texts that the live filter finds."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liner_mcp.archive.connection import Connection
from liner_mcp.archive.database import create
from liner_mcp.archive.search import is_exact, unwanted_expression, wanted_expression
from liner_mcp.archive.writer import stems_of
from liner_mcp.search.matching import CompiledQuery, compile_query, match_steps
from tests.support.postgres import shared_server
from tests.support.sync import SOURCE

# The last ones are tokens of their own for PostgreSQL's parser, or no words.
PIECES = [
    *("ипотека", "ипотеку", "первый", "взнос", "Ещё", "ещё", "15млн", "mortgage", "it's", "не"),
    *("-5", "3/4", "1e5", "db.example.com", "anna@example.com", "%", "_", "\\", "' | !", "ﷺ", "и" * 70),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join)
QUERIES = [
    "ипотека",
    '"первый взнос"',
    "ипотека | mortgage",
    "ипотека -взнос",
    '"взнос первый" -"не ипотека"',
    "-ещё",
    '"15 млн" | 5',
    "example com",
    '"e 5" | "3 4"',
]


def live(query: CompiledQuery, text: str) -> bool:
    """Whether the live filter finds a text."""
    steps = match_steps(query, text)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value.wanted and not end.value.unwanted


def found(connection: Connection, compiled: CompiledQuery) -> set[int]:
    """The texts that the index finds."""
    where, values = ["1 = 1"], list[object]()
    for negation, expression in (("", wanted_expression(compiled)), ("NOT ", unwanted_expression(compiled))):
        if expression is not None:
            condition, more = connection.matches(expression)
            where.append(f"rowid {negation}IN (SELECT rowid FROM word WHERE {condition})")  # noqa: S608 - our own text
            values += more
    query = f"SELECT rowid FROM word WHERE {' AND '.join(where)}"  # noqa: S608 - our own text
    return {row["rowid"] for row in connection.rows(query, values)}


@contextmanager
def archives() -> Generator[list[Connection]]:
    url = shared_server().new_database()
    with (
        TemporaryDirectory() as folder,
        closing(create(Path(folder) / "archive" / "calls.db", source=SOURCE, phones=False)) as sqlite,
        closing(create(url, source=SOURCE, phones=False)) as postgres,
    ):
        yield [sqlite, postgres]
    shared_server().drop(url)


def write(connection: Connection, texts: list[str]) -> None:
    with connection.writing():
        connection.clear_words()
        connection.run_many(
            "INSERT INTO word (rowid, stems) VALUES (?, ?)", [(key, stems_of(text)) for key, text in enumerate(texts)]
        )


def test_both_databases_find_what_the_live_filter_finds() -> None:
    with archives() as connections:

        @settings(max_examples=60)
        @given(st.lists(TEXTS, min_size=1, max_size=8))
        def compare(texts: list[str]) -> None:
            for connection in connections:
                write(connection, texts)
            for one in QUERIES:
                query = compile_query(one)
                assert is_exact(query)
                expected = {key for key, text in enumerate(texts) if live(query, text)}
                assert [found(connection, query) for connection in connections] == [expected, expected], one

        compare()


@pytest.mark.parametrize("times", [300, 20_000])
def test_a_word_that_is_often_repeated_and_a_phrase_at_the_end_of_a_long_text_are_found(times: int) -> None:
    texts = ["ипотека " * times + "первый взнос", "взнос " * times + "первый"]
    with archives() as connections:
        for connection in connections:
            write(connection, texts)
            assert found(connection, compile_query('"первый взнос"')) == {0}
            assert found(connection, compile_query('"ипотека первый"')) == {0}
            assert found(connection, compile_query("взнос -ипотека")) == {1}
