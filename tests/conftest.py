"""What every test may use: an event loop, a clean environment, the fake Liner, a session with our server."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import jsonschema
import pytest
from mcp import Client
from mcp.types import CallToolResult, TextContent
from pydantic import TypeAdapter

from liner_mcp.answer.table import AnswerSchema
from liner_mcp.demo import Dataset
from liner_mcp.server.app import create_server
from liner_mcp.settings import Settings
from tests.fakes import FakeLiner
from tests.support import sentences
from tests.support.account import ACCOUNT
from tests.support.virtual_time import VirtualTimeLoop, run_threads_inline

TESTS = Path(__file__).parent
SLOW = frozenset(re.findall(r"^[^#\s]+", (TESTS / "slow.txt").read_text(encoding="utf-8"), re.MULTILINE))

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
"""When the generated calls end: every test sees the same forty days."""

# The same examples for everybody and every time: a failure comes from a change. `--hypothesis-profile search` looks for
# examples that nobody has seen, ten times as many. Neither is given a time, for machines differ.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", max_examples=1_000, deadline=None)
hypothesis.settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-sentences", action="store_true", help="rewrite tests/snapshots/sentences.json")


def pytest_configure(config: pytest.Config) -> None:
    sentences.updating = config.getoption("--update-sentences")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `tests/slow.txt` names (a folder, a module or a test), the legacy protocol era, and Hypothesis."""
    for item in items:
        test, _, parameters = item.nodeid.removeprefix("tests/").partition("[")
        module = test.partition("::")[0]
        listed = bool({test, module, module.partition("/")[0]} & SLOW)
        legacy = "legacy" in parameters.rstrip("]").split("-")
        generated = hypothesis.is_hypothesis_test(getattr(item, "obj", None))
        if listed or legacy or generated:
            item.add_marker(pytest.mark.slow)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no module that is slow as a whole if no slow test will run: importing it takes seconds."""
    left_out = config.option.markexpr == "not slow" and collection_path.relative_to(TESTS).as_posix() in SLOW
    return True if left_out else None


def pytest_sessionfinish(session: pytest.Session) -> None:
    worker: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if worker is not None:
        worker["sentences"] = sentences.updates
    elif sentences.updates:
        sentences.write_updates(sentences.updates)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect what a worker of pytest-xdist heard."""
    sentences.updates.update(node.workeroutput["sentences"])


# A suite started in the background (by a shell's `&`, by cron) ignores Ctrl-C, and so would the programs it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The real clock, or a virtual one for a test marked `virtual_time`."""
    virtual = request.node.get_closest_marker("virtual_time")
    return "asyncio", {"loop_factory": VirtualTimeLoop} if virtual else {}


@pytest.fixture(autouse=True)
def no_threads_in_virtual_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("virtual_time"):
        run_threads_inline(monkeypatch)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings must not decide what a test finds."""
    for name in os.environ:
        if name.startswith(("LINER_", "OTEL_")):
            monkeypatch.delenv(name)


def assert_fits_schema(structure: Any, published: Mapping[str, Any] | None, answer: type = AnswerSchema) -> None:
    """The structure of a result fits the schema that its tool publishes, and the closer one that we hold it to."""
    assert published is not None
    jsonschema.validate(structure, published)
    TypeAdapter(answer).validate_python(structure, strict=True)


@pytest.fixture
def network_without_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name is known, and that is said at once: a real network may take seconds."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    """The default generated call centre. Shared: tests that add to it make their own."""
    return Dataset.generate(now=NOW)


@pytest.fixture
def liner(dataset: Dataset) -> FakeLiner:
    """A fake Liner over the shared dataset; its options may be changed."""
    return FakeLiner(dataset)


@dataclass(frozen=True, slots=True)
class Session:
    """One connected client and what it may ask."""

    client: Client

    async def call(self, tool: str, **arguments: Any) -> CallToolResult:
        result = await self.client.call_tool(tool, arguments)
        assert isinstance(result, CallToolResult)
        return result

    async def answer(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured answer of a call that must succeed."""
        result = await self.call(tool, **arguments)
        assert not result.is_error, text_of(result)
        assert result.structured_content is not None
        return result.structured_content

    async def refusal(self, tool: str, **arguments: Any) -> str:
        """The sentence of a call that must fail."""
        result = await self.call(tool, **arguments)
        assert result.is_error, text_of(result)
        return text_of(result)


def text_of(result: CallToolResult) -> str:
    """The one text block of a result."""
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


OpenSession = Callable[..., AbstractAsyncContextManager[Session]]


@pytest.fixture(params=["auto", "legacy"])
def connect(request: pytest.FixtureRequest, liner: FakeLiner) -> OpenSession:
    """Open a session with our server in one protocol era; `settings` are fields of `Settings`, `app` another Liner."""

    @asynccontextmanager
    async def opened(app: Any = liner, **settings: Any) -> AsyncGenerator[Session]:
        fields: dict[str, Any] = {**ACCOUNT, "timezone": "Europe/Moscow", "requests_per_second": 0, **settings}
        server = create_server(Settings(**fields), transport=httpx.ASGITransport(app=app), now=lambda: NOW)
        async with Client(server, mode=request.param, raise_exceptions=True) as client:
            yield Session(client)

    return opened
