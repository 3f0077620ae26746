"""A caller with access rules gets from an archive what the rules allow, and learns of nothing else that it holds."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from liner_mcp.archive.connection import Location
from liner_mcp.archive.database import open_connection
from liner_mcp.archive.spans import Span
from liner_mcp.demo import Dataset
from liner_mcp.demo.entities import Call
from liner_mcp.server.caller import Caller, set_caller
from tests.archive.conftest import NewArchive
from tests.archive.questions import Question, call_questions, entity_questions
from tests.archive.sessions import assert_equal, opened, read
from tests.conftest import NOW, Session
from tests.fakes import FakeLiner
from tests.server.test_access_rules import AGENTS, FILE, HIDDEN_ORDER, ORDER, RESOURCES, TOOLS, hidden
from tests.support.archive import DAY, EVERYTHING, LAST_MIDNIGHT, SOURCE, fill
from tests.support.context import rows_of

pytestmark = pytest.mark.anyio
HIDDEN_AGENT = 104
PARTS = [Span(EVERYTHING.since, LAST_MIDNIGHT - DAY), Span(LAST_MIDNIGHT, EVERYTHING.until)]


@asynccontextmanager
async def opened_as(
    name: str, folder: Path, dataset: Dataset, **more: Any
) -> AsyncGenerator[tuple[Session, FakeLiner]]:
    rules = folder / "access.toml"
    rules.write_text(FILE, encoding="utf-8")
    with set_caller(Caller(name)):
        async with opened(dataset, mcp_access_file=rules, **more) as session:
            yield session


def forget(archive: Location, call: Call, records: list[int]) -> None:
    """Note a call as forgotten, as the command does, without deleting its rows."""
    with closing(open_connection(archive, source=SOURCE, writable=True)) as connection, connection.writing():
        created = int(call.created_at.timestamp() * 1_000_000)
        connection.rows(
            "INSERT INTO forgotten_call VALUES (?, ?, ?, ?)", (call.id, created, call.order_id, call.user_id)
        )
        connection.run_many("INSERT INTO forgotten_record VALUES (?, ?)", [(one, call.id) for one in records])


def small() -> Dataset:
    return Dataset.generate(now=NOW, days=6, calls=150)


def with_hidden_calls(path: Location) -> tuple[Dataset, Location]:
    """The same world with calls of a hidden order and of a hidden agent, some of them forgotten, and its archive."""
    dataset = small()
    hidden_calls: list[Call] = []
    for hours in (1, 30, 60, 100):
        moment = NOW.replace(hour=1) - hours * (NOW - NOW.replace(hour=14))
        hidden_calls += [
            dataset.add_call(order=HIDDEN_ORDER, created_at=moment),
            dataset.add_call(order=ORDER, agent=HIDDEN_AGENT, created_at=moment),
        ]
    for call in hidden_calls:
        dataset.add_record(call.id, summary="Клиент просит ипотеку и встречу", is_transfer=True)
    spans = {order.id: PARTS for order in dataset.orders} | {HIDDEN_ORDER: [EVERYTHING]}
    archive = fill(path, dataset, spans)
    for call in hidden_calls[:2]:
        forget(archive, call, [record.id for record in dataset.records_of(call.id)])
    return dataset, archive


async def test_two_worlds_that_differ_in_what_is_hidden_are_the_same_for_a_caller(
    tmp_path: Path, new_archive: NewArchive
) -> None:
    here, there = small(), with_hidden_calls(new_archive())
    archive = fill(new_archive(), here, {order.id: PARTS for order in here.orders if order.id != HIDDEN_ORDER})
    questions = [*call_questions(), *entity_questions(here)]
    async with (
        opened_as("boris", tmp_path, here, archive=archive) as (one, liner),
        opened_as("boris", tmp_path, there[0], archive=there[1]) as (other, other_liner),
    ):
        for question in questions:
            liner.requests.clear()
            other_liner.requests.clear()
            results = [await _whole(session, question) for session in (one, other)]
            assert results[0] == results[1], question
            assert set(liner.requests) == set(other_liner.requests), question


async def _whole(session: Session, question: Question) -> Any:
    """The answer with all its members."""
    tool, arguments = question
    if tool == "read":
        return await read(session, arguments["uri"])
    result = await session.call(tool, **arguments)
    return (result.is_error, result.content, result.structured_content)


@pytest.mark.parametrize("caller", ["anna", "boris"])
async def test_hidden_and_unknown_ids_are_the_same_in_answers_and_requests(
    tmp_path: Path, path: Location, dataset: Dataset, caller: str
) -> None:
    ids = hidden(dataset)
    archive = fill(path, dataset, {ORDER: PARTS, HIDDEN_ORDER: [EVERYTHING]})
    async with opened_as(caller, tmp_path, dataset, archive=archive) as (session, liner):
        asked: list[tuple[str, list[Question]]] = [
            *((kind, [(tool, arguments(one)) for one in ids[kind]]) for tool, kind, arguments in TOOLS),
            *((kind, [("read", {"uri": uri.format(one)}) for one in ids[kind]]) for uri, kind in RESOURCES),
        ]
        for kind, questions in asked:
            if kind.startswith("agent") and caller == "anna":
                continue  # she sees all agents
            seen: list[tuple[str, set[str]]] = []
            for one, question in zip(ids[kind], questions, strict=True):
                liner.requests.clear()
                answer = str(await _whole(session, question)).replace(str(one), "ID")
                # Two reads of one id share a request if they meet, so each target counts once.
                targets = {re.sub(r"(?<=[=/])[0-9][0-9T%AZ-]*(?=/|&|$)", "N", one) for one in liner.requests}
                seen.append((answer, targets))
            assert seen[0] == seen[1], questions[0]


@pytest.mark.parametrize("caller", ["anna", "boris", "vera"])
async def test_answers_are_those_without_an_archive(tmp_path: Path, path: Location, caller: str) -> None:
    dataset, archive = with_hidden_calls(path)
    with closing(open_connection(archive, source=SOURCE, writable=True)) as connection:
        connection.rows("DELETE FROM forgotten_call")
        connection.rows("DELETE FROM forgotten_record")
    async with (
        opened_as(caller, tmp_path, dataset) as (live, _),
        opened_as(caller, tmp_path, dataset, archive=archive) as (archived, _),
    ):
        for question in [*list(call_questions())[::3], *entity_questions(dataset)]:
            await assert_equal(live, archived, question, pages=2)


async def test_an_archived_window_costs_a_restricted_caller_no_request(tmp_path: Path, path: Location) -> None:
    dataset, archive = with_hidden_calls(path)
    async with opened_as("boris", tmp_path, dataset, archive=archive) as (session, liner):
        asked: dict[str, Any] = {"since": "2026-11-16", "until": "2026-11-18", "include": ["summary"]}
        answer = await session.answer("find_calls", **asked)
    assert liner.requests == []
    assert {row["agent_id"] for row in rows_of(answer)} <= set(AGENTS)
    assert {row["order_id"] for row in rows_of(answer)} == {ORDER}
