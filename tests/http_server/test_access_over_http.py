"""Two callers of one server, known by their tokens, over a real socket: each sees what the operator's file allows."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from liner_mcp.cli.tokens import add_token_line, create_token
from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.errors import SettingsError
from liner_mcp.http_server.app import create_web_app
from liner_mcp.settings import read_settings
from tests.http_server.support import LEGACY, MODERN, PATIENCE, call, question, result, serve
from tests.support.account import ACCOUNT
from tests.support.sentences import assert_says, error_says, recorded

ORDER, OTHER = 201, 205
NOBODY = "7999999"

Ask = Any


@pytest.fixture
def ask(dataset: Dataset, tmp_path: Path) -> Generator[Ask]:
    """Ask a tool as one of two callers, in one era; gives the result."""
    tokens, access = tmp_path / "tokens", tmp_path / "access.toml"
    access.write_text(
        f"[callers.anna]\norders = [{ORDER}]\nagents = 'all'\n[callers.boris]\norders = [{OTHER}]\nagents = 'all'\n",
        encoding="utf-8",
    )
    known: dict[str, str] = {}
    for name in ("anna", "boris", "gleb"):
        known[name], line = create_token(name)
        add_token_line(tokens, line, rotate=False)
    settings: dict[str, Any] = {"mcp_tokens_file": tokens, "mcp_access_file": access}
    with serve(DemoLiner(dataset), **settings) as origin, httpx.Client(base_url=origin, timeout=PATIENCE) as client:

        def asked(who: str, request: dict[str, Any]) -> httpx.Response:
            headers = {**request["headers"], "authorization": f"Bearer {known[who]}"}
            return client.post("/mcp", headers=headers, json=request["json"])

        yield asked


def test_a_section_that_no_token_belongs_to_is_logged_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tokens, access = tmp_path / "tokens", tmp_path / "access.toml"
    access.write_text("[callers.ana]\norders = 'all'\nagents = 'all'\n", encoding="utf-8")
    add_token_line(tokens, create_token("anna")[1], rotate=False)
    create_web_app(read_settings(**ACCOUNT, mcp_tokens_file=tokens, mcp_access_file=access))
    assert recorded("no_token_belongs_to") in [record.getMessage() for record in caplog.records]


def orders(answer: dict[str, Any]) -> set[int]:
    return {row[0] for row in answer["structuredContent"]["rows"]}


@pytest.mark.parametrize("era", [MODERN, LEGACY])
def test_each_caller_sees_the_orders_of_their_rule(ask: Ask, era: str) -> None:
    seen = {who: orders(result(ask(who, call("list_directory", era, kind="orders")))) for who in ("anna", "boris")}
    assert seen == {"anna": {ORDER}, "boris": {OTHER}}


@pytest.mark.parametrize("era", [MODERN, LEGACY])
def test_another_callers_call_and_a_call_that_no_one_has_are_answered_the_same(
    ask: Ask, dataset: Dataset, era: str
) -> None:
    theirs = next(str(one.id) for one in dataset.calls.values() if one.order_id == OTHER and dataset.records_of(one.id))
    answers = [
        json.dumps(result(ask("anna", call("list_call_records", era, call_id=int(one))))).replace(one, "ID")
        for one in (theirs, NOBODY)
    ]
    assert answers[0] == answers[1]
    assert_says(answers[0], "liner_has_no_call_id")
    resources = [
        ask("anna", question("resources/read", era, uri=f"liner://calls/{one}")).text.replace(one, "ID")
        if era == LEGACY
        else ask("anna", _modern_read(one)).text.replace(one, "ID")
        for one in (theirs, NOBODY)
    ]
    assert resources[0] == resources[1]
    assert_says(resources[0], "liner_has_no_call_id")
    assert not result(ask("boris", call("list_call_records", era, call_id=int(theirs))))["isError"]


def _modern_read(call_id: str) -> dict[str, Any]:
    request = question("resources/read", MODERN, uri=f"liner://calls/{call_id}")
    request["headers"]["mcp-name"] = f"liner://calls/{call_id}"
    return request


@pytest.mark.parametrize("era", [MODERN, LEGACY])
def test_a_cursor_that_another_caller_got_gives_only_what_the_reader_may_see(
    ask: Ask, dataset: Dataset, era: str
) -> None:
    page = result(ask("boris", call("find_calls", era, since="2026-11-16", limit=2)))["structuredContent"]["page"]
    answer = result(ask("anna", call("find_calls", era, cursor=page["next_cursor"], limit=200)))
    shown = answer["structuredContent"]
    column = shown["columns"].index("call_id")
    assert {dataset.calls[row[column]].order_id for row in shown["rows"]} <= {ORDER}


@pytest.mark.parametrize("era", [MODERN, LEGACY])
def test_a_caller_whom_the_file_does_not_name_sees_nothing(ask: Ask, era: str) -> None:
    answer = result(ask("gleb", call("find_calls", era)))
    assert answer["isError"]
    assert_says(answer["content"][0]["text"], "you_are_known_here_as_gleb_for", at_start=True)


def test_rules_for_callers_without_names_are_refused_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "access.toml"
    file.write_text("[default]\norders = 'all'\nagents = 'all'\n", encoding="utf-8")
    with pytest.raises(SettingsError, check=error_says("callers_have_no_names_set_liner")):
        create_web_app(read_settings(mcp_demo=True, mcp_access_file=file))


def test_a_server_with_rules_for_callers_is_ready(dataset: Dataset, tmp_path: Path) -> None:
    tokens, access = tmp_path / "tokens", tmp_path / "access.toml"
    add_token_line(tokens, create_token("anna")[1], rotate=False)
    access.write_text("[callers.anna]\norders = 'all'\nagents = 'all'\n", encoding="utf-8")
    settings: dict[str, Any] = {"mcp_tokens_file": tokens, "mcp_access_file": access}
    with serve(DemoLiner(dataset), **settings) as origin:
        response = httpx.get(f"{origin}/ready", timeout=PATIENCE)
    assert (response.status_code, response.json()) == (200, {"ready": True})
    assert response.headers["connection"] == "close"  # whoever only looks shall not hold a connection


def test_rules_that_cannot_be_read_are_refused_at_the_start(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    add_token_line(tokens, create_token("anna")[1], rotate=False)
    settings = read_settings(mcp_demo=True, mcp_tokens_file=tokens, mcp_access_file=tmp_path / "nowhere.toml")
    with pytest.raises(SettingsError, check=error_says("liner_mcp_access_file_cannot_be_used_it", at_start=True)):
        create_web_app(settings)
