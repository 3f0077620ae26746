"""The documents cannot drift: what they say is compared with what is. These tests only read."""

from __future__ import annotations

import hashlib
import importlib.util
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
import yaml

from liner_mcp import __version__
from liner_mcp.cli.host_config import HOSTS, host_file
from liner_mcp.cli.main import _parser  # pyright: ignore[reportPrivateUsage] - to parse without running
from liner_mcp.errors import SettingsError
from liner_mcp.http_server.auth.bearer import Reason
from liner_mcp.liner.request_metrics import RequestCounts
from liner_mcp.liner.restricted_client import Access
from liner_mcp.records.check_quotes import QuoteState
from liner_mcp.records.record_rows import SummaryState
from liner_mcp.server.access_rules import AccessRule, parse_rules
from liner_mcp.server.app import ICON, WEBSITE
from liner_mcp.server.audit_log import AuditEntry, Outcome
from liner_mcp.settings import Settings
from tests.conftest import OpenSession
from tests.http_server.test_request_log import KEYS as REQUEST_KEYS
from tests.support import filters_table, snapshots

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CI_LINES = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md"))
}
README, HOSTS_PAGE, TOOLS_PAGE = PAGES["README.md"], PAGES["docs/hosts.md"], PAGES["docs/tools.md"]
FILTERS_PAGE = PAGES["docs/filters.md"]
OBSERVABILITY, SETTINGS_PAGE = PAGES["docs/observability.md"], PAGES["docs/settings.md"]
README_BYTES = 8_000  # two screens: what it is, how to try it, and links to the rest
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SERVER: dict[str, Any] = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
SURFACE: dict[str, Any] = json.loads(snapshots.SURFACE.read_text(encoding="utf-8"))


def blocks(language: str, *pages: str) -> list[str]:
    """The fenced blocks of a language, of all pages unless some are given."""
    text = "\n".join(pages or PAGES.values())
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def headings(page: str) -> list[str]:
    return re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)


def section(page: str, heading: str) -> str:
    """What stands between a heading and the next one."""
    _, text = re.split(rf"^#+ {re.escape(heading)}$", page, maxsplit=1, flags=re.MULTILINE)
    return re.split(r"^#+ ", text, maxsplit=1, flags=re.MULTILINE)[0]


def table(page: str, heading: str, head: str = "") -> list[list[str]]:
    """The cells of the rows of a section's first table, or of the one whose first column is called `head`."""
    tables = re.findall(r"(?:^\|.*\n)+", section(page, heading), re.MULTILINE)
    (first, *_) = [lines for lines in tables if lines.startswith(f"| {head}")]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in first.splitlines()[2:]]


def names(cell: str) -> list[str]:
    """The names in a cell such as `date`, `time`."""
    return [name.strip(" `") for name in cell.split(",")]


def the_answer() -> dict[str, Any]:
    return json.loads(README.split("<!-- answer -->", 1)[1].split("```json\n", 1)[1].split("```", 1)[0])


def test_the_readme_shows_a_real_answer() -> None:
    question = snapshots.TOOL_CALLS[1]
    call = ", ".join(f"{name}={value}" for name, value in question[1].items())
    assert f"`{question[0]}({call})`" in README
    assert the_answer() == json.loads(snapshots.ANSWERS.read_text(encoding="utf-8"))[1]["answer"]


def test_the_readme_is_short() -> None:
    assert len(README.encode()) <= README_BYTES


def test_the_documented_lines_turn_the_rows_into_records() -> None:
    (source,) = blocks("python")
    assert len(source.strip().splitlines()) <= 5
    space: dict[str, Any] = {}
    exec(source, space)  # noqa: S102 - the page's own lines, which a reader will paste
    records = space["records"](the_answer())
    assert records[0]["call_id"] == 7003898
    assert {record["record_date"] for record in records} >= {"2026-11-19"}
    assert [set(record) for record in records] == [set(records[0])] * len(records)


def test_the_readme_and_the_page_of_tools_list_every_tool() -> None:
    tools = [tool["name"] for tool in SURFACE["tools"]]
    assert [row[0] for row in table(README, "Tools")] == tools
    assert [heading for heading in headings(TOOLS_PAGE) if "_" in heading] == tools


def test_the_page_of_filters_says_what_the_declarations_say() -> None:
    (tool,) = [tool for tool in SURFACE["tools"] if tool["name"] == "find_calls"]
    written = filters_table.rows_of(FILTERS_PAGE)
    assert written == filters_table.rows(tool["inputSchema"]["properties"]), "python -m tests.support.filters_table"


@pytest.mark.parametrize("tool", SURFACE["tools"], ids=lambda tool: tool["name"])
def test_every_argument_of_a_tool_is_documented(tool: dict[str, Any]) -> None:
    documented = set(re.findall(r"`(\w+)`", section(TOOLS_PAGE, tool["name"])))
    if tool["name"] in ("find_calls", "call_stats"):
        documented |= {name for row in table(TOOLS_PAGE, "Arguments", "Argument") for name in names(row[0])}
        documented |= {name for row in table(FILTERS_PAGE, "Filters of calls", "Argument") for name in names(row[0])}
    assert set(tool["inputSchema"]["properties"]) <= documented


def shown_columns(answer: dict[str, Any]) -> set[str]:
    return {*answer["columns"], *answer.get("every_row", {})}


@pytest.mark.anyio
async def test_every_column_is_documented_and_every_documented_column_occurs(connect: OpenSession) -> None:
    documented = {
        tool: [name for row in table(TOOLS_PAGE, tool, "Column") for name in names(row[0])]
        for tool in ("find_calls", "call_stats", "list_call_records")
    }
    (arguments,) = [one["inputSchema"]["properties"] for one in SURFACE["tools"] if one["name"] == "find_calls"]
    (groups,) = [one["inputSchema"]["properties"] for one in SURFACE["tools"] if one["name"] == "call_stats"]
    async with connect() as session:
        everything = arguments["include"]["items"]["enum"]
        found = await session.answer("find_calls", include=everything, limit=3, mentions="клиент", summary_chars=5)
        assert shown_columns(found) == set(documented["find_calls"])
        keys: set[str] = set()
        counted = {"since": "-2h", "mentions": "клиент", "include": groups["include"]["items"]["enum"]}
        for group in groups["group_by"]["items"]["enum"]:
            keys |= shown_columns(await session.answer("call_stats", group_by=[group], **counted))
        assert keys == set(documented["call_stats"])
        # Its summary is longer than 5 characters, so the column of an optional length is there too.
        listed = await session.answer("list_call_records", call_id=7003900, summary_chars=5)
        assert shown_columns(listed) == set(documented["list_call_records"])
        assert set(listed["call"]) <= set(re.findall(r"`(\w+)`", section(TOOLS_PAGE, "list_call_records")))
        summaries = await session.answer("get_call_summaries", call_ids=[7003900], summary_chars=5)
        assert shown_columns(summaries) == {"call_id", *documented["list_call_records"]}
        checked = await session.answer("check_quotes", quotes=[{"record_id": 1, "quote": "a"}])
        assert checked["columns"] == [
            name for row in table(TOOLS_PAGE, "check_quotes", "Column") for name in names(row[0])
        ]
        for kind, columns in table(TOOLS_PAGE, "list_directory", "Kind"):
            assert shown_columns(await session.answer("list_directory", kind=kind)) == set(names(columns))


@pytest.mark.anyio
async def test_every_member_of_a_full_record_is_documented(connect: OpenSession) -> None:
    documented = [name for row in table(TOOLS_PAGE, "get_call_record", "Member") for name in names(row[0])]
    async with connect(audio="url") as session:
        listed = await session.answer("list_call_records", call_id=7003900, limit=1)
        record_id = listed["rows"][0][listed["columns"].index("record_id")]
        answer = await session.answer("get_call_record", record_id=record_id)
    assert set(answer["record"]) == set(documented)
    assert {*answer, *answer["summary"]} <= set(re.findall(r"`(\w+)`", section(TOOLS_PAGE, "get_call_record")))


def test_every_member_of_an_answer_and_of_its_page_is_documented() -> None:
    (schema,) = [tool["outputSchema"] for tool in SURFACE["tools"] if tool["name"] == "find_calls"]
    assert [row[0] for row in table(TOOLS_PAGE, "The answer")] == ["demo", *schema["properties"]]
    assert [row[0] for row in table(TOOLS_PAGE, "Page")] == list(schema["properties"]["page"]["properties"])


def test_every_prompt_is_documented() -> None:
    assert [row[0] for row in table(TOOLS_PAGE, "Prompts")] == [prompt["name"] for prompt in SURFACE["prompts"]]


def test_every_resource_is_documented() -> None:
    uris = [r["uri"] for r in SURFACE["resources"]] + [r["uriTemplate"] for r in SURFACE["resource_templates"]]
    assert [row[0] for row in table(TOOLS_PAGE, "Resources")] == uris


def test_the_documented_file_of_access_works() -> None:
    (source,) = blocks("toml", PAGES["docs/authentication-and-access.md"])
    rules = parse_rules(source.encode())
    assert rules.for_caller("anna").access.orders == {201, 204}
    assert rules.for_caller("boris") == AccessRule(Access(None, frozenset({101, 105})), phones=True, audio=False)
    assert rules.for_caller("somebody").access.orders == frozenset()


def test_every_setting_is_documented_with_its_default() -> None:
    rows = {row[0]: row[1] for row in table(SETTINGS_PAGE, "Settings")}
    assert set(rows) == {f"LINER_{name.upper()}" for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "–" if default is None else str(default).lower()
        if name not in ("timezone", "max_answer_bytes"):  # described in words: they depend on the machine and the host
            assert rows[f"LINER_{name.upper()}"] == shown


def test_no_documented_line_exports_the_demo_for_the_commands_after_it() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines() if "LINER_MCP_DEMO" in line]
    assert lines
    assert not [line for line in lines if not line.startswith("LINER_MCP_DEMO=true .venv/bin/")]


def test_the_page_of_settings_says_which_data_is_used_when_the_demo_is_requested_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = [[cell.partition(":")[0] for cell in row] for row in table(SETTINGS_PAGE, "Real data or the demo")]
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


def test_the_documented_log_lines_have_the_members_of_real_ones() -> None:
    (shown,) = blocks("jsonl")
    audit, request = map(json.loads, shown.splitlines())
    entry = AuditEntry("tool", "find_calls", "anna", "1", {}, RequestCounts())
    assert list(audit) == ["time", *entry.to_log_line()]
    assert list(request) == REQUEST_KEYS
    assert audit["request_id"] == request["request_id"]


def test_every_outcome_of_a_call_is_documented() -> None:
    assert [row[0] for row in table(OBSERVABILITY, "Outcomes")] == list(get_args(Outcome))


def test_every_reason_to_refuse_a_token_is_documented() -> None:
    rows = table(OBSERVABILITY, "Why a token is refused")
    assert [name for row in rows for name in names(row[0])] == list(get_args(Reason))


def test_every_summary_state_is_documented() -> None:
    states = {row[0] for row in table(TOOLS_PAGE, "The state of a summary")}
    assert states == set(get_args(SummaryState))


def test_every_state_of_a_quote_is_documented() -> None:
    assert {row[0] for row in table(TOOLS_PAGE, "check_quotes", "State")} == set(get_args(QuoteState))


@pytest.mark.parametrize("snippet", blocks("json"), ids=lambda text: text[:20].strip())
def test_each_json_snippet_parses(snippet: str) -> None:
    json.loads(snippet)


def host_snippet(host: str, kind: str = "host") -> str:
    """The block that the page marks as one host's; `remote` is the one for a server over HTTP."""
    return HOSTS_PAGE.split(f"<!-- {kind}: {host} -->\n", 1)[1].split("\n", 1)[1].split("```", 1)[0]


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


def test_the_snippet_of_codex_starts_us_and_waits_for_us() -> None:
    entry = tomllib.loads(host_snippet("codex"))["mcp_servers"]["liner"]
    assert_starts_us([entry["command"], *entry["args"]], entry["env"])
    assert entry["required"] is True


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


def test_the_remote_snippet_of_claude_desktop_has_our_address_and_a_header_without_a_space() -> None:
    (entry,) = json.loads(host_snippet("claude-desktop", "remote"))[HOSTS["claude-desktop"].key].values()
    program, address, option, header = entry["args"]
    assert (program, option) == ("mcp-remote", "--header")
    assert address.endswith("/mcp")
    assert header == "Authorization:${AUTHORIZATION}"  # Claude Desktop on Windows breaks arguments at spaces
    assert entry["env"]["AUTHORIZATION"].startswith("Bearer ")


def test_the_remote_line_for_claude_code_parses() -> None:
    words = shlex.split(host_snippet("claude-code", "remote").replace("\\\n", " "))
    assert words[:8] == ["claude", "mcp", "add", "--transport", "http", "--scope", "user", "liner"]
    assert words[8].endswith("/mcp")
    assert words[9] == "--header"
    assert words[10].startswith("Authorization: Bearer ")


def test_the_install_line_of_every_host_is_documented() -> None:
    lines = [line for block in blocks("sh", HOSTS_PAGE) for line in block.splitlines()]
    assert {f"liner-mcp install {host}" for host in HOSTS} <= set(lines)


def test_powershell_sets_the_same_settings_and_runs_the_same_command_as_a_posix_shell() -> None:
    text = section(HOSTS_PAGE, "Check the settings")
    (posix,), (powershell,) = blocks("sh", text), blocks("powershell", text)
    export, command = posix.splitlines()
    assert re.findall(r"^\$env:(\w+) = \"", powershell, re.MULTILINE) == re.findall(r"(\w+)=", export)
    assert powershell.splitlines()[-1] == command


def test_the_page_of_hosts_names_the_log_of_every_host() -> None:
    logs = [row[0] for row in table(HOSTS_PAGE, "The log of the server")]
    assert {host.title for host in HOSTS.values()} < set(logs)
    assert [host for host in logs if host not in headings(HOSTS_PAGE)] == []


def test_the_place_of_each_hosts_file_is_documented() -> None:
    told = {row[0]: row[1] for row in table(HOSTS_PAGE, "Add the server with `install`", "`HOST`")}
    assert set(told) == set(HOSTS)
    for host, text in told.items():
        for platform in ("darwin", "win32", "linux"):
            file = host_file(host, platform=platform, home=Path("~"), environment={}).as_posix()
            folder = file.rpartition("/")[0].replace("~/AppData/Roaming", "%APPDATA%")
            assert (folder.replace("/", "\\") if "%" in folder else folder) in text
            assert file.rpartition("/")[2] in text


def test_two_single_lines_try_and_test_it_and_ci_runs_the_same() -> None:
    lines = [line for block in blocks("sh", README) for line in block.splitlines()]
    set_up = "python3 -m venv .venv && .venv/bin/pip install -q -e "
    (demo,) = [line for line in lines if line.startswith(set_up) and line.endswith("liner-mcp demo")]
    (test,) = [line for line in lines if line.startswith(set_up) and "pytest" in line]
    assert demo
    assert test in CI_LINES
    assert f"{test}\n" in PAGES["docs/contributing.md"]
    assert f"\t{test}" in MAKEFILE.splitlines()


def test_ci_lints_and_checks_types_by_make() -> None:
    assert "make lint types" in CI_LINES
    assert {"\t.venv/bin/ruff check .", "\t.venv/bin/ruff format --check .", "\t.venv/bin/pyright"} <= set(
        MAKEFILE.splitlines()
    )


def test_make_lists_its_targets() -> None:
    phony = MAKEFILE.split(".PHONY: help ", 1)[1].split()
    assert phony == re.findall(r"^(\w+):.* ## ", MAKEFILE, re.MULTILINE)


def test_every_place_tells_the_same_version() -> None:
    pypi, mcpb, oci = SERVER["packages"]
    manifest = json.loads(snapshots.MANIFEST.read_text(encoding="utf-8"))
    told = {PYPROJECT["project"]["version"], manifest["version"], *(one["version"] for one in (SERVER, pypi, mcpb))}
    assert told == {__version__}
    assert f"/v{__version__}/" in mcpb["identifier"]
    assert oci["identifier"].endswith(f":{__version__}")
    released = next(one for one in headings(PAGES["CHANGELOG.md"])[1:] if one != "Unreleased")
    assert re.fullmatch(rf"{re.escape(__version__)} \(20\d\d-\d\d-\d\d\)", released)


# The registry's package is started over stdio, which knows nothing of HTTP.
STDIO_SETTINGS = {name for name in Settings.model_fields if name == "mcp_demo" or not name.startswith("mcp_")}


def test_the_registry_file_names_every_setting_and_marks_the_token_secret() -> None:
    variables = {variable["name"]: variable for variable in SERVER["packages"][0]["environmentVariables"]}
    assert set(variables) == {f"LINER_{name.upper()}" for name in STDIO_SETTINGS}
    assert [name for name, variable in variables.items() if variable.get("isSecret")] == ["LINER_API_TOKEN"]
    for name in STDIO_SETTINGS:
        told = variables[f"LINER_{name.upper()}"].get("default")
        assert told is None or told == str(Settings.model_fields[name].default).lower()


def test_the_registry_file_offers_the_package_the_bundle_and_the_image() -> None:
    pypi, mcpb, oci = SERVER["packages"]
    assert [one["registryType"] for one in (pypi, mcpb, oci)] == ["pypi", "mcpb", "oci"]
    assert pypi["identifier"] == PYPROJECT["project"]["name"]
    assert mcpb["identifier"].startswith(f"{SERVER['repository']['url']}/releases/download/")
    variables = {variable["name"]: variable for variable in oci["environmentVariables"]}
    assert set(variables) <= {f"LINER_{name.upper()}" for name in STDIO_SETTINGS}
    assert [name for name, variable in variables.items() if variable.get("isSecret")] == ["LINER_API_TOKEN"]
    # The image serves HTTP unless it gets an argument.
    assert [argument["value"] for argument in oci["packageArguments"]] == ["serve"]
    label = f'LABEL io.modelcontextprotocol.server.name="{SERVER["name"]}"'
    assert label in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()


def test_the_icon_and_the_web_site_are_the_same_everywhere_and_small() -> None:
    png, svg = SERVER["icons"]
    for icon, kind in ((png, "png"), (svg, "svg")):
        file = ROOT / "liner_mcp" / "server" / f"icon.{kind}"
        assert icon["src"].endswith(f"/main/{file.relative_to(ROOT).as_posix()}")
        assert file.stat().st_size < 10_000
    assert (ICON.src, ICON.mime_type, ICON.sizes) == (png["src"], png["mimeType"], png["sizes"])
    assert SERVER["websiteUrl"] == WEBSITE


def test_a_release_writes_the_checksum_of_the_bundle_into_the_registry_file(tmp_path: Path) -> None:
    bundle, registry_file = tmp_path / "liner-mcp.mcpb", tmp_path / "server.json"
    bundle.write_bytes(b"a bundle")
    registry_file.write_text(json.dumps(SERVER), encoding="utf-8")
    assert not SERVER["packages"][1]["fileSha256"].strip("0")  # until a release
    script = ROOT / "bundle" / "write_checksum.py"
    subprocess.run([sys.executable, script, bundle, registry_file], timeout=60, check=True)
    written = json.loads(registry_file.read_text(encoding="utf-8"))
    assert written["packages"][1].pop("fileSha256") == hashlib.sha256(b"a bundle").hexdigest()
    assert written["packages"][1] == {k: v for k, v in SERVER["packages"][1].items() if k != "fileSha256"}


def test_the_release_tests_builds_and_writes_the_checksum_before_it_publishes() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))
    build, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    lines = [line for step in build["steps"] for line in step.get("run", "").splitlines()]
    wanted = ["bash .ci/run", "make bundle", "python bundle/write_checksum.py dist/liner-mcp.mcpb server.json"]
    assert [line for line in lines if line in wanted] == wanted
    assert publish["needs"] == "build"
    image = SERVER["packages"][2]["identifier"].rpartition(":")[0]
    assert image in str(publish["steps"])


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


# Links ---------------------------------------------------------------------------------------------------------------

REPOSITORY: str = SERVER["repository"]["url"]
BLOB = f"{REPOSITORY}/blob/main/"


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(page)}


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(name: str) -> None:
    prose = re.sub(r"^```.*?^```", "", PAGES[name], flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if target.startswith("https://") and not target.startswith(BLOB):
            continue
        place, _, anchor = target.removeprefix(BLOB).partition("#")
        folder = ROOT if target.startswith(BLOB) else (ROOT / name).parent
        file = Path(os.path.normpath(folder / place)) if place else ROOT / name
        assert file.exists(), target
        assert not anchor or anchor in anchors(PAGES[file.relative_to(ROOT).as_posix()]), target


def test_links_of_the_readme_work_on_the_page_of_the_package_too() -> None:
    assert not [target for target in re.findall(r"\]\(([^)\s]+)\)", README) if not target.startswith("https://")]


def test_every_address_of_this_repository_is_the_one_of_the_registry_file() -> None:
    urls = [*PYPROJECT["project"]["urls"].values()]
    texts = [*PAGES.values(), *(path.read_text("utf-8") for path in (ROOT / ".github").rglob("*.*"))]
    urls += [url for text in texts for url in re.findall(r"https://github\.com/[^\s)>]+", text)]
    assert urls
    publisher = "https://github.com/modelcontextprotocol/registry/"  # the program that a release publishes with
    for url in urls:
        assert url.startswith((REPOSITORY, publisher)), url
        if url.startswith(BLOB):
            assert (ROOT / url.removeprefix(BLOB).partition("#")[0]).is_file(), url


def test_every_picture_is_shown_by_a_page_and_small() -> None:
    pictures = sorted((ROOT / "docs" / "images").glob("*.png"))
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < 150_000, picture.name
        assert any(f"images/{picture.name})" in page for page in PAGES.values()), picture.name


def test_the_index_names_every_page_once() -> None:
    listed = re.findall(r"^- \[.+?\]\(([^)]+)\)", PAGES["docs/README.md"], re.MULTILINE)
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert sorted(name for name in listed if "/" not in name) == sorted(pages)


def test_every_setting_file_and_module_that_a_page_names_exists() -> None:
    text = "\n".join(PAGES[name] for name in PAGES if name != "CHANGELOG.md")
    callers = {"LINER_CALLER_TOKEN"}  # a variable of the caller's own machine
    assert set(re.findall(r"\bLINER_[A-Z_]+\b", text)) - callers <= {
        f"LINER_{n.upper()}" for n in Settings.model_fields
    }
    files = set(re.findall(r"`((?:tests|benchmarks|docs|examples|liner_mcp|\.ci)/[\w./-]+)`", text))
    assert [name for name in files if not (ROOT / name).exists()] == []
    modules = set(re.findall(r"python -m ((?:benchmarks|tests|liner_mcp)[\w.]*)", text))
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


def test_every_documented_command_is_one_that_the_command_line_takes() -> None:
    text = "\n".join(blocks("sh")).replace("\\\n", " ")
    commands = re.findall(r"^(?:\.venv/bin/)?liner-mcp (.+)$", text, re.MULTILINE)
    documented = {"agreement", "archive", "check", "forget", "install", "review", "serve", "sync", "token"}
    assert {command.split()[0] for command in commands} == documented
    for command in commands:
        _parser().parse_args(shlex.split(command))  # exits with 2 for what it does not take


def test_the_hooks_before_a_commit_run_the_programs_of_the_environment() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert re.findall(r"repo: (\S+)", text) == ["local"]
    programs = re.findall(r"entry: (\S+)", text)
    assert programs
    assert set(programs) == {".venv/bin/ruff", ".venv/bin/pyright"}


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return [ROOT / name for name in listed.stdout.splitlines()]


# Written in two parts, so that this file passes its own test.
FOREIGN = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/"]


def test_the_tree_of_the_architecture_page_is_the_package() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = page.split("```text")[1].split("```")[0]
    outside = {"liner_mcp/", "tests/", "benchmarks/", "bundle/", "fakes/", "fault_matrix/"}
    named = set(re.findall(r"[\w]+\.py|[\w]+/", tree)) - outside
    modules = [path.relative_to(ROOT / "liner_mcp") for path in (ROOT / "liner_mcp").rglob("*.py")]
    assert named <= {path.name for path in modules} | {f"{folder.name}/" for path in modules for folder in path.parents}
    top = {path.parts[0] + "/" * (len(path.parts) > 1) for path in modules}
    assert top - named == {"__init__.py", "__main__.py"}


def test_no_file_names_a_package_host_or_a_path_of_a_machine() -> None:
    for path in tracked_files():
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")  # the icon is no text
            assert not [word for word in FOREIGN if word in text], path.name
