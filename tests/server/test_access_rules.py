"""What one caller of a shared server may see: the rest does not exist, in no tool, resource, name or count."""

from __future__ import annotations

import inspect
import json
import logging
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import MCPError
from mcp.types import BlobResourceContents, TextResourceContents

from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.errors import SettingsError
from liner_mcp.liner.client import LinerClient
from liner_mcp.liner.models import Call
from liner_mcp.liner.restricted_client import Access, RestrictedClient
from liner_mcp.reloading_file import InvalidFile
from liner_mcp.server.access_rules import MAX_AGENTS, parse_rules, rules_file, unused_sections
from liner_mcp.server.caller import Caller, set_caller
from tests.conftest import NOW, OpenSession, Session
from tests.fakes import FakeLiner, Fault
from tests.fakes.faults import Status
from tests.support.context import rows_of
from tests.support.sentences import assert_says, error_says, recorded

# ruff: noqa: ASYNC240 - the tests write the file while the server runs; nobody else waits for the disk
pytestmark = pytest.mark.anyio

ORDER, HIDDEN_ORDER, NO_ORDER = 201, 205, 299
AGENTS = (101, 102)
FILE = f"""
[callers.anna]
orders = [{ORDER}]
agents = "all"

[callers.boris]
orders = [{ORDER}]
agents = {list(AGENTS)}
phones = true
audio = false

[callers.vera]
orders = "all"
agents = "all"
"""

ConnectAs = Callable[..., AbstractAsyncContextManager[Session]]


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "access.toml"
    file.write_text(FILE, encoding="utf-8")
    file.chmod(0o600)
    return file


@pytest.fixture
def connect_as(connect: OpenSession, rules: Path) -> ConnectAs:
    """Open a session as a caller of that name, on a server with the access file above."""

    @asynccontextmanager
    async def opened(name: str | None, **options: Any) -> AsyncGenerator[Session]:
        with set_caller(None if name is None else Caller(name)):
            async with connect(**{"mcp_access_file": rules, **options}) as session:
                yield session

    return opened


def texts(contents: list[Any]) -> str:
    return "".join(
        one.text if isinstance(one, TextResourceContents) else one.blob
        for one in contents
        if isinstance(one, (TextResourceContents, BlobResourceContents))
    )


async def read(session: Session, uri: str) -> str:
    """The content of a resource, or what the refusal says."""
    try:
        return texts(list((await session.client.read_resource(uri)).contents))
    except MCPError as error:
        return f"{error.error.code} {error.error.message} {json.dumps(error.error.data)}"


# Misspelt names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "names", "said"),
    [
        ("ana", {"anna", "boris"}, '[callers."ana"]. Did you mean "anna"?'),
        ("Anna", {"anna", "boris"}, '[callers."Anna"]. Did you mean "anna"?'),
        ("anna ", {"anna", "boris"}, '[callers."anna "]. Did you mean "anna"?'),
        ("аnna", {"anna", "boris"}, r'[callers."\u0430nna"]. Did you mean "anna"?'),
        ("anna\u200b", {"anna", "boris"}, r'[callers."anna\u200b"]. Did you mean "anna"?'),
        ("вера", {"anna", "boris"}, '[callers."вера"].'),
        ("x" * 500, {"anna"}, f'[callers."{"x" * 80}"].'),
        ("anna", set[str](), '[callers."anna"].'),
    ],
)
def test_a_section_that_no_token_belongs_to_is_named_with_the_name_that_was_meant(
    section: str, names: set[str], said: str
) -> None:
    rules = parse_rules(f"[callers.{json.dumps(section)}]\norders = []\nagents = []".encode())
    (sentence,) = unused_sections(rules, names)
    assert sentence.endswith(said)
    assert unused_sections(rules, {section}) == []


@pytest.mark.parametrize("default", [True, False])
async def test_a_caller_without_a_section_is_logged_once(
    connect_as: ConnectAs, rules: Path, caplog: pytest.LogCaptureFixture, default: bool
) -> None:
    if default:
        rules.write_text(FILE + '[default]\norders = []\nagents = "all"\n', encoding="utf-8")
    async with connect_as("hanna") as session:
        for _ in range(3):
            await session.client.call_tool("list_directory", {"kind": "agents"})
    logged = [record.getMessage() for record in caplog.records if record.name == "liner_mcp.server.runtime"]
    assert len(logged) == 1
    assert_says(logged[0], "default_applies" if default else "this_caller_sees_nothing", at_end=True)


async def test_a_caller_with_a_section_is_not_logged(connect_as: ConnectAs, caplog: pytest.LogCaptureFixture) -> None:
    async with connect_as("anna") as session:
        await session.client.call_tool("list_directory", {"kind": "agents"})
    assert "has no section" not in caplog.text


@pytest.mark.skipif(os.name != "posix", reason="Windows has no permission bits")
@pytest.mark.parametrize(("mode", "word"), [(0o600, None), (0o640, None), (0o644, "can be read"), (0o666, "written")])
def test_permissions_that_let_others_in_are_worth_a_warning(
    rules: Path, caplog: pytest.LogCaptureFixture, mode: int, word: str | None
) -> None:
    rules.chmod(mode)
    rules_file(rules)
    assert [word in record.getMessage() for record in caplog.records if word] == ([True] if word else [])


# What is seen -------------------------------------------------------------------------------------------------------


async def test_a_caller_finds_the_calls_of_their_orders_and_all_of_them(
    connect_as: ConnectAs, dataset: Dataset
) -> None:
    found: set[int] = set()
    async with connect_as("anna") as session:
        asked: dict[str, Any] = {"since": "2026-11-18", "until": "2026-11-19", "limit": 200}
        answer = await session.answer("find_calls", **asked)
        found |= {row["call_id"] for row in rows_of(answer)}
        while cursor := answer["page"].get("next_cursor"):
            answer = await session.answer("find_calls", cursor=cursor)
            found |= {row["call_id"] for row in rows_of(answer)}
    mine = {
        call.id
        for call in dataset.calls.values()
        if call.order_id == ORDER and "2026-11-17T21" <= call.created_at.isoformat() < "2026-11-19T21"
    }
    assert found == mine
    assert len(mine) > 20


async def test_counts_are_those_of_the_calls_that_may_be_seen(connect_as: ConnectAs, dataset: Dataset) -> None:
    mine = [call for call in dataset.calls.values() if call.order_id == ORDER and call.user_id in AGENTS]
    async with connect_as("boris") as session:
        answer = await session.answer("call_stats", since="2026-10-01", until="2026-11-20", group_by=["agent"])
    assert answer["totals"]["calls"] == len(mine)
    assert {row["agent_id"] for row in rows_of(answer)} == set(AGENTS)


async def test_names_are_those_of_the_orders_and_agents_that_may_be_seen(connect_as: ConnectAs) -> None:
    async with connect_as("boris") as session:
        orders = await session.answer("list_directory", kind="orders")
        agents = await session.answer("list_directory", kind="agents")
        groups = await session.answer("list_directory", kind="agent_groups")
        statuses = await session.answer("list_directory", kind="call_statuses")
    assert {row["id"] for row in rows_of(orders)} == {ORDER}
    assert {row["id"] for row in rows_of(agents)} == set(AGENTS)
    assert [row["agents"] for row in rows_of(groups)] == [2]
    assert len(rows_of(statuses)) > 5


async def test_a_caller_of_everything_sees_everything(connect_as: ConnectAs, dataset: Dataset) -> None:
    async with connect_as("vera") as session:
        answer = await session.answer("call_stats", since="2026-10-01", until="2026-11-21", group_by=["order"])
    assert answer["totals"]["calls"] == len(dataset.calls)


async def test_the_calls_of_a_lead_are_shown_with_the_leads_order(connect_as: ConnectAs, dataset: Dataset) -> None:
    mine = next(call for call in dataset.calls.values() if call.order_id == ORDER)
    async with connect_as("anna") as session:
        answer = await session.answer("find_calls", leads=[mine.lead_id])
    assert mine.id in {row["call_id"] for row in rows_of(answer)}


async def test_a_cursor_of_another_caller_gives_only_what_the_reader_may_see(
    connect_as: ConnectAs, dataset: Dataset
) -> None:
    async with connect_as("vera") as session:
        page = (await session.answer("find_calls", since="2026-11-18", limit=5))["page"]
    async with connect_as("anna") as session:
        answer = await session.answer("find_calls", cursor=page["next_cursor"], limit=200)
    shown = {row["call_id"] for row in rows_of(answer)}
    assert shown
    assert {dataset.calls[one].order_id for one in shown} == {ORDER}


async def test_phones_and_audio_are_shown_as_the_rule_says(connect_as: ConnectAs, dataset: Dataset) -> None:
    call = next(
        call
        for call in dataset.calls.values()
        if call.order_id == ORDER and call.user_id in AGENTS and dataset.records_of(call.id)
    )
    record = dataset.records_of(call.id)[0]
    asked: dict[str, Any] = {"leads": [call.lead_id], "include": ["phone"]}
    async with connect_as("boris") as session:
        assert call.client_phone in json.dumps(await session.answer("find_calls", **asked))
        assert "audio_uri" not in (await session.answer("get_call_record", record_id=record.id))["record"]
        refusal = await read(session, f"liner://call-records/{record.id}/audio")
        assert_says(refusal, "your_access_to_this_server_does")
    async with connect_as("anna") as session:
        assert call.client_phone not in json.dumps(await session.answer("find_calls", **asked))
        assert "audio_uri" in (await session.answer("get_call_record", record_id=record.id))["record"]


# What is not seen does not exist --------------------------------------------------------------------------------------


def hidden(dataset: Dataset) -> dict[str, tuple[Any, Any]]:
    """Of each kind of id: one that exists and may not be seen, and one that nobody has, of the same length."""
    call = next(
        call
        for call in reversed(dataset.calls.values())
        if call.order_id == HIDDEN_ORDER and dataset.records_of(call.id) and dataset.records_of(call.id)[0].summary
    )
    return {
        "call": (call.id, 7999999),
        "record": (dataset.records_of(call.id)[0].id, 9999999),
        "lead": (call.lead_id, 5999999),
        "order": (HIDDEN_ORDER, NO_ORDER),
        "agent": (104, 199),
        "name": ("Лесной квартал", "Зимний квартал"),
        "agent name": ("Игорь Соколов", "Павел Соколов"),
    }


TOOLS: list[tuple[str, str, Callable[[Any], dict[str, Any]]]] = [
    ("list_call_records", "call", lambda one: {"call_id": one}),
    ("get_call_summaries", "call", lambda one: {"call_ids": [one]}),
    ("get_call_record", "record", lambda one: {"record_id": one}),
    ("get_call_record", "record", lambda one: {"record_id": one, "start": 5}),
    ("check_quotes", "record", lambda one: {"quotes": [{"record_id": one, "quote": "клиент"}]}),
    ("find_calls", "order", lambda one: {"orders": [one]}),
    ("find_calls", "name", lambda one: {"orders": [one]}),
    ("find_calls", "agent", lambda one: {"agents": [one]}),
    ("find_calls", "agent name", lambda one: {"agents": [one]}),
    ("find_calls", "lead", lambda one: {"leads": [one]}),
    ("find_calls", "lead", lambda one: {"leads": [one], "since": "2026-11-01"}),
    ("find_calls", "lead", lambda one: {"leads": [one], "since": "2026-11-01", "orders": [ORDER]}),
    ("find_calls", "order", lambda one: {"orders": [one], "since": "2026-11-01", "sample": 5, "seed": 1}),
    ("call_stats", "order", lambda one: {"orders": [one], "since": "2026-11-01"}),
    ("call_stats", "lead", lambda one: {"leads": [one], "since": "2026-11-01", "group_by": ["order"]}),
    ("call_stats", "lead", lambda one: {"leads": [one], "since": "2026-11-01", "include": ["records"]}),
    ("list_directory", "name", lambda one: {"kind": "orders", "query": one}),
    ("list_directory", "agent name", lambda one: {"kind": "agents", "query": one}),
]
RESOURCES = [
    ("liner://calls/{}", "call"),
    ("liner://call-records/{}", "record"),
    ("liner://call-records/{}/summary", "record"),
    ("liner://call-records/{}/audio", "record"),
]


class OddNotFoundLiner:
    """A Liner that says in its own way that it knows nothing: whatever it would answer with 404 is answered so."""

    def __init__(self, liner: DemoLiner, body: bytes, status: int = 200) -> None:
        self.liner = liner
        self.body = body
        self.status = status

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        parts: list[MutableMapping[str, Any]] = []

        async def collect(message: MutableMapping[str, Any]) -> None:
            parts.append(message)

        await self.liner(scope, receive, collect)
        if parts[0]["status"] == 404:
            parts = [
                {"type": "http.response.start", "status": self.status, "headers": []},
                {"type": "http.response.body", "body": self.body},
            ]
        for part in parts:
            await send(part)


REFUSED = b'{"success":false,"message":"\\u041d\\u0435\\u0442 \\u0434\\u043e\\u0441\\u0442\\u0443\\u043f\\u0430"}'
SAYING: dict[str, tuple[bytes, int] | None] = {
    "404": None,
    "404 with a web page": (b"<h1>Not Found</h1>", 404),
    "404 without a body": (b"", 404),
    "410": (REFUSED, 410),
    "403": (REFUSED, 403),
    "a web page": (b"<h1>No such call</h1>", 200),
    "refused": (REFUSED, 200),
    "null": (b'{"success":true,"data":null}', 200),
    "empty": (b'{"success":true,"data":[]}', 200),
}


@pytest.fixture(params=SAYING)
def odd_liner(request: pytest.FixtureRequest, liner: DemoLiner) -> Callable[..., Awaitable[None]]:
    said = SAYING[request.param]
    return liner if said is None else OddNotFoundLiner(liner, *said)


@pytest.mark.parametrize("caller", ["anna", "boris"])
async def test_what_may_not_be_seen_and_what_does_not_exist_are_answered_byte_for_byte_the_same(
    connect_as: ConnectAs, odd_liner: Any, dataset: Dataset, caller: str
) -> None:
    ids = hidden(dataset)
    async with connect_as(caller, app=odd_liner) as session:
        for tool, kind, arguments in TOOLS:
            if kind.startswith("agent") and caller == "anna":
                continue  # she sees all agents
            there, nowhere = ids[kind]
            answers = [await session.call(tool, **arguments(one)) for one in (there, nowhere)]
            seen, unseen = (
                f"{answer.is_error} {answer.content} {answer.structured_content}".replace(str(one), "ID")
                for answer, one in zip(answers, (there, nowhere), strict=True)
            )
            assert seen == unseen, (tool, kind)
        for uri, kind in RESOURCES:
            there, nowhere = ids[kind]
            seen = (await read(session, uri.format(there))).replace(str(there), "ID")
            unseen = (await read(session, uri.format(nowhere))).replace(str(nowhere), "ID")
            assert seen == unseen, uri


@pytest.mark.parametrize("caller", ["anna", "boris"])
async def test_what_may_not_be_seen_and_what_does_not_exist_cause_the_same_requests(
    connect_as: ConnectAs, odd_liner: Any, liner: FakeLiner, dataset: Dataset, caller: str
) -> None:
    ids = hidden(dataset)

    def take_requests() -> list[str]:
        targets = sorted(re.sub(r"(?<=[=/])[0-9][0-9T%AZ-]*(?=/|&|$)", "N", target) for target in liner.requests)
        liner.requests.clear()
        return targets

    async with connect_as(caller, app=odd_liner) as session:
        for kind in ("orders", "agents", "agent_groups", "call_statuses", "lead_statuses"):
            await session.answer("list_directory", kind=kind)
        take_requests()
        for tool, kind, arguments in TOOLS:
            caused: list[list[str]] = []
            for one in ids[kind]:
                await session.call(tool, **arguments(one))
                caused.append(take_requests())
            if not (kind.startswith("agent") and caller == "anna"):  # she sees all agents
                assert caused[0] == caused[1], (tool, kind)
        for uri, kind in RESOURCES:
            caused = []
            for one in ids[kind]:
                await read(session, uri.format(one))
                caused.append(take_requests())
            assert caused[0] == caused[1], uri


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, b"<h1>Not Found</h1>", "liner_api_host"),
        (200, b"<form>", "liner_api_host"),
        (403, b"<title>Blocked</title>", "in_front_of_liner"),
        (401, b'{"success":false,"message":"Unauthorized"}', "refuses_access_http_401_unauthorized"),
    ],
)
async def test_a_restricted_caller_is_told_of_a_wrong_address_and_token_too(
    connect_as: ConnectAs, dataset: Dataset, status: int, body: bytes, said: str
) -> None:
    async def elsewhere(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    ids = hidden(dataset)
    async with connect_as("anna", app=elsewhere) as session:
        for one in ids["call"]:
            assert_says(await session.refusal("list_call_records", call_id=one), said)
        for one in ids["record"]:
            assert_says(await session.refusal("get_call_record", record_id=one), said)
            assert_says(await read(session, f"liner://call-records/{one}/summary"), said)


async def test_what_the_comparison_compares_is_there_for_who_may_see_it(
    connect_as: ConnectAs, dataset: Dataset
) -> None:
    ids = hidden(dataset)
    async with connect_as("vera") as session:
        for tool, kind, arguments in TOOLS:
            answers = [await session.call(tool, **arguments(one)) for one in ids[kind]]
            seen, unseen = (
                str(answer.content).replace(str(one), "ID") for answer, one in zip(answers, ids[kind], strict=True)
            )
            assert seen != unseen, (tool, kind)


async def test_a_record_whose_order_cannot_be_established_is_not_shown(connect_as: ConnectAs, dataset: Dataset) -> None:
    record = next(one for one in dataset.records.values() if dataset.calls[one.call_id].order_id == ORDER)
    orphan = Dataset.generate(now=NOW)
    orphan.records[record.id] = replace(record, lead_id=None)
    async with connect_as("anna", app=DemoLiner(orphan)) as session:
        assert_says(await session.refusal("get_call_record", record_id=record.id), "liner_has_no_call_record")
    async with connect_as("vera", app=DemoLiner(orphan)) as session:
        assert (await session.answer("get_call_record", record_id=record.id))["record"]["record_id"] == record.id


async def test_a_record_of_a_hidden_call_is_hidden_though_its_lead_is_not(connect_as: ConnectAs) -> None:
    dataset = Dataset.generate(now=NOW)
    call = next(one for one in dataset.calls.values() if one.order_id == HIDDEN_ORDER and dataset.records_of(one.id))
    mine = next(lead for lead in dataset.leads.values() if lead.order_id == ORDER)
    dataset.calls[call.id] = replace(call, lead_id=mine.id)
    record = dataset.records_of(call.id)[0]
    dataset.records[record.id] = replace(record, lead_id=mine.id)
    async with connect_as("anna", app=DemoLiner(dataset)) as session:
        assert_says(await session.refusal("get_call_record", record_id=record.id), "liner_has_no_call_record")
        for part in ("", "/summary", "/audio"):
            assert_says(await read(session, f"liner://call-records/{record.id}{part}"), "liner_has_no_call_record")
    async with connect_as("vera", app=DemoLiner(dataset)) as session:
        assert (await session.answer("get_call_record", record_id=record.id))["record"]["record_id"] == record.id


@pytest.mark.parametrize("caller", ["anna", "boris"])
async def test_a_record_read_by_its_id_agrees_with_the_list_it_stands_in(connect_as: ConnectAs, caller: str) -> None:
    dataset = Dataset.generate(now=NOW)
    call = next(
        one
        for one in dataset.calls.values()
        if one.order_id == ORDER and one.user_id in AGENTS and dataset.records_of(one.id)
    )
    record = dataset.records_of(call.id)[0]
    dataset.records[record.id] = replace(record, user_id=104)  # the voice of another agent in their call
    async with connect_as(caller, app=DemoLiner(dataset)) as session:
        alone = await session.answer("get_call_record", record_id=record.id)
        listed = await session.answer("list_call_records", call_id=call.id)
    assert alone["record"]["agent_id"] == 104
    assert record.id in {row["record_id"] for row in rows_of(listed)}


async def test_what_others_looked_at_tells_nothing_when_liner_fails(connect_as: ConnectAs, dataset: Dataset) -> None:
    ids = hidden(dataset)
    liner = FakeLiner(dataset)
    async with connect_as("vera", app=liner) as session:
        for who in ("vera", "anna"):
            liner.faults = [] if who == "vera" else [Fault(Status(500), "^/v2/")]
            with set_caller(Caller(who)):
                for tool, kind, arguments in TOOLS[:4]:
                    answers = [await session.call(tool, **arguments(one)) for one in ids[kind]]
                    seen, unseen = (
                        str(answer).replace(str(one), "ID") for answer, one in zip(answers, ids[kind], strict=True)
                    )
                    assert (seen == unseen) == (who == "anna"), (who, tool)


async def test_counts_of_hidden_calls_of_a_lead_are_not_told(connect_as: ConnectAs) -> None:
    dataset = Dataset.generate(now=NOW)
    lead = next(one for one in dataset.leads.values() if one.order_id == ORDER)
    for n in range(130):
        order_id = ORDER if n % 20 == 0 else HIDDEN_ORDER
        made = dataset.add_call(created_at=NOW - timedelta(hours=1, minutes=n))
        dataset.calls[made.id] = replace(made, lead_id=lead.id, order_id=order_id)
    async with connect_as("anna", app=DemoLiner(dataset)) as session:
        answer = await session.answer("find_calls", leads=[lead.id], since="yesterday", limit=2)
        relaxed = await session.answer("find_calls", leads=[lead.id], since="-10h", min_talk_seconds=5_000)
    told = json.dumps([answer["page"], answer.get("notes"), relaxed["page"], relaxed.get("notes")])
    assert not re.search(r"\b1[2-4][0-9]\b", told), told


def test_a_call_of_no_order_or_no_agent_is_no_one_but_theirs_who_see_all() -> None:
    stray = Call(id=1, order_id=None, user_id=None)
    assert not Access(orders=frozenset({ORDER})).allows_call(stray)
    assert not Access(agents=frozenset(AGENTS)).allows_call(stray)
    assert not Access(orders=frozenset()).allows_call(Call(id=1, order_id=ORDER))
    assert Access().allows_call(stray)


def test_what_the_client_can_do_is_restricted_or_out_of_reach_of_a_caller() -> None:
    everything = {name for name, _ in inspect.getmembers(LinerClient, callable) if name[0] != "_"}
    of_the_process = {"open", "aclose", "health", "calls_page"}
    restricted = {name for name, _ in inspect.getmembers(RestrictedClient, callable) if name[0] != "_"}
    assert everything - of_the_process == restricted


IDS = st.sampled_from([201, 202, 203, 204, 205, 206, 299])
AGENT_IDS = st.sampled_from([101, 102, 103, 104, 199])


@given(
    orders=st.none() | st.frozensets(IDS),
    agents=st.none() | st.frozensets(AGENT_IDS),
    order_id=st.none() | IDS,
    agent_id=st.none() | AGENT_IDS,
)
def test_a_call_is_seen_exactly_when_its_order_and_its_agent_are_listed(
    orders: frozenset[int] | None, agents: frozenset[int] | None, order_id: int | None, agent_id: int | None
) -> None:
    seen = Access(orders, agents).allows_call(Call(id=1, order_id=order_id, user_id=agent_id))
    assert seen == ((orders is None or order_id in orders) and (agents is None or agent_id in agents))


async def test_a_liner_that_ignores_filters_shows_nothing_more(connect_as: ConnectAs, dataset: Dataset) -> None:
    class Careless(DemoLiner):
        async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            query: bytes = scope.get("query_string", b"")
            kept = [part for part in query.split(b"&") if not part.startswith((b"userIds", b"orderIds"))]
            everything = b"&".join(b"orderIds%%5B%%5D=%d" % one for one in range(201, 207))
            if scope["path"] == "/v2/call/":
                scope = {**scope, "query_string": b"&".join([*kept, everything])}
            await super().__call__(scope, receive, send)

    async with connect_as("boris", app=Careless(dataset)) as session:
        answer = await session.answer("find_calls", since="2026-11-19", until="2026-11-19", limit=200)
    shown = [dataset.calls[row["call_id"]] for row in rows_of(answer)]
    assert shown
    assert {(call.order_id, call.user_id in AGENTS) for call in shown} == {(ORDER, True)}


# Who is asked about --------------------------------------------------------------------------------------------------


async def test_who_is_not_named_sees_nothing_and_is_told_whom_to_ask(connect_as: ConnectAs) -> None:
    async with connect_as("gleb") as session:
        refusal = await session.refusal("find_calls")
        assert refusal == await session.refusal("list_directory", kind="orders")
    assert refusal == (recorded("you_are_known_here_as_gleb"))


async def test_the_default_covers_who_is_not_named(connect_as: ConnectAs, rules: Path) -> None:
    rules.write_text(f"{FILE}\n[default]\norders = [{HIDDEN_ORDER}]\nagents = 'all'\n", encoding="utf-8")
    async with connect_as("gleb") as session:
        assert [row["id"] for row in rows_of(await session.answer("list_directory", kind="orders"))] == [HIDDEN_ORDER]
    async with connect_as("anna") as session:
        assert [row["id"] for row in rows_of(await session.answer("list_directory", kind="orders"))] == [ORDER]


async def test_where_no_one_is_known_by_name_the_file_lets_no_one_in(connect_as: ConnectAs) -> None:
    async with connect_as(None) as session:
        assert_says(await session.refusal("find_calls"), "it_needs_serve_http_with_liner")


async def test_without_a_file_every_caller_sees_everything(connect_as: ConnectAs, dataset: Dataset) -> None:
    async with connect_as("gleb", mcp_access_file=None) as session:
        answer = await session.answer("list_directory", kind="orders")
    assert len(rows_of(answer)) == len(dataset.orders)


async def test_a_change_of_the_file_holds_for_the_next_question(connect_as: ConnectAs, rules: Path) -> None:
    async with connect_as("anna") as session:
        assert [row["id"] for row in rows_of(await session.answer("list_directory", kind="orders"))] == [ORDER]
        rules.write_text(f"[callers.anna]\norders = [{HIDDEN_ORDER}, {ORDER}]\nagents = 'all'\n", encoding="utf-8")
        shown = {row["id"] for row in rows_of(await session.answer("list_directory", kind="orders"))}
        assert shown == {ORDER, HIDDEN_ORDER}


async def test_a_file_that_breaks_while_serving_keeps_the_last_good_rules_and_says_so(
    connect_as: ConnectAs, rules: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect_as("anna") as session:
        await session.answer("list_directory", kind="orders")
        rules.write_text("[callers.anna]\norders = 'every one of them'\nagents = 'all'\n", encoding="utf-8")
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                answer = await session.answer("list_directory", kind="orders")
                assert [row["id"] for row in rows_of(answer)] == [ORDER]
        rules.unlink()
        assert [row["id"] for row in rows_of(await session.answer("list_directory", kind="orders"))] == [ORDER]
    told = [record.getMessage() for record in caplog.records if record.name == "liner_mcp.reloading_file"]
    assert told[0] == (recorded("liner_mcp_access_file_cannot_be"))
    assert "every one" not in "".join(told)


async def test_a_file_that_cannot_be_used_at_the_start_is_told_with_its_place(
    connect_as: ConnectAs, rules: Path
) -> None:
    rules.write_text("[callers.anna\n", encoding="utf-8")
    async with connect_as("anna") as session:
        refusal = await session.refusal("find_calls")
    assert_says(refusal, "liner_mcp_access_file_cannot_be_used", at_start=True)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\xff", recorded("it_is_not_utf_8_text")),
        (b"[callers.anna]\nagents = [1]", recorded("callers_anna_orders_is_missing_list")),
        (b"[callers.anna]\norders = [1]", recorded("callers_anna_agents_is_missing_list")),
        (b"[callers.anna]\nagents = 'all'\norders = [0]", recorded("callers_anna_orders_must_be_a")),
        (b"[callers.anna]\nagents = 'all'\norders = [true]", recorded("callers_anna_orders_must_be_a")),
        (b"[callers.anna]\nagents = 'all'\norders = ['201']", recorded("callers_anna_orders_must_be_a")),
        (b"[callers.anna]\nagents = 'all'\norders = 'ALL'", recorded("callers_anna_orders_must_be_a")),
        (b"[callers.anna]\nagents = 'all'\norders = 'all'\nphones = 'y'", recorded("callers_anna_phones_must_be_true")),
        (b"[callers.anna]\nagents = 'all'\norders = 'all'\norder = 1", recorded("callers_anna_order_is_unknown_a")),
        (b"[default]\nagents = 'all'\norders = 'all'\naudio = 1", recorded("default_audio_must_be_true_or")),
        (b"[anna]\norders = 'all'", recorded("anna_is_unknown")),
        (b"callers = 5", recorded("callers_must_be_a_table")),
        (b"[callers]\nanna = 5", recorded("callers_anna_must_be_a_table")),
        (b"[callers.anna]\norders = 'all'\nagents = [" + b"1," * (MAX_AGENTS + 1) + b"]", f"at most {MAX_AGENTS}"),
    ],
)
def test_each_mistake_in_the_file_is_one_clause_that_names_the_key(content: bytes, complaint: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        parse_rules(content)
    assert complaint in str(caught.value)


def test_a_mistake_in_the_section_of_a_phone_is_logged_without_the_phone() -> None:
    with pytest.raises(InvalidFile) as caught:
        parse_rules(b"[callers.79161234567]\nagents = 'all'\norders = 5")
    assert "callers.sha256:" in str(caught.value)
    assert "7916" not in str(caught.value)


def test_an_empty_file_lets_no_one_in() -> None:
    with pytest.raises(SettingsError, check=error_says("nothing_may_be_seen_yet")):
        parse_rules(b"").for_caller("anna")
