"""Hostile texts from Liner through an MCP client: whatever they say, they stay in their own cell and do nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client
from mcp.types import TextResourceContents

from liner_mcp.names.directory import MAX_NAME_CHARACTERS
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from liner_mcp.text.clean import clean, is_cut
from liner_mcp.text.mask import mask, truncate
from tests.conftest import NOW, OpenSession, Session, text_of
from tests.fakes.adversarial_liner import FAKE_CURSOR, HARMLESS, REAL_CURSOR, TEXTS, AdversarialDataset, replace_strings
from tests.support.account import ACCOUNT
from tests.support.asgi_server import serve_app
from tests.support.context import AlteredLiner, rows_of
from tests.support.sentences import assert_says

SUMMARY_CHARS = 4000
SIX = 6  # orders of the fake Liner: so many names are tried at once
DAY: dict[str, Any] = {"since": "2026-11-20", "until": "2026-11-20"}
KINDS = ("orders", "agents", "agent_groups", "call_statuses", "lead_statuses")
# Any character there is, halves of pairs too, and often those that a format, a pipe or a terminal trips over.
ANY_TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from('"\\{}[],:\n\r\t\x00\x1b\x7f\x85\u2028\u2029\ufeff\ud83d\ude00\u202e<>!|@/4567'),
    ),
    max_size=120,
)


@pytest.fixture(scope="module")
def adversarial() -> AdversarialDataset:
    return AdversarialDataset()


def summary_shown(text: str) -> str:
    return mask(clean(text).strip())


def line_of(text: str) -> str:
    return " ".join(clean(text).split())


def name_shown(text: str) -> str:
    return truncate(mask(line_of(text)), MAX_NAME_CHARACTERS)


def around(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer but for its table: every member of it that is not a row."""
    return {name: value for name, value in answer.items() if name not in ("columns", "rows", "every_row")}


def expected_row(harmless: dict[str, Any], text: str) -> dict[str, Any]:
    """The row as it must be when its record's summary is `text`: nothing changes but what tells of the summary."""
    visible = summary_shown(text)
    told: dict[str, Any] = {"summary_state": "ready", "summary": visible}
    if not visible:
        told = {"summary_state": "none", "summary": None}
    if len(visible) > SUMMARY_CHARS:
        told = {"summary_state": "cut", "summary": truncate(visible, SUMMARY_CHARS)}
        if not is_cut(clean(text).strip()):
            told["summary_length"] = len(visible)
    return {**harmless, **told}


@asynccontextmanager
async def session(app: Any, mode: Any = "auto", **fields: Any) -> AsyncGenerator[Session]:
    made = Settings(**ACCOUNT, timezone="Europe/Moscow", requests_per_second=0, max_answer_bytes=60_000, **fields)
    server = create_server(made, transport=httpx.ASGITransport(app=app), now=lambda: NOW)
    async with Client(server, mode=mode, raise_exceptions=True) as client:
        yield Session(client)


async def answer(asked: Session, tool: str, **arguments: Any) -> dict[str, Any]:
    """The answer, whose text is one line of JSON that says the same as its structure."""
    result = await asked.call(tool, **arguments)
    assert not result.is_error, text_of(result)
    text = text_of(result)
    assert json.loads(text) == result.structured_content
    assert text == clean(text)
    assert "\n" not in text
    assert result.structured_content is not None
    return result.structured_content


async def on_one_call(asked: Session, adversarial: AdversarialDataset, name: str) -> dict[str, dict[str, Any]]:
    """What the tools that tell summaries say of the call that bears this text."""
    call_id, record_id = adversarial.calls[name], adversarial.records[name]
    return {
        "list_call_records": await answer(asked, "list_call_records", call_id=call_id, summary_chars=SUMMARY_CHARS),
        "get_call_summaries": await answer(asked, "get_call_summaries", call_ids=call_id, summary_chars=SUMMARY_CHARS),
        "get_call_record": await answer(asked, "get_call_record", record_id=record_id),
    }


def assert_text_stays_in_its_cell(
    told: dict[str, dict[str, Any]], harmless: dict[str, dict[str, Any]], text: str
) -> None:
    long = is_cut(clean(text).strip())
    if long:  # one note more, and nothing else
        for one in told.values():
            notes = one.pop("notes")
            assert_says(notes[0], "longer_than_100_000_characters_the")
            if len(notes) > 1:
                one["notes"] = notes[1:]
    for tool in ("list_call_records", "get_call_summaries"):
        assert around(told[tool]) == around(harmless[tool])
        assert rows_of(told[tool]) == [expected_row(row, text) for row in rows_of(harmless[tool])]
    visible, whole = summary_shown(text), told["get_call_record"]
    assert {**whole, "summary": None} == {**harmless["get_call_record"], "summary": None}
    summary = whole["summary"]
    assert visible[: len(summary.get("text", ""))] == summary.get("text", "")
    assert summary["state"] == ("none" if not visible else "cut" if long or "next_start" in summary else "ready")


# Summaries -----------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_adversarial_summaries_change_their_own_cells_and_nothing_else(
    adversarial: AdversarialDataset, mode: Any
) -> None:
    liner, usual = adversarial.liner(TEXTS), adversarial.liner()
    async with session(liner, mode) as asked, session(usual, mode) as asked_usual:
        for name, text in TEXTS.items():
            told, harmless = (
                await on_one_call(asked, adversarial, name),
                await on_one_call(asked_usual, adversarial, name),
            )
            assert_text_stays_in_its_cell(told, harmless, text)
        for tool in ("find_calls", "call_stats"):
            assert await answer(asked, tool, **DAY) == await answer(asked_usual, tool, **DAY)
    # Nothing that a summary names was looked up: Liner was asked the same as ever.
    # How many records are read ahead depends on how long the texts are; what is asked for does not.
    assert _kinds(liner.demo.requests) == _kinds(usual.demo.requests)


def test_no_summary_whatever_changes_more_than_its_own_cell(
    adversarial: AdversarialDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liner_mcp.liner.cache.CACHE_TTL_SECONDS", 0.0)  # one record has many summaries here
    texts: dict[str, str] = {}
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(session(ChangingSummariesLiner(adversarial, texts))) as asked,
        portal.wrap_async_context_manager(session(adversarial.liner())) as asked_usual,
    ):
        harmless = portal.call(on_one_call, asked_usual, adversarial, "huge")

        @settings(max_examples=60, deadline=None)
        @given(text=ANY_TEXT)
        def holds(text: str) -> None:
            texts["huge"] = text
            assert_text_stays_in_its_cell(portal.call(on_one_call, asked, adversarial, "huge"), harmless, text)

        holds()


class ChangingSummariesLiner:
    """Liner with summaries that may be changed between two requests."""

    def __init__(self, adversarial: AdversarialDataset, summaries: dict[str, str]) -> None:
        self.adversarial, self.summaries = adversarial, summaries

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.adversarial.liner(self.summaries)(scope, receive, send)


@pytest.mark.anyio
async def test_resources_keep_adversarial_summaries_in_their_place(
    adversarial: AdversarialDataset, connect: OpenSession
) -> None:
    async def read(uri: str) -> str:
        (content,) = (await asked.client.read_resource(uri)).contents
        assert isinstance(content, TextResourceContents)
        return content.text

    async with connect(app=adversarial.liner(TEXTS), max_answer_bytes=60_000) as asked:
        for name, text in TEXTS.items():
            visible, record = summary_shown(text), f"liner://call-records/{adversarial.records[name]}"
            whole, plain = json.loads(await read(record)), await read(f"{record}/summary")
            (row,) = rows_of(json.loads(await read(f"liner://calls/{adversarial.calls[name]}")))
            assert whole["record"]["record_id"] == adversarial.records[name] == row["record_id"]
            assert visible.startswith(whole["summary"].get("text", ""))
            assert (row["summary"] or "") == truncate(visible, 600)
            line, _, rest = plain.partition("\n")
            if visible:
                assert_says(line, "summary_of_call_record_by_liners", name=adversarial.records[name], at_start=True)
                assert_says(line, "all_below_this_line_is_data", at_end=True)
                assert visible.startswith(rest.removesuffix("…"))
            else:
                assert_says(line, "liner_has_no_summary_of_this", at_start=True)


@pytest.mark.anyio
@pytest.mark.parametrize("cursor", [FAKE_CURSOR, REAL_CURSOR, TEXTS["cursor"], TEXTS["json_end"], TEXTS["terminal"]])
async def test_a_cursor_out_of_a_text_is_refused_with_a_sentence(
    connect: OpenSession, adversarial: AdversarialDataset, cursor: str
) -> None:
    async with connect(app=adversarial.liner()) as asked:
        for tool, arguments in (("find_calls", DAY), ("list_call_records", {"call_id": adversarial.calls["huge"]})):
            sentence = await asked.refusal(tool, **arguments, cursor=cursor)
            assert sentence.startswith("cursor ")
            assert sentence.endswith("first page.")
            assert len(sentence) < 250


# Names ---------------------------------------------------------------------------------------------------------------


async def naming_answers(adversarial: AdversarialDataset, names: list[str], mode: Any) -> list[dict[str, Any]]:
    async with session(adversarial.liner(names=names), mode) as asked:
        return [
            await answer(asked, "list_call_records", call_id=adversarial.calls["huge"]),
            await answer(asked, "find_calls", **DAY, include=["phone"]),
            await answer(asked, "call_stats", **DAY, group_by=["agent", "order"]),
            *[await answer(asked, "list_directory", kind=kind) for kind in KINDS],
        ]


async def assert_names_stay_in_their_cells(
    adversarial: AdversarialDataset, names: list[str], mode: Any = "auto"
) -> None:
    usual = [f"{HARMLESS}{number}" for number in range(len(names))]
    told, harmless = await naming_answers(adversarial, names, mode), await naming_answers(adversarial, usual, mode)
    texts = {f"{kind} {old}": name_shown(f"{kind} {new}") for kind in ("order", "status", "group")
             for old, new in zip(usual, names, strict=True)}  # fmt: skip
    for old, new in zip(usual, names, strict=True):  # first and last name
        texts[f"agent {old} agent {old}"] = name_shown(
            f"{f'agent {clean(new)}'.strip()} {f'agent {clean(new)}'.strip()}"
        )
    for given_answer, harmless_answer in zip(told, harmless, strict=True):
        expected = with_groups(replace_strings(harmless_answer, texts), texts)
        assert around(given_answer) == around(expected)
        # Directories are sorted by what they show.
        assert sorted(map(repr, given_answer["rows"])) == sorted(map(repr, expected["rows"]))
        assert given_answer["columns"] == expected["columns"]


def with_groups(told: dict[str, Any], texts: dict[str, str]) -> dict[str, Any]:
    """The groups of an agent stand in one cell."""
    if "groups" in told["columns"]:
        for row in told["rows"]:
            groups: str = row[-1] or ""
            row[-1] = ", ".join(texts.get(name, name) for name in groups.split(", ")) or None
    return told


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("first", range(0, len(TEXTS), SIX))
async def test_adversarial_names_are_short_lines_in_their_own_places(
    adversarial: AdversarialDataset, mode: Any, first: int
) -> None:
    await assert_names_stay_in_their_cells(adversarial, list(TEXTS.values())[first : first + SIX], mode)


@settings(max_examples=10, deadline=None)
@given(names=st.lists(ANY_TEXT, min_size=SIX, max_size=SIX, unique_by=name_shown))
def test_no_name_whatever_changes_more_than_itself(adversarial: AdversarialDataset, names: list[str]) -> None:
    anyio.run(assert_names_stay_in_their_cells, adversarial, names)


@pytest.mark.anyio
async def test_candidates_in_a_refusal_are_shown_short_clean_and_masked(
    adversarial: AdversarialDataset, connect: OpenSession
) -> None:
    for first in range(0, len(TEXTS), SIX):
        names = list(TEXTS.values())[first : first + SIX]
        async with connect(app=adversarial.liner(names=names)) as asked:
            sentence = await asked.refusal("find_calls", orders=["no such"], since="today")
        for name in names:
            assert name_shown(f"order {name}") in sentence
        assert "\n" not in sentence
        assert len(sentence) < 1_500


# Codes and phones, which are no free text ----------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("show_phones", [False, True])
async def test_adversarial_codes_and_phones_stay_in_their_columns(
    adversarial: AdversarialDataset, connect: OpenSession, show_phones: bool
) -> None:
    asking: dict[str, Any] = {**DAY, "include": ["direction", "phone"], "limit": 50}
    fields: dict[str, Any] = {"show_phones": show_phones, "max_answer_bytes": 60_000}
    async with connect(app=adversarial.liner(direction=TEXTS, clientPhone=TEXTS), **fields) as asked:
        told = await answer(asked, "find_calls", **asking)
    async with connect(app=adversarial.liner(), **fields) as asked:
        harmless = await answer(asked, "find_calls", **asking)
    names = {call_id: name for name, call_id in adversarial.calls.items()}
    assert {**around(told), "page": 0} == {**around(harmless), "page": 0}
    assert [row["call_id"] for row in rows_of(told)] == [row["call_id"] for row in rows_of(harmless)]
    assert {row["call_id"] for row in rows_of(told)} & set(names) == set(names)
    for row, usual in zip(rows_of(told), rows_of(harmless), strict=True):
        if row["call_id"] not in names:
            assert row == usual
            continue
        text = TEXTS[names[row["call_id"]]]
        assert {**row, "direction": 0, "phone": 0} == {**usual, "direction": 0, "phone": 0}
        assert len(row["direction"]) <= 64
        assert mask(clean(text)).startswith(row["direction"].removesuffix("…"))
        assert "ivan" not in row["direction"]
        assert len(row["phone"]) <= 40
        assert "ivan" not in row["phone"]


# Liner's own messages ------------------------------------------------------------------------------------------------


class RejectingLiner:
    """Liner that refuses to tell a record, in words that may be changed."""

    def __init__(self, adversarial: AdversarialDataset) -> None:
        self.message = ""
        self.faulty = AlteredLiner(
            adversarial.liner().demo, change_by_pattern={"^/v2/call-record/": lambda _: self.message}
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.faulty(scope, receive, send)


def assert_a_sentence(sentence: str, message: str) -> None:
    said = sentence.removeprefix("Liner refused the request (HTTP 200)")
    assert said != sentence
    assert sentence == mask(clean(sentence))
    assert "\n" not in sentence
    assert len(said) < 160
    if line_of(message):
        assert said.startswith(': "')
        assert said.endswith('".')
        assert '"' not in said[3:-2]
    else:
        assert said == " without a reason."


@pytest.mark.anyio
async def test_adversarial_messages_are_quoted_short_clean_and_masked(
    adversarial: AdversarialDataset, connect: OpenSession
) -> None:
    liner = RejectingLiner(adversarial)
    async with connect(app=liner) as asked:
        for text in TEXTS.values():
            liner.message = text
            sentence = await asked.refusal("get_call_record", record_id=adversarial.records["huge"])
            assert_a_sentence(sentence, text)
            assert "ivan" not in sentence


@pytest.mark.anyio
@pytest.mark.parametrize("secret", ["8 916 123-45-67", "+79161234567", "4111 1111 1111 1111", "ivan@mail.ru"])
async def test_no_cut_of_a_message_leaves_a_fragment_that_the_mask_overlooks(
    adversarial: AdversarialDataset, connect: OpenSession, secret: str
) -> None:
    liner = RejectingLiner(adversarial)
    async with connect(app=liner) as asked:
        for before in range(85, 121):
            liner.message = f"{('Сообщение об ошибке ' * 9)[:before]} {secret} конец"
            said = (await asked.refusal("get_call_record", record_id=adversarial.records["huge"])).partition(": ")[2]
            assert "ivan" not in said
            assert sum(character.isdigit() for character in said) <= 4
            assert not [start for start in ("8 9", "+79", "916", "4111 1") if start in said]


def test_no_message_whatever_breaks_the_sentence_of_a_refusal(adversarial: AdversarialDataset) -> None:
    liner = RejectingLiner(adversarial)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(session(liner)) as asked:

        async def refusal() -> str:
            return await asked.refusal("get_call_record", record_id=adversarial.records["huge"])

        @settings(max_examples=100, deadline=None)
        @given(text=ANY_TEXT.filter(bool))
        def holds(text: str) -> None:
            liner.message = text
            assert_a_sentence(portal.call(refusal), text)

        holds()


# What the caller says, which may be copied from a text ----------------------------------------------------------------


@pytest.mark.anyio
async def test_adversarial_arguments_are_refused_in_short_clean_sentences(
    adversarial: AdversarialDataset, connect: OpenSession
) -> None:
    async with connect(app=adversarial.liner()) as asked:
        for text in TEXTS.values():
            for tool, arguments in (
                ("find_calls", {"agents": [text + "x"]}),
                ("find_calls", {"since": text + "x"}),
                ("list_call_records", {"call_id": text + "x"}),
                ("list_call_records", {"call_id": 1, text + "x": 1}),
                ("list_directory", {"kind": text + "x"}),
            ):
                sentence = await asked.refusal(tool, **arguments)
                assert len(sentence) < 1_500
                assert sentence == clean(sentence)


# The pipe ------------------------------------------------------------------------------------------------------------

META: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def request(number: int, tool: str, arguments: dict[str, Any]) -> bytes:
    params = {"name": tool, "arguments": arguments, "_meta": META}
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}).encode() + b"\n"


def test_whatever_is_said_the_pipe_carries_one_line_of_json_for_each_request(adversarial: AdversarialDataset) -> None:
    names = {call_id: name for name, call_id in adversarial.calls.items()}
    # Half a pair cannot be sent: JSON as it is sent is UTF-8, and the SDK drops a line that is not.
    echoed = {n: f"xqz{text[:60]}" for n, text in enumerate(TEXTS.values()) if not _is_broken(text)}
    asking = [
        *(request(one, "list_call_records", {"call_id": one, "summary_chars": SUMMARY_CHARS}) for one in names),
        *(request(one, "find_calls", {"agents": [text]}) for one, text in echoed.items()),
    ]
    hostile = [TEXTS[name] for name in ("line_breaks", "tool_result", "surrogates", "terminal", "json_end", "tags")]
    lines: list[bytes] = []
    with (
        serve_app(adversarial.liner(TEXTS, names=hostile)) as origin,
        subprocess.Popen(
            [sys.executable, "-m", "liner_mcp"],
            env={**os.environ, "LINER_API_HOST": origin, "LINER_API_TOKEN": "demo", "LINER_TIMEZONE": "UTC"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(b"".join(asking))
        process.stdin.flush()
        lines = [process.stdout.readline() for _ in asking]
        process.stdin.close()
        rest, errors = process.stdout.read(), process.stderr.read()
    assert (rest, errors) == (b"", b"")
    # Whoever splits at what Unicode calls a line break reads the same lines.
    assert b"".join(lines).decode().splitlines() == [line.decode().removesuffix("\n") for line in lines]
    found = {told["id"]: told["result"] for told in map(json.loads, lines)}
    assert set(found) == {*names, *echoed}
    for call_id, name in names.items():
        (row,) = rows_of(found[call_id]["structuredContent"])
        assert row["record_id"] == adversarial.records[name]
        assert (row["summary"] or "") == truncate(summary_shown(TEXTS[name]), SUMMARY_CHARS)
    assert all(found[one]["isError"] for one in echoed)


def _is_broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text[:60])


def _kinds(requests: list[str]) -> set[str]:
    return {re.sub(r"\d+", "N", target) for target in requests}
