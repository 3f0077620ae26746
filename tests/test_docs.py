"""The documents cannot drift: what they say is compared with what is. These tests only read."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from liner_mcp import __version__
from liner_mcp.cli.host_config import HOSTS, host_file
from liner_mcp.errors import SettingsError
from liner_mcp.liner.request_metrics import RequestCounts
from liner_mcp.liner.restricted_client import Access
from liner_mcp.server.access_rules import AccessRule, parse_rules
from liner_mcp.server.audit_log import AuditEntry, Outcome
from liner_mcp.settings import Settings
from tests.http_server.test_request_log import KEYS as REQUEST_KEYS
from tests.support import snapshots

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CI_LINES = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SERVER: dict[str, Any] = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
SURFACE: dict[str, Any] = json.loads(snapshots.SURFACE.read_text(encoding="utf-8"))


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def table(heading: str) -> list[list[str]]:
    """The cells of the rows of the first table under a heading."""
    section = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]


def the_answer() -> dict[str, Any]:
    return json.loads(README.split("<!-- answer -->", 1)[1].split("```json\n", 1)[1].split("```", 1)[0])


def test_the_readme_shows_a_real_answer() -> None:
    question = snapshots.TOOL_CALLS[1]
    call = ", ".join(f"{name}={value}" for name, value in question[1].items())
    assert f"`{question[0]}({call})`" in README
    assert the_answer() == json.loads(snapshots.ANSWERS.read_text(encoding="utf-8"))[1]["answer"]


def test_the_readmes_five_lines_rejoin_the_rows() -> None:
    (source,) = blocks("python")
    assert len(source.strip().splitlines()) <= 5
    space: dict[str, Any] = {}
    exec(source, space)  # noqa: S102 - the README's own lines, which a reader will paste
    records = space["records"](the_answer())
    assert records[0]["call_id"] == 7003898
    assert {record["record_date"] for record in records} >= {"2026-11-19"}
    assert [set(record) for record in records] == [set(records[0])] * len(records)


def test_the_readme_lists_every_tool() -> None:
    assert [row[0] for row in table("Tools")] == [tool["name"] for tool in SURFACE["tools"]]


def test_the_readme_lists_every_prompt() -> None:
    assert [row[0] for row in table("Prompts")] == [prompt["name"] for prompt in SURFACE["prompts"]]


def test_the_readme_lists_every_resource() -> None:
    uris = [r["uri"] for r in SURFACE["resources"]] + [r["uriTemplate"] for r in SURFACE["resource_templates"]]
    assert [row[0] for row in table("Resources")] == uris


def test_the_readmes_file_of_access_is_one_that_works() -> None:
    rules = parse_rules(README.split("<!-- access -->\n```toml\n", 1)[1].split("```", 1)[0].encode())
    assert rules.for_caller("anna").access.orders == {201, 204}
    assert rules.for_caller("boris") == AccessRule(Access(None, frozenset({101, 105})), phones=True, audio=False)
    assert rules.for_caller("somebody").access.orders == frozenset()


def test_the_readme_lists_every_setting_with_its_default() -> None:
    rows = {row[0]: row[1] for row in table("Settings")}
    assert set(rows) == {f"LINER_{name.upper()}" for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = {None: "–", False: "false", True: "true"}.get(default, str(default))
        if name not in ("timezone", "max_answer_bytes"):  # told in words: they depend on the machine and the host
            assert rows[f"LINER_{name.upper()}"] == shown


def test_no_line_of_the_readme_exports_the_demo_for_the_commands_after_it() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines() if "LINER_MCP_DEMO" in line]
    assert lines
    assert not [line for line in lines if not line.startswith("LINER_MCP_DEMO=true .venv/bin/")]


def test_the_readme_says_which_data_is_used_when_the_demo_is_asked_for_too(monkeypatch: pytest.MonkeyPatch) -> None:
    section = README.split("Which data is used", 1)[1].split("\n\n", 2)[1].splitlines()[2:]
    told = [[cell.strip().partition(":")[0] for cell in line.strip("|").split("|")] for line in section]
    account = {"LINER_API_HOST": "liner.example", "LINER_API_TOKEN": "x"}
    sets = [{}, account, {"LINER_API_HOST": "liner.example"}]
    for (_, option, variable, neither), variables in zip(told, sets, strict=True):
        with monkeypatch.context() as environment:
            for name, value in variables.items():
                environment.setenv(name, value)
            assert data_used(Settings.of_demo_option()) == option
            assert data_used(Settings()) == neither
            environment.setenv("LINER_MCP_DEMO", "true")
            assert data_used(Settings()) == variable


def data_used(settings: Settings) -> str:
    try:
        settings.host_and_token()
    except SettingsError:
        return "nothing"
    return "the demo" if settings.demo else "your Liner"


def test_the_readmes_log_lines_have_the_members_of_real_ones() -> None:
    shown = README.split("<!-- lines -->", 1)[1].split("```jsonl\n", 1)[1].split("```", 1)[0]
    audit, request = map(json.loads, shown.splitlines())
    entry = AuditEntry("tool", "find_calls", "anna", "1", {}, RequestCounts())
    assert list(audit) == ["time", *entry.to_log_line()]
    assert list(request) == REQUEST_KEYS
    assert audit["request_id"] == request["request_id"]


def test_the_readme_explains_every_outcome_of_a_call() -> None:
    assert [row[0] for row in table("Watching it")] == list(get_args(Outcome))


def test_the_readme_explains_every_summary_state() -> None:
    states = {row[0] for row in table("What an answer looks like")}
    assert states == {"ready", "cut", "none", "no_recording", "not_listed_yet", "not_found", "failed"}


@pytest.mark.parametrize("snippet", blocks("json"), ids=lambda text: text[:20].strip())
def test_each_json_snippet_parses(snippet: str) -> None:
    json.loads(snippet)


def host_snippet(host: str, kind: str = "host") -> str:
    """The block that the README marks as one host's; `remote` is the one for a server over HTTP."""
    return README.split(f"<!-- {kind}: {host} -->\n", 1)[1].split("\n", 1)[1].split("```", 1)[0]


def assert_starts_us(command: list[str], variables: dict[str, str]) -> None:
    assert command[0].startswith("/")
    assert command[0].endswith("/liner-mcp")
    assert command[1] == "serve"
    assert set(variables) <= {f"LINER_{name.upper()}" for name in Settings.model_fields}
    if command[2:] != ["--demo"]:
        assert command[2:] == []
        assert "LINER_API_HOST" in variables
        assert {"LINER_API_TOKEN", "LINER_API_TOKEN_FILE"} & set(variables)


@pytest.mark.parametrize("host", ["claude-desktop", "vscode", "cursor", "other"])
def test_each_hosts_snippet_has_its_key_our_program_and_real_settings(host: str) -> None:
    snippet: dict[str, Any] = json.loads(host_snippet(host))
    (entry,) = snippet[HOSTS[host].key if host in HOSTS else "mcpServers"].values()
    assert_starts_us([entry["command"], *entry["args"]], entry.get("env", {}))
    assert entry.get("type") == ("stdio" if host == "vscode" else None)


def test_the_snippet_of_vs_code_asks_for_the_token_and_hides_it() -> None:
    snippet: dict[str, Any] = json.loads(host_snippet("vscode"))
    (asked,) = snippet["inputs"]
    assert (asked["type"], asked["password"]) == ("promptString", True)
    assert snippet["servers"]["liner"]["env"]["LINER_API_TOKEN"] == f"${{input:{asked['id']}}}"


def test_the_line_for_claude_code_parses_and_names_real_settings() -> None:
    words = shlex.split(host_snippet("claude-code").replace("\\\n", " "))
    split = words.index("--")
    options = words[3:split]
    assert words[:3] == ["claude", "mcp", "add"]
    # --env takes several values: an option must stand between it and the name, or the name becomes a variable.
    assert options[-3:] == ["--scope", "user", "liner"]
    assert options[:-3:2] == ["--env"] * (len(options[:-3]) // 2)
    assert_starts_us(words[split + 1 :], dict(pair.split("=", 1) for pair in options[1:-3:2]))


@pytest.mark.parametrize("host", ["vscode", "cursor"])
def test_each_remote_snippet_has_its_hosts_key_our_address_and_a_token_that_is_kept_out_of_it(host: str) -> None:
    snippet: dict[str, Any] = json.loads(host_snippet(host, "remote"))
    (entry,) = snippet[HOSTS[host].key].values()
    assert entry["url"].endswith("/mcp")
    assert re.fullmatch(r"Bearer \$\{(input|env):\S+\}", entry["headers"]["Authorization"])
    assert entry.get("type") == ("http" if host == "vscode" else None)


def test_the_remote_line_for_claude_code_parses() -> None:
    words = shlex.split(host_snippet("claude-code", "remote").replace("\\\n", " "))
    assert words[:8] == ["claude", "mcp", "add", "--transport", "http", "--scope", "user", "liner"]
    assert words[8].endswith("/mcp")
    assert words[9] == "--header"
    assert words[10].startswith("Authorization: Bearer ")


def test_the_readme_shows_the_install_line_of_every_host() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert {f".venv/bin/liner-mcp install {host}" for host in HOSTS} <= set(lines)


def test_the_readme_says_where_each_hosts_file_is() -> None:
    told = {row[0]: row[1] for row in table("Connect it to an assistant")}
    assert set(told) == set(HOSTS)
    for host, text in told.items():
        for platform in ("darwin", "win32", "linux"):
            file = host_file(host, platform=platform, home=Path("~"), environment={}).as_posix()
            folder = file.rpartition("/")[0].replace("~/AppData/Roaming", "%APPDATA%")
            assert (folder.replace("/", "\\") if "%" in folder else folder) in text
            assert file.rpartition("/")[2] in text


def test_two_single_lines_try_and_test_it_and_ci_runs_the_same() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    set_up = "python3 -m venv .venv && .venv/bin/pip install -q -e "
    (demo,) = [line for line in lines if line.startswith(set_up) and line.endswith("liner-mcp demo")]
    (test,) = [line for line in lines if line.startswith(set_up) and "pytest" in line]
    assert demo
    assert test in CI_LINES
    assert f"\t{test}" in MAKEFILE.splitlines()


def test_make_checks_what_ci_checks() -> None:
    recipes = {line[1:] for line in MAKEFILE.splitlines() if line.startswith("\t.venv/bin/")}
    assert {line for line in CI_LINES if re.match(r"\.venv/bin/(ruff|pyright)", line)} <= recipes


def test_make_lists_its_targets() -> None:
    phony = MAKEFILE.split(".PHONY: help ", 1)[1].split()
    assert phony == re.findall(r"^(\w+):.* ## ", MAKEFILE, re.MULTILINE)


def test_every_place_tells_the_same_version() -> None:
    assert __version__ == PYPROJECT["project"]["version"] == SERVER["version"] == SERVER["packages"][0]["version"]
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


# The registry's package is started over stdio, which knows nothing of HTTP.
STDIO_SETTINGS = {name for name in Settings.model_fields if name == "mcp_demo" or not name.startswith("mcp_")}


def test_the_registry_file_names_every_setting_and_marks_the_token_secret() -> None:
    variables = {variable["name"]: variable for variable in SERVER["packages"][0]["environmentVariables"]}
    assert set(variables) == {f"LINER_{name.upper()}" for name in STDIO_SETTINGS}
    assert [name for name, variable in variables.items() if variable.get("isSecret")] == ["LINER_API_TOKEN"]
    for name in STDIO_SETTINGS:
        told = variables[f"LINER_{name.upper()}"].get("default")
        assert told is None or told == str(Settings.model_fields[name].default).lower()


def test_the_registry_file_offers_a_teams_own_server_with_a_token_that_stays_secret() -> None:
    (remote,) = SERVER["remotes"]
    assert remote["type"] == "streamable-http"
    assert re.fullmatch(r"https://\{(\w+)\}/mcp", remote["url"])
    assert [f"{{{name}}}" in remote["url"] for name in remote["variables"]] == [True]
    (header,) = remote["headers"]
    assert (header["name"], header["value"]) == ("Authorization", "Bearer {token}")
    assert header["isSecret"]
    assert header["variables"]["token"]["isSecret"]


def test_the_registry_file_fits_the_registry_and_the_readme_proves_ownership() -> None:
    assert SERVER["$schema"].endswith("/2025-12-11/server.schema.json")
    assert len(SERVER["description"]) <= 100
    assert f"<!-- mcp-name: {SERVER['name']} -->" in README


def test_the_registry_file_obeys_the_registrys_schema(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text(json.dumps(SERVER), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "skillsaw", "lint", str(tmp_path)],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mcp-registry" in done.stdout


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return [ROOT / name for name in listed.stdout.splitlines()]


# Written in two parts, so that this file passes its own test.
FOREIGN = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/"]


def test_the_tree_of_the_architecture_page_is_the_package() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = page.split("```text")[1].split("```")[0]
    outside = {"liner_mcp/", "tests/", "benchmarks/", "fakes/", "fault_matrix/"}
    named = set(re.findall(r"[\w]+\.py|[\w]+/", tree)) - outside
    modules = [path.relative_to(ROOT / "liner_mcp") for path in (ROOT / "liner_mcp").rglob("*.py")]
    assert named <= {path.name for path in modules} | {f"{folder.name}/" for path in modules for folder in path.parents}
    top = {path.parts[0] + "/" * (len(path.parts) > 1) for path in modules}
    assert top - named == {"__init__.py", "__main__.py"}


def test_no_file_names_a_package_host_or_a_path_of_a_machine() -> None:
    for path in tracked_files():
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not [word for word in FOREIGN if word in text], path.name
