"""Errors of the protocol over stdio, HTTP and in memory, in both eras: marked in the demo, masked and short."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from mcp import Client, MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, PromptReference

from liner_mcp.demo import DemoLiner
from liner_mcp.server.app import LinerServer, create_server
from liner_mcp.server.completions import Completions
from liner_mcp.settings import Settings
from tests.http_server.support import LEGACY, MODERN, question, serve
from tests.server.test_demo import connected
from tests.support.account import ACCOUNT
from tests.support.sentences import assert_says, recorded

pytestmark = pytest.mark.anyio

PHONE, DIGITS = "+7 916 123-45-67", "79161234567"
MASKED = "+7 *** ***-**-67"
MARK = "DEMO: invented data. "
LONG_URI = "liner://calls/" + "7" * 300

Send = Callable[..., dict[str, Any]]


def _over_stdio(era: str, method: str, **params: Any) -> dict[str, Any]:
    line = json.dumps(question(method, era, **params)["json"])
    done = subprocess.run(
        [sys.executable, "-m", "liner_mcp", "serve", "--demo"],
        input=f"{line}\n",
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert PHONE not in done.stderr
    (answer,) = done.stdout.splitlines()
    assert len(answer) < 1_000
    return json.loads(answer)["error"]


def _over_http(era: str, method: str, **params: Any) -> dict[str, Any]:
    asked = question(method, era, **params)
    with serve(DemoLiner(), api_host=None, api_token=None, mcp_demo=True) as origin:
        response = httpx.post(f"{origin}/mcp", **asked, timeout=60)
    assert len(response.content) < 1_000
    data = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    return json.loads(data[-1] if data else response.text)["error"]


@pytest.fixture(params=[_over_stdio, _over_http], ids=["stdio", "http"])
def send(request: pytest.FixtureRequest) -> Send:
    return request.param


@pytest.mark.parametrize(
    ("method", "shown"),
    [
        (PHONE, MASKED),
        (f"call {DIGITS}", f"call {MASKED}"),
        ("resources/subscribe", "resources/subscribe"),
        ("m" * 250_000, "m" * 199 + "…"),
        (PHONE + "m" * 250_000, f"{MASKED}{'m' * 183}…"),
    ],
    ids=["phone", "digits", "known", "long", "long with a phone"],
)
def test_an_unknown_method_is_shown_back_short_and_without_a_phone(send: Send, method: str, shown: str) -> None:
    for era in (MODERN, LEGACY):
        if send is _over_http and era == MODERN:
            continue  # there the method must be in a header too, which cannot be as long: see the next test
        error = send(era, method, **({"uri": "liner://guide"} if method == "resources/subscribe" else {}))
        assert error["code"] == METHOD_NOT_FOUND
        assert error["message"] == recorded("method_not_found", mark=MARK)
        assert error["data"] == shown


def test_over_modern_http_an_unknown_method_is_masked_and_cut_as_well() -> None:
    with serve(DemoLiner(), api_host=None, api_token=None, mcp_demo=True) as origin:
        for method, shown in ((PHONE, MASKED), ("m" * 20_000, "m" * 199 + "…")):
            response = httpx.post(f"{origin}/mcp", **question(method, MODERN), timeout=60)
            error = response.json()["error"]
            assert (response.status_code, error["code"], error["data"]) == (404, METHOD_NOT_FOUND, shown)
            assert error["message"] == recorded("method_not_found", mark=MARK)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        (f"liner://calls/+{DIGITS}", f"liner://calls/{MASKED}"),
        (f"liner://calls/{DIGITS}", f"liner://calls/{MASKED}"),
        (f"liner://nothing/{DIGITS}", f"liner://nothing/{MASKED}"),
        ("liner://calls/12", "liner://calls/12"),
        ("liner://calls/9007199254740992", "liner://calls/9007199254740992"),
    ],
)
async def test_the_data_of_a_resources_error_shows_the_address_without_a_phone(
    liner: DemoLiner, mode: Any, uri: str, shown: str
) -> None:
    settings = Settings(**ACCOUNT, requests_per_second=0)
    async with connected(liner, mode, settings) as client:
        with pytest.raises(MCPError) as raised:
            await client.read_resource(uri)
    assert raised.value.error.code == INVALID_PARAMS
    assert raised.value.error.data == {"uri": shown}
    assert DIGITS not in raised.value.error.message
    assert "DEMO" not in raised.value.error.message


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_every_error_in_the_demo_says_that_the_data_is_invented_once(liner: DemoLiner, mode: Any) -> None:
    async with connected(liner, mode) as client:
        errors: dict[str, Callable[[], Any]] = {
            "review_call: no argument": lambda: client.get_prompt("review_call", {}),
            "review_call: blank": lambda: client.get_prompt("review_call", {"call_id": " "}),
            "review_call: unknown argument": lambda: client.get_prompt("review_call", {"call_id": "1", "x": "1"}),
            "review_call: too long": lambda: client.get_prompt("review_call", {"call_id": "1" * 201}),
            "unknown prompt": lambda: client.get_prompt("nothing", {}),
            "unknown tool": lambda: client.call_tool("delete_call", {}),
            "unknown resource": lambda: client.read_resource("liner://nothing"),
            "unknown call": lambda: client.read_resource("liner://calls/12"),
            "long address": lambda: client.read_resource(LONG_URI),
        }
        for what, ask in errors.items():
            with pytest.raises(MCPError) as raised:
                await ask()
            message = raised.value.error.message
            assert message.startswith(MARK), what
            assert message.count("DEMO") == 1, what


@pytest.mark.parametrize("era", [MODERN, LEGACY])
def test_malformed_parameters_are_marked_too_and_not_shown_back(send: Send, era: str) -> None:
    error = send(era, "tools/call", name="find_calls", arguments=PHONE)
    assert error["code"] == INVALID_PARAMS
    assert PHONE not in json.dumps(error)
    assert error["message"].startswith(MARK)
    assert error["message"].endswith("Invalid request parameters: arguments")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("crashing", ["completion", "list"])
async def test_a_bug_behind_any_request_tells_its_place_and_not_its_text(
    mode: Any, crashing: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def crash(*_: object) -> None:
        raise RuntimeError(PHONE)

    monkeypatch.setattr(Completions, "complete", crash)
    monkeypatch.setattr(LinerServer, "list_prompts", crash)
    async with Client(create_server(Settings.of_demo_option()), mode=mode) as client:
        reference = PromptReference(type="ref/prompt", name="review_call")
        requests: dict[str, Callable[[], Any]] = {
            "list": client.list_prompts,
            "completion": lambda: client.complete(reference, {"name": "call_id", "value": "7"}),
        }
        with pytest.raises(MCPError) as raised:
            await requests[crashing]()
    error = raised.value.error
    assert error.code == INTERNAL_ERROR
    assert_says(error.message, "liner_mcp_failed_inside_runtimeerror_at", mark=MARK, at_start=True)
    assert "crashed: RuntimeError" in caplog.text
    assert PHONE not in error.message + caplog.text
