"""The official conformance suite and the official Inspector against `serve --http --demo`, in both revisions.

They are programs for Node. `npm install --no-package-lock --prefix tests/http_server/conformance` brings them and it;
without them these tests are skipped. The suite asks most of its questions of a fixture, a server with tools of fixed
names; what it asks of any server must hold, and what it cannot ask of us may fail for that reason alone.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from liner_mcp.demo import Dataset, DemoLiner
from liner_mcp.server.skills import SKILLS
from tests.http_server.conformance_server import serve_fixture
from tests.http_server.support import LEGACY, MODERN
from tests.http_server.test_stopping import started

FOLDER = Path(__file__).parent / "conformance"
NODE = FOLDER / "node_modules" / ".bin" / "node"
SUITE = FOLDER / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
INSPECTOR = (
    FOLDER / "node_modules" / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build" / "index.js"
)

pytestmark = pytest.mark.skipif(
    not (NODE.exists() and SUITE.exists() and INSPECTOR.exists()),
    reason="the suites are not here: npm install --no-package-lock --prefix tests/http_server/conformance",
)

# What each revision asks of any server.
ANY_SERVER = [
    *((MODERN, scenario) for scenario in (
        "caching",
        "dns-rebinding-protection",
        "http-header-validation",
        "input-required-result-unsupported-methods",
        "prompts-list",
        "resources-list",
        "sep-2164-resource-not-found",
        "server-sse-multiple-streams",
        "server-stateless",
        "tools-list",
    )),
    *((LEGACY, scenario) for scenario in (
        "dns-rebinding-protection",
        "ping",
        "prompts-list",
        "resources-list",
        "server-initialize",
        "tools-list",
    )),
]  # fmt: skip

# What it asks of its fixture and our wrapping of the SDK could spoil.
OF_THE_FIXTURE = (
    "prompts-get-embedded-resource",
    "prompts-get-simple",
    "prompts-get-with-args",
    "prompts-get-with-image",
    "resources-read-binary",
    "resources-read-text",
    "resources-templates-read",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-error",
    "tools-call-image",
    "tools-call-mixed-content",
    "tools-call-simple-text",
    "tools-call-with-progress",
)

# What it needs from its fixture, and what it says without.
FIXTURE = re.compile(
    r"Unknown (tool|prompt): \w+|Unknown resource: test://|Not testable|Tool 'json_schema_2020_12_tool' not found"
    r"|Expected InputRequiredResult with inputRequests|Prerequisite failed"
)
NOT_OFFERED = {
    "completion-complete": "ids that others looked up are not offered on a shared server",
    "logging-set-level": "an optional capability, deprecated in the newer revision",
    "tools-call-with-logging": "the same",
    "resources-subscribe": "an optional capability: nothing here changes that a client could wait for",
    "resources-unsubscribe": "the same",
}


@dataclass(frozen=True, slots=True)
class Check:
    scenario: str
    id: str
    status: str
    message: str


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    with started("--demo", LINER_MCP_REQUESTS_PER_MINUTE="0") as (_, where):
        yield where


@pytest.fixture(scope="module")
def checks(url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Check]]:
    """Everything that the suite has to say, by revision."""
    return {revision: list(said(url, revision, tmp_path_factory.mktemp("suite"))) for revision in (MODERN, LEGACY)}


@pytest.fixture(scope="module")
def fixture_checks(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Check]]:
    """The same of our server with the suite's own tools, resources and prompts added."""
    with pytest.MonkeyPatch.context() as patch, serve_fixture(DemoLiner(dataset), patch) as origin:
        return {
            revision: list(said(f"{origin}/mcp", revision, tmp_path_factory.mktemp("suite")))
            for revision in (MODERN, LEGACY)
        }


def said(url: str, revision: str, folder: Path) -> Generator[Check]:
    done = node(SUITE, "server", "--url", url, "--requirements", revision, "-o", str(folder), home=folder)
    found = re.findall(r"Running client scenario '([\w-]+)' .*\n(?:.*\n)*?Results saved to (\S+)", done.stdout)
    assert len(found) > 30, done.stdout + done.stderr
    for scenario, place in found:
        rows: list[dict[str, Any]] = json.loads((Path(place) / "checks.json").read_text(encoding="utf-8"))
        for row in rows:
            yield Check(scenario, row["id"], row["status"], row.get("errorMessage") or "")


def node(program: Path, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(NODE), str(program), *arguments],
        env={**os.environ, "HOME": str(home), "NO_COLOR": "1"},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=180,
        check=False,
    )


@pytest.mark.parametrize(("revision", "scenario"), ANY_SERVER)
def test_what_is_asked_of_any_server_holds(checks: dict[str, list[Check]], revision: str, scenario: str) -> None:
    of_it = [check for check in checks[revision] if check.scenario == scenario]
    assert any(check.status == "SUCCESS" for check in of_it)
    assert not [
        check
        for check in of_it
        if check.status not in ("SUCCESS", "INFO", "SKIPPED") and not check.message.startswith("Not testable")
    ]


@pytest.mark.parametrize("revision", [MODERN, LEGACY])
@pytest.mark.parametrize("scenario", OF_THE_FIXTURE)
def test_what_is_asked_of_the_fixture_holds_behind_our_entry_point(
    fixture_checks: dict[str, list[Check]], revision: str, scenario: str
) -> None:
    of_it = [check for check in fixture_checks[revision] if check.scenario == scenario]
    assert {check.status for check in of_it} == {"SUCCESS"}, of_it


@pytest.mark.parametrize("revision", [MODERN, LEGACY])
def test_every_message_on_the_transport_has_the_shape_of_its_revision(
    checks: dict[str, list[Check]], revision: str
) -> None:
    shapes = [check for check in checks[revision] if check.id == "wire-schema-valid"]
    assert len(shapes) > 20
    assert {check.status for check in shapes} == {"SUCCESS"}


@pytest.mark.parametrize("revision", [MODERN, LEGACY])
def test_whatever_else_fails_asks_for_the_suites_own_fixture(checks: dict[str, list[Check]], revision: str) -> None:
    failed = [check for check in checks[revision] if check.status == "FAILURE"]
    assert not [
        check
        for check in failed
        if check.scenario not in NOT_OFFERED
        and not check.scenario.startswith("tasks-")  # an extension that is not offered
        and not FIXTURE.search(check.message)
    ]


# The Inspector -------------------------------------------------------------------------------------------------------

ERAS = pytest.mark.parametrize("era", ["modern", "legacy"])


def inspected(url: str, era: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    asked = ("--cli", "--server-url", url, "--transport", "http", "--protocol-era", era, "--method", *arguments)
    return node(INSPECTOR, *asked, home=home)


@ERAS
def test_the_inspector_finds_no_fault_in_the_tools(url: str, tmp_path: Path, era: str) -> None:
    done = inspected(url, era, tmp_path, "tools/list", "--strict")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # neither errors nor warnings
    assert len(json.loads(done.stdout)["tools"]) == 7


def test_the_inspector_verifies_every_skill(url: str, tmp_path: Path) -> None:
    done = inspected(url, "modern", tmp_path, "skills/list", "--verify", "--require-digests")
    assert done.returncode == 0, done.stdout + done.stderr
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert {report["name"]: report["outcome"] for report in reports} == dict.fromkeys(SKILLS, "verified")


@ERAS
@pytest.mark.parametrize(
    ("question", "member"),
    [
        (("tools/call", "--tool-name", "list_directory", "--tool-arg", "kind=agents"), "structuredContent"),
        (("resources/list",), "resources"),
        (("resources/templates/list",), "resourceTemplates"),
        (("resources/read", "--uri", "liner://guide"), "contents"),
        (("prompts/list",), "prompts"),
        (("prompts/get", "--prompt-name", "daily_digest"), "messages"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_inspector_gets_its_answers(
    url: str, tmp_path: Path, era: str, question: tuple[str, ...], member: str
) -> None:
    done = inspected(url, era, tmp_path, *question)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer[member]
    assert not answer.get("isError")


@ERAS
def test_the_inspectors_ten_callers_are_all_answered(url: str, tmp_path: Path, era: str) -> None:
    load = ("--load", "--load-concurrency", "10", "--load-requests", "100")
    done = inspected(
        url, era, tmp_path, "tools/call", "--tool-name", "list_call_records", "--tool-arg", "call_id=7000102", *load
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["requests"], told["ok"]) == (100, 100)
